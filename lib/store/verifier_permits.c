/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Permits in the verifier's database. A row is written before its permit leaves, and closed in the same
 * transaction as the state of the host whose evidence closed it: after a crash, memory of the log and memory
 * of the permits are of one moment.
 */
#include "store/verifier_permits.h"

#include <stdlib.h>
#include <string.h>

#include "store/verifier_request.h"

const char verifier_permits_migration[] =
        "CREATE TABLE permits ("
        " tenant TEXT NOT NULL, host TEXT NOT NULL, id TEXT NOT NULL, launch BLOB NOT NULL,"
        " module BLOB NOT NULL, closure BLOB NOT NULL, runtime TEXT NOT NULL, policy TEXT NOT NULL,"
        " policy_version BIGINT NOT NULL, issued_at_ms BIGINT NOT NULL, expires_at_ms BIGINT NOT NULL,"
        " cache_until_ms BIGINT NOT NULL, recorded_at_ms BIGINT NOT NULL, closed_at_ms BIGINT NOT NULL,"
        " PRIMARY KEY (tenant, host, id));"
        "CREATE INDEX permits_open ON permits (closed_at_ms, issued_at_ms);"
        "CREATE TABLE module_policies ("
        " tenant TEXT NOT NULL, name TEXT NOT NULL, version BIGINT NOT NULL, content BLOB NOT NULL,"
        " sha256 TEXT NOT NULL, source TEXT, actor TEXT, created_at_ms BIGINT NOT NULL,"
        " until_ms BIGINT NOT NULL, signatures TEXT, signed_by TEXT,"
        " PRIMARY KEY (tenant, name, version))";

/* ---- giving ---- */

static int body_add(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql_forget[] = "DELETE FROM permits WHERE tenant = $1 AND host = $2"
                                         " AND closed_at_ms > 0 AND closed_at_ms < $3";
        static const char sql_add[] =
                "INSERT INTO permits (tenant, host, id, launch, module, closure, runtime, policy,"
                " policy_version, issued_at_ms, expires_at_ms, cache_until_ms, recorded_at_ms, closed_at_ms)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, 0)";
        const struct ledger_permit *p = &q->permit;
        int r = vreq_any(c, "SELECT 1 FROM hosts WHERE tenant = $1 AND name = $2", STORE_ARGS(VREQ_KEY(q)),
                         err);

        if (r == 0)
                q->outcome = STORE_NOT_FOUND;
        if (r <= 0)
                return r;
        r = store_exec(c, sql_forget, STORE_ARGS(VREQ_KEY(q), STORE_I(q->at_ms)), err);
        if (r >= 0)
                r = store_exec(c, sql_add,
                               STORE_ARGS(VREQ_KEY(q), STORE_T(p->id), STORE_B(digest_view(&p->launch)),
                                          STORE_B(digest_view(&p->module)), STORE_B(digest_view(&p->closure)),
                                          STORE_T(p->runtime), STORE_T(q->object), STORE_I(q->n),
                                          STORE_I(p->issued_at_ms), STORE_I(p->expires_at_ms),
                                          STORE_I(p->cache_until_ms)),
                               err);
        return r < 0 ? r : vreq_audit(q, c, err);
}

int verifier_db_permit_add(struct verifier_db *db, const char *tenant, const char *host,
                           const struct ledger_permit *permit, const char *policy, int64_t version,
                           int64_t forget_ms, const struct audit_entry *audit, verifier_done_fn done,
                           void *ctx, struct err *err)
{
        AUTO(vreq_free_p) struct vreq *q = NULL;

        if (vreq_new(db, STORE_DURABLE, tenant, host, body_add, vreq_tell_done, ctx, &q, err) < 0 ||
            COPY_TEXTS(err, {policy, &q->object}) < 0 || vreq_set_audit(q, audit, err) < 0)
                return -ERR_NOMEM;
        q->permit = *permit;
        q->n = version;
        q->at_ms = forget_ms;
        q->fn.done = done;
        return vreq_submit(&q);
}

