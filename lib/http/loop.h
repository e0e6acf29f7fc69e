/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_HTTP_LOOP_H
#define AVOW_HTTP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macro.h"

/*
 * One event loop: timers, descriptors, signals, and work posted by other threads. A program may own several
 * loops, one per thread; everything made on a loop belongs to the thread that runs it. loop_post() and
 * loop_stop() alone may be called from any thread.
 *
 * Objects (timers, watches) are freed before their loop. Callbacks may free the object that called them.
 */
struct loop;
struct loop_timer;
struct loop_watch;
struct event_base;

typedef void (*loop_fn)(void *ctx);

/* Also ignores SIGPIPE, for the whole process. Return: 0, -ERR_NOMEM, -ERR_IO. */
int loop_new(struct loop **ret_loop, struct err *err) MUST_USE;
void loop_free(struct loop *loop);
DEFINE_AUTO(struct loop, loop_free)

/* Runs until loop_stop(). Return: 0, or -ERR_IO when the system's polling fails. */
int loop_run(struct loop *loop, struct err *err) MUST_USE;
/* Runs what is ready and returns, waiting at most for one event when WAIT. Return: as loop_run(). */
int loop_step(struct loop *loop, bool wait, struct err *err) MUST_USE;
/* Lets loop_run() return after the callback in progress. From any thread. */
void loop_stop(struct loop *loop);

/*
 * Calls fn(arg) on the loop's thread, in the order of posting. From any thread. What is still queued when the
 * loop is freed is called then, so that nobody waits for an answer that cannot come.
 * Return: 0, or -ERR_NOMEM with nothing queued.
 */
int loop_post(struct loop *loop, loop_fn fn, void *arg) MUST_USE;
/* The same for the store's threads, whose answers must arrive: without memory it waits for some. */
void loop_post_fn(void *loop, loop_fn fn, void *arg);

/* CLOCK_MONOTONIC in ms, read now. */
int64_t loop_now_ms(void);

/* A timer that is not running yet. Return: 0, -ERR_NOMEM. */
int loop_timer_new(struct loop *loop, loop_fn fn, void *ctx, struct loop_timer **ret_timer,
                   struct err *err) MUST_USE;
/* Fires once, DELAY_MS from now (0: in the next turn); a running timer is set anew. */
void loop_timer_start(struct loop_timer *timer, int64_t delay_ms);
void loop_timer_stop(struct loop_timer *timer);
bool loop_timer_running(const struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer);
DEFINE_AUTO(struct loop_timer, loop_timer_free)

enum loop_event { LOOP_READ = 1, LOOP_WRITE = 2 };
typedef void (*loop_watch_fn)(void *ctx, unsigned events);

/* Calls FN whenever FD is ready for one of EVENTS (LOOP_READ | LOOP_WRITE). FD stays the caller's and open
 * until the watch is freed. Return: 0, -ERR_NOMEM, -ERR_IO. */
int loop_watch_new(struct loop *loop, int fd, unsigned events, loop_watch_fn fn, void *ctx,
                   struct loop_watch **ret_watch, struct err *err) MUST_USE;
/* Calls FN on the loop when the signal arrives. One loop of a program watches signals. */
int loop_signal_new(struct loop *loop, int signo, loop_watch_fn fn, void *ctx, struct loop_watch **ret_watch,
                    struct err *err) MUST_USE;
void loop_watch_free(struct loop_watch *watch);
DEFINE_AUTO(struct loop_watch, loop_watch_free)

/* For lib/http itself. */
struct event_base *loop_base(struct loop *loop);

#endif
