/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_KEY_H
#define AVOW_CRYPTO_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "base/mem.h"
#include "crypto/pubkey.h"

/*
 * A private key in software: TLS keys, the audit log's, the AK issuer's. What must be a TPM's key is never
 * one of these.
 */
struct key;

int key_generate_ec(enum pubkey_curve curve, struct key **ret, struct err *err) MUST_USE;
int key_generate_rsa(unsigned bits, struct key **ret, struct err *err) MUST_USE;

/* From a PEM text (PKCS #8, or the older forms), not encrypted. Return: 0; -ERR_FORMAT. */
int key_from_pem(struct view pem, struct key **ret, struct err *err) MUST_USE;
/* From a file; the error names it. */
int key_load(const char *path, struct key **ret, struct err *err) MUST_USE;

/* PKCS #8 PEM text with a NUL that len counts not. */
int key_pem(const struct key *key, struct secret *ret, struct err *err) MUST_USE;

int key_public(const struct key *key, struct pubkey **ret, struct err *err) MUST_USE;

/*
 * Signs: ECDSA as r ‖ s, each padded to the field's size (the form of JWS and of a TPM's numbers); RSA as
 * RSASSA-PKCS1-v1_5. Appends to RET.
 */
int key_sign(const struct key *key, enum digest_alg hash, struct view message, struct buf *ret,
             struct err *err) MUST_USE;

/* Borrowed. For lib/crypto itself, and for tests that play a TPM. */
struct evp_pkey_st *key_evp(const struct key *key);

void key_free(struct key *key);
DEFINE_AUTO(struct key, key_free)

#endif
