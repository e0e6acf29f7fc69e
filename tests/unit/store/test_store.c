/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs, group commit, and what the SQLite engine does on bad days. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "pump.h"

static const char *const one[] = {"CREATE TABLE t (k BIGINT NOT NULL PRIMARY KEY, v TEXT)"};
static const char *const two[] = {"CREATE TABLE t (k BIGINT NOT NULL PRIMARY KEY, v TEXT)",
                                  "CREATE TABLE u (k BIGINT); INSERT INTO u VALUES (7)"};
static const char *const broken[] = {"CREATE TABLE t (k BIGINT)", "CREATE TABLE nonsense ("};
static const struct store_schema v1 = {"test", 42, one, 1}, v2 = {"test", 42, two, 2},
                                 bad = {"test", 42, broken, 2};
static const struct store_schema other = {"other", 43, one, 1};

struct fixture {
        char dir[TMPDIR_BYTES];
        char url[64];
        const char *path;
        struct pump pump;
};

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));

        tmpdir_make(f->dir);
        (void)snprintf(f->url, sizeof(f->url), "sqlite:%s/t.db", f->dir);
        f->path = f->url + 7;
        pump_init(&f->pump);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        pump_done(&f->pump);
        tmpdir_remove(f->dir);
        free(f);
        return 0;
}

static struct store *open_store(struct fixture *f, const struct store_schema *schema)
{
        struct err err = ERR_INIT;
        struct store *s = NULL;

        assert_ok(store_open(f->url, schema, pump_post, &f->pump, &s, &err), &err);
        return s;
}

/* ---- jobs of the tests ---- */

struct put {
        struct store_job job;
        int64_t k;
        const char *v;
        int fail_after; /* -kind once it has written */
        int *count, *failures;
        enum err_kind kind;
};

static int put_work(struct store_job *job, struct store_conn *c, struct err *err)
{
        struct put *p = (struct put *)job;
        int r = store_exec(c, "INSERT INTO t (k, v) VALUES ($1, $2)",
                           STORE_ARGS(STORE_I(p->k), STORE_T(p->v)), err);

        if (r < 0)
                return r;
        assert_int_equal(r, 1);
        return p->fail_after ? err_set(err, ERR_LIMIT, 0, "as asked") : 0;
}

static void put_done(struct store_job *job, const struct err *err)
{
        struct put *p = (struct put *)job;

        p->kind = err ? err->kind : ERR_NONE;
        if (err && p->failures)
                (*p->failures)++;
        (*p->count)++;
}

static struct put put_of(int64_t k, int *count)
{
        return (struct put){.job = {.class = STORE_DURABLE, .work = put_work, .done = put_done},
                            .k = k,
                            .v = "x",
                            .count = count};
}

static int read_int(const struct store_row *row, void *arg, struct err *err)
{
        (void)err;
        *(int64_t *)arg = store_row_int(row, 0);
        return 0;
}

static int count_work(struct store_conn *c, void *arg, struct err *err)
{
        return store_query(c, "SELECT count(*) FROM t", STORE_NO_ARGS, read_int, arg, err);
}

static int64_t rows(struct store *s)
{
        struct err err = ERR_INIT;
        int64_t n = -1;

        assert_ok(store_call(s, STORE_READ, count_work, &n, &err), &err);
        return n;
}

/* ---- the interface ---- */

static void values_come_back(struct store_conn *c);

static int values_row(const struct store_row *row, void *arg, struct err *err)
{
        char *text = NULL;
        struct buf blob = {0};

        *(int *)arg += 1;
        assert_int_equal(store_row_int(row, 0), INT64_MIN);
        assert_string_equal(store_row_text(row, 1), "tü\"x");
        assert_view(store_row_blob(row, 2), "b");
        assert_true(store_row_null(row, 3));
        assert_null(store_row_text(row, 3));
        assert_int_equal(store_row_blob(row, 3).len, 0);
        assert_false(store_row_null(row, 4)); /* an empty blob is none */
        assert_ok(store_row_text_dup(row, 1, &text, err), err);
        assert_ok(store_row_blob_dup(row, 2, &blob, err), err);
        assert_string_equal(text, "tü\"x");
        assert_view(VIEW_BUF(&blob), "b");
        free(text);
        buf_free(&blob);
        return 1; /* stop */
}

