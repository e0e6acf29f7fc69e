/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: numbers, foreign text made harmless, names, suggestions, lists, UUIDs. */
#include "base/str.h"

#include "base/uuid.h"
#include "support/support.h"

/* --- vectors --- */

static void numbers(void **state)
{
        struct err err = ERR_INIT;
        int64_t i;
        uint64_t u;

        (void)state;
        assert_ok(str_parse_int(view_str("-9223372036854775808"), INT64_MIN, INT64_MAX, &i, &err), &err);
        assert_true(i == INT64_MIN);
        assert_ok(str_parse_int(view_str("9223372036854775807"), INT64_MIN, INT64_MAX, &i, &err), &err);
        assert_true(i == INT64_MAX);
        assert_ok(str_parse_uint(view_str("18446744073709551615"), UINT64_MAX, &u, &err), &err);
        assert_true(u == UINT64_MAX);
        assert_ok(str_parse_uint(view_str("0"), 0, &u, &err), &err);
        assert_int_equal(u, 0);
        assert_ok(str_parse_hex(view_str("0xDEADbeef"), UINT64_MAX, &u, &err), &err);
        assert_int_equal(u, 0xdeadbeef);
        assert_ok(str_parse_size(view_str("4MiB"), &u, &err), &err);
        assert_int_equal(u, 4 << 20);
        assert_ok(str_parse_size(view_str("4096"), &u, &err), &err);
        assert_int_equal(u, 4096);
}

static void wrong_numbers(void **state)
{
        static const char *const texts[] = {"", "-", "-0", "01", "+1", " 1", "1 ", "0x1", "1a", "1.0", "--1"};
        static const char *const sizes[] = {"", "KiB", "4 MiB", "4MB", "4mib", "-1", "04KiB"};
        static const char *const hexes[] = {"", "0x", "1f", "0x1g", "0X1", "0x00000000000000001"};
        struct err err = ERR_INIT;
        int64_t i;
        uint64_t u;

        (void)state;
        POISON(i);
        POISON(u);
        for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
                assert_err(str_parse_int(view_str(texts[k]), INT64_MIN, INT64_MAX, &i, &err), ERR_FORMAT,
                           &err, NULL);
                assert_err(str_parse_uint(view_str(texts[k]), 100, &u, &err), ERR_FORMAT, &err, NULL);
        }
        for (size_t k = 0; k < ARRAY_LEN(sizes); k++)
                assert_err(str_parse_size(view_str(sizes[k]), &u, &err), ERR_FORMAT, &err, NULL);
        for (size_t k = 0; k < ARRAY_LEN(hexes); k++)
                assert_err(str_parse_hex(view_str(hexes[k]), UINT64_MAX, &u, &err), ERR_FORMAT, &err, NULL);
        assert_err(str_parse_int(view_str("9223372036854775808"), INT64_MIN, INT64_MAX, &i, &err), ERR_LIMIT,
                   &err, NULL);
        assert_err(str_parse_int(view_str("-9223372036854775809"), INT64_MIN, INT64_MAX, &i, &err), ERR_LIMIT,
                   &err, NULL);
        assert_err(str_parse_int(view_str("7"), 8, 9, &i, &err), ERR_LIMIT, &err, "8 to 9");
        assert_err(str_parse_uint(view_str("18446744073709551616"), UINT64_MAX, &u, &err), ERR_LIMIT, &err,
                   NULL);
        assert_err(str_parse_size(view_str("99999999999TiB"), &u, &err), ERR_LIMIT, &err, NULL);
        assert_err(str_parse_hex(view_str("0x100"), 0xff, &u, &err), ERR_LIMIT, &err, "0xff");
        assert_poisoned(i);
        assert_poisoned(u);
}

static void names(void **state)
{
        char longest[82];

        (void)state;
        memset(longest, 'a', 81);
        longest[81] = '\0';
        assert_false(str_valid_host_id(longest));
        longest[80] = '\0';
        assert_true(str_valid_host_id(longest));
        assert_true(str_valid_host_id("d432fbb3-d2f1-4a97-9ef7-75bd81c00000"));
        assert_true(str_valid_host_id("web_1.example"));
        assert_false(str_valid_host_id(""));
        assert_false(str_valid_host_id("."));
        assert_false(str_valid_host_id(".."));
        assert_false(str_valid_host_id("a/b"));
        assert_false(str_valid_host_id("a b"));
        assert_false(str_valid_host_id("a\n"));
        assert_false(str_valid_host_id("\xc3\xa4"));
        assert_true(str_valid_name("policy-1"));
        assert_false(str_valid_name("-x"));
        assert_false(str_valid_name(longest));
}

