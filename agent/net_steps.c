/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the network half does in each state of net_flow.h: the request that goes out, and what its answer
 * means. Nothing from a server is believed beyond its schema (lib/wire), and nothing of it reaches the TPM
 * half but the bytes of a challenge and of a credential, and a selection of registers.
 *
 * Spec: Keylime 2.x registrar, push model 3.0; docs/protocol.md; SR-13.
 */
#include "agent/net_machine.h"

#include <stdio.h>
#include <string.h>

#include "agent/net_convert.h"
#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "crypto/digest.h"
#include "wire/registration.h"

/* Asking the registrar once more is worth it when the verifier knows nothing of us for so long. */
#define REGISTER_AGAIN_MS (5 * 60 * 1000)
/* More immediate challenges in a row than a verifier has reason for. */
#define HURRIES_MAX 8

enum net_result net_failed(struct net *net, const struct err *err)
{
        net_say(net, err->kind, "%s", err->text);
        return err->kind == ERR_PEER || err->kind == ERR_FORMAT || err->kind == ERR_LIMIT ? NET_REFUSED
                                                                                          : NET_AWAY;
}

void net_ask_with(struct net *net, enum privsep_type type, struct buf *body)
{
        struct err err = ERR_INIT;
        if (buf_ok(body)) {
                net_ask(net, type, VIEW_BUF(body));
        } else {
                (void)err_nomem(&err);
                net_finish(net, net_failed(net, &err));
        }
        buf_free(body);
}

/* --- who we are ------------------------------------------------------------------------------------------
 */

static void enter_identity(struct net *net)
{
        net_ask(net, PRIVSEP_IDENTITY, VIEW_NONE);
}

static int take_identity(struct net *net, struct view body, struct err *err)
{
        struct buf bytes = {0};
        struct privsep_identity id;
        buf_put_view(&bytes, body);
        if (!buf_ok(&bytes))
                return err_nomem(err);
        int r = privsep_identity_get(VIEW_BUF(&bytes), &id, err);
        if (r == 0 && (id.host_id.len == 0 || id.host_id.len > WIRE_HOST_MAX))
                r = err_set(err, ERR_BUG, 0, "host id of %zu characters", id.host_id.len);
        if (r < 0) {
                buf_free(&bytes);
                return r;
        }
        char host[WIRE_HOST_MAX + 1] = "";
        memcpy(host, id.host_id.p, id.host_id.len);
        if (net->has_key && strcmp(host, net->host) != 0) {
                net_key_done(&net->key);
                net->has_key = false;
        }
        memcpy(net->host, host, sizeof(host));
        buf_free(&net->identity_bytes);
        net->identity_bytes = bytes;
        net->id = id;
        return 0;
}

static enum net_result got_identity(struct net *net, struct view body)
{
        struct err err = ERR_INIT;
        bool made = false;
        int r = take_identity(net, body, &err);
        if (r == 0 && !net->has_key) {
                r = net_key_load(net->opts->dir, net->host, clock_now_ms(), &net->key, &made, &err);
                net->has_key = r == 0;
        }
        if (r < 0)
                return net_failed(net, &err);
        if (made)
                log_info("made a new TLS key for host %s", SHOW(net->host));
        net_open_listener(net, made);
        return net->config->registrar.url == NULL || net_registered(net) ? NET_SKIP : NET_DONE;
}

/* --- registration ----------------------------------------------------------------------------------------
 */

/* What we can speak with a registrar, newest first wins. */
static const struct wire_versions registrar_versions = {
        .v = {{2, 1}, {2, 2}, {2, 3}, {2, 4}, {2, 5}, {2, 6}},
        .n = 6,
};

static void enter_version(struct net *net)
{
        if (net->config->registrar.url == NULL) {
                net_finish(net, NET_SKIP);
                return;
        }
        net_request(net, "GET", "/version", VIEW_NONE);
}

