/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the command line: what is read, and what each slip is told. */
#include "tenant/options.h"

#include <string.h>

#include "support/support.h"

struct values {
        bool yes;
        const char *policy;
        struct option_list label;
};

static const struct option_row rows[] = {
        {"yes", NULL, "do it", OPTION_FLAG, offsetof(struct values, yes)},
        {"policy", "NAME", "a policy", OPTION_TEXT, offsetof(struct values, policy)},
        {"label", "KEY=VALUE", "a label", OPTION_LIST, offsetof(struct values, label)},
        {0},
};

static int read_options(struct values *v, struct err *err, int argc, ...)
{
        static char *argv[200];
        va_list ap;

        va_start(ap, argc);
        for (int i = 0; i < argc; i++)
                argv[i] = va_arg(ap, char *);
        va_end(ap);
        *v = (struct values){0};
        return options_read(rows, argc, argv, v, err);
}

static void test_reads(void **state)
{
        struct values v;
        struct err err = ERR_INIT;

        (void)state;
        assert_int_equal(read_options(&v, &err, 0), 0);
        assert_int_equal(
                read_options(&v, &err, 6, "web-1", "--policy", "p", "--label=a=b", "--yes", "--label=c"), 1);
        assert_true(v.yes);
        assert_string_equal(v.policy, "p");
        assert_int_equal(v.label.n, 2);
        assert_string_equal(v.label.v[0], "a=b");
        assert_string_equal(v.label.v[1], "c");
        assert_int_equal(read_options(&v, &err, 4, "a", "--", "--yes", "-x"), 3);
        assert_false(v.yes);
        assert_int_equal(read_options(&v, &err, 1, "-"), 1);
        assert_int_equal(read_options(&v, &err, 2, "--policy=", "x"), 1);
        assert_string_equal(v.policy, "");
}

static void test_slips(void **state)
{
        struct values v;
        struct err err = ERR_INIT;

        (void)state;
        assert_int_equal(read_options(&v, &err, 1, "--polcy=x"), -ERR_CONFIG);
        assert_non_null(strstr(err.text, "did you mean '--policy'?"));
        assert_int_equal(read_options(&v, &err, 1, "--zzzzzzzz"), -ERR_CONFIG);
        assert_non_null(strstr(err.text, "--help"));
        assert_int_equal(read_options(&v, &err, 1, "--policy"), -ERR_CONFIG);
        assert_non_null(strstr(err.text, "needs a value (NAME)"));
        assert_int_equal(read_options(&v, &err, 1, "--yes=1"), -ERR_CONFIG);
        assert_non_null(strstr(err.text, "takes no value"));
        assert_int_equal(read_options(&v, &err, 1, "-x"), -ERR_CONFIG);
}

static void test_list_limit(void **state)
{
        char *argv[OPTION_LIST_MAX + 1];
        struct values v = {0};
        struct err err = ERR_INIT;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(argv); i++)
                argv[i] = (char *)"--label=x";
        assert_int_equal(options_read(rows, OPTION_LIST_MAX, argv, &v, &err), 0);
        assert_int_equal(v.label.n, OPTION_LIST_MAX);
        v = (struct values){0};
        assert_int_equal(options_read(rows, OPTION_LIST_MAX + 1, argv, &v, &err), -ERR_CONFIG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reads),
                cmocka_unit_test(test_slips),
                cmocka_unit_test(test_list_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
