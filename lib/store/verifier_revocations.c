/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trust and revocations in the verifier's database.
 *
 * `trust` is one row per host and apart from `states`, which every heartbeat writes: a heartbeat that was
 * submitted before a revocation and written after it must not bring trust back. `revocations` is both the
 * record and the outbox towards the registrar (posted_at_ms = 0); rows stay when a host is removed, since the
 * registrar must get them all the same.
 */
#include "store/verifier_revocations.h"

#include <stdlib.h>

#include "base/str.h"
#include "store/verifier_request.h"

const char verifier_revocations_migration[] =
        "ALTER TABLE states ADD COLUMN epoch_index BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE states ADD COLUMN floor_index BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE states ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE states ADD COLUMN floor BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE states ADD COLUMN counter_key BLOB;"
        "CREATE TABLE trust ("
        " tenant TEXT NOT NULL, name TEXT NOT NULL, trust BIGINT NOT NULL, wipe BIGINT NOT NULL,"
        " seq BIGINT NOT NULL, since_ms BIGINT NOT NULL, failed_at_ms BIGINT NOT NULL,"
        " destroy_at_ms BIGINT NOT NULL, held BIGINT NOT NULL, wipe_by_ms BIGINT NOT NULL, reason TEXT,"
        " reinstate_actor TEXT, reinstate_reason TEXT, reinstate_until_ms BIGINT NOT NULL,"
        " reinstate_unwiped BIGINT NOT NULL, epoch BIGINT NOT NULL,"
        " PRIMARY KEY (tenant, name));"
        "CREATE TABLE revocations ("
        " n BIGINT NOT NULL PRIMARY KEY, tenant TEXT NOT NULL, host TEXT NOT NULL, seq BIGINT NOT NULL,"
        " id TEXT NOT NULL, reaction TEXT NOT NULL, severity TEXT, policy TEXT, reason TEXT,"
        " payload TEXT NOT NULL, jws TEXT NOT NULL, nonce TEXT, issued_at_ms BIGINT NOT NULL,"
        " posted_at_ms BIGINT NOT NULL, wipe BIGINT NOT NULL, proof TEXT, proof_at_ms BIGINT NOT NULL,"
        " proof_posted_at_ms BIGINT NOT NULL, deadline_ms BIGINT NOT NULL,"
        " UNIQUE (tenant, host, seq));"
        "CREATE INDEX revocations_unposted ON revocations (posted_at_ms, n);"
        "CREATE TABLE holds ("
        " policy TEXT NOT NULL PRIMARY KEY, since_ms BIGINT NOT NULL, reason TEXT, pushed_by TEXT,"
        " confirmed_by TEXT, until_ms BIGINT NOT NULL)";

const char *trust_name(enum trust trust)
{
        static const char *const names[TRUST_N] = {"trusted", "suspended", "revoked"};

        return (size_t)trust < TRUST_N ? names[trust] : "unknown";
}

const char *wipe_name(enum wipe wipe)
{
        static const char *const names[WIPE_N] = {"none", "pending", "wiped", "wipe-unproven"};

        return (size_t)wipe < WIPE_N ? names[wipe] : "unknown";
}

void host_trust_free(struct host_trust *t)
{
        free(t->reason);
        free(t->reinstate_actor);
        free(t->reinstate_reason);
        free(t->jws);
        free(t->nonce);
        *t = (struct host_trust){.trust = TRUST_TRUSTED};
}

int host_trust_dup(const struct host_trust *from, struct host_trust *ret, struct err *err)
{
        struct host_trust t = *from;

        t.reason = t.reinstate_actor = t.reinstate_reason = t.jws = t.nonce = NULL;
        if (COPY_TEXTS(err, {from->reason, &t.reason}, {from->reinstate_actor, &t.reinstate_actor},
                       {from->reinstate_reason, &t.reinstate_reason}, {from->jws, &t.jws},
                       {from->nonce, &t.nonce}) < 0) {
                host_trust_free(&t);
                return -ERR_NOMEM;
        }
        *ret = t;
        return 0;
}

void trust_change_free(struct trust_change *c)
{
        host_trust_free(&c->trust);
        free((char *)(uintptr_t)c->payload);
        free((char *)(uintptr_t)c->reaction);
        free((char *)(uintptr_t)c->severity);
        free((char *)(uintptr_t)c->policy);
        audit_entry_free(&c->audit);
        *c = (struct trust_change){.payload = NULL};
}

