/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow result get|verify`: attestation results for third parties. To get one needs the verifier; to check
 * one needs its keys alone, from a file or from the verifier.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/client.h"
#include "tenant/api.h"
#include "tenant/output.h"
#include "wire/ear.h"

#define KEYS_PATH "/avow/v1/results/jwks.json"

/* ---- get ---- */

struct get_values {
        const char *aud, *nonce, *out;
};

static const struct option_row get_options[] = {
        {"aud", "NAME", "for whom the result is (needed)", OPTION_TEXT, offsetof(struct get_values, aud)},
        {"nonce", "TEXT", "8 to 88 characters of base64url that it must repeat", OPTION_TEXT,
         offsetof(struct get_values, nonce)},
        {"out", "FILE", "write it there, not to standard output", OPTION_TEXT,
         offsetof(struct get_values, out)},
        {0},
};

static int check_wish(const char *aud, const char *nonce, struct err *err)
{
        if (!aud)
                return err_set(err, ERR_CONFIG, 0, "say for whom the result is: --aud NAME");
        if (!wire_ear_valid_name(aud))
                return err_set(err, ERR_CONFIG, 0,
                               "--aud %s: expected 1 to %d characters of ASCII without blanks", SHOW(aud),
                               WIRE_EAR_AUD_MAX);
        if (nonce && !wire_ear_valid_nonce(nonce))
                return err_set(err, ERR_CONFIG, 0, "--nonce %s: expected %d to %d characters of base64url",
                               SHOW(nonce), WIRE_EAR_NONCE_MIN, WIRE_EAR_NONCE_MAX);
        return 0;
}

static char *result_path(const char *host, const struct get_values *v)
{
        AUTO(mem_free_p) char *h = api_escape(host);
        AUTO(mem_free_p) char *aud = api_escape(v->aud);
        AUTO(mem_free_p) char *nonce = v->nonce ? api_escape(v->nonce) : NULL;

        if (!h || !aud || (v->nonce && !nonce))
                return NULL;
        return str_fmt("/avow/v1/hosts/%s/result?aud=%s%s%s", h, aud, nonce ? "&nonce=" : "",
                       nonce ? nonce : "");
}

static int print_token(const struct session *s, const char *host, struct view token, struct err *err)
{
        AUTO(json_free_p) json_t *doc = output_document("result");
        static const struct column lines[] = {{"Host", "host"}, {"Result", "jwt"}};
        AUTO(mem_free_p) char *text = str_ndup((const char *)token.p, token.len);
        int r;

        if (!text || !doc)
                return err_nomem(err);
        if (s->output == OUTPUT_TABLE)
                return printf("%s\n", text) < 0 ? err_set(err, ERR_IO, 0, "standard output") : 0;
        r = json_set_str(doc, "host", host) | json_set_str(doc, "jwt", text);
        return r ? err_nomem(err) : output_record(s, doc, lines, ARRAY_LEN(lines), err);
}

static int run_get(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct get_values *v = values;
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(mem_free_p) char *path = NULL;
        AUTO(http_fetched_free_p) struct http_fetched *answer = NULL;
        struct api_request req = {.method = "GET"};
        int r = check_wish(v->aud, v->nonce, err);

        (void)n_args; /* the table says one */
        if (r < 0)
                return r;
        req.path = path = result_path(args[0], v);
        if (!path)
                return err_nomem(err);
        r = api_open(s, API_VERIFIER, &api, err);
        if (r >= 0)
                r = api_send(api, &req, &answer, err);
        if (r >= 0 && v->out)
                r = file_write(v->out, http_fetched_response(answer)->body, 0644, err);
        else if (r >= 0)
                r = print_token(s, args[0], http_fetched_response(answer)->body, err);
        return r < 0 ? r : ANSWER_DONE;
}

/* ---- verify ---- */

struct verify_values {
        const char *aud, *nonce, *keys, *issuer, *host;
        bool warning;
};

static const struct option_row verify_options[] = {
        {"aud", "NAME", "for whom it has to be (needed)", OPTION_TEXT, offsetof(struct verify_values, aud)},
        {"nonce", "TEXT", "what it has to repeat", OPTION_TEXT, offsetof(struct verify_values, nonce)},
        {"keys", "FILE", "the verifier's key set (else it is asked for it)", OPTION_TEXT,
         offsetof(struct verify_values, keys)},
        {"issuer", "NAME", "who has to have issued it", OPTION_TEXT, offsetof(struct verify_values, issuer)},
        {"host", "HOST", "of whom it has to speak", OPTION_TEXT, offsetof(struct verify_values, host)},
        {"accept-warning", NULL, "a policy that only observes is good enough", OPTION_FLAG,
         offsetof(struct verify_values, warning)},
        {0},
};

static int load_keys(const struct session *s, const char *file, struct wire_ear_keys *ret, struct err *err)
{
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(buf_free) struct buf text = {0};
        const struct api_request req = {.method = "GET", .path = KEYS_PATH};
        AUTO(http_fetched_free_p) struct http_fetched *answer = NULL;
        int r;

        if (file) {
                r = file_read(file, WIRE_EAR_MAX, &text, err);
                if (r >= 0)
                        r = wire_ear_keys_parse(VIEW_BUF(&text), ret, err);
                return r < 0 ? err_wrap(err, "--keys %s", SHOW(file)) : 0;
        }
        r = api_open(s, API_VERIFIER, &api, err);
        if (r >= 0)
                r = api_send(api, &req, &answer, err);
        if (r >= 0)
                r = wire_ear_keys_parse(http_fetched_response(answer)->body, ret, err);
        return r;
}

/* A text file may end with a line feed; a token never has one. */
static struct view trimmed(const struct buf *b)
{
        struct view v = VIEW_BUF(b);

        while (v.len && (v.p[v.len - 1] == '\n' || v.p[v.len - 1] == '\r'))
                v.len--;
        return v;
}

static int set_vector(json_t *doc, const struct wire_ear *m)
{
        json_t *vector = json_object();
        int r = json_object_set_new(doc, "vector", vector);

        if (r < 0)
                return r; /* VECTOR is gone */
        for (size_t i = 0; i < EAR_N_CLAIMS; i++)
                if (m->vector[i] != EAR_NOT_APPRAISED)
                        r |= json_set_int(vector, ear_claim_name((enum ear_claim)i), m->vector[i]);
        return r;
}

static json_t *document_of(const struct wire_ear *m)
{
        AUTO(json_free_p) json_t *doc = output_document("result-verified");
        int r = doc ? 0 : -1;

        r |= json_set_str(doc, "host", m->host);
        r |= json_set_str(doc, "status", ear_status_name(m->status));
        r |= json_set_str(doc, "reason", m->reason);
        r |= json_set_str(doc, "state", m->state);
        r |= json_set_str(doc, "trust", m->trust);
        r |= json_set_bool(doc, "enforced", m->enforced);
        r |= json_set_str(doc, "policy", m->policy);
        r |= json_set_int(doc, "policy_version", m->policy_version);
        r |= json_set_str(doc, "ek_class", m->ek_class);
        r |= json_set_str(doc, "bound_by", m->ek_bound_by);
        r |= json_set_str(doc, "processor", m->tee);
        r |= json_set_str(doc, "processor_binding", m->tee_binding);
        r |= json_set_str(doc, "issuer", m->issuer);
        r |= json_set_str(doc, "audience", m->audience);
        r |= json_set_str(doc, "nonce", m->nonce);
        r |= json_set_time(doc, "evidence_at", m->evidence_s * 1000);
        r |= json_set_time(doc, "issued_at", m->issued_s * 1000);
        r |= json_set_time(doc, "expires_at", m->expires_s * 1000);
        r |= set_vector(doc, m);
        return r ? NULL : TAKE(doc);
}

static const struct column verify_lines[] = {
        {"Host", "host"},           {"Status", "status"},
        {"Reason", "reason"},       {"State", "state"},
        {"Trust", "trust"},         {"Enforced", "enforced"},
        {"Policy", "policy"},       {"Version", "policy_version"},
        {"EK class", "ek_class"},   {"Bound by", "bound_by"},
        {"Processor", "processor"}, {"Its binding", "processor_binding"},
        {"Issuer", "issuer"},       {"Audience", "audience"},
        {"Nonce", "nonce"},         {"Evidence", "evidence_at"},
        {"Issued", "issued_at"},    {"Expires", "expires_at"},
};

static int answer_of(const struct wire_ear *m, bool warning)
{
        if (m->status == EAR_AFFIRMING || (m->status == EAR_WARNING && warning))
                return ANSWER_DONE;
        return m->status == EAR_NONE ? ANSWER_UNDECIDED : ANSWER_NO;
}

static int run_verify(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct verify_values *v = values;
        const struct wire_ear_wish wish = {.audience = v->aud,
                                           .nonce = v->nonce,
                                           .issuer = v->issuer,
                                           .host = v->host,
                                           .now_s = clock_now_ms() / 1000};
        AUTO(wire_ear_keys_done) struct wire_ear_keys keys = {.n = 0};
        AUTO(wire_ear_done) struct wire_ear m = {.root = NULL};
        AUTO(buf_free) struct buf text = {0};
        AUTO(json_free_p) json_t *doc = NULL;
        const char *why = NULL;
        int r = check_wish(v->aud, v->nonce, err);

        (void)n_args; /* the table says one */
        if (r >= 0)
                r = file_read(args[0], WIRE_EAR_MAX, &text, err);
        if (r >= 0)
                r = load_keys(s, v->keys, &keys, err);
        if (r >= 0)
                r = wire_ear_check(trimmed(&text), &keys, &wish, &m, &why, err);
        if (r < 0)
                return r;
        if (why) {
                (void)fprintf(stderr, "%s: not to be believed: %s.\n", SHOW(args[0]), why);
                return ANSWER_NO;
        }
        doc = document_of(&m);
        r = doc ? output_record(s, doc, verify_lines, ARRAY_LEN(verify_lines), err) : err_nomem(err);
        return r < 0 ? r : answer_of(&m, v->warning);
}

const struct command result_commands[] = {
        {"result", "get", "HOST", "Gets a signed attestation result of a host, for somebody else to check",
         get_options, sizeof(struct get_values), 1, 1, run_get},
        {"result", "verify", "FILE", "Checks one: 0 affirming, 1 not to be trusted, 3 none", verify_options,
         sizeof(struct verify_values), 1, 1, run_verify},
        {0},
};
