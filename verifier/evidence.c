/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PATCH …/attestations/:index: evidence arrives and becomes a verdict.
 *
 * What is not authentic is refused: counted, recorded, the challenge stays out, and nothing about the host
 * changes (SR-4). What cannot be decided is asked for again, at once. A verdict that changed is on the disk
 * before it is answered; a heartbeat is answered while it waits to be written. The answer to an avow agent
 * carries the next challenge, so the next round is one request.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "crypto/random.h"
#include "evidence/pcr_blob.h"
#include "evidence/qualify.h"
#include "verifier/appraise_away.h"
#include "verifier/attest.h"
#include "verifier/challenges.h"
#include "verifier/endorsed.h"
#include "verifier/reply.h"
#include "verifier/secrets.h"
#include "verifier/trust.h"
#include "verifier/wait.h"
#include "wire/attestation.h"

/* One audit record and one event in so long about refused evidence of a host: whoever holds a token must not
 * fill the disk. */
#define REFUSAL_TOLD_MS 60000
/* Wall and monotonic clock differing by more over one round: somebody set ours. */
#define CLOCK_SET_MS 2000
/* A host that finds no room for its long list comes again after so long. */
#define BUSY_RETRY_MS 10000

void round_free(struct round *r)
{
        if (!r)
                return;
        wire_evidence_done(&r->evidence);
        buf_free(&r->list);
        release_free(r->release);
        free(r->permits);
        appraisal_result_done(&r->result);
        policy_unref(r->policy.policy);
        policy_effective_free(r->effective);
        free(r->policy_name);
        host_state_free(&r->state);
        trust_change_free(&r->trust);
        free(r);
}

static void finish(struct round *r, struct host *host, struct session *session, int n, const struct err *err);

/* ---- appraisal ---- */

/* How the host came to its key, as findings that stay visible in every verdict. Spec: SR-9. */
static int note_binding(const struct host *host, struct verdict *v, struct err *err)
{
        static const struct finding tofu = {
                .code = "bound-on-first-use",
                .severity = SEVERITY_WARNING,
                .log = "enrolment",
                .entry = FINDING_NO_ENTRY,
                .what = "the name was bound to the first TPM that asked for it, not to one that somebody "
                        "named",
                .remedy = "compare the EK with the machine's ('tpm2_getekcertificate'), remove the host and "
                          "add it "
                          "again with that EK",
        };
        static const struct finding unbound = {
                .code = "ek-not-verified",
                .severity = SEVERITY_WARNING,
                .log = "enrolment",
                .entry = FINDING_NO_ENTRY,
                .what = "no certificate that the registrar verified stands for this host's EK",
                .remedy = "set ek.policy to 'required' at the registrar and register the host again",
        };

        if (str_equal(host->e.bound_by, "tofu") && verdict_add(v, &tofu, err) < 0)
                return -ERR_NOMEM;
        if (host->ek_findings)
                return verdict_add(v, &unbound, err);
        return 0;
}

static struct counters_claim claim_of(const struct wire_evidence_item *quote)
{
        return (struct counters_claim){
                .key = VIEW_BUF(&quote->counter_key),
                .epoch = {quote->epoch.index, VIEW_BUF(&quote->epoch.message),
                          VIEW_BUF(&quote->epoch.signature)},
                .floor = {quote->floor.index, VIEW_BUF(&quote->floor.message),
                          VIEW_BUF(&quote->floor.signature)},
        };
}

/* What an avow agent's TPM has to have signed over. Spec: SR-13. */
static int qualify(const struct round *r, const struct host *host, struct digest *ret, struct err *err)
{
        struct view challenge = VIEW(r->challenge.nonce, r->challenge.nonce_len);
        const char *id = verifier_db_id(r->v->db);

        if (!r->release)
                return qualify_heartbeat(id, host->e.name, challenge, ret, err);
        return (r->release->launch ? qualify_permit : qualify_release)(
                id, host->e.name, challenge, digest_view(&r->release->request), ret, err);
}

