/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The appraisal, told as stories: a host whose TPM is a key in software, a verifier that is this test, and
 * what comes of it. Digests are one letter: 'a' stands for aaaa…, in policies too.
 */
#include "policy/appraise.h"

#include "base/mem.h"
#include "evidence/qualify.h"
#include "support/support.h"
#include "unit/policy/soft_host.h"

#define HEX(x)                                                                                               \
        x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x x  \
                x x x x x x x x x x x x x x
#define A     HEX("a")
#define B     HEX("b")
#define C     HEX("c")
#define D     HEX("d")
#define E     HEX("e")
#define ZEROS HEX("0")
#define HEAD  "format: avow-policy/1\nname: edge\n"
#define NODE  HEAD "runtimes:\n- name: node\n  path: /usr/bin/node\n  digests:\n"
#define NOON  1796126400000 /* 2026-12-01T12:00:00Z */

static const char node_a[] = NODE "  - digest: " A "\n    comment: 20.19.1\n";
static const char node_b[] = NODE "  - " B "\n";
static const char node_ab[] = NODE "  - " A "\n  - " B "\n";
static const char node_a_until_noon[] = NODE "  - {digest: " A ", until: 2026-12-01T12:00:00Z}\n  - " B "\n";
static const char node_b_deny_a[] = NODE "  - " B "\ndeny: [" A "]\n";

struct story {
        struct soft_host host;
        struct policy_version versions[3]; /* newest first */
        size_t n_versions;
        struct policy_effective *policy;
        struct continuation *before, *memory;
        struct appraisal_result r;
        int64_t now_ms;
        uint8_t challenge[32];
        /* What the next round does differently. */
        bool no_log, asked_again, immediate, stale_challenge;
        const struct tpm_public *other_ak;
        uint32_t mask;     /* 0: what the policy needs */
        int64_t log_first; /* -1: what is asked for */
        struct view log;   /* instead of the host's, if not NULL */
};

static struct policy *parse(const char *text)
{
        struct err err = ERR_INIT;
        struct policy *p = NULL;

        assert_ok(policy_parse(view_str(text), "edge.yaml", &p, &err), &err);
        return p;
}

static void hold(struct story *s)
{
        struct err err = ERR_INIT;

        policy_effective_free(s->policy);
        s->policy = NULL;
        assert_ok(policy_effective_new(s->versions, s->n_versions, s->now_ms, &s->policy, &err), &err);
}

/* A new version; the ones before hold until UNTIL_MS. */
static void push(struct story *s, const char *text, int64_t until_ms)
{
        for (size_t i = s->n_versions; i > 0; i--)
                s->versions[i] = s->versions[i - 1];
        if (s->n_versions)
                s->versions[1].until_ms = until_ms;
        s->versions[0] = (struct policy_version){parse(text), (uint32_t)s->n_versions + 1, POLICY_NEVER};
        s->n_versions++;
        hold(s);
}

static void begin(struct story *s, const char *policy, enum digest_alg bank)
{
        *s = (struct story){.now_ms = NOON - 3600000, .log_first = -1};
        soft_host_init(&s->host, bank);
        push(s, policy, 0);
}

static void end(struct story *s)
{
        appraisal_result_done(&s->r);
        continuation_free(s->before);
        policy_effective_free(s->policy);
        for (size_t i = 0; i < s->n_versions; i++)
                policy_unref(s->versions[i].policy);
        soft_host_done(&s->host);
}

static void pass_time(struct story *s, int64_t ms)
{
        s->now_ms += ms;
        soft_host_wait(&s->host, (uint64_t)ms);
        hold(s);
}

