/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The appraisal. The order is the security: nothing of the evidence is looked at before it is shown to be the
 * host's own, for this challenge (SR-4); nothing about the log is believed before the whole of it replays to
 * the quoted register; names in it never allow anything (SR-18). And three outcomes are kept apart, because
 * they call for different people: what is not authentic says nothing about the host; what cannot be decided
 * is asked for again; only authentic evidence that breaks policy is a failure.
 */
#include "policy/appraise.h"

#include <stdlib.h>

#include "base/mem.h"
#include "policy/policy_boot.h"
#include "policy/policy_ima.h"
#include "policy/work.h"

#define BOOT_LOADER_PCRS 0x1800u /* 11 and 12 */

static void work_done(struct work *w)
{
        continuation_free(w->next);
        cel_log_free(w->log);
        free(w->boot_line);
        free(w->rows);
}

void appraisal_result_done(struct appraisal_result *r)
{
        verdict_free(r->verdict);
        continuation_free(r->next);
        free(r->marks);
        *r = (struct appraisal_result){0};
}

uint64_t appraisal_log_offset(const struct continuation *before, const struct policy_effective *policy)
{
        const struct policy *p = policy_effective_policy(policy);

        if (!before || !digest_equal(&before->effective_policy, policy_effective_digest(policy)) ||
            before->pcr != p->pcr || before->pcr_value.alg != p->bank)
                return 0;
        return before->cel_entries;
}

void appraisal_needs(const struct continuation *before, const struct policy_effective *policy,
                     struct appraisal_needs *ret)
{
        *ret = (struct appraisal_needs){.cel = policy_effective_judges_log(policy),
                                        .cel_first = appraisal_log_offset(before, policy),
                                        .ima = policy_effective_judges_ima(policy),
                                        .uefi = appraisal_needs_boot_log(before, policy),
                                        .tee = appraisal_tee_kinds(policy)};
        if (ret->ima)
                ret->ima_first = appraisal_ima_offset(before, policy);
        if (before && before->launches.known)
                ret->launch_first = before->launches.entries;
}

int work_undecided(struct work *w, enum appraisal_ask ask, const struct finding *f, struct err *err)
{
        if (ask == APPRAISAL_ASK_NOW || !w->in->asked_again)
                w->out->ask = ask;
        return judge_find(&w->judging, VERDICT_INCONCLUSIVE, f, err);
}

/* Without PCRs 11 and 12, which a boot log may speak of, a quote will do: then what is in them is not shown.
 */
static uint32_t needed_pcrs(const struct policy_effective *e)
{
        const struct policy_version *versions;
        uint32_t fixed = 0;
        size_t n;

        versions = policy_effective_versions(e, &n);
        for (size_t i = 0; i < n; i++)
                fixed |= versions[i].policy->pcr_mask;
        return policy_effective_pcr_mask(e) & (fixed | ~BOOT_LOADER_PCRS);
}

/* Does the quote hold what the policy judges? What was asked for is the verifier's choice, so a lack of it is
 * a question of time (the policy changed), never a check to skip. */
static int check_quoted(struct work *w, bool *ret_ok, struct err *err)
{
        const struct policy *p = policy_effective_policy(w->judging.policy);
        const struct pcr_values *quoted = &w->auth.pcrs;
        uint32_t missing = needed_pcrs(w->judging.policy) & ~quoted->mask;
        struct pcr_selection need = {.bank = p->bank, .mask = policy_effective_pcr_mask(w->judging.policy)};
        struct pcr_selection have = {.bank = quoted->bank, .mask = quoted->mask};
        AUTO(mem_free_p)
        char *expected = NULL;
        AUTO(mem_free_p)
        char *found = NULL;
        struct finding f = {
                .code = "pcrs-not-quoted",
                .severity = SEVERITY_ERROR,
                .log = "quote",
                .entry = FINDING_NO_ENTRY,
                .what = "the quote does not hold every PCR, in the bank, that the policy judges",
                .remedy = "the verifier asks for what the policy in force needs; if this stays, check that "
                          "the TPM has the "
                          "bank active ('tpm2_getcap pcrs' on the host)",
        };

        *ret_ok = quoted->bank == p->bank && missing == 0;
        if (*ret_ok)
                return 0;
        expected = pcr_selection_text(&need);
        found = pcr_selection_text(&have);
        if (!expected || !found)
                return err_nomem(err);
        f.expected = expected;
        f.found = found;
        return work_undecided(w, APPRAISAL_ASK_NOW, &f, err);
}

