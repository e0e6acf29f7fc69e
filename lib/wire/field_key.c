/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members of documents about secrets: keys, names, digests. They are read strictly: one form for each value,
 * so that a document that was signed has one text.
 */
#include <string.h>

#include "base/str.h"
#include "wire/field.h"

#define SPKI_MAX 1024

int field_key(const json_t *obj, const char *name, bool opt, struct pubkey **ret, struct err *err)
{
        AUTO(buf_free)
        struct buf der = {0};
        int r = opt ? json_opt_base64(obj, name, SPKI_MAX, &der, err)
                    : json_get_base64(obj, name, SPKI_MAX, &der, err);

        if (r < 0 || (opt && r == 0))
                return r;
        r = pubkey_from_spki(VIEW_BUF(&der), ret, err);
        return r < 0 ? err_wrap(err, "member '%s'", name) : 0;
}

int field_set_key(json_t *obj, const char *name, const struct pubkey *key)
{
        AUTO(buf_free)
        struct buf der = {0};
        struct err ignored = ERR_INIT;

        if (pubkey_spki(key, &der, &ignored) < 0)
                return -1;
        return json_set_base64(obj, name, VIEW_BUF(&der));
}

int field_name(const json_t *obj, const char *name, char *ret, size_t size, struct err *err)
{
        const char *text;
        int r = json_get_str(obj, name, &text, err);

        if (r < 0)
                return r;
        if (!str_valid_name(text) || strlen(text) >= size)
                return err_set(err, ERR_FORMAT, 0,
                               "member '%s': expected a name: 1 to 64 of A-Z a-z 0-9 _ . -", name);
        memcpy(ret, text, strlen(text) + 1);
        return 0;
}

int field_tpm_name(const json_t *obj, const char *name, struct tpm_name *ret, struct err *err)
{
        AUTO(buf_free)
        struct buf b = {0};
        int r = json_get_hex(obj, name, sizeof(ret->b), &b, err);

        if (r < 0)
                return r;
        if (b.len != 2 + digest_size(DIGEST_SHA256) || b.p[0] != 0 || b.p[1] != DIGEST_SHA256)
                return err_set(err, ERR_FORMAT, 0, "member '%s': expected a SHA-256 name of 34 bytes", name);
        ret->len = (uint8_t)b.len;
        memcpy(ret->b, b.p, b.len);
        return 0;
}

int field_sha256(const json_t *obj, const char *name, struct digest *ret, struct err *err)
{
        AUTO(buf_free)
        struct buf b = {0};
        int r = json_get_hex(obj, name, DIGEST_BYTES_MAX, &b, err);

        if (r < 0)
                return r;
        r = digest_set(DIGEST_SHA256, VIEW_BUF(&b), ret, err);
        return r < 0 ? err_wrap(err, "member '%s'", name) : 0;
}

int field_schema(const json_t *obj, const char *wanted, struct err *err)
{
        const char *schema;
        int r = json_get_str(obj, "schema", &schema, err);

        if (r >= 0 && !str_equal(schema, wanted))
                r = err_set(err, ERR_FORMAT, 0, "member 'schema': expected %s, not %s", wanted, SHOW(schema));
        return r;
}
