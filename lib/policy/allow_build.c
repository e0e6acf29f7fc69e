/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frozen sets of digests: building. Rows are collected as they come (a policy's text, a package's list), and
 * put together once: one record for each different digest, its uses sorted, an index for digests and one for
 * paths. Everything is linear in the number of rows, but for the sorting of digests with several uses.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sip.h"
#include "policy/allow_impl.h"

static void index_put(struct allow_index *x, uint64_t hash, uint32_t ref)
{
        uint32_t at = allow_index_at(x, hash);

        while (x->slots[at])
                at = at + 1 == x->cap ? 0 : at + 1;
        x->slots[at] = allow_index_slot(hash, ref);
        x->n++;
}

static int index_new(struct allow_index *x, size_t n, struct err *err)
{
        *x = (struct allow_index){.cap = ALLOW_INDEX_CAP(n)};
        x->slots = mem_zalloc(x->cap, sizeof(*x->slots));
        return x->slots ? 0 : err_nomem(err);
}

int allow_builder_new(struct allow_builder **ret, struct err *err)
{
        AUTO(allow_builder_free_p)
        struct allow_builder *b = mem_zalloc(1, sizeof(*b));

        if (!b)
                return err_nomem(err);
        map_init(&b->labels, NULL);
        b->set = mem_zalloc(1, sizeof(*b->set));
        if (!b->set)
                return err_nomem(err);
        b->set->refs = 1;
        sip_seed(b->set->seed);
        for (size_t i = 0; i < ALLOW_N_TABLES; i++) {
                struct allow_table *t = &b->set->tables[i];

                t->alg = allow_algs[i];
                t->digest_size = (uint32_t)digest_size(t->alg);
                t->stride = t->digest_size + (uint32_t)sizeof(struct allow_use);
        }
        buf_u8(&b->set->paths.bytes, 0); /* ALLOW_PATH_ANY */
        if (!buf_ok(&b->set->paths.bytes))
                return err_nomem(err);
        *ret = TAKE(b);
        return 0;
}

void allow_builder_free(struct allow_builder *b)
{
        if (!b)
                return;
        allow_unref(b->set);
        for (size_t i = 0; i < ALLOW_N_TABLES; i++) {
                buf_free(&b->rows[i].digests);
                buf_free(&b->rows[i].uses);
        }
        map_done(&b->labels);
        buf_free(&b->label_rows);
        free(b);
}

static uint32_t n_labels(const struct allow_builder *b)
{
        return (uint32_t)(b->label_rows.len / sizeof(struct allow_label));
}

int allow_label(struct allow_builder *b, const char *text, int64_t until_ms, uint32_t *ret, struct err *err)
{
        struct allow_label label = {.until_ms = until_ms, .text = (uint32_t)b->set->text.len};
        struct buf key = {0};
        uint32_t number;
        int r = 0;

        buf_be64(&key, (uint64_t)until_ms);
        buf_str(&key, text);
        if (!buf_ok(&key)) {
                buf_free(&key);
                return err_nomem(err);
        }
        number = (uint32_t)(uintptr_t)map_get_bytes(&b->labels, VIEW_BUF(&key));
        if (number == 0) {
                number = n_labels(b) + 1;
                if (number > ALLOW_LABELS_MAX || ALLOW_TEXT_BYTES_MAX - b->set->text.len < key.len)
                        r = err_set(err, ERR_LIMIT, 0, "more than %u labels", ALLOW_LABELS_MAX);
                if (r == 0) {
                        buf_put(&b->set->text, text, strlen(text) + 1);
                        buf_put(&b->label_rows, &label, sizeof(label));
                        if (!buf_ok(&b->set->text) || !buf_ok(&b->label_rows) ||
                            map_put_bytes(&b->labels, VIEW_BUF(&key), (void *)(uintptr_t)number) < 0)
                                r = err_nomem(err);
                }
        }
        buf_free(&key);
        if (r == 0)
                *ret = number - 1;
        return r;
}

