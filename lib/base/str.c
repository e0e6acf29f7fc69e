/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings. The threat behind most of this file: text that a peer chose ends up in a log line, a terminal or a
 * message, and tries to be something else there (CVE-2022-23949 of Keylime: host names that write log lines).
 * So whatever is foreign is shown through str_show(), which leaves nothing but printable characters.
 */
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"

bool str_equal(const char *a, const char *b)
{
        return a && b ? strcmp(a, b) == 0 : a == b;
}

bool str_starts(const char *s, const char *prefix)
{
        return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
        size_t n = strlen(s), m = strlen(suffix);

        return n >= m && strcmp(s + (n - m), suffix) == 0;
}

/* What a first byte of UTF-8 promises: how many bytes follow, and the limits of the next one. */
struct utf8_row {
        uint8_t first_min, first_max, next_min, next_max;
        size_t follow;
};

/* Spec: RFC 3629 §4 (the table leaves out overlong forms, surrogates and what is above U+10FFFF). */
static const struct utf8_row utf8_rows[] = {
        {0x00, 0x7f, 0x00, 0x00, 0}, {0xc2, 0xdf, 0x80, 0xbf, 1}, {0xe0, 0xe0, 0xa0, 0xbf, 2},
        {0xe1, 0xec, 0x80, 0xbf, 2}, {0xed, 0xed, 0x80, 0x9f, 2}, {0xee, 0xef, 0x80, 0xbf, 2},
        {0xf0, 0xf0, 0x90, 0xbf, 3}, {0xf1, 0xf3, 0x80, 0xbf, 3}, {0xf4, 0xf4, 0x80, 0x8f, 3},
};

/* Takes one character. Return: false, and nothing moves, if there is no valid one. */
static bool take_utf8(struct cursor *c, struct view *ret)
{
        struct cursor at = *c;
        struct view bytes;
        uint8_t first;

        if (!cursor_u8(&at, &first))
                return false;
        for (size_t i = 0; i < ARRAY_LEN(utf8_rows); i++) {
                const struct utf8_row *row = &utf8_rows[i];

                if (first < row->first_min || first > row->first_max)
                        continue;
                at = *c;
                if (!cursor_take(&at, 1 + row->follow, &bytes))
                        return false;
                for (size_t k = 1; k <= row->follow; k++) {
                        uint8_t min = k == 1 ? row->next_min : 0x80, max = k == 1 ? row->next_max : 0xbf;

                        if (bytes.p[k] < min || bytes.p[k] > max)
                                return false;
                }
                *c = at;
                *ret = bytes;
                return true;
        }
        return false;
}

bool str_valid_utf8(struct view v)
{
        struct cursor c = cursor_of(v);
        struct view one;

        while (c.left) {
                if (c.p[0] < 0x80 && cursor_skip(&c, 1))
                        continue;
                if (!take_utf8(&c, &one))
                        return false;
        }
        return true;
}

/* C1 controls (U+0080…9f), and what turns or hides text on a terminal (U+200b…f, U+2028…e, U+2060…f, U+feff).
 */
static bool is_hidden(struct view ch)
{
        if (ch.len == 2)
                return ch.p[0] == 0xc2 && ch.p[1] < 0xa0;
        if (ch.len != 3)
                return false;
        if (ch.p[0] == 0xe2 && ch.p[1] == 0x80)
                return (ch.p[2] >= 0x8b && ch.p[2] <= 0x8f) || (ch.p[2] >= 0xa8 && ch.p[2] <= 0xae);
        return (ch.p[0] == 0xe2 && ch.p[1] == 0x81 && ch.p[2] >= 0xa0 && ch.p[2] <= 0xaf) ||
               (ch.p[0] == 0xef && ch.p[1] == 0xbb && ch.p[2] == 0xbf);
}

#define ESCAPED_MAX 16 /* four bytes as \xNN */

/* The next character of C as it may be printed, into OUT; those of ALSO are escaped too. Return: its length.
 */
static size_t take_printable(struct cursor *c, const char *also, char out[ESCAPED_MAX + 1])
{
        struct view ch;
        size_t len = 0;

        if (!take_utf8(c, &ch) && !cursor_take(c, 1, &ch))
                return 0;
        if ((ch.len == 1 && (ch.p[0] < 0x20 || ch.p[0] >= 0x7f || strchr(also, ch.p[0]))) || is_hidden(ch)) {
                for (size_t i = 0; i < ch.len; i++, len += 4)
                        (void)snprintf(out + len, ESCAPED_MAX + 1 - len, "\\x%02x", ch.p[i]);
                return len;
        }
        memcpy(out, ch.p, ch.len);
        return ch.len;
}

