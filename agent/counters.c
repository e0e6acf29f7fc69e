/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and finding the counters.
 *
 * The key is written before an index is defined that names it: a crash between the two leaves a key that is
 * used at the next start. An index that has our attributes and size but names another key is one of ours from
 * a state directory that was lost; it is replaced, which ends what was sealed under it, and that was lost
 * with the directory's attestation key anyway. Any other index under our number is somebody's, and left
 * alone. An index without a value is a definition that was interrupted before its first increment.
 *
 * Spec: SR-11, SR-17.
 */
#include "agent/counters.h"

#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define OWNER_AUTH_MAX 64

struct making {
        struct tpm *tpm;
        const struct identity *id;
        struct tpm_ek *ek; /* when it is needed */
        struct secret owner_auth;
        struct counters c;
};

/* ---- the key */

static int make_key(const char *path, struct key **ret, struct err *err)
{
        AUTO(key_free_p) struct key *key = NULL;
        struct secret pem = {0};
        int r = key_generate_ec(CURVE_P256, &key, err);

        if (r >= 0)
                r = key_pem(key, &pem, err);
        if (r >= 0)
                r = file_write(path, VIEW(pem.p, pem.len), 0600, err);
        secret_free(&pem);
        if (r >= 0)
                *ret = TAKE(key);
        return r;
}

static int load_key(struct counters *c, const struct agent_config *config, struct err *err)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/counter.key", config->state_dir);
        int r;

        if (!path)
                return err_nomem(err);
        r = file_exists(path) ? key_load(path, &c->key, err) : make_key(path, &c->key, err);
        if (r >= 0)
                r = key_public(c->key, &c->public, err);
        if (r >= 0 && pubkey_curve(c->public) != CURVE_P256)
                r = err_set(err, ERR_FORMAT, 0, "%s: no P-256 key", SHOW(path));
        return r < 0 ? r : pubkey_spki(c->public, &c->spki, err);
}

/* The password of the owner hierarchy, if there is one: what stands in the file, without a line feed at its
 * end. */
static int read_owner_auth(const struct agent_config *config, struct secret *ret, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        size_t n;
        int r;

        if (!config->tpm.owner_auth)
                return 0;
        r = file_read(config->tpm.owner_auth, OWNER_AUTH_MAX + 1, &text, err);
        if (r < 0)
                return err_wrap(err, "tpm.owner_auth");
        n = text.len && text.p[text.len - 1] == '\n' ? text.len - 1 : text.len;
        if (n > OWNER_AUTH_MAX)
                r = err_set(err, ERR_LIMIT, 0, "tpm.owner_auth: more than %d bytes", OWNER_AUTH_MAX);
        else if (n && secret_alloc(ret, n) < 0)
                r = err_nomem(err);
        else if (n)
                memcpy(ret->p, text.p, n);
        if (text.p)
                mem_wipe(text.p, text.len);
        return r < 0 ? r : 0;
}

/* ---- the indices */

static struct tpm_counter_auth auth_of(const struct making *m)
{
        return (struct tpm_counter_auth){.agent = m->c.key,
                                         .agent_public = m->c.public,
                                         .owner_auth = VIEW(m->owner_auth.p, m->owner_auth.len)};
}

static int define(struct making *m, uint32_t index, bool replace, struct tpm_counter *ret, struct err *err)
{
        struct tpm_counter_auth auth = auth_of(m);
        int r = m->ek ? 0 : tpm_ek_load(m->tpm, m->id->ek_type, &m->ek, err);

        if (r >= 0 && replace) {
                log_warning("counter 0x%08x is of a state directory that was lost: it is made anew, and what "
                            "was sealed under it does not open any more",
                            index);
                r = tpm_counter_undefine(m->tpm, m->ek, index, auth.owner_auth, err);
        }
        if (r >= 0)
                r = tpm_counter_define(m->tpm, m->ek, index, &auth, ret, err);
        if (r >= 0)
                log_info("counter 0x%08x is defined, at %llu", index, (unsigned long long)ret->value);
        return r;
}

