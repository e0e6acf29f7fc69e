/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a measurement list is worth, told as stories: each demand of SR-15, kernels that follow by kexec, keys
 * and devices, and the runtimes as the kernel and the agent saw them.
 */
#include "base/mem.h"
#include "crypto/key.h"
#include "crypto/pubkey.h"
#include "evidence/ima.h"
#include "unit/policy/story_ima.h"

static const char ls[] = ONLY_LS;

/* ---- SR-15 ---- */

#define RULES(covers)                                                                                        \
        "  measuring:\n    rules:\n    - {digest: " E ", covers: [" covers "]}\n"                            \
        "    command_lines: ['**ima_policy=x**']\n"
#define AGENT "  required:\n  - {path: /usr/sbin/agent}\n"
#define GIVEN "  - {digest: " A ", path: /usr/sbin/agent}\n"

/* Which of the demands are said to be missing. */
static void missing(const struct story *s, const char *names)
{
        size_t n = 0;

        for (size_t i = 0; i < s->r.verdict->n_findings; i++) {
                const struct finding *f = &s->r.verdict->findings[i];
                char word[32];
                const char *from, *to;

                if (strcmp(f->code, "measurement-not-trustworthy") != 0)
                        continue;
                n++;
                from = strchr(f->what, '(');
                to = from ? strchr(from, ')') : NULL;
                assert_non_null(to);
                (void)snprintf(word, sizeof(word), "%.*s ", (int)(to - from - 1), from + 1);
                story_says(names, word);
                story_says(f->remedy, "waive");
        }
        for (const char *c = names; *c; c++)
                n -= *c == ' ';
        assert_int_equal(n, 0);
}

static void each_demand_is_missed_by_its_name(void **state)
{
        static const char policy[] = V2 "ima:\n" RULES("exec, tmpfs, kexec") AGENT ALLOW GIVEN;
        struct story s;

        (void)state;
        story_begin_ima(&s, policy);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "measurement-not-trustworthy");
        missing(&s, "rules tmpfs kernel kexec required boot-log ");
        assert_non_null(s.r.next); /* the list is known, all the same */
        story_ima_file(&s, "/etc/ima/ima-policy", 'e');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "measurement-not-trustworthy");
        missing(&s, "kernel required boot-log ");
        story_ima_file(&s, "/usr/sbin/agent", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "measurement-not-trustworthy");
        missing(&s, "kernel boot-log ");
        (void)story_round(&s); /* remembered */
        missing(&s, "kernel boot-log ");
        story_ima_reboot(&s); /* and forgotten */
        story_pass_time(&s, 60000);
        s.ima_first = 0;
        (void)story_round(&s);
        missing(&s, "rules tmpfs kernel kexec required boot-log ");
        story_end(&s);
}

static void what_is_shown_needs_no_waiver(void **state)
{
        static const char policy[] =
                V2 "ima:\n  waive: [kernel, boot-log]\n" RULES("exec, tmpfs, kexec") AGENT ALLOW GIVEN;
        struct story s;

        (void)state;
        story_begin_ima(&s, policy);
        story_ima_file(&s, "/etc/ima/ima-policy", 'e');
        story_ima_file(&s, "/usr/sbin/agent", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, "measurement-waived");
        story_says(story_found(&s, "measurement-waived")->what, "kernel, boot-log");
        story_end(&s);
}

/* Rules that leave out tmpfs; rules that do not see a kexec. */
static void rules_cover_what_they_say(void **state)
{
        static const char no_tmpfs[] =
                V2 "ima:\n  waive: [kernel, boot-log]\n" RULES("exec, kexec") AGENT ALLOW GIVEN;
        static const char no_kexec[] =
                V2 "ima:\n  waive: [kernel, boot-log]\n" RULES("exec, tmpfs") AGENT ALLOW GIVEN;
        static const char reads[] =
                V2 "ima:\n  waive: [kernel, boot-log]\n" RULES("exec, tmpfs, kexec, reads") AGENT ALLOW GIVEN;
        static const struct {
                const char *policy, *missing;
        } cases[] = {{no_tmpfs, "tmpfs "}, {no_kexec, "kexec "}, {reads, "required "}};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                struct story s;

                story_begin_ima(&s, cases[i].policy);
                story_ima_file(&s, "/etc/ima/ima-policy", 'e');
                story_ima_file(&s, "/usr/sbin/agent", 'a');
                (void)story_round(&s);
                EXPECT(&s, VERDICT_INCONCLUSIVE, "measurement-not-trustworthy");
                missing(&s, cases[i].missing);
                story_end(&s);
        }
}

