/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions by proof of possession. A stranger may send the first message, so it costs little to read and
 * nothing is kept of it; the proof is bytes here, and is judged by lib/evidence.
 *
 * Spec: Keylime push model 3.0, POST and PATCH /v3.0/sessions; SR-13.
 */
#include "wire/session.h"

#include <string.h>

#include "base/base64.h"
#include "base/str.h"
#include "base/uuid.h"
#include "wire/field.h"

#define TYPE "session"

/* [{"authentication_class":"pop","authentication_type":"tpm_pop"}] with EXTRA members from the caller. */
static json_t *pop_list(json_t *parameters, json_t *data)
{
        AUTO(json_free_p)
        json_t *item = json_object();
        json_t *list = json_array();
        int r = json_set_str(item, "authentication_class", "pop");
        r |= json_set_str(item, "authentication_type", "tpm_pop");
        if (parameters != NULL)
                r |= json_object_set_new(item, "chosen_parameters", parameters);
        if (data != NULL)
                r |= json_object_set_new(item, "data", data);
        if (r == 0 && json_array_append(list, item) == 0)
                return list;
        json_decref(list);
        return NULL;
}

/* The first tpm_pop of a list, or NULL. */
static int pop_find(const json_t *attributes, const char *name, const json_t **ret, struct err *err)
{
        const json_t *list = NULL;
        int r = json_get_array(attributes, name, WIRE_LIST_MAX, &list, err);
        if (r < 0)
                return r;
        *ret = NULL;
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *item = json_array_get(list, i);
                const char *c = json_string_value(json_object_get(item, "authentication_class"));
                const char *t = json_string_value(json_object_get(item, "authentication_type"));
                if (c != NULL && t != NULL && strcmp(c, "pop") == 0 && strcmp(t, "tpm_pop") == 0) {
                        *ret = item;
                        break;
                }
        }
        return 0;
}

/* The resource's id: a UUID, since a session's is one. */
static int session_id(const struct document *d, char ret[static WIRE_UUID_LEN + 1], struct err *err)
{
        if (d->id == NULL || !uuid_valid(d->id))
                return err_set(err, ERR_FORMAT, 0, "member 'id': expected a UUID");
        memcpy(ret, d->id, WIRE_UUID_LEN + 1);
        return 0;
}

int wire_session_request_encode(const char *host, struct buf *ret, struct err *err)
{
        json_t *a = json_object();
        int r = json_set_str(a, "agent_id", host);
        r |= json_object_set_new(a, "authentication_supported", pop_list(NULL, NULL));
        return field_emit(document_new(TYPE, NULL, a, NULL, NULL), r, ret, err);
}

int wire_session_request_decode(struct view body, struct wire_session_request *ret, struct err *err)
{
        struct document d;
        int r = document_open(body, WIRE_SMALL_BODY_MAX, TYPE, &d, err);
        if (r < 0)
                return r;
        struct wire_session_request m = {.tpm_pop = false};
        const json_t *pop = NULL;
        r = field_host(d.attributes, "agent_id", m.host, err);
        if (r == 0)
                r = pop_find(d.attributes, "authentication_supported", &pop, err);
        m.tpm_pop = pop != NULL;
        document_close(&d);
        if (r == 0)
                *ret = m;
        return r;
}

int wire_session_challenge_encode(const struct wire_session_challenge *m, struct buf *ret, struct err *err)
{
        json_t *a = json_object();
        json_t *parameters = json_object();
        int r = json_set_base64(parameters, "challenge", VIEW(m->challenge, m->challenge_len));
        r |= json_set_str(a, "agent_id", m->host);
        r |= json_object_set_new(a, "authentication_requested", pop_list(parameters, NULL));
        r |= json_set_time(a, "created_at", m->created_at_ms);
        r |= json_set_time(a, "challenges_expire_at", m->expires_at_ms);
        json_t *meta = NULL;
        if (m->verifier_id[0] != '\0') {
                json_t *avow = json_object();
                r |= json_set_str(avow, "verifier_id", m->verifier_id);
                meta = meta_new(avow);
                r |= meta != NULL ? 0 : -1;
        }
        return field_emit(document_new(TYPE, m->id, a, meta, NULL), r, ret, err);
}

