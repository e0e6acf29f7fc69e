/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a value means: the table of keys against the YAML tree. A key of the table is a path ("tls.cert"); in
 * the file its parts are nested maps. A key that leads nowhere is an error, and the nearest name that would
 * lead somewhere is offered.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/conf_private.h"
#include "base/mem.h"

void conf_value_done(struct conf_value *v)
{
        free(v->text);
        strv_done(&v->list);
        for (size_t i = 0; i < v->n_items; i++)
                conf_free(v->items[i]);
        free(v->items);
        *v = (struct conf_value){0};
}

static int read_text(const struct conf_key *key, const struct yaml_node *node, const char *dir,
                     struct conf_value *v, struct err *err)
{
        const char *text;
        size_t n = 0, choice;
        int r = yaml_str(node, &text, err);

        while (r == 0 && key->choices && key->choices[n])
                n++;
        if (r == 0 && n)
                r = yaml_choice(node, key->choices, n, &choice, err);
        if (r < 0)
                return r;
        if (!*text && (key->type == CONF_PATH || (key->flags & CONF_REQUIRED)))
                return yaml_err(node, err, "must not be empty");
        v->text = key->type == CONF_PATH && dir && *text != '/' ? str_fmt("%s/%s", dir, text) : str_dup(text);
        return v->text ? 0 : err_nomem(err);
}

static int out_of_range(const struct conf_key *key, const struct yaml_node *node, int64_t min, int64_t max,
                        struct err *err)
{
        char from[CLOCK_TEXT_BYTES], to[CLOCK_TEXT_BYTES];

        if (key->type == CONF_DURATION)
                return yaml_err(node, err, "%s is not within %s to %s", SHOW(node->text),
                                clock_format_duration(min, from), clock_format_duration(max, to));
        return yaml_err(node, err, "%s is not within %lld to %lld bytes", SHOW(node->text), (long long)min,
                        (long long)max);
}

static int read_number(const struct conf_key *key, const struct yaml_node *node, struct conf_value *v,
                       struct err *err)
{
        int64_t min = key->min, max = key->min || key->max ? key->max : INT64_MAX;
        uint64_t size = 0;
        int r;

        if (key->type == CONF_INT)
                return yaml_int(node, min, max, &v->number, err);
        if (key->type == CONF_DURATION) {
                r = yaml_duration(node, &v->number, err);
        } else {
                r = yaml_size(node, &size, err);
                v->number = (int64_t)size; /* yaml_size() stays below INT64_MAX */
        }
        if (r < 0)
                return r;
        if (v->number < min || v->number > max)
                return out_of_range(key, node, min, max, err);
        return 0;
}

static int read_flag(const struct yaml_node *node, struct conf_value *v, struct err *err)
{
        bool flag;
        int r = yaml_bool(node, &flag, err);

        if (r == 0)
                v->number = flag;
        return r;
}

/* Takes S, an item that strv_take() will own. */
static int add_item(const struct conf_key *key, char *s, const char *dir, struct conf_value *v,
                    struct err *err)
{
        AUTO(mem_free_p)
        char *item = s;

        if (item && key->type == CONF_PATHS && dir && *item != '/') {
                char *whole = str_fmt("%s/%s", dir, item);

                free(item);
                item = whole;
        }
        return strv_take(&v->list, TAKE(item)) < 0 ? err_nomem(err) : 0;
}

/* "a,b,c", where a variable or a default cannot hold a YAML list. "" is empty. */
static int split_list(const struct conf_key *key, const char *text, struct conf_value *v, struct err *err)
{
        int r = 0;

        while (r == 0 && *text) {
                size_t n = strcspn(text, ",");

                r = add_item(key, str_ndup(text, n), NULL, v, err);
                text += n + (text[n] == ',');
        }
        return r;
}

#define LIST_LIMIT 10000

static int read_list(const struct conf_key *key, const struct yaml_node *node, const char *dir,
                     struct conf_value *v, struct err *err)
{
        const char *text = NULL;
        int r;

        if (node->kind == YAML_TEXT && node->line == 0)
                return split_list(key, node->text, v, err);
        r = yaml_want_list(node, LIST_LIMIT, err);
        for (size_t i = 0; r == 0 && i < node->n; i++) {
                r = yaml_str(node->items[i], &text, err);
                if (r == 0)
                        r = add_item(key, str_dup(text), dir, v, err);
        }
        return r;
}

static int read_items(const struct conf_key *key, const struct yaml_node *node, const char *dir,
                      struct conf_value *v, struct err *err)
{
        int r = yaml_want_list(node, LIST_LIMIT, err);

        if (r < 0)
                return r;
        v->items = mem_zalloc(node->n, sizeof(struct conf *));
        if (!v->items)
                return err_nomem(err);
        for (size_t i = 0; r == 0 && i < node->n; i++) {
                struct conf *item = conf_new(key->item, key->n_item);

                if (!item)
                        return err_nomem(err);
                v->items[v->n_items++] = item;
                item->where = node->items[i];
                r = conf_read_map(item, node->items[i], NULL, dir, err);
                if (r == 0)
                        r = conf_complete(item, err);
        }
        return r;
}

