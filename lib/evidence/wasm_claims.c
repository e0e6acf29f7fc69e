/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/wasm_claims.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/str.h"
#include "crypto/nkey.h"

/* The first is what is written. */
static const char *const section_names[] = {"wasmcloud_jwt", "jwt"};

#define SECONDS_MAX (INT64_MAX / 1000)
#define LIST_MAX    4096

void wasm_claims_done(struct wasm_claims *c)
{
        json_decref(c->doc);
        *c = (struct wasm_claims){0};
}

static bool is_listed(const char *name, const char *const *list, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (str_equal(name, list[i]))
                        return true;
        return false;
}

int wasm_claims_digest(const struct wasm *wasm, int64_t claims_revision, struct digest *ret, struct err *err)
{
        AUTO(buf_free) struct buf covered = {0};

        wasm_put_without(wasm, section_names, ARRAY_LEN(section_names),
                         claims_revision >= WASM_CLAIMS_REVISION, &covered);
        return buf_ok(&covered) ? digest_bytes(DIGEST_SHA256, VIEW_BUF(&covered), ret, err) : err_nomem(err);
}

/* ---- the token ---- */

struct token {
        struct view signed_part; /* header.payload */
        struct buf header, payload, signature;
};

static void token_done(struct token *t)
{
        buf_free(&t->header);
        buf_free(&t->payload);
        buf_free(&t->signature);
}

/* Parts TEXT at its first dot. Return: false if it has none. */
static bool part(struct view *text, struct view *ret)
{
        const uint8_t *dot = text->len ? memchr(text->p, '.', text->len) : NULL;

        if (!dot)
                return false;
        *ret = VIEW(text->p, (size_t)(dot - text->p));
        *text = VIEW(dot + 1, text->len - ret->len - 1);
        return true;
}

static int token_split(struct view text, struct token *ret, struct err *err)
{
        struct view rest = text, header, payload;
        int r;

        if (!part(&rest, &header) || !part(&rest, &payload))
                return err_set(err, ERR_FORMAT, 0, "it does not have three parts");
        ret->signed_part = VIEW(text.p, header.len + 1 + payload.len);
        r = base64url_decode(header, WASM_CLAIMS_TOKEN_MAX, &ret->header, err);
        if (r >= 0)
                r = base64url_decode(payload, WASM_CLAIMS_TOKEN_MAX, &ret->payload, err);
        if (r >= 0)
                r = base64url_decode(rest, WASM_CLAIMS_TOKEN_MAX, &ret->signature, err);
        return r;
}

/* Return: 0; -ERR_FORMAT, and *RET_ALGORITHM if it is the algorithm. */
static int check_header(const struct token *t, bool *ret_algorithm, struct err *err)
{
        AUTO(json_free_p) json_t *header = NULL;
        const char *alg = NULL, *typ = NULL;
        int r = json_parse(VIEW_BUF(&t->header), WASM_CLAIMS_TOKEN_MAX, &header, err);

        if (r >= 0)
                r = json_get_str(header, "alg", &alg, err);
        if (r >= 0 && !str_equal(alg, "Ed25519")) {
                *ret_algorithm = true;
                return err_set(err, ERR_FORMAT, 0, "the token's algorithm is %s; expected Ed25519",
                               SHOW(alg));
        }
        if (r >= 0)
                r = json_get_str(header, "typ", &typ, err);
        if (r >= 0 && !str_equal(typ, "jwt"))
                r = err_set(err, ERR_FORMAT, 0, "the token's type is %s; expected jwt", SHOW(typ));
        if (r >= 0 && json_object_get(header, "crit"))
                r = err_set(err, ERR_FORMAT, 0, "the token wants extensions (crit), and there are none here");
        return r;
}

static int opt_seconds(const json_t *doc, const char *name, bool *ret_there, int64_t *ret_ms, struct err *err)
{
        int64_t seconds = 0;
        int r = json_opt_int(doc, name, 0, SECONDS_MAX, &seconds, err);

        *ret_there = r > 0;
        *ret_ms = seconds * 1000;
        return r;
}

static bool is_hash(const char *text)
{
        return strlen(text) == 64 && strspn(text, "0123456789ABCDEF") == 64;
}

