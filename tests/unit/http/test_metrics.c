/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "http/metrics.h"

static void on_read(void *ctx)
{
        metric_set(ctx, 7);
}

static void test_text(void **state)
{
        static const double bounds[] = {0.1, 1};
        static const char expected[] =
                "# TYPE a counter\n# HELP a First \\\\ \\n \\\"x\\\".\n"
                "a_total 3\n"
                "a_total{x=\"1\\\"\\n\\\\\",y=\"\"} 1\n"
                "# TYPE g gauge\n# HELP g G.\ng -5\n"
                "# TYPE h histogram\n# HELP h H.\n"
                "h_bucket{le=\"0.1\"} 2\nh_bucket{le=\"1\"} 3\nh_bucket{le=\"+Inf\"} 4\n"
                "h_count 4\nh_sum 12.650000\n"
                "# TYPE r gauge\n# HELP r R.\nr 7\n"
                "# EOF\n";
        const struct metric_label labels[] = {{"x", "1\"\n\\"}, {"y", ""}};
        AUTO(metrics_free_p)
        struct metrics *m = NULL;
        AUTO(buf_free)
        struct buf out = {0};
        struct metric_series *a, *b, *g, *r;
        struct metric_histogram *h;
        struct err err = ERR_INIT;

        (void)state;
        assert_int_equal(metrics_new(&m, &err), 0);
        assert_int_equal(metrics_add(m, METRIC_COUNTER, "a", "First \\ \n \"x\".", NULL, 0, &a, &err), 0);
        assert_int_equal(metrics_add(m, METRIC_GAUGE, "g", "G.", NULL, 0, &g, &err), 0);
        assert_int_equal(metrics_add(m, METRIC_COUNTER, "a", "", labels, 2, &b, &err), 0);
        assert_int_equal(metrics_add_histogram(m, "h", "H.", bounds, 2, &h, &err), 0);
        assert_int_equal(metrics_add(m, METRIC_GAUGE, "r", "R.", NULL, 0, &r, &err), 0);
        assert_int_equal(metrics_on_read(m, on_read, r, &err), 0);
        metric_inc(a);
        metric_add(a, 2);
        metric_inc(b);
        metric_set(g, -5);
        metric_observe(h, 0.05);
        metric_observe(h, 0.1);
        metric_observe(h, 0.5);
        metric_observe(h, 12);
        metrics_text(m, &out);
        buf_u8(&out, '\0');
        assert_true(buf_ok(&out));
        assert_string_equal((char *)out.p, expected);
        assert_int_equal(metric_value(a), 3);
}

static void test_refused(void **state)
{
        const struct metric_label bad = {"1x", "v"};
        AUTO(metrics_free_p)
        struct metrics *m = NULL;
        struct metric_series *s = NULL;
        struct metric_histogram *h;
        struct err err = ERR_INIT;

        (void)state;
        assert_int_equal(metrics_new(&m, &err), 0);
        assert_int_equal(metrics_add(m, METRIC_COUNTER, "a b", "", NULL, 0, &s, &err), -ERR_BUG);
        assert_int_equal(metrics_add(m, METRIC_COUNTER, "a", "", &bad, 1, &s, &err), -ERR_BUG);
        assert_null(s);
        assert_int_equal(metrics_add(m, METRIC_COUNTER, "a", "", NULL, 0, &s, &err), 0);
        assert_int_equal(metrics_add(m, METRIC_COUNTER, "a", "", NULL, 0, &s, &err), -ERR_BUG);
        assert_int_equal(metrics_add(m, METRIC_GAUGE, "a", "", NULL, 0, &s, &err), -ERR_BUG);
        assert_int_equal(metrics_add_histogram(m, "a", "", NULL, 0, &h, &err), -ERR_BUG);
        for (int i = 0; i < 8; i++)
                assert_int_equal(metrics_on_read(m, on_read, s, &err), 0);
        assert_int_equal(metrics_on_read(m, on_read, s, &err), -ERR_BUG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_text), cmocka_unit_test(test_refused)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
