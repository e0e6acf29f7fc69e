/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_LAUNCH_H
#define AVOW_WIRE_LAUNCH_H

#include "evidence/launch.h"
#include "wire/permit.h"
#include "wire/release.h"

/*
 * Asking for a launch: POST /avow/v1/agents/:id/launches with the descriptor and what the module's signers
 * say; 201 with a challenge of seconds (wire_release_challenge, Location …/launches/ID); PATCH the evidence
 * there, qualified with qualify_permit() and the SHA-256 of the request's body; 200 with the permit, or 403
 * and why. Secrets that the permit names are released one by one, as any (wire/release.h).
 * Spec: docs/protocol.md, "Launches"; SR-1, SR-14, SR-21.
 */
#define WIRE_LAUNCH_BODY_MAX      (128 * 1024)
#define WIRE_LAUNCH_SIGNATURE_MAX 1024        /* bytes of a detached signature */
#define WIRE_LAUNCH_ENVELOPE_MAX  (32 * 1024) /* characters of a DSSE envelope */

/*
 * {"claims": "the token"?, "envelope": "a DSSE envelope's text"?, "launch": {…}, "schema":
 * "avow.launch-request/1", "signature": "base64"?}
 */
struct wire_launch_request {
        struct launch launch;
        char *claims;         /* NULL: none. The text that launch_of_module() gave. */
        struct buf signature; /* detached: DER of ECDSA, or 64 bytes of Ed25519; empty: none */
        char *envelope;       /* NULL: none */
};
/* M's members may be borrowed. */
int wire_launch_request_encode(const struct wire_launch_request *m, struct buf *ret,
                               struct err *err) MUST_USE;
int wire_launch_request_decode(struct view body, struct wire_launch_request *ret, struct err *err) MUST_USE;
void wire_launch_request_done(struct wire_launch_request *m);

/*
 * Granted: {"meta", "permit": "JWS", "schema": "avow.launch/1"}. Refused: a problem with type, detail, where
 * and `next`, the command to go on with.
 */
struct wire_launch_answer {
        char *permit; /* compact JWS; NULL: refused. Encode: borrowed, as are: */
        char *type;   /* refused: "not-pass", "module-not-allowed", …: docs/protocol.md */
        char *detail; /* a sentence */
        char *where;  /* what it is about, or NULL */
        char *next;   /* a command, or NULL */
        /* As in the answer to any evidence: has_wait, has_next, meta. */
        struct wire_outcome outcome;
};
int wire_launch_answer_encode(const struct wire_launch_answer *m, struct buf *ret, struct err *err) MUST_USE;
/* Both forms. */
int wire_launch_answer_decode(struct view body, struct wire_launch_answer *ret, struct err *err) MUST_USE;
void wire_launch_answer_done(struct wire_launch_answer *m);

#endif
