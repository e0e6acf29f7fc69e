/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outbox of the verifier: the rows of `revocations` that are not with the registrar yet, and those whose
 * proof is awaited. A row is marked only after the registrar said that it has it on its disk, so whatever
 * dies in between, it is sent again; the registrar knows it by its id.
 *
 * Of each host only the oldest row is given out: a suspension must not arrive after the destruction that
 * followed it. Spec: SR-8.
 */
#include "store/verifier_outbox.h"

#include <stdlib.h>

#include "store/verifier_request.h"

const char verifier_outbox_migration[] =
        "CREATE INDEX revocations_proofs ON revocations (proof_posted_at_ms, proof_at_ms);"
        "CREATE INDEX revocations_wipes ON revocations (wipe, deadline_ms)";

#define OUTBOX_KEPT 100

#define COLUMNS                                                                                              \
        "SELECT r.n, r.tenant, r.host, r.id, r.reaction, r.seq, r.payload, r.jws, r.nonce, r.posted_at_ms,"  \
        " r.wipe, r.deadline_ms, r.proof_at_ms, "

void sent_revocation_free(struct sent_revocation *r)
{
        char *const texts[] = {r->tenant,  r->host, r->id,    r->reaction,
                               r->payload, r->jws,  r->nonce, r->proof};

        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
                free(texts[i]);
        *r = (struct sent_revocation){.n = 0};
}

static int read_sent(const struct store_row *row, void *arg, struct err *err)
{
        struct vreq *q = arg;
        struct sent_revocation *grown = mem_resize(q->sent, q->n_found + 1, sizeof(*grown)), *r;

        if (!grown)
                return err_nomem(err);
        q->sent = grown;
        r = &grown[q->n_found++];
        *r = (struct sent_revocation){.n = store_row_int(row, 0),
                                      .seq = store_row_int(row, 5),
                                      .posted_at_ms = store_row_int(row, 9),
                                      .wipe = (int)store_row_int(row, 10),
                                      .deadline_ms = store_row_int(row, 11),
                                      .proof_at_ms = store_row_int(row, 12)};
        return COPY_TEXTS(err, {store_row_text(row, 1), &r->tenant}, {store_row_text(row, 2), &r->host},
                          {store_row_text(row, 3), &r->id}, {store_row_text(row, 4), &r->reaction},
                          {store_row_text(row, 6), &r->payload}, {store_row_text(row, 7), &r->jws},
                          {store_row_text(row, 8), &r->nonce}, {store_row_text(row, 13), &r->proof});
}

static void tell_sent(struct vreq *q, const struct err *err)
{
        q->fn.sent(q->ctx, q->outcome, q->sent, q->n_found, err);
}

static int ask_as(enum store_class class, struct verifier_db *db, const char *tenant, const char *host,
                  int (*body)(struct vreq *q, struct store_conn *c, struct err *err), int64_t n, size_t limit,
                  verifier_sent_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;
        int r = vreq_new(db, class, tenant, host, body, tell_sent, ctx, &q, err);

        if (r < 0)
                return r;
        q->n = n;
        q->limit = limit;
        q->fn.sent = done;
        return vreq_submit(&q);
}

static int ask(struct verifier_db *db, const char *tenant, const char *host,
               int (*body)(struct vreq *q, struct store_conn *c, struct err *err), int64_t n, size_t limit,
               verifier_sent_fn done, void *ctx, struct err *err)
{
        return ask_as(STORE_READ, db, tenant, host, body, n, limit, done, ctx, err);
}

/* ---- reading ---- */

static int body_unposted(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql[] = COLUMNS
                "NULL FROM revocations r WHERE r.posted_at_ms = 0 AND NOT EXISTS (SELECT 1 FROM revocations o"
                " WHERE o.tenant = r.tenant AND o.host = r.host AND o.posted_at_ms = 0 AND o.seq < r.seq)"
                " ORDER BY r.n LIMIT $1";
        int n = store_query(c, sql, STORE_ARGS(STORE_I((int64_t)q->limit)), read_sent, q, err);

        return n < 0 ? n : 0;
}

int verifier_db_unposted(struct verifier_db *db, size_t limit, verifier_sent_fn done, void *ctx,
                         struct err *err)
{
        return ask(db, NULL, NULL, body_unposted, 0, limit, done, ctx, err);
}

static int body_sent(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql[] =
                COLUMNS "r.proof FROM revocations r WHERE r.tenant = $1 AND r.host = $2 AND r.seq = $3";
        int n = store_query(c, sql, STORE_ARGS(VREQ_KEY(q), STORE_I(q->n)), read_sent, q, err);

        if (n == 0)
                q->outcome = STORE_NOT_FOUND;
        return n < 0 ? n : 0;
}

int verifier_db_sent(struct verifier_db *db, const char *tenant, const char *host, int64_t seq,
                     verifier_sent_fn done, void *ctx, struct err *err)
{
        return ask(db, tenant, host, body_sent, seq, 1, done, ctx, err);
}

