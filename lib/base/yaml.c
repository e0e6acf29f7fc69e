/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML through libyaml's events into a tree. Only what configuration and policy files need is taken: aliases
 * make small files huge, tags make types out of text, merge keys hide where a value comes from, and of two
 * equal keys one is always a mistake. Each is refused at its line.
 *
 * Spec: YAML 1.2 chapter 3.2.3 (presentation), by libyaml 0.2.
 */
#include "base/yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"

#define NODES_LIMIT 1000000

struct yaml_doc {
        char *name;
        struct yaml_node **roots;
        size_t n, max;
};

struct parser {
        yaml_parser_t yaml;
        yaml_event_t event;
        const char *file;
        size_t n_nodes;
        unsigned depth;
};

static void node_free(struct yaml_node *node)
{
        if (!node)
                return;
        for (size_t i = 0; i < node->n; i++) {
                node_free(node->items[i]);
                if (node->keys)
                        node_free(node->keys[i]);
        }
        free(node->items);
        free(node->keys);
        free(node->text);
        free(node);
}
DEFINE_AUTO(struct yaml_node, node_free)

static int fail_at(const struct parser *p, yaml_mark_t at, enum err_kind kind, const char *what,
                   struct err *err)
{
        return err_set(err, kind, 0, "%s:%zu:%zu: %s", p->file, at.line + 1, at.column + 1, what);
}

/* The next event into p->event. */
static int next_event(struct parser *p, struct err *err)
{
        const char *problem;

        yaml_event_delete(&p->event);
        if (yaml_parser_parse(&p->yaml, &p->event))
                return 0;
        if (p->yaml.error == YAML_MEMORY_ERROR)
                return err_nomem(err);
        problem = p->yaml.problem ? p->yaml.problem : "not YAML";
        if (p->yaml.error == YAML_READER_ERROR)
                return err_set(err, ERR_CONFIG, 0, "%s: byte %zu: %s", p->file, p->yaml.problem_offset + 1,
                               problem);
        return fail_at(p, p->yaml.problem_mark, ERR_CONFIG, problem, err);
}

static int new_node(struct parser *p, struct yaml_node **ret, struct err *err)
{
        yaml_mark_t at = p->event.start_mark;
        struct yaml_node *node;

        if (++p->n_nodes > NODES_LIMIT)
                return fail_at(p, at, ERR_LIMIT, "more than a million values", err);
        node = mem_zalloc(1, sizeof(*node));
        if (!node)
                return err_nomem(err);
        node->file = p->file;
        node->line = (unsigned)at.line + 1;
        node->column = (unsigned)at.column + 1;
        *ret = node;
        return 0;
}

static bool is_null_text(const char *s)
{
        return str_equal(s, "") || str_equal(s, "~") || str_equal(s, "null");
}

static int read_scalar(struct parser *p, struct yaml_node *node, struct err *err)
{
        const char *text = (const char *)p->event.data.scalar.value;
        size_t len = p->event.data.scalar.length;

        if (p->event.data.scalar.tag || p->event.data.scalar.anchor)
                return yaml_err(node, err, "tags and anchors are not allowed");
        if (strnlen(text, len) != len)
                return yaml_err(node, err, "a NUL character is not allowed");
        node->quoted = p->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
        node->literal = p->event.data.scalar.style == YAML_LITERAL_SCALAR_STYLE;
        node->kind = !node->quoted && is_null_text(text) ? YAML_NULL : YAML_TEXT;
        if (node->kind == YAML_NULL)
                return 0;
        node->text = str_ndup(text, len);
        return node->text ? 0 : err_nomem(err);
}

/* Room for one more item (and key). */
static int grow(struct yaml_node *node, size_t *cap, bool with_keys, struct err *err)
{
        size_t more = *cap ? *cap * 2 : 4;
        struct yaml_node **p;

        if (node->n < *cap)
                return 0;
        p = mem_resize(node->items, more, sizeof(struct yaml_node *));
        if (!p)
                return err_nomem(err);
        node->items = p;
        if (with_keys) {
                p = mem_resize(node->keys, more, sizeof(struct yaml_node *));
                if (!p)
                        return err_nomem(err);
                node->keys = p;
        }
        *cap = more;
        return 0;
}

static int read_node(struct parser *p, struct yaml_node **ret, struct err *err);

