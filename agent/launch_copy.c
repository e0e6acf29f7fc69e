/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digesting a file and then using the file is a race that its writer wins: an open descriptor freezes
 * nothing. So the bytes are copied first, whatever they are at that moment; then the copy is sealed, and only
 * what the kernel says is sealed is looked at. Spec: SR-21; memfd_create(2), fcntl(2), File Sealing.
 */
#include "agent/launch_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#define MFD_EXEC        0x0010u
#endif
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* Linux before 6.3 knows neither flag and makes a file that may be executed, which nobody does. */
static int make(bool executable)
{
        unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
        int fd = memfd_create("avow", flags | (executable ? MFD_EXEC : MFD_NOEXEC_SEAL));

        return fd < 0 && errno == EINVAL ? memfd_create("avow", flags) : fd;
}

/* One that grows meanwhile is refused behind MAX; one that shrinks just ends. */
static int copy(int from, int to, const char *name, uint64_t max, uint64_t *size, struct err *err)
{
        uint8_t chunk[65536];

        for (;;) {
                ssize_t n = pread(from, chunk, sizeof(chunk), (off_t)*size);
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return err_errno(err, errno, "read %s", SHOW(name));
                if (n == 0)
                        return 0;
                *size += (uint64_t)n;
                if (*size > max)
                        return err_set(err, ERR_LIMIT, 0, "%s has more than %llu bytes (launch.module_max)",
                                       SHOW(name), (unsigned long long)max);
                r = fd_write(to, "a copy", VIEW(chunk, (size_t)n), err);
                if (r < 0)
                        return r;
        }
}

static int seal(struct launch_copy *c, uint64_t size, struct err *err)
{
        int seals;
        void *p;

        if (fcntl(c->fd, F_ADD_SEALS, SEALS) < 0)
                return err_errno(err, errno, "sealing a copy");
        seals = fcntl(c->fd, F_GET_SEALS);
        if (seals < 0 || (seals & SEALS) != SEALS)
                return err_set(err, ERR_BUG, 0, "the kernel shows seals 0x%x on a copy, not 0x%x", seals,
                               SEALS);
        if (lseek(c->fd, 0, SEEK_SET) < 0)
                return err_errno(err, errno, "lseek");
        if (size == 0)
                return 0;
        p = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, c->fd, 0);
        if (p == MAP_FAILED)
                return err_errno(err, errno, "mapping a copy");
        c->data = VIEW(p, (size_t)size);
        return 0;
}

int launch_copy_make(int fd, const char *name, uint64_t max, bool executable, struct launch_copy *ret,
                     struct err *err)
{
        AUTO(launch_copy_done) struct launch_copy c = LAUNCH_COPY_NONE;
        uint64_t size = 0;
        struct stat st;
        int r;

        if (fstat(fd, &st) < 0)
                return err_errno(err, errno, "%s", SHOW(name));
        if (!S_ISREG(st.st_mode))
                return err_set(err, ERR_CONFIG, 0,
                               "%s is no regular file: what is launched has to hold still", SHOW(name));
        c.fd = make(executable);
        if (c.fd < 0)
                return err_errno(err, errno, "memfd_create");
        r = copy(fd, c.fd, name, max, &size, err);
        if (r >= 0 && executable && fchmod(c.fd, 0555) < 0)
                r = err_errno(err, errno, "fchmod");
        if (r >= 0)
                r = seal(&c, size, err);
        if (r < 0)
                return r;
        *ret = c;
        c = (struct launch_copy)LAUNCH_COPY_NONE;
        return 0;
}

void launch_copy_done(struct launch_copy *c)
{
        if (c->data.p)
                (void)munmap((void *)(uintptr_t)c->data.p, c->data.len);
        fd_close_p(&c->fd);
        *c = (struct launch_copy)LAUNCH_COPY_NONE;
}
