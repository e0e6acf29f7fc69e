/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_SECRETS_H
#define AVOW_VERIFIER_SECRETS_H

#include "base/bytes.h"
#include "base/err.h"
#include "store/verifier_secrets.h"
#include "verifier/hosts.h"

/*
 * The secrets and approvals of the hosts. The verifier keeps and hands out what their owners made, byte for
 * byte; it can read none of it, and what it checks on the way in saves people from finding out later that a
 * document opens nothing. A host learns from `meta.avow.secrets` which set it should have: the digest of the
 * text that GET /avow/v1/agents/:id/secrets gives.
 */
struct verifier;

/* What one host may have: less than the agent takes (256 of each, 4 MiB: agent/secrets.h), because requests
 * that come at once do not see each other. */
#define SECRETS_PER_HOST    240 /* secrets; the same number of approvals that stand */
#define SECRETS_BYTES_TOTAL (7u << 19)

/*
 * The set as a host gets it: {"approvals": […], "floor": N, "secrets": […]}, approvals that stand only,
 * documents as they are. Equal sets give equal bytes. Ask buf_ok().
 */
void secrets_compose(const struct verifier_set *set, struct buf *ret);

/* Has what host->secrets tells read, if it is not known yet. In the background: a failure is logged, and the
 * next call tries again. */
void secrets_learn(struct verifier *v, struct host *host);
/* After a commit that changed the set of the host of this name: it is read again, and the host is told. */
void secrets_changed(struct verifier *v, const char *name);

/* "active"; "pending" while a withdrawn approval still opens what it is for, because no floor above its
 * version was certified; "withdrawn". HOST may be NULL: not enrolled. Spec: SR-7. */
const char *secrets_approval_state(const struct verifier_approval *a, const struct host *host);

#endif
