/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Findings about a measurement list that an operator can act on. A package update replaces a hundred files
 * and is one event, so entries are put together: by the package that the policy knows the path or the digest
 * from, else by directory; denied ones, keys, buffers and devices stand alone. Every finding says how many,
 * which (a few), what would have been allowed, since when it is seen, and the next command.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/ima_work.h"

#define GROUPS_MAX   40
#define EXAMPLES_MAX 4
#define ALLOWED_MAX  4

struct group {
        const struct ima_row *rows[EXAMPLES_MAX]; /* the first of them */
        size_t n;
        const struct policy_package *package; /* NULL: a directory's */
        struct policy_source source;          /* who knows the package; or its version is NULL */
        int64_t first_seen_ms;
};

struct groups {
        struct ima_work *iw;
        struct map by_key; /* number of the group + 1 */
        struct group v[GROUPS_MAX];
        size_t n;
        size_t n_more; /* entries that belong to no group any more */
        const struct ima_row *more;
};

static int say(struct ima_work *iw, const char *code, enum severity severity, uint64_t entry,
               struct judge_words *w, struct err *err)
{
        const struct finding f = {.code = code, .severity = severity, .log = "ima", .entry = (int64_t)entry};

        return judge_find_words(&iw->w->judging, VERDICT_FAIL, w, f, err);
}

/* The policy's text, for commands. */
static const char *source_name(const struct ima_work *iw)
{
        return policy_effective_policy(iw->policy)->source;
}

static void write_ref(struct buf *out, const struct policy_source *s, uint32_t line)
{
        if (s->version)
                buf_fmt(out, "%s:%u (version %u)", s->version->policy->source, line, s->version->version);
}

static void write_digest(struct buf *out, const struct digest *d)
{
        if (d->len == 0) {
                buf_str(out, "a digest of an algorithm that decides nothing");
                return;
        }
        buf_fmt(out, "%s:", digest_name(d->alg));
        buf_hex(out, digest_view(d));
}

/* "openssl 3.0.15-1 amd64" */
static void write_package(struct buf *out, const struct policy_package *p)
{
        buf_str(out, p->name);
        if (*p->version)
                buf_fmt(out, " %s", p->version);
        if (*p->arch)
                buf_fmt(out, " %s", p->arch);
}

/* ---- grouping ---- */

/* The package that the policy knows the file from: by its digest, or by what else it allows at its path. */
static const struct policy_package *package_of(struct ima_work *iw, const struct ima_row *row,
                                               struct policy_source *ret)
{
        struct policy_file_pos pos = {0};
        struct policy_file_match match;

        *ret = row->match.source;
        if (row->match.package)
                return row->match.package;
        while (policy_effective_next_of(iw->policy, view_str(row->k.name), &pos, &match)) {
                *ret = match.source;
                if (match.package)
                        return match.package;
        }
        return NULL;
}

static struct view directory(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? VIEW(path, slash == path ? 1 : (size_t)(slash - path)) : VIEW_NONE;
}

/* Is it worth a finding of its own? */
static bool stands_alone(const struct ima_row *row)
{
        return row->answer == IMA_DENIED || row->k.kind != IMA_KEPT_FILE;
}

static void write_key(const struct ima_row *row, const struct policy_package *package, struct buf *out)
{
        buf_u8(out, (uint8_t)row->answer);
        buf_u8(out, row->k.signer == IMA_SIGNED_BADLY);
        if (stands_alone(row))
                buf_be64(out, row->k.entry);
        else if (package)
                buf_put(out, &package, sizeof(package));
        else
                buf_put_view(out, directory(row->k.name));
}

static int add_to_group(struct groups *g, const struct ima_row *row, struct err *err)
{
        AUTO(buf_free) struct buf key = {0};
        struct policy_source source;
        const struct policy_package *package = package_of(g->iw, row, &source);
        struct group *group;
        uintptr_t number;

        write_key(row, package, &key);
        if (!buf_ok(&key))
                return err_nomem(err);
        number = (uintptr_t)map_get_bytes(&g->by_key, VIEW_BUF(&key));
        if (!number && g->n == GROUPS_MAX) {
                if (g->n_more++ == 0)
                        g->more = row;
                return 0;
        }
        if (!number) {
                number = ++g->n;
                if (map_put_bytes(&g->by_key, VIEW_BUF(&key), (void *)number) < 0)
                        return err_nomem(err);
                g->v[number - 1] = (struct group){
                        .package = package, .source = source, .first_seen_ms = row->k.seen_at_ms};
        }
        group = &g->v[number - 1];
        if (group->n < EXAMPLES_MAX)
                group->rows[group->n] = row;
        group->n++;
        if (row->k.seen_at_ms < group->first_seen_ms)
                group->first_seen_ms = row->k.seen_at_ms;
        return 0;
}

