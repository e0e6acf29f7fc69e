/* SPDX-License-Identifier: Apache-2.0 */
/* A set of public keys, as a server publishes them or an auditor kept them. Spec: RFC 7517, RFC 7518 §6.2. */
#include "crypto/jwks.h"

#include <string.h>

#include "base/base64.h"
#include "base/json.h"

#define COORDINATE_BYTES 32

static int coordinate(const json_t *key, const char *name, struct buf *ret, struct err *err)
{
        const char *text;

        if (json_get_str(key, name, &text, err) < 0 ||
            base64url_decode(view_str(text), COORDINATE_BYTES, ret, err) < 0)
                return err_wrap(err, "key");
        if (ret->len != COORDINATE_BYTES)
                return err_set(err, ERR_FORMAT, 0, "key: member '%s' has %zu bytes instead of 32", name,
                               ret->len);
        return 0;
}

int jwk_parse(const json_t *j, struct pubkey **ret, struct err *err)
{
        const char *kty = json_string_value(json_object_get(j, "kty"));
        const char *crv = json_string_value(json_object_get(j, "crv"));
        AUTO(buf_free) struct buf x = {0}, y = {0};

        if (!kty || strcmp(kty, "EC") != 0 || !crv || strcmp(crv, "P-256") != 0)
                return 0;
        if (coordinate(j, "x", &x, err) < 0 || coordinate(j, "y", &y, err) < 0 ||
            pubkey_from_ec(CURVE_P256, VIEW_BUF(&x), VIEW_BUF(&y), ret, err) < 0)
                return -(int)err->kind;
        return 1;
}

int jwks_parse(struct view text, struct jwks *ret, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        const json_t *keys;
        int r;

        *ret = (struct jwks){0};
        if (json_parse(text, 64 * 1024, &doc, err) < 0 ||
            json_get_array(doc, "keys", JWKS_KEYS_MAX, &keys, err) < 0)
                return err_wrap(err, "key set");
        for (size_t i = 0; i < json_array_size(keys); i++) {
                r = jwk_parse(json_array_get(keys, i), &ret->keys[ret->n], err);
                if (r < 0) {
                        jwks_done(ret);
                        return err_wrap(err, "key set");
                }
                ret->n += r > 0;
        }
        if (ret->n == 0)
                return err_set(err, ERR_FORMAT, 0, "key set: holds no P-256 key");
        return 0;
}

void jwks_done(struct jwks *jwks)
{
        for (size_t i = 0; i < jwks->n; i++)
                pubkey_free(jwks->keys[i]);
        *jwks = (struct jwks){0};
}
