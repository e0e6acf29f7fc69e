/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs, threads and group commit; the engine below only knows connections.
 *
 * Two threads: the writer takes all jobs that wait at once and runs them in one transaction, each behind its
 * own savepoint, so that one fsync serves them all; the reader runs queries on a connection of its own.
 * Deferred jobs alone wait up to 100 ms for company; a durable one takes them along. When the shared commit
 * fails, or the engine had to roll the whole transaction back, each job is run once more alone: then only
 * those fail that must.
 *
 * Finished jobs are handed to the loop in one list, with one post for as many as there are by then.
 */
#include "store/store.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "store/engine.h"

#define DEFER_MS    100
#define BATCH_LIMIT 1000 /* jobs that deferred ones wait for */

struct queue {
        struct store_job *head, **tail;
        size_t n, n_urgent;
};

/* What a post carries: outlives the store if the loop calls it late. */
struct drain {
        struct store *store; /* NULL once it is closed */
        bool posted;
};

struct worker {
        struct store *store;
        struct store_conn *conn;
        pthread_t thread;
        pthread_cond_t wake;
        bool started, stop, reader;
        struct queue waiting;
        struct timespec since; /* when the first of the waiting came */
};

struct store {
        const struct store_engine *engine;
        pthread_mutex_t lock; /* the queues and health */
        struct worker writer, reader;
        struct store_job *finished, **finished_tail;
        struct drain *drain;
        store_post_fn post;
        void *post_ctx;
        struct err health;
};

struct store_value STORE_T(const char *s) {
        return s ? (struct store_value){.type = STORE_TEXT, .v = view_str(s)} : STORE_N;
}

/* ---- the loop's side ---- */

static void
run_finished(struct store *s)
{
        struct store_job *job;

        (void)pthread_mutex_lock(&s->lock);
        job = s->finished;
        s->finished = NULL;
        s->finished_tail = &s->finished;
        s->drain->posted = false;
        (void)pthread_mutex_unlock(&s->lock);
        while (job) {
                struct store_job *next = job->next;

                job->done(job, job->err.kind == ERR_NONE ? NULL : &job->err);
                job = next;
        }
}

static void on_post(void *arg)
{
        struct drain *drain = arg;

        if (drain->store)
                run_finished(drain->store);
        else
                free(drain);
}

void store_submit(struct store *s, struct store_job *job)
{
        struct worker *w = job->class == STORE_READ ? &s->reader : &s->writer;

        job->next = NULL;
        err_clear(&job->err);
        (void)pthread_mutex_lock(&s->lock);
        if (w->waiting.n == 0)
                (void)clock_gettime(CLOCK_MONOTONIC, &w->since);
        *w->waiting.tail = job;
        w->waiting.tail = &job->next;
        w->waiting.n++;
        if (job->class != STORE_DEFERRED)
                w->waiting.n_urgent++;
        (void)pthread_cond_signal(&w->wake);
        (void)pthread_mutex_unlock(&s->lock);
}

int store_health(struct store *s, struct err *err)
{
        int r = 0;

        (void)pthread_mutex_lock(&s->lock);
        if (s->health.kind != ERR_NONE) {
                *err = s->health;
                r = -(int)err->kind;
        }
        (void)pthread_mutex_unlock(&s->lock);
        return r;
}

/* A job whose submitter waits for it; it has no `done`. */
struct call {
        struct store_job job;
        int (*work)(struct store_conn *conn, void *arg, struct err *err);
        void *arg;
        pthread_cond_t *finished;
        bool is_finished;
};

static int call_work(struct store_job *job, struct store_conn *conn, struct err *err)
{
        struct call *call = (struct call *)job;

        return call->work(conn, call->arg, err);
}

int store_call(struct store *s, enum store_class class,
               int (*work)(struct store_conn *conn, void *arg, struct err *err), void *arg, struct err *err)
{
        pthread_cond_t finished = PTHREAD_COND_INITIALIZER;
        struct call call = {
                .job = {.class = class, .work = call_work}, .work = work, .arg = arg, .finished = &finished};

        store_submit(s, &call.job);
        (void)pthread_mutex_lock(&s->lock);
        while (!call.is_finished)
                (void)pthread_cond_wait(&finished, &s->lock);
        (void)pthread_mutex_unlock(&s->lock);
        (void)pthread_cond_destroy(&finished);
        if (call.job.err.kind == ERR_NONE)
                return 0;
        *err = call.job.err;
        return -(int)err->kind;
}

/* ---- the threads ---- */

static void queue_init(struct queue *q)
{
        *q = (struct queue){.head = NULL};
        q->tail = &q->head;
}

/* Waits for jobs and takes them all. Return: NULL when it is time to stop and nothing waits. */
static struct store_job *take_jobs(struct worker *w)
{
        struct store_job *jobs;