int vreq_write_marks(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql_mark[] =
                "UPDATE permits SET"
                " recorded_at_ms = CASE WHEN $4 <> 0 AND recorded_at_ms = 0 THEN $6 ELSE recorded_at_ms END,"
                " closed_at_ms = CASE WHEN $5 <> 0 THEN $6 ELSE closed_at_ms END"
                " WHERE tenant = $1 AND host = $2 AND id = $3";
        int r = 0;

        for (size_t i = 0; i < q->record->n_marks && r >= 0; i++) {
                const struct ledger_mark *m = &q->record->marks[i];

                r = store_exec(c, sql_mark,
                               STORE_ARGS(VREQ_KEY(q), STORE_T(m->id), STORE_I(m->recorded),
                                          STORE_I(m->closed), STORE_I(q->record->at_ms)),
                               err);
        }
        return r;
}

/* ---- reading ---- */

void vreq_permits_clear(struct vreq_permits *p)
{
        for (size_t i = 0; i < p->n; i++)
                free(p->v[i].host);
        free(p->v);
        *p = (struct vreq_permits){.n = 0};
}

static int read_digest(const struct store_row *row, int column, struct digest *ret, struct err *err)
{
        return digest_set(DIGEST_SHA256, store_row_blob(row, column), ret, err);
}

/* A text of ours into an array; what does not fit was never written by us. */
static int read_into(const struct store_row *row, int column, char *ret, size_t size, struct err *err)
{
        const char *text = store_row_text(row, column);

        if (!text || strlen(text) >= size)
                return err_set(err, ERR_FORMAT, 0, "a permit in the database cannot be read");
        memcpy(ret, text, strlen(text) + 1);
        return 0;
}

static int read_permit(const struct store_row *row, void *arg, struct err *err)
{
        struct vreq_permits *found = arg;
        struct stored_permit *grown = mem_resize(found->v, found->n + 1, sizeof(*grown)), *one;
        int r;

        if (!grown)
                return err_nomem(err);
        found->v = grown;
        one = &grown[found->n++];
        *one = (struct stored_permit){.permit = {.issued_at_ms = store_row_int(row, 6),
                                                 .expires_at_ms = store_row_int(row, 7),
                                                 .cache_until_ms = store_row_int(row, 8),
                                                 .recorded = store_row_int(row, 9) != 0}};
        r = store_row_text_dup(row, 0, &one->host, err);
        if (r >= 0)
                r = read_into(row, 1, one->permit.id, sizeof(one->permit.id), err);
        if (r >= 0)
                r = read_digest(row, 2, &one->permit.launch, err);
        if (r >= 0)
                r = read_digest(row, 3, &one->permit.module, err);
        if (r >= 0)
                r = read_digest(row, 4, &one->permit.closure, err);
        return r < 0 ? r : read_into(row, 5, one->permit.runtime, sizeof(one->permit.runtime), err);
}

static int body_open(struct vreq *q, struct store_conn *c, struct err *err)
{
        int n = store_query(c,
                            "SELECT host, id, launch, module, closure, runtime, issued_at_ms, expires_at_ms,"
                            " cache_until_ms, recorded_at_ms FROM permits WHERE closed_at_ms = 0"
                            " ORDER BY issued_at_ms",
                            NULL, 0, read_permit, &q->permits, err);

        return n < 0 ? n : 0;
}

static void tell_permits(struct vreq *q, const struct err *err)
{
        q->fn.permits(q->ctx, q->outcome, q->permits.v, q->permits.n, err);
}

int verifier_db_permits_open(struct verifier_db *db, verifier_permits_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p) struct vreq *q = NULL;

        if (vreq_new(db, STORE_READ, NULL, NULL, body_open, tell_permits, ctx, &q, err) < 0)
                return -ERR_NOMEM;
        q->fn.permits = done;
        return vreq_submit(&q);
}
