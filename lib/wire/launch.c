/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Launches on the wire. The verifier reads requests that a host's network half wrote, with texts in them that
 * whoever made the module wrote: tokens, signatures, envelopes. They are carried here and believed nowhere
 * before policy has looked at them (policy/module_policy.h).
 *
 * Spec: docs/protocol.md, "Launches".
 */
#include "wire/launch.h"

#include <stdlib.h>

#include "base/mem.h"
#include "wire/field.h"
#include "wire/refusal.h"

#define REQUEST_SCHEMA "avow.launch-request/1"
#define ANSWER_SCHEMA  "avow.launch/1"

/* ---- the request ---- */

int wire_launch_request_encode(const struct wire_launch_request *m, struct buf *ret, struct err *err)
{
        struct json_out o = json_out_to(ret, false);

        json_out_object(&o, NULL);
        if (m->claims)
                json_out_str(&o, "claims", m->claims);
        if (m->envelope)
                json_out_str(&o, "envelope", m->envelope);
        launch_put(&o, "launch", &m->launch);
        json_out_str(&o, "schema", REQUEST_SCHEMA);
        if (m->signature.len)
                json_out_base64(&o, "signature", VIEW_BUF(&m->signature));
        json_out_object_end(&o);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

static int request_read(const json_t *root, struct wire_launch_request *m, struct err *err)
{
        static const char *const members[] = {"claims", "envelope", "launch", "schema", "signature"};
        const json_t *launch = NULL;
        int r = json_only(root, members, ARRAY_LEN(members), err);

        if (r >= 0)
                r = field_schema(root, REQUEST_SCHEMA, err);
        if (r >= 0)
                r = json_get_object(root, "launch", &launch, err);
        if (r >= 0 && (r = launch_from_json(launch, &m->launch, err)) < 0)
                return err_wrap(err, "member 'launch'");
        if (r >= 0)
                r = field_opt_text(root, "claims", LAUNCH_TOKEN_MAX, &m->claims, err);
        if (r >= 0)
                r = field_opt_text(root, "envelope", WIRE_LAUNCH_ENVELOPE_MAX, &m->envelope, err);
        if (r >= 0)
                r = json_opt_base64(root, "signature", WIRE_LAUNCH_SIGNATURE_MAX, &m->signature, err);
        return r < 0 ? r : 0;
}

int wire_launch_request_decode(struct view body, struct wire_launch_request *ret, struct err *err)
{
        AUTO(json_free_p) json_t *root = NULL;
        struct wire_launch_request m = {.claims = NULL};
        int r = json_parse(body, WIRE_LAUNCH_BODY_MAX, &root, err);

        if (r >= 0)
                r = request_read(root, &m, err);
        if (r < 0)
                wire_launch_request_done(&m);
        else
                *ret = m;
        return r;
}

void wire_launch_request_done(struct wire_launch_request *m)
{
        free(m->claims);
        free(m->envelope);
        buf_free(&m->signature);
        *m = (struct wire_launch_request){.claims = NULL};
}

/* ---- the answer ---- */

int wire_launch_answer_encode(const struct wire_launch_answer *m, struct buf *ret, struct err *err)
{
        const struct wire_refusal no = {m->type, m->detail, m->where, m->next};
        struct json_out o = json_out_to(ret, false);

        json_out_object(&o, NULL);
        if (m->permit) {
                wire_outcome_put_meta(&o, &m->outcome);
                json_out_str(&o, "permit", m->permit);
                json_out_str(&o, "schema", ANSWER_SCHEMA);
        } else {
                wire_refusal_put(&o, "No launch.", &no, &m->outcome);
        }
        json_out_object_end(&o);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

static int answer_read(struct view body, const json_t *root, struct wire_launch_answer *m, struct err *err)
{
        struct wire_refusal no = {.type = NULL};
        const json_t *meta = NULL;
        int r = field_opt_text(root, "permit", WIRE_PERMIT_MAX, &m->permit, err);

        if (r > 0)
                r = field_schema(root, ANSWER_SCHEMA, err);
        else if (r == 0)
                r = wire_refusal_read(body, root, &no, err);
        m->type = no.type;
        m->detail = no.detail;
        m->where = no.where;
        m->next = no.next;
        if (r >= 0)
                r = json_opt_object(root, "meta", &meta, err);
        return r > 0 ? wire_outcome_read_meta(meta, &m->outcome, err) : r;
}

int wire_launch_answer_decode(struct view body, struct wire_launch_answer *ret, struct err *err)
{
        AUTO(json_free_p) json_t *root = NULL;
        struct wire_launch_answer m = {.permit = NULL};
        int r = json_parse(body, WIRE_SMALL_BODY_MAX, &root, err);

        if (r >= 0)
                r = answer_read(body, root, &m, err);
        if (r < 0)
                wire_launch_answer_done(&m);
        else
                *ret = m;
        return r < 0 ? r : 0;
}

void wire_launch_answer_done(struct wire_launch_answer *m)
{
        struct wire_refusal no = {m->type, m->detail, m->where, m->next};

        free(m->permit);
        wire_refusal_done(&no);
        wire_outcome_done(&m->outcome);
        *m = (struct wire_launch_answer){.permit = NULL};
}
