/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_OUTBOX_H
#define AVOW_VERIFIER_OUTBOX_H

#include "base/err.h"
#include "base/macro.h"

/*
 * Takes revocations, and the proofs of their wipes, to the registrar until it says that it has them. What it
 * knows can be lost at any point: the database is asked again at the next start.
 */
struct verifier;
struct outbox;

/* Makes v->outbox, with its metrics, and reads what is left to do. Without a registrar it does nothing. */
int outbox_start(struct verifier *v, struct err *err) MUST_USE;
/* There is something new. */
void outbox_wake(struct outbox *o);
/* Starts nothing more and cancels what is under way: before the client, the loop's timers and the database
 * end, which still tells it outcomes. */
void outbox_stop(struct outbox *o);
/* After the loop ended. */
void outbox_free(struct outbox *o);

#endif
