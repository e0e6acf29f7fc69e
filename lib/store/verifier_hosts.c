/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts in the verifier's database: enrolled, changed, removed, and read with their state. */
#include <stdlib.h>

#include "store/verifier_request.h"

#define HOST_SELECT                                                                                          \
        "SELECT h.tenant, h.name, h.keylime, h.policy, h.tpm_policy, h.keylime_record, h.interval_ms, "      \
        "h.labels,"                                                                                          \
        " h.ak, h.ak_certificate, h.ek_sha256, h.ek_class, h.ek_findings, h.bound_by, h.actor,"              \
        " h.enrolled_at_ms, h.paused,"                                                                       \
        " s.idx, s.n_evidence, s.judged, s.verdict, s.enforced, s.verdict_n, s.verdict_at_ms,"               \
        " s.evidence_at_ms, s.pass_at_ms, s.verdict_json, s.policy, s.policy_version, s.policy_sha256,"      \
        " s.boot_time_ms, s.boot, s.cel_bytes, s.asked_full, s.continuation,"                                \
        " s.epoch_index, s.floor_index, s.epoch, s.floor, s.counter_key,"                                    \
        " t.trust, t.wipe, t.seq, t.since_ms, t.failed_at_ms, t.destroy_at_ms, t.held, t.wipe_by_ms,"        \
        " t.reason, t.reinstate_actor, t.reinstate_reason, t.reinstate_until_ms, t.reinstate_unwiped,"       \
        " r.jws, r.nonce, t.epoch, s.ima_boot, s.ima_bytes, s.uefi_boot, s.uefi_bytes"                       \
        " FROM hosts h LEFT JOIN states s ON s.tenant = h.tenant AND s.name = h.name"                        \
        " LEFT JOIN trust t ON t.tenant = h.tenant AND t.name = h.name"                                      \
        " LEFT JOIN revocations r ON r.tenant = t.tenant AND r.host = t.name AND r.seq = t.seq"

static const char sql_get[] = HOST_SELECT " WHERE h.tenant = $1 AND h.name = $2";
static const char sql_page[] =
        HOST_SELECT " WHERE (h.tenant, h.name) > ($1, $2) ORDER BY h.tenant, h.name LIMIT $3";

static int read_enrolment(const struct store_row *row, struct enrolment *e, struct err *err)
{
        const struct {
                int column;
                char **to;
        } texts[] = {
                {0, &e->tenant},         {1, &e->name},         {3, &e->policy},         {4, &e->tpm_policy},
                {5, &e->keylime_record}, {7, &e->labels},       {9, &e->ak_certificate}, {10, &e->ek_sha256},
                {11, &e->ek_class},      {12, &e->ek_findings}, {13, &e->bound_by},      {14, &e->actor},
        };

        e->keylime = store_row_int(row, 2) != 0;
        e->interval_ms = store_row_int(row, 6);
        e->enrolled_at_ms = store_row_int(row, 15);
        e->paused = store_row_int(row, 16) != 0;
        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
                if (store_row_text_dup(row, texts[i].column, texts[i].to, err) < 0)
                        return -ERR_NOMEM;
        return store_row_blob_dup(row, 8, &e->ak, err);
}

/* Of `boot`; the length is beside it. */
static const int log_columns[KEPT_N_LOGS] = {[KEPT_CEL] = 31, [KEPT_IMA] = 56, [KEPT_UEFI] = 58};

static int read_state(const struct store_row *row, struct host_state *s, struct err *err)
{
        s->index = store_row_int(row, 17);
        s->n_evidence = store_row_int(row, 18);
        s->judged = store_row_int(row, 19) != 0;
        s->verdict = (int)store_row_int(row, 20);
        s->enforced = store_row_int(row, 21) != 0;
        s->verdict_n = store_row_int(row, 22);
        s->verdict_at_ms = store_row_int(row, 23);
        s->evidence_at_ms = store_row_int(row, 24);
        s->pass_at_ms = store_row_int(row, 25);
        s->policy_version = store_row_int(row, 28);
        s->boot_time_ms = store_row_int(row, 30);
        for (int kind = 0; kind < KEPT_N_LOGS; kind++) {
                s->logs[kind].boot = store_row_int(row, log_columns[kind]);
                s->logs[kind].bytes = store_row_int(row, log_columns[kind] + 1);
        }
        s->asked_full = store_row_int(row, 33) != 0;
        if (store_row_text_dup(row, 26, &s->verdict_json, err) < 0 ||
            store_row_text_dup(row, 27, &s->policy, err) < 0 ||
            store_row_text_dup(row, 29, &s->policy_sha256, err) < 0 ||
            store_row_text_dup(row, 34, &s->continuation, err) < 0)
                return -ERR_NOMEM;
        return 0;
}

static int read_counters(const struct store_row *row, struct host_counters *k, struct err *err)
{
        k->epoch_index = (uint32_t)store_row_int(row, 35);
        k->floor_index = (uint32_t)store_row_int(row, 36);
        k->epoch = (uint64_t)store_row_int(row, 37);
        k->floor = (uint64_t)store_row_int(row, 38);
        if (store_row_blob_dup(row, 39, &k->key, err) < 0)
                return -ERR_NOMEM;
        k->known = k->key.len > 0;
        return 0;
}

