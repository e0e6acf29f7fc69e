/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rules in force say about the kernel's measurement list. Every look-up goes through the layers of
 * all versions: what one of them allows is allowed, so that a host passes before, in the middle of and after
 * a roll-out; what is demanded is what all versions demand. There are a handful of layers, and each has its
 * sets frozen: a question costs a few reads, however large they are.
 */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "policy/effective_impl.h"
#include "policy/ima_rules.h"

static const struct policy_ima *ima_of(const struct policy_effective *e, size_t layer)
{
        return e->layers[layer].part->ima;
}

static void say(const struct policy_effective *e, size_t layer, struct policy_source *ret)
{
        if (ret)
                *ret = e->layers[layer];
}

static bool in_time(const struct policy_effective *e, int64_t until_ms)
{
        return until_ms > e->at_ms;
}

bool policy_effective_judges_ima(const struct policy_effective *e)
{
        return e->judges_ima;
}

/* ---- files ---- */

const struct policy_package *policy_ima_package(const struct policy_ima *ima, const struct allow_entry *e)
{
        size_t low = 0, high = ima->n_packages;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (ima->packages[middle].last_line < e->line)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < ima->n_packages && ima->packages[low].line <= e->line ? &ima->packages[low] : NULL;
}

enum allow_answer policy_effective_file(const struct policy_effective *e, enum digest_alg alg,
                                        struct view digest, struct view path, struct policy_file_match *ret)
{
        enum allow_answer best = ALLOW_UNKNOWN;

        for (size_t i = 0; i < e->n_layers && best != ALLOW_ALLOWED; i++) {
                const struct policy_ima *ima = ima_of(e, i);
                struct allow_entry entry;
                enum allow_answer answer;

                if (!ima)
                        continue;
                answer = allow_find(ima->files, alg, digest, path, e->at_ms, &entry);
                if (answer <= best)
                        continue;
                best = answer;
                if (ret)
                        *ret = (struct policy_file_match){e->layers[i], entry,
                                                          policy_ima_package(ima, &entry)};
        }
        return best;
}

void policy_effective_files(const struct policy_effective *e, struct allow_ask *asks, size_t n)
{
        for (size_t i = 0; i < e->n_layers; i++)
                if (ima_of(e, i))
                        allow_find_many(ima_of(e, i)->files, asks, n, e->at_ms);
}

bool policy_effective_file_denied(const struct policy_effective *e, enum digest_alg alg, struct view digest,
                                  const char **ret_comment, uint32_t *ret_line)
{
        const struct policy *newest = e->versions[0].policy;
        const struct policy_digest *d = alg == newest->bank && digest.len == newest->digest_size
                                                ? policy_find_denied(newest, digest.p)
                                                : NULL;

        if (d) {
                *ret_comment = d->comment ? d->comment : "";
                *ret_line = d->line;
                return true;
        }
        for (size_t i = 0; i < e->n_layers && e->layers[i].version == &e->versions[0]; i++) {
                const struct policy_ima *ima = ima_of(e, i);
                struct allow_entry entry;

                if (!ima || allow_find_digest(ima->denied, alg, digest, 0, &entry) == ALLOW_UNKNOWN)
                        continue;
                *ret_comment = entry.label;
                *ret_line = entry.line;
                return true;
        }
        return false;
}

bool policy_effective_next_of(const struct policy_effective *e, struct view path, struct policy_file_pos *pos,
                              struct policy_file_match *ret)
{
        for (; pos->layer < e->n_layers; pos->layer++, pos->entry = 0) {
                const struct policy_ima *ima = ima_of(e, pos->layer);

                if (!ima || !allow_next_of(ima->files, path, &pos->entry, &ret->entry))
                        continue;
                ret->source = e->layers[pos->layer];
                ret->package = policy_ima_package(ima, &ret->entry);
                return true;
        }
        return false;
}

