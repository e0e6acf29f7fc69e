/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing JSON without a tree. A verifier writes a state, a bundle and an answer for every heartbeat of every
 * host; as trees these cost more than the signature checks. What reaches this file as text may come from a
 * peer, so it is escaped, and refused if it is not UTF-8.
 *
 * Spec: RFC 8259 §7.
 */
#include "base/json_out.h"

#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/str.h"

static void line(struct json_out *o)
{
        static const char blanks[] = "\n                                ";

        if (o->indented)
                buf_put(o->out, blanks, 1 + 2 * (o->depth < 16 ? o->depth : 16));
}

/* What stands before a value. */
static void start(struct json_out *o, const char *name)
{
        if (!o->empty)
                buf_put(o->out, ",", 1);
        if (o->depth)
                line(o);
        o->empty = false;
        if (!name)
                return;
        buf_put(o->out, "\"", 1);
        buf_str(o->out, name);
        buf_put(o->out, "\": ", o->indented ? 3 : 2);
}

static void open(struct json_out *o, const char *name, const char *bracket)
{
        start(o, name);
        buf_put(o->out, bracket, 1);
        o->depth++;
        o->empty = true;
}

static void end(struct json_out *o, const char *bracket)
{
        o->depth--;
        if (!o->empty)
                line(o);
        o->empty = false;
        buf_put(o->out, bracket, 1);
}

void json_out_object(struct json_out *o, const char *name)
{
        open(o, name, "{");
}

void json_out_object_end(struct json_out *o)
{
        end(o, "}");
}

void json_out_array(struct json_out *o, const char *name)
{
        open(o, name, "[");
}

void json_out_array_end(struct json_out *o)
{
        end(o, "]");
}

/* A byte that may not stand in a string as it is. */
static void escape(struct buf *b, uint8_t c)
{
        static const char short_from[] = "\"\\\b\f\n\r\t", short_to[] = "\"\\bfnrt";
        const char *at = strchr(short_from, c);

        if (c && at)
                buf_fmt(b, "\\%c", short_to[at - short_from]);
        else
                buf_fmt(b, "\\u%04X", c);
}

/* How many of the first bytes of V may stand as they are and are UTF-8 without a look. */
static size_t plain_run(struct view v)
{
        size_t n = 0;

        while (n < v.len && v.p[n] >= 0x20 && v.p[n] < 0x80 && v.p[n] != '"' && v.p[n] != '\\')
                n++;
        return n;
}

void json_out_str(struct json_out *o, const char *name, const char *value)
{
        struct cursor c;
        struct view run;
        uint8_t byte;

        if (!value) {
                json_out_null(o, name);
                return;
        }
        c = cursor_of(view_str(value));
        start(o, name);
        buf_put(o->out, "\"", 1);
        if (cursor_take(&c, plain_run(VIEW(c.p, c.left)), &run))
                buf_put_view(o->out, run);
        if (c.left && !str_valid_utf8(VIEW(c.p, c.left)))
                o->out->failed = true;
        while (cursor_u8(&c, &byte))
                if (byte >= 0x20 && byte != '"' && byte != '\\')
                        buf_put(o->out, &byte, 1);
                else
                        escape(o->out, byte);
        buf_put(o->out, "\"", 1);
}

void json_out_int(struct json_out *o, const char *name, int64_t value)
{
        uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
        char digits[20];
        size_t at = sizeof(digits);

        start(o, name);
        if (value < 0)
                buf_put(o->out, "-", 1);
        do
                digits[--at] = (char)('0' + left % 10);
        while ((left /= 10) > 0);
        buf_put(o->out, digits + at, sizeof(digits) - at);
}

void json_out_bool(struct json_out *o, const char *name, bool value)
{
        start(o, name);
        buf_str(o->out, value ? "true" : "false");
}

void json_out_null(struct json_out *o, const char *name)
{
        start(o, name);
        buf_put(o->out, "null", 4);
}

void json_out_hex(struct json_out *o, const char *name, struct view v)
{
        start(o, name);
        buf_put(o->out, "\"", 1);
        buf_hex(o->out, v);
        buf_put(o->out, "\"", 1);
}

void json_out_base64(struct json_out *o, const char *name, struct view v)
{
        start(o, name);
        buf_put(o->out, "\"", 1);
        buf_base64(o->out, v);
        buf_put(o->out, "\"", 1);
}

void json_out_time(struct json_out *o, const char *name, int64_t ms)
{
        char text[CLOCK_TEXT_BYTES];

        json_out_str(o, name, clock_format(ms, text));
}

char *json_out_text(json_out_fn *put, const void *what)
{
        struct buf text = {0};
        struct json_out o = json_out_to(&text, false);

        put(&o, NULL, what);
        return buf_take_str(&text);
}

json_t *json_out_tree(json_out_fn *put, const void *what)
{
        AUTO(buf_free) struct buf text = {0};
        struct json_out o = json_out_to(&text, false);
        struct err err = ERR_INIT;
        json_t *tree = NULL;

        put(&o, NULL, what);
        if (!buf_ok(&text) || json_parse(VIEW_BUF(&text), text.len, &tree, &err) < 0)
                return NULL;
        return tree;
}
