/* SPDX-License-Identifier: Apache-2.0 */
/* Whose signatures on policies count. */
#include "verifier/signers.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "policy/signed.h"
#include "support/support.h"
#include "verifier/settings.h"

#define BASE "tls: {cert: /c, key: /k}\n"

struct fixture {
        char dir[32];
        struct key *keys[2];
};

static const char *const files[] = {"a.pem", "b.pem", "rsa.pem", "rubbish.pem"};

static void write_file(const struct fixture *f, const char *name, const char *text)
{
        char path[64];
        struct err err = ERR_INIT;

        (void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
        assert_ok(file_create(path, view_str(text), 0600, &err), &err);
}

static void write_key(const struct fixture *f, const char *name, const struct key *key)
{
        struct pubkey *pub = NULL;
        struct err err = ERR_INIT;
        char *pem = NULL;

        assert_ok(key_public(key, &pub, &err), &err);
        assert_ok(pubkey_pem(pub, &pem, &err), &err);
        write_file(f, name, pem);
        free(pem);
        pubkey_free(pub);
}

static int setup(void **state)
{
        static struct fixture f;
        struct key *rsa = NULL;
        struct err err = ERR_INIT;

        (void)snprintf(f.dir, sizeof(f.dir), "/tmp/avow.XXXXXX");
        assert_non_null(mkdtemp(f.dir));
        for (size_t i = 0; i < 2; i++) {
                assert_ok(key_generate_ec(CURVE_P256, &f.keys[i], &err), &err);
                write_key(&f, files[i], f.keys[i]);
        }
        assert_ok(key_generate_rsa(2048, &rsa, &err), &err);
        write_key(&f, files[2], rsa);
        write_file(&f, files[3], "rubbish");
        key_free(rsa);
        *state = &f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;
        char path[64];

        for (size_t i = 0; i < ARRAY_LEN(files); i++) {
                (void)snprintf(path, sizeof(path), "%s/%s", f->dir, files[i]);
                (void)unlink(path);
        }
        for (size_t i = 0; i < 2; i++)
                key_free(f->keys[i]);
        return rmdir(f->dir);
}

/* TEXT with DIR for every @. */
static int load(const struct fixture *f, const char *text, struct signers *ret, struct err *err)
{
        struct buf full = {0};
        struct settings s = {.conf = NULL};
        int r;

        buf_str(&full, BASE);
        for (const char *p = text; *p; p++)
                buf_fmt(&full, "%.*s", *p == '@' ? 0 : 1, p), *p == '@' ? buf_str(&full, f->dir) : (void)0;
        assert_ok(settings_parse(VIEW_BUF(&full), "verifier.yaml", &s, err), err);
        r = signers_load(s.conf, ret, err);
        settings_done(&s);
        buf_free(&full);
        return r;
}

static void sign(struct dsse *d, const struct key *key)
{
        struct pubkey *pub = NULL;
        struct buf pae = {0}, raw = {0};
        struct err err = ERR_INIT;

        dsse_pae(&pae, view_str(d->type), VIEW_BUF(&d->payload));
        assert_ok(key_public(key, &pub, &err), &err);
        assert_ok(key_sign(key, DIGEST_SHA256, VIEW_BUF(&pae), &raw, &err), &err);
        assert_ok(dsse_add(d, pub, VIEW_BUF(&raw), &err), &err);
        pubkey_free(pub);
        buf_free(&pae);
        buf_free(&raw);
}

static size_t signed_by(const struct signers *s, const struct dsse *d, const char *first)
{
        struct strv names = {0};
        struct err err = ERR_INIT;
        size_t n;

        assert_ok(signers_of(s, d, &names, &err), &err);
        n = names.n;
        if (n)
                assert_string_equal(names.items[0], first);
        strv_done(&names);
        return n;
}

static void who_signed(void **state)
{
        struct fixture *f = *state;
        struct signers s = {.n = 0}, none = {.n = 0};
        struct dsse d = {0};
        struct err err = ERR_INIT;

        assert_ok(load(f,
                       "policy: {signatures: 2, signers: [{name: a, key: @/a.pem}, {name: b, key: @/b.pem}]}",
                       &s, &err),
                  &err);
        assert_ok(load(f, "", &none, &err), &err);
        assert_int_equal(s.needed, 2);
        assert_int_equal(none.needed, 0);
        assert_ok(dsse_new(POLICY_DSSE_TYPE, view_str("text"), &d, &err), &err);
        assert_int_equal(signed_by(&s, &d, ""), 0);
        sign(&d, f->keys[1]);
        sign(&d, f->keys[1]); /* twice is once */
        assert_int_equal(signed_by(&s, &d, "b"), 1);
        sign(&d, f->keys[0]);
        assert_int_equal(signed_by(&s, &d, "a"), 2);
        assert_int_equal(signed_by(&none, &d, ""), 0);
        d.payload.p[0] ^= 1;
        assert_int_equal(signed_by(&s, &d, ""), 0);
        d.payload.p[0] ^= 1;
        d.type[0] ^= 1;
        assert_int_equal(signed_by(&s, &d, ""), 0);
        dsse_done(&d);
        signers_done(&s);
        signers_done(&none);
}

static void refused(void **state)
{
        static const struct {
                const char *text, *why;
                enum err_kind kind;
        } rows[] = {
                {"policy: {signatures: 1}", "demands 1, and policy.signers names 0", ERR_CONFIG},
                {"policy: {signatures: 2, signers: [{name: a, key: @/a.pem}]}", "names 1", ERR_CONFIG},
                {"policy: {signers: [{name: a, key: @/a.pem}, {name: a, key: @/b.pem}]}", "stands twice",
                 ERR_CONFIG},
                {"policy: {signers: [{name: a, key: @/a.pem}, {name: b, key: @/a.pem}]}", "the same key",
                 ERR_CONFIG},
                {"policy: {signers: [{name: a, key: @/rsa.pem}]}", "no EC key", ERR_CONFIG},
                {"policy: {signers: [{name: a b, key: @/a.pem}]}", "is no name", ERR_CONFIG},
                {"policy: {signers: [{name: a, key: @/rubbish.pem}]}", "rubbish.pem", ERR_FORMAT},
                {"policy: {signers: [{name: a, key: @/nowhere.pem}]}", "nowhere.pem", ERR_IO},
        };
        struct signers s = {.n = 0};
        struct err err = ERR_INIT;

        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                assert_err(load(*state, rows[i].text, &s, &err), rows[i].kind, &err, rows[i].why);
                assert_null(s.v);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(who_signed),
                cmocka_unit_test(refused),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
