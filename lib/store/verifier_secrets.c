/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets and approvals in the verifier's database.
 *
 * A host that is removed takes its secrets with it: they are sealed to its TPM. Its approvals and its floor
 * stay: the counter in the TPM does not go back because somebody enrols the name again, and what was
 * withdrawn stays withdrawn.
 */
#include "store/verifier_secrets.h"

#include <stdlib.h>

#include "base/str.h"
#include "store/verifier_request.h"

const char verifier_secrets_migration[] =
        "CREATE TABLE secrets ("
        " tenant TEXT NOT NULL, host TEXT NOT NULL, name TEXT NOT NULL, version BIGINT NOT NULL,"
        " document TEXT NOT NULL,"
        " PRIMARY KEY (tenant, host, name));"
        "CREATE TABLE approvals ("
        " tenant TEXT NOT NULL, id TEXT NOT NULL, host TEXT NOT NULL, version BIGINT NOT NULL,"
        " document TEXT NOT NULL, created_at_ms BIGINT NOT NULL, withdrawn_at_ms BIGINT NOT NULL,"
        " PRIMARY KEY (tenant, id));"
        "CREATE INDEX approvals_host ON approvals (tenant, host);"
        "CREATE TABLE floors ("
        " tenant TEXT NOT NULL, host TEXT NOT NULL, target BIGINT NOT NULL,"
        " PRIMARY KEY (tenant, host))";

/* ---- what was found ---- */

void vreq_set_clear(struct vreq_set *s)
{
        for (size_t i = 0; i < s->n_secrets; i++) {
                free(s->secrets[i].name);
                free(s->secrets[i].text);
        }
        free(s->secrets);
        for (size_t i = 0; i < s->n_approvals; i++) {
                free(s->approvals[i].id);
                free(s->approvals[i].host);
                free(s->approvals[i].text);
        }
        free(s->approvals);
        *s = (struct vreq_set){.n_secrets = 0};
}

static int read_secret(const struct store_row *row, void *arg, struct err *err)
{
        struct vreq_set *s = arg;
        struct verifier_secret *grown = mem_resize(s->secrets, s->n_secrets + 1, sizeof(*grown)), *one;

        if (!grown)
                return err_nomem(err);
        s->secrets = grown;
        one = &grown[s->n_secrets++];
        *one = (struct verifier_secret){.version = store_row_int(row, 1)};
        if (store_row_text_dup(row, 0, &one->name, err) < 0 ||
            store_row_text_dup(row, 2, &one->text, err) < 0)
                return -ERR_NOMEM;
        return 0;
}

#define APPROVAL "SELECT id, host, version, document, created_at_ms, withdrawn_at_ms FROM approvals"

static int read_approval(const struct store_row *row, void *arg, struct err *err)
{
        struct vreq_set *s = arg;
        struct verifier_approval *grown = mem_resize(s->approvals, s->n_approvals + 1, sizeof(*grown)), *one;

        if (!grown)
                return err_nomem(err);
        s->approvals = grown;
        one = &grown[s->n_approvals++];
        *one = (struct verifier_approval){.version = store_row_int(row, 2),
                                          .created_at_ms = store_row_int(row, 4),
                                          .withdrawn_at_ms = store_row_int(row, 5)};
        if (store_row_text_dup(row, 0, &one->id, err) < 0 ||
            store_row_text_dup(row, 1, &one->host, err) < 0 ||
            store_row_text_dup(row, 3, &one->text, err) < 0)
                return -ERR_NOMEM;
        return 0;
}

static int read_floor(const struct store_row *row, void *arg, struct err *err)
{
        struct vreq_set *s = arg;

        (void)err; /* an integer needs nothing */
        s->floor = store_row_int(row, 0);
        return 0;
}

static int query_floor(struct store_conn *c, const char *tenant, const char *host, struct vreq_set *s,
                       struct err *err)
{
        return store_query(c, "SELECT target FROM floors WHERE tenant = $1 AND host = $2",
                           STORE_ARGS(STORE_T(tenant), STORE_T(host)), read_floor, s, err);
}

static void tell_set(struct vreq *q, const struct err *err)
{
        const struct verifier_set set = {.secrets = q->set.secrets,
                                         .n_secrets = q->set.n_secrets,
                                         .approvals = q->set.approvals,
                                         .n_approvals = q->set.n_approvals,
                                         .floor = q->set.floor};

        q->fn.set(q->ctx, q->outcome, &set, err);
}

/* ---- a host's set ---- */

static int body_set(struct vreq *q, struct store_conn *c, struct err *err)
{
        int r = store_query(c,
                            "SELECT name, version, document FROM secrets WHERE tenant = $1 AND host = $2"
                            " ORDER BY name",
                            STORE_ARGS(VREQ_KEY(q)), read_secret, &q->set, err);

        if (r >= 0)
                r = store_query(c, APPROVAL " WHERE tenant = $1 AND host = $2 ORDER BY id",
                                STORE_ARGS(VREQ_KEY(q)), read_approval, &q->set, err);
        if (r >= 0)
                r = query_floor(c, q->tenant, q->name, &q->set, err);
        return r < 0 ? r : 0;
}

