/* SPDX-License-Identifier: Apache-2.0 */
/* Two servers' pages become one list; states become exit codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "tenant/hosts.h"

/* "a b c" → [{"name":"a","state":STATE}, …] */
static json_t *page(const char *names, const char *state)
{
        AUTO(mem_free_p) char *copy = str_dup(names);
        json_t *array = json_array();
        char *at = copy, *name;

        while ((name = strsep(&at, " ")) != NULL)
                if (*name)
                        assert_int_equal(json_array_append_new(array, json_pack("{s:s, s:s}", "name", name,
                                                                                "state", state)),
                                         0);
        return array;
}

static void test_pages(void **state)
{
        static const struct {
                const char *verifier, *registrar;
                bool more_v, more_r;
                size_t limit;
                const char *merged; /* capitals: known to the registrar alone, shown as new */
                const char *next;
        } cases[] = {
                {"", "", false, false, 10, "", NULL},
                {"a b", "a b", false, false, 10, "a=pass b=pass", NULL},
                {"a c", "b", false, false, 10, "a=pass b=new c=pass", NULL},
                {"", "a b", false, false, 10, "a=new b=new", NULL},
                {"a b", "", false, false, 10, "a=pass b=pass", NULL},
                {"a b c", "a b c", false, false, 2, "a=pass b=pass", "b"},
                {"a b c", "a b c", false, false, 3, "a=pass b=pass c=pass", NULL},
                /* The verifier's page ends at b and there are more: nothing is said about c and d. */
                {"a b", "a c d", true, false, 10, "a=pass b=pass", "b"},
                {"a c d", "a b", false, true, 10, "a=pass b=new", "b"},
                {"a b", "a b", true, true, 2, "a=pass b=pass", "b"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                AUTO(json_free_p) json_t *v = page(cases[i].verifier, "pass");
                AUTO(json_free_p) json_t *r = page(cases[i].registrar, "active");
                AUTO(buf_free) struct buf text = {0};
                const char *next = (const char *)0xaa;
                AUTO(json_free_p)
                json_t *merged =
                        hosts_merge_pages((struct hosts_page){v, cases[i].more_v},
                                          (struct hosts_page){r, cases[i].more_r}, cases[i].limit, &next);
                json_t *host;
                size_t n;

                assert_non_null(merged);
                json_array_foreach (merged, n, host)
                        buf_fmt(&text, "%s%s=%s", n ? " " : "", host_text(host, "name"),
                                host_text(host, "state"));
                buf_u8(&text, '\0');
                assert_string_equal((char *)text.p, cases[i].merged);
                if (cases[i].next)
                        assert_string_equal(next, cases[i].next);
                else
                        assert_null(next);
        }
}

static void test_merge(void **state)
{
        AUTO(json_free_p)
        json_t *registrar = json_pack("{s:s, s:b, s:s, s:s}", "name", "a", "registered", 1, "ek_sha256",
                                      "00ff", "bound_by", "tofu");
        AUTO(json_free_p) json_t *verifier = json_pack("{s:s, s:s}", "name", "a", "state", "fail");
        AUTO(json_free_p) json_t *both = hosts_merge(verifier, registrar);
        AUTO(json_free_p) json_t *one = hosts_merge(NULL, registrar);
        AUTO(json_free_p) json_t *other = hosts_merge(verifier, NULL);

        (void)state;
        assert_string_equal(host_text(both, "state"), "fail");
        assert_true(json_is_true(json_object_get(both, "registered")));
        assert_string_equal(host_text(json_object_get(both, "ek"), "bound_by"), "tofu");
        assert_string_equal(host_text(one, "state"), "new");
        assert_true(json_is_null(json_object_get(one, "policy")));
        assert_true(json_is_false(json_object_get(other, "registered")));
        assert_null(json_object_get(verifier, "registered")); /* what came in stays as it was */
}

static void test_answers(void **state)
{
        static const struct {
                const char *state, *trust;
                enum answer answer;
        } cases[] = {
                {"pass", "trusted", ANSWER_DONE},      {"new", NULL, ANSWER_DONE},
                {"enrolled", NULL, ANSWER_DONE},       {"paused", "trusted", ANSWER_DONE},
                {"fail", "trusted", ANSWER_NO},        {"lost", "trusted", ANSWER_NO},
                {"late", "trusted", ANSWER_UNDECIDED}, {"inconclusive", "trusted", ANSWER_UNDECIDED},
                {"pass", "revoked", ANSWER_NO},        {"late", "suspended", ANSWER_UNDECIDED},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++)
                assert_int_equal(hosts_answer(cases[i].state, cases[i].trust), cases[i].answer);
        assert_int_equal(hosts_worse(ANSWER_UNDECIDED, ANSWER_NO), ANSWER_NO);
        assert_int_equal(hosts_worse(ANSWER_UNDECIDED, ANSWER_DONE), ANSWER_UNDECIDED);
        assert_int_equal(hosts_worse(ANSWER_DONE, ANSWER_DONE), ANSWER_DONE);
}

static void test_paths(void **state)
{
        static const char *const bad[] = {"", ".", "..", "a/b", "a b", "\xff"};
        AUTO(mem_free_p) char *path = NULL;
        struct err err = ERR_INIT;

        (void)state;
        assert_int_equal(host_path("web-1", "/explain", &path, &err), 0);
        assert_string_equal(path, "/avow/v1/hosts/web-1/explain");
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                char *none = NULL;

                assert_int_equal(host_path(bad[i], "", &none, &err), -ERR_CONFIG);
                assert_null(none);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_pages), cmocka_unit_test(test_merge),
                                           cmocka_unit_test(test_answers), cmocka_unit_test(test_paths)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
