/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier's v2 admin bodies about hosts. The sender is an administrator's tool (keylime_tenant), so what
 * is wrong here is a mistake rather than an attack; limits hold all the same.
 *
 * Keylime puts JSON into strings in some members and base64 into others; the member's own comment in the
 * header says which. The V key of the pull model is not kept: push hosts are given none.
 *
 * Spec: Keylime REST API 2.x, verifier, agents.
 */
#include "wire/v2host.h"

#include <string.h>

#include "base/base64.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/envelope.h"
#include "wire/field.h"

#define POLICY_TEXT_MAX (1024 * 1024)

static const struct text_field {
        const char *name;
        size_t at, max;
} texts[] = {
        {"cloudagent_ip", offsetof(struct wire_v2_add, ip), 255},
        {"tpm_policy", offsetof(struct wire_v2_add, tpm_policy), POLICY_TEXT_MAX},
        {"runtime_policy_name", offsetof(struct wire_v2_add, runtime_policy_name), WIRE_TEXT_MAX},
        {"mb_policy", offsetof(struct wire_v2_add, mb_policy), POLICY_TEXT_MAX},
        {"mb_policy_name", offsetof(struct wire_v2_add, mb_policy_name), WIRE_TEXT_MAX},
        {"ima_sign_verification_keys", offsetof(struct wire_v2_add, ima_keys), POLICY_TEXT_MAX},
        {"metadata", offsetof(struct wire_v2_add, metadata), POLICY_TEXT_MAX},
        {"revocation_key", offsetof(struct wire_v2_add, revocation_key), WIRE_CERT_TEXT_MAX},
        {"mtls_cert", offsetof(struct wire_v2_add, mtls_cert), WIRE_CERT_TEXT_MAX},
        {"supported_version", offsetof(struct wire_v2_add, supported_version), 16},
};

static const struct list_field {
        const char *name;
        size_t at;
} lists[] = {
        {"accept_tpm_hash_algs", offsetof(struct wire_v2_add, accept_hash)},
        {"accept_tpm_encryption_algs", offsetof(struct wire_v2_add, accept_enc)},
        {"accept_tpm_signing_algs", offsetof(struct wire_v2_add, accept_sign)},
};

static const struct bytes_field {
        const char *name;
        size_t at, max;
} bytes_fields[] = {
        {"runtime_policy", offsetof(struct wire_v2_add, runtime_policy), WIRE_BODY_MAX},
        {"runtime_policy_key", offsetof(struct wire_v2_add, runtime_policy_key), WIRE_CERT_TEXT_MAX},
        {"ak_tpm", offsetof(struct wire_v2_add, ak), WIRE_PUBLIC_MAX},
};

/* One value of a PCR: hex of any bank's length, "0x" in front or not. */
static int fixed_value(const char *text, struct wire_fixed_pcr *ret, struct err *err)
{
        struct buf b = {0};
        if (str_starts(text, "0x"))
                text += 2;
        int r = hex_decode_any(view_str(text), sizeof(ret->b), &b, err);
        if (r == 0 && b.len != 20 && b.len != 32 && b.len != 48 && b.len != 64)
                r = err_set(err, ERR_FORMAT, 0, "expected 40, 64, 96 or 128 hex digits");
        if (r == 0) {
                ret->len = (uint8_t)b.len;
                memcpy(ret->b, b.p, b.len);
        }
        buf_free(&b);
        return r;
}

static int fixed_add(struct wire_fixed_pcrs *p, uint8_t index, const json_t *text, struct err *err)
{
        if (!json_is_string(text))
                return err_set(err, ERR_FORMAT, 0, "expected hex text or a list of it");
        if (p->n == WIRE_FIXED_PCRS_MAX)
                return err_set(err, ERR_LIMIT, 0, "more than %d values", WIRE_FIXED_PCRS_MAX);
        struct wire_fixed_pcr v = {.index = index};
        int r = fixed_value(json_string_value(text), &v, err);
        if (r < 0)
                return r;
        struct wire_fixed_pcr *grown = mem_resize(p->value, p->n + 1, sizeof(*grown));
        if (grown == NULL)
                return err_nomem(err);
        p->value = grown;
        p->value[p->n++] = v;
        return 0;
}

static int fixed_read(const json_t *policy, struct wire_fixed_pcrs *p, struct err *err)
{
        const char *key;
        json_t *value;
        json_object_foreach ((json_t *)policy, key, value) {
                uint64_t index = 0;
                if (strcmp(key, "mask") == 0)
                        continue;
                int r = str_parse_uint(view_str(key), 23, &index, err);
                if (r == 0 && json_is_array(value)) {
                        for (size_t i = 0; r == 0 && i < json_array_size(value); i++)
                                r = fixed_add(p, (uint8_t)index, json_array_get(value, i), err);
                } else if (r == 0) {
                        r = fixed_add(p, (uint8_t)index, value, err);
                }
                if (r < 0)
                        return err_wrap(err, "PCR %s", SHOW(key));
        }
        return 0;
}

