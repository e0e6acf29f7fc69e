/* SPDX-License-Identifier: Apache-2.0 */
/* Digests, HMAC, the TPM's key derivations and random numbers. */
#include "support/support.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "base/hex.h"
#include "crypto/digest.h"
#include "crypto/kdf.h"
#include "crypto/random.h"

static struct view unhex(struct buf *b, const char *text)
{
        struct err err = ERR_INIT;

        buf_reset(b);
        assert_ok(hex_decode(view_str(text), 4096, b, &err), &err);
        return VIEW_BUF(b);
}

static void assert_digest(const struct digest *d, const char *hex)
{
        char text[2 * DIGEST_BYTES_MAX + 1];

        assert_string_equal(hex_write(text, digest_view(d)), hex);
}

/* ---- vectors ---- */

/* FIPS 180-4 examples: "abc". */
static void test_digests(void **state)
{
        static const struct {
                enum digest_alg alg;
                const char *name, *hex;
        } rows[] = {
                {DIGEST_SHA1, "sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"},
                {DIGEST_SHA256, "sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
                {DIGEST_SHA384, "sha384",
                 "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c"
                 "825a7"},
                {DIGEST_SHA512, "sha512",
                 "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3f"
                 "eebbd"
                 "454d4423643ce80e2a9ac94fa54ca49f"},
        };
        struct err err = ERR_INIT;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct digest_ctx *ctx = NULL;
                enum digest_alg alg;
                struct digest d;

                assert_ok(digest_bytes(rows[i].alg, view_str("abc"), &d, &err), &err);
                assert_digest(&d, rows[i].hex);
                assert_string_equal(digest_name(rows[i].alg), rows[i].name);
                assert_true(digest_by_name(rows[i].name, &alg) && alg == rows[i].alg);
                assert_true(digest_by_tpm_alg((uint16_t)rows[i].alg, &alg) && alg == rows[i].alg);
                /* In steps, and the same context twice. */
                assert_ok(digest_ctx_new(rows[i].alg, &ctx, &err), &err);
                for (int again = 0; again < 2; again++) {
                        POISON(d);
                        assert_ok(digest_ctx_update(ctx, view_str("a"), &err), &err);
                        assert_ok(digest_ctx_update(ctx, VIEW_NONE, &err), &err);
                        assert_ok(digest_ctx_update(ctx, view_str("bc"), &err), &err);
                        assert_ok(digest_ctx_final(ctx, &d, &err), &err);
                        assert_digest(&d, rows[i].hex);
                }
                digest_ctx_free(ctx);
        }
}

/* A PCR from zero, extended with SHA-256("abc"); computed with sha256sum. */
static void test_extend(void **state)
{
        struct err err = ERR_INIT;
        struct digest pcr, data, other;

        (void)state;
        digest_zero(DIGEST_SHA256, &pcr);
        assert_ok(digest_bytes(DIGEST_SHA256, view_str("abc"), &data, &err), &err);
        assert_ok(digest_extend(&pcr, digest_view(&data), &err), &err);
        assert_digest(&pcr, "589f9ffed4c477966bfb8d41f37895b08c69047df8f911d6f3b57fbe08faee8d");
        assert_true(digest_equal(&pcr, &pcr));
        assert_false(digest_equal(&pcr, &data));
        digest_zero(DIGEST_SHA384, &other);
        assert_false(digest_equal(&pcr, &other));
}

/* RFC 4231, test cases 1, 2 and 6. */
static void test_hmac(void **state)
{
        static const struct {
                enum digest_alg alg;
                const char *key, *data, *hex;
        } rows[] = {
                {DIGEST_SHA256, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
                 "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
                {DIGEST_SHA384, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
                 "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2f"
                 "a9cb6"},
                {DIGEST_SHA512, "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
                 "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f"
                 "0e6fd"
                 "caeab1a34d4a6b4b636e070a38bce737"},
                {DIGEST_SHA256,
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                 "aaaaaaaaa"
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                 "aaaaaaaaa"
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                 "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204"
                 "b657920"
                 "4669727374",
                 "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        };
        struct err err = ERR_INIT;
        struct buf key = {0}, data = {0};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct digest d;

                assert_ok(hmac_bytes(rows[i].alg, unhex(&key, rows[i].key), unhex(&data, rows[i].data), &d,
                                     &err),
                          &err);
                assert_digest(&d, rows[i].hex);
        }
        buf_free(&key);
        buf_free(&data);
}

/* KDFa is SP 800-108 in counter mode, KDFe is SP 800-56C's one-step: OpenSSL has both, as an independent
 * witness. */
static void openssl_kdf(const char *name, OSSL_PARAM *params, uint8_t *ret, size_t n)
{
        EVP_KDF *kdf = EVP_KDF_fetch(NULL, name, NULL);
        EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);

        assert_int_equal(EVP_KDF_derive(ctx, ret, n, params), 1);
        EVP_KDF_CTX_free(ctx);
        EVP_KDF_free(kdf);
}

static void test_kdfa(void **state)
{
        static const enum digest_alg algs[] = {DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512};
        static const size_t sizes[] = {1, 16, 20, 32, 48, 64, 100};
        struct err err = ERR_INIT;

        (void)state;
        for (size_t a = 0; a < ARRAY_LEN(algs); a++)
                for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
                        uint8_t got[100], want[100];
                        OSSL_PARAM params[] = {
                                OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MAC, (char[]){"HMAC"}, 0),
                                OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                                                 (char *)digest_name(algs[a]), 0),
                                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (char[]){"seed"}, 4),
                                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (char[]){"STORAGE"},
                                                                  7),
                                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (char[]){"uuvvv"}, 5),
                                OSSL_PARAM_construct_end(),
                        };

                        openssl_kdf("KBKDF", params, want, sizes[s]);
                        assert_ok(kdf_a(algs[a], view_str("seed"), "STORAGE", view_str("uu"), view_str("vvv"),
                                        got, sizes[s], &err),
                                  &err);
                        assert_memory_equal(got, want, sizes[s]);
                }
}

