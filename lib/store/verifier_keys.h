/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_STORE_VERIFIER_KEYS_H
#define AVOW_STORE_VERIFIER_KEYS_H

#include "store/verifier_db.h"

/* The keys that results were ever signed with: those that were replaced stay, with their dates (SR-20). */
struct result_key {
        char *kid;
        char *jwk;                  /* JSON text: the public half */
        int64_t since_ms, until_ms; /* until 0: it signs still */
};
typedef void (*verifier_result_keys_fn)(void *ctx, enum store_outcome outcome, const struct result_key *keys,
                                        size_t n, const struct err *err);

/*
 * From AT_MS on, results are signed with this key alone (KID NULL: with none); what signed before is retired,
 * and one that comes back is in use again. Return: 0 if DONE (which may be NULL) will be called; -ERR_NOMEM.
 */
int verifier_db_use_result_key(struct verifier_db *db, const char *kid, const char *jwk, int64_t at_ms,
                               verifier_done_fn done, void *ctx, struct err *err) MUST_USE;
/* The newest LIMIT, the one in use first. */
int verifier_db_result_keys(struct verifier_db *db, size_t limit, verifier_result_keys_fn done, void *ctx,
                            struct err *err) MUST_USE;

#endif
