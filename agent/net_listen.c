/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener. Anybody can reach it, so nobody is believed: what comes is cut to the few bytes that can be
 * an order and put before the TPM half, one at a time and without the nonce, so that a stranger's words cost
 * one check of a signature and no work of the TPM. Only what that half has taken goes to the waiter
 * (net_wait.c), which asks for the proof and brings it to the verifier as it does for the other ways: so a
 * stranger cannot push an order aside, and one that is sent twice, or came by the long poll too, changes
 * nothing.
 *
 * What a stranger can do is use it up: so connections, bodies, questions that wait and questions a second are
 * few, for each source and in all. Then an order comes by the long poll, or as the answer to evidence.
 * Spec: SR-8, SR-13.
 */
#include "agent/net_listen.h"

#include <string.h>

#include "agent/net_machine.h"
#include "agent/source_limit.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/tls.h"
#include "http/server.h"

#define WAITING_MAX   16 /* requests, the one that is before the TPM half among them */
#define RETRY_MS      10000
#define SAY_EACH_MS   60000
#define TYPE_JOSE     "application/jose"
#define UNAVAILABLE   503
#define SOON_MS       1000
#define IN_A_WHILE_MS 5000

struct net_listener {
        struct net *net;
        struct http_server *server;
        struct loop_timer *retry;
        struct source_limit limit;
        /* Requests and what they brought, the oldest first: that one is before the TPM half. */
        struct waiting {
                struct http_request *req;
                struct wire_meta order;
        } waiting[WAITING_MAX];
        size_t n_waiting;
        uint64_t refused, said_refused;
        int64_t said_ms; /* monotonic: when refusals were said last; 0: never */
        char last[160];  /* why the last one was refused */
        bool said_trouble;
};

/* ---- saying no ---- */

static void say_refused(struct net_listener *l)
{
        if (l->refused == l->said_refused)
                return;
        log_warning("listener: %llu refused (%llu since the start), the last from %s",
                    (unsigned long long)(l->refused - l->said_refused), (unsigned long long)l->refused,
                    SHOW(l->last));
        l->said_refused = l->refused;
}

/* Refusals are counted, and said at most once a minute and at the end: strangers do not fill the log. */
static void count_refusal(struct net_listener *l, const struct http_peer *peer, const char *why)
{
        int64_t now_ms = clock_mono_ms();

        l->refused++;
        (void)snprintf(l->last, sizeof(l->last), "%s: %s", peer->address, why);
        if (l->said_ms != 0 && now_ms - l->said_ms < SAY_EACH_MS)
                return;
        say_refused(l);
        l->said_ms = now_ms;
}

static void refuse(struct net_listener *l, struct http_request *req, int status, const char *why)
{
        count_refusal(l, http_request_peer(req), why);
        if (status == 429 || status == UNAVAILABLE)
                http_answer_retry_after(req, status == 429 ? SOON_MS : IN_A_WHILE_MS);
        http_answer_problem(req, status, NULL, "%s", why);
}

/* ---- before the TPM half ---- */

static void ask(struct net_listener *l)
{
        AUTO(buf_free) struct buf body = {0};
        struct err err = ERR_INIT;
        struct privsep_revoke order = {.nonce = VIEW_NONE};

        if (l->n_waiting == 0)
                return;
        order.jws = view_str(l->waiting[0].order.jws);
        privsep_revoke_put(&body, &order);
        if (buf_ok(&body) &&
            net_tpm_ask(l->net->tpm, NET_TPM_LISTEN, PRIVSEP_REVOKE, VIEW_BUF(&body), &err) == 0)
                return;
        if (err.kind != ERR_NONE)
                log_err(&err, "asking the TPM half"); /* it is gone, and so will we be */
        for (size_t i = 0; i < l->n_waiting; i++) {
                refuse(l, l->waiting[i].req, UNAVAILABLE, "the host cannot look at it now");
                wire_meta_done(&l->waiting[i].order);
        }
        l->n_waiting = 0;
}

static void answer(struct net_listener *l, struct waiting *w, const struct privsep_frame *frame)
{
        AUTO(mem_free_p) char *why = NULL;

        switch (frame->result) {
        case PRIVSEP_OK: /* the newest order for this host, signed by its verifier */
                net_wait_heard(l->net->wait, &w->order);
                http_answer(w->req, 202, NULL, VIEW_NONE);
                return;
        case PRIVSEP_REFUSED:
                why = str_ndup((const char *)frame->body.p, frame->body.len);
                refuse(l, w->req, 422, why ? why : "the host does not take it");
                return;
        case PRIVSEP_NOT_NOW:
        case PRIVSEP_FAILED:
                refuse(l, w->req, UNAVAILABLE, "the host's TPM is not ready");
                return;
        }
        refuse(l, w->req, UNAVAILABLE, "the host did not understand itself");
}

