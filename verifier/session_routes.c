/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST and PATCH /v3.0/sessions: how a host gets a token. The first costs nothing to remember and is limited
 * by source alone, so that no stranger can lock a host out. The second checks that the AK of the enrolled
 * host signed our challenge, and for avow agents also the key of the TLS connection that it came over: a
 * challenge that somebody relays is good for nobody. Spec: Keylime v3, sessions; SR-13.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "evidence/authenticate.h"
#include "evidence/qualify.h"
#include "verifier/attest.h"
#include "verifier/reply.h"
#include "verifier/secrets.h"
#include "verifier/verifier.h"
#include "verifier/wait.h"
#include "wire/session.h"

#define KEYLIME_TOKEN_MS 180000
#define TOKEN_INTERVALS  5
#define USED_UP          "No such session, or it was opened already."

static struct session_peer peer_of(const struct http_request *req)
{
        const struct http_peer *peer = http_request_peer(req);

        return (struct session_peer){.address = peer->address,
                                     .spki_sha256 = peer->certificate ? peer->spki_sha256 : NULL};
}

/* How long a token lives from now on. */
int64_t session_lifetime_ms(const struct verifier *v, const struct host *host)
{
        struct host_times times = verifier_times(v);
        int64_t ms = TOKEN_INTERVALS * host_interval_ms(host, &times);

        return host->e.keylime || ms < KEYLIME_TOKEN_MS ? KEYLIME_TOKEN_MS : ms;
}

static void on_new(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        const struct session_peer peer = peer_of(req);
        struct wire_session_request m;
        struct wire_session_challenge answer = {.challenge_len = SESSION_CHALLENGE_BYTES};
        struct err err = ERR_INIT;
        struct buf body = {0};
        int64_t wait_ms = 0;
        int r;

        if (!sessions_allow(v->sessions, http_request_peer(req)->source, v->settings.sessions_per_minute,
                            loop_now_ms(), &wait_ms)) {
                http_answer_retry_after(req, wait_ms);
                reply_v3_error(req, 429, "rate_limited", "Too many session requests from this address.");
                return;
        }
        if (!reply_wants_type(req, WIRE_TYPE_JSON_API))
                return;
        if (wire_session_request_decode(http_request_body(req), &m, &err) < 0) {
                reply_v3_error(req, err.kind == ERR_NOMEM ? 503 : 400, "malformed", err.text);
                return;
        }
        if (!m.tpm_pop) {
                reply_v3_error(req, 422, "unsupported", "Only tpm_pop is supported here.");
                return;
        }
        answer.created_at_ms = clock_now_ms();
        answer.expires_at_ms = answer.created_at_ms + SESSION_CHALLENGE_MS;
        memcpy(answer.host, m.host, sizeof(answer.host));
        memcpy(answer.verifier_id, verifier_db_id(v->db), sizeof(answer.verifier_id));
        r = sessions_challenge(v->sessions, m.host, &peer, answer.created_at_ms, answer.id, answer.challenge,
                               &err);
        if (r < 0) {
                reply_failure(req, &err, "a session's challenge");
                return;
        }
        r = wire_session_challenge_encode(&answer, &body, &err);
        reply_encoded(req, r, 200, WIRE_TYPE_JSON, &body);
}

/* ---- the proof ---- */

/* One proof on its way: the host may have to be read from the database first. */
struct proof {
        struct verifier *v;
        struct http_request *req;
        struct wire_session_proof m;
        uint8_t challenge[SESSION_CHALLENGE_BYTES];
        int64_t created_ms;
        bool keylime; /* the host is a Keylime peer */
};

static void proof_free(struct proof *p)
{
        if (!p)
                return;
        wire_session_proof_done(&p->m);
        free(p);
}

/* meta.avow.keys: what a host needs that has no file with our keys. */
static int announce(const struct verifier *v, char **ret, struct err *err)
{
        AUTO(json_free_p) json_t *keys = NULL;
        int r = keys_public(&v->keys, &keys, err);

        if (r < 0)
                return r;
        *ret = json_print(keys);
        return *ret ? 0 : err_nomem(err);
}

/* The answer in its three forms: 200 with a token, 200 without (not enrolled, or too late), 401. */
static void answer_proof(struct proof *p, int status, struct secret *token, int64_t lifetime_ms)
{
        struct wire_session_result m = {.pass = token != NULL,
                                        .created_at_ms = p->created_ms,
                                        .challenge_expires_at_ms = p->created_ms + SESSION_CHALLENGE_MS,
                                        .received_at_ms = http_request_at_ms(p->req)};
        struct err err = ERR_INIT;
        struct host *host;
        struct buf body = {0};
        int r = 0;

        memcpy(m.id, p->m.id, sizeof(m.id));
        memcpy(m.host, p->m.host, sizeof(m.host));
        if (token) {
                m.token = *token;
                m.token_expires_at_ms = clock_now_ms() + lifetime_ms;
                if ((host = hosts_find(p->v->hosts, p->m.host)) != NULL) {
                        secrets_learn(p->v, host);
                        wait_meta(host, &m.meta);
                }
                r = p->keylime ? 0 : announce(p->v, &m.keys, &err);
        }
        if (r >= 0)
                r = wire_session_result_encode(&m, &p->m, VIEW_ARRAY(p->challenge), &body, &err);
        free(m.keys);
        reply_encoded(p->req, r, status, WIRE_TYPE_JSON, &body);
        if (token)
                secret_free(token);
        proof_free(p);
}

