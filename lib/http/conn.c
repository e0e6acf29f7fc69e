/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection's life: handshake, then request after request, each with one deadline from its first byte to
 * the last byte of its answer.
 *
 * Why not evhttp, on whose library this stands: it buffers a whole body before anybody may look at the head,
 * so that strangers' bodies cost memory before they are refused; it has an idle timeout and no deadline; what
 * is ambiguous in a head is gone when a caller first sees it; and an oversize chunked body is answered with a
 * reset. Each of these would have needed a way around it, together more than this file.
 *
 * A request is read only after the one before was answered and flushed (pipelining works, one at a time). A
 * request that is refused before its body was read is answered at once; a small rest of the body is thrown
 * away so that the connection can go on, otherwise the connection closes, and lingers so that the peer reads
 * the answer instead of a reset.
 *
 * Callbacks may end the connection, also from inside an answer: conn_enter/conn_leave count the callbacks on
 * the stack, and the last one out frees it.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/server_impl.h"

#define READ_HIGH_BYTES   (64u * 1024) /* what libevent may buffer ahead of us */
#define DISCARD_MAX_BYTES (64u * 1024) /* of a refused body, for the sake of the connection */
#define LINGER_MS         2000
#define ONE_RECORD_BYTES                                                                                     \
        (14u * 1024) /* a body that goes out with its head, in one TLS record and one write */
#define STREAM_MAX_BYTES (1024u * 1024)

static void conn_run(struct conn *c);

static void conn_enter(struct conn *c)
{
        c->depth++;
}

static void conn_leave(struct conn *c)
{
        if (--c->depth == 0 && c->dead)
                conn_free(c);
}

/* The request, if a handler still has it, goes on without us. */
static void detach_request(struct conn *c)
{
        struct http_request *req = TAKE(c->req);

        if (req == NULL)
                return;
        req->conn = NULL;
        if (c->state == CONN_HANDLER)
                return; /* freed by the handler's answer */
        if (c->state == CONN_STREAM) {
                loop_fn gone = TAKE(req->gone);

                if (gone != NULL)
                        gone(req->gone_ctx);
                return; /* freed by http_stream_end() */
        }
        request_end(req, 0);
}

static void conn_kill(struct conn *c)
{
        c->dead = true;
        loop_timer_stop(c->timer);
        (void)bufferevent_disable(c->bev, EV_READ | EV_WRITE);
        detach_request(c);
}

void conn_free(struct conn *c)
{
        struct http_server *s = c->server;

        c->depth++; /* what is called from here must not free it again */
        conn_kill(c);
        loop_watch_free(c->drain);
        loop_timer_free(c->timer);
        bufferevent_free(c->bev); /* closes the descriptor and frees the SSL */
        server_release(s, c->key);
        if (c->prev != NULL)
                c->prev->next = c->next;
        else
                s->conns = c->next;
        if (c->next != NULL)
                c->next->prev = c->prev;
        free(c);
}

static void set_deadline(struct conn *c, int64_t ms)
{
        loop_timer_start(c->timer, ms);
}

/* ---- the end ---- */

