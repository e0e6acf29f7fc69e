/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_TPM_SIGNATURE_H
#define AVOW_EVIDENCE_TPM_SIGNATURE_H

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/pubkey.h"
#include "evidence/tpm_public.h"

/*
 * A TPM's signature: RSASSA, RSAPSS or ECDSA. Spec: TPM 2.0 Library Part 2 rev 1.59 §11.3.4 (TPMT_SIGNATURE).
 */

#define TPM_SIGNATURE_BYTES_MAX 1024

/* Nothing may follow. RET's views borrow from IN. Return: 0; -ERR_FORMAT, -ERR_LIMIT. */
int tpm_signature_parse(struct view in, struct signature *ret, struct err *err) MUST_USE;

/*
 * Checks the TPMT_SIGNATURE over MESSAGE with AK, in the scheme and hash that AK's public area fixes: a
 * signature of another scheme is not good. A malformed signature is not good either, and says nothing more.
 * KEY is AK's key if the caller has it at hand (making one costs half a check), or NULL.
 * Return: 0 with the answer in *ret_good; -ERR_CRYPTO, -ERR_NOMEM if nothing could be decided.
 */
int tpm_signature_check(const struct tpm_public *ak, const struct pubkey *key, struct view signature,
                        struct view message, bool *ret_good, struct err *err) MUST_USE;

#endif
