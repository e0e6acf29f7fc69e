/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocations and the events made of them.
 *
 * A payload is read only after its signature was found good, and still as foreign bytes: its texts end up in
 * databases, journals and other people's programs. The event carries the payload as it was signed, member by
 * member, so that a consumer who wants to trust nobody but the verifier can check "jws" against "data".
 *
 * The signature headers follow Standard Webhooks: over `id.timestamp.body`, one signature for each active
 * secret, so that a consumer can change its secret while events come.
 */
#include "wire/event.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/digest.h"
#include "crypto/ed25519.h"
#include "crypto/random.h"

#define SECRET_BYTES     32
#define SECRET_BYTES_MIN 24
#define SECRET_BYTES_MAX 64
#define LABELS_MAX       64
#define TEXT_MAX         1024

static const char *const event_types[REACTION_N] = {
        [REACTION_SUSPEND] = "org.avow.host.suspended",
        [REACTION_DESTROY] = "org.avow.host.revoked",
        [REACTION_REINSTATE] = "org.avow.host.reinstated",
};

const char *reaction_event_type(enum reaction reaction)
{
        return event_types[reaction];
}

/* ---- the payload ---- */

static int read_id(struct revocation *r, struct err *err)
{
        const char *id, *slash;
        size_t host;

        if (json_get_str(r->doc, "id", &id, err) < 0 || json_get_str(r->doc, "host", &r->host, err) < 0)
                return -(int)err->kind;
        if (!str_valid_host_id(r->host))
                return err_set(err, ERR_FORMAT, 0, "member 'host': %s is no host's name", SHOW(r->host));
        host = strlen(r->host);
        slash = strrchr(id, '/');
        if (!slash || (size_t)(slash - id) != host || strncmp(id, r->host, host) != 0 ||
            str_parse_int(view_str(slash + 1), 0, INT64_MAX, &r->seq, err) < 0)
                return err_set(err, ERR_FORMAT, 0, "member 'id': expected HOST/NUMBER, not %s", SHOW(id));
        (void)snprintf(r->id, sizeof(r->id), "%s/%lld", r->host, (long long)r->seq);
        return 0;
}

static int read_text(const json_t *doc, const char *name, const char **ret, struct err *err)
{
        int r = json_opt_str(doc, name, ret, err);

        if (r > 0 && strlen(*ret) > TEXT_MAX)
                return err_set(err, ERR_LIMIT, 0, "member '%s': longer than %d bytes", name, TEXT_MAX);
        return r < 0 ? r : 0;
}

static int read_labels(struct revocation *r, struct err *err)
{
        const char *name;
        json_t *value;

        if (json_opt_object(r->doc, "labels", &r->labels, err) < 0)
                return -(int)err->kind;
        if (json_object_size(r->labels) > LABELS_MAX)
                return err_set(err, ERR_LIMIT, 0, "member 'labels': more than %d", LABELS_MAX);
        json_object_foreach ((json_t *)(uintptr_t)r->labels, name, value) {
                if (!json_is_string(value))
                        return err_set(err, ERR_FORMAT, 0, "member 'labels': %s is no text", SHOW(name));
        }
        return 0;
}

static int read_members(struct revocation *r, struct err *err)
{
        const char *schema, *reaction;

        r->tenant = "default";
        if (json_get_str(r->doc, "schema", &schema, err) < 0)
                return -(int)err->kind;
        if (strcmp(schema, "avow.revocation/1") != 0)
                return err_set(err, ERR_FORMAT, 0, "member 'schema': expected avow.revocation/1, not %s",
                               SHOW(schema));
        if (read_id(r, err) < 0 || json_get_str(r->doc, "reaction", &reaction, err) < 0 ||
            json_get_time(r->doc, "issued_at", &r->issued_at_ms, err) < 0 ||
            read_text(r->doc, "tenant", &r->tenant, err) < 0 ||
            read_text(r->doc, "severity", &r->severity, err) < 0 ||
            read_text(r->doc, "policy", &r->policy, err) < 0 ||
            read_text(r->doc, "reason", &r->reason, err) < 0 || read_labels(r, err) < 0)
                return -(int)err->kind;
        if (!reaction_by_name(reaction, &r->reaction))
                return err_set(err, ERR_FORMAT, 0,
                               "member 'reaction': expected suspend, destroy or reinstate, not %s",
                               SHOW(reaction));
        if (!str_valid_name(r->tenant))
                return err_set(err, ERR_FORMAT, 0, "member 'tenant': %s is no tenant's name",
                               SHOW(r->tenant));
        return 0;
}

int revocation_parse(struct view payload, struct revocation *ret, struct err *err)
{
        struct revocation r = {0};

        if (json_parse(payload, REVOCATION_BYTES_MAX, &r.doc, err) < 0 || read_members(&r, err) < 0) {
                revocation_done(&r);
                return err_wrap(err, "revocation");
        }
        *ret = r;
        return 0;
}

void revocation_done(struct revocation *r)
{
        json_decref(r->doc);
        *r = (struct revocation){0};
}

/* ---- the event ---- */

static int event_text(const char *id, const char *type, const char *tenant, const char *subject,
                      int64_t time_ms, json_t *data, char **ret, struct err *err)
{
        AUTO(json_free_p) json_t *own = data, *event = json_object();
        char source[96];

        (void)snprintf(source, sizeof(source), "urn:avow:tenant:%s", tenant);
        if (!own || json_set_str(event, "specversion", "1.0") | json_set_str(event, "id", id) |
                            json_set_str(event, "type", type) | json_set_str(event, "source", source) |
                            json_set_str(event, "subject", subject) | json_set_time(event, "time", time_ms) |
                            json_set_str(event, "datacontenttype", "application/json") |
                            json_object_set(event, "data", own))
                return err_nomem(err);
        *ret = json_print(event);
        return *ret ? 0 : err_nomem(err);
}