static enum net_result got_version(struct net *net, const struct http_response *res)
{
        struct err err = ERR_INIT;
        struct wire_versions theirs;
        if (wire_versions_decode(res->body, &theirs, &err) < 0)
                return net_failed(net, &err);
        if (!wire_versions_choose(&registrar_versions, &theirs, 2, &net->version)) {
                net_say(net, ERR_PEER, "it speaks none of the API versions 2.1 to 2.6");
                return NET_REFUSED;
        }
        return NET_DONE;
}

static void agent_path(const struct net *net, char ret[static WIRE_HOST_MAX + 48])
{
        (void)snprintf(ret, WIRE_HOST_MAX + 48, "/v%u.%u/agents/%s", net->version.major, net->version.minor,
                       net->host); /* two numbers of 16 bits and a host id: it fits */
}

static void enter_register(struct net *net)
{
        struct err err = ERR_INIT;
        struct wire_registration m = {.port = -1};
        struct buf body = {0};
        char path[WIRE_HOST_MAX + 48];
        int r = net_registration(&net->id, net->native ? net->key.cert_pem : NULL, &m, &err);
        if (r == 0)
                r = wire_registration_encode(&m, &body, &err);
        wire_registration_done(&m);
        agent_path(net, path);
        if (r == 0)
                net_request(net, "POST", path, VIEW_BUF(&body));
        else
                net_finish(net, net_failed(net, &err));
        buf_free(&body);
}

static enum net_result got_registered(struct net *net, const struct http_response *res)
{
        struct err err = ERR_INIT;
        buf_reset(&net->credential);
        if (wire_challenge_blob_decode(res->body, &net->credential, &err) < 0)
                return net_failed(net, &err);
        return NET_DONE;
}

/* The file form of tpm2_makecredential: magic, version, TPM2B_ID_OBJECT, TPM2B_ENCRYPTED_SECRET. */
static int credential_split(struct view blob, struct privsep_activate *ret, struct err *err)
{
        struct cursor c = cursor_of(blob);
        uint32_t magic = 0, version = 0;
        struct view id_object, secret;
        if (!cursor_be32(&c, &magic) || magic != 0xbadcc0de || !cursor_be32(&c, &version) || version != 1 ||
            !cursor_be16_bytes(&c, &id_object) || !cursor_be16_bytes(&c, &secret) || c.left != 0)
                return err_set(err, ERR_FORMAT, 0, "its challenge is not a credential blob");
        *ret = (struct privsep_activate){.id_object = id_object, .secret = secret};
        return 0;
}

static void enter_credential(struct net *net)
{
        struct err err = ERR_INIT;
        struct privsep_activate m;
        struct buf body = {0};
        int r = credential_split(VIEW_BUF(&net->credential), &m, &err);
        if (r == 0) {
                privsep_activate_put(&body, &m);
                net_ask_with(net, PRIVSEP_ACTIVATE, &body);
        } else {
                net_finish(net, net_failed(net, &err));
        }
}

static enum net_result got_credential(struct net *net, struct view body)
{
        buf_reset(&net->credential);
        buf_put_view(&net->credential, body);
        return buf_ok(&net->credential) ? NET_DONE : NET_AWAY;
}

/* auth_tag = HMAC-SHA-384(base64(challenge) as text, host id). Spec: Keylime registrar, activation. */
static void enter_activate(struct net *net)
{
        struct err err = ERR_INIT;
        struct buf key = {0}, body = {0};
        struct digest tag;
        char path[WIRE_HOST_MAX + 48];
        buf_base64(&key, VIEW_BUF(&net->credential));
        int r = buf_ok(&key) ? hmac_bytes(DIGEST_SHA384, VIEW_BUF(&key), view_str(net->host), &tag, &err)
                             : err_nomem(&err);
        if (r == 0)
                r = wire_activation_encode(digest_view(&tag), &body, &err);
        agent_path(net, path);
        if (r == 0)
                net_request(net, "PUT", path, VIEW_BUF(&body));
        else
                net_finish(net, net_failed(net, &err));
        mem_wipe(key.p, key.len);
        buf_free(&key);
        buf_free(&body);
}

