/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_PCK_H
#define AVOW_EVIDENCE_PCK_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/cert.h"

/*
 * What a PCK certificate says about its platform: the SGX extension 1.2.840.113741.1.13.1.
 * Spec: Intel SGX PCK Certificate and Certificate Revocation List Profile, SGX extensions.
 */
#define PCK_COMPONENTS 16

struct pck {
        uint8_t fmspc[6], pceid[2];
        uint8_t components[PCK_COMPONENTS]; /* SGX TCB component SVNs */
        uint16_t pcesvn;
        uint8_t cpu_svn[16];
};

/*
 * Parts that do not matter here may be absent or new; those of struct pck must be there, each once. Return:
 * 0; -ERR_FORMAT, naming the part.
 */
int pck_parse(struct view extension, struct pck *ret, struct err *err) MUST_USE;
/* Of a certificate. -ERR_FORMAT also when it has no such extension, or several. */
int pck_of_cert(const struct cert *cert, struct pck *ret, struct err *err) MUST_USE;

#endif
