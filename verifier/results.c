/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From verdict and trust to a result.
 *
 * Who asks may keep the answer, so it must end before trust can: with the deadline of the next evidence, with
 * the lease of the pass, or sooner. Affirming is the one thing that has to be earned: an enforced pass, not
 * late, of a host that is trusted now, under the policy that is in force now. All else is a weaker word with
 * its reason. What was not appraised is not in the vector, and what is old has none.
 *
 * Spec: SR-20 (wins over the table of states: a silent host is `none`, not `contraindicated`), SR-16.
 */
#include "verifier/results.h"

#include "base/json.h"
#include "base/str.h"

/* TCG PC Client: what is loaded and run; what it is run with. */
#define PCRS_OF_CODE   (1u << 0 | 1u << 2 | 1u << 4 | 1u << 8 | 1u << 9 | 1u << 10 | 1u << 11 | 1u << 15)
#define PCRS_OF_CONFIG (1u << 1 | 1u << 3 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 12 | 1u << 14)

static enum ear_status say(struct wire_ear *m, enum ear_status status, const char *reason)
{
        m->reason = reason;
        return status;
}

static int64_t least(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

/* Was the verdict made under the newest policy there is? */
static bool is_current(const struct result_facts *f)
{
        const struct policy_version *newest = f->host->rules ? ruleset_newest(f->host->rules) : NULL;

        return newest && f->effective && newest->version == f->host->s.policy_version;
}

/* A pass, which may have to be said with less. */
static enum ear_status judge_pass(const struct result_facts *f, struct wire_ear *ret)
{
        if (!is_current(f))
                return say(ret, EAR_NONE, "policy-changed");
        if (ret->expires_s <= ret->issued_s) /* the next evidence is due in this second */
                return say(ret, EAR_NONE, "late");
        if (!f->host->s.enforced)
                return say(ret, EAR_WARNING, "observed");
        return say(ret, EAR_AFFIRMING, NULL);
}

static enum ear_status judge(const struct result_facts *f, enum host_shown shown, struct wire_ear *ret)
{
        const struct host_state *s = &f->host->s;
        bool silent = shown == HOST_LATE || shown == HOST_LOST;

        if (f->trust == TRUST_REVOKED)
                return say(ret, EAR_CONTRAINDICATED, "revoked");
        if (s->judged && s->verdict == VERDICT_FAIL)
                return say(ret, EAR_CONTRAINDICATED, "fail");
        if (silent && s->verdict == VERDICT_PASS) /* suspended for its silence, if at all */
                return say(ret, EAR_NONE, host_shown_name(shown));
        if (f->trust != TRUST_TRUSTED)
                return say(ret, EAR_CONTRAINDICATED, "suspended");
        if (shown == HOST_PASS)
                return judge_pass(f, ret);
        return say(ret, EAR_NONE, host_shown_name(shown));
}

/* When the result has to end: now, if what it speaks of is over. Both clocks tell how old the evidence is:
 * the older counts. */
static int64_t ends_ms(const struct result_facts *f)
{
        const struct host *host = f->host;
        int64_t age_ms = f->mono_ms - host->evidence_ms, wall_ms = f->now_ms - host->s.evidence_at_ms,
                left_ms;

        if (wall_ms > age_ms)
                age_ms = wall_ms;
        left_ms = least(host_late_ms(host, &f->times), host_lease_ms(host, &f->times)) - age_ms;
        if (!host->s.judged || left_ms < 0)
                left_ms = 0;
        return f->now_ms + least(left_ms, f->lifetime_ms);
}

static void fill_times(const struct result_facts *f, struct wire_ear *ret)
{
        const struct host_state *s = &f->host->s;

        ret->issued_s = f->now_ms / 1000;
        ret->evidence_s = (s->judged ? s->evidence_at_ms : f->now_ms) / 1000;
        ret->expires_s = ends_ms(f) / 1000;
}

/* ---- the vector ---- */

/* The last verdict, the caller's; NULL without one. */
static struct verdict *verdict_of(const struct host *host)
{
        AUTO(json_free_p) json_t *j = NULL;
        struct verdict *v = NULL;
        struct err ignored = ERR_INIT;

        if (host->s.verdict_json &&
            json_parse(view_str(host->s.verdict_json), VERDICT_JSON_BYTES_MAX, &j, &ignored) >= 0)
                (void)!verdict_from_json(j, &v, &ignored); /* V stays NULL */
        return v;
}

/* Which of the two a fail was about; without a verdict all is blamed. */
static void blame(const struct host *host, struct wire_ear *ret)
{
        AUTO(verdict_free_p) struct verdict *v = verdict_of(host);
        bool code = false, config = false;

        for (size_t i = 0; v && i < v->n_findings; i++) {
                const struct finding *x = &v->findings[i];
                bool pcr = str_equal(x->log, "pcr") && x->entry >= 0 && x->entry < PCR_COUNT;

                if (x->severity < SEVERITY_ERROR)
                        continue;
                if (pcr && PCRS_OF_CONFIG >> x->entry & 1)
                        config = true;
                else
                        code = true;
        }
        if (ret->vector[EAR_EXECUTABLES] && (code || !config))
                ret->vector[EAR_EXECUTABLES] = EAR_EXECUTABLES_BAD;
        if (ret->vector[EAR_CONFIGURATION] && (config || !code))
                ret->vector[EAR_CONFIGURATION] = EAR_CONFIGURATION_BAD;
}

static bool is_silent(const struct result_facts *f)
{
        return f->mono_ms - f->host->evidence_ms > host_late_ms(f->host, &f->times);
}

static void fill_vector(const struct result_facts *f, enum host_shown shown, struct wire_ear *ret)
{
        const struct host *host = f->host;
        uint32_t mask = f->effective ? policy_effective_pcr_mask(f->effective) : 0;
        bool proven = !host->ek_findings && host->e.ek_class; /* the registrar verified the EK */

        if (ret->status == EAR_NONE || is_silent(f))
                return;
        if (proven)
                ret->vector[EAR_IDENTITY] = f->trust == TRUST_REVOKED ? EAR_IDENTITY_BAD : EAR_IDENTITY_KNOWN;
        if (proven && str_equal(host->e.ek_class, "hardware"))
                ret->vector[EAR_HARDWARE] = EAR_HARDWARE_GENUINE;
        if (!is_current(f) || (shown != HOST_PASS && shown != HOST_FAIL))
                return;
        if (mask & PCRS_OF_CODE || policy_effective_judges_log(f->effective))
                ret->vector[EAR_EXECUTABLES] = EAR_EXECUTABLES_APPROVED_BOOT;
        if (mask & PCRS_OF_CONFIG)
                ret->vector[EAR_CONFIGURATION] = EAR_CONFIGURATION_APPROVED;
        if (shown == HOST_FAIL)
                blame(host, ret);
}

void results_judge(const struct result_facts *f, struct wire_ear *ret)
{
        const struct host *host = f->host;
        enum host_shown shown = host_shown(host, &f->times, f->mono_ms);

        fill_times(f, ret);
        ret->status = judge(f, shown, ret);
        if (ret->expires_s <= ret->issued_s) /* it is no promise: good until there may be another answer */
                ret->expires_s =
                        (f->now_ms + least(host_interval_ms(host, &f->times), f->lifetime_ms)) / 1000 + 1;
        fill_vector(f, shown, ret);
        ret->state = host_shown_name(shown);
        ret->trust = trust_name(f->trust);
        ret->wipe = wipe_name((enum wipe)host->s.trust.wipe);
        ret->enforced = host->s.judged && host->s.enforced;
        if (host->s.judged) {
                ret->policy = host->s.policy ? host->s.policy : "tpm_policy";
                ret->policy_version = host->s.policy_version;
                ret->policy_sha256 = host->s.policy_sha256;
        }
}

struct tee_statement *results_tee(const struct result_facts *f, const struct wire_ear *result)
{
        AUTO(verdict_free_p) struct verdict *v = NULL;

        if (result->status == EAR_NONE || is_silent(f) || !is_current(f))
                return NULL;
        v = verdict_of(f->host);
        return v ? TAKE(v->tee) : NULL;
}
