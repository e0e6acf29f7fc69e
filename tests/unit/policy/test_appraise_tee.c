/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts under a policy that demands their processor's evidence: an AMD of our own, a host whose TPM plays
 * along, and the ways in which the two do not belong together. Above all the cuckoo (SR-19): genuine evidence
 * of one machine beside another's quote.
 */
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "evidence/bundle.h"
#include "support/snp_forge.h"
#include "unit/policy/story_ima.h"

#define SNP        "format: avow-policy/2\nname: guest\npcr: {values: {7: [" ZEROS "]}}\ntee:\n  kinds: snp\n"
#define DEMANDS    SNP "  revocation: if-given\n"
#define NAMED      DEMANDS "  binding: named\n"
#define REVOCATION SNP "  binding: named\n"

struct lab {
        struct story s;
        struct snp_forge amd;
        struct snp_root root;
        struct endorsements *heap;
        struct tee_trust trust;
        uint8_t report[SNP_REPORT_BYTES];
        char image[2 * SNP_DIGEST_BYTES + 1];
};

static void vouch(struct lab *lab, enum snp_forge_ca ca)
{
        AUTO(buf_free) struct buf der = {0};
        enum endorsement_kind kind;
        struct err err = ERR_INIT;

        snp_forge_ca(&lab->amd, ca, &der);
        assert_ok(endorsements_add(lab->heap, VIEW_BUF(&der), &kind, &err), &err);
        assert_int_equal(kind, ENDORSEMENT_CERTIFICATES);
}

static void leaf_of(struct lab *lab, struct buf *ret)
{
        struct snp_forge_leaf leaf;

        snp_forge_leaf_init(&lab->amd, false, &leaf);
        snp_forge_leaf(&lab->amd, &leaf, ret);
}

static void lab_init(struct lab *lab, const char *policy)
{
        struct err err = ERR_INIT;

        story_begin(&lab->s, policy, DIGEST_SHA256);
        lab->s.no_log = true;
        snp_forge_init(&lab->amd, SNP_MILAN);
        lab->root = snp_forge_root(&lab->amd);
        assert_ok(endorsements_new(&lab->heap, &err), &err);
        vouch(lab, FORGE_ARK);
        vouch(lab, FORGE_ASK);
        lab->trust = (struct tee_trust){.heap = lab->heap, .snp_roots = &lab->root, .n_snp_roots = 1};
        snp_forge_report(&lab->amd, 3, false, lab->report);
        lab->s.has_tee = true;
        lab->s.tee_trust = &lab->trust;
        lab->s.tee = (struct tee_shown){.kind = TEE_SNP, .evidence = VIEW_ARRAY(lab->report)};
}

static void lab_done(struct lab *lab)
{
        story_end(&lab->s);
        endorsements_free(lab->heap);
        snp_forge_done(&lab->amd);
}

/* A guest asks its processor for a report that names AK under the challenge of the next round, or of one
 * before. */
static void names(struct lab *lab, const struct tpm_public *ak, bool late)
{
        struct err err = ERR_INIT;
        uint8_t challenge[32];

        memcpy(challenge, lab->s.challenge, sizeof(challenge));
        challenge[0] = (uint8_t)(challenge[0] + !late);
        assert_ok(tee_binding_data(VIEW_ARRAY(challenge), ak, lab->report + 0x50, &err), &err);
        snp_forge_sign(&lab->amd, lab->report);
}

static enum verdict_state honest_round(struct lab *lab)
{
        names(lab, &lab->s.host.tpm.ak, false);
        return story_round(&lab->s);
}

static void give_leaf(struct lab *lab)
{
        AUTO(buf_free) struct buf der = {0};
        enum endorsement_kind kind;
        struct err err = ERR_INIT;

        leaf_of(lab, &der);
        assert_ok(endorsements_add(lab->heap, VIEW_BUF(&der), &kind, &err), &err);
}

static const char *binding_of(const struct lab *lab)
{
        assert_non_null(lab->s.r.verdict->tee);
        return tee_statement_binding(lab->s.r.verdict->tee);
}

static void named_is_said(void **state)
{
        struct lab lab;

        (void)state;
        lab_init(&lab, NAMED);
        give_leaf(&lab);
        (void)honest_round(&lab);
        EXPECT(&lab.s, VERDICT_PASS, "tee-binding-named");
        assert_string_equal(binding_of(&lab), "named");
        (void)honest_round(&lab);
        EXPECT(&lab.s, VERDICT_PASS, "tee-binding-named");
        lab_done(&lab);
}

