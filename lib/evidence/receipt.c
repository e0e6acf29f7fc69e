/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The payload of a receipt. It is read by whoever was handed one, from a host that nobody has to believe; and
 * its bytes are what was signed. So there is one spelling for each receipt: what was read is written again
 * and has to be the same to the byte, which leaves no second reading for a client in another language. Spec:
 * SR-24; docs/protocol.md, "Receipts".
 */
#include "evidence/receipt.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/json_out.h"
#include "base/mem.h"
#include "base/str.h"

#define CODE_MAX   255
#define SIGNAL_MAX 64

static const char label[] = "avow-receipt-v1"; /* with its NUL */

int receipt_digest(struct view payload, struct digest *ret, struct err *err)
{
        const struct view parts[] = {VIEW_ARRAY(label), payload};

        return digest_parts(DIGEST_SHA256, parts, ARRAY_LEN(parts), ret, err);
}

void receipt_done(struct receipt *r)
{
        free(r->tenant);
        free(r->claims.issuer);
        free(r->claims.subject);
        free(r->claims.name);
        free(r->claims.version);
        free(r->permit);
        for (size_t i = 0; i < RECEIPT_POLICIES_MAX; i++)
                free(r->policies[i].name);
        for (size_t i = 0; i < RECEIPT_SECRETS_MAX; i++)
                free(r->secrets[i].name);
        free(r->why);
        free(r->broken);
        *r = (struct receipt){.sequence = 0};
}

/* ---- writing ---- */

static void put_digest(struct json_out *o, const char *name, bool there, const struct digest *d)
{
        if (there)
                json_out_hex(o, name, digest_view(d));
        else
                json_out_null(o, name);
}

static void put_chain(struct json_out *o, const struct receipt *r)
{
        json_out_object(o, "chain");
        json_out_str(o, "broken", r->broken);
        json_out_hex(o, "id", VIEW_ARRAY(r->chain));
        put_digest(o, "previous", r->has_previous, &r->previous);
        json_out_int(o, "sequence", (int64_t)r->sequence);
        json_out_object_end(o);
}

static void put_exit(struct json_out *o, const struct receipt *r)
{
        json_out_object(o, "exit");
        if (r->exit == RECEIPT_LOST)
                json_out_str(o, "lost", r->why);
        else
                json_out_int(o, r->exit == RECEIPT_EXITED ? "code" : "signal", r->code);
        json_out_object_end(o);
}

static void put_claims(struct json_out *o, const struct receipt *r)
{
        if (!r->has_claims) {
                json_out_null(o, "claims");
                return;
        }
        json_out_object(o, "claims");
        json_out_str(o, "issuer", r->claims.issuer);
        json_out_str(o, "name", r->claims.name);
        if (r->claims.revision < 0)
                json_out_null(o, "revision");
        else
                json_out_int(o, "revision", r->claims.revision);
        json_out_str(o, "subject", r->claims.subject);
        json_out_str(o, "version", r->claims.version);
        json_out_object_end(o);
}

static void put_permit(struct json_out *o, const struct receipt *r)
{
        json_out_object(o, "permit");
        json_out_str(o, "id", r->permit);
        json_out_array(o, "policies");
        for (size_t i = 0; i < r->n_policies; i++) {
                json_out_object(o, NULL);
                json_out_str(o, "name", r->policies[i].name);
                json_out_hex(o, "sha256", digest_view(&r->policies[i].sha256));
                json_out_int(o, "version", r->policies[i].version);
                json_out_object_end(o);
        }
        json_out_array_end(o);
        json_out_object_end(o);
}

static void put_secrets(struct json_out *o, const struct receipt *r)
{
        json_out_array(o, "secrets");
        for (size_t i = 0; i < r->n_secrets; i++) {
                json_out_object(o, NULL);
                json_out_str(o, "name", r->secrets[i].name);
                json_out_str(o, "release", r->secrets[i].local ? "local" : "verifier");
                json_out_object_end(o);
        }
        json_out_array_end(o);
}

