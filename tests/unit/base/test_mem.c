/* SPDX-License-Identifier: Apache-2.0 */
/* Errors, allocation, secrets: what everything stands on. */
#include "base/mem.h"

#include <errno.h>

#include "support/support.h"

static void err_grows_from_inside_out(void **state)
{
        struct err err = ERR_INIT;

        (void)state;
        assert_int_equal(err_set(&err, ERR_FORMAT, 7, "length %d", 9000), -ERR_FORMAT);
        assert_int_equal(err_wrap(&err, "entry %d", 812), -ERR_FORMAT);
        assert_int_equal(err_wrap(&err, "log"), -ERR_FORMAT);
        assert_string_equal(err.text, "log: entry 812: length 9000");
        assert_int_equal(err.code, 7);
        assert_int_equal(err_errno(&err, ENOENT, "open '%s'", "/x"), -ERR_IO);
        assert_string_equal(err.text, "open '/x': No such file or directory");
        assert_int_equal(err.code, ENOENT);
        assert_int_equal(err_nomem(&err), -ERR_NOMEM);
        err_clear(&err);
        assert_int_equal(err.kind, ERR_NONE);
        assert_string_equal(err.text, "");
        assert_string_equal(err_kind_name(ERR_CONFIG), "config");
        assert_string_equal(err_kind_name((enum err_kind)99), "unknown");
}

/* However long: always terminated, never written past. */
static void err_is_cut(void **state)
{
        struct err err = ERR_INIT;
        char longer[2 * ERR_TEXT_BYTES];

        (void)state;
        memset(longer, 'x', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        (void)err_set(&err, ERR_LIMIT, 0, "%s", longer);
        assert_int_equal(strlen(err.text), ERR_TEXT_BYTES - 1);
        for (int i = 0; i < 5; i++)
                (void)err_wrap(&err, "%s", longer);
        (void)err_errno(&err, EIO, "%s", longer);
        assert_int_equal(strlen(err.text), ERR_TEXT_BYTES - 1);
}

static void allocation(void **state)
{
        AUTO(mem_free_p) char *copy = str_ndup("abcdef", 3);
        AUTO(mem_free_p) char *text = str_fmt("%s-%d", "a", 5);
        AUTO(mem_free_p) void *empty = mem_alloc(0);
        AUTO(mem_free_p) uint8_t *zero = mem_zalloc(3, 5);
        AUTO(mem_free_p) void *dup = mem_dup("xyz", 3);

        (void)state;
        assert_string_equal(copy, "abc");
        assert_string_equal(text, "a-5");
        assert_non_null(empty);
        for (int i = 0; i < 15; i++)
                assert_int_equal(zero[i], 0);
        assert_memory_equal(dup, "xyz", 3);
        assert_null(mem_resize(NULL, SIZE_MAX / 2, 4));
        assert_null(mem_zalloc(SIZE_MAX / 2, 4));
}

static void gives_away(void **state)
{
        char *a = str_dup("a");
        char *b = TAKE(a);

        (void)state;
        assert_null(a);
        assert_string_equal(b, "a");
        free(b);
}

static void constant_time(void **state)
{
        (void)state;
        assert_true(equal_ct("abc", 3, "abc", 3));
        assert_true(equal_ct("", 0, NULL, 0));
        assert_false(equal_ct("abc", 3, "abd", 3));
        assert_false(equal_ct("abc", 3, "ab", 2));
        assert_false(equal_ct("\x00", 1, "\x80", 1));
}

static void secrets(void **state)
{
        struct secret s = {0};

        (void)state;
        assert_int_equal(secret_alloc(&s, 5000), 0);
        assert_int_equal(s.len, 5000);
        for (size_t i = 0; i < s.len; i++)
                assert_int_equal(s.p[i], 0);
        memset(s.p, 1, s.len);
        secret_free(&s);
        assert_null(s.p);
        secret_free(&s); /* twice is fine */
        assert_int_equal(secret_alloc(&s, 0), -1);
        assert_int_equal(secret_alloc(&s, 65537), -1);
        assert_null(s.p);
}

static void wiped(void **state)
{
        uint8_t bytes[4] = {1, 2, 3, 4};

        (void)state;
        mem_wipe(bytes, sizeof(bytes));
        assert_memory_equal(bytes, "\0\0\0\0", 4);
        mem_wipe(NULL, 0);
}

static void out_of_memory(void **state)
{
        (void)state;
        oom_at(1);
        assert_null(str_dup("x"));
        assert_true(oom_off());
        oom_at(1);
        assert_null(str_fmt("%d", 1));
        assert_true(oom_off());
        oom_at(1);
        assert_null(mem_zalloc(1, 1));
        assert_true(oom_off());
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(err_grows_from_inside_out),
                cmocka_unit_test(err_is_cut),
                cmocka_unit_test(allocation),
                cmocka_unit_test(gives_away),
                cmocka_unit_test(constant_time),
                cmocka_unit_test(secrets),
                cmocka_unit_test(wiped),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
