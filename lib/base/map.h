/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_MAP_H
#define AVOW_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/*
 * A hash map from byte strings to pointers. Keys are copied. SipHash with a key of its own per map, so a peer
 * who chooses names cannot choose collisions. Not ordered: sort what you show.
 *
 *   struct map hosts;
 *   map_init(&hosts, host_free_value);     // or NULL: values are not the map's
 *   for (size_t i = 0; map_next(&hosts, &i, &key, &value);) …
 */
struct map_slot;

struct map {
        struct map_slot *slots;
        size_t n, cap, used;
        uint64_t seed[2];
        void (*free_value)(void *value);
};

void map_init(struct map *m, void (*free_value)(void *value));
void map_done(struct map *m);

/* Adds or replaces (freeing the old value unless it is the same). Return: 0, or -1 when out of memory: then
 * nothing changed and VALUE is still the caller's. */
int map_put(struct map *m, const char *key, void *value) MUST_USE;
int map_put_bytes(struct map *m, struct view key, void *value) MUST_USE;
/* Return: the value, NULL if there is none. */
void *map_get(const struct map *m, const char *key);
void *map_get_bytes(const struct map *m, struct view key);
/* Removes, giving the value to the caller instead of freeing it. NULL if there is none. */
void *map_take(struct map *m, const char *key);
void *map_take_bytes(struct map *m, struct view key);
/* Removes and frees. Return: true if it was there. */
bool map_remove(struct map *m, const char *key);
void map_clear(struct map *m);
size_t map_count(const struct map *m);

/* Walks; *POS starts at 0. RET_KEY (NUL after its bytes) and RET_VALUE may be NULL. The entry just returned
 * may be removed; nothing may be added meanwhile. Return: false at the end. */
bool map_next(const struct map *m, size_t *pos, struct view *ret_key, void **ret_value);

#endif