static enum net_result got_activated(struct net *net, const struct http_response *res)
{
        struct err err = ERR_INIT;
        (void)res; /* the status said it */
        log_info("host %s is registered at %s", SHOW(net->host), net->config->registrar.url);
        net->registered_at_ms = clock_mono_ms();
        net->backoff.failures = 0;
        mem_wipe(net->credential.p, net->credential.len);
        buf_free(&net->credential);
        if (net_set_registered(net, &err) < 0)
                log_err(&err, "cannot note the registration; it will be repeated at the next start");
        return NET_DONE;
}

/* --- session ---------------------------------------------------------------------------------------------
 */

static void enter_session(struct net *net)
{
        struct err err = ERR_INIT;
        struct buf body = {0};
        secret_free(&net->token);
        net->has_next = false;
        if (net->config->verifier.url == NULL) {
                net_finish(net, NET_SKIP);
                return;
        }
        if (wire_session_request_encode(net->host, &body, &err) == 0)
                net_request(net, "POST", "/v3.0/sessions", VIEW_BUF(&body));
        else
                net_finish(net, net_failed(net, &err));
        buf_free(&body);
}

static enum net_result got_challenge(struct net *net, const struct http_response *res)
{
        struct err err = ERR_INIT;
        if (wire_session_challenge_decode(res->body, &net->challenge, &err) < 0)
                return net_failed(net, &err);
        if (strcmp(net->challenge.host, net->host) != 0) {
                net_say(net, ERR_PEER, "its challenge is for another host");
                return NET_REFUSED;
        }
        if (net->native && net->challenge.verifier_id[0] == '\0') {
                net_say(net, ERR_PEER,
                        "it is no avow verifier; if it is a Keylime one, configure 'verifier.peer: keylime'");
                return NET_REFUSED;
        }
        if (!net->native)
                net->challenge.verifier_id[0] = '\0';
        return NET_DONE;
}

static void enter_proof(struct net *net)
{
        struct buf body = {0};
        struct privsep_session m = {
                .verifier_id = view_str(net->challenge.verifier_id),
                .challenge = VIEW(net->challenge.challenge, net->challenge.challenge_len),
                .spki_sha256 = net->native ? digest_view(&net->key.spki_sha256) : VIEW_NONE,
        };
        privsep_session_put(&body, &m);
        net_ask_with(net, PRIVSEP_SESSION, &body);
}

static enum net_result got_proof(struct net *net, struct view body)
{
        struct err err = ERR_INIT;
        struct privsep_signed s;
        struct wire_session_proof m = {.id = ""};
        int r = privsep_signed_get(body, &s, &err);
        if (r == 0) {
                memcpy(m.id, net->challenge.id, sizeof(m.id));
                memcpy(m.host, net->host, sizeof(m.host));
                buf_put_view(&m.message, s.message);
                buf_put_view(&m.signature, s.signature);
                r = buf_ok(&m.message) && buf_ok(&m.signature) ? 0 : err_nomem(&err);
        }
        buf_reset(&net->body);
        if (r == 0)
                r = wire_session_proof_encode(&m, &net->body, &err);
        wire_session_proof_done(&m);
        return r < 0 ? net_failed(net, &err) : NET_DONE;
}

static void enter_login(struct net *net)
{
        char path[64];
        (void)snprintf(path, sizeof(path), "/v3.0/sessions/%s", net->challenge.id); /* a UUID */
        net_request(net, "PATCH", path, VIEW_BUF(&net->body));
}

/* Does the registrar still know us? After a while of not being known here, ask. */
static bool register_again(const struct net *net)
{
        return net->config->registrar.url != NULL &&
               (net->registered_at_ms == 0 || clock_mono_ms() - net->registered_at_ms > REGISTER_AGAIN_MS);
}

static enum net_result got_session(struct net *net, const struct http_response *res)
{
        struct err err = ERR_INIT;
        struct wire_session_result m;
        if (wire_session_result_decode(res->body, &m, &err) < 0)
                return net_failed(net, &err);
        if (!m.pass) {
                wire_session_result_done(&m);
                net_say(net, NET_UNKNOWN,
                        "host %s is not enrolled there (or proved too late); waiting for it",
                        SHOW(net->host));
                return register_again(net) ? NET_SKIP : NET_UNKNOWN;
        }
        secret_free(&net->token);
        net->token = m.token;
        m.token = (struct secret){0};
        net_wait_session(net->wait, m.keys);
        net_told(net, &m.meta);
        wire_session_result_done(&m);
        return NET_DONE;
}

