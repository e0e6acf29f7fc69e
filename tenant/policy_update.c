/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avow policy update: a package's new version into a policy, and an end for the one that it replaces. The
 * text is edited line by line, where the compiled policy says that a package stands, so that everything else
 * in it, and every comment, stays as its author wrote it; then it is read back, and has to allow what was
 * added.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "policy/policy_ima.h"
#include "policy/signed.h"
#include "tenant/commands.h"
#include "tenant/deb_control.h"
#include "tenant/ima_draft.h"
#include "tenant/output.h"
#include "tenant/policy_remote.h"
#include "tenant/sources.h"

#define OVERLAP_MS (24 * 3600 * INT64_C(1000))

struct update_options {
        struct option_list package;
        const char *until, *root, *files, *out;
        bool split_usr;
};

static const struct option_row update_rows[] = {
        {"package", "NAME|FILE.deb", "a package installed here, or one as a file; may be repeated",
         OPTION_LIST, offsetof(struct update_options, package)},
        {"until", "TIME|24h", "when what it replaces ends (default: in 24h)", OPTION_TEXT,
         offsetof(struct update_options, until)},
        {"root", "DIR", "for NAMEs: the system that has them installed (default: /)", OPTION_TEXT,
         offsetof(struct update_options, root)},
        {"files", "executed|all", "which files (default: executed, mapped or loaded ones)", OPTION_TEXT,
         offsetof(struct update_options, files)},
        {"split-usr", NULL, "for FILEs: /bin and /lib are no links into /usr", OPTION_FLAG,
         offsetof(struct update_options, split_usr)},
        {"out", "FILE", "where to (default: POLICY itself; one of the verifier's: standard output)",
         OPTION_TEXT, offsetof(struct update_options, out)},
        {0},
};

/* Lines to put behind one of the text's; line 0: before the first. */
struct edit {
        uint32_t line;
        struct buf text;
};

struct update {
        int64_t now_ms;
        char until[CLOCK_TEXT_BYTES];
        struct buf file; /* as it was given: its text, or an envelope around it */
        struct dsse envelope;
        struct view text;
        struct policy *policy;
        const struct policy_ima *ima; /* of its own layer */
        struct catalogue files;
        struct edit *edits;
        size_t n_edits;
        json_t *report; /* array */
};

static void update_done(struct update *u)
{
        for (size_t i = 0; i < u->n_edits; i++)
                buf_free(&u->edits[i].text);
        free(u->edits);
        catalogue_done(&u->files);
        policy_unref(u->policy);
        dsse_done(&u->envelope);
        buf_free(&u->file);
        json_decref(u->report);
}

/* --- what goes in --- */

static int read_until(struct update *u, const char *word, struct err *err)
{
        struct err ignored = ERR_INIT;
        int64_t ms = OVERLAP_MS;

        if (!word || clock_parse_duration(view_str(word), &ms, &ignored) == 0)
                ms += u->now_ms;
        else if (clock_parse(view_str(word), &ms, err) < 0)
                return err_set(err, ERR_CONFIG, 0,
                               "--until: found %s, expected a time (2026-12-01T00:00:00Z) or how long "
                               "from now (24h)",
                               SHOW(word));
        (void)clock_format(ms / 1000 * 1000, u->until);
        return 0;
}

static bool is_file(const char *package)
{
        return strchr(package, '/') || str_ends(package, ".deb") || str_ends(package, ".rpm");
}

static int gather(struct update *u, const struct update_options *o, struct err *err)
{
        struct source s = {.catalogue = &u->files, .split_usr = o->split_usr};
        AUTO(strv_done) struct strv names = {0};
        int r = 0;

        for (size_t i = 0; r == 0 && i < o->package.n; i++)
                if (is_file(o->package.v[i]))
                        r = str_ends(o->package.v[i], ".rpm") ? source_rpm(&s, o->package.v[i], err)
                                                              : source_deb(&s, o->package.v[i], err);
                else if (strv_add(&names, o->package.v[i]) < 0)
                        r = err_nomem(err);
        if (r == 0 && names.n)
                r = source_dpkg(&s, o->root ? o->root : "/", &names, err);
        if (r == 0)
                r = catalogue_sort(&u->files, err);
        if (r == 0 && u->files.n == 0)
                return err_set(err, ERR_CONFIG, 0,
                               "there is nothing in these packages that the kernel would measure");
        return r;
}