void net_listen_answer(struct net_listener *l, const struct privsep_frame *frame)
{
        struct waiting first;

        if (!l || l->n_waiting == 0)
                return;
        first = l->waiting[0];
        l->n_waiting--;
        memmove(l->waiting, l->waiting + 1, l->n_waiting * sizeof(*l->waiting));
        answer(l, &first, frame);
        wire_meta_done(&first.order);
        ask(l);
}

/* ---- requests ---- */

static void on_revocation(struct http_request *req, void *ctx)
{
        struct net_listener *l = ctx;
        bool bare = http_request_is_type(req, TYPE_JOSE);
        struct wire_meta order = {.jws = NULL};
        struct err err = ERR_INIT;
        int r;

        if (!source_limit_take(&l->limit, http_request_peer(req)->source, clock_mono_ms())) {
                refuse(l, req, 429, "too many from this address");
                return;
        }
        if (!bare && !http_request_is_type(req, EVENT_TYPE_JSON) &&
            !http_request_is_type(req, WIRE_TYPE_JSON)) {
                refuse(l, req, 415, "expected " EVENT_TYPE_JSON ", application/json or " TYPE_JOSE);
                return;
        }
        if (l->n_waiting == WAITING_MAX) {
                refuse(l, req, UNAVAILABLE, "too many wait for the host's TPM");
                return;
        }
        r = bare ? wire_order_decode(http_request_body(req), &order, &err)
                 : wire_event_decode(http_request_body(req), &order, &err);
        if (r < 0) {
                refuse(l, req, err.kind == ERR_NOMEM ? UNAVAILABLE : 400, err.text);
                return;
        }
        l->waiting[l->n_waiting++] = (struct waiting){req, order};
        if (l->n_waiting == 1)
                ask(l);
}

static const struct http_route routes[] = {
        {HTTP_POST, "/avow/v1/revocations", ROLE_PUBLIC, on_revocation, WIRE_SMALL_BODY_MAX, HTTP_NATIVE,
         NULL},
};

/* ---- start and end ---- */

static int set_tls(struct net_listener *l, struct err *err)
{
        AUTO(mem_free_p) char *cert = str_fmt("%s/" NET_KEY_CERT, l->net->opts->dir);
        AUTO(mem_free_p) char *key = str_fmt("%s/" NET_KEY_FILE, l->net->opts->dir);
        const struct tls_files files = {.cert = cert, .key = key};
        AUTO(tls_server_free_p) struct tls_server *tls = NULL;
        int r = cert && key ? tls_server_new(&files, &tls, err) : err_nomem(err);

        return r < 0 ? r : http_server_set_tls(l->server, tls_server_ctx(tls), err);
}

/* A port that is taken now may be free later; a host that cannot listen attests all the same. */
static void listen_now(void *ctx)
{
        struct net_listener *l = ctx;
        const char *address = l->net->config->listen;
        struct err err = ERR_INIT;

        if (http_server_listen(l->server, address, true, &err) == 0) {
                log_info("listening on %s for revocations", SHOW(address));
                l->said_trouble = false;
                return;
        }
        if (!l->said_trouble)
                log_err(&err, "pull.listen: not listening yet");
        l->said_trouble = true;
        if (err.kind != ERR_CONFIG)
                loop_timer_start(l->retry, RETRY_MS);
}

int net_listen_new(struct net *net, struct net_listener **ret, struct err *err)
{
        static const struct http_server_options options = {
                .limits = {.head_bytes = 8192,
                           .headers = 32,
                           .anonymous_body_bytes = WIRE_SMALL_BODY_MAX,
                           .role_body_bytes = WIRE_SMALL_BODY_MAX,
                           .connections_per_peer = 4,
                           .connections = 32,
                           .handshake_ms = 5000,
                           .request_ms = 10000,
                           .idle_ms = 5000}};
        struct net_listener *l = mem_zalloc(1, sizeof(*l));
        int r;

        if (!l)
                return err_nomem(err);
        l->net = net;
        r = http_server_new(net->loop, &options, &l->server, err);
        if (r >= 0)
                r = http_server_add_routes(l->server, routes, ARRAY_LEN(routes), l, err);
        if (r >= 0)
                r = loop_timer_new(net->loop, listen_now, l, &l->retry, err);
        if (r >= 0)
                r = set_tls(l, err);
        if (r < 0) {
                net_listen_free(l);
                return r;
        }
        listen_now(l);
        *ret = l;
        return 0;
}

void net_listen_free(struct net_listener *l)
{
        if (!l)
                return;
        say_refused(l);
        http_server_free(l->server);
        for (size_t i = 0; i < l->n_waiting; i++) {
                http_answer(l->waiting[i].req, UNAVAILABLE, NULL, VIEW_NONE); /* frees it; its peer is gone */
                wire_meta_done(&l->waiting[i].order);
        }
        loop_timer_free(l->retry);
        free(l);
}
