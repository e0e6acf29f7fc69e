/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receipts in the TPM half: signed here, carried to the verifier by the network half, which can lose them but
 * not change one: what it brings back counts by the digest that is known here. Spec: SR-24.
 */
#include <string.h>

#include "agent/half_private.h"
#include "base/log.h"

#define RETRY_MS 5000

int half_receipts_new(struct half *h, struct err *err)
{
        return h->config->launch.enabled ? receipts_new(h->config->state_dir, &h->receipts, err) : 0;
}

void half_receipts_free(struct half *h)
{
        receipts_free(h->receipts);
}

struct receipts_tpm half_receipts_tpm(const struct half *h)
{
        return (struct receipts_tpm){.tpm = h->tpm,
                                     .ak = h->id.ak,
                                     .bank = tpm_banks_quoted(&h->used),
                                     .mask = h->asked_mask ? h->asked_mask : 1u << h->config->tpm.pcr};
}

/* Once: when the TPM comes back later, what was begun since may still run. */
static int sweep(struct half *h, struct err *err)
{
        const struct receipts_tpm t = half_receipts_tpm(h);
        int r = h->receipts_swept
                        ? 0
                        : receipts_lost(h->receipts, &t, NULL, 0, "the agent was ended while it ran", err);

        h->receipts_swept = h->receipts_swept || r >= 0;
        return r;
}

int half_receipts_start(struct half *h, struct err *err)
{
        int r = h->receipts ? sweep(h, err) : 0;

        if (r >= 0 || r == -ERR_TPM)
                return r;
        log_err(err, "receipts of what ran before; it is tried again"); /* a full disk stops no evidence */
        err_clear(err);
        return 0;
}

int64_t half_receipts_turn(struct half *h, int64_t mono_ms)
{
        struct receipts_tpm t;
        struct err err = ERR_INIT;
        int r;

        if (!h->receipts || h->state != PRIVSEP_STATE_READY ||
            (h->receipts_swept && !receipts_unfinished(h->receipts)))
                return INT64_MAX;
        if (mono_ms < h->receipts_retry_ms)
                return h->receipts_retry_ms - mono_ms;
        t = half_receipts_tpm(h);
        r = sweep(h, &err);
        if (r >= 0)
                r = receipts_turn(h->receipts, &t, &err);
        if (r >= 0)
                return INT64_MAX;
        log_err(&err, "receipts; it is tried again");
        half_after_failure(h, &err);
        h->receipts_retry_ms = mono_ms + RETRY_MS;
        return RETRY_MS;
}

uint32_t half_receipts(const struct half *h)
{
        return h->receipts ? (uint32_t)receipts_waiting(h->receipts) : 0;
}

int half_answer_receipts(struct half *h, struct view body, struct buf *out, struct err *err)
{
        if (body.len)
                return err_set(err, ERR_FORMAT, 0, "receipts: takes no arguments");
        return h->receipts ? receipts_ask(h->receipts, out, err) : 0;
}

int half_answer_countersigned(struct half *h, struct view body, struct buf *out, struct err *err)
{
        int n = h->receipts ? receipts_take(h->receipts, body, err) : 0;

        (void)out; /* nothing to say */
        if (n > 0)
                log_info("the verifier has decided about %d receipt(s), %u wait", n, half_receipts(h));
        return n;
}