/* What was measured before the rules were loaded may have been read only. */
static void executed_before_the_rules_shows_nothing(void **state)
{
        static const char policy[] =
                V2 "ima:\n  waive: [kernel, boot-log]\n" RULES("exec, tmpfs, kexec") AGENT ALLOW GIVEN;
        struct story s;

        (void)state;
        story_begin_ima(&s, policy);
        story_ima_file(&s, "/usr/sbin/agent", 'a');
        story_ima_file(&s, "/etc/ima/ima-policy", 'e');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "measurement-not-trustworthy");
        missing(&s, "required ");
        story_says(story_found(&s, "measurement-not-trustworthy")->expected, "/usr/sbin/agent");
        story_end(&s);
}

static void a_bank_that_nobody_extended(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s, ls, DIGEST_SHA256);
        story_ima_aggregate(&s); /* PCRs 0 to 7 are zeros: root extends PCR 10 by himself */
        story_ima_file(&s, "/bin/ls", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "measurement-not-trustworthy");
        story_says(story_found(&s, "measurement-not-trustworthy")->what, "PCRs 0 to 7");
        story_end(&s);
}

static void a_kernel_that_measures_nothing(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s, ls, DIGEST_SHA256);
        for (unsigned pcr = 0; pcr < 8; pcr++)
                soft_host_extend(&s.host, pcr, 'a');
        s.n_ima = 1; /* an empty list, and PCR 10 is zero */
        s.ima_sent = view_str("");
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "measurement-not-trustworthy");
        story_says(story_found(&s, "measurement-not-trustworthy")->what, "boot_aggregate");
        story_end(&s);
}

static void the_aggregate_is_compared(void **state)
{
        struct story s;

        (void)state;
        story_begin_ima(&s, ls);
        soft_host_extend(&s.host, 4, 'a'); /* after the kernel read it */
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "boot-aggregate-mismatch");
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "boot-aggregate-mismatch");
        story_end(&s);
}

#define KEXEC                                                                                                \
        V2 "ima:\n  waive: [kernel, boot-log]\n" RULES(                                                      \
                "exec, tmpfs, kexec") "  buffers:\n  - {name: kexec-cmdline, texts: ['root=/dev/vda "        \
                                      "ima_policy=*']}\n" AGENT ALLOW GIVEN "  - {digest: " D                \
                                      ", path: /boot/vmlinuz}\n"

static void a_kexec_that_was_measured(void **state)
{
        struct story s;

        (void)state;
        story_begin_ima(&s, KEXEC);
        story_ima_file(&s, "/etc/ima/ima-policy", 'e');
        story_ima_file(&s, "/usr/sbin/agent", 'a');
        story_ima_file(&s, "/boot/vmlinuz", 'd');
        story_ima_buffer(&s, "kexec-cmdline", view_str("root=/dev/vda ima_policy=y"));
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_null(verdict_find(s.r.verdict, "kexec-seen"));
        story_ima_aggregate(&s); /* the next kernel went on with the list: all is to be shown again */
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "kexec-seen");
        missing(&s, "rules tmpfs kexec required ");
        story_ima_file(&s, "/etc/ima/ima-policy", 'e');
        story_ima_file(&s, "/usr/sbin/agent", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, "kexec-seen");
        story_end(&s);
}

static void a_kexec_that_nobody_measured(void **state)
{
        struct story s;

        (void)state;
        story_begin_ima(&s, KEXEC);
        story_ima_aggregate(&s); /* before any rules */
        story_ima_file(&s, "/etc/ima/ima-policy", 'e');
        story_ima_file(&s, "/usr/sbin/agent", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "kexec-seen");
        missing(&s, "kexec ");
        story_end(&s);
}

static void another_command_line_for_the_next_kernel(void **state)
{
        struct story s;

        (void)state;
        story_begin_ima(&s, KEXEC);
        story_ima_file(&s, "/etc/ima/ima-policy", 'e');
        story_ima_file(&s, "/usr/sbin/agent", 'a');
        story_ima_buffer(&s, "kexec-cmdline", view_str("root=/dev/vda init=/bin/sh"));
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "ima-buffer-not-allowed");
        story_says(story_found(&s, "ima-buffer-not-allowed")->what, "kexec-cmdline");
        story_end(&s);
}

/* ---- keys, signatures, devices ---- */

/* A key, its public half as the kernel measures it, and signatures in the xattr's form. */
struct signer {
        struct key *key;
        struct buf spki, xattr;
        uint32_t id;
};

static void signer_make(struct signer *sg)
{
        AUTO(pubkey_free_p) struct pubkey *public = NULL;
        AUTO(ima_keys_free_p) struct ima_keys *keys = NULL;
        struct err err = ERR_INIT;

        *sg = (struct signer){.key = NULL};
        assert_ok(key_generate_rsa(2048, &sg->key, &err), &err);
        assert_ok(key_public(sg->key, &public, &err), &err);
        assert_ok(pubkey_spki(public, &sg->spki, &err), &err);
        assert_ok(ima_keys_new(&keys, &err), &err);
        assert_ok(ima_keys_add(keys, VIEW_BUF(&sg->spki), &sg->id, &err), &err);
}

