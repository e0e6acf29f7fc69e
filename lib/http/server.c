/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners and what is counted before anything is spent: a connection past its peer's limit is closed as it
 * is accepted, before a handshake costs a millisecond. TCP_NODELAY is set on the listening socket and
 * inherited; without it every kept-alive request would wait 40 ms for an acknowledgement.
 */
#include <errno.h>
#include <event2/event.h>
#include <event2/util.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/server_impl.h"

#define BACKLOG 1024
#define REST_MS 200 /* of a listener when descriptors ran out */

static void set_default(size_t *value, size_t to)
{
        if (*value == 0)
                *value = to;
}

static void set_default_ms(int64_t *value, int64_t to)
{
        if (*value == 0)
                *value = to;
}

static void set_limits(struct http_limits *l)
{
        set_default(&l->head_bytes, 16 * 1024);
        set_default(&l->headers, HTTP_HEADERS_MAX);
        if (l->headers > HTTP_HEADERS_MAX)
                l->headers = HTTP_HEADERS_MAX;
        set_default(&l->anonymous_body_bytes, 8 * 1024 * 1024);
        set_default(&l->role_body_bytes, 64 * 1024 * 1024);
        set_default(&l->connections_per_peer, 64);
        set_default(&l->connections, 10000);
        set_default_ms(&l->handshake_ms, 10 * 1000);
        set_default_ms(&l->request_ms, 30 * 1000);
        set_default_ms(&l->idle_ms, 90 * 1000);
}

int http_server_new(struct loop *loop, const struct http_server_options *opts,
                    struct http_server **ret_server, struct err *err)
{
        AUTO(http_server_free_p)
        struct http_server *s = mem_zalloc(1, sizeof(*s));

        if (s == NULL)
                return err_nomem(err);
        s->loop = loop;
        map_init(&s->per_peer, NULL);
        s->limits = opts->limits;
        set_limits(&s->limits);
        s->any_certificate_is_admin = opts->any_certificate_is_admin;
        s->reuse_port = opts->reuse_port;
        s->next_id = (uint64_t)clock_now_ms() << 20; /* not a secret: it tells requests apart in logs */
        if (opts->n_grants > 0) {
                s->grants = mem_dup(opts->grants, opts->n_grants * sizeof(*s->grants));
                if (s->grants == NULL)
                        return err_nomem(err);
                s->n_grants = opts->n_grants;
        }
        *ret_server = TAKE(s);
        return 0;
}

static void listener_free(struct listener *l)
{
        loop_timer_free(l->rest);
        if (l->ev != NULL)
                evconnlistener_free(l->ev);
        free(l);
}

void http_server_free(struct http_server *s)
{
        if (s == NULL)
                return;
        while (s->listeners != NULL) {
                struct listener *l = s->listeners;

                s->listeners = l->next;
                listener_free(l);
        }
        while (s->conns != NULL)
                conn_free(s->conns);
        while (s->requests != NULL) {
                struct http_request *req = s->requests;

                s->requests = req->next;
                req->server = NULL;
                req->prev = req->next = NULL;
        }
        router_done(&s->router);
        map_done(&s->per_peer);
        SSL_CTX_free(s->tls);
        free(s->grants);
        free(s);
}

int http_server_add_routes(struct http_server *s, const struct http_route *routes, size_t n, void *ctx,
                           struct err *err)
{
        return router_add(&s->router, routes, n, ctx, err);
}

void http_server_observe(struct http_server *s, http_observe_fn fn, void *ctx)
{
        s->observe = fn;
        s->observe_ctx = ctx;
}

/* A certificate that does not verify is no reason to hang up; SSL_get_verify_result() keeps the reason. */
static int accept_any(int ok, X509_STORE_CTX *store)
{
        (void)ok;
        (void)store;
        return 1;
}

