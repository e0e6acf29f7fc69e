/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a long list: in order, within bounds, of one boot, and given back when the last was somebody's. */
#include "support/support.h"

#include "base/str.h"
#include "verifier/gather.h"

static const struct gather_limits roomy = {.host_bytes = 1000, .all_bytes = 10000};

static struct gather_part part_of(uint64_t first, uint64_t n, const char *bytes)
{
        return (struct gather_part){.first = first,
                                    .n = n,
                                    .total = 100,
                                    .at = first == 7 ? 70 : 0,
                                    .binary = true,
                                    .bytes = view_str(bytes),
                                    .clock = {.reset_count = 3},
                                    .boot_time_ms = 1000000};
}

static int add(struct gather **g, const struct gather_part *part, const struct gather_limits *limits,
               size_t *all)
{
        struct err err = ERR_INIT;

        return gather_add(g, part, limits, all, 5, &err);
}

static void in_order(void **state)
{
        struct gather *g = NULL;
        struct gather_part p = part_of(7, 10, "abc");
        struct err err = ERR_INIT;
        struct buf list = {0};
        uint64_t entry = 0, at = 0, left = 0, first = 0;
        size_t all = 0;

        (void)state;
        assert_false(gather_next(NULL, 0, &entry, &at, &left));
        assert_int_equal(add(&g, &p, &roomy, &all), 1);
        p = part_of(17, 3, "de");
        assert_int_equal(add(&g, &p, &roomy, &all), 1);
        assert_int_equal(all, 5);
        assert_int_equal(gather_bytes(g), 5);
        gather_progress(g, &entry, &left);
        assert_true(entry == 20 && left == 100);
        assert_true(gather_is_of_boot(g, 1009000) && gather_is_of_boot(g, 991000));
        assert_false(gather_is_of_boot(g, 1011000) || gather_is_of_boot(g, 0));
        assert_false(gather_next(g, 0, &entry, &at, &left)); /* the whole list is wanted now */
        assert_true(gather_next(g, 7, &entry, &at, &left));
        assert_int_equal(entry, 20);
        assert_int_equal(at, 75);
        assert_int_equal(left, 80);
        assert_int_equal(gather_take(g, 19, view_str("f"), &list, &first, &err), 0);
        assert_int_equal(gather_take(NULL, 20, view_str("f"), &list, &first, &err), 0);
        assert_int_equal(gather_take(g, 20, view_str("f"), &list, &first, &err), 1);
        assert_int_equal(first, 7);
        assert_view(VIEW_BUF(&list), "abcdef");
        gather_give_back(g, &list); /* it was nobody's */
        assert_null(list.p);
        assert_int_equal(gather_take(g, 20, view_str("F"), &list, &first, &err), 1);
        assert_view(VIEW_BUF(&list), "abcdeF");
        assert_false(gather_is_stale(g, 5 + GATHER_IDLE_MS));
        assert_true(gather_is_stale(g, 6 + GATHER_IDLE_MS));
        buf_free(&list);
        gather_free(g);
        assert_int_equal(all, 0);
}

/* What does not go on where the last part ended begins anew: another place, form, boot, or another try. */
static void anew(void **state)
{
        struct gather *g = NULL;
        uint64_t entry, at, left;
        size_t all = 0;

        (void)state;
        for (int how = 0; how < 5; how++) {
                struct gather_part p = part_of(0, 5, "abc"), q = part_of(5, 2, "xy");

                assert_int_equal(add(&g, &p, &roomy, &all), 1);
                q.first += how == 0;
                q.binary = how != 1;
                q.clock.reset_count += how == 2;
                q.clock.restart_count += how == 3;
                q.full = how == 4;
                assert_int_equal(add(&g, &q, &roomy, &all), 1);
                assert_false(gather_next(g, 0, &entry, &at, &left));
                assert_true(gather_next(g, q.first, &entry, &at, &left));
                assert_int_equal(at, 0); /* where it begins nobody said */
                assert_int_equal(gather_is_full(g), how == 4);
                assert_int_equal(all, 2);
        }
        gather_free(g);
}

static void bounds(void **state)
{
        static const struct gather_limits small = {.host_bytes = 5, .all_bytes = 8};
        struct gather *a = NULL, *b = NULL;
        struct gather_part p = part_of(0, 1, "abc"), q = part_of(1, 1, "def"), none = part_of(1, 0, "");
        size_t all = 0;

        (void)state;
        assert_int_equal(add(&a, &p, &small, &all), 1);
        assert_int_equal(add(&a, &q, &small, &all), 0); /* longer than a host may have */
        assert_int_equal(all, 3);
        q.bytes = view_str("de");
        assert_int_equal(add(&a, &q, &small, &all), 1); /* what was there had stayed */
        p.bytes = view_str("abcd");
        assert_int_equal(add(&b, &p, &small, &all), -ERR_LIMIT); /* of all */
        gather_free(a);
        a = NULL;
        assert_int_equal(add(&b, &p, &small, &all), 1);
        for (int i = 0; i < GATHER_EMPTY_MAX; i++)
                assert_int_equal(add(&b, &none, &small, &all), 1);
        assert_int_equal(add(&b, &none, &small, &all), 0);
        gather_free(b);
        assert_int_equal(all, 0);
}

static int gather_once(void *ctx, struct err *err)
{
        AUTO(gather_free_p) struct gather *g = NULL;
        struct gather_part p = part_of(0, 1, "abc");
        AUTO(buf_free) struct buf list = {0};
        uint64_t first;
        int r = gather_add(&g, &p, &roomy, ctx, 0, err);

        if (r > 0)
                r = gather_take(g, 1, view_str("more than fits where it was"), &list, &first, err);
        return r < 0 ? r : 0;
}

static void oom(void **state)
{
        size_t all = 0;

        (void)state;
        oom_each(gather_once, &all);
        assert_int_equal(all, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(in_order),
                cmocka_unit_test(anew),
                cmocka_unit_test(bounds),
                cmocka_unit_test(oom),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
