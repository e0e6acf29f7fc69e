/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_BASE64_H
#define AVOW_BASE_BASE64_H

#include "base/bytes.h"
#include "base/err.h"

/*
 * Base64. Spec: RFC 4648 §4 (standard, padded) and §5 (URL-safe, here always without padding, as JOSE wants).
 *
 * The strict decoders accept one spelling for each byte string: right padding, no white space, unused bits
 * zero. The lax one is for Keylime's fields only.
 */

void buf_base64(struct buf *b, struct view v);
void buf_base64url(struct buf *b, struct view v);

/* As strings of the caller's (free()). Return: NULL when out of memory. */
char *base64_encode(struct view v) MUST_USE;
char *base64url_encode(struct view v) MUST_USE;

/*
 * Append the bytes of TEXT to RET, at most MAX of them; RET is untouched on failure.
 * Return: 0; -ERR_FORMAT (the message says what and where), -ERR_LIMIT, -ERR_NOMEM.
 */
int base64_decode(struct view text, size_t max, struct buf *ret, struct err *err) MUST_USE;
int base64url_decode(struct view text, size_t max, struct buf *ret, struct err *err) MUST_USE;
/* Either alphabet, padding present or not, white space skipped, unused bits ignored. */
int base64_decode_lax(struct view text, size_t max, struct buf *ret, struct err *err) MUST_USE;

#endif
