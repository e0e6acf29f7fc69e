/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole root file system. The walk follows no link, so the names are those that the kernel will use. What
 * dpkg knows comes first, under its package; the walk adds the rest: what was installed past the package
 * manager, and what packages make when they are installed.
 */
#include "tenant/sources.h"

#include <errno.h>
#include <fts.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/file.h"
#include "base/mem.h"
#include "tenant/file_hash.h"
#include "tenant/tree.h"

struct walk {
        const struct source *s;
        struct tree tree;
        struct file_hasher *hasher;
        const struct strv *skip;
        dev_t root_device;
        size_t package; /* the one without a name */
        size_t n;
};

static void walk_done(struct walk *w)
{
        tree_done(&w->tree);
        file_hasher_free(w->hasher);
}

/* A file system mounted below the root that holds no files of this machine's own. */
static bool is_foreign(const struct walk *w, const FTSENT *e)
{
        static const uint32_t foreign[] = {
                PROC_SUPER_MAGIC,    SYSFS_MAGIC,      TMPFS_MAGIC,      DEVPTS_SUPER_MAGIC,
                CGROUP_SUPER_MAGIC,  DEBUGFS_MAGIC,    SECURITYFS_MAGIC, TRACEFS_MAGIC,
                CGROUP2_SUPER_MAGIC, BPF_FS_MAGIC,     PSTOREFS_MAGIC,   EFIVARFS_MAGIC,
                AUTOFS_SUPER_MAGIC,  NFS_SUPER_MAGIC,  SMB_SUPER_MAGIC,  CIFS_SUPER_MAGIC,
                SMB2_SUPER_MAGIC,    CEPH_SUPER_MAGIC, V9FS_MAGIC,       FUSE_SUPER_MAGIC,
                HUGETLBFS_MAGIC,     RAMFS_MAGIC};
        struct statfs fs;

        if (e->fts_level == 0 || e->fts_statp->st_dev == w->root_device || e->fts_parent == NULL ||
            e->fts_statp->st_dev == e->fts_parent->fts_dev || statfs(e->fts_accpath, &fs) < 0)
                return false;
        for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
                if ((uint32_t)fs.f_type == foreign[i])
                        return true;
        return false;
}

static bool is_skipped(const struct walk *w, const char *path)
{
        static const char *const always[] = {"/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp"};

        for (size_t i = 0; i < ARRAY_LEN(always); i++)
                if (str_equal(path, always[i]))
                        return true;
        for (size_t i = 0; i < w->skip->n; i++)
                if (str_equal(path, w->skip->items[i]))
                        return true;
        return false;
}

static int add_file(struct walk *w, const char *path, struct err *err)
{
        struct catalogue *c = w->s->catalogue;
        AUTO(fd_close_p) int fd = -1;
        uint8_t head[FILE_HEAD_BYTES];
        size_t n_head;
        struct file_hashed hashed;
        struct stat st;
        int r;

        if (map_get(&c->paths, path))
                return 0; /* its package's */
        if (++w->n > CATALOGUE_FILES_MAX)
                return err_set(err, ERR_LIMIT, 0, "more than %u files", CATALOGUE_FILES_MAX);
        r = tree_open(&w->tree, path, &st, err);
        if (r < 0) {
                if (r != -ERR_IO && r != -ERR_CONFIG)
                        return r;
                r = catalogue_note(c, err, "%s: left out",
                                   err->text); /* gone meanwhile, or not for us to read */
                err_clear(err);
                return r;
        }
        fd = r;
        n_head = file_head(fd, head);
        if (!catalogue_measured(c, path, st.st_mode, VIEW(head, n_head)))
                return 0;
        r = file_hasher_fd(w->hasher, fd, path, &hashed, err);
        return r < 0 ? r : catalogue_add(c, w->package, path, &hashed.digest, err);
}

static int walk(struct walk *w, FTS *fts, struct err *err)
{
        size_t prefix = strlen(w->tree.root);
        FTSENT *e;
        int r = 0;

        for (errno = 0; r == 0 && (e = fts_read(fts)) != NULL; errno = 0) {
                const char *path = e->fts_path + (*w->tree.root ? prefix : 0);

                switch (e->fts_info) {
                case FTS_D:
                        if (e->fts_level == 0)
                                w->root_device = e->fts_statp->st_dev;
                        else if (is_skipped(w, path) || is_foreign(w, e))
                                (void)fts_set(fts, e, FTS_SKIP); /* fails for no such instruction only */
                        break;
                case FTS_F:
                        r = add_file(w, path, err);
                        break;
                case FTS_DNR:
                case FTS_ERR:
                case FTS_NS:
                        if (e->fts_level == 0)
                                return err_errno(err, e->fts_errno, "'%s'", e->fts_path);
                        r = catalogue_note(w->s->catalogue, err, "%s: %s: left out", e->fts_path,
                                           strerror(e->fts_errno));
                        break;
                default:
                        break; /* links, devices, the way back */
                }
        }
        return r == 0 && errno ? err_errno(err, errno, "walk '%s'", w->tree.root) : r;
}

int source_root(const struct source *s, const char *root, const struct strv *skip, struct err *err)
{
        struct source all = {s->catalogue, s->split_usr, .keep_changed = true};
        AUTO(walk_done) struct walk w = {.s = &all, .skip = skip};
        AUTO(mem_free_p) char *status = NULL;
        char *paths[2] = {NULL, NULL};
        FTS *fts;
        int r = tree_init(&w.tree, root, err);

        if (r < 0 || (r = file_hasher_new(s->catalogue->alg, false, &w.hasher, err)) < 0)
                return r;
        status = tree_outside(&w.tree, "/var/lib/dpkg/status");
        if (!status)
                return err_nomem(err);
        r = file_exists(status) ? source_dpkg(&all, root, NULL, err) : 0;
        if (r == 0)
                r = catalogue_package(s->catalogue, NULL, NULL, NULL, &w.package, err);
        if (r < 0)
                return r;
        paths[0] = *w.tree.root ? w.tree.root : (char[]){"/"};
        fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
        if (!fts)
                return err_errno(err, errno, "'%s'", root);
        r = walk(&w, fts, err);
        (void)fts_close(fts); /* it only reads */
        return r;
}
