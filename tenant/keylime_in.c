/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keylime's runtime policy as `ima:`. Its digests are allowed at a path whatever their algorithm, ours too; a
 * key that it verifies with signs any file; a key in a keyring whose digest is listed is learned and signs
 * any file, one in an ignored keyring is loaded and signs nothing. Its boot_aggregate pins how a host
 * started, which here is what `boot:` and `pcr.values` are for: ours is worked out from the quoted registers.
 *
 * Spec: Keylime, ima/ima.py (_validate_ima_*), ima/file_signatures.py.
 */
#include "tenant/keylime_in.h"

#include <inttypes.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "evidence/ima_signature.h"
#include "policy/pattern.h"
#include "policy/pattern_regex.h"

#define KEY_BYTES_MAX 8192u

void keylime_said_done(struct keylime_said *s)
{
        strv_done(&s->lost);
        strv_done(&s->notes);
}

#define LOST(said, ...) strv_take(&(said)->lost, str_fmt(__VA_ARGS__))
#define NOTE(said, ...) strv_take(&(said)->notes, str_fmt(__VA_ARGS__))

void keylime_scalar(struct buf *out, const char *text)
{
        buf_u8(out, '"');
        for (const uint8_t *p = (const uint8_t *)text; *p; p++) {
                if (*p == '"' || *p == '\\')
                        buf_u8(out, '\\');
                /* C1 controls, and what YAML takes for the end of a line, are two or three bytes from 0xc2,
                 * 0xe2 or 0xef: whatever begins so is written as a number */
                if (*p < 0x20 || *p == 0x7f) {
                        buf_fmt(out, "\\x%02x", *p);
                } else if (*p == 0xc2) {
                        buf_fmt(out, "\\u%04x", p[1]);
                        p++;
                } else if (*p == 0xe2 || *p == 0xef) {
                        buf_fmt(out, "\\u%04x",
                                (unsigned)((p[0] & 0xf) << 12 | (p[1] & 0x3f) << 6 | (p[2] & 0x3f)));
                        p += 2;
                } else {
                        buf_u8(out, *p);
                }
        }
        buf_u8(out, '"');
}

/* ---- digests ---- */

static bool is_digest(const char *hex)
{
        size_t n = strlen(hex);

        return n == 40 || n == 64 || n == 96 || n == 128;
}

/* Can it stand in a block of lines as it is? */
static bool is_plain(const char *path)
{
        for (const char *p = path; *p; p++)
                if (*p < 0x20 || *p > 0x7e || *p == '\\')
                        return false;
        return path[0] != ' ' && path[strlen(path) - 1] != ' ';
}

static bool is_aggregate(const char *path)
{
        return str_equal(path, "boot_aggregate");
}

static int keep_digest(json_t *kept, const char *path, const char *hex)
{
        json_t *all = json_object_get(kept, "digests"), *list;

        if (!all) {
                all = json_object();
                if (json_object_set_new(kept, "digests", all) < 0)
                        return -1;
        }
        list = json_object_get(all, path);
        if (!list) {
                list = json_array();
                if (json_object_set_new(all, path, list) < 0)
                        return -1;
        }
        return json_array_append_new(list, json_string(hex));
}

/* What of the digests goes where. Return: 0; -ERR_NOMEM. */
static int sort_digests(const struct keylime_policy *p, json_t *kept, struct keylime_said *said,
                        size_t *ret_plain, size_t *ret_odd, bool *ret_sha1, struct err *err)
{
        size_t n_aggregate = 0, n_blank = 0;
        int r = 0;

        *ret_plain = *ret_odd = 0;
        *ret_sha1 = false;
        for (size_t i = 0; i < p->digests.n; i++) {
                const struct keylime_list *l = &p->digests.p[i];

                n_blank += strchr(l->name, ' ') != NULL;
                for (size_t k = 0; k < l->items.n; k++) {
                        const char *hex = l->items.items[k];

                        if (is_aggregate(l->name)) {
                                n_aggregate++;
                                r |= keep_digest(kept, l->name, hex);
                        } else if (!is_digest(hex) || !l->name[0]) {
                                r |= keep_digest(kept, l->name, hex);
                                r |= LOST(said, "digests: %s: %s: %s", SHOW(l->name), SHOW(hex),
                                          l->name[0] ? "no digest of sha1, sha256, sha384 or sha512"
                                                     : "no path");
                        } else {
                                *ret_sha1 |= strlen(hex) == 40;
                                *(is_plain(l->name) ? ret_plain : ret_odd) += 1;
                        }
                }
        }
        if (n_aggregate)
                r |= NOTE(said,
                          "digests: boot_aggregate: %zu values are kept aside; how a host starts is for "
                          "'boot:' or "
                          "'pcr.values' to say: import the reference state with it, or fix PCRs",
                          n_aggregate);
        if (n_blank)
                r |= NOTE(said,
                          "digests: %zu paths have a blank, which is '_' here as in IMA's lists; Keylime "
                          "found none "
                          "of them",
                          n_blank);
        if (*ret_sha1)
                r |= NOTE(said,
                          "digests: some are SHA-1 ('ima.sha1: allow'): whoever can make two files with one "
                          "SHA-1 passes; measure with ima_hash=sha256");
        return r ? err_nomem(err) : 0;
}

