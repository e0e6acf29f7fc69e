/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_HTTP_SERVER_IMPL_H
#define AVOW_HTTP_SERVER_IMPL_H

#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <sys/socket.h>

#include "base/map.h"
#include "http/head.h"
#include "http/router.h"
#include "http/server.h"

/* What server.c (listeners, limits), conn.c (a connection's life), request.c (what a handler sees) and
 * answer.c (what it says) share. Nobody else includes this. */

enum conn_state {
        CONN_HANDSHAKE, /* TLS */
        CONN_IDLE,      /* between requests */
        CONN_HEAD,      /* the first byte of a head is there */
        CONN_BODY,
        CONN_HANDLER, /* the handler has the request */
        CONN_ANSWER,  /* the answer is on its way out */
        CONN_STREAM,
        CONN_LINGER, /* answered for the last time; what still comes in is thrown away */
};

struct conn {
        struct http_server *server;
        struct conn *prev, *next;
        struct bufferevent *bev;
        SSL *ssl; /* the bufferevent's; NULL for plain */
        int fd;
        enum conn_state state;
        struct loop_timer *timer; /* the state's deadline */
        struct loop_watch *drain; /* in CONN_LINGER */
        struct http_peer peer;
        int64_t cert_end_ms; /* of the peer's verified certificate: after it the peer is nobody */
        uint8_t key[16];     /* whose connection it counts as */
        struct http_request *req;
        size_t scanned;   /* of the head, by http_head_end() */
        uint64_t discard; /* bytes of a refused request's body still to be thrown away */
        bool close;       /* after this answer */
        bool unread;      /* ... and the peer may still be sending: linger */
        bool dead;
        unsigned depth; /* callbacks of this connection on the stack */
};

struct answer_header {
        struct answer_header *next;
        char text[]; /* "Name: value\r\n" */
};

struct http_request {
        struct conn *conn;          /* NULL: nobody waits any more */
        struct http_server *server; /* NULL once it is freed */
        struct http_request *prev, *next;
        struct http_head head;
        char *text; /* the head's bytes, which .head points into */
        size_t text_len;
        char *path; /* a copy that the router cut */
        struct router_match match;
        struct http_peer peer;
        struct buf body;
        struct http_chunks chunks;
        size_t body_limit;
        struct http_header *query; /* decoded; parsed when first asked */
        size_t n_query;
        char *query_text;
        struct answer_header *headers;
        char id[37];
        int64_t at_ms, start_ms; /* Unix; monotonic */
        bool streaming, observed;
        loop_fn gone;
        void *gone_ctx;
};

struct listener {
        struct listener *next;
        struct http_server *server;
        struct evconnlistener *ev;
        struct loop_timer *rest; /* after running out of descriptors */
        bool tls;
        uint16_t port;
};

struct http_server {
        struct loop *loop;
        struct http_limits limits;
        struct http_grant *grants;
        size_t n_grants;
        bool any_certificate_is_admin, reuse_port;
        SSL_CTX *tls;
        struct listener *listeners;
        struct conn *conns;
        struct http_request *requests; /* all there are, with and without a connection */
        size_t n_conns;
        uint64_t refused, next_id;
        struct map per_peer; /* address key → number of connections, as a pointer's value */
        struct router router;
        http_observe_fn observe;
        void *observe_ctx;
};

/* server.c */
/* Counts a connection in. Return: false if its peer, or the server, has too many (or memory is out). */
bool server_admit(struct http_server *s, const uint8_t key[static 16]);
void server_release(struct http_server *s, const uint8_t key[static 16]);

/* peer.c */
/* The address as text, port, and the key to count connections by (IPv4; IPv6 /64). */
void peer_address(const struct sockaddr *sa, struct http_peer *ret, uint8_t ret_key[static 16]);
/* Certificate, roles and tenant, after the handshake. */
void peer_certificate(const struct http_server *s, SSL *ssl, struct http_peer *peer, int64_t *ret_end_ms);

/* conn.c */
/* Takes FD over, also on failure (it is closed then). */
void conn_new(struct http_server *s, int fd, bool tls, const struct sockaddr *sa);
void conn_free(struct conn *c);
/* Ends a connection in good order: now if it is idle, else with its next answer. It may be freed. */
void conn_retire(struct conn *c);
/* HEAD is the status line and headers without the framing headers and the empty line; they are added. */
void conn_answer(struct conn *c, int status, struct buf *head, struct view body);
void conn_stream_start(struct conn *c, struct buf *head);
bool conn_stream_send(struct conn *c, struct view data);
void conn_stream_end(struct conn *c);

/* request.c */
struct http_request *request_new(struct conn *c);
void request_free(struct http_request *req);
/* STUB answers for OLD, whose handler is late: OLD is cut loose. */
void request_take_place(struct http_request *stub, struct http_request *old);
/* Parses the head (LEN bytes are in TEXT), finds and authorizes the row, decides the body's limit. Return:
 * true; false with a refusal. */
bool request_begin(struct http_request *req, struct view text, struct http_refusal *ret_refusal);

/* answer.c */
const char *answer_reason(int status);
/* The server's own refusal, in the request's family. */
void answer_refusal(struct http_request *req, int status, const char *detail);
/* Lets the observer know and frees. STATUS 0: the peer left. */
void request_end(struct http_request *req, int status);

#endif
