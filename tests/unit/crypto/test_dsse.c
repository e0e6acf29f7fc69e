/* SPDX-License-Identifier: Apache-2.0 */
/* Signed envelopes. */
#include "crypto/dsse.h"

#include <stdlib.h>

#include "support/support.h"

/* The example of DSSE's protocol.md: its key, and its signature as two numbers. */
static const char spec_pem[] = "-----BEGIN PUBLIC KEY-----\n"
                               "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZ805D3eqNZywjCI19lInBJOp7YMr\n"
                               "CrzAH3CVTAOQ0jgMeCvVTiaRJaRPRDOv8UMs6U4SvKc6pnrIDOoSYI3fdA==\n"
                               "-----END PUBLIC KEY-----\n";
#define SPEC_SIG     "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="
#define SPEC_SIG_URL "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F-FnZ-O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA"
static const char spec_text[] = "{\"payload\": \"aGVsbG8gd29ybGQ=\", \"payloadType\": "
                                "\"http://example.com/HelloWorld\", \"unknown\": 1, "
                                "\"signatures\": [{\"sig\": \"" SPEC_SIG "\"}]}";
/* The same key over a Keylime policy, signed by Python's cryptography as Keylime does: DER. */
static const char keylime_text[] =
        "{\"payload\":\"eyJtZXRhIjp7fX0=\",\"payloadType\":\"application/vnd.keylime+json\",\"signatures\":"
        "[{\"keyid\":\"0208b83a6f7cb3a71b25443312dc3063661cd8f474cfe938f3c2568f7d465a8d\",\"sig\":"
        "\"MEYCIQDHxf2UyuurvwkrD5YjbvRjaiCH/eL9KX5ILhqfk8rHfAIhAK1hixGDrqMneIp+yy2VLSnZ86EZh/"
        "qdFYLuHfsiAz5P\"}]"
        "}";

static struct pubkey *spec_key(void)
{
        struct pubkey *key = NULL;
        struct err err = ERR_INIT;

        assert_ok(pubkey_from_pem(view_str(spec_pem), &key, &err), &err);
        return key;
}

static bool good(const char *text, const struct pubkey *key)
{
        struct dsse d;
        struct err err = ERR_INIT;
        size_t which = 7;
        bool ret = false;

        assert_ok(dsse_parse(view_str(text), &d, &err), &err);
        assert_ok(dsse_verify(&d, &key, 1, &ret, &which, &err), &err);
        assert_int_equal(which, ret ? 0 : 7);
        dsse_done(&d);
        return ret;
}

