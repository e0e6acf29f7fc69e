/* SPDX-License-Identifier: Apache-2.0 */
/* Quotes, collateral and statuses of an Intel of our own: what is refused, and with which word. */
#include "support/support.h"

#include "base/mem.h"
#include "evidence/dcap.h"
#include "evidence/dcap_warm_impl.h"
#include "support/make_crl.h"
#include "support/soft_quote.h"
#include "unit/evidence/dcap_kit.h"

static struct dcap_policy policy_of(const struct soft_quote *q)
{
        return (struct dcap_policy){.at_ms = SOFT_NOW_MS,
                                    .roots = &q->root_key,
                                    .n_roots = 1,
                                    .statuses = DCAP_STATUSES_DEFAULT,
                                    .require_crls = true};
}

/* REASON NULL: it must be accepted. Else the first reason. */
static void judged(const struct soft_quote *q, const struct dcap_policy *policy, struct dcap_result *ret,
                   const char *reason)
{
        const char *first;

        dcap_kit_judge(VIEW_BUF(&q->quote), &q->collateral, policy, ret);
        first = tee_reason(&ret->tee, 0);
        if (!reason != !first || (reason && strcmp(reason, first) != 0))
                fail_msg("reason '%s', expected '%s'", first ? first : "none", reason ? reason : "none");
        assert_int_equal(ret->tee.verdict, reason ? TEE_REJECT : TEE_ACCEPT);
}

static void expect(const struct soft_spec *spec, const char *reason)
{
        struct dcap_result res;
        struct dcap_policy policy;
        struct soft_quote q;

        soft_quote_make(&q, spec);
        policy = policy_of(&q);
        judged(&q, &policy, &res, reason);
        soft_quote_done(&q);
}

/* ---- good ones ---- */

static void every_kind(void **state)
{
        static const struct {
                uint16_t version;
                enum dcap_body body;
        } kinds[] = {{3, DCAP_BODY_SGX},  {4, DCAP_BODY_SGX},  {5, DCAP_BODY_SGX},
                     {4, DCAP_BODY_TD10}, {5, DCAP_BODY_TD10}, {5, DCAP_BODY_TD15}};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
                struct soft_spec spec;

                soft_spec_init(&spec, kinds[i].version, kinds[i].body);
                expect(&spec, NULL);
        }
}

static void says_what_it_found(void **state)
{
        struct dcap_policy policy;
        struct dcap_result res;
        struct soft_spec spec;
        struct soft_quote q;

        (void)state;
        soft_spec_init(&spec, 5, DCAP_BODY_TD15);
        spec.report[600] = 1; /* MRSERVICETD */
        soft_quote_make(&q, &spec);
        policy = policy_of(&q);
        policy.report_data = VIEW(spec.report + 520, 64);
        judged(&q, &policy, &res, NULL);
        assert_int_equal(res.overall, DCAP_UP_TO_DATE);
        assert_int_equal(res.module, DCAP_UP_TO_DATE);
        assert_int_equal(res.evaluation_number, 17);
        assert_int_equal(res.next_update_ms, INT64_C(1796083200000)); /* collateral's, before the lists' */
        assert_int_equal(res.pck.pcesvn, 300);
        assert_int_equal(res.pck.components[7], 5);
        assert_int_equal(res.tee.n_flags, 1);
        assert_true(tee_has_flag(&res.tee, "service-td"));
        assert_int_equal(tee_find(&res.tee, "pck-revocation")->state, TEE_PASS);
        soft_quote_done(&q);
}

/* ---- refused for the right reason ---- */

static void endorsements(void **state)
{
        struct soft_spec good, spec;

        (void)state;
        soft_spec_init(&good, 4, DCAP_BODY_TD10);
        spec = good;
        spec.revoke_pck = true;
        expect(&spec, "endorsement-revoked");
        spec = good;
        spec.revoke_ca = true;
        expect(&spec, "endorsement-revoked");
        spec = good;
        spec.revoke_signer = true;
        expect(&spec, "endorsement-revoked");
        spec = good;
        spec.crl_until_ms = SOFT_NOW_MS - 1000;
        expect(&spec, "collateral-expired");
        spec = good;
        spec.crl_until_ms = 0; /* a list without an end is none */
        expect(&spec, "collateral-expired");
        spec = good;
        spec.ca_cn = "Intel SGX PCK Processor CA";
        expect(&spec, NULL);
        spec = good;
        spec.ca_cn = "Intel SGX TCB Signing"; /* of the same root, for another use */
        expect(&spec, "endorsement-chain-invalid");
        spec = good;
        spec.without_tcb = true;
        expect(&spec, "endorsement-malformed");
        spec = good;
        spec.cert_type = 3;
        expect(&spec, "certification-data-unsupported");
}

