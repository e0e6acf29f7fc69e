/* SPDX-License-Identifier: Apache-2.0 */
/* What a result says of a host in every state, and when it ends (SR-20). */
#include "verifier/results.h"

#include <stdlib.h>

#include "base/str.h"
#include "support/play_tpm.h"
#include "support/support.h"

#define A    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define NOW  1795300000000
#define MONO 1000000
#define AGE  1000 /* of the last evidence */
#define BROAD                                                                                                \
        "format: avow-policy/1\nname: p\npcr: {values: {7: " A ", 4: " A                                     \
        "}}\nruntimes:\n- name: rt\n  digests: [" A "]\n"
#define CODE "format: avow-policy/1\nname: p\nruntimes:\n- name: rt\n  digests: [" A "]\n"

struct fixture {
        struct rules *rules;
        struct hosts *hosts;
        struct play_tpm tpm;
        struct host *host;
        struct result_facts facts;
        struct wire_ear m;
};

static void rules_are(struct fixture *f, const char *text, int64_t version)
{
        struct stored_policy p = {.name = (char *)"p",
                                  .version = version,
                                  .until_ms = INT64_MAX,
                                  .text = {(uint8_t *)(uintptr_t)text, strlen(text), strlen(text), false}};
        struct err err = ERR_INIT;

        assert_ok(rules_replace(f->rules, "p", &p, 1, &err), &err);
        assert_ok(host_bind_rules(f->host, f->rules, &err), &err);
        assert_ok(ruleset_effective(f->host->rules, f->host->e.name, NOW, &f->facts.effective, &err), &err);
}

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));
        struct verifier_host from = {
                .enrolment = {.name = str_dup("web-1"), .policy = str_dup("p"), .enrolled_at_ms = 1000}};
        struct stored_policy p = {.name = (char *)"p",
                                  .version = 1,
                                  .until_ms = INT64_MAX,
                                  .text = {(uint8_t *)(uintptr_t)CODE, strlen(CODE), strlen(CODE), false}};
        struct err err = ERR_INIT;

        assert_ok(rules_new(&f->rules, &err), &err);
        assert_ok(hosts_new(&f->hosts, &err), &err);
        play_tpm_init(&f->tpm, PLAY_AK_P256, DIGEST_SHA256);
        assert_ok(rules_replace(f->rules, "p", &p, 1, &err), &err);
        buf_put_view(&from.enrolment.ak, VIEW_BUF(&f->tpm.ak_pub));
        assert_ok(hosts_add(f->hosts, f->rules, &from, NOW, MONO, &f->host, &err), &err);
        verifier_host_free(&from);
        f->host->e.ek_class = str_dup("hardware");
        f->host->s.judged = true;
        f->host->s.enforced = true;
        f->host->s.verdict = VERDICT_PASS;
        f->host->s.policy_version = 1;
        f->host->s.evidence_at_ms = NOW - AGE;
        f->host->evidence_ms = MONO - AGE;
        f->facts = (struct result_facts){.host = f->host,
                                         .times = {.interval_ms = 10000},
                                         .trust = TRUST_TRUSTED,
                                         .now_ms = NOW,
                                         .mono_ms = MONO,
                                         .lifetime_ms = 300000};
        rules_are(f, CODE, 1);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        hosts_free(f->hosts);
        rules_free(f->rules);
        play_tpm_done(&f->tpm);
        free(f);
        return 0;
}

/* What is said now; REASON NULL: none. */
static void says(struct fixture *f, enum ear_status status, const char *reason)
{
        f->m = (struct wire_ear){.root = NULL};
        results_judge(&f->facts, &f->m);
        assert_string_equal(ear_status_name(f->m.status), ear_status_name(status));
        assert_true(str_equal(f->m.reason, reason));
        assert_true(f->m.expires_s > f->m.issued_s);
        assert_int_equal(f->m.issued_s, f->facts.now_ms / 1000);
        if (f->m.status == EAR_AFFIRMING) /* SR-20: before the next evidence is due */
                assert_true(f->m.expires_s * 1000 <=
                            f->host->s.evidence_at_ms + host_late_ms(f->host, &f->facts.times));
        if (f->m.status == EAR_NONE)
                for (size_t i = 0; i < EAR_N_CLAIMS; i++)
                        assert_int_equal(f->m.vector[i], EAR_NOT_APPRAISED);
}

