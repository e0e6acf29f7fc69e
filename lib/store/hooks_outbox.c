/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocations received, and the outbox. All that keeps the order of a host's events is here, inside the
 * transactions: a new row waits if anything of its host is not delivered; what is delivered wakes the oldest
 * that waits, and so does what is skipped; what is parked wakes nothing. Only one thread writes, so each of
 * these is a whole step. Spec: SR-8.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "store/hooks_request.h"

const char *outbox_state_name(enum outbox_state state)
{
        static const char *const names[] = {"pending", "pending", "delivered", "parked", "skipped"};

        return (size_t)state < ARRAY_LEN(names) ? names[state] : "?";
}

/* ---- revocations ---- */

#define RECEIVED_COLUMNS(words)                                                                              \
        "SELECT r.n, r.tenant, r.id, r.host, r.seq, r.reaction, r.severity, r.policy, r.labels, " words      \
        ", r.nonce, r.issued_at_ms, r.received_at_ms,"                                                       \
        " (SELECT count(*) FROM outbox o WHERE o.n = r.n),"                                                  \
        " (SELECT count(*) FROM outbox o WHERE o.n = r.n AND o.state = 2),"                                  \
        " (SELECT count(*) FROM outbox o WHERE o.n = r.n AND o.state = 3), r.proof_at_ms FROM revocations r"
#define WHOLE       RECEIVED_COLUMNS("r.payload, r.jws")
#define WITHOUT_JWS RECEIVED_COLUMNS("NULL, NULL")

static const char sql_received[] = WHOLE " WHERE ($1 IS NULL OR r.tenant = $1) AND r.id = $2";
static const char sql_list[] =
        WITHOUT_JWS " WHERE ($1 IS NULL OR r.tenant = $1) AND ($2 IS NULL OR r.host = $2) AND r.n < $3"
                    " ORDER BY r.n DESC LIMIT $4";
static const char sql_since[] = WITHOUT_JWS " WHERE r.tenant = $1 AND r.received_at_ms >= $2 ORDER BY r.n";

static int read_received(const struct store_row *row, void *arg, struct err *err)
{
        struct hooks_request *q = arg;
        struct received *grown = mem_resize(q->list, q->n_list + 1, sizeof(*grown)), *r;

        if (!grown)
                return err_nomem(err);
        q->list = grown;
        r = &grown[q->n_list++];
        *r = (struct received){.n = store_row_int(row, 0),
                               .seq = store_row_int(row, 4),
                               .issued_at_ms = store_row_int(row, 12),
                               .received_at_ms = store_row_int(row, 13),
                               .n_hooks = store_row_int(row, 14),
                               .n_delivered = store_row_int(row, 15),
                               .n_parked = store_row_int(row, 16),
                               .proof_at_ms = store_row_int(row, 17)};
        return COPY_TEXTS(err, {store_row_text(row, 1), &r->tenant}, {store_row_text(row, 2), &r->id},
                          {store_row_text(row, 3), &r->host}, {store_row_text(row, 5), &r->reaction},
                          {store_row_text(row, 6), &r->severity}, {store_row_text(row, 7), &r->policy},
                          {store_row_text(row, 8), &r->labels}, {store_row_text(row, 9), &r->payload},
                          {store_row_text(row, 10), &r->jws}, {store_row_text(row, 11), &r->nonce});
}

static int load_received(struct hooks_request *q, struct store_conn *c, const char *tenant, const char *id,
                         struct err *err)
{
        return store_query(c, sql_received, STORE_ARGS(STORE_T(tenant), STORE_T(id)), read_received, q, err);
}

static const char sql_last[] = "SELECT COALESCE(max(n), 0) FROM revocations";
static const char sql_insert[] =
        "INSERT INTO revocations (n, tenant, id, host, seq, reaction, severity, policy, labels, payload, jws,"
        " nonce, issued_at_ms, received_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
        " $13, $14)";
static const char sql_put[] =
        "INSERT INTO outbox (hook, n, host, seq, state, attempts, next_at_ms, delivered_at_ms)"
        " SELECT $1, $2, $3, $4, CASE WHEN EXISTS (SELECT 1 FROM outbox o WHERE o.hook = $1 AND o.host = $3"
        " AND o.state IN (0, 1, 3)) THEN 0 ELSE 1 END, 0, 0, 0";

