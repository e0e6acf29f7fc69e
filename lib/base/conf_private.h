/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_CONF_PRIVATE_H
#define AVOW_BASE_CONF_PRIVATE_H

#include "base/conf.h"

/* What conf.c (reading) and conf_get.c (asking) share; nobody else includes this. */

struct conf_value {
        bool set;            /* by a file or the environment */
        char *text;          /* CONF_STR, CONF_PATH; NULL: unset */
        int64_t number;      /* CONF_INT, CONF_DURATION, CONF_SIZE, CONF_BOOL */
        struct strv list;    /* CONF_LIST, CONF_PATHS */
        struct conf **items; /* CONF_MAPS */
        size_t n_items;
        const struct yaml_node *node; /* where it was said, in a document of the root's; NULL for defaults */
};

struct conf {
        const struct conf_key *keys;
        size_t n_keys;
        struct conf_value *values;     /* one for each key */
        const struct yaml_node *where; /* an item's place; the root's is NULL */
        struct yaml_doc **docs;        /* the root owns what all nodes live in */
        size_t n_docs;
};

void conf_value_done(struct conf_value *v);
struct conf *conf_new(const struct conf_key *keys, size_t n_keys);

/*
 * Reads NODE as KEY's value into V, replacing what was there. DIR is the folder that relative paths start
 * from, or NULL to leave them.
 */
int conf_value_read(const struct conf_key *key, const struct yaml_node *node, const char *dir,
                    struct conf_value *v, struct err *err) MUST_USE;

/* Reads a map of keys, PREFIX before each (NULL at the top). */
int conf_read_map(struct conf *c, const struct yaml_node *map, const char *prefix, const char *dir,
                  struct err *err) MUST_USE;
/* Gives defaults to what is unset, and asks for what is required. */
int conf_complete(struct conf *c, struct err *err) MUST_USE;

#endif
