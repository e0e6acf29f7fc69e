/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_REGISTRAR_DELIVERY_H
#define AVOW_REGISTRAR_DELIVERY_H

#include "base/err.h"
#include "base/macro.h"
#include "http/loop.h"
#include "http/metrics.h"
#include "settings.h"
#include "store/hooks_db.h"
#include "store/registrar_db.h"

/*
 * Takes what is due out of the outbox to the hooks, at least once each. What it knows can be lost at any
 * point: the outbox is asked again at the next start.
 */
struct delivery;

/* SETTINGS are copied. HOSTS are asked for the certificates of listeners. Adds its metrics to M. */
int delivery_new(struct loop *loop, struct hooks_db *db, struct registrar_db *hosts,
                 const struct settings *settings, struct metrics *m, struct delivery **ret,
                 struct err *err) MUST_USE;
/* Drops what is under way (the outbox has it still) and starts nothing more: before the database is closed,
 * which still tells it outcomes. */
void delivery_stop(struct delivery *d);
/* After the database was closed. */
void delivery_free(struct delivery *d);
DEFINE_AUTO(struct delivery, delivery_free)

/* Brings the configuration's own hooks (programs, journal) into the database, then starts. */
void delivery_start(struct delivery *d);
/* The hooks have changed: reads them again. */
void delivery_reload(struct delivery *d);
/* There may be something due. */
void delivery_wake(struct delivery *d);

/* Sends one event of type org.avow.hook.test now. ERR of DONE is NULL when the hook took it. Return: 0;
 * -ERR_PEER if no such hook is loaded; -kind. */
typedef void (*delivery_test_fn)(void *ctx, int64_t took_ms, const struct err *err);
int delivery_test(struct delivery *d, const char *hook, delivery_test_fn done, void *ctx,
                  struct err *err) MUST_USE;

#endif
