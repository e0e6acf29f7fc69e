/* SPDX-License-Identifier: Apache-2.0 */
/* Public and private keys, and signatures in the form of a TPM. */
#include "support/support.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "base/hex.h"
#include "crypto/key.h"
#include "crypto/pubkey.h"

static struct key *make_key(bool rsa)
{
        struct err err = ERR_INIT;
        struct key *key = NULL;

        assert_ok(rsa ? key_generate_rsa(2048, &key, &err) : key_generate_ec(CURVE_P256, &key, &err), &err);
        return key;
}

static bool verify(const struct pubkey *pub, const struct signature *sig, struct view message)
{
        struct err err = ERR_INIT;
        bool good = true;

        assert_ok(pubkey_verify(pub, sig, message, &good, &err), &err);
        return good;
}

/* ---- vectors ---- */

/* FIPS 186-4 CAVP, SigVer.rsp, P-256 SHA-256: the sixth has Result = P; RFC 6979 A.2.5, "sample". */
static void test_ecdsa_rfc6979(void **state)
{
        static const char x_hex[] = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6";
        static const char y_hex[] = "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
        static const char r_hex[] = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
        static const char s_hex[] = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
        struct err err = ERR_INIT;
        struct pubkey *pub = NULL;
        uint8_t x[32], y[32], r[33] = {0}, s[32];
        struct signature sig = {
                .scheme = SIG_ECDSA, .hash = DIGEST_SHA256, .r = VIEW(r + 1, 32), .s = VIEW_ARRAY(s)};
        char text[16];

        (void)state;
        assert_ok(hex_decode_exact(view_str(x_hex), x, 32, &err), &err);
        assert_ok(hex_decode_exact(view_str(y_hex), y, 32, &err), &err);
        assert_ok(hex_decode_exact(view_str(r_hex), r + 1, 32, &err), &err);
        assert_ok(hex_decode_exact(view_str(s_hex), s, 32, &err), &err);
        assert_ok(pubkey_from_ec(CURVE_P256, VIEW_ARRAY(x), VIEW_ARRAY(y), &pub, &err), &err);
        assert_true(verify(pub, &sig, view_str("sample")));
        assert_false(verify(pub, &sig, view_str("simple")));
        assert_false(verify(pub, &sig, VIEW_NONE));
        sig.hash = DIGEST_SHA384;
        assert_false(verify(pub, &sig, view_str("sample")));
        sig.hash = DIGEST_SHA256;
        sig.s = VIEW(s, 31);
        assert_false(verify(pub, &sig, view_str("sample")));
        sig.s = VIEW_NONE;
        assert_false(verify(pub, &sig, view_str("sample")));
        sig.s = VIEW_ARRAY(s);
        sig.r = VIEW_ARRAY(r); /* longer than the curve, were it not for the zero: refused by length */
        assert_false(verify(pub, &sig, view_str("sample")));
        pubkey_describe(pub, text, sizeof(text));
        assert_string_equal(text, "ECC P-256");
        /* Off the curve. */
        pubkey_free(pub);
        pub = NULL;
        y[31] ^= 1;
        assert_err(pubkey_from_ec(CURVE_P256, VIEW_ARRAY(x), VIEW_ARRAY(y), &pub, &err), ERR_FORMAT, &err,
                   NULL);
        assert_null(pub);
}

/* ---- round trips ---- */

static void test_round_trip(void **state)
{
        static const enum pubkey_curve curves[] = {CURVE_NONE, CURVE_P256, CURVE_P384, CURVE_P521};
        struct err err = ERR_INIT;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
                struct buf a = {0}, b = {0}, spki = {0};
                struct pubkey *pub = NULL, *again = NULL, *from_pem = NULL, *from_spki = NULL;
                struct key *key = NULL;
                struct digest d1, d2;
                uint32_t e = 0;
                char *pem = NULL;

                assert_ok(curves[i] ? key_generate_ec(curves[i], &key, &err)
                                    : key_generate_rsa(2048, &key, &err),
                          &err);
                assert_ok(key_public(key, &pub, &err), &err);
                assert_int_equal(pubkey_curve(pub), curves[i]);
                if (curves[i]) {
                        assert_ok(pubkey_ec_point(pub, &a, &b, &err), &err);
                        assert_int_equal(a.len, pubkey_curve_bytes(curves[i]));
                        assert_int_equal(b.len, a.len);
                        assert_ok(pubkey_from_ec(curves[i], VIEW_BUF(&a), VIEW_BUF(&b), &again, &err), &err);
                        assert_err(pubkey_rsa_numbers(pub, &a, &e, &err), ERR_BUG, &err, NULL);
                } else {
                        assert_ok(pubkey_rsa_numbers(pub, &a, &e, &err), &err);
                        assert_int_equal(a.len, 256);
                        assert_int_equal(e, 65537);
                        assert_ok(pubkey_from_rsa(VIEW_BUF(&a), 0, &again, &err), &err);
                        assert_err(pubkey_ec_point(pub, &a, &b, &err), ERR_BUG, &err, NULL);
                }
                assert_true(pubkey_equal(pub, again));
                assert_ok(pubkey_pem(pub, &pem, &err), &err);
                assert_ok(pubkey_from_pem(view_str(pem), &from_pem, &err), &err);
                assert_ok(pubkey_spki(pub, &spki, &err), &err);
                assert_ok(pubkey_from_spki(VIEW_BUF(&spki), &from_spki, &err), &err);
                assert_true(pubkey_equal(pub, from_pem) && pubkey_equal(pub, from_spki));
                assert_ok(pubkey_spki_sha256(pub, &d1, &err), &err);
                assert_ok(digest_bytes(DIGEST_SHA256, VIEW_BUF(&spki), &d2, &err), &err);
                assert_true(digest_equal(&d1, &d2));
                buf_u8(&spki, 0);
                pubkey_free(from_spki);
                from_spki = NULL;
                assert_err(pubkey_from_spki(VIEW_BUF(&spki), &from_spki, &err), ERR_FORMAT, &err, "DER form");
                buf_free(&a);
                buf_free(&b);
                buf_free(&spki);
                free(pem);
                pubkey_free(pub);
                pubkey_free(again);
                pubkey_free(from_pem);
                key_free(key);
        }
}