int verifier_db_secrets_of(struct verifier_db *db, const char *tenant, const char *host, verifier_set_fn done,
                           void *ctx, struct err *err)
{
        AUTO(vreq_free_p) struct vreq *q = NULL;

        if (vreq_new(db, STORE_READ, tenant, host, body_set, tell_set, ctx, &q, err) < 0)
                return -ERR_NOMEM;
        q->fn.set = done;
        return vreq_submit(&q);
}

/* ---- secrets ---- */

static int host_is_there(struct vreq *q, struct store_conn *c, const char *host, struct err *err)
{
        int n = vreq_any(c, "SELECT 1 FROM hosts WHERE tenant = $1 AND name = $2",
                         STORE_ARGS(STORE_T(q->tenant), STORE_T(host)), err);

        if (n == 0)
                q->outcome = STORE_NOT_FOUND;
        return n;
}

static int body_put(struct vreq *q, struct store_conn *c, struct err *err)
{
        int r = host_is_there(q, c, q->name, err);

        if (r <= 0)
                return r;
        r = store_exec(c,
                       "INSERT INTO secrets (tenant, host, name, version, document)"
                       " VALUES ($1, $2, $3, $4, $5)"
                       " ON CONFLICT (tenant, host, name) DO UPDATE SET version = excluded.version,"
                       " document = excluded.document WHERE excluded.version > secrets.version",
                       STORE_ARGS(VREQ_KEY(q), STORE_T(q->object), STORE_I(q->n), STORE_T(q->words)), err);
        if (r == 0)
                q->outcome = STORE_CONFLICT;
        return r > 0 ? vreq_audit(q, c, err) : r;
}

int verifier_db_secret_put(struct verifier_db *db, const char *tenant, const char *host, const char *name,
                           int64_t version, const char *text, const struct audit_entry *audit,
                           verifier_done_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p) struct vreq *q = NULL;

        if (vreq_new(db, STORE_DURABLE, tenant, host, body_put, vreq_tell_done, ctx, &q, err) < 0 ||
            COPY_TEXTS(err, {name, &q->object}, {text, &q->words}) < 0 || vreq_set_audit(q, audit, err) < 0)
                return -ERR_NOMEM;
        q->n = version;
        q->fn.done = done;
        return vreq_submit(&q);
}

static int body_remove(struct vreq *q, struct store_conn *c, struct err *err)
{
        int r = store_exec(c, "DELETE FROM secrets WHERE tenant = $1 AND host = $2 AND name = $3",
                           STORE_ARGS(VREQ_KEY(q), STORE_T(q->object)), err);

        if (r == 0)
                q->outcome = STORE_NOT_FOUND;
        return r > 0 ? vreq_audit(q, c, err) : r;
}

int verifier_db_secret_remove(struct verifier_db *db, const char *tenant, const char *host, const char *name,
                              const struct audit_entry *audit, verifier_done_fn done, void *ctx,
                              struct err *err)
{
        AUTO(vreq_free_p) struct vreq *q = NULL;

        if (vreq_new(db, STORE_DURABLE, tenant, host, body_remove, vreq_tell_done, ctx, &q, err) < 0 ||
            COPY_TEXTS(err, {name, &q->object}) < 0 || vreq_set_audit(q, audit, err) < 0)
                return -ERR_NOMEM;
        q->fn.done = done;
        return vreq_submit(&q);
}

/* ---- approvals ---- */

static int find_approval(struct vreq *q, struct store_conn *c, struct err *err)
{
        return store_query(c, APPROVAL " WHERE tenant = $1 AND id = $2",
                           STORE_ARGS(STORE_T(q->tenant), STORE_T(q->object)), read_approval, &q->set, err);
}

static int body_approve(struct vreq *q, struct store_conn *c, struct err *err)
{
        int r = host_is_there(q, c, q->name, err);

        if (r <= 0)
                return r;
        r = find_approval(q, c, err);
        if (r > 0) {
                if (q->set.approvals[0].withdrawn_at_ms)
                        q->outcome = STORE_CONFLICT;
                return 0;
        }
        if (r == 0)
                r = query_floor(c, q->tenant, q->name, &q->set, err);
        if (r < 0)
                return r;
        if (q->set.floor > q->n) {
                q->outcome = STORE_CONFLICT;
                return 0;
        }
        r = store_exec(c,
                       "INSERT INTO approvals (tenant, id, host, version, document, created_at_ms,"
                       " withdrawn_at_ms) VALUES ($1, $2, $3, $4, $5, $6, 0)",
                       STORE_ARGS(STORE_T(q->tenant), STORE_T(q->object), STORE_T(q->name), STORE_I(q->n),
                                  STORE_T(q->words), STORE_I(q->at_ms)),
                       err);
        return r < 0 ? r : vreq_audit(q, c, err);
}

