/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From named checks to AR4SI's values. What was not authentic says 99 everywhere; of what is, every failed
 * check lands in the claim that it is about, so a refusal is contraindicated under some claim, always.
 *
 * Spec: draft-ietf-rats-ar4si §2.3.3 (values).
 */
#include "wire/tee_ear.h"

#include <string.h>

#include "base/json.h"
#include "evidence/tee_json.h"

enum {
        AFFIRMED = 2,
        APPROVED_BOOT = 3,
        UNSAFE = 32,
        BAD = 96,
        CRYPTO_FAILED = 99,
};

/* What makes evidence authentic, AMD's and Intel's: all that were made have to have passed. */
static const char *const authentic[] = {"report-signature", "endorsement-chain", "quote-signature",
                                        "qe-binding",       "pck-chain",         "qe-report-signature"};

/* Where a failed check belongs; what is not here is configuration. */
static const struct {
        const char *check;
        enum tee_ear_claim claim;
} places[] = {
        {"binding", TEE_EAR_IDENTITY},
        {"hcl-binding", TEE_EAR_IDENTITY},
        {"measurement", TEE_EAR_EXECUTABLES},
        {"mrtd", TEE_EAR_EXECUTABLES},
        {"mrenclave", TEE_EAR_EXECUTABLES},
        {"enclave-signer", TEE_EAR_EXECUTABLES},
        {"rtmr0", TEE_EAR_EXECUTABLES},
        {"rtmr1", TEE_EAR_EXECUTABLES},
        {"rtmr2", TEE_EAR_EXECUTABLES},
        {"rtmr3", TEE_EAR_EXECUTABLES},
        {"rtmr-log", TEE_EAR_EXECUTABLES},
        {"debug", TEE_EAR_RUNTIME_OPAQUE},
        {"product", TEE_EAR_HARDWARE},
        {"signing-key", TEE_EAR_HARDWARE},
        {"endorsement-dates", TEE_EAR_HARDWARE},
        {"revocation", TEE_EAR_HARDWARE},
        {"endorsement-extensions", TEE_EAR_HARDWARE},
        {"certificate-tcb", TEE_EAR_HARDWARE},
        {"chip-id", TEE_EAR_HARDWARE},
        {"csp-id", TEE_EAR_HARDWARE},
        {"tcb-order", TEE_EAR_HARDWARE},
        {"tcb-floor", TEE_EAR_HARDWARE},
        {"launch-tcb-floor", TEE_EAR_HARDWARE},
        {"provisional-firmware", TEE_EAR_HARDWARE},
        {"firmware-floor", TEE_EAR_HARDWARE},
        {"mitigations", TEE_EAR_HARDWARE},
        {"pck-chain-dates", TEE_EAR_HARDWARE},
        {"pck-crl", TEE_EAR_HARDWARE},
        {"root-crl", TEE_EAR_HARDWARE},
        {"pck-revocation", TEE_EAR_HARDWARE},
        {"pck-ca-revocation", TEE_EAR_HARDWARE},
        {"pck-extension", TEE_EAR_HARDWARE},
        {"qe-vendor", TEE_EAR_HARDWARE},
        {"qe-identity", TEE_EAR_HARDWARE},
        {"tdx-module", TEE_EAR_HARDWARE},
        {"tcb-level", TEE_EAR_HARDWARE},
        {"tcb-status", TEE_EAR_HARDWARE},
        {"advisories", TEE_EAR_HARDWARE},
};

static enum tee_ear_claim place_of(const char *check)
{
        for (size_t i = 0; i < ARRAY_LEN(places); i++)
                if (strcmp(places[i].check, check) == 0)
                        return places[i].claim;
        return TEE_EAR_CONFIGURATION;
}

static bool passed(const struct tee_result *r, const char *name)
{
        const struct tee_check *c = tee_find(r, name);

        return c && c->state == TEE_PASS;
}

static bool is_authentic(const struct tee_result *r)
{
        for (size_t i = 0; i < ARRAY_LEN(authentic); i++) {
                const struct tee_check *c = tee_find(r, authentic[i]);

                if (c && c->state != TEE_PASS)
                        return false;
        }
        return passed(r, "report-signature") || passed(r, "quote-signature");
}

