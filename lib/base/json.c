/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict JSON. What a lenient parser forgives is where two readers of the same document disagree: duplicate
 * members, a NUL inside a string, numbers that do not fit. jansson refuses the first two on demand; its depth
 * limit is fixed at 2048, so the depth is scanned before it sees a byte.
 *
 * Spec: RFC 8259.
 */
#include "base/json.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"

/* How deep the brackets outside of strings are nested. */
static size_t scan_depth(struct view text)
{
        size_t depth = 0, deepest = 0;
        bool in_string = false;

        for (size_t i = 0; i < text.len; i++) {
                uint8_t c = text.p[i];

                if (in_string) {
                        if (c == '\\')
                                i++;
                        else if (c == '"')
                                in_string = false;
                } else if (c == '"') {
                        in_string = true;
                } else if (c == '{' || c == '[') {
                        depth++;
                        deepest = depth > deepest ? depth : deepest;
                } else if ((c == '}' || c == ']') && depth > 0) {
                        depth--;
                }
        }
        return deepest;
}

/*
 * jansson's lexer passes over a failed allocation: it drops the byte that it could not store and parses on,
 * into an assertion or past the end of its buffer. So no allocation of a parse may return NULL: the first
 * that fails leaves the parse by longjmp, and what the parse had allocated is freed from a list. All of
 * jansson's memory carries that list's two pointers in front, from before main() on.
 */
struct track {
        struct track *prev, *next;
};

struct parse {
        struct track all; /* head of a ring */
        jmp_buf away;
};

static _Thread_local struct parse *parsing;

static void *allocate(size_t size)
{
        struct track *t = size <= SIZE_MAX - sizeof(*t) ? mem_alloc(sizeof(*t) + size) : NULL;

        if (!t && parsing)
                longjmp(parsing->away, 1);
        if (!t)
                return NULL;
        t->prev = t->next = NULL;
        if (parsing) {
                t->next = &parsing->all;
                t->prev = parsing->all.prev;
                t->prev->next = t;
                t->next->prev = t;
        }
        return t + 1;
}

static void release(void *p)
{
        if (!p)
                return;

        struct track *t = (struct track *)p - 1;

        if (t->next) {
                t->next->prev = t->prev;
                t->prev->next = t->next;
        }
        free(t);
}

__attribute__((constructor)) static void use_our_memory(void)
{
        json_set_alloc_funcs(allocate, release);
}

/* Ends a parse: forgets the list, or frees all that is on it. */
static void parse_end(struct parse *parse, bool discard)
{
        parsing = NULL;
        for (struct track *t = parse->all.next, *next; t != &parse->all; t = next) {
                next = t->next;
                t->prev = t->next = NULL;
                if (discard)
                        free(t);
        }
}

/* Return: 0 with NULL in *RET for what is no JSON; -ERR_NOMEM. */
static int load(struct view text, json_t **ret, json_error_t *why, struct err *err)
{
        struct parse parse;

        parse.all.prev = parse.all.next = &parse.all;
        if (setjmp(parse.away) != 0) {
                parse_end(&parse, true);
                return err_nomem(err);
        }
        parsing = &parse;
        *ret = json_loadb((const char *)text.p, text.len, JSON_REJECT_DUPLICATES, why);
        parse_end(&parse, false);
        return 0;
}

int json_parse(struct view text, size_t max_bytes, json_t **ret, struct err *err)
{
        json_error_t why;
        json_t *j;

        if (text.len > max_bytes)
                return err_set(err, ERR_LIMIT, 0, "JSON: %zu bytes, at most %zu are allowed", text.len,
                               max_bytes);
        if (text.len == 0)
                return err_set(err, ERR_FORMAT, 0, "JSON: there is nothing in it");
        if (scan_depth(text) > JSON_DEPTH_LIMIT)
                return err_set(err, ERR_LIMIT, 0, "JSON: nested deeper than %d", JSON_DEPTH_LIMIT);
        if (load(text, &j, &why, err) < 0)
                return -ERR_NOMEM;
        if (!j) {
                struct str_shown shown;

                /* jansson's text quotes the input */
                return err_set(err, ERR_FORMAT, 0, "JSON: line %d, column %d: %s", why.line, why.column,
                               str_show(view_str(why.text), &shown));
        }
        *ret = j;
        return 0;
}

static int append(const char *text, size_t len, void *data)
{
        buf_put(data, text, len);
        return buf_ok(data) ? 0 : -1;
}

