/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Releases on the wire. The verifier reads requests that a host's network half wrote; that half reads answers
 * which it cannot judge (a signature is checked by the TPM). Both are strict: names are names, digests have
 * their length, nothing is there twice.
 *
 * Spec: docs/protocol.md, "Releases".
 */
#include "wire/release.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/uuid.h"
#include "wire/field.h"
#include "wire/refusal.h"

static int fixed_hex(const json_t *obj, const char *name, uint8_t *ret, size_t n, struct err *err)
{
        struct buf bytes = {0};
        int r = json_get_hex(obj, name, n, &bytes, err);
        if (r == 0 && bytes.len != n)
                r = err_set(err, ERR_FORMAT, 0, "member '%s': expected %zu bytes", name, n);
        if (r == 0)
                memcpy(ret, bytes.p, n);
        buf_free(&bytes);
        return r;
}

static int name_read(const json_t *obj, char ret[static WIRE_RELEASE_NAME_MAX + 1], struct err *err)
{
        const char *s = NULL;
        int r = json_get_str(obj, "name", &s, err);
        if (r < 0)
                return r;
        if (strlen(s) > WIRE_RELEASE_NAME_MAX || !str_valid_name(s))
                return err_set(err, ERR_FORMAT, 0, "member 'name': not the name of a secret");
        memcpy(ret, s, strlen(s) + 1);
        return 0;
}

/* ---- the request ---- */

