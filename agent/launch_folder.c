/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands between a secret and the asker's other processes, which run as the same user: the group. The
 * runtime's process has the group of modules, which nobody else has; so nobody else of that user can trace
 * it, read its memory, or enter its folder. Spec: SR-21; ptrace(2), credentials(7), fifo(7).
 */
#include "agent/launch_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"

static int make_dir(const char *path, mode_t mode, gid_t gid, struct err *err)
{
        if (mkdir(path, 0700) < 0)
                return err_errno(err, errno, "mkdir %s", SHOW(path));
        if (chown(path, (uid_t)-1, gid) < 0 || chmod(path, mode) < 0)
                return err_errno(err, errno, "chown %s", SHOW(path));
        return 0;
}

int launch_folder_make(const char *dir, const char *id, gid_t gid, int module_fd, struct launch_folder *ret,
                       struct err *err)
{
        AUTO(launch_folder_done) struct launch_folder f = {.path = str_fmt("%s/%s", dir, id), .gid = gid};
        AUTO(mem_free_p) char *module = str_fmt("%s/%s/module.wasm", dir, id);
        AUTO(mem_free_p) char *link = str_fmt("/proc/self/fd/%d", module_fd);
        int r;

        f.secrets = str_fmt("%s/%s/secrets", dir, id);
        if (!f.path || !f.secrets || !module || !link)
                return err_nomem(err);
        r = make_dir(f.path, 0750, gid, err);
        if (r >= 0)
                r = make_dir(f.secrets, 0750, gid, err);
        if (r >= 0 && symlink(link, module) < 0)
                r = err_errno(err, errno, "symlink %s", SHOW(module));
        if (r < 0)
                return r;
        *ret = f;
        f = (struct launch_folder){0};
        return 0;
}

int launch_folder_add(const struct launch_folder *f, const char *secret, struct err *err)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/%s", f->secrets, secret);

        if (!path)
                return err_nomem(err);
        if (mkfifo(path, 0600) < 0 || chown(path, (uid_t)-1, f->gid) < 0 || chmod(path, 0640) < 0)
                return err_errno(err, errno, "FIFO %s", SHOW(path));
        return 0;
}

int launch_folder_reader(const struct launch_folder *f, const char *secret)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/%s", f->secrets, secret);
        int fd = path ? open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW) : -1;

        if (fd >= 0)
                return fd;
        return !path || errno == ENXIO || errno == EINTR ? -1 : -2;
}

void launch_folder_served(const struct launch_folder *f, const char *secret)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/%s", f->secrets, secret);

        if (path)
                (void)unlink(path);
}

/* Two levels of plain names, made by us. */
static void remove_in(const char *path)
{
        DIR *dir = opendir(path);
        const struct dirent *e;

        while (dir && (e = readdir(dir))) {
                AUTO(mem_free_p) char *name = NULL;

                if (str_equal(e->d_name, ".") || str_equal(e->d_name, ".."))
                        continue;
                name = str_fmt("%s/%s", path, e->d_name);
                if (name && unlink(name) < 0 && errno == EISDIR) {
                        remove_in(name);
                        (void)rmdir(name);
                }
        }
        if (dir)
                (void)closedir(dir);
}

void launch_folder_done(struct launch_folder *f)
{
        if (f->path) {
                remove_in(f->path);
                (void)rmdir(f->path);
        }
        free(f->path);
        free(f->secrets);
        *f = (struct launch_folder){0};
}

int launch_folder_clean(const char *dir, gid_t gid, struct err *err)
{
        int r = file_mkdirs(dir, 0755, err);

        if (r < 0)
                return r;
        if (chown(dir, (uid_t)-1, gid) < 0 || chmod(dir, 0750) < 0)
                return err_errno(err, errno, "chown %s", SHOW(dir));
        remove_in(dir);
        return 0;
}
