/* SPDX-License-Identifier: Apache-2.0 */
/* Path patterns, and regular expressions made into them. */
#include "policy/pattern.h"

#include <stdlib.h>

#include "policy/pattern_regex.h"
#include "support/support.h"

static struct pattern_set *compile(const char *const *texts, size_t n)
{
        struct view v[64];
        struct pattern_set *s = NULL;
        struct err err = ERR_INIT;

        for (size_t i = 0; i < n; i++)
                v[i] = view_str(texts[i]);
        assert_ok(pattern_set_new(v, n, &s, NULL, &err), &err);
        assert_int_equal(pattern_count(s), n);
        return s;
}

static bool match(const char *pattern, struct view path)
{
        struct pattern_set *s = compile(&pattern, 1);
        struct guarded g;
        size_t got = pattern_match(s, guard_bytes(&g, path));

        guard_free(&g);
        pattern_set_unref(s);
        assert_true(got == 0 || got == PATTERN_NONE);
        return got == 0;
}

static void known_answers(void **state)
{
        static const struct {
                const char *pattern, *path;
                bool yes;
        } rows[] = {
                {"", "", true},
                {"", "a", false},
                {"/a", "/a", true},
                {"/a", "/ab", false},
                {"/a", "/", false},
                {"*", "", true},
                {"*", "abc", true},
                {"*", "a/c", false},
                {"**", "a/c", true},
                {"**", "", true},
                {"/tmp/*", "/tmp/x", true},
                {"/tmp/*", "/tmp/x/y", false},
                {"/tmp/**", "/tmp/x/y", true},
                {"/tmp/**", "/tmp/", true},
                {"/tmp/**", "/tmp", false},
                {"/tmp/***", "/tmp/x/y", true},
                {"/a/**/b", "/a/b", false},
                {"/a/**/b", "/a//b", true},
                {"/a/**/b", "/a/x/y/b", true},
                {"/a/**/b", "/a/x/y/b/c", false},
                {"**.pyc", "/usr/lib/x.pyc", true},
                {"**.pyc", "/usr/lib/x.py", false},
                {"/x/*.so.*", "/x/libc.so.6", true},
                {"/x/*.so.*", "/x/libc.so", false},
                {"/x/*.so.*", "/x/y/libc.so.6", false},
                {"?", "a", true},
                {"?", "", false},
                {"?", "/", false},
                {"?", "ab", false},
                {"?", "\xc3\xa4", true}, /* one character of two bytes */
                {"??", "\xc3\xa4", false},
                {"?x", "\xe2\x82\xacx", true},
                {"[[:any:]]", "/", true},
                {"[[:any:]]", "\xc3\xa4", true},
                {"[[:any:]]", "", false},
                {"[[:any:]]", "ab", false},
                {"[a-c]", "b", true},
                {"[a-c]", "d", false},
                {"[a-cx]", "x", true},
                {"[a/]", "/", true},
                {"[!a]", "/", false},
                {"[!a]", "a", false},
                {"[!a]", "b", true},
                {"[!a]", "\xc3\xa4", true},
                {"[a\\-z]", "-", true},
                {"[a\\-z]", "b", false},
                {"[\\]]", "]", true},
                {"[\\^]", "^", true},
                {"[!\\!]", "!", false},
                {"[a!]", "!", true},
                {"x[0-9][0-9]", "x42", true},
                {"x[0-9][0-9]", "x4", false},
                {"\\*", "*", true},
                {"\\*", "a", false},
                {"a\\?b", "a?b", true},
                {"\\[x]", "[x]", true},
                {"\\\\", "\\", true},
                {"a*b*c", "axxbxxc", true},
                {"a*b*c", "axxbxx/c", false},
                {"a**b*c", "a/x/bxxc", true},
                {"a*?b", "axb", true},
                {"a*?b", "ab", false},
                {"a?*b", "axyb", true},
                {"a?*b", "ab", false},
                {"a?**b", "ax/yb", true},
                {"^a$", "^a$", true},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                bool got = match(rows[i].pattern, view_str(rows[i].path));

                if (got != rows[i].yes)
                        fail_msg("'%s' and '%s': %d", rows[i].pattern, rows[i].path, got);
        }
        assert_true(match("/a\nb/*", view_str("/a\nb/c\nd")));
        assert_true(match("*", VIEW("a\0b", 3)));
        assert_true(match("*", VIEW("\xff\x80", 2)));
        assert_false(match("?", VIEW("\x80", 1))); /* continues nothing */
}

