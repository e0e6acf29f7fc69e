/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registrar's v2 bodies. Anybody may send a registration, over plain HTTP where that is on: everything in
 * it is a claim until the credential has been activated, and most of it stays one.
 *
 * Spec: Keylime REST API 2.x, registrar (register, activate, list, show).
 */
#include "wire/registration.h"

#include <string.h>

#include "base/base64.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/envelope.h"
#include "wire/field.h"

/* Base64, or null when there is nothing. */
static int set_bytes(json_t *obj, const char *name, const struct buf *b)
{
        return b->len > 0 ? json_set_base64(obj, name, VIEW_BUF(b)) : json_set_str(obj, name, NULL);
}

static int set_port(json_t *obj, int32_t port)
{
        return port >= 0 ? json_set_int(obj, "port", port) : json_object_set_new(obj, "port", json_null());
}

/* The byte fields that both sides treat alike: one table for the encoder and the decoder. */
static const struct bytes_field {
        const char *name;
        size_t at, max;
} bytes_fields[] = {
        {"ek_tpm", offsetof(struct wire_registration, ek), WIRE_PUBLIC_MAX},
        {"aik_tpm", offsetof(struct wire_registration, ak), WIRE_PUBLIC_MAX},
        {"iak_tpm", offsetof(struct wire_registration, iak), WIRE_PUBLIC_MAX},
        {"idevid_tpm", offsetof(struct wire_registration, idevid), WIRE_PUBLIC_MAX},
        {"iak_cert", offsetof(struct wire_registration, iak_cert), WIRE_CERT_TEXT_MAX},
        {"idevid_cert", offsetof(struct wire_registration, idevid_cert), WIRE_CERT_TEXT_MAX},
        {"iak_attest", offsetof(struct wire_registration, iak_attest), WIRE_ATTEST_MAX},
        {"iak_sign", offsetof(struct wire_registration, iak_sign), WIRE_SIGNATURE_MAX},
};

int wire_registration_encode(const struct wire_registration *m, struct buf *ret, struct err *err)
{
        json_t *root = json_object();
        int r = 0;
        for (size_t i = 0; i < ARRAY_LEN(bytes_fields); i++) {
                const char *base = (const char *)m;
                r |= set_bytes(root, bytes_fields[i].name, (const struct buf *)(base + bytes_fields[i].at));
        }
        if (m->host[0] != '\0')
                r |= json_set_str(root, "agent_id", m->host);
        if (m->ek_cert_pem != NULL)
                r |= json_set_str(root, "ekcert", m->ek_cert_pem);
        else
                r |= set_bytes(root, "ekcert", &m->ek_cert_der);
        if (m->mtls == WIRE_MTLS_PEM)
                r |= json_set_str(root, "mtls_cert", m->mtls_cert);
        else if (m->mtls == WIRE_MTLS_DISABLED)
                r |= json_set_str(root, "mtls_cert", "disabled");
        r |= json_set_str(root, "ip", m->ip);
        r |= set_port(root, m->port);
        return field_emit(root, r, ret, err);
}

/* ekcert: a PEM chain, or one certificate as base64 of its DER. */
static int ek_cert_read(const json_t *root, struct wire_registration *m, struct err *err)
{
        AUTO(mem_free_p)
        char *text = NULL;
        int r = field_opt_text(root, "ekcert", WIRE_CERT_TEXT_MAX, &text, err);
        if (r <= 0)
                return r;
        if (strstr(text, "-----BEGIN ") != NULL) {
                m->ek_cert_pem = TAKE(text);
                return 0;
        }
        r = base64_decode_lax(view_str(text), WIRE_CERT_TEXT_MAX, &m->ek_cert_der, err);
        return r < 0 ? err_wrap(err, "member 'ekcert'") : 0;
}

static int mtls_read(const json_t *root, struct wire_registration *m, struct err *err)
{
        AUTO(mem_free_p)
        char *text = NULL;
        int r = field_opt_text(root, "mtls_cert", WIRE_CERT_TEXT_MAX, &text, err);
        if (r <= 0)
                return r;
        if (strcmp(text, "disabled") == 0) {
                m->mtls = WIRE_MTLS_DISABLED;
                return 0;
        }
        if (!str_starts(text, "-----BEGIN CERTIFICATE-----"))
                return err_set(err, ERR_FORMAT, 0,
                               "member 'mtls_cert': expected a PEM certificate or 'disabled'");
        m->mtls = WIRE_MTLS_PEM;
        m->mtls_cert = TAKE(text);
        return 0;
}

