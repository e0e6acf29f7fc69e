/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts under a policy that demands Intel's evidence, TDs and enclaves: an Intel of our own, a host whose TPM
 * plays along. What a quote is worth by itself is test_dcap's; here it is what becomes of the host.
 */
#include "base/hex.h"
#include "base/mem.h"
#include "support/soft_quote.h"
#include "unit/policy/story_ima.h"

#define DEMANDS                                                                                              \
        "format: avow-policy/2\nname: guest\npcr: {values: {7: [" ZEROS "]}}\ntee:\n  kinds: [tdx, sgx]\n"
#define NAMED  DEMANDS "  binding: named\n"
#define SECOND INT64_C(1000)

/* Where a body has what it has. */
static const struct kind {
        enum tee_kind kind;
        uint16_t version;
        enum dcap_body body;
        size_t report_data, attributes;
        uint8_t debug;
        const char *title;
} kinds[] = {
        {TEE_TDX, 4, DCAP_BODY_TD10, 520, 120, 1, "TDX quote"},
        {TEE_TDX, 5, DCAP_BODY_TD15, 520, 120, 1, "TDX quote"},
        {TEE_SGX, 3, DCAP_BODY_SGX, 320, 48, 2, "SGX quote"},
};
#define MR_TD       136 /* in a TD's body */
#define MR_TD_BYTES 48

struct lab {
        struct story s;
        const struct kind *kind;
        struct soft_spec spec;
        struct soft_quote intel;
        struct endorsements *heap;
        struct tee_trust trust;
};

static void vouch(struct lab *lab, const struct buf *b)
{
        enum endorsement_kind kind;
        struct err err = ERR_INIT;

        assert_ok(endorsements_add(lab->heap, VIEW_BUF(b), &kind, &err), &err);
        assert_int_not_equal(kind, ENDORSEMENT_UNKNOWN);
}

static void vouch_lists(struct lab *lab)
{
        vouch(lab, &lab->intel.pck_crl);
        vouch(lab, &lab->intel.root_crl);
}

static void vouch_documents(struct lab *lab)
{
        vouch(lab, &lab->intel.info);
        vouch(lab, &lab->intel.info_chain);
        vouch(lab, &lab->intel.qe_identity);
}

/* A host on a good platform; what is to be otherwise is changed in the spec before lab_make(). */
static void lab_init(struct lab *lab, const struct kind *kind, const char *policy)
{
        story_begin(&lab->s, policy, DIGEST_SHA256);
        lab->s.no_log = true;
        lab->kind = kind;
        soft_spec_init(&lab->spec, kind->version, kind->body);
        lab->spec.next_update = "2026-12-31T00:00:00Z";
}

/* The platform, and a verifier that has nothing which vouches for it. */
static void lab_make(struct lab *lab)
{
        struct err err = ERR_INIT;

        soft_quote_make(&lab->intel, &lab->spec);
        lab->heap = NULL;
        assert_ok(endorsements_new(&lab->heap, &err), &err);
        lab->trust = (struct tee_trust){
                .heap = lab->heap, .intel_roots = &lab->intel.root_key, .n_intel_roots = 1};
        lab->s.has_tee = true;
        lab->s.tee_trust = &lab->trust;
}

static void lab_done(struct lab *lab)
{
        story_end(&lab->s);
        endorsements_free(lab->heap);
        soft_quote_done(&lab->intel);
}

/* The guest asks for a quote that names AK under the challenge of the next round, or of one before. */
static void names(struct lab *lab, const struct tpm_public *ak, bool late)
{
        struct err err = ERR_INIT;
        uint8_t challenge[32];

        memcpy(challenge, lab->s.challenge, sizeof(challenge));
        challenge[0] = (uint8_t)(challenge[0] + !late);
        assert_ok(
                tee_binding_data(VIEW_ARRAY(challenge), ak, lab->spec.report + lab->kind->report_data, &err),
                &err);
        soft_quote_again(&lab->intel, &lab->spec);
        lab->s.tee = (struct tee_shown){.kind = lab->kind->kind, .evidence = VIEW_BUF(&lab->intel.quote)};
}

