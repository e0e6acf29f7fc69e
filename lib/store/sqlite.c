/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQLite engine: one file, write-ahead log, synchronous=FULL, so that a committed transaction survives
 * kill -9 and a power cut. One writer and one reader connection of one process share it; a lock file keeps a
 * second process out, which would otherwise work on a state that the first one holds in memory.
 *
 * The file says whose it is (application_id) and how old its schema is (user_version = number of migrations
 * done). Each migration is one transaction with its number, so an interrupted upgrade goes on where it
 * stopped.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/engine.h"

#define N_STATEMENTS    256 /* prepared statements kept per connection: more than all programs have */
#define BUSY_TIMEOUT_MS 5000

struct statement {
        const char *sql; /* the caller's constant: its address is the key */
        sqlite3_stmt *stmt;
};

struct sqlite_conn {
        struct store_conn base;
        sqlite3 *db;
        char *path;
        int lock_fd; /* -1 for the reader */
        struct statement statements[N_STATEMENTS];
};

struct sqlite_row {
        struct store_row base;
        sqlite3_stmt *stmt;
};

static struct sqlite_conn *conn_of(struct store_conn *c)
{
        return (struct sqlite_conn *)c;
}

/* Turns SQLite's code into an error that says what to do. Return: -kind. */
static int fail(const struct sqlite_conn *c, int rc, struct err *err, const char *doing)
{
        switch (rc & 0xff) {
        case SQLITE_NOMEM:
                return err_nomem(err);
        case SQLITE_FULL:
                return err_set(err, ERR_IO, ENOSPC,
                               "database '%s': %s: the disk is full; nothing was written, free some space",
                               c->path, doing);
        case SQLITE_NOTADB:
                return err_set(err, ERR_CONFIG, 0,
                               "'%s' is not a database (SQLite: %s); move it away or restore a backup",
                               c->path, sqlite3_errmsg(c->db));
        case SQLITE_CORRUPT:
                return err_set(err, ERR_IO, EIO, "database '%s' is damaged: %s: %s; restore a backup",
                               c->path, doing, sqlite3_errmsg(c->db));
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return err_set(err, ERR_IO, EBUSY, "database '%s': %s: another program holds it", c->path,
                               doing);
        case SQLITE_CONSTRAINT:
        case SQLITE_ERROR:
        case SQLITE_MISUSE:
        case SQLITE_RANGE:
                return err_set(err, ERR_BUG, rc, "database '%s': %s: %s", c->path, doing,
                               sqlite3_errmsg(c->db));
        default:
                return err_set(err, ERR_IO, sqlite3_system_errno(c->db), "database '%s': %s: %s", c->path,
                               doing, sqlite3_errmsg(c->db));
        }
}

static int exec(struct sqlite_conn *c, const char *sql, struct err *err)
{
        int rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);

        return rc == SQLITE_OK ? 0 : fail(c, rc, err, sql);
}

/* ---- statements ---- */

static int prepare(struct sqlite_conn *c, const char *sql, sqlite3_stmt **ret, struct err *err)
{
        size_t at = ((uintptr_t)sql >> 3) % N_STATEMENTS;
        int rc;

        for (size_t i = 0; i < N_STATEMENTS; i++, at = (at + 1) % N_STATEMENTS) {
                struct statement *s = &c->statements[at];

                if (s->sql == sql) {
                        *ret = s->stmt;
                        return 0;
                }
                if (s->sql)
                        continue;
                rc = sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->stmt, NULL);
                if (rc != SQLITE_OK)
                        return fail(c, rc, err, sql);
                s->sql = sql;
                *ret = s->stmt;
                return 0;
        }
        return err_set(err, ERR_BUG, 0, "more than %d prepared statements", N_STATEMENTS);
}