/* What the evidence is, and what it is measured against. RET_E and RET_X borrow from R and HOST. */
static int round_expect(struct round *r, struct host *host, struct evidence *ret_e, struct expectation *ret_x,
                        struct err *err)
{
        const struct wire_evidence_item *quote = wire_evidence_find(&r->evidence, WIRE_TPM_QUOTE);
        const struct challenge *c = &r->challenge;
        int n = 0;

        *ret_e = (struct evidence){.ak = &host->ak,
                                   .message = VIEW_BUF(&quote->message),
                                   .signature = VIEW_BUF(&quote->signature),
                                   .pcrs = &r->pcrs,
                                   .time_message = VIEW_BUF(&quote->time_message),
                                   .time_signature = VIEW_BUF(&quote->time_signature),
                                   .counters = claim_of(quote)};
        *ret_x = (struct expectation){.qualifying = VIEW(c->nonce, c->nonce_len),
                                      .asked = c->asked,
                                      .want_time = !host->e.keylime,
                                      .want_counters = !host->e.keylime,
                                      .counters = &host->counters,
                                      .immediate = r->immediate,
                                      .issued_at_ms = c->issued_at_ms,
                                      .received_at_ms = r->received_at_ms,
                                      .tolerance = {.base_ms = r->v->settings.tolerance_ms, .percent = 35}};
        if (!host->e.keylime) {
                n = qualify(r, host, &r->qualifying, err);
                ret_x->qualifying = digest_view(&r->qualifying);
        }
        if (n >= 0)
                n = host_counters(host, err);
        return n < 0 ? n : hosts_key(r->v->hosts, host, &ret_e->ak_key, err);
}

/* The logs that came, and the list with the parts that waited for this one. */
static int round_logs(struct round *r, struct host *host, struct appraisal *in, struct err *err)
{
        const struct wire_evidence_item *log = wire_evidence_find(&r->evidence, WIRE_CEL_LOG);
        const struct wire_evidence_item *uefi = wire_evidence_find(&r->evidence, WIRE_UEFI_LOG);
        const struct wire_evidence_item *ima = wire_evidence_find(&r->evidence, WIRE_IMA_LOG);
        int n = 0;

        in->has_log = log != NULL;
        if (log) {
                in->log = VIEW_BUF(&log->entries);
                in->log_first = r->challenge.log_offset;
        }
        in->has_uefi = uefi != NULL;
        if (uefi)
                in->uefi = VIEW_BUF(&uefi->entries);
        in->has_tee = wire_evidence_tee(&r->evidence, &in->tee);
        in->tee_not_asked = !r->challenge.wants_tee && !r->challenge.tee_in_vain;
        in->challenge = VIEW(r->challenge.nonce, r->challenge.nonce_len);
        in->tee_trust = endorsed_trust(r->v->endorsed);
        in->ek = host_ek(host, &r->ek);
        in->has_ima = ima != NULL;
        if (!ima)
                return 0;
        in->ima = VIEW_BUF(&ima->entries);
        r->ima_first = r->challenge.ima_offset;
        in->asked_again |= gather_is_full(host->gather);
        /* the last part, too, has to find room */
        r->list_cut |= gather_bytes(host->gather) &&
                       in->ima.len + gather_bytes(host->gather) > r->v->settings.gather.host_bytes;
        n = gather_take(host->gather, r->challenge.ima_offset, r->list_cut ? VIEW_NONE : in->ima, &r->list,
                        &r->ima_first, err);
        if (n > 0)
                in->ima = VIEW_BUF(&r->list);
        in->ima_first = r->ima_first;
        return n;
}

