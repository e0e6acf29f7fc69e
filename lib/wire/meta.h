/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_META_H
#define AVOW_WIRE_META_H

#include <jansson.h>

#include "base/json_out.h"
#include "wire/event.h"
#include "wire/wire.h"

/*
 * What a verifier tells a host beside its business, in `meta.avow` of every answer and as the body of the
 * long poll:
 *
 *   "revocation": {"jws": "…", "nonce": "32 hex digits"}   the newest word about its trust; the nonce, which
 *                 the registrar drew, is there once the registrar has the revocation
 *   "secrets": {"digest": "64 hex digits", "floor": N}     which set of secrets it should have
 *
 * The words are worth nothing by themselves: the host's TPM half checks the signature. Spec: SR-5, SR-8.
 */
#define WIRE_JWS_MAX     (2 * REVOCATION_BYTES_MAX) /* characters */
#define WIRE_NONCE_BYTES 16

struct wire_meta {
        char *jws; /* NULL: none */
        bool has_nonce;
        uint8_t nonce[WIRE_NONCE_BYTES];
        bool has_secrets;
        uint8_t secrets_digest[32];
        uint64_t floor;
};

/* The members, sorted, into the object that is open; JWS is borrowed. */
void wire_meta_put(struct json_out *o, const struct wire_meta *m);
/* The same as a new object; NULL: no memory. */
json_t *wire_meta_to_json(const struct wire_meta *m);
/* Other members are passed over. AVOW NULL: empty. Return: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_NOMEM. */
int wire_meta_from_json(const json_t *avow, struct wire_meta *ret, struct err *err) MUST_USE;

/* The body of GET /avow/v1/agents/:id/wait. */
int wire_wait_encode(const struct wire_meta *m, struct buf *ret, struct err *err) MUST_USE;
int wire_wait_decode(struct view body, struct wire_meta *ret, struct err *err) MUST_USE;

/*
 * An order as hooks are sent it: "jws" and "nonce" of an event's "data" (event_make()); other members are
 * passed over, for nothing but the JWS is signed. The JWS alone. Return: as above, and -ERR_FORMAT without a
 * JWS.
 */
int wire_event_decode(struct view body, struct wire_meta *ret, struct err *err) MUST_USE;
int wire_order_decode(struct view jws, struct wire_meta *ret, struct err *err) MUST_USE;

void wire_meta_done(struct wire_meta *m);

#endif
