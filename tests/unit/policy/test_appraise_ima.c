/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's measurement list under a policy, told as stories: each kind of finding about files, what is
 * remembered, and what a changed policy makes of it (SR-16).
 */
#include "base/mem.h"
#include "evidence/ima.h"
#include "unit/policy/story_ima.h"

static const char ls[] = ONLY_LS;

/* ---- files ---- */

static void what_is_allowed_passes(void **state)
{
        struct story s;

        (void)state;
        story_begin_ima(&s, ls);
        story_ima_file(&s, "/bin/ls", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, "measurement-waived");
        assert_non_null(s.before->ima);
        assert_int_equal(s.before->ima->entries, 2);
        assert_int_equal(s.before->ima->bytes, s.ima.len);
        assert_int_equal(s.r.ima_bytes, s.ima.len);
        assert_int_equal(s.before->ima->n_kept, 0);
        assert_int_equal(s.before->last.ima_entries, 2);
        /* nothing new */
        assert_int_equal(appraisal_ima_offset(s.before, s.policy), 2);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_int_equal(s.before->ima->entries, 2);
        story_end(&s);
}

static void an_unknown_file_fails_until_the_reboot(void **state)
{
        const struct finding *f;
        struct story s;

        (void)state;
        story_begin_ima(&s, ls);
        story_ima_file(&s, "/bin/ls", 'a');
        story_ima_file(&s, "/bin/ls", 'b');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "ima-file-not-allowed");
        f = story_found(&s, "ima-file-not-allowed");
        assert_int_equal(f->entry, 2);
        assert_string_equal(f->log, "ima");
        story_says(f->what, "/bin/ls");
        story_says(f->what, "first seen 2026-12-01T11:00:00");
        story_says(f->found, "sha256:" B);
        story_says(f->expected, "sha256:" A);
        story_says(f->remedy, "avow policy");
        /* the right file again does not undo it, and nobody sends the old entries again */
        story_ima_file(&s, "/bin/ls2", 'c');
        story_pass_time(&s, 60000);
        assert_int_equal(appraisal_ima_offset(s.before, s.policy), 3);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "ima-file-not-allowed");
        assert_int_equal(story_found(&s, "ima-file-not-allowed")->entry, 2);
        story_says(story_found(&s, "ima-file-not-allowed")->what, "2 files in '/bin'");
        story_says(story_found(&s, "ima-file-not-allowed")->what, "first seen 2026-12-01T11:00:00");
        story_ima_reboot(&s);
        story_ima_file(&s, "/bin/ls", 'a');
        story_pass_time(&s, 60000);
        s.ima_first = 0;
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_end(&s);
}

static void at_another_path_it_is_not_allowed(void **state)
{
        const struct finding *f;
        struct story s;

        (void)state;
        story_begin_ima(&s, ls);
        story_ima_file(&s, "/dev/shm/ls", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "ima-file-elsewhere");
        f = story_found(&s, "ima-file-elsewhere");
        story_says(f->what, "/dev/shm/ls");
        story_says(f->expected, "/bin/ls");
        story_says(f->policy_ref, "edge.yaml:");
        story_end(&s);
}

static void a_package_update_is_one_finding(void **state)
{
        static const char policy[] = IMA OPENSSL FILES;
        const struct finding *f;
        struct story s;

        (void)state;
        story_begin_ima(&s, policy);
        story_ima_file(&s, "/usr/bin/openssl", 'd');
        story_ima_file(&s, "/usr/lib/libssl.so.3", 'e');
        story_ima_file(&s, "/usr/lib/libcrypto.so.3", 'f');
        story_ima_file(&s, "/opt/x/one", 'd');
        story_ima_file(&s, "/opt/x/two", 'd');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "ima-file-not-allowed");
        assert_int_equal(story_count(s.r.verdict, "ima-file-not-allowed"), 2);
        f = story_found(&s, "ima-file-not-allowed");
        story_says(f->what, "3 files of openssl 3.0.15-1 amd64");
        story_says(f->remedy, "avow policy update edge.yaml --package openssl");
        story_says(f->policy_ref, "edge.yaml:7");
        story_says(f->expected, A);
        story_says(f[1].what, "2 files in '/opt/x'");
        story_end(&s);
}