static void refused(void **state)
{
        static const struct {
                const char *pattern, *why;
        } rows[] = {
                {"a\\", "at byte 2: a backslash"},
                {"[", "']'"},
                {"[a", "']'"},
                {"[]", "nothing in it"},
                {"[!]", "nothing in it"},
                {"[^a]", "[!"},
                {"[-a]", "joins nothing"},
                {"[a-]", "joins nothing"},
                {"[z-a]", "joins nothing"},
                {"[a-b-c]", "joins nothing"},
                {"[\\", "backslash"},
                {"[\xc3\xa4]", "ASCII"},
        };
        static char long_one[PATTERN_BYTES_MAX + 1], many[PATTERN_BYTES_MAX];
        struct pattern_set *s = NULL;
        struct err err = ERR_INIT;
        struct view v[2] = {view_str("/good"), VIEW_NONE};
        size_t bad = 9;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                v[1] = view_str(rows[i].pattern);
                bad = 9;
                assert_err(pattern_set_new(v, 2, &s, &bad, &err), ERR_FORMAT, &err, rows[i].why);
                assert_int_equal(bad, 1);
        }
        memset(long_one, '?', sizeof(long_one));
        memset(many, '?', sizeof(many));
        v[1] = VIEW(long_one, sizeof(long_one));
        assert_err(pattern_set_new(v, 2, &s, &bad, &err), ERR_LIMIT, &err, "1025 bytes");
        v[1] = VIEW(many, sizeof(many));
        assert_err(pattern_set_new(v, 2, &s, NULL, &err), ERR_LIMIT, &err, "steps");
        assert_err(pattern_set_new(v, PATTERNS_MAX + 1, &s, &bad, &err), ERR_LIMIT, &err, "patterns");
        assert_null(s);
}

static void which_one(void **state)
{
        static const char *const texts[] = {"**",      "/usr/**",       "/usr/lib/**", "/usr/lib/*.so",
                                            "/usr/li", "/usr/lib/*.so", "/var/log/**", "/usr/lib64/x"};
        struct pattern_set *s = compile(texts, ARRAY_LEN(texts)), *none = compile(texts, 0);

        (void)state;
        assert_int_equal(pattern_match(s, view_str("/etc")), 0);
        assert_int_equal(pattern_match(s, view_str("/usr/x")), 1);
        assert_int_equal(pattern_match(s, view_str("/usr/lib/x")), 2);
        assert_int_equal(pattern_match(s, view_str("/usr/lib/x.so")), 2); /* of equal beginnings the first */
        assert_int_equal(pattern_match(s, view_str("/usr/li")), 4);
        assert_int_equal(pattern_match(s, view_str("/usr/lib64/x")), 7);
        assert_int_equal(pattern_match(s, view_str("/usr/lib64/y")), 1);
        assert_int_equal(pattern_match(s, view_str("/var/log/")), 6);
        assert_int_equal(pattern_match(s, view_str("/var/log")), 0);
        assert_int_equal(pattern_match(none, view_str("")), PATTERN_NONE);
        assert_true(pattern_bytes(s) > pattern_bytes(none));
        pattern_set_unref(none);
        none = pattern_set_ref(s);
        pattern_set_unref(s);
        assert_int_equal(pattern_match(none, view_str("/etc")), 0);
        pattern_set_unref(none);
        pattern_set_unref(NULL);
}

/* What a pattern of literals, *, ** and ? means, by the letter. */
static bool model(const char *p, const char *s)
{
        if (*p == '\0')
                return *s == '\0';
        if (p[0] == '*' && p[1] == '*')
                return model(p + 1 + (p[2] != '*'), s) || (*s && model(p, s + 1));
        if (*p == '*')
                return model(p + 1, s) || (*s && *s != '/' && model(p, s + 1));
        return *s && (*p == '?' ? *s != '/' : *p == *s) && model(p + 1, s + 1);
}

static void like_the_letter(void **state)
{
        static const char in_patterns[] = "ab/**?*", in_paths[] = "ab/";
        size_t yes = 0;

        (void)state;
        srandom(3);
        for (int i = 0; i < 4000; i++) {
                char text[3][12] = {{0}};
                const char *texts[3] = {text[0], text[1], text[2]};
                struct pattern_set *s;

                for (int k = 0; k < 3; k++)
                        for (long n = random() % 9; n > 0; n--)
                                text[k][n - 1] = in_patterns[random() % 7];
                s = compile(texts, 3);
                for (int j = 0; j < 60; j++) {
                        char path[8] = {0};
                        bool any = false;
                        size_t got;

                        for (long n = random() % 7; n > 0; n--)
                                path[n - 1] = in_paths[random() % 3];
                        got = pattern_match(s, view_str(path));
                        for (int k = 0; k < 3; k++)
                                any = any || model(texts[k], path);
                        if (any != (got != PATTERN_NONE) || (any && !model(texts[got], path)))
                                fail_msg("'%s' '%s' '%s' and '%s': %zu", texts[0], texts[1], texts[2], path,
                                         got);
                        yes += any;
                }
                pattern_set_unref(s);
        }
        assert_in_range(yes, 20000, 220000);
}

