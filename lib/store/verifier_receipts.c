/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receipts in the verifier's database.
 *
 * One that waits is decided by the first verdict that may (verifier/record.c says which), all at once: a
 * failure taints every one that waits, a pass makes those final that were here before its challenge was given
 * out and are of the boot that the evidence is of. A host that holds a receipt back until a failure is
 * history finds it tainted all the same: the history is looked at when it comes.
 */
#include "store/verifier_receipts.h"

#include <stdlib.h>

#include "base/str.h"
#include "evidence/receipt_countersign.h"
#include "evidence/verdict.h"
#include "store/verifier_request.h"

const char verifier_receipts_migration[] =
        "CREATE TABLE receipts ("
        " tenant TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, n BIGINT NOT NULL, bytes BLOB NOT "
        "NULL,"
        " chain TEXT NOT NULL, sequence BIGINT NOT NULL, reset BIGINT NOT NULL, restart BIGINT NOT NULL,"
        " received_at_ms BIGINT NOT NULL, link BIGINT NOT NULL, status BIGINT NOT NULL, decided BIGINT NOT "
        "NULL,"
        " reason TEXT, verdict TEXT, evidence BIGINT NOT NULL, challenge_at_ms BIGINT NOT NULL,"
        " evidence_at_ms BIGINT NOT NULL, enforced BIGINT NOT NULL, policy TEXT, policy_sha256 TEXT,"
        " policy_version BIGINT NOT NULL,"
        " PRIMARY KEY (tenant, name, digest));"
        "CREATE UNIQUE INDEX receipts_n ON receipts (tenant, name, n);"
        "CREATE INDEX receipts_waiting ON receipts (tenant, name) WHERE decided = 0";

void stored_receipt_done(struct stored_receipt *r)
{
        free(r->digest);
        buf_free(&r->file);
        free(r->chain);
        free(r->previous);
        free(r->reason);
        free(r->verdict);
        free(r->policy);
        free(r->policy_sha256);
        *r = (struct stored_receipt){.digest = NULL};
}

void vreq_receipts_clear(struct vreq_receipts *r)
{
        for (size_t i = 0; i < r->n; i++)
                stored_receipt_done(&r->v[i]);
        free(r->v);
        *r = (struct vreq_receipts){.n = 0};
}

/* ---- reading ---- */

#define COLUMNS                                                                                              \
        "SELECT digest, n, bytes, chain, sequence, reset, restart, received_at_ms, link, status, decided,"   \
        " reason, verdict, evidence, challenge_at_ms, evidence_at_ms, enforced, policy, policy_sha256,"      \
        " policy_version FROM receipts WHERE tenant = $1 AND name = $2"

static int read_receipt(const struct store_row *row, void *arg, struct err *err)
{
        struct vreq_receipts *all = arg;
        struct stored_receipt *grown = mem_resize(all->v, all->n + 1, sizeof(*grown)), *one;

        if (!grown)
                return err_nomem(err);
        all->v = grown;
        one = &grown[all->n++];
        *one = (struct stored_receipt){.n = store_row_int(row, 1),
                                       .sequence = store_row_int(row, 4),
                                       .reset = (uint32_t)store_row_int(row, 5),
                                       .restart = (uint32_t)store_row_int(row, 6),
                                       .received_at_ms = store_row_int(row, 7),
                                       .link = (int)store_row_int(row, 8),
                                       .status = (int)store_row_int(row, 9),
                                       .decided = store_row_int(row, 10) != 0,
                                       .evidence = store_row_int(row, 13),
                                       .challenge_at_ms = store_row_int(row, 14),
                                       .evidence_at_ms = store_row_int(row, 15),
                                       .enforced = store_row_int(row, 16) != 0,
                                       .policy_version = store_row_int(row, 19)};
        if (store_row_text_dup(row, 0, &one->digest, err) < 0 ||
            store_row_blob_dup(row, 2, &one->file, err) < 0 ||
            store_row_text_dup(row, 3, &one->chain, err) < 0 ||
            store_row_text_dup(row, 11, &one->reason, err) < 0 ||
            store_row_text_dup(row, 12, &one->verdict, err) < 0 ||
            store_row_text_dup(row, 17, &one->policy, err) < 0 ||
            store_row_text_dup(row, 18, &one->policy_sha256, err) < 0)
                return -ERR_NOMEM;
        return 0;
}

static int read_one(struct vreq *q, struct store_conn *c, const char *digest, struct err *err)
{
        return store_query(c, COLUMNS " AND digest = $3", STORE_ARGS(VREQ_KEY(q), STORE_T(digest)),
                           read_receipt, &q->receipts, err);
}

