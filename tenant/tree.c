/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths below a root. An image's links may point anywhere ("/lib -> /usr/lib", "../../../etc"): each is taken
 * apart here, so that an image in a folder reads like the machine that it will be, and nothing outside it is
 * looked at. Folders are few and files are many: what a folder resolves to is remembered.
 */
#include "tenant/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define LINKS_MAX 40 /* as the kernel */

int tree_init(struct tree *t, const char *root, struct err *err)
{
        size_t len = strlen(root);

        while (len && root[len - 1] == '/')
                len--;
        *t = (struct tree){.root = str_ndup(root, len)};
        map_init(&t->folders, free);
        return t->root ? 0 : err_nomem(err);
}

void tree_done(struct tree *t)
{
        free(t->root);
        map_done(&t->folders);
}

char *tree_outside(const struct tree *t, const char *path)
{
        return str_fmt("%s%s", t->root, path);
}

static int resolve_folder(struct tree *t, const char *folder, unsigned *links, char **ret, struct err *err);

/* Goes from FOLDER (resolved) along the parts of PATH, each of them a folder. */
static int walk(struct tree *t, const char *folder, const char *path, unsigned *links, char **ret,
                struct err *err)
{
        AUTO(mem_free_p) char *at = str_dup(folder);

        while (at && *path) {
                size_t n = strcspn(path, "/");
                AUTO(mem_free_p) char *next = NULL;
                int r;

                if (n == 2 && str_starts(path, "..")) {
                        char *slash = strrchr(at, '/');

                        if (slash)
                                *slash = '\0';
                } else if (n && !(n == 1 && *path == '.')) {
                        AUTO(mem_free_p) char *name = str_fmt("%s/%.*s", at, (int)n, path);

                        r = name ? resolve_folder(t, name, links, &next, err) : err_nomem(err);
                        if (r < 0)
                                return r;
                        free(at);
                        at = TAKE(next);
                }
                path += n + (path[n] == '/');
        }
        if (!at)
                return err_nomem(err);
        *ret = TAKE(at);
        return 0;
}

/* What NAME, whose folder is resolved, leads to. */
static int look(struct tree *t, const char *name, unsigned *links, char **ret, struct err *err)
{
        AUTO(mem_free_p) char *outside = tree_outside(t, name);
        AUTO(mem_free_p) char *folder = NULL;
        char target[PATH_MAX];
        ssize_t n;

        if (!outside)
                return err_nomem(err);
        n = readlink(outside, target, sizeof(target) - 1);
        if (n < 0 && errno != EINVAL)
                return err_errno(err, errno, "'%s'", outside);
        if (n < 0) { /* no link */
                *ret = str_dup(name);
                return *ret ? 0 : err_nomem(err);
        }
        target[n] = '\0';
        if (++*links > LINKS_MAX)
                return err_errno(err, ELOOP, "'%s'", outside);
        if (*target == '/')
                return walk(t, "", target, links, ret, err);
        folder = str_ndup(name, (size_t)(strrchr(name, '/') - name));
        return folder ? walk(t, folder, target, links, ret, err) : err_nomem(err);
}

static int resolve_folder(struct tree *t, const char *folder, unsigned *links, char **ret, struct err *err)
{
        const char *known = map_get(&t->folders, folder);
        AUTO(mem_free_p) char *copy = NULL;
        int r;

        if (!known) {
                r = look(t, folder, links, &copy, err);
                if (r < 0)
                        return r;
                known = copy;
                if (map_put(&t->folders, folder, copy) < 0)
                        return err_nomem(err);
                copy = NULL; /* the map's now */
        }
        *ret = str_dup(known);
        return *ret ? 0 : err_nomem(err);
}

int tree_resolve(struct tree *t, const char *path, char **ret, struct err *err)
{
        const char *base = strrchr(path, '/');
        AUTO(mem_free_p) char *parent = NULL;
        AUTO(mem_free_p) char *folder = NULL;
        unsigned links = 0;
        int r;

        if (*path != '/')
                return err_set(err, ERR_FORMAT, 0, "%s is no absolute path", SHOW(path));
        parent = str_ndup(path, (size_t)(base - path));
        r = parent ? walk(t, "", parent, &links, &folder, err) : err_nomem(err);
        if (r < 0)
                return r;
        *ret = str_fmt("%s%s", folder, base);
        return *ret ? 0 : err_nomem(err);
}

int tree_open(const struct tree *t, const char *place, struct stat *ret, struct err *err)
{
        AUTO(mem_free_p) char *outside = tree_outside(t, place);
        AUTO(fd_close_p) int fd = -1;
        int taken;

        if (!outside)
                return err_nomem(err);
        fd = open(outside, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
        if (fd < 0 || fstat(fd, ret) < 0)
                return err_errno(err, errno, "'%s'", outside);
        if (!S_ISREG(ret->st_mode))
                return err_set(err, ERR_CONFIG, 0, "'%s' is no regular file", outside);
        taken = fd;
        fd = -1;
        return taken;
}