/* The list is judged, and with it what was gathered; unless this was not the host's evidence. */
static void round_end_gather(struct round *r, struct host *host)
{
        if (r->result.verdict && r->result.verdict->state == VERDICT_REFUSED) {
                if (r->list.p)
                        gather_give_back(host->gather, &r->list);
                return;
        }
        if (!r->challenge.wants_ima)
                return;
        gather_free(host->gather);
        host->gather = NULL;
}

/* Why its end may be missing. */
static int note_cut(const struct round *r, struct verdict *v, struct err *err)
{
        AUTO(mem_free_p)
        char *allowed = str_fmt("%lld bytes of one host, %lld of all (limits.ima, "
                                "limits.gathering)",
                                (long long)r->v->settings.gather.host_bytes,
                                (long long)r->v->settings.gather.all_bytes);
        const struct finding f = {
                .code = "list-too-long",
                .severity = SEVERITY_WARNING,
                .log = "ima",
                .entry = (int64_t)r->challenge.ima_offset,
                .what = "the kernel's measurement list is longer than this verifier gathers, so its end was "
                        "not judged",
                .expected = allowed,
                .remedy = "set limits.ima in verifier.yaml above the length of "
                          "/sys/kernel/security/ima/binary_runtime_measurements; or let the host measure "
                          "less ('avow host prepare') and reboot it",
        };

        if (!r->list_cut)
                return 0;
        return allowed ? verdict_add(v, &f, err) : err_nomem(err);
}

/* What comes after the appraisal, which said N. */
static int round_appraised(struct round *r, struct host *host, int n, struct err *err)
{
        round_end_gather(r, host);
        if (n < 0 || r->result.verdict->state == VERDICT_REFUSED)
                return n;
        n = note_cut(r, r->result.verdict, err);
        return n < 0 ? n : note_binding(host, r->result.verdict, err);
}

/* The thread is through: the host may be gone, or another of its name there. */
static void on_appraised(struct round *r, int n, struct err *err)
{
        struct host *host = hosts_find(r->v->hosts, r->name);

        if (!host || host->serial != r->serial) {
                reply_v3_error(r->req, 404, "not_found", "This host is not enrolled any more.");
                round_free(r);
                return;
        }
        host->busy = false;
        n = round_appraised(r, host, n, err);
        finish(r, host, NULL, n, err);
}

/*
 * As appraise(), beside the loop. Only what the host's own key signed over this challenge gets that far: a
 * stranger with a token must not keep the threads busy. Return: 1; < 0; 0 for a verdict that is one already.
 */
static int appraise_beside(struct round *r, struct host *host, const struct appraisal *in,
                           const struct policy_effective *policy, struct err *err)
{
        struct authenticated auth;
        struct expectation x = *in->expectation;
        bool authentic = false;
        int n;

        r->result.verdict = verdict_new();
        if (!r->result.verdict)
                return err_nomem(err);
        if (in->before)
                x.previous = &in->before->last;
        n = evidence_authenticate(in->evidence, &x, r->result.verdict, &authentic, &auth, err);
        if (n >= 0 && !authentic)
                return round_appraised(r, host, 0, err);
        verdict_free(TAKE(r->result.verdict));
        if (n >= 0)
                n = appraise_away(r, host, in, policy, on_appraised, err);
        if (n < 0) {
                if (r->list.p)
                        gather_give_back(host->gather, &r->list);
                return n;
        }
        host->busy = true;
        return 1;
}

/* The rules that this evidence is judged by. What is released for, and what is read again in full, is judged
 * by those of now. Spec: SR-1, SR-16. */
static int find_rules(struct round *r, struct host *host, const struct policy_effective **ret,
                      struct err *err)
{
        const struct policy_effective *e = NULL;
        struct host_times times = verifier_times(r->v);
        int64_t interval_ms = host_interval_ms(host, &times);
        int n = ruleset_effective(host->rules, host->e.name, r->received_at_ms, &e, err);

