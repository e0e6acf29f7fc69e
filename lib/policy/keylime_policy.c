/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keylime's runtime policy. Read strictly, as Keylime's own schema has it: a member that is unknown may be
 * one that restricts, so it is refused and not dropped. Texts are kept as they are (a digest stays the hex it
 * was), so that what was read is written again without loss; what they mean to us is decided when they are
 * used.
 *
 * Spec: Keylime, ima/ima.py, ima/types.py, ima/file_signatures.py (verification-keys).
 */
#include "policy/keylime_policy.h"

#include <stdlib.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "policy/pattern_regex.h"

#define ITEMS_MAX 4000000u
#define KEYS_MAX  1024u

/* ---- reading ---- */

static bool is_hex(const char *s, size_t min, size_t max)
{
        size_t n = 0;

        for (; n <= max && s[n]; n++)
                if (!((s[n] >= '0' && s[n] <= '9') || (s[n] >= 'a' && s[n] <= 'f')))
                        return false;
        return n >= min && n <= max;
}

typedef bool accepts(const char *item);

static bool any_text(const char *item)
{
        (void)item;
        return true;
}

static bool digest_text(const char *item)
{
        return is_hex(item, 40, 128);
}

static bool hex_text(const char *item)
{
        return is_hex(item, 2, 65536);
}

static int get_texts(const json_t *list, accepts *ok, struct strv *ret, struct err *err)
{
        if (!json_is_array(list))
                return err_set(err, ERR_FORMAT, 0, "expected an array of texts");
        for (size_t i = 0; i < json_array_size(list); i++) {
                const char *text = json_string_value(json_array_get(list, i));

                if (!text || !ok(text))
                        return err_set(err, ERR_FORMAT, 0, "item %zu: expected %s", i,
                                       ok == any_text ? "text" : "lower-case hex");
                if (strv_add(ret, text) < 0)
                        return err_nomem(err);
        }
        return 0;
}

static int get_lists(const json_t *policy, const char *name, accepts *ok, struct keylime_lists *ret,
                     struct err *err)
{
        const json_t *from;
        const char *key;
        json_t *value;
        int r = json_get_object(policy, name, &from, err);

        if (r < 0)
                return r;
        ret->p = mem_zalloc(json_object_size(from) + 1, sizeof(*ret->p));
        if (!ret->p)
                return err_nomem(err);
        json_object_foreach ((json_t *)(uintptr_t)from, key, value) {
                struct keylime_list *l = &ret->p[ret->n];

                l->name = str_dup(key);
                if (!l->name)
                        return err_nomem(err);
                ret->n++;
                r = get_texts(value, ok, &l->items, err);
                if (r < 0)
                        return err_wrap(err, "member '%s': %s", name, SHOW(key));
        }
        return 0;
}

static int get_strv(const json_t *obj, const char *name, struct strv *ret, struct err *err)
{
        const json_t *list;
        int r = json_get_array(obj, name, ITEMS_MAX, &list, err);

        if (r >= 0)
                r = get_texts(list, any_text, ret, err);
        return r < 0 ? err_wrap(err, "member '%s'", name) : 0;
}

static int get_meta(const json_t *j, struct keylime_policy *p, struct err *err)
{
        static const char *const names[] = {"version", "generator", "timestamp"};
        const char *timestamp = NULL;
        const json_t *meta;
        int r = json_get_object(j, "meta", &meta, err);

        if (r >= 0)
                r = json_only(meta, names, ARRAY_LEN(names), err);
        if (r >= 0)
                r = json_get_int(meta, "version", 0, INT64_MAX, &p->version, err);
        if (r >= 0)
                r = json_opt_int(meta, "generator", 0, KEYLIME_GENERATOR_TOOL, &p->generator, err);
        if (r >= 0)
                r = json_opt_str(meta, "timestamp", &timestamp, err);
        if (r < 0)
                return err_wrap(err, "member 'meta'");
        p->timestamp = timestamp ? str_dup(timestamp) : NULL;
        return timestamp && !p->timestamp ? err_nomem(err) : 0;
}

