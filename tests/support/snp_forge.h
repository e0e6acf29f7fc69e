/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_SNP_FORGE_H
#define AVOW_TESTS_SNP_FORGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "evidence/snp_cert.h"

/*
 * An AMD of our own: ARK, ASK, ASVK, leaves, revocation lists and reports of any line, as good or as bad as a
 * test wants them. Keys are made anew in every run. Everything fails the test if it cannot be made.
 */
#define FORGE_FROM_MS INT64_C(1700000000000)
#define FORGE_NOW_MS  INT64_C(1750000000000)
#define FORGE_TO_MS   INT64_C(2400000000000)

struct snp_forge {
        enum snp_line line;
        struct evp_pkey_st *ark_key, *ask_key, *asvk_key, *leaf_key, *other_key;
        struct x509_st *ark, *ask, *asvk;
};
void snp_forge_init(struct snp_forge *f, enum snp_line line);
void snp_forge_done(struct snp_forge *f);
/* The root to trust. */
struct snp_root snp_forge_root(const struct snp_forge *f);

/* Appends DER. An ARK_FALSE is a certificate of the ARK's key and names that another key signed. */
enum snp_forge_ca { FORGE_ARK, FORGE_ASK, FORGE_ASVK, FORGE_ARK_FALSE };
void snp_forge_ca(const struct snp_forge *f, enum snp_forge_ca which, struct buf *ret);

/* How a certificate or a list is signed: AMD's way, or another that OpenSSL would accept as well. */
enum snp_forge_rule { FORGE_PSS = 0, FORGE_PKCS1, FORGE_SHORT_SALT };

struct snp_forge_leaf {
        bool vlek;
        struct snp_tcb tcb;
        uint8_t hwid[64];
        const char *csp_id;
        int64_t from_ms, to_ms;
        enum snp_forge_rule rule;
        bool hwid_in_der;    /* inside of an OCTET STRING */
        const char *without; /* the extension of this OID suffix is left out: "3.8" */
        const char *twice;   /* this one is there twice */
};
/* What fits snp_forge_report()'s. */
void snp_forge_leaf_init(const struct snp_forge *f, bool vlek, struct snp_forge_leaf *ret);
void snp_forge_leaf(const struct snp_forge *f, const struct snp_forge_leaf *leaf, struct buf *ret);

/* The root's list, or one in its name by another key. */
void snp_forge_crl(const struct snp_forge *f, bool revokes_ask, bool false_key, enum snp_forge_rule rule,
                   int64_t from_ms, int64_t to_ms, struct buf *ret);

/* A good report of VERSION; and its signature, after whatever was changed. */
void snp_forge_report(const struct snp_forge *f, uint32_t version, bool vlek, uint8_t ret[SNP_REPORT_BYTES]);
void snp_forge_sign(const struct snp_forge *f, uint8_t report[SNP_REPORT_BYTES]);
/* The bytes of a TCB in the line's layout. */
void snp_forge_tcb(enum snp_line line, const struct snp_tcb *tcb, uint8_t ret[8]);

#endif
