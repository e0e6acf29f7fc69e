/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proofs as JSON. They come from a host that was just revoked, and later by mail: read strictly, one spelling
 * for each value.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "base/str.h"
#include "evidence/ak_certificate.h"
#include "evidence/cel.h"
#include "evidence/tpm_attest.h"
#include "evidence/tpm_signature.h"
#include "evidence/wipe_proof.h"

#define NOTE_CHARS_MAX 512

struct wipe_proof *wipe_proof_new(void)
{
        return mem_zalloc(1, sizeof(struct wipe_proof));
}

void wipe_proof_free(struct wipe_proof *p)
{
        if (!p)
                return;
        free(p->revocation);
        free(p->ak_certificate);
        buf_free(&p->nv_message);
        buf_free(&p->nv_signature);
        buf_free(&p->quote_message);
        buf_free(&p->quote_signature);
        buf_free(&p->log);
        buf_free(&p->ak);
        wipe_notes_done(&p->copied_out);
        wipe_notes_done(&p->not_destroyed);
        free(p);
}

int wipe_notes_add(struct wipe_notes *notes, const char *secret, const char *what, struct err *err)
{
        struct wipe_note note;
        struct wipe_note *grown;

        if (notes->n == WIPE_NOTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "more than %d notes", WIPE_NOTES_MAX);
        grown = mem_resize(notes->v, notes->n + 1, sizeof(*grown));
        if (!grown)
                return err_nomem(err);
        notes->v = grown;
        note = (struct wipe_note){str_dup(secret), str_dup(what)};
        if (!note.secret || !note.what) {
                free(note.secret);
                free(note.what);
                return err_nomem(err);
        }
        notes->v[notes->n++] = note;
        return 0;
}

void wipe_notes_done(struct wipe_notes *notes)
{
        for (size_t i = 0; i < notes->n; i++) {
                free(notes->v[i].secret);
                free(notes->v[i].what);
        }
        free(notes->v);
        *notes = (struct wipe_notes){0};
}

/* ---- reading ---- */

static int take_text(const json_t *j, const char *name, size_t max, char **ret, struct err *err)
{
        const char *s = NULL;
        int r = json_opt_str(j, name, &s, err);

        if (r <= 0)
                return r;
        if (strlen(s) > max)
                return err_set(err, ERR_LIMIT, 0, "member '%s': more than %zu characters", name, max);
        *ret = str_dup(s);
        return *ret ? 1 : err_nomem(err);
}

static int read_schema(const json_t *j, struct err *err)
{
        static const char *const names[] = {
                "ak",    "ak_certificate", "copied_out", "epoch_sealed", "index_name", "log",
                "nonce", "not_destroyed",  "nv",         "quote",        "revocation", "schema"};
        const char *schema = NULL;
        int r = json_only(j, names, ARRAY_LEN(names), err);

        if (r >= 0)
                r = json_get_str(j, "schema", &schema, err);
        if (r >= 0 && !str_equal(schema, WIPE_PROOF_SCHEMA))
                return err_set(err, ERR_FORMAT, 0, "member 'schema': %s is not %s", SHOW(schema),
                               WIPE_PROOF_SCHEMA);
        return r;
}

static int read_nonce(const json_t *j, struct wipe_proof *p, struct err *err)
{
        AUTO(buf_free) struct buf nonce = {0};
        int r = json_get_hex(j, "nonce", sizeof(p->nonce), &nonce, err);

        if (r >= 0 && nonce.len != sizeof(p->nonce))
                return err_set(err, ERR_FORMAT, 0, "member 'nonce': %zu bytes (%zu are wanted)", nonce.len,
                               sizeof(p->nonce));
        if (r >= 0)
                memcpy(p->nonce, nonce.p, nonce.len);
        return r;
}

static int read_index_name(const json_t *j, struct wipe_proof *p, struct err *err)
{
        AUTO(buf_free) struct buf name = {0};
        int r = json_get_hex(j, "index_name", sizeof(p->index_name.b), &name, err);

        if (r < 0)
                return r;
        p->index_name.len = (uint8_t)name.len;
        if (name.len)
                memcpy(p->index_name.b, name.p, name.len);
        return 0;
}

static int read_head(const json_t *j, struct wipe_proof *p, struct err *err)
{
        int64_t epoch = 0;
        int r = read_schema(j, err);

        if (r >= 0)
                r = take_text(j, "revocation", REVOCATION_BYTES_MAX, &p->revocation, err);
        if (r == 0)
                r = err_set(err, ERR_FORMAT, 0, "member 'revocation' is missing");
        if (r >= 0)
                r = read_nonce(j, p, err);
        if (r >= 0)
                r = read_index_name(j, p, err);
        if (r >= 0)
                r = json_get_int(j, "epoch_sealed", 0, INT64_MAX, &epoch, err);
        if (r >= 0)
                r = json_get_base64(j, "ak", 2 + TPM_PUBLIC_BYTES_MAX, &p->ak, err);
        if (r >= 0)
                r = take_text(j, "ak_certificate", AK_CERTIFICATE_CHARS_MAX, &p->ak_certificate, err);
        p->epoch_sealed = (uint64_t)epoch;
        return r;
}

static int read_signed(const json_t *j, struct buf *message, struct buf *signature, struct err *err)
{
        int r = json_get_base64(j, "message", TPM_ATTEST_BYTES_MAX, message, err);

        return r < 0 ? r : json_get_base64(j, "signature", TPM_SIGNATURE_BYTES_MAX, signature, err);
}

