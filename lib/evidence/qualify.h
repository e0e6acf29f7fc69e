/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_QUALIFY_H
#define AVOW_EVIDENCE_QUALIFY_H

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/digest.h"

/*
 * What an avow agent has its TPM sign over. A challenge alone could be relayed: a signature made for one use,
 * host or verifier would be good for another. So the qualifying data is
 *
 *     SHA-256("avow/PURPOSE/v1" ‖ verifier id ‖ host id ‖ challenge)
 *
 * which is unambiguous because a verifier id is always 36 characters (a UUID) and the length of a challenge
 * is fixed per purpose. For PURPOSE "session" the challenge is followed by the SHA-256 of the key
 * (SubjectPublicKeyInfo) of the agent's TLS certificate, so that the session belongs to that key; for PURPOSE
 * "release" and "permit" by the SHA-256 of the request's body, so that the TPM's statement was made for these
 * secrets and these nonces, for this launch. Spec: SR-13.
 */

#define QUALIFY_CHALLENGE_BYTES         32
#define QUALIFY_SESSION_CHALLENGE_BYTES 16
#define QUALIFY_VERIFIER_ID_CHARS       36
#define QUALIFY_NONCE_BYTES             16

/* For evidence (purpose "heartbeat"). Return: 0; -ERR_FORMAT for ids or a challenge of another form;
 * -ERR_CRYPTO. */
int qualify_heartbeat(const char *verifier_id, const char *host_id, struct view challenge, struct digest *ret,
                      struct err *err) MUST_USE;

/* For proving possession of the AK at the start of a session. SPKI_SHA256 is 32 bytes. */
int qualify_session(const char *verifier_id, const char *host_id, struct view challenge,
                    struct view spki_sha256, struct digest *ret, struct err *err) MUST_USE;

/* For evidence that a release waits for (purpose "release"). REQUEST_SHA256 is 32 bytes. */
int qualify_release(const char *verifier_id, const char *host_id, struct view challenge,
                    struct view request_sha256, struct digest *ret, struct err *err) MUST_USE;

/* The same for evidence that a launch waits for (purpose "permit"). */
int qualify_permit(const char *verifier_id, const char *host_id, struct view challenge,
                   struct view request_sha256, struct digest *ret, struct err *err) MUST_USE;

/*
 * For the proof that a revocation was carried out: the challenge is SHA-256(REVOCATION_ID ‖ NONCE), NONCE
 * being the registrar's 16 bytes (SR-5).
 */
int qualify_revocation(const char *verifier_id, const char *host_id, const char *revocation_id,
                       struct view nonce, struct digest *ret, struct err *err) MUST_USE;

#endif
