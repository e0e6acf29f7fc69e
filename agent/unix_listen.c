/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets that local programs find the agent at. */
#include "agent/unix_listen.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define GROUP          "avow"
#define LISTEN_BACKLOG 64

static int own(const char *path, const char *name, bool for_group, struct err *err)
{
        const struct group *group = for_group && geteuid() == 0 ? getgrnam(GROUP) : NULL;

        if (for_group && geteuid() == 0 && !group)
                log_warning("there is no group " GROUP ": only root can ask at %s", SHOW(name));
        if (group && lchown(path, 0, group->gr_gid) < 0)
                return err_errno(err, errno, "chown %s", SHOW(path));
        if (chmod(path, for_group ? 0660 : 0600) < 0)
                return err_errno(err, errno, "chmod %s", SHOW(path));
        return 0;
}

/* Under another name first. */
int unix_listen(const char *path, int type, bool for_group, int *ret, struct err *err)
{
        AUTO(fd_close_p) int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        AUTO(mem_free_p) char *first = str_fmt("%s.new", path);
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        mode_t mask;
        int r, bound;

        if (!first)
                return err_nomem(err);
        if (fd < 0)
                return err_errno(err, errno, "socket");
        if (strlen(first) >= sizeof(sa.sun_path))
                return err_set(err, ERR_CONFIG, 0, "%s: a socket's path has at most %zu bytes", SHOW(path),
                               sizeof(sa.sun_path) - sizeof(".new"));
        memcpy(sa.sun_path, first, strlen(first) + 1);
        (void)unlink(first); /* left by a crash, or not there */
        mask = umask(0177);
        bound = bind(fd, (const struct sockaddr *)&sa, sizeof(sa));
        (void)umask(mask);
        if (bound < 0)
                return err_errno(err, errno, "bind %s", SHOW(first));
        r = own(first, path, for_group, err);
        if (r >= 0 && listen(fd, LISTEN_BACKLOG) < 0)
                r = err_errno(err, errno, "listen %s", SHOW(path));
        if (r >= 0 && rename(first, path) < 0)
                r = err_errno(err, errno, "rename %s", SHOW(first));
        if (r < 0) {
                (void)unlink(first);
                return r;
        }
        *ret = fd;
        fd = -1;
        return 0;
}
