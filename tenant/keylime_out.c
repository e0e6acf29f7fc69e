/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `ima:` as Keylime's runtime policy. Keylime allows files by path and digest, for ever, and by any key's
 * signature anywhere; what here is narrower (a key for some paths, a digest until a day) is named, and a key
 * that would be believed more than here is left out.
 */
#include "tenant/keylime_out.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "crypto/cert.h"
#include "policy/pattern_regex.h"
#include "policy/policy_ima.h"

#define LOST(said, ...) strv_take(&(said)->lost, str_fmt(__VA_ARGS__))
#define NOTE(said, ...) strv_take(&(said)->notes, str_fmt(__VA_ARGS__))

int keylime_kept_read(struct view text, json_t **ret, struct err *err)
{
        struct view head = view_str(KEYLIME_KEPT);
        int r;

        *ret = NULL;
        for (size_t at = 0; at < text.len;) {
                const uint8_t *end = memchr(text.p + at, '\n', text.len - at);
                size_t n = end ? (size_t)(end - text.p) - at : text.len - at;

                if (n > head.len && view_equal(VIEW(text.p + at, head.len), head)) {
                        r = json_parse(VIEW(text.p + at + head.len, n - head.len), KEYLIME_POLICY_BYTES_MAX,
                                       ret, err);
                        if (r >= 0 && !json_is_object(*ret))
                                r = err_set(err, ERR_FORMAT, 0, "expected an object");
                        return r < 0 ? err_wrap(err, "the line '" KEYLIME_KEPT "'") : 0;
                }
                at += n + 1;
        }
        return 0;
}

/* ---- what is being made ---- */

struct making {
        const struct policy *policy;
        const json_t *kept;
        int64_t now_ms;
        struct keylime_policy *out;
        struct keylime_said *said;
        struct policy_effective *effective;
};

/* SORTED: items come in the order of their names, so that an old one is the last. */
static struct keylime_list *list_named(struct keylime_lists *l, const char *name, bool sorted)
{
        struct keylime_list *grown;

        for (size_t i = l->n; i > (sorted && l->n ? l->n - 1 : 0); i--)
                if (str_equal(l->p[i - 1].name, name))
                        return &l->p[i - 1];
        /* doubled when it is full: 0, 1, 2, 4, … */
        if ((l->n & (l->n - 1)) == 0) {
                grown = mem_resize(l->p, l->n ? 2 * l->n : 1, sizeof(*grown));
                if (!grown)
                        return NULL;
                l->p = grown;
        }
        l->p[l->n] = (struct keylime_list){.name = str_dup(name)};
        return l->p[l->n].name ? &l->p[l->n++] : NULL;
}

static int add_item(struct keylime_lists *l, const char *name, const char *item, bool sorted)
{
        struct keylime_list *list = list_named(l, name, sorted);

        if (!list)
                return -1;
        return strv_has(&list->items, item) ? 0 : strv_add(&list->items, item);
}

/* {NAME: [TEXT]} of what was kept. */
static int add_kept(const json_t *kept, const char *member, struct keylime_lists *ret)
{
        const char *name;
        json_t *list;
        int r = 0;

        json_object_foreach (json_object_get(kept, member), name, list)
                for (size_t i = 0; i < json_array_size(list); i++) {
                        const char *text = json_string_value(json_array_get(list, i));

                        if (text)
                                r |= add_item(ret, name, text, false);
                }
        return r;
}

/* ---- digests ---- */

struct row {
        struct allow_entry entry;
        size_t part;
};

/* By path, and then as the texts have them. */
static int compare(const void *a, const void *b)
{
        const struct row *x = a, *y = b;
        size_t n = x->entry.path.len < y->entry.path.len ? x->entry.path.len : y->entry.path.len;
        int r = 0;

        for (size_t i = 0; i < n && r == 0; i++)
                r = x->entry.path.p[i] - y->entry.path.p[i];
        if (r == 0)
                r = (x->entry.path.len > n) - (y->entry.path.len > n);
        if (r == 0)
                r = (x->part > y->part) - (x->part < y->part);
        return r ? r : (x->entry.line > y->entry.line) - (x->entry.line < y->entry.line);
}

/* All entries of one set of each layer that every host has, sorted. The caller frees the rows. */
static int rows_of(const struct making *m, const struct allow *(*set)(const struct policy_ima *),
                   struct row **ret, size_t *ret_n)
{
        const struct policy *p = m->policy;
        size_t n = 0, max = 0;
        struct row *rows;