/* What makes a backtracking matcher take years. */
static void bounded(void **state)
{
        static char pattern[PATTERN_BYTES_MAX], path[4096];
        struct pattern_set *s = NULL;
        struct err err = ERR_INIT;
        struct view v = VIEW(pattern, sizeof(pattern));

        (void)state;
        for (size_t i = 0; i < sizeof(pattern); i++)
                pattern[i] = i % 3 == 2 ? 'a' : '*';
        pattern[sizeof(pattern) - 1] = 'b';
        memset(path, 'a', sizeof(path));
        assert_ok(pattern_set_new(&v, 1, &s, NULL, &err), &err);
        for (int i = 0; i < 100; i++)
                assert_int_equal(pattern_match(s, VIEW(path, sizeof(path))), PATTERN_NONE);
        path[sizeof(path) - 1] = 'b';
        assert_int_equal(pattern_match(s, VIEW(path, sizeof(path))), 0);
        pattern_set_unref(s);
}

static void quoted(void **state)
{
        static const char text[] = "/a*b?c[d]\\e-f";
        struct buf b = {0};
        char *pattern;

        (void)state;
        pattern_quote(&b, view_str(text));
        pattern = buf_take_str(&b);
        assert_non_null(pattern);
        assert_true(match(pattern, view_str(text)));
        assert_false(match(pattern, view_str("/aXb?c[d]\\e-f")));
        free(pattern);
}

/* ---- regular expressions ---- */

static void translated(void **state)
{
        static const struct {
                const char *regex, *patterns; /* parted by blanks */
        } rows[] = {
                {"", "**"},
                {"/tmp/.*", "/tmp/**"},
                {"/tmp", "/tmp**"},
                {"^/tmp$", "/tmp"},
                {"boot_aggregate", "boot_aggregate**"},
                {"/usr/lib/x\\.so", "/usr/lib/x.so**"},
                {"/a.b$", "/a[[:any:]]b"},
                {"/var/.+$", "/var/[[:any:]]**"},
                {"/[^/]*/x$", "/*/x"},
                {"/[^/]+/x$", "/?*/x"},
                {"/[^/]*[^/]*$", "/*"}, /* not two stars */
                {"/[^/]*.*$", "/**"},
                {"/(a|b)/c$", "/a/c /b/c"},
                {"(?:/a|/b)", "/a** /b**"},
                {"(^/a$|/b)", "/a /b**"},
                {"/ab?c$", "/abc /ac"},
                {"/x{2}$", "/xx"},
                {"/x{1,3}$", "/x /xx /xxx"},
                {"/[0-9a]{2}$", "/[0-9a][0-9a]"},
                {"/[^/ab]$", "/[!ab]"},
                {"/[^a]$", "// /[!a]"},
                {"/\\*\\?\\[$", "/\\*\\?\\["},
                {"/[*]x$", "/[*]x"},
                {"/[a\\-\\]]$", "/[\\-\\]a]"},
                {"/[]a]$", "/[\\]a]"},
                {"/.*?\\.log$", "/**.log"},
                {"/(.*)*x$", "/**x"},
                {"/\xc3\xa4?b$", "/b /\xc3\xa4"
                                 "b"},
                {"/(a|a)$", "/a"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct strv got = {0};
                struct pattern_refusal why = {{0}};
                struct err err = ERR_INIT;
                struct buf b = {0};
                char *text;

                if (pattern_from_regex(view_str(rows[i].regex), &got, &why, &err) != 1)
                        fail_msg("'%s': %s%s", rows[i].regex, why.text, err.text);
                strv_sort(&got);
                for (size_t k = 0; k < got.n; k++) {
                        buf_str(&b, k ? " " : "");
                        buf_str(&b, got.items[k]);
                }
                text = buf_take_str(&b);
                assert_string_equal(text, rows[i].patterns);
                free(text);
                strv_done(&got);
        }
}

/* And back: what a pattern becomes means the pattern again. */
static void expressed(void **state)
{
        static const struct {
                const char *pattern, *prefix, *whole;
        } rows[] = {
                {"/tmp/**", "/tmp/.*", "/tmp/.*"},
                {"/tmp", "/tmp$", "/tmp"},
                {"/*/x?", "/[^/]*/x[^/]$", "/[^/]*/x[^/]"},
                {"/a****b", "/a.*b$", "/a.*b"},
                {"/a[[:any:]]b", "/a.b$", "/a.b"},
                {"/[0-9_a]", "/[0-9_a]$", "/[0-9_a]"},
                {"/[!ab]", "/[^/ab]$", "/[^/ab]"},
                {"/[\\-\\]a]", "/[\\-\\]a]$", "/[\\-\\]a]"},
                {"/\\*\\?\\[\\\\", "/\\*\\?\\[\\\\$", "/\\*\\?\\[\\\\"},
                {"/a.b+c(d)|e{2}^$ ~#&", "/a\\.b\\+c\\(d\\)\\|e\\{2\\}\\^\\$ ~#&$",
                 "/a\\.b\\+c\\(d\\)\\|e\\{2\\}\\^\\$ ~#&"},
                {"/\xc3\xa4?b", "/\xc3\xa4[^/]b$", "/\xc3\xa4[^/]b"},
        };
        struct err err = ERR_INIT;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct view pattern = view_str(rows[i].pattern);
                struct buf prefix = {0}, whole = {0};
                struct strv got = {0};
                struct pattern_refusal why = {{0}};

                assert_ok(pattern_to_regex(pattern, true, &prefix, &err), &err);
                assert_ok(pattern_to_regex(pattern, false, &whole, &err), &err);
                assert_view(VIEW_BUF(&prefix), rows[i].prefix);
                assert_view(VIEW_BUF(&whole), rows[i].whole);
                if (pattern_from_regex(VIEW_BUF(&prefix), &got, &why, &err) != 1 || got.n != 1)
                        fail_msg("'%s': %s%s", rows[i].prefix, why.text, err.text);
                if (strcmp(rows[i].pattern, "/a****b") != 0)
                        assert_string_equal(got.items[0], rows[i].pattern);
                strv_done(&got);
                buf_free(&prefix);
                buf_free(&whole);
        }
        {
                struct buf none = {0};

                assert_err(pattern_to_regex(view_str("/a["), true, &none, &err), ERR_FORMAT, &err, NULL);
                assert_int_equal(none.len, 0);
        }
}

