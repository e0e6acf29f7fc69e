/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trust, wired. A change is worked out (react.c), numbered, signed and written in one transaction; the host
 * in memory changes, and the world is told, when that is on the disk. While a change is on its way the host
 * is busy, so that no second one starts from the same state.
 *
 * What the clock alone brings is found once a second, a few hundred hosts at a time: signing for a whole
 * fleet at once would hold up the loop. A verifier that was down for longer than a lease does not know
 * whether its hosts were silent or itself; of those that it has not heard since its start it tells nobody
 * that they were before it has been up for a lease and for as long as agents take to try again. Releases stop
 * all the same (trust_of()).
 */
#include "verifier/trust.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "verifier/holds.h"
#include "verifier/outbox.h"
#include "verifier/revocation.h"
#include "verifier/wait.h"

#define CHANGES_PER_SWEEP 256
/* How long an agent waits at most before it tries again. */
#define RETURN_MS    60000
#define REASON_BYTES (REVOCATION_REASON_MAX + 1)

enum trust trust_of(const struct verifier *v, const struct host *host)
{
        struct host_times times = verifier_times(v);

        if (host->s.trust.trust != TRUST_TRUSTED)
                return (enum trust)host->s.trust.trust;
        if (v->adopting)
                return TRUST_SUSPENDED;
        return host_suspended(host, &times, clock_now_ms(), loop_now_ms()) ? TRUST_SUSPENDED : TRUST_TRUSTED;
}

bool trust_wants_challenge(const struct host *host)
{
        const struct host_trust *t = &host->s.trust;

        return t->trust != TRUST_TRUSTED && t->reinstate_actor && host->s.enforced &&
               react_wiped_enough(t, host->s.counters.known, host->s.counters.epoch);
}

/* ---- making a change ---- */

/* What is said of it beside its numbers. */
struct words {
        const char *verdict, *severity, *policy;
        char reason[REASON_BYTES];
        int64_t reset_count;
};

static int set_reason(struct host_trust *t, const char *reason, struct err *err)
{
        free(t->reason);
        t->reason = str_dup(reason);
        return t->reason ? 0 : err_nomem(err);
}

/* Numbers and signs; without a key trust changes all the same, and nobody can be told. */
static int sign(const struct verifier *v, const struct host *host, enum reaction reaction,
                const struct words *w, const struct host_counters *counters, struct trust_change *c,
                char **ret_payload, struct err *err)
{
        struct host_trust *t = &c->trust;
        int64_t floor = verifier_db_seq_floor(v->db), seq = t->seq + 1 > floor ? t->seq + 1 : floor;
        struct revocation_facts facts = {.verifier = verifier_db_id(v->db),
                                         .host = host->e.name,
                                         .tenant = host->e.tenant,
                                         .seq = seq,
                                         .reaction = reaction,
                                         .issued_at_ms = c->issued_at_ms,
                                         .verdict = w->verdict,
                                         .severity = w->severity,
                                         .policy = w->policy,
                                         .reason = w->reason,
                                         .labels = host->e.labels,
                                         .counters = counters,
                                         .reset_count = w->reset_count};
        char *jws = NULL;
        int r;

        if (!v->keys.revocation)
                return 0;
        r = revocation_make(&facts, v->keys.revocation, ret_payload, &jws, err);
        if (r < 0)
                return r;
        t->seq = seq;
        free(t->jws);
        free(t->nonce);
        t->jws = jws;
        t->nonce = NULL;
        return 0;
}

static char *detail_of(const struct host_trust *was, const struct trust_change *c, const struct words *w)
{
        AUTO(json_free_p) json_t *j = json_object();
        int r = 0;

        r |= json_set_str(j, "was", trust_name((enum trust)was->trust));
        r |= json_set_str(j, "is", trust_name((enum trust)c->trust.trust));
        if (c->reaction)
                r |= json_set_str(j, "reaction", c->reaction);
        if (c->payload)
                r |= json_set_int(j, "revocation", c->trust.seq);
        if (c->trust.held)
                r |= json_set_bool(j, "held", true);
        if (c->trust.destroy_at_ms)
                r |= json_set_time(j, "destroy_at", c->trust.destroy_at_ms);
        if (was->reinstate_actor && !c->trust.reinstate_actor)
                r |= json_set_str(j, "asked_by", was->reinstate_actor);
        if (c->trust.trust == TRUST_REVOKED)
                r |= json_set_int(j, "epoch", (int64_t)c->trust.epoch);
        r |= json_set_str(j, "policy", w->policy);
        r |= json_set_str(j, "reason", w->reason);
        return r ? NULL : json_print(j);
}