static int read_int(const struct store_row *row, void *arg, struct err *err)
{
        (void)err;
        *(int64_t *)arg = store_row_int(row, 0);
        return 0;
}

static int insert(struct store_conn *c, struct received *r, struct err *err)
{
        int x = store_query(c, sql_last, STORE_NO_ARGS, read_int, &r->n, err);

        r->n++;
        return x < 0 ? x
                     : store_exec(c, sql_insert,
                                  STORE_ARGS(STORE_I(r->n), STORE_T(r->tenant), STORE_T(r->id),
                                             STORE_T(r->host), STORE_I(r->seq), STORE_T(r->reaction),
                                             STORE_T(r->severity), STORE_T(r->policy), STORE_T(r->labels),
                                             STORE_T(r->payload), STORE_T(r->jws), STORE_T(r->nonce),
                                             STORE_I(r->issued_at_ms), STORE_I(r->received_at_ms)),
                                  err);
}

static int put(struct store_conn *c, const char *hook, const struct received *r, struct err *err)
{
        return store_exec(c, sql_put,
                          STORE_ARGS(STORE_T(hook), STORE_I(r->n), STORE_T(r->host), STORE_I(r->seq)), err);
}

static int body_receive(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        struct received *r = &q->rec;
        int x = load_received(q, c, r->tenant, r->id, err);

        if (x > 0) { /* told again: a verifier that did not hear the answer */
                q->outcome = str_equal(q->list[0].payload, r->payload) ? STORE_NOT_FOUND : STORE_CONFLICT;
                return 0;
        }
        if (x == 0)
                x = insert(c, r, err);
        if (x >= 0)
                x = hooks_load(q, c, err);
        for (size_t i = 0; x >= 0 && i < q->n_hooks; i++) {
                x = hook_wants(&q->hooks[i], r, err);
                if (x > 0)
                        x = put(c, q->hooks[i].name, r, err);
        }
        if (x >= 0)
                x = hooks_request_audit(q, c, err);
        if (x >= 0)
                x = load_received(q, c, r->tenant, r->id, err);
        return x < 0 ? x : 0;
}

static int body_revocations(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        int n = store_query(c, sql_list,
                            STORE_ARGS(STORE_T(q->tenant), STORE_T(q->name),
                                       STORE_I(q->n > 0 ? q->n : INT64_MAX), STORE_I((int64_t)q->limit)),
                            read_received, q, err);

        return n < 0 ? n : 0;
}

static int body_revocation(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        int n = load_received(q, c, q->tenant, q->name, err);

        if (n == 0)
                q->outcome = STORE_NOT_FOUND;
        return n < 0 ? n : 0;
}

/* ---- the outbox ---- */

#define ROW_COLUMNS                                                                                          \
        "SELECT o.hook, r.id, o.host, o.n, o.seq, o.state, o.attempts, o.next_at_ms, o.delivered_at_ms,"     \
        " o.error, r.received_at_ms"

static const char sql_due[] = ROW_COLUMNS
        ", r.payload, r.jws, r.nonce FROM outbox o JOIN revocations r ON r.n = o.n"
        " WHERE o.hook = $1 AND o.state = 1 AND o.next_at_ms <= $2 ORDER BY o.next_at_ms, o.n LIMIT $3";
static const char sql_next[] = "SELECT COALESCE(min(next_at_ms), 0) FROM outbox"
                               " WHERE hook = $1 AND state = 1 AND next_at_ms > $2";
static const char sql_rows[] =
        ROW_COLUMNS ", NULL, NULL, NULL FROM outbox o JOIN revocations r ON r.n = o.n"
                    " WHERE o.hook = $1 AND o.n > $2 AND ($3 = 0 OR o.state = 3) ORDER BY o.n LIMIT $4";