static void not_translated(void **state)
{
        static const struct {
                const char *regex, *why;
        } rows[] = {
                {"/a(?!b).*", "at byte 2: (? other than (?:"},
                {"(?i)/a", "at byte 0: (?"},
                {"/\\d+", "\\d"},
                {"/\\w", "\\w"},
                {"/\\s", "backslash and a letter"},
                {"/(a)\\1", "reference"},
                {"/a*", "any number of times"},
                {"/[0-9]+", "any number of times"},
                {"/(ab)*", "any number of times"},
                {"/(^.)*", "any number of times"},
                {"/[^a]*", "any number of times"},
                {"*.tmp", "at byte 0: a count with nothing before it"},
                {"/a**", "count of a count"},
                {"/a$b", "behind $"},
                {"(^a){2}", "^ elsewhere"},
                {"/a^", "^ elsewhere"},
                {"/a{", "begins no count"},
                {"/a{x}", "begins no count"},
                {"/a{2,1}", "below its beginning"},
                {"/a{101}", "above 100"},
                {"/(a", "'(' without ')'"},
                {"a)|(b", "')' without '('"},
                {"/[a", "'[' without ']'"},
                {"/[z-a]", "backwards"},
                {"/[\\d]", "named class"},
                {"/[\xc3\xa4]", "not ASCII"},
                {"/a\\", "nothing behind it"},
                {"(a|b){7}", "64 alternatives"},
                {"((((((((((((((((((a))))))))))))))))))", "nested"},
                {"((a{100}){100})", "too long"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct strv got = {0};
                struct pattern_refusal why = {{0}};
                struct err err = ERR_INIT;

                assert_int_equal(strv_add(&got, "before"), 0);
                if (pattern_from_regex(view_str(rows[i].regex), &got, &why, &err) != 0 ||
                    !strstr(why.text, rows[i].why))
                        fail_msg("'%s': '%s'%s", rows[i].regex, why.text, err.text);
                assert_int_equal(got.n, 1);
                strv_done(&got);
        }
}

static int some(void *ctx, struct err *err)
{
        static const struct view v[] = {{(const uint8_t *)"/a/*b?", 6}, {(const uint8_t *)"/x[a-c]", 7}};
        AUTO(pattern_set_unref_p)
        struct pattern_set *s = NULL;
        AUTO(strv_done)
        struct strv got = {0};
        struct pattern_refusal why;
        int r = pattern_set_new(v, 2, &s, NULL, err);

        (void)ctx;
        if (r >= 0)
                r = pattern_from_regex(view_str("/(a|b[^x])c{1,2}/.*z?"), &got, &why, err);
        return r < 0 ? r : 0;
}

static void out_of_memory(void **state)
{
        (void)state;
        oom_each(some, NULL);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(known_answers),  cmocka_unit_test(refused),
                cmocka_unit_test(which_one),      cmocka_unit_test(like_the_letter),
                cmocka_unit_test(bounded),        cmocka_unit_test(quoted),
                cmocka_unit_test(translated),     cmocka_unit_test(expressed),
                cmocka_unit_test(not_translated), cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
