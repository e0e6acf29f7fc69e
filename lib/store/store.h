/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_STORE_STORE_H
#define AVOW_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

/*
 * The store: a database behind an asynchronous interface that no engine shows through.
 *
 * A caller submits a job: a function that runs inside a transaction on a thread of the store, and another
 * that is told the outcome on the caller's loop. The job is the caller's memory and belongs to the store from
 * store_submit() until `done` is called, so that submitting cannot fail. Jobs of one class are run in the
 * order of their submission; those that change something share commits (group commit), each behind a
 * savepoint of its own, so that one that fails takes no other with it.
 *
 * SQL is the subset that SQLite and PostgreSQL share, parameters are $1, $2, … in this order.
 */

struct store;
struct store_conn;
struct store_row;

/* Calls FN(ARG) soon on the loop's thread; may be called from any thread. Return: 0, or < 0 when out of
 * memory (the store tries again). */
typedef int (*store_post_fn)(void *ctx, void (*fn)(void *arg), void *arg);

/* A program's database: its migrations, the first one first; the schema's version is their number. */
struct store_schema {
        const char *name;        /* "registrar", "verifier": told apart in the file, said in messages */
        uint32_t application_id; /* SQLite's mark in the file's header; a file with another is refused */
        const char *const *migrations;
        size_t n_migrations;
};

/*
 * Opens (and makes, mode 0600, if it is missing) the database that URL names: "sqlite:PATH". Brings its
 * schema up to date and starts the threads. Blocks: for start-up only. Return: 0; -ERR_CONFIG for a URL of no
 * known engine, a file that is not a database, that is another program's, that another process holds or whose
 * schema is newer than SCHEMA (the text names both versions); -ERR_IO.
 */
int store_open(const char *url, const struct store_schema *schema, store_post_fn post, void *post_ctx,
               struct store **ret_store, struct err *err) MUST_USE;

/* Finishes every submitted job, calls their `done` from here, stops the threads, closes. NULL is fine. */
void store_close(struct store *s);
DEFINE_AUTO(struct store, store_close)

/* Return: 0 if the last transaction that changed something was committed (or none ran); else -kind with what
 * went wrong. For readiness. */
int store_health(struct store *s, struct err *err) MUST_USE;

enum store_class {
        STORE_DURABLE,  /* on the disk before `done`; committed at once, with what else is waiting */
        STORE_DEFERRED, /* the same, but may wait up to 100 ms for others to share its commit */
        STORE_READ,     /* sees one consistent state, changes nothing */
};

struct store_job {
        enum store_class class;
        /* Runs on a thread of the store, inside a transaction. May be called more than once (the first
         * attempt was rolled back): it starts afresh each time. Return: 0, or -kind, which rolls its changes
         * back. */
        int (*work)(struct store_job *job, struct store_conn *conn, struct err *err);
        /* Called on the loop's thread, once. ERR is NULL when the transaction was committed. */
        void (*done)(struct store_job *job, const struct err *err);
        struct store_job *next; /* the store's own */
        struct err err;         /* the store's own */
};

void store_submit(struct store *s, struct store_job *job);

/* Runs WORK(conn, arg) in a transaction and waits for it: for start-up, and tests; never on a running loop.
 * Return: 0, or -kind. */
int store_call(struct store *s, enum store_class class,
               int (*work)(struct store_conn *conn, void *arg, struct err *err), void *arg,
               struct err *err) MUST_USE;

/* ---- inside a job ---- */

struct store_value {
        enum store_type { STORE_NULL, STORE_INT, STORE_TEXT, STORE_BLOB } type;
        int64_t i;
        struct view v; /* TEXT and BLOB: borrowed for the call */
};

#define STORE_I(x)     ((struct store_value){.type = STORE_INT, .i = (x)})
#define STORE_B(view_) ((struct store_value){.type = STORE_BLOB, .v = (view_)})
#define STORE_N        ((struct store_value){.type = STORE_NULL})
/* A string; NULL becomes NULL. */
struct store_value STORE_T(const char *s);

#define STORE_ARGS(...)                                                                                      \
        ((const struct store_value[]){__VA_ARGS__}),                                                         \
                sizeof((const struct store_value[]){__VA_ARGS__}) / sizeof(struct store_value)
#define STORE_NO_ARGS NULL, 0

/*
 * Executes SQL, which must be a string constant (prepared statements are kept by its address). Return: the
 * number of rows changed; -ERR_IO (a full disk says so); -ERR_BUG for SQL that breaks a rule of the schema.
 */
int store_exec(struct store_conn *c, const char *sql, const struct store_value *args, size_t n_args,
               struct err *err) MUST_USE;

/* Called for each row. Return: 0 to go on, 1 to stop (the query then returns normally), -kind to fail. */
typedef int (*store_row_fn)(const struct store_row *row, void *arg, struct err *err);

/* Executes a query. Return: the number of rows given to FN; -kind. */
int store_query(struct store_conn *c, const char *sql, const struct store_value *args, size_t n_args,
                store_row_fn fn, void *arg, struct err *err) MUST_USE;

/* Columns of a row, from 0. A NULL reads as 0, NULL or an empty view. Text and bytes are borrowed until FN
 * returns. Text is always NUL-terminated. */
bool store_row_null(const struct store_row *row, int column);
int64_t store_row_int(const struct store_row *row, int column);
const char *store_row_text(const struct store_row *row, int column);
struct view store_row_blob(const struct store_row *row, int column);
/* Copies. Return: 0; -ERR_NOMEM. NULL gives NULL / an empty view. */
int store_row_text_dup(const struct store_row *row, int column, char **ret, struct err *err) MUST_USE;
int store_row_blob_dup(const struct store_row *row, int column, struct buf *ret, struct err *err) MUST_USE;

/* How a typed request ended (registrar_db.h, verifier_db.h). */
enum store_outcome {
        STORE_OK,
        STORE_NOT_FOUND,
        STORE_CONFLICT,
        STORE_FAILED, /* nothing was changed; the error says why */
};

#endif
