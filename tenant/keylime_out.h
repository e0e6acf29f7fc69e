/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_KEYLIME_OUT_H
#define AVOW_TENANT_KEYLIME_OUT_H

#include <jansson.h>

#include "policy/effective.h"
#include "policy/keylime_policy.h"
#include "tenant/keylime_in.h"

/*
 * From our policies to Keylime's: what holds for every host at a time, of all layers but overlays. What
 * Keylime cannot say is named. KEPT is what an import left in the text (KEYLIME_KEPT), or NULL.
 */

/* What the policy's text keeps for Keylime; NULL if nothing. Return: 0; -ERR_FORMAT for a line that was
 * edited. */
int keylime_kept_read(struct view text, json_t **ret, struct err *err) MUST_USE;

/* The runtime policy: `ima:`. Return: 0; -ERR_CONFIG if the policy has none; -ERR_CRYPTO, -ERR_NOMEM. */
int keylime_out_runtime(const struct policy *p, int64_t now_ms, const json_t *kept,
                        struct keylime_policy **ret, struct keylime_said *said, struct err *err) MUST_USE;

/* The reference state: `boot:`. Return: as above; also -ERR_CONFIG for another bank than sha256. */
int keylime_out_refstate(const struct policy *p, int64_t now_ms, const json_t *kept, json_t **ret,
                         struct keylime_said *said, struct err *err) MUST_USE;

#endif
