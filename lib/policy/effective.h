/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_EFFECTIVE_H
#define AVOW_POLICY_EFFECTIVE_H

#include "policy/policy.h"

/*
 * The effective policy: what holds at a given time. That is the newest version of a policy and those older
 * ones whose overlap has not ended, less every digest whose own `until` has passed.
 *
 * While versions overlap, a digest is allowed that any of them allows; a runtime or a PCR value is demanded
 * only if all of them demand it; `deny:`, mode and freshness are those of the newest. So a host passes
 * before, in the middle of, and after its part of a roll-out.
 *
 * Its digest names all that: whatever is remembered about a host (its continuation) is bound to it and void
 * when it changes, also when it changes by the mere passing of time. Spec: SR-16.
 */

#define EFFECTIVE_VERSIONS_MAX 8

struct policy_version {
        struct policy *policy;
        uint32_t version; /* 1, 2, … as the verifier counts them */
        int64_t until_ms; /* end of its overlap; POLICY_NEVER for the newest */
};

struct policy_effective;

/* Who says something: a version, and in it a layer (the policy itself, an overlay, what it is based on). */
struct policy_source {
        const struct policy_version *version;
        const struct policy_part *part;
};

/*
 * From the newest version (first) and older ones, newest to oldest; those whose until_ms is not after NOW_MS
 * are left out. Takes its own references to the policies. Return: 0; -ERR_CONFIG if two versions in force
 * differ in bank or measurement register (they cannot be judged together: end the overlap); -ERR_LIMIT over
 * EFFECTIVE_VERSIONS_MAX; -ERR_NOMEM.
 */
int policy_effective_new(const struct policy_version *versions, size_t n_versions, int64_t now_ms,
                         struct policy_effective **ret, struct err *err) MUST_USE;
/* The same for one host: with the overlays that name it (HOST NULL: none does). */
int policy_effective_new_for(const struct policy_version *versions, size_t n_versions, const char *host,
                             int64_t now_ms, struct policy_effective **ret, struct err *err) MUST_USE;
/* E for HOST: another reference to it, or, if overlays name the host, what holds for it at the same time.
 * Return: 0; as policy_effective_new(). */
int policy_effective_for(const struct policy_effective *e, const char *host, struct policy_effective **ret,
                         struct err *err) MUST_USE;
/* Appends which overlays name HOST: hosts with the same text here share an effective policy. Return: are
 * there overlays at all? */
bool policy_overlays_of(const struct policy_version *versions, size_t n_versions, const char *host,
                        struct buf *ret);
/* One more user: it is read-only, and any thread may hold it. */
struct policy_effective *policy_effective_ref(const struct policy_effective *e);
/* One less; the last frees it. From any thread; NULL is fine. */
void policy_effective_free(struct policy_effective *e);
DEFINE_AUTO(struct policy_effective, policy_effective_free)

/* SHA-256 over versions, contents, overlaps and expired digests. */
const struct digest *policy_effective_digest(const struct policy_effective *e);
/* The next time at which the digest changes by itself, or POLICY_NEVER: make a new effective policy then. */
int64_t policy_effective_changes_at_ms(const struct policy_effective *e);
/* The time it was made for. */
int64_t policy_effective_at_ms(const struct policy_effective *e);

/* Over how long all logs are read again after a change. Spec: SR-16. */
int64_t policy_effective_reappraise_ms(const struct policy_effective *e, int64_t interval_ms);

/* The newest version and its policy, borrowed. */
const struct policy_version *policy_effective_newest(const struct policy_effective *e);
const struct policy *policy_effective_policy(const struct policy_effective *e);
/* All versions in force, newest first, borrowed. */
const struct policy_version *policy_effective_versions(const struct policy_effective *e, size_t *ret_n);

/* Every PCR that a quote must contain: what any version needs. */
uint32_t policy_effective_pcr_mask(const struct policy_effective *e);

/* What follows from a failure: the strictest of all versions in force. What any of them destroys is
 * destroyed, after the shortest delay (half of INTERVAL_MS where one states none). */
struct policy_on_fail policy_effective_on_fail(const struct policy_effective *e, int64_t interval_ms);

/* Is the measurement log judged? Only if all versions judge it: one that does not holds too, while it
 * overlaps. */
bool policy_effective_judges_log(const struct policy_effective *e);

enum policy_answer {
        POLICY_UNKNOWN, /* no version in force knows the digest */
        POLICY_ALLOWED, /* by *ret_digest of *ret_version */
        POLICY_EXPIRED, /* known, but its time is over, in *ret_digest */
        POLICY_DENIED,  /* by deny: of the newest version */
};

/* What holds for a digest. RET_* are written unless the answer is POLICY_UNKNOWN. */
enum policy_answer policy_effective_ask(const struct policy_effective *e, const uint8_t *bytes,
                                        const struct policy_version **ret_version,
                                        const struct policy_digest **ret_digest);

#endif
