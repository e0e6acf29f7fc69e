/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_STORE_VERIFIER_WORKLOADS_H
#define AVOW_STORE_VERIFIER_WORKLOADS_H

#include "store/verifier_db.h"

/*
 * What the workload service keeps: records (allow-lists, entities, attestation technologies), and which
 * signatures were used. Who calls has read and checked the records; here they are bytes.
 */
struct workload_record {
        char *kind, *id;
        struct buf bytes;
        int64_t updated_at_ms;
};

/* Everything is the callee's to take things out of. */
typedef void (*verifier_workloads_fn)(void *ctx, enum store_outcome outcome, struct workload_record *records,
                                      size_t n, const struct err *err);
/* All of a tenant. Each function here returns 0 if DONE will be called, else -ERR_NOMEM. */
int verifier_db_workloads(struct verifier_db *db, const char *tenant, verifier_workloads_fn done, void *ctx,
                          struct err *err) MUST_USE;
/* Adds or replaces; with NEW it adds alone: STORE_CONFLICT if it is there. */
int verifier_db_workload_put(struct verifier_db *db, const char *tenant, const struct workload_record *record,
                             bool new, const struct audit_entry *audit, verifier_done_fn done, void *ctx,
                             struct err *err) MUST_USE;
/* STORE_NOT_FOUND. */
int verifier_db_workload_remove(struct verifier_db *db, const char *tenant, const char *kind, const char *id,
                                const struct audit_entry *audit, verifier_done_fn done, void *ctx,
                                struct err *err) MUST_USE;

/*
 * Remembers until UNTIL_MS that USE was made, durably: STORE_CONFLICT if it is remembered. What ended before
 * NOW_MS is forgotten.
 */
int verifier_db_workload_use(struct verifier_db *db, struct view use, int64_t until_ms, int64_t now_ms,
                             verifier_done_fn done, void *ctx, struct err *err) MUST_USE;

#endif