/* Whoever holds a role shows anew that it still has it: its CA may be gone, or its certificate revoked. */
static void retire_roles(struct http_server *s)
{
        struct conn *next;

        for (struct conn *c = s->conns; c != NULL; c = next) {
                next = c->next;
                if (c->peer.roles != 0)
                        conn_retire(c);
        }
}

int http_server_set_tls(struct http_server *s, SSL_CTX *ctx, struct err *err)
{
        static const unsigned char session_context[] = "avow";

        if (SSL_CTX_up_ref(ctx) != 1)
                return err_set(err, ERR_CRYPTO, 0, "TLS context: cannot be shared");
        if (SSL_CTX_get_verify_mode(ctx) == SSL_VERIFY_NONE)
                SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, accept_any);
        if (SSL_CTX_set_session_id_context(ctx, session_context, sizeof(session_context) - 1) != 1) {
                SSL_CTX_free(ctx);
                return err_set(err, ERR_CRYPTO, 0, "TLS context: no session id context");
        }
        (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION); /* gives the new set */
        (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
        SSL_CTX_free(s->tls);
        s->tls = ctx;
        retire_roles(s);
        return 0;
}

/* ---- counting ---- */

bool server_admit(struct http_server *s, const uint8_t key[static 16])
{
        uintptr_t n = (uintptr_t)map_get_bytes(&s->per_peer, VIEW(key, 16));

        if (n >= s->limits.connections_per_peer || s->n_conns >= s->limits.connections ||
            map_put_bytes(&s->per_peer, VIEW(key, 16), (void *)(n + 1)) < 0) {
                s->refused++;
                return false;
        }
        s->n_conns++;
        return true;
}

void server_release(struct http_server *s, const uint8_t key[static 16])
{
        uintptr_t n = (uintptr_t)map_get_bytes(&s->per_peer, VIEW(key, 16));

        s->n_conns--;
        /* Replacing a value allocates nothing and cannot fail. */
        if (n <= 1 || map_put_bytes(&s->per_peer, VIEW(key, 16), (void *)(n - 1)) < 0)
                (void)map_take_bytes(&s->per_peer, VIEW(key, 16));
}

size_t http_server_connections(const struct http_server *s)
{
        return s->n_conns;
}

uint64_t http_server_refused(const struct http_server *s)
{
        return s->refused;
}

/* ---- listening ---- */

static void on_accept(struct evconnlistener *ev, evutil_socket_t fd, struct sockaddr *sa, int len, void *ctx)
{
        struct listener *l = ctx;

        (void)ev;
        (void)len;
        conn_new(l->server, fd, l->tls, sa);
}

static void on_rested(void *ctx)
{
        struct listener *l = ctx;

        (void)evconnlistener_enable(l->ev);
}

/* Out of descriptors: accept() would fail again at once, for ever. */
static void on_accept_error(struct evconnlistener *ev, void *ctx)
{
        struct listener *l = ctx;

        (void)evconnlistener_disable(ev);
        loop_timer_start(l->rest, REST_MS);
}

static uint16_t port_of(int fd)
{
        struct sockaddr_storage ss = {0};
        socklen_t len = sizeof(ss);

        if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
                return 0;
        if (ss.ss_family == AF_INET)
                return ntohs(((struct sockaddr_in *)(void *)&ss)->sin_port);
        if (ss.ss_family == AF_INET6)
                return ntohs(((struct sockaddr_in6 *)(void *)&ss)->sin6_port);
        return 0;
}

int http_server_listen_fd(struct http_server *s, int fd, bool tls, struct err *err)
{
        const int on = 1;
        struct listener *l;
        int flags = fcntl(fd, F_GETFL);

        if (tls && s->tls == NULL)
                return err_set(err, ERR_BUG, 0, "listen: no TLS context");
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                return err_errno(err, errno, "listening socket");
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* fails on other families only */
        l = mem_zalloc(1, sizeof(*l));
        if (l == NULL)
                return err_nomem(err);
        l->server = s;
        l->tls = tls;
        l->port = port_of(fd);
        if (loop_timer_new(s->loop, on_rested, l, &l->rest, err) < 0) {
                listener_free(l);
                return err_wrap(err, "listen");
        }
        l->ev = evconnlistener_new(loop_base(s->loop), on_accept, l,
                                   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, fd);
        if (l->ev == NULL) {
                int code = errno;

                listener_free(l);
                return err_errno(err, code, "listen");
        }
        evconnlistener_set_error_cb(l->ev, on_accept_error);
        l->next = s->listeners;
        s->listeners = l;
        return 0;
}