static void collateral(void **state)
{
        struct soft_spec good, spec;

        (void)state;
        soft_spec_init(&good, 4, DCAP_BODY_TD10);
        spec = good;
        spec.fmspc = "B0C06F000001";
        expect(&spec, "fmspc-mismatch");
        spec = good;
        spec.fmspc = "b0c06f000000"; /* small letters are the same bytes */
        expect(&spec, NULL);
        spec = good;
        spec.pceid = "0001";
        expect(&spec, "pceid-mismatch");
        spec = good;
        spec.next_update = "2026-05-01T00:00:00Z";
        expect(&spec, "collateral-expired");
        spec = good;
        spec.qe_id = "QE";
        expect(&spec, "qe-identity-mismatch");
        spec = good;
        spec.qe_signer = "0800000000000000000000000000000000000000000000000000000000000000";
        expect(&spec, "qe-identity-mismatch");
        spec = good;
        spec.qe_id = "QVE";
        expect(&spec, "collateral-malformed");
        spec = good;
        spec.info = "\"id\":\"TDX\",\"version\":2";
        expect(&spec, "collateral-malformed");
        spec = good;
        spec.info = "\"id\":\"SGX\",\"version\":3";
        expect(&spec, "collateral-tee-mismatch");
        spec = good;
        spec.levels = "[{\"tcb\":{}}]";
        expect(&spec, "collateral-malformed");
        spec = good;
        spec.levels = "[]";
        expect(&spec, "tcb-level-not-supported");
}

static void platforms(void **state)
{
        struct soft_spec good, spec;

        (void)state;
        soft_spec_init(&good, 4, DCAP_BODY_TD10);
        for (size_t i = 0; i < 3; i++) { /* one component below: SGX, TDX */
                spec = good;
                if (i == 0)
                        spec.pck.components[4] = 2;
                else if (i == 1)
                        spec.pck.pcesvn = 10;
                else
                        spec.report[2] = 1;
                expect(&spec, "tcb-level-not-supported");
        }
        spec = good;
        spec.report[0] = 2; /* the module, minor version: an old level */
        expect(&spec, "tcb-OutOfDate");
        spec = good;
        spec.report[0] = 1; /* below all of its levels */
        expect(&spec, "tcb-level-not-supported");
        spec = good;
        spec.report[1] = 3; /* a module that nobody described */
        expect(&spec, "tdx-module-mismatch");
        spec = good;
        spec.report[64] = 1; /* MRSIGNERSEAM */
        expect(&spec, "tdx-module-mismatch");
        spec = good;
        spec.report[112] = 1; /* SEAMATTRIBUTES */
        expect(&spec, "tdx-module-mismatch");
        spec = good;
        spec.qe[258] = 5; /* the quoting enclave's SVN */
        expect(&spec, "tcb-level-not-supported");
        spec = good;
        spec.qe[352] = 1; /* the second half of its report data */
        expect(&spec, "qe-binding-invalid");
}

static void attributes(void **state)
{
        struct soft_spec spec;

        (void)state;
        soft_spec_init(&spec, 4, DCAP_BODY_TD10);
        spec.report[120] = 1;
        expect(&spec, "debug-enabled");
        spec.report[120] = 2;
        expect(&spec, "td-attributes-untrusted");
        soft_spec_init(&spec, 3, DCAP_BODY_SGX);
        spec.report[48] = 0x07;
        expect(&spec, "debug-enabled");
        spec.report[48] = 0x04;
        expect(&spec, "enclave-not-initialised");
}

/* ---- every status ---- */

