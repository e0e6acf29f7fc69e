/* SPDX-License-Identifier: Apache-2.0 */
/* Files: durable, whole or not at all. --wrap makes write(), fsync() and rename() fail. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/support.h"

ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

/* As in oom.c: a wrapped function has no other way to know. */
static size_t room = SIZE_MAX; /* bytes until the disk is full */
static bool one_by_one, no_sync, no_rename;

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
        if (room == 0) {
                errno = ENOSPC;
                return -1;
        }
        if (one_by_one || n > room)
                n = one_by_one ? 1 : room;
        if (room != SIZE_MAX)
                room -= n;
        return __real_write(fd, p, n);
}

int __wrap_fsync(int fd)
{
        if (no_sync) {
                errno = EIO;
                return -1;
        }
        return __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
        if (no_rename) {
                errno = EXDEV;
                return -1;
        }
        return __real_rename(from, to);
}

struct place {
        char dir[TMPDIR_BYTES];
        char path[64];
};

static int setup(void **state)
{
        static struct place place;

        tmpdir_make(place.dir);
        (void)snprintf(place.path, sizeof(place.path), "%s/file", place.dir);
        *state = &place;
        return 0;
}

static int teardown(void **state)
{
        struct place *p = *state;

        tmpdir_remove(p->dir);
        room = SIZE_MAX;
        one_by_one = no_sync = no_rename = false;
        return 0;
}

static void assert_content(const char *path, const char *want)
{
        AUTO(buf_free) struct buf b = {0};
        struct err err = ERR_INIT;

        assert_ok(file_read(path, 1000, &b, &err), &err);
        assert_view(VIEW_BUF(&b), want);
}

/* Nothing but the file itself is in the folder. */
static void assert_alone(const struct place *p, size_t n)
{
        AUTO(strv_done) struct strv names = {0};
        struct err err = ERR_INIT;

        assert_ok(file_list(p->dir, "", &names, &err), &err);
        assert_int_equal(names.n, n);
}

