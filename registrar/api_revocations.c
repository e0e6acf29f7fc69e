/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocations: verifiers hand them over, everybody who may reads them. What is taken is a verifier's signed
 * word (a role at the door is not enough: whoever holds its TLS key must also hold its revocation key), and
 * it is on the disk, with a row for each hook that wants it, before the answer says so. The same again gets
 * the same answer, so that a verifier which did not hear it may ask until it does (SR-8).
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/jws.h"
#include "crypto/random.h"
#include "registrar.h"
#include "wire/event.h"

#define LIST_DEFAULT 100
#define LIST_MAX     1000
#define NONCE_BYTES  16

struct call {
        struct registrar *r;
        struct http_request *req;
        int64_t limit;
};

static struct call *call_new(struct registrar *r, struct http_request *req)
{
        struct call *c = mem_zalloc(1, sizeof(*c));

        if (!c)
                http_answer_problem(req, 500, NULL, "out of memory");
        else
                *c = (struct call){r, req, 0};
        return c;
}

/* ---- receiving ---- */

static void on_received(void *ctx, const struct received_result *result)
{
        AUTO(mem_free_p) struct call *c = ctx;
        bool known = result->outcome == STORE_NOT_FOUND;
        const struct received *r = result->list;

        if (result->outcome == STORE_FAILED) {
                metric_inc(c->r->revocations[RECV_FAILED]);
                answer_native_failure(c->req, "storing a revocation", result->err);
                return;
        }
        if (result->outcome == STORE_CONFLICT) {
                metric_inc(c->r->revocations[RECV_REFUSED]);
                log_warning("revocation %s was received before with another content", r->id);
                http_answer_problem(c->req, 409, "id", "%s was received before, with another content", r->id);
                return;
        }
        metric_inc(c->r->revocations[known ? RECV_KNOWN : RECV_STORED]);
        if (!known)
                delivery_wake(c->r->delivery);
        http_answer_json(c->req, known ? 200 : 201, NULL,
                         json_pack("{s:s, s:s, s:s, s:I}", "schema", "avow.revocation-received/1", "id",
                                   r->id, "nonce", r->nonce, "hooks", (json_int_t)r->n_hooks));
}

/* The signed text: the body, or its member "revocation". Return: a view into the body or *RET_DOC. */
static int read_token(const struct http_request *req, json_t **ret_doc, struct view *ret, struct err *err)
{
        const char *text;
        int r;

        *ret = http_request_body(req);
        if (!http_request_is_type(req, "application/json"))
                return 0;
        r = json_parse(*ret, REVOCATION_BYTES_MAX * 2, ret_doc, err);
        if (r >= 0)
                r = json_get_str(*ret_doc, "revocation", &text, err);
        if (r >= 0)
                *ret = view_str(text);
        return r;
}

/* Return: 1 signed by one of the keys, 0 by none; -kind. */
static int verify(const struct jwks *keys, struct view token, struct buf *ret, struct err *err)
{
        bool good = false;
        int r = 0;

        for (size_t i = 0; r >= 0 && !good && i < keys->n; i++)
                r = jws_verify(keys->keys[i], REVOCATION_TYP, token, ret, &good, err);
        return r < 0 ? r : good;
}

static int submit(struct call *c, const struct revocation *rev, struct view payload, struct view token,
                  struct err *err)
{
        AUTO(mem_free_p) char *labels = rev->labels ? json_print(rev->labels) : NULL;
        AUTO(mem_free_p) char *text = str_ndup((const char *)payload.p, payload.len);
        AUTO(mem_free_p) char *jws = str_ndup((const char *)token.p, token.len);
        AUTO(mem_free_p) char *actor = peer_actor(c->req), *nonce = NULL;
        uint8_t raw[NONCE_BYTES];
        int r = random_bytes(raw, sizeof(raw), err);

