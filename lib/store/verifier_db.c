/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier's database: opening, its id, and what all requests share. The requests themselves are in
 * verifier_hosts.c, verifier_history.c and verifier_policies.c.
 */
#include "store/verifier_db.h"

#include <stdlib.h>
#include <string.h>

#include "base/uuid.h"
#include "store/verifier_request.h"

void enrolment_free(struct enrolment *e)
{
        free(e->tenant);
        free(e->name);
        free(e->policy);
        free(e->tpm_policy);
        free(e->keylime_record);
        free(e->labels);
        buf_free(&e->ak);
        free(e->ak_certificate);
        free(e->ek_sha256);
        free(e->ek_class);
        free(e->ek_findings);
        free(e->bound_by);
        free(e->actor);
        *e = (struct enrolment){.keylime = false};
}

void host_state_free(struct host_state *s)
{
        free(s->verdict_json);
        free(s->policy);
        free(s->policy_sha256);
        free(s->continuation);
        host_trust_free(&s->trust);
        buf_free(&s->counters.key);
        *s = (struct host_state){.judged = false};
}

void verifier_host_free(struct verifier_host *h)
{
        enrolment_free(&h->enrolment);
        host_state_free(&h->state);
}

void stored_policy_free(struct stored_policy *p)
{
        free(p->tenant);
        free(p->name);
        buf_free(&p->text);
        free(p->sha256);
        free(p->source);
        free(p->actor);
        free(p->signatures);
        free(p->signed_by);
        *p = (struct stored_policy){.version = 0};
}

/* ---- requests ---- */

void vreq_clear(struct vreq *q)
{
        for (size_t i = 0; i < q->n_found; i++) {
                if (q->hosts)
                        verifier_host_free(&q->hosts[i]);
                if (q->policies)
                        stored_policy_free(&q->policies[i]);
                if (q->holds)
                        hold_free(&q->holds[i]);
                if (q->sent)
                        sent_revocation_free(&q->sent[i]);
                if (q->rows) {
                        free(q->rows[i].verdict_json);
                        free(q->rows[i].policy);
                }
        }
        free(q->hosts);
        free(q->policies);
        free(q->rows);
        free(q->holds);
        free(q->sent);
        vreq_set_clear(&q->set);
        vreq_result_keys_clear(&q->result_keys);
        vreq_workloads_clear(&q->workloads);
        vreq_permits_clear(&q->permits);
        vreq_receipts_clear(&q->receipts);
        q->hosts = NULL;
        q->policies = NULL;
        q->rows = NULL;
        q->holds = NULL;
        q->sent = NULL;
        q->n_found = 0;
        buf_reset(&q->text);
        for (size_t i = 0; i < KEPT_N_LOGS; i++)
                buf_reset(&q->found_logs[i]);
}

static void record_free(struct evidence_record *r)
{
        if (!r)
                return;
        host_state_free(&r->state);
        buf_free(&r->bundle);
        free(r->marks);
        free(r);
}

void vreq_free(struct vreq *q)
{
        if (!q)
                return;
        vreq_clear(q);
        free(q->tenant);
        free(q->name);
        enrolment_free(&q->enrolment);
        record_free(q->record);
        for (size_t i = 0; i < KEPT_N_LOGS; i++)
                buf_free(&q->logs[i]);
        stored_policy_free(&q->policy);
        trust_change_free(&q->trust);
        hold_free(&q->hold);
        free(q->words);
        for (size_t i = 0; i < q->n_given; i++)
                sent_revocation_free(&q->given[i]);
        free(q->given);
        free(q->object);
        buf_free(&q->given_bytes);
        vreq_receipts_clear(&q->given_receipts);
        audit_entry_free(&q->audit);
        buf_free(&q->text);
        for (size_t i = 0; i < KEPT_N_LOGS; i++)
                buf_free(&q->found_logs[i]);
        free(q);
}

static int on_work(struct store_job *job, struct store_conn *c, struct err *err)
{
        struct vreq *q = (struct vreq *)job;

        vreq_clear(q);
        q->outcome = STORE_OK;
        return q->body(q, c, err);
}

static void on_done(struct store_job *job, const struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = (struct vreq *)job;

        if (err) {
                vreq_clear(q);
                q->outcome = STORE_FAILED;
        }
        q->tell(q, err);
}

void vreq_tell_done(struct vreq *q, const struct err *err)
{
        if (q->fn.done)
                q->fn.done(q->ctx, q->outcome, err);
}