static void refuse_proof(struct proof *p, const char *why)
{
        metric_inc(p->v->counters.sessions_refused);
        log_with(LOG_LEVEL_WARNING, LOG_FIELDS({"AVOW_HOST", p->m.host}),
                 "host %s from %s gets no session: %s", SHOW(p->m.host), http_request_peer(p->req)->address,
                 why);
        answer_proof(p, 401, NULL, 0);
}

/* Does the proof show that the peer holds the host's AK (and the key of this connection)? */
static int check_proof(struct proof *p, const struct host *host, bool *ret_good, const char **ret_why,
                       struct err *err)
{
        const struct session_peer peer = peer_of(p->req);
        struct view qualifying = VIEW_ARRAY(p->challenge);
        struct digest d;

        *ret_good = false;
        if (!host->e.keylime) {
                int r;

                if (!peer.spki_sha256) {
                        *ret_why =
                                "an avow agent presents a TLS certificate; a Keylime agent is enrolled with "
                                "peer: keylime";
                        return 0;
                }
                r = qualify_session(verifier_db_id(p->v->db), host->e.name, qualifying,
                                    VIEW(peer.spki_sha256, 32), &d, err);
                if (r < 0)
                        return r;
                qualifying = digest_view(&d);
        }
        return possession_check(&host->ak, VIEW_BUF(&p->m.message), VIEW_BUF(&p->m.signature), qualifying,
                                ret_good, ret_why, err);
}

static void open_session(struct proof *p, struct host *host)
{
        const struct session_peer peer = peer_of(p->req);
        int64_t now_ms = loop_now_ms(), lifetime_ms = session_lifetime_ms(p->v, host);
        struct err err = ERR_INIT;
        struct secret token;

        if (sessions_open(p->v->sessions, p->m.id, host->e.name, host->e.keylime, &peer, now_ms,
                          now_ms + lifetime_ms, &token, &err) < 0) {
                if (err.kind == ERR_PEER)
                        reply_v3_error(p->req, 404, "not_found", USED_UP);
                else
                        reply_failure(p->req, &err, "opening a session");
                proof_free(p);
                return;
        }
        metric_inc(p->v->counters.sessions_opened);
        log_debug("host %s has a session", SHOW(host->e.name));
        p->keylime = host->e.keylime;
        answer_proof(p, 200, &token, lifetime_ms);
}

static void on_proof_host(void *ctx, struct host *host, const struct err *load_err)
{
        struct proof *p = ctx;
        struct err err = ERR_INIT;
        const char *why = "the proof is no TPM2_Certify of the enrolled AK by itself over our challenge";
        bool good = false;

        if (load_err) {
                reply_failure(p->req, load_err, "reading a host");
                proof_free(p);
                return;
        }
        if (!host) {
                answer_proof(p, 200, NULL, 0);
                return;
        }
        if (check_proof(p, host, &good, &why, &err) < 0) {
                reply_failure(p->req, &err, "checking a proof of possession");
                proof_free(p);
                return;
        }
        if (good)
                open_session(p, host);
        else
                refuse_proof(p, why);
}

static void on_proof(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        const char *id = http_request_param(req, "session");
        const struct session_peer peer = peer_of(req);
        enum session_answer known = SESSION_UNKNOWN;
        struct err err = ERR_INIT;
        struct proof *p;

        if (!reply_wants_type(req, WIRE_TYPE_JSON_API))
                return;
        p = mem_zalloc(1, sizeof(*p));
        if (!p) {
                http_answer_problem(req, 503, NULL, "Out of memory.");
                return;
        }
        p->v = v;
        p->req = req;
        if (wire_session_proof_decode(http_request_body(req), &p->m, &err) < 0 ||
            (p->m.id[0] && !str_equal(p->m.id, id))) {
                reply_v3_error(req, err.kind == ERR_NOMEM ? 503 : 400, "malformed",
                               err.kind ? err.text : "The document's id is not the path's.");
                proof_free(p);
                return;
        }
        if (uuid_valid(id))
                memcpy(p->m.id, id, UUID_TEXT_BYTES);
        if (sessions_recall(v->sessions, id, p->m.host, &peer, clock_now_ms(), &known, p->challenge,
                            &p->created_ms, &err) < 0) {
                reply_failure(req, &err, "a session's challenge");
                proof_free(p);
        } else if (known == SESSION_UNKNOWN) {
                reply_v3_error(req, 404, "not_found", USED_UP);
                proof_free(p);
        } else if (known == SESSION_EXPIRED) {
                answer_proof(p, 200, NULL, 0);
        } else {
                load_host(v, p->m.host, on_proof_host, p);
        }
}

static const struct http_route routes[] = {
        {HTTP_POST, "/v3.0/sessions", ROLE_PUBLIC, on_new, 64 * 1024, HTTP_KEYLIME, "create_session"},
        {HTTP_PATCH, "/v3.0/sessions/:session", ROLE_PUBLIC, on_proof, 64 * 1024, HTTP_KEYLIME,
         "update_session"},
};

int routes_sessions(struct verifier *v, struct err *err)
{
        return http_server_add_routes(v->server, routes, ARRAY_LEN(routes), v, err);
}
