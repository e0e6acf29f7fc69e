/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of the appraisal that belongs to the kernel's measurement list: where it has to begin, whether it
 * leads to the quoted PCR 10, and what its entries mean under the policy.
 *
 * Two walks: the first finds the prefix that the quote covers and hashes, the second judges that prefix and
 * nothing else. The list is read while the kernel goes on measuring, so it is usually longer than the quote;
 * one that is shorter, or was changed, does not lead there: it is asked for once more in full and then leaves
 * the host undecided (SR-4).
 *
 * Looking back is as for the agent's log (appraise_log.c): what was judged in its time is told by the
 * register value remembered from then, never by the host. Spec: SR-15, SR-16.
 */
#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "policy/ima_work.h"

static void ima_work_done(struct ima_work *iw)
{
        for (size_t i = 0; i < iw->n_rows; i++)
                free(iw->rows[i].k.name);
        free(iw->rows);
        for (size_t i = 0; i < iw->n_learned; i++) {
                free(iw->learned[i].keyring);
                ima_keys_free(iw->learned[i].keys);
        }
        free(iw->learned);
        map_done(&iw->by_name);
        ima_watch_done(&iw->watch);
}

uint64_t appraisal_ima_offset(const struct continuation *before, const struct policy_effective *policy)
{
        const struct ima_memory *m = before ? before->ima : NULL;

        if (!m || m->whole || !digest_equal(&before->effective_policy, policy_effective_digest(policy)) ||
            m->pcr != WORK_IMA_PCR || m->value.alg != policy_effective_policy(policy)->bank)
                return 0;
        return m->entries;
}

/* ---- what cannot be judged ---- */

static int find_no_list(struct work *w, struct err *err)
{
        static const struct finding f = {
                .code = "ima-log-missing",
                .severity = SEVERITY_ERROR,
                .log = "ima",
                .entry = FINDING_NO_ENTRY,
                .what = "the policy judges what the kernel measured, and the evidence has no measurement "
                        "list",
                .expected = "evidence of type ima_log",
                .remedy = "on the host: check that the kernel has IMA "
                          "('ls /sys/kernel/security/integrity/ima') and that the agent may read its list "
                          "('logs: {ima: …}'); 'avow host prepare' says what is missing",
        };
        int r = judge_find(&w->judging, VERDICT_INCONCLUSIVE, &f, err);

        return r < 0 ? r
                     : ima_trust_nothing(w, "there is no list that could show that the kernel measures", err);
}

static int find_only_end(struct work *w, struct err *err)
{
        struct finding f = {
                .code = "ima-log-incomplete",
                .severity = SEVERITY_WARNING,
                .log = "ima",
                .entry = (int64_t)w->in->ima_first,
                .what = "the kernel's list has to be read from its first entry, because the host restarted "
                        "or the policy changed, and only its end was sent",
                .remedy = "nothing: it is asked for in full at once",
        };

        return work_undecided(w, APPRAISAL_ASK_FULL_LOG, &f, err);
}

static int find_malformed(struct work *w, const char *why, struct err *err)
{
        struct finding f = {
                .code = "ima-log-malformed",
                .severity = SEVERITY_ERROR,
                .log = "ima",
                .entry = FINDING_NO_ENTRY,
                .what = "the kernel's measurement list cannot be read",
                .found = why,
                .expected = "the kernel's binary list, or its text, of templates that are known",
                .remedy = "it is asked for once more in full; if this stays, compare with "
                          "/sys/kernel/security/integrity/ima/binary_runtime_measurements on the host "
                          "('avow evidence show --ima FILE')",
        };

        return work_undecided(w, APPRAISAL_ASK_FULL_LOG, &f, err);
}

/* Does the list go on from the value that was remembered? Then it is another kernel's. */
static bool is_after_kexec(const struct ima_work *iw, struct err *err)
{
        const struct ima_memory *m = iw->w->memory ? iw->w->memory->ima : NULL;
        struct ima_start start = {.known = false};
        struct ima_replay replay;

        if (!m || iw->before || iw->w->auth.rebooted ||
            m->value.alg != policy_effective_policy(iw->policy)->bank)
                return false;
        start.value = m->value;
        return ima_replay(&iw->list, &start, WORK_IMA_PCR, &iw->w->auth.pcrs.v[WORK_IMA_PCR], &replay, err) >=
                       0 &&
               replay.matched && replay.covered;
}

