/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_REGISTRAR_KEEP_H
#define AVOW_REGISTRAR_KEEP_H

#include "base/err.h"
#include "base/macro.h"
#include "http/loop.h"
#include "http/metrics.h"
#include "settings.h"
#include "store/hooks_db.h"

/* Forgets revocations that every hook has got, as `revocations.keep` says: at the start, then every minute, a
 * few at a time. */
struct keep;

/* Adds its metric to M. Nothing happens before keep_start(). */
int keep_new(struct loop *loop, struct hooks_db *db, const struct settings *settings, struct metrics *m,
             struct keep **ret, struct err *err) MUST_USE;
void keep_start(struct keep *k);
/* Before the database is closed: asks nothing more. */
void keep_stop(struct keep *k);
/* After the database was closed. */
void keep_free(struct keep *k);
DEFINE_AUTO(struct keep, keep_free)

#endif
