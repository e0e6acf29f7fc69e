/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TPM in software, for tests of those who read what TPMs sign: the only writer of public areas and
 * signatures in the tests. Spec: TPM 2.0 Library Part 2 §10.12 (TPMS_ATTEST), §11.3 (TPMT_SIGNATURE), §12.2
 * (TPMT_PUBLIC).
 */
#include "support/play_tpm.h"

#include "support/soft_ek.h"
#include "support/support.h"

#define PLAY_AK_ATTRIBUTES                                                                                   \
        (OBJ_FIXED_TPM | OBJ_FIXED_PARENT | OBJ_SENSITIVE_DATA_ORIGIN | OBJ_USER_WITH_AUTH | OBJ_NO_DA |     \
         OBJ_RESTRICTED | OBJ_SIGN)

#define PLAY_EK_ATTRIBUTES                                                                                   \
        (OBJ_FIXED_TPM | OBJ_FIXED_PARENT | OBJ_SENSITIVE_DATA_ORIGIN | OBJ_ADMIN_WITH_POLICY |              \
         OBJ_RESTRICTED | OBJ_DECRYPT)

/* SHA-256 of PolicySecret(TPM_RH_ENDORSEMENT): the EK's authPolicy. Spec: TCG EK Credential Profile 2.5,
 * B.6.2. */
static const uint8_t ek_policy[32] = {0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
                                      0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52,
                                      0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa};

static void put_rsa(struct buf *b, const struct pubkey *key)
{
        AUTO(buf_free)
        struct buf n = {0};
        struct err err = ERR_INIT;
        uint32_t e = 0;

        assert_ok(pubkey_rsa_numbers(key, &n, &e, &err), &err);
        buf_be16(b, ALG_RSASSA);
        buf_be16(b, DIGEST_SHA256);
        buf_be16(b, 2048);
        buf_be32(b, 0);
        buf_be16_bytes(b, VIEW_BUF(&n));
}

/* The curve and the point. */
static void put_p256(struct buf *b, const struct pubkey *key)
{
        AUTO(buf_free)
        struct buf x = {0};
        AUTO(buf_free)
        struct buf y = {0};
        struct err err = ERR_INIT;

        assert_ok(pubkey_ec_point(key, &x, &y, &err), &err);
        buf_be16(b, CURVE_P256);
        buf_be16(b, ALG_NULL);
        buf_be16_bytes(b, VIEW_BUF(&x));
        buf_be16_bytes(b, VIEW_BUF(&y));
}

void play_tpm_init(struct play_tpm *t, enum play_ak kind, enum digest_alg bank)
{
        AUTO(buf_free)
        struct buf area = {0};
        AUTO(pubkey_free_p)
        struct pubkey *key = NULL;
        struct err err = ERR_INIT;

        memset(t, 0, sizeof(*t));
        if (kind == PLAY_AK_RSA)
                assert_ok(key_generate_rsa(2048, &t->key, &err), &err);
        else
                assert_ok(key_generate_ec(CURVE_P256, &t->key, &err), &err);
        assert_ok(key_public(t->key, &key, &err), &err);
        buf_be16(&area, kind == PLAY_AK_RSA ? ALG_RSA : ALG_ECC);
        buf_be16(&area, DIGEST_SHA256);
        buf_be32(&area, PLAY_AK_ATTRIBUTES);
        buf_be16(&area, 0);
        buf_be16(&area, ALG_NULL);
        if (kind == PLAY_AK_RSA) {
                put_rsa(&area, key);
        } else {
                buf_be16(&area, ALG_ECDSA);
                buf_be16(&area, DIGEST_SHA256);
                put_p256(&area, key);
        }
        buf_be16_bytes(&t->ak_pub, VIEW_BUF(&area));
        assert_ok(tpm2b_public_parse(VIEW_BUF(&t->ak_pub), &t->ak, &err), &err);
        assert_null(tpm_public_ak_refusal(&t->ak));
        t->clock = (struct tpm_clock){.clock_ms = 100000, .reset_count = 3, .safe = true};
        t->time_ms = 40000;
        t->firmware_version = 0x2019102300163636;
        t->pcrs.bank = bank;
        t->pcrs.mask = (1u << PCR_COUNT) - 1;
        for (size_t i = 0; i < PCR_COUNT; i++)
                digest_zero(bank, &t->pcrs.v[i]);
}

void play_tpm_done(struct play_tpm *t)
{
        key_free(t->key);
        key_free(t->ek);
        buf_free(&t->ak_pub);
        buf_free(&t->ek_pub);
}

void play_tpm_make_ek(struct play_tpm *t)
{
        AUTO(buf_free)
        struct buf area = {0};
        AUTO(pubkey_free_p)
        struct pubkey *key = NULL;
        struct err err = ERR_INIT;

        assert_ok(key_generate_ec(CURVE_P256, &t->ek, &err), &err);
        assert_ok(key_public(t->ek, &key, &err), &err);
        buf_be16(&area, ALG_ECC);
        buf_be16(&area, DIGEST_SHA256);
        buf_be32(&area, PLAY_EK_ATTRIBUTES);
        buf_be16_bytes(&area, VIEW_ARRAY(ek_policy));
        buf_be16(&area, ALG_AES);
        buf_be16(&area, 128);
        buf_be16(&area, ALG_CFB);
        buf_be16(&area, ALG_NULL);
        put_p256(&area, key);
        buf_be16_bytes(&t->ek_pub, VIEW_BUF(&area));
        assert_true(buf_ok(&t->ek_pub));
}

