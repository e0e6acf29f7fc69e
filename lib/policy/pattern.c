/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns over paths. The threat is the expression that takes exponential time on a path which a host's user
 * chose, and the policy with a thousand harmless expressions that together stop the verifier.
 *
 * So: no backtracking. What follows a pattern's literal beginning is a row of steps, each a set of bytes,
 * some of them loops (the stars). The state of a match is one bit per step ("this one is next"), and a byte
 * moves all of them at once: bits whose step takes the byte move on, those of loops stay, and a loop's bit
 * also stands at the step behind it. No two loops are neighbours (neighbouring ones are merged), so that one
 * shift does that. The masks of a byte are found through its class; patterns have few classes.
 *
 * Which patterns to try: those whose literal beginning the path begins with. They are sorted; the greatest
 * one not above the path either fits, or one of its own beginnings does, and so on: each knows the next
 * shorter one in the list.
 *
 * Spec: R. Baeza-Yates, G. Gonnet, "A new approach to text searching" (1992), for the bits.
 */
#include "policy/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* A set of bytes; LOOP: any number of them. */
struct step {
        uint64_t set[4];
        bool loop;
};

static bool step_has(const struct step *s, unsigned byte)
{
        return s->set[byte / 64] >> (byte % 64) & 1;
}

static void step_put(struct step *s, unsigned first, unsigned last)
{
        for (unsigned c = first; c <= last; c++)
                s->set[c / 64] |= UINT64_C(1) << (c % 64);
}

static bool step_holds(const struct step *a, const struct step *b)
{
        for (int i = 0; i < 4; i++)
                if (b->set[i] & ~a->set[i])
                        return false;
        return true;
}

/* A pattern, compiled. */
struct program {
        struct view prefix;    /* its literal beginning; in the set's text */
        size_t number, parent; /* the caller's; of the next shorter beginning of this one, or PATTERN_NONE */
        size_t n_steps,
                words; /* words: of n_steps + 1 bits; 0 steps: the path is the beginning, and nothing else */
        bool rest;     /* a single ** follows */
        size_t at_least; /* bytes that the steps need */
        uint8_t class_of[256];
        uint64_t *masks; /* of each class: words of bits that move on, words of bits that stay; then the loops
                          */
        size_t n_classes;
};

struct pattern_set {
        unsigned refs;            /* atomic */
        struct program *programs; /* by their beginnings, then by number */
        size_t n, bytes, steps;
        uint8_t *text;
};

/* ---- reading ---- */

struct reading {
        struct cursor c;
        uint8_t *prefix; /* room for all of the pattern */
        size_t prefix_len;
        struct step steps[PATTERN_STEPS_MAX];
        size_t n;
};

/* A literal byte at the pattern's beginning is of its prefix, every other one is a step. */
static int put_step(struct reading *r, const struct step *s, struct err *err)
{
        struct step *last = r->n ? &r->steps[r->n - 1] : NULL;

        if (s->loop && last && last->loop) {
                /* any run of these, and any run of those: the wider one says it all, as all our loops nest */
                if (step_holds(s, last))
                        *last = *s;
                return 0;
        }
        if (r->n == PATTERN_STEPS_MAX)
                return err_set(err, ERR_LIMIT, 0, "a pattern of more than %u steps", PATTERN_STEPS_MAX);
        r->steps[r->n++] = *s;
        return 0;
}

static int put_byte(struct reading *r, uint8_t byte, struct err *err)
{
        struct step s = {.loop = false};

        if (r->n == 0) {
                r->prefix[r->prefix_len++] = byte;
                return 0;
        }
        step_put(&s, byte, byte);
        return put_step(r, &s, err);
}

/* One character of those that begin as HEAD says. */
static int put_character(struct reading *r, struct step *head, struct err *err)
{
        struct step tail = {.loop = true};
        int e;

        for (unsigned c = 0x80; c <= 0xbf; c++)
                head->set[c / 64] &= ~(UINT64_C(1) << (c % 64));
        e = put_step(r, head, err);
        if (e < 0 || !(head->set[3])) /* only ASCII: nothing continues */
                return e;
        step_put(&tail, 0x80, 0xbf);
        return put_step(r, &tail, err);
}

