/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors of launches, and the records of their log. A descriptor is written by a launcher that may be
 * root's own on a taken host, read by the verifier, and compared with the launcher's own by the agent: so
 * there is one spelling, names are plain, digests have their length, and what is written is read back first.
 *
 * Spec: SR-21, SR-23; docs/protocol.md, "Launches".
 */
#include "evidence/launch.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "evidence/wasm_claims.h"

#define SCHEMA       "avow.launch/1"
#define DIGEST_LABEL "avow-launch-v1"

/* ---- what a launch is made of ---- */

int launch_of_module(struct view module, struct launch *l, struct buf *token, struct err *err)
{
        struct view section = VIEW_NONE;
        struct wasm wasm;
        size_t n;
        int r = wasm_parse(module, &wasm, err);

        if (r < 0)
                return r;
        n = wasm_claims_section(&wasm, &section);
        if (n > 1)
                return err_set(err, ERR_FORMAT, 0, "%zu sections with claims: one at most can count", n);
        if (section.len > LAUNCH_TOKEN_MAX)
                return err_set(err, ERR_LIMIT, 0, "claims of %zu bytes (at most %u)", section.len,
                               LAUNCH_TOKEN_MAX);
        if (!str_plain(section))
                return err_set(err, ERR_FORMAT, 0, "the section with claims holds no token");
        l->size = module.len;
        l->has_claims = n == 1;
        r = digest_bytes(DIGEST_SHA256, module, &l->sha256, err);
        if (r >= 0)
                r = digest_bytes(DIGEST_SHA384, module, &l->sha384, err);
        if (r < 0 || !l->has_claims)
                return r;
        r = digest_bytes(DIGEST_SHA256, section, &l->claims_token, err);
        if (r >= 0)
                r = wasm_claims_digest_for(&wasm, section, &l->claims_hash, err);
        if (r < 0)
                return r;
        buf_put_view(token, section);
        return buf_ok(token) ? 0 : err_nomem(err);
}

int launch_arguments(const char *const *args, size_t n, struct digest *ret, struct err *err)
{
        AUTO(digest_ctx_free_p) struct digest_ctx *ctx = NULL;
        int r = digest_ctx_new(DIGEST_SHA256, &ctx, err);

        for (size_t i = 0; i < n && r >= 0; i++)
                r = digest_ctx_update(ctx, VIEW(args[i], strlen(args[i]) + 1), err);
        return r < 0 ? r : digest_ctx_final(ctx, ret, err);
}

int launch_add_secret(struct launch *l, const char *name, struct err *err)
{
        size_t at = 0;

        if (!str_valid_name(name))
                return err_set(err, ERR_FORMAT, 0, "%s is no name of a secret", SHOW(name));
        while (at < l->n_secrets && strcmp(l->secrets[at], name) < 0)
                at++;
        if (at < l->n_secrets && str_equal(l->secrets[at], name))
                return 0;
        if (l->n_secrets == LAUNCH_SECRETS_MAX)
                return err_set(err, ERR_LIMIT, 0, "more than %d secrets for one launch", LAUNCH_SECRETS_MAX);
        memmove(l->secrets + at + 1, l->secrets + at, (l->n_secrets - at) * sizeof(l->secrets[0]));
        (void)snprintf(l->secrets[at], sizeof(l->secrets[at]), "%s", name); /* 64 characters at most */
        l->n_secrets++;
        return 0;
}

bool launch_wants_secret(const struct launch *l, const char *name)
{
        for (size_t i = 0; i < l->n_secrets; i++)
                if (str_equal(l->secrets[i], name))
                        return true;
        return false;
}

/* ---- the descriptor ---- */

static void put_module(struct json_out *o, const struct launch *l)
{
        json_out_object(o, "module");
        if (l->has_claims) {
                json_out_object(o, "claims");
                json_out_hex(o, "hash", digest_view(&l->claims_hash));
                json_out_hex(o, "token", digest_view(&l->claims_token));
                json_out_object_end(o);
        }
        json_out_hex(o, "sha256", digest_view(&l->sha256));
        json_out_hex(o, "sha384", digest_view(&l->sha384));
        json_out_int(o, "size", (int64_t)l->size);
        json_out_object_end(o);
}

/* Members sorted: equal launches have equal texts. */
void launch_put(struct json_out *o, const char *name, const struct launch *l)
{
        json_out_object(o, name);
        json_out_hex(o, "arguments", digest_view(&l->arguments));
        json_out_hex(o, "closure", digest_view(&l->closure));
        json_out_str(o, "host", l->host);
        json_out_str(o, "id", l->id);
        if (l->has_input)
                json_out_hex(o, "input", digest_view(&l->input));
        put_module(o, l);
        json_out_hex(o, "nonce", VIEW(l->nonce, l->nonce_len));
        json_out_str(o, "runtime", l->runtime);
        json_out_str(o, "schema", SCHEMA);
        json_out_array(o, "secrets");
        for (size_t i = 0; i < l->n_secrets; i++)
                json_out_str(o, NULL, l->secrets[i]);
        json_out_array_end(o);
        if (l->tenant[0])
                json_out_str(o, "tenant", l->tenant);
        json_out_object_end(o);
}

