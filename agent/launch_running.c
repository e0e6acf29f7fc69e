/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After the permit: the record before the exec, what the runtime has mapped, its secrets, its end.
 *
 * The launcher executes after RECORDED and never before, so that whatever ends one of us in between, a module
 * that runs is in the log; the other way round, a record without a module says what may have run. A secret is
 * opened only for a launch whose mappings were looked at and are those of the closure, and only one that its
 * permit names; the log of copies then names the module, so that a wipe's proof does. Spec: SR-5, SR-22,
 * SR-23, SR-25.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "agent/launch_ledger.h"
#include "agent/launch_permit_private.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

/* ---- the record */

static void fail(struct launches *l, struct launch_one *one, const struct err *err, const char *next)
{
        log_err(err, "launch %s", one->launch.id);
        launches_say_no(l, one->id, LAUNCH_WHY_FAILED, err->text, NULL, next);
}

/* What a receipt will say of it: on the disk before the exec, too. */
static int begin_receipt(struct launches *l, const struct launches_host *host, const struct launch_one *one,
                         struct err *err)
{
        struct receipt_secret secrets[LAUNCH_SECRETS_MAX];
        struct receipts_start start = {.launch = &one->launch,
                                       .permit = &one->permit,
                                       .log_pcr = host->pcr,
                                       .log_entry = (uint32_t)pcr_log_count(host->log) - 1,
                                       .secrets = secrets,
                                       .n_secrets = one->launch.n_secrets,
                                       .started_at_ms = clock_now_ms()};

        for (size_t i = 0; i < start.n_secrets; i++) {
                const struct secrets_entry *e = secrets_find(l->o.secrets, one->launch.secrets[i]);

                secrets[i] = (struct receipt_secret){.name = (char *)(uintptr_t)one->launch.secrets[i],
                                                     .local = e && e->release_local};
        }
        return receipts_begin(host->receipts, &host->receipts_tpm, &start, err);
}

static int record(struct launches *l, const struct launches_host *host, const struct launch_one *one,
                  struct err *err)
{
        int r = launch_ledger_launch(host->log, host->tpm, &one->launch, &one->permit, one->cached, err);

        if (r < 0)
                return r;
        FAULT("launch-recorded");
        r = begin_receipt(l, host, one, err);
        return r < 0 ? err_wrap(err, "the launch's receipt") : 0;
}

int launch_take_record(struct launches *l, const struct launches_host *host, struct launch_one *one,
                       struct view body, int64_t mono_ms, struct err *err)
{
        const char *refused = secrets_refused(l->o.secrets);
        struct err why = ERR_INIT;

        if (body.len || one->phase != LAUNCH_GRANTED)
                return err_set(err, ERR_FORMAT, 0, "a record of a launch that has no permit, or has one");
        if (refused || mono_ms >= one->until_ms || !host->tpm) {
                launches_say_no(l, one->id, refused ? LAUNCH_WHY_REFUSED : LAUNCH_WHY_UNAVAILABLE,
                                refused      ? refused
                                : !host->tpm ? "the TPM does not answer"
                                             : "the permit's time is over",
                                NULL, NULL);
                launches_drop(l, one);
                return 0;
        }
        if (record(l, host, one, &why) < 0) {
                fail(l, one, &why,
                     why.kind == ERR_IO ? "make room for the launch log (df /var/lib/avow)"
                     : why.kind == ERR_LIMIT
                             ? "journalctl -u avow-agent; a full launch log begins anew at the next boot"
                             : "journalctl -u avow-agent");
                launches_drop(l, one);
                if (why.kind != ERR_TPM)
                        return 0;
                *err = why; /* the half has to know */
                return -ERR_TPM;
        }
        FAULT("launch-begun");
        one->phase = LAUNCH_RUNNING;
        log_with(LOG_LEVEL_INFO,
                 LOG_FIELDS({"AVOW_EVENT", "launch"}, {"AVOW_LAUNCH", one->launch.id},
                            {"AVOW_RUNTIME", one->launch.runtime}),
                 "launch %s in %s by permit %s%s", one->launch.id, one->launch.runtime, one->permit.id,
                 one->cached ? " (kept: no verifier answers)" : "");
        launches_send(l, LAUNCH_LINK_RECORDED, one->id, VIEW_NONE);
        return 0;
}

/* ---- mappings */

int launch_take_mapped(struct launches *l, const struct launches_host *host, struct launch_one *one,
                       struct view body, int64_t mono_ms, struct err *err)
{
        struct launch_link_mapped m;
        struct err why = ERR_INIT;
        struct str_shown shown;
        bool first = !one->looked_at;
        int r = launch_link_mapped_get(body, &m, err);

        (void)mono_ms;
        if (r >= 0 && one->phase != LAUNCH_RUNNING)
                r = err_set(err, ERR_FORMAT, 0, "mappings of a launch that is not recorded");
        if (r < 0)
                return r;
        r = launch_ledger_mapped(host->log, host->tpm, &one->digest, m.lines, m.foreign, &one->mapped, &why);
        if (r == -ERR_FORMAT) {
                *err = why;
                return r;
        }
        if (r < 0) {
                fail(l, one, &why, "journalctl -u avow-agent");
                *err = why;
                return r == -ERR_TPM ? r : 0;
        }
        if (m.foreign.len)
                log_with(LOG_LEVEL_WARNING,
                         LOG_FIELDS({"AVOW_EVENT", "foreign-mapping"}, {"AVOW_LAUNCH", one->launch.id}),
                         "launch %s: its runtime has mapped what its closure lacks: %s", one->launch.id,
                         str_show(m.foreign, &shown));
        if (first && m.foreign.len) {
                launches_say_no(l, one->id, LAUNCH_WHY_REFUSED,
                                "the runtime has mapped files that its closure lacks",
                                str_show(m.foreign, &shown), "avow-run --explain --runtime RUNTIME MODULE");
                return 0;
        }
        one->looked_at = true;
        launches_send(l, LAUNCH_LINK_RECORDED, one->id, VIEW_NONE);
        return 0;
}

