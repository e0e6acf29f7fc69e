/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames between the agent's processes. The reader may be talking to a process that somebody took over: so a
 * length is checked against a limit before anything is kept, and decoders demand exact lengths and no rest.
 */
#include "agent/frame.h"

void frame_put(struct buf *out, const struct frame *frame, size_t max)
{
        if (frame->body.len > max - FRAME_HEADER_BYTES) {
                out->failed = true;
                return;
        }
        buf_be32(out, (uint32_t)(frame->body.len + FRAME_HEADER_BYTES - 4));
        buf_u8(out, frame->type);
        buf_u8(out, frame->result);
        buf_be16(out, 0);
        buf_be32(out, frame->id);
        buf_put_view(out, frame->body);
}

int frame_take(struct view in, size_t max, struct frame *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct frame f = {0};
        uint16_t zero;
        uint32_t len;

        if (!cursor_be32(&c, &len))
                return 0;
        if (len < FRAME_HEADER_BYTES - 4)
                return err_set(err, ERR_FORMAT, 0, "frame of %u bytes", len);
        if (len > max - 4)
                return err_set(err, ERR_LIMIT, 0, "frame of %u bytes: at most %zu", len, max - 4);
        if (c.left < len)
                return 0;
        if (!cursor_u8(&c, &f.type) || !cursor_u8(&c, &f.result) || !cursor_be16(&c, &zero) ||
            !cursor_be32(&c, &f.id) || !cursor_take(&c, len - (FRAME_HEADER_BYTES - 4), &f.body))
                return 0;
        if (zero != 0)
                return err_set(err, ERR_FORMAT, 0, "frame of type %u, result %u", f.type, f.result);
        *ret = f;
        return (int)c.at;
}

void frame_put_bytes(struct buf *out, struct view v)
{
        buf_be32(out, (uint32_t)v.len);
        buf_put_view(out, v);
}

bool frame_get_bytes(struct cursor *c, struct view *ret)
{
        struct cursor at = *c;
        uint32_t len;

        if (!cursor_be32(&at, &len) || !cursor_take(&at, len, ret))
                return false;
        *c = at;
        return true;
}

bool frame_get_bool(struct cursor *c, bool *ret)
{
        struct cursor at = *c;
        uint8_t byte;

        if (!cursor_u8(&at, &byte) || byte > 1)
                return false;
        *ret = byte;
        *c = at;
        return true;
}

int frame_done(bool ok, const struct cursor *c, const char *what, struct err *err)
{
        if (ok && c->left == 0)
                return 0;
        return err_set(err, ERR_FORMAT, 0, "%s: malformed at byte %zu", what, c->at);
}
