/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts on processors' evidence as attestation results, by hand: AR4SI's tiers and values. */
#include "wire/tee_ear.h"

#include "support/support.h"

static struct tee_result genuine(void)
{
        struct tee_result r = {.verdict = TEE_ACCEPT};

        tee_pass(&r, "endorsement-chain");
        tee_pass(&r, "report-signature");
        return r;
}

static void judged(const struct tee_result *r, enum dcap_status intel, enum ear_status status, int identity,
                   int configuration, int executables, int hardware, int opaque)
{
        const int want[TEE_EAR_N_CLAIMS] = {identity, configuration, executables, hardware, opaque};
        int have[TEE_EAR_N_CLAIMS] = {-1, -1, -1, -1, -1};

        assert_int_equal(tee_ear_judge(r, intel, have), status);
        for (size_t i = 0; i < TEE_EAR_N_CLAIMS; i++)
                assert_int_equal(have[i], want[i]);
}

static void good(void **state)
{
        struct tee_result r = genuine();

        (void)state;
        tee_skip(&r, "measurement", "none");
        judged(&r, DCAP_STATUS_NONE, EAR_AFFIRMING, 0, 2, 0, 2, 2);
        judged(&r, DCAP_UP_TO_DATE, EAR_AFFIRMING, 0, 2, 0, 2, 2);
        judged(&r, DCAP_SW_HARDENING, EAR_WARNING, 0, 2, 0, 32, 2);
        r.checks[2].state = TEE_PASS;
        tee_flag(&r, "binding-rooted");
        judged(&r, DCAP_STATUS_NONE, EAR_AFFIRMING, 2, 2, 3, 2, 2);
        tee_flag(&r, "debug"); /* a policy may allow it; the memory is open all the same */
        judged(&r, DCAP_STATUS_NONE, EAR_CONTRAINDICATED, 2, 2, 3, 2, 96);
}

static void bad(void **state)
{
        static const struct {
                const char *check;
                int at;
        } all[] = {{"binding", TEE_EAR_IDENTITY},    {"measurement", TEE_EAR_EXECUTABLES},
                   {"tcb-floor", TEE_EAR_HARDWARE},  {"tcb-status", TEE_EAR_HARDWARE},
                   {"revocation", TEE_EAR_HARDWARE}, {"debug", TEE_EAR_RUNTIME_OPAQUE},
                   {"vmpl", TEE_EAR_CONFIGURATION},  {"new-check", TEE_EAR_CONFIGURATION},
                   {"rtmr-log", TEE_EAR_EXECUTABLES}};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(all); i++) {
                int want[TEE_EAR_N_CLAIMS] = {0, 2, 0, 2, 2};
                struct tee_result r = genuine();

                tee_fail(&r, all[i].check, "word", "text");
                r.verdict = TEE_REJECT;
                want[all[i].at] = 96;
                judged(&r, DCAP_STATUS_NONE, EAR_CONTRAINDICATED, want[0], want[1], want[2], want[3],
                       want[4]);
        }
}

static void not_authentic(void **state)
{
        struct tee_result r = {.verdict = TEE_REJECT};

        (void)state;
        tee_fail(&r, "report-format", "report-malformed", "short");
        judged(&r, DCAP_STATUS_NONE, EAR_CONTRAINDICATED, 99, 99, 99, 99, 99);
        r = genuine();
        tee_fail(&r, "pck-chain", "root-not-trusted", "other");
        r.verdict = TEE_REJECT;
        judged(&r, DCAP_STATUS_NONE, EAR_CONTRAINDICATED, 99, 99, 99, 99, 99);
}

/* What decides nothing affirms nothing. */
static void undecided(void **state)
{
        static const enum tee_verdict all[] = {TEE_UNDECIDED, TEE_NO_COLLATERAL, TEE_NO_ENDORSEMENT};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(all); i++) {
                struct tee_result r = genuine();

                r.verdict = all[i];
                judged(&r, DCAP_STATUS_NONE, EAR_NONE, 0, 0, 0, 0, 0);
        }
}

static void claims(void **state)
{
        struct tee_result r = genuine();
        AUTO(json_free_p)
        json_t *j = tee_ear_claims(&r, DCAP_STATUS_NONE, "snp", INT64_C(1780000000999), "avow 1");
        const json_t *mod = json_object_get(json_object_get(j, "submods"), "snp");

        (void)state;
        assert_string_equal(json_string_value(json_object_get(j, "eat_profile")), WIRE_EAR_PROFILE);
        assert_int_equal(json_integer_value(json_object_get(j, "iat")), 1780000000);
        assert_string_equal(json_string_value(json_object_get(mod, "ear.status")), "affirming");
        assert_int_equal(json_integer_value(json_object_get(
                                 json_object_get(mod, "ear.trustworthiness-vector"), "hardware")),
                         2);
        assert_null(json_object_get(json_object_get(mod, "ear.trustworthiness-vector"), "executables"));
        assert_int_equal(json_array_size(json_object_get(
                                 json_object_get(mod, "ear.veraison.annotated-evidence"), "checks")),
                         2);
}

/* A host that is not affirmed has no affirmed processor. */
static void no_better_than_its_host(void **state)
{
        static const char *const words[] = {"affirming", "affirming", "warning", "contraindicated"};
        struct tee_result r = genuine();

        (void)state;
        for (size_t i = 0; i < EAR_N_STATUS; i++) {
                AUTO(json_free_p) json_t *j = tee_ear_submod(&r, DCAP_STATUS_NONE, (enum ear_status)i);

                assert_non_null(j);
                assert_string_equal(json_string_value(json_object_get(j, "ear.status")), words[i]);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(good),          cmocka_unit_test(bad),
                cmocka_unit_test(not_authentic), cmocka_unit_test(undecided),
                cmocka_unit_test(claims),        cmocka_unit_test(no_better_than_its_host),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
