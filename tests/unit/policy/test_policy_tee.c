/* SPDX-License-Identifier: Apache-2.0 */
/* `tee:` of policies: what is read, what is refused and where, and that a demand is never met by nothing. */
#include "policy/policy_tee.h"
#include "unit/policy/story.h"

#define HEAD2 "format: avow-policy/2\nname: guest\n"
#define D48                                                                                                  \
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"                                                   \
        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct policy *parse(const char *text)
{
        struct policy *p = NULL;
        struct err err = ERR_INIT;

        assert_ok(policy_parse(view_str(text), "guest.yaml", &p, &err), &err);
        assert_non_null(p->tee);
        return p;
}

static void refused(const char *section, const char *words)
{
        AUTO(mem_free_p) char *text = str_fmt(HEAD2 "tee:\n%s", section);
        struct policy *p = NULL;
        struct err err = ERR_INIT;

        assert_err(policy_parse(view_str(text), "guest.yaml", &p, &err), ERR_CONFIG, &err, words);
}

static void what_is_not_said_is_strict(void **state)
{
        AUTO(policy_unref_p) struct policy *p = parse(HEAD2 "tee: {kinds: [snp, tdx, sgx]}\n");
        const struct policy_tee *t = p->tee;

        (void)state;
        assert_int_equal(t->kinds, 7);
        assert_int_equal(t->binding, POLICY_TEE_ROOTED);
        assert_int_equal(t->snp.crl, SNP_CRL_REQUIRED);
        assert_false(t->snp.allow_debug || t->snp.allow_migration || t->snp.allow_vlek ||
                     t->snp.allow_masked_chip || t->snp.allow_provisional);
        assert_int_equal(t->snp.vmpls, 1);
        assert_int_equal(t->tdx.statuses, DCAP_STATUSES_DEFAULT);
        assert_true(t->tdx.require_crls && t->sgx.require_crls && t->tdx.rules.refuse_service_td);
        assert_false(t->tdx.allow_debug || t->sgx.allow_debug || t->tdx.rules.mr_td.set);
}

static void snp_words(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = parse(
                HEAD2
                "tee:\n  kinds: snp\n  binding: named\n  revocation: if-given\n  rooted_images: " D48
                "\n  snp:\n    vlek: allowed\n    providers: [CN=cloud]\n    smt: refused\n    vmpl: [0, 2]\n"
                "    tcb: {Milan: {bootloader: 4, microcode: 219}, Turin: {fmc: 1, snp: 4}}\n"
                "    launch_tcb: {Genoa: {tee: 1}}\n    firmware: 1.55.29\n    abi: '1.51'\n"
                "    mitigations: 0x5\n    guest_policy: {required: [single-socket], refused: [cxl]}\n"
                "    platform: {refused: smt, required: [ecc]}\n    guest_svn: 9\n    measurements:\n"
                "    - " D48 "\n    - {digest: " D48 ", comment: new}\n    id_keys: []\n"
                "    denied: {measurements: " D48 "}\n");
        const struct snp_policy *snp = &p->tee->snp;

        (void)state;
        assert_int_equal(p->tee->binding, POLICY_TEE_NAMED);
        assert_int_equal(p->tee->rooted_images.n, 1);
        assert_int_equal(snp->crl, SNP_CRL_IF_GIVEN);
        assert_true(snp->allow_vlek && snp->csp_ids.set && snp->csp_ids.n == 1);
        assert_view(snp->csp_ids.v[0], "CN=cloud");
        assert_int_equal(snp->vmpls, 5);
        assert_int_equal(snp->n_tcb_floors, 2);
        assert_int_equal(snp->tcb_floors[0].line, SNP_MILAN);
        assert_int_equal(snp->tcb_floors[0].tcb.bootloader, 4);
        assert_int_equal(snp->tcb_floors[0].tcb.microcode, 219);
        assert_int_equal(snp->tcb_floors[1].line, SNP_TURIN);
        assert_int_equal(snp->tcb_floors[1].tcb.fmc, 1);
        assert_int_equal(snp->launch_floors[0].line, SNP_GENOA);
        assert_true(snp->has_firmware_floor && snp->firmware_floor.minor == 55 &&
                    snp->firmware_floor.build == 29);
        assert_int_equal(snp->abi_floor, 1 << 8 | 51);
        assert_int_equal(snp->mitigations, 5);
        assert_int_equal(snp->policy_required, SNP_BIT(SNP_POLICY_SINGLE_SOCKET));
        assert_int_equal(snp->policy_refused, SNP_BIT(SNP_POLICY_CXL) | SNP_BIT(SNP_POLICY_SMT));
        assert_int_equal(snp->platform_required, SNP_BIT(SNP_PLATFORM_ECC));
        assert_int_equal(snp->platform_refused, SNP_BIT(SNP_PLATFORM_SMT));
        assert_int_equal(snp->guest_svn_floor, 9);
        assert_int_equal(snp->measurements.n, 2);
        assert_int_equal(snp->measurements.v[1].len, 48);
        assert_true(snp->id_keys.set && snp->id_keys.n == 0);
        assert_int_equal(snp->denied_measurements.n, 1);
}

