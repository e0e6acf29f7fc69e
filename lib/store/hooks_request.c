/* SPDX-License-Identifier: Apache-2.0 */
/* What requests about hooks are made of: their memory, and the way to the store and back. */
#include "store/hooks_request.h"

#include <stdlib.h>

/* ---- memory ---- */

void hook_done(struct hook *h)
{
        char *const texts[] = {h->name,
                               h->tenant,
                               h->url,
                               h->ca_pem,
                               h->cert_pem,
                               h->key_pem,
                               h->secret,
                               h->old_secret,
                               h->program,
                               h->filter.hosts,
                               h->filter.labels,
                               h->filter.policies,
                               h->actor,
                               h->filter.severities,
                               h->filter.reactions};

        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
                free(texts[i]);
        *h = (struct hook){.name = NULL};
}

int hook_dup(const struct hook *from, struct hook *ret, struct err *err)
{
        const struct hook_filter *f = &from->filter;
        struct hook h = *from;

        h.name = h.tenant = h.url = h.ca_pem = h.cert_pem = h.key_pem = h.secret = h.old_secret = h.program =
                h.actor = NULL;
        h.filter = (struct hook_filter){.hosts = NULL};
        if (COPY_TEXTS(err, {from->name, &h.name}, {from->tenant, &h.tenant}, {from->url, &h.url},
                       {from->ca_pem, &h.ca_pem}, {from->cert_pem, &h.cert_pem}, {from->key_pem, &h.key_pem},
                       {from->secret, &h.secret}, {from->old_secret, &h.old_secret},
                       {from->program, &h.program}, {from->actor, &h.actor}, {f->hosts, &h.filter.hosts},
                       {f->labels, &h.filter.labels}, {f->policies, &h.filter.policies},
                       {f->severities, &h.filter.severities}, {f->reactions, &h.filter.reactions}) < 0) {
                hook_done(&h);
                return -ERR_NOMEM;
        }
        *ret = h;
        return 0;
}

void received_done(struct received *r)
{
        char *const texts[] = {r->id,      r->tenant, r->host,  r->reaction, r->severity, r->policy,
                               r->payload, r->jws,    r->nonce, r->labels,   r->proof};

        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
                free(texts[i]);
        *r = (struct received){.n = 0};
}

static void row_done(struct outbox_row *r)
{
        char *const texts[] = {r->hook, r->id, r->host, r->error, r->payload, r->jws, r->nonce};

        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
                free(texts[i]);
}

void hooks_request_clear(struct hooks_request *q)
{
        for (size_t i = 0; i < q->n_hooks; i++)
                hook_done(&q->hooks[i]);
        for (size_t i = 0; i < q->n_list; i++)
                received_done(&q->list[i]);
        for (size_t i = 0; i < q->n_rows; i++)
                row_done(&q->rows[i]);
        free(q->hooks);
        free(q->list);
        free(q->rows);
        q->hooks = NULL;
        q->list = NULL;
        q->rows = NULL;
        q->n_hooks = q->n_list = q->n_rows = 0;
}

void hooks_request_free(struct hooks_request *q)
{
        if (!q)
                return;
        hooks_request_clear(q);
        for (size_t i = 0; i < q->n_in; i++)
                hook_done(&q->in[i]);
        free(q->in);
        received_done(&q->rec);
        audit_entry_free(&q->audit);
        free(q->tenant);
        free(q->name);
        free(q->text);
        free(q);
}

/* ---- the way ---- */

static int on_work(struct store_job *job, struct store_conn *c, struct err *err)
{
        struct hooks_request *q = (struct hooks_request *)job;

        hooks_request_clear(q);
        q->outcome = STORE_OK;
        return q->body(q, c, err);
}

static void on_done(struct store_job *job, const struct err *err)
{
        AUTO(hooks_request_free_p) struct hooks_request *q = (struct hooks_request *)job;

        if (err) {
                q->outcome = STORE_FAILED;
                hooks_request_clear(q);
        }
        if (q->hooks_done)
                q->hooks_done(q->ctx, &(struct hooks_result){q->outcome, err, q->hooks, q->n_hooks});
        if (q->received_done)
                q->received_done(q->ctx, &(struct received_result){q->outcome, err, q->list, q->n_list});
        if (q->outbox_done)
                q->outbox_done(q->ctx, &(struct outbox_result){q->outcome, err, q->rows,
                                                               q->rows ? q->n_rows : (size_t)q->n_changed,
                                                               q->due_ms});
        if (q->counts_done)
                q->counts_done(q->ctx, err ? NULL : &q->counts, err);
        if (q->pruned_done)
                q->pruned_done(q->ctx, err ? 0 : (size_t)q->n_changed, err ? 0 : q->due_ms, err);
}

int hooks_request_new(struct hooks_db *db, enum store_class class, hooks_body body, const char *tenant,
                      const char *name, const struct audit_entry *audit, struct hooks_request **ret,
                      struct err *err)
{
        AUTO(hooks_request_free_p) struct hooks_request *q = mem_zalloc(1, sizeof(*q));

        if (!q)
                return err_nomem(err);
        q->job = (struct store_job){.class = class, .work = on_work, .done = on_done};
        q->db = db;
        q->body = body;
        if (copy_str(tenant, &q->tenant, err) < 0 || copy_str(name, &q->name, err) < 0 ||
            (audit && audit_entry_dup(audit, &q->audit, err) < 0))
                return -ERR_NOMEM;
        q->audited = audit != NULL;
        *ret = TAKE(q);
        return 0;
}

int hooks_request_submit(struct hooks_request **q, void *ctx)
{
        struct hooks_request *mine = TAKE(*q);

        mine->ctx = ctx;
        store_submit(mine->db->store, &mine->job);
        return 0;
}

int hooks_request_audit(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        return q->audited ? audit_append(c, q->db->audit_key, &q->audit, err) : 0;
}

int hooks_db_new(struct store *store, const struct audit_key *audit_key, struct hooks_db **ret,
                 struct err *err)
{
        struct hooks_db *db = mem_zalloc(1, sizeof(*db));

        if (!db)
                return err_nomem(err);
        *db = (struct hooks_db){store, audit_key};
        *ret = db;
        return 0;
}

void hooks_db_free(struct hooks_db *db)
{
        free(db);
}
