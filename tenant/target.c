/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts to seal to: asked of the servers, or read from a file; and the question whose key the EK is, which
 * nobody but its maker's certificate (or who knows the key) answers. Spec: SR-10.
 */
#include "tenant/target.h"

#include <string.h>

#include "base/base64.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/uuid.h"
#include "crypto/jwks.h"
#include "crypto/trust.h"
#include "tenant/api.h"
#include "tenant/hosts.h"
#include "tenant/load.h"

/* ---- from the servers ---- */

static int fetch_ek(const struct session *s, const char *path, struct target *t, struct err *err)
{
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        const char *certificate = NULL;

        if (api_open(s, API_REGISTRAR, &api, err) < 0 || api_json(api, "GET", path, NULL, &doc, err) < 0)
                return -(int)err->kind;
        if (!json_is_true(json_object_get(doc, "registered")))
                return err_set(err, ERR_CONFIG, 0, "it has not registered: its TPM has not shown itself yet");
        if (json_get_base64(doc, "ek", WIRE_PUBLIC_MAX, &t->ek, err) < 0 ||
            json_opt_str(doc, "ek_certificate", &certificate, err) < 0 || target_read_ek(t, err) < 0)
                return err_wrap(err, "registrar");
        t->ek_certificate = certificate ? str_dup(certificate) : NULL;
        return certificate && !t->ek_certificate ? err_nomem(err) : 0;
}

static int fetch_keys(struct api *api, struct target *t, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        AUTO(json_free_p) json_t *set = NULL;
        AUTO(mem_free_p) char *text = NULL;
        AUTO(jwks_done) struct jwks jwks = {0};
        const json_t *release;
        const char *id;

        if (api_json(api, "GET", "/avow/v1/keys", NULL, &doc, err) < 0)
                return -(int)err->kind;
        if (json_get_array(doc, "release", JWKS_KEYS_MAX, &release, err) < 0 ||
            json_get_str(doc, "verifier_id", &id, err) < 0)
                return err_wrap(err, "verifier's keys");
        if (!uuid_valid(id))
                return err_set(err, ERR_PEER, 0, "verifier's keys: %s is no verifier's id", SHOW(id));
        memcpy(t->verifier, id, sizeof(t->verifier));
        if (json_array_size(release) == 0)
                return 0;
        set = json_pack("{s:O}", "keys", release);
        text = set ? json_print(set) : NULL;
        if (!text)
                return err_nomem(err);
        if (jwks_parse(view_str(text), &jwks, err) < 0)
                return err_wrap(err, "verifier's keys");
        t->release_key = TAKE(jwks.keys[0]);
        return 0;
}

static int fetch_counters(struct api *api, const char *path, struct target *t, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        const json_t *counters = NULL;
        const char *tenant;
        int r = api_json(api, "GET", path, NULL, &doc, err);

        if (r < 0)
                return r;
        r = json_opt_object(doc, "counters", &counters, err);
        if (r >= 0)
                r = json_get_str(doc, "tenant", &tenant, err);
        if (r < 0)
                return err_wrap(err, "verifier");
        if (!counters)
                return err_set(err, ERR_CONFIG, 0,
                               "it has shown no epoch counter yet, so nothing sealed to it could be "
                               "revoked: wait for its first evidence ('avow host show')");
        if (!str_valid_name(tenant))
                return err_set(err, ERR_PEER, 0, "verifier: %s is no tenant's name", SHOW(tenant));
        memcpy(t->tenant, tenant, strlen(tenant) + 1);
        return target_read_counters(counters, t, err);
}

int target_fetch(const struct session *s, const char *host, struct target *ret, struct err *err)
{
        AUTO(target_done) struct target t = {0};
        AUTO(mem_free_p) char *path = NULL;
        AUTO(api_close_p) struct api *api = NULL;

        if (host_path(host, "", &path, err) < 0)
                return -(int)err->kind;
        memcpy(t.host, host, strlen(host) + 1);
        if (api_open(s, API_VERIFIER, &api, err) < 0 || fetch_counters(api, path, &t, err) < 0 ||
            fetch_keys(api, &t, err) < 0 || fetch_ek(s, path, &t, err) < 0)
                return err_wrap(err, "host %s", host);
        *ret = t;
        ret->credential.key = ret->ek_key;
        t = (struct target){0};
        return 0;
}

int target_load(const char *path, struct target *ret, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        int r = load_bytes(path, TARGET_BYTES_MAX, &text, err);

        if (r < 0)
                return r;
        r = target_decode(VIEW_BUF(&text), ret, err);
        return r < 0 ? err_wrap(err, "%s", path) : 0;
}

/* ---- whose key it is ---- */

static int check_hash(const struct target *t, const char *wanted, struct err *err)
{
        uint8_t bytes[32];
        struct digest d;
        char hex[65];

        if (hex_decode_exact(view_str(wanted), bytes, sizeof(bytes), err) < 0)
                return err_set(err, ERR_CONFIG, 0, "--ek-sha256: expected 64 lower-case hex digits");
        if (pubkey_spki_sha256(t->ek_key, &d, err) < 0)
                return -(int)err->kind;
        if (!equal_ct(bytes, sizeof(bytes), d.b, d.len))
                return err_set(err, ERR_FORMAT, 0,
                               "host %s: its EK has the hash %s, not the one that you named", SHOW(t->host),
                               hex_write(hex, digest_view(&d)));
        return 0;
}

static int check_chain(const struct target *t, const struct option_list *roots, int64_t now_ms,
                       struct err *err)
{
        AUTO(trust_free_p) struct trust *trust = NULL;
        AUTO(cert_list_done) struct cert_list chain = {0};
        char reason[TRUST_REASON_BYTES];
        const char *why = NULL;
        bool good = false;
        int r = trust_new(&trust, err);

        for (size_t i = 0; r >= 0 && i < roots->n; i++)
                r = trust_add_path(trust, roots->v[i], err);
        if (r < 0)
                return err_wrap(err, "--ek-roots");
        if (!t->ek_certificate)
                return err_set(err, ERR_FORMAT, 0,
                               "host %s: its EK has no certificate; if you know its key, name it with "
                               "--ek-sha256",
                               SHOW(t->host));
        r = cert_list_parse_pem(view_str(t->ek_certificate), CERT_MALFORMED_WARN, &chain, &why, err);
        if (r < 0)
                return err_wrap(err, "EK certificate");
        if (!cert_pubkey(chain.v[0]) || !pubkey_equal(cert_pubkey(chain.v[0]), t->ek_key))
                return err_set(err, ERR_FORMAT, 0,
                               "host %s: its EK certificate is for another key: this key was put in its "
                               "place",
                               SHOW(t->host));
        r = trust_check_ek(trust, chain.v[0], &chain, now_ms, &good, reason, err);
        if (r >= 0 && !good)
                r = err_set(err, ERR_FORMAT, 0, "host %s: its EK certificate is not trusted: %s",
                            SHOW(t->host), reason);
        return r;
}

int target_check_ek(const struct target *t, const struct target_trust *trust, int64_t now_ms, struct err *err)
{
        if (trust->ek_sha256)
                return check_hash(t, trust->ek_sha256, err);
        if (!trust->ek_roots->n)
                return err_set(
                        err, ERR_CONFIG, 0,
                        "whose TPM is it? Name its maker's CA certificates with --ek-roots, or its key "
                        "with --ek-sha256");
        return check_chain(t, trust->ek_roots, now_ms, err);
}
