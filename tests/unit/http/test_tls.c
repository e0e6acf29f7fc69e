/* SPDX-License-Identifier: Apache-2.0 */
/* Client and server over TLS: whom the client believes, and what the server learns of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "crypto/tls.h"
#include "http/client.h"
#include "http/server.h"

#define HOUR_MS (3600 * INT64_C(1000))

struct pair {
        struct key *key;
        struct cert *cert;
        char *cert_pem, *key_pem;
};

struct test {
        struct loop *loop;
        struct http_server *server;
        struct pair ca, other_ca, server_pair, admin, own;
        char dir[32], cert_file[64], key_file[64], ca_file[64], url[64];
};

static void on_who(struct http_request *req, void *ctx)
{
        const struct http_peer *peer = http_request_peer(req);
        AUTO(buf_free) struct buf roles = {0};

        (void)ctx;
        role_text(peer->roles, &roles);
        http_answer(req, 200, peer->certificate ? peer->verified ? "x/verified" : "x/stranger" : "x/nobody",
                    VIEW_BUF(&roles));
}

static const struct http_route routes[] = {{HTTP_GET, "/who", ROLE_PUBLIC, on_who, 0, HTTP_NATIVE, NULL}};

static void issue_for(struct pair *ret, enum cert_kind kind, const char *ip, const char *const *uris,
                      const struct pair *issuer, int64_t from_ms, int64_t to_ms)
{
        const char *const ips[] = {ip, NULL};
        const struct cert_spec spec = {.kind = kind,
                                       .cn = "test",
                                       .not_before_ms = clock_now_ms() + from_ms,
                                       .not_after_ms = clock_now_ms() + to_ms,
                                       .ips = ip ? ips : NULL,
                                       .uris = uris};
        struct pubkey *pub = NULL;
        struct secret pem = {0};
        struct err err = ERR_INIT;

        assert_int_equal(key_generate_ec(CURVE_P256, &ret->key, &err), 0);
        assert_int_equal(key_public(ret->key, &pub, &err), 0);
        assert_int_equal(cert_issue(&spec, pub, issuer ? issuer->cert : NULL, issuer ? issuer->key : ret->key,
                                    &ret->cert, &err),
                         0);
        assert_int_equal(cert_pem(ret->cert, &ret->cert_pem, &err), 0);
        assert_int_equal(key_pem(ret->key, &pem, &err), 0);
        ret->key_pem = str_ndup((const char *)pem.p, pem.len);
        assert_non_null(ret->key_pem);
        secret_free(&pem);
        pubkey_free(pub);
}

static void issue(struct pair *ret, enum cert_kind kind, const char *ip, const char *uri,
                  const struct pair *issuer, int64_t from_ms, int64_t to_ms)
{
        const char *const uris[] = {uri, NULL};

        issue_for(ret, kind, ip, uri ? uris : NULL, issuer, from_ms, to_ms);
}

static void pair_done(struct pair *p)
{
        key_free(p->key);
        cert_free(p->cert);
        free(p->cert_pem);
        free(p->key_pem);
        *p = (struct pair){0};
}

/* Makes the server's certificate, for IP and times, and lets the server use it. */
static void serve(struct test *t, const char *ip, int64_t from_ms, int64_t to_ms)
{
        const struct tls_files files = {.cert = t->cert_file, .key = t->key_file, .client_ca = t->ca_file};
        AUTO(tls_server_free_p) struct tls_server *tls = NULL;
        struct err err = ERR_INIT;

        pair_done(&t->server_pair);
        issue(&t->server_pair, CERT_KIND_SERVER, ip, NULL, &t->ca, from_ms, to_ms);
        assert_int_equal(file_write(t->cert_file, view_str(t->server_pair.cert_pem), 0600, &err), 0);
        assert_int_equal(file_write(t->key_file, view_str(t->server_pair.key_pem), 0600, &err), 0);
        assert_int_equal(tls_server_new(&files, &tls, &err), 0);
        assert_int_equal(http_server_set_tls(t->server, tls_server_ctx(tls), &err), 0);
}

static int set_up(void **state)
{
        const struct http_server_options options = {0};
        struct test *t = mem_zalloc(1, sizeof(*t));
        struct err err = ERR_INIT;

        assert_non_null(t);
        (void)snprintf(t->dir, sizeof(t->dir), "/tmp/avow.XXXXXX");
        assert_non_null(mkdtemp(t->dir));
        (void)snprintf(t->cert_file, sizeof(t->cert_file), "%s/cert.pem", t->dir);
        (void)snprintf(t->key_file, sizeof(t->key_file), "%s/key.pem", t->dir);
        (void)snprintf(t->ca_file, sizeof(t->ca_file), "%s/ca.pem", t->dir);
        issue(&t->ca, CERT_KIND_CA, NULL, NULL, NULL, -HOUR_MS, HOUR_MS);
        issue(&t->other_ca, CERT_KIND_CA, NULL, NULL, NULL, -HOUR_MS, HOUR_MS);
        issue(&t->admin, CERT_KIND_CLIENT, NULL, "urn:avow:role:admin", &t->ca, -HOUR_MS, HOUR_MS);
        issue(&t->own, CERT_KIND_SELF, NULL, "urn:avow:role:admin", NULL, -HOUR_MS, HOUR_MS);
        assert_int_equal(file_write(t->ca_file, view_str(t->ca.cert_pem), 0600, &err), 0);
        assert_int_equal(loop_new(&t->loop, &err), 0);
        assert_int_equal(http_server_new(t->loop, &options, &t->server, &err), 0);
        assert_int_equal(http_server_add_routes(t->server, routes, ARRAY_LEN(routes), NULL, &err), 0);
        serve(t, "127.0.0.1", -HOUR_MS, HOUR_MS);
        assert_int_equal(http_server_listen(t->server, "127.0.0.1:0", true, &err), 0);
        (void)snprintf(t->url, sizeof(t->url), "https://127.0.0.1:%u/who", http_server_port(t->server, true));
        *state = t;
        return 0;
}

