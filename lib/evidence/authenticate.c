/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authentication of evidence: whose is it, what was it made for, does it move forward?
 *
 * The order is: signature, then the structure, then what it was asked for, then what it says. A failure in
 * any of these says nothing about the host, because anybody who can reach the verifier can cause it (SR-4):
 * the verdict is VERDICT_REFUSED and nothing that came with it is looked at.
 *
 * Freshness is the interval from sending the challenge to receiving the evidence, nothing narrower. A
 * challenge that was handed out with the last answer is as old as a heartbeat, so a host could quote at once,
 * change itself, and send the quote at the end. The TPM's clock shows that: with counts unchanged it must
 * have moved as far as ours, within 35 % and 5 s (its rate can be adjusted by 14 %). But root can move the
 * clock forward with TPM2_ClockSet; that does not move `time` of TPM2_GetTime, so clock - time tells. Neither
 * is a verdict: the answer is a new challenge that lives five seconds (SR-14).
 */
#include "evidence/authenticate.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "evidence/tpm_attest.h"
#include "evidence/tpm_signature.h"

/* Drift of clock - time that rounding in a TPM may cause; it is compared with the first value of a boot. */
#define TIME_OFFSET_SLACK_MS 1000

/* One refusal: what is found and expected may be NULL. */
struct refusal {
        const char *code, *what, *log, *remedy;
};

static int refuse(struct verdict *v, const struct refusal *why, const char *expected, const char *found,
                  struct err *err)
{
        struct finding f = {
                .code = why->code,
                .severity = SEVERITY_CRITICAL,
                .what = why->what,
                .log = why->log,
                .entry = FINDING_NO_ENTRY,
                .expected = expected,
                .found = found,
                .remedy = why->remedy,
        };

        v->state = VERDICT_REFUSED;
        return verdict_add(v, &f, err);
}

#define SPEAKS_FOR_HOST                                                                                      \
        "If the TPM or its attestation key was replaced on purpose, remove the host and add it again. "      \
        "Otherwise somebody else is speaking in its name: look at the audit log for the address."
#define OLD_ANSWER                                                                                           \
        "Once, after a lost connection, it is the answer to an older challenge and can be ignored. "         \
        "Repeated, somebody replays or relays quotes: look at the audit log for the address."
#define BROKEN_AGENT "Compare the versions of the agent and the verifier; the agent's journal has its side."

static const struct refusal bad_ak = {"ak-not-acceptable",
                                      "the attestation key cannot be trusted to sign quotes", "quote",
                                      "Remove the host, and add it with a key made by the agent."};
static const struct refusal bad_signature = {"quote-signature",
                                             "the quote is not signed by the enrolled attestation key",
                                             "quote", SPEAKS_FOR_HOST};
static const struct refusal bad_quote = {"quote-malformed", "the signed statement is no quote", "quote",
                                         BROKEN_AGENT};
static const struct refusal bad_challenge = {"quote-challenge",
                                             "the quote answers another challenge than the one outstanding",
                                             "quote", OLD_ANSWER};
static const struct refusal bad_selection = {"quote-selection",
                                             "the quote covers other PCRs than those that were asked for",
                                             "quote", BROKEN_AGENT};
static const struct refusal bad_values = {"pcr-values", "the PCR values sent are not those that were quoted",
                                          "pcr", BROKEN_AGENT};
static const struct refusal no_time = {"time-missing", "the evidence has no TPM2_GetTime statement", "time",
                                       BROKEN_AGENT};
static const struct refusal bad_time_signature = {"time-signature",
                                                  "the time statement is not signed by the enrolled "
                                                  "attestation key",
                                                  "time", SPEAKS_FOR_HOST};
static const struct refusal bad_time = {"time-malformed", "the signed statement is no time statement", "time",
                                        BROKEN_AGENT};
static const struct refusal bad_time_challenge = {"time-challenge",
                                                  "the time statement answers another challenge than the one "
                                                  "outstanding",
                                                  "time", OLD_ANSWER};
static const struct refusal other_boot = {"time-other-boot",
                                          "the quote and the time statement were made in different boots",
                                          "time", OLD_ANSWER};

/* Two byte strings as hex in a refusal. */
static int refuse_bytes(struct verdict *v, const struct refusal *why, struct view expected, struct view found,
                        struct err *err)
{
        AUTO(mem_free_p)
        char *e = hex_encode(expected);
        AUTO(mem_free_p)
        char *f = hex_encode(found);

        if (!e || !f)
                return err_nomem(err);
        return refuse(v, why, e, f, err);
}