int trust_change_dup(const struct trust_change *from, struct trust_change *ret, struct err *err)
{
        struct trust_change c = {.issued_at_ms = from->issued_at_ms};
        char *payload = NULL, *reaction = NULL, *severity = NULL, *policy = NULL;
        int r = host_trust_dup(&from->trust, &c.trust, err);

        if (r >= 0)
                r = COPY_TEXTS(err, {from->payload, &payload}, {from->reaction, &reaction},
                               {from->severity, &severity}, {from->policy, &policy});
        c.payload = payload;
        c.reaction = reaction;
        c.severity = severity;
        c.policy = policy;
        if (r >= 0 && from->audit.action)
                r = audit_entry_dup(&from->audit, &c.audit, err);
        if (r < 0) {
                trust_change_free(&c);
                return r;
        }
        *ret = c;
        return 0;
}

/* ---- writing ---- */

static int write_trust(struct vreq *q, struct store_conn *c, const struct host_trust *t, struct err *err)
{
        static const char sql[] =
                "INSERT INTO trust (tenant, name, trust, wipe, seq, since_ms, failed_at_ms, destroy_at_ms,"
                " held, wipe_by_ms, reason, reinstate_actor, reinstate_reason, reinstate_until_ms,"
                " reinstate_unwiped, epoch)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
                " ON CONFLICT (tenant, name) DO UPDATE SET trust = excluded.trust, wipe = excluded.wipe,"
                " seq = excluded.seq, since_ms = excluded.since_ms, failed_at_ms = excluded.failed_at_ms,"
                " destroy_at_ms = excluded.destroy_at_ms, held = excluded.held,"
                " wipe_by_ms = excluded.wipe_by_ms, reason = excluded.reason,"
                " reinstate_actor = excluded.reinstate_actor,"
                " reinstate_reason = excluded.reinstate_reason,"
                " reinstate_until_ms = excluded.reinstate_until_ms,"
                " reinstate_unwiped = excluded.reinstate_unwiped, epoch = excluded.epoch"
                " WHERE excluded.seq >= trust.seq";

        return store_exec(c, sql,
                          STORE_ARGS(VREQ_KEY(q), STORE_I(t->trust), STORE_I(t->wipe), STORE_I(t->seq),
                                     STORE_I(t->since_ms), STORE_I(t->failed_at_ms),
                                     STORE_I(t->destroy_at_ms), STORE_I(t->held), STORE_I(t->wipe_by_ms),
                                     STORE_T(t->reason), STORE_T(t->reinstate_actor),
                                     STORE_T(t->reinstate_reason), STORE_I(t->reinstate_until_ms),
                                     STORE_I(t->reinstate_unwiped), STORE_I((int64_t)t->epoch)),
                          err);
}

static int write_revocation(struct vreq *q, struct store_conn *c, const struct trust_change *x,
                            struct err *err)
{
        static const char sql[] =
                "INSERT INTO revocations (n, tenant, host, seq, id, reaction, severity, policy, reason,"
                " payload, jws, issued_at_ms, posted_at_ms, wipe, proof_at_ms, proof_posted_at_ms,"
                " deadline_ms)"
                " SELECT coalesce(max(n), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, 0, 0,"
                " $13 FROM revocations";
        const struct host_trust *t = &x->trust;
        AUTO(mem_free_p) char *id = str_fmt("%s/%lld", q->name, (long long)t->seq);

        if (!id)
                return err_nomem(err);
        return store_exec(c, sql,
                          STORE_ARGS(VREQ_KEY(q), STORE_I(t->seq), STORE_T(id), STORE_T(x->reaction),
                                     STORE_T(x->severity), STORE_T(x->policy), STORE_T(t->reason),
                                     STORE_T(x->payload), STORE_T(t->jws), STORE_I(x->issued_at_ms),
                                     STORE_I(t->wipe), STORE_I(t->wipe_by_ms)),
                          err);
}

int vreq_write_trust(struct vreq *q, struct store_conn *c, const struct trust_change *change, struct err *err)
{
        int r = write_trust(q, c, &change->trust, err);

        if (r <= 0)
                return r;
        if (change->payload && write_revocation(q, c, change, err) < 0)
                return -(int)err->kind;
        if (change->audit.action && audit_append(c, q->db->audit_key, &change->audit, err) < 0)
                return -(int)err->kind;
        return 1;
}

static int body_trust(struct vreq *q, struct store_conn *c, struct err *err)
{
        int r = vreq_write_trust(q, c, &q->trust, err);

        if (r == 0)
                q->outcome = STORE_CONFLICT;
        return r < 0 ? r : 0;
}

