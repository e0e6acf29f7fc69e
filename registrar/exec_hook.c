/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs as hooks. That a program is run at all is the configuration's word alone (SR-8); that it is the
 * one that was meant is checked before each run: a regular file in a folder, both root's and writable by
 * nobody else.
 */
#include "exec_hook.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/program.h"

struct exec_run {
        pid_t pid;
        int pidfd;
        bool late;
        struct loop_watch *watch;
        struct loop_timer *timer;
        exec_done_fn done;
        void *ctx;
};

int exec_check(const char *dir, const char *name, struct err *err)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/%s", dir, name);

        if (!path)
                return err_nomem(err);
        return program_check_folder(dir, PROGRAM_ROOTS, err) < 0 ? -(int)err->kind
                                                                 : program_check(path, PROGRAM_ROOTS, err);
}

static void run_free(struct exec_run *run)
{
        if (!run)
                return;
        loop_watch_free(run->watch);
        loop_timer_free(run->timer);
        if (run->pidfd >= 0)
                (void)close(run->pidfd);
        free(run);
}
DEFINE_AUTO(struct exec_run, run_free)

static void on_late(void *ctx)
{
        struct exec_run *run = ctx;

        run->late = true;
        (void)kill(-run->pid, SIGKILL); /* its whole group */
}

static void on_exit_of(void *ctx, unsigned events)
{
        AUTO(run_free_p) struct exec_run *run = ctx;
        struct err err = ERR_INIT;
        int status = 0;

        (void)events;
        if (waitpid(run->pid, &status, 0) < 0)
                (void)err_errno(&err, errno, "waiting for the program");
        else if (run->late)
                (void)err_set(&err, ERR_PEER, 0, "killed at its time limit");
        else if (WIFSIGNALED(status))
                (void)err_set(&err, ERR_PEER, 0, "ended by signal %d", WTERMSIG(status));
        else if (WEXITSTATUS(status) != 0)
                (void)err_set(&err, ERR_PEER, 0, "exit status %d", WEXITSTATUS(status));
        (void)kill(-run->pid, SIGKILL); /* what it left behind */
        run->done(run->ctx, err.kind == ERR_NONE ? NULL : &err);
}

int exec_start(struct loop *loop, const char *dir, const char *name, struct view input, int64_t timeout_ms,
               exec_done_fn done, void *ctx, struct exec_run **ret, struct err *err)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/%s", dir, name);
        AUTO(run_free_p) struct exec_run *run = mem_zalloc(1, sizeof(*run));
        int r;

        if (!path || !run)
                return err_nomem(err);
        *run = (struct exec_run){.pidfd = -1, .done = done, .ctx = ctx};
        r = exec_check(dir, name, err);
        if (r >= 0)
                r = loop_timer_new(loop, on_late, run, &run->timer, err);
        if (r >= 0)
                r = program_start(path, input, &run->pid, err);
        if (r < 0)
                return r;
        run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
        r = run->pidfd < 0 ? err_errno(err, errno, "pidfd_open")
                           : loop_watch_new(loop, run->pidfd, LOOP_READ, on_exit_of, run, &run->watch, err);
        if (r < 0) {
                program_kill(run->pid);
                return r;
        }
        loop_timer_start(run->timer, timeout_ms);
        *ret = TAKE(run);
        return 0;
}

void exec_cancel(struct exec_run *run)
{
        if (!run)
                return;
        program_kill(run->pid);
        run_free(run);
}