static int bind_one(sqlite3_stmt *stmt, int at, const struct store_value *v)
{
        switch (v->type) {
        case STORE_INT:
                return sqlite3_bind_int64(stmt, at, v->i);
        case STORE_TEXT:
                return sqlite3_bind_text64(stmt, at, (const char *)v->v.p, v->v.len, SQLITE_STATIC,
                                           SQLITE_UTF8);
        case STORE_BLOB: /* an empty view is an empty blob, not NULL */
                return sqlite3_bind_blob64(stmt, at, v->v.p ? (const void *)v->v.p : "", v->v.len,
                                           SQLITE_STATIC);
        case STORE_NULL:
        default:
                return sqlite3_bind_null(stmt, at);
        }
}

/* $1 is the first value, wherever it stands. Return: the place of parameter AT's value in ARGS; N_ARGS if it
 * has none. */
static size_t arg_of(sqlite3_stmt *stmt, int at, size_t n_args)
{
        const char *name = sqlite3_bind_parameter_name(stmt, at);
        size_t n = 0;

        if (!name || *name++ != '$')
                return n_args;
        for (; *name >= '0' && *name <= '9' && n <= n_args; name++)
                n = 10 * n + (size_t)(*name - '0');
        return *name == '\0' && n > 0 && n <= n_args ? n - 1 : n_args;
}

/* Every parameter must have a value. */
static int bind_all(struct sqlite_conn *c, sqlite3_stmt *stmt, const struct store_value *args, size_t n_args,
                    struct err *err)
{
        int n = sqlite3_bind_parameter_count(stmt), rc = SQLITE_OK;

        if ((size_t)n != n_args)
                return err_set(err, ERR_BUG, 0, "%d parameters, %zu values: %s", n, n_args,
                               sqlite3_sql(stmt));
        for (int at = 1; at <= n && rc == SQLITE_OK; at++) {
                size_t i = arg_of(stmt, at, n_args);

                rc = i < n_args ? bind_one(stmt, at, &args[i]) : SQLITE_RANGE;
        }
        return rc == SQLITE_OK ? 0 : fail(c, rc, err, sqlite3_sql(stmt));
}

static int step_all(struct sqlite_conn *c, sqlite3_stmt *stmt, store_row_fn fn, void *arg, struct err *err)
{
        struct sqlite_row row = {.base.engine = &store_engine_sqlite, .stmt = stmt};
        int n = 0;

        for (;;) {
                int rc = sqlite3_step(stmt), r;

                if (rc == SQLITE_DONE)
                        return fn ? n : sqlite3_changes(c->db);
                if (rc != SQLITE_ROW)
                        return fail(c, rc, err, sqlite3_sql(stmt));
                n++;
                r = fn ? fn(&row.base, arg, err) : 0;
                if (r < 0)
                        return r;
                if (r > 0)
                        return n;
        }
}

static int sqlite_run(struct store_conn *base, const char *sql, const struct store_value *args, size_t n_args,
                      store_row_fn fn, void *arg, struct err *err)
{
        struct sqlite_conn *c = conn_of(base);
        sqlite3_stmt *stmt = NULL;
        int r;

        r = prepare(c, sql, &stmt, err);
        if (r < 0)
                return r;
        if (sqlite3_stmt_busy(stmt))
                return err_set(err, ERR_BUG, 0, "a query runs inside itself: %s", sql);
        r = bind_all(c, stmt, args, n_args, err);
        if (r >= 0)
                r = step_all(c, stmt, fn, arg, err);
        (void)sqlite3_reset(stmt); /* repeats the step's error */
        (void)sqlite3_clear_bindings(stmt);
        return r;
}

/* ---- transactions ---- */

/* These run for every job, so they are prepared statements like those inside it. */
static int run_plain(struct store_conn *base, const char *sql, struct err *err)
{
        int r = sqlite_run(base, sql, NULL, 0, NULL, NULL, err);

        return r < 0 ? r : 0;
}

static int sqlite_begin(struct store_conn *base, bool reader, struct err *err)
{
        return run_plain(base, reader ? "BEGIN" : "BEGIN IMMEDIATE", err);
}

