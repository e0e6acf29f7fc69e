/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a piece of evidence leaves behind, in one transaction: the host's state, a line of its history with
 * the bundle, the log's new bytes, and the audit record if the verdict changed.
 *
 * History is bounded three ways: the last few bundles of a host that goes on as it was, its bytes, and the
 * bytes of all hosts. What goes first is the oldest that passed: what led to a failure is what somebody will
 * want to see.
 */
#include <stdlib.h>

#include "evidence/verdict.h"
#include "store/verifier_request.h"

/* Rows leave the window of the last bundles one by one; a few more, in case the window was made smaller. */
#define WINDOW_SLACK 16
/* Rows removed at once when all hosts together hold too much. */
#define TOTAL_BATCH 256

static const char sql_state[] =
        "INSERT INTO states (tenant, name, idx, n_evidence, judged, verdict, enforced, verdict_n, "
        "verdict_at_ms,"
        " evidence_at_ms, pass_at_ms, verdict_json, policy, policy_version, policy_sha256, boot_time_ms, "
        "boot,"
        " cel_bytes, asked_full, continuation, epoch_index, floor_index, epoch, floor, counter_key,"
        " ima_boot, ima_bytes, uefi_boot, uefi_bytes)"
        " SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,"
        " $21, $22, $23, $24, $25, $26, $27, $28, $29"
        " WHERE EXISTS (SELECT 1 FROM hosts WHERE tenant = $1 AND name = $2)"
        " ON CONFLICT (tenant, name) DO UPDATE SET idx = excluded.idx, n_evidence = excluded.n_evidence,"
        " judged = excluded.judged, verdict = excluded.verdict, enforced = excluded.enforced,"
        " verdict_n = excluded.verdict_n, verdict_at_ms = excluded.verdict_at_ms,"
        " evidence_at_ms = excluded.evidence_at_ms, pass_at_ms = excluded.pass_at_ms,"
        " verdict_json = excluded.verdict_json, policy = excluded.policy,"
        " policy_version = excluded.policy_version, policy_sha256 = excluded.policy_sha256,"
        " boot_time_ms = excluded.boot_time_ms, boot = excluded.boot, cel_bytes = excluded.cel_bytes,"
        " asked_full = excluded.asked_full, continuation = excluded.continuation,"
        " epoch_index = excluded.epoch_index, floor_index = excluded.floor_index, epoch = excluded.epoch,"
        " floor = excluded.floor, counter_key = excluded.counter_key, ima_boot = excluded.ima_boot,"
        " ima_bytes = excluded.ima_bytes, uefi_boot = excluded.uefi_boot, uefi_bytes = excluded.uefi_bytes";

static int write_state(struct vreq *q, struct store_conn *c, struct err *err)
{
        const struct host_state *s = &q->record->state;
        const struct host_counters *k = &s->counters;
        const struct kept_log *cel = &s->logs[KEPT_CEL], *ima = &s->logs[KEPT_IMA],
                              *uefi = &s->logs[KEPT_UEFI];

        return store_exec(c, sql_state,
                          STORE_ARGS(VREQ_KEY(q), STORE_I(s->index), STORE_I(s->n_evidence),
                                     STORE_I(s->judged), STORE_I(s->verdict), STORE_I(s->enforced),
                                     STORE_I(s->verdict_n), STORE_I(s->verdict_at_ms),
                                     STORE_I(s->evidence_at_ms), STORE_I(s->pass_at_ms),
                                     STORE_T(s->verdict_json), STORE_T(s->policy), STORE_I(s->policy_version),
                                     STORE_T(s->policy_sha256), STORE_I(s->boot_time_ms), STORE_I(cel->boot),
                                     STORE_I(cel->bytes), STORE_I(s->asked_full), STORE_T(s->continuation),
                                     STORE_I(k->epoch_index), STORE_I(k->floor_index),
                                     STORE_I((int64_t)k->epoch), STORE_I((int64_t)k->floor),
                                     k->key.len ? STORE_B(VIEW_BUF(&k->key)) : STORE_N, STORE_I(ima->boot),
                                     STORE_I(ima->bytes), STORE_I(uefi->boot), STORE_I(uefi->bytes)),
                          err);
}