/* The same evidence under the default, and under a policy that knows the image. */
static void rooted(void **state)
{
        AUTO(buf_free) struct buf text = {0};
        struct lab lab;

        (void)state;
        lab_init(&lab, DEMANDS);
        give_leaf(&lab);
        (void)honest_round(&lab);
        EXPECT(&lab.s, VERDICT_FAIL, "tee-binding-not-rooted");
        assert_string_equal(binding_of(&lab), "none");
        buf_str(&text, DEMANDS "  rooted_images: ");
        buf_hex(&text, VIEW(lab.report + 0x90, SNP_DIGEST_BYTES));
        buf_str(&text, "\n");
        buf_u8(&text, 0);
        story_push(&lab.s, (const char *)text.p, lab.s.now_ms);
        lab.s.n_versions = 1;
        story_hold(&lab.s);
        (void)honest_round(&lab);
        EXPECT(&lab.s, VERDICT_PASS, "tee-binding-rooted");
        assert_string_equal(binding_of(&lab), "rooted");
        lab.s.n_versions = 2; /* freed with the others */
        lab_done(&lab);
}

/* Issue 6: a genuine report of machine A with the quote of machine B. */
static void report_of_another(void **state)
{
        struct soft_host other;
        struct lab lab;

        (void)state;
        lab_init(&lab, NAMED);
        give_leaf(&lab);
        soft_host_init(&other, DIGEST_SHA256);
        names(&lab, &other.tpm.ak, false);
        (void)story_round(&lab.s);
        EXPECT(&lab.s, VERDICT_FAIL, "tee-binding-mismatch");
        story_says(verdict_find(lab.s.r.verdict, "tee-binding-mismatch")->found, "binding-mismatch");
        (void)honest_round(&lab);
        EXPECT(&lab.s, VERDICT_PASS, NULL);
        names(&lab, &lab.s.host.tpm.ak, true); /* its own, of the round before */
        (void)story_round(&lab.s);
        EXPECT(&lab.s, VERDICT_FAIL, "tee-binding-mismatch");
        soft_host_done(&other);
        lab_done(&lab);
}

static void nothing_vouches(void **state)
{
        AUTO(buf_free) struct buf der = {0};
        AUTO(buf_free) struct buf table = {0};
        static const uint8_t vcek[] = {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64,
                                       0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};
        struct lab lab;

        (void)state;
        lab_init(&lab, NAMED);
        (void)honest_round(&lab);
        EXPECT(&lab.s, VERDICT_INCONCLUSIVE, "tee-endorsements-missing");
        assert_int_equal(lab.s.r.ask, APPRAISAL_ASK_NOTHING);
        story_says(verdict_find(lab.s.r.verdict, "tee-endorsements-missing")->remedy,
                   "avow endorsements fetch");
        lab.s.tee.table = view_str("no table");
        (void)honest_round(&lab);
        EXPECT(&lab.s, VERDICT_INCONCLUSIVE, "tee-endorsements-missing");
        leaf_of(&lab, &der); /* along with the report, as hosts do it */
        buf_put(&table, vcek, sizeof(vcek));
        buf_le32(&table, 48);
        buf_le32(&table, (uint32_t)der.len);
        for (size_t i = 0; i < 24; i++)
                buf_u8(&table, 0);
        buf_put_view(&table, VIEW_BUF(&der));
        lab.s.tee.table = VIEW_BUF(&table);
        (void)honest_round(&lab);
        EXPECT(&lab.s, VERDICT_PASS, "tee-binding-named");
        lab.trust.n_snp_roots = 0; /* the root is AMD's again, and this one is nobody's */
        (void)honest_round(&lab);
        EXPECT(&lab.s, VERDICT_FAIL, "tee-evidence-refused");
        story_says(verdict_find(lab.s.r.verdict, "tee-evidence-refused")->found, "root-not-trusted");
        lab.s.tee_trust = NULL;
        (void)honest_round(&lab);
        assert_int_not_equal(lab.s.r.verdict->state, VERDICT_PASS);
        lab_done(&lab);
}

/* A list that the policy wants and the verifier does not have is no fault of the host's. */
static void no_list_of_revoked_keys(void **state)
{
        AUTO(buf_free) struct buf der = {0};
        enum endorsement_kind kind;
        struct err err = ERR_INIT;
        struct lab lab;

        (void)state;
        lab_init(&lab, REVOCATION);
        give_leaf(&lab);
        (void)honest_round(&lab);
        EXPECT(&lab.s, VERDICT_INCONCLUSIVE, "tee-endorsements-missing");
        story_says(verdict_find(lab.s.r.verdict, "tee-endorsements-missing")->found, "crl-missing");
        snp_forge_crl(&lab.amd, false, false, FORGE_PSS, FORGE_FROM_MS, lab.s.now_ms - 1000, &der);
        assert_ok(endorsements_add(lab.heap, VIEW_BUF(&der), &kind, &err), &err);
        (void)honest_round(&lab);
        EXPECT(&lab.s, VERDICT_INCONCLUSIVE, "tee-endorsements-missing");
        story_says(verdict_find(lab.s.r.verdict, "tee-endorsements-missing")->found, "crl-expired");
        buf_reset(&der);
        snp_forge_crl(&lab.amd, false, false, FORGE_PSS, FORGE_FROM_MS, FORGE_TO_MS, &der);
        assert_ok(endorsements_add(lab.heap, VIEW_BUF(&der), &kind, &err), &err);
        (void)honest_round(&lab);
        EXPECT(&lab.s, VERDICT_PASS, "tee-binding-named");
        lab_done(&lab);
}

