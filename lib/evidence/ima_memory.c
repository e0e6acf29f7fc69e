/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is remembered of a measurement list, and its JSON form inside a continuation. Read as strictly as the
 * rest of it: what was misread would skip entries, or forget that one was refused.
 */
#include "evidence/ima_memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "evidence/pcr.h"

static const char *const kind_names[IMA_KEPT_N] = {
        [IMA_KEPT_FILE] = "file",
        [IMA_KEPT_BUFFER] = "buffer",
        [IMA_KEPT_KEY] = "key",
        [IMA_KEPT_DEVICE] = "device",
};

struct ima_memory *ima_memory_new(void)
{
        return mem_zalloc(1, sizeof(struct ima_memory));
}

static void key_done(struct ima_key_kept *k)
{
        free(k->keyring);
        buf_free(&k->key);
}

void ima_memory_free(struct ima_memory *m)
{
        if (!m)
                return;
        for (size_t i = 0; i < m->n_kept; i++)
                free(m->kept[i].name);
        for (size_t i = 0; i < m->n_keys; i++)
                key_done(&m->keys[i]);
        free(m->kept);
        free(m->keys);
        free(m->refused);
        buf_free(&m->required_seen);
        free(m);
}

/* Room for one more element behind N of them: arrays grow at 0, 1, 2, 4 … */
static void *room(void *p, size_t n, size_t size)
{
        return n & (n - 1) ? p : mem_resize(p, n ? 2 * n : 1, size);
}

int ima_memory_keep(struct ima_memory *m, const struct ima_kept *kept, struct err *err)
{
        struct ima_kept copy = *kept, *grown;

        if (m->n_kept == IMA_KEPT_MAX)
                return err_set(err, ERR_LIMIT, 0, "more than %d entries are to be remembered", IMA_KEPT_MAX);
        grown = room(m->kept, m->n_kept, sizeof(*grown));
        if (!grown)
                return err_nomem(err);
        m->kept = grown;
        copy.name = str_ndup(kept->name, IMA_NAME_KEPT_MAX);
        if (!copy.name)
                return err_nomem(err);
        m->kept[m->n_kept++] = copy;
        return 0;
}

int ima_memory_refuse(struct ima_memory *m, uint64_t entry, struct err *err)
{
        uint32_t *grown;

        if (m->n_refused == IMA_REFUSED_MAX || entry > UINT32_MAX)
                return err_set(err, ERR_LIMIT, 0, "more than %d refused entries are to be remembered",
                               IMA_REFUSED_MAX);
        if (m->n_refused && m->refused[m->n_refused - 1] >= entry)
                return err_set(err, ERR_BUG, 0, "refused entries out of order");
        grown = room(m->refused, m->n_refused, sizeof(*grown));
        if (!grown)
                return err_nomem(err);
        m->refused = grown;
        m->refused[m->n_refused++] = (uint32_t)entry;
        return 0;
}

int ima_memory_learn(struct ima_memory *m, const char *keyring, struct view key, struct err *err)
{
        struct ima_key_kept copy = {.keyring = NULL}, *grown;

        if (m->n_keys == IMA_KEYS_KEPT_MAX || key.len > IMA_KEY_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "more than %d keys, or one of more than %d bytes",
                               IMA_KEYS_KEPT_MAX, IMA_KEY_BYTES_MAX);
        grown = room(m->keys, m->n_keys, sizeof(*grown));
        if (!grown)
                return err_nomem(err);
        m->keys = grown;
        copy.keyring = str_ndup(keyring, IMA_NAME_KEPT_MAX);
        buf_put_view(&copy.key, key);
        if (!copy.keyring || !buf_ok(&copy.key)) {
                key_done(&copy);
                return err_nomem(err);
        }
        m->keys[m->n_keys++] = copy;
        return 0;
}

static int by_number(const void *a, const void *b)
{
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return x < y ? -1 : x > y;
}

bool ima_memory_refused(const struct ima_memory *m, uint64_t entry)
{
        uint32_t key = (uint32_t)entry;

        return entry <= UINT32_MAX && m->n_refused &&
               bsearch(&key, m->refused, m->n_refused, sizeof(key), by_number);
}

