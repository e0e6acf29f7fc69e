/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_STR_H
#define AVOW_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

/* Strings: numbers from text, foreign text made fit to print, names, lists of strings. */

bool str_equal(const char *a, const char *b); /* NULL equals NULL only */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/*
 * Foreign text in a message: quoted, control characters, quotes, backslashes and bytes that are not UTF-8 as
 * \xNN, cut after ~120 bytes with "…". SHOW(s) is good until the end of the enclosing block:
 * err_set(err, ERR_PEER, 0, "host %s is not known", SHOW(id));
 */
struct str_shown {
        char text[168];
};
const char *str_show(struct view v, struct str_shown *ret);
#define SHOW(s)      str_show(view_str(s), &(struct str_shown){{0}})
#define SHOW_VIEW(v) str_show((v), &(struct str_shown){{0}})

/* Appends V with the same escapes, uncut and without quotes. */
void buf_escaped(struct buf *b, struct view v);
/* Appends V with quotes and backslashes as they are: for a whole line that holds text made by SHOW(). */
void buf_printable(struct buf *b, struct view v);
/* Is V ASCII that both leave as it is? */
bool str_plain(struct view v);

/* A host's name: 1 to 80 of A-Z a-z 0-9 _ . - and not "." or "..". Spec: Keylime's [\w.-]+, ASCII. */
bool str_valid_host_id(const char *s) MUST_USE;
/* Names of ours (policies, runtimes, tenants): 1 to 64 of the same characters, starting with a letter or
 * digit. */
bool str_valid_name(const char *s) MUST_USE;
/* Valid UTF-8 by RFC 3629 (no surrogates, no overlong forms). */
bool str_valid_utf8(struct view v) MUST_USE;

/* Decimal, all of TEXT, no sign except one '-', no leading zeros or blanks. Return: 0; -ERR_FORMAT,
 * -ERR_LIMIT. */
int str_parse_int(struct view text, int64_t min, int64_t max, int64_t *ret, struct err *err) MUST_USE;
int str_parse_uint(struct view text, uint64_t max, uint64_t *ret, struct err *err) MUST_USE;
/* "0x" and 1 to 16 digits of either case. */
int str_parse_hex(struct view text, uint64_t max, uint64_t *ret, struct err *err) MUST_USE;
/* A size in bytes: "4096", "64KiB", "4MiB", "10GiB". */
int str_parse_size(struct view text, uint64_t *ret, struct err *err) MUST_USE;

/*
 * The name nearest to WORD, if near enough to be a slip of the hand (Damerau-Levenshtein distance of at most
 * a third of its length, at least 1): for "did you mean". Return: one of NAMES, or NULL.
 */
const char *str_nearest(const char *word, const char *const *names, size_t n_names);

/* A list of strings; all zero is empty. It owns its strings. */
struct strv {
        char **items;
        size_t n;
};

/* Appends a copy. Return: 0, or -1 when out of memory (the list stays as it was). */
int strv_add(struct strv *v, const char *s) MUST_USE;
/* Appends S itself, which must be from malloc(); on failure it is freed. NULL counts as a failure. */
int strv_take(struct strv *v, char *s) MUST_USE;
bool strv_has(const struct strv *v, const char *s) MUST_USE;
void strv_sort(struct strv *v); /* bytewise */
void strv_done(struct strv *v);

#endif
