/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The v2 envelope around every answer of Keylime's 2.x interfaces. The code inside repeats the HTTP status;
 * where they differ, callers go by HTTP.
 */
#include "wire/envelope.h"

#include "wire/field.h"

int wire_envelope_encode(int code, const char *status, const json_t *results, struct buf *ret,
                         struct err *err)
{
        json_t *root = json_object();
        int r = json_set_int(root, "code", code);
        r |= json_set_str(root, "status", status != NULL ? status : "Success");
        /* jansson counts references in the value itself, so it wants it writable. */
        if (results != NULL)
                r |= json_object_set(root, "results", (json_t *)results);
        else
                r |= json_object_set_new(root, "results", json_object());
        return field_emit(root, r, ret, err);
}

static int envelope_read(const json_t *root, struct wire_envelope *ret, struct err *err)
{
        int64_t code = 0;
        int r = json_get_int(root, "code", 100, 999, &code, err);
        if (r < 0)
                return r;
        r = field_opt_text(root, "status", WIRE_TEXT_MAX, &ret->status, err);
        if (r < 0)
                return r;
        json_t *results = json_object_get(root, "results");
        if (json_is_object(results))
                ret->results = json_incref(results);
        ret->code = (int)code;
        return 0;
}

int wire_envelope_decode(struct view body, struct wire_envelope *ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *root = NULL;
        int r = json_parse(body, WIRE_BODY_MAX, &root, err);
        if (r < 0)
                return r;
        if (!json_is_object(root))
                return err_set(err, ERR_FORMAT, 0, "expected an object");
        struct wire_envelope e = {.code = 0};
        r = envelope_read(root, &e, err);
        if (r < 0) {
                wire_envelope_done(&e);
                return r;
        }
        *ret = e;
        return 0;
}

int wire_envelope_open(struct view body, struct wire_envelope *ret, struct err *err)
{
        struct wire_envelope e = {.code = 0};
        int r = wire_envelope_decode(body, &e, err);
        if (r < 0)
                return r;
        if (e.code < 200 || e.code > 299)
                r = err_set(err, ERR_PEER, e.code, "the answer says %d", e.code);
        else if (e.results == NULL)
                r = err_set(err, ERR_FORMAT, 0, "member 'results': expected an object");
        if (r < 0) {
                wire_envelope_done(&e);
                return r;
        }
        *ret = e;
        return 0;
}

void wire_envelope_done(struct wire_envelope *e)
{
        free(e->status);
        json_decref(e->results);
        *e = (struct wire_envelope){.code = 0};
}
