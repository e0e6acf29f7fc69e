/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ed25519 for webhooks and modules. A key is its 32-byte seed, as the wire format of the consumers' libraries
 * has it, so that nothing here reads or writes key files. Spec: RFC 8032 §5.1.
 */
#include "crypto/ed25519.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "crypto/ossl.h"

static EVP_PKEY *load(struct view seed, struct err *err)
{
        EVP_PKEY *pkey;

        if (seed.len != ED25519_KEY_BYTES) {
                (void)err_set(err, ERR_FORMAT, 0, "an Ed25519 key has %zu bytes instead of 32", seed.len);
                return NULL;
        }
        pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed.p, seed.len);
        if (!pkey)
                (void)ossl_err(err, ERR_CRYPTO, "Ed25519 key");
        return pkey;
}

int ed25519_public(struct view seed, uint8_t ret[ED25519_KEY_BYTES], struct err *err)
{
        AUTO(EVP_PKEY_free_p) EVP_PKEY *pkey = load(seed, err);
        size_t len = ED25519_KEY_BYTES;

        if (!pkey)
                return -(int)err->kind;
        if (EVP_PKEY_get_raw_public_key(pkey, ret, &len) != 1)
                return ossl_err(err, ERR_CRYPTO, "Ed25519 public key");
        return 0;
}

int ed25519_sign(struct view seed, struct view message, uint8_t ret[ED25519_SIGNATURE_BYTES], struct err *err)
{
        AUTO(EVP_PKEY_free_p) EVP_PKEY *pkey = load(seed, err);
        AUTO(EVP_MD_CTX_free_p) EVP_MD_CTX *ctx = NULL;
        size_t len = ED25519_SIGNATURE_BYTES;

        if (!pkey)
                return -(int)err->kind;
        ctx = EVP_MD_CTX_new();
        if (!ctx)
                return err_nomem(err);
        if (EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) != 1 ||
            EVP_DigestSign(ctx, ret, &len, message.p, message.len) != 1)
                return ossl_err(err, ERR_CRYPTO, "Ed25519 signature");
        return 0;
}

int ed25519_from_pem(struct view pem, uint8_t ret[ED25519_KEY_BYTES], struct err *err)
{
        AUTO(BIO_free_all_p) BIO *bio = ossl_bio(pem);
        AUTO(EVP_PKEY_free_p) EVP_PKEY *pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
        size_t len = ED25519_KEY_BYTES;

        if (!pkey)
                return ossl_err(err, ERR_FORMAT, "the text holds no public key in PEM form");
        if (EVP_PKEY_get_id(pkey) != EVP_PKEY_ED25519)
                return err_set(err, ERR_FORMAT, 0, "the public key is not an Ed25519 key");
        return EVP_PKEY_get_raw_public_key(pkey, ret, &len) == 1
                       ? 0
                       : ossl_err(err, ERR_CRYPTO, "Ed25519 public key");
}

int ed25519_verify(const uint8_t key[ED25519_KEY_BYTES], struct view message, struct view signature,
                   bool *ret_good, struct err *err)
{
        AUTO(EVP_PKEY_free_p) EVP_PKEY *pkey = NULL;
        AUTO(EVP_MD_CTX_free_p) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

        *ret_good = false;
        if (!ctx)
                return err_nomem(err);
        if (signature.len != ED25519_SIGNATURE_BYTES)
                return 0;
        pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, ED25519_KEY_BYTES);
        *ret_good = pkey && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
                    EVP_DigestVerify(ctx, signature.p, signature.len, message.p, message.len) == 1;
        ERR_clear_error();
        return 0;
}