static void put_payload(struct json_out *o, const struct receipt *r)
{
        json_out_object(o, NULL);
        json_out_hex(o, "ak", tpm_name_view(&r->ak));
        put_chain(o, r);
        put_claims(o, r);
        json_out_time(o, "ended_at", r->ended_at_ms);
        put_exit(o, r);
        launch_put(o, "launch", &r->launch);
        json_out_hex(o, "launch_digest", digest_view(&r->launch_digest));
        json_out_object(o, "log");
        json_out_int(o, "entry", r->log_entry);
        json_out_int(o, "pcr", r->log_pcr);
        json_out_object_end(o);
        put_digest(o, "output", r->has_output, &r->output);
        put_permit(o, r);
        json_out_str(o, "schema", RECEIPT_PAYLOAD_SCHEMA);
        put_secrets(o, r);
        json_out_time(o, "started_at", r->started_at_ms);
        json_out_str(o, "tenant", r->tenant);
        json_out_object(o, "tpm");
        json_out_int(o, "clock", (int64_t)r->clock_ms);
        json_out_int(o, "reset", r->reset);
        json_out_int(o, "restart", r->restart);
        json_out_object_end(o);
        json_out_object_end(o);
}

/* ---- reading ---- */

static int get_text(const json_t *j, const char *name, char **ret, struct err *err)
{
        const char *s = NULL;
        int r = json_get_str(j, name, &s, err);

        if (r < 0)
                return r;
        if (!*s || strlen(s) > RECEIPT_TEXT_MAX)
                return err_set(err, ERR_LIMIT, 0, "member '%s': expected 1 to %d bytes", name,
                               RECEIPT_TEXT_MAX);
        *ret = str_dup(s);
        return *ret ? 0 : err_nomem(err);
}

/* Null, or a text; never left out. */
static int get_text_or_null(const json_t *j, const char *name, char **ret, struct err *err)
{
        return json_is_null(json_object_get(j, name)) ? 0 : get_text(j, name, ret, err);
}

static int get_bytes(const json_t *j, const char *name, uint8_t *ret, size_t n, struct err *err)
{
        const char *s = NULL;
        int r = json_get_str(j, name, &s, err);

        if (r >= 0 && hex_decode_exact(view_str(s), ret, n, err) < 0)
                return err_wrap(err, "member '%s'", name);
        return r;
}

static int get_digest(const json_t *j, const char *name, enum digest_alg alg, struct digest *ret,
                      struct err *err)
{
        digest_zero(alg, ret);
        return get_bytes(j, name, ret->b, ret->len, err);
}

static int get_digest_or_null(const json_t *j, const char *name, bool *ret_there, struct digest *ret,
                              struct err *err)
{
        *ret_there = !json_is_null(json_object_get(j, name));
        return *ret_there ? get_digest(j, name, DIGEST_SHA256, ret, err) : 0;
}

static int get_u32(const json_t *j, const char *name, uint32_t *ret, struct err *err)
{
        int64_t n = 0;
        int r = json_get_int(j, name, 0, UINT32_MAX, &n, err);

        *ret = (uint32_t)n;
        return r;
}

static int get_u64(const json_t *j, const char *name, uint64_t *ret, struct err *err)
{
        int64_t n = 0;
        int r = json_get_int(j, name, 0, INT64_MAX, &n, err);

        *ret = (uint64_t)n;
        return r;
}

static int get_ak(const json_t *j, struct tpm_name *ret, struct err *err)
{
        AUTO(buf_free) struct buf name = {0};
        int r = json_get_hex(j, "ak", sizeof(ret->b), &name, err);

        if (r < 0)
                return r;
        if (name.len <= 2)
                return err_set(err, ERR_FORMAT, 0, "member 'ak': no name of a key");
        ret->len = (uint8_t)name.len;
        memcpy(ret->b, name.p, name.len);
        return 0;
}

static int get_chain(const json_t *doc, struct receipt *ret, struct err *err)
{
        const json_t *j = NULL;
        int64_t sequence = 0;
        int r = json_get_object(doc, "chain", &j, err);

        if (r >= 0)
                r = get_text_or_null(j, "broken", &ret->broken, err);
        if (r >= 0)
                r = get_bytes(j, "id", ret->chain, sizeof(ret->chain), err);
        if (r >= 0)
                r = get_digest_or_null(j, "previous", &ret->has_previous, &ret->previous, err);
        if (r >= 0)
                r = json_get_int(j, "sequence", 1, INT64_MAX, &sequence, err);
        ret->sequence = (uint64_t)sequence;
        if (r >= 0 && (ret->sequence > 1) != ret->has_previous)
                r = err_set(err, ERR_FORMAT, 0, "the first receipt alone has none before it");
        if (r >= 0 && ret->broken && ret->has_previous)
                r = err_set(err, ERR_FORMAT, 0, "a chain is broken at its beginning only");
        return r < 0 ? err_wrap(err, "chain") : 0;
}

