/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies in the verifier's database, of hosts and of modules. A version is never changed, but for the end
 * of its overlap, which can only come nearer. Which versions hold at a given time is a question of until_ms
 * alone; the newest has none.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/str.h"
#include "store/verifier_request.h"

#define POLICY_HEAD                                                                                          \
        "SELECT tenant, name, version, sha256, source, actor, created_at_ms, until_ms, signatures, "         \
        "signed_by"

/* The same for each kind, in its own table. */
#define KINDS(before, after)                                                                                 \
        {                                                                                                    \
                [STORED_POLICY] = before "policies" after, [STORED_MODULES] = before "module_policies" after \
        }

const char verifier_policies_migration[] = "ALTER TABLE policies ADD COLUMN signatures TEXT;"
                                           "ALTER TABLE policies ADD COLUMN signed_by TEXT";

static const char *const sql_newest[] =
        KINDS(POLICY_HEAD ", NULL FROM ", " WHERE tenant = $1 AND name = $2 ORDER BY version DESC LIMIT 1");

static int read_policy(const struct store_row *row, void *arg, struct err *err)
{
        struct vreq *q = arg;
        struct stored_policy *grown = mem_resize(q->policies, q->n_found + 1, sizeof(*grown)), *p;

        if (!grown)
                return err_nomem(err);
        q->policies = grown;
        p = &grown[q->n_found++];
        *p = (struct stored_policy){.version = store_row_int(row, 2),
                                    .created_at_ms = store_row_int(row, 6),
                                    .until_ms = store_row_int(row, 7)};
        if (store_row_text_dup(row, 0, &p->tenant, err) < 0 ||
            store_row_text_dup(row, 1, &p->name, err) < 0 ||
            store_row_text_dup(row, 3, &p->sha256, err) < 0 ||
            store_row_text_dup(row, 4, &p->source, err) < 0 ||
            store_row_text_dup(row, 5, &p->actor, err) < 0 ||
            store_row_text_dup(row, 8, &p->signatures, err) < 0 ||
            store_row_text_dup(row, 9, &p->signed_by, err) < 0 ||
            store_row_blob_dup(row, 10, &p->text, err) < 0)
                return -ERR_NOMEM;
        return 0;
}

static int body_push(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char *const sql_overlap[] =
                KINDS("UPDATE ", " SET until_ms = $3 WHERE tenant = $1 AND name = $2 AND until_ms > $3");
        static const char *const sql_add[] = KINDS(
                "INSERT INTO ", " (tenant, name, version, content, sha256, source, actor, created_at_ms,"
                                " until_ms, signatures, signed_by)"
                                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)");
        const struct stored_policy *p = &q->policy;
        int64_t version = 1;
        int r = store_query(c, sql_newest[q->kind], STORE_ARGS(VREQ_KEY(q)), read_policy, q, err);

        if (r < 0)
                return r;
        if (r > 0 && str_equal(q->policies[0].sha256, p->sha256) &&
            (!p->signatures || str_equal(q->policies[0].signatures, p->signatures)))
                return 0;
        if (r > 0)
                version = q->policies[0].version + 1;
        r = store_exec(c, sql_overlap[q->kind], STORE_ARGS(VREQ_KEY(q), STORE_I(q->at_ms)), err);
        if (r >= 0)
                r = store_exec(c, sql_add[q->kind],
                               STORE_ARGS(VREQ_KEY(q), STORE_I(version), STORE_B(VIEW_BUF(&p->text)),
                                          STORE_T(p->sha256), STORE_T(p->source), STORE_T(p->actor),
                                          STORE_I(p->created_at_ms), STORE_I(INT64_MAX),
                                          STORE_T(p->signatures), STORE_T(p->signed_by)),
                               err);
        if (r >= 0)
                r = vreq_audit(q, c, err);
        if (r < 0)
                return r;
        vreq_clear(q);
        r = store_query(c, sql_newest[q->kind], STORE_ARGS(VREQ_KEY(q)), read_policy, q, err);
        return r < 0 ? r : 0;
}

static int body_in_force(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char *const sql_all[] = KINDS(
                POLICY_HEAD ", content FROM ", " WHERE until_ms > $1 ORDER BY tenant, name, version DESC");
        static const char *const sql_one[] =
                KINDS(POLICY_HEAD ", content FROM ",
                      " WHERE tenant = $1 AND name = $2 AND until_ms > $3 ORDER BY version DESC");
        int n;

        if (q->name)
                n = store_query(c, sql_one[q->kind], STORE_ARGS(VREQ_KEY(q), STORE_I(q->at_ms)), read_policy,
                                q, err);
        else
                n = store_query(c, sql_all[q->kind], STORE_ARGS(STORE_I(q->at_ms)), read_policy, q, err);
        if (n == 0 && q->name)
                q->outcome = STORE_NOT_FOUND;
        return n < 0 ? n : 0;
}

