/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hooks as the delivery engine knows them: one target each, made, changed and retired as the database
 * says.
 */
#include "delivery_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

void target_free(struct target *t)
{
        if (!t)
                return;
        if (t->prev)
                t->prev->next = t->next;
        else if (t->d->all == t)
                t->d->all = t->next;
        if (t->next)
                t->next->prev = t->prev;
        http_client_free(t->client);
        loop_timer_free(t->timer);
        hook_done(&t->hook);
        free(t);
}
DEFINE_AUTO(struct target, target_free)

void target_settle(struct target *t)
{
        if (t->retired && t->under_way == 0 && !t->asking)
                target_free(t);
}

static void on_timer(void *ctx)
{
        delivery_ask(ctx);
}

static int target_new(struct delivery *d, const struct hook *hook, struct target **ret, struct err *err)
{
        AUTO(target_free_p) struct target *t = mem_zalloc(1, sizeof(*t));
        const struct http_client_options opts = {.ca_file = hook->ca_pem ? NULL : d->ca,
                                                 .ca_pem = hook->ca_pem,
                                                 .cert_pem = hook->cert_pem,
                                                 .key_pem = hook->key_pem,
                                                 .connections_per_host = (uint32_t)d->s.concurrency,
                                                 .connect_timeout_ms = d->s.timeout_ms,
                                                 .may_connect = delivery_may_connect,
                                                 .may_connect_ctx = d};
        int r;

        if (!t)
                return err_nomem(err);
        t->d = d;
        t->next = d->all;
        if (t->next)
                t->next->prev = t;
        d->all = t;
        r = hook_dup(hook, &t->hook, err);
        if (r >= 0)
                r = loop_timer_new(d->loop, on_timer, t, &t->timer, err);
        if (r >= 0 && hook->kind == HOOK_WEBHOOK)
                r = http_client_new(d->loop, &opts, &t->client, err);
        if (r >= 0 && map_put(&d->targets, hook->name, t) < 0)
                r = err_nomem(err);
        if (r >= 0)
                *ret = TAKE(t);
        return r;
}

static void retire(struct target *t)
{
        (void)map_take(&t->d->targets, t->hook.name); /* not ours to free yet */
        t->retired = true;
        loop_timer_stop(t->timer);
        target_settle(t);
}

/* A hook as the database has it now. What makes its client what it is never changes under one name and time
 * of making. */
static int update(struct delivery *d, const struct hook *hook, struct err *err)
{
        struct target *t = map_get(&d->targets, hook->name);
        struct hook copy;
        int r = 0;

        if (t && t->hook.created_at_ms != hook->created_at_ms) {
                retire(t);
                t = NULL;
        }
        if (!t)
                r = target_new(d, hook, &t, err);
        else if ((r = hook_dup(hook, &copy, err)) >= 0) {
                hook_done(&t->hook);
                t->hook = copy;
        }
        if (r >= 0)
                delivery_ask(t);
        return r < 0 ? err_wrap(err, "hook %s", hook->name) : 0;
}

static bool listed(const struct hooks_result *result, const char *name)
{
        for (size_t i = 0; i < result->n; i++)
                if (strcmp(result->hooks[i].name, name) == 0)
                        return true;
        return false;
}

void delivery_on_hooks(void *ctx, const struct hooks_result *result)
{
        struct delivery *d = ctx;
        struct err err = ERR_INIT;
        bool trouble = result->outcome != STORE_OK;

        d->reloading = false;
        if (d->stopped)
                return;
        if (trouble)
                log_err(result->err, "reading the hooks");
        for (struct target *t = d->all, *next; t && !trouble; t = next) {
                next = t->next;
                if (!t->retired && !listed(result, t->hook.name))
                        retire(t);
        }
        for (size_t i = 0; i < result->n; i++)
                if (update(d, &result->hooks[i], &err) < 0) {
                        log_err(&err, "starting deliveries");
                        trouble = true;
                }
        if (trouble)
                loop_timer_start(d->retry_reload, DELIVERY_TROUBLE_MS);
        if (d->reload_again)
                delivery_reload(d);
}

void delivery_reload(struct delivery *d)
{
        struct err err = ERR_INIT;

        d->reload_again = d->reloading;
        if (d->reloading)
                return;
        d->reloading = true;
        if (hooks_db_list(d->db, NULL, delivery_on_hooks, d, &err) == 0)
                return;
        d->reloading = false;
        log_err(&err, "reading the hooks");
        loop_timer_start(d->retry_reload, DELIVERY_TROUBLE_MS);
}
