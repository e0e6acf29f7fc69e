/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small decoders: hex, base64, numbers, times, and text made printable. In production strangers control
 * these bytes, inside every message. Whatever is decoded strictly must encode back to the very same text.
 */
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"
#include "fuzz/fuzz.h"

typedef int decode_fn(struct view text, size_t max, struct buf *ret, struct err *err);
typedef char *encode_fn(struct view v);

static void round_trip(struct view text, decode_fn *decode, encode_fn *encode)
{
        AUTO(buf_free)
        struct buf b = {0};
        AUTO(mem_free_p)
        char *back = NULL;
        struct err err = ERR_INIT;

        if (decode(text, 1U << 20, &b, &err) < 0)
                return;
        back = encode(VIEW_BUF(&b));
        FUZZ_CHECK(back && view_equal(view_str(back), text));
}

static void show(struct view text)
{
        AUTO(buf_free)
        struct buf b = {0};
        const char *shown = SHOW_VIEW(text);

        FUZZ_CHECK(strlen(shown) < sizeof(((struct str_shown *)0)->text) && str_valid_utf8(view_str(shown)));
        buf_escaped(&b, text);
        FUZZ_CHECK(buf_ok(&b) && str_valid_utf8(VIEW_BUF(&b)));
        for (size_t i = 0; i < b.len; i++)
                FUZZ_CHECK(b.p[i] >= 0x20 && b.p[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct view text = VIEW(data, size);
        AUTO(buf_free)
        struct buf b = {0};
        struct err err = ERR_INIT;
        char time_text[CLOCK_TEXT_BYTES];
        int64_t ms, again;
        uint64_t n;

        if (size > 65536)
                return 0;
        round_trip(text, hex_decode, hex_encode);
        round_trip(text, base64_decode, base64_encode);
        round_trip(text, base64url_decode, base64url_encode);
        (void)!base64_decode_lax(text, 65536, &b, &err);
        show(text);
        (void)!str_parse_uint(text, UINT64_MAX, &n, &err);
        (void)!str_parse_int(text, INT64_MIN, INT64_MAX, &ms, &err);
        (void)!str_parse_hex(text, UINT64_MAX, &n, &err);
        (void)!str_parse_size(text, &n, &err);
        if (clock_parse(text, &ms, &err) == 0 && ms >= -62167219200000 && ms < 253402300800000)
                FUZZ_CHECK(clock_parse(view_str(clock_format(ms, time_text)), &again, &err) == 0 &&
                           again == ms);
        if (clock_parse_duration(text, &ms, &err) == 0)
                FUZZ_CHECK(clock_parse_duration(view_str(clock_format_duration(ms, time_text)), &again,
                                                &err) == 0 &&
                           again == ms);
        return 0;
}
