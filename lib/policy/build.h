/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_BUILD_H
#define AVOW_POLICY_BUILD_H

#include "base/str.h"
#include "policy/policy.h"

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
        struct buf digest_bytes, denied_bytes;
        struct strv strings;
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

/*
 * Makes the policy, indexes its digests, and empties the builder. TEXT is digested as the identity.
 * Return: 0; -ERR_NOMEM; -ERR_CRYPTO.
 */
int policy_build_finish(struct policy_build *b, struct view text, struct policy **ret,
                        struct err *err) MUST_USE;

#endif
