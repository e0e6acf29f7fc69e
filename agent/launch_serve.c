/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TPM half's end of the launcher's socket. Answers are queued by agent/launch_permit.c, whatever made
 * them: a frame of the launcher's, the verifier's word, a revocation. They may hold secrets and are wiped
 * when they are gone.
 */
#include "agent/launch_serve.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "agent/launch_link.h"
#include "agent/launch_permit.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define READ_BYTES 16384

/* Return: false if the socket is broken. */
static bool write_out(struct launch_serve *s)
{
        struct buf *out = launches_out(half_launches(s->half));
        size_t at = 0;

        if (!buf_ok(out))
                return false; /* an answer is missing: the launcher would wait for ever */
        while (at < out->len) {
                ssize_t n = send(s->fd, out->p + at, out->len - at, MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno != EAGAIN)
                        return false;
                if (n < 0)
                        break;
                at += (size_t)n;
        }
        if (at == 0)
                return true;
        memmove(out->p, out->p + at, out->len - at);
        mem_wipe(out->p + out->len - at, at);
        out->len -= at;
        if (out->len == 0) {
                buf_free(out);
                *out = (struct buf){0};
        }
        return true;
}

static void flush(void *ctx)
{
        struct launch_serve *s = ctx;

        if (s->fd >= 0)
                (void)write_out(s); /* a broken socket shows at the next poll */
}

void launch_serve_flush(struct launch_serve *s)
{
        flush(s);
}

void launch_serve_attach(struct launch_serve *s, struct half *half, int fd)
{
        *s = (struct launch_serve){.fd = fd, .half = half};
        half_launcher_attach(half);
        launches_on_stop(half_launches(half), flush, s);
        flush(s);
}

short launch_serve_events(const struct launch_serve *s)
{
        if (s->fd < 0)
                return 0;
        return launches_out(half_launches(s->half))->len ? POLLIN | POLLOUT : POLLIN;
}

static bool read_in(struct launch_serve *s)
{
        uint8_t bytes[READ_BYTES];
        ssize_t n = recv(s->fd, bytes, sizeof(bytes), 0);

        if (n < 0)
                return errno == EAGAIN || errno == EINTR;
        if (n == 0)
                return false;
        buf_put(&s->in, bytes, (size_t)n);
        return buf_ok(&s->in);
}

/* Takes all whole frames. Return: false if one is none. */
static bool take_frames(struct launch_serve *s)
{
        struct err err = ERR_INIT;
        size_t used = 0;
        int r = 1;

        while (r > 0) {
                struct frame frame;

                r = launch_link_take(VIEW(s->in.p + used, s->in.len - used), &frame, &err);
                if (r <= 0)
                        break;
                used += (size_t)r;
                if (half_launcher_take(s->half, &frame, &err) < 0)
                        r = -1;
        }
        if (used) {
                memmove(s->in.p, s->in.p + used, s->in.len - used);
                s->in.len -= used;
        }
        if (r < 0)
                log_err(&err, "launcher");
        return r >= 0;
}

bool launch_serve(struct launch_serve *s, short events)
{
        if (events & (POLLIN | POLLHUP | POLLERR) && (!read_in(s) || !take_frames(s)))
                return false;
        return write_out(s);
}

void launch_serve_hang_up(struct launch_serve *s)
{
        if (s->fd < 0)
                return;
        launches_on_stop(half_launches(s->half), NULL, NULL);
        half_launcher_detach(s->half);
        fd_close_p(&s->fd);
        buf_free(&s->in);
        s->in = (struct buf){0};
}
