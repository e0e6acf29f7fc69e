/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The logs of hosts, each kept once per boot in segments that only grow; a bundle says how many bytes of
 * which log it saw. A log that came whole again in the same boot (because the policy changed) begins as the
 * kept one does: then the kept segments become its own, and only the rest is written. That is found out by
 * comparing, not taken from the host's word.
 */
#include "store/verifier_request.h"

const char verifier_logs_migration[] =
        "ALTER TABLE segments RENAME TO segments_before;"
        "CREATE TABLE segments ("
        " tenant TEXT NOT NULL, name TEXT NOT NULL, kind BIGINT NOT NULL, boot BIGINT NOT NULL, at BIGINT "
        "NOT "
        "NULL,"
        " length BIGINT NOT NULL, bytes BLOB NOT NULL,"
        " PRIMARY KEY (tenant, name, kind, boot, at));"
        "INSERT INTO segments SELECT tenant, name, 0, boot, at, length, bytes FROM segments_before;"
        "DROP TABLE segments_before;"
        "ALTER TABLE states ADD COLUMN ima_boot BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE states ADD COLUMN ima_bytes BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE states ADD COLUMN uefi_boot BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE states ADD COLUMN uefi_bytes BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE history ADD COLUMN ima_boot BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE history ADD COLUMN ima_bytes BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE history ADD COLUMN uefi_boot BIGINT NOT NULL DEFAULT 0;"
        "ALTER TABLE history ADD COLUMN uefi_bytes BIGINT NOT NULL DEFAULT 0";

/* Logs of earlier boots that no bundle points into any more. */
int vreq_drop_old_logs(struct vreq *q, struct store_conn *c, struct err *err)
{
        static const char *const sql[KEPT_N_LOGS] = {
                [KEPT_CEL] =
                        "DELETE FROM segments WHERE tenant = $1 AND name = $2 AND kind = $3 AND boot < $4"
                        " AND boot NOT IN (SELECT boot FROM history WHERE tenant = $1 AND name = $2)",
                [KEPT_IMA] =
                        "DELETE FROM segments WHERE tenant = $1 AND name = $2 AND kind = $3 AND boot < $4"
                        " AND boot NOT IN (SELECT ima_boot FROM history WHERE tenant = $1 AND name = $2)",
                [KEPT_UEFI] =
                        "DELETE FROM segments WHERE tenant = $1 AND name = $2 AND kind = $3 AND boot < $4"
                        " AND boot NOT IN (SELECT uefi_boot FROM history WHERE tenant = $1 AND name = $2)",
        };

        for (int kind = 0; kind < KEPT_N_LOGS; kind++) {
                int64_t boot = q->record->state.logs[kind].boot;

                if (store_exec(c, sql[kind], STORE_ARGS(VREQ_KEY(q), STORE_I(kind), STORE_I(boot)), err) < 0)
                        return -(int)err->kind;
        }
        return 0;
}

/* The kept log that is compared with the beginning of NEW. */
struct comparing {
        struct view new;
        int64_t boot;
        size_t same; /* bytes of NEW that it was seen to begin with */
        bool other;
};

static int compare(const struct store_row *row, void *arg, struct err *err)
{
        struct comparing *a = arg;
        struct view was = store_row_blob(row, 2);

        (void)err;
        a->boot = store_row_int(row, 0);
        a->other = store_row_int(row, 1) != (int64_t)a->same || was.len > a->new.len - a->same ||
                   !view_equal(was, VIEW(a->new.p + a->same, was.len));
        a->same += a->other ? 0 : was.len;
        return a->other; /* stops there */
}

/* Gives the segments of the kept log to the new one, if it begins with them, and what pointed there with
 * them. Return: how many bytes of it are kept now; < 0. */