static int read_row(const struct store_row *row, void *arg, struct err *err)
{
        struct hooks_request *q = arg;
        struct outbox_row *grown = mem_resize(q->rows, q->n_rows + 1, sizeof(*grown)), *r;

        if (!grown)
                return err_nomem(err);
        q->rows = grown;
        r = &grown[q->n_rows++];
        *r = (struct outbox_row){.n = store_row_int(row, 3),
                                 .seq = store_row_int(row, 4),
                                 .state = (enum outbox_state)store_row_int(row, 5),
                                 .attempts = store_row_int(row, 6),
                                 .next_at_ms = store_row_int(row, 7),
                                 .delivered_at_ms = store_row_int(row, 8),
                                 .received_at_ms = store_row_int(row, 10)};
        return COPY_TEXTS(err, {store_row_text(row, 0), &r->hook}, {store_row_text(row, 1), &r->id},
                          {store_row_text(row, 2), &r->host}, {store_row_text(row, 9), &r->error},
                          {store_row_text(row, 11), &r->payload}, {store_row_text(row, 12), &r->jws},
                          {store_row_text(row, 13), &r->nonce});
}

static int body_due(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        int n = store_query(c, sql_due,
                            STORE_ARGS(STORE_T(q->name), STORE_I(q->at_ms), STORE_I((int64_t)q->limit)),
                            read_row, q, err);

        if (n >= 0)
                n = store_query(c, sql_next, STORE_ARGS(STORE_T(q->name), STORE_I(q->at_ms)), read_int,
                                &q->due_ms, err);
        return n < 0 ? n : 0;
}

static int body_deliveries(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        int n = hooks_load(q, c, err);

        if (n == 0)
                q->outcome = STORE_NOT_FOUND;
        if (n > 0)
                n = store_query(c, sql_rows,
                                STORE_ARGS(STORE_T(q->name), STORE_I(q->n), STORE_I(q->flag),
                                           STORE_I((int64_t)q->limit)),
                                read_row, q, err);
        return n < 0 ? n : 0;
}

static const char sql_attempted[] = "UPDATE outbox SET state = CASE WHEN state = 0 AND $1 <> 2 THEN 0 ELSE "
                                    "$1 END, attempts = attempts + 1, next_at_ms = $2, delivered_at_ms = $3,"
                                    " error = $4 WHERE hook = $5 AND n = $6 AND state <> 2";
/* The oldest of this host that waits, unless something of it is still to be delivered. */
static const char sql_wake[] =
        "UPDATE outbox SET state = 1, next_at_ms = 0 WHERE hook = $1 AND state = 0"
        " AND host = (SELECT x.host FROM outbox x WHERE x.hook = $1 AND x.n = $2)"
        " AND seq = (SELECT min(y.seq) FROM outbox y WHERE y.hook = $1 AND y.host = outbox.host AND y.state "
        "= 0)"
        " AND NOT EXISTS (SELECT 1 FROM outbox z WHERE z.hook = $1 AND z.host = outbox.host"
        " AND z.state IN (1, 3))";

static int body_attempted(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        bool delivered = q->state == OUTBOX_DELIVERED, over = delivered || q->state == OUTBOX_SKIPPED;
        int x = store_exec(c, sql_attempted,
                           STORE_ARGS(STORE_I(q->state), STORE_I(q->next_ms),
                                      STORE_I(delivered ? q->at_ms : 0), STORE_T(q->text), STORE_T(q->name),
                                      STORE_I(q->n)),
                           err);

        if (x > 0 && over)
                x = store_exec(c, sql_wake, STORE_ARGS(STORE_T(q->name), STORE_I(q->n)), err);
        return x < 0 ? x : 0;
}

/* ---- replay ---- */

static const char sql_again[] = "UPDATE outbox SET state = 0, attempts = 0, next_at_ms = 0, error = NULL"
                                " WHERE hook = $1 AND n = $2";
static const char sql_unpark[] = "UPDATE outbox SET state = 0, attempts = 0, next_at_ms = 0, error = NULL"
                                 " WHERE hook = $1 AND state = 3";
/* The order anew: everything waits, then the oldest of each host is ready unless one of it is parked. */
static const char sql_wait[] = "UPDATE outbox SET state = 0 WHERE hook = $1 AND state = 1";
static const char sql_heads[] =
        "UPDATE outbox SET state = 1 WHERE hook = $1 AND state = 0"
        " AND seq = (SELECT min(y.seq) FROM outbox y WHERE y.hook = $1 AND y.host = outbox.host AND y.state "
        "= 0)"
        " AND NOT EXISTS (SELECT 1 FROM outbox z WHERE z.hook = $1 AND z.host = outbox.host AND z.state = 3)";

