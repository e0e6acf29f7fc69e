/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_OSSL_H
#define AVOW_CRYPTO_OSSL_H

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"

/* What the files of lib/crypto share about OpenSSL; nobody else includes this. */

/* ERR_CRYPTO with OpenSSL's own reason behind the text, and OpenSSL's error queue emptied. Return: -kind. */
int ossl_err(struct err *err, enum err_kind kind, const char *fmt, ...) PRINTF(3, 4);

/* A memory BIO that reads V; NULL when out of memory. */
BIO *ossl_bio(struct view v) MUST_USE;

/* Appends what a memory BIO holds. */
void ossl_bio_take(BIO *bio, struct buf *ret);

const EVP_MD *ossl_md(int digest_alg);

DEFINE_AUTO(BIO, BIO_free_all)
DEFINE_AUTO(BIGNUM, BN_free)
DEFINE_AUTO(EC_POINT, EC_POINT_free)
DEFINE_AUTO(EC_GROUP, EC_GROUP_free)
DEFINE_AUTO(ECDSA_SIG, ECDSA_SIG_free)
DEFINE_AUTO(EVP_PKEY, EVP_PKEY_free)
DEFINE_AUTO(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
DEFINE_AUTO(EVP_MD_CTX, EVP_MD_CTX_free)
DEFINE_AUTO(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
DEFINE_AUTO(X509, X509_free)

#endif
