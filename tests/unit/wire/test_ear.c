/* SPDX-License-Identifier: Apache-2.0 */
/* Attestation results: what is signed comes back, and nothing is believed that is not for the one who asks.
 */
#include "wire/ear.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/str.h"
#include "crypto/jws.h"
#include "support/support.h"

#define NOW 1795300000

struct world {
        struct key *key, *other;
        struct wire_ear m;
        struct wire_ear_wish wish;
        struct wire_ear_keys keys;
        char *token;
};

static void load_keys(struct world *w, const char *dates)
{
        AUTO(pubkey_free_p) struct pubkey *public = NULL;
        AUTO(json_free_p) json_t *jwk = NULL;
        AUTO(mem_free_p) char *one = NULL;
        AUTO(mem_free_p) char *text = NULL;
        struct err err = ERR_INIT;

        wire_ear_keys_done(&w->keys);
        assert_ok(key_public(w->key, &public, &err), &err);
        assert_ok(jwk_make(public, &jwk, &err), &err);
        one = json_print(jwk);
        one[strlen(one) - 1] = '\0';
        text = str_fmt("{\"keys\":[{\"kty\":\"RSA\"},%s%s}]}", one, dates);
        assert_ok(wire_ear_keys_parse(view_str(text), &w->keys, &err), &err);
        assert_int_equal(w->keys.n, 1);
}

static void sign(struct world *w, const struct key *key)
{
        struct err err = ERR_INIT;

        free(w->token);
        assert_ok(wire_ear_sign(&w->m, key, &w->token, &err), &err);
}

static int setup(void **state)
{
        struct world *w = calloc(1, sizeof(*w));
        struct err err = ERR_INIT;

        assert_ok(key_generate_ec(CURVE_P256, &w->key, &err), &err);
        assert_ok(key_generate_ec(CURVE_P256, &w->other, &err), &err);
        w->m = (struct wire_ear){.issuer = "urn:avow:verifier:1",
                                 .host = "web-1",
                                 .audience = "https://a.example",
                                 .nonce = "bm9uY2U_",
                                 .evidence_s = NOW - 10,
                                 .issued_s = NOW - 1,
                                 .expires_s = NOW + 5,
                                 .build = "avow-verifier 1",
                                 .status = EAR_AFFIRMING,
                                 .vector = {[EAR_IDENTITY] = EAR_IDENTITY_KNOWN,
                                            [EAR_EXECUTABLES] = EAR_EXECUTABLES_APPROVED_BOOT},
                                 .state = "pass",
                                 .trust = "trusted",
                                 .wipe = "none",
                                 .enforced = true,
                                 .policy = "prod",
                                 .policy_version = 3,
                                 .policy_sha256 = "00ff",
                                 .ek_class = "hardware",
                                 .ak_certificate = "-----BEGIN CERTIFICATE-----\n"};
        w->wish = (struct wire_ear_wish){
                .audience = "https://a.example", .nonce = "bm9uY2U_", .issuer = w->m.issuer, .now_s = NOW};
        load_keys(w, "");
        sign(w, w->key);
        *state = w;
        return 0;
}

static int teardown(void **state)
{
        struct world *w = *state;

        wire_ear_keys_done(&w->keys);
        key_free(w->key);
        key_free(w->other);
        free(w->token);
        free(w);
        return 0;
}

/* PART of the reason, or NULL: believed. */
static void expect(const struct world *w, const char *part)
{
        struct err err = ERR_INIT;
        struct wire_ear m = {.root = NULL};
        const char *why = "unset";

        assert_ok(wire_ear_check(view_str(w->token), &w->keys, &w->wish, &m, &why, &err), &err);
        if (part)
                assert_true(why && strstr(why, part));
        else
                assert_null(why);
        wire_ear_done(&m);
}

static void what_is_signed_comes_back(void **state)
{
        struct world *w = *state;
        struct err err = ERR_INIT;
        const char *why = NULL;
        struct wire_ear m;

        assert_ok(wire_ear_check(view_str(w->token), &w->keys, &w->wish, &m, &why, &err), &err);
        assert_null(why);
        assert_int_equal(m.status, EAR_AFFIRMING);
        assert_string_equal(m.host, "web-1");
        assert_string_equal(m.policy, "prod");
        assert_int_equal(m.policy_version, 3);
        assert_string_equal(m.ek_class, "hardware");
        assert_null(m.ek_sha256);
        assert_null(m.reason);
        assert_int_equal(m.evidence_s, NOW - 10);
        assert_int_equal(m.vector[EAR_IDENTITY], 2);
        assert_int_equal(m.vector[EAR_EXECUTABLES], 3);
        assert_int_equal(m.vector[EAR_HARDWARE], EAR_NOT_APPRAISED);
        wire_ear_done(&m);
}

/* The claims that libraries of the field read, by their names. */
static void the_claims_have_the_names_of_the_drafts(void **state)
{
        struct world *w = *state;
        AUTO(buf_free) struct buf claims = {0};
        AUTO(pubkey_free_p) struct pubkey *public = NULL;
        struct err err = ERR_INIT;
        bool good = false;
        char *text;

        assert_ok(key_public(w->key, &public, &err), &err);
        assert_ok(jws_verify(public, "eat+jwt", view_str(w->token), &claims, &good, &err), &err);
        assert_true(good);
        text = buf_take_str(&claims);
        assert_non_null(strstr(text, "\"eat_profile\":\"tag:github.com,2023:veraison/ear\""));
        assert_non_null(strstr(
                text, "\"submods\":{\"host\":{\"ear.appraisal-policy-id\":\"urn:avow:policy:prod:3:00ff\","
                      "\"ear.status\":\"affirming\",\"ear.trustworthiness-vector\":{\"executables\":3,"
                      "\"instance-identity\":2}}}"));
        assert_non_null(strstr(text, "\"iat\":1795299990"));
        assert_non_null(
                strstr(text, "\"ear.verifier-id\":{\"build\":\"avow-verifier 1\",\"developer\":\"avow\"}"));
        free(text);
}