/* One appraisal of QUOTE. */
static int appraise_quote(struct story *s, const struct soft_quote *q, struct view qualifying,
                          struct err *err)
{
        uint64_t first =
                s->log_first >= 0 ? (uint64_t)s->log_first : appraisal_log_offset(s->before, s->policy);
        struct evidence evidence = {
                .ak = s->other_ak ? s->other_ak : &s->host.pub,
                .message = VIEW_BUF(&q->message),
                .signature = VIEW_BUF(&q->signature),
                .pcrs = &q->pcrs,
                .time_message = VIEW_BUF(&q->time_message),
                .time_signature = VIEW_BUF(&q->time_signature),
        };
        struct expectation expectation = {
                .qualifying = qualifying,
                .asked = {s->host.pcrs.bank, q->pcrs.mask},
                .want_time = true,
                .immediate = s->immediate,
                .issued_at_ms = s->now_ms - 1000,
                .received_at_ms = s->now_ms,
                .tolerance = CLOCK_TOLERANCE_DEFAULT,
        };
        struct appraisal in = {
                .evidence = &evidence,
                .expectation = &expectation,
                .policy = s->policy,
                .before = s->before,
                .has_log = !s->no_log,
                .log = s->log.p ? s->log : soft_host_log_from(&s->host, first),
                .log_first = first,
                .asked_again = s->asked_again,
        };

        return appraise(&in, &s->r, err);
}

/* A round: challenge, quote, appraisal; what is to be remembered is. */
static enum verdict_state round_trip(struct story *s)
{
        uint32_t mask = s->mask ? s->mask : policy_effective_pcr_mask(s->policy);
        struct soft_quote q;
        struct err err = ERR_INIT;

        appraisal_result_done(&s->r);
        s->challenge[0]++;
        soft_host_quote(&s->host, VIEW_ARRAY(s->challenge), mask, &q);
        if (s->stale_challenge)
                s->challenge[0]++;
        assert_ok(appraise_quote(s, &q, VIEW_ARRAY(s->challenge), &err), &err);
        soft_quote_done(&q);
        if (s->r.next) {
                continuation_free(s->before);
                s->before = continuation_dup(s->r.next);
                assert_non_null(s->before);
        }
        return s->r.verdict->state;
}

static void print_verdict(const struct verdict *v)
{
        struct buf text = {0};

        verdict_render(v, &text);
        print_error("%.*s\n", (int)text.len, (const char *)text.p);
        buf_free(&text);
}

static void expect(struct story *s, enum verdict_state state, const char *code, int line)
{
        if (s->r.verdict->state == state && (!code || verdict_find(s->r.verdict, code)))
                return;
        print_error("line %d: %s, expected %s with %s\n", line, verdict_state_name(s->r.verdict->state),
                    verdict_state_name(state), code ? code : "anything");
        print_verdict(s->r.verdict);
        fail();
}
#define EXPECT(s, state, code) expect((s), (state), (code), __LINE__)

/* Is PART in TEXT? */
static void says(const char *text, const char *part)
{
        if (!text || !strstr(text, part))
                fail_msg("'%s' does not say '%s'", text ? text : "(nothing)", part);
}

/* --- a host that keeps to the policy --- */

static void host_passes(void **state)
{
        struct story s;

        (void)state;
        begin(&s, node_ab, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_int_equal(s.r.verdict->n_findings, 0);
        assert_true(s.r.verdict->enforced);
        assert_int_equal(s.r.ask, APPRAISAL_ASK_NOTHING);
        assert_int_equal(s.before->cel_entries, 1);
        assert_int_equal(s.before->last.cel_entries, 1);
        assert_int_equal(s.before->n_measured, 1);
        assert_int_equal(appraisal_log_offset(s.before, s.policy), 1);
        /* nothing new */
        pass_time(&s, 30000);
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        /* an update in place: only the new record travels */
        pass_time(&s, 30000);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'b');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_int_equal(s.before->cel_entries, 2);
        assert_int_equal(s.before->n_measured, 1);
        assert_int_equal(s.before->measured[0].entry, 1);
        end(&s);
}

