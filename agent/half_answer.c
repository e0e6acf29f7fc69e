/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answers. Whoever took over the network half can ask these questions and no others. What is signed is
 * always bound to a purpose that follows from the question, to this host, and to a verifier's id (SR-13); a
 * raw challenge is signed for Keylime verifiers only, which know no other way, and only if the configuration
 * says so.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/half_private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "evidence/qualify.h"
#include "tpm/policy.h"

#define QUOTE_TRIES 4
#define RAW_MAX     64

static int answer_status(struct half *h, struct view body, struct buf *out, struct err *err)
{
        const char *problem = h->said;

        if (body.len)
                return err_set(err, ERR_FORMAT, 0, "status: takes no arguments");
        if (!*problem && h->log && !pcr_log_explains(h->log))
                problem = "the log does not explain the register";
        privsep_status_put(out, &(struct privsep_status){.state = h->state,
                                                         .lockout = h->lockout,
                                                         .log_explains = h->log && pcr_log_explains(h->log),
                                                         .log_entries = half_log_entries(h),
                                                         .problem = view_str(problem)});
        return 0;
}

static int answer_identity(struct half *h, struct view body, struct buf *out, struct err *err)
{
        struct privsep_identity m = {.host_id = view_str(h->id.host_id),
                                     .ek_public = VIEW_BUF(&h->id.ek_public),
                                     .ek_certificate = VIEW_BUF(&h->id.ek_certificate),
                                     .ek_chain = VIEW_BUF(&h->id.ek_chain),
                                     .ak_public = tpm_ak_public(h->id.ak),
                                     .ak_name = tpm_ak_name(h->id.ak),
                                     .boot_time_ms = h->boot_time_ms,
                                     .log_entries = half_log_entries(h),
                                     .quote_bank = (uint16_t)tpm_banks_quoted(&h->used),
                                     .pcr = (uint8_t)h->config->tpm.pcr,
                                     .has_launch = h->launch_log != NULL,
                                     .launch_pcr = (uint8_t)h->config->launch.pcr};

        if (body.len)
                return err_set(err, ERR_FORMAT, 0, "identity: takes no arguments");
        for (size_t i = 0; i < h->banks.n && m.n_banks < PRIVSEP_MAX_BANKS; i++)
                if (h->banks.v[i].mask) {
                        m.banks[m.n_banks].alg = h->banks.v[i].alg;
                        m.banks[m.n_banks++].mask = h->banks.v[i].mask;
                }
        if (h->launch_log)
                m.launch_entries = (uint32_t)pcr_log_count(h->launch_log);
        half_logs_offer(h, &m);
        privsep_identity_put(out, &m);
        return 0;
}

static int answer_activate(struct half *h, struct view body, struct buf *out, struct err *err)
{
        struct privsep_activate m;
        struct secret credential = {0};
        int r = privsep_activate_get(body, &m, err);

        if (r < 0)
                return r;
        if (h->slow)
                h->slow("activating a credential");
        r = identity_activate(&h->id, h->tpm, m.id_object, m.secret, &credential, err);
        if (r >= 0)
                buf_put(out, credential.p, credential.len);
        secret_free(&credential);
        return r;
}

int half_verifier_id(struct view v, char ret[QUALIFY_VERIFIER_ID_CHARS + 1], struct err *err)
{
        if (v.len != QUALIFY_VERIFIER_ID_CHARS || memchr(v.p, '\0', v.len))
                return err_set(err, ERR_FORMAT, 0, "a verifier's id has 36 characters");
        memcpy(ret, v.p, v.len);
        ret[v.len] = '\0';
        return 0;
}

/* A challenge that is signed as it is: for Keylime verifiers. */
static int raw_challenge(const struct half *h, struct view verifier_id, struct view challenge,
                         struct err *err)
{
        if (h->config->peer != AGENT_PEER_KEYLIME)
                return err_set(err, ERR_FORMAT, 0,
                               "raw challenges are signed with verifier.peer: keylime only");
        if (verifier_id.len || challenge.len == 0 || challenge.len > RAW_MAX)
                return err_set(err, ERR_FORMAT, 0, "a raw challenge has 1 to %d bytes and no verifier",
                               RAW_MAX);
        return 0;
}

