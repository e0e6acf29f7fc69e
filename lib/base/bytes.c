/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cursor under every parser and the builder under every encoder. The threat is a length that a peer
 * chose: so there is one place where a length meets what is left, it subtracts nothing and adds nothing
 * before it has compared, and pointers into input are never computed anywhere else.
 */
#include "base/bytes.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct view view_str(const char *s)
{
        return VIEW(s, strlen(s));
}

bool view_equal(struct view a, struct view b)
{
        return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

struct cursor cursor_of(struct view v)
{
        return (struct cursor){.p = v.p, .left = v.len, .at = 0};
}

/* The read under all reads, inside this file without a call: measurement lists are millions of them. */
static inline bool take(struct cursor *c, size_t n, struct view *ret)
{
        if (n > c->left)
                return false;
        *ret = VIEW(c->p, n);
        if (n)
                c->p += n;
        c->left -= n;
        c->at += n;
        return true;
}

bool cursor_take(struct cursor *c, size_t n, struct view *ret)
{
        return take(c, n, ret);
}

bool cursor_skip(struct cursor *c, size_t n)
{
        struct view v;

        return take(c, n, &v);
}

bool cursor_copy(struct cursor *c, void *ret, size_t n)
{
        struct view v;

        if (!take(c, n, &v))
                return false;
        if (n)
                memcpy(ret, v.p, n);
        return true;
}

/* N (at most 8) bytes as one number, most significant first or last. */
static bool take_number(struct cursor *c, size_t n, bool big, uint64_t *ret)
{
        struct view v;
        uint64_t x = 0;

        if (!take(c, n, &v))
                return false;
        for (size_t i = 0; i < n; i++)
                x = x << 8 | v.p[big ? i : n - 1 - i];
        *ret = x;
        return true;
}

#define DEFINE_READ(name, type, big)                                                                         \
        bool name(struct cursor *c, type *ret)                                                               \
        {                                                                                                    \
                uint64_t x;                                                                                  \
                                                                                                             \
                if (!take_number(c, sizeof(type), big, &x))                                                  \
                        return false;                                                                        \
                *ret = (type)x;                                                                              \
                return true;                                                                                 \
        }

DEFINE_READ(cursor_u8, uint8_t, true)
DEFINE_READ(cursor_be16, uint16_t, true)
DEFINE_READ(cursor_be32, uint32_t, true)
DEFINE_READ(cursor_be64, uint64_t, true)
DEFINE_READ(cursor_le16, uint16_t, false)
DEFINE_READ(cursor_le64, uint64_t, false)

bool cursor_be16_bytes(struct cursor *c, struct view *ret)
{
        struct cursor before = *c;
        uint16_t len;

        if (cursor_be16(c, &len) && take(c, len, ret))
                return true;
        *c = before;
        return false;
}

static inline bool take_le32(struct cursor *c, uint32_t *ret)
{
        struct view v;

        if (!take(c, sizeof(*ret), &v))
                return false;
        memcpy(ret, v.p, sizeof(*ret));
        *ret = le32toh(*ret);
        return true;
}

bool cursor_le32(struct cursor *c, uint32_t *ret)
{
        return take_le32(c, ret);
}

bool cursor_le32_bytes(struct cursor *c, struct view *ret)
{
        struct cursor rest = *c;
        uint32_t len;

        if (!take_le32(&rest, &len) || !take(&rest, len, ret))
                return false;
        *c = rest;
        return true;
}

struct view cursor_rest(struct cursor *c)
{
        struct view v = VIEW(c->p, c->left);

        c->p += c->left;
        c->at += c->left;
        c->left = 0;
        return v;
}

/* Room for N more bytes and a NUL. */
static bool buf_grow(struct buf *b, size_t n)
{
        size_t need, cap = b->cap ? b->cap : 64;
        uint8_t *p;

        if (b->failed)
                return false;
        if (__builtin_add_overflow(b->len, n, &need) || __builtin_add_overflow(need, 1, &need) ||
            need > SIZE_MAX / 2) {
                b->failed = true;
                return false;
        }
        if (need <= b->cap)
                return true;
        while (cap < need)
                cap *= 2;
        p = mem_resize(b->p, cap, 1);
        if (!p) {
                b->failed = true;
                return false;
        }
        b->p = p;
        b->cap = cap;
        return true;
}

void buf_put(struct buf *b, const void *p, size_t n)
{
        if (!buf_grow(b, n) || n == 0)
                return;
        memcpy(b->p + b->len, p, n);
        b->len += n;
}

void buf_put_view(struct buf *b, struct view v)
{
        buf_put(b, v.p, v.len);
}

/* The lowest N bytes of X. */
static void put_number(struct buf *b, uint64_t x, size_t n, bool big)
{
        uint8_t bytes[8];

        for (size_t i = 0; i < n; i++)
                bytes[big ? n - 1 - i : i] = (uint8_t)(x >> (8 * i));
        buf_put(b, bytes, n);
}

void buf_u8(struct buf *b, uint8_t x)
{
        put_number(b, x, 1, true);
}

void buf_be16(struct buf *b, uint16_t x)
{
        put_number(b, x, 2, true);
}

void buf_be32(struct buf *b, uint32_t x)
{
        put_number(b, x, 4, true);
}

void buf_be64(struct buf *b, uint64_t x)
{
        put_number(b, x, 8, true);
}

void buf_le16(struct buf *b, uint16_t x)
{
        put_number(b, x, 2, false);
}

void buf_le32(struct buf *b, uint32_t x)
{
        put_number(b, x, 4, false);
}

void buf_be16_bytes(struct buf *b, struct view v)
{
        if (v.len > UINT16_MAX) {
                b->failed = true;
                return;
        }
        buf_be16(b, (uint16_t)v.len);
        buf_put_view(b, v);
}

void buf_str(struct buf *b, const char *s)
{
        buf_put(b, s, strlen(s));
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
        va_list ap, again;
        int len;

        va_start(ap, fmt);
        va_copy(again, ap);
        len = vsnprintf(NULL, 0, fmt, ap);
        if (len < 0)
                b->failed = true;
        else if (buf_grow(b, (size_t)len)) {
                (void)vsnprintf((char *)b->p + b->len, (size_t)len + 1, fmt, again);
                b->len += (size_t)len;
        }
        va_end(again);
        va_end(ap);
}

bool buf_ok(const struct buf *b)
{
        return !b->failed;
}

char *buf_take_str(struct buf *b)
{
        char *s = NULL;

        if (buf_grow(b, 0)) {
                b->p[b->len] = '\0';
                s = (char *)b->p;
                b->p = NULL;
        }
        buf_free(b);
        return s;
}

void buf_reset(struct buf *b)
{
        b->len = 0;
        b->failed = false;
}

void buf_free(struct buf *b)
{
        free(b->p);
        *b = (struct buf){0};
}
