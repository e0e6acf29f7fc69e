/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_ATTESTATION_H
#define AVOW_WIRE_ATTESTATION_H

#include "wire/ask.h"
#include "wire/evidence.h"
#include "wire/meta.h"
#include "wire/wire.h"

/* What became of evidence: the answer to it, and the records that GET …/attestations/:index shows. */

/* No server may make an agent wait longer than this for its next attestation. */
#define WIRE_WAIT_MAX_S 86400

/* The 202. */
struct wire_outcome {
        enum wire_stage stage;
        enum wire_evaluation evaluation;
        bool has_wait;
        int64_t wait_s; /* meta.seconds_to_next_attestation */
        bool has_next;  /* meta.avow.next is there */
        struct wire_next next;
        struct wire_meta meta; /* the rest of meta.avow; encode: borrowed */
};

/* To an avow agent: no echo. HOST and INDEX are those of the evidence, for the links. */
int wire_outcome_encode(const struct wire_outcome *m, const char *host, uint64_t index, struct buf *ret,
                        struct err *err) MUST_USE;
/* Reads ours and Keylime's (whose echo is passed over). Return: 0; a Keylime answer has no next. */
int wire_outcome_decode(struct view body, struct wire_outcome *ret, struct err *err) MUST_USE;
void wire_outcome_done(struct wire_outcome *m);

/* The member "meta" alone, into the object that is open; from it. For what is answered beside. Return: 0;
 * -ERR_FORMAT, -ERR_LIMIT, -ERR_NOMEM: M is for wire_outcome_done() then too. */
void wire_outcome_put_meta(struct json_out *o, const struct wire_outcome *m);
int wire_outcome_read_meta(const json_t *meta, struct wire_outcome *m, struct err *err) MUST_USE;

/* One attestation as it is on record. Everything is borrowed. */
struct wire_attestation {
        const char *host;
        uint64_t index;
        enum wire_stage stage;
        enum wire_evaluation evaluation; /* "inconclusive" is written "pending" for Keylime's readers */
        const char *failure_reason;      /* "broken_evidence_chain", "policy_violation" or NULL */
        int64_t boot_time_ms;
        int64_t received_at_ms;                /* capabilities_received_at */
        int64_t expires_at_ms;                 /* challenges_expire_at; 0 if none */
        int64_t evidence_at_ms;                /* evidence_received_at; 0 if none */
        int64_t completed_at_ms;               /* verification_completed_at; 0 if none */
        const struct wire_asks *asks;          /* chosen parameters; may be NULL */
        const struct wire_capabilities *offer; /* what the host offered; may be NULL */
        const struct wire_evidence *evidence;  /* may be NULL */
};
/* The 202 to a Keylime agent: the whole evidence echoed, meta.seconds_to_next_attestation. */
int wire_attestation_ack_encode(const struct wire_attestation *m, int64_t wait_s, struct buf *ret,
                                struct err *err) MUST_USE;
/* GET …/attestations/:index, and GET …/attestations (N may be 0). */
int wire_attestation_encode(const struct wire_attestation *m, struct buf *ret, struct err *err) MUST_USE;
int wire_attestations_encode(const struct wire_attestation *list, size_t n, const char *host, struct buf *ret,
                             struct err *err) MUST_USE;

#endif