static void signer_done(struct signer *sg)
{
        key_free(sg->key);
        buf_free(&sg->spki);
        buf_free(&sg->xattr);
}

/* An entry of a file with CONTENT's digest, signed over SIGNED's. */
static void sign_file(struct story *s, struct signer *sg, const char *path, const char *content,
                      const char *signed_content)
{
        AUTO(buf_free) struct buf sig = {0};
        struct digest d;
        struct err err = ERR_INIT;

        assert_ok(digest_bytes(DIGEST_SHA256, view_str(content), &d, &err), &err);
        assert_ok(key_sign(sg->key, DIGEST_SHA256, view_str(signed_content), &sig, &err), &err);
        buf_reset(&sg->xattr);
        buf_u8(&sg->xattr, 3);
        buf_u8(&sg->xattr, 2);
        buf_u8(&sg->xattr, 4);
        buf_be32(&sg->xattr, sg->id);
        buf_be16_bytes(&sg->xattr, VIEW_BUF(&sig));
        story_ima_signed(s, path, digest_view(&d), VIEW_BUF(&sg->xattr));
}

static void a_learned_key_signs(void **state)
{
        AUTO(mem_free_p) char *policy = NULL;
        char hex[65] = "";
        struct signer sg, other;
        struct digest d;
        struct story s;
        struct err err = ERR_INIT;

        (void)state;
        signer_make(&sg);
        signer_make(&other);
        assert_ok(digest_bytes(DIGEST_SHA256, VIEW_BUF(&sg.spki), &d, &err), &err);
        for (size_t i = 0; i < d.len; i++)
                (void)snprintf(hex + 2 * i, 3, "%02x", d.b[i]);
        policy = str_fmt(IMA "  keyrings:\n  - {name: .ima, keys: [%s]}\n"
                             "  signed:\n  - {keyring: .ima, paths: ['/opt/**']}\n" ALLOW LS,
                         hex);
        story_begin_ima(&s, policy);
        story_ima_buffer(&s, ".ima", VIEW_BUF(&sg.spki));
        sign_file(&s, &sg, "/opt/a", "one", "one");
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_int_equal(s.before->ima->n_keys, 1);
        sign_file(&s, &sg, "/opt/b", "two", "two"); /* the key is remembered */
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        sign_file(&s, &sg, "/opt/c", "three", "two");
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "ima-file-not-allowed");
        story_says(story_found(&s, "ima-file-not-allowed")->what, "its signature is not over this file");
        sign_file(&s, &sg, "/srv/d", "four", "four"); /* where it may not sign */
        (void)story_round(&s);
        assert_int_equal(story_count(s.r.verdict, "ima-file-not-allowed"), 2);
        story_ima_buffer(&s, ".ima", VIEW_BUF(&other.spki));
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "ima-key-not-allowed");
        story_says(story_found(&s, "ima-key-not-allowed")->what, ".ima");
        assert_int_equal(s.before->ima->n_keys, 1);
        sign_file(&s, &other, "/opt/e", "five", "five"); /* was not learned */
        (void)story_round(&s);
        story_says(story_found(&s, "ima-file-not-allowed")[0].what, "signature");
        assert_int_equal(s.before->ima->n_refused, 4);
        story_end(&s);
        signer_done(&sg);
        signer_done(&other);
}

#define DM_HEAD                                                                                              \
        "dm_version=4.45.0;name=root,uuid=,major=253,minor=0,minor_count=1,num_targets=1;"                   \
        "target_index=0,target_begin=0,target_len=8,target_name=verity,target_version=1.8.0,"
#define DM_TAIL(root)                                                                                        \
        "verity_version=1,data_device_name=253:1,hash_device_name=253:0,verity_algorithm=sha256,"            \
        "root_digest=" root ",salt=e4,ignore_zero_blocks=n,check_at_most_once=n;"

static void verity_devices_by_their_roots(void **state)
{
        static const char policy[] = IMA "  verity:\n  - {digest: " D ", path: root}\n" ALLOW LS;
        static const struct {
                const char *text;
                enum verdict_state state;
        } tables[] = {
                {DM_HEAD "hash_failed=V," DM_TAIL(D), VERDICT_PASS},
                {DM_HEAD "hash_failed=V," DM_TAIL(A), VERDICT_FAIL},
                {DM_HEAD "hash_failed=C," DM_TAIL(D), VERDICT_FAIL},
                {"dm_version=4.45.0;name=root,uuid=,major=253,minor=0,minor_count=1,num_targets=1;"
                 "target_index=0,target_begin=0,target_len=8,target_name=linear,root_digest=" D ";",
                 VERDICT_FAIL},
                /* a name that plays another table */
                {"dm_version=4.45.0;name=x\\;name\\=root,uuid=,major=253,minor=0,minor_count=1,num_targets=1;"
                 "target_index=0,target_begin=0,target_len=8,target_name=verity,hash_failed=V," DM_TAIL(D),
                 VERDICT_FAIL},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
                struct story s;

                story_begin_ima(&s, policy);
                story_ima_buffer(&s, "dm_table_load", view_str(tables[i].text));
                story_ima_buffer(&s, "dm_device_resume",
                                 view_str("dm_version=4.45.0;name=root,uuid=;current_device_capacity=8;"));
                (void)story_round(&s);
                EXPECT(&s, tables[i].state,
                       tables[i].state == VERDICT_FAIL ? "ima-device-not-allowed" : NULL);
                story_end(&s);
        }
}

