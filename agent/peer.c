/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is behind a connection. The kernel says which process connected, as a number and, from Linux 6.5 on, as
 * a descriptor of that very process; its cgroup is read from /proc by number, and then the descriptor is
 * asked whether the process still lives: if so, the number was its own all the time, and what was read is
 * about it. (Before 6.5 the descriptor is made from the number: a process that ends between connecting and
 * that moment could lend its connection to whoever gets its number next. To get a given number on purpose
 * takes root.)
 *
 * A credential's address is a claim of whoever connects. It is believed if the peer is systemd at work: root,
 * in init's cgroup, or already in that of the very unit that it names, which is where systemd's fork sits
 * that is about to become the service. A root service of another unit fails by its cgroup; one that claims
 * its own unit gains nothing that agent.sock would not give it.
 *
 * Spec: SR-25; unix(7), pidfd_open(2); systemd.exec(5), LoadCredential.
 */
#include "agent/peer.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/acl.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#define CGROUP_BYTES_MAX 65536
#define INIT_UNIT        "init.scope"

/* RET_PIDFD is set as soon as there is one, for the caller to close. */
static int credentials(int fd, struct peer *ret, int *ret_pidfd, struct err *err)
{
        struct ucred cred;
        socklen_t len = sizeof(cred), fd_len = sizeof(*ret_pidfd);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
                return err_errno(err, errno, "SO_PEERCRED");
        if (cred.pid <= 0)
                return err_set(err, ERR_PEER, 0, "the peer is outside of this PID namespace");
        if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, ret_pidfd, &fd_len) < 0)
                *ret_pidfd = (int)syscall(SYS_pidfd_open, cred.pid, 0);
        if (*ret_pidfd < 0)
                return err_set(err, ERR_PEER, 0, "process %d is gone", (int)cred.pid);
        *ret = (struct peer){.pid = cred.pid, .uid = cred.uid};
        return 0;
}

static int still_there(const struct peer *peer, int pidfd, struct err *err)
{
        struct pollfd p = {.fd = pidfd, .events = POLLIN};
        int n = poll(&p, 1, 0);

        if (n < 0)
                return err_errno(err, errno, "poll of a pidfd");
        return n == 0 ? 0 : err_set(err, ERR_PEER, 0, "process %d is gone", (int)peer->pid);
}

static int read_unit(struct peer *peer, struct err *err)
{
        AUTO(mem_free_p) char *path = str_fmt("/proc/%d/cgroup", (int)peer->pid);
        AUTO(buf_free) struct buf text = {0};
        struct err why = ERR_INIT;

        if (!path)
                return err_nomem(err);
        if (file_read(path, CGROUP_BYTES_MAX, &text, &why) < 0)
                return err_set(err, ERR_PEER, 0, "process %d: %s", (int)peer->pid, why.text);
        if (!acl_unit_of_cgroup(VIEW_BUF(&text), peer->unit))
                peer->unit[0] = '\0';
        return 0;
}

int peer_of(int fd, struct peer *ret, struct err *err)
{
        AUTO(fd_close_p) int pidfd = -1;
        struct peer peer;
        int r = credentials(fd, &peer, &pidfd, err);

        if (r >= 0)
                r = read_unit(&peer, err);
        if (r >= 0)
                r = still_there(&peer, pidfd, err);
        if (r >= 0)
                *ret = peer;
        return r;
}

static int read_address(int fd, char ret_unit[256], char ret_name[65], struct err *err)
{
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        socklen_t len = sizeof(sa);
        size_t head = offsetof(struct sockaddr_un, sun_path);

        if (getpeername(fd, (struct sockaddr *)&sa, &len) < 0)
                return err_errno(err, errno, "getpeername");
        if (len <= head || len > sizeof(sa) || sa.sun_path[0] != '\0' ||
            !acl_credential_address(VIEW(sa.sun_path + 1, len - head - 1), ret_unit, ret_name))
                return err_set(err, ERR_PEER, 0,
                               "the peer is not systemd loading a credential (its address names none)");
        return 0;
}

int peer_credential(int fd, struct peer *ret, char ret_name[65], struct err *err)
{
        AUTO(fd_close_p) int pidfd = -1;
        char unit[256], name[65];
        struct peer peer;
        int r = credentials(fd, &peer, &pidfd, err);

        if (r >= 0 && peer.uid != 0)
                r = err_set(err, ERR_PEER, 0, "process %d is of user %u, not of root", (int)peer.pid,
                            peer.uid);
        if (r >= 0)
                r = read_unit(&peer, err);
        if (r >= 0)
                r = read_address(fd, unit, name, err);
        if (r >= 0 && !str_equal(peer.unit, INIT_UNIT) && !str_equal(peer.unit, unit))
                r = err_set(err, ERR_PEER, 0, "process %d of unit %s says that it is %s", (int)peer.pid,
                            SHOW(peer.unit), SHOW(unit));
        if (r >= 0)
                r = still_there(&peer, pidfd, err);
        if (r < 0)
                return r;
        memcpy(peer.unit, unit, sizeof(peer.unit));
        memcpy(ret_name, name, sizeof(name));
        *ret = peer;
        return 0;
}