/* Lets the hook have LIST again, in turn. Return: how many; -kind. */
static int again(struct hooks_request *q, struct store_conn *c, const struct hook *h, struct err *err)
{
        int n = 0;

        for (size_t i = 0; i < q->n_list; i++) {
                int x = hook_wants(h, &q->list[i], err), y;

                if (x <= 0 && (x < 0 || !q->text)) { /* asked for by id, it comes whatever the filter says */
                        if (x < 0)
                                return x;
                        continue;
                }
                y = store_exec(c, sql_again, STORE_ARGS(STORE_T(q->name), STORE_I(q->list[i].n)), err);
                if (y == 0)
                        y = put(c, q->name, &q->list[i], err);
                if (y < 0)
                        return y;
                n++;
        }
        return n;
}

static int body_replay(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        struct hook hook = {0};
        int n = hooks_load(q, c, err);

        q->n_changed = 0;
        if (n == 0)
                q->outcome = STORE_NOT_FOUND;
        if (n <= 0 || (n = hook_dup(&q->hooks[0], &hook, err)) < 0)
                return n;
        if (q->text)
                n = load_received(q, c, hook.tenant, q->text, err);
        else if (q->at_ms)
                n = store_query(c, sql_since, STORE_ARGS(STORE_T(hook.tenant), STORE_I(q->at_ms)),
                                read_received, q, err);
        if (q->text && n == 0)
                q->outcome = STORE_CONFLICT; /* no such revocation */
        if (n >= 0)
                n = q->text || q->at_ms ? again(q, c, &hook, err)
                                        : store_exec(c, sql_unpark, STORE_ARGS(STORE_T(q->name)), err);
        hook_done(&hook);
        q->n_changed = n < 0 ? 0 : n;
        if (n >= 0 && q->outcome == STORE_OK) {
                n = store_exec(c, sql_wait, STORE_ARGS(STORE_T(q->name)), err);
                if (n >= 0)
                        n = store_exec(c, sql_heads, STORE_ARGS(STORE_T(q->name)), err);
                if (n >= 0)
                        n = hooks_request_audit(q, c, err);
        }
        return n < 0 ? n : 0;
}

static int read_counts(const struct store_row *row, void *arg, struct err *err)
{
        struct hooks_counts *n = arg;

        (void)err;
        *n = (struct hooks_counts){store_row_int(row, 0), store_row_int(row, 1), store_row_int(row, 2)};
        return 0;
}

static int body_counts(struct hooks_request *q, struct store_conn *c, struct err *err)
{
        static const char sql[] =
                "SELECT (SELECT count(*) FROM revocations),"
                " (SELECT count(*) FROM hooks h JOIN outbox o ON o.hook = h.name AND o.state IN (0, 1)),"
                " (SELECT count(*) FROM hooks h JOIN outbox o ON o.hook = h.name AND o.state = 3)";

        return store_query(c, sql, STORE_NO_ARGS, read_counts, &q->counts, err);
}

/* ---- requests ---- */

static int received_dup(const struct received *from, struct received *ret, struct err *err)
{
        ret->seq = from->seq;
        ret->issued_at_ms = from->issued_at_ms;
        ret->received_at_ms = from->received_at_ms;
        return COPY_TEXTS(err, {from->id, &ret->id}, {from->tenant, &ret->tenant}, {from->host, &ret->host},
                          {from->reaction, &ret->reaction}, {from->severity, &ret->severity},
                          {from->policy, &ret->policy}, {from->payload, &ret->payload},
                          {from->jws, &ret->jws}, {from->nonce, &ret->nonce}, {from->labels, &ret->labels});
}

int hooks_db_receive(struct hooks_db *db, const struct received *r, const struct audit_entry *audit,
                     received_done_fn done, void *ctx, struct err *err)
{
        AUTO(hooks_request_free_p) struct hooks_request *q = NULL;
        int x = hooks_request_new(db, STORE_DURABLE, body_receive, r->tenant, NULL, audit, &q, err);

        if (x >= 0)
                x = received_dup(r, &q->rec, err);
        if (x < 0)
                return x;
        q->received_done = done;
        return hooks_request_submit(&q, ctx);
}

