/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_REGISTRAR_DELIVERY_IMPL_H
#define AVOW_REGISTRAR_DELIVERY_IMPL_H

#include "base/map.h"
#include "delivery.h"
#include "exec_hook.h"
#include "http/client.h"
#include "networks.h"
#include "wire/event.h"

/* The inside of delivery.c and its parts: delivery_agent.c, delivery_kinds.c, delivery_setup.c,
 * delivery_targets.c. */
#define DELIVERY_TROUBLE_MS 5000 /* after a failure of the database */

enum delivery_outcome { OUT_DELIVERED, OUT_FAILED, OUT_PARKED, OUT_SKIPPED, OUT_N };

struct delivery {
        struct loop *loop;
        struct hooks_db *db;
        struct registrar_db *hosts;
        struct hook_settings s; /* numbers only */
        char *ca, *programs;
        struct network *networks;
        size_t n_networks;
        struct hook *configured;
        size_t n_configured;
        struct map targets; /* by name */
        struct map busy;    /* "TARGET\nHOST": a hook and its successor of one name are two */
        struct target *all; /* retired ones too */
        struct attempt *attempts;
        struct loop_timer *retry_reload;
        bool reloading, reload_again, stopped;
        struct metric_series *outcomes[OUT_N];
        struct metric_histogram *seconds;
        struct metric_series *n_pending, *n_parked, *n_revocations;
};

struct target {
        struct delivery *d;
        struct target *prev, *next;
        struct hook hook;
        struct http_client *client;
        struct loop_timer *timer;
        bool asking, ask_again, retired;
        size_t under_way;
};

/* One row, or one test, on its way. */
struct attempt {
        struct attempt *prev, *next;
        struct target *t;
        char *key; /* in busy; NULL: a test */
        char *id, *body;
        char *host, *listener;      /* hooks of kind agent: whose it is, and where that is; may be NULL */
        struct http_client *client; /* the same: it trusts this host's key alone */
        int64_t n, attempts, received_at_ms, started_ms;
        struct exec_run *run;
        bool recorded; /* its outcome is written; kept until the answer that is on its way came: see on_due()
                        */
        delivery_test_fn test_done;
        void *test_ctx;
};

/* ---- delivery.c ---- */

/* Asks the outbox for what is due to the hook, unless it is being asked. */
void delivery_ask(struct target *t);
/* An attempt is over. ERR NULL: the hook took it. GONE: it wants nothing any more. RETRY_AFTER_MS -1: it did
 * not say. What would be parked is skipped for a hook of kind agent. */
void delivery_finish(struct attempt *a, const struct err *err, bool gone, int64_t retry_after_ms);

/* ---- delivery_agent.c ---- */

/* Where the host of REV listens, for a hook of kind agent. */
int delivery_find_listener(struct attempt *a, const struct revocation *rev, struct err *err) MUST_USE;
int delivery_send_agent(struct attempt *a, struct err *err) MUST_USE;

/* ---- delivery_kinds.c ---- */

/* Sends it, as the hook's kind does. Return: 0, and delivery_finish() comes, for the journal from the caller;
 * -kind. */
int delivery_dispatch(struct attempt *a, struct err *err) MUST_USE;
/* Where webhooks may lead; CTX is the struct delivery. */
bool delivery_may_connect(void *ctx, const struct sockaddr *address);

/* ---- delivery_setup.c ---- */

int delivery_read_settings(struct delivery *d, const struct settings *s, struct err *err) MUST_USE;
int delivery_add_metrics(struct delivery *d, struct metrics *m, struct err *err) MUST_USE;

/* ---- delivery_targets.c ---- */

void target_free(struct target *t);
/* Frees a retired one as soon as nothing of it is under way: calls in flight and questions to the store come
 * back to it. */
void target_settle(struct target *t);
/* Takes over the hooks as the database has them. */
void delivery_on_hooks(void *ctx, const struct hooks_result *result);

#endif
