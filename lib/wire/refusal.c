/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/refusal.h"

#include <stdlib.h>

#include "base/mem.h"
#include "wire/field.h"
#include "wire/problem.h"

#define URN "urn:avow:problem:"

void wire_refusal_put(struct json_out *o, const char *title, const struct wire_refusal *m,
                      const struct wire_outcome *outcome)
{
        AUTO(mem_free_p) char *type = str_fmt(URN "%s", m->type);

        json_out_str(o, "detail", m->detail);
        wire_outcome_put_meta(o, outcome);
        if (m->next)
                json_out_str(o, "next", m->next);
        json_out_int(o, "status", 403);
        json_out_str(o, "title", title);
        if (type)
                json_out_str(o, "type", type);
        else
                o->out->failed = true;
        if (m->where)
                json_out_str(o, "where", m->where);
}

int wire_refusal_read(struct view body, const json_t *root, struct wire_refusal *ret, struct err *err)
{
        struct wire_problem p = {.status = 0};
        int r = wire_problem_decode(body, &p, err);

        if (r >= 0)
                r = field_opt_text(root, "next", WIRE_TEXT_MAX, &ret->next, err);
        if (r >= 0) {
                ret->type = TAKE(p.type);
                ret->detail = p.detail ? TAKE(p.detail) : TAKE(p.title);
                ret->where = TAKE(p.where);
        }
        wire_problem_done(&p);
        return r < 0 ? r : 0;
}

void wire_refusal_done(struct wire_refusal *m)
{
        free(m->type);
        free(m->detail);
        free(m->where);
        free(m->next);
        *m = (struct wire_refusal){.type = NULL};
}
