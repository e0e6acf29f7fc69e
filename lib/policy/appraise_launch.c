/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of launches against the permits that were given. The log replays to its own register, in the same
 * quote as everything else, and is remembered by itself: it is not judged by the host's policy, so a changed
 * policy does not void what was judged. What stands in one of the two and not in the other is a finding: a
 * launch without a permit is an attack or a broken launcher; a permit without a launch may be a module that
 * was given up in time, and is said.
 *
 * A host that never offered the log shows none. Once it did, its register is quoted until the next boot, and
 * has to stay where the log left it if the log does not come any more.
 *
 * Spec: SR-4, SR-18, SR-22, SR-23; docs/protocol.md, "Launches".
 */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"
#include "evidence/launch.h"
#include "policy/work.h"

#define OFFLINE_RECORDS_MAX 1000000

/* The log under way. */
struct launches {
        struct work *w;
        struct cel_log *log;
        struct cel_start start;
        unsigned pcr;
        uint64_t n_judged_before;
        bool *seen; /* by permit: its own launch is in the log */
};

static const struct launch_memory *memory_of(const struct work *w)
{
        const struct continuation *before = w->in->before;

        return before && before->launches.known && !w->auth.rebooted ? &before->launches : NULL;
}

static int find(struct work *w, enum verdict_state state, int64_t entry, struct finding f, struct err *err)
{
        f.log = "launch";
        f.entry = entry;
        return judge_find(&w->judging, state, &f, err);
}

static int undecided(struct work *w, const char *code, const char *what, const char *found, struct err *err)
{
        const struct finding f = {
                .code = code,
                .severity = SEVERITY_ERROR,
                .log = "launch",
                .entry = FINDING_NO_ENTRY,
                .what = what,
                .found = found,
                .remedy = "it is asked for once more in full; if this stays, another program extends the "
                          "register (systemd-stub measures system extensions into PCR 13: set launch.pcr to "
                          "another), or launch.log was changed: a reboot starts both anew",
        };

        return work_undecided(w, APPRAISAL_ASK_FULL_LOG, &f, err);
}

/* ---- the records ---- */

static bool same_module(const struct ledger_permit *p, const struct cel_record *rec)
{
        return digest_equal(&p->module, &rec->module) && digest_equal(&p->closure, &rec->closure) &&
               str_equal(p->runtime, rec->runtime);
}

/* Why the permit does not allow this record, or NULL. */
static const char *objection(const struct ledger_permit *p, bool seen, const struct cel_record *rec)
{
        if (!p)
                return "no permit of this id is open";
        if (!same_module(p, rec))
                return "the permit was for another module or runtime";
        if (rec->cached)
                return p->cache_until_ms ? NULL : "the permit may not be used from a cache";
        if (!digest_equal(&p->launch, &rec->launch))
                return "the permit was for another launch";
        return seen || p->recorded ? "the permit's launch was recorded before" : NULL;
}

static int judge_launch(struct launches *l, const struct cel_record *rec, int64_t entry, struct err *err)
{
        const struct appraisal *in = l->w->in;
        const struct ledger_permit *p = NULL;
        char hex[2 * DIGEST_BYTES_MAX + 1];
        struct finding f = {.code = "launch-without-permit",
                            .severity = SEVERITY_CRITICAL,
                            .expected = rec->permit,
                            .remedy =
                                    "find out what ran: 'avow audit export' has every permit that was given; "
                                    "suspend the host if nobody knows"};
        size_t at = 0;

        while (at < in->n_permits && !str_equal(in->permits[at].id, rec->permit))
                at++;
        if (at < in->n_permits)
                p = &in->permits[at];
        f.what = objection(p, p && l->seen[at], rec);
        if (!f.what) {
                l->seen[at] |= !rec->cached;
                return 0;
        }
        f.found = hex_write(hex, digest_view(&rec->module));
        if (in->before || l->w->offline)
                return find(l->w, VERDICT_FAIL, entry, f, err);
        f.code = "launch-before-enrolment";
        f.severity = SEVERITY_WARNING;
        f.what = "a module was launched in this boot before this verifier knew the host";
        f.remedy = "reboot the host if it matters what ran before";
        return find(l->w, VERDICT_PASS, entry, f, err);
}