static void age(struct fixture *f, int64_t ms)
{
        f->host->s.evidence_at_ms = NOW - ms;
        f->host->evidence_ms = MONO - ms;
}

static void an_enforced_pass_alone_affirms(void **state)
{
        struct fixture *f = *state;

        says(f, EAR_AFFIRMING, NULL);
        assert_int_equal(f->m.evidence_s, (NOW - AGE) / 1000);
        f->host->s.enforced = false;
        says(f, EAR_WARNING, "observed");
        f->host->s.enforced = true;
        f->facts.trust = TRUST_SUSPENDED;
        says(f, EAR_CONTRAINDICATED, "suspended");
        f->facts.trust = TRUST_REVOKED;
        says(f, EAR_CONTRAINDICATED, "revoked");
        assert_int_equal(f->m.vector[EAR_IDENTITY], EAR_IDENTITY_BAD);
        f->facts.trust = TRUST_TRUSTED;
        f->host->s.verdict = VERDICT_FAIL;
        says(f, EAR_CONTRAINDICATED, "fail");
        f->host->s.enforced = false;
        says(f, EAR_CONTRAINDICATED, "fail");
        f->host->s.verdict = VERDICT_INCONCLUSIVE;
        says(f, EAR_NONE, "inconclusive");
        f->facts.trust = TRUST_SUSPENDED; /* a log that does not replay, asked for twice */
        says(f, EAR_CONTRAINDICATED, "suspended");
        f->facts.trust = TRUST_TRUSTED;
        f->host->s.verdict = VERDICT_PASS;
        f->host->e.paused = true;
        says(f, EAR_NONE, "paused");
        f->host->e.paused = false;
        f->host->s.judged = false;
        says(f, EAR_NONE, "enrolled");
        assert_int_equal(f->m.evidence_s, NOW / 1000);
        assert_null(f->m.policy);
}

static void silence(void **state)
{
        struct fixture *f = *state;

        age(f, 20000); /* interval and grace: the last moment */
        says(f, EAR_NONE, "late");
        age(f, 20001);
        says(f, EAR_NONE, "late");
        f->facts.trust = TRUST_SUSPENDED; /* its lease is over, too */
        says(f, EAR_NONE, "late");
        age(f, 50001);
        says(f, EAR_NONE, "lost");
        f->facts.trust = TRUST_REVOKED; /* silence hides no revocation and no failure */
        says(f, EAR_CONTRAINDICATED, "revoked");
        f->facts.trust = TRUST_SUSPENDED;
        f->host->s.verdict = VERDICT_FAIL;
        says(f, EAR_CONTRAINDICATED, "fail");
        for (size_t i = 0; i < EAR_N_CLAIMS; i++) /* and nothing is said from old evidence */
                assert_int_equal(f->m.vector[i], EAR_NOT_APPRAISED);
}

static void a_policy_that_changed_affirms_nothing(void **state)
{
        struct fixture *f = *state;

        rules_are(f, CODE, 2);
        says(f, EAR_NONE, "policy-changed");
        f->host->s.policy_version = 2;
        says(f, EAR_AFFIRMING, NULL);
        f->facts.effective = NULL; /* it cannot be read any more */
        says(f, EAR_NONE, "policy-changed");
}

