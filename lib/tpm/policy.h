/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TPM_POLICY_H
#define AVOW_TPM_POLICY_H

/* Policy sessions and their steps, for the files of lib/tpm that fulfil a policy. */

#include "base/bytes.h"
#include "crypto/digest.h"
#include "crypto/pubkey.h"
#include "tpm/private.h"

#define TPM_NONCE_BYTES 32

/* A policy session for SHA-256, without a secret: for steps whose answers are no secrets. */
int tpm_policy_start(struct tpm *tpm, struct tpm_handle *ret, struct err *err) MUST_USE;
/* The same salted to EK, with AES-128-CFB: the answer of the command it authorises is encrypted. */
int tpm_policy_start_salted(struct tpm_ek *ek, struct tpm_handle *ret, struct err *err) MUST_USE;
/* A session that only computes. */
int tpm_policy_trial(struct tpm *tpm, struct tpm_handle *ret, struct err *err) MUST_USE;
int tpm_policy_digest(struct tpm *tpm, ESYS_TR session, struct digest *ret, struct err *err) MUST_USE;

int tpm_policy_nonce(struct tpm *tpm, ESYS_TR session, uint8_t ret[TPM_NONCE_BYTES],
                     struct err *err) MUST_USE;

/* Each loads what it needs and flushes it. PCR_DIGEST empty: the values of now, whatever they are. */
int tpm_policy_pcr(struct tpm *tpm, ESYS_TR session, enum digest_alg bank, uint32_t mask,
                   struct view pcr_digest, struct err *err) MUST_USE;
int tpm_policy_counter(struct tpm *tpm, ESYS_TR session, uint32_t index, uint64_t operand, TPM2_EO operation,
                       struct err *err) MUST_USE;
int tpm_policy_signed(struct tpm *tpm, ESYS_TR session, const struct pubkey *key, struct view nonce,
                      uint32_t lease_s, struct view policy_ref, struct view signature,
                      struct err *err) MUST_USE;
int tpm_policy_authorize(struct tpm *tpm, ESYS_TR session, const struct pubkey *key, struct view policy_ref,
                         struct view signature, struct err *err) MUST_USE;

/* An NV index as an ESYS object: Esys_TR_Close() it. */
int tpm_nv_open(struct tpm *tpm, uint32_t index, ESYS_TR *ret, struct err *err) MUST_USE;
bool tpm_nv_is_missing(const struct err *err);

#endif
