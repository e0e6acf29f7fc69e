/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Launches in the TPM half: the launch log beside the one of measurements, the launcher, and what the network
 * half brings from the verifier. Spec: SR-21 to SR-23.
 */
#include <string.h>

#include "agent/half_private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#define LAUNCH_LOG "launch" /* launch.log in the state directory */

static struct launches_host host_of(const struct half *h)
{
        return (struct launches_host){.tpm = h->state == PRIVSEP_STATE_READY ? h->tpm : NULL,
                                      .log = h->launch_log,
                                      .host_id = h->id.host_id,
                                      .pcr = h->config->launch.pcr,
                                      .keys = &h->verifier_keys.release,
                                      .receipts = h->receipts,
                                      .receipts_tpm = half_receipts_tpm(h)};
}

int half_launch_new(struct half *h, struct err *err)
{
        const struct agent_config *config = h->config;
        const struct launches_options options = {
                .secrets = h->secrets, .handout = h->handout, .cache_ms = config->launch.cache_ms};
        int r = config->launch.enabled ? launches_new(&options, &h->launches, err) : 0;

        if (r < 0 || !config->launch.enabled)
                return r;
        if (!config->verifier.url)
                launches_reach(h->launches, false, "verifier.url names none", clock_mono_ms());
        else if (config->peer == AGENT_PEER_KEYLIME)
                launches_reach(h->launches, false, "verifier.peer is keylime, which permits no launches",
                               clock_mono_ms());
        return 0;
}

void half_launch_free(struct half *h)
{
        launches_free(h->launches);
}

void half_launch_configure(struct half *h, const struct agent_config *config)
{
        if (h->launches)
                launches_configure(h->launches, config->launch.cache_ms);
}

int half_launch_start(struct half *h, struct err *err)
{
        struct pcr_log_options options = {
                .dir = h->config->state_dir, .name = LAUNCH_LOG, .pcr = h->config->launch.pcr};
        int r;

        if (!h->launches)
                return 0;
        r = tpm_banks_choose(&h->banks, (const char *const *)h->config->tpm.banks, h->config->tpm.n_banks,
                             options.pcr, &options.banks, err);
        if (r >= 0)
                r = pcr_log_new(&options, &h->launch_log, err);
        if (r >= 0)
                r = pcr_log_open(h->launch_log, h->tpm, err);
        if (r < 0)
                return err_wrap(err, "launch.pcr");
        if (!pcr_log_explains(h->launch_log))
                log_with(LOG_LEVEL_WARNING, LOG_FIELDS({"AVOW_EVENT", "launch-log-does-not-explain"}),
                         "PCR %u holds extends that the launch log does not explain: something else extends "
                         "it "
                         "(launch.pcr moves it), or the log was lost; the verifier permits nothing until the "
                         "next boot",
                         options.pcr);
        return 0;
}

void half_launch_close(struct half *h)
{
        pcr_log_free(TAKE(h->launch_log));
}

int64_t half_launch_turn(struct half *h, int64_t mono_ms)
{
        struct launches_host host = host_of(h);

        return h->launches ? launches_turn(h->launches, &host, mono_ms) : INT64_MAX;
}

void half_launch_stop(void *ctx, const char *why)
{
        struct half *h = ctx;

        if (h->launches)
                launches_stop(h->launches, why);
}

bool half_launch_wanted(const struct half *h, struct launches_wanted *ret)
{
        return h->launches && launches_wanted(h->launches, ret);
}

/* ---- the launcher */

struct launches *half_launches(struct half *h)
{
        return h->launches;
}

void half_launcher_attach(struct half *h)
{
        struct launches_host host = host_of(h);

        launches_attach(h->launches, &host);
}

void half_launcher_detach(struct half *h)
{
        struct launches_host host = host_of(h);
        struct err err = ERR_INIT;

        if (host.tpm && receipts_lost(h->receipts, &host.receipts_tpm, NULL, 0,
                                      "the launcher was ended while it ran", &err) < 0)
                log_err(&err, "receipts of what the launcher ran");
        launches_detach(h->launches);
}

int half_launcher_take(struct half *h, const struct frame *frame, struct err *err)
{
        struct launches_host host = host_of(h);
        int r = launches_take(h->launches, &host, frame, clock_mono_ms(), err);

        if (r != -ERR_TPM)
                return r;
        half_after_failure(h, err); /* the launch was told; the launcher is not to blame */
        err_clear(err);
        return 0;
}

/* ---- the network half */

int half_answer_permit(struct half *h, struct view body, struct buf *out, struct err *err)
{
        struct launches_host host = host_of(h);
        struct str_shown text, where, next;
        struct launches_answer answer;
        struct privsep_permit m;
        int r = privsep_permit_get(body, &m, err);

        (void)out; /* nothing to say */
        if (r < 0 || !h->launches)
                return r;
        answer = (struct launches_answer){.permit = m.permit,
                                          .final = m.final,
                                          .text = str_show(m.text, &text),
                                          .where = m.where.len ? str_show(m.where, &where) : NULL,
                                          .next = m.next.len ? str_show(m.next, &next) : NULL};
        launches_answer(h->launches, &host, m.number, &answer, clock_mono_ms());
        return 0;
}

int half_answer_reach(struct half *h, struct view body, struct buf *out, struct err *err)
{
        struct str_shown text;
        struct privsep_reach m;
        int r = privsep_reach_get(body, &m, err);

        (void)out; /* nothing to say */
        if (r >= 0 && h->launches)
                launches_reach(h->launches, m.reachable, str_show(m.text, &text), clock_mono_ms());
        return r;
}

void half_network_lost(struct half *h)
{
        if (h->launches)
                launches_reach(h->launches, false, "the agent's network half ended", clock_mono_ms());
}
