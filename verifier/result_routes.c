/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /avow/v1/hosts/:id/result and /avow/v1/results/jwks.json: attestation results for third parties, and
 * the keys to check them with. A host that is not well is an answer like any other: always 200, never an
 * error. Spec: SR-20.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "config.h"
#include "crypto/jws.h"
#include "store/verifier_keys.h"
#include "verifier/reply.h"
#include "verifier/results.h"
#include "verifier/trust.h"
#include "wire/ear.h"
#include "wire/tee_ear.h"

#define TYPE_JWT    "application/eat+jwt"
#define TYPE_JWKS   "application/jwk-set+json"
#define BUILD       "avow-verifier " PACKAGE_VERSION
#define KEYS_SHOWN  JWKS_KEYS_MAX
#define ISSUER_SIZE (sizeof("urn:avow:verifier:") + VERIFIER_ID_CHARS)

/* ---- one result ---- */

/* The parameters. Answers 400 and returns false if they are not fit. */
static bool read_wish(struct http_request *req, const char **ret_aud, const char **ret_nonce)
{
        *ret_aud = http_request_query(req, "aud");
        *ret_nonce = http_request_query(req, "nonce");
        if (!*ret_aud || !wire_ear_valid_name(*ret_aud)) {
                http_answer_problem(req, 400, "aud",
                                    "Say for whom the result is: 1 to %d characters of ASCII without blanks.",
                                    WIRE_EAR_AUD_MAX);
                return false;
        }
        if (*ret_nonce && !wire_ear_valid_nonce(*ret_nonce)) {
                http_answer_problem(req, 400, "nonce", "Expected %d to %d characters of base64url.",
                                    WIRE_EAR_NONCE_MIN, WIRE_EAR_NONCE_MAX);
                return false;
        }
        return true;
}

static void fill_who(const struct verifier *v, const struct host *host, struct wire_ear *m)
{
        m->host = host->e.name;
        m->tenant = host->e.tenant;
        m->build = BUILD;
        m->verifier_id = verifier_db_id(v->db);
        m->ek_sha256 = host->e.ek_sha256;
        m->ek_class = host->e.ek_class;
        m->ek_bound_by = host->e.bound_by;
        m->ak_certificate = host->e.ak_certificate;
}

static void on_result(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct host *host = reply_host(v, req);
        struct result_facts facts = {.host = host};
        const char *issuer = conf_str(v->settings.conf, "ear.issuer");
        char own_issuer[ISSUER_SIZE];
        struct wire_ear m = {.root = NULL};
        AUTO(tee_statement_free_p) struct tee_statement *tee = NULL;
        AUTO(json_free_p) json_t *submod = NULL;
        AUTO(mem_free_p) char *jwt = NULL;
        struct err err = ERR_INIT;

        if (!host || !read_wish(req, &m.audience, &m.nonce))
                return;
        if (!v->keys.ear) {
                http_answer_problem(req, 503, "ear.key",
                                    "This verifier has no ear.key: it signs no results.");
                return;
        }
        (void)snprintf(own_issuer, sizeof(own_issuer), "urn:avow:verifier:%s", verifier_db_id(v->db));
        m.issuer = issuer ? issuer : own_issuer;
        facts.times = verifier_times(v);
        facts.trust = trust_of(v, host);
        facts.now_ms = clock_now_ms();
        facts.mono_ms = loop_now_ms();
        facts.lifetime_ms = v->settings.ear_lifetime_ms;
        if (host->rules &&
            ruleset_effective(host->rules, host->e.name, facts.now_ms, &facts.effective, &err) < 0) {
                log_err(&err, "policy of host %s", SHOW(host->e.name)); /* no policy: the result says so */
                err_clear(&err);
        }
        if (facts.effective)
                facts.effective = host_rules(host, facts.effective, facts.mono_ms);
        fill_who(v, host, &m);
        results_judge(&facts, &m);
        tee = results_tee(&facts, &m);
        submod = tee ? tee_ear_submod(&tee->result, tee->intel, m.status) : NULL;
        if (tee && !submod) {
                (void)err_nomem(&err);
                reply_failure(req, &err, "a result's words on the processor");
                return;
        }
        if (submod) {
                m.tee = tee_kind_name(tee->kind);
                m.tee_binding = tee_statement_binding(tee);
                m.tee_submod = submod;
        }
        if (wire_ear_sign(&m, v->keys.ear, &jwt, &err) < 0) {
                reply_failure(req, &err, "signing a result");
                return;
        }
        http_answer_header(req, "Cache-Control", "no-store");
        http_answer(req, 200, TYPE_JWT, view_str(jwt));
}

/* ---- the keys ---- */

static int add_key(json_t *list, const struct result_key *key, struct err *err)
{
        json_t *j = NULL;
        int r = json_parse(view_str(key->jwk), WIRE_SIGNERS_MAX, &j, err);

        if (r < 0)
                return r;
        r = json_set_int(j, "nbf", key->since_ms / 1000);
        if (key->until_ms)
                r |= json_set_int(j, "exp", key->until_ms / 1000 + 1);
        return json_array_append_new(list, j) | r ? err_nomem(err) : 0;
}

static void on_keys_read(void *ctx, enum store_outcome outcome, const struct result_key *keys, size_t n,
                         const struct err *failure)
{
        struct http_request *req = ctx;
        AUTO(json_free_p) json_t *doc = json_object();
        json_t *list = json_array();
        struct err err = ERR_INIT;
        int r = json_object_set_new(doc, "keys", list) < 0 ? err_nomem(&err) : 0; /* then LIST is gone */

        if (outcome == STORE_FAILED) {
                reply_failure(req, failure, "reading the keys of results");
                return;
        }
        for (size_t i = 0; i < n && r >= 0; i++)
                r = add_key(list, &keys[i], &err);
        if (r < 0)
                reply_failure(req, &err, "showing the keys of results");
        else
                http_answer_json(req, 200, TYPE_JWKS, TAKE(doc));
}

static void on_keys(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct err err = ERR_INIT;

        if (verifier_db_result_keys(v->db, KEYS_SHOWN, on_keys_read, req, &err) < 0)
                reply_failure(req, &err, "reading the keys of results");
}

static void on_key_kept(void *ctx, enum store_outcome outcome, const struct err *err)
{
        (void)ctx;
        if (outcome == STORE_FAILED)
                log_err(err, "ear.key is not on record: results will not verify until it is");
}

int results_use_key(struct verifier *v, struct err *err)
{
        AUTO(json_free_p) json_t *jwk = NULL;
        AUTO(mem_free_p) char *text = NULL;
        char kid[JWK_KID_BYTES] = "";

        if (v->keys.ear_public) {
                if (jwk_kid(v->keys.ear_public, kid, err) < 0 || jwk_make(v->keys.ear_public, &jwk, err) < 0)
                        return -(int)err->kind;
                text = json_print(jwk);
                if (!text)
                        return err_nomem(err);
        }
        return verifier_db_use_result_key(v->db, *kid ? kid : NULL, text, clock_now_ms(), on_key_kept, NULL,
                                          err);
}

#define READERS (ROLE_ADMIN | ROLE_AUDITOR | ROLE_TENANT | ROLE_POLICY_ADMIN)

static const struct http_route routes[] = {
        {HTTP_GET, "/avow/v1/hosts/:id/result", READERS, on_result, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/results/jwks.json", ROLE_PUBLIC, on_keys, 0, HTTP_NATIVE, NULL},
};

int routes_results(struct verifier *v, struct err *err)
{
        return http_server_add_routes(v->server, routes, ARRAY_LEN(routes), v, err);
}
