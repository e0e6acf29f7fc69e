/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pinning. What the network half hands over is believed once, on a host that has never been told its
 * verifier's keys; the worst that it can do then is to make this host deaf to the true verifier, whose
 * releases are not signed by those keys, so nothing new is opened either. Who wants less trust than that
 * names a file.
 */
#include "agent/verifier_keys.h"

#include <errno.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define KEYS_BYTES_MAX (64u * 1024)

static char *pinned_path(const struct agent_config *config)
{
        return str_fmt("%s/verifier-keys.json", config->state_dir);
}

void verifier_keys_done(struct verifier_keys *keys)
{
        jwks_done(&keys->revocation);
        jwks_done(&keys->release);
}

/* The members of a key set that are for USE. Return: NULL when out of memory. */
static json_t *keys_for(const json_t *doc, const char *use)
{
        json_t *out = json_object(), *list = json_array();
        const json_t *all = json_object_get(doc, "keys"), *named = json_object_get(doc, use);
        int r = json_object_set_new(out, "keys", list);

        for (size_t i = 0; r == 0 && i < json_array_size(named); i++)
                r = json_array_append(list, json_array_get(named, i));
        for (size_t i = 0; r == 0 && i < json_array_size(all); i++) {
                json_t *key = json_array_get(all, i);

                if (str_equal(json_string_value(json_object_get(key, "use")), use))
                        r = json_array_append(list, key);
        }
        if (r < 0) {
                json_decref(out);
                return NULL;
        }
        return out;
}

/* Return: 1; 0 if there is none; < 0. */
static int parse_for(const json_t *doc, const char *use, struct jwks *ret, struct err *err)
{
        AUTO(json_free_p) json_t *set = keys_for(doc, use);
        AUTO(mem_free_p) char *chosen = set ? json_print(set) : NULL;
        int r;

        if (!chosen)
                return err_nomem(err);
        if (json_array_size(json_object_get(set, "keys")) == 0)
                return 0;
        r = jwks_parse(view_str(chosen), ret, err);
        return r < 0 ? r : 1;
}

int verifier_keys_parse(struct view text, struct verifier_keys *ret, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        struct verifier_keys keys = {.revocation = {.n = 0}};
        int r = json_parse(text, KEYS_BYTES_MAX, &doc, err);

        if (r >= 0)
                r = parse_for(doc, "revocation", &keys.revocation, err);
        if (r == 0)
                r = err_set(err, ERR_FORMAT, 0, "none is for revocations");
        if (r >= 0)
                r = parse_for(doc, "release", &keys.release, err);
        if (r < 0) {
                verifier_keys_done(&keys);
                return err_wrap(err, "the verifier's keys");
        }
        *ret = keys;
        return 0;
}

static int load_file(const char *path, struct buf *text, struct verifier_keys *ret, struct err *err)
{
        struct verifier_keys keys = {.revocation = {.n = 0}};
        int r = file_read(path, KEYS_BYTES_MAX, text, err);

        if (r >= 0)
                r = verifier_keys_parse(VIEW_BUF(text), &keys, err);
        if (r < 0)
                return err_wrap(err, "%s", SHOW(path));
        verifier_keys_done(ret);
        *ret = keys;
        return 1;
}

int verifier_keys_load(const struct agent_config *config, struct verifier_keys *ret, struct err *err)
{
        AUTO(mem_free_p) char *path = pinned_path(config);
        AUTO(buf_free) struct buf text = {0};

        if (!path)
                return err_nomem(err);
        if (config->verifier_keys)
                return load_file(config->verifier_keys, &text, ret, err);
        return file_exists(path) ? load_file(path, &text, ret, err) : 0;
}

int verifier_keys_pin(const struct agent_config *config, struct view text, struct verifier_keys *ret,
                      struct err *err)
{
        AUTO(mem_free_p) char *path = pinned_path(config);
        AUTO(buf_free) struct buf had = {0};
        struct verifier_keys keys = {.revocation = {.n = 0}};
        int r;

        if (!path)
                return err_nomem(err);
        if (config->verifier_keys)
                return 0;
        if (file_exists(path)) {
                r = file_read(path, KEYS_BYTES_MAX, &had, err);
                if (r < 0)
                        return r;
                return view_equal(VIEW_BUF(&had), text)
                               ? 0
                               : err_set(err, ERR_CONFIG, 0,
                                         "the verifier says other keys than the ones that were pinned: if it "
                                         "has new ones, name them in verifier.keys, or remove %s",
                                         SHOW(path));
        }
        r = verifier_keys_parse(text, &keys, err);
        if (r >= 0)
                r = file_write(path, text, 0600, err);
        if (r < 0) {
                verifier_keys_done(&keys);
                return r;
        }
        verifier_keys_done(ret);
        *ret = keys;
        log_with(
                LOG_LEVEL_INFO, LOG_FIELDS({"AVOW_EVENT", "verifier-keys-pinned"}),
                "the verifier's keys for revocations are pinned as its first answer said them (verifier.keys "
                "names a file instead)");
        return 1;
}