const char *policy_effective_excluded(const struct policy_effective *e, struct view path,
                                      struct policy_source *ret)
{
        for (size_t i = 0; i < e->n_layers; i++) {
                const struct policy_ima *ima = ima_of(e, i);
                size_t n = ima && ima->exclude ? pattern_match(ima->exclude, path) : PATTERN_NONE;

                if (n == PATTERN_NONE)
                        continue;
                say(e, i, ret);
                return ima->exclude_texts[n];
        }
        return NULL;
}

/* ---- signatures ---- */

const struct ima_keys *policy_effective_keys(const struct policy_effective *e)
{
        return e->keys;
}

bool policy_effective_uses_signatures(const struct policy_effective *e)
{
        return e->uses_signatures;
}

static bool path_fits(const struct policy_signed *s, struct view path)
{
        return !s->paths || pattern_match(s->paths, path) != PATTERN_NONE;
}

static const struct policy_key *signer(const struct policy_effective *e, const struct policy_signed *s,
                                       uint32_t key_id)
{
        for (size_t k = 0; k < s->n_by; k++)
                if (s->by[k]->id == key_id && in_time(e, s->by[k]->until_ms))
                        return s->by[k];
        return NULL;
}

const struct policy_key *policy_effective_signer(const struct policy_effective *e, uint32_t key_id,
                                                 struct view path, struct policy_source *ret)
{
        for (size_t i = 0; i < e->n_layers; i++) {
                const struct policy_ima *ima = ima_of(e, i);

                for (size_t k = 0; ima && k < ima->n_signed; k++) {
                        const struct policy_key *key = signer(e, &ima->signed_by[k], key_id);

                        if (!key || !path_fits(&ima->signed_by[k], path))
                                continue;
                        say(e, i, ret);
                        return key;
                }
        }
        return NULL;
}

bool policy_effective_keyring_signs(const struct policy_effective *e, struct view keyring, struct view path,
                                    struct policy_source *ret)
{
        for (size_t i = 0; i < e->n_layers; i++) {
                const struct policy_ima *ima = ima_of(e, i);

                for (size_t k = 0; ima && k < ima->n_signed; k++) {
                        const struct policy_signed *s = &ima->signed_by[k];

                        if (s->n_by || !view_equal(view_str(s->keyring), keyring) || !path_fits(s, path))
                                continue;
                        say(e, i, ret);
                        return true;
                }
        }
        return false;
}

/* ---- keyrings, buffers, devices ---- */

static const struct policy_named *named(const struct policy_named *all, size_t n, struct view name)
{
        for (size_t i = 0; i < n; i++)
                if (view_equal(view_str(all[i].name), name))
                        return &all[i];
        return NULL;
}

/* By its name, else the one that stands for all others. */
static const struct policy_named *keyring_of(const struct policy_ima *ima, struct view name)
{
        const struct policy_named *own = named(ima->keyrings, ima->n_keyrings, name);

        return own ? own : named(ima->keyrings, ima->n_keyrings, view_str("*"));
}

/* The better of what was answered so far and what a set answers; RET if it is the set's. */
static enum allow_answer better(const struct policy_effective *e, size_t layer, enum allow_answer best,
                                enum allow_answer answer, struct policy_source *ret)
{
        if (answer <= best)
                return best;
        say(e, layer, ret);
        return answer;
}

enum allow_answer policy_effective_keyring_key(const struct policy_effective *e, struct view keyring,
                                               enum digest_alg alg, struct view digest,
                                               struct policy_source *ret)
{
        enum allow_answer best = ALLOW_UNKNOWN;

        for (size_t i = 0; i < e->n_layers && best != ALLOW_ALLOWED; i++) {
                const struct policy_ima *ima = ima_of(e, i);
                const struct policy_named *ring = ima ? keyring_of(ima, keyring) : NULL;

                if (!ring)
                        continue;
                best = better(e, i, best,
                              ring->any ? ALLOW_ALLOWED
                                        : allow_find(ima->keyring_keys, alg, digest, view_str(ring->name),
                                                     e->at_ms, NULL),
                              ret);
        }
        return best;
}

