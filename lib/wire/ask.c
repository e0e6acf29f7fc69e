/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the verifier asks for. The reader is the agent, and what it does with a selection is quote public
 * registers: a hostile verifier learns from it what anybody on the host could tell it. The challenge reaches
 * the TPM only inside the agent's own digest (native) or where the operator chose a Keylime verifier.
 *
 * Spec: Keylime push model 3.0, `evidence_requested`; SR-13.
 */
#include "wire/ask.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "wire/field.h"

const struct wire_ask *wire_asks_find(const struct wire_asks *asks, enum wire_evidence_type type)
{
        for (size_t i = 0; i < asks->n; i++)
                if (asks->item[i].type == type)
                        return &asks->item[i];
        return NULL;
}

static void put_banks(struct json_out *o, const char *name, const struct wire_banks *banks)
{
        json_out_object(o, name);
        for (size_t i = 0; i < banks->n; i++) {
                const char *bank = wire_hash_name(banks->bank[i].alg);
                json_out_array(o, bank != NULL ? bank : "");
                for (int n = 0; n < 24; n++)
                        if ((banks->bank[i].pcrs & (UINT32_C(1) << n)) != 0)
                                json_out_int(o, NULL, n);
                json_out_array_end(o);
        }
        json_out_object_end(o);
}

/* Members sorted, like those of all messages. */
static void put_parameters(struct json_out *o, const char *name, const void *ask)
{
        const struct wire_ask *a = ask;
        json_out_object(o, name);
        if (a->type == WIRE_TPM_QUOTE) {
                json_out_base64(o, "challenge", VIEW(a->challenge, a->challenge_len));
                json_out_str(o, "hash_algorithm", wire_hash_name(a->hash));
                put_banks(o, "selected_subjects", &a->banks);
                json_out_str(o, "signature_scheme", wire_scheme_name(a->scheme));
        } else {
                if (a->starting_byte > 0) {
                        json_out_object(o, "avow");
                        json_out_int(o, "starting_byte", (int64_t)a->starting_byte);
                        json_out_object_end(o);
                }
                if (a->has_count)
                        json_out_int(o, "entry_count", (int64_t)a->entry_count);
                json_out_str(o, "format", wire_log_format(a->type, a->binary));
                if (a->has_offset)
                        json_out_int(o, "starting_offset", (int64_t)a->starting_offset);
        }
        json_out_object_end(o);
}

json_t *wire_ask_parameters_to_json(const struct wire_ask *a, const struct wire_quote_offer *key)
{
        AUTO(json_free_p)
        json_t *p = json_out_tree(put_parameters, a);
        if (a->type == WIRE_TPM_QUOTE && key != NULL &&
            json_object_set_new(p, "certification_key", wire_key_to_json(key)) < 0)
                return NULL;
        return TAKE(p);
}

json_t *wire_asks_to_json(const struct wire_asks *asks, const struct wire_quote_offer *key)
{
        AUTO(json_free_p)
        json_t *list = json_array();
        int r = 0;
        for (size_t i = 0; i < asks->n; i++) {
                const struct wire_ask *a = &asks->item[i];
                json_t *item = json_object();
                r |= json_set_str(item, "evidence_class", wire_evidence_class(a->type));
                r |= json_set_str(item, "evidence_type", wire_evidence_name(a->type));
                r |= json_object_set_new(item, "chosen_parameters", wire_ask_parameters_to_json(a, key));
                r |= json_array_append_new(list, item);
        }
        return r == 0 ? TAKE(list) : NULL;
}

/* A name from a table that must be known: what we cannot do, we must not answer with something else. */
static int known_name(const json_t *p, const char *name, uint16_t (*by_name)(const char *), uint16_t *ret,
                      struct err *err)
{
        const char *s = NULL;
        int r = json_get_str(p, name, &s, err);
        if (r < 0)
                return r;
        *ret = by_name(s);
        if (*ret == 0)
                return err_set(err, ERR_FORMAT, 0, "member '%s': %s is not known here", name, SHOW(s));
        return 0;
}