static int find_not_replayed(struct ima_work *iw, struct err *err)
{
        char expected[2 * DIGEST_BYTES_MAX + 1], found[2 * DIGEST_BYTES_MAX + 1];
        struct work *w = iw->w;
        struct finding f = {
                .code = "ima-log-not-replayed",
                .severity = SEVERITY_ERROR,
                .log = "ima",
                .entry = (int64_t)(iw->list.first + iw->replay.n),
                .what = "the kernel's list does not lead to the quoted value of PCR 10: entries are missing "
                        "or were changed, or something else extended the register",
                .expected = hex_write(expected, digest_view(&w->auth.pcrs.v[WORK_IMA_PCR])),
                .found = hex_write(found, digest_view(&iw->replay.value)),
                .remedy = "it is asked for once more in full; if this stays, reboot the host: register and "
                          "list begin anew",
        };
        struct err inner = ERR_INIT;

        if (is_after_kexec(iw, &inner)) {
                f.code = "kexec-without-list";
                f.what = "another kernel was started by kexec and did not go on with the list: what the "
                         "first one measured is known no more, and nothing shows that this one may run";
                f.remedy = "reboot the host by its firmware ('systemctl reboot', not 'systemctl kexec')";
        }
        return work_undecided(w, APPRAISAL_ASK_FULL_LOG, &f, err);
}

/* ---- replay ---- */

/* A number of a register is small: the binary form begins with a byte and three zeros, the text with
 * digits. */
static enum ima_form form_of(struct view list)
{
        return list.len >= 4 && list.p[1] == 0 && list.p[2] == 0 && list.p[3] == 0 ? IMA_BINARY : IMA_TEXT;
}

/* Return: 1 if the list leads to the quote, 0 with a finding; < 0. */
static int replay(struct ima_work *iw, struct err *err)
{
        struct work *w = iw->w;
        const struct digest *quoted = &w->auth.pcrs.v[WORK_IMA_PCR];
        const struct ima_memory *m = w->memory ? w->memory->ima : NULL;
        struct ima_start start = {.known = false};
        struct err inner = ERR_INIT;
        int r;

        iw->list = (struct ima_list){.form = form_of(w->in->ima),
                                     .log_hash = DIGEST_SHA1,
                                     .bytes = w->in->ima,
                                     .first = w->in->ima_first};
        digest_zero(quoted->alg, &start.value);
        if (iw->before) {
                start.value = iw->before->value;
                start.known = iw->before->extended_known;
                start.extended = iw->before->extended;
        } else if (m && !w->auth.rebooted && m->pcr == WORK_IMA_PCR && m->value.alg == quoted->alg) {
                start.mark = m->entries;
                start.mark_value = m->value;
        }
        r = ima_replay(&iw->list, &start, WORK_IMA_PCR, quoted, &iw->replay, &inner);
        if (r == -ERR_FORMAT || r == -ERR_LIMIT)
                r = find_malformed(w, inner.text, err);
        else if (r < 0)
                *err = inner;
        else if (!iw->replay.matched)
                r = find_not_replayed(iw, err);
        else
                return 1;
        return r < 0 ? r : 0;
}

/* ---- judging ---- */

/* What the next round goes on from. */
static void begin_memory(struct ima_work *iw)
{
        const struct ima_memory *b = iw->before;
        const struct ima_replay *p = &iw->replay;
        struct ima_memory *next = iw->next;

        next->pcr = WORK_IMA_PCR;
        next->value = p->value;
        next->entries = iw->list.first + p->covered;
        next->bytes = (b ? b->bytes : 0) + p->covered_bytes;
        next->extended = p->extended;
        next->extended_known = (b && b->extended_known) || p->covered > p->violations;
        next->violations = b ? b->violations : 0;
        next->first_violation = b ? b->first_violation : 0;
        next->facts = b ? b->facts : 0;
        iw->w->out->ima_bytes = p->covered_bytes;
}

static int begin_judging(struct ima_work *iw, struct err *err)
{
        const struct work *w = iw->w;

        iw->next = iw->w->next->ima = ima_memory_new();
        if (!iw->next)
                return err_nomem(err);
        begin_memory(iw);
        if (iw->before) {
                buf_put_view(&iw->next->required_seen, VIEW_BUF(&iw->before->required_seen));
                if (!buf_ok(&iw->next->required_seen))
                        return err_nomem(err);
                iw->n_judged_before = iw->list.first;
        } else if (iw->replay.mark_met) {
                iw->n_judged_before = w->memory->ima->entries;
        }
        if (w->offline && w->previous && iw->n_judged_before < w->previous->ima_entries)
                iw->n_judged_before = w->previous->ima_entries;
        if (w->boot.has_command_line)
                iw->line_covers = policy_effective_command_line_covers(iw->policy, w->boot.command_line);
        return iw->replay.covered ? ima_watch_make(iw, err) : 0;
}

