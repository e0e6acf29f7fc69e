/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intel signs a JSON object as the bytes it stands in, inside another object. A parser that gives values
 * cannot give these bytes back, so they are cut out first: by braces and strings alone, without
 * understanding. What is cut is what is checked and what is parsed; nobody reads the text around it.
 *
 * Spec: Intel API v4: "signature: calculated over tcbInfo body without whitespaces", in practice as sent.
 */
#include <string.h>

#include "base/hex.h"
#include "evidence/dcap_collateral.h"

static void skip_blank(struct cursor *c)
{
        while (c->left && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
                if (!cursor_skip(c, 1))
                        return;
}

static bool take_char(struct cursor *c, char want)
{
        skip_blank(c);
        return c->left && *c->p == (uint8_t)want && cursor_skip(c, 1);
}

/* A string, raw, without its quotes. */
static bool take_string(struct cursor *c, struct view *ret)
{
        const uint8_t *start;
        uint8_t byte;
        size_t n = 0;

        if (!take_char(c, '"'))
                return false;
        start = c->p;
        while (cursor_u8(c, &byte)) {
                if (byte == '"') {
                        *ret = VIEW(start, n);
                        return true;
                }
                n++;
                if (byte == '\\') {
                        if (!cursor_skip(c, 1))
                                return false;
                        n++;
                }
        }
        return false;
}

/* A value of any kind: up to where its brackets are closed, or, outside of any, the next comma or brace. */
static bool take_value(struct cursor *c, struct view *ret)
{
        const uint8_t *start;
        size_t at, depth = 0;
        struct view unused;

        skip_blank(c);
        start = c->p;
        at = c->at;
        while (c->left) {
                uint8_t byte = *c->p;

                if (byte == '"') {
                        if (!take_string(c, &unused))
                                return false;
                        if (depth == 0)
                                break;
                        continue;
                }
                if (depth == 0 && (byte == ',' || byte == '}' || byte == ']'))
                        break;
                if (!cursor_skip(c, 1))
                        return false;
                depth += byte == '{' || byte == '[';
                if ((byte == '}' || byte == ']') && --depth == 0)
                        break;
        }
        *ret = VIEW(start, c->at - at);
        return depth == 0 && ret->len > 0;
}

static int keep(struct view name, struct view value, const char *want, struct view *body,
                struct view *signature, struct err *err)
{
        struct view *slot = NULL;

        if (view_equal(name, view_str(want)))
                slot = body;
        else if (view_equal(name, view_str("signature")))
                slot = signature;
        if (slot && slot->p)
                return err_set(err, ERR_FORMAT, 0, "member '%s' stands twice",
                               slot == body ? want : "signature");
        if (slot)
                *slot = value;
        return 0;
}

int signed_json_cut(struct view text, const char *name, struct signed_json *ret, struct err *err)
{
        struct cursor c = cursor_of(text);
        struct view key, value, body = VIEW_NONE, signature = VIEW_NONE;
        AUTO(buf_free)
        struct buf raw = {0};
        bool more;
        int r;

        if (text.len > SIGNED_JSON_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "%zu bytes of signed JSON, at most %u are read", text.len,
                               SIGNED_JSON_BYTES_MAX);
        if (!take_char(&c, '{'))
                return err_set(err, ERR_FORMAT, 0, "signed JSON: expected an object");
        do {
                if (!take_string(&c, &key) || !take_char(&c, ':') || !take_value(&c, &value))
                        return err_set(err, ERR_FORMAT, 0, "signed JSON: no member at byte %zu", c.at);
                r = keep(key, value, name, &body, &signature, err);
                if (r < 0)
                        return err_wrap(err, "signed JSON");
                more = take_char(&c, ',');
        } while (more);
        if (!take_char(&c, '}'))
                return err_set(err, ERR_FORMAT, 0, "signed JSON: no end at byte %zu", c.at);
        skip_blank(&c);
        if (c.left)
                return err_set(err, ERR_FORMAT, 0, "signed JSON: %zu bytes follow it", c.left);
        if (!body.p || body.p[0] != '{')
                return err_set(err, ERR_FORMAT, 0, "signed JSON: no object '%s'", name);
        if (!signature.p || signature.len < 2 || signature.p[0] != '"')
                return err_set(err, ERR_FORMAT, 0, "signed JSON: no string 'signature'");
        r = hex_decode_any(VIEW(signature.p + 1, signature.len - 2), sizeof(ret->signature), &raw, err);
        if (r < 0)
                return err_wrap(err, "member 'signature'");
        if (raw.len != sizeof(ret->signature))
                return err_set(err, ERR_FORMAT, 0, "member 'signature': %zu bytes, expected %zu", raw.len,
                               sizeof(ret->signature));
        memcpy(ret->signature, raw.p, raw.len);
        ret->body = body;
        return 0;
}

int signed_json_check(const struct signed_json *j, const struct pubkey *key, bool *ret_good, struct err *err)
{
        struct signature sig = {.scheme = SIG_ECDSA,
                                .hash = DIGEST_SHA256,
                                .r = VIEW(j->signature, 32),
                                .s = VIEW(j->signature + 32, 32)};

        if (pubkey_curve(key) != CURVE_P256) {
                *ret_good = false;
                return 0;
        }
        return pubkey_verify(key, &sig, j->body, ret_good, err);
}