static int values_work(struct store_conn *c, void *arg, struct err *err)
{
        static const char sql[] = "SELECT $1, $2, $3, $4, $5 UNION ALL SELECT 1, '', '', '', ''";

        (void)arg;
        values_come_back(c);
        assert_err(store_exec(c, "SELECT $1", STORE_NO_ARGS, err), ERR_BUG, err, "1 parameters, 0 values");
        assert_err(store_exec(c, "SELEKT", STORE_NO_ARGS, err), ERR_BUG, err, "syntax error");
        assert_int_equal(store_query(c, sql,
                                     STORE_ARGS(STORE_I(INT64_MIN), STORE_T("tü\"x"), STORE_B(view_str("b")),
                                                STORE_N, STORE_B(VIEW_NONE)),
                                     values_row, arg, err),
                         1);
        return 0;
}

static void values_come_back(struct store_conn *c)
{
        struct err err = ERR_INIT;
        int64_t n = 0;

        assert_int_equal(store_query(c, "SELECT $1 + 1", STORE_ARGS(STORE_I(41)), read_int, &n, &err), 1);
        assert_int_equal(n, 42);
}

static void values(void **state)
{
        struct store *s = open_store(*state, &v1);
        struct err err = ERR_INIT;
        int seen = 0;

        assert_ok(store_call(s, STORE_DURABLE, values_work, &seen, &err), &err);
        assert_int_equal(seen, 1);
        store_close(s);
}

static void jobs_in_order_and_alone(void **state)
{
        enum { N = 200 };
        struct fixture *f = *state;
        struct store *s = open_store(f, &v1);
        struct put *jobs = calloc(N, sizeof(*jobs));
        int done = 0, failures = 0;

        for (int i = 0; i < N; i++) {
                jobs[i] = put_of(i % 100, &done); /* the second hundred breaks the key */
                jobs[i].failures = &failures;
                jobs[i].fail_after = i == 50;
                store_submit(s, &jobs[i].job);
        }
        pump_until(&f->pump, &done, N);
        /* 50 failed after writing, so 150 could write it */
        assert_int_equal(jobs[50].kind, ERR_LIMIT);
        assert_int_equal(jobs[150].kind, ERR_NONE);
        assert_int_equal(jobs[149].kind, ERR_BUG);
        assert_int_equal(failures, 100);
        assert_int_equal(rows(s), 100);
        store_close(s);
        free(jobs);
}

static void deferred_waits_and_durable_takes_along(void **state)
{
        struct fixture *f = *state;
        struct store *s = open_store(f, &v1);
        struct put a, b;
        int done = 0;

        a = put_of(1, &done);
        a.job.class = STORE_DEFERRED;
        store_submit(s, &a.job);
        b = put_of(2, &done);
        store_submit(s, &b.job);
        pump_until(&f->pump, &done, 2);
        assert_int_equal(rows(s), 2);
        a = put_of(3, &done);
        a.job.class = STORE_DEFERRED;
        store_submit(s, &a.job);
        pump_until(&f->pump, &done, 3); /* by itself, after 100 ms */
        a = put_of(4, &done);
        a.job.class = STORE_DEFERRED;
        store_submit(s, &a.job);
        store_close(s); /* finishes it, and tells */
        assert_int_equal(done, 4);
}

static void submit_again(struct store_job *job, const struct err *err);

struct again {
        struct put put;
        struct store *store;
        int left;
};

static void submit_again(struct store_job *job, const struct err *err)
{
        struct again *a = (struct again *)job;

        assert_null(err);
        (*a->put.count)++;
        a->put.k++;
        if (--a->left > 0)
                store_submit(a->store, job);
}

static void done_may_submit_while_closing(void **state)
{
        struct store *s = open_store(*state, &v1);
        int done = 0;
        struct again a = {.put = put_of(1, &done), .store = s, .left = 3};

        a.put.job.done = submit_again;
        store_submit(s, &a.put.job);
        store_close(s);
        assert_int_equal(done, 3);
}

/* ---- files ---- */