/* As many as can be judged together; text has to be judged entry by entry, as the reader's room for it is
 * one. What was read before an error counts. Return: as ima_next(), ima_subject_make(). */
static int read_subjects(struct ima_work *iw, struct ima_reader *reader, struct ima_subject *subjects,
                         size_t *ret_n, struct err *err)
{
        const size_t most = iw->list.form == IMA_BINARY ? IMA_SUBJECTS_MAX : 1;
        struct ima_entry e;
        int r = 1;

        for (*ret_n = 0; r > 0 && *ret_n<most; *ret_n += r> 0) {
                r = ima_next(reader, &e, err);
                if (r > 0 && ima_subject_make(iw, &e, &subjects[*ret_n], err) < 0)
                        r = -ERR_FORMAT;
        }
        return r;
}

static int judge_entries(struct ima_work *iw, struct err *err)
{
        AUTO(ima_reader_free_p) struct ima_reader *reader = NULL;
        struct ima_subject subjects[IMA_SUBJECTS_MAX];
        struct ima_list covered = iw->list;
        struct err inner = ERR_INIT;
        size_t n;
        int r, read = 1;

        covered.bytes.len = iw->replay.covered_bytes;
        covered.checked = true;
        r = ima_reader_new(&covered, &reader, err);
        while (r >= 0 && read > 0) {
                read = read_subjects(iw, reader, subjects, &n, &inner);
                r = ima_judge_subjects(iw, subjects, n, err);
        }
        if (r >= 0 && read < 0) {
                *err = inner;
                return read;
        }
        return r;
}

/* A bundle shows no memory: what was replaced and is not known cannot be decided there. */
static int find_history(struct ima_work *iw, struct err *err)
{
        static const struct finding f = {
                .code = "history-not-shown",
                .severity = SEVERITY_WARNING,
                .log = "ima",
                .entry = FINDING_NO_ENTRY,
                .what = "files in the kernel's list were replaced later in this boot, and the policy does "
                        "not list their digests; whether they were allowed in their time, the bundle cannot "
                        "show",
                .remedy = "give the policy version of that time as well ('--policy NEW --policy OLD')",
        };

        for (size_t i = 0; iw->w->offline && !iw->w->memory && i < iw->n_rows; i++)
                if (!iw->rows[i].counts &&
                    (iw->rows[i].answer == IMA_UNKNOWN || iw->rows[i].answer == IMA_ELSEWHERE))
                        return judge_find(&iw->w->judging, VERDICT_INCONCLUSIVE, &f, err);
        return 0;
}

static int judge(struct ima_work *iw, bool *ret_ok, struct err *err)
{
        struct err inner = ERR_INIT;
        int r = begin_judging(iw, err);

        if (r >= 0)
                r = ima_judge_remembered(iw, err);
        if (r < 0)
                return r;
        r = judge_entries(iw, &inner);
        if (r == -ERR_FORMAT || r == -ERR_LIMIT) { /* a field that means nothing */
                *ret_ok = false;
                return find_malformed(iw->w, inner.text, err);
        }
        if (r < 0) {
                *err = inner;
                return r;
        }
        r = ima_judge_end(iw, err);
        if (r >= 0)
                r = ima_say_rows(iw, err);
        if (r >= 0)
                r = ima_say_violations(iw, err);
        if (r >= 0)
                r = ima_trust(iw, err);
        iw->w->ima_shows_runs = ima_covers(iw) & POLICY_COVERS_EXEC;
        return r < 0 ? r : find_history(iw, err);
}

int appraise_ima(struct work *w, bool *ret_ok, struct err *err)
{
        AUTO(ima_work_done)
        struct ima_work iw = {.w = w, .policy = w->judging.policy};
        uint64_t expected = w->auth.rebooted ? 0 : appraisal_ima_offset(w->in->before, w->in->policy);
        int r;

        *ret_ok = false;
        map_init(&iw.by_name, NULL);
        if (!w->in->has_ima)
                return find_no_list(w, err);
        if (w->in->ima_first != 0 && w->in->ima_first != expected)
                return find_only_end(w, err);
        if (w->in->ima_first)
                iw.before = w->in->before->ima;
        r = replay(&iw, err);
        if (r <= 0)
                return r;
        *ret_ok = true;
        return judge(&iw, ret_ok, err);
}
