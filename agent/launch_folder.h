/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_LAUNCH_FOLDER_H
#define AVOW_AGENT_LAUNCH_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "base/mem.h"

/*
 * The folder of one launch, under run.dir/launch, which nobody but root and the group of modules can enter:
 *
 *   module.wasm    a link to the module's descriptor in whichever process follows it, for runtimes that want
 *                  a name
 *   secrets/NAME   a FIFO: the runtime opens it when the module does, and waits until the secret is written;
 *                  it can be read once. No secret is ever on a file system, so none is left on one
 */
struct launch_folder {
        char *path, *secrets;
        gid_t gid;
};

/* Makes DIR/ID. MODULE_FD: the number under which the runtime will have the module. Return: 0; -ERR_IO. */
int launch_folder_make(const char *dir, const char *id, gid_t gid, int module_fd, struct launch_folder *ret,
                       struct err *err) MUST_USE;
int launch_folder_add(const struct launch_folder *f, const char *secret, struct err *err) MUST_USE;
/* Does somebody wait at the FIFO of SECRET? Return: the descriptor to write to, the caller's; -1: not yet;
 * < -1: it is gone. */
int launch_folder_reader(const struct launch_folder *f, const char *secret);
/* Removes a FIFO that was served; the whole folder. */
void launch_folder_served(const struct launch_folder *f, const char *secret);
void launch_folder_done(struct launch_folder *f);

/* At the start: makes DIR, and removes what launches left that were killed. Return: 0; -ERR_IO. */
int launch_folder_clean(const char *dir, gid_t gid, struct err *err) MUST_USE;

#endif
