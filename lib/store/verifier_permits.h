/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_STORE_VERIFIER_PERMITS_H
#define AVOW_STORE_VERIFIER_PERMITS_H

#include "policy/ledger.h"
#include "store/verifier_db.h"

/* The permits that were given, in the verifier's database: what a host's launch log is compared with. */
struct stored_permit {
        char *host;
        struct ledger_permit permit;
};
/* Everything is borrowed until the call returns. */
typedef void (*verifier_permits_fn)(void *ctx, enum store_outcome outcome,
                                    const struct stored_permit *permits, size_t n, const struct err *err);

/*
 * Writes a permit down before it is given out: on the disk when DONE is called. POLICY and VERSION are what
 * allowed it. Those of the host that were closed before FORGET_MS are forgotten. STORE_NOT_FOUND: no such
 * host. Return: 0 if DONE will be called; -ERR_NOMEM.
 */
int verifier_db_permit_add(struct verifier_db *db, const char *tenant, const char *host,
                           const struct ledger_permit *permit, const char *policy, int64_t version,
                           int64_t forget_ms, const struct audit_entry *audit, verifier_done_fn done,
                           void *ctx, struct err *err) MUST_USE;
/* All that are open, of all hosts, oldest first. Return: as above. */
int verifier_db_permits_open(struct verifier_db *db, verifier_permits_fn done, void *ctx,
                             struct err *err) MUST_USE;

#endif
