/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TPM's half of a credential, written from TPM 2.0 Part 1 §24 for the tests: it shares only the key
 * derivations with the code it checks, and those are checked against OpenSSL's own.
 */
#include "support/soft_ek.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/kdf.h"

static bool seed_rsa(const struct soft_ek *ek, const EVP_MD *md, struct view secret, uint8_t *seed,
                     size_t size)
{
        EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key_evp(ek->key), NULL);
        uint8_t out[512];
        size_t len = sizeof(out);
        bool ok = EVP_PKEY_decrypt_init(ctx) == 1 &&
                  EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
                  EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1 &&
                  EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, OPENSSL_strdup("IDENTITY"), 9) == 1 &&
                  EVP_PKEY_decrypt(ctx, out, &len, secret.p, secret.len) == 1 && len == size;

        if (ok)
                memcpy(seed, out, size);
        EVP_PKEY_CTX_free(ctx);
        return ok;
}

static bool seed_ecc(const struct soft_ek *ek, struct view secret, uint8_t *seed, size_t size,
                     struct err *err)
{
        struct cursor c = cursor_of(secret);
        struct pubkey *ours = NULL, *theirs = NULL;
        struct buf our_x = {0}, our_y = {0};
        struct view x, y;
        uint8_t z[66];
        size_t z_len = sizeof(z);
        EVP_PKEY_CTX *ctx = NULL;
        bool ok = cursor_be16_bytes(&c, &x) && cursor_be16_bytes(&c, &y) && c.left == 0 &&
                  key_public(ek->key, &ours, err) == 0 &&
                  pubkey_from_ec(pubkey_curve(ours), x, y, &theirs, err) == 0 &&
                  pubkey_ec_point(ours, &our_x, &our_y, err) == 0;

        if (ok) {
                ctx = EVP_PKEY_CTX_new(key_evp(ek->key), NULL);
                ok = EVP_PKEY_derive_init(ctx) == 1 &&
                     EVP_PKEY_derive_set_peer(ctx, pubkey_evp(theirs)) == 1 &&
                     EVP_PKEY_derive(ctx, z, &z_len) == 1 &&
                     kdf_e(ek->name_alg, VIEW(z, z_len), "IDENTITY", x, VIEW_BUF(&our_x), seed, size, err) ==
                             0;
        }
        EVP_PKEY_CTX_free(ctx);
        pubkey_free(ours);
        pubkey_free(theirs);
        buf_free(&our_x);
        buf_free(&our_y);
        return ok;
}

/* Checks the outer HMAC and uncovers the challenge. */
static bool unwrap(const struct soft_ek *ek, struct view seed, struct view name, struct view id_object,
                   struct buf *ret, struct err *err)
{
        struct cursor c = cursor_of(id_object);
        size_t size = digest_size(ek->name_alg);
        uint8_t mac_key[64], sym_key[32], iv[16] = {0}, plain[128];
        EVP_CIPHER_CTX *ctx;
        struct view mac, hidden, identity;
        struct digest want;
        int len = 0;
        bool ok;

        if (!cursor_be16_bytes(&c, &mac))
                return false;
        hidden = cursor_rest(&c);
        const struct view covered[] = {hidden, name};
        if (hidden.len > sizeof(plain) ||
            kdf_a(ek->name_alg, seed, "INTEGRITY", VIEW_NONE, VIEW_NONE, mac_key, size, err) < 0 ||
            hmac_parts(ek->name_alg, VIEW(mac_key, size), covered, 2, &want, err) < 0 ||
            !equal_ct(mac.p, mac.len, want.b, want.len) ||
            kdf_a(ek->name_alg, seed, "STORAGE", name, VIEW_NONE, sym_key, ek->aes_bits / 8, err) < 0)
                return false;
        ctx = EVP_CIPHER_CTX_new();
        ok = EVP_DecryptInit_ex(ctx, ek->aes_bits == 256 ? EVP_aes_256_cfb128() : EVP_aes_128_cfb128(), NULL,
                                sym_key, iv) == 1 &&
             EVP_DecryptUpdate(ctx, plain, &len, hidden.p, (int)hidden.len) == 1;
        EVP_CIPHER_CTX_free(ctx);
        c = cursor_of(VIEW(plain, (size_t)len));
        if (!ok || !cursor_be16_bytes(&c, &identity) || c.left != 0)
                return false;
        buf_put_view(ret, identity);
        return true;
}

int soft_ek_open(const struct soft_ek *ek, struct view name, struct view file, struct buf *ret,
                 struct err *err)
{
        struct cursor c = cursor_of(file);
        const EVP_MD *md = EVP_get_digestbyname(digest_name(ek->name_alg));
        size_t size = digest_size(ek->name_alg);
        struct view id_object, secret;
        uint32_t magic, version;
        uint8_t seed[64];

        if (!cursor_be32(&c, &magic) || magic != CREDENTIAL_FILE_MAGIC || !cursor_be32(&c, &version) ||
            version != CREDENTIAL_FILE_VERSION || !cursor_be16_bytes(&c, &id_object) ||
            !cursor_be16_bytes(&c, &secret) || c.left != 0)
                return err_set(err, ERR_FORMAT, 0, "not a credential file");
        if (!(EVP_PKEY_get_base_id(key_evp(ek->key)) == EVP_PKEY_RSA
                      ? seed_rsa(ek, md, secret, seed, size)
                      : seed_ecc(ek, secret, seed, size, err)) ||
            !unwrap(ek, VIEW(seed, size), name, id_object, ret, err))
                return err_set(err, ERR_CRYPTO, 0, "the credential is for another key or name");
        return 0;
}
