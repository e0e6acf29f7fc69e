/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own routes under /avow/v1: hosts as the registrar knows them (binding, proof, certificates), bindings
 * by admins, and the audit log. A name belongs to an EK by an admin's word: its hash, its certificate's
 * serial number, or whoever comes first (tofu), which stays visible for ever (SR-9).
 *
 * Spec: contracts (wire additions, roles), SR-9, SR-12; RFC 9457 for what is refused.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "registrar.h"
#include "wire/wire.h"

#define LIST_DEFAULT  100
#define LIST_MAX      1000
#define AUDIT_MAX     10000
#define SERIAL_DIGITS 64

/* One request while the store works for it. */
struct call {
        struct registrar *r;
        struct http_request *req;
        int64_t limit;
        char *ek, *serial; /* of a binding that is only tried */
};

static void call_free(struct call *c)
{
        if (!c)
                return;
        free(c->ek);
        free(c->serial);
        free(c);
}
DEFINE_AUTO(struct call, call_free)

static struct call *call_new(struct registrar *r, struct http_request *req)
{
        struct call *c = mem_zalloc(1, sizeof(*c));

        if (!c)
                http_answer_problem(req, 500, NULL, "out of memory");
        else
                *c = (struct call){.r = r, .req = req};
        return c;
}

/* ---- a host as JSON ---- */

static int set_pem(json_t *j, const char *name, const struct buf *der)
{
        AUTO(cert_free_p) struct cert *cert = NULL;
        AUTO(mem_free_p) char *pem = NULL;
        struct err err = ERR_INIT;
        const char *why;

        if (der->len == 0)
                return json_set_str(j, name, NULL);
        if (cert_parse_lax(VIEW_BUF(der), CERT_MALFORMED_IGNORE, &cert, &why, &err) < 0 ||
            cert_pem(cert, &pem, &err) < 0)
                return -1;
        return json_set_str(j, name, pem);
}

static int set_time(json_t *j, const char *name, int64_t ms)
{
        return ms ? json_set_time(j, name, ms) : json_set_str(j, name, NULL);
}

static int set_findings(json_t *j, const char *text)
{
        struct err err = ERR_INIT;
        json_t *list = NULL;

        if (!text)
                list = json_array();
        else if (json_parse(view_str(text), WIRE_SMALL_BODY_MAX, &list, &err) < 0)
                return -1;
        return json_object_set_new(j, "ek_findings", list);
}

static int set_identity(json_t *j, const struct identity *id)
{
        return json_set_base64(j, "ek", VIEW_BUF(&id->ek)) | set_pem(j, "ek_certificate", &id->ek_cert) |
               json_set_str(j, "ek_cert_serial", id->ek_cert_serial) | set_findings(j, id->ek_findings) |
               json_set_base64(j, "ak", VIEW_BUF(&id->ak)) | json_set_str(j, "ak_name", id->ak_name) |
               json_set_str(j, "ak_certificate", id->ak_cert) | json_set_str(j, "mtls_cert", id->mtls_cert) |
               json_set_str(j, "ip", id->ip) | json_set_int(j, "port", id->port) |
               json_set_int(j, "regcount", id->regcount);
}

static json_t *binding_json(const struct binding *b)
{
        AUTO(json_free_p) json_t *j = json_object();

        if (json_set_str(j, "by", bound_by_name(b->by)) | json_set_str(j, "ek_sha256", b->ek_sha256) |
            json_set_str(j, "ek_cert_serial", b->ek_cert_serial) | json_set_str(j, "actor", b->actor) |
            set_time(j, "at", b->bound_at_ms))
                return NULL;
        return TAKE(j);
}

