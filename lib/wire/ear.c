/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EAR as a JWT. The names of claims are those that the libraries of the field read ("ear.status"); what they
 * do not know stands in the one object "avow". A claim of the vector that was not appraised is left out,
 * which AR4SI tells apart from a bad one.
 *
 * Checking is strict where a JWT library leaves it to its caller: audience, nonce, expiry and the time in
 * which the key was in use are all part of the answer.
 *
 * Spec: draft-ietf-rats-ear; draft-ietf-rats-ar4si §2.3; RFC 9711 §4.1, RFC 7519 §4.1, RFC 8725 §3.
 */
#include "wire/ear.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/jws.h"

#define SUBMOD "host"

const char *ear_status_name(enum ear_status status)
{
        static const char *const names[EAR_N_STATUS] = {"none", "affirming", "warning", "contraindicated"};

        return (size_t)status < EAR_N_STATUS ? names[status] : "none";
}

const char *ear_claim_name(enum ear_claim claim)
{
        static const char *const names[EAR_N_CLAIMS] = {"instance-identity", "configuration", "executables",
                                                        "hardware"};

        return (size_t)claim < EAR_N_CLAIMS ? names[claim] : "";
}

bool wire_ear_valid_name(const char *s)
{
        size_t n = strlen(s);

        for (size_t i = 0; i < n; i++)
                if (s[i] <= ' ' || s[i] > '~')
                        return false;
        return n > 0 && n <= WIRE_EAR_AUD_MAX;
}

bool wire_ear_valid_nonce(const char *s)
{
        size_t n = strlen(s);

        return n >= WIRE_EAR_NONCE_MIN && n <= WIRE_EAR_NONCE_MAX &&
               strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=") == n;
}

/* ---- making ---- */

/* Absent stays absent. */
static int set_text(json_t *j, const char *name, const char *value)
{
        return value ? json_set_str(j, name, value) : 0;
}

/* A new object inside of J, borrowed; NULL, and *R set, without memory. */
static json_t *put_object(json_t *j, const char *name, int *r)
{
        json_t *inner = json_object();

        if (json_object_set_new(j, name, inner) == 0)
                return inner;
        *r = -1;
        return NULL;
}

static json_t *submod(const struct wire_ear *m)
{
        AUTO(json_free_p) json_t *j = json_object();
        json_t *vector = NULL;
        int r = json_set_str(j, "ear.status", ear_status_name(m->status));

        for (size_t i = 0; i < EAR_N_CLAIMS; i++) {
                if (m->vector[i] == EAR_NOT_APPRAISED)
                        continue;
                if (!vector)
                        vector = put_object(j, "ear.trustworthiness-vector", &r);
                r |= json_set_int(vector, ear_claim_name((enum ear_claim)i), m->vector[i]);
        }
        if (m->policy)
                r |= json_object_set_new(j, "ear.appraisal-policy-id",
                                         json_sprintf("urn:avow:policy:%s:%lld:%s", m->policy,
                                                      (long long)m->policy_version,
                                                      m->policy_sha256 ? m->policy_sha256 : ""));
        return r ? NULL : TAKE(j);
}

static json_t *own_claims(const struct wire_ear *m)
{
        AUTO(json_free_p) json_t *j = json_object();
        int r = 0;
        json_t *ek = put_object(j, "ek", &r), *policy;

        r |= set_text(ek, "sha256", m->ek_sha256);
        r |= set_text(ek, "class", m->ek_class);
        r |= set_text(ek, "bound_by", m->ek_bound_by);
        r |= set_text(j, "ak_certificate", m->ak_certificate);
        r |= set_text(j, "verifier_id", m->verifier_id);
        r |= set_text(j, "tenant", m->tenant);
        r |= set_text(j, "state", m->state);
        r |= set_text(j, "trust", m->trust);
        r |= set_text(j, "wipe", m->wipe);
        r |= set_text(j, "reason", m->reason);
        r |= json_set_bool(j, "enforced", m->enforced);
        r |= json_set_int(j, "issued_at", m->issued_s);
        if (m->tee) {
                json_t *tee = put_object(j, "tee", &r);

                r |= json_set_str(tee, "kind", m->tee);
                r |= json_set_str(tee, "binding", m->tee_binding);
        }
        if (m->policy) {
                policy = put_object(j, "policy", &r);
                r |= json_set_str(policy, "name", m->policy);
                r |= json_set_int(policy, "version", m->policy_version);
                r |= set_text(policy, "sha256", m->policy_sha256);
        }
        return r ? NULL : TAKE(j);
}