/* A number, or its digits as text (both are in the field). */
static int port_read(const json_t *root, const char *name, int32_t *ret, struct err *err)
{
        const json_t *v = json_object_get(root, name);
        int64_t port = -1;
        if (v == NULL || json_is_null(v))
                return 0;
        if (json_is_string(v)) {
                if (json_string_length(v) == 0)
                        return 0;
                if (str_parse_int(view_str(json_string_value(v)), 0, 65535, &port, err) < 0)
                        return err_wrap(err, "member '%s'", name);
        } else {
                int r = json_get_int(root, name, 0, 65535, &port, err);
                if (r < 0)
                        return r;
        }
        *ret = (int32_t)port;
        return 0;
}

static int registration_read(const json_t *root, struct wire_registration *m, struct err *err)
{
        int r = 0;
        for (size_t i = 0; r >= 0 && i < ARRAY_LEN(bytes_fields); i++) {
                char *base = (char *)m;
                r = field_opt_bytes(root, bytes_fields[i].name, bytes_fields[i].max,
                                    (struct buf *)(base + bytes_fields[i].at), err);
        }
        if (r >= 0 && json_object_get(root, "agent_id") != NULL)
                r = field_host(root, "agent_id", m->host, err);
        if (r >= 0)
                r = ek_cert_read(root, m, err);
        if (r >= 0)
                r = mtls_read(root, m, err);
        if (r >= 0)
                r = field_opt_text(root, "ip", 255, &m->ip, err);
        if (r >= 0)
                r = port_read(root, "port", &m->port, err);
        return r < 0 ? r : 0;
}

/* An object of at most MAX bytes. */
static int object_parse(struct view body, size_t max, json_t **ret, struct err *err)
{
        int r = json_parse(body, max, ret, err);
        if (r == 0 && !json_is_object(*ret))
                r = err_set(err, ERR_FORMAT, 0, "expected an object");
        return r;
}

int wire_registration_decode(struct view body, struct wire_registration *ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *root = NULL;
        int r = object_parse(body, WIRE_SMALL_BODY_MAX, &root, err);
        if (r < 0)
                return r;
        struct wire_registration m = {.port = -1};
        r = registration_read(root, &m, err);
        if (r < 0)
                wire_registration_done(&m);
        else
                *ret = m;
        return r;
}

void wire_registration_done(struct wire_registration *m)
{
        for (size_t i = 0; i < ARRAY_LEN(bytes_fields); i++)
                buf_free((struct buf *)((char *)m + bytes_fields[i].at));
        buf_free(&m->ek_cert_der);
        free(m->ek_cert_pem);
        free(m->mtls_cert);
        free(m->ip);
        *m = (struct wire_registration){.port = -1};
}

/* {"NAME": VALUE} in the envelope, VALUE taken. */
static int emit_one(const char *name, json_t *value, struct buf *ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *results = json_object();
        if (json_object_set_new(results, name, value) != 0)
                return err_nomem(err);
        return wire_envelope_encode(200, NULL, results, ret, err);
}

int wire_challenge_blob_encode(struct view blob, struct buf *ret, struct err *err)
{
        AUTO(mem_free_p)
        char *text = base64_encode(blob);
        return text != NULL ? emit_one("blob", json_string(text), ret, err) : err_nomem(err);
}

int wire_challenge_blob_decode(struct view body, struct buf *ret_blob, struct err *err)
{
        struct wire_envelope e = {.results = NULL};
        int r = wire_envelope_open(body, &e, err);
        if (r < 0)
                return r;
        r = json_get_base64_lax(e.results, "blob", WIRE_BLOB_MAX, ret_blob, err);
        wire_envelope_done(&e);
        return r;
}

int wire_activation_encode(struct view tag, struct buf *ret, struct err *err)
{
        json_t *root = json_object();
        int r = json_set_hex(root, "auth_tag", tag);
        return field_emit(root, r, ret, err);
}

int wire_activation_decode(struct view body, uint8_t ret_tag[static WIRE_AUTH_TAG_BYTES], struct err *err)
{
        AUTO(json_free_p)
        json_t *root = NULL;
        const char *text = NULL;
        int r = object_parse(body, WIRE_SMALL_BODY_MAX, &root, err);
        if (r == 0)
                r = json_get_str(root, "auth_tag", &text, err);
        if (r < 0)
                return r;
        struct buf tag = {0};
        r = hex_decode_any(view_str(text), WIRE_AUTH_TAG_BYTES, &tag, err);
        if (r == 0 && tag.len != WIRE_AUTH_TAG_BYTES)
                r = err_set(err, ERR_FORMAT, 0, "expected %d hex digits", 2 * WIRE_AUTH_TAG_BYTES);
        if (r == 0)
                memcpy(ret_tag, tag.p, WIRE_AUTH_TAG_BYTES);
        buf_free(&tag);
        return r < 0 ? err_wrap(err, "member 'auth_tag'") : 0;
}

