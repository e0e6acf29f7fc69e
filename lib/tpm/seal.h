/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TPM_SEAL_H
#define AVOW_TPM_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "crypto/digest.h"
#include "crypto/pubkey.h"
#include "tpm/context.h"
#include "tpm/ek.h"

/*
 * Sealed objects: children of the EK whose only key is a policy (SR-1, SR-6): userWithAuth clear,
 * adminWithPolicy and noDA set. An unsealing is in two parts, because the verifier signs its release over the
 * session's nonce in between.
 */
#define TPM_SEAL_BYTES_MAX 128

struct tpm_sealed {
        struct buf public_area;  /* TPM2B_PUBLIC */
        struct buf private_area; /* TPM2B_PRIVATE */
};
void tpm_sealed_done(struct tpm_sealed *sealed);

/* Seals 1 to TPM_SEAL_BYTES_MAX bytes under POLICY (SHA-256). The secret crosses the bus encrypted. */
int tpm_seal(struct tpm *tpm, struct tpm_ek *ek, struct view secret, const struct digest *policy,
             struct tpm_sealed *ret, struct err *err) MUST_USE;

/*
 * Takes in an object that was made for this EK elsewhere (crypto/import_blob.h; all three with their sizes).
 * Return: 0 and the TPM2B_PRIVATE it can be loaded with; -ERR_TPM if it was made for another TPM.
 */
int tpm_seal_import(struct tpm *tpm, struct tpm_ek *ek, struct view public_area, struct view duplicate,
                    struct view seed, struct buf *ret_private, struct err *err) MUST_USE;

struct tpm_unseal;

/*
 * Loads the object and starts its policy session, salted to the EK: one transient object and one session
 * until freed; while that lasts the EK may be freed, and tpm_unseal_finish() needs room for one more object.
 */
int tpm_unseal_begin(struct tpm *tpm, struct tpm_ek *ek, struct view public_area, struct view private_area,
                     struct tpm_unseal **ret, struct err *err) MUST_USE;
void tpm_unseal_free(struct tpm_unseal *unseal);
DEFINE_AUTO(struct tpm_unseal, tpm_unseal_free)

/* nonceTPM: what a release is signed for. Borrowed. It stays the same until the secret is out. */
struct view tpm_unseal_nonce(const struct tpm_unseal *unseal);

/* A TPMT_SIGNATURE by KEY. */
struct tpm_vouched {
        const struct pubkey *key;
        struct view signature;
};

/* All that the chain of SR-1 wants (evidence/seal_policy.h computes its digest). */
struct tpm_unseal_chain {
        enum digest_alg bank;
        uint32_t mask;
        struct view pcr_digest; /* what the PCRs must hash to (SHA-256) */
        uint32_t floor_index;
        uint64_t version;
        struct tpm_vouched release; /* key NULL: `release: local` */
        uint32_t lease_s;           /* the signed expiration */
        struct view release_ref;    /* seal_release_ref() of this verifier and host */
        struct view policy_ref;
        struct tpm_vouched approval;   /* over the bracket */
        struct tpm_vouched delegation; /* the root's, over the approval key; key NULL: one level */
        uint32_t epoch_index;
        uint64_t epoch;
};

/* Where the TPM said no. */
enum tpm_unseal_step {
        TPM_UNSEAL_OPENED,
        TPM_UNSEAL_PCRS,  /* the PCRs are not the approved ones */
        TPM_UNSEAL_FLOOR, /* the approval was withdrawn: the floor is above its version; or no such counter */
        TPM_UNSEAL_RELEASE,  /* not the release key's signature for this session */
        TPM_UNSEAL_EXPIRED,  /* the lease is over */
        TPM_UNSEAL_APPROVAL, /* not approved: another key, bracket or policyRef */
        TPM_UNSEAL_EPOCH,    /* the epoch went on: revoked; or no such counter */
        TPM_UNSEAL_OBJECT,   /* the object wants another policy */
        TPM_UNSEAL_FAILED,   /* no answer of policy: the TPM or its stack failed */
};
const char *tpm_unseal_step_name(enum tpm_unseal_step step);

/*
 * Runs the policy and unseals; begins again with the same session while another process changes PCRs
 * (TPM_RC_PCR_CHANGED). RET_STEP is always set. May be called once more after a failure. Return: 0; -ERR_TPM.
 */
int tpm_unseal_finish(struct tpm_unseal *unseal, const struct tpm_unseal_chain *chain, struct secret *ret,
                      enum tpm_unseal_step *ret_step, struct err *err) MUST_USE;

/* A plain PolicyPCR object (adopted; `not revocable`): PCRs alone. */
int tpm_unseal_finish_pcr(struct tpm_unseal *unseal, enum digest_alg bank, uint32_t mask, struct secret *ret,
                          enum tpm_unseal_step *ret_step, struct err *err) MUST_USE;

/*
 * tpm_unseal_begin() under another parent: a persistent handle (0x81……), or 0x40000001 for the ECC P-256
 * storage key that key files mean by it. Its auth value is empty. The EK, for the session's salt, is made
 * here and after the parent is gone, so that with a loaded AK three objects are enough.
 */
int tpm_unseal_begin_under(struct tpm *tpm, enum tpm_ek_type ek_type, uint32_t parent,
                           struct view public_area, struct view private_area, struct tpm_unseal **ret,
                           struct err *err) MUST_USE;

/* Seals under a parent as above with PolicyPCR for now's values: for files that tpm2-tools open. */
int tpm_seal_pcr(struct tpm *tpm, struct tpm_ek *ek, uint32_t parent, struct view secret,
                 enum digest_alg bank, uint32_t mask, struct tpm_sealed *ret, struct err *err) MUST_USE;

#endif
