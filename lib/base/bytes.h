/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_BYTES_H
#define AVOW_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

/*
 * Bytes: three types with three jobs.
 *
 *   struct view    borrowed bytes, read-only. Lives as long as what it points into.
 *   struct cursor  a view that is being read. All bytes from outside are read through it, and it cannot run
 * past its end. A read that fails moves nothing and writes nothing. struct buf     owned bytes that grow.
 * Failure to grow sticks: write on, ask once with buf_ok() at the end.
 */

struct view {
        const uint8_t *p;
        size_t len;
};

#define VIEW_NONE     ((struct view){NULL, 0})
#define VIEW(ptr, n)  ((struct view){(const uint8_t *)(ptr), (n)})
#define VIEW_ARRAY(a) ((struct view){(const uint8_t *)(a), sizeof(a)})
#define VIEW_BUF(b)   ((struct view){(b)->p, (b)->len})
/* A string's bytes without its end. */
struct view view_str(const char *s);
/* Not constant-time: for public bytes only. */
bool view_equal(struct view a, struct view b);

struct cursor {
        const uint8_t *p;
        size_t left;
        size_t at; /* bytes read so far: for messages ("at byte 40211") */
};

struct cursor cursor_of(struct view v);

/* The read under all reads: N bytes, borrowed. Return: false if fewer than N are left. */
bool cursor_take(struct cursor *c, size_t n, struct view *ret) MUST_USE;
bool cursor_skip(struct cursor *c, size_t n) MUST_USE;
bool cursor_copy(struct cursor *c, void *ret, size_t n) MUST_USE;
bool cursor_u8(struct cursor *c, uint8_t *ret) MUST_USE;
bool cursor_be16(struct cursor *c, uint16_t *ret) MUST_USE;
bool cursor_be32(struct cursor *c, uint32_t *ret) MUST_USE;
bool cursor_be64(struct cursor *c, uint64_t *ret) MUST_USE;
bool cursor_le16(struct cursor *c, uint16_t *ret) MUST_USE;
bool cursor_le32(struct cursor *c, uint32_t *ret) MUST_USE;
bool cursor_le64(struct cursor *c, uint64_t *ret) MUST_USE;
/* A big-endian 16-bit length and that many bytes (TPM2B); the little-endian 32-bit form (IMA). */
bool cursor_be16_bytes(struct cursor *c, struct view *ret) MUST_USE;
bool cursor_le32_bytes(struct cursor *c, struct view *ret) MUST_USE;
/* What is left, borrowed, and the cursor at its end. */
struct view cursor_rest(struct cursor *c);

struct buf {
        uint8_t *p;
        size_t len, cap;
        bool failed;
};

void buf_put(struct buf *b, const void *p, size_t n);
void buf_put_view(struct buf *b, struct view v);
void buf_u8(struct buf *b, uint8_t x);
void buf_be16(struct buf *b, uint16_t x);
void buf_be32(struct buf *b, uint32_t x);
void buf_be64(struct buf *b, uint64_t x);
void buf_le16(struct buf *b, uint16_t x);
void buf_le32(struct buf *b, uint32_t x);
/* A big-endian 16-bit length and the bytes; more than 65535 of them fail the buf. */
void buf_be16_bytes(struct buf *b, struct view v);
void buf_str(struct buf *b, const char *s);
void buf_fmt(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
/* Return: false if any write since the start failed for want of memory. */
bool buf_ok(const struct buf *b) MUST_USE;
/* Ends the bytes with a NUL that len does not count, and gives them away (free()). NULL if anything failed.
 */
char *buf_take_str(struct buf *b) MUST_USE;
/* Empties, keeping the memory. */
void buf_reset(struct buf *b);
void buf_free(struct buf *b);

#endif
