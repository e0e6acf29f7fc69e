/* SPDX-License-Identifier: Apache-2.0 */
/* A TPM in software, for tests of those who read what TPMs sign. */
#include "support/play_tpm.h"

#include "support/support.h"

#define PLAY_AK_ATTRIBUTES                                                                                   \
        (OBJ_FIXED_TPM | OBJ_FIXED_PARENT | OBJ_SENSITIVE_DATA_ORIGIN | OBJ_USER_WITH_AUTH | OBJ_NO_DA |     \
         OBJ_RESTRICTED | OBJ_SIGN)

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

static void put_ecc(struct buf *b, const struct pubkey *key)
{
        AUTO(buf_free)
        struct buf x = {0};
        AUTO(buf_free)
        struct buf y = {0};
        struct err err = ERR_INIT;

        assert_ok(pubkey_ec_point(key, &x, &y, &err), &err);
        buf_be16(b, ALG_ECDSA);
        buf_be16(b, DIGEST_SHA256);
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
        if (kind == PLAY_AK_RSA)
                put_rsa(&area, key);
        else
                put_ecc(&area, key);
        buf_be16_bytes(&t->ak_pub, VIEW_BUF(&area));
        assert_ok(tpm2b_public_parse(VIEW_BUF(&t->ak_pub), &t->ak, &err), &err);
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
        buf_free(&t->ak_pub);
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

void play_tpm_extend(struct play_tpm *t, unsigned pcr, struct view data)
{
        struct digest d;
        struct err err = ERR_INIT;

        assert_ok(digest_bytes(t->pcrs.bank, data, &d, &err), &err);
        assert_ok(digest_extend(&t->pcrs.v[pcr], digest_view(&d), &err), &err);
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
