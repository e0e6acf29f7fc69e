/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed envelopes. What is signed is not the envelope's text but its payload and the payload's type, each
 * with its length before it, so that no two pairs have the same bytes, and a document signed for one purpose
 * is no document of another.
 *
 * Spec: DSSE 1.0.
 */
#include "crypto/dsse.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/digest.h"

#define SIG_BYTES_MAX 256u /* DER of P-521 has 139 */

void dsse_pae(struct buf *b, struct view type, struct view payload)
{
        buf_fmt(b, "DSSEv1 %zu ", type.len);
        buf_put_view(b, type);
        buf_fmt(b, " %zu ", payload.len);
        buf_put_view(b, payload);
}

int dsse_keyid(const struct pubkey *key, char **ret, struct err *err)
{
        AUTO(mem_free_p)
        char *pem = NULL;
        struct digest d;
        int r = pubkey_pem(key, &pem, err);

        if (r >= 0)
                r = digest_bytes(DIGEST_SHA256, view_str(pem), &d, err);
        if (r < 0)
                return r;
        *ret = hex_encode(digest_view(&d));
        return *ret ? 0 : err_nomem(err);
}

int dsse_new(const char *type, struct view payload, struct dsse *ret, struct err *err)
{
        AUTO(dsse_done)
        struct dsse d = {0};

        if (payload.len > DSSE_PAYLOAD_MAX)
                return err_set(err, ERR_LIMIT, 0, "%zu bytes to sign, at most %u are allowed", payload.len,
                               DSSE_PAYLOAD_MAX);
        buf_put_view(&d.payload, payload);
        d.type = str_dup(type);
        if (!d.type || !buf_ok(&d.payload))
                return err_nomem(err);
        *ret = d;
        d = (struct dsse){0};
        return 0;
}

/* RAW as DER, the form that Keylime takes, too; it has to be KEY's. */
static int der_of(const struct dsse *d, const struct pubkey *key, struct view raw, struct buf *ret,
                  struct err *err)
{
        AUTO(buf_free)
        struct buf pae = {0};
        size_t half = pubkey_curve_bytes(pubkey_curve(key));
        struct signature sig = {.scheme = SIG_ECDSA, .hash = DIGEST_SHA256};
        bool good = false;
        int r;

        if (half == 0 || raw.len != 2 * half)
                return err_set(err, ERR_CRYPTO, 0, "an envelope is signed with an EC key");
        dsse_pae(&pae, view_str(d->type), VIEW_BUF(&d->payload));
        if (!buf_ok(&pae))
                return err_nomem(err);
        sig.r = VIEW(raw.p, half);
        sig.s = VIEW(raw.p + half, half);
        r = pubkey_verify(key, &sig, VIEW_BUF(&pae), &good, err);
        if (r >= 0 && !good)
                r = err_set(err, ERR_CRYPTO, 0, "the signature is not its key's");
        return r < 0 ? r : signature_der(key, &sig, ret, err);
}

int dsse_add(struct dsse *d, const struct pubkey *key, struct view raw, struct err *err)
{
        struct dsse_signature *grown, one = {0};
        int r;

        if (d->n_signatures == DSSE_SIGNATURES_MAX)
                return err_set(err, ERR_LIMIT, 0, "there are %u signatures, and no more are allowed",
                               DSSE_SIGNATURES_MAX);
        r = der_of(d, key, raw, &one.sig, err);
        if (r >= 0)
                r = dsse_keyid(key, &one.keyid, err);
        grown = r >= 0 ? mem_resize(d->signatures, d->n_signatures + 1, sizeof(*grown)) : NULL;
        if (!grown) {
                free(one.keyid);
                buf_free(&one.sig);
                return r < 0 ? r : err_nomem(err);
        }
        d->signatures = grown;
        grown[d->n_signatures++] = one;
        return 0;
}

int dsse_text(const struct dsse *d, char **ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *envelope = json_object();
        json_t *list = json_array(); /* the envelope's as soon as it is in */

        if (json_object_set_new(envelope, "signatures", list) < 0)
                return err_nomem(err);
        for (size_t i = 0; i < d->n_signatures; i++) {
                json_t *one = json_object();

                if (json_array_append_new(list, one) < 0 ||
                    json_set_str(one, "keyid", d->signatures[i].keyid) |
                            json_set_base64(one, "sig", VIEW_BUF(&d->signatures[i].sig)))
                        return err_nomem(err);
        }
        if (json_set_base64(envelope, "payload", VIEW_BUF(&d->payload)) |
            json_set_str(envelope, "payloadType", d->type))
                return err_nomem(err);
        *ret = json_print(envelope);
        return *ret ? 0 : err_nomem(err);
}