static int read_nv(const json_t *doc, struct wipe_proof *p, struct err *err)
{
        static const char *const names[] = {"message", "signature"};
        const json_t *j = NULL;
        int r = json_get_object(doc, "nv", &j, err);

        if (r >= 0)
                r = json_only(j, names, ARRAY_LEN(names), err);
        if (r >= 0)
                r = read_signed(j, &p->nv_message, &p->nv_signature, err);
        return r < 0 ? err_wrap(err, "nv") : 0;
}

static int read_quote(const json_t *doc, struct wipe_proof *p, struct err *err)
{
        static const char *const names[] = {"message", "signature", "pcrs"};
        const json_t *j = NULL;
        int r = json_get_object(doc, "quote", &j, err);

        if (r >= 0)
                r = json_only(j, names, ARRAY_LEN(names), err);
        if (r >= 0)
                r = read_signed(j, &p->quote_message, &p->quote_signature, err);
        if (r >= 0)
                r = pcr_values_from_json(json_object_get(j, "pcrs"), &p->pcrs, err);
        return r < 0 ? err_wrap(err, "quote") : 0;
}

static int read_notes(const json_t *doc, const char *name, const char *what, struct wipe_notes *ret,
                      struct err *err)
{
        const char *const names[] = {"secret", what};
        const json_t *list = NULL;
        int r = json_get_array(doc, name, WIPE_NOTES_MAX, &list, err);

        for (size_t i = 0; r >= 0 && i < json_array_size(list); i++) {
                const json_t *j = json_array_get(list, i);
                const char *secret = NULL, *text = NULL;

                r = json_only(j, names, ARRAY_LEN(names), err);
                if (r >= 0)
                        r = json_get_str(j, "secret", &secret, err);
                if (r >= 0)
                        r = json_get_str(j, what, &text, err);
                if (r >= 0 && (strlen(secret) > NOTE_CHARS_MAX || strlen(text) > NOTE_CHARS_MAX))
                        r = err_set(err, ERR_LIMIT, 0, "more than %d characters", NOTE_CHARS_MAX);
                if (r >= 0)
                        r = wipe_notes_add(ret, secret, text, err);
                if (r < 0)
                        return err_wrap(err, "%s", name);
        }
        return r;
}

int wipe_proof_decode(struct view text, struct wipe_proof **ret, struct err *err)
{
        AUTO(wipe_proof_free_p) struct wipe_proof *p = wipe_proof_new();
        AUTO(json_free_p) json_t *j = NULL;
        int r;

        if (!p)
                return err_nomem(err);
        r = json_parse(text, WIPE_PROOF_BYTES_MAX, &j, err);
        if (r >= 0)
                r = read_head(j, p, err);
        if (r >= 0)
                r = read_nv(j, p, err);
        if (r >= 0)
                r = read_quote(j, p, err);
        if (r >= 0)
                r = json_get_base64(j, "log", CEL_BYTES_MAX, &p->log, err);
        if (r >= 0)
                r = read_notes(j, "copied_out", "unit", &p->copied_out, err);
        if (r >= 0)
                r = read_notes(j, "not_destroyed", "why", &p->not_destroyed, err);
        if (r < 0)
                return err_wrap(err, "proof");
        *ret = TAKE(p);
        return 0;
}

/* ---- writing ---- */

static void put_notes(struct json_out *o, const char *name, const char *what, const struct wipe_notes *notes)
{
        json_out_array(o, name);
        for (size_t i = 0; i < notes->n; i++) {
                bool before = strcmp(what, "secret") < 0;

                json_out_object(o, NULL);
                if (before)
                        json_out_str(o, what, notes->v[i].what);
                json_out_str(o, "secret", notes->v[i].secret);
                if (!before)
                        json_out_str(o, what, notes->v[i].what);
                json_out_object_end(o);
        }
        json_out_array_end(o);
}

int wipe_proof_encode(const struct wipe_proof *p, struct buf *out, struct err *err)
{
        struct json_out o = json_out_to(out, false);

        json_out_object(&o, NULL);
        json_out_base64(&o, "ak", VIEW_BUF(&p->ak));
        json_out_str(&o, "ak_certificate", p->ak_certificate);
        put_notes(&o, "copied_out", "unit", &p->copied_out);
        json_out_int(&o, "epoch_sealed", (int64_t)p->epoch_sealed);
        json_out_hex(&o, "index_name", tpm_name_view(&p->index_name));
        json_out_base64(&o, "log", VIEW_BUF(&p->log));
        json_out_hex(&o, "nonce", VIEW_ARRAY(p->nonce));
        put_notes(&o, "not_destroyed", "why", &p->not_destroyed);
        json_out_object(&o, "nv");
        json_out_base64(&o, "message", VIEW_BUF(&p->nv_message));
        json_out_base64(&o, "signature", VIEW_BUF(&p->nv_signature));
        json_out_object_end(&o);
        json_out_object(&o, "quote");
        json_out_base64(&o, "message", VIEW_BUF(&p->quote_message));
        pcr_values_put(&o, "pcrs", &p->pcrs);
        json_out_base64(&o, "signature", VIEW_BUF(&p->quote_signature));
        json_out_object_end(&o);
        json_out_str(&o, "revocation", p->revocation);
        json_out_str(&o, "schema", WIPE_PROOF_SCHEMA);
        json_out_object_end(&o);
        return buf_ok(out) ? 0 : err_nomem(err);
}
