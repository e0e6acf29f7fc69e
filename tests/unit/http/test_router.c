/* SPDX-License-Identifier: Apache-2.0 */
/* Routes and roles: deny by default. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/role.h"
#include "http/router.h"

static void handler(struct http_request *req, void *ctx)
{
        (void)req;
        (void)ctx;
}

static const struct http_route table[] = {
        {HTTP_GET, "/", ROLE_PUBLIC, handler, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/hosts", ROLE_ADMIN | ROLE_AUDITOR, handler, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/hosts/:id", ROLE_ADMIN, handler, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/hosts/all", ROLE_ADMIN, handler, 0, HTTP_NATIVE, NULL},
        {HTTP_PUT, "/avow/v1/hosts/:name", ROLE_ADMIN, handler, 0, HTTP_NATIVE, NULL},
        {HTTP_POST, "/v3.0-0/agents/:id/attestations", ROLE_BEARER, handler, 0, HTTP_KEYLIME, NULL},
        {HTTP_PATCH, "/v3.0-0/agents/:id/attestations/:index", ROLE_BEARER, handler, 0, HTTP_KEYLIME, NULL},
        {HTTP_PATCH, "/v3.0-0/agents/:id/attestations/latest", ROLE_BEARER, handler, 0, HTTP_KEYLIME, NULL},
};

/* The matched pattern, or NULL. */
static const char *match(const struct router *r, enum http_method method, const char *path,
                         struct router_match *ret, char space[256])
{
        (void)snprintf(space, 256, "%s", path);
        memset(ret, 0xaa, sizeof(*ret));
        router_match(r, method, space, ret);
        return ret->row != NULL ? ret->row->route->pattern : NULL;
}

static void test_match(void **state)
{
        static const struct {
                enum http_method method;
                const char *path, *pattern;
        } good[] = {
                {HTTP_GET, "/", "/"},
                {HTTP_GET, "/avow/v1/hosts", "/avow/v1/hosts"},
                {HTTP_GET, "/avow/v1/hosts/", "/avow/v1/hosts"},
                {HTTP_GET, "/avow/v1/hosts/web-1", "/avow/v1/hosts/:id"},
                {HTTP_GET, "/avow/v1/hosts/all", "/avow/v1/hosts/all"},
                {HTTP_GET, "/avow/v1/h%6fsts/all", "/avow/v1/hosts/all"},
                {HTTP_PUT, "/avow/v1/hosts/all", "/avow/v1/hosts/:name"},
                {HTTP_POST, "/v3/agents/x/attestations", "/v3.0-0/agents/:id/attestations"},
                {HTTP_POST, "/v3.0/agents/x/attestations", "/v3.0-0/agents/:id/attestations"},
                {HTTP_PATCH, "/v3.0/agents/x/attestations/7", "/v3.0-0/agents/:id/attestations/:index"},
                {HTTP_PATCH, "/v3.0/agents/x/attestations/latest", "/v3.0-0/agents/:id/attestations/latest"},
        };
        struct router r = {0};
        struct router_match m;
        struct err err = ERR_INIT;
        char space[256];

        (void)state;
        assert_int_equal(router_add(&r, table, ARRAY_LEN(table), &r, &err), 0);
        for (size_t i = 0; i < ARRAY_LEN(good); i++)
                assert_string_equal(match(&r, good[i].method, good[i].path, &m, space), good[i].pattern);
        assert_ptr_equal(m.row->ctx, &r);
        assert_non_null(match(&r, HTTP_PATCH, "/v3.0/agents/a%2Db/attestations/9/", &m, space));
        assert_string_equal(router_param(&m, "id"), "a-b");
        assert_string_equal(router_param(&m, "index"), "9");
        assert_string_equal(router_param(&m, "version"), "3.0");
        assert_null(router_param(&m, "i"));
        router_done(&r);
}

static void test_no_match(void **state)
{
        static const char *const bad[] = {
                "",
                "x",
                "//",
                "/avow/v1/hosts//",
                "/avow//v1/hosts",
                "/avow/v1/hosts/..",
                "/avow/v1/hosts/%2E%2e",
                "/avow/v1/hosts/a%2fb",
                "/avow/v1/hosts/a/b",
                "/avow/v1",
                "/v3.1/agents/x/attestations",
                "/v30/agents/x/attestations",
                "/v3.00/agents/x/attestations",
                "/v3./agents/x/attestations",
                "/V3/agents/x/attestations",
                "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s",
        };
        struct router r = {0};
        struct router_match m;
        struct err err = ERR_INIT;
        char space[256];

        (void)state;
        assert_int_equal(router_add(&r, table, ARRAY_LEN(table), NULL, &err), 0);
        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                for (enum http_method method = HTTP_GET; method <= HTTP_DELETE; method++)
                        assert_null(match(&r, method, bad[i], &m, space));
        /* A path that exists with another method: 405, in the row's family. */
        assert_null(match(&r, HTTP_DELETE, "/v3/agents/x/attestations/1", &m, space));
        assert_int_equal(m.allow, 1u << HTTP_PATCH);
        assert_int_equal(m.family, HTTP_KEYLIME);
        assert_null(match(&r, HTTP_DELETE, "/nowhere", &m, space));
        assert_int_equal(m.allow, 0);
        assert_int_equal(m.family, HTTP_NATIVE);
        router_done(&r);
}

