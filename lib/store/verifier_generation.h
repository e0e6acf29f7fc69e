/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_STORE_VERIFIER_GENERATION_H
#define AVOW_STORE_VERIFIER_GENERATION_H

#include "store/verifier_db.h"

/*
 * Was the database put back from a backup? It holds a random id that is renewed all the time, and a file
 * outside of it holds the same; a database of another time has another id. What a restored database says of
 * hosts is old: so none of them counts as judged any more, and each is asked for its whole log. Spec: SR-17.
 */
#define GENERATION_RENEW_MS 60000 /* a backup that is older than two of these is noticed */

/*
 * At start, before anything else is asked; blocks. *RET_RESTORED: the ids differ (or one of the two is lost),
 * and the hosts' verdicts were taken back. Return: 0; -ERR_IO, -ERR_FORMAT for a file that is none.
 */
int verifier_db_generation(struct verifier_db *db, const char *path, bool *ret_restored,
                           struct err *err) MUST_USE;
/* Is it not done yet to ask for what was revoked since the backup? From a restore until _adopted. */
bool verifier_db_adopting(const struct verifier_db *db);
int verifier_db_adopted(struct verifier_db *db, verifier_done_fn done, void *ctx, struct err *err) MUST_USE;
/* A new id in both. DONE may be NULL. Return: 0 if DONE will be called; -ERR_NOMEM. */
int verifier_db_generation_renew(struct verifier_db *db, const char *path, verifier_done_fn done, void *ctx,
                                 struct err *err) MUST_USE;

#endif
