/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_CREDENTIAL_H
#define AVOW_CRYPTO_CREDENTIAL_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"
#include "crypto/pubkey.h"

/*
 * TPM2_MakeCredential without a TPM: a challenge that only the TPM holding EK opens, and only for the loaded
 * object called NAME. Spec: TPM 2.0 Part 1, §24 and annexes B.10.4, C.7.4.
 */
struct credential_ek {
        const struct pubkey *key;
        enum digest_alg name_alg; /* of the EK's public area */
        unsigned aes_bits;        /* its symmetric algorithm: AES-CFB with 128, 192 or 256 bits */
};

/* First eight bytes of the file form: magic and version. */
#define CREDENTIAL_FILE_MAGIC   0xbadcc0deu
#define CREDENTIAL_FILE_VERSION 1u

/*
 * Appends the TPM2B_ID_OBJECT and the TPM2B_ENCRYPTED_SECRET for a challenge of at most the name algorithm's
 * digest size. Return: 0; -ERR_LIMIT for a longer challenge, -ERR_FORMAT for an EK that cannot be used so;
 * -ERR_CRYPTO, -ERR_NOMEM.
 */
int credential_make(const struct credential_ek *ek, struct view name, struct view challenge,
                    struct buf *ret_id_object, struct buf *ret_secret, struct err *err) MUST_USE;

/* The same in tpm2-tools' file form, which Keylime's registrar answers: magic, version, both structures. */
int credential_make_file(const struct credential_ek *ek, struct view name, struct view challenge,
                         struct buf *ret, struct err *err) MUST_USE;

#endif