        if (n < 0)
                return n;
        *ret = r->release || r->challenge.full ? e : host_rules(host, e, loop_now_ms());
        r->rules_wait = *ret != e;
        if (r->rules_wait) /* it came an interval after the change, at the most */
                n = host_choose_turn(host, policy_effective_reappraise_ms(e, interval_ms) - interval_ms,
                                     loop_now_ms(), err);
        r->effective = policy_effective_ref(*ret);
        return n;
}

int round_appraise(struct round *r, struct host *host, struct err *err)
{
        const struct policy_effective *effective = NULL;
        struct evidence e;
        struct expectation x;
        struct appraisal in = {.evidence = &e,
                               .expectation = &x,
                               .before = host->cont,
                               .asked_again = r->challenge.full || host->s.asked_full};
        int n;

        if (!host->rules)
                return err_set(err, ERR_CONFIG, 0, "host '%s': its policy is not there", host->e.name);
        n = find_rules(r, host, &effective, err);
        if (n >= 0)
                n = round_expect(r, host, &e, &x, err);
        if (n < 0)
                return n;
        r->policy = *policy_effective_newest(effective);
        (void)policy_ref(r->policy.policy);
        if (ruleset_name(host->rules) && (r->policy_name = str_dup(ruleset_name(host->rules))) == NULL)
                return err_nomem(err);
        in.policy = effective;
        n = launch_evidence(r, host, &in, err);
        if (n >= 0)
                n = round_logs(r, host, &in, err);
        if (n < 0)
                return n;
        if ((in.has_ima && in.ima.len > AWAY_BYTES) || in.has_tee) /* signatures by the dozen */
                return appraise_beside(r, host, &in, effective, err);
        n = appraise(&in, &r->result, err);
        return round_appraised(r, host, n, err);
}

/* ---- answers ---- */

static int64_t interval_of(const struct verifier *v, const struct host *host)
{
        struct host_times times = verifier_times(v);

        return host_interval_ms(host, &times);
}

static bool surprise(const struct round *r)
{
        struct err ignored = ERR_INIT;
        uint32_t x = 1;

        if (r->v->settings.surprise == 0 || r->challenge.immediate)
                return false;
        return random_below((uint32_t)r->v->settings.surprise, &x, &ignored) == 0 && x == 0;
}

void attest_next(struct verifier *v, struct host *host, int64_t boot_time_ms, bool now, bool full,
                 struct wire_outcome *ret)
{
        struct challenge_wish wish = {.immediate = now,
                                      .full = full,
                                      .boot_time_ms = boot_time_ms,
                                      .lifetime_ms = challenge_lifetime_ms(v, host)};
        int64_t deadline_ms = now ? HOST_DEADLINE_MS : 0;
        struct err err = ERR_INIT;

        if (host->gather) { /* the rest of a list: megabytes take their time */
                wish.immediate = now = false;
                wish.lifetime_ms = GATHER_DEADLINE_MS;
                deadline_ms = GATHER_DEADLINE_MS;
        }
        *ret = (struct wire_outcome){.stage = WIRE_COMPLETE, .evaluation = WIRE_PENDING, .has_wait = true};
        ret->wait_s = deadline_ms ? 0 : (interval_of(v, host) + 999) / 1000;
        if (challenge_new(host, &wish, clock_now_ms(), loop_now_ms(), &err) == 0) {
                ret->has_next = true;
                ret->next = (struct wire_next){.index = (uint64_t)host->challenge.index,
                                               .expires_at_ms = host->challenge.expires_at_ms,
                                               .deadline_ms = deadline_ms};
                challenge_asks(&host->challenge, &ret->next.asks);
        } else {
                log_err(&err, "host %s gets no next challenge", SHOW(host->e.name)); /* it will ask for one */
        }
        secrets_learn(v, host); /* for the next answer, should it not be known */
        wait_meta_short(host, clock_now_ms(), &ret->meta);
}

