/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_ED25519_H
#define AVOW_CRYPTO_ED25519_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"

/* Ed25519 over raw keys: Standard Webhooks' `v1a` signatures, NKEYs, signatures of modules. Spec: RFC 8032.
 */
#define ED25519_KEY_BYTES       32
#define ED25519_SIGNATURE_BYTES 64

/* The public key of a seed of 32 bytes. Return: 0; -ERR_FORMAT for another length; -ERR_CRYPTO. */
int ed25519_public(struct view seed, uint8_t ret[ED25519_KEY_BYTES], struct err *err) MUST_USE;

/* Signs with a seed of 32 bytes. Return: as above. */
int ed25519_sign(struct view seed, struct view message, uint8_t ret[ED25519_SIGNATURE_BYTES],
                 struct err *err) MUST_USE;

/* The public key in a PEM text. Return: 0; -ERR_FORMAT for what holds none, or one of another kind. */
int ed25519_from_pem(struct view pem, uint8_t ret[ED25519_KEY_BYTES], struct err *err) MUST_USE;

/* Did the public KEY sign? Return: 0 with the answer (a signature of another length, or a key that is no
 * point, is no); -ERR_NOMEM. */
int ed25519_verify(const uint8_t key[ED25519_KEY_BYTES], struct view message, struct view signature,
                   bool *ret_good, struct err *err) MUST_USE;

#endif
