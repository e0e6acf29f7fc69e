/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_CONF_H
#define AVOW_BASE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "base/yaml.h"

/*
 * Configuration: a program lists its keys in a table; this reads FILE, then FILE.d/ *.yaml in bytewise order
 * (a later file wins, lists are replaced), then the environment. An unknown key is an error with its place
 * and the nearest known name. (Called conf, not config: config.h belongs to configure.)
 *
 *   static const struct conf_key keys[] = {
 *           {.path = "tpm.tcti", .type = CONF_STR, .def = "device:/dev/tpmrm0", .flags = CONF_RESTART},
 *           {.path = "interval", .type = CONF_DURATION, .def = "30s", .min = 1000, .max = 86400000},
 *           {.path = "runtimes", .type = CONF_MAPS, .item = runtime_keys, .n_item = ARRAY_LEN(runtime_keys)},
 *   };
 *   static const struct conf_schema schema = {"agent", keys, ARRAY_LEN(keys)};
 *
 * Environment: AVOW_<PROGRAM>_<PATH>, capitals, '.' as '_' (AVOW_AGENT_TPM_TCTI); a list's items parted by
 * commas; CONF_MAPS and CONF_TREE cannot be set there. Any other variable that starts with AVOW_<PROGRAM>_ is
 * an error too.
 */
enum conf_type {
        CONF_STR,
        CONF_PATH,     /* a relative one is taken from the folder of the file that says it */
        CONF_INT,      /* min..max */
        CONF_BOOL,     /* true | false */
        CONF_DURATION, /* "30s" → ms, min..max in ms */
        CONF_SIZE,     /* "4MiB" → bytes, min..max in bytes */
        CONF_LIST,     /* of strings */
        CONF_PATHS,    /* of paths */
        CONF_MAPS,     /* list of maps, each by the table `item` */
        CONF_TREE,     /* anything: the program reads the node itself */
};

enum conf_flags {
        CONF_REQUIRED = 1, /* missing is an error */
        CONF_RESTART = 2,  /* a reload that would change it is refused */
};

struct conf_key {
        const char *path; /* "tls.cert"; inside a CONF_MAPS table relative to the item */
        enum conf_type type;
        const char *def; /* as it would stand in the file; lists parted by commas; NULL: unset */
        unsigned flags;
        int64_t min, max;           /* both 0: not negative */
        const char *const *choices; /* CONF_STR: NULL-terminated, or NULL */
        const struct conf_key *item;
        size_t n_item;
        const char *help; /* one line, for man pages and --help */
};

struct conf_schema {
        const char *program; /* "agent": the environment's prefix is AVOW_AGENT_ */
        const struct conf_key *keys;
        size_t n_keys;
};

/* The values of one table: the file's, or one item of a CONF_MAPS. */
struct conf;

/*
 * Reads. FILE missing is -ERR_IO unless FILE_OPTIONAL; FILE.d missing is fine. ENV is `environ`, or NULL.
 * Return: 0; -ERR_CONFIG (file:line:column, key, what was expected), -ERR_IO, -ERR_LIMIT, -ERR_NOMEM.
 */
int conf_load(const struct conf_schema *schema, const char *file, bool file_optional, char *const *env,
              struct conf **ret, struct err *err) MUST_USE;
/* The same from bytes, without FILE.d and environment: for tests and for what is not a file. */
int conf_parse(const struct conf_schema *schema, struct view text, const char *name, struct conf **ret,
               struct err *err) MUST_USE;
void conf_free(struct conf *c);
DEFINE_AUTO(struct conf, conf_free)

/*
 * Values, by path; a path that is not in the table, or of another type, is our mistake (assert). Strings and
 * lists are borrowed. Unset: NULL, 0, false, an empty list.
 */
bool conf_is_set(const struct conf *c, const char *path); /* by file or environment, not by default */
const char *conf_str(const struct conf *c, const char *path);
int64_t conf_int(const struct conf *c,
                 const char *path); /* CONF_INT, CONF_DURATION (ms), CONF_SIZE (bytes) */
bool conf_bool(const struct conf *c, const char *path);
const struct strv *conf_list(const struct conf *c, const char *path);
size_t conf_n_items(const struct conf *c, const char *path);
const struct conf *conf_item(const struct conf *c, const char *path, size_t i);
const struct yaml_node *conf_tree(const struct conf *c, const char *path);

/* Sets ERR_CONFIG "PLACE: KEY: …" where PLACE is file:line:column, the variable's name, or "default". */
int conf_err(const struct conf *c, const char *path, struct err *err, const char *fmt, ...) PRINTF(4, 5);

/* May a running program take NEW instead of OLD? Return: 0; -ERR_CONFIG naming the first key that changed and
 * needs a restart. */
int conf_check_reload(const struct conf *old, const struct conf *new, struct err *err) MUST_USE;

#endif
