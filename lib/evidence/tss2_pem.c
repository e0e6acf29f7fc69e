/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TSS2 key files.
 *
 *   TPMKey ::= SEQUENCE {
 *     type OBJECT IDENTIFIER,
 *     emptyAuth   [0] EXPLICIT BOOLEAN OPTIONAL,
 *     policy      [1] EXPLICIT SEQUENCE OF TPMPolicy OPTIONAL,
 *     secret      [2] EXPLICIT OCTET STRING OPTIONAL,
 *     authPolicy  [3] EXPLICIT SEQUENCE OF TPMAuthPolicy OPTIONAL,
 *     description [4] EXPLICIT UTF8String OPTIONAL,
 *     rsaParent   [5] EXPLICIT BOOLEAN OPTIONAL,
 *     parent INTEGER, pubkey OCTET STRING, privkey OCTET STRING }
 *   TPMPolicy ::= SEQUENCE { commandCode [0] EXPLICIT INTEGER, commandPolicy [1] EXPLICIT OCTET STRING }
 *
 * What a file says of its policy is a hint for the program that opens the object; what the object's policy
 * is, its public area has to tell (evidence/sealed.h). A file is read as what it says to the byte or not at
 * all.
 *
 * Spec: draft-bottomley-tpm2-keys; RFC 7468 (PEM); ITU-T X.690 (DER).
 */
#include "evidence/tss2_pem.h"

#include <string.h>

#include "base/base64.h"
#include "crypto/der.h"

#define HEAD      "-----BEGIN TSS2 PRIVATE KEY-----"
#define TAIL      "-----END TSS2 PRIVATE KEY-----"
#define LINE      64
#define DER_MAX   12288
#define DESC_MAX  256
#define PARAM_MAX 2048

enum {
        TAG_BOOLEAN = 0x01,
        TAG_INTEGER = 0x02,
        TAG_OCTETS = 0x04,
        TAG_OID = 0x06,
        TAG_UTF8 = 0x0c,
        TAG_SEQUENCE = 0x30,
        TAG_EXPLICIT = 0xa0, /* [0]; [n] is n more */
};

/* 2.23.133.10.1.x without its last arc */
static const uint8_t oid_stem[] = {0x67, 0x81, 0x05, 0x0a, 0x01};

static int malformed(struct err *err, const char *what)
{
        return err_set(err, ERR_FORMAT, 0, "TSS2 key file: %s", what);
}

/* ---- reading */

/* One value with TAG. The whole is strict DER already, so lengths are right and short. */
static bool take(struct cursor *c, uint8_t tag, struct view *ret)
{
        struct cursor at = *c;
        uint8_t is, first, byte;
        size_t len = 0;

        if (!cursor_u8(&at, &is) || is != tag || !cursor_u8(&at, &first))
                return false;
        if (first < 0x80) {
                len = first;
        } else {
                for (unsigned i = 0; i < (first & 0x7fu); i++) {
                        if (i >= 3 || !cursor_u8(&at, &byte))
                                return false;
                        len = len << 8 | byte;
                }
        }
        if (!cursor_take(&at, len, ret))
                return false;
        *c = at;
        return true;
}

/* [N] EXPLICIT of one value with TAG. Return: 1; 0 if it is not there; -1 if it is there and wrong. */
static int take_optional(struct cursor *c, uint8_t n, uint8_t tag, struct view *ret)
{
        struct view outer;
        struct cursor in;

        if (!take(c, (uint8_t)(TAG_EXPLICIT + n), &outer))
                return 0;
        in = cursor_of(outer);
        return take(&in, tag, ret) && in.left == 0 ? 1 : -1;
}

/* A number of 32 bits, not negative. */
static bool number(struct view v, uint32_t *ret)
{
        uint32_t x = 0;

        if (v.len == 5 && v.p[0] == 0)
                v = VIEW(v.p + 1, 4);
        else if (v.len == 0 || v.len > 4 || v.p[0] & 0x80)
                return false;
        for (size_t i = 0; i < v.len; i++)
                x = x << 8 | v.p[i];
        *ret = x;
        return true;
}

