/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network half from outside. It is another program: its address space never held the AK's auth value, it
 * does not load the TPM's libraries, and we do not load those that speak HTTP. It keeps no descriptor but its
 * socket and stderr. It ends when its socket does. Spec: style guide, daemons (OpenSSH's privilege
 * separation).
 */
#include "agent/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define NET_PROGRAM  "avow-agent-net"
#define READ_BYTES   4096
#define WAIT_STEP_MS 10

/* The program: beside ours (as built), or where it is installed. NULL: no memory. */
static char *program_path(const char *program)
{
        char self[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self));
        char *slash = n > 0 ? memrchr(self, '/', (size_t)n) : NULL;
        char *path;

        if (slash) {
                path = str_fmt("%.*s/%s", (int)(slash - self), self, program);
                if (!path || access(path, X_OK) == 0)
                        return path;
                free(path);
        }
        return str_fmt(AVOW_LIBEXECDIR "/%s", program);
}

/* After fork, in the child: only what is allowed there. */
static void become(const char *path, const char *program, int fd, const char *config_file)
{
        const char *const argv[] = {program, "-c", config_file, NULL};
        sigset_t none;

        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        (void)unsetenv("NOTIFY_SOCKET"); /* readiness and watchdog are the TPM half's */
        (void)unsetenv("WATCHDOG_USEC");
        (void)unsetenv("WATCHDOG_PID");
        if (fd == CHILD_SOCKET_FD)
                (void)fcntl(fd, F_SETFD, 0);
        else if (dup2(fd, CHILD_SOCKET_FD) < 0)
                _exit(126);
        execv(path, (char *const *)argv);
        _exit(126);
}

int child_spawn(const char *program, const char *config_file, pid_t *ret_pid, int *ret_fd, struct err *err)
{
        AUTO(mem_free_p) char *path = program_path(program);
        int fds[2];
        pid_t pid;

        if (!path)
                return err_nomem(err);
        if (access(path, X_OK) < 0)
                return err_errno(err, errno, "%s", path);
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
                return err_errno(err, errno, "socketpair");
        pid = fork();
        if (pid == 0)
                become(path, program, fds[1], config_file);
        (void)close(fds[1]);
        if (pid < 0) {
                (void)close(fds[0]);
                return err_errno(err, errno, "fork");
        }
        *ret_pid = pid;
        *ret_fd = fds[0];
        return 0;
}

int child_start(struct child *c, const char *config_file, struct err *err)
{
        pid_t pid;
        int fd, r = child_spawn(NET_PROGRAM, config_file, &pid, &fd, err);

        if (r >= 0)
                *c = (struct child){.pid = pid, .fd = fd, .told_state = PRIVSEP_N_STATES};
        return r;
}

short child_events(const struct child *c)
{
        if (c->fd < 0)
                return 0;
        /* No new request is read before the last answer is gone. */
        return c->out.len > c->out_at ? POLLOUT : POLLIN;
}

static bool write_out(struct child *c)
{
        while (c->out.len > c->out_at) {
                ssize_t n = send(c->fd, c->out.p + c->out_at, c->out.len - c->out_at, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN;
                c->out_at += (size_t)n;
        }
        buf_free(&c->out); /* an answer with a log is large, and memory is counted */
        c->out = (struct buf){0};
        c->out_at = 0;
        return true;
}

/* Answers the first whole request. Return: 1 if there was one, 0, < 0 if it is none. */
static int answer_one(struct child *c, struct half *h)
{
        struct privsep_frame request;
        struct err err = ERR_INIT;
        int used = privsep_request_take(VIEW_BUF(&c->in), &request, &err);

        if (used < 0)
                log_err(&err, "network half");
        if (used <= 0)
                return used;
        half_answer(h, &request, &c->out);
        memmove(c->in.p, c->in.p + used, c->in.len - (size_t)used);
        c->in.len -= (size_t)used;
        return buf_ok(&c->out) ? 1 : -ERR_NOMEM;
}

static bool read_in(struct child *c)
{
        uint8_t bytes[READ_BYTES];
        ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);

        if (n < 0)
                return errno == EAGAIN || errno == EINTR;
        if (n == 0)
                return false;
        buf_put(&c->in, bytes, (size_t)n);
        return buf_ok(&c->in);
}

bool child_serve(struct child *c, struct half *h, short events)
{
        int r = 1;

        if (events & (POLLIN | POLLHUP | POLLERR) && !read_in(c))
                return false;
        if (!write_out(c))
                return false;
        while (r == 1 && c->out.len == 0) {
                r = answer_one(c, h);
                if (r < 0 || !write_out(c))
                        return false;
        }
        return true;
}

void child_tell(struct child *c, const struct half *h)
{
        AUTO(buf_free) struct buf body = {0};
        struct privsep_event event = {.state = half_state(h),
                                      .log_entries = half_log_entries(h),
                                      .wanted = half_wanted(h),
                                      .receipts = half_receipts(h)};

        if (c->fd < 0 || (c->told_state == event.state && c->told_entries == event.log_entries &&
                          c->told_wanted == event.wanted && c->told_receipts == event.receipts))
                return;
        privsep_event_put(&body, &event);
        if (!buf_ok(&body))
                return; /* told the next time */
        privsep_frame_put(&c->out, &(struct privsep_frame){.type = PRIVSEP_EVENT, .body = VIEW_BUF(&body)});
        c->told_state = event.state;
        c->told_entries = event.log_entries;
        c->told_wanted = event.wanted;
        c->told_receipts = event.receipts;
        (void)write_out(c); /* a broken socket shows at the next poll */
}

void child_hang_up(struct child *c)
{
        fd_close_p(&c->fd);
        buf_free(&c->in);
        buf_free(&c->out);
        c->in = c->out = (struct buf){0};
        c->out_at = 0;
}

void child_wait(pid_t *pid, int timeout_ms)
{
        for (int waited = 0; *pid > 0; waited += WAIT_STEP_MS) {
                if (waitpid(*pid, NULL, WNOHANG) == *pid) {
                        *pid = 0;
                        return;
                }
                if (waited == timeout_ms)
                        (void)kill(*pid, SIGKILL);
                (void)nanosleep(&(struct timespec){.tv_nsec = WAIT_STEP_MS * 1000000L}, NULL);
        }
}

void child_end(struct child *c, int timeout_ms)
{
        child_hang_up(c);
        child_wait(&c->pid, timeout_ms);
}
