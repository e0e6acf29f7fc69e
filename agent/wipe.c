/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orders about this host's trust: which are taken, and what is remembered of them.
 *
 * An order that is new refuses hand-outs before anything else is done with it; only what follows touches the
 * disk. The journal is then written before the first step, but the wipe does not depend on it: on a full disk
 * the steps are done from memory, and should power fail as well, the verifier still has the order.
 *
 * Which orders: signed by a pinned key, for this host, with a higher number than the last one, and with an
 * epoch that the counter still has. A counter above it means that the order was carried out before, and that
 * what is sealed now is of a later time (SR-8); it is the same order again if the journal or this boot's log
 * knows it. A counter that is gone, somebody else's, or below (a TPM's old state was put back) is no reason
 * to do nothing: the step makes it what it must be.
 */
#include "agent/wipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/wipe_private.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

unsigned wipe_steps_of(enum reaction reaction)
{
        return reaction == REACTION_DESTROY ? (1u << WIPE_N_STEPS) - 1 : 1u << WIPE_HOOKS;
}

void wipe_note(struct wipe *w)
{
        struct err err = ERR_INIT;
        bool was = w->behind;

        w->behind = wipe_journal_write(w->path, &w->j, &err) < 0;
        if (w->behind && !was)
                log_err(&err, "journal of revocations: going on without it");
}

/* Refuses or admits hand-outs, as the journal says. */
static void apply(struct wipe *w)
{
        free(TAKE(w->reason));
        if (w->j.jws && w->j.reaction != REACTION_REINSTATE)
                w->reason = str_fmt("this host is %s by its verifier (%s)",
                                    w->j.reaction == REACTION_DESTROY ? "revoked" : "suspended", w->j.id);
        if (!w->j.jws || w->j.reaction == REACTION_REINSTATE)
                secrets_admit(w->o.secrets);
        else
                secrets_refuse(w->o.secrets, w->reason ? w->reason : "revoked");
}

static int load(struct wipe *w, struct err *err)
{
        struct err why = ERR_INIT;
        int r = wipe_journal_read(w->path, &w->j, &why);

        if (r > 0 && w->j.counter_key.len)
                r = pubkey_from_spki(VIEW_BUF(&w->j.counter_key), &w->counter, &why);
        if (why.kind == ERR_NOMEM)
                return err_nomem(err);
        if (why.kind != ERR_NONE) {
                log_err(&why, "journal of revocations: no secret is handed out until the verifier says "
                              "whether this host is trusted");
                wipe_journal_done(&w->j);
                w->reason = str_dup("the journal of revocations cannot be read");
                secrets_refuse(w->o.secrets, "the journal of revocations cannot be read");
                return w->reason ? 0 : err_nomem(err);
        }
        if (w->j.jws && w->j.reaction != REACTION_REINSTATE)
                apply(w);
        return r < 0 ? r : 0;
}

int wipe_new(const struct wipe_options *options, struct wipe **ret, struct err *err)
{
        AUTO(wipe_free_p) struct wipe *w = mem_zalloc(1, sizeof(*w));
        int r;

        if (!w)
                return err_nomem(err);
        w->o = *options;
        w->path = str_fmt("%s/revocation.json", options->state_dir);
        if (!w->path)
                return err_nomem(err);
        r = load(w, err);
        if (r < 0)
                return r;
        if (w->reason)
                log_warning("no secret is handed out: %s", w->reason);
        *ret = TAKE(w);
        return 0;
}

void wipe_free(struct wipe *w)
{
        if (!w)
                return;
        wipe_journal_done(&w->j);
        pubkey_free(w->counter);
        free(w->path);
        free(w->reason);
        free(w);
}

const char *wipe_reason(const struct wipe *w)
{
        return w->reason;
}

/* ---- taking an order ---- */

static int refuse(struct err *err, const char *why)
{
        return err_set(err, ERR_CONFIG, 0, "%s", why);
}

/* Is the counter still at the order's epoch? */
static int check_epoch(const struct wipe_tpm *t, const struct revocation_order *o, struct err *err)
{
        struct tpm_counter now;
        int r = tpm_counter_read(t->tpm, o->nv_index, o->counter_key, &now, err);

        if (r < 0)
                return r;
        if (!now.fit || !now.written || now.value <= o->epoch || pcr_log_revoked(t->log, o->verifier, o->id))
                return 0;
        return err_set(err, ERR_CONFIG, 0,
                       "it is for epoch %llu, and the counter has gone on to %llu: it was carried out long "
                       "ago",
                       (unsigned long long)o->epoch, (unsigned long long)now.value);
}

