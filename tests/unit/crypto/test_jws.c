/* SPDX-License-Identifier: Apache-2.0 */
/* ES256 tokens and key sets. */
#include "support/support.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/json.h"
#include "crypto/jws.h"

/* RFC 7515 appendix A.3: key, header {"alg":"ES256"}, payload, signature. */
static const char rfc_x[] = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
static const char rfc_y[] = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
static const char rfc_token[] =
        "eyJhbGciOiJFUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290"
        "Ijp0cnVlfQ."
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

static struct pubkey *rfc_key(void)
{
        struct err err = ERR_INIT;
        struct buf x = {0}, y = {0};
        struct pubkey *pub = NULL;

        assert_ok(base64url_decode(view_str(rfc_x), 32, &x, &err), &err);
        assert_ok(base64url_decode(view_str(rfc_y), 32, &y, &err), &err);
        assert_ok(pubkey_from_ec(CURVE_P256, VIEW_BUF(&x), VIEW_BUF(&y), &pub, &err), &err);
        buf_free(&x);
        buf_free(&y);
        return pub;
}

static bool verify(const struct pubkey *pub, const char *typ, struct view token, struct buf *ret)
{
        struct err err = ERR_INIT;
        bool good = true;

        buf_reset(ret);
        assert_ok(jws_verify(pub, typ, token, ret, &good, &err), &err);
        if (!good)
                assert_int_equal(ret->len, 0);
        return good;
}

static void test_rfc7515(void **state)
{
        struct pubkey *pub = rfc_key();
        struct buf payload = {0};

        (void)state;
        assert_true(verify(pub, NULL, view_str(rfc_token), &payload));
        assert_view(VIEW_BUF(&payload),
                    "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}");
        assert_false(verify(pub, "audit", view_str(rfc_token), &payload));
        buf_free(&payload);
        pubkey_free(pub);
}

static void test_sign(void **state)
{
        struct err err = ERR_INIT;
        struct key *key = NULL, *other = NULL, *p384 = NULL;
        struct pubkey *pub = NULL, *other_pub = NULL, *p384_pub = NULL;
        struct buf payload = {0};
        char *token = NULL, *none = NULL;

        (void)state;
        assert_ok(key_generate_ec(CURVE_P256, &key, &err), &err);
        assert_ok(key_generate_ec(CURVE_P256, &other, &err), &err);
        assert_ok(key_generate_ec(CURVE_P384, &p384, &err), &err);
        assert_ok(key_public(key, &pub, &err), &err);
        assert_ok(key_public(other, &other_pub, &err), &err);
        assert_ok(key_public(p384, &p384_pub, &err), &err);
        assert_ok(jws_sign(key, "avow-audit", view_str("payload"), &token, &err), &err);
        assert_true(verify(pub, "avow-audit", view_str(token), &payload));
        assert_view(VIEW_BUF(&payload), "payload");
        assert_true(verify(pub, NULL, view_str(token), &payload));
        assert_false(verify(pub, "avow-aud", view_str(token), &payload));
        assert_false(verify(other_pub, "avow-audit", view_str(token), &payload));
        assert_false(verify(p384_pub, "avow-audit", view_str(token), &payload));
        assert_err(jws_sign(p384, NULL, view_str("payload"), &none, &err), ERR_CRYPTO, &err, "P-256");
        assert_null(none);
        free(token);
        buf_free(&payload);
        key_free(key);
        key_free(other);
        key_free(p384);
        pubkey_free(pub);
        pubkey_free(other_pub);
        pubkey_free(p384_pub);
}

