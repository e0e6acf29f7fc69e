/* SPDX-License-Identifier: Apache-2.0 */
/* Strict JSON: what two readers could take differently is refused. */
#include "base/json.h"

#include <stdlib.h>

#include "support/support.h"

static json_t *parse(const char *text)
{
        struct err err = ERR_INIT;
        json_t *j = NULL;

        assert_ok(json_parse(view_str(text), 1000, &j, &err), &err);
        return j;
}

/* --- vectors --- */

static void getters(void **state)
{
        AUTO(json_free_p)
        json_t *j =
                parse("{\"s\":\"x\",\"i\":-5,\"b\":true,\"o\":{},\"a\":[1,2],\"h\":\"00ff\",\"q\":\"AP8=\","
                      "\"t\":\"2026-11-21T19:30:48Z\",\"n\":null}");
        AUTO(buf_free) struct buf b = {0};
        struct err err = ERR_INIT;
        const json_t *sub;
        const char *s;
        int64_t i;
        bool flag;

        (void)state;
        assert_ok(json_get_str(j, "s", &s, &err), &err);
        assert_string_equal(s, "x");
        assert_ok(json_get_int(j, "i", -5, 5, &i, &err), &err);
        assert_int_equal(i, -5);
        assert_ok(json_get_bool(j, "b", &flag, &err), &err);
        assert_true(flag);
        assert_ok(json_get_object(j, "o", &sub, &err), &err);
        assert_ok(json_get_array(j, "a", 2, &sub, &err), &err);
        assert_int_equal(json_array_size(sub), 2);
        assert_ok(json_get_hex(j, "h", 2, &b, &err), &err);
        assert_ok(json_get_base64(j, "q", 2, &b, &err), &err);
        assert_ok(json_get_base64_lax(j, "q", 2, &b, &err), &err);
        assert_int_equal(b.len, 6);
        assert_memory_equal(b.p, "\x00\xff\x00\xff\x00\xff", 6);
        assert_ok(json_get_time(j, "t", &i, &err), &err);
        assert_int_equal(i, 1795289448000);
}

static void optional(void **state)
{
        AUTO(json_free_p) json_t *j = parse("{\"n\":null,\"s\":\"x\"}");
        struct err err = ERR_INIT;
        const char *s = "before";
        int64_t i = 7;

        (void)state;
        assert_int_equal(json_opt_str(j, "n", &s, &err), 0);
        assert_int_equal(json_opt_str(j, "missing", &s, &err), 0);
        assert_string_equal(s, "before");
        assert_int_equal(json_opt_str(j, "s", &s, &err), 1);
        assert_string_equal(s, "x");
        assert_int_equal(json_opt_int(j, "n", 0, 1, &i, &err), 0);
        assert_int_equal(i, 7);
        assert_err(json_opt_int(j, "s", 0, 1, &i, &err), ERR_FORMAT, &err, "member 's'");
}

static void setters(void **state)
{
        AUTO(json_free_p) json_t *j = json_object();
        AUTO(mem_free_p) char *text = NULL;

        (void)state;
        assert_int_equal(json_set_str(j, "s", "x") | json_set_int(j, "i", 5) | json_set_bool(j, "b", false) |
                                 json_set_hex(j, "h", VIEW("\x0a", 1)) |
                                 json_set_base64(j, "q", VIEW("a", 1)) | json_set_time(j, "t", 0) |
                                 json_set_str(j, "n", NULL),
                         0);
        text = json_print(j); /* sorted, so that equal values give equal bytes */
        assert_string_equal(text, "{\"b\":false,\"h\":\"0a\",\"i\":5,\"n\":null,\"q\":\"YQ==\",\"s\":\"x\","
                                  "\"t\":\"1970-01-01T00:00:00.000Z\"}");
        assert_int_not_equal(json_set_str(j, "s", "\xff"), 0); /* not UTF-8 */
}

static void only(void **state)
{
        static const char *const names[] = {"a", "b"};
        AUTO(json_free_p) json_t *j = parse("{\"a\":1,\"c\\n\":2}");
        AUTO(json_free_p) json_t *good = parse("{\"b\":1}");
        AUTO(json_free_p) json_t *array = parse("[]");
        struct err err = ERR_INIT;

        (void)state;
        assert_err(json_only(j, names, 2, &err), ERR_FORMAT, &err, "unknown member 'c\\x0a'");
        assert_ok(json_only(good, names, 2, &err), &err);
        assert_err(json_only(array, names, 2, &err), ERR_FORMAT, &err, NULL);
}

/* --- limits --- */

static void limits(void **state)
{
        char deep[80];
        struct err err = ERR_INIT;
        json_t *j;

        (void)state;
        POISON(j);
        for (int depth = 31; depth <= 34; depth++) {
                json_t *ok = NULL;

                memset(deep, '[', (size_t)depth);
                memset(deep + depth, ']', (size_t)depth);
                deep[2 * depth] = '\0';
                if (depth <= JSON_DEPTH_LIMIT) {
                        assert_ok(json_parse(view_str(deep), 100, &ok, &err), &err);
                        json_decref(ok);
                } else {
                        assert_err(json_parse(view_str(deep), 100, &j, &err), ERR_LIMIT, &err, "deeper");
                }
        }
        assert_err(json_parse(view_str("[1,2]"), 4, &j, &err), ERR_LIMIT, &err, "at most 4");
        assert_poisoned(j);
        j = parse("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\"]"); /* brackets in strings do not count */
        json_decref(j);
}

