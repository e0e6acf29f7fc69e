/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of evidence. To an avow agent the answer carries the verdict and the next challenge; to a
 * Keylime agent, which waits for both, the echo that its servers send.
 *
 * Spec: Keylime push model 3.0, 202 to PATCH …/attestations/:index, GET …/attestations/:index.
 */
#include "wire/attestation.h"

#include <stdio.h>
#include <string.h>

#include "wire/field.h"

#define TYPE "attestation"

void wire_outcome_put_meta(struct json_out *o, const struct wire_outcome *m)
{
        json_out_object(o, "meta");
        if (m->has_next || m->meta.jws != NULL || m->meta.has_secrets) {
                json_out_object(o, "avow");
                if (m->has_next)
                        wire_next_put(o, "next", &m->next);
                wire_meta_put(o, &m->meta);
                json_out_object_end(o);
        }
        if (m->has_wait)
                json_out_int(o, "seconds_to_next_attestation", m->wait_s);
        json_out_object_end(o);
}

/* The answer to every heartbeat, so without a tree. Members sorted, as in document_new(). */
int wire_outcome_encode(const struct wire_outcome *m, const char *host, uint64_t index, struct buf *ret,
                        struct err *err)
{
        char self[WIRE_HOST_MAX + 64];
        struct json_out o = json_out_to(ret, false);
        wire_attestation_path(host, index, self);
        json_out_object(&o, NULL);
        json_out_object(&o, "data");
        json_out_object(&o, "attributes");
        json_out_str(&o, "evaluation", wire_evaluation_name(m->evaluation));
        json_out_str(&o, "stage", wire_stage_name(m->stage));
        json_out_object_end(&o);
        json_out_object(&o, "links");
        json_out_str(&o, "self", self);
        json_out_object_end(&o);
        json_out_str(&o, "type", TYPE);
        json_out_object_end(&o);
        json_out_object(&o, "jsonapi");
        json_out_str(&o, "version", "1.1");
        json_out_object_end(&o);
        wire_outcome_put_meta(&o, m);
        json_out_object_end(&o);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

static int stage_read(const json_t *a, enum wire_stage *ret, struct err *err)
{
        const char *s = NULL;
        int r = json_get_str(a, "stage", &s, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < WIRE_N_STAGES; i++)
                if (strcmp(s, wire_stage_name((enum wire_stage)i)) == 0) {
                        *ret = (enum wire_stage)i;
                        return 0;
                }
        return err_set(err, ERR_FORMAT, 0, "member 'stage': not one of the three stages");
}

/* Keylime's 202 has none: the evaluation is pending then. */
static int evaluation_read(const json_t *a, enum wire_evaluation *ret, struct err *err)
{
        const char *s = NULL;
        int r = json_opt_str(a, "evaluation", &s, err);
        if (r <= 0)
                return r;
        for (size_t i = 0; i < WIRE_N_EVALUATIONS; i++)
                if (strcmp(s, wire_evaluation_name((enum wire_evaluation)i)) == 0) {
                        *ret = (enum wire_evaluation)i;
                        return 0;
                }
        return err_set(err, ERR_FORMAT, 0, "member 'evaluation': not a word for a verdict");
}

int wire_outcome_read_meta(const json_t *meta, struct wire_outcome *m, struct err *err)
{
        const json_t *avow = NULL, *next = NULL;
        int r = json_opt_object(meta, "avow", &avow, err);
        if (r >= 0)
                r = json_opt_int(meta, "seconds_to_next_attestation", 0, WIRE_WAIT_MAX_S, &m->wait_s, err);
        if (r < 0)
                return err_wrap(err, "member 'meta'");
        m->has_wait = r > 0;
        r = avow != NULL ? json_opt_object(avow, "next", &next, err) : 0;
        if (r > 0) {
                m->has_next = true;
                r = wire_next_from_json(next, &m->next, err);
        }
        if (r >= 0)
                r = wire_meta_from_json(avow, &m->meta, err);
        return r < 0 ? err_wrap(err, "member 'meta'") : 0;
}

static int outcome_read(const struct document *d, struct wire_outcome *m, struct err *err)
{
        int r = stage_read(d->attributes, &m->stage, err);
        if (r == 0)
                r = evaluation_read(d->attributes, &m->evaluation, err);
        return r < 0 || d->meta == NULL ? r : wire_outcome_read_meta(d->meta, m, err);
}

int wire_outcome_decode(struct view body, struct wire_outcome *ret, struct err *err)
{
        struct document d;
        /* The echo can be as large as the evidence, and a little larger. */
        int r = document_open(body, 2 * (size_t)WIRE_BODY_MAX, TYPE, &d, err);
        if (r < 0)
                return r;
        struct wire_outcome m = {.evaluation = WIRE_PENDING};
        r = outcome_read(&d, &m, err);
        document_close(&d);
        if (r == 0)
                *ret = m;
        else
                wire_outcome_done(&m);
        return r;
}

void wire_outcome_done(struct wire_outcome *m)
{
        wire_meta_done(&m->meta);
}

/* One kind of evidence: what was offered, asked for and sent. */
static json_t *item_to_json(const struct wire_attestation *m, enum wire_evidence_type type)
{
        const struct wire_ask *ask = m->asks != NULL ? wire_asks_find(m->asks, type) : NULL;
        const struct wire_evidence_item *sent =
                m->evidence != NULL ? wire_evidence_find(m->evidence, type) : NULL;
        const struct wire_quote_offer *key =
                m->offer != NULL && m->offer->quote.offered ? &m->offer->quote : NULL;
        AUTO(json_free_p)
        json_t *item = json_object();
        int r = json_set_str(item, "evidence_class", wire_evidence_class(type));
        r |= json_set_str(item, "evidence_type", wire_evidence_name(type));
        if (m->offer != NULL)
                r |= json_object_set_new(item, "capabilities", wire_offer_to_json(m->offer, type));
        if (ask != NULL)
                r |= json_object_set_new(item, "chosen_parameters", wire_ask_parameters_to_json(ask, key));
        if (sent != NULL)
                r |= json_object_set_new(item, "data", wire_evidence_data_to_json(sent));
        return r == 0 ? TAKE(item) : NULL;
}

static json_t *items_to_json(const struct wire_attestation *m)
{
        AUTO(json_free_p)
        json_t *list = json_array();
        int r = 0;
        if (m->asks != NULL) {
                for (size_t i = 0; i < m->asks->n; i++)
                        r |= json_array_append_new(list, item_to_json(m, m->asks->item[i].type));
        } else if (m->evidence != NULL) {
                for (size_t i = 0; i < m->evidence->n; i++)
                        r |= json_array_append_new(list, item_to_json(m, m->evidence->item[i].type));
        }
        return r == 0 ? TAKE(list) : NULL;
}

static json_t *attributes_of(const struct wire_attestation *m, bool with_evaluation)
{
        AUTO(json_free_p)
        json_t *a = json_object();
        json_t *info = json_object();
        enum wire_evaluation evaluation = m->evaluation == WIRE_INCONCLUSIVE ? WIRE_PENDING : m->evaluation;
        int r = json_set_str(a, "stage", wire_stage_name(m->stage));
        if (with_evaluation)
                r |= json_set_str(a, "evaluation", wire_evaluation_name(evaluation));
        if (with_evaluation && m->failure_reason != NULL)
                r |= json_set_str(a, "failure_reason", m->failure_reason);
        r |= json_object_set_new(a, "evidence", items_to_json(m));
        r |= json_set_time(info, "boot_time", m->boot_time_ms);
        r |= json_object_set_new(a, "system_info", info);
        r |= json_set_time(a, "capabilities_received_at", m->received_at_ms);
        if (m->expires_at_ms != 0)
                r |= json_set_time(a, "challenges_expire_at", m->expires_at_ms);
        if (m->evidence_at_ms != 0)
                r |= json_set_time(a, "evidence_received_at", m->evidence_at_ms);
        if (m->completed_at_ms != 0)
                r |= json_set_time(a, "verification_completed_at", m->completed_at_ms);
        return r == 0 ? TAKE(a) : NULL;
}

int wire_attestation_ack_encode(const struct wire_attestation *m, int64_t wait_s, struct buf *ret,
                                struct err *err)
{
        char self[WIRE_HOST_MAX + 64];
        wire_attestation_path(m->host, m->index, self);
        json_t *meta = json_object();
        int r = json_set_int(meta, "seconds_to_next_attestation", wait_s);
        return field_emit(document_new(TYPE, NULL, attributes_of(m, false), meta, self), r, ret, err);
}

int wire_attestation_encode(const struct wire_attestation *m, struct buf *ret, struct err *err)
{
        char self[WIRE_HOST_MAX + 64];
        wire_attestation_path(m->host, m->index, self);
        return field_emit(document_new(TYPE, NULL, attributes_of(m, true), NULL, self), 0, ret, err);
}

int wire_attestations_encode(const struct wire_attestation *list, size_t n, const char *host, struct buf *ret,
                             struct err *err)
{
        char self[WIRE_HOST_MAX + 64];
        (void)snprintf(self, sizeof(self), "/v3.0/agents/%.*s/attestations", WIRE_HOST_MAX, host);
        json_t *root = json_object(), *data = json_array(), *links = json_object(), *api = json_object();
        int r = 0;
        for (size_t i = 0; i < n; i++) {
                char path[WIRE_HOST_MAX + 64];
                wire_attestation_path(list[i].host, list[i].index, path);
                json_t *doc = document_new(TYPE, NULL, attributes_of(&list[i], true), NULL, path);
                r |= json_array_append(data, json_object_get(doc, "data"));
                json_decref(doc);
        }
        r |= json_set_str(links, "self", self);
        r |= json_set_str(api, "version", "1.1");
        r |= json_object_set_new(root, "data", data);
        r |= json_object_set_new(root, "links", links);
        r |= json_object_set_new(root, "jsonapi", api);
        return field_emit(root, r, ret, err);
}