static int put_star(struct reading *r, struct err *err)
{
        struct step s = {.loop = true};
        bool across = false;
        uint8_t c;

        for (struct cursor ahead = r->c; cursor_u8(&ahead, &c) && c == '*'; r->c = ahead)
                across = true;
        step_put(&s, 0, 255);
        if (!across)
                s.set['/' / 64] &= ~(UINT64_C(1) << ('/' % 64));
        return put_step(r, &s, err);
}

static int class_error(const struct reading *r, struct err *err, const char *what)
{
        return err_set(err, ERR_FORMAT, 0, "at byte %zu: %s", r->c.at, what);
}

/* One character of a class. Return: 1; 0 at its end; < 0. */
static int class_char(struct reading *r, uint8_t *ret, bool *ret_bare_dash, struct err *err)
{
        uint8_t c;

        *ret_bare_dash = false;
        if (!cursor_u8(&r->c, &c))
                return class_error(r, err, "'[' without ']': write \\[ for the character itself");
        if (c == ']')
                return 0;
        *ret_bare_dash = c == '-';
        if (c == '\\' && !cursor_u8(&r->c, &c))
                return class_error(r, err, "a backslash with nothing behind it");
        if (c >= 0x80)
                return class_error(r, err, "only ASCII characters can stand in []");
        *ret = c;
        return 1;
}

static int put_class(struct reading *r, struct err *err)
{
        static const char any[] = "[:any:]]";
        struct step s = {.loop = false};
        struct cursor ahead = r->c;
        struct view word;
        uint8_t c, last = 0;
        bool negated, dash, open = false; /* open: LAST may begin a range */
        int more;

        if (cursor_take(&ahead, strlen(any), &word) && view_equal(word, view_str(any))) {
                r->c = ahead;
                step_put(&s, 0, 255);
                return put_character(r, &s, err);
        }
        ahead = r->c;
        negated = cursor_u8(&ahead, &c) && c == '!';
        if (negated)
                r->c = ahead;
        else if (ahead.at > r->c.at && c == '^')
                return class_error(r, err, "write [! for what is not in it, or [\\^ for the character");
        if ((ahead = r->c, cursor_u8(&ahead, &c)) && c == ']')
                return class_error(r, err, "[] with nothing in it: write \\] for the character itself");
        while ((more = class_char(r, &c, &dash, err)) > 0) {
                if (dash && !open)
                        return class_error(r, err, "'-' joins nothing here: write \\- for the character");
                if (dash) {
                        more = class_char(r, &c, &dash, err);
                        if (more < 0)
                                return more;
                        if (more == 0 || dash || c < last)
                                return class_error(r, err,
                                                   "'-' joins nothing here: write \\- for the character");
                        step_put(&s, last, c);
                        open = false;
                        continue;
                }
                step_put(&s, c, c);
                last = c;
                open = true;
        }
        if (more < 0)
                return more;
        if (!negated)
                return put_step(r, &s, err);
        step_put(&s, '/', '/');
        for (int i = 0; i < 4; i++)
                s.set[i] = ~s.set[i];
        return put_character(r, &s, err);
}

static int read_pattern(struct reading *r, struct err *err)
{
        struct step s = {.loop = false};
        uint8_t c;
        int e = 0;

        while (e >= 0 && cursor_u8(&r->c, &c)) {
                if (c == '*') {
                        e = put_star(r, err);
                } else if (c == '[') {
                        e = put_class(r, err);
                } else if (c == '?') {
                        s = (struct step){.loop = false};
                        step_put(&s, 0, 255);
                        s.set['/' / 64] &= ~(UINT64_C(1) << ('/' % 64));
                        e = put_character(r, &s, err);
                } else if (c == '\\' && !cursor_u8(&r->c, &c)) {
                        e = class_error(r, err, "a backslash with nothing behind it");
                } else {
                        e = put_byte(r, c, err);
                }
        }
        return e;
}

/* ---- compiling ---- */

/* Parts the classes of CLASS_OF by one step. Return: how many of the N there are now. */
static size_t part(const struct step *step, uint8_t class_of[256], size_t n)
{
        uint16_t in[256] = {0}, all[256] = {0};
        uint8_t other[256]; /* of a class: the class of those of its bytes that are in the step */
        size_t before = n;

        for (unsigned c = 0; c < 256; c++) {
                in[class_of[c]] = (uint16_t)(in[class_of[c]] + step_has(step, c));
                all[class_of[c]]++;
        }
        for (size_t k = 0; k < before; k++)
                other[k] = in[k] && in[k] < all[k] ? (uint8_t)n++ : (uint8_t)k;
        for (unsigned c = 0; c < 256; c++)
                if (step_has(step, c))
                        class_of[c] = other[class_of[c]];
        return n;
}

