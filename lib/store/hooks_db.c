/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks: who wants to hear of revocations, and which ones. Two sources: administrators (webhooks, through the
 * API) and the registrar's configuration (programs, the journal), which alone may name programs (SR-8). A
 * filter is an AND of lists; a revocation that does not say what a filter asks for does not pass it.
 */
#include "store/hooks_db.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "store/hooks_request.h"

#define FILTER_BYTES_MAX (64u * 1024)

const char *hook_kind_name(enum hook_kind kind)
{
        static const char *const names[] = {"webhook", "exec", "journal", "agent"};

        return (size_t)kind < ARRAY_LEN(names) ? names[kind] : "?";
}

/* ---- filters ---- */

/* Return: 1 if LIST (JSON text of an array; NULL: anything) holds VALUE, 0 if not; -kind. */
static int list_has(const char *list, const char *value, struct err *err)
{
        AUTO(json_free_p) json_t *j = NULL;

        if (!list)
                return 1;
        if (json_parse(view_str(list), FILTER_BYTES_MAX, &j, err) < 0)
                return err_wrap(err, "a hook's filter");
        for (size_t i = 0; value && i < json_array_size(j); i++)
                if (str_equal(json_string_value(json_array_get(j, i)), value))
                        return 1;
        return 0;
}

/* Return: 1 if every label of WANTED is among HAVE (JSON texts of objects), 0 if not; -kind. */
static int labels_fit(const char *wanted, const char *have, struct err *err)
{
        AUTO(json_free_p) json_t *want = NULL, *is = NULL;
        const char *name;
        json_t *value;

        if (!wanted)
                return 1;
        if (json_parse(view_str(wanted), FILTER_BYTES_MAX, &want, err) < 0 ||
            json_parse(view_str(have ? have : "{}"), FILTER_BYTES_MAX, &is, err) < 0)
                return err_wrap(err, "labels");
        json_object_foreach (want, name, value) {
                if (!json_equal(json_object_get(is, name), value))
                        return 0;
        }
        return 1;
}

int hook_wants(const struct hook *h, const struct received *r, struct err *err)
{
        const struct hook_filter *f = &h->filter;
        int x = str_equal(h->tenant, r->tenant);

        if (x > 0)
                x = list_has(f->hosts, r->host, err);
        if (x > 0)
                x = list_has(f->policies, r->policy, err);
        if (x > 0)
                x = list_has(f->severities, r->severity, err);
        if (x > 0)
                x = list_has(f->reactions, r->reaction, err);
        return x > 0 ? labels_fit(f->labels, r->labels, err) : x;
}

/* ---- reading ---- */

#define HOOK_COLUMNS                                                                                         \
        "SELECT h.name, h.tenant, h.kind, h.configured, h.paused, h.url, h.ca_pem, h.cert_pem, h.key_pem,"   \
        " h.secret, h.old_secret, h.program, h.timeout_ms, h.f_hosts, h.f_labels, h.f_policies,"             \
        " h.f_severities, h.f_reactions, h.actor, h.created_at_ms,"
#define HOOK_WHICH                                                                                           \
        " FROM hooks h WHERE ($1 IS NULL OR h.tenant = $1) AND ($2 IS NULL OR h.name = $2) ORDER BY h.name"

static const char sql_hooks[] = HOOK_COLUMNS " 0, 0, 0, 0, 0" HOOK_WHICH;
static const char sql_counted[] =
        HOOK_COLUMNS " (SELECT count(*) FROM outbox o WHERE o.hook = h.name AND o.state IN (0, 1)),"
                     " (SELECT count(*) FROM outbox o WHERE o.hook = h.name AND o.state = 3),"
                     " (SELECT count(*) FROM outbox o WHERE o.hook = h.name AND o.state = 2),"
                     " (SELECT max(o.delivered_at_ms) FROM outbox o WHERE o.hook = h.name AND o.state = 2),"
                     " (SELECT count(*) FROM outbox o WHERE o.hook = h.name AND o.state = 4)" HOOK_WHICH;

