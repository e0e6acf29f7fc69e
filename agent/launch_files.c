/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measuring a closure and holding it. The digest of a file is worth nothing if the file changes between the
 * digest and its use, so the lease comes first and the digest after it: whoever has the file open for writing
 * then refuses us the lease, and whoever opens it later waits until we let go, and is seen.
 *
 * A digest that was taken earlier counts while the file's mark (device, inode, size, times) is the same: a
 * write changes ctime, whatever the writer does to mtime. ctime is as coarse as a tick, so files that changed
 * just before they were digested are not remembered.
 */
#include "agent/launch_files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/elf_file.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "evidence/launch_closure.h"

#define SETTLED_S   2
#define CHUNK_BYTES 65536
#define COPY_MAX    (256u << 20)

/* ---- digests that are known */

struct known {
        char *path;
        struct file_mark mark;
        struct digest sha256;
};

struct digest_cache {
        struct known *v; /* some tens: looked through */
        size_t n;
};

int digest_cache_new(struct digest_cache **ret, struct err *err)
{
        *ret = mem_zalloc(1, sizeof(**ret));
        return *ret ? 0 : err_nomem(err);
}

void digest_cache_free(struct digest_cache *c)
{
        if (!c)
                return;
        for (size_t i = 0; i < c->n; i++)
                free(c->v[i].path);
        free(c->v);
        free(c);
}

static struct known *find(const struct digest_cache *c, const char *path)
{
        for (size_t i = 0; i < c->n; i++)
                if (str_equal(c->v[i].path, path))
                        return &c->v[i];
        return NULL;
}

static struct file_mark mark_of(const struct stat *st)
{
        return (struct file_mark){.dev = st->st_dev,
                                  .ino = st->st_ino,
                                  .size = st->st_size,
                                  .modified = st->st_mtim,
                                  .changed = st->st_ctim};
}

static int digest_fd(int fd, const char *path, struct digest *ret, struct err *err)
{
        AUTO(digest_ctx_free_p) struct digest_ctx *ctx = NULL;
        AUTO(mem_free_p) uint8_t *chunk = mem_alloc(CHUNK_BYTES);
        off_t at = 0;
        int r = chunk ? digest_ctx_new(DIGEST_SHA256, &ctx, err) : err_nomem(err);

        while (r >= 0) {
                ssize_t n = pread(fd, chunk, CHUNK_BYTES, at);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_errno(err, errno, "read %s", SHOW(path));
                if (n == 0)
                        return digest_ctx_final(ctx, ret, err);
                at += n;
                r = digest_ctx_update(ctx, VIEW(chunk, (size_t)n), err);
        }
        return r;
}

/* The closure's paths, the executable first, and behind them those of {file:…}. RET_COPIES is how many. */
static int paths_of(const struct launch_runtime *runtime, struct strv *ret, size_t *ret_copies,
                    struct err *err)
{
        struct agent_runtime all = *runtime->measured;
        size_t copies = 0;
        int r;

        all.libs = AGENT_LIBS_ALL;
        r = closure_of(&all, ret, err);
        for (size_t i = 0; r >= 0 && i < runtime->n_argv; i++) {
                char *path;

                r = launch_file_of(runtime->argv[i], &path, err);
                if (r >= 0 && path) {
                        copies++;
                        if (strv_take(ret, path) < 0)
                                r = err_nomem(err);
                }
        }
        *ret_copies = copies;
        return r;
}

/* Return: 1 if it is too young to be kept; 0; < 0. */
static int learn(struct digest_cache *c, const char *path, struct err *err)
{
        AUTO(fd_close_p) int fd = -1;
        struct known *known = find(c, path), *more;
        struct known now = {0};
        struct stat st;
        int r;

        fd = file_open_regular(path, &st, err);
        if (fd < 0)
                return fd;
        now.mark = mark_of(&st);
        if (known && file_mark_equal(&known->mark, &now.mark))
                return 0;
        if (time(NULL) - st.st_ctim.tv_sec < SETTLED_S)
                return 1;
        r = digest_fd(fd, path, &now.sha256, err);
        if (r < 0)
                return r;
        if (known) {
                known->mark = now.mark;
                known->sha256 = now.sha256;
                return 0;
        }
        more = mem_resize(c->v, c->n + 1, sizeof(*more));
        now.path = str_dup(path);
        if (more)
                c->v = more;
        if (!more || !now.path) {
                free(now.path);
                return err_nomem(err);
        }
        c->v[c->n++] = now;
        return 0;
}

