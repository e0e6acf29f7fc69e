/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Web Signatures with ES256 and nothing else. The classic mistakes are letting the token choose its
 * algorithm ("none", or HMAC keyed with the public key), taking a key out of the token, and ignoring "crit":
 * here the algorithm is fixed, the key is the caller's, and a header with "crit", "jwk", "jku" or "x5u" is
 * refused.
 *
 * Spec: RFC 7515, RFC 7517, RFC 7518 §3.4, RFC 7638, RFC 8725 (best practice).
 */
#include "crypto/jws.h"

#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/digest.h"

#define HEADER_BYTES_MAX 4096
#define ES256_BYTES      64

/* x and y of a P-256 key, base64url. */
static int jwk_point(const struct pubkey *key, char **ret_x, char **ret_y, struct err *err)
{
        struct buf x = {0}, y = {0};
        int r;

        if (pubkey_curve(key) != CURVE_P256)
                return err_set(err, ERR_CRYPTO, 0, "ES256 needs a key on P-256");
        r = pubkey_ec_point(key, &x, &y, err);
        if (r >= 0) {
                *ret_x = base64url_encode(VIEW_BUF(&x));
                *ret_y = base64url_encode(VIEW_BUF(&y));
                r = *ret_x && *ret_y ? 0 : err_nomem(err);
        }
        buf_free(&x);
        buf_free(&y);
        return r;
}

int jwk_kid(const struct pubkey *key, char kid[JWK_KID_BYTES], struct err *err)
{
        AUTO(mem_free_p)
        char *x = NULL;
        AUTO(mem_free_p)
        char *y = NULL;
        AUTO(mem_free_p)
        char *text = NULL;
        AUTO(mem_free_p)
        char *encoded = NULL;
        struct digest digest;
        int r = jwk_point(key, &x, &y, err);

        if (r < 0)
                return r;
        /* RFC 7638 §3: the required members, sorted, without blanks. */
        text = str_fmt("{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", x, y);
        if (!text)
                return err_nomem(err);
        r = digest_bytes(DIGEST_SHA256, view_str(text), &digest, err);
        if (r < 0)
                return r;
        encoded = base64url_encode(digest_view(&digest));
        if (!encoded)
                return err_nomem(err);
        memcpy(kid, encoded, JWK_KID_BYTES - 1);
        kid[JWK_KID_BYTES - 1] = '\0';
        return 0;
}

int jwk_make(const struct pubkey *key, json_t **ret, struct err *err)
{
        AUTO(mem_free_p)
        char *x = NULL;
        AUTO(mem_free_p)
        char *y = NULL;
        AUTO(json_free_p)
        json_t *jwk = json_object();
        char kid[JWK_KID_BYTES];
        int r = jwk_kid(key, kid, err);

        if (r >= 0)
                r = jwk_point(key, &x, &y, err);
        if (r < 0)
                return r;
        if (json_set_str(jwk, "kty", "EC") | json_set_str(jwk, "crv", "P-256") | json_set_str(jwk, "x", x) |
            json_set_str(jwk, "y", y) | json_set_str(jwk, "use", "sig") | json_set_str(jwk, "alg", "ES256") |
            json_set_str(jwk, "kid", kid))
                return err_nomem(err);
        *ret = TAKE(jwk);
        return 0;
}

int jwks_make(const struct pubkey *const *keys, size_t n, char **ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *set = json_object();
        json_t *list = json_array(); /* the set's as soon as it is in */
        char *text;

        if (json_object_set_new(set, "keys", list) < 0)
                return err_nomem(err);
        for (size_t i = 0; i < n; i++) {
                json_t *jwk = NULL;
                int r = jwk_make(keys[i], &jwk, err);

                if (r < 0)
                        return r;
                if (json_array_append_new(list, jwk) < 0)
                        return err_nomem(err);
        }
        text = json_print(set);
        if (!text)
                return err_nomem(err);
        *ret = text;
        return 0;
}

static int make_header(const struct key *key, const char *typ, char **ret, struct err *err)
{
        AUTO(pubkey_free_p)
        struct pubkey *pub = NULL;
        AUTO(json_free_p)
        json_t *header = json_object();
        char kid[JWK_KID_BYTES];
        int r = key_public(key, &pub, err);

        if (r >= 0)
                r = jwk_kid(pub, kid, err);
        if (r < 0)
                return r;
        if (json_set_str(header, "alg", "ES256") | json_set_str(header, "kid", kid) ||
            (typ && json_set_str(header, "typ", typ) < 0))
                return err_nomem(err);
        *ret = json_print(header);
        return *ret ? 0 : err_nomem(err);
}

