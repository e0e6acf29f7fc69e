/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TPM_PARENT_H
#define AVOW_TPM_PARENT_H

/* A storage key that sealed objects are children of, and what authorises its use. For lib/tpm itself. */

#include "tpm/private.h"

struct tpm_parent {
        ESYS_TR handle; /* the EK's, or owned's */
        ESYS_TR auth;   /* a session, or ESYS_TR_PASSWORD with an empty value */
        struct tpm_handle owned, session;
        bool persistent; /* owned is to be closed, not flushed */
};

/* The EK, with its policy fulfilled: one session until tpm_parent_done(), good for one command. */
int tpm_parent_ek(struct tpm_ek *ek, struct tpm_parent *ret, struct err *err) MUST_USE;
/* 0x81……: a persistent key; 0x40000001: the ECC P-256 storage key of the owner. Auth empty. */
int tpm_parent_open(struct tpm *tpm, uint32_t handle, struct tpm_parent *ret, struct err *err) MUST_USE;
void tpm_parent_done(struct tpm_parent *parent);

#endif
