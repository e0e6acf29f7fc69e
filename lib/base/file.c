/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that survive a crash. To replace: write a temporary file in the same folder, sync it, rename it, sync
 * the folder; anything less can leave an empty file after power loss. To append: one write, then sync; a part
 * that reached a full disk is cut off again, so that the file never ends in half a record of ours.
 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/uuid.h"

void fd_close_p(int *fd)
{
        if (*fd >= 0)
                (void)close(*fd); /* whoever must know about a failed write has called fsync() before */
        *fd = -1;
}

int fd_read(int fd, const char *name, size_t max_bytes, struct buf *ret, struct err *err)
{
        uint8_t chunk[16384];
        size_t total = 0;

        for (;;) {
                ssize_t n = read(fd, chunk, sizeof(chunk));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_errno(err, errno, "read '%s'", name);
                if (n == 0)
                        return buf_ok(ret) ? 0 : err_nomem(err);
                if ((size_t)n > max_bytes - total)
                        return err_set(err, ERR_LIMIT, 0, "read '%s': more than %zu bytes", name, max_bytes);
                total += (size_t)n;
                buf_put(ret, chunk, (size_t)n);
                if (!buf_ok(ret))
                        return err_nomem(err);
        }
}

int file_read(const char *path, size_t max_bytes, struct buf *ret, struct err *err)
{
        AUTO(fd_close_p)
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

        if (fd < 0)
                return err_errno(err, errno, "open '%s'", path);
        return fd_read(fd, path, max_bytes, ret, err);
}

int file_open_regular(const char *path, struct stat *ret, struct err *err)
{
        AUTO(fd_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return err_errno(err, errno, "%s", SHOW(path));
        if (!S_ISREG(st.st_mode))
                return err_set(err, ERR_CONFIG, 0, "%s is no regular file", SHOW(path));
        *ret = st;
        r = fd;
        fd = -1;
        return r;
}

int fd_write(int fd, const char *name, struct view v, struct err *err)
{
        while (v.len) {
                ssize_t n = write(fd, v.p, v.len);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_errno(err, errno, "write '%s'", name);
                v.p += n;
                v.len -= (size_t)n;
        }
        return 0;
}

/* The folder that holds PATH, the caller's. */
static char *folder_of(const char *path)
{
        AUTO(mem_free_p)
        char *copy = str_dup(path);

        return copy ? str_dup(dirname(copy)) : NULL;
}

static int sync_folder_of(const char *path, struct err *err)
{
        AUTO(mem_free_p)
        char *folder = folder_of(path);
        AUTO(fd_close_p)
        int fd = -1;

        if (!folder)
                return err_nomem(err);
        fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return err_errno(err, errno, "open folder '%s'", folder);
        if (fsync(fd) < 0 && errno != EINVAL) /* EINVAL: a file system without folders to sync */
                return err_errno(err, errno, "sync folder '%s'", folder);
        return 0;
}

/* Makes PATH anew with V in it, synced. On failure nothing is left. */
static int write_new(const char *path, struct view v, mode_t mode, struct err *err)
{
        AUTO(fd_close_p)
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        int r;

        if (fd < 0)
                return err_errno(err, errno, "create '%s'", path);
        r = fchmod(fd, mode) < 0 ? err_errno(err, errno, "chmod '%s'", path) : fd_write(fd, path, v, err);
        if (r == 0 && fsync(fd) < 0)
                r = err_errno(err, errno, "sync '%s'", path);
        if (r < 0)
                (void)unlink(path); /* the first failure is the one to report */
        return r;
}

/* Writes V under a name of its own beside PATH, which the caller renames or links. */
static int write_beside(const char *path, struct view v, mode_t mode, char **ret, struct err *err)
{
        AUTO(mem_free_p)
        char *temporary = NULL;
        char uuid[UUID_TEXT_BYTES];
        int r;

        r = uuid_random(uuid, err);
        if (r < 0)
                return r;
        temporary = str_fmt("%s.%.8s.tmp", path, uuid);
        if (!temporary)
                return err_nomem(err);
        r = write_new(temporary, v, mode, err);
        if (r < 0)
                return r;
        *ret = TAKE(temporary);
        return 0;
}

int file_write(const char *path, struct view v, mode_t mode, struct err *err)
{
        AUTO(mem_free_p)
        char *temporary = NULL;
        int r;

        r = write_beside(path, v, mode, &temporary, err);
        if (r < 0)
                return r;
        if (rename(temporary, path) < 0) {
                r = err_errno(err, errno, "rename to '%s'", path);
                (void)unlink(temporary); /* the rename is what failed */
                return r;
        }
        return sync_folder_of(path, err);
}

int file_create(const char *path, struct view v, mode_t mode, struct err *err)
{
        AUTO(mem_free_p)
        char *temporary = NULL;
        int r;

        r = write_beside(path, v, mode, &temporary, err);
        if (r < 0)
                return r;
        if (link(temporary, path) < 0) /* unlike rename(), never replaces */
                r = err_errno(err, errno, "create '%s'", path);
        (void)unlink(temporary); /* a stray temporary file does no harm */
        return r < 0 ? r : sync_folder_of(path, err);
}

/* Adds V at OLD_SIZE, the end, or leaves the file as it was. */
static int append_whole(int fd, const char *path, off_t old_size, struct view v, struct err *err)
{
        int r = fd_write(fd, path, v, err);

        if (r == 0 && fdatasync(fd) < 0)
                r = err_errno(err, errno, "sync '%s'", path);
        if (r < 0 && ftruncate(fd, old_size) < 0)
                return err_wrap(err, "and cutting '%s' back to %lld bytes failed (%s)", path,
                                (long long)old_size, strerror(errno));
        return r;
}

int file_append(const char *path, struct view v, mode_t mode, struct err *err)
{
        AUTO(fd_close_p)
        int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
        bool made = false;
        struct stat st;
        int r;

        if (fd < 0 && errno == ENOENT) {
                fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_CREAT, mode);
                made = true;
        }
        if (fd < 0)
                return err_errno(err, errno, "open '%s'", path);
        if (fstat(fd, &st) < 0)
                return err_errno(err, errno, "stat '%s'", path);
        r = append_whole(fd, path, st.st_size, v, err);
        return r < 0 || !made ? r : sync_folder_of(path, err);
}

