/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where configuration comes from: the file, then the folder FILE.d beside it in bytewise order, then the
 * environment. Each layer replaces whole values; a list is one value. What a value means is conf_value.c's
 * part.
 */
#include "base/conf.h"

#include <ctype.h>
#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf_private.h"
#include "base/file.h"
#include "base/mem.h"

#define CONF_BYTES_LIMIT (4U << 20)
#define CONF_FILES_LIMIT 1000

struct conf *conf_new(const struct conf_key *keys, size_t n_keys)
{
        AUTO(conf_free_p)
        struct conf *c = mem_zalloc(1, sizeof(*c));

        if (!c)
                return NULL;
        c->keys = keys;
        c->values = mem_zalloc(n_keys, sizeof(*c->values));
        if (!c->values)
                return NULL;
        c->n_keys = n_keys;
        return TAKE(c);
}

void conf_free(struct conf *c)
{
        if (!c)
                return;
        for (size_t i = 0; i < c->n_keys; i++)
                conf_value_done(&c->values[i]);
        free(c->values);
        for (size_t i = 0; i < c->n_docs; i++)
                yaml_doc_free(c->docs[i]);
        free(c->docs);
        free(c);
}

/* The root keeps the document for as long as its nodes are named in messages. On failure DOC is freed. */
static int keep_doc(struct conf *c, struct yaml_doc *doc, struct err *err)
{
        struct yaml_doc **docs = mem_resize(c->docs, c->n_docs + 1, sizeof(struct yaml_doc *));

        if (!docs) {
                yaml_doc_free(doc);
                return err_nomem(err);
        }
        c->docs = docs;
        c->docs[c->n_docs++] = doc;
        return 0;
}

static int read_text(struct conf *c, struct view text, const char *name, const char *dir, struct err *err)
{
        struct yaml_doc *doc;
        int r;

        r = yaml_parse(text, name, CONF_BYTES_LIMIT, &doc, err);
        if (r == 0)
                r = keep_doc(c, doc, err);
        if (r < 0)
                return r;
        if (yaml_root(doc)->kind == YAML_NULL)
                return 0;
        return conf_read_map(c, yaml_root(doc), NULL, dir, err);
}

static int read_file(struct conf *c, const char *path, struct err *err)
{
        AUTO(buf_free)
        struct buf b = {0};
        AUTO(mem_free_p)
        char *copy = str_dup(path);
        int r;

        if (!copy)
                return err_nomem(err);
        r = file_read(path, CONF_BYTES_LIMIT, &b, err);
        return r < 0 ? r : read_text(c, VIEW_BUF(&b), path, dirname(copy), err);
}

static int read_folder(struct conf *c, const char *file, struct err *err)
{
        AUTO(strv_done)
        struct strv names = {0};
        AUTO(mem_free_p)
        char *dir = str_fmt("%s.d", file);
        int r;

        if (!dir)
                return err_nomem(err);
        if (!file_exists(dir))
                return 0;
        r = file_list(dir, ".yaml", &names, err);
        if (r == 0 && names.n > CONF_FILES_LIMIT)
                r = err_set(err, ERR_LIMIT, 0, "'%s' holds more than %d files", dir, CONF_FILES_LIMIT);
        for (size_t i = 0; r == 0 && i < names.n; i++) {
                AUTO(mem_free_p)
                char *path = str_fmt("%s/%s", dir, names.items[i]);

                r = path ? read_file(c, path, err) : err_nomem(err);
        }
        return r;
}

/* "AVOW_AGENT_" + "tpm.tcti" → AVOW_AGENT_TPM_TCTI */
static char *variable_name(const char *program, const char *path)
{
        char *name = str_fmt("AVOW_%s_%s", program, path);

        for (char *at = name; at && *at; at++)
                *at = *at == '.' || *at == '-' ? '_' : (char)toupper((unsigned char)*at);
        return name;
}

/* All the variables of a schema, in the order of its keys, for look-up and "did you mean". */
static int variable_names(const struct conf_schema *schema, struct strv *ret, struct err *err)
{
        for (size_t i = 0; i < schema->n_keys; i++) {
                if (strv_take(ret, variable_name(schema->program, schema->keys[i].path)) < 0)
                        return err_nomem(err);
        }
        return 0;
}

static int keep_variable(struct conf *c, const char *name, const char *value, const struct yaml_node **ret,
                         struct err *err)
{
        struct yaml_doc *doc;
        int r = yaml_text(value, name, &doc, err);

        if (r == 0)
                r = keep_doc(c, doc, err);
        if (r == 0)
                *ret = yaml_root(doc);
        return r;
}

static int read_variable(struct conf *c, const struct strv *names, const char *name, const char *value,
                         struct err *err)
{
        const struct yaml_node *node = NULL;
        const char *nearest;
        int r;

        for (size_t i = 0; i < names->n; i++) {
                if (!str_equal(names->items[i], name))
                        continue;
                if (c->keys[i].type == CONF_MAPS || c->keys[i].type == CONF_TREE)
                        return err_set(err, ERR_CONFIG, 0, "%s: '%s' can be set in the file only", name,
                                       c->keys[i].path);
                r = keep_variable(c, name, value, &node, err);
                return r < 0 ? r : conf_value_read(&c->keys[i], node, NULL, &c->values[i], err);
        }
        nearest = str_nearest(name, (const char *const *)names->items, names->n);
        return err_set(err, ERR_CONFIG, 0,
                       nearest ? "unknown variable %s; did you mean %s?" : "unknown variable %s", SHOW(name),
                       nearest);
}

static int read_environment(struct conf *c, const struct conf_schema *schema, char *const *env,
                            struct err *err)
{
        AUTO(strv_done)
        struct strv names = {0};
        AUTO(mem_free_p)
        char *prefix = variable_name(schema->program, "");
        int r;

        if (!prefix)
                return err_nomem(err);
        r = variable_names(schema, &names, err);
        for (; r == 0 && *env; env++) {
                const char *equals = strchr(*env, '=');
                AUTO(mem_free_p)
                char *name = NULL;

                if (!equals || !str_starts(*env, prefix))
                        continue;
                name = str_ndup(*env, (size_t)(equals - *env));
                r = name ? read_variable(c, &names, name, equals + 1, err) : err_nomem(err);
        }
        return r;
}

int conf_load(const struct conf_schema *schema, const char *file, bool file_optional, char *const *env,
              struct conf **ret, struct err *err)
{
        AUTO(conf_free_p)
        struct conf *c = conf_new(schema->keys, schema->n_keys);
        int r;

        if (!c)
                return err_nomem(err);
        r = read_file(c, file, err);
        if (r == -ERR_IO && err->code == ENOENT && file_optional)
                r = 0;
        if (r == 0)
                r = read_folder(c, file, err);
        if (r == 0 && env)
                r = read_environment(c, schema, env, err);
        if (r == 0)
                r = conf_complete(c, err);
        if (r < 0)
                return r;
        *ret = TAKE(c);
        return 0;
}

int conf_parse(const struct conf_schema *schema, struct view text, const char *name, struct conf **ret,
               struct err *err)
{
        AUTO(conf_free_p)
        struct conf *c = conf_new(schema->keys, schema->n_keys);
        int r;

        if (!c)
                return err_nomem(err);
        r = read_text(c, text, name, NULL, err);
        if (r == 0)
                r = conf_complete(c, err);
        if (r < 0)
                return r;
        *ret = TAKE(c);
        return 0;
}
