/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking for values, and comparing two configurations at a reload. A path that is not in the program's table
 * is a mistake of ours, found by the first test that runs the line: hence assert, not an error.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/conf_private.h"

static size_t index_of(const struct conf *c, const char *path)
{
        size_t i = 0;

        while (i < c->n_keys && !str_equal(c->keys[i].path, path))
                i++;
        assert(i < c->n_keys);
        return i;
}

static const struct conf_value *value_of(const struct conf *c, const char *path, unsigned types)
{
        size_t i = index_of(c, path);

        assert(types & 1U << c->keys[i].type);
        (void)types; /* NDEBUG */
        return &c->values[i];
}

bool conf_is_set(const struct conf *c, const char *path)
{
        return c->values[index_of(c, path)].set;
}

const char *conf_str(const struct conf *c, const char *path)
{
        return value_of(c, path, 1U << CONF_STR | 1U << CONF_PATH)->text;
}

int64_t conf_int(const struct conf *c, const char *path)
{
        return value_of(c, path, 1U << CONF_INT | 1U << CONF_DURATION | 1U << CONF_SIZE)->number;
}

bool conf_bool(const struct conf *c, const char *path)
{
        return value_of(c, path, 1U << CONF_BOOL)->number != 0;
}

const struct strv *conf_list(const struct conf *c, const char *path)
{
        return &value_of(c, path, 1U << CONF_LIST | 1U << CONF_PATHS)->list;
}

size_t conf_n_items(const struct conf *c, const char *path)
{
        return value_of(c, path, 1U << CONF_MAPS)->n_items;
}

const struct conf *conf_item(const struct conf *c, const char *path, size_t i)
{
        const struct conf_value *v = value_of(c, path, 1U << CONF_MAPS);

        assert(i < v->n_items);
        return v->items[i];
}

const struct yaml_node *conf_tree(const struct conf *c, const char *path)
{
        return value_of(c, path, 1U << CONF_TREE)->node;
}

int conf_err(const struct conf *c, const char *path, struct err *err, const char *fmt, ...)
{
        const struct yaml_node *node = c->values[index_of(c, path)].node;
        char text[ERR_TEXT_BYTES];
        va_list ap;

        va_start(ap, fmt);
        if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
                text[0] = '\0';
        va_end(ap);
        if (!node)
                node = c->where;
        if (!node)
                return err_set(err, ERR_CONFIG, 0, "default of '%s': %s", path, text);
        return yaml_err(node, err, "%s: %s", path, text);
}

static bool node_equal(const struct yaml_node *a, const struct yaml_node *b)
{
        if (!a || !b)
                return a == b;
        if (a->kind != b->kind || a->n != b->n || a->quoted != b->quoted || !str_equal(a->text, b->text))
                return false;
        for (size_t i = 0; i < a->n; i++) {
                if (a->keys && !node_equal(a->keys[i], b->keys[i]))
                        return false;
                if (!node_equal(a->items[i], b->items[i]))
                        return false;
        }
        return true;
}

static bool conf_equal(const struct conf *a, const struct conf *b);

static bool value_equal(const struct conf_key *key, const struct conf_value *a, const struct conf_value *b)
{
        if (key->type == CONF_TREE)
                return node_equal(a->node, b->node);
        if (!str_equal(a->text, b->text) || a->number != b->number || a->list.n != b->list.n ||
            a->n_items != b->n_items)
                return false;
        for (size_t i = 0; i < a->list.n; i++) {
                if (!str_equal(a->list.items[i], b->list.items[i]))
                        return false;
        }
        for (size_t i = 0; i < a->n_items; i++) {
                if (!conf_equal(a->items[i], b->items[i]))
                        return false;
        }
        return true;
}

/* Of the same table. */
static bool conf_equal(const struct conf *a, const struct conf *b)
{
        for (size_t i = 0; i < a->n_keys; i++) {
                if (!value_equal(&a->keys[i], &a->values[i], &b->values[i]))
                        return false;
        }
        return true;
}

int conf_check_reload(const struct conf *old, const struct conf *new, struct err *err)
{
        assert(old->keys == new->keys);
        for (size_t i = 0; i < old->n_keys; i++) {
                const struct conf_key *key = &old->keys[i];

                if ((key->flags & CONF_RESTART) && !value_equal(key, &old->values[i], &new->values[i]))
                        return conf_err(new, key->path, err, "a change of this key needs a restart");
        }
        return 0;
}