static int write_history(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql_add[] =
                "INSERT INTO history (tenant, name, n, idx, at_ms, verdict, enforced, changed, verdict_json, "
                "policy,"
                " policy_version, bundle, bundle_bytes, boot, cel_bytes, ima_boot, ima_bytes, uefi_boot,"
                " uefi_bytes)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, "
                "$19)"
                " ON CONFLICT (tenant, name, n) DO NOTHING";
        static const char sql_window[] = "DELETE FROM history WHERE tenant = $1 AND name = $2"
                                         " AND n BETWEEN $3 AND $4 AND changed = 0";
        const struct evidence_record *e = q->record;
        const struct host_state *s = &e->state;
        const struct kept_log *cel = &s->logs[KEPT_CEL], *ima = &s->logs[KEPT_IMA],
                              *uefi = &s->logs[KEPT_UEFI];
        int64_t leaving = s->n_evidence - e->limits.n_bundles;
        struct store_value bundle = e->bundle.len ? STORE_B(VIEW_BUF(&e->bundle)) : STORE_N;
        int r;

        r = store_exec(c, sql_add,
                       STORE_ARGS(VREQ_KEY(q), STORE_I(s->n_evidence), STORE_I(s->index), STORE_I(e->at_ms),
                                  STORE_I(s->verdict), STORE_I(s->enforced), STORE_I(e->durable),
                                  STORE_T(s->verdict_json), STORE_T(s->policy), STORE_I(s->policy_version),
                                  bundle, STORE_I((int64_t)e->bundle.len), STORE_I(cel->boot),
                                  STORE_I(cel->bytes), STORE_I(ima->boot), STORE_I(ima->bytes),
                                  STORE_I(uefi->boot), STORE_I(uefi->bytes)),
                       err);
        if (r < 0)
                return r;
        return store_exec(c, sql_window,
                          STORE_ARGS(VREQ_KEY(q), STORE_I(leaving - WINDOW_SLACK), STORE_I(leaving)), err);
}

/* Of logs. */
static size_t new_bytes(const struct vreq *q)
{
        size_t n = 0;

        for (size_t i = 0; i < KEPT_N_LOGS; i++)
                n += q->logs[i].len;
        return n;
}

static int read_int(const struct store_row *row, void *arg, struct err *err)
{
        (void)err;
        *(int64_t *)arg = store_row_int(row, 0);
        return 0;
}

/* A host's own bytes. */
static int bound_host(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql_sum[] =
                "SELECT coalesce((SELECT sum(bundle_bytes) FROM history WHERE tenant = $1 AND name = $2), 0)"
                " + coalesce((SELECT sum(length) FROM segments WHERE tenant = $1 AND name = $2), 0)";
        static const char sql_drop[] =
                "DELETE FROM history WHERE tenant = $1 AND name = $2 AND n = (SELECT n FROM history"
                " WHERE tenant = $1 AND name = $2 AND n < $3"
                " ORDER BY CASE WHEN verdict = $4 THEN 0 ELSE 1 END, n LIMIT 1)";
        int64_t bytes = 0;
        int r, dropped = 1;

        for (;;) {
                r = store_query(c, sql_sum, STORE_ARGS(VREQ_KEY(q)), read_int, &bytes, err);
                if (r < 0)
                        return r;
                if (bytes <= q->record->limits.bytes || dropped == 0)
                        return 0;
                dropped = store_exec(
                        c, sql_drop,
                        STORE_ARGS(VREQ_KEY(q), STORE_I(q->record->state.n_evidence), STORE_I(VERDICT_PASS)),
                        err);
                if (dropped < 0 || vreq_drop_old_logs(q, c, err) < 0)
                        return -(int)err->kind;
        }
}

/* The bytes of all: counted once, then kept up to date roughly, and counted again after each removal. */
static int bound_total(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql_sum[] = "SELECT coalesce((SELECT sum(bundle_bytes) FROM history), 0)"
                                      " + coalesce((SELECT sum(length) FROM segments), 0)";
        static const char sql_drop[] =
                "DELETE FROM history WHERE (tenant, name, n) IN (SELECT tenant, name, n FROM history"
                " WHERE NOT (tenant = $1 AND name = $2 AND n = $3)"
                " ORDER BY CASE WHEN verdict = $4 THEN 0 ELSE 1 END, at_ms LIMIT $5)";
        struct verifier_db *db = q->db;
        int r;

        if (!db->history_counted) {
                r = store_query(c, sql_sum, STORE_NO_ARGS, read_int, &db->history_bytes, err);
                if (r < 0)
                        return r;
                db->history_counted = true;
        } else {
                db->history_bytes += (int64_t)(q->record->bundle.len + new_bytes(q));
        }
        if (db->history_bytes <= q->record->limits.total_bytes)
                return 0;
        db->history_counted = false;
        r = store_exec(c, sql_drop,
                       STORE_ARGS(VREQ_KEY(q), STORE_I(q->record->state.n_evidence), STORE_I(VERDICT_PASS),
                                  STORE_I(TOTAL_BATCH)),
                       err);
        return r < 0 ? r : 0;
}