static int read_policy(struct update *u, const struct session *s, const char *name, struct err *err)
{
        int r = policy_bytes_file_or_remote(s, name, &u->file, err);

        if (r == 0)
                r = policy_unwrap(VIEW_BUF(&u->file), &u->envelope, &u->text, err);
        if (r == 0)
                r = policy_parse(u->text, name, &u->policy, err);
        for (size_t i = 0; r == 0 && i < u->policy->n_parts && !u->ima; i++)
                if (!u->policy->parts[i].hosts && str_equal(u->policy->parts[i].name, u->policy->name))
                        u->ima = u->policy->parts[i].ima;
        if (r == 0 && !u->ima)
                return err_set(err, ERR_CONFIG, 0,
                               "%s has no 'ima:' of its own to put packages in; 'avow policy make "
                               "--from-dpkg /' makes "
                               "one",
                               name);
        return r;
}

/* --- edits --- */

static struct buf *edit_behind(struct update *u, uint32_t line)
{
        struct edit *grown = mem_resize(u->edits, u->n_edits + 1, sizeof(*grown));

        if (!grown)
                return NULL;
        u->edits = grown;
        grown[u->n_edits] = (struct edit){.line = line};
        return &grown[u->n_edits++].text;
}

/* Line NUMBER of the text, from 1, without its end. */
static struct view line_of(const struct update *u, uint32_t number)
{
        struct cursor c = cursor_of(u->text);
        struct view line = VIEW_NONE;

        for (uint32_t i = 0; i < number && deb_line(&c, &line); i++)
                ;
        return line;
}

static size_t indent_of(struct view line)
{
        size_t n = 0;

        while (n < line.len && line.p[n] == ' ')
                n++;
        return n;
}

static void put_blanks(struct buf *out, size_t n)
{
        while (n--)
                buf_str(out, " ");
}

/* Puts TEXT, whose lines are indented by FROM at least, with TO instead. */
static void put_moved(struct buf *out, struct view text, size_t from, size_t to)
{
        struct cursor c = cursor_of(text);
        struct view line;

        while (deb_line(&c, &line)) {
                put_blanks(out, to);
                buf_put(out, line.p + from, line.len - from);
                buf_str(out, "\n");
        }
}

#define DRAFT_INDENT 4 /* of ima_draft_write_package() */

/* A new item, behind line LINE, its dash in column INDENT. */
static int insert_package(struct update *u, const struct catalogue_package *p, uint32_t line, size_t indent,
                          const char *head, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        struct buf *out = edit_behind(u, line);

        if (!out)
                return err_nomem(err);
        ima_draft_write_package(p, false, &text);
        buf_str(out, head);
        put_moved(out, VIEW_BUF(&text), DRAFT_INDENT, indent);
        return buf_ok(&text) && buf_ok(out) ? 0 : err_nomem(err);
}

/* Where the item of K begins: "  - name: x", written as a block. Return: its dash's column; < 0. */
static int item_indent(const struct update *u, const struct policy_package *k, size_t *ret, struct err *err)
{
        struct view line = line_of(u, k->line);
        size_t n = indent_of(line);

        if (n + 2 > line.len || line.p[n] != '-' || line.p[n + 1] != ' ')
                return err_set(
                        err, ERR_CONFIG, 0,
                        "%s:%u: package '%s' has to begin on a line of its own ('- name: %s') to be edited",
                        u->policy->source, k->line, k->name, k->name);
        *ret = n;
        return 0;
}

