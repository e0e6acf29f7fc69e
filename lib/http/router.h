/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_HTTP_ROUTER_H
#define AVOW_HTTP_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "http/server.h"

/*
 * Which row serves a request, and may this peer have it? Pure: methods, paths and roles in, a row or a status
 * out. Every row names its roles; no row, no route.
 */

#define ROUTER_PARAMS_MAX   8
#define ROUTER_SEGMENTS_MAX 16

struct router_row {
        const struct http_route *route;
        void *ctx;
};

struct router {
        struct router_row *rows;
        size_t n;
};

struct router_param {
        const char *name; /* ends at the pattern's next '/' or its end: compare with router_param() */
        size_t name_len;
        const char *value;
};

struct router_match {
        const struct router_row *row; /* NULL: none; then .allow says which methods the path has */
        uint32_t allow;               /* bits 1 << enum http_method */
        enum http_family family; /* the row's; without one that of a row with this path, or of the path */
        struct router_param params[ROUTER_PARAMS_MAX];
        size_t n_params;
};

int router_add(struct router *r, const struct http_route *routes, size_t n, void *ctx,
               struct err *err) MUST_USE;
void router_done(struct router *r);

/* PATH starts with '/' and is cut and decoded in place; parameters point into it. */
void router_match(const struct router *r, enum http_method method, char *path, struct router_match *ret);
const char *router_param(const struct router_match *m, const char *name);

/* How a peer showed itself: its certificate's roles, and whether the request carries a bearer token. */
enum router_token { ROUTER_NO_TOKEN, ROUTER_TOKEN, ROUTER_BAD_TOKEN };

/*
 * Return: 0 to go on; 401 for an Authorization header that is not Bearer; 403. A request with a token is that
 * token's owner and nobody else: it never falls back to the certificate (keylime-wire 3.3).
 */
int router_authorize(const struct http_route *route, uint32_t peer_roles, enum router_token token);

#endif
