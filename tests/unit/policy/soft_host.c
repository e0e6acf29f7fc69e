/* SPDX-License-Identifier: Apache-2.0 */
/* A host in software. What it signs is laid out as a TPM does; the layouts are those of Part 2 of its
 * specification, written here by hand where the code under test has no writer of its own. */
#include "unit/policy/soft_host.h"

#include "evidence/cel.h"
#include "evidence/tpm_attest.h"
#include "support/support.h"

static void make_ak(struct soft_host *h)
{
        AUTO(pubkey_free_p)
        struct pubkey *pub = NULL;
        AUTO(buf_free)
        struct buf x = {0};
        AUTO(buf_free)
        struct buf y = {0};
        AUTO(buf_free)
        struct buf area = {0};
        struct err err = ERR_INIT;

        assert_ok(key_generate_ec(CURVE_P256, &h->key, &err), &err);
        assert_ok(key_public(h->key, &pub, &err), &err);
        assert_ok(pubkey_ec_point(pub, &x, &y, &err), &err);
        buf_be16(&area, ALG_ECC);
        buf_be16(&area, DIGEST_SHA256);
        buf_be32(&area, OBJ_FIXED_TPM | OBJ_FIXED_PARENT | OBJ_SENSITIVE_DATA_ORIGIN | OBJ_USER_WITH_AUTH |
                                OBJ_NO_DA | OBJ_RESTRICTED | OBJ_SIGN);
        buf_be16(&area, 0); /* no policy */
        buf_be16(&area, ALG_NULL);
        buf_be16(&area, ALG_ECDSA);
        buf_be16(&area, DIGEST_SHA256);
        buf_be16(&area, CURVE_P256);
        buf_be16(&area, ALG_NULL);
        buf_be16_bytes(&area, VIEW_BUF(&x));
        buf_be16_bytes(&area, VIEW_BUF(&y));
        buf_be16_bytes(&h->ak, VIEW_BUF(&area));
        assert_true(buf_ok(&h->ak));
        assert_ok(tpm2b_public_parse(VIEW_BUF(&h->ak), &h->pub, &err), &err);
        assert_null(tpm_public_ak_refusal(&h->pub));
}

static void zero_pcrs(struct soft_host *h)
{
        for (size_t i = 0; i < PCR_COUNT; i++)
                digest_zero(h->pcrs.bank, &h->pcrs.v[i]);
}

void soft_host_init(struct soft_host *h, enum digest_alg bank)
{
        *h = (struct soft_host){.pcrs = {.bank = bank, .mask = (1u << PCR_COUNT) - 1},
                                .reset = 5,
                                .restart = 2,
                                .clock_ms = 7000000,
                                .time_ms = 60000};
        make_ak(h);
        zero_pcrs(h);
}

void soft_host_done(struct soft_host *h)
{
        key_free(h->key);
        buf_free(&h->ak);
        buf_free(&h->log);
        buf_free(&h->log_marks);
}

struct digest soft_digest(enum digest_alg bank, char digit)
{
        struct digest d;
        uint8_t nibble = (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);

        digest_zero(bank, &d);
        memset(d.b, nibble << 4 | nibble, d.len);
        return d;
}

static void mark(struct soft_host *h)
{
        buf_be64(&h->log_marks, h->log.len);
        h->n_records++;
}

void soft_host_log(struct soft_host *h, const char *runtime, const char *path, char digit)
{
        struct cel_record rec = {
                .pcr = 15,
                .n_digests = 1,
                .digests = {soft_digest(h->pcrs.bank, digit)},
                .ours = true,
                .kind = (char *)(uintptr_t)CEL_KIND_MEASURE,
                .runtime = (char *)(uintptr_t)runtime,
                .path = (char *)(uintptr_t)path,
                .size_bytes = 1000,
                .n_before = 1,
                .before = {h->pcrs.v[15]},
                .reset_count = h->reset,
                .restart_count = h->restart,
                .has_timestamp = true,
                .timestamp_us = h->time_ms * 1000,
        };
        struct err err = ERR_INIT;

        rec.content_type = (char *)(uintptr_t)CEL_CONTENT_AVOW;
        mark(h);
        assert_ok(cel_record_write(&rec, &h->log, &err), &err);
        assert_true(buf_ok(&h->log));
}

static void extend(struct soft_host *h, unsigned pcr, const struct digest *d)
{
        struct err err = ERR_INIT;

        assert_ok(digest_extend(&h->pcrs.v[pcr], digest_view(d), &err), &err);
}