/* --- evidence --------------------------------------------------------------------------------------------
 */

static enum net_result got_refresh(struct net *net, struct view body)
{
        struct err err = ERR_INIT;
        return take_identity(net, body, &err) < 0 ? net_failed(net, &err) : NET_DONE;
}

static void attestations_path(const struct net *net, char ret[static WIRE_HOST_MAX + 48])
{
        (void)snprintf(ret, WIRE_HOST_MAX + 48, "/v3.0/agents/%s/attestations", net->host);
}

static void enter_offer(struct net *net)
{
        struct err err = ERR_INIT;
        struct wire_capabilities m = {.avow_version = 0};
        struct buf body = {0};
        char path[WIRE_HOST_MAX + 48];
        int r = net_capabilities(&net->id, net->native, &m, &err);
        if (r == 0)
                r = wire_capabilities_encode(&m, &body, &err);
        wire_capabilities_done(&m);
        attestations_path(net, path);
        if (r == 0)
                net_request(net, "POST", path, VIEW_BUF(&body));
        else
                net_finish(net, net_failed(net, &err));
        buf_free(&body);
}

static enum net_result got_request(struct net *net, const struct http_response *res)
{
        struct err err = ERR_INIT;
        struct wire_request m;
        const char *location = http_response_header(res, "location");
        if (wire_request_decode(res->body, &m, &err) < 0)
                return net_failed(net, &err);
        if (location == NULL || !wire_location_index(location, &net->index)) {
                net_say(net, ERR_PEER, "its answer names no attestation");
                return NET_REFUSED;
        }
        net->asks = m.asks;
        if (m.asks.n > 0)
                return NET_DONE;
        net_say(net, NET_SKIP, "it asks host %s for no evidence: it has no policy for it", SHOW(net->host));
        return NET_SKIP;
}

static void enter_collect(struct net *net)
{
        struct err err = ERR_INIT;
        struct privsep_collect m;
        struct buf body = {0};
        net->has_next = false;
        net->collected_at_ms = clock_mono_ms();
        if (net_collect(&net->asks, net->challenge.verifier_id, &m, &err) == 0) {
                privsep_collect_put(&body, &m);
                net_ask_with(net, PRIVSEP_COLLECT, &body);
        } else {
                net_finish(net, net_failed(net, &err));
        }
}

enum net_result net_take_evidence(struct net *net, const struct wire_asks *asks, struct view body)
{
        struct err err = ERR_INIT;
        struct privsep_evidence from;
        struct wire_evidence m;
        int r = privsep_evidence_get(body, &from, &err);
        if (r == 0)
                r = net_evidence(asks, &from, &m, &err);
        if (r == 1)
                return NET_SKIP;
        buf_reset(&net->body);
        if (r == 0) {
                net->log_total = from.log_total;
                net->part = from.ima_count > 0 && from.ima_total - from.ima_offset > from.ima_count;
                r = wire_evidence_encode(&m, &net->body, &err);
                wire_evidence_done(&m);
        }
        return r < 0 ? net_failed(net, &err) : NET_DONE;
}

static enum net_result got_evidence(struct net *net, struct view body)
{
        return net_take_evidence(net, &net->asks, body);
}

static void enter_send(struct net *net)
{
        char path[WIRE_HOST_MAX + 64];
        wire_attestation_path(net->host, net->index, path);
        net_request(net, "PATCH", path, VIEW_BUF(&net->body));
        buf_free(&net->body); /* it can be megabytes, and is copied */
}

