/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_SOFT_EK_H
#define AVOW_TESTS_SOFT_EK_H

#include "crypto/credential.h"
#include "crypto/key.h"

/* TPM2_ActivateCredential with an EK in software, for tests that play the TPM. */
struct soft_ek {
        const struct key *key;
        enum digest_alg name_alg;
        unsigned aes_bits;
};

/* Opens a credential in tpm2-tools' file form. Return: 0; -ERR_CRYPTO if it is not for this EK and NAME. */
int soft_ek_open(const struct soft_ek *ek, struct view name, struct view file, struct buf *ret,
                 struct err *err) MUST_USE;

#endif
