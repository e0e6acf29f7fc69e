/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local hooks. The process that runs them holds the TPM's keys, so programs are spawned, never forked into,
 * with no descriptor of ours but the event; and a program that somebody else could have put there is not run.
 */
#include "agent/local_hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define LOOK_AGAIN_MS 1000

struct local_hooks {
        char *dir;
        int64_t timeout_ms;
        struct buf event;
        struct strv names;
        size_t next; /* of names */
        pid_t pid;   /* 0: none runs */
        int64_t deadline_ms;
        bool late;
};

int local_hooks_new(const char *dir, int64_t timeout_ms, struct local_hooks **ret, struct err *err)
{
        AUTO(local_hooks_free_p) struct local_hooks *h = mem_zalloc(1, sizeof(*h));

        if (!h || !(h->dir = str_dup(dir)))
                return err_nomem(err);
        h->timeout_ms = timeout_ms;
        *ret = TAKE(h);
        return 0;
}

void local_hooks_configure(struct local_hooks *h, int64_t timeout_ms)
{
        h->timeout_ms = timeout_ms;
}

static void give_up(struct local_hooks *h)
{
        if (h->pid) {
                (void)kill(-h->pid, SIGKILL);
                (void)waitpid(h->pid, NULL, 0); /* it is dead */
        }
        h->pid = 0;
        strv_done(&h->names);
        h->names = (struct strv){0};
        h->next = 0;
        buf_reset(&h->event);
}

void local_hooks_free(struct local_hooks *h)
{
        if (!h)
                return;
        give_up(h);
        buf_free(&h->event);
        free(h->dir);
        free(h);
}

/* Only root, or whoever we are, may have put it there. */
static int check_path(const char *path, bool folder, struct err *err)
{
        struct stat st;

        if (lstat(path, &st) < 0)
                return err_errno(err, errno, "%s", SHOW(path));
        if (folder ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
                return err_set(err, ERR_CONFIG, 0, "%s is no %s", SHOW(path),
                               folder ? "folder" : "regular file");
        if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & (S_IWGRP | S_IWOTH)))
                return err_set(err, ERR_CONFIG, 0, "%s must be root's, and writable by nobody else",
                               SHOW(path));
        if (!folder && !(st.st_mode & S_IXUSR))
                return err_set(err, ERR_CONFIG, 0, "%s is not executable", SHOW(path));
        return 0;
}

int local_hooks_start(struct local_hooks *h, struct view event, struct err *err)
{
        struct err why = ERR_INIT;

        give_up(h);
        if (check_path(h->dir, true, &why) < 0) {
                if (why.code != ENOENT)
                        log_err(&why, "local hooks");
                return 0;
        }
        buf_put_view(&h->event, event);
        if (!buf_ok(&h->event))
                return err_nomem(err);
        return file_list(h->dir, "", &h->names, err);
}

static int input_file(struct view input, struct err *err)
{
        int fd = memfd_create("event", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        if (fd < 0)
                return err_errno(err, errno, "memfd_create");
        if (fd_write(fd, "event", input, err) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
            fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0) {
                (void)close(fd);
                return err->kind ? -(int)err->kind : err_errno(err, errno, "event");
        }
        return fd;
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
        if (r == 0) {
                (void)sigfillset(&all);
                (void)sigdelset(&all, SIGKILL);
                (void)sigdelset(&all, SIGSTOP);
                (void)sigemptyset(&none);
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
        }
        (void)posix_spawn_file_actions_destroy(&files);
        return r;
}

static int run_one(struct local_hooks *h, const char *name, int64_t mono_ms, struct err *err)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/%s", h->dir, name);
        AUTO(fd_close_p) int fd = -1;
        int r;

        if (!path)
                return err_nomem(err);
        r = check_path(path, false, err);
        if (r < 0)
                return r;
        fd = input_file(VIEW_BUF(&h->event), err);
        if (fd < 0)
                return fd;
        r = spawn(path, fd, &h->pid);
        if (r != 0) {
                h->pid = 0;
                return err_errno(err, r, "%s", SHOW(path));
        }
        h->late = false;
        h->deadline_ms = mono_ms + h->timeout_ms;
        return 0;
}

/* The running program ended. */
static void took(struct local_hooks *h, int status)
{
        const char *name = h->names.items[h->next - 1];

        if (h->late)
                log_warning("local hook %s: killed at its time limit", SHOW(name));
        else if (WIFSIGNALED(status))
                log_warning("local hook %s: ended by signal %d", SHOW(name), WTERMSIG(status));
        else if (WEXITSTATUS(status))
                log_warning("local hook %s: exit status %d", SHOW(name), WEXITSTATUS(status));
        else
                log_info("local hook %s: done", SHOW(name));
        (void)kill(-h->pid, SIGKILL); /* what it left behind */
        h->pid = 0;
}

int64_t local_hooks_turn(struct local_hooks *h, int64_t mono_ms)
{
        int status = 0;

        if (h->pid && mono_ms >= h->deadline_ms && !h->late) {
                h->late = true;
                (void)kill(-h->pid, SIGKILL);
        }
        if (h->pid && waitpid(h->pid, &status, WNOHANG) == h->pid)
                took(h, status);
        while (!h->pid && h->next < h->names.n) {
                struct err err = ERR_INIT;
                const char *name = h->names.items[h->next++];

                if (run_one(h, name, mono_ms, &err) < 0)
                        log_err(&err, "local hook %s", SHOW(name));
        }
        if (!h->pid)
                return -1;
        return h->late || h->deadline_ms - mono_ms > LOOK_AGAIN_MS ? LOOK_AGAIN_MS : h->deadline_ms - mono_ms;
}

bool local_hooks_busy(const struct local_hooks *h)
{
        return h->pid || h->next < h->names.n;
}
