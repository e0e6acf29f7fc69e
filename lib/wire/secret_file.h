/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_SECRET_FILE_H
#define AVOW_WIRE_SECRET_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "base/mem.h"
#include "crypto/digest.h"
#include "crypto/key.h"
#include "evidence/sealed.h"
#include "evidence/tss2_pem.h"
#include "wire/owner.h"

/*
 * avow.secret/1: a secret as it is sealed to one host, with all that the host needs to open it but approval
 * and release, signed by its owner (SR-10: name, host and epoch are covered). Servers and disks keep it as it
 * is; it gives nothing away without that host's TPM.
 *
 * What kind of object it is, and whether it can be revoked, is computed when it is decoded, from the object's
 * public area (SR-6): a document that says something else is malformed.
 *
 * Up to 128 bytes stand in the sealed object itself; of larger ones the object holds an AES-256-GCM key, and
 * `payload` the rest.
 */
#define SECRET_FILE_BYTES_MAX (128u * 1024)
#define SECRET_PAYLOAD_MAX    (48u * 1024) /* bytes of a secret */

struct secret_file {
        char name[OWNER_NAME_MAX + 1];
        struct secret_scope scope; /* host is always set */
        uint64_t version;          /* 1, 2, … of the secret: `avow secret rotate` */
        int64_t created_at_ms;
        enum sealed_kind kind; /* SEALED_CHAIN or SEALED_PCR, as rebuilt */
        bool revocable;        /* as computed */
        bool release_local;    /* the owner approves it without the verifier's release */
        struct owner owner;
        /* SEALED_CHAIN */
        uint32_t epoch_index;
        struct tpm_name epoch_name;
        uint64_t epoch;
        /* SEALED_PCR */
        struct pcr_selection pcrs;
        struct digest pcr_digest;

        char *object;         /* the TSS2 PEM text */
        struct tss2_key key;  /* the same, read; borrows from key_bytes */
        struct buf key_bytes; /* for secret_file itself */
        struct buf payload;   /* nonce ‖ ciphertext ‖ tag, or empty */
        struct buf signature; /* TPMT_SIGNATURE by owner.key */
};

/* Return: 0; -ERR_FORMAT (also for an object that must not be used: SR-6), -ERR_LIMIT, … Signatures are for
 * secret_file_check(). */
int secret_file_decode(struct view text, struct secret_file *ret, struct err *err) MUST_USE;
/* Appends one line of canonical JSON (sorted, compact). */
int secret_file_encode(const struct secret_file *f, struct buf *ret, struct err *err) MUST_USE;
void secret_file_done(struct secret_file *f);

/* For who makes one: reads f->object into f->key, and computes kind and revocable from the rest. */
int secret_file_rebuild(struct secret_file *f, struct err *err) MUST_USE;
/* What the owner signs: a label and the canonical JSON without "signature". Appended. */
int secret_file_message(const struct secret_file *f, struct buf *ret, struct err *err) MUST_USE;

/* Are the delegation and the owner's signature good? Whose key that is, the caller has to decide. */
int secret_file_check(const struct secret_file *f, bool *ret_good, struct err *err) MUST_USE;

/*
 * Larger secrets: makes a key (32 bytes, to be sealed) and the payload for a secret of 1 to
 * SECRET_PAYLOAD_MAX bytes; opens it with what the TPM unsealed. Tenant, name, host and version are bound to
 * it. Return: 0; -ERR_CRYPTO if it is not for this key or document; -ERR_LIMIT, -ERR_NOMEM.
 */
int secret_payload_seal(struct secret_file *f, struct view plain, struct secret *ret_key,
                        struct err *err) MUST_USE;
int secret_payload_open(const struct secret_file *f, struct view key, struct secret *ret,
                        struct err *err) MUST_USE;

#endif
