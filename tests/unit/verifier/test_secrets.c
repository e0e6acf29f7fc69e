/* SPDX-License-Identifier: Apache-2.0 */
/* The set of secrets as a host gets it, and when a withdrawn approval is dead (SR-7). */
#include "verifier/secrets.h"

#include "support/support.h"

static struct verifier_secret secrets[] = {{(char *)"a", 1, (char *)"{\"name\":\"a\"}"},
                                           {(char *)"b", 3, (char *)"{\"name\":\"b\"}\n"}};
static struct verifier_approval approvals[] = {
        {.id = (char *)"1", .host = (char *)"web-1", .version = 4, .text = (char *)"{\"id\":\"1\"}"},
        {.id = (char *)"2",
         .host = (char *)"web-1",
         .version = 2,
         .text = (char *)"{\"id\":\"2\"}",
         .withdrawn_at_ms = 7},
        {.id = (char *)"3", .host = (char *)"web-1", .version = 9, .text = (char *)"{\"id\":\"3\"}"}};

static void assert_composed(const struct verifier_set *set, const char *want)
{
        AUTO(buf_free) struct buf text = {0};

        secrets_compose(set, &text);
        assert_true(buf_ok(&text));
        assert_view(VIEW_BUF(&text), want);
}

static void sets(void **state)
{
        struct verifier_set set = {.floor = 0};

        (void)state;
        assert_composed(&set, "{\"approvals\":[],\"floor\":0,\"secrets\":[]}");
        set = (struct verifier_set){secrets, 2, approvals, 3, 3};
        assert_composed(&set, "{\"approvals\":[{\"id\":\"1\"},{\"id\":\"3\"}],\"floor\":3,"
                              "\"secrets\":[{\"name\":\"a\"},{\"name\":\"b\"}\n]}");
        set.n_approvals = 0;
        assert_composed(&set,
                        "{\"approvals\":[],\"floor\":3,\"secrets\":[{\"name\":\"a\"},{\"name\":\"b\"}\n]}");
}

static void pending_until_certified(void **state)
{
        struct host host = {.n_refused = 0};

        (void)state;
        assert_string_equal(secrets_approval_state(&approvals[0], &host), "active");
        assert_string_equal(secrets_approval_state(&approvals[1], NULL), "pending");
        assert_string_equal(secrets_approval_state(&approvals[1], &host), "pending");
        host.s.counters.floor = 3; /* of nobody: no counters are known */
        assert_string_equal(secrets_approval_state(&approvals[1], &host), "pending");
        host.s.counters.known = true;
        assert_string_equal(secrets_approval_state(&approvals[1], &host), "withdrawn");
        host.s.counters.floor = 2; /* floor <= version: a TPM still takes it */
        assert_string_equal(secrets_approval_state(&approvals[1], &host), "pending");
}

static int compose(void *ctx, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};

        secrets_compose(ctx, &text);
        return buf_ok(&text) ? 0 : err_nomem(err);
}

static void out_of_memory(void **state)
{
        struct verifier_set set = {secrets, 2, approvals, 3, 3};

        (void)state;
        oom_each(compose, &set);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sets),
                cmocka_unit_test(pending_until_certified),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