static int read_boolean(struct cursor *c, uint8_t n, bool *ret, struct err *err)
{
        struct view v;
        int r = take_optional(c, n, TAG_BOOLEAN, &v);

        if (r < 0 || (r && v.len != 1))
                return malformed(err, "a flag that is none");
        *ret = r && v.p[0] != 0;
        return 0;
}

static int read_step(struct cursor *c, struct tss2_step *ret, struct err *err)
{
        struct view seq, code;
        struct cursor in;

        if (!take(c, TAG_SEQUENCE, &seq))
                return malformed(err, "a policy step that is no sequence");
        in = cursor_of(seq);
        if (take_optional(&in, 0, TAG_INTEGER, &code) != 1 || !number(code, &ret->code) ||
            take_optional(&in, 1, TAG_OCTETS, &ret->parameters) != 1 || in.left)
                return malformed(err, "a policy step without command or parameters");
        if (ret->parameters.len > PARAM_MAX)
                return err_set(err, ERR_LIMIT, 0, "TSS2 key file: a policy step of %zu bytes",
                               ret->parameters.len);
        return 0;
}

static int read_steps(struct cursor *c, struct tss2_key *key, struct err *err)
{
        struct view list;
        struct cursor in;
        int r = take_optional(c, 1, TAG_SEQUENCE, &list);

        if (r < 0)
                return malformed(err, "a policy that is no list");
        in = cursor_of(r ? list : VIEW_NONE);
        while (in.left) {
                if (key->n_steps == TSS2_STEPS_MAX)
                        return err_set(err, ERR_LIMIT, 0, "TSS2 key file: more than %d policy steps",
                                       TSS2_STEPS_MAX);
                r = read_step(&in, &key->steps[key->n_steps], err);
                if (r < 0)
                        return r;
                key->n_steps++;
        }
        return 0;
}

/* A TPM2B whose size is that of what follows. */
static bool is_tpm2b(struct view v)
{
        struct cursor c = cursor_of(v);
        struct view body;

        return cursor_be16_bytes(&c, &body) && body.len && c.left == 0;
}

static int read_options(struct cursor *c, struct tss2_key *key, struct err *err)
{
        int r = read_boolean(c, 0, &key->empty_auth, err);

        if (r >= 0)
                r = read_steps(c, key, err);
        if (r < 0)
                return r;
        r = take_optional(c, 2, TAG_OCTETS, &key->secret);
        if (r < 0 || (r && !is_tpm2b(key->secret)))
                return malformed(err, "the secret is no TPM2B");
        if (c->left && *c->p == TAG_EXPLICIT + 3)
                return malformed(err, "alternative policies (authPolicy): they are not for us");
        r = take_optional(c, 4, TAG_UTF8, &key->description);
        if (r < 0 || (r && key->description.len > DESC_MAX))
                return malformed(err, "the description");
        return read_boolean(c, 5, &key->rsa_parent, err);
}

static int read_type(struct cursor *c, enum tss2_type *ret, struct err *err)
{
        struct view oid;

        if (!take(c, TAG_OID, &oid) || oid.len != sizeof(oid_stem) + 1 ||
            !view_equal(VIEW(oid.p, sizeof(oid_stem)), VIEW_ARRAY(oid_stem)) ||
            oid.p[oid.len - 1] < TSS2_LOADABLE || oid.p[oid.len - 1] > TSS2_SEALED)
                return malformed(err, "a type that is not known");
        *ret = (enum tss2_type)oid.p[oid.len - 1];
        return 0;
}