static void schemas(void **state)
{
        struct fixture *f = *state;
        struct err err = ERR_INIT;
        struct store *s = open_store(f, &v1);
        struct stat st;

        store_close(s);
        assert_int_equal(stat(f->path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        s = open_store(f, &v2); /* upgraded */
        assert_int_equal(rows(s), 0);
        store_close(s);
        POISON(s);
        assert_err(store_open(f->url, &v1, pump_post, &f->pump, &s, &err), ERR_CONFIG, &err,
                   "schema version 2, this program knows 1");
        assert_err(store_open(f->url, &other, pump_post, &f->pump, &s, &err), ERR_CONFIG, &err,
                   "not the other's");
        assert_poisoned(s);
        assert_err(store_open("oracle:x", &v1, pump_post, &f->pump, &s, &err), ERR_CONFIG, &err,
                   "sqlite:PATH");
        assert_err(store_open("sqlite:", &v1, pump_post, &f->pump, &s, &err), ERR_CONFIG, &err,
                   "sqlite:PATH");
        assert_err(store_open("sqlite:/nonexistent/x.db", &v1, pump_post, &f->pump, &s, &err), ERR_IO, &err,
                   "No such file");
}

static void a_broken_migration_changes_nothing(void **state)
{
        struct fixture *f = *state;
        struct err err = ERR_INIT;
        struct store *s = NULL;

        assert_err(store_open(f->url, &bad, pump_post, &f->pump, &s, &err), ERR_BUG, &err,
                   "migration 2 of the test's database");
        s = open_store(f, &v2); /* the first one stands */
        store_close(s);
}

static void not_a_database(void **state)
{
        struct fixture *f = *state;
        struct err err = ERR_INIT;
        struct store *s = NULL;
        char junk[5000];

        memset(junk, 'j', sizeof(junk));
        assert_ok(file_write(f->path, VIEW_ARRAY(junk), 0600, &err), &err);
        assert_err(store_open(f->url, &v1, pump_post, &f->pump, &s, &err), ERR_CONFIG, &err,
                   "is not a database");
        assert_ok(file_write(f->path, VIEW_NONE, 0600, &err), &err); /* an empty file is a new one */
        s = open_store(f, &v1);
        store_close(s);
}

static void in_use(void **state)
{
        struct fixture *f = *state;
        struct store *s = open_store(f, &v1), *second = NULL;
        struct err err = ERR_INIT;

        assert_err(store_open(f->url, &v1, pump_post, &f->pump, &second, &err), ERR_CONFIG, &err,
                   "in use by another process");
        store_close(s);
        s = open_store(f, &v1);
        store_close(s);
}

static void a_damaged_page(void **state)
{
        enum { N = 500 };
        struct fixture *f = *state;
        struct store *s = open_store(f, &v1);
        struct put *jobs = calloc(N, sizeof(*jobs));
        struct err err = ERR_INIT;
        char junk[4096];
        int done = 0, fd;
        int64_t n;

        for (int i = 0; i < N; i++) {
                jobs[i] = put_of(i, &done);
                jobs[i].v = "a text that is long enough to need more than one page for five hundred of it";
                store_submit(s, &jobs[i].job);
        }
        pump_until(&f->pump, &done, N);
        store_close(s);
        free(jobs);
        memset(junk, 0x5a, sizeof(junk));
        fd = open(f->path, O_WRONLY | O_CLOEXEC);
        for (off_t at = 4096; at < 4096 * 9; at += 4096) /* the first page holds the schema */
                assert_int_equal(pwrite(fd, junk, sizeof(junk), at), sizeof(junk));
        (void)close(fd);
        s = open_store(f, &v1);
        assert_err(store_call(s, STORE_READ, count_work, &n, &err), ERR_IO, &err, "is damaged");
        store_close(s);
}

/* ---- bad days ---- */

/* What was told done survives kill -9. */
static void killed(void **state)
{
        struct fixture *f = *state;
        int told[2];
        int64_t last = -1, k;
        struct store *s;
        pid_t pid;

        assert_int_equal(pipe(told), 0);
        pid = fork();
        if (pid == 0) {
                int done = 0;

                s = open_store(f, &v1);
                for (k = 0;; k++) {
                        struct put p = put_of(k, &done);

                        store_submit(s, &p.job);
                        pump_until(&f->pump, &done, (int)k + 1);
                        if (p.kind != ERR_NONE || write(told[1], &k, sizeof(k)) != sizeof(k))
                                _exit(1);
                }
        }
        assert_true(pid > 0);
        (void)close(told[1]);
        while (last < 40 && read(told[0], &k, sizeof(k)) == sizeof(k))
                last = k;
        assert_int_equal(last, 40);
        assert_int_equal(kill(pid, SIGKILL), 0);
        while (read(told[0], &k, sizeof(k)) == sizeof(k))
                last = k;
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        (void)close(told[0]);
        s = open_store(f, &v1);
        assert_true(rows(s) >= last + 1);
        store_close(s);
}

static bool write_proc(const char *path, const char *text)
{
        struct err err = ERR_INIT;
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        bool ok = fd >= 0 && fd_write(fd, path, view_str(text), &err) == 0;

        fd_close_p(&fd);
        return ok;
}

/* A mount namespace; for a plain user with a user namespace in which he is root. Both ids must be mapped: who
 * has no group there can make no file. */
static bool own_mounts(void)
{
        char users[32], groups[32];

        if (geteuid() == 0)
                return unshare(CLONE_NEWNS) == 0;
        (void)snprintf(users, sizeof(users), "0 %u 1", (unsigned int)geteuid());
        (void)snprintf(groups, sizeof(groups), "0 %u 1", (unsigned int)getegid());
        return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_proc("/proc/self/uid_map", users) &&
               write_proc("/proc/self/setgroups", "deny") && write_proc("/proc/self/gid_map", groups);
}

/* In a file system of 1 MiB: fills it, sees the error, makes room, goes on. Returns what the child exits
 * with. */
static int on_a_full_disk(struct fixture *f)
{
        char filler[80], *big;
        struct err err = ERR_INIT;
        struct put p;
        struct store *s;
        int done = 0, fd;
        int64_t before;

        if (!own_mounts() || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", f->dir, "tmpfs", 0, "size=1m") < 0)
                return 77;
        s = open_store(f, &v1);
        p = put_of(1, &done);
        store_submit(s, &p.job);
        pump_until(&f->pump, &done, 1);
        before = rows(s);
        (void)snprintf(filler, sizeof(filler), "%s/filler", f->dir);
        fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        while (write(fd, filler, sizeof(filler)) == sizeof(filler))
                ;
        (void)close(fd);
        big = calloc(1, 100001);
        memset(big, 'x', 100000);
        p = put_of(2, &done);
        p.v = big;
        store_submit(s, &p.job);
        pump_until(&f->pump, &done, 2);
        if (p.kind != ERR_IO || rows(s) != before || store_health(s, &err) != -ERR_IO ||
            !strstr(err.text, "disk is full"))
                return 2;
        if (unlink(filler) < 0)
                return 3;
        p = put_of(2, &done);
        p.v = big;
        store_submit(s, &p.job);
        pump_until(&f->pump, &done, 3);
        if (p.kind != ERR_NONE || rows(s) != before + 1 || store_health(s, &err) != 0)
                return 4;
        store_close(s);
        free(big);
        return 0;
}

static void full_disk(void **state)
{
        int status = 0;
        pid_t pid = fork();

        if (pid == 0)
                _exit(on_a_full_disk(*state));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77)
                skip();
        assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- out of memory ---- */

static int open_and_close(void *ctx, struct err *err)
{
        struct fixture *f = ctx;
        struct store *s = NULL;
        int r = store_open(f->url, &v1, pump_post, &f->pump, &s, err);

        store_close(s);
        return r;
}

static void oom_open(void **state)
{
        oom_each(open_and_close, *state);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(values),
                T(jobs_in_order_and_alone),
                T(deferred_waits_and_durable_takes_along),
                T(done_may_submit_while_closing),
                T(schemas),
                T(a_broken_migration_changes_nothing),
                T(not_a_database),
                T(in_use),
                T(a_damaged_page),
                T(killed),
                T(full_disk),
                T(oom_open),
        };

        return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
