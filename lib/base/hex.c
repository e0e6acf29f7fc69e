/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hexadecimal, strict by default: two spellings of the same bytes would let evidence be changed without any
 * check noticing, so what we read must be what we would have written.
 */
#include "base/hex.h"

#include <stdlib.h>

#include "base/mem.h"

static const char digits[] = "0123456789abcdef";

char *hex_write(char *ret, struct view v)
{
        for (size_t i = 0; i < v.len; i++) {
                ret[2 * i] = digits[v.p[i] >> 4];
                ret[2 * i + 1] = digits[v.p[i] & 15];
        }
        ret[2 * v.len] = '\0';
        return ret;
}

void buf_hex(struct buf *b, struct view v)
{
        char out[2 * 64 + 1];

        for (size_t i = 0; i < v.len; i += 64) {
                size_t n = v.len - i < 64 ? v.len - i : 64;

                (void)hex_write(out, VIEW(v.p + i, n));
                buf_put(b, out, 2 * n);
        }
}

char *hex_encode(struct view v)
{
        char *s;

        if (v.len > SIZE_MAX / 4)
                return NULL;
        s = mem_alloc(2 * v.len + 1);
        return s ? hex_write(s, v) : NULL;
}

int hex_digit(uint8_t c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

static int digit_value(uint8_t c, bool capitals)
{
        return !capitals && c >= 'A' && c <= 'F' ? -1 : hex_digit(c);
}

/* Decodes into RET, which holds text.len / 2 bytes. */
static int decode(struct view text, bool capitals, uint8_t *ret, struct err *err)
{
        if (text.len % 2)
                return err_set(err, ERR_FORMAT, 0, "hex: odd number of digits (%zu)", text.len);
        for (size_t i = 0; i < text.len; i += 2) {
                int high = digit_value(text.p[i], capitals);
                int low = digit_value(text.p[i + 1], capitals);

                if (high < 0 || low < 0)
                        return err_set(err, ERR_FORMAT, 0, "hex: character %zu is not a%s digit",
                                       high < 0 ? i + 1 : i + 2, capitals ? "" : " lower-case");
                ret[i / 2] = (uint8_t)(high << 4 | low);
        }
        return 0;
}

static int decode_to_buf(struct view text, bool capitals, size_t max, struct buf *ret, struct err *err)
{
        AUTO(mem_free_p)
        uint8_t *bytes = NULL;
        int r;

        if (text.len / 2 > max)
                return err_set(err, ERR_LIMIT, 0, "hex: %zu bytes, at most %zu are allowed", text.len / 2,
                               max);
        bytes = mem_alloc(text.len / 2);
        if (!bytes)
                return err_nomem(err);
        r = decode(text, capitals, bytes, err);
        if (r < 0)
                return r;
        buf_put(ret, bytes, text.len / 2);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int hex_decode(struct view text, size_t max, struct buf *ret, struct err *err)
{
        return decode_to_buf(text, false, max, ret, err);
}

int hex_decode_any(struct view text, size_t max, struct buf *ret, struct err *err)
{
        return decode_to_buf(text, true, max, ret, err);
}

int hex_decode_exact(struct view text, uint8_t *ret, size_t n, struct err *err)
{
        AUTO(mem_free_p)
        uint8_t *bytes = NULL;
        int r;

        if (text.len / 2 != n || text.len % 2)
                return err_set(err, ERR_FORMAT, 0, "hex: %zu digits where %zu are expected", text.len, 2 * n);
        bytes = mem_alloc(n);
        if (!bytes)
                return err_nomem(err);
        r = decode(text, false, bytes, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                ret[i] = bytes[i];
        return 0;
}
