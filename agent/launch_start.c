/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the launcher to the runtime. Between fork() and exec everything that was the launcher's is given up,
 * in an order that leaves no step with more rights than the next needs; whatever fails is said through a pipe
 * that a successful exec closes.
 *
 * The runtime's group is the modules' own (agent/launch_folder.c). Core files would hold the module's secrets
 * and belong to its user: a limit of one byte stops both files and the pipes of core_pattern, where zero
 * stops files only. Spec: SR-21, SR-22; execveat(2), capabilities(7), core(5).
 */
#include "agent/launch_start.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define HIGH_FD   512 /* above every descriptor that the runtime gets */
#define FDS_MAX   64
#define CORE_NONE 1
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/* What the child needs, made before the fork. */
struct prepared {
        struct strv argv, env;
        int fds[FDS_MAX]; /* what becomes 0, 1, 2, … */
        size_t n_fds;
        int exe;
};

/* A private copy's number in the runtime's process. */
static int give_file(struct prepared *p, const struct launch_start *s, const char *path, int *ret,
                     struct err *err)
{
        const struct launch_file_held *held = launch_files_copy(s->files, path);

        if (!held)
                return err_set(err, ERR_BUG, 0, "no copy of %s", SHOW(path));
        if (p->n_fds == FDS_MAX)
                return err_set(err, ERR_CONFIG, 0, "a runtime has at most %d files as copies", FDS_MAX - 4);
        *ret = (int)p->n_fds;
        p->fds[p->n_fds++] = held->copy.fd;
        return 0;
}

static void put_until(struct buf *out, const char **at, const char *mark)
{
        const char *found = strstr(*at, mark);

        buf_put(out, *at, (size_t)(found - *at));
        *at = found + strlen(mark);
}

/* One word of the configuration with its placeholders replaced; each stands at most once in a word. */
static int add_word(struct prepared *p, const struct launch_start *s, const char *word, struct err *err)
{
        AUTO(buf_free) struct buf out = {0};
        AUTO(mem_free_p) char *file = NULL;
        const char *at = word;
        int fd = -1, r = launch_file_of(word, &file, err);

        if (r >= 0 && file)
                r = give_file(p, s, file, &fd, err);
        if (r < 0)
                return r;
        if (strstr(at, LAUNCH_MODULE)) {
                put_until(&out, &at, LAUNCH_MODULE);
                if (s->runtime->named)
                        buf_str(&out, "module.wasm");
                else
                        buf_fmt(&out, "/proc/self/fd/%d", LAUNCH_MODULE_FD);
        } else if (strstr(at, LAUNCH_SECRETS)) {
                put_until(&out, &at, LAUNCH_SECRETS);
                buf_str(&out, "secrets");
        } else if (file) {
                put_until(&out, &at, LAUNCH_FILE);
                buf_fmt(&out, "/proc/self/fd/%d", fd);
                at = strchr(at, '}') + 1;
        }
        buf_str(&out, at);
        return strv_take(&p->argv, buf_take_str(&out)) < 0 ? err_nomem(err) : 0;
}

static int prepare(const struct launch_start *s, struct prepared *p, struct err *err)
{
        const struct launch_file_held *exe = &s->files->files[0];
        int r = strv_add(&p->argv, exe->path) < 0 ? err_nomem(err) : 0;

        p->fds[0] = s->input;
        p->fds[1] = s->output;
        p->fds[2] = s->error;
        p->fds[LAUNCH_MODULE_FD] = s->module;
        p->n_fds = LAUNCH_MODULE_FD + 1;
        p->exe = exe->copy.fd >= 0 ? exe->copy.fd : exe->fd;
        for (size_t i = 0; r >= 0 && i < s->runtime->n_argv; i++) {
                if (!str_equal(s->runtime->argv[i], LAUNCH_ARGS)) {
                        r = add_word(p, s, s->runtime->argv[i], err);
                        continue;
                }
                for (size_t k = 0; r >= 0 && k < s->ask->n_args; k++)
                        if (strv_take(&p->argv,
                                      str_ndup((const char *)s->ask->args[k].p, s->ask->args[k].len)) < 0)
                                r = err_nomem(err);
        }
        for (size_t i = 0; r >= 0 && i < s->runtime->n_env; i++)
                if (strv_add(&p->env, s->runtime->env[i]) < 0)
                        r = err_nomem(err);
        return r;
}

/* ---- in the child */

static void fail(int to, const char *what)
{
        int error = errno;
        struct {
                int error;
                char what[60];
        } said = {.error = error};

        memcpy(said.what, what, strnlen(what, sizeof(said.what) - 1));
        if (write(to, &said, sizeof(said)) < 0)
                _exit(126);
        _exit(126);
}

