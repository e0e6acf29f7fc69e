/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whoever may connect to launch.socket controls every byte of an ask, so each count and length is checked
 * against its limit before anything is made of it, and the same message has one spelling: flags that are not
 * known, limits that are named twice and bytes behind the end are refused. Fuzzed (tests/fuzz/fuzz_launch.c).
 */
#include "agent/launch_wire.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#define FLAG_EXPLAIN 1u
#define FLAG_INPUT   2u
#define FLAG_RECEIPT 4u
#define FLAGS        (FLAG_EXPLAIN | FLAG_INPUT | FLAG_RECEIPT)

static void put_bytes(struct buf *out, struct view v)
{
        buf_be32(out, (uint32_t)v.len);
        buf_put_view(out, v);
}

static int get_bytes(struct cursor *c, size_t max, const char *what, struct view *ret, struct err *err)
{
        uint32_t n;

        if (!cursor_be32(c, &n))
                return err_set(err, ERR_FORMAT, 0, "an ask that ends in its %s", what);
        if (n > max)
                return err_set(err, ERR_LIMIT, 0, "%s of %u bytes; at most %zu are allowed", what, n, max);
        if (!cursor_take(c, n, ret))
                return err_set(err, ERR_FORMAT, 0, "an ask that ends in its %s", what);
        return 0;
}

void launch_ask_put(struct buf *out, const struct launch_ask *m)
{
        buf_u8(out, LAUNCH_WIRE_VERSION);
        buf_u8(out, (uint8_t)((m->explain ? FLAG_EXPLAIN : 0) | (m->input ? FLAG_INPUT : 0) |
                              (m->receipt ? FLAG_RECEIPT : 0)));
        put_bytes(out, m->runtime);
        put_bytes(out, m->nonce);
        put_bytes(out, m->signature);
        put_bytes(out, m->envelope);
        buf_be16(out, (uint16_t)m->n_secrets);
        for (size_t i = 0; i < m->n_secrets; i++)
                put_bytes(out, m->secrets[i]);
        buf_be16(out, (uint16_t)m->n_args);
        for (size_t i = 0; i < m->n_args; i++)
                put_bytes(out, m->args[i]);
        buf_be16(out, (uint16_t)m->n_limits);
        for (size_t i = 0; i < m->n_limits; i++) {
                buf_u8(out, m->limits[i].resource);
                buf_be64(out, m->limits[i].soft);
                buf_be64(out, m->limits[i].hard);
        }
}

static int get_count(struct cursor *c, size_t max, const char *what, size_t *ret, struct err *err)
{
        uint16_t n;

        if (!cursor_be16(c, &n))
                return err_set(err, ERR_FORMAT, 0, "an ask that ends before its %s", what);
        if (n > max)
                return err_set(err, ERR_LIMIT, 0, "%u %s; at most %zu are allowed", n, what, max);
        *ret = n;
        return 0;
}

static int get_head(struct cursor *c, struct launch_ask *m, struct err *err)
{
        uint8_t version, flags;
        int r;

        if (!cursor_u8(c, &version) || !cursor_u8(c, &flags))
                return err_set(err, ERR_FORMAT, 0, "an ask without a head");
        if (version != LAUNCH_WIRE_VERSION || flags & ~FLAGS)
                return err_set(err, ERR_FORMAT, 0,
                               "an ask of version %u with flags 0x%x; this agent speaks version %d: is "
                               "avow-run of another release?",
                               version, flags, LAUNCH_WIRE_VERSION);
        m->explain = flags & FLAG_EXPLAIN;
        m->input = flags & FLAG_INPUT;
        m->receipt = flags & FLAG_RECEIPT;
        r = get_bytes(c, 64, "runtime's name", &m->runtime, err);
        if (r >= 0)
                r = get_bytes(c, LAUNCH_WIRE_NONCE_MAX, "nonce", &m->nonce, err);
        if (r >= 0)
                r = get_bytes(c, LAUNCH_WIRE_SIGNED_MAX, "signature", &m->signature, err);
        return r < 0 ? r : get_bytes(c, LAUNCH_WIRE_SIGNED_MAX, "envelope", &m->envelope, err);
}

