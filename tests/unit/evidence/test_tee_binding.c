/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose processor is it? Reports of an AMD of our own, keys of two hosts: honest machines, a
 * machine's report with another's quote, and the cuckoo: a genuine confidential guest that lends its report
 * to a machine that is none.
 */
#include "evidence/tee_binding.h"

#include "base/base64.h"
#include "base/mem.h"
#include "evidence/bundle.h"
#include "evidence/snp_verify.h"
#include "support/snp_forge.h"
#include "support/support.h"
#include "unit/evidence/vectors.h"

struct machine {
        struct buf text, public;
        struct bundle *bundle;
        struct tpm_public ak;
};

static void machine_init(struct machine *m, const char *file)
{
        struct err err = ERR_INIT;
        struct digest qualifying;
        struct expectation x;
        struct evidence e;

        *m = (struct machine){0};
        assert_ok(bundle_decode(vector_read(&m->text, "../bundle", file), &m->bundle, &err), &err);
        assert_ok(bundle_evidence(m->bundle, &m->ak, &qualifying, &e, &x, &err), &err);
}

static void machine_done(struct machine *m)
{
        bundle_free(m->bundle);
        buf_free(&m->text);
        buf_free(&m->public);
}

/* Both bundles were recorded on one machine: this one gets a key of its own. */
static void another_key(struct machine *m)
{
        struct err err = ERR_INIT;

        buf_put_view(&m->public, m->ak.raw);
        assert_true(buf_ok(&m->public));
        m->public.p[m->public.len - 1] ^= 1;
        assert_ok(tpmt_public_parse(VIEW_BUF(&m->public), &m->ak, &err), &err);
}

struct lab {
        struct snp_forge amd;
        struct machine a, b;
        uint8_t report[SNP_REPORT_BYTES]; /* of A's guest */
};

static void lab_init(struct lab *lab)
{
        snp_forge_init(&lab->amd, SNP_MILAN);
        machine_init(&lab->a, "small.avow-evidence");
        machine_init(&lab->b, "counters.avow-evidence");
        another_key(&lab->b);
        assert_false(view_equal(lab->a.ak.raw, lab->b.ak.raw));
        snp_forge_report(&lab->amd, 3, false, lab->report);
}

static void lab_done(struct lab *lab)
{
        snp_forge_done(&lab->amd);
        machine_done(&lab->a);
        machine_done(&lab->b);
}

/* A's guest asks its processor for a report that names M's key under CHALLENGE. */
static void report_names(struct lab *lab, const struct machine *m, struct view challenge)
{
        struct err err = ERR_INIT;

        assert_ok(tee_binding_data(challenge, &m->ak, lab->report + 0x50, &err), &err);
        snp_forge_sign(&lab->amd, lab->report);
}

/* The report is genuine; is it bound to M's evidence? REASON NULL: yes, with the flag. */
static void judged(struct lab *lab, const struct machine *m, bool rooted, bool image_allowed,
                   const char *reason, const char *flag)
{
        const struct snp_root root = snp_forge_root(&lab->amd);
        const struct view image = VIEW(lab->report + 0x90, SNP_DIGEST_BYTES);
        const struct tee_set images = {.set = true, .v = &image, .n = image_allowed};
        const struct tee_binding binding = {.challenge = VIEW_BUF(&m->bundle->challenge),
                                            .ak = &m->ak,
                                            .rooted = rooted,
                                            .images = &images};
        struct snp_bag bag = {0};
        struct snp_input in = {.report = VIEW_ARRAY(lab->report),
                               .bag = &bag,
                               .roots = &root,
                               .n_roots = 1,
                               .at_ms = FORGE_NOW_MS,
                               .policy = &snp_policy_reference};
        struct snp_forge_leaf leaf;
        struct buf der = {0};
        struct err err = ERR_INIT;
        struct snp_result res;

        snp_forge_leaf_init(&lab->amd, false, &leaf);
        snp_forge_leaf(&lab->amd, &leaf, &der);
        assert_ok(snp_bag_add(&bag, VIEW_BUF(&der), &err), &err);
        for (int ca = FORGE_ARK; ca <= FORGE_ASK; ca++) {
                buf_reset(&der);
                snp_forge_ca(&lab->amd, (enum snp_forge_ca)ca, &der);
                assert_ok(snp_bag_add(&bag, VIEW_BUF(&der), &err), &err);
        }
        assert_ok(snp_verify(&in, &res, &err), &err);
        assert_true(res.authentic && res.tee.verdict == TEE_ACCEPT);
        assert_ok(tee_binding_check(&binding, res.report.report_data, res.report.measurement, &res.tee, &err),
                  &err);
        assert_non_null(tee_find(&res.tee, "binding"));
        assert_string_equal(tee_find(&res.tee, "binding")->reason, reason ? reason : "");
        assert_int_equal(tee_has_flag(&res.tee, "binding-rooted"),
                         flag && strcmp(flag, "binding-rooted") == 0);
        assert_int_equal(tee_has_flag(&res.tee, "binding-named"), flag && strcmp(flag, "binding-named") == 0);
        snp_bag_done(&bag);
        buf_free(&der);
}

