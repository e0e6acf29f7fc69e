/* SPDX-License-Identifier: Apache-2.0 */
/* The client against our server and against peers that misbehave, all on one loop over plain HTTP; TLS and
 * certificates are in the raw-socket tests and in the integration tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/client.h"
#include "http/server.h"

struct test {
        struct loop *loop;
        struct http_server *server;
        struct http_client *client;
        char base[64]; /* "http://127.0.0.1:PORT" */
        int done, order;
        struct err err;
        uint16_t first_port;
};

static void on_echo(struct http_request *req, void *ctx)
{
        (void)ctx;
        http_answer_header(req, "X-Method", "%s", http_method_name(http_request_method(req)));
        http_answer_header(req, "X-Bad", "a\nb");
        http_answer(req, 200, http_request_header(req, "Content-Type"), http_request_body(req));
}

static void on_busy(struct http_request *req, void *ctx)
{
        (void)ctx;
        http_answer_retry_after(req, 1500);
        http_answer_problem(req, 429, "where", "too %s", "many");
}

static void on_away(struct http_request *req, void *ctx)
{
        (void)ctx;
        http_answer_header(req, "Location", "/echo");
        http_answer(req, 307, NULL, VIEW_NONE);
}

static void on_port(struct http_request *req, void *ctx)
{
        struct test *t = ctx;

        if (t->first_port == 0)
                t->first_port = http_request_peer(req)->port;
        http_answer(req, t->first_port == http_request_peer(req)->port ? 200 : 409, NULL, VIEW_NONE);
}

static void on_silence(struct http_request *req, void *ctx)
{
        (void)ctx;
        http_stream_start(req, 200, "text/plain", NULL, NULL);
        http_stream_end(req);
}

static const struct http_route routes[] = {
        {HTTP_POST, "/echo", ROLE_PUBLIC, on_echo, 0, HTTP_NATIVE, NULL},
        {HTTP_PATCH, "/echo", ROLE_PUBLIC, on_echo, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/echo", ROLE_PUBLIC, on_echo, 0, HTTP_NATIVE, NULL},
        {HTTP_DELETE, "/echo", ROLE_PUBLIC, on_echo, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/busy", ROLE_PUBLIC, on_busy, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/away", ROLE_PUBLIC, on_away, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/port", ROLE_PUBLIC, on_port, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/silence", ROLE_PUBLIC, on_silence, 0, HTTP_NATIVE, NULL},
};

static int set_up(void **state)
{
        const struct http_server_options server_options = {0};
        const struct http_client_options client_options = {0};
        struct test *t = mem_zalloc(1, sizeof(*t));
        struct err err = ERR_INIT;

        if (t == NULL || loop_new(&t->loop, &err) < 0 ||
            http_server_new(t->loop, &server_options, &t->server, &err) < 0 ||
            http_server_add_routes(t->server, routes, ARRAY_LEN(routes), t, &err) < 0 ||
            http_server_listen(t->server, "127.0.0.1:0", false, &err) < 0 ||
            http_client_new(t->loop, &client_options, &t->client, &err) < 0)
                return -1;
        (void)snprintf(t->base, sizeof(t->base), "http://127.0.0.1:%u", http_server_port(t->server, false));
        *state = t;
        return 0;
}

static int tear_down(void **state)
{
        struct test *t = *state;

        http_client_free(t->client);
        http_server_free(t->server);
        loop_free(t->loop);
        free(t);
        return 0;
}

static int fetch(struct test *t, const char *method, const char *path, const char *body,
                 struct http_fetched **ret, struct err *err)
{
        char url[128];
        const struct http_call call = {.method = method,
                                       .url = url,
                                       .content_type = "text/x",
                                       .body = view_str(body),
                                       .timeout_ms = 3000,
                                       .max_response_bytes = 1000};

        (void)snprintf(url, sizeof(url), "%s%s", path[0] == '/' ? t->base : "", path);
        return http_client_fetch(t->client, &call, ret, err);
}

static void test_methods(void **state)
{
        static const char *const methods[] = {"GET", "POST", "PATCH", "DELETE"};

        for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
                const char *body = i == 1 || i == 2 ? "hello" : "";
                AUTO(http_fetched_free_p)
                struct http_fetched *f = NULL;
                const struct http_response *res;
                struct err err = ERR_INIT;

                assert_int_equal(fetch(*state, methods[i], "/echo", body, &f, &err), 0);
                res = http_fetched_response(f);
                assert_int_equal(res->status, 200);
                assert_true(view_equal(res->body, view_str(body)));
                assert_string_equal(http_response_header(res, "X-METHOD"), methods[i]);
                assert_null(http_response_header(res, "X-Bad"));
                assert_int_equal(http_response_is_type(res, "text/x"), *body != '\0');
                assert_int_equal(res->retry_after_ms, -1);
        }
}