static int body_overdue(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql[] = COLUMNS
                "NULL FROM revocations r WHERE r.wipe = 1 AND r.deadline_ms > 0 AND r.deadline_ms <= $1"
                " ORDER BY r.n LIMIT $2";
        int n = store_query(c, sql, STORE_ARGS(STORE_I(q->n), STORE_I((int64_t)q->limit)), read_sent, q, err);

        return n < 0 ? n : 0;
}

int verifier_db_overdue(struct verifier_db *db, int64_t now_ms, size_t limit, verifier_sent_fn done,
                        void *ctx, struct err *err)
{
        return ask(db, NULL, NULL, body_overdue, now_ms, limit, done, ctx, err);
}

static int body_proofs(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql[] =
                COLUMNS "r.proof FROM revocations r WHERE r.proof_posted_at_ms = 0 AND r.proof_at_ms > 0"
                        " AND r.posted_at_ms > 0 ORDER BY r.proof_at_ms, r.n LIMIT $1";
        int n = store_query(c, sql, STORE_ARGS(STORE_I((int64_t)q->limit)), read_sent, q, err);

        return n < 0 ? n : 0;
}

int verifier_db_proofs_unposted(struct verifier_db *db, size_t limit, verifier_sent_fn done, void *ctx,
                                struct err *err)
{
        return ask(db, NULL, NULL, body_proofs, 0, limit, done, ctx, err);
}

static int body_unposted_of(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql[] = COLUMNS "NULL FROM revocations r WHERE r.tenant = $1 AND r.host = $2"
                                          " AND r.posted_at_ms = 0 ORDER BY r.seq";
        int n = store_query(c, sql, STORE_ARGS(VREQ_KEY(q)), read_sent, q, err);

        return n < 0 ? n : 0;
}

int verifier_db_unposted_of(struct verifier_db *db, const char *tenant, const char *host,
                            verifier_sent_fn done, void *ctx, struct err *err)
{
        /* the class of writes: these are done in their order */
        return ask_as(STORE_DURABLE, db, tenant, host, body_unposted_of, 0, 0, done, ctx, err);
}

/* ---- other numbers ---- */

/* From the last on, so that no two have one number in between. */
static int body_renumber(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql[] = "UPDATE revocations SET seq = $2, id = $3, payload = $4, jws = $5"
                                  " WHERE n = $1 AND posted_at_ms = 0";
        static const char sql_posted[] = "SELECT 1 FROM revocations WHERE n = $1 AND posted_at_ms <> 0";
        static const char sql_trust[] =
                "UPDATE trust SET seq = $3 WHERE tenant = $1 AND name = $2 AND seq < $3";
        int r = 0;

        for (size_t i = 0; i < q->n_given; i++) {
                r = vreq_any(c, sql_posted, STORE_ARGS(STORE_I(q->given[i].n)), err);
                if (r > 0)
                        q->outcome = STORE_CONFLICT;
                if (r != 0)
                        return r < 0 ? r : 0;
        }
        for (size_t i = q->n_given; r >= 0 && i-- > 0;) {
                const struct sent_revocation *x = &q->given[i];

                r = store_exec(c, sql,
                               STORE_ARGS(STORE_I(x->n), STORE_I(x->seq), STORE_T(x->id), STORE_T(x->payload),
                                          STORE_T(x->jws)),
                               err);
        }
        if (r >= 0 && q->n_given)
                r = store_exec(c, sql_trust, STORE_ARGS(VREQ_KEY(q), STORE_I(q->given[q->n_given - 1].seq)),
                               err);
        return r < 0 ? r : vreq_audit(q, c, err);
}

int verifier_db_renumber(struct verifier_db *db, const char *tenant, const char *host,
                         const struct sent_revocation *list, size_t n, const struct audit_entry *audit,
                         trust_done_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;
        int r = vreq_new(db, STORE_DURABLE, tenant, host, body_renumber, vreq_tell_done, ctx, &q, err);

        if (r >= 0 && audit)
                r = vreq_set_audit(q, audit, err);
        if (r >= 0 && (q->given = mem_zalloc(n ? n : 1, sizeof(*q->given))) == NULL)
                r = err_nomem(err);
        for (size_t i = 0; r >= 0 && i < n; i++) {
                struct sent_revocation *x = &q->given[q->n_given++];

                x->n = list[i].n;
                x->seq = list[i].seq;
                r = COPY_TEXTS(err, {list[i].id, &x->id}, {list[i].payload, &x->payload},
                               {list[i].jws, &x->jws});
        }
        if (r < 0)
                return r;
        q->fn.done = done;
        return vreq_submit(&q);
}

/* ---- marking ---- */

