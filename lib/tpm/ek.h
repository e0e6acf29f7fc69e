/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TPM_EK_H
#define AVOW_TPM_EK_H

#include <stdbool.h>

#include "base/bytes.h"
#include "tpm/context.h"

/*
 * The endorsement key: made anew from a TCG template whenever it is needed, so it costs no NV and no
 * persistent handle, and is the same key each time until somebody clears the endorsement hierarchy (which is
 * a new identity). Its certificate, if the vendor put one there, is read from NV. Spec: TCG EK Credential
 * Profile for TPM 2.0, 2.5: templates L-1, L-2, H-3; NV indices in table 2.
 */
enum tpm_ek_type {
        TPM_EK_RSA2048, /* L-1 */
        TPM_EK_P256,    /* L-2 */
        TPM_EK_P384,    /* H-3 (high range) */
};

/* "rsa2048", "p256", "p384". Return: false if NAME is none of them. */
bool tpm_ek_type_by_name(const char *name, enum tpm_ek_type *ret) MUST_USE;
const char *tpm_ek_type_name(enum tpm_ek_type type);

struct tpm_ek;

/* Makes and loads the EK (one transient object until freed). Slow on hardware for RSA: up to a minute. */
int tpm_ek_load(struct tpm *tpm, enum tpm_ek_type type, struct tpm_ek **ret, struct err *err) MUST_USE;
void tpm_ek_free(struct tpm_ek *ek);
DEFINE_AUTO(struct tpm_ek, tpm_ek_free)

enum tpm_ek_type tpm_ek_type(const struct tpm_ek *ek);
/* TPM2B_PUBLIC, and the name; borrowed from EK. */
struct view tpm_ek_public(const struct tpm_ek *ek);
struct view tpm_ek_name(const struct tpm_ek *ek);

/* The EK certificate (DER, padding cut off) appended to RET; nothing appended if NV holds none. */
int tpm_ek_certificate(struct tpm *tpm, enum tpm_ek_type type, struct buf *ret, struct err *err) MUST_USE;
/* The chain certificates from NV 0x01C00100-0x01C001FF: concatenated DER appended to RET, maybe nothing. */
int tpm_ek_chain(struct tpm *tpm, struct buf *ret, struct err *err) MUST_USE;

#endif
