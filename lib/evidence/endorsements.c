/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heap of endorsements. Who fills it is anybody: a folder, a cache, a host, a vendor's server. So pieces
 * are told apart by their content alone, sizes and numbers are limited, and what a piece says about itself
 * is used only to find it again.
 *
 * Collateral in one document: the members that Intel's quote verification library names, hex for lists and
 * signatures, texts for the rest, as other verifiers store it.
 */
#include "evidence/endorsements.h"

#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "evidence/endorsements_impl.h"

const char *endorsement_kind_name(enum endorsement_kind kind)
{
        static const char *const names[] = {
                [ENDORSEMENT_UNKNOWN] = "not known",       [ENDORSEMENT_CERTIFICATES] = "certificates",
                [ENDORSEMENT_CRL] = "revocation list",     [ENDORSEMENT_TCB_INFO] = "TCB info",
                [ENDORSEMENT_QE_IDENTITY] = "QE identity", [ENDORSEMENT_COLLATERAL] = "collateral",
                [ENDORSEMENT_TABLE] = "certificate table",
        };

        return (size_t)kind < ARRAY_LEN(names) ? names[kind] : names[ENDORSEMENT_UNKNOWN];
}

int endorsements_new(struct endorsements **ret, struct err *err)
{
        *ret = mem_zalloc(1, sizeof(**ret));
        return *ret ? 0 : err_nomem(err);
}

void endorsements_free(struct endorsements *e)
{
        if (!e)
                return;
        for (size_t i = 0; i < e->n_certs; i++)
                cert_free(e->certs[i]);
        for (size_t i = 0; i < e->n_lists; i++) {
                crl_free(e->lists[i].crl);
                buf_free(&e->lists[i].der);
        }
        for (size_t i = 0; i < e->n_documents; i++)
                buf_free(&e->documents[i].text);
        free(e->certs);
        free(e->lists);
        free(e->documents);
        free(e);
}

/* Room for one more in an array of N elements. */
static int make_room(struct endorsements *e, void *array, size_t n, size_t size, struct err *err)
{
        void **p = array, *more;

        e->full = n >= ENDORSEMENTS_MAX;
        if (e->full)
                return err_set(err, ERR_LIMIT, 0, "more than %d endorsements of a kind", ENDORSEMENTS_MAX);
        if (n & (n - 1)) /* it grows at powers of two */
                return 0;
        more = mem_resize(*p, n ? 2 * n : 1, size);
        if (!more)
                return err_nomem(err);
        *p = more;
        return 0;
}

static int add_cert(struct endorsements *e, struct cert *cert, struct err *err)
{
        int r;

        for (size_t i = 0; i < e->n_certs; i++)
                if (view_equal(cert_der(e->certs[i]), cert_der(cert))) {
                        cert_free(cert);
                        return 0;
                }
        r = make_room(e, &e->certs, e->n_certs, sizeof(struct cert *), err);
        if (r < 0)
                cert_free(cert);
        else
                e->certs[e->n_certs++] = cert;
        return r;
}

static int add_pem(struct endorsements *e, struct view blob, struct err *err)
{
        struct cert_list list = {0};
        const char *why = NULL;
        int r = cert_list_parse_pem(blob, CERT_MALFORMED_REJECT, &list, &why, err);

        for (size_t i = 0; r >= 0 && i < list.n; i++)
                r = add_cert(e, TAKE(list.v[i]), err);
        cert_list_done(&list);
        return r < 0 ? r : 0;
}

static int add_crl(struct endorsements *e, struct view blob, struct err *err)
{
        AUTO(crl_free_p) struct crl *crl = NULL;
        struct buf copy = {0};
        int r = crl_parse(blob, &crl, err);

        for (size_t i = 0; r >= 0 && i < e->n_lists; i++)
                if (view_equal(VIEW_BUF(&e->lists[i].der), blob))
                        return 0;
        if (r >= 0)
                r = make_room(e, &e->lists, e->n_lists, sizeof(struct endorsed_list), err);
        if (r < 0)
                return r;
        buf_put_view(&copy, blob);
        if (!buf_ok(&copy)) {
                buf_free(&copy);
                return err_nomem(err);
        }
        e->lists[e->n_lists++] = (struct endorsed_list){TAKE(crl), copy};
        return 0;
}