/* WHOLE: with keys and certificates. NULL: out of memory, or the database holds what it cannot hold. */
static json_t *host_json(const struct registrar_host *h, bool whole)
{
        AUTO(json_free_p) json_t *j = json_object();
        const struct identity *id = &h->identity;
        const char *ek = h->active ? id->ek_sha256 : h->bound ? h->binding.ek_sha256 : NULL;

        /* "new" in the table of host states: enrolment is the verifier's. */
        if (json_set_str(j, "name", h->name) | json_set_str(j, "tenant", h->tenant) |
            json_set_str(j, "state", "new") | json_set_bool(j, "registered", h->active) |
            json_set_str(j, "bound_by", bound_by_name(h->bound ? h->binding.by : BOUND_NONE)) |
            json_set_str(j, "ek_sha256", ek) | json_set_str(j, "ek_class", h->active ? id->ek_class : NULL) |
            set_time(j, "registered_at", h->active ? id->registered_at_ms : 0) |
            set_time(j, "activated_at", h->active ? id->activated_at_ms : 0))
                return NULL;
        if (!whole)
                return TAKE(j);
        if (json_set_str(j, "schema", "avow.registration/1") < 0 ||
            json_object_set_new(j, "binding", h->bound ? binding_json(&h->binding) : json_null()) < 0 ||
            (h->active && set_identity(j, id) != 0))
                return NULL;
        return TAKE(j);
}

/* ---- show ---- */

static void on_found(void *ctx, const struct registrar_result *result)
{
        AUTO(call_free_p) struct call *c = ctx;
        json_t *j;

        if (result->outcome == STORE_FAILED) {
                answer_native_failure(c->req, "reading a host", result->err);
                return;
        }
        if (result->outcome != STORE_OK) {
                http_answer_problem(c->req, 404, NULL, "no host of this name is registered or bound");
                return;
        }
        j = host_json(result->hosts, true);
        if (j && json_set_int(j, "candidates",
                              (int64_t)candidates_count_name(c->r->candidates, result->hosts->name)) < 0) {
                json_decref(j);
                j = NULL;
        }
        http_answer_json(c->req, 200, NULL, j);
}

/* The path's name; answers, and gives NULL, if it is none. */
static const char *name_of(struct http_request *req)
{
        const char *name = http_request_param(req, "id");

        if (str_valid_host_id(name))
                return name;
        http_answer_problem(req, 400, "path", "a host's name is 1 to 80 of [A-Za-z0-9_.-]");
        return NULL;
}

static void on_show(struct http_request *req, void *ctx)
{
        AUTO(call_free_p) struct call *c = NULL;
        struct registrar *r = ctx;
        const char *name = name_of(req);
        struct err err = ERR_INIT;

        if (!name || !(c = call_new(r, req)))
                return;
        if (registrar_db_get(r->db, NULL, name, on_found, c, &err) < 0)
                answer_native_failure(req, "reading a host", &err);
        else
                c = NULL; /* the store's until on_found() */
}

/* ---- list ---- */

static void on_listed(void *ctx, const struct registrar_result *result)
{
        AUTO(call_free_p) struct call *c = ctx;
        json_t *j, *list;
        int r = 0;

        if (result->outcome == STORE_FAILED) {
                answer_native_failure(c->req, "listing hosts", result->err);
                return;
        }
        j = json_object();
        list = json_array();
        for (size_t i = 0; i < result->n_hosts; i++)
                r |= json_array_append_new(list, host_json(&result->hosts[i], false));
        r |= json_set_str(j, "schema", "avow.registrations/1");
        r |= json_object_set_new(j, "hosts", list);
        r |= json_set_str(j, "next",
                          (int64_t)result->n_hosts == c->limit ? result->hosts[result->n_hosts - 1].name
                                                               : NULL);
        if (r != 0) {
                json_decref(j);
                j = NULL;
        }
        http_answer_json(c->req, 200, NULL, j);
}

bool query_number(struct http_request *req, const char *name, int64_t min, int64_t max, int64_t *ret)
{
        const char *text = http_request_query(req, name);
        struct err err = ERR_INIT;

        if (!text || str_parse_int(view_str(text), min, max, ret, &err) == 0)
                return true;
        http_answer_problem(req, 400, name, "expected a number from %lld to %lld", (long long)min,
                            (long long)max);
        return false;
}