static int judge_mapped(struct launches *l, const struct cel_record *rec, int64_t entry, struct err *err)
{
        struct finding f = {
                .code = "runtime-mapping-foreign",
                .severity = SEVERITY_WARNING,
                .what = "a running module's runtime has a file mapped executable that is not in its "
                        "closure",
                .remedy = "add the file to the runtime's configuration if it belongs to it; if "
                          "not, end the module"};
        AUTO(mem_free_p) char *found = NULL;
        char hex[2 * DIGEST_BYTES_MAX + 1];

        if (!rec->n_foreign)
                return 0;
        found = str_fmt("%s %s%s", hex_write(hex, digest_view(&rec->foreign[0].sha256)), rec->foreign[0].path,
                        rec->n_foreign > 1 ? ", and others" : "");
        if (!found)
                return err_nomem(err);
        f.found = found;
        return find(l->w, VERDICT_PASS, entry, f, err);
}

static int judge_record(struct launches *l, size_t i, struct err *err)
{
        static const struct finding foreign = {
                .code = "launch-log-foreign",
                .severity = SEVERITY_ERROR,
                .what = "the launch register holds a record that no launcher of ours wrote",
                .remedy = "no other program may extend the launch register: find it, or set launch.pcr to "
                          "another",
        };
        const struct cel_record *rec = &l->log->records[i];
        int64_t entry = (int64_t)(l->start.entry + i);
        bool is = false;
        int r = launch_record_is(rec, l->start.value.alg, &is, err);

        if (r < 0)
                return r;
        if (!is)
                return find(l->w, VERDICT_FAIL, entry, foreign, err);
        return str_equal(rec->kind, CEL_KIND_LAUNCH) ? judge_launch(l, rec, entry, err)
                                                     : judge_mapped(l, rec, entry, err);
}

/* ---- the permits ---- */

static void add_mark(struct work *w, const struct ledger_permit *p, bool recorded, bool closed)
{
        struct ledger_mark *m = &w->out->marks[w->out->n_marks++];

        *m = (struct ledger_mark){.recorded = recorded, .closed = closed};
        memcpy(m->id, p->id, sizeof(m->id));
}

/* What this evidence, asked for when it was, ends. */
static int close_permits(struct launches *l, struct err *err)
{
        const struct appraisal *in = l->w->in;
        int64_t asked_ms = in->expectation->issued_at_ms;
        int r = 0;

        l->w->out->marks = mem_zalloc(in->n_permits, sizeof(*l->w->out->marks));
        if (!l->w->out->marks)
                return err_nomem(err);
        for (size_t i = 0; i < in->n_permits && r >= 0; i++) {
                const struct ledger_permit *p = &in->permits[i];
                struct finding f = {.code = "permit-without-launch",
                                    .severity = SEVERITY_WARNING,
                                    .what = "a permit was given, its time is over, and the launch log has no "
                                            "launch of it",
                                    .expected = p->id,
                                    .remedy = "nothing, if the launch was given up or the agent was ended; "
                                              "the agent's journal says which"};
                bool recorded = l->seen[i] || p->recorded;
                bool missed = !recorded && asked_ms > p->expires_at_ms + LEDGER_SKEW_MS;
                bool cache_over = asked_ms > p->cache_until_ms + LEDGER_SKEW_MS;

                if (missed)
                        r = find(l->w, VERDICT_PASS, FINDING_NO_ENTRY, f, err);
                if (r >= 0 && (l->seen[i] || ((recorded || missed) && cache_over)))
                        add_mark(l->w, p, recorded, (recorded || missed) && cache_over);
        }
        return r;
}

/* ---- the log ---- */

/* How many records were judged when they came: those that lead to the remembered value, which no other boot's
 * records can. */
static int find_judged_before(struct launches *l, size_t n_covered, struct err *err)
{
        const struct continuation *before = l->w->in->before;
        const struct launch_memory *m = before && before->launches.known ? &before->launches : NULL;
        struct cel_log prefix;
        struct cel_replay replay;
        int r;

        l->n_judged_before = l->start.entry;
        if (l->start.entry || !m || m->entries > n_covered || m->pcr != l->pcr ||
            m->value.alg != l->start.value.alg)
                return 0;
        prefix = (struct cel_log){.n = m->entries, .records = l->log->records};
        r = cel_replay(&prefix, &l->start, l->pcr, &m->value, &replay, err);
        if (r >= 0 && replay.matched && replay.n_covered == m->entries)
                l->n_judged_before = m->entries;
        return r;
}

