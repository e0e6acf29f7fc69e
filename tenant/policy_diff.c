/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The difference of two policies as their hosts will feel it. A line-by-line diff of the texts drowns one
 * digest that matters in comments and moved lines, and says nothing about what an edit means; this compares
 * rules. A digest counts as the same if the same file of the same runtime allows it: by name here, because
 * this is for people.
 */
#include "tenant/policy_diff.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "evidence/verdict.h"
#include "tenant/policy_diff_part.h"

#define ON_FAIL_BYTES 128

/* A change under construction; NULL members are left out. */
struct change {
        const char *change, *what, *runtime, *file, *value, *was, *comment;
        uint32_t line;
};

static int add(json_t *changes, const struct change *c)
{
        const struct {
                const char *name, *value;
        } members[] = {
                {"change", c->change}, {"what", c->what}, {"runtime", c->runtime}, {"file", c->file},
                {"value", c->value},   {"was", c->was},   {"comment", c->comment},
        };
        AUTO(json_free_p) json_t *j = json_object();
        int r = j ? 0 : -1;

        for (size_t i = 0; r == 0 && i < ARRAY_LEN(members); i++)
                if (members[i].value && *members[i].value)
                        r = json_set_str(j, members[i].name, members[i].value);
        if (r == 0 && c->line)
                r = json_set_int(j, "line", c->line);
        return r < 0 ? -1 : json_array_append(changes, j);
}

static int add_if_differs(json_t *changes, const char *what, const char *runtime, const char *was,
                          const char *is)
{
        struct change c = {.change = "changed", .what = what, .runtime = runtime, .value = is, .was = was};

        return str_equal(was, is) ? 0 : add(changes, &c);
}

static const char *duration(int64_t ms, char text[CLOCK_TEXT_BYTES])
{
        return ms ? clock_format_duration(ms, text) : "default";
}

/* "destroy after 15m, at once if critical" */
static void on_fail_text(const struct policy_on_fail *f, char ret[ON_FAIL_BYTES])
{
        char delay[CLOCK_TEXT_BYTES], after[CLOCK_TEXT_BYTES + 16] = "", now[48] = "";

        if (f->destroy && f->destroy_after_ms != POLICY_DESTROY_DEFAULT)
                (void)snprintf(after, sizeof(after), " after %s",
                               clock_format_duration(f->destroy_after_ms, delay));
        for (unsigned i = SEVERITY_INFO; i <= SEVERITY_CRITICAL; i++)
                if (f->destroy_now & (1u << i)) {
                        size_t n = strlen(now);

                        (void)snprintf(now + n, sizeof(now) - n, "%s%s", n ? " or " : "",
                                       severity_name((enum severity)i));
                }
        (void)snprintf(ret, ON_FAIL_BYTES, "%s%s%s%s", f->destroy ? "destroy" : "suspend", after,
                       now[0] ? ", destroy at once if " : "", now);
}

static int diff_head(json_t *changes, const struct policy *old, const struct policy *new)
{
        char a[CLOCK_TEXT_BYTES], b[CLOCK_TEXT_BYTES], old_pcr[16], new_pcr[16];
        char old_fail[ON_FAIL_BYTES], new_fail[ON_FAIL_BYTES];
        int r = 0;

        on_fail_text(&old->on_fail, old_fail);
        on_fail_text(&new->on_fail, new_fail);

        (void)snprintf(old_pcr, sizeof(old_pcr), "%u", old->pcr); /* they fit */
        (void)snprintf(new_pcr, sizeof(new_pcr), "%u", new->pcr);
        r |= add_if_differs(changes, "name", NULL, old->name, new->name);
        r |= add_if_differs(changes, "bank", NULL, digest_name(old->bank), digest_name(new->bank));
        r |= add_if_differs(changes, "register of measurements", NULL, old_pcr, new_pcr);
        r |= add_if_differs(changes, "measurement log", NULL, old->judges_log ? "judged" : "not judged",
                            new->judges_log ? "judged" : "not judged");
        r |= add_if_differs(changes, "mode", NULL, old->enforced ? "enforce" : "observe",
                            new->enforced ? "enforce" : "observe");
        r |= add_if_differs(changes, "on_fail", NULL, old_fail, new_fail);
        r |= add_if_differs(changes, "interval", NULL, duration(old->interval_ms, a),
                            duration(new->interval_ms, b));
        r |= add_if_differs(changes, "grace", NULL, duration(old->grace_ms, a), duration(new->grace_ms, b));
        r |= add_if_differs(changes, "lease", NULL, duration(old->lease_ms, a), duration(new->lease_ms, b));
        r |= add_if_differs(changes, "reappraise_within", NULL, duration(old->reappraise_ms, a),
                            duration(new->reappraise_ms, b));
        return r;
}

