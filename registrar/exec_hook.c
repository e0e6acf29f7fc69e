/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs as hooks. That a program is run at all is the configuration's word alone (SR-8); that it is the
 * one that was meant is checked before each run: a regular file in a folder, both root's and writable by
 * nobody else. The event is in a sealed memory file, so that a program that does not read never blocks us.
 */
#include "exec_hook.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"

struct exec_run {
        pid_t pid;
        int pidfd;
        bool late;
        struct loop_watch *watch;
        struct loop_timer *timer;
        exec_done_fn done;
        void *ctx;
};

static int check_path(const char *path, bool folder, struct err *err)
{
        struct stat st;

        if (lstat(path, &st) < 0)
                return err_set(err, ERR_CONFIG, errno, "'%s' is missing", path);
        if (folder ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
                return err_set(err, ERR_CONFIG, 0, "'%s' is no %s", path, folder ? "folder" : "regular file");
        if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
                return err_set(err, ERR_CONFIG, 0,
                               "'%s' must be root's, and writable by nobody else: "
                               "chown root, chmod go-w",
                               path);
        if (!folder && !(st.st_mode & S_IXUSR))
                return err_set(err, ERR_CONFIG, 0, "'%s' is not executable", path);
        return 0;
}

int exec_check(const char *dir, const char *name, struct err *err)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/%s", dir, name);

        if (!path)
                return err_nomem(err);
        return check_path(dir, true, err) < 0 ? -(int)err->kind : check_path(path, false, err);
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

static int input_file(struct view input, int *ret, struct err *err)
{
        AUTO(fd_close_p) int fd = memfd_create("event", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r;

        if (fd < 0)
                return err_errno(err, errno, "memfd_create");
        r = fd_write(fd, "event", input, err);
        if (r < 0)
                return r;
        if (lseek(fd, 0, SEEK_SET) < 0 ||
            fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
                return err_errno(err, errno, "event");
        *ret = fd;
        fd = -1;
        return 0;
}

/* Return: 0 or an errno. */
static int spawn(const char *path, int input, pid_t *ret)
{
        char *const env[] = {(char[]){"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, (char[]){"LC_ALL=C"}, NULL};
        char *const argv[] = {(char *)(uintptr_t)path, NULL};
        posix_spawn_file_actions_t files;
        posix_spawnattr_t attr;
        sigset_t all, none;
        int r = posix_spawn_file_actions_init(&files);

        if (r != 0)
                return r;
        r = posix_spawnattr_init(&attr);
        if (r != 0) {
                (void)posix_spawn_file_actions_destroy(&files);
                return r;
        }
        (void)sigfillset(&all);
        (void)sigemptyset(&none);
        (void)sigdelset(&all, SIGKILL);
        (void)sigdelset(&all, SIGSTOP);
        r = posix_spawn_file_actions_adddup2(&files, input, 0);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&files, 2, 1);
        if (r == 0)
                r = posix_spawn_file_actions_addclosefrom_np(&files, 3);
        if (r == 0)
                r = posix_spawn_file_actions_addchdir_np(&files, "/");
        if (r == 0)
                r = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
                                                            POSIX_SPAWN_SETSIGMASK);
        if (r == 0)
                r = posix_spawnattr_setsigdefault(&attr, &all);
        if (r == 0)
                r = posix_spawnattr_setsigmask(&attr, &none);
        if (r == 0)
                r = posix_spawn(ret, path, &files, &attr, argv, env);
        (void)posix_spawnattr_destroy(&attr);
        (void)posix_spawn_file_actions_destroy(&files);
        return r;
}

static void reap(pid_t pid)
{
        (void)kill(-pid, SIGKILL);
        (void)waitpid(pid, NULL, 0); /* it is dead */
}

int exec_start(struct loop *loop, const char *dir, const char *name, struct view input, int64_t timeout_ms,
               exec_done_fn done, void *ctx, struct exec_run **ret, struct err *err)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/%s", dir, name);
        AUTO(run_free_p) struct exec_run *run = mem_zalloc(1, sizeof(*run));
        AUTO(fd_close_p) int fd = -1;
        int r;

        if (!path || !run)
                return err_nomem(err);
        *run = (struct exec_run){.pidfd = -1, .done = done, .ctx = ctx};
        r = exec_check(dir, name, err);
        if (r >= 0)
                r = input_file(input, &fd, err);
        if (r >= 0)
                r = loop_timer_new(loop, on_late, run, &run->timer, err);
        if (r < 0)
                return r;
        r = spawn(path, fd, &run->pid);
        if (r != 0)
                return err_errno(err, r, "'%s'", path);
        run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
        r = run->pidfd < 0 ? err_errno(err, errno, "pidfd_open")
                           : loop_watch_new(loop, run->pidfd, LOOP_READ, on_exit_of, run, &run->watch, err);
        if (r < 0) {
                reap(run->pid);
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
        reap(run->pid);
        run_free(run);
}
