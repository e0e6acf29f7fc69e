/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of results in the verifier's database. A row is never removed: a result that somebody kept can be
 * checked for as long as the database lives. */
#include "store/verifier_keys.h"

#include <stdlib.h>

#include "store/verifier_request.h"

const char verifier_keys_migration[] =
        "CREATE TABLE result_keys ("
        " kid TEXT NOT NULL PRIMARY KEY, jwk TEXT NOT NULL, since_ms BIGINT NOT NULL,"
        " until_ms BIGINT NOT NULL)";

void vreq_result_keys_clear(struct vreq_result_keys *k)
{
        for (size_t i = 0; i < k->n; i++) {
                free(k->v[i].kid);
                free(k->v[i].jwk);
        }
        free(k->v);
        *k = (struct vreq_result_keys){.n = 0};
}

static int read_key(const struct store_row *row, void *arg, struct err *err)
{
        struct vreq_result_keys *k = arg;
        struct result_key *grown = mem_resize(k->v, k->n + 1, sizeof(*grown)), *one;

        if (!grown)
                return err_nomem(err);
        k->v = grown;
        one = &grown[k->n++];
        *one = (struct result_key){.since_ms = store_row_int(row, 2), .until_ms = store_row_int(row, 3)};
        if (store_row_text_dup(row, 0, &one->kid, err) < 0 || store_row_text_dup(row, 1, &one->jwk, err) < 0)
                return -ERR_NOMEM;
        return 0;
}

static int body_use(struct vreq *q, struct store_conn *c, struct err *err)
{
        int r = store_exec(c, "UPDATE result_keys SET until_ms = $2 WHERE until_ms = 0 AND kid <> $1",
                           STORE_ARGS(STORE_T(q->object ? q->object : ""), STORE_I(q->at_ms)), err);

        if (r < 0 || !q->object)
                return r < 0 ? r : 0;
        r = store_exec(c,
                       "INSERT INTO result_keys (kid, jwk, since_ms, until_ms) VALUES ($1, $2, $3, 0)"
                       " ON CONFLICT (kid) DO UPDATE SET until_ms = 0",
                       STORE_ARGS(STORE_T(q->object), STORE_T(q->words), STORE_I(q->at_ms)), err);
        return r < 0 ? r : 0;
}

int verifier_db_use_result_key(struct verifier_db *db, const char *kid, const char *jwk, int64_t at_ms,
                               verifier_done_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p) struct vreq *q = NULL;

        if (vreq_new(db, STORE_DURABLE, NULL, NULL, body_use, vreq_tell_done, ctx, &q, err) < 0 ||
            COPY_TEXTS(err, {kid, &q->object}, {jwk, &q->words}) < 0)
                return -ERR_NOMEM;
        q->at_ms = at_ms;
        q->fn.done = done;
        return vreq_submit(&q);
}

static int body_list(struct vreq *q, struct store_conn *c, struct err *err)
{
        int r = store_query(c,
                            "SELECT kid, jwk, since_ms, until_ms FROM result_keys"
                            " ORDER BY until_ms = 0 DESC, since_ms DESC LIMIT $1",
                            STORE_ARGS(STORE_I((int64_t)q->limit)), read_key, &q->result_keys, err);

        return r < 0 ? r : 0;
}

static void tell_keys(struct vreq *q, const struct err *err)
{
        q->fn.result_keys(q->ctx, q->outcome, q->result_keys.v, q->result_keys.n, err);
}

int verifier_db_result_keys(struct verifier_db *db, size_t limit, verifier_result_keys_fn done, void *ctx,
                            struct err *err)
{
        AUTO(vreq_free_p) struct vreq *q = NULL;

        if (vreq_new(db, STORE_READ, NULL, NULL, body_list, tell_keys, ctx, &q, err) < 0)
                return -ERR_NOMEM;
        q->limit = limit;
        q->fn.result_keys = done;
        return vreq_submit(&q);
}
