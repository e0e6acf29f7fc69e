/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_RELEASE_H
#define AVOW_WIRE_RELEASE_H

#include "wire/ask.h"
#include "wire/attestation.h"
#include "wire/wire.h"

/*
 * Releases: a host asks with the nonces of its policy sessions (POST /avow/v1/agents/:id/releases), shows
 * fresh evidence for the challenge that it gets, and receives one signature for each secret, or none at all.
 * The evidence is the message of attestations (wire/evidence.h). Spec: docs/protocol.md, "Releases"; SR-1.
 */
#define WIRE_RELEASES_MAX        16
#define WIRE_RELEASE_BODY_MAX    (16 * 1024)
#define WIRE_RELEASE_NAME_MAX    64 /* characters of a secret's name */
#define WIRE_RELEASE_NONCE_BYTES 32 /* nonceTPM of a SHA-256 session */
#define WIRE_RELEASE_LEASE_MAX_S (30 * 86400)

/* One secret that is to be opened. */
struct wire_release_item {
        char name[WIRE_RELEASE_NAME_MAX + 1];
        uint8_t nonce[WIRE_RELEASE_NONCE_BYTES];
        uint8_t approval[32]; /* the bracket that the session will fulfil */
};

/* The request. Names are different from each other, and so are nonces. */
struct wire_release_request {
        size_t n; /* 1 to WIRE_RELEASES_MAX */
        struct wire_release_item item[WIRE_RELEASES_MAX];
};
int wire_release_request_encode(const struct wire_release_request *m, struct buf *ret,
                                struct err *err) MUST_USE;
int wire_release_request_decode(struct view body, struct wire_release_request *ret, struct err *err) MUST_USE;

/* The 201: evidence goes to …/releases/ID, for this challenge. */
struct wire_release_challenge {
        char id[WIRE_UUID_LEN + 1];
        struct wire_next next;
};
int wire_release_challenge_encode(const struct wire_release_challenge *m, struct buf *ret,
                                  struct err *err) MUST_USE;
int wire_release_challenge_decode(struct view body, struct wire_release_challenge *ret,
                                  struct err *err) MUST_USE;

/* What the evidence came to: all secrets (200), or none and why (403). */
struct wire_release_answer {
        uint32_t lease_s; /* granted: > 0, the expiration that was signed; refused: 0 */
        size_t n;
        struct {
                char name[WIRE_RELEASE_NAME_MAX + 1];
                struct buf signature; /* TPMT_SIGNATURE; encode: borrowed */
        } item[WIRE_RELEASES_MAX];
        /* Refused. Encode: borrowed; `where` may be NULL. */
        char *type;   /* "not-pass", …: docs/protocol.md */
        char *detail; /* a sentence */
        char *where;  /* the secret that it is about */
        /* As in the answer to any evidence: has_wait, has_next, meta. Its stage and evaluation do not travel.
         */
        struct wire_outcome outcome;
};
int wire_release_answer_encode(const struct wire_release_answer *m, struct buf *ret,
                               struct err *err) MUST_USE;
/* Both forms. */
int wire_release_answer_decode(struct view body, struct wire_release_answer *ret, struct err *err) MUST_USE;
void wire_release_answer_done(struct wire_release_answer *m);

#endif