static void known_answers(void **state)
{
        struct pubkey *key = spec_key();
        struct buf pae = {0};
        struct dsse d;
        struct err err = ERR_INIT;
        char *keyid = NULL;

        (void)state;
        dsse_pae(&pae, view_str("http://example.com/HelloWorld"), view_str("hello world"));
        assert_view(VIEW_BUF(&pae), "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
        buf_free(&pae);
        assert_true(good(spec_text, key));
        assert_true(good(keylime_text, key));
        assert_true(
                good("{\"payload\": \"aGVsbG8gd29ybGQ\", \"payloadType\": \"http://example.com/HelloWorld\","
                     "\"signatures\": [{\"sig\": \"\"}, {\"keyid\": \"x\", \"sig\": \"" SPEC_SIG_URL "\"}]}",
                     key));
        assert_ok(dsse_keyid(key, &keyid, &err), &err);
        assert_string_equal(keyid, "0208b83a6f7cb3a71b25443312dc3063661cd8f474cfe938f3c2568f7d465a8d");
        free(keyid);
        assert_ok(dsse_parse(view_str(keylime_text), &d, &err), &err);
        assert_string_equal(d.type, DSSE_TYPE_KEYLIME);
        assert_view(VIEW_BUF(&d.payload), "{\"meta\":{}}");
        assert_int_equal(d.n_signatures, 1);
        assert_memory_equal(d.signatures[0].keyid, "0208", 4);
        dsse_done(&d);
        pubkey_free(key);
}

static void wrong_ones(void **state)
{
        struct pubkey *key = spec_key();

        (void)state;
        /* another type, another payload, no signature that is one */
        assert_false(
                good("{\"payload\": \"aGVsbG8gd29ybGQ=\", \"payloadType\": \"http://example.com/HelloWorle\","
                     "\"signatures\": [{\"sig\": \"" SPEC_SIG "\"}]}",
                     key));
        assert_false(good(
                "{\"payload\": \"aGVsbG8gd29ybGR=\", \"payloadType\": \"http://example.com/HelloWorld 1\","
                "\"signatures\": [{\"sig\": \"" SPEC_SIG "\"}]}",
                key));
        assert_false(good("{\"payload\": \"\", \"payloadType\": \"\", \"signatures\": [{\"sig\": \"AAAA\"}]}",
                          key));
        pubkey_free(key);
}

/* An envelope with KEY's signature, as text. */
static int sign(const struct key *key, char **ret, struct err *err)
{
        struct pubkey *pub = NULL;
        struct dsse d = {0};
        struct buf pae = {0}, raw = {0};
        int r = dsse_new("type", view_str("payload"), &d, err);

        if (r >= 0)
                r = key_public(key, &pub, err);
        if (r >= 0) {
                dsse_pae(&pae, view_str(d.type), VIEW_BUF(&d.payload));
                r = key_sign(key, DIGEST_SHA256, VIEW_BUF(&pae), &raw, err);
        }
        if (r >= 0)
                r = dsse_add(&d, pub, VIEW_BUF(&raw), err);
        if (r >= 0)
                r = dsse_text(&d, ret, err);
        pubkey_free(pub);
        buf_free(&pae);
        buf_free(&raw);
        dsse_done(&d);
        return r;
}

static void sign_and_verify(void **state)
{
        static const enum pubkey_curve curves[] = {CURVE_P256, CURVE_P384, CURVE_P521};
        const struct pubkey *keys[3];
        struct pubkey *pub[3] = {NULL}, *rsa_pub = NULL;
        struct key *key = NULL, *rsa = NULL;
        struct err err = ERR_INIT;
        struct dsse d;
        size_t which;
        char *text = NULL;
        bool ok;

        (void)state;
        for (size_t i = 0; i < 3; i++) {
                key_free(key);
                key = NULL;
                assert_ok(key_generate_ec(curves[i], &key, &err), &err);
                assert_ok(key_public(key, &pub[i], &err), &err);
                keys[i] = pub[i];
                free(text);
                text = NULL;
                assert_ok(sign(key, &text, &err), &err);
                assert_ok(dsse_parse(view_str(text), &d, &err), &err);
                assert_view(VIEW_BUF(&d.payload), "payload");
                assert_ok(dsse_verify(&d, keys, i + 1, &ok, &which, &err), &err);
                assert_true(ok);
                assert_int_equal(which, i);
                assert_ok(dsse_verify(&d, keys, i, &ok, &which, &err), &err); /* not by the ones before */
                assert_false(ok);
                dsse_done(&d);
        }
        assert_ok(key_generate_rsa(2048, &rsa, &err), &err);
        assert_ok(key_public(rsa, &rsa_pub, &err), &err);
        assert_false(good(text, rsa_pub));
        free(text);
        text = NULL;
        assert_err(sign(rsa, &text, &err), ERR_CRYPTO, &err, "EC key");
        assert_null(text);
        for (size_t i = 0; i < 3; i++)
                pubkey_free(pub[i]);
        pubkey_free(rsa_pub);
        key_free(rsa);
        key_free(key);
}

/* Two people sign one after the other; what is no signature of the key's is not taken. */
static void several(void **state)
{
        struct pubkey *pub[2] = {NULL};
        struct key *key[2] = {NULL};
        struct err err = ERR_INIT;
        struct dsse d, back;
        struct buf pae = {0}, raw[2] = {{0}};
        char *text = NULL;
        size_t which;
        bool ok;

        (void)state;
        assert_ok(dsse_new("type", view_str("payload"), &d, &err), &err);
        dsse_pae(&pae, view_str("type"), view_str("payload"));
        for (size_t i = 0; i < 2; i++) {
                assert_ok(key_generate_ec(CURVE_P256, &key[i], &err), &err);
                assert_ok(key_public(key[i], &pub[i], &err), &err);
                assert_ok(key_sign(key[i], DIGEST_SHA256, VIEW_BUF(&pae), &raw[i], &err), &err);
        }
        assert_err(dsse_add(&d, pub[1], VIEW_BUF(&raw[0]), &err), ERR_CRYPTO, &err, "not its key's");
        assert_err(dsse_add(&d, pub[1], VIEW(raw[1].p, 63), &err), ERR_CRYPTO, &err, NULL);
        assert_int_equal(d.n_signatures, 0);
        for (size_t i = 0; i < 2; i++)
                assert_ok(dsse_add(&d, pub[i], VIEW_BUF(&raw[i]), &err), &err);
        assert_ok(dsse_text(&d, &text, &err), &err);
        assert_ok(dsse_parse(view_str(text), &back, &err), &err);
        assert_int_equal(back.n_signatures, 2);
        for (size_t i = 0; i < 2; i++) {
                const struct pubkey *one = pub[i];

                assert_ok(dsse_verify(&back, &one, 1, &ok, &which, &err), &err);
                assert_true(ok);
                pubkey_free(pub[i]);
        }
        while (d.n_signatures < DSSE_SIGNATURES_MAX) {
                struct pubkey *again = NULL;

                assert_ok(key_public(key[0], &again, &err), &err);
                assert_ok(dsse_add(&d, again, VIEW_BUF(&raw[0]), &err), &err);
                if (d.n_signatures == DSSE_SIGNATURES_MAX)
                        assert_err(dsse_add(&d, again, VIEW_BUF(&raw[0]), &err), ERR_LIMIT, &err, "16");
                pubkey_free(again);
        }
        free(text);
        dsse_done(&back);
        dsse_done(&d);
        buf_free(&pae);
        for (size_t i = 0; i < 2; i++) {
                buf_free(&raw[i]);
                key_free(key[i]);
        }
}

static void malformed(void **state)
{
        static const struct {
                const char *text, *why;
        } rows[] = {
                {"[]", "object"},
                {"{}", "payloadType"},
                {"{\"payloadType\":\"a\"}", "'payload'"},
                {"{\"payloadType\":\"a\",\"payload\":\"!\"}", "'payload'"},
                {"{\"payloadType\":\"a\",\"payload\":\"\"}", "signatures"},
                {"{\"payloadType\":\"a\",\"payload\":\"\",\"signatures\":[]}", "there is none"},
                {"{\"payloadType\":\"a\",\"payload\":\"\",\"signatures\":[1]}", "item 0"},
                {"{\"payloadType\":\"a\",\"payload\":\"\",\"signatures\":[{\"sig\":\"\"},{}]}", "item 1"},
                {"{\"payloadType\":\"a\",\"payload\":\"\",\"signatures\":[{\"sig\":\"\",\"keyid\":1}]}",
                 "keyid"},
                {"{\"payloadType\":\"a\",\"payload\":\"\",\"payload\":\"\",\"signatures\":[{\"sig\":\"\"}]}",
                 "JSON"},
        };
        struct err err = ERR_INIT;
        struct dsse d;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                POISON(d);
                assert_err(dsse_parse(view_str(rows[i].text), &d, &err), ERR_FORMAT, &err, rows[i].why);
                assert_poisoned(d);
        }
}

