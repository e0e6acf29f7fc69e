/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow secret read`: what a workload's script calls. It says a name at the agent's socket and writes what
 * comes to standard output, nothing else. Who may have it is the agent's to say, which asks the kernel who is
 * at the other end: so the unit that calls this counts, and a call from a shell is a call from a login.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "tenant/commands.h"

#define SOCKET_PATH    AVOW_RUNDIR "/agent.sock"
#define ANSWER_MAX     65536
#define HEAD_MAX       1024
#define ANSWER_SECONDS 60 /* the agent answers within 30 */

struct read_values {
        const char *socket;
};

static const struct option_row read_options[] = {
        {"socket", "PATH", "the agent's socket (default " SOCKET_PATH ")", OPTION_TEXT,
         offsetof(struct read_values, socket)},
        {0},
};

static int reach(const char *path, int *ret, struct err *err)
{
        AUTO(fd_close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const struct timeval patience = {.tv_sec = ANSWER_SECONDS};
        struct sockaddr_un sa = {.sun_family = AF_UNIX};

        if (fd < 0)
                return err_errno(err, errno, "socket");
        if (strlen(path) >= sizeof(sa.sun_path))
                return err_set(err, ERR_CONFIG, 0, "--socket: a socket's path has at most %zu bytes",
                               sizeof(sa.sun_path) - 1);
        memcpy(sa.sun_path, path, strlen(path) + 1);
        if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
                return err_errno(err, errno, "SO_RCVTIMEO");
        if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
                return err_set(err, ERR_PEER, 0, /* undecided, not misuse: it may be about to start */
                               "%s: %s (does avow-agent run here, and has it rows in secrets.acl?)",
                               SHOW(path), strerror(errno));
        *ret = fd;
        fd = -1;
        return 0;
}

/* All that comes until the end, into locked memory. */
static int receive(int fd, struct secret *ret, size_t *ret_len, struct err *err)
{
        size_t n = 0;

        if (secret_alloc(ret, ANSWER_MAX) < 0)
                return err_nomem(err);
        for (;;) {
                ssize_t got = recv(fd, ret->p + n, ret->len - n, 0);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return err_errno(err, errno, "the agent's answer");
                if (got == 0)
                        break;
                n += (size_t)got;
                if (n == ret->len)
                        return err_set(err, ERR_PEER, 0, "the agent's answer is too long");
        }
        *ret_len = n;
        return 0;
}

/* "ok BYTES LEASE" or "no WORD TEXT". Return: an enum answer and where the secret is in IN; < 0. */
static int understand(struct view in, struct view *ret, struct err *err)
{
        const uint8_t *end = in.len ? memchr(in.p, '\n', in.len < HEAD_MAX ? in.len : HEAD_MAX) : NULL;
        struct view head = VIEW(in.p, end ? (size_t)(end - in.p) : 0), number;
        const uint8_t *space;
        uint64_t size;

        if (!end)
                return err_set(err, ERR_PEER, 0, "the agent gave no answer");
        *ret = VIEW(end + 1, in.len - head.len - 1);
        if (head.len > 3 && view_equal(VIEW(head.p, 3), VIEW("no ", 3))) {
                (void)fprintf(stderr, "avow: %s\n", SHOW_VIEW(VIEW(head.p + 3, head.len - 3)));
                return head.len > 14 && view_equal(VIEW(head.p + 3, 11), VIEW("unavailable", 11))
                               ? ANSWER_UNDECIDED
                               : ANSWER_NO;
        }
        if (head.len <= 3 || !view_equal(VIEW(head.p, 3), VIEW("ok ", 3)))
                return err_set(err, ERR_PEER, 0, "the agent's answer is none: %s", SHOW_VIEW(head));
        number = VIEW(head.p + 3, head.len - 3);
        space = memchr(number.p, ' ', number.len);
        number.len = space ? (size_t)(space - number.p) : number.len;
        if (str_parse_uint(number, ANSWER_MAX, &size, err) < 0 || size != ret->len)
                return err_set(err, ERR_PEER, 0, "the agent's answer was cut off");
        return ANSWER_DONE;
}

static int run_read(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct read_values *v = values;
        AUTO(mem_free_p) char *line = str_fmt("%s\n", args[0]);
        AUTO(secret_free) struct secret answer = {0};
        AUTO(fd_close_p) int fd = -1;
        struct view plain = VIEW_NONE;
        size_t n = 0;
        int r;

        (void)s;
        (void)n_args;
        if (!line)
                return err_nomem(err);
        if (!str_valid_name(args[0]))
                return err_set(err, ERR_CONFIG, 0, "%s is no name of a secret", SHOW(args[0]));
        r = reach(v->socket ? v->socket : SOCKET_PATH, &fd, err);
        if (r >= 0)
                r = fd_write(fd, "the agent's socket", view_str(line), err);
        if (r >= 0)
                r = receive(fd, &answer, &n, err);
        if (r >= 0)
                r = understand(VIEW(answer.p, n), &plain, err);
        if (r == ANSWER_DONE && fd_write(STDOUT_FILENO, "standard output", plain, err) < 0)
                return -(int)err->kind;
        return r;
}

const struct command secret_read_commands[] = {
        {"secret", "read", "NAME", "On a host: read a secret from its agent, as a workload does",
         read_options, sizeof(struct read_values), 1, 1, run_read},
        {0},
};
