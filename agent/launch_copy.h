/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_LAUNCH_COPY_H
#define AVOW_AGENT_LAUNCH_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"

/*
 * A private copy of a file's bytes that nobody can change any more, whatever descriptors they hold: a memory
 * file with every seal. What is digested is the copy, and what is used is the copy (SR-21, SR-22).
 */
struct launch_copy {
        int fd;           /* positioned at the start; -1: none */
        struct view data; /* its bytes, mapped read-only while the copy lives */
};
#define LAUNCH_COPY_NONE                                                                                     \
        {                                                                                                    \
                .fd = -1                                                                                     \
        }

/*
 * Copies what FD, a regular file, holds from its start, at most MAX bytes; NAME is for messages. EXECUTABLE:
 * the copy is to be executed itself. Return: 0; -ERR_CONFIG if it is no regular file; -ERR_LIMIT; -ERR_IO;
 * -ERR_BUG if the kernel took the seals and does not show them.
 */
int launch_copy_make(int fd, const char *name, uint64_t max, bool executable, struct launch_copy *ret,
                     struct err *err) MUST_USE;
void launch_copy_done(struct launch_copy *c);

#endif
