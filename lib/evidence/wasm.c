/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading is done once and strictly, by wasm_parse(); the walks behind it read the same bytes again with the
 * same functions, whose answers are known to be good by then.
 */
#include "evidence/wasm.h"

#include <string.h>

#include "base/str.h"

#define PREAMBLE_BYTES 8

enum {
        CUSTOM = 0,
        FUNCTION = 3,
        CODE = 10,
        DATA = 11,
        DATA_COUNT = 12,
        CORE_LAST = 13,
        /* of a component */
        CORE_MODULE = 1,
        COMPONENT = 4,
        COMPONENT_LAST = 12,
};

static int malformed(size_t at, struct err *err, const char *what)
{
        return err_set(err, ERR_FORMAT, 0, "byte %zu: %s", at, what);
}

/* LEB128, unsigned, 32 bits. */
static int read_u32(struct cursor *c, uint32_t *ret, struct err *err)
{
        uint32_t x = 0;
        uint8_t b;

        for (unsigned shift = 0; shift < 35; shift += 7) {
                if (!cursor_u8(c, &b))
                        return malformed(c->at, err, "a number is cut off");
                if (shift == 28 && b > 0x0f)
                        return malformed(c->at - 1, err, "a number of more than 32 bits");
                x |= (uint32_t)(b & 0x7f) << shift;
                if (!(b & 0x80))
                        break;
        }
        *ret = x;
        return 0;
}

static void put_u32(struct buf *out, uint32_t x)
{
        for (; x >= 0x80; x >>= 7)
                buf_u8(out, (uint8_t)(x | 0x80));
        buf_u8(out, (uint8_t)x);
}

/* A section without a look at what it means. */
static int read_section(struct cursor *c, struct wasm_section *ret, struct err *err)
{
        const uint8_t *start = c->p;
        size_t at = c->at;
        uint32_t len = 0;
        struct cursor in;
        int r;

        *ret = (struct wasm_section){.at = at};
        if (!cursor_u8(c, &ret->id))
                return malformed(at, err, "a section is cut off");
        r = read_u32(c, &len, err);
        if (r < 0)
                return r;
        if (!cursor_take(c, len, &ret->content))
                return err_set(err, ERR_FORMAT, 0,
                               "byte %zu: section %u says it has %u bytes, and %zu are left", at, ret->id,
                               len, c->left);
        ret->whole = VIEW(start, c->at - at);
        if (ret->id != CUSTOM)
                return 0;
        in = cursor_of(ret->content);
        r = read_u32(&in, &len, err);
        if (r < 0 || !cursor_take(&in, len, &ret->name))
                return malformed(at, err, "the name of a custom section leaves the section");
        if (!str_valid_utf8(ret->name))
                return malformed(at, err, "the name of a custom section is not UTF-8");
        ret->content = cursor_rest(&in);
        return 0;
}

/* What a module's sections said so far. */
struct counts {
        unsigned last; /* place of the last section, in the order that they must have */
        uint32_t functions, bodies, segments, announced;
        bool has_announced;
};

/* Sections of a module come in this order; custom ones anywhere. */
static int check_core(const struct wasm_section *s, struct counts *n, struct err *err)
{
        /* type 1, import 2, function 3, table 4, memory 5, tag 13, global 6, export 7, start 8, element 9,
         * data count 12, code 10, data 11 */
        static const uint8_t place[CORE_LAST + 1] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 11, 6};
        struct cursor c = cursor_of(s->content);
        uint32_t *count = s->id == FUNCTION     ? &n->functions
                          : s->id == CODE       ? &n->bodies
                          : s->id == DATA       ? &n->segments
                          : s->id == DATA_COUNT ? &n->announced
                                                : NULL;

        if (s->id == CUSTOM)
                return 0;
        if (s->id > CORE_LAST)
                return err_set(err, ERR_FORMAT, 0, "byte %zu: a module has no section %u", s->at, s->id);
        if (place[s->id] <= n->last)
                return err_set(err, ERR_FORMAT, 0, "byte %zu: section %u is there twice, or out of order",
                               s->at, s->id);
        n->last = place[s->id];
        n->has_announced = n->has_announced || s->id == DATA_COUNT;
        if (count && read_u32(&c, count, err) < 0)
                return malformed(s->at, err, "a section has no count");
        if (s->id == DATA_COUNT && c.left)
                return malformed(s->at, err, "the data count is followed by more");
        return 0;
}

static int check_counts(const struct counts *n, struct err *err)
{
        if (n->functions != n->bodies)
                return err_set(err, ERR_FORMAT, 0, "%u functions are declared, and %u have a body",
                               n->functions, n->bodies);
        if (n->has_announced && n->announced != n->segments)
                return err_set(err, ERR_FORMAT, 0, "%u data segments are announced, and %u are there",
                               n->announced, n->segments);
        return 0;
}