static void the_overlap_of_a_package_ends(void **state)
{
        static const char policy[] =
                IMA OPENSSL "    until: 2026-12-01T12:00:00Z\n" FILES
                            "  - name: openssl\n    version: 3.0.17-1\n    files: |\n      " D
                            "  /usr/bin/openssl\n      " B "  /usr/lib/libssl.so.3\n";
        struct story s;

        (void)state;
        story_begin_ima(&s, policy);
        story_ima_file(&s, "/usr/bin/openssl", 'a');
        story_ima_file(&s, "/usr/lib/libssl.so.3", 'b');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_pass_time(&s, 3600000); /* noon: the digest of the effective policy is another */
        assert_int_equal(appraisal_ima_offset(s.before, s.policy), 0);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "ima-file-expired");
        story_says(story_found(&s, "ima-file-expired")->what, "openssl 3.0.15-1 amd64");
        story_says(story_found(&s, "ima-file-expired")->what, "until 2026-12-01T12:00:00");
        story_says(story_found(&s, "ima-file-expired")->remedy, "--only-upgrade openssl");
        /* the update that was due heals it, without what was sent before */
        story_ima_file(&s, "/usr/bin/openssl", 'd');
        story_pass_time(&s, 60000);
        assert_int_equal(appraisal_ima_offset(s.before, s.policy), 3);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_int_equal(s.before->ima->n_kept, 0);
        story_end(&s);
}

static void deny_counts_wherever_it_stands(void **state)
{
        static const char policy[] = IMA ALLOW LS "  - {digest: " B ", path: /bin/ls}\n";
        static const char denied[] = IMA "  deny:\n  - {digest: " B ", comment: CVE-1}\n" ALLOW LS;
        struct story s;

        (void)state;
        story_begin_ima(&s, policy);
        story_ima_file(&s, "/bin/ls", 'b');
        story_ima_file(&s, "/bin/ls", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_push(&s, denied, 0);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-denied");
        assert_int_equal(story_found(&s, "digest-denied")->severity, SEVERITY_CRITICAL);
        assert_int_equal(story_found(&s, "digest-denied")->entry, 1);
        story_says(story_found(&s, "digest-denied")->what, "CVE-1");
        (void)story_round(&s); /* remembered */
        EXPECT(&s, VERDICT_FAIL, "digest-denied");
        story_end(&s);
}

static void excluded_paths_are_not_judged(void **state)
{
        static const char policy[] = IMA "  exclude: ['/var/cache/**']\n  deny: [" B "]\n" ALLOW LS;
        struct story s;

        (void)state;
        story_begin_ima(&s, policy);
        story_ima_file(&s, "/var/cache/x/y", 'd');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_ima_file(&s, "/var/cache/x/z", 'b'); /* but denied is denied */
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "digest-denied");
        story_end(&s);
}

/* ---- a changed policy looks back ---- */

static void a_superseded_entry_is_history(void **state)
{
        static const char was[] = IMA ALLOW LS "  - {digest: " B ", path: /bin/ls}\n";
        struct story s;

        (void)state;
        story_begin_ima(&s, was);
        story_ima_file(&s, "/bin/ls", 'b');
        story_ima_file(&s, "/bin/ls", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_push(&s, ls, 0);
        assert_int_equal(appraisal_ima_offset(s.before, s.policy), 0);
        (void)story_round(&s); /* all of it is read again; 'b' was allowed in its time */
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_int_equal(s.before->ima->entries, 3);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        /* a verifier that never judged it cannot know that */
        continuation_free(TAKE(s.before));
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "ima-file-not-allowed");
        story_end(&s);
}