/* How many of the first bytes of V are ASCII that stands for itself. */
static size_t plain_run(struct view v, const char *also)
{
        size_t n = 0;

        while (n < v.len && v.p[n] >= 0x20 && v.p[n] < 0x7f && !strchr(also, v.p[n]))
                n++;
        return n;
}

static void put_printable(struct buf *b, struct view v, const char *also)
{
        struct cursor c = cursor_of(v);
        char out[ESCAPED_MAX + 1];
        struct view run;

        while (c.left) {
                if (cursor_take(&c, plain_run(VIEW(c.p, c.left), also), &run) && run.len)
                        buf_put_view(b, run);
                else
                        buf_put(b, out, take_printable(&c, also, out));
        }
}

static const char quoting[] = "\\'\"";

void buf_escaped(struct buf *b, struct view v)
{
        put_printable(b, v, quoting);
}

void buf_printable(struct buf *b, struct view v)
{
        put_printable(b, v, "");
}

bool str_plain(struct view v)
{
        return plain_run(v, quoting) == v.len;
}

const char *str_show(struct view v, struct str_shown *ret)
{
        static const char cut[] = "\xe2\x80\xa6'"; /* … and the closing quote */
        struct cursor c = cursor_of(v);
        char out[ESCAPED_MAX + 1];
        size_t len = 0;

        ret->text[len++] = '\'';
        while (c.left) {
                size_t n = take_printable(&c, quoting, out);

                if (c.at > 120 || len + n + sizeof(cut) > sizeof(ret->text)) {
                        memcpy(ret->text + len, cut, sizeof(cut));
                        return ret->text;
                }
                memcpy(ret->text + len, out, n);
                len += n;
        }
        memcpy(ret->text + len, "'", 2);
        return ret->text;
}