static int read_list(struct parser *p, struct yaml_node *node, struct err *err)
{
        size_t cap = 0;
        int r;

        node->kind = YAML_LIST;
        if (p->event.data.sequence_start.tag || p->event.data.sequence_start.anchor)
                return yaml_err(node, err, "tags and anchors are not allowed");
        for (;;) {
                r = next_event(p, err);
                if (r < 0 || p->event.type == YAML_SEQUENCE_END_EVENT)
                        return r;
                r = grow(node, &cap, false, err);
                if (r == 0)
                        r = read_node(p, &node->items[node->n], err);
                if (r < 0)
                        return r;
                node->n++;
        }
}

static int check_key(const struct yaml_node *key, struct err *err)
{
        if (key->kind != YAML_TEXT)
                return yaml_err(key, err, "a key must be text");
        if (!key->quoted && str_equal(key->text, "<<"))
                return yaml_err(key, err, "merge keys are not allowed");
        return 0;
}

/* Of two equal keys, the second is at fault. */
static int check_duplicates(const struct yaml_node *map, struct err *err)
{
        AUTO(map_done)
        struct map seen;

        map_init(&seen, NULL);
        for (size_t i = 0; i < map->n; i++) {
                const struct yaml_node *first = map_get(&seen, map->keys[i]->text);

                if (first)
                        return yaml_err(map->keys[i], err, "key %s was already given in line %u",
                                        SHOW(first->text), first->line);
                if (map_put(&seen, map->keys[i]->text, map->keys[i]) < 0)
                        return err_nomem(err);
        }
        return 0;
}

static int read_pair(struct parser *p, struct yaml_node *map, struct err *err)
{
        AUTO(node_free_p)
        struct yaml_node *key = NULL;
        struct yaml_node *value = NULL;
        int r;

        r = read_node(p, &key, err);
        if (r < 0)
                return r;
        r = check_key(key, err);
        if (r == 0)
                r = next_event(p, err);
        if (r == 0)
                r = read_node(p, &value, err);
        if (r < 0)
                return r;
        map->keys[map->n] = TAKE(key);
        map->items[map->n++] = value;
        return 0;
}

static int read_map(struct parser *p, struct yaml_node *node, struct err *err)
{
        size_t cap = 0;
        int r;

        node->kind = YAML_MAP;
        if (p->event.data.mapping_start.tag || p->event.data.mapping_start.anchor)
                return yaml_err(node, err, "tags and anchors are not allowed");
        for (;;) {
                r = next_event(p, err);
                if (r < 0)
                        return r;
                if (p->event.type == YAML_MAPPING_END_EVENT)
                        return check_duplicates(node, err);
                r = grow(node, &cap, true, err);
                if (r == 0)
                        r = read_pair(p, node, err);
                if (r < 0)
                        return r;
        }
}

/* The node that starts with p->event, up to and with its end. */
static int read_node(struct parser *p, struct yaml_node **ret, struct err *err)
{
        AUTO(node_free_p)
        struct yaml_node *node = NULL;
        int r;

        if (++p->depth > YAML_DEPTH_LIMIT)
                return fail_at(p, p->event.start_mark, ERR_LIMIT, "nested too deeply", err);
        r = new_node(p, &node, err);
        if (r < 0)
                return r;
        switch (p->event.type) {
        case YAML_SCALAR_EVENT:
                r = read_scalar(p, node, err);
                break;
        case YAML_SEQUENCE_START_EVENT:
                r = read_list(p, node, err);
                break;
        case YAML_MAPPING_START_EVENT:
                r = read_map(p, node, err);
                break;
        default:
                r = yaml_err(node, err, "aliases are not allowed");
        }
        if (r < 0)
                return r;
        p->depth--;
        *ret = TAKE(node);
        return 0;
}

/* The document that starts with p->event, and the event after it. */
static int read_document(struct parser *p, struct yaml_node **ret, struct err *err)
{
        AUTO(node_free_p)
        struct yaml_node *root = NULL;
        int r;

        if (p->event.data.document_start.version_directive ||
            p->event.data.document_start.tag_directives.start !=
                    p->event.data.document_start.tag_directives.end)
                return fail_at(p, p->event.start_mark, ERR_CONFIG, "directives are not allowed", err);
        r = next_event(p, err);
        if (r == 0)
                r = read_node(p, &root, err);
        if (r == 0)
                r = next_event(p, err); /* the document's end */
        if (r == 0)
                r = next_event(p, err);
        if (r < 0)
                return r;
        *ret = TAKE(root);
        return 0;
}

