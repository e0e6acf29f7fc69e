/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_SEAL_POLICY_H
#define AVOW_EVIDENCE_SEAL_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/authpolicy.h"
#include "crypto/digest.h"
#include "crypto/tpm_key.h"
#include "evidence/pcr.h"

/*
 * The policy that a secret is sealed under (SR-1), in software:
 *
 *   [ PolicyPCR → PolicyNV(floor ≤ version) → PolicySigned(release key) ]   the bracket: what is approved
 *     → PolicyAuthorize(approval key, policyRef)
 *     → PolicyAuthorize(root, policyRef)                                    only if there is a root (SR-12)
 *     → PolicyNV(epoch == n)
 *
 * All digests are SHA-256. docs/protocol.md, "Secrets", has every operand.
 */
#define SEAL_NV_EPOCH 0x01810100u
#define SEAL_NV_FLOOR 0x01810101u

/* policyRef (SR-7). HOST NULL: for every host of the tenant. Each part is ended by a zero byte. Return: 0;
 * -ERR_FORMAT for an empty tenant or class. */
int seal_policy_ref(const char *tenant, const char *class, const char *host, struct digest *ret,
                    struct err *err) MUST_USE;

/*
 * policyRef of PolicySigned: whose release, and for which host. A TPM takes a release for the nonce alone,
 * and a host may send another's nonce; with the host in here, what one host earned opens nothing on another.
 * VERIFIER_ID: its UUID. Return: 0; -ERR_FORMAT for ids of another form.
 */
int seal_release_ref(const char *verifier_id, const char *host, struct digest *ret, struct err *err) MUST_USE;

struct seal_bracket {
        struct pcr_selection pcrs;
        struct digest pcr_digest;         /* SHA-256 over the values: pcr_values_digest() */
        struct view floor_name;           /* the floor counter's, as recorded when the host was enrolled */
        uint64_t version;                 /* lives while floor ≤ version */
        const struct pubkey *release_key; /* NULL: `release: local` */
        struct view release_ref;          /* seal_release_ref(); with a release key it is needed */
};
/* Return: 0; -ERR_FORMAT for a bracket that lacks a part. */
int seal_bracket_digest(const struct seal_bracket *bracket, struct digest *ret, struct err *err) MUST_USE;

/* The session's digest after PolicyAuthorize(KEY, POLICY_REF): what a root approves of an approval key. */
int seal_authorized_digest(const struct pubkey *key, struct view policy_ref, struct digest *ret,
                           struct err *err) MUST_USE;

/* The sealed object's authPolicy. AUTHORITY: the root, or the approval key where there is none. */
int seal_policy(const struct pubkey *authority, struct view policy_ref, struct view epoch_name,
                uint64_t epoch, struct digest *ret, struct err *err) MUST_USE;

/*
 * An approval's signature covers SHA-256(APPROVED ‖ POLICY_REF): appends the message whose SHA-256 that is,
 * to be signed with tpm_key_sign(). Spec: Part 3, TPM2_PolicyAuthorize (aHash).
 */
void seal_approval_message(const struct digest *approved, struct view policy_ref, struct buf *ret);

/*
 * A release's: nonceTPM ‖ expiration ‖ cpHash (empty) ‖ RELEASE_REF. LEASE_S counts from the start of the
 * session, > 0, so that the TPM makes no ticket that would outlive it. Spec: Part 3, TPM2_PolicySigned.
 */
void seal_release_message(struct view nonce_tpm, uint32_t lease_s, struct view release_ref, struct buf *ret);

/* Is SIGNATURE (TPMT_SIGNATURE, RSASSA, RSAPSS or ECDSA with SHA-256) KEY's over MESSAGE? Return: 0;
 * -ERR_CRYPTO, -ERR_NOMEM if nothing could be decided. */
int seal_signature_check(const struct pubkey *key, struct view signature, struct view message, bool *ret_good,
                         struct err *err) MUST_USE;

#endif
