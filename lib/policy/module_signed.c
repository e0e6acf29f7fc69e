/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures beside a module. The verifier has its digests and no more, so each kind of key signs what can be
 * checked with them: ECDSA the bytes themselves (through SHA-256, or SHA-384 on the larger curves), Ed25519 a
 * label and the SHA-256, and an envelope (DSSE) an in-toto Statement that names the digest among its
 * subjects. The key is the policy's: nothing in an envelope says whose it is.
 *
 * Spec: FIPS 186-4 §6; RFC 8032; DSSE 1.0; in-toto Statement v1.
 */
#include "base/json.h"
#include "crypto/dsse.h"
#include "policy/module_impl.h"

#define SUBJECTS_MAX 4096u

static int detached(const struct module_request *q, const struct module_key *key, bool *ret, struct err *err)
{
        const struct launch *l = q->launch;
        AUTO(buf_free) struct buf message = {0};

        if (key->ec)
                return pubkey_verify_digest(key->ec, SIG_ECDSA,
                                            pubkey_curve(key->ec) == CURVE_P256 ? &l->sha256 : &l->sha384,
                                            q->signature, ret, err);
        buf_put_view(&message, VIEW_ARRAY(MODULE_SIGNATURE_LABEL)); /* with its zero */
        buf_put_view(&message, digest_view(&l->sha256));
        return buf_ok(&message) ? ed25519_verify(key->ed25519, VIEW_BUF(&message), q->signature, ret, err)
                                : err_nomem(err);
}

/* Is one of the statement's subjects this module? */
static bool names_module(const json_t *statement, const struct digest *sha256)
{
        static const char *const types[] = {"https://in-toto.io/Statement/v1",
                                            "https://in-toto.io/Statement/v0.1"};
        struct err err = ERR_INIT;
        const char *type = NULL;
        const json_t *subjects = NULL;

        if (json_get_str(statement, "_type", &type, &err) < 0 ||
            (!str_equal(type, types[0]) && !str_equal(type, types[1])) ||
            json_get_array(statement, "subject", SUBJECTS_MAX, &subjects, &err) < 0)
                return false;
        for (size_t i = 0; i < json_array_size(subjects); i++) {
                AUTO(buf_free) struct buf hex = {0};
                const json_t *digest = NULL;

                err_clear(&err);
                if (json_get_object(json_array_get(subjects, i), "digest", &digest, &err) >= 0 &&
                    json_opt_hex(digest, "sha256", sha256->len, &hex, &err) > 0 &&
                    view_equal(VIEW_BUF(&hex), digest_view(sha256)))
                        return true;
        }
        return false;
}

static int envelope_is_by(const struct dsse *d, const struct module_key *key, bool *ret, struct err *err)
{
        AUTO(buf_free) struct buf message = {0};
        size_t unused = 0;
        int r = 0;

        if (key->ec) {
                const struct pubkey *const keys[] = {key->ec};

                return dsse_verify(d, keys, 1, ret, &unused, err);
        }
        *ret = false;
        dsse_pae(&message, view_str(d->type), VIEW_BUF(&d->payload));
        if (!buf_ok(&message))
                return err_nomem(err);
        for (size_t i = 0; i < d->n_signatures && !*ret && r >= 0; i++)
                r = ed25519_verify(key->ed25519, VIEW_BUF(&message), VIEW_BUF(&d->signatures[i].sig), ret,
                                   err);
        return r;
}

static int enveloped(const struct module_request *q, const struct module_key *key, bool *ret, struct err *err)
{
        AUTO(dsse_done) struct dsse d = {.type = NULL};
        AUTO(json_free_p) json_t *statement = NULL;
        int r = dsse_parse(q->envelope, &d, err);

        if (r >= 0 && !str_equal(d.type, MODULE_DSSE_TYPE))
                return 0;
        if (r >= 0)
                r = json_parse(VIEW_BUF(&d.payload), DSSE_PAYLOAD_MAX, &statement, err);
        if (r == -ERR_FORMAT || r == -ERR_LIMIT) { /* a refusal is data */
                err_clear(err);
                return 0;
        }
        if (r < 0)
                return r;
        return names_module(statement, &q->launch->sha256) ? envelope_is_by(&d, key, ret, err) : 0;
}

int module_signed_by(const struct module_request *request, const struct module_key *key, bool *ret,
                     struct err *err)
{
        int r = 0;

        *ret = false;
        if (request->now_ms >= key->until_ms)
                return 0;
        if (request->signature.len)
                r = detached(request, key, ret, err);
        if (r >= 0 && !*ret && request->envelope.len)
                r = enveloped(request, key, ret, err);
        return r;
}
