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
#include "delivery.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "crypto/random.h"
#include "exec_hook.h"
#include "http/client.h"
#include "networks.h"
#include "wire/event.h"

#define TROUBLE_MS     5000 /* after a failure of the database */
#define RESPONSE_BYTES (1024u * 1024)
#define STATUS_GONE    410
#define JOURNAL        "journal"

enum { OUT_DELIVERED, OUT_FAILED, OUT_PARKED, OUT_N };

struct delivery {
        struct loop *loop;
        struct hooks_db *db;
        struct hook_settings s; /* numbers only */
        char *ca, *programs;
        struct network *networks;
        size_t n_networks;
        struct hook *configured;
        size_t n_configured;
        struct map targets; /* by name */
        struct map busy;    /* "HOOK\nHOST" */
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
        int64_t n, attempts, received_at_ms, started_ms;
        struct exec_run *run;
        delivery_test_fn test_done;
        void *test_ctx;
};

static void ask(struct target *t);

/* ---- memory ---- */

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
        free(a->key);
        free(a->id);
        free(a->body);
        free(a);
}

static void target_free(struct target *t)
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

/* Freed as soon as nothing of it is under way: calls in flight and questions to the store come back to it. */
static void target_settle(struct target *t)
{
        if (t->retired && t->under_way == 0 && !t->asking)
                target_free(t);
}

/* ---- where webhooks may lead ---- */

static bool may_connect(void *ctx, const struct sockaddr *address)
{
        const struct delivery *d = ctx;

        if (d->s.private_addresses || !address_is_private(address))
                return true;
        for (size_t i = 0; i < d->n_networks; i++)
                if (network_holds(&d->networks[i], address))
                        return true;
        return false;
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

        attempt_free(a);
        t->under_way--;
        if (result->outcome == STORE_FAILED) {
                log_err(result->err, "recording a delivery to hook %s", t->hook.name);
                loop_timer_start(t->timer, TROUBLE_MS);
        } else {
                ask(t);
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
        loop_timer_start(t->timer, TROUBLE_MS);
        target_settle(t);
}

/* ERR NULL: the hook took it. RETRY_AFTER_MS -1: it did not say. */
static void finish(struct attempt *a, const struct err *err, bool gone, int64_t retry_after_ms)
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
        if (!err) {
                metric_inc(d->outcomes[OUT_DELIVERED]);
                metric_observe(d->seconds, (double)(clock_now_ms() - a->received_at_ms) / 1000.0);
                record(a, OUTBOX_DELIVERED, 0, NULL);
                return;
        }
        if (gone || a->attempts + 1 >= (int64_t)d->s.attempts) {
                metric_inc(d->outcomes[OUT_PARKED]);
                log_warning("hook %s: %s is parked after %lld attempts: %s", t->hook.name, a->id,
                            (long long)a->attempts + 1, err->text);
                record(a, OUTBOX_PARKED, 0, err->text);
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

/* ---- webhooks ---- */

static void on_answer(void *ctx, const struct http_response *res, const struct err *err)
{
        struct attempt *a = ctx;
        struct err why = ERR_INIT;

        if (!res) {
                finish(a, err, false, -1);
                return;
        }
        if (res->status >= 200 && res->status < 300) {
                finish(a, NULL, false, -1);
                return;
        }
        (void)err_set(&why, ERR_PEER, res->status, "the consumer answered %d%s", res->status,
                      res->status >= 300 && res->status < 400 ? " (redirects are not followed)" : "");
        finish(a, &why, res->status == STATUS_GONE, res->retry_after_ms);
}

static int send_webhook(struct attempt *a, struct err *err)
{
        const struct target *t = a->t;
        const char *const secrets[] = {t->hook.secret, t->hook.old_secret};
        AUTO(mem_free_p) char *signature = NULL;
        int64_t now_s = clock_now_ms() / 1000;
        char timestamp[24];
        int r = webhook_sign(secrets, t->hook.old_secret ? 2 : 1, a->id, now_s, view_str(a->body), &signature,
                             err);

        if (r < 0)
                return r;
        (void)snprintf(timestamp, sizeof(timestamp), "%lld", (long long)now_s);
        return http_client_send(
                t->client,
                &(struct http_call){.method = "POST",
                                    .url = t->hook.url,
                                    .headers = (const struct http_header[]){{"webhook-id", a->id},
                                                                            {"webhook-timestamp", timestamp},
                                                                            {"webhook-signature", signature}},
                                    .n_headers = 3,
                                    .content_type = EVENT_TYPE_JSON,
                                    .body = view_str(a->body),
                                    .timeout_ms =
                                            t->hook.timeout_ms ? t->hook.timeout_ms : t->d->s.timeout_ms,
                                    .max_response_bytes = RESPONSE_BYTES},
                on_answer, a, NULL, err);
}

/* ---- programs and the journal ---- */

static void on_exit_of(void *ctx, const struct err *err)
{
        struct attempt *a = ctx;

        a->run = NULL;
        finish(a, err, false, -1);
}

static int start_program(struct attempt *a, struct err *err)
{
        const struct target *t = a->t;
        const struct delivery *d = t->d;

        return exec_start(d->loop, d->programs, t->hook.program, view_str(a->body),
                          t->hook.timeout_ms ? t->hook.timeout_ms : d->s.timeout_ms, on_exit_of, a, &a->run,
                          err);
}

static int write_journal(struct attempt *a, struct err *err)
{
        (void)err;
        log_with(LOG_LEVEL_WARNING, LOG_FIELDS({"AVOW_EVENT_ID", a->id}, {"AVOW_EVENT", a->body}), "event %s",
                 a->id);
        return 0;
}

/* ---- attempts ---- */

static int dispatch(struct attempt *a, struct err *err)
{
        static int (*const kinds[])(struct attempt *, struct err *) = {
                [HOOK_WEBHOOK] = send_webhook, [HOOK_EXEC] = start_program, [HOOK_JOURNAL] = write_journal};
        struct target *t = a->t;

        a->started_ms = loop_now_ms();
        return kinds[t->hook.kind](a, err);
}

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
        AUTO(mem_free_p) char *key = str_fmt("%s\n%s", t->hook.name, row->host);
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
        if (dispatch(a, err) < 0) /* a failed attempt like any other: counted, waited for, parked */
                finish(a, err, false, -1);
        else if (t->hook.kind == HOOK_JOURNAL)
                finish(a, NULL, false, -1);
        return 0;
}

/* ---- asking the outbox ---- */

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
        if (trouble)
                loop_timer_start(t->timer, TROUBLE_MS);
        else if (next)
                loop_timer_start(t->timer, next > now ? next - now : 0);
        if (t->ask_again && !trouble)
                ask(t);
        target_settle(t);
}