static int read_by_type(const struct conf_key *key, const struct yaml_node *node, const char *dir,
                        struct conf_value *v, struct err *err)
{
        switch (key->type) {
        case CONF_STR:
        case CONF_PATH:
                return read_text(key, node, dir, v, err);
        case CONF_INT:
        case CONF_DURATION:
        case CONF_SIZE:
                return read_number(key, node, v, err);
        case CONF_BOOL:
                return read_flag(node, v, err);
        case CONF_LIST:
        case CONF_PATHS:
                return read_list(key, node, dir, v, err);
        case CONF_MAPS:
                return read_items(key, node, dir, v, err);
        case CONF_TREE:
                return 0;
        }
        return err_set(err, ERR_BUG, 0, "key '%s' has no type", key->path);
}

int conf_value_read(const struct conf_key *key, const struct yaml_node *node, const char *dir,
                    struct conf_value *v, struct err *err)
{
        struct conf_value fresh = {0};
        int r;

        if (node->kind == YAML_NULL) { /* "key:" with nothing behind takes back what an earlier file said */
                conf_value_done(v);
                return 0;
        }
        r = read_by_type(key, node, dir, &fresh, err);
        if (r < 0) {
                conf_value_done(&fresh);
                return r;
        }
        fresh.set = true;
        fresh.node = node;
        conf_value_done(v);
        *v = fresh;
        return 0;
}

/* The part of KEY's path that stands at the level PREFIX leads to: "tls.cert" at "tls." → "cert"; NULL if
 * none. */
static char *name_at(const struct conf_key *key, const char *prefix)
{
        const char *rest = key->path + strlen(prefix);

        return str_starts(key->path, prefix) ? str_ndup(rest, strcspn(rest, ".")) : NULL;
}

static int unknown_key(const struct conf *c, const struct yaml_node *key, const char *prefix, struct err *err)
{
        AUTO(strv_done)
        struct strv names = {0};
        const char *nearest;

        for (size_t i = 0; i < c->n_keys; i++) {
                char *name = name_at(&c->keys[i], prefix);

                if (name && strv_take(&names, name) < 0)
                        return err_nomem(err);
        }
        nearest = str_nearest(key->text, (const char *const *)names.items, names.n);
        return yaml_err(key, err, nearest ? "unknown key %s; did you mean '%s%s'?" : "unknown key %s",
                        SHOW(key->text), prefix, nearest);
}

static int read_pair(struct conf *c, const struct yaml_node *key, const struct yaml_node *node,
                     const char *prefix, const char *dir, struct err *err)
{
        AUTO(mem_free_p)
        char *path = str_fmt("%s%s", prefix, key->text);
        AUTO(mem_free_p)
        char *below = str_fmt("%s%s.", prefix, key->text);
        bool group = false;

        if (!path || !below)
                return err_nomem(err);
        for (size_t i = 0; i < c->n_keys && !strchr(key->text, '.'); i++) {
                if (str_equal(c->keys[i].path, path))
                        return conf_value_read(&c->keys[i], node, dir, &c->values[i], err);
                group = group || str_starts(c->keys[i].path, below);
        }
        if (!group) /* "tpm.tcti:" in one line too: two spellings could say two things */
                return unknown_key(c, key, prefix, err);
        return node->kind == YAML_NULL ? 0 : conf_read_map(c, node, below, dir, err);
}

int conf_read_map(struct conf *c, const struct yaml_node *map, const char *prefix, const char *dir,
                  struct err *err)
{
        int r = yaml_want_map(map, err);

        for (size_t i = 0; r == 0 && i < map->n; i++)
                r = read_pair(c, map->keys[i], map->items[i], prefix ? prefix : "", dir, err);
        return r;
}

static int missing(const struct conf *c, const struct conf_key *key, struct err *err)
{
        if (c->where)
                return yaml_err(c->where, err, "key '%s' is missing", key->path);
        return err_set(err, ERR_CONFIG, 0, "%s%skey '%s' is missing",
                       c->n_docs ? yaml_root(c->docs[0])->file : "", c->n_docs ? ": " : "", key->path);
}

int conf_complete(struct conf *c, struct err *err)
{
        for (size_t i = 0; i < c->n_keys; i++) {
                const struct conf_key *key = &c->keys[i];
                struct yaml_node def = {.kind = YAML_TEXT, .file = key->path, .text = (char *)key->def};
                int r;

                if (c->values[i].set)
                        continue;
                if (key->flags & CONF_REQUIRED)
                        return missing(c, key, err);
                if (!key->def)
                        continue;
                r = conf_value_read(key, &def, NULL, &c->values[i], err);
                if (r < 0)
                        return err_wrap(err, "default");
                c->values[i].set = false;
                c->values[i].node = NULL;
        }
        return 0;
}