static void test_answers(void **state)
{
        AUTO(http_fetched_free_p)
        struct http_fetched *f = NULL, *away = NULL;
        struct err err = ERR_INIT;

        assert_int_equal(fetch(*state, "GET", "/busy", "", &f, &err), 0);
        assert_int_equal(http_fetched_response(f)->status, 429);
        assert_int_equal(http_fetched_response(f)->retry_after_ms, 2000);
        assert_true(http_response_is_type(http_fetched_response(f), "application/problem+json"));
        assert_int_equal(fetch(*state, "GET", "/away", "", &away, &err), 0);
        assert_int_equal(http_fetched_response(away)->status, 307); /* and not followed */
}

static void test_connection_is_kept(void **state)
{
        for (int i = 0; i < 5; i++) {
                AUTO(http_fetched_free_p)
                struct http_fetched *f = NULL;
                struct err err = ERR_INIT;

                assert_int_equal(fetch(*state, "GET", "/port", "", &f, &err), 0);
                assert_int_equal(http_fetched_response(f)->status, 200);
        }
}

static void test_rotation_connects_anew(void **state)
{
        const struct http_client_options options = {0};
        struct test *t = *state;
        AUTO(http_fetched_free_p)
        struct http_fetched *f = NULL, *g = NULL;
        struct err err = ERR_INIT;

        assert_int_equal(fetch(t, "GET", "/port", "", &f, &err), 0);
        assert_int_equal(http_client_reload(t->client, &options, &err), 0);
        assert_int_equal(fetch(t, "GET", "/port", "", &g, &err), 0);
        assert_int_equal(http_fetched_response(g)->status, 409);
}

static void test_too_large(void **state)
{
        AUTO(http_fetched_free_p)
        struct http_fetched *f = NULL;
        struct err err = ERR_INIT;
        char body[1002];

        memset(body, 'x', sizeof(body));
        body[1001] = '\0';
        assert_int_equal(fetch(*state, "POST", "/echo", body, &f, &err), -ERR_LIMIT);
        body[1000] = '\0';
        assert_int_equal(fetch(*state, "POST", "/echo", body, &f, &err), 0);
}

static void test_urls(void **state)
{
        static const char *const bad[] = {"ftp://127.0.0.1/", "file:///etc/passwd", "nonsense", "http://"};

        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                AUTO(http_fetched_free_p)
                struct http_fetched *f = NULL;
                struct err err = ERR_INIT;

                assert_int_equal(fetch(*state, "GET", bad[i], "", &f, &err), -ERR_CONFIG);
        }
}

