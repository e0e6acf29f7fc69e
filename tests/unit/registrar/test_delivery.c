/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The delivery engine with a real outbox, a consumer on the same loop that does as it is told, and programs:
 * what is tried again and when, what is parked, what is never sent, and what happens when a hook goes while
 * something is under way.
 */
#include "support/support.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "delivery.h"
#include "http/server.h"
#include "store/registrar_db.h"

#define WAIT_MS 20000

struct fixture {
        char dir[TMPDIR_BYTES], url[64], hook_url[64];
        struct loop *loop;
        struct http_server *server;
        struct registrar_db *db;
        struct hooks_db *hooks;
        struct metrics *metrics;
        struct settings *settings;
        struct delivery *delivery;
        /* the consumer: what it answers, one after the other (the last stays; 0: holds the request) */
        int answers[8];
        int64_t retry_after_ms;
        struct http_request *held;
        bool only_count;
        int n_got, n_all;
        char got[16][40], signature[512], timestamp[32], body[2048];
        /* the last answer of the database */
        int told;
        enum store_outcome outcome;
        size_t n;
        struct {
                char id[40], error[160];
                enum outbox_state state;
                int64_t n, attempts, next_at_ms;
        } rows[8];
        /* of a test event */
        int tested;
        bool test_good;
        char test_error[1024];
};

static void on_hook(struct http_request *req, void *ctx)
{
        struct fixture *f = ctx;
        struct view body = http_request_body(req);
        int answer = 200;

        f->n_all++;
        if (f->only_count) {
                http_answer(req, 200, NULL, VIEW_NONE);
                return;
        }
        assert_true(f->n_got < 16);
        for (int i = 0; i <= f->n_got && i < 8; i++)
                if (f->answers[i] != 0)
                        answer = f->answers[i];
        (void)snprintf(f->got[f->n_got++], sizeof(f->got[0]), "%s", http_request_header(req, "webhook-id"));
        (void)snprintf(f->signature, sizeof(f->signature), "%s",
                       http_request_header(req, "webhook-signature"));
        (void)snprintf(f->timestamp, sizeof(f->timestamp), "%s",
                       http_request_header(req, "webhook-timestamp"));
        (void)snprintf(f->body, sizeof(f->body), "%.*s", (int)body.len, (const char *)body.p);
        assert_string_equal(http_request_header(req, "content-type"), "application/cloudevents+json");
        if (answer < 0) {
                f->held = req;
                return;
        }
        if (f->retry_after_ms)
                http_answer_retry_after(req, f->retry_after_ms);
        if (answer >= 300 && answer < 400)
                http_answer_header(req, "Location", "/elsewhere");
        http_answer(req, answer, NULL, VIEW_NONE);
}

static void on_elsewhere(struct http_request *req, void *ctx)
{
        (void)ctx;
        http_answer(req, 200, NULL, VIEW_NONE);
        fail_msg("a redirect was followed");
}