static int answer_session(struct half *h, struct view body, struct buf *out, struct err *err)
{
        char verifier_id[QUALIFY_VERIFIER_ID_CHARS + 1];
        struct tpm_signed proof = {0};
        struct privsep_session m;
        struct digest qualifying;
        struct view signed_data;
        int r = privsep_session_get(body, &m, err);

        if (r < 0)
                return r;
        if (h->config->peer == AGENT_PEER_KEYLIME) {
                r = raw_challenge(h, m.verifier_id, m.challenge, err);
                signed_data = m.challenge;
        } else {
                r = half_verifier_id(m.verifier_id, verifier_id, err);
                if (r >= 0)
                        r = qualify_session(verifier_id, h->id.host_id, m.challenge, m.spki_sha256,
                                            &qualifying, err);
                signed_data = digest_view(&qualifying);
        }
        if (r >= 0)
                r = tpm_ak_certify_self(h->id.ak, signed_data, &proof, err);
        if (r >= 0)
                privsep_signed_put(
                        out, &(struct privsep_signed){VIEW_BUF(&proof.message), VIEW_BUF(&proof.signature)});
        tpm_signed_done(&proof);
        return r;
}

struct collected {
        struct tpm_signed quote, time, epoch, floor;
        struct tpm_pcr_values values;
        struct buf log, uefi, ima, launch;
        struct tee_made tee;
};

static void collected_done(struct collected *c)
{
        tpm_signed_done(&c->quote);
        tpm_signed_done(&c->time);
        tpm_signed_done(&c->epoch);
        tpm_signed_done(&c->floor);
        buf_free(&c->log);
        buf_free(&c->uefi);
        buf_free(&c->ima);
        buf_free(&c->launch);
        tee_made_done(&c->tee);
}

static int qualifying_of(struct half *h, const struct privsep_collect *m, struct digest *digest,
                         struct view *ret, struct err *err)
{
        char verifier_id[QUALIFY_VERIFIER_ID_CHARS + 1];
        int r;

        if (h->config->peer == AGENT_PEER_KEYLIME) {
                *ret = m->challenge;
                return raw_challenge(h, m->verifier_id, m->challenge, err);
        }
        r = half_verifier_id(m->verifier_id, verifier_id, err);
        if (r >= 0)
                r = qualify_heartbeat(verifier_id, h->id.host_id, m->challenge, digest, err);
        *ret = digest_view(digest);
        return r;
}

/* Quotes; again if somebody extended between the look at the log and the quote, and the log knows who. */
static int quote(struct half *h, const struct privsep_collect *m, struct view qualifying, struct collected *c,
                 struct err *err)
{
        unsigned pcr = h->config->tpm.pcr;

        /* Nobody else writes that one: once is enough. */
        if (h->launch_log && pcr_log_check(h->launch_log, h->tpm, err) < 0)
                return -(int)err->kind;
        for (int i = 0;; i++) {
                int r = pcr_log_check(h->log, h->tpm, err);

                tpm_signed_done(&c->quote);
                if (r >= 0)
                        r = tpm_ak_quote(h->id.ak, (enum digest_alg)m->bank, m->mask, qualifying, &c->quote,
                                         &c->values, err);
                if (r < 0)
                        return r;
                if (!(m->mask >> pcr & 1) || !pcr_log_explains(h->log) || i == QUOTE_TRIES)
                        return 0;
                r = pcr_log_leads_to(h->log, &c->values.value[pcr], err);
                if (r != 0)
                        return r < 0 ? r : 0;
        }
}

/*
 * Both counters, certified. If one is gone, it is made anew, which the verifier sees by its value; if that
 * fails too, the evidence goes without them, and the verifier decides what that means.
 */
