/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_LOCAL_HOOKS_H
#define AVOW_AGENT_LOCAL_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"

/*
 * Programs of the operator's that are told when this host's trust changes: the executables of a folder, one
 * after the other in bytewise order, the event as JSON on standard input, no shell, no arguments, an empty
 * environment, each killed with its process group at its deadline. They are told afterwards: nothing of a
 * wipe waits for them, and none can stop it. The folder and each program must be root's (or whoever runs the
 * agent) and writable by nobody else; what is not so is passed over and said in the log.
 */
struct local_hooks;

int local_hooks_new(const char *dir, int64_t timeout_ms, struct local_hooks **ret, struct err *err) MUST_USE;
void local_hooks_free(struct local_hooks *h); /* kills what runs */
DEFINE_AUTO(struct local_hooks, local_hooks_free)

void local_hooks_configure(struct local_hooks *h, int64_t timeout_ms);

/* Begins a run with EVENT; one that is under way is given up. Return: 0; -ERR_IO, -ERR_NOMEM. */
int local_hooks_start(struct local_hooks *h, struct view event, struct err *err) MUST_USE;
/* Goes on: takes the end of a program, starts the next, kills a late one. Return: ms until it has to be
 * called again at the latest, or -1 if nothing runs. Call it as well after SIGCHLD. */
int64_t local_hooks_turn(struct local_hooks *h, int64_t mono_ms);
bool local_hooks_busy(const struct local_hooks *h);

#endif
