/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TPM commands of an attesting host, on OpenSSL keys. Structures are written by lib/evidence's own
 * writers where there are some. Spec: TPM 2.0 Library Part 1 §24 (credentials), Part 2 §10.12 (TPMS_ATTEST),
 * §12.2 (TPMT_PUBLIC).
 */
#include "support/soft_tpm.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "crypto/kdf.h"
#include "crypto/key.h"
#include "crypto/pubkey.h"
#include "evidence/tpm_attest.h"
#include "evidence/tpm_public.h"

struct soft_tpm {
        struct key *ek_key, *ak_key;
        struct buf ek, ak; /* TPM2B_PUBLIC */
        struct tpm_name ak_name;
        struct pcr_values pcrs;
        int64_t started_ms;
};

/* SHA-256 of PolicySecret(TPM_RH_ENDORSEMENT): the EK's authPolicy. Spec: TCG EK Credential Profile 2.5,
 * B.6.2. */
static const uint8_t ek_policy[32] = {0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
                                      0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52,
                                      0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa};

/* Appends the two coordinates of KEY as TPM2B each. */
static int put_point(const struct key *key, struct buf *out, struct err *err)
{
        AUTO(pubkey_free_p)
        struct pubkey *pub = NULL;
        struct buf x = {0}, y = {0};
        int r = key_public(key, &pub, err);

        if (r >= 0)
                r = pubkey_ec_point(pub, &x, &y, err);
        if (r >= 0) {
                buf_be16_bytes(out, VIEW_BUF(&x));
                buf_be16_bytes(out, VIEW_BUF(&y));
                r = buf_ok(out) ? 0 : err_nomem(err);
        }
        buf_free(&x);
        buf_free(&y);
        return r;
}

static int make_ek(struct soft_tpm *t, struct err *err)
{
        struct buf area = {0};
        int r = key_generate_ec(CURVE_P256, &t->ek_key, err);

        buf_be16(&area, ALG_ECC);
        buf_be16(&area, DIGEST_SHA256);
        buf_be32(&area, OBJ_FIXED_TPM | OBJ_FIXED_PARENT | OBJ_SENSITIVE_DATA_ORIGIN | OBJ_ADMIN_WITH_POLICY |
                                OBJ_RESTRICTED | OBJ_DECRYPT);
        buf_be16_bytes(&area, VIEW_ARRAY(ek_policy));
        buf_be16(&area, ALG_AES);
        buf_be16(&area, 128);
        buf_be16(&area, ALG_CFB);
        buf_be16(&area, ALG_NULL);
        buf_be16(&area, CURVE_P256);
        buf_be16(&area, ALG_NULL);
        if (r >= 0)
                r = put_point(t->ek_key, &area, err);
        buf_be16_bytes(&t->ek, VIEW_BUF(&area));
        buf_free(&area);
        return r;
}

static int make_ak(struct soft_tpm *t, struct err *err)
{
        struct tpm_public pub;
        struct buf area = {0};
        int r = key_generate_ec(CURVE_P256, &t->ak_key, err);

        buf_be16(&area, ALG_ECC);
        buf_be16(&area, DIGEST_SHA256);
        buf_be32(&area, OBJ_FIXED_TPM | OBJ_FIXED_PARENT | OBJ_SENSITIVE_DATA_ORIGIN | OBJ_USER_WITH_AUTH |
                                OBJ_NO_DA | OBJ_RESTRICTED | OBJ_SIGN);
        buf_be16(&area, 0);
        buf_be16(&area, ALG_NULL);
        buf_be16(&area, ALG_ECDSA);
        buf_be16(&area, DIGEST_SHA256);
        buf_be16(&area, CURVE_P256);
        buf_be16(&area, ALG_NULL);
        if (r >= 0)
                r = put_point(t->ak_key, &area, err);
        buf_be16_bytes(&t->ak, VIEW_BUF(&area));
        buf_free(&area);
        if (r >= 0)
                r = tpm2b_public_parse(VIEW_BUF(&t->ak), &pub, err);
        return r < 0 ? r : tpm_public_name(&pub, &t->ak_name, err);
}

