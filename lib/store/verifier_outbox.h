/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_STORE_VERIFIER_OUTBOX_H
#define AVOW_STORE_VERIFIER_OUTBOX_H

#include "store/verifier_revocations.h"

/*
 * The way of the revocations out of the verifier: what the registrar does not have yet, which wipes are
 * awaited, and the proofs that came. The rows are written with the verdict (verifier_revocations.h); here
 * they are read and marked. Spec: SR-2, SR-8.
 */
struct sent_revocation {
        int64_t n; /* order of all revocations */
        char *tenant, *host, *id, *reaction;
        int64_t seq;
        char *payload, *jws;
        char *nonce; /* the registrar's, lower-case hex; NULL: it has not said yet */
        int64_t posted_at_ms;
        int wipe; /* enum wipe */
        int64_t deadline_ms, proof_at_ms;
        char *proof; /* JSON text; NULL: none, or not asked for */
};
void sent_revocation_free(struct sent_revocation *r);

/* LIST is borrowed for the call. */
typedef void (*verifier_sent_fn)(void *ctx, enum store_outcome outcome, const struct sent_revocation *list,
                                 size_t n, const struct err *err);

/* Each of these: 0 if DONE will be called, else -ERR_NOMEM. */

/* Of each host the oldest revocation that the registrar does not have, in order; at most LIMIT. */
int verifier_db_unposted(struct verifier_db *db, size_t limit, verifier_sent_fn done, void *ctx,
                         struct err *err) MUST_USE;
/* The registrar has it, and drew NONCE for its proof. */
int verifier_db_posted(struct verifier_db *db, const char *tenant, const char *host, int64_t seq,
                       const char *nonce, int64_t at_ms, trust_done_fn done, void *ctx,
                       struct err *err) MUST_USE;
/* All of HOST that the registrar does not have, in order; after everything that was written before. */
int verifier_db_unposted_of(struct verifier_db *db, const char *tenant, const char *host,
                            verifier_sent_fn done, void *ctx, struct err *err) MUST_USE;
/*
 * Gives revocations of HOST other numbers, before the registrar has them: LIST (host, seq, id, payload and
 * jws as they will be, `n` as it is) in the order of numbers, all higher than they were. The host's trust
 * goes on from the last of them. STORE_CONFLICT: one of them was posted meanwhile; nothing was written.
 */
int verifier_db_renumber(struct verifier_db *db, const char *tenant, const char *host,
                         const struct sent_revocation *list, size_t n, const struct audit_entry *audit,
                         trust_done_fn done, void *ctx, struct err *err) MUST_USE;
/* One of them, with its proof; or STORE_NOT_FOUND. */
int verifier_db_sent(struct verifier_db *db, const char *tenant, const char *host, int64_t seq,
                     verifier_sent_fn done, void *ctx, struct err *err) MUST_USE;
/* Destroys whose proof is overdue at NOW_MS; at most LIMIT. */
int verifier_db_overdue(struct verifier_db *db, int64_t now_ms, size_t limit, verifier_sent_fn done,
                        void *ctx, struct err *err) MUST_USE;
/*
 * What became of the wipe: WIPED with PROOF, or UNPROVEN. Also in the host's trust, unless it was destroyed
 * again since. STORE_CONFLICT: it is proven already, or given up already; nothing was written.
 */
int verifier_db_wipe(struct verifier_db *db, const char *tenant, const char *host, int64_t seq,
                     enum wipe wipe, const char *proof, int64_t at_ms, const struct audit_entry *audit,
                     trust_done_fn done, void *ctx, struct err *err) MUST_USE;
/* Proofs that the registrar does not have, of revocations that it has; at most LIMIT. */
int verifier_db_proofs_unposted(struct verifier_db *db, size_t limit, verifier_sent_fn done, void *ctx,
                                struct err *err) MUST_USE;
int verifier_db_proof_posted(struct verifier_db *db, const char *tenant, const char *host, int64_t seq,
                             int64_t at_ms, trust_done_fn done, void *ctx, struct err *err) MUST_USE;

#endif
