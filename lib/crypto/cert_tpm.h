/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_CERT_TPM_H
#define AVOW_CRYPTO_CERT_TPM_H

#include "base/macro.h"
#include "crypto/cert.h"

/*
 * What an EK certificate says about its TPM: the directory name in its subject alternative name.
 * Spec: TCG EK Credential Profile 2.x §3.2.9: tcg-at-tpmManufacturer (2.23.133.2.1), -Model (.2), -Version
 * (.3).
 */
#define CERT_TPM_TEXT_BYTES 64

struct cert_tpm {
        char maker[CERT_TPM_TEXT_BYTES]; /* "id:494E5443": four characters of the TCG vendor registry, in hex
                                          */
        char model[CERT_TPM_TEXT_BYTES];
        char version[CERT_TPM_TEXT_BYTES];
};

/* Fills RET; what is missing, or too long, or not printable ASCII, is "". */
void cert_tpm_read(const struct cert *cert, struct cert_tpm *ret);

/*
 * "emulated" (swtpm, IBM's and Microsoft's simulators), "vtpm" (a cloud's or hypervisor's), "hardware" (a
 * maker with an entry in the registry), "unknown". Believe it only of a certificate whose chain was checked:
 * it is what the issuer says. Spec: SR-17.
 */
const char *cert_tpm_class(const struct cert_tpm *tpm);

#endif