/* A policy of no demands (Keylime's tenant can make one) proves the key alone: said, not hidden. */
static int note_no_demand(struct work *w, struct err *err)
{
        const struct policy *p = policy_effective_policy(w->judging.policy);
        struct finding f = {
                .code = "policy-demands-nothing",
                .severity = SEVERITY_WARNING,
                .log = "policy",
                .entry = FINDING_NO_ENTRY,
                .what = "the policy fixes no PCR and judges no log: a pass shows that the TPM answers, and "
                        "nothing about "
                        "the host's software",
                .remedy = "enrol the host under a policy with runtimes or PCR values",
        };
        bool demands = p->judges_log || p->tee || policy_effective_judges_ima(w->judging.policy) ||
                       policy_effective_judges_boot(w->judging.policy);

        for (size_t i = 0; i < POLICY_PCRS; i++)
                demands = demands || p->pcrs[i].n;
        return demands ? 0 : verdict_add(w->judging.verdict, &f, err);
}

static int begin_next(struct work *w, struct err *err)
{
        const struct policy *p = policy_effective_policy(w->judging.policy);

        w->next = continuation_new();
        if (!w->next)
                return err_nomem(err);
        w->next->last = w->auth.next;
        w->next->effective_policy = *policy_effective_digest(w->judging.policy);
        w->next->pcr = p->pcr;
        digest_zero(p->bank, &w->next->pcr_value);
        return pcr_values_pack(&w->auth.pcrs, &w->next->last_pcrs, err);
}

/* From the ground up: who started the machine, what its kernel saw, what its agent says. *RET_OK: all of it
 * could be judged. */
static int judge_logs(struct work *w, bool *ret_ok, struct err *err)
{
        bool boot_ok = true, ima_ok = true, log_ok = true, launches_ok = true;
        int r = appraise_boot(w, &boot_ok, err);

        if (r >= 0 && policy_effective_judges_ima(w->judging.policy))
                r = appraise_ima(w, &ima_ok, err);
        if (r >= 0)
                r = appraise_launches(w, &launches_ok, err);
        if (r >= 0 && policy_effective_judges_log(w->judging.policy))
                r = work_read_log(w, &log_ok, err);
        *ret_ok = boot_ok && ima_ok && log_ok && launches_ok;
        if (r < 0 || !*ret_ok || w->out->ask)
                return r;
        return appraise_runtimes(w, err);
}

static int judge_all(struct work *w, struct err *err)
{
        bool ok = true;
        int r;

        r = check_quoted(w, &ok, err);
        if (r < 0 || !ok)
                return r;
        r = begin_next(w, err);
        if (r < 0)
                return r;
        w->judging.verdict->state = VERDICT_PASS;
        r = judge_logs(w, &ok, err);
        if (r < 0 || w->out->ask)
                return r;
        r = judge_pcrs(&w->judging, &w->auth.pcrs, err);
        if (r < 0 || (r = appraise_tee(w, err)) < 0 || (r = note_no_demand(w, err)) < 0)
                return r;
        if (ok && w->next) {
                w->next->last.cel_entries = w->next->cel_entries;
                w->next->last.ima_entries = w->next->ima ? w->next->ima->entries : 0;
                w->out->next = TAKE(w->next);
        }
        return 0;
}

