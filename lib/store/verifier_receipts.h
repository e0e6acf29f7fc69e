/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_STORE_VERIFIER_RECEIPTS_H
#define AVOW_STORE_VERIFIER_RECEIPTS_H

#include "store/verifier_db.h"

/*
 * Receipts of launches as hosts showed them, and what the verdict afterwards made of each. They are kept as
 * files (avow.receipt/1); who calls has judged them. What a verdict means for those that wait is written in
 * its own transaction (struct evidence_record), so no crash comes between the two. Spec: SR-24.
 */
#define RECEIPTS_OF_HOST_MAX 10000 /* older ones that were decided go */

struct stored_receipt {
        char *digest; /* hex */
        struct buf file;
        char *chain; /* hex */
        int64_t sequence;
        char *previous;          /* hex; NULL: the first of its chain */
        uint32_t reset, restart; /* of the boot that the module ran in */
        int64_t started_at_ms;   /* by our clock, as far as can be told */
        int64_t received_at_ms;
        /* What was found: ignored when it is added. */
        int64_t n;    /* counts the host's, from 1 */
        int link;     /* enum receipt_link */
        int status;   /* enum receipt_status */
        bool decided; /* or it waits for a verdict */
        char *reason, *verdict;
        int64_t evidence, challenge_at_ms, evidence_at_ms;
        bool enforced;
        char *policy, *policy_sha256;
        int64_t policy_version;
};
void stored_receipt_done(struct stored_receipt *r);

/* RECEIPTS is the callee's to take things out of. */
typedef void (*verifier_receipts_fn)(void *ctx, enum store_outcome outcome, struct stored_receipt *receipts,
                                     size_t n_receipts, const struct err *err);

/*
 * Adds those that are new, in their order, and gives all N as they are now, on the disk. A receipt that comes
 * after the host had failed, and whose module was started before that, is tainted at once. N is at most 64.
 * Each function returns 0 if DONE will be called, else -ERR_NOMEM.
 */
int verifier_db_receipts_add(struct verifier_db *db, const char *tenant, const char *host,
                             const struct stored_receipt *receipts, size_t n, verifier_receipts_fn done,
                             void *ctx, struct err *err) MUST_USE;
/* Newest first, those before BEFORE_N (0: from the newest), at most LIMIT. */
int verifier_db_receipts(struct verifier_db *db, const char *tenant, const char *host, int64_t before_n,
                         size_t limit, verifier_receipts_fn done, void *ctx, struct err *err) MUST_USE;
/* One. STORE_NOT_FOUND. */
int verifier_db_receipt(struct verifier_db *db, const char *tenant, const char *host, const char *digest,
                        verifier_receipts_fn done, void *ctx, struct err *err) MUST_USE;

#endif
