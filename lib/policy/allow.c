/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frozen sets of digests: looking up. It never changes after it was made; only the count of its users moves,
 * atomically.
 *
 * The cost of a look-up is memory's, not arithmetic's: one slot of the index (eight bytes, with 32 bits of
 * the hash in it, so that a stranger's slot costs no second read), one record (the digest and where it is
 * allowed, side by side). A digest with one use, which is nearly every one, carries that use in its record;
 * one with many (the empty file, under 10,000 names) refers to a sorted list, halved by path.
 */
#include "policy/allow.h"

#include <stdlib.h>
#include <string.h>

#include "base/sip.h"
#include "policy/allow_impl.h"

const enum digest_alg allow_algs[ALLOW_N_TABLES] = {DIGEST_SHA256, DIGEST_SHA1, DIGEST_SHA384, DIGEST_SHA512};

struct allow *allow_ref(struct allow *a)
{
        (void)__atomic_add_fetch(&a->refs, 1, __ATOMIC_RELAXED);
        return a;
}

void allow_unref(struct allow *a)
{
        if (!a || __atomic_sub_fetch(&a->refs, 1, __ATOMIC_ACQ_REL) > 0)
                return;
        for (size_t i = 0; i < ALLOW_N_TABLES; i++) {
                free(a->tables[i].records);
                free(a->tables[i].index.slots);
        }
        free(a->uses);
        free(a->by_path);
        buf_free(&a->paths.bytes);
        free(a->paths.index.slots);
        free(a->labels);
        buf_free(&a->text);
        free(a);
}

uint32_t allow_path_place(const struct allow_paths *p, const uint64_t seed[2], struct view path)
{
        uint64_t hash;
        uint32_t at, place;

        if (p->index.n == 0 || path.len == 0 || path.len > ALLOW_PATH_BYTES_MAX)
                return ALLOW_INDEX_NONE;
        hash = sip_hash(seed, path);
        at = allow_index_at(&p->index, hash);
        do
                place = allow_index_next(&p->index, hash, &at);
        while (place != ALLOW_INDEX_NONE && !view_equal(allow_path_text(p, place), path));
        return place;
}

static const struct allow_table *table_of(const struct allow *a, enum digest_alg alg)
{
        for (size_t i = 0; i < ALLOW_N_TABLES; i++)
                if (allow_algs[i] == alg)
                        return &a->tables[i];
        return NULL;
}

/* A look-up on its way. */
struct search {
        const struct allow_table *table; /* NULL: the digest cannot be there */
        uint64_t hash;
        uint32_t at; /* the first slot */
};

static struct search search_begin(const struct allow *a, enum digest_alg alg, struct view digest)
{
        struct search s = {.table = table_of(a, alg)};

        if (!s.table || s.table->n == 0 || digest.len != s.table->digest_size)
                return (struct search){.table = NULL};
        s.hash = sip_hash(a->seed, digest);
        s.at = allow_index_at(&s.table->index, s.hash);
        return s;
}

/* The record of a digest; ALLOW_INDEX_NONE. */
static uint32_t search_end(struct search s, struct view digest)
{
        uint32_t i;

        if (!s.table)
                return ALLOW_INDEX_NONE;
        do
                i = allow_index_next(&s.table->index, s.hash, &s.at);
        while (i != ALLOW_INDEX_NONE && !view_equal(VIEW(allow_record(s.table, i), digest.len), digest));
        return i;
}

static int64_t until(const struct allow *a, const struct allow_use *use)
{
        return a->labels[use->label].until_ms;
}

