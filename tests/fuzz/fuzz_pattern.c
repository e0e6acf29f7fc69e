/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path patterns and the regular expressions that become them. In production whoever may write a policy
 * controls the first line, and whoever may name a file on a host the second. What a regular expression was
 * made into must compile; a quoted path must match itself and nothing one byte longer.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "policy/pattern.h"
#include "policy/pattern_regex.h"

static void match(const struct view *patterns, size_t n, struct view path)
{
        AUTO(pattern_set_unref_p)
        struct pattern_set *s = NULL;
        struct err err = ERR_INIT;

        if (pattern_set_new(patterns, n, &s, NULL, &err) == 0)
                (void)pattern_match(s, path);
}

static void quote(struct view path)
{
        AUTO(buf_free)
        struct buf b = {0};
        AUTO(pattern_set_unref_p)
        struct pattern_set *s = NULL;
        struct err err = ERR_INIT;
        struct view v;

        pattern_quote(&b, path);
        v = VIEW_BUF(&b);
        if (b.len > PATTERN_BYTES_MAX)
                return;
        FUZZ_CHECK(pattern_set_new(&v, 1, &s, NULL, &err) == 0);
        FUZZ_CHECK(pattern_match(s, path) == 0);
        if (path.len)
                FUZZ_CHECK(pattern_match(s, VIEW(path.p, path.len - 1)) == PATTERN_NONE);
}

static void translate(struct view regex, struct view path)
{
        struct strv made = {0};
        struct pattern_refusal why;
        struct err err = ERR_INIT;
        struct view v[PATTERN_REGEX_ALTERNATIVES_MAX];

        if (pattern_from_regex(regex, &made, &why, &err) > 0) {
                AUTO(pattern_set_unref_p)
                struct pattern_set *s = NULL;
                int r;

                FUZZ_CHECK(made.n >= 1 && made.n <= PATTERN_REGEX_ALTERNATIVES_MAX);
                for (size_t i = 0; i < made.n; i++)
                        v[i] = view_str(made.items[i]);
                r = pattern_set_new(v, made.n, &s, NULL, &err);
                FUZZ_CHECK(r == 0 || r == -ERR_LIMIT);
                if (r == 0)
                        (void)pattern_match(s, path);
        }
        strv_done(&made);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
        struct view v[2], path = VIEW_NONE;

        if (size > 8192)
                return 0;
        v[0] = VIEW(data, end ? (size_t)(end - data) : size);
        v[1] = view_str("/usr/**");
        if (end)
                path = VIEW(end + 1, size - v[0].len - 1);
        match(v, 2, path);
        quote(path);
        translate(v[0], path);
        return 0;
}
