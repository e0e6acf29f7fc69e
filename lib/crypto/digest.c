/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests. A struct digest always has the length of its algorithm, so that a comparison of two of them is a
 * comparison of values; whoever reads one from outside passes digest_set(), which refuses any other length.
 * A context keeps the fetched algorithm: EVP_DigestInit_ex2() with no type only resets it, which is what
 * makes replaying logs of a million entries cheap.
 *
 * Spec: FIPS 180-4, RFC 2104; TPM 2.0 Part 1, §17.2 (extend).
 */
#include "crypto/digest.h"

#include <openssl/core_names.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/ossl.h"

static const struct {
        enum digest_alg alg;
        uint8_t size, name_len;
        const char *name;
} algs[] = {
        {DIGEST_SHA1, 20, 4, "sha1"},
        {DIGEST_SHA256, 32, 6, "sha256"},
        {DIGEST_SHA384, 48, 6, "sha384"},
        {DIGEST_SHA512, 64, 6, "sha512"},
};

struct digest_ctx {
        EVP_MD_CTX *md;
        enum digest_alg alg;
};

size_t digest_size(enum digest_alg alg)
{
        for (size_t i = 0; i < ARRAY_LEN(algs); i++)
                if (algs[i].alg == alg)
                        return algs[i].size;
        return 0;
}

const char *digest_name(enum digest_alg alg)
{
        for (size_t i = 0; i < ARRAY_LEN(algs); i++)
                if (algs[i].alg == alg)
                        return algs[i].name;
        return NULL;
}

bool digest_by_word(struct view name, enum digest_alg *ret)
{
        for (size_t i = 0; i < ARRAY_LEN(algs); i++)
                if (view_equal(VIEW(algs[i].name, algs[i].name_len), name)) {
                        *ret = algs[i].alg;
                        return true;
                }
        return false;
}

bool digest_by_name(const char *name, enum digest_alg *ret)
{
        return digest_by_word(view_str(name), ret);
}

bool digest_by_tpm_alg(uint16_t tpm_alg, enum digest_alg *ret)
{
        for (size_t i = 0; i < ARRAY_LEN(algs); i++)
                if ((unsigned)algs[i].alg == tpm_alg) {
                        *ret = algs[i].alg;
                        return true;
                }
        return false;
}

struct view digest_view(const struct digest *d)
{
        return VIEW(d->b, d->len);
}

int digest_set(enum digest_alg alg, struct view bytes, struct digest *ret, struct err *err)
{
        size_t size = digest_size(alg);

        if (size == 0)
                return err_set(err, ERR_FORMAT, 0, "no digest algorithm has the number 0x%04x",
                               (unsigned)alg);
        if (bytes.len != size)
                return err_set(err, ERR_FORMAT, 0, "a %s digest has %zu bytes, not %zu", digest_name(alg),
                               size, bytes.len);
        memset(ret, 0, sizeof(*ret));
        ret->alg = alg;
        ret->len = (uint8_t)size;
        memcpy(ret->b, bytes.p, size);
        return 0;
}

void digest_zero(enum digest_alg alg, struct digest *ret)
{
        memset(ret, 0, sizeof(*ret));
        ret->alg = alg;
        ret->len = (uint8_t)digest_size(alg);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
        return a->alg == b->alg && equal_ct(a->b, a->len, b->b, b->len);
}

int digest_bytes(enum digest_alg alg, struct view data, struct digest *ret, struct err *err)
{
        return digest_parts(alg, &data, 1, ret, err);
}

int digest_parts(enum digest_alg alg, const struct view *parts, size_t n, struct digest *ret, struct err *err)
{
        AUTO(digest_ctx_free_p)
        struct digest_ctx *ctx = NULL;
        int r = digest_ctx_new(alg, &ctx, err);

        for (size_t i = 0; r >= 0 && i < n; i++)
                r = digest_ctx_update(ctx, parts[i], err);
        return r < 0 ? r : digest_ctx_final(ctx, ret, err);
}

int digest_extend(struct digest *pcr, struct view data_digest, struct err *err)
{
        const struct view parts[] = {digest_view(pcr), data_digest};

        if (data_digest.len != pcr->len)
                return err_set(err, ERR_FORMAT, 0, "a bank of %s is extended with %u bytes, not %zu",
                               digest_name(pcr->alg) ? digest_name(pcr->alg) : "an unknown algorithm",
                               pcr->len, data_digest.len);
        return digest_parts(pcr->alg, parts, ARRAY_LEN(parts), pcr, err);
}

int digest_ctx_new(enum digest_alg alg, struct digest_ctx **ret, struct err *err)
{
        AUTO(digest_ctx_free_p)
        struct digest_ctx *ctx = mem_zalloc(1, sizeof(*ctx));
        const EVP_MD *md = ossl_md(alg);

        if (!ctx)
                return err_nomem(err);
        if (!md)
                return err_set(err, ERR_FORMAT, 0, "no digest algorithm has the number 0x%04x",
                               (unsigned)alg);
        ctx->alg = alg;
        ctx->md = EVP_MD_CTX_new();
        if (!ctx->md || EVP_DigestInit_ex2(ctx->md, md, NULL) != 1)
                return ossl_err(err, ERR_CRYPTO, "start of a %s digest", digest_name(alg));
        *ret = TAKE(ctx);
        return 0;
}

int digest_ctx_update(struct digest_ctx *ctx, struct view data, struct err *err)
{
        if (data.len > 0 && EVP_DigestUpdate(ctx->md, data.p, data.len) != 1)
                return ossl_err(err, ERR_CRYPTO, "%s digest", digest_name(ctx->alg));
        return 0;
}

int digest_ctx_final(struct digest_ctx *ctx, struct digest *ret, struct err *err)
{
        uint8_t value[EVP_MAX_MD_SIZE];
        unsigned len = 0;

        if (EVP_DigestFinal_ex(ctx->md, value, &len) != 1 || EVP_DigestInit_ex2(ctx->md, NULL, NULL) != 1)
                return ossl_err(err, ERR_CRYPTO, "end of a %s digest", digest_name(ctx->alg));
        return digest_set(ctx->alg, VIEW(value, len), ret, err);
}

void digest_ctx_free(struct digest_ctx *ctx)
{
        if (!ctx)
                return;
        EVP_MD_CTX_free(ctx->md);
        free(ctx);
}