/* Bytes that no step tells apart are of one class. Return: how many classes. */
static size_t classify(const struct reading *r, uint8_t class_of[256])
{
        size_t n = 1;

        memset(class_of, 0, 256);
        for (size_t i = 0; i < r->n; i++)
                n = part(&r->steps[i], class_of, n);
        return n;
}

static int compile(const struct reading *r, struct program *p, struct err *err)
{
        p->n_steps = r->n;
        p->rest = r->n == 1 && r->steps[0].loop && step_has(&r->steps[0], '/');
        for (size_t i = 0; i < r->n; i++)
                p->at_least += !r->steps[i].loop;
        if (r->n == 0 || p->rest)
                return 0;
        p->words = r->n / 64 + 1;
        p->n_classes = classify(r, p->class_of);
        p->masks = mem_zalloc((2 * p->n_classes + 1) * p->words, sizeof(*p->masks));
        if (!p->masks)
                return err_nomem(err);
        for (unsigned c = 0; c < 256; c++) {
                uint64_t *move = p->masks + 2 * p->words * p->class_of[c], *stay = move + p->words;

                for (size_t i = 0; i < r->n; i++)
                        if (step_has(&r->steps[i], c))
                                (r->steps[i].loop ? stay : move)[i / 64] |= UINT64_C(1) << (i % 64);
        }
        for (size_t i = 0; i < r->n; i++)
                if (r->steps[i].loop)
                        p->masks[2 * p->words * p->n_classes + i / 64] |= UINT64_C(1) << (i % 64);
        return 0;
}

static int order_bytes(struct view a, struct view b)
{
        size_t n = a.len < b.len ? a.len : b.len;

        for (size_t i = 0; i < n; i++)
                if (a.p[i] != b.p[i])
                        return a.p[i] < b.p[i] ? -1 : 1;
        return a.len < b.len ? -1 : a.len > b.len;
}

static int order_programs(const void *a_, const void *b_)
{
        const struct program *a = a_, *b = b_;
        int r = order_bytes(a->prefix, b->prefix);

        return r != 0 ? r : a->number < b->number ? 1 : -1; /* the first comes last: it is asked first */
}

static bool begins(struct view text, struct view with)
{
        return text.len >= with.len && view_equal(VIEW(text.p, with.len), with);
}

/* For each program the nearest one before it that its own beginning begins with. */
static void find_parents(struct pattern_set *s)
{
        for (size_t i = 0; i < s->n; i++) {
                size_t p = i ? i - 1 : PATTERN_NONE;

                while (p != PATTERN_NONE && !begins(s->programs[i].prefix, s->programs[p].prefix))
                        p = s->programs[p].parent;
                s->programs[i].parent = p;
        }
}

static int add(struct pattern_set *s, struct view pattern, size_t *text_at, struct reading *r,
               struct err *err)
{
        struct program *p = &s->programs[s->n];
        int e;

        if (pattern.len > PATTERN_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "a pattern of %zu bytes, at most %u are allowed",
                               pattern.len, PATTERN_BYTES_MAX);
        r->c = cursor_of(pattern);
        r->prefix = s->text + *text_at;
        r->prefix_len = r->n = 0;
        e = read_pattern(r, err);
        if (e < 0)
                return e;
        if (r->n > PATTERNS_STEPS_MAX - s->steps)
                return err_set(err, ERR_LIMIT, 0, "patterns of more than %u steps together",
                               PATTERNS_STEPS_MAX);
        s->steps += r->n;
        p->number = s->n;
        p->prefix = VIEW(r->prefix, r->prefix_len);
        *text_at += r->prefix_len;
        s->n++;
        e = compile(r, p, err);
        s->bytes += (2 * p->n_classes + 1) * p->words * sizeof(*p->masks);
        return e;
}

int pattern_set_new(const struct view *patterns, size_t n, struct pattern_set **ret, size_t *ret_bad,
                    struct err *err)
{
        AUTO(pattern_set_unref_p)
        struct pattern_set *s = mem_zalloc(1, sizeof(*s));
        AUTO(mem_free_p)
        struct reading *r = NULL;
        size_t text = 0, at = 0;
        int e = 0;

