/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keylime's registrar API, version 2: register, activate, list, show, delete. Bodies and codes are Keylime's,
 * with these differences, each of which a Keylime peer does not notice or cannot rely on:
 *
 *   - registering again leaves the active record as it is until the new proof succeeds (Keylime makes it
 *     inactive meanwhile), and the same EK may come with another AK;
 *   - a wrong tag is answered with 400 and nothing else happens (Keylime deletes the record);
 *   - routes for admins want the role, unless `compat: keylime`.
 *
 * Nothing is written before a TPM has proven itself: a registration is a candidate in memory (SR-9).
 *
 * Spec: keylime-wire §3.1, §3.3, §4; Keylime REST API 2.x.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "registrar.h"
#include "wire/envelope.h"
#include "wire/registration.h"

#define LIST_PAGE 1000

/* One request while the store works for it. */
struct call {
        struct registrar *r;
        struct http_request *req;
        struct candidate *candidate;
        char name[WIRE_HOST_MAX + 1];
        char source[CANDIDATE_SOURCE_BYTES];
        struct strv names; /* of a list, so far */
};

static void call_free(struct call *c)
{
        if (!c)
                return;
        candidate_free(c->candidate);
        strv_done(&c->names);
        free(c);
}

DEFINE_AUTO(struct call, call_free)

/* ---- answers ---- */

static void answer(struct http_request *req, int status, const char *text)
{
        struct err err = ERR_INIT;
        struct buf body = {0};

        if (wire_envelope_encode(status, text, NULL, &body, &err) < 0)
                http_answer(req, 500, NULL, VIEW_NONE);
        else
                http_answer(req, status, WIRE_TYPE_JSON, VIEW_BUF(&body));
        buf_free(&body);
}

/* Our failure: logged here, once; the peer learns no more than that. */
static void answer_failure(struct http_request *req, const char *doing, const struct err *err)
{
        log_err(err, "%s (request %s)", doing, http_request_id(req));
        http_answer(req, 500, NULL, VIEW_NONE);
}

/* BODY is what an encoder made with the result R. */
static void answer_encoded(struct http_request *req, int r, struct buf *body, const struct err *err)
{
        if (r < 0)
                answer_failure(req, "answer", err);
        else
                http_answer(req, 200, WIRE_TYPE_JSON, VIEW_BUF(body));
        buf_free(body);
}

static int call_new(struct registrar *r, struct http_request *req, const char *name, struct call **ret)
{
        struct call *c = mem_zalloc(1, sizeof(*c));

        if (!c)
                return -1;
        c->r = r;
        c->req = req;
        (void)snprintf(c->name, sizeof(c->name), "%s", name); /* a valid host id fits */
        (void)snprintf(c->source, sizeof(c->source), "%s", http_request_peer(req)->address);
        *ret = c;
        return 0;
}

/* ---- register ---- */

static void count_registration(struct registrar *r, enum registration_outcome outcome)
{
        metric_inc(r->registrations[outcome]);
}

static void refuse_registration(struct registrar *r, struct http_request *req, const char *name, int status,
                                const char *text)
{
        count_registration(r, status == 400 ? REG_MALFORMED : REG_REFUSED);
        log_with(LOG_LEVEL_WARNING,
                 LOG_FIELDS({"AVOW_HOST", name}, {"AVOW_PEER", http_request_peer(req)->address}),
                 "registration of host %s refused: %s", SHOW(name), text);
        answer(req, status, text);
}

/* The name's state is known: may this one have it? Then a challenge, and a place among the candidates. */
static void challenge(struct call *c, const struct registrar_host *host)
{
        const char *conflict = enrol_conflict(host, &c->candidate->identity);
        struct err err = ERR_INIT;
        struct buf blob = {0}, body = {0};
        int r;

        if (conflict) {
                count_registration(c->r, REG_CONFLICT);
                log_with(LOG_LEVEL_WARNING, LOG_FIELDS({"AVOW_HOST", c->name}, {"AVOW_PEER", c->source}),
                         "registration of host %s refused: another TPM has this name (EK %s asks); `avow "
                         "host remove` "
                         "frees it",
                         SHOW(c->name), c->candidate->identity.ek_sha256);
                answer(c->req, 403, conflict);
                return;
        }
        r = enrol_challenge(c->candidate, &blob, &err);
        if (r >= 0)
                r = candidates_add(c->r->candidates, TAKE(c->candidate), clock_now_ms(), &err);
        if (r >= 0)
                r = wire_challenge_blob_encode(VIEW_BUF(&blob), &body, &err);
        count_registration(c->r, r < 0 ? REG_FAILED : REG_CHALLENGED);
        answer_encoded(c->req, r, &body, &err);
        buf_free(&blob);
}

