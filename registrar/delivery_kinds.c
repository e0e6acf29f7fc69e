/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an event gets to a hook of each kind. A webhook connects to public addresses only, unless the
 * configuration says otherwise, and this is asked of the very address that is about to be connected to;
 * redirects are not followed (SSRF).
 */
#include "delivery_impl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "wire/event.h"

#define RESPONSE_BYTES (1024u * 1024)
#define STATUS_GONE    410

bool delivery_may_connect(void *ctx, const struct sockaddr *address)
{
        const struct delivery *d = ctx;

        if (d->s.private_addresses || !address_is_private(address))
                return true;
        for (size_t i = 0; i < d->n_networks; i++)
                if (network_holds(&d->networks[i], address))
                        return true;
        return false;
}

/* ---- webhooks ---- */

static void on_answer(void *ctx, const struct http_response *res, const struct err *err)
{
        struct attempt *a = ctx;
        struct err why = ERR_INIT;

        if (!res) {
                delivery_finish(a, err, false, -1);
                return;
        }
        if (res->status >= 200 && res->status < 300) {
                delivery_finish(a, NULL, false, -1);
                return;
        }
        (void)err_set(&why, ERR_PEER, res->status, "the consumer answered %d%s", res->status,
                      res->status >= 300 && res->status < 400 ? " (redirects are not followed)" : "");
        delivery_finish(a, &why, res->status == STATUS_GONE, res->retry_after_ms);
}

static int send_webhook(struct attempt *a, struct err *err)
{
        const struct target *t = a->t;
        const char *const secrets[] = {t->hook.secret, t->hook.old_secret};
        AUTO(mem_free_p) char *signature = NULL;
        int64_t now_s = clock_now_ms() / 1000;
        char timestamp[24];
        int r = webhook_sign(secrets, t->hook.old_secret ? 2 : 1, a->id, now_s, view_str(a->body), &signature,
                             err);

        if (r < 0)
                return r;
        (void)snprintf(timestamp, sizeof(timestamp), "%lld", (long long)now_s);
        return http_client_send(
                t->client,
                &(struct http_call){.method = "POST",
                                    .url = t->hook.url,
                                    .headers = (const struct http_header[]){{"webhook-id", a->id},
                                                                            {"webhook-timestamp", timestamp},
                                                                            {"webhook-signature", signature}},
                                    .n_headers = 3,
                                    .content_type = EVENT_TYPE_JSON,
                                    .body = view_str(a->body),
                                    .timeout_ms =
                                            t->hook.timeout_ms ? t->hook.timeout_ms : t->d->s.timeout_ms,
                                    .max_response_bytes = RESPONSE_BYTES},
                on_answer, a, NULL, err);
}

/* ---- programs and the journal ---- */

static void on_exit_of(void *ctx, const struct err *err)
{
        struct attempt *a = ctx;

        a->run = NULL;
        delivery_finish(a, err, false, -1);
}

static int start_program(struct attempt *a, struct err *err)
{
        const struct target *t = a->t;
        const struct delivery *d = t->d;

        return exec_start(d->loop, d->programs, t->hook.program, view_str(a->body),
                          t->hook.timeout_ms ? t->hook.timeout_ms : d->s.timeout_ms, on_exit_of, a, &a->run,
                          err);
}

static int write_journal(struct attempt *a, struct err *err)
{
        (void)err;
        log_with(LOG_LEVEL_WARNING, LOG_FIELDS({"AVOW_EVENT_ID", a->id}, {"AVOW_EVENT", a->body}), "event %s",
                 a->id);
        return 0;
}

/* ---- any ---- */

int delivery_dispatch(struct attempt *a, struct err *err)
{
        static int (*const kinds[])(struct attempt *, struct err *) = {[HOOK_WEBHOOK] = send_webhook,
                                                                       [HOOK_EXEC] = start_program,
                                                                       [HOOK_JOURNAL] = write_journal,
                                                                       [HOOK_AGENT] = delivery_send_agent};
        struct target *t = a->t;

        a->started_ms = loop_now_ms();
        return kinds[t->hook.kind](a, err);
}
