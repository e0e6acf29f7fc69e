/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inotify and not fanotify: what fanotify would add (whole mounts, deciding before an open) needs
 * CAP_SYS_ADMIN, which the agent does not have; for a list of files both say the same. Neither sees writes
 * through a mapping of a file: the rescan does.
 */
#include "agent/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/mem.h"

#define ON_FILE   (IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)
#define ON_FOLDER (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR)

struct watch {
        int fd;
        int *ids;
        size_t n;
};

int watch_new(struct watch **ret, struct err *err)
{
        struct watch *w = mem_zalloc(1, sizeof(*w));

        if (!w)
                return err_nomem(err);
        w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (w->fd < 0) {
                free(w);
                return err_errno(err, errno, "inotify (fs.inotify.max_user_instances)");
        }
        *ret = w;
        return 0;
}

void watch_free(struct watch *w)
{
        if (!w)
                return;
        (void)close(w->fd);
        free(w->ids);
        free(w);
}

int watch_fd(const struct watch *w)
{
        return w->fd;
}

static bool has(const int *ids, size_t n, int id)
{
        for (size_t i = 0; i < n; i++)
                if (ids[i] == id)
                        return true;
        return false;
}

/* IN_MASK_ADD: a folder's watch must not replace a file's on the same inode. Return: false if it could not
 * be. */
static bool add(struct watch *w, int *ids, size_t *n, const char *path, uint32_t mask)
{
        int id = inotify_add_watch(w->fd, path, mask | IN_MASK_ADD);

        if (id < 0)
                return errno == ENOENT || errno == ENOTDIR; /* what is gone comes back through its folder */
        if (!has(ids, *n, id))
                ids[(*n)++] = id;
        return true;
}

static bool add_folder(struct watch *w, int *ids, size_t *n, const char *path)
{
        char folder[PATH_MAX];
        const char *slash = strrchr(path, '/');
        size_t len = slash ? (size_t)(slash - path) : 0;

        if (!slash || len >= sizeof(folder))
                return false;
        memcpy(folder, path, len);
        folder[len] = '\0';
        return add(w, ids, n, len ? folder : "/", ON_FOLDER);
}

unsigned watch_set(struct watch *w, const struct strv *paths)
{
        int *ids = mem_zalloc(2 * paths->n, sizeof(*ids));
        unsigned failed = 0;
        size_t n = 0;

        if (!ids)
                return (unsigned)paths->n;
        for (size_t i = 0; i < paths->n; i++) {
                bool file = add(w, ids, &n, paths->items[i], ON_FILE);
                bool folder = add_folder(w, ids, &n, paths->items[i]);

                failed += !file || !folder;
        }
        for (size_t i = 0; i < w->n; i++)
                if (!has(ids, n, w->ids[i]))
                        (void)inotify_rm_watch(w->fd, w->ids[i]);
        free(w->ids);
        w->ids = ids;
        w->n = n;
        return failed;
}

bool watch_drain(struct watch *w)
{
        char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
        bool any = false;

        while (read(w->fd, events, sizeof(events)) > 0)
                any = true;
        return any;
}