static int end_package(struct update *u, const struct policy_package *k, struct err *err)
{
        struct buf *out;
        size_t indent;
        int r = item_indent(u, k, &indent, err);

        if (r < 0)
                return r;
        out = edit_behind(u, k->line);
        if (!out)
                return err_nomem(err);
        put_blanks(out, indent + 2 +
                                indent_of(VIEW(line_of(u, k->line).p + indent + 2,
                                               line_of(u, k->line).len - indent - 2)));
        buf_fmt(out, "until: %s\n", u->until);
        return buf_ok(out) ? 0 : err_nomem(err);
}

/* --- one package --- */

static bool is_same(const struct policy_package *k, const struct catalogue_package *p)
{
        return str_equal(k->name, p->name) && (str_equal(k->arch, p->arch) || !*k->arch || !*p->arch);
}

/* Is the file in K already? */
static bool has_file(const struct update *u, const struct policy_package *k, const struct catalogue_file *f)
{
        size_t pos = 0;
        struct allow_entry e;
        AUTO(mem_free_p) char *path = str_dup(f->path);

        for (char *at = path; at && *at; at++) /* as the kernel, and so the policy, has them */
                if (*at == ' ')
                        *at = '_';
        while (path && allow_next_of(u->ima->files, view_str(path), &pos, &e))
                if (view_equal(e.digest, digest_view(&f->digest)) && policy_ima_package(u->ima, &e) == k)
                        return true;
        return false;
}

/* The version that the policy has already: what it lacks of it. */
static int complete_package(struct update *u, const struct policy_package *k,
                            const struct catalogue_package *p, size_t *ret_n, struct err *err)
{
        struct catalogue_package lacking = *p;
        AUTO(buf_free) struct buf text = {0};
        const uint8_t *files;
        struct buf *out;

        if (k->until_ms <= u->now_ms)
                return err_set(err, ERR_CONFIG, 0, "%s:%u: %s %s has ended there; take its 'until' out first",
                               u->policy->source, k->line, k->name, k->version);
        lacking.files = mem_zalloc(p->n + 1, sizeof(*lacking.files));
        lacking.n = 0;
        if (!lacking.files)
                return err_nomem(err);
        for (size_t i = 0; i < p->n; i++)
                if (!has_file(u, k, &p->files[i]))
                        lacking.files[lacking.n++] = p->files[i];
        *ret_n = lacking.n;
        ima_draft_write_package(&lacking, false, &text);
        free(lacking.files);
        out = lacking.n ? edit_behind(u, k->last_line) : NULL;
        if (!buf_ok(&text) || (lacking.n && !out))
                return err_nomem(err);
        if (lacking.n == 0)
                return 0;
        files = memmem(text.p, text.len, "files: |\n", 9);
        files += 9;
        put_moved(out, VIEW(files, text.len - (size_t)(files - text.p)), 2 * DRAFT_INDENT,
                  indent_of(line_of(u, k->last_line)));
        return buf_ok(out) ? 0 : err_nomem(err);
}

/* The line of "ima:" at the top, to begin `packages` there. Return: 0 if there is none. */
static uint32_t ima_line(const struct update *u)
{
        struct cursor c = cursor_of(u->text);
        struct view line;

        for (uint32_t n = 1; deb_line(&c, &line); n++)
                if (line.len >= 4 && view_equal(VIEW(line.p, 4), view_str("ima:")))
                        return line.len == 4 || line.p[4] == ' ' || line.p[4] == '\r' ? n : 0;
        return 0;
}

static int add_package(struct update *u, const struct catalogue_package *p,
                       const struct policy_package *behind, bool *begun, struct err *err)
{
        size_t indent;
        uint32_t line;
        int r;

        if (behind) {
                r = item_indent(u, behind, &indent, err);
                return r < 0 ? r : insert_package(u, p, behind->last_line, indent, "", err);
        }
        line = ima_line(u);
        if (!line || (line_of(u, line).len > 4 && memchr(line_of(u, line).p, '{', line_of(u, line).len)))
                return err_set(err, ERR_CONFIG, 0,
                               "%s: 'ima:' has to stand at the beginning of a line to be edited",
                               u->policy->source);
        r = insert_package(u, p, line, DRAFT_INDENT, *begun ? "" : "  packages:\n", err);
        *begun = true;
        return r;
}