void dsse_done(struct dsse *d)
{
        for (size_t i = 0; i < d->n_signatures; i++) {
                free(d->signatures[i].keyid);
                buf_free(&d->signatures[i].sig);
        }
        free(d->signatures);
        free(d->type);
        buf_free(&d->payload);
        *d = (struct dsse){0};
}

static int parse_signature(const json_t *j, struct dsse_signature *ret, struct err *err)
{
        const char *keyid = "";
        int r;

        if (!json_is_object(j))
                return err_set(err, ERR_FORMAT, 0, "expected an object");
        r = json_opt_str(j, "keyid", &keyid, err);
        if (r >= 0 && view_str(keyid).len > DSSE_KEYID_BYTES_MAX)
                r = err_set(err, ERR_LIMIT, 0, "member 'keyid': more than %u bytes", DSSE_KEYID_BYTES_MAX);
        if (r >= 0)
                r = json_get_base64_lax(j, "sig", SIG_BYTES_MAX, &ret->sig, err);
        if (r < 0)
                return r;
        ret->keyid = str_dup(keyid);
        return ret->keyid ? 0 : err_nomem(err);
}

static int parse(const json_t *j, struct dsse *ret, struct err *err)
{
        const json_t *list;
        const char *type;
        int r = json_get_str(j, "payloadType", &type, err);

        if (r >= 0)
                r = json_get_base64_lax(j, "payload", DSSE_PAYLOAD_MAX, &ret->payload, err);
        if (r >= 0)
                r = json_get_array(j, "signatures", DSSE_SIGNATURES_MAX, &list, err);
        if (r < 0)
                return r;
        if (json_array_size(list) == 0)
                return err_set(err, ERR_FORMAT, 0, "member 'signatures': there is none");
        ret->type = str_dup(type);
        ret->signatures = mem_zalloc(json_array_size(list), sizeof(*ret->signatures));
        if (!ret->type || !ret->signatures)
                return err_nomem(err);
        for (size_t i = 0; i < json_array_size(list); i++) {
                ret->n_signatures++; /* what was begun is freed, too */
                r = parse_signature(json_array_get(list, i), &ret->signatures[i], err);
                if (r < 0)
                        return err_wrap(err, "member 'signatures': item %zu", i);
        }
        return 0;
}

int dsse_parse(struct view text, struct dsse *ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *j = NULL;
        AUTO(dsse_done)
        struct dsse d = {0};
        int r = json_parse(text, DSSE_TEXT_MAX, &j, err);

        if (r >= 0 && !json_is_object(j))
                r = err_set(err, ERR_FORMAT, 0, "expected an object");
        if (r >= 0)
                r = parse(j, &d, err);
        if (r < 0)
                return err_wrap(err, "DSSE envelope");
        *ret = d;
        d = (struct dsse){0};
        return 0;
}

static int verify_one(const struct pubkey *key, struct view sig, struct view message,
                      const struct digest *digest, bool *ret_good, struct err *err)
{
        size_t half = pubkey_curve_bytes(pubkey_curve(key));
        struct signature raw = {.scheme = SIG_ECDSA, .hash = DIGEST_SHA256};
        int r = 0;

        *ret_good = false;
        if (half == 0)
                return 0;
        if (sig.len == 2 * half) {
                raw.r = VIEW(sig.p, half);
                raw.s = VIEW(sig.p + half, half);
                r = pubkey_verify(key, &raw, message, ret_good, err);
        }
        if (r >= 0 && !*ret_good)
                r = pubkey_verify_digest(key, SIG_ECDSA, digest, sig, ret_good, err);
        return r;
}

int dsse_verify(const struct dsse *d, const struct pubkey *const *keys, size_t n_keys, bool *ret_good,
                size_t *ret_key, struct err *err)
{
        AUTO(buf_free)
        struct buf pae = {0};
        struct digest digest;
        bool good = false;
        int r;

        dsse_pae(&pae, view_str(d->type), VIEW_BUF(&d->payload));
        if (!buf_ok(&pae))
                return err_nomem(err);
        r = digest_bytes(DIGEST_SHA256, VIEW_BUF(&pae), &digest, err);
        for (size_t i = 0; i < d->n_signatures && r >= 0 && !good; i++) {
                for (size_t k = 0; k < n_keys && r >= 0 && !good; k++) {
                        r = verify_one(keys[k], VIEW_BUF(&d->signatures[i].sig), VIEW_BUF(&pae), &digest,
                                       &good, err);
                        if (r >= 0 && good)
                                *ret_key = k;
                }
        }
        if (r >= 0)
                *ret_good = good;
        return r;
}