static int read_hook(const struct store_row *row, void *arg, struct err *err)
{
        struct hooks_request *q = arg;
        struct hook *grown = mem_resize(q->hooks, q->n_hooks + 1, sizeof(*grown)), *h;

        if (!grown)
                return err_nomem(err);
        q->hooks = grown;
        h = &grown[q->n_hooks++];
        *h = (struct hook){.kind = (enum hook_kind)store_row_int(row, 2),
                           .configured = store_row_int(row, 3) != 0,
                           .paused = store_row_int(row, 4) != 0,
                           .timeout_ms = store_row_int(row, 12),
                           .created_at_ms = store_row_int(row, 19),
                           .n_pending = store_row_int(row, 20),
                           .n_parked = store_row_int(row, 21),
                           .n_delivered = store_row_int(row, 22),
                           .delivered_at_ms = store_row_int(row, 23),
                           .n_skipped = store_row_int(row, 24)};
        return COPY_TEXTS(
                err, {store_row_text(row, 0), &h->name}, {store_row_text(row, 1), &h->tenant},
                {store_row_text(row, 5), &h->url}, {store_row_text(row, 6), &h->ca_pem},
                {store_row_text(row, 7), &h->cert_pem}, {store_row_text(row, 8), &h->key_pem},
                {store_row_text(row, 9), &h->secret}, {store_row_text(row, 10), &h->old_secret},
                {store_row_text(row, 11), &h->program}, {store_row_text(row, 13), &h->filter.hosts},
                {store_row_text(row, 14), &h->filter.labels}, {store_row_text(row, 15), &h->filter.policies},
                {store_row_text(row, 16), &h->filter.severities},
                {store_row_text(row, 17), &h->filter.reactions}, {store_row_text(row, 18), &h->actor});
}

int hooks_load(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        hooks_request_clear(q);
        return store_query(c, sql_hooks, STORE_ARGS(STORE_T(q->tenant), STORE_T(q->name)), read_hook, q, err);
}

/* The same with the numbers of its outbox, which take as long as there are rows: for those who look at it. */
static int load_counted(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        hooks_request_clear(q);
        return store_query(c, sql_counted, STORE_ARGS(STORE_T(q->tenant), STORE_T(q->name)), read_hook, q,
                           err);
}

static int body_list(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        int n = load_counted(q, c, err);

        if (n == 0 && q->name)
                q->outcome = STORE_NOT_FOUND;
        return n < 0 ? n : 0;
}

/* ---- changing ---- */

static const char sql_insert[] =
        "INSERT INTO hooks (name, tenant, kind, configured, paused, url, ca_pem, cert_pem, key_pem, secret,"
        " old_secret, program, timeout_ms, f_hosts, f_labels, f_policies, f_severities, f_reactions, actor,"
        " created_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,"
        " $18, $19, $20)";

static int insert(struct store_conn *c, const struct hook *h, struct err *err)
{
        const struct hook_filter *f = &h->filter;

        return store_exec(c, sql_insert,
                          STORE_ARGS(STORE_T(h->name), STORE_T(h->tenant), STORE_I(h->kind),
                                     STORE_I(h->configured), STORE_I(h->paused), STORE_T(h->url),
                                     STORE_T(h->ca_pem), STORE_T(h->cert_pem), STORE_T(h->key_pem),
                                     STORE_T(h->secret), STORE_T(h->old_secret), STORE_T(h->program),
                                     STORE_I(h->timeout_ms), STORE_T(f->hosts), STORE_T(f->labels),
                                     STORE_T(f->policies), STORE_T(f->severities), STORE_T(f->reactions),
                                     STORE_T(h->actor), STORE_I(h->created_at_ms)),
                          err);
}

static int body_add(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        int r = hooks_load(q, c, err);

        if (r != 0) {
                q->outcome = STORE_CONFLICT;
                return r < 0 ? r : 0;
        }
        r = insert(c, &q->in[0], err);
        if (r >= 0)
                r = hooks_request_audit(q, c, err);
        if (r >= 0)
                r = hooks_load(q, c, err);
        return r < 0 ? r : 0;
}

