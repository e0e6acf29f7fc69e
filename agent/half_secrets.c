/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets in the TPM half: the store, the queue, the files, and what the network half may say about them. It
 * brings the verifier's set, whose documents are signed by their owner and open nothing by themselves; it
 * carries a request for a release that we wrote, and brings an answer that the TPM judges. It never sees a
 * secret. Spec: SR-1, SR-5, SR-25.
 */
#include <string.h>

#include "agent/half_private.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/release.h"

/* What has to be gone when hand-outs are refused: what is being unsealed, and files. */
static void on_refuse(void *ctx)
{
        struct half *h = ctx;
        const char *reason = secrets_refused(h->secrets);

        if (h->launches)
                launches_refuse_all(h->launches, reason ? reason : "the secrets of this host were deleted");
        handout_refuse_all(h->handout, reason ? reason : "the secrets of this host were deleted");
        secret_files_drop(h->files);
}

int half_secrets_new(struct half *h, struct err *err)
{
        AUTO(strv_done) struct strv odd = {0};
        int r = secrets_new(h->config->state_dir, &h->secrets, &odd, err);

        if (r >= 0)
                r = handout_new(h->secrets, &h->handout, err);
        if (r >= 0)
                r = secret_files_new(h->secrets, h->handout, &h->files, err);
        if (r >= 0)
                r = secret_files_configure(h->files, h->config, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < odd.n; i++)
                log_warning("%s: left aside, the verifier sends it again", odd.items[i]);
        secrets_on_refuse(h->secrets, on_refuse, h);
        return 0;
}

void half_secrets_free(struct half *h)
{
        secret_files_free(h->files);
        handout_free(h->handout);
        secrets_free(h->secrets);
}

int half_secrets_configure(struct half *h, const struct agent_config *config, struct err *err)
{
        return secret_files_configure(h->files, config, err);
}

int64_t half_secrets_turn(struct half *h, int64_t mono_ms)
{
        const struct handout_host host = {.tpm = h->state == PRIVSEP_STATE_READY ? h->tpm : NULL,
                                          .ek_type = h->id.ek_type,
                                          .host_id = h->id.host_id,
                                          .config = h->config};
        int64_t files_ms = secret_files_turn(h->files, mono_ms);
        int64_t due_ms = handout_turn(h->handout, &host, mono_ms);

        return files_ms < due_ms ? files_ms : due_ms;
}

/* A launch's question and a release's take turns: neither keeps the other waiting. */
static bool launch_is_next(const struct half *h, struct launches_wanted *ret)
{
        struct handout_wanted secret;

        return half_launch_wanted(h, ret) && (h->launch_turn || !handout_wanted(h->handout, &secret));
}

uint32_t half_wanted(const struct half *h)
{
        struct handout_wanted wanted;
        struct launches_wanted launch;

        if (launch_is_next(h, &launch))
                return launch.number;
        return handout_wanted(h->handout, &wanted) ? wanted.number : 0;
}

int half_answer_secrets(struct half *h, struct view body, struct buf *out, struct err *err)
{
        uint64_t floor;
        int r = secrets_take(h->secrets, h->id.host_id, body, &floor, err);

        (void)out; /* nothing to say */
        if (r < 0)
                return r;
        log_debug("the verifier's set of secrets was taken");
        secret_files_renew(h->files);
        if (floor == 0 || (h->counters.usable && h->counters.floor.value >= floor))
                return 0;
        r = counters_raise_floor(&h->counters, h->tpm, floor, err);
        if (r < 0)
                return err_wrap(err, "raising the floor of approvals");
        log_info("an approval was withdrawn: the floor is %llu now",
                 (unsigned long long)h->counters.floor.value);
        return 0;
}