static int body_record(struct vreq *q, struct store_conn *c, struct err *err)
{
        int r = write_state(q, c, err);

        if (r <= 0) {
                q->outcome = STORE_NOT_FOUND;
                return r;
        }
        if (q->has_trust) {
                r = vreq_write_trust(q, c, &q->trust, err);
                if (r <= 0)
                        return r < 0 ? r
                                     : err_set(err, ERR_BUG, 0, "host '%s': its trust was changed by another",
                                               q->name);
        }
        r = write_history(q, c, err);
        if (r >= 0)
                r = vreq_write_marks(q, c, err);
        if (r >= 0)
                r = vreq_decide_receipts(q, c, err);
        if (r >= 0)
                r = vreq_write_logs(q, c, err);
        if (r >= 0 && (q->record->durable || new_bytes(q) > 0))
                r = bound_host(q, c, err);
        if (r >= 0)
                r = bound_total(q, c, err);
        return r < 0 ? r : vreq_audit(q, c, err);
}

static int copy_state(const struct host_state *from, struct host_state *ret, struct err *err)
{
        *ret = *from;
        ret->verdict_json = ret->policy = ret->policy_sha256 = ret->continuation = NULL;
        ret->counters.key = (struct buf){0};
        ret->trust = (struct host_trust){.trust = TRUST_TRUSTED}; /* not written from here */
        if (copy_view(VIEW_BUF(&from->counters.key), &ret->counters.key, err) < 0)
                return -ERR_NOMEM;
        return COPY_TEXTS(err, {from->verdict_json, &ret->verdict_json}, {from->policy, &ret->policy},
                          {from->policy_sha256, &ret->policy_sha256},
                          {from->continuation, &ret->continuation});
}

static int copy_logs(const struct evidence_record *record, struct vreq *q, struct err *err)
{
        for (size_t i = 0; i < KEPT_N_LOGS; i++)
                if (copy_view(record->logs[i], &q->logs[i], err) < 0)
                        return -ERR_NOMEM;
        return 0;
}

int verifier_db_record(struct verifier_db *db, struct evidence_record *record, verifier_done_fn done,
                       void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;

        if (vreq_new(db, record->durable ? STORE_DURABLE : STORE_DEFERRED, record->tenant, record->name,
                     body_record, vreq_tell_done, ctx, &q, err) < 0)
                return -ERR_NOMEM;
        q->record = mem_zalloc(1, sizeof(*q->record));
        if (!q->record)
                return err_nomem(err);
        *q->record = (struct evidence_record){.durable = record->durable,
                                              .at_ms = record->at_ms,
                                              .limits = record->limits,
                                              .receipts = record->receipts};
        if (copy_state(&record->state, &q->record->state, err) < 0 || copy_logs(record, q, err) < 0 ||
            vreq_set_audit(q, &record->audit, err) < 0 ||
            (record->trust && trust_change_dup(record->trust, &q->trust, err) < 0))
                return -ERR_NOMEM;
        if (record->n_marks) {
                q->record->marks = mem_dup(record->marks, record->n_marks * sizeof(*record->marks));
                if (!q->record->marks)
                        return err_nomem(err);
                q->record->n_marks = record->n_marks;
        }
        q->has_trust = record->trust != NULL;
        q->record->bundle = record->bundle;
        record->bundle = (struct buf){0};
        q->fn.done = done;
        return vreq_submit(&q);
}

/* ---- reading ---- */

static int read_row(const struct store_row *row, void *arg, struct err *err)
{
        struct vreq *q = arg;
        struct history_row *grown = mem_resize(q->rows, q->n_found + 1, sizeof(*grown)), *h;

        if (!grown)
                return err_nomem(err);
        q->rows = grown;
        h = &grown[q->n_found++];
        *h = (struct history_row){.n = store_row_int(row, 0),
                                  .index = store_row_int(row, 1),
                                  .at_ms = store_row_int(row, 2),
                                  .verdict = (int)store_row_int(row, 3),
                                  .enforced = store_row_int(row, 4) != 0,
                                  .changed = store_row_int(row, 5) != 0,
                                  .policy_version = store_row_int(row, 8),
                                  .bundle_bytes = store_row_int(row, 9)};
        if (store_row_text_dup(row, 6, &h->verdict_json, err) < 0 ||
            store_row_text_dup(row, 7, &h->policy, err) < 0)
                return -ERR_NOMEM;
        return 0;
}

