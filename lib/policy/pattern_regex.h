/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_PATTERN_REGEX_H
#define AVOW_POLICY_PATTERN_REGEX_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"

/*
 * From the regular expressions in Keylime's `excludes` to patterns (pattern.h), where that is exact; where it
 * is not, the words say which part of the expression cannot be said.
 *
 * Keylime calls Python's re.match(): anchored at the beginning, not at the end, so a pattern ends in **
 * unless the expression ends in $. Taken are literals, ., [] of ASCII characters, [^/] with * and +, .* and
 * .+, groups and alternatives (several patterns), ?, {n,m}, and ^ and $ at the ends. Not taken are loops of
 * anything else, \d \w \s (which Python takes for all of Unicode), looking ahead or behind, references,
 * flags.
 *
 * Exact means: the same paths, of those that Keylime can meet: UTF-8 without line feeds (its lists are
 * lines).
 */
#define PATTERN_REGEX_BYTES_MAX        4096u
#define PATTERN_REGEX_ALTERNATIVES_MAX 64u

struct pattern_refusal {
        char text[256];
};

/*
 * Appends to RET the patterns that together match what REGEX matches. Return: 1; 0 if there are none, with
 * the reason in *RET_WHY ("at byte 9: …") and RET as it was; -ERR_NOMEM.
 */
int pattern_from_regex(struct view regex, struct strv *ret, struct pattern_refusal *ret_why,
                       struct err *err) MUST_USE;

/*
 * Appends the expression that matches, from its first character to its last, what PATTERN matches, of texts
 * without line feeds. PREFIX: for re.match(), which does not look at the end; else for re.fullmatch().
 * Return: 0; -ERR_FORMAT for a pattern that is none; -ERR_NOMEM.
 */
int pattern_to_regex(struct view pattern, bool prefix, struct buf *ret, struct err *err) MUST_USE;

#endif
