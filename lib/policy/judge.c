/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy's word on what a host has measured, and the words for its operator. Everything here was
 * authenticated and replayed before, but only the digests: a record's runtime and path are what the agent
 * claims. They are never compared with the policy to allow something. They serve two ends: to tell the newest
 * measurement of a file from those that it replaced, and to say in a finding which file to look at and what
 * the policy lists for it. Spec: SR-16, SR-18.
 */
#include "policy/judge.h"

#include "base/clock.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"

#define LISTED_MAX 6 /* allowed digests that a finding spells out */

int judge_find(const struct judging *j, enum verdict_state state, const struct finding *f, struct err *err)
{
        j->verdict->state = verdict_worse(j->verdict->state, state);
        return verdict_add(j->verdict, f, err);
}

/* "worker.yaml:14 (version 3)" */
static void write_ref(struct buf *out, const struct policy_version *v, uint32_t line)
{
        buf_fmt(out, "%s:%u (version %u)", v->policy->source, line, v->version);
}

/* Is a record of somebody else allowed by the text that its digest is over? */
static int allowed_by_text(const struct judging *j, struct judge_row *row, struct err *err)
{
        const struct policy_version *versions;
        struct digest of_text;
        struct view text;
        size_t n;

        if (!row->m.foreign || !row->m.path)
                return 0;
        text = view_str(row->m.path);
        versions = policy_effective_versions(j->policy, &n);
        for (size_t i = 0; i < n; i++) {
                const struct policy *p = versions[i].policy;

                for (size_t k = 0; k < p->n_records; k++) {
                        int r;

                        if (!p->records[k].string || !policy_glob(p->records[k].string, text))
                                continue;
                        r = digest_bytes(p->bank, text, &of_text, err);
                        if (r < 0)
                                return r;
                        if (!digest_equal(&of_text, &row->m.digest))
                                return 0; /* the text is not what was measured: a claim */
                        row->answer = POLICY_ALLOWED;
                        row->version = &versions[i];
                        row->digest = NULL;
                        return 0;
                }
        }
        return 0;
}

int judge_ask(const struct judging *j, struct judge_row *row, struct err *err)
{
        const struct policy *p = policy_effective_policy(j->policy);

        row->version = NULL;
        row->digest = NULL;
        row->answer = POLICY_UNKNOWN;
        if (row->m.digest.alg != p->bank)
                return err_set(err, ERR_BUG, 0, "a measurement of another bank than the policy's");
        row->answer = policy_effective_ask(j->policy, row->m.digest.b, &row->version, &row->digest);
        if (row->answer == POLICY_ALLOWED || row->answer == POLICY_DENIED)
                return 0;
        return allowed_by_text(j, row, err);
}

/* The file of the newest policy that the record claims to be of, for words only. NULL if there is none. */
static const struct policy_file *claimed_file(const struct policy *p, const struct measured *m)
{
        const struct policy_runtime *runtime = NULL;

        for (size_t i = 0; i < p->n_runtimes; i++)
                if (m->runtime && str_equal(p->runtimes[i].name, m->runtime))
                        runtime = &p->runtimes[i];
        if (!runtime)
                return NULL;
        for (size_t i = runtime->first; i < runtime->first + runtime->n; i++)
                if (m->path && str_equal(p->files[i].path, m->path))
                        return &p->files[i];
        return &p->files[runtime->first];
}

/* "4f86… (line 12, 20.19.2), 77aa… (line 14)" */
static void write_allowed(struct buf *out, const struct policy *p, const struct policy_file *f,
                          int64_t now_ms)
{
        size_t listed = 0, in_force = 0;

        for (size_t i = f->first; i < f->first + f->n; i++) {
                const struct policy_digest *d = &p->digests[i];

                if (d->until_ms <= now_ms || ++in_force > LISTED_MAX)
                        continue;
                buf_str(out, listed++ ? ", " : "");
                buf_hex(out, VIEW(d->bytes, p->digest_size));
                buf_fmt(out, d->comment ? " (line %u, %s)" : " (line %u)", d->line, d->comment);
        }
        if (in_force > listed)
                buf_fmt(out, " and %zu more", in_force - listed);
        if (in_force == 0)
                buf_str(out, "none any more: all have ended");
}

void judge_words_done(struct judge_words *w)
{
        buf_free(&w->what);
        buf_free(&w->expected);
        buf_free(&w->found);
        buf_free(&w->remedy);
        buf_free(&w->ref);
}

