/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_HEX_H
#define AVOW_BASE_HEX_H

#include "base/bytes.h"
#include "base/err.h"

/*
 * Hexadecimal. We write lower case. Everything of ours is read strictly: lower case only, two digits a byte.
 * hex_decode_any() also takes capitals, for what people type and Keylime sends.
 */

/* The value of a digit, capitals too. Return: 0-15; -1 if it is none. */
int hex_digit(uint8_t c);

/* Appends 2 * v.len digits. */
void buf_hex(struct buf *b, struct view v);

/* Writes 2 * v.len digits and a NUL to RET, which must hold them. Return: RET. */
char *hex_write(char *ret, struct view v);

/* The digits as a string of the caller's (free()). Return: NULL when out of memory. */
char *hex_encode(struct view v) MUST_USE;

/*
 * Appends the bytes of TEXT to RET, at most MAX of them; RET is untouched on failure.
 * Return: 0; -ERR_FORMAT (odd length, not a lower-case digit: the message gives its place), -ERR_LIMIT,
 * -ERR_NOMEM.
 */
int hex_decode(struct view text, size_t max, struct buf *ret, struct err *err) MUST_USE;
int hex_decode_any(struct view text, size_t max, struct buf *ret, struct err *err) MUST_USE;

/* Exactly N bytes into RET, strictly; RET is untouched on failure. Return: 0; -ERR_FORMAT. */
int hex_decode_exact(struct view text, uint8_t *ret, size_t n, struct err *err) MUST_USE;

#endif