static void on_list(struct http_request *req, void *ctx)
{
        AUTO(call_free_p) struct call *c = NULL;
        struct registrar *r = ctx;
        const char *after = http_request_query(req, "after"), *ek = http_request_query(req, "ek_sha256");
        int64_t limit = LIST_DEFAULT;
        struct err err = ERR_INIT;
        int x;

        if (!query_number(req, "limit", 1, LIST_MAX, &limit))
                return;
        if (after && !str_valid_host_id(after)) {
                http_answer_problem(req, 400, "after", "expected what an answer's \"next\" said");
                return;
        }
        if (!(c = call_new(r, req)))
                return;
        c->limit = ek ? INT64_MAX : limit; /* hosts of one EK come whole */
        x = ek ? registrar_db_find_ek(r->db, NULL, ek, on_listed, c, &err)
               : registrar_db_list(r->db, NULL, after, (size_t)limit, false, on_listed, c, &err);
        if (x < 0)
                answer_native_failure(req, "listing hosts", &err);
        else
                c = NULL; /* the store's until on_listed() */
}

/* ---- bind ---- */

static void answer_bound(struct http_request *req, const struct registrar_result *result)
{
        if (result->outcome == STORE_FAILED)
                answer_native_failure(req, "binding a host", result->err);
        else if (result->outcome != STORE_OK)
                http_answer_problem(
                        req, 409, NULL,
                        "the name belongs to another EK (%s); remove the host first if that is meant",
                        result->hosts && result->hosts->active ? result->hosts->identity.ek_sha256
                        : result->hosts && result->hosts->binding.ek_sha256 ? result->hosts->binding.ek_sha256
                                                                            : "bound otherwise");
        else
                http_answer_json(req, 200, NULL, host_json(result->hosts, true));
}

static void on_bound(void *ctx, const struct registrar_result *result)
{
        AUTO(call_free_p) struct call *c = ctx;

        answer_bound(c->req, result);
}

static bool is_hex(const char *s, size_t min, size_t max)
{
        size_t n = strlen(s);

        return n >= min && n <= max && strspn(s, "0123456789abcdef") == n;
}

/* Exactly one of the three ways; "manifest" says where a hash or serial number was read. RET borrows from J.
 */
static int read_binding(const json_t *j, struct binding *ret, struct err *err)
{
        static const char *const names[] = {"ek_sha256", "ek_cert_serial", "tofu", "manifest"};
        const char *ek = NULL, *serial = NULL;
        bool tofu = false, manifest = false;
        int r = json_only(j, names, ARRAY_LEN(names), err);

        if (r >= 0)
                r = json_opt_str(j, "ek_sha256", &ek, err);
        if (r >= 0)
                r = json_opt_str(j, "ek_cert_serial", &serial, err);
        if (r >= 0)
                r = json_opt_bool(j, "tofu", &tofu, err);
        if (r >= 0)
                r = json_opt_bool(j, "manifest", &manifest, err);
        if (r < 0)
                return r;
        if (!!ek + !!serial + tofu != 1)
                return err_set(err, ERR_FORMAT, 0,
                               "expected one of ek_sha256, ek_cert_serial and tofu: true");
        if (tofu && manifest)
                return err_set(err, ERR_FORMAT, 0, "manifest: a manifest names a TPM, tofu none");
        if (ek && !is_hex(ek, 64, 64))
                return err_set(err, ERR_FORMAT, 0, "ek_sha256: expected 64 lower-case hex digits");
        if (serial && !is_hex(serial, 2, SERIAL_DIGITS))
                return err_set(err, ERR_FORMAT, 0, "ek_cert_serial: expected 2 to %d lower-case hex digits",
                               SERIAL_DIGITS);
        ret->by = tofu ? BOUND_TOFU : manifest ? BOUND_MANIFEST : ek ? BOUND_EK : BOUND_SERIAL;
        ret->ek_sha256 = (char *)ek;
        ret->ek_cert_serial = (char *)serial;
        return 0;
}

/* Any value but "false" says so: who writes dry_run=1 must not be taken at the other word. */
static bool is_dry_run(const struct http_request *req)
{
        const char *value = http_request_query(req, "dry_run");

        return value && strcmp(value, "false") != 0;
}

