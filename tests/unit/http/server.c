/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server for tests that speak to sockets: a TLS and a plain listener on free ports, short limits, a route
 * of each kind. Prints the two ports on one line; SIGHUP reads the certificate files again; SIGTERM or the
 * end of stdin ends it, so that it never outlives the test.
 *
 * Usage: server CERT KEY CLIENT_CA [any-admin]
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/mem.h"
#include "crypto/tls.h"
#include "http/ops.h"
#include "http/server.h"

struct test {
        struct loop *loop;
        struct http_server *server;
        struct tls_files files;
        struct http_request *held, *stream;
        struct loop_timer *timer;
        int calls; /* of handlers: a refused request must not reach one */
};

static void on_echo(struct http_request *req, void *ctx)
{
        struct test *t = ctx;

        t->calls++;
        http_answer(req, 200, "application/octet-stream", http_request_body(req));
}

static void on_calls(struct http_request *req, void *ctx)
{
        struct test *t = ctx;
        char text[32];

        (void)snprintf(text, sizeof(text), "%d", t->calls);
        http_answer(req, 200, "text/plain", view_str(text));
}

static void on_param(struct http_request *req, void *ctx)
{
        const char *query = http_request_query(req, "q");

        (void)ctx;
        http_answer_json(req, 200, NULL,
                         json_pack("{s:s?, s:s?, s:s?, s:s}", "id", http_request_param(req, "id"), "version",
                                   http_request_param(req, "version"), "q", query, "path",
                                   http_request_path(req)));
}

static void on_who(struct http_request *req, void *ctx)
{
        const struct http_peer *peer = http_request_peer(req);
        AUTO(buf_free)
        struct buf roles = {0};
        AUTO(mem_free_p)
        char *text = NULL;
        char spki[65] = "";

        (void)ctx;
        role_text(peer->roles, &roles);
        text = buf_take_str(&roles);
        for (size_t i = 0; i < 32; i++)
                (void)snprintf(spki + 2 * i, 3, "%02x", peer->spki_sha256[i]);
        http_answer_json(req, 200, NULL,
                         json_pack("{s:b, s:b, s:b, s:s, s:s, s:s, s:s, s:s}", "tls", peer->tls,
                                   "certificate", peer->certificate, "verified", peer->verified, "spki", spki,
                                   "roles", text != NULL ? text : "", "tenant", peer->tenant, "name",
                                   peer->name, "address", peer->address));
}

static void on_token(struct http_request *req, void *ctx)
{
        const char *token = http_request_bearer(req);

        (void)ctx;
        if (token != NULL && strcmp(token, "good") != 0)
                http_answer_refusal(req, 401, "The token is not good.");
        else
                http_answer(req, 204, NULL, VIEW_NONE);
}

static void on_timer(void *ctx)
{
        struct test *t = ctx;
        struct http_request *req = TAKE(t->held);

        if (req != NULL)
                http_answer(req, 200, "text/plain", view_str(http_request_gone(req) ? "gone" : "late"));
}

/* Answers 300 ms later. */
static void on_later(struct http_request *req, void *ctx)
{
        struct test *t = ctx;

        if (t->held != NULL) {
                http_answer_problem(req, 409, NULL, "one at a time");
                return;
        }
        t->held = req;
        loop_timer_start(t->timer, 300);
}

/* Answers long after the request's deadline. */
static void on_never(struct http_request *req, void *ctx)
{
        struct test *t = ctx;

        t->held = req;
        loop_timer_start(t->timer, 4000);
}

static void on_stream_gone(void *ctx)
{
        struct test *t = ctx;

        t->calls += 1000; /* seen by /calls */
        http_stream_end(TAKE(t->stream));
}

static void on_stream(struct http_request *req, void *ctx)
{
        struct test *t = ctx;

        t->stream = req;
        http_stream_start(req, 200, "text/event-stream", on_stream_gone, t);
        if (!http_stream_send(req, view_str("data: one\n\n")))
                return;
        if (http_request_query(req, "end") != NULL)
                http_stream_end(TAKE(t->stream));
}