static int refuse_selection(struct verdict *v, const struct pcr_selection *asked,
                            const struct pcr_selection *found, struct err *err)
{
        AUTO(mem_free_p)
        char *e = pcr_selection_text(asked);
        AUTO(mem_free_p)
        char *f = found ? pcr_selection_text(found) : NULL;

        if (!e || (found && !f))
                return err_nomem(err);
        return refuse(v, &bad_selection, e, f, err);
}

/* The signer's qualified name is in the algorithm of its name: so this part of the public area, too, is
 * signed. */
static bool names_signer(const struct tpm_attest *a, const struct tpm_public *ak)
{
        struct view n = a->qualified_signer;

        return n.len == 2 + digest_size((enum digest_alg)ak->name_alg) && n.p[0] == ak->name_alg >> 8 &&
               n.p[1] == (ak->name_alg & 0xff);
}

/*
 * A statement of TYPE signed by the AK over the challenge. Return: 1 with RET; 0 with a refusal in V; < 0.
 */
static int read_signed(const struct evidence *e, struct view message, struct view signature,
                       const struct attest_expected *want, const struct refusal *const refusals[3],
                       struct verdict *v, struct tpm_attest *ret, struct err *err)
{
        bool good = false;
        int r = tpm_signature_check(e->ak, e->ak_key, signature, message, &good, err);

        if (r < 0)
                return r;
        if (!good)
                return refuse(v, refusals[0], NULL, NULL, err);
        if (tpm_attest_parse(message, ret, err) < 0) {
                char text[ERR_TEXT_BYTES];

                memcpy(text, err->text, sizeof(text));
                err_clear(err);
                return refuse(v, refusals[1], NULL, text, err);
        }
        if (ret->type != want->type)
                return refuse(v, refusals[1], attest_type_name(want->type), attest_type_name(ret->type), err);
        if (!names_signer(ret, e->ak))
                return refuse(v, refusals[1], NULL, "a signer whose name is in another algorithm", err);
        if (!equal_ct(ret->extra_data.p, ret->extra_data.len, want->extra_data.p, want->extra_data.len))
                return refuse_bytes(v, refusals[2], want->extra_data, ret->extra_data, err);
        return 1;
}

/* Return: 1; 0 with a refusal; < 0. */
static int check_values(const struct evidence *e, const struct attest_expected *base,
                        const struct tpm_attest *a, const struct pcr_selection *sel, struct verdict *v,
                        struct err *err)
{
        struct attest_expected want = *base;
        struct digest digest;
        bool same = false;
        int r;

        if (e->pcrs->bank != sel->bank || e->pcrs->mask != sel->mask)
                return refuse(v, &bad_values, NULL, "values of other PCRs than the quoted ones", err);
        r = pcr_values_digest(e->pcrs, sel->mask, (enum digest_alg)e->ak->scheme_hash, &digest, err);
        if (r < 0)
                return r;
        if (!equal_ct(a->quote.digest.p, a->quote.digest.len, digest.b, digest.len))
                return refuse_bytes(v, &bad_values, a->quote.digest, digest_view(&digest), err);
        /* All of it again, by rebuilding: what was compared above is what the TPM signed. */
        want.select = sel;
        want.pcr_digest = &digest;
        r = tpm_attest_is(e->message, &want, &same, err);
        if (r < 0)
                return r;
        return same ? 1 : refuse(v, &bad_quote, NULL, NULL, err);
}

static int check_quote(const struct evidence *e, const struct expectation *x, struct verdict *v,
                       struct tpm_attest *ret, struct err *err)
{
        static const struct refusal *const refusals[3] = {&bad_signature, &bad_quote, &bad_challenge};
        struct attest_expected want = {.type = ATTEST_QUOTE, .extra_data = x->qualifying};
        const char *why = tpm_public_ak_refusal(e->ak);
        struct pcr_selection sel;
        int r;

        if (why)
                return refuse(v, &bad_ak, NULL, why, err);
        r = read_signed(e, e->message, e->signature, &want, refusals, v, ret, err);
        if (r <= 0)
                return r;
        if (pcr_selection_of_list(&ret->quote.select, &sel, err) < 0) {
                err_clear(err);
                return refuse_selection(v, &x->asked, NULL, err);
        }
        if (!pcr_selection_answers(&sel, &x->asked))
                return refuse_selection(v, &x->asked, &sel, err);
        return check_values(e, &want, ret, &sel, v, err);
}

static int check_time(const struct evidence *e, const struct expectation *x, const struct tpm_attest *quote,
                      struct verdict *v, struct tpm_attest *ret, struct err *err)
{
        static const struct refusal *const refusals[3] = {&bad_time_signature, &bad_time,
                                                          &bad_time_challenge};
        struct attest_expected want = {.type = ATTEST_TIME, .extra_data = x->qualifying};
        bool same = false;
        int r = read_signed(e, e->time_message, e->time_signature, &want, refusals, v, ret, err);