/* The 202 to an avow agent. */
static void answer_native(struct round *r, struct host *host, enum wire_evaluation evaluation, bool now,
                          bool full)
{
        struct wire_outcome m;
        struct err err = ERR_INIT;
        struct buf body = {0};
        int n;

        attest_next(r->v, host, r->challenge.boot_time_ms, now, full, &m);
        m.evaluation = evaluation;
        n = wire_outcome_encode(&m, host->e.name, (uint64_t)r->challenge.index, &body, &err);
        reply_encoded(r->req, n, 202, WIRE_TYPE_JSON_API, &body);
}

/* The 202 to a Keylime agent: the evidence echoed, no verdict yet, as it expects. */
static void answer_keylime(struct round *r, const struct host *host, bool now)
{
        struct wire_asks asks;
        struct wire_attestation m = {.host = host->e.name,
                                     .index = (uint64_t)r->challenge.index,
                                     .stage = WIRE_EVALUATING,
                                     .evaluation = WIRE_PENDING,
                                     .boot_time_ms = r->challenge.boot_time_ms,
                                     .received_at_ms = r->challenge.issued_at_ms,
                                     .expires_at_ms = r->challenge.expires_at_ms,
                                     .evidence_at_ms = r->received_at_ms,
                                     .asks = &asks,
                                     .evidence = &r->evidence};
        struct err err = ERR_INIT;
        struct buf body = {0};
        int n;

        challenge_asks(&r->challenge, &asks);
        n = wire_attestation_ack_encode(&m, now ? 0 : (interval_of(r->v, host) + 999) / 1000, &body, &err);

        reply_encoded(r->req, n, 202, WIRE_TYPE_JSON_API, &body);
}

static void answer(struct round *r, struct host *host, enum wire_evaluation evaluation, bool now, bool full)
{
        if (r->release && r->release->launch)
                launch_answer(r, host, evaluation, full);
        else if (r->release)
                release_answer(r, host, evaluation, full);
        else if (host->e.keylime)
                answer_keylime(r, host, now);
        else
                answer_native(r, host, evaluation, now, full);
}

/* ---- outcomes ---- */

/* SR-13: a Keylime peer's token dies at the first refused evidence, whatever it was refused for. */
static void end_session(struct verifier *v, struct session *session)
{
        if (session && session_by_address(session))
                sessions_drop(v->sessions, session);
}

/* Spec: SR-4. */
static void refuse(struct round *r, struct host *host, struct session *session)
{
        const struct verdict *verdict = r->result.verdict;
        const char *what = verdict && verdict->n_findings ? verdict->findings[0].what : "malformed";
        const char *code = verdict && verdict->n_findings ? verdict->findings[0].code : "evidence-malformed";
        AUTO(mem_free_p) char *detail = str_fmt("{\"code\":\"%s\"}", code);
        struct audit_entry entry = {.time_ms = r->received_at_ms,
                                    .tenant = host->e.tenant,
                                    .actor = http_request_peer(r->req)->address,
                                    .action = "evidence.refused",
                                    .object = host->e.name,
                                    .detail = detail};
        struct err err = ERR_INIT;

        host->n_refused++;
        metric_inc(r->v->counters.refused);
        log_with(LOG_LEVEL_WARNING, LOG_FIELDS({"AVOW_HOST", host->e.name}, {"AVOW_FINDING", code}),
                 "evidence in the name of host %s from %s is refused: %s", SHOW(host->e.name),
                 http_request_peer(r->req)->address, what);
        if (loop_now_ms() - host->refusal_told_ms > REFUSAL_TOLD_MS &&
            verifier_db_audit(r->v->db, &entry, NULL, NULL, &err) == 0) {
                host->refusal_told_ms = loop_now_ms();
                events_emit(r->v->events, "evidence.refused", host->e.name, host_shown_name(host->shown),
                            NULL, what);
        }
        end_session(r->v, session);
        reply_v3_error(r->req, 422, "evidence_refused", what);
}

