/* SPDX-License-Identifier: Apache-2.0 */
/* Threads beside a loop: every job that was taken is told of once, on the loop, whatever happens. */
#include "support/support.h"

#include <pthread.h>

#include "http/workers.h"

struct job {
        pthread_t ran_on;
        unsigned runs, dones, dropped; /* of one job; `hold` keeps it running */
        pthread_mutex_t *hold;
        struct loop *stop;
        unsigned *left;
};

static void run(void *ctx)
{
        struct job *j = ctx;

        if (j->hold) {
                (void)pthread_mutex_lock(j->hold);
                (void)pthread_mutex_unlock(j->hold);
        }
        j->ran_on = pthread_self();
        j->runs++;
}

static void done(void *ctx, bool ran)
{
        struct job *j = ctx;

        j->dones++;
        j->dropped += !ran;
        if (j->left && --*j->left == 0)
                loop_stop(j->stop);
}

static void all_are_done_off_the_loop(void **state)
{
        AUTO(loop_free_p) struct loop *loop = NULL;
        AUTO(workers_free_p) struct workers *w = NULL;
        struct job jobs[500] = {0};
        unsigned left = ARRAY_LEN(jobs);
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(loop_new(&loop, &err), &err);
        assert_ok(workers_new(loop, 3, 1000000, &w, &err), &err);
        for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
                jobs[i].stop = loop;
                jobs[i].left = &left;
                assert_ok(workers_do(w, 100, run, done, &jobs[i], &err), &err);
        }
        assert_int_equal(workers_count(w), ARRAY_LEN(jobs));
        assert_ok(loop_run(loop, &err), &err);
        assert_int_equal(workers_count(w), 0);
        for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
                assert_int_equal(jobs[i].runs, 1);
                assert_int_equal(jobs[i].dones, 1);
                assert_int_equal(jobs[i].dropped, 0);
                assert_false(pthread_equal(jobs[i].ran_on, pthread_self()));
        }
        workers_free(TAKE(w)); /* before its loop */
}

static void no_more_than_there_is_room_for(void **state)
{
        AUTO(loop_free_p) struct loop *loop = NULL;
        AUTO(workers_free_p) struct workers *w = NULL;
        pthread_mutex_t hold = PTHREAD_MUTEX_INITIALIZER;
        struct job one = {.hold = &hold}, two = {0}, three = {0};
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(loop_new(&loop, &err), &err);
        assert_ok(workers_new(loop, 1, 100, &w, &err), &err);
        (void)pthread_mutex_lock(&hold);
        assert_ok(workers_do(w, 500, run, done, &one, &err), &err); /* one always is taken */
        assert_err(workers_do(w, 1, run, done, &two, &err), ERR_LIMIT, &err, "under way");
        (void)pthread_mutex_unlock(&hold);
        while (!one.dones)
                assert_ok(loop_step(loop, true, &err), &err);
        assert_ok(workers_do(w, 60, run, done, &two, &err), &err);
        assert_ok(workers_do(w, 40, run, done, &three, &err), &err);
        workers_free(TAKE(w));
        assert_int_equal(two.dones + three.dones, 2);
        assert_int_equal(two.runs + three.runs + two.dropped + three.dropped, 2);
}

/* What runs is waited for, what waits is dropped, and the loop that is freed later finds nothing of it. */
static void an_end_in_the_middle(void **state)
{
        pthread_mutex_t hold = PTHREAD_MUTEX_INITIALIZER;

        (void)state;
        for (int with_posted = 0; with_posted < 2; with_posted++) {
                AUTO(loop_free_p) struct loop *loop = NULL;
                struct workers *w = NULL;
                struct job jobs[20] = {0};
                struct err err = ERR_INIT;
                unsigned n = 0;

                assert_ok(loop_new(&loop, &err), &err);
                assert_ok(workers_new(loop, 1, 1000, &w, &err), &err);
                if (!with_posted)
                        (void)pthread_mutex_lock(&hold);
                for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
                        jobs[i].hold = &hold;
                        assert_ok(workers_do(w, 1, run, done, &jobs[i], &err), &err);
                }
                if (!with_posted)
                        (void)pthread_mutex_unlock(&hold);
                workers_free(w); /* the loop never ran: no answer was told before */
                for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
                        assert_int_equal(jobs[i].dones, 1);
                        assert_int_equal(jobs[i].runs + jobs[i].dropped, 1);
                        n += jobs[i].dones;
                }
                assert_int_equal(n, ARRAY_LEN(jobs));
        }
        workers_free(NULL);
}

static int try_all(void *ctx, struct err *err)
{
        struct loop *loop = ctx;
        struct workers *w = NULL;
        struct job job = {0};
        int r = workers_new(loop, 1, 100, &w, err);

        if (r == 0)
                r = workers_do(w, 1, run, done, &job, err);
        workers_free(w);
        if (r < 0)
                assert_int_equal(job.dones, 0);
        return r;
}

static void out_of_memory(void **state)
{
        AUTO(loop_free_p) struct loop *loop = NULL;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(loop_new(&loop, &err), &err);
        oom_each(try_all, loop);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(all_are_done_off_the_loop),
                cmocka_unit_test(no_more_than_there_is_room_for),
                cmocka_unit_test(an_end_in_the_middle),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
