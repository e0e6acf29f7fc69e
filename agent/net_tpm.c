/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The channel to the TPM half. That half trusts nothing from here; from there we take answers as they come,
 * since who could forge them holds the TPM already. A frame that is none ends this process all the same: a
 * stream that lost its frames cannot be read on.
 */
#include "agent/net_tpm.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

struct net_tpm {
        struct loop *loop;
        int fd;
        struct net_tpm_callbacks callbacks;
        struct loop_watch *readable, *writable; /* writable: while something is left to write */
        struct buf in, out;
        size_t written;                /* of out */
        uint32_t id[NET_TPM_N_ASKERS]; /* of the questions that wait for their answers, 0 for none */
        uint32_t last_id;
        bool *freed; /* set by net_tpm_free() while callbacks run */
};

#define READ_STEP (64u * 1024)

static void take_frame(struct net_tpm *tpm, const struct privsep_frame *frame)
{
        struct err err = ERR_INIT;
        struct privsep_event event;
        if (frame->type == PRIVSEP_EVENT) {
                if (privsep_event_get(frame->body, &event, &err) == 0)
                        tpm->callbacks.event(tpm->callbacks.ctx, &event);
                return;
        }
        for (size_t i = 0; i < NET_TPM_N_ASKERS; i++)
                if (frame->id != 0 && frame->id == tpm->id[i]) {
                        tpm->id[i] = 0;
                        tpm->callbacks.answer(tpm->callbacks.ctx, (enum net_tpm_asker)i, frame);
                        return;
                }
}

/* Hands out all whole frames and keeps the rest. Return: false if the object was freed by a callback. */
static bool take_frames(struct net_tpm *tpm, struct err *err)
{
        bool freed = false;
        size_t used = 0;
        int r = 0;
        tpm->freed = &freed;
        do {
                struct privsep_frame frame;
                r = privsep_frame_take(VIEW(tpm->in.p + used, tpm->in.len - used), PRIVSEP_FRAME_MAX, &frame,
                                       err);
                if (r <= 0)
                        break;
                used += (size_t)r;
                take_frame(tpm, &frame);
        } while (!freed && used < tpm->in.len);
        if (freed)
                return false;
        tpm->freed = NULL;
        if (used > 0) {
                struct buf rest = {0};
                buf_put(&rest, tpm->in.p + used, tpm->in.len - used);
                buf_free(&tpm->in);
                tpm->in = rest;
                if (!buf_ok(&rest))
                        (void)err_nomem(err); /* read by the caller */
        }
        return true;
}

static void on_readable(void *ctx, unsigned events)
{
        struct net_tpm *tpm = ctx;
        struct err err = ERR_INIT;
        uint8_t step[READ_STEP];
        (void)events;
        for (;;) {
                ssize_t n = recv(tpm->fd, step, sizeof(step), 0);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
                        break;
                if (n <= 0) {
                        if (n < 0)
                                (void)err_errno(&err, errno, "reading from the TPM half");
                        tpm->callbacks.end(tpm->callbacks.ctx, &err);
                        return;
                }
                buf_put(&tpm->in, step, (size_t)n);
                if (!buf_ok(&tpm->in)) {
                        (void)err_nomem(&err);
                        tpm->callbacks.end(tpm->callbacks.ctx, &err);
                        return;
                }
        }
        if (!take_frames(tpm, &err))
                return;
        if (err.kind != ERR_NONE)
                tpm->callbacks.end(tpm->callbacks.ctx, &err);
}

static int write_some(struct net_tpm *tpm, struct err *err);

static void on_writable(void *ctx, unsigned events)
{
        struct net_tpm *tpm = ctx;
        struct err err = ERR_INIT;
        (void)events;
        if (write_some(tpm, &err) < 0)
                tpm->callbacks.end(tpm->callbacks.ctx, &err);
}

/* Writes what the socket takes, and watches it while something is left. */
static int write_some(struct net_tpm *tpm, struct err *err)
{
        while (tpm->written < tpm->out.len) {
                ssize_t n =
                        send(tpm->fd, tpm->out.p + tpm->written, tpm->out.len - tpm->written, MSG_NOSIGNAL);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                        if (tpm->writable != NULL)
                                return 0;
                        return loop_watch_new(tpm->loop, tpm->fd, LOOP_WRITE, on_writable, tpm,
                                              &tpm->writable, err);
                }
                if (n < 0)
                        return err_errno(err, errno, "writing to the TPM half");
                tpm->written += (size_t)n;
        }
        buf_reset(&tpm->out);
        tpm->written = 0;
        loop_watch_free(tpm->writable);
        tpm->writable = NULL;
        return 0;
}

int net_tpm_new(struct loop *loop, int fd, const struct net_tpm_callbacks *callbacks, struct net_tpm **ret,
                struct err *err)
{
        AUTO(net_tpm_free_p)
        struct net_tpm *tpm = mem_zalloc(1, sizeof(*tpm));
        if (tpm == NULL)
                return err_nomem(err);
        tpm->loop = loop;
        tpm->fd = fd;
        tpm->callbacks = *callbacks;
        int r = loop_watch_new(loop, fd, LOOP_READ, on_readable, tpm, &tpm->readable, err);
        if (r < 0)
                return r;
        *ret = TAKE(tpm);
        return 0;
}

void net_tpm_free(struct net_tpm *tpm)
{
        if (tpm == NULL)
                return;
        if (tpm->freed != NULL)
                *tpm->freed = true;
        loop_watch_free(tpm->readable);
        loop_watch_free(tpm->writable);
        buf_free(&tpm->in);
        buf_free(&tpm->out);
        free(tpm);
}

int net_tpm_ask(struct net_tpm *tpm, enum net_tpm_asker asker, enum privsep_type type, struct view body,
                struct err *err)
{
        tpm->last_id = tpm->last_id == UINT32_MAX ? 1 : tpm->last_id + 1;
        struct privsep_frame frame = {.type = type, .id = tpm->last_id, .body = body};
        privsep_frame_put(&tpm->out, &frame);
        if (!buf_ok(&tpm->out))
                return err_nomem(err);
        tpm->id[asker] = frame.id;
        return write_some(tpm, err);
}