enum allow_answer policy_effective_buffer(const struct policy_effective *e, struct view name,
                                          enum digest_alg alg, struct view digest, struct view text,
                                          struct policy_source *ret)
{
        enum allow_answer best = ALLOW_UNKNOWN;

        for (size_t i = 0; i < e->n_layers && best != ALLOW_ALLOWED; i++) {
                const struct policy_ima *ima = ima_of(e, i);
                const struct policy_named *buffer = ima ? named(ima->buffers, ima->n_buffers, name) : NULL;
                bool fits = buffer && (buffer->any ||
                                       (buffer->texts && pattern_match(buffer->texts, text) != PATTERN_NONE));

                if (!ima)
                        continue;
                best = better(e, i, best,
                              fits ? ALLOW_ALLOWED
                                   : allow_find(ima->buffer_digests, alg, digest, name, e->at_ms, NULL),
                              ret);
        }
        return best;
}

enum allow_answer policy_effective_verity_root(const struct policy_effective *e, struct view device,
                                               enum digest_alg alg, struct view root,
                                               struct policy_source *ret)
{
        enum allow_answer best = ALLOW_UNKNOWN;

        for (size_t i = 0; i < e->n_layers && best != ALLOW_ALLOWED; i++)
                if (ima_of(e, i))
                        best = better(
                                e, i, best,
                                allow_find(ima_of(e, i)->verity_roots, alg, root, device, e->at_ms, NULL),
                                ret);
        return best;
}

/* ---- what is demanded ---- */

static bool says_violations(const struct policy_part *part, unsigned what)
{
        (void)what;
        return part->ima && part->ima->violations_stated;
}

enum policy_violations policy_effective_violations(const struct policy_effective *e)
{
        enum policy_violations mildest = POLICY_VIOLATIONS_FAIL;

        for (size_t v = 0; v < e->n; v++) {
                const struct policy_part *part = effective_nearest(e, v, says_violations, 0);

                if (part && part->ima->violations > mildest)
                        mildest = part->ima->violations;
        }
        return mildest;
}

size_t policy_effective_n_required(const struct policy_effective *e)
{
        return e->n_required;
}

const struct policy_required *policy_effective_required(const struct policy_effective *e, size_t i,
                                                        struct policy_source *ret)
{
        if (ret)
                *ret = e->required[i].source;
        return e->required[i].required;
}

/* What tells one from another. */
static void put_required(struct buf *key, const struct policy_required *q)
{
        buf_reset(key);
        buf_fmt(key, "%s", q->path);
        buf_u8(key, 0);
        for (size_t i = 0; i < q->n_digests; i++)
                buf_put_view(key, digest_view(&q->digests[i]));
}

/* The layers of version V into SEEN: how many versions up to V require each, if all before V do. */
static int count_required(const struct policy_effective *e, size_t v, struct map *seen, struct buf *key,
                          struct err *err)
{
        for (size_t i = 0; i < e->n_layers; i++) {
                const struct policy_ima *ima = ima_of(e, i);

                if (!ima || e->layers[i].version != &e->versions[v])
                        continue;
                for (size_t k = 0; k < ima->n_required; k++) {
                        uintptr_t n;

                        put_required(key, &ima->required[k]);
                        if (!buf_ok(key))
                                return err_nomem(err);
                        n = (uintptr_t)map_get_bytes(seen, VIEW_BUF(key));
                        if (n == v && map_put_bytes(seen, VIEW_BUF(key), (void *)(n + 1)) < 0)
                                return err_nomem(err);
                }
        }
        return 0;
}