int soft_tpm_new(struct soft_tpm **ret, struct err *err)
{
        AUTO(soft_tpm_free_p)
        struct soft_tpm *t = mem_zalloc(1, sizeof(*t));

        if (!t)
                return err_nomem(err);
        if (make_ek(t, err) < 0 || make_ak(t, err) < 0)
                return -(int)err->kind;
        t->pcrs = (struct pcr_values){.bank = DIGEST_SHA256, .mask = (1u << PCR_COUNT) - 1};
        for (unsigned i = 0; i < PCR_COUNT; i++)
                t->pcrs.v[i] = (struct digest){.alg = DIGEST_SHA256, .len = 32};
        t->started_ms = clock_now_ms() - 60000;
        *ret = TAKE(t);
        return 0;
}

void soft_tpm_free(struct soft_tpm *t)
{
        if (!t)
                return;
        key_free(t->ek_key);
        key_free(t->ak_key);
        buf_free(&t->ek);
        buf_free(&t->ak);
        free(t);
}

struct view soft_tpm_ek(const struct soft_tpm *t)
{
        return VIEW_BUF(&t->ek);
}

struct view soft_tpm_ak(const struct soft_tpm *t)
{
        return VIEW_BUF(&t->ak);
}

struct view soft_tpm_ak_tpmt(const struct soft_tpm *t)
{
        return VIEW(t->ak.p + 2, t->ak.len - 2);
}

struct view soft_tpm_ak_name(const struct soft_tpm *t)
{
        return tpm_name_view(&t->ak_name);
}

/* The seed of a credential: ECDH with the ephemeral point, then KDFe. */
static int open_seed(struct soft_tpm *t, struct view secret, uint8_t seed[static 32], struct err *err)
{
        AUTO(pubkey_free_p)
        struct pubkey *theirs = NULL, *ours = NULL;
        struct cursor c = cursor_of(secret);
        struct buf x = {0}, y = {0};
        struct view px, py;
        EVP_PKEY_CTX *ctx;
        uint8_t z[32];
        size_t len = sizeof(z);
        int r;

        if (!cursor_be16_bytes(&c, &px) || !cursor_be16_bytes(&c, &py) || c.left)
                return err_set(err, ERR_FORMAT, 0, "the credential's secret is no point");
        if (pubkey_from_ec(CURVE_P256, px, py, &theirs, err) < 0 || key_public(t->ek_key, &ours, err) < 0)
                return -(int)err->kind;
        ctx = EVP_PKEY_CTX_new(key_evp(t->ek_key), NULL);
        r = ctx && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, pubkey_evp(theirs)) == 1 &&
                            EVP_PKEY_derive(ctx, z, &len) == 1
                    ? 0
                    : err_set(err, ERR_CRYPTO, 0, "ECDH failed");
        EVP_PKEY_CTX_free(ctx);
        if (r >= 0)
                r = pubkey_ec_point(ours, &x, &y, err);
        if (r >= 0)
                r = kdf_e(DIGEST_SHA256, VIEW(z, len), "IDENTITY", px, VIEW_BUF(&x), seed, 32, err);
        buf_free(&x);
        buf_free(&y);
        return r;
}

int soft_tpm_activate(struct soft_tpm *t, struct view id_object, struct view secret, struct buf *ret,
                      struct err *err)
{
        static const uint8_t zero_iv[16] = {0};
        uint8_t seed[32], key[16], mac_key[32], plain[2 + 32];
        struct cursor c = cursor_of(id_object);
        struct view mac, hidden;
        struct digest want;
        EVP_CIPHER_CTX *ctx;
        int len = 0, r;