static void statuses(void **state)
{
        static const struct {
                const char *word, *reason;
        } rows[] = {{"UpToDate", NULL},
                    {"SWHardeningNeeded", NULL},
                    {"ConfigurationNeeded", "tcb-ConfigurationNeeded"},
                    {"ConfigurationAndSWHardeningNeeded", "tcb-ConfigurationAndSWHardeningNeeded"},
                    {"OutOfDate", "tcb-OutOfDate"},
                    {"OutOfDateConfigurationNeeded", "tcb-OutOfDateConfigurationNeeded"},
                    {"Revoked", "tcb-Revoked"},
                    {"TDRelaunchAdvised", "collateral-malformed"},
                    {"Splendid", "collateral-malformed"}};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                AUTO(mem_free_p)
                char *levels = soft_levels(rows[i].word, i % 2);
                struct soft_spec spec;

                soft_spec_init(&spec, i % 2 ? 4 : 3, i % 2 ? DCAP_BODY_TD10 : DCAP_BODY_SGX);
                spec.levels = levels;
                expect(&spec, rows[i].reason);
        }
}

/* The first level that fits is the highest, wherever the file has it. */
static void order_is_ours(void **state)
{
        AUTO(mem_free_p)
        char *low = soft_levels("OutOfDate", true);
        AUTO(mem_free_p)
        char *high = soft_levels("UpToDate", true);
        AUTO(mem_free_p)
        char *both = NULL;
        struct soft_spec spec;

        (void)state;
        strstr(low, "\"pcesvn\":11")[10] = '0'; /* 10 */
        low[strlen(low) - 1] = '\0';
        both = str_fmt("%s,%s", low, high + 1);
        assert_non_null(both);
        soft_spec_init(&spec, 4, DCAP_BODY_TD10);
        spec.levels = both;
        spec.qe_levels = "[{\"tcb\":{\"isvsvn\":5},\"tcbDate\":\"2026-01-01T00:00:00Z\","
                         "\"tcbStatus\":\"OutOfDate\"},{\"tcb\":{\"isvsvn\":6},"
                         "\"tcbDate\":\"2026-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\"}]";
        expect(&spec, NULL);
        spec.pck.pcesvn = 10;
        expect(&spec, "tcb-OutOfDate");
        spec.pck.pcesvn = 11;
        spec.qe[258] = 5;
        expect(&spec, "tcb-OutOfDate");
}

/* A policy that takes everything still does not take Revoked. */
static void revoked_is_never_good(void **state)
{
        AUTO(mem_free_p)
        char *levels = soft_levels("Revoked", false);
        struct dcap_policy policy;
        struct dcap_result res;
        struct soft_spec spec;
        struct soft_quote q;

        (void)state;
        soft_spec_init(&spec, 3, DCAP_BODY_SGX);
        spec.levels = levels;
        soft_quote_make(&q, &spec);
        policy = policy_of(&q);
        policy.statuses = ~0u;
        judged(&q, &policy, &res, "tcb-Revoked");
        soft_quote_done(&q);
}

static void converging(void **state)
{
        enum { U = DCAP_UP_TO_DATE, S = DCAP_SW_HARDENING, C = DCAP_CONFIGURATION, CS, O, OC, R };
        static const int out[][2] = {{U, O}, {S, O}, {C, OC}, {CS, OC}, {O, O}, {OC, OC}, {R, R}};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(out); i++) {
                assert_int_equal(dcap_converge((enum dcap_status)out[i][0], DCAP_UP_TO_DATE), out[i][0]);
                assert_int_equal(dcap_converge((enum dcap_status)out[i][0], DCAP_OUT_OF_DATE), out[i][1]);
                assert_int_equal(dcap_converge((enum dcap_status)out[i][0], DCAP_REVOKED), R);
                assert_int_equal(dcap_converge((enum dcap_status)out[i][0], DCAP_SW_HARDENING),
                                 DCAP_STATUS_NONE);
        }
        assert_int_equal(dcap_converge(DCAP_STATUS_NONE, DCAP_UP_TO_DATE), DCAP_STATUS_NONE);
}

/* The module was old when the TD started, and is new now. */
static void relaunching(void **state)
{
        AUTO(mem_free_p)
        char *levels = soft_levels("ConfigurationNeeded", true);
        struct soft_spec spec;

        (void)state;
        soft_spec_init(&spec, 5, DCAP_BODY_TD15);
        spec.report[0] = 3;
        expect(&spec, "tcb-TDRelaunchAdvised");
        spec.report[586] = 1; /* microcode as old as before: a relaunch would not mend it */
        expect(&spec, "tcb-OutOfDate");
        spec.report[586] = 3;
        spec.report[585] = 0; /* a module without versions: the platform's own levels say */
        expect(&spec, "tcb-TDRelaunchAdvised");
        spec.report[584] = 4;
        expect(&spec, "tcb-OutOfDate");
        spec.report[584] = 6;
        spec.report[585] = 1;
        spec.levels = levels;
        expect(&spec, "tcb-TDRelaunchAdvisedConfigurationNeeded");
        spec.report[584] = 3; /* still old now */
        expect(&spec, "tcb-OutOfDateConfigurationNeeded");
}