int verifier_db_approve(struct verifier_db *db, const char *tenant, const struct verifier_approval *approval,
                        int64_t at_ms, const struct audit_entry *audit, verifier_done_fn done, void *ctx,
                        struct err *err)
{
        AUTO(vreq_free_p) struct vreq *q = NULL;

        if (vreq_new(db, STORE_DURABLE, tenant, approval->host, body_approve, vreq_tell_done, ctx, &q, err) <
                    0 ||
            COPY_TEXTS(err, {approval->id, &q->object}, {approval->text, &q->words}) < 0 ||
            vreq_set_audit(q, audit, err) < 0)
                return -ERR_NOMEM;
        q->n = approval->version;
        q->at_ms = at_ms;
        q->fn.done = done;
        return vreq_submit(&q);
}

static int write_withdrawal(struct vreq *q, struct store_conn *c, const struct verifier_approval *a,
                            struct err *err)
{
        int r = store_exec(
                c,
                "UPDATE approvals SET withdrawn_at_ms = $4"
                " WHERE tenant = $1 AND host = $2 AND version <= $3 AND withdrawn_at_ms = 0",
                STORE_ARGS(STORE_T(q->tenant), STORE_T(a->host), STORE_I(a->version), STORE_I(q->at_ms)),
                err);

        if (r >= 0)
                r = store_exec(c,
                               "INSERT INTO floors (tenant, host, target) VALUES ($1, $2, $3)"
                               " ON CONFLICT (tenant, host) DO UPDATE SET target = excluded.target"
                               " WHERE excluded.target > floors.target",
                               STORE_ARGS(STORE_T(q->tenant), STORE_T(a->host), STORE_I(a->version + 1)),
                               err);
        return r < 0 ? r : vreq_audit(q, c, err);
}

static int body_withdraw(struct vreq *q, struct store_conn *c, struct err *err)
{
        struct verifier_approval *a;
        int r = find_approval(q, c, err);

        if (r <= 0) {
                q->outcome = STORE_NOT_FOUND;
                return r;
        }
        a = &q->set.approvals[0];
        if (a->version == INT64_MAX)
                return err_set(err, ERR_LIMIT, 0, "an approval for ever cannot be withdrawn");
        r = a->withdrawn_at_ms ? 0 : write_withdrawal(q, c, a, err);
        if (!a->withdrawn_at_ms)
                a->withdrawn_at_ms = q->at_ms;
        if (r >= 0)
                r = query_floor(c, q->tenant, a->host, &q->set, err);
        return r < 0 ? r : 0;
}

int verifier_db_withdraw(struct verifier_db *db, const char *tenant, const char *id, int64_t at_ms,
                         const struct audit_entry *audit, verifier_set_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p) struct vreq *q = NULL;

        if (vreq_new(db, STORE_DURABLE, tenant, NULL, body_withdraw, tell_set, ctx, &q, err) < 0 ||
            COPY_TEXTS(err, {id, &q->object}) < 0 || vreq_set_audit(q, audit, err) < 0)
                return -ERR_NOMEM;
        q->at_ms = at_ms;
        q->fn.set = done;
        return vreq_submit(&q);
}

static int body_approvals(struct vreq *q, struct store_conn *c, struct err *err)
{
        const struct store_value limit = STORE_I((int64_t)q->limit),
                                 after = STORE_T(q->words ? q->words : "");
        int r;

        if (q->object) {
                r = find_approval(q, c, err);
                if (r == 0)
                        q->outcome = STORE_NOT_FOUND;
        } else if (q->name) {
                r = store_query(c,
                                APPROVAL " WHERE tenant = $1 AND host = $2 AND id > $3 ORDER BY id LIMIT $4",
                                STORE_ARGS(VREQ_KEY(q), after, limit), read_approval, &q->set, err);
        } else {
                r = store_query(c, APPROVAL " WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3",
                                STORE_ARGS(STORE_T(q->tenant), after, limit), read_approval, &q->set, err);
        }
        return r < 0 ? r : 0;
}

int verifier_db_approvals(struct verifier_db *db, const char *tenant, const char *host, const char *id,
                          const char *after, size_t limit, verifier_set_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p) struct vreq *q = NULL;

        if (vreq_new(db, STORE_READ, tenant, host, body_approvals, tell_set, ctx, &q, err) < 0 ||
            COPY_TEXTS(err, {id, &q->object}, {after, &q->words}) < 0)
                return -ERR_NOMEM;
        q->limit = limit;
        q->fn.set = done;
        return vreq_submit(&q);
}
