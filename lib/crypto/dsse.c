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
#include "crypto/ossl.h"

#define SIG_BYTES_MAX 256u /* DER of P-521 has 139 */
#define TEXT_MAX      (DSSE_PAYLOAD_MAX / 3 * 4 + DSSE_SIGNATURES_MAX * (DSSE_KEYID_BYTES_MAX + 1024u) + 65536u)

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

/* DER, as OpenSSL gives it and Keylime takes it. */
static int sign(const struct key *key, struct view message, struct buf *ret, struct err *err)
{
        AUTO(EVP_MD_CTX_free_p)
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        uint8_t sig[SIG_BYTES_MAX];
        size_t len = sizeof(sig);

        if (EVP_PKEY_get_base_id(key_evp(key)) != EVP_PKEY_EC)
                return err_set(err, ERR_CRYPTO, 0, "an envelope is signed with an EC key");
        if (!ctx || EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key_evp(key)) != 1 ||
            EVP_DigestSign(ctx, sig, &len, message.p, message.len) != 1)
                return ossl_err(err, ERR_CRYPTO, "signing");
        buf_put(ret, sig, len);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

static int make_text(const char *type, struct view payload, const char *keyid, struct view sig, char **ret,
                     struct err *err)
{
        AUTO(json_free_p)
        json_t *envelope = json_object();
        json_t *list = json_array(), *one = json_object(); /* the envelope's as soon as they are in */

        if (json_object_set_new(envelope, "signatures", list) < 0) {
                json_decref(one);
                return err_nomem(err);
        }
        if (json_array_append_new(list, one) < 0)
                return err_nomem(err);
        if (json_set_base64(envelope, "payload", payload) | json_set_str(envelope, "payloadType", type) |
            json_set_str(one, "keyid", keyid) | json_set_base64(one, "sig", sig))
                return err_nomem(err);
        *ret = json_print(envelope);
        return *ret ? 0 : err_nomem(err);
}

int dsse_sign(const struct key *key, const char *type, struct view payload, char **ret, struct err *err)
{
        AUTO(pubkey_free_p)
        struct pubkey *pub = NULL;
        AUTO(mem_free_p)
        char *keyid = NULL;
        AUTO(buf_free)
        struct buf pae = {0};
        AUTO(buf_free)
        struct buf sig = {0};
        int r;

        if (payload.len > DSSE_PAYLOAD_MAX)
                return err_set(err, ERR_LIMIT, 0, "%zu bytes to sign, at most %u are allowed", payload.len,
                               DSSE_PAYLOAD_MAX);
        dsse_pae(&pae, view_str(type), payload);
        if (!buf_ok(&pae))
                return err_nomem(err);
        r = sign(key, VIEW_BUF(&pae), &sig, err);
        if (r >= 0)
                r = key_public(key, &pub, err);
        if (r >= 0)
                r = dsse_keyid(pub, &keyid, err);
        if (r >= 0)
                r = make_text(type, payload, keyid, VIEW_BUF(&sig), ret, err);
        return r;
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
        int r = json_parse(text, TEXT_MAX, &j, err);

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
