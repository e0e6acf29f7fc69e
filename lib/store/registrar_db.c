/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registrar's requests as jobs. A request holds copies of everything it was given, so the caller's memory
 * is free at once; its body runs on a thread of the store and may run again, so it starts by forgetting what
 * an earlier attempt found.
 *
 * The rules that must hold against two requests at the same time (a name belongs to one EK, SR-9) are checked
 * here, inside the transaction that writes.
 */
#include "store/registrar_db.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "store/copy.h"
#include "store/registrar_schema.h"

#define FIND_LIMIT 100

struct registrar_db {
        struct store *store;
        const struct audit_key *audit_key;
};

struct request {
        struct store_job job;
        struct registrar_db *db;
        int (*body)(struct request *q, struct store_conn *c, struct err *err);
        registrar_done_fn done;
        audit_done_fn audit_done;
        registrar_counts_fn counts_done;
        void *ctx;
        /* asked */
        char *tenant, *name;
        size_t limit;
        bool active_only, audited;
        int64_t after_seq;
        struct binding binding;
        struct identity identity;
        struct audit_entry audit;
        /* found */
        enum store_outcome outcome;
        struct registrar_host *hosts;
        size_t n_hosts;
        struct buf text;
        int64_t last_seq;
        struct registrar_counts counts;
};

const char *bound_by_name(enum bound_by by)
{
        static const char *const names[] = {"none", "ek", "serial", "manifest", "tofu"};

        return (size_t)by < ARRAY_LEN(names) ? names[by] : "none";
}

/* ---- memory ---- */

void binding_free(struct binding *b)
{
        free(b->ek_sha256);
        free(b->ek_cert_serial);
        free(b->actor);
        *b = (struct binding){.by = BOUND_NONE};
}

void identity_free(struct identity *id)
{
        buf_free(&id->ek);
        buf_free(&id->ek_cert);
        buf_free(&id->ak);
        free(id->ek_sha256);
        free(id->ek_cert_serial);
        free(id->ek_class);
        free(id->ek_findings);
        free(id->ak_name);
        free(id->ak_cert);
        free(id->mtls_cert);
        free(id->ip);
        *id = (struct identity){.port = 0};
}

void registrar_host_free(struct registrar_host *h)
{
        free(h->tenant);
        free(h->name);
        binding_free(&h->binding);
        identity_free(&h->identity);
        *h = (struct registrar_host){.bound = false};
}

static void hosts_clear(struct request *q)
{
        for (size_t i = 0; i < q->n_hosts; i++)
                registrar_host_free(&q->hosts[i]);
        free(q->hosts);
        q->hosts = NULL;
        q->n_hosts = 0;
}

static void request_free(struct request *q)
{
        if (!q)
                return;
        hosts_clear(q);
        free(q->tenant);
        free(q->name);
        binding_free(&q->binding);
        identity_free(&q->identity);
        audit_entry_free(&q->audit);
        buf_free(&q->text);
        free(q);
}
DEFINE_AUTO(struct request, request_free)

static int binding_dup(const struct binding *from, struct binding *ret, struct err *err)
{
        ret->by = from->by;
        ret->bound_at_ms = from->bound_at_ms;
        return COPY_TEXTS(err, {from->ek_sha256, &ret->ek_sha256},
                          {from->ek_cert_serial, &ret->ek_cert_serial}, {from->actor, &ret->actor});
}

static int identity_dup(const struct identity *from, struct identity *ret, struct err *err)
{
        ret->port = from->port;
        ret->activated_at_ms = from->activated_at_ms;
        if (COPY_TEXTS(err, {from->ek_sha256, &ret->ek_sha256}, {from->ek_cert_serial, &ret->ek_cert_serial},
                       {from->ek_class, &ret->ek_class}, {from->ek_findings, &ret->ek_findings},
                       {from->ak_name, &ret->ak_name}, {from->ak_cert, &ret->ak_cert},
                       {from->mtls_cert, &ret->mtls_cert}, {from->ip, &ret->ip}) < 0 ||
            copy_view(VIEW_BUF(&from->ek), &ret->ek, err) < 0 ||
            copy_view(VIEW_BUF(&from->ek_cert), &ret->ek_cert, err) < 0)
                return -ERR_NOMEM;
        return copy_view(VIEW_BUF(&from->ak), &ret->ak, err);
}

