/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_RESULTS_H
#define AVOW_VERIFIER_RESULTS_H

#include "store/verifier_revocations.h"
#include "verifier/hosts.h"
#include "wire/ear.h"

/* What a result says of a host, now: the words of AR4SI for where it stands. Pure. Spec: SR-20. */
struct result_facts {
        const struct host *host;
        struct host_times times;
        enum trust trust; /* that counts now: trust_of() */
        int64_t now_ms, mono_ms;
        int64_t lifetime_ms; /* at most so long */
        /* what the policy in force judges; unknown (NULL) is a change of policy */
        const struct policy_effective *effective;
};

/* Sets RET's times, status, vector, state, trust, wipe, reason and what the verdict was made under. Texts are
 * static or the host's. */
void results_judge(const struct result_facts *f, struct wire_ear *ret);

/* What was found of the processor's evidence, if RESULT, which results_judge() filled, speaks of evidence at
 * all; the caller's. NULL: nothing to say. */
struct tee_statement *results_tee(const struct result_facts *f, const struct wire_ear *result) MUST_USE;

#endif
