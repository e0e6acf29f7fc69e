/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network half of the agent: the process that parses HTTP and JSON from servers, and holds no TPM. If one
 * of them takes it over, it gains a stream of questions that the TPM half answers the same way for anybody.
 *
 * This file turns the machine: it enters states, waits for one answer at a time (from a server or from the
 * TPM half), and says once what is wrong, not at every attempt. It gives up never: only the TPM half ends it.
 */
#include "agent/net.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/net_machine.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/str.h"
#include "crypto/random.h"
#include "wire/problem.h"

#define SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"

static void enter(struct net *net)
{
        net->waiting = false;
        net->retry_after_ms = -1;
        log_debug("%s", net_flow_doing(net->state));
        net_handlers[net->state].enter(net);
}

static void on_timer(void *ctx)
{
        struct net *net = ctx;
        int64_t ms;
        enum net_result result;
        if (net->waiting || net->state != NET_IDLE) {
                enter(net);
                return;
        }
        result = net_idle(net, clock_mono_ms(), &ms);
        if (result == NET_N_RESULTS)
                loop_timer_start(net->timer, ms);
        else
                net_finish(net, result);
}

/* The state is entered from the timer always, so that no chain of answers grows the stack. */
void net_finish(struct net *net, enum net_result result)
{
        struct net_step step = net_flow_next(net->state, result);
        /* Receipts have a time of their own to be shown again: no launch waits for that. */
        bool aside = net->state == NET_COUNTERSIGN && step.next == NET_IDLE;
        int64_t wait_ms = 0;
        if (result == NET_DONE)
                net->refused[net->state] = 0;
        if (step.wait == NET_BACKOFF && !aside) {
                struct err err = ERR_INIT;
                uint32_t random = 0;
                if (random_bytes(&random, sizeof(random), &err) < 0)
                        log_err(&err, "no random numbers, waiting the whole time");
                wait_ms = net_backoff_next(&net->backoff, random);
        }
        if (net->retry_after_ms > wait_ms && !aside)
                wait_ms = net->retry_after_ms;
        net->state = step.next;
        net->waiting = true;
        loop_timer_start(net->timer, wait_ms);
}

static const char *peer_name(enum net_peer peer)
{
        static const char *const names[] = {
                [NET_TPM_HALF] = "the TPM half",
                [NET_REGISTRAR] = "registrar",
                [NET_VERIFIER] = "verifier",
                [NET_NOBODY] = "nobody",
        };
        return names[peer];
}

static const char *peer_url(const struct net *net, enum net_peer peer)
{
        const char *url = NULL;
        if (peer == NET_REGISTRAR)
                url = net->config->registrar.url;
        if (peer == NET_VERIFIER)
                url = net->config->verifier.url;
        return url != NULL ? url : "";
}

void net_say(struct net *net, int64_t condition, const char *fmt, ...)
{
        char text[ERR_TEXT_BYTES];
        va_list ap;
        if (net->refused[net->state] == condition)
                return;
        net->refused[net->state] = condition;
        va_start(ap, fmt);
        (void)vsnprintf(text, sizeof(text), fmt, ap); /* cut if too long */
        va_end(ap);
        enum net_peer peer = net_flow_peer(net->state);
        const char *url = peer_url(net, peer);
        log_warning("%s%s%s: %s: %s", peer_name(peer), url[0] != '\0' ? " " : "", url,
                    net_flow_doing(net->state), text);
}

/* --- servers ---------------------------------------------------------------------------------------------
 */

static size_t slot(enum net_peer peer)
{
        return peer == NET_REGISTRAR ? 0 : 1;
}

/* A refusal in the server's own words, escaped. Return: what it means. */
static enum net_result refusal(struct net *net, const struct http_response *res)
{
        struct err err = ERR_INIT;
        struct wire_problem p = {.status = 0};
        bool told = res->body.len > 0 && wire_problem_decode(res->body, &p, &err) == 0;
        enum net_result result = net_flow_status(net->state, res->status, told ? p.type : "");
        const char *why = told ? (p.detail != NULL ? p.detail : p.title) : "";
        if (result == NET_UNKNOWN)
                net_say(net, res->status, "host %s is not enrolled there; waiting for it", SHOW(net->host));
        else if (res->status == 429 || result == NET_STALE)
                log_debug("%s: answered %d", net_flow_doing(net->state), res->status);
        else if (net->state == NET_REGISTER && res->status == 403)
                net_say(net, res->status,
                        "403 %s: the name %s belongs to another TPM; an administrator can remove it "
                        "(avow host remove), or this host needs another host.id",
                        SHOW(why), SHOW(net->host));
        else
                net_say(net, res->status, "answered %d %s", res->status, SHOW(why));
        if (told)
                wire_problem_done(&p);
        return result;
}

