/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_PERMITS_H
#define AVOW_VERIFIER_PERMITS_H

#include "policy/ledger.h"

/* The permits that were given and are open, by host: the database's rows, in memory. */
struct permits;

int permits_new(struct permits **ret, struct err *err) MUST_USE;
void permits_free(struct permits *p);

/* One more. Return: 0; -ERR_LIMIT beyond LEDGER_OPEN_MAX of a host; -ERR_NOMEM. */
int permits_add(struct permits *p, const char *host, const struct ledger_permit *permit,
                struct err *err) MUST_USE;
/* HOST's, borrowed until the next change. */
const struct ledger_permit *permits_of(const struct permits *p, const char *host, size_t *ret_n);
/* What evidence of HOST did to them. */
void permits_mark(struct permits *p, const char *host, const struct ledger_mark *marks, size_t n);
/* HOST was removed. */
void permits_drop(struct permits *p, const char *host);

#endif