static void on_registrant_known(void *ctx, const struct registrar_result *result)
{
        AUTO(call_free_p) struct call *c = ctx;
        const struct registrar_host *host = result->outcome == STORE_OK ? result->hosts : NULL;
        struct err err = ERR_INIT;

        if (result->outcome == STORE_FAILED) {
                count_registration(c->r, REG_FAILED);
                answer_failure(c->req, "registration", result->err);
                return;
        }
        /* Without keys: a known host asks for another challenge. */
        if (!c->candidate && host && host->active &&
            enrol_again(host, http_request_peer(c->req)->source, &c->candidate, &err) < 0) {
                answer_failure(c->req, "registration", &err);
                return;
        }
        if (!c->candidate)
                refuse_registration(c->r, c->req, c->name, 400, "ek_tpm and aik_tpm are missing");
        else
                challenge(c, host);
}

/* Whose registration it is: the path's name, or the body's. Return: NULL if it names none, or two. */
static const char *registrant(const struct http_request *req, const struct wire_registration *m)
{
        const char *path = http_request_param(req, "id");

        if (path && m->host[0] && strcmp(path, m->host) != 0)
                return NULL;
        if (!path)
                path = m->host;
        return str_valid_host_id(path) ? path : NULL;
}

static void registration(struct registrar *r, struct http_request *req, const struct wire_registration *m)
{
        AUTO(call_free_p) struct call *c = NULL;
        const struct enrol_rules rules = registrar_rules(r);
        const char *name = registrant(req, m);
        struct enrol_refusal refusal = {0};
        struct err err = ERR_INIT;

        if (!name) {
                count_registration(r, REG_MALFORMED);
                answer(req, 400, "agent_id must be 1 to 80 of [A-Za-z0-9_.-], the same in path and body");
                return;
        }
        if (call_new(r, req, name, &c) < 0) {
                http_answer(req, 500, NULL, VIEW_NONE);
                return;
        }
        if ((m->ek.len > 0 || m->ak.len > 0) &&
            enrol_appraise(&rules, name, http_request_peer(req)->source, m, clock_now_ms(), &c->candidate,
                           &refusal, &err) < 0) {
                count_registration(r, REG_FAILED);
                answer_failure(req, "registration", &err);
                return;
        }
        if (refusal.status) {
                refuse_registration(r, req, name, refusal.status, refusal.text);
                return;
        }
        if (registrar_db_get(r->db, NULL, name, on_registrant_known, c, &err) < 0)
                answer_failure(req, "registration", &err);
        else
                c = NULL; /* the store's until on_registrant_known() */
}

static void on_register(struct http_request *req, void *ctx)
{
        struct wire_registration m = {.port = -1};
        struct err err = ERR_INIT;

        if (wire_registration_decode(http_request_body(req), &m, &err) < 0) {
                count_registration(ctx, REG_MALFORMED);
                answer(req, 400, err.text);
                return;
        }
        registration(ctx, req, &m);
        wire_registration_done(&m);
}

/* ---- activate ---- */

static void on_activated(void *ctx, const struct registrar_result *result)
{
        AUTO(call_free_p) struct call *c = ctx;
        const struct identity *id = &c->candidate->identity;
        struct err err = ERR_INIT;

        switch (result->outcome) {
        case STORE_OK:
                metric_inc(c->r->activations[ACT_ACTIVATED]);
                log_with(LOG_LEVEL_INFO, LOG_FIELDS({"AVOW_HOST", c->name}, {"AVOW_PEER", c->source}),
                         "host %s has proven its TPM: EK %s (%s)", SHOW(c->name), id->ek_sha256,
                         id->ek_class);
                answer(c->req, 200, NULL);
                return;
        case STORE_CONFLICT:
        case STORE_NOT_FOUND:
                metric_inc(c->r->activations[ACT_CONFLICT]);
                log_with(LOG_LEVEL_WARNING, LOG_FIELDS({"AVOW_HOST", c->name}, {"AVOW_PEER", c->source}),
                         "activation of host %s refused: another TPM has this name", SHOW(c->name));
                answer(c->req, 403, enrol_conflict(result->hosts, id));
                return;
        case STORE_FAILED:
                metric_inc(c->r->activations[ACT_FAILED]);
                answer_failure(c->req, "activation", result->err);
                /* The proof was good and nothing was written: it may be tried again. */
                if (candidates_put_back(c->r->candidates, TAKE(c->candidate), clock_now_ms(), &err) < 0)
                        log_err(&err, "activation");
                return;
        }
}

/* What the audit log keeps of a proof. */
static char *proof_detail(const struct call *c)
{
        const struct identity *id = &c->candidate->identity;
        AUTO(json_free_p) json_t *detail = json_object();

        if (json_set_str(detail, "ek_sha256", id->ek_sha256) |
            json_set_str(detail, "ek_class", id->ek_class) | json_set_str(detail, "ak_name", id->ak_name) |
            json_set_str(detail, "source", c->source))
                return NULL;
        return json_print(detail);
}