static char *print(const json_t *j, size_t flags)
{
        struct buf b = {0};

        if (json_dump_callback(j, append, &b, flags | JSON_ENCODE_ANY) < 0) {
                buf_free(&b);
                return NULL;
        }
        return buf_take_str(&b);
}

char *json_print(const json_t *j)
{
        return print(j, JSON_COMPACT | JSON_SORT_KEYS);
}

char *json_print_ascii(const json_t *j)
{
        return print(j, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
}

char *json_print_pretty(const json_t *j)
{
        return print(j, JSON_INDENT(2));
}

static int wrong(struct err *err, const char *name, const char *expected)
{
        return err_set(err, ERR_FORMAT, 0, "member '%s': expected %s", name, expected);
}

/* The member, or NULL: then *R is what the getter returns (an error if it is needed, else 0). */
static const json_t *member(const json_t *obj, const char *name, bool needed, int *r, struct err *err)
{
        const json_t *j;

        if (!json_is_object(obj)) {
                *r = err_set(err, ERR_FORMAT, 0, "expected an object with a member '%s'", name);
                return NULL;
        }
        j = json_object_get(obj, name);
        if (j && !json_is_null(j))
                return j;
        *r = needed ? err_set(err, ERR_FORMAT, 0, "member '%s' is missing", name) : 0;
        return NULL;
}

static int read_str(const json_t *obj, const char *name, bool needed, const char **ret, struct err *err)
{
        int r;
        const json_t *j = member(obj, name, needed, &r, err);

        if (!j)
                return r;
        if (!json_is_string(j))
                return wrong(err, name, "a string");
        *ret = json_string_value(j);
        return 1;
}

static int read_int(const json_t *obj, const char *name, bool needed, int64_t min, int64_t max, int64_t *ret,
                    struct err *err)
{
        int r;
        const json_t *j = member(obj, name, needed, &r, err);

        if (!j)
                return r;
        if (!json_is_integer(j) || json_integer_value(j) < min || json_integer_value(j) > max)
                return err_set(err, ERR_FORMAT, 0, "member '%s': expected an integer of %lld to %lld", name,
                               (long long)min, (long long)max);
        *ret = json_integer_value(j);
        return 1;
}

static int read_bool(const json_t *obj, const char *name, bool needed, bool *ret, struct err *err)
{
        int r;
        const json_t *j = member(obj, name, needed, &r, err);

        if (!j)
                return r;
        if (!json_is_boolean(j))
                return wrong(err, name, "true or false");
        *ret = json_is_true(j);
        return 1;
}

static int read_object(const json_t *obj, const char *name, bool needed, const json_t **ret, struct err *err)
{
        int r;
        const json_t *j = member(obj, name, needed, &r, err);

        if (!j)
                return r;
        if (!json_is_object(j))
                return wrong(err, name, "an object");
        *ret = j;
        return 1;
}

static int read_array(const json_t *obj, const char *name, bool needed, size_t max_items, const json_t **ret,
                      struct err *err)
{
        int r;
        const json_t *j = member(obj, name, needed, &r, err);

        if (!j)
                return r;
        if (!json_is_array(j))
                return wrong(err, name, "an array");
        if (json_array_size(j) > max_items)
                return err_set(err, ERR_LIMIT, 0, "member '%s': %zu items, at most %zu are allowed", name,
                               json_array_size(j), max_items);
        *ret = j;
        return 1;
}

typedef int decode_fn(struct view text, size_t max, struct buf *ret, struct err *err);

static int read_bytes(const json_t *obj, const char *name, bool needed, decode_fn *decode, size_t max,
                      struct buf *ret, struct err *err)
{
        const char *text;
        int r = read_str(obj, name, needed, &text, err);

        if (r <= 0)
                return r;
        r = decode(view_str(text), max, ret, err);
        return r < 0 ? err_wrap(err, "member '%s'", name) : 1;
}

static int read_time(const json_t *obj, const char *name, bool needed, int64_t *ret_ms, struct err *err)
{
        const char *text;
        int r = read_str(obj, name, needed, &text, err);

        if (r <= 0)
                return r;
        r = clock_parse(view_str(text), ret_ms, err);
        return r < 0 ? err_wrap(err, "member '%s'", name) : 1;
}

/* A needed member was found (1): the getter says 0. */
static int found(int r)
{
        return r > 0 ? 0 : r;
}

int json_get_str(const json_t *obj, const char *name, const char **ret, struct err *err)
{
        return found(read_str(obj, name, true, ret, err));
}

int json_opt_str(const json_t *obj, const char *name, const char **ret, struct err *err)
{
        return read_str(obj, name, false, ret, err);
}

int json_get_int(const json_t *obj, const char *name, int64_t min, int64_t max, int64_t *ret, struct err *err)
{
        return found(read_int(obj, name, true, min, max, ret, err));
}

int json_opt_int(const json_t *obj, const char *name, int64_t min, int64_t max, int64_t *ret, struct err *err)
{
        return read_int(obj, name, false, min, max, ret, err);
}

int json_get_bool(const json_t *obj, const char *name, bool *ret, struct err *err)
{
        return found(read_bool(obj, name, true, ret, err));
}

int json_opt_bool(const json_t *obj, const char *name, bool *ret, struct err *err)
{
        return read_bool(obj, name, false, ret, err);
}

int json_get_object(const json_t *obj, const char *name, const json_t **ret, struct err *err)
{
        return found(read_object(obj, name, true, ret, err));
}

int json_opt_object(const json_t *obj, const char *name, const json_t **ret, struct err *err)
{
        return read_object(obj, name, false, ret, err);
}

int json_get_array(const json_t *obj, const char *name, size_t max_items, const json_t **ret, struct err *err)
{
        return found(read_array(obj, name, true, max_items, ret, err));
}

int json_opt_array(const json_t *obj, const char *name, size_t max_items, const json_t **ret, struct err *err)
{
        return read_array(obj, name, false, max_items, ret, err);
}

int json_get_hex(const json_t *obj, const char *name, size_t max, struct buf *ret, struct err *err)
{
        return found(read_bytes(obj, name, true, hex_decode, max, ret, err));
}

int json_opt_hex(const json_t *obj, const char *name, size_t max, struct buf *ret, struct err *err)
{
        return read_bytes(obj, name, false, hex_decode, max, ret, err);
}

int json_get_base64(const json_t *obj, const char *name, size_t max, struct buf *ret, struct err *err)
{
        return found(read_bytes(obj, name, true, base64_decode, max, ret, err));
}

int json_opt_base64(const json_t *obj, const char *name, size_t max, struct buf *ret, struct err *err)
{
        return read_bytes(obj, name, false, base64_decode, max, ret, err);
}

int json_get_base64_lax(const json_t *obj, const char *name, size_t max, struct buf *ret, struct err *err)
{
        return found(read_bytes(obj, name, true, base64_decode_lax, max, ret, err));
}

int json_get_time(const json_t *obj, const char *name, int64_t *ret_ms, struct err *err)
{
        return found(read_time(obj, name, true, ret_ms, err));
}

int json_opt_time(const json_t *obj, const char *name, int64_t *ret_ms, struct err *err)
{
        return read_time(obj, name, false, ret_ms, err);
}

int json_only(const json_t *obj, const char *const *names, size_t n_names, struct err *err)
{
        const char *name;
        json_t *value;

        if (!json_is_object(obj))
                return err_set(err, ERR_FORMAT, 0, "expected an object");
        json_object_foreach ((json_t *)obj, name, value) {
                bool known = false;

                for (size_t i = 0; i < n_names && !known; i++)
                        known = str_equal(name, names[i]);
                if (!known)
                        return err_set(err, ERR_FORMAT, 0, "unknown member %s", SHOW(name));
        }
        return 0;
}

int json_set_str(json_t *obj, const char *name, const char *value)
{
        return json_object_set_new(obj, name, value ? json_string(value) : json_null());
}

int json_set_int(json_t *obj, const char *name, int64_t value)
{
        return json_object_set_new(obj, name, json_integer(value));
}

int json_set_bool(json_t *obj, const char *name, bool value)
{
        return json_object_set_new(obj, name, json_boolean(value));
}

/* Sets a string that was made for it; NULL is a failure. */
static int set_made(json_t *obj, const char *name, char *made)
{
        AUTO(mem_free_p)
        char *text = made;

        return text ? json_set_str(obj, name, text) : -1;
}

int json_set_hex(json_t *obj, const char *name, struct view v)
{
        return set_made(obj, name, hex_encode(v));
}

int json_set_base64(json_t *obj, const char *name, struct view v)
{
        return set_made(obj, name, base64_encode(v));
}

int json_set_time(json_t *obj, const char *name, int64_t ms)
{
        char text[CLOCK_TEXT_BYTES];

        return json_set_str(obj, name, clock_format(ms, text));
}
