/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processor's evidence, where a policy demands it: that it is genuine and as the policy has it, and that
 * it names this host's attestation key under the challenge that the host's own quote answers. The quote is
 * what makes the key the host's; the report alone is any machine's. So the order matters here as well: this
 * comes after the quote was found authentic, and what a report shows counts for this key or for nobody.
 *
 * What fails is the policy's refusal; what lacks certificates or collateral, or has only what is over or is
 * another platform's, is undecided, because nobody may say that it is bad. Of versions that overlap one that
 * demands none holds too. Spec: SR-4, SR-19.
 */
#include "evidence/tee_types.h"
#include "policy/policy_tee.h"
#include "policy/work.h"

static const char *const titles[TEE_N_KINDS] = {"SEV-SNP report", "TDX quote", "SGX quote"};

unsigned appraisal_tee_kinds(const struct policy_effective *policy)
{
        unsigned kinds = 0;
        size_t n;
        const struct policy_version *v = policy_effective_versions(policy, &n);

        for (size_t i = 0; i < n; i++) {
                if (!v[i].policy->tee)
                        return 0;
                kinds |= v[i].policy->tee->kinds;
        }
        return kinds;
}

static struct finding about_tee(const char *code, enum severity severity, const char *what)
{
        return (struct finding){
                .code = code, .severity = severity, .log = "tee", .entry = FINDING_NO_ENTRY, .what = what};
}

/* ---- what is not there ---- */

static int find_missing(struct work *w, struct err *err)
{
        struct finding f = about_tee("tee-evidence-missing", SEVERITY_CRITICAL,
                                     "the policy demands evidence of the processor (SEV-SNP, TDX or SGX), "
                                     "and there is none");

        f.remedy = "let the host attest again under this policy";
        if (w->in->tee_not_asked)
                return work_undecided(w, APPRAISAL_ASK_NOW, &f, err);
        f.found = w->in->has_tee ? "the host was asked for it, and showed none"
                                 : "the host offers none of the kinds that the policy takes";
        f.remedy =
                "run the host as a confidential guest of such a kind; 'journalctl -u avow-agent' there says "
                "what the agent found and why it made none (tee.* in avow-agent(8)); or push a policy "
                "without 'tee'";
        return judge_find(&w->judging, VERDICT_FAIL, &f, err);
}

static int find_kind(struct work *w, const struct policy_tee *p, struct err *err)
{
        struct finding f = about_tee("tee-kind-refused", SEVERITY_CRITICAL,
                                     "evidence of the processor is of a kind that the policy does not take");
        AUTO(buf_free) struct buf kinds = {0};

        for (size_t k = 0; k < TEE_N_KINDS; k++)
                if (p->kinds & 1u << k)
                        buf_fmt(&kinds, "%s%s", kinds.len ? ", " : "", tee_kind_name((enum tee_kind)k));
        buf_u8(&kinds, 0);
        if (!buf_ok(&kinds))
                return err_nomem(err);
        f.found = tee_kind_name(w->in->tee.kind);
        f.expected = (const char *)kinds.p;
        f.remedy = "if machines of that kind are meant to pass, add it to 'tee.kinds' of the policy";
        return judge_find(&w->judging, VERDICT_FAIL, &f, err);
}

/* ---- what is wrong with it ---- */

/* Reasons that have codes of their own: they are about whose evidence it is. */
static const struct {
        const char *reason, *code, *what, *remedy;
} bindings[] = {
        {"binding-mismatch", "tee-binding-mismatch",
         "the processor's evidence is genuine, but does not name this host's attestation key under the "
         "challenge of this round: it was made for another host's, or for another time",
         "treat the host as one that shows another machine's evidence; if it was just enrolled anew, let it "
         "attest again"},
        {"binding-not-rooted", "tee-binding-not-rooted",
         "the processor's evidence names this host's attestation key, but only by the word of software in "
         "that guest, which could name any host's",
         "add the launch measurement of an image whose only code that can ask for reports is the agent to "
         "'tee.rooted_images'; or state 'tee.binding: named', and results will say so"},
};

/* Enclaves have no image around them that could vouch for who asks. */
static const char sgx_is_named[] =
        "nothing roots an SGX quote: state 'tee.binding: named', and results will say so; or demand SEV-SNP "
        "or TDX under 'tee.kinds'";