/* ---- secrets */

static void on_secret(void *ctx, const struct handout_answer *answer)
{
        static const enum launch_link_why whys[] = {
                [HANDOUT_UNKNOWN] = LAUNCH_WHY_REFUSED,
                [HANDOUT_REFUSED] = LAUNCH_WHY_REFUSED,
                [HANDOUT_UNAVAILABLE] = LAUNCH_WHY_UNAVAILABLE,
                [HANDOUT_FAILED] = LAUNCH_WHY_FAILED,
        };
        struct launch_one *one = ctx;
        struct launches *l = one->of;
        struct buf body = {0};

        one->opening = false;
        if (answer->result != HANDOUT_OK) {
                launches_say_no(l, one->id, whys[answer->result], answer->text, NULL, "avow secret list");
                return;
        }
        launch_link_opened_put(
                &body, &(struct launch_link_opened){.lease_s = answer->lease_s, .secret = answer->secret});
        if (!buf_ok(&body))
                l->out.failed = true;
        launches_send(l, LAUNCH_LINK_OPENED, one->id, VIEW_BUF(&body));
        if (body.p)
                mem_wipe(body.p, body.len);
        buf_free(&body);
}

int launch_take_secret(struct launches *l, const struct launches_host *host, struct launch_one *one,
                       struct view body, int64_t mono_ms, struct err *err)
{
        AUTO(buf_free) struct buf holder = {0};
        AUTO(mem_free_p) char *name = str_ndup((const char *)body.p, body.len);
        struct err why = ERR_INIT;

        (void)host;
        if (!name)
                return err_nomem(err);
        if (one->phase != LAUNCH_RUNNING || one->opening || !str_valid_name(name))
                return err_set(err, ERR_FORMAT, 0,
                               "a secret for a launch that is not recorded, or two at a time");
        if (!one->looked_at || one->cached || !launch_wants_secret(&one->launch, name)) {
                launches_say_no(l, one->id, LAUNCH_WHY_REFUSED,
                                !one->looked_at ? "the runtime's mappings were not looked at"
                                : one->cached   ? "a kept permit opens no secret"
                                                : "the permit does not name this secret",
                                name, NULL);
                return 0;
        }
        buf_str(&holder, SECRETS_HOLDER_MODULE);
        buf_hex(&holder, digest_view(&one->launch.sha256));
        buf_u8(&holder, 0);
        if (!buf_ok(&holder))
                return err_nomem(err);
        if (handout_ask(l->o.handout, name, (const char *)holder.p, 0, mono_ms, on_secret, one, &why) < 0)
                launches_say_no(l, one->id, LAUNCH_WHY_UNAVAILABLE, why.text, name, "again in a moment");
        else
                one->opening = true;
        return 0;
}

/* ---- the end */

static struct receipts_end end_of(const struct launch_link_ended *m)
{
        struct receipts_end end = {
                .exit = RECEIPT_LOST, .has_output = m->has_output, .ended_at_ms = m->ended_ms};

        if (WIFEXITED(m->status)) {
                end.exit = RECEIPT_EXITED;
                end.code = WEXITSTATUS(m->status);
        } else if (WIFSIGNALED(m->status)) {
                end.exit = RECEIPT_SIGNALLED;
                end.code = WTERMSIG(m->status);
        } else {
                end.why = "its end was not seen";
        }
        end.output.alg = DIGEST_SHA256;
        end.output.len = sizeof(m->output);
        memcpy(end.output.b, m->output, sizeof(m->output));
        return end;
}

int launch_take_ended(struct launches *l, const struct launches_host *host, struct launch_one *one,
                      struct view body, int64_t mono_ms, struct err *err)
{
        AUTO(buf_free) struct buf receipt = {0};
        struct launch_link_ended m;
        struct err why = ERR_INIT;
        int r = launch_link_ended_get(body, &m, err);

        (void)mono_ms;
        if (r >= 0 && one->phase != LAUNCH_RUNNING)
                r = err_set(err, ERR_FORMAT, 0, "the end of a launch that is not recorded");
        if (r < 0)
                return r;
        if (host->tpm) {
                const struct receipts_end end = end_of(&m);

                r = receipts_end(host->receipts, &host->receipts_tpm, one->launch.id, &end,
                                 m.receipt ? &receipt : NULL, &why);
                if (r < 0) /* it goes on with it by itself; whoever asked has none now */
                        log_err(&why, "launch %s: receipt", one->launch.id);
        }
        log_debug("launch %s ended with status 0x%x", one->launch.id, (unsigned)m.status);
        launches_send(l, LAUNCH_LINK_ENDED, one->id, VIEW_BUF(&receipt));
        launches_drop(l, one);
        if (r != -ERR_TPM)
                return 0;
        *err = why; /* the half has to know */
        return r;
}

void launches_stop(struct launches *l, const char *text)
{
        for (struct launch_one *one = l->all; one; one = one->next) {
                if (one->phase != LAUNCH_RUNNING || one->permit.on_revocation != PERMIT_KILL)
                        continue;
                log_with(LOG_LEVEL_WARNING,
                         LOG_FIELDS({"AVOW_EVENT", "launch-stopped"}, {"AVOW_LAUNCH", one->launch.id}),
                         "launch %s is stopped: %s", one->launch.id, text);
                launches_send(l, LAUNCH_LINK_STOP, one->id, view_str(text));
        }
        if (l->flush && l->out.len)
                l->flush(l->flush_ctx);
}
