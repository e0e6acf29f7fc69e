/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash map with open addressing and linear probing. The threat: a stranger who registers ten thousand names
 * that all fall into one slot. So the hash is SipHash with a random key for each map.
 *
 * Removal leaves a tombstone; growing (when three quarters are used) sweeps them.
 */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sip.h"

enum slot_state { SLOT_FREE, SLOT_USED, SLOT_REMOVED };

struct map_slot {
        enum slot_state state;
        uint64_t hash;
        size_t key_len;
        char *key;
        void *value;
};

void map_init(struct map *m, void (*free_value)(void *value))
{
        *m = (struct map){.free_value = free_value};
        sip_seed(m->seed);
}

static void value_free(struct map *m, void *value)
{
        if (m->free_value)
                m->free_value(value);
}

void map_clear(struct map *m)
{
        for (size_t i = 0; i < m->cap; i++) {
                if (m->slots[i].state != SLOT_USED)
                        continue;
                free(m->slots[i].key);
                value_free(m, m->slots[i].value);
        }
        free(m->slots);
        m->slots = NULL;
        m->n = m->cap = m->used = 0;
}

void map_done(struct map *m)
{
        map_clear(m);
}

static struct map_slot *find(const struct map *m, struct view key)
{
        uint64_t hash = sip_hash(m->seed, key);

        if (m->n == 0)
                return NULL;
        for (size_t i = hash & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
                struct map_slot *s = &m->slots[i];

                if (s->state == SLOT_FREE)
                        return NULL;
                if (s->state == SLOT_USED && s->hash == hash && view_equal(VIEW(s->key, s->key_len), key))
                        return s;
        }
}

/* The first slot on HASH's way that holds nothing. There is always one: never more than 3/4 are in use. */
static struct map_slot *find_empty(struct map_slot *slots, size_t cap, uint64_t hash)
{
        size_t i = hash & (cap - 1);

        while (slots[i].state == SLOT_USED)
                i = (i + 1) & (cap - 1);
        return &slots[i];
}

/* Makes room for one more entry. */
static int make_room(struct map *m)
{
        size_t cap = m->cap ? m->cap : 16;
        struct map_slot *slots;

        if (m->cap && m->used + 1 <= m->cap / 4 * 3)
                return 0;
        while (m->n + 1 > cap / 2)
                cap *= 2;
        slots = mem_zalloc(cap, sizeof(*slots));
        if (!slots)
                return -1;
        for (size_t i = 0; i < m->cap; i++) {
                if (m->slots[i].state == SLOT_USED)
                        *find_empty(slots, cap, m->slots[i].hash) = m->slots[i];
        }
        free(m->slots);
        m->slots = slots;
        m->cap = cap;
        m->used = m->n;
        return 0;
}

int map_put_bytes(struct map *m, struct view key, void *value)
{
        struct map_slot *s = find(m, key);
        uint64_t hash;
        char *copy;

        if (s) {
                if (s->value != value)
                        value_free(m, s->value);
                s->value = value;
                return 0;
        }
        if (make_room(m) < 0)
                return -1;
        copy = mem_alloc(key.len + 1);
        if (!copy)
                return -1;
        if (key.len)
                memcpy(copy, key.p, key.len);
        copy[key.len] = '\0';
        hash = sip_hash(m->seed, key);
        s = find_empty(m->slots, m->cap, hash);
        if (s->state == SLOT_FREE)
                m->used++;
        *s = (struct map_slot){
                .state = SLOT_USED, .hash = hash, .key = copy, .key_len = key.len, .value = value};
        m->n++;
        return 0;
}

int map_put(struct map *m, const char *key, void *value)
{
        return map_put_bytes(m, view_str(key), value);
}

void *map_get_bytes(const struct map *m, struct view key)
{
        struct map_slot *s = find(m, key);

        return s ? s->value : NULL;
}

void *map_get(const struct map *m, const char *key)
{
        return map_get_bytes(m, view_str(key));
}

static void *slot_empty(struct map *m, struct map_slot *s)
{
        void *value = s->value;

        free(s->key);
        *s = (struct map_slot){.state = SLOT_REMOVED};
        m->n--;
        return value;
}

void *map_take_bytes(struct map *m, struct view key)
{
        struct map_slot *s = find(m, key);

        return s ? slot_empty(m, s) : NULL;
}

void *map_take(struct map *m, const char *key)
{
        return map_take_bytes(m, view_str(key));
}

bool map_remove(struct map *m, const char *key)
{
        struct map_slot *s = find(m, view_str(key));

        if (!s)
                return false;
        value_free(m, slot_empty(m, s));
        return true;
}

size_t map_count(const struct map *m)
{
        return m->n;
}

bool map_next(const struct map *m, size_t *pos, struct view *ret_key, void **ret_value)
{
        while (*pos < m->cap) {
                const struct map_slot *s = &m->slots[(*pos)++];

                if (s->state != SLOT_USED)
                        continue;
                if (ret_key)
                        *ret_key = VIEW(s->key, s->key_len);
                if (ret_value)
                        *ret_value = s->value;
                return true;
        }
        return false;
}
