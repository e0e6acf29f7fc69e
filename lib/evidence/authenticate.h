/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_AUTHENTICATE_H
#define AVOW_EVIDENCE_AUTHENTICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "evidence/continuation.h"
#include "evidence/counters.h"
#include "evidence/pcr.h"
#include "evidence/tpm_public.h"
#include "evidence/tpm_types.h"
#include "evidence/verdict.h"

/*
 * Is this evidence the host's own, made for this challenge, and new? Everything before the logs and the
 * policy.
 *
 * Not authentic (VERDICT_REFUSED, SR-4): not signed by the AK, another challenge, another selection than was
 * asked for, PCR values that the quote does not cover. Then nothing of it may be used.
 * Authentic, but the TPM went back (counters or clock fell): inconclusive, and `next` must not be kept
 * (SR-14). Authentic, but the clock disagrees with ours: no verdict; ask again at once (`ask_again`).
 * Anything else: the state is untouched, and notes may have been added.
 */

struct clock_tolerance {
        int64_t base_ms;  /* 5000 */
        unsigned percent; /* 35 */
};
#define CLOCK_TOLERANCE_DEFAULT ((struct clock_tolerance){5000, 35})

/* The longest that an immediate challenge may have been out: its deadline of 5 s, and the wall clock's slew.
 */
#define IMMEDIATE_MS_MAX 6000

struct evidence {
        const struct tpm_public *ak; /* the enrolled one */
        const struct pubkey *ak_key; /* its key if it is at hand, or NULL */
        struct view message;         /* TPMS_ATTEST of the quote */
        struct view signature;       /* TPMT_SIGNATURE over it */
        const struct pcr_values *pcrs;
        struct view time_message; /* TPM2_GetTime, empty if not sent */
        struct view time_signature;
        struct counters_claim counters; /* its key is empty if they were not sent */
};

struct expectation {
        struct view qualifying;                 /* what the quote's extraData must be */
        struct pcr_selection asked;             /* PCR 16 alone may stand beside it */
        bool want_time;                         /* evidence without TPM2_GetTime is refused */
        bool want_counters;                     /* judge the counters; false: they are not looked at */
        const struct counters_record *counters; /* what is remembered of them, or NULL */
        bool immediate;         /* the challenge lived seconds (the times below have to show it): it proves
                                   freshness by itself, so clock disagreement is a note and the clock's new
                                   value is believed */
        int64_t issued_at_ms;   /* when the challenge was sent */
        int64_t received_at_ms; /* when the evidence arrived */
        struct clock_tolerance tolerance;
        const struct previous *previous; /* the last authentic quote of this host, or NULL */
};

struct authenticated {
        struct previous next;   /* becomes the continuation's `last`; cel_entries is the appraisal's to set */
        struct pcr_values pcrs; /* the signed ones alone */
        uint64_t firmware_version;       /* of the TPM, as signed */
        bool rebooted;                   /* reset or restart count moved on: logs begin at entry 0 again */
        struct counters_record counters; /* to be remembered; with `rolled_back`, what was */
        bool rolled_back;                /* counters or clock fell: `next` must not be kept */
        bool ask_again;                  /* send an immediate challenge */
};

/*
 * Judges E. Findings go into V, whose state becomes VERDICT_REFUSED or VERDICT_INCONCLUSIVE (rolled back, ask
 * again) as above and is untouched otherwise. *ret_authentic false: RET is all zeros. Return: 0; -ERR_NOMEM,
 * -ERR_CRYPTO if nothing could be decided. Spec: SR-4, SR-13, SR-14.
 */
int evidence_authenticate(const struct evidence *e, const struct expectation *x, struct verdict *v,
                          bool *ret_authentic, struct authenticated *ret, struct err *err) MUST_USE;

/*
 * Proof of possession at the start of a session: TPM2_Certify of AK by itself over QUALIFYING.
 * Return: 0 with the answer, and if it is no, why (static text) in *ret_why; -ERR_NOMEM, -ERR_CRYPTO.
 * Spec: Keylime v3 §sessions; SR-13.
 */
int possession_check(const struct tpm_public *ak, struct view message, struct view signature,
                     struct view qualifying, bool *ret_good, const char **ret_why, struct err *err) MUST_USE;

#endif
