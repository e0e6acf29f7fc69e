/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_HTTP_WORKERS_H
#define AVOW_HTTP_WORKERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/macro.h"
#include "http/loop.h"

/*
 * A few threads beside a loop, for what would hold it up: a measurement list of a hundred thousand entries.
 * A job is a function that touches nothing but what it was given; when it is through, the loop is told, in
 * the order in which jobs end. Every job that was taken is told of once, whatever happens. Threads are
 * started when there is work, run with less priority than the loop, and take no signals. All calls on the
 * loop's thread.
 */
struct workers;

/* Up to N_THREADS threads; jobs that cost more than MAX_COST together are not taken, but one always is. */
int workers_new(struct loop *loop, size_t n_threads, size_t max_cost, struct workers **ret,
                struct err *err) MUST_USE;
/* Waits for what runs, drops what waits, and tells of all of it before it returns. NULL is fine. */
void workers_free(struct workers *w);
DEFINE_AUTO(struct workers, workers_free)

typedef void (*workers_run_fn)(void *ctx);            /* on one of the threads */
typedef void (*workers_done_fn)(void *ctx, bool ran); /* on the loop; RAN: false if it was dropped */
/*
 * Takes a job. COST: the bytes that it holds. Return: 0; -ERR_LIMIT if too much is under way: come again;
 * -ERR_IO if not one thread can be started; -ERR_NOMEM. On failure nothing is called.
 */
int workers_do(struct workers *w, size_t cost, workers_run_fn run, workers_done_fn done, void *ctx,
               struct err *err) MUST_USE;
/* Jobs that wait or run, for gauges. */
size_t workers_count(const struct workers *w);

#endif