static int read_trust(const struct store_row *row, struct host_trust *t, struct err *err)
{
        t->trust = (int)store_row_int(row, 40);
        t->wipe = (int)store_row_int(row, 41);
        t->seq = store_row_int(row, 42);
        t->since_ms = store_row_int(row, 43);
        t->failed_at_ms = store_row_int(row, 44);
        t->destroy_at_ms = store_row_int(row, 45);
        t->held = store_row_int(row, 46) != 0;
        t->wipe_by_ms = store_row_int(row, 47);
        t->reinstate_until_ms = store_row_int(row, 51);
        t->reinstate_unwiped = store_row_int(row, 52) != 0;
        t->epoch = (uint64_t)store_row_int(row, 55);
        if (store_row_text_dup(row, 48, &t->reason, err) < 0 ||
            store_row_text_dup(row, 49, &t->reinstate_actor, err) < 0 ||
            store_row_text_dup(row, 50, &t->reinstate_reason, err) < 0 ||
            store_row_text_dup(row, 53, &t->jws, err) < 0 || store_row_text_dup(row, 54, &t->nonce, err) < 0)
                return -ERR_NOMEM;
        return 0;
}

static int read_host(const struct store_row *row, void *arg, struct err *err)
{
        struct vreq *q = arg;
        struct verifier_host *grown = mem_resize(q->hosts, q->n_found + 1, sizeof(*grown)), *h;

        if (!grown)
                return err_nomem(err);
        q->hosts = grown;
        h = &grown[q->n_found++];
        *h = (struct verifier_host){.enrolment = {.keylime = false}};
        if (read_enrolment(row, &h->enrolment, err) < 0 || read_state(row, &h->state, err) < 0 ||
            read_counters(row, &h->state.counters, err) < 0 || read_trust(row, &h->state.trust, err) < 0)
                return -ERR_NOMEM;
        return 0;
}

static int body_get(struct vreq *q, struct store_conn *c, struct err *err)
{
        int n = store_query(c, sql_get, STORE_ARGS(VREQ_KEY(q)), read_host, q, err);

        q->outcome = n > 0 ? STORE_OK : STORE_NOT_FOUND;
        return n < 0 ? n : 0;
}

static int body_page(struct vreq *q, struct store_conn *c, struct err *err)
{
        int n = store_query(c, sql_page, STORE_ARGS(VREQ_KEY(q), STORE_I((int64_t)q->limit)), read_host, q,
                            err);

        return n < 0 ? n : 0;
}

/* Is the enrolment's policy there? Return: 1, 0, -kind. */
static int has_policy(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql[] = "SELECT 1 FROM policies WHERE tenant = $1 AND name = $2 LIMIT 1";

        if (!q->enrolment.policy)
                return 1;
        return vreq_any(c, sql, STORE_ARGS(STORE_T(q->tenant), STORE_T(q->enrolment.policy)), err);
}

static const char sql_add[] =
        "INSERT INTO hosts (tenant, name, keylime, policy, tpm_policy, keylime_record, interval_ms, labels, "
        "ak,"
        " ak_certificate, ek_sha256, ek_class, ek_findings, bound_by, actor, enrolled_at_ms, paused)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
        " ON CONFLICT (tenant, name) DO NOTHING";

static int body_add(struct vreq *q, struct store_conn *c, struct err *err)
{
        const struct enrolment *e = &q->enrolment;
        int r = has_policy(q, c, err);

        if (r <= 0) {
                q->outcome = STORE_NOT_FOUND;
                return r;
        }
        r = store_exec(c, sql_add,
                       STORE_ARGS(VREQ_KEY(q), STORE_I(e->keylime), STORE_T(e->policy),
                                  STORE_T(e->tpm_policy), STORE_T(e->keylime_record), STORE_I(e->interval_ms),
                                  STORE_T(e->labels), STORE_B(VIEW_BUF(&e->ak)), STORE_T(e->ak_certificate),
                                  STORE_T(e->ek_sha256), STORE_T(e->ek_class), STORE_T(e->ek_findings),
                                  STORE_T(e->bound_by), STORE_T(e->actor), STORE_I(e->enrolled_at_ms),
                                  STORE_I(e->paused)),
                       err);
        if (r == 0)
                q->outcome = STORE_CONFLICT;
        return r > 0 ? vreq_audit(q, c, err) : r;
}

static int body_change(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql[] = "UPDATE hosts SET policy = $3, interval_ms = $4, labels = $5, paused = $6,"
                                  " tpm_policy = $7 WHERE tenant = $1 AND name = $2";
        const struct enrolment *e = &q->enrolment;
        int r = has_policy(q, c, err);

        if (r > 0)
                r = store_exec(c, sql,
                               STORE_ARGS(VREQ_KEY(q), STORE_T(e->policy), STORE_I(e->interval_ms),
                                          STORE_T(e->labels), STORE_I(e->paused), STORE_T(e->tpm_policy)),
                               err);
        if (r == 0)
                q->outcome = STORE_NOT_FOUND;
        return r > 0 ? vreq_audit(q, c, err) : r;
}

