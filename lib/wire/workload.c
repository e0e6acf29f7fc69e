/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence of workloads, and the Trust Monitor's messages. That interface's first implementation stopped at
 * an allow-list's first entry and counted an empty list, or an entry of an odd number of digits, as success;
 * here what cannot be read whole is refused whole.
 *
 * Spec: docs/protocol.md, "Workloads".
 */
#include "wire/workload.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

static const enum digest_alg kind_algs[WORKLOAD_N_KINDS] = {DIGEST_SHA256, DIGEST_SHA384};

enum digest_alg workload_kind_alg(enum workload_kind kind)
{
        return kind_algs[kind];
}

/* ---- evidence ---- */

int workload_body_decode(struct view body, struct workload_body *ret, struct err *err)
{
        struct cursor c = cursor_of(body);
        struct workload_body b;
        uint8_t len;

        if (!cursor_u8(&c, &len) || len == 0 || !cursor_take(&c, len, &b.signature))
                return err_set(err, ERR_FORMAT, 0,
                               "expected one byte of length, a signature of that length, and a certificate");
        b.certificate = cursor_rest(&c);
        if (b.certificate.len == 0)
                return err_set(err, ERR_FORMAT, 0,
                               "nothing follows the signature: expected a certificate in DER");
        if (b.certificate.len > WORKLOAD_CERT_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "a certificate of %zu bytes, at most %d are taken",
                               b.certificate.len, WORKLOAD_CERT_BYTES_MAX);
        *ret = b;
        return 0;
}

static bool is_technology(const char *s)
{
        return str_valid_name(s) && strlen(s) <= WORKLOAD_NAME_MAX;
}

static int opt_technology(const json_t *obj, const char *name, char ret[WORKLOAD_NAME_MAX + 1],
                          struct err *err)
{
        const char *s = WORKLOAD_TECHNOLOGY;
        int r = json_opt_str(obj, name, &s, err);

        if (r < 0)
                return r;
        if (!is_technology(s))
                return err_set(err, ERR_FORMAT, 0, "member '%s': not the name of a technology", name);
        (void)snprintf(ret, WORKLOAD_NAME_MAX + 1, "%s", s); /* a name is not longer */
        return r;
}

static int get_digest(const json_t *obj, struct digest *ret, struct err *err)
{
        AUTO(buf_free) struct buf bytes = {0};
        const char *name = NULL;
        enum digest_alg alg;
        int r = json_get_str(obj, "algorithm", &name, err);

        if (r < 0)
                return r;
        if (!digest_by_name(name, &alg) || (alg != DIGEST_SHA256 && alg != DIGEST_SHA384))
                return err_set(err, ERR_FORMAT, 0, "member 'algorithm': expected sha256 or sha384");
        r = json_get_hex(obj, "digest", DIGEST_BYTES_MAX, &bytes, err);
        if (r < 0)
                return r;
        r = digest_set(alg, VIEW_BUF(&bytes), ret, err);
        return r < 0 ? err_wrap(err, "member 'digest'") : 0;
}

static int get_chain(const json_t *obj, struct workload_evidence *e, struct err *err)
{
        const json_t *list = NULL, *item;
        size_t i;
        int r = json_get_array(obj, "chain", WORKLOAD_CHAIN_MAX, &list, err);

        if (r >= 0 && json_array_size(list) == 0)
                r = err_set(err, ERR_FORMAT, 0, "member 'chain': expected at least one certificate");
        if (r < 0)
                return r;
        json_array_foreach (list, i, item) {
                AUTO(json_free_p) json_t *one = json_pack("{s:O}", "certificate", item);

                if (!one)
                        return err_nomem(err);
                e->n_chain++;
                r = json_get_base64(one, "certificate", WORKLOAD_CERT_BYTES_MAX, &e->chain[i], err);
                if (r < 0)
                        return err_wrap(err, "member 'chain', %zu", i + 1);
        }
        return 0;
}