        if (r < 0)
                return r;
        nonce = hex_encode(VIEW_ARRAY(raw));
        if (!text || !jws || !actor || !nonce || (rev->labels && !labels))
                return err_nomem(err);
        return hooks_db_receive(
                c->r->hooks,
                &(struct received){.id = (char *)(uintptr_t)rev->id,
                                   .tenant = (char *)(uintptr_t)rev->tenant,
                                   .host = (char *)(uintptr_t)rev->host,
                                   .seq = rev->seq,
                                   .reaction = (char *)(uintptr_t)reaction_name(rev->reaction),
                                   .severity = (char *)(uintptr_t)rev->severity,
                                   .policy = (char *)(uintptr_t)rev->policy,
                                   .labels = labels,
                                   .payload = text,
                                   .jws = jws,
                                   .nonce = nonce,
                                   .issued_at_ms = rev->issued_at_ms,
                                   .received_at_ms = clock_now_ms()},
                &(struct audit_entry){.time_ms = clock_now_ms(),
                                      .tenant = rev->tenant,
                                      .actor = actor,
                                      .action = "revocation.receive",
                                      .object = rev->id},
                on_received, c, err);
}

static void refuse(struct call *c, const struct err *err)
{
        bool theirs = err->kind == ERR_FORMAT || err->kind == ERR_LIMIT;

        metric_inc(c->r->revocations[theirs ? RECV_REFUSED : RECV_FAILED]);
        if (theirs)
                http_answer_problem(c->req, 400, "body", "%s", err->text);
        else
                answer_native_failure(c->req, "taking a revocation", err);
}

static void on_post(struct http_request *req, void *ctx)
{
        AUTO(mem_free_p) struct call *c = call_new(ctx, req);
        AUTO(json_free_p) json_t *doc = NULL;
        AUTO(revocation_done) struct revocation rev = {0};
        AUTO(buf_free) struct buf payload = {0};
        struct err err = ERR_INIT;
        struct view token;
        int x;

        if (!c)
                return;
        if (c->r->material.revocation_keys.n == 0) {
                metric_inc(c->r->revocations[RECV_REFUSED]);
                http_answer_problem(req, 503, NULL,
                                    "revocations.keys is not set: no verifier's word is taken");
                return;
        }
        x = read_token(req, &doc, &token, &err);
        if (x >= 0)
                x = verify(&c->r->material.revocation_keys, token, &payload, &err);
        if (x == 0) {
                metric_inc(c->r->revocations[RECV_REFUSED]);
                log_warning("a revocation from %s is signed by no key of revocations.keys",
                            http_request_peer(req)->address);
                http_answer_problem(req, 422, "body", "signed by none of the keys in revocations.keys");
                return;
        }
        if (x > 0)
                x = revocation_parse(VIEW_BUF(&payload), &rev, &err);
        if (x >= 0)
                x = submit(c, &rev, VIEW_BUF(&payload), token, &err);
        if (x < 0)
                refuse(c, &err);
        else
                c = NULL; /* the store's until on_received() */
}

/* ---- reading ---- */

/* When the proof of the wipe came; null: none has. */
static json_t *proof_at(const struct received *r)
{
        char text[CLOCK_TEXT_BYTES];

        return r->proof_at_ms ? json_string(clock_format(r->proof_at_ms, text)) : json_null();
}

/* WHOLE: with the verifier's words. NULL: out of memory. */
static json_t *received_json(const struct received *r, bool whole)
{
        AUTO(json_free_p) json_t *j = json_object(), *payload = NULL;
        struct err err = ERR_INIT;

        if (json_set_str(j, "id", r->id) | json_set_str(j, "tenant", r->tenant) |
            json_set_str(j, "host", r->host) | json_set_str(j, "reaction", r->reaction) |
            json_set_str(j, "severity", r->severity) | json_set_str(j, "policy", r->policy) |
            json_set_time(j, "issued_at", r->issued_at_ms) |
            json_set_time(j, "received_at", r->received_at_ms) | json_set_int(j, "n", r->n) |
            json_set_int(j, "hooks", r->n_hooks) | json_set_int(j, "delivered", r->n_delivered) |
            json_set_int(j, "parked", r->n_parked) | json_set_str(j, "nonce", r->nonce) |
            json_object_set_new(j, "proof_at", proof_at(r)))
                return NULL;
        if (!whole)
                return TAKE(j);
        if (json_parse(view_str(r->payload), REVOCATION_BYTES_MAX, &payload, &err) < 0 ||
            json_object_set(j, "revocation", payload) < 0 ||
            json_set_str(j, "schema", "avow.revocation-record/1") | json_set_str(j, "jws", r->jws))
                return NULL;
        return TAKE(j);
}

