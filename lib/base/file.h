/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_FILE_H
#define AVOW_BASE_FILE_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/str.h"

/*
 * Files, the durable way. What is written here is on the disk, under its name, when the call returns 0; a
 * crash leaves the old content or the new one, never a part. Every error names the path. Descriptors are
 * O_CLOEXEC.
 */

/* Appends the whole file to RET. Return: 0; -ERR_IO (err->code is the errno), -ERR_LIMIT, -ERR_NOMEM. */
int file_read(const char *path, size_t max_bytes, struct buf *ret, struct err *err) MUST_USE;

/* Appends what is left behind FD, for files in /proc, sockets' ends and the like; NAME is for messages. */
int fd_read(int fd, const char *name, size_t max_bytes, struct buf *ret, struct err *err) MUST_USE;

/* Writes all of V, going on after short writes and signals. Return: 0; -ERR_IO. */
int fd_write(int fd, const char *name, struct view v, struct err *err) MUST_USE;

/*
 * Opens a regular file for reading, without hanging at a FIFO or waking a device.
 * Return: the descriptor, the caller's; -ERR_IO (err->code is the errno), -ERR_CONFIG if it is something
 * else.
 */
int file_open_regular(const char *path, struct stat *ret, struct err *err) MUST_USE;

/* Replaces PATH (or makes it) with V: temporary file beside it, fsync, rename, fsync of the folder. */
int file_write(const char *path, struct view v, mode_t mode, struct err *err) MUST_USE;

/* As file_write(), but never replaces: -ERR_IO with code EEXIST if PATH is there, in whatever form. */
int file_create(const char *path, struct view v, mode_t mode, struct err *err) MUST_USE;

/* Appends V in one write and syncs; makes the file with MODE if need be (and syncs the folder then).
 * A short write (disk full) is undone by truncating to the old length. */
int file_append(const char *path, struct view v, mode_t mode, struct err *err) MUST_USE;

/* Makes PATH and what is missing above it. An existing folder keeps its mode. Return: 0; -ERR_IO. */
int file_mkdirs(const char *path, mode_t mode, struct err *err) MUST_USE;

/* Removes a file and syncs its folder; one that is not there is fine. */
int file_remove(const char *path, struct err *err) MUST_USE;

/* Is there anything under this name (a dangling link counts)? */
bool file_exists(const char *path) MUST_USE;

/* The names in DIR that end in SUFFIX ("" for all), no hidden ones, sorted bytewise, appended to RET. */
int file_list(const char *dir, const char *suffix, struct strv *ret, struct err *err) MUST_USE;

/* Closes and forgets; for AUTO(fd_close_p) int fd = -1; */
void fd_close_p(int *fd);

#endif