static void what_is_not_there(void **state)
{
        struct lab lab;

        (void)state;
        lab_init(&lab, NAMED);
        give_leaf(&lab);
        lab.s.has_tee = false;
        lab.s.tee_not_asked = true; /* the challenge was made under another policy */
        (void)story_round(&lab.s);
        EXPECT(&lab.s, VERDICT_INCONCLUSIVE, "tee-evidence-missing");
        assert_int_equal(lab.s.r.ask, APPRAISAL_ASK_NOW);
        lab.s.tee_not_asked = false;
        (void)story_round(&lab.s);
        EXPECT(&lab.s, VERDICT_FAIL, "tee-evidence-missing");
        lab.s.has_tee = true;
        lab.s.tee.evidence = VIEW_NONE;
        (void)story_round(&lab.s);
        EXPECT(&lab.s, VERDICT_FAIL, "tee-evidence-missing");
        story_says(verdict_find(lab.s.r.verdict, "tee-evidence-missing")->remedy, "journalctl");
        lab.s.tee = (struct tee_shown){.kind = TEE_TDX, .evidence = VIEW_ARRAY(lab.report)};
        (void)story_round(&lab.s);
        EXPECT(&lab.s, VERDICT_FAIL, "tee-kind-refused");
        assert_string_equal(verdict_find(lab.s.r.verdict, "tee-kind-refused")->expected, "snp");
        lab_done(&lab);
}

/* Every byte of the signed part is what the processor said; none may change, none be cut. */
static void garbage(void **state)
{
        struct lab lab;

        (void)state;
        lab_init(&lab, NAMED);
        give_leaf(&lab);
        for (size_t at = 0; at < SNP_REPORT_BYTES; at += 97) {
                names(&lab, &lab.s.host.tpm.ak, false);
                lab.report[at] ^= 1;
                (void)story_round(&lab.s);
                lab.report[at] ^= 1;
                assert_int_not_equal(lab.s.r.verdict->state, VERDICT_PASS);
                names(&lab, &lab.s.host.tpm.ak, false);
                lab.s.tee.evidence = VIEW(lab.report, at);
                (void)story_round(&lab.s);
                assert_int_equal(lab.s.r.verdict->state, VERDICT_FAIL);
                lab.s.tee.evidence = VIEW_ARRAY(lab.report);
        }
        lab_done(&lab);
}

static void versions_overlap(void **state)
{
        struct lab lab;

        (void)state;
        lab_init(&lab, NAMED);
        give_leaf(&lab);
        story_push(&lab.s, NAMED "  snp: {vmpl: 3}\n", lab.s.now_ms + 1000);
        (void)honest_round(&lab);
        EXPECT(&lab.s, VERDICT_PASS, "tee-binding-named"); /* by the older one */
        assert_int_equal(lab.s.r.verdict->tee->result.verdict, TEE_ACCEPT);
        story_pass_time(&lab.s, 2000);
        (void)honest_round(&lab);
        EXPECT(&lab.s, VERDICT_FAIL, "tee-evidence-refused");
        story_says(verdict_find(lab.s.r.verdict, "tee-evidence-refused")->what, "vmpl");
        lab_done(&lab);
}

/* Offline, once more, what was shown; EK is what is known of the host there. */
static enum verdict_state offline(struct lab *lab, const struct digest *ek)
{
        static const char id[] = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
        AUTO(bundle_free_p) struct bundle *b = story_bundle(&lab->s, id);
        struct err err = ERR_INIT;

        b->has_tee = true;
        b->tee_kind = lab->s.tee.kind;
        buf_put_view(&b->tee, lab->s.tee.evidence);
        buf_put_view(&b->tee_manifest, lab->s.tee.manifest);
        appraisal_result_done(&lab->s.r);
        assert_ok(appraise_bundle(b, lab->s.policy, NULL, &lab->trust, ek, &lab->s.r.verdict, &err), &err);
        return lab->s.r.verdict->state;
}