/* No changed envelope is good, unless it says the same: bits that neither payload, type nor signature has. */
static void flipped(struct view bytes, const char *what, void *ctx)
{
        const struct pubkey *key = ctx;
        struct err err = ERR_INIT;
        struct dsse d;
        size_t which;
        bool ok = false;

        if (dsse_parse(bytes, &d, &err) < 0)
                return;
        assert_ok(dsse_verify(&d, &key, 1, &ok, &which, &err), &err);
        if (ok && (d.payload.len != 11 || memcmp(d.payload.p, "{\"meta\":{}}", 11) != 0 ||
                   strcmp(d.type, DSSE_TYPE_KEYLIME) != 0))
                fail_msg("%s", what);
        dsse_done(&d);
}

static void mutations(void **state)
{
        struct pubkey *key = spec_key();

        (void)state;
        each_bit_flip(view_str(keylime_text), flipped, key);
        each_truncation(view_str(keylime_text), flipped, key);
        pubkey_free(key);
}

static int parse_one(void *ctx, struct err *err)
{
        struct dsse d;
        int r = dsse_parse(view_str(keylime_text), &d, err);

        (void)ctx;
        if (r >= 0)
                dsse_done(&d);
        return r;
}

static void out_of_memory(void **state)
{
        (void)state;
        oom_any(parse_one, NULL);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(known_answers),   cmocka_unit_test(wrong_ones),
                cmocka_unit_test(sign_and_verify), cmocka_unit_test(several),
                cmocka_unit_test(malformed),       cmocka_unit_test(mutations),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
