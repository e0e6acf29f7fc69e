/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's trust in the TPM half: orders of the verifier, the wipe, the hooks, and silence.
 *
 * The network half brings what the verifier signed and carries the proof back; it can hold an order up, but
 * it can neither make one nor undo one. An order held up is silence, and silence ends hand-outs too
 * (`fail_closed_after`, SR-2), counted in the TPM's time, which the system's clock does not move. That the
 * verifier took evidence is the network half's word: who holds it can keep alive what is unsealed already, as
 * root can, but not get a release.
 */
#include <string.h>

#include "agent/half_private.h"
#include "agent/unit_stop.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define RETRY_MS       5000 /* of a step that failed */
#define SILENCE_PARTS  8    /* the clock is looked at, and kept, this often in fail_closed_after */
#define SILENCE_MIN_MS 250

static struct wipe_tpm tpm_of(const struct half *h)
{
        return (struct wipe_tpm){.tpm = h->tpm,
                                 .ek_type = h->id.ek_type,
                                 .ak = h->id.ak,
                                 .log = h->log,
                                 .pcr = h->config->tpm.pcr,
                                 .bank = tpm_banks_quoted(&h->used),
                                 .counter_key = h->counters.key,
                                 .counter_public = h->counters.public};
}

static int load_keys(struct half *h, const struct agent_config *config, struct err *err)
{
        int r = verifier_keys_load(config, &h->verifier_keys, err);

        if (r == 0 && config->verifier.url && config->peer == AGENT_PEER_AVOW)
                log_info("no keys of the verifier yet: they are pinned at the first login (verifier.keys)");
        return r < 0 ? r : 0;
}

int half_trust_new(struct half *h, struct err *err)
{
        struct wipe_options options = {.state_dir = h->config->state_dir,
                                       .secrets = h->secrets,
                                       .stop = unit_stop,
                                       .stop_modules = half_launch_stop,
                                       .stop_ctx = h};
        int r = local_hooks_new(h->config->hooks_dir, h->config->hook_timeout_ms, &h->hooks, err);

        options.hooks = h->hooks;
        if (r >= 0)
                r = wipe_new(&options, &h->wipe, err);
        return r < 0 ? r : load_keys(h, h->config, err);
}

void half_trust_free(struct half *h)
{
        wipe_free(h->wipe);
        local_hooks_free(h->hooks);
        verifier_keys_done(&h->verifier_keys);
}

int half_trust_configure(struct half *h, const struct agent_config *config, struct err *err)
{
        local_hooks_configure(h->hooks, config->hook_timeout_ms);
        return load_keys(h, config, err);
}

/* ---- silence */

static char *alive_path(const struct half *h)
{
        return str_fmt("%s/alive", h->config->state_dir);
}

/* When the verifier last took evidence, in the TPM's clock, which goes on over boots. */
static void keep_alive(struct half *h, uint64_t clock_ms)
{
        AUTO(mem_free_p) char *path = alive_path(h), *text = str_fmt("%llu", (unsigned long long)clock_ms);
        struct err err = ERR_INIT;

        h->alive_clock_ms = clock_ms;
        if (!path || !text ||
            (h->alive_kept_ms &&
             clock_ms - h->alive_kept_ms < (uint64_t)(h->config->fail_closed_ms / SILENCE_PARTS)))
                return;
        h->alive_kept_ms = clock_ms;
        if (file_write(path, view_str(text), 0600, &err) < 0)
                log_err(&err, "fail_closed_after");
}

static int begin_silence(struct half *h, struct err *err)
{
        AUTO(mem_free_p) char *path = alive_path(h);
        AUTO(buf_free) struct buf text = {0};
        struct err ignored = ERR_INIT;
        struct tpm_counters now;
        uint64_t kept = 0;
        int r;

        h->alive_look_ms = 0;
        if (!path)
                return err_nomem(err);
        r = tpm_clock_read(h->tpm, &now, err);
        if (r < 0)
                return r;
        h->alive_kept_ms = 0;
        /* A clock that went back (a power cut) counts from now. */
        if (file_read(path, 32, &text, &ignored) >= 0 &&
            str_parse_uint(VIEW_BUF(&text), UINT64_MAX, &kept, &ignored) >= 0 && kept <= now.clock_ms)
                h->alive_clock_ms = h->alive_kept_ms = kept;
        else
                keep_alive(h, now.clock_ms);
        return 0;
}

static void set_silent(struct half *h, bool silent)
{
        char text[CLOCK_TEXT_BYTES];

        if (silent == h->silent)
                return;
        h->silent = silent;
        if (silent) {
                log_with(LOG_LEVEL_WARNING, LOG_FIELDS({"AVOW_EVENT", "fail-closed"}),
                         "the verifier has taken no evidence for %s (fail_closed_after): unsealed copies are "
                         "dropped, and no secret is handed out until it does",
                         clock_format_duration(h->config->fail_closed_ms, text));
        } else {
                log_info("the verifier is heard again%s",
                         wipe_reason(h->wipe) ? "" : ": secrets are handed out");
        }
        half_trust_settle(h);
}

