/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_CERT_EXT_H
#define AVOW_CRYPTO_CERT_EXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/cert.h"

/* What processor makers' certificates need besides crypto/cert.h: extensions of their own, single links. */

/*
 * The extension with the dotted OID: the content of its OCTET STRING, borrowed, in *ret (VIEW_NONE if there
 * is none). Return: how often the OID stands in the certificate; more than once gives the first and must be
 * refused (RFC 5280 §4.2: "MUST NOT include more than one instance").
 */
size_t cert_extension(const struct cert *cert, const char *oid, struct view *ret) MUST_USE;

/*
 * One link: is ISSUER's subject CERT's issuer, and is CERT's signature ISSUER's? Says nothing about dates,
 * CA flags or trust. Return: 0 and the answer.
 */
int cert_signed_by(const struct cert *cert, const struct cert *issuer, bool *ret_good,
                   struct err *err) MUST_USE;

#endif