static void the_end_is_the_earliest(void **state)
{
        struct fixture *f = *state;

        says(f, EAR_AFFIRMING, NULL);
        assert_int_equal(f->m.expires_s, (NOW - AGE + 20000) / 1000); /* the next evidence's deadline */
        f->facts.lifetime_ms = 7000;
        says(f, EAR_AFFIRMING, NULL);
        assert_int_equal(f->m.expires_s, NOW / 1000 + 7);
        f->facts.times.lease_ms = 5000;
        says(f, EAR_AFFIRMING, NULL);
        assert_int_equal(f->m.expires_s, (NOW - AGE + 5000) / 1000);
        f->facts.times.lease_ms = 60000;
        f->facts.lifetime_ms = 300000;
        f->facts.times.late_after_ms = 3000;
        says(f, EAR_AFFIRMING, NULL);
        assert_int_equal(f->m.expires_s, (NOW - AGE + 3000) / 1000);
        /* whole seconds are rounded down, and what would end at once is nothing */
        f->facts.times.late_after_ms = 1500;
        says(f, EAR_NONE, "late");
        /* a clock of ours that was set forward makes it end sooner, one set back not later */
        f->facts.times.late_after_ms = 0;
        f->host->s.evidence_at_ms = NOW - 15000;
        f->host->evidence_ms = MONO - 1000;
        says(f, EAR_AFFIRMING, NULL);
        assert_int_equal(f->m.expires_s, NOW / 1000 + 5);
        f->host->s.evidence_at_ms = NOW;
        f->host->evidence_ms = MONO - 15000;
        says(f, EAR_AFFIRMING, NULL);
        assert_int_equal(f->m.expires_s, NOW / 1000 + 5);
}

static void the_vector_holds_what_was_appraised(void **state)
{
        struct fixture *f = *state;

        says(f, EAR_AFFIRMING, NULL);
        assert_int_equal(f->m.vector[EAR_IDENTITY], EAR_IDENTITY_KNOWN);
        assert_int_equal(f->m.vector[EAR_HARDWARE], EAR_HARDWARE_GENUINE);
        assert_int_equal(f->m.vector[EAR_EXECUTABLES], EAR_EXECUTABLES_APPROVED_BOOT);
        assert_int_equal(f->m.vector[EAR_CONFIGURATION], EAR_NOT_APPRAISED);
        f->host->e.ek_class[0] = 'H'; /* not the word: another class */
        says(f, EAR_AFFIRMING, NULL);
        assert_int_equal(f->m.vector[EAR_HARDWARE], EAR_NOT_APPRAISED);
        f->host->ek_findings = true; /* nobody verified the EK */
        says(f, EAR_AFFIRMING, NULL);
        assert_int_equal(f->m.vector[EAR_IDENTITY], EAR_NOT_APPRAISED);
        rules_are(f, BROAD, 1);
        says(f, EAR_AFFIRMING, NULL);
        assert_int_equal(f->m.vector[EAR_CONFIGURATION], EAR_CONFIGURATION_APPROVED);
}

static void the_one_that_failed_is_blamed(void **state)
{
#define FAIL(log, entry)                                                                                     \
        "{\"state\":\"fail\",\"enforced\":true,\"findings\":[{\"code\":\"x\",\"severity\":\"error\","        \
        "\"what\":\"w\","                                                                                    \
        "\"log\":\"" log "\",\"entry\":" entry "}],\"dropped\":0}"
        static const struct {
                const char *verdict;
                int code, config;
        } rows[] = {{FAIL("pcr", "7"), EAR_EXECUTABLES_APPROVED_BOOT, EAR_CONFIGURATION_BAD},
                    {FAIL("pcr", "4"), EAR_EXECUTABLES_BAD, EAR_CONFIGURATION_APPROVED},
                    {FAIL("cel", "3"), EAR_EXECUTABLES_BAD, EAR_CONFIGURATION_APPROVED},
                    {"rubbish", EAR_EXECUTABLES_BAD, EAR_CONFIGURATION_BAD}};
        struct fixture *f = *state;

        rules_are(f, BROAD, 1);
        f->host->s.verdict = VERDICT_FAIL;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                free(f->host->s.verdict_json);
                f->host->s.verdict_json = str_dup(rows[i].verdict);
                says(f, EAR_CONTRAINDICATED, "fail");
                assert_int_equal(f->m.vector[EAR_EXECUTABLES], rows[i].code);
                assert_int_equal(f->m.vector[EAR_CONFIGURATION], rows[i].config);
        }
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        static const struct CMUnitTest tests[] = {
                CASE(an_enforced_pass_alone_affirms),        CASE(silence),
                CASE(a_policy_that_changed_affirms_nothing), CASE(the_end_is_the_earliest),
                CASE(the_vector_holds_what_was_appraised),   CASE(the_one_that_failed_is_blamed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
