/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_ALLOW_IMPL_H
#define AVOW_POLICY_ALLOW_IMPL_H

#include "base/map.h"
#include "policy/allow.h"

/* The inside of frozen sets: for allow.c and allow_build.c alone. */

/*
 * Open addressing with linear probing, at most two thirds full. A slot holds 32 bits of the key's hash and a
 * reference plus one; 0 is free. What the reference means is the caller's.
 */
struct allow_index {
        uint64_t *slots;
        uint32_t cap, n;
};
#define ALLOW_INDEX_NONE   UINT32_MAX
#define ALLOW_INDEX_CAP(n) ((uint32_t)((n) + (n) / 2 + 1))

static inline uint32_t allow_index_at(const struct allow_index *x, uint64_t hash)
{
        return (uint32_t)((hash >> 32) * x->cap >> 32);
}

static inline uint64_t allow_index_slot(uint64_t hash, uint32_t ref)
{
        return hash << 32 | ((uint64_t)ref + 1);
}

/* The next reference that HASH may stand for, from slot *AT on; ALLOW_INDEX_NONE at the end. */
static inline uint32_t allow_index_next(const struct allow_index *x, uint64_t hash, uint32_t *at)
{
        for (uint64_t slot; (slot = x->slots[*at]) != 0;) {
                *at = *at + 1 == x->cap ? 0 : *at + 1;
                if (slot >> 32 == (hash & UINT32_MAX))
                        return (uint32_t)slot - 1;
        }
        return ALLOW_INDEX_NONE;
}

/* Where a digest is allowed. PATH is a place among the paths; ALLOW_PATH_ANY; or ALLOW_PATH_MANY, in a record
 * only: then LABEL is the first and LINE the number of its uses in allow->uses. */
struct allow_use {
        uint32_t path, label, line;
};
#define ALLOW_PATH_ANY  0u
#define ALLOW_PATH_MANY UINT32_MAX

/* The digests of one algorithm. A record is the digest and a struct allow_use. */
struct allow_table {
        enum digest_alg alg;
        uint32_t digest_size, stride, n;
        uint8_t *records;
        struct allow_index index; /* refers to records */
};
#define ALLOW_N_TABLES 4
extern const enum digest_alg allow_algs[ALLOW_N_TABLES];

struct allow_label {
        int64_t until_ms;
        uint32_t text; /* a place in the labels' text */
};

/*
 * Paths, one after another: where its records begin in by_path (4 bytes), its length (2), its bytes. The
 * first place is nobody's, so that ALLOW_PATH_ANY is no path.
 */
#define ALLOW_PATH_HEAD 6u
struct allow_paths {
        struct buf bytes;
        struct allow_index index; /* refers to places */
};

static inline struct view allow_path_text(const struct allow_paths *p, uint32_t place)
{
        const uint8_t *head = p->bytes.p + place;

        return place == ALLOW_PATH_ANY ? VIEW_NONE
                                       : VIEW(head + ALLOW_PATH_HEAD, (size_t)head[4] | (size_t)head[5] << 8);
}

struct allow {
        unsigned refs; /* atomic */
        uint64_t seed[2];
        struct allow_table tables[ALLOW_N_TABLES];
        struct allow_use *uses; /* of a record with many: the best of all, then all by path, the best first */
        uint32_t n_uses;
        uint32_t *by_path; /* records, with their table's number in the two upper bits */
        uint32_t n_by_path;
        struct allow_paths paths;
        uint32_t n_paths;
        struct allow_label *labels;
        uint32_t n_labels;
        struct buf text; /* of labels */
        size_t n;        /* entries */
};
#define ALLOW_TABLE_SHIFT 30

static inline uint8_t *allow_record(const struct allow_table *t, uint32_t i)
{
        return t->records + (size_t)i * t->stride;
}

static inline struct allow_use allow_record_use(const struct allow_table *t, uint32_t i)
{
        struct allow_use use;

        __builtin_memcpy(&use, allow_record(t, i) + t->digest_size, sizeof(use));
        return use;
}

/* The place of a path; ALLOW_INDEX_NONE. */
uint32_t allow_path_place(const struct allow_paths *p, const uint64_t seed[2], struct view path);

/* Rows as they were added, before they are put together. */
struct allow_rows {
        struct buf digests, uses;
        uint32_t n;
};

struct allow_builder {
        struct allow *set;
        struct allow_rows rows[ALLOW_N_TABLES];
        struct map labels; /* until and text: number + 1 */
        struct buf label_rows;
};

#endif
