/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_WAIT_H
#define AVOW_VERIFIER_WAIT_H

#include "base/err.h"
#include "base/macro.h"
#include "verifier/hosts.h"
#include "wire/meta.h"

/*
 * What a host is to be told beside its business (lib/wire/meta.h), and the long poll by which it learns of it
 * at once: GET /avow/v1/agents/:id/wait is a conditional GET whose answer waits until there is another one.
 */
struct verifier;
struct waits;

/* The words for HOST, borrowed from it. Empty for Keylime's. */
void wait_meta(const struct host *host, struct wire_meta *ret);
/* The same for the answer to a heartbeat: what the host was told long ago and has done is left out. */
void wait_meta_short(const struct host *host, int64_t now_ms, struct wire_meta *ret);

/* After a commit: what HOST is to be told is another thing now; the poll that waits is answered. */
void wait_notify(struct verifier *v, const char *host);

/* Makes v->waits and its route. */
int routes_wait(struct verifier *v, struct err *err) MUST_USE;
/* Answers who waits. Before the server is freed. */
void waits_free(struct waits *w);
/* Open polls. */
size_t waits_count(const struct waits *w);

#endif
