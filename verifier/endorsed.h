/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_ENDORSED_H
#define AVOW_VERIFIER_ENDORSED_H

#include "base/conf.h"
#include "base/err.h"
#include "base/macro.h"
#include "evidence/tee_types.h"

/*
 * What vouches for hosts' processors: the folder endorsements.dir, which `avow endorsements` fills, and the
 * roots of endorsements.roots. Read at start and at a reload; when the folder changes, once more, beside the
 * loop. What is in use stays for as long as somebody uses it. The verifier fetches nothing itself: a vendor's
 * server that is slow, or not to be had, must not decide when a host is judged.
 */
struct verifier;
struct endorsed;

/* Reads both. Return: 0; -ERR_CONFIG (a root that is none), -ERR_IO, -ERR_LIMIT, -ERR_NOMEM. */
int endorsed_load(const struct conf *conf, struct endorsed **ret, struct err *err) MUST_USE;
/* One more user, one less; from any thread. NULL is fine. */
struct endorsed *endorsed_ref(struct endorsed *e);
void endorsed_free(struct endorsed *e);
DEFINE_AUTO(struct endorsed, endorsed_free)
/* Borrowed; NULL for NULL. */
const struct tee_trust *endorsed_trust(const struct endorsed *e);

/* What was read of collateral for quotes before, for the calling thread alone until it gives back SLOT; NULL:
 * all of it is in use, and it goes without (SLOT may be given back all the same). */
struct dcap_warm *endorsed_take_warm(struct endorsed *e, size_t *ret_slot);
void endorsed_give_warm(struct endorsed *e, size_t slot);

/* Reads the folder again if it changed since; to be called now and then. */
void endorsed_look(struct verifier *v);

#endif