static void number_limits(void **state)
{
        AUTO(json_free_p) json_t *j = parse("{\"i\":5,\"r\":5.0,\"a\":[1,2,3]}");
        struct err err = ERR_INIT;
        const json_t *a;
        int64_t i;

        (void)state;
        POISON(i);
        assert_err(json_get_int(j, "i", 6, 9, &i, &err), ERR_FORMAT, &err, "6 to 9");
        assert_err(json_get_int(j, "r", 0, 9, &i, &err), ERR_FORMAT, &err, "integer");
        assert_poisoned(i);
        assert_err(json_get_array(j, "a", 2, &a, &err), ERR_LIMIT, &err, "at most 2");
}

/* --- malformed --- */

static void malformed(void **state)
{
        static const char *const texts[] = {
                "",
                "1",
                "\"x\"",
                "null",
                "{",
                "{}x",
                "{} {}",
                "[1,]",
                "{\"a\":1,}",
                "{a:1}",
                "{'a':1}",
                "[01]",
                "[1.]",
                "[+1]",
                "[\"\t\"]",
                "[\"\\u0000\"]",
                "[\"\xff\"]",
                "[\"\\ud800\"]",
                "[NaN]",
                "[1e999]",
                "// x\n{}",
                "{\"a\":1,\"a\":1}",
                "{\"a\":{\"b\":1,\"b\":2}}",
                "[9223372036854775808]",
                "\xef\xbb\xbf{}",
        };
        struct err err = ERR_INIT;
        json_t *j;

        (void)state;
        POISON(j);
        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
                if (json_parse(view_str(texts[i]), 1000, &j, &err) >= 0)
                        fail_msg("accepted %s", texts[i]);
                assert_int_equal(err.kind, ERR_FORMAT);
        }
        assert_err(json_parse(VIEW("[\"a\0b\"]", 7), 1000, &j, &err), ERR_FORMAT, &err, "line 1");
        assert_poisoned(j);
}

static void any_answer(struct view bytes, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        json_t *j = NULL;

        (void)what;
        (void)ctx;
        if (json_parse(bytes, 1000, &j, &err) == 0)
                json_decref(j);
        else
                assert_null(j);
}

static void changed(void **state)
{
        struct view good = view_str("{\"a\":[1,2.5,\"x\\u00e4\"],\"b\":null}");

        (void)state;
        each_truncation(good, any_answer, NULL);
        each_bit_flip(good, any_answer, NULL);
}

static void wrong_types(void **state)
{
        AUTO(json_free_p) json_t *j = parse("{\"i\":1,\"s\":\"zz\",\"n\":null}");
        AUTO(json_free_p) json_t *array = parse("[]");
        AUTO(buf_free) struct buf b = {0};
        struct err err = ERR_INIT;
        const json_t *sub;
        const char *s;
        int64_t ms;
        bool flag;

        (void)state;
        assert_err(json_get_str(j, "i", &s, &err), ERR_FORMAT, &err, "member 'i': expected a string");
        assert_err(json_get_str(j, "n", &s, &err), ERR_FORMAT, &err, "member 'n' is missing");
        assert_err(json_get_str(j, "x", &s, &err), ERR_FORMAT, &err, "member 'x' is missing");
        assert_err(json_get_str(array, "x", &s, &err), ERR_FORMAT, &err, "expected an object");
        assert_err(json_get_str(NULL, "x", &s, &err), ERR_FORMAT, &err, "expected an object");
        assert_err(json_get_bool(j, "i", &flag, &err), ERR_FORMAT, &err, "true or false");
        assert_err(json_get_object(j, "i", &sub, &err), ERR_FORMAT, &err, "an object");
        assert_err(json_get_array(j, "i", 1, &sub, &err), ERR_FORMAT, &err, "an array");
        assert_err(json_get_hex(j, "s", 9, &b, &err), ERR_FORMAT, &err, "member 's': hex");
        assert_err(json_get_base64(j, "s", 9, &b, &err), ERR_FORMAT, &err, "member 's': base64");
        assert_err(json_get_time(j, "s", &ms, &err), ERR_FORMAT, &err, "member 's'");
        assert_int_equal(b.len, 0);
}

/* --- out of memory --- */

static int parse_once(void *ctx, struct err *err)
{
        json_t *j = NULL;
        int r;

        (void)ctx;
        r = json_parse(view_str("{\"a\":[1,\"x\"]}"), 100, &j, err);
        json_decref(j);
        return r;
}

static void out_of_memory(void **state)
{
        AUTO(json_free_p) json_t *j = parse("{\"a\":1}");

        (void)state;
        oom_each(parse_once, NULL);
        oom_at(1);
        assert_null(json_print(j));
        assert_true(oom_off());
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(getters),       cmocka_unit_test(optional), cmocka_unit_test(setters),
                cmocka_unit_test(only),          cmocka_unit_test(limits),   cmocka_unit_test(number_limits),
                cmocka_unit_test(malformed),     cmocka_unit_test(changed),  cmocka_unit_test(wrong_types),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
