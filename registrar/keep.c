/* SPDX-License-Identifier: Apache-2.0 */
/* When revocations are forgotten; which, is lib/store/hooks_prune.c. */
#include "keep.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define PAUSE_MS 60000
#define NEXT_MS  20 /* between two steps, for whoever else wants to write */
#define STEP     500

struct keep {
        struct hooks_db *db;
        struct loop_timer *timer;
        int64_t keep_ms, n, after;
        bool stopped;
        struct metric_series *n_forgotten;
};

static void on_pruned(void *ctx, size_t n, int64_t next, const struct err *err)
{
        struct keep *k = ctx;

        metric_add(k->n_forgotten, n);
        k->after = next;
        if (k->stopped)
                return;
        if (err)
                log_err(err, "forgetting old revocations");
        loop_timer_start(k->timer, err || next == 0 ? PAUSE_MS : NEXT_MS);
}

static void on_timer(void *ctx)
{
        struct keep *k = ctx;
        const struct hooks_keep keep = {clock_now_ms() - k->keep_ms, k->n};
        struct err err = ERR_INIT;

        if (hooks_db_prune(k->db, &keep, k->after, STEP, on_pruned, k, &err) < 0)
                on_pruned(k, 0, 0, &err);
}

int keep_new(struct loop *loop, struct hooks_db *db, const struct settings *settings, struct metrics *m,
             struct keep **ret, struct err *err)
{
        AUTO(keep_free_p) struct keep *k = mem_zalloc(1, sizeof(*k));
        int r;

        if (!k)
                return err_nomem(err);
        k->db = db;
        k->keep_ms = settings->keep_ms;
        k->n = settings->keep_n;
        r = loop_timer_new(loop, on_timer, k, &k->timer, err);
        if (r >= 0)
                r = metrics_add(m, METRIC_COUNTER, "avow_registrar_revocations_forgotten",
                                "Revocations that were delivered and are not kept any longer.", NULL, 0,
                                &k->n_forgotten, err);
        if (r >= 0)
                *ret = TAKE(k);
        return r;
}

void keep_start(struct keep *k)
{
        loop_timer_start(k->timer, 0);
}

void keep_stop(struct keep *k)
{
        if (!k)
                return;
        k->stopped = true;
        loop_timer_stop(k->timer);
}

void keep_free(struct keep *k)
{
        if (!k)
                return;
        loop_timer_free(k->timer);
        free(k);
}
