/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a host says it can show. All of it is a claim: the verifier takes from it the size of logs, the time
 * of the boot and the schemes to choose from, and holds to its own record for the key and to policy for what
 * to ask. A host that lies here hurts its own attestation only.
 *
 * Spec: Keylime push model 3.0, POST /v3.0/agents/:id/attestations. `available_subjects` is an object of
 * banks (the specification's list form is not what anybody sends); `public` is a TPMT_PUBLIC without a size.
 */
#include "wire/capabilities.h"

#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/field.h"

static const char *const formats[WIRE_N_EVIDENCE_TYPES] = {
        [WIRE_TPM_QUOTE] = "",
        [WIRE_CEL_LOG] = WIRE_TYPE_JSON_SEQ,
        [WIRE_UEFI_LOG] = WIRE_TYPE_OCTETS,
        [WIRE_IMA_LOG] = "text/plain",
        [WIRE_LAUNCH_LOG] = WIRE_TYPE_JSON_SEQ,
        [WIRE_TEE_SNP] = WIRE_TYPE_OCTETS,
        [WIRE_TEE_TDX] = WIRE_TYPE_OCTETS,
        [WIRE_TEE_SGX] = WIRE_TYPE_OCTETS,
};

const char *wire_log_format(enum wire_evidence_type type, bool binary)
{
        return type == WIRE_IMA_LOG && binary ? WIRE_TYPE_OCTETS : formats[type];
}

json_t *wire_key_to_json(const struct wire_quote_offer *q)
{
        AUTO(json_free_p)
        json_t *key = json_object();
        int r = json_set_str(key, "key_class", "asymmetric");
        r |= json_set_str(key, "key_algorithm", q->ecc ? "ecc" : "rsa");
        r |= json_set_int(key, "key_size", q->key_bits);
        r |= json_set_str(key, "server_identifier", "ak");
        r |= json_set_hex(key, "local_identifier", VIEW(q->ak_name, q->ak_name_len));
        r |= json_set_base64(key, "public", VIEW_BUF(&q->ak_public));
        if (q->n_key_hashes > 0)
                r |= field_set_algs(key, "allowable_hash_algorithms", wire_hash_name, q->key_hashes,
                                    q->n_key_hashes);
        if (q->n_key_schemes > 0)
                r |= field_set_algs(key, "allowable_signature_schemes", wire_scheme_name, q->key_schemes,
                                    q->n_key_schemes);
        return r == 0 ? TAKE(key) : NULL;
}

static json_t *quote_to_json(const struct wire_quote_offer *q)
{
        AUTO(json_free_p)
        json_t *c = json_object();
        json_t *keys = json_array();
        int r = json_array_append_new(keys, wire_key_to_json(q));
        r |= json_object_set_new(c, "certification_keys", keys);
        r |= json_set_str(c, "component_version", "2.0");
        r |= field_set_algs(c, "hash_algorithms", wire_hash_name, q->hashes, q->n_hashes);
        r |= field_set_algs(c, "signature_schemes", wire_scheme_name, q->schemes, q->n_schemes);
        r |= field_set_banks(c, "available_subjects", &q->subjects);
        return r == 0 ? TAKE(c) : NULL;
}

static json_t *log_to_json(const struct wire_log_offer *l, enum wire_evidence_type type)
{
        AUTO(json_free_p)
        json_t *c = json_object();
        json_t *list = json_array();
        int r = 0;
        if (l->binary)
                r |= json_array_append_new(list, json_string(wire_log_format(type, true)));
        if (l->own_format || !l->binary)
                r |= json_array_append_new(list, json_string(wire_log_format(type, false)));
        r |= json_object_set_new(c, "formats", list);
        r |= json_set_bool(c, "supports_partial_access", l->partial);
        r |= json_set_bool(c, "appendable", l->appendable);
        if (l->has_count)
                r |= json_set_int(c, "entry_count", (int64_t)l->entry_count);
        if (type == WIRE_LAUNCH_LOG) {
                json_t *avow = json_object();
                r |= json_set_int(avow, "pcr", l->pcr);
                r |= json_object_set_new(c, "avow", avow);
        }
        return r == 0 ? TAKE(c) : NULL;
}

json_t *wire_offer_to_json(const struct wire_capabilities *m, enum wire_evidence_type type)
{
        return type == WIRE_TPM_QUOTE ? quote_to_json(&m->quote) : log_to_json(&m->log[type], type);
}

static bool offered(const struct wire_capabilities *m, enum wire_evidence_type type)
{
        return type == WIRE_TPM_QUOTE ? m->quote.offered : m->log[type].offered;
}

int wire_capabilities_encode(const struct wire_capabilities *m, struct buf *ret, struct err *err)
{
        json_t *a = json_object(), *list = json_array(), *info = json_object(), *meta = NULL;
        int r = 0;
        for (size_t i = 0; i < WIRE_N_EVIDENCE_TYPES; i++) {
                enum wire_evidence_type type = (enum wire_evidence_type)i;
                if (!offered(m, type))
                        continue;
                json_t *item = json_object();
                r |= json_set_str(item, "evidence_class", wire_evidence_class(type));
                r |= json_set_str(item, "evidence_type", wire_evidence_name(type));
                r |= json_object_set_new(item, "capabilities", wire_offer_to_json(m, type));
                r |= json_array_append_new(list, item);
        }
        r |= json_object_set_new(a, "evidence_supported", list);
        r |= json_set_time(info, "boot_time", m->boot_time_ms);
        r |= json_object_set_new(a, "system_info", info);
        if (m->avow_version > 0) {
                json_t *avow = json_object();
                r |= json_set_int(avow, "version", m->avow_version);
                meta = meta_new(avow);
                r |= meta != NULL ? 0 : -1;
        }
        return field_emit(document_new("attestation", NULL, a, meta, NULL), r, ret, err);
}

/* The one of certification_keys that is called "ak"; without such a name, the first. */
static const json_t *choose_key(const json_t *keys)
{
        for (size_t i = 0; i < json_array_size(keys); i++) {
                const json_t *key = json_array_get(keys, i);
                const char *id = json_string_value(json_object_get(key, "server_identifier"));
                if (id != NULL && strcmp(id, "ak") == 0)
                        return key;
        }
        return json_array_get(keys, 0);
}

static int key_name_read(const json_t *key, struct wire_quote_offer *q, struct err *err)
{
        const char *text = NULL;
        int r = json_opt_str(key, "local_identifier", &text, err);
        if (r <= 0)
                return r;
        struct buf name = {0};
        /* Keylime's agents send the TPM name in hex; another text is some other name of the sender's. */
        struct err why = ERR_INIT;
        r = hex_decode_any(view_str(text), WIRE_NAME_MAX, &name, &why);
        if (r == 0 && name.len > 0) {
                memcpy(q->ak_name, name.p, name.len);
                q->ak_name_len = name.len;
        }
        buf_free(&name);
        return r == -ERR_NOMEM ? err_nomem(err) : 0;
}

static int key_read(const json_t *key, struct wire_quote_offer *q, struct err *err)
{
        const char *alg = NULL;
        int64_t bits = 0;
        int r = json_get_str(key, "key_algorithm", &alg, err);
        if (r < 0)
                return r;
        /* Keylime writes "rsa"/"ecc", sometimes with the size behind. */
        if (!str_starts(alg, "rsa") && !str_starts(alg, "ecc"))
                return err_set(err, ERR_FORMAT, 0, "member 'key_algorithm': expected 'rsa' or 'ecc'");
        q->ecc = str_starts(alg, "ecc");
        r = json_get_int(key, "key_size", 1, 16384, &bits, err);
        if (r < 0)
                return r;
        q->key_bits = (uint16_t)bits;
        r = key_name_read(key, q, err);
        if (r >= 0)
                r = field_opt_bytes(key, "public", WIRE_PUBLIC_MAX, &q->ak_public, err);
        if (r >= 0)
                r = field_algs(key, "allowable_hash_algorithms", wire_hash_by_name, q->key_hashes,
                               &q->n_key_hashes, err);
        if (r >= 0)
                r = field_algs(key, "allowable_signature_schemes", wire_scheme_by_name, q->key_schemes,
                               &q->n_key_schemes, err);
        return r < 0 ? r : 0;
}

static int quote_read(const json_t *c, struct wire_quote_offer *q, struct err *err)
{
        if (q->offered)
                return err_set(err, ERR_FORMAT, 0, "offered twice");
        q->offered = true;
        const json_t *keys = NULL;
        int r = json_get_array(c, "certification_keys", WIRE_KEYS_MAX, &keys, err);
        if (r == 0)
                r = field_algs(c, "hash_algorithms", wire_hash_by_name, q->hashes, &q->n_hashes, err);
        if (r == 0)
                r = field_algs(c, "signature_schemes", wire_scheme_by_name, q->schemes, &q->n_schemes, err);
        if (r == 0)
                r = field_banks(c, "available_subjects", &q->subjects, err);
        if (r < 0)
                return r;
        const json_t *key = choose_key(keys);
        if (!json_is_object(key))
                return err_set(err, ERR_FORMAT, 0, "member 'certification_keys': expected an array of keys");
        r = key_read(key, q, err);
        return r < 0 ? err_wrap(err, "member 'certification_keys'") : 0;
}

/* The register of a log of launches. */
static int pcr_read(const json_t *c, struct wire_log_offer *l, struct err *err)
{
        const json_t *avow = NULL;
        int64_t pcr = 0;
        int r = json_get_object(c, "avow", &avow, err);
        if (r == 0)
                r = json_get_int(avow, "pcr", 0, 23, &pcr, err);
        l->pcr = (uint8_t)pcr;
        return r < 0 ? err_wrap(err, "member 'avow'") : 0;
}

static int log_read(const json_t *c, enum wire_evidence_type type, struct wire_log_offer *l, struct err *err)
{
        if (l->offered)
                return err_set(err, ERR_FORMAT, 0, "offered twice");
        l->offered = true;
        const json_t *list = NULL;
        int64_t count = 0;
        int r = json_opt_bool(c, "supports_partial_access", &l->partial, err);
        if (r >= 0)
                r = json_opt_bool(c, "appendable", &l->appendable, err);
        if (r >= 0)
                r = json_opt_int(c, "entry_count", 0, INT64_MAX, &count, err);
        if (r < 0)
                return r;
        l->has_count = r > 0;
        l->entry_count = (uint64_t)count;
        r = json_opt_array(c, "formats", WIRE_LIST_MAX, &list, err);
        for (size_t i = 0; r > 0 && i < json_array_size(list); i++) {
                const char *s = json_string_value(json_array_get(list, i));
                if (s != NULL && strcmp(s, wire_log_format(type, false)) == 0)
                        l->own_format = true;
                if (s != NULL && type == WIRE_IMA_LOG && strcmp(s, WIRE_TYPE_OCTETS) == 0)
                        l->binary = true;
        }
        if (r >= 0 && type == WIRE_LAUNCH_LOG)
                r = pcr_read(c, l, err);
        return r < 0 ? r : 0;
}

static int offer_read(const json_t *item, struct wire_capabilities *m, struct err *err)
{
        const char *name = NULL, *class_name = NULL;
        const json_t *c = NULL;
        int r = json_get_str(item, "evidence_type", &name, err);
        if (r == 0)
                r = json_get_str(item, "evidence_class", &class_name, err);
        if (r < 0)
                return r;
        enum wire_evidence_type type;
        if (!wire_evidence_by_name(name, &type))
                return 0;
        if (strcmp(class_name, wire_evidence_class(type)) != 0)
                return err_set(err, ERR_FORMAT, 0, "member 'evidence_class': expected '%s' for '%s'",
                               wire_evidence_class(type), wire_evidence_name(type));
        r = json_get_object(item, "capabilities", &c, err);
        if (r == 0)
                r = type == WIRE_TPM_QUOTE ? quote_read(c, &m->quote, err)
                                           : log_read(c, type, &m->log[type], err);
        return r < 0 ? err_wrap(err, "'%s'", wire_evidence_name(type)) : 0;
}

static int capabilities_read(const struct document *d, struct wire_capabilities *m, struct err *err)
{
        const json_t *list = NULL, *info = NULL;
        int r = json_get_array(d->attributes, "evidence_supported", WIRE_LIST_MAX, &list, err);
        for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
                const json_t *item = json_array_get(list, i);
                r = json_is_object(item) ? offer_read(item, m, err)
                                         : err_set(err, ERR_FORMAT, 0, "expected an object");
                if (r < 0)
                        return err_wrap(err, "member 'evidence_supported'");
        }
        if (r == 0)
                r = json_opt_object(d->attributes, "system_info", &info, err);
        if (r > 0)
                r = json_opt_time(info, "boot_time", &m->boot_time_ms, err);
        if (r < 0 || d->avow == NULL)
                return r < 0 ? r : 0;
        int64_t version = 0;
        r = json_opt_int(d->avow, "version", 0, UINT16_MAX, &version, err);
        m->avow_version = (uint32_t)version;
        return r < 0 ? err_wrap(err, "member 'meta'") : 0;
}

int wire_capabilities_decode(struct view body, struct wire_capabilities *ret, struct err *err)
{
        struct document d;
        int r = document_open(body, WIRE_SMALL_BODY_MAX, "attestation", &d, err);
        if (r < 0)
                return r;
        struct wire_capabilities m = {.avow_version = 0};
        r = capabilities_read(&d, &m, err);
        document_close(&d);
        if (r == 0)
                *ret = m;
        else
                wire_capabilities_done(&m);
        return r;
}

void wire_capabilities_done(struct wire_capabilities *m)
{
        buf_free(&m->quote.ak_public);
        *m = (struct wire_capabilities){.avow_version = 0};
}