/* NEXT is taken over. RET owns its texts. */
static int make_change(struct verifier *v, const struct host *host, struct react_result result,
                       struct host_trust *next, const struct words *w, const struct host_counters *counters,
                       int64_t now_ms, struct trust_change *ret, struct err *err)
{
        struct trust_change c = {.trust = *next, .issued_at_ms = now_ms};
        AUTO(mem_free_p) char *payload = NULL, *detail = NULL;
        int r = 0;

        *next = (struct host_trust){.trust = TRUST_TRUSTED};
        if (result.outcome == REACT_REVOKE) {
                c.reaction = reaction_name(result.reaction);
                c.severity = w->severity;
                c.policy = w->policy;
                c.trust.wipe_by_ms = c.trust.wipe == WIPE_PENDING ? now_ms + v->settings.wipe_ms : 0;
                r = set_reason(&c.trust, w->reason, err);
                if (r >= 0)
                        r = sign(v, host, result.reaction, w, counters, &c, &payload, err);
                c.payload = payload;
        }
        detail = r >= 0 ? detail_of(&host->s.trust, &c, w) : NULL;
        if (r >= 0 && !detail)
                r = err_nomem(err);
        c.audit =
                (struct audit_entry){.time_ms = now_ms,
                                     .tenant = host->e.tenant,
                                     .actor = "verifier",
                                     .action = result.outcome == REACT_REVOKE ? "trust.change" : "trust.note",
                                     .object = host->e.name,
                                     .detail = detail};
        if (r >= 0)
                r = trust_change_dup(&c, ret, err);
        host_trust_free(&c.trust);
        return r;
}

/* ---- taking it over ---- */

static void tell(struct verifier *v, struct host *host, enum trust was, const struct trust_change *c)
{
        static const char *const types[TRUST_N] = {"host.reinstated", "host.suspended", "host.revoked"};
        const struct host_trust *t = &host->s.trust;
        enum reaction reaction;

        if (!c->reaction || !reaction_by_name(c->reaction, &reaction))
                return;
        metric_inc(v->counters.reactions[reaction]);
        log_with(t->trust == TRUST_TRUSTED ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING,
                 LOG_FIELDS({"AVOW_HOST", host->e.name}, {"AVOW_TRUST", trust_name((enum trust)t->trust)}),
                 "host %s is %s (was %s): %s", SHOW(host->e.name), trust_name((enum trust)t->trust),
                 trust_name(was), t->reason ? t->reason : "");
        events_emit(v->events, types[t->trust], host->e.name, trust_name((enum trust)t->trust),
                    trust_name(was), t->reason);
        if (c->payload)
                verifier_revoked(v, host);
}

/* C's trust becomes HOST's. What the registrar, or a proof, said of the same revocation meanwhile stays. */
static void take_over(struct verifier *v, struct host *host, struct trust_change *c)
{
        struct host_trust was = host->s.trust;

        host->s.trust = c->trust;
        c->trust = (struct host_trust){.trust = TRUST_TRUSTED};
        if (host->s.trust.seq == was.seq && was.nonce) {
                free(host->s.trust.nonce);
                host->s.trust.nonce = was.nonce;
                was.nonce = NULL;
        }
        if (!c->reaction)
                host->s.trust.wipe = was.wipe;
        tell(v, host, (enum trust)was.trust, c);
        host_trust_free(&was);
}

void trust_apply(struct round *r, struct host *host)
{
        if (r->trust_changed)
                take_over(r->v, host, &r->trust);
        r->trust_changed = false;
}

/* ---- evidence ---- */

static void words_of_round(const struct round *r, const struct host *host, struct react_result result,
                           struct words *ret)
{
        const struct verdict *verdict = r->result.verdict;
        const struct continuation *cont = r->result.next ? r->result.next : host->cont;
        const struct finding *worst = verdict_worst(verdict);
        const struct host_trust *was = &host->s.trust;