/* ---- sentences ---- */

/* "3 files of openssl 3.0.15-1", "12 files in '/opt/x'", "the file '/opt/x/y'" */
static void write_files(struct buf *out, const struct group *g)
{
        struct view dir = directory(g->rows[0]->k.name);

        if (g->n == 1)
                buf_fmt(out, "the file %s", SHOW(g->rows[0]->k.name));
        else
                buf_fmt(out, "%zu files", g->n);
        if (g->package) {
                buf_str(out, " of ");
                write_package(out, g->package);
        } else if (g->n > 1 && dir.len) {
                buf_fmt(out, " in %s", SHOW_VIEW(dir));
        }
}

static void write_first_seen(struct buf *out, const struct group *g)
{
        char time[CLOCK_TEXT_BYTES];

        if (g->first_seen_ms)
                buf_fmt(out, " (first seen %s)", clock_format(g->first_seen_ms, time));
}

static void write_found(struct buf *out, const struct group *g)
{
        size_t n = g->n < EXAMPLES_MAX ? g->n : EXAMPLES_MAX;

        for (size_t i = 0; i < n; i++) {
                buf_fmt(out, "%s%s ", i ? ", " : "", SHOW(g->rows[i]->k.name));
                write_digest(out, &g->rows[i]->k.digest);
        }
        if (g->n > n)
                buf_fmt(out, " and %zu more", g->n - n);
}

/* What the policy allows where the group's first file is. */
static void write_allowed(struct ima_work *iw, struct buf *out, const struct group *g)
{
        struct policy_file_pos pos = {0};
        struct policy_file_match match;
        size_t n = 0;

        while (policy_effective_next_of(iw->policy, view_str(g->rows[0]->k.name), &pos, &match)) {
                if (match.entry.until_ms <= policy_effective_at_ms(iw->policy) || ++n > ALLOWED_MAX)
                        continue;
                buf_fmt(out, n > 1 ? ", %s:" : "%s:", digest_name(match.entry.alg));
                buf_hex(out, match.entry.digest);
                buf_fmt(out, " (line %u", match.entry.line);
                if (match.package) {
                        buf_str(out, ", ");
                        write_package(out, match.package);
                }
                buf_str(out, ")");
        }
        if (n > ALLOWED_MAX)
                buf_fmt(out, " and %zu more", n - ALLOWED_MAX);
        if (n == 0)
                buf_fmt(out, "a digest or path that stands under 'ima' of policy '%s'",
                        policy_effective_policy(iw->policy)->name);
        else if (g->n > 1)
                buf_fmt(out, " for %s", SHOW(g->rows[0]->k.name));
}

static const char *what_about_signature(const struct ima_row *row)
{
        return row->k.signer == IMA_SIGNED_BADLY        ? ", and its signature is not over this file"
               : row->k.signer == IMA_SIGNED_BY_UNKNOWN ? ", and its signature is by a key that is not known"
               : row->k.signer == IMA_SIGNED_SOMEHOW ? ", and its signature is of a kind that is not checked"
               : row->k.signer == IMA_SIGNED         ? ", and its signer may not sign there"
                                                     : "";
}

static void say_unknown(struct ima_work *iw, const struct group *g, struct judge_words *w)
{
        const char *source = source_name(iw);

        write_files(&w->what, g);
        if (g->package)
                buf_str(&w->what, g->n == 1
                                          ? " is not the one in the policy: a package update that the policy "
                                            "does not know yet, or a change"
                                          : " are not those in the policy: a package update that the policy "
                                            "does not know yet, or a change");
        else
                buf_fmt(&w->what, " %s not in policy '%s'", g->n == 1 ? "is" : "are",
                        policy_effective_policy(iw->policy)->name);
        buf_str(&w->what, what_about_signature(g->rows[0]));
        if (g->package)
                buf_fmt(&w->remedy,
                        "'dpkg -V %s' on the host. If the update is approved: 'avow policy update %s "
                        "--package %s', then 'avow policy push %s'. If not: take the host out of service, "
                        "reinstall the package and reboot",
                        g->package->name, source, g->package->name, source);
        else
                buf_fmt(&w->remedy,
                        "'dpkg -S %s' on the host says where it is from. If it is approved: 'avow policy "
                        "update %s --package NAME', or list it under 'ima.allow'; then 'avow policy push "
                        "%s'. If not: take the host out of service and reboot it clean",
                        SHOW(g->rows[0]->k.name), source, source);
}