int wire_release_request_encode(const struct wire_release_request *m, struct buf *ret, struct err *err)
{
        struct json_out o = json_out_to(ret, false);
        json_out_object(&o, NULL);
        json_out_str(&o, "schema", "avow.release-request/1");
        json_out_array(&o, "secrets");
        for (size_t i = 0; i < m->n; i++) {
                json_out_object(&o, NULL);
                json_out_hex(&o, "approval", VIEW_ARRAY(m->item[i].approval));
                json_out_str(&o, "name", m->item[i].name);
                json_out_hex(&o, "nonce", VIEW_ARRAY(m->item[i].nonce));
                json_out_object_end(&o);
        }
        json_out_array_end(&o);
        json_out_object_end(&o);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

static int item_read(const json_t *obj, struct wire_release_item *ret, struct err *err)
{
        static const char *const members[] = {"name", "nonce", "approval"};
        int r = json_only(obj, members, ARRAY_LEN(members), err);
        if (r == 0)
                r = name_read(obj, ret->name, err);
        if (r == 0)
                r = fixed_hex(obj, "nonce", ret->nonce, sizeof(ret->nonce), err);
        if (r == 0)
                r = fixed_hex(obj, "approval", ret->approval, sizeof(ret->approval), err);
        return r;
}

static int request_read(const json_t *root, struct wire_release_request *m, struct err *err)
{
        static const char *const members[] = {"schema", "secrets"};
        const json_t *list = NULL;
        int r = json_only(root, members, ARRAY_LEN(members), err);
        if (r == 0)
                r = field_schema(root, "avow.release-request/1", err);
        if (r == 0)
                r = json_get_array(root, "secrets", WIRE_RELEASES_MAX, &list, err);
        if (r == 0 && json_array_size(list) == 0)
                r = err_set(err, ERR_FORMAT, 0, "member 'secrets': expected at least one");
        for (; r == 0 && m->n < json_array_size(list); m->n++) {
                r = item_read(json_array_get(list, m->n), &m->item[m->n], err);
                for (size_t i = 0; r == 0 && i < m->n; i++)
                        if (strcmp(m->item[i].name, m->item[m->n].name) == 0)
                                r = err_set(err, ERR_FORMAT, 0, "member 'secrets': '%s' is there twice",
                                            m->item[i].name);
        }
        return r;
}

int wire_release_request_decode(struct view body, struct wire_release_request *ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *root = NULL;
        struct wire_release_request m = {.n = 0};
        int r = json_parse(body, WIRE_RELEASE_BODY_MAX, &root, err);
        if (r == 0)
                r = request_read(root, &m, err);
        if (r == 0)
                *ret = m;
        return r;
}

/* ---- the challenge ---- */

int wire_release_challenge_encode(const struct wire_release_challenge *m, struct buf *ret, struct err *err)
{
        struct json_out o = json_out_to(ret, false);
        json_out_object(&o, NULL);
        json_out_str(&o, "id", m->id);
        wire_next_put(&o, "next", &m->next);
        json_out_str(&o, "schema", "avow.release-challenge/1");
        json_out_object_end(&o);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int wire_release_challenge_decode(struct view body, struct wire_release_challenge *ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *root = NULL;
        struct wire_release_challenge m = {.id = ""};
        const json_t *next = NULL;
        const char *id = NULL;
        int r = json_parse(body, WIRE_SMALL_BODY_MAX, &root, err);
        if (r == 0)
                r = field_schema(root, "avow.release-challenge/1", err);
        if (r == 0)
                r = json_get_str(root, "id", &id, err);
        if (r == 0 && !uuid_valid(id)) /* a path is made of it */
                r = err_set(err, ERR_FORMAT, 0, "member 'id': not a UUID");
        if (r == 0)
                r = json_get_object(root, "next", &next, err);
        if (r == 0)
                r = wire_next_from_json(next, &m.next, err);
        if (r < 0)
                return r;
        memcpy(m.id, id, sizeof(m.id));
        *ret = m;
        return 0;
}

/* ---- the answer ---- */

static void put_granted(struct json_out *o, const struct wire_release_answer *m)
{
        json_out_int(o, "lease_s", m->lease_s);
        wire_outcome_put_meta(o, &m->outcome);
        json_out_array(o, "releases");
        for (size_t i = 0; i < m->n; i++) {
                json_out_object(o, NULL);
                json_out_str(o, "name", m->item[i].name);
                json_out_base64(o, "signature", VIEW_BUF(&m->item[i].signature));
                json_out_object_end(o);
        }
        json_out_array_end(o);
        json_out_str(o, "schema", "avow.release/1");
}

int wire_release_answer_encode(const struct wire_release_answer *m, struct buf *ret, struct err *err)
{
        const struct wire_refusal no = {m->type, m->detail, m->where, NULL};
        struct json_out o = json_out_to(ret, false);
        json_out_object(&o, NULL);
        if (m->lease_s > 0)
                put_granted(&o, m);
        else
                wire_refusal_put(&o, "No release.", &no, &m->outcome);
        json_out_object_end(&o);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

static int granted_read(const json_t *root, struct wire_release_answer *m, struct err *err)
{
        const json_t *list = NULL;
        int64_t lease_s = 0;
        int r = field_schema(root, "avow.release/1", err);
        if (r == 0)
                r = json_get_int(root, "lease_s", 1, WIRE_RELEASE_LEASE_MAX_S, &lease_s, err);
        if (r == 0)
                r = json_get_array(root, "releases", WIRE_RELEASES_MAX, &list, err);
        if (r == 0 && json_array_size(list) == 0)
                r = err_set(err, ERR_FORMAT, 0, "member 'releases': expected at least one");
        for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
                const json_t *item = json_array_get(list, i);
                m->n++;
                r = name_read(item, m->item[i].name, err);
                if (r == 0)
                        r = json_get_base64(item, "signature", WIRE_SIGNATURE_MAX, &m->item[i].signature,
                                            err);
        }
        m->lease_s = (uint32_t)lease_s;
        return r;
}

static int refused_read(struct view body, const json_t *root, struct wire_release_answer *m, struct err *err)
{
        struct wire_refusal no = {.type = NULL};
        int r = wire_refusal_read(body, root, &no, err);
        m->type = TAKE(no.type);
        m->detail = TAKE(no.detail);
        m->where = TAKE(no.where);
        wire_refusal_done(&no);
        return r;
}

int wire_release_answer_decode(struct view body, struct wire_release_answer *ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *root = NULL;
        struct wire_release_answer m = {.lease_s = 0};
        const json_t *meta = NULL;
        int r = json_parse(body, WIRE_SMALL_BODY_MAX, &root, err);
        if (r == 0 && json_object_get(root, "releases") != NULL)
                r = granted_read(root, &m, err);
        else if (r == 0)
                r = refused_read(body, root, &m, err);
        if (r == 0)
                r = json_opt_object(root, "meta", &meta, err);
        if (r > 0)
                r = wire_outcome_read_meta(meta, &m.outcome, err);
        if (r < 0)
                wire_release_answer_done(&m);
        else
                *ret = m;
        return r < 0 ? r : 0;
}

void wire_release_answer_done(struct wire_release_answer *m)
{
        for (size_t i = 0; i < m->n; i++)
                buf_free(&m->item[i].signature);
        free(m->type);
        free(m->detail);
        free(m->where);
        wire_outcome_done(&m->outcome);
        *m = (struct wire_release_answer){.lease_s = 0};
}