void half_trust_settle(struct half *h)
{
        const char *reason = wipe_reason(h->wipe);

        if (reason)
                secrets_refuse(h->secrets, reason);
        else if (h->silent)
                secrets_refuse(h->secrets, "the verifier has not been heard for too long");
        else
                secrets_admit(h->secrets);
}

static int64_t look_at_silence(struct half *h, int64_t mono_ms)
{
        int64_t limit = h->config->fail_closed_ms, step = limit / SILENCE_PARTS;
        struct err err = ERR_INIT;
        struct tpm_counters now;

        if (limit == 0 || !h->config->verifier.url || h->config->peer != AGENT_PEER_AVOW ||
            h->state != PRIVSEP_STATE_READY) {
                if (limit == 0)
                        set_silent(h, false);
                return INT64_MAX;
        }
        if (mono_ms < h->alive_look_ms)
                return h->alive_look_ms - mono_ms;
        step = step < SILENCE_MIN_MS ? SILENCE_MIN_MS : step;
        h->alive_look_ms = mono_ms + step;
        if (tpm_clock_read(h->tpm, &now, &err) < 0)
                half_after_failure(h, &err);
        else if (now.clock_ms < h->alive_clock_ms)
                h->alive_clock_ms = now.clock_ms;
        else
                set_silent(h, now.clock_ms - h->alive_clock_ms > (uint64_t)limit);
        return step;
}

int half_answer_alive(struct half *h, struct view body, struct buf *out, struct err *err)
{
        struct tpm_counters now;
        int r;

        (void)out; /* nothing to say */
        if (body.len)
                return err_set(err, ERR_FORMAT, 0, "alive: takes no arguments");
        r = tpm_clock_read(h->tpm, &now, err);
        if (r < 0)
                return r;
        keep_alive(h, now.clock_ms);
        set_silent(h, false);
        return 0;
}

/* ---- orders */

/* Failures are said once and tried again; a TPM that went away comes back by itself. */
static void go_on(struct half *h, int64_t mono_ms)
{
        struct wipe_tpm t = tpm_of(h);
        struct err err = ERR_INIT;

        if (wipe_go_on(h->wipe, &t, &err) >= 0) {
                h->wipe_said[0] = '\0';
                return;
        }
        if (!str_equal(h->wipe_said, err.text))
                log_err(&err, "a step of the wipe failed, and is tried again");
        memcpy(h->wipe_said, err.text, sizeof(h->wipe_said));
        h->wipe_retry_ms = mono_ms + RETRY_MS;
        half_after_failure(h, &err);
}

int half_trust_start(struct half *h, struct err *err)
{
        int r = begin_silence(h, err);

        if (r >= 0)
                go_on(h, clock_mono_ms());
        return r;
}

int64_t half_trust_turn(struct half *h, int64_t mono_ms)
{
        int64_t hooks_ms = local_hooks_turn(h->hooks, mono_ms), due_ms = look_at_silence(h, mono_ms);

        wipe_turn(h->wipe);
        if (hooks_ms >= 0 && hooks_ms < due_ms)
                due_ms = hooks_ms;
        if (!wipe_unfinished(h->wipe) || h->state != PRIVSEP_STATE_READY)
                return due_ms;
        if (mono_ms >= h->wipe_retry_ms)
                go_on(h, mono_ms);
        return RETRY_MS < due_ms ? RETRY_MS : due_ms;
}

int half_answer_revoke(struct half *h, struct view body, struct buf *out, struct err *err)
{
        struct wipe_tpm t = tpm_of(h);
        struct privsep_revoke m;
        int r = privsep_revoke_get(body, &m, err);

        if (r < 0)
                return r;
        r = wipe_take(h->wipe, &t, h->verifier_keys.revocation.keys, h->verifier_keys.revocation.n,
                      h->id.host_id, m.jws, err);
        if (r < 0) {
                if (!str_equal(h->order_said, err->text)) /* once: it may be a stranger who goes on sending */
                        log_err(err, "what came as a revocation is not carried out");
                memcpy(h->order_said, err->text, sizeof(h->order_said));
                return r;
        }
        if (r > 0) {
                h->order_said[0] = '\0';
                half_trust_settle(h);
                go_on(h, clock_mono_ms());
        }
        if (h->state != PRIVSEP_STATE_READY)
                return err_set(err, ERR_TPM, 0, "the TPM went away in the wipe");
        t = tpm_of(h);
        r = wipe_prove(h->wipe, &t, m.nonce, out, err);
        if (r == 0 && m.nonce.len && wipe_unfinished(h->wipe))
                return err_set(err, ERR_IO, 0, "the wipe is not done yet");
        return r < 0 ? r : 0;
}

int half_answer_keys(struct half *h, struct view body, struct buf *out, struct err *err)
{
        int r = verifier_keys_pin(h->config, body, &h->verifier_keys, err);

        (void)out; /* nothing to say */
        if (r == -ERR_CONFIG && !str_equal(h->keys_said, err->text)) {
                log_err(err, "keys of the verifier");
                memcpy(h->keys_said, err->text, sizeof(h->keys_said));
        }
        return r < 0 ? r : 0;
}
