/* SPDX-License-Identifier: Apache-2.0 */
/* The cursor under every parser, and the buf that every encoder fills. */
#include "base/bytes.h"

#include <stdlib.h>

#include "support/support.h"

/* --- vectors --- */

static void reads(void **state)
{
        static const uint8_t bytes[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b,
                                        0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x00, 0x02, 0xaa, 0xbb, 0xcc};
        struct guarded g;
        struct cursor c = cursor_of(guard_bytes(&g, VIEW_ARRAY(bytes)));
        uint8_t u8, two[2];
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
        struct view v;

        (void)state;
        assert_true(cursor_u8(&c, &u8) && u8 == 0x01);
        assert_true(cursor_be16(&c, &u16) && u16 == 0x0203);
        assert_true(cursor_le16(&c, &u16) && u16 == 0x0504);
        assert_true(cursor_be32(&c, &u32) && u32 == 0x06070809);
        assert_true(cursor_skip(&c, 1) && cursor_copy(&c, two, 2) && two[0] == 0x0b && two[1] == 0x0c);
        assert_true(cursor_le32(&c, &u32) && u32 == 0x100f0e0d);
        assert_true(cursor_be16_bytes(&c, &v) && v.len == 2 && v.p[1] == 0xbb);
        assert_int_equal(c.at, 20);
        assert_int_equal(c.left, 1);
        assert_false(cursor_be64(&c, &u64));
        v = cursor_rest(&c);
        assert_true(v.len == 1 && v.p[0] == 0xcc && c.left == 0 && c.at == 21);
        c = cursor_of(VIEW(g.v.p, 16));
        assert_true(cursor_be64(&c, &u64) && u64 == 0x0102030405060708);
        assert_true(cursor_le64(&c, &u64) && u64 == 0x100f0e0d0c0b0a09);
        guard_free(&g);
}

static void writes(void **state)
{
        static const uint8_t want[] = {0x01, 0x01, 0x02, 0x02, 0x01, 0x01, 0x02, 0x03, 0x04, 0x04,
                                       0x03, 0x02, 0x01, 1,    2,    3,    4,    5,    6,    7,
                                       8,    0,    2,    'h',  'i',  '4',  '2',  '!',  'x'};
        struct buf b = {0};
        char *text;

        (void)state;
        buf_u8(&b, 1);
        buf_be16(&b, 0x0102);
        buf_le16(&b, 0x0102);
        buf_be32(&b, 0x01020304);
        buf_le32(&b, 0x01020304);
        buf_be64(&b, 0x0102030405060708);
        buf_be16_bytes(&b, view_str("hi"));
        buf_fmt(&b, "%d", 42);
        buf_str(&b, "!");
        buf_put_view(&b, view_str("x"));
        buf_put(&b, NULL, 0);
        assert_true(buf_ok(&b));
        assert_int_equal(b.len, sizeof(want));
        assert_memory_equal(b.p, want, sizeof(want));
        text = buf_take_str(&b);
        assert_non_null(text);
        assert_int_equal(text[sizeof(want)], '\0');
        assert_null(b.p);
        free(text);
        text = buf_take_str(&b); /* of an empty one */
        assert_string_equal(text, "");
        free(text);
}

static void views(void **state)
{
        (void)state;
        assert_true(view_equal(VIEW_NONE, view_str("")));
        assert_true(view_equal(view_str("ab"), VIEW("abc", 2)));
        assert_false(view_equal(view_str("ab"), view_str("ac")));
        assert_false(view_equal(view_str("ab"), view_str("abc")));
}

/* --- limits --- */

/* A read that fails moves nothing and writes nothing. */
static void too_short(void **state)
{
        static const uint8_t bytes[] = {0x00, 0x09, 0xff};
        struct guarded g;
        struct cursor c = cursor_of(guard_bytes(&g, VIEW_ARRAY(bytes)));
        struct cursor before = c;
        struct view v;
        uint32_t u32;
        uint64_t u64;
        uint8_t four[4];

        (void)state;
        POISON(v);
        POISON(u32);
        POISON(u64);
        POISON(four);
        assert_false(cursor_take(&c, 4, &v));
        assert_false(cursor_take(&c, SIZE_MAX, &v));
        assert_false(cursor_skip(&c, SIZE_MAX));
        assert_false(cursor_copy(&c, four, 4));
        assert_false(cursor_be32(&c, &u32));
        assert_false(cursor_le32(&c, &u32));
        assert_false(cursor_le64(&c, &u64));
        assert_false(cursor_be16_bytes(&c, &v));
        assert_false(cursor_le32_bytes(&c, &v));
        assert_poisoned(v);
        assert_poisoned(u32);
        assert_poisoned(u64);
        assert_poisoned(four);
        assert_memory_equal(&c, &before, sizeof(c));
        guard_free(&g);
}

static void length_past_end(void **state)
{
        static const uint8_t bytes[] = {0xff, 0xff, 0xff, 0xff, 1};
        struct cursor c = cursor_of(VIEW_ARRAY(bytes));
        struct view v;

        (void)state;
        assert_false(cursor_le32_bytes(&c, &v));
        assert_int_equal(c.left, 5);
        assert_int_equal(c.at, 0);
}

static void too_long_for_prefix(void **state)
{
        struct buf b = {0};
        uint8_t *big = calloc(1, 65536);

        (void)state;
        assert_non_null(big);
        buf_be16_bytes(&b, VIEW(big, 65535));
        assert_true(buf_ok(&b));
        buf_be16_bytes(&b, VIEW(big, 65536));
        assert_false(buf_ok(&b));
        buf_reset(&b);
        assert_true(buf_ok(&b));
        buf_free(&b);
        free(big);
}

/* --- out of memory: the failure sticks until it is asked for --- */

static void out_of_memory(void **state)
{
        struct buf b = {0};

        (void)state;
        oom_at(1);
        buf_str(&b, "lost");
        assert_true(oom_off());
        buf_str(&b, "not written either");
        assert_false(buf_ok(&b));
        assert_int_equal(b.len, 0);
        assert_null(buf_take_str(&b));
        buf_put(&b, "x", SIZE_MAX); /* a size that cannot be */
        assert_false(buf_ok(&b));
        buf_free(&b);
        assert_true(buf_ok(&b));
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(reads),           cmocka_unit_test(writes),
                cmocka_unit_test(views),           cmocka_unit_test(too_short),
                cmocka_unit_test(length_past_end), cmocka_unit_test(too_long_for_prefix),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