static const struct http_route routes[] = {
        {HTTP_POST, "/hook", ROLE_PUBLIC, on_hook, 0, HTTP_NATIVE, NULL},
        {HTTP_POST, "/elsewhere", ROLE_PUBLIC, on_elsewhere, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/elsewhere", ROLE_PUBLIC, on_elsewhere, 0, HTTP_NATIVE, NULL},
};

static int post(void *ctx, void (*fn)(void *arg), void *arg)
{
        return loop_post(ctx, fn, arg);
}

static void read_settings(struct fixture *f, const char *hooks)
{
        AUTO(mem_free_p)
        char *text = str_fmt(
                "tls: {cert: /c, key: /k}\nek: {roots: [/r]}\nhooks: {programs: %s, plain_http: true, "
                "backoff_first: 10ms, backoff_max: 40ms, timeout: 300ms%s}\n",
                f->dir, hooks);
        struct err err = ERR_INIT;
        struct conf *conf = NULL;

        assert_ok(conf_parse(&registrar_conf_schema, view_str(text), "r.yaml", &conf, &err), &err);
        assert_ok(settings_of(conf, &f->settings, &err), &err);
}

/* What most of these tests need. */
#define USUAL ", private_addresses: true, attempts: 3, journal: false"

static void start(struct fixture *f, const char *hooks)
{
        struct err err = ERR_INIT;

        read_settings(f, hooks);
        assert_ok(delivery_new(f->loop, f->hooks, f->db, f->settings, f->metrics, &f->delivery, &err), &err);
        delivery_start(f->delivery);
}

static int setup(void **state)
{
        const struct http_server_options options = {0};
        struct fixture *f = calloc(1, sizeof(*f));
        struct err err = ERR_INIT;

        tmpdir_make(f->dir);
        (void)snprintf(f->url, sizeof(f->url), "sqlite:%s/r.db", f->dir);
        assert_ok(loop_new(&f->loop, &err), &err);
        assert_ok(registrar_db_open(f->url, post, f->loop, NULL, &f->db, &err), &err);
        assert_ok(hooks_db_new(registrar_db_store(f->db), NULL, &f->hooks, &err), &err);
        assert_ok(metrics_new(&f->metrics, &err), &err);
        assert_ok(http_server_new(f->loop, &options, &f->server, &err), &err);
        assert_ok(http_server_add_routes(f->server, routes, ARRAY_LEN(routes), f, &err), &err);
        assert_ok(http_server_listen(f->server, "127.0.0.1:0", false, &err), &err);
        (void)snprintf(f->hook_url, sizeof(f->hook_url), "http://127.0.0.1:%u/hook",
                       http_server_port(f->server, false));
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        delivery_stop(f->delivery);
        http_server_free(f->server);
        registrar_db_close(f->db);
        delivery_free(f->delivery);
        hooks_db_free(f->hooks);
        metrics_free(f->metrics);
        settings_free(f->settings);
        loop_free(f->loop);
        tmpdir_remove(f->dir);
        free(f);
        return 0;
}

/* ---- turning the loop ---- */

static void step(struct fixture *f)
{
        struct err err = ERR_INIT;

        assert_ok(loop_step(f->loop, true, &err), &err);
}

static void on_tick(void *ctx)
{
        bool *rang = ctx;

        *rang = true;
}

/* Turns until CONDITION; a timer of its own wakes it, so that it ends. */
#define UNTIL(f, condition)                                                                                  \
        do {                                                                                                 \
                struct loop_timer *timer_ = NULL;                                                            \
                struct err wait_err_ = ERR_INIT;                                                             \
                bool rang_ = false;                                                                          \
                assert_ok(loop_timer_new((f)->loop, on_tick, &rang_, &timer_, &wait_err_), &wait_err_);      \
                loop_timer_start(timer_, WAIT_MS);                                                           \
                while (!(condition) && !rang_)                                                               \
                        step(f);                                                                             \
                loop_timer_free(timer_);                                                                     \
                if (!(condition))                                                                            \
                        fail_msg("waited for: %s", #condition);                                              \
        } while (0)

/* Lets MS pass. */
static void pass(struct fixture *f, int64_t ms)
{
        struct loop_timer *timer = NULL;
        struct err err = ERR_INIT;
        bool rang = false;

        assert_ok(loop_timer_new(f->loop, on_tick, &rang, &timer, &err), &err);
        loop_timer_start(timer, ms);
        while (!rang)
                step(f);
        loop_timer_free(timer);
}

#define ASK(f, call)                                                                                         \
        do {                                                                                                 \
                struct err err_ = ERR_INIT, *err = &err_;                                                    \
                (f)->told = 0;                                                                               \
                assert_ok(call, err);                                                                        \
                UNTIL(f, (f)->told == 1);                                                                    \
        } while (0)

/* ---- the database ---- */

static void on_hooks(void *ctx, const struct hooks_result *r)
{
        struct fixture *f = ctx;

        f->told++;
        f->outcome = r->outcome;
        f->n = r->n;
}

static void on_received(void *ctx, const struct received_result *r)
{
        struct fixture *f = ctx;

        f->told++;
        f->outcome = r->outcome;
}

static void on_rows(void *ctx, const struct outbox_result *r)
{
        struct fixture *f = ctx;

        f->told++;
        f->outcome = r->outcome;
        f->n = r->n;
        for (size_t i = 0; r->rows && i < r->n && i < ARRAY_LEN(f->rows); i++) {
                f->rows[i].n = r->rows[i].n;
                f->rows[i].state = r->rows[i].state;
                f->rows[i].attempts = r->rows[i].attempts;
                f->rows[i].next_at_ms = r->rows[i].next_at_ms;
                (void)snprintf(f->rows[i].id, sizeof(f->rows[i].id), "%s", r->rows[i].id);
                (void)snprintf(f->rows[i].error, sizeof(f->rows[i].error), "%s",
                               r->rows[i].error ? r->rows[i].error : "");
        }
}

static void add_hook(struct fixture *f, const char *name, const char *old_secret)
{
        const struct hook h = {.name = (char *)name,
                               .tenant = (char *)"default",
                               .url = f->hook_url,
                               .secret = (char *)"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                               .old_secret = (char *)old_secret,
                               .created_at_ms = clock_now_ms()};

        ASK(f, hooks_db_add(f->hooks, &h, NULL, on_hooks, f, err));
        assert_int_equal(f->outcome, STORE_OK);
}

/* MORE: further members of the payload, with a comma before them. */
static void receive_with(struct fixture *f, const char *host, int64_t seq, const char *more)
{
        char id[32], payload[512];
        const struct received r = {.id = id,
                                   .tenant = (char *)"default",
                                   .host = (char *)host,
                                   .seq = seq,
                                   .reaction = (char *)"suspend",
                                   .payload = payload,
                                   .jws = (char *)"a.b.c",
                                   .nonce = (char *)"00112233445566778899aabbccddeeff",
                                   .received_at_ms = clock_now_ms()};

        (void)snprintf(id, sizeof(id), "%s/%lld", host, (long long)seq);
        (void)snprintf(
                payload, sizeof(payload),
                "{\"schema\":\"avow.revocation/1\",\"id\":\"%s\",\"host\":\"%s\",\"reaction\":\"suspend\","
                "\"issued_at\":\"2026-11-21T19:30:48.123Z\"%s}",
                id, host, more);
        ASK(f, hooks_db_receive(f->hooks, &r, NULL, on_received, f, err));
        assert_int_equal(f->outcome, STORE_OK);
        delivery_wake(f->delivery);
}

static void receive(struct fixture *f, const char *host, int64_t seq)
{
        receive_with(f, host, seq, "");
}

/* Reads the outbox of HOOK into f->rows. */
static bool look(struct fixture *f, const char *hook)
{
        ASK(f, hooks_db_deliveries(f->hooks, NULL, hook, false, 0, 8, on_rows, f, err));
        return f->outcome == STORE_OK;
}

/* Waits until row I of HOOK is in that state. */
static void wait_row(struct fixture *f, const char *hook, size_t i, enum outbox_state state)
{
        int64_t end = loop_now_ms() + WAIT_MS;

        while (!look(f, hook) || f->n <= i || f->rows[i].state != state) {
                if (loop_now_ms() > end)
                        fail_msg("row %zu of %s is not %s", i, hook, outbox_state_name(state));
                pass(f, 5);
        }
}

static int64_t outcome(struct fixture *f, const char *name)
{
        AUTO(buf_free) struct buf text = {0};
        AUTO(mem_free_p)
        char *line = str_fmt("avow_registrar_deliveries_total{outcome=\"%s\"} ", name), *all = NULL;
        const char *at;

        metrics_text(f->metrics, &text);
        all = buf_take_str(&text);
        at = strstr(all, line);
        assert_non_null(at);
        return strtoll(at + strlen(line), NULL, 10);
}

/* ---- webhooks ---- */

static void test_delivered(void **state)
{
        struct fixture *f = *state;

        start(f, USUAL);
        add_hook(f, "x", "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=");
        delivery_reload(f->delivery);
        receive(f, "web-1", 1);
        wait_row(f, "x", 0, OUTBOX_DELIVERED);
        assert_int_equal(f->n_got, 1);
        assert_string_equal(f->got[0], "web-1/1");
        assert_true(strncmp(f->signature, "v1,", 3) == 0);
        assert_non_null(strstr(f->signature, " v1a,")); /* both secrets of a rotation */
        assert_true(labs(strtol(f->timestamp, NULL, 10) - (long)(clock_now_ms() / 1000)) < 60);
        assert_non_null(strstr(f->body, "\"type\":\"org.avow.host.suspended\""));
        assert_non_null(strstr(f->body, "\"jws\":\"a.b.c\""));
        assert_int_equal(f->rows[0].attempts, 1);
        assert_int_equal(outcome(f, "delivered"), 1);
        assert_int_equal(outcome(f, "failed"), 0);
}

static void test_tried_again(void **state)
{
        struct fixture *f = *state;

        f->answers[0] = 500;
        f->answers[1] = 307;
        f->answers[2] = 204;
        start(f, USUAL);
        add_hook(f, "x", NULL);
        delivery_reload(f->delivery);
        receive(f, "web-1", 1);
        receive(f, "web-1", 2);
        wait_row(f, "x", 1, OUTBOX_DELIVERED);
        assert_int_equal(f->n_got, 4);
        for (int i = 0; i < 3; i++) /* nothing overtakes what is tried again */
                assert_string_equal(f->got[i], "web-1/1");
        assert_string_equal(f->got[3], "web-1/2");
        assert_int_equal(f->rows[0].attempts, 3);
        assert_string_equal(f->rows[0].error, "");
        assert_int_equal(outcome(f, "failed"), 2);
        assert_int_equal(outcome(f, "delivered"), 2);
}

static void test_parked(void **state)
{
        struct fixture *f = *state;
        const struct replay parked = {NULL, 0};

        f->answers[0] = 503;
        f->answers[3] = 200;
        start(f, USUAL);
        add_hook(f, "x", NULL);
        delivery_reload(f->delivery);
        receive(f, "web-1", 1);
        receive(f, "web-1", 2);
        wait_row(f, "x", 0, OUTBOX_PARKED);
        assert_int_equal(f->n_got, 3);
        assert_int_equal(f->rows[0].attempts, 3);
        assert_string_equal(f->rows[0].error, "the consumer answered 503");
        assert_int_equal(outcome(f, "parked"), 1);
        receive(f, "web-2", 1); /* another host goes on */
        wait_row(f, "x", 2, OUTBOX_DELIVERED);
        assert_int_equal(f->n_got, 4);
        ASK(f, hooks_db_replay(f->hooks, NULL, "x", &parked, NULL, on_rows, f, err));
        delivery_wake(f->delivery);
        wait_row(f, "x", 1, OUTBOX_DELIVERED);
        assert_int_equal(f->n_got, 6);
        assert_string_equal(f->got[4], "web-1/1");
        assert_string_equal(f->got[5], "web-1/2");
}

static void test_gone(void **state)
{
        struct fixture *f = *state;

        f->answers[0] = 410;
        start(f, USUAL);
        add_hook(f, "x", NULL);
        delivery_reload(f->delivery);
        receive(f, "web-1", 1);
        wait_row(f, "x", 0, OUTBOX_PARKED);
        assert_int_equal(f->n_got, 1);
}

static void test_retry_after(void **state)
{
        struct fixture *f = *state;
        struct err err = ERR_INIT;
        int64_t before;

        f->answers[0] = 429;
        f->retry_after_ms = 5000;
        read_settings(f, USUAL);
        f->settings->hooks.backoff_max_ms = 3000;
        assert_ok(delivery_new(f->loop, f->hooks, f->db, f->settings, f->metrics, &f->delivery, &err), &err);
        delivery_start(f->delivery);
        add_hook(f, "x", NULL);
        delivery_reload(f->delivery);
        before = clock_now_ms();
        receive(f, "web-1", 1);
        UNTIL(f, f->n_got == 1);
        do
                assert_true(look(f, "x"));
        while (f->rows[0].attempts == 0);
        assert_int_equal(f->rows[0].state, OUTBOX_READY);
        assert_true(f->rows[0].next_at_ms >=
                    before + 3000); /* as it asked, but not longer than backoff_max */
        assert_true(f->rows[0].next_at_ms <= clock_now_ms() + 3000);
}

/* A consumer that takes the request and says nothing. */
static void test_stalled(void **state)
{
        struct fixture *f = *state;

        f->answers[0] = -1;
        f->answers[1] = 200;
        start(f, USUAL);
        add_hook(f, "x", NULL);
        delivery_reload(f->delivery);
        receive(f, "web-1", 1);
        UNTIL(f, f->held != NULL);
        wait_row(f, "x", 0, OUTBOX_DELIVERED);
        assert_int_equal(f->n_got, 2);
        http_answer(TAKE(f->held), 200, NULL, VIEW_NONE);
}

static void test_private(void **state)
{
        struct fixture *f = *state;

        start(f, ", attempts: 2, journal: false");
        add_hook(f, "x", NULL);
        delivery_reload(f->delivery);
        receive(f, "web-1", 1);
        wait_row(f, "x", 0, OUTBOX_PARKED);
        assert_int_equal(f->n_got, 0);
        assert_true(f->rows[0].error[0] != '\0');
}

static void test_allowed_network(void **state)
{
        struct fixture *f = *state;

        start(f, ", attempts: 2, journal: false, networks: [10.0.0.0/8, 127.0.0.0/8]");
        add_hook(f, "x", NULL);
        delivery_reload(f->delivery);
        receive(f, "web-1", 1);
        wait_row(f, "x", 0, OUTBOX_DELIVERED);
}

/* ---- the hosts' own agents ---- */

static void on_agent_tested(void *ctx, int64_t took_ms, const struct err *err)
{
        (void)ctx;
        (void)took_ms;
        (void)err;
        fail_msg("a test of no host came to an end");
}

/* Where no listener is known nothing is sent, nothing is tried again, and nothing is held up. */
static void test_agent_without_listener(void **state)
{
        static const struct {
                const char *host, *more, *error;
        } rows[] = {
                {"web-1", "", "host web-1 has no label listener"},
                {"web-2", ",\"labels\":{\"listener\":\"10.0.0.1/x?y\"}", "is no ADDRESS:PORT"},
                {"web-3", ",\"labels\":{\"listener\":\"u@10.0.0.1\"}", "is no ADDRESS:PORT"},
                {"web-4", ",\"labels\":{\"listener\":\"\"}", "is no ADDRESS:PORT"},
                {"web-5", ",\"labels\":{\"listener\":\"127.0.0.1:1\"}", "host web-5 is not registered"},
                {"web-5", ",\"labels\":{\"listener\":\"127.0.0.1:1\"}", "host web-5 is not registered"},
        };
        const struct hook h = {.name = (char *)"x",
                               .tenant = (char *)"default",
                               .kind = HOOK_AGENT,
                               .created_at_ms = clock_now_ms()};
        struct fixture *f = *state;
        struct err why = ERR_INIT;

        start(f, USUAL);
        ASK(f, hooks_db_add(f->hooks, &h, NULL, on_hooks, f, err));
        delivery_reload(f->delivery);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                receive_with(f, rows[i].host, (int64_t)i + 1, rows[i].more);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                wait_row(f, "x", i, OUTBOX_SKIPPED);
                assert_int_equal(f->rows[i].attempts, 1);
                if (!strstr(f->rows[i].error, rows[i].error))
                        fail_msg("%s: %s", rows[i].host, f->rows[i].error);
        }
        assert_int_equal(outcome(f, "skipped"), ARRAY_LEN(rows));
        assert_int_equal(outcome(f, "parked"), 0);
        assert_err(delivery_test(f->delivery, "x", on_agent_tested, f, &why), ERR_CONFIG, &why,
                   "is about none");
}

/* ---- hooks that change ---- */

static void test_paused(void **state)
{
        struct fixture *f = *state;

        start(f, USUAL);
        add_hook(f, "x", NULL);
        ASK(f, hooks_db_pause(f->hooks, NULL, "x", true, NULL, on_hooks, f, err));
        delivery_reload(f->delivery);
        receive(f, "web-1", 1);
        pass(f, 100);
        assert_int_equal(f->n_got, 0);
        ASK(f, hooks_db_pause(f->hooks, NULL, "x", false, NULL, on_hooks, f, err));
        delivery_reload(f->delivery);
        wait_row(f, "x", 0, OUTBOX_DELIVERED);
}

/* A hook goes, and one of its name comes, while a delivery to the first is under way. */
static void test_removed(void **state)
{
        struct fixture *f = *state;

        f->answers[0] = -1;
        f->answers[1] = 200;
        start(f, USUAL);
        add_hook(f, "x", NULL);
        delivery_reload(f->delivery);
        receive(f, "web-1", 1);
        UNTIL(f, f->held != NULL);
        ASK(f, hooks_db_remove(f->hooks, NULL, "x", NULL, on_hooks, f, err));
        assert_int_equal(f->outcome, STORE_OK);
        pass(f, 5); /* another time of making */
        add_hook(f, "x", NULL);
        delivery_reload(f->delivery);
        http_answer(TAKE(f->held), 200, NULL, VIEW_NONE);
        receive(f, "web-1", 2);
        wait_row(f, "x", 0, OUTBOX_DELIVERED);
        assert_int_equal(f->n, 1); /* what the first had yet to get went with it */
        assert_string_equal(f->rows[0].id, "web-1/2");
}

static void on_tested(void *ctx, int64_t took_ms, const struct err *err)
{
        struct fixture *f = ctx;

        assert_true(took_ms >= 0);
        f->tested++;
        f->test_good = err == NULL;
        (void)snprintf(f->test_error, sizeof(f->test_error), "%s", err ? err->text : "");
}

static void test_tests(void **state)
{
        struct fixture *f = *state;
        struct err err = ERR_INIT;

        f->answers[0] = 200;
        f->answers[1] = 500;
        f->answers[2] = -1;
        start(f, USUAL);
        add_hook(f, "x", NULL);
        delivery_reload(f->delivery);
        assert_err(delivery_test(f->delivery, "none", on_tested, f, &err), ERR_PEER, &err, "not loaded");
        pass(f, 50);
        assert_ok(delivery_test(f->delivery, "x", on_tested, f, &err), &err);
        UNTIL(f, f->tested == 1);
        assert_true(f->test_good);
        assert_true(strncmp(f->got[0], "test-", 5) == 0);
        assert_non_null(strstr(f->body, "org.avow.hook.test"));
        assert_ok(delivery_test(f->delivery, "x", on_tested, f, &err), &err);
        UNTIL(f, f->tested == 2);
        assert_false(f->test_good);
        assert_string_equal(f->test_error, "the consumer answered 500"); /* once: a test is not tried again */
        assert_ok(delivery_test(f->delivery, "x", on_tested, f, &err), &err);
        UNTIL(f, f->held != NULL);
        delivery_stop(f->delivery); /* whoever waits for it is told */
        assert_int_equal(f->tested, 3);
        assert_string_equal(f->test_error, "the registrar stops");
        http_answer(TAKE(f->held), 200, NULL, VIEW_NONE);
}

/* ---- programs and the journal ---- */

static void write_program(struct fixture *f, const char *name, const char *text)
{
        AUTO(mem_free_p)
        char *path = str_fmt("%s/%s", f->dir, name), *script = str_fmt("#!/bin/sh\n%s\n", text);
        struct err err = ERR_INIT;

        assert_ok(file_write(path, view_str(script), 0755, &err), &err);
        assert_int_equal(chmod(path, 0755), 0);
}

static void test_programs(void **state)
{
        struct fixture *f = *state;
        AUTO(mem_free_p) char *out = str_fmt("%s/out", f->dir), *script = NULL;
        AUTO(buf_free) struct buf text = {0};
        struct err err = ERR_INIT;

        assert_int_equal(chmod(f->dir, 0755), 0);
        /* fails once, then says what it got: the event on standard input, no argument, nothing of our
         * environment */
        script = str_fmt("if [ ! -e %s/once ]; then : >%s/once; exit 3; fi\n{ cat; echo \"$#\"; env; } "
                         ">%s.new && mv %s.new %s",
                         f->dir, f->dir, out, out, out);
        write_program(f, "good", script);
        write_program(f, "slow", "sleep 60");
        assert_int_equal(setenv("AVOW_TEST_LEAK", "leaked", 1), 0);
        start(f, USUAL ", exec: [{name: good, program: good}, {name: slow, program: slow, timeout: 100ms}, "
                       "{name: none, program: none}]");
        receive(f, "web-1", 1);
        if (geteuid() != 0) { /* a program that is not root's is not run */
                wait_row(f, "good", 0, OUTBOX_PARKED);
                assert_non_null(strstr(f->rows[0].error, "must be root's"));
                return;
        }
        wait_row(f, "good", 0, OUTBOX_DELIVERED);
        assert_int_equal(f->rows[0].attempts, 2);
        assert_ok(file_read(out, 8192, &text, &err), &err);
        buf_u8(&text, 0);
        assert_non_null(strstr((char *)text.p, "\"id\":\"web-1/1\""));
        assert_non_null(strstr((char *)text.p, "}0\n")); /* no argument */
        assert_null(strstr((char *)text.p, "leaked"));
        wait_row(f, "slow", 0, OUTBOX_PARKED);
        assert_string_equal(f->rows[0].error, "killed at its time limit");
        wait_row(f, "none", 0, OUTBOX_PARKED);
        assert_non_null(strstr(f->rows[0].error, "is missing"));
        assert_int_equal(chmod(f->dir, 0777), 0); /* from now on anybody could have put it there */
        receive(f, "web-1", 2);
        wait_row(f, "good", 1, OUTBOX_PARKED);
        assert_non_null(strstr(f->rows[1].error, "must be root's"));
        assert_int_equal(chmod(f->dir, 0700), 0);
}

static void test_journal(void **state)
{
        struct fixture *f = *state;

        start(f, "");
        receive(f, "web-1", 1);
        receive(f, "web-1", 2);
        wait_row(f, "journal", 1, OUTBOX_DELIVERED);
}

/*
 * Each comes once, as long as nothing goes wrong: what the outbox said before an outcome was written must not
 * be believed after it.
 */
static void test_once(void **state)
{
        enum { HOSTS = 400 };
        struct fixture *f = *state;

        f->only_count = true;
        start(f, USUAL);
        add_hook(f, "x", NULL);
        delivery_reload(f->delivery);
        for (int i = 0; i < HOSTS; i++) {
                char host[16];

                (void)snprintf(host, sizeof(host), "web-%d", i);
                receive(f, host, 1);
        }
        UNTIL(f, outcome(f, "delivered") >= HOSTS);
        pass(f, 50);
        assert_int_equal(f->n_all, HOSTS);
        assert_int_equal(outcome(f, "delivered"), HOSTS);
}

/* A second engine on the same database, as after kill -9: what was under way is sent again. */
static void test_again_after_a_crash(void **state)
{
        struct fixture *f = *state;
        struct err err = ERR_INIT;

        f->answers[0] = -1;
        f->answers[1] = 200;
        start(f, USUAL);
        add_hook(f, "x", NULL);
        delivery_reload(f->delivery);
        receive(f, "web-1", 1);
        UNTIL(f, f->held != NULL);
        delivery_stop(f->delivery);
        pass(f, 20);
        delivery_free(f->delivery);
        metrics_free(f->metrics);
        assert_ok(metrics_new(&f->metrics, &err), &err);
        assert_ok(delivery_new(f->loop, f->hooks, f->db, f->settings, f->metrics, &f->delivery, &err), &err);
        delivery_start(f->delivery);
        wait_row(f, "x", 0, OUTBOX_DELIVERED);
        assert_int_equal(f->n_got, 2);
        assert_string_equal(f->got[1], "web-1/1");
        http_answer(TAKE(f->held), 200, NULL, VIEW_NONE);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        const struct CMUnitTest tests[] = {T(test_delivered),
                                           T(test_tried_again),
                                           T(test_parked),
                                           T(test_gone),
                                           T(test_agent_without_listener),
                                           T(test_retry_after),
                                           T(test_stalled),
                                           T(test_private),
                                           T(test_allowed_network),
                                           T(test_paused),
                                           T(test_removed),
                                           T(test_tests),
                                           T(test_programs),
                                           T(test_journal),
                                           T(test_once),
                                           T(test_again_after_a_crash)};

        return cmocka_run_group_tests_name("delivery", tests, NULL, NULL);
}
