/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TPM_AK_H
#define AVOW_TPM_AK_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "tpm/ek.h"
#include "tpm/pcrs.h"

/*
 * The attestation key: a restricted signing key that is a child of the EK, so it lives in the endorsement
 * hierarchy and dies with it. noDA: attestation works in lockout. Its random auth value is known to this
 * process alone and never crosses the bus in the clear: it is used in HMAC sessions that are salted to the
 * EK. Spec: SR-10, SR-11; TPM 2.0 Part 1, 19 (sessions), 27 (templates).
 */
enum tpm_ak_type {
        TPM_AK_P256,    /* ECDSA P-256, SHA-256 */
        TPM_AK_RSA2048, /* RSASSA-PKCS1-v1_5 2048, SHA-256 */
};
/* "p256", "rsa2048" */
bool tpm_ak_type_by_name(const char *name, enum tpm_ak_type *ret) MUST_USE;
const char *tpm_ak_type_name(enum tpm_ak_type type);

/* An AK as it is kept in a file. Only this TPM, with the same EK, can load it. */
struct tpm_ak_blob {
        enum tpm_ak_type type;
        struct buf public_area;  /* TPM2B_PUBLIC */
        struct buf private_area; /* TPM2B_PRIVATE: encrypted by the TPM */
        struct buf ek_name;
        struct secret auth; /* 32 random bytes */
};
void tpm_ak_blob_done(struct tpm_ak_blob *blob);

/* Makes a new AK under EK. */
int tpm_ak_create(struct tpm *tpm, struct tpm_ek *ek, enum tpm_ak_type type, struct tpm_ak_blob *ret,
                  struct err *err) MUST_USE;

struct tpm_ak;

/*
 * Loads an AK (one transient object and two sessions until freed; EK may be freed afterwards).
 * Return: 0; -ERR_TPM if this TPM cannot load it: another EK, or the endorsement hierarchy was cleared.
 */
int tpm_ak_load(struct tpm *tpm, struct tpm_ek *ek, const struct tpm_ak_blob *blob, struct tpm_ak **ret,
                struct err *err) MUST_USE;
void tpm_ak_free(struct tpm_ak *ak);
DEFINE_AUTO(struct tpm_ak, tpm_ak_free)

/* TPM2B_PUBLIC and the name; borrowed from AK. */
struct view tpm_ak_public(const struct tpm_ak *ak);
struct view tpm_ak_name(const struct tpm_ak *ak);

/*
 * Opens a credential that was made for this EK and AK. ID_OBJECT and SECRET are the contents of
 * TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET, without their sizes. Return: 0 and the credential's bytes;
 * -ERR_TPM, with code TPM_RC_INTEGRITY's text if it was made for others. Spec: TPM 2.0 Part 3,
 * TPM2_ActivateCredential; EK Credential Profile policies A and B.
 */
int tpm_ak_activate(struct tpm_ak *ak, struct tpm_ek *ek, struct view id_object, struct view secret,
                    struct secret *ret, struct err *err) MUST_USE;

/* What the AK signed: TPMS_ATTEST and TPMT_SIGNATURE. */
struct tpm_signed {
        struct buf message, signature;
};
void tpm_signed_done(struct tpm_signed *s);

/* At most 64 bytes of qualifying data in each. */
int tpm_ak_certify_self(struct tpm_ak *ak, struct view qualifying, struct tpm_signed *ret,
                        struct err *err) MUST_USE;
int tpm_ak_time(struct tpm_ak *ak, struct view qualifying, struct tpm_signed *ret, struct err *err) MUST_USE;

/*
 * Quotes the PCRs of MASK in BANK, and reads their values; done again until the values are those of the quote
 * (another process may extend in between).
 */
int tpm_ak_quote(struct tpm_ak *ak, enum digest_alg bank, uint32_t mask, struct view qualifying,
                 struct tpm_signed *ret, struct tpm_pcr_values *ret_values, struct err *err) MUST_USE;

#endif