static int challenge_read(const struct document *d, struct wire_session_challenge *m, struct err *err)
{
        const json_t *pop = NULL, *parameters = NULL;
        int r = session_id(d, m->id, err);
        if (r == 0)
                r = field_host(d->attributes, "agent_id", m->host, err);
        if (r == 0)
                r = pop_find(d->attributes, "authentication_requested", &pop, err);
        if (r == 0 && pop == NULL)
                r = err_set(err, ERR_FORMAT, 0, "member 'authentication_requested': no tpm_pop in it");
        if (r == 0)
                r = json_get_object(pop, "chosen_parameters", &parameters, err);
        if (r < 0)
                return r;
        struct buf challenge = {0};
        r = json_get_base64_lax(parameters, "challenge", WIRE_CHALLENGE_MAX, &challenge, err);
        if (r == 0 && challenge.len < WIRE_CHALLENGE_MIN)
                r = err_set(err, ERR_FORMAT, 0, "member 'challenge': fewer than %d bytes",
                            WIRE_CHALLENGE_MIN);
        if (r == 0) {
                memcpy(m->challenge, challenge.p, challenge.len);
                m->challenge_len = challenge.len;
        }
        buf_free(&challenge);
        if (r == 0)
                r = json_get_time(d->attributes, "created_at", &m->created_at_ms, err);
        if (r == 0)
                r = json_get_time(d->attributes, "challenges_expire_at", &m->expires_at_ms, err);
        if (r < 0 || d->avow == NULL)
                return r;
        const char *id = NULL;
        r = json_opt_str(d->avow, "verifier_id", &id, err);
        if (r > 0 && !uuid_valid(id))
                r = err_set(err, ERR_FORMAT, 0, "member 'verifier_id': expected a UUID");
        if (r > 0)
                memcpy(m->verifier_id, id, WIRE_UUID_LEN + 1);
        return r < 0 ? r : 0;
}

int wire_session_challenge_decode(struct view body, struct wire_session_challenge *ret, struct err *err)
{
        struct document d;
        int r = document_open(body, WIRE_SMALL_BODY_MAX, TYPE, &d, err);
        if (r < 0)
                return r;
        struct wire_session_challenge m = {.challenge_len = 0};
        r = challenge_read(&d, &m, err);
        document_close(&d);
        if (r == 0)
                *ret = m;
        return r;
}

static json_t *proof_data(const struct wire_session_proof *m)
{
        json_t *data = json_object();
        int r = json_set_base64(data, "message", VIEW_BUF(&m->message));
        r |= json_set_base64(data, "signature", VIEW_BUF(&m->signature));
        if (r == 0)
                return data;
        json_decref(data);
        return NULL;
}

int wire_session_proof_encode(const struct wire_session_proof *m, struct buf *ret, struct err *err)
{
        json_t *a = json_object();
        json_t *data = proof_data(m);
        int r = data == NULL ? -1 : 0;
        r |= json_set_str(a, "agent_id", m->host);
        r |= json_object_set_new(a, "authentication_provided", pop_list(NULL, data));
        return field_emit(document_new(TYPE, m->id[0] != '\0' ? m->id : NULL, a, NULL, NULL), r, ret, err);
}

static int proof_read(const struct document *d, struct wire_session_proof *m, struct err *err)
{
        const json_t *pop = NULL, *data = NULL;
        int r = d->id != NULL ? session_id(d, m->id, err) : 0;
        if (r == 0)
                r = field_host(d->attributes, "agent_id", m->host, err);
        if (r == 0)
                r = pop_find(d->attributes, "authentication_provided", &pop, err);
        if (r == 0 && pop == NULL)
                r = err_set(err, ERR_FORMAT, 0, "member 'authentication_provided': no tpm_pop in it");
        if (r == 0)
                r = json_get_object(pop, "data", &data, err);
        if (r == 0)
                r = json_get_base64_lax(data, "message", WIRE_ATTEST_MAX, &m->message, err);
        if (r == 0)
                r = json_get_base64_lax(data, "signature", WIRE_SIGNATURE_MAX, &m->signature, err);
        return r;
}

int wire_session_proof_decode(struct view body, struct wire_session_proof *ret, struct err *err)
{
        struct document d;
        int r = document_open(body, WIRE_SMALL_BODY_MAX, TYPE, &d, err);
        if (r < 0)
                return r;
        struct wire_session_proof m = {.id = ""};
        r = proof_read(&d, &m, err);
        document_close(&d);
        if (r == 0)
                *ret = m;
        else
                wire_session_proof_done(&m);
        return r;
}

void wire_session_proof_done(struct wire_session_proof *m)
{
        buf_free(&m->message);
        buf_free(&m->signature);
        *m = (struct wire_session_proof){.id = ""};
}

/* "authentication": what was asked and what came, as Keylime's servers echo it. */
static json_t *echo_list(const struct wire_session_proof *proof, struct view challenge)
{
        json_t *data = proof_data(proof);
        json_t *parameters = json_object();
        if (json_set_base64(parameters, "challenge", challenge) != 0 || data == NULL) {
                json_decref(data);
                json_decref(parameters);
                return NULL;
        }
        return pop_list(parameters, data);
}

/* NULL: no memory, or no JSON: ours is. */
static json_t *keys_to_json(const char *text)
{
        struct err ignored = ERR_INIT;
        json_t *j = NULL;
        return json_parse(view_str(text), WIRE_SIGNERS_MAX, &j, &ignored) < 0 ? NULL : j;
}