/* The sentence in B as a string that stays B's; NULL if it is empty. */
static const char *sentence(struct buf *b)
{
        if (b->len == 0 && buf_ok(b))
                return NULL;
        buf_u8(b, 0);
        return buf_ok(b) ? (const char *)b->p : NULL;
}

int judge_find_words(const struct judging *j, enum verdict_state state, struct judge_words *w,
                     struct finding f, struct err *err)
{
        f.what = sentence(&w->what);
        f.expected = sentence(&w->expected);
        f.found = sentence(&w->found);
        f.remedy = sentence(&w->remedy);
        f.policy_ref = sentence(&w->ref);
        if (!f.what || !buf_ok(&w->expected) || !buf_ok(&w->found) || !buf_ok(&w->remedy) || !buf_ok(&w->ref))
                return err_nomem(err);
        return judge_find(j, state, &f, err);
}

/* What the record is about: "file '/usr/bin/node' of runtime 'node'". */
static void write_subject(struct buf *out, const struct measured *m)
{
        if (m->foreign && m->path)
                buf_fmt(out, "the record %s of another program", SHOW(m->path));
        else if (m->foreign)
                buf_str(out, "a record of another program");
        else
                buf_fmt(out, "file %s of runtime %s", SHOW(m->path ? m->path : ""),
                        SHOW(m->runtime ? m->runtime : ""));
}

static void say_unknown(const struct judging *j, const struct judge_row *row, struct judge_words *w)
{
        const struct policy_version *newest = policy_effective_newest(j->policy);
        const struct policy *p = newest->policy;
        const struct policy_file *f = row->m.foreign ? NULL : claimed_file(p, &row->m);

        write_subject(&w->what, &row->m);
        buf_fmt(&w->what, "%s has a digest that policy '%s' does not allow",
                row->m.newest ? "" : ", replaced since in this boot,", p->name);
        if (f) {
                write_allowed(&w->expected, p, f, policy_effective_at_ms(j->policy));
                write_ref(&w->ref, newest, f->line);
        } else {
                buf_fmt(&w->expected, "a digest that stands under 'runtimes' or 'records' of policy '%s'",
                        p->name);
                write_ref(&w->ref, newest, 1);
        }
        if (row->m.foreign) {
                buf_fmt(&w->remedy,
                        "find out which program extended PCR %u; if it is approved, list the record under "
                        "'records' and push the policy ('avow policy push'); if not, take the host out of "
                        "service",
                        p->pcr);
                return;
        }
        buf_fmt(&w->remedy,
                "on the host, compare '%ssum %s' with the file's source. If the change is approved, add the "
                "digest and push the policy ('avow policy push'). If it is not: take the host out of "
                "service, "
                "reinstall the file and reboot; PCR %u keeps the record until then",
                digest_name(p->bank), row->m.path ? row->m.path : "FILE", p->pcr);
}

static void say_denied(const struct judging *j, const struct judge_row *row, struct judge_words *w)
{
        const struct policy *p = row->version->policy;
        const struct policy_file *f = row->m.foreign ? NULL : claimed_file(p, &row->m);

        write_subject(&w->what, &row->m);
        buf_fmt(&w->what, "%s has a digest that policy '%s' denies%s%s",
                row->m.newest ? "" : ", replaced since in this boot,", p->name,
                row->digest->comment ? ": " : "", row->digest->comment ? row->digest->comment : "");
        if (f)
                write_allowed(&w->expected, p, f, policy_effective_at_ms(j->policy));
        else
                buf_str(&w->expected, "any digest but this one");
        write_ref(&w->ref, row->version, row->digest->line);
        buf_fmt(&w->remedy,
                "put an allowed version in place and reboot the host: PCR %u keeps the record until then",
                p->pcr);
}

static void say_expired(const struct judging *j, const struct judge_row *row, struct judge_words *w)
{
        char time[CLOCK_TEXT_BYTES];
        const struct policy *p = row->version->policy;

        write_subject(&w->what, &row->m);
        buf_fmt(&w->what, " has a digest that policy '%s' allowed until %s only", p->name,
                clock_format(row->digest->until_ms, time));
        if (row->digest->file != POLICY_NO_FILE)
                write_allowed(&w->expected, p, &p->files[row->digest->file],
                              policy_effective_at_ms(j->policy));
        write_ref(&w->ref, row->version, row->digest->line);
        buf_str(&w->remedy,
                "update the file on the host (it is measured again at once); or, if the roll-out needs more "
                "time, move 'until' and push the policy");
}