static void count_verdict(struct verifier *v, enum verdict_state state)
{
        if (state == VERDICT_PASS)
                metric_inc(v->counters.passed);
        else if (state == VERDICT_FAIL)
                metric_inc(v->counters.failed);
        else
                metric_inc(v->counters.inconclusive);
}

static void conclude(struct round *r, struct host *host)
{
        static const enum wire_evaluation evaluations[] = {[VERDICT_INCONCLUSIVE] = WIRE_INCONCLUSIVE,
                                                           [VERDICT_PASS] = WIRE_PASS,
                                                           [VERDICT_FAIL] = WIRE_FAIL};
        enum verdict_state state = r->result.verdict->state;

        count_verdict(r->v, state);
        watch_host(r->v, host);
        answer(r, host, evaluations[state],
               state == VERDICT_PASS &&
                       (surprise(r) || (trust_wants_challenge(host) && !r->challenge.immediate)),
               false);
}

/* A verdict that changed is on the disk, or could not be written. */
static void on_recorded(void *ctx, enum store_outcome outcome, const struct err *err)
{
        AUTO(round_free_p) struct round *r = ctx;
        struct host *host = hosts_find(r->v->hosts, r->name);

        if (host && host->serial != r->serial)
                host = NULL;
        if (!r->durable) { /* answered long ago */
                if (err)
                        log_err(err, "host %s: its heartbeat is not on the disk", SHOW(r->name));
                if (err && host)
                        host->log_torn = true;
                return;
        }
        if (host)
                host->busy = false;
        if (err) {
                reply_failure(r->req, err,
                              "writing a verdict"); /* the challenge is still out: the same once more */
        } else if (!host || outcome == STORE_NOT_FOUND) {
                reply_v3_error(r->req, 404, "not_found", "This host is not enrolled any more.");
        } else {
                round_apply(r, host);
                conclude(r, host);
        }
}

/* An immediate challenge was the last word on clocks, unless our own clock was set while it was out. */
static bool asking_is_over(const struct round *r)
{
        int64_t wall_ms = r->received_at_ms - r->challenge.issued_at_ms;
        int64_t moved_ms = wall_ms - (loop_now_ms() - r->challenge.issued_ms);

        return r->challenge.immediate && moved_ms < CLOCK_SET_MS && moved_ms > -CLOCK_SET_MS;
}

/*
 * Rules that wait for the host's turn may be why it does not pass by those before: it was updated as they
 * allow. So its turn is now, and it is asked for all that they need; one that keeps silent is late. Spec:
 * SR-16.
 */
static enum appraisal_ask what_to_ask(struct round *r, struct host *host)
{
        if (!r->rules_wait || r->result.verdict->state == VERDICT_PASS)
                return r->result.ask;
        host->reappraise_ms = loop_now_ms();
        return APPRAISAL_ASK_FULL_LOG;
}

static void judge(struct round *r, struct host *host, struct session *session)
{
        enum appraisal_ask ask;
        struct err err = ERR_INIT;

        if (r->result.verdict->state == VERDICT_REFUSED) {
                refuse(r, host, session);
                round_free(r);
                return;
        }
        if (session)
                session_extend(session, loop_now_ms() + session_lifetime_ms(r->v, host));
        ask = what_to_ask(r, host);
        if (ask != APPRAISAL_ASK_NOTHING && !(ask == APPRAISAL_ASK_NOW && asking_is_over(r))) {
                metric_inc(r->v->counters.asked_again);
                host->challenge.out = false; /* single-use */
                if (host->e.keylime)
                        host->s.asked_full = ask == APPRAISAL_ASK_FULL_LOG;
                answer(r, host, WIRE_PENDING, true, ask == APPRAISAL_ASK_FULL_LOG);
                round_free(r);
                return;
        }
        if (round_record(r, host, on_recorded, &err) < 0) {
                reply_failure(r->req, &err, "recording evidence");
                round_free(r);
                return;
        }
        if (r->durable) {
                host->busy = true;
                return;
        }
        round_apply(r, host);
        conclude(r, host); /* the round lives on until it is written */
}