int wire_names_encode(const char *const *names, size_t n, struct buf *ret, struct err *err)
{
        json_t *list = json_array();
        int r = 0;
        for (size_t i = 0; i < n; i++)
                r |= json_array_append_new(list, json_string(names[i]));
        if (r != 0) {
                json_decref(list);
                return err_nomem(err);
        }
        return emit_one("uuids", list, ret, err);
}

static int names_read(const json_t *results, struct wire_names *m, struct err *err)
{
        const json_t *list = NULL;
        int r = json_get_array(results, "uuids", WIRE_NAMES_MAX, &list, err);
        if (r < 0)
                return r;
        m->name = mem_zalloc(json_array_size(list) + 1, sizeof(*m->name));
        if (m->name == NULL)
                return err_nomem(err);
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *item = json_array_get(list, i);
                if (json_is_array(item))
                        item = json_array_get(item, 0);
                const char *s = json_string_value(item);
                if (s == NULL || !str_valid_host_id(s))
                        return err_set(err, ERR_FORMAT, 0, "member 'uuids': expected host ids");
                m->name[m->n] = str_dup(s);
                if (m->name[m->n] == NULL)
                        return err_nomem(err);
                m->n++;
        }
        return 0;
}

int wire_names_decode(struct view body, struct wire_names *ret, struct err *err)
{
        struct wire_envelope e = {.results = NULL};
        int r = wire_envelope_open(body, &e, err);
        if (r < 0)
                return r;
        struct wire_names m = {.n = 0};
        r = names_read(e.results, &m, err);
        wire_envelope_done(&e);
        if (r < 0)
                wire_names_done(&m);
        else
                *ret = m;
        return r;
}

void wire_names_done(struct wire_names *m)
{
        for (size_t i = 0; i < m->n; i++)
                free(m->name[i]);
        free(m->name);
        *m = (struct wire_names){.n = 0};
}

int wire_registrar_record_encode(const struct wire_registrar_record *m, struct buf *ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *results = json_object();
        int r = m->host[0] != '\0' ? json_set_str(results, "agent_id", m->host) : 0;
        r |= set_bytes(results, "ek_tpm", &m->ek);
        r |= set_bytes(results, "ekcert", &m->ek_cert_der);
        r |= set_bytes(results, "aik_tpm", &m->ak);
        r |= json_set_str(results, "mtls_cert", m->mtls_cert);
        r |= json_set_str(results, "ip", m->ip);
        r |= set_port(results, m->port);
        r |= json_set_int(results, "regcount", (int64_t)m->regcount);
        if (r != 0)
                return err_nomem(err);
        return wire_envelope_encode(200, NULL, results, ret, err);
}

static int record_read(const json_t *o, struct wire_registrar_record *m, struct err *err)
{
        int64_t regcount = 0;
        int r = json_object_get(o, "agent_id") != NULL ? field_host(o, "agent_id", m->host, err) : 0;
        if (r >= 0)
                r = field_opt_bytes(o, "ek_tpm", WIRE_PUBLIC_MAX, &m->ek, err);
        if (r >= 0)
                r = field_opt_bytes(o, "aik_tpm", WIRE_PUBLIC_MAX, &m->ak, err);
        if (r >= 0)
                r = field_opt_bytes(o, "ekcert", WIRE_CERT_TEXT_MAX, &m->ek_cert_der, err);
        if (r >= 0)
                r = field_opt_text(o, "mtls_cert", WIRE_CERT_TEXT_MAX, &m->mtls_cert, err);
        if (r >= 0)
                r = field_opt_text(o, "ip", 255, &m->ip, err);
        if (r >= 0)
                r = port_read(o, "port", &m->port, err);
        if (r >= 0)
                r = json_opt_int(o, "regcount", 0, INT64_MAX, &regcount, err);
        m->regcount = (uint64_t)regcount;
        return r < 0 ? r : 0;
}

int wire_registrar_record_decode(struct view body, struct wire_registrar_record *ret, struct err *err)
{
        struct wire_envelope e = {.results = NULL};
        int r = wire_envelope_open(body, &e, err);
        if (r < 0)
                return r;
        struct wire_registrar_record m = {.port = -1};
        r = record_read(e.results, &m, err);
        wire_envelope_done(&e);
        if (r < 0)
                wire_registrar_record_done(&m);
        else
                *ret = m;
        return r;
}

void wire_registrar_record_done(struct wire_registrar_record *m)
{
        buf_free(&m->ek);
        buf_free(&m->ak);
        buf_free(&m->ek_cert_der);
        free(m->mtls_cert);
        free(m->ip);
        *m = (struct wire_registrar_record){.port = -1};
}
