/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checking signatures. The scheme and the hash come with the signature, so they are an attacker's choice:
 * what is allowed of them is the caller's policy; here they only have to fit the key. A TPM gives ECDSA
 * signatures as two numbers, which are put into the DER form that OpenSSL reads; it refuses zero and numbers
 * that are not below the order.
 *
 * Spec: RFC 8017 §8 (RSASSA-PKCS1-v1_5, RSASSA-PSS), FIPS 186-4 §6; TPM 2.0 Part 2 §11.3 (TPMT_SIGNATURE).
 */
#include <openssl/rsa.h>

#include "crypto/ossl.h"
#include "crypto/pubkey.h"

/* r and s as DER. Return: 1; 0 if they cannot be a signature on this curve; <0. */
static int ecdsa_der(const struct pubkey *key, const struct signature *sig, struct buf *ret, struct err *err)
{
        AUTO(ECDSA_SIG_free_p)
        ECDSA_SIG *es = ECDSA_SIG_new();
        size_t max = pubkey_curve_bytes(pubkey_curve(key));
        BIGNUM *r, *s;
        uint8_t *der = NULL;
        int len;

        if (sig->r.len > max || sig->s.len > max)
                return 0;
        r = BN_bin2bn(sig->r.p, (int)sig->r.len, NULL);
        s = BN_bin2bn(sig->s.p, (int)sig->s.len, NULL);
        if (!es || !r || !s || ECDSA_SIG_set0(es, r, s) != 1) {
                BN_free(r);
                BN_free(s);
                return ossl_err(err, ERR_CRYPTO, "ECDSA signature");
        }
        len = i2d_ECDSA_SIG(es, &der);
        if (len <= 0)
                return ossl_err(err, ERR_CRYPTO, "ECDSA signature");
        buf_put(ret, der, (size_t)len);
        OPENSSL_free(der);
        return buf_ok(ret) ? 1 : err_nomem(err);
}

int signature_der(const struct pubkey *key, const struct signature *sig, struct buf *ret, struct err *err)
{
        int r = ecdsa_der(key, sig, ret, err);

        return r == 0  ? err_set(err, ERR_FORMAT, 0, "numbers that are no signature of this key")
               : r < 0 ? r
                       : 0;
}

/* Checks SIG, in the form that EVP wants. */
static int evp_verify(const struct pubkey *key, const struct signature *sig, struct view bytes,
                      struct view message, bool *ret_good, struct err *err)
{
        AUTO(EVP_MD_CTX_free_p)
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        EVP_PKEY_CTX *pctx = NULL;
        int padding = sig->scheme == SIG_RSAPSS ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;
        struct err unused = ERR_INIT;

        if (!ctx || EVP_DigestVerifyInit(ctx, &pctx, ossl_md(sig->hash), NULL, pubkey_evp(key)) != 1)
                return ossl_err(err, ERR_CRYPTO, "checking a signature");
        if (pubkey_type(key) == PUBKEY_RSA && EVP_PKEY_CTX_set_rsa_padding(pctx, padding) != 1)
                return ossl_err(err, ERR_CRYPTO, "checking a signature");
        if (sig->scheme == SIG_RSAPSS && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_AUTO) != 1)
                return ossl_err(err, ERR_CRYPTO, "checking a signature");
        *ret_good = EVP_DigestVerify(ctx, bytes.p, bytes.len, message.p ? message.p : (const uint8_t *)"",
                                     message.len) == 1;
        if (!*ret_good)
                (void)ossl_err(&unused, ERR_CRYPTO, "empties the queue: a bad signature is an answer");
        return 0;
}

int pubkey_verify(const struct pubkey *key, const struct signature *sig, struct view message, bool *ret_good,
                  struct err *err)
{
        struct buf der = {0};
        int r;

        if (!ossl_md(sig->hash) || (sig->scheme == SIG_ECDSA) != (pubkey_type(key) == PUBKEY_ECC) ||
            (sig->scheme != SIG_ECDSA && sig->scheme != SIG_RSASSA && sig->scheme != SIG_RSAPSS)) {
                *ret_good = false;
                return 0;
        }
        if (sig->scheme != SIG_ECDSA)
                return evp_verify(key, sig, sig->rsa, message, ret_good, err);
        r = ecdsa_der(key, sig, &der, err);
        if (r > 0)
                r = evp_verify(key, sig, VIEW_BUF(&der), message, ret_good, err);
        else if (r == 0)
                *ret_good = false;
        buf_free(&der);
        return r;
}

int pubkey_verify_digest(const struct pubkey *key, enum sig_scheme scheme, const struct digest *digest,
                         struct view signature, bool *ret_good, struct err *err)
{
        AUTO(EVP_PKEY_CTX_free_p)
        EVP_PKEY_CTX *ctx = NULL;
        int padding = scheme == SIG_RSAPSS ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;
        struct err unused = ERR_INIT;

        *ret_good = false;
        if (!ossl_md(digest->alg) || (scheme == SIG_ECDSA) != (pubkey_type(key) == PUBKEY_ECC))
                return 0;
        ctx = EVP_PKEY_CTX_new(pubkey_evp(key), NULL);
        if (!ctx || EVP_PKEY_verify_init(ctx) != 1)
                return ossl_err(err, ERR_CRYPTO, "checking a signature");
        if (scheme != SIG_ECDSA && EVP_PKEY_CTX_set_rsa_padding(ctx, padding) != 1)
                return ossl_err(err, ERR_CRYPTO, "checking a signature");
        if (EVP_PKEY_CTX_set_signature_md(ctx, ossl_md(digest->alg)) != 1)
                return ossl_err(err, ERR_CRYPTO, "checking a signature");
        *ret_good = EVP_PKEY_verify(ctx, signature.p, signature.len, digest->b, digest->len) == 1;
        if (!*ret_good)
                (void)ossl_err(&unused, ERR_CRYPTO, "empties the queue: a bad signature is an answer");
        return 0;
}