/* What a signed document says it is. Nothing of it is true yet. */
static int peek(const json_t *body, struct endorsed_document *doc, struct err *err)
{
        const char *id = NULL, *fmspc = NULL;
        int r = json_get_str(body, "id", &id, err);

        if (r >= 0)
                r = json_get_time(body, "issueDate", &doc->issue_ms, err);
        if (r >= 0)
                r = json_get_time(body, "nextUpdate", &doc->next_update_ms, err);
        if (r >= 0 && doc->kind == ENDORSEMENT_TCB_INFO)
                r = json_get_str(body, "fmspc", &fmspc, err);
        if (r < 0)
                return r;
        doc->tee = strcmp(id, "TDX") == 0 || strcmp(id, "TD_QE") == 0 ? DCAP_TDX : DCAP_SGX;
        if (fmspc) {
                struct buf raw = {0};

                r = hex_decode_any(view_str(fmspc), sizeof(doc->fmspc), &raw, err);
                for (size_t i = 0; r >= 0 && i < raw.len; i++)
                        doc->fmspc[i] = raw.p[i];
                buf_free(&raw);
        }
        return r < 0 ? r : 0;
}

static int add_document(struct endorsements *e, enum endorsement_kind kind, const json_t *body,
                        struct view text, struct err *err)
{
        struct endorsed_document doc = {.kind = kind};
        struct err inner = ERR_INIT;
        int r = peek(body, &doc, &inner);

        /* one that does not even say what it is for is kept, for the check that refuses it */
        if (r == -ERR_NOMEM)
                return err_nomem(err);
        for (size_t i = 0; i < e->n_documents; i++)
                if (view_equal(VIEW_BUF(&e->documents[i].text), text))
                        return 0;
        r = make_room(e, &e->documents, e->n_documents, sizeof(struct endorsed_document), err);
        if (r < 0)
                return r;
        buf_put_view(&doc.text, text);
        if (!buf_ok(&doc.text)) {
                buf_free(&doc.text);
                return err_nomem(err);
        }
        e->documents[e->n_documents++] = doc;
        return 0;
}

/* The body and its signature, put together as Intel's server sends them. */
static int add_parts(struct endorsements *e, const json_t *doc, const char *member, const char *body,
                     const char *signature, struct err *err)
{
        const char *text = json_string_value(json_object_get(doc, body));
        const char *hex = json_string_value(json_object_get(doc, signature));
        enum endorsement_kind kind;
        struct buf whole = {0};
        int r;

        if (!text || !hex)
                return 0;
        buf_fmt(&whole, "{\"%s\":", member);
        buf_str(&whole, text);
        buf_fmt(&whole, ",\"signature\":\"%s\"}", hex);
        r = buf_ok(&whole) ? endorsements_add(e, VIEW_BUF(&whole), &kind, err) : err_nomem(err);
        buf_free(&whole);
        return r;
}

static int add_hex_crl(struct endorsements *e, const json_t *doc, const char *name, struct err *err)
{
        const char *hex = json_string_value(json_object_get(doc, name));
        struct buf raw = {0};
        int r = 0;

        if (hex)
                r = hex_decode_any(view_str(hex), CRL_BYTES_MAX, &raw, err);
        if (hex && r >= 0)
                r = add_crl(e, VIEW_BUF(&raw), err);
        buf_free(&raw);
        return r;
}

static int add_collateral(struct endorsements *e, const json_t *doc, struct err *err)
{
        static const char *const chains[] = {"tcb_info_issuer_chain", "qe_identity_issuer_chain",
                                             "pck_crl_issuer_chain", "pck_certificate_chain"};
        int r = add_parts(e, doc, "tcbInfo", "tcb_info", "tcb_info_signature", err);

        if (r >= 0)
                r = add_parts(e, doc, "enclaveIdentity", "qe_identity", "qe_identity_signature", err);
        for (size_t i = 0; r >= 0 && i < ARRAY_LEN(chains); i++) {
                const char *pem = json_string_value(json_object_get(doc, chains[i]));

                if (pem)
                        r = add_pem(e, view_str(pem), err);
        }
        if (r >= 0)
                r = add_hex_crl(e, doc, "pck_crl", err);
        return r < 0 ? r : add_hex_crl(e, doc, "root_ca_crl", err);
}

