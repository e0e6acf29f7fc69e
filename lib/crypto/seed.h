/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_SEED_H
#define AVOW_CRYPTO_SEED_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/credential.h"

/* What credentials and duplicated objects share: a seed for an EK, and the outer wrapper made from it. For
 * lib/crypto itself. */

#define SEED_PLAIN_BYTES_MAX 512

/* Return: 0; -ERR_FORMAT if seeds cannot be sent to such an EK. */
int seed_usable(const struct credential_ek *ek, struct err *err) MUST_USE;

/* A new seed of SIZE bytes (the name algorithm's), the caller's to wipe; appends its TPM2B_ENCRYPTED_SECRET.
 */
int seed_make(const struct credential_ek *ek, const char *label, uint8_t *seed, size_t size, struct buf *ret,
              struct err *err) MUST_USE;

/* Appends size ‖ TPM2B integrity ‖ encrypted PLAIN: the form of TPM2B_ID_OBJECT and TPM2B_PRIVATE. */
int seed_wrap(const struct credential_ek *ek, struct view seed, struct view name, struct view plain,
              struct buf *ret, struct err *err) MUST_USE;

#endif
