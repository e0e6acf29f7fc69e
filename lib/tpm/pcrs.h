/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TPM_PCRS_H
#define AVOW_TPM_PCRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/digest.h"
#include "tpm/context.h"

/*
 * PCR banks, reading and extending. A bank is *active* for a PCR if the TPM allocates that PCR in it. Every
 * active bank that this program can compute a digest for is extended; an active one that it cannot compute is
 * a start-up error, because its PCR would stay open to anybody's history.
 */
#define TPM_N_PCRS    24
#define TPM_MAX_BANKS 8

struct tpm_bank {
        uint16_t alg;  /* TPM_ALG_ID */
        uint32_t mask; /* allocated PCRs 0-23, bit i = PCR i; 0 = inactive */
        bool computable;
};
struct tpm_banks {
        size_t n;
        struct tpm_bank v[TPM_MAX_BANKS];
};
int tpm_banks_read(struct tpm *tpm, struct tpm_banks *ret, struct err *err) MUST_USE;

/* A bank's name: "sha256", "sm3_256", or "0x0027" for one unknown here (written into RET). */
const char *tpm_bank_name(uint16_t alg, char ret[16]);

/* The banks that are used, by ascending algorithm id. */
struct tpm_bank_set {
        size_t n;
        enum digest_alg v[TPM_MAX_BANKS];
};

/*
 * Chooses the banks to extend PCR in. WANTED (names) empty: all active ones. Pure.
 *
 * Return: 0; -ERR_CONFIG if an active bank cannot be computed and WANTED is empty, if a wanted one is unknown
 * or not active, or if neither sha256 nor sha384 is among them. The text names tpm.banks and what to do.
 */
int tpm_banks_choose(const struct tpm_banks *have, const char *const *wanted, size_t n_wanted, unsigned pcr,
                     struct tpm_bank_set *ret, struct err *err) MUST_USE;

/* The one bank for quotes: sha256, else sha384. */
enum digest_alg tpm_banks_quoted(const struct tpm_bank_set *set);

/* PCRs of one bank; value[i] is there if bit i of mask is set. */
struct tpm_pcr_values {
        enum digest_alg bank;
        uint32_t mask;
        struct digest value[TPM_N_PCRS];
};

/* Reads the PCRs of MASK. Return: 0; -ERR_TPM also if the TPM lacks one of them. */
int tpm_pcrs_read(struct tpm *tpm, enum digest_alg bank, uint32_t mask, struct tpm_pcr_values *ret,
                  struct err *err) MUST_USE;

/* Reads one PCR in every bank of SET, all at one moment (the TPM's update counter is watched). */
int tpm_pcr_read_banks(struct tpm *tpm, unsigned pcr, const struct tpm_bank_set *set,
                       struct digest ret[TPM_MAX_BANKS], struct err *err) MUST_USE;

/* Extends PCR with one digest for each bank. Banks not named stay as they are. */
int tpm_pcr_extend(struct tpm *tpm, unsigned pcr, const struct digest *digests, size_t n,
                   struct err *err) MUST_USE;

#endif
