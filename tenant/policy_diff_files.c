/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which packages and files a policy allows, compared. People think in packages: "openssl 3.0.15-1
 * -> 3.0.17-1, 3 files changed" is one change; its digests are nobody's reading. A file that is in a package
 * here and stands alone there, with the same digest, is no change: hosts do not feel it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/policy_ima.h"
#include "tenant/policy_diff_part.h"

/* One digest that is allowed somewhere. */
struct row {
        struct allow_entry entry;
        const struct policy_package *package; /* NULL: stands alone */
        const struct policy_part *part;
};

struct side {
        struct row *rows; /* those of a package together, by path; those that stand alone first */
        size_t n;
        const struct policy_package **packages; /* by name, architecture, version */
        size_t n_packages;
};

static void side_done(struct side *s)
{
        free(s->rows);
        free(s->packages);
}

static int compare_views(struct view a, struct view b)
{
        size_t n = a.len < b.len ? a.len : b.len;

        for (size_t i = 0; i < n; i++)
                if (a.p[i] != b.p[i])
                        return a.p[i] < b.p[i] ? -1 : 1;
        return (a.len > b.len) - (a.len < b.len);
}

static int compare_rows(const void *a, const void *b)
{
        const struct row *x = a, *y = b;
        uintptr_t p = (uintptr_t)x->package, q = (uintptr_t)y->package;
        int r = (p > q) - (p < q);

        if (r == 0)
                r = compare_views(x->entry.path, y->entry.path);
        return r ? r : compare_views(x->entry.digest, y->entry.digest);
}

static int compare_packages(const void *a, const void *b)
{
        const struct policy_package *x = *(const struct policy_package *const *)a,
                                    *y = *(const struct policy_package *const *)b;
        int r = strcmp(x->name, y->name);

        if (r == 0)
                r = strcmp(x->arch, y->arch);
        return r ? r : strcmp(x->version, y->version);
}

static int collect(const struct policy *p, struct side *ret)
{
        size_t max = 0, packages = 0;

        for (size_t i = 0; i < p->n_parts; i++)
                if (p->parts[i].ima) {
                        max += allow_count(p->parts[i].ima->files);
                        packages += p->parts[i].ima->n_packages;
                }
        ret->rows = mem_zalloc(max + 1, sizeof(*ret->rows));
        ret->packages = mem_zalloc(packages + 1, sizeof(struct policy_package *));
        if (!ret->rows || !ret->packages)
                return -1;
        for (size_t i = 0; i < p->n_parts; i++) {
                const struct policy_ima *ima = p->parts[i].ima;
                struct allow_pos pos = {0};

                for (size_t k = 0; ima && k < ima->n_packages; k++)
                        ret->packages[ret->n_packages++] = &ima->packages[k];
                while (ima && ret->n < max && allow_next(ima->files, &pos, &ret->rows[ret->n].entry)) {
                        struct row *row = &ret->rows[ret->n++];

                        row->package = policy_ima_package(ima, &row->entry);
                        row->part = &p->parts[i];
                }
        }
        qsort(ret->rows, ret->n, sizeof(*ret->rows), compare_rows);
        qsort(ret->packages, ret->n_packages, sizeof(struct policy_package *), compare_packages);
        return 0;
}

/* The rows of a package (NULL: those that stand alone). */
static const struct row *rows_of(const struct side *s, const struct policy_package *p, size_t *ret_n)
{
        size_t low = 0, high = s->n, first;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if ((uintptr_t)s->rows[middle].package < (uintptr_t)p)
                        low = middle + 1;
                else
                        high = middle;
        }
        for (first = low; low < s->n && s->rows[low].package == p; low++)
                ;
        *ret_n = low - first;
        return s->rows + first;
}

/* How many rows, from the first on, have its path. */
static size_t same_path(const struct row *rows, size_t n)
{
        size_t i = n ? 1 : 0;

        while (i < n && view_equal(rows[i].entry.path, rows[0].entry.path))
                i++;
        return i;
}

static bool same_digests(const struct row *a, size_t n_a, const struct row *b, size_t n_b, bool ends)
{
        if (n_a != n_b)
                return false;
        for (size_t i = 0; i < n_a; i++)
                if (!view_equal(a[i].entry.digest, b[i].entry.digest) ||
                    (ends && a[i].entry.until_ms != b[i].entry.until_ms))
                        return false;
        return true;
}

static json_t *text_of(struct view v)
{
        AUTO(mem_free_p) char *text = NULL;
        struct buf b = {0};

        if (str_valid_utf8(v))
                return json_stringn((const char *)v.p, v.len);
        buf_escaped(&b, v);
        text = buf_take_str(&b);
        return text ? json_string(text) : NULL;
}

/* ---- two lists of one kind, path by path ---- */

/* WAS or IS may have no rows. */
typedef int differs(void *ctx, const struct row *was, size_t n_was, const struct row *is, size_t n_is);

