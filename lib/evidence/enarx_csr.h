/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_ENARX_CSR_H
#define AVOW_EVIDENCE_ENARX_CSR_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"

/*
 * How an Enarx keep asks for its certificate: a PKCS#10 request with the processor's evidence in one
 * extension, and what vouches for it. The request's key stands in the report data. There is no nonce in it:
 * whoever has the request can show it again, but the certificate goes to the key inside of the keep.
 * Spec: RFC 2986; Enarx's extensions 1.3.6.1.4.1.58270.1.1 (KVM, no evidence), .2 (SGX), .3 (SNP).
 */
#define ENARX_CSR_BYTES_MAX (1u << 20)
#define ENARX_PIECES_MAX    16

enum enarx_kind {
        ENARX_KVM = 1,
        ENARX_SGX = 2,
        ENARX_SNP = 3,
};

/* Views borrowed from the request. */
struct enarx_csr {
        enum enarx_kind kind;
        struct view spki;     /* the request's key, DER */
        struct view evidence; /* a quote; a report; nothing with KVM */
        /* what vouches for it, in the keep's words: certificates, revocation lists, TCB info */
        size_t n_pieces;
        struct view pieces[ENARX_PIECES_MAX];
        struct view is_signed, signature; /* the request's own: what, and ECDSA in DER */
        bool sha384;                      /* with this, else with SHA-256 */
};

/* Exactly one of the three extensions; other attributes and extensions are refused. Return: 0; -ERR_FORMAT
 * with the place; -ERR_LIMIT. */
int enarx_csr_parse(struct view in, struct enarx_csr *ret, struct err *err) MUST_USE;

/* Is the request signed with its own key? Return: 0 and the answer; -ERR_NOMEM, -ERR_CRYPTO. */
int enarx_csr_signed(const struct enarx_csr *csr, bool *ret_good, struct err *err) MUST_USE;

/*
 * Is REPORT_DATA, of 64 bytes, the digest of the request's key and zeros behind it: SHA-384 for SNP, SHA-256
 * for SGX? Return: 0 and the answer; -ERR_CRYPTO.
 */
int enarx_csr_binds(const struct enarx_csr *csr, struct view report_data, bool *ret_good,
                    struct err *err) MUST_USE;

#endif
