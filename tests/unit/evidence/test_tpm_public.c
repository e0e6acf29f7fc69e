/* SPDX-License-Identifier: Apache-2.0 */
/* Public areas, names, and which key may be an attestation key. */
#include "support/support.h"

#include "evidence/tpm_public.h"
#include "support/play_tpm.h"
#include "vectors.h"

/* ---- vectors ---- */

static void real_keys(void **state)
{
        static const char *const names[] = {"ak_ecc", "ak_rsa"};
        AUTO(buf_free)
        struct buf pub = {0};
        AUTO(buf_free)
        struct buf want = {0};

        (void)state;
        for (size_t i = 0; i < BOOT_SETS * ARRAY_LEN(names); i++) {
                AUTO(pubkey_free_p)
                struct pubkey *key = NULL;
                AUTO(pubkey_free_p)
                struct pubkey *pem = NULL;
                const char *set = boot_sets[i / 2], *name = names[i % 2];
                struct err err = ERR_INIT;
                struct tpm_public p;
                struct tpm_name n;
                char file[32];

                (void)snprintf(file, sizeof(file), "%s.pub", name);
                assert_ok(tpm2b_public_parse(vector_read(&pub, set, file), &p, &err), &err);
                (void)snprintf(file, sizeof(file), "%s.name", name);
                assert_ok(tpm_public_name(&p, &n, &err), &err);
                assert_true(view_equal(tpm_name_view(&n), vector_read(&want, set, file)));
                assert_int_equal(p.attributes, 0x00050072);
                assert_null(tpm_public_ak_refusal(&p));
                assert_non_null(tpm_public_ek_refusal(&p));
                assert_null(tpm_public_ek_template(&p));
                assert_string_equal(tpm_public_describe(&p), i % 2 ? "RSA-2048" : "ECC P-256");
                assert_ok(tpm_public_key(&p, &key, &err), &err);
                (void)snprintf(file, sizeof(file), "%s.pem", name);
                assert_ok(pubkey_from_pem(vector_read(&want, set, file), &pem, &err), &err);
                assert_true(pubkey_equal(key, pem));
        }
}

static void endorsement_keys(void **state)
{
        static const char *const rows[][2] = {{"seabios-ima-ng/ek_rsa.pub", "L-1"},
                                              {"seabios-ima-ng/ek_ecc.pub", "L-2"},
                                              {"../ek/ecc384.pub", "H-3"},
                                              {"../ek/ecc521.pub", "H-4"},
                                              {"../ek/rsa3072.pub", "H-6"}};
        AUTO(buf_free)
        struct buf pub = {0};
        struct err err = ERR_INIT;
        struct tpm_public p;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                assert_ok(tpm2b_public_parse(vector_read(&pub, ".", rows[i][0]), &p, &err), &err);
                assert_null(tpm_public_ek_refusal(&p));
                assert_string_equal(tpm_public_ek_template(&p), rows[i][1]);
                assert_non_null(tpm_public_ak_refusal(&p));
        }
}

/* ---- what a key must be (SR-10) ---- */

static void attributes(void **state)
{
        static const struct {
                uint32_t flip;
                const char *why; /* NULL: does not matter */
        } rows[] = {
                {OBJ_FIXED_TPM, "fixedTPM"},    {OBJ_FIXED_PARENT, "fixedParent"},
                {OBJ_RESTRICTED, "restricted"}, {OBJ_SENSITIVE_DATA_ORIGIN, "sensitiveDataOrigin"},
                {OBJ_SIGN, "sign is not set"},  {OBJ_DECRYPT, "decrypt"},
                {OBJ_X509_SIGN, "x509sign"},    {OBJ_NO_DA, NULL},
                {OBJ_ADMIN_WITH_POLICY, NULL},  {OBJ_USER_WITH_AUTH, NULL},
        };
        struct play_tpm t;
        struct tpm_public p;

        (void)state;
        play_tpm_init(&t, PLAY_AK_P256, DIGEST_SHA256);
        assert_null(tpm_public_ak_refusal(&t.ak));
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                const char *why;

                p = t.ak;
                p.attributes ^= rows[i].flip;
                why = tpm_public_ak_refusal(&p);
                if (!rows[i].why)
                        assert_null(why);
                else
                        assert_non_null(strstr(why, rows[i].why));
        }
        p = t.ak;
        p.scheme = ALG_NULL;
        assert_non_null(tpm_public_ak_refusal(&p));
        p = t.ak;
        p.scheme_hash = DIGEST_SHA1;
        assert_non_null(tpm_public_ak_refusal(&p));
        p = t.ak;
        p.sym_alg = ALG_AES;
        assert_non_null(tpm_public_ak_refusal(&p));
        play_tpm_done(&t);
}