static void foreign_text(void **state)
{
        AUTO(buf_free) struct buf b = {0};
        struct str_shown shown;
        char longer[400];

        (void)state;
        assert_string_equal(SHOW("web-1"), "'web-1'");
        assert_string_equal(SHOW("a\nb\x1b[31m"), "'a\\x0ab\\x1b[31m'");
        assert_string_equal(SHOW("it's \"x\\\""), "'it\\x27s \\x22x\\x5c\\x22'");
        assert_string_equal(SHOW("\xc3\xa4"), "'\xc3\xa4'");
        assert_string_equal(SHOW("\xff\xc3"), "'\\xff\\xc3'");
        assert_string_equal(SHOW("\xc2\x85"), "'\\xc2\\x85'");          /* C1: next line */
        assert_string_equal(SHOW("\xe2\x80\xae"), "'\\xe2\\x80\\xae'"); /* right-to-left override */
        assert_string_equal(SHOW_VIEW(VIEW("a\0b", 3)), "'a\\x00b'");
        memset(longer, 0x01, sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        (void)str_show(view_str(longer), &shown);
        assert_true(strlen(shown.text) < sizeof(shown.text));
        assert_non_null(strstr(shown.text, "\xe2\x80\xa6'"));
        buf_printable(&b, view_str("it's\n\"x\\"));
        assert_view(VIEW_BUF(&b), "it's\\x0a\"x\\");
        buf_reset(&b);
        buf_escaped(&b, view_str("'\n"));
        assert_view(VIEW_BUF(&b), "\\x27\\x0a");
}

static void utf8(void **state)
{
        static const char *const good[] = {"",
                                           "a",
                                           "\xc2\x80",
                                           "\xdf\xbf",
                                           "\xe0\xa0\x80",
                                           "\xed\x9f\xbf",
                                           "\xef\xbf\xbf",
                                           "\xf0\x90\x80\x80",
                                           "\xf4\x8f\xbf\xbf"};
        static const char *const bad[] = {"\x80",
                                          "\xc0\x80",
                                          "\xc1\xbf",
                                          "\xc2",
                                          "\xe0\x9f\xbf",
                                          "\xed\xa0\x80",
                                          "\xe2\x82",
                                          "\xf0\x8f\xbf\xbf",
                                          "\xf4\x90\x80\x80",
                                          "\xf5\x80\x80\x80",
                                          "\xff",
                                          "a\xe2\x82g"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(good); i++)
                assert_true(str_valid_utf8(view_str(good[i])));
        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                assert_false(str_valid_utf8(view_str(bad[i])));
}

static void nearest(void **state)
{
        static const char *const words[] = {"digests", "required", "path", "pcr"};

        (void)state;
        assert_string_equal(str_nearest("digets", words, 4), "digests");
        assert_string_equal(str_nearest("digetss", words, 4), "digests");
        assert_string_equal(str_nearest("reqired", words, 4), "required");
        assert_string_equal(str_nearest("ptah", words, 4), "path");
        assert_string_equal(str_nearest("prc", words, 4), "pcr");
        assert_null(str_nearest("xyzzy", words, 4));
        assert_null(str_nearest("", words, 4));
        assert_null(str_nearest("path", NULL, 0));
}

static void lists(void **state)
{
        AUTO(strv_done) struct strv v = {0};

        (void)state;
        assert_int_equal(strv_add(&v, "b") | strv_add(&v, "a") | strv_take(&v, str_dup("B")), 0);
        assert_int_equal(strv_take(&v, NULL), -1);
        strv_sort(&v);
        assert_int_equal(v.n, 3);
        assert_string_equal(v.items[0], "B");
        assert_string_equal(v.items[2], "b");
        assert_true(strv_has(&v, "a"));
        assert_false(strv_has(&v, "A"));
}

static void small(void **state)
{
        (void)state;
        assert_true(str_equal(NULL, NULL) && str_equal("a", "a"));
        assert_false(str_equal(NULL, "a") || str_equal("a", NULL) || str_equal("a", "b"));
        assert_true(str_starts("abc", "ab") && str_starts("abc", "") && !str_starts("a", "ab"));
        assert_true(str_ends("abc", "bc") && str_ends("abc", "") && !str_ends("c", "bc"));
}

static void uuids(void **state)
{
        struct err err = ERR_INIT;
        char a[UUID_TEXT_BYTES], b[UUID_TEXT_BYTES];

        (void)state;
        assert_ok(uuid_random(a, &err), &err);
        assert_ok(uuid_random(b, &err), &err);
        assert_true(uuid_valid(a) && uuid_valid(b));
        assert_string_not_equal(a, b);
        assert_int_equal(a[14], '4');
        assert_non_null(strchr("89ab", a[19]));
        assert_true(uuid_valid("d432fbb3-d2f1-4a97-9ef7-75bd81c00000"));
        assert_false(uuid_valid("D432FBB3-d2f1-4a97-9ef7-75bd81c00000"));
        assert_false(uuid_valid("d432fbb3-d2f1-4a97-9ef7-75bd81c0000"));
        assert_false(uuid_valid("d432fbb3-d2f1-4a97-9ef7-75bd81c000000"));
        assert_false(uuid_valid("d432fbb3xd2f1-4a97-9ef7-75bd81c00000"));
        assert_false(uuid_valid(""));
}

/* --- out of memory --- */

static void out_of_memory(void **state)
{
        AUTO(strv_done) struct strv v = {0};

        (void)state;
        assert_int_equal(strv_add(&v, "a"), 0);
        for (size_t n = 1; n <= 2; n++) {
                oom_at(n);
                assert_int_equal(strv_add(&v, "b"), -1);
                assert_true(oom_off());
                assert_int_equal(v.n, 1);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(numbers),       cmocka_unit_test(wrong_numbers), cmocka_unit_test(names),
                cmocka_unit_test(foreign_text),  cmocka_unit_test(utf8),          cmocka_unit_test(nearest),
                cmocka_unit_test(lists),         cmocka_unit_test(small),         cmocka_unit_test(uuids),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
