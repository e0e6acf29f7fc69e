/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_LAUNCH_START_H
#define AVOW_AGENT_LAUNCH_START_H

#include <stdbool.h>
#include <sys/types.h>

#include "agent/launch_files.h"
#include "agent/launch_folder.h"
#include "agent/launch_wire.h"
#include "base/err.h"

/* Whose rights a module runs with: never more than those of who asked. */
struct launch_identity {
        uid_t uid;
        gid_t gid;
        bool change; /* false: we are not root, and the asker is who we are */
};

struct launch_start {
        const struct launch_runtime *runtime;
        const struct launch_files *files;
        const struct launch_folder *folder;
        const struct launch_ask *ask; /* arguments, limits */
        struct launch_identity who;
        int module, input, output, error;
};
#define LAUNCH_MODULE_FD 3 /* in the runtime's process */

struct launch_process {
        pid_t pid; /* leads a session of its own */
        int pidfd;
};

/*
 * Starts the runtime: a session and process group of its own, no descriptor but its standard ones, the module
 * and private copies, no environment but the configuration's, no capability, no new privileges, no core
 * files, killed when this process ends. The executable is the descriptor that was digested. Returns when the
 * exec was done. Return: 0; -ERR_IO with what failed; -ERR_NOMEM.
 */
int launch_start(const struct launch_start *s, struct launch_process *ret, struct err *err) MUST_USE;
/* Sends signal NUMBER to the process and whatever it started. */
void launch_signal(const struct launch_process *p, int number);
/* Kills it and what it started, and takes its end. Return: waitpid()'s status; 0 if there was no process. */
int launch_process_kill(struct launch_process *p);

#endif
