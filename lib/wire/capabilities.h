/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_CAPABILITIES_H
#define AVOW_WIRE_CAPABILITIES_H

#include <jansson.h>

#include "wire/wire.h"

/* What a host says it can show: POST /v3.0/agents/:id/attestations. All of it is a claim. */

struct wire_quote_offer {
        bool offered;
        uint16_t hashes[WIRE_LIST_MAX]; /* those we know, in the host's order */
        size_t n_hashes;
        uint16_t schemes[WIRE_LIST_MAX];
        size_t n_schemes;
        struct wire_banks subjects; /* PCRs there are, by bank */
        /* The key whose server_identifier is "ak", as the host describes it. */
        bool ecc; /* key_algorithm: "ecc", otherwise "rsa" */
        uint16_t key_bits;
        uint8_t ak_name[WIRE_NAME_MAX];
        size_t ak_name_len;
        struct buf ak_public; /* TPMT_PUBLIC, without size prefix */
        uint16_t key_hashes[WIRE_LIST_MAX];
        size_t n_key_hashes;
        uint16_t key_schemes[WIRE_LIST_MAX];
        size_t n_key_schemes;
};

struct wire_log_offer {
        bool offered;
        bool partial; /* supports_partial_access */
        bool appendable;
        bool has_count;
        uint64_t entry_count;
        bool own_format; /* formats holds the one media type that all agents send of this log */
        uint8_t pcr;     /* of a launch_log: the register that it is of (avow.pcr) */
        bool binary; /* of an ima_log: formats holds WIRE_TYPE_OCTETS, the kernel's binary list (ours do) */
};

struct wire_capabilities {
        uint32_t avow_version; /* meta.avow.version; 0 from a Keylime agent */
        int64_t boot_time_ms;  /* system_info.boot_time */
        struct wire_quote_offer quote;
        struct wire_log_offer log[WIRE_N_EVIDENCE_TYPES]; /* by type; [WIRE_TPM_QUOTE] is unused */
};

int wire_capabilities_encode(const struct wire_capabilities *m, struct buf *ret, struct err *err) MUST_USE;
int wire_capabilities_decode(struct view body, struct wire_capabilities *ret, struct err *err) MUST_USE;
void wire_capabilities_done(struct wire_capabilities *m);

/* The media type of a log as we write and read it: "application/json-seq" for the CEL log. BINARY counts for
 * an ima_log alone, which Keylime's agents send as text. */
const char *wire_log_format(enum wire_evidence_type type, bool binary);

/* For the messages that repeat an offer: its capabilities, its key. Not for use outside lib/wire. */
json_t *wire_offer_to_json(const struct wire_capabilities *m, enum wire_evidence_type type);
json_t *wire_key_to_json(const struct wire_quote_offer *q);

#endif