        for (size_t i = 0; i < p->n_parts; i++)
                if (!p->parts[i].hosts && p->parts[i].ima && set(p->parts[i].ima))
                        max += allow_count(set(p->parts[i].ima));
        rows = mem_zalloc(max + 1, sizeof(*rows));
        if (!rows)
                return -1;
        for (size_t i = 0; i < p->n_parts; i++) {
                const struct allow *a = p->parts[i].hosts || !p->parts[i].ima ? NULL : set(p->parts[i].ima);
                struct allow_pos pos = {0};

                while (a && n < max && allow_next(a, &pos, &rows[n].entry))
                        rows[n++].part = i;
        }
        qsort(rows, n, sizeof(*rows), compare);
        *ret = rows;
        *ret_n = n;
        return 0;
}

static const struct allow *files_of(const struct policy_ima *ima)
{
        return ima->files;
}
static const struct allow *keyring_keys_of(const struct policy_ima *ima)
{
        return ima->keyring_keys;
}
static const struct allow *buffer_digests_of(const struct policy_ima *ima)
{
        return ima->buffer_digests;
}
static const struct allow *verity_of(const struct policy_ima *ima)
{
        return ima->verity_roots;
}

/* The caller's; "" for any path. NULL: no memory. */
static char *path_of(const struct allow_entry *e)
{
        return e->path.len ? str_ndup((const char *)e->path.p, e->path.len) : str_dup("");
}

static bool denied(const struct making *m, const struct allow_entry *e)
{
        const char *comment;
        uint32_t line;

        return policy_effective_file_denied(m->effective, e->alg, e->digest, &comment, &line);
}

static int put_rows(struct making *m, const struct row *rows, size_t n_rows)
{
        size_t n_any = 0, n_ends = 0, n_over = 0, n_denied = 0;
        char hex[2 * DIGEST_BYTES_MAX + 1];
        int r = 0;

        for (size_t i = 0; r == 0 && i < n_rows; i++) {
                const struct allow_entry *e = &rows[i].entry;
                AUTO(mem_free_p) char *path = path_of(e);

                if (e->path.len == 0) {
                        n_any++;
                } else if (e->until_ms <= m->now_ms) {
                        n_over++;
                } else if (denied(m, e)) {
                        n_denied++;
                } else {
                        n_ends += e->until_ms != ALLOW_NEVER;
                        r = path ? add_item(&m->out->digests, path, hex_write(hex, e->digest), true) : -1;
                }
        }
        if (n_any)
                r |= LOST(m->said,
                          "ima: %zu digests are allowed at any path, and Keylime allows at a path only",
                          n_any);
        if (n_ends)
                r |= LOST(m->said, "ima: %zu digests have an 'until', and Keylime allows for ever", n_ends);
        if (n_over)
                r |= NOTE(m->said, "ima: %zu digests have ended and are left out", n_over);
        if (n_denied)
                r |= NOTE(m->said, "ima: %zu digests are denied and left out", n_denied);
        return r;
}

static int put_digests(struct making *m)
{
        struct row *rows = NULL;
        size_t n = 0;
        int r = rows_of(m, files_of, &rows, &n);

        if (r == 0)
                r = put_rows(m, rows, n);
        free(rows);
        if (r == 0)
                r = add_kept(m->kept, "digests", &m->out->digests);
        if (r == 0 && !json_object_get(json_object_get(m->kept, "digests"), "boot_aggregate"))
                r = NOTE(m->said,
                         "digests: there is no boot_aggregate, which avow works out: Keylime needs a "
                         "measured-boot policy beside this one, or the value of your hosts added");
        return r;
}

/* ---- excludes ---- */

/* Every pattern that all layers exclude by. */
static int exclude_texts(const struct policy *p, struct strv *ret)
{
        int r = 0;

        for (size_t i = 0; i < p->n_parts; i++)
                for (size_t k = 0; !p->parts[i].hosts && p->parts[i].ima && k < p->parts[i].ima->n_exclude;
                     k++)
                        if (!strv_has(ret, p->parts[i].ima->exclude_texts[k]))
                                r |= strv_add(ret, p->parts[i].ima->exclude_texts[k]);
        return r;
}

