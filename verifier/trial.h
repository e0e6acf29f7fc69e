/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_TRIAL_H
#define AVOW_VERIFIER_TRIAL_H

#include "evidence/bundle.h"
#include "verifier/verifier.h"

/*
 * A policy tried on the last recorded evidence of hosts, one piece at a time, so that a fleet's trial holds
 * up nobody.
 */
struct trial_options {
        const char *policy;                 /* the hosts under this name … */
        const char *only;                   /* … or this host alone; NULL */
        bool passing;                       /* only hosts that pass now */
        int64_t budget_ms;                  /* stop after so long; 0: never */
        size_t enough;                      /* stop after so many that would newly fail; 0: never */
        size_t last;                        /* so many pieces of each host's, the newest first; 0: one */
        struct policy_effective *effective; /* taken over, on failure too */
};

struct trial_sum {
        size_t n_hosts, n_tried; /* all that were to be tried, and those that were */
        size_t n_newly_failing;  /* pass now, and would fail */
        char first[4][81];       /* names of the first of those */
};

/* What the policy makes of one piece of evidence. */
struct trial_result {
        const struct verdict *verdict; /* NULL: nothing is recorded of the host */
        enum verdict_state was;        /* when it came, under the policy then */
        int64_t n, received_at_ms;     /* its number */
        bool newest;
};

/* All of one host's, one after another. Return: 0; < 0 ends the trial: out of memory. */
typedef int (*trial_each_fn)(void *ctx, const struct host *host, const struct trial_result *result);
/* ERR NULL: it is over. */
typedef void (*trial_done_fn)(void *ctx, const struct trial_sum *sum, const struct err *err);

/* EACH may be NULL. Return: 0 if DONE will be called (or was); -kind. */
int trial_start(struct verifier *v, const struct trial_options *options, trial_each_fn each,
                trial_done_fn done, void *ctx, struct err *err) MUST_USE;

#endif