static void ask(struct target *t)
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
        loop_timer_start(t->timer, TROUBLE_MS);
}

static void on_timer(void *ctx)
{
        ask(ctx);
}

void delivery_wake(struct delivery *d)
{
        for (struct target *t = d->all; t; t = t->next)
                ask(t);
}

/* ---- targets ---- */

static int target_new(struct delivery *d, const struct hook *hook, struct target **ret, struct err *err)
{
        AUTO(target_free_p) struct target *t = mem_zalloc(1, sizeof(*t));
        const struct http_client_options opts = {.ca_file = hook->ca_pem ? NULL : d->ca,
                                                 .ca_pem = hook->ca_pem,
                                                 .cert_pem = hook->cert_pem,
                                                 .key_pem = hook->key_pem,
                                                 .connections_per_host = (uint32_t)d->s.concurrency,
                                                 .connect_timeout_ms = d->s.timeout_ms,
                                                 .may_connect = may_connect,
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
                ask(t);
        return r < 0 ? err_wrap(err, "hook %s", hook->name) : 0;
}

static bool listed(const struct hooks_result *result, const char *name)
{
        for (size_t i = 0; i < result->n; i++)
                if (strcmp(result->hooks[i].name, name) == 0)
                        return true;
        return false;
}

static void on_hooks(void *ctx, const struct hooks_result *result)
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
                loop_timer_start(d->retry_reload, TROUBLE_MS);
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
        if (hooks_db_list(d->db, NULL, on_hooks, d, &err) == 0)
                return;
        d->reloading = false;
        log_err(&err, "reading the hooks");
        loop_timer_start(d->retry_reload, TROUBLE_MS);
}

static void on_retry_reload(void *ctx)
{
        delivery_reload(ctx);
}

void delivery_start(struct delivery *d)
{
        struct err err = ERR_INIT;

        d->reloading = true;
        if (hooks_db_configure(d->db, d->configured, d->n_configured, on_hooks, d, &err) == 0)
                return;
        d->reloading = false;
        log_err(&err, "the configuration's hooks");
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
                r = dispatch(a, err);
        if (r < 0) {
                attempt_free(a);
                return r;
        }
        t->under_way++;
        if (t->hook.kind == HOOK_JOURNAL)
                finish(a, NULL, false, -1);
        return 0;
}

/* ---- the whole ---- */

static int list_text(const struct conf *c, const char *key, char **ret, struct err *err)
{
        const struct strv *list = conf_list(c, key);
        json_t *j;

        if (list->n == 0)
                return 0;
        j = json_array();
        for (size_t i = 0; i < list->n; i++)
                (void)json_array_append_new(j, json_string(list->items[i])); /* a loss shows in the count */
        *ret = json_array_size(j) == list->n ? json_print(j) : NULL;
        json_decref(j);
        return *ret ? 0 : err_nomem(err);
}