static int read_preamble(struct cursor *c, bool *ret_component, struct err *err)
{
        struct view magic;
        uint16_t version = 0, layer = 0;

        if (!cursor_take(c, 4, &magic) || !view_equal(magic, VIEW("\0asm", 4)))
                return err_set(err, ERR_FORMAT, 0,
                               "it does not begin with \\0asm: this is no WebAssembly binary");
        if (!cursor_le16(c, &version) || !cursor_le16(c, &layer))
                return err_set(err, ERR_FORMAT, 0, "it is cut off behind its magic number");
        if (layer == 0 && version == 1)
                *ret_component = false;
        else if (layer == 1 && (version == 0x0c || version == 0x0d))
                *ret_component = true;
        else
                return err_set(err, ERR_FORMAT, 0,
                               "version %u, layer %u: expected a module of version 1 or a component of 12 or "
                               "13",
                               version, layer);
        return 0;
}

static bool is_nested(bool component, uint8_t id)
{
        return component && (id == CORE_MODULE || id == COMPONENT);
}

/* Reads one level and those in it. */
// NOLINTNEXTLINE(misc-no-recursion): WASM_NESTED_MAX levels
static int check_level(struct view bytes, size_t depth, bool *ret_component, struct err *err)
{
        struct cursor c = cursor_of(bytes);
        struct counts counts = {.last = 0};
        int r = read_preamble(&c, ret_component, err);

        if (r >= 0 && depth > WASM_NESTED_MAX)
                r = err_set(err, ERR_LIMIT, 0, "components are nested more than %d deep", WASM_NESTED_MAX);
        while (r >= 0 && c.left) {
                struct wasm_section s;
                bool inner = false;

                r = read_section(&c, &s, err);
                if (r >= 0 && !*ret_component)
                        r = check_core(&s, &counts, err);
                else if (r >= 0 && s.id > COMPONENT_LAST)
                        r = err_set(err, ERR_FORMAT, 0, "byte %zu: a component has no section %u", s.at,
                                    s.id);
                if (r < 0 || !is_nested(*ret_component, s.id))
                        continue;
                r = check_level(s.content, depth + 1, &inner, err);
                if (r < 0)
                        r = err_wrap(err, "what begins at byte %zu", s.at);
                else if (inner != (s.id == COMPONENT))
                        r = malformed(s.at, err, "a module where a component belongs, or the reverse");
        }
        return r < 0 ? r : check_counts(&counts, err);
}

int wasm_parse(struct view bytes, struct wasm *ret, struct err *err)
{
        int r;

        *ret = (struct wasm){.bytes = bytes};
        if (bytes.len > WASM_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "%zu bytes; at most %u are read", bytes.len,
                               WASM_BYTES_MAX);
        r = check_level(bytes, 0, &ret->component, err);
        return r < 0 ? err_wrap(err, "WebAssembly") : 0;
}

bool wasm_next(const struct wasm *wasm, size_t *pos, struct wasm_section *ret)
{
        struct cursor c = cursor_of(wasm->bytes);
        struct err err = ERR_INIT;

        if (!cursor_skip(&c, *pos ? *pos : PREAMBLE_BYTES) || !c.left || read_section(&c, ret, &err) < 0)
                return false;
        *pos = c.at;
        return true;
}

static bool is_one_of(const struct wasm_section *s, const char *const *names, size_t n)
{
        for (size_t i = 0; s->id == CUSTOM && i < n; i++)
                if (view_equal(s->name, view_str(names[i])))
                        return true;
        return false;
}

/* The bytes behind a section's length. */
static struct view payload(const struct wasm_section *s)
{
        struct cursor c = cursor_of(s->whole);
        struct err err = ERR_INIT;
        uint32_t len;

        return cursor_skip(&c, 1) && read_u32(&c, &len, &err) >= 0 ? cursor_rest(&c) : VIEW_NONE;
}

static void put_sized(uint8_t id, struct view content, struct buf *out)
{
        buf_u8(out, id);
        put_u32(out, (uint32_t)content.len);
        buf_put_view(out, content);
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as wasm_parse() found it
void wasm_put_without(const struct wasm *wasm, const char *const *names, size_t n, bool canonical,
                      struct buf *out)
{
        struct wasm_section s;

        buf_put(out, wasm->bytes.p, PREAMBLE_BYTES);
        for (size_t pos = 0; wasm_next(wasm, &pos, &s);) {
                if (is_one_of(&s, names, n))
                        continue;
                if (!canonical) {
                        buf_put_view(out, s.whole);
                } else if (is_nested(wasm->component, s.id)) {
                        const struct wasm inner = {s.content, s.id == COMPONENT};
                        AUTO(buf_free) struct buf in = {0};

                        wasm_put_without(&inner, names, n, true, &in);
                        out->failed = out->failed || !buf_ok(&in);
                        put_sized(s.id, VIEW_BUF(&in), out);
                } else {
                        put_sized(s.id, payload(&s), out);
                }
        }
}

void wasm_put_custom(const char *name, struct view content, struct buf *out)
{
        AUTO(buf_free) struct buf in = {0};

        put_u32(&in, (uint32_t)strlen(name));
        buf_str(&in, name);
        buf_put_view(&in, content);
        out->failed = out->failed || !buf_ok(&in);
        put_sized(CUSTOM, VIEW_BUF(&in), out);
}
