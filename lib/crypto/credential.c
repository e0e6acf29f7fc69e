/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TPM2_MakeCredential in software. A random seed goes to the EK (OAEP, or one half of an ECDH); from it and
 * the name of the object to be proven come the key that hides the challenge and the key that authenticates
 * it. A TPM opens it only if it holds the EK and an object of that name is loaded: so whoever tells the
 * challenge has both in one TPM. What kind of object that is, the name's public area has to tell (SR-10).
 *
 * Sizes are those of the EK's name algorithm and symmetric cipher, not constants: the high-range P-384
 * template has SHA-384 and AES-256.
 *
 * Spec: TPM 2.0 Part 1 rev 1.59, §24 (credentials), B.4 and B.10.4 (RSA: OAEP, label with its NUL), C.6.4
 * (ECC: ephemeral key, KDFe); Part 2 §12.4.3 (TPM2B_ID_OBJECT).
 */
#include "crypto/credential.h"

#include <openssl/rsa.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/kdf.h"
#include "crypto/key.h"
#include "crypto/ossl.h"
#include "crypto/random.h"

#define LABEL_IDENTITY  "IDENTITY"
#define LABEL_STORAGE   "STORAGE"
#define LABEL_INTEGRITY "INTEGRITY"

/* RSA: the seed is random, encrypted with OAEP under the label "IDENTITY\0". */
static int seed_rsa(const struct credential_ek *ek, uint8_t *seed, size_t size, struct buf *ret,
                    struct err *err)
{
        AUTO(EVP_PKEY_CTX_free_p)
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pubkey_evp(ek->key), NULL);
        uint8_t secret[512];
        size_t len = sizeof(secret);
        char *label = OPENSSL_strdup(LABEL_IDENTITY);

        if (random_bytes(seed, size, err) < 0) {
                OPENSSL_free(label);
                return -ERR_CRYPTO;
        }
        if (!ctx || !label || EVP_PKEY_encrypt_init(ctx) != 1 ||
            EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1 ||
            EVP_PKEY_CTX_set_rsa_oaep_md(ctx, ossl_md(ek->name_alg)) != 1 ||
            EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, ossl_md(ek->name_alg)) != 1 ||
            EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, label, sizeof(LABEL_IDENTITY)) != 1) {
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
static int seed_ecc(const struct credential_ek *ek, uint8_t *seed, size_t size, struct buf *ret,
                    struct err *err)
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
                r = kdf_e(ek->name_alg, VIEW(z, field), LABEL_IDENTITY, VIEW_BUF(&ours_x), VIEW_BUF(&ek_x),
                          seed, size, err);
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

/* From the seed: hide and authenticate the challenge. */
static int wrap(const struct credential_ek *ek, struct view seed, struct view name, struct view challenge,
                struct buf *ret, struct err *err)
{
        uint8_t sym_key[32], mac_key[DIGEST_BYTES_MAX], identity[2 + DIGEST_BYTES_MAX];
        struct view plain = VIEW(identity, challenge.len + 2);
        uint8_t hidden[2 + DIGEST_BYTES_MAX];
        const struct view covered[] = {VIEW(hidden, plain.len), name};
        size_t size = digest_size(ek->name_alg);
        struct digest mac;
        int r;

        identity[0] = (uint8_t)(challenge.len >> 8);
        identity[1] = (uint8_t)challenge.len;
        memcpy(identity + 2, challenge.p, challenge.len);
        r = kdf_a(ek->name_alg, seed, LABEL_STORAGE, name, VIEW_NONE, sym_key, ek->aes_bits / 8, err);
        if (r >= 0)
                r = aes_cfb(ek->aes_bits, sym_key, plain, hidden, err);
        if (r >= 0)
                r = kdf_a(ek->name_alg, seed, LABEL_INTEGRITY, VIEW_NONE, VIEW_NONE, mac_key, size, err);
        if (r >= 0)
                r = hmac_parts(ek->name_alg, VIEW(mac_key, size), covered, ARRAY_LEN(covered), &mac, err);
        mem_wipe(sym_key, sizeof(sym_key));
        mem_wipe(mac_key, sizeof(mac_key));
        mem_wipe(identity, sizeof(identity));
        if (r < 0)
                return r;
        buf_be16(ret, (uint16_t)(2 + mac.len + plain.len));
        buf_be16_bytes(ret, digest_view(&mac));
        buf_put(ret, hidden, plain.len);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int credential_make(const struct credential_ek *ek, struct view name, struct view challenge,
                    struct buf *ret_id_object, struct buf *ret_secret, struct err *err)
{
        uint8_t seed[DIGEST_BYTES_MAX];
        size_t size = digest_size(ek->name_alg);
        int r;

        if (size == 0 || !cipher_of(ek->aes_bits))
                return err_set(err, ERR_FORMAT, 0, "an EK with name algorithm 0x%04x and AES-%u",
                               (unsigned)ek->name_alg, ek->aes_bits);
        if (challenge.len > size)
                return err_set(err, ERR_LIMIT, 0, "a challenge of %zu bytes; this EK takes %zu",
                               challenge.len, size);
        r = (pubkey_type(ek->key) == PUBKEY_RSA ? seed_rsa : seed_ecc)(ek, seed, size, ret_secret, err);
        if (r >= 0)
                r = wrap(ek, VIEW(seed, size), name, challenge, ret_id_object, err);
        mem_wipe(seed, sizeof(seed));
        return r < 0 ? err_wrap(err, "make a credential") : 0;
}

int credential_make_file(const struct credential_ek *ek, struct view name, struct view challenge,
                         struct buf *ret, struct err *err)
{
        struct buf id_object = {0}, secret = {0};
        int r = credential_make(ek, name, challenge, &id_object, &secret, err);

        if (r >= 0) {
                buf_be32(ret, CREDENTIAL_FILE_MAGIC);
                buf_be32(ret, CREDENTIAL_FILE_VERSION);
                buf_put_view(ret, VIEW_BUF(&id_object));
                buf_put_view(ret, VIEW_BUF(&secret));
                r = buf_ok(ret) ? 0 : err_nomem(err);
        }
        buf_free(&id_object);
        buf_free(&secret);
        return r;
}
