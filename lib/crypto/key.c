/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private keys in software. Reading one from a PEM text is done with a passphrase callback that gives none:
 * without it OpenSSL would ask on the terminal, and a daemon would hang at its start.
 *
 * Spec: RFC 5958 (PKCS #8), RFC 7518 §3.4 (the r ‖ s form), FIPS 186-4 §6, RFC 8017 §8.2.
 */
#include "crypto/key.h"

#include <openssl/pem.h>
#include <string.h>

#include "base/file.h"
#include "crypto/ossl.h"

#define KEY_FILE_BYTES_MAX 65536

struct key {
        EVP_PKEY *pkey;
};

static int no_passphrase(char *text, int size, int rwflag, void *userdata)
{
        (void)text, (void)size, (void)rwflag, (void)userdata;
        return -1;
}

static int key_new(EVP_PKEY *pkey, struct key **ret, struct err *err)
{
        struct key *key = mem_zalloc(1, sizeof(*key));

        if (!key) {
                EVP_PKEY_free(pkey);
                return err_nomem(err);
        }
        key->pkey = pkey;
        *ret = key;
        return 0;
}

int key_generate_ec(enum pubkey_curve curve, struct key **ret, struct err *err)
{
        static const struct {
                enum pubkey_curve curve;
                const char *name;
        } names[] = {{CURVE_P256, "P-256"}, {CURVE_P384, "P-384"}, {CURVE_P521, "P-521"}};
        EVP_PKEY *pkey = NULL;

        for (size_t i = 0; i < ARRAY_LEN(names); i++)
                if (names[i].curve == curve)
                        pkey = EVP_EC_gen(names[i].name);
        if (!pkey)
                return ossl_err(err, ERR_CRYPTO, "making an ECC key");
        return key_new(pkey, ret, err);
}

int key_generate_rsa(unsigned bits, struct key **ret, struct err *err)
{
        EVP_PKEY *pkey = EVP_RSA_gen(bits);

        if (!pkey)
                return ossl_err(err, ERR_CRYPTO, "making an RSA key");
        return key_new(pkey, ret, err);
}

int key_from_pem(struct view pem, struct key **ret, struct err *err)
{
        AUTO(BIO_free_all_p)
        BIO *bio = ossl_bio(pem);
        EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

        if (!pkey)
                return ossl_err(err, ERR_FORMAT, "no private key without a passphrase, in PEM form");
        return key_new(pkey, ret, err);
}

int key_load(const char *path, struct key **ret, struct err *err)
{
        struct buf pem = {0};
        int r = file_read(path, KEY_FILE_BYTES_MAX, &pem, err);

        if (r >= 0 && key_from_pem(VIEW_BUF(&pem), ret, err) < 0)
                r = err_wrap(err, "'%s'", path);
        if (pem.p)
                mem_wipe(pem.p, pem.len);
        buf_free(&pem);
        return r;
}

int key_pem(const struct key *key, struct secret *ret, struct err *err)
{
        AUTO(BIO_free_all_p)
        BIO *bio = BIO_new(BIO_s_secmem());
        struct secret text;
        char *data = NULL;
        long len;

        if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) != 1)
                return ossl_err(err, ERR_CRYPTO, "encoding a private key");
        len = BIO_get_mem_data(bio, &data);
        if (len <= 0 || secret_alloc(&text, (size_t)len + 1) < 0)
                return err_nomem(err);
        memcpy(text.p, data, (size_t)len);
        text.len = (size_t)len;
        mem_wipe(data, (size_t)len);
        *ret = text;
        return 0;
}

int key_public(const struct key *key, struct pubkey **ret, struct err *err)
{
        uint8_t *der = NULL;
        int len = i2d_PUBKEY(key->pkey, &der);
        int r;

        if (len <= 0)
                return ossl_err(err, ERR_CRYPTO, "public half of a key");
        r = pubkey_from_spki(VIEW(der, (size_t)len), ret, err);
        OPENSSL_free(der);
        return r;
}

/* An ECDSA signature's two numbers out of DER, padded. */
static int put_raw_ecdsa(struct view der, size_t size, struct buf *ret, struct err *err)
{
        const uint8_t *p = der.p;
        AUTO(ECDSA_SIG_free_p)
        ECDSA_SIG *es = d2i_ECDSA_SIG(NULL, &p, (long)der.len);
        uint8_t raw[2 * 66];

        if (!es || size == 0 || BN_bn2binpad(ECDSA_SIG_get0_r(es), raw, (int)size) < 0 ||
            BN_bn2binpad(ECDSA_SIG_get0_s(es), raw + size, (int)size) < 0)
                return ossl_err(err, ERR_CRYPTO, "ECDSA signature");
        buf_put(ret, raw, 2 * size);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int key_sign(const struct key *key, enum digest_alg hash, struct view message, struct buf *ret,
             struct err *err)
{
        AUTO(EVP_MD_CTX_free_p)
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        const uint8_t *p = message.p ? message.p : (const uint8_t *)"";
        uint8_t sig[1024]; /* RSA-4096 has 512, P-521 139 */
        size_t len = sizeof(sig);

        if (!ctx || EVP_DigestSignInit(ctx, NULL, ossl_md(hash), NULL, key->pkey) != 1 ||
            EVP_DigestSign(ctx, sig, &len, p, message.len) != 1)
                return ossl_err(err, ERR_CRYPTO, "signing");
        if (EVP_PKEY_get_base_id(key->pkey) == EVP_PKEY_EC)
                return put_raw_ecdsa(VIEW(sig, len), ((size_t)EVP_PKEY_get_bits(key->pkey) + 7) / 8, ret,
                                     err);
        buf_put(ret, sig, len);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

EVP_PKEY *key_evp(const struct key *key)
{
        return key->pkey;
}

void key_free(struct key *key)
{
        if (!key)
                return;
        EVP_PKEY_free(key->pkey);
        free(key);
}
