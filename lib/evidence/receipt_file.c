/* SPDX-License-Identifier: Apache-2.0 */
/* The file of a receipt: the payload as the bytes that were signed, and what they are checked with. Nothing
 * in it is believed before receipt_judge(). */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "base/str.h"
#include "evidence/ak_certificate.h"
#include "evidence/receipt.h"
#include "evidence/tpm_signature.h"

#define COUNTERSIGNATURE_MAX 16384

void receipt_file_done(struct receipt_file *f)
{
        buf_free(&f->payload);
        buf_free(&f->message);
        buf_free(&f->signature);
        buf_free(&f->ak);
        free(f->ak_certificate);
        free(f->countersignature);
        *f = (struct receipt_file){.ak_certificate = NULL};
}

static int read_text(const json_t *j, const char *name, size_t max, char **ret, struct err *err)
{
        const char *s = NULL;
        int r = 0;

        if (json_is_null(json_object_get(j, name)))
                return 0;
        r = json_get_str(j, name, &s, err);
        if (r < 0)
                return r;
        if (strlen(s) > max)
                return err_set(err, ERR_LIMIT, 0, "member '%s': more than %zu characters", name, max);
        *ret = str_dup(s);
        return *ret ? 0 : err_nomem(err);
}

static int read_quote(const json_t *doc, struct receipt_file *f, struct err *err)
{
        static const char *const names[] = {"message", "pcrs", "signature"};
        const json_t *j = NULL;
        int r = json_get_object(doc, "quote", &j, err);

        if (r >= 0)
                r = json_only(j, names, ARRAY_LEN(names), err);
        if (r >= 0)
                r = json_get_base64(j, "message", TPM_ATTEST_BYTES_MAX, &f->message, err);
        if (r >= 0)
                r = json_get_base64(j, "signature", TPM_SIGNATURE_BYTES_MAX, &f->signature, err);
        if (r >= 0)
                r = pcr_values_from_json(json_object_get(j, "pcrs"), &f->pcrs, err);
        return r < 0 ? err_wrap(err, "quote") : 0;
}

static int read_file(const json_t *doc, struct receipt_file *f, struct err *err)
{
        static const char *const names[] = {"ak",      "ak_certificate", "countersignature",
                                            "payload", "quote",          "schema"};
        const char *schema = NULL;
        int r = json_only(doc, names, ARRAY_LEN(names), err);

        if (r >= 0)
                r = json_get_str(doc, "schema", &schema, err);
        if (r >= 0 && !str_equal(schema, RECEIPT_SCHEMA))
                r = err_set(err, ERR_FORMAT, 0, "member 'schema': %s is not " RECEIPT_SCHEMA, SHOW(schema));
        if (r >= 0)
                r = json_get_base64(doc, "payload", RECEIPT_PAYLOAD_MAX, &f->payload, err);
        if (r >= 0)
                r = read_quote(doc, f, err);
        if (r >= 0)
                r = json_get_base64(doc, "ak", 2 + TPM_PUBLIC_BYTES_MAX, &f->ak, err);
        if (r >= 0)
                r = read_text(doc, "ak_certificate", AK_CERTIFICATE_CHARS_MAX, &f->ak_certificate, err);
        if (r >= 0)
                r = read_text(doc, "countersignature", COUNTERSIGNATURE_MAX, &f->countersignature, err);
        return r;
}

int receipt_file_from_json(const json_t *j, struct receipt_file *ret, struct err *err)
{
        AUTO(receipt_file_done) struct receipt_file f = {.ak_certificate = NULL};
        int r = read_file(j, &f, err);

        if (r < 0)
                return err_wrap(err, "receipt");
        *ret = f;
        f = (struct receipt_file){.ak_certificate = NULL};
        return 0;
}

int receipt_file_decode(struct view text, struct receipt_file *ret, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        int r = json_parse(text, RECEIPT_BYTES_MAX, &doc, err);

        return r < 0 ? err_wrap(err, "receipt") : receipt_file_from_json(doc, ret, err);
}

void receipt_file_put(struct json_out *o, const char *name, const struct receipt_file *f)
{
        json_out_object(o, name);
        json_out_base64(o, "ak", VIEW_BUF(&f->ak));
        json_out_str(o, "ak_certificate", f->ak_certificate);
        json_out_str(o, "countersignature", f->countersignature);
        json_out_base64(o, "payload", VIEW_BUF(&f->payload));
        json_out_object(o, "quote");
        json_out_base64(o, "message", VIEW_BUF(&f->message));
        pcr_values_put(o, "pcrs", &f->pcrs);
        json_out_base64(o, "signature", VIEW_BUF(&f->signature));
        json_out_object_end(o);
        json_out_str(o, "schema", RECEIPT_SCHEMA);
        json_out_object_end(o);
}

int receipt_file_encode(const struct receipt_file *f, struct buf *out, struct err *err)
{
        struct json_out o = json_out_to(out, false);

        receipt_file_put(&o, NULL, f);
        return buf_ok(out) ? 0 : err_nomem(err);
}