static void host_reboots(void **state)
{
        struct story s;

        (void)state;
        begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        s.now_ms += 60000;
        soft_host_reboot(&s.host);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)round_trip(&s); /* it was asked for entry 1 on: that is not the log of this boot */
        EXPECT(&s, VERDICT_INCONCLUSIVE, "log-incomplete");
        assert_int_equal(s.r.ask, APPRAISAL_ASK_FULL_LOG);
        assert_null(s.r.next);
        s.log_first = 0;
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, "rebooted");
        assert_int_equal(s.before->cel_entries, 1);
        end(&s);
}

static void sha384_bank(void **state)
{
        struct story s;

        (void)state;
        begin(&s,
              HEAD "pcr: {bank: sha384}\nruntimes: [{name: node, digests: " A
                   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}]\n",
              DIGEST_SHA384);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        end(&s);
}

static void observing_is_not_enforcing(void **state)
{
        struct story s;

        (void)state;
        begin(&s, NODE "  - " A "\nmode: observe\n", DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'e');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        assert_false(s.r.verdict->enforced);
        end(&s);
}

/* --- a host that does not --- */

static void patched_runtime(void **state)
{
        const struct finding *f;
        struct story s;

        (void)state;
        begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        pass_time(&s, 30000);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'e');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        f = verdict_find(s.r.verdict, "digest-not-allowed");
        assert_null(verdict_find(s.r.verdict, "runtime-missing")); /* the one finding says it all */
        says(f->what, "/usr/bin/node");
        says(f->expected, A);
        says(f->expected, "line 7, 20.19.1");
        says(f->found, E);
        says(f->policy_ref, "edge.yaml:4 (version 1)");
        says(f->remedy, "sha256sum /usr/bin/node");
        says(f->remedy, "avow policy push");
        assert_int_equal(f->entry, 1);
        assert_int_equal(f->severity, SEVERITY_ERROR);
        /* putting the good file back does not make the other one unseen */
        pass_time(&s, 30000);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        pass_time(&s, 30000);
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        /* a policy that allows it does, and so would a reboot */
        push(&s, NODE "  - " A "\n  - " E "\n", 0);
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        end(&s);
}

/* The bad one first, the good one under the same name before the verifier ever looked. */
static void hidden_behind_a_name(void **state)
{
        struct story s;

        (void)state;
        begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'e');
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        assert_int_equal(verdict_find(s.r.verdict, "digest-not-allowed")->entry, 0);
        /* remembered over a change of the policy, too */
        push(&s, node_ab, 0);
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        end(&s);
}

/* Names are claims: an allowed digest is allowed under any, another one under none. */
static void names_allow_nothing(void **state)
{
        struct story s;

        (void)state;
        begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "anything", "/tmp/x", 'a');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        soft_host_reboot(&s.host);
        s.now_ms += 60000;
        s.log_first = 0;
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        soft_host_measure(&s.host, "other", "/usr/bin/node2", 'e');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        says(verdict_find(s.r.verdict, "digest-not-allowed")->expected, "'runtimes' or 'records'");
        end(&s);
}

static void runtime_missing(void **state)
{
        const struct finding *f;
        struct story s;

        (void)state;
        begin(&s,
              HEAD "runtimes:\n- name: node\n  files:\n  - {path: /usr/bin/node, digests: " A "}\n"
                   "  - {path: /usr/lib/libnode.so, digests: [" B ", " C "]}\n"
                   "- {name: extra, required: false, digests: " D "}\n",
              DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "runtime-missing");
        f = verdict_find(s.r.verdict, "runtime-missing");
        says(f->what, "/usr/lib/libnode.so");
        says(f->expected, C);
        says(f->policy_ref, "edge.yaml:7");
        assert_int_equal(s.r.verdict->n_findings, 1);
        soft_host_measure(&s.host, "node", "/usr/lib/libnode.so", 'c');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        /* it is replaced by something else that is allowed: then it is no longer there */
        soft_host_measure(&s.host, "node", "/usr/lib/libnode.so", 'd');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "runtime-missing");
        end(&s);
}

