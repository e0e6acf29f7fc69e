/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_COUNTERS_H
#define AVOW_EVIDENCE_COUNTERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/json_out.h"
#include "base/macro.h"
#include "evidence/tpm_public.h"
#include "evidence/tpm_types.h"
#include "evidence/verdict.h"

/*
 * The epoch and floor counters of a host (SR-11) in its evidence (SR-17): what it claims, what is remembered,
 * and whether the one goes on from the other. A counter of a TPM never falls, so one that did is the state of
 * a virtual TPM that somebody restored, and with it everything that a wipe took away.
 */
#define COUNTERS_KEY_MAX 128 /* DER SubjectPublicKeyInfo of a P-256 key: 91 */

/* As it arrived. KEY empty: the evidence has none. */
struct counter_claim {
        uint32_t index;
        struct view message, signature; /* TPM2_NV_Certify of its eight bytes */
};
struct counters_claim {
        struct view key; /* DER SubjectPublicKeyInfo of the key that may increment them */
        struct counter_claim epoch, floor;
};

/* What is remembered of a host: by value, no memory of its own. */
struct counter_record {
        uint32_t index;
        struct tpm_name name; /* rebuilt from index and key, so attributes and write policy are known */
        uint64_t value;       /* the highest that the TPM certified */
};
struct counters_record {
        bool known; /* false: nothing was ever shown, and nothing below is set */
        uint8_t key[COUNTERS_KEY_MAX];
        size_t key_len;
        struct counter_record epoch, floor;
};

/* What index numbers and key make of them: names, and no values. Return: 0; -ERR_FORMAT for a KEY that is no
 * P-256 key in DER, or one index twice; -ERR_CRYPTO, -ERR_NOMEM. */
int counters_set(struct counters_record *ret, struct view key, uint32_t epoch_index, uint32_t floor_index,
                 struct err *err) MUST_USE;

/* {"epoch": {"index", "name", "value"}, "floor": {…}, "key": BASE64}; "name" in hex. */
void counters_put(struct json_out *o, const char *name, const struct counters_record *c);
/* Strict; the names are rebuilt and must be those. Return: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_CRYPTO. */
int counters_from_json(const json_t *j, struct counters_record *ret, struct err *err) MUST_USE;

struct evidence;
struct expectation;

/*
 * Judges the counters of E, whose quote is authentic and said CLOCK. RET is what to remember from now on:
 * what was (x->counters), with values that moved on. *ret_went_back: undecided (VERDICT_INCONCLUSIVE, with a
 * finding), and nothing of this round may be remembered. Return: 1; 0: refused (VERDICT_REFUSED); -ERR_NOMEM,
 * -ERR_CRYPTO. Spec: SR-4, SR-11, SR-17.
 */
int counters_judge(const struct evidence *e, const struct expectation *x, const struct tpm_clock *clock,
                   struct verdict *v, struct counters_record *ret, bool *ret_went_back,
                   struct err *err) MUST_USE;

#endif
