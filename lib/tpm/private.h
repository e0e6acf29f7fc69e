/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TPM_PRIVATE_H
#define AVOW_TPM_PRIVATE_H

/* What the files of lib/tpm share and nobody else sees: the ESYS side of things. */

#include <tss2/tss2_esys.h>

#include "base/err.h"
#include "base/macro.h"
#include "tpm/context.h"
#include "tpm/ek.h"

struct tpm {
        TSS2_TCTI_CONTEXT *tcti;
        ESYS_CONTEXT *esys;
};

struct tpm_ek {
        struct tpm *tpm;
        enum tpm_ek_type type;
        ESYS_TR handle;
        struct buf public_area, name;
};

/* Sets ERR_TPM with the code and its text. Return: -ERR_TPM. */
int tpm_err(struct err *err, TSS2_RC rc, const char *fmt, ...) PRINTF(3, 4);

/*
 * Runs CALL, which must be a synchronous ESYS call, again while the TPM says "later". ESYS asks 5 times by
 * itself without a pause; a TPM in self-test wants seconds.
 */
#define TPM_CALL(rc, call)                                                                                   \
        do {                                                                                                 \
                struct tpm_wait wait_ = {0};                                                                 \
                do                                                                                           \
                        (rc) = (call);                                                                       \
                while (tpm_wait_again(&wait_, (rc)));                                                        \
        } while (0)

struct tpm_wait {
        unsigned waited_ms, step_ms;
};
bool tpm_wait_again(struct tpm_wait *wait, TSS2_RC rc);

/* Esys_Free() for AUTO, for whatever pointer ESYS gave. */
static inline void tpm_esys_free_p(void *p)
{
        Esys_Free(*(void **)p);
}

/* Flushes an object or session, or only forgets it if the TPM already did. */
void tpm_flush(struct tpm *tpm, ESYS_TR *handle);

/* A handle or session that is flushed when its scope ends: AUTO(tpm_handle_done). */
struct tpm_handle {
        struct tpm *tpm;
        ESYS_TR handle;
};
#define TPM_HANDLE_NONE(t)                                                                                   \
        {                                                                                                    \
                (t), ESYS_TR_NONE                                                                            \
        }
static inline void tpm_handle_done(struct tpm_handle *h)
{
        tpm_flush(h->tpm, &h->handle);
}

/* A policy session that satisfies the EK's policy: PolicySecret(endorsement), and for the high range the OR.
 */
int tpm_ek_policy(struct tpm_ek *ek, struct tpm_handle *ret, struct err *err) MUST_USE;

/* An HMAC session salted to the EK, with AES-128-CFB for parameters. ATTRIBUTES: TPMA_SESSION_*. */
int tpm_salted_session(struct tpm_ek *ek, TPMA_SESSION attributes, struct tpm_handle *ret,
                       struct err *err) MUST_USE;

/* Appends marshalled forms. Return: 0, -ERR_NOMEM, -ERR_BUG. */
int tpm_put_public(struct buf *out, const TPM2B_PUBLIC *in, struct err *err) MUST_USE;
int tpm_put_private(struct buf *out, const TPM2B_PRIVATE *in, struct err *err) MUST_USE;
int tpm_put_signature(struct buf *out, const TPMT_SIGNATURE *in, struct err *err) MUST_USE;

#endif