static void intel_words(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = parse(
                HEAD2
                "tee:\n  kinds: [tdx, sgx]\n  tdx:\n    statuses: [UpToDate, TDRelaunchAdvised]\n"
                "    advisories: [INTEL-SA-00001]\n    evaluation_number: 17\n    sept_ve_disable: required\n"
                "    service_td: allowed\n    mrtd: " D48 "\n    rtmr3: []\n"
                "  sgx:\n    debug: allowed\n    mrenclave: [" A "]\n"
                "    signers: [{mrsigner: " B ", isvprodid: 3, isvsvn: 7}]\n");
        const struct dcap_policy *tdx = &p->tee->tdx, *sgx = &p->tee->sgx;

        (void)state;
        assert_int_equal(tdx->statuses, DCAP_STATUS(DCAP_UP_TO_DATE) | DCAP_STATUS(DCAP_TD_RELAUNCH));
        assert_true(tdx->restrict_advisories && tdx->n_advisories == 1 && !sgx->restrict_advisories);
        assert_string_equal(tdx->advisories[0], "INTEL-SA-00001");
        assert_int_equal(tdx->min_evaluation_number, 17);
        assert_true(tdx->require_sept_ve_disable && !tdx->rules.refuse_service_td);
        assert_true(tdx->rules.mr_td.n == 1 && tdx->rules.rtmr[3].set && !tdx->rules.rtmr[2].set);
        assert_true(sgx->allow_debug && !tdx->allow_debug && sgx->rules.mr_enclave.n == 1);
        assert_true(sgx->rules.has_signers && sgx->rules.signers[0].svn_floor == 7);
}

static void slips_are_named(void **state)
{
        (void)state;
        refused("  binding: named\n", "kinds");
        refused("  kinds: []\n", "at least one");
        refused("  kinds: [snp, sev]\n", "'sev'");
        refused("  kinds: snp\n  tdx: {debug: refused}\n", "not among 'kinds'");
        refused("  kinds: snp\n  snp: {measurments: []}\n", "did you mean 'measurements'");
        refused("  kinds: snp\n  snp: {measurements: abcd}\n", "96 hexadecimal digits");
        refused("  kinds: snp\n  snp: {tcb: 07060F00000000}\n", "guest.yaml:5");
        refused("  kinds: snp\n  snp: {tcb: {Milan: {fmc: 1}}}\n", "'fmc'");
        refused("  kinds: snp\n  snp: {tcb: {Milan: {}}}\n", "no component");
        refused("  kinds: snp\n  snp: {tcb: {}}\n", "no product line");
        refused("  kinds: snp\n  snp: {tcb: {Rome: {snp: 1}}}\n", "'Rome'");
        refused("  kinds: snp\n  snp: {tcb: {Milan: {snp: 256}}}\n", "255");
        refused("  kinds: snp\n  snp: {debug: yes}\n", "refused");
        refused("  kinds: snp\n  snp: {vmpl: 4}\n", "3");
        refused("  kinds: snp\n  snp: {abi: '1'}\n", "MAJOR.MINOR");
        refused("  kinds: snp\n  snp: {firmware: 1.55}\n", "MAJOR.MINOR.BUILD");
        refused("  kinds: snp\n  snp: {platform: {required: smt, refused: smt}}\n", "required and refused");
        refused("  kinds: tdx\n  tdx: {statuses: [Revoked]}\n", "never accepted");
        refused("  kinds: tdx\n  tdx: {statuses: [Fine]}\n", "'Fine'");
        refused("  kinds: sgx\n  sgx: {mrtd: []}\n", "'mrtd'");
        refused("  kinds: sgx\n  sgx: {signers: [{mrsigner: " A "}]}\n", "isvprodid");
}

static void needs_the_second_format(void **state)
{
        struct policy *p = NULL;
        struct err err = ERR_INIT;

        (void)state;
        assert_err(policy_parse(view_str(HEAD "tee: {kinds: snp}\n"), "p", &p, &err), ERR_CONFIG, &err,
                   "avow-policy/2");
}

static int parse_all(void *ctx, struct err *err)
{
        struct policy *p = NULL;
        int r = policy_parse(view_str(ctx), "p", &p, err);

        policy_unref(p);
        return r;
}

static void no_memory(void **state)
{
        static char text[] = HEAD2 "tee:\n  kinds: [snp, tdx]\n  snp: {measurements: " D48
                                   ", providers: x, tcb: {Milan: {snp: 1}}}\n"
                                   "  tdx: {advisories: [a], mrtd: " D48 "}\n";

        (void)state;
        oom_each(parse_all, text);
}

/* No evidence of a processor is asked for yet: a policy that demands some is not met, whatever the TPM says;
 * an older version that demands none holds while it overlaps. */
static void nothing_meets_no_demand(void **state)
{
        static const char plain[] = "format: avow-policy/1\nname: guest\npcr: {values: {7: [" ZEROS "]}}\n";
        static const char demands[] = HEAD2 "pcr: {values: {7: [" ZEROS "]}}\ntee: {kinds: snp}\n";
        struct story s;

        (void)state;
        story_begin(&s, demands, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "tee-evidence-missing");
        story_end(&s);
        story_begin(&s, plain, DIGEST_SHA256);
        soft_host_measure(&s.host, "node", "/usr/bin/node", 'a');
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_push(&s, demands, NOON);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_pass_time(&s, 7200000);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "tee-evidence-missing");
        story_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_not_said_is_strict),
                cmocka_unit_test(snp_words),
                cmocka_unit_test(intel_words),
                cmocka_unit_test(slips_are_named),
                cmocka_unit_test(needs_the_second_format),
                cmocka_unit_test(no_memory),
                cmocka_unit_test(nothing_meets_no_demand),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