        *ret = (struct words){.verdict = verdict_state_name(verdict->state),
                              .severity = severity_name(verdict_severity(verdict)),
                              .policy = r->policy_name,
                              .reset_count = cont ? (int64_t)cont->last.clock.reset_count : -1};
        if (result.outcome == REACT_REVOKE && result.reaction == REACTION_REINSTATE) {
                ret->severity = severity_name(SEVERITY_INFO);
                if (was->trust == TRUST_REVOKED)
                        (void)snprintf(ret->reason, sizeof(ret->reason), "reinstated: %s",
                                       was->reinstate_reason ? was->reinstate_reason : "");
                else
                        (void)snprintf(ret->reason, sizeof(ret->reason), "passed again");
        } else {
                (void)snprintf(ret->reason, sizeof(ret->reason), "%s",
                               worst ? worst->what : verdict_state_name(verdict->state));
        }
}

static int on_fail_of(struct verifier *v, const struct host *host, int64_t now_ms, struct policy_on_fail *ret,
                      struct err *err)
{
        struct host_times times = verifier_times(v);
        const struct policy_effective *e = NULL;
        int r;

        *ret = (struct policy_on_fail){.destroy = false};
        if (!host->rules)
                return 0;
        r = ruleset_effective(host->rules, host->e.name, now_ms, &e, err);
        if (r >= 0)
                *ret = policy_effective_on_fail(e, host_interval_ms(host, &times));
        return r < 0 ? r : 0;
}

int trust_after_evidence(struct round *r, struct host *host, struct err *err)
{
        const struct verdict *verdict = r->result.verdict;
        struct react_input in = {.was = &host->s.trust,
                                 .now_ms = r->received_at_ms,
                                 .has_counters = r->state.counters.known,
                                 .epoch = r->state.counters.epoch,
                                 .verdict = verdict->state,
                                 .enforced = verdict->enforced,
                                 .worst = verdict_severity(verdict),
                                 .unreplayed =
                                         r->state.asked_full && (r->challenge.full || host->s.asked_full),
                                 .immediate = r->immediate};
        struct host_trust next = {.trust = TRUST_TRUSTED};
        struct react_result result;
        struct words words;
        int n = on_fail_of(r->v, host, in.now_ms, &in.on_fail, err);

        if (n >= 0)
                n = host_trust_dup(&host->s.trust, &next, err);
        if (n < 0)
                return n;
        in.held = holds_destroy(r->v, host, react_destroy_at_ms(&in), in.now_ms);
        result = react_to_evidence(&in, &next);
        if (result.outcome != REACT_NOTHING) {
                words_of_round(r, host, result, &words);
                n = make_change(r->v, host, result, &next, &words, &r->state.counters, in.now_ms, &r->trust,
                                err);
                r->trust_changed = n >= 0;
        }
        host_trust_free(&next);
        return n < 0 ? n : result.outcome != REACT_NOTHING;
}

/* ---- changes that come of no evidence ---- */

struct standing {
        struct verifier *v;
        char *name;
        uint64_t serial;
        struct trust_change change;
        verifier_done_fn done;
        void *ctx;
};

static void standing_free(struct standing *s)
{
        if (!s)
                return;
        free(s->name);
        trust_change_free(&s->change);
        free(s);
}
DEFINE_AUTO(struct standing, standing_free)

static void on_written(void *ctx, enum store_outcome outcome, const struct err *err)
{
        AUTO(standing_free_p) struct standing *s = ctx;
        struct host *host = hosts_find(s->v->hosts, s->name);

        if (host && host->serial != s->serial)
                host = NULL;
        if (host)
                host->busy = false;
        if (err)
                log_err(err, "host %s: its change of trust is not written; it is tried again", SHOW(s->name));
        else if (outcome == STORE_CONFLICT)
                log_error("host %s: the database knows a newer trust than this verifier: restart it",
                          SHOW(s->name));
        else if (host)
                take_over(s->v, host, &s->change);
        if (s->done)
                s->done(s->ctx, outcome, err);
}

/* CHANGE is taken over. */
static int submit(struct verifier *v, struct host *host, struct trust_change *change, verifier_done_fn done,
                  void *ctx, struct err *err)
{
        AUTO(standing_free_p) struct standing *s = mem_zalloc(1, sizeof(*s));
        int r;

        if (s)
                s->name = str_dup(host->e.name);
        if (!s || !s->name) {
                trust_change_free(change);
                return err_nomem(err);
        }
        s->v = v;
        s->serial = host->serial;
        s->change = *change;
        *change = (struct trust_change){.payload = NULL};
        s->done = done;
        s->ctx = ctx;
        r = verifier_db_trust(v->db, host->e.tenant, host->e.name, &s->change, on_written, s, err);
        if (r < 0)
                return r;
        (void)TAKE(s);
        host->busy = true;
        return 0;
}

