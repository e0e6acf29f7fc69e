/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_REGISTRAR_EXEC_HOOK_H
#define AVOW_REGISTRAR_EXEC_HOOK_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "http/loop.h"

/*
 * Runs a program of the operator's with an event on its standard input: no shell, no arguments, an empty
 * environment, a process group that is killed at its deadline.
 */
struct exec_run;

/* How it ended: ERR NULL when it exited with 0. */
typedef void (*exec_done_fn)(void *ctx, const struct err *err);

/* Is DIR/NAME a program that only root can change? Return: 0; -ERR_CONFIG saying what is wrong. */
int exec_check(const char *dir, const char *name, struct err *err) MUST_USE;

/* Checks and starts; DONE is called on the loop, never from inside. Return: 0; -ERR_CONFIG, -ERR_IO. */
int exec_start(struct loop *loop, const char *dir, const char *name, struct view input, int64_t timeout_ms,
               exec_done_fn done, void *ctx, struct exec_run **ret, struct err *err) MUST_USE;
/* Kills it; DONE is not called. NULL is fine. */
void exec_cancel(struct exec_run *run);

#endif