/* An SVSM's report, over a manifest that names a virtual TPM; any key is an endorsement key here. */
static void svsm_of(struct lab *lab)
{
        struct svsm_manifest m;
        struct err err = ERR_INIT;
        struct digest d;

        lab->s.tee.manifest = VIEW(lab->s.host.tpm.ak_pub.p + 2, lab->s.host.tpm.ak_pub.len - 2);
        assert_ok(svsm_manifest_parse(lab->s.tee.manifest, &m, &err), &err);
        names(lab, &lab->s.host.tpm.ak, false);
        assert_ok(svsm_report_data(VIEW(lab->report + 0x50, 64), &m, &d, &err), &err);
        memcpy(lab->report + 0x50, d.b, 64);
        snp_forge_sign(&lab->amd, lab->report);
        (void)story_round(&lab->s);
}

static void rooted_by_svsm(void **state)
{
        AUTO(buf_free) struct buf text = {0};
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        struct err err = ERR_INIT;
        struct digest ek, other;
        struct lab lab;

        (void)state;
        lab_init(&lab, DEMANDS);
        give_leaf(&lab);
        buf_str(&text, DEMANDS "  snp:\n    measurements: ");
        buf_hex(&text, VIEW(lab.report + 0x90, SNP_DIGEST_BYTES));
        buf_str(&text, "\n");
        buf_u8(&text, 0);
        story_push(&lab.s, (const char *)text.p, lab.s.now_ms);
        lab.s.n_versions = 1;
        story_hold(&lab.s);
        assert_ok(tpm_public_key(&lab.s.host.tpm.ak, &key, &err), &err);
        assert_ok(pubkey_spki_sha256(key, &ek, &err), &err);
        other = ek;
        other.b[0] ^= 1;
        svsm_of(&lab);
        EXPECT(&lab.s, VERDICT_FAIL, "tee-binding-not-rooted"); /* whose TPM is it? */
        lab.s.ek = &other;
        svsm_of(&lab);
        EXPECT(&lab.s, VERDICT_FAIL, "tee-binding-mismatch");
        lab.s.ek = &ek;
        svsm_of(&lab);
        EXPECT(&lab.s, VERDICT_PASS, "tee-binding-rooted");
        assert_string_equal(binding_of(&lab), "rooted");
        (void)offline(&lab, &ek);
        EXPECT(&lab.s, VERDICT_PASS, "tee-binding-rooted");
        (void)offline(&lab, &other);
        EXPECT(&lab.s, VERDICT_FAIL, "tee-binding-mismatch");
        (void)offline(&lab, NULL);
        EXPECT(&lab.s, VERDICT_FAIL, "tee-binding-not-rooted");
        lab.s.n_versions = 2; /* freed with the others */
        lab_done(&lab);
}

/* The statement goes where the verdict goes. */
static void written_and_read(void **state)
{
        AUTO(mem_free_p) char *text = NULL;
        AUTO(mem_free_p) char *again = NULL;
        AUTO(json_free_p) json_t *j = NULL;
        AUTO(verdict_free_p) struct verdict *v = NULL;
        AUTO(buf_free) struct buf words = {0};
        struct err err = ERR_INIT;
        json_t *tee;
        struct lab lab;

        (void)state;
        lab_init(&lab, NAMED "  snp: {vmpl: 3}\n");
        give_leaf(&lab);
        (void)honest_round(&lab);
        text = verdict_text(lab.s.r.verdict);
        assert_ok(json_parse(view_str(text), VERDICT_JSON_BYTES_MAX, &j, &err), &err);
        assert_ok(verdict_from_json(j, &v, &err), &err);
        again = verdict_text(v);
        assert_string_equal(text, again);
        assert_int_equal(v->tee->result.n_checks, lab.s.r.verdict->tee->result.n_checks);
        verdict_render(v, &words);
        buf_u8(&words, 0);
        story_says((const char *)words.p, "pass     report-signature\n");
        story_says((const char *)words.p, "fail     vmpl [vmpl-not-allowed]");
        verdict_free(TAKE(v));
        tee = json_object_get(j, "tee");
        assert_int_equal(json_object_set_new(tee, "binding", json_string("rooted")), 0);
        assert_err(verdict_from_json(j, &v, &err), ERR_FORMAT, &err, "binding");
        assert_int_equal(json_object_set_new(tee, "binding", json_string("none")), 0);
        assert_int_equal(json_object_set_new(tee, "kind", json_string("sev")), 0);
        err_clear(&err);
        assert_err(verdict_from_json(j, &v, &err), ERR_FORMAT, &err, "sev");
        lab_done(&lab);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(named_is_said),           cmocka_unit_test(rooted),
                cmocka_unit_test(report_of_another),       cmocka_unit_test(nothing_vouches),
                cmocka_unit_test(what_is_not_there),       cmocka_unit_test(garbage),
                cmocka_unit_test(versions_overlap),        cmocka_unit_test(written_and_read),
                cmocka_unit_test(no_list_of_revoked_keys), cmocka_unit_test(rooted_by_svsm),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
