/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_JSON_H
#define AVOW_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"

/*
 * JSON with jansson, made strict: one document, an object or an array; no duplicate members; no NUL in
 * strings; valid UTF-8; depth and size limited before anything is built.
 *
 * jansson's memory is ours (json.c says why), so what its json_dumps() returns is nothing for free(): use
 * json_print().
 *
 * Getters take an object and a member's name; their errors name the member: "member 'port': expected an
 * integer of 1 to 65535". What they return is borrowed from the object. Wrap them to say whose object it was.
 *
 *   json_get_x   the member must be there.            Return: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_NOMEM.
 *   json_opt_x   it may be missing or null: RET stays. Return: 1 if it was there, 0 if not, or < 0 as above.
 */

#define JSON_DEPTH_LIMIT 32

/* AUTO(json_free_p) json_t *j = NULL; */
static inline void json_free_p(json_t **p)
{
        json_decref(*p);
}

/* Return: 0; -ERR_FORMAT (with line and column), -ERR_LIMIT (larger than MAX_BYTES, deeper than 32). */
int json_parse(struct view text, size_t max_bytes, json_t **ret, struct err *err) MUST_USE;

/* One line, members sorted, so that equal values give equal bytes; the caller's (free()). NULL: no memory. */
char *json_print(const json_t *j) MUST_USE;
/* The same with everything outside of ASCII as \uXXXX: for terminals. */
char *json_print_ascii(const json_t *j) MUST_USE;
/* For people: indented, members in the order they were set. */
char *json_print_pretty(const json_t *j) MUST_USE;

int json_get_str(const json_t *obj, const char *name, const char **ret, struct err *err) MUST_USE;
int json_opt_str(const json_t *obj, const char *name, const char **ret, struct err *err) MUST_USE;
int json_get_int(const json_t *obj, const char *name, int64_t min, int64_t max, int64_t *ret,
                 struct err *err) MUST_USE;
int json_opt_int(const json_t *obj, const char *name, int64_t min, int64_t max, int64_t *ret,
                 struct err *err) MUST_USE;
int json_get_bool(const json_t *obj, const char *name, bool *ret, struct err *err) MUST_USE;
int json_opt_bool(const json_t *obj, const char *name, bool *ret, struct err *err) MUST_USE;
int json_get_object(const json_t *obj, const char *name, const json_t **ret, struct err *err) MUST_USE;
int json_opt_object(const json_t *obj, const char *name, const json_t **ret, struct err *err) MUST_USE;
/* An array of at most MAX_ITEMS. */
int json_get_array(const json_t *obj, const char *name, size_t max_items, const json_t **ret,
                   struct err *err) MUST_USE;
int json_opt_array(const json_t *obj, const char *name, size_t max_items, const json_t **ret,
                   struct err *err) MUST_USE;
/* Bytes in strict lower-case hex or strict base64, appended to RET (untouched on failure), at most MAX. */
int json_get_hex(const json_t *obj, const char *name, size_t max, struct buf *ret, struct err *err) MUST_USE;
int json_opt_hex(const json_t *obj, const char *name, size_t max, struct buf *ret, struct err *err) MUST_USE;
int json_get_base64(const json_t *obj, const char *name, size_t max, struct buf *ret,
                    struct err *err) MUST_USE;
int json_opt_base64(const json_t *obj, const char *name, size_t max, struct buf *ret,
                    struct err *err) MUST_USE;
/* The lax decoder, for Keylime's fields. */
int json_get_base64_lax(const json_t *obj, const char *name, size_t max, struct buf *ret,
                        struct err *err) MUST_USE;
/* An RFC 3339 time as Unix milliseconds. */
int json_get_time(const json_t *obj, const char *name, int64_t *ret_ms, struct err *err) MUST_USE;
int json_opt_time(const json_t *obj, const char *name, int64_t *ret_ms, struct err *err) MUST_USE;

/* OBJ must be an object that holds no member outside NAMES. Return: 0; -ERR_FORMAT naming the stranger. */
int json_only(const json_t *obj, const char *const *names, size_t n_names, struct err *err) MUST_USE;

/* Set members. Return: 0, or -1 when out of memory (so that several can be or-ed: `r |= json_set_x(…)`). */
int json_set_str(json_t *obj, const char *name, const char *value) MUST_USE; /* NULL sets null */
int json_set_int(json_t *obj, const char *name, int64_t value) MUST_USE;
int json_set_bool(json_t *obj, const char *name, bool value) MUST_USE;
int json_set_hex(json_t *obj, const char *name, struct view v) MUST_USE;
int json_set_base64(json_t *obj, const char *name, struct view v) MUST_USE;
int json_set_time(json_t *obj, const char *name, int64_t ms) MUST_USE;

#endif