static void put_digests(const struct keylime_policy *p, bool plain, struct buf *out)
{
        for (size_t i = 0; i < p->digests.n; i++) {
                const struct keylime_list *l = &p->digests.p[i];
                bool begun = false;

                if (is_aggregate(l->name) || !l->name[0] || is_plain(l->name) != plain)
                        continue;
                for (size_t k = 0; k < l->items.n; k++) {
                        if (!is_digest(l->items.items[k]))
                                continue;
                        if (plain) {
                                buf_fmt(out, "        %s  %s\n", l->items.items[k], l->name);
                                continue;
                        }
                        if (!begun) {
                                buf_str(out, "    - path: ");
                                keylime_scalar(out, l->name);
                                buf_str(out, "\n      digests:\n");
                                begun = true;
                        }
                        buf_fmt(out, "        - %s\n", l->items.items[k]);
                }
        }
}

/* ---- excludes ---- */

static int keep_text(json_t *kept, const char *name, const char *text)
{
        json_t *list = json_object_get(kept, name);

        if (!list) {
                list = json_array();
                if (json_object_set_new(kept, name, list) < 0)
                        return -1;
        }
        return json_array_append_new(list, json_string(text));
}

/* boot_aggregate is checked here in any case, and what excludes everything is no policy. */
static const char *excludes_too_much(const struct strv *patterns)
{
        static const char *const probes[] = {"boot_aggregate", "/"};
        struct err err = ERR_INIT;

        for (size_t i = 0; i < patterns->n; i++) {
                struct view v = view_str(patterns->items[i]);
                struct pattern_set *set = NULL;
                const char *hit = NULL;

                if (pattern_set_new(&v, 1, &set, NULL, &err) < 0)
                        return "it is too long";
                for (size_t k = 0; k < ARRAY_LEN(probes); k++)
                        if (pattern_match(set, view_str(probes[k])) != PATTERN_NONE)
                                hit = probes[k];
                pattern_set_unref(set);
                if (hit)
                        return is_aggregate(hit) ? "boot_aggregate is always checked"
                                                 : "it excludes everything";
        }
        return NULL;
}

static int put_excludes(const struct keylime_policy *p, struct buf *out, json_t *kept,
                        struct keylime_said *said, struct err *err)
{
        bool begun = false;

        for (size_t i = 0; i < p->excludes.n; i++) {
                const char *regex = p->excludes.items[i], *why = NULL;
                AUTO(strv_done) struct strv patterns = {0};
                struct pattern_refusal refusal;
                int r = pattern_from_regex(view_str(regex), &patterns, &refusal, err);

                if (r < 0)
                        return r;
                why = r == 0 ? refusal.text : excludes_too_much(&patterns);
                if (why) {
                        if (keep_text(kept, "excludes", regex) < 0 ||
                            LOST(said, "excludes: %s: %s", SHOW(regex), why) < 0)
                                return err_nomem(err);
                        continue;
                }
                if (keep_text(kept, "exclude_spelling", regex) < 0)
                        return err_nomem(err);
                buf_str(out, begun ? "" : "  exclude:\n");
                begun = true;
                for (size_t k = 0; k < patterns.n; k++) {
                        buf_str(out, "    - ");
                        keylime_scalar(out, patterns.items[k]);
                        buf_str(out, "\n");
                }
        }
        return 0;
}

/* ---- keys ---- */