        while (w->waiting.n == 0 && !w->stop)
                (void)pthread_cond_wait(&w->wake, &w->store->lock);
        while (w->waiting.n_urgent == 0 && w->waiting.n > 0 && w->waiting.n < BATCH_LIMIT && !w->stop) {
                struct timespec until = w->since;

                until.tv_nsec += DEFER_MS * 1000000L;
                until.tv_sec += until.tv_nsec / 1000000000L;
                until.tv_nsec %= 1000000000L;
                if (pthread_cond_timedwait(&w->wake, &w->store->lock, &until) != 0)
                        break;
        }
        jobs = w->waiting.head;
        queue_init(&w->waiting);
        return jobs;
}

/* Runs the job's function. Return: 0; -kind with job->err set. */
static int run_work(struct worker *w, struct store_job *job)
{
        int r;

        err_clear(&job->err);
        r = job->work(job, w->conn, &job->err);
        if (r >= 0) {
                err_clear(&job->err);
                return 0;
        }
        return job->err.kind != ERR_NONE ? r
                                         : err_set(&job->err, ERR_BUG, 0, "a job failed without saying why");
}

/* One job in a transaction of its own. Sets job->err. */
static void run_alone(struct worker *w, struct store_job *job)
{
        const struct store_engine *e = w->store->engine;

        err_clear(&job->err);
        if (e->begin(w->conn, w->reader, &job->err) < 0)
                return;
        if (run_work(w, job) >= 0 && e->commit(w->conn, &job->err) >= 0)
                return;
        e->rollback(w->conn);
}

/* All jobs in one transaction. Return: false if they have to be run one by one. */
static bool run_together(struct worker *w, struct store_job *jobs)
{
        const struct store_engine *e = w->store->engine;
        struct err err = ERR_INIT;
        bool ok = e->begin(w->conn, w->reader, &err) >= 0;

        for (struct store_job *job = jobs; job && ok; job = job->next) {
                ok = e->savepoint(w->conn, &err) >= 0;
                if (!ok)
                        break;
                if (run_work(w, job) >= 0)
                        ok = e->release(w->conn, &err) >= 0;
                else
                        ok = e->in_transaction(w->conn) && e->rollback_to(w->conn, &err) >= 0;
        }
        ok = ok && e->commit(w->conn, &err) >= 0;
        if (!ok)
                e->rollback(w->conn);
        return ok;
}

static void run_jobs(struct worker *w, struct store_job *jobs)
{
        if (!w->reader && jobs->next && run_together(w, jobs))
                return;
        for (struct store_job *job = jobs; job; job = job->next)
                run_alone(w, job);
}

/* Puts one finished job where it is waited for. Return: true if that is the loop. */
static bool hand_over(struct store *s, struct store_job *job)
{
        job->next = NULL;
        if (!job->done) {
                struct call *call = (struct call *)job;

                call->is_finished = true;
                (void)pthread_cond_signal(call->finished);
                return false;
        }
        *s->finished_tail = job;
        s->finished_tail = &job->next;
        return true;
}

/* Gives finished jobs to the loop; remembers whether the disk took them. */
static void finish_jobs(struct worker *w, struct store_job *jobs)
{
        struct store *s = w->store;
        bool post = false;

        (void)pthread_mutex_lock(&s->lock);
        while (jobs) {
                struct store_job *next = jobs->next;

                if (!w->reader && (jobs->err.kind == ERR_IO || jobs->err.kind == ERR_NONE))
                        s->health = jobs->err;
                post = hand_over(s, jobs) || post;
                jobs = next;
        }
        post = post && !s->drain->posted;
        s->drain->posted = s->drain->posted || post;
        (void)pthread_mutex_unlock(&s->lock);
        while (post && s->post(s->post_ctx, on_post, s->drain) < 0)
                (void)nanosleep(&(struct timespec){.tv_nsec = 10000000},
                                NULL); /* out of memory: not for ever */
}

static void *worker_main(void *arg)
{
        struct worker *w = arg;

        for (;;) {
                struct store_job *jobs;

                (void)pthread_mutex_lock(&w->store->lock);
                jobs = take_jobs(w);
                (void)pthread_mutex_unlock(&w->store->lock);
                if (!jobs)
                        return NULL;
                run_jobs(w, jobs);
                finish_jobs(w, jobs);
        }
}

/* ---- opening and closing ---- */