static int get_ima(const json_t *j, struct keylime_policy *p, struct err *err)
{
        static const char *const names[] = {"ignored_keyrings", "log_hash_alg", "dm_policy"};
        const char *alg = "sha1";
        enum digest_alg known;
        const json_t *ima, *dm;
        int r = json_get_object(j, "ima", &ima, err);

        if (r >= 0)
                r = json_only(ima, names, ARRAY_LEN(names), err);
        if (r >= 0 && json_object_get(ima, "ignored_keyrings"))
                r = get_strv(ima, "ignored_keyrings", &p->ignored_keyrings, err);
        if (r >= 0)
                r = json_opt_str(ima, "log_hash_alg", &alg, err);
        if (r >= 0 && !digest_by_name(alg, &known))
                r = err_set(err, ERR_FORMAT, 0,
                            "member 'log_hash_alg': expected sha1, sha256, sha384 or sha512, not %s",
                            SHOW(alg));
        dm = r >= 0 ? json_object_get(ima, "dm_policy") : NULL;
        if (dm && !json_is_null(dm) && !json_is_object(dm))
                r = err_set(err, ERR_FORMAT, 0, "member 'dm_policy': expected null or an object");
        if (r < 0)
                return err_wrap(err, "member 'ima'");
        p->log_hash_alg = str_dup(alg);
        p->dm_policy = json_is_object(dm) ? json_print(dm) : NULL;
        return p->log_hash_alg && (p->dm_policy || !json_is_object(dm)) ? 0 : err_nomem(err);
}

/* {"meta": {"version": 1}, "keyids": [u32], "pubkeys": [base64 DER]}, as text. */
static int check_keys(const char *text, struct err *err)
{
        static const char *const names[] = {"meta", "keyids", "pubkeys"};
        AUTO(json_free_p)
        json_t *j = NULL;
        const json_t *ids, *keys, *meta;
        int64_t version;
        int r = json_parse(view_str(text), KEYLIME_POLICY_BYTES_MAX, &j, err);

        if (r >= 0 && !json_is_object(j))
                r = err_set(err, ERR_FORMAT, 0, "expected an object");
        if (r >= 0)
                r = json_only(j, names, ARRAY_LEN(names), err);
        if (r >= 0)
                r = json_opt_object(j, "meta", &meta, err);
        if (r > 0)
                r = json_get_int(meta, "version", 1, 1, &version, err);
        if (r >= 0)
                r = json_get_array(j, "keyids", KEYS_MAX, &ids, err);
        if (r >= 0)
                r = json_get_array(j, "pubkeys", KEYS_MAX, &keys, err);
        if (r >= 0 && json_array_size(ids) != json_array_size(keys))
                r = err_set(err, ERR_FORMAT, 0, "%zu keyids and %zu pubkeys", json_array_size(ids),
                            json_array_size(keys));
        for (size_t i = 0; r >= 0 && i < json_array_size(keys); i++) {
                const json_t *id = json_array_get(ids, i);

                if (!json_is_integer(id) || json_integer_value(id) < 0 ||
                    json_integer_value(id) > UINT32_MAX || !json_is_string(json_array_get(keys, i)))
                        r = err_set(err, ERR_FORMAT, 0, "key %zu: expected a number of 32 bits and text", i);
        }
        return r;
}

static int get_keys(const json_t *j, struct keylime_policy *p, struct err *err)
{
        const char *text;
        int r = json_get_str(j, "verification-keys", &text, err);

        if (r >= 0 && *text)
                r = check_keys(text, err);
        if (r < 0)
                return err_wrap(err, "member 'verification-keys'");
        p->verification_keys = str_dup(text);
        return p->verification_keys ? 0 : err_nomem(err);
}