static void test_kdfe(void **state)
{
        struct err err = ERR_INIT;
        uint8_t got[100], want[100];
        OSSL_PARAM params[] = {
                OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char[]){"sha384"}, 0),
                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (char[]){"zz"}, 2),
                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (char[]){"IDENTITY\0uuvvv"}, 14),
                OSSL_PARAM_construct_end(),
        };

        (void)state;
        openssl_kdf("SSKDF", params, want, sizeof(want));
        assert_ok(kdf_e(DIGEST_SHA384, view_str("zz"), "IDENTITY", view_str("uu"), view_str("vvv"), got,
                        sizeof(got), &err),
                  &err);
        assert_memory_equal(got, want, sizeof(want));
}

/* ---- limits and malformed ---- */

static void test_unknown(void **state)
{
        struct err err = ERR_INIT;
        enum digest_alg alg;
        struct digest d;
        struct digest_ctx *ctx = NULL;
        uint8_t out[1];

        (void)state;
        POISON(d);
        POISON(alg);
        assert_int_equal(digest_size((enum digest_alg)0x12), 0);
        assert_null(digest_name((enum digest_alg)0x12));
        assert_false(digest_by_name("SHA256", &alg));
        assert_false(digest_by_name("sm3", &alg));
        assert_false(digest_by_name("", &alg));
        assert_false(digest_by_word(VIEW("sha256", 5), &alg)); /* no end of its own */
        assert_false(digest_by_tpm_alg(0x12, &alg));
        assert_poisoned(alg);
        assert_true(digest_by_word(VIEW("sha1:x", 4), &alg) && alg == DIGEST_SHA1);
        assert_err(digest_bytes((enum digest_alg)0x12, VIEW_NONE, &d, &err), ERR_FORMAT, &err, "0x0012");
        assert_err(hmac_bytes((enum digest_alg)0x12, VIEW_NONE, VIEW_NONE, &d, &err), ERR_FORMAT, &err,
                   "0x0012");
        assert_err(digest_set((enum digest_alg)0x12, VIEW_NONE, &d, &err), ERR_FORMAT, &err, "0x0012");
        assert_err(digest_set(DIGEST_SHA256, view_str("short"), &d, &err), ERR_FORMAT, &err, "not 5");
        assert_err(digest_ctx_new((enum digest_alg)0x12, &ctx, &err), ERR_FORMAT, &err, NULL);
        assert_poisoned(d);
        digest_zero(DIGEST_SHA384, &d);
        assert_err(digest_extend(&d, view_str("short"), &err), ERR_FORMAT, &err, "sha384");
        assert_err(kdf_a(DIGEST_SHA256, VIEW_NONE, "X", VIEW_NONE, VIEW_NONE, out, 1025, &err), ERR_LIMIT,
                   &err, NULL);
        assert_err(kdf_e(DIGEST_SHA256, VIEW_NONE, "X", VIEW_NONE, VIEW_NONE, out, 1025, &err), ERR_LIMIT,
                   &err, NULL);
}

/* An empty key is a key. RFC 2104 by hand: HMAC-SHA-256 of nothing under nothing. */
static void test_hmac_empty(void **state)
{
        struct err err = ERR_INIT;
        struct digest d;

        (void)state;
        assert_ok(hmac_bytes(DIGEST_SHA256, VIEW_NONE, VIEW_NONE, &d, &err), &err);
        assert_digest(&d, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

/* ---- random ---- */

static void test_random(void **state)
{
        struct err err = ERR_INIT;
        bool seen[7] = {false};
        uint8_t a[16] = {0}, b[16] = {0};
        char text[33];
        uint32_t x;

        (void)state;
        assert_ok(random_bytes(a, sizeof(a), &err), &err);
        assert_ok(random_bytes(b, sizeof(b), &err), &err);
        assert_memory_not_equal(a, b, sizeof(a));
        for (int i = 0; i < 1000; i++) {
                assert_ok(random_below(7, &x, &err), &err);
                assert_true(x < 7);
                seen[x] = true;
        }
        for (size_t i = 0; i < ARRAY_LEN(seen); i++)
                assert_true(seen[i]);
        assert_err(random_below(0, &x, &err), ERR_BUG, &err, NULL);
        assert_ok(random_alnum(text, 32, &err), &err);
        assert_int_equal(strlen(text), 32);
        assert_int_equal(strspn(text, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"), 32);
}

/* ---- out of memory ---- */

static int run_digest(void *ctx, struct err *err)
{
        struct digest d;

        (void)ctx;
        return digest_bytes(DIGEST_SHA256, view_str("abc"), &d, err);
}

static void test_oom(void **state)
{
        (void)state;
        oom_each(run_digest, NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_digests),    cmocka_unit_test(test_extend),
                cmocka_unit_test(test_hmac),       cmocka_unit_test(test_kdfa),
                cmocka_unit_test(test_kdfe),       cmocka_unit_test(test_unknown),
                cmocka_unit_test(test_hmac_empty), cmocka_unit_test(test_random),
                cmocka_unit_test(test_oom),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
