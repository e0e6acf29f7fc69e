/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base64, canonical: the unused bits of the last digit are zero and the padding is right, so every byte
 * string has one spelling (a changed bit in stored evidence cannot hide in a second one). Keylime's peers
 * send what Python's lenient decoder takes, hence the lax form.
 *
 * Spec: RFC 4648 §3.5 (canonical encoding), §4, §5.
 */
#include "base/base64.h"

#include <string.h>

#include "base/mem.h"

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char urlsafe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Up to three bytes as digits. Return: how many digits. */
static size_t encode_group(struct view v, const char *alphabet, bool pad, char *out)
{
        uint32_t x = (uint32_t)v.p[0] << 16;

        if (v.len > 1)
                x |= (uint32_t)v.p[1] << 8;
        if (v.len > 2)
                x |= v.p[2];
        for (size_t k = 0; k < 4; k++)
                out[k] = k <= v.len ? alphabet[x >> (18 - 6 * k) & 63] : '=';
        return pad ? 4 : v.len + 1;
}

static void encode(struct buf *b, struct view v, const char *alphabet, bool pad)
{
        char out[256];
        size_t len = 0;

        for (size_t i = 0; i < v.len; i += 3) {
                size_t n = v.len - i < 3 ? v.len - i : 3;

                len += encode_group(VIEW(v.p + i, n), alphabet, pad, out + len);
                if (len > sizeof(out) - 4) {
                        buf_put(b, out, len);
                        len = 0;
                }
        }
        buf_put(b, out, len);
}

void buf_base64(struct buf *b, struct view v)
{
        encode(b, v, standard, true);
}

void buf_base64url(struct buf *b, struct view v)
{
        encode(b, v, urlsafe, false);
}

char *base64_encode(struct view v)
{
        struct buf b = {0};

        buf_base64(&b, v);
        return buf_take_str(&b);
}

char *base64url_encode(struct view v)
{
        struct buf b = {0};

        buf_base64url(&b, v);
        return buf_take_str(&b);
}

struct dialect {
        bool plus_slash, dash_underscore; /* which of the two alphabets */
        bool lax;                         /* skip white space, forgive padding and unused bits */
        bool padded;
};

/* Values of the digits that both alphabets share, plus one; 0: none. */
static const uint8_t shared[256] = {
        ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
        ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
        ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
        ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
        ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
        ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
        ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
        ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62,
};

static int digit_value(uint8_t c, const struct dialect *d)
{
        if (shared[c])
                return shared[c] - 1;
        if ((c == '+' && d->plus_slash) || (c == '-' && d->dash_underscore))
                return 62;
        if ((c == '/' && d->plus_slash) || (c == '_' && d->dash_underscore))
                return 63;
        return -1;
}

static bool is_blank(uint8_t c)
{
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* How many characters of TEXT are digits; what stands behind them must be the right padding. */
static int check_padding(struct view text, const struct dialect *d, size_t *ret_len, struct err *err)
{
        size_t len = text.len;

        while (len > 0 && (text.p[len - 1] == '=' || (d->lax && is_blank(text.p[len - 1]))))
                len--;
        *ret_len = len;
        if (d->lax)
                return 0;
        if (!d->padded && len != text.len)
                return err_set(err, ERR_FORMAT, 0, "base64url: padding is not allowed");
        if (d->padded && (text.len % 4 || text.len - len > 2))
                return err_set(err, ERR_FORMAT, 0, "base64: wrong padding");
        return 0;
}

static int decode_digits(struct view text, const struct dialect *d, uint8_t *ret, size_t *ret_len,
                         struct err *err)
{
        uint32_t x = 0;
        unsigned bits = 0;
        size_t digits = 0;

        *ret_len = 0;
        for (size_t i = 0; i < text.len; i++) {
                int value = digit_value(text.p[i], d);

                if (value < 0 && d->lax && is_blank(text.p[i]))
                        continue;
                if (value < 0)
                        return err_set(err, ERR_FORMAT, 0, "base64: character %zu is not a digit", i + 1);
                x = (x << 6 | (uint32_t)value) & 0xffff;
                bits += 6;
                digits++;
                if (bits >= 8) {
                        bits -= 8;
                        ret[(*ret_len)++] = (uint8_t)(x >> bits);
                }
        }
        if (digits % 4 == 1)
                return err_set(err, ERR_FORMAT, 0, "base64: cut off after %zu digits", digits);
        if (!d->lax && (x & ((1U << bits) - 1)) != 0)
                return err_set(err, ERR_FORMAT, 0, "base64: unused bits of the last digit are not zero");
        return 0;
}

static int decode(struct view text, const struct dialect *d, size_t max, struct buf *ret, struct err *err)
{
        AUTO(mem_free_p)
        uint8_t *bytes = NULL;
        size_t len, n;
        int r;

        r = check_padding(text, d, &len, err);
        if (r < 0)
                return r;
        if (!d->lax && len / 4 * 3 > max)
                return err_set(err, ERR_LIMIT, 0, "base64: more than %zu bytes", max);
        bytes = mem_alloc(len / 4 * 3 + 3);
        if (!bytes)
                return err_nomem(err);
        r = decode_digits(VIEW(text.p, len), d, bytes, &n, err);
        if (r < 0)
                return r;
        if (n > max)
                return err_set(err, ERR_LIMIT, 0, "base64: %zu bytes, at most %zu are allowed", n, max);
        buf_put(ret, bytes, n);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int base64_decode(struct view text, size_t max, struct buf *ret, struct err *err)
{
        static const struct dialect d = {.plus_slash = true, .padded = true};

        return decode(text, &d, max, ret, err);
}

int base64url_decode(struct view text, size_t max, struct buf *ret, struct err *err)
{
        static const struct dialect d = {.dash_underscore = true};

        return decode(text, &d, max, ret, err);
}

int base64_decode_lax(struct view text, size_t max, struct buf *ret, struct err *err)
{
        static const struct dialect d = {.plus_slash = true, .dash_underscore = true, .lax = true};

        return decode(text, &d, max, ret, err);
}