static int check_order(const struct wipe *w, const struct wipe_tpm *t, const char *host,
                       const struct revocation_order *o, struct err *err)
{
        if (!str_equal(o->host, host))
                return refuse(err, "it is for another host");
        if (w->j.jws && str_equal(o->verifier, w->j.verifier)) {
                if (str_equal(o->id, w->j.id))
                        return 0;
                if (o->seq < w->j.seq)
                        return refuse(err, "it is older than the one that was carried out last");
        }
        if (o->reaction == REACTION_DESTROY && check_epoch(t, o, err) < 0)
                return -(int)err->kind;
        return 1;
}

/* What will have to be said in the proof, before the blobs are gone. What cannot be noted is said in the log,
 * and stops nothing. */
static void note_secrets(const struct wipe *w, struct wipe_journal *j)
{
        const struct secrets_copy *copies;
        struct strv names = {0};
        struct err err = ERR_INIT;
        size_t n = secrets_copies(w->o.secrets, &copies);
        int r = secrets_not_revocable(w->o.secrets, &names, &err);

        for (size_t i = 0; r >= 0 && i < names.n; i++)
                r = wipe_notes_add(&j->not_destroyed, names.items[i], "not revocable", &err);
        if (r < 0)
                log_err(&err, "the proof will not name every secret that is not revocable");
        err_clear(&err);
        r = 0;
        for (size_t i = 0; r >= 0 && i < n; i++) {
                char uid[32];

                (void)snprintf(uid, sizeof(uid), "uid %u", copies[i].uid);
                r = wipe_notes_add(&j->copied_out, copies[i].secret, copies[i].unit[0] ? copies[i].unit : uid,
                                   &err);
        }
        if (r < 0)
                log_err(&err,
                        "the proof will not name every copy that is out, and not every unit is stopped");
        strv_done(&names);
}

static int make_journal(const struct wipe *w, const struct revocation_order *o, struct view jws,
                        struct wipe_journal *j, struct err *err)
{
        int r = 0;

        *j = (struct wipe_journal){.jws = str_ndup((const char *)jws.p, jws.len),
                                   .seq = o->seq,
                                   .reaction = o->reaction,
                                   .nv_index = o->nv_index,
                                   .epoch = o->epoch,
                                   .reset_count = o->reset_count};
        (void)snprintf(j->id, sizeof(j->id), "%s", o->id);
        (void)snprintf(j->host, sizeof(j->host), "%s", o->host);
        (void)snprintf(j->verifier, sizeof(j->verifier), "%s", o->verifier);
        if (!j->jws)
                return err_nomem(err);
        if (o->counter_key)
                r = pubkey_spki(o->counter_key, &j->counter_key, err);
        if (r >= 0 && o->reaction == REACTION_DESTROY)
                note_secrets(w, j);
        return r < 0 ? r : 0;
}

static void say(const struct wipe_journal *j)
{
        log_with(LOG_LEVEL_WARNING,
                 LOG_FIELDS({"AVOW_EVENT", "revocation"}, {"AVOW_REVOCATION", j->id},
                            {"AVOW_REACTION", reaction_name(j->reaction)}),
                 "revocation %s: %s", j->id,
                 j->reaction == REACTION_DESTROY   ? "this host's secrets are destroyed"
                 : j->reaction == REACTION_SUSPEND ? "no secret is handed out until the verifier says so"
                                                   : "this host is trusted again");
}

static int take(struct wipe *w, struct revocation_order *o, struct view jws, struct err *err)
{
        struct wipe_journal j = {0};
        int r;

        if (o->reaction != REACTION_REINSTATE)
                secrets_refuse(w->o.secrets, reaction_name(o->reaction));
        FAULT("wipe-refused");
        r = make_journal(w, o, jws, &j, err);
        if (r < 0) {
                wipe_journal_done(&j);
                return r;
        }
        wipe_journal_done(&w->j);
        w->j = j;
        w->hooks_run = false;
        pubkey_free(w->counter);
        w->counter = TAKE(o->counter_key);
        say(&w->j);
        wipe_note(w);
        apply(w);
        FAULT("wipe-noted");
        if (o->reaction == REACTION_REINSTATE && secrets_forget_copies(w->o.secrets, err) < 0) {
                log_err(err, "the log of hand-outs begins anew only later");
                err_clear(err);
        }
        return 1;
}

int wipe_take(struct wipe *w, const struct wipe_tpm *t, struct pubkey *const *keys, size_t n_keys,
              const char *host, struct view jws, struct err *err)
{
        struct revocation_order order = {0};
        bool good = false;
        int r;

        if (w->j.jws && view_equal(view_str(w->j.jws), jws))
                return 0;
        r = revocation_order_open(jws, keys, n_keys, &order, &good, err);
        if (r >= 0 && !good)
                r = refuse(err, "it is not signed by a key of the verifier that this host knows");
        if (r >= 0)
                r = check_order(w, t, host, &order, err);
        if (r > 0)
                r = take(w, &order, jws, err);
        revocation_order_done(&order);
        return r < 0 ? err_wrap(err, "revocation") : r;
}