static void honest_round(struct lab *lab)
{
        names(lab, &lab->s.host.tpm.ak, false);
        (void)story_round(&lab->s);
}

/* The verdict is STATE, for the reason WORD in the first finding CODE. */
#define EXPECT_WORD(lab, state, code, word)                                                                  \
        do {                                                                                                 \
                EXPECT(&(lab)->s, (state), (code));                                                          \
                story_says(story_found(&(lab)->s, (code))->found, (word));                                   \
        } while (0)

static const char *binding_of(const struct lab *lab)
{
        assert_non_null(lab->s.r.verdict->tee);
        return tee_statement_binding(lab->s.r.verdict->tee);
}

/* ---- whose it is ---- */

static void named_is_said(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
                struct lab lab;

                lab_init(&lab, &kinds[i], NAMED);
                lab_make(&lab);
                vouch_documents(&lab);
                vouch_lists(&lab);
                for (int n = 0; n < 2; n++) {
                        honest_round(&lab);
                        EXPECT(&lab.s, VERDICT_PASS, "tee-binding-named");
                        assert_string_equal(binding_of(&lab), "named");
                        assert_int_equal(lab.s.r.verdict->tee->kind, kinds[i].kind);
                        assert_int_equal(lab.s.r.verdict->tee->intel, DCAP_UP_TO_DATE);
                }
                lab_done(&lab);
        }
}

/* A TD is rooted by its MRTD; nothing roots an enclave, and nobody is told to look for what would. */
static void rooted(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
                AUTO(buf_free) struct buf text = {0};
                bool td = kinds[i].kind == TEE_TDX;
                const char *remedy;
                struct lab lab;

                lab_init(&lab, &kinds[i], DEMANDS);
                memset(lab.spec.report + MR_TD, 0x77, MR_TD_BYTES);
                lab_make(&lab);
                vouch_documents(&lab);
                vouch_lists(&lab);
                honest_round(&lab);
                EXPECT_WORD(&lab, VERDICT_FAIL, "tee-binding-not-rooted", "binding-not-rooted");
                assert_string_equal(binding_of(&lab), "none");
                remedy = story_found(&lab.s, "tee-binding-not-rooted")->remedy;
                story_says(remedy, "tee.binding: named");
                assert_int_equal(strstr(remedy, "tee.rooted_images") != NULL, td);
                buf_str(&text, DEMANDS "  rooted_images: ");
                buf_hex(&text, VIEW(lab.spec.report + MR_TD, MR_TD_BYTES));
                buf_str(&text, "\n");
                buf_u8(&text, 0);
                story_push(&lab.s, (const char *)text.p, lab.s.now_ms);
                lab.s.n_versions = 1;
                story_hold(&lab.s);
                honest_round(&lab);
                EXPECT(&lab.s, td ? VERDICT_PASS : VERDICT_FAIL,
                       td ? "tee-binding-rooted" : "tee-binding-not-rooted");
                assert_string_equal(binding_of(&lab), td ? "rooted" : "none");
                if (td) { /* the image alone is not enough: it has to be the one that was launched */
                        lab.spec.report[MR_TD] ^= 1;
                        honest_round(&lab);
                        EXPECT(&lab.s, VERDICT_FAIL, "tee-binding-not-rooted");
                }
                lab.s.n_versions = 2; /* freed with the others */
                lab_done(&lab);
        }
}

/* A genuine quote of machine A beside machine B's; and one's own, of the round before. */
static void quote_of_another(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
                struct soft_host other;
                struct lab lab;

                lab_init(&lab, &kinds[i], NAMED);
                lab_make(&lab);
                vouch_documents(&lab);
                soft_host_init(&other, DIGEST_SHA256);
                names(&lab, &other.tpm.ak, false); /* whatever else is undecided */
                (void)story_round(&lab.s);
                EXPECT(&lab.s, VERDICT_INCONCLUSIVE, "tee-endorsements-missing");
                vouch_lists(&lab);
                names(&lab, &other.tpm.ak, false);
                (void)story_round(&lab.s);
                EXPECT_WORD(&lab, VERDICT_FAIL, "tee-binding-mismatch", "binding-mismatch");
                assert_string_equal(binding_of(&lab), "none");
                honest_round(&lab);
                EXPECT(&lab.s, VERDICT_PASS, NULL);
                names(&lab, &lab.s.host.tpm.ak, true);
                (void)story_round(&lab.s);
                EXPECT_WORD(&lab, VERDICT_FAIL, "tee-binding-mismatch", "binding-mismatch");
                soft_host_done(&other);
                lab_done(&lab);
        }
}