/* The request, written here, so that what the TPM signs over is what we want. */
static int request_of(const struct half *h, uint32_t *ret_number, struct buf *ret, struct err *err)
{
        struct wire_release_request m = {.n = 1};
        struct handout_wanted wanted;

        if (!handout_wanted(h->handout, &wanted))
                return 0;
        if (wanted.nonce.len != sizeof(m.item[0].nonce) || strlen(wanted.name) > WIRE_RELEASE_NAME_MAX)
                return err_set(err, ERR_BUG, 0, "a release for a nonce of %zu bytes", wanted.nonce.len);
        memcpy(m.item[0].name, wanted.name, strlen(wanted.name) + 1);
        memcpy(m.item[0].nonce, wanted.nonce.p, wanted.nonce.len);
        memcpy(m.item[0].approval, wanted.bracket.b, sizeof(m.item[0].approval));
        *ret_number = wanted.number;
        return wire_release_request_encode(&m, ret, err);
}

int half_answer_wanted(struct half *h, struct view body, struct buf *out, struct err *err)
{
        AUTO(buf_free) struct buf request = {0};
        struct launches_wanted launch;
        uint32_t number = 0;
        int r;

        if (body.len)
                return err_set(err, ERR_FORMAT, 0, "wanted: takes no arguments");
        if (launch_is_next(h, &launch)) {
                h->launch_turn = false;
                privsep_wanted_put(out, &(struct privsep_wanted){launch.number, launch.body});
                return 0;
        }
        h->launch_turn = true;
        r = request_of(h, &number, &request, err);
        if (r >= 0)
                privsep_wanted_put(out, &(struct privsep_wanted){number, VIEW_BUF(&request)});
        return r;
}

/* What the number stands for, if that is still wanted: the digest of its request. */
static int wanted_digest(const struct half *h, uint32_t number, struct digest *ret, struct err *err)
{
        AUTO(buf_free) struct buf request = {0};
        struct launches_wanted launch;
        uint32_t other = 0;
        int r;

        if (number & LAUNCHES_NUMBER_BIT) {
                if (half_launch_wanted(h, &launch) && launch.number == number)
                        return digest_bytes(DIGEST_SHA256, launch.body, ret, err);
                return err_set(err, ERR_CONFIG, 0, "no permit is wanted, or another one");
        }
        r = request_of(h, &other, &request, err);
        if (r >= 0 && (other == 0 || other != number))
                r = err_set(err, ERR_CONFIG, 0, "no release is wanted, or another one");
        return r < 0 ? r : digest_bytes(DIGEST_SHA256, VIEW_BUF(&request), ret, err);
}

int half_answer_show(struct half *h, struct view body, struct buf *out, struct err *err)
{
        char verifier_id[QUALIFY_VERIFIER_ID_CHARS + 1];
        struct digest hash, qualifying;
        struct privsep_show m;
        int r = privsep_show_get(body, &m, err);

        if (r >= 0)
                r = wanted_digest(h, m.number, &hash, err);
        if (r >= 0)
                r = half_verifier_id(m.collect.verifier_id, verifier_id, err);
        if (r >= 0 && m.number & LAUNCHES_NUMBER_BIT)
                r = qualify_permit(verifier_id, h->id.host_id, m.collect.challenge, digest_view(&hash),
                                   &qualifying, err);
        else if (r >= 0)
                r = qualify_release(verifier_id, h->id.host_id, m.collect.challenge, digest_view(&hash),
                                    &qualifying, err);
        return r < 0 ? r : half_collect(h, &m.collect, digest_view(&qualifying), out, err);
}

int half_answer_release(struct half *h, struct view body, struct buf *out, struct err *err)
{
        struct str_shown shown;
        struct privsep_release m;
        int r = privsep_release_get(body, &m, err);

        (void)out; /* nothing to say: the TPM judges at the next turn */
        if (r < 0)
                return r;
        if (m.granted)
                return handout_release(h->handout, m.number, m.signature, m.lease_s, err);
        handout_no_release(h->handout, m.number, m.final, str_show(m.text, &shown));
        return 0;
}