/* The index of the paths anew, with room for N of them. */
static int paths_index(struct allow *set, size_t n, struct err *err)
{
        struct allow_paths *p = &set->paths;
        struct allow_index made;
        int r = index_new(&made, n, err);

        if (r < 0)
                return r;
        for (size_t i = 1; i < p->bytes.len;) {
                struct view text = allow_path_text(p, (uint32_t)i);

                index_put(&made, sip_hash(set->seed, text), (uint32_t)i);
                i += ALLOW_PATH_HEAD + text.len;
        }
        free(p->index.slots);
        p->index = made;
        return 0;
}

/* The place of PATH, which is added if it is new. */
static int intern(struct allow *set, struct view path, uint32_t *ret, struct err *err)
{
        struct allow_paths *p = &set->paths;
        int r = 0;

        if (!p->index.cap || (size_t)p->index.n + 1 >= p->index.cap / 3 * 2)
                r = paths_index(set, (size_t)p->index.n * 2 + 32, err);
        if (r < 0)
                return r;
        *ret = path.len == 0 ? ALLOW_PATH_ANY : allow_path_place(p, set->seed, path);
        if (*ret != ALLOW_INDEX_NONE)
                return 0;
        if (path.len > ALLOW_PATH_BYTES_MAX || p->bytes.len > ALLOW_TEXT_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "a path of %zu bytes, at most %u are allowed", path.len,
                               ALLOW_PATH_BYTES_MAX);
        *ret = (uint32_t)p->bytes.len;
        buf_le32(&p->bytes, 0);
        buf_le16(&p->bytes, (uint16_t)path.len);
        buf_put_view(&p->bytes, path);
        if (!buf_ok(&p->bytes))
                return err_nomem(err);
        index_put(&p->index, sip_hash(set->seed, path), *ret);
        set->n_paths++;
        return 0;
}

int allow_add(struct allow_builder *b, enum digest_alg alg, struct view digest, struct view path,
              uint32_t label, uint32_t line, struct err *err)
{
        struct allow_use use = {.label = label, .line = line};
        struct allow_rows *rows = NULL;
        int r;

        for (size_t i = 0; i < ALLOW_N_TABLES; i++)
                if (allow_algs[i] == alg)
                        rows = &b->rows[i];
        if (!rows || digest.len != digest_size(alg))
                return err_set(err, ERR_FORMAT, 0, "%zu bytes are no digest of the algorithm", digest.len);
        if (label >= n_labels(b))
                return err_set(err, ERR_BUG, 0, "label %u of %u", label, n_labels(b));
        if (rows->n >= ALLOW_ENTRIES_MAX)
                return err_set(err, ERR_LIMIT, 0, "more than %u digests", ALLOW_ENTRIES_MAX);
        r = intern(b->set, path, &use.path, err);
        if (r < 0)
                return r;
        buf_put_view(&rows->digests, digest);
        buf_put(&rows->uses, &use, sizeof(use));
        if (!buf_ok(&rows->digests) || !buf_ok(&rows->uses))
                return err_nomem(err);
        rows->n++;
        return 0;
}

/* ---- putting together ---- */

/* One of several uses of a record. */
struct shared {
        uint32_t record, order;
        int64_t until_ms;
        struct allow_use use;
};

/* By record, path, the one that holds longest, label, order. */
static int shared_order(const void *a_, const void *b_)
{
        const struct shared *a = a_, *b = b_;

        if (a->record != b->record)
                return a->record < b->record ? -1 : 1;
        if (a->use.path != b->use.path)
                return a->use.path < b->use.path ? -1 : 1;
        if (a->until_ms != b->until_ms)
                return a->until_ms > b->until_ms ? -1 : 1;
        if (a->use.label != b->use.label)
                return a->use.label < b->use.label ? -1 : 1;
        return a->order < b->order ? -1 : a->order > b->order;
}

static void put_shared(const struct allow *set, struct buf *all, uint32_t record, const struct allow_use *use)
{
        struct shared s = {.record = record,
                           .order = (uint32_t)(all->len / sizeof(s)),
                           .until_ms = set->labels[use->label].until_ms,
                           .use = *use};

        buf_put(all, &s, sizeof(s));
}

static void set_use(struct allow_table *t, uint32_t record, const struct allow_use *use)
{
        memcpy(allow_record(t, record) + t->digest_size, use, sizeof(*use));
}