static void test_sign(void **state)
{
        (void)state;
        for (int rsa = 0; rsa < 2; rsa++) {
                struct err err = ERR_INIT;
                struct key *key = make_key(rsa), *other = make_key(rsa), *from_pem = NULL;
                struct pubkey *pub = NULL, *other_pub = NULL;
                struct secret pem = {0};
                struct buf sig_bytes = {0};
                struct signature sig = {.scheme = rsa ? SIG_RSASSA : SIG_ECDSA, .hash = DIGEST_SHA256};

                assert_ok(key_pem(key, &pem, &err), &err);
                assert_ok(key_from_pem(VIEW(pem.p, pem.len), &from_pem, &err), &err);
                assert_ok(key_public(key, &pub, &err), &err);
                assert_ok(key_public(other, &other_pub, &err), &err);
                assert_ok(key_sign(from_pem, DIGEST_SHA256, view_str("m"), &sig_bytes, &err), &err);
                assert_int_equal(sig_bytes.len, rsa ? 256 : 64);
                sig.rsa = VIEW_BUF(&sig_bytes);
                sig.r = VIEW(sig_bytes.p, 32);
                sig.s = VIEW(sig_bytes.p + 32, 32);
                assert_true(verify(pub, &sig, view_str("m")));
                assert_false(verify(other_pub, &sig, view_str("m")));
                assert_false(verify(pub, &sig, view_str("n")));
                /* A scheme that does not fit the key, an unknown hash, a cut signature. */
                sig.scheme = rsa ? SIG_ECDSA : SIG_RSASSA;
                assert_false(verify(pub, &sig, view_str("m")));
                sig.scheme = rsa ? SIG_RSAPSS : SIG_ECDSA;
                sig.hash = rsa ? DIGEST_SHA256 : (enum digest_alg)0x12;
                assert_false(verify(pub, &sig, view_str("m")));
                sig = (struct signature){rsa ? SIG_RSASSA : SIG_ECDSA, DIGEST_SHA256, VIEW(sig_bytes.p, 255),
                                         sig.r, VIEW_NONE};
                assert_false(verify(pub, &sig, view_str("m")));
                secret_free(&pem);
                buf_free(&sig_bytes);
                key_free(key);
                key_free(other);
                key_free(from_pem);
                pubkey_free(pub);
                pubkey_free(other_pub);
        }
}

/* RSAPSS with the salt as long as the digest (TPMs), and as long as fits (Keylime's revocations). */
static void test_pss(void **state)
{
        static const int salts[] = {RSA_PSS_SALTLEN_DIGEST, RSA_PSS_SALTLEN_MAX, 0};
        struct err err = ERR_INIT;
        struct key *key = make_key(true);
        struct pubkey *pub = NULL;

        (void)state;
        assert_ok(key_public(key, &pub, &err), &err);
        for (size_t i = 0; i < ARRAY_LEN(salts); i++) {
                EVP_MD_CTX *ctx = EVP_MD_CTX_new();
                EVP_PKEY_CTX *pctx = NULL;
                uint8_t bytes[256];
                size_t len = sizeof(bytes);
                struct signature sig = {
                        .scheme = SIG_RSAPSS, .hash = DIGEST_SHA256, .rsa = VIEW_ARRAY(bytes)};

                assert_int_equal(EVP_DigestSignInit(ctx, &pctx, EVP_sha256(), NULL, key_evp(key)), 1);
                assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING), 1);
                assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, salts[i]), 1);
                assert_int_equal(EVP_DigestSign(ctx, bytes, &len, (const uint8_t *)"m", 1), 1);
                assert_true(verify(pub, &sig, view_str("m")));
                assert_false(verify(pub, &sig, view_str("n")));
                sig.scheme = SIG_RSASSA;
                assert_false(verify(pub, &sig, view_str("m")));
                EVP_MD_CTX_free(ctx);
        }
        pubkey_free(pub);
        key_free(key);
}