static int certify_counters(struct half *h, struct view qualifying, struct collected *c, struct err *err)
{
        for (int i = 0; h->counters.usable; i++) {
                int r = counters_certify(&h->counters, h->id.ak, qualifying, &c->epoch, &c->floor, err);

                if (r >= 0)
                        return 0;
                if (tpm_err_is_lost(err) || (tpm_err_is_stale(err) && !tpm_nv_is_missing(err)))
                        return r;
                log_err(err, i == 0 ? "the counters are looked at again" : "no counters in this evidence");
                err_clear(err);
                tpm_signed_done(&c->epoch);
                tpm_signed_done(&c->floor);
                if (i > 0)
                        break;
                r = counters_load(&h->counters, h->tpm, &h->id, h->config, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static struct privsep_counter counter_of(uint32_t index, const struct tpm_signed *s)
{
        return (struct privsep_counter){index, {VIEW_BUF(&s->message), VIEW_BUF(&s->signature)}};
}

static int put_collected(struct half *h, const struct privsep_collect *m, struct collected *c, size_t offset,
                         size_t n, struct buf *out, struct err *err)
{
        struct privsep_evidence e = {.quote = {VIEW_BUF(&c->quote.message), VIEW_BUF(&c->quote.signature)},
                                     .time = {VIEW_BUF(&c->time.message), VIEW_BUF(&c->time.signature)},
                                     .bank = m->bank,
                                     .mask = c->values.mask,
                                     .log_offset = (uint32_t)offset,
                                     .log_count = (uint32_t)n,
                                     .log_total = half_log_entries(h),
                                     .log = VIEW_BUF(&c->log)};

        if (c->floor.message.len) {
                e.counter_key = VIEW_BUF(&h->counters.spki);
                e.epoch = counter_of(SEAL_NV_EPOCH, &c->epoch);
                e.floor = counter_of(SEAL_NV_FLOOR, &c->floor);
        }
        memcpy(e.pcrs, c->values.value, sizeof(e.pcrs));
        if (h->launch_log && m->launch_max) {
                int r;

                e.launch_total = (uint32_t)pcr_log_count(h->launch_log);
                e.launch_offset = m->launch_offset <= e.launch_total ? m->launch_offset : 0;
                r = pcr_log_slice(h->launch_log, e.launch_offset, m->launch_max, PRIVSEP_LOG_MAX - c->log.len,
                                  &c->launch, err);
                if (r < 0)
                        return r;
                e.launch_count = (uint32_t)r;
                e.launch = VIEW_BUF(&c->launch);
        }
        if (half_tee_collect(h, m, &c->tee, &e, err) < 0)
                return -ERR_NOMEM;
        /* after the quote, so that the list is not behind it */
        if (half_logs_collect(h, m, PRIVSEP_LOG_MAX - c->log.len - c->launch.len, &c->uefi, &c->ima, &e,
                              err) < 0)
                return -ERR_NOMEM;
        privsep_evidence_put(out, &e);
        return 0;
}

static int check_collect(struct half *h, const struct privsep_collect *m, struct err *err)
{
        enum digest_alg bank;
        const char *blocked;
        int r;

        if (!digest_by_tpm_alg(m->bank, &bank) || m->mask == 0 || m->mask >> TPM_N_PCRS)
                return err_set(err, ERR_FORMAT, 0, "collect: bank 0x%x, PCRs 0x%x", m->bank, m->mask);
        r = half_look(h, INVENTORY_MARKS, clock_mono_ms(), err);
        if (r < 0)
                return r;
        blocked = inventory_blocked(h->inventory);
        return blocked ? err_set(err, ERR_IO, 0, "%s", blocked) : 0;
}

int half_collect(struct half *h, const struct privsep_collect *m, struct view qualifying, struct buf *out,
                 struct err *err)
{
        AUTO(collected_done) struct collected c = {0};
        size_t offset;
        int r = check_collect(h, m, err);

        if (r >= 0)
                r = quote(h, m, qualifying, &c, err);
        if (r >= 0 && h->config->peer != AGENT_PEER_KEYLIME)
                r = tpm_ak_time(h->id.ak, qualifying, &c.time, err);
        if (r >= 0)
                r = certify_counters(h, qualifying, &c, err);
        if (r < 0)
                return r;
        h->asked_mask = m->mask;
        offset = m->log_offset <= pcr_log_count(h->log) ? m->log_offset : 0;
        r = pcr_log_slice(h->log, offset, m->log_max, PRIVSEP_LOG_MAX, &c.log, err);
        return r < 0 ? r : put_collected(h, m, &c, offset, (size_t)r, out, err);
}

static int answer_collect(struct half *h, struct view body, struct buf *out, struct err *err)
{
        struct digest digest = {.alg = DIGEST_SHA256};
        struct view qualifying = VIEW_NONE;
        struct privsep_collect m;
        int r = privsep_collect_get(body, &m, err);

        if (r >= 0)
                r = qualifying_of(h, &m, &digest, &qualifying, err);
        return r < 0 ? r : half_collect(h, &m, qualifying, out, err);
}

static const struct {
        enum privsep_type type;
        int (*answer)(struct half *h, struct view body, struct buf *out, struct err *err);
} handlers[] = {
        {PRIVSEP_STATUS, answer_status},          {PRIVSEP_IDENTITY, answer_identity},
        {PRIVSEP_ACTIVATE, answer_activate},      {PRIVSEP_SESSION, answer_session},
        {PRIVSEP_COLLECT, answer_collect},        {PRIVSEP_SECRETS, half_answer_secrets},
        {PRIVSEP_WANTED, half_answer_wanted},     {PRIVSEP_SHOW, half_answer_show},
        {PRIVSEP_RELEASE, half_answer_release},   {PRIVSEP_REVOKE, half_answer_revoke},
        {PRIVSEP_KEYS, half_answer_keys},         {PRIVSEP_ALIVE, half_answer_alive},
        {PRIVSEP_PERMIT, half_answer_permit},     {PRIVSEP_REACH, half_answer_reach},
        {PRIVSEP_RECEIPTS, half_answer_receipts}, {PRIVSEP_COUNTERSIGNED, half_answer_countersigned},
};

static enum privsep_result result_of(struct half *h, const struct err *err)
{
        half_after_failure(h, err);
        if (h->state != PRIVSEP_STATE_READY)
                return PRIVSEP_NOT_NOW;
        return err->kind == ERR_FORMAT || err->kind == ERR_LIMIT || err->kind == ERR_CONFIG ? PRIVSEP_REFUSED
                                                                                            : PRIVSEP_FAILED;
}

static enum privsep_result answer(struct half *h, const struct privsep_frame *request, struct buf *out)
{
        struct err err = ERR_INIT;
        enum privsep_result result;

        if (!privsep_permitted(request->type, h->state)) {
                buf_fmt(out, "not while the TPM half is starting");
                return request->type == PRIVSEP_EVENT ? PRIVSEP_REFUSED : PRIVSEP_NOT_NOW;
        }
        for (size_t i = 0; i < ARRAY_LEN(handlers); i++)
                if (handlers[i].type == request->type && handlers[i].answer(h, request->body, out, &err) >= 0)
                        return PRIVSEP_OK;
        result = result_of(h, &err);
        log_debug("%s: %s", privsep_type_name(request->type), err.text);
        buf_reset(out);
        buf_str(out, err.text);
        return result;
}

void half_answer(struct half *h, const struct privsep_frame *request, struct buf *out)
{
        AUTO(buf_free) struct buf body = {0};
        struct privsep_frame frame = {.type = request->type, .id = request->id};

        frame.result = answer(h, request, &body);
        if (!buf_ok(&body)) {
                buf_free(&body);
                body = (struct buf){0};
                frame.result = PRIVSEP_FAILED;
        }
        frame.body = VIEW_BUF(&body);
        privsep_frame_put(out, &frame);
        if (request->type == PRIVSEP_ACTIVATE && body.p)
                mem_wipe(body.p, body.len); /* the credential */
}
