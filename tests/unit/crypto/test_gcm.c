/* SPDX-License-Identifier: Apache-2.0 */
/* AES-256-GCM: a published vector, and what was changed. */
#include "support/support.h"

#include "base/hex.h"
#include "crypto/gcm.h"

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16. */
#define KEY        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define NONCE      "cafebabefacedbaddecaf888"
#define ASSOCIATED "feedfacedeadbeeffeedfacedeadbeefabaddad2"
#define PLAIN                                                                                                \
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"                                   \
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define CIPHER                                                                                               \
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"                                   \
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
#define TAG "76fc6ece0f4e1768cddf8853bb2d551b"

static struct buf unhex(const char *text)
{
        struct err err = ERR_INIT;
        struct buf b = {0};

        assert_ok(hex_decode(view_str(text), 4096, &b, &err), &err);
        return b;
}

static void a_published_vector(void **state)
{
        struct err err = ERR_INIT;
        struct buf key = unhex(KEY), sealed = unhex(NONCE CIPHER TAG), associated = unhex(ASSOCIATED),
                   plain = unhex(PLAIN);
        struct secret got = {0};

        (void)state;
        assert_ok(gcm_open(VIEW_BUF(&key), VIEW_BUF(&associated), VIEW_BUF(&sealed), &got, &err), &err);
        assert_int_equal(got.len, plain.len);
        assert_memory_equal(got.p, plain.p, plain.len);
        secret_free(&got);
        buf_free(&key);
        buf_free(&sealed);
        buf_free(&associated);
        buf_free(&plain);
}

static void try_open(struct view v, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        struct secret got = {0};
        const struct buf *key = ctx;

        if (gcm_open(VIEW_BUF(key), view_str("about"), v, &got, &err) == 0)
                fail_msg("%s was opened", what);
        assert_null(got.p);
}

static void what_was_changed_does_not_open(void **state)
{
        struct err err = ERR_INIT;
        struct buf key = unhex(KEY), sealed = {0}, again = {0};
        struct secret got = {0};

        (void)state;
        assert_ok(gcm_seal(VIEW_BUF(&key), view_str("about"), view_str("hello"), &sealed, &err), &err);
        assert_ok(gcm_seal(VIEW_BUF(&key), view_str("about"), view_str("hello"), &again, &err), &err);
        assert_false(view_equal(VIEW_BUF(&sealed), VIEW_BUF(&again))); /* a nonce of its own */
        assert_ok(gcm_open(VIEW_BUF(&key), view_str("about"), VIEW_BUF(&sealed), &got, &err), &err);
        assert_view(VIEW(got.p, got.len), "hello");
        secret_free(&got);
        each_truncation(VIEW_BUF(&sealed), try_open, &key);
        each_bit_flip(VIEW_BUF(&sealed), try_open, &key);
        assert_err(gcm_open(VIEW_BUF(&key), view_str("other"), VIEW_BUF(&sealed), &got, &err), ERR_CRYPTO,
                   &err, NULL);
        key.p[0] ^= 1;
        assert_err(gcm_open(VIEW_BUF(&key), view_str("about"), VIEW_BUF(&sealed), &got, &err), ERR_CRYPTO,
                   &err, NULL);
        assert_err(gcm_seal(VIEW(key.p, 16), VIEW_NONE, view_str("x"), &again, &err), ERR_CRYPTO, &err, "16");
        buf_free(&key);
        buf_free(&sealed);
        buf_free(&again);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_published_vector),
                cmocka_unit_test(what_was_changed_does_not_open),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
