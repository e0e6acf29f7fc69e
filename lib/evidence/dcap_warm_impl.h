/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_DCAP_WARM_IMPL_H
#define AVOW_EVIDENCE_DCAP_WARM_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/map.h"
#include "crypto/cert.h"
#include "crypto/crl.h"
#include "evidence/dcap_collateral.h"
#include "evidence/dcap_warm.h"

/* For what fills and uses it: dcap_*.c and endorsements_pick.c; nobody else includes this. */
enum dcap_piece_kind {
        DCAP_PIECE_CHAIN, /* a PEM text; its signatures hold, up to a root that somebody trusts */
        DCAP_PIECE_CRL,   /* a list and its issuer, who signed it */
        DCAP_PIECE_INFO,  /* signed JSON and who signed it */
        DCAP_PIECE_QE,
        DCAP_PIECE_KEY,  /* an attestation key, which a quoting enclave named */
        DCAP_PIECE_LINK, /* a certificate or list and a certificate: signed by it, or not */
};

/* What it was made from: one text or two. */
struct dcap_piece_id {
        enum dcap_piece_kind kind;
        struct view text, by;
};

struct dcap_piece {
        struct cert_list chain;
        struct digest
                root_key; /* SHA-256 of its SubjectPublicKeyInfo; no bytes if it is of an unknown kind */
        struct crl *crl;
        struct tcb_info info;
        struct qe_identity qe;
        struct pubkey *key;
        bool linked;
};
void dcap_piece_free(struct dcap_piece *piece);
DEFINE_AUTO(struct dcap_piece, dcap_piece_free)

struct dcap_warm {
        struct map pieces; /* by the digest of their identity */
        size_t bytes;
};
void dcap_warm_init(struct dcap_warm *warm);
void dcap_warm_done(struct dcap_warm *warm);

/* Room for one more quote's pieces: only here anything is forgotten, so pieces live until the next call. */
void dcap_warm_tidy(struct dcap_warm *warm);

/* *RET is NULL if it is not known. */
int dcap_warm_get(const struct dcap_warm *warm, const struct dcap_piece_id *id, struct dcap_piece **ret,
                  struct err *err) MUST_USE;
/* Takes *PIECE over, and leaves NULL; on failure it stays the caller's. */
int dcap_warm_put(struct dcap_warm *warm, const struct dcap_piece_id *id, struct dcap_piece **piece,
                  struct err *err) MUST_USE;

/* PEM texts in quotes end with a NUL or several. */
static inline struct view dcap_without_nuls(struct view v)
{
        while (v.len && v.p[v.len - 1] == 0)
                v.len--;
        return v;
}

#endif