/* ---- reading rows ---- */

#define HOST_COLUMNS                                                                                         \
        "SELECT n.name, b.bound_by, b.ek_sha256, b.ek_cert_serial, b.actor, b.bound_at_ms,"                  \
        " i.ek, i.ek_sha256, i.ek_cert, i.ek_cert_serial, i.ek_class, i.ek_findings, i.ak, i.ak_name,"       \
        " i.ak_cert, i.mtls_cert, i.ip, i.port, i.regcount, i.registered_at_ms, i.activated_at_ms"
#define HOST_JOINS                                                                                           \
        " LEFT JOIN bindings b ON b.tenant = $1 AND b.name = n.name"                                         \
        " LEFT JOIN identities i ON i.tenant = $1 AND i.name = n.name"

static const char sql_get[] = HOST_COLUMNS " FROM (SELECT $2 AS name) n" HOST_JOINS
                                           " WHERE b.name IS NOT NULL OR i.name IS NOT NULL";
static const char sql_find_ek[] =
        HOST_COLUMNS " FROM (SELECT name FROM bindings WHERE tenant = $1 AND ek_sha256 = $2"
                     " UNION SELECT name FROM identities WHERE tenant = $1 AND ek_sha256 = $2) n" HOST_JOINS
                     " ORDER BY n.name LIMIT $3";
static const char sql_list[] =
        HOST_COLUMNS " FROM (SELECT name FROM bindings WHERE tenant = $1 AND name > $2"
                     " UNION SELECT name FROM identities WHERE tenant = $1 AND name > $2) n" HOST_JOINS
                     " ORDER BY n.name LIMIT $3";
static const char sql_list_active[] =
        HOST_COLUMNS " FROM (SELECT name FROM identities WHERE tenant = $1 AND name > $2 ORDER BY name LIMIT "
                     "$3) n" HOST_JOINS " ORDER BY n.name";

static int read_binding(const struct store_row *row, struct binding *b, struct err *err)
{
        b->by = (enum bound_by)store_row_int(row, 1);
        b->bound_at_ms = store_row_int(row, 5);
        if (store_row_text_dup(row, 2, &b->ek_sha256, err) < 0 ||
            store_row_text_dup(row, 3, &b->ek_cert_serial, err) < 0 ||
            store_row_text_dup(row, 4, &b->actor, err) < 0)
                return -ERR_NOMEM;
        return 0;
}

static int read_identity(const struct store_row *row, struct identity *id, struct err *err)
{
        id->port = store_row_int(row, 17);
        id->regcount = store_row_int(row, 18);
        id->registered_at_ms = store_row_int(row, 19);
        id->activated_at_ms = store_row_int(row, 20);
        if (store_row_blob_dup(row, 6, &id->ek, err) < 0 ||
            store_row_text_dup(row, 7, &id->ek_sha256, err) < 0 ||
            store_row_blob_dup(row, 8, &id->ek_cert, err) < 0 ||
            store_row_text_dup(row, 9, &id->ek_cert_serial, err) < 0 ||
            store_row_text_dup(row, 10, &id->ek_class, err) < 0 ||
            store_row_text_dup(row, 11, &id->ek_findings, err) < 0 ||
            store_row_blob_dup(row, 12, &id->ak, err) < 0 ||
            store_row_text_dup(row, 13, &id->ak_name, err) < 0 ||
            store_row_text_dup(row, 14, &id->ak_cert, err) < 0 ||
            store_row_text_dup(row, 15, &id->mtls_cert, err) < 0 ||
            store_row_text_dup(row, 16, &id->ip, err) < 0)
                return -ERR_NOMEM;
        return 0;
}