static int get_nonce(const json_t *obj, struct workload_evidence *e, struct err *err)
{
        AUTO(buf_free) struct buf nonce = {0};
        const char *id = NULL;
        int r = json_get_str(obj, "challenge", &id, err);

        if (r >= 0 && !uuid_valid(id))
                r = err_set(err, ERR_FORMAT, 0, "member 'challenge': expected the id of a challenge");
        if (r >= 0)
                r = json_get_hex(obj, "nonce", WORKLOAD_NONCE_BYTES, &nonce, err);
        if (r >= 0 && nonce.len != WORKLOAD_NONCE_BYTES)
                r = err_set(err, ERR_FORMAT, 0, "member 'nonce': expected %d bytes", WORKLOAD_NONCE_BYTES);
        if (r < 0)
                return r;
        memcpy(e->challenge, id, sizeof(e->challenge));
        memcpy(e->nonce, nonce.p, sizeof(e->nonce));
        return 0;
}

static int read_evidence(const json_t *j, struct workload_evidence *e, struct err *err)
{
        static const char *const members[] = {"schema",    "challenge", "nonce", "technology", "entity",
                                              "algorithm", "digest",    "chain", "signature"};
        const char *schema = NULL;
        int r = json_only(j, members, ARRAY_LEN(members), err);

        if (r >= 0)
                r = json_get_str(j, "schema", &schema, err);
        if (r >= 0 && !str_equal(schema, "avow.workload-evidence/1"))
                r = err_set(err, ERR_FORMAT, 0, "member 'schema': expected avow.workload-evidence/1");
        if (r >= 0)
                r = get_nonce(j, e, err);
        if (r >= 0)
                r = opt_technology(j, "technology", e->technology, err);
        if (r >= 0)
                r = workload_id_opt(j, "entity", e->entity, err);
        if (r >= 0)
                r = get_digest(j, &e->digest, err);
        if (r >= 0)
                r = get_chain(j, e, err);
        if (r >= 0)
                r = json_get_base64(j, "signature", WORKLOAD_SIGNATURE_MAX, &e->signature, err);
        return r < 0 ? r : 0;
}

int workload_evidence_decode(struct view body, struct workload_evidence *ret, struct err *err)
{
        AUTO(json_free_p) json_t *j = NULL;
        struct workload_evidence e = {.n_chain = 0};
        int r = json_parse(body, WORKLOAD_EVIDENCE_MAX, &j, err);

        if (r >= 0)
                r = read_evidence(j, &e, err);
        if (r < 0) {
                workload_evidence_done(&e);
                return r;
        }
        *ret = e;
        return 0;
}

void workload_evidence_done(struct workload_evidence *e)
{
        for (size_t i = 0; i < ARRAY_LEN(e->chain); i++)
                buf_free(&e->chain[i]);
        buf_free(&e->signature);
        *e = (struct workload_evidence){.n_chain = 0};
}

int workload_signed_bytes(const struct workload_evidence *e, const char *verifier_id, struct buf *ret,
                          struct err *err)
{
        static const char domain[] = "avow-workload-v1"; /* its NUL, too */
        const struct view parts[] = {view_str(verifier_id),  view_str(e->challenge),
                                     VIEW_ARRAY(e->nonce),   view_str(e->technology),
                                     view_str(e->entity),    view_str(digest_name(e->digest.alg)),
                                     digest_view(&e->digest)};

