/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_ALLOW_H
#define AVOW_POLICY_ALLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"

/*
 * A frozen set of digests: what a policy allows (or denies) in a measurement list. An entry is a digest, the
 * path that it is allowed under (none: under any), a label (which package or source it came from, and until
 * when it holds) and its line in the policy. A digest may be there for several paths, and more than once for
 * one path, with different labels: an old package and its successor.
 *
 * Built once, never changed, shared by reference: 10,000 hosts and several threads read one copy without a
 * lock. A look-up reads one slot and one record, each in one cache line or two, however many entries there
 * are, and one more for the path. The slots are found by a hash with a key of the set's own: whoever chooses
 * digests or names (what is in a package, what a host runs) cannot make them collide.
 */
#define ALLOW_ENTRIES_MAX    4000000u
#define ALLOW_LABELS_MAX     1000000u
#define ALLOW_PATH_BYTES_MAX 4096u                /* PATH_MAX; of one path */
#define ALLOW_TEXT_BYTES_MAX (512u * 1024 * 1024) /* of all paths; of all labels */
#define ALLOW_NEVER          INT64_MAX            /* `until` of what does not end */

/* ---- building ---- */

struct allow_builder;
int allow_builder_new(struct allow_builder **ret, struct err *err) MUST_USE;
void allow_builder_free(struct allow_builder *b);
DEFINE_AUTO(struct allow_builder, allow_builder_free)

/*
 * A label for entries: TEXT (may be empty; no NUL) and the time before which they are allowed, or
 * ALLOW_NEVER. The same label twice is one. Return: 0 with its number; -ERR_LIMIT, -ERR_NOMEM.
 */
int allow_label(struct allow_builder *b, const char *text, int64_t until_ms, uint32_t *ret,
                struct err *err) MUST_USE;

/*
 * Adds DIGEST, of ALG, for PATH (empty: for any), with a label's number and a line. Digest, path and label
 * that are there already are not added again. Return: 0; -ERR_FORMAT (not the algorithm's length), -ERR_LIMIT
 * (too many, or a path that is too long), -ERR_NOMEM; -ERR_BUG for a label that is none.
 */
int allow_add(struct allow_builder *b, enum digest_alg alg, struct view digest, struct view path,
              uint32_t label, uint32_t line, struct err *err) MUST_USE;

/* Makes the set and leaves the builder empty, to be freed. Return: 0; -ERR_NOMEM (the builder is to be freed,
 * too). */
struct allow;
int allow_freeze(struct allow_builder *b, struct allow **ret, struct err *err) MUST_USE;

/* One more user; one less, and the last frees it. Both from any thread; unref takes NULL. */
struct allow *allow_ref(struct allow *a);
void allow_unref(struct allow *a);
DEFINE_AUTO(struct allow, allow_unref)

/* ---- looking up ---- */

enum allow_answer {
        ALLOW_UNKNOWN,   /* the digest is not in the set */
        ALLOW_ELSEWHERE, /* it is, but for other paths: the entry is one of those */
        ALLOW_EXPIRED,   /* it was allowed here until the entry's time */
        ALLOW_ALLOWED,
};

/* All borrowed from the set. */
struct allow_entry {
        enum digest_alg alg;
        struct view digest;
        struct view path;  /* empty: any */
        const char *label; /* never NULL */
        int64_t until_ms;
        uint32_t line;
};

/*
 * Is DIGEST allowed at NOW for PATH? Of several entries the one that holds longest answers, one for this path
 * before one for any. RET (may be NULL) is left alone if the digest is unknown.
 */
enum allow_answer allow_find(const struct allow *a, enum digest_alg alg, struct view digest, struct view path,
                             int64_t now_ms, struct allow_entry *ret);

/*
 * The same for many at once. A look-up waits for memory three times, one read after another; those of
 * different look-ups wait together. Asks that are ALLOW_ALLOWED already are left alone, the others get the
 * better of the answer that they had and this set's.
 */
#define ALLOW_MANY 16u
struct allow_ask {
        enum digest_alg alg;
        struct view digest, path;
        enum allow_answer answer; /* begins as ALLOW_UNKNOWN */
};
void allow_find_many(const struct allow *a, struct allow_ask *asks, size_t n, int64_t now_ms);

/* The same as allow_find() without a look at paths: never ALLOW_ELSEWHERE. */
enum allow_answer allow_find_digest(const struct allow *a, enum digest_alg alg, struct view digest,
                                    int64_t now_ms, struct allow_entry *ret);

/*
 * The entries for PATH (not those for any), in the order they were added: for findings ("found X, allowed are
 * Y and Z"). *POS starts at 0. Return: false at the end.
 */
bool allow_next_of(const struct allow *a, struct view path, size_t *pos, struct allow_entry *ret);

/* Every entry, one after another, those of one digest together; *POS starts as zeros. Return: false at the
 * end. */
struct allow_pos {
        uint32_t table, record, use;
};
bool allow_next(const struct allow *a, struct allow_pos *pos, struct allow_entry *ret);

/* Entries; different digests among them; different paths; bytes of memory that the set takes in all. */
size_t allow_count(const struct allow *a);
size_t allow_count_digests(const struct allow *a);
size_t allow_count_paths(const struct allow *a);
size_t allow_bytes(const struct allow *a);
/* The most slots that any look-up has to read: what somebody would raise who could choose collisions. */
size_t allow_longest_probe(const struct allow *a);

#endif
