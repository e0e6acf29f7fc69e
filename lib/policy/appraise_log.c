/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's part of the appraisal: where it has to begin, whether it replays to the quoted register, and what
 * its records mean under the policy.
 *
 * Looking back (SR-16): a record is judged in full when it is first seen. Under a policy that changed since,
 * the whole log is read again; then the newest measurement of each name is judged by the new rules, while one
 * that was superseded is history: it was judged in its time. "In its time" is not the host's word: it is
 * the part of the log that replays to the register value remembered from then. What was refused then stays
 * refused, until a policy allows it or the host reboots; what `deny:` names counts wherever it stands.
 */
#include "base/hex.h"
#include "base/map.h"
#include "base/mem.h"
#include "evidence/cel.h"
#include "policy/work.h"

#define OFFLINE_RECORDS_MAX 1000000 /* a bundle holds the log of a whole boot */

/* Where the log begins, and whether what was sent begins there. */
static int find_start(struct work *w, bool *ret_ok, struct err *err)
{
        const struct policy *p = policy_effective_policy(w->judging.policy);
        const struct appraisal *in = w->in;
        struct finding f = {
                .code = "log-incomplete",
                .severity = SEVERITY_WARNING,
                .log = "cel",
                .entry = (int64_t)in->log_first,
                .what = "the log has to be read from its first entry, because the host restarted or the "
                        "policy changed, and "
                        "only its end was sent",
                .remedy = "nothing: it is asked for in full at once",
        };
        uint64_t expected = w->auth.rebooted ? 0 : appraisal_log_offset(in->before, in->policy);

        *ret_ok = true;
        digest_zero(p->bank, &w->start.value);
        w->start.entry = 0;
        if (in->log_first == 0)
                return 0;
        if (in->log_first == expected) {
                w->start.value = in->before->pcr_value;
                w->start.entry = expected;
                return 0;
        }
        *ret_ok = false;
        return work_undecided(w, APPRAISAL_ASK_FULL_LOG, &f, err);
}

static int find_no_log(struct work *w, struct err *err)
{
        static const struct finding f = {
                .code = "log-missing",
                .severity = SEVERITY_ERROR,
                .log = "cel",
                .entry = FINDING_NO_ENTRY,
                .what = "the policy judges runtimes by the measurement log, and the evidence has none",
                .expected = "evidence of type cel_log",
                .remedy = "run avow-agent on the host (a Keylime agent sends no such log); or enrol it under "
                          "a policy that "
                          "fixes PCR values only",
        };

        return judge_find(&w->judging, VERDICT_INCONCLUSIVE, &f, err);
}

static int find_malformed(struct work *w, const char *why, struct err *err)
{
        struct finding f = {
                .code = "log-malformed",
                .severity = SEVERITY_ERROR,
                .log = "cel",
                .entry = FINDING_NO_ENTRY,
                .what = "the measurement log cannot be read",
                .found = why,
                .expected = "JSON text sequence with CEL field names, within its limits",
                .remedy = "it is asked for once more in full; if this stays, look at the agent's journal and "
                          "its pcr15.log",
        };

        return work_undecided(w, APPRAISAL_ASK_FULL_LOG, &f, err);
}

static int find_not_replayed(struct work *w, const struct cel_replay *replay, const struct digest *quoted,
                             struct err *err)
{
        char expected[2 * DIGEST_BYTES_MAX + 1], found[2 * DIGEST_BYTES_MAX + 1];
        struct finding f = {
                .code = "log-not-replayed",
                .severity = SEVERITY_ERROR,
                .log = "cel",
                .entry = replay->why_entry,
                .expected = hex_write(expected, digest_view(quoted)),
                .found = hex_write(found, digest_view(&replay->value)),
                .remedy = "records are missing or were changed, or another program extends the register "
                          "unseen. On the host: "
                          "'tpm2_pcrread' and the agent's journal; a reboot starts register and log anew",
        };

        w->judging.verdict->state = verdict_worse(w->judging.verdict->state, VERDICT_INCONCLUSIVE);
        if (!w->in->asked_again)
                w->out->ask = APPRAISAL_ASK_FULL_LOG;
        return verdict_addf(w->judging.verdict, &f, err,
                            "the log does not explain the quoted value of PCR %u%s%s",
                            policy_effective_policy(w->judging.policy)->pcr, replay->why ? ": " : "",
                            replay->why ? replay->why : "");
}