static int read_documents(struct parser *p, struct yaml_doc *doc, struct err *err)
{
        int r = next_event(p, err); /* the stream's start */

        if (r == 0)
                r = next_event(p, err);
        if (r < 0)
                return r;
        if (p->event.type == YAML_STREAM_END_EVENT) {
                r = new_node(p, &doc->roots[0], err); /* an empty file: null */
                doc->n = r == 0;
                return r;
        }
        while (p->event.type != YAML_STREAM_END_EVENT) {
                if (doc->n == doc->max && doc->max == 1)
                        return fail_at(p, p->event.start_mark, ERR_CONFIG, "a second document is not allowed",
                                       err);
                if (doc->n == doc->max)
                        return err_set(err, ERR_LIMIT, 0, "%s:%zu:%zu: more than %zu documents", p->file,
                                       p->event.start_mark.line + 1, p->event.start_mark.column + 1,
                                       doc->max);
                r = read_document(p, &doc->roots[doc->n], err);
                if (r < 0)
                        return r;
                doc->n++;
        }
        return 0;
}

void yaml_doc_free(struct yaml_doc *doc)
{
        if (!doc)
                return;
        for (size_t i = 0; i < doc->n; i++)
                node_free(doc->roots[i]);
        free(doc->roots);
        free(doc->name);
        free(doc);
}

static int doc_new(const char *name, size_t max, struct yaml_doc **ret, struct err *err)
{
        AUTO(yaml_doc_free_p)
        struct yaml_doc *doc = mem_zalloc(1, sizeof(*doc));

        if (!doc || !(doc->name = str_dup(name)) ||
            !(doc->roots = mem_zalloc(max, sizeof(struct yaml_node *))))
                return err_nomem(err);
        doc->max = max;
        *ret = TAKE(doc);
        return 0;
}

int yaml_parse_many(struct view text, const char *name, size_t max_bytes, size_t max_documents,
                    struct yaml_doc **ret, struct err *err)
{
        AUTO(yaml_doc_free_p)
        struct yaml_doc *doc = NULL;
        struct parser p = {0};
        int r;

        if (text.len > max_bytes)
                return err_set(err, ERR_LIMIT, 0, "%s: %zu bytes, at most %zu are allowed", name, text.len,
                               max_bytes);
        r = doc_new(name, max_documents, &doc, err);
        if (r < 0)
                return r;
        if (!yaml_parser_initialize(&p.yaml))
                return err_nomem(err);
        p.file = doc->name;
        yaml_parser_set_encoding(&p.yaml, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&p.yaml, text.p ? text.p : (const uint8_t *)"", text.len);
        r = read_documents(&p, doc, err);
        yaml_event_delete(&p.event);
        yaml_parser_delete(&p.yaml);
        if (r < 0)
                return r;
        *ret = TAKE(doc);
        return 0;
}

int yaml_parse(struct view text, const char *name, size_t max_bytes, struct yaml_doc **ret, struct err *err)
{
        return yaml_parse_many(text, name, max_bytes, 1, ret, err);
}

int yaml_text(const char *text, const char *name, struct yaml_doc **ret, struct err *err)
{
        AUTO(yaml_doc_free_p)
        struct yaml_doc *doc = NULL;
        struct yaml_node *root;
        int r = doc_new(name, 1, &doc, err);

        if (r < 0)
                return r;
        root = mem_zalloc(1, sizeof(*root));
        if (!root)
                return err_nomem(err);
        doc->roots[doc->n++] = root;
        root->text = str_dup(text);
        if (!root->text)
                return err_nomem(err);
        root->kind = YAML_TEXT;
        root->file = doc->name;
        *ret = TAKE(doc);
        return 0;
}

int yaml_load(const char *path, size_t max_bytes, struct yaml_doc **ret, struct err *err)
{
        AUTO(buf_free)
        struct buf b = {0};
        int r = file_read(path, max_bytes, &b, err);

        return r < 0 ? r : yaml_parse(VIEW_BUF(&b), path, max_bytes, ret, err);
}

const struct yaml_node *yaml_root(const struct yaml_doc *doc)
{
        return yaml_root_of(doc, 0);
}

size_t yaml_n_documents(const struct yaml_doc *doc)
{
        return doc->n;
}

const struct yaml_node *yaml_root_of(const struct yaml_doc *doc, size_t i)
{
        return doc->roots[i];
}