/* Bytes that come in while we linger: thrown away as they are, undecrypted. */
static void on_drain(void *ctx, unsigned events)
{
        struct conn *c = ctx;
        char rubbish[4096];
        ssize_t n;

        (void)events;
        conn_enter(c);
        n = recv(c->fd, rubbish, sizeof(rubbish), MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                c->dead = true;
        conn_leave(c);
}

/* The last answer is out: say goodbye in order, and wait for a peer that is still sending. */
static void conn_finish(struct conn *c)
{
        struct err err = ERR_INIT;

        if (c->ssl != NULL) {
                (void)SSL_shutdown(c->ssl); /* a peer that is gone does not get it */
                ERR_clear_error();
        }
        if (!c->unread) {
                c->dead = true;
                return;
        }
        c->state = CONN_LINGER;
        (void)bufferevent_disable(c->bev, EV_READ | EV_WRITE);
        (void)shutdown(c->fd, SHUT_WR);
        set_deadline(c, LINGER_MS);
        if (loop_watch_new(c->server->loop, c->fd, LOOP_READ, on_drain, c, &c->drain, &err) < 0)
                c->dead = true;
}

/* ---- answers ---- */

void conn_answer(struct conn *c, int status, struct buf *head, struct view body)
{
        struct evbuffer *out = bufferevent_get_output(c->bev);
        struct http_request *req = c->req;
        bool stays = status != 204 && status != 304 && status >= 200;

        conn_enter(c);
        if (!req->head.keep_alive)
                c->close = true;
        if (c->close)
                buf_str(head, "Connection: close\r\n");
        if (stays)
                buf_fmt(head, "Content-Length: %zu\r\n", body.len);
        buf_str(head, "\r\n");
        if (!stays || req->head.head_only)
                body = VIEW_NONE;
        if (body.len <= ONE_RECORD_BYTES) {
                buf_put_view(head, body);
                body = VIEW_NONE;
        }
        c->state = CONN_ANSWER;
        if (!buf_ok(head) || evbuffer_add(out, head->p, head->len) < 0 ||
            (body.len > 0 && evbuffer_add(out, body.p, body.len) < 0)) {
                conn_kill(c);
                conn_leave(c);
                return;
        }
        c->req = NULL;
        request_end(req, status);
        (void)bufferevent_enable(c->bev, EV_WRITE);
        conn_leave(c);
}

void conn_stream_start(struct conn *c, struct buf *head)
{
        struct timeval stall = {.tv_sec = c->server->limits.request_ms / 1000,
                                .tv_usec = c->server->limits.request_ms % 1000 * 1000};

        conn_enter(c);
        c->close = true;
        loop_timer_stop(c->timer);
        buf_str(head, "Connection: close\r\n\r\n");
        c->state = CONN_STREAM;
        (void)bufferevent_set_timeouts(c->bev, NULL, &stall);
        if (!buf_ok(head) || evbuffer_add(bufferevent_get_output(c->bev), head->p, head->len) < 0)
                conn_kill(c);
        conn_leave(c);
}

bool conn_stream_send(struct conn *c, struct view data)
{
        struct evbuffer *out = bufferevent_get_output(c->bev);

        if (evbuffer_get_length(out) + data.len > STREAM_MAX_BYTES ||
            evbuffer_add(out, data.p, data.len) < 0) {
                conn_enter(c);
                conn_kill(c);
                conn_leave(c);
                return false;
        }
        return true;
}

void conn_stream_end(struct conn *c)
{
        conn_enter(c);
        c->req = NULL;
        c->state = CONN_ANSWER;
        set_deadline(c, c->server->limits.request_ms);
        if (evbuffer_get_length(bufferevent_get_output(c->bev)) == 0)
                conn_finish(c);
        conn_leave(c);
}

/* Refuses the request that is being read. The rest of its body is thrown away if it is small and known, else
 * the connection closes after the answer. */
static void conn_refuse(struct conn *c, const struct http_refusal *no)
{
        struct http_request *req = c->req;
        uint64_t left = req->head.framing == HTTP_BODY_LENGTH ? req->head.length - req->body.len : 0;
        bool known =
                c->state != CONN_HEAD || req->match.row != NULL || no->status == 404 || no->status == 405;

        if (!known || req->head.framing == HTTP_BODY_CHUNKED || left > DISCARD_MAX_BYTES ||
            req->head.expect_continue) {
                c->close = c->unread = true;
        } else {
                c->discard = left;
        }
        answer_refusal(req, no->status, no->reason);
}

/* ---- reading ---- */

/* Each returns true if there may be more to do with what is buffered. */

static bool read_head(struct conn *c, struct evbuffer *in)
{
        const struct http_limits *limits = &c->server->limits;
        size_t have = evbuffer_get_length(in), look = have < limits->head_bytes ? have : limits->head_bytes;
        struct http_refusal no = {400, "The request holds a byte that may not stand in a head."};
        struct view text = VIEW(evbuffer_pullup(in, (ssize_t)look), look);
        long end = http_head_end(text, &c->scanned);

        if (end == 0 && have < limits->head_bytes)
                return false;
        c->req = request_new(c);
        if (c->req == NULL) {
                conn_kill(c);
                return false;
        }
        if (end == 0)
                no = (struct http_refusal){431, "The request's head is too large."};
        if (end <= 0 || !request_begin(c->req, VIEW(text.p, (size_t)end), &no)) {
                if (end > 0)
                        (void)evbuffer_drain(in, (size_t)end);
                conn_refuse(c, &no);
                return true;
        }
        (void)evbuffer_drain(in, (size_t)end);
        c->state = CONN_BODY;
        if (c->req->head.expect_continue && evbuffer_get_length(in) == 0)
                (void)evbuffer_add(bufferevent_get_output(c->bev), "HTTP/1.1 100 Continue\r\n\r\n", 25);
        return true;
}

/* Return: true when the body is complete. */
static bool take_body(struct http_request *req, struct evbuffer *in, struct http_refusal *no)
{
        size_t have = evbuffer_get_contiguous_space(in);
        struct view chunk = VIEW(evbuffer_pullup(in, (ssize_t)have), have);
        long used;

        if (req->head.framing == HTTP_BODY_CHUNKED) {
                used = http_chunks_feed(&req->chunks, chunk, req->body_limit, &req->body, no);
        } else {
                uint64_t left = req->head.length - req->body.len;

                used = (long)(have < left ? have : left);
                buf_put(&req->body, chunk.p, (size_t)used);
                if (!buf_ok(&req->body)) {
                        *no = (struct http_refusal){503, "Out of memory."};
                        used = -1;
                }
        }
        if (used < 0)
                return false;
        (void)evbuffer_drain(in, (size_t)used);
        return req->head.framing == HTTP_BODY_CHUNKED ? req->chunks.state == CHUNK_DONE
                                                      : req->body.len == req->head.length;
}

static bool read_body(struct conn *c, struct evbuffer *in)
{
        struct http_request *req = c->req;
        struct http_refusal no = {0};
        bool complete = req->head.framing == HTTP_BODY_NONE;

        while (!complete && evbuffer_get_length(in) > 0 && no.status == 0)
                complete = take_body(req, in, &no);
        if (no.status != 0) {
                req->head.expect_continue = false;
                conn_refuse(c, &no);
                return true;
        }
        if (!complete)
                return false;
        c->state = CONN_HANDLER;
        req->match.row->route->handler(req, req->match.row->ctx);
        return true;
}

/* The answer is flushed: the next request, or the end. */
static bool end_answer(struct conn *c, struct evbuffer *in)
{
        if (c->discard > 0) {
                size_t have = evbuffer_get_length(in), n = have < c->discard ? have : (size_t)c->discard;

                (void)evbuffer_drain(in, n);
                c->discard -= n;
                if (c->discard > 0)
                        return false;
        }
        if (evbuffer_get_length(bufferevent_get_output(c->bev)) > 0)
                return false;
        if (c->close) {
                conn_finish(c);
                return false;
        }
        c->state = CONN_IDLE;
        set_deadline(c, c->server->limits.idle_ms);
        return true;
}

static bool conn_step(struct conn *c)
{
        struct evbuffer *in = bufferevent_get_input(c->bev);

        switch (c->state) {
        case CONN_IDLE:
                if (evbuffer_get_length(in) == 0)
                        return false;
                c->state = CONN_HEAD;
                c->scanned = 0;
                set_deadline(c, c->server->limits.request_ms);
                return true;
        case CONN_HEAD:
                return read_head(c, in);
        case CONN_BODY:
                return read_body(c, in);
        case CONN_ANSWER:
                return end_answer(c, in);
        default:
                return false;
        }
}

static void conn_run(struct conn *c)
{
        while (!c->dead && conn_step(c))
                ;
}

/* ---- callbacks ---- */

static void on_ready(struct bufferevent *bev, void *ctx)
{
        struct conn *c = ctx;

        (void)bev;
        conn_enter(c);
        conn_run(c);
        conn_leave(c);
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
        struct conn *c = ctx;

        (void)bev;
        conn_enter(c);
        if (what & BEV_EVENT_CONNECTED) {
                if (c->ssl != NULL)
                        peer_certificate(c->server, c->ssl, &c->peer, &c->cert_end_ms);
                c->state = CONN_IDLE;
                set_deadline(c, c->server->limits.idle_ms);
                conn_run(c);
        } else {
                ERR_clear_error();
                conn_kill(c);
        }
        conn_leave(c);
}

static void on_deadline(void *ctx)
{
        struct conn *c = ctx;
        struct http_request *req = c->req;

        conn_enter(c);
        switch (c->state) {
        case CONN_IDLE:
                conn_finish(c);
                break;
        case CONN_HEAD:
                if (req == NULL)
                        req = c->req = request_new(c);
                if (req == NULL) {
                        conn_kill(c);
                        break;
                }
                /* fall through */
        case CONN_BODY:
                c->close = c->unread = true;
                set_deadline(c, LINGER_MS);
                answer_refusal(req, 408, "The request did not arrive in time.");
                break;
        case CONN_HANDLER:
                /* The handler's own answer, when it comes, goes nowhere. */
                req = request_new(c);
                if (req == NULL) {
                        conn_kill(c);
                        break;
                }
                request_take_place(req, c->req);
                c->close = true;
                set_deadline(c, LINGER_MS);
                answer_refusal(req, 503, "The answer was not ready in time.");
                break;
        default:
                conn_kill(c);
        }
        conn_leave(c);
}

void conn_retire(struct conn *c)
{
        conn_enter(c);
        c->close = true;
        if (c->state == CONN_IDLE)
                conn_finish(c);
        else if (c->state == CONN_STREAM)
                conn_kill(c);
        conn_leave(c);
}

/* ---- the beginning ---- */

static struct bufferevent *new_bufferevent(struct http_server *s, int fd, bool tls, SSL **ret_ssl)
{
        struct bufferevent *bev;
        SSL *ssl;

        *ret_ssl = NULL;
        if (!tls)
                return bufferevent_socket_new(loop_base(s->loop), fd, BEV_OPT_CLOSE_ON_FREE);
        ssl = SSL_new(s->tls);
        if (ssl == NULL)
                return NULL;
        bev = bufferevent_openssl_socket_new(loop_base(s->loop), fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
                                             BEV_OPT_CLOSE_ON_FREE);
        if (bev == NULL) {
                SSL_free(ssl);
                return NULL;
        }
        bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
        *ret_ssl = ssl;
        return bev;
}

void conn_new(struct http_server *s, int fd, bool tls, const struct sockaddr *sa)
{
        struct err err = ERR_INIT;
        struct conn *c = mem_zalloc(1, sizeof(*c));

        if (c == NULL) {
                close(fd);
                return;
        }
        peer_address(sa, &c->peer, c->key);
        c->server = s;
        c->fd = fd;
        c->peer.tls = tls;
        if (!server_admit(s, c->key)) {
                close(fd);
                free(c);
                return;
        }
        c->bev = new_bufferevent(s, fd, tls, &c->ssl);
        if (c->bev == NULL || loop_timer_new(s->loop, on_deadline, c, &c->timer, &err) < 0) {
                if (c->bev != NULL)
                        bufferevent_free(c->bev);
                else
                        close(fd);
                server_release(s, c->key);
                free(c);
                return;
        }
        c->next = s->conns;
        if (c->next != NULL)
                c->next->prev = c;
        s->conns = c;
        c->state = tls ? CONN_HANDSHAKE : CONN_IDLE;
        set_deadline(c, tls ? s->limits.handshake_ms : s->limits.idle_ms);
        bufferevent_setwatermark(c->bev, EV_READ, 0, READ_HIGH_BYTES);
        bufferevent_setcb(c->bev, on_ready, on_ready, on_event, c);
        (void)bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}
