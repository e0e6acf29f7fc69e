/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop over libevent. Work from other threads goes through a queue under a lock and an eventfd; the
 * loop takes the whole queue at once, so that a busy writer thread costs it one system call a turn.
 */
#include "http/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

struct post {
        struct post *next;
        loop_fn fn;
        void *arg;
};

struct loop {
        struct event_base *base;
        struct event *wake;
        int wake_fd;
        pthread_mutex_t lock;
        struct post *first, **last; /* under lock */
        atomic_bool stop;
};

struct loop_timer {
        struct event *ev;
        loop_fn fn;
        void *ctx;
};

struct loop_watch {
        struct event *ev;
        loop_watch_fn fn;
        void *ctx;
};

static void run_posts(struct loop *loop)
{
        struct post *p, *next;

        pthread_mutex_lock(&loop->lock);
        p = loop->first;
        loop->first = NULL;
        loop->last = &loop->first;
        pthread_mutex_unlock(&loop->lock);
        for (; p != NULL; p = next) {
                next = p->next;
                p->fn(p->arg);
                free(p);
        }
}

static void on_wake(evutil_socket_t fd, short what, void *ctx)
{
        struct loop *loop = ctx;
        uint64_t n;

        (void)what;
        if (read(fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
                return;
        run_posts(loop);
        if (atomic_exchange(&loop->stop, false))
                (void)event_base_loopbreak(loop->base);
}

int loop_new(struct loop **ret_loop, struct err *err)
{
        AUTO(loop_free_p)
        struct loop *loop = mem_zalloc(1, sizeof(*loop));

        if (loop == NULL)
                return err_nomem(err);
        loop->wake_fd = -1;
        (void)signal(SIGPIPE, SIG_IGN); /* a peer that left is an error of its write, not the program's end */
        loop->last = &loop->first;
        pthread_mutex_init(&loop->lock, NULL);
        loop->base = event_base_new();
        if (loop->base == NULL)
                return err_nomem(err);
        loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (loop->wake_fd < 0)
                return err_errno(err, errno, "eventfd");
        loop->wake = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
        if (loop->wake == NULL || event_add(loop->wake, NULL) < 0)
                return err_nomem(err);
        *ret_loop = TAKE(loop);
        return 0;
}

void loop_free(struct loop *loop)
{
        if (loop == NULL)
                return;
        while (loop->first != NULL)
                run_posts(loop);
        if (loop->wake != NULL)
                event_free(loop->wake);
        if (loop->wake_fd >= 0)
                close(loop->wake_fd);
        if (loop->base != NULL) {
                /* Buffer events that were freed go in the next turn only; without it each leaks its TLS
                 * state. */
                for (int i = 0; i < 4 && event_base_get_num_events(loop->base, EVENT_BASE_COUNT_ACTIVE) > 0;
                     i++)
                        (void)event_base_loop(loop->base, EVLOOP_NONBLOCK); /* nobody is left to tell */
                event_base_free(loop->base);
        }
        pthread_mutex_destroy(&loop->lock);
        free(loop);
}

static int run(struct loop *loop, int flags, struct err *err)
{
        if (event_base_loop(loop->base, flags) < 0)
                return err_errno(err, errno, "event loop");
        return 0;
}

int loop_run(struct loop *loop, struct err *err)
{
        return run(loop, EVLOOP_NO_EXIT_ON_EMPTY, err);
}

int loop_step(struct loop *loop, bool wait, struct err *err)
{
        return run(loop, EVLOOP_ONCE | (wait ? 0 : EVLOOP_NONBLOCK), err);
}

static void wake(struct loop *loop)
{
        const uint64_t one = 1;

        /* Fails only when 2^64 - 2 wakes are pending, and then the loop is awake. */
        if (write(loop->wake_fd, &one, sizeof(one)) < 0)
                return;
}

void loop_stop(struct loop *loop)
{
        atomic_store(&loop->stop, true);
        wake(loop);
}

int loop_post(struct loop *loop, loop_fn fn, void *arg)
{
        struct post *p = mem_alloc(sizeof(*p));
        bool first;

        if (p == NULL)
                return -ERR_NOMEM;
        *p = (struct post){NULL, fn, arg};
        pthread_mutex_lock(&loop->lock);
        first = loop->first == NULL;
        *loop->last = p;
        loop->last = &p->next;
        pthread_mutex_unlock(&loop->lock);
        if (first)
                wake(loop);
        return 0;
}

void loop_post_fn(void *loop, loop_fn fn, void *arg)
{
        const struct timespec moment = {.tv_nsec = 10 * 1000 * 1000};

        while (loop_post(loop, fn, arg) < 0)
                (void)nanosleep(&moment, NULL);
}

int64_t loop_now_ms(void)
{
        return clock_mono_ms();
}

struct event_base *loop_base(struct loop *loop)
{
        return loop->base;
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
        struct loop_timer *timer = ctx;

        (void)fd;
        (void)what;
        timer->fn(timer->ctx);
}

int loop_timer_new(struct loop *loop, loop_fn fn, void *ctx, struct loop_timer **ret_timer, struct err *err)
{
        struct loop_timer *timer = mem_zalloc(1, sizeof(*timer));

        if (timer == NULL)
                return err_nomem(err);
        *timer = (struct loop_timer){NULL, fn, ctx};
        timer->ev = evtimer_new(loop->base, on_timer, timer);
        if (timer->ev == NULL) {
                free(timer);
                return err_nomem(err);
        }
        *ret_timer = timer;
        return 0;
}

void loop_timer_start(struct loop_timer *timer, int64_t delay_ms)
{
        struct timeval tv;

        if (delay_ms < 0)
                delay_ms = 0;
        tv = (struct timeval){.tv_sec = delay_ms / 1000, .tv_usec = delay_ms % 1000 * 1000};
        /* Adding fails only when the heap of timers cannot grow: the event was made on this base. */
        (void)event_add(timer->ev, &tv);
}

void loop_timer_stop(struct loop_timer *timer)
{
        (void)event_del(timer->ev);
}

bool loop_timer_running(const struct loop_timer *timer)
{
        return event_pending(timer->ev, EV_TIMEOUT, NULL) != 0;
}

void loop_timer_free(struct loop_timer *timer)
{
        if (timer == NULL)
                return;
        event_free(timer->ev);
        free(timer);
}

static void on_watch(evutil_socket_t fd, short what, void *ctx)
{
        struct loop_watch *watch = ctx;

        (void)fd;
        watch->fn(watch->ctx, (what & EV_READ ? LOOP_READ : 0u) | (what & EV_WRITE ? LOOP_WRITE : 0u));
}

static int watch_new(struct loop *loop, int fd, short what, loop_watch_fn fn, void *ctx,
                     struct loop_watch **ret_watch, struct err *err)
{
        struct loop_watch *watch = mem_zalloc(1, sizeof(*watch));

        if (watch == NULL)
                return err_nomem(err);
        *watch = (struct loop_watch){NULL, fn, ctx};
        watch->ev = event_new(loop->base, fd, what, on_watch, watch);
        if (watch->ev == NULL) {
                free(watch);
                return err_nomem(err);
        }
        if (event_add(watch->ev, NULL) < 0) {
                loop_watch_free(watch);
                return err_errno(err, errno, "watch descriptor %d", fd);
        }
        *ret_watch = watch;
        return 0;
}

int loop_watch_new(struct loop *loop, int fd, unsigned events, loop_watch_fn fn, void *ctx,
                   struct loop_watch **ret_watch, struct err *err)
{
        short what = EV_PERSIST;

        if (events & LOOP_READ)
                what |= EV_READ;
        if (events & LOOP_WRITE)
                what |= EV_WRITE;
        return watch_new(loop, fd, what, fn, ctx, ret_watch, err);
}

int loop_signal_new(struct loop *loop, int signo, loop_watch_fn fn, void *ctx, struct loop_watch **ret_watch,
                    struct err *err)
{
        return watch_new(loop, signo, EV_SIGNAL | EV_PERSIST, fn, ctx, ret_watch, err);
}

void loop_watch_free(struct loop_watch *watch)
{
        if (watch == NULL)
                return;
        event_free(watch->ev);
        free(watch);
}