/* Does the name belong to another TPM than BY's? What registrar_db_bind() would find. */
static bool would_conflict(const struct registrar_host *h, const struct call *c)
{
        const char *ek = h->active ? h->identity.ek_sha256 : h->bound ? h->binding.ek_sha256 : NULL;
        const char *serial = h->active  ? h->identity.ek_cert_serial
                             : h->bound ? h->binding.ek_cert_serial
                                        : NULL;

        return (c->ek && ek && !str_equal(c->ek, ek)) ||
               (c->serial && serial && !str_equal(c->serial, serial));
}

/* A dry run's answer: the host as it is, or what stands in the way. Nothing was changed. */
static void on_bind_tried(void *ctx, const struct registrar_result *result)
{
        AUTO(call_free_p) struct call *c = ctx;
        struct registrar_result tried = *result;

        if (result->outcome == STORE_NOT_FOUND)
                http_answer_json(c->req, 200, NULL,
                                 json_pack("{s:s, s:s, s:s, s:b, s:s}", "schema", "avow.registration/1",
                                           "name", http_request_param(c->req, "id"), "state", "new",
                                           "registered", 0, "bound_by", "none"));
        else if (result->outcome == STORE_OK && would_conflict(result->hosts, c))
                tried.outcome = STORE_CONFLICT;
        if (result->outcome != STORE_NOT_FOUND)
                answer_bound(c->req, &tried);
}

static int try_binding(struct call *c, const char *name, const json_t *body, struct err *err)
{
        struct binding binding = {0};

        if (read_binding(body, &binding, err) < 0)
                return -(int)err->kind;
        c->ek = binding.ek_sha256 ? str_dup(binding.ek_sha256) : NULL;
        c->serial = binding.ek_cert_serial ? str_dup(binding.ek_cert_serial) : NULL;
        if ((binding.ek_sha256 && !c->ek) || (binding.ek_cert_serial && !c->serial))
                return err_nomem(err);
        return registrar_db_get(c->r->db, NULL, name, on_bind_tried, c, err);
}

static int submit_binding(struct call *c, const char *name, const json_t *body, struct err *err)
{
        AUTO(mem_free_p) char *actor = peer_actor(c->req);
        AUTO(mem_free_p) char *detail = json_print(body);
        struct binding binding = {.actor = actor, .bound_at_ms = clock_now_ms()};
        const struct audit_entry audit = {.time_ms = binding.bound_at_ms,
                                          .actor = actor,
                                          .action = "host.bind",
                                          .object = name,
                                          .detail = detail};
        int r;

        if (!actor || !detail)
                return err_nomem(err);
        r = read_binding(body, &binding, err);
        return r < 0 ? r : registrar_db_bind(c->r->db, NULL, name, &binding, &audit, on_bound, c, err);
}

static void on_bind(struct http_request *req, void *ctx)
{
        AUTO(call_free_p) struct call *c = NULL;
        AUTO(json_free_p) json_t *body = NULL;
        const char *name = name_of(req);
        struct err err = ERR_INIT;

        if (!name || !(c = call_new(ctx, req)))
                return;
        if (json_parse(http_request_body(req), WIRE_SMALL_BODY_MAX, &body, &err) < 0 ||
            (is_dry_run(req) ? try_binding(c, name, body, &err) : submit_binding(c, name, body, &err)) < 0) {
                if (err.kind == ERR_FORMAT || err.kind == ERR_LIMIT)
                        http_answer_problem(req, 400, "body", "%s", err.text);
                else
                        answer_native_failure(req, "binding a host", &err);
                return;
        }
        c = NULL; /* the store's until on_bound() */
}

/* ---- remove ---- */

static void on_removed(void *ctx, const struct registrar_result *result)
{
        AUTO(call_free_p) struct call *c = ctx;

        if (result->outcome == STORE_FAILED)
                answer_native_failure(c->req, "removing a host", result->err);
        else if (result->outcome != STORE_OK)
                http_answer_problem(c->req, 404, NULL, "no host of this name is registered or bound");
        else
                http_answer_json(c->req, 200, NULL,
                                 json_pack("{s:s, s:s}", "schema", "avow.removed/1", "name",
                                           http_request_param(c->req, "id")));
}

