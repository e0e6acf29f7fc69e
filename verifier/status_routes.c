/* SPDX-License-Identifier: Apache-2.0 */
/* Status, events, and the audit log over HTTP. docs/verifier-api.md has the shapes. */
#include <stdlib.h>

#include "base/json.h"
#include "base/str.h"
#include "config.h"
#include "crypto/cert.h"
#include "verifier/reply.h"
#include "verifier/trust.h"
#include "verifier/view.h"

#define AUDIT_DEFAULT 1000
#define AUDIT_MAX     10000

static json_t *view_certificate(const struct verifier *v)
{
        const struct cert *cert = tls_server_cert(v->tls);
        AUTO(json_free_p) json_t *j = json_object();
        int r = 0;

        if (!cert)
                return json_null();
        r |= json_set_str(j, "subject", cert_subject(cert));
        r |= view_time(j, "not_after", cert_not_after_ms(cert));
        return r ? NULL : TAKE(j);
}

static json_t *view_status(struct verifier *v)
{
        AUTO(json_free_p) json_t *j = json_object();
        int64_t counts[HOST_N_SHOWN] = {0}, trusts[TRUST_N] = {0}, held = 0;
        json_t *hosts = json_object(), *trust = json_object();
        struct err err = ERR_INIT;
        struct host *host;
        size_t pos = 0;
        int r = 0;

        while ((host = hosts_next(v->hosts, &pos)) != NULL) {
                counts[verifier_shown(v, host)]++;
                trusts[trust_of(v, host)]++;
                held += host->s.trust.held;
        }
        r |= json_set_str(j, "schema", "avow.status/1");
        r |= json_set_str(j, "program", "avow-verifier");
        r |= json_set_str(j, "version", PACKAGE_VERSION);
        r |= json_set_str(j, "verifier_id", verifier_db_id(v->db));
        r |= json_set_time(j, "started_at", v->started_at_ms);
        r |= json_set_bool(j, "loading", v->loading);
        r |= json_object_set_new(j, "hosts", hosts);
        for (size_t i = 0; i < HOST_N_SHOWN; i++)
                r |= json_set_int(hosts, host_shown_name((enum host_shown)i), counts[i]);
        r |= json_object_set_new(j, "trust", trust);
        for (size_t i = 0; i < TRUST_N; i++)
                r |= json_set_int(trust, trust_name((enum trust)i), trusts[i]);
        r |= json_set_int(j, "held", held);
        r |= json_set_int(j, "policies", (int64_t)rules_count(v->rules));
        r |= json_set_str(j, "store", store_health(verifier_db_store(v->db), &err) < 0 ? err.text : "ok");
        r |= json_set_bool(j, "audit", v->audit_key != NULL);
        r |= json_object_set_new(j, "certificate", view_certificate(v));
        return r ? NULL : TAKE(j);
}

static void on_status(struct http_request *req, void *ctx)
{
        reply_json(req, 200, view_status(ctx));
}

/* The keys that hosts, tenants and consumers have to know. */
static json_t *view_keys(struct verifier *v, struct err *err)
{
        AUTO(json_free_p) json_t *j = NULL;
        int r = keys_public(&v->keys, &j, err);

        if (r < 0)
                return NULL;
        r |= json_set_str(j, "schema", "avow.keys/1");
        r |= json_set_str(j, "verifier_id", verifier_db_id(v->db));
        return r ? NULL : TAKE(j);
}

static void on_keys(struct http_request *req, void *ctx)
{
        struct err err = ERR_INIT;

        reply_json(req, 200, view_keys(ctx, &err));
}

static void on_events(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        const char *text = http_request_header(req, "Last-Event-ID");
        struct err err = ERR_INIT;
        int64_t last = 0;

        if (text && str_parse_int(view_str(text), 0, INT64_MAX, &last, &err) < 0)
                last = 0;
        events_stream(v->events, req, last);
}

/* ---- audit ---- */

static void on_exported(void *ctx, enum store_outcome outcome, struct view text, int64_t last_seq,
                        const struct err *err)
{
        struct http_request *req = ctx;

        if (outcome == STORE_FAILED) {
                reply_failure(req, err, "reading the audit log");
                return;
        }
        http_answer_header(req, "Avow-Audit-Last", "%lld", (long long)last_seq);
        http_answer(req, 200, "text/plain; charset=utf-8", text);
}

static void on_audit(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct err err = ERR_INIT;
        int64_t after, limit;

        if (!reply_query_int(req, "after", 0, INT64_MAX, 0, &after) ||
            !reply_query_int(req, "limit", 1, AUDIT_MAX, AUDIT_DEFAULT, &limit))
                return;
        if (verifier_db_audit_export(v->db, after, (size_t)limit, on_exported, req, &err) < 0)
                reply_failure(req, &err, "reading the audit log");
}

static void on_audit_keys(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        AUTO(mem_free_p) char *jwks = NULL;
        struct err err = ERR_INIT;

        if (!v->audit_key)
                http_answer_problem(req, 404, NULL, "No audit log is kept here: audit.key is not set.");
        else if (audit_key_jwks(v->audit_key, &jwks, &err) < 0)
                reply_failure(req, &err, "the audit log's key");
        else
                http_answer(req, 200, "application/jwk-set+json", view_str(jwks));
}

#define READERS  (ROLE_ADMIN | ROLE_AUDITOR | ROLE_TENANT | ROLE_POLICY_ADMIN)
#define AUDITORS (ROLE_ADMIN | ROLE_AUDITOR)

static const struct http_route routes[] = {
        {HTTP_GET, "/avow/v1/status", READERS, on_status, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/keys", ROLE_PUBLIC, on_keys, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/events", READERS, on_events, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/audit", AUDITORS, on_audit, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/audit/keys", AUDITORS, on_audit_keys, 0, HTTP_NATIVE, NULL},
};

int routes_status(struct verifier *v, struct err *err)
{
        return http_server_add_routes(v->server, routes, ARRAY_LEN(routes), v, err);
}