/* Said when it changes: the verdict is the verifier's to keep, this is for whoever reads the host's log. */
static void note_verdict(struct net *net, enum wire_evaluation evaluation)
{
        if (net->native && evaluation == WIRE_PENDING)
                return; /* it asks again before it judges */
        if (net->has_evaluation && net->evaluation == evaluation)
                return;
        net->has_evaluation = true;
        net->evaluation = evaluation;
        enum log_level level =
                evaluation == WIRE_PASS || evaluation == WIRE_PENDING ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING;
        log_with(level,
                 LOG_FIELDS({"AVOW_HOST", net->host}, {"AVOW_VERDICT", wire_evaluation_name(evaluation)}),
                 "verdict of the verifier: %s",
                 evaluation == WIRE_PENDING ? "not told (a Keylime verifier keeps it)"
                                            : wire_evaluation_name(evaluation));
}

void net_take_outcome(struct net *net, const struct wire_outcome *m)
{
        int64_t idle_ms = m->has_wait && m->wait_s > 0 ? m->wait_s * 1000 : net->config->interval_ms;
        bool hurry;

        net->backoff.failures = 0;
        net->has_next = net->native && m->has_next;
        hurry = net->has_next && m->next.deadline_ms > 0;
        net->hurries = hurry && !net->part ? net->hurries + 1 : 0;
        if (net->has_next) {
                net->asks = m->next.asks;
                net->index = m->next.index;
                if (hurry)
                        idle_ms = net->hurries <= HURRIES_MAX ? 0 : NET_BACKOFF_FIRST_MS;
        }
        net->due_ms = clock_mono_ms() + idle_ms;
        net_wait_alive(net->wait);
        net_told(net, &m->meta);
}

static enum net_result got_outcome(struct net *net, const struct http_response *res)
{
        struct err err = ERR_INIT;
        struct wire_outcome m;
        if (wire_outcome_decode(res->body, &m, &err) < 0)
                return net_failed(net, &err);
        note_verdict(net, m.evaluation);
        net_take_outcome(net, &m);
        wire_outcome_done(&m);
        return NET_DONE;
}

static void enter_idle(struct net *net)
{
        int64_t ms = 0;
        if (net_idle(net, clock_mono_ms(), &ms) != NET_N_RESULTS)
                ms = 0;
        net->waiting = false;
        loop_timer_start(net->timer, ms); /* net.c asks again when it fires */
}

/* A state whose entry is only a question to the TPM half without a body. */
const struct net_handler net_handlers[NET_N_STATES] = {
        [NET_IDENTITY] = {enter_identity, NULL, got_identity},
        [NET_VERSION] = {enter_version, got_version, NULL},
        [NET_REGISTER] = {enter_register, got_registered, NULL},
        [NET_CREDENTIAL] = {enter_credential, NULL, got_credential},
        [NET_ACTIVATE] = {enter_activate, got_activated, NULL},
        [NET_SESSION] = {enter_session, got_challenge, NULL},
        [NET_PROOF] = {enter_proof, NULL, got_proof},
        [NET_LOGIN] = {enter_login, got_session, NULL},
        [NET_REFRESH] = {enter_identity, NULL, got_refresh},
        [NET_OFFER] = {enter_offer, got_request, NULL},
        [NET_COLLECT] = {enter_collect, NULL, got_evidence},
        [NET_SEND] = {enter_send, got_outcome, NULL},
        [NET_IDLE] = {enter_idle, NULL, NULL},
        [NET_WANTED] = {net_enter_wanted, NULL, net_got_wanted},
        [NET_CLAIM] = {net_enter_claim, net_got_claim, NULL},
        [NET_SHOW] = {net_enter_show, NULL, net_got_shown},
        [NET_EARN] = {net_enter_earn, net_got_earned, NULL},
        [NET_RELEASE] = {net_enter_release, NULL, net_got_released},
        [NET_SECRETS] = {net_enter_secrets, net_got_secrets, NULL},
        [NET_KEEP] = {net_enter_keep, NULL, net_got_kept},
        [NET_RECEIPTS] = {net_enter_receipts, NULL, net_got_receipts},
        [NET_COUNTERSIGN] = {net_enter_countersign, net_got_countersigned, NULL},
        [NET_SETTLE] = {net_enter_settle, NULL, net_got_settled},
};
