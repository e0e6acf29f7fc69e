/* SPDX-License-Identifier: Apache-2.0 */
/* The appraisal, told as stories: policies that change, hosts without a log, bundles, and no memory. */
#include "base/mem.h"
#include "unit/policy/story.h"

static const char node_a[] = NODE "  - digest: " A "\n    comment: 20.19.1\n";
static const char node_b[] = NODE "  - " B "\n";
static const char node_a_until_noon[] = NODE "  - {digest: " A ", until: 2026-12-01T12:00:00Z}\n  - " B "\n";

/* --- policies that change (SR-16) --- */

static void overlap_expires_on_a_host_that_never_restarts(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s, node_a_until_noon, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_pass_time(&s, 3600000);
        assert_int_equal(appraisal_log_offset(s.before, s.policy), 0);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-expired");
        story_says(verdict_find(s.r.verdict, "digest-expired")->what, "2026-12-01T12:00:00");
        /* the update that was due heals it */
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'b');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_end(&s);
}

static void old_line_stays_history(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_push(&s, node_b, NOON);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'b');
        (void)story_round(&s); /* in the middle of the roll-out, and from entry 0 */
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_int_equal(s.before->cel_entries, 2);
        story_pass_time(&s, 7200000); /* the old version is over */
        assert_int_equal(appraisal_log_offset(s.before, s.policy), 0);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_int_equal(s.before->n_measured, 1);
        /* a verifier that never judged the old line cannot know that it was good */
        continuation_free(TAKE(s.before));
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        story_end(&s);
}

/* Never restarted, never updated: the old version's end is the host's end too. */
static void old_version_ends(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        story_push(&s, node_b, NOON);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_pass_time(&s, 7200000);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'b');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_end(&s);
}

/* Executable new, library still old: each version's word counts for its files. */
static void in_the_middle_of_an_update(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s,
                    HEAD "runtimes:\n- name: node\n  files:\n  - {path: /n, digests: " A
                         "}\n  - {path: /l, digests: " C "}\n",
                    DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/n", 'a');
        soft_host_measure(&s.host, "node", "/l", 'c');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_push(&s,
                   HEAD "runtimes:\n- name: node\n  files:\n  - {path: /n, digests: " B
                        "}\n  - {path: /l, digests: " D "}\n"
                        "- {name: more, digests: " E "}\n",
                   NOON);
        (void)story_round(&s); /* the old one still whole, and 'more' not demanded yet */
        EXPECT(&s, VERDICT_PASS, NULL);
        soft_host_measure(&s.host, "node", "/n", 'b');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        soft_host_measure(&s.host, "node", "/l", 'd');
        story_pass_time(&s, 7200000);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "runtime-missing");
        story_says(verdict_find(s.r.verdict, "runtime-missing")->what, "'more'");
        assert_int_equal(s.r.verdict->n_findings, 1);
        story_end(&s);
}

static void policy_needs_what_was_not_quoted(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        story_push(&s, NODE "  - " A "\npcr: {values: {4: " ZEROS "}}\n", 0);
        s.mask = 1u << 15;
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "pcrs-not-quoted");
        assert_int_equal(s.r.ask, APPRAISAL_ASK_NOW);
        story_says(s.r.verdict->findings[0].expected, "4,15");
        s.mask = 0;
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_end(&s);
}

/* --- hosts without a log --- */

static void pcr_values_alone(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s, HEAD "pcr: {values: {4: " ZEROS "}}\n", DIGEST_SHA256);
        s.no_log = true;
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_int_equal(s.r.verdict->n_findings, 0);
        soft_host_extend(&s.host, 4, 'e');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "pcr-mismatch");
        story_end(&s);
}

static void tpm_policy_that_demands_nothing(void **state)
{
        struct err err = ERR_INIT;
        struct story s;

        (void)state;
        story_begin(&s, node_a, DIGEST_SHA256);
        policy_unref(TAKE(s.versions[0].policy));
        assert_ok(policy_from_tpm_policy(view_str("{\"mask\":\"0x400\"}"), "web-1", &s.versions[0].policy,
                                         &err),
                  &err);
        story_hold(&s);
        s.no_log = true;
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, "policy-demands-nothing");
        story_end(&s);
}

/* --- offline --- */

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
        assert_ok(appraise_bundle(again, s->policy, s->memory, NULL, NULL, &s->r.verdict, &err), &err);
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
        story_begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        good = story_bundle(&s, id);
        (void)offline(&s, good);
        EXPECT(&s, VERDICT_PASS, NULL);
        (void)story_round(&s);
        story_pass_time(&s, 30000);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'b');
        updated = story_bundle(&s, id);
        (void)offline(&s, updated);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        story_push(&s, node_b, NOON); /* with the older version beside it */
        (void)offline(&s, updated);
        EXPECT(&s, VERDICT_PASS, NULL);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_pass_time(&s, 7200000); /* without it, nobody can say that entry 0 was good */
        (void)offline(&s, updated);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "history-not-shown");
        s.memory = s.before; /* the verifier that judged it then can */
        (void)offline(&s, updated);
        EXPECT(&s, VERDICT_PASS, NULL);
        good->challenge.p[0] ^= 1;
        (void)offline(&s, good);
        EXPECT(&s, VERDICT_REFUSED, "quote-challenge");
        story_end(&s);
}

/* --- out of memory --- */

struct once {
        struct story *s;
        struct soft_tpm_quote q;
};

static int appraise_once(void *ctx, struct err *err)
{
        struct once *o = ctx;
        int r;

        appraisal_result_done(&o->s->r);
        r = story_appraise(o->s, &o->q, VIEW_ARRAY(o->s->challenge), err);
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
        story_begin(&s, node_a, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'e');
        soft_host_quote(&s.host, VIEW_ARRAY(s.challenge), 1u << 15, &o.q);
        oom_each(appraise_once, &o);
        EXPECT(&s, VERDICT_FAIL, "digest-not-allowed");
        soft_tpm_quote_done(&o.q);
        story_end(&s);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
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