/* One number for one kind of trouble: the text without its digits (times, ports), so that "timed out after
 * 10001 ms" and "after 10002 ms" are one. FNV-1a; a collision costs a line in a log. */
static int64_t condition_of(const struct err *err)
{
        uint64_t h = UINT64_C(0xcbf29ce484222325);
        for (const char *p = err->text; *p != '\0'; p++)
                if (*p < '0' || *p > '9')
                        h = (h ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
        return (int64_t)(h | 1);
}

static void say_away(struct net *net, enum net_peer peer, const struct err *err)
{
        int64_t *away = &net->away[slot(peer)];
        int64_t condition = condition_of(err);
        if (*away == condition)
                return;
        *away = condition;
        const char *name = peer_name(peer);
        if (strstr(err->text, "has expired") != NULL || strstr(err->text, "not yet valid") != NULL)
                log_warning("%s %s: %s: it is the server's; it needs a new one, or this machine's clock is "
                            "wrong; trying on",
                            name, peer_url(net, peer), err->text);
        else if (strstr(err->text, "certificate") != NULL)
                log_warning("%s %s: %s; the file in '%s.ca' must hold the CA that signed its certificate, "
                            "and the "
                            "name in '%s.url' must be in it; trying on",
                            name, peer_url(net, peer), err->text, name, name);
        else
                log_warning("%s %s: %s; trying on", name, peer_url(net, peer), err->text);
}

/* "Unknown" is the host here; elsewhere it may be a route that this verifier lacks. */
static bool not_enrolled(const struct net *net)
{
        return net->state == NET_LOGIN || net->state == NET_OFFER || net->state == NET_SEND;
}

static void on_answer(void *ctx, const struct http_response *res, const struct err *err)
{
        struct net *net = ctx;
        enum net_peer peer = net_flow_peer(net->state);
        int64_t *away = &net->away[slot(peer)];
        net->call = NULL;
        if (res == NULL) {
                say_away(net, peer, err);
                if (peer == NET_VERIFIER)
                        net_wait_reach(net->wait, err->text);
                net_finish(net, NET_AWAY);
                return;
        }
        if (*away != 0) {
                log_info("%s %s answers again", peer_name(peer), peer_url(net, peer));
                if (res->status < 500)
                        net->backoff.failures =
                                0; /* a restarted verifier asks for a new session: that waits for nothing */
        }
        *away = 0;
        net->retry_after_ms = res->retry_after_ms;
        enum net_result result = net_flow_status(net->state, res->status, "");
        result = result == NET_DONE ? net_handlers[net->state].reply(net, res) : refusal(net, res);
        /* that it countersigns nothing says nothing of permits */
        if (peer == NET_VERIFIER && net->state != NET_COUNTERSIGN &&
            (res->status >= 500 || (result == NET_UNKNOWN && not_enrolled(net))))
                net_wait_reach(net->wait, res->status >= 500 ? "it answers with an error of its own"
                                                             : "this host is not enrolled there");
        net_finish(net, result);
}

int net_client_new(struct net *net, enum net_peer peer, uint32_t connections, struct http_client **ret,
                   struct err *err)
{
        bool to_verifier = peer == NET_VERIFIER;
        const char *ca = to_verifier ? net->config->verifier.ca : net->config->registrar.ca;
        AUTO(mem_free_p)
        char *key = str_ndup((const char *)net->key.key_pem.p, net->key.key_pem.len);
        if (key == NULL)
                return err_nomem(err);
        /* A Keylime verifier would refuse a certificate that it does not know; its agents show none. */
        bool show = to_verifier && net->native;
        struct http_client_options opts = {
                .ca_file = ca != NULL ? ca : SYSTEM_CA,
                .cert_pem = show ? net->key.cert_pem : NULL,
                .key_pem = show ? key : NULL,
                .connections_per_host = connections,
        };
        int r = http_client_new(net->loop, &opts, ret, err);
        mem_wipe(key, strlen(key));
        return r;
}

static int send_request(struct net *net, const char *method, const char *path, struct view body,
                        struct err *err)
{
        enum net_peer peer = net_flow_peer(net->state);
        const char *base = peer_url(net, peer);
        size_t n = strlen(base);
        while (n > 0 && base[n - 1] == '/')
                n--;
        AUTO(mem_free_p)
        char *url = str_fmt("%.*s%s", (int)n, base, path);
        AUTO(mem_free_p)
        char *bearer = NULL;
        struct http_header headers[2];
        size_t n_headers = 0;
        if (url == NULL)
                return err_nomem(err);
        bool plain = peer != NET_VERIFIER || net->state == NET_CLAIM || net->state == NET_SECRETS ||
                     net->state == NET_COUNTERSIGN;
        const char *type = plain ? WIRE_TYPE_JSON : WIRE_TYPE_JSON_API;
        headers[n_headers++] = (struct http_header){"Accept", type};
        if (peer == NET_VERIFIER && net->token.len > 0) {
                bearer = str_fmt("Bearer %.*s", (int)net->token.len, (const char *)net->token.p);
                if (bearer == NULL)
                        return err_nomem(err);
                headers[n_headers++] = (struct http_header){"Authorization", bearer};
        }
        struct http_call call = {
                .method = method,
                .url = url,
                .headers = headers,
                .n_headers = n_headers,
                .content_type = body.len > 0 ? type : NULL,
                .body = body,
                .max_response_bytes = 2 * (size_t)WIRE_BODY_MAX,
        };
        struct http_client **client = &net->client[slot(peer)];
        int r = *client != NULL ? 0 : net_client_new(net, peer, 1, client, err);
        if (r == 0)
                r = http_client_send(*client, &call, on_answer, net, &net->call, err);
        if (bearer != NULL)
                mem_wipe(bearer, strlen(bearer));
        return r;
}

void net_request(struct net *net, const char *method, const char *path, struct view body)
{
        struct err err = ERR_INIT;
        if (send_request(net, method, path, body, &err) == 0)
                return;
        net_say(net, err.kind, "%s", err.text);
        net_finish(net, NET_AWAY);
}

/* --- the TPM half ----------------------------------------------------------------------------------------
 */

static void end(struct net *net, int status)
{
        net->status = status;
        loop_stop(net->loop);
}

void net_ask(struct net *net, enum privsep_type type, struct view body)
{
        struct err err = ERR_INIT;
        if (net_tpm_ask(net->tpm, NET_TPM_MACHINE, type, body, &err) == 0)
                return;
        log_err(&err, "asking the TPM half");
        end(net, 1);
}

static void on_tpm_answer(void *ctx, enum net_tpm_asker asker, const struct privsep_frame *frame)
{
        struct net *net = ctx;
        if (asker == NET_TPM_WAIT) {
                net_wait_answer(net->wait, frame);
                return;
        }
        if (asker == NET_TPM_LISTEN) {
                net_listen_answer(net->listen, frame);
                return;
        }
        if (net_handlers[net->state].tpm == NULL || net->waiting)
                return;
        if (frame->result == PRIVSEP_OK) {
                net_finish(net, net_handlers[net->state].tpm(net, frame->body));
                return;
        }
        /* "Not now" is what it says while it starts; its own log has the reason. */
        if (frame->result != PRIVSEP_NOT_NOW)
                net_say(net, frame->result, "%s", SHOW_VIEW(frame->body));
        net_finish(net, frame->result == PRIVSEP_REFUSED ? NET_REFUSED : NET_AWAY);
}

static void on_tpm_event(void *ctx, const struct privsep_event *event)
{
        struct net *net = ctx;
        /* It became ready: no need to wait out the back-off. */
        if (net->waiting && event->state == PRIVSEP_STATE_READY &&
            net_flow_peer(net->state) == NET_TPM_HALF && net->retry_after_ms < 0)
                loop_timer_start(net->timer, 0);
        /* Something was measured: do not wait for the interval to say so. */
        if (!net->waiting && net->state == NET_IDLE && net->has_next &&
            event->log_entries != net->log_total) {
                int64_t mono_ms = clock_mono_ms(), soon_ms = net->collected_at_ms + NET_BACKOFF_FIRST_MS;
                net->due_ms = soon_ms > mono_ms ? soon_ms : mono_ms;
                loop_timer_start(net->timer, net->due_ms - mono_ms);
        }
        if (event->state == PRIVSEP_STATE_READY)
                net_wait_ready(net->wait);
        net->wanted = event->wanted;
        net_receipts_wait(net, event->receipts);
        /* Somebody waits for a secret; a receipt for the verifier. */
        if (!net->waiting && net->state == NET_IDLE && (net->wanted != 0 || net->owed != 0))
                loop_timer_start(net->timer, 0);
}

static void on_tpm_end(void *ctx, const struct err *err)
{
        struct net *net = ctx;
        if (err->kind != ERR_NONE)
                log_err(err, "the TPM half cannot be understood");
        end(net, err->kind == ERR_NONE ? 0 : 1);
}

/* --- beside the machine --------------------------------------------------------------------------------
 */

void net_told(struct net *net, const struct wire_meta *meta)
{
        net_wait_told(net->wait, meta);
        net_secrets_offered(net, meta);
}

void net_open_listener(struct net *net, bool anew)
{
        struct err err = ERR_INIT;
        if (anew)
                net_listen_free(TAKE(net->listen));
        if (net->listen != NULL || net->wait == NULL || net->config->listen == NULL)
                return;
        if (net_listen_new(net, &net->listen, &err) < 0)
                log_err(&err, "pull.listen");
}

/* --- the marker ------------------------------------------------------------------------------------------
 */

static int marker(const struct net *net, struct buf *ret, struct err *err)
{
        struct digest d;
        const struct view parts[] = {view_str(net->config->registrar.url),
                                     VIEW("\0", 1),
                                     view_str(net->host),
                                     VIEW("\0", 1),
                                     net->id.ak_name,
                                     digest_view(&net->key.spki_sha256)};
        int r = digest_parts(DIGEST_SHA256, parts, ARRAY_LEN(parts), &d, err);
        if (r < 0)
                return r;
        buf_hex(ret, digest_view(&d));
        buf_str(ret, "\n");
        return buf_ok(ret) ? 0 : err_nomem(err);
}

bool net_registered(struct net *net)
{
        struct err err = ERR_INIT;
        struct buf have = {0}, want = {0};
        AUTO(mem_free_p)
        char *path = str_fmt("%s/registered", net->opts->dir);
        bool same = path != NULL && file_exists(path) && file_read(path, 256, &have, &err) == 0 &&
                    marker(net, &want, &err) == 0 && view_equal(VIEW_BUF(&have), VIEW_BUF(&want));
        buf_free(&have);
        buf_free(&want);
        return same;
}

int net_set_registered(struct net *net, struct err *err)
{
        struct buf text = {0};
        AUTO(mem_free_p)
        char *path = str_fmt("%s/registered", net->opts->dir);
        int r = path != NULL ? marker(net, &text, err) : err_nomem(err);
        if (r == 0)
                r = file_write(path, VIEW_BUF(&text), 0600, err);
        buf_free(&text);
        return r;
}

/* --- start and end ---------------------------------------------------------------------------------------
 */

static int start(struct net *net, struct err *err)
{
        struct net_tpm_callbacks callbacks = {
                .answer = on_tpm_answer,
                .event = on_tpm_event,
                .end = on_tpm_end,
                .ctx = net,
        };
        int r = loop_new(&net->loop, err);
        if (r == 0)
                r = loop_timer_new(net->loop, on_timer, net, &net->timer, err);
        if (r == 0)
                r = net_tpm_new(net->loop, net->opts->fd, &callbacks, &net->tpm, err);
        if (r == 0 && net->native)
                r = net_wait_new(net, &net->wait, err);
        if (r < 0)
                return r;
        net->state = NET_IDENTITY;
        net->waiting = true;
        loop_timer_start(net->timer, 0);
        return loop_run(net->loop, err);
}

static void stop(struct net *net)
{
        if (net->call != NULL)
                http_client_cancel(net->call);
        net_listen_free(net->listen);
        net_wait_free(net->wait);
        http_client_free(net->client[0]);
        http_client_free(net->client[1]);
        net_tpm_free(net->tpm);
        loop_timer_free(net->timer);
        loop_free(net->loop);
        buf_free(&net->identity_bytes);
        buf_free(&net->credential);
        buf_free(&net->body);
        net_release_done(net);
        secret_free(&net->token);
        if (net->has_key)
                net_key_done(&net->key);
}

int agent_net_main(const struct agent_net *opts)
{
        struct err err = ERR_INIT;
        struct net net = {
                .opts = opts,
                .config = opts->config,
                .native = opts->config->peer == AGENT_PEER_AVOW,
                .retry_after_ms = -1,
        };
        if (start(&net, &err) < 0) {
                log_err(&err, "network half");
                net.status = 1;
        }
        stop(&net);
        return net.status;
}