static int parse(const json_t *j, struct keylime_policy *p, struct err *err)
{
        static const char *const names[] = {"meta",     "release", "digests", "excludes",
                                            "keyrings", "ima",     "ima-buf", "verification-keys"};
        int r = json_only(j, names, ARRAY_LEN(names), err);

        if (r >= 0)
                r = get_meta(j, p, err);
        if (r >= 0)
                r = json_get_int(j, "release", 0, INT64_MAX, &p->release, err);
        if (r >= 0)
                r = get_lists(j, "digests", digest_text, &p->digests, err);
        if (r >= 0)
                r = get_strv(j, "excludes", &p->excludes, err);
        if (r >= 0)
                r = get_lists(j, "keyrings", hex_text, &p->keyrings, err);
        if (r >= 0)
                r = get_ima(j, p, err);
        if (r >= 0)
                r = get_lists(j, "ima-buf", hex_text, &p->ima_buf, err);
        return r >= 0 ? get_keys(j, p, err) : r;
}

int keylime_policy_parse(struct view json, struct keylime_policy **ret, struct err *err)
{
        AUTO(keylime_policy_free_p)
        struct keylime_policy *p = mem_zalloc(1, sizeof(*p));
        AUTO(json_free_p)
        json_t *j = NULL;
        int r = p ? json_parse(json, KEYLIME_POLICY_BYTES_MAX, &j, err) : err_nomem(err);

        if (r >= 0 && !json_is_object(j))
                r = err_set(err, ERR_FORMAT, 0, "expected an object");
        if (r >= 0)
                r = parse(j, p, err);
        if (r < 0)
                return err_wrap(err, "Keylime runtime policy");
        *ret = TAKE(p);
        return 0;
}

static void lists_done(struct keylime_lists *l)
{
        for (size_t i = 0; i < l->n; i++) {
                free(l->p[i].name);
                strv_done(&l->p[i].items);
        }
        free(l->p);
}

void keylime_policy_free(struct keylime_policy *p)
{
        if (!p)
                return;
        lists_done(&p->digests);
        lists_done(&p->keyrings);
        lists_done(&p->ima_buf);
        strv_done(&p->excludes);
        strv_done(&p->ignored_keyrings);
        free(p->timestamp);
        free(p->log_hash_alg);
        free(p->dm_policy);
        free(p->verification_keys);
        free(p);
}

/* ---- writing ---- */

static int text_of(const char *text, json_t **ret, struct err *err)
{
        if (!str_valid_utf8(view_str(text)))
                return err_set(err, ERR_FORMAT, 0, "%s is no UTF-8, which JSON cannot say", SHOW(text));
        *ret = json_string(text);
        return *ret ? 0 : err_nomem(err);
}

static int put_texts(json_t *obj, const char *name, const struct strv *v, struct err *err)
{
        json_t *list = json_array(); /* the object's as soon as it is in */

        if (!str_valid_utf8(view_str(name))) {
                json_decref(list);
                return err_set(err, ERR_FORMAT, 0, "%s is no UTF-8, which JSON cannot say", SHOW(name));
        }
        if (json_object_set_new(obj, name, list) < 0)
                return err_nomem(err);
        for (size_t i = 0; i < v->n; i++) {
                json_t *text = NULL;
                int r = text_of(v->items[i], &text, err);

                if (r < 0)
                        return r;
                if (json_array_append_new(list, text) < 0)
                        return err_nomem(err);
        }
        return 0;
}

static int put_lists(json_t *obj, const char *name, const struct keylime_lists *l, struct err *err)
{
        json_t *inner = json_object();
        int r = 0;

        if (json_object_set_new(obj, name, inner) < 0)
                return err_nomem(err);
        for (size_t i = 0; i < l->n && r >= 0; i++)
                r = put_texts(inner, l->p[i].name, &l->p[i].items, err);
        return r;
}

static int put_dm(json_t *ima, const char *text)
{
        struct err err = ERR_INIT;
        json_t *dm = NULL;

        if (!text)
                return json_set_str(ima, "dm_policy", NULL);
        if (json_parse(view_str(text), KEYLIME_POLICY_BYTES_MAX, &dm, &err) < 0)
                return -1; /* it was read from one */
        return json_object_set_new(ima, "dm_policy", dm);
}

