/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real boots, whole: quotes that a TPM signed, the kernel's list and the firmware's log that were read beside
 * them, appraised under policies that are made here from what the lists hold. Which entries a quote covers is
 * known by hand (tests/vectors/boot/README.md and tests/unit/evidence/test_ima.c).
 */
#include "base/hex.h"
#include "base/mem.h"
#include "evidence/ima.h"
#include "evidence/pcr_blob.h"
#include "policy/appraise.h"
#include "support/support.h"
#include "unit/evidence/vectors.h"

#define NOON 1796126400000

struct boot {
        const char *set, *quote;
        int step;
        bool text;
        struct buf message, signature, pcr_bytes, ak_bytes, list, uefi;
        struct tpm_public ak;
        struct pcr_values pcrs;
        struct policy *policy;
        struct policy_effective *effective;
        struct appraisal_result r;
};

static void boot_read(struct boot *b, const char *set, int step, const char *quote, bool text)
{
        struct err err = ERR_INIT;
        char file[64];

        *b = (struct boot){.set = set, .quote = quote, .step = step, .text = text};
        (void)vector_quote(&b->message, set, step, quote, "msg");
        (void)vector_quote(&b->signature, set, step, quote, "sig");
        assert_ok(pcr_blob_parse(vector_quote(&b->pcr_bytes, set, step, quote, "pcrs"), &b->pcrs, &err),
                  &err);
        (void)snprintf(file, sizeof(file), "%s.pub", vector_ak(quote));
        assert_ok(tpm2b_public_parse(vector_read(&b->ak_bytes, set, file), &b->ak, &err), &err);
        (void)snprintf(file, sizeof(file), "%d_ima.%s", step, text ? "txt" : "bin");
        (void)vector_read(&b->list, set, file);
}

static void boot_done(struct boot *b)
{
        buf_free(&b->message);
        buf_free(&b->signature);
        buf_free(&b->pcr_bytes);
        buf_free(&b->ak_bytes);
        buf_free(&b->list);
        buf_free(&b->uefi);
        policy_effective_free(b->effective);
        policy_unref(b->policy);
        appraisal_result_done(&b->r);
}

static void put_path(struct buf *out, struct view name)
{
        for (size_t i = 0; i < name.len; i++)
                if (name.p[i] == '\n')
                        buf_str(out, "\\n");
                else if (name.p[i] == '\\')
                        buf_str(out, "\\\\");
                else
                        buf_u8(out, name.p[i]);
}

/* Lines of sha256sum for every file of the list but WITHOUT. */
static void put_files(const struct boot *b, const char *without, struct buf *out)
{
        const struct ima_list list = {.form = b->text ? IMA_TEXT : IMA_BINARY,
                                      .log_hash = DIGEST_SHA1,
                                      .bytes = VIEW_BUF(&b->list)};
        AUTO(ima_reader_free_p) struct ima_reader *r = NULL;
        struct ima_entry e;
        struct ima_event ev;
        struct err err = ERR_INIT;

        assert_ok(ima_reader_new(&list, &r, &err), &err);
        while (ima_next(r, &e, &err) > 0) {
                assert_ok(ima_event_decode(&e, &ev, &err), &err);
                if (e.violation || ev.has_buf || view_equal(ev.name, view_str("boot_aggregate")) ||
                    (without && view_equal(ev.name, view_str(without))))
                        continue;
                buf_str(out, memchr(ev.name.p, '\n', ev.name.len) || memchr(ev.name.p, '\\', ev.name.len)
                                     ? "      \\"
                                     : "      ");
                buf_hex(out, ev.digest);
                buf_str(out, "  ");
                put_path(out, ev.name);
                buf_str(out, "\n");
        }
}

static void boot_policy(struct boot *b, const char *without, const char *more)
{
        AUTO(buf_free) struct buf text = {0};
        struct policy_version version = {.version = 1, .until_ms = POLICY_NEVER};
        struct err err = ERR_INIT;

        buf_fmt(&text,
                "format: avow-policy/2\nname: boot\npcr: {bank: %s}\nima:\n  sha1: allow\n"
                "  violations: warn\n  keyrings:\n  - {name: '*', keys: any}\n%s  allow:\n  - files: |\n",
                digest_name(b->pcrs.bank), more);
        put_files(b, without, &text);
        assert_ok(policy_parse(VIEW_BUF(&text), "boot.yaml", &b->policy, &err), &err);
        version.policy = b->policy;
        assert_ok(policy_effective_new(&version, 1, NOON, &b->effective, &err), &err);
}