static json_t *claims_of(const struct wire_ear *m)
{
        AUTO(json_free_p) json_t *j = json_object();
        int r = 0;
        json_t *verifier = put_object(j, "ear.verifier-id", &r), *submods = put_object(j, "submods", &r);

        r |= json_object_set_new(submods, SUBMOD, submod(m));
        if (m->tee)
                r |= json_object_set(submods, m->tee, m->tee_submod);
        r |= json_set_str(verifier, "developer", "avow");
        r |= json_set_str(verifier, "build", m->build);
        r |= json_set_str(j, "eat_profile", WIRE_EAR_PROFILE);
        r |= set_text(j, "eat_nonce", m->nonce);
        r |= json_set_str(j, "iss", m->issuer);
        r |= json_set_str(j, "sub", m->host);
        r |= json_set_str(j, "aud", m->audience);
        r |= json_set_int(j, "iat", m->evidence_s);
        r |= json_set_int(j, "exp", m->expires_s);
        r |= json_object_set_new(j, "avow", own_claims(m));
        return r ? NULL : TAKE(j);
}

int wire_ear_sign(const struct wire_ear *m, const struct key *key, char **ret, struct err *err)
{
        AUTO(json_free_p) json_t *claims = claims_of(m);
        AUTO(mem_free_p) char *text = claims ? json_print(claims) : NULL;

        if (!text)
                return err_nomem(err);
        return jws_sign(key, WIRE_EAR_TYP, view_str(text), ret, err);
}

/* ---- reading ---- */

static int read_submod(const json_t *root, struct wire_ear *m, struct err *err)
{
        const json_t *submods = NULL, *host = NULL, *vector = NULL;
        const char *status = NULL;
        int r = json_get_object(root, "submods", &submods, err);

        if (r >= 0)
                r = json_get_object(submods, SUBMOD, &host, err);
        if (r >= 0)
                r = json_get_str(host, "ear.status", &status, err);
        if (r < 0)
                return r;
        m->status = EAR_N_STATUS;
        for (size_t i = 0; i < EAR_N_STATUS; i++)
                if (str_equal(status, ear_status_name((enum ear_status)i)))
                        m->status = (enum ear_status)i;
        if (m->status == EAR_N_STATUS)
                return err_set(err, ERR_FORMAT, 0, "member 'ear.status': not one of AR4SI's four words");
        r = json_opt_object(host, "ear.trustworthiness-vector", &vector, err);
        for (size_t i = 0; r > 0 && i < EAR_N_CLAIMS; i++) {
                int64_t value = EAR_NOT_APPRAISED;
                int n = json_opt_int(vector, ear_claim_name((enum ear_claim)i), -128, 127, &value, err);

                if (n < 0)
                        return n;
                m->vector[i] = (int)value;
        }
        return r < 0 ? r : 0;
}

struct text_row {
        const char *name, **ret;
};

static int read_texts(const json_t *j, const struct text_row *rows, size_t n, struct err *err)
{
        int r = 0;

        for (size_t i = 0; i < n && r >= 0; i++)
                r = json_opt_str(j, rows[i].name, rows[i].ret, err);
        return r;
}

static int read_own(const json_t *root, struct wire_ear *m, struct err *err)
{
        const struct text_row texts[] = {{"ak_certificate", &m->ak_certificate},
                                         {"verifier_id", &m->verifier_id},
                                         {"tenant", &m->tenant},
                                         {"state", &m->state},
                                         {"trust", &m->trust},
                                         {"wipe", &m->wipe},
                                         {"reason", &m->reason}},
                              ek_texts[] = {{"sha256", &m->ek_sha256},
                                            {"class", &m->ek_class},
                                            {"bound_by", &m->ek_bound_by}},
                              tee_texts[] = {{"kind", &m->tee}, {"binding", &m->tee_binding}};
        const json_t *own = NULL, *ek = NULL, *policy = NULL, *tee = NULL;
        int r = json_get_object(root, "avow", &own, err);

        if (r >= 0)
                r = read_texts(own, texts, ARRAY_LEN(texts), err);
        if (r >= 0)
                r = json_get_bool(own, "enforced", &m->enforced, err);
        if (r >= 0)
                r = json_get_int(own, "issued_at", 0, INT64_MAX, &m->issued_s, err);
        if (r >= 0)
                r = json_get_object(own, "ek", &ek, err);
        if (r >= 0)
                r = read_texts(ek, ek_texts, ARRAY_LEN(ek_texts), err);
        if (r >= 0)
                r = json_opt_object(own, "tee", &tee, err);
        if (r > 0)
                r = read_texts(tee, tee_texts, ARRAY_LEN(tee_texts), err);
        if (r >= 0)
                r = json_opt_object(own, "policy", &policy, err);
        if (r <= 0)
                return r;
        r = json_get_str(policy, "name", &m->policy, err);
        if (r >= 0)
                r = json_get_int(policy, "version", 0, INT64_MAX, &m->policy_version, err);
        if (r >= 0)
                r = json_opt_str(policy, "sha256", &m->policy_sha256, err);
        return r;
}