/* ---- time ---- */

static void words_of_time(const struct verifier *v, const struct host *host, enum reaction reaction,
                          struct words *ret)
{
        struct host_times times = verifier_times(v);
        char lease[CLOCK_TEXT_BYTES];

        *ret = (struct words){.verdict = verdict_state_name((enum verdict_state)host->s.verdict),
                              .severity = severity_name(SEVERITY_ERROR),
                              .policy = host->rules ? ruleset_name(host->rules) : host->e.policy,
                              .reset_count = host->cont ? (int64_t)host->cont->last.clock.reset_count : -1};
        if (reaction == REACTION_DESTROY)
                (void)snprintf(ret->reason, sizeof(ret->reason), "%s",
                               host->s.trust.reason ? host->s.trust.reason
                                                    : "failed, and did not pass again");
        else
                (void)snprintf(ret->reason, sizeof(ret->reason), "no pass on record for the lease of %s",
                               clock_format_duration(host_lease_ms(host, &times), lease));
}

/* Is there anything that time may do to it? A cheap look, for every host. */
static bool due(const struct verifier *v, const struct host *host, const struct host_times *times,
                int64_t now_ms, int64_t mono_ms)
{
        const struct host_trust *t = &host->s.trust;
        bool heard = host->evidence_ms >= v->up_ms;

        if (host->busy)
                return false;
        /* without its policy nobody can say what it asks for: wait for the policy */
        if (host->rules && t->trust == TRUST_SUSPENDED && t->destroy_at_ms && now_ms >= t->destroy_at_ms)
                return true;
        if (t->reinstate_actor && now_ms > t->reinstate_until_ms)
                return true;
        return t->trust == TRUST_TRUSTED && host_suspended(host, times, now_ms, mono_ms) &&
               (heard || mono_ms - v->up_ms > host_lease_ms(host, times) + RETURN_MS);
}

/* Return: 1 if something is being changed; 0; -kind. */
static int look_at(struct verifier *v, struct host *host, int64_t now_ms, struct err *err)
{
        struct react_input in = {.was = &host->s.trust,
                                 .now_ms = now_ms,
                                 .has_counters = host->s.counters.known,
                                 .epoch = host->s.counters.epoch,
                                 .lapsed = host->s.trust.trust == TRUST_TRUSTED};
        struct host_trust next = {.trust = TRUST_TRUSTED};
        struct trust_change change = {.payload = NULL};
        struct react_result result;
        struct words words;
        int r = on_fail_of(v, host, now_ms, &in.on_fail, err);

        if (r >= 0)
                r = host_trust_dup(&host->s.trust, &next, err);
        if (r < 0)
                return r;
        if (host->s.trust.trust == TRUST_SUSPENDED && host->s.trust.destroy_at_ms)
                in.held = holds_destroy(v, host, host->s.trust.destroy_at_ms, now_ms);
        result = react_to_time(&in, &next);
        if (result.outcome != REACT_NOTHING) {
                words_of_time(v, host, result.reaction, &words);
                r = make_change(v, host, result, &next, &words, &host->s.counters, now_ms, &change, err);
                if (r >= 0)
                        r = submit(v, host, &change, NULL, NULL, err);
        }
        host_trust_free(&next);
        return r < 0 ? r : result.outcome != REACT_NOTHING;
}

void trust_sweep(struct verifier *v)
{
        struct host_times times = verifier_times(v);
        int64_t now_ms = clock_now_ms(), mono_ms = loop_now_ms(), counts[TRUST_N] = {0}, held = 0;
        struct err err = ERR_INIT;
        struct host *host;
        size_t pos = 0, changed = 0;

        if (v->loading) /* what is not read yet cannot be counted, and the fuse has to count */
                return;
        holds_sweep(v, now_ms);
        while ((host = hosts_next(v->hosts, &pos)) != NULL) {
                int r = 0;

                counts[host->s.trust.trust]++;
                held += host->s.trust.held;
                if (changed < CHANGES_PER_SWEEP && due(v, host, &times, now_ms, mono_ms))
                        r = look_at(v, host, now_ms, &err);
                if (r < 0) {
                        log_err(&err, "host %s: trust", SHOW(host->e.name));
                        err_clear(&err);
                }
                changed += r != 0;
        }
        for (size_t i = 0; i < TRUST_N; i++)
                metric_set(v->counters.trust[i], counts[i]);
        metric_set(v->counters.held, held);
}