/* 0, 1, 2, … as prepared; what must stay until the exec moves out of their way first. */
static void set_descriptors(const struct prepared *p, int *exe, int *said)
{
        int high[FDS_MAX];

        *said = fcntl(*said, F_DUPFD_CLOEXEC, HIGH_FD);
        *exe = fcntl(p->exe, F_DUPFD_CLOEXEC, HIGH_FD);
        if (*said < 0 || *exe < 0)
                _exit(126);
        for (size_t i = 0; i < p->n_fds; i++) {
                high[i] = fcntl(p->fds[i], F_DUPFD_CLOEXEC, HIGH_FD);
                if (high[i] < 0)
                        fail(*said, "descriptors");
        }
        for (size_t i = 0; i < p->n_fds; i++)
                if (dup2(high[i], (int)i) < 0)
                        fail(*said, "descriptors");
        if (syscall(SYS_close_range, (unsigned)p->n_fds, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
                fail(*said, "close_range");
}

/* Never more than we have, and never a core file. */
static void set_limits(const struct launch_ask *ask, int said)
{
        static const struct rlimit no_core = {CORE_NONE, CORE_NONE};

        for (size_t i = 0; i < ask->n_limits; i++) {
                struct rlimit now, l = {ask->limits[i].soft, ask->limits[i].hard};

                if (ask->limits[i].resource == RLIMIT_CORE || getrlimit(ask->limits[i].resource, &now) < 0)
                        continue;
                l.rlim_max = l.rlim_max > now.rlim_max ? now.rlim_max : l.rlim_max;
                l.rlim_cur = l.rlim_cur > l.rlim_max ? l.rlim_max : l.rlim_cur;
                if (setrlimit(ask->limits[i].resource, &l) < 0)
                        fail(said, "resource limits");
        }
        if (setrlimit(RLIMIT_CORE, &no_core) < 0)
                fail(said, "no core files");
}

static void drop_capabilities(int said)
{
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct none[2] = {{0}};

        (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        if (syscall(SYS_capset, &head, none) < 0)
                fail(said, "capabilities");
}

static void become(const struct launch_start *s, int said)
{
        struct sigaction by_default = {.sa_handler = SIG_DFL};
        sigset_t none;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                fail(said, "no_new_privs");
        if (s->who.change && (setgroups(0, NULL) < 0 || setresgid(s->who.gid, s->who.gid, s->who.gid) < 0 ||
                              setresuid(s->who.uid, s->who.uid, s->who.uid) < 0))
                fail(said, "the asker's user");
        drop_capabilities(said);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* after the change of user, which clears it */
        (void)umask(077);
        for (int i = 1; i < NSIG; i++)
                (void)sigaction(i, &by_default, NULL);
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void child(const struct launch_start *s, const struct prepared *p, char *const *argv, char *const *env,
                  int said, pid_t parent)
{
        int exe;

        set_descriptors(p, &exe, &said);
        if (setsid() < 0)
                fail(said, "a session of its own");
        set_limits(s->ask, said);
        if (chdir(s->folder->path) < 0)
                fail(said, "chdir to the launch's folder");
        become(s, said);
        if (getppid() != parent) /* it ended before we asked to end with it */
                _exit(126);
        (void)syscall(SYS_execveat, exe, "", argv, env, AT_EMPTY_PATH);
        fail(said, "exec");
}

/* ---- in the launcher */

/* Waits for the exec, which closes the pipe, or for what failed before it. */
static int wait_for_exec(int from, const struct launch_start *s, struct err *err)
{
        struct {
                int error;
                char what[60];
        } said;
        ssize_t n;

        do
                n = read(from, &said, sizeof(said));
        while (n < 0 && errno == EINTR);
        if (n == 0)
                return 0;
        if (n != (ssize_t)sizeof(said))
                return err_errno(err, errno, "starting %s", SHOW(s->files->files[0].path));
        said.what[sizeof(said.what) - 1] = '\0';
        return err_errno(err, said.error, "starting %s: %s", SHOW(s->files->files[0].path), said.what);
}

static char **with_end(const struct strv *v)
{
        char **list = mem_zalloc(v->n + 1, sizeof(*list));

        for (size_t i = 0; list && i < v->n; i++)
                list[i] = v->items[i];
        return list;
}

static int run(const struct launch_start *s, const struct prepared *p, struct launch_process *ret,
               struct err *err)
{
        AUTO(mem_free_p) char **argv = with_end(&p->argv), **env = with_end(&p->env);
        int said[2], r;
        pid_t parent = getpid(), pid;

        if (!argv || !env)
                return err_nomem(err);
        if (pipe2(said, O_CLOEXEC) < 0)
                return err_errno(err, errno, "pipe");
        pid = fork();
        if (pid == 0)
                child(s, p, argv, env, said[1], parent);
        (void)close(said[1]);
        if (pid < 0) {
                (void)close(said[0]);
                return err_errno(err, errno, "fork");
        }
        ret->pid = pid;
        ret->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        r = ret->pidfd < 0 ? err_errno(err, errno, "pidfd_open") : wait_for_exec(said[0], s, err);
        (void)close(said[0]);
        return r;
}

int launch_start(const struct launch_start *s, struct launch_process *ret, struct err *err)
{
        struct prepared p = {0};
        struct launch_process process = {.pidfd = -1};
        int r = prepare(s, &p, err);

        if (r >= 0)
                r = run(s, &p, &process, err);
        strv_done(&p.argv);
        strv_done(&p.env);
        if (r < 0) {
                launch_process_kill(&process);
                return r;
        }
        *ret = process;
        return 0;
}

void launch_signal(const struct launch_process *p, int number)
{
        if (p->pid <= 0)
                return;
        if (kill(-p->pid, number) < 0 && p->pidfd >= 0) /* before setsid() there is no such group */
                (void)syscall(SYS_pidfd_send_signal, p->pidfd, number, NULL, 0);
}

int launch_process_kill(struct launch_process *p)
{
        int status = 0;

        if (p->pid > 0) {
                launch_signal(p, SIGKILL);
                while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
                        ;
        }
        fd_close_p(&p->pidfd);
        p->pid = 0;
        return status;
}