static void fixed_pcr_differs(void **state)
{
        const struct finding *f;
        struct story s;

        (void)state;
        begin(&s, NODE "  - " A "\npcr: {values: {0: " ZEROS ", 7: [" B ", " ZEROS "]}}\n", DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        soft_host_extend(&s.host, 7, 'e');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "pcr-mismatch");
        f = verdict_find(s.r.verdict, "pcr-mismatch");
        says(f->what, "PCR 7 (sha256)");
        says(f->expected, B);
        says(f->policy_ref, "edge.yaml:8");
        assert_non_null(s.r.next);
        end(&s);
}

static void denied_also_in_the_past(void **state)
{
        struct story s;

        (void)state;
        begin(&s, node_ab, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'b');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        push(&s, node_b_deny_a, 0);
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-denied");
        assert_int_equal(verdict_find(s.r.verdict, "digest-denied")->severity, SEVERITY_CRITICAL);
        says(verdict_find(s.r.verdict, "digest-denied")->policy_ref, "edge.yaml:8 (version 2)");
        pass_time(&s, 30000);
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-denied");
        end(&s);
}

/* --- records of others --- */

static void systemd_measures_too(void **state)
{
        struct story s;

        (void)state;
        begin(&s, NODE "  - " A "\nrecords: [{string: 'machine-id:*'}, " D "]\n", DIGEST_SHA256);
        soft_host_foreign(&s.host, "machine-id:0f0e");
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        pass_time(&s, 30000);
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        soft_host_foreign(&s.host, "file-system:/:1234");
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "record-not-allowed");
        says(verdict_find(s.r.verdict, "record-not-allowed")->what, "file-system:/:1234");
        end(&s);
}

/* A text that the digest is not over allows nothing. */
static void text_is_a_claim(void **state)
{
        AUTO(buf_free)
        struct buf log = {0};
        struct story s;

        (void)state;
        begin(&s, HEAD "records: [{string: 'machine-id:*'}]\n", DIGEST_SHA256);
        buf_fmt(&log,
                "\x1e{\"pcr\":15,\"digests\":[{\"hashAlg\":\"sha256\",\"digest\":\"%s\"}],\"content_type\":"
                "\"systemd\","
                "\"content\":{\"string\":\"machine-id:0f0e\"}}\n",
                E);
        soft_host_extend(&s.host, 15, 'e');
        s.log = VIEW_BUF(&log);
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "record-not-allowed");
        end(&s);
}

/* --- logs --- */

static void one_record_ahead_decides_nothing(void **state)
{
        struct story s;

        (void)state;
        begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        soft_host_log(&s.host, "node", "/usr/bin/node", 'e');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, "record-beyond-quote");
        assert_int_equal(s.before->cel_entries, 1);
        soft_host_extend(&s.host, 15, 'e');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        end(&s);
}

/* A record that would make a runtime present does not, before it is quoted. */
static void record_ahead_makes_nothing_present(void **state)
{
        struct story s;

        (void)state;
        begin(&s, node_a, DIGEST_SHA256);
        soft_host_log(&s.host, "node", "/usr/bin/node", 'a');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "runtime-missing");
        end(&s);
}

static void log_does_not_explain_the_register(void **state)
{
        struct story s;

        (void)state;
        begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        soft_host_extend(&s.host, 15, 'e'); /* by hand */
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "log-not-replayed");
        assert_int_equal(s.r.ask, APPRAISAL_ASK_FULL_LOG);
        assert_null(s.r.next);
        s.asked_again = true;
        s.log_first = 0;
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "log-not-replayed");
        assert_int_equal(s.r.ask, APPRAISAL_ASK_NOTHING);
        end(&s);
}

static void log_truncated_or_broken(void **state)
{
        struct view whole;
        struct story s;

        (void)state;
        begin(&s, node_ab, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'b');
        whole = soft_host_log_from(&s.host, 0);
        s.log = VIEW(whole.p, whole.len - soft_host_log_from(&s.host, 1).len);
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "log-not-replayed");
        s.log = VIEW(whole.p, whole.len - 1);
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "log-malformed");
        assert_int_equal(s.r.ask, APPRAISAL_ASK_FULL_LOG);
        s.log = VIEW_NONE;
        s.no_log = true;
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "log-missing");
        assert_null(s.before);
        end(&s);
}

