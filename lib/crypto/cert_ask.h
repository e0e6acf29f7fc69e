/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_CERT_ASK_H
#define AVOW_CRYPTO_CERT_ASK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"
#include "crypto/cert.h"

/* What verifiers of a vendor's certificates ask beyond a chain check; extensions: crypto/cert_ext.h. */

/* The issuer's common name, if it has exactly one, of printable ASCII, that fits. */
bool cert_issuer_cn(const struct cert *cert, char *ret, size_t size) MUST_USE;

/* Signed with RSASSA-PSS, SHA-384, MGF1 with SHA-384, 48 bytes of salt? Spec: RFC 4055 §3.1. */
bool cert_signed_pss384(const struct cert *cert) MUST_USE;

/* Issued to itself, and signed with its own key. */
bool cert_self_signed(const struct cert *cert) MUST_USE;

/* Does it say that its key is for the use with the dotted OID (extended key usage)? One that names no use, or
 * any, says no such thing. */
bool cert_has_use(const struct cert *cert, const char *oid) MUST_USE;

/* May its key sign data: key usage digitalSignature, or none stated? */
bool cert_may_sign(const struct cert *cert) MUST_USE;

#endif
