/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_TPM_TYPES_H
#define AVOW_EVIDENCE_TPM_TYPES_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The numbers of the TPM 2.0 library that evidence is read with. lib/evidence reads a TPM's structures as
 * bytes and links no TPM library, so it has names of its own.
 * Spec: TPM 2.0 Library Part 2 rev 1.59 (§ beside each); TCG Algorithm Registry.
 */
enum {
        ALG_RSA = 0x0001,
        ALG_AES = 0x0006,
        ALG_NULL = 0x0010,
        ALG_RSASSA = 0x0014,
        ALG_RSAPSS = 0x0016,
        ALG_ECDSA = 0x0018,
        ALG_ECC = 0x0023,
        ALG_CFB = 0x0043,
};

/* TPMA_OBJECT, Part 2 §8.3 */
enum {
        OBJ_FIXED_TPM = 1u << 1,
        OBJ_ST_CLEAR = 1u << 2,
        OBJ_FIXED_PARENT = 1u << 4,
        OBJ_SENSITIVE_DATA_ORIGIN = 1u << 5,
        OBJ_USER_WITH_AUTH = 1u << 6,
        OBJ_ADMIN_WITH_POLICY = 1u << 7,
        OBJ_NO_DA = 1u << 10,
        OBJ_ENCRYPTED_DUPLICATION = 1u << 11,
        OBJ_RESTRICTED = 1u << 16,
        OBJ_DECRYPT = 1u << 17,
        OBJ_SIGN = 1u << 18,
        OBJ_X509_SIGN = 1u << 19,
};

/* TPMS_CLOCK_INFO, Part 2 §10.11.1. The clock is the TPM's own: ms of powered time, which its owner can move
 * forward (TPM2_ClockSet) and slow or speed by 14 % (TPM2_ClockRateAdjust). */
struct tpm_clock {
        uint64_t clock_ms;
        uint32_t reset_count;   /* TPM resets: boots */
        uint32_t restart_count; /* resumes and restarts since the last reset */
        bool safe;              /* false: the clock may be older than one reported before */
};

#endif
