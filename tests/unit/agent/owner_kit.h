/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_OWNER_KIT_H
#define AVOW_TESTS_OWNER_KIT_H

#include "agent/half_private.h"
#include "crypto/key.h"
#include "wire/approval.h"
#include "wire/secret_file.h"

/* What an owner makes for the host of a TPM half that is ready: secrets and approvals as documents. */
#define KIT_VERIFIER "0b5a1e0c-7a2b-4c8d-9e1f-123456789abc"

#define KIT_HOST "web-1"

struct kit {
        struct half *half;
        struct key *owner, *release;
};
void kit_make(struct kit *k, struct half *half);
void kit_done(struct kit *k);

/* Each appends a document's text. PLAIN over 128 bytes: with a payload. */
void kit_secret(const struct kit *k, const char *name, struct view plain, bool local, struct buf *ret);
/* A plain PolicyPCR object, for PCR 7 as it is now; the half must not be up: a TPM has room for three
 * objects. */
void kit_plain(const struct kit *k, struct tpm *tpm, const char *name, struct view plain, struct buf *ret);
/* For what PCR 15 is now, or for another value if OTHER. */
void kit_approval(const struct kit *k, uint64_t version, bool local, bool other, struct buf *ret);
/* The verifier's set, of N documents each. */
void kit_set(const struct buf *secrets, size_t n_secrets, const struct buf *approvals, size_t n_approvals,
             uint64_t floor, struct buf *ret);
/* A release by KEY, for HOST. */
void kit_release(const struct key *key, const char *host, struct view nonce, uint32_t lease_s,
                 struct buf *ret);

#endif
