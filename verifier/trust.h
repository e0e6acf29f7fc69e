/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_TRUST_H
#define AVOW_VERIFIER_TRUST_H

#include "verifier/attest.h"
#include "verifier/react.h"

/*
 * Trust, wired: what a verdict or the time does to a host's trust is worked out by react.h, signed, written
 * in one transaction with what led to it, and told.
 */

/* The trust that counts now: what is recorded, or suspended if no pass is on record for a lease. Releases,
 * permits and results go by this. Spec: SR-2. */
enum trust trust_of(const struct verifier *v, const struct host *host);

/*
 * What the round's verdict does to HOST's trust, into r->trust. The round's state is made. Return: 1, or 0 if
 * it changes nothing; -kind.
 */
int trust_after_evidence(struct round *r, struct host *host, struct err *err) MUST_USE;
/* It is on the disk: takes r->trust over into the host, and tells everybody. */
void trust_apply(struct round *r, struct host *host);

/* A host came into the table: what it has to do with the fuse. */
void trust_loaded(struct verifier *v, const struct host *host);
/* Once a second: leases that ran out, destroys that are due, holds that are over. */
void trust_sweep(struct verifier *v);
/* Reads the holds. Call before hosts are read. */
int trust_start(struct verifier *v, struct err *err) MUST_USE;

/*
 * N hosts that pass would fail under the version of POLICY that ACTOR pushes all the same: if they are too
 * many for the fuse, it is blown before the first of them fails. Spec: SR-3.
 */
void trust_forced(struct verifier *v, const char *policy, size_t n, const char *actor);

/*
 * Somebody may ask that a host that is not trusted be reinstated; it is, when it passes over a challenge of
 * seconds. DONE is told when the request is on the disk. Return: 0 if DONE will be called; -kind.
 */
int trust_ask_reinstatement(struct verifier *v, struct host *host, const char *actor, const char *reason,
                            bool unwiped, int64_t lifetime_ms, verifier_done_fn done, void *ctx,
                            struct err *err) MUST_USE;
/* Does HOST's reinstatement wait for a pass over a challenge of seconds? */
bool trust_wants_challenge(const struct host *host);

/* A host's newest revocation that the database does not know of, from the registrar. */
struct trust_adoption {
        int64_t seq;
        enum reaction reaction;
        const char *jws;
        const char *payload; /* what it says, if our own key signed it; NULL: it is believed, and not kept */
};
/* HOST's trust becomes what X says. Return: 0 if DONE will be called; -kind. */
int trust_adopt(struct verifier *v, struct host *host, const struct trust_adoption *x, verifier_done_fn done,
                void *ctx, struct err *err) MUST_USE;

/* A second person agrees to what POLICY's hold ("": the fleet's) holds. HOLD must be there. */
int trust_confirm(struct verifier *v, const char *policy, const char *actor, verifier_done_fn done, void *ctx,
                  struct err *err) MUST_USE;

/* A new revocation of HOST is on the disk (or what is said of the newest has changed): wakes whoever carries
 * it. */
void verifier_revoked(struct verifier *v, struct host *host);

int routes_trust(struct verifier *v, struct err *err) MUST_USE;

#endif
