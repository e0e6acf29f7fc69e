/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_STORE_HOOKS_REQUEST_H
#define AVOW_STORE_HOOKS_REQUEST_H

#include "store/copy.h"
#include "store/hooks_db.h"

/* A request about hooks as a job: what hooks_db.c and hooks_outbox.c share. */
struct hooks_db {
        struct store *store;
        const struct audit_key *audit_key;
};

struct hooks_request {
        struct store_job job;
        struct hooks_db *db;
        int (*body)(struct hooks_request *q, struct store_conn *c, struct err *err);
        hooks_done_fn hooks_done;
        received_done_fn received_done;
        outbox_done_fn outbox_done;
        hooks_counts_fn counts_done;
        hooks_pruned_fn pruned_done;
        void *ctx;
        /* asked */
        char *tenant, *name, *text;
        bool flag;
        int64_t n, at_ms, next_ms, n_keep;
        enum outbox_state state;
        size_t limit;
        struct hook *in;
        size_t n_in;
        struct received rec;
        bool audited;
        struct audit_entry audit;
        /* found */
        enum store_outcome outcome;
        struct hook *hooks;
        struct received *list;
        struct outbox_row *rows;
        size_t n_hooks, n_list, n_rows;
        int64_t due_ms, n_changed;
        struct hooks_counts counts;
};

typedef int (*hooks_body)(struct hooks_request *q, struct store_conn *c, struct err *err);

void hooks_request_free(struct hooks_request *q);
DEFINE_AUTO(struct hooks_request, hooks_request_free)
/* AUDIT may be NULL. */
int hooks_request_new(struct hooks_db *db, enum store_class class, hooks_body body, const char *tenant,
                      const char *name, const struct audit_entry *audit, struct hooks_request **ret,
                      struct err *err) MUST_USE;
/* Gives the request to the store. Return: 0. */
int hooks_request_submit(struct hooks_request **q, void *ctx);
/* Forgets what was found. */
void hooks_request_clear(struct hooks_request *q);
int hooks_request_audit(struct hooks_request *q, struct store_conn *c, struct err *err) MUST_USE;

/* Reads the hooks of the request's tenant (NULL: all), of its name (NULL: all) into it. Return: their number;
 * -kind. */
int hooks_load(struct hooks_request *q, struct store_conn *c, struct err *err) MUST_USE;
/* Does a hook's filter let the revocation through? Return: 1 or 0; -kind. */
int hook_wants(const struct hook *h, const struct received *r, struct err *err) MUST_USE;

#endif
