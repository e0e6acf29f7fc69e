/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose signatures on policies count. Keys come from the configuration alone: what an envelope says of its
 * keys is a hint. One person who signs twice, or is named twice, is one person.
 */
#include "verifier/signers.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"

#define PEM_BYTES_MAX 65536u

static int load_key(const struct conf *item, struct signer_key *ret, struct err *err)
{
        const char *name = conf_str(item, "name"), *path = conf_str(item, "key");
        AUTO(buf_free) struct buf pem = {0};
        int r;

        if (!str_valid_name(name))
                return conf_err(item, "name", err, "%s is no name", SHOW(name));
        r = file_read(path, PEM_BYTES_MAX, &pem, err);
        if (r >= 0 && (r = pubkey_from_pem(VIEW_BUF(&pem), &ret->key, err)) < 0)
                r = err_wrap(err, "'%s'", path);
        if (r < 0)
                return err_wrap(err, "policy.signers: %s", name);
        if (pubkey_type(ret->key) != PUBKEY_ECC)
                return conf_err(item, "key", err,
                                "'%s' is no EC key: policies are signed with ECDSA and SHA-256", path);
        ret->name = str_dup(name);
        return ret->name ? 0 : err_nomem(err);
}

static int check_twice(const struct signers *s, const struct conf *item, struct err *err)
{
        const struct signer_key *last = &s->v[s->n - 1];

        for (size_t i = 0; i + 1 < s->n; i++) {
                if (str_equal(s->v[i].name, last->name))
                        return conf_err(item, "name", err, "%s stands twice", last->name);
                if (pubkey_equal(s->v[i].key, last->key))
                        return conf_err(item, "key", err, "%s and %s have the same key", s->v[i].name,
                                        last->name);
        }
        return 0;
}

static int load(const struct conf *conf, struct signers *s, struct err *err)
{
        size_t n = conf_n_items(conf, "policy.signers");

        s->needed = (size_t)conf_int(conf, "policy.signatures");
        if (s->needed > n)
                return conf_err(conf, "policy.signatures", err, "demands %zu, and policy.signers names %zu",
                                s->needed, n);
        s->v = mem_zalloc(n + 1, sizeof(*s->v));
        if (!s->v)
                return err_nomem(err);
        for (size_t i = 0; i < n; i++) {
                const struct conf *item = conf_item(conf, "policy.signers", i);

                s->n++; /* what was begun is freed, too */
                if (load_key(item, &s->v[i], err) < 0 || check_twice(s, item, err) < 0)
                        return -(int)err->kind;
        }
        return 0;
}

int signers_load(const struct conf *conf, struct signers *ret, struct err *err)
{
        struct signers s = {.n = 0};
        int r = load(conf, &s, err);

        if (r < 0) {
                signers_done(&s);
                return r;
        }
        *ret = s;
        return 0;
}

void signers_done(struct signers *s)
{
        for (size_t i = 0; i < s->n; i++) {
                free(s->v[i].name);
                pubkey_free(s->v[i].key);
        }
        free(s->v);
        *s = (struct signers){.n = 0};
}

int signers_of(const struct signers *s, const struct dsse *d, struct strv *ret, struct err *err)
{
        for (size_t i = 0; d->n_signatures && i < s->n; i++) {
                const struct pubkey *key = s->v[i].key;
                bool good = false;
                size_t which;
                int r = dsse_verify(d, &key, 1, &good, &which, err);

                if (r < 0)
                        return r;
                if (good && strv_add(ret, s->v[i].name) < 0)
                        return err_nomem(err);
        }
        return 0;
}
