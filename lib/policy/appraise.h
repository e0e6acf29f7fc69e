/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_APPRAISE_H
#define AVOW_POLICY_APPRAISE_H

#include "evidence/authenticate.h"
#include "evidence/bundle.h"
#include "evidence/continuation.h"
#include "evidence/tee_types.h"
#include "evidence/verdict.h"
#include "policy/effective.h"
#include "policy/ledger.h"

/*
 * The appraisal: there is one, for the verifier's every round and for `avow evidence verify` years later.
 *
 *   authenticate (AK, challenge, counters, clock) → replay the logs to the quoted registers → policy →
 * verdict
 *
 * Pure: bytes and times in, a verdict with findings and the next continuation out.
 */
struct appraisal {
        const struct evidence *evidence;
        const struct expectation *expectation; /* its `previous` is taken from `before` if that is given */
        const struct policy_effective *policy; /* made for the time of judging */
        const struct continuation *before;     /* what is remembered of this host, or NULL */
        bool has_log;                          /* a cel_log came with the evidence (it may be empty) */
        struct view log;                       /* its records, */
        uint64_t log_first;                    /* from this entry on: what was asked for and sent */
        bool has_ima;                          /* the kernel's measurement list came */
        struct view ima;                       /* in either of its forms, */
        uint64_t ima_first;                    /* from this entry on */
        bool has_uefi;                         /* the firmware's event log came, */
        struct view uefi;                      /* whole */
        bool has_tee;                          /* evidence of the processor came, */
        struct tee_shown tee;                  /* or was asked for in vain: it is empty then */
        bool tee_not_asked;                    /* it was not asked for, and might be had */
        const struct digest *ek;             /* of the host, SPKI's SHA-256, by the registrar's proof; NULL */
        struct view challenge;               /* as it was sent: what that evidence has to name */
        const struct tee_trust *tee_trust;   /* what vouches for processors; NULL: nothing */
        struct dcap_warm *tee_warm;          /* this thread's, for quotes; or NULL */
        bool has_launch_log;                 /* the log of launches came */
        struct view launch_log;              /* its records, */
        uint64_t launch_first;               /* from this entry on, */
        unsigned launch_pcr;                 /* of this register */
        const struct ledger_permit *permits; /* of this host, that are open */
        size_t n_permits;
        bool asked_again; /* the logs were already asked for a second time, in full */
};

/* What the verifier has to ask for before there can be a verdict. */
enum appraisal_ask {
        APPRAISAL_ASK_NOTHING = 0,
        APPRAISAL_ASK_NOW,      /* a new challenge with a deadline of seconds (SR-14) */
        APPRAISAL_ASK_FULL_LOG, /* the same, and all logs from entry 0 (SR-4, SR-16) */
};

struct appraisal_result {
        /*
         * PASS or FAIL: the host's new verdict. REFUSED: nothing is known, the challenge stays outstanding.
         * INCONCLUSIVE: with an `ask`, it becomes the host's verdict only if asking did not help.
         */
        struct verdict *verdict;
        struct continuation *next; /* replaces `before`; NULL: keep `before` as it is */
        enum appraisal_ask ask;
        uint64_t firmware_version;       /* of the TPM, as signed; 0 if refused */
        struct counters_record counters; /* to be remembered, unless refused */
        struct ledger_mark *marks;       /* what became of permits; they hold if `next` replaces `before` */
        size_t n_marks;
        size_t ima_bytes; /* so many of in->ima the quote covers; the rest decides nothing */
};

void appraisal_result_done(struct appraisal_result *r);

/*
 * Appraises. RET is zeroed first and owned by the caller (appraisal_result_done). Return: 0 with a verdict,
 * whatever the peer sent; -ERR_NOMEM, -ERR_CRYPTO if nothing could be decided.
 * Spec: SR-4, SR-14, SR-15 (bank), SR-16, SR-18.
 */
int appraise(const struct appraisal *in, struct appraisal_result *ret, struct err *err) MUST_USE;

/*
 * Appraises a bundle under POLICY, made for the time that is asked about (the bundle's received_at_ms, if
 * nothing else is). MEMORY is what a verifier remembers of the host, for what was judged in its time, or
 * NULL: then a superseded measurement that no given policy knows is inconclusive, because no bundle can show
 * that it was allowed. TRUST vouches for the processor's evidence in it, or NULL. EK is the host's, as in
 * struct appraisal: a bundle shows none. Return: 0; -ERR_FORMAT for a bundle whose AK or ids are none;
 * -ERR_NOMEM, -ERR_CRYPTO.
 */
int appraise_bundle(const struct bundle *b, const struct policy_effective *policy,
                    const struct continuation *memory, const struct tee_trust *trust, const struct digest *ek,
                    struct verdict **ret, struct err *err) MUST_USE;

/*
 * The logs that the next round needs, and the entries from which they have to be asked for, given what is
 * remembered (or NULL) and the policy in force then: 0 if that policy is another one. Keep what is remembered
 * all the same: it tells what was judged in its time (SR-16).
 */
struct appraisal_needs {
        bool cel, ima, uefi;
        unsigned tee; /* 1 << enum tee_kind: evidence of the processor of one of these kinds */
        uint64_t cel_first, ima_first;
        uint64_t launch_first; /* of the log of launches, if the host has one */
};
void appraisal_needs(const struct continuation *before, const struct policy_effective *policy,
                     struct appraisal_needs *ret);
uint64_t appraisal_log_offset(const struct continuation *before, const struct policy_effective *policy);
uint64_t appraisal_ima_offset(const struct continuation *before, const struct policy_effective *policy);

#endif