/* Of the newest version's, those that all require, once each. */
static int take_required(struct policy_effective *e, struct map *seen, struct buf *key, struct err *err)
{
        size_t n = map_count(seen);

        e->required = mem_zalloc(n, sizeof(*e->required));
        if (!e->required)
                return err_nomem(err);
        for (size_t i = 0; i < e->n_layers && e->layers[i].version == &e->versions[0]; i++) {
                const struct policy_ima *ima = ima_of(e, i);

                for (size_t k = 0; ima && k < ima->n_required; k++) {
                        put_required(key, &ima->required[k]);
                        if (!buf_ok(key))
                                return err_nomem(err);
                        if ((uintptr_t)map_take_bytes(seen, VIEW_BUF(key)) == e->n)
                                e->required[e->n_required++] =
                                        (struct effective_required){&ima->required[k], e->layers[i]};
                }
        }
        return 0;
}

static int make_required(struct policy_effective *e, struct err *err)
{
        AUTO(map_done)
        struct map seen; /* as a number: how many of the versions require it */
        AUTO(buf_free)
        struct buf key = {0};
        int r = 0;

        map_init(&seen, NULL);
        for (size_t v = 0; r == 0 && v < e->n; v++)
                r = count_required(e, v, &seen, &key, err);
        return r < 0 ? r : take_required(e, &seen, &key, err);
}

static int add_keys(struct policy_effective *e, const struct policy_ima *ima, struct err *err)
{
        int r = 0;

        for (size_t k = 0; r == 0 && k < ima->n_keys; k++)
                if (in_time(e, ima->keys[k].until_ms))
                        r = ima_keys_add_as(e->keys, view_str(ima->keys[k].pem), ima->keys[k].id, err);
        e->uses_signatures |= ima->n_signed > 0;
        return r;
}

int effective_ima_make(struct policy_effective *e, struct err *err)
{
        int r = ima_keys_new(&e->keys, err);

        for (size_t i = 0; r == 0 && i < e->n_layers; i++)
                if (ima_of(e, i))
                        r = add_keys(e, ima_of(e, i), err);
        return r < 0 ? r : make_required(e, err);
}

/* ---- is measuring shown? ---- */

static const char *const waivers[POLICY_N_WAIVERS] = {
        [POLICY_WAIVE_RULES] = "rules",       [POLICY_WAIVE_TMPFS] = "tmpfs",
        [POLICY_WAIVE_KERNEL] = "kernel",     [POLICY_WAIVE_KEXEC] = "kexec",
        [POLICY_WAIVE_REQUIRED] = "required", [POLICY_WAIVE_BOOT_LOG] = "boot-log",
};

const char *policy_waiver_name(enum policy_waiver w)
{
        return waivers[w];
}

static bool waives(const struct policy_part *part, unsigned what)
{
        return part->ima && (part->ima->waived & (1u << what));
}

bool policy_effective_waives(const struct policy_effective *e, enum policy_waiver w)
{
        for (size_t v = 0; v < e->n; v++)
                if (effective_nearest(e, v, waives, w))
                        return true;
        return false;
}

const struct policy_rules *policy_effective_rules(const struct policy_effective *e, enum digest_alg alg,
                                                  struct view digest, struct policy_source *ret)
{
        for (size_t i = 0; i < e->n_layers; i++) {
                const struct policy_ima *ima = ima_of(e, i);

                for (size_t k = 0; ima && k < ima->n_rules; k++) {
                        const struct policy_rules *rules = &ima->rules[k];

                        if (rules->digest.alg != alg || !view_equal(digest_view(&rules->digest), digest) ||
                            !in_time(e, rules->until_ms))
                                continue;
                        say(e, i, ret);
                        return rules;
                }
        }
        return NULL;
}

unsigned policy_effective_command_line_covers(const struct policy_effective *e, struct view command_line)
{
        for (size_t i = 0; i < e->n_layers; i++) {
                const struct policy_ima *ima = ima_of(e, i);

                if (ima && ima->command_lines &&
                    pattern_match(ima->command_lines, command_line) != PATTERN_NONE)
                        return ima_command_line_covers(command_line);
        }
        return 0;
}
