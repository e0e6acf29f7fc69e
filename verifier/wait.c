/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The long poll. A host that keeps one open learns of a revocation when it is decided and not one interval
 * later. The poll is a conditional GET: the answer's ETag is a digest of what it says, and an answer that
 * would say the same is held back for a while, then 304. So nothing is acknowledged, nothing is remembered of
 * a poll but its connection, and whatever is lost on the way (an answer, this program) is told the next time.
 *
 * Limits: one poll for each host, a second one ends the first; half of all connections, and a quarter of
 * those that one address may have, so that hosts that wait cannot shut out hosts that attest. Who finds no
 * room is told when to come again, its connection ends, and it hears with its next heartbeat.
 */
#include "verifier/wait.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/digest.h"
#include "verifier/reply.h"
#include "verifier/secrets.h"
#include "verifier/verifier.h"

#define WAIT_MS    25000 /* below the server's 30 s for a request */
#define TOLD_MS    600000
#define RETRY_MS   30000
#define ETAG_BYTES 8
#define ETAG_CHARS (2 * ETAG_BYTES + 2) /* with its quotes */

struct waiter {
        struct waits *waits;
        struct http_request *req;
        struct loop_timer *timer;
        char host[WIRE_HOST_MAX + 1];
        char source[46];
        char etag[ETAG_CHARS + 1]; /* what it knows */
};

struct waits {
        struct verifier *v;
        struct map by_host, by_source; /* the latter: struct crowd */
        size_t max, max_of_source;
        struct metric_series *held;
};

/* How many wait at one address. */
struct crowd {
        size_t n;
};

void wait_meta(const struct host *host, struct wire_meta *ret)
{
        const struct host_trust *t = &host->s.trust;
        struct wire_meta m = {.jws = NULL};
        struct err ignored = ERR_INIT; /* what is no nonce is none */

        if (!host->e.keylime) {
                m.jws = t->jws;
                m.has_nonce = t->jws && t->nonce &&
                              hex_decode_exact(view_str(t->nonce), m.nonce, sizeof(m.nonce), &ignored) == 0;
                m.has_secrets = host->secrets.known;
                memcpy(m.secrets_digest, host->secrets.digest, sizeof(m.secrets_digest));
                m.floor = host->secrets.floor;
        }
        *ret = m;
}

void wait_meta_short(const struct host *host, int64_t now_ms, struct wire_meta *ret)
{
        const struct host_trust *t = &host->s.trust;
        bool waited_for = t->trust != TRUST_TRUSTED && t->wipe != WIPE_WIPED;

        wait_meta(host, ret);
        if (!waited_for && now_ms - t->since_ms > TOLD_MS)
                ret->jws = NULL;
}

/* ---- polls ---- */

static void waiter_free(void *value)
{
        struct waiter *w = value;
        struct crowd *crowd = map_get(&w->waits->by_source, w->source);

        if (crowd && --crowd->n == 0)
                (void)map_remove(&w->waits->by_source, w->source);
        loop_timer_free(w->timer);
        free(w);
}

/* One more at the address of W. */
static int join_crowd(struct waiter *w, struct err *err)
{
        struct crowd *crowd = map_get(&w->waits->by_source, w->source);

        if (!crowd) {
                crowd = mem_zalloc(1, sizeof(*crowd));
                if (!crowd || map_put(&w->waits->by_source, w->source, crowd) < 0) {
                        free(crowd);
                        w->source[0] = '\0'; /* it is in none */
                        return err_nomem(err);
                }
        }
        crowd->n++;
        return 0;
}

static bool has_room(const struct waits *waits, const char *source)
{
        const struct crowd *crowd = map_get(&waits->by_source, source);

        return map_count(&waits->by_host) < waits->max && (!crowd || crowd->n < waits->max_of_source);
}

/* Takes the poll of HOST out, for its answer. Return: NULL if there is none. */
static struct http_request *take(struct waits *waits, const char *host)
{
        struct waiter *w = map_take(&waits->by_host, host);
        struct http_request *req = w ? w->req : NULL;

        if (w)
                waiter_free(w);
        metric_set(waits->held, (int64_t)map_count(&waits->by_host));
        return req;
}

static void answer_same(struct http_request *req, const char *etag)
{
        http_answer_header(req, "ETag", "%s", etag);
        http_answer(req, 304, NULL, VIEW_NONE);
}

static void on_time(void *ctx)
{
        struct waiter *w = ctx;
        char etag[ETAG_CHARS + 1];

        memcpy(etag, w->etag, sizeof(etag));
        answer_same(take(w->waits, w->host), etag); /* W is gone */
}

/* The answer for HOST and its ETag. */
static int compose(const struct host *host, struct buf *ret, char etag[static ETAG_CHARS + 1],
                   struct err *err)
{
        char hex[2 * DIGEST_BYTES_MAX + 1];
        struct wire_meta m;
        struct digest d;
        int r;

