/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes for one EK. A random seed goes to the EK (OAEP, or one half of an ECDH) under a label that says what
 * for; from it and the name of the object come the key that hides the bytes and the key that authenticates
 * them. Credentials (label IDENTITY) and duplicated objects (DUPLICATE) differ in label and content alone.
 *
 * Sizes are those of the EK's name algorithm and symmetric cipher, not constants: the high-range P-384
 * template has SHA-384 and AES-256.
 *
 * Spec: TPM 2.0 Part 1 rev 1.59, §23.3.2.2 and §24.5 (outer wrapper), B.4 and B.10 (RSA: OAEP, label with
 * its NUL), C.6.4 and C.7 (ECC: ephemeral key, KDFe).
 */
#include "crypto/seed.h"

#include <openssl/rsa.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/kdf.h"
#include "crypto/key.h"
#include "crypto/ossl.h"
#include "crypto/random.h"

#define LABEL_STORAGE   "STORAGE"
#define LABEL_INTEGRITY "INTEGRITY"

/* RSA: the seed is random, encrypted with OAEP under the label and its NUL. */
static int seed_rsa(const struct credential_ek *ek, const char *label_text, uint8_t *seed, size_t size,
                    struct buf *ret, struct err *err)
{
        AUTO(EVP_PKEY_CTX_free_p)
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pubkey_evp(ek->key), NULL);
        uint8_t secret[512];
        size_t len = sizeof(secret);
        char *label = OPENSSL_strdup(label_text);

        if (random_bytes(seed, size, err) < 0) {
                OPENSSL_free(label);
                return -ERR_CRYPTO;
        }
        if (!ctx || !label || EVP_PKEY_encrypt_init(ctx) != 1 ||
            EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1 ||
            EVP_PKEY_CTX_set_rsa_oaep_md(ctx, ossl_md(ek->name_alg)) != 1 ||
            EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, ossl_md(ek->name_alg)) != 1 ||
            EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, label, (int)strlen(label_text) + 1) != 1) {
                OPENSSL_free(label);
                return ossl_err(err, ERR_CRYPTO, "OAEP");
        }
        if (EVP_PKEY_encrypt(ctx, secret, &len, seed, size) != 1) /* the label is CTX's now */
                return ossl_err(err, ERR_CRYPTO, "OAEP");
        buf_be16_bytes(ret, VIEW(secret, len));
        return buf_ok(ret) ? 0 : err_nomem(err);
}

/* The x coordinate of the product, padded to the field. */
static int ecdh(const struct key *ours, const struct pubkey *theirs, uint8_t *z, size_t size, struct err *err)
{
        AUTO(EVP_PKEY_CTX_free_p)
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key_evp(ours), NULL);
        size_t len = size;

        if (!ctx || EVP_PKEY_derive_init(ctx) != 1 ||
            EVP_PKEY_derive_set_peer(ctx, pubkey_evp(theirs)) != 1 || EVP_PKEY_derive(ctx, z, &len) != 1 ||
            len != size)
                return ossl_err(err, ERR_CRYPTO, "ECDH");
        return 0;
}

/* ECC: the seed is derived from an ephemeral key, whose point is the "encrypted" secret. */
static int seed_ecc(const struct credential_ek *ek, const char *label, uint8_t *seed, size_t size,
                    struct buf *ret, struct err *err)
{
        AUTO(key_free_p)
        struct key *ephemeral = NULL;
        AUTO(pubkey_free_p)
        struct pubkey *ephemeral_pub = NULL;
        size_t field = pubkey_curve_bytes(pubkey_curve(ek->key));
        struct buf ours_x = {0}, ours_y = {0}, ek_x = {0}, ek_y = {0}, point = {0};
        uint8_t z[66];
        int r = key_generate_ec(pubkey_curve(ek->key), &ephemeral, err);

