/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chunked body, decoded byte by byte as it arrives. The size is 1 to 15 hex digits and nothing else may
 * stand in front of it; lines end in CRLF; an extension is skipped and bounded; trailers are dropped and
 * bounded. The limit is checked when a chunk announces its size, before a byte of it is kept.
 * Spec: RFC 9112 §7.1.
 */
#include "http/head.h"

#include "base/hex.h"

#define LINE_MAX_BYTES    256u  /* a size with its extension */
#define TRAILER_MAX_BYTES 4096u /* all trailers */
#define SIZE_MAX_DIGITS   15u   /* below 2^60 */

static long refuse(struct http_refusal *ret, int status, const char *reason)
{
        *ret = (struct http_refusal){status, reason};
        return -1;
}

/* The line with the size has ended. */
static void begin_chunk(struct http_chunks *c)
{
        c->state = c->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
        c->line = 0;
        c->cr = false;
}

/* One byte of the size's line. Return: false for one that may not stand there. */
static bool size_byte(struct http_chunks *c, uint8_t b)
{
        int d = hex_digit(b);

        if (++c->line > LINE_MAX_BYTES)
                return false;
        if (c->cr) {
                if (b != '\n')
                        return false;
                begin_chunk(c);
                return true;
        }
        if (b == '\r' && c->digits > 0) {
                c->cr = true;
                return true;
        }
        if (c->state == CHUNK_EXT)
                return b == '\t' || (b >= 0x20 && b != 0x7f);
        if (d >= 0) {
                c->left = c->left << 4 | (uint64_t)d;
                return ++c->digits <= SIZE_MAX_DIGITS;
        }
        if (b == ';' && c->digits > 0) {
                c->state = CHUNK_EXT;
                return true;
        }
        return false;
}

/* The CRLF behind a chunk's bytes. */
static bool data_end_byte(struct http_chunks *c, uint8_t b)
{
        if (b != (c->cr ? '\n' : '\r'))
                return false;
        if (c->cr) {
                c->state = CHUNK_SIZE;
                c->digits = c->line = 0;
                c->left = 0;
        }
        c->cr = !c->cr;
        return true;
}

/* Trailer lines up to the empty one. */
static bool trailer_byte(struct http_chunks *c, uint8_t b)
{
        if (++c->trailer > TRAILER_MAX_BYTES || b == '\0' || (c->cr && b != '\n') || (!c->cr && b == '\n'))
                return false;
        if (b == '\r') {
                c->cr = true;
        } else if (b == '\n') {
                if (c->line == 0)
                        c->state = CHUNK_DONE;
                c->line = 0;
                c->cr = false;
        } else {
                c->line++;
        }
        return true;
}

static bool other_byte(struct http_chunks *c, uint8_t b)
{
        if (c->state == CHUNK_DATA_CR)
                return data_end_byte(c, b);
        if (c->state == CHUNK_TRAILER)
                return trailer_byte(c, b);
        return size_byte(c, b);
}

long http_chunks_feed(struct http_chunks *c, struct view in, size_t limit, struct buf *out,
                      struct http_refusal *ret_refusal)
{
        size_t at = 0;

        while (at < in.len && c->state != CHUNK_DONE) {
                if (c->state == CHUNK_DATA) {
                        size_t n = in.len - at < c->left ? in.len - at : (size_t)c->left;

                        buf_put(out, in.p + at, n);
                        at += n;
                        c->left -= n;
                        if (c->left == 0)
                                c->state = CHUNK_DATA_CR;
                        continue;
                }
                if (!other_byte(c, in.p[at++]))
                        return refuse(ret_refusal, 400, "The chunked body is malformed.");
                if (c->state == CHUNK_DATA && c->left > limit - out->len)
                        return refuse(ret_refusal, 413, "The body is too large.");
        }
        if (!buf_ok(out))
                return refuse(ret_refusal, 503, "Out of memory.");
        return (long)at;
}