static int tear_down(void **state)
{
        struct test *t = *state;

        http_server_free(t->server);
        loop_free(t->loop);
        pair_done(&t->ca);
        pair_done(&t->other_ca);
        pair_done(&t->server_pair);
        pair_done(&t->admin);
        pair_done(&t->own);
        (void)unlink(t->cert_file);
        (void)unlink(t->key_file);
        (void)unlink(t->ca_file);
        (void)rmdir(t->dir);
        free(t);
        return 0;
}

/* Asks with these options. Return: 0, or the error's kind; ROLES (if not NULL) is what the server must say.
 */
static int ask(const struct test *t, const struct http_client_options *options, const char *type,
               const char *roles)
{
        const struct http_call call = {.method = "GET", .url = t->url, .timeout_ms = 5000};
        AUTO(http_client_free_p) struct http_client *client = NULL;
        AUTO(http_fetched_free_p) struct http_fetched *f = NULL;
        struct err err = ERR_INIT;

        assert_int_equal(http_client_new(t->loop, options, &client, &err), 0);
        if (http_client_fetch(client, &call, &f, &err) < 0)
                return (int)err.kind;
        assert_int_equal(http_fetched_response(f)->status, 200);
        assert_true(http_response_is_type(http_fetched_response(f), type));
        assert_true(view_equal(http_fetched_response(f)->body, view_str(roles)));
        return 0;
}

static void test_identity(void **state)
{
        const struct test *t = *state;
        const struct http_client_options nobody = {.ca_pem = t->ca.cert_pem};
        const struct http_client_options file = {.ca_file = t->ca_file};
        const struct http_client_options admin = {
                .ca_pem = t->ca.cert_pem, .cert_pem = t->admin.cert_pem, .key_pem = t->admin.key_pem};
        const struct http_client_options own = {
                .ca_pem = t->ca.cert_pem, .cert_pem = t->own.cert_pem, .key_pem = t->own.key_pem};

        assert_int_equal(ask(t, &nobody, "x/nobody", "nobody"), 0);
        assert_int_equal(ask(t, &file, "x/nobody", "nobody"), 0);
        assert_int_equal(ask(t, &admin, "x/verified", "admin"), 0);
        assert_int_equal(ask(t, &own, "x/stranger", "nobody"), 0);
}

static void test_servers_not_believed(void **state)
{
        struct test *t = *state;
        const struct http_client_options ours = {.ca_pem = t->ca.cert_pem};
        const struct http_client_options any_name = {.ca_pem = t->ca.cert_pem, .any_host_name = true};
        const struct http_client_options other = {.ca_pem = t->other_ca.cert_pem};
        const struct http_client_options other_any = {.ca_pem = t->other_ca.cert_pem, .any_host_name = true};
        const struct http_client_options none = {0};
        const struct http_client_options no_file = {.ca_file = "/nonexistent"};

        assert_int_equal(ask(t, &other, NULL, NULL), ERR_PEER);
        assert_int_equal(ask(t, &other_any, NULL, NULL), ERR_PEER);
        assert_int_not_equal(ask(t, &none, NULL, NULL), 0);
        assert_int_equal(ask(t, &no_file, NULL, NULL), ERR_CONFIG);
        serve(t, "127.0.0.2", -HOUR_MS, HOUR_MS);
        assert_int_equal(ask(t, &ours, NULL, NULL), ERR_PEER);
        assert_int_equal(ask(t, &any_name, "x/nobody", "nobody"), 0);
        serve(t, "127.0.0.1", -2 * HOUR_MS, -HOUR_MS);
        assert_int_equal(ask(t, &ours, NULL, NULL), ERR_PEER);
        serve(t, "127.0.0.1", HOUR_MS, 2 * HOUR_MS);
        assert_int_equal(ask(t, &any_name, NULL, NULL), ERR_PEER);
}

static void test_bad_own_files(void **state)
{
        const struct test *t = *state;
        const struct http_client_options wrong_key = {
                .ca_pem = t->ca.cert_pem, .cert_pem = t->admin.cert_pem, .key_pem = t->own.key_pem};
        const struct http_client_options no_cert = {
                .ca_pem = t->ca.cert_pem, .cert_file = "/nonexistent", .key_file = "/nonexistent"};

        assert_int_equal(ask(t, &wrong_key, NULL, NULL), ERR_CONFIG);
        assert_int_equal(ask(t, &no_cert, NULL, NULL), ERR_CONFIG);
}