/* Return: 1 if it is there; 0 (an optional one); < 0. */
static int read_digest(const json_t *j, const char *name, enum digest_alg alg, bool needed,
                       struct digest *ret, struct err *err)
{
        AUTO(buf_free) struct buf bytes = {0};
        int r = needed ? json_get_hex(j, name, DIGEST_BYTES_MAX, &bytes, err)
                       : json_opt_hex(j, name, DIGEST_BYTES_MAX, &bytes, err);

        if (r < 0 || (r == 0 && !needed))
                return r;
        r = digest_set(alg, VIEW_BUF(&bytes), ret, err);
        return r < 0 ? err_wrap(err, "member '%s'", name) : 1;
}

static int read_claims(const json_t *module, struct launch *l, struct err *err)
{
        static const char *const members[] = {"hash", "token"};
        const json_t *claims = NULL;
        int r = json_opt_object(module, "claims", &claims, err);

        if (r <= 0)
                return r;
        l->has_claims = true;
        r = json_only(claims, members, ARRAY_LEN(members), err);
        if (r >= 0)
                r = read_digest(claims, "hash", DIGEST_SHA256, true, &l->claims_hash, err);
        if (r >= 0)
                r = read_digest(claims, "token", DIGEST_SHA256, true, &l->claims_token, err);
        return r < 0 ? err_wrap(err, "member 'claims'") : 0;
}

static int read_module(const json_t *j, struct launch *l, struct err *err)
{
        static const char *const members[] = {"claims", "sha256", "sha384", "size"};
        const json_t *module = NULL;
        int64_t size = 0;
        int r = json_get_object(j, "module", &module, err);

        if (r < 0)
                return r;
        r = json_only(module, members, ARRAY_LEN(members), err);
        if (r >= 0)
                r = read_claims(module, l, err);
        if (r >= 0)
                r = read_digest(module, "sha256", DIGEST_SHA256, true, &l->sha256, err);
        if (r >= 0)
                r = read_digest(module, "sha384", DIGEST_SHA384, true, &l->sha384, err);
        if (r >= 0)
                r = json_get_int(module, "size", 0, LAUNCH_MODULE_MAX, &size, err);
        l->size = (uint64_t)size;
        return r < 0 ? err_wrap(err, "member 'module'") : 0;
}

/* A name of ours that has to be there. */
static int read_name(const json_t *j, const char *name, char ret[static LAUNCH_NAME_MAX + 1], bool needed,
                     struct err *err)
{
        const char *s = NULL;
        int r = needed ? json_get_str(j, name, &s, err) : json_opt_str(j, name, &s, err);

        if (r < 0 || !s)
                return r;
        if (!str_valid_name(s))
                return err_set(err, ERR_FORMAT, 0, "member '%s': %s is no name", name, SHOW(s));
        (void)snprintf(ret, LAUNCH_NAME_MAX + 1, "%s", s);
        return 0;
}

static int read_who(const json_t *j, struct launch *l, struct err *err)
{
        const char *id = NULL, *host = NULL;
        int r = json_get_str(j, "id", &id, err);

        if (r >= 0 && !uuid_valid(id))
                r = err_set(err, ERR_FORMAT, 0, "member 'id': %s is no UUID", SHOW(id));
        if (r >= 0)
                r = json_get_str(j, "host", &host, err);
        if (r >= 0 && !str_valid_host_id(host))
                r = err_set(err, ERR_FORMAT, 0, "member 'host': %s is no host's name", SHOW(host));
        if (r < 0)
                return r;
        (void)snprintf(l->id, sizeof(l->id), "%s", id);
        (void)snprintf(l->host, sizeof(l->host), "%s", host);
        r = read_name(j, "runtime", l->runtime, true, err);
        return r < 0 ? r : read_name(j, "tenant", l->tenant, false, err);
}

static int read_nonce(const json_t *j, struct launch *l, struct err *err)
{
        AUTO(buf_free) struct buf nonce = {0};
        int r = json_get_hex(j, "nonce", LAUNCH_NONCE_MAX, &nonce, err);

        if (r < 0)
                return r;
        l->nonce_len = nonce.len;
        if (nonce.len)
                memcpy(l->nonce, nonce.p, nonce.len);
        return 0;
}

