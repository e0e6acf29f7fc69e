/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_YAML_H
#define AVOW_BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

/*
 * YAML as a tree of nodes that know their line. A small YAML on purpose: one document; maps with plain keys,
 * lists, scalars. Anchors, aliases, tags, merge keys, duplicate keys and directives are refused. Scalars stay
 * text; what they mean is decided by the getter that is called, so `version: 1.10` never turns into 1.1.
 *
 * Errors are ERR_CONFIG and start with FILE:LINE:COLUMN.
 */
enum yaml_kind { YAML_NULL, YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
        enum yaml_kind kind;
        const char *file;      /* borrowed from the document */
        unsigned line, column; /* from 1; 0 if it stands in no file */
        char *text;            /* YAML_TEXT: UTF-8, no NUL inside; else NULL */
        bool quoted;           /* the text stood in quotes or in a block: "true" is then no boolean */
        bool literal;          /* it is a literal block ("|"): its lines follow the node's own, one by one */
        struct yaml_node **items; /* YAML_LIST: items; YAML_MAP: values */
        struct yaml_node **keys;  /* YAML_MAP: keys, each YAML_TEXT */
        size_t n;
};

struct yaml_doc;

#define YAML_DEPTH_LIMIT 32

/*
 * Reads one document. NAME is the file's name for messages (copied). An empty document gives a YAML_NULL
 * root. Return: 0; -ERR_CONFIG; -ERR_LIMIT (larger than MAX_BYTES, deeper than 32, more than a million
 * nodes); -ERR_NOMEM.
 */
int yaml_parse(struct view text, const char *name, size_t max_bytes, struct yaml_doc **ret,
               struct err *err) MUST_USE;
/* The same for up to MAX_DOCUMENTS, one after another, parted by lines "---". Lines are those of the whole
 * text. */
int yaml_parse_many(struct view text, const char *name, size_t max_bytes, size_t max_documents,
                    struct yaml_doc **ret, struct err *err) MUST_USE;
/* Reads a file with the same limits; also -ERR_IO. */
int yaml_load(const char *path, size_t max_bytes, struct yaml_doc **ret, struct err *err) MUST_USE;
/* A document that is one plain text, said at NAME instead of in a line of a file (a variable, a default). */
int yaml_text(const char *text, const char *name, struct yaml_doc **ret, struct err *err) MUST_USE;
const struct yaml_node *yaml_root(const struct yaml_doc *doc); /* of the first document */
size_t yaml_n_documents(const struct yaml_doc *doc);
const struct yaml_node *yaml_root_of(const struct yaml_doc *doc, size_t i);
void yaml_doc_free(struct yaml_doc *doc);
DEFINE_AUTO(struct yaml_doc, yaml_doc_free)

/* Sets ERR_CONFIG "FILE:LINE:COLUMN: …" for a node. Return: -ERR_CONFIG. */
int yaml_err(const struct yaml_node *node, struct err *err, const char *fmt, ...) PRINTF(3, 4);

/* The value of KEY, or NULL (also when MAP is no map). */
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);
/* The node of KEY itself, for messages; NULL if missing. */
const struct yaml_node *yaml_key(const struct yaml_node *map, const char *key);
/* As yaml_get(), but a missing key is an error at MAP's line. */
int yaml_need(const struct yaml_node *map, const char *key, const struct yaml_node **ret,
              struct err *err) MUST_USE;

/* NODE must be a map without keys outside NAMES: "unknown key 'digets'; did you mean 'digests'?" */
int yaml_only(const struct yaml_node *map, const char *const *names, size_t n_names,
              struct err *err) MUST_USE;
int yaml_want_map(const struct yaml_node *node, struct err *err) MUST_USE;
int yaml_want_list(const struct yaml_node *node, size_t max_items, struct err *err) MUST_USE;

/* What a scalar says. Return: 0; -ERR_CONFIG with the place, what was found and what was expected. */
int yaml_str(const struct yaml_node *node, const char **ret, struct err *err) MUST_USE;
int yaml_int(const struct yaml_node *node, int64_t min, int64_t max, int64_t *ret, struct err *err) MUST_USE;
int yaml_bool(const struct yaml_node *node, bool *ret, struct err *err) MUST_USE; /* true | false only */
int yaml_duration(const struct yaml_node *node, int64_t *ret_ms, struct err *err) MUST_USE;
int yaml_size(const struct yaml_node *node, uint64_t *ret, struct err *err) MUST_USE;
int yaml_time(const struct yaml_node *node, int64_t *ret_ms, struct err *err) MUST_USE; /* RFC 3339 */
/* One of NAMES. RET is its index. */
int yaml_choice(const struct yaml_node *node, const char *const *names, size_t n_names, size_t *ret,
                struct err *err) MUST_USE;

#endif
