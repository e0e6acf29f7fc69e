/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The delivery engine. Each hook is a target with a client of its own (its CA, its certificate, its pool of
 * connections), asked for in turns: "what of yours is due?", as many as it may have under way. A row is under
 * way once per hook and host, from its start until its outcome is on the disk, so that nothing is sent twice
 * by the same process and nothing overtakes.
 *
 * A consumer that stalls, closes or answers 500 costs its own slots and nobody else's: every attempt has a
 * deadline, waits double with each failure up to a bound, half of each wait is chance, and after so many
 * attempts the row is parked, where it is seen and can be replayed (SR-8). Kill -9 loses at most the
 * knowledge that something was delivered; then it is delivered again, under the same webhook-id.
 */
#include "delivery_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "crypto/random.h"
#include "wire/event.h"

static void attempt_free(struct attempt *a)
{
        struct delivery *d = a->t->d;

        if (a->prev)
                a->prev->next = a->next;
        else if (d->attempts == a)
                d->attempts = a->next;
        if (a->next)
                a->next->prev = a->prev;
        if (a->key)
                (void)map_remove(&d->busy, a->key);
        exec_cancel(a->run);
        http_client_free(a->client);
        free(a->host);
        free(a->listener);
        free(a->key);
        free(a->id);
        free(a->body);
        free(a);
}

/* ---- the end of an attempt ---- */

static int64_t backoff_ms(const struct delivery *d, int64_t attempts)
{
        int64_t wait = d->s.backoff_first_ms;
        struct err err = ERR_INIT;
        uint32_t chance = 0;

        for (int64_t i = 1; i < attempts && wait < d->s.backoff_max_ms; i++)
                wait *= 2;
        if (wait > d->s.backoff_max_ms)
                wait = d->s.backoff_max_ms;
        if (random_below((uint32_t)(wait / 2) + 1, &chance, &err) < 0)
                chance = 0; /* only the jitter is lost */
        return wait - chance;
}

static void on_recorded(void *ctx, const struct outbox_result *result)
{
        struct attempt *a = ctx;
        struct target *t = a->t;

        if (t->asking)
                a->recorded = true;
        else
                attempt_free(a);
        t->under_way--;
        if (result->outcome == STORE_FAILED) {
                log_err(result->err, "recording a delivery to hook %s", t->hook.name);
                loop_timer_start(t->timer, DELIVERY_TROUBLE_MS);
        } else {
                delivery_ask(t);
        }
        target_settle(t);
}

static void record(struct attempt *a, enum outbox_state state, int64_t wait_ms, const char *why)
{
        struct target *t = a->t;
        struct err err = ERR_INIT;
        int64_t now = clock_now_ms();

        if (hooks_db_attempted(t->d->db, t->hook.name, a->n, state, now, now + wait_ms, why, on_recorded, a,
                               &err) == 0)
                return;
        log_err(&err, "recording a delivery to hook %s", t->hook.name);
        attempt_free(a);
        t->under_way--;
        loop_timer_start(t->timer, DELIVERY_TROUBLE_MS);
        target_settle(t);
}

/*
 * A host hears by other ways too, and its newest order is the one that counts: nothing has to wait behind one
 * that did not come by this one.
 */
static void give_up(struct attempt *a, const struct err *err)
{
        struct target *t = a->t;
        bool skip = t->hook.kind == HOOK_AGENT;

        metric_inc(t->d->outcomes[skip ? OUT_SKIPPED : OUT_PARKED]);
        log_with(skip ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, LOG_FIELDS({"AVOW_EVENT_ID", a->id}),
                 "hook %s: %s is %s after %lld attempts: %s", t->hook.name, a->id,
                 skip ? "skipped" : "parked", (long long)a->attempts + 1, err->text);
        record(a, skip ? OUTBOX_SKIPPED : OUTBOX_PARKED, 0, err->text);
}

