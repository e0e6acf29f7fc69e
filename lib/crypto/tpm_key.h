/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_TPM_KEY_H
#define AVOW_CRYPTO_TPM_KEY_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/key.h"
#include "crypto/pubkey.h"

/*
 * A key of ours that a TPM checks signatures with: approval keys, roots, release keys, an agent's counter
 * key. Policies name it by its TPM name, so everybody has to write the same public area for it. It is the one
 * that `tpm2_loadexternal -u KEY.pem` makes: userWithAuth, decrypt, sign, name algorithm SHA-256, no scheme.
 * Spec: TPM 2.0 Part 2 §12.2.4; Part 3, TPM2_LoadExternal.
 */
#define TPM_KEY_NAME_BYTES 34 /* SHA-256's number and the digest */

/* Appends the TPM2B_PUBLIC. Return: 0; -ERR_FORMAT for RSA under 2048 or over 4096 bits; -ERR_NOMEM. */
int tpm_key_public(const struct pubkey *key, struct buf *ret, struct err *err) MUST_USE;
int tpm_key_name(const struct pubkey *key, uint8_t ret[TPM_KEY_NAME_BYTES], struct err *err) MUST_USE;

/*
 * Appends a TPMT_SIGNATURE with SHA-256: from a signature as key_sign() gives it (or a PKCS #11 token: r ‖ s,
 * RSASSA); by signing MESSAGE, which is hashed here.
 */
int tpm_key_signature(const struct pubkey *key, struct view raw, struct buf *ret, struct err *err) MUST_USE;
int tpm_key_sign(const struct key *key, struct view message, struct buf *ret, struct err *err) MUST_USE;

#endif
