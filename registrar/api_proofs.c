/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proofs of wipes: what a host's TPM signed, as its verifier passes it on. The verifier has judged it;
 * whoever reads it here judges it once more (`avow revocation verify`) and need not believe either of us.
 * What is checked is that it is for this revocation and for the nonce that was drawn here, so that no proof
 * can stand under another's name. Spec: SR-2, SR-5.
 */
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "registrar.h"
#include "wire/event.h"

struct call {
        struct registrar *r;
        struct http_request *req;
        char *id;
        char *proof; /* PUT */
};

static void call_free(struct call *c)
{
        if (!c)
                return;
        free(c->id);
        free(c->proof);
        free(c);
}
DEFINE_AUTO(struct call, call_free)

static struct call *call_new(struct registrar *r, struct http_request *req)
{
        struct call *c = mem_zalloc(1, sizeof(*c));

        if (c) {
                *c = (struct call){.r = r, .req = req};
                c->id = str_fmt("%s/%s", http_request_param(req, "host"), http_request_param(req, "seq"));
        }
        if (c && c->id)
                return c;
        call_free(c);
        http_answer_problem(req, 503, NULL, "out of memory");
        return NULL;
}

/* ---- PUT ---- */

static void on_stored(void *ctx, const struct received_result *result)
{
        AUTO(call_free_p) struct call *c = ctx;

        if (result->outcome == STORE_FAILED) {
                answer_native_failure(c->req, "storing a proof", result->err);
                return;
        }
        if (result->outcome == STORE_NOT_FOUND) {
                http_answer_problem(c->req, 404, NULL, "no such revocation was received");
                return;
        }
        if (result->outcome == STORE_OK)
                log_with(LOG_LEVEL_INFO, LOG_FIELDS({"AVOW_REVOCATION", c->id}),
                         "revocation %s: its host's TPM has proven the wipe", SHOW(c->id));
        http_answer_json(c->req, result->outcome == STORE_OK ? 201 : 200, NULL,
                         json_pack("{s:s, s:s}", "schema", "avow.proof-received/1", "id", c->id));
}

/* NULL: it is for this revocation. Otherwise the member that says another thing. */
static const char *differs(const char *proof, const struct received *r, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        const char *jws, *nonce;

        if (json_parse(view_str(proof), PROOF_BYTES_MAX, &doc, err) < 0 ||
            json_get_str(doc, "revocation", &jws, err) < 0 || json_get_str(doc, "nonce", &nonce, err) < 0)
                return "body";
        if (!str_equal(jws, r->jws))
                return "revocation";
        return str_equal(nonce, r->nonce) ? NULL : "nonce";
}

static int keep(struct call *c, const char *tenant, struct err *err)
{
        AUTO(mem_free_p) char *actor = peer_actor(c->req);

        if (!actor)
                return err_nomem(err);
        return hooks_db_prove(c->r->hooks, tenant, c->id, c->proof, clock_now_ms(),
                              &(struct audit_entry){.time_ms = clock_now_ms(),
                                                    .tenant = tenant,
                                                    .actor = actor,
                                                    .action = "revocation.proven",
                                                    .object = c->id},
                              on_stored, c, err);
}

static void on_revocation(void *ctx, const struct received_result *result)
{
        AUTO(call_free_p) struct call *c = ctx;
        struct err err = ERR_INIT;
        const char *where;

        if (result->outcome == STORE_FAILED) {
                answer_native_failure(c->req, "reading a revocation", result->err);
                return;
        }
        if (result->outcome != STORE_OK) {
                http_answer_problem(c->req, 404, NULL, "no such revocation was received");
                return;
        }
        where = differs(c->proof, result->list, &err);
        if (where) {
                log_warning("a proof from %s for revocation %s is for another one (%s)",
                            http_request_peer(c->req)->address, SHOW(c->id), where);
                http_answer_problem(c->req, err.kind == ERR_NOMEM ? 503 : 422, where,
                                    "not a proof for %s under the nonce that was drawn here%s%s", c->id,
                                    err.kind ? ": " : "", err.text);
                return;
        }
        if (keep(c, result->list->tenant, &err) < 0)
                answer_native_failure(c->req, "storing a proof", &err);
        else
                c = NULL; /* the store's until on_stored() */
}

static void on_put(struct http_request *req, void *ctx)
{
        AUTO(call_free_p) struct call *c = NULL;
        struct view body = http_request_body(req);
        struct registrar *r = ctx;
        struct err err = ERR_INIT;

        if (!http_request_is_type(req, "application/json")) {
                http_answer_problem(req, 415, NULL, "expected application/json");
                return;
        }
        if (!(c = call_new(r, req)))
                return;
        c->proof = str_ndup((const char *)body.p, body.len);
        if (!c->proof)
                (void)err_nomem(&err);
        if (!c->proof || hooks_db_revocation(r->hooks, peer_tenant(req), c->id, on_revocation, c, &err) < 0)
                answer_native_failure(req, "taking a proof", &err);
        else
                c = NULL; /* the store's until on_revocation() */
}

/* ---- GET ---- */

static void on_proof(void *ctx, const struct received_result *result)
{
        AUTO(call_free_p) struct call *c = ctx;

        if (result->outcome == STORE_FAILED)
                answer_native_failure(c->req, "reading a proof", result->err);
        else if (result->outcome != STORE_OK)
                http_answer_problem(c->req, 404, "revocation", "no such revocation was received");
        else if (!result->list->proof)
                http_answer_problem(c->req, 404, "proof", "%s",
                                    str_equal(result->list->reaction, "destroy")
                                            ? "the host has not proven the wipe yet"
                                            : "this revocation destroys nothing: there is nothing to prove");
        else
                http_answer(c->req, 200, "application/json", view_str(result->list->proof));
}

static void on_get(struct http_request *req, void *ctx)
{
        struct registrar *r = ctx;
        AUTO(call_free_p) struct call *c = call_new(r, req);
        struct err err = ERR_INIT;

        if (!c)
                return;
        if (hooks_db_proof(r->hooks, peer_tenant(req), c->id, on_proof, c, &err) < 0)
                answer_native_failure(req, "reading a proof", &err);
        else
                c = NULL; /* the store's until on_proof() */
}

#define READERS                                                                                              \
        (ROLE_ADMIN | ROLE_AUDITOR | ROLE_HOOK_ADMIN | ROLE_POLICY_ADMIN | ROLE_RECOVERY | ROLE_VERIFIER)

static const struct http_route routes[] = {
        {HTTP_PUT, "/avow/v1/revocations/:host/:seq/proof", ROLE_VERIFIER, on_put, PROOF_BYTES_MAX,
         HTTP_NATIVE, "prove_revocation"},
        {HTTP_GET, "/avow/v1/revocations/:host/:seq/proof", READERS, on_get, 0, HTTP_NATIVE, "read_proof"},
};

int api_proofs_add(struct registrar *r, struct err *err)
{
        return http_server_add_routes(r->http, routes, ARRAY_LEN(routes), r, err);
}