/* The best of the N sorted USES that are for the path at PLACE; NULL. */
static const struct allow_use *use_for(const struct allow_use *uses, uint32_t n, uint32_t place)
{
        uint32_t low = 0, high = n;

        while (low < high) {
                uint32_t middle = low + (high - low) / 2;

                if (uses[middle].path < place)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < n && uses[low].path == place ? &uses[low] : NULL;
}

static enum allow_answer answer(const struct allow *a, const struct allow_table *t, uint32_t record,
                                const struct allow_use *use, enum allow_answer if_valid, int64_t now_ms,
                                struct allow_entry *ret)
{
        int64_t until_ms = until(a, use);

        if (ret)
                *ret = (struct allow_entry){
                        .alg = t->alg,
                        .digest = VIEW(allow_record(t, record), t->digest_size),
                        .path = allow_path_text(&a->paths, use->path),
                        .label = (const char *)a->text.p + a->labels[use->label].text,
                        .until_ms = until_ms,
                        .line = use->line,
                };
        return if_valid == ALLOW_ALLOWED && until_ms != ALLOW_NEVER && now_ms >= until_ms ? ALLOW_EXPIRED
                                                                                          : if_valid;
}

/* Which use of a record with many speaks about PATH. NULL: none. */
static const struct allow_use *choose(const struct allow *a, const struct allow_use *uses, uint32_t n,
                                      struct view path)
{
        const struct allow_use *any = use_for(uses, n, ALLOW_PATH_ANY), *here = NULL;
        uint32_t place = allow_path_place(&a->paths, a->seed, path);

        if (place != ALLOW_INDEX_NONE)
                here = use_for(uses, n, place);
        if (!here || !any)
                return here ? here : any;
        return until(a, here) >= until(a, any) ? here : any;
}

static enum allow_answer find(const struct allow *a, struct search s, struct view digest, struct view path,
                              int64_t now_ms, struct allow_entry *ret)
{
        const struct allow_table *t = s.table;
        uint32_t i = search_end(s, digest);
        const struct allow_use *found;
        struct allow_use use;

        if (i == ALLOW_INDEX_NONE)
                return ALLOW_UNKNOWN;
        use = allow_record_use(t, i);
        if (use.path == ALLOW_PATH_MANY) {
                /* behind the best of all */
                found = choose(a, a->uses + use.label + 1, use.line - 1, path);
                return answer(a, t, i, found ? found : &a->uses[use.label],
                              found ? ALLOW_ALLOWED : ALLOW_ELSEWHERE, now_ms, ret);
        }
        if (use.path != ALLOW_PATH_ANY && !view_equal(allow_path_text(&a->paths, use.path), path))
                return answer(a, t, i, &use, ALLOW_ELSEWHERE, now_ms, ret);
        return answer(a, t, i, &use, ALLOW_ALLOWED, now_ms, ret);
}

enum allow_answer allow_find(const struct allow *a, enum digest_alg alg, struct view digest, struct view path,
                             int64_t now_ms, struct allow_entry *ret)
{
        return find(a, search_begin(a, alg, digest), digest, path, now_ms, ret);
}

/* Begins to read N bytes that will be wanted. */
static void fetch(const void *p, size_t n)
{
        __builtin_prefetch(p);
        __builtin_prefetch((const uint8_t *)p + n - 1);
}

/* The record that S comes to first is nearly always the one. */
static void fetch_record(struct search s)
{
        uint32_t i = s.table ? allow_index_next(&s.table->index, s.hash, &s.at) : ALLOW_INDEX_NONE;

        if (i != ALLOW_INDEX_NONE)
                fetch(allow_record(s.table, i), s.table->stride);
}

static void fetch_path(const struct allow *a, struct search s, struct view path)
{
        uint32_t i = s.table ? allow_index_next(&s.table->index, s.hash, &s.at) : ALLOW_INDEX_NONE, place;

        if (i == ALLOW_INDEX_NONE)
                return;
        place = allow_record_use(s.table, i).path;
        if (place != ALLOW_PATH_ANY && place != ALLOW_PATH_MANY)
                fetch(a->paths.bytes.p + place, ALLOW_PATH_HEAD + path.len);
}

static void find_some(const struct allow *a, struct allow_ask **asks, size_t n, int64_t now_ms)
{
        struct search searches[ALLOW_MANY];

        for (size_t i = 0; i < n; i++) {
                searches[i] = search_begin(a, asks[i]->alg, asks[i]->digest);
                if (searches[i].table)
                        fetch(&searches[i].table->index.slots[searches[i].at], sizeof(uint64_t));
        }
        for (size_t i = 0; i < n; i++)
                fetch_record(searches[i]);
        for (size_t i = 0; i < n; i++)
                fetch_path(a, searches[i], asks[i]->path);
        for (size_t i = 0; i < n; i++) {
                enum allow_answer answer = find(a, searches[i], asks[i]->digest, asks[i]->path, now_ms, NULL);

                if (answer > asks[i]->answer)
                        asks[i]->answer = answer;
        }
}

void allow_find_many(const struct allow *a, struct allow_ask *asks, size_t n, int64_t now_ms)
{
        struct allow_ask *open[ALLOW_MANY];
        size_t n_open = 0;

        for (size_t i = 0; i < n; i++) {
                if (asks[i].answer != ALLOW_ALLOWED)
                        open[n_open++] = &asks[i];
                if (n_open == ALLOW_MANY || i + 1 == n) {
                        find_some(a, open, n_open, now_ms);
                        n_open = 0;
                }
        }
}

enum allow_answer allow_find_digest(const struct allow *a, enum digest_alg alg, struct view digest,
                                    int64_t now_ms, struct allow_entry *ret)
{
        const struct search s = search_begin(a, alg, digest);
        uint32_t i = search_end(s, digest);
        struct allow_use use;

        if (i == ALLOW_INDEX_NONE)
                return ALLOW_UNKNOWN;
        use = allow_record_use(s.table, i);
        if (use.path == ALLOW_PATH_MANY)
                use = a->uses[use.label];
        return answer(a, s.table, i, &use, ALLOW_ALLOWED, now_ms, ret);
}

static uint32_t path_first(const struct allow *a, uint32_t place)
{
        uint32_t first;

        memcpy(&first, a->paths.bytes.p + place, sizeof(first));
        return first;
}

bool allow_next_of(const struct allow *a, struct view path, size_t *pos, struct allow_entry *ret)
{
        uint32_t place = allow_path_place(&a->paths, a->seed, path), ref, i, end = a->n_by_path;
        const struct allow_table *t;
        struct allow_use use;
        size_t next;

        if (place == ALLOW_INDEX_NONE)
                return false;
        next = place + ALLOW_PATH_HEAD + path.len;
        if (next < a->paths.bytes.len)
                end = path_first(a, (uint32_t)next);
        if (*pos >= end - path_first(a, place))
                return false;
        ref = a->by_path[path_first(a, place) + (*pos)++];
        t = &a->tables[ref >> ALLOW_TABLE_SHIFT];
        i = ref & ((1u << ALLOW_TABLE_SHIFT) - 1);
        use = allow_record_use(t, i);
        if (use.path == ALLOW_PATH_MANY)
                use = *use_for(a->uses + use.label + 1, use.line - 1, place);
        (void)answer(a, t, i, &use, ALLOW_ALLOWED, 0, ret);
        return true;
}

bool allow_next(const struct allow *a, struct allow_pos *pos, struct allow_entry *ret)
{
        const struct allow_table *t;
        struct allow_use use;
        uint32_t n = 1;

        while (pos->table < ALLOW_N_TABLES && pos->record >= a->tables[pos->table].n)
                *pos = (struct allow_pos){.table = pos->table + 1};
        if (pos->table == ALLOW_N_TABLES)
                return false;
        t = &a->tables[pos->table];
        use = allow_record_use(t, pos->record);
        if (use.path == ALLOW_PATH_MANY) {
                n = use.line - 1; /* the first of them is the best once more */
                use = a->uses[use.label + 1 + pos->use];
        }
        (void)answer(a, t, pos->record, &use, ALLOW_ALLOWED, 0, ret);
        if (++pos->use == n)
                *pos = (struct allow_pos){.table = pos->table, .record = pos->record + 1};
        return true;
}

size_t allow_count(const struct allow *a)
{
        return a->n;
}

size_t allow_count_digests(const struct allow *a)
{
        size_t n = 0;

        for (size_t i = 0; i < ALLOW_N_TABLES; i++)
                n += a->tables[i].n;
        return n;
}

size_t allow_count_paths(const struct allow *a)
{
        return a->n_paths;
}

size_t allow_bytes(const struct allow *a)
{
        size_t n = sizeof(*a) + a->paths.bytes.cap + a->text.cap + a->n_labels * sizeof(*a->labels) +
                   a->n_uses * sizeof(*a->uses) + a->n_by_path * sizeof(*a->by_path) +
                   a->paths.index.cap * sizeof(*a->paths.index.slots);

        for (size_t i = 0; i < ALLOW_N_TABLES; i++)
                n += (size_t)a->tables[i].n * a->tables[i].stride +
                     a->tables[i].index.cap * sizeof(*a->tables[i].index.slots);
        return n;
}

/* One more than the longest run of slots in use, round the end too. */
static size_t longest(const struct allow_index *x)
{
        size_t most = 0, run = 0;

        for (size_t i = 0; i < 2 * (size_t)x->cap; i++) {
                run = x->slots[i % x->cap] ? run + 1 : 0;
                most = run > most ? run : most;
        }
        return most + 1;
}

size_t allow_longest_probe(const struct allow *a)
{
        size_t most = longest(&a->paths.index);

        for (size_t i = 0; i < ALLOW_N_TABLES; i++) {
                size_t n = longest(&a->tables[i].index);

                most = n > most ? n : most;
        }
        return most;
}