/* A row function: appends a host to the request. */
static int read_host(const struct store_row *row, void *arg, struct err *err)
{
        struct request *q = arg;
        struct registrar_host *grown = mem_resize(q->hosts, q->n_hosts + 1, sizeof(*grown)), *h;

        if (!grown)
                return err_nomem(err);
        q->hosts = grown;
        h = &grown[q->n_hosts++];
        *h = (struct registrar_host){.bound = !store_row_null(row, 1), .active = !store_row_null(row, 7)};
        if (copy_str(q->tenant, &h->tenant, err) < 0 || store_row_text_dup(row, 0, &h->name, err) < 0)
                return -ERR_NOMEM;
        if (h->bound && read_binding(row, &h->binding, err) < 0)
                return -ERR_NOMEM;
        return h->active ? read_identity(row, &h->identity, err) : 0;
}

/* ---- bodies ---- */

/* Reads the request's host again. Return: 1 if it is there, 0 if not, -kind. */
static int load(struct request *q, struct store_conn *c, struct err *err)
{
        hosts_clear(q);
        return store_query(c, sql_get, STORE_ARGS(STORE_T(q->tenant), STORE_T(q->name)), read_host, q, err);
}

static int audit(struct request *q, struct store_conn *c, struct err *err)
{
        return q->audited ? audit_append(c, q->db->audit_key, &q->audit, err) : 0;
}

static int body_get(struct request *q, struct store_conn *c, struct err *err)
{
        int n = load(q, c, err);

        q->outcome = n > 0 ? STORE_OK : STORE_NOT_FOUND;
        return n < 0 ? n : 0;
}

static int body_find_ek(struct request *q, struct store_conn *c, struct err *err)
{
        int n;

        hosts_clear(q);
        n = store_query(c, sql_find_ek, STORE_ARGS(STORE_T(q->tenant), STORE_T(q->name), STORE_I(FIND_LIMIT)),
                        read_host, q, err);
        q->outcome = n > 0 ? STORE_OK : STORE_NOT_FOUND;
        return n < 0 ? n : 0;
}

static int body_list(struct request *q, struct store_conn *c, struct err *err)
{
        int n;

        hosts_clear(q);
        n = store_query(c, q->active_only ? sql_list_active : sql_list,
                        STORE_ARGS(STORE_T(q->tenant), STORE_T(q->name), STORE_I((int64_t)q->limit)),
                        read_host, q, err);
        return n < 0 ? n : 0;
}

static const char sql_put_binding[] =
        "INSERT INTO bindings (tenant, name, bound_by, ek_sha256, ek_cert_serial, actor, bound_at_ms)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)"
        " ON CONFLICT (tenant, name) DO UPDATE SET bound_by = excluded.bound_by, ek_sha256 = "
        "excluded.ek_sha256,"
        " ek_cert_serial = excluded.ek_cert_serial, actor = excluded.actor, bound_at_ms = "
        "excluded.bound_at_ms";

static int put_binding(struct request *q, struct store_conn *c, const struct binding *b, struct err *err)
{
        return store_exec(c, sql_put_binding,
                          STORE_ARGS(STORE_T(q->tenant), STORE_T(q->name), STORE_I(b->by),
                                     STORE_T(b->ek_sha256), STORE_T(b->ek_cert_serial), STORE_T(b->actor),
                                     STORE_I(b->bound_at_ms)),
                          err);
}

/* Two claims about one thing agree unless both are there and differ. */
static bool agree(const char *a, const char *b)
{
        return !a || !b || str_equal(a, b);
}

static int body_bind(struct request *q, struct store_conn *c, struct err *err)
{
        const struct binding *b = &q->binding;
        int r = load(q, c, err);

        if (r < 0)
                return r;
        if (r > 0) {
                const struct registrar_host *h = &q->hosts[0];

                if ((h->bound && (!agree(h->binding.ek_sha256, b->ek_sha256) ||
                                  !agree(h->binding.ek_cert_serial, b->ek_cert_serial))) ||
                    (h->active &&
                     (!agree(h->identity.ek_sha256, b->ek_sha256) ||
                      (b->ek_cert_serial && !str_equal(h->identity.ek_cert_serial, b->ek_cert_serial))))) {
                        q->outcome = STORE_CONFLICT;
                        return 0;
                }
        }
        r = put_binding(q, c, b, err);
        if (r >= 0)
                r = audit(q, c, err);
        return r < 0 ? r : load(q, c, err);
}

