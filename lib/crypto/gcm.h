/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_GCM_H
#define AVOW_CRYPTO_GCM_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "base/mem.h"

/* AES-256-GCM over a whole message. Spec: NIST SP 800-38D; RFC 5116 (AEAD_AES_256_GCM). */
#define GCM_KEY_BYTES   32
#define GCM_NONCE_BYTES 12
#define GCM_TAG_BYTES   16

/* Appends nonce ‖ ciphertext ‖ tag, with a random nonce: use a key for a few messages only. Return: 0;
 * -ERR_CRYPTO (also for a key of another size), -ERR_NOMEM. */
int gcm_seal(struct view key, struct view associated, struct view plain, struct buf *ret,
             struct err *err) MUST_USE;

/* Opens what gcm_seal() made. Return: 0; -ERR_CRYPTO if it was changed, or made with another key or other
 * associated data; nothing is given out then. -ERR_FORMAT if it holds no byte; -ERR_NOMEM. */
int gcm_open(struct view key, struct view associated, struct view sealed, struct secret *ret,
             struct err *err) MUST_USE;

#endif