static void test_grant(void **state)
{
        struct test *t = *state;
        struct http_grant grant = {.roles = ROLE_AUDITOR | ROLE_PUBLIC};
        const struct http_server_options options = {.grants = &grant, .n_grants = 1};
        const struct http_client_options own = {
                .ca_pem = t->ca.cert_pem, .cert_pem = t->own.cert_pem, .key_pem = t->own.key_pem};
        const struct tls_files files = {.cert = t->cert_file, .key = t->key_file, .client_ca = t->ca_file};
        AUTO(tls_server_free_p) struct tls_server *tls = NULL;
        struct digest spki;
        struct err err = ERR_INIT;

        assert_int_equal(pubkey_spki_sha256(cert_pubkey(t->own.cert), &spki, &err), 0);
        memcpy(grant.spki_sha256, spki.b, sizeof(grant.spki_sha256));
        http_server_free(t->server);
        t->server = NULL;
        assert_int_equal(http_server_new(t->loop, &options, &t->server, &err), 0);
        assert_int_equal(http_server_add_routes(t->server, routes, ARRAY_LEN(routes), NULL, &err), 0);
        assert_int_equal(tls_server_new(&files, &tls, &err), 0);
        assert_int_equal(http_server_set_tls(t->server, tls_server_ctx(tls), &err), 0);
        assert_int_equal(http_server_listen(t->server, "127.0.0.1:0", true, &err), 0);
        (void)snprintf(t->url, sizeof(t->url), "https://127.0.0.1:%u/who", http_server_port(t->server, true));
        assert_int_equal(ask(t, &own, "x/stranger", "auditor"), 0);
}

/* The role of a tenant is for the tenant whose hosts are here, and for whoever says that he is that one
 * alone. */
static void test_tenants(void **state)
{
        static const struct {
                const char *uris[4], *roles;
        } rows[] = {
                {{"urn:avow:role:tenant", "urn:avow:tenant:default", NULL}, "tenant"},
                {{"urn:avow:tenant:default", "urn:avow:role:tenant", NULL}, "tenant"},
                {{"urn:avow:role:tenant", "urn:avow:tenant:blue", NULL}, "nobody"},
                {{"urn:avow:role:tenant", NULL}, "nobody"},
                {{"urn:avow:role:tenant", "urn:avow:tenant:blue", "urn:avow:tenant:default", NULL}, "nobody"},
                {{"urn:avow:role:tenant", "urn:avow:tenant:default", "urn:avow:tenant:blue", NULL}, "nobody"},
                {{"urn:avow:role:tenant", "urn:avow:role:auditor", "urn:avow:tenant:blue", NULL}, "auditor"},
                {{"urn:avow:role:admin", "urn:avow:tenant:blue", NULL}, "admin"},
        };
        const struct test *t = *state;

        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct pair who = {0};
                struct http_client_options options = {.ca_pem = t->ca.cert_pem};

                issue_for(&who, CERT_KIND_CLIENT, NULL, rows[i].uris, &t->ca, -HOUR_MS, HOUR_MS);
                options.cert_pem = who.cert_pem;
                options.key_pem = who.key_pem;
                assert_int_equal(ask(t, &options, "x/verified", rows[i].roles), 0);
                pair_done(&who);
        }
}

/* A certificate is good for 30 s beyond its end (clocks differ); a connection that was opened in time loses
 * its role then, without a new handshake. */
static void test_role_ends_with_certificate(void **state)
{
        struct test *t = *state;
        const struct http_call call = {.method = "GET", .url = t->url, .timeout_ms = 5000};
        AUTO(http_client_free_p) struct http_client *client = NULL;
        struct http_client_options options = {.ca_pem = t->ca.cert_pem};
        struct err err = ERR_INIT;
        struct pair old = {0};
        bool admin = false, ended = false;
        int64_t end = loop_now_ms() + 20000;

        issue(&old, CERT_KIND_CLIENT, NULL, "urn:avow:role:admin", &t->ca, -HOUR_MS, -27 * INT64_C(1000));
        options.cert_pem = old.cert_pem;
        options.key_pem = old.key_pem;
        assert_int_equal(http_client_new(t->loop, &options, &client, &err), 0);
        while (!ended && loop_now_ms() < end) {
                AUTO(http_fetched_free_p) struct http_fetched *f = NULL;

                assert_int_equal(http_client_fetch(client, &call, &f, &err), 0);
                ended = view_equal(http_fetched_response(f)->body, view_str("nobody"));
                admin = admin || !ended;
                (void)usleep(100 * 1000);
        }
        assert_true(admin && ended);
        assert_int_equal(http_server_connections(t->server), 1); /* the same one all the time */
        pair_done(&old);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_identity, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_servers_not_believed, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_bad_own_files, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_grant, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_tenants, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_role_ends_with_certificate, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