static const struct policy_runtime *runtime_named(const struct policy *p, const char *name)
{
        for (size_t i = 0; i < p->n_runtimes; i++)
                if (str_equal(p->runtimes[i].name, name))
                        return &p->runtimes[i];
        return NULL;
}

/* Runtimes of IN that OTHER lacks. */
static int diff_runtimes(json_t *changes, const struct policy *in, const struct policy *other,
                         const char *word)
{
        int r = 0;

        for (size_t i = 0; i < in->n_runtimes; i++) {
                const struct policy_runtime *runtime = &in->runtimes[i];
                struct change c = {.change = word,
                                   .what = runtime->required ? "required runtime" : "optional runtime",
                                   .runtime = runtime->name,
                                   .line = runtime->line};

                if (!runtime_named(other, runtime->name))
                        r |= add(changes, &c);
        }
        return r;
}

static int diff_required(json_t *changes, const struct policy *old, const struct policy *new)
{
        int r = 0;

        for (size_t i = 0; i < new->n_runtimes; i++) {
                const struct policy_runtime *was = runtime_named(old, new->runtimes[i].name);

                if (was)
                        r |= add_if_differs(changes, "runtime", was->name,
                                            was->required ? "required" : "optional",
                                            new->runtimes[i].required ? "required" : "optional");
        }
        return r;
}

/* The entry of OTHER that allows D in the same place, or NULL. */
static const struct policy_digest *same_place(const struct policy *in, const struct policy_digest *d,
                                              const struct policy *other)
{
        const struct policy_runtime *runtime = policy_runtime_of(in, d), *there;
        const struct policy_digest *e = NULL;

        if (in->digest_size != other->digest_size)
                return NULL;
        while ((e = policy_find(other, d->bytes, e))) {
                there = policy_runtime_of(other, e);
                if (!runtime && !there)
                        return e;
                if (runtime && there && str_equal(runtime->name, there->name) &&
                    str_equal(in->files[d->file].path, other->files[e->file].path))
                        return e;
        }
        return NULL;
}

static int add_digest(json_t *changes, const struct policy *p, const struct policy_digest *d,
                      const char *word, const char *what)
{
        const struct policy_runtime *runtime = policy_runtime_of(p, d);
        char hex[2 * DIGEST_BYTES_MAX + 1];
        struct change c = {.change = word, .what = what, .comment = d->comment, .line = d->line};

        c.value = hex_write(hex, VIEW(d->bytes, p->digest_size));
        c.runtime = runtime ? runtime->name : NULL;
        c.file = runtime ? p->files[d->file].path : NULL;
        return add(changes, &c);
}

/* Digests of IN that OTHER does not allow in the same place. */
static int diff_digests(json_t *changes, const struct policy *in, const struct policy *other,
                        const char *word)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < in->n_digests; i++) {
                const struct policy_digest *d = &in->digests[i];

                if (!same_place(in, d, other))
                        r = add_digest(changes, in, d, word, d->file == POLICY_NO_FILE ? "record" : "digest");
        }
        return r;
}

static int diff_until(json_t *changes, const struct policy *old, const struct policy *new)
{
        char was_text[CLOCK_TEXT_BYTES], is_text[CLOCK_TEXT_BYTES], hex[2 * DIGEST_BYTES_MAX + 1];
        int r = 0;

        for (size_t i = 0; r == 0 && i < new->n_digests; i++) {
                const struct policy_digest *is = &new->digests[i], *was = same_place(new, is, old);
                const struct policy_runtime *runtime = policy_runtime_of(new, is);
                struct change c = {.change = "changed", .what = "end of digest", .line = is->line};

                if (!was || was->until_ms == is->until_ms)
                        continue;
                c.runtime = runtime ? runtime->name : NULL;
                c.file = hex_write(hex, VIEW(is->bytes, new->digest_size));
                c.was = was->until_ms == POLICY_NEVER ? "never" : clock_format(was->until_ms, was_text);
                c.value = is->until_ms == POLICY_NEVER ? "never" : clock_format(is->until_ms, is_text);
                r = add(changes, &c);
        }
        return r;
}

