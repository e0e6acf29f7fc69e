/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence on the wire. The sender may be root on a taken host, or anybody who stole a token: what is decoded
 * here is bytes of bounded size and says nothing yet. Who reads it first checks the quote's signature.
 *
 * The CEL log and the kernel's binary list travel in base64: they carry paths as the kernel knows them, and
 * those are bytes. The list of a Keylime agent is text, which it made UTF-8.
 *
 * Spec: Keylime push model 3.0, PATCH …/attestations/:index; SR-4.
 */
#include "wire/evidence.h"

#include <string.h>

#include "base/base64.h"
#include "base/str.h"
#include "wire/capabilities.h"
#include "wire/field.h"

const struct wire_evidence_item *wire_evidence_find(const struct wire_evidence *m,
                                                    enum wire_evidence_type type)
{
        for (size_t i = 0; i < m->n; i++)
                if (m->item[i].type == type)
                        return &m->item[i];
        return NULL;
}

bool wire_evidence_tee(const struct wire_evidence *m, struct tee_shown *ret)
{
        for (size_t k = 0; k < TEE_N_KINDS; k++) {
                const struct wire_evidence_item *item =
                        wire_evidence_find(m, wire_tee_type((enum tee_kind)k));

                if (!item)
                        continue;
                *ret = (struct tee_shown){.kind = (enum tee_kind)k,
                                          .evidence = VIEW_BUF(&item->entries),
                                          .table = VIEW_BUF(&item->table),
                                          .manifest = VIEW_BUF(&item->manifest)};
                return true;
        }
        return false;
}

static json_t *counter_to_json(const struct wire_counter *c)
{
        AUTO(json_free_p)
        json_t *j = json_object();
        int r = json_set_int(j, "index", c->index);

        r |= json_set_base64(j, "message", VIEW_BUF(&c->message));
        r |= json_set_base64(j, "signature", VIEW_BUF(&c->signature));
        return r == 0 ? TAKE(j) : NULL;
}

/* What avow adds to Keylime's quote. */
static json_t *avow_to_json(const struct wire_evidence_item *item)
{
        AUTO(json_free_p)
        json_t *avow = json_object();
        int r = json_set_base64(avow, "time_message", VIEW_BUF(&item->time_message));

        r |= json_set_base64(avow, "time_signature", VIEW_BUF(&item->time_signature));
        if (item->counter_key.len > 0) {
                r |= json_set_base64(avow, "counter_key", VIEW_BUF(&item->counter_key));
                r |= json_object_set_new(avow, "epoch", counter_to_json(&item->epoch));
                r |= json_object_set_new(avow, "floor", counter_to_json(&item->floor));
        }
        return r == 0 ? TAKE(avow) : NULL;
}

static json_t *quote_to_json(const struct wire_evidence_item *item)
{
        AUTO(json_free_p)
        json_t *data = json_object();
        int r = json_set_base64(data, "subject_data", VIEW_BUF(&item->pcrs));
        r |= json_set_base64(data, "message", VIEW_BUF(&item->message));
        r |= json_set_base64(data, "signature", VIEW_BUF(&item->signature));
        if (item->time_message.len > 0)
                r |= json_object_set_new(data, "avow", avow_to_json(item));
        return r == 0 ? TAKE(data) : NULL;
}

/* An empty buf has no bytes to point to. */
static json_t *text_of(const struct buf *b)
{
        return json_stringn(b->len > 0 ? (const char *)b->p : "", b->len);
}

/* What avow adds to a log. */
static json_t *log_avow_to_json(const struct wire_evidence_item *item)
{
        AUTO(json_free_p)
        json_t *avow = json_object();
        int r = 0;
        if (item->binary)
                r |= json_set_str(avow, "format", WIRE_TYPE_OCTETS);
        if (item->has_total)
                r |= json_set_int(avow, "entry_total", (int64_t)item->entry_total);
        if (item->table.len)
                r |= json_set_base64(avow, "table", VIEW_BUF(&item->table));
        if (item->manifest.len)
                r |= json_set_base64(avow, "manifest", VIEW_BUF(&item->manifest));
        return r == 0 ? TAKE(avow) : NULL;
}

static json_t *log_to_json(const struct wire_evidence_item *item)
{
        AUTO(json_free_p)
        json_t *data = json_object();
        int r;
        if (item->type == WIRE_IMA_LOG && !item->binary)
                r = json_object_set_new(data, "entries", text_of(&item->entries));
        else
                r = json_set_base64(data, "entries", VIEW_BUF(&item->entries));
        if (item->has_count)
                r |= json_set_int(data, "entry_count", (int64_t)item->entry_count);
        if (item->binary || item->has_total || item->table.len || item->manifest.len)
                r |= json_object_set_new(data, "avow", log_avow_to_json(item));
        return r == 0 ? TAKE(data) : NULL;
}

