/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_OSSL_PSS_H
#define AVOW_CRYPTO_OSSL_PSS_H

#include <openssl/x509.h>
#include <stdbool.h>

#include "base/macro.h"

/* RSASSA-PSS with SHA-384, MGF1 with SHA-384 and 48 bytes of salt? For lib/crypto itself. */
bool ossl_is_pss384(const X509_ALGOR *alg) MUST_USE;

#endif