static int sqlite_commit(struct store_conn *base, struct err *err)
{
        return run_plain(base, "COMMIT", err);
}

static bool sqlite_in_transaction(struct store_conn *base)
{
        return sqlite3_get_autocommit(conn_of(base)->db) == 0;
}

static void sqlite_rollback(struct store_conn *base)
{
        struct err ignored = ERR_INIT;

        if (sqlite_in_transaction(base)) /* a full disk may have rolled it back already */
                (void)exec(conn_of(base), "ROLLBACK", &ignored);
}

static int sqlite_savepoint(struct store_conn *base, struct err *err)
{
        return run_plain(base, "SAVEPOINT job", err);
}

static int sqlite_release(struct store_conn *base, struct err *err)
{
        return run_plain(base, "RELEASE job", err);
}

static int sqlite_rollback_to(struct store_conn *base, struct err *err)
{
        return exec(conn_of(base), "ROLLBACK TO job; RELEASE job", err);
}

/* ---- opening ---- */

static void sqlite_close(struct store_conn *base)
{
        struct sqlite_conn *c = conn_of(base);

        if (!c)
                return;
        for (size_t i = 0; i < N_STATEMENTS; i++)
                (void)sqlite3_finalize(c->statements[i].stmt);
        (void)sqlite3_close(c->db);
        if (c->lock_fd >= 0)
                (void)close(c->lock_fd);
        free(c->path);
        free(c);
}

/* The database file with mode 0600 (SQLite gives its companions the same), and the lock against another
 * process. */