static void on_remove(struct http_request *req, void *ctx)
{
        AUTO(call_free_p) struct call *c = NULL;
        AUTO(mem_free_p) char *actor = peer_actor(req);
        struct registrar *r = ctx;
        const char *name = name_of(req);
        const struct audit_entry audit = {
                .time_ms = clock_now_ms(), .actor = actor, .action = "host.remove", .object = name};
        struct err err = ERR_INIT;

        if (!name || !(c = call_new(r, req)))
                return;
        if (is_dry_run(req)) {
                if (registrar_db_get(r->db, NULL, name, on_removed, c, &err) < 0)
                        answer_native_failure(req, "reading a host", &err);
                else
                        c = NULL; /* the store's until on_removed(), which says what would be removed */
                return;
        }
        candidates_drop(r->candidates, name);
        if (!actor || registrar_db_delete(r->db, NULL, name, &audit, on_removed, c, &err) < 0)
                answer_native_failure(req, "removing a host", &err);
        else
                c = NULL; /* the store's until on_removed() */
}

/* ---- the audit log ---- */

static void on_exported(void *ctx, enum store_outcome outcome, struct view text, int64_t last_seq,
                        const struct err *err)
{
        AUTO(call_free_p) struct call *c = ctx;

        if (outcome != STORE_OK) {
                answer_native_failure(c->req, "reading the audit log", err);
                return;
        }
        http_answer_header(c->req, "Avow-Audit-Last", "%lld", (long long)last_seq);
        http_answer(c->req, 200, "text/plain; charset=us-ascii", text);
}

static void on_audit(struct http_request *req, void *ctx)
{
        AUTO(call_free_p) struct call *c = NULL;
        struct registrar *r = ctx;
        int64_t after = 0, limit = AUDIT_MAX;
        struct err err = ERR_INIT;

        if (!query_number(req, "after", 0, INT64_MAX, &after) ||
            !query_number(req, "limit", 1, AUDIT_MAX, &limit) || !(c = call_new(r, req)))
                return;
        if (registrar_db_audit_export(r->db, after, (size_t)limit, on_exported, c, &err) < 0)
                answer_native_failure(req, "reading the audit log", &err);
        else
                c = NULL; /* the store's until on_exported() */
}

static void on_audit_keys(struct http_request *req, void *ctx)
{
        AUTO(mem_free_p) char *jwks = NULL;
        const struct registrar *r = ctx;
        struct err err = ERR_INIT;

        if (!r->audit_key)
                http_answer_problem(req, 404, NULL, "no audit log is kept: audit.key is not set");
        else if (audit_key_jwks(r->audit_key, &jwks, &err) < 0)
                answer_native_failure(req, "reading the audit key", &err);
        else
                http_answer(req, 200, "application/jwk-set+json", view_str(jwks));
}

/* ---- the table ---- */

#define READERS (ROLE_ADMIN | ROLE_AUDITOR | ROLE_TENANT | ROLE_POLICY_ADMIN | ROLE_VERIFIER)

static const struct http_route routes[] = {
        {HTTP_GET, "/avow/v1/hosts", READERS, on_list, 0, HTTP_NATIVE, "list_hosts"},
        {HTTP_GET, "/avow/v1/hosts/:id", READERS, on_show, 0, HTTP_NATIVE, "read_host"},
        {HTTP_PUT, "/avow/v1/hosts/:id", ROLE_ADMIN, on_bind, WIRE_SMALL_BODY_MAX, HTTP_NATIVE, "bind_host"},
        {HTTP_DELETE, "/avow/v1/hosts/:id", ROLE_ADMIN, on_remove, 0, HTTP_NATIVE, "remove_host"},
        {HTTP_GET, "/avow/v1/audit", ROLE_ADMIN | ROLE_AUDITOR, on_audit, 0, HTTP_NATIVE, "read_audit"},
        {HTTP_GET, "/avow/v1/audit/keys", ROLE_PUBLIC, on_audit_keys, 0, HTTP_NATIVE, "read_audit_keys"},
};

int api_native_add(struct registrar *r, struct err *err)
{
        return http_server_add_routes(r->http, routes, ARRAY_LEN(routes), r, err);
}
