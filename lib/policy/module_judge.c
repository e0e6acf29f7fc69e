/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May this module run? What is denied by digest and what carries bad claims is refused before anything is
 * asked that could allow it. Then every item of every version in force is asked in the order of the text; the
 * first that fits in all of what it says allows. Otherwise the finding is that of the item that came nearest:
 * "your runtime's closure is not in the policy" helps, "not allowed" does not.
 *
 * Spec: SR-21, SR-22; reference of wasmCloud's claims; docs/protocol.md, "Launches".
 */
#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "evidence/wasm_claims.h"
#include "policy/judge.h"
#include "policy/module_impl.h"
#include "policy/policy.h"

/* How near an item came; the higher, the nearer. */
enum near { NEAR_NOT, NEAR_SIGNER, NEAR_ENDED, NEAR_HOST, NEAR_RUNTIME, NEAR_CLOSURE, NEAR_SECRET, NEAR_YES };

struct judged {
        const struct module_version *versions;
        size_t n_versions;
        const struct module_request *q;
        struct module_answer *answer;
        struct judging judging;
        /* The nearest so far. */
        enum near near;
        const struct module_version *version;
        const struct module_item *item;
        const char *about; /* the runtime's or the secret's name, a check's text */
        struct tee_check check;
};

static const char sentence_unknown[] =
        "no module policy allows this module: neither its digest nor a signer of it is listed";

static bool in_force(const struct module_version *v, const struct module_request *q)
{
        return q->now_ms < v->until_ms;
}

/* Adds a finding; the texts are copied. DETAIL and the rest are what the answer says. */
static int find(struct judged *j, enum verdict_state state, const struct module_version *version,
                uint32_t line, const struct finding *of, struct err *err)
{
        AUTO(mem_free_p) char *ref = version ? str_fmt("%s:%u", version->policy->name, line) : NULL;
        struct finding f = *of;

        if (version && !ref)
                return err_nomem(err);
        f.policy_ref = ref;
        f.log = "module";
        f.entry = FINDING_NO_ENTRY;
        return judge_find(&j->judging, state, &f, err);
}

/* ---- what refuses by itself ---- */

static const struct module_digest *denied_in(const struct module_policy *p, const struct launch *l)
{
        const struct module_digest *d = module_find(&p->denied, &l->sha256, 0);

        return d ? d : module_find(&p->denied, &l->sha384, 0);
}

/* Return: 1 if it is denied; 0; < 0. */
static int check_denied(struct judged *j, struct err *err)
{
        static const struct finding f = {.code = "module-denied",
                                         .severity = SEVERITY_CRITICAL,
                                         .what = "the policy denies this module by its digest",
                                         .remedy = "do not run it; if it is wanted again, take it out of "
                                                   "'deny:' and push the policy"};

        for (size_t i = 0; i < j->n_versions; i++) {
                const struct module_version *v = &j->versions[i];
                const struct module_digest *d = in_force(v, j->q) ? denied_in(v->policy, j->q->launch) : NULL;
                int r;

                if (!d || j->q->now_ms >= d->until_ms)
                        continue;
                r = find(j, VERDICT_FAIL, v, d->line, &f, err);
                return r < 0 ? r : 1;
        }
        return 0;
}

static int claims_bad(struct judged *j, const char *what, const char *found, struct err *err)
{
        struct finding f = {.code = "claims-bad",
                            .severity = SEVERITY_CRITICAL,
                            .what = what,
                            .found = found,
                            .remedy = "take the module from its maker again, or have it signed anew ('avow "
                                      "module show FILE' prints its claims)"};
        int r = find(j, VERDICT_FAIL, NULL, 0, &f, err);

        return r < 0 ? r : 1;
}

/* Checks that say who may sign are the items' business; all others are the module's. */
static bool is_about_trust(const struct tee_check *c)
{
        return str_equal(c->name, "issuer") || str_equal(c->name, "subject") ||
               str_equal(c->name, "module-revision");
}