int verifier_db_trust(struct verifier_db *db, const char *tenant, const char *name,
                      const struct trust_change *change, trust_done_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;

        if (vreq_new(db, STORE_DURABLE, tenant, name, body_trust, vreq_tell_done, ctx, &q, err) < 0 ||
            trust_change_dup(change, &q->trust, err) < 0)
                return -ERR_NOMEM;
        q->fn.done = done;
        return vreq_submit(&q);
}

/* ---- holds ---- */

void hold_free(struct hold *h)
{
        free(h->policy);
        free(h->reason);
        free(h->pushed_by);
        free(h->confirmed_by);
        *h = (struct hold){.policy = NULL};
}

static int read_hold(const struct store_row *row, void *arg, struct err *err)
{
        struct vreq *q = arg;
        struct hold *grown = mem_resize(q->holds, q->n_found + 1, sizeof(*grown)), *h;

        if (!grown)
                return err_nomem(err);
        q->holds = grown;
        h = &grown[q->n_found++];
        *h = (struct hold){.since_ms = store_row_int(row, 1), .until_ms = store_row_int(row, 5)};
        if (store_row_text_dup(row, 0, &h->policy, err) < 0 ||
            store_row_text_dup(row, 2, &h->reason, err) < 0 ||
            store_row_text_dup(row, 3, &h->pushed_by, err) < 0 ||
            store_row_text_dup(row, 4, &h->confirmed_by, err) < 0)
                return -ERR_NOMEM;
        return 0;
}

static int body_holds(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql[] = "SELECT policy, since_ms, reason, pushed_by, confirmed_by, until_ms"
                                  " FROM holds ORDER BY policy";
        int n = store_query(c, sql, STORE_NO_ARGS, read_hold, q, err);

        return n < 0 ? n : 0;
}

static void tell_holds(struct vreq *q, const struct err *err)
{
        q->fn.holds(q->ctx, q->outcome, q->holds, q->n_found, err);
}

int verifier_db_holds(struct verifier_db *db, verifier_holds_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;

        if (vreq_new(db, STORE_READ, NULL, NULL, body_holds, tell_holds, ctx, &q, err) < 0)
                return -ERR_NOMEM;
        q->fn.holds = done;
        return vreq_submit(&q);
}

static int body_hold_set(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql[] =
                "INSERT INTO holds (policy, since_ms, reason, pushed_by, confirmed_by, until_ms)"
                " VALUES ($1, $2, $3, $4, $5, $6)"
                " ON CONFLICT (policy) DO UPDATE SET since_ms = excluded.since_ms, reason = excluded.reason,"
                " pushed_by = excluded.pushed_by, confirmed_by = excluded.confirmed_by,"
                " until_ms = excluded.until_ms";
        const struct hold *h = &q->hold;
        int r = store_exec(c, sql,
                           STORE_ARGS(STORE_T(h->policy), STORE_I(h->since_ms), STORE_T(h->reason),
                                      STORE_T(h->pushed_by), STORE_T(h->confirmed_by), STORE_I(h->until_ms)),
                           err);

        return r < 0 ? r : vreq_audit(q, c, err);
}

int verifier_db_hold_set(struct verifier_db *db, const struct hold *hold, const struct audit_entry *audit,
                         trust_done_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;

        if (vreq_new(db, STORE_DURABLE, NULL, NULL, body_hold_set, vreq_tell_done, ctx, &q, err) < 0 ||
            vreq_set_audit(q, audit, err) < 0 ||
            COPY_TEXTS(err, {hold->policy, &q->hold.policy}, {hold->reason, &q->hold.reason},
                       {hold->pushed_by, &q->hold.pushed_by},
                       {hold->confirmed_by, &q->hold.confirmed_by}) < 0)
                return -ERR_NOMEM;
        q->hold.since_ms = hold->since_ms;
        q->hold.until_ms = hold->until_ms;
        q->fn.done = done;
        return vreq_submit(&q);
}

static int body_hold_remove(struct vreq *q, struct store_conn *c, struct err *err)
{
        int r = store_exec(c, "DELETE FROM holds WHERE policy = $1", STORE_ARGS(STORE_T(q->name)), err);

        if (r == 0)
                q->outcome = STORE_NOT_FOUND;
        return r > 0 ? vreq_audit(q, c, err) : r;
}

int verifier_db_hold_remove(struct verifier_db *db, const char *policy, const struct audit_entry *audit,
                            trust_done_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;

        if (vreq_new(db, STORE_DURABLE, NULL, policy, body_hold_remove, vreq_tell_done, ctx, &q, err) < 0 ||
            vreq_set_audit(q, audit, err) < 0)
                return -ERR_NOMEM;
        q->fn.done = done;
        return vreq_submit(&q);
}