static int quote_read(const json_t *p, struct wire_ask *a, struct err *err)
{
        struct buf challenge = {0};
        int r = json_get_base64_lax(p, "challenge", WIRE_CHALLENGE_MAX, &challenge, err);
        if (r == 0 && challenge.len < WIRE_CHALLENGE_MIN)
                r = err_set(err, ERR_FORMAT, 0, "member 'challenge': fewer than %d bytes",
                            WIRE_CHALLENGE_MIN);
        if (r == 0) {
                memcpy(a->challenge, challenge.p, challenge.len);
                a->challenge_len = challenge.len;
        }
        buf_free(&challenge);
        if (r == 0)
                r = known_name(p, "signature_scheme", wire_scheme_by_name, &a->scheme, err);
        if (r == 0)
                r = known_name(p, "hash_algorithm", wire_hash_by_name, &a->hash, err);
        if (r == 0)
                r = field_banks(p, "selected_subjects", &a->banks, err);
        return r;
}

static int starting_byte_read(const json_t *p, struct wire_ask *a, struct err *err)
{
        const json_t *avow = NULL;
        int64_t at = 0;
        int r = json_opt_object(p, "avow", &avow, err);
        if (r > 0)
                r = json_opt_int(avow, "starting_byte", 0, INT64_MAX, &at, err);
        a->starting_byte = (uint64_t)at;
        return r < 0 ? err_wrap(err, "member 'avow'") : 0;
}

static int log_read(const json_t *p, struct wire_ask *a, struct err *err)
{
        const char *format = NULL;
        int64_t offset = 0, count = 0;
        int r = json_opt_str(p, "format", &format, err);
        a->binary = r > 0 && a->type == WIRE_IMA_LOG && strcmp(format, WIRE_TYPE_OCTETS) == 0;
        if (r > 0 && strcmp(format, wire_log_format(a->type, a->binary)) != 0)
                return err_set(err, ERR_FORMAT, 0, "member 'format': expected '%s'",
                               wire_log_format(a->type, false));
        if (r >= 0)
                r = json_opt_int(p, "starting_offset", 0, INT64_MAX, &offset, err);
        if (r < 0)
                return r;
        a->has_offset = r > 0;
        a->starting_offset = (uint64_t)offset;
        r = json_opt_int(p, "entry_count", 0, INT64_MAX, &count, err);
        if (r < 0)
                return r;
        a->has_count = r > 0;
        a->entry_count = (uint64_t)count;
        return starting_byte_read(p, a, err);
}

static int ask_read(const json_t *item, struct wire_ask *a, struct err *err)
{
        const char *name = NULL;
        const json_t *p = NULL;
        int r = json_get_str(item, "evidence_type", &name, err);
        if (r < 0)
                return r;
        if (!wire_evidence_by_name(name, &a->type))
                return err_set(err, ERR_FORMAT, 0, "evidence of type %s is not known here", SHOW(name));
        r = json_opt_object(item, "chosen_parameters", &p, err);
        if (r < 0)
                return r;
        if (a->type == WIRE_TPM_QUOTE)
                r = p == NULL ? err_set(err, ERR_FORMAT, 0, "member 'chosen_parameters': missing")
                              : quote_read(p, a, err);
        else if (p != NULL)
                r = log_read(p, a, err);
        else
                r = 0;
        return r < 0 ? err_wrap(err, "'%s'", wire_evidence_name(a->type)) : 0;
}

int wire_asks_from_json(const json_t *list, struct wire_asks *ret, struct err *err)
{
        struct wire_asks asks = {.n = 0};
        if (json_array_size(list) > WIRE_ITEMS_MAX)
                return err_set(err, ERR_LIMIT, 0, "more than %d kinds of evidence", WIRE_ITEMS_MAX);
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *item = json_array_get(list, i);
                struct wire_ask *a = &asks.item[asks.n];
                int r = json_is_object(item) ? ask_read(item, a, err)
                                             : err_set(err, ERR_FORMAT, 0, "expected an object");
                if (r < 0)
                        return r;
                /* asks.n does not count this one yet, so it finds earlier ones only. */
                if (wire_asks_find(&asks, a->type) != NULL)
                        return err_set(err, ERR_FORMAT, 0, "'%s' is asked for twice",
                                       wire_evidence_name(a->type));
                asks.n++;
        }
        *ret = asks;
        return 0;
}