/* One of `verification-keys`. *RET_NAMED: it was written. */
static int put_key(const char *base64, uint32_t id, size_t number, struct buf *out, struct keylime_said *said,
                   bool *ret_written, struct err *err)
{
        AUTO(buf_free) struct buf der = {0};
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        AUTO(ima_keys_free_p) struct ima_keys *keys = NULL;
        AUTO(mem_free_p) char *pem = NULL;
        struct err why = ERR_INIT;
        uint32_t derived = 0;
        int r = ima_keys_new(&keys, err);

        *ret_written = false;
        if (r < 0)
                return r;
        if (base64_decode_lax(view_str(base64), KEY_BYTES_MAX, &der, &why) < 0 ||
            pubkey_from_spki(VIEW_BUF(&der), &key, &why) < 0 ||
            ima_keys_add(keys, VIEW_BUF(&der), &derived, &why) < 0 || pubkey_pem(key, &pem, &why) < 0)
                return LOST(said, "verification-keys: key %zu (%08" PRIx32 "): %s", number, id, why.text) < 0
                               ? err_nomem(err)
                               : 0;
        buf_fmt(out, "    - name: keylime-%zu\n", number + 1);
        if (derived != id)
                buf_fmt(out, "      id: \"%08" PRIx32 "\"\n", id);
        buf_str(out, "      pem: |\n");
        for (const char *line = pem, *end; *line; line = end + 1) {
                end = strchr(line, '\n');
                if (!end)
                        return err_set(err, ERR_BUG, 0, "PEM without the end of a line");
                buf_fmt(out, "        %.*s\n", (int)(end - line), line);
        }
        *ret_written = true;
        return 0;
}

static int keep_key(json_t *kept, uint32_t id, json_t *key)
{
        json_t *list = json_object_get(kept, "keys");

        if (!list && json_object_set_new(kept, "keys", list = json_array()) < 0)
                return -1;
        return json_array_append_new(list, json_pack("{s:I, s:O}", "id", (json_int_t)id, "key", key));
}

static int put_keys(const struct keylime_policy *p, struct buf *out, struct buf *names, json_t *kept,
                    struct keylime_said *said, struct err *err)
{
        AUTO(json_free_p) json_t *j = NULL;
        const json_t *ids, *keys;
        size_t n = 0;
        int r;

        if (!*p->verification_keys)
                return 0;
        r = json_parse(view_str(p->verification_keys), KEYLIME_POLICY_BYTES_MAX, &j, err);
        if (r < 0)
                return r;
        ids = json_object_get(j, "keyids");
        keys = json_object_get(j, "pubkeys");
        for (size_t i = 0; i < json_array_size(keys); i++) {
                uint32_t id = (uint32_t)json_integer_value(json_array_get(ids, i));
                AUTO(buf_free) struct buf one = {0};
                bool written;

                r = put_key(json_string_value(json_array_get(keys, i)), id, i, &one, said, &written, err);
                if (r < 0)
                        return r;
                if (!written && keep_key(kept, id, json_array_get(keys, i)) < 0)
                        return err_nomem(err);
                if (!written)
                        continue;
                buf_str(out, n ? "" : "  keys:\n");
                buf_put_view(out, VIEW_BUF(&one));
                buf_fmt(names, "%skeylime-%zu", n++ ? ", " : "", i + 1);
        }
        /* for its own spelling */
        return json_set_str(kept, "verification-keys", p->verification_keys) < 0 ? err_nomem(err) : 0;
}

/* ---- keyrings, buffers ---- */

static void put_named(struct buf *out, const char *head, const char *list, const struct keylime_lists *l)
{
        buf_str(out, l->n ? head : "");
        for (size_t i = 0; i < l->n; i++) {
                buf_str(out, "    - name: ");
                keylime_scalar(out, l->p[i].name);
                buf_fmt(out, "\n      %s:%s\n", list, l->p[i].items.n ? "" : " []");
                for (size_t k = 0; k < l->p[i].items.n; k++)
                        buf_fmt(out, "        - %s\n", l->p[i].items.items[k]);
        }
}

static bool in_use(const struct keylime_policy *p, const char *keyring)
{
        return !strv_has(&p->ignored_keyrings, "*") && !strv_has(&p->ignored_keyrings, keyring);
}

