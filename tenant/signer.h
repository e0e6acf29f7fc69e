/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_SIGNER_H
#define AVOW_TENANT_SIGNER_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/key.h"
#include "wire/owner.h"

/*
 * An owner's private key: a PEM file, or one that a PKCS #11 token keeps ("pkcs11:token=…;object=…", RFC
 * 7512). It is used where the owner is, never on a server (SR-12).
 */
struct signer;

/* SPEC: a file, or a URI. Return: 0; -ERR_IO, -ERR_FORMAT; -ERR_CONFIG for a token or key that is not there;
 * -ERR_CRYPTO with the token's own reason. */
int signer_open(const char *spec, struct signer **ret, struct err *err) MUST_USE;
void signer_free(struct signer *s);
DEFINE_AUTO(struct signer, signer_free)

const struct pubkey *signer_public(const struct signer *s); /* borrowed */

/* Appends the TPMT_SIGNATURE with SHA-256 over MESSAGE. */
int signer_sign(struct signer *s, struct view message, struct buf *ret, struct err *err) MUST_USE;

/* Appends an ECDSA signature with SHA-256 over MESSAGE as r ‖ s, or RSASSA's bytes. Not checked. */
int signer_sign_raw(struct signer *s, struct view message, struct buf *ret, struct err *err) MUST_USE;

/* The signer, as a root, vouches for KEY. */
int signer_delegate(struct signer *root, const struct secret_scope *scope, const struct pubkey *key,
                    struct delegation *ret, struct err *err) MUST_USE;

#endif