static int put_small(json_t *j, const struct keylime_policy *p, struct err *err)
{
        json_t *meta = json_object(), *ima = json_object();
        int failed = json_object_set_new(j, "meta", meta);

        failed |= json_object_set_new(j, "ima", ima);
        if (failed || json_set_int(meta, "version", p->version) |
                              json_set_int(meta, "generator", p->generator) |
                              json_set_int(j, "release", p->release) |
                              json_set_str(ima, "log_hash_alg", p->log_hash_alg) | put_dm(ima, p->dm_policy) |
                              json_set_str(j, "verification-keys", p->verification_keys))
                return err_nomem(err);
        if (p->timestamp && json_set_str(meta, "timestamp", p->timestamp) < 0)
                return err_nomem(err);
        return put_texts(ima, "ignored_keyrings", &p->ignored_keyrings, err);
}

int keylime_policy_text(const struct keylime_policy *p, char **ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *j = json_object();
        int r = put_small(j, p, err);

        if (r >= 0)
                r = put_lists(j, "digests", &p->digests, err);
        if (r >= 0)
                r = put_texts(j, "excludes", &p->excludes, err);
        if (r >= 0)
                r = put_lists(j, "keyrings", &p->keyrings, err);
        if (r >= 0)
                r = put_lists(j, "ima-buf", &p->ima_buf, err);
        if (r < 0)
                return r;
        *ret = json_print(j);
        return *ret ? 0 : err_nomem(err);
}

/* ---- what we take over ---- */

static bool alg_of(size_t n_bytes, enum digest_alg *ret)
{
        static const enum digest_alg algs[] = {DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512};

        for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
                if (digest_size(algs[i]) != n_bytes)
                        continue;
                *ret = algs[i];
                return true;
        }
        return false;
}

static int add_digest(struct allow_builder *b, const char *path, const char *text, uint32_t label,
                      struct strv *ret_lost, struct err *err)
{
        size_t n = view_str(text).len / 2;
        uint8_t bytes[DIGEST_BYTES_MAX];
        enum digest_alg alg;
        int r;

        if (view_str(text).len % 2 || !alg_of(n, &alg))
                return strv_take(ret_lost,
                                 str_fmt("digests: %s: %s is no digest of sha1, sha256, sha384 or sha512",
                                         SHOW(path), SHOW(text))) < 0
                               ? err_nomem(err)
                               : 0;
        r = hex_decode_exact(view_str(text), bytes, n, err);
        return r < 0 ? r : allow_add(b, alg, VIEW(bytes, n), view_str(path), label, 0, err);
}

int keylime_policy_digests(const struct keylime_policy *p, struct allow_builder *b, uint32_t label,
                           struct strv *ret_lost, struct err *err)
{
        for (size_t i = 0; i < p->digests.n; i++) {
                const struct keylime_list *l = &p->digests.p[i];

                if (!*l->name) { /* Keylime's path is never empty, and to a set it would be any */
                        if (strv_take(ret_lost, str_fmt("digests: the path '' is no path")) < 0)
                                return err_nomem(err);
                        continue;
                }
                for (size_t k = 0; k < l->items.n; k++) {
                        int r = add_digest(b, l->name, l->items.items[k], label, ret_lost, err);

                        if (r < 0)
                                return err_wrap(err, "digests: %s", SHOW(l->name));
                }
        }
        return 0;
}

int keylime_policy_excludes(const struct keylime_policy *p, struct strv *ret, struct strv *ret_lost,
                            struct err *err)
{
        for (size_t i = 0; i < p->excludes.n; i++) {
                struct pattern_refusal why;
                int r = pattern_from_regex(view_str(p->excludes.items[i]), ret, &why, err);

                if (r == 0 && strv_take(ret_lost, str_fmt("excludes: %s: %s", SHOW(p->excludes.items[i]),
                                                          why.text)) < 0)
                        r = err_nomem(err);
                if (r < 0)
                        return r;
        }
        return 0;
}
