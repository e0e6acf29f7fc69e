/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_PLAY_RECEIPT_H
#define AVOW_TESTS_PLAY_RECEIPT_H

#include "crypto/cert.h"
#include "crypto/trust.h"
#include "evidence/receipt.h"
#include "evidence/receipt_countersign.h"
#include "support/play_tpm.h"

/*
 * A host, the registrar that certified its key, the verifier, and a receipt of a launch: the module's bytes
 * are "module", its input "input" and its output "output", each without an end of line; the nonce is 010203.
 * Calls assert by themselves. Link tests/support/libplaytpm.la before the evidence and crypto libraries.
 */
#define PLAY_HOST "edge-7"
#define PLAY_NOW  1795000000000

struct play_receipt {
        struct play_tpm tpm;
        struct key *ca_key, *verifier;
        struct pubkey *verifier_public;
        struct cert *ca;
        struct trust *trust;
        struct receipt r;      /* to be changed, and signed again */
        struct receipt_file f; /* certified, signed, countersigned */
};

void play_receipt_begin(struct play_receipt *w);
void play_receipt_end(struct play_receipt *w);
/* The TPM signs what R says, over the PCRs of MASK. */
void play_receipt_sign_mask(struct play_receipt *w, uint32_t mask);
void play_receipt_sign(struct play_receipt *w);
/* The verifier says that. */
void play_receipt_countersign(struct play_receipt *w, enum receipt_status status);

#endif