/* What a good answer affirms. */
static void affirm(const struct tee_result *r, enum dcap_status intel, int v[TEE_EAR_N_CLAIMS])
{
        static const char *const images[] = {"measurement", "mrtd", "mrenclave", "enclave-signer"};

        v[TEE_EAR_HARDWARE] = intel == DCAP_STATUS_NONE || intel == DCAP_UP_TO_DATE ? AFFIRMED : UNSAFE;
        v[TEE_EAR_CONFIGURATION] = AFFIRMED;
        v[TEE_EAR_RUNTIME_OPAQUE] = tee_has_flag(r, "debug") ? BAD : AFFIRMED;
        for (size_t i = 0; i < ARRAY_LEN(images); i++)
                if (passed(r, images[i]))
                        v[TEE_EAR_EXECUTABLES] = APPROVED_BOOT;
        if (tee_has_flag(r, "binding-rooted"))
                v[TEE_EAR_IDENTITY] = AFFIRMED;
}

static enum ear_status tier(int value)
{
        return value == 0   ? EAR_NONE
               : value < 32 ? EAR_AFFIRMING
               : value < 96 ? EAR_WARNING
                            : EAR_CONTRAINDICATED;
}

enum ear_status tee_ear_judge(const struct tee_result *r, enum dcap_status intel,
                              int ret_vector[TEE_EAR_N_CLAIMS])
{
        enum ear_status worst = EAR_NONE;

        memset(ret_vector, 0, sizeof(int) * TEE_EAR_N_CLAIMS);
        if (r->verdict != TEE_ACCEPT && r->verdict != TEE_REJECT && r->verdict != TEE_MALFORMED)
                return EAR_NONE; /* undecided */
        if (!is_authentic(r)) {
                for (size_t i = 0; i < TEE_EAR_N_CLAIMS; i++)
                        ret_vector[i] = CRYPTO_FAILED;
                return EAR_CONTRAINDICATED;
        }
        affirm(r, intel, ret_vector);
        for (size_t i = 0; i < r->n_checks; i++)
                if (r->checks[i].state == TEE_FAIL)
                        ret_vector[place_of(r->checks[i].name)] = BAD;
        for (size_t i = 0; i < TEE_EAR_N_CLAIMS; i++)
                if (tier(ret_vector[i]) > worst)
                        worst = tier(ret_vector[i]);
        return worst;
}

json_t *tee_ear_submod(const struct tee_result *r, enum dcap_status intel, enum ear_status worst)
{
        static const char *const names[TEE_EAR_N_CLAIMS] = {"instance-identity", "configuration",
                                                            "executables", "hardware", "runtime-opaque"};
        AUTO(json_free_p) json_t *j = json_object();
        AUTO(json_free_p) json_t *vector = json_object();
        AUTO(json_free_p) json_t *checks = tee_result_to_json(r, tee_verdict_name(r->verdict));
        int v[TEE_EAR_N_CLAIMS], bad = !j || !vector || !checks;
        enum ear_status status;

        if (bad)
                return NULL;
        status = tee_ear_judge(r, intel, v);
        bad |= json_set_str(j, "ear.status", ear_status_name(status > worst ? status : worst));
        for (size_t i = 0; i < TEE_EAR_N_CLAIMS; i++)
                if (v[i])
                        bad |= json_set_int(vector, names[i], v[i]);
        if (json_object_size(vector))
                bad |= json_object_set(j, "ear.trustworthiness-vector", vector);
        bad |= json_object_set(j, "ear.veraison.annotated-evidence", checks);
        return bad ? NULL : TAKE(j);
}

json_t *tee_ear_claims(const struct tee_result *r, enum dcap_status intel, const char *type, int64_t at_ms,
                       const char *build)
{
        AUTO(json_free_p) json_t *j = json_object();
        AUTO(json_free_p) json_t *submods = json_object();
        int bad;

        if (!j || !submods)
                return NULL;
        bad = json_set_str(j, "eat_profile", WIRE_EAR_PROFILE);
        bad |= json_set_int(j, "iat", at_ms / 1000);
        bad |= json_object_set_new(j, "ear.verifier-id",
                                   json_pack("{s:s, s:s}", "developer", "avow", "build", build));
        bad |= json_object_set_new(submods, type, tee_ear_submod(r, intel, EAR_NONE));
        bad |= json_object_set(j, "submods", submods);
        return bad ? NULL : TAKE(j);
}