/* ---- what vouches for it ---- */

/* Piece by piece: what is not there decides nothing, and whoever reads it knows what to type. */
static void nothing_vouches(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
                struct lab lab;

                lab_init(&lab, &kinds[i], NAMED);
                lab_make(&lab);
                honest_round(&lab);
                EXPECT_WORD(&lab, VERDICT_INCONCLUSIVE, "tee-endorsements-missing", "crl-missing");
                assert_int_equal(lab.s.r.ask, APPRAISAL_ASK_NOTHING);
                story_says(story_found(&lab.s, "tee-endorsements-missing")->what, kinds[i].title);
                story_says(story_found(&lab.s, "tee-endorsements-missing")->remedy,
                           "avow endorsements fetch");
                vouch_lists(&lab);
                honest_round(&lab);
                EXPECT_WORD(&lab, VERDICT_INCONCLUSIVE, "tee-endorsements-missing", "no TCB info is at hand");
                vouch_documents(&lab);
                honest_round(&lab);
                EXPECT(&lab.s, VERDICT_PASS, "tee-binding-named");
                lab.trust.n_intel_roots = 0; /* the root is Intel's again, and this one is nobody's */
                honest_round(&lab);
                EXPECT_WORD(&lab, VERDICT_FAIL, "tee-evidence-refused", "root-not-trusted");
                lab.s.tee_trust = NULL;
                honest_round(&lab);
                assert_int_not_equal(lab.s.r.verdict->state, VERDICT_PASS);
                lab_done(&lab);
        }
}

