/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_PKCS11_H
#define AVOW_TENANT_PKCS11_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/pubkey.h"

/*
 * A private key on a PKCS #11 token, named by a URI (RFC 7512): "pkcs11:token=owner;object=approval".
 * Attributes of the URI that count: token, manufacturer, serial, model, object, id, slot-id; module-path (a
 * module to load, else those that p11-kit is configured with), pin-source (a file), pin-value. EC P-256 or
 * P-384, or RSA.
 */
struct pkcs11_key;

/* Return: 0; -ERR_CONFIG for a URI that is none, or fits no key or several; -ERR_CRYPTO for a token's no. */
int pkcs11_open(const char *uri, struct pkcs11_key **ret, struct err *err) MUST_USE;
void pkcs11_close(struct pkcs11_key *key);
DEFINE_AUTO(struct pkcs11_key, pkcs11_close)

/* Its public half, from the token; the caller's. */
int pkcs11_public(struct pkcs11_key *key, struct pubkey **ret, struct err *err) MUST_USE;

/* Appends a signature with SHA-256 over MESSAGE: r ‖ s, or RSASSA-PKCS1-v1_5. */
int pkcs11_sign(struct pkcs11_key *key, struct view message, struct buf *ret, struct err *err) MUST_USE;

#endif