json_t *wire_evidence_data_to_json(const struct wire_evidence_item *item)
{
        return item->type == WIRE_TPM_QUOTE ? quote_to_json(item) : log_to_json(item);
}

int wire_evidence_encode(const struct wire_evidence *m, struct buf *ret, struct err *err)
{
        json_t *a = json_object(), *list = json_array();
        int r = 0;
        for (size_t i = 0; i < m->n; i++) {
                json_t *item = json_object();
                r |= json_set_str(item, "evidence_class", wire_evidence_class(m->item[i].type));
                r |= json_set_str(item, "evidence_type", wire_evidence_name(m->item[i].type));
                r |= json_object_set_new(item, "data", wire_evidence_data_to_json(&m->item[i]));
                r |= json_array_append_new(list, item);
        }
        r |= json_object_set_new(a, "evidence_collected", list);
        return field_emit(document_new("attestation", NULL, a, NULL, NULL), r, ret, err);
}

static int counter_read(const json_t *avow, const char *name, struct wire_counter *c, struct err *err)
{
        const json_t *j = NULL;
        int64_t index = 0;
        int r = json_get_object(avow, name, &j, err);

        if (r < 0)
                return r;
        r = json_get_int(j, "index", 1, UINT32_MAX, &index, err);
        if (r == 0)
                r = json_get_base64(j, "message", WIRE_ATTEST_MAX, &c->message, err);
        if (r == 0)
                r = json_get_base64(j, "signature", WIRE_SIGNATURE_MAX, &c->signature, err);
        if (r == 0 && (c->message.len == 0 || c->signature.len == 0))
                r = err_set(err, ERR_FORMAT, 0, "an empty statement");
        c->index = (uint32_t)index;
        return r < 0 ? err_wrap(err, "member '%s'", name) : 0;
}

/* All three members, or none: half a statement would be a host that chooses what it shows. */
static int counters_read(const json_t *avow, struct wire_evidence_item *item, struct err *err)
{
        int r = json_opt_base64(avow, "counter_key", WIRE_PUBLIC_MAX, &item->counter_key, err);

        if (r < 0)
                return r;
        if (r == 0) {
                if (json_object_get(avow, "epoch") || json_object_get(avow, "floor"))
                        return err_set(err, ERR_FORMAT, 0, "counters without member 'counter_key'");
                return 0;
        }
        if (item->counter_key.len == 0)
                return err_set(err, ERR_FORMAT, 0, "member 'counter_key' is empty");
        r = counter_read(avow, "epoch", &item->epoch, err);
        return r < 0 ? r : counter_read(avow, "floor", &item->floor, err);
}

static int quote_read(const json_t *data, struct wire_evidence_item *item, struct err *err)
{
        const json_t *avow = NULL;
        int r = json_get_base64_lax(data, "subject_data", WIRE_PCR_BLOB_MAX, &item->pcrs, err);
        if (r == 0)
                r = json_get_base64_lax(data, "message", WIRE_ATTEST_MAX, &item->message, err);
        if (r == 0)
                r = json_get_base64_lax(data, "signature", WIRE_SIGNATURE_MAX, &item->signature, err);
        if (r == 0)
                r = json_opt_object(data, "avow", &avow, err);
        if (r <= 0)
                return r;
        r = json_get_base64(avow, "time_message", WIRE_ATTEST_MAX, &item->time_message, err);
        if (r == 0)
                r = json_get_base64(avow, "time_signature", WIRE_SIGNATURE_MAX, &item->time_signature, err);
        if (r == 0)
                r = counters_read(avow, item, err);
        return r < 0 ? err_wrap(err, "member 'avow'") : 0;
}

/* A log's text as it is: Keylime's IMA list. */
static int text_read(const json_t *data, struct wire_evidence_item *item, struct err *err)
{
        const char *text = NULL;
        int r = json_opt_str(data, "entries", &text, err);
        if (r <= 0)
                return r;
        buf_str(&item->entries, text);
        return buf_ok(&item->entries) ? 0 : err_nomem(err);
}

