/* SPDX-License-Identifier: Apache-2.0 */
/* The n-th allocation of ours fails, for every n: while things are made, and while a request is answered.
 * Nothing leaks, nothing hangs, and the next request works. (malloc of the libraries is left alone.) */
#include "http/client.h"
#include "http/ops.h"
#include "http/server.h"
#include "support/support.h"

static void on_echo(struct http_request *req, void *ctx)
{
        (void)ctx;
        http_answer_header(req, "X-Query", "%s", http_request_query(req, "q") ? "there" : "lost");
        http_answer_json(req, 200, NULL, json_pack("{s:i}", "n", (int)http_request_body(req).len));
}

static const struct http_route routes[] = {
        {HTTP_POST, "/echo/:id", ROLE_PUBLIC, on_echo, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/secret", ROLE_ADMIN, on_echo, 0, HTTP_KEYLIME, NULL},
};

struct all {
        struct loop *loop;
        struct http_server *server;
        struct ops *ops;
        struct http_client *client;
};

static void all_done(struct all *a)
{
        http_client_free(a->client);
        http_server_free(a->server);
        ops_free(a->ops);
        loop_free(a->loop);
        *a = (struct all){0};
}

static int all_init(struct all *a, struct err *err)
{
        const struct http_grant grant = {.roles = ROLE_AUDITOR};
        const struct http_server_options options = {.grants = &grant, .n_grants = 1};
        static const char *const versions[] = {"2.6", NULL};
        const struct ops_options ops = {"test", versions, "2.6", "openapi: 3.1.0\n"};
        const struct http_client_options client = {.ca_pem = "x", .user_agent = "test"};

        *a = (struct all){0};
        if (loop_new(&a->loop, err) < 0 || http_server_new(a->loop, &options, &a->server, err) < 0 ||
            http_server_add_routes(a->server, routes, ARRAY_LEN(routes), NULL, err) < 0 ||
            ops_new(a->server, &ops, &a->ops, err) < 0 ||
            http_server_listen(a->server, "127.0.0.1:0", false, err) < 0 ||
            http_client_new(a->loop, &client, &a->client, err) < 0)
                return -(int)err->kind;
        return 0;
}

static int make_all(void *ctx, struct err *err)
{
        struct all a;
        int r = all_init(&a, err);

        (void)ctx;
        all_done(&a);
        return r;
}

static void test_making(void **state)
{
        (void)state;
        oom_each(make_all, NULL);
}

static int post(const struct all *a, const char *method, const char *path, struct view body, int *ret_status)
{
        AUTO(http_fetched_free_p) struct http_fetched *f = NULL;
        struct err err = ERR_INIT;
        char url[128];
        const struct http_call call = {
                .method = method, .url = url, .body = body, .content_type = "text/x", .timeout_ms = 3000};
        int r;

        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", http_server_port(a->server, false), path);
        r = http_client_fetch(a->client, &call, &f, &err);
        *ret_status = r == 0 ? http_fetched_response(f)->status : 0;
        return r;
}

static void walk(const char *method, const char *path, struct view body, int status)
{
        struct err err = ERR_INIT;
        struct all a;
        bool through = false;
        int got;

        assert_int_equal(all_init(&a, &err), 0);
        for (size_t n = 1; !through; n++) {
                int r;

                assert_true(n < 1000);
                oom_at(n);
                r = post(&a, method, path, body, &got);
                through = !oom_off() && r == 0 && got == status;
                /* Whatever failed, the next request is served. */
                assert_int_equal(post(&a, method, path, body, &got), 0);
                assert_int_equal(got, status);
        }
        all_done(&a);
}

static void test_answering(void **state)
{
        static const uint8_t body[10000] = {0};

        (void)state;
        walk("POST", "/echo/a%20b?q=1&r", VIEW_ARRAY(body), 200);
        walk("GET", "/secret", VIEW_NONE, 400); /* a Keylime row, over plain HTTP */
        walk("GET", "/nothing", VIEW_NONE, 404);
        walk("GET", "/metrics", VIEW_NONE, 200);
        walk("GET", "/readyz", VIEW_NONE, 200);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_making), cmocka_unit_test(test_answering)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
