/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads for what takes long. One lock, two lists: what waits and what is through. The loop is woken by one
 * posted call at a time, which empties the second list; the call outlives the workers, because a loop that is
 * freed still makes it, so it holds a piece of memory of its own that says whether they are still there.
 */
#include "http/workers.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"

#define LESS_PRIORITY 5

struct job {
        struct job *next;
        workers_run_fn run;
        workers_done_fn done;
        void *ctx;
        size_t cost;
        bool ran;
};

struct list {
        struct job *first, **end;
};

/* What a posted call holds. */
struct wake {
        struct workers *w; /* NULL: gone. Under the lock until then */
        bool posted;
};

struct workers {
        struct loop *loop;
        pthread_mutex_t lock; /* of what follows */
        pthread_cond_t more;
        struct list waiting, through;
        struct wake *wake;
        bool stop;
        /* The loop's alone. */
        size_t n_jobs, cost, max_cost;
        size_t n_threads, max_threads;
        pthread_t threads[];
};

static void list_add(struct list *l, struct job *j)
{
        j->next = NULL;
        *l->end = j;
        l->end = &j->next;
}

static struct job *list_take(struct list *l)
{
        struct job *j = l->first;

        if (!j)
                return NULL;
        l->first = j->next;
        if (!l->first)
                l->end = &l->first;
        return j;
}

/* On the loop: everything that is through. */
static void tell(struct workers *w)
{
        for (;;) {
                struct job *j;

                (void)pthread_mutex_lock(&w->lock);
                j = list_take(&w->through);
                (void)pthread_mutex_unlock(&w->lock);
                if (!j)
                        return;
                w->n_jobs--;
                w->cost -= j->cost;
                j->done(j->ctx, j->ran);
                free(j);
        }
}

static void on_wake(void *arg)
{
        struct wake *wake = arg;
        struct workers *w = wake->w; /* changed on this thread alone */

        if (!w) {
                free(wake);
                return;
        }
        (void)pthread_mutex_lock(&w->lock);
        wake->posted = false;
        (void)pthread_mutex_unlock(&w->lock);
        tell(w);
}

static void *work(void *arg)
{
        struct workers *w = arg;
        bool post;

        (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), LESS_PRIORITY); /* as well as it can be */
        (void)pthread_mutex_lock(&w->lock);
        for (;;) {
                struct job *j = w->stop ? NULL : list_take(&w->waiting);

                if (!j && w->stop)
                        break;
                if (!j) {
                        (void)pthread_cond_wait(&w->more, &w->lock);
                        continue;
                }
                (void)pthread_mutex_unlock(&w->lock);
                j->run(j->ctx);
                (void)pthread_mutex_lock(&w->lock);
                j->ran = true;
                list_add(&w->through, j);
                post = !w->wake->posted;
                w->wake->posted = true;
                if (post) { /* waits for memory if there is none: never with the lock in hand */
                        struct wake *wake = w->wake;

                        (void)pthread_mutex_unlock(&w->lock);
                        loop_post_fn(w->loop, on_wake, wake);
                        (void)pthread_mutex_lock(&w->lock);
                }
        }
        (void)pthread_mutex_unlock(&w->lock);
        return NULL;
}

int workers_new(struct loop *loop, size_t n_threads, size_t max_cost, struct workers **ret, struct err *err)
{
        struct workers *w = mem_zalloc(1, sizeof(*w) + n_threads * sizeof(w->threads[0]));
        struct wake *wake = mem_zalloc(1, sizeof(*wake));

        if (!w || !wake) {
                free(w);
                free(wake);
                return err_nomem(err);
        }
        *w = (struct workers){.loop = loop, .max_threads = n_threads, .max_cost = max_cost, .wake = wake};
        wake->w = w;
        w->waiting.end = &w->waiting.first;
        w->through.end = &w->through.first;
        (void)pthread_mutex_init(&w->lock, NULL);
        (void)pthread_cond_init(&w->more, NULL);
        *ret = w;
        return 0;
}

/* One thread more, without signals: they are the loop's. */
static int start_thread(struct workers *w, struct err *err)
{
        sigset_t all, were;
        int r;

        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &were);
        r = pthread_create(&w->threads[w->n_threads], NULL, work, w);
        (void)pthread_sigmask(SIG_SETMASK, &were, NULL);
        if (r != 0)
                return err_errno(err, r, "start a worker thread");
        w->n_threads++;
        return 0;
}

int workers_do(struct workers *w, size_t cost, workers_run_fn run, workers_done_fn done, void *ctx,
               struct err *err)
{
        struct err inner = ERR_INIT;
        struct job *j;

        if (w->n_jobs && (cost > w->max_cost || w->cost > w->max_cost - cost))
                return err_set(err, ERR_LIMIT, 0, "%zu jobs with %zu bytes are under way", w->n_jobs,
                               w->cost);
        j = mem_zalloc(1, sizeof(*j));
        if (!j)
                return err_nomem(err);
        *j = (struct job){.run = run, .done = done, .ctx = ctx, .cost = cost};
        if (w->n_jobs >= w->n_threads && w->n_threads < w->max_threads && start_thread(w, &inner) < 0 &&
            w->n_threads == 0) {
                free(j);
                *err = inner;
                return -(int)inner.kind;
        }
        w->n_jobs++;
        w->cost += cost;
        (void)pthread_mutex_lock(&w->lock);
        list_add(&w->waiting, j);
        (void)pthread_cond_signal(&w->more);
        (void)pthread_mutex_unlock(&w->lock);
        return 0;
}

size_t workers_count(const struct workers *w)
{
        return w ? w->n_jobs : 0;
}

void workers_free(struct workers *w)
{
        struct job *j;

        if (!w)
                return;
        (void)pthread_mutex_lock(&w->lock);
        w->stop = true;
        (void)pthread_cond_broadcast(&w->more);
        (void)pthread_mutex_unlock(&w->lock);
        for (size_t i = 0; i < w->n_threads; i++)
                (void)pthread_join(w->threads[i], NULL);
        while ((j = list_take(&w->waiting)))
                list_add(&w->through, j);
        tell(w);
        if (w->wake->posted)
                w->wake->w = NULL; /* the call that is still to come frees it */
        else
                free(w->wake);
        (void)pthread_cond_destroy(&w->more);
        (void)pthread_mutex_destroy(&w->lock);
        free(w);
}
