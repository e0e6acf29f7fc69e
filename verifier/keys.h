/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_KEYS_H
#define AVOW_VERIFIER_KEYS_H

#include <jansson.h>

#include "base/conf.h"
#include "crypto/key.h"

/*
 * The keys that the verifier signs with: revocations, releases, results. Each has a use of its own, so that
 * none can be made to say another's words. P-256, PEM, from the files that the configuration names.
 */
struct keys {
        struct key *revocation, *release, *ear; /* NULL: not configured; then nothing of the kind is signed */
        struct pubkey *revocation_public, *release_public, *ear_public;
};

/* Loads what is named. Return: 0; -ERR_IO, -ERR_FORMAT, -ERR_CRYPTO naming the key. */
int keys_load(const struct conf *conf, struct keys *ret, struct err *err) MUST_USE;
void keys_done(struct keys *k);
/* Says which of them are missing, and what that means. */
void keys_warn(const struct keys *k);

/* {"revocation": [JWK], "release": [JWK]}, an array being empty without its key. Return: 0; -ERR_CRYPTO,
 * -ERR_NOMEM. */
int keys_public(const struct keys *k, json_t **ret, struct err *err) MUST_USE;

#endif