static int tpm_policy_read(struct wire_v2_add *m, struct err *err)
{
        AUTO(json_free_p)
        json_t *policy = NULL;
        if (m->tpm_policy == NULL)
                return 0;
        int r = json_parse(view_str(m->tpm_policy), POLICY_TEXT_MAX, &policy, err);
        if (r == 0 && !json_is_object(policy))
                r = err_set(err, ERR_FORMAT, 0, "expected an object");
        if (r == 0)
                r = fixed_read(policy, &m->pcrs, err);
        return r < 0 ? err_wrap(err, "member 'tpm_policy'") : 0;
}

static int list_read(const json_t *root, const char *name, json_t **ret, struct err *err)
{
        const json_t *list = NULL;
        int r = json_opt_array(root, name, WIRE_LIST_MAX, &list, err);
        if (r <= 0)
                return r;
        for (size_t i = 0; i < json_array_size(list); i++)
                if (!json_is_string(json_array_get(list, i)))
                        return err_set(err, ERR_FORMAT, 0, "member '%s': expected a list of text", name);
        *ret = json_incref((json_t *)list);
        return 0;
}

/* A port as a number or as text; empty, null and absent are -1. */
static int port_read(const json_t *root, int32_t *ret, struct err *err)
{
        const json_t *v = json_object_get(root, "cloudagent_port");
        int64_t port = -1;
        int r = 0;
        if (json_is_string(v) && json_string_length(v) > 0)
                r = str_parse_int(view_str(json_string_value(v)), 0, 65535, &port, err);
        else if (v != NULL && !json_is_string(v))
                r = json_opt_int(root, "cloudagent_port", 0, 65535, &port, err);
        *ret = (int32_t)port;
        return r < 0 ? err_wrap(err, "member 'cloudagent_port'") : 0;
}

static int add_read(const json_t *root, struct wire_v2_add *m, struct err *err)
{
        char *base = (char *)m;
        int r = 0;
        for (size_t i = 0; r >= 0 && i < ARRAY_LEN(texts); i++)
                r = field_opt_text(root, texts[i].name, texts[i].max, (char **)(void *)(base + texts[i].at),
                                   err);
        for (size_t i = 0; r >= 0 && i < ARRAY_LEN(bytes_fields); i++)
                r = field_opt_bytes(root, bytes_fields[i].name, bytes_fields[i].max,
                                    (struct buf *)(void *)(base + bytes_fields[i].at), err);
        for (size_t i = 0; r >= 0 && i < ARRAY_LEN(lists); i++)
                r = list_read(root, lists[i].name, (json_t **)(void *)(base + lists[i].at), err);
        if (r >= 0)
                r = port_read(root, &m->port, err);
        if (r >= 0)
                r = tpm_policy_read(m, err);
        if (r < 0)
                return r;
        /* What stands for "none" in the field. */
        if (m->ima_keys != NULL && strcmp(m->ima_keys, "[]") == 0) {
                free(m->ima_keys);
                m->ima_keys = NULL;
        }
        m->has_v = json_string_length(json_object_get(root, "v")) > 0;
        return 0;
}

int wire_v2_add_decode(struct view body, struct wire_v2_add *ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *root = NULL;
        int r = json_parse(body, 2 * (size_t)WIRE_BODY_MAX, &root, err);
        if (r < 0)
                return r;
        if (!json_is_object(root))
                return err_set(err, ERR_FORMAT, 0, "expected an object");
        struct wire_v2_add m = {.port = -1};
        r = add_read(root, &m, err);
        if (r < 0)
                wire_v2_add_done(&m);
        else
                *ret = m;
        return r;
}

int wire_v2_add_encode(const struct wire_v2_add *m, struct buf *ret, struct err *err)
{
        const char *base = (const char *)m;
        json_t *root = json_object();
        int r = json_object_set_new(root, "v", json_null());
        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
                r |= json_set_str(root, texts[i].name, *(char *const *)(const void *)(base + texts[i].at));
        for (size_t i = 0; i < ARRAY_LEN(bytes_fields); i++) {
                const struct buf *b = (const struct buf *)(const void *)(base + bytes_fields[i].at);
                r |= json_set_base64(root, bytes_fields[i].name, VIEW_BUF(b));
        }
        for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
                json_t *list = *(json_t *const *)(const void *)(base + lists[i].at);
                r |= list != NULL ? json_object_set(root, lists[i].name, list)
                                  : json_object_set_new(root, lists[i].name, json_array());
        }
        r |= m->port >= 0 ? json_set_int(root, "cloudagent_port", m->port)
                          : json_object_set_new(root, "cloudagent_port", json_null());
        return field_emit(root, r, ret, err);
}

