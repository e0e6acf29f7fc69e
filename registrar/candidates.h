/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_REGISTRAR_CANDIDATES_H
#define AVOW_REGISTRAR_CANDIDATES_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macro.h"
#include "store/registrar_db.h"
#include "wire/registration.h"

/*
 * Registrations that have proven nothing yet. They live in memory only, several for one name, and reserve
 * nothing: whoever opens the challenge of his candidate wins, the others expire. Spec: SR-9.
 *
 * Who floods displaces himself: when a name, or the table, is full, the oldest candidate goes of that source
 * which has the most there.
 */
struct candidates;

struct candidates_limits {
        size_t total, per_source, per_name;
        int64_t lifetime_ms;
};

#define CANDIDATE_SOURCE_BYTES 46
/* Certificates make some candidates large: all together they take no more memory than this. */
#define CANDIDATES_BYTES_MAX (32u * 1024 * 1024)

struct candidate {
        char name[WIRE_HOST_MAX + 1];
        char source[CANDIDATE_SOURCE_BYTES]; /* what the peer is counted by: http_peer.source */
        int64_t expires_at_ms;
        uint8_t tag[WIRE_AUTH_TAG_BYTES]; /* what the activation must send */
        struct identity identity;         /* what it will have proven then */
        char *host_note;                  /* for the log: what kind of EK it is; may be NULL */
};

void candidate_free(struct candidate *c);
DEFINE_AUTO(struct candidate, candidate_free)

int candidates_new(const struct candidates_limits *limits, struct candidates **ret, struct err *err) MUST_USE;
void candidates_free(struct candidates *t);
DEFINE_AUTO(struct candidates, candidates_free)

/* Adds C, which the table owns from now on, also on failure; sets its expiry. Return: 0; -ERR_NOMEM. */
int candidates_add(struct candidates *t, struct candidate *c, int64_t now_ms, struct err *err) MUST_USE;

/* Puts back one that candidates_take() gave, with its old expiry. */
int candidates_put_back(struct candidates *t, struct candidate *c, int64_t now_ms, struct err *err) MUST_USE;

enum candidates_answer {
        CANDIDATE_UNKNOWN, /* nobody waits under this name */
        CANDIDATE_WRONG,   /* somebody does, but not with this tag: nothing was changed */
        CANDIDATE_TAKEN,   /* *ret is the caller's */
};

/* Takes the candidate for NAME whose tag it is; compared in constant time. */
enum candidates_answer candidates_take(struct candidates *t, const char *name,
                                       const uint8_t tag[static WIRE_AUTH_TAG_BYTES], int64_t now_ms,
                                       struct candidate **ret) MUST_USE;

/* Drops all of a name (an admin removed the host). */
void candidates_drop(struct candidates *t, const char *name);
/* Drops what has expired; called now and then. Return: how many are left. */
size_t candidates_expire(struct candidates *t, int64_t now_ms);
size_t candidates_count(const struct candidates *t);
size_t candidates_count_name(const struct candidates *t, const char *name);

#endif