/* Keylime's own spelling, where all that it means is still there. */
static int put_spelling(struct making *m, const struct strv *texts, struct strv *said_already)
{
        const json_t *list = json_object_get(m->kept, "exclude_spelling");
        struct err err = ERR_INIT;
        int r = 0;

        for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
                const char *regex = json_string_value(json_array_get(list, i));
                AUTO(strv_done) struct strv patterns = {0};
                struct pattern_refusal why;
                bool all = regex && pattern_from_regex(view_str(regex), &patterns, &why, &err) == 1;

                for (size_t k = 0; all && k < patterns.n; k++)
                        all = strv_has(texts, patterns.items[k]);
                for (size_t k = 0; all && r == 0 && k < patterns.n; k++)
                        r = strv_add(said_already, patterns.items[k]);
                if (all && r == 0)
                        r = strv_add(&m->out->excludes, regex);
        }
        return r;
}

static int put_excludes(struct making *m, struct err *err)
{
        AUTO(strv_done) struct strv texts = {0};
        AUTO(strv_done) struct strv done = {0};
        const json_t *list = json_object_get(m->kept, "excludes");

        if (exclude_texts(m->policy, &texts) < 0 || put_spelling(m, &texts, &done) < 0)
                return err_nomem(err);
        for (size_t i = 0; i < texts.n; i++) {
                struct buf regex = {0};
                AUTO(mem_free_p) char *text = NULL;

                if (strv_has(&done, texts.items[i]))
                        continue;
                if (pattern_to_regex(view_str(texts.items[i]), true, &regex, err) < 0)
                        return -(int)err->kind;
                text = buf_take_str(&regex);
                if (!text || strv_add(&m->out->excludes, text) < 0)
                        return err_nomem(err);
        }
        for (size_t i = 0; i < json_array_size(list); i++) {
                const char *text = json_string_value(json_array_get(list, i));

                if (text && strv_add(&m->out->excludes, text) < 0)
                        return err_nomem(err);
        }
        return 0;
}

/* ---- keys ---- */

/* Does a rule believe it anywhere, as Keylime would? */
static bool signs_anywhere(const struct policy_ima *ima, const struct policy_key *key)
{
        for (size_t i = 0; i < ima->n_signed; i++)
                for (size_t k = 0; !ima->signed_by[i].paths && k < ima->signed_by[i].n_by; k++)
                        if (ima->signed_by[i].by[k] == key)
                                return true;
        return false;
}

static int certificate_spki(const char *pem, struct buf *ret, struct err *err)
{
        AUTO(cert_free_p) struct cert *cert = NULL;
        int r = cert_parse_pem(view_str(pem), &cert, err);

        if (r < 0)
                return r;
        if (!cert_pubkey(cert))
                return err_set(err, ERR_CRYPTO, 0, "a key of a kind that is not known here");
        return pubkey_spki(cert_pubkey(cert), ret, err);
}

static int put_key(const struct policy_key *key, json_t *ids, json_t *keys, struct err *err)
{
        AUTO(pubkey_free_p) struct pubkey *public = NULL;
        AUTO(buf_free) struct buf der = {0};
        AUTO(mem_free_p) char *base64 = NULL;
        struct err ignored = ERR_INIT;
        int r = pubkey_from_pem(view_str(key->pem), &public, &ignored);

        if (r >= 0)
                r = pubkey_spki(public, &der, err);
        else
                r = certificate_spki(key->pem, &der, err);
        if (r < 0)
                return err_wrap(err, "key %s", key->name);
        base64 = base64_encode(VIEW_BUF(&der));
        if (!base64 || json_array_append_new(ids, json_integer(key->id)) < 0 ||
            json_array_append_new(keys, json_string(base64)) < 0)
                return err_nomem(err);
        return 0;
}

static int put_keys_of(struct making *m, const struct policy_ima *ima, json_t *ids, json_t *keys,
                       struct err *err)
{
        for (size_t i = 0; i < ima->n_keys; i++) {
                const struct policy_key *key = &ima->keys[i];
                int r = 0;

                if (key->until_ms <= m->now_ms)
                        continue;
                if (!signs_anywhere(ima, key)) {
                        r = LOST(m->said,
                                 "ima.keys: %s is left out: it signs some paths only, and Keylime would "
                                 "believe it "
                                 "everywhere",
                                 key->name);
                } else {
                        if (key->until_ms != POLICY_NEVER)
                                r = LOST(m->said,
                                         "ima.keys: %s has an 'until', and Keylime believes for ever",
                                         key->name);
                        if (r == 0 && put_key(key, ids, keys, err) < 0)
                                return -(int)err->kind;
                }
                if (r < 0)
                        return err_nomem(err);
        }
        return 0;
}