static void write_and_read(void **state)
{
        struct place *p = *state;
        struct err err = ERR_INIT;
        struct stat st;

        assert_ok(file_write(p->path, view_str("one"), 0600, &err), &err);
        assert_content(p->path, "one");
        assert_int_equal(stat(p->path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        one_by_one = true;
        assert_ok(file_write(p->path, view_str("three"), 0644, &err), &err);
        assert_content(p->path, "three");
        assert_ok(file_append(p->path, view_str("+"), 0600, &err), &err);
        assert_content(p->path, "three+");
        assert_err(file_create(p->path, view_str("x"), 0600, &err), ERR_IO, &err, "File exists");
        assert_int_equal(err.code, EEXIST);
        assert_content(p->path, "three+");
        assert_alone(p, 1);
        assert_true(file_exists(p->path));
        assert_ok(file_remove(p->path, &err), &err);
        assert_ok(file_remove(p->path, &err), &err);
        assert_false(file_exists(p->path));
        assert_ok(file_create(p->path, view_str("new"), 0600, &err), &err);
        assert_content(p->path, "new");
        assert_alone(p, 1);
}

static void full_disk(void **state)
{
        struct place *p = *state;
        struct err err = ERR_INIT;

        assert_ok(file_write(p->path, view_str("old\n"), 0600, &err), &err);
        room = 3;
        assert_err(file_write(p->path, view_str("longer"), 0600, &err), ERR_IO, &err, "No space");
        assert_content(p->path, "old\n");
        room = 3;
        assert_err(file_append(p->path, view_str("record\n"), 0600, &err), ERR_IO, &err, "No space");
        assert_content(p->path, "old\n"); /* no half record */
        room = SIZE_MAX;
        assert_alone(p, 1);
}

static void failing_disk(void **state)
{
        struct place *p = *state;
        struct err err = ERR_INIT;

        assert_ok(file_write(p->path, view_str("old"), 0600, &err), &err);
        no_sync = true;
        assert_err(file_write(p->path, view_str("new"), 0600, &err), ERR_IO, &err, "sync");
        no_sync = false;
        assert_content(p->path, "old");
        no_rename = true;
        assert_err(file_write(p->path, view_str("new"), 0600, &err), ERR_IO, &err, "rename");
        assert_content(p->path, "old");
        assert_alone(p, 1);
}

static void limits(void **state)
{
        struct place *p = *state;
        AUTO(buf_free) struct buf b = {0};
        struct err err = ERR_INIT;

        assert_ok(file_write(p->path, view_str("12345"), 0600, &err), &err);
        assert_err(file_read(p->path, 4, &b, &err), ERR_LIMIT, &err, "more than 4");
        assert_err(file_read("/nonexistent/x", 4, &b, &err), ERR_IO, &err,
                   "open '/nonexistent/x': No such file");
        assert_err(file_write("/nonexistent/x", view_str(""), 0600, &err), ERR_IO, &err, NULL);
        assert_err(file_read(p->dir, 4, &b, &err), ERR_IO, &err, "directory");
}

static void folders(void **state)
{
        struct place *p = *state;
        AUTO(strv_done) struct strv names = {0};
        struct err err = ERR_INIT;
        char path[80];
        struct stat st;

        (void)snprintf(path, sizeof(path), "%s/a/b/c/", p->dir);
        assert_ok(file_mkdirs(path, 0700, &err), &err);
        assert_ok(file_mkdirs(path, 0755, &err), &err);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0700);
        for (const char *const *name = (const char *const[]){"b.yaml", "a.yaml", ".c.yaml", "d.txt", NULL};
             *name; name++) {
                (void)snprintf(path, sizeof(path), "%s/%s", p->dir, *name);
                assert_ok(file_write(path, view_str(""), 0600, &err), &err);
        }
        assert_err(file_mkdirs(path, 0700, &err), ERR_IO, &err, "Not a directory");
        assert_ok(file_list(p->dir, ".yaml", &names, &err), &err);
        assert_int_equal(names.n, 2);
        assert_string_equal(names.items[0], "a.yaml");
        assert_err(file_list("/nonexistent", "", &names, &err), ERR_IO, &err, NULL);
}

/* A link in the place of a log is not followed. */
static void links(void **state)
{
        struct place *p = *state;
        struct err err = ERR_INIT;
        char target[80];

        (void)snprintf(target, sizeof(target), "%s/target", p->dir);
        assert_int_equal(symlink(target, p->path), 0);
        assert_true(file_exists(p->path)); /* dangling, but there */
        assert_err(file_append(p->path, view_str("x"), 0600, &err), ERR_IO, &err, NULL);
        assert_err(file_create(p->path, view_str("x"), 0600, &err), ERR_IO, &err, NULL);
        assert_false(file_exists(target));
        assert_ok(file_write(p->path, view_str("x"), 0600, &err), &err); /* replaces the link */
        assert_false(file_exists(target));
}

static int write_once(void *ctx, struct err *err)
{
        AUTO(buf_free) struct buf b = {0};
        struct place *p = ctx;
        int r = file_write(p->path, view_str("x"), 0600, err);

        if (r == 0)
                r = file_read(p->path, 10, &b, err);
        if (r == 0)
                r = file_mkdirs(p->dir, 0700, err);
        return r;
}

static void regular_files_only(void **state)
{
        struct place *p = *state;
        struct err err = ERR_INIT;
        struct stat st;
        int fd;

        POISON(st);
        assert_err(file_open_regular(p->path, &st, &err), ERR_IO, &err, p->path);
        assert_int_equal(err.code, ENOENT);
        assert_err(file_open_regular(p->dir, &st, &err), ERR_CONFIG, &err, "no regular file");
        assert_int_equal(mkfifo(p->path, 0600), 0);
        assert_err(file_open_regular(p->path, &st, &err), ERR_CONFIG, &err, "no regular file");
        assert_poisoned(st);
        assert_int_equal(unlink(p->path), 0);
        assert_ok(file_write(p->path, view_str("abc"), 0600, &err), &err);
        fd = file_open_regular(p->path, &st, &err);
        assert_true(fd >= 0 && st.st_size == 3 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
        fd_close_p(&fd);
}

static void out_of_memory(void **state)
{
        oom_each(write_once, *state);
        assert_alone(*state, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        static const struct CMUnitTest tests[] = {
                TEST(write_and_read), TEST(full_disk), TEST(failing_disk),       TEST(limits),
                TEST(folders),        TEST(links),     TEST(regular_files_only), TEST(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