static int read_exec(const struct conf *c, const struct delivery *d, struct hook *h, struct err *err)
{
        struct err why = ERR_INIT;
        int r;

        *h = (struct hook){.kind = HOOK_EXEC,
                           .configured = true,
                           .timeout_ms = conf_int(c, "timeout"),
                           .name = str_dup(conf_str(c, "name")),
                           .program = str_dup(conf_str(c, "program")),
                           .tenant = str_dup(conf_str(c, "tenant"))};
        if (!h->name || !h->program || !h->tenant)
                return err_nomem(err);
        r = list_text(c, "hosts", &h->filter.hosts, err);
        if (r >= 0)
                r = list_text(c, "policies", &h->filter.policies, err);
        if (r >= 0)
                r = list_text(c, "severities", &h->filter.severities, err);
        if (r >= 0)
                r = list_text(c, "reactions", &h->filter.reactions, err);
        if (r >= 0 && exec_check(d->programs, h->program, &why) < 0)
                log_err(&why, "hook %s", h->name); /* looked at again before each run */
        return r;
}

static int read_configured(struct delivery *d, const struct conf *c, struct err *err)
{
        size_t n = conf_n_items(c, "hooks.exec");

        d->configured = mem_zalloc(n + 1, sizeof(*d->configured));
        if (!d->configured)
                return err_nomem(err);
        while (d->n_configured < n) {
                size_t i = d->n_configured++;
                int r = read_exec(conf_item(c, "hooks.exec", i), d, &d->configured[i], err);

                if (r < 0)
                        return r;
        }
        if (d->s.journal) {
                struct hook *h = &d->configured[d->n_configured++];

                *h = (struct hook){.kind = HOOK_JOURNAL,
                                   .configured = true,
                                   .name = str_dup(JOURNAL),
                                   .tenant = str_dup("default")};
                if (!h->name || !h->tenant)
                        return err_nomem(err);
        }
        return 0;
}

static int read_settings(struct delivery *d, const struct settings *s, struct err *err)
{
        const struct strv *networks = s->hooks.networks;

        d->s = s->hooks;
        d->s.networks = NULL; /* its texts are the configuration's, which may be replaced */
        d->s.ca = d->s.programs = NULL;
        d->ca = str_dup(s->hooks.ca);
        d->programs = str_dup(s->hooks.programs);
        d->networks = mem_zalloc(networks->n + 1, sizeof(*d->networks));
        if (!d->ca || !d->programs || !d->networks)
                return err_nomem(err);
        for (size_t i = 0; i < networks->n; i++)
                d->n_networks += network_parse(networks->items[i], &d->networks[d->n_networks]);
        return read_configured(d, s->conf, err);
}

static void on_counts(void *ctx, const struct hooks_counts *counts, const struct err *err)
{
        struct delivery *d = ctx;

        if (err)
                return; /* the store's health says it at /readyz */
        metric_set(d->n_pending, counts->pending);
        metric_set(d->n_parked, counts->parked);
        metric_set(d->n_revocations, counts->revocations);
}

/* Shown with the next reading of the metrics. */
static void on_metrics_read(void *ctx)
{
        struct delivery *d = ctx;
        struct err err = ERR_INIT;

        if (hooks_db_counts(d->db, on_counts, d, &err) < 0)
                log_err(&err, "counting the outbox");
}

static int add_metrics(struct delivery *d, struct metrics *m, struct err *err)
{
        static const char *const names[OUT_N] = {"delivered", "failed", "parked"};
        static const double bounds[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30, 300, 3600};
        int r = 0;

        for (size_t i = 0; r >= 0 && i < OUT_N; i++) {
                const struct metric_label label = {"outcome", names[i]};

                r = metrics_add(m, METRIC_COUNTER, "avow_registrar_deliveries", "Attempts by outcome.",
                                &label, 1, &d->outcomes[i], err);
        }
        if (r >= 0)
                r = metrics_add_histogram(m, "avow_registrar_delivery_seconds",
                                          "From a revocation's receipt to a hook's having it.", bounds,
                                          ARRAY_LEN(bounds), &d->seconds, err);
        if (r >= 0)
                r = metrics_add(m, METRIC_GAUGE, "avow_registrar_outbox_pending",
                                "Deliveries that are due, wait, or are under way.", NULL, 0, &d->n_pending,
                                err);
        if (r >= 0)
                r = metrics_add(m, METRIC_GAUGE, "avow_registrar_outbox_parked",
                                "Deliveries that were given up until somebody replays them.", NULL, 0,
                                &d->n_parked, err);
        if (r >= 0)
                r = metrics_add(m, METRIC_GAUGE, "avow_registrar_revocations_stored",
                                "Revocations that were received.", NULL, 0, &d->n_revocations, err);
        return r < 0 ? r : metrics_on_read(m, on_metrics_read, d, err);
}

int delivery_new(struct loop *loop, struct hooks_db *db, const struct settings *settings, struct metrics *m,
                 struct delivery **ret, struct err *err)
{
        AUTO(delivery_free_p) struct delivery *d = mem_zalloc(1, sizeof(*d));
        int r;

        if (!d)
                return err_nomem(err);
        d->loop = loop;
        d->db = db;
        map_init(&d->targets, NULL);
        map_init(&d->busy, NULL);
        r = read_settings(d, settings, err);
        if (r >= 0)
                r = loop_timer_new(loop, on_retry_reload, d, &d->retry_reload, err);
        if (r >= 0)
                r = add_metrics(d, m, err);
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