static int judge_log(struct launches *l, const struct cel_replay *replay, struct err *err)
{
        struct launch_memory *next = &l->w->next->launches;
        int r = find_judged_before(l, replay->n_covered, err);

        for (size_t i = (size_t)(l->n_judged_before - l->start.entry); i < replay->n_covered && r >= 0; i++)
                r = judge_record(l, i, err);
        if (r >= 0)
                r = close_permits(l, err);
        *next = (struct launch_memory){.known = true,
                                       .pcr = l->pcr,
                                       .value = replay->value,
                                       .entries = l->start.entry + replay->n_covered};
        return r;
}

/* Where it begins: nowhere, or where it was left. *RET_OK as elsewhere. */
static int find_start(struct launches *l, bool *ret_ok, struct err *err)
{
        const struct launch_memory *m = memory_of(l->w);
        uint64_t first = l->w->in->launch_first;

        digest_zero(l->w->auth.pcrs.bank, &l->start.value);
        *ret_ok = true;
        if (first == 0)
                return 0;
        if (m && m->entries == first && m->pcr == l->pcr && m->value.alg == l->start.value.alg) {
                l->start = (struct cel_start){m->value, first};
                return 0;
        }
        *ret_ok = false;
        return undecided(l->w, "launch-log-from-the-middle",
                         "the launch log came without its beginning, which is of another boot or register",
                         NULL, err);
}

static int read_log(struct launches *l, bool *ret_ok, struct err *err)
{
        const struct appraisal *in = l->w->in;
        struct err inner = ERR_INIT;
        struct cel_replay replay;
        int r = find_start(l, ret_ok, err);

        if (r < 0 || !*ret_ok)
                return r;
        *ret_ok = false;
        r = cel_parse(in->launch_log, l->w->offline ? OFFLINE_RECORDS_MAX : CEL_RECORDS_MAX, &l->log, &inner);
        if (r == -ERR_NOMEM)
                return err_nomem(err);
        if (r < 0)
                return undecided(l->w, "launch-log-malformed", "the launch log cannot be read", inner.text,
                                 err);
        r = cel_replay(l->log, &l->start, l->pcr, &l->w->auth.pcrs.v[l->pcr], &replay, err);
        if (r < 0)
                return r;
        if (!replay.matched)
                return undecided(l->w, "launch-log-does-not-replay",
                                 "the launch log does not explain the quoted value of its register",
                                 replay.why, err);
        l->seen = mem_zalloc(in->n_permits + 1, sizeof(*l->seen));
        if (!l->seen)
                return err_nomem(err);
        *ret_ok = true;
        return judge_log(l, &replay, err);
}

/* No log came: the register has to be where it was left. */
static int without_log(struct work *w, const struct launch_memory *m, bool *ret_ok, struct err *err)
{
        const struct pcr_values *quoted = &w->auth.pcrs;

        *ret_ok = quoted->bank == m->value.alg && quoted->mask & 1u << m->pcr &&
                  digest_equal(&quoted->v[m->pcr], &m->value);
        if (*ret_ok) {
                w->next->launches = *m;
                return 0;
        }
        return undecided(w, "launch-log-missing",
                         "the host had a launch log in this boot, shows it no longer, and its register moved",
                         NULL, err);
}

int appraise_launches(struct work *w, bool *ret_ok, struct err *err)
{
        const struct launch_memory *m = memory_of(w);
        struct launches l = {.w = w, .pcr = w->in->launch_pcr};
        int r;

        *ret_ok = true;
        if (w->offline)
                return 0; /* bundles have no launch log: who has the permits has judged it */
        if (!w->in->has_launch_log)
                return m ? without_log(w, m, ret_ok, err) : 0;
        if (!(w->auth.pcrs.mask & 1u << l.pcr)) {
                *ret_ok = false;
                return undecided(w, "launch-log-not-quoted", "the quote does not hold the launch register",
                                 NULL, err);
        }
        r = read_log(&l, ret_ok, err);
        cel_log_free(l.log);
        free(l.seen);
        return r;
}
