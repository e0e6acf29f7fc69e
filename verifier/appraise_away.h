/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_APPRAISE_AWAY_H
#define AVOW_VERIFIER_APPRAISE_AWAY_H

#include "verifier/attest.h"

/* Lists longer than this are judged beside the loop: to judge one so long takes some 300 us. */
#define AWAY_BYTES (64u * 1024)

/* R was judged, N and ERR as appraise(); or N is -ERR_IO because the verifier stops. */
typedef void (*away_done_fn)(struct round *r, int n, struct err *err);
/*
 * Appraises IN for HOST on a worker thread, with copies of what is the host's, and calls DONE on the loop.
 * The host must not be judged meanwhile (host->busy). POLICY is that of IN. Return: 0; as workers_do(), with
 * nothing called.
 */
int appraise_away(struct round *r, const struct host *host, const struct appraisal *in,
                  const struct policy_effective *policy, away_done_fn done, struct err *err) MUST_USE;

#endif