static int log_avow_read(const json_t *data, struct wire_evidence_item *item, struct err *err)
{
        const json_t *avow = NULL;
        const char *format = NULL;
        int64_t total = 0;
        int r = json_opt_object(data, "avow", &avow, err);
        if (r <= 0)
                return r;
        r = json_opt_str(avow, "format", &format, err);
        item->binary = r > 0 && item->type == WIRE_IMA_LOG && strcmp(format, WIRE_TYPE_OCTETS) == 0;
        if (r > 0 && strcmp(format, wire_log_format(item->type, item->binary)) != 0)
                return err_set(err, ERR_FORMAT, 0, "member 'avow': member 'format': expected '%s'",
                               wire_log_format(item->type, false));
        if (r >= 0)
                r = json_opt_int(avow, "entry_total", 0, INT64_MAX, &total, err);
        item->has_total = r > 0;
        item->entry_total = (uint64_t)total;
        if (r >= 0 && wire_is_tee(item->type))
                r = json_opt_base64(avow, "table", WIRE_TEE_MAX, &item->table, err);
        if (r >= 0 && wire_is_tee(item->type))
                r = json_opt_base64(avow, "manifest", WIRE_TEE_MAX, &item->manifest, err);
        return r < 0 ? err_wrap(err, "member 'avow'") : 0;
}

static int log_read(const json_t *data, struct wire_evidence_item *item, struct err *err)
{
        int64_t count = 0;
        int r = log_avow_read(data, item, err);
        if (r < 0)
                return r;
        if (item->type == WIRE_IMA_LOG && !item->binary)
                r = text_read(data, item, err);
        else if (item->type != WIRE_UEFI_LOG)
                r = json_get_base64(data, "entries", wire_is_tee(item->type) ? WIRE_TEE_MAX : WIRE_BODY_MAX,
                                    &item->entries, err);
        else
                r = field_opt_bytes(data, "entries", WIRE_BODY_MAX, &item->entries, err);
        if (r >= 0)
                r = json_opt_int(data, "entry_count", 0, INT64_MAX, &count, err);
        if (r < 0)
                return r;
        item->has_count = r > 0;
        item->entry_count = (uint64_t)count;
        return 0;
}

int wire_evidence_data_from_json(const json_t *data, struct wire_evidence_item *item, struct err *err)
{
        return item->type == WIRE_TPM_QUOTE ? quote_read(data, item, err) : log_read(data, item, err);
}

static int item_read(const json_t *j, struct wire_evidence *m, struct err *err)
{
        const char *name = NULL;
        const json_t *data = NULL;
        enum wire_evidence_type type;
        int r = json_get_str(j, "evidence_type", &name, err);
        if (r < 0)
                return r;
        if (!wire_evidence_by_name(name, &type))
                return err_set(err, ERR_FORMAT, 0, "evidence of type %s was not asked for", SHOW(name));
        if (wire_evidence_find(m, type) != NULL)
                return err_set(err, ERR_FORMAT, 0, "'%s' is there twice", wire_evidence_name(type));
        r = json_get_object(j, "data", &data, err);
        if (r < 0)
                return err_wrap(err, "'%s'", wire_evidence_name(type));
        struct wire_evidence_item *item = &m->item[m->n++]; /* counted first: done() frees half an item too */
        item->type = type;
        r = wire_evidence_data_from_json(data, item, err);
        return r < 0 ? err_wrap(err, "'%s'", wire_evidence_name(type)) : 0;
}

int wire_evidence_decode(struct view body, struct wire_evidence *ret, struct err *err)
{
        struct document d;
        int r = document_open(body, WIRE_BODY_MAX, "attestation", &d, err);
        if (r < 0)
                return r;
        struct wire_evidence m = {.n = 0};
        const json_t *list = NULL;
        r = json_get_array(d.attributes, "evidence_collected", WIRE_ITEMS_MAX, &list, err);
        for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
                const json_t *item = json_array_get(list, i);
                r = json_is_object(item) ? item_read(item, &m, err)
                                         : err_set(err, ERR_FORMAT, 0, "expected an object");
                if (r < 0)
                        r = err_wrap(err, "member 'evidence_collected'");
        }
        document_close(&d);
        if (r == 0)
                *ret = m;
        else
                wire_evidence_done(&m);
        return r;
}

void wire_evidence_done(struct wire_evidence *m)
{
        for (size_t i = 0; i < m->n; i++) {
                struct wire_evidence_item *item = &m->item[i];
                buf_free(&item->message);
                buf_free(&item->signature);
                buf_free(&item->pcrs);
                buf_free(&item->time_message);
                buf_free(&item->time_signature);
                buf_free(&item->epoch.message);
                buf_free(&item->epoch.signature);
                buf_free(&item->floor.message);
                buf_free(&item->floor.signature);
                buf_free(&item->counter_key);
                buf_free(&item->entries);
                buf_free(&item->table);
                buf_free(&item->manifest);
        }
        *m = (struct wire_evidence){.n = 0};
}
