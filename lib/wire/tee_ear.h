/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_TEE_EAR_H
#define AVOW_WIRE_TEE_EAR_H

#include <jansson.h>

#include "base/macro.h"
#include "evidence/dcap_collateral.h"
#include "evidence/tee.h"
#include "wire/ear.h"

/*
 * The verdict on a processor's evidence in the words of attestation results: the claims of an EAR with one
 * submodule named after the kind of evidence, its trustworthiness vector, and all checks as annotations.
 * Not signed: whoever checked it does that. Claims that were not appraised are left out.
 * Spec: draft-ietf-rats-ear; draft-ietf-rats-ar4si §2.3.
 */
enum tee_ear_claim {
        TEE_EAR_IDENTITY,
        TEE_EAR_CONFIGURATION,
        TEE_EAR_EXECUTABLES,
        TEE_EAR_HARDWARE,
        TEE_EAR_RUNTIME_OPAQUE,
        TEE_EAR_N_CLAIMS,
};

/* The vector, 0 for what was not appraised, and the status: the worst tier of it; none for what decides
 * nothing. INTEL: the overall TCB status; DCAP_STATUS_NONE for others' evidence. */
enum ear_status tee_ear_judge(const struct tee_result *r, enum dcap_status intel,
                              int ret_vector[TEE_EAR_N_CLAIMS]);

/* One submodule. WORST: no better than this is said of it, whatever the checks found: the status of the host
 * that it belongs to. NULL when out of memory. */
json_t *tee_ear_submod(const struct tee_result *r, enum dcap_status intel, enum ear_status worst) MUST_USE;

/* The claims; NULL when out of memory. TYPE: "snp", "tdx", "sgx". AT_MS: the time it was checked for. */
json_t *tee_ear_claims(const struct tee_result *r, enum dcap_status intel, const char *type, int64_t at_ms,
                       const char *build) MUST_USE;

#endif