static const char sql_put_identity[] =
        "INSERT INTO identities (tenant, name, ek, ek_sha256, ek_cert, ek_cert_serial, ek_class, "
        "ek_findings, ak,"
        " ak_name, ak_cert, mtls_cert, ip, port, regcount, registered_at_ms, activated_at_ms)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 1, $15, $15)"
        " ON CONFLICT (tenant, name) DO UPDATE SET ek = excluded.ek, ek_cert = excluded.ek_cert,"
        " ek_cert_serial = excluded.ek_cert_serial, ek_class = excluded.ek_class,"
        " ek_findings = excluded.ek_findings, ak = excluded.ak, ak_name = excluded.ak_name,"
        " ak_cert = excluded.ak_cert, mtls_cert = excluded.mtls_cert, ip = excluded.ip, port = excluded.port,"
        " regcount = identities.regcount + 1, activated_at_ms = excluded.activated_at_ms"
        " WHERE identities.ek_sha256 = excluded.ek_sha256";

static int put_identity(struct request *q, struct store_conn *c, struct err *err)
{
        const struct identity *id = &q->identity;
        struct store_value cert = id->ek_cert.len ? STORE_B(VIEW_BUF(&id->ek_cert)) : STORE_N;

        return store_exec(c, sql_put_identity,
                          STORE_ARGS(STORE_T(q->tenant), STORE_T(q->name), STORE_B(VIEW_BUF(&id->ek)),
                                     STORE_T(id->ek_sha256), cert, STORE_T(id->ek_cert_serial),
                                     STORE_T(id->ek_class), STORE_T(id->ek_findings),
                                     STORE_B(VIEW_BUF(&id->ak)), STORE_T(id->ak_name), STORE_T(id->ak_cert),
                                     STORE_T(id->mtls_cert), STORE_T(id->ip), STORE_I(id->port),
                                     STORE_I(id->activated_at_ms)),
                          err);
}

/* SR-9: a name belongs to one EK; whoever proves another one is refused until an admin removes the name. */
static bool may_activate(const struct registrar_host *h, const struct identity *id)
{
        if (h->active && !str_equal(h->identity.ek_sha256, id->ek_sha256))
                return false;
        if (h->bound && !agree(h->binding.ek_sha256, id->ek_sha256))
                return false;
        return !h->bound || !h->binding.ek_cert_serial ||
               str_equal(h->binding.ek_cert_serial, id->ek_cert_serial);
}

static int body_activate(struct request *q, struct store_conn *c, struct err *err)
{
        int r = load(q, c, err);

        if (r < 0)
                return r;
        if (r > 0 && !may_activate(&q->hosts[0], &q->identity)) {
                q->outcome = STORE_CONFLICT;
                return 0;
        }
        if (r > 0 && q->hosts[0].bound && !q->hosts[0].binding.ek_sha256) { /* first use fixes the EK */
                struct binding b = q->hosts[0].binding;

                b.ek_sha256 = q->identity.ek_sha256;
                r = put_binding(q, c, &b, err);
                if (r < 0)
                        return r;
        }
        r = put_identity(q, c, err);
        if (r >= 0)
                r = audit(q, c, err);
        return r < 0 ? r : load(q, c, err);
}

static const char sql_delete_binding[] = "DELETE FROM bindings WHERE tenant = $1 AND name = $2";
static const char sql_delete_identity[] = "DELETE FROM identities WHERE tenant = $1 AND name = $2";

static int body_delete(struct request *q, struct store_conn *c, struct err *err)
{
        int bindings, identities;

        bindings = store_exec(c, sql_delete_binding, STORE_ARGS(STORE_T(q->tenant), STORE_T(q->name)), err);
        if (bindings < 0)
                return bindings;
        identities =
                store_exec(c, sql_delete_identity, STORE_ARGS(STORE_T(q->tenant), STORE_T(q->name)), err);
        if (identities < 0)
                return identities;
        if (bindings + identities == 0) {
                q->outcome = STORE_NOT_FOUND;
                return 0;
        }
        return audit(q, c, err);
}

