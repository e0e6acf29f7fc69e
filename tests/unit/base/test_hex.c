/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal: one spelling for each byte string. */
#include "base/hex.h"

#include "support/support.h"

/* --- vectors --- */

static void both_ways(void **state)
{
        struct err err = ERR_INIT;
        struct buf b = {0};
        char text[9];

        (void)state;
        assert_string_equal(hex_write(text, VIEW("\x00\x1f\xa0\xff", 4)), "001fa0ff");
        assert_ok(hex_decode(view_str("001fa0ff"), 4, &b, &err), &err);
        assert_view(VIEW(b.p + 1, 3), "\x1f\xa0\xff");
        assert_ok(hex_decode_any(view_str("aAbB"), 2, &b, &err), &err);
        assert_int_equal(b.len, 6);
        assert_memory_equal(b.p + 4, "\xaa\xbb", 2);
        assert_ok(hex_decode(view_str(""), 0, &b, &err), &err);
        assert_int_equal(b.len, 6);
        buf_reset(&b);
        buf_hex(&b, VIEW("\x01\xfe", 2));
        assert_view(VIEW_BUF(&b), "01fe");
        buf_free(&b);
}

static void every_byte(void **state)
{
        struct err err = ERR_INIT;
        uint8_t all[256], back[256];
        AUTO(mem_free_p)
        char *text = NULL;

        (void)state;
        for (size_t i = 0; i < sizeof(all); i++)
                all[i] = (uint8_t)i;
        text = hex_encode(VIEW_ARRAY(all));
        assert_non_null(text);
        assert_ok(hex_decode_exact(view_str(text), back, sizeof(back), &err), &err);
        assert_memory_equal(all, back, sizeof(all));
}

/* --- limits --- */

static void too_many(void **state)
{
        struct err err = ERR_INIT;
        struct buf b = {0};
        uint8_t exact[2];

        (void)state;
        assert_err(hex_decode(view_str("0011"), 1, &b, &err), ERR_LIMIT, &err, "at most 1");
        assert_int_equal(b.len, 0);
        POISON(exact);
        assert_err(hex_decode_exact(view_str("001122"), exact, 2, &err), ERR_FORMAT, &err, "4 are expected");
        assert_err(hex_decode_exact(view_str("001"), exact, 2, &err), ERR_FORMAT, &err, NULL);
        assert_err(hex_decode_exact(view_str("00112"), exact, 2, &err), ERR_FORMAT, &err, NULL);
        assert_poisoned(exact);
        buf_free(&b);
}

/* --- malformed --- */

static void truncated(struct view bytes, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        uint8_t out[4];

        (void)what;
        (void)ctx;
        POISON(out);
        assert_err(hex_decode_exact(bytes, out, sizeof(out), &err), ERR_FORMAT, &err, NULL);
        assert_poisoned(out);
}

/* A flipped bit gives an error or other bytes, never the same. */
static void flipped(struct view bytes, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        uint8_t out[4];

        (void)what;
        (void)ctx;
        POISON(out);
        if (hex_decode_exact(bytes, out, sizeof(out), &err) == 0)
                assert_memory_not_equal(out, "\x00\x1f\xa0\xff", 4);
        else
                assert_poisoned(out);
}

static void malformed(void **state)
{
        static const char *const texts[] = {"0",  "zz",   "0x", "AB", "aB", " 0",
                                            "0g", "00 0", "`0", ":0", "/0"};
        struct view good = view_str("001fa0ff");
        struct err err = ERR_INIT;
        struct buf b = {0};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
                assert_err(hex_decode(view_str(texts[i]), 10, &b, &err), ERR_FORMAT, &err, "hex: ");
        assert_err(hex_decode(view_str("00g0"), 10, &b, &err), ERR_FORMAT, &err, "character 3");
        assert_int_equal(b.len, 0);
        buf_free(&b);
        each_truncation(good, truncated, NULL);
        each_bit_flip(good, flipped, NULL);
}

/* --- out of memory --- */

static int decode_once(void *ctx, struct err *err)
{
        AUTO(buf_free)
        struct buf b = {0};
        uint8_t exact[2];
        int r;

        (void)ctx;
        r = hex_decode(view_str("00112233"), 4, &b, err);
        return r < 0 ? r : hex_decode_exact(view_str("0011"), exact, sizeof(exact), err);
}

static void out_of_memory(void **state)
{
        (void)state;
        oom_each(decode_once, NULL);
        oom_at(1);
        assert_null(hex_encode(VIEW("a", 1)));
        assert_true(oom_off());
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(both_ways), cmocka_unit_test(every_byte),    cmocka_unit_test(too_many),
                cmocka_unit_test(malformed), cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