static const char sql_delete[] = "DELETE FROM hooks WHERE name = $1";
static const char sql_delete_outbox[] = "DELETE FROM outbox WHERE hook = $1";

static int drop(struct store_conn *c, const char *name, struct err *err)
{
        int r = store_exec(c, sql_delete_outbox, STORE_ARGS(STORE_T(name)), err);

        return r < 0 ? r : store_exec(c, sql_delete, STORE_ARGS(STORE_T(name)), err);
}

/* Reads the request's hook. Return: 1 to go on; 0 if it is not there, or the configuration's (outcome);
 * -kind.
 */
static int load_changeable(struct hooks_request *q, struct store_conn *c, bool configured_too,
                           struct err *err)
{
        int r = hooks_load(q, c, err);

        if (r == 0)
                q->outcome = STORE_NOT_FOUND;
        if (r > 0 && q->hooks[0].configured && !configured_too) {
                q->outcome = STORE_CONFLICT;
                return 0;
        }
        return r;
}

static int body_remove(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        int r = load_changeable(q, c, false, err);

        if (r > 0)
                r = drop(c, q->name, err);
        return r > 0 ? hooks_request_audit(q, c, err) : r;
}

static const char sql_pause[] = "UPDATE hooks SET paused = $1 WHERE name = $2";
static const char sql_rotate[] = "UPDATE hooks SET old_secret = secret, secret = $1 WHERE name = $2";
static const char sql_rotated[] = "UPDATE hooks SET old_secret = NULL WHERE name = $1";

/* After a change: its audit record, and the hook as it is now. */
static int finish(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        int r = hooks_request_audit(q, c, err);

        if (r >= 0)
                r = load_counted(q, c, err);
        return r < 0 ? r : 0;
}

static int body_pause(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        int r = load_changeable(q, c, true, err);

        if (r > 0)
                r = store_exec(c, sql_pause, STORE_ARGS(STORE_I(q->flag), STORE_T(q->name)), err);
        return r > 0 ? finish(q, c, err) : r;
}

static int body_rotate(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        int r = load_changeable(q, c, false, err);

        if (r > 0 && q->hooks[0].kind != HOOK_WEBHOOK) {
                q->outcome = STORE_CONFLICT;
                return 0;
        }
        if (r > 0)
                r = q->text ? store_exec(c, sql_rotate, STORE_ARGS(STORE_T(q->text), STORE_T(q->name)), err)
                            : store_exec(c, sql_rotated, STORE_ARGS(STORE_T(q->name)), err);
        return r > 0 ? finish(q, c, err) : r;
}

static const char sql_reconfigure[] =
        "UPDATE hooks SET tenant = $1, kind = $2, program = $3, timeout_ms = $4, f_hosts = $5, f_labels = $6,"
        " f_policies = $7, f_severities = $8, f_reactions = $9 WHERE name = $10";

/* One hook of the configuration: new, or as the file has it now (what an admin paused stays so). */
static int configure(struct store_conn *c, const struct hook *have, const struct hook *h, struct err *err)
{
        const struct hook_filter *f = &h->filter;

        if (!have)
                return insert(c, h, err);
        if (!have->configured)
                return err_set(err, ERR_CONFIG, 0,
                               "hook '%s' of the configuration: an administrator made one "
                               "of this name: rename one of them",
                               h->name);
        return store_exec(c, sql_reconfigure,
                          STORE_ARGS(STORE_T(h->tenant), STORE_I(h->kind), STORE_T(h->program),
                                     STORE_I(h->timeout_ms), STORE_T(f->hosts), STORE_T(f->labels),
                                     STORE_T(f->policies), STORE_T(f->severities), STORE_T(f->reactions),
                                     STORE_T(h->name)),
                          err);
}

static const struct hook *find(const struct hook *hooks, size_t n, const char *name)
{
        for (size_t i = 0; i < n; i++)
                if (str_equal(hooks[i].name, name))
                        return &hooks[i];
        return NULL;
}