static int get_exit(const json_t *doc, struct receipt *ret, struct err *err)
{
        const json_t *j = NULL;
        int64_t code = 0;
        int r = json_get_object(doc, "exit", &j, err);

        if (r >= 0 && json_object_get(j, "lost")) {
                ret->exit = RECEIPT_LOST;
                r = get_text(j, "lost", &ret->why, err);
        } else if (r >= 0 && json_object_get(j, "signal")) {
                ret->exit = RECEIPT_SIGNALLED;
                r = json_get_int(j, "signal", 1, SIGNAL_MAX, &code, err);
        } else if (r >= 0) {
                ret->exit = RECEIPT_EXITED;
                r = json_get_int(j, "code", 0, CODE_MAX, &code, err);
        }
        ret->code = (int)code;
        return r < 0 ? err_wrap(err, "exit") : 0;
}

static int get_claims(const json_t *doc, struct receipt *ret, struct err *err)
{
        struct receipt_claims *c = &ret->claims;
        const json_t *j = json_object_get(doc, "claims");
        int r;

        ret->has_claims = !json_is_null(j);
        if (!ret->has_claims)
                return 0;
        c->revision = -1;
        r = json_get_object(doc, "claims", &j, err);
        if (r >= 0)
                r = get_text_or_null(j, "issuer", &c->issuer, err);
        if (r >= 0)
                r = get_text_or_null(j, "name", &c->name, err);
        if (r >= 0 && !json_is_null(json_object_get(j, "revision")))
                r = json_get_int(j, "revision", 0, INT64_MAX, &c->revision, err);
        if (r >= 0)
                r = get_text_or_null(j, "subject", &c->subject, err);
        if (r >= 0)
                r = get_text_or_null(j, "version", &c->version, err);
        return r < 0 ? err_wrap(err, "claims") : 0;
}

static int get_policy(const json_t *j, struct receipt_policy *ret, struct err *err)
{
        int r = get_text(j, "name", &ret->name, err);

        if (r >= 0)
                r = get_digest(j, "sha256", DIGEST_SHA256, &ret->sha256, err);
        return r < 0 ? r : json_get_int(j, "version", 0, INT64_MAX, &ret->version, err);
}

static int get_permit(const json_t *doc, struct receipt *ret, struct err *err)
{
        const json_t *j = NULL, *list = NULL;
        int r = json_get_object(doc, "permit", &j, err);

        if (r >= 0)
                r = get_text(j, "id", &ret->permit, err);
        if (r >= 0)
                r = json_get_array(j, "policies", RECEIPT_POLICIES_MAX, &list, err);
        for (size_t i = 0; r >= 0 && i < json_array_size(list); i++, ret->n_policies++)
                r = get_policy(json_array_get(list, i), &ret->policies[i], err);
        return r < 0 ? err_wrap(err, "permit") : 0;
}

static int get_secret(const json_t *j, struct receipt_secret *ret, struct err *err)
{
        const char *release = NULL;
        int r = get_text(j, "name", &ret->name, err);

        if (r >= 0)
                r = json_get_str(j, "release", &release, err);
        if (r >= 0 && !str_equal(release, "local") && !str_equal(release, "verifier"))
                return err_set(err, ERR_FORMAT, 0, "member 'release': %s", SHOW(release));
        ret->local = r >= 0 && str_equal(release, "local");
        return r;
}

static int get_secrets(const json_t *doc, struct receipt *ret, struct err *err)
{
        const json_t *list = NULL;
        int r = json_get_array(doc, "secrets", RECEIPT_SECRETS_MAX, &list, err);

        for (size_t i = 0; r >= 0 && i < json_array_size(list); i++, ret->n_secrets++)
                r = get_secret(json_array_get(list, i), &ret->secrets[i], err);
        return r < 0 ? err_wrap(err, "secrets") : 0;
}

