/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TPM2_MakeCredential. What we make is opened by an EK in software, which is itself tried on credentials that
 * tpm2-tools made (tests/vectors/credential). Real TPM emulators open ours in tests/integration.
 */
#include "support/support.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/hex.h"
#include "crypto/credential.h"
#include "support/soft_ek.h"

#define SECRET "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6"
#define NAME   "000b8365c7b1fd44e0eb3489a21bc78bddbab6fac5964795a7acccb56a2a85f83ef8"

static const struct kind {
        const char *file;
        enum digest_alg name_alg;
        unsigned aes_bits;
        size_t file_bytes; /* of a credential with 32 bytes */
} kinds[] = {
        {"rsa", DIGEST_SHA256, 128, 336},
        {"p256", DIGEST_SHA256, 128, 148},
        {"p384", DIGEST_SHA384, 256, 196},
};

struct fixture {
        struct buf name, made;
        struct key *key;
        struct pubkey *pub;
        struct soft_ek soft;
        struct credential_ek ek;
};

static void path_of(char path[512], const char *name, const char *suffix)
{
        const char *top = getenv("top_srcdir");

        (void)snprintf(path, 512, "%s/tests/vectors/credential/%s%s", top ? top : ".", name, suffix);
}

static void set_up(struct fixture *f, const struct kind *kind)
{
        struct err err = ERR_INIT;
        char path[512];

        memset(f, 0, sizeof(*f));
        assert_ok(hex_decode(view_str(NAME), 64, &f->name, &err), &err);
        path_of(path, kind->file, ".pem");
        assert_ok(key_load(path, &f->key, &err), &err);
        assert_ok(key_public(f->key, &f->pub, &err), &err);
        path_of(path, kind->file, ".cred");
        assert_ok(file_read(path, 4096, &f->made, &err), &err);
        f->soft = (struct soft_ek){f->key, kind->name_alg, kind->aes_bits};
        f->ek = (struct credential_ek){f->pub, kind->name_alg, kind->aes_bits};
}

static void tear_down(struct fixture *f)
{
        buf_free(&f->name);
        buf_free(&f->made);
        key_free(f->key);
        pubkey_free(f->pub);
}

/* ---- vectors ---- */

static void test_tools_made_it(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
                struct err err = ERR_INIT;
                struct buf got = {0};
                struct fixture f;

                set_up(&f, &kinds[i]);
                assert_ok(soft_ek_open(&f.soft, VIEW_BUF(&f.name), VIEW_BUF(&f.made), &got, &err), &err);
                assert_view(VIEW_BUF(&got), SECRET);
                buf_free(&got);
                tear_down(&f);
        }
}

static void test_we_made_it(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
                struct err err = ERR_INIT;
                struct buf got = {0}, file = {0}, again = {0};
                struct fixture f;

                set_up(&f, &kinds[i]);
                assert_ok(credential_make_file(&f.ek, VIEW_BUF(&f.name), view_str(SECRET), &file, &err),
                          &err);
                assert_int_equal(file.len, kinds[i].file_bytes);
                assert_ok(soft_ek_open(&f.soft, VIEW_BUF(&f.name), VIEW_BUF(&file), &got, &err), &err);
                assert_view(VIEW_BUF(&got), SECRET);
                /* Never the same twice. */
                assert_ok(credential_make_file(&f.ek, VIEW_BUF(&f.name), view_str(SECRET), &again, &err),
                          &err);
                assert_false(view_equal(VIEW_BUF(&file), VIEW_BUF(&again)));
                buf_free(&got);
                buf_free(&file);
                buf_free(&again);
                tear_down(&f);
        }
}

/* ---- malformed: what was changed, or is for another name, opens nowhere ---- */

static void must_not_open(struct view bytes, const char *what, void *ctx)
{
        const struct fixture *f = ctx;
        struct err err = ERR_INIT;
        struct buf got = {0};

        if (soft_ek_open(&f->soft, VIEW_BUF(&f->name), bytes, &got, &err) == 0)
                fail_msg("opened after %s", what);
        assert_int_equal(got.len, 0);
        buf_free(&got);
}

static void test_changed(void **state)
{
        struct err err = ERR_INIT;
        struct buf file = {0};
        struct fixture f;

        (void)state;
        set_up(&f, &kinds[1]);
        assert_ok(credential_make_file(&f.ek, VIEW_BUF(&f.name), view_str(SECRET), &file, &err), &err);
        each_truncation(VIEW_BUF(&file), must_not_open, &f);
        each_bit_flip(VIEW_BUF(&file), must_not_open, &f);
        f.name.p[33] ^= 1;
        must_not_open(VIEW_BUF(&file), "another name", &f);
        buf_free(&file);
        tear_down(&f);
}

/* ---- limits ---- */

static void test_limits(void **state)
{
        struct err err = ERR_INIT;
        struct buf file = {0};
        struct fixture f;

        (void)state;
        set_up(&f, &kinds[1]);
        assert_err(credential_make_file(&f.ek, VIEW_BUF(&f.name), view_str(SECRET "x"), &file, &err),
                   ERR_LIMIT, &err, "33 bytes");
        f.ek.aes_bits = 64;
        assert_err(credential_make_file(&f.ek, VIEW_BUF(&f.name), view_str(SECRET), &file, &err), ERR_FORMAT,
                   &err, "AES-64");
        f.ek.aes_bits = 128;
        f.ek.name_alg = (enum digest_alg)0x12;
        assert_err(credential_make_file(&f.ek, VIEW_BUF(&f.name), view_str(SECRET), &file, &err), ERR_FORMAT,
                   &err, NULL);
        assert_int_equal(file.len, 0);
        buf_free(&file);
        tear_down(&f);
}

/* ---- out of memory ---- */

static int run_make(void *ctx, struct err *err)
{
        const struct fixture *f = ctx;
        struct buf file = {0};
        int r = credential_make_file(&f->ek, VIEW_BUF(&f->name), view_str(SECRET), &file, err);

        buf_free(&file);
        return r;
}

static void test_oom(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
                struct fixture f;

                set_up(&f, &kinds[i]);
                oom_each(run_make, &f);
                tear_down(&f);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tools_made_it), cmocka_unit_test(test_we_made_it),
                cmocka_unit_test(test_changed),       cmocka_unit_test(test_limits),
                cmocka_unit_test(test_oom),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