static void the_newest_is_judged_by_the_new_policy(void **state)
{
        static const char only_b[] = IMA ALLOW "  - {digest: " B ", path: /bin/ls}\n";
        struct story s;

        (void)state;
        story_begin_ima(&s, ls);
        story_ima_file(&s, "/bin/ls", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_push(&s, only_b, 0);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "ima-file-not-allowed");
        story_ima_file(&s, "/bin/ls", 'b');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_end(&s);
}

static void what_was_refused_stays_refused(void **state)
{
        static const char more[] = IMA ALLOW LS "  - {digest: " D ", path: /bin/cat}\n";
        static const char both[] = IMA ALLOW LS "  - {digest: " B ", path: /bin/ls}\n";
        struct story s;

        (void)state;
        story_begin_ima(&s, ls);
        story_ima_file(&s, "/bin/ls", 'b');
        story_ima_file(&s, "/bin/ls", 'a'); /* put back */
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "ima-file-not-allowed");
        story_push(&s, more, 0); /* another policy that does not know it either */
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "ima-file-not-allowed");
        assert_int_equal(story_found(&s, "ima-file-not-allowed")->entry, 1);
        story_push(&s, both, 0); /* one that does */
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_end(&s);
}

static void more_than_can_be_kept_is_read_again(void **state)
{
        struct story s;
        char path[64];

        (void)state;
        story_begin_ima(&s, ls);
        for (int i = 0; i < IMA_KEPT_MAX + 50; i++) {
                (void)snprintf(path, sizeof(path), "/opt/%d/x", i);
                story_ima_file(&s, path, 'b');
                story_ima_file(&s, path, 'a'); /* known, elsewhere */
        }
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "ima-file-not-allowed");
        assert_true(s.r.verdict->n_findings < 60);
        assert_true(s.before->ima->whole);
        assert_int_equal(s.before->ima->n_kept, IMA_KEPT_MAX);
        assert_int_equal(s.before->ima->n_refused, 2 * (IMA_KEPT_MAX + 50));
        assert_int_equal(appraisal_ima_offset(s.before, s.policy), 0);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "ima-file-not-allowed");
        story_push(&s, IMA ALLOW "  - " A "\n  - " B "\n", 0);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_false(s.before->ima->whole);
        assert_int_equal(s.before->ima->n_refused, 0);
        story_end(&s);
}

/* ---- lists and quotes ---- */

static void a_list_longer_than_the_quote(void **state)
{
        struct story s;
        uint64_t covered;

        (void)state;
        story_begin_ima(&s, ls);
        story_ima_file(&s, "/bin/ls", 'a');
        covered = s.ima.len;
        {
                struct digest was = s.host.tpm.pcrs.v[10];

                story_ima_file(&s, "/opt/evil", 'b'); /* read before it is quoted */
                s.host.tpm.pcrs.v[10] = was;
        }
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_int_equal(s.before->ima->entries, 2);
        assert_int_equal(s.r.ima_bytes, covered);
        story_end(&s);
}

static void a_quote_longer_than_the_list_is_asked_again(void **state)
{
        struct story s;

        (void)state;
        story_begin_ima(&s, ls);
        story_ima_file(&s, "/bin/ls", 'a');
        (void)story_round(&s);
        soft_host_extend(&s.host, 10, 'c');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "ima-log-not-replayed");
        assert_int_equal(s.r.ask, APPRAISAL_ASK_FULL_LOG);
        assert_null(s.r.next);
        s.asked_again = true;
        s.ima_first = 0;
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "ima-log-not-replayed");
        assert_int_equal(s.r.ask, APPRAISAL_ASK_NOTHING);
        story_end(&s);
}