        if (!cursor_be16_bytes(&c, &mac))
                return err_set(err, ERR_FORMAT, 0, "the credential has no MAC");
        hidden = cursor_rest(&c);
        if (hidden.len < 2 || hidden.len > sizeof(plain))
                return err_set(err, ERR_FORMAT, 0, "the credential has %zu bytes", hidden.len);
        if (open_seed(t, secret, seed, err) < 0 ||
            kdf_a(DIGEST_SHA256, VIEW_ARRAY(seed), "INTEGRITY", VIEW_NONE, VIEW_NONE, mac_key, 32, err) < 0 ||
            hmac_parts(DIGEST_SHA256, VIEW_ARRAY(mac_key), (struct view[]){hidden, soft_tpm_ak_name(t)}, 2,
                       &want, err) < 0 ||
            kdf_a(DIGEST_SHA256, VIEW_ARRAY(seed), "STORAGE", soft_tpm_ak_name(t), VIEW_NONE, key, 16, err) <
                    0)
                return -(int)err->kind;
        if (!equal_ct(want.b, want.len, mac.p, mac.len))
                return err_set(err, ERR_CRYPTO, 0, "the credential is not for this key");
        ctx = EVP_CIPHER_CTX_new();
        r = ctx && EVP_DecryptInit_ex2(ctx, EVP_aes_128_cfb128(), key, zero_iv, NULL) == 1 &&
                            EVP_DecryptUpdate(ctx, plain, &len, hidden.p, (int)hidden.len) == 1
                    ? 0
                    : err_set(err, ERR_CRYPTO, 0, "AES failed");
        EVP_CIPHER_CTX_free(ctx);
        if (r < 0)
                return r;
        buf_put(ret, plain + 2, (size_t)len - 2);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int soft_tpm_extend(struct soft_tpm *t, unsigned pcr, const struct digest *digest, struct err *err)
{
        return digest_extend(&t->pcrs.v[pcr], digest_view(digest), err);
}

void soft_tpm_read(const struct soft_tpm *t, uint32_t mask, struct pcr_values *ret)
{
        *ret = t->pcrs;
        ret->mask = mask;
}

/* Completes A, appends it, and its signature by the AK. */
static int attest(struct soft_tpm *t, struct tpm_attest *a, struct view qualifying, struct buf *ret_message,
                  struct buf *ret_signature, struct err *err)
{
        struct buf rs = {0};
        int r;

        a->qualified_signer = soft_tpm_ak_name(t);
        a->extra_data = qualifying;
        a->clock = (struct tpm_clock){.clock_ms = (uint64_t)(clock_now_ms() - t->started_ms),
                                      .reset_count = 1,
                                      .restart_count = 0,
                                      .safe = true};
        a->firmware_version = 1;
        if (a->type == ATTEST_TIME) {
                a->time.time_ms = a->clock.clock_ms;
                a->time.clock = a->clock;
                a->time.firmware_version = 1;
        }
        tpm_attest_write(a, ret_message);
        r = key_sign(t->ak_key, DIGEST_SHA256, VIEW_BUF(ret_message), &rs, err);
        if (r >= 0) {
                buf_be16(ret_signature, ALG_ECDSA);
                buf_be16(ret_signature, DIGEST_SHA256);
                buf_be16_bytes(ret_signature, VIEW(rs.p, 32));
                buf_be16_bytes(ret_signature, VIEW(rs.p + 32, 32));
                r = buf_ok(ret_message) && buf_ok(ret_signature) ? 0 : err_nomem(err);
        }
        buf_free(&rs);
        return r;
}

int soft_tpm_certify_ak(struct soft_tpm *t, struct view qualifying, struct buf *ret_message,
                        struct buf *ret_signature, struct err *err)
{
        struct tpm_attest a = {.type = ATTEST_CERTIFY};

        a.certify.name = a.certify.qualified_name = soft_tpm_ak_name(t);
        return attest(t, &a, qualifying, ret_message, ret_signature, err);
}

int soft_tpm_quote(struct soft_tpm *t, struct view qualifying, uint32_t mask, struct buf *ret_message,
                   struct buf *ret_signature, struct err *err)
{
        struct tpm_attest a = {.type = ATTEST_QUOTE};
        struct digest digest;

        if (pcr_values_digest(&t->pcrs, mask, DIGEST_SHA256, &digest, err) < 0)
                return -(int)err->kind;
        a.quote.select.n = 1;
        a.quote.select.v[0].alg = DIGEST_SHA256;
        a.quote.select.v[0].size = 3;
        a.quote.select.v[0].mask = mask;
        a.quote.digest = digest_view(&digest);
        return attest(t, &a, qualifying, ret_message, ret_signature, err);
}

int soft_tpm_time(struct soft_tpm *t, struct view qualifying, struct buf *ret_message,
                  struct buf *ret_signature, struct err *err)
{
        struct tpm_attest a = {.type = ATTEST_TIME};

        return attest(t, &a, qualifying, ret_message, ret_signature, err);
}
