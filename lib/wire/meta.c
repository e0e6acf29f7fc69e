/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `meta.avow`: what a verifier tells a host beside its business. It reaches the network half of the agent,
 * which believes none of it: it checks the shape, and hands the signed text on to the half that holds the
 * TPM. A JWS is three base64url texts with dots between them; nothing else is let through.
 *
 * Spec: RFC 7515 section 7.1; SR-5, SR-8.
 */
#include "wire/meta.h"

#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "wire/field.h"

#define JWS_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

void wire_meta_put(struct json_out *o, const struct wire_meta *m)
{
        if (m->jws != NULL) {
                json_out_object(o, "revocation");
                json_out_str(o, "jws", m->jws);
                if (m->has_nonce)
                        json_out_hex(o, "nonce", VIEW_ARRAY(m->nonce));
                json_out_object_end(o);
        }
        if (m->has_secrets) {
                json_out_object(o, "secrets");
                json_out_hex(o, "digest", VIEW_ARRAY(m->secrets_digest));
                json_out_int(o, "floor", (int64_t)m->floor);
                json_out_object_end(o);
        }
}

static void put_object(struct json_out *o, const char *name, const void *what)
{
        json_out_object(o, name);
        wire_meta_put(o, what);
        json_out_object_end(o);
}

json_t *wire_meta_to_json(const struct wire_meta *m)
{
        return json_out_tree(put_object, m);
}

/* Exactly N bytes. Return: 1, 0 if the member is missing, or < 0. */
static int fixed_hex(const json_t *obj, const char *name, uint8_t *ret, size_t n, struct err *err)
{
        struct buf bytes = {0};
        int r = json_opt_hex(obj, name, n, &bytes, err);
        if (r > 0 && bytes.len != n)
                r = err_set(err, ERR_FORMAT, 0, "member '%s': expected %zu bytes", name, n);
        if (r > 0)
                memcpy(ret, bytes.p, n);
        buf_free(&bytes);
        return r;
}

static int jws_check(const char *jws, struct err *err)
{
        size_t n = strlen(jws);
        if (n > WIRE_JWS_MAX)
                return err_set(err, ERR_LIMIT, 0, "member 'jws': more than %u characters", WIRE_JWS_MAX);
        if (n == 0 || strspn(jws, JWS_CHARACTERS) != n)
                return err_set(err, ERR_FORMAT, 0, "member 'jws': not a JWS in compact form");
        return 0;
}

static int revocation_read(const json_t *obj, struct wire_meta *m, struct err *err)
{
        const char *jws = NULL;
        int r = json_get_str(obj, "jws", &jws, err);
        if (r == 0)
                r = jws_check(jws, err);
        if (r < 0)
                return r;
        r = fixed_hex(obj, "nonce", m->nonce, sizeof(m->nonce), err);
        if (r < 0)
                return r;
        m->has_nonce = r > 0;
        m->jws = str_dup(jws);
        return m->jws != NULL ? 0 : err_nomem(err);
}

static int secrets_read(const json_t *obj, struct wire_meta *m, struct err *err)
{
        int64_t floor = 0;
        int r = fixed_hex(obj, "digest", m->secrets_digest, sizeof(m->secrets_digest), err);
        if (r == 0)
                r = err_set(err, ERR_FORMAT, 0, "member 'digest' is missing");
        if (r > 0)
                r = json_get_int(obj, "floor", 0, INT64_MAX, &floor, err);
        if (r < 0)
                return r;
        m->has_secrets = true;
        m->floor = (uint64_t)floor;
        return 0;
}

int wire_meta_from_json(const json_t *avow, struct wire_meta *ret, struct err *err)
{
        struct wire_meta m = {.jws = NULL};
        const json_t *obj = NULL;
        int r = avow != NULL ? json_opt_object(avow, "revocation", &obj, err) : 0;
        if (r > 0 && (r = revocation_read(obj, &m, err)) < 0)
                err_wrap(err, "member 'revocation'");
        if (r >= 0 && avow != NULL)
                r = json_opt_object(avow, "secrets", &obj, err);
        if (r > 0 && (r = secrets_read(obj, &m, err)) < 0)
                err_wrap(err, "member 'secrets'");
        if (r < 0) {
                wire_meta_done(&m);
                return r;
        }
        *ret = m;
        return 0;
}

int wire_wait_encode(const struct wire_meta *m, struct buf *ret, struct err *err)
{
        struct json_out o = json_out_to(ret, false);
        put_object(&o, NULL, m);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int wire_wait_decode(struct view body, struct wire_meta *ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *root = NULL;
        int r = json_parse(body, WIRE_SMALL_BODY_MAX, &root, err);
        if (r == 0 && !json_is_object(root))
                r = err_set(err, ERR_FORMAT, 0, "expected an object");
        return r < 0 ? r : wire_meta_from_json(root, ret, err);
}

int wire_event_decode(struct view body, struct wire_meta *ret, struct err *err)
{
        AUTO(json_free_p)
        json_t *root = NULL;
        const json_t *data = NULL;
        struct wire_meta m = {.jws = NULL};
        int r = json_parse(body, WIRE_SMALL_BODY_MAX, &root, err);
        if (r == 0 && !json_is_object(root))
                r = err_set(err, ERR_FORMAT, 0, "expected an object");
        if (r == 0)
                r = json_get_object(root, "data", &data, err);
        if (r == 0)
                r = revocation_read(data, &m, err);
        if (r < 0)
                return err_wrap(err, "event");
        *ret = m;
        return 0;
}

int wire_order_decode(struct view jws, struct wire_meta *ret, struct err *err)
{
        struct wire_meta m = {.jws = NULL};
        int r;
        if (jws.len == 0 || jws.len > WIRE_JWS_MAX || memchr(jws.p, '\0', jws.len) != NULL)
                return err_set(err, ERR_FORMAT, 0, "not a JWS in compact form");
        m.jws = str_ndup((const char *)jws.p, jws.len);
        if (m.jws == NULL)
                return err_nomem(err);
        r = jws_check(m.jws, err);
        if (r < 0) {
                wire_meta_done(&m);
                return r;
        }
        *ret = m;
        return 0;
}

void wire_meta_done(struct wire_meta *m)
{
        free(m->jws);
        *m = (struct wire_meta){.jws = NULL};
}
