/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_HTTP_CLIENT_H
#define AVOW_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "http/loop.h"

/*
 * The HTTP client: libcurl on a loop. Connections are kept and used again, TLS sessions resumed. One client
 * is one identity (CA, certificate) and may talk to any number of servers. It trusts its own CA and no other,
 * follows no redirect, and every call ends: with an answer, or with an error at its deadline.
 */
struct http_client;
struct sockaddr;
struct http_call_handle;

struct http_client_options {
        /* Files, or PEM texts (which win); texts are copied. No CA: https calls fail. */
        const char *ca_file, *ca_pem;
        const char *cert_file, *cert_pem;
        const char *key_file, *key_pem;
        bool any_host_name;            /* Keylime's rule: the chain must verify, the name need not match */
        uint32_t connections_per_host; /* 0: 1 for a daemon's order of requests */
        int64_t connect_timeout_ms;    /* 0: 10 s, the TLS handshake included */
        const char *user_agent;        /* NULL: "avow/VERSION" */
        /*
         * Asked about each address before a connection to it is made, after the name was resolved, so that no
         * name leads to an address that was not meant. False refuses it. Proxies of the environment are then
         * not used. NULL: any address.
         */
        bool (*may_connect)(void *ctx, const struct sockaddr *address);
        void *may_connect_ctx;
};

struct http_header {
        const char *name, *value;
};

/* One call. All strings and bytes are copied by http_client_send(). */
struct http_call {
        const char *method; /* "GET", "POST", … */
        const char *url;
        const struct http_header *headers;
        size_t n_headers;
        const char *content_type; /* with a body only */
        struct view body;
        int64_t timeout_ms;        /* 0: 30 s, for everything */
        size_t max_response_bytes; /* 0: 8 MiB; a larger answer is an error */
};

struct http_response {
        int status;
        struct view body;
        int64_t retry_after_ms;            /* -1: none; from seconds or an HTTP date; at most a day */
        const struct http_header *headers; /* names in lower case; at most 64 */
        size_t n_headers;
        char peer[64]; /* "address:port" */
};

/* The header's value, borrowed, or NULL. NAME in any case. */
const char *http_response_header(const struct http_response *res, const char *name);
/* True for that media type, parameters ignored. */
bool http_response_is_type(const struct http_response *res, const char *type);

/*
 * Called once per call, on the loop, never from inside http_client_send(). Either RES is the answer (any
 * status; borrowed for the call) or RES is NULL and ERR says what happened: -ERR_PEER when the server was not
 * reached, did not verify, or answered rubbish or nothing in time. The text names the server.
 */
typedef void (*http_done_fn)(void *ctx, const struct http_response *res, const struct err *err);

int http_client_new(struct loop *loop, const struct http_client_options *opts,
                    struct http_client **ret_client, struct err *err) MUST_USE;
/* Drops calls in flight without calling back. */
void http_client_free(struct http_client *client);
DEFINE_AUTO(struct http_client, http_client_free)

struct loop *http_client_loop(const struct http_client *client);

/* New certificate, key or CA files for connections made from now on (rotation); those in use are closed when
 * their call is done. On failure everything stays as it was. */
int http_client_reload(struct http_client *client, const struct http_client_options *opts,
                       struct err *err) MUST_USE;

/* RET_HANDLE may be NULL; it is valid until the call is done or cancelled. Return: 0; -ERR_CONFIG for a URL
 * that is none or not http(s); -ERR_NOMEM. */
int http_client_send(struct http_client *client, const struct http_call *call, http_done_fn done, void *ctx,
                     struct http_call_handle **ret_handle, struct err *err) MUST_USE;
/* Forgets the call; done is not called. */
void http_client_cancel(struct http_call_handle *handle);

/*
 * For command lines: sends and runs the loop until the answer is there. The answer is owned and freed by
 * http_fetched_free(). Return: 0 (any status), or as DONE's error.
 */
struct http_fetched;
int http_client_fetch(struct http_client *client, const struct http_call *call,
                      struct http_fetched **ret_fetched, struct err *err) MUST_USE;
const struct http_response *http_fetched_response(const struct http_fetched *fetched);
void http_fetched_free(struct http_fetched *fetched);
DEFINE_AUTO(struct http_fetched, http_fetched_free)

#endif