int vreq_new(struct verifier_db *db, enum store_class class, const char *tenant, const char *name,
             int (*body)(struct vreq *q, struct store_conn *c, struct err *err),
             void (*tell)(struct vreq *q, const struct err *err), void *ctx, struct vreq **ret,
             struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = mem_zalloc(1, sizeof(*q));

        if (!q)
                return err_nomem(err);
        q->job = (struct store_job){.class = class, .work = on_work, .done = on_done};
        q->db = db;
        q->body = body;
        q->tell = tell;
        q->ctx = ctx;
        if (copy_str(tenant ? tenant : "default", &q->tenant, err) < 0 || copy_str(name, &q->name, err) < 0)
                return -ERR_NOMEM;
        *ret = TAKE(q);
        return 0;
}

int vreq_set_audit(struct vreq *q, const struct audit_entry *entry, struct err *err)
{
        q->audited = entry && entry->action;
        return q->audited ? audit_entry_dup(entry, &q->audit, err) : 0;
}

int vreq_submit(struct vreq **q)
{
        struct vreq *mine = TAKE(*q);

        store_submit(mine->db->store, &mine->job);
        return 0;
}

static int stop_at_row(const struct store_row *row, void *arg, struct err *err)
{
        (void)row;
        (void)arg;
        (void)err;
        return 1;
}

int vreq_any(struct store_conn *c, const char *sql, const struct store_value *args, size_t n_args,
             struct err *err)
{
        return store_query(c, sql, args, n_args, stop_at_row, NULL, err);
}

int vreq_audit(struct vreq *q, struct store_conn *c, struct err *err)
{
        return q->audited ? audit_append(c, q->db->audit_key, &q->audit, err) : 0;
}

/* ---- audit ---- */

int verifier_db_audit(struct verifier_db *db, const struct audit_entry *entry, verifier_done_fn done,
                      void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;

        if (vreq_new(db, STORE_DURABLE, entry->tenant, NULL, vreq_audit, vreq_tell_done, ctx, &q, err) < 0 ||
            vreq_set_audit(q, entry, err) < 0)
                return -ERR_NOMEM;
        q->fn.done = done;
        return vreq_submit(&q);
}

static int body_audit_export(struct vreq *q, struct store_conn *c, struct err *err)
{
        return audit_export(c, q->n, q->limit, &q->text, &q->last, err);
}

static void tell_audit(struct vreq *q, const struct err *err)
{
        q->fn.audit(q->ctx, q->outcome, VIEW_BUF(&q->text), q->last, err);
}

int verifier_db_audit_export(struct verifier_db *db, int64_t after_seq, size_t limit, verifier_audit_fn done,
                             void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;

        if (vreq_new(db, STORE_READ, NULL, NULL, body_audit_export, tell_audit, ctx, &q, err) < 0)
                return -ERR_NOMEM;
        q->n = after_seq;
        q->limit = limit;
        q->fn.audit = done;
        return vreq_submit(&q);
}

/* ---- opening ---- */

static int read_id(const struct store_row *row, void *arg, struct err *err)
{
        struct verifier_db *db = arg;
        const char *id = store_row_text(row, 0);

        if (!id || strlen(id) != VERIFIER_ID_CHARS)
                return err_set(err, ERR_FORMAT, 0, "the verifier's id in its database is no UUID");
        memcpy(db->id, id, sizeof(db->id));
        return 0;
}

/* The id that is part of what every native host signs (SR-13): made once, kept for ever. */
static int load_id(struct store_conn *c, void *arg, struct err *err)
{
        struct verifier_db *db = arg;
        char fresh[UUID_TEXT_BYTES];
        int n = store_query(c, "SELECT value FROM meta WHERE name = 'verifier_id'", STORE_NO_ARGS, read_id,
                            db, err);

        if (n != 0)
                return n < 0 ? n : 0;
        n = uuid_random(fresh, err);
        if (n < 0)
                return n;
        memcpy(db->id, fresh, sizeof(db->id));
        return store_exec(c, "INSERT INTO meta (name, value) VALUES ('verifier_id', $1)",
                          STORE_ARGS(STORE_T(db->id)), err);
}

int verifier_db_open(const char *url, store_post_fn post, void *post_ctx, const struct audit_key *audit_key,
                     struct verifier_db **ret_db, struct err *err)
{
        AUTO(verifier_db_close_p)
        struct verifier_db *db = mem_zalloc(1, sizeof(*db));
        int r;

        if (!db)
                return err_nomem(err);
        db->audit_key = audit_key;
        r = store_open(url, &verifier_schema, post, post_ctx, &db->store, err);
        if (r >= 0)
                r = store_call(db->store, STORE_DURABLE, load_id, db, err);
        if (r < 0)
                return r;
        *ret_db = TAKE(db);
        return 0;
}

void verifier_db_close(struct verifier_db *db)
{
        if (db)
                store_close(db->store);
        free(db);
}

const char *verifier_db_id(const struct verifier_db *db)
{
        return db->id;
}

int64_t verifier_db_seq_floor(const struct verifier_db *db)
{
        return db->seq_floor;
}

struct store *verifier_db_store(struct verifier_db *db)
{
        return db->store;
}
