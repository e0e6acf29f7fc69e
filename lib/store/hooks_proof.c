/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The proofs of wipes, beside the revocations that they are for. The first one stays: it was judged by the
 * verifier that sent it, and whoever was given its name must find the same words under it later.
 */
#include "store/hooks_request.h"

static const char sql_has[] = "SELECT proof_at_ms FROM revocations"
                              " WHERE ($1 IS NULL OR tenant = $1) AND id = $2";
static const char sql_prove[] = "UPDATE revocations SET proof = $1, proof_at_ms = $2"
                                " WHERE ($3 IS NULL OR tenant = $3) AND id = $4";
static const char sql_proof[] =
        "SELECT n, tenant, id, host, seq, reaction, jws, nonce, proof_at_ms, proof FROM revocations"
        " WHERE ($1 IS NULL OR tenant = $1) AND id = $2";

static int read_at(const struct store_row *row, void *arg, struct err *err)
{
        (void)err;
        *(int64_t *)arg = store_row_int(row, 0);
        return 0;
}

static int read_proof(const struct store_row *row, void *arg, struct err *err)
{
        struct hooks_request *q = arg;
        struct received *r;

        if (q->list) /* ids are unique within a tenant; of several tenants the first */
                return 0;
        r = q->list = mem_zalloc(1, sizeof(*r));
        if (!r)
                return err_nomem(err);
        q->n_list = 1;
        r->n = store_row_int(row, 0);
        r->seq = store_row_int(row, 4);
        r->proof_at_ms = store_row_int(row, 8);
        return COPY_TEXTS(err, {store_row_text(row, 1), &r->tenant}, {store_row_text(row, 2), &r->id},
                          {store_row_text(row, 3), &r->host}, {store_row_text(row, 5), &r->reaction},
                          {store_row_text(row, 6), &r->jws}, {store_row_text(row, 7), &r->nonce},
                          {store_row_text(row, 9), &r->proof});
}

static int body_proof(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        int r = store_query(c, sql_proof, STORE_ARGS(STORE_T(q->tenant), STORE_T(q->name)), read_proof, q,
                            err);

        if (r == 0)
                q->outcome = STORE_NOT_FOUND;
        return r < 0 ? r : 0;
}

static int body_prove(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        int64_t at_ms = 0;
        int r = store_query(c, sql_has, STORE_ARGS(STORE_T(q->tenant), STORE_T(q->name)), read_at, &at_ms,
                            err);

        if (r > 0 && at_ms != 0) {
                q->outcome = STORE_CONFLICT;
                return 0;
        }
        if (r == 0)
                q->outcome = STORE_NOT_FOUND;
        if (r > 0)
                r = store_exec(
                        c, sql_prove,
                        STORE_ARGS(STORE_T(q->text), STORE_I(q->at_ms), STORE_T(q->tenant), STORE_T(q->name)),
                        err);
        if (r > 0)
                r = hooks_request_audit(q, c, err);
        return r < 0 ? r : 0;
}

static int submit(struct hooks_request **q, received_done_fn done, void *ctx)
{
        (*q)->received_done = done;
        return hooks_request_submit(q, ctx);
}

int hooks_db_prove(struct hooks_db *db, const char *tenant, const char *id, const char *proof, int64_t at_ms,
                   const struct audit_entry *audit, received_done_fn done, void *ctx, struct err *err)
{
        AUTO(hooks_request_free_p) struct hooks_request *q = NULL;
        int r = hooks_request_new(db, STORE_DURABLE, body_prove, tenant, id, audit, &q, err);

        if (r >= 0)
                r = copy_str(proof, &q->text, err);
        if (r < 0)
                return r;
        q->at_ms = at_ms;
        return submit(&q, done, ctx);
}

int hooks_db_proof(struct hooks_db *db, const char *tenant, const char *id, received_done_fn done, void *ctx,
                   struct err *err)
{
        AUTO(hooks_request_free_p) struct hooks_request *q = NULL;
        int r = hooks_request_new(db, STORE_READ, body_proof, tenant, id, NULL, &q, err);

        return r < 0 ? r : submit(&q, done, ctx);
}
