/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_HTTP_OPS_H
#define AVOW_HTTP_OPS_H

#include <stdbool.h>
#include <stddef.h>

#include "http/metrics.h"
#include "http/server.h"

/*
 * What operators ask a server: /healthz (the loop turns), /readyz (it can do its work; 503 and the reasons if
 * not), /metrics (OpenMetrics; numbers only, no host names, so anybody may read it), /version (Keylime's
 * form, with our own beside it), the description of its own routes, and request metrics by route and status.
 */
struct ops;

/* Can the program do its work? Return: NULL if so, else why not, in a few words (static text). */
typedef const char *(*ops_ready_fn)(void *ctx);

struct ops_options {
        const char *program;                 /* "avow-verifier" */
        const char *const *keylime_versions; /* what GET /version lists, ascending; NULL-ended */
        const char *keylime_current;         /* "2.6" */
        const char *openapi;                 /* what GET /avow/v1/openapi.yaml answers; NULL: no such route */
};

/* Texts in OPTS must outlive it. Adds its routes and its observer to SERVER; free it after the server. */
int ops_new(struct http_server *server, const struct ops_options *opts, struct ops **ret_ops,
            struct err *err) MUST_USE;
void ops_free(struct ops *ops);
DEFINE_AUTO(struct ops, ops_free)

/* At most 8 checks, each shown under its name at /readyz. */
int ops_add_ready(struct ops *ops, const char *name, ops_ready_fn fn, void *ctx, struct err *err) MUST_USE;

/* The registry to add the program's own metrics to. */
struct metrics *ops_metrics(struct ops *ops);

#endif