static int read_wascap(struct wasm_claims *c, struct err *err)
{
        const json_t *wascap = NULL;
        int r = json_get_object(c->doc, "wascap", &wascap, err);

        if (r >= 0)
                r = json_get_str(wascap, "hash", &c->hash, err);
        if (r >= 0 && !is_hash(c->hash))
                r = err_set(err, ERR_FORMAT, 0, "member 'hash': expected 64 upper-case digits, not %s",
                            SHOW(c->hash));
        if (r >= 0)
                r = json_opt_str(wascap, "name", &c->name, err);
        if (r >= 0)
                r = json_opt_str(wascap, "ver", &c->version, err);
        if (r >= 0)
                r = json_opt_int(wascap, "rev", INT32_MIN, INT32_MAX, &c->revision, err);
        if (r >= 0)
                r = json_opt_array(wascap, "caps", LIST_MAX, &c->capabilities, err);
        if (r >= 0)
                r = json_opt_array(wascap, "tags", LIST_MAX, &c->tags, err);
        return r < 0 ? err_wrap(err, "member 'wascap'") : 0;
}

/* KEY is the issuer's. */
static int read_claims(const struct token *t, struct wasm_claims *c, uint8_t key[ED25519_KEY_BYTES],
                       struct err *err)
{
        uint8_t subject[ED25519_KEY_BYTES];
        int r = json_parse(VIEW_BUF(&t->payload), WASM_CLAIMS_TOKEN_MAX, &c->doc, err);

        if (r >= 0)
                r = json_get_str(c->doc, "iss", &c->issuer, err);
        if (r >= 0)
                r = json_get_str(c->doc, "sub", &c->subject, err);
        if (r >= 0 && (r = nkey_parse(view_str(c->issuer), NKEY_ACCOUNT, key, err)) < 0)
                return err_wrap(err, "member 'iss'");
        if (r >= 0 && (r = nkey_parse(view_str(c->subject), NKEY_MODULE, subject, err)) < 0)
                return err_wrap(err, "member 'sub'");
        if (r >= 0)
                r = json_opt_int(c->doc, "wascap_revision", 0, INT32_MAX, &c->claims_revision, err);
        if (r >= 0)
                r = opt_seconds(c->doc, "nbf", &c->has_not_before, &c->not_before_ms, err);
        if (r >= 0)
                r = opt_seconds(c->doc, "exp", &c->has_expires, &c->expires_ms, err);
        return r < 0 ? r : read_wascap(c, err);
}

/* ---- the checks ---- */

/* Bad input is a failed check; what is left is an error. */
static int or_fail(struct tee_result *checks, const char *name, const char *reason, struct err *err)
{
        if (err->kind != ERR_FORMAT && err->kind != ERR_LIMIT)
                return -(int)err->kind;
        tee_fail(checks, name, reason, "%s", err->text);
        err_clear(err);
        return 0;
}

size_t wasm_claims_section(const struct wasm *wasm, struct view *ret)
{
        struct wasm_section s;
        size_t n = 0;

        for (size_t pos = 0; wasm_next(wasm, &pos, &s);)
                for (size_t i = 0; s.id == 0 && i < ARRAY_LEN(section_names); i++)
                        if (view_equal(s.name, view_str(section_names[i])) && n++ == 0)
                                *ret = s.content;
        return n;
}

/* Reads the token and checks its signature. Return: 1 if there are claims to go on with; 0; < 0. */
static int check_token(struct view text, struct wasm_claims *c, struct tee_result *checks, struct err *err)
{
        AUTO(token_done) struct token t = {.signed_part = VIEW_NONE};
        uint8_t key[ED25519_KEY_BYTES];
        bool algorithm = false, good = false;
        int r = token_split(text, &t, err);

        if (r >= 0)
                r = check_header(&t, &algorithm, err);
        if (r < 0)
                return algorithm ? or_fail(checks, "token-algorithm", "token-algorithm", err)
                                 : or_fail(checks, "claims", "claims-malformed", err);
        tee_pass(checks, "token-algorithm");
        r = read_claims(&t, c, key, err);
        if (r < 0)
                return or_fail(checks, "claims", "claims-malformed", err);
        tee_pass(checks, "claims");
        r = ed25519_verify(key, t.signed_part, VIEW_BUF(&t.signature), &good, err);
        if (r < 0)
                return r;
        if (good)
                tee_pass(checks, "token-signature");
        else
                tee_fail(checks, "token-signature", "token-signature", "it is not by %s", c->issuer);
        return 1;
}

