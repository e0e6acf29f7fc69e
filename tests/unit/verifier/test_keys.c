/* SPDX-License-Identifier: Apache-2.0 */
/* The verifier's signing keys: each optional, each a P-256 key, and told to others by its public half alone.
 */
#include "verifier/keys.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "support/support.h"
#include "verifier/settings.h"

struct folder {
        char dir[64];
};

static void write_key(const struct folder *f, const char *name, enum pubkey_curve curve)
{
        AUTO(key_free_p) struct key *key = NULL;
        struct secret pem = {0};
        struct err err = ERR_INIT;
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
        assert_ok(key_generate_ec(curve, &key, &err), &err);
        assert_ok(key_pem(key, &pem, &err), &err);
        assert_ok(file_write(path, VIEW(pem.p, pem.len), 0600, &err), &err);
        secret_free(&pem);
}

static int setup(void **state)
{
        struct folder *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        (void)snprintf(f->dir, sizeof(f->dir), "/tmp/avow.keys.XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        write_key(f, "a", CURVE_P256);
        write_key(f, "b", CURVE_P256);
        write_key(f, "wrong", CURVE_P384);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        static const char *const names[] = {"a", "b", "wrong"};
        struct folder *f = *state;
        char path[128];

        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
                (void)snprintf(path, sizeof(path), "%s/%s", f->dir, names[i]);
                (void)unlink(path);
        }
        (void)rmdir(f->dir);
        free(f);
        return 0;
}

static int load(const char *yaml, struct settings *s, struct keys *k, struct err *err)
{
        AUTO(mem_free_p) char *text = str_fmt("tls: {cert: c, key: k}\n%s", yaml);

        assert_ok(settings_parse(view_str(text), "verifier.yaml", s, err), err);
        return keys_load(s->conf, k, err);
}

static void public_halves_are_told(void **state)
{
        const struct folder *f = *state;
        AUTO(mem_free_p)
        char *yaml = str_fmt("revocation: {key: %s/a}\nrelease: {key: %s/b}\n", f->dir, f->dir);
        AUTO(json_free_p) json_t *j = NULL;
        AUTO(mem_free_p) char *text = NULL;
        struct err err = ERR_INIT;
        struct settings s;
        struct keys k;
        const json_t *revocation, *release;

        assert_ok(load(yaml, &s, &k, &err), &err);
        assert_null(k.ear);
        assert_ok(keys_public(&k, &j, &err), &err);
        assert_int_equal(json_object_size(j), 2);
        revocation = json_array_get(json_object_get(j, "revocation"), 0);
        release = json_array_get(json_object_get(j, "release"), 0);
        assert_string_equal(json_string_value(json_object_get(revocation, "crv")), "P-256");
        assert_string_not_equal(json_string_value(json_object_get(revocation, "kid")),
                                json_string_value(json_object_get(release, "kid")));
        text = json_print(j);
        assert_null(strstr(text, "\"d\"")); /* the private number of a JWK */
        keys_done(&k);
        assert_null(k.release);
        settings_done(&s);
}

static void none_is_none(void **state)
{
        AUTO(json_free_p) json_t *j = NULL;
        AUTO(mem_free_p) char *text = NULL;
        struct err err = ERR_INIT;
        struct settings s;
        struct keys k;

        (void)state;
        assert_ok(load("", &s, &k, &err), &err);
        assert_ok(keys_public(&k, &j, &err), &err);
        text = json_print(j);
        assert_string_equal(text, "{\"release\":[],\"revocation\":[]}");
        assert_int_equal(s.ear_lifetime_ms, 300000);
        keys_done(&k);
        settings_done(&s);
}

static void wrong_keys_are_named(void **state)
{
        static const struct {
                const char *key, *file, *says;
                enum err_kind kind;
        } rows[] = {{"release", "wrong", "release.key", ERR_FORMAT}, {"ear", "missing", "ear.key", ERR_IO}};
        const struct folder *f = *state;

        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                AUTO(mem_free_p) char *yaml = NULL;
                struct err err = ERR_INIT;
                struct settings s;
                struct keys k;

                yaml = str_fmt("revocation: {key: %s/a}\n%s: {key: %s/%s}\n", f->dir, rows[i].key, f->dir,
                               rows[i].file);
                POISON(k);
                assert_err(load(yaml, &s, &k, &err), rows[i].kind, &err, rows[i].says);
                assert_poisoned(k);
                settings_done(&s);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(public_halves_are_told),
                cmocka_unit_test(none_is_none),
                cmocka_unit_test(wrong_keys_are_named),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
