/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_SESSION_H
#define AVOW_WIRE_SESSION_H

#include "base/mem.h"
#include "wire/meta.h"
#include "wire/wire.h"

/*
 * A session by proof of possession: POST /v3.0/sessions, its answer, PATCH /v3.0/sessions/:id, its answer.
 * Spec: Keylime push model, authentication protocol; SR-13 for what avow adds (the verifier's id).
 */

/* POST /v3.0/sessions, host → verifier. */
struct wire_session_request {
        char host[WIRE_HOST_MAX + 1];
        bool tpm_pop; /* "pop"/"tpm_pop" is among what the host can do */
};
int wire_session_request_encode(const char *host, struct buf *ret, struct err *err) MUST_USE;
int wire_session_request_decode(struct view body, struct wire_session_request *ret, struct err *err) MUST_USE;

/* The 200 to it. */
struct wire_session_challenge {
        char id[WIRE_UUID_LEN + 1];
        char host[WIRE_HOST_MAX + 1];
        uint8_t challenge[WIRE_CHALLENGE_MAX];
        size_t challenge_len;
        int64_t created_at_ms, expires_at_ms;
        char verifier_id[WIRE_UUID_LEN + 1]; /* meta.avow.verifier_id; "" from a Keylime verifier */
};
int wire_session_challenge_encode(const struct wire_session_challenge *m, struct buf *ret,
                                  struct err *err) MUST_USE;
int wire_session_challenge_decode(struct view body, struct wire_session_challenge *ret,
                                  struct err *err) MUST_USE;

/* PATCH /v3.0/sessions/:id, host → verifier. */
struct wire_session_proof {
        char id[WIRE_UUID_LEN + 1]; /* "" when the document does not repeat it */
        char host[WIRE_HOST_MAX + 1];
        struct buf message;   /* TPMS_ATTEST */
        struct buf signature; /* TPMT_SIGNATURE */
};
int wire_session_proof_encode(const struct wire_session_proof *m, struct buf *ret, struct err *err) MUST_USE;
int wire_session_proof_decode(struct view body, struct wire_session_proof *ret, struct err *err) MUST_USE;
void wire_session_proof_done(struct wire_session_proof *m);

/* The 200 (or 401) to it. */
struct wire_session_result {
        char id[WIRE_UUID_LEN + 1];
        char host[WIRE_HOST_MAX + 1];
        bool pass;
        struct secret token; /* len 0 unless pass; not terminated */
        int64_t created_at_ms, challenge_expires_at_ms, received_at_ms;
        int64_t token_expires_at_ms; /* 0 unless pass */
        struct wire_meta meta;       /* of meta.avow; encode: borrowed; empty unless pass */
        char *keys; /* meta.avow.keys as text: {"revocation": [JWK…], "release": [JWK…]}; NULL: none */
};
/* PROOF is echoed under "authentication" together with CHALLENGE, as Keylime does; NULL echoes nothing. */
int wire_session_result_encode(const struct wire_session_result *m, const struct wire_session_proof *proof,
                               struct view challenge, struct buf *ret, struct err *err) MUST_USE;
int wire_session_result_decode(struct view body, struct wire_session_result *ret, struct err *err) MUST_USE;
void wire_session_result_done(struct wire_session_result *m);

#endif
