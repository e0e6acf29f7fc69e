/* SPDX-License-Identifier: Apache-2.0 */
#include "base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"

static int check(const char *path, bool folder, enum program_owner owner, struct err *err)
{
        struct stat st;

        if (lstat(path, &st) < 0)
                return err_set(err, ERR_CONFIG, errno, "'%s' is missing", path);
        if (folder ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
                return err_set(err, ERR_CONFIG, 0, "'%s' is no %s", path, folder ? "folder" : "regular file");
        if ((st.st_uid != 0 && (owner == PROGRAM_ROOTS || st.st_uid != geteuid())) ||
            (st.st_mode & (S_IWGRP | S_IWOTH)))
                return err_set(err, ERR_CONFIG, 0,
                               "'%s' must be root's, and writable by nobody else: "
                               "chown root, chmod go-w",
                               path);
        if (!folder && !(st.st_mode & S_IXUSR))
                return err_set(err, ERR_CONFIG, 0, "'%s' is not executable", path);
        return 0;
}

int program_check_folder(const char *path, enum program_owner owner, struct err *err)
{
        return check(path, true, owner, err);
}

int program_check(const char *path, enum program_owner owner, struct err *err)
{
        return check(path, false, owner, err);
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

int program_start(const char *path, struct view input, pid_t *ret, struct err *err)
{
        AUTO(fd_close_p) int fd = -1;
        int r = input_file(input, &fd, err);

        if (r < 0)
                return r;
        r = spawn(path, fd, ret);
        return r != 0 ? err_errno(err, r, "'%s'", path) : 0;
}

void program_kill(pid_t pid)
{
        (void)kill(-pid, SIGKILL);
        (void)waitpid(pid, NULL, 0); /* it is dead */
}