/* A listening socket whose backlog takes connections and nobody answers; or answers BYTES. */
static int listener(uint16_t *ret_port)
{
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t len = sizeof(in);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
        assert_int_equal(listen(fd, 4), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
        *ret_port = ntohs(in.sin_port);
        return fd;
}

static void test_stalled_and_absent_peers(void **state)
{
        AUTO(http_fetched_free_p)
        struct http_fetched *f = NULL;
        struct err err = ERR_INIT;
        uint16_t port;
        char url[64];
        int fd = listener(&port);
        int64_t start = loop_now_ms();
        const struct http_call call = {.method = "GET", .url = url, .timeout_ms = 300};

        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/", port);
        assert_int_equal(http_client_fetch(((struct test *)*state)->client, &call, &f, &err), -ERR_PEER);
        assert_in_range(loop_now_ms() - start, 250, 2500);
        assert_non_null(strstr(err.text, "127.0.0.1"));
        close(fd);
        assert_int_equal(http_client_fetch(((struct test *)*state)->client, &call, &f, &err), -ERR_PEER);
}

static void on_done(void *ctx, const struct http_response *res, const struct err *err)
{
        struct test *t = ctx;

        t->done += res != NULL ? 1 : 100;
        if (err != NULL)
                t->err = *err;
}

static void test_many_cancel_and_free(void **state)
{
        struct test *t = *state;
        struct http_call_handle *handle = NULL;
        struct err err = ERR_INIT;
        char url[128];
        const struct http_call call = {.method = "GET", .url = url};

        (void)snprintf(url, sizeof(url), "%s/port", t->base);
        for (int i = 0; i < 10; i++)
                assert_int_equal(http_client_send(t->client, &call, on_done, t, &handle, &err), 0);
        assert_int_equal(t->done, 0); /* never from inside send */
        http_client_cancel(handle);
        while (t->done < 9)
                assert_int_equal(loop_step(t->loop, true, &err), 0);
        assert_int_equal(t->done, 9);
        /* What is in flight when the client is freed is forgotten (tear_down). */
        assert_int_equal(http_client_send(t->client, &call, on_done, t, NULL, &err), 0);
}

static void test_empty_stream(void **state)
{
        AUTO(http_fetched_free_p)
        struct http_fetched *f = NULL;
        struct err err = ERR_INIT;

        assert_int_equal(fetch(*state, "GET", "/silence", "", &f, &err), 0);
        assert_int_equal(http_fetched_response(f)->body.len, 0);
}

/* ---- the loop ---- */

static void count(void *ctx)
{
        struct test *t = ctx;

        t->done++;
}

static void *post_many(void *ctx)
{
        struct test *t = ctx;

        for (int i = 0; i < 1000; i++)
                loop_post_fn(t->loop, count, t);
        return NULL;
}

static void test_posts(void **state)
{
        struct test *t = *state;
        pthread_t thread[2];
        struct err err = ERR_INIT;

        for (int i = 0; i < 2; i++)
                assert_int_equal(pthread_create(&thread[i], NULL, post_many, t), 0);
        while (t->done < 2000)
                assert_int_equal(loop_step(t->loop, true, &err), 0);
        for (int i = 0; i < 2; i++)
                assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_int_equal(loop_post(t->loop, count, t), 0); /* runs when the loop is freed */
}

static void stop(void *ctx)
{
        struct test *t = ctx;

        t->order = t->done;
        loop_stop(t->loop);
}

static void test_timers(void **state)
{
        struct test *t = *state;
        struct loop_timer *a = NULL, *b = NULL, *c = NULL;
        struct err err = ERR_INIT;

        assert_int_equal(loop_timer_new(t->loop, count, t, &a, &err), 0);
        assert_int_equal(loop_timer_new(t->loop, count, t, &b, &err), 0);
        assert_int_equal(loop_timer_new(t->loop, stop, t, &c, &err), 0);
        loop_timer_start(a, 10);
        loop_timer_start(b, 10);
        loop_timer_start(c, 60);
        assert_true(loop_timer_running(a));
        loop_timer_stop(b);
        assert_int_equal(loop_run(t->loop, &err), 0);
        assert_int_equal(t->order, 1);
        assert_false(loop_timer_running(a));
        loop_timer_free(a);
        loop_timer_free(b);
        loop_timer_free(c);
}

static void test_listen_errors(void **state)
{
        static const char *const bad[] = {"",           "127.0.0.1",       ":1",
                                          "127.0.0.1:", "127.0.0.1:http2", "999.1.1.1:1"};
        struct test *t = *state;
        struct err err = ERR_INIT;
        char address[64];

        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                assert_int_equal(http_server_listen(t->server, bad[i], false, &err), -ERR_CONFIG);
        (void)snprintf(address, sizeof(address), "127.0.0.1:%u", http_server_port(t->server, false));
        assert_int_equal(http_server_listen(t->server, address, false, &err), -ERR_IO);
        assert_non_null(strstr(err.text, address));
        assert_non_null(strstr(err.text, "in use"));
        assert_int_equal(http_server_listen(t->server, "127.0.0.1:0", true, &err), -ERR_BUG);
}

/* As systemd starts a program: descriptor 3 listens, the environment names it. In a child, whose descriptors
 * are its own. */
static int activated_child(void)
{
        const struct http_server_options options = {0};
        struct http_server *server = NULL;
        struct loop *loop = NULL;
        struct err err = ERR_INIT;
        char pid[16];
        uint16_t port;
        int fd = listener(&port), good;

        (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
        if (dup2(fd, 3) != 3 || setenv("LISTEN_PID", pid, 1) < 0 || setenv("LISTEN_FDS", "1", 1) < 0 ||
            setenv("LISTEN_FDNAMES", "http", 1) < 0 || loop_new(&loop, &err) < 0 ||
            http_server_new(loop, &options, &server, &err) < 0)
                return 1;
        good = http_server_listen_activated(server, "https", false, &err) == 0 &&
               http_server_listen_activated(server, "http", false, &err) == 1 &&
               http_server_port(server, false) == port && http_server_port(server, true) == 0;
        http_server_free(server);
        loop_free(loop);
        return !good;
}

static void test_socket_activation(void **state)
{
        pid_t pid = fork();
        int status = -1;

        (void)state;
        if (pid == 0)
                _exit(activated_child());
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_methods),
                TEST(test_answers),
                TEST(test_connection_is_kept),
                TEST(test_rotation_connects_anew),
                TEST(test_too_large),
                TEST(test_urls),
                TEST(test_stalled_and_absent_peers),
                TEST(test_many_cancel_and_free),
                TEST(test_empty_stream),
                TEST(test_posts),
                TEST(test_timers),
                TEST(test_listen_errors),
                cmocka_unit_test(test_socket_activation),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
