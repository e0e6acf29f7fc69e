/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_STORE_VERIFIER_SECRETS_H
#define AVOW_STORE_VERIFIER_SECRETS_H

#include "store/verifier_db.h"

/*
 * Secrets and approvals as the verifier keeps them: the owners' documents byte for byte (avow.secret/1,
 * avow.approval/1: wire/secret_file.h, wire/approval.h), which give nothing away, and for each host the value
 * that its floor counter is to be raised to. Who calls has read and checked the documents; here they are
 * text.
 */
struct verifier_secret {
        char *name;
        int64_t version;
        char *text;
};

struct verifier_approval {
        char *id;
        char *host;
        int64_t version; /* lives while the host's floor ≤ version */
        char *text;
        int64_t created_at_ms;
        int64_t withdrawn_at_ms; /* 0: it stands */
};

/* Everything is borrowed until the call returns. FLOOR is the floor's target: 0 if nothing was withdrawn. */
struct verifier_set {
        const struct verifier_secret *secrets;
        size_t n_secrets;
        const struct verifier_approval *approvals;
        size_t n_approvals;
        int64_t floor;
};
typedef void (*verifier_set_fn)(void *ctx, enum store_outcome outcome, const struct verifier_set *set,
                                const struct err *err);

/* One host's whole set, secrets by name and approvals by id, also those that were withdrawn. Each function
 * here returns 0 if DONE will be called, else -ERR_NOMEM. */
int verifier_db_secrets_of(struct verifier_db *db, const char *tenant, const char *host, verifier_set_fn done,
                           void *ctx, struct err *err) MUST_USE;

/* Adds or replaces. STORE_NOT_FOUND: no such host; STORE_CONFLICT: VERSION is not above what is there. */
int verifier_db_secret_put(struct verifier_db *db, const char *tenant, const char *host, const char *name,
                           int64_t version, const char *text, const struct audit_entry *audit,
                           verifier_done_fn done, void *ctx, struct err *err) MUST_USE;
int verifier_db_secret_remove(struct verifier_db *db, const char *tenant, const char *host, const char *name,
                              const struct audit_entry *audit, verifier_done_fn done, void *ctx,
                              struct err *err) MUST_USE;

/*
 * Adds APPROVAL (its times are set here to AT_MS). One that stands already is fine. STORE_NOT_FOUND: no such
 * host; STORE_CONFLICT: it was withdrawn, or the host's floor is to be above its version: it could open
 * nothing.
 */
int verifier_db_approve(struct verifier_db *db, const char *tenant, const struct verifier_approval *approval,
                        int64_t at_ms, const struct audit_entry *audit, verifier_done_fn done, void *ctx,
                        struct err *err) MUST_USE;
/*
 * Withdraws it, and with it every approval of that host up to its version: the floor's target becomes
 * VERSION + 1. The set that DONE gets has as its one approval what was withdrawn, and the target. Once more
 * is fine. STORE_NOT_FOUND.
 */
int verifier_db_withdraw(struct verifier_db *db, const char *tenant, const char *id, int64_t at_ms,
                         const struct audit_entry *audit, verifier_set_fn done, void *ctx,
                         struct err *err) MUST_USE;
/* Approvals of HOST (NULL: of all), by id, after AFTER (NULL: from the first), at most LIMIT; ID (or NULL):
 * that one alone, else STORE_NOT_FOUND. The set has no secrets and no floor. */
int verifier_db_approvals(struct verifier_db *db, const char *tenant, const char *host, const char *id,
                          const char *after, size_t limit, verifier_set_fn done, void *ctx,
                          struct err *err) MUST_USE;

#endif