static void boot_appraise(struct boot *b)
{
        struct evidence evidence = {.ak = &b->ak,
                                    .message = VIEW_BUF(&b->message),
                                    .signature = VIEW_BUF(&b->signature),
                                    .pcrs = &b->pcrs};
        struct expectation x = {.qualifying = vector_nonce(),
                                .asked = {b->pcrs.bank, b->pcrs.mask},
                                .issued_at_ms = NOON - 1000,
                                .received_at_ms = NOON,
                                .tolerance = CLOCK_TOLERANCE_DEFAULT};
        struct appraisal in = {.evidence = &evidence,
                               .expectation = &x,
                               .policy = b->effective,
                               .has_ima = true,
                               .ima = VIEW_BUF(&b->list),
                               .has_uefi = b->uefi.len != 0,
                               .uefi = VIEW_BUF(&b->uefi)};
        struct err err = ERR_INIT;

        assert_ok(appraise(&in, &b->r, &err), &err);
}

static void boot_is(const struct boot *b, enum verdict_state state)
{
        AUTO(buf_free) struct buf text = {0};

        if (b->r.verdict->state == state)
                return;
        verdict_render(b->r.verdict, &text);
        fail_msg("%s step %d, %s: %s\n%.*s", b->set, b->step, b->quote,
                 verdict_state_name(b->r.verdict->state), (int)text.len, (const char *)text.p);
}

/* By hand, as test_ima.c: entries that each quote covers. */
static uint64_t covered(const struct boot *b)
{
        static const uint64_t first[] = {55, 63, 65};
        uint64_t more = strcmp(b->set, "secureboot-shim-grub-ima-sig") == 0 ? 3 : 0;

        if (b->step < 4)
                return first[b->step - 1];
        return more + (strcmp(b->quote, "ecc_sha256") == 0   ? 71
                       : strcmp(b->quote, "rsa_sha256") == 0 ? 75
                                                             : 81);
}

#define WAIVED "  waive: [rules, tmpfs, kernel, kexec, required, boot-log]\n"

static void one_boot(const char *set, int step, const char *quote, bool text)
{
        struct boot b;

        boot_read(&b, set, step, quote, text);
        boot_policy(&b, NULL, WAIVED);
        boot_appraise(&b);
        boot_is(&b, VERDICT_PASS);
        assert_int_equal(b.r.next->ima->entries, covered(&b));
        assert_int_equal(b.r.next->ima->n_kept, 0);
        assert_int_equal(b.r.next->ima->violations, step >= 3 ? 2 : 0);
        assert_int_equal(verdict_find(b.r.verdict, "ima-violations") != NULL, step >= 3);
        assert_int_equal(b.r.next->ima->extended,
                         b.pcrs.bank == DIGEST_SHA384 ? IMA_PADDED_SHA1 : IMA_OWN_DIGEST);
        assert_null(verdict_find(b.r.verdict, "boot-aggregate-mismatch"));
        boot_done(&b);
}

static void every_real_boot_passes(void **state)
{
        static const char *const quotes[] = {"ecc_sha256", "rsa_sha256", "ecc_sha384"};

        (void)state;
        for (size_t set = 0; set < BOOT_SETS; set++)
                for (int step = 1; step <= BOOT_STEPS; step++)
                        for (size_t q = 0; q < ARRAY_LEN(quotes); q++)
                                for (int text = 0; text < 2; text++)
                                        one_boot(boot_sets[set], step, quotes[q], text);
}