static int64_t adopt(struct vreq *q, struct store_conn *c, int kind, struct err *err)
{
        static const char sql_last[] =
                "SELECT boot, at, bytes FROM segments WHERE tenant = $1 AND name = $2 AND kind = $3"
                " AND boot = (SELECT max(boot) FROM segments WHERE tenant = $1 AND name = $2 AND kind = $3)"
                " ORDER BY at";
        static const char sql_move[] = "UPDATE segments SET boot = $5 WHERE tenant = $1 AND name = $2"
                                       " AND kind = $3 AND boot = $4";
        static const char *const sql_point[KEPT_N_LOGS] = {
                [KEPT_CEL] = "UPDATE history SET boot = $4 WHERE tenant = $1 AND name = $2 AND boot = $3",
                [KEPT_IMA] = ("UPDATE history SET ima_boot = $4 WHERE tenant = $1 AND name = $2"
                              " AND ima_boot = $3"),
                [KEPT_UEFI] = ("UPDATE history SET uefi_boot = $4 WHERE tenant = $1 AND name = $2"
                               " AND uefi_boot = $3"),
        };
        struct comparing a = {.new = VIEW_BUF(&q->logs[kind])};
        int64_t boot = q->record->state.logs[kind].boot;

        if (store_query(c, sql_last, STORE_ARGS(VREQ_KEY(q), STORE_I(kind)), compare, &a, err) < 0)
                return -(int)err->kind;
        if (a.other || a.same == 0 || a.boot == boot)
                return 0;
        if (store_exec(c, sql_move, STORE_ARGS(VREQ_KEY(q), STORE_I(kind), STORE_I(a.boot), STORE_I(boot)),
                       err) < 0 ||
            store_exec(c, sql_point[kind], STORE_ARGS(VREQ_KEY(q), STORE_I(a.boot), STORE_I(boot)), err) < 0)
                return -(int)err->kind;
        return (int64_t)a.same;
}

static int write_log(struct vreq *q, struct store_conn *c, int kind, struct err *err)
{
        static const char sql_add[] = "INSERT INTO segments (tenant, name, kind, boot, at, length, bytes)"
                                      " VALUES ($1, $2, $3, $4, $5, $6, $7)"
                                      " ON CONFLICT (tenant, name, kind, boot, at) DO NOTHING";
        const struct kept_log *log = &q->record->state.logs[kind];
        struct view bytes = VIEW_BUF(&q->logs[kind]);
        int64_t at = log->bytes - (int64_t)bytes.len, had = 0;
        int r;

        if (bytes.len == 0)
                return 0;
        if (at == 0)
                had = adopt(q, c, kind, err);
        if (had < 0)
                return (int)had;
        bytes = VIEW(bytes.p + had, bytes.len - (size_t)had);
        if (bytes.len == 0)
                return 0;
        r = store_exec(c, sql_add,
                       STORE_ARGS(VREQ_KEY(q), STORE_I(kind), STORE_I(log->boot), STORE_I(at + had),
                                  STORE_I((int64_t)bytes.len), STORE_B(bytes)),
                       err);
        return r < 0 ? r : 0;
}

int vreq_write_logs(struct vreq *q, struct store_conn *c, struct err *err)
{
        bool began = false;
        int r = 0;

        for (int kind = 0; r >= 0 && kind < KEPT_N_LOGS; kind++) {
                began |= q->logs[kind].len && q->record->state.logs[kind].bytes == (int64_t)q->logs[kind].len;
                r = write_log(q, c, kind, err);
        }
        return r >= 0 && began ? vreq_drop_old_logs(q, c, err) : r;
}

/* ---- reading ---- */

struct reading {
        struct buf *to;
        int64_t bytes;
};

static int read_segment(const struct store_row *row, void *arg, struct err *err)
{
        struct reading *a = arg;
        struct view bytes = store_row_blob(row, 1);
        int64_t left = a->bytes - (int64_t)a->to->len;

        if (store_row_int(row, 0) != (int64_t)a->to->len)
                return err_set(err, ERR_FORMAT, 0, "the kept log has a hole at byte %zu", a->to->len);
        if ((int64_t)bytes.len > left)
                bytes.len = (size_t)left;
        buf_put_view(a->to, bytes);
        if (!buf_ok(a->to))
                return err_nomem(err);
        return (int64_t)a->to->len == a->bytes;
}

int vreq_read_log(struct vreq *q, struct store_conn *c, int kind, const struct kept_log *log, struct err *err)
{
        static const char sql[] = "SELECT at, bytes FROM segments WHERE tenant = $1 AND name = $2"
                                  " AND kind = $3 AND boot = $4 AND at < $5 ORDER BY at";
        struct reading a = {.to = &q->found_logs[kind], .bytes = log->bytes};

        if (log->bytes <= 0)
                return 0;
        if (store_query(c, sql,
                        STORE_ARGS(VREQ_KEY(q), STORE_I(kind), STORE_I(log->boot), STORE_I(log->bytes)),
                        read_segment, &a, err) < 0)
                return -(int)err->kind;
        if ((int64_t)a.to->len != log->bytes)
                return err_set(err, ERR_FORMAT, 0, "the kept log ends at byte %zu of %lld", a.to->len,
                               (long long)log->bytes);
        return 0;
}
