/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making the proof. Counter and register are stated in one boot and over the registrar's nonce, so an old
 * proof is none. In a later boot than the order's the register need not hold the record: no session of before
 * lives, and those that were opened since met the new epoch; so a host that is asked for its proof again and
 * again boots with the registers that its secrets are approved for. Where the order names no boot, the record
 * is extended once more.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/wipe_private.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "evidence/sealed.h"

#define QUOTE_TRIES 4

/* Quotes the register as the log knows it: again if somebody extended in between. */
static int quote(const struct wipe_tpm *t, struct view qualifying, struct tpm_signed *ret,
                 struct tpm_pcr_values *values, struct err *err)
{
        for (int i = 0; i < QUOTE_TRIES; i++) {
                int r = pcr_log_check(t->log, t->tpm, err);

                tpm_signed_done(ret);
                if (r >= 0)
                        r = tpm_ak_quote(t->ak, t->bank, 1u << t->pcr, qualifying, ret, values, err);
                if (r >= 0)
                        r = pcr_log_leads_to(t->log, &values->value[t->pcr], err);
                if (r != 0)
                        return r < 0 ? r : 0;
        }
        log_warning("the log does not explain PCR %u: the proof of the wipe will not be believed before the "
                    "next boot",
                    t->pcr);
        return 0;
}

static int copy_notes(const struct wipe_notes *from, struct wipe_notes *to, struct err *err)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < from->n; i++)
                r = wipe_notes_add(to, from->v[i].secret, from->v[i].what, err);
        return r;
}

static void take_values(const struct tpm_pcr_values *from, struct pcr_values *to)
{
        to->bank = from->bank;
        to->mask = from->mask;
        memcpy(to->v, from->value, sizeof(to->v));
}

static int state(const struct wipe *w, const struct wipe_tpm *t, struct wipe_proof *p, struct err *err)
{
        struct tpm_signed counter = {0}, quoted = {0};
        struct tpm_pcr_values values;
        struct digest qualifying;
        int r = qualify_revocation(w->j.verifier, w->j.host, w->j.id, VIEW_ARRAY(p->nonce), &qualifying, err);

        if (r >= 0)
                r = tpm_ak_certify_counter(t->ak, w->j.nv_index, digest_view(&qualifying), &counter, err);
        if (r >= 0)
                r = quote(t, digest_view(&qualifying), &quoted, &values, err);
        if (r >= 0) {
                p->nv_message = counter.message;
                p->nv_signature = counter.signature;
                p->quote_message = quoted.message;
                p->quote_signature = quoted.signature;
                counter = quoted = (struct tpm_signed){0};
                take_values(&values, &p->pcrs);
        }
        tpm_signed_done(&counter);
        tpm_signed_done(&quoted);
        return r < 0 ? r : 0;
}

static int make(struct wipe *w, const struct wipe_tpm *t, struct wipe_proof *p, struct err *err)
{
        int r = state(w, t, p, err);

        if (r >= 0)
                r = sealed_counter_name(w->j.nv_index, w->counter, &p->index_name, err);
        if (r >= 0)
                r = copy_notes(&w->j.copied_out, &p->copied_out, err);
        if (r >= 0)
                r = copy_notes(&w->j.not_destroyed, &p->not_destroyed, err);
        if (r >= 0)
                r = pcr_log_slice(t->log, 0, CEL_RECORDS_MAX, WIPE_PROOF_BYTES_MAX / 2, &p->log, err);
        if (r < 0)
                return r;
        buf_put_view(&p->ak, tpm_ak_public(t->ak));
        p->epoch_sealed = w->j.epoch;
        p->revocation = str_dup(w->j.jws);
        return buf_ok(&p->ak) && p->revocation ? 0 : err_nomem(err);
}

static int record_again(const struct wipe *w, const struct wipe_tpm *t, struct err *err)
{
        struct tpm_counters now;
        int r;

        if (pcr_log_revoked(t->log, w->j.verifier, w->j.id))
                return 0;
        r = tpm_clock_read(t->tpm, &now, err);
        if (r < 0 || (w->j.reset_count != REVOCATION_NO_RESET && (int64_t)now.reset > w->j.reset_count))
                return r;
        return pcr_log_revoke(t->log, t->tpm, w->j.verifier, w->j.id, err);
}

int wipe_prove(struct wipe *w, const struct wipe_tpm *t, struct view nonce, struct buf *ret, struct err *err)
{
        const unsigned wanted = 1u << WIPE_EXTEND | 1u << WIPE_INCREMENT | 1u << WIPE_FORGET;
        AUTO(wipe_proof_free_p) struct wipe_proof *p = NULL;
        int r = 0;

        if (!w->j.jws || w->j.reaction != REACTION_DESTROY || (w->j.done & wanted) != wanted || !nonce.len)
                return 0;
        if (nonce.len != QUALIFY_NONCE_BYTES)
                return err_set(err, ERR_FORMAT, 0, "a nonce has %d bytes", QUALIFY_NONCE_BYTES);
        p = wipe_proof_new();
        if (!p)
                return err_nomem(err);
        memcpy(p->nonce, nonce.p, nonce.len);
        r = record_again(w, t, err);
        if (r >= 0)
                r = make(w, t, p, err);
        if (r >= 0)
                r = wipe_proof_encode(p, ret, err);
        FAULT("wipe-proven");
        return r < 0 ? err_wrap(err, "proof of revocation %s", w->j.id) : 1;
}