static int worker_start(struct worker *w, struct err *err)
{
        pthread_condattr_t attr;
        int r;

        (void)pthread_condattr_init(&attr);
        (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        (void)pthread_cond_init(&w->wake, &attr);
        (void)pthread_condattr_destroy(&attr);
        r = pthread_create(&w->thread, NULL, worker_main, w);
        if (r != 0)
                return err_errno(err, r, "start a thread of the store");
        w->started = true;
        return 0;
}

static void worker_stop(struct worker *w)
{
        if (w->started) {
                (void)pthread_mutex_lock(&w->store->lock);
                w->stop = true;
                (void)pthread_cond_signal(&w->wake);
                (void)pthread_mutex_unlock(&w->store->lock);
                (void)pthread_join(w->thread, NULL);
                (void)pthread_cond_destroy(&w->wake);
                w->started = w->stop = false;
        }
}

static int open_all(struct store *s, const char *where, const struct store_schema *schema, struct err *err)
{
        int r;

        r = s->engine->open(where, schema, false, &s->writer.conn, err);
        if (r >= 0)
                r = s->engine->open(where, schema, true, &s->reader.conn, err);
        if (r >= 0)
                r = worker_start(&s->writer, err);
        if (r >= 0)
                r = worker_start(&s->reader, err);
        return r;
}

static const struct store_engine *const engines[] = {&store_engine_sqlite};

static const struct store_engine *find_engine(const char *url, const char **ret_where)
{
        for (size_t i = 0; i < ARRAY_LEN(engines); i++) {
                size_t len = strlen(engines[i]->scheme);

                if (strncmp(url, engines[i]->scheme, len) == 0 && url[len] != '\0') {
                        *ret_where = url + len;
                        return engines[i];
                }
        }
        return NULL;
}

int store_open(const char *url, const struct store_schema *schema, store_post_fn post, void *post_ctx,
               struct store **ret_store, struct err *err)
{
        AUTO(store_close_p)
        struct store *s = NULL;
        const char *where = NULL;
        const struct store_engine *engine = find_engine(url, &where);
        int r;

        if (!engine)
                return err_set(err, ERR_CONFIG, 0, "store.url '%s': expected sqlite:PATH", url);
        s = mem_zalloc(1, sizeof(*s));
        if (!s)
                return err_nomem(err);
        s->engine = engine;
        (void)pthread_mutex_init(&s->lock, NULL);
        s->writer = (struct worker){.store = s};
        s->reader = (struct worker){.store = s, .reader = true};
        queue_init(&s->writer.waiting);
        queue_init(&s->reader.waiting);
        s->finished_tail = &s->finished;
        s->post = post;
        s->post_ctx = post_ctx;
        s->drain = mem_zalloc(1, sizeof(*s->drain));
        if (!s->drain)
                return err_nomem(err);
        s->drain->store = s;
        r = open_all(s, where, schema, err);
        if (r < 0)
                return r;
        *ret_store = TAKE(s);
        return 0;
}

void store_close(struct store *s)
{
        if (!s)
                return;
        do { /* a `done` may submit once more */
                worker_stop(&s->writer);
                worker_stop(&s->reader);
                if (s->drain && s->finished) {
                        bool posted = s->drain->posted;
                        struct err err = ERR_INIT;

                        run_finished(s);
                        s->drain->posted = posted;
                        if (s->writer.waiting.n && worker_start(&s->writer, &err) < 0)
                                break;
                        if (s->reader.waiting.n && worker_start(&s->reader, &err) < 0)
                                break;
                }
        } while (s->writer.started || s->reader.started);
        if (s->drain && s->drain->posted)
                s->drain->store = NULL; /* the loop still holds it */
        else
                free(s->drain);
        s->engine->close(s->reader.conn);
        s->engine->close(s->writer.conn);
        (void)pthread_mutex_destroy(&s->lock);
        free(s);
}

/* ---- inside a job: the engine's functions ---- */

int store_exec(struct store_conn *c, const char *sql, const struct store_value *args, size_t n_args,
               struct err *err)
{
        return c->engine->run(c, sql, args, n_args, NULL, NULL, err);
}

int store_query(struct store_conn *c, const char *sql, const struct store_value *args, size_t n_args,
                store_row_fn fn, void *arg, struct err *err)
{
        assert(fn);
        return c->engine->run(c, sql, args, n_args, fn, arg, err);
}

bool store_row_null(const struct store_row *row, int column)
{
        return row->engine->row_null(row, column);
}

int64_t store_row_int(const struct store_row *row, int column)
{
        return row->engine->row_int(row, column);
}

const char *store_row_text(const struct store_row *row, int column)
{
        return row->engine->row_text(row, column);
}

struct view store_row_blob(const struct store_row *row, int column)
{
        return row->engine->row_blob(row, column);
}

int store_row_text_dup(const struct store_row *row, int column, char **ret, struct err *err)
{
        const char *text = store_row_text(row, column);
        char *copy = text ? str_dup(text) : NULL;

        if (text && !copy)
                return err_nomem(err);
        *ret = copy;
        return 0;
}

int store_row_blob_dup(const struct store_row *row, int column, struct buf *ret, struct err *err)
{
        struct buf copy = {0};

        buf_put_view(&copy, store_row_blob(row, column));
        if (!buf_ok(&copy)) {
                buf_free(&copy);
                return err_nomem(err);
        }
        *ret = copy;
        return 0;
}