static int make_and_lock(struct sqlite_conn *c, struct err *err)
{
        AUTO(mem_free_p)
        char *lock = str_fmt("%s-lock", c->path);
        int fd;

        if (!lock)
                return err_nomem(err);
        c->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (c->lock_fd < 0)
                return err_errno(err, errno, "open '%s'", lock);
        if (flock(c->lock_fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
                return err_set(err, ERR_CONFIG, EWOULDBLOCK,
                               "database '%s' is in use by another process: stop it, or give this one "
                               "another store.url",
                               c->path);
        fd = open(c->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0)
                return err_errno(err, errno, "open '%s'", c->path);
        (void)close(fd);
        return 0;
}

static int pragma_int(struct sqlite_conn *c, const char *sql, int64_t *ret, struct err *err)
{
        sqlite3_stmt *stmt = NULL;
        int rc = sqlite3_prepare_v2(c->db, sql, -1, &stmt, NULL);

        if (rc == SQLITE_OK)
                rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
                *ret = sqlite3_column_int64(stmt, 0);
        (void)sqlite3_finalize(stmt);
        return rc == SQLITE_ROW ? 0 : fail(c, rc, err, sql);
}

/* One migration and its number: both or neither. */
static int migrate_one(struct sqlite_conn *c, const struct store_schema *schema, size_t i, struct err *err)
{
        AUTO(mem_free_p)
        char *mark = str_fmt("PRAGMA application_id=%u; PRAGMA user_version=%zu",
                             (unsigned int)schema->application_id, i + 1);
        int r;

        if (!mark)
                return err_nomem(err);
        r = exec(c, "BEGIN IMMEDIATE", err);
        if (r >= 0)
                r = exec(c, schema->migrations[i], err);
        if (r >= 0)
                r = exec(c, mark, err);
        if (r >= 0)
                r = exec(c, "COMMIT", err);
        if (r < 0) {
                sqlite_rollback(&c->base);
                return err_wrap(err, "migration %zu of the %s's database", i + 1, schema->name);
        }
        return 0;
}

static int migrate(struct sqlite_conn *c, const struct store_schema *schema, struct err *err)
{
        int64_t version = 0, id = 0, n_tables = 0;
        int r;

        r = pragma_int(c, "PRAGMA user_version", &version, err);
        if (r >= 0)
                r = pragma_int(c, "PRAGMA application_id", &id, err);
        if (r >= 0)
                r = pragma_int(c, "SELECT count(*) FROM sqlite_master", &n_tables, err);
        if (r < 0)
                return r;
        if (id != (int64_t)schema->application_id && (id != 0 || version != 0 || n_tables != 0))
                return err_set(err, ERR_CONFIG, 0, "'%s' is a database, but not the %s's: check store.url",
                               c->path, schema->name);
        if (version < 0 || version > (int64_t)schema->n_migrations)
                return err_set(err, ERR_CONFIG, 0,
                               "database '%s' has schema version %lld, this program knows %zu: run the newer "
                               "program, "
                               "or restore the backup made before the upgrade",
                               c->path, (long long)version, schema->n_migrations);
        for (size_t i = (size_t)version; i < schema->n_migrations; i++) {
                r = migrate_one(c, schema, i, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static const char writer_setup[] =
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
        "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA temp_store=MEMORY;"
        "PRAGMA journal_size_limit=67108864";
static const char reader_setup[] =
        "PRAGMA query_only=ON; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;"
        "PRAGMA temp_store=MEMORY";

static int setup(struct sqlite_conn *c, const struct store_schema *schema, bool reader, struct err *err)
{
        int r = 0, rc;

        if (!reader)
                r = make_and_lock(c, err);
        if (r < 0)
                return r;
        rc = sqlite3_open_v2(c->path, &c->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
        if (rc != SQLITE_OK)
                return c->db ? fail(c, rc, err, "open") : err_nomem(err);
        (void)sqlite3_busy_timeout(c->db, BUSY_TIMEOUT_MS);
        r = exec(c, reader ? reader_setup : writer_setup, err);
        if (r < 0 || reader)
                return r;
        return migrate(c, schema, err);
}

static int sqlite_open(const char *where, const struct store_schema *schema, bool reader,
                       struct store_conn **ret, struct err *err)
{
        struct sqlite_conn *c = mem_zalloc(1, sizeof(*c));
        int r;

        if (!c)
                return err_nomem(err);
        c->base.engine = &store_engine_sqlite;
        c->lock_fd = -1;
        c->path = str_dup(where);
        r = c->path ? setup(c, schema, reader, err) : err_nomem(err);
        if (r < 0) {
                sqlite_close(&c->base);
                return r;
        }
        *ret = &c->base;
        return 0;
}

/* ---- rows ---- */

static sqlite3_stmt *stmt_of(const struct store_row *row)
{
        return ((const struct sqlite_row *)row)->stmt;
}

static bool sqlite_row_null(const struct store_row *row, int column)
{
        return sqlite3_column_type(stmt_of(row), column) == SQLITE_NULL;
}

static int64_t sqlite_row_int(const struct store_row *row, int column)
{
        return sqlite3_column_int64(stmt_of(row), column);
}

static const char *sqlite_row_text(const struct store_row *row, int column)
{
        return (const char *)sqlite3_column_text(stmt_of(row), column);
}

static struct view sqlite_row_blob(const struct store_row *row, int column)
{
        const void *p = sqlite3_column_blob(stmt_of(row), column);

        return VIEW(p, (size_t)sqlite3_column_bytes(stmt_of(row), column));
}

const struct store_engine store_engine_sqlite = {
        .scheme = "sqlite:",
        .open = sqlite_open,
        .close = sqlite_close,
        .begin = sqlite_begin,
        .commit = sqlite_commit,
        .rollback = sqlite_rollback,
        .in_transaction = sqlite_in_transaction,
        .savepoint = sqlite_savepoint,
        .release = sqlite_release,
        .rollback_to = sqlite_rollback_to,
        .run = sqlite_run,
        .row_null = sqlite_row_null,
        .row_int = sqlite_row_int,
        .row_text = sqlite_row_text,
        .row_blob = sqlite_row_blob,
};