int jws_sign(const struct key *key, const char *typ, struct view payload, char **ret, struct err *err)
{
        AUTO(mem_free_p)
        char *header = NULL;
        struct buf token = {0}, sig = {0};
        int r = make_header(key, typ, &header, err);

        if (r < 0)
                return err_wrap(err, "JWS");
        buf_base64url(&token, view_str(header));
        buf_str(&token, ".");
        buf_base64url(&token, payload);
        r = buf_ok(&token) ? key_sign(key, DIGEST_SHA256, VIEW_BUF(&token), &sig, err) : err_nomem(err);
        if (r >= 0) {
                buf_str(&token, ".");
                buf_base64url(&token, VIEW_BUF(&sig));
                *ret = buf_take_str(&token);
                r = *ret ? 0 : err_nomem(err);
        }
        buf_free(&sig);
        buf_free(&token);
        return r;
}

/* Cuts TOKEN at its two dots. */
static bool split(struct view token, struct view ret[3])
{
        for (int i = 0; i < 2; i++) {
                const uint8_t *dot = token.len ? memchr(token.p, '.', token.len) : NULL;

                if (!dot)
                        return false;
                ret[i] = VIEW(token.p, (size_t)(dot - token.p));
                token = VIEW(dot + 1, token.len - ret[i].len - 1);
        }
        ret[2] = token;
        return !memchr(token.p, '.', token.len);
}

/* Running out of memory is a failure, anything else that goes wrong with a foreign text is an answer. */
static int answer(int r, const struct err *why, struct err *err)
{
        return r == -ERR_NOMEM ? (*err = *why, r) : r < 0 ? 0 : 1;
}

static bool header_says(const json_t *header, const char *typ)
{
        static const char *const refused[] = {"crit", "jwk", "jku", "x5u", "x5c", "b64", "zip", "enc"};
        const char *alg = NULL, *got = NULL;
        struct err why = ERR_INIT;

        for (size_t i = 0; i < ARRAY_LEN(refused); i++)
                if (json_object_get(header, refused[i]))
                        return false;
        return json_get_str(header, "alg", &alg, &why) == 0 && str_equal(alg, "ES256") &&
               json_opt_str(header, "typ", &got, &why) >= 0 && (!typ || str_equal(got, typ));
}

/* Return: 1 or 0; -ERR_NOMEM. */
static int header_ok(struct view part, const char *typ, struct err *err)
{
        AUTO(json_free_p)
        json_t *header = NULL;
        struct err why = ERR_INIT;
        struct buf text = {0};
        int r = base64url_decode(part, HEADER_BYTES_MAX, &text, &why);

        if (r >= 0)
                r = json_parse(VIEW_BUF(&text), HEADER_BYTES_MAX, &header, &why);
        buf_free(&text);
        r = answer(r, &why, err);
        return r > 0 ? header_says(header, typ) : r;
}

/* The signature's 64 bytes and the payload. Return: 1 or 0; -ERR_NOMEM. */
static int decode(const struct view part[3], struct buf *ret_sig, struct buf *ret_payload, struct err *err)
{
        struct err why = ERR_INIT;
        int r = base64url_decode(part[2], ES256_BYTES, ret_sig, &why);

        if (r >= 0)
                r = base64url_decode(part[1], JWS_BYTES_MAX, ret_payload, &why);
        r = answer(r, &why, err);
        return r > 0 ? ret_sig->len == ES256_BYTES : r;
}

int jws_verify(const struct pubkey *key, const char *typ, struct view token, struct buf *ret, bool *ret_good,
               struct err *err)
{
        struct signature sig = {.scheme = SIG_ECDSA, .hash = DIGEST_SHA256};
        struct buf raw = {0}, payload = {0};
        struct view part[3];
        bool good = false;
        int r = token.len <= JWS_BYTES_MAX && split(token, part) && pubkey_curve(key) == CURVE_P256;

        if (r > 0)
                r = header_ok(part[0], typ, err);
        if (r > 0)
                r = decode(part, &raw, &payload, err);
        if (r > 0) {
                sig.r = VIEW(raw.p, ES256_BYTES / 2);
                sig.s = VIEW(raw.p + ES256_BYTES / 2, ES256_BYTES / 2);
                r = pubkey_verify(key, &sig, VIEW(token.p, part[0].len + 1 + part[1].len), &good, err);
        }
        if (r >= 0 && good) {
                buf_put_view(ret, VIEW_BUF(&payload));
                r = buf_ok(ret) ? 0 : err_nomem(err);
        }
        if (r >= 0)
                *ret_good = good;
        buf_free(&raw);
        buf_free(&payload);
        return r < 0 ? r : 0;
}
