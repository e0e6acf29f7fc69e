/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_LAUNCH_MAPS_H
#define AVOW_AGENT_LAUNCH_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"

/*
 * What a process has mapped executable, as /proc/PID/maps shows it. A file's device and inode there need not
 * be those of stat() (btrfs, overlayfs), so ours are learned by mapping the same files in this process.
 */
struct map_id {
        uint32_t major, minor;
        uint64_t ino;
};

struct map_row {
        uint64_t start;
        bool executable;
        struct map_id id; /* ino 0: no file (anonymous, vdso) */
        struct view path; /* as the kernel writes it, escaped; borrowed */
};

/* Takes the first line of TEXT. Return: 1; 0 at its end; -ERR_FORMAT. Pure. */
int map_row_take(struct view *text, struct map_row *ret, struct err *err) MUST_USE;
bool map_id_equal(const struct map_id *a, const struct map_id *b);

/* The identity of the file behind FD, by mapping its first page here. Return: 0; -ERR_IO. */
int map_id_of(int fd, struct map_id *ret, struct err *err) MUST_USE;

/* Appends /proc/PID/maps, read with the rights of UID and GID, whose process it is. Return: 0; -ERR_IO. */
int maps_read(pid_t pid, uid_t uid, gid_t gid, struct buf *ret, struct err *err) MUST_USE;

#endif
