/* SPDX-License-Identifier: Apache-2.0 */
/* Module policies in force and permits that are open, as the verifier has them in memory. */
#include "base/str.h"
#include "policy/policy.h"
#include "support/support.h"
#include "verifier/modules.h"
#include "verifier/permits.h"

#define TEXT(name) "format: avow-modules/1\nname: " name "\nclosures: {}\nallow: []\n"

static struct stored_policy stored(const char *name, const char *text, int64_t version, int64_t until_ms)
{
        return (struct stored_policy){
                .name = (char *)(uintptr_t)name,
                .version = version,
                .until_ms = until_ms,
                .text = {(uint8_t *)(uintptr_t)text, strlen(text), strlen(text), false}};
}

static void policies_by_name(void **state)
{
        const struct stored_policy web[] = {stored("web", TEXT("web"), 2, POLICY_NEVER),
                                            stored("web", TEXT("web"), 1, 500)};
        const struct stored_policy db = stored("db", TEXT("db"), 9, POLICY_NEVER),
                                   bad[] = {stored("web", TEXT("web"), 4, POLICY_NEVER),
                                            stored("web", "rubbish", 3, 500)};
        struct modules *m = NULL;
        struct err err = ERR_INIT;
        size_t n;

        (void)state;
        assert_ok(modules_new(&m, &err), &err);
        (void)modules_all(m, &n);
        assert_int_equal(n, 0);
        assert_ok(modules_replace(m, "web", web, 2, &err), &err);
        assert_ok(modules_replace(m, "db", &db, 1, &err), &err);
        (void)modules_all(m, &n);
        assert_int_equal(n, 3);
        assert_int_equal(modules_newest(m, "web"), 2);
        assert_int_equal(modules_newest(m, "none"), 0);
        assert_err(modules_replace(m, "web", bad, 2, &err), ERR_CONFIG, &err, "version 3");
        assert_int_equal(modules_newest(m, "web"), 2); /* nothing changed */
        assert_ok(modules_replace(m, "web", web, 1, (err_clear(&err), &err)), &err);
        (void)modules_all(m, &n);
        assert_int_equal(n, 2);
        modules_remove(m, "db");
        assert_int_equal(modules_all(m, &n)[0].version, 2);
        assert_int_equal(n, 1);
        modules_free(m);
        modules_free(NULL);
}

static struct ledger_permit permit(unsigned n)
{
        struct ledger_permit p = {.issued_at_ms = n};

        (void)snprintf(p.id, sizeof(p.id), "00000000-0000-4000-8000-%012u", n);
        return p;
}

static struct ledger_mark mark(unsigned n, bool closed)
{
        struct ledger_mark m = {.recorded = true, .closed = closed};

        memcpy(m.id, permit(n).id, sizeof(m.id));
        return m;
}

static void permits_by_host(void **state)
{
        const struct ledger_mark marks[] = {mark(1, true), mark(2, false), mark(9, true)};
        const struct ledger_permit *all;
        const struct ledger_permit over = permit(5);
        struct permits *p = NULL;
        struct err err = ERR_INIT;
        size_t n = 7;

        (void)state;
        assert_ok(permits_new(&p, &err), &err);
        assert_null(permits_of(p, "web-1", &n));
        assert_int_equal(n, 0);
        for (unsigned i = 1; i <= 3; i++) {
                const struct ledger_permit one = permit(i);

                assert_ok(permits_add(p, i == 3 ? "web-2" : "web-1", &one, &err), &err);
        }
        permits_mark(p, "web-1", marks, ARRAY_LEN(marks));
        all = permits_of(p, "web-1", &n);
        assert_int_equal(n, 1);
        assert_true(all[0].recorded && str_equal(all[0].id, permit(2).id));
        permits_mark(p, "web-3", marks, ARRAY_LEN(marks));
        permits_drop(p, "web-1");
        assert_null(permits_of(p, "web-1", &n));
        assert_non_null(permits_of(p, "web-2", &n));
        for (unsigned i = 1; i < LEDGER_OPEN_MAX; i++) {
                const struct ledger_permit one = permit(100 + i);

                assert_ok(permits_add(p, "web-2", &one, &err), &err);
        }
        assert_err(permits_add(p, "web-2", &over, &err), ERR_LIMIT, &err, "web-2");
        permits_free(p);
        permits_free(NULL);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(policies_by_name),
                cmocka_unit_test(permits_by_host),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
