/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Permits. The agent's TPM half reads them, and what it reads it lets run: so nothing of a permit is looked
 * at before its signature was found good, all of it is read strictly then, and the launch that it is for
 * stands in it whole, so that the comparison is with what the verifier saw.
 *
 * Spec: SR-20, SR-23; RFC 7519; docs/protocol.md, "Launches".
 */
#include "wire/permit.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "crypto/jws.h"
#include "wire/field.h"

#define SECONDS_MAX (INT64_MAX / 1000)

static const char *const ends[] = {[PERMIT_KILL] = "kill", [PERMIT_FINISH] = "finish"};

const char *permit_end_name(enum permit_end end)
{
        return ends[end];
}

bool permit_end_by_name(const char *name, enum permit_end *ret)
{
        for (size_t i = 0; i < ARRAY_LEN(ends); i++)
                if (str_equal(name, ends[i])) {
                        *ret = (enum permit_end)i;
                        return true;
                }
        return false;
}

/* ---- writing ---- */

static void put_policy(struct json_out *o, const char *kind, const struct permit_policy *p)
{
        json_out_object(o, NULL);
        json_out_str(o, "kind", kind);
        json_out_str(o, "name", p->name);
        json_out_hex(o, "sha256", digest_view(&p->sha256));
        json_out_int(o, "version", p->version);
        json_out_object_end(o);
}

static void put_claims(struct json_out *o, const struct permit_claims *c)
{
        json_out_object(o, "claims");
        json_out_str(o, "issuer", c->issuer);
        if (c->name[0])
                json_out_str(o, "name", c->name);
        json_out_int(o, "revision", c->revision);
        json_out_str(o, "subject", c->subject);
        if (c->version[0])
                json_out_str(o, "version", c->version);
        json_out_object_end(o);
}

static void put_permit(struct json_out *o, const struct permit *p)
{
        json_out_object(o, NULL);
        json_out_int(o, "cache", p->cache_s);
        if (p->has_claims)
                put_claims(o, &p->claims);
        json_out_int(o, "exp", p->expires_at_s);
        json_out_int(o, "iat", p->issued_at_s);
        json_out_str(o, "iss", p->verifier);
        json_out_str(o, "jti", p->id);
        launch_put(o, "launch", &p->launch);
        json_out_hex(o, "launch_digest", digest_view(&p->launch_digest));
        json_out_str(o, "on_revocation", permit_end_name(p->on_revocation));
        json_out_array(o, "policies");
        if (p->has_host_policy)
                put_policy(o, "host", &p->host_policy);
        put_policy(o, "modules", &p->policy);
        json_out_array_end(o);
        json_out_int(o, "policy_line", p->line);
        json_out_str(o, "sub", p->launch.host);
        json_out_str(o, "tenant", p->tenant);
        json_out_object_end(o);
}

/* ---- reading ---- */

static int read_policy(const json_t *j, const char *want, struct permit_policy *ret, struct err *err)
{
        static const char *const members[] = {"kind", "name", "sha256", "version"};
        const char *kind = NULL;
        int r = json_only(j, members, ARRAY_LEN(members), err);

        if (r >= 0)
                r = json_get_str(j, "kind", &kind, err);
        if (r >= 0 && !str_equal(kind, want))
                r = err_set(err, ERR_FORMAT, 0, "member 'kind': expected '%s'", want);
        if (r >= 0)
                r = field_name(j, "name", ret->name, sizeof(ret->name), err);
        if (r >= 0)
                r = field_sha256(j, "sha256", &ret->sha256, err);
        return r < 0 ? r : json_get_int(j, "version", 0, INT64_MAX, &ret->version, err);
}

static int read_policies(const json_t *j, struct permit *p, struct err *err)
{
        const json_t *list = NULL;
        int64_t line = 0;
        int r = json_get_array(j, "policies", 2, &list, err);
        size_t n = json_array_size(list);

        if (r >= 0 && n == 0)
                r = err_set(err, ERR_FORMAT, 0, "expected at least one");
        p->has_host_policy = n == 2;
        if (r >= 0 && n == 2)
                r = read_policy(json_array_get(list, 0), "host", &p->host_policy, err);
        if (r >= 0)
                r = read_policy(json_array_get(list, n - 1), "modules", &p->policy, err);
        if (r < 0)
                return err_wrap(err, "member 'policies'");
        r = json_get_int(j, "policy_line", 0, UINT32_MAX, &line, err);
        p->line = (uint32_t)line;
        return r;
}

