/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_HTTP_SERVER_H
#define AVOW_HTTP_SERVER_H

#include <jansson.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "http/loop.h"
#include "http/role.h"

/*
 * The HTTP/1.1 server: listeners (TLS and plain), one table of routes, and requests whose answer may come at
 * once or later. It refuses before it spends: connections past a peer's limit before the handshake, malformed
 * heads before routing, strangers and oversize bodies before a body is read.
 *
 * A client certificate is asked for and never demanded: a peer without one, or with one that does not verify,
 * is anonymous, and still shows the key that it holds (http_peer.spki_sha256).
 *
 * Every route names its roles; a path without a row is 404. Everything here belongs to the loop's thread.
 */
struct http_server;
struct http_request;

enum http_method { HTTP_GET = 1, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE };

/* How the server itself (not a handler) says no. */
enum http_family {
        HTTP_NATIVE = 0, /* application/problem+json */
        HTTP_KEYLIME,    /* empty bodies, and Keylime's two for 401 and 403; keylime-wire 3.1, 3.3 */
};

typedef void (*http_handler)(struct http_request *req, void *ctx);

struct http_route {
        enum http_method method;
        /*
         * Segments: literal; `:name` (a parameter, percent-decoded, never empty, no '/' or control
         * character); `v2.0-6`, which matches v2 and v2.0 … v2.6 (parameter "version": what the peer wrote,
         * without the v). One slash at the end of a request's path makes no difference. A literal wins over a
         * parameter.
         */
        const char *pattern;
        uint32_t roles; /* 0 is nobody: such a row is refused when it is added */
        http_handler handler;
        size_t body_limit; /* bytes; 0: the server's limit for anonymous peers; never above the peer's limit
                            */
        enum http_family family;
        const char *action; /* what 403 calls it ("read_agent"); NULL: method and pattern */
};

struct http_limits {                 /* zero: the default in brackets */
        size_t head_bytes;           /* [16 KiB] request line and headers */
        size_t headers;              /* [64] */
        size_t anonymous_body_bytes; /* [8 MiB] */
        size_t role_body_bytes;      /* [64 MiB] for peers with any role */
        size_t connections_per_peer; /* [64] per IPv4 address or IPv6 /64; UINT_MAX: no limit */
        size_t connections;          /* [10000] in all */
        int64_t handshake_ms;        /* [10 s] */
        int64_t request_ms; /* [30 s] first byte to last byte of the answer, the handler's time too */
        int64_t idle_ms;    /* [90 s] kept alive between requests */
};

/* A role given by configuration to whoever holds a key. */
struct http_grant {
        uint8_t spki_sha256[32];
        uint32_t roles;
};

struct http_server_options {
        struct http_limits limits;
        const struct http_grant *grants; /* copied */
        size_t n_grants;
        /* Keylime's rule: any certificate that verifies and has a CN is an admin. Off unless asked for; the
         * program warns at start (SR-12). */
        bool any_certificate_is_admin;
        bool reuse_port; /* SO_REUSEPORT: several loops or processes on one port */
};

/* Called after each answer (or when its peer left: status 0): for request metrics and access logs. PATTERN is
 * the row's, or NULL. */
typedef void (*http_observe_fn)(void *ctx, const struct http_request *req, const char *pattern, int status,
                                int64_t took_ms);

int http_server_new(struct loop *loop, const struct http_server_options *opts,
                    struct http_server **ret_server, struct err *err) MUST_USE;
/* Closes listeners and connections. Requests still with a handler stay valid until it answers them. */
void http_server_free(struct http_server *server);
DEFINE_AUTO(struct http_server, http_server_free)

/* Adds a table, which must outlive the server. Return: 0; -ERR_BUG for a row without roles or handler, a
 * malformed pattern, or a second row for the same method and pattern; -ERR_NOMEM. */
int http_server_add_routes(struct http_server *server, const struct http_route *routes, size_t n, void *ctx,
                           struct err *err) MUST_USE;
void http_server_observe(struct http_server *server, http_observe_fn fn, void *ctx);

/*
 * The TLS context for connections accepted from now on (a reference is taken); those that are open keep
 * theirs, but those whose peer has a role end in good order, now or with the answer that is due, so that a
 * role that was taken away is gone. Call it again to rotate: http_server_set_tls(server, tls_server_ctx(tls),
 * err). Sets what a server needs on the context: session id context, no renegotiation, released buffers, a
 * client certificate asked for and not demanded.
 */
int http_server_set_tls(struct http_server *server, SSL_CTX *ctx, struct err *err) MUST_USE;

/*
 * ADDRESS: "127.0.0.1:8881", "[::1]:8881", "localhost:0". With port 0 the system chooses; ask
 * http_server_port(). Return: 0; -ERR_CONFIG for an address that is none; -ERR_IO with a text that names the
 * address and, for a port in use, what to do; -ERR_BUG when TLS is asked for and no context is set.
 */