        if (!s)
                return err_nomem(err);
        s->refs = 1;
        if (n > PATTERNS_MAX) {
                if (ret_bad)
                        *ret_bad = PATTERNS_MAX;
                return err_set(err, ERR_LIMIT, 0, "%zu patterns, at most %u are allowed", n, PATTERNS_MAX);
        }
        for (size_t i = 0; i < n; i++)
                text += patterns[i].len <= PATTERN_BYTES_MAX ? patterns[i].len : 0;
        r = mem_zalloc(1, sizeof(*r));
        s->programs = mem_zalloc(n ? n : 1, sizeof(*s->programs));
        s->text = mem_alloc(text);
        if (!r || !s->programs || !s->text)
                return err_nomem(err);
        s->bytes = sizeof(*s) + n * sizeof(*s->programs) + text;
        for (size_t i = 0; i < n && e >= 0; i++) {
                e = add(s, patterns[i], &at, r, err);
                if (e < 0 && ret_bad)
                        *ret_bad = i;
        }
        if (e < 0)
                return e;
        qsort(s->programs, s->n, sizeof(*s->programs), order_programs);
        find_parents(s);
        *ret = TAKE(s);
        return 0;
}

struct pattern_set *pattern_set_ref(struct pattern_set *s)
{
        (void)__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
        return s;
}

void pattern_set_unref(struct pattern_set *s)
{
        if (!s || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
                return;
        for (size_t i = 0; i < s->n; i++)
                free(s->programs[i].masks);
        free(s->programs);
        free(s->text);
        free(s);
}

/* ---- matching ---- */

static bool run(const struct program *p, struct view text)
{
        uint64_t now[PATTERN_STEPS_MAX / 64 + 1] = {1};
        const uint64_t *loops = p->masks + 2 * p->words * p->n_classes;

        now[0] |= (loops[0] & 1) << 1;
        for (size_t i = 0; i < text.len; i++) {
                const uint64_t *move = p->masks + 2 * p->words * p->class_of[text.p[i]],
                               *stay = move + p->words;
                uint64_t moved = 0, looped = 0, any = 0; /* what the word before gives to this one */

                for (size_t w = 0; w < p->words; w++) {
                        uint64_t moving = now[w] & move[w], next = moving << 1 | moved | (now[w] & stay[w]);
                        uint64_t open = next & loops[w];

                        moved = moving >> 63;
                        now[w] = next | open << 1 | looped;
                        looped = open >> 63;
                        any |= now[w];
                }
                if (!any)
                        return false;
        }
        return now[p->n_steps / 64] >> (p->n_steps % 64) & 1;
}

/* Can BYTE be the last one of a path that matches? Most patterns end in what most paths do not end in. */
static bool may_end(const struct program *p, uint8_t byte)
{
        size_t last = p->n_steps - 1;
        uint64_t bit = UINT64_C(1) << (last % 64);

        return (p->masks[2 * p->words * p->n_classes + last / 64] & bit) ||
               (p->masks[2 * p->words * p->class_of[byte] + last / 64] & bit);
}

static bool matches(const struct program *p, struct view rest)
{
        if (p->n_steps == 0)
                return rest.len == 0;
        if (p->rest)
                return true;
        if (rest.len < p->at_least || (rest.len && !may_end(p, rest.p[rest.len - 1])))
                return false;
        return run(p, rest);
}

/* What follows the first N bytes; an empty view may have no address to count from. */
static struct view behind(struct view v, size_t n)
{
        return n < v.len ? VIEW(v.p + n, v.len - n) : VIEW_NONE;
}

size_t pattern_match(const struct pattern_set *s, struct view path)
{
        size_t low = 0, high = s->n, i;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (order_bytes(s->programs[middle].prefix, path) <= 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        for (i = low ? low - 1 : PATTERN_NONE; i != PATTERN_NONE; i = s->programs[i].parent) {
                const struct program *p = &s->programs[i];

                if (begins(path, p->prefix) && matches(p, behind(path, p->prefix.len)))
                        return p->number;
        }
        return PATTERN_NONE;
}

size_t pattern_count(const struct pattern_set *s)
{
        return s->n;
}

size_t pattern_bytes(const struct pattern_set *s)
{
        return s->bytes;
}

void pattern_quote(struct buf *b, struct view text)
{
        for (size_t i = 0; i < text.len; i++) {
                if (strchr("*?[]\\", text.p[i]) && text.p[i] != '\0')
                        buf_u8(b, '\\');
                buf_u8(b, text.p[i]);
        }
}
