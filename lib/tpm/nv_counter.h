/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TPM_NV_COUNTER_H
#define AVOW_TPM_NV_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "crypto/key.h"
#include "tpm/ak.h"
#include "tpm/context.h"
#include "tpm/ek.h"

/*
 * The epoch and floor counters (SR-11): COUNTER, POLICYWRITE, AUTHREAD with an empty auth value, OWNERREAD,
 * NO_DA, never ORDERLY. Who may increment one: the agent's counter key (PolicySigned over the session's
 * nonce) or the owner. A counter that is undefined and defined again goes on above every value that any
 * counter of this TPM ever had. Spec: TPM 2.0 Part 1 §37.2.4 (counters), Part 3 §31.
 */
#define TPM_COUNTER_NAME_BYTES 34

struct tpm_counter {
        bool defined; /* false: there is no such index, and nothing below is set */
        bool written; /* false: never incremented; no value */
        bool fit;     /* attributes, size and write policy are as SR-11 wants them for the agent's key */
        uint8_t name[TPM_COUNTER_NAME_BYTES];
        uint64_t value;
};

/* Reads INDEX. AGENT: the key its write policy should name (NULL: `fit` tells of the attributes alone). */
int tpm_counter_read(struct tpm *tpm, uint32_t index, const struct pubkey *agent, struct tpm_counter *ret,
                     struct err *err) MUST_USE;

/* Who increments. The agent's key if there is one, else the owner, whose auth value may be empty. */
struct tpm_counter_auth {
        const struct key *agent;
        const struct pubkey *agent_public; /* the key that the write policy names; always */
        struct view owner_auth;
};

/*
 * Defines INDEX with owner_auth, and increments it once, so that its name is final. Return: 0 and what it is
 * now; -ERR_TPM with TPM_RC_NV_DEFINED if there is one.
 */
int tpm_counter_define(struct tpm *tpm, struct tpm_ek *ek, uint32_t index,
                       const struct tpm_counter_auth *auth, struct tpm_counter *ret,
                       struct err *err) MUST_USE;
/* Increments, and reads the new value (not below the old one + 1). */
int tpm_counter_increment(struct tpm *tpm, struct tpm_ek *ek, uint32_t index,
                          const struct tpm_counter_auth *auth, uint64_t *ret_value, struct err *err) MUST_USE;
int tpm_counter_undefine(struct tpm *tpm, struct tpm_ek *ek, uint32_t index, struct view owner_auth,
                         struct err *err) MUST_USE;

/* What a counter is against what was recorded at enrolment (or the highest value seen since). */
enum tpm_counter_change {
        TPM_COUNTER_SAME,    /* the recorded index, value as recorded or above */
        TPM_COUNTER_GONE,    /* undefined, or defined anew and never incremented */
        TPM_COUNTER_FOREIGN, /* another index under this number: other attributes or write policy */
        TPM_COUNTER_BELOW,   /* its value went back: an old TPM state was restored (SR-17) */
};
enum tpm_counter_change tpm_counter_compare(const struct tpm_counter *now, struct view recorded_name,
                                            uint64_t highest);

/* TPM2_NV_Certify of the eight bytes by the AK. Return: 0; -ERR_TPM. */
int tpm_ak_certify_counter(struct tpm_ak *ak, uint32_t index, struct view qualifying, struct tpm_signed *ret,
                           struct err *err) MUST_USE;

#endif
