/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_PATTERN_H
#define AVOW_POLICY_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"

/*
 * Patterns over paths, matched from the first byte to the last:
 *
 *   *           any run of bytes without '/', also none
 *   **          any run of bytes, '/' too (three and more stars are the same)
 *   ?           one character, not '/'
 *   [a-z_]      one of these ASCII characters; '/' only if it is among them. [!a-z]: one character that is
 *               neither among them nor '/'. A ']' or '-' that means itself comes with a backslash.
 *   [[:any:]]   one character, whichever
 *   \c          the character c itself: \* \? \[ \] \\ \-
 *
 * Anything else means itself. A slash in a pattern is a slash in the path: one before and one behind ** are
 * two. A character is UTF-8's: one byte and those that continue it; a byte that continues nothing is matched
 * by stars alone.
 *
 * A set of patterns is compiled once, immutable and shared. Matching a path costs a search among the
 * patterns' literal beginnings and, for each pattern whose beginning fits, one step per byte of the path over
 * at most PATTERN_STEPS_MAX bits: no pattern, alone or with others, makes it more than that product.
 */
#define PATTERN_BYTES_MAX  1024u /* of one pattern */
#define PATTERN_STEPS_MAX  1024u /* characters and stars behind the literal beginning of one pattern */
#define PATTERNS_MAX       10000u
#define PATTERNS_STEPS_MAX 100000u /* of all patterns of a set */

struct pattern_set;

/*
 * Compiles N patterns. Return: 0; -ERR_FORMAT with the place in the pattern, -ERR_LIMIT, and *RET_BAD (may be
 * NULL) is the number of the pattern; -ERR_NOMEM.
 */
int pattern_set_new(const struct view *patterns, size_t n, struct pattern_set **ret, size_t *ret_bad,
                    struct err *err) MUST_USE;

/* One more user; one less, and the last frees it. Both from any thread; unref takes NULL. */
struct pattern_set *pattern_set_ref(struct pattern_set *s);
void pattern_set_unref(struct pattern_set *s);
DEFINE_AUTO(struct pattern_set, pattern_set_unref)

#define PATTERN_NONE SIZE_MAX
/* The number of a pattern that matches PATH: the one with the longest literal beginning, of those the first.
 * PATTERN_NONE: none does. */
size_t pattern_match(const struct pattern_set *s, struct view path);

size_t pattern_count(const struct pattern_set *s);
size_t pattern_bytes(const struct pattern_set *s); /* of memory, in all */

/* Appends TEXT so that it means itself in a pattern. */
void pattern_quote(struct buf *b, struct view text);

#endif