int ima_memory_see(struct ima_memory *m, size_t required, struct err *err)
{
        if (required >= IMA_REQUIRED_MAX)
                return err_set(err, ERR_LIMIT, 0, "more than %d required files", IMA_REQUIRED_MAX);
        while (buf_ok(&m->required_seen) && m->required_seen.len <= required / 8)
                buf_u8(&m->required_seen, 0);
        if (!buf_ok(&m->required_seen))
                return err_nomem(err);
        m->required_seen.p[required / 8] |= (uint8_t)(1u << required % 8);
        return 0;
}

bool ima_memory_seen(const struct ima_memory *m, size_t required)
{
        return required / 8 < m->required_seen.len && (m->required_seen.p[required / 8] >> required % 8 & 1);
}

static int copy_into(struct ima_memory *copy, const struct ima_memory *m, struct err *err)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < m->n_kept; i++)
                r = ima_memory_keep(copy, &m->kept[i], err);
        for (size_t i = 0; r == 0 && i < m->n_refused; i++)
                r = ima_memory_refuse(copy, m->refused[i], err);
        for (size_t i = 0; r == 0 && i < m->n_keys; i++)
                r = ima_memory_learn(copy, m->keys[i].keyring, VIEW_BUF(&m->keys[i].key), err);
        if (r == 0)
                buf_put_view(&copy->required_seen, VIEW_BUF(&m->required_seen));
        return r < 0 || buf_ok(&copy->required_seen) ? r : err_nomem(err);
}

struct ima_memory *ima_memory_dup(const struct ima_memory *m)
{
        AUTO(ima_memory_free_p)
        struct ima_memory *copy = mem_dup(m, sizeof(*m));
        struct err err = ERR_INIT;

        if (!copy)
                return NULL;
        copy->kept = NULL;
        copy->refused = NULL;
        copy->keys = NULL;
        copy->required_seen = (struct buf){0};
        copy->n_kept = copy->n_refused = copy->n_keys = 0;
        return copy_into(copy, m, &err) < 0 ? NULL : TAKE(copy);
}

/* ---- JSON ---- */

static void kept_put(struct json_out *o, const struct ima_kept *k)
{
        json_out_object(o, NULL);
        json_out_str(o, "alg", k->digest.len ? digest_name(k->digest.alg) : NULL);
        json_out_hex(o, "digest", VIEW(k->digest.b, k->digest.len));
        json_out_int(o, "entry", (int64_t)k->entry);
        json_out_str(o, "kind", kind_names[k->kind]);
        json_out_hex(o, "name", view_str(k->name));
        json_out_bool(o, "newest", k->newest);
        json_out_bool(o, "refused", k->refused);
        json_out_bool(o, "runtime", k->runtime);
        json_out_time(o, "seen_at", k->seen_at_ms);
        json_out_str(o, "signer", ima_signed_name(k->signer));
        json_out_object_end(o);
}

void ima_memory_put(struct json_out *o, const char *name, const struct ima_memory *m)
{
        json_out_object(o, name);
        json_out_str(o, "alg", digest_name(m->value.alg));
        json_out_int(o, "bytes", (int64_t)m->bytes);
        json_out_int(o, "entries", (int64_t)m->entries);
        if (m->extended_known)
                json_out_bool(o, "extended_by_sha1", m->extended == IMA_PADDED_SHA1);
        json_out_int(o, "facts", m->facts);
        json_out_int(o, "first_violation", (int64_t)m->first_violation);
        json_out_array(o, "kept");
        for (size_t i = 0; i < m->n_kept; i++)
                kept_put(o, &m->kept[i]);
        json_out_array_end(o);
        json_out_array(o, "keys");
        for (size_t i = 0; i < m->n_keys; i++) {
                json_out_object(o, NULL);
                json_out_base64(o, "key", VIEW_BUF(&m->keys[i].key));
                json_out_hex(o, "keyring", view_str(m->keys[i].keyring));
                json_out_object_end(o);
        }
        json_out_array_end(o);
        json_out_int(o, "pcr", m->pcr);
        json_out_array(o, "refused");
        for (size_t i = 0; i < m->n_refused; i++)
                json_out_int(o, NULL, m->refused[i]);
        json_out_array_end(o);
        json_out_hex(o, "required_seen", VIEW_BUF(&m->required_seen));
        json_out_hex(o, "value", digest_view(&m->value));
        json_out_int(o, "violations", (int64_t)m->violations);
        json_out_bool(o, "whole", m->whole);
        json_out_object_end(o);
}

