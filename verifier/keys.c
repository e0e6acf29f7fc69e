/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier's signing keys. A missing one switches off what it would sign and is said at start; one that
 * cannot be read stops the start. What a key of one use signed is no statement of another's: revocations
 * carry their own "typ", releases are no JWS at all, and results have a third key.
 */
#include "verifier/keys.h"

#include <stddef.h>

#include "base/json.h"
#include "base/log.h"
#include "base/macro.h"
#include "crypto/jws.h"

struct row {
        const char *path;
        size_t key, public;
        const char *missing;
};

static const struct row rows[] = {
        {"revocation.key", offsetof(struct keys, revocation), offsetof(struct keys, revocation_public),
         "no revocation is signed, so none is sent"},
        {"release.key", offsetof(struct keys, release), offsetof(struct keys, release_public),
         "no secret is released"},
        {"ear.key", offsetof(struct keys, ear), offsetof(struct keys, ear_public),
         "there are no signed results"},
};

static struct key **key_of(const struct keys *k, const struct row *row)
{
        return (struct key **)((char *)k + row->key);
}

static struct pubkey **public_of(const struct keys *k, const struct row *row)
{
        return (struct pubkey **)((char *)k + row->public);
}

static int load(const struct row *row, const char *path, struct keys *k, struct err *err)
{
        int r = key_load(path, key_of(k, row), err);

        if (r >= 0)
                r = key_public(*key_of(k, row), public_of(k, row), err);
        if (r >= 0 && pubkey_curve(*public_of(k, row)) != CURVE_P256)
                r = err_set(err, ERR_FORMAT, 0,
                            "'%s' is no P-256 key: make one with 'openssl genpkey "
                            "-algorithm EC -pkeyopt ec_paramgen_curve:P-256'",
                            path);
        return r < 0 ? err_wrap(err, "%s", row->path) : 0;
}

int keys_load(const struct conf *conf, struct keys *ret, struct err *err)
{
        struct keys k = {.ear = NULL};

        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                const char *path = conf_str(conf, rows[i].path);

                if (path && load(&rows[i], path, &k, err) < 0) {
                        keys_done(&k);
                        return -(int)err->kind;
                }
        }
        *ret = k;
        return 0;
}

void keys_done(struct keys *k)
{
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                key_free(*key_of(k, &rows[i]));
                pubkey_free(*public_of(k, &rows[i]));
        }
        *k = (struct keys){.ear = NULL};
}

void keys_warn(const struct keys *k)
{
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                if (!*key_of(k, &rows[i]))
                        log_warning("%s is not set: %s", rows[i].path, rows[i].missing);
}

static int put(json_t *j, const char *name, const struct pubkey *key, struct err *err)
{
        json_t *list = json_array(), *jwk = NULL;

        if (json_object_set_new(j, name, list) < 0)
                return err_nomem(err);
        if (!key)
                return 0;
        if (jwk_make(key, &jwk, err) < 0)
                return -(int)err->kind;
        return json_array_append_new(list, jwk) < 0 ? err_nomem(err) : 0;
}

int keys_public(const struct keys *k, json_t **ret, struct err *err)
{
        AUTO(json_free_p) json_t *j = json_object();
        int r = put(j, "revocation", k->revocation_public, err);

        if (r >= 0)
                r = put(j, "release", k->release_public, err);
        if (r >= 0)
                *ret = TAKE(j);
        return r;
}