/* ---- the agent's word and the kernel's ---- */

#define BOTH                                                                                                 \
        "format: avow-policy/2\nname: edge\nruntimes:\n- name: node\n  path: /usr/bin/node\n  digests: [" A  \
        ", " B "]\nima:\n" WAIVED RULES("exec, tmpfs, kexec") "  exclude: ['/usr/bin/**']\n" ALLOW LS

static void runtimes_are_compared_both_ways(void **state)
{
        struct story s;

        (void)state;
        story_begin_ima(&s, BOTH);
        story_ima_file(&s, "/etc/ima/ima-policy", 'e');
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        story_ima_file(&s, "/usr/bin/cat", 'c');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, "runtime-not-executed");
        story_ima_file(&s, "/usr/bin/node", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_null(verdict_find(s.r.verdict, "runtime-not-executed"));
        assert_null(verdict_find(s.r.verdict, "runtime-not-measured"));
        /* an approved version is executed, and the agent has not seen it */
        story_ima_file(&s, "/usr/bin/node", 'b');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, "runtime-not-measured");
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'b');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_null(verdict_find(s.r.verdict, "runtime-not-measured"));
        /* one that is not, at its path, which no exclude excuses */
        story_ima_file(&s, "/usr/bin/node", 'd');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "runtime-not-approved");
        story_end(&s);
}

/* ---- bundles and memory ---- */

static void out_of_memory_in(struct story *s)
{
        struct soft_tpm_quote q;
        struct err err;

        soft_host_quote(&s->host, VIEW_ARRAY(s->challenge), policy_effective_pcr_mask(s->policy), &q);
        for (size_t n = 1;; n++) {
                int r;

                err = (struct err)ERR_INIT;
                appraisal_result_done(&s->r);
                oom_at(n);
                r = story_appraise(s, &q, VIEW_ARRAY(s->challenge), &err);
                if (!oom_off()) {
                        assert_ok(r, &err);
                        break;
                }
                if (r == 0) { /* only what may be left out was: never a pass out of a failure */
                        assert_int_not_equal(s->r.verdict->state, VERDICT_PASS);
                        continue;
                }
                assert_true(r == -ERR_NOMEM || r == -ERR_CRYPTO);
                assert_null(s->r.verdict);
        }
        soft_tpm_quote_done(&q);
}

static void out_of_memory(void **state)
{
        static const char policy[] = IMA OPENSSL FILES RULES("exec, tmpfs, kexec") AGENT
                "  keyrings:\n  - {name: .ima, keys: any}\n"
                "  signed:\n  - {keyring: .ima}\n";
        struct signer sg;
        struct story s;

        (void)state;
        signer_make(&sg);
        story_begin_ima(&s, policy);
        story_ima_file(&s, "/etc/ima/ima-policy", 'e');
        story_ima_file(&s, "/usr/bin/openssl", 'd');
        story_ima_file(&s, "/usr/sbin/agent", 'd');
        story_ima_buffer(&s, ".ima", VIEW_BUF(&sg.spki));
        sign_file(&s, &sg, "/opt/c", "three", "two");
        out_of_memory_in(&s);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, NULL);
        out_of_memory_in(&s); /* going on from there */
        story_end(&s);
        signer_done(&sg);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_demand_is_missed_by_its_name),
                cmocka_unit_test(what_is_shown_needs_no_waiver),
                cmocka_unit_test(rules_cover_what_they_say),
                cmocka_unit_test(executed_before_the_rules_shows_nothing),
                cmocka_unit_test(a_bank_that_nobody_extended),
                cmocka_unit_test(a_kernel_that_measures_nothing),
                cmocka_unit_test(the_aggregate_is_compared),
                cmocka_unit_test(a_kexec_that_was_measured),
                cmocka_unit_test(a_kexec_that_nobody_measured),
                cmocka_unit_test(another_command_line_for_the_next_kernel),
                cmocka_unit_test(a_learned_key_signs),
                cmocka_unit_test(verity_devices_by_their_roots),
                cmocka_unit_test(runtimes_are_compared_both_ways),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
