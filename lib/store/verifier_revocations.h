/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_STORE_VERIFIER_REVOCATIONS_H
#define AVOW_STORE_VERIFIER_REVOCATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "store/audit.h"
#include "store/store.h"

/*
 * Trust, as the verifier keeps it beside the verdict: what the evidence shows is one thing, whether the host
 * is trusted another (SR-8). A change of trust, the verdict that led to it, its audit record and the signed
 * revocation that tells the world are one transaction.
 *
 * A host's trust outlives its enrolment: the numbers of its revocations never start again, and a name that
 * was revoked stays so when the host is removed and enrolled anew.
 */
struct verifier_db;

enum trust { TRUST_TRUSTED, TRUST_SUSPENDED, TRUST_REVOKED, TRUST_N };
/* "trusted", "suspended", "revoked". */
const char *trust_name(enum trust trust);

/* What became of the wipe that a destroy asks for. */
enum wipe { WIPE_NONE, WIPE_PENDING, WIPE_WIPED, WIPE_UNPROVEN, WIPE_N };
/* "none", "pending", "wiped", "wipe-unproven". */
const char *wipe_name(enum wipe wipe);

/* Where a host's trust stands. All zero: trusted, and never anything else. */
struct host_trust {
        int trust;             /* enum trust */
        int wipe;              /* enum wipe, of the last destroy */
        int64_t seq;           /* of its newest revocation; 0: there was none */
        int64_t since_ms;      /* trust is what it is */
        int64_t failed_at_ms;  /* first failure since the last pass; 0: none */
        int64_t destroy_at_ms; /* when the policy wants the destroy; 0: it does not */
        bool held;             /* its destroy waits for a second person */
        uint64_t epoch;        /* that the last destroy ends */
        int64_t wipe_by_ms;    /* deadline of the proof while `wipe` is pending */
        char *reason;          /* of the last change, one sentence, or NULL */
        char *reinstate_actor; /* who asked for its reinstatement, and why; NULL: nobody */
        char *reinstate_reason;
        int64_t reinstate_until_ms;
        bool reinstate_unwiped; /* also if the host was never wiped */
        char *jws;              /* the newest revocation, as signed; NULL: none */
        char *nonce;            /* the registrar's, lower-case hex; NULL: it has not said yet */
};
void host_trust_free(struct host_trust *t);
/* Return: 0; -ERR_NOMEM, RET empty. */
int host_trust_dup(const struct host_trust *from, struct host_trust *ret, struct err *err) MUST_USE;

/*
 * A change of trust. TRUST is the state as it will be. With PAYLOAD, a revocation is written: its number is
 * trust.seq, its signed form trust.jws, its wipe trust.wipe, its deadline trust.wipe_by_ms. Without, jws and
 * nonce in the database stay. Texts are borrowed for the call.
 */
struct trust_change {
        struct host_trust trust;
        const char *payload;  /* JSON text or NULL */
        const char *reaction; /* "suspend", "destroy", "reinstate" */
        const char *severity, *policy;
        int64_t issued_at_ms;
        struct audit_entry audit; /* action NULL: none */
};
/* Return: 0; -ERR_NOMEM, RET empty. A copy owns its texts. */
int trust_change_dup(const struct trust_change *from, struct trust_change *ret, struct err *err) MUST_USE;
void trust_change_free(struct trust_change *c);

typedef void (*trust_done_fn)(void *ctx, enum store_outcome outcome, const struct err *err);

/*
 * Writes a change alone (one that came with evidence goes into struct evidence_record). On the disk before
 * DONE. STORE_CONFLICT: the database knows a newer one; nothing was written. Return: 0 if DONE will be
 * called; -ERR_NOMEM.
 */
int verifier_db_trust(struct verifier_db *db, const char *tenant, const char *name,
                      const struct trust_change *change, trust_done_fn done, void *ctx,
                      struct err *err) MUST_USE;

/*
 * The fuse when it is blown: no host under POLICY ("": none at all) is destroyed before a second person has
 * said so. Spec: SR-3.
 */
struct hold {
        char *policy;
        int64_t since_ms;
        char *reason;       /* one sentence */
        char *pushed_by;    /* who must not be the one to confirm; may be NULL */
        char *confirmed_by; /* NULL: nobody yet */
        int64_t until_ms;   /* confirmed: until then no new hold is made */
};
void hold_free(struct hold *h);

/* HOLDS is the callee's to take things out of. */
typedef void (*verifier_holds_fn)(void *ctx, enum store_outcome outcome, struct hold *holds, size_t n,
                                  const struct err *err);
int verifier_db_holds(struct verifier_db *db, verifier_holds_fn done, void *ctx, struct err *err) MUST_USE;
/* Writes a hold, over one for the same policy. DONE may be NULL. */
int verifier_db_hold_set(struct verifier_db *db, const struct hold *hold, const struct audit_entry *audit,
                         trust_done_fn done, void *ctx, struct err *err) MUST_USE;
int verifier_db_hold_remove(struct verifier_db *db, const char *policy, const struct audit_entry *audit,
                            trust_done_fn done, void *ctx, struct err *err) MUST_USE;

#endif