static int get_launch(const json_t *doc, struct receipt *ret, struct err *err)
{
        struct digest digest;
        const json_t *j = NULL;
        int64_t pcr = 0;
        int r = json_get_object(doc, "launch", &j, err);

        if (r >= 0)
                r = launch_from_json(j, &ret->launch, err);
        if (r < 0)
                return err_wrap(err, "launch");
        r = get_digest(doc, "launch_digest", DIGEST_SHA256, &ret->launch_digest, err);
        if (r >= 0)
                r = launch_digest(&ret->launch, &digest, err);
        if (r >= 0 && !digest_equal(&digest, &ret->launch_digest))
                r = err_set(err, ERR_FORMAT, 0, "member 'launch_digest': of another launch");
        if (r >= 0)
                r = json_get_object(doc, "log", &j, err);
        if (r >= 0)
                r = get_u32(j, "entry", &ret->log_entry, err);
        if (r >= 0)
                r = json_get_int(j, "pcr", 0, PCR_COUNT - 1, &pcr, err);
        ret->log_pcr = (unsigned)pcr;
        return r;
}

static int get_times(const json_t *doc, struct receipt *ret, struct err *err)
{
        const json_t *j = NULL;
        int r = json_get_time(doc, "ended_at", &ret->ended_at_ms, err);

        if (r >= 0)
                r = json_get_time(doc, "started_at", &ret->started_at_ms, err);
        if (r >= 0)
                r = json_get_object(doc, "tpm", &j, err);
        if (r >= 0)
                r = get_u64(j, "clock", &ret->clock_ms, err);
        if (r >= 0)
                r = get_u32(j, "reset", &ret->reset, err);
        return r < 0 ? r : get_u32(j, "restart", &ret->restart, err);
}

static int read_payload(const json_t *doc, struct receipt *ret, struct err *err)
{
        const char *schema = NULL;
        int r = json_get_str(doc, "schema", &schema, err);

        if (r >= 0 && !str_equal(schema, RECEIPT_PAYLOAD_SCHEMA))
                r = err_set(err, ERR_FORMAT, 0, "member 'schema': %s is not " RECEIPT_PAYLOAD_SCHEMA,
                            SHOW(schema));
        if (r >= 0)
                r = get_text(doc, "tenant", &ret->tenant, err);
        if (r >= 0)
                r = get_ak(doc, &ret->ak, err);
        if (r >= 0)
                r = get_launch(doc, ret, err);
        if (r >= 0)
                r = get_claims(doc, ret, err);
        if (r >= 0)
                r = get_permit(doc, ret, err);
        if (r >= 0)
                r = get_secrets(doc, ret, err);
        if (r >= 0)
                r = get_digest_or_null(doc, "output", &ret->has_output, &ret->output, err);
        if (r >= 0)
                r = get_exit(doc, ret, err);
        if (r >= 0)
                r = get_times(doc, ret, err);
        return r < 0 ? r : get_chain(doc, ret, err);
}

/* Members that nobody asked for, blanks, another order: what is read does not say it, so it is no receipt. */
static int check_spelling(struct view payload, const struct receipt *r, struct err *err)
{
        AUTO(buf_free) struct buf again = {0};
        struct json_out o = json_out_to(&again, false);

        put_payload(&o, r);
        if (!buf_ok(&again))
                return err_nomem(err);
        return view_equal(payload, VIEW_BUF(&again)) ? 0
                                                     : err_set(err, ERR_FORMAT, 0,
                                                               "it is not spelt as receipts are: an unknown "
                                                               "member, or one in another form");
}

int receipt_payload_decode(struct view payload, struct receipt *ret, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        struct receipt got = {.sequence = 0};
        int r = json_parse(payload, RECEIPT_PAYLOAD_MAX, &doc, err);

        if (r >= 0)
                r = read_payload(doc, &got, err);
        if (r >= 0)
                r = check_spelling(payload, &got, err);
        if (r < 0) {
                receipt_done(&got);
                return err_wrap(err, "payload");
        }
        *ret = got;
        return 0;
}

int receipt_payload_encode(const struct receipt *r, struct buf *out, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        struct json_out o = json_out_to(&text, false);
        struct receipt again;
        struct err why = ERR_INIT;

        put_payload(&o, r);
        if (!buf_ok(&text))
                return err_nomem(err);
        if (receipt_payload_decode(VIEW_BUF(&text), &again, &why) < 0)
                return why.kind == ERR_NOMEM
                               ? err_nomem(err)
                               : err_set(err, ERR_BUG, 0, "a receipt that is none: %s", why.text);
        receipt_done(&again);
        buf_put_view(out, VIEW_BUF(&text));
        return buf_ok(out) ? 0 : err_nomem(err);
}