/* Keylime's own spelling if it has the same keys, in the same order. NULL: no memory. */
static char *keys_text(const struct making *m, const json_t *made, const json_t *ids, const json_t *keys)
{
        const char *own = json_string_value(json_object_get(m->kept, "verification-keys"));
        AUTO(json_free_p) json_t *j = NULL;
        struct err err = ERR_INIT;

        if (own && json_parse(view_str(own), KEYLIME_POLICY_BYTES_MAX, &j, &err) == 0 &&
            json_equal(json_object_get(j, "keyids"), ids) && json_equal(json_object_get(j, "pubkeys"), keys))
                return str_dup(own);
        return json_print(made);
}

static int put_keys(struct making *m, struct err *err)
{
        AUTO(json_free_p)
        json_t *j = json_pack("{s:{s:i}, s:[], s:[]}", "meta", "version", 1, "keyids", "pubkeys");
        json_t *ids = json_object_get(j, "keyids"), *keys = json_object_get(j, "pubkeys");
        const json_t *kept = json_object_get(m->kept, "keys");

        if (!j)
                return err_nomem(err);
        for (size_t i = 0; i < m->policy->n_parts; i++)
                if (!m->policy->parts[i].hosts && m->policy->parts[i].ima &&
                    put_keys_of(m, m->policy->parts[i].ima, ids, keys, err) < 0)
                        return -(int)err->kind;
        for (size_t i = 0; i < json_array_size(kept); i++)
                if (json_array_append(ids, json_object_get(json_array_get(kept, i), "id")) < 0 ||
                    json_array_append(keys, json_object_get(json_array_get(kept, i), "key")) < 0)
                        return err_nomem(err);
        m->out->verification_keys = json_array_size(keys) ? keys_text(m, j, ids, keys) : str_dup("");
        return m->out->verification_keys ? 0 : err_nomem(err);
}

/* ---- keyrings, buffers, device-mapper ---- */

static bool keyring_signs(const struct policy_ima *ima, const char *keyring, bool *ret_some)
{
        bool all = false;

        *ret_some = false;
        for (size_t i = 0; i < ima->n_signed; i++)
                if (str_equal(ima->signed_by[i].keyring, keyring)) {
                        all |= !ima->signed_by[i].paths;
                        *ret_some = true;
                }
        return all;
}

static int put_keyring(struct making *m, const struct policy_ima *ima, const struct policy_named *k)
{
        bool some, all = keyring_signs(ima, k->name, &some);

        if (k->any) {
                int r = strv_has(&m->out->ignored_keyrings, k->name)
                                ? 0
                                : strv_add(&m->out->ignored_keyrings, k->name);

                if (some)
                        r |= LOST(m->said,
                                  "ima.keyrings: %s: Keylime believes no signature of a keyring that may "
                                  "have any key",
                                  SHOW(k->name));
                return r;
        }
        return all ? 0
                   : LOST(m->said, "ima.keyrings: %s: Keylime also believes what its keys sign, everywhere",
                          SHOW(k->name));
}

static int put_buffer(struct making *m, const struct policy_named *b)
{
        if (!b->any && !b->texts)
                return 0;
        return LOST(m->said, "ima.buffers: %s: %s, and Keylime compares digests only", SHOW(b->name),
                    b->any ? "any content" : "patterns of its content");
}

static int put_set(struct making *m, const struct allow *(*set)(const struct policy_ima *),
                   struct keylime_lists *ret)
{
        char hex[2 * DIGEST_BYTES_MAX + 1];
        struct row *rows = NULL;
        size_t n = 0;
        int r = rows_of(m, set, &rows, &n);

        for (size_t i = 0; r == 0 && i < n; i++) {
                const struct allow_entry *e = &rows[i].entry;
                AUTO(mem_free_p) char *name = path_of(e);

                if (e->until_ms > m->now_ms)
                        r = name ? add_item(ret, name, hex_write(hex, e->digest), true) : -1;
        }
        free(rows);
        return r;
}

static int put_named(struct making *m)
{
        int r = 0;

        for (size_t i = 0; i < m->policy->n_parts; i++) {
                const struct policy_ima *ima = m->policy->parts[i].hosts ? NULL : m->policy->parts[i].ima;

                for (size_t k = 0; ima && k < ima->n_keyrings; k++)
                        r |= put_keyring(m, ima, &ima->keyrings[k]);
                for (size_t k = 0; ima && k < ima->n_buffers; k++)
                        r |= put_buffer(m, &ima->buffers[k]);
        }
        r |= put_set(m, keyring_keys_of, &m->out->keyrings);
        r |= put_set(m, buffer_digests_of, &m->out->ima_buf);
        r |= add_kept(m->kept, "keyrings", &m->out->keyrings);
        return r;
}