static int body_audit_export(struct request *q, struct store_conn *c, struct err *err)
{
        buf_reset(&q->text);
        return audit_export(c, q->after_seq, q->limit, &q->text, &q->last_seq, err);
}

static int read_counts(const struct store_row *row, void *arg, struct err *err)
{
        struct registrar_counts *n = arg;

        (void)err;
        *n = (struct registrar_counts){store_row_int(row, 0), store_row_int(row, 1), store_row_int(row, 2)};
        return 0;
}

static int body_counts(struct request *q, struct store_conn *c, struct err *err)
{
        static const char sql[] = "SELECT (SELECT count(*) FROM bindings), (SELECT count(*) FROM identities),"
                                  " (SELECT count(*) FROM bindings WHERE bound_by = 4)";

        return store_query(c, sql, STORE_NO_ARGS, read_counts, &q->counts, err);
}

/* ---- requests ---- */

static int on_work(struct store_job *job, struct store_conn *c, struct err *err)
{
        struct request *q = (struct request *)job;

        q->outcome = STORE_OK;
        return q->body(q, c, err);
}

static void on_done(struct store_job *job, const struct err *err)
{
        AUTO(request_free_p)
        struct request *q = (struct request *)job;

        if (err)
                q->outcome = STORE_FAILED;
        if (q->done)
                q->done(q->ctx, &(struct registrar_result){.outcome = q->outcome,
                                                           .err = err,
                                                           .hosts = err ? NULL : q->hosts,
                                                           .n_hosts = err ? 0 : q->n_hosts});
        if (q->audit_done)
                q->audit_done(q->ctx, q->outcome, VIEW_BUF(&q->text), q->last_seq, err);
        if (q->counts_done)
                q->counts_done(q->ctx, err ? NULL : &q->counts, err);
}

static int request_new(struct registrar_db *db, enum store_class class, const char *tenant, const char *name,
                       int (*body)(struct request *, struct store_conn *, struct err *), struct request **ret,
                       struct err *err)
{
        AUTO(request_free_p)
        struct request *q = mem_zalloc(1, sizeof(*q));

        if (!q)
                return err_nomem(err);
        q->job = (struct store_job){.class = class, .work = on_work, .done = on_done};
        q->db = db;
        q->body = body;
        if (copy_str(tenant ? tenant : "default", &q->tenant, err) < 0 || copy_str(name, &q->name, err) < 0)
                return -ERR_NOMEM;
        *ret = TAKE(q);
        return 0;
}

static int set_audit(struct request *q, const struct audit_entry *entry, struct err *err)
{
        q->audited = entry != NULL;
        return entry ? audit_entry_dup(entry, &q->audit, err) : 0;
}

static int submit(struct request **q, registrar_done_fn done, void *ctx)
{
        struct request *mine = TAKE(*q);

        mine->done = done;
        mine->ctx = ctx;
        store_submit(mine->db->store, &mine->job);
        return 0;
}

int registrar_db_get(struct registrar_db *db, const char *tenant, const char *name, registrar_done_fn done,
                     void *ctx, struct err *err)
{
        AUTO(request_free_p)
        struct request *q = NULL;

        if (request_new(db, STORE_READ, tenant, name, body_get, &q, err) < 0)
                return -ERR_NOMEM;
        return submit(&q, done, ctx);
}

int registrar_db_find_ek(struct registrar_db *db, const char *tenant, const char *ek_sha256,
                         registrar_done_fn done, void *ctx, struct err *err)
{
        AUTO(request_free_p)
        struct request *q = NULL;

        if (request_new(db, STORE_READ, tenant, ek_sha256, body_find_ek, &q, err) < 0)
                return -ERR_NOMEM;
        return submit(&q, done, ctx);
}