/* Are there claims, then they have to be good, whoever made them. Return: 1 if they are not; 0; < 0. */
static int check_claims(struct judged *j, struct err *err)
{
        const struct wasm_trust nobody = {.revision_min = INT32_MIN, .now_ms = j->q->now_ms};
        AUTO(wasm_claims_done) struct wasm_claims claims = {.doc = NULL};
        struct tee_result checks;
        enum wasm_signed got;
        struct digest d;
        int r;

        if (!j->q->launch->has_claims)
                return j->q->claims.len ? claims_bad(j, "claims came with a module that has none", NULL, err)
                                        : 0;
        r = digest_bytes(DIGEST_SHA256, j->q->claims, &d, err);
        if (r < 0)
                return r;
        if (!digest_equal(&d, &j->q->launch->claims_token))
                return claims_bad(j, "the claims that came are not those in the module", NULL, err);
        r = wasm_claims_check_token(j->q->claims, &j->q->launch->claims_hash, &nobody, &claims, &checks, &got,
                                    err);
        for (size_t i = 0; i < checks.n_checks && r >= 0; i++)
                if (checks.checks[i].state == TEE_FAIL && !is_about_trust(&checks.checks[i]))
                        return claims_bad(j, "the module's own claims are not good", checks.checks[i].text,
                                          err);
        return r;
}

/* ---- items ---- */

static void come_near(struct judged *j, enum near near, const struct module_version *v,
                      const struct module_item *item, const char *about)
{
        if (near <= j->near)
                return;
        j->near = near;
        j->version = v;
        j->item = item;
        j->about = about;
}

/* May these claims say what they say? Return: the contract that is not listed, or NULL. */
static const char *strange_capability(const struct module_item *item, const struct wasm_claims *claims)
{
        for (size_t i = 0; item->has_capabilities && i < json_array_size(claims->capabilities); i++) {
                const char *text = json_string_value(json_array_get(claims->capabilities, i));

                if (!text || !strv_has(&item->capabilities, text))
                        return text ? text : "?";
        }
        return NULL;
}

/* Return: 1 if the claims are by one of the item's accounts, for what it allows; 0; < 0. */
static int fits_wascap(struct judged *j, const struct module_version *v, const struct module_item *item,
                       struct err *err)
{
        const struct wasm_trust trust = {.accounts = (const char *const *)item->accounts.items,
                                         .n_accounts = item->accounts.n,
                                         .subjects = (const char *const *)item->subjects.items,
                                         .n_subjects = item->subjects.n,
                                         .revision_min = item->revision_min,
                                         .now_ms = j->q->now_ms};
        AUTO(wasm_claims_done) struct wasm_claims claims = {.doc = NULL};
        struct tee_result checks;
        enum wasm_signed got;
        const char *strange;
        int r;

        if (!j->q->launch->has_claims)
                return 0;
        r = wasm_claims_check_token(j->q->claims, &j->q->launch->claims_hash, &trust, &claims, &checks, &got,
                                    err);
        if (r < 0)
                return r;
        if (got != WASM_ACCEPTED) {
                for (size_t i = 0; i < checks.n_checks && j->near < NEAR_SIGNER; i++)
                        if (checks.checks[i].state == TEE_FAIL) {
                                j->check = checks.checks[i];
                                come_near(j, NEAR_SIGNER, v, item, j->check.text);
                        }
                return 0;
        }
        strange = strange_capability(item, &claims);
        if (!strange)
                return 1;
        if (j->near < NEAR_SIGNER) {
                (void)snprintf(j->check.text, sizeof(j->check.text),
                               "its claims ask for capability %s, which is not listed", SHOW(strange));
                come_near(j, NEAR_SIGNER, v, item, j->check.text);
        }
        return 0;
}

static const struct module_key *key_named(const struct module_policy *p, const char *name)
{
        for (size_t i = 0; i < p->n_keys; i++)
                if (str_equal(p->keys[i].name, name))
                        return &p->keys[i];
        return NULL;
}

static int fits_signer(struct judged *j, const struct module_version *v, const struct module_item *item,
                       struct err *err)
{
        if (!j->q->signature.len && !j->q->envelope.len)
                return 0;
        for (size_t i = 0; i < item->signers.n; i++) {
                const struct module_key *key = key_named(v->policy, item->signers.items[i]);
                bool good = false;
                int r = key ? module_signed_by(j->q, key, &good, err) : 0;

                if (r < 0 || good)
                        return r < 0 ? r : 1;
        }
        come_near(j, NEAR_SIGNER, v, item, "the signature that came with it is by none of the item's keys");
        return 0;
}

