/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_JUDGE_H
#define AVOW_POLICY_JUDGE_H

#include "evidence/continuation.h"
#include "evidence/pcr.h"
#include "evidence/verdict.h"
#include "policy/effective.h"

/*
 * Judging what is known to be authentic and replayed, by the effective policy. For appraise.c alone. Every
 * function adds findings to the verdict and makes its state worse where one of them is a reason.
 */
struct judging {
        const struct policy_effective *policy;
        struct verdict *verdict;
};

/* One measurement of the host. The texts of `m` are borrowed. */
struct judge_row {
        struct measured m;
        enum policy_answer answer;
        const struct policy_version *version; /* whose answer; NULL with POLICY_UNKNOWN */
        const struct policy_digest *digest;   /* its entry; NULL if a record's text was allowed */
};

/* Adds a finding that changes the state to STATE if that is worse. */
int judge_find(const struct judging *j, enum verdict_state state, const struct finding *f, struct err *err);

/* What a finding is made of while its sentences are written; all zeros is a beginning. */
struct judge_words {
        struct buf what, expected, found, remedy, ref;
};
void judge_words_done(struct judge_words *w);
/* The same with W's sentences (those that are empty are left out) in F. Return: 0; -ERR_NOMEM. */
int judge_find_words(const struct judging *j, enum verdict_state state, struct judge_words *w,
                     struct finding f, struct err *err) MUST_USE;

/* Asks the policy about row->m: fills answer, version, digest. Return: 0; -ERR_CRYPTO. */
int judge_ask(const struct judging *j, struct judge_row *row, struct err *err) MUST_USE;

/* Judges the rows, which were asked about: those that are newest of their name or refused. */
int judge_rows(const struct judging *j, const struct judge_row *rows, size_t n, struct err *err) MUST_USE;

/* Is every runtime that the policy requires there, by digest, among the newest rows? */
int judge_required(const struct judging *j, const struct judge_row *rows, size_t n, struct err *err) MUST_USE;

/* Are the fixed PCRs what they must be? All of them are in VALUES. */
int judge_pcrs(const struct judging *j, const struct pcr_values *values, struct err *err) MUST_USE;

#endif