int registrar_db_list(struct registrar_db *db, const char *tenant, const char *after, size_t limit,
                      bool active_only, registrar_done_fn done, void *ctx, struct err *err)
{
        AUTO(request_free_p)
        struct request *q = NULL;

        if (request_new(db, STORE_READ, tenant, after ? after : "", body_list, &q, err) < 0)
                return -ERR_NOMEM;
        q->limit = limit;
        q->active_only = active_only;
        return submit(&q, done, ctx);
}

int registrar_db_bind(struct registrar_db *db, const char *tenant, const char *name,
                      const struct binding *binding, const struct audit_entry *entry, registrar_done_fn done,
                      void *ctx, struct err *err)
{
        AUTO(request_free_p)
        struct request *q = NULL;

        if (request_new(db, STORE_DURABLE, tenant, name, body_bind, &q, err) < 0 ||
            binding_dup(binding, &q->binding, err) < 0 || set_audit(q, entry, err) < 0)
                return -ERR_NOMEM;
        return submit(&q, done, ctx);
}

int registrar_db_activate(struct registrar_db *db, const char *tenant, const char *name,
                          const struct identity *identity, const struct audit_entry *entry,
                          registrar_done_fn done, void *ctx, struct err *err)
{
        AUTO(request_free_p)
        struct request *q = NULL;

        if (request_new(db, STORE_DURABLE, tenant, name, body_activate, &q, err) < 0 ||
            identity_dup(identity, &q->identity, err) < 0 || set_audit(q, entry, err) < 0)
                return -ERR_NOMEM;
        return submit(&q, done, ctx);
}

int registrar_db_delete(struct registrar_db *db, const char *tenant, const char *name,
                        const struct audit_entry *entry, registrar_done_fn done, void *ctx, struct err *err)
{
        AUTO(request_free_p)
        struct request *q = NULL;

        if (request_new(db, STORE_DURABLE, tenant, name, body_delete, &q, err) < 0 ||
            set_audit(q, entry, err) < 0)
                return -ERR_NOMEM;
        return submit(&q, done, ctx);
}

int registrar_db_audit(struct registrar_db *db, const struct audit_entry *entry, registrar_done_fn done,
                       void *ctx, struct err *err)
{
        AUTO(request_free_p)
        struct request *q = NULL;

        if (request_new(db, STORE_DURABLE, entry->tenant, NULL, audit, &q, err) < 0 ||
            set_audit(q, entry, err) < 0)
                return -ERR_NOMEM;
        return submit(&q, done, ctx);
}

int registrar_db_audit_export(struct registrar_db *db, int64_t after_seq, size_t limit, audit_done_fn done,
                              void *ctx, struct err *err)
{
        AUTO(request_free_p)
        struct request *q = NULL;

        if (request_new(db, STORE_READ, NULL, NULL, body_audit_export, &q, err) < 0)
                return -ERR_NOMEM;
        q->after_seq = after_seq;
        q->limit = limit;
        q->audit_done = done;
        return submit(&q, NULL, ctx);
}

int registrar_db_counts(struct registrar_db *db, registrar_counts_fn done, void *ctx, struct err *err)
{
        AUTO(request_free_p)
        struct request *q = NULL;

        if (request_new(db, STORE_READ, NULL, NULL, body_counts, &q, err) < 0)
                return -ERR_NOMEM;
        q->counts_done = done;
        return submit(&q, NULL, ctx);
}

int registrar_db_open(const char *url, store_post_fn post, void *post_ctx, const struct audit_key *audit_key,
                      struct registrar_db **ret_db, struct err *err)
{
        AUTO(mem_free_p)
        struct registrar_db *db = mem_zalloc(1, sizeof(*db));
        int r;

        if (!db)
                return err_nomem(err);
        db->audit_key = audit_key;
        r = store_open(url, &registrar_schema, post, post_ctx, &db->store, err);
        if (r < 0)
                return r;
        *ret_db = TAKE(db);
        return 0;
}

void registrar_db_close(struct registrar_db *db)
{
        if (db)
                store_close(db->store);
        free(db);
}

struct store *registrar_db_store(struct registrar_db *db)
{
        return db->store;
}