        buf_put(ret, domain, sizeof(domain));
        for (size_t i = 0; i < ARRAY_LEN(parts); i++)
                buf_be16_bytes(ret, parts[i]);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

/* ---- allow-lists ---- */

size_t workload_list_count(const struct workload_list *l)
{
        size_t n = 0;

        for (size_t k = 0; k < WORKLOAD_N_KINDS; k++)
                n += l->digests[k].len / digest_size(kind_algs[k]);
        return n;
}

void workload_list_done(struct workload_list *l)
{
        for (size_t k = 0; k < WORKLOAD_N_KINDS; k++)
                buf_free(&l->digests[k]);
        *l = (struct workload_list){.id = ""};
}

static bool all_zero(const uint8_t *p, size_t n)
{
        uint8_t any = 0;

        for (size_t i = 0; i < n; i++)
                any |= p[i];
        return any == 0;
}

/* "HEX", or "sha256:HEX". KIND: of what it has to be, or WORKLOAD_N_KINDS. */
static int add_digest(const char *text, enum workload_kind kind, struct workload_list *l, struct err *err)
{
        const char *colon = strchr(text, ':'), *digits = colon ? colon + 1 : text;
        uint8_t bytes[DIGEST_BYTES_MAX];
        size_t len = strlen(digits), k;

        for (k = 0; k < WORKLOAD_N_KINDS && len != 2 * digest_size(kind_algs[k]);)
                k++;
        if (k == WORKLOAD_N_KINDS)
                return err_set(err, ERR_FORMAT, 0, "%zu digits: expected 64 (SHA-256) or 96 (SHA-384)", len);
        if ((kind != WORKLOAD_N_KINDS && k != kind) ||
            (colon && !view_equal(VIEW(text, (size_t)(colon - text)), view_str(digest_name(kind_algs[k])))))
                return err_set(err, ERR_FORMAT, 0, "its length is not that of the algorithm that is named");
        for (size_t i = 0; i < len / 2; i++) {
                int high = hex_digit((uint8_t)digits[2 * i]), low = hex_digit((uint8_t)digits[2 * i + 1]);

                if (high < 0 || low < 0)
                        return err_set(err, ERR_FORMAT, 0, "digit %zu is not hexadecimal",
                                       2 * i + (high < 0 ? 1 : 2));
                bytes[i] = (uint8_t)(high << 4 | low);
        }
        if (all_zero(bytes, len / 2))
                return err_set(err, ERR_FORMAT, 0, "all its bytes are zero: that is nothing's digest");
        buf_put(&l->digests[k], bytes, len / 2);
        return buf_ok(&l->digests[k]) ? 0 : err_nomem(err);
}

static int add_digests(const json_t *obj, const char *name, enum workload_kind kind, struct workload_list *l,
                       struct err *err)
{
        const json_t *list = NULL, *item;
        size_t i;
        int r = json_get_array(obj, name, WORKLOAD_LIST_MAX, &list, err);