int play_tpm_activate(const struct play_tpm *t, struct view file, struct buf *ret, struct err *err)
{
        const struct soft_ek ek = {t->ek, DIGEST_SHA256, 128};
        struct tpm_name name;

        assert_ok(tpm_public_name(&t->ak, &name, err), err);
        return soft_ek_open(&ek, tpm_name_view(&name), file, ret, err);
}

void play_tpm_pass_time(struct play_tpm *t, uint64_t ms)
{
        t->clock.clock_ms += ms;
        t->time_ms += ms;
}

void play_tpm_reboot(struct play_tpm *t)
{
        t->clock.reset_count++;
        t->clock.restart_count = 0;
        t->time_ms = 5;
        for (size_t i = 0; i < PCR_COUNT; i++)
                digest_zero(t->pcrs.bank, &t->pcrs.v[i]);
}

void play_tpm_extend_digest(struct play_tpm *t, unsigned pcr, const struct digest *d)
{
        struct err err = ERR_INIT;

        assert_ok(digest_extend(&t->pcrs.v[pcr], digest_view(d), &err), &err);
}

void play_tpm_extend(struct play_tpm *t, unsigned pcr, struct view data)
{
        struct digest d;
        struct err err = ERR_INIT;

        assert_ok(digest_bytes(t->pcrs.bank, data, &d, &err), &err);
        play_tpm_extend_digest(t, pcr, &d);
}

struct pcr_values play_tpm_values(const struct play_tpm *t, const struct pcr_selection *sel)
{
        struct pcr_values values = t->pcrs;

        values.mask = sel->mask;
        return values;
}

void play_tpm_sign(const struct play_tpm *t, struct view message, struct buf *signature)
{
        AUTO(buf_free)
        struct buf raw = {0};
        struct err err = ERR_INIT;

        buf_reset(signature);
        assert_ok(key_sign(t->key, DIGEST_SHA256, message, &raw, &err), &err);
        buf_be16(signature, t->ak.scheme);
        buf_be16(signature, DIGEST_SHA256);
        if (t->ak.type == ALG_RSA) {
                buf_be16_bytes(signature, VIEW_BUF(&raw));
        } else {
                buf_be16_bytes(signature, VIEW(raw.p, raw.len / 2));
                buf_be16_bytes(signature, VIEW(raw.p + raw.len / 2, raw.len / 2));
        }
        assert_true(buf_ok(signature));
}

static void finish(const struct play_tpm *t, const struct tpm_attest *a, struct buf *message,
                   struct buf *signature)
{
        buf_reset(message);
        tpm_attest_write(a, message);
        assert_true(buf_ok(message));
        play_tpm_sign(t, VIEW_BUF(message), signature);
}

/* A qualified name has a name's form; nobody checks its value. */
static const uint8_t qualified[34] = {0x00, 0x0b, 0x51};

static struct tpm_attest begin(const struct play_tpm *t, enum attest_type type, struct view qualifying)
{
        return (struct tpm_attest){
                .type = type,
                .qualified_signer = VIEW_ARRAY(qualified),
                .extra_data = qualifying,
                .clock = t->clock,
                .firmware_version = t->firmware_version,
        };
}

void play_tpm_quote(const struct play_tpm *t, const struct pcr_selection *sel, struct view qualifying,
                    struct buf *message, struct buf *signature)
{
        struct tpm_attest a = begin(t, ATTEST_QUOTE, qualifying);
        struct digest d;
        struct err err = ERR_INIT;

        a.quote.select.n = 1;
        a.quote.select.v[0].alg = (uint16_t)sel->bank;
        a.quote.select.v[0].size = 3;
        a.quote.select.v[0].mask = sel->mask;
        assert_ok(pcr_values_digest(&t->pcrs, sel->mask, DIGEST_SHA256, &d, &err), &err);
        a.quote.digest = digest_view(&d);
        finish(t, &a, message, signature);
}

void play_tpm_time(const struct play_tpm *t, struct view qualifying, struct buf *message,
                   struct buf *signature)
{
        struct tpm_attest a = begin(t, ATTEST_TIME, qualifying);

        a.time.time_ms = t->time_ms;
        a.time.clock = t->clock;
        a.time.firmware_version = t->firmware_version;
        finish(t, &a, message, signature);
}

void play_tpm_certify(const struct play_tpm *t, const struct tpm_public *object, struct view qualifying,
                      struct buf *message, struct buf *signature)
{
        struct tpm_attest a = begin(t, ATTEST_CERTIFY, qualifying);
        struct tpm_name name;
        struct err err = ERR_INIT;

        assert_ok(tpm_public_name(object, &name, &err), &err);
        a.certify.name = tpm_name_view(&name);
        a.certify.qualified_name = VIEW_ARRAY(qualified);
        finish(t, &a, message, signature);
}

void play_tpm_certify_counter(const struct play_tpm *t, const struct tpm_name *index, uint64_t value,
                              struct view qualifying, struct buf *message, struct buf *signature)
{
        struct tpm_attest a = begin(t, ATTEST_NV, qualifying);
        struct buf contents = {0};

        buf_be64(&contents, value);
        a.nv.index_name = tpm_name_view(index);
        a.nv.contents = VIEW_BUF(&contents);
        finish(t, &a, message, signature);
        buf_free(&contents);
}