static const struct module_closures *closures_of(const struct module_policy *p, const char *runtime)
{
        for (size_t i = 0; i < p->n_closures; i++)
                if (str_equal(p->closures[i].runtime, runtime))
                        return &p->closures[i];
        return NULL;
}

static bool closure_allowed(const struct module_policy *p, const struct module_request *q)
{
        const struct module_closures *c = closures_of(p, q->launch->runtime);
        const struct module_digest *d;

        for (size_t n = 0; c && (d = module_find(&c->digests, &q->launch->closure, n)) != NULL; n++)
                if (q->now_ms < d->until_ms)
                        return true;
        return false;
}

/* The module is ITEM's: may it run here, in this runtime, with these secrets? */
static bool item_allows(struct judged *j, const struct module_version *v, const struct module_item *item)
{
        const struct launch *l = j->q->launch;

        if (j->q->now_ms >= item->until_ms) {
                come_near(j, NEAR_ENDED, v, item, NULL);
                return false;
        }
        if (item->hosts && pattern_match(item->hosts, view_str(l->host)) == PATTERN_NONE) {
                come_near(j, NEAR_HOST, v, item, l->host);
                return false;
        }
        if ((item->runtimes.n && !strv_has(&item->runtimes, l->runtime)) ||
            !closures_of(v->policy, l->runtime)) {
                come_near(j, NEAR_RUNTIME, v, item, l->runtime);
                return false;
        }
        if (!closure_allowed(v->policy, j->q)) {
                come_near(j, NEAR_CLOSURE, v, item, l->runtime);
                return false;
        }
        for (size_t i = 0; i < l->n_secrets; i++)
                if (!strv_has(&item->terms.secrets, l->secrets[i])) {
                        come_near(j, NEAR_SECRET, v, item, l->secrets[i]);
                        return false;
                }
        come_near(j, NEAR_YES, v, item, NULL);
        return true;
}

/* Items that list the digest, found through the index. */
static bool ask_digests(struct judged *j, const struct module_version *v, const struct digest *d)
{
        const struct module_digest *e;

        for (size_t n = 0; (e = module_find(&v->policy->allowed, d, n)) != NULL; n++)
                if (item_allows(j, v, &v->policy->items[e->item]))
                        return true;
        return false;
}

/* Return: 1 if it is allowed; 0; < 0. */
static int ask_signers(struct judged *j, const struct module_version *v, struct err *err)
{
        const struct module_policy *p = v->policy;

        for (size_t i = 0; i < p->n_items; i++) {
                const struct module_item *item = &p->items[i];
                int r = 0;

                if (item->by == MODULE_BY_WASCAP)
                        r = fits_wascap(j, v, item, err);
                else if (item->by == MODULE_BY_SIGNER)
                        r = fits_signer(j, v, item, err);
                if (r < 0)
                        return r;
                if (r > 0 && item_allows(j, v, item))
                        return 1;
        }
        return 0;
}

static int ask_all(struct judged *j, struct err *err)
{
        int r = 0;

        for (size_t i = 0; i < j->n_versions && r == 0; i++) {
                const struct module_version *v = &j->versions[i];

                if (!in_force(v, j->q))
                        continue;
                r = ask_digests(j, v, &j->q->launch->sha256) || ask_digests(j, v, &j->q->launch->sha384);
                if (r == 0)
                        r = ask_signers(j, v, err);
        }
        return r;
}

/* ---- the answer ---- */

static int find_allowed(struct judged *j, struct err *err)
{
        static const char *const by[] = {
                [MODULE_BY_DIGEST] = "the policy lists the module's digest",
                [MODULE_BY_WASCAP] = "the module's claims are by an account that the policy lists",
                [MODULE_BY_SIGNER] = "a key of the policy signed the module"};
        struct finding f = {.code = "module-allowed",
                            .severity = SEVERITY_INFO,
                            .what = by[j->item->by],
                            .found = j->item->comment};
        struct module_answer *a = j->answer;

        a->allowed = true;
        a->by = j->version;
        a->line = j->item->line;
        a->lifetime_s = j->item->terms.lifetime_s;
        a->cache_s = j->item->terms.cache_s;
        a->finish = j->item->terms.finish;
        return find(j, VERDICT_PASS, j->version, j->item->line, &f, err);
}