static int body_history(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql[] = "SELECT n, idx, at_ms, verdict, enforced, changed, verdict_json, policy,"
                                  " policy_version, bundle_bytes FROM history"
                                  " WHERE tenant = $1 AND name = $2 AND n < $3 ORDER BY n DESC LIMIT $4";
        int n = store_query(c, sql, STORE_ARGS(VREQ_KEY(q), STORE_I(q->n), STORE_I((int64_t)q->limit)),
                            read_row, q, err);

        return n < 0 ? n : 0;
}

static void tell_history(struct vreq *q, const struct err *err)
{
        q->fn.history(q->ctx, q->outcome, q->rows, q->n_found, err);
}

int verifier_db_history(struct verifier_db *db, const char *tenant, const char *name, int64_t before_n,
                        size_t limit, verifier_history_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;

        if (vreq_new(db, STORE_READ, tenant, name, body_history, tell_history, ctx, &q, err) < 0)
                return -ERR_NOMEM;
        q->n = before_n > 0 ? before_n : INT64_MAX;
        q->limit = limit;
        q->fn.history = done;
        return vreq_submit(&q);
}

struct found_bundle {
        struct vreq *q;
        struct kept_log logs[KEPT_N_LOGS];
};

static int read_bundle(const struct store_row *row, void *arg, struct err *err)
{
        struct found_bundle *f = arg;

        f->q->last = store_row_int(row, 0);
        for (int kind = 0; kind < KEPT_N_LOGS; kind++)
                f->logs[kind] = (struct kept_log){.boot = store_row_int(row, 2 + 2 * kind),
                                                  .bytes = store_row_int(row, 3 + 2 * kind)};
        buf_put_view(&f->q->text, store_row_blob(row, 1));
        return buf_ok(&f->q->text) ? 0 : err_nomem(err);
}

#define EVIDENCE_SELECT                                                                                      \
        "SELECT n, bundle, boot, cel_bytes, ima_boot, ima_bytes, uefi_boot, uefi_bytes FROM history"         \
        " WHERE tenant = $1 AND name = $2 AND bundle IS NOT NULL"

static int body_evidence(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql_one[] = EVIDENCE_SELECT " AND n = $3";
        static const char sql_newest[] = EVIDENCE_SELECT " AND n < $3 ORDER BY n DESC LIMIT 1";
        struct found_bundle f = {.q = q};
        int n;

        if (q->n > 0)
                n = store_query(c, sql_one, STORE_ARGS(VREQ_KEY(q), STORE_I(q->n)), read_bundle, &f, err);
        else
                n = store_query(c, sql_newest, STORE_ARGS(VREQ_KEY(q), STORE_I(q->at_ms)), read_bundle, &f,
                                err);
        if (n <= 0) {
                q->outcome = STORE_NOT_FOUND;
                return n;
        }
        for (int kind = 0; kind < KEPT_N_LOGS; kind++)
                if (vreq_read_log(q, c, kind, &f.logs[kind], err) < 0)
                        return -(int)err->kind;
        return 0;
}

static void tell_evidence(struct vreq *q, const struct err *err)
{
        struct view logs[KEPT_N_LOGS];

        for (size_t i = 0; i < KEPT_N_LOGS; i++)
                logs[i] = VIEW_BUF(&q->found_logs[i]);
        q->fn.evidence(q->ctx, q->outcome, VIEW_BUF(&q->text), logs, q->last, err);
}

/* N, or if that is 0 the newest before BEFORE. */
static int ask_evidence(struct verifier_db *db, const char *tenant, const char *name, int64_t n,
                        int64_t before, verifier_evidence_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;

        if (vreq_new(db, STORE_READ, tenant, name, body_evidence, tell_evidence, ctx, &q, err) < 0)
                return -ERR_NOMEM;
        q->n = n;
        q->at_ms = before;
        q->fn.evidence = done;
        return vreq_submit(&q);
}

int verifier_db_evidence(struct verifier_db *db, const char *tenant, const char *name, int64_t n,
                         verifier_evidence_fn done, void *ctx, struct err *err)
{
        return ask_evidence(db, tenant, name, n, INT64_MAX, done, ctx, err);
}

int verifier_db_evidence_before(struct verifier_db *db, const char *tenant, const char *name, int64_t n,
                                verifier_evidence_fn done, void *ctx, struct err *err)
{
        return ask_evidence(db, tenant, name, 0, n, done, ctx, err);
}