/* The appraisal said N: a verdict, or why there is none. SESSION may be NULL: it was extended before. */
static void finish(struct round *r, struct host *host, struct session *session, int n, const struct err *err)
{
        if (n == 0) {
                judge(r, host, session);
                return;
        }
        if (n == -ERR_LIMIT) {
                http_answer_retry_after(r->req, BUSY_RETRY_MS);
                reply_v3_error(r->req, 503, "busy", "The long lists of other hosts are being judged.");
        } else {
                reply_failure(r->req, err, "appraising evidence");
        }
        round_free(r);
}

/* ---- parts of a long list ---- */

/* How many entries there are, as the host says. */
static uint64_t total_of(const struct host *host, const struct wire_evidence_item *ima)
{
        return ima->has_total ? ima->entry_total : host->ima_entries;
}

/* Is there more of the list than came? */
static bool is_part(const struct round *r, const struct host *host)
{
        const struct wire_evidence_item *ima = wire_evidence_find(&r->evidence, WIRE_IMA_LOG);
        uint64_t total, first = r->challenge.ima_offset;

        if (!ima)
                return false;
        total = total_of(host, ima);
        return r->challenge.part || (total > first && ima->entry_count < total - first);
}

/* As gather_add(). */
static int keep_part(struct round *r, struct host *host, const struct tpm_clock *clock, struct err *err)
{
        const struct wire_evidence_item *ima = wire_evidence_find(&r->evidence, WIRE_IMA_LOG);
        struct gather_part part = {.first = r->challenge.ima_offset,
                                   .at = r->challenge.ima_at,
                                   .n = ima->entry_count,
                                   .total = total_of(host, ima),
                                   .binary = ima->binary,
                                   .full = r->challenge.full,
                                   .bytes = VIEW_BUF(&ima->entries),
                                   .clock = *clock,
                                   .boot_time_ms = r->challenge.boot_time_ms};

        metric_inc(r->v->counters.parts);
        return gather_add(&host->gather, &part, &r->v->settings.gather, &r->v->gathered, loop_now_ms(), err);
}

/*
 * A part of a list has to be the host's own, like all evidence, and then it waits for the others. Return: 1
 * if it was answered; 0 if it has to be judged as it is, because no more can be gathered; < 0.
 */
static int take_part(struct round *r, struct host *host, struct session *session, struct err *err)
{
        struct evidence e;
        struct expectation x;
        struct authenticated auth;
        bool authentic = false;
        int n;

        r->result.verdict = verdict_new();
        n = r->result.verdict ? round_expect(r, host, &e, &x, err) : err_nomem(err);
        if (n >= 0)
                n = evidence_authenticate(&e, &x, r->result.verdict, &authentic, &auth, err);
        if (n < 0)
                return n;
        if (!authentic) {
                refuse(r, host, session);
                return 1;
        }
        n = keep_part(r, host, &auth.next.clock, err);
        if (n <= 0) {
                verdict_free(TAKE(r->result.verdict));
                r->list_cut = true;
                return n;
        }
        session_extend(session, loop_now_ms() + session_lifetime_ms(r->v, host));
        host->challenge.out = false; /* single-use */
        answer(r, host, WIRE_PENDING, true, false);
        return 1;
}

/* ---- the request ---- */

