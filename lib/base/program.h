/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_PROGRAM_H
#define AVOW_BASE_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"

/*
 * Programs of the operator's that are told of an event: no shell, no arguments, an environment of PATH and
 * LC_ALL, the event as a sealed memory file on standard input (so that one that does not read never blocks
 * us), no other descriptor of ours, a process group of its own. Whoever runs one may hold keys: it is
 * spawned, never forked into.
 */

enum program_owner {
        PROGRAM_ROOTS,        /* root alone may have put it there */
        PROGRAM_ROOTS_OR_OURS /* or whoever we run as */
};
/* Is PATH a folder, a program, that nobody else can change? Return: 0; -ERR_CONFIG saying what is wrong, with
 * an errno in its code if it could not be looked at (ENOENT: there is none). */
int program_check_folder(const char *path, enum program_owner owner, struct err *err) MUST_USE;
int program_check(const char *path, enum program_owner owner, struct err *err) MUST_USE;

/* Starts PATH with INPUT. Return: 0 with its process, which leads its group; -ERR_IO. */
int program_start(const char *path, struct view input, pid_t *ret, struct err *err) MUST_USE;
/* Kills the group of PID and takes its end. */
void program_kill(pid_t pid);

#endif