/* The record of DIGEST, made if it is new. Return: true if it was there. */
static bool record_of(struct allow *set, struct allow_table *t, const uint8_t *digest, uint32_t *ret)
{
        uint64_t hash = sip_hash(set->seed, VIEW(digest, t->digest_size));
        uint32_t at = allow_index_at(&t->index, hash), i;

        while ((i = allow_index_next(&t->index, hash, &at)) != ALLOW_INDEX_NONE) {
                if (!view_equal(VIEW(allow_record(t, i), t->digest_size), VIEW(digest, t->digest_size)))
                        continue;
                *ret = i;
                return true;
        }
        *ret = t->n++;
        memcpy(allow_record(t, *ret), digest, t->digest_size);
        index_put(&t->index, hash, *ret);
        return false;
}

/* Rows into records; what has several uses goes to SHARED, all of them, and its record says so. */
static int make_records(struct allow *set, struct allow_table *t, const struct allow_rows *rows,
                        struct buf *shared, struct err *err)
{
        int r = index_new(&t->index, rows->n, err);

        t->records = mem_alloc((size_t)rows->n * t->stride);
        if (r < 0 || !t->records)
                return err_nomem(err);
        for (uint32_t i = 0; i < rows->n; i++) {
                struct allow_use use, first;
                uint32_t record;

                memcpy(&use, rows->uses.p + (size_t)i * sizeof(use), sizeof(use));
                if (!record_of(set, t, rows->digests.p + (size_t)i * t->digest_size, &record)) {
                        set_use(t, record, &use);
                        continue;
                }
                first = allow_record_use(t, record);
                if (first.path != ALLOW_PATH_MANY) {
                        put_shared(set, shared, record, &first);
                        set_use(t, record, &(struct allow_use){.path = ALLOW_PATH_MANY});
                }
                put_shared(set, shared, record, &use);
        }
        return buf_ok(shared) ? 0 : err_nomem(err);
}

/* The N uses of one record, sorted: into the set, without those that say the same. */
static void put_uses(struct allow *set, struct allow_table *t, const struct shared *s, size_t n,
                     struct buf *uses)
{
        size_t first = uses->len / sizeof(struct allow_use), best = 0, kept = 0;

        for (size_t i = 1; i < n; i++)
                if (s[i].until_ms > s[best].until_ms)
                        best = i;
        buf_put(uses, &s[best].use, sizeof(s[best].use));
        for (size_t i = 0; i < n; i++) {
                if (i > 0 && s[i].use.path == s[i - 1].use.path && s[i].use.label == s[i - 1].use.label)
                        continue;
                buf_put(uses, &s[i].use, sizeof(s[i].use));
                kept++;
        }
        set->n += kept - 1; /* the record itself counts as one */
        if (kept > 1) {
                set_use(t, s->record,
                        &(struct allow_use){.path = ALLOW_PATH_MANY,
                                            .label = (uint32_t)first,
                                            .line = (uint32_t)(kept + 1)});
        } else if (!uses->failed) {
                uses->len -= 2 * sizeof(struct allow_use);
                set_use(t, s->record, &s[0].use);
        }
}

static int make_table(struct allow *set, struct allow_table *t, struct allow_rows *rows, struct buf *uses,
                      struct err *err)
{
        struct buf shared = {0};
        const struct shared *s;
        size_t n;
        int r = make_records(set, t, rows, &shared, err);

        buf_free(&rows->digests);
        buf_free(&rows->uses);
        if (r < 0) {
                buf_free(&shared);
                return r;
        }
        set->n += t->n;
        s = (const struct shared *)(const void *)shared.p;
        n = shared.len / sizeof(*s);
        if (n)
                qsort(shared.p, n, sizeof(*s), shared_order);
        for (size_t i = 0, end; i < n; i = end) {
                for (end = i; end < n && s[end].record == s[i].record;)
                        end++;
                put_uses(set, t, s + i, end - i, uses);
        }
        buf_free(&shared);
        return buf_ok(uses) ? 0 : err_nomem(err);
}

/* Adds BY to a path's number. Return: what it was. */
static uint32_t path_count(struct allow *set, uint32_t place, uint32_t by)
{
        uint32_t was, now;

        memcpy(&was, set->paths.bytes.p + place, sizeof(was));
        now = was + by;
        memcpy(set->paths.bytes.p + place, &now, sizeof(now));
        return was;
}