/* Is there a challenge that INDEX answers? Else answers with Keylime's words. */
static bool find_challenge(struct http_request *req, const struct host *host)
{
        const char *index = http_request_param(req, "index");
        const struct challenge *c = &host->challenge;
        struct err err = ERR_INIT;
        int64_t n = c->index;

        if (!str_equal(index, "latest") && str_parse_int(view_str(index), 1, INT64_MAX, &n, &err) < 0)
                n = INT64_MAX;
        if (n > host->s.index)
                reply_v3_error(req, 404, "not_found", "No such attestation.");
        else if (n < c->index)
                reply_v3_error(req, 403, "old_attestation", "A newer challenge was given out.");
        else if (!c->out || n != c->index || c->for_release)
                reply_v3_error(req, 403, c->index ? "evidence_immutable" : "challenges_expired",
                               "This attestation waits for no evidence.");
        else if (loop_now_ms() > c->expires_ms)
                reply_v3_error(req, 403, "challenges_expired", "The challenge's time is over.");
        else
                return true;
        return false;
}

/* The items that were asked for, in their order. */
static bool answers_asks(const struct wire_evidence *e, const struct challenge *c)
{
        struct wire_asks asks;

        challenge_asks(c, &asks);
        if (e->n != asks.n)
                return false;
        for (size_t i = 0; i < e->n; i++)
                if (e->item[i].type != asks.item[i].type || e->item[i].binary != asks.item[i].binary)
                        return false;
        return true;
}

static int round_new(struct verifier *v, struct http_request *req, const struct host *host,
                     const struct release *for_release, struct round **ret, struct err *err)
{
        AUTO(round_free_p) struct round *r = mem_zalloc(1, sizeof(*r));
        int n;

        if (!r)
                return err_nomem(err);
        if (for_release) {
                r->release = release_dup(for_release);
                if (!r->release)
                        return err_nomem(err);
        }
        r->v = v;
        r->req = req;
        r->serial = host->serial;
        r->challenge = host->challenge;
        r->received_at_ms = http_request_at_ms(req);
        /* A Keylime agent asks when it is ready to answer: its challenges are of seconds if it is quick. */
        r->immediate = r->challenge.immediate ||
                       (host->e.keylime && r->received_at_ms - r->challenge.issued_at_ms <= HOST_DEADLINE_MS);
        (void)snprintf(r->name, sizeof(r->name), "%s", host->e.name);
        n = wire_evidence_decode(http_request_body(req), &r->evidence, err);
        if (n >= 0 && !answers_asks(&r->evidence, &host->challenge))
                n = err_set(err, ERR_FORMAT, 0,
                            "evidence_collected is not what was asked for, in number and order");
        if (n >= 0)
                n = pcr_blob_parse(VIEW_BUF(&r->evidence.item[0].pcrs), &r->pcrs, err);
        if (n < 0)
                return n;
        *ret = TAKE(r);
        return 0;
}

void attest_take(struct verifier *v, struct http_request *req, struct host *host, struct session *session,
                 const struct release *for_release)
{
        struct err err = ERR_INIT;
        struct round *r = NULL;
        int n;

        if (round_new(v, req, host, for_release, &r, &err) < 0) {
                metric_inc(v->counters.refused);
                if (err.kind != ERR_NOMEM)
                        end_session(v, session);
                reply_v3_error(req, err.kind == ERR_NOMEM ? 503 : 422, "malformed", err.text);
                return;
        }
        n = is_part(r, host) ? take_part(r, host, session, &err) : 0;
        if (n == 1) {
                round_free(r);
                return;
        }
        if (n == 0)
                n = round_appraise(r, host, &err);
        if (n == 1) /* it goes on beside the loop; the token lives on meanwhile */
                session_extend(session, loop_now_ms() + session_lifetime_ms(v, host));
        else
                finish(r, host, session, n, &err);
}

void attest_on_evidence(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct session *session = NULL;
        struct host *host = reply_agent(v, req, &session);

        if (!host || !reply_wants_type(req, WIRE_TYPE_JSON_API))
                return;
        if (host->busy || host->e.paused) {
                http_answer_retry_after(req, 1000);
                reply_v3_error(req, 503, "busy", "Evidence of this host is being judged, or it is paused.");
                return;
        }
        if (find_challenge(req, host))
                attest_take(v, req, host, session, NULL);
}
