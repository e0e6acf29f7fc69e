/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_IMPORT_BLOB_H
#define AVOW_CRYPTO_IMPORT_BLOB_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "base/mem.h"
#include "crypto/credential.h"
#include "crypto/digest.h"

/*
 * A sealed object made without a TPM, for TPM2_Import under the EK of a host that cannot be reached now
 * (SR-10: under the EK itself, whose certificate was checked before). Only that TPM opens it. There is no
 * inner wrapper; the outer one is the EK's, so the secret is in clear in this process and in that TPM alone.
 * Spec: TPM 2.0 Part 1 §23.3 (duplication), annexes B.10.3, C.7.3; Part 2 §12.3.7; Part 3, TPM2_Import.
 */
#define SEALED_BYTES_MAX 128 /* MAX_SYM_DATA of every TPM */

struct import_blob {
        struct buf public_area; /* TPM2B_PUBLIC */
        struct buf duplicate;   /* TPM2B_PRIVATE */
        struct buf seed;        /* TPM2B_ENCRYPTED_SECRET */
};
void import_blob_done(struct import_blob *blob);

/*
 * The object has POLICY (SHA-256) as its only key: no auth value counts, userWithAuth is clear,
 * adminWithPolicy and noDA are set. Return: 0; -ERR_LIMIT for an empty secret or one over SEALED_BYTES_MAX;
 * -ERR_FORMAT for an EK that cannot be used so; -ERR_CRYPTO, -ERR_NOMEM.
 */
int import_blob_make(const struct credential_ek *ek, struct view secret, const struct digest *policy,
                     struct import_blob *ret, struct err *err) MUST_USE;

#endif
