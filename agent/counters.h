/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_COUNTERS_H
#define AVOW_AGENT_COUNTERS_H

#include <stdbool.h>

#include "agent/conf.h"
#include "agent/identity.h"
#include "base/bytes.h"
#include "crypto/key.h"
#include "evidence/seal_policy.h"
#include "tpm/ak.h"
#include "tpm/nv_counter.h"

/*
 * This host's epoch and floor counters (SR-11), and the key that increments them: counter.key in the state
 * directory, P-256, made once. A host without counters attests all the same, but nothing can be sealed to it.
 */
struct counters {
        struct key *key;
        struct pubkey *public;
        struct buf spki;                 /* of it, DER */
        bool usable;                     /* both are there, ours, and have a value */
        struct tpm_counter epoch, floor; /* as they were read or incremented last */
};

/*
 * Loads the key and reads the counters; makes what is missing. With verifier.peer: keylime there are none.
 * What stands in the way for good (an index that is another's, an owner password that we were not given) is
 * logged, and RET is not usable. Return: 0; -ERR_TPM if the TPM is lost; -ERR_IO, -ERR_CRYPTO,
 * -ERR_NOMEM.
 */
int counters_load(struct counters *ret, struct tpm *tpm, const struct identity *id,
                  const struct agent_config *config, struct err *err) MUST_USE;
void counters_done(struct counters *c);

/* Who increments them; borrows from C, which must be usable. */
struct tpm_counter_auth counters_auth(const struct counters *c);

/* TPM2_NV_Certify of both. Return: 0; -ERR_TPM. */
int counters_certify(struct counters *c, struct tpm_ak *ak, struct view qualifying,
                     struct tpm_signed *ret_epoch, struct tpm_signed *ret_floor, struct err *err) MUST_USE;

/*
 * Increments the floor until it is TARGET or more; c->floor has the value then. Return: 0; -ERR_LIMIT if that
 * would take more than COUNTERS_RAISE_MAX increments (nothing was done); -ERR_CONFIG without counters;
 * -ERR_TPM.
 */
#define COUNTERS_RAISE_MAX 1024 /* approvals are at most 1000 above the floor */
int counters_raise_floor(struct counters *c, struct tpm *tpm, uint64_t target, struct err *err) MUST_USE;

#endif
