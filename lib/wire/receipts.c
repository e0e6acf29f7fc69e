/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts on their way to be countersigned. Who made them is judged elsewhere; here they are files. */
#include "wire/receipts.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#define REQUEST_SCHEMA "avow.receipt-request/1"
#define ANSWER_SCHEMA  "avow.receipts/1"

static int schema_is(const json_t *obj, const char *want, struct err *err)
{
        const char *s = NULL;
        int r = json_get_str(obj, "schema", &s, err);

        if (r >= 0 && !str_equal(s, want))
                return err_set(err, ERR_FORMAT, 0, "member 'schema': expected '%s'", want);
        return r;
}

/* ---- the request ---- */

void wire_receipts_request_done(struct wire_receipts_request *m)
{
        for (size_t i = 0; i < m->n; i++)
                receipt_file_done(&m->file[i]);
        m->n = 0;
}

int wire_receipts_request_encode(const struct wire_receipts_request *m, struct buf *ret, struct err *err)
{
        struct json_out o = json_out_to(ret, false);

        json_out_object(&o, NULL);
        json_out_array(&o, "receipts");
        for (size_t i = 0; i < m->n; i++)
                receipt_file_put(&o, NULL, &m->file[i]);
        json_out_array_end(&o);
        json_out_str(&o, "schema", REQUEST_SCHEMA);
        json_out_object_end(&o);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int wire_receipts_request_decode(struct view body, struct wire_receipts_request *ret, struct err *err)
{
        static const char *const members[] = {"receipts", "schema"};
        AUTO(json_free_p) json_t *root = NULL;
        struct wire_receipts_request m = {.n = 0};
        const json_t *list = NULL;
        int r = json_parse(body, WIRE_RECEIPTS_BODY_MAX, &root, err);

        if (r >= 0)
                r = json_only(root, members, ARRAY_LEN(members), err);
        if (r >= 0)
                r = schema_is(root, REQUEST_SCHEMA, err);
        if (r >= 0)
                r = json_get_array(root, "receipts", WIRE_RECEIPTS_MAX, &list, err);
        if (r >= 0 && json_array_size(list) == 0)
                r = err_set(err, ERR_FORMAT, 0, "member 'receipts': expected at least one");
        while (r >= 0 && m.n < json_array_size(list)) {
                r = receipt_file_from_json(json_array_get(list, m.n), &m.file[m.n], err);
                m.n += r >= 0;
        }
        if (r < 0) {
                wire_receipts_request_done(&m);
                return r;
        }
        *ret = m;
        return 0;
}

/* ---- the answer ---- */

void wire_receipts_answer_done(struct wire_receipts_answer *m)
{
        for (size_t i = 0; i < m->n; i++) {
                free(m->item[i].countersignature);
                free(m->item[i].refused);
        }
        free(m->ak_certificate);
        *m = (struct wire_receipts_answer){.n = 0};
}

int wire_receipts_answer_encode(const struct wire_receipts_answer *m, struct buf *ret, struct err *err)
{
        struct json_out o = json_out_to(ret, false);

        json_out_object(&o, NULL);
        json_out_str(&o, "ak_certificate", m->ak_certificate);
        if (m->has_next)
                wire_next_put(&o, "next", &m->next);
        json_out_array(&o, "receipts");
        for (size_t i = 0; i < m->n; i++) {
                json_out_object(&o, NULL);
                json_out_str(&o, "countersignature", m->item[i].countersignature);
                json_out_hex(&o, "digest", digest_view(&m->item[i].digest));
                json_out_str(&o, "refused", m->item[i].refused);
                json_out_object_end(&o);
        }
        json_out_array_end(&o);
        json_out_str(&o, "schema", ANSWER_SCHEMA);
        json_out_object_end(&o);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

static int take_text(const json_t *j, const char *name, char **ret, struct err *err)
{
        const char *s = NULL;
        int r = json_opt_str(j, name, &s, err);

        if (r <= 0)
                return r;
        *ret = str_dup(s);
        return *ret ? 0 : err_nomem(err);
}

static int item_read(const json_t *j, struct wire_receipts_item *ret, struct err *err)
{
        const char *digest = NULL;
        int r = json_get_str(j, "digest", &digest, err);

        digest_zero(DIGEST_SHA256, &ret->digest);
        if (r >= 0 && hex_decode_exact(view_str(digest), ret->digest.b, ret->digest.len, err) < 0)
                r = err_wrap(err, "member 'digest'");
        if (r >= 0)
                r = take_text(j, "countersignature", &ret->countersignature, err);
        return r < 0 ? r : take_text(j, "refused", &ret->refused, err);
}

static int answer_read(const json_t *root, struct wire_receipts_answer *m, struct err *err)
{
        const json_t *list = NULL, *next = NULL;
        int r = schema_is(root, ANSWER_SCHEMA, err);

        if (r >= 0)
                r = take_text(root, "ak_certificate", &m->ak_certificate, err);
        if (r >= 0)
                r = json_get_array(root, "receipts", WIRE_RECEIPTS_MAX, &list, err);
        while (r >= 0 && m->n < json_array_size(list)) {
                size_t i = m->n++;

                r = item_read(json_array_get(list, i), &m->item[i], err);
        }
        if (r >= 0)
                r = json_opt_object(root, "next", &next, err);
        m->has_next = r == 1;
        return r == 1 ? wire_next_from_json(next, &m->next, err) : r;
}

int wire_receipts_answer_decode(struct view body, struct wire_receipts_answer *ret, struct err *err)
{
        AUTO(json_free_p) json_t *root = NULL;
        struct wire_receipts_answer m = {.n = 0};
        int r = json_parse(body, WIRE_RECEIPTS_BODY_MAX, &root, err);

        if (r >= 0)
                r = answer_read(root, &m, err);
        if (r < 0) {
                wire_receipts_answer_done(&m);
                return r;
        }
        *ret = m;
        return 0;
}