/* Failures of what is kept here, not of the platform: it is missing, over, or another platform's. */
static const struct {
        const char *reason;
        const char *check; /* NULL: any */
} not_its_fault[] = {
        {"crl-missing", NULL},
        {"crl-expired", NULL},
        {"crl-not-yet-valid", NULL},
        {"collateral-expired", NULL},
        {"collateral-not-yet-valid", NULL},
        {"collateral-rolled-back", NULL},
        {"collateral-tee-mismatch", NULL},
        {"qe-identity-mismatch", "qe-identity-kind"}, /* in other checks it is the enclave that is another */
        {"fmspc-mismatch", NULL},
        {"pceid-mismatch", NULL},
        {"endorsement-expired", NULL},
        {"endorsement-not-yet-valid", NULL},
};

static bool is_its_fault(const struct tee_check *c)
{
        for (size_t i = 0; i < ARRAY_LEN(not_its_fault); i++)
                if (str_equal(c->reason, not_its_fault[i].reason) &&
                    (!not_its_fault[i].check || str_equal(c->name, not_its_fault[i].check)))
                        return false;
        return true;
}

static int find_failed(struct work *w, const struct tee_statement *s, const struct tee_check *c,
                       struct err *err)
{
        struct finding f = about_tee("tee-evidence-refused", SEVERITY_CRITICAL, NULL);
        AUTO(judge_words_done) struct judge_words words = {0};

        for (size_t i = 0; i < ARRAY_LEN(bindings); i++)
                if (str_equal(c->reason, bindings[i].reason)) {
                        f.code = bindings[i].code;
                        buf_str(&words.what, bindings[i].what);
                        buf_str(&words.remedy,
                                s->kind == TEE_SGX && str_equal(c->reason, "binding-not-rooted")
                                        ? sgx_is_named
                                        : bindings[i].remedy);
                }
        if (!words.what.len) {
                buf_fmt(&words.what, "the %s fails the check '%s'", titles[s->kind], c->name);
                buf_str(&words.remedy, "bring the machine to what the policy demands (firmware, launch, "
                                       "settings of its guest), or change 'tee' of the policy: "
                                       "avow-policy(5)");
        }
        buf_fmt(&words.found, "%s: %s", c->reason, c->text);
        buf_str(&words.expected, "every check of the processor's evidence passes");
        return judge_find_words(&w->judging, VERDICT_FAIL, &words, f, err);
}

/* The checks in STATE, as far as there is room. */
static void put_checks(const struct tee_result *result, enum tee_state state, struct buf *ret)
{
        for (size_t i = 0; i < result->n_checks && ret->len < 300; i++)
                if (result->checks[i].state == state)
                        buf_fmt(ret, "; %s: %s%s%s", result->checks[i].name, result->checks[i].reason,
                                *result->checks[i].reason ? ": " : "", result->checks[i].text);
}

static int find_undecided(struct work *w, const struct tee_statement *s, struct err *err)
{
        struct finding f = about_tee("tee-endorsements-missing", SEVERITY_ERROR, NULL);
        AUTO(judge_words_done) struct judge_words words = {0};

        buf_fmt(&words.what,
                "nothing here vouches for the %s: certificates or collateral of its vendor are "
                "missing, over, or another platform's",
                titles[s->kind]);
        buf_fmt(&words.found, "%s", tee_verdict_name(s->result.verdict));
        put_checks(&s->result, TEE_FAIL, &words.found);
        put_checks(&s->result, TEE_SKIPPED, &words.found);
        buf_str(&words.remedy,
                "on the verifier's machine: 'avow evidence save HOST', then 'avow "
                "endorsements fetch HOST.avow-evidence --cache DIR' with DIR as endorsements.dir of "
                "verifier.yaml ('avow endorsements import' without a network)");
        return judge_find_words(&w->judging, VERDICT_INCONCLUSIVE, &words, f, err);
}

