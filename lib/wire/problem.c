/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors on the wire. What we send names the kind and the way out, never the chain of causes. What we read is
 * somebody else's text: whoever shows it escapes it.
 *
 * Spec: RFC 9457; JSON:API 1.1, errors.
 */
#include "wire/problem.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "wire/field.h"

#define URN "urn:avow:problem:"

int wire_problem_encode(int status, const char *type, const char *title, const char *detail,
                        const char *where, struct buf *ret, struct err *err)
{
        json_t *root = json_object();
        int r = json_object_set_new(root, "type", json_sprintf(URN "%s", type));
        r |= json_set_str(root, "title", title);
        r |= json_set_int(root, "status", status);
        if (detail != NULL)
                r |= json_set_str(root, "detail", detail);
        if (where != NULL)
                r |= json_set_str(root, "where", where);
        return field_emit(root, r, ret, err);
}

/* A document of problem+json, one of JSON:API's errors, and a v2 envelope differ in the names of these. */
struct spelling {
        const char *mark; /* the member that tells this form from the others */
        const char *status, *type, *title, *detail;
};

static const struct spelling spellings[] = {
        {"title", "status", "type", "title", "detail"},
        {"detail", "status", "code", "code", "detail"},
        {"code", "code", "none", "status", "none"},
};

/* The status as a number or, in JSON:API, as text; 0 if it says none. */
static int status_of(const json_t *obj, const char *name)
{
        const json_t *v = json_object_get(obj, name);
        if (json_is_integer(v)) {
                json_int_t n = json_integer_value(v);
                return n >= 100 && n <= 999 ? (int)n : 0;
        }
        struct err err = ERR_INIT;
        int64_t n = 0;
        if (json_is_string(v) && str_parse_int(view_str(json_string_value(v)), 100, 999, &n, &err) == 0)
                return (int)n;
        return 0;
}

static int problem_read(const json_t *obj, const struct spelling *s, struct wire_problem *p, struct err *err)
{
        AUTO(mem_free_p)
        char *type = NULL;
        int r = field_opt_text(obj, s->type, WIRE_TEXT_MAX, &type, err);

        if (r < 0)
                return r;
        const char *word = type == NULL || strcmp(type, "about:blank") == 0 ? "" : type;
        if (str_starts(word, URN))
                word += strlen(URN);
        p->status = status_of(obj, s->status);
        p->type = str_dup(word);
        if (p->type == NULL)
                return err_nomem(err);
        r = field_opt_text(obj, s->title, WIRE_TEXT_MAX, &p->title, err);
        if (r >= 0)
                r = field_opt_text(obj, s->detail, WIRE_TEXT_MAX, &p->detail, err);
        if (r >= 0)
                r = field_opt_text(obj, "where", WIRE_TEXT_MAX, &p->where, err);
        if (r >= 0 && p->title == NULL) {
                p->title = str_dup("");
                r = p->title == NULL ? err_nomem(err) : 0;
        }
        return r < 0 ? r : 0;
}

int wire_problem_decode(struct view body, struct wire_problem *ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *root = NULL;
        int r = json_parse(body, WIRE_SMALL_BODY_MAX, &root, err);
        if (r < 0)
                return r;
        const json_t *obj = root;
        const json_t *errors = json_object_get(root, "errors");
        if (json_array_size(errors) > 0)
                obj = json_array_get(errors, 0);
        for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
                if (json_object_get(obj, spellings[i].mark) == NULL)
                        continue;
                struct wire_problem p = {.status = 0};
                r = problem_read(obj, &spellings[i], &p, err);
                if (r < 0) {
                        wire_problem_done(&p);
                        return r;
                }
                *ret = p;
                return 0;
        }
        return err_set(err, ERR_FORMAT, 0, "neither a problem document nor an error list nor an envelope");
}

void wire_problem_done(struct wire_problem *p)
{
        free(p->type);
        free(p->title);
        free(p->detail);
        free(p->where);
        *p = (struct wire_problem){.status = 0};
}

/* {"errors":[E]} with E taken. */
static int errors_emit(json_t *e, int r, bool jsonapi, struct buf *ret, struct err *err)
{
        json_t *root = json_object();
        json_t *list = json_array();
        r |= json_array_append_new(list, e);
        r |= json_object_set_new(root, "errors", list);
        if (jsonapi) {
                json_t *api = json_object();
                r |= json_set_str(api, "version", "1.1");
                r |= json_object_set_new(root, "jsonapi", api);
        }
        return field_emit(root, r, ret, err);
}

int wire_jsonapi_error_encode(int status, const char *code, const char *detail, struct buf *ret,
                              struct err *err)
{
        json_t *e = json_object();
        int r = json_object_set_new(e, "status", json_sprintf("%d", status));
        r |= json_set_str(e, "code", code);
        r |= json_set_str(e, "detail", detail);
        return errors_emit(e, r, true, ret, err);
}

int wire_unauthorized_encode(struct buf *ret, struct err *err)
{
        json_t *e = json_object();
        int r = json_set_str(e, "status", "401");
        r |= json_set_str(e, "title", "Unauthorized");
        r |= json_set_str(e, "detail", "Invalid authentication token");
        return errors_emit(e, r, false, ret, err);
}

int wire_forbidden_encode(const char *action, const char *needs, struct buf *ret, struct err *err)
{
        json_t *e = json_object();
        int r = json_set_str(e, "status", "403");
        r |= json_set_str(e, "title", "Forbidden");
        r |= json_object_set_new(e, "detail", json_sprintf("Action %s requires %s", action, needs));
        return errors_emit(e, r, false, ret, err);
}
