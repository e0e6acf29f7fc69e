/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TPM_AK_PRIVATE_H
#define AVOW_TPM_AK_PRIVATE_H

/* The loaded AK, for the files that sign with it. */

#include "base/bytes.h"
#include "tpm/ak.h"
#include "tpm/private.h"

struct tpm_ak {
        struct tpm *tpm;
        struct tpm_handle key;
        struct tpm_handle session, second; /* both salted; the second for commands that name the key twice */
        struct buf public_area, name;
};

/* Qualifying data as the TPM takes it (at most 64 bytes); what was signed, as it is given away. */
int tpm_ak_qualifying(struct view in, TPM2B_DATA *ret, struct err *err) MUST_USE;
int tpm_ak_give(const TPM2B_ATTEST *message, const TPMT_SIGNATURE *signature, struct tpm_signed *ret,
                struct err *err) MUST_USE;

#endif