static void on_listed(void *ctx, const struct received_result *result)
{
        AUTO(mem_free_p) struct call *c = ctx;
        json_t *j = json_object(), *list = json_array();
        bool more = (int64_t)result->n == c->limit;
        int r = json_set_str(j, "schema", "avow.revocations/1") |
                json_object_set_new(j, "next",
                                    more ? json_integer(result->list[result->n - 1].n) : json_null());

        if (result->outcome == STORE_FAILED) {
                json_decref(j);
                json_decref(list);
                answer_native_failure(c->req, "listing revocations", result->err);
                return;
        }
        for (size_t i = 0; i < result->n; i++)
                r |= json_array_append_new(list, received_json(&result->list[i], false));
        r |= json_object_set_new(j, "revocations", list);
        if (r != 0) {
                json_decref(j);
                j = NULL;
        }
        http_answer_json(c->req, 200, NULL, j);
}

static void on_list(struct http_request *req, void *ctx)
{
        AUTO(mem_free_p) struct call *c = NULL;
        const char *host = http_request_query(req, "host");
        int64_t limit = LIST_DEFAULT, before = 0;
        struct registrar *r = ctx;
        struct err err = ERR_INIT;

        if (!query_number(req, "limit", 1, LIST_MAX, &limit) ||
            !query_number(req, "before", 1, INT64_MAX, &before) || !(c = call_new(r, req)))
                return;
        c->limit = limit;
        if (hooks_db_revocations(r->hooks, peer_tenant(req), host, before, (size_t)limit, on_listed, c,
                                 &err) < 0)
                answer_native_failure(req, "listing revocations", &err);
        else
                c = NULL; /* the store's until on_listed() */
}

static void on_found(void *ctx, const struct received_result *result)
{
        AUTO(mem_free_p) struct call *c = ctx;

        if (result->outcome == STORE_FAILED)
                answer_native_failure(c->req, "reading a revocation", result->err);
        else if (result->outcome != STORE_OK)
                http_answer_problem(c->req, 404, NULL, "no such revocation was received");
        else
                http_answer_json(c->req, 200, NULL, received_json(result->list, true));
}

static void on_show(struct http_request *req, void *ctx)
{
        AUTO(mem_free_p) struct call *c = call_new(ctx, req);
        AUTO(mem_free_p)
        char *id = str_fmt("%s/%s", http_request_param(req, "host"), http_request_param(req, "seq"));
        struct err err = ERR_INIT;

        if (!c)
                return;
        if (!id)
                (void)err_nomem(&err);
        if (!id || hooks_db_revocation(c->r->hooks, peer_tenant(req), id, on_found, c, &err) < 0)
                answer_native_failure(req, "reading a revocation", &err);
        else
                c = NULL; /* the store's until on_found() */
}

#define READERS                                                                                              \
        (ROLE_ADMIN | ROLE_AUDITOR | ROLE_HOOK_ADMIN | ROLE_POLICY_ADMIN | ROLE_RECOVERY | ROLE_VERIFIER)

static const struct http_route routes[] = {
        {HTTP_POST, "/avow/v1/revocations", ROLE_VERIFIER, on_post, REVOCATION_BYTES_MAX * 2, HTTP_NATIVE,
         "hand_over_revocation"},
        {HTTP_GET, "/avow/v1/revocations", READERS, on_list, 0, HTTP_NATIVE, "list_revocations"},
        {HTTP_GET, "/avow/v1/revocations/:host/:seq", READERS, on_show, 0, HTTP_NATIVE, "read_revocation"},
};

int api_revocations_add(struct registrar *r, struct err *err)
{
        return http_server_add_routes(r->http, routes, ARRAY_LEN(routes), r, err);
}
