/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between launcher and TPM half. Both are privileged; what they carry (a module's claims, a
 * verifier's words) is not, so decoding is as strict as between the halves.
 */
#include "agent/launch_link.h"

#include <string.h>

static const char *const names[LAUNCH_LINK_N_TYPES] = {
        [LAUNCH_LINK_READY] = "ready",       [LAUNCH_LINK_BEGIN] = "begin",
        [LAUNCH_LINK_EXPLAIN] = "explain",   [LAUNCH_LINK_GRANTED] = "granted",
        [LAUNCH_LINK_REFUSED] = "refused",   [LAUNCH_LINK_EXPLAINED] = "explained",
        [LAUNCH_LINK_RECORD] = "record",     [LAUNCH_LINK_MAPPED] = "mapped",
        [LAUNCH_LINK_RECORDED] = "recorded", [LAUNCH_LINK_SECRET] = "secret",
        [LAUNCH_LINK_OPENED] = "opened",     [LAUNCH_LINK_ENDED] = "ended",
        [LAUNCH_LINK_CANCEL] = "cancel",     [LAUNCH_LINK_STOP] = "stop",
};

const char *launch_link_name(uint8_t type)
{
        return type < LAUNCH_LINK_N_TYPES && names[type] ? names[type] : "unknown";
}

void launch_link_put(struct buf *out, enum launch_link_type type, uint32_t id, struct view body)
{
        frame_put(out, &(struct frame){.type = (uint8_t)type, .id = id, .body = body}, LAUNCH_LINK_FRAME_MAX);
}

int launch_link_take(struct view in, struct frame *ret, struct err *err)
{
        struct frame f;
        int used = frame_take(in, LAUNCH_LINK_FRAME_MAX, &f, err);

        if (used <= 0)
                return used;
        if (f.result != 0 || f.type >= LAUNCH_LINK_N_TYPES || !names[f.type])
                return err_set(err, ERR_FORMAT, 0, "frame of type %u, result %u", f.type, f.result);
        *ret = f;
        return used;
}

void launch_link_ready_put(struct buf *out, const struct launch_link_ready *m)
{
        frame_put_bytes(out, m->host);
        buf_u8(out, m->pcr);
}

int launch_link_ready_get(struct view in, struct launch_link_ready *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct launch_link_ready m;
        bool ok = frame_get_bytes(&c, &m.host) && cursor_u8(&c, &m.pcr);
        int r = frame_done(ok, &c, "ready", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void launch_link_begin_put(struct buf *out, const struct launch_link_begin *m)
{
        frame_put_bytes(out, m->launch);
        frame_put_bytes(out, m->claims);
        frame_put_bytes(out, m->signature);
        frame_put_bytes(out, m->envelope);
}

int launch_link_begin_get(struct view in, struct launch_link_begin *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct launch_link_begin m;
        bool ok = frame_get_bytes(&c, &m.launch) && frame_get_bytes(&c, &m.claims) &&
                  frame_get_bytes(&c, &m.signature) && frame_get_bytes(&c, &m.envelope) && m.launch.len > 0;
        int r = frame_done(ok, &c, "begin", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void launch_link_granted_put(struct buf *out, const struct launch_link_granted *m)
{
        frame_put_bytes(out, m->permit);
        buf_u8(out, m->cached);
        buf_be32(out, m->lifetime_ms);
}

int launch_link_granted_get(struct view in, struct launch_link_granted *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct launch_link_granted m;
        bool ok = frame_get_bytes(&c, &m.permit) && frame_get_bool(&c, &m.cached) &&
                  cursor_be32(&c, &m.lifetime_ms) && m.permit.len > 0;
        int r = frame_done(ok, &c, "granted", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void launch_link_refused_put(struct buf *out, const struct launch_link_refused *m)
{
        buf_u8(out, (uint8_t)m->why);
        frame_put_bytes(out, m->text);
        frame_put_bytes(out, m->where);
        frame_put_bytes(out, m->next);
}

int launch_link_refused_get(struct view in, struct launch_link_refused *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct launch_link_refused m;
        uint8_t why;
        bool ok = cursor_u8(&c, &why) && why < LAUNCH_WHY_N && frame_get_bytes(&c, &m.text) &&
                  frame_get_bytes(&c, &m.where) && frame_get_bytes(&c, &m.next) && m.text.len > 0;
        int r = frame_done(ok, &c, "refused", err);

        if (r < 0)
                return r;
        m.why = (enum launch_link_why)why;
        *ret = m;
        return 0;
}

void launch_link_mapped_put(struct buf *out, const struct launch_link_mapped *m)
{
        frame_put_bytes(out, m->lines);
        frame_put_bytes(out, m->foreign);
}

int launch_link_mapped_get(struct view in, struct launch_link_mapped *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct launch_link_mapped m;
        bool ok = frame_get_bytes(&c, &m.lines) && frame_get_bytes(&c, &m.foreign) &&
                  m.lines.len <= LAUNCH_LINK_LINES_MAX && m.foreign.len <= m.lines.len;
        int r = frame_done(ok, &c, "mapped", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void launch_link_opened_put(struct buf *out, const struct launch_link_opened *m)
{
        buf_be32(out, m->lease_s);
        frame_put_bytes(out, m->secret);
}

int launch_link_opened_get(struct view in, struct launch_link_opened *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct launch_link_opened m;
        bool ok = cursor_be32(&c, &m.lease_s) && frame_get_bytes(&c, &m.secret);
        int r = frame_done(ok, &c, "opened", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void launch_link_ended_put(struct buf *out, const struct launch_link_ended *m)
{
        buf_be32(out, (uint32_t)m->status);
        buf_be64(out, (uint64_t)m->started_ms);
        buf_be64(out, (uint64_t)m->ended_ms);
        buf_u8(out, m->has_output);
        buf_put(out, m->output, sizeof(m->output));
        buf_u8(out, m->receipt);
}

int launch_link_ended_get(struct view in, struct launch_link_ended *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct launch_link_ended m;
        uint32_t status;
        uint64_t started, ended;
        bool ok = cursor_be32(&c, &status) && cursor_be64(&c, &started) && cursor_be64(&c, &ended) &&
                  started <= INT64_MAX && ended <= INT64_MAX && frame_get_bool(&c, &m.has_output) &&
                  cursor_copy(&c, m.output, sizeof(m.output)) && frame_get_bool(&c, &m.receipt);
        int r = frame_done(ok, &c, "ended", err);

        if (r < 0)
                return r;
        m.status = (int32_t)status;
        m.started_ms = (int64_t)started;
        m.ended_ms = (int64_t)ended;
        *ret = m;
        return 0;
}