int event_make(const struct revocation *r, const char *jws, const char *nonce, char **ret, struct err *err)
{
        json_t *data = json_copy(r->doc);

        /* json_copy() without memory may leave members out, and says nothing */
        if (json_object_size(data) != json_object_size(r->doc) ||
            json_set_str(data, "nonce", nonce) | json_set_str(data, "jws", jws)) {
                json_decref(data);
                return err_nomem(err);
        }
        return event_text(r->id, reaction_event_type(r->reaction), r->tenant, r->host, r->issued_at_ms, data,
                          ret, err);
}

int event_make_test(const char *id, const char *hook, const char *tenant, int64_t now_ms, char **ret,
                    struct err *err)
{
        return event_text(id, "org.avow.hook.test", tenant, hook, now_ms,
                          json_pack("{s:s, s:s}", "schema", "avow.hook-test/1", "hook", hook), ret, err);
}

/* ---- Standard Webhooks ---- */

static const char *const prefixes[] = {[WEBHOOK_HMAC] = "whsec_", [WEBHOOK_ED25519] = "whsk_"};

int webhook_secret_new(enum webhook_scheme scheme, char **ret, struct err *err)
{
        uint8_t raw[SECRET_BYTES];
        struct buf text = {0};
        int r = random_bytes(raw, sizeof(raw), err);

        if (r < 0)
                return r;
        buf_str(&text, prefixes[scheme]);
        buf_base64(&text, VIEW_ARRAY(raw));
        mem_wipe(raw, sizeof(raw));
        *ret = buf_take_str(&text);
        return *ret ? 0 : err_nomem(err);
}

/* The raw key, appended; wipe it. */
static int decode(const char *secret, enum webhook_scheme *ret_scheme, struct buf *ret, struct err *err)
{
        for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
                struct view text;

                if (!str_starts(secret, prefixes[i]))
                        continue;
                text = view_str(secret + strlen(prefixes[i]));
                *ret_scheme = (enum webhook_scheme)i;
                if (base64_decode(text, SECRET_BYTES_MAX, ret, err) < 0)
                        return err_wrap(err, "webhook secret");
                if (i == WEBHOOK_ED25519 ? ret->len == ED25519_KEY_BYTES : ret->len >= SECRET_BYTES_MIN)
                        return 0;
                return err_set(err, ERR_FORMAT, 0, "webhook secret: %zu bytes; %s", ret->len,
                               i == WEBHOOK_ED25519 ? "whsk_ holds 32" : "whsec_ holds 24 to 64");
        }
        return err_set(err, ERR_FORMAT, 0, "webhook secret: expected whsec_ or whsk_ and base64");
}

static void key_free(struct buf *key)
{
        if (key->p)
                mem_wipe(key->p, key->cap);
        buf_free(key);
}

int webhook_secret_check(const char *secret, struct err *err)
{
        AUTO(key_free) struct buf key = {0};
        enum webhook_scheme scheme;

        return decode(secret, &scheme, &key, err);
}

int webhook_secret_public(const char *secret, char **ret, struct err *err)
{
        AUTO(key_free) struct buf key = {0};
        AUTO(buf_free) struct buf text = {0};
        uint8_t public[ED25519_KEY_BYTES];
        enum webhook_scheme scheme;
        int r = decode(secret, &scheme, &key, err);

        if (r >= 0 && scheme == WEBHOOK_HMAC) {
                *ret = NULL;
                return 0;
        }
        if (r >= 0)
                r = ed25519_public(VIEW_BUF(&key), public, err);
        if (r < 0)
                return r;
        buf_str(&text, "whpk_");
        buf_base64(&text, VIEW_ARRAY(public));
        *ret = buf_take_str(&text);
        return *ret ? 0 : err_nomem(err);
}

static int sign_one(const char *secret, struct view message, struct buf *out, struct err *err)
{
        AUTO(key_free) struct buf key = {0};
        uint8_t sig[ED25519_SIGNATURE_BYTES];
        enum webhook_scheme scheme;
        struct digest mac;
        int r = decode(secret, &scheme, &key, err);

        if (r >= 0)
                r = scheme == WEBHOOK_HMAC ? hmac_bytes(DIGEST_SHA256, VIEW_BUF(&key), message, &mac, err)
                                           : ed25519_sign(VIEW_BUF(&key), message, sig, err);
        if (r < 0)
                return r;
        buf_str(out, out->len ? " " : "");
        buf_str(out, scheme == WEBHOOK_HMAC ? "v1," : "v1a,");
        buf_base64(out, scheme == WEBHOOK_HMAC ? digest_view(&mac) : VIEW_ARRAY(sig));
        return 0;
}

int webhook_sign(const char *const *secrets, size_t n, const char *id, int64_t timestamp_s, struct view body,
                 char **ret, struct err *err)
{
        AUTO(buf_free) struct buf message = {0}, out = {0};

        buf_fmt(&message, "%s.%lld.", id, (long long)timestamp_s);
        buf_put_view(&message, body);
        if (!buf_ok(&message))
                return err_nomem(err);
        for (size_t i = 0; i < n; i++) {
                int r = sign_one(secrets[i], VIEW_BUF(&message), &out, err);

                if (r < 0)
                        return r;
        }
        *ret = buf_take_str(&out);
        return *ret ? 0 : err_nomem(err);
}
