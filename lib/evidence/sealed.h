/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_SEALED_H
#define AVOW_EVIDENCE_SEALED_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/digest.h"
#include "evidence/pcr.h"
#include "evidence/seal_policy.h"
#include "evidence/tpm_public.h"

/* The public areas of sealed objects and NV indices, and what a sealed object's authPolicy is (SR-6). */

struct sealed_public {
        enum digest_alg name_alg;
        uint32_t attributes;
        struct view auth_policy, unique;
};
/* A TPM2B_PUBLIC of type keyedHash without a scheme. RET's views borrow from IN. Return: 0; -ERR_FORMAT. */
int sealed_public_parse(struct view in, struct sealed_public *ret, struct err *err) MUST_USE;

/*
 * Why a sealed object must not be used, or NULL: userWithAuth set (it ignores its policy), adminWithPolicy
 * not set, no SHA-256 policy.
 */
const char *sealed_refusal(const struct sealed_public *sealed);

/* What an authPolicy was rebuilt as. */
enum sealed_kind {
        SEALED_UNKNOWN, /* cannot be rebuilt: refused */
        SEALED_CHAIN,   /* ours: revocable */
        SEALED_PCR,     /* a plain PolicyPCR: opens again after a reboot and an extend; not revocable */
};

/* What to try: ours if EPOCH_NAME is not empty, plain if PCRS has a mask. */
struct sealed_candidates {
        const struct pubkey *authority;
        struct view policy_ref, epoch_name;
        uint64_t epoch;
        struct pcr_selection pcrs;
        struct digest pcr_digest;
};
struct sealed_verdict {
        enum sealed_kind kind;
        bool revocable;
        const char *refusal; /* NULL: may be used */
};
int sealed_judge(const struct sealed_public *sealed, const struct sealed_candidates *candidates,
                 struct sealed_verdict *ret, struct err *err) MUST_USE;

/* A counter's TPM name, from its public area as SR-11 wants it, WRITTEN set: what tpm_counter_read() must
 * give. AGENT: the key that may increment it. Return: 0; -ERR_CRYPTO. */
int sealed_counter_name(uint32_t index, const struct pubkey *agent, struct tpm_name *ret,
                        struct err *err) MUST_USE;

#endif
