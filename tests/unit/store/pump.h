/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_STORE_PUMP_H
#define AVOW_TESTS_STORE_PUMP_H

#include <pthread.h>

#include "store/store.h"
#include "support/support.h"

/* A loop for tests of the store: posts wait in a list until somebody turns it. */
struct pump {
        pthread_mutex_t lock;
        pthread_cond_t came;
        struct {
                void (*fn)(void *arg);
                void *arg;
        } posts[16];
        size_t n;
};

static inline int pump_post(void *ctx, void (*fn)(void *arg), void *arg)
{
        struct pump *p = ctx;

        (void)pthread_mutex_lock(&p->lock);
        assert_true(p->n < 16);
        p->posts[p->n].fn = fn;
        p->posts[p->n++].arg = arg;
        (void)pthread_cond_signal(&p->came);
        (void)pthread_mutex_unlock(&p->lock);
        return 0;
}

static inline void pump_init(struct pump *p)
{
        *p = (struct pump){.n = 0};
        (void)pthread_mutex_init(&p->lock, NULL);
        (void)pthread_cond_init(&p->came, NULL);
}

/* Runs one post, waiting for it. */
static inline void pump_turn(struct pump *p)
{
        void (*fn)(void *arg);
        void *arg;

        (void)pthread_mutex_lock(&p->lock);
        while (p->n == 0)
                (void)pthread_cond_wait(&p->came, &p->lock);
        fn = p->posts[0].fn;
        arg = p->posts[0].arg;
        memmove(&p->posts[0], &p->posts[1], --p->n * sizeof(p->posts[0]));
        (void)pthread_mutex_unlock(&p->lock);
        fn(arg);
}

/* Turns until *COUNT reaches WANTED. */
static inline void pump_until(struct pump *p, const int *count, int wanted)
{
        while (*count < wanted)
                pump_turn(p);
}

/* CALL, which may use `err`, asks; waits for the answer, for which fixture F counts `told`. */
#define ASK(f, call)                                                                                         \
        do {                                                                                                 \
                struct err err_ = ERR_INIT, *err = &err_;                                                    \
                (f)->told = 0;                                                                               \
                assert_ok(call, err);                                                                        \
                pump_until(&(f)->pump, &(f)->told, 1);                                                       \
        } while (0)

/* After store_close(): what a loop does with posts that are left. */
static inline void pump_done(struct pump *p)
{
        while (p->n)
                pump_turn(p);
        (void)pthread_cond_destroy(&p->came);
        (void)pthread_mutex_destroy(&p->lock);
}

#endif