static void say_elsewhere(struct ima_work *iw, const struct group *g, struct judge_words *w)
{
        const struct policy_file_match *m = &g->rows[0]->match;

        write_files(&w->what, g);
        buf_str(&w->what, g->n == 1 ? " is known to the policy, but not at this path"
                                    : " are known to the policy, but not at these paths");
        buf_fmt(&w->expected, "at %s (line %u)", SHOW_VIEW(m->entry.path), m->entry.line);
        buf_fmt(&w->remedy,
                "find out who copied it there. If that is approved: list the digest without a path, or with "
                "this one, under 'ima.allow' of %s, then 'avow policy push %s'. If not: remove it and reboot "
                "the host",
                source_name(iw), source_name(iw));
}

static void say_expired(struct ima_work *iw, const struct group *g, struct judge_words *w)
{
        char time[CLOCK_TEXT_BYTES];
        const struct policy_file_match *m = &g->rows[0]->match;

        write_files(&w->what, g);
        buf_fmt(&w->what, " %s allowed until %s only, and %s the newest on this host",
                g->n == 1 ? "was" : "were", clock_format(m->entry.until_ms, time), g->n == 1 ? "is" : "are");
        if (g->package)
                buf_fmt(&w->remedy,
                        "update it on the host ('apt-get install --only-upgrade %s') and run it once; or, if "
                        "the roll-out needs more time, move the package's 'until' in %s and 'avow policy "
                        "push %s'",
                        g->package->name, source_name(iw), source_name(iw));
        else
                buf_fmt(&w->remedy,
                        "update it on the host and run it once; or, if the roll-out needs more time, move "
                        "'until' on line %u and 'avow policy push %s'",
                        m->entry.line, source_name(iw));
}

static void say_denied(struct ima_work *iw, const struct group *g, struct judge_words *w)
{
        const struct ima_row *row = g->rows[0];

        (void)iw;
        buf_fmt(&w->what, "%s has a digest that the policy denies%s%s", SHOW(row->k.name),
                row->comment && *row->comment ? ": " : "", row->comment ? row->comment : "");
        buf_fmt(&w->expected, "any digest but this one (line %u)", row->line);
        buf_str(&w->remedy, "put an allowed version in place and reboot the host: the list keeps the entry "
                            "until then");
}

static void say_buffer(struct ima_work *iw, const struct group *g, struct judge_words *w)
{
        static const char *const expected[IMA_KEPT_N] = {
                [IMA_KEPT_KEY] = "a key of this keyring under 'ima.keyrings'",
                [IMA_KEPT_BUFFER] = "a digest or text of this name under 'ima.buffers'",
                [IMA_KEPT_DEVICE] = "a dm-verity table with a root under 'ima.verity'",
        };
        const struct ima_row *row = g->rows[0];

        if (row->k.kind == IMA_KEPT_KEY)
                buf_fmt(&w->what, "a key was loaded into the keyring %s that the policy does not allow there",
                        SHOW(row->k.name));
        else if (row->k.kind == IMA_KEPT_DEVICE)
                buf_fmt(&w->what,
                        "the device mapper's event %s brings a device that the policy does not allow",
                        SHOW(row->k.name));
        else
                buf_fmt(&w->what, "the kernel measured %s with a content that the policy does not allow",
                        SHOW(row->k.name));
        buf_str(&w->expected, expected[row->k.kind]);
        buf_fmt(&w->remedy,
                "look at the entry ('avow evidence show' of this host's bundle). If it is approved, list its "
                "digest there and 'avow policy push %s'; if not, reboot the host clean",
                source_name(iw));
}

