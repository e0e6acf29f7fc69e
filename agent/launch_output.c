/* SPDX-License-Identifier: Apache-2.0 */
/* The digest is of what the reader got: of each chunk after it was written. Spec: SR-24. */
#include "agent/launch_output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "crypto/digest.h"

/* The asker's descriptor may be one that does not wait. */
static bool write_all(int out, const uint8_t *p, size_t n)
{
        while (n > 0) {
                ssize_t w = write(out, p, n);

                if (w < 0 && errno == EAGAIN) {
                        struct pollfd fd = {.fd = out, .events = POLLOUT};

                        (void)poll(&fd, 1, -1);
                        continue;
                }
                if (w < 0 && errno != EINTR)
                        return false;
                if (w > 0) {
                        p += w;
                        n -= (size_t)w;
                }
        }
        return true;
}

/* Return: true if everything until the end of the pipe went on, and *RET is its digest. */
static bool pass(int in, int out, struct digest *ret)
{
        AUTO(digest_ctx_free_p) struct digest_ctx *ctx = NULL;
        struct err err = ERR_INIT;
        uint8_t chunk[65536];

        if (digest_ctx_new(DIGEST_SHA256, &ctx, &err) < 0)
                return false;
        for (;;) {
                ssize_t n = read(in, chunk, sizeof(chunk));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return false;
                if (n == 0)
                        return digest_ctx_final(ctx, ret, &err) >= 0;
                if (!write_all(out, chunk, (size_t)n) ||
                    digest_ctx_update(ctx, VIEW(chunk, (size_t)n), &err) < 0)
                        return false;
        }
}

static void helper(int in, int out, int result)
{
        struct digest digest;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!pass(in, out, &digest))
                _exit(1);
        _exit(write(result, digest.b, 32) == 32 ? 0 : 1);
}

int launch_output_start(int out, struct launch_output *ret, struct err *err)
{
        int through[2], result[2];
        pid_t pid;

        if (pipe2(through, O_CLOEXEC) < 0)
                return err_errno(err, errno, "pipe");
        if (pipe2(result, O_CLOEXEC) < 0) {
                (void)close(through[0]);
                (void)close(through[1]);
                return err_errno(err, errno, "pipe");
        }
        pid = fork();
        if (pid == 0) {
                (void)close(through[1]);
                (void)close(result[0]);
                helper(through[0], out, result[1]);
        }
        (void)close(through[0]);
        (void)close(result[1]);
        *ret = (struct launch_output){.pid = pid, .in = through[1], .result = result[0]};
        if (pid > 0)
                return 0;
        ret->pid = 0;
        launch_output_done(ret);
        return err_errno(err, errno, "fork");
}

bool launch_output_digest(struct launch_output *o, uint8_t ret[32])
{
        ssize_t n;

        do
                n = read(o->result, ret, 32);
        while (n < 0 && errno == EINTR);
        return n == 32;
}

void launch_output_done(struct launch_output *o)
{
        fd_close_p(&o->in);
        fd_close_p(&o->result);
        if (o->pid > 0) {
                (void)kill(o->pid, SIGKILL);
                while (waitpid(o->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        *o = (struct launch_output)LAUNCH_OUTPUT_NONE;
}