static void check_dates(const struct wasm_claims *c, int64_t now_ms, struct tee_result *checks)
{
        if (c->has_expires && now_ms >= c->expires_ms)
                tee_fail(checks, "token-dates", "token-expired", "it was good until %lld s",
                         (long long)(c->expires_ms / 1000));
        else if (c->has_not_before && now_ms < c->not_before_ms)
                tee_fail(checks, "token-dates", "token-not-yet-valid", "it is good from %lld s on",
                         (long long)(c->not_before_ms / 1000));
        else
                tee_pass(checks, "token-dates");
}

static int check_hash(const struct digest *is, const struct wasm_claims *c, struct tee_result *checks,
                      struct err *err)
{
        AUTO(buf_free) struct buf claimed = {0};
        int r = hex_decode_any(view_str(c->hash), DIGEST_BYTES_MAX, &claimed, err);

        if (r < 0)
                return r;
        if (view_equal(VIEW_BUF(&claimed), digest_view(is)))
                tee_pass(checks, "module-hash");
        else
                tee_fail(checks, "module-hash", "module-hash-mismatch",
                         "the claims were made for another module: its hash is not %s", c->hash);
        return 0;
}

static void check_trust(const struct wasm_claims *c, const struct wasm_trust *trust,
                        struct tee_result *checks)
{
        if (is_listed(c->issuer, trust->accounts, trust->n_accounts))
                tee_pass(checks, "issuer");
        else
                tee_fail(checks, "issuer", "issuer-not-trusted",
                         "account %s is not among those that may sign", c->issuer);
        if (!trust->n_subjects)
                tee_skip(checks, "subject", "any module of these accounts is allowed");
        else if (is_listed(c->subject, trust->subjects, trust->n_subjects))
                tee_pass(checks, "subject");
        else
                tee_fail(checks, "subject", "subject-not-allowed", "module %s is not among those allowed",
                         c->subject);
        if (c->revision >= trust->revision_min)
                tee_pass(checks, "module-revision");
        else
                tee_fail(checks, "module-revision", "module-revision-too-old",
                         "it is revision %lld; %lld or newer is wanted", (long long)c->revision,
                         (long long)trust->revision_min);
}

/* One of the two: WASM to take the hash of, or the HASH. */
struct subject {
        const struct wasm *wasm;
        const struct digest *hash;
};

static int check_claims(struct view token, const struct subject *of, const struct wasm_trust *trust,
                        struct wasm_claims *c, struct tee_result *checks, struct err *err)
{
        struct digest hash;
        int r = check_token(token, c, checks, err);

        if (r <= 0)
                return r;
        check_dates(c, trust->now_ms, checks);
        r = of->hash ? 0 : wasm_claims_digest(of->wasm, c->claims_revision, &hash, err);
        if (r >= 0)
                r = check_hash(of->hash ? of->hash : &hash, c, checks, err);
        if (r < 0)
                return r;
        check_trust(c, trust, checks);
        return 1;
}

static int check_any(struct view token, const struct subject *of, const struct wasm_trust *trust,
                     struct wasm_claims *ret, struct tee_result *checks, enum wasm_signed *ret_signed,
                     struct err *err)
{
        int r = check_claims(token, of, trust, ret, checks, err);

        if (r <= 0)
                wasm_claims_done(ret);
        if (r <= 0 || tee_failed(checks))
                return r < 0 ? r : 0;
        checks->verdict = TEE_ACCEPT;
        *ret_signed = WASM_ACCEPTED;
        return 0;
}

int wasm_claims_check(const struct wasm *wasm, const struct wasm_trust *trust, struct wasm_claims *ret,
                      struct tee_result *checks, enum wasm_signed *ret_signed, struct err *err)
{
        const struct subject of = {.wasm = wasm};
        struct view token = VIEW_NONE;
        size_t n = wasm_claims_section(wasm, &token);

