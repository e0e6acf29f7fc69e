/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy that demands a processor's evidence is never met without it: this version asks no host for any, so
 * such a policy fails, in words that say so, and nobody takes a TPM's word for a processor's. Of versions
 * that overlap one that demands none holds too. Spec: SR-4, SR-19.
 */
#include "policy/policy_tee.h"
#include "policy/work.h"

/* Do all versions in force demand it? */
static bool is_demanded(const struct policy_effective *e)
{
        size_t n;
        const struct policy_version *v = policy_effective_versions(e, &n);

        for (size_t i = 0; i < n; i++)
                if (!v[i].policy->tee)
                        return false;
        return n > 0;
}

int appraise_tee(struct work *w, struct err *err)
{
        const struct finding f = {
                .code = "tee-evidence-missing",
                .severity = SEVERITY_CRITICAL,
                .log = "tee",
                .entry = FINDING_NO_ENTRY,
                .what = "the policy demands evidence of the processor (SEV-SNP, TDX or SGX), and there is "
                        "none",
                .remedy = "this version takes no such evidence from hosts: judge it by hand with 'avow "
                          "evidence "
                          "verify --type', or push a policy without 'tee'",
        };

        return is_demanded(w->judging.policy) ? judge_find(&w->judging, VERDICT_FAIL, &f, err) : 0;
}
