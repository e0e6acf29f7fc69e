/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_TSS2_PEM_H
#define AVOW_EVIDENCE_TSS2_PEM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"

/*
 * The file form that TPM tools share: "-----BEGIN TSS2 PRIVATE KEY-----" around a DER TPMKey.
 * Spec: ASN.1 Specification for TPM 2.0 Key Files (draft-bottomley-tpm2-keys); OIDs 2.23.133.10.1.x.
 */
enum tss2_type {
        TSS2_LOADABLE = 3,
        TSS2_IMPORTABLE = 4,
        TSS2_SEALED = 5, /* with a secret: to be imported first */
};

#define TSS2_PEM_BYTES_MAX 16384
#define TSS2_STEPS_MAX     8

/* One policy command, parameters in the order of the TPM command, without the session's handle. */
struct tss2_step {
        uint32_t code; /* CC_* */
        struct view parameters;
};

struct tss2_key {
        enum tss2_type type;
        bool empty_auth;
        uint32_t parent; /* a hierarchy (0x4000000b: the EK) or a persistent handle */
        size_t n_steps;
        struct tss2_step steps[TSS2_STEPS_MAX];
        struct view secret;       /* TPM2B_ENCRYPTED_SECRET, or empty */
        struct view description;  /* UTF-8, or empty */
        struct view public_area;  /* TPM2B_PUBLIC */
        struct view private_area; /* TPM2B_PRIVATE; the duplicate if there is a secret */
        bool rsa_parent;
};

/*
 * Reads the one block of a PEM text: nothing but white space around it, strict base64, strict DER, TPM2Bs
 * whose sizes are right. Alternative policies (authPolicy) are refused. RET's views borrow from *RET_BYTES,
 * which the caller frees. Return: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_NOMEM.
 */
int tss2_pem_read(struct view text, struct tss2_key *ret, struct buf *ret_bytes, struct err *err) MUST_USE;

/* Appends the PEM text. Return: 0; -ERR_LIMIT, -ERR_NOMEM. */
int tss2_pem_write(const struct tss2_key *key, struct buf *ret, struct err *err) MUST_USE;

#endif