/* --- evidence that is not the host's --- */

static void refused_evidence_changes_nothing(void **state)
{
        struct story s, other;
        uint64_t clock_ms;

        (void)state;
        begin(&s, node_a, DIGEST_SHA256);
        begin(&other, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        clock_ms = s.before->last.clock.clock_ms;
        pass_time(&s, 30000);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'e'); /* it would fail */
        s.other_ak = &other.host.pub;
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_REFUSED, "quote-signature");
        assert_null(s.r.next);
        assert_int_equal(s.r.ask, APPRAISAL_ASK_NOTHING);
        assert_int_equal(s.r.firmware_version, 0);
        s.other_ak = NULL;
        s.stale_challenge = true;
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_REFUSED, "quote-challenge");
        assert_int_equal(s.before->last.clock.clock_ms, clock_ms);
        end(&other);
        end(&s);
}

/* --- time --- */

static void clock_set_asks_again(void **state)
{
        struct story s;

        (void)state;
        begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)round_trip(&s);
        pass_time(&s, 30000);
        s.host.clock_ms += 3600000;
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "clock-disagrees");
        assert_int_equal(s.r.ask, APPRAISAL_ASK_NOW);
        assert_null(s.r.next);
        s.immediate = true;
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, "clock-disagrees");
        end(&s);
}

static void tpm_goes_back(void **state)
{
        struct story s;

        (void)state;
        begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)round_trip(&s);
        pass_time(&s, 30000);
        s.host.reset--;
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "tpm-went-back");
        assert_null(s.r.next);
        end(&s);
}

/* --- policies that change (SR-16) --- */

static void overlap_expires_on_a_host_that_never_restarts(void **state)
{
        struct story s;

        (void)state;
        begin(&s, node_a_until_noon, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        pass_time(&s, 3600000);
        assert_int_equal(appraisal_log_offset(s.before, s.policy), 0);
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-expired");
        says(verdict_find(s.r.verdict, "digest-expired")->what, "2026-12-01T12:00:00");
        /* the update that was due heals it */
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'b');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        end(&s);
}

static void old_line_stays_history(void **state)
{
        struct story s;

        (void)state;
        begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        push(&s, node_b, NOON);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'b');
        (void)round_trip(&s); /* in the middle of the roll-out, and from entry 0 */
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_int_equal(s.before->cel_entries, 2);
        pass_time(&s, 7200000); /* the old version is over */
        assert_int_equal(appraisal_log_offset(s.before, s.policy), 0);
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_int_equal(s.before->n_measured, 1);
        /* a verifier that never judged the old line cannot know that it was good */
        continuation_free(TAKE(s.before));
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        end(&s);
}

/* Never restarted, never updated: the old version's end is the host's end too. */
static void old_version_ends(void **state)
{
        struct story s;

        (void)state;
        begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        push(&s, node_b, NOON);
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        pass_time(&s, 7200000);
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'b');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        end(&s);
}

/* Executable new, library still old: each version's word counts for its files. */
static void in_the_middle_of_an_update(void **state)
{
        struct story s;

        (void)state;
        begin(&s,
              HEAD "runtimes:\n- name: node\n  files:\n  - {path: /n, digests: " A
                   "}\n  - {path: /l, digests: " C "}\n",
              DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/n", 'a');
        soft_host_measure(&s.host, "node", "/l", 'c');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        push(&s,
             HEAD "runtimes:\n- name: node\n  files:\n  - {path: /n, digests: " B
                  "}\n  - {path: /l, digests: " D "}\n"
                  "- {name: more, digests: " E "}\n",
             NOON);
        (void)round_trip(&s); /* the old one still whole, and 'more' not demanded yet */
        EXPECT(&s, VERDICT_PASS, NULL);
        soft_host_measure(&s.host, "node", "/n", 'b');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        soft_host_measure(&s.host, "node", "/l", 'd');
        pass_time(&s, 7200000);
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "runtime-missing");
        says(verdict_find(s.r.verdict, "runtime-missing")->what, "'more'");
        assert_int_equal(s.r.verdict->n_findings, 1);
        end(&s);
}