void delivery_finish(struct attempt *a, const struct err *err, bool gone, int64_t retry_after_ms)
{
        struct target *t = a->t;
        struct delivery *d = t->d;
        int64_t wait;

        if (!a->key) {
                a->test_done(a->test_ctx, loop_now_ms() - a->started_ms, err);
                attempt_free(a);
                t->under_way--;
                target_settle(t);
                return;
        }
        if (t->retired) { /* its row went with it; one of that name may be another hook's by now */
                attempt_free(a);
                t->under_way--;
                target_settle(t);
                return;
        }
        if (!err) {
                metric_inc(d->outcomes[OUT_DELIVERED]);
                metric_observe(d->seconds, (double)(clock_now_ms() - a->received_at_ms) / 1000.0);
                record(a, OUTBOX_DELIVERED, 0, NULL);
                return;
        }
        if (gone || a->attempts + 1 >= (int64_t)d->s.attempts) {
                give_up(a, err);
                return;
        }
        metric_inc(d->outcomes[OUT_FAILED]);
        wait = backoff_ms(d, a->attempts + 1);
        if (retry_after_ms > wait)
                wait = retry_after_ms < d->s.backoff_max_ms ? retry_after_ms : d->s.backoff_max_ms;
        log_debug("hook %s: %s, attempt %lld: %s", t->hook.name, a->id, (long long)a->attempts + 1,
                  err->text);
        record(a, OUTBOX_READY, wait, err->text);
}

/* ---- attempts ---- */

static struct attempt *attempt_new(struct target *t)
{
        struct attempt *a = mem_zalloc(1, sizeof(*a));

        if (!a)
                return NULL;
        a->t = t;
        a->next = t->d->attempts;
        if (a->next)
                a->next->prev = a;
        t->d->attempts = a;
        return a;
}

/* The event of a row. */
static int make_event(struct attempt *a, const struct outbox_row *row, struct err *err)
{
        struct revocation rev;
        int r = revocation_parse(view_str(row->payload), &rev, err);

        if (r < 0)
                return r;
        r = event_make(&rev, row->jws, row->nonce, &a->body, err);
        if (r >= 0 && a->t->hook.kind == HOOK_AGENT)
                r = delivery_find_listener(a, &rev, err);
        revocation_done(&rev);
        a->id = str_dup(row->id);
        a->n = row->n;
        a->attempts = row->attempts;
        a->received_at_ms = row->received_at_ms;
        return r >= 0 && !a->id ? err_nomem(err) : r;
}

/* Return: 0 started, or passed over because something of its host is under way; -kind without a trace. */
static int begin(struct target *t, const struct outbox_row *row, struct err *err)
{
        AUTO(mem_free_p) char *key = str_fmt("%p\n%s", (const void *)t, row->host);
        struct attempt *a;
        int r;

        if (!key)
                return err_nomem(err);
        if (map_get(&t->d->busy, key))
                return 0;
        a = attempt_new(t);
        if (!a)
                return err_nomem(err);
        if (map_put(&t->d->busy, key, a) < 0)
                r = err_nomem(err);
        else {
                a->key = TAKE(key);
                r = make_event(a, row, err);
        }
        if (r < 0) {
                attempt_free(a);
                return r;
        }
        t->under_way++;
        if (delivery_dispatch(a, err) < 0) /* a failed attempt like any other: counted, waited for, parked */
                delivery_finish(a, err, false, -1);
        else if (t->hook.kind == HOOK_JOURNAL)
                delivery_finish(a, NULL, false, -1);
        return 0;
}

/* ---- asking the outbox ---- */

static void free_recorded(struct target *t)
{
        for (struct attempt *a = t->d->attempts, *next; a; a = next) {
                next = a->next;
                if (a->t == t && a->recorded)
                        attempt_free(a);
        }
}

/*
 * What is due, as it was when the question was read. Rows whose outcome was written since may be in it as if
 * nothing had been tried; so attempts that ended meanwhile count as under way until now.
 */
static void on_due(void *ctx, const struct outbox_result *result)
{
        struct target *t = ctx;
        struct err err = ERR_INIT;
        int64_t now = clock_now_ms(), next = result->next_at_ms;
        bool trouble = result->outcome == STORE_FAILED;

        if (trouble)
                log_err(result->err, "reading the outbox of hook %s", t->hook.name);
        for (size_t i = 0; i < result->n && !trouble && !t->retired && !t->hook.paused && !t->d->stopped;
             i++) {
                if (t->under_way >= t->d->s.concurrency)
                        break;
                if (begin(t, &result->rows[i], &err) < 0) {
                        log_err(&err, "delivering %s to hook %s", result->rows[i].id, t->hook.name);
                        trouble = true;
                }
        }
        t->asking = false;
        if (t->d->stopped)
                return;
        free_recorded(t);
        if (trouble)
                loop_timer_start(t->timer, DELIVERY_TROUBLE_MS);
        else if (next)
                loop_timer_start(t->timer, next > now ? next - now : 0);
        if (t->ask_again && !trouble)
                delivery_ask(t);
        target_settle(t);
}

