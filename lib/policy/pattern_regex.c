/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions of Keylime's excludes as patterns. An expression is read into a list of alternatives,
 * each a row of tokens that a pattern can say; a group is such a list put behind every alternative so far.
 * What grows with that (a group of groups, a count of counts) is cut off by limits on both.
 *
 * Excluding too much is the mistake that must not happen: what is not understood to the letter is refused.
 *
 * Spec: Python 3, re, "Regular Expression Syntax"; keylime/ima (re.match() over "(a)|(b)").
 */
#include "policy/pattern_regex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/pattern.h"

#define DEPTH_MAX 16
#define COUNT_MAX 100

enum kind { BYTE, ONE, ANY, STAR, ACROSS, CLASS };

struct token {
        enum kind kind;
        uint8_t byte;    /* BYTE */
        bool negated;    /* CLASS: not these, and not '/' */
        uint64_t set[2]; /* CLASS: of ASCII */
};

/* One alternative. */
struct row {
        struct buf tokens; /* struct token */
        bool begun;        /* with ^ */
        bool ended;        /* with $ */
};

struct rows {
        struct row *p;
        size_t n;
};

struct translation {
        struct cursor c;
        struct pattern_refusal *why;
        struct err *err;
};

static bool is_digit(uint8_t c)
{
        return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Functions here return 1; 0 with a reason in WHY; < 0. */

static int refuse(struct translation *t, size_t at, const char *what)
{
        (void)snprintf(t->why->text, sizeof(t->why->text), "at byte %zu: %s", at, what);
        return 0;
}

static size_t row_len(const struct row *r)
{
        return r->tokens.len / sizeof(struct token);
}

static const struct token *row_tokens(const struct row *r)
{
        return (const struct token *)(const void *)r->tokens.p;
}

static void rows_done(struct rows *a)
{
        for (size_t i = 0; i < a->n; i++)
                buf_free(&a->p[i].tokens);
        free(a->p);
        *a = (struct rows){0};
}

/* One more alternative, empty. */
static int rows_add(struct translation *t, struct rows *a, struct row **ret)
{
        struct row *p;

        if (a->n == PATTERN_REGEX_ALTERNATIVES_MAX)
                return refuse(t, t->c.at, "more than 64 alternatives, multiplied out");
        p = mem_resize(a->p, a->n + 1, sizeof(*p));
        if (!p)
                return err_nomem(t->err);
        a->p = p;
        *ret = &p[a->n++];
        **ret = (struct row){0};
        return 1;
}

/* Neighbouring stars are one, the wider. */
static int put(struct translation *t, struct row *r, const struct token *token)
{
        size_t n = row_len(r);
        struct token *last = n ? (struct token *)(void *)r->tokens.p + n - 1 : NULL;

        if (last && (token->kind == STAR || token->kind == ACROSS) &&
            (last->kind == STAR || last->kind == ACROSS)) {
                if (token->kind == ACROSS)
                        last->kind = ACROSS;
                return 1;
        }
        if (n == PATTERN_BYTES_MAX)
                return refuse(t, t->c.at, "too long, multiplied out");
        buf_put(&r->tokens, token, sizeof(*token));
        return buf_ok(&r->tokens) ? 1 : err_nomem(t->err);
}

static int put_row(struct translation *t, struct row *r, const struct row *more)
{
        int e = 1;

        if (r->ended && row_len(more) > 0)
                return refuse(t, t->c.at, "something stands behind $");
        if (more->begun && row_len(r) > 0)
                return refuse(t, t->c.at, "^ elsewhere than at the beginning");
        for (size_t i = 0; i < row_len(more) && e > 0; i++)
                e = put(t, r, &row_tokens(more)[i]);
        r->begun = r->begun || more->begun;
        r->ended = r->ended || more->ended;
        return e;
}

/* Every one of A followed by every one of B, into A. */
static int multiply(struct translation *t, struct rows *a, const struct rows *b)
{
        struct rows product = {0};
        struct row *r = NULL;
        int e = 1;

        for (size_t i = 0; i < a->n; i++) {
                for (size_t k = 0; k < b->n && e > 0; k++) {
                        e = rows_add(t, &product, &r);
                        if (e > 0)
                                e = put_row(t, r, &a->p[i]);
                        if (e > 0)
                                e = put_row(t, r, &b->p[k]);
                }
        }
        rows_done(a);
        *a = product;
        return e;
}

static int one_token(struct translation *t, struct rows *ret, const struct token *token)
{
        struct row *r = NULL;
        int e = rows_add(t, ret, &r);

        return e > 0 ? put(t, r, token) : e;
}

static bool peek(const struct translation *t, uint8_t *ret)
{
        struct cursor ahead = t->c;

        return cursor_u8(&ahead, ret);
}

static bool take_if(struct translation *t, uint8_t wanted)
{
        uint8_t c;

        return peek(t, &c) && c == wanted && cursor_skip(&t->c, 1);
}

/* ---- [] ---- */

static int class_byte(struct translation *t, uint8_t *ret)
{
        size_t at = t->c.at;
        uint8_t c;

        if (!cursor_u8(&t->c, &c))
                return refuse(t, at, "'[' without ']'");
        if (c == '\\') {
                if (!cursor_u8(&t->c, &c))
                        return refuse(t, at, "a backslash with nothing behind it");
                if (is_letter(c) || is_digit(c))
                        return refuse(
                                t, at,
                                "a named class or character in [] cannot be said: write its characters");
        }
        if (c >= 0x80)
                return refuse(t, at, "a character in [] that is not ASCII cannot be said");
        *ret = c;
        return 1;
}

static int read_set(struct translation *t, uint64_t set[2])
{
        size_t at = t->c.at;
        bool first = true;

        for (;; first = false) {
                struct cursor ahead = t->c;
                uint8_t from, to, dash, next;
                int e;

                if (!first && take_if(t, ']'))
                        return 1;
                e = class_byte(t, &from);
                if (e <= 0)
                        return e;
                to = from;
                ahead = t->c;
                if (cursor_u8(&ahead, &dash) && dash == '-' && cursor_u8(&ahead, &next) && next != ']') {
                        (void)take_if(t, '-');
                        e = class_byte(t, &to);
                        if (e <= 0)
                                return e;
                }
                if (to < from)
                        return refuse(t, at, "a range in [] that runs backwards");
                for (unsigned c = from; c <= to; c++)
                        set[c / 64] |= UINT64_C(1) << (c % 64);
        }
}

/* [^…] without '/' takes '/' too, which a pattern says as a second alternative. */
static int read_class(struct translation *t, struct rows *ret)
{
        const uint64_t slash = UINT64_C(1) << '/';
        struct token token = {.kind = CLASS}, other = {.kind = BYTE, .byte = '/'};
        bool negated = take_if(t, '^'), has_slash;
        int e = read_set(t, token.set);

        if (e <= 0)
                return e;
        if (!negated)
                return one_token(t, ret, &token);
        has_slash = (token.set[0] & slash) != 0;
        token.negated = true;
        token.set[0] &= ~slash;
        if (token.set[0] == 0 && token.set[1] == 0)
                token.kind = ONE;
        e = one_token(t, ret, &token);
        return e > 0 && !has_slash ? one_token(t, ret, &other) : e;
}

/* ---- atoms ---- */

static int read_escape(struct translation *t, size_t at, struct rows *ret)
{
        struct token token = {.kind = BYTE};

        if (!cursor_u8(&t->c, &token.byte))
                return refuse(t, at, "a backslash with nothing behind it");
        if (token.byte == 'd')
                return refuse(t, at, "\\d is every digit of Unicode: write [0-9]");
        if (token.byte == 'w')
                return refuse(t, at, "\\w is every letter of Unicode: write [A-Za-z0-9_]");
        if (is_digit(token.byte))
                return refuse(t, at, "a reference to a group, or a character by number, cannot be said");
        if (is_letter(token.byte) || token.byte >= 0x80)
                return refuse(t, at, "a backslash and a letter cannot be said");
        return one_token(t, ret, &token);
}

static int read_alternatives(struct translation *t, unsigned depth, struct rows *ret);

static int read_group(struct translation *t, size_t at, unsigned depth, struct rows *ret)
{
        int e;

        if (depth == DEPTH_MAX)
                return refuse(t, at, "groups nested deeper than 16");
        if (take_if(t, '?') && !take_if(t, ':'))
                return refuse(
                        t, at,
                        "(? other than (?: cannot be said: it looks ahead or behind, names, or sets flags");
        e = read_alternatives(t, depth + 1, ret);
        if (e > 0 && !take_if(t, ')'))
                return refuse(t, at, "'(' without ')'");
        return e;
}

/* A character of the expression that means itself, all of its bytes. */
static int read_literal(struct translation *t, uint8_t c, struct rows *ret)
{
        struct token token = {.kind = BYTE, .byte = c};
        struct row *r = NULL;
        int e = rows_add(t, ret, &r);

        if (e > 0)
                e = put(t, r, &token);
        while (e > 0 && c >= 0xc0 && peek(t, &token.byte) && token.byte >= 0x80 && token.byte < 0xc0) {
                (void)take_if(t, token.byte);
                e = put(t, r, &token);
        }
        return e;
}

static int read_atom(struct translation *t, unsigned depth, struct rows *ret)
{
        const struct token any = {.kind = ANY};
        size_t at = t->c.at;
        uint8_t c;

        if (!cursor_u8(&t->c, &c))
                return refuse(t, at, "nothing where something is expected");
        if (c == '.')
                return one_token(t, ret, &any);
        if (c == '[')
                return read_class(t, ret);
        if (c == '(')
                return read_group(t, at, depth, ret);
        if (c == '\\')
                return read_escape(t, at, ret);
        if (c == '*' || c == '+' || c == '?' || c == '{')
                return refuse(t, at, "a count with nothing before it (to mean itself it needs a backslash)");
        return read_literal(t, c, ret);
}

/* ---- counts ---- */

/* "{n}", "{n,}", "{,m}", "{n,m}" behind the brace. MAX -1: no end. */
static int read_braces(struct translation *t, size_t at, int *ret_min, int *ret_max)
{
        int n[2] = {0, -1};
        bool digits[2] = {false, false}, comma = false;
        uint8_t c = 0;

        while (cursor_u8(&t->c, &c) && c != '}') {
                int k = comma;

                if (c == ',' && !comma) {
                        comma = true;
                        continue;
                }
                if (!is_digit(c))
                        return refuse(t, at, "'{' that begins no count: to mean itself it needs a backslash");
                n[k] = (digits[k] ? n[k] : 0) * 10 + (c - '0');
                digits[k] = true;
                if (n[k] > COUNT_MAX)
                        return refuse(t, at, "a count above 100 cannot be said");
        }
        if (c != '}' || (!digits[0] && !digits[1]))
                return refuse(t, at, "'{' that begins no count: to mean itself it needs a backslash");
        *ret_min = n[0];
        *ret_max = comma ? n[1] : n[0];
        return comma && digits[1] && n[1] < n[0] ? refuse(t, at, "a count whose end is below its beginning")
                                                 : 1;
}

/* The count behind an atom: 1 to 1 if there is none. */
static int read_count(struct translation *t, int *ret_min, int *ret_max)
{
        size_t at = t->c.at;
        uint8_t c;
        int e = 1;

        *ret_min = *ret_max = 1;
        if (!peek(t, &c) || !strchr("*+?{", c) || c == '\0')
                return 1;
        (void)take_if(t, c);
        if (c == '{')
                e = read_braces(t, at, ret_min, ret_max);
        else if (c == '?')
                *ret_min = 0;
        else
                *ret_min = c == '+', *ret_max = -1;
        if (e <= 0)
                return e;
        (void)take_if(t, '?'); /* as few as possible: the same paths */
        if (peek(t, &c) && strchr("*+?{", c) && c != '\0')
                return refuse(t, at, "a count of a count cannot be said");
        return 1;
}

/* Any number of ATOM. */
static int make_loop(struct translation *t, size_t at, const struct rows *atom, struct rows *ret)
{
        struct token token = {.kind = STAR};
        bool alone = atom->n == 1 && row_len(&atom->p[0]) == 1 && !atom->p[0].begun && !atom->p[0].ended;
        enum kind kind = alone ? row_tokens(&atom->p[0])->kind : BYTE;

        if (kind == ANY || kind == ACROSS)
                token.kind = ACROSS;
        else if (kind != ONE && kind != STAR)
                return refuse(t, at, "only .* and [^/]* can be said, no other part any number of times");
        return one_token(t, ret, &token);
}

/* ATOM as often as MIN to MAX says, into RET. */
static int repeat(struct translation *t, size_t at, const struct rows *atom, int min, int max,
                  struct rows *ret)
{
        struct rows so_far = {0}, loop = {0};
        struct row *r = NULL;
        int e = rows_add(t, &so_far, &r);

        for (int i = 0; i < min && e > 0; i++)
                e = multiply(t, &so_far, atom);
        if (e > 0 && max < 0) {
                e = make_loop(t, at, atom, &loop);
                if (e > 0)
                        e = multiply(t, &so_far, &loop);
        }
        for (int i = min; e > 0; i++) {
                for (size_t k = 0; k < so_far.n && e > 0; k++) {
                        e = rows_add(t, ret, &r);
                        if (e > 0)
                                e = put_row(t, r, &so_far.p[k]);
                }
                if (i >= max || e <= 0)
                        break;
                e = multiply(t, &so_far, atom);
        }
        rows_done(&so_far);
        rows_done(&loop);
        return e;
}

/* ---- rows ---- */

/* ^ or $: of every alternative so far. */
static int mark(struct translation *t, struct rows *a, uint8_t which)
{
        size_t at = t->c.at;

        (void)take_if(t, which);
        for (size_t i = 0; i < a->n; i++) {
                if (which == '^' && row_len(&a->p[i]) > 0)
                        return refuse(t, at, "^ elsewhere than at the beginning");
                *(which == '^' ? &a->p[i].begun : &a->p[i].ended) = true;
        }
        return 1;
}

static int read_counted(struct translation *t, unsigned depth, struct rows *so_far)
{
        struct rows atom = {0}, counted = {0};
        size_t at = t->c.at;
        int min = 1, max = 1, e = read_atom(t, depth, &atom);

        if (e > 0)
                e = read_count(t, &min, &max);
        if (e > 0)
                e = min == 1 && max == 1 ? multiply(t, so_far, &atom)
                                         : repeat(t, at, &atom, min, max, &counted);
        if (e > 0 && (min != 1 || max != 1))
                e = multiply(t, so_far, &counted);
        rows_done(&atom);
        rows_done(&counted);
        return e;
}

/* Up to the next '|', ')' or the end. */
static int read_row(struct translation *t, unsigned depth, struct rows *ret)
{
        struct row *r = NULL;
        uint8_t c;
        int e = rows_add(t, ret, &r);

        while (e > 0 && peek(t, &c) && c != '|' && c != ')') {
                if (c == '^' || c == '$')
                        e = mark(t, ret, c);
                else
                        e = read_counted(t, depth, ret);
        }
        return e;
}

static int read_alternatives(struct translation *t, unsigned depth, struct rows *ret)
{
        int e;

        do {
                struct rows more = {0};
                struct row *r = NULL;

                e = read_row(t, depth, &more);
                for (size_t i = 0; i < more.n && e > 0; i++) {
                        e = rows_add(t, ret, &r);
                        if (e > 0)
                                e = put_row(t, r, &more.p[i]);
                }
                rows_done(&more);
        } while (e > 0 && take_if(t, '|'));
        return e;
}

/* ---- writing ---- */

static void write_class_byte(struct buf *b, unsigned c)
{
        if (strchr("]-\\!^[", (int)c) && c != 0)
                buf_u8(b, '\\');
        buf_u8(b, (uint8_t)c);
}

static void write_class(struct buf *b, const struct token *token)
{
        buf_str(b, token->negated ? "[!" : "[");
        for (unsigned c = 0; c < 128; c++) {
                unsigned end = c;

                if (!(token->set[c / 64] >> (c % 64) & 1))
                        continue;
                while (end < 127 && token->set[(end + 1) / 64] >> ((end + 1) % 64) & 1)
                        end++;
                write_class_byte(b, c);
                if (end > c + 1)
                        buf_str(b, "-");
                if (end > c)
                        write_class_byte(b, end);
                c = end;
        }
        buf_str(b, "]");
}

static void write_token(struct buf *b, const struct token *token)
{
        switch (token->kind) {
        case BYTE:
                pattern_quote(b, VIEW(&token->byte, 1));
                break;
        case ONE:
                buf_str(b, "?");
                break;
        case ANY:
                buf_str(b, "[[:any:]]");
                break;
        case STAR:
                buf_str(b, "*");
                break;
        case ACROSS:
                buf_str(b, "**");
                break;
        case CLASS:
                write_class(b, token);
                break;
        }
}

static int write_row(struct translation *t, struct row *r, struct strv *ret)
{
        const struct token across = {.kind = ACROSS};
        struct buf b = {0};
        char *text;
        int e = r->ended ? 1 : put(t, r, &across);

        for (size_t i = 0; i < row_len(r) && e > 0; i++)
                write_token(&b, &row_tokens(r)[i]);
        if (e > 0 && b.len > PATTERN_BYTES_MAX)
                e = refuse(t, t->c.at, "too long, as a pattern");
        text = buf_take_str(&b);
        if (!text)
                return err_nomem(t->err);
        if (e > 0 && !strv_has(ret, text) && strv_add(ret, text) < 0)
                e = err_nomem(t->err);
        free(text);
        return e;
}

int pattern_from_regex(struct view regex, struct strv *ret, struct pattern_refusal *ret_why, struct err *err)
{
        struct translation t = {.c = cursor_of(regex), .why = ret_why, .err = err};
        struct rows all = {0};
        struct strv made = {0};
        uint8_t c;
        int e;

        if (regex.len > PATTERN_REGEX_BYTES_MAX)
                return refuse(&t, PATTERN_REGEX_BYTES_MAX, "an expression of more than 4096 bytes");
        if (regex.len && memchr(regex.p, '\0', regex.len))
                return refuse(&t, 0, "a NUL in the expression");
        e = read_alternatives(&t, 0, &all);
        if (e > 0 && peek(&t, &c))
                e = refuse(&t, t.c.at, "')' without '('");
        for (size_t i = 0; i < all.n && e > 0; i++)
                e = write_row(&t, &all.p[i], &made);
        for (size_t i = 0; i < made.n && e > 0; i++)
                if (!strv_has(ret, made.items[i]) && strv_add(ret, made.items[i]) < 0)
                        e = err_nomem(err);
        rows_done(&all);
        strv_done(&made);
        return e;
}

/* ---- from patterns ---- */

/* A byte that means itself, outside of a set and inside one. */
static void put_literal(struct buf *b, uint8_t c, bool in_set)
{
        const char *special = in_set ? "\\]^-[&~|" : "\\.^$*+?{}[]()|";

        if (c && strchr(special, c))
                buf_u8(b, '\\');
        buf_u8(b, c);
}

static bool take_text(struct cursor *c, const char *text)
{
        struct cursor at = *c;
        struct view taken;

        if (!cursor_take(&at, strlen(text), &taken) || !view_equal(taken, view_str(text)))
                return false;
        *c = at;
        return true;
}

/* [a-z], [!a-z] behind its bracket, to its end. */
static bool put_set(struct buf *b, struct cursor *c)
{
        bool negated = take_text(c, "!");
        uint8_t x = 0;

        buf_str(b, negated ? "[^/" : "[");
        while (cursor_u8(c, &x) && x != ']') {
                if (x == '-')
                        buf_u8(b, '-');
                else if (x != '\\' || cursor_u8(c, &x))
                        put_literal(b, x, true);
        }
        buf_u8(b, ']');
        return x == ']';
}

int pattern_to_regex(struct view pattern, bool prefix, struct buf *ret, struct err *err)
{
        struct cursor c = cursor_of(pattern);
        struct pattern_set *check = NULL;
        bool open = false; /* does it end in a run of anything? */
        uint8_t x;

        if (pattern_set_new(&pattern, 1, &check, NULL, err) < 0)
                return -(int)err->kind;
        pattern_set_unref(check);
        while (c.left) {
                open = false;
                if (take_text(&c, "**")) {
                        while (take_text(&c, "*"))
                                ;
                        open = true;
                        buf_str(ret, ".*");
                } else if (take_text(&c, "[[:any:]]")) {
                        buf_str(ret, ".");
                } else if (take_text(&c, "*")) {
                        buf_str(ret, "[^/]*");
                } else if (take_text(&c, "?")) {
                        buf_str(ret, "[^/]");
                } else if (take_text(&c, "[")) {
                        if (!put_set(ret, &c))
                                return err_set(err, ERR_BUG, 0, "a set without an end");
                } else {
                        (void)take_text(&c, "\\"); /* what follows means itself */
                        if (cursor_u8(&c, &x))
                                put_literal(ret, x, false);
                }
        }
        buf_str(ret, prefix && !open ? "$" : "");
        return buf_ok(ret) ? 0 : err_nomem(err);
}
