/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_JWS_H
#define AVOW_CRYPTO_JWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/key.h"
#include "crypto/pubkey.h"

/*
 * JSON Web Signatures, one algorithm: ES256, compact form. Spec: RFC 7515, RFC 7518 §3.4, RFC 7517 (keys),
 * RFC 7638 (thumbprints). "alg" is never taken from the token: any other than ES256 is bad.
 */
#define JWS_BYTES_MAX (1024u * 1024u)
#define JWK_KID_BYTES 44 /* base64url of a SHA-256, and a NUL */

/* The RFC 7638 thumbprint of a P-256 key, which is its "kid". */
int jwk_kid(const struct pubkey *key, char kid[JWK_KID_BYTES], struct err *err) MUST_USE;

/* A P-256 key as a JWK, with kid, use and alg. */
int jwk_make(const struct pubkey *key, json_t **ret, struct err *err) MUST_USE;
/* {"keys":[…]} of P-256 keys, with kid, use and alg. free() the text. */
int jwks_make(const struct pubkey *const *keys, size_t n, char **ret, struct err *err) MUST_USE;

/* header.payload.signature with TYP (may be NULL) and the key's kid in the header. free() the text. */
int jws_sign(const struct key *key, const char *typ, struct view payload, char **ret,
             struct err *err) MUST_USE;

/*
 * Checks a token. Appends the payload to RET only if it is good: signed by KEY, and "typ" as given (NULL:
 * none is asked for). Return: 0 and the answer; a malformed token is bad, not an error. -ERR_CRYPTO,
 * -ERR_NOMEM.
 */
int jws_verify(const struct pubkey *key, const char *typ, struct view token, struct buf *ret, bool *ret_good,
               struct err *err) MUST_USE;

#endif