/* One file that the policy does not know: found where it is, if the quote covers it. */
static void one_unknown_file(void **state)
{
        (void)state;
        for (size_t set = 0; set < BOOT_SETS; set++)
                for (int step = 1; step <= BOOT_STEPS; step++) {
                        const struct finding *f;
                        struct boot b;

                        boot_read(&b, boot_sets[set], step, "ecc_sha256", false);
                        boot_policy(&b, "/mnt/bin/with_space", WAIVED);
                        boot_appraise(&b);
                        boot_is(&b, step == 1 ? VERDICT_PASS : VERDICT_FAIL);
                        f = verdict_find(b.r.verdict, "ima-file-not-allowed");
                        assert_int_equal(f != NULL, step > 1);
                        if (f)
                                assert_non_null(strstr(f->found, "/mnt/bin/with_space"));
                        boot_done(&b);
                }
}

/* Files that only their signatures allow. */
static void put_key(struct buf *out, const char *name, const char *file)
{
        AUTO(buf_free) struct buf pem = {0};

        buf_fmt(out, "  - name: %s\n    pem: |\n      ", name);
        (void)vector_read(&pem, "files", file);
        for (size_t i = 0; i < pem.len; i++) {
                buf_u8(out, pem.p[i]);
                if (pem.p[i] == '\n' && i + 1 < pem.len)
                        buf_str(out, "      ");
        }
}

static void signed_files_by_their_keys(void **state)
{
        static const char *const sets[] = {"seabios-ima-sig", "uefi-direct-ima-sig",
                                           "secureboot-shim-grub-ima-sig"};
        AUTO(buf_free) struct buf more = {0};

        (void)state;
        buf_str(&more, WAIVED "  keys:\n");
        put_key(&more, "rsa", "ima_rsa.crt");
        put_key(&more, "ecc", "ima_ecc.crt");
        buf_str(&more, "  signed:\n  - {by: [rsa], paths: ['/mnt/bin/signed-rsa']}\n"
                       "  - {by: [ecc], paths: ['/mnt/bin/signed-*']}\n");
        buf_u8(&more, 0);
        for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
                static const struct {
                        const char *without;
                        enum verdict_state state;
                } cases[] = {{"/mnt/bin/signed-rsa", VERDICT_PASS},
                             {"/mnt/bin/signed-ecc", VERDICT_PASS},
                             {"/mnt/bin/plain", VERDICT_FAIL}};

                for (size_t c = 0; c < ARRAY_LEN(cases); c++) {
                        struct boot b;

                        boot_read(&b, sets[i], 2, "ecc_sha256", c == 1);
                        boot_policy(&b, cases[c].without, (const char *)more.p);
                        boot_appraise(&b);
                        boot_is(&b, cases[c].state);
                        boot_done(&b);
                }
        }
}

/* With its boot log, the machine that started under Secure Boot shows which kernel it runs and where its
 * PCRs come from; without, it does not. */
static void secure_boot_shows_the_kernel(void **state)
{
        (void)state;
        for (int with_log = 0; with_log < 2; with_log++) {
                struct boot b;

                boot_read(&b, "secureboot-shim-grub-ima-sig", 2, "ecc_sha256", false);
                if (with_log)
                        (void)vector_read(&b.uefi, b.set, "binary_bios_measurements");
                boot_policy(&b, NULL, "  waive: [rules, tmpfs, kexec, required]\n");
                boot_appraise(&b);
                boot_is(&b, with_log ? VERDICT_PASS : VERDICT_INCONCLUSIVE);
                assert_int_equal(verdict_find(b.r.verdict, "measurement-not-trustworthy") == NULL, with_log);
                boot_done(&b);
        }
}

/* No bit of a small list can be changed without a verdict that is no pass. */
static void no_bit_can_be_changed(void **state)
{
        struct boot b;

        (void)state;
        boot_read(&b, "seabios-ima-ngv2", 1, "ecc_sha256", false);
        boot_policy(&b, NULL, WAIVED);
        for (size_t bit = 0; bit < 8 * b.list.len; bit += 7) { /* every bit's place is met */
                b.list.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
                appraisal_result_done(&b.r);
                boot_appraise(&b);
                if (b.r.verdict->state == VERDICT_PASS)
                        fail_msg("bit %zu changes nothing", bit);
                b.list.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        boot_done(&b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_real_boot_passes),     cmocka_unit_test(one_unknown_file),
                cmocka_unit_test(signed_files_by_their_keys), cmocka_unit_test(secure_boot_shows_the_kernel),
                cmocka_unit_test(no_bit_can_be_changed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