/* Notes on a log that replays. */
static int note_replay(struct work *w, const struct cel_replay *replay, struct err *err)
{
        struct finding beyond = {
                .code = "record-beyond-quote",
                .severity = SEVERITY_INFO,
                .log = "cel",
                .entry = (int64_t)(w->start.entry + replay->n_covered),
                .what = "the log's last record is not in the quoted value yet, and decides nothing",
                .remedy = "nothing: the next evidence covers it",
        };
        struct finding writer = {
                .code = "another-writer",
                .severity = SEVERITY_INFO,
                .log = "cel",
                .entry = replay->stale_before,
                .what = "another program extended the register just before this record; its own record was "
                        "found and "
                        "judged",
        };

        if (replay->n_beyond && verdict_add(w->judging.verdict, &beyond, err) < 0)
                return -(int)err->kind;
        return replay->stale_before >= 0 ? verdict_add(w->judging.verdict, &writer, err) : 0;
}

/*
 * How many of the log's first entries were judged when they were received: those that lead to the value that
 * is remembered, in this boot. The host cannot choose them, a register only goes on.
 */
static int find_judged_before(struct work *w, size_t n_covered, struct err *err)
{
        const struct continuation *before = w->memory;
        struct cel_log prefix;
        struct cel_replay replay;
        int r;

        w->n_judged_before = w->start.entry;
        if (w->start.entry || !before || w->auth.rebooted || before->cel_entries > n_covered ||
            before->pcr != policy_effective_policy(w->judging.policy)->pcr ||
            before->pcr_value.alg != w->start.value.alg)
                return 0;
        prefix = (struct cel_log){.n = before->cel_entries, .records = w->log->records};
        r = cel_replay(&prefix, &w->start, before->pcr, &before->pcr_value, &replay, err);
        if (r < 0)
                return r;
        if (replay.matched && replay.n_covered == before->cel_entries)
                w->n_judged_before = before->cel_entries;
        return 0;
}

/* Was the entry refused when it was judged? */
static bool was_refused(const struct continuation *before, uint64_t entry)
{
        for (size_t i = 0; i < before->n_measured; i++)
                if (before->measured[i].entry == entry)
                        return before->measured[i].refused;
        return false;
}

/* The key of a measurement's name in a map. */
static void write_key(const struct measured *m, struct buf *out)
{
        buf_reset(out);
        buf_u8(out, m->foreign);
        buf_str(out, m->path ? m->path : "");
        if (!m->path && m->runtime)
                buf_str(out, m->runtime);
}

/* The row takes over the name from the one that had it. */
static int take_name(struct work *w, struct map *names, size_t row, struct err *err)
{
        AUTO(buf_free)
        struct buf key = {0};
        uintptr_t had;

        write_key(&w->rows[row].m, &key);
        if (!buf_ok(&key))
                return err_nomem(err);
        had = (uintptr_t)map_get_bytes(names, VIEW_BUF(&key));
        if (had)
                w->rows[had - 1].m.newest = false;
        w->rows[row].m.newest = true;
        return map_put_bytes(names, VIEW_BUF(&key), (void *)(uintptr_t)(row + 1)) < 0 ? err_nomem(err) : 0;
}

/* A record of the log as a row. */
static int read_row(struct work *w, size_t record, struct judge_row *ret, struct err *err)
{
        const struct cel_record *rec = &w->log->records[record];
        const struct digest *d = cel_record_digest(rec, w->start.value.alg);
        int r;

        if (!d)
                return err_set(err, ERR_BUG, 0, "a replayed record without a digest");
        *ret = (struct judge_row){.m = {.runtime = rec->ours ? rec->runtime : NULL,
                                        .path = rec->revocation ? rec->revocation
                                                : rec->ours     ? rec->path
                                                                : rec->string,
                                        .digest = *d,
                                        .entry = w->start.entry + record,
                                        /* a launch has no place in this log, and no file's name */
                                        .foreign = !rec->ours || (!rec->path && !rec->revocation)}};
        r = judge_ask(&w->judging, ret, err);
        if (r < 0)
                return r;
        ret->m.refused =
                ret->answer == POLICY_DENIED ||
                (ret->answer == POLICY_UNKNOWN &&
                 (ret->m.entry >= w->n_judged_before || (w->memory && was_refused(w->memory, ret->m.entry))));
        return 0;
}

/*
 * A revocation's record measures nothing: what is in the register is computed from its names, and the host's
 * trust is not decided here. One whose digest is another is a measurement under a false name. Return: 1 if it
 * was one; 0; < 0.
 */
static int note_revocation(struct work *w, size_t record, struct err *err)
{
        struct finding f = {
                .code = "revocation-recorded",
                .severity = SEVERITY_INFO,
                .log = "cel",
                .entry = (int64_t)(w->start.entry + record),
                .what = "the register holds the record of a revocation that this host carried out: what is "
                        "sealed to the register opens only after the next boot",
        };
        bool is = false;
        int r = cel_record_is_revocation(&w->log->records[record], w->start.value.alg, &is, err);

        if (r < 0 || !is)
                return r;
        r = verdict_add(w->judging.verdict, &f, err);
        return r < 0 ? r : 1;
}

