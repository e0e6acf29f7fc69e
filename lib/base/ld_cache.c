/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader's cache, read as the loader reads it: a header, entries of 24 bytes with offsets of name and
 * path, and the strings. It is root's file, but a broken one must not stop the agent in an odd way.
 */
#include "base/ld_cache.h"

#include <string.h>

#define MAGIC        "glibc-ld.so.cache1.1"
#define ENTRIES_MAX  100000
#define HEADER_BYTES 48

/* The string at byte AT: borrowed, ended by a NUL inside the file. */
static const char *text_at(struct view cache, uint32_t at)
{
        struct cursor c = cursor_of(cache);
        struct view rest;

        if (!cursor_skip(&c, at))
                return NULL;
        rest = cursor_rest(&c);
        return memchr(rest.p, '\0', rest.len) ? (const char *)rest.p : NULL;
}

int ld_cache_find(struct view cache, const char *name, struct strv *ret_plain, struct strv *ret_special,
                  struct err *err)
{
        struct cursor c = cursor_of(cache);
        struct view magic;
        uint32_t n;

        if (!cursor_take(&c, strlen(MAGIC), &magic) || !view_equal(magic, view_str(MAGIC)))
                return 0;
        if (!cursor_le32(&c, &n) || n > ENTRIES_MAX || !cursor_skip(&c, HEADER_BYTES - strlen(MAGIC) - 4))
                return err_set(err, ERR_FORMAT, 0, "the loader's cache is broken: run ldconfig");
        for (uint32_t i = 0; i < n; i++) {
                uint32_t flags, key, value, version;
                const char *entry, *path;
                uint64_t features;

                if (!cursor_le32(&c, &flags) || !cursor_le32(&c, &key) || !cursor_le32(&c, &value) ||
                    !cursor_le32(&c, &version) || !cursor_le64(&c, &features) ||
                    !(entry = text_at(cache, key)) || !(path = text_at(cache, value)))
                        return err_set(err, ERR_FORMAT, 0, "the loader's cache is broken: run ldconfig");
                if (str_equal(entry, name) && strv_add(features ? ret_special : ret_plain, path) < 0)
                        return err_nomem(err);
        }
        return 0;
}
