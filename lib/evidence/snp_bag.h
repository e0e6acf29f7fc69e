/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_SNP_BAG_H
#define AVOW_EVIDENCE_SNP_BAG_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/cert.h"
#include "crypto/crl.h"

/*
 * Where a report's endorsements come from does not matter: the host's certificate table, a cache, AMD's
 * server. They are put into one bag; only what chains to a pinned key counts, and only snp_verify() says so.
 */
#define SNP_CRLS_MAX         8
#define SNP_TABLE_BYTES_MAX  (1u << 20)
#define SNP_TABLE_ENTRY_MAX  32
#define SNP_GUID_BYTES       16
#define SNP_EXTRA_INFO_BYTES 8

struct snp_bag {
        struct cert_list certs; /* at most CERT_CHAIN_MAX; each once */
        size_t n_crls;
        struct crl *crls[SNP_CRLS_MAX];
};
void snp_bag_done(struct snp_bag *bag);

/*
 * Adds what BLOB is: a certificate in DER, certificates or a revocation list in PEM, a revocation list in
 * DER. Return: 0; -ERR_FORMAT if it is none of them; -ERR_LIMIT; -ERR_NOMEM.
 */
int snp_bag_add(struct snp_bag *bag, struct view blob, struct err *err) MUST_USE;

/* What a table's entry is for. */
enum snp_blob {
        SNP_BLOB_OTHER = 0, /* a GUID unknown here: ignored */
        SNP_BLOB_VCEK,
        SNP_BLOB_VLEK,
        SNP_BLOB_ASK,
        SNP_BLOB_ARK,
        SNP_BLOB_CRL,
        SNP_BLOB_EXTRA_INFO, /* Google: {u32 size, u32 cpuid_1_eax} */
        SNP_N_BLOBS,
};

struct snp_table {
        size_t n;
        struct {
                enum snp_blob kind;
                struct view guid, bytes; /* borrowed */
        } v[SNP_TABLE_ENTRY_MAX];
};
/*
 * The certificate table of an extended report (configfs-tsm: auxblob). Nothing at all is an empty table.
 * Refused: no end, a blob that lies outside or in the entries, two entries of one kind. Return: 0;
 * -ERR_FORMAT with the entry's number; -ERR_LIMIT. Spec: GHCB 56421 §4.1.8.1 (SNP extended guest request).
 */
int snp_table_parse(struct view in, struct snp_table *ret, struct err *err) MUST_USE;
/* Adds the table's certificates and lists. Return: as snp_bag_add(), the entry named. */
int snp_bag_add_table(struct snp_bag *bag, struct view table, struct err *err) MUST_USE;

#endif