int digest_cache_learn(struct digest_cache *c, const struct launch_runtime *runtime, struct strv *paths,
                       struct err *err)
{
        AUTO(strv_done) struct strv mine = {0};
        size_t copies;
        int r = paths_of(runtime, &mine, &copies, err), young = 0;

        for (size_t i = 0; r >= 0 && i < mine.n; i++) {
                if (!strv_has(paths, mine.items[i]) && strv_add(paths, mine.items[i]) < 0)
                        return err_nomem(err);
                r = learn(c, mine.items[i], err);
                young = r > 0 ? 1 : young;
        }
        return r < 0 ? r : young;
}

/* ---- holding */

static bool has_verity(int fd)
{
        int flags = 0;

        return ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && flags & FS_VERITY_FL;
}

static bool is_static(const char *path)
{
        struct elf_file elf = {0};
        struct err ignored = ERR_INIT;
        bool is = elf_file_read(path, &elf, &ignored) >= 0 && elf.is_elf && !elf.interpreter &&
                  elf.needed.n == 0;

        elf_file_done(&elf);
        return is;
}

/* An agent that is not root has no leases on root's files; but then root alone could change them, and against
 * root such an agent protects nothing. */
static bool is_roots_own(const struct stat *st)
{
        return geteuid() != 0 && st->st_uid == 0 && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Makes it hold still, or a copy of it. FIRST: the executable. */
static int still(struct launch_file_held *f, const struct stat *st, bool first, struct err *err)
{
        int error;

        if (fcntl(f->fd, F_SETLEASE, F_RDLCK) == 0) {
                f->leased = true;
                return 0;
        }
        error = errno;
        if (error == EAGAIN)
                return err_set(err, ERR_CONFIG, 0,
                               "%s is open for writing: a runtime that somebody is changing is not started. "
                               "Who it is: fuser -v %s",
                               SHOW(f->path), f->path);
        if (has_verity(f->fd) || (error == EACCES && is_roots_own(st)))
                return 0;
        if (first && is_static(f->path))
                return launch_copy_make(f->fd, f->path, COPY_MAX, true, &f->copy, err);
        return err_errno(err, error,
                         "%s cannot be held still: no read lease is to be had (a file system without leases, "
                         "or no CAP_LEASE), and fs-verity is not on for it (fsverity enable)",
                         SHOW(f->path));
}

static int check_executable(const char *path, struct err *err)
{
        struct elf_file elf = {0};
        int r = elf_file_read(path, &elf, err);

        if (r >= 0 && !elf.is_elf)
                r = err_set(err, ERR_CONFIG, 0,
                            "%s is a script: name its interpreter as the runtime, and the script among its "
                            "files",
                            SHOW(path));
        elf_file_done(&elf);
        return r;
}

static int hold(const char *path, bool first, bool copied, const struct digest_cache *cache,
                struct launch_file_held *f, struct err *err)
{
        const struct known *known;
        struct stat st;
        int r;

        f->path = str_dup(path);
        if (!f->path)
                return err_nomem(err);
        f->fd = file_open_regular(path, &st, err);
        if (f->fd < 0)
                return f->fd;
        r = copied ? launch_copy_make(f->fd, path, COPY_MAX, false, &f->copy, err)
                   : still(f, &st, first, err);
        if (r >= 0 && fstat(f->fd, &st) < 0) /* again, now that it holds still */
                r = err_errno(err, errno, "%s", SHOW(path));
        if (r < 0)
                return r;
        f->mark = mark_of(&st);
        known = find(cache, path);
        if (f->copy.fd >= 0)
                r = digest_bytes(DIGEST_SHA256, f->copy.data, &f->sha256, err);
        else if (known && file_mark_equal(&known->mark, &f->mark))
                f->sha256 = known->sha256;
        else
                r = digest_fd(f->fd, path, &f->sha256, err);
        if (r >= 0 && st.st_size > 0)
                r = map_id_of(f->copy.fd >= 0 ? f->copy.fd : f->fd, &f->id, err);
        return r;
}

static bool of_config(const struct launch_runtime *runtime, const char *path)
{
        for (size_t i = 0; i < runtime->measured->n_files; i++) {
                AUTO(mem_free_p) char *real = realpath(runtime->measured->files[i], NULL);

                if (str_equal(real, path))
                        return true;
        }
        return false;
}

static int write_manifest(const struct launch_runtime *runtime, struct launch_files *f, struct err *err)
{
        struct launch_closure c = {.arguments = runtime->argv,
                                   .n_arguments = runtime->n_argv,
                                   .environment = runtime->env,
                                   .n_environment = runtime->n_env};
        int r = 0;

        c.files = mem_zalloc(f->n, sizeof(*c.files));
        if (!c.files)
                return err_nomem(err);
        for (size_t i = 0; i < f->n; i++) {
                size_t k = 0;

                while (k < c.n_files && !str_equal(c.files[k].path, f->files[i].path))
                        k++;
                if (k == c.n_files) /* a {file:…} may be one of `files` too */
                        c.files[c.n_files++] =
                                (struct launch_file){.sha256 = f->files[i].sha256, .path = f->files[i].path};
                else if (!digest_equal(&c.files[k].sha256, &f->files[i].sha256))
                        r = err_set(err, ERR_CONFIG, 0, "%s changed while it was read",
                                    SHOW(f->files[i].path));
        }
        if (r >= 0)
                r = launch_closure_write(&c, &f->manifest, err);
        free(c.files); /* what is in it is borrowed */
        return r < 0 ? r : digest_bytes(DIGEST_SHA256, VIEW_BUF(&f->manifest), &f->digest, err);
}

int launch_files_hold(const struct launch_runtime *runtime, const struct digest_cache *cache,
                      struct launch_files *ret, struct err *err)
{
        AUTO(launch_files_done) struct launch_files f = {0};
        AUTO(strv_done) struct strv paths = {0};
        size_t copies;
        int r = paths_of(runtime, &paths, &copies, err);

        if (r >= 0)
                r = check_executable(paths.items[0], err);
        if (r < 0)
                return r;
        f.files = mem_zalloc(paths.n, sizeof(*f.files));
        if (!f.files)
                return err_nomem(err);
        for (size_t i = 0; r >= 0 && i < paths.n; i++) {
                struct launch_file_held *held = &f.files[f.n++];

                *held = (struct launch_file_held){.fd = -1, .copy = LAUNCH_COPY_NONE};
                held->executable = i + copies < paths.n && !of_config(runtime, paths.items[i]);
                r = hold(paths.items[i], i == 0, i + copies >= paths.n, cache, held, err);
        }
        if (r >= 0)
                r = write_manifest(runtime, &f, err);
        if (r < 0)
                return err_wrap(err, "runtime %s", runtime->measured->name);
        *ret = f;
        f = (struct launch_files){0};
        return 0;
}

int launch_files_still(const struct launch_files *f, struct err *err)
{
        for (size_t i = 0; i < f->n; i++) {
                const struct launch_file_held *held = &f->files[i];
                struct file_mark mark;
                struct stat st;

                if (held->copy.fd >= 0)
                        continue;
                if (held->leased && fcntl(held->fd, F_GETLEASE) != F_RDLCK)
                        return err_set(err, ERR_PEER, 0, "%s was opened for writing while it was started",
                                       SHOW(held->path));
                if (fstat(held->fd, &st) < 0)
                        return err_errno(err, errno, "%s", SHOW(held->path));
                mark = mark_of(&st);
                if (!file_mark_equal(&mark, &held->mark))
                        return err_set(err, ERR_PEER, 0, "%s was changed while it was started",
                                       SHOW(held->path));
        }
        return 0;
}

void launch_files_let_go(struct launch_files *f)
{
        for (size_t i = 0; i < f->n; i++)
                if (f->files[i].leased) {
                        (void)fcntl(f->files[i].fd, F_SETLEASE, F_UNLCK);
                        f->files[i].leased = false;
                }
}

void launch_files_done(struct launch_files *f)
{
        launch_files_let_go(f);
        for (size_t i = 0; i < f->n; i++) {
                free(f->files[i].path);
                fd_close_p(&f->files[i].fd);
                launch_copy_done(&f->files[i].copy);
        }
        free(f->files);
        buf_free(&f->manifest);
        *f = (struct launch_files){0};
}

const struct launch_file_held *launch_files_copy(const struct launch_files *f, const char *path)
{
        for (size_t i = f->n; i-- > 0;)
                if (f->files[i].copy.fd >= 0 && str_equal(f->files[i].path, path))
                        return &f->files[i];
        return NULL;
}

int launch_file_again(struct launch_file_held *file, struct err *err)
{
        struct file_mark mark;
        struct stat st;
        int r;

        if (file->copy.fd >= 0)
                return 0;
        if (fstat(file->fd, &st) < 0)
                return err_errno(err, errno, "%s", SHOW(file->path));
        mark = mark_of(&st);
        if (file_mark_equal(&mark, &file->mark))
                return 0;
        r = digest_fd(file->fd, file->path, &file->sha256, err);
        if (r >= 0)
                file->mark = mark;
        return r;
}