int hooks_db_revocations(struct hooks_db *db, const char *tenant, const char *host, int64_t before,
                         size_t limit, received_done_fn done, void *ctx, struct err *err)
{
        AUTO(hooks_request_free_p) struct hooks_request *q = NULL;
        int x = hooks_request_new(db, STORE_READ, body_revocations, tenant, host, NULL, &q, err);

        if (x < 0)
                return x;
        q->n = before;
        q->limit = limit;
        q->received_done = done;
        return hooks_request_submit(&q, ctx);
}

int hooks_db_revocation(struct hooks_db *db, const char *tenant, const char *id, received_done_fn done,
                        void *ctx, struct err *err)
{
        AUTO(hooks_request_free_p) struct hooks_request *q = NULL;
        int x = hooks_request_new(db, STORE_READ, body_revocation, tenant, id, NULL, &q, err);

        if (x < 0)
                return x;
        q->received_done = done;
        return hooks_request_submit(&q, ctx);
}

int hooks_db_due(struct hooks_db *db, const char *hook, int64_t now_ms, size_t limit, outbox_done_fn done,
                 void *ctx, struct err *err)
{
        AUTO(hooks_request_free_p) struct hooks_request *q = NULL;
        int x = hooks_request_new(db, STORE_READ, body_due, NULL, hook, NULL, &q, err);

        if (x < 0)
                return x;
        q->at_ms = now_ms;
        q->limit = limit;
        q->outbox_done = done;
        return hooks_request_submit(&q, ctx);
}

int hooks_db_attempted(struct hooks_db *db, const char *hook, int64_t n, enum outbox_state state,
                       int64_t at_ms, int64_t next_at_ms, const char *error, outbox_done_fn done, void *ctx,
                       struct err *err)
{
        AUTO(hooks_request_free_p) struct hooks_request *q = NULL;
        int x = hooks_request_new(db, STORE_DURABLE, body_attempted, NULL, hook, NULL, &q, err);

        if (x >= 0)
                x = copy_str(error, &q->text, err);
        if (x < 0)
                return x;
        q->n = n;
        q->state = state;
        q->at_ms = at_ms;
        q->next_ms = next_at_ms;
        q->outbox_done = done;
        return hooks_request_submit(&q, ctx);
}

int hooks_db_deliveries(struct hooks_db *db, const char *tenant, const char *hook, bool parked_only,
                        int64_t after, size_t limit, outbox_done_fn done, void *ctx, struct err *err)
{
        AUTO(hooks_request_free_p) struct hooks_request *q = NULL;
        int x = hooks_request_new(db, STORE_READ, body_deliveries, tenant, hook, NULL, &q, err);

        if (x < 0)
                return x;
        q->flag = parked_only;
        q->n = after;
        q->limit = limit;
        q->outbox_done = done;
        return hooks_request_submit(&q, ctx);
}

int hooks_db_replay(struct hooks_db *db, const char *tenant, const char *hook, const struct replay *what,
                    const struct audit_entry *audit, outbox_done_fn done, void *ctx, struct err *err)
{
        AUTO(hooks_request_free_p) struct hooks_request *q = NULL;
        int x = hooks_request_new(db, STORE_DURABLE, body_replay, tenant, hook, audit, &q, err);

        if (x >= 0)
                x = copy_str(what->id, &q->text, err);
        if (x < 0)
                return x;
        q->at_ms = what->since_ms;
        q->outbox_done = done;
        return hooks_request_submit(&q, ctx);
}

int hooks_db_counts(struct hooks_db *db, hooks_counts_fn done, void *ctx, struct err *err)
{
        AUTO(hooks_request_free_p) struct hooks_request *q = NULL;
        int x = hooks_request_new(db, STORE_READ, body_counts, NULL, NULL, NULL, &q, err);

        if (x < 0)
                return x;
        q->counts_done = done;
        return hooks_request_submit(&q, ctx);
}
