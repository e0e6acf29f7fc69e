/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading another process's mappings needs that process's rights or CAP_SYS_PTRACE. The launcher has neither
 * to keep: it takes the module's user and group for file access only (setfsuid) while it opens the file.
 * Spec: proc(5), /proc/pid/maps; ptrace(2), "Ptrace access mode checking".
 */
#include "agent/launch_maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"

#define MAPS_BYTES_MAX (16u << 20)

bool map_id_equal(const struct map_id *a, const struct map_id *b)
{
        return a->major == b->major && a->minor == b->minor && a->ino == b->ino;
}

/* Digits up to END, which is skipped. */
static bool number(struct view *line, int base, char end, uint64_t *ret)
{
        uint64_t v = 0;
        size_t i = 0;

        for (; i < line->len && line->p[i] != (uint8_t)end; i++) {
                int digit = hex_digit(line->p[i]);

                if (digit < 0 || digit >= base || v > (UINT64_MAX - (unsigned)digit) / (unsigned)base)
                        return false;
                v = v * (unsigned)base + (unsigned)digit;
        }
        if (i == 0 || i == line->len)
                return false;
        *line = VIEW(line->p + i + 1, line->len - i - 1);
        *ret = v;
        return true;
}

/* "start-end rwxp offset major:minor inode   path" */
static bool row(struct view line, struct map_row *ret)
{
        uint64_t end, offset, major, minor;

        if (!number(&line, 16, '-', &ret->start) || !number(&line, 16, ' ', &end) || line.len < 5 ||
            line.p[4] != ' ')
                return false;
        ret->executable = line.p[2] == 'x';
        line = VIEW(line.p + 5, line.len - 5);
        if (!number(&line, 16, ' ', &offset) || !number(&line, 16, ':', &major) ||
            !number(&line, 16, ' ', &minor) || major > UINT32_MAX || minor > UINT32_MAX)
                return false;
        /* Without a path some kernels end the line behind the inode. */
        if (line.len && memchr(line.p, ' ', line.len)) {
                if (!number(&line, 10, ' ', &ret->id.ino))
                        return false;
        } else {
                struct err ignored = ERR_INIT;

                if (str_parse_uint(line, UINT64_MAX, &ret->id.ino, &ignored) < 0)
                        return false;
                line = VIEW_NONE;
        }
        while (line.len && line.p[0] == ' ')
                line = VIEW(line.p + 1, line.len - 1);
        ret->id.major = (uint32_t)major;
        ret->id.minor = (uint32_t)minor;
        ret->path = line;
        return true;
}

int map_row_take(struct view *text, struct map_row *ret, struct err *err)
{
        const uint8_t *newline = text->len ? memchr(text->p, '\n', text->len) : NULL;
        struct map_row m = {0};
        struct view line;

        if (text->len == 0)
                return 0;
        if (!newline)
                return err_set(err, ERR_FORMAT, 0, "a line of mappings without an end");
        line = VIEW(text->p, (size_t)(newline - text->p));
        if (!row(line, &m))
                return err_set(err, ERR_FORMAT, 0, "%s is no line of mappings", SHOW_VIEW(line));
        *text = VIEW(newline + 1, text->len - line.len - 1);
        *ret = m;
        return 1;
}

int map_id_of(int fd, struct map_id *ret, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        void *p = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0);
        struct map_row m;
        struct view rest;
        int r;

        if (p == MAP_FAILED)
                return err_errno(err, errno, "mmap");
        r = file_read("/proc/self/maps", MAPS_BYTES_MAX, &text, err);
        rest = VIEW_BUF(&text);
        (void)munmap(p, 1);
        while (r >= 0) {
                r = map_row_take(&rest, &m, err);
                if (r == 0)
                        return err_set(err, ERR_BUG, 0, "a mapping of ours is not shown");
                if (r > 0 && m.start == (uint64_t)(uintptr_t)p) {
                        *ret = m.id;
                        return 0;
                }
        }
        return r;
}

int maps_read(pid_t pid, uid_t uid, gid_t gid, struct buf *ret, struct err *err)
{
        AUTO(mem_free_p) char *path = str_fmt("/proc/%d/maps", (int)pid);
        AUTO(fd_close_p) int fd = -1;
        int error;

        if (!path)
                return err_nomem(err);
        (void)setfsgid(gid);
        (void)setfsuid(uid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        error = errno;
        (void)setfsuid(geteuid());
        (void)setfsgid(getegid());
        if (fd < 0)
                return err_errno(err, error, "%s", path);
        return fd_read(fd, path, MAPS_BYTES_MAX, ret, err);
}