static int get_args(struct cursor *c, struct launch_ask *m, struct err *err)
{
        size_t left = LAUNCH_WIRE_ARGS_BYTES;
        int r = get_count(c, LAUNCH_WIRE_ARGS_MAX, "arguments", &m->n_args, err);

        for (size_t i = 0; r >= 0 && i < m->n_args; i++) {
                r = get_bytes(c, left, "arguments", &m->args[i], err);
                if (r >= 0 && m->args[i].len && memchr(m->args[i].p, '\0', m->args[i].len))
                        r = err_set(err, ERR_FORMAT, 0, "argument %zu holds a zero byte", i + 1);
                left -= r >= 0 ? m->args[i].len : 0;
        }
        return r;
}

static int get_limits(struct cursor *c, struct launch_ask *m, struct err *err)
{
        uint32_t seen = 0;
        int r = get_count(c, LAUNCH_WIRE_LIMITS_MAX, "resource limits", &m->n_limits, err);

        for (size_t i = 0; r >= 0 && i < m->n_limits; i++) {
                struct launch_limit *l = &m->limits[i];

                if (!cursor_u8(c, &l->resource) || !cursor_be64(c, &l->soft) || !cursor_be64(c, &l->hard))
                        return err_set(err, ERR_FORMAT, 0, "an ask that ends in its resource limits");
                if (l->resource >= RLIM_NLIMITS || seen >> l->resource & 1 || l->soft > l->hard)
                        return err_set(err, ERR_FORMAT, 0, "resource limit %u is none, or there twice",
                                       l->resource);
                seen |= 1u << l->resource;
        }
        return r;
}

int launch_ask_get(struct view in, struct launch_ask *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct launch_ask m = {0};
        int r = get_head(&c, &m, err);

        if (r >= 0)
                r = get_count(&c, LAUNCH_WIRE_SECRETS_MAX, "secrets", &m.n_secrets, err);
        for (size_t i = 0; r >= 0 && i < m.n_secrets; i++)
                r = get_bytes(&c, 64, "secret's name", &m.secrets[i], err);
        if (r >= 0)
                r = get_args(&c, &m, err);
        if (r >= 0)
                r = get_limits(&c, &m, err);
        if (r < 0)
                return r;
        if (c.left)
                return err_set(err, ERR_FORMAT, 0, "%zu bytes behind the end of an ask", c.left);
        *ret = m;
        return 0;
}

void launch_ended_put(struct buf *out, const struct launch_ended *m)
{
        buf_u8(out, m->by_signal);
        buf_u8(out, m->status);
        put_bytes(out, m->text);
}

int launch_ended_get(struct view in, struct launch_ended *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct launch_ended m = {0};
        uint8_t by_signal;
        int r;

        if (!cursor_u8(&c, &by_signal) || !cursor_u8(&c, &m.status) || by_signal > 1)
                return err_set(err, ERR_FORMAT, 0, "the end of a launch that is none");
        m.by_signal = by_signal;
        r = get_bytes(&c, LAUNCH_WIRE_TEXT_MAX, "text", &m.text, err);
        if (r >= 0 && c.left)
                r = err_set(err, ERR_FORMAT, 0, "%zu bytes behind the end of a launch", c.left);
        if (r >= 0)
                *ret = m;
        return r;
}

bool launch_wire_signal(int number)
{
        static const int allowed[] = {SIGHUP,  SIGINT,   SIGQUIT, SIGTERM, SIGUSR1,
                                      SIGUSR2, SIGWINCH, SIGSTOP, SIGCONT};

        for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
                if (allowed[i] == number)
                        return true;
        return false;
}