/* Headers that must not be believed, each over a signature that is good for it. */
static void test_headers(void **state)
{
        static const struct {
                const char *header;
                bool good;
        } rows[] = {
                {"{\"alg\":\"ES256\"}", true},
                {"{\"alg\":\"ES256\",\"unknown\":1}", true},
                {"{\"alg\":\"none\"}", false},
                {"{\"alg\":\"HS256\"}", false},
                {"{\"alg\":\"es256\"}", false},
                {"{}", false},
                {"{\"alg\":\"ES256\",\"alg\":\"ES256\"}", false},
                {"{\"alg\":\"ES256\",\"crit\":[\"exp\"]}", false},
                {"{\"alg\":\"ES256\",\"jwk\":{}}", false},
                {"{\"alg\":\"ES256\",\"jku\":\"http://x\"}", false},
                {"{\"alg\":\"ES256\",\"b64\":false}", false},
                {"{\"alg\":\"ES256\",\"typ\":1}", false},
                {"[]", false},
                {"x", false},
        };
        struct err err = ERR_INIT;
        struct key *key = NULL;
        struct pubkey *pub = NULL;

        (void)state;
        assert_ok(key_generate_ec(CURVE_P256, &key, &err), &err);
        assert_ok(key_public(key, &pub, &err), &err);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct buf token = {0}, sig = {0}, payload = {0};

                buf_base64url(&token, view_str(rows[i].header));
                buf_str(&token, ".");
                buf_base64url(&token, view_str("p"));
                assert_ok(key_sign(key, DIGEST_SHA256, VIEW_BUF(&token), &sig, &err), &err);
                buf_str(&token, ".");
                buf_base64url(&token, VIEW_BUF(&sig));
                if (verify(pub, NULL, VIEW_BUF(&token), &payload) != rows[i].good)
                        fail_msg("%s", rows[i].header);
                buf_free(&token);
                buf_free(&sig);
                buf_free(&payload);
        }
        key_free(key);
        pubkey_free(pub);
}

static void must_be_bad(struct view token, const char *what, void *ctx)
{
        struct buf payload = {0};

        if (verify(ctx, NULL, token, &payload))
                fail_msg("good after %s", what);
        buf_free(&payload);
}

static void test_malformed(void **state)
{
        struct pubkey *pub = rfc_key();

        (void)state;
        each_truncation(view_str(rfc_token), must_be_bad, pub);
        each_bit_flip(view_str(rfc_token), must_be_bad, pub);
        must_be_bad(view_str("..."), "dots", pub);
        must_be_bad(view_str(".."), "dots", pub);
        pubkey_free(pub);
}

static void test_jwks(void **state)
{
        struct err err = ERR_INIT;
        struct pubkey *pub = rfc_key();
        const struct pubkey *keys[] = {pub};
        char kid[JWK_KID_BYTES], *text = NULL;
        json_t *set = NULL;
        const json_t *jwk;
        const char *s = NULL;

        (void)state;
        assert_ok(jwk_kid(pub, kid, &err), &err);
        assert_ok(jwks_make(keys, 1, &text, &err), &err);
        assert_ok(json_parse(view_str(text), 4096, &set, &err), &err);
        jwk = json_array_get(json_object_get(set, "keys"), 0);
        assert_ok(json_get_str(jwk, "x", &s, &err), &err);
        assert_string_equal(s, rfc_x);
        assert_ok(json_get_str(jwk, "y", &s, &err), &err);
        assert_string_equal(s, rfc_y);
        assert_ok(json_get_str(jwk, "kid", &s, &err), &err);
        assert_string_equal(s, kid);
        assert_int_equal(strlen(kid), 43);
        json_decref(set);
        free(text);
        pubkey_free(pub);
}

static int run_sign(void *ctx, struct err *err)
{
        AUTO(mem_free_p)
        char *token = NULL;

        return jws_sign(ctx, "t", view_str("p"), &token, err);
}

static void test_oom(void **state)
{
        struct err err = ERR_INIT;
        struct key *key = NULL;
        struct pubkey *pub = rfc_key();
        bool met = true;

        (void)state;
        assert_ok(key_generate_ec(CURVE_P256, &key, &err), &err);
        oom_each(run_sign, key);
        /* Checking: jansson calls a token that it has no memory for invalid, so "bad" is allowed, but no
         * leak. */
        for (size_t n = 1; met; n++) {
                struct buf payload = {0};
                bool good = false;
                int r;

                oom_at(n);
                r = jws_verify(pub, NULL, view_str(rfc_token), &payload, &good, &err);
                met = oom_off();
                assert_true(r == 0 || r == -ERR_NOMEM);
                assert_int_equal(r == 0 && good, payload.len > 0);
                assert_true(met || good);
                buf_free(&payload);
        }
        key_free(key);
        pubkey_free(pub);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rfc7515),   cmocka_unit_test(test_sign), cmocka_unit_test(test_headers),
                cmocka_unit_test(test_malformed), cmocka_unit_test(test_jwks), cmocka_unit_test(test_oom),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