/* A digest whose algorithm is ALG_NAME. */
static int read_digest(const json_t *j, const char *name, const char *alg_name, struct digest *ret,
                       struct err *err)
{
        AUTO(buf_free)
        struct buf bytes = {0};
        enum digest_alg alg;
        int r = json_get_hex(j, name, DIGEST_BYTES_MAX, &bytes, err);

        if (r < 0)
                return r;
        if (!digest_by_name(alg_name, &alg))
                return err_set(err, ERR_FORMAT, 0, "member 'alg': %s is not known", SHOW(alg_name));
        return digest_set(alg, VIEW_BUF(&bytes), ret, err);
}

/* A name in hex, without NUL. */
static int read_name(const json_t *j, const char *member, char **ret, struct err *err)
{
        AUTO(buf_free)
        struct buf bytes = {0};
        int r = json_get_hex(j, member, IMA_NAME_KEPT_MAX, &bytes, err);

        if (r < 0)
                return r;
        if (bytes.len && memchr(bytes.p, 0, bytes.len))
                return err_set(err, ERR_FORMAT, 0, "member '%s': it holds a NUL", member);
        *ret = buf_take_str(&bytes);
        return *ret ? 0 : err_nomem(err);
}

static int read_word(const json_t *j, const char *name, const char *const *words, size_t n, size_t *ret,
                     struct err *err)
{
        const char *word = NULL;
        int r = json_get_str(j, name, &word, err);

        if (r < 0)
                return r;
        for (*ret = 0; *ret < n; (*ret)++)
                if (str_equal(words[*ret], word))
                        return 0;
        return err_set(err, ERR_FORMAT, 0, "member '%s': %s is not known", name, SHOW(word));
}

static int read_flags(const json_t *j, struct ima_kept *k, struct err *err)
{
        const char *signers[IMA_SIGNED_SOMEHOW + 1];
        size_t kind = 0, signer = 0;
        int r = read_word(j, "kind", kind_names, IMA_KEPT_N, &kind, err);

        for (size_t i = 0; i < ARRAY_LEN(signers); i++)
                signers[i] = ima_signed_name((enum ima_signed)i);
        if (r >= 0)
                r = read_word(j, "signer", signers, ARRAY_LEN(signers), &signer, err);
        if (r >= 0)
                r = json_get_bool(j, "newest", &k->newest, err);
        if (r >= 0)
                r = json_get_bool(j, "refused", &k->refused, err);
        if (r >= 0)
                r = json_get_bool(j, "runtime", &k->runtime, err);
        k->kind = (enum ima_kept_kind)kind;
        k->signer = (enum ima_signed)signer;
        return r;
}

static int read_kept(const json_t *j, struct ima_memory *m, struct err *err)
{
        static const char *const names[] = {"alg",    "digest",  "entry",   "kind",    "name",
                                            "newest", "refused", "runtime", "seen_at", "signer"};
        struct ima_kept k = {.name = NULL};
        AUTO(mem_free_p)
        char *name = NULL;
        const char *alg = NULL;
        int64_t entry = 0;
        int r = json_only(j, names, ARRAY_LEN(names), err);

        if (r >= 0)
                r = json_opt_str(j, "alg", &alg, err);
        if (r >= 0 && alg)
                r = read_digest(j, "digest", alg, &k.digest, err);
        if (r >= 0)
                r = json_get_int(j, "entry", 0, INT64_MAX, &entry, err);
        if (r >= 0)
                r = json_get_time(j, "seen_at", &k.seen_at_ms, err);
        if (r >= 0)
                r = read_flags(j, &k, err);
        if (r >= 0)
                r = read_name(j, "name", &name, err);
        if (r < 0)
                return r;
        k.entry = (uint64_t)entry;
        k.name = name;
        return ima_memory_keep(m, &k, err);
}

