/* SPDX-License-Identifier: Apache-2.0 */
/* Ed25519 over raw keys. Vectors: RFC 8032 §7.1, TEST 1 to 3. */
#include "support/support.h"

#include "base/hex.h"
#include "crypto/ed25519.h"

static const struct {
        const char *seed, *public, *message, *signature;
} vectors[] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25"
         "bf5f0595bbe24655141438e7a100b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387"
         "b2eaeb4302aeeb00d291612bb0c00"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7"
         "c15e9716ed28dc027beceea1ec40a"},
};

static struct buf unhex(const char *text)
{
        struct err err = ERR_INIT;
        struct buf b = {0};

        assert_ok(hex_decode(view_str(text), 64, &b, &err), &err);
        return b;
}

static void test_rfc8032(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
                struct buf seed = unhex(vectors[i].seed), public = unhex(vectors[i].public),
                           message = unhex(vectors[i].message), signature = unhex(vectors[i].signature);
                uint8_t key[ED25519_KEY_BYTES], sig[ED25519_SIGNATURE_BYTES];
                struct guarded g;
                struct err err = ERR_INIT;

                POISON(key);
                POISON(sig);
                assert_ok(ed25519_public(guard_bytes(&g, VIEW_BUF(&seed)), key, &err), &err);
                assert_memory_equal(key, public.p, sizeof(key));
                assert_ok(ed25519_sign(g.v, VIEW_BUF(&message), sig, &err), &err);
                assert_memory_equal(sig, signature.p, sizeof(sig));
                guard_free(&g);
                buf_free(&seed);
                buf_free(&public);
                buf_free(&message);
                buf_free(&signature);
        }
}

/* A seed is 32 bytes and nothing else. */
static void test_lengths(void **state)
{
        static const uint8_t bytes[64] = {1};

        (void)state;
        for (size_t len = 0; len <= sizeof(bytes); len++) {
                uint8_t key[ED25519_KEY_BYTES], sig[ED25519_SIGNATURE_BYTES];
                struct view seed = {bytes, len};
                struct err err = ERR_INIT;

                if (len == ED25519_KEY_BYTES)
                        continue;
                POISON(key);
                POISON(sig);
                assert_err(ed25519_public(seed, key, &err), ERR_FORMAT, &err, "instead of 32");
                err = (struct err)ERR_INIT;
                assert_err(ed25519_sign(seed, view_str("x"), sig, &err), ERR_FORMAT, &err, "instead of 32");
                assert_poisoned(key);
                assert_poisoned(sig);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_rfc8032), cmocka_unit_test(test_lengths)};

        return cmocka_run_group_tests_name("ed25519", tests, NULL, NULL);
}
