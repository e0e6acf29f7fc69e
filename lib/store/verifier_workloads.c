/* SPDX-License-Identifier: Apache-2.0 */
/* The workload service's tables in the verifier's database. A use is the digest of key and signature: 32
 * bytes, for as long as the key's certificate lives. */
#include "store/verifier_workloads.h"

#include <stdlib.h>

#include "store/verifier_request.h"

const char verifier_workloads_migration[] =
        "CREATE TABLE workload_records ("
        " tenant TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, bytes BLOB NOT NULL,"
        " updated_at_ms BIGINT NOT NULL, PRIMARY KEY (tenant, kind, id));"
        "CREATE TABLE workload_uses ("
        " tenant TEXT NOT NULL, used BLOB NOT NULL, until_ms BIGINT NOT NULL, PRIMARY KEY (tenant, used));"
        "CREATE INDEX workload_uses_until ON workload_uses (until_ms)";

void vreq_workloads_clear(struct vreq_workloads *w)
{
        for (size_t i = 0; i < w->n; i++) {
                free(w->v[i].kind);
                free(w->v[i].id);
                buf_free(&w->v[i].bytes);
        }
        free(w->v);
        *w = (struct vreq_workloads){.n = 0};
}

static int read_record(const struct store_row *row, void *arg, struct err *err)
{
        struct vreq_workloads *w = arg;
        struct workload_record *grown = mem_resize(w->v, w->n + 1, sizeof(*grown)), *one;

        if (!grown)
                return err_nomem(err);
        w->v = grown;
        one = &grown[w->n++];
        *one = (struct workload_record){.updated_at_ms = store_row_int(row, 3)};
        if (store_row_text_dup(row, 0, &one->kind, err) < 0 ||
            store_row_text_dup(row, 1, &one->id, err) < 0 || store_row_blob_dup(row, 2, &one->bytes, err) < 0)
                return -ERR_NOMEM;
        return 0;
}

static int body_all(struct vreq *q, struct store_conn *c, struct err *err)
{
        int r = store_query(c,
                            "SELECT kind, id, bytes, updated_at_ms FROM workload_records WHERE tenant = $1"
                            " ORDER BY kind, id",
                            STORE_ARGS(STORE_T(q->tenant)), read_record, &q->workloads, err);

        return r < 0 ? r : 0;
}

static void tell_all(struct vreq *q, const struct err *err)
{
        q->fn.workloads(q->ctx, q->outcome, q->workloads.v, q->workloads.n, err);
}

int verifier_db_workloads(struct verifier_db *db, const char *tenant, verifier_workloads_fn done, void *ctx,
                          struct err *err)
{
        AUTO(vreq_free_p) struct vreq *q = NULL;

        if (vreq_new(db, STORE_READ, tenant, NULL, body_all, tell_all, ctx, &q, err) < 0)
                return -ERR_NOMEM;
        q->fn.workloads = done;
        return vreq_submit(&q);
}

static int body_put(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql_add[] =
                "INSERT INTO workload_records (tenant, kind, id, bytes, updated_at_ms)"
                " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, kind, id) DO NOTHING";
        static const char sql_put[] = "INSERT INTO workload_records (tenant, kind, id, bytes, updated_at_ms)"
                                      " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, kind, id) DO UPDATE"
                                      " SET bytes = excluded.bytes, updated_at_ms = excluded.updated_at_ms";
        int r = store_exec(c, q->n ? sql_add : sql_put,
                           STORE_ARGS(VREQ_KEY(q), STORE_T(q->object), STORE_B(VIEW_BUF(&q->given_bytes)),
                                      STORE_I(q->at_ms)),
                           err);

        if (r == 0)
                q->outcome = STORE_CONFLICT;
        return r > 0 ? vreq_audit(q, c, err) : r;
}

int verifier_db_workload_put(struct verifier_db *db, const char *tenant, const struct workload_record *record,
                             bool new, const struct audit_entry *audit, verifier_done_fn done, void *ctx,
                             struct err *err)
{
        AUTO(vreq_free_p) struct vreq *q = NULL;

        if (vreq_new(db, STORE_DURABLE, tenant, record->kind, body_put, vreq_tell_done, ctx, &q, err) < 0 ||
            COPY_TEXTS(err, {record->id, &q->object}) < 0 ||
            copy_view(VIEW_BUF(&record->bytes), &q->given_bytes, err) < 0 ||
            vreq_set_audit(q, audit, err) < 0)
                return -ERR_NOMEM;
        q->n = new;
        q->at_ms = record->updated_at_ms;
        q->fn.done = done;
        return vreq_submit(&q);
}

static int body_remove(struct vreq *q, struct store_conn *c, struct err *err)
{
        int r = store_exec(c, "DELETE FROM workload_records WHERE tenant = $1 AND kind = $2 AND id = $3",
                           STORE_ARGS(VREQ_KEY(q), STORE_T(q->object)), err);

        if (r == 0)
                q->outcome = STORE_NOT_FOUND;
        return r > 0 ? vreq_audit(q, c, err) : r;
}

int verifier_db_workload_remove(struct verifier_db *db, const char *tenant, const char *kind, const char *id,
                                const struct audit_entry *audit, verifier_done_fn done, void *ctx,
                                struct err *err)
{
        AUTO(vreq_free_p) struct vreq *q = NULL;

        if (vreq_new(db, STORE_DURABLE, tenant, kind, body_remove, vreq_tell_done, ctx, &q, err) < 0 ||
            COPY_TEXTS(err, {id, &q->object}) < 0 || vreq_set_audit(q, audit, err) < 0)
                return -ERR_NOMEM;
        q->fn.done = done;
        return vreq_submit(&q);
}

static int body_use(struct vreq *q, struct store_conn *c, struct err *err)
{
        int r = store_exec(c, "DELETE FROM workload_uses WHERE until_ms < $1", STORE_ARGS(STORE_I(q->at_ms)),
                           err);

        if (r >= 0)
                r = store_exec(
                        c,
                        "INSERT INTO workload_uses (tenant, used, until_ms) VALUES ($1, $2, $3)"
                        " ON CONFLICT (tenant, used) DO NOTHING",
                        STORE_ARGS(STORE_T(q->tenant), STORE_B(VIEW_BUF(&q->given_bytes)), STORE_I(q->n)),
                        err);
        if (r == 0)
                q->outcome = STORE_CONFLICT;
        return r < 0 ? r : 0;
}

int verifier_db_workload_use(struct verifier_db *db, struct view use, int64_t until_ms, int64_t now_ms,
                             verifier_done_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p) struct vreq *q = NULL;

        if (vreq_new(db, STORE_DURABLE, NULL, NULL, body_use, vreq_tell_done, ctx, &q, err) < 0 ||
            copy_view(use, &q->given_bytes, err) < 0)
                return -ERR_NOMEM;
        q->n = until_ms;
        q->at_ms = now_ms;
        q->fn.done = done;
        return vreq_submit(&q);
}