static int submit_activation(struct call *c, struct err *err)
{
        struct registrar *r = c->r;
        struct identity *id = &c->candidate->identity;
        AUTO(mem_free_p) char *detail = proof_detail(c);
        int64_t now_ms = clock_now_ms();
        const struct audit_entry audit = {.time_ms = now_ms,
                                          .actor = "avow-registrar",
                                          .action = "host.activate",
                                          .object = c->name,
                                          .detail = detail};

        if (!detail)
                return err_nomem(err);
        id->activated_at_ms = now_ms;
        if (r->material.has_ak_ca && ak_ca_issue(&r->material.ak_ca, c->name, now_ms, id, err) < 0)
                return -(int)err->kind;
        return registrar_db_activate(r->db, NULL, c->name, id, &audit, on_activated, c, err);
}

static void refuse_tag(struct registrar *r, struct http_request *req, const char *name,
                       enum candidates_answer why)
{
        metric_inc(r->activations[why == CANDIDATE_WRONG ? ACT_WRONG : ACT_UNKNOWN]);
        if (why == CANDIDATE_UNKNOWN) {
                answer(req, 404, "agent id not found: register first");
                return;
        }
        log_with(LOG_LEVEL_WARNING,
                 LOG_FIELDS({"AVOW_HOST", name}, {"AVOW_PEER", http_request_peer(req)->address}),
                 "activation of host %s refused: wrong tag", SHOW(name));
        answer(req, 400, "auth_tag does not match"); /* CVE-2023-38201: say nothing of the right one */
}

static void on_activate(struct http_request *req, void *ctx)
{
        AUTO(call_free_p) struct call *c = NULL;
        struct registrar *r = ctx;
        const char *name = http_request_param(req, "id");
        uint8_t tag[WIRE_AUTH_TAG_BYTES];
        enum candidates_answer found;
        struct err err = ERR_INIT;

        if (!str_valid_host_id(name) || wire_activation_decode(http_request_body(req), tag, &err) < 0) {
                metric_inc(r->activations[ACT_WRONG]);
                answer(req, 400, err.text[0] ? err.text : "agent_id must be 1 to 80 of [A-Za-z0-9_.-]");
                return;
        }
        if (call_new(r, req, name, &c) < 0) {
                http_answer(req, 500, NULL, VIEW_NONE);
                return;
        }
        found = candidates_take(r->candidates, name, tag, clock_now_ms(), &c->candidate);
        mem_wipe(tag, sizeof(tag));
        if (found != CANDIDATE_TAKEN)
                refuse_tag(r, req, name, found);
        else if (submit_activation(c, &err) < 0)
                answer_failure(req, "activation", &err);
        else
                c = NULL; /* the store's until on_activated() */
}

/* ---- list, show, delete ---- */

static void on_page(void *ctx, const struct registrar_result *result);

static int next_page(struct call *c, struct err *err)
{
        const char *after = c->names.n > 0 ? c->names.items[c->names.n - 1] : NULL;

        return registrar_db_list(c->r->db, NULL, after, LIST_PAGE, true, on_page, c, err);
}

static void on_page(void *ctx, const struct registrar_result *result)
{
        AUTO(call_free_p) struct call *c = ctx;
        struct err err = ERR_INIT;
        struct buf body = {0};
        int r;

        if (result->outcome == STORE_FAILED) {
                answer_failure(c->req, "list of hosts", result->err);
                return;
        }
        for (size_t i = 0; i < result->n_hosts; i++)
                if (strv_add(&c->names, result->hosts[i].name) < 0) {
                        http_answer(c->req, 500, NULL, VIEW_NONE);
                        return;
                }
        if (result->n_hosts == LIST_PAGE && !http_request_gone(c->req) && next_page(c, &err) == 0) {
                c = NULL; /* the store's until the next page */
                return;
        }
        r = wire_names_encode((const char *const *)c->names.items, c->names.n, &body, &err);
        answer_encoded(c->req, r, &body, &err);
}

static void on_list(struct http_request *req, void *ctx)
{
        AUTO(call_free_p) struct call *c = NULL;
        struct err err = ERR_INIT;

        if (call_new(ctx, req, "", &c) < 0)
                http_answer(req, 500, NULL, VIEW_NONE);
        else if (next_page(c, &err) < 0)
                answer_failure(req, "list of hosts", &err);
        else
                c = NULL; /* the store's until on_page() */
}

