/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_DIGEST_SHORT_H
#define AVOW_CRYPTO_DIGEST_SHORT_H

#include <stdint.h>

#include "crypto/digest.h"

/*
 * Digests of some hundred bytes, millions of them: a measurement list is nothing else. OpenSSL's EVP costs as
 * much per call as the hashing itself, so these take the functions under it.
 *
 * The digest of HEAD ‖ TAIL (either may be empty) into RET, digest_size(ALG) bytes, which may be one of the
 * inputs. ALG must be one of ours.
 */
void digest_short(enum digest_alg alg, struct view head, struct view tail, uint8_t *ret);

#endif
