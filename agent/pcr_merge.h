/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_PCR_MERGE_H
#define AVOW_AGENT_PCR_MERGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "crypto/digest.h"
#include "evidence/cel.h"

/*
 * Two writers, one register: puts the records that somebody else wrote (B) between those that are known
 * already (A), so that the whole replays to what the register holds. Pure.
 */
#define PCR_MERGE_MAX 4096 /* records; with more, B simply follows A */

struct pcr_merge {
        const struct cel_record *
                *order; /* all of A and B; each list keeps its own order. mem, the caller's */
        size_t n;
        bool explains; /* replays to NOW in every bank */
};

/* NOW: the register in N_NOW banks. Return: 0; -ERR_NOMEM, -ERR_CRYPTO. */
int pcr_merge(const struct cel_record *const *a, size_t n_a, const struct cel_record *const *b, size_t n_b,
              const struct digest *now, size_t n_now, struct pcr_merge *ret, struct err *err) MUST_USE;
void pcr_merge_done(struct pcr_merge *m);

/* Where N records lead from zero in one bank. A record without a digest of that bank leaves the value. */
int pcr_replay(const struct cel_record *const *records, size_t n, enum digest_alg bank, struct digest *ret,
               struct err *err) MUST_USE;

#endif
