/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_JWKS_H
#define AVOW_CRYPTO_JWKS_H

#include <jansson.h>

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/pubkey.h"

/* The keys of a JWKS that can check ES256 signatures. */
#define JWKS_KEYS_MAX 16

struct jwks {
        struct pubkey *keys[JWKS_KEYS_MAX];
        size_t n;
};

/* One key. Return: 1; 0 for a key of another kind; -ERR_FORMAT, -ERR_NOMEM. */
int jwk_parse(const json_t *j, struct pubkey **ret, struct err *err) MUST_USE;
/* Keys of other kinds are passed over; at least one must be left. Return: 0; -ERR_FORMAT, -ERR_LIMIT. */
int jwks_parse(struct view text, struct jwks *ret, struct err *err) MUST_USE;
void jwks_done(struct jwks *jwks);

#endif