/* What vouches is over, or another platform's: that is no fault of this one. */
static void nothing_fits(void **state)
{
        static const struct {
                const char *next_update, *fmspc, *pceid, *policy, *word;
                int64_t lists_until_ms;
        } rows[] = {
                {.next_update = "2026-11-01T00:00:00Z", .word = "collateral-expired"},
                {.lists_until_ms = NOON - 7200 * SECOND, .word = "collateral-expired"},
                {.fmspc = "B0C06F000001", .word = "fmspc-mismatch"},
                {.pceid = "0001", .word = "pceid-mismatch"},
                {.policy = NAMED "  tdx: {evaluation_number: 18}\n  sgx: {evaluation_number: 18}\n",
                 .word = "collateral-rolled-back"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(kinds); i++) {
                const struct kind *kind = &kinds[i % ARRAY_LEN(kinds)];
                size_t row = i / ARRAY_LEN(kinds);
                struct lab lab;

                lab_init(&lab, kind, rows[row].policy ? rows[row].policy : NAMED);
                if (rows[row].next_update)
                        lab.spec.next_update = rows[row].next_update;
                if (rows[row].lists_until_ms)
                        lab.spec.crl_until_ms = rows[row].lists_until_ms;
                if (rows[row].fmspc)
                        lab.spec.fmspc = rows[row].fmspc;
                if (rows[row].pceid)
                        lab.spec.pceid = rows[row].pceid;
                lab_make(&lab);
                vouch_documents(&lab);
                vouch_lists(&lab);
                honest_round(&lab);
                EXPECT_WORD(&lab, VERDICT_INCONCLUSIVE, "tee-endorsements-missing", rows[row].word);
                story_says(story_found(&lab.s, "tee-endorsements-missing")->remedy,
                           "avow endorsements fetch");
                lab_done(&lab);
        }
}

/* Only the other kind's documents are at hand. */
static void other_kinds_documents(void **state)
{
        struct lab td, sgx;

        (void)state;
        lab_init(&td, &kinds[0], NAMED);
        lab_make(&td);
        lab_init(&sgx, &kinds[2], NAMED);
        lab_make(&sgx);
        vouch_lists(&td);
        vouch(&td, &sgx.intel.info);
        vouch(&td, &sgx.intel.qe_identity);
        vouch(&td, &sgx.intel.info_chain);
        td.trust.intel_roots = (struct digest[]){td.intel.root_key, sgx.intel.root_key};
        td.trust.n_intel_roots = 2;
        honest_round(&td);
        EXPECT_WORD(&td, VERDICT_INCONCLUSIVE, "tee-endorsements-missing", "collateral-tee-mismatch");
        story_says(story_found(&td.s, "tee-endorsements-missing")->found, "qe-identity-mismatch");
        lab_done(&td);
        lab_done(&sgx);
}

/* ---- what is wrong with the machine ---- */

/* What speaks against it counts, whatever is over beside it. */
static void refused(struct lab *lab, const char *word)
{
        honest_round(lab);
        EXPECT_WORD(lab, VERDICT_FAIL, "tee-evidence-refused", word);
        story_says(story_found(&lab->s, "tee-evidence-refused")->what, lab->kind->title);
        assert_non_null(story_found(&lab->s, "tee-evidence-refused")->remedy);
}

static void debugged(void **state)
{
        static const char allowed[] = NAMED "  tdx: {debug: allowed}\n  sgx: {debug: allowed}\n";

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
                for (int over = 0; over < 2; over++) {
                        struct lab lab;

                        lab_init(&lab, &kinds[i], NAMED);
                        lab.spec.report[kinds[i].attributes] |= kinds[i].debug;
                        if (over)
                                lab.spec.next_update = "2026-11-01T00:00:00Z";
                        lab_make(&lab);
                        vouch_documents(&lab);
                        vouch_lists(&lab);
                        refused(&lab, "debug-enabled");
                        assert_int_equal(verdict_find(lab.s.r.verdict, "tee-endorsements-missing") != NULL,
                                         over);
                        story_push(&lab.s, allowed, lab.s.now_ms);
                        lab.s.n_versions = 1;
                        story_hold(&lab.s);
                        honest_round(&lab);
                        EXPECT(&lab.s, over ? VERDICT_INCONCLUSIVE : VERDICT_PASS, NULL);
                        lab.s.n_versions = 2; /* freed with the others */
                        lab_done(&lab);
                }
}

/* A status that the policy does not name; one that it names; and one that none can. */
static void statuses(void **state)
{
        static const char takes[] = NAMED "  tdx: {statuses: [UpToDate, OutOfDate]}\n"
                                          "  sgx: {statuses: [UpToDate, OutOfDate]}\n";
        static const struct {
                const char *word, *policy, *refused;
                enum dcap_status status;
        } rows[] = {
                {"SWHardeningNeeded", NAMED, NULL, DCAP_SW_HARDENING},
                {"SWHardeningNeeded", takes, "tcb-SWHardeningNeeded", DCAP_SW_HARDENING},
                {"OutOfDate", NAMED, "tcb-OutOfDate", DCAP_OUT_OF_DATE},
                {"OutOfDate", takes, NULL, DCAP_OUT_OF_DATE},
                {"Revoked", takes, "tcb-Revoked", DCAP_REVOKED},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows) * ARRAY_LEN(kinds); i++) {
                const struct kind *kind = &kinds[i % ARRAY_LEN(kinds)];
                size_t row = i / ARRAY_LEN(kinds);
                AUTO(mem_free_p) char *levels = soft_levels(rows[row].word, kind->kind == TEE_TDX);
                struct lab lab;

                lab_init(&lab, kind, rows[row].policy);
                lab.spec.levels = levels;
                lab_make(&lab);
                vouch_documents(&lab);
                vouch_lists(&lab);
                if (rows[row].refused) {
                        refused(&lab, rows[row].refused);
                } else {
                        honest_round(&lab);
                        EXPECT(&lab.s, VERDICT_PASS, "tee-binding-named");
                }
                assert_int_equal(lab.s.r.verdict->tee->intel, rows[row].status);
                lab_done(&lab);
        }
}

