/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_APPROVAL_H
#define AVOW_WIRE_APPROVAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"
#include "crypto/pubkey.h"
#include "evidence/pcr.h"
#include "evidence/tpm_public.h"
#include "wire/owner.h"

/*
 * avow.approval/1: the owner's word that secrets of a class open on one host while its PCRs have one of these
 * values (SR-7). One document is for one host, because the bracket names that host's floor counter; it holds
 * one bracket for each value that the policy predicts. Servers keep it as it is and read what they need;
 * nothing in it is secret.
 *
 * The digests are rebuilt from their parts when it is decoded: a document whose brackets are not what its
 * parts say is malformed. What is not under the owner's signatures (`policy`, `created_at`, notes) is for
 * people.
 */
#define APPROVAL_BYTES_MAX    (128u * 1024)
#define APPROVAL_BRACKETS_MAX 64
#define APPROVAL_ID_CHARS     32

struct approval_bracket {
        struct digest pcr_digest; /* over the values of the selection */
        struct digest digest;     /* the bracket: what is signed, and what a release request names */
        struct buf signature;     /* TPMT_SIGNATURE by owner.key over seal_approval_message() */
        char *note;               /* or NULL */
};

struct approval {
        char id[APPROVAL_ID_CHARS +
                1];                /* made from what is approved: to approve the same again is the same */
        struct secret_scope scope; /* host is always set */
        struct owner owner;
        struct pcr_selection pcrs;
        uint32_t floor_index;
        struct tpm_name floor_name;
        uint64_t version;                 /* lives while the host's floor ≤ version */
        struct pubkey *release_key;       /* NULL: `release: local`, not protected against root */
        char verifier[WIRE_UUID_LEN + 1]; /* whose release key it is; "" with `release: local` */
        struct approval_bracket *brackets;
        size_t n_brackets;
        int64_t created_at_ms;
        char *policy; /* the name of the policy it was predicted from, or NULL */
};

/* Rebuilds everything; signatures are for approval_check(). Return: 0; -ERR_FORMAT, -ERR_LIMIT, … */
int approval_decode(struct view text, struct approval *ret, struct err *err) MUST_USE;
/* Appends one line of canonical JSON (sorted, compact). */
int approval_encode(const struct approval *a, struct buf *ret, struct err *err) MUST_USE;
void approval_done(struct approval *a);

/* Computes the bracket digests and the id from the parts: for who makes one. */
int approval_rebuild(struct approval *a, struct err *err) MUST_USE;

/* Are the delegation and every bracket's signature good? A TPM will ask the same. */
int approval_check(const struct approval *a, bool *ret_good, struct err *err) MUST_USE;

/* The bracket with this digest; with this digest of PCR values. NULL: there is none. */
const struct approval_bracket *approval_find(const struct approval *a, struct view bracket);
const struct approval_bracket *approval_find_pcrs(const struct approval *a, const struct digest *pcr_digest);

#endif
