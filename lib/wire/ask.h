/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_ASK_H
#define AVOW_WIRE_ASK_H

#include <jansson.h>

#include "base/json_out.h"
#include "wire/capabilities.h"
#include "wire/wire.h"

/*
 * What the verifier asks for: `evidence_requested` with its chosen parameters, in the 201 to the capabilities
 * and, between avow peers, in `meta.avow.next` of every answer (one round trip).
 */

struct wire_ask {
        enum wire_evidence_type type;
        /* WIRE_TPM_QUOTE */
        uint8_t challenge[WIRE_CHALLENGE_MAX];
        size_t challenge_len;
        uint16_t scheme, hash;
        struct wire_banks banks; /* what to quote */
        /* logs */
        bool has_offset;          /* false for logs that come whole */
        uint64_t starting_offset; /* first entry wanted */
        bool has_count;
        uint64_t entry_count;   /* at most so many, if has_count */
        bool binary;            /* WIRE_IMA_LOG: the kernel's binary list, not its text */
        uint64_t starting_byte; /* avow.starting_byte: where that entry begins; 0: not said */
};

struct wire_asks {
        struct wire_ask item[WIRE_ITEMS_MAX];
        size_t n;
};

/* The first item of TYPE, or NULL. */
const struct wire_ask *wire_asks_find(const struct wire_asks *asks, enum wire_evidence_type type);

/* The 201: an attestation that waits for its evidence. */
struct wire_request {
        char host[WIRE_HOST_MAX + 1]; /* encode: for the links; decode: not filled */
        uint64_t index;               /* encode: for the links; decode: not filled (it is in Location) */
        struct wire_asks asks;
        int64_t boot_time_ms;   /* echoed in system_info */
        int64_t received_at_ms; /* capabilities_received_at */
        int64_t expires_at_ms;  /* challenges_expire_at; 0 if the answer has none */
        /* Encode: the offered key, echoed as certification_key (Keylime's agents want it back whole); may be
         * NULL. */
        const struct wire_quote_offer *key;
};
int wire_request_encode(const struct wire_request *m, struct buf *ret, struct err *err) MUST_USE;
/* Items of a kind that we do not know are an error: evidence is answered in order and number. */
int wire_request_decode(struct view body, struct wire_request *ret, struct err *err) MUST_USE;

/* No answer to a challenge is worth waiting longer for. */
#define WIRE_DEADLINE_MAX_MS 86400000

/* The next challenge, given with the answer to the last evidence. */
struct wire_next {
        uint64_t index;        /* PATCH /v3.0/agents/:id/attestations/INDEX */
        int64_t expires_at_ms; /* challenges_expire_at, verifier's clock */
        int64_t deadline_ms;   /* answer within so long of receipt; 0: when the interval has passed */
        struct wire_asks asks;
};

/* "/v3.0/agents/HOST/attestations/INDEX". */
void wire_attestation_path(const char *host, uint64_t index, char ret[static WIRE_HOST_MAX + 64]);

/* The last path segment of a Location header: "/v3.0/agents/x/attestations/12" → 12. The path before it is
 * ignored (Keylime sends a wrong one). Return: false if it does not end in a number. */
bool wire_location_index(const char *location, uint64_t *ret) MUST_USE;

/* For the messages that hold asks: JSON and back. Not for use outside lib/wire. KEY may be NULL. */
json_t *wire_ask_parameters_to_json(const struct wire_ask *a, const struct wire_quote_offer *key);
json_t *wire_asks_to_json(const struct wire_asks *asks, const struct wire_quote_offer *key);
int wire_asks_from_json(const json_t *list, struct wire_asks *ret, struct err *err) MUST_USE;
void wire_next_put(struct json_out *o, const char *name, const struct wire_next *m);
int wire_next_from_json(const json_t *next, struct wire_next *ret, struct err *err) MUST_USE;

#endif
