/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HMAC through EVP_MAC. A key of no bytes is a key (the TPM derives with one where a seed is empty), but
 * EVP_MAC takes a NULL key for "the key is set already", so an empty one is passed as a pointer to nothing.
 *
 * Spec: RFC 2104, FIPS 198-1.
 */
#include <openssl/core_names.h>

#include "crypto/digest.h"
#include "crypto/ossl.h"

DEFINE_AUTO(EVP_MAC, EVP_MAC_free)
DEFINE_AUTO(EVP_MAC_CTX, EVP_MAC_CTX_free)

int hmac_bytes(enum digest_alg alg, struct view key, struct view data, struct digest *ret, struct err *err)
{
        return hmac_parts(alg, key, &data, 1, ret, err);
}

int hmac_parts(enum digest_alg alg, struct view key, const struct view *parts, size_t n, struct digest *ret,
               struct err *err)
{
        AUTO(EVP_MAC_free_p)
        EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        AUTO(EVP_MAC_CTX_free_p)
        EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
        char name[16];
        uint8_t value[EVP_MAX_MD_SIZE];
        size_t len = 0;
        OSSL_PARAM params[2];
        const char *alg_name = digest_name(alg);

        if (!alg_name)
                return err_set(err, ERR_FORMAT, 0, "no digest algorithm has the number 0x%04x",
                               (unsigned)alg);
        (void)snprintf(name, sizeof(name), "%s", alg_name); /* OSSL_PARAM wants it writable; it fits */
        params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0);
        params[1] = OSSL_PARAM_construct_end();
        if (!ctx || EVP_MAC_init(ctx, key.len ? key.p : (const uint8_t *)"", key.len, params) != 1)
                return ossl_err(err, ERR_CRYPTO, "start of an HMAC-%s", alg_name);
        for (size_t i = 0; i < n; i++)
                if (parts[i].len > 0 && EVP_MAC_update(ctx, parts[i].p, parts[i].len) != 1)
                        return ossl_err(err, ERR_CRYPTO, "HMAC-%s", alg_name);
        if (EVP_MAC_final(ctx, value, &len, sizeof(value)) != 1)
                return ossl_err(err, ERR_CRYPTO, "end of an HMAC-%s", alg_name);
        return digest_set(alg, VIEW(value, len), ret, err);
}
