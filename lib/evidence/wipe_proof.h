/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_WIPE_PROOF_H
#define AVOW_EVIDENCE_WIPE_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "evidence/pcr.h"
#include "evidence/qualify.h"
#include "evidence/revocation_order.h"
#include "evidence/tpm_public.h"

/*
 * The proof that a host carried out a revocation with reaction "destroy": its TPM states that the epoch
 * counter is above the epoch that secrets were sealed under, and that the measurement register holds the
 * revocation's record, both in the same boot and over the revocation's id and the registrar's nonce. What
 * opened before opens no more, in this TPM, whatever is put back on its disk. Format avow.revocation-proof/1:
 * docs/protocol.md, "Revocations". Spec: SR-5, SR-6, SR-25.
 */
#define WIPE_PROOF_SCHEMA    "avow.revocation-proof/1"
#define WIPE_PROOF_BYTES_MAX (8u << 20)
#define WIPE_NOTES_MAX       4096 /* of each kind */

/* A secret, and what there is to say of it: the unit that holds a copy, or why it is not destroyed. These are
 * the host's own words; nothing signs them. */
struct wipe_note {
        char *secret, *what;
};
struct wipe_notes {
        struct wipe_note *v;
        size_t n;
};
int wipe_notes_add(struct wipe_notes *notes, const char *secret, const char *what, struct err *err) MUST_USE;
void wipe_notes_done(struct wipe_notes *notes);

struct wipe_proof {
        char *revocation; /* the JWS as it came */
        uint8_t nonce[QUALIFY_NONCE_BYTES];
        struct buf nv_message, nv_signature;       /* TPM2_NV_Certify of the epoch counter */
        struct buf quote_message, quote_signature; /* TPM2_Quote over at least the measurement register */
        struct pcr_values pcrs;
        struct buf log;                  /* of the register, whole from boot (JSON-seq) */
        struct buf ak;                   /* TPM2B_PUBLIC */
        char *ak_certificate;            /* PEM, or NULL: the verifier puts it in */
        struct tpm_name index_name;      /* of the epoch counter */
        uint64_t epoch_sealed;           /* what secrets were sealed under */
        struct wipe_notes copied_out;    /* {"secret","unit"}: a service holds or held a copy */
        struct wipe_notes not_destroyed; /* {"secret","why"}: not revocable */
};

struct wipe_proof *wipe_proof_new(void) MUST_USE;
void wipe_proof_free(struct wipe_proof *p);
DEFINE_AUTO(struct wipe_proof, wipe_proof_free)

/* Strict, as bundles are. Return: 0; -ERR_FORMAT naming the member; -ERR_LIMIT; -ERR_NOMEM. */
int wipe_proof_decode(struct view text, struct wipe_proof **ret, struct err *err) MUST_USE;
/* Appends the JSON, members sorted: equal proofs give equal bytes. Return: 0; -ERR_NOMEM. */
int wipe_proof_encode(const struct wipe_proof *p, struct buf *out, struct err *err) MUST_USE;

/* What a proof is measured against. */
struct wipe_expected {
        struct pubkey *const *keys; /* the verifier's revocation keys */
        size_t n_keys;
        unsigned pcr; /* the measurement register: 15 unless the host's `tpm.pcr` moved it */
        /* What the one who asks knows better than the proof; each may be missing. */
        const struct tpm_public *ak; /* the enrolled one. NULL: the proof's AK certificate must speak of its
                                        AK and host; that the registrar signed it is the caller's to check */
        const char *host;            /* NULL: any */
        const char *id;              /* of the revocation that is to be proven; NULL: any */
        struct view nonce;           /* the registrar's; empty: the caller compares it, or does without
                                        freshness */
        struct view index_name;      /* recorded when the host was enrolled; empty: the one rebuilt from the
                                        signed revocation alone */
};

struct wipe_verdict {
        bool proven;
        const char *why;               /* not proven: static text */
        struct revocation_order order; /* what was ordered; all zeros if it was not signed. Owned: _done() */
        uint64_t epoch;                /* the counter's certified value (proven only) */
        uint32_t reset_count;          /* of the boot that it was proven in */
        bool recorded; /* the revocation's record is in the register; false: a later boot, in which no
                          session of before lives */
};
void wipe_verdict_done(struct wipe_verdict *v);

/*
 * Judges a proof. Pure. Return: 0 with the answer; a proof that proves nothing is an answer. -ERR_CRYPTO,
 * -ERR_NOMEM if nothing could be decided.
 */
int wipe_proof_judge(const struct wipe_proof *p, const struct wipe_expected *x, struct wipe_verdict *ret,
                     struct err *err) MUST_USE;

#endif