static int appraise_any(struct work *w, struct err *err)
{
        struct expectation x = *w->in->expectation;
        bool authentic;
        int r;

        w->out->verdict = verdict_new();
        if (!w->out->verdict)
                return err_nomem(err);
        w->judging = (struct judging){.policy = w->in->policy, .verdict = w->out->verdict};
        w->out->verdict->enforced = policy_effective_policy(w->in->policy)->enforced;
        if (w->in->before)
                x.previous = &w->in->before->last;
        r = evidence_authenticate(w->in->evidence, &x, w->out->verdict, &authentic, &w->auth, err);
        if (r < 0 || !authentic)
                return r;
        w->out->firmware_version = w->auth.firmware_version;
        w->out->counters = w->auth.counters;
        if (w->auth.ask_again)
                w->out->ask = APPRAISAL_ASK_NOW;
        if (w->auth.rolled_back || w->auth.ask_again)
                return 0;
        return judge_all(w, err);
}

int appraise(const struct appraisal *in, struct appraisal_result *ret, struct err *err)
{
        AUTO(work_done)
        struct work w = {.in = in, .out = ret, .memory = in->before};
        int r;

        *ret = (struct appraisal_result){0};
        r = appraise_any(&w, err);
        if (r < 0)
                appraisal_result_done(ret);
        return r;
}

/* The certificate in a bundle must be this key's and this host's. Who issued it is asked elsewhere. Spec:
 * SR-10. */
static int judge_certificate(struct work *w, const struct bundle *b, const struct tpm_public *ak,
                             struct err *err)
{
        struct finding f = {
                .code = "ak-certificate",
                .severity = SEVERITY_CRITICAL,
                .log = "quote",
                .entry = FINDING_NO_ENTRY,
                .what = "the certificate in the bundle does not belong to the key that signed the quote",
                .remedy = "believe nothing in this bundle",
        };
        bool fits = false;
        int r = bundle_certificate_fits(b, ak, &fits, &f.found, err);

        if (r < 0 || fits)
                return r;
        return judge_find(&w->judging, VERDICT_REFUSED, &f, err);
}

int appraise_bundle(const struct bundle *b, const struct policy_effective *policy,
                    const struct continuation *memory, const struct tee_trust *trust, const struct digest *ek,
                    struct verdict **ret, struct err *err)
{
        AUTO(appraisal_result_done)
        struct appraisal_result result = {0};
        AUTO(policy_effective_free_p)
        struct policy_effective *for_host = NULL;
        struct tpm_public ak;
        struct digest qualifying;
        struct evidence evidence;
        struct expectation expectation;
        struct tee_shown shown;
        struct appraisal in = {
                .evidence = &evidence,
                .expectation = &expectation,
                .has_log = b->has_cel,
                .log = VIEW_BUF(&b->cel),
                .has_ima = b->has_ima,
                .ima = VIEW_BUF(&b->ima),
                .has_uefi = b->has_uefi,
                .uefi = VIEW_BUF(&b->uefi),
                .has_tee = bundle_tee(b, &shown),
                .challenge = VIEW_BUF(&b->challenge),
                .tee_trust = trust,
                .ek = ek,
                .asked_again = true,
        };
        AUTO(work_done)
        struct work w = {.in = &in,
                         .out = &result,
                         .offline = true,
                         .memory = memory,
                         .previous = b->has_previous && !memory ? &b->previous : NULL};
        int r = bundle_evidence(b, &ak, &qualifying, &evidence, &expectation, err);

        if (r == 0)
                r = policy_effective_for(policy, b->host, &for_host, err);
        if (r < 0)
                return r;
        in.policy = for_host;
        in.tee = shown;
        in.tee_not_asked = !in.has_tee;
        r = appraise_any(&w, err);
        if (r < 0 || (r = judge_certificate(&w, b, &ak, err)) < 0)
                return r;
        *ret = TAKE(result.verdict);
        return 0;
}
