/* SPDX-License-Identifier: Apache-2.0 */
/* A host in software: the TPM that plays along, and a measurement log beside it. */
#include "support/soft_host.h"

#include "evidence/cel.h"
#include "support/support.h"

void soft_host_init(struct soft_host *h, enum digest_alg bank)
{
        *h = (struct soft_host){0};
        play_tpm_init(&h->tpm, PLAY_AK_P256, bank);
        h->tpm.clock =
                (struct tpm_clock){.clock_ms = 7000000, .reset_count = 5, .restart_count = 2, .safe = true};
        h->tpm.time_ms = 60000;
}

void soft_host_done(struct soft_host *h)
{
        play_tpm_done(&h->tpm);
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
                .digests = {soft_digest(h->tpm.pcrs.bank, digit)},
                .ours = true,
                .kind = (char *)(uintptr_t)CEL_KIND_MEASURE,
                .runtime = (char *)(uintptr_t)runtime,
                .path = (char *)(uintptr_t)path,
                .size_bytes = 1000,
                .n_before = 1,
                .before = {h->tpm.pcrs.v[15]},
                .reset_count = h->tpm.clock.reset_count,
                .restart_count = h->tpm.clock.restart_count,
                .has_timestamp = true,
                .timestamp_us = h->tpm.time_ms * 1000,
        };
        struct err err = ERR_INIT;

        rec.content_type = (char *)(uintptr_t)CEL_CONTENT_AVOW;
        mark(h);
        assert_ok(cel_record_write(&rec, &h->log, &err), &err);
        assert_true(buf_ok(&h->log));
}

void soft_host_extend(struct soft_host *h, unsigned pcr, char digit)
{
        struct digest d = soft_digest(h->tpm.pcrs.bank, digit);

        play_tpm_extend_digest(&h->tpm, pcr, &d);
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

        assert_ok(digest_bytes(h->tpm.pcrs.bank, view_str(text), &d, &err), &err);
        for (size_t i = 0; i < d.len; i++)
                (void)snprintf(hex + 2 * i, 3, "%02x", d.b[i]);
        mark(h);
        buf_fmt(&h->log,
                "\x1e{\"pcr\":15,\"digests\":[{\"hashAlg\":\"%s\",\"digest\":\"%s\"}],\"content_type\":"
                "\"systemd\","
                "\"content\":{\"string\":\"%s\",\"bootId\":\"0f0e0d0c0b0a09080706050403020100\","
                "\"timestamp\":%llu,"
                "\"eventType\":\"machine-id\"}}\n",
                digest_name(h->tpm.pcrs.bank), hex, text, (unsigned long long)h->tpm.time_ms * 1000);
        play_tpm_extend_digest(&h->tpm, 15, &d);
}

void soft_host_reboot(struct soft_host *h)
{
        play_tpm_reboot(&h->tpm);
        h->tpm.time_ms = 0;
        play_tpm_pass_time(&h->tpm, 20000);
        buf_reset(&h->log);
        buf_reset(&h->log_marks);
        h->n_records = 0;
}

void soft_host_wait(struct soft_host *h, uint64_t ms)
{
        play_tpm_pass_time(&h->tpm, ms);
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

void soft_host_quote(const struct soft_host *h, struct view qualifying, uint32_t mask,
                     struct soft_tpm_quote *ret)
{
        const struct pcr_selection sel = {h->tpm.pcrs.bank, mask};

        *ret = (struct soft_tpm_quote){.pcrs = play_tpm_values(&h->tpm, &sel)};
        play_tpm_quote(&h->tpm, &sel, qualifying, &ret->message, &ret->signature);
        play_tpm_time(&h->tpm, qualifying, &ret->time_message, &ret->time_signature);
}

void soft_tpm_quote_done(struct soft_tpm_quote *q)
{
        buf_free(&q->message);
        buf_free(&q->signature);
        buf_free(&q->time_message);
        buf_free(&q->time_signature);
}
