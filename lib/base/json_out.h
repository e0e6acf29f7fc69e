/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_JSON_OUT_H
#define AVOW_BASE_JSON_OUT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/bytes.h"

/*
 * JSON written straight into a buf, for what is written with every heartbeat: no tree, no allocation but the
 * buf's. The bytes are jansson's, compact or indented by two. Members stand in the order they are put: put
 * them sorted where equal values have to give equal bytes. NAME is NULL inside arrays and for the document;
 * names are ours and are not escaped.
 *
 * Failures stick in the buf (buf_ok()): no memory, or a text that is not valid UTF-8.
 */
struct json_out {
        struct buf *out;
        bool indented;
        bool empty; /* nothing stands in the innermost object or array yet */
        unsigned depth;
};

static inline struct json_out json_out_to(struct buf *out, bool indented)
{
        return (struct json_out){.out = out, .indented = indented, .empty = true};
}

void json_out_object(struct json_out *o, const char *name);
void json_out_object_end(struct json_out *o);
void json_out_array(struct json_out *o, const char *name);
void json_out_array_end(struct json_out *o);
void json_out_str(struct json_out *o, const char *name, const char *value); /* NULL puts null */
void json_out_int(struct json_out *o, const char *name, int64_t value);
void json_out_bool(struct json_out *o, const char *name, bool value);
void json_out_null(struct json_out *o, const char *name);
void json_out_hex(struct json_out *o, const char *name, struct view v);
void json_out_base64(struct json_out *o, const char *name, struct view v);
void json_out_time(struct json_out *o, const char *name, int64_t ms);

/* What writes one object. */
typedef void json_out_fn(struct json_out *o, const char *name, const void *what);
/* Its text in one line, the caller's (free()); and the same as a tree. NULL: no memory, or no UTF-8. */
char *json_out_text(json_out_fn *put, const void *what) MUST_USE;
json_t *json_out_tree(json_out_fn *put, const void *what) MUST_USE;

#endif
