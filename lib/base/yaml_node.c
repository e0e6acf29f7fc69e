/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a YAML node says. Text becomes a number, a duration or a choice only here, where the reader says which
 * it wants; every error tells the place, what was found and what was expected.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/yaml.h"

int yaml_err(const struct yaml_node *node, struct err *err, const char *fmt, ...)
{
        char text[ERR_TEXT_BYTES];
        va_list ap;

        va_start(ap, fmt);
        if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
                text[0] = '\0';
        va_end(ap);
        if (node->line == 0) /* not from a file: a default, a variable */
                return err_set(err, ERR_CONFIG, 0, "%s: %s", node->file, text);
        return err_set(err, ERR_CONFIG, 0, "%s:%u:%u: %s", node->file, node->line, node->column, text);
}

static size_t find(const struct yaml_node *map, const char *key)
{
        for (size_t i = 0; map && map->kind == YAML_MAP && i < map->n; i++) {
                if (str_equal(map->keys[i]->text, key))
                        return i;
        }
        return SIZE_MAX;
}

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
        size_t i = find(map, key);

        return i == SIZE_MAX ? NULL : map->items[i];
}

const struct yaml_node *yaml_key(const struct yaml_node *map, const char *key)
{
        size_t i = find(map, key);

        return i == SIZE_MAX ? NULL : map->keys[i];
}

int yaml_need(const struct yaml_node *map, const char *key, const struct yaml_node **ret, struct err *err)
{
        const struct yaml_node *node = yaml_get(map, key);

        if (!node)
                return yaml_err(map, err, "key '%s' is missing", key);
        *ret = node;
        return 0;
}

static const char *kind_name(const struct yaml_node *node)
{
        static const char *const names[] = {
                [YAML_NULL] = "nothing", [YAML_TEXT] = "text", [YAML_LIST] = "a list", [YAML_MAP] = "a map"};

        return names[node->kind];
}

int yaml_want_map(const struct yaml_node *node, struct err *err)
{
        return node->kind == YAML_MAP ? 0 : yaml_err(node, err, "found %s, expected a map", kind_name(node));
}

int yaml_want_list(const struct yaml_node *node, size_t max_items, struct err *err)
{
        if (node->kind != YAML_LIST)
                return yaml_err(node, err, "found %s, expected a list", kind_name(node));
        if (node->n > max_items)
                return yaml_err(node, err, "%zu items, at most %zu are allowed", node->n, max_items);
        return 0;
}

int yaml_only(const struct yaml_node *map, const char *const *names, size_t n_names, struct err *err)
{
        int r = yaml_want_map(map, err);

        for (size_t i = 0; r == 0 && i < map->n; i++) {
                const char *key = map->keys[i]->text, *nearest;
                bool known = false;

                for (size_t k = 0; k < n_names && !known; k++)
                        known = str_equal(key, names[k]);
                if (known)
                        continue;
                nearest = str_nearest(key, names, n_names);
                return yaml_err(map->keys[i], err,
                                nearest ? "unknown key %s; did you mean '%s'?" : "unknown key %s", SHOW(key),
                                nearest);
        }
        return r;
}

int yaml_str(const struct yaml_node *node, const char **ret, struct err *err)
{
        if (node->kind != YAML_TEXT)
                return yaml_err(node, err, "found %s, expected text", kind_name(node));
        *ret = node->text;
        return 0;
}

/* The text of a scalar that is to be EXPECTED. */
static int scalar(const struct yaml_node *node, const char *expected, struct view *ret, struct err *err)
{
        if (node->kind != YAML_TEXT)
                return yaml_err(node, err, "found %s, expected %s", kind_name(node), expected);
        *ret = view_str(node->text);
        return 0;
}

/* Puts the place in front of a base parser's error, and makes it one of configuration. */
static int place(const struct yaml_node *node, struct err *err)
{
        struct err inner = *err;

        return yaml_err(node, err, "%s", inner.text);
}

int yaml_int(const struct yaml_node *node, int64_t min, int64_t max, int64_t *ret, struct err *err)
{
        struct view text = VIEW_NONE;
        int r = scalar(node, "a whole number", &text, err);

        if (r < 0)
                return r;
        return str_parse_int(text, min, max, ret, err) < 0 ? place(node, err) : 0;
}

int yaml_bool(const struct yaml_node *node, bool *ret, struct err *err)
{
        bool yes = node->kind == YAML_TEXT && !node->quoted && str_equal(node->text, "true");
        bool no = node->kind == YAML_TEXT && !node->quoted && str_equal(node->text, "false");

        if (!yes && !no)
                return yaml_err(node, err, "found %s, expected true or false",
                                node->kind == YAML_TEXT ? SHOW(node->text) : kind_name(node));
        *ret = yes;
        return 0;
}

int yaml_duration(const struct yaml_node *node, int64_t *ret_ms, struct err *err)
{
        struct view text = VIEW_NONE;
        int r = scalar(node, "a duration like 30s", &text, err);

        if (r < 0)
                return r;
        return clock_parse_duration(text, ret_ms, err) < 0 ? place(node, err) : 0;
}

int yaml_size(const struct yaml_node *node, uint64_t *ret, struct err *err)
{
        struct view text = VIEW_NONE;
        int r = scalar(node, "a size like 4MiB", &text, err);

        if (r < 0)
                return r;
        return str_parse_size(text, ret, err) < 0 ? place(node, err) : 0;
}

int yaml_time(const struct yaml_node *node, int64_t *ret_ms, struct err *err)
{
        struct view text = VIEW_NONE;
        int r = scalar(node, "a time like 2026-01-31T12:00:00Z", &text, err);

        if (r < 0)
                return r;
        return clock_parse(text, ret_ms, err) < 0 ? place(node, err) : 0;
}

int yaml_choice(const struct yaml_node *node, const char *const *names, size_t n_names, size_t *ret,
                struct err *err)
{
        AUTO(buf_free)
        struct buf all = {0};
        AUTO(mem_free_p)
        char *list = NULL;
        const char *text = NULL;
        int r = yaml_str(node, &text, err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < n_names; i++) {
                if (str_equal(text, names[i])) {
                        *ret = i;
                        return 0;
                }
        }
        for (size_t i = 0; i < n_names; i++)
                buf_fmt(&all, "%s%s", i == 0 ? "" : i + 1 == n_names ? " or " : ", ", names[i]);
        list = buf_take_str(&all);
        return list ? yaml_err(node, err, "found %s, expected %s", SHOW(text), list) : err_nomem(err);
}