/* One group, in words. */
static int say_group(struct ima_work *iw, const struct group *g, struct err *err)
{
        static const struct {
                const char *code;
                enum severity severity;
                void (*say)(struct ima_work *iw, const struct group *g, struct judge_words *w);
        } kinds[] = {
                [IMA_UNKNOWN] = {"ima-file-not-allowed", SEVERITY_ERROR, say_unknown},
                [IMA_ELSEWHERE] = {"ima-file-elsewhere", SEVERITY_ERROR, say_elsewhere},
                [IMA_EXPIRED] = {"ima-file-expired", SEVERITY_ERROR, say_expired},
                [IMA_DENIED] = {"digest-denied", SEVERITY_CRITICAL, say_denied},
        };
        static const char *const buffer_codes[IMA_KEPT_N] = {[IMA_KEPT_KEY] = "ima-key-not-allowed",
                                                             [IMA_KEPT_BUFFER] = "ima-buffer-not-allowed",
                                                             [IMA_KEPT_DEVICE] = "ima-device-not-allowed"};
        const struct ima_row *first = g->rows[0];
        bool file = first->k.kind == IMA_KEPT_FILE || first->answer == IMA_DENIED;
        AUTO(judge_words_done) struct judge_words w = {0};

        if (file)
                kinds[first->answer].say(iw, g, &w);
        else
                say_buffer(iw, g, &w);
        write_first_seen(&w.what, g);
        if (file && w.expected.len == 0)
                write_allowed(iw, &w.expected, g);
        write_found(&w.found, g);
        if (g->package)
                write_ref(&w.ref, &g->source, g->package->line);
        else if (first->match.source.version)
                write_ref(&w.ref, &first->match.source, first->match.entry.line);
        return say(iw, file ? kinds[first->answer].code : buffer_codes[first->k.kind],
                   kinds[first->answer].severity, first->k.entry, &w, err);
}

static int say_more(struct groups *g, struct err *err)
{
        AUTO(judge_words_done) struct judge_words w = {0};
        size_t n = g->n_more + g->iw->n_dropped;

        if (n == 0)
                return 0;
        buf_fmt(&w.what, "%zu more entries are not allowed", n);
        buf_fmt(&w.remedy,
                "if the host is as it should be, make a policy from it ('avow policy make --from-ima-log') "
                "and compare ('avow policy diff'); %s may be another machine's",
                source_name(g->iw));
        return say(g->iw, "ima-file-not-allowed", SEVERITY_ERROR, g->more ? g->more->k.entry : 0, &w, err);
}

static void groups_done(struct groups **g)
{
        if (*g)
                map_done(&(*g)->by_key);
        free(*g);
}

int ima_say_rows(struct ima_work *iw, struct err *err)
{
        AUTO(groups_done) struct groups *g = NULL;
        bool any = iw->n_dropped != 0;
        int r = 0;

        for (size_t i = 0; !any && i < iw->n_rows; i++)
                any = iw->rows[i].counts;
        if (!any)
                return 0;
        g = mem_zalloc(1, sizeof(*g));
        if (!g)
                return err_nomem(err);
        g->iw = iw;
        map_init(&g->by_key, NULL);
        for (size_t i = 0; r == 0 && i < iw->n_rows; i++)
                if (iw->rows[i].counts)
                        r = add_to_group(g, &iw->rows[i], err);
        for (size_t i = 0; r >= 0 && i < g->n; i++)
                r = say_group(iw, &g->v[i], err);
        return r < 0 ? r : say_more(g, err);
}

int ima_say_violations(struct ima_work *iw, struct err *err)
{
        const enum policy_violations choice = policy_effective_violations(iw->policy);
        struct finding f = {
                .code = "ima-violations",
                .severity = choice == POLICY_VIOLATIONS_FAIL ? SEVERITY_ERROR : SEVERITY_WARNING,
                .log = "ima",
                .entry = (int64_t)iw->next->first_violation,
                .expected = "no file that is written while it is measured (or 'ima: {violations: warn}')",
                .remedy = "'grep \" 0000000000\" /sys/kernel/security/integrity/ima/"
                          "ascii_runtime_measurements' on the host names them, for what it is worth: nothing "
                          "covers these names. Stop what writes to files in use, and reboot",
        };

        if (iw->next->violations == 0 || choice == POLICY_VIOLATIONS_ALLOW)
                return 0;
        if (choice == POLICY_VIOLATIONS_FAIL)
                iw->w->judging.verdict->state = verdict_worse(iw->w->judging.verdict->state, VERDICT_FAIL);
        return verdict_addf(iw->w->judging.verdict, &f, err,
                            "the kernel saw %llu times that a file was written while it was measured: what "
                            "was used then is not what the list says",
                            (unsigned long long)iw->next->violations);
}