int wire_session_result_encode(const struct wire_session_result *m, const struct wire_session_proof *proof,
                               struct view challenge, struct buf *ret, struct err *err)
{
        json_t *a = json_object();
        int r = json_set_str(a, "agent_id", m->host);
        r |= json_set_str(a, "evaluation", m->pass ? "pass" : "fail");
        if (m->pass)
                r |= json_object_set_new(a, "token", json_stringn((const char *)m->token.p, m->token.len));
        if (proof != NULL)
                r |= json_object_set_new(a, "authentication", echo_list(proof, challenge));
        r |= json_set_time(a, "created_at", m->created_at_ms);
        r |= json_set_time(a, "challenges_expire_at", m->challenge_expires_at_ms);
        r |= json_set_time(a, "response_received_at", m->received_at_ms);
        if (m->pass)
                r |= json_set_time(a, "token_expires_at", m->token_expires_at_ms);
        json_t *meta = NULL;
        if (m->keys != NULL || m->meta.jws != NULL || m->meta.has_secrets) {
                json_t *avow = wire_meta_to_json(&m->meta);
                if (m->keys != NULL)
                        r |= json_object_set_new(avow, "keys", keys_to_json(m->keys));
                meta = meta_new(avow);
                r |= meta != NULL ? 0 : -1;
        }
        return field_emit(document_new(TYPE, m->id, a, meta, NULL), r, ret, err);
}

/* A token goes into a header as it is, so nothing but what RFC 6750 allows there. */
static int token_read(const json_t *attributes, struct secret *ret, struct err *err)
{
        const char *s = NULL;
        int r = json_get_str(attributes, "token", &s, err);
        if (r < 0)
                return r;
        size_t n = strlen(s);
        if (n == 0 || n > WIRE_TOKEN_MAX)
                return err_set(err, ERR_LIMIT, 0, "member 'token': 1 to %d characters", WIRE_TOKEN_MAX);
        if (strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=") != n)
                return err_set(err, ERR_FORMAT, 0, "member 'token': not a bearer token");
        if (secret_alloc(ret, n) < 0)
                return err_nomem(err);
        memcpy(ret->p, s, n);
        return 0;
}

/* As it came: who trusts them reads them (the process that holds the TPM). */
static int keys_read(const json_t *avow, char **ret, struct err *err)
{
        const json_t *keys = NULL;
        int r = json_opt_object(avow, "keys", &keys, err);
        if (r <= 0)
                return r;
        char *text = json_print(keys);
        if (text == NULL)
                return err_nomem(err);
        if (strlen(text) > WIRE_SIGNERS_MAX) {
                free(text);
                return err_set(err, ERR_LIMIT, 0, "member 'keys': more than %d bytes", WIRE_SIGNERS_MAX);
        }
        *ret = text;
        return 0;
}

static int result_read(const struct document *d, struct wire_session_result *m, struct err *err)
{
        const char *evaluation = NULL;
        int r = session_id(d, m->id, err);
        if (r == 0)
                r = field_host(d->attributes, "agent_id", m->host, err);
        if (r == 0)
                r = json_get_str(d->attributes, "evaluation", &evaluation, err);
        if (r < 0)
                return r;
        m->pass = strcmp(evaluation, "pass") == 0;
        if (!m->pass && strcmp(evaluation, "fail") != 0)
                return err_set(err, ERR_FORMAT, 0, "member 'evaluation': expected 'pass' or 'fail'");
        int64_t *const times[] = {&m->created_at_ms, &m->challenge_expires_at_ms, &m->received_at_ms};
        static const char *const names[] = {"created_at", "challenges_expire_at", "response_received_at"};
        for (size_t i = 0; r >= 0 && i < ARRAY_LEN(names); i++)
                r = json_opt_time(d->attributes, names[i], times[i], err);
        if (r >= 0 && m->pass)
                r = token_read(d->attributes, &m->token, err);
        if (r >= 0 && m->pass)
                r = json_get_time(d->attributes, "token_expires_at", &m->token_expires_at_ms, err);
        if (r >= 0 && m->pass && (r = wire_meta_from_json(d->avow, &m->meta, err)) < 0)
                err_wrap(err, "member 'meta'");
        if (r >= 0 && m->pass && d->avow != NULL)
                r = keys_read(d->avow, &m->keys, err);
        return r < 0 ? r : 0;
}

int wire_session_result_decode(struct view body, struct wire_session_result *ret, struct err *err)
{
        struct document d;
        int r = document_open(body, WIRE_SMALL_BODY_MAX, TYPE, &d, err);
        if (r < 0)
                return r;
        struct wire_session_result m = {.pass = false};
        r = result_read(&d, &m, err);
        document_close(&d);
        if (r == 0)
                *ret = m;
        else
                wire_session_result_done(&m);
        return r;
}

void wire_session_result_done(struct wire_session_result *m)
{
        secret_free(&m->token);
        wire_meta_done(&m->meta);
        free(m->keys);
        *m = (struct wire_session_result){.pass = false};
}