static int walk(const struct row *was, size_t n_was, const struct row *is, size_t n_is, bool ends,
                differs *fn, void *ctx)
{
        int r = 0;

        while (r == 0 && (n_was || n_is)) {
                int order = !n_was ? 1 : !n_is ? -1 : compare_views(was->entry.path, is->entry.path);
                size_t a = order <= 0 ? same_path(was, n_was) : 0, b = order >= 0 ? same_path(is, n_is) : 0;

                if (!same_digests(was, a, is, b, ends))
                        r = fn(ctx, was, a, is, b);
                was += a;
                n_was -= a;
                is += b;
                n_is -= b;
        }
        return r;
}

/* ---- packages ---- */

struct changed_files {
        json_t *added, *changed, *removed;
};

static int note_file(void *ctx, const struct row *was, size_t n_was, const struct row *is, size_t n_is)
{
        struct changed_files *c = ctx;
        json_t *list = !n_was ? c->added : !n_is ? c->removed : c->changed;

        return json_array_append_new(list, text_of(n_was ? was->entry.path : is->entry.path));
}

static const char *until_text(int64_t until_ms, char text[CLOCK_TEXT_BYTES])
{
        return until_ms == POLICY_NEVER ? "never" : clock_format(until_ms, text);
}

/* A change, begun. PACKAGE: "NAME" or "NAME ARCH". */
static json_t *begin(json_t *changes, const char *word, const char *what, const struct policy_package *p)
{
        AUTO(mem_free_p) char *name = str_fmt("%s%s%s", p->name, p->arch[0] ? " " : "", p->arch);
        json_t *j = json_object();

        if (json_array_append_new(changes, j) < 0 || !name || json_set_str(j, "change", word) < 0 ||
            json_set_str(j, "what", what) < 0 || json_set_str(j, "package", name) < 0 ||
            json_set_int(j, "line", p->line) < 0)
                return NULL;
        return j;
}

/* From one version to another, or the same with other files. */
static int diff_version(json_t *changes, const struct side *old, const struct policy_package *was,
                        const struct side *new, const struct policy_package *is)
{
        struct changed_files c = {json_array(), json_array(), json_array()};
        AUTO(json_free_p)
        json_t *files =
                json_pack("{s:o, s:o, s:o}", "added", c.added, "changed", c.changed, "removed", c.removed);
        const struct row *a, *b;
        size_t n_a, n_b;
        json_t *j;

        if (!files)
                return -1;
        a = rows_of(old, was, &n_a);
        b = rows_of(new, is, &n_b);
        if (walk(a, n_a, b, n_b, false, note_file, &c) < 0)
                return -1;
        if (str_equal(was->version, is->version) &&
            json_array_size(c.added) + json_array_size(c.changed) + json_array_size(c.removed) == 0)
                return 0;
        j = begin(changes, "changed", "package", is);
        if (!j || json_set_str(j, "value", is->version) < 0 || json_object_set(j, "files", files) < 0)
                return -1;
        return str_equal(was->version, is->version) ? 0 : json_set_str(j, "was", was->version);
}

static int diff_end(json_t *changes, const struct policy_package *was, const struct policy_package *is)
{
        char a[CLOCK_TEXT_BYTES], b[CLOCK_TEXT_BYTES];
        json_t *j;

        if (was->until_ms == is->until_ms)
                return 0;
        j = begin(changes, "changed", "end of package", is);
        return !j || json_set_str(j, "version", is->version) < 0 ||
                               json_set_str(j, "was", until_text(was->until_ms, a)) < 0 ||
                               json_set_str(j, "value", until_text(is->until_ms, b)) < 0
                       ? -1
                       : 0;
}

static int whole(json_t *changes, const char *word, const struct policy_package *p)
{
        char text[CLOCK_TEXT_BYTES];
        json_t *j = begin(changes, word, "package", p);

        if (!j || json_set_str(j, "value", p->version) < 0 || json_set_int(j, "n_files", p->n_files) < 0)
                return -1;
        if (p->comment && p->comment[0] && json_set_str(j, "comment", p->comment) < 0)
                return -1;
        return p->until_ms == POLICY_NEVER ? 0 : json_set_str(j, "until", clock_format(p->until_ms, text));
}

/* How many packages, from the first on, have its name and architecture. */
static size_t same_name(const struct policy_package **p, size_t n)
{
        size_t i = n ? 1 : 0;

        while (i < n && str_equal(p[i]->name, p[0]->name) && str_equal(p[i]->arch, p[0]->arch))
                i++;
        return i;
}