void wire_v2_add_done(struct wire_v2_add *m)
{
        char *base = (char *)m;
        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
                free(*(char **)(void *)(base + texts[i].at));
        for (size_t i = 0; i < ARRAY_LEN(bytes_fields); i++)
                buf_free((struct buf *)(void *)(base + bytes_fields[i].at));
        for (size_t i = 0; i < ARRAY_LEN(lists); i++)
                json_decref(*(json_t **)(void *)(base + lists[i].at));
        free(m->pcrs.value);
        *m = (struct wire_v2_add){.port = -1};
}

static int set_list(json_t *obj, const char *name, const json_t *list)
{
        return list != NULL ? json_object_set(obj, name, (json_t *)list)
                            : json_object_set_new(obj, name, json_array());
}

static int set_number(json_t *obj, const char *name, bool there, int64_t value)
{
        return there ? json_set_int(obj, name, value) : json_object_set_new(obj, name, json_null());
}

/* Keylime writes whole seconds: "2s". */
static json_t *seconds_text(int64_t ms)
{
        return json_sprintf("%llds", (long long)((ms + 999) / 1000));
}

static json_t *record_to_json(const struct wire_v2_record *m)
{
        AUTO(json_free_p)
        json_t *o = json_object();
        int r = json_set_int(o, "operational_state", m->operational_state);
        /* The V key is a secret and is given to nobody. */
        r |= json_object_set_new(o, "v", json_null());
        r |= json_set_str(o, "ip", m->ip);
        r |= set_number(o, "port", m->port >= 0, m->port);
        r |= json_set_str(o, "tpm_policy", m->tpm_policy);
        r |= json_set_str(o, "meta_data", m->metadata);
        r |= json_set_int(o, "has_mb_refstate", m->has_mb_policy);
        r |= json_set_int(o, "has_runtime_policy", m->has_runtime_policy);
        r |= set_list(o, "accept_tpm_hash_algs", m->accept_hash);
        r |= set_list(o, "accept_tpm_encryption_algs", m->accept_enc);
        r |= set_list(o, "accept_tpm_signing_algs", m->accept_sign);
        r |= json_set_str(o, "hash_alg", m->hash_alg != NULL ? m->hash_alg : "");
        r |= json_set_str(o, "enc_alg", m->enc_alg != NULL ? m->enc_alg : "");
        r |= json_set_str(o, "sign_alg", m->sign_alg != NULL ? m->sign_alg : "");
        r |= json_set_str(o, "verifier_id", m->verifier_id);
        r |= json_set_str(o, "verifier_ip", m->verifier_ip);
        r |= set_number(o, "verifier_port", m->verifier_port >= 0, m->verifier_port);
        r |= set_number(o, "severity_level", m->has_severity, m->severity_level);
        r |= json_set_str(o, "last_event_id", m->last_event_id);
        r |= json_set_int(o, "attestation_count", (int64_t)m->attestation_count);
        r |= json_set_int(o, "last_received_quote", m->last_quote_at_ms / 1000);
        r |= json_set_int(o, "last_successful_attestation", m->last_success_at_ms / 1000);
        r |= json_set_str(o, "attestation_status", m->attestation_status);
        r |= json_object_set_new(o, "attestation_period", seconds_text(m->interval_ms));
        r |= json_object_set_new(o, "maximum_attestation_interval", seconds_text(5 * m->interval_ms));
        return r == 0 ? TAKE(o) : NULL;
}

int wire_v2_record_encode(const struct wire_v2_record *m, struct buf *ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *results = record_to_json(m);
        if (results == NULL)
                return err_nomem(err);
        return wire_envelope_encode(200, NULL, results, ret, err);
}

int wire_v2_bulk_encode(const char *const *names, const struct wire_v2_record *records, size_t n,
                        struct buf *ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *results = json_object();
        int r = results != NULL ? 0 : -1;
        for (size_t i = 0; i < n; i++)
                r |= json_object_set_new(results, names[i], record_to_json(&records[i]));
        if (r != 0)
                return err_nomem(err);
        return wire_envelope_encode(200, NULL, results, ret, err);
}

int wire_v2_uuids_encode(const char *const *names, size_t n, struct buf *ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *results = json_object();
        json_t *list = json_array();
        int r = 0;
        for (size_t i = 0; i < n; i++) {
                json_t *one = json_array();
                r |= json_array_append_new(one, json_string(names[i]));
                r |= json_array_append_new(list, one);
        }
        r |= json_object_set_new(results, "uuids", list);
        if (r != 0)
                return err_nomem(err);
        return wire_envelope_encode(200, NULL, results, ret, err);
}
