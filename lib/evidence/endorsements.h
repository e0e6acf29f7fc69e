/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_ENDORSEMENTS_H
#define AVOW_EVIDENCE_ENDORSEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "evidence/dcap.h"
#include "evidence/snp_bag.h"
#include "evidence/snp_cert.h"

/*
 * What vouches for processors' evidence, of any vendor and for any number of machines, in one heap: each
 * piece is known by its bytes, never by the name of a file. For one piece of evidence the few that could
 * belong to it are picked out. Picking trusts nothing and proves nothing: snp_verify() and dcap_verify() do.
 */
#define ENDORSEMENTS_MAX       4096                /* certificates, lists and documents, each */
#define ENDORSEMENTS_BYTES_MAX (64u * 1024 * 1024) /* of all pieces */

enum endorsement_kind {
        ENDORSEMENT_UNKNOWN = 0,  /* none of these */
        ENDORSEMENT_CERTIFICATES, /* one in DER, any number in PEM */
        ENDORSEMENT_CRL,          /* DER or PEM */
        ENDORSEMENT_TCB_INFO,     /* {"tcbInfo": {…}, "signature": "…"} */
        ENDORSEMENT_QE_IDENTITY,  /* {"enclaveIdentity": {…}, "signature": "…"} */
        ENDORSEMENT_COLLATERAL,   /* JSON with all of Intel's in one: tcb_info, tcb_info_signature, … */
        ENDORSEMENT_TABLE,        /* AMD's certificate table, as a host hands it to its guest */
};
/* "certificates", "revocation list", …; "not known". */
const char *endorsement_kind_name(enum endorsement_kind kind);

struct endorsements;
int endorsements_new(struct endorsements **ret, struct err *err) MUST_USE;
void endorsements_free(struct endorsements *e);
DEFINE_AUTO(struct endorsements, endorsements_free)

/*
 * Adds what BLOB is; what was there already is not added twice. Return: 0 and its kind, ENDORSEMENT_UNKNOWN
 * if it is nothing of the sort; -ERR_LIMIT; -ERR_NOMEM.
 */
int endorsements_add(struct endorsements *e, struct view blob, enum endorsement_kind *ret,
                     struct err *err) MUST_USE;

/* All that is in FROM, too. Return: 0; -ERR_LIMIT; -ERR_NOMEM. */
int endorsements_add_all(struct endorsements *e, const struct endorsements *from, struct err *err) MUST_USE;

/*
 * For an SNP report (NULL: for a leaf without a report): leaves that could have signed it, the best fitting
 * first; the certificates above them and above those that BAG holds already, and the root's lists. Return: 0;
 * -ERR_NOMEM.
 */
int endorsements_for_snp(const struct endorsements *e, const struct snp_report *report, struct snp_bag *bag,
                         struct err *err) MUST_USE;

/* Collateral for one quote, borrowed from the heap and from the texts beside it. */
struct endorsements_quote {
        struct dcap_collateral collateral;
        struct buf pck_chain, signer_chain; /* PEM, put together */
};
void endorsements_quote_done(struct endorsements_quote *q);
/*
 * Of several documents that fit the quote's platform the one that holds at AT_MS, the newest of those; if
 * none fits, one of the same kind of evidence, so that the answer says what does not fit. WARM (or NULL) is
 * asked first what signed what, and goes on into the collateral. Return: 0; -ERR_NOMEM, -ERR_CRYPTO.
 */
int endorsements_for_quote(const struct endorsements *e, const struct dcap_quote *quote, int64_t at_ms,
                           struct dcap_warm *warm, struct endorsements_quote *ret, struct err *err) MUST_USE;

#endif