static void honest(void **state)
{
        struct lab lab;

        (void)state;
        lab_init(&lab);
        report_names(&lab, &lab.a, VIEW_BUF(&lab.a.bundle->challenge));
        judged(&lab, &lab.a, false, false, NULL, "binding-named");
        judged(&lab, &lab.a, true, false, "binding-not-rooted", NULL);
        judged(&lab, &lab.a, true, true, NULL, "binding-rooted");
        judged(&lab, &lab.a, false, true, NULL, "binding-rooted"); /* more than was asked */
        lab_done(&lab);
}

static void another_machines_quote(void **state)
{
        struct lab lab;

        (void)state;
        lab_init(&lab);
        report_names(&lab, &lab.a, VIEW_BUF(&lab.a.bundle->challenge));
        judged(&lab, &lab.b, false, false, "binding-mismatch", NULL);
        judged(&lab, &lab.b, true, true, "binding-mismatch", NULL);
        report_names(&lab, &lab.b, view_str("the challenge of an older round"));
        judged(&lab, &lab.b, false, true, "binding-mismatch", NULL);
        lab_done(&lab);
}

/* B is no confidential guest; A is one, and names B's key for it. */
static void adversary_cuckoo(void **state)
{
        struct lab lab;

        (void)state;
        lab_init(&lab);
        report_names(&lab, &lab.b, VIEW_BUF(&lab.b.bundle->challenge));
        judged(&lab, &lab.b, false, false, NULL, "binding-named"); /* and the answer says so */
        judged(&lab, &lab.b, true, false, "binding-not-rooted", NULL);
        lab_done(&lab);
}

/* No byte can move from the challenge to the name. */
static void parts_do_not_flow(void **state)
{
        uint8_t one[TEE_BINDING_BYTES], two[TEE_BINDING_BYTES], three[TEE_BINDING_BYTES];
        struct err err = ERR_INIT;
        struct lab lab;

        (void)state;
        lab_init(&lab);
        assert_ok(tee_binding_data(view_str("challenge"), &lab.a.ak, one, &err), &err);
        assert_ok(tee_binding_data(view_str("challeng"), &lab.a.ak, two, &err), &err);
        assert_ok(tee_binding_data(view_str("challenge"), &lab.b.ak, three, &err), &err);
        assert_memory_not_equal(one, two, sizeof(one));
        assert_memory_not_equal(one, three, sizeof(one));
        lab_done(&lab);
}

/* Azure's text has a key; it is this host's, or it is not. Only a launch that is allowed makes it more than
 * what any guest could write. */
static void paravisors_text(void **state)
{
        static const char format[] =
                "{\"keys\":[{\"kid\":\"HCLAkPub\",\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%s\"}]}";
        uint8_t n[256];
        struct tpm_public rsa = {.type = ALG_RSA, .rsa_bits = 2048, .n = VIEW_ARRAY(n)};
        struct tee_binding binding = {.ak = &rsa, .rooted = true};
        struct err err = ERR_INIT;
        struct lab lab;

        (void)state;
        lab_init(&lab);
        memset(n, 0xc5, sizeof(n));
        for (int i = 0; i < 4; i++) {
                bool other = i & 1, known = i & 2;
                AUTO(mem_free_p) char *text = base64url_encode(VIEW_ARRAY(n));
                AUTO(mem_free_p) char *json = str_fmt(format, text);
                const struct azure_hcl hcl = {.data = view_str(json)};
                struct tee_result res = {0};

                binding.ak = other ? &lab.a.ak : &rsa;
                assert_ok(tee_binding_check_hcl(&binding, &hcl, known, &res, &err), &err);
                assert_string_equal(res.checks[0].reason, other    ? "binding-mismatch"
                                                          : !known ? "binding-not-rooted"
                                                                   : "");
                assert_int_equal(tee_has_flag(&res, "binding-rooted"), !other && known);
        }
        lab_done(&lab);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(honest),           cmocka_unit_test(another_machines_quote),
                cmocka_unit_test(adversary_cuckoo), cmocka_unit_test(parts_do_not_flow),
                cmocka_unit_test(paravisors_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
