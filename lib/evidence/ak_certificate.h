/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_AK_CERTIFICATE_H
#define AVOW_EVIDENCE_AK_CERTIFICATE_H

#include <stdbool.h>

#include "base/err.h"
#include "evidence/tpm_public.h"

#define AK_CERTIFICATE_CHARS_MAX 16384

/*
 * Does the certificate PEM speak of AK, as HOST's? The key, the host's name and the attributes in it must be
 * these; that the registrar signed it is for the caller to check, who knows the registrar's CA. Return: 0
 * with the answer, and if it is no, why (static text); -ERR_CRYPTO, -ERR_NOMEM. Spec: SR-10.
 */
int ak_certificate_fits(const char *pem, const char *host, const struct tpm_public *ak, bool *ret_fits,
                        const char **ret_why, struct err *err) MUST_USE;

#endif