static void no_endorsement_keys(void **state)
{
        static const uint32_t flips[] = {OBJ_FIXED_TPM,  OBJ_FIXED_PARENT, OBJ_SENSITIVE_DATA_ORIGIN,
                                         OBJ_RESTRICTED, OBJ_DECRYPT,      OBJ_SIGN};
        AUTO(buf_free)
        struct buf pub = {0};
        struct err err = ERR_INIT;
        struct tpm_public p, q;

        (void)state;
        assert_ok(tpm2b_public_parse(vector_read(&pub, boot_sets[0], "ek_rsa.pub"), &p, &err), &err);
        for (size_t i = 0; i < ARRAY_LEN(flips); i++) {
                q = p;
                q.attributes ^= flips[i];
                assert_non_null(tpm_public_ek_refusal(&q));
                assert_null(tpm_public_ek_template(&q));
        }
        q = p;
        q.sym_mode = 0x0044;
        assert_non_null(tpm_public_ek_refusal(&q));
        q = p;
        q.scheme = ALG_RSASSA;
        assert_non_null(tpm_public_ek_refusal(&q));
}

/* ---- limits and malformed ---- */

static void too_large(void **state)
{
        static const uint8_t zeros[TPM_PUBLIC_BYTES_MAX + 1];
        struct err err = ERR_INIT;
        struct tpm_public p;

        (void)state;
        POISON(p);
        assert_err(tpmt_public_parse(VIEW_ARRAY(zeros), &p, &err), ERR_LIMIT, &err, "1025 bytes");
        assert_poisoned(p);
}

static void truncated(struct view bytes, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        struct tpm_public p;

        (void)what;
        (void)ctx;
        POISON(p);
        assert_err(tpm2b_public_parse(bytes, &p, &err), ERR_FORMAT, &err, "TPM public area");
        assert_poisoned(p);
}

/* A changed bit gives no key, or one with another name. */
static void flipped(struct view bytes, const char *what, void *ctx)
{
        const struct tpm_name *before = ctx;
        struct err err = ERR_INIT;
        struct tpm_public p;
        struct tpm_name n;

        if (tpm2b_public_parse(bytes, &p, &err) < 0)
                return;
        assert_ok(tpm_public_name(&p, &n, &err), &err);
        if (view_equal(tpm_name_view(&n), tpm_name_view(before)))
                fail_msg("%s", what);
}

static void malformed(void **state)
{
        static const char *const files[] = {"ak_ecc.pub", "ak_rsa.pub", "ek_rsa.pub", "ek_ecc.pub"};
        AUTO(buf_free)
        struct buf pub = {0};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(files); i++) {
                struct view v = vector_read(&pub, boot_sets[0], files[i]);
                struct err err = ERR_INIT;
                struct tpm_public p;
                struct tpm_name n;

                assert_ok(tpm2b_public_parse(v, &p, &err), &err);
                assert_ok(tpm_public_name(&p, &n, &err), &err);
                each_truncation(v, truncated, NULL);
                each_bit_flip(v, flipped, &n);
                buf_u8(&pub, 0);
                assert_err(tpm2b_public_parse(VIEW_BUF(&pub), &p, &err), ERR_FORMAT, &err, "size");
                assert_err(tpmt_public_parse(VIEW(pub.p + 2, pub.len - 2), &p, &err), ERR_FORMAT, &err,
                           "1 bytes too many");
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(real_keys),  cmocka_unit_test(endorsement_keys),
                cmocka_unit_test(attributes), cmocka_unit_test(no_endorsement_keys),
                cmocka_unit_test(too_large),  cmocka_unit_test(malformed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