static int read_claims(const json_t *root, struct wire_ear *m, struct err *err)
{
        const json_t *verifier = NULL;
        const char *profile = NULL;
        int r = json_get_str(root, "eat_profile", &profile, err);

        if (r >= 0 && !str_equal(profile, WIRE_EAR_PROFILE))
                r = err_set(err, ERR_FORMAT, 0, "member 'eat_profile': expected '%s'", WIRE_EAR_PROFILE);
        if (r >= 0)
                r = json_get_str(root, "iss", &m->issuer, err);
        if (r >= 0)
                r = json_get_str(root, "sub", &m->host, err);
        if (r >= 0)
                r = json_get_str(root, "aud", &m->audience, err);
        if (r >= 0)
                r = json_opt_str(root, "eat_nonce", &m->nonce, err);
        if (r >= 0)
                r = json_get_int(root, "iat", 0, INT64_MAX, &m->evidence_s, err);
        if (r >= 0)
                r = json_get_int(root, "exp", 0, INT64_MAX, &m->expires_s, err);
        if (r >= 0)
                r = json_get_object(root, "ear.verifier-id", &verifier, err);
        if (r >= 0)
                r = json_get_str(verifier, "build", &m->build, err);
        if (r >= 0)
                r = read_submod(root, m, err);
        if (r >= 0)
                r = read_own(root, m, err);
        return r < 0 ? r : 0;
}

int wire_ear_decode(struct view claims, struct wire_ear *ret, struct err *err)
{
        struct wire_ear m = {.root = NULL};
        int r = json_parse(claims, WIRE_EAR_MAX, &m.root, err);

        if (r >= 0)
                r = read_claims(m.root, &m, err);
        if (r < 0)
                wire_ear_done(&m);
        else
                *ret = m;
        return r;
}

void wire_ear_done(struct wire_ear *m)
{
        json_decref(m->root);
        *m = (struct wire_ear){.root = NULL};
}

/* ---- checking ---- */

static int read_key(const json_t *j, struct wire_ear_keys *keys, struct err *err)
{
        int r = jwk_parse(j, &keys->v[keys->n].key, err);

        if (r <= 0)
                return r;
        keys->n++;
        r = json_opt_int(j, "nbf", 0, INT64_MAX, &keys->v[keys->n - 1].since_s, err);
        if (r >= 0)
                r = json_opt_int(j, "exp", 0, INT64_MAX, &keys->v[keys->n - 1].until_s, err);
        return r;
}

int wire_ear_keys_parse(struct view text, struct wire_ear_keys *ret, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        struct wire_ear_keys keys = {.n = 0};
        const json_t *list = NULL;
        int r = json_parse(text, WIRE_EAR_MAX, &doc, err);

        if (r >= 0)
                r = json_get_array(doc, "keys", JWKS_KEYS_MAX, &list, err);
        for (size_t i = 0; r >= 0 && i < json_array_size(list); i++)
                r = read_key(json_array_get(list, i), &keys, err);
        if (r >= 0 && keys.n == 0)
                r = err_set(err, ERR_FORMAT, 0, "it holds no P-256 key");
        if (r < 0) {
                wire_ear_keys_done(&keys);
                return err_wrap(err, "key set");
        }
        *ret = keys;
        return 0;
}

void wire_ear_keys_done(struct wire_ear_keys *keys)
{
        for (size_t i = 0; i < keys->n; i++)
                pubkey_free(keys->v[i].key);
        *keys = (struct wire_ear_keys){.n = 0};
}

static const char *why_not(const struct wire_ear *m, const struct wire_ear_wish *wish, int64_t since_s,
                           int64_t until_s)
{
        if (!str_equal(m->audience, wish->audience))
                return "it is for another audience";
        if (wish->nonce && !str_equal(m->nonce, wish->nonce))
                return "it has not the nonce that was asked for: it may be an old one";
        if (wish->issuer && !str_equal(m->issuer, wish->issuer))
                return "it has another issuer";
        if (wish->host && !str_equal(m->host, wish->host))
                return "it speaks of another host";
        if (m->expires_s <= wish->now_s)
                return "it has expired";
        if (m->issued_s < since_s || (until_s && m->issued_s > until_s))
                return "its key was not in use when it was signed";
        return NULL;
}

int wire_ear_check(struct view token, const struct wire_ear_keys *keys, const struct wire_ear_wish *wish,
                   struct wire_ear *ret, const char **ret_why, struct err *err)
{
        AUTO(buf_free) struct buf claims = {0};
        struct wire_ear m = {.root = NULL};
        bool good = false;
        size_t i;
        int r = 0;

        for (i = 0; i < keys->n; i++) {
                r = jws_verify(keys->v[i].key, WIRE_EAR_TYP, token, &claims, &good, err);
                if (r < 0)
                        return r;
                if (good)
                        break;
        }
        *ret_why = "it is signed by none of the keys, or no result at all";
        if (!good)
                return 0;
        r = wire_ear_decode(VIEW_BUF(&claims), &m, err);
        if (r == -ERR_NOMEM)
                return r;
        if (r < 0) {
                err_clear(err);
                *ret_why = "what is signed is no result of this form";
                return 0;
        }
        *ret_why = why_not(&m, wish, keys->v[i].since_s, keys->v[i].until_s);
        if (*ret_why)
                wire_ear_done(&m);
        else
                *ret = m;
        return 0;
}
