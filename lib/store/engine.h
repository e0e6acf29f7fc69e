/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_STORE_ENGINE_H
#define AVOW_STORE_ENGINE_H

#include "store/store.h"

/*
 * What store.c wants of a database engine; nobody else includes this. A connection is used by one thread at a
 * time. All functions block.
 */
struct store_engine {
        const char *scheme; /* of the URL, with its colon */
        /* SCHEMA is brought up to date if !READER. */
        int (*open)(const char *where, const struct store_schema *schema, bool reader,
                    struct store_conn **ret, struct err *err);
        void (*close)(struct store_conn *c);
        int (*begin)(struct store_conn *c, bool reader, struct err *err);
        int (*commit)(struct store_conn *c, struct err *err);
        void (*rollback)(struct store_conn *c);
        bool (*in_transaction)(struct store_conn *c);
        int (*savepoint)(struct store_conn *c, struct err *err);
        int (*release)(struct store_conn *c, struct err *err);
        int (*rollback_to)(struct store_conn *c, struct err *err);
        /* FN NULL: a statement without rows; returns the rows changed. */
        int (*run)(struct store_conn *c, const char *sql, const struct store_value *args, size_t n_args,
                   store_row_fn fn, void *arg, struct err *err);
        bool (*row_null)(const struct store_row *row, int column);
        int64_t (*row_int)(const struct store_row *row, int column);
        const char *(*row_text)(const struct store_row *row, int column);
        struct view (*row_blob)(const struct store_row *row, int column);
};

/* First members of an engine's own structures. */
struct store_conn {
        const struct store_engine *engine;
};
struct store_row {
        const struct store_engine *engine;
};

extern const struct store_engine store_engine_sqlite;

#endif