/* Trust stays with the name, and what was asked about the machine that had it does not. */
static const char sql_forget[] =
        "UPDATE trust SET failed_at_ms = 0, destroy_at_ms = 0, held = 0, reinstate_actor = NULL,"
        " reinstate_reason = NULL, reinstate_until_ms = 0, reinstate_unwiped = 0"
        " WHERE tenant = $1 AND name = $2";

static int body_remove(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char *const sqls[] = {
                sql_forget,
                "DELETE FROM states WHERE tenant = $1 AND name = $2",
                "DELETE FROM history WHERE tenant = $1 AND name = $2",
                "DELETE FROM secrets WHERE tenant = $1 AND host = $2",
                "DELETE FROM permits WHERE tenant = $1 AND host = $2",
                "DELETE FROM segments WHERE tenant = $1 AND name = $2",
                "DELETE FROM receipts WHERE tenant = $1 AND name = $2",
                "DELETE FROM hosts WHERE tenant = $1 AND name = $2", /* last: its count is the answer */
        };
        int r = 0;

        for (size_t i = 0; i < ARRAY_LEN(sqls) && r >= 0; i++)
                r = store_exec(c, sqls[i], STORE_ARGS(VREQ_KEY(q)), err);
        if (r == 0)
                q->outcome = STORE_NOT_FOUND;
        q->db->history_counted = false;
        return r > 0 ? vreq_audit(q, c, err) : r;
}

/* ---- the calls ---- */

static void tell_hosts(struct vreq *q, const struct err *err)
{
        q->fn.hosts(q->ctx, q->outcome, q->hosts, q->n_found, err);
}

int verifier_db_get(struct verifier_db *db, const char *tenant, const char *name, verifier_hosts_fn done,
                    void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;

        if (vreq_new(db, STORE_READ, tenant, name, body_get, tell_hosts, ctx, &q, err) < 0)
                return -ERR_NOMEM;
        q->fn.hosts = done;
        return vreq_submit(&q);
}

int verifier_db_page(struct verifier_db *db, const char *after_tenant, const char *after, size_t limit,
                     verifier_hosts_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;

        if (vreq_new(db, STORE_READ, after_tenant ? after_tenant : "", after ? after : "", body_page,
                     tell_hosts, ctx, &q, err) < 0)
                return -ERR_NOMEM;
        q->limit = limit;
        q->fn.hosts = done;
        return vreq_submit(&q);
}

static int copy_enrolment(const struct enrolment *from, struct enrolment *ret, struct err *err)
{
        ret->keylime = from->keylime;
        ret->interval_ms = from->interval_ms;
        ret->enrolled_at_ms = from->enrolled_at_ms;
        ret->paused = from->paused;
        if (COPY_TEXTS(err, {from->policy, &ret->policy}, {from->tpm_policy, &ret->tpm_policy},
                       {from->keylime_record, &ret->keylime_record}, {from->labels, &ret->labels},
                       {from->ak_certificate, &ret->ak_certificate}, {from->ek_sha256, &ret->ek_sha256},
                       {from->ek_class, &ret->ek_class}, {from->ek_findings, &ret->ek_findings},
                       {from->bound_by, &ret->bound_by}, {from->actor, &ret->actor}) < 0)
                return -ERR_NOMEM;
        return copy_view(VIEW_BUF(&from->ak), &ret->ak, err);
}

static int submit_enrolment(struct verifier_db *db, const struct enrolment *e,
                            const struct audit_entry *audit,
                            int (*body)(struct vreq *q, struct store_conn *c, struct err *err),
                            verifier_done_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;

        if (vreq_new(db, STORE_DURABLE, e->tenant, e->name, body, vreq_tell_done, ctx, &q, err) < 0 ||
            copy_enrolment(e, &q->enrolment, err) < 0 || vreq_set_audit(q, audit, err) < 0)
                return -ERR_NOMEM;
        q->fn.done = done;
        return vreq_submit(&q);
}

int verifier_db_add(struct verifier_db *db, const struct enrolment *enrolment,
                    const struct audit_entry *audit, verifier_done_fn done, void *ctx, struct err *err)
{
        return submit_enrolment(db, enrolment, audit, body_add, done, ctx, err);
}

int verifier_db_change(struct verifier_db *db, const struct enrolment *enrolment,
                       const struct audit_entry *audit, verifier_done_fn done, void *ctx, struct err *err)
{
        return submit_enrolment(db, enrolment, audit, body_change, done, ctx, err);
}

int verifier_db_remove(struct verifier_db *db, const char *tenant, const char *name,
                       const struct audit_entry *audit, verifier_done_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;

        if (vreq_new(db, STORE_DURABLE, tenant, name, body_remove, vreq_tell_done, ctx, &q, err) < 0 ||
            vreq_set_audit(q, audit, err) < 0)
                return -ERR_NOMEM;
        q->fn.done = done;
        return vreq_submit(&q);
}