static int read_der(struct view der, struct tss2_key *key, struct err *err)
{
        struct cursor c = cursor_of(der), in;
        struct view seq, parent;
        int r;

        if (!der_is_strict(der) || !take(&c, TAG_SEQUENCE, &seq))
                return malformed(err, "no DER sequence");
        in = cursor_of(seq);
        r = read_type(&in, &key->type, err);
        if (r >= 0)
                r = read_options(&in, key, err);
        if (r < 0)
                return r;
        if (!take(&in, TAG_INTEGER, &parent) || !number(parent, &key->parent))
                return malformed(err, "no parent");
        if (!take(&in, TAG_OCTETS, &key->public_area) || !is_tpm2b(key->public_area) ||
            !take(&in, TAG_OCTETS, &key->private_area) || !is_tpm2b(key->private_area) || in.left)
                return malformed(err, "public and private area");
        if ((key->type == TSS2_IMPORTABLE && !key->secret.len) ||
            (key->type == TSS2_LOADABLE && key->secret.len))
                return malformed(err, "a secret belongs to what is to be imported, and to nothing else");
        return 0;
}

static bool is_space(uint8_t c)
{
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct view trim(struct view v)
{
        while (v.len && is_space(v.p[0]))
                v = VIEW(v.p + 1, v.len - 1);
        while (v.len && is_space(v.p[v.len - 1]))
                v.len--;
        return v;
}

/* The base64 between the lines, without its line ends. */
static int armour_off(struct view text, struct buf *ret, struct err *err)
{
        struct view v = trim(text), head = view_str(HEAD), tail = view_str(TAIL);

        if (v.len < head.len + tail.len + 2 || !view_equal(VIEW(v.p, head.len), head) ||
            !view_equal(VIEW(v.p + v.len - tail.len, tail.len), tail))
                return malformed(err, "not one block of \"" HEAD "\"");
        v = VIEW(v.p + head.len, v.len - head.len - tail.len);
        if (!is_space(v.p[0]) || !is_space(v.p[v.len - 1]))
                return malformed(err, "no line ends around the base64");
        for (size_t i = 0; i < v.len; i++)
                if (v.p[i] != '\n' && v.p[i] != '\r')
                        buf_u8(ret, v.p[i]);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int tss2_pem_read(struct view text, struct tss2_key *ret, struct buf *ret_bytes, struct err *err)
{
        AUTO(buf_free)
        struct buf base64 = {0};
        struct buf der = {0};
        struct tss2_key key = {0};
        int r;

        if (text.len > TSS2_PEM_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "TSS2 key file of %zu bytes (at most %d)", text.len,
                               TSS2_PEM_BYTES_MAX);
        r = armour_off(text, &base64, err);
        if (r >= 0 && base64_decode(VIEW_BUF(&base64), DER_MAX, &der, err) < 0)
                r = err_wrap(err, "TSS2 key file");
        if (r >= 0)
                r = read_der(VIEW_BUF(&der), &key, err);
        if (r < 0) {
                buf_free(&der);
                return r;
        }
        *ret = key;
        *ret_bytes = der;
        return 0;
}

/* ---- writing */

static void put(struct buf *b, uint8_t tag, struct view v)
{
        buf_u8(b, tag);
        if (v.len < 0x80) {
                buf_u8(b, (uint8_t)v.len);
        } else if (v.len < 0x100) {
                buf_u8(b, 0x81);
                buf_u8(b, (uint8_t)v.len);
        } else {
                buf_u8(b, 0x82);
                buf_be16(b, (uint16_t)v.len);
        }
        buf_put_view(b, v);
}

/* Sticks in OUTER what INNER became, and empties INNER. */
static void put_buf(struct buf *outer, uint8_t tag, struct buf *inner)
{
        if (!buf_ok(inner))
                outer->failed = true;
        put(outer, tag, VIEW_BUF(inner));
        buf_reset(inner);
}

static void put_number(struct buf *b, uint32_t x)
{
        const uint8_t be[] = {0, (uint8_t)(x >> 24), (uint8_t)(x >> 16), (uint8_t)(x >> 8), (uint8_t)x};
        size_t skip = 0;

        while (skip < 4 && be[skip] == 0 && !(be[skip + 1] & 0x80))
                skip++;
        put(b, TAG_INTEGER, VIEW(be + skip, sizeof(be) - skip));
}

static void put_steps(struct buf *out, const struct tss2_key *key)
{
        struct buf list = {0}, step = {0}, value = {0}, seq = {0};

        for (size_t i = 0; i < key->n_steps; i++) {
                put_number(&value, key->steps[i].code);
                put_buf(&step, TAG_EXPLICIT, &value);
                put(&value, TAG_OCTETS, key->steps[i].parameters);
                put_buf(&step, TAG_EXPLICIT + 1, &value);
                put_buf(&list, TAG_SEQUENCE, &step);
        }
        put_buf(&seq, TAG_SEQUENCE, &list);
        put_buf(out, TAG_EXPLICIT + 1, &seq);
        buf_free(&list);
        buf_free(&step);
        buf_free(&value);
        buf_free(&seq);
}

static void put_explicit(struct buf *out, uint8_t n, uint8_t tag, struct view v)
{
        struct buf value = {0};

        put(&value, tag, v);
        put_buf(out, (uint8_t)(TAG_EXPLICIT + n), &value);
        buf_free(&value);
}

static void put_key(struct buf *out, const struct tss2_key *key)
{
        static const uint8_t yes[] = {0xff};
        uint8_t oid[sizeof(oid_stem) + 1];

        memcpy(oid, oid_stem, sizeof(oid_stem));
        oid[sizeof(oid_stem)] = (uint8_t)key->type;
        put(out, TAG_OID, VIEW_ARRAY(oid));
        if (key->empty_auth)
                put_explicit(out, 0, TAG_BOOLEAN, VIEW_ARRAY(yes));
        if (key->n_steps)
                put_steps(out, key);
        if (key->secret.len)
                put_explicit(out, 2, TAG_OCTETS, key->secret);
        if (key->description.len)
                put_explicit(out, 4, TAG_UTF8, key->description);
        if (key->rsa_parent)
                put_explicit(out, 5, TAG_BOOLEAN, VIEW_ARRAY(yes));
        put_number(out, key->parent);
        put(out, TAG_OCTETS, key->public_area);
        put(out, TAG_OCTETS, key->private_area);
}

static void armour_on(struct view base64, struct buf *ret)
{
        buf_str(ret, HEAD "\n");
        for (size_t i = 0; i < base64.len; i += LINE) {
                buf_put(ret, base64.p + i, base64.len - i < LINE ? base64.len - i : LINE);
                buf_u8(ret, '\n');
        }
        buf_str(ret, TAIL "\n");
}

int tss2_pem_write(const struct tss2_key *key, struct buf *ret, struct err *err)
{
        AUTO(buf_free)
        struct buf body = {0};
        AUTO(buf_free)
        struct buf der = {0};
        AUTO(buf_free)
        struct buf base64 = {0};

        if (key->n_steps > TSS2_STEPS_MAX || key->description.len > DESC_MAX ||
            key->public_area.len > PARAM_MAX || key->private_area.len > PARAM_MAX ||
            key->secret.len > PARAM_MAX)
                return err_set(err, ERR_LIMIT, 0, "TSS2 key file: a part is too large");
        for (size_t i = 0; i < key->n_steps; i++)
                if (key->steps[i].parameters.len > PARAM_MAX)
                        return err_set(err, ERR_LIMIT, 0, "TSS2 key file: policy step %zu is too large", i);
        put_key(&body, key);
        put_buf(&der, TAG_SEQUENCE, &body);
        if (der.len > DER_MAX)
                return err_set(err, ERR_LIMIT, 0, "TSS2 key file of %zu bytes (at most %d)", der.len,
                               DER_MAX);
        buf_base64(&base64, VIEW_BUF(&der));
        armour_on(VIEW_BUF(&base64), ret);
        return buf_ok(&der) && buf_ok(&base64) && buf_ok(ret) ? 0 : err_nomem(err);
}
