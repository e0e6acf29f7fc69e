/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_SVSM_H
#define AVOW_EVIDENCE_SVSM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "evidence/tpm_public.h"

/*
 * The manifest of a Secure VM Service Module (SVSM): what runs below the guest's kernel at VMPL 0, among it
 * the virtual TPM, which is known by its endorsement key. The SVSM itself asks for the report, with report
 * data over the asker's nonce and the manifest, so a guest above it has no say in which TPM stands there.
 * Either all services, a table, or the virtual TPM's own part alone. Spec: AMD 58019 rev 1.00 §7.1, §8.3.1.
 */
#define SVSM_MANIFEST_BYTES_MAX (1u << 16)
#define SVSM_SERVICES_MAX       64
#define SVSM_NONCE_BYTES_MAX    64

/* Views borrowed from the manifest's bytes. */
struct svsm_manifest {
        struct view bytes;
        size_t n_services; /* of a table; 0: the virtual TPM's part alone */
        bool has_ek;
        struct tpm_public ek; /* the virtual TPM's */
};
/*
 * Services unknown here are kept as bytes. Refused: parts that lie outside or in the table or in each other,
 * a service that stands twice. Return: 0; -ERR_FORMAT, naming the place; -ERR_LIMIT.
 */
int svsm_manifest_parse(struct view in, struct svsm_manifest *ret, struct err *err) MUST_USE;

/* The report data that the SVSM has put together: SHA-512 over nonce and manifest. Return: 0; -ERR_CRYPTO. */
int svsm_report_data(struct view nonce, const struct svsm_manifest *manifest, struct digest *ret,
                     struct err *err) MUST_USE;

#endif