void delivery_ask(struct target *t)
{
        struct err err = ERR_INIT;

        if (t->d->stopped || t->retired || t->hook.paused || t->under_way >= t->d->s.concurrency)
                return; /* asked again when something ends */
        t->ask_again = t->asking;
        if (t->asking)
                return;
        t->asking = true;
        /* Rows under way may be among those that are due: at most as many as are under way. */
        if (hooks_db_due(t->d->db, t->hook.name, clock_now_ms(), t->d->s.concurrency, on_due, t, &err) == 0)
                return;
        t->asking = false;
        log_err(&err, "reading the outbox of hook %s", t->hook.name);
        loop_timer_start(t->timer, DELIVERY_TROUBLE_MS);
}

void delivery_wake(struct delivery *d)
{
        for (struct target *t = d->all; t; t = t->next)
                delivery_ask(t);
}

/* ---- tests ---- */

int delivery_test(struct delivery *d, const char *hook, delivery_test_fn done, void *ctx, struct err *err)
{
        struct target *t = map_get(&d->targets, hook);
        char uuid[UUID_TEXT_BYTES];
        struct attempt *a;
        int r;

        if (!t)
                return err_set(err, ERR_PEER, 0, "hook %s is not loaded", hook);
        r = uuid_random(uuid, err);
        if (r < 0)
                return r;
        a = attempt_new(t);
        if (!a)
                return err_nomem(err);
        a->id = str_fmt("test-%s", uuid);
        a->test_done = done;
        a->test_ctx = ctx;
        r = a->id ? event_make_test(a->id, t->hook.name, t->hook.tenant, clock_now_ms(), &a->body, err)
                  : err_nomem(err);
        if (r >= 0)
                r = delivery_dispatch(a, err);
        if (r < 0) {
                attempt_free(a);
                return r;
        }
        t->under_way++;
        if (t->hook.kind == HOOK_JOURNAL)
                delivery_finish(a, NULL, false, -1);
        return 0;
}

/* ---- the whole ---- */

void delivery_start(struct delivery *d)
{
        struct err err = ERR_INIT;

        d->reloading = true;
        if (hooks_db_configure(d->db, d->configured, d->n_configured, delivery_on_hooks, d, &err) == 0)
                return;
        d->reloading = false;
        log_err(&err, "the configuration's hooks");
}

static void on_retry_reload(void *ctx)
{
        delivery_reload(ctx);
}

int delivery_new(struct loop *loop, struct hooks_db *db, struct registrar_db *hosts,
                 const struct settings *settings, struct metrics *m, struct delivery **ret, struct err *err)
{
        AUTO(delivery_free_p) struct delivery *d = mem_zalloc(1, sizeof(*d));
        int r;

        if (!d)
                return err_nomem(err);
        d->loop = loop;
        d->db = db;
        d->hosts = hosts;
        map_init(&d->targets, NULL);
        map_init(&d->busy, NULL);
        r = delivery_read_settings(d, settings, err);
        if (r >= 0)
                r = loop_timer_new(loop, on_retry_reload, d, &d->retry_reload, err);
        if (r >= 0)
                r = delivery_add_metrics(d, m, err);
        if (r >= 0)
                *ret = TAKE(d);
        return r;
}

void delivery_stop(struct delivery *d)
{
        struct err err = ERR_INIT;

        if (!d)
                return;
        d->stopped = true;
        (void)err_set(&err, ERR_IO, 0, "the registrar stops");
        for (struct attempt *a = d->attempts; a; a = a->next) {
                exec_cancel(TAKE(a->run));
                http_client_free(TAKE(a->client));
                if (!a->key && a->test_done)
                        a->test_done(a->test_ctx, 0, &err);
                a->test_done = NULL;
        }
        for (struct target *t = d->all; t; t = t->next) {
                http_client_free(TAKE(t->client));
                loop_timer_stop(t->timer);
        }
}

void delivery_free(struct delivery *d)
{
        if (!d)
                return;
        while (d->attempts)
                attempt_free(d->attempts);
        while (d->all)
                target_free(d->all);
        map_done(&d->targets);
        map_done(&d->busy);
        for (size_t i = 0; i < d->n_configured; i++)
                hook_done(&d->configured[i]);
        free(d->configured);
        free(d->networks);
        free(d->ca);
        free(d->programs);
        loop_timer_free(d->retry_reload);
        free(d);
}