static int find_row(const struct judging *j, const struct judge_row *row, struct err *err)
{
        static const struct {
                const char *code, *code_foreign;
                enum severity severity;
                void (*say)(const struct judging *j, const struct judge_row *row, struct judge_words *w);
        } kinds[] = {
                [POLICY_UNKNOWN] = {"digest-not-allowed", "record-not-allowed", SEVERITY_ERROR, say_unknown},
                [POLICY_EXPIRED] = {"digest-expired", "digest-expired", SEVERITY_ERROR, say_expired},
                [POLICY_DENIED] = {"digest-denied", "digest-denied", SEVERITY_CRITICAL, say_denied},
        };
        AUTO(judge_words_done)
        struct judge_words w = {0};
        struct finding f = {
                .code = row->m.foreign ? kinds[row->answer].code_foreign : kinds[row->answer].code,
                .severity = kinds[row->answer].severity,
                .log = "cel",
                .entry = (int64_t)row->m.entry,
        };

        kinds[row->answer].say(j, row, &w);
        buf_hex(&w.found, digest_view(&row->m.digest));
        return judge_find_words(j, VERDICT_FAIL, &w, f, err);
}

int judge_rows(const struct judging *j, const struct judge_row *rows, size_t n, struct err *err)
{
        for (size_t i = 0; i < n; i++) {
                const struct judge_row *row = &rows[i];
                bool counts = row->m.newest || row->answer == POLICY_DENIED ||
                              (row->m.refused && row->answer == POLICY_UNKNOWN);
                int r;

                if (!counts || row->answer == POLICY_ALLOWED)
                        continue;
                r = find_row(j, row, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Marks the files of P that a newest row is of. One mark a file. */
static void mark_seen(const struct policy *p, int64_t now_ms, const struct judge_row *rows, size_t n,
                      bool *seen)
{
        for (size_t i = 0; i < n; i++) {
                const struct policy_digest *d = NULL;

                if (!rows[i].m.newest || rows[i].m.foreign)
                        continue;
                while ((d = policy_find(p, rows[i].m.digest.b, d)))
                        if (d->file != POLICY_NO_FILE && d->until_ms > now_ms)
                                seen[d->file] = true;
        }
}

static const struct policy_runtime *runtime_by_name(const struct policy *p, const char *name)
{
        for (size_t i = 0; i < p->n_runtimes; i++)
                if (str_equal(p->runtimes[i].name, name))
                        return &p->runtimes[i];
        return NULL;
}

static bool all_seen(const struct policy_runtime *runtime, const bool *seen)
{
        for (size_t i = runtime->first; i < runtime->first + runtime->n; i++)
                if (!seen[i])
                        return false;
        return true;
}

/* The versions in force, and which of their files the host has. */
struct seen {
        const struct policy_version *versions;
        size_t n;
        bool *files[EFFECTIVE_VERSIONS_MAX];
};

static void seen_done(struct seen *s)
{
        for (size_t i = 0; i < s->n; i++)
                mem_free_p(&s->files[i]);
}

/* Do all versions require it, and has the host none of them whole? */
static bool runtime_missing(const struct seen *s, const struct policy_runtime *runtime)
{
        for (size_t i = 0; i < s->n; i++) {
                const struct policy_runtime *here = runtime_by_name(s->versions[i].policy, runtime->name);

                if (!here || !here->required || all_seen(here, s->files[i]))
                        return false;
        }
        return true;
}

/* In the middle of an update some files are of the new version and some still of the old one. */
static bool seen_as_older(const struct seen *s, const struct policy_runtime *runtime, const char *path)
{
        for (size_t i = 1; i < s->n; i++) {
                const struct policy *p = s->versions[i].policy;
                const struct policy_runtime *here = runtime_by_name(p, runtime->name);

                for (size_t f = here->first; f < here->first + here->n; f++)
                        if (*path && str_equal(p->files[f].path, path) && s->files[i][f])
                                return true;
        }
        return false;
}

static int find_missing(const struct judging *j, const struct policy_runtime *runtime,
                        const struct policy_file *file, struct err *err)
{
        const struct policy_version *newest = policy_effective_newest(j->policy);
        const struct policy *p = newest->policy;
        AUTO(judge_words_done)
        struct judge_words w = {0};
        struct finding f = {.code = "runtime-missing",
                            .severity = SEVERITY_ERROR,
                            .log = "cel",
                            .entry = FINDING_NO_ENTRY};

        buf_fmt(&w.what, "required runtime '%s' is not measured on this host", runtime->name);
        if (*file->path)
                buf_fmt(&w.what, ": nothing matches its file %s", SHOW(file->path));
        write_allowed(&w.expected, p, file, policy_effective_at_ms(j->policy));
        buf_str(&w.found, "no newest measurement with one of these digests");
        buf_fmt(&w.remedy,
                "list the runtime in the agent's configuration ('runtimes:') and restart the agent; or, if "
                "hosts may lack it, write 'required: false' and push the policy");
        write_ref(&w.ref, newest, file->line);
        return judge_find_words(j, VERDICT_FAIL, &w, f, err);
}

/* Has a measurement failed already that claims to be of this file? Its finding says all, and it failed the
 * host. */
static bool failed_already(const struct policy *p, const struct policy_file *file,
                           const struct judge_row *rows, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (rows[i].m.newest && !rows[i].m.foreign && rows[i].answer != POLICY_ALLOWED &&
                    claimed_file(p, &rows[i].m) == file)
                        return true;
        return false;
}

int judge_required(const struct judging *j, const struct judge_row *rows, size_t n, struct err *err)
{
        const struct policy *p = policy_effective_policy(j->policy);
        int64_t now_ms = policy_effective_at_ms(j->policy);
        AUTO(seen_done)
        struct seen s = {0};
        size_t n_versions;

        s.versions = policy_effective_versions(j->policy, &n_versions);
        for (; s.n < n_versions; s.n++) {
                const struct policy *at = s.versions[s.n].policy;

                s.files[s.n] = mem_zalloc(at->n_files + 1, sizeof(bool));
                if (!s.files[s.n])
                        return err_nomem(err);
                mark_seen(at, now_ms, rows, n, s.files[s.n]);
        }
        for (size_t i = 0; i < p->n_runtimes; i++) {
                const struct policy_runtime *runtime = &p->runtimes[i];

                if (!runtime_missing(&s, runtime))
                        continue;
                for (size_t f = runtime->first; f < runtime->first + runtime->n; f++) {
                        int r;

                        if (s.files[0][f] || seen_as_older(&s, runtime, p->files[f].path) ||
                            failed_already(p, &p->files[f], rows, n))
                                continue;
                        r = find_missing(j, runtime, &p->files[f], err);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

/* Do all versions fix this PCR? And if so, does one of them allow VALUE? */
static bool pcr_good(const struct judging *j, unsigned pcr, const struct digest *value)
{
        size_t n;
        const struct policy_version *versions = policy_effective_versions(j->policy, &n);

        for (size_t i = 0; i < n; i++)
                if (versions[i].policy->pcrs[pcr].n == 0)
                        return true;
        for (size_t i = 0; i < n; i++) {
                const struct policy_pcr *fixed = &versions[i].policy->pcrs[pcr];

                for (size_t k = 0; k < fixed->n; k++)
                        if (digest_equal(&fixed->values[k], value))
                                return true;
        }
        return false;
}

static int find_pcr(const struct judging *j, unsigned pcr, const struct digest *value, struct err *err)
{
        const struct policy_version *newest = policy_effective_newest(j->policy);
        const struct policy_pcr *fixed = &newest->policy->pcrs[pcr];
        AUTO(judge_words_done)
        struct judge_words w = {0};
        struct finding f = {
                .code = "pcr-mismatch", .severity = SEVERITY_ERROR, .log = "pcr", .entry = (int64_t)pcr};

        buf_fmt(&w.what, "PCR %u (%s) does not have a value that policy '%s' allows", pcr,
                digest_name(newest->policy->bank), newest->policy->name);
        for (size_t i = 0; i < fixed->n && i < LISTED_MAX; i++) {
                buf_str(&w.expected, i ? ", " : "");
                buf_hex(&w.expected, digest_view(&fixed->values[i]));
                buf_fmt(&w.expected, " (line %u)", fixed->lines[i]);
        }
        if (fixed->n > LISTED_MAX)
                buf_fmt(&w.expected, " and %u more", fixed->n - LISTED_MAX);
        buf_hex(&w.found, digest_view(value));
        buf_str(&w.remedy, "PCRs 0 to 7 change with firmware, its settings and the boot loader: find out "
                           "what was updated. "
                           "If it is approved, add the value under 'pcr: {values: …}' and push the policy");
        write_ref(&w.ref, newest, fixed->line);
        return judge_find_words(j, VERDICT_FAIL, &w, f, err);
}

int judge_pcrs(const struct judging *j, const struct pcr_values *values, struct err *err)
{
        for (unsigned i = 0; i < POLICY_PCRS; i++) {
                int r;

                if (policy_effective_policy(j->policy)->pcrs[i].n == 0 || pcr_good(j, i, &values->v[i]))
                        continue;
                r = find_pcr(j, i, &values->v[i], err);
                if (r < 0)
                        return r;
        }
        return 0;
}
