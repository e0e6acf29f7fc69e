/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_PREDICT_H
#define AVOW_POLICY_PREDICT_H

#include "policy/policy.h"

/*
 * The values that the measurement register takes under a policy, so that a tenant can seal to one before he
 * has seen the host. One value per admissible history: which files were there at boot, and which were
 * replaced since, because an update in place leaves ext(ext(0,v1),v2) and not ext(0,v2). Spec: SR-18.
 *
 * What is assumed: each file is measured once in the order of the policy, and nobody else extends the
 * register; `foreign` says that the policy allows records of others, which no one can predict.
 */

#define PREDICT_MAX 64

struct prediction {
        struct digest value;
        size_t n_steps;
        const struct policy_digest **steps; /* in the order of the extends; borrowed from the policy */
        size_t n_updates;                   /* how many of them replace an earlier one */
};

struct predictions {
        size_t n;
        struct prediction v[PREDICT_MAX]; /* fewest updates first, the newest digests first */
        bool more;                        /* there are histories beyond PREDICT_MAX */
        bool foreign;                     /* the policy allows records of others too */
};

/* Predicts for digests allowed at NOW_MS. Return: 0; -ERR_NOMEM; -ERR_CRYPTO. */
int policy_predict(const struct policy *p, int64_t now_ms, struct predictions **ret,
                   struct err *err) MUST_USE;
void predictions_free(struct predictions *p);
DEFINE_AUTO(struct predictions, predictions_free)

#endif
