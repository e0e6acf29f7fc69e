/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_OUTBOX_RENUMBER_H
#define AVOW_VERIFIER_OUTBOX_RENUMBER_H

#include "base/err.h"
#include "base/macro.h"
#include "http/loop.h"

/*
 * The registrar has another revocation under a number that we want to give: our database was put back from a
 * backup. What it has not got yet of this host moves up behind the newest that it has, signed anew.
 */
struct verifier;
struct renumber;

/* DONE: ERR is NULL if the numbers are others now. Return: 0 if DONE will be called; -ERR_NOMEM, -ERR_CONFIG.
 */
typedef void (*renumber_fn)(void *ctx, const struct err *err);
int renumber_start(struct verifier *v, const char *tenant, const char *host, renumber_fn done, void *ctx,
                   struct renumber **ret, struct err *err) MUST_USE;
/* DONE is not called any more. */
void renumber_cancel(struct renumber *x);

#endif
