/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that several files give. HTTP gets the kind of a failure, the log gets the chain. */
#include "verifier/reply.h"

#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "verifier/verifier.h"
#include "wire/envelope.h"
#include "wire/problem.h"

void reply_encoded(struct http_request *req, int r, int status, const char *type, struct buf *body)
{
        if (r >= 0 && buf_ok(body))
                http_answer(req, status, type, VIEW_BUF(body));
        else
                http_answer_problem(req, 503, NULL, "Out of memory.");
        buf_free(body);
}

void reply_v3_error(struct http_request *req, int status, const char *code, const char *detail)
{
        struct err err = ERR_INIT;
        struct buf body = {0};
        int r = wire_jsonapi_error_encode(status, code, detail, &body, &err);

        reply_encoded(req, r, status, WIRE_TYPE_JSON_API, &body);
}

void reply_v2(struct http_request *req, int status, const char *text, const json_t *results)
{
        struct err err = ERR_INIT;
        struct buf body = {0};
        int r = wire_envelope_encode(status, text, results, &body, &err);

        reply_encoded(req, r, status, WIRE_TYPE_JSON, &body);
}

void reply_failure(struct http_request *req, const struct err *err, const char *doing)
{
        log_err(err, "%s %s: %s", http_method_name(http_request_method(req)), SHOW(http_request_path(req)),
                doing);
        http_answer_retry_after(req, 2000);
        http_answer_problem(req, 503, NULL, "The verifier could not do it (%s); its log says why.",
                            err_kind_name(err->kind));
}

void reply_json(struct http_request *req, int status, json_t *doc)
{
        if (!doc) {
                http_answer_problem(req, 503, NULL, "Out of memory.");
                return;
        }
        http_answer_json(req, status, NULL, doc);
}

bool reply_wants_type(struct http_request *req, const char *type)
{
        if (http_request_is_type(req, type))
                return true;
        http_answer_refusal(req, 415, "The body's media type is not the one that is expected here.");
        return false;
}

bool reply_query_int(struct http_request *req, const char *name, int64_t min, int64_t max, int64_t def,
                     int64_t *ret)
{
        const char *text = http_request_query(req, name);
        struct err err = ERR_INIT;

        *ret = def;
        if (!text || str_parse_int(view_str(text), min, max, ret, &err) >= 0)
                return true;
        http_answer_problem(req, 400, name, "Expected a number of %lld to %lld.", (long long)min,
                            (long long)max);
        return false;
}

bool reply_dry_run(const struct http_request *req)
{
        const char *value = http_request_query(req, "dry_run");

        return value && !str_equal(value, "false");
}

bool reply_no_dry_run(struct http_request *req)
{
        if (!reply_dry_run(req))
                return true;
        http_answer_problem(req, 400, "dry_run", "This request cannot be tried; nothing was changed.");
        return false;
}

void reply_actor(const struct http_request *req, struct buf *out)
{
        const struct http_peer *peer = http_request_peer(req);

        buf_str(out, "CN=");
        buf_escaped(out, view_str(peer->name));
        buf_str(out, " (");
        role_text(peer->roles, out);
        buf_fmt(out, ") from %s", peer->address);
}

/* While hosts are being read the rest may still come. */
struct host *reply_host(struct verifier *v, struct http_request *req)
{
        struct host *host = hosts_find(v->hosts, http_request_param(req, "id"));

        if (host)
                return host;
        if (v->loading) {
                http_answer_retry_after(req, 1000);
                http_answer_problem(req, 503, NULL, "Hosts are still being read from the database.");
        } else {
                http_answer_problem(req, 404, NULL, "No host of this name is enrolled.");
        }
        return NULL;
}

struct host *reply_agent(struct verifier *v, struct http_request *req, struct session **ret_session)
{
        const struct http_peer *peer = http_request_peer(req);
        const struct session_peer who = {.address = peer->address,
                                         .spki_sha256 = peer->certificate ? peer->spki_sha256 : NULL};
        const char *token = http_request_bearer(req), *id = http_request_param(req, "id");
        struct session *session = token ? sessions_find(v->sessions, token, &who, loop_now_ms()) : NULL;
        struct host *host;

        if (!session) {
                http_answer_refusal(req, 401, "Invalid authentication token");
                return NULL;
        }
        if (!str_equal(session_host(session), id)) {
                log_warning("host %s asked for the attestations of %s", SHOW(session_host(session)),
                            SHOW(id));
                http_answer_refusal(req, 403, "A host speaks for itself alone.");
                return NULL;
        }
        host = hosts_find(v->hosts, id);
        if (!host) {
                sessions_drop_host(v->sessions, id);
                reply_v3_error(req, 404, "not_found", "This host is not enrolled.");
                return NULL;
        }
        *ret_session = session;
        return host;
}
