/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of a wipe, in their order. Nothing before the increment waits for anything but the TPM; each step
 * may be done twice without harm.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/wipe_private.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define INCREMENTS_MAX 4096  /* that a counter below the order's epoch is brought on by */
#define STOP_MS        20000 /* for asking that all units be stopped: the watchdog waits longer */

/* In the boot of the increment and before it, whatever was extended in an earlier one: a session that was
 * validated since then must not outlive the increment. */
static int extend(struct wipe *w, const struct wipe_tpm *t, struct err *err)
{
        if (pcr_log_revoked(t->log, w->j.verifier, w->j.id))
                return 0;
        return pcr_log_revoke(t->log, t->tpm, w->j.verifier, w->j.id, err);
}

/* The agent's own key if the counter's policy names it; else the owner, who needs the EK for his session. */
static int authority(const struct wipe *w, const struct wipe_tpm *t, struct tpm_counter_auth *ret,
                     struct tpm_ek **ret_ek, struct err *err)
{
        bool ours = t->counter_key && t->counter_public && pubkey_equal(t->counter_public, w->counter);

        *ret = (struct tpm_counter_auth){.agent = ours ? t->counter_key : NULL, .agent_public = w->counter};
        return tpm_ek_load(t->tpm, t->ek_type, ret_ek, err);
}

static int define_anew(const struct wipe *w, const struct wipe_tpm *t, const struct tpm_counter *now,
                       struct err *err)
{
        AUTO(tpm_ek_free_p) struct tpm_ek *ek = NULL;
        struct tpm_counter_auth auth;
        struct tpm_counter made;
        int r = authority(w, t, &auth, &ek, err);

        if (r >= 0 && now->defined)
                r = tpm_counter_undefine(t->tpm, ek, w->j.nv_index, auth.owner_auth, err);
        if (r >= 0)
                r = tpm_counter_define(t->tpm, ek, w->j.nv_index, &auth, &made, err);
        if (r >= 0)
                log_warning("counter 0x%08x was %s: it is defined anew and goes on at %llu", w->j.nv_index,
                            now->defined ? "another one" : "gone", (unsigned long long)made.value);
        return r;
}

static int increment(struct wipe *w, const struct wipe_tpm *t, struct err *err)
{
        AUTO(tpm_ek_free_p) struct tpm_ek *ek = NULL;
        struct tpm_counter_auth auth;
        struct tpm_counter now;
        int r;

        if (!w->counter)
                return err_set(err, ERR_BUG, 0, "an order without a counter");
        r = tpm_counter_read(t->tpm, w->j.nv_index, w->counter, &now, err);
        if (r >= 0 && (!now.defined || !now.fit)) {
                /* Under its own name again, above every value it had: what was sealed stays shut (SR-11). */
                r = define_anew(w, t, &now, err);
                if (r >= 0)
                        r = tpm_counter_read(t->tpm, w->j.nv_index, w->counter, &now, err);
        }
        if (r >= 0 && now.value <= w->j.epoch)
                r = authority(w, t, &auth, &ek, err);
        for (int i = 0; r >= 0 && now.value <= w->j.epoch; i++) {
                if (i == INCREMENTS_MAX)
                        return err_set(err, ERR_LIMIT, 0, "counter 0x%08x is too far below its epoch",
                                       w->j.nv_index);
                r = tpm_counter_increment(t->tpm, ek, w->j.nv_index, &auth, &now.value, err);
        }
        return r < 0 ? r : 0;
}

static int forget(struct wipe *w, const struct wipe_tpm *t, struct err *err)
{
        (void)t;
        return secrets_forget(w->o.secrets, err);
}