static int body_configure(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        int r = hooks_load(q, c, err);

        for (size_t i = 0; r >= 0 && i < q->n_hooks; i++)
                if (q->hooks[i].configured && !find(q->in, q->n_in, q->hooks[i].name))
                        r = drop(c, q->hooks[i].name, err);
        for (size_t i = 0; r >= 0 && i < q->n_in; i++)
                r = configure(c, find(q->hooks, q->n_hooks, q->in[i].name), &q->in[i], err);
        if (r >= 0)
                r = hooks_load(q, c, err);
        return r < 0 ? r : 0;
}

/* ---- requests ---- */

static int submit(struct hooks_request **q, hooks_done_fn done, void *ctx)
{
        (*q)->hooks_done = done;
        return hooks_request_submit(q, ctx);
}

int hooks_db_list(struct hooks_db *db, const char *tenant, hooks_done_fn done, void *ctx, struct err *err)
{
        return hooks_db_get(db, tenant, NULL, done, ctx, err);
}

int hooks_db_get(struct hooks_db *db, const char *tenant, const char *name, hooks_done_fn done, void *ctx,
                 struct err *err)
{
        AUTO(hooks_request_free_p) struct hooks_request *q = NULL;
        int r = hooks_request_new(db, STORE_READ, body_list, tenant, name, NULL, &q, err);

        return r < 0 ? r : submit(&q, done, ctx);
}

static int copy_hooks(struct hooks_request *q, const struct hook *hooks, size_t n, struct err *err)
{
        q->in = mem_zalloc(n ? n : 1, sizeof(*q->in));
        if (!q->in)
                return err_nomem(err);
        for (; q->n_in < n; q->n_in++) {
                int r = hook_dup(&hooks[q->n_in], &q->in[q->n_in], err);

                if (r < 0)
                        return r;
        }
        return 0;
}

int hooks_db_add(struct hooks_db *db, const struct hook *hook, const struct audit_entry *audit,
                 hooks_done_fn done, void *ctx, struct err *err)
{
        AUTO(hooks_request_free_p) struct hooks_request *q = NULL;
        int r = hooks_request_new(db, STORE_DURABLE, body_add, NULL, hook->name, audit, &q, err);

        if (r >= 0)
                r = copy_hooks(q, hook, 1, err);
        return r < 0 ? r : submit(&q, done, ctx);
}

int hooks_db_remove(struct hooks_db *db, const char *tenant, const char *name,
                    const struct audit_entry *audit, hooks_done_fn done, void *ctx, struct err *err)
{
        AUTO(hooks_request_free_p) struct hooks_request *q = NULL;
        int r = hooks_request_new(db, STORE_DURABLE, body_remove, tenant, name, audit, &q, err);

        return r < 0 ? r : submit(&q, done, ctx);
}

int hooks_db_pause(struct hooks_db *db, const char *tenant, const char *name, bool paused,
                   const struct audit_entry *audit, hooks_done_fn done, void *ctx, struct err *err)
{
        AUTO(hooks_request_free_p) struct hooks_request *q = NULL;
        int r = hooks_request_new(db, STORE_DURABLE, body_pause, tenant, name, audit, &q, err);

        if (r < 0)
                return r;
        q->flag = paused;
        return submit(&q, done, ctx);
}

int hooks_db_rotate(struct hooks_db *db, const char *tenant, const char *name, const char *secret,
                    const struct audit_entry *audit, hooks_done_fn done, void *ctx, struct err *err)
{
        AUTO(hooks_request_free_p) struct hooks_request *q = NULL;
        int r = hooks_request_new(db, STORE_DURABLE, body_rotate, tenant, name, audit, &q, err);

        if (r >= 0)
                r = copy_str(secret, &q->text, err);
        return r < 0 ? r : submit(&q, done, ctx);
}

int hooks_db_configure(struct hooks_db *db, const struct hook *hooks, size_t n, hooks_done_fn done, void *ctx,
                       struct err *err)
{
        AUTO(hooks_request_free_p) struct hooks_request *q = NULL;
        int r = hooks_request_new(db, STORE_DURABLE, body_configure, NULL, NULL, NULL, &q, err);

        if (r >= 0)
                r = copy_hooks(q, hooks, n, err);
        return r < 0 ? r : submit(&q, done, ctx);
}
