/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replaying a log to a quoted register.
 *
 * A log is only believed as a whole: its digests, extended one after the other from a known start, must lead
 * to the value that the TPM signed. Which records are covered must not be the host's choice, so there are
 * just two candidates: all records, or all but the last one, which the agent may have written ahead of its
 * extend (SR-18). A record beyond the quoted value decides nothing; it will be judged when it is covered.
 */
#include "evidence/cel.h"

static int no_match(struct cel_replay *out, const struct cel_start *start, size_t i, const char *why)
{
        out->why = why;
        out->why_entry = (int64_t)(start->entry + i);
        return 0;
}

static bool before_is_stale(const struct cel_record *rec, const struct digest *value)
{
        for (size_t i = 0; i < rec->n_before; i++)
                if (rec->before[i].alg == value->alg)
                        return !digest_equal(&rec->before[i], value);
        return false;
}

static void matched(struct cel_replay *out, size_t n_covered, size_t n, const struct digest *value)
{
        out->matched = true;
        out->n_covered = n_covered;
        out->n_beyond = n - n_covered;
        out->value = *value;
}

static int replay(const struct cel_log *log, const struct cel_start *start, unsigned pcr,
                  const struct digest *quoted, struct cel_replay *out, struct err *err)
{
        struct digest value = start->value, previous = start->value;
        int64_t stale = -1, stale_before_last = -1;

        for (size_t i = 0; i < log->n; i++) {
                const struct cel_record *rec = &log->records[i];
                const struct digest *d = cel_record_digest(rec, value.alg);
                int r;

                if (rec->pcr != pcr)
                        return no_match(out, start, i, "the record is of another register");
                if (!d)
                        return no_match(out, start, i, "the record has no digest of the quoted bank");
                previous = value;
                stale_before_last = stale;
                if (stale < 0 && before_is_stale(rec, &value))
                        stale = (int64_t)(start->entry + i);
                r = digest_extend(&value, digest_view(d), err);
                if (r < 0)
                        return r;
        }
        out->value = value;
        if (digest_equal(&value, quoted)) {
                out->stale_before = stale;
                matched(out, log->n, log->n, &value);
        } else if (log->n && digest_equal(&previous, quoted)) {
                out->stale_before = stale_before_last;
                matched(out, log->n - 1, log->n, &previous);
        } else {
                out->why = "the records do not lead to the quoted value";
        }
        return 0;
}

int cel_replay(const struct cel_log *log, const struct cel_start *start, unsigned pcr,
               const struct digest *quoted, struct cel_replay *ret, struct err *err)
{
        struct cel_replay out = {.stale_before = -1, .why_entry = -1, .value = start->value};
        int r = replay(log, start, pcr, quoted, &out, err);

        if (r < 0)
                return r;
        *ret = out;
        return 0;
}
