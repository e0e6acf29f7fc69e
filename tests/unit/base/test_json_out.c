/* SPDX-License-Identifier: Apache-2.0 */
/* JSON without a tree: the bytes are those that the tree would have been printed to. */
#include "base/json_out.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "support/support.h"

static void put_all(struct json_out *o, const char *name, const void *what)
{
        const char *text = what;

        json_out_object(o, name);
        json_out_array(o, "a");
        json_out_array_end(o);
        json_out_array(o, "b");
        json_out_int(o, NULL, INT64_MIN);
        json_out_int(o, NULL, 0);
        json_out_object(o, NULL);
        json_out_object_end(o);
        json_out_object(o, NULL);
        json_out_bool(o, "f", false);
        json_out_bool(o, "t", true);
        json_out_object_end(o);
        json_out_int(o, NULL, INT64_MAX);
        json_out_array_end(o);
        json_out_base64(o, "c", VIEW("\x00\xff", 2));
        json_out_hex(o, "d", VIEW("\x00\xff", 2));
        json_out_null(o, "e");
        json_out_str(o, "f", text);
        json_out_str(o, "g", NULL);
        json_out_time(o, "h", 1795289448123);
        json_out_object(o, "i");
        json_out_object_end(o);
        json_out_object_end(o);
}

static const char every_escape[] =
        "\x01\x02\b\t\n\v\f\r\x1b\x1f \"\\/'\x7f \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80";

static void as_the_tree(void **state)
{
        AUTO(json_free_p) json_t *tree = json_out_tree(put_all, every_escape);
        AUTO(mem_free_p) char *text = json_out_text(put_all, every_escape);
        AUTO(mem_free_p) char *expected = NULL;
        AUTO(buf_free) struct buf pretty = {0};
        struct json_out o = json_out_to(&pretty, true);

        (void)state;
        assert_non_null(tree);
        assert_string_equal(json_string_value(json_object_get(tree, "f")), every_escape);
        expected = json_print(tree);
        assert_string_equal(text, expected);
        mem_free_p(&expected);
        expected = json_print_pretty(tree);
        put_all(&o, NULL, every_escape);
        buf_u8(&pretty, 0);
        assert_true(buf_ok(&pretty));
        assert_string_equal((char *)pretty.p, expected);
}

/* Hex and base64 are put in pieces. */
static void long_bytes(void **state)
{
        uint8_t bytes[1000];

        (void)state;
        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (uint8_t)(i * 7);
        for (size_t n = 0; n < sizeof(bytes); n++) {
                AUTO(buf_free) struct buf text = {0}, hex = {0}, base64 = {0};
                AUTO(json_free_p) json_t *j = NULL;
                struct json_out o = json_out_to(&text, false);
                struct err err = ERR_INIT;

                json_out_object(&o, NULL);
                json_out_hex(&o, "h", VIEW(bytes, n));
                json_out_base64(&o, "b", VIEW(bytes, n));
                json_out_object_end(&o);
                assert_ok(json_parse(VIEW_BUF(&text), 10000, &j, &err), &err);
                assert_ok(json_get_hex(j, "h", sizeof(bytes), &hex, &err), &err);
                assert_ok(json_get_base64(j, "b", sizeof(bytes), &base64, &err), &err);
                assert_true(view_equal(VIEW_BUF(&hex), VIEW(bytes, n)));
                assert_true(view_equal(VIEW_BUF(&base64), VIEW(bytes, n)));
        }
}

static void not_utf8(void **state)
{
        static const char *const texts[] = {"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\x80", "x\x80y"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
                assert_null(json_out_text(put_all, texts[i]));
                assert_null(json_out_tree(put_all, texts[i]));
        }
}

static int run_oom(void *ctx, struct err *err)
{
        AUTO(mem_free_p) char *text = json_out_text(put_all, ctx);
        AUTO(json_free_p) json_t *tree = text ? json_out_tree(put_all, ctx) : NULL;

        return tree ? 0 : err_nomem(err);
}

static void oom(void **state)
{
        (void)state;
        oom_each(run_oom, (void *)(uintptr_t)every_escape);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(as_the_tree),
                cmocka_unit_test(long_bytes),
                cmocka_unit_test(not_utf8),
                cmocka_unit_test(oom),
        };

        return cmocka_run_group_tests_name("json_out", tests, NULL, NULL);
}
