/* SPDX-License-Identifier: Apache-2.0 */
/* Every bit and every cut of small boot logs, under a policy that the boot meets and one that it breaks. */
#include "unit/policy/story.h"

#include <stdlib.h>

#include "evidence/bootlog.h"
#include "policy/work.h"
#include "unit/evidence/vectors.h"

#define DIRECT  "uefi-direct-ima-sig"
#define SEABIOS "seabios-ima-sig"
#define BOOT    "format: avow-policy/2\nname: edge\nboot:\n"

static void boot(struct story *s, const char *policy, struct view log)
{
        struct bootlog parsed;
        struct pcr_values v;
        struct err err = ERR_INIT;

        story_begin(s, policy, DIGEST_SHA256);
        assert_ok(bootlog_parse(log, &parsed, &err), &err);
        assert_ok(bootlog_replay(&parsed, DIGEST_SHA256, &v, &err), &err);
        for (unsigned i = 0; i < PCR_COUNT; i++)
                if (v.mask >> i & 1)
                        s->host.tpm.pcrs.v[i] = v.v[i];
}

/* The boot log's part of an appraisal alone: without the signatures, which cost a hundred times as much. */
static enum verdict_state boot_alone(const struct story *s, struct view log)
{
        struct appraisal in = {.policy = s->policy, .has_uefi = true, .uefi = log};
        struct appraisal_result out = {.verdict = verdict_new()};
        struct work w = {.in = &in,
                         .out = &out,
                         .judging = {.policy = s->policy, .verdict = out.verdict},
                         .auth = {.pcrs = s->host.tpm.pcrs},
                         .next = continuation_new()};
        enum verdict_state state;
        struct err err = ERR_INIT;
        bool ok = false;

        assert_true(out.verdict && w.next);
        out.verdict->state = VERDICT_PASS;
        assert_ok(appraise_boot(&w, &ok, &err), &err);
        state = out.verdict->state;
        assert_true(ok || state == VERDICT_INCONCLUSIVE);
        free(w.boot_line);
        continuation_free(w.next);
        appraisal_result_done(&out);
        return state;
}

/* Of every bit that a log may be changed in: what passed never fails by it, what failed never passes. */
static void every_bit(const char *set, const char *good, const char *bad)
{
        AUTO(buf_free) struct buf b = {0};
        struct view log = vector_read(&b, set, "binary_bios_measurements");
        struct story pass, fail_;

        boot(&pass, good, log);
        boot(&fail_, bad, log);
        assert_int_equal(boot_alone(&pass, log), VERDICT_PASS);
        assert_int_equal(boot_alone(&fail_, log), VERDICT_FAIL);
        for (size_t bit = 0; bit < b.len * 8; bit++) {
                b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
                if (boot_alone(&pass, log) == VERDICT_FAIL || boot_alone(&fail_, log) == VERDICT_PASS)
                        fail_msg("%s: bit %zu of byte %zu decides", set, bit % 8, bit / 8);
                b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t len = 1; len < b.len; len++)
                if (boot_alone(&pass, VIEW(b.p, len)) != VERDICT_INCONCLUSIVE ||
                    boot_alone(&fail_, VIEW(b.p, len)) != VERDICT_INCONCLUSIVE)
                        fail_msg("%s: %zu bytes of it decide", set, len);
        story_end(&pass);
        story_end(&fail_);
}

#define DIRECT_POLICY                                                                                        \
        " initrds: [50e216a671e5bd280896eac46e3fd3d205c1e1ef79340378bdc3f9d80e48997e]\n kernels: "           \
        "[{authenticode: bd06e90222bef484a59864616e31bece32ebccbf7cc81ce4ddfb1872b09a0c94}]\n loaders: "     \
        "[]\n drivers: []\n"                                                                                 \
        " command_lines: ['console=ttyS0 ima_policy=tcb ima_template=ima-sig rootfstype=ramfs "              \
        "initrd=initrd']\n"

static void test_no_bit_decides(void **state)
{
        (void)state;
        every_bit(DIRECT, BOOT " secure_boot: off\n" DIRECT_POLICY, BOOT DIRECT_POLICY);
        every_bit(SEABIOS, BOOT " secure_boot: any\n", BOOT " secure_boot: any\n drivers: []\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_bit_decides),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