static bool has_string(const struct policy *p, const char *string)
{
        for (size_t i = 0; i < p->n_records; i++)
                if (p->records[i].string && str_equal(p->records[i].string, string))
                        return true;
        return false;
}

static int diff_strings(json_t *changes, const struct policy *in, const struct policy *other,
                        const char *word)
{
        int r = 0;

        for (size_t i = 0; i < in->n_records; i++) {
                struct change c = {.change = word,
                                   .what = "record",
                                   .value = in->records[i].string,
                                   .comment = in->records[i].comment,
                                   .line = in->records[i].line};

                if (c.value && !has_string(other, c.value))
                        r |= add(changes, &c);
        }
        return r;
}

static int diff_denied(json_t *changes, const struct policy *in, const struct policy *other, const char *word)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < in->n_denied; i++)
                if (in->digest_size != other->digest_size || !policy_find_denied(other, in->denied[i].bytes))
                        r = add_digest(changes, in, &in->denied[i], word, "denied digest");
        return r;
}

static bool has_value(const struct policy_pcr *pcr, const struct digest *value)
{
        for (size_t i = 0; i < pcr->n; i++)
                if (digest_equal(&pcr->values[i], value))
                        return true;
        return false;
}

static int diff_pcrs(json_t *changes, const struct policy *in, const struct policy *other, const char *word)
{
        char name[16], hex[2 * DIGEST_BYTES_MAX + 1];
        int r = 0;

        for (unsigned i = 0; i < POLICY_PCRS; i++)
                for (size_t k = 0; k < in->pcrs[i].n; k++) {
                        struct change c = {.change = word, .what = name, .line = in->pcrs[i].lines[k]};

                        if (has_value(&other->pcrs[i], &in->pcrs[i].values[k]))
                                continue;
                        (void)snprintf(name, sizeof(name), "value of PCR %u", i); /* it fits */
                        c.value = hex_write(hex, digest_view(&in->pcrs[i].values[k]));
                        r |= add(changes, &c);
                }
        return r;
}

json_t *policy_diff(const struct policy *old, const struct policy *new)
{
        static const struct {
                int (*diff)(json_t *changes, const struct policy *in, const struct policy *other,
                            const char *word);
        } parts[] = {{diff_runtimes}, {diff_digests}, {diff_strings}, {diff_denied}, {diff_pcrs}};
        AUTO(json_free_p) json_t *changes = json_array();
        int r = changes ? 0 : -1;

        if (r == 0)
                r = diff_head(changes, old, new);
        if (r == 0)
                r = diff_required(changes, old, new);
        for (size_t i = 0; r == 0 && i < ARRAY_LEN(parts); i++) {
                r = parts[i].diff(changes, old, new, "removed");
                if (r == 0)
                        r = parts[i].diff(changes, new, old, "added");
        }
        if (r == 0)
                r = diff_until(changes, old, new);
        if (r == 0)
                r = policy_diff_files(changes, old, new);
        if (r == 0)
                r = policy_diff_rules(changes, old, new);
        return r < 0 ? NULL : TAKE(changes);
}

static const char *member(const json_t *j, const char *name)
{
        return json_string_value(json_object_get(j, name));
}

/* ---- for people ---- */

#define PATHS_SHOWN 5u /* of a package's changed files */
#define FOLDER_FROM 8u /* so many files of one folder are one line */

static char sign_of(const json_t *c)
{
        const char *change = member(c, "change");

        return *change == 'a' ? '+' : *change == 'r' ? '-' : '~';
}