static const struct http_route routes[] = {
        {HTTP_POST, "/echo", ROLE_PUBLIC, on_echo, 100 * 1000, HTTP_NATIVE, NULL},
        {HTTP_PUT, "/big", ROLE_PUBLIC, on_echo, (size_t)64 << 20, HTTP_NATIVE, NULL},
        {HTTP_PATCH, "/echo", ROLE_PUBLIC, on_echo, 1000, HTTP_NATIVE, NULL},
        {HTTP_POST, "/v2.0-6/echo", ROLE_PUBLIC, on_echo, 1000, HTTP_KEYLIME, NULL},
        {HTTP_GET, "/calls", ROLE_PUBLIC, on_calls, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/who", ROLE_PUBLIC, on_who, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/hosts/:id", ROLE_PUBLIC, on_param, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/v2.0-6/agents/:id", ROLE_ADMIN | ROLE_BEARER, on_token, 0, HTTP_KEYLIME, "read_agent"},
        {HTTP_GET, "/v2.0-6/names/:id", ROLE_PUBLIC, on_param, 0, HTTP_KEYLIME, NULL},
        {HTTP_POST, "/admin", ROLE_ADMIN | ROLE_POLICY_ADMIN, on_echo, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/later", ROLE_PUBLIC, on_later, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/never", ROLE_PUBLIC, on_never, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/stream", ROLE_PUBLIC, on_stream, 0, HTTP_NATIVE, NULL},
};

static int load_tls(struct test *t, struct err *err)
{
        AUTO(tls_server_free_p)
        struct tls_server *tls = NULL;

        if (tls_server_new(&t->files, &tls, err) < 0)
                return -(int)err->kind;
        return http_server_set_tls(t->server, tls_server_ctx(tls), err);
}

static void on_hangup(void *ctx, unsigned events)
{
        struct err err = ERR_INIT;

        (void)events;
        if (load_tls(ctx, &err) < 0)
                (void)fprintf(stderr, "%s\n", err.text);
}

static void on_end(void *ctx, unsigned events)
{
        struct test *t = ctx;

        (void)events;
        loop_stop(t->loop);
}

static int run(struct test *t, bool any_admin, struct err *err)
{
        const struct http_server_options options = {
                .limits = {.request_ms = 2000, .handshake_ms = 1500, .idle_ms = 3000},
                .any_certificate_is_admin = any_admin,
        };
        static const char *const versions[] = {"2.0", "2.6", "3.0", NULL};
        const struct ops_options ops_options = {"test", versions, "2.6", "openapi: 3.1.0\n"};
        struct loop_watch *watch[3] = {NULL};
        struct ops *ops = NULL;
        int r = -1;

        if (loop_new(&t->loop, err) >= 0 && http_server_new(t->loop, &options, &t->server, err) >= 0 &&
            loop_timer_new(t->loop, on_timer, t, &t->timer, err) >= 0 &&
            http_server_add_routes(t->server, routes, ARRAY_LEN(routes), t, err) >= 0 &&
            ops_new(t->server, &ops_options, &ops, err) >= 0 && load_tls(t, err) >= 0 &&
            http_server_listen(t->server, "127.0.0.1:0", true, err) >= 0 &&
            http_server_listen(t->server, "127.0.0.1:0", false, err) >= 0 &&
            loop_signal_new(t->loop, SIGHUP, on_hangup, t, &watch[0], err) >= 0 &&
            loop_signal_new(t->loop, SIGTERM, on_end, t, &watch[1], err) >= 0 &&
            loop_watch_new(t->loop, STDIN_FILENO, LOOP_READ, on_end, t, &watch[2], err) >= 0) {
                (void)printf("%" PRIu16 " %" PRIu16 "\n", http_server_port(t->server, true),
                             http_server_port(t->server, false));
                (void)fflush(stdout);
                r = loop_run(t->loop, err);
        }
        for (size_t i = 0; i < ARRAY_LEN(watch); i++)
                loop_watch_free(watch[i]);
        loop_timer_free(t->timer);
        http_server_free(t->server);
        ops_free(ops);
        if (t->held != NULL)
                http_answer(t->held, 200, NULL, VIEW_NONE); /* also after its server: must not fall over */
        loop_free(t->loop);
        return r;
}

int main(int argc, char **argv)
{
        struct test t = {0};
        struct err err = ERR_INIT;

        if (argc < 4)
                return 2;
        (void)signal(SIGPIPE, SIG_IGN);
        t.files = (struct tls_files){.cert = argv[1], .key = argv[2], .client_ca = argv[3]};
        if (run(&t, argc > 4, &err) < 0) {
                (void)fprintf(stderr, "%s\n", err.text);
                return 1;
        }
        return 0;
}
