/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_WORK_H
#define AVOW_POLICY_WORK_H

#include "evidence/cel.h"
#include "policy/appraise.h"
#include "policy/judge.h"

/* The inside of the appraisal: for appraise.c and appraise_log.c alone. */

/* One appraisal under way. */
struct work {
        const struct appraisal *in;
        struct appraisal_result *out;
        struct judging judging;
        struct authenticated auth;
        struct continuation *next;
        const struct continuation *memory; /* what was judged in its time */
        bool offline;
        const struct previous *previous; /* of a bundle, if there is no memory */

        /* The log. */
        struct cel_log *log;
        struct cel_start start;
        uint64_t n_judged_before; /* entries that were judged when first received */
        struct judge_row *rows;
        size_t n_rows;
};

/* Adds a finding that leaves the verdict undecided, for a reason that asking again may remove. */
int work_undecided(struct work *w, enum appraisal_ask ask, const struct finding *f, struct err *err) MUST_USE;

/* Reads the log, replays it to the quoted value, judges it, and fills w->next. *RET_OK: it was judged; else
 * the verdict is undecided, or a failure of what could be judged. */
int work_read_log(struct work *w, bool *ret_ok, struct err *err) MUST_USE;

#endif