/* A text into an array of SIZE bytes. */
static int read_into(const json_t *j, const char *name, bool needed, char *ret, size_t size, struct err *err)
{
        const char *s = NULL;
        int r = needed ? json_get_str(j, name, &s, err) : json_opt_str(j, name, &s, err);

        if (r < 0 || !s)
                return r;
        if (strlen(s) >= size)
                return err_set(err, ERR_LIMIT, 0, "member '%s': more than %zu bytes", name, size - 1);
        memcpy(ret, s, strlen(s) + 1);
        return 0;
}

static int read_claims(const json_t *j, struct permit *p, struct err *err)
{
        static const char *const members[] = {"issuer", "name", "revision", "subject", "version"};
        struct permit_claims *c = &p->claims;
        const json_t *claims = NULL;
        int r = json_opt_object(j, "claims", &claims, err);

        if (r <= 0)
                return r;
        p->has_claims = true;
        r = json_only(claims, members, ARRAY_LEN(members), err);
        if (r >= 0)
                r = read_into(claims, "issuer", true, c->issuer, sizeof(c->issuer), err);
        if (r >= 0)
                r = read_into(claims, "subject", true, c->subject, sizeof(c->subject), err);
        if (r >= 0)
                r = read_into(claims, "name", false, c->name, sizeof(c->name), err);
        if (r >= 0)
                r = read_into(claims, "version", false, c->version, sizeof(c->version), err);
        if (r >= 0)
                r = json_get_int(claims, "revision", INT32_MIN, INT32_MAX, &c->revision, err);
        return r < 0 ? err_wrap(err, "member 'claims'") : 0;
}

/* The launch, and its digest, which must be its. */
static int read_launch(const json_t *j, struct permit *p, struct err *err)
{
        const json_t *launch = NULL;
        const char *host = NULL;
        struct digest want;
        int r = json_get_object(j, "launch", &launch, err);

        if (r >= 0 && (r = launch_from_json(launch, &p->launch, err)) < 0)
                return err_wrap(err, "member 'launch'");
        if (r >= 0)
                r = field_sha256(j, "launch_digest", &p->launch_digest, err);
        if (r >= 0)
                r = launch_digest(&p->launch, &want, err);
        if (r >= 0 && !digest_equal(&want, &p->launch_digest))
                r = err_set(err, ERR_FORMAT, 0, "member 'launch_digest' is that of another launch");
        if (r >= 0)
                r = json_get_str(j, "sub", &host, err);
        if (r >= 0 && !str_equal(host, p->launch.host))
                r = err_set(err, ERR_FORMAT, 0, "member 'sub' is another host than the launch's");
        return r;
}

static int read_times(const json_t *j, struct permit *p, struct err *err)
{
        int r = json_get_int(j, "iat", 0, SECONDS_MAX, &p->issued_at_s, err);

        if (r >= 0)
                r = json_get_int(j, "exp", 0, SECONDS_MAX, &p->expires_at_s, err);
        if (r >= 0)
                r = json_get_int(j, "cache", 0, LAUNCH_CACHE_MAX_S, &p->cache_s, err);
        if (r >= 0 &&
            (p->expires_at_s <= p->issued_at_s || p->expires_at_s - p->issued_at_s > LAUNCH_PERMIT_MAX_S))
                r = err_set(err, ERR_FORMAT, 0, "member 'exp': expected 1 to %d seconds after 'iat'",
                            LAUNCH_PERMIT_MAX_S);
        return r;
}