/* ---- what has no place ---- */

static int say_rest(struct making *m)
{
        size_t required = 0, measuring = 0, verity = 0, overlays = 0;
        int r = 0;

        for (size_t i = 0; i < m->policy->n_parts; i++) {
                const struct policy_ima *ima = m->policy->parts[i].ima;

                overlays += m->policy->parts[i].hosts != NULL;
                if (!ima || m->policy->parts[i].hosts)
                        continue;
                required += ima->n_required;
                measuring += ima->n_rules + (ima->command_lines ? 1 : 0);
                verity += verity_of(ima) ? allow_count(verity_of(ima)) : 0;
        }
        if (overlays)
                r |= LOST(m->said, "overlays: %zu; Keylime has one policy for all hosts that name it",
                          overlays);
        if (required)
                r |= LOST(m->said, "ima.required: %zu; Keylime requires no file", required);
        if (measuring)
                r |= LOST(m->said, "ima.measuring: Keylime does not ask whether the kernel measures enough");
        if (verity)
                r |= LOST(m->said, "ima.verity: %zu root hashes; Keylime's servers take no dm_policy",
                          verity);
        if (policy_effective_violations(m->effective) != POLICY_VIOLATIONS_FAIL)
                r |= LOST(m->said, "ima.violations: Keylime has no choice there");
        if (m->policy->n_runtimes || m->policy->n_records || m->policy->n_denied)
                r |= LOST(m->said, "runtimes, records, deny: Keylime judges no log of PCR %u",
                          m->policy->pcr);
        if (m->policy->tee)
                r |= LOST(m->said, "tee: Keylime judges no processor's evidence beside a runtime policy");
        if (m->policy->judges_boot)
                r |= NOTE(m->said, "boot: is for '--as keylime-measured-boot'");
        for (size_t i = 0; i < POLICY_PCRS; i++)
                if (m->policy->pcrs[i].n) {
                        r |= NOTE(m->said, "pcr.values: are for Keylime's tpm_policy");
                        break;
                }
        return r;
}

static int fill_head(struct making *m)
{
        const char *alg = json_string_value(json_object_get(m->kept, "log_hash_alg"));
        const char *dm = json_string_value(json_object_get(m->kept, "dm_policy"));
        const char *timestamp = json_string_value(json_object_get(m->kept, "timestamp"));
        const json_t *version = json_object_get(m->kept, "version");
        struct keylime_policy *p = m->out;

        p->version = version ? json_integer_value(version) : 1;
        p->generator = json_integer_value(json_object_get(m->kept, "generator"));
        p->release = json_integer_value(json_object_get(m->kept, "release"));
        p->log_hash_alg = str_dup(alg ? alg : "sha1");
        p->dm_policy = dm ? str_dup(dm) : NULL;
        p->timestamp = timestamp ? str_dup(timestamp) : NULL;
        return p->log_hash_alg && (p->dm_policy || !dm) && (p->timestamp || !timestamp) ? 0 : -1;
}

static int make(struct making *m, struct err *err)
{
        struct policy_version version = {(struct policy *)(uintptr_t)m->policy, 1, POLICY_NEVER};

        if (policy_effective_new(&version, 1, m->now_ms, &m->effective, err) < 0)
                return -(int)err->kind;
        if (fill_head(m) < 0 || put_digests(m) < 0)
                return err_nomem(err);
        if (put_excludes(m, err) < 0 || put_keys(m, err) < 0)
                return -(int)err->kind;
        return put_named(m) < 0 || say_rest(m) < 0 ? err_nomem(err) : 0;
}

int keylime_out_runtime(const struct policy *p, int64_t now_ms, const json_t *kept,
                        struct keylime_policy **ret, struct keylime_said *said, struct err *err)
{
        AUTO(keylime_policy_free_p) struct keylime_policy *out = mem_zalloc(1, sizeof(*out));
        struct making m = {.policy = p, .kept = kept, .now_ms = now_ms, .out = out, .said = said};
        int r;

        if (!out)
                return err_nomem(err);
        if (!p->judges_ima)
                return err_set(err, ERR_CONFIG, 0, "%s: there is no 'ima:' for a runtime policy", p->source);
        r = make(&m, err);
        policy_effective_free(m.effective);
        if (r >= 0)
                *ret = TAKE(out);
        return r;
}