static int bind_one(const struct http_server *s, const struct addrinfo *ai, int *ret_fd)
{
        const int on = 1;
        int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, ai->ai_protocol);

        if (fd < 0)
                return errno;
        if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
            (s->reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0) ||
            bind(fd, ai->ai_addr, ai->ai_addrlen) < 0) {
                int code = errno;

                close(fd);
                return code;
        }
        *ret_fd = fd;
        return 0;
}

/* "HOST:PORT" or "[HOST]:PORT". */
static int resolve(const char *address, struct addrinfo **ret, struct err *err)
{
        const struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
        const char *colon = strrchr(address, ':');
        AUTO(mem_free_p)
        char *host = NULL;
        size_t len;
        int r;

        if (colon == NULL || colon == address || colon[1] == '\0')
                return err_set(err, ERR_CONFIG, 0, "listen address %s: expected ADDRESS:PORT", SHOW(address));
        len = (size_t)(colon - address);
        host = address[0] == '[' && colon[-1] == ']' ? str_ndup(address + 1, len - 2)
                                                     : str_ndup(address, len);
        if (host == NULL)
                return err_nomem(err);
        r = getaddrinfo(host, colon + 1, &hints, ret);
        if (r != 0)
                return err_set(err, ERR_CONFIG, 0, "listen address %s: %s", SHOW(address), gai_strerror(r));
        return 0;
}

int http_server_listen(struct http_server *s, const char *address, bool tls, struct err *err)
{
        struct addrinfo *list = NULL;
        int fd = -1, code = EADDRNOTAVAIL, r;

        if (resolve(address, &list, err) < 0)
                return -(int)err->kind;
        for (const struct addrinfo *ai = list; ai != NULL && fd < 0; ai = ai->ai_next)
                code = bind_one(s, ai, &fd);
        freeaddrinfo(list);
        if (fd >= 0 && listen(fd, BACKLOG) < 0) {
                code = errno;
                close(fd);
                fd = -1;
        }
        if (fd < 0 && code == EADDRINUSE)
                return err_set(
                        err, ERR_IO, code,
                        "listen on %s: the port is in use; stop who has it (ss -ltnp) or choose another",
                        address);
        if (fd < 0)
                return err_errno(err, code, "listen on %s", address);
        r = http_server_listen_fd(s, fd, tls, err);
        if (r < 0) {
                close(fd);
                return err_wrap(err, "listen on %s", address);
        }
        return 0;
}

int http_server_listen_activated(struct http_server *s, const char *name, bool tls, struct err *err)
{
        char **names = NULL;
        int n = sd_listen_fds_with_names(0, &names), taken = 0, r = 0;

        if (n < 0)
                return err_errno(err, -n, "sockets from systemd");
        for (int i = 0; i < n; i++) {
                if (r == 0 && strcmp(names[i], name) == 0) {
                        r = http_server_listen_fd(s, SD_LISTEN_FDS_START + i, tls, err);
                        taken++;
                }
                free(names[i]);
        }
        free(names);
        return r < 0 ? err_wrap(err, "socket '%s' from systemd", name) : taken;
}

uint16_t http_server_port(const struct http_server *s, bool tls)
{
        uint16_t port = 0;

        for (const struct listener *l = s->listeners; l != NULL; l = l->next)
                if (l->tls == tls)
                        port = l->port; /* the list is newest first */
        return port;
}
