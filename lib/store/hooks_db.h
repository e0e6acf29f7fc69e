/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_STORE_HOOKS_DB_H
#define AVOW_STORE_HOOKS_DB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "store/audit.h"
#include "store/store.h"

/*
 * Hooks, the revocations that were received, and the outbox between them: one row for each revocation and
 * each hook that wants it. A revocation and its rows are written in one transaction, before it is answered,
 * so whatever dies later, it is delivered (at least once).
 *
 * Order: of each host and hook only the oldest row that is not delivered is `ready`; later ones wait behind
 * it, also when it is parked. Spec: SR-8.
 *
 * Every call copies what it is given and completes on the loop. Return of each: 0 if DONE will be called,
 * else -ERR_NOMEM.
 */
struct hooks_db;

/* STORE is the registrar's, AUDIT_KEY may be NULL; both outlive it. */
int hooks_db_new(struct store *store, const struct audit_key *audit_key, struct hooks_db **ret,
                 struct err *err) MUST_USE;
void hooks_db_free(struct hooks_db *db);
DEFINE_AUTO(struct hooks_db, hooks_db_free)

enum hook_kind { HOOK_WEBHOOK, HOOK_EXEC, HOOK_JOURNAL, HOOK_AGENT };
/* "webhook", "exec", "journal", "agent". */
const char *hook_kind_name(enum hook_kind kind);

/* What a hook wants; NULL wants all. Lists are JSON text: ["a","b"]; labels {"NAME":"VALUE"}, all must fit.
 */
struct hook_filter {
        char *hosts, *labels, *policies, *severities, *reactions;
};

struct hook {
        char *name, *tenant;
        enum hook_kind kind;
        bool configured; /* by the registrar's file; the API cannot change it */
        bool paused;
        char *url;                         /* webhook */
        char *ca_pem, *cert_pem, *key_pem; /* webhook: whom it trusts, who we are there; may be NULL */
        char *secret, *old_secret;         /* webhook: wire/event.h; the second during a rotation */
        char *program;                     /* exec: path */
        int64_t timeout_ms;                /* 0: the registrar's default */
        struct hook_filter filter;
        char *actor;
        int64_t created_at_ms;
        /* Of the outbox; read only. */
        int64_t n_pending, n_parked, n_delivered, delivered_at_ms, n_skipped;
};
void hook_done(struct hook *h);
/* Return: 0; -ERR_NOMEM, RET empty. */
int hook_dup(const struct hook *from, struct hook *ret, struct err *err) MUST_USE;

struct hooks_result {
        enum store_outcome outcome;
        const struct err *err; /* STORE_FAILED only */
        const struct hook *hooks;
        size_t n;
};
typedef void (*hooks_done_fn)(void *ctx, const struct hooks_result *result);

/* In calls by name TENANT NULL means any. */
int hooks_db_list(struct hooks_db *db, const char *tenant, hooks_done_fn done, void *ctx,
                  struct err *err) MUST_USE;
int hooks_db_get(struct hooks_db *db, const char *tenant, const char *name, hooks_done_fn done, void *ctx,
                 struct err *err) MUST_USE;
/* STORE_CONFLICT if there is one of this name. */
int hooks_db_add(struct hooks_db *db, const struct hook *hook, const struct audit_entry *audit,
                 hooks_done_fn done, void *ctx, struct err *err) MUST_USE;
/* Its outbox goes with it. STORE_CONFLICT for one that the configuration made. */
int hooks_db_remove(struct hooks_db *db, const char *tenant, const char *name,
                    const struct audit_entry *audit, hooks_done_fn done, void *ctx, struct err *err) MUST_USE;
int hooks_db_pause(struct hooks_db *db, const char *tenant, const char *name, bool paused,
                   const struct audit_entry *audit, hooks_done_fn done, void *ctx, struct err *err) MUST_USE;
/* Makes SECRET the first and keeps the present one as the second; SECRET NULL forgets the second. Webhooks
 * have one: STORE_CONFLICT for others. */
int hooks_db_rotate(struct hooks_db *db, const char *tenant, const char *name, const char *secret,
                    const struct audit_entry *audit, hooks_done_fn done, void *ctx, struct err *err) MUST_USE;
/* The hooks of the configuration become these; others that it had made go, with their outbox. */
int hooks_db_configure(struct hooks_db *db, const struct hook *hooks, size_t n, hooks_done_fn done, void *ctx,
                       struct err *err) MUST_USE;

/* ---- revocations ---- */

struct received {
        char *id, *tenant, *host;
        int64_t n;   /* order of arrival, from 1 */
        int64_t seq; /* of the id */
        char *reaction, *severity, *policy;
        char *payload, *jws, *nonce; /* nonce: 32 hex digits */
        char *labels;                /* JSON text, or NULL */
        int64_t issued_at_ms, received_at_ms;
        int64_t n_hooks, n_delivered, n_parked; /* read only */
        int64_t proof_at_ms;                    /* 0: no proof has come; read only */
        char *proof;                            /* hooks_db_proof() only */
};
void received_done(struct received *r);

struct received_result {
        enum store_outcome outcome;
        const struct err *err;
        const struct received *list;
        size_t n;
};
typedef void (*received_done_fn)(void *ctx, const struct received_result *result);

