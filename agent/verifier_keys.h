/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_VERIFIER_KEYS_H
#define AVOW_AGENT_VERIFIER_KEYS_H

#include "agent/conf.h"
#include "base/bytes.h"
#include "crypto/jwks.h"

/*
 * Whose word this host takes about its trust and about launches: the verifier's keys for revocations, and
 * those for releases, which sign permits as well. They come from the file that
 * `verifier.keys` names, or, without one, from the first answer to a login; then they are kept in the state
 * directory (verifier-keys.json) and nobody changes them over the network.
 */

struct verifier_keys {
        struct jwks revocation; /* at least one */
        struct jwks release;    /* none: no permit is believed */
};
void verifier_keys_done(struct verifier_keys *keys);

/* The keys out of {"keys": [JWK with "use"]} or {"revocation": [JWK], "release": [JWK], …}. Return: 0;
 * -ERR_FORMAT also if there is none for revocations; -ERR_LIMIT, -ERR_NOMEM. */
int verifier_keys_parse(struct view text, struct verifier_keys *ret, struct err *err) MUST_USE;

/* Loads what is configured or pinned. RET is freed first. Return: 1; 0 if there is neither; -ERR_FORMAT,
 * -ERR_IO naming the file. */
int verifier_keys_load(const struct agent_config *config, struct verifier_keys *ret,
                       struct err *err) MUST_USE;

/*
 * Pins TEXT, if nothing is configured or pinned. Return: 1; 0 if it is the pinned text or something is
 * configured; -ERR_CONFIG if other keys are pinned; -ERR_FORMAT, -ERR_IO.
 */
int verifier_keys_pin(const struct agent_config *config, struct view text, struct verifier_keys *ret,
                      struct err *err) MUST_USE;

#endif