/* ---- the policy ---- */

static void policies(void **state)
{
        static const char *const allowed[] = {"INTEL-SA-00001"};
        static const uint8_t other[64] = {1};
        AUTO(mem_free_p)
        char *levels = soft_levels("SWHardeningNeeded", true);
        struct dcap_policy policy;
        struct dcap_result res;
        struct soft_spec spec;
        struct soft_quote q;

        (void)state;
        soft_spec_init(&spec, 4, DCAP_BODY_TD10);
        spec.levels = levels;
        spec.report[123] = 0;
        soft_quote_make(&q, &spec);
        policy = policy_of(&q);
        judged(&q, &policy, &res, NULL);
        assert_int_equal(res.n_advisories, 1);
        assert_string_equal(res.advisories[0], "INTEL-SA-00001");
        assert_true(tee_has_flag(&res.tee, "sept-ve-disable-off"));
        policy.restrict_advisories = true;
        judged(&q, &policy, &res, "advisory-not-allowed");
        policy.advisories = allowed;
        policy.n_advisories = 1;
        judged(&q, &policy, &res, NULL);
        policy.require_sept_ve_disable = true;
        judged(&q, &policy, &res, "sept-ve-disable-off");
        policy.require_sept_ve_disable = false;
        policy.report_data = VIEW_ARRAY(other);
        judged(&q, &policy, &res, "report-data-mismatch");
        policy.report_data = VIEW(spec.report + 520, 63);
        judged(&q, &policy, &res, "report-data-mismatch");
        policy.report_data = VIEW_NONE;
        policy.min_evaluation_number = 18;
        judged(&q, &policy, &res, "collateral-rolled-back");
        policy.min_evaluation_number = 17;
        policy.at_ms = SOFT_TO_MS + 1000;
        judged(&q, &policy, &res, "endorsement-expired");
        policy.at_ms = SOFT_FROM_MS - 1000;
        judged(&q, &policy, &res, "endorsement-not-yet-valid");
        policy.at_ms = SOFT_FROM_MS + 1000; /* the collateral is of February */
        judged(&q, &policy, &res, "collateral-not-yet-valid");
        policy.at_ms = SOFT_NOW_MS;
        policy.n_roots = 0; /* Intel's */
        judged(&q, &policy, &res, "root-not-trusted");
        soft_quote_done(&q);
}

/* ---- other people's parts ---- */

static void mixed_parts(void **state)
{
        struct dcap_collateral whole;
        struct dcap_policy policy;
        struct dcap_result res;
        struct soft_spec spec;
        struct soft_quote q, other;

        (void)state;
        soft_spec_init(&spec, 4, DCAP_BODY_TD10);
        soft_quote_make(&q, &spec);
        soft_quote_make(&other, &spec);
        policy = policy_of(&q);
        whole = q.collateral;
        q.collateral.tcb_info = VIEW_BUF(&other.info);
        judged(&q, &policy, &res, "collateral-signature-invalid");
        q.collateral.tcb_info_chain = VIEW_BUF(&other.info_chain);
        judged(&q, &policy, &res, "root-not-trusted");
        q.collateral = whole;
        q.collateral.pck_crl = VIEW_BUF(&other.pck_crl); /* same names, another key */
        judged(&q, &policy, &res, "crl-invalid");
        q.collateral.pck_crl = VIEW_NONE;
        judged(&q, &policy, &res, "crl-missing");
        policy.require_crls = false;
        judged(&q, &policy, &res, NULL);
        assert_int_equal(tee_find(&res.tee, "pck-revocation")->state, TEE_SKIPPED);
        q.collateral.qe_identity = VIEW_NONE;
        dcap_kit_judge(VIEW_BUF(&q.quote), &q.collateral, &policy, &res);
        assert_int_equal(res.tee.verdict, TEE_NO_COLLATERAL);
        soft_quote_done(&q);
        soft_quote_done(&other);
}

