/* SPDX-License-Identifier: Apache-2.0 */
/* How often strangers may come to the agent's listener. */
#include "agent/source_limit.h"

#include <stdio.h>

#include "support/support.h"

static unsigned taken(struct source_limit *l, const char *source, unsigned tries, int64_t now_ms)
{
        unsigned n = 0;

        for (unsigned i = 0; i < tries; i++)
                n += source_limit_take(l, source, now_ms);
        return n;
}

/* So many at once, then one each so often; a long silence earns no more than the first were. */
static void one_source(void **state)
{
        struct source_limit l = {0};

        (void)state;
        assert_int_equal(taken(&l, "192.0.2.1", 100, 5000), SOURCE_LIMIT_AT_ONCE);
        assert_int_equal(taken(&l, "192.0.2.1", 100, 5000 + SOURCE_LIMIT_MS - 1), 0);
        assert_int_equal(taken(&l, "192.0.2.1", 100, 5000 + SOURCE_LIMIT_MS), 1);
        assert_int_equal(taken(&l, "192.0.2.1", 100, 5000 + 3 * SOURCE_LIMIT_MS), 2);
        assert_int_equal(taken(&l, "192.0.2.1", 100, 5000 + 1000 * SOURCE_LIMIT_MS), SOURCE_LIMIT_AT_ONCE);
}

static void sources_apart(void **state)
{
        struct source_limit l = {0};

        (void)state;
        assert_int_equal(taken(&l, "192.0.2.1", 100, 5000), SOURCE_LIMIT_AT_ONCE);
        assert_int_equal(taken(&l, "2001:db8::/64", 100, 5000), SOURCE_LIMIT_AT_ONCE);
        assert_int_equal(taken(&l, "192.0.2.1", 1, 5000), 0);
}

/* Many sources together are held as well, and one that was refused so pays nothing. */
static void all_together(void **state)
{
        struct source_limit l = {0};
        unsigned n = 0;
        char source[16];

        (void)state;
        for (int i = 0; i < 1000; i++) {
                (void)snprintf(source, sizeof(source), "10.0.%d.%d", i / 256, i % 256);
                n += source_limit_take(&l, source, 5000);
        }
        assert_int_equal(n, SOURCE_LIMIT_ALL);
        assert_false(source_limit_take(&l, "192.0.2.1", 5000));
        assert_int_equal(taken(&l, "192.0.2.1", 100, 5000 + SOURCE_LIMIT_ALL * SOURCE_LIMIT_ALL_MS),
                         SOURCE_LIMIT_AT_ONCE);
}

/* The table is full: who was there last keeps his place, so that a flood of names does not clear a record. */
static void full_table(void **state)
{
        struct source_limit l = {0};
        char source[16];

        (void)state;
        for (int i = 0; i < SOURCE_LIMIT_PLACES; i++) {
                (void)snprintf(source, sizeof(source), "10.0.0.%d", i);
                assert_true(source_limit_take(&l, source, 5000 + i * SOURCE_LIMIT_ALL_MS));
        }
        assert_int_equal(taken(&l, "10.0.0.63", 100, 9000), SOURCE_LIMIT_AT_ONCE - 1);
        assert_true(source_limit_take(&l, "10.0.1.1", 9000)); /* in the place of 10.0.0.0 */
        assert_int_equal(taken(&l, "10.0.0.63", 100, 9000), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(one_source), cmocka_unit_test(sources_apart),
                                           cmocka_unit_test(all_together), cmocka_unit_test(full_table)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