static bool is_alnum(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_word(const char *s, size_t max)
{
        size_t n = strnlen(s, max + 1);

        if (n == 0 || n > max)
                return false;
        for (size_t i = 0; i < n; i++) {
                if (!is_alnum(s[i]) && !strchr("_.-", s[i]))
                        return false;
        }
        return true;
}

bool str_valid_host_id(const char *s)
{
        return is_word(s, 80) && !str_equal(s, ".") && !str_equal(s, "..");
}

bool str_valid_name(const char *s)
{
        return is_word(s, 64) && is_alnum(s[0]);
}

/* Digits of BASE (10 or 16) as a number. Return: 1 done, 0 not a number, -1 too large for 64 bits. */
static int digits_value(struct view text, unsigned base, uint64_t *ret)
{
        bool large = false;
        uint64_t x = 0;

        for (size_t i = 0; i < text.len; i++) {
                int digit = hex_digit(text.p[i]);

                if (digit < 0 || (unsigned)digit >= base)
                        return 0;
                if (__builtin_mul_overflow(x, base, &x) || __builtin_add_overflow(x, (unsigned)digit, &x))
                        large = true;
        }
        *ret = x;
        return text.len == 0 ? 0 : large ? -1 : 1;
}

static bool leading_zero(struct view text)
{
        return text.len > 1 && text.p[0] == '0';
}

int str_parse_uint(struct view text, uint64_t max, uint64_t *ret, struct err *err)
{
        uint64_t x;
        int r = leading_zero(text) ? 0 : digits_value(text, 10, &x);

        if (r == 0)
                return err_set(err, ERR_FORMAT, 0, "%s is not a whole number", SHOW_VIEW(text));
        if (r < 0 || x > max)
                return err_set(err, ERR_LIMIT, 0, "%s is more than %llu", SHOW_VIEW(text),
                               (unsigned long long)max);
        *ret = x;
        return 0;
}

int str_parse_int(struct view text, int64_t min, int64_t max, int64_t *ret, struct err *err)
{
        bool negative = text.len > 0 && text.p[0] == '-';
        struct view digits = negative ? VIEW(text.p + 1, text.len - 1) : text;
        uint64_t x = 0, most = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
        int64_t value;
        int r = leading_zero(digits) ? 0 : digits_value(digits, 10, &x);

        if (r == 0 || (negative && x == 0))
                return err_set(err, ERR_FORMAT, 0, "%s is not a whole number", SHOW_VIEW(text));
        if (r > 0 && x <= most) {
                value = negative ? (int64_t)(0 - x) : (int64_t)x;
                if (value >= min && value <= max) {
                        *ret = value;
                        return 0;
                }
        }
        return err_set(err, ERR_LIMIT, 0, "%s is not within %lld to %lld", SHOW_VIEW(text), (long long)min,
                       (long long)max);
}

int str_parse_hex(struct view text, uint64_t max, uint64_t *ret, struct err *err)
{
        struct cursor c = cursor_of(text);
        struct view prefix;
        uint64_t x = 0;
        int r = 0;

        if (cursor_take(&c, 2, &prefix) && view_equal(prefix, view_str("0x")) && c.left <= 16)
                r = digits_value(cursor_rest(&c), 16, &x);
        if (r <= 0)
                return err_set(err, ERR_FORMAT, 0, "%s is not a number like 0x1f", SHOW_VIEW(text));
        if (x > max)
                return err_set(err, ERR_LIMIT, 0, "%s is more than 0x%llx", SHOW_VIEW(text),
                               (unsigned long long)max);
        *ret = x;
        return 0;
}

int str_parse_size(struct view text, uint64_t *ret, struct err *err)
{
        static const struct {
                const char *name;
                unsigned shift;
        } units[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
        unsigned shift = 0;
        struct view digits = text;
        uint64_t x;
        int r;

        for (size_t i = 0; i < ARRAY_LEN(units) && text.len > 3; i++) {
                if (view_equal(VIEW(text.p + text.len - 3, 3), view_str(units[i].name))) {
                        shift = units[i].shift;
                        digits.len = text.len - 3;
                }
        }
        r = leading_zero(digits) ? 0 : digits_value(digits, 10, &x);
        if (r == 0)
                return err_set(err, ERR_FORMAT, 0, "%s is not a size like 65536, 64KiB or 4MiB",
                               SHOW_VIEW(text));
        if (r < 0 || x > (uint64_t)INT64_MAX >> shift)
                return err_set(err, ERR_LIMIT, 0, "%s is too large", SHOW_VIEW(text));
        *ret = x << shift;
        return 0;
}

#define NEAREST_MAX 48 /* longer words get no suggestion */

static size_t min3(size_t a, size_t b, size_t c)
{
        size_t ab = a < b ? a : b;

        return ab < c ? ab : c;
}

/* Insertions, deletions, substitutions and swaps of neighbours between A and B. */
static size_t edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
        size_t d[NEAREST_MAX + 1][NEAREST_MAX + 1];

        for (size_t i = 0; i <= a_len; i++)
                d[i][0] = i;
        for (size_t j = 0; j <= b_len; j++)
                d[0][j] = j;
        for (size_t i = 1; i <= a_len; i++) {
                for (size_t j = 1; j <= b_len; j++) {
                        size_t other = a[i - 1] != b[j - 1];

                        d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + other);
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                            d[i - 2][j - 2] + 1 < d[i][j])
                                d[i][j] = d[i - 2][j - 2] + 1;
                }
        }
        return d[a_len][b_len];
}

const char *str_nearest(const char *word, const char *const *names, size_t n_names)
{
        size_t len = strnlen(word, NEAREST_MAX + 1);
        size_t best = len / 3 > 1 ? len / 3 + 1 : 2;
        const char *nearest = NULL;

        if (len == 0 || len > NEAREST_MAX)
                return NULL;
        for (size_t i = 0; i < n_names; i++) {
                size_t n = strnlen(names[i], NEAREST_MAX + 1), distance;

                if (n == 0 || n > NEAREST_MAX)
                        continue;
                distance = edit_distance(word, len, names[i], n);
                if (distance < best && distance < n) {
                        best = distance;
                        nearest = names[i];
                }
        }
        return nearest;
}

int strv_take(struct strv *v, char *s)
{
        char **items;

        if (!s)
                return -1;
        items = mem_resize(v->items, v->n + 1, sizeof(*items));
        if (!items) {
                free(s);
                return -1;
        }
        v->items = items;
        v->items[v->n++] = s;
        return 0;
}

int strv_add(struct strv *v, const char *s)
{
        return strv_take(v, str_dup(s));
}

bool strv_has(const struct strv *v, const char *s)
{
        for (size_t i = 0; i < v->n; i++) {
                if (str_equal(v->items[i], s))
                        return true;
        }
        return false;
}

static int compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(struct strv *v)
{
        if (v->n > 1)
                qsort(v->items, v->n, sizeof(*v->items), compare);
}

void strv_done(struct strv *v)
{
        for (size_t i = 0; i < v->n; i++)
                free(v->items[i]);
        free(v->items);
        *v = (struct strv){0};
}