/* ---- warm collateral ---- */

/* What was good for one policy and time is asked again for the next. */
static void warm_is_judged_anew(void **state)
{
        struct soft_quote q, other;
        struct dcap_policy policy;
        struct dcap_result res;
        struct soft_spec spec;

        (void)state;
        soft_spec_init(&spec, 4, DCAP_BODY_TD10);
        soft_quote_make(&q, &spec);
        soft_quote_make(&other, &spec);
        policy = policy_of(&q);
        judged(&q, &policy, &res, NULL);
        policy.at_ms = SOFT_TO_MS + 1000;
        judged(&q, &policy, &res, "endorsement-expired");
        policy.at_ms = INT64_C(1796083200000) + 1; /* the documents' end */
        judged(&q, &policy, &res, "collateral-expired");
        policy = policy_of(&other);
        judged(&q, &policy, &res, "root-not-trusted");
        policy = policy_of(&q);
        policy.statuses = 0;
        judged(&q, &policy, &res, "tcb-UpToDate");
        policy = policy_of(&q);
        q.quote.p[60] ^= 1;
        judged(&q, &policy, &res, "quote-signature-invalid");
        soft_quote_done(&q);
        soft_quote_done(&other);
}

/* A hundred thousand platforms do not fill the memory. */
static void warm_is_bounded(void **state)
{
        AUTO(dcap_warm_free_p) struct dcap_warm *warm = NULL;
        struct dcap_piece *found = NULL;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(dcap_warm_new(&warm, &err), &err);
        for (uint32_t i = 0; i < 2 * DCAP_WARM_PIECES_MAX; i++) {
                const struct dcap_piece_id id = {DCAP_PIECE_LINK, VIEW((const uint8_t *)&i, sizeof(i)),
                                                 VIEW_NONE};
                struct dcap_piece *piece = mem_zalloc(1, sizeof(*piece));

                assert_non_null(piece);
                dcap_warm_tidy(warm);
                assert_ok(dcap_warm_put(warm, &id, &piece, &err), &err);
                assert_null(piece);
                assert_true(dcap_warm_count(warm) <= DCAP_WARM_PIECES_MAX);
                assert_ok(dcap_warm_get(warm, &id, &found, &err), &err);
                assert_non_null(found);
        }
        assert_ok(dcap_warm_get(warm, &(struct dcap_piece_id){DCAP_PIECE_LINK, VIEW_NONE, VIEW_NONE}, &found,
                                &err),
                  &err);
        assert_null(found);
        warm->bytes = DCAP_WARM_BYTES_MAX + 1;
        dcap_warm_tidy(warm);
        assert_int_equal(dcap_warm_count(warm), 0);
}

/* ---- malformed ---- */

struct walk {
        const struct soft_quote *q;
        struct dcap_policy policy;
        size_t end; /* of what is covered */
};

static void try_quote(struct view v, const char *what, void *ctx)
{
        const struct walk *w = ctx;
        struct dcap_result res;
        struct err err = ERR_INIT;

        assert_ok(dcap_verify(v, &w->q->collateral, &w->policy, &res, &err), &err);
        if (res.tee.verdict == TEE_REJECT && tee_reason(&res.tee, 0))
                return;
        /* text around and between the certificates is nobody's, and a list may follow */
        if (res.parsed && res.tee.verdict == TEE_ACCEPT &&
            view_equal(res.quote.is_signed, VIEW(w->q->quote.p, res.quote.is_signed.len)))
                return;
        fail_msg("%s: %s", what, tee_verdict_name(res.tee.verdict));
}

static void broken_quotes(void **state)
{
        struct soft_spec spec;
        struct soft_quote q;
        struct walk w = {.q = &q};

        (void)state;
        soft_spec_init(&spec, 5, DCAP_BODY_TD15);
        soft_quote_make(&q, &spec);
        w.policy = policy_of(&q);
        each_truncation(VIEW_BUF(&q.quote), try_quote, &w);
        each_bit_flip(VIEW(q.quote.p, 100), try_quote, &w);
        soft_quote_done(&q);
}