static int read_secrets(const json_t *j, struct launch *l, struct err *err)
{
        const json_t *list = NULL;
        int r = json_get_array(j, "secrets", LAUNCH_SECRETS_MAX, &list, err);

        for (size_t i = 0; r >= 0 && i < json_array_size(list); i++) {
                const char *name = json_string_value(json_array_get(list, i));

                if (!name || (i > 0 && strcmp(l->secrets[l->n_secrets - 1], name) >= 0))
                        return err_set(err, ERR_FORMAT, 0,
                                       "member 'secrets': expected names, sorted, each once");
                r = launch_add_secret(l, name, err);
        }
        return r < 0 ? err_wrap(err, "member 'secrets'") : 0;
}

int launch_from_json(const json_t *j, struct launch *ret, struct err *err)
{
        static const char *const members[] = {"arguments", "closure", "host",   "id",      "input", "module",
                                              "nonce",     "runtime", "schema", "secrets", "tenant"};
        struct launch l = {.size = 0};
        const char *schema = NULL;
        int r = json_only(j, members, ARRAY_LEN(members), err);

        if (r >= 0)
                r = json_get_str(j, "schema", &schema, err);
        if (r >= 0 && !str_equal(schema, SCHEMA))
                r = err_set(err, ERR_FORMAT, 0, "member 'schema': expected '%s'", SCHEMA);
        if (r >= 0)
                r = read_who(j, &l, err);
        if (r >= 0)
                r = read_module(j, &l, err);
        if (r >= 0)
                r = read_digest(j, "closure", DIGEST_SHA256, true, &l.closure, err);
        if (r >= 0)
                r = read_digest(j, "arguments", DIGEST_SHA256, true, &l.arguments, err);
        if (r >= 0)
                r = read_digest(j, "input", DIGEST_SHA256, false, &l.input, err);
        l.has_input = r > 0;
        if (r >= 0)
                r = read_nonce(j, &l, err);
        if (r >= 0)
                r = read_secrets(j, &l, err);
        if (r < 0)
                return r;
        *ret = l;
        return 0;
}

int launch_encode(const struct launch *l, struct buf *ret, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        AUTO(json_free_p) json_t *j = NULL;
        struct json_out o = json_out_to(&text, false);
        struct launch again;
        int r;

        launch_put(&o, NULL, l);
        if (!buf_ok(&text))
                return err_nomem(err);
        r = json_parse(VIEW_BUF(&text), LAUNCH_TEXT_MAX, &j, err);
        if (r >= 0)
                r = launch_from_json(j, &again, err);
        if (r < 0)
                return err_wrap(err, "launch");
        buf_put_view(ret, VIEW_BUF(&text));
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int launch_digest(const struct launch *l, struct digest *ret, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        int r = launch_encode(l, &text, err);

        return r < 0 ? r
                     : digest_parts(DIGEST_SHA256, (struct view[]){VIEW_ARRAY(DIGEST_LABEL), VIEW_BUF(&text)},
                                    2, ret, err);
}

/* ---- the log ---- */

static void put_text(struct buf *b, const char *text)
{
        buf_str(b, text);
        buf_u8(b, 0);
}

static void put_mapped(struct buf *b, const struct cel_record *rec)
{
        buf_put_view(b, digest_view(&rec->mappings));
        for (size_t i = 0; i < rec->n_foreign; i++) {
                buf_put_view(b, digest_view(&rec->foreign[i].sha256));
                put_text(b, rec->foreign[i].path);
        }
}

int launch_record_digest(enum digest_alg bank, const struct cel_record *rec, struct digest *ret,
                         struct err *err)
{
        AUTO(buf_free) struct buf covered = {0};
        bool launch = str_equal(rec->kind, CEL_KIND_LAUNCH);

        if ((!launch && !str_equal(rec->kind, CEL_KIND_MAPPED)) ||
            (launch && (!rec->runtime || !rec->permit)))
                return err_set(err, ERR_FORMAT, 0, "not a record of a launch");
        put_text(&covered, LAUNCH_RECORD_LABEL);
        put_text(&covered, rec->kind);
        buf_put_view(&covered, digest_view(&rec->launch));
        if (launch) {
                buf_put_view(&covered, digest_view(&rec->module));
                buf_put_view(&covered, digest_view(&rec->closure));
                put_text(&covered, rec->runtime);
                put_text(&covered, rec->permit);
                buf_u8(&covered, rec->cached);
        } else {
                put_mapped(&covered, rec);
        }
        return buf_ok(&covered) ? digest_bytes(bank, VIEW_BUF(&covered), ret, err) : err_nomem(err);
}

int launch_record_is(const struct cel_record *rec, enum digest_alg bank, bool *ret, struct err *err)
{
        const struct digest *have = cel_record_digest(rec, bank);
        struct digest want;
        int r;

        *ret = false;
        if (!have || !rec->ours ||
            (!str_equal(rec->kind, CEL_KIND_LAUNCH) && !str_equal(rec->kind, CEL_KIND_MAPPED)))
                return 0;
        r = launch_record_digest(bank, rec, &want, err);
        if (r >= 0)
                *ret = digest_equal(&want, have);
        return r;
}
