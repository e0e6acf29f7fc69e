/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_ADOPT_H
#define AVOW_VERIFIER_ADOPT_H

#include "verifier/verifier.h"

/*
 * After a database was put back from a backup: the registrar knows the revocations that were decided since,
 * and each host's newest is taken over from it. Until that is done no host is trusted. Spec: SR-8, SR-17.
 */
struct adopt;

/* After generation_start(). Does nothing where nothing has to be adopted, or no registrar is configured
 * (which it says). */
int adopt_start(struct verifier *v, struct err *err) MUST_USE;
/* Asks nothing more; what is under way ends silently. Then, when no request and no write is left, _free. */
void adopt_stop(struct adopt *a);
void adopt_free(struct adopt *a);

#endif