/* "3 files changed, 1 added" and the first few. */
static void put_files(struct buf *out, const json_t *files)
{
        static const char *const words[] = {"changed", "added", "removed"};
        size_t n = 0, shown = 0;

        for (size_t i = 0; i < ARRAY_LEN(words); i++) {
                size_t k = json_array_size(json_object_get(files, words[i]));

                if (k)
                        buf_fmt(out, "%s%zu file%s %s", n ? ", " : " (", k, k == 1 ? "" : "s", words[i]);
                n += k;
        }
        buf_str(out, n ? ")\n" : " (the same files)\n");
        for (size_t i = 0; i < ARRAY_LEN(words); i++) {
                const json_t *list = json_object_get(files, words[i]);

                for (size_t k = 0; k < json_array_size(list) && shown < PATHS_SHOWN; k++, shown++) {
                        buf_fmt(out, "    %c ", "~+-"[i]);
                        buf_escaped(out, view_str(json_string_value(json_array_get(list, k))));
                        buf_str(out, "\n");
                }
        }
        if (n > shown)
                buf_fmt(out, "    and %zu more\n", n - shown);
}

static void put_package(struct buf *out, const json_t *c)
{
        const char *was = member(c, "was"), *value = member(c, "value"), *until = member(c, "until");
        const json_t *files = json_object_get(c, "files");

        buf_fmt(out, "%c %s %s", sign_of(c), member(c, "what"), member(c, "package"));
        if (member(c, "version"))
                buf_fmt(out, " %s", member(c, "version"));
        buf_fmt(out, "%s%s%s%s", was ? ": " : " ", was ? was : "", was ? " -> " : "", value);
        if (files) {
                put_files(out, files);
                return;
        }
        if (json_object_get(c, "n_files"))
                buf_fmt(out, " (%lld files)", (long long)json_integer_value(json_object_get(c, "n_files")));
        if (until)
                buf_fmt(out, " until %s", until);
        buf_str(out, "\n");
}

/* The length of the folder of a file that stands alone; 0: it is none. */
static size_t folder_of(const json_t *c)
{
        const char *file = member(c, "file"), *slash = file ? strrchr(file, '/') : NULL;

        return slash && str_equal(member(c, "what"), "file") ? (size_t)(slash - file) + 1 : 0;
}

/* How many changes, from the I-th on, are of one kind, about files of one folder. */
static size_t same_folder(const json_t *changes, size_t i)
{
        const json_t *first = json_array_get(changes, i);
        size_t n = folder_of(first), k = i;

        while (n && k < json_array_size(changes)) {
                const json_t *c = json_array_get(changes, k);

                if (folder_of(c) != n || strncmp(member(c, "file"), member(first, "file"), n) != 0 ||
                    sign_of(c) != sign_of(first) || !str_equal(member(c, "layer"), member(first, "layer")))
                        break;
                k++;
        }
        return k - i;
}

static void put_change(struct buf *out, const json_t *c)
{
        const char *runtime = member(c, "runtime"), *file = member(c, "file"), *layer = member(c, "layer");
        const char *value = member(c, "value"), *was = member(c, "was"), *comment = member(c, "comment");

        buf_fmt(out, "%c %s", sign_of(c), member(c, "what"));
        if (layer)
                buf_fmt(out, " (%s)", layer);
        if (runtime)
                buf_fmt(out, " %s", runtime);
        if (file) {
                buf_str(out, " ");
                buf_escaped(out, view_str(file));
        }
        if (was)
                buf_fmt(out, ": %s -> %s", was, value ? value : "");
        else if (value) {
                buf_str(out, ": ");
                buf_escaped(out, view_str(value));
        }
        if (comment) {
                buf_str(out, "  # ");
                buf_escaped(out, view_str(comment));
        }
        buf_str(out, "\n");
}

void policy_diff_render(const json_t *changes, struct buf *out)
{
        for (size_t i = 0; i < json_array_size(changes); i++) {
                const json_t *c = json_array_get(changes, i);
                size_t n = same_folder(changes, i);

                if (member(c, "package")) {
                        put_package(out, c);
                } else if (n >= FOLDER_FROM) {
                        buf_fmt(out, "%c %zu files in ", sign_of(c), n);
                        buf_escaped(out, VIEW(member(c, "file"), folder_of(c)));
                        buf_str(out, "\n");
                        i += n - 1;
                } else {
                        put_change(out, c);
                }
        }
}