/* The versions of one package. */
static int diff_versions(json_t *changes, const struct side *old, const struct policy_package **was,
                         size_t n_was, const struct side *new, const struct policy_package **is, size_t n_is)
{
        size_t i = 0, k = 0;
        int r = 0;

        if (n_was == 1 && n_is == 1)
                return diff_version(changes, old, was[0], new, is[0]) | diff_end(changes, was[0], is[0]);
        while (r == 0 && (i < n_was || k < n_is)) {
                int order = i == n_was ? 1 : k == n_is ? -1 : strcmp(was[i]->version, is[k]->version);

                if (order == 0)
                        r = diff_version(changes, old, was[i], new, is[k]) | diff_end(changes, was[i], is[k]);
                else
                        r = order < 0 ? whole(changes, "removed", was[i]) : whole(changes, "added", is[k]);
                i += order <= 0;
                k += order >= 0;
        }
        return r;
}

static int compare_names(const struct policy_package *a, const struct policy_package *b)
{
        int r = strcmp(a->name, b->name);

        return r ? r : strcmp(a->arch, b->arch);
}

static int diff_packages(json_t *changes, const struct side *old, const struct side *new)
{
        size_t i = 0, k = 0;
        int r = 0;

        while (r == 0 && (i < old->n_packages || k < new->n_packages)) {
                int order = i == old->n_packages   ? 1
                            : k == new->n_packages ? -1
                                                   : compare_names(old->packages[i], new->packages[k]);
                size_t a = order <= 0 ? same_name(old->packages + i, old->n_packages - i) : 0;
                size_t b = order >= 0 ? same_name(new->packages + k, new->n_packages - k) : 0;

                r = diff_versions(changes, old, old->packages + i, a, new, new->packages + k, b);
                i += a;
                k += b;
        }
        return r;
}

/* ---- files that stand alone ---- */

struct loose {
        json_t *changes;
        const struct policy *old, *new;
};

/* Does P allow the same, in any package? */
static bool allows(const struct policy *p, const struct row *row)
{
        const struct allow_entry *e = &row->entry;

        for (size_t i = 0; i < p->n_parts; i++) {
                const struct policy_ima *ima = p->parts[i].ima;

                if (!ima || !p->parts[i].hosts != !row->part->hosts)
                        continue;
                if (allow_find(ima->files, e->alg, e->digest, e->path, INT64_MIN, NULL) == ALLOW_ALLOWED)
                        return true;
        }
        return false;
}

static char *digests_text(const struct row *rows, size_t n)
{
        struct buf b = {0};

        for (size_t i = 0; i < n; i++) {
                char hex[2 * DIGEST_BYTES_MAX + 1], text[CLOCK_TEXT_BYTES];

                buf_fmt(&b, "%s%s", i ? ", " : "", hex_write(hex, rows[i].entry.digest));
                if (rows[i].entry.until_ms != ALLOW_NEVER)
                        buf_fmt(&b, " until %s", clock_format(rows[i].entry.until_ms, text));
        }
        return buf_take_str(&b);
}

static int note_loose(void *ctx, const struct row *was, size_t n_was, const struct row *is, size_t n_is)
{
        struct loose *l = ctx;
        const struct row *any = n_is ? is : was;
        AUTO(mem_free_p) char *before = digests_text(was, n_was);
        AUTO(mem_free_p) char *after = digests_text(is, n_is);
        bool same = n_was == 0 || n_is == 0;
        json_t *j;

        for (size_t i = 0; i < n_was; i++)
                same = same && allows(l->new, &was[i]);
        for (size_t i = 0; i < n_is; i++)
                same = same && allows(l->old, &is[i]);
        if (same)
                return 0;
        j = json_object();
        if (!before || !after || json_array_append_new(l->changes, j) < 0 ||
            json_set_str(j, "change",
                         !n_was  ? "added"
                         : !n_is ? "removed"
                                 : "changed") < 0 ||
            json_set_str(j, "what", any->entry.path.len ? "file" : "file at any path") < 0 ||
            json_set_str(j, "value", n_is ? after : before) < 0 ||
            json_set_int(j, "line", any->entry.line) < 0)
                return -1;
        if (any->entry.path.len && json_object_set_new(j, "file", text_of(any->entry.path)) < 0)
                return -1;
        if (any->part->hosts && json_set_str(j, "layer", any->part->name) < 0)
                return -1;
        if (any->entry.label[0] && json_set_str(j, "comment", any->entry.label) < 0)
                return -1;
        return n_was && n_is ? json_set_str(j, "was", before) : 0;
}

int policy_diff_files(json_t *changes, const struct policy *old, const struct policy *new)
{
        AUTO(side_done) struct side was = {.n = 0};
        AUTO(side_done) struct side is = {.n = 0};
        struct loose loose = {changes, old, new};
        const struct row *a, *b;
        size_t n_a, n_b;

        if (collect(old, &was) < 0 || collect(new, &is) < 0 || diff_packages(changes, &was, &is) < 0)
                return -1;
        a = rows_of(&was, NULL, &n_a);
        b = rows_of(&is, NULL, &n_b);
        return walk(a, n_a, b, n_b, true, note_loose, &loose);
}