/* ---- malformed ---- */

static void any_answer_but_good(struct view spki, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        struct pubkey *pub = NULL;

        if (pubkey_from_spki(spki, &pub, &err) == 0) {
                if (pubkey_equal(pub, ctx))
                        fail_msg("%s", what);
                pubkey_free(pub);
        } else {
                assert_null(pub);
        }
}

/* One key, one spelling: openssl ec -pubout -conv_form compressed. */
static const char compressed[] = "-----BEGIN PUBLIC KEY-----\n"
                                 "MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgADuaoSoH5S9NYwmpCWnALAnE5Yh9Gg\n"
                                 "b4HCUaa+LK3xbEc=\n"
                                 "-----END PUBLIC KEY-----\n";

static void test_malformed(void **state)
{
        struct err err = ERR_INIT;
        struct key *key = make_key(false), *none = NULL;
        struct pubkey *pub = NULL, *bad = NULL;
        struct buf spki = {0};
        static const uint8_t even[256] = {0xff}, huge[513] = {1};

        (void)state;
        assert_ok(key_public(key, &pub, &err), &err);
        assert_ok(pubkey_spki(pub, &spki, &err), &err);
        each_truncation(VIEW_BUF(&spki), any_answer_but_good, pub);
        each_bit_flip(VIEW_BUF(&spki), any_answer_but_good, pub);
        assert_err(pubkey_from_rsa(VIEW(even, 64), 3, &bad, &err), ERR_FORMAT, &err, NULL);
        assert_err(pubkey_from_rsa(VIEW_ARRAY(even), 4, &bad, &err), ERR_FORMAT, &err, NULL);
        assert_err(pubkey_from_rsa(VIEW_ARRAY(huge), 3, &bad, &err), ERR_FORMAT, &err, "513");
        assert_err(pubkey_from_rsa(VIEW_NONE, 3, &bad, &err), ERR_FORMAT, &err, NULL);
        assert_err(pubkey_from_ec(CURVE_NONE, view_str("x"), view_str("y"), &bad, &err), ERR_FORMAT, &err,
                   NULL);
        assert_err(pubkey_from_ec(CURVE_P256, VIEW(huge, 33), view_str("y"), &bad, &err), ERR_FORMAT, &err,
                   NULL);
        assert_err(pubkey_from_ec(CURVE_P256, VIEW_NONE, VIEW_NONE, &bad, &err), ERR_FORMAT, &err, NULL);
        assert_err(pubkey_from_pem(view_str("no PEM"), &bad, &err), ERR_FORMAT, &err, NULL);
        assert_err(pubkey_from_pem(view_str(compressed), &bad, &err), ERR_FORMAT, &err, "compressed");
        assert_err(pubkey_from_spki(VIEW_NONE, &bad, &err), ERR_FORMAT, &err, NULL);
        assert_err(key_from_pem(view_str("no PEM"), &none, &err), ERR_FORMAT, &err, NULL);
        assert_err(key_load("/nonexistent", &none, &err), ERR_IO, &err, "/nonexistent");
        assert_null(bad);
        assert_null(none);
        buf_free(&spki);
        pubkey_free(pub);
        key_free(key);
}

/* Keys of kinds that are none of ours. */
static void test_other_kinds(void **state)
{
        struct err err = ERR_INIT;
        struct pubkey *pub = NULL;

        (void)state;
        assert_err(pubkey_from_evp(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), &pub, &err), ERR_FORMAT, &err,
                   "neither");
        assert_err(pubkey_from_evp(EVP_EC_gen("secp256k1"), &pub, &err), ERR_FORMAT, &err, "curve");
        assert_null(pub);
}

/* ---- out of memory ---- */

static int run_keys(void *ctx, struct err *err)
{
        AUTO(pubkey_free_p)
        struct pubkey *pub = NULL;
        AUTO(key_free_p)
        struct key *key = NULL;
        struct buf sig = {0}, spki = {0};
        struct secret pem = {0};
        int r = key_from_pem(view_str(ctx), &key, err);

        if (r >= 0)
                r = key_public(key, &pub, err);
        if (r >= 0)
                r = key_sign(key, DIGEST_SHA256, view_str("m"), &sig, err);
        if (r >= 0)
                r = pubkey_spki(pub, &spki, err);
        if (r >= 0)
                r = key_pem(key, &pem, err);
        secret_free(&pem);
        buf_free(&sig);
        buf_free(&spki);
        return r;
}

static void test_oom(void **state)
{
        struct err err = ERR_INIT;
        struct key *key = make_key(false);
        struct secret pem = {0};

        (void)state;
        assert_ok(key_pem(key, &pem, &err), &err);
        oom_each(run_keys, pem.p);
        secret_free(&pem);
        key_free(key);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ecdsa_rfc6979), cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_sign),          cmocka_unit_test(test_pss),
                cmocka_unit_test(test_malformed),     cmocka_unit_test(test_other_kinds),
                cmocka_unit_test(test_oom),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
