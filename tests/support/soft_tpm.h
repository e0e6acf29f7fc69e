/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_SOFT_TPM_H
#define AVOW_TESTS_SOFT_TPM_H

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/digest.h"
#include "evidence/pcr.h"
#include "evidence/tpm_types.h"

/*
 * A host's TPM played with OpenSSL keys, for load: thousands of them fit into a process. It has an ECC P-256
 * EK (template L-2) without a certificate, an ECDSA P-256 AK, one SHA-256 bank, a clock that runs with the
 * wall clock, and answers what an agent asks. Correctness is tested with real TPMs (swtpm); this only has to
 * be accepted like one.
 */
struct soft_tpm;

int soft_tpm_new(struct soft_tpm **ret, struct err *err) MUST_USE;
void soft_tpm_free(struct soft_tpm *t);
DEFINE_AUTO(struct soft_tpm, soft_tpm_free)

/* TPM2B_PUBLIC; the AK's TPMT_PUBLIC and name. Borrowed. */
struct view soft_tpm_ek(const struct soft_tpm *t);
struct view soft_tpm_ak(const struct soft_tpm *t);
struct view soft_tpm_ak_tpmt(const struct soft_tpm *t);
struct view soft_tpm_ak_name(const struct soft_tpm *t);

/* TPM2_ActivateCredential on the contents of TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET: appends the
 * credential. */
int soft_tpm_activate(struct soft_tpm *t, struct view id_object, struct view secret, struct buf *ret,
                      struct err *err) MUST_USE;

/* TPM2_PCR_Extend in the SHA-256 bank. */
int soft_tpm_extend(struct soft_tpm *t, unsigned pcr, const struct digest *digest, struct err *err) MUST_USE;
/* TPM2_PCR_Read of MASK. */
void soft_tpm_read(const struct soft_tpm *t, uint32_t mask, struct pcr_values *ret);

/* TPM2_Certify of the AK by itself, TPM2_Quote over MASK, TPM2_GetTime: append TPMS_ATTEST and
 * TPMT_SIGNATURE. */
int soft_tpm_certify_ak(struct soft_tpm *t, struct view qualifying, struct buf *ret_message,
                        struct buf *ret_signature, struct err *err) MUST_USE;
int soft_tpm_quote(struct soft_tpm *t, struct view qualifying, uint32_t mask, struct buf *ret_message,
                   struct buf *ret_signature, struct err *err) MUST_USE;
int soft_tpm_time(struct soft_tpm *t, struct view qualifying, struct buf *ret_message,
                  struct buf *ret_signature, struct err *err) MUST_USE;

#endif
