/* SPDX-License-Identifier: Apache-2.0 */
/* GET /avow/v1/status: what `avow status` shows of the registrar. Numbers and times, no host's name. */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "config.h"
#include "registrar.h"

struct call {
        struct registrar *r;
        struct http_request *req;
};

static void on_counted(void *ctx, const struct registrar_counts *counts, const struct err *err)
{
        struct call *c = ctx;
        const struct cert *cert = tls_server_cert(c->r->material.tls);
        char started[CLOCK_TEXT_BYTES], end[CLOCK_TEXT_BYTES];
        const struct registrar_counts none = {0};
        const struct registrar_counts *n = err ? &none : counts;

        (void)clock_format(c->r->started_ms, started);
        (void)clock_format(cert_not_after_ms(cert), end);
        http_answer_json(
                c->req, 200, NULL,
                json_pack("{s:s, s:s, s:s, s:s, s:{s:I, s:I, s:I}, s:I, s:s, s:b, s:{s:s, s:s}}", "schema",
                          "avow.status/1", "program", "avow-registrar", "version", PACKAGE_VERSION,
                          "started_at", started, "hosts", "bound", (json_int_t)n->bound, "active",
                          (json_int_t)n->active, "tofu", (json_int_t)n->tofu, "candidates",
                          (json_int_t)candidates_expire(c->r->candidates, clock_now_ms()), "store",
                          err ? "the database cannot be read" : "ok", "audit", c->r->audit_key != NULL,
                          "certificate", "subject", cert_subject(cert), "not_after", end));
        free(c);
}

static void on_status(struct http_request *req, void *ctx)
{
        struct call *c = mem_zalloc(1, sizeof(*c));
        struct registrar *r = ctx;
        struct err err = ERR_INIT;

        if (c)
                *c = (struct call){r, req};
        if (!c || registrar_db_counts(r->db, on_counted, c, &err) < 0) {
                free(c);
                http_answer_problem(req, 500, NULL, "out of memory");
        }
}

static const struct http_route routes[] = {
        {HTTP_GET, "/avow/v1/status", ROLE_ADMIN | ROLE_AUDITOR | ROLE_TENANT | ROLE_POLICY_ADMIN, on_status,
         0, HTTP_NATIVE, "read_status"},
};

int api_status_add(struct registrar *r, struct err *err)
{
        r->started_ms = clock_now_ms();
        return http_server_add_routes(r->http, routes, ARRAY_LEN(routes), r, err);
}
