/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TPM_AK_PRIVATE_H
#define AVOW_TPM_AK_PRIVATE_H

/* The loaded AK, for the files that sign with it. */

#include "base/bytes.h"
#include "tpm/ak.h"
#include "tpm/private.h"

struct tpm_ak {
        struct tpm *tpm;
        struct tpm_handle key;
        struct tpm_handle session, second; /* both salted; the second for commands that name the key twice */
        struct buf public_area, name;
};

#endif