/* The record borrows from the host. */
static void show(struct http_request *req, const struct registrar_host *host)
{
        const struct identity *id = &host->identity;
        struct wire_registrar_record record = {.ek = id->ek,
                                               .ak = id->ak,
                                               .ek_cert_der = id->ek_cert,
                                               .mtls_cert = id->mtls_cert,
                                               .ip = id->ip,
                                               .port = id->port > 0 ? (int32_t)id->port : -1,
                                               .regcount = (uint64_t)id->regcount};
        struct err err = ERR_INIT;
        struct buf body = {0};

        (void)snprintf(record.host, sizeof(record.host), "%s", host->name); /* a valid host id fits */
        answer_encoded(req, wire_registrar_record_encode(&record, &body, &err), &body, &err);
}

static void on_found(void *ctx, const struct registrar_result *result)
{
        AUTO(call_free_p) struct call *c = ctx;

        if (result->outcome == STORE_FAILED)
                answer_failure(c->req, "show a host", result->err);
        else if (result->outcome != STORE_OK || !result->hosts->active)
                answer(c->req, 404, "agent id not found");
        else
                show(c->req, result->hosts);
}

static void on_show(struct http_request *req, void *ctx)
{
        AUTO(call_free_p) struct call *c = NULL;
        struct registrar *r = ctx;
        const char *name = http_request_param(req, "id");
        struct err err = ERR_INIT;

        if (!str_valid_host_id(name))
                answer(req, 400, "agent_id must be 1 to 80 of [A-Za-z0-9_.-]");
        else if (call_new(r, req, name, &c) < 0)
                http_answer(req, 500, NULL, VIEW_NONE);
        else if (registrar_db_get(r->db, NULL, name, on_found, c, &err) < 0)
                answer_failure(req, "show a host", &err);
        else
                c = NULL; /* the store's until on_found() */
}

static void on_deleted(void *ctx, const struct registrar_result *result)
{
        AUTO(call_free_p) struct call *c = ctx;

        if (result->outcome == STORE_FAILED)
                answer_failure(c->req, "remove a host", result->err);
        else if (result->outcome != STORE_OK)
                answer(c->req, 404, "agent id not found");
        else
                answer(c->req, 200, NULL);
}

static void on_delete(struct http_request *req, void *ctx)
{
        AUTO(call_free_p) struct call *c = NULL;
        AUTO(mem_free_p) char *actor = peer_actor(req);
        struct registrar *r = ctx;
        const char *name = http_request_param(req, "id");
        const struct audit_entry audit = {
                .time_ms = clock_now_ms(), .actor = actor, .action = "host.remove", .object = name};
        struct err err = ERR_INIT;

        if (!str_valid_host_id(name)) {
                answer(req, 400, "agent_id must be 1 to 80 of [A-Za-z0-9_.-]");
                return;
        }
        if (!actor || call_new(r, req, name, &c) < 0) {
                http_answer(req, 500, NULL, VIEW_NONE);
                return;
        }
        candidates_drop(r->candidates, name);
        if (registrar_db_delete(r->db, NULL, name, &audit, on_deleted, c, &err) < 0)
                answer_failure(req, "remove a host", &err);
        else
                c = NULL; /* the store's until on_deleted() */
}

/* ---- the table ---- */

#define READERS (ROLE_ADMIN | ROLE_AUDITOR | ROLE_VERIFIER)

static const struct http_route routes[] = {
        {HTTP_POST, "/v2.0-6/agents", ROLE_PUBLIC, on_register, WIRE_SMALL_BODY_MAX, HTTP_KEYLIME,
         "register_agent"},
        {HTTP_POST, "/v2.0-6/agents/:id", ROLE_PUBLIC, on_register, WIRE_SMALL_BODY_MAX, HTTP_KEYLIME,
         "register_agent"},
        {HTTP_PUT, "/v2.0-6/agents/:id", ROLE_PUBLIC, on_activate, WIRE_SMALL_BODY_MAX, HTTP_KEYLIME,
         "activate_agent"},
        {HTTP_PUT, "/v2.0-6/agents/:id/activate", ROLE_PUBLIC, on_activate, WIRE_SMALL_BODY_MAX, HTTP_KEYLIME,
         "activate_agent"},
        {HTTP_POST, "/v2.0-6/agents/:id/activate", ROLE_PUBLIC, on_activate, WIRE_SMALL_BODY_MAX,
         HTTP_KEYLIME, "activate_agent"},
        {HTTP_GET, "/v2.0-6/agents", READERS, on_list, 0, HTTP_KEYLIME, "list_registrations"},
        {HTTP_GET, "/v2.0-6/agents/:id", READERS, on_show, 0, HTTP_KEYLIME, "read_registration"},
        {HTTP_DELETE, "/v2.0-6/agents/:id", ROLE_ADMIN, on_delete, 0, HTTP_KEYLIME, "delete_registration"},
};

int api_v2_add(struct registrar *r, struct err *err)
{
        return http_server_add_routes(r->http, routes, ARRAY_LEN(routes), r, err);
}
