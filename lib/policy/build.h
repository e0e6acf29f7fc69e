/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_BUILD_H
#define AVOW_POLICY_BUILD_H

#include "base/str.h"
#include "policy/policy.h"
#include "policy/policy_impl.h"

/*
 * A policy in the making, for the readers of policy formats in this folder alone. What is added comes in the
 * order of the text: a runtime, then its files, each followed by its digests.
 */

struct policy_vec {
        void *p;
        size_t n, cap, size; /* of one element */
};

struct policy_build {
        struct policy head; /* name … pcr_mask and pcrs as given; arrays unused */
        struct policy_vec runtimes, files, digests, records, denied;
        struct policy_vec parts; /* struct policy_part */
        struct policy_vec ends;  /* int64_t: every `until` in the parts */
        struct buf digest_bytes, denied_bytes;
        struct strv strings;
        struct policy_keeper keeper;
};

/* An empty policy in BANK: enforced, register 15, no freshness of its own. */
void policy_build_init(struct policy_build *b, enum digest_alg bank);
void policy_build_done(struct policy_build *b);

/* Keeps a copy of S for as long as the policy. NULL when out of memory. */
const char *policy_build_string(struct policy_build *b, const char *s) MUST_USE;

/* Each adds one element with a zeroed rest. Return: 0; -ERR_LIMIT; -ERR_NOMEM. */
int policy_build_runtime(struct policy_build *b, const char *name, bool required, uint32_t line,
                         struct err *err) MUST_USE;
int policy_build_file(struct policy_build *b, const char *path, uint32_t line, struct err *err) MUST_USE;
/* One that is allowed, in the newest file unless FILE is POLICY_NO_FILE; BYTES has the bank's length. */
int policy_build_digest(struct policy_build *b, struct view bytes, struct policy_digest d,
                        struct err *err) MUST_USE;
int policy_build_denied(struct policy_build *b, struct view bytes, struct policy_digest d,
                        struct err *err) MUST_USE;
int policy_build_record(struct policy_build *b, struct policy_record r, struct err *err) MUST_USE;
int policy_build_pcr_value(struct policy_build *b, unsigned pcr, struct view bytes, uint32_t line,
                           struct err *err) MUST_USE;

/* Appends a copy of ELEMENT (v->size bytes). Return: 0; -ERR_LIMIT ("more than 1024 WHAT"); -ERR_NOMEM. */
int policy_vec_add(struct policy_vec *v, const void *element, size_t limit, const char *what,
                   struct err *err) MUST_USE;

/* Hands P over to the policy, which frees it with FREE_FN. On failure (out of memory) P is freed. Return: P,
 * or NULL. P must not be NULL. */
void *policy_build_keep(struct policy_build *b, void *p, void (*free_fn)(void *)) MUST_USE;
/* N zeroed elements of SIZE bytes for as long as the policy lives. NULL when out of memory. */
void *policy_build_zeroed(struct policy_build *b, size_t n, size_t size, struct err *err) MUST_USE;
/* The elements of V for as long as the policy lives (V is empty then); what of none is a pointer to nothing,
 * not NULL. NULL when out of memory. */
void *policy_build_keep_vec(struct policy_build *b, struct policy_vec *v) MUST_USE;
/* Adds a layer; notes the end of something in it. Return: 0; -ERR_LIMIT; -ERR_NOMEM. */
int policy_build_part(struct policy_build *b, struct policy_part part, struct err *err) MUST_USE;
int policy_build_end(struct policy_build *b, int64_t until_ms, struct err *err) MUST_USE;

/*
 * Makes the policy, indexes its digests, and empties the builder. TEXT is digested as the identity.
 * Return: 0; -ERR_NOMEM; -ERR_CRYPTO.
 */
int policy_build_finish(struct policy_build *b, struct view text, struct policy **ret,
                        struct err *err) MUST_USE;

#endif
