/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_AUTHPOLICY_H
#define AVOW_CRYPTO_AUTHPOLICY_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"
#include "crypto/pubkey.h"

/*
 * What the TPM's policy commands do to a policy session's digest, in software. A policy starts as zeros
 * (digest_zero()) and each step takes it on; its algorithm is the digest's. Names are TPM names (algorithm
 * number and digest; of hierarchies, the 4 bytes of the handle). Spec: TPM 2.0 Part 1 §19.7, Part 3 §23.
 */

/* TPM_EO, Part 2 §6.8 */
enum { EO_EQ = 0x0000, EO_UNSIGNED_LE = 0x0009 };

/* TPM_CC, Part 2 §6.5.2 */
enum {
        CC_NV_INCREMENT = 0x0134,
        CC_POLICY_NV = 0x0149,
        CC_DUPLICATE = 0x014b,
        CC_POLICY_SECRET = 0x0151,
        CC_UNSEAL = 0x015e,
        CC_POLICY_SIGNED = 0x0160,
        CC_POLICY_AUTHORIZE = 0x016a,
        CC_POLICY_AUTH_VALUE = 0x016b,
        CC_POLICY_COMMAND_CODE = 0x016c,
        CC_POLICY_OR = 0x0171,
        CC_POLICY_PCR = 0x017f,
};

#define TPM_OWNER       0x40000001u
#define TPM_ENDORSEMENT 0x4000000bu

/* PCR_DIGEST: over the values of the PCRs in ascending order, in the policy's algorithm. */
int authpolicy_pcr(struct digest *policy, enum digest_alg bank, uint32_t mask, struct view pcr_digest,
                   struct err *err) MUST_USE;
/* The index's value from OFFSET on stands to OPERAND as OPERATION says (value OP operand). */
int authpolicy_nv(struct digest *policy, struct view index_name, struct view operand, uint16_t offset,
                  uint16_t operation, struct err *err) MUST_USE;
/* The same for a counter: eight bytes from offset 0. */
int authpolicy_counter(struct digest *policy, struct view index_name, uint64_t operand, uint16_t operation,
                       struct err *err) MUST_USE;
int authpolicy_signed(struct digest *policy, struct view key_name, struct view policy_ref,
                      struct err *err) MUST_USE;
int authpolicy_secret(struct digest *policy, struct view entity_name, struct view policy_ref,
                      struct err *err) MUST_USE;
/* Forgets what was before: starts from zeros. */
int authpolicy_authorize(struct digest *policy, struct view key_name, struct view policy_ref,
                         struct err *err) MUST_USE;
/* Forgets what was before. 2 to 8 branches. Return: also -ERR_LIMIT. */
int authpolicy_or(struct digest *policy, const struct digest *branches, size_t n, struct err *err) MUST_USE;
int authpolicy_command_code(struct digest *policy, uint32_t code, struct err *err) MUST_USE;
int authpolicy_auth_value(struct digest *policy, struct err *err) MUST_USE;

/*
 * The write policy of our counters (SR-11): PolicyOR(PolicySigned(AGENT's key), PolicySecret(owner)), then
 * PolicyCommandCode(NV_Increment). RET_BRANCHES (or NULL): the digests that TPM2_PolicyOR wants.
 */
int authpolicy_of_counter(const struct pubkey *agent, struct digest ret_branches[2], struct digest *ret,
                          struct err *err) MUST_USE;

#endif