static void revoked(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
                struct lab lab;

                lab_init(&lab, &kinds[i], NAMED);
                lab.spec.revoke_pck = true;
                lab_make(&lab);
                vouch_documents(&lab);
                vouch_lists(&lab);
                refused(&lab, "endorsement-revoked");
                lab_done(&lab);
        }
}

/* The quoting enclave is not the one that Intel describes: that is the machine's, not the document's. */
static void other_quoting_enclave(void **state)
{
        struct lab lab;

        (void)state;
        lab_init(&lab, &kinds[0], NAMED);
        lab.spec.qe[128] ^= 1; /* MRSIGNER */
        lab_make(&lab);
        vouch_documents(&lab);
        vouch_lists(&lab);
        refused(&lab, "qe-identity-mismatch");
        lab_done(&lab);
}

/* ---- forged ---- */

/* Somebody else's Intel; the body as it is wished for under the signature of another; every byte of the head
 * and body; and what is cut short. */
static void forged(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
                struct soft_quote theirs;
                struct lab lab;
                size_t end;

                lab_init(&lab, &kinds[i], NAMED);
                lab_make(&lab);
                vouch_documents(&lab);
                vouch_lists(&lab);
                names(&lab, &lab.s.host.tpm.ak, false);
                soft_quote_make(&theirs, &lab.spec);
                lab.s.tee.evidence = VIEW_BUF(&theirs.quote);
                (void)story_round(&lab.s);
                EXPECT_WORD(&lab, VERDICT_FAIL, "tee-evidence-refused", "root-not-trusted");
                soft_quote_done(&theirs);
                names(&lab, &lab.s.host.tpm.ak, false);
                end = kinds[i].report_data + (kinds[i].version == 5 ? 54 : 48);
                lab.intel.quote.p[end] ^= 1; /* report data, after it was signed */
                (void)story_round(&lab.s);
                EXPECT_WORD(&lab, VERDICT_FAIL, "tee-evidence-refused", "quote-signature-invalid");
                assert_null(verdict_find(lab.s.r.verdict, "tee-binding-named"));
                for (size_t at = 0; at < end; at += 61) {
                        names(&lab, &lab.s.host.tpm.ak, false);
                        lab.intel.quote.p[at] ^= 1;
                        (void)story_round(&lab.s);
                        assert_int_equal(lab.s.r.verdict->state, VERDICT_FAIL);
                }
                for (size_t at = 1; at < lab.intel.quote.len; at += 397) {
                        names(&lab, &lab.s.host.tpm.ak, false);
                        lab.s.tee.evidence = VIEW(lab.intel.quote.p, at);
                        (void)story_round(&lab.s);
                        assert_int_equal(lab.s.r.verdict->state, VERDICT_FAIL);
                }
                lab_done(&lab);
        }
}

/* One kind's quote under the other's name: its own rules would not be asked. */
static void called_another(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
                struct lab lab;

                lab_init(&lab, &kinds[i], NAMED);
                lab_make(&lab);
                vouch_documents(&lab);
                vouch_lists(&lab);
                names(&lab, &lab.s.host.tpm.ak, false);
                lab.s.tee.kind = kinds[i].kind == TEE_TDX ? TEE_SGX : TEE_TDX;
                (void)story_round(&lab.s);
                EXPECT_WORD(&lab, VERDICT_FAIL, "tee-evidence-refused", "quote-tee-mismatch");
                names(&lab, &lab.s.host.tpm.ak, false);
                lab.s.tee.kind = TEE_SNP;
                (void)story_round(&lab.s);
                EXPECT(&lab.s, VERDICT_FAIL, "tee-kind-refused");
                assert_string_equal(story_found(&lab.s, "tee-kind-refused")->expected, "tdx, sgx");
                lab_done(&lab);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(named_is_said),    cmocka_unit_test(rooted),
                cmocka_unit_test(quote_of_another), cmocka_unit_test(nothing_vouches),
                cmocka_unit_test(nothing_fits),     cmocka_unit_test(other_kinds_documents),
                cmocka_unit_test(debugged),         cmocka_unit_test(statuses),
                cmocka_unit_test(revoked),          cmocka_unit_test(other_quoting_enclave),
                cmocka_unit_test(forged),           cmocka_unit_test(called_another),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
