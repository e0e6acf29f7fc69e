/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_COUNTER_CHECK_H
#define AVOW_EVIDENCE_COUNTER_CHECK_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/pubkey.h"
#include "evidence/tpm_public.h"
#include "evidence/tpm_types.h"

/* What TPM2_NV_Certify of a counter shows. */
struct counter_shown {
        uint64_t value;
        struct tpm_clock clock;
};

/*
 * Is MESSAGE AK's certification of the whole counter INDEX_NAME over QUALIFYING? The name covers attributes
 * and write policy (sealed_counter_name()). KEY is AK's key if it is at hand, or NULL. Return: 0, with
 * *ret_why NULL if it is, else a static text why not (then RET is untouched); -ERR_CRYPTO, -ERR_NOMEM if
 * nothing could be decided. Spec: SR-5, SR-17; TPM 2.0 Library Part 3 §31.16.
 */
int counter_check(const struct tpm_public *ak, const struct pubkey *key, struct view message,
                  struct view signature, struct view qualifying, struct view index_name,
                  struct counter_shown *ret, const char **ret_why, struct err *err) MUST_USE;

#endif
