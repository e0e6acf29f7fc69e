/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_RECEIPTS_H
#define AVOW_AGENT_RECEIPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "evidence/receipt.h"
#include "tpm/ak.h"
#include "tpm/context.h"
#include "wire/permit.h"

/*
 * Receipts of launches, in the TPM half: written ahead, signed when a launch ended, kept in STATE/receipts
 * until the verifier has countersigned them. Each step is on the disk before the next:
 *
 *   receipts_begin()   before the module is executed    open-LAUNCH
 *   receipts_end()     how it ended                     ended-LAUNCH
 *                      the quote over the payload       N.receipt
 *                      the head of the chain            chain.json
 *
 * so whatever ends the agent, a launch that was begun has one receipt in the end: at the latest one that says
 * that nobody saw how it ended. A host's chain goes on over restarts and reboots; where it cannot (its head
 * is gone or not ours, another attestation key) a new one begins, which says so. Spec: SR-24.
 */
#define RECEIPTS_KEPT_MAX 1000 /* that wait for the verifier; then no launch is begun */
#define RECEIPTS_BATCH    16   /* in one request */

struct receipts;

/* Reads STATE_DIR/receipts (made if need be). What cannot be read is put aside, and the journal says so.
 * Return: 0; -ERR_IO; -ERR_NOMEM. */
int receipts_new(const char *state_dir, struct receipts **ret, struct err *err) MUST_USE;
void receipts_free(struct receipts *r);
DEFINE_AUTO(struct receipts, receipts_free)

/* The TPM while it is there. All borrowed for the call. */
struct receipts_tpm {
        struct tpm *tpm;
        struct tpm_ak *ak;
        enum digest_alg bank;
        uint32_t mask; /* PCRs that the verifier asks for; the launch PCR is added */
};

/* A launch that is about to be executed. All borrowed for the call. */
struct receipts_start {
        const struct launch *launch;
        const struct permit *permit; /* that allows it; of another launch, if it came from the cache */
        unsigned log_pcr;            /* where its record is */
        uint32_t log_entry;
        const struct receipt_secret *secrets; /* that it is given */
        size_t n_secrets;
        int64_t started_at_ms;
};
/*
 * Return: 0: it is on the disk; -ERR_LIMIT: too many wait for the verifier; -ERR_TPM, -ERR_IO, -ERR_NOMEM;
 * -ERR_BUG for members that are none.
 */
int receipts_begin(struct receipts *r, const struct receipts_tpm *t, const struct receipts_start *start,
                   struct err *err) MUST_USE;

/* How a launch ended. */
struct receipts_end {
        enum receipt_exit exit;
        int code;        /* exit status or signal */
        const char *why; /* RECEIPT_LOST; else NULL */
        bool has_output;
        struct digest output; /* SHA-256 */
        int64_t ended_at_ms;
};
/*
 * Makes the receipt of LAUNCH_ID, and appends it to RET (may be NULL) as it is now: provisional. Return: 0;
 * -ERR_CONFIG: no such launch was begun; -ERR_TPM, -ERR_IO, -ERR_NOMEM: receipts_turn() goes on with it.
 */
int receipts_end(struct receipts *r, const struct receipts_tpm *t, const char *launch_id,
                 const struct receipts_end *end, struct buf *ret, struct err *err) MUST_USE;
/* After a (re)start of whoever runs launches: those that were begun and are not among the N of RUNNING ended
 * unseen, for the reason WHY. Return: as receipts_end(), the first failure. */
int receipts_lost(struct receipts *r, const struct receipts_tpm *t, const char *const *running, size_t n,
                  const char *why, struct err *err) MUST_USE;

/* Signs what is left to sign. Return: 0; the first failure. */
int receipts_turn(struct receipts *r, const struct receipts_tpm *t, struct err *err) MUST_USE;
/* Is there something left for receipts_turn()? How many wait for the verifier? */
bool receipts_unfinished(const struct receipts *r);
size_t receipts_waiting(const struct receipts *r);

/* The request for the verifier (wire/receipts.h): appends the body of up to RECEIPTS_BATCH of those that
 * wait, oldest first. Return: how many; -ERR_IO, -ERR_NOMEM. */
int receipts_ask(struct receipts *r, struct buf *ret, struct err *err) MUST_USE;
/*
 * The verifier's answer to it: those that it has decided about wait no more. Return: how many; -ERR_FORMAT,
 * -ERR_LIMIT for an answer that is none; -ERR_IO, -ERR_NOMEM.
 */
int receipts_take(struct receipts *r, struct view answer, struct err *err) MUST_USE;

#endif
