/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TPM_CONTEXT_H
#define AVOW_TPM_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macro.h"

/*
 * A connection to one TPM. lib/tpm is the only code of avow that links the TPM stack (ESYS), and only a
 * privileged process uses it. Nothing here needs a resource manager or more than 3 transient objects; every
 * handle and session is an object whose free flushes it. Calls block; a TPM that answers "later"
 * (TPM_RC_RETRY, _YIELDED, _TESTING) is asked again for up to TPM_PATIENCE_MS.
 */
#define TPM_PATIENCE_MS 20000

struct tpm;

/*
 * Opens the TPM behind a TCTI string ("device:/dev/tpmrm0", "swtpm:path=/run/x.sock", "mssim:host=…,port=…")
 * and checks that it answers. Where no resource manager stands between (tpm_has_manager()), objects and
 * sessions that a crashed predecessor left are flushed.
 *
 * Return: 0; -ERR_TPM if there is no TPM there or it does not answer (the text says what to check),
 * -ERR_NOMEM. Spec: TCG ESYS 1.00; TCG TCTI 1.00.
 */
int tpm_open(const char *tcti, struct tpm **ret, struct err *err) MUST_USE;
void tpm_free(struct tpm *tpm);
DEFINE_AUTO(struct tpm, tpm_free)

/* True if the TCTI string leads to a resource manager (tpmrm, tabrmd) or may do so. */
bool tpm_has_manager(const char *tcti);

/* The connection is gone (TPM or simulator stopped): free everything and open again. */
bool tpm_err_is_lost(const struct err *err);
/* The TPM forgot a handle or session (reset, flushed by another): load keys again on the same connection. */
bool tpm_err_is_stale(const struct err *err);

/* TPM_RC_INITIALIZE: for those who find out by other means that the TPM was reset; it counts as stale. */
#define TPM_CODE_RESET 0x100

/* What a response code means, as words: "tpm:session(1):the authorization HMAC check failed". Borrowed from
 * RET (at least 160 bytes). */
const char *tpm_rc_text(uint32_t rc, char *ret, size_t size);

/* Who made the TPM, and how it is: for the log and for `status`. */
struct tpm_info {
        char manufacturer[5]; /* "IBM", "INTC", …; unprintable bytes shown as '?' */
        char vendor[17];
        uint64_t firmware;
        bool lockout;              /* dictionary attack lockout: avow's keys are noDA and go on working */
        bool endorsement_auth_set; /* the endorsement hierarchy has a password: avow cannot use its EK */
        bool owner_auth_set, lockout_auth_set;
        uint32_t lockout_counter;
};
int tpm_info_read(struct tpm *tpm, struct tpm_info *ret, struct err *err) MUST_USE;

/* TPM time. Spec: TPM 2.0 Part 2, TPMS_TIME_INFO. */
struct tpm_counters {
        uint64_t time_ms;  /* since the TPM was powered; nobody can set it */
        uint64_t clock_ms; /* over power cycles; the owner can move it forward */
        uint32_t reset, restart;
        bool safe;
};
int tpm_clock_read(struct tpm *tpm, struct tpm_counters *ret, struct err *err) MUST_USE;

#endif