static void policy_needs_what_was_not_quoted(void **state)
{
        struct story s;

        (void)state;
        begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        push(&s, NODE "  - " A "\npcr: {values: {4: " ZEROS "}}\n", 0);
        s.mask = 1u << 15;
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "pcrs-not-quoted");
        assert_int_equal(s.r.ask, APPRAISAL_ASK_NOW);
        says(s.r.verdict->findings[0].expected, "4,15");
        s.mask = 0;
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        end(&s);
}

/* --- hosts without a log --- */

static void pcr_values_alone(void **state)
{
        struct story s;

        (void)state;
        begin(&s, HEAD "pcr: {values: {4: " ZEROS "}}\n", DIGEST_SHA256);
        s.no_log = true;
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_int_equal(s.r.verdict->n_findings, 0);
        soft_host_extend(&s.host, 4, 'e');
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_FAIL, "pcr-mismatch");
        end(&s);
}

static void tpm_policy_that_demands_nothing(void **state)
{
        struct err err = ERR_INIT;
        struct story s;

        (void)state;
        begin(&s, node_a, DIGEST_SHA256);
        policy_unref(TAKE(s.versions[0].policy));
        assert_ok(policy_from_tpm_policy(view_str("{\"mask\":\"0x400\"}"), "web-1", &s.versions[0].policy,
                                         &err),
                  &err);
        hold(&s);
        s.no_log = true;
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, "policy-demands-nothing");
        end(&s);
}

/* --- offline --- */

static struct bundle *bundle_of(struct story *s, const char *verifier_id)
{
        struct bundle *b = bundle_new();
        struct digest qualifying;
        struct err err = ERR_INIT;
        struct soft_quote q;

        assert_non_null(b);
        b->host = str_dup("web-1");
        b->verifier_id = str_dup(verifier_id);
        buf_put_view(&b->ak, VIEW_BUF(&s->host.ak));
        buf_put_view(&b->challenge, VIEW_ARRAY(s->challenge));
        b->asked = (struct pcr_selection){s->host.pcrs.bank, policy_effective_pcr_mask(s->policy)};
        b->issued_at_ms = s->now_ms - 1000;
        b->received_at_ms = s->now_ms;
        b->tolerance = CLOCK_TOLERANCE_DEFAULT;
        assert_ok(qualify_heartbeat(verifier_id, b->host, VIEW_BUF(&b->challenge), &qualifying, &err), &err);
        soft_host_quote(&s->host, digest_view(&qualifying), b->asked.mask, &q);
        b->message = q.message;
        b->signature = q.signature;
        b->time_message = q.time_message;
        b->time_signature = q.time_signature;
        b->pcrs = q.pcrs;
        if (s->before) {
                b->has_previous = true;
                b->previous = s->before->last;
        }
        b->has_cel = true;
        buf_put_view(&b->cel, soft_host_log_from(&s->host, 0));
        b->verdict = verdict_new();
        b->policy_name = str_dup("edge");
        b->policy_version = 1;
        b->policy_sha256 = policy_effective_policy(s->policy)->sha256;
        return b;
}

/* Appraises what is written and read again, as `avow evidence verify` does. */
static enum verdict_state offline(struct story *s, const struct bundle *b)
{
        AUTO(buf_free)
        struct buf text = {0};
        AUTO(bundle_free_p)
        struct bundle *again = NULL;
        struct err err = ERR_INIT;