/* One that cannot be stopped is said and left: the proof names it as a copy that is out (SR-25). */
static int stop(struct wipe *w, const struct wipe_tpm *t, struct err *err)
{
        const struct wipe_notes *copies = &w->j.copied_out;
        int64_t until_ms = clock_mono_ms() + STOP_MS;

        (void)t;
        if (w->o.stop_modules)
                w->o.stop_modules(w->o.stop_ctx, w->reason ? w->reason : "revoked");
        for (size_t i = 0; i < copies->n; i++) {
                const char *unit = copies->v[i].what;
                bool before = false;

                for (size_t k = 0; k < i && !before; k++)
                        before = str_equal(copies->v[k].what, unit);
                if (before || str_starts(unit, "uid ") || str_starts(unit, SECRETS_HOLDER_MODULE))
                        continue;
                if (clock_mono_ms() > until_ms) {
                        log_error(
                                "systemd does not answer: unit %s and what follows it in the proof's list of "
                                "copies are not stopped",
                                SHOW(unit));
                        break;
                }
                if (w->o.stop(unit, err) < 0) {
                        log_err(err, "a unit that received secrets is not stopped");
                        err_clear(err);
                } else {
                        log_warning("unit %s received secrets that are destroyed: it is being stopped",
                                    SHOW(unit));
                }
        }
        return 0;
}

static int start_hooks(struct wipe *w, const struct wipe_tpm *t, struct err *err)
{
        AUTO(buf_free) struct buf event = {0};
        struct json_out o = json_out_to(&event, false);

        (void)t;
        if (w->hooks_run)
                return 0;
        json_out_object(&o, NULL);
        json_out_str(&o, "schema", "avow.local-revocation/1");
        json_out_str(&o, "id", w->j.id);
        json_out_str(&o, "host", w->j.host);
        json_out_str(&o, "reaction", reaction_name(w->j.reaction));
        json_out_str(&o, "revocation", w->j.jws);
        json_out_array(&o, "done");
        for (unsigned i = 0; i < WIPE_HOOKS; i++)
                if (w->j.done >> i & 1)
                        json_out_str(&o, NULL, wipe_step_name((enum wipe_step)i));
        json_out_array_end(&o);
        json_out_object_end(&o);
        buf_u8(&event, '\n');
        if (!buf_ok(&event))
                return err_nomem(err);
        w->hooks_run = true;
        return local_hooks_start(w->o.hooks, VIEW_BUF(&event), err);
}

static const struct {
        enum wipe_step step;
        int (*run)(struct wipe *w, const struct wipe_tpm *t, struct err *err);
#ifdef AVOW_FAULT_POINTS
        const char *done, *noted;
#define POINTS(name) , "wipe-" name, "wipe-" name "-noted"
#else
#define POINTS(name)
#endif
} steps[] = {
        {WIPE_EXTEND, extend POINTS("extended")},    {WIPE_INCREMENT, increment POINTS("incremented")},
        {WIPE_FORGET, forget POINTS("deleted")},     {WIPE_STOP, stop POINTS("stopped")},
        {WIPE_HOOKS, start_hooks POINTS("hooking")},
};

int wipe_go_on(struct wipe *w, const struct wipe_tpm *t, struct err *err)
{
        unsigned left = w->j.jws ? wipe_steps_of(w->j.reaction) & ~w->j.done : 0;
        struct err first = ERR_INIT;

        if (left >> WIPE_INCREMENT & 1)
                left |= 1u << WIPE_EXTEND;
        if (w->behind)
                wipe_note(w);
        for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
                struct err why = ERR_INIT;

                if (!(left >> steps[i].step & 1))
                        continue;
                if (steps[i].run(w, t, &why) < 0) {
                        if (first.kind == ERR_NONE)
                                first = why;
                        continue;
                }
                FAULT(steps[i].done);
                if (steps[i].step == WIPE_HOOKS)
                        continue; /* noted when they have ended: wipe_turn() */
                w->j.done |= 1u << steps[i].step;
                wipe_note(w);
                FAULT(steps[i].noted);
        }
        if (first.kind == ERR_NONE)
                return 0;
        *err = first;
        return err_wrap(err, "revocation %s", w->j.id);
}

bool wipe_unfinished(const struct wipe *w)
{
        unsigned wanted = w->j.jws ? wipe_steps_of(w->j.reaction) & ~(1u << WIPE_HOOKS) : 0;

        return (wanted & ~w->j.done) || w->behind;
}

void wipe_turn(struct wipe *w)
{
        if (!w->hooks_run || local_hooks_busy(w->o.hooks) || (w->j.done >> WIPE_HOOKS & 1))
                return;
        FAULT("wipe-hooked");
        w->j.done |= 1u << WIPE_HOOKS;
        wipe_note(w);
        FAULT("wipe-hooked-noted");
}
