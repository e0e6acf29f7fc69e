/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_EVIDENCE_H
#define AVOW_WIRE_EVIDENCE_H

#include <jansson.h>

#include "wire/wire.h"

/* The evidence itself: PATCH /v3.0/agents/:id/attestations/:index (or …/latest). Bytes, not yet believed. */

/* A counter as its TPM certified it: not yet believed, the number of its index neither. */
struct wire_counter {
        uint32_t index;
        struct buf message, signature; /* TPMS_ATTEST, TPMT_SIGNATURE */
};

struct wire_evidence_item {
        enum wire_evidence_type type;
        /* WIRE_TPM_QUOTE */
        struct buf message;      /* TPMS_ATTEST */
        struct buf signature;    /* TPMT_SIGNATURE */
        struct buf pcrs;         /* Keylime's PCR blob */
        struct buf time_message; /* avow.time_message: TPMS_ATTEST of TPM2_GetTime; empty if absent */
        struct buf time_signature;
        /* avow.epoch, avow.floor (TPM2_NV_Certify) and avow.counter_key; all empty, or none is */
        struct wire_counter epoch, floor;
        struct buf counter_key; /* DER SubjectPublicKeyInfo of the key that may increment them */
        /* logs */
        struct buf entries; /* the log's bytes: JSON-seq, text, or binary */
        bool has_count;
        uint64_t entry_count;
        bool binary;          /* WIRE_IMA_LOG: the kernel's binary list, not its text (avow.format) */
        bool has_total;       /* avow.entry_total: */
        uint64_t entry_total; /* entries that the log had when it was read, sent or not: a claim */
        /* a processor's evidence is in ENTRIES; empty: the host could make none */
        struct buf table, manifest; /* avow.table, avow.manifest, as in struct tee_shown */
};

struct wire_evidence {
        struct wire_evidence_item item[WIRE_ITEMS_MAX];
        size_t n;
};

/* The first item of TYPE, or NULL. */
const struct wire_evidence_item *wire_evidence_find(const struct wire_evidence *m,
                                                    enum wire_evidence_type type);

/* The processor's evidence, borrowed from M. Return: false if there is none. */
bool wire_evidence_tee(const struct wire_evidence *m, struct tee_shown *ret) MUST_USE;

int wire_evidence_encode(const struct wire_evidence *m, struct buf *ret, struct err *err) MUST_USE;
/* Two items of one kind, and kinds that we never ask for, are -ERR_FORMAT. */
int wire_evidence_decode(struct view body, struct wire_evidence *ret, struct err *err) MUST_USE;
void wire_evidence_done(struct wire_evidence *m);

/* For the messages that echo evidence: one item's `data`. Not for use outside lib/wire. */
json_t *wire_evidence_data_to_json(const struct wire_evidence_item *item);
int wire_evidence_data_from_json(const json_t *data, struct wire_evidence_item *item,
                                 struct err *err) MUST_USE;

#endif