        *ret = (struct wasm_claims){0};
        *checks = (struct tee_result){.verdict = TEE_REJECT};
        *ret_signed = n ? WASM_REJECTED : WASM_UNSIGNED;
        if (n == 0)
                tee_fail(checks, "claims", "claims-missing", "no section named wasmcloud_jwt or jwt");
        else if (n > 1)
                tee_fail(checks, "claims", "claims-ambiguous", "%zu sections with claims", n);
        return n == 1 ? check_any(token, &of, trust, ret, checks, ret_signed, err) : 0;
}

int wasm_claims_check_token(struct view token, const struct digest *hash, const struct wasm_trust *trust,
                            struct wasm_claims *ret, struct tee_result *checks, enum wasm_signed *ret_signed,
                            struct err *err)
{
        const struct subject of = {.hash = hash};

        *ret = (struct wasm_claims){0};
        *checks = (struct tee_result){.verdict = TEE_REJECT};
        *ret_signed = WASM_REJECTED;
        return check_any(token, &of, trust, ret, checks, ret_signed, err);
}

int wasm_claims_digest_for(const struct wasm *wasm, struct view token, struct digest *ret, struct err *err)
{
        AUTO(token_done) struct token t = {.signed_part = VIEW_NONE};
        AUTO(wasm_claims_done) struct wasm_claims c = {.claims_revision = 0};
        uint8_t key[ED25519_KEY_BYTES];
        int r = token_split(token, &t, err);

        if (r >= 0)
                r = read_claims(&t, &c, key, err);
        if (r == -ERR_NOMEM)
                return r;
        if (r < 0) { /* it will be refused for that, whatever the hash */
                err_clear(err);
                c.claims_revision = WASM_CLAIMS_REVISION;
        }
        return wasm_claims_digest(wasm, c.claims_revision, ret, err);
}

/* ---- signing ---- */

static int put_token(const json_t *claims, const uint8_t seed[ED25519_KEY_BYTES], struct buf *token,
                     struct err *err)
{
        uint8_t signature[ED25519_SIGNATURE_BYTES];
        char *payload = json_print(claims);
        int r;

        if (!payload)
                return err_nomem(err);
        buf_base64url(token, view_str("{\"typ\":\"jwt\",\"alg\":\"Ed25519\"}"));
        buf_u8(token, '.');
        buf_base64url(token, view_str(payload));
        free(payload);
        if (!buf_ok(token))
                return err_nomem(err);
        r = ed25519_sign(VIEW(seed, ED25519_KEY_BYTES), VIEW_BUF(token), signature, err);
        if (r < 0)
                return r;
        buf_u8(token, '.');
        buf_base64url(token, VIEW_ARRAY(signature));
        return buf_ok(token) ? 0 : err_nomem(err);
}

int wasm_claims_sign(const struct wasm *wasm, json_t *claims, const uint8_t seed[ED25519_KEY_BYTES],
                     struct buf *out, struct err *err)
{
        AUTO(buf_free) struct buf token = {0};
        char hash[2 * DIGEST_BYTES_MAX + 1];
        json_t *wascap = json_object_get(claims, "wascap");
        struct digest digest;
        int r;

        if (!json_is_object(wascap))
                return err_set(err, ERR_FORMAT, 0, "claims without a 'wascap' object");
        r = wasm_claims_digest(wasm, WASM_CLAIMS_REVISION, &digest, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < digest.len; i++)
                (void)snprintf(hash + 2 * i, 3, "%02X", digest.b[i]);
        if (json_set_str(wascap, "hash", hash) |
            json_set_int(claims, "wascap_revision", WASM_CLAIMS_REVISION))
                return err_nomem(err);
        r = put_token(claims, seed, &token, err);
        if (r < 0)
                return r;
        wasm_put_without(wasm, section_names, ARRAY_LEN(section_names), true, out);
        wasm_put_custom(section_names[0], VIEW_BUF(&token), out);
        return buf_ok(out) ? 0 : err_nomem(err);
}
