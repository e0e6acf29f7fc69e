/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_EVENTS_H
#define AVOW_VERIFIER_EVENTS_H

#include "http/server.h"

/* What changed, as it changes: the last few hundred in memory, and streams (server-sent events) that follow.
 */
#define EVENTS_KEPT    512
#define EVENTS_STREAMS 64

struct events;

int events_new(struct events **ret, struct err *err) MUST_USE;
/* Ends the streams. */
void events_free(struct events *e);
DEFINE_AUTO(struct events, events_free)

/* TYPE is "host.state", "host.added", "host.removed" or "policy.changed"; others may be NULL. Being out of
 * memory loses the event: a follower that needs all reads the history. E NULL (the end of the program):
 * nothing. */
void events_emit(struct events *e, const char *type, const char *host, const char *state, const char *was,
                 const char *summary);

/* Answers with a stream, after LAST_ID (0: from now). */
void events_stream(struct events *e, struct http_request *req, int64_t last_id);

#endif