static int report(struct update *u, const struct catalogue_package *p, size_t n_added, json_t *ended,
                  struct err *err)
{
        AUTO(json_free_p) json_t *j = json_object();

        if (!j || json_set_str(j, "name", p->name) < 0 || json_set_str(j, "version", p->version) < 0 ||
            json_set_str(j, "arch", p->arch) < 0 || json_set_int(j, "files", (json_int_t)p->n) < 0 ||
            json_set_int(j, "added", (json_int_t)n_added) < 0 ||
            json_set_str(j, "until", json_array_size(ended) ? u->until : NULL) < 0 ||
            json_object_set(j, "replaces", ended) < 0 || json_array_append(u->report, j) < 0)
                return err_nomem(err);
        return 0;
}

static int take_package(struct update *u, const struct catalogue_package *p, bool *begun, struct err *err)
{
        const struct policy_package *same = NULL, *behind = NULL;
        AUTO(json_free_p) json_t *ended = json_array();
        size_t n_added = p->n;
        int r = 0;

        for (size_t i = 0; i < u->ima->n_packages; i++) {
                const struct policy_package *k = &u->ima->packages[i];

                if (is_same(k, p) && str_equal(k->version, p->version))
                        same = k;
                if (is_same(k, p) || !behind || !is_same(behind, p))
                        behind = k;
        }
        for (size_t i = 0; r == 0 && i < u->ima->n_packages; i++) {
                const struct policy_package *k = &u->ima->packages[i];

                if (k == same || !is_same(k, p) || k->until_ms != POLICY_NEVER)
                        continue;
                r = end_package(u, k, err);
                if (r == 0 && json_array_append_new(ended, json_string(k->version)) < 0)
                        r = err_nomem(err);
        }
        if (r == 0)
                r = same ? complete_package(u, same, p, &n_added, err)
                         : add_package(u, p, behind, begun, err);
        return r < 0 ? r : report(u, p, n_added, ended, err);
}

/* --- the new text --- */

static int by_line(const void *a, const void *b)
{
        const struct edit *x = a, *y = b;

        return x->line < y->line ? -1 : x->line > y->line;
}

static void apply(struct update *u, struct buf *out)
{
        struct cursor c = cursor_of(u->text);
        struct view line;
        uint32_t n = 0;
        size_t at = 0;

        /* stable, for edits behind one line: they are few */
        for (size_t i = 1; i < u->n_edits; i++)
                for (size_t k = i; k > 0 && by_line(&u->edits[k - 1], &u->edits[k]) > 0; k--) {
                        struct edit moved = u->edits[k];

                        u->edits[k] = u->edits[k - 1];
                        u->edits[k - 1] = moved;
                }
        while (deb_line(&c, &line)) {
                buf_put_view(out, line);
                buf_str(out, "\n");
                for (n++; at < u->n_edits && u->edits[at].line == n; at++)
                        buf_put_view(out, VIEW_BUF(&u->edits[at].text));
        }
}

/* Whatever happened to the lines: does the new text allow all files, for good? */
static int check_result(const struct update *u, struct view text, struct err *err)
{
        AUTO(policy_unref_p) struct policy *p = NULL;
        AUTO(policy_effective_free_p) struct policy_effective *e = NULL;
        struct policy_version version;
        int r = policy_parse(text, u->policy->source, &p, err);

        if (r < 0)
                return err_wrap(err, "the text that came out is no policy");
        version = (struct policy_version){p, 1, POLICY_NEVER};
        r = policy_effective_new(&version, 1, POLICY_NEVER - 1, &e, err);
        for (size_t i = 0; r == 0 && i < u->files.n; i++)
                for (size_t k = 0; r == 0 && k < u->files.packages[i].n; k++) {
                        const struct catalogue_file *f = &u->files.packages[i].files[k];
                        AUTO(mem_free_p) char *path = str_dup(f->path);
                        struct policy_file_match match;

                        for (char *at = path; at && *at; at++)
                                if (*at == ' ')
                                        *at = '_';
                        if (!path)
                                r = err_nomem(err);
                        else if (policy_effective_file(e, f->digest.alg, digest_view(&f->digest),
                                                       view_str(path), &match) != ALLOW_ALLOWED)
                                r = err_set(err, ERR_CONFIG, 0,
                                            "%s: the new text does not allow %s of %s for good: does an "
                                            "'until' of "
                                            "it stand there already?",
                                            u->policy->source, SHOW(f->path), u->files.packages[i].name);
                }
        return r;
}

