/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_KDF_H
#define AVOW_CRYPTO_KDF_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"

/*
 * The TPM's key derivations. LABEL is used with its NUL, as the TPM does. RET has BYTES bytes.
 * Spec: TPM 2.0 Part 1, §11.4.10.2 (KDFa: NIST SP 800-108, counter mode, HMAC) and §11.4.10.3 (KDFe:
 * SP 800-56A concatenation).
 * Return: 0; -ERR_LIMIT for more than 1024 bytes; -ERR_CRYPTO.
 */
int kdf_a(enum digest_alg alg, struct view key, const char *label, struct view context_u,
          struct view context_v, uint8_t *ret, size_t bytes, struct err *err) MUST_USE;
int kdf_e(enum digest_alg alg, struct view z, const char *label, struct view party_u, struct view party_v,
          uint8_t *ret, size_t bytes, struct err *err) MUST_USE;

#endif