static void test_rows_refused(void **state)
{
        static const struct http_route bad[] = {
                {HTTP_GET, "/x", 0, handler, 0, HTTP_NATIVE, NULL},
                {HTTP_GET, "/x", ROLE_PUBLIC, NULL, 0, HTTP_NATIVE, NULL},
                {HTTP_GET, "x", ROLE_PUBLIC, handler, 0, HTTP_NATIVE, NULL},
                {HTTP_GET, "/x//y", ROLE_PUBLIC, handler, 0, HTTP_NATIVE, NULL},
                {HTTP_GET, "/:", ROLE_PUBLIC, handler, 0, HTTP_NATIVE, NULL},
                {HTTP_GET, "/avow/v1/hosts", ROLE_PUBLIC, handler, 0, HTTP_NATIVE, NULL},
        };
        struct router r = {0};
        struct err err = ERR_INIT;

        (void)state;
        assert_int_equal(router_add(&r, table, ARRAY_LEN(table), NULL, &err), 0);
        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                assert_int_equal(router_add(&r, &bad[i], 1, NULL, &err), -ERR_BUG);
        assert_int_equal(r.n, ARRAY_LEN(table));
        router_done(&r);
}

static void test_authorize(void **state)
{
        const struct http_route everybody = {.roles = ROLE_PUBLIC}, admin = {.roles = ROLE_ADMIN},
                                either = {.roles = ROLE_ADMIN | ROLE_BEARER}, owner = {.roles = ROLE_BEARER};

        (void)state;
        assert_int_equal(router_authorize(&everybody, 0, ROUTER_NO_TOKEN), 0);
        assert_int_equal(router_authorize(&everybody, 0, ROUTER_BAD_TOKEN), 0);
        assert_int_equal(router_authorize(&admin, 0, ROUTER_NO_TOKEN), 403);
        assert_int_equal(router_authorize(&admin, ROLE_NAMED & ~ROLE_ADMIN, ROUTER_NO_TOKEN), 403);
        assert_int_equal(router_authorize(&admin, ROLE_ADMIN, ROUTER_NO_TOKEN), 0);
        assert_int_equal(router_authorize(&admin, ROLE_ADMIN, ROUTER_TOKEN), 403);
        assert_int_equal(router_authorize(&admin, ROLE_ADMIN, ROUTER_BAD_TOKEN), 401);
        assert_int_equal(router_authorize(&either, ROLE_ADMIN, ROUTER_NO_TOKEN), 0);
        assert_int_equal(router_authorize(&either, 0, ROUTER_TOKEN), 0);
        assert_int_equal(router_authorize(&either, 0, ROUTER_NO_TOKEN), 403);
        assert_int_equal(router_authorize(&owner, ROLE_NAMED, ROUTER_NO_TOKEN), 403);
        assert_int_equal(router_authorize(&owner, 0, ROUTER_TOKEN), 0);
        /* Bits that no certificate gives do not open a row, should they ever be in a peer's set. */
        assert_int_equal(router_authorize(&owner, ROLE_BEARER, ROUTER_NO_TOKEN), 403);
}

static void test_roles(void **state)
{
        static const struct {
                uint32_t roles;
                const char *text;
        } texts[] = {
                {0, "nobody"},
                {ROLE_PUBLIC | ROLE_ADMIN, "anybody"},
                {ROLE_ADMIN, "admin"},
                {ROLE_ADMIN | ROLE_HOOK_ADMIN | ROLE_BEARER, "admin, hook-admin, a token's owner"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
                AUTO(buf_free)
                struct buf out = {0};

                role_text(texts[i].roles, &out);
                assert_true(view_equal(VIEW_BUF(&out), view_str(texts[i].text)));
        }
        for (uint32_t bit = 1; bit & ROLE_NAMED; bit <<= 1)
                assert_int_equal(role_by_name(role_name(bit)), bit);
        assert_int_equal(role_of_uri("urn:avow:role:verifier"), ROLE_VERIFIER);
        assert_int_equal(role_of_uri("urn:avow:role:Verifier"), 0);
        assert_int_equal(role_of_uri("urn:avow:role:"), 0);
        assert_int_equal(role_of_uri("URN:avow:role:admin"), 0);
        assert_int_equal(role_of_uri("urn:avow:role:admin/x"), 0);
        assert_string_equal(role_tenant_of_uri("urn:avow:tenant:blue-1"), "blue-1");
        assert_null(role_tenant_of_uri("urn:avow:tenant:"));
        assert_null(role_tenant_of_uri("urn:avow:tenant:a b"));
        assert_null(role_tenant_of_uri("urn:avow:role:admin"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_match),        cmocka_unit_test(test_no_match),
                cmocka_unit_test(test_rows_refused), cmocka_unit_test(test_authorize),
                cmocka_unit_test(test_roles),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