static void try_json(struct view v, const char *what, void *ctx)
{
        struct soft_quote *q = ctx;
        struct dcap_policy policy = policy_of(q);
        struct dcap_collateral whole = q->collateral;
        struct dcap_result res;
        struct err err = ERR_INIT;

        whole.qe_identity = v;
        assert_ok(dcap_verify(VIEW_BUF(&q->quote), &whole, &policy, &res, &err), &err);
        if (res.tee.verdict == TEE_ACCEPT)
                fail_msg("%s: accepted", what);
}

static void broken_collateral(void **state)
{
        struct soft_spec spec;
        struct soft_quote q;

        (void)state;
        soft_spec_init(&spec, 3, DCAP_BODY_SGX);
        soft_quote_make(&q, &spec);
        each_truncation(VIEW_BUF(&q.qe_identity), try_json, &q);
        soft_quote_done(&q);
}

static int cut(const char *text, struct signed_json *ret, struct err *err)
{
        return signed_json_cut(view_str(text), "tcbInfo", ret, err);
}

#define SIG64                                                                                                \
        "\"0102030405060708090a0b0c0d0e0f100102030405060708090a0b0c0d0e0f100102030405060708090a0b0c0d0e0f10" \
        "0102030405060708090A0B0C0D0E0F10\""

static void cutting(void **state)
{
        static const char *const bad[] = {
                "",
                "[]",
                "{}",
                "{\"tcbInfo\":{}}",
                "{\"signature\":" SIG64 "}",
                "{\"tcbInfo\":{},\"tcbInfo\":{},\"signature\":" SIG64 "}",
                "{\"tcbInfo\":{},\"signature\":" SIG64 ",\"signature\":" SIG64 "}",
                "{\"tcbInfo\":[],\"signature\":" SIG64 "}",
                "{\"tcbInfo\":{},\"signature\":\"00\"}",
                "{\"tcbInfo\":{,\"signature\":" SIG64 "}",
                "{\"tcbInfo\":{},\"signature\":" SIG64 "} x",
                "{\"tcbInfo\":{},\"signature\":" SIG64 ",}",
        };
        struct signed_json j;
        struct err err = ERR_INIT;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                if (cut(bad[i], &j, &err) >= 0)
                        fail_msg("accepted: %s", bad[i]);
        err_clear(&err);
        assert_ok(cut(" { \"x\" : [1, {\"}\":2}], \"signature\":" SIG64
                      ",\n\"tcbInfo\": {\"a\": \"}\\\"{\", \"b\":[{}]} }\n",
                      &j, &err),
                  &err);
        assert_view(j.body, "{\"a\": \"}\\\"{\", \"b\":[{}]}");
        assert_int_equal(j.signature[63], 0x10);
}

/* ---- out of memory ---- */

static int verify_once(void *ctx, struct err *err)
{
        struct soft_quote *q = ctx;
        AUTO(dcap_warm_free_p) struct dcap_warm *warm = NULL;
        struct dcap_policy policy = policy_of(q);
        struct dcap_collateral c = q->collateral;
        struct dcap_result res;
        int r = dcap_warm_new(&warm, err);

        c.warm = warm;
        for (int i = 0; r >= 0 && i < 2; i++) /* to be kept; kept */
                r = dcap_verify(VIEW_BUF(&q->quote), &c, &policy, &res, err);
        return r;
}

static void out_of_memory(void **state)
{
        struct soft_spec spec;
        struct soft_quote q;

        (void)state;
        soft_spec_init(&spec, 4, DCAP_BODY_TD10);
        soft_quote_make(&q, &spec);
        oom_any(verify_once, &q);
        soft_quote_done(&q);
}

static int end(void **state)
{
        (void)state;
        dcap_kit_done();
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_kind),
                cmocka_unit_test(says_what_it_found),
                cmocka_unit_test(endorsements),
                cmocka_unit_test(collateral),
                cmocka_unit_test(platforms),
                cmocka_unit_test(attributes),
                cmocka_unit_test(statuses),
                cmocka_unit_test(order_is_ours),
                cmocka_unit_test(revoked_is_never_good),
                cmocka_unit_test(converging),
                cmocka_unit_test(relaunching),
                cmocka_unit_test(policies),
                cmocka_unit_test(mixed_parts),
                cmocka_unit_test(warm_is_judged_anew),
                cmocka_unit_test(warm_is_bounded),
                cmocka_unit_test(broken_quotes),
                cmocka_unit_test(broken_collateral),
                cmocka_unit_test(cutting),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, end);
}