void soft_host_extend(struct soft_host *h, unsigned pcr, char digit)
{
        struct digest d = soft_digest(h->pcrs.bank, digit);

        extend(h, pcr, &d);
}

void soft_host_measure(struct soft_host *h, const char *runtime, const char *path, char digit)
{
        soft_host_log(h, runtime, path, digit);
        soft_host_extend(h, 15, digit);
}

void soft_host_foreign(struct soft_host *h, const char *text)
{
        struct err err = ERR_INIT;
        struct digest d;
        char hex[2 * DIGEST_BYTES_MAX + 1] = "";

        assert_ok(digest_bytes(h->pcrs.bank, view_str(text), &d, &err), &err);
        for (size_t i = 0; i < d.len; i++)
                (void)snprintf(hex + 2 * i, 3, "%02x", d.b[i]);
        mark(h);
        buf_fmt(&h->log,
                "\x1e{\"pcr\":15,\"digests\":[{\"hashAlg\":\"%s\",\"digest\":\"%s\"}],\"content_type\":"
                "\"systemd\","
                "\"content\":{\"string\":\"%s\",\"bootId\":\"0f0e0d0c0b0a09080706050403020100\","
                "\"timestamp\":%llu,"
                "\"eventType\":\"machine-id\"}}\n",
                digest_name(h->pcrs.bank), hex, text, (unsigned long long)h->time_ms * 1000);
        extend(h, 15, &d);
}

void soft_host_reboot(struct soft_host *h)
{
        zero_pcrs(h);
        buf_reset(&h->log);
        buf_reset(&h->log_marks);
        h->n_records = 0;
        h->reset++;
        h->restart = 0;
        h->time_ms = 20000;
        h->clock_ms += 20000;
}

void soft_host_wait(struct soft_host *h, uint64_t ms)
{
        h->clock_ms += ms;
        h->time_ms += ms;
}

struct view soft_host_log_from(const struct soft_host *h, uint64_t first)
{
        struct cursor c = cursor_of(VIEW_BUF(&h->log_marks));
        uint64_t at = h->log.len;

        if (first < h->n_records) {
                assert_true(cursor_skip(&c, 8 * first));
                assert_true(cursor_be64(&c, &at));
        }
        return VIEW(h->log.p + at, h->log.len - at);
}

static void sign(const struct soft_host *h, const struct tpm_attest *a, struct buf *message,
                 struct buf *signature)
{
        AUTO(buf_free)
        struct buf raw = {0};
        struct err err = ERR_INIT;

        tpm_attest_write(a, message);
        assert_true(buf_ok(message));
        assert_ok(key_sign(h->key, DIGEST_SHA256, VIEW_BUF(message), &raw, &err), &err);
        assert_int_equal(raw.len, 64);
        buf_be16(signature, ALG_ECDSA);
        buf_be16(signature, DIGEST_SHA256);
        buf_be16_bytes(signature, VIEW(raw.p, 32));
        buf_be16_bytes(signature, VIEW(raw.p + 32, 32));
        assert_true(buf_ok(signature));
}

void soft_host_quote(const struct soft_host *h, struct view qualifying, uint32_t mask, struct soft_quote *ret)
{
        static const uint8_t name[34] = {0x00, 0x0b, 1, 2, 3};
        struct tpm_clock clock = {h->clock_ms, h->reset, h->restart, true};
        struct tpm_attest quote = {.type = ATTEST_QUOTE,
                                   .qualified_signer = VIEW_ARRAY(name),
                                   .extra_data = qualifying,
                                   .clock = clock,
                                   .firmware_version = 0x20200101};
        struct tpm_attest time = quote;
        struct err err = ERR_INIT;
        struct digest digest;

        *ret = (struct soft_quote){.pcrs = h->pcrs};
        ret->pcrs.mask = mask;
        assert_ok(pcr_values_digest(&h->pcrs, mask, DIGEST_SHA256, &digest, &err), &err);
        quote.quote.select.n = 1;
        quote.quote.select.v[0].alg = (uint16_t)h->pcrs.bank;
        quote.quote.select.v[0].size = 3;
        quote.quote.select.v[0].mask = mask;
        quote.quote.digest = digest_view(&digest);
        sign(h, &quote, &ret->message, &ret->signature);
        time.type = ATTEST_TIME;
        time.time.time_ms = h->time_ms;
        time.time.clock = clock;
        time.time.firmware_version = quote.firmware_version;
        sign(h, &time, &ret->time_message, &ret->time_signature);
}

void soft_quote_done(struct soft_quote *q)
{
        buf_free(&q->message);
        buf_free(&q->signature);
        buf_free(&q->time_message);
        buf_free(&q->time_signature);
}