        if (r <= 0)
                return r;
        r = tpm_attest_is(e->time_message, &want, &same, err);
        if (r < 0)
                return r;
        if (!same)
                return refuse(v, &bad_time, NULL, NULL, err);
        if (ret->time.clock.reset_count != quote->clock.reset_count ||
            ret->time.clock.restart_count != quote->clock.restart_count)
                return refuse(v, &other_boot, NULL, NULL, err);
        return 1;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
        return a > b ? a - b : b - a;
}

/* More than the tolerance for a span of SPAN_MS? */
static bool out_of_tolerance(uint64_t by_ms, int64_t span_ms, struct clock_tolerance t)
{
        uint64_t span = span_ms > 0 ? (uint64_t)span_ms : 0;
        uint64_t allowed = (uint64_t)t.base_ms + span / 100 * t.percent + span % 100 * t.percent / 100;

        return by_ms > allowed;
}

static bool is_immediate(const struct expectation *x)
{
        int64_t out_ms = x->received_at_ms - x->issued_at_ms;

        return x->immediate && out_ms >= 0 && out_ms <= IMMEDIATE_MS_MAX;
}

/* A note, or the reason to ask again. */
static int clock_note(const struct expectation *x, const char *code, const char *what, long long found_ms,
                      long long expected_ms, struct verdict *v, struct authenticated *out, struct err *err)
{
        char found[48], expected[48];
        struct finding f = {
                .code = code,
                .severity = SEVERITY_WARNING,
                .what = what,
                .log = "quote",
                .entry = FINDING_NO_ENTRY,
                .expected = expected,
                .found = found,
                .remedy =
                        "The host was asked again with a deadline of seconds. If this repeats, look for who "
                        "sets the TPM's clock (tpm2_setclock), or for evidence that is held back.",
        };

        (void)snprintf(found, sizeof(found), "%lld ms", found_ms); /* they fit */
        (void)snprintf(expected, sizeof(expected), "%lld ms", expected_ms);
        if (!is_immediate(x)) {
                out->ask_again = true;
                v->state = verdict_worse(v->state, VERDICT_INCONCLUSIVE);
        }
        return verdict_add(v, &f, err);
}

static int went_back(struct verdict *v, struct authenticated *out, const char *what, uint64_t found,
                     uint64_t expected, struct err *err)
{
        char found_text[32], expected_text[48];
        struct finding f = {
                .code = "tpm-went-back",
                .severity = SEVERITY_CRITICAL,
                .what = what,
                .log = "quote",
                .entry = FINDING_NO_ENTRY,
                .expected = expected_text,
                .found = found_text,
                .remedy =
                        "The TPM was cleared, or the state of a virtual TPM was restored. If that was meant, "
                        "remove the host and add it again; it does not pass before.",
        };

        (void)snprintf(found_text, sizeof(found_text), "%llu", (unsigned long long)found); /* they fit */
        (void)snprintf(expected_text, sizeof(expected_text), "%llu or more", (unsigned long long)expected);
        out->rolled_back = true;
        v->state = verdict_worse(v->state, VERDICT_INCONCLUSIVE);
        return verdict_add(v, &f, err);
}

/* The same boot: the clock must have moved as ours did, and clock - time must be what it was. */
static int compare_clock(const struct expectation *x, struct verdict *v, struct authenticated *out,
                         struct err *err)
{
        const struct previous *was = x->previous;
        struct previous *is = &out->next;
        uint64_t moved = is->clock.clock_ms - was->clock.clock_ms; /* the caller knows it did not fall */
        int64_t wall = x->received_at_ms - was->received_at_ms;
        uint64_t wall_u = wall > 0 ? (uint64_t)wall : 0;
        int r = 0;

        if (wall < 0 || out_of_tolerance(distance(moved, wall_u), wall, x->tolerance))
                r = clock_note(x, "clock-disagrees", "the TPM's clock did not move as far as the verifier's",
                               (long long)moved, (long long)wall, v, out, err);
        if (r < 0 || !is->has_time_offset || !was->has_time_offset)
                return r;
        if (distance((uint64_t)is->time_offset_ms ^ 1ull << 63, (uint64_t)was->time_offset_ms ^ 1ull << 63) >
            TIME_OFFSET_SLACK_MS)
                return clock_note(x, "clock-set", "the TPM's clock was set since the last evidence",
                                  (long long)is->time_offset_ms, (long long)was->time_offset_ms, v, out, err);
        is->time_offset_ms = was->time_offset_ms; /* so that small steps add up */
        return 0;
}

