/* SPDX-License-Identifier: Apache-2.0 */
/* The appraisal, told as stories: hosts that keep to the policy and hosts that do not, logs, clocks, and
 * evidence that is not the host's. */
#include "unit/policy/story.h"

static const char node_a[] = NODE "  - digest: " A "\n    comment: 20.19.1\n";
static const char node_ab[] = NODE "  - " A "\n  - " B "\n";
static const char node_b_deny_a[] = NODE "  - " B "\ndeny: [" A "]\n";

/* --- a host that keeps to the policy --- */

static void host_passes(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s, node_ab, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_int_equal(s.r.verdict->n_findings, 0);
        assert_true(s.r.verdict->enforced);
        assert_int_equal(s.r.ask, APPRAISAL_ASK_NOTHING);
        assert_int_equal(s.before->cel_entries, 1);
        assert_int_equal(s.before->last.cel_entries, 1);
        assert_int_equal(s.before->n_measured, 1);
        assert_int_equal(appraisal_log_offset(s.before, s.policy), 1);
        /* nothing new */
        story_pass_time(&s, 30000);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        /* an update in place: only the new record travels */
        story_pass_time(&s, 30000);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'b');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_int_equal(s.before->cel_entries, 2);
        assert_int_equal(s.before->n_measured, 1);
        assert_int_equal(s.before->measured[0].entry, 1);
        story_end(&s);
}

static void host_reboots(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        s.now_ms += 60000;
        soft_host_reboot(&s.host);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)story_round(&s); /* it was asked for entry 1 on: that is not the log of this boot */
        EXPECT(&s, VERDICT_INCONCLUSIVE, "log-incomplete");
        assert_int_equal(s.r.ask, APPRAISAL_ASK_FULL_LOG);
        assert_null(s.r.next);
        s.log_first = 0;
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, "rebooted");
        assert_int_equal(s.before->cel_entries, 1);
        story_end(&s);
}

static void sha384_bank(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s,
                    HEAD "pcr: {bank: sha384}\nruntimes: [{name: node, digests: " A
                         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}]\n",
                    DIGEST_SHA384);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_end(&s);
}

static void observing_is_not_enforcing(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s, NODE "  - " A "\nmode: observe\n", DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'e');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        assert_false(s.r.verdict->enforced);
        story_end(&s);
}

/* --- a host that does not --- */

static void patched_runtime(void **state)
{
        const struct finding *f;
        struct story s;

        (void)state;
        story_begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_pass_time(&s, 30000);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'e');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        f = verdict_find(s.r.verdict, "digest-not-allowed");
        assert_null(verdict_find(s.r.verdict, "runtime-missing")); /* the one finding says it all */
        story_says(f->what, "/usr/bin/node");
        story_says(f->expected, A);
        story_says(f->expected, "line 7, 20.19.1");
        story_says(f->found, E);
        story_says(f->policy_ref, "edge.yaml:4 (version 1)");
        story_says(f->remedy, "sha256sum /usr/bin/node");
        story_says(f->remedy, "avow policy push");
        assert_int_equal(f->entry, 1);
        assert_int_equal(f->severity, SEVERITY_ERROR);
        /* putting the good file back does not make the other one unseen */
        story_pass_time(&s, 30000);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        story_pass_time(&s, 30000);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        /* a policy that allows it does, and so would a reboot */
        story_push(&s, NODE "  - " A "\n  - " E "\n", 0);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_end(&s);
}

/* The bad one first, the good one under the same name before the verifier ever looked. */
static void hidden_behind_a_name(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'e');
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        assert_int_equal(verdict_find(s.r.verdict, "digest-not-allowed")->entry, 0);
        /* remembered over a change of the policy, too */
        story_push(&s, node_ab, 0);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        story_end(&s);
}

/* Names are claims: an allowed digest is allowed under any, another one under none. */
static void names_allow_nothing(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "anything", "/tmp/x", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        soft_host_reboot(&s.host);
        s.now_ms += 60000;
        s.log_first = 0;
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        soft_host_measure(&s.host, "other", "/usr/bin/node2", 'e');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        story_says(verdict_find(s.r.verdict, "digest-not-allowed")->expected, "'runtimes' or 'records'");
        story_end(&s);
}

static void runtime_missing(void **state)
{
        const struct finding *f;
        struct story s;

        (void)state;
        story_begin(&s,
                    HEAD "runtimes:\n- name: node\n  files:\n  - {path: /usr/bin/node, digests: " A "}\n"
                         "  - {path: /usr/lib/libnode.so, digests: [" B ", " C "]}\n"
                         "- {name: extra, required: false, digests: " D "}\n",
                    DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "runtime-missing");
        f = verdict_find(s.r.verdict, "runtime-missing");
        story_says(f->what, "/usr/lib/libnode.so");
        story_says(f->expected, C);
        story_says(f->policy_ref, "edge.yaml:7");
        assert_int_equal(s.r.verdict->n_findings, 1);
        soft_host_measure(&s.host, "node", "/usr/lib/libnode.so", 'c');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        /* it is replaced by something else that is allowed: then it is no longer there */
        soft_host_measure(&s.host, "node", "/usr/lib/libnode.so", 'd');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "runtime-missing");
        story_end(&s);
}