/* Whose word the binding is, in the verdict itself. */
static int note_binding(struct work *w, const struct tee_statement *s, struct err *err)
{
        struct finding named = about_tee(
                "tee-binding-named", SEVERITY_WARNING,
                "binding: named. Software in that guest names this host's attestation key; a guest that "
                "co-operates could name another host's");
        struct finding rooted = about_tee("tee-binding-rooted", SEVERITY_INFO,
                                          "binding: rooted. The processor's evidence names this host's "
                                          "attestation key, and no other code there could have asked for it");

        named.remedy = "state 'tee.binding: rooted' and the images that may be launched, if that is to be "
                       "excluded";
        return verdict_add(w->judging.verdict,
                           str_equal(tee_statement_binding(s), "rooted") ? &rooted : &named, err);
}

/* Each thing that speaks against the machine; and whatever else keeps this from being an answer. */
static int find_all(struct work *w, const struct tee_statement *s, struct err *err)
{
        bool refused = false, lacking = false;
        int r = 0;

        if (s->result.verdict == TEE_ACCEPT)
                return note_binding(w, s, err);
        for (size_t i = 0; r >= 0 && i < s->result.n_checks; i++) {
                const struct tee_check *c = &s->result.checks[i];

                if (c->state == TEE_FAIL && is_its_fault(c)) {
                        refused = true;
                        r = find_failed(w, s, c, err);
                } else if (c->state == TEE_FAIL) {
                        lacking = true;
                }
        }
        return r >= 0 && (lacking || !refused) ? find_undecided(w, s, err) : r;
}

/* ---- one version's judgement ---- */

static int judge_by(const struct work *w, const struct policy_tee *p, struct tee_statement **ret,
                    struct err *err)
{
        const struct appraisal *in = w->in;
        AUTO(tee_statement_free_p) struct tee_statement *s = tee_statement_new();
        const struct tee_binding binding = {.challenge = in->challenge,
                                            .ak = in->evidence->ak,
                                            .rooted = p->binding == POLICY_TEE_ROOTED,
                                            .images = &p->rooted_images,
                                            .ek = in->ek};
        AUTO(tee_work_done)
        struct tee_work t = {.verify = true,
                             .bytes = in->tee.evidence,
                             .table = in->tee.table,
                             .has_manifest = in->tee.manifest.len > 0,
                             .manifest = in->tee.manifest,
                             .trust = in->tee_trust,
                             .warm = in->tee_warm,
                             .at_ms = in->expectation->received_at_ms,
                             .binding = &binding,
                             .snp = &p->snp,
                             .dcap = in->tee.kind == TEE_SGX ? p->sgx : p->tdx};
        int r;

        if (!s)
                return err_nomem(err);
        r = tee_type_find(tee_kind_name(in->tee.kind))->run(&t, err);
        if (r == -ERR_CONFIG) { /* a container of something else */
                tee_fail(&t.result, "file-format", "evidence-malformed", "%s", err->text);
                t.result.verdict = TEE_MALFORMED;
                err_clear(err);
                r = 0;
        }
        if (r < 0)
                return r;
        s->kind = in->tee.kind;
        s->result = t.result;
        s->intel = t.intel;
        *ret = TAKE(s);
        return 0;
}

int appraise_tee(struct work *w, struct err *err)
{
        size_t n;
        const struct policy_version *v = policy_effective_versions(w->judging.policy, &n);
        struct verdict *verdict = w->judging.verdict;

        if (!appraisal_tee_kinds(w->judging.policy))
                return 0;
        if (!w->in->has_tee || !w->in->tee.evidence.len)
                return find_missing(w, err);
        /* the newest version's answer, unless an older one that holds too accepts */
        for (size_t i = 0; i < n; i++) {
                AUTO(tee_statement_free_p) struct tee_statement *s = NULL;
                int r;

                if (!(v[i].policy->tee->kinds & 1u << w->in->tee.kind))
                        continue;
                r = judge_by(w, v[i].policy->tee, &s, err);
                if (r < 0)
                        return r;
                if (verdict->tee && s->result.verdict != TEE_ACCEPT)
                        continue;
                tee_statement_free(verdict->tee);
                verdict->tee = TAKE(s);
                if (verdict->tee->result.verdict == TEE_ACCEPT)
                        break;
        }
        return verdict->tee ? find_all(w, verdict->tee, err) : find_kind(w, v[0].policy->tee, err);
}