static int note_reboot(struct verdict *v, const char *what, struct err *err)
{
        struct finding f = {.code = "rebooted",
                            .severity = SEVERITY_INFO,
                            .what = what,
                            .log = "quote",
                            .entry = FINDING_NO_ENTRY};

        return verdict_add(v, &f, err);
}

static int compare(const struct expectation *x, struct verdict *v, struct authenticated *out, struct err *err)
{
        const struct tpm_clock *was = &x->previous->clock, *is = &out->next.clock;

        if (is->reset_count < was->reset_count)
                return went_back(v, out, "the TPM's reset count went back", is->reset_count, was->reset_count,
                                 err);
        if (is->reset_count > was->reset_count) {
                out->rebooted = true;
                return note_reboot(v, "the host was rebooted since the last evidence", err);
        }
        if (is->restart_count < was->restart_count)
                return went_back(v, out, "the TPM's restart count went back", is->restart_count,
                                 was->restart_count, err);
        if (is->restart_count > was->restart_count) {
                out->rebooted = true;
                return note_reboot(v, "the TPM was restarted (resume) since the last evidence", err);
        }
        if (is->clock_ms < was->clock_ms)
                return went_back(v, out, "the TPM's clock went back without a reset", is->clock_ms,
                                 was->clock_ms, err);
        return compare_clock(x, v, out, err);
}

static int note_unsafe(struct verdict *v, struct err *err)
{
        struct finding f = {
                .code = "clock-not-safe",
                .severity = SEVERITY_INFO,
                .what = "the TPM lost power without a shutdown; its clock may repeat values for a while",
                .log = "quote",
                .entry = FINDING_NO_ENTRY,
        };

        return verdict_add(v, &f, err);
}

/* The next `previous`, and what the clock and counters say. */
static int look_at_clock(const struct evidence *e, const struct expectation *x,
                         const struct tpm_attest *quote, const struct tpm_attest *time, struct verdict *v,
                         struct authenticated *out, struct err *err)
{
        int r = 0;

        out->firmware_version = quote->firmware_version;
        out->next.clock = quote->clock;
        out->next.received_at_ms = x->received_at_ms;
        out->pcrs = *e->pcrs;
        out->next.has_time_offset = time != NULL;
        if (time) /* wraps to the right value: both are unsigned */
                out->next.time_offset_ms = (int64_t)(time->time.clock.clock_ms - time->time.time_ms);
        if (!quote->clock.safe)
                r = note_unsafe(v, err);
        if (r == 0 && time &&
            distance(time->time.clock.clock_ms, quote->clock.clock_ms) > (uint64_t)x->tolerance.base_ms)
                r = clock_note(x, "clock-disagrees", "quote and time statement were not made together",
                               (long long)time->time.clock.clock_ms, (long long)quote->clock.clock_ms, v, out,
                               err);
        if (r == 0 && x->previous)
                r = compare(x, v, out, err);
        return r;
}

static int authenticate(const struct evidence *e, const struct expectation *x, struct verdict *v,
                        bool *ret_authentic, struct authenticated *ret, struct err *err)
{
        struct authenticated out = {.rebooted = false};
        struct tpm_attest quote, time;
        bool has_time = e->time_message.len > 0 || e->time_signature.len > 0;
        int r;

        r = check_quote(e, x, v, &quote, err);
        if (r <= 0)
                return r;
        if (!has_time && x->want_time)
                return refuse(v, &no_time, NULL, NULL, err);
        if (has_time) {
                r = check_time(e, x, &quote, v, &time, err);
                if (r <= 0)
                        return r;
        }
        if (x->want_counters) {
                r = counters_judge(e, x, &quote.clock, v, &out.counters, &out.rolled_back, err);
                if (r <= 0)
                        return r;
        }
        r = look_at_clock(e, x, &quote, has_time ? &time : NULL, v, &out, err);
        if (r < 0)
                return r;
        *ret_authentic = true;
        *ret = out;
        return 0;
}

int evidence_authenticate(const struct evidence *e, const struct expectation *x, struct verdict *v,
                          bool *ret_authentic, struct authenticated *ret, struct err *err)
{
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        struct evidence with_key = *e;

        *ret_authentic = false;
        memset(ret, 0, sizeof(*ret));
        if (!e->ak_key) { /* made once for all signatures */
                int r = tpm_public_key(e->ak, &key, err);

                if (r < 0)
                        return err_wrap(err, "attestation key");
                with_key.ak_key = key;
        }
        return authenticate(&with_key, x, v, ret_authentic, ret, err);
}
