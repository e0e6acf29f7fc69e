/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_TPM_ATTEST_H
#define AVOW_EVIDENCE_TPM_ATTEST_H

#include "base/bytes.h"
#include "base/err.h"
#include "evidence/pcr.h"
#include "evidence/tpm_public.h"
#include "evidence/tpm_types.h"

/*
 * What a TPM signs: TPMS_ATTEST. Reading one proves nothing; see authenticate.h for what does.
 * Spec: TPM 2.0 Library Part 2 rev 1.59 §10.12.
 */

#define TPM_ATTEST_BYTES_MAX 2304 /* sizeof(TPMS_ATTEST) in TPMs with 64-byte digests, rounded up */

enum attest_type {
        ATTEST_NV = 0x8014,
        ATTEST_CERTIFY = 0x8017,
        ATTEST_QUOTE = 0x8018,
        ATTEST_TIME = 0x8019,
};

struct tpm_attest {
        enum attest_type type;
        struct view qualified_signer; /* a name */
        struct view extra_data;       /* the challenge */
        struct tpm_clock clock;
        uint64_t firmware_version;
        union {
                struct {
                        struct pcr_selection_list select;
                        struct view digest;
                } quote;
                struct {
                        struct view name, qualified_name;
                } certify;
                struct {
                        uint64_t time_ms; /* since power-on; ClockSet does not move it */
                        struct tpm_clock clock;
                        uint64_t firmware_version;
                } time;
                struct {
                        struct view index_name;
                        uint16_t offset;
                        struct view contents;
                } nv;
        };
};

/* Nothing may follow. RET's views borrow from IN. Return: 0; -ERR_FORMAT; -ERR_LIMIT. */
int tpm_attest_parse(struct view in, struct tpm_attest *ret, struct err *err) MUST_USE;

/* Appends the bytes of A to OUT (ask buf_ok()): parsing them gives A again. */
void tpm_attest_write(const struct tpm_attest *a, struct buf *out);

/* A word for people: "quote", "certify" … */
const char *attest_type_name(enum attest_type type);

/*
 * Verification by rebuilding: IN with its challenge, and for a quote selection and digest, replaced by what
 * we expect, is written again and must be IN to the byte. So what is compared is what the TPM signed, and no
 * mistake of the parser can hide between the two. SELECT and PCR_DIGEST are for quotes, NAME for certify.
 */
struct attest_expected {
        enum attest_type type;
        struct view extra_data;
        const struct pcr_selection *select;
        const struct digest *pcr_digest;
        const struct tpm_name *name;
};

/* Return: 0 with the answer; -ERR_FORMAT if IN is malformed; -ERR_NOMEM. */
int tpm_attest_is(struct view in, const struct attest_expected *expected, bool *ret_same,
                  struct err *err) MUST_USE;

#endif