        wait_meta(host, &m);
        r = wire_wait_encode(&m, ret, err);
        if (r >= 0)
                r = digest_bytes(DIGEST_SHA256, VIEW_BUF(ret), &d, err);
        if (r < 0)
                return r;
        (void)hex_write(hex, digest_view(&d));
        (void)snprintf(etag, ETAG_CHARS + 1, "\"%.*s\"", 2 * ETAG_BYTES, hex);
        return 0;
}

static void answer_news(struct http_request *req, struct buf *body, const char *etag)
{
        http_answer_header(req, "ETag", "%s", etag);
        http_answer(req, 200, WIRE_TYPE_JSON, VIEW_BUF(body));
}

void wait_notify(struct verifier *v, const char *name)
{
        const struct waiter *w = v->waits ? map_get(&v->waits->by_host, name) : NULL;
        AUTO(buf_free) struct buf body = {0};
        char etag[ETAG_CHARS + 1];
        struct err err = ERR_INIT;
        struct host *host;

        if (!w)
                return;
        host = hosts_find(v->hosts, name);
        if (!host) {
                reply_v3_error(take(v->waits, name), 404, "not_found", "This host is not enrolled any more.");
                return;
        }
        if (compose(host, &body, etag, &err) < 0) {
                log_err(&err, "host %s is told with its next heartbeat", SHOW(name));
                return;
        }
        if (!str_equal(etag, w->etag))
                answer_news(take(v->waits, name), &body, etag);
}

/* ---- the request ---- */

static int hold(struct waits *waits, struct http_request *req, const char *host, const char *etag,
                struct err *err)
{
        struct waiter *w = mem_zalloc(1, sizeof(*w));

        if (!w)
                return err_nomem(err);
        w->waits = waits;
        w->req = req;
        (void)snprintf(w->host, sizeof(w->host), "%s", host);
        (void)snprintf(w->source, sizeof(w->source), "%s", http_request_peer(req)->source);
        (void)snprintf(w->etag, sizeof(w->etag), "%s", etag);
        if (join_crowd(w, err) < 0 || loop_timer_new(waits->v->loop, on_time, w, &w->timer, err) < 0 ||
            map_put(&waits->by_host, host, w) < 0) {
                waiter_free(w);
                return err_nomem(err);
        }
        loop_timer_start(w->timer, WAIT_MS);
        metric_set(waits->held, (int64_t)map_count(&waits->by_host));
        return 0;
}

static void on_wait(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        const char *known = http_request_header(req, "if-none-match");
        AUTO(buf_free) struct buf body = {0};
        struct http_request *older;
        char etag[ETAG_CHARS + 1];
        struct session *session = NULL;
        struct err err = ERR_INIT;
        struct host *host = reply_agent(v, req, &session);

        if (!host)
                return;
        secrets_learn(v, host);
        older = take(v->waits, host->e.name);
        if (older) /* nobody reads it, but a request is answered */
                answer_same(older, "\"\"");
        if (compose(host, &body, etag, &err) < 0) {
                reply_failure(req, &err, "telling a host");
                return;
        }
        if (!known || !str_equal(known, etag)) {
                answer_news(req, &body, etag);
                return;
        }
        if (!has_room(v->waits, http_request_peer(req)->source)) {
                http_answer_retry_after(req, RETRY_MS);
                http_answer_close(req);
                answer_same(req, etag);
                return;
        }
        if (hold(v->waits, req, host->e.name, etag, &err) < 0)
                reply_failure(req, &err, "holding a poll");
}

static const struct http_route routes[] = {
        {HTTP_GET, "/avow/v1/agents/:id/wait", ROLE_PUBLIC, on_wait, 0, HTTP_KEYLIME, "wait"},
};

int routes_wait(struct verifier *v, struct err *err)
{
        const struct http_limits *limits = &v->settings.limits;
        struct waits *w;

        w = v->waits = mem_zalloc(1, sizeof(*w));
        if (!w)
                return err_nomem(err);
        w->v = v;
        w->max = (limits->connections ? limits->connections : 10000) / 2;
        w->max_of_source = ((limits->connections_per_peer ? limits->connections_per_peer : 64) + 3) / 4;
        map_init(&w->by_source, free);
        map_init(&w->by_host, waiter_free);
        if (metrics_add(ops_metrics(v->ops), METRIC_GAUGE, "avow_polls", "Hosts that wait in a long poll.",
                        NULL, 0, &w->held, err) < 0)
                return -(int)err->kind;
        return http_server_add_routes(v->server, routes, ARRAY_LEN(routes), v, err);
}

void waits_free(struct waits *w)
{
        struct waiter *waiter;
        size_t pos = 0;

        if (!w)
                return;
        while (map_next(&w->by_host, &pos, NULL, (void **)&waiter))
                http_answer_refusal(waiter->req, 503, "The verifier is ending.");
        map_done(&w->by_host); /* before the crowds, which it counts down */
        map_done(&w->by_source);
        free(w);
}

size_t waits_count(const struct waits *w)
{
        return w ? map_count(&w->by_host) : 0;
}
