/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names that both sides of the wire spell. They are data: one table each, looked through in both
 * directions, so that a name cannot be read as one thing and written as another.
 */
#include "wire/wire.h"

#include <string.h>

struct name16 {
        const char *name;
        uint16_t id;
};

static const struct name16 hashes[] = {
        {"sha1", 0x0004},
        {"sha256", 0x000b},
        {"sha384", 0x000c},
        {"sha512", 0x000d},
};

static const struct name16 schemes[] = {
        {"rsassa", WIRE_RSASSA},
        {"rsapss", WIRE_RSAPSS},
        {"ecdsa", WIRE_ECDSA},
};

static uint16_t id_of(const struct name16 *table, size_t n, const char *name)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(table[i].name, name) == 0)
                        return table[i].id;
        return 0;
}

static const char *name_of(const struct name16 *table, size_t n, uint16_t id)
{
        for (size_t i = 0; i < n; i++)
                if (table[i].id == id)
                        return table[i].name;
        return NULL;
}

uint16_t wire_hash_by_name(const char *name)
{
        return id_of(hashes, ARRAY_LEN(hashes), name);
}

const char *wire_hash_name(uint16_t alg)
{
        return name_of(hashes, ARRAY_LEN(hashes), alg);
}

uint16_t wire_scheme_by_name(const char *name)
{
        return id_of(schemes, ARRAY_LEN(schemes), name);
}

const char *wire_scheme_name(uint16_t scheme)
{
        return name_of(schemes, ARRAY_LEN(schemes), scheme);
}

static const struct {
        const char *name, *class_name;
} evidence[WIRE_N_EVIDENCE_TYPES] = {
        [WIRE_TPM_QUOTE] = {"tpm_quote", "certification"},
        [WIRE_CEL_LOG] = {"cel_log", "log"},
        [WIRE_UEFI_LOG] = {"uefi_log", "log"},
        [WIRE_IMA_LOG] = {"ima_log", "log"},
        [WIRE_LAUNCH_LOG] = {"launch_log", "log"},
        [WIRE_TEE_SNP] = {"tee_snp", "log"}, /* class "log": Keylime refuses other classes */
        [WIRE_TEE_TDX] = {"tee_tdx", "log"},
        [WIRE_TEE_SGX] = {"tee_sgx", "log"},
};

const char *wire_evidence_name(enum wire_evidence_type type)
{
        return evidence[type].name;
}

const char *wire_evidence_class(enum wire_evidence_type type)
{
        return evidence[type].class_name;
}

_Static_assert(WIRE_TEE_SGX - WIRE_TEE_SNP == TEE_SGX - TEE_SNP && TEE_N_KINDS == 3, "one type a kind");

bool wire_is_tee(enum wire_evidence_type type)
{
        return type >= WIRE_TEE_SNP && type <= WIRE_TEE_SGX;
}

enum wire_evidence_type wire_tee_type(enum tee_kind kind)
{
        return (enum wire_evidence_type)(WIRE_TEE_SNP + kind);
}

bool wire_evidence_by_name(const char *name, enum wire_evidence_type *ret)
{
        for (size_t i = 0; i < WIRE_N_EVIDENCE_TYPES; i++)
                if (strcmp(evidence[i].name, name) == 0) {
                        *ret = (enum wire_evidence_type)i;
                        return true;
                }
        return false;
}

const char *wire_evaluation_name(enum wire_evaluation e)
{
        static const char *const names[WIRE_N_EVALUATIONS] = {
                [WIRE_PENDING] = "pending",
                [WIRE_PASS] = "pass",
                [WIRE_FAIL] = "fail",
                [WIRE_INCONCLUSIVE] = "inconclusive",
        };
        return names[e];
}

const char *wire_stage_name(enum wire_stage s)
{
        static const char *const names[WIRE_N_STAGES] = {
                [WIRE_AWAITING] = "awaiting_evidence",
                [WIRE_EVALUATING] = "evaluating_evidence",
                [WIRE_COMPLETE] = "verification_complete",
        };
        return names[s];
}