static int body_list(struct vreq *q, struct store_conn *c, struct err *err)
{
        int r;

        if (q->object) {
                r = read_one(q, c, q->object, err);
                if (r >= 0 && q->receipts.n == 0)
                        q->outcome = STORE_NOT_FOUND;
                return r < 0 ? r : 0;
        }
        r = store_query(c, COLUMNS " AND n < $3 ORDER BY n DESC LIMIT $4",
                        STORE_ARGS(VREQ_KEY(q), STORE_I(q->n), STORE_I((int64_t)q->limit)), read_receipt,
                        &q->receipts, err);
        return r < 0 ? r : 0;
}

static void tell_receipts(struct vreq *q, const struct err *err)
{
        q->fn.receipts(q->ctx, q->outcome, q->receipts.v, q->receipts.n, err);
}

int verifier_db_receipts(struct verifier_db *db, const char *tenant, const char *host, int64_t before_n,
                         size_t limit, verifier_receipts_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p) struct vreq *q = NULL;

        if (vreq_new(db, STORE_READ, tenant, host, body_list, tell_receipts, ctx, &q, err) < 0)
                return -ERR_NOMEM;
        q->n = before_n ? before_n : INT64_MAX;
        q->limit = limit;
        q->fn.receipts = done;
        return vreq_submit(&q);
}

int verifier_db_receipt(struct verifier_db *db, const char *tenant, const char *host, const char *digest,
                        verifier_receipts_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p) struct vreq *q = NULL;

        if (vreq_new(db, STORE_READ, tenant, host, body_list, tell_receipts, ctx, &q, err) < 0 ||
            COPY_TEXTS(err, {digest, &q->object}) < 0)
                return -ERR_NOMEM;
        q->fn.receipts = done;
        return vreq_submit(&q);
}

/* ---- adding ---- */

/* How ONE stands to the last that came. */
struct last {
        bool known;
        int64_t n, sequence;
        char *chain, *digest;
};

static int read_last(const struct store_row *row, void *arg, struct err *err)
{
        struct last *l = arg;

        l->known = true;
        l->n = store_row_int(row, 0);
        l->sequence = store_row_int(row, 1);
        if (store_row_text_dup(row, 2, &l->chain, err) < 0 || store_row_text_dup(row, 3, &l->digest, err) < 0)
                return -ERR_NOMEM;
        return 0;
}

static void last_done(struct last *l)
{
        free(l->chain);
        free(l->digest);
}

static enum receipt_link link_of(const struct last *l, const struct stored_receipt *one)
{
        if (!l->known)
                return one->sequence == 1 ? RECEIPT_BEGINS : RECEIPT_BREAKS;
        if (str_equal(l->chain, one->chain) && one->sequence == l->sequence + 1 &&
            str_equal(l->digest, one->previous))
                return RECEIPT_CONTINUES;
        return RECEIPT_BREAKS;
}

/* It ran while the host failed, and comes after that. */
static int taint_late(struct vreq *q, struct store_conn *c, const struct stored_receipt *one, struct err *err)
{
        static const char sql[] =
                "UPDATE receipts SET decided = 1, status = $4, reason = 'failed-meanwhile', verdict = 'fail',"
                " (evidence, evidence_at_ms, challenge_at_ms, enforced, policy, policy_version) ="
                " (SELECT n, at_ms, at_ms, enforced, policy, policy_version FROM history"
                "  WHERE tenant = $1 AND name = $2 AND verdict = $5 AND at_ms >= $6 ORDER BY n LIMIT 1)"
                " WHERE tenant = $1 AND name = $2 AND digest = $3 AND decided = 0 AND EXISTS"
                " (SELECT 1 FROM history WHERE tenant = $1 AND name = $2 AND verdict = $5 AND at_ms >= $6)";

        return store_exec(c, sql,
                          STORE_ARGS(VREQ_KEY(q), STORE_T(one->digest), STORE_I(RECEIPT_TAINTED),
                                     STORE_I(VERDICT_FAIL), STORE_I(one->started_at_ms)),
                          err);
}

static int add_one(struct vreq *q, struct store_conn *c, const struct stored_receipt *one, struct err *err)
{
        static const char sql_last[] =
                "SELECT n, sequence, chain, digest FROM receipts WHERE tenant = $1 AND name = $2"
                " ORDER BY n DESC LIMIT 1";
        static const char sql_add[] =
                "INSERT INTO receipts (tenant, name, digest, n, bytes, chain, sequence, reset, restart,"
                " received_at_ms, link, status, decided, evidence, challenge_at_ms, evidence_at_ms, enforced,"
                " policy_version)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, 0, 0, 0, 0, 0, 0)"
                " ON CONFLICT (tenant, name, digest) DO NOTHING";
        AUTO(last_done) struct last last = {.known = false};
        int r = store_query(c, sql_last, STORE_ARGS(VREQ_KEY(q)), read_last, &last, err);

        if (r >= 0)
                r = store_exec(c, sql_add,
                               STORE_ARGS(VREQ_KEY(q), STORE_T(one->digest), STORE_I(last.n + 1),
                                          STORE_B(VIEW_BUF(&one->file)), STORE_T(one->chain),
                                          STORE_I(one->sequence), STORE_I(one->reset), STORE_I(one->restart),
                                          STORE_I(one->received_at_ms), STORE_I(link_of(&last, one))),
                               err);
        if (r > 0)
                r = taint_late(q, c, one, err);
        return r < 0 ? r : read_one(q, c, one->digest, err);
}