static int body_versions(struct vreq *q, struct store_conn *c, struct err *err)
{
        /* the newest of each: none of its name comes after it */
        static const char *const sql_all[] =
                KINDS(POLICY_HEAD ", NULL FROM ",
                      " WHERE tenant = $1 AND until_ms = 9223372036854775807 ORDER BY name");
        static const char *const sql_one[] =
                KINDS(POLICY_HEAD ", NULL FROM ", " WHERE tenant = $1 AND name = $2 ORDER BY version DESC");
        int n;

        if (q->name)
                n = store_query(c, sql_one[q->kind], STORE_ARGS(VREQ_KEY(q)), read_policy, q, err);
        else
                n = store_query(c, sql_all[q->kind], STORE_ARGS(STORE_T(q->tenant)), read_policy, q, err);
        if (n == 0 && q->name)
                q->outcome = STORE_NOT_FOUND;
        return n < 0 ? n : 0;
}

static int body_policy_get(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char *const sql_version[] =
                KINDS(POLICY_HEAD ", content FROM ", " WHERE tenant = $1 AND name = $2 AND version = $3");
        static const char *const sql_newest_text[] =
                KINDS(POLICY_HEAD ", content FROM ",
                      " WHERE tenant = $1 AND name = $2 ORDER BY version DESC LIMIT 1");
        int n;

        if (q->n)
                n = store_query(c, sql_version[q->kind], STORE_ARGS(VREQ_KEY(q), STORE_I(q->n)), read_policy,
                                q, err);
        else
                n = store_query(c, sql_newest_text[q->kind], STORE_ARGS(VREQ_KEY(q)), read_policy, q, err);
        if (n == 0)
                q->outcome = STORE_NOT_FOUND;
        return n < 0 ? n : 0;
}

static int body_remove(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char sql_used[] = "SELECT 1 FROM hosts WHERE tenant = $1 AND policy = $2 LIMIT 1";
        static const char *const sql_delete[] = KINDS("DELETE FROM ", " WHERE tenant = $1 AND name = $2");
        int r = q->kind == STORED_POLICY ? vreq_any(c, sql_used, STORE_ARGS(VREQ_KEY(q)), err) : 0;

        if (r != 0) {
                q->outcome = STORE_CONFLICT;
                return r < 0 ? r : 0;
        }
        r = store_exec(c, sql_delete[q->kind], STORE_ARGS(VREQ_KEY(q)), err);
        if (r == 0)
                q->outcome = STORE_NOT_FOUND;
        return r > 0 ? vreq_audit(q, c, err) : r;
}

/* ---- the calls ---- */

static void tell_policies(struct vreq *q, const struct err *err)
{
        q->fn.policies(q->ctx, q->outcome, q->policies, q->n_found, err);
}

int verifier_db_policy_push(struct verifier_db *db, enum stored_kind kind, const struct stored_policy *policy,
                            int64_t overlap_until_ms, const struct audit_entry *audit,
                            verifier_policies_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;
        struct stored_policy *p;

        if (vreq_new(db, STORE_DURABLE, policy->tenant, policy->name, body_push, tell_policies, ctx, &q,
                     err) < 0 ||
            vreq_set_audit(q, audit, err) < 0)
                return -ERR_NOMEM;
        q->kind = kind;
        p = &q->policy;
        if (COPY_TEXTS(err, {policy->sha256, &p->sha256}, {policy->source, &p->source},
                       {policy->actor, &p->actor}, {policy->signatures, &p->signatures},
                       {policy->signed_by, &p->signed_by}) < 0 ||
            copy_view(VIEW_BUF(&policy->text), &p->text, err) < 0)
                return -ERR_NOMEM;
        p->created_at_ms = policy->created_at_ms;
        q->at_ms = overlap_until_ms;
        q->fn.policies = done;
        return vreq_submit(&q);
}

static int read_policies(struct verifier_db *db, enum stored_kind kind, const char *tenant, const char *name,
                         int64_t number, int (*body)(struct vreq *q, struct store_conn *c, struct err *err),
                         verifier_policies_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;

        if (vreq_new(db, STORE_READ, tenant, name, body, tell_policies, ctx, &q, err) < 0)
                return -ERR_NOMEM;
        q->kind = kind;
        q->n = q->at_ms = number;
        q->fn.policies = done;
        return vreq_submit(&q);
}

int verifier_db_policies_in_force(struct verifier_db *db, enum stored_kind kind, const char *tenant,
                                  const char *name, int64_t now_ms, verifier_policies_fn done, void *ctx,
                                  struct err *err)
{
        return read_policies(db, kind, tenant, name, now_ms, body_in_force, done, ctx, err);
}

int verifier_db_policy_versions(struct verifier_db *db, enum stored_kind kind, const char *tenant,
                                const char *name, verifier_policies_fn done, void *ctx, struct err *err)
{
        return read_policies(db, kind, tenant, name, 0, body_versions, done, ctx, err);
}

int verifier_db_policy_get(struct verifier_db *db, enum stored_kind kind, const char *tenant,
                           const char *name, int64_t version, verifier_policies_fn done, void *ctx,
                           struct err *err)
{
        return read_policies(db, kind, tenant, name, version, body_policy_get, done, ctx, err);
}

int verifier_db_policy_remove(struct verifier_db *db, enum stored_kind kind, const char *tenant,
                              const char *name, const struct audit_entry *audit, verifier_done_fn done,
                              void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;

        if (vreq_new(db, STORE_DURABLE, tenant, name, body_remove, vreq_tell_done, ctx, &q, err) < 0 ||
            vreq_set_audit(q, audit, err) < 0)
                return -ERR_NOMEM;
        q->kind = kind;
        q->fn.done = done;
        return vreq_submit(&q);
}