static int give_out(const struct update *u, const struct update_options *o, const char *name,
                    struct view text, struct err *err)
{
        struct stat st;

        if (o->out)
                return file_create(o->out, text, 0644, err);
        if (!str_equal(name, "-") && stat(name, &st) == 0)
                return u->n_edits ? file_write(name, text, st.st_mode & 07777, err) : 0;
        if (fwrite(text.p, 1, text.len, stdout) != text.len || fflush(stdout))
                return err_set(err, ERR_IO, 0, "standard output cannot be written");
        return 0;
}

/* What a person reads: on standard error if the policy itself goes to standard output. */
static int tell(const struct session *s, struct update *u, const char *name, const struct update_options *o,
                struct err *err)
{
        static const struct column columns[] = {
                {"PACKAGE", "name"}, {"VERSION", "version"},   {"ARCH", "arch"},  {"FILES", "files"},
                {"ADDED", "added"},  {"REPLACES", "replaces"}, {"UNTIL", "until"}};
        AUTO(json_free_p) json_t *doc = output_document("policy-update");
        struct stat st;

        for (size_t i = 0; i < u->files.notes.n; i++)
                (void)fprintf(stderr, "avow: note: %s\n", u->files.notes.items[i]);
        if (u->envelope.n_signatures && u->n_edits)
                (void)fprintf(
                        stderr,
                        "avow: note: the policy was signed; its new text is not: 'avow policy sign' it\n");
        if (!o->out && (str_equal(name, "-") || stat(name, &st) < 0))
                return 0;
        if (!doc || json_object_set(doc, "packages", u->report) < 0)
                return err_nomem(err);
        return output_list(s, doc, "packages", columns, ARRAY_LEN(columns), err);
}

static int run_update(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct update_options *o = values;
        AUTO(update_done) struct update u = {.now_ms = clock_now_ms(), .report = json_array()};
        AUTO(buf_free) struct buf text = {0};
        enum catalogue_scope scope =
                o->files && str_equal(o->files, "all") ? CATALOGUE_ALL : CATALOGUE_EXECUTED;
        bool begun = false;
        int r;

        (void)n_args;
        catalogue_init(&u.files, DIGEST_SHA256, scope);
        if (o->files && scope == CATALOGUE_EXECUTED && !str_equal(o->files, "executed"))
                return err_set(err, ERR_CONFIG, 0, "--files: found %s, expected executed or all",
                               SHOW(o->files));
        if (o->package.n == 0)
                return err_set(err, ERR_CONFIG, 0, "which package? --package NAME or --package FILE.deb");
        r = read_until(&u, o->until, err);
        if (r == 0)
                r = read_policy(&u, s, args[0], err);
        if (r == 0)
                r = gather(&u, o, err);
        for (size_t i = 0; r == 0 && i < u.files.n; i++)
                r = take_package(&u, &u.files.packages[i], &begun, err);
        if (r < 0)
                return r;
        apply(&u, &text);
        if (!buf_ok(&text))
                return err_nomem(err);
        r = check_result(&u, VIEW_BUF(&text), err);
        if (r == 0)
                r = give_out(&u, o, args[0], VIEW_BUF(&text), err);
        if (r == 0)
                r = tell(s, &u, args[0], o, err);
        return r < 0 ? r : ANSWER_DONE;
}

const struct command policy_update_commands[] = {
        {"policy", "update", "POLICY",
         "Put a package's new version into a policy, with an end for the old one", update_rows,
         sizeof(struct update_options), 1, 1, run_update},
        {0},
};