/* What is said of each kind of miss, and what to do. */
static const struct {
        const char *code, *what, *remedy, *next;
} misses[] = {
        [NEAR_NOT] = {"module-not-allowed", sentence_unknown,
                      "allow its digest, or have it signed by somebody whom the policy lists",
                      "avow module allow"},
        [NEAR_SIGNER] = {"module-not-allowed",
                         "the module is signed, and not so that an item of the policy allows it",
                         "compare the signer with the item", "avow module show"},
        [NEAR_ENDED] = {"module-not-allowed", "the item that allows this module has ended",
                        "allow its digest anew if it is still wanted", "avow module allow"},
        [NEAR_HOST] = {"module-not-allowed", "the item that allows this module is for other hosts",
                       "add the host to the item's 'hosts'", "avow module list"},
        [NEAR_RUNTIME] = {"closure-not-allowed",
                          "the module is allowed, and not in this runtime: the policy has no closure for it",
                          "choose another runtime, or add its closure under 'closures'", "avow module list"},
        [NEAR_CLOSURE] = {"closure-not-allowed",
                          "the module is allowed, and the runtime is not what the policy approved: its "
                          "closure has another digest",
                          "if the runtime was updated on purpose, add the new closure's digest under "
                          "'closures'; if not, find out who changed it",
                          "avow module list"},
        [NEAR_SECRET] = {"secret-not-allowed",
                         "the module is allowed, and not with a secret that the launch asks for",
                         "add the secret's name to the item's 'secrets', or launch without it",
                         "avow module list"},
};

static int find_refused(struct judged *j, struct err *err)
{
        const struct launch *l = j->q->launch;
        char module[2 * DIGEST_BYTES_MAX + 1], closure[2 * DIGEST_BYTES_MAX + 1];
        struct finding f = {.code = misses[j->near].code,
                            .severity = SEVERITY_ERROR,
                            .what = misses[j->near].what,
                            .found = j->about,
                            .remedy = misses[j->near].remedy};

        if (j->near == NEAR_NOT || j->near == NEAR_ENDED)
                f.found = hex_write(module, digest_view(&l->sha256));
        else if (j->near == NEAR_CLOSURE)
                f.found = hex_write(closure, digest_view(&l->closure));
        return find(j, VERDICT_FAIL, j->item ? j->version : NULL, j->item ? j->item->line : 0, &f, err);
}

static bool any_in_force(const struct judged *j)
{
        for (size_t i = 0; i < j->n_versions; i++)
                if (in_force(&j->versions[i], j->q))
                        return true;
        return false;
}

static int find_no_policy(struct judged *j, struct err *err)
{
        static const struct finding f = {.code = "no-module-policy",
                                         .severity = SEVERITY_ERROR,
                                         .what = "this tenant has no module policy: nothing may be launched",
                                         .remedy = "write one (avow-modules(5)) and push it"};

        return find(j, VERDICT_FAIL, NULL, 0, &f, err);
}

static int judge(struct judged *j, struct err *err)
{
        int r;

        if (!any_in_force(j))
                return find_no_policy(j, err);
        r = check_denied(j, err);
        if (r == 0)
                r = check_claims(j, err);
        if (r != 0)
                return r < 0 ? r : 0;
        r = ask_all(j, err);
        if (r < 0)
                return r;
        return r > 0 ? find_allowed(j, err) : find_refused(j, err);
}

int module_policy_judge(const struct module_version *versions, size_t n, const struct module_request *request,
                        struct module_answer *ret, struct err *err)
{
        struct module_answer a = {.verdict = verdict_new()};
        struct judged j = {.versions = versions,
                           .n_versions = n,
                           .q = request,
                           .answer = &a,
                           .judging = {.verdict = a.verdict}};
        int r;

        if (!a.verdict)
                return err_nomem(err);
        a.verdict->state = VERDICT_PASS;
        r = judge(&j, err);
        if (r < 0) {
                module_answer_done(&a);
                return r;
        }
        if (!a.allowed) {
                const struct finding *f = verdict_worst(a.verdict);

                a.type = f->code;
                a.detail = f->what;
                a.next = str_equal(f->code, misses[j.near].code) ? misses[j.near].next : NULL;
        }
        *ret = a;
        return 0;
}

void module_answer_done(struct module_answer *a)
{
        verdict_free(a->verdict);
        *a = (struct module_answer){.allowed = false};
}