int wire_request_encode(const struct wire_request *m, struct buf *ret, struct err *err)
{
        json_t *a = json_object(), *info = json_object();
        char self[WIRE_HOST_MAX + 64];
        wire_attestation_path(m->host, m->index, self);
        int r = json_set_str(a, "stage", wire_stage_name(WIRE_AWAITING));
        r |= json_object_set_new(a, "evidence_requested", wire_asks_to_json(&m->asks, m->key));
        r |= json_set_time(info, "boot_time", m->boot_time_ms);
        r |= json_object_set_new(a, "system_info", info);
        r |= json_set_time(a, "capabilities_received_at", m->received_at_ms);
        if (m->expires_at_ms != 0)
                r |= json_set_time(a, "challenges_expire_at", m->expires_at_ms);
        return field_emit(document_new("attestation", NULL, a, NULL, self), r, ret, err);
}

static int request_read(const struct document *d, struct wire_request *m, struct err *err)
{
        const json_t *list = NULL, *info = NULL;
        int r = json_get_array(d->attributes, "evidence_requested", WIRE_LIST_MAX, &list, err);
        if (r < 0)
                return r;
        r = wire_asks_from_json(list, &m->asks, err);
        if (r < 0)
                return err_wrap(err, "member 'evidence_requested'");
        r = json_opt_object(d->attributes, "system_info", &info, err);
        if (r > 0)
                r = json_opt_time(info, "boot_time", &m->boot_time_ms, err);
        if (r >= 0)
                r = json_opt_time(d->attributes, "capabilities_received_at", &m->received_at_ms, err);
        if (r >= 0)
                r = json_opt_time(d->attributes, "challenges_expire_at", &m->expires_at_ms, err);
        return r < 0 ? r : 0;
}

int wire_request_decode(struct view body, struct wire_request *ret, struct err *err)
{
        struct document d;
        int r = document_open(body, WIRE_SMALL_BODY_MAX, "attestation", &d, err);
        if (r < 0)
                return r;
        struct wire_request m = {.index = 0};
        r = request_read(&d, &m, err);
        document_close(&d);
        if (r == 0)
                *ret = m;
        return r;
}

void wire_next_put(struct json_out *o, const char *name, const struct wire_next *m)
{
        json_out_object(o, name);
        json_out_time(o, "challenges_expire_at", m->expires_at_ms);
        json_out_int(o, "deadline_ms", m->deadline_ms);
        json_out_array(o, "evidence_requested");
        for (size_t i = 0; i < m->asks.n; i++) {
                const struct wire_ask *a = &m->asks.item[i];
                json_out_object(o, NULL);
                put_parameters(o, "chosen_parameters", a);
                json_out_str(o, "evidence_class", wire_evidence_class(a->type));
                json_out_str(o, "evidence_type", wire_evidence_name(a->type));
                json_out_object_end(o);
        }
        json_out_array_end(o);
        json_out_int(o, "index", (int64_t)m->index);
        json_out_object_end(o);
}

int wire_next_from_json(const json_t *next, struct wire_next *ret, struct err *err)
{
        struct wire_next m = {.index = 0};
        const json_t *list = NULL;
        int r = field_count(next, "index", &m.index, err);
        if (r == 0)
                r = json_get_time(next, "challenges_expire_at", &m.expires_at_ms, err);
        if (r == 0)
                r = json_get_int(next, "deadline_ms", 0, WIRE_DEADLINE_MAX_MS, &m.deadline_ms, err);
        if (r == 0)
                r = json_get_array(next, "evidence_requested", WIRE_LIST_MAX, &list, err);
        if (r == 0)
                r = wire_asks_from_json(list, &m.asks, err);
        if (r < 0)
                return err_wrap(err, "member 'next'");
        *ret = m;
        return 0;
}

void wire_attestation_path(const char *host, uint64_t index, char ret[static WIRE_HOST_MAX + 64])
{
        (void)snprintf(ret, WIRE_HOST_MAX + 64, "/v3.0/agents/%.*s/attestations/%llu", WIRE_HOST_MAX, host,
                       (unsigned long long)index); /* 80 + 44 characters at most */
}

bool wire_location_index(const char *location, uint64_t *ret)
{
        struct err err = ERR_INIT;
        const char *slash = strrchr(location, '/');
        return str_parse_uint(view_str(slash != NULL ? slash + 1 : location), INT64_MAX, ret, &err) == 0;
}