        if (r >= 0)
                r = key_public(ephemeral, &ephemeral_pub, err);
        if (r >= 0)
                r = pubkey_ec_point(ephemeral_pub, &ours_x, &ours_y, err);
        if (r >= 0)
                r = pubkey_ec_point(ek->key, &ek_x, &ek_y, err);
        if (r >= 0)
                r = ecdh(ephemeral, ek->key, z, field, err);
        if (r >= 0)
                r = kdf_e(ek->name_alg, VIEW(z, field), label, VIEW_BUF(&ours_x), VIEW_BUF(&ek_x), seed, size,
                          err);
        if (r >= 0) {
                buf_be16_bytes(&point, VIEW_BUF(&ours_x));
                buf_be16_bytes(&point, VIEW_BUF(&ours_y));
                buf_be16_bytes(ret, VIEW_BUF(&point));
                if (!buf_ok(&point) || !buf_ok(ret))
                        r = err_nomem(err);
        }
        mem_wipe(z, sizeof(z));
        buf_free(&ours_x);
        buf_free(&ours_y);
        buf_free(&ek_x);
        buf_free(&ek_y);
        buf_free(&point);
        return r;
}

static const EVP_CIPHER *cipher_of(unsigned aes_bits)
{
        return aes_bits == 128   ? EVP_aes_128_cfb128()
               : aes_bits == 192 ? EVP_aes_192_cfb128()
               : aes_bits == 256 ? EVP_aes_256_cfb128()
                                 : NULL;
}

static int aes_cfb(unsigned aes_bits, const uint8_t *key, struct view plain, uint8_t *ret, struct err *err)
{
        static const uint8_t zero_iv[16] = {0};
        AUTO(EVP_CIPHER_CTX_free_p)
        EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
        int len = 0;

        if (!ctx || EVP_EncryptInit_ex2(ctx, cipher_of(aes_bits), key, zero_iv, NULL) != 1 ||
            EVP_EncryptUpdate(ctx, ret, &len, plain.p, (int)plain.len) != 1 || (size_t)len != plain.len)
                return ossl_err(err, ERR_CRYPTO, "AES-CFB");
        return 0;
}

int seed_usable(const struct credential_ek *ek, struct err *err)
{
        if (digest_size(ek->name_alg) == 0 || !cipher_of(ek->aes_bits))
                return err_set(err, ERR_FORMAT, 0, "an EK with name algorithm 0x%04x and AES-%u",
                               (unsigned)ek->name_alg, ek->aes_bits);
        return 0;
}

int seed_make(const struct credential_ek *ek, const char *label, uint8_t *seed, size_t size, struct buf *ret,
              struct err *err)
{
        return (pubkey_type(ek->key) == PUBKEY_RSA ? seed_rsa : seed_ecc)(ek, label, seed, size, ret, err);
}

int seed_wrap(const struct credential_ek *ek, struct view seed, struct view name, struct view plain,
              struct buf *ret, struct err *err)
{
        uint8_t sym_key[32], mac_key[DIGEST_BYTES_MAX];
        uint8_t hidden[SEED_PLAIN_BYTES_MAX];
        const struct view covered[] = {VIEW(hidden, plain.len), name};
        size_t size = digest_size(ek->name_alg);
        struct digest mac;
        int r;

        if (plain.len > sizeof(hidden))
                return err_set(err, ERR_LIMIT, 0, "%zu bytes to wrap (at most %zu)", plain.len,
                               sizeof(hidden));
        r = kdf_a(ek->name_alg, seed, LABEL_STORAGE, name, VIEW_NONE, sym_key, ek->aes_bits / 8, err);
        if (r >= 0)
                r = aes_cfb(ek->aes_bits, sym_key, plain, hidden, err);
        if (r >= 0)
                r = kdf_a(ek->name_alg, seed, LABEL_INTEGRITY, VIEW_NONE, VIEW_NONE, mac_key, size, err);
        if (r >= 0)
                r = hmac_parts(ek->name_alg, VIEW(mac_key, size), covered, ARRAY_LEN(covered), &mac, err);
        mem_wipe(sym_key, sizeof(sym_key));
        mem_wipe(mac_key, sizeof(mac_key));
        if (r < 0)
                return r;
        buf_be16(ret, (uint16_t)(2 + mac.len + plain.len));
        buf_be16_bytes(ret, digest_view(&mac));
        buf_put(ret, hidden, plain.len);
        return buf_ok(ret) ? 0 : err_nomem(err);
}