/* ---- reinstatement ---- */

int trust_ask_reinstatement(struct verifier *v, struct host *host, const char *actor, const char *reason,
                            bool unwiped, int64_t lifetime_ms, verifier_done_fn done, void *ctx,
                            struct err *err)
{
        int64_t now_ms = clock_now_ms();
        struct trust_change change = {.issued_at_ms = now_ms,
                                      .audit = {.time_ms = now_ms,
                                                .tenant = host->e.tenant,
                                                .actor = actor,
                                                .action = "host.reinstate",
                                                .object = host->e.name}};
        AUTO(json_free_p) json_t *j = json_pack("{s:s, s:b}", "reason", reason, "unwiped", unwiped);
        AUTO(mem_free_p) char *detail = j ? json_print(j) : NULL;
        struct trust_change mine = {.payload = NULL};
        int r = detail ? host_trust_dup(&host->s.trust, &change.trust, err) : err_nomem(err);

        if (r < 0)
                return r;
        change.audit.detail = detail;
        react_forget_reinstatement(&change.trust);
        change.trust.reinstate_actor = str_dup(actor);
        change.trust.reinstate_reason = str_dup(reason);
        change.trust.reinstate_until_ms = now_ms + lifetime_ms;
        change.trust.reinstate_unwiped = unwiped;
        if (!change.trust.reinstate_actor || !change.trust.reinstate_reason)
                r = err_nomem(err);
        else
                r = trust_change_dup(&change, &mine, err);
        host_trust_free(&change.trust);
        return r < 0 ? r : submit(v, host, &mine, done, ctx, err);
}

/* ---- after a restored backup ---- */

int trust_adopt(struct verifier *v, struct host *host, const struct trust_adoption *x, verifier_done_fn done,
                void *ctx, struct err *err)
{
        static const enum trust trusts[REACTION_N] = {[REACTION_SUSPEND] = TRUST_SUSPENDED,
                                                      [REACTION_DESTROY] = TRUST_REVOKED,
                                                      [REACTION_REINSTATE] = TRUST_TRUSTED};
        static const char reason[] = "known to the registrar from before the database was restored";
        int64_t now_ms = clock_now_ms();
        AUTO(mem_free_p)
        char *detail = str_fmt("{\"revocation\":%lld,\"reaction\":\"%s\",\"signed_by_us\":%s}",
                               (long long)x->seq, reaction_name(x->reaction), x->payload ? "true" : "false");
        struct trust_change change = {.payload = x->payload,
                                      .reaction = reaction_name(x->reaction),
                                      .issued_at_ms = now_ms,
                                      .audit = {.time_ms = now_ms,
                                                .tenant = host->e.tenant,
                                                .actor = "verifier",
                                                .action = "trust.adopt",
                                                .object = host->e.name}};
        struct trust_change mine = {.payload = NULL};
        struct host_trust *t = &change.trust;
        int r;

        if (!detail)
                return err_nomem(err);
        change.audit.detail = detail;
        *t = (struct host_trust){.trust = (int)trusts[x->reaction],
                                 .seq = x->seq,
                                 .since_ms = now_ms,
                                 .epoch = host->s.counters.epoch,
                                 .reason = (char *)(uintptr_t)reason,
                                 .jws = x->payload ? (char *)(uintptr_t)x->jws : NULL};
        if (x->reaction == REACTION_DESTROY && host->s.counters.known) {
                t->wipe = WIPE_PENDING; /* its proof may be asked for again */
                t->wipe_by_ms = now_ms + v->settings.wipe_ms;
        }
        r = trust_change_dup(&change, &mine, err);
        return r < 0 ? r : submit(v, host, &mine, done, ctx, err);
}

void verifier_revoked(struct verifier *v, struct host *host)
{
        wait_notify(v, host->e.name);
        outbox_wake(v->outbox);
}