static void fixed_pcr_differs(void **state)
{
        const struct finding *f;
        struct story s;

        (void)state;
        story_begin(&s, NODE "  - " A "\npcr: {values: {0: " ZEROS ", 7: [" B ", " ZEROS "]}}\n",
                    DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        soft_host_extend(&s.host, 7, 'e');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "pcr-mismatch");
        f = verdict_find(s.r.verdict, "pcr-mismatch");
        story_says(f->what, "PCR 7 (sha256)");
        story_says(f->expected, B);
        story_says(f->policy_ref, "edge.yaml:8");
        assert_non_null(s.r.next);
        story_end(&s);
}

static void denied_also_in_the_past(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s, node_ab, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'b');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_push(&s, node_b_deny_a, 0);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-denied");
        assert_int_equal(verdict_find(s.r.verdict, "digest-denied")->severity, SEVERITY_CRITICAL);
        story_says(verdict_find(s.r.verdict, "digest-denied")->policy_ref, "edge.yaml:8 (version 2)");
        story_pass_time(&s, 30000);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-denied");
        story_end(&s);
}

/* --- records of others --- */

static void systemd_measures_too(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s, NODE "  - " A "\nrecords: [{string: 'machine-id:*'}, " D "]\n", DIGEST_SHA256);
        soft_host_foreign(&s.host, "machine-id:0f0e");
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_pass_time(&s, 30000);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        soft_host_foreign(&s.host, "file-system:/:1234");
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "record-not-allowed");
        story_says(verdict_find(s.r.verdict, "record-not-allowed")->what, "file-system:/:1234");
        story_end(&s);
}

/* A text that the digest is not over allows nothing. */
static void text_is_a_claim(void **state)
{
        AUTO(buf_free)
        struct buf log = {0};
        struct story s;

        (void)state;
        story_begin(&s, HEAD "records: [{string: 'machine-id:*'}]\n", DIGEST_SHA256);
        buf_fmt(&log,
                "\x1e{\"pcr\":15,\"digests\":[{\"hashAlg\":\"sha256\",\"digest\":\"%s\"}],\"content_type\":"
                "\"systemd\","
                "\"content\":{\"string\":\"machine-id:0f0e\"}}\n",
                E);
        soft_host_extend(&s.host, 15, 'e');
        s.log = VIEW_BUF(&log);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "record-not-allowed");
        story_end(&s);
}

/* --- logs --- */

static void one_record_ahead_decides_nothing(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        soft_host_log(&s.host, "node", "/usr/bin/node", 'e');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, "record-beyond-quote");
        assert_int_equal(s.before->cel_entries, 1);
        soft_host_extend(&s.host, 15, 'e');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        story_end(&s);
}

/* A record that would make a runtime present does not, before it is quoted. */
static void record_ahead_makes_nothing_present(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s, node_a, DIGEST_SHA256);
        soft_host_log(&s.host, "node", "/usr/bin/node", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "runtime-missing");
        story_end(&s);
}

static void log_does_not_explain_the_register(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        soft_host_extend(&s.host, 15, 'e'); /* by hand */
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "log-not-replayed");
        assert_int_equal(s.r.ask, APPRAISAL_ASK_FULL_LOG);
        assert_null(s.r.next);
        s.asked_again = true;
        s.log_first = 0;
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "log-not-replayed");
        assert_int_equal(s.r.ask, APPRAISAL_ASK_NOTHING);
        story_end(&s);
}

static void log_truncated_or_broken(void **state)
{
        struct view whole;
        struct story s;

        (void)state;
        story_begin(&s, node_ab, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'b');
        whole = soft_host_log_from(&s.host, 0);
        s.log = VIEW(whole.p, whole.len - soft_host_log_from(&s.host, 1).len);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "log-not-replayed");
        s.log = VIEW(whole.p, whole.len - 1);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "log-malformed");
        assert_int_equal(s.r.ask, APPRAISAL_ASK_FULL_LOG);
        s.log = VIEW_NONE;
        s.no_log = true;
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "log-missing");
        assert_null(s.before);
        story_end(&s);
}

/* --- evidence that is not the host's --- */

static void refused_evidence_changes_nothing(void **state)
{
        struct story s, other;
        uint64_t clock_ms;

        (void)state;
        story_begin(&s, node_a, DIGEST_SHA256);
        story_begin(&other, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        clock_ms = s.before->last.clock.clock_ms;
        story_pass_time(&s, 30000);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'e'); /* it would fail */
        s.other_ak = &other.host.tpm.ak;
        (void)story_round(&s);
        EXPECT(&s, VERDICT_REFUSED, "quote-signature");
        assert_null(s.r.next);
        assert_int_equal(s.r.ask, APPRAISAL_ASK_NOTHING);
        assert_int_equal(s.r.firmware_version, 0);
        s.other_ak = NULL;
        s.stale_challenge = true;
        (void)story_round(&s);
        EXPECT(&s, VERDICT_REFUSED, "quote-challenge");
        assert_int_equal(s.before->last.clock.clock_ms, clock_ms);
        story_end(&other);
        story_end(&s);
}

/* --- time --- */

static void clock_set_asks_again(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)story_round(&s);
        story_pass_time(&s, 30000);
        s.host.tpm.clock.clock_ms += 3600000;
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "clock-disagrees");
        assert_int_equal(s.r.ask, APPRAISAL_ASK_NOW);
        assert_null(s.r.next);
        s.immediate = true;
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, "clock-disagrees");
        story_end(&s);
}

static void tpm_goes_back(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)story_round(&s);
        story_pass_time(&s, 30000);
        s.host.tpm.clock.reset_count--;
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "tpm-went-back");
        assert_null(s.r.next);
        story_end(&s);
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
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
