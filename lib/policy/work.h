/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_WORK_H
#define AVOW_POLICY_WORK_H

#include "evidence/boot_memory.h"
#include "evidence/cel.h"
#include "policy/appraise.h"
#include "policy/judge.h"

/* The inside of the appraisal: for appraise*.c alone. */

/*
 * What the firmware's event log showed of this boot, now or when it was read. Every fact is one that a digest
 * covers, in a register whose quoted value the log leads to: nothing here is the log's mere word.
 */
struct boot_facts {
        uint32_t explained;           /* PCRs whose quoted values the log leads to */
        enum boot_switch secure_boot; /* as the firmware measured it */
        bool kernel_allowed;          /* what was loaded as the kernel is allowed by the policy */
        bool command_line_allowed;    /* so is its command line */
        bool has_command_line;
        struct view command_line; /* borrowed from the log or from what is remembered */
};

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

        struct boot_facts boot; /* all zero without a boot log */
        char *boot_line;        /* its command line, if it was made here */

        /* The log. */
        struct cel_log *log;
        struct cel_start start;
        uint64_t n_judged_before; /* entries that were judged when first received */
        struct judge_row *rows;
        size_t n_rows;

        bool ima_shows_runs; /* the kernel's list shows what is executed */
};

/* PCR of the kernel's measurement list. */
#define WORK_IMA_PCR 10u

/* Adds a finding that leaves the verdict undecided, for a reason that asking again may remove. */
int work_undecided(struct work *w, enum appraisal_ask ask, const struct finding *f, struct err *err) MUST_USE;

/* Reads the log, replays it to the quoted value, judges it, and fills w->next. *RET_OK: it was judged; else
 * the verdict is undecided, or a failure of what could be judged. */
int work_read_log(struct work *w, bool *ret_ok, struct err *err) MUST_USE;

/* Reads and judges the boot log, or recalls what it showed; fills w->boot and w->next->boot. *RET_OK as
 * above. */
int appraise_boot(struct work *w, bool *ret_ok, struct err *err) MUST_USE;
/* Has it to be asked for? */
bool appraisal_needs_boot_log(const struct continuation *before, const struct policy_effective *policy);

/* The same for the kernel's measurement list, and w->next->ima. After the boot log. */
int appraise_ima(struct work *w, bool *ret_ok, struct err *err) MUST_USE;
/* The runtimes in the kernel's list and those in the agent's, compared both ways. After both were judged. */
int appraise_runtimes(struct work *w, struct err *err) MUST_USE;

/* appraise_launch.c: the log of launches and the permits, and w->next->launches. *RET_OK as above. */
int appraise_launches(struct work *w, bool *ret_ok, struct err *err) MUST_USE;

/* appraise_tee.c: the processor's evidence, if it is demanded; fills the verdict's statement. */
int appraise_tee(struct work *w, struct err *err) MUST_USE;
/* The kinds of which one is demanded, as a set; 0: none is. */
unsigned appraisal_tee_kinds(const struct policy_effective *policy);

#endif
