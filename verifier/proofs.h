/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_PROOFS_H
#define AVOW_VERIFIER_PROOFS_H

#include "base/err.h"
#include "base/macro.h"

/*
 * Proofs of wipes: POST /avow/v1/agents/:id/proofs, judged here, kept, and passed on to the registrar; and
 * the wipes that are not proven by their deadline. Spec: SR-2, SR-5.
 */
struct verifier;
struct proofs;

/* Makes v->proofs and its route, and starts to look for overdue proofs. */
int routes_proofs(struct verifier *v, struct err *err) MUST_USE;
/* Before the loop's timers end. */
void proofs_stop(struct proofs *p);
/* After the loop ended. */
void proofs_free(struct proofs *p);

#endif