/* Who signs: the keys, and keyrings whose keys Keylime learns. */
static void put_signed(const struct keylime_policy *p, struct view names, struct buf *out)
{
        bool begun = names.len > 0;

        if (begun)
                buf_fmt(out, "  signed:\n    - by: [%.*s]\n", (int)names.len, (const char *)names.p);
        for (size_t i = 0; i < p->keyrings.n; i++) {
                if (!in_use(p, p->keyrings.p[i].name))
                        continue;
                buf_str(out, begun ? "" : "  signed:\n");
                begun = true;
                buf_str(out, "    - keyring: ");
                keylime_scalar(out, p->keyrings.p[i].name);
                buf_str(out, "\n");
        }
}

static void put_keyrings(const struct keylime_policy *p, struct buf *out)
{
        bool begun = false;

        for (size_t i = 0; i < p->keyrings.n; i++) {
                const struct keylime_list *l = &p->keyrings.p[i];

                if (strv_has(&p->ignored_keyrings, l->name))
                        continue;
                buf_str(out, begun ? "" : "  keyrings:\n");
                begun = true;
                buf_str(out, "    - name: ");
                keylime_scalar(out, l->name);
                buf_fmt(out, "\n      keys:%s\n", l->items.n ? "" : " []");
                for (size_t k = 0; k < l->items.n; k++)
                        buf_fmt(out, "        - %s\n", l->items.items[k]);
        }
        for (size_t i = 0; i < p->ignored_keyrings.n; i++) {
                buf_str(out, begun ? "" : "  keyrings:\n");
                begun = true;
                buf_str(out, "    - name: ");
                keylime_scalar(out, p->ignored_keyrings.items[i]);
                buf_str(out, "\n      keys: any\n");
        }
}

/* What only Keylime says, and never judged by: who wrote it, when; what its log's own digest is. */
static int keep_rest(const struct keylime_policy *p, json_t *kept, struct keylime_said *said)
{
        int r = json_set_int(kept, "version", p->version);

        r |= json_set_int(kept, "generator", p->generator);
        r |= json_set_int(kept, "release", p->release);
        r |= json_set_str(kept, "log_hash_alg", p->log_hash_alg);
        if (p->timestamp)
                r |= json_set_str(kept, "timestamp", p->timestamp);
        for (size_t i = 0; i < p->keyrings.n; i++)
                if (strv_has(&p->ignored_keyrings, p->keyrings.p[i].name))
                        for (size_t k = 0; k < p->keyrings.p[i].items.n; k++) {
                                json_t *rings = json_object_get(kept, "keyrings"), *list;

                                if (!rings &&
                                    json_object_set_new(kept, "keyrings", rings = json_object()) < 0)
                                        return -1;
                                list = json_object_get(rings, p->keyrings.p[i].name);
                                if (!list && json_object_set_new(rings, p->keyrings.p[i].name,
                                                                 list = json_array()) < 0)
                                        return -1;
                                r |= json_array_append_new(list,
                                                           json_string(p->keyrings.p[i].items.items[k]));
                        }
        if (p->dm_policy) {
                r |= json_set_str(kept, "dm_policy", p->dm_policy);
                r |= LOST(said,
                          "ima.dm_policy: Keylime's rules for device-mapper events; name the root hashes in "
                          "'ima.verity'");
        }
        return r;
}

int keylime_in_runtime(const struct keylime_policy *p, struct buf *out, json_t *kept,
                       struct keylime_said *said, struct err *err)
{
        AUTO(buf_free) struct buf names = {0};
        size_t n_plain, n_odd;
        bool sha1;
        int r = sort_digests(p, kept, said, &n_plain, &n_odd, &sha1, err);

        if (r < 0)
                return r;
        buf_fmt(out, "ima:\n%s%s", sha1 ? "  sha1: allow\n" : "",
                n_plain + n_odd ? "  allow:\n" : "  allow: []\n");
        if (n_plain) {
                buf_str(out, "    - files: |\n");
                put_digests(p, true, out);
        }
        put_digests(p, false, out);
        r = put_excludes(p, out, kept, said, err);
        if (r >= 0)
                r = put_keys(p, out, &names, kept, said, err);
        if (r < 0)
                return r;
        put_signed(p, VIEW_BUF(&names), out);
        put_keyrings(p, out);
        put_named(out, "  buffers:\n", "digests", &p->ima_buf);
        if (keep_rest(p, kept, said) < 0 ||
            NOTE(said,
                 "SR-15: Keylime does not ask whether the kernel measures enough; this policy passes a host "
                 "only "
                 "with 'ima.measuring' and 'ima.required', or with what it gives up in 'ima.waive'") < 0)
                return err_nomem(err);
        return buf_ok(out) ? 0 : err_nomem(err);
}