static int read_key(const json_t *j, struct ima_memory *m, struct err *err)
{
        static const char *const names[] = {"key", "keyring"};
        AUTO(buf_free)
        struct buf key = {0};
        AUTO(mem_free_p)
        char *keyring = NULL;
        int r = json_only(j, names, ARRAY_LEN(names), err);

        if (r >= 0)
                r = json_get_base64(j, "key", IMA_KEY_BYTES_MAX, &key, err);
        if (r >= 0)
                r = read_name(j, "keyring", &keyring, err);
        return r < 0 ? r : ima_memory_learn(m, keyring, VIEW_BUF(&key), err);
}

static int read_refused(const json_t *j, struct ima_memory *m, struct err *err)
{
        json_int_t n = json_integer_value(j);

        if (!json_is_integer(j) || n < 0 || n > UINT32_MAX ||
            (m->n_refused && m->refused[m->n_refused - 1] >= n))
                return err_set(err, ERR_FORMAT, 0, "expected an ascending number of an entry");
        return ima_memory_refuse(m, (uint64_t)n, err);
}

static int read_all(const json_t *j, const char *name, size_t max, struct ima_memory *m,
                    int (*read)(const json_t *j, struct ima_memory *m, struct err *err), struct err *err)
{
        const json_t *list = NULL;
        int r = json_get_array(j, name, max, &list, err);

        for (size_t i = 0; r >= 0 && i < json_array_size(list); i++) {
                r = read(json_array_get(list, i), m, err);
                if (r < 0)
                        return err_wrap(err, "member '%s', element %zu", name, i);
        }
        return r;
}

static int read_numbers(const json_t *j, struct ima_memory *m, struct err *err)
{
        const struct {
                const char *name;
                int64_t max;
                uint64_t *ret;
        } numbers[] = {
                {"bytes", INT64_MAX, &m->bytes},
                {"entries", INT64_MAX, &m->entries},
                {"first_violation", INT64_MAX, &m->first_violation},
                {"violations", INT64_MAX, &m->violations},
        };
        int64_t facts = 0, pcr = 0;
        bool sha1 = false;
        int r = json_get_int(j, "facts", 0, UINT32_MAX, &facts, err);

        if (r >= 0)
                r = json_get_int(j, "pcr", 0, PCR_COUNT - 1, &pcr, err);
        for (size_t i = 0; r >= 0 && i < ARRAY_LEN(numbers); i++) {
                int64_t n = 0;

                r = json_get_int(j, numbers[i].name, 0, numbers[i].max, &n, err);
                *numbers[i].ret = (uint64_t)n;
        }
        if (r >= 0)
                r = json_get_bool(j, "whole", &m->whole, err);
        if (r >= 0)
                r = json_opt_bool(j, "extended_by_sha1", &sha1, err);
        m->extended_known = r == 1;
        m->extended = sha1 ? IMA_PADDED_SHA1 : IMA_OWN_DIGEST;
        m->facts = (uint32_t)facts;
        m->pcr = (unsigned)pcr;
        return r < 0 ? r : 0;
}

int ima_memory_from_json(const json_t *j, struct ima_memory **ret, struct err *err)
{
        static const char *const names[] = {"alg",        "bytes", "entries", "extended_by_sha1",
                                            "facts",      "kept",  "keys",    "first_violation",
                                            "pcr",        "value", "refused", "required_seen",
                                            "violations", "whole"};
        AUTO(ima_memory_free_p)
        struct ima_memory *m = ima_memory_new();
        const char *alg = NULL;
        int r;

        if (!m)
                return err_nomem(err);
        r = json_only(j, names, ARRAY_LEN(names), err);
        if (r >= 0)
                r = json_get_str(j, "alg", &alg, err);
        if (r >= 0)
                r = read_digest(j, "value", alg, &m->value, err);
        if (r >= 0)
                r = read_numbers(j, m, err);
        if (r >= 0)
                r = read_all(j, "kept", IMA_KEPT_MAX, m, read_kept, err);
        if (r >= 0)
                r = read_all(j, "keys", IMA_KEYS_KEPT_MAX, m, read_key, err);
        if (r >= 0)
                r = read_all(j, "refused", IMA_REFUSED_MAX, m, read_refused, err);
        if (r >= 0)
                r = json_get_hex(j, "required_seen", IMA_REQUIRED_MAX / 8, &m->required_seen, err);
        if (r < 0)
                return err_wrap(err, "member 'ima'");
        *ret = TAKE(m);
        return 0;
}
