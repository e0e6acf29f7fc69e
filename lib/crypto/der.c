/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk over tags and lengths that accepts what DER allows: definite lengths in their shortest form, no
 * constructed strings, one spelling of TRUE, the shortest integers, zeros in a bit string's unused bits. It
 * knows nothing of certificates; what a default value left out has to look like is found by encoding anew
 * (crypto/cert.c).
 *
 * Recursion is bounded by DEPTH_MAX; a certificate needs about ten.
 */
#include "crypto/der.h"

#include "base/macro.h"

#define DEPTH_MAX 32

enum {
        TAG_BOOLEAN = 1,
        TAG_INTEGER = 2,
        TAG_BIT_STRING = 3,
        TAG_OCTET_STRING = 4,
        TAG_NULL = 5,
        TAG_ENUM = 10
};
enum { TAG_SEQUENCE = 16, TAG_SET = 17, TAG_HIGH = 0x1f, TAG_CONSTRUCTED = 0x20, TAG_CLASS = 0xc0 };

/* A length, definite and as short as it can be. */
static bool take_length(struct cursor *c, size_t *ret)
{
        uint8_t first, byte;
        size_t len = 0;

        if (!cursor_u8(c, &first))
                return false;
        if (first < 0x80) {
                *ret = first;
                return true;
        }
        if (first == 0x80 || first > 0x84)
                return false;
        for (unsigned i = 0; i < (first & 0x7fu); i++) {
                if (!cursor_u8(c, &byte) || (i == 0 && byte == 0))
                        return false;
                len = len << 8 | byte;
        }
        *ret = len;
        return len >= 0x80;
}

/* The rest of a tag of more than one byte: base 128, no leading zeros. */
static bool take_high_tag(struct cursor *c)
{
        uint8_t byte;

        for (unsigned i = 0; i < 4; i++) {
                if (!cursor_u8(c, &byte) || (i == 0 && byte == 0x80))
                        return false;
                if (!(byte & 0x80))
                        return true;
        }
        return false;
}

static bool integer_ok(struct view v)
{
        return v.len == 1 ||
               (v.len > 1 && !(v.p[0] == 0 && v.p[1] < 0x80) && !(v.p[0] == 0xff && v.p[1] >= 0x80));
}

static bool bit_string_ok(struct view v)
{
        return v.len >= 1 && v.p[0] < 8 &&
               (v.p[0] == 0 || (v.len > 1 && !(v.p[v.len - 1] & ((1u << v.p[0]) - 1))));
}

static bool primitive_ok(uint8_t tag, struct view v)
{
        switch (tag) {
        case TAG_BOOLEAN:
                return v.len == 1 && (v.p[0] == 0 || v.p[0] == 0xff);
        case TAG_INTEGER:
        case TAG_ENUM:
                return integer_ok(v);
        case TAG_BIT_STRING:
                return bit_string_ok(v);
        case TAG_NULL:
                return v.len == 0;
        case TAG_SEQUENCE:
        case TAG_SET:
                return false;
        default:
                return true;
        }
}

static bool take_value(struct cursor *c, unsigned depth);

static bool constructed_ok(uint8_t tag, struct view v, unsigned depth)
{
        struct cursor in = cursor_of(v);
        uint8_t number = tag & TAG_HIGH;

        if (depth >= DEPTH_MAX || (!(tag & TAG_CLASS) && number != TAG_SEQUENCE && number != TAG_SET))
                return false;
        while (in.left > 0)
                if (!take_value(&in, depth + 1))
                        return false;
        return true;
}

static bool take_value(struct cursor *c, unsigned depth)
{
        struct view content;
        uint8_t tag;
        size_t len;

        if (!cursor_u8(c, &tag) || ((tag & TAG_HIGH) == TAG_HIGH && !take_high_tag(c)) ||
            !take_length(c, &len) || !cursor_take(c, len, &content))
                return false;
        return tag & TAG_CONSTRUCTED ? constructed_ok(tag, content, depth) : primitive_ok(tag, content);
}

bool der_is_strict(struct view bytes)
{
        struct cursor c = cursor_of(bytes);

        return take_value(&c, 0) && c.left == 0;
}

bool der_octet_string(struct view bytes, struct view *ret)
{
        struct cursor c = cursor_of(bytes);
        uint8_t tag;
        size_t len;

        return cursor_u8(&c, &tag) && tag == TAG_OCTET_STRING && take_length(&c, &len) &&
               cursor_take(&c, len, ret);
}

bool der_take(struct cursor *c, uint8_t *ret_tag, struct view *ret)
{
        struct cursor at = *c;
        struct view content;
        uint8_t tag;
        size_t len;

        if (!cursor_u8(&at, &tag) || (tag & TAG_HIGH) == TAG_HIGH || !take_length(&at, &len) ||
            !cursor_take(&at, len, &content))
                return false;
        *c = at;
        *ret_tag = tag;
        *ret = content;
        return true;
}
