/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_CLOCK_H
#define AVOW_BASE_CLOCK_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

/*
 * Time. Wall-clock times are int64_t milliseconds since 1970 (UTC), named *_ms. Deadlines and intervals use
 * the monotonic clock. lib/evidence and lib/policy never ask for the time: it is given to them.
 */

/* CLOCK_REALTIME, CLOCK_MONOTONIC in ms; CLOCK_BOOTTIME (goes on in suspend) in µs. They cannot fail. */
int64_t clock_now_ms(void);
int64_t clock_mono_ms(void);
uint64_t clock_boot_us(void);

#define CLOCK_TEXT_BYTES 32

/* "2026-11-21T19:30:48.123Z"; years 0000 to 9999, others are cut to these ends. Return: RET. */
char *clock_format(int64_t ms, char ret[CLOCK_TEXT_BYTES]);

/*
 * An RFC 3339 date-time: `T` between, seconds wanted, any fraction (cut to ms), `Z` or ±hh:mm. A leap second
 * (:60) counts as the last ms of its minute. Also reads what Keylime's servers print ("+00:00", µs).
 * Return: 0; -ERR_FORMAT.
 */
int clock_parse(struct view text, int64_t *ret_ms, struct err *err) MUST_USE;

/*
 * A duration: one or more of NUMBER UNIT without spaces, units falling: d h m s ms ("30s", "1h30m", "500ms").
 * "0" alone needs no unit. Return: 0; -ERR_FORMAT; -ERR_LIMIT above 100 years.
 */
int clock_parse_duration(struct view text, int64_t *ret_ms, struct err *err) MUST_USE;

/* "1d2h", "1h30m", "30s", "500ms", "0s": what clock_parse_duration() reads back. Return: RET. */
char *clock_format_duration(int64_t ms, char ret[CLOCK_TEXT_BYTES]);

#endif