        appraisal_result_done(&s->r);
        assert_ok(bundle_encode(b, &text, &err), &err);
        assert_ok(bundle_decode(VIEW_BUF(&text), &again, &err), &err);
        assert_ok(appraise_bundle(again, s->policy, s->memory, &s->r.verdict, &err), &err);
        return s->r.verdict->state;
}

static void bundle_says_the_same(void **state)
{
        static const char id[] = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
        AUTO(bundle_free_p)
        struct bundle *good = NULL;
        AUTO(bundle_free_p)
        struct bundle *updated = NULL;
        struct story s;

        (void)state;
        begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        good = bundle_of(&s, id);
        (void)offline(&s, good);
        EXPECT(&s, VERDICT_PASS, NULL);
        (void)round_trip(&s);
        pass_time(&s, 30000);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'b');
        updated = bundle_of(&s, id);
        (void)offline(&s, updated);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        push(&s, node_b, NOON); /* with the older version beside it */
        (void)offline(&s, updated);
        EXPECT(&s, VERDICT_PASS, NULL);
        (void)round_trip(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        pass_time(&s, 7200000); /* without it, nobody can say that entry 0 was good */
        (void)offline(&s, updated);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "history-not-shown");
        s.memory = s.before; /* the verifier that judged it then can */
        (void)offline(&s, updated);
        EXPECT(&s, VERDICT_PASS, NULL);
        good->challenge.p[0] ^= 1;
        (void)offline(&s, good);
        EXPECT(&s, VERDICT_REFUSED, "quote-challenge");
        end(&s);
}

/* --- out of memory --- */

struct once {
        struct story *s;
        struct soft_quote q;
};

static int appraise_once(void *ctx, struct err *err)
{
        struct once *o = ctx;
        int r;

        appraisal_result_done(&o->s->r);
        r = appraise_quote(o->s, &o->q, VIEW_ARRAY(o->s->challenge), err);
        if (r < 0)
                assert_null(o->s->r.verdict);
        /* jansson without memory can report broken JSON instead: then the log is undecided, never good */
        if (r == 0 && o->s->r.verdict->state == VERDICT_INCONCLUSIVE)
                return err_nomem(err);
        return r;
}

static void out_of_memory(void **state)
{
        struct story s;
        struct once o = {.s = &s};

        (void)state;
        begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'e');
        soft_host_quote(&s.host, VIEW_ARRAY(s.challenge), 1u << 15, &o.q);
        oom_each(appraise_once, &o);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        soft_quote_done(&o.q);
        end(&s);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(host_passes),
                cmocka_unit_test(host_reboots),
                cmocka_unit_test(sha384_bank),
                cmocka_unit_test(observing_is_not_enforcing),
                cmocka_unit_test(patched_runtime),
                cmocka_unit_test(hidden_behind_a_name),
                cmocka_unit_test(names_allow_nothing),
                cmocka_unit_test(runtime_missing),
                cmocka_unit_test(fixed_pcr_differs),
                cmocka_unit_test(denied_also_in_the_past),
                cmocka_unit_test(systemd_measures_too),
                cmocka_unit_test(text_is_a_claim),
                cmocka_unit_test(one_record_ahead_decides_nothing),
                cmocka_unit_test(record_ahead_makes_nothing_present),
                cmocka_unit_test(log_does_not_explain_the_register),
                cmocka_unit_test(log_truncated_or_broken),
                cmocka_unit_test(refused_evidence_changes_nothing),
                cmocka_unit_test(clock_set_asks_again),
                cmocka_unit_test(tpm_goes_back),
                cmocka_unit_test(overlap_expires_on_a_host_that_never_restarts),
                cmocka_unit_test(old_line_stays_history),
                cmocka_unit_test(old_version_ends),
                cmocka_unit_test(in_the_middle_of_an_update),
                cmocka_unit_test(policy_needs_what_was_not_quoted),
                cmocka_unit_test(pcr_values_alone),
                cmocka_unit_test(tpm_policy_that_demands_nothing),
                cmocka_unit_test(bundle_says_the_same),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