static void only_the_end_after_a_reboot(void **state)
{
        struct story s;

        (void)state;
        story_begin_ima(&s, ls);
        story_ima_file(&s, "/bin/ls", 'a');
        (void)story_round(&s);
        story_ima_reboot(&s);
        story_ima_file(&s, "/bin/ls", 'a');
        story_pass_time(&s, 60000);
        (void)story_round(&s); /* the agent did not notice */
        EXPECT(&s, VERDICT_INCONCLUSIVE, "ima-log-incomplete");
        assert_int_equal(s.r.ask, APPRAISAL_ASK_FULL_LOG);
        s.ima_first = 0;
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_int_equal(s.before->ima->entries, 2);
        story_end(&s);
}

static void garbage_and_nothing(void **state)
{
        struct story s;

        (void)state;
        story_begin_ima(&s, ls);
        s.ima_sent = view_str("10 garbage");
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "ima-log-malformed");
        assert_int_equal(s.r.ask, APPRAISAL_ASK_FULL_LOG);
        s.ima_sent = VIEW_NONE;
        s.no_ima = true;
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "ima-log-missing");
        EXPECT(&s, VERDICT_INCONCLUSIVE, "measurement-not-trustworthy");
        assert_null(s.r.next);
        story_end(&s);
}

static void another_kernel_with_a_list_of_its_own(void **state)
{
        struct story s;

        (void)state;
        story_begin_ima(&s, ls);
        story_ima_file(&s, "/bin/ls", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        buf_reset(&s.ima); /* kexec: the register goes on, the list does not */
        buf_reset(&s.ima_marks);
        s.n_ima = 0;
        story_ima_aggregate(&s);
        story_ima_file(&s, "/bin/ls", 'a');
        s.ima_first = 0;
        s.asked_again = true;
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "kexec-without-list");
        story_end(&s);
}

static void violations_are_the_policy_s_choice(void **state)
{
        static const struct {
                const char *policy;
                enum verdict_state state;
                bool said;
        } choices[] = {
                {IMA ALLOW LS, VERDICT_FAIL, true},
                {IMA "  violations: warn\n" ALLOW LS, VERDICT_PASS, true},
                {IMA "  violations: allow\n" ALLOW LS, VERDICT_PASS, false},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
                struct story s;

                story_begin_ima(&s, choices[i].policy);
                story_ima_violation(&s, "/whatever/it/says");
                story_ima_file(&s, "/bin/ls", 'a');
                for (int round = 0; round < 2; round++) { /* it stays until the reboot */
                        (void)story_round(&s);
                        EXPECT(&s, choices[i].state, choices[i].said ? "ima-violations" : NULL);
                        assert_int_equal(story_count(s.r.verdict, "ima-violations"), choices[i].said);
                }
                if (choices[i].said)
                        assert_int_equal(story_found(&s, "ima-violations")->entry, 1);
                story_end(&s);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_allowed_passes),
                cmocka_unit_test(an_unknown_file_fails_until_the_reboot),
                cmocka_unit_test(at_another_path_it_is_not_allowed),
                cmocka_unit_test(a_package_update_is_one_finding),
                cmocka_unit_test(the_overlap_of_a_package_ends),
                cmocka_unit_test(deny_counts_wherever_it_stands),
                cmocka_unit_test(excluded_paths_are_not_judged),
                cmocka_unit_test(a_superseded_entry_is_history),
                cmocka_unit_test(the_newest_is_judged_by_the_new_policy),
                cmocka_unit_test(what_was_refused_stays_refused),
                cmocka_unit_test(more_than_can_be_kept_is_read_again),
                cmocka_unit_test(a_list_longer_than_the_quote),
                cmocka_unit_test(a_quote_longer_than_the_list_is_asked_again),
                cmocka_unit_test(only_the_end_after_a_reboot),
                cmocka_unit_test(garbage_and_nothing),
                cmocka_unit_test(another_kernel_with_a_list_of_its_own),
                cmocka_unit_test(violations_are_the_policy_s_choice),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