/*
 * Writes a revocation and its outbox rows. STORE_OK with the row as written; the same again (id and payload)
 * is STORE_NOT_FOUND with the row as it was, nonce and all; the id with another payload STORE_CONFLICT.
 */
int hooks_db_receive(struct hooks_db *db, const struct received *r, const struct audit_entry *audit,
                     received_done_fn done, void *ctx, struct err *err) MUST_USE;
/* The newest first, at most LIMIT, of n below BEFORE (0: all). HOST NULL: any. Without payload and jws. */
int hooks_db_revocations(struct hooks_db *db, const char *tenant, const char *host, int64_t before,
                         size_t limit, received_done_fn done, void *ctx, struct err *err) MUST_USE;
int hooks_db_revocation(struct hooks_db *db, const char *tenant, const char *id, received_done_fn done,
                        void *ctx, struct err *err) MUST_USE;

/* Keeps the proof of revocation ID; the first one stays. STORE_OK; STORE_NOT_FOUND: no such revocation;
 * STORE_CONFLICT: it has one already. */
int hooks_db_prove(struct hooks_db *db, const char *tenant, const char *id, const char *proof, int64_t at_ms,
                   const struct audit_entry *audit, received_done_fn done, void *ctx,
                   struct err *err) MUST_USE;
/* The revocation with its proof (NULL if it has none yet), or STORE_NOT_FOUND. */
int hooks_db_proof(struct hooks_db *db, const char *tenant, const char *id, received_done_fn done, void *ctx,
                   struct err *err) MUST_USE;

/* ---- the outbox ---- */

enum outbox_state { OUTBOX_WAITING, OUTBOX_READY, OUTBOX_DELIVERED, OUTBOX_PARKED, OUTBOX_SKIPPED };
/* "pending" (the first two), "delivered", "parked", "skipped". */
const char *outbox_state_name(enum outbox_state state);

struct outbox_row {
        char *hook, *id, *host;
        int64_t n, seq;
        enum outbox_state state;
        int64_t attempts, next_at_ms, delivered_at_ms;
        char *error;                 /* of the last attempt, or NULL */
        char *payload, *jws, *nonce; /* hooks_db_due() only */
        int64_t received_at_ms;
};

struct outbox_result {
        enum store_outcome outcome;
        const struct err *err;
        const struct outbox_row *rows;
        size_t n;
        int64_t next_at_ms; /* hooks_db_due(): when the next row that is not due yet will be; 0: none */
};
typedef void (*outbox_done_fn)(void *ctx, const struct outbox_result *result);

/* Rows of HOOK that are ready and due at NOW_MS, at most LIMIT. */
int hooks_db_due(struct hooks_db *db, const char *hook, int64_t now_ms, size_t limit, outbox_done_fn done,
                 void *ctx, struct err *err) MUST_USE;
/*
 * How an attempt ended: STATE is OUTBOX_DELIVERED, or OUTBOX_READY to be tried again at NEXT_AT_MS, or
 * OUTBOX_PARKED, or OUTBOX_SKIPPED: given up without holding anything up. Delivered or skipped, the host's
 * next row becomes ready, in the same transaction.
 */
int hooks_db_attempted(struct hooks_db *db, const char *hook, int64_t n, enum outbox_state state,
                       int64_t at_ms, int64_t next_at_ms, const char *error, outbox_done_fn done, void *ctx,
                       struct err *err) MUST_USE;
/* Rows of HOOK in order of arrival, after AFTER; PARKED_ONLY or all. */
int hooks_db_deliveries(struct hooks_db *db, const char *tenant, const char *hook, bool parked_only,
                        int64_t after, size_t limit, outbox_done_fn done, void *ctx,
                        struct err *err) MUST_USE;

/* Which revocations a hook gets again: one by ID, or all that came since SINCE_MS, or (neither) the parked.
 */
struct replay {
        const char *id;
        int64_t since_ms; /* 0: not asked for */
};
/* Ones that the hook never had are added if its filter wants them. RET of DONE: n is how many. */
int hooks_db_replay(struct hooks_db *db, const char *tenant, const char *hook, const struct replay *what,
                    const struct audit_entry *audit, outbox_done_fn done, void *ctx,
                    struct err *err) MUST_USE;

/* Numbers for metrics. */
struct hooks_counts {
        int64_t revocations, pending, parked;
};
typedef void (*hooks_counts_fn)(void *ctx, const struct hooks_counts *counts, const struct err *err);
int hooks_db_counts(struct hooks_db *db, hooks_counts_fn done, void *ctx, struct err *err) MUST_USE;

/* ---- forgetting ---- */

/* What stays: all since SINCE_MS that are among the last N. */
struct hooks_keep {
        int64_t since_ms, n;
};
/*
 * Forgets revocations, and their rows, that every hook has got and that KEEP does not name; the newest of a
 * host stays. Looks at no more than LIMIT of them, those after number AFTER. RET of DONE: how many went, and
 * the number to go on from, 0 at the end.
 */
typedef void (*hooks_pruned_fn)(void *ctx, size_t n, int64_t next, const struct err *err);
int hooks_db_prune(struct hooks_db *db, const struct hooks_keep *keep, int64_t after, size_t limit,
                   hooks_pruned_fn done, void *ctx, struct err *err) MUST_USE;

#endif