/* For each different path of each record: counts it (FILL false) or writes it to its place. */
static void each_path(struct allow *set, bool fill)
{
        for (uint32_t k = 0; k < ALLOW_N_TABLES; k++) {
                const struct allow_table *t = &set->tables[k];

                for (uint32_t i = 0; i < t->n; i++) {
                        struct allow_use one = allow_record_use(t, i);
                        bool many = one.path == ALLOW_PATH_MANY;
                        const struct allow_use *uses = many ? set->uses + one.label + 1 : &one;
                        uint32_t n = many ? one.line - 1 : 1;

                        for (uint32_t j = 0; j < n; j++) {
                                uint32_t at;

                                if (uses[j].path == ALLOW_PATH_ANY || (j && uses[j].path == uses[j - 1].path))
                                        continue;
                                at = path_count(set, uses[j].path, 1);
                                if (fill)
                                        set->by_path[at] = k << ALLOW_TABLE_SHIFT | i;
                        }
                }
        }
}

/* From counts to beginnings; from ends (after filling) to beginnings again. */
static uint32_t place_paths(struct allow *set)
{
        uint32_t at = 0;

        for (size_t i = 1; i < set->paths.bytes.len;) {
                uint32_t n = path_count(set, (uint32_t)i, 0);

                (void)path_count(set, (uint32_t)i, at - n); /* wraps to what is wanted: AT */
                at += n;
                i += ALLOW_PATH_HEAD + allow_path_text(&set->paths, (uint32_t)i).len;
        }
        return at;
}

static void unplace_paths(struct allow *set)
{
        uint32_t begin = 0;

        for (size_t i = 1; i < set->paths.bytes.len;) {
                uint32_t end = path_count(set, (uint32_t)i, 0);

                (void)path_count(set, (uint32_t)i, begin - end);
                begin = end;
                i += ALLOW_PATH_HEAD + allow_path_text(&set->paths, (uint32_t)i).len;
        }
}

static int make_by_path(struct allow *set, struct err *err)
{
        each_path(set, false);
        set->n_by_path = place_paths(set);
        set->by_path = mem_alloc(set->n_by_path * sizeof(*set->by_path));
        if (!set->by_path)
                return err_nomem(err);
        each_path(set, true);
        unplace_paths(set);
        return 0;
}

/* Gives memory back that was for growing. */
static int shrink(struct buf *b, struct err *err)
{
        uint8_t *p = mem_resize(b->p, b->len ? b->len : 1, 1);

        if (!p)
                return err_nomem(err);
        b->p = p;
        b->cap = b->len;
        return 0;
}

static int shrink_table(struct allow_table *t, struct err *err)
{
        uint8_t *p = mem_resize(t->records, t->n ? t->n : 1, t->stride);

        if (!p)
                return err_nomem(err);
        t->records = p;
        return 0;
}

int allow_freeze(struct allow_builder *b, struct allow **ret, struct err *err)
{
        struct allow *set = b->set;
        struct buf uses = {0};
        int r = 0;

        set->n_labels = n_labels(b);
        set->labels = (struct allow_label *)(void *)TAKE(b->label_rows.p);
        b->label_rows = (struct buf){0};
        for (size_t i = 0; i < ALLOW_N_TABLES && r >= 0; i++) {
                r = make_table(set, &set->tables[i], &b->rows[i], &uses, err);
                if (r >= 0)
                        r = shrink_table(&set->tables[i], err);
        }
        if (r >= 0)
                r = shrink(&uses, err);
        if (r >= 0)
                r = shrink(&set->paths.bytes, err);
        if (r >= 0)
                r = shrink(&set->text, err);
        if (r < 0) {
                buf_free(&uses);
                return r;
        }
        set->n_uses = (uint32_t)(uses.len / sizeof(*set->uses));
        set->uses = (struct allow_use *)(void *)uses.p;
        r = paths_index(set, set->n_paths, err);
        if (r >= 0)
                r = make_by_path(set, err);
        if (r < 0)
                return r;
        *ret = TAKE(b->set);
        return 0;
}
