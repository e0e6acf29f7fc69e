/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_RETRY_H
#define AVOW_WIRE_RETRY_H

#include "wire/wire.h"

/*
 * Retry-After: a number of seconds or an HTTP date.
 * NOW_MS is the reader's own clock (Unix ms), for the date form; a date in the past is 0.
 * Return: false if VALUE is neither; the wait in ms, capped at one day, otherwise.
 * Spec: RFC 9110, 10.2.3 and 5.6.7 (IMF-fixdate only; the obsolete forms are not read).
 */
bool wire_retry_after_decode(const char *value, int64_t now_ms, int64_t *ret_wait_ms) MUST_USE;
/* The header's value for a wait: whole seconds, rounded up, at least 1. 21 bytes are enough for RET. */
void wire_retry_after_encode(int64_t wait_ms, char ret[static 24]);

#endif