        if (r < 0)
                return r;
        if (json_array_size(list) == 0)
                return err_set(err, ERR_FORMAT, 0, "member '%s': an empty list allows nothing", name);
        json_array_foreach (list, i, item) {
                if (!json_is_string(item))
                        r = err_set(err, ERR_FORMAT, 0, "expected text");
                else
                        r = add_digest(json_string_value(item), kind, l, err);
                if (r < 0)
                        return err_wrap(err, "member '%s', entry %zu", name, i + 1);
        }
        return 0;
}

static int finish(struct workload_list *l, int r, struct workload_list *ret)
{
        if (r < 0) {
                workload_list_done(l);
                return r;
        }
        *ret = *l;
        return 0;
}

int workload_list_decode(struct view body, struct workload_list *ret, struct err *err)
{
        static const char *const members[] = {"schema", "technology", "digests"};
        AUTO(json_free_p) json_t *j = NULL;
        struct workload_list l = {.id = ""};
        const char *schema = NULL;
        int r = json_parse(body, WORKLOAD_LIST_BYTES_MAX, &j, err);

        if (r >= 0)
                r = json_only(j, members, ARRAY_LEN(members), err);
        if (r >= 0)
                r = json_get_str(j, "schema", &schema, err);
        if (r >= 0 && !str_equal(schema, "avow.workload-list/1"))
                r = err_set(err, ERR_FORMAT, 0, "member 'schema': expected avow.workload-list/1");
        if (r >= 0)
                r = opt_technology(j, "technology", l.technology, err);
        if (r >= 0)
                r = add_digests(j, "digests", WORKLOAD_N_KINDS, &l, err);
        return finish(&l, r, ret);
}

/* "SHA256", "sha-384", …; without a name the lengths say it. */
static int hash_algo(const json_t *metadata, enum workload_kind *ret, struct err *err)
{
        static const char *const names[WORKLOAD_N_KINDS][4] = {{"sha256", "SHA256", "sha-256", "SHA-256"},
                                                               {"sha384", "SHA384", "sha-384", "SHA-384"}};
        const char *name = NULL;
        int r = json_opt_str(metadata, "hash_algo", &name, err);

        *ret = WORKLOAD_N_KINDS;
        if (r <= 0)
                return r;
        for (size_t k = 0; k < WORKLOAD_N_KINDS; k++)
                for (size_t i = 0; i < ARRAY_LEN(names[k]); i++)
                        if (str_equal(name, names[k][i]))
                                *ret = (enum workload_kind)k;
        return *ret == WORKLOAD_N_KINDS
                       ? err_set(err, ERR_FORMAT, 0, "member 'hash_algo': expected sha256 or sha384")
                       : 0;
}

static int read_whitelist(const json_t *j, struct workload_list *l, struct err *err)
{
        static const char *const members[] = {"_id", "metadata", "whitelist"};
        static const char *const inner[] = {"wasm_hashes_list"};
        const json_t *metadata = NULL, *list = NULL;
        enum workload_kind kind = WORKLOAD_N_KINDS;
        int r = json_only(j, members, ARRAY_LEN(members), err);

        if (r >= 0)
                r = workload_id_get(j, "_id", l->id, err);
        if (r >= 0)
                r = json_get_object(j, "metadata", &metadata, err);
        if (r >= 0)
                r = opt_technology(metadata, "att_tech", l->technology, err);
        if (r >= 0)
                r = hash_algo(metadata, &kind, err);
        if (r >= 0)
                r = json_get_object(j, "whitelist", &list, err);
        if (r >= 0)
                r = json_only(list, inner, ARRAY_LEN(inner), err);
        if (r >= 0)
                r = add_digests(list, "wasm_hashes_list", kind, l, err);
        return r;
}

int workload_whitelist_decode(struct view body, struct workload_list *ret, struct err *err)
{
        AUTO(json_free_p) json_t *j = NULL;
        struct workload_list l = {.id = ""};
        int r = json_parse(body, WORKLOAD_LIST_BYTES_MAX, &j, err);

        if (r >= 0)
                r = read_whitelist(j, &l, err);
        return finish(&l, r, ret);
}

int workload_list_pack(const struct workload_list *l, struct buf *ret, struct err *err)
{
        buf_be16_bytes(ret, view_str(l->technology));
        for (size_t k = 0; k < WORKLOAD_N_KINDS; k++) {
                buf_be32(ret, (uint32_t)(l->digests[k].len / digest_size(kind_algs[k])));
                buf_put_view(ret, VIEW_BUF(&l->digests[k]));
        }
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int workload_list_unpack(struct view blob, struct workload_list *ret, struct err *err)
{
        struct cursor c = cursor_of(blob);
        struct workload_list l = {.id = ""};
        struct view name, digests;
        uint32_t n;
        bool good = cursor_be16_bytes(&c, &name) && name.len <= WORKLOAD_NAME_MAX;

        if (good)
                memcpy(l.technology, name.p, name.len);
        good = good && is_technology(l.technology);
        for (size_t k = 0; good && k < WORKLOAD_N_KINDS; k++) {
                good = cursor_be32(&c, &n) && n <= WORKLOAD_LIST_MAX &&
                       cursor_take(&c, n * digest_size(kind_algs[k]), &digests);
                if (good)
                        buf_put_view(&l.digests[k], digests);
                if (good && !buf_ok(&l.digests[k]))
                        return finish(&l, err_nomem(err), ret);
        }
        if (!good || c.left != 0 || workload_list_count(&l) == 0)
                return finish(&l, err_set(err, ERR_FORMAT, 0, "a stored allow-list cannot be read"), ret);
        return finish(&l, 0, ret);
}

/* ---- records ---- */

int workload_id_opt(const json_t *obj, const char *name, char ret[WORKLOAD_ID_MAX + 1], struct err *err)
{
        const json_t *v = json_object_get(obj, name);
        char text[WORKLOAD_ID_MAX + 1];
        size_t len;

        if (!v || json_is_null(v))
                return 0;
        if (json_is_integer(v))
                (void)snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(v));
        else if (!json_is_string(v))
                return err_set(err, ERR_FORMAT, 0, "member '%s': expected text or a number", name);
        len = json_is_string(v) ? json_string_length(v) : strlen(text);
        if (len == 0 || len > WORKLOAD_ID_MAX)
                return err_set(err, ERR_FORMAT, 0, "member '%s': expected 1 to %d characters", name,
                               WORKLOAD_ID_MAX);
        if (json_is_string(v))
                memcpy(text, json_string_value(v), len + 1);
        if (!str_valid_host_id(text))
                return err_set(err, ERR_FORMAT, 0, "member '%s': expected A-Z a-z 0-9 _ . -", name);
        memcpy(ret, text, len + 1);
        return 1;
}

int workload_id_get(const json_t *obj, const char *name, char ret[WORKLOAD_ID_MAX + 1], struct err *err)
{
        int r = workload_id_opt(obj, name, ret, err);

        if (r == 0)
                return err_set(err, ERR_FORMAT, 0, "%s field must be present", name);
        return r < 0 ? r : 0;
}

/* Technologies: at least one, names all of them, none twice. */
static int check_technologies(const json_t *j, struct err *err)
{
        const json_t *list = NULL, *item, *other;
        size_t i, k;
        int r = json_opt_array(j, "att_tech", 16, &list, err);

        if (r <= 0)
                return r;
        if (json_array_size(list) == 0)
                return err_set(err, ERR_FORMAT, 0, "member 'att_tech': an empty list proves nothing");
        json_array_foreach (list, i, item) {
                if (!json_is_string(item) || !is_technology(json_string_value(item)))
                        return err_set(err, ERR_FORMAT, 0,
                                       "member 'att_tech', %zu: not the name of a technology", i + 1);
                json_array_foreach (list, k, other) {
                        if (k < i && json_equal(item, other))
                                return err_set(err, ERR_FORMAT, 0,
                                               "member 'att_tech', %zu: it is there twice", i + 1);
                }
        }
        return 0;
}

static int check_entity(const json_t *j, bool all, struct err *err)
{
        static const char *const members[] = {"entity_uuid", "inf_id",  "att_tech",       "name",
                                              "external_id", "type",    "whitelist_uuid", "child",
                                              "parent",      "metadata"};
        static const char *const needed[] = {"inf_id", "name", "external_id", "type"};
        char id[WORKLOAD_ID_MAX + 1];
        const json_t *ignored = NULL;
        int r = json_only(j, members, ARRAY_LEN(members), err);

        if (r >= 0)
                r = workload_id_get(j, "entity_uuid", id, err);
        for (size_t i = 0; r >= 0 && all && i < ARRAY_LEN(needed); i++)
                if (!json_object_get(j, needed[i]))
                        r = err_set(err, ERR_FORMAT, 0, "%s field must be present", needed[i]);
        if (r >= 0)
                r = check_technologies(j, err);
        if (r >= 0)
                r = workload_id_opt(j, "whitelist_uuid", id, err);
        if (r >= 0)
                r = workload_id_opt(j, "inf_id", id, err);
        if (r >= 0)
                r = json_opt_array(j, "child", 1024, &ignored, err);
        if (r >= 0)
                r = json_opt_object(j, "metadata", &ignored, err);
        return r;
}

int workload_entity_decode(struct view body, bool all, json_t **ret, struct err *err)
{
        AUTO(json_free_p) json_t *j = NULL;
        int r = json_parse(body, WORKLOAD_RECORD_MAX, &j, err);

        if (r >= 0)
                r = check_entity(j, all, err);
        if (r < 0)
                return r;
        *ret = TAKE(j);
        return 0;
}

int workload_verifier_decode(struct view body, json_t **ret, struct err *err)
{
        static const char *const members[] = {"att_tech", "inf_id", "metadata"};
        AUTO(json_free_p) json_t *j = NULL;
        const json_t *ignored = NULL;
        char technology[WORKLOAD_NAME_MAX + 1], id[WORKLOAD_ID_MAX + 1];
        int r = json_parse(body, WORKLOAD_RECORD_MAX, &j, err);

        if (r >= 0)
                r = json_only(j, members, ARRAY_LEN(members), err);
        if (r >= 0)
                r = opt_technology(j, "att_tech", technology, err);
        if (r == 0)
                r = err_set(err, ERR_FORMAT, 0, "att_tech field must be present");
        if (r >= 0)
                r = workload_id_get(j, "inf_id", id, err);
        if (r >= 0)
                r = json_opt_object(j, "metadata", &ignored, err);
        if (r < 0)
                return r;
        *ret = TAKE(j);
        return 0;
}
