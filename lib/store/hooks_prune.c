/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was delivered is not kept for ever. A revocation goes, with its rows of the outbox, when it is older
 * than the configuration says or when there are too many, but never while one hook has yet to get it (SR-8),
 * and never the newest of a host: it says how things stand. One call looks at a bounded number, so that the
 * writer is never away for long.
 */
#include <stdlib.h>

#include "store/hooks_request.h"

static int read_int(const struct store_row *row, void *arg, struct err *err)
{
        (void)err;
        *(int64_t *)arg = store_row_int(row, 0);
        return 0;
}

static const char sql_last[] = "SELECT COALESCE(max(n), 0) FROM revocations";
static const char sql_old[] =
        "SELECT n FROM revocations WHERE received_at_ms < $1 ORDER BY received_at_ms DESC LIMIT 1";

/* Numbers up to RET_LAST are too many; RET_BOUND is where to stop looking, for those or for old ones. */
static int find_bound(const struct hooks_request *q, struct store_conn *c, int64_t *ret_last,
                      int64_t *ret_bound, struct err *err)
{
        int64_t last = 0, old = 0;
        int r = store_query(c, sql_last, STORE_NO_ARGS, read_int, &last, err);

        if (r >= 0)
                r = store_query(c, sql_old, STORE_ARGS(STORE_I(q->at_ms)), read_int, &old, err);
        if (r < 0)
                return r;
        *ret_last = last - q->n_keep;
        *ret_bound = *ret_last > old ? *ret_last : old;
        return 0;
}

static const char sql_walk[] =
        "SELECT r.n, CASE WHEN (r.n <= $1 OR r.received_at_ms < $2) AND r.n < (SELECT max(x.n) FROM"
        " revocations x WHERE x.host = r.host AND x.tenant = r.tenant) AND NOT EXISTS (SELECT 1 FROM outbox o"
        " WHERE o.n = r.n AND o.state NOT IN (2, 4)) THEN 1 ELSE 0 END"
        " FROM revocations r WHERE r.n > $3 AND r.n <= $4 ORDER BY r.n LIMIT $5";
static const char sql_rows[] = "DELETE FROM outbox WHERE n = $1";
static const char sql_revocation[] = "DELETE FROM revocations WHERE n = $1";

struct walk {
        int64_t *go; /* numbers of those that go */
        size_t n_go, n_seen;
        int64_t last;
};

static int read_walk(const struct store_row *row, void *arg, struct err *err)
{
        struct walk *w = arg;

        (void)err;
        w->last = store_row_int(row, 0);
        w->n_seen++;
        if (store_row_int(row, 1) != 0)
                w->go[w->n_go++] = w->last;
        return 0;
}

static int body_prune(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        struct walk w = {.go = mem_zalloc(q->limit, sizeof(*w.go))};
        int64_t last = 0, bound = 0;
        int r = w.go ? find_bound(q, c, &last, &bound, err) : err_nomem(err);

        if (r >= 0)
                r = store_query(c, sql_walk,
                                STORE_ARGS(STORE_I(last), STORE_I(q->at_ms), STORE_I(q->n), STORE_I(bound),
                                           STORE_I((int64_t)q->limit)),
                                read_walk, &w, err);
        for (size_t i = 0; r >= 0 && i < w.n_go; i++) {
                r = store_exec(c, sql_rows, STORE_ARGS(STORE_I(w.go[i])), err);
                if (r >= 0)
                        r = store_exec(c, sql_revocation, STORE_ARGS(STORE_I(w.go[i])), err);
        }
        q->n_changed = (int64_t)w.n_go;
        q->due_ms = w.n_seen == q->limit ? w.last : 0;
        free(w.go);
        return r < 0 ? r : 0;
}

int hooks_db_prune(struct hooks_db *db, const struct hooks_keep *keep, int64_t after, size_t limit,
                   hooks_pruned_fn done, void *ctx, struct err *err)
{
        AUTO(hooks_request_free_p) struct hooks_request *q = NULL;
        int r = hooks_request_new(db, STORE_DEFERRED, body_prune, NULL, NULL, NULL, &q, err);

        if (r < 0)
                return r;
        q->at_ms = keep->since_ms;
        q->n_keep = keep->n;
        q->n = after;
        q->limit = limit;
        q->pruned_done = done;
        return hooks_request_submit(&q, ctx);
}