int http_server_listen(struct http_server *server, const char *address, bool tls, struct err *err) MUST_USE;
/* Takes over a listening socket. */
int http_server_listen_fd(struct http_server *server, int fd, bool tls, struct err *err) MUST_USE;
/* Takes over the sockets that systemd passed under NAME (FileDescriptorName=). Return: how many (0: none were
 * passed), or < 0. */
int http_server_listen_activated(struct http_server *server, const char *name, bool tls,
                                 struct err *err) MUST_USE;
/* The port of the first listener of that kind; 0 if there is none. */
uint16_t http_server_port(const struct http_server *server, bool tls);
/* Open connections, for gauges. */
size_t http_server_connections(const struct http_server *server);
/* Connections refused because a peer or the server had too many, since start. */
uint64_t http_server_refused(const struct http_server *server);

/* ---- requests: what a handler sees. All borrowed from the request. ---- */

struct http_peer {
        char address[46]; /* numeric; IPv4-mapped addresses as IPv4 */
        char source[46];  /* what limits per source count: the address, of IPv6 its /64 ("2001:db8::/64") */
        uint16_t port;
        bool tls;
        bool certificate;        /* one was presented, and the peer holds its key */
        bool verified;           /* it chains to the client CA and is in date */
        uint8_t spki_sha256[32]; /* of the certificate's SubjectPublicKeyInfo; meaningful if .certificate */
        uint32_t roles;          /* 0: anonymous */
        char tenant[65];         /* "" : none stated */
        char name[81];           /* the certificate's CN if verified, cut; escape it in logs */
};

enum http_method http_request_method(const struct http_request *req);
const char *http_method_name(enum http_method method);
/* The path as sent, without the query. */
const char *http_request_path(const struct http_request *req);
/* NULL if the pattern has no such parameter, the query or the headers no such name. Header names ignore case;
 * of a header sent twice the first. */
const char *http_request_param(const struct http_request *req, const char *name);
const char *http_request_query(const struct http_request *req, const char *name);
const char *http_request_header(const struct http_request *req, const char *name);
/* What follows `Authorization: Bearer `, or NULL. Never log it. */
const char *http_request_bearer(const struct http_request *req);
struct view http_request_body(const struct http_request *req);
/* True if a body was sent with this media type (parameters ignored). */
bool http_request_is_type(const struct http_request *req, const char *type);
const struct http_peer *http_request_peer(const struct http_request *req);
/* The peer's X-Request-Id if it is one ([\w-]{1,36}), else one we made: for logs; echoed in the answer. */
const char *http_request_id(const struct http_request *req);
/* When the head was complete, Unix ms. */
int64_t http_request_at_ms(const struct http_request *req);

/*
 * ---- answers ----
 * A handler answers exactly once, now or later. Until then the request is valid, whether its peer is still
 * there or not; with the answer it is gone. An answer to a peer that left, or after the request's deadline
 * (the server has said 503 by then), goes nowhere and is fine.
 */

/* True once nobody waits for the answer any more. */
bool http_request_gone(const struct http_request *req);

/* Adds a header to the answer; before the answer. A value with control characters is dropped. */
void http_answer_header(struct http_request *req, const char *name, const char *fmt, ...) PRINTF(3, 4);
/* Retry-After, rounded up to seconds. */
void http_answer_retry_after(struct http_request *req, int64_t after_ms);

/* The connection ends with the answer; before the answer. */
void http_answer_close(struct http_request *req);

/* TYPE may be NULL when BODY is empty. BODY is copied. */
void http_answer(struct http_request *req, int status, const char *type, struct view body);
/* Compact JSON; takes over the caller's reference; a NULL document (out of memory) is answered with 500. TYPE
 * NULL is application/json. */
void http_answer_json(struct http_request *req, int status, const char *type, json_t *doc);
/* application/problem+json {type, title, status, detail, where}; WHERE may be NULL. */
void http_answer_problem(struct http_request *req, int status, const char *where, const char *fmt, ...)
        PRINTF(4, 5);
/* The server's own refusal in the route's family: 401 and 403 with Keylime's bodies, others empty, or a
 * problem document. DETAIL as a sentence. */
void http_answer_refusal(struct http_request *req, int status, const char *detail);

/*
 * An answer without an end (server-sent events): after _start the request lives until http_stream_end(). Its
 * deadline is over; a peer that does not read is cut off at 1 MiB of backlog or after request_ms without
 * progress. GONE is called once when the peer leaves (never after http_stream_end()); the handler then calls
 * http_stream_end(), there or later.
 */
void http_stream_start(struct http_request *req, int status, const char *type, loop_fn gone, void *ctx);
/* Return: false if nobody listens any more. */
bool http_stream_send(struct http_request *req, struct view data);
void http_stream_end(struct http_request *req);

#endif