static int find(struct making *m, uint32_t index, struct tpm_counter *ret, struct err *err)
{
        struct tpm_counter_auth auth = auth_of(m);
        struct tpm_counter any;
        int r = tpm_counter_read(m->tpm, index, m->c.public, ret, err);

        if (r < 0)
                return r;
        if (!ret->defined)
                return define(m, index, false, ret, err);
        if (ret->fit && ret->written)
                return 0;
        if (ret->fit) {
                r = tpm_counter_increment(m->tpm, NULL, index, &auth, &ret->value, err);
                return r < 0 ? r : tpm_counter_read(m->tpm, index, m->c.public, ret, err);
        }
        r = tpm_counter_read(m->tpm, index, NULL, &any, err);
        if (r < 0)
                return r;
        if (any.fit)
                return define(m, index, true, ret, err);
        return err_set(err, ERR_CONFIG, 0,
                       "NV index 0x%08x is no counter of ours: if nobody needs it, remove it with "
                       "tpm2_nvundefine -C o 0x%08x",
                       index, index);
}

static int load(struct making *m, const struct agent_config *config, struct err *err)
{
        int r = load_key(&m->c, config, err);

        if (r >= 0)
                r = read_owner_auth(config, &m->owner_auth, err);
        if (r >= 0)
                r = find(m, SEAL_NV_EPOCH, &m->c.epoch, err);
        if (r >= 0)
                r = find(m, SEAL_NV_FLOOR, &m->c.floor, err);
        m->c.usable = r >= 0;
        return r;
}

int counters_load(struct counters *ret, struct tpm *tpm, const struct identity *id,
                  const struct agent_config *config, struct err *err)
{
        struct making m = {.tpm = tpm, .id = id};
        int r = 0;

        if (config->peer != AGENT_PEER_KEYLIME)
                r = load(&m, config, err);
        tpm_ek_free(m.ek);
        secret_free(&m.owner_auth);
        if (r < 0 && (r == -ERR_NOMEM || r == -ERR_IO || r == -ERR_CRYPTO || tpm_err_is_lost(err))) {
                counters_done(&m.c);
                return err_wrap(err, "counters");
        }
        if (r < 0) {
                log_err(err, "no epoch and floor counters, so nothing can be sealed to this host (a password "
                             "of the TPM's owner is given in tpm.owner_auth)");
                err_clear(err);
        }
        counters_done(ret);
        *ret = m.c;
        return 0;
}

void counters_done(struct counters *c)
{
        key_free(c->key);
        pubkey_free(c->public);
        buf_free(&c->spki);
        *c = (struct counters){.usable = false};
}

struct tpm_counter_auth counters_auth(const struct counters *c)
{
        return (struct tpm_counter_auth){.agent = c->key, .agent_public = c->public};
}

int counters_certify(struct counters *c, struct tpm_ak *ak, struct view qualifying,
                     struct tpm_signed *ret_epoch, struct tpm_signed *ret_floor, struct err *err)
{
        int r;

        if (!c->usable)
                return err_set(err, ERR_CONFIG, 0, "this host has no counters");
        r = tpm_ak_certify_counter(ak, SEAL_NV_EPOCH, qualifying, ret_epoch, err);
        return r < 0 ? r : tpm_ak_certify_counter(ak, SEAL_NV_FLOOR, qualifying, ret_floor, err);
}

int counters_raise_floor(struct counters *c, struct tpm *tpm, uint64_t target, struct err *err)
{
        struct tpm_counter_auth auth = counters_auth(c);
        struct tpm_counter now;
        int r;

        if (!c->usable)
                return err_set(err, ERR_CONFIG, 0, "this host has no counters");
        r = tpm_counter_read(tpm, SEAL_NV_FLOOR, c->public, &now, err);
        if (r < 0)
                return r;
        if (!now.fit || !now.written)
                return err_set(err, ERR_CONFIG, 0, "the floor counter is not ours any more");
        if (target > now.value && target - now.value > COUNTERS_RAISE_MAX)
                return err_set(err, ERR_LIMIT, 0, "a floor of %llu is too far from %llu",
                               (unsigned long long)target, (unsigned long long)now.value);
        c->floor = now;
        while (r >= 0 && c->floor.value < target)
                r = tpm_counter_increment(tpm, NULL, SEAL_NV_FLOOR, &auth, &c->floor.value, err);
        return r < 0 ? err_wrap(err, "raising the floor to %llu", (unsigned long long)target) : 0;
}