/* Everything that is remembered, then everything that is new, as rows that were asked about. */
static int make_rows(struct work *w, size_t n_covered, struct map *names, struct err *err)
{
        const struct continuation *before = w->start.entry ? w->in->before : NULL;
        size_t n_before = before ? before->n_measured : 0;
        int r;

        w->rows = mem_zalloc(n_before + n_covered + 1, sizeof(*w->rows));
        if (!w->rows)
                return err_nomem(err);
        for (; w->n_rows < n_before; w->n_rows++) {
                struct judge_row *row = &w->rows[w->n_rows];

                row->m = before->measured[w->n_rows];
                r = judge_ask(&w->judging, row, err);
                if (r < 0)
                        return r;
                if (n_covered && row->m.newest && (r = take_name(w, names, w->n_rows, err)) < 0)
                        return r;
        }
        for (size_t i = 0; i < n_covered; i++) {
                r = note_revocation(w, i, err);
                if (r > 0)
                        continue;
                if (r == 0)
                        r = read_row(w, i, &w->rows[w->n_rows], err);
                if (r < 0)
                        return r;
                w->n_rows++;
                r = take_name(w, names, w->n_rows - 1, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A bundle shows no memory: a superseded measurement that no given policy knows cannot be decided there. */
static int find_history(struct work *w, struct err *err)
{
        for (size_t i = 0; i < w->n_rows; i++) {
                const struct judge_row *row = &w->rows[i];
                struct finding f = {
                        .code = "history-not-shown",
                        .severity = SEVERITY_WARNING,
                        .log = "cel",
                        .entry = (int64_t)row->m.entry,
                        .what = "this measurement was replaced later in this boot, and the policy does not "
                                "list its digest; "
                                "whether it was allowed in its time, the bundle cannot show",
                        .remedy =
                                "give the policy version of that time as well ('--policy NEW --policy OLD')",
                };

                if (row->m.newest || row->answer != POLICY_UNKNOWN)
                        continue;
                if (!w->previous || row->m.entry >= w->previous->cel_entries)
                        continue;
                if (judge_find(&w->judging, VERDICT_INCONCLUSIVE, &f, err) < 0)
                        return -(int)err->kind;
        }
        return 0;
}

/* What has to be remembered: the newest of each name and what was refused. */
static int remember(struct work *w, struct err *err)
{
        for (size_t i = 0; i < w->n_rows; i++) {
                struct measured *m = &w->rows[i].m;
                int r;

                m->refused = m->refused && w->rows[i].answer != POLICY_ALLOWED;
                if (!m->newest && !m->refused)
                        continue;
                r = continuation_add(w->next, m, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int judge_log(struct work *w, const struct cel_replay *replay, struct err *err)
{
        AUTO(map_done)
        struct map names;
        int r;

        map_init(&names, NULL);
        r = find_judged_before(w, replay->n_covered, err);
        if (r < 0)
                return r;
        if (w->offline && w->previous && w->n_judged_before < w->previous->cel_entries)
                w->n_judged_before = w->previous->cel_entries;
        r = make_rows(w, replay->n_covered, &names, err);
        if (r < 0 || (r = judge_rows(&w->judging, w->rows, w->n_rows, err)) < 0 ||
            (r = judge_required(&w->judging, w->rows, w->n_rows, err)) < 0 ||
            (w->offline && (r = find_history(w, err)) < 0))
                return r;
        w->next->pcr_value = replay->value;
        w->next->cel_entries = w->start.entry + replay->n_covered;
        r = remember(w, err);
        if (r == -ERR_LIMIT) {
                continuation_free(TAKE(w->next));
                return find_malformed(w, "more files than can be remembered", err);
        }
        return r;
}

int work_read_log(struct work *w, bool *ret_ok, struct err *err)
{
        const struct policy *p = policy_effective_policy(w->judging.policy);
        const struct digest *quoted = &w->auth.pcrs.v[p->pcr];
        struct err inner = ERR_INIT;
        struct cel_replay replay;
        int r;

        *ret_ok = false;
        if (!w->in->has_log)
                return find_no_log(w, err);
        r = find_start(w, ret_ok, err);
        if (r < 0 || !*ret_ok)
                return r;
        *ret_ok = false;
        r = cel_parse(w->in->log, w->offline ? OFFLINE_RECORDS_MAX : CEL_RECORDS_MAX, &w->log, &inner);
        if (r == -ERR_NOMEM)
                return err_nomem(err);
        if (r < 0)
                return find_malformed(w, inner.text, err);
        r = cel_replay(w->log, &w->start, p->pcr, quoted, &replay, err);
        if (r < 0)
                return r;
        if (!replay.matched)
                return find_not_replayed(w, &replay, quoted, err);
        r = note_replay(w, &replay, err);
        if (r < 0)
                return r;
        *ret_ok = true;
        return judge_log(w, &replay, err);
}
