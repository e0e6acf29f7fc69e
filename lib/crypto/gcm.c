/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is too large for a TPM's sealed object: encrypted under a key that is in one. The tag is checked
 * before a byte is given out; plain text is never anywhere but in wiped memory.
 *
 * Spec: NIST SP 800-38D §7; RFC 5116 §5.2.
 */
#include "crypto/gcm.h"

#include <limits.h>

#include "crypto/ossl.h"
#include "crypto/random.h"

static int start(struct view key, struct view nonce, struct view associated, int encrypt,
                 EVP_CIPHER_CTX **ret, struct err *err)
{
        AUTO(EVP_CIPHER_CTX_free_p)
        EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
        int n;

        if (!ctx)
                return err_nomem(err);
        if (key.len != GCM_KEY_BYTES)
                return err_set(err, ERR_CRYPTO, 0, "AES-256-GCM: a key of %zu bytes", key.len);
        if (associated.len > INT_MAX ||
            EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key.p, nonce.p, encrypt) != 1 ||
            EVP_CipherUpdate(ctx, NULL, &n, associated.p, (int)associated.len) != 1)
                return ossl_err(err, ERR_CRYPTO, "AES-256-GCM");
        *ret = TAKE(ctx);
        return 0;
}

int gcm_seal(struct view key, struct view associated, struct view plain, struct buf *ret, struct err *err)
{
        AUTO(EVP_CIPHER_CTX_free_p)
        EVP_CIPHER_CTX *ctx = NULL;
        AUTO(mem_free_p)
        uint8_t *cipher = NULL;
        uint8_t nonce[GCM_NONCE_BYTES], tag[GCM_TAG_BYTES];
        int n, rest, r = random_bytes(nonce, sizeof(nonce), err);

        if (r >= 0)
                r = start(key, VIEW_ARRAY(nonce), associated, 1, &ctx, err);
        if (r < 0)
                return r;
        cipher = mem_alloc(plain.len);
        if (!cipher)
                return err_nomem(err);
        if (plain.len > INT_MAX || EVP_CipherUpdate(ctx, cipher, &n, plain.p, (int)plain.len) != 1 ||
            EVP_CipherFinal_ex(ctx, cipher + n, &rest) != 1 ||
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, sizeof(tag), tag) != 1)
                return ossl_err(err, ERR_CRYPTO, "AES-256-GCM");
        buf_put(ret, nonce, sizeof(nonce));
        buf_put(ret, cipher, (size_t)n + (size_t)rest);
        buf_put(ret, tag, sizeof(tag));
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int gcm_open(struct view key, struct view associated, struct view sealed, struct secret *ret, struct err *err)
{
        AUTO(EVP_CIPHER_CTX_free_p)
        EVP_CIPHER_CTX *ctx = NULL;
        AUTO(secret_free)
        struct secret plain = {0};
        struct cursor c = cursor_of(sealed);
        uint8_t tag[GCM_TAG_BYTES];
        struct view nonce, cipher;
        int n, rest, r;

        if (!cursor_take(&c, GCM_NONCE_BYTES, &nonce) || c.left <= GCM_TAG_BYTES ||
            !cursor_take(&c, c.left - GCM_TAG_BYTES, &cipher) || !cursor_copy(&c, tag, sizeof(tag)) ||
            cipher.len > INT_MAX)
                return err_set(err, ERR_FORMAT, 0, "AES-256-GCM: %zu bytes hold no message", sealed.len);
        r = start(key, nonce, associated, 0, &ctx, err);
        if (r < 0)
                return r;
        if (secret_alloc(&plain, cipher.len) < 0)
                return err_nomem(err);
        if (EVP_CipherUpdate(ctx, plain.p, &n, cipher.p, (int)cipher.len) != 1 ||
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) != 1 ||
            EVP_CipherFinal_ex(ctx, plain.p + n, &rest) != 1)
                return ossl_err(err, ERR_CRYPTO, "it was changed, or it is not what this key was made for");
        *ret = plain;
        plain = (struct secret){0};
        return 0;
}