static int read_permit(struct view text, struct permit *p, struct err *err)
{
        static const char *const members[] = {
                "cache",         "claims",        "exp",      "iat",         "iss", "jti",   "launch",
                "launch_digest", "on_revocation", "policies", "policy_line", "sub", "tenant"};
        AUTO(json_free_p) json_t *j = NULL;
        const char *end = NULL;
        int r = json_parse(text, WIRE_PERMIT_MAX, &j, err);

        if (r >= 0)
                r = json_only(j, members, ARRAY_LEN(members), err);
        if (r >= 0)
                r = read_into(j, "jti", true, p->id, sizeof(p->id), err);
        if (r >= 0)
                r = read_into(j, "iss", true, p->verifier, sizeof(p->verifier), err);
        if (r >= 0 && (!uuid_valid(p->id) || !uuid_valid(p->verifier)))
                r = err_set(err, ERR_FORMAT, 0, "member 'jti' or 'iss': not a UUID");
        if (r >= 0)
                r = field_name(j, "tenant", p->tenant, sizeof(p->tenant), err);
        if (r >= 0)
                r = read_launch(j, p, err);
        if (r >= 0)
                r = read_times(j, p, err);
        if (r >= 0)
                r = json_get_str(j, "on_revocation", &end, err);
        if (r >= 0 && !permit_end_by_name(end, &p->on_revocation))
                r = err_set(err, ERR_FORMAT, 0, "member 'on_revocation': expected 'kill' or 'finish'");
        if (r >= 0)
                r = read_claims(j, p, err);
        return r < 0 ? r : read_policies(j, p, err);
}

int permit_open(struct view jws, struct pubkey *const *keys, size_t n_keys, struct permit *ret,
                bool *ret_good, struct err *err)
{
        AUTO(buf_free) struct buf payload = {0};
        struct permit p = {.cache_s = 0};
        bool good = false;
        int r = 0;

        for (size_t i = 0; r >= 0 && !good && i < n_keys; i++)
                r = jws_verify(keys[i], PERMIT_TYP, jws, &payload, &good, err);
        if (r >= 0 && good && (r = read_permit(VIEW_BUF(&payload), &p, err)) < 0)
                return err_wrap(err, "permit");
        if (r < 0)
                return r;
        if (good)
                *ret = p;
        *ret_good = good;
        return 0;
}

int permit_sign(const struct permit *p, const struct key *key, char **ret, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        struct json_out o = json_out_to(&text, false);
        struct permit again = {.cache_s = 0};
        int r;

        put_permit(&o, p);
        if (!buf_ok(&text))
                return err_nomem(err);
        r = read_permit(VIEW_BUF(&text), &again, err); /* what the agent would not take is not signed */
        return r < 0 ? err_wrap(err, "permit") : jws_sign(key, PERMIT_TYP, VIEW_BUF(&text), ret, err);
}

/* ---- what it allows ---- */

/* Why L is not what a permit from the cache is good for, or NULL. */
static const char *differs(const struct launch *a, const struct launch *b)
{
        if (!digest_equal(&a->sha256, &b->sha256) || !digest_equal(&a->sha384, &b->sha384) ||
            a->size != b->size)
                return "it was for another module";
        if (!str_equal(a->runtime, b->runtime) || !digest_equal(&a->closure, &b->closure))
                return "it was for another runtime, or another version of it";
        if (!str_equal(a->host, b->host) || !str_equal(a->tenant, b->tenant))
                return "it was for another host or tenant";
        return b->n_secrets ? "secrets are not released from the cache" : NULL;
}

/* P's own launch: the same in every member, for one spelling is one text. */
static bool is_its_own(const struct permit *p, const struct launch *l)
{
        struct err err = ERR_INIT;
        struct digest d;

        return launch_digest(l, &d, &err) >= 0 && digest_equal(&d, &p->launch_digest);
}

static enum permit_answer decide(const struct permit *p, const struct launch *l, int64_t now_ms,
                                 const char **ret_why)
{
        *ret_why = NULL;
        if (now_ms < p->issued_at_s * 1000 - PERMIT_SKEW_MS) {
                *ret_why = "it is not valid yet: one of the two clocks is wrong";
                return PERMIT_NO;
        }
        if (is_its_own(p, l) && now_ms < p->expires_at_s * 1000)
                return PERMIT_ITS_LAUNCH;
        *ret_why = differs(&p->launch, l);
        if (*ret_why)
                return PERMIT_NO;
        if (!p->cache_s || now_ms >= (p->issued_at_s + p->cache_s) * 1000) {
                *ret_why = p->cache_s ? "its time in the cache is over" : "it is over, or was for one launch";
                return PERMIT_NO;
        }
        return PERMIT_FROM_CACHE;
}

enum permit_answer permit_allows(const struct permit *p, const struct launch *l, int64_t now_ms,
                                 const char **ret_why)
{
        const char *why;
        enum permit_answer answer = decide(p, l, now_ms, &why);

        if (ret_why)
                *ret_why = why;
        return answer;
}