int file_mkdirs(const char *path, mode_t mode, struct err *err)
{
        AUTO(mem_free_p)
        char *copy = str_dup(path);
        struct stat st;

        if (!copy)
                return err_nomem(err);
        for (char *at = copy + 1; *copy; at++) {
                char stop = *at;

                if (stop != '/' && stop != '\0')
                        continue;
                *at = '\0';
                if (mkdir(copy, mode) < 0 && errno != EEXIST && errno != EROFS)
                        return err_errno(err, errno, "make folder '%s'", copy);
                *at = stop;
                if (stop == '\0')
                        break;
        }
        if (stat(path, &st) < 0)
                return err_errno(err, errno, "make folder '%s'", path);
        return S_ISDIR(st.st_mode) ? 0 : err_errno(err, ENOTDIR, "make folder '%s'", path);
}

int file_remove(const char *path, struct err *err)
{
        if (unlink(path) < 0) {
                if (errno == ENOENT)
                        return 0;
                return err_errno(err, errno, "remove '%s'", path);
        }
        return sync_folder_of(path, err);
}

bool file_exists(const char *path)
{
        struct stat st;

        return lstat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

static void dir_close_p(DIR **dir)
{
        if (*dir)
                (void)closedir(*dir); /* read only */
}

int file_list(const char *path, const char *suffix, struct strv *ret, struct err *err)
{
        AUTO(dir_close_p)
        DIR *dir = opendir(path);
        AUTO(strv_done)
        struct strv names = {0};

        if (!dir)
                return err_errno(err, errno, "open folder '%s'", path);
        for (;;) {
                struct dirent *entry;

                errno = 0;
                entry = readdir(dir);
                if (!entry && errno)
                        return err_errno(err, errno, "read folder '%s'", path);
                if (!entry)
                        break;
                if (entry->d_name[0] == '.' || !str_ends(entry->d_name, suffix))
                        continue;
                if (strv_add(&names, entry->d_name) < 0)
                        return err_nomem(err);
        }
        strv_sort(&names);
        for (size_t i = 0; i < names.n; i++) {
                if (strv_add(ret, names.items[i]) < 0)
                        return err_nomem(err);
        }
        return 0;
}