static int body_add(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql_old[] =
                "DELETE FROM receipts WHERE tenant = $1 AND name = $2 AND decided = 1"
                " AND n <= (SELECT MAX(n) FROM receipts WHERE tenant = $1 AND name = $2) - $3";
        int r = 0;

        for (size_t i = 0; i < q->given_receipts.n && r >= 0; i++)
                r = add_one(q, c, &q->given_receipts.v[i], err);
        if (r >= 0)
                r = store_exec(c, sql_old, STORE_ARGS(VREQ_KEY(q), STORE_I(RECEIPTS_OF_HOST_MAX)), err);
        return r < 0 ? r : 0;
}

static int copy_receipt(const struct stored_receipt *from, struct stored_receipt *ret, struct err *err)
{
        *ret = (struct stored_receipt){.sequence = from->sequence,
                                       .reset = from->reset,
                                       .restart = from->restart,
                                       .started_at_ms = from->started_at_ms,
                                       .received_at_ms = from->received_at_ms};
        if (copy_view(VIEW_BUF(&from->file), &ret->file, err) < 0)
                return -ERR_NOMEM;
        return COPY_TEXTS(err, {from->digest, &ret->digest}, {from->chain, &ret->chain},
                          {from->previous, &ret->previous});
}

int verifier_db_receipts_add(struct verifier_db *db, const char *tenant, const char *host,
                             const struct stored_receipt *receipts, size_t n, verifier_receipts_fn done,
                             void *ctx, struct err *err)
{
        AUTO(vreq_free_p) struct vreq *q = NULL;

        if (vreq_new(db, STORE_DURABLE, tenant, host, body_add, tell_receipts, ctx, &q, err) < 0)
                return -ERR_NOMEM;
        q->given_receipts.v = mem_zalloc(n, sizeof(*q->given_receipts.v));
        if (!q->given_receipts.v)
                return err_nomem(err);
        for (; q->given_receipts.n < n; q->given_receipts.n++)
                if (copy_receipt(&receipts[q->given_receipts.n], &q->given_receipts.v[q->given_receipts.n],
                                 err) < 0) {
                        stored_receipt_done(&q->given_receipts.v[q->given_receipts.n]);
                        return -ERR_NOMEM;
                }
        q->fn.receipts = done;
        return vreq_submit(&q);
}

/* ---- a verdict ---- */

int vreq_decide_receipts(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql_taint[] =
                "UPDATE receipts SET decided = 1, status = $3, reason = $4, verdict = 'fail', evidence = $5,"
                " challenge_at_ms = $6, evidence_at_ms = $7, enforced = $8, policy = $9, policy_sha256 = $10,"
                " policy_version = $11 WHERE tenant = $1 AND name = $2 AND decided = 0";
        static const char sql_pass[] =
                "UPDATE receipts SET decided = 1, verdict = 'pass', evidence = $5, challenge_at_ms = $6,"
                " evidence_at_ms = $7, enforced = $8, policy = $9, policy_sha256 = $10, policy_version = $11,"
                " status = CASE WHEN reset = $12 AND restart = $13 THEN $3 ELSE 0 END,"
                " reason = CASE WHEN reset = $12 AND restart = $13 THEN NULL ELSE $4 END"
                " WHERE tenant = $1 AND name = $2 AND decided = 0 AND received_at_ms <= $6";
        const struct receipts_decision *d = &q->record->receipts;
        const struct host_state *s = &q->record->state;
        int r;

        if (d->what == RECEIPTS_WAIT)
                return 0;
        if (d->what == RECEIPTS_TAINT)
                r = store_exec(c, sql_taint,
                               STORE_ARGS(VREQ_KEY(q), STORE_I(RECEIPT_TAINTED), STORE_T(d->reason),
                                          STORE_I(s->n_evidence), STORE_I(d->challenge_at_ms),
                                          STORE_I(q->record->at_ms), STORE_I(s->enforced), STORE_T(s->policy),
                                          STORE_T(s->policy_sha256), STORE_I(s->policy_version)),
                               err);
        else
                r = store_exec(c, sql_pass,
                               STORE_ARGS(VREQ_KEY(q), STORE_I(RECEIPT_FINAL), STORE_T("rebooted"),
                                          STORE_I(s->n_evidence), STORE_I(d->challenge_at_ms),
                                          STORE_I(q->record->at_ms), STORE_I(s->enforced), STORE_T(s->policy),
                                          STORE_T(s->policy_sha256), STORE_I(s->policy_version),
                                          STORE_I(d->reset), STORE_I(d->restart)),
                               err);
        return r < 0 ? r : 0;
}