static int add_json(struct endorsements *e, struct view blob, enum endorsement_kind *ret, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        const json_t *body;
        int r = json_parse(blob, SIGNED_JSON_BYTES_MAX, &doc, err);

        if (r < 0)
                return r;
        if ((body = json_object_get(doc, "tcbInfo")))
                return add_document(e, *ret = ENDORSEMENT_TCB_INFO, body, blob, err);
        if ((body = json_object_get(doc, "enclaveIdentity")))
                return add_document(e, *ret = ENDORSEMENT_QE_IDENTITY, body, blob, err);
        if (!json_object_get(doc, "tcb_info") && !json_object_get(doc, "qe_identity"))
                return 0;
        *ret = ENDORSEMENT_COLLATERAL;
        return add_collateral(e, doc, err);
}

static int add_der(struct endorsements *e, struct view blob, enum endorsement_kind *ret, struct err *err)
{
        struct cert *cert = NULL;
        int r = cert_parse_der(blob, &cert, err);

        if (r == 0) {
                *ret = ENDORSEMENT_CERTIFICATES;
                return add_cert(e, cert, err);
        }
        if (r != -ERR_FORMAT)
                return r;
        err_clear(err);
        r = add_crl(e, blob, err);
        if (r == 0)
                *ret = ENDORSEMENT_CRL;
        return r;
}

static int add_table(struct endorsements *e, struct view blob, enum endorsement_kind *ret, struct err *err)
{
        struct snp_table table;
        int r = snp_table_parse(blob, &table, err);

        for (size_t i = 0; r >= 0 && i < table.n; i++) {
                enum endorsement_kind kind;

                if (table.v[i].kind == SNP_BLOB_OTHER || table.v[i].kind == SNP_BLOB_EXTRA_INFO)
                        continue;
                *ret = ENDORSEMENT_TABLE;
                r = endorsements_add(e, table.v[i].bytes, &kind, err);
        }
        return r;
}

static bool has_text(struct view v, const char *text)
{
        return v.p && v.len && memmem(v.p, v.len, text, strlen(text)) != NULL;
}

static int add(struct endorsements *e, struct view blob, enum endorsement_kind *ret, struct err *err)
{
        if (blob.len == 0)
                return 0;
        if (blob.p[0] == 0x30)
                return add_der(e, blob, ret, err);
        if (blob.p[0] == '{')
                return add_json(e, blob, ret, err);
        if (has_text(blob, "-----BEGIN X509 CRL-----")) {
                *ret = ENDORSEMENT_CRL;
                return add_crl(e, blob, err);
        }
        if (has_text(blob, "-----BEGIN CERTIFICATE-----")) {
                *ret = ENDORSEMENT_CERTIFICATES;
                return add_pem(e, blob, err);
        }
        return add_table(e, blob, ret, err);
}

int endorsements_add(struct endorsements *e, struct view blob, enum endorsement_kind *ret, struct err *err)
{
        int r;

        *ret = ENDORSEMENT_UNKNOWN;
        if (blob.len > ENDORSEMENTS_BYTES_MAX - e->bytes)
                return err_set(err, ERR_LIMIT, 0, "more than %u bytes of endorsements",
                               ENDORSEMENTS_BYTES_MAX);
        e->bytes += blob.len;
        r = add(e, blob, ret, err);
        if (r == -ERR_FORMAT || (r == -ERR_LIMIT && !e->full)) {
                *ret = ENDORSEMENT_UNKNOWN;
                err_clear(err);
                return 0;
        }
        return r < 0 ? err_wrap(err, "endorsements") : 0;
}

int endorsements_add_all(struct endorsements *e, const struct endorsements *from, struct err *err)
{
        enum endorsement_kind kind;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < from->n_certs; i++)
                r = endorsements_add(e, cert_der(from->certs[i]), &kind, err);
        for (size_t i = 0; r >= 0 && i < from->n_lists; i++)
                r = endorsements_add(e, VIEW_BUF(&from->lists[i].der), &kind, err);
        for (size_t i = 0; r >= 0 && i < from->n_documents; i++)
                r = endorsements_add(e, VIEW_BUF(&from->documents[i].text), &kind, err);
        return r;
}