static void it_is_for_one_asker_and_a_short_time(void **state)
{
        struct world *w = *state;
        struct wire_ear_wish good = w->wish;

        w->wish.audience = "https://b.example";
        expect(w, "audience");
        w->wish = good;
        w->wish.nonce = "bm9uY2UX";
        expect(w, "nonce");
        w->wish.nonce = NULL; /* who asks for none takes any */
        expect(w, NULL);
        w->wish.issuer = "urn:avow:verifier:2";
        expect(w, "issuer");
        w->wish = good;
        w->wish.host = "web-2";
        expect(w, "host");
        w->wish.host = "web-1";
        expect(w, NULL);
        w->wish.now_s = NOW + 5;
        expect(w, "expired");
        w->wish = good;
        w->m.nonce = NULL; /* an older one that was asked for without */
        sign(w, w->key);
        expect(w, "nonce");
}

static void keys_have_their_time(void **state)
{
        struct world *w = *state;

        load_keys(w, ",\"nbf\":1795299999"); /* NOW - 1: when it was issued */
        expect(w, NULL);
        load_keys(w, ",\"nbf\":1795300000");
        expect(w, "not in use");
        load_keys(w, ",\"nbf\":1,\"exp\":1795299998");
        expect(w, "not in use");
        load_keys(w, ",\"nbf\":1,\"exp\":1795299999");
        expect(w, NULL);
        load_keys(w, "");
        sign(w, w->other);
        expect(w, "none of the keys");
}

static void try_token(struct view v, const char *what, void *ctx)
{
        const struct world *w = ctx;
        struct err err = ERR_INIT;
        struct wire_ear m = {.root = NULL};
        const char *why = NULL;

        assert_ok(wire_ear_check(v, &w->keys, &w->wish, &m, &why, &err), &err);
        if (!why)
                fail_msg("believed with %s", what);
}

static void cut_or_changed_tokens(void **state)
{
        struct world *w = *state;

        each_truncation(view_str(w->token), try_token, w);
        for (size_t i = 0; i < strlen(w->token); i += 7) { /* each flip costs a signature check */
                char c = w->token[i];

                w->token[i] = c == 'A' ? 'B' : 'A';
                if (i + 1 <
                    strlen(w->token)) /* the last character has bits that mean nothing: refused anyway */
                        try_token(view_str(w->token), "a changed character", w);
                w->token[i] = c;
        }
        expect(w, NULL);
}

static void signed_rubbish(void **state)
{
        static const char *const texts[] = {"{}", "[]", "{\"eat_profile\":\"x\"}", "no JSON"};
        struct world *w = *state;

        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
                struct err err = ERR_INIT;

                free(w->token);
                assert_ok(jws_sign(w->key, "eat+jwt", view_str(texts[i]), &w->token, &err), &err);
                expect(w, "no result of this form");
                free(w->token);
                assert_ok(jws_sign(w->key, "avow-revocation+jwt", view_str(texts[i]), &w->token, &err), &err);
                expect(w, "none of the keys"); /* another typ is another thing */
        }
}

static void names_and_nonces(void **state)
{
        char long_one[300];

        (void)state;
        assert_true(wire_ear_valid_name("https://a.example/x?y"));
        assert_false(wire_ear_valid_name(""));
        assert_false(wire_ear_valid_name("a b"));
        assert_false(wire_ear_valid_name("a\n"));
        assert_false(wire_ear_valid_name("\xc3\xa4"));
        memset(long_one, 'a', sizeof(long_one));
        long_one[256] = '\0';
        assert_false(wire_ear_valid_name(long_one));
        long_one[255] = '\0';
        assert_true(wire_ear_valid_name(long_one));
        assert_false(wire_ear_valid_nonce("1234567"));
        assert_true(wire_ear_valid_nonce("12345678"));
        assert_false(wire_ear_valid_nonce("1234567\""));
        long_one[89] = '\0';
        assert_false(wire_ear_valid_nonce(long_one));
        long_one[88] = '\0';
        assert_true(wire_ear_valid_nonce(long_one));
}

static int run(void *ctx, struct err *err)
{
        const struct world *w = ctx;
        AUTO(mem_free_p) char *token = NULL;
        AUTO(wire_ear_done) struct wire_ear m = {.root = NULL};
        const char *why = NULL;
        int r = wire_ear_sign(&w->m, w->key, &token, err);

        if (r >= 0)
                r = wire_ear_check(view_str(token), &w->keys, &w->wish, &m, &why, err);
        if (r >= 0)
                assert_null(why);
        return r;
}

static void out_of_memory(void **state)
{
        oom_each(run, *state);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        static const struct CMUnitTest tests[] = {
                CASE(what_is_signed_comes_back),
                CASE(the_claims_have_the_names_of_the_drafts),
                CASE(it_is_for_one_asker_and_a_short_time),
                CASE(keys_have_their_time),
                CASE(cut_or_changed_tokens),
                CASE(signed_rubbish),
                cmocka_unit_test(names_and_nonces),
                CASE(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