/* A mark on one row, with a text and a time. */
static int mark(struct verifier_db *db, const char *tenant, const char *host, int64_t seq, const char *text,
                int64_t at_ms, int (*body)(struct vreq *q, struct store_conn *c, struct err *err),
                const struct audit_entry *audit, trust_done_fn done, void *ctx, struct vreq **ret,
                struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;
        int r = vreq_new(db, STORE_DURABLE, tenant, host, body, vreq_tell_done, ctx, &q, err);

        if (r >= 0)
                r = copy_str(text, &q->words, err);
        if (r >= 0 && audit)
                r = vreq_set_audit(q, audit, err);
        if (r < 0)
                return r;
        q->n = seq;
        q->at_ms = at_ms;
        q->fn.done = done;
        *ret = TAKE(q);
        return 0;
}

/*
 * What is told and done is not kept for ever: of each host the last OUTBOX_KEPT, and whatever somebody still
 * waits for. The registrar keeps more.
 */
static int forget_old(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql[] =
                "DELETE FROM revocations WHERE tenant = $1 AND host = $2 AND posted_at_ms > 0 AND wipe <> 1"
                " AND (proof_at_ms = 0 OR proof_posted_at_ms > 0) AND seq <= (SELECT seq FROM revocations"
                " WHERE tenant = $1 AND host = $2 ORDER BY seq DESC LIMIT 1 OFFSET $3)";

        return store_exec(c, sql, STORE_ARGS(VREQ_KEY(q), STORE_I(OUTBOX_KEPT)), err);
}

static int body_posted(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql[] = "UPDATE revocations SET posted_at_ms = $4, nonce = $5"
                                  " WHERE tenant = $1 AND host = $2 AND seq = $3";
        int r = store_exec(c, sql,
                           STORE_ARGS(VREQ_KEY(q), STORE_I(q->n), STORE_I(q->at_ms), STORE_T(q->words)), err);

        if (r == 0)
                q->outcome = STORE_NOT_FOUND;
        if (r > 0)
                r = forget_old(q, c, err);
        return r < 0 ? r : 0;
}

int verifier_db_posted(struct verifier_db *db, const char *tenant, const char *host, int64_t seq,
                       const char *nonce, int64_t at_ms, trust_done_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;
        int r = mark(db, tenant, host, seq, nonce, at_ms, body_posted, NULL, done, ctx, &q, err);

        return r < 0 ? r : vreq_submit(&q);
}

static int body_proof_posted(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql[] = "UPDATE revocations SET proof_posted_at_ms = $4"
                                  " WHERE tenant = $1 AND host = $2 AND seq = $3";
        int r = store_exec(c, sql, STORE_ARGS(VREQ_KEY(q), STORE_I(q->n), STORE_I(q->at_ms)), err);

        if (r == 0)
                q->outcome = STORE_NOT_FOUND;
        return r < 0 ? r : 0;
}

int verifier_db_proof_posted(struct verifier_db *db, const char *tenant, const char *host, int64_t seq,
                             int64_t at_ms, trust_done_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;
        int r = mark(db, tenant, host, seq, NULL, at_ms, body_proof_posted, NULL, done, ctx, &q, err);

        return r < 0 ? r : vreq_submit(&q);
}

/* The host's trust speaks of its last destroy: a proof that comes after another one changes only its own row.
 */
static int write_wipe(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql[] =
                "UPDATE trust SET wipe = $4 WHERE tenant = $1 AND name = $2 AND wipe <> 0 AND NOT EXISTS"
                " (SELECT 1 FROM revocations r WHERE r.tenant = $1 AND r.host = $2 AND r.seq > $3"
                " AND r.wipe <> 0)";

        return store_exec(c, sql, STORE_ARGS(VREQ_KEY(q), STORE_I(q->n), STORE_I(q->last_wipe)), err);
}

static int body_wipe(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql[] =
                "UPDATE revocations SET wipe = $4, proof = $5, proof_at_ms = $6"
                " WHERE tenant = $1 AND host = $2 AND seq = $3 AND wipe <> 2 AND wipe <> $4";
        int r = store_exec(c, sql,
                           STORE_ARGS(VREQ_KEY(q), STORE_I(q->n), STORE_I(q->last_wipe), STORE_T(q->words),
                                      STORE_I(q->words ? q->at_ms : 0)),
                           err);

        if (r == 0)
                q->outcome = STORE_CONFLICT;
        if (r > 0)
                r = write_wipe(q, c, err);
        if (r >= 0 && q->outcome == STORE_OK)
                r = vreq_audit(q, c, err);
        return r < 0 ? r : 0;
}

int verifier_db_wipe(struct verifier_db *db, const char *tenant, const char *host, int64_t seq,
                     enum wipe wipe, const char *proof, int64_t at_ms, const struct audit_entry *audit,
                     trust_done_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;
        int r = mark(db, tenant, host, seq, proof, at_ms, body_wipe, audit, done, ctx, &q, err);

        if (r < 0)
                return r;
        q->last_wipe = wipe;
        return vreq_submit(&q);
}
