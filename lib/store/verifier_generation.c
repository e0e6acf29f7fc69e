/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generation of the verifier's database.
 *
 * The file names two ids, the one that the database has and the one that it is about to get, and is on the
 * disk before the commit. So a crash between the two leaves a database whose id stands in the file, before or
 * after; only one from before the last renewal has an id that does not.
 */
#include "store/verifier_generation.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "base/uuid.h"
#include "store/verifier_request.h"

#define FILE_BYTES (2 * UUID_TEXT_BYTES) /* each id with its line feed */

struct generation {
        const char *path;
        bool restored;
        int64_t now_s, seq_floor;
        bool adopting;
        char id[UUID_TEXT_BYTES];    /* in the database; "": none */
        char fresh[UUID_TEXT_BYTES]; /* what it becomes */
};

static int read_id(const struct store_row *row, void *arg, struct err *err)
{
        struct generation *g = arg;
        const char *id = store_row_text(row, 0);

        if (!id || !uuid_valid(id))
                return err_set(err, ERR_FORMAT, 0, "the generation in the database is no UUID");
        memcpy(g->id, id, sizeof(g->id));
        return 0;
}

static int load_id(struct store_conn *c, struct generation *g, struct err *err)
{
        int n;

        g->id[0] = '\0';
        n = store_query(c, "SELECT value FROM meta WHERE name = 'generation'", STORE_NO_ARGS, read_id, g,
                        err);
        return n < 0 ? n : 0;
}

/* Does the file name the database's id? Neither of the two being there is the first start. */
static int compare(struct generation *g, struct err *err)
{
        AUTO(buf_free)
        struct buf text = {0};
        int r;

        if (!file_exists(g->path)) {
                g->restored = g->id[0] != '\0';
                return 0;
        }
        r = file_read(g->path, FILE_BYTES, &text, err);
        if (r < 0)
                return r;
        if (text.len != FILE_BYTES || text.p[UUID_TEXT_BYTES - 1] != '\n' || text.p[FILE_BYTES - 1] != '\n')
                return err_set(err, ERR_FORMAT, 0,
                               "%s: not what this verifier wrote there; remove it, and every host is asked "
                               "for its whole log",
                               SHOW(g->path));
        g->restored = !view_equal(VIEW(text.p, UUID_TEXT_BYTES - 1), view_str(g->id)) &&
                      !view_equal(VIEW(text.p + UUID_TEXT_BYTES, UUID_TEXT_BYTES - 1), view_str(g->id));
        return 0;
}

static int write_file(const struct generation *g, const char *before, struct err *err)
{
        AUTO(buf_free)
        struct buf text = {0};
        int r;

        buf_fmt(&text, "%s\n%s\n", before, g->fresh);
        r = buf_ok(&text) ? file_write(g->path, VIEW_BUF(&text), 0600, err) : err_nomem(err);
        return r < 0 ? err_wrap(err, "generation of the database") : 0;
}

static int renew(struct store_conn *c, struct generation *g, struct err *err)
{
        int r = uuid_random(g->fresh, err);

        if (r >= 0)
                r = write_file(g, g->id[0] && !g->restored ? g->id : g->fresh, err);
        if (r < 0)
                return r;
        r = store_exec(c,
                       "INSERT INTO meta (name, value) VALUES ('generation', $1)"
                       " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                       STORE_ARGS(STORE_T(g->fresh)), err);
        return r < 0 ? r : 0;
}

static int read_floor(const struct store_row *row, void *arg, struct err *err)
{
        struct generation *g = arg;

        return str_parse_int(view_str(store_row_text(row, 0) ? store_row_text(row, 0) : ""), 0, INT64_MAX,
                             &g->seq_floor, err);
}

/*
 * The numbers of revocations since the backup are known to the registrar, to hosts and to consumers, and not
 * to this database. Time in seconds is above all of them, as nobody is revoked once a second for years.
 */
static int raise_floor(struct store_conn *c, struct generation *g, struct err *err)
{
        char text[24];
        int r;

        (void)snprintf(text, sizeof(text), "%lld", (long long)g->now_s);
        if (g->restored) {
                r = store_exec(c,
                               "INSERT INTO meta (name, value) VALUES ('revocation_floor', $1)"
                               " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                               STORE_ARGS(STORE_T(text)), err);
                if (r >= 0)
                        r = store_exec(c,
                                       "INSERT INTO meta (name, value) VALUES ('adopt', '1')"
                                       " ON CONFLICT (name) DO NOTHING",
                                       STORE_NO_ARGS, err);
                if (r < 0)
                        return r;
        }
        r = vreq_any(c, "SELECT 1 FROM meta WHERE name = 'adopt'", STORE_NO_ARGS, err);
        if (r < 0)
                return r;
        g->adopting = r > 0;
        g->seq_floor = 0;
        r = store_query(c, "SELECT value FROM meta WHERE name = 'revocation_floor'", STORE_NO_ARGS,
                        read_floor, g, err);
        return r < 0 ? r : 0;
}

/* In one transaction with the new id, so that a crash leaves it to be done. */
static int at_start(struct store_conn *c, void *arg, struct err *err)
{
        struct generation *g = arg;
        int r;

        g->restored = false;
        r = load_id(c, g, err);
        if (r >= 0)
                r = compare(g, err);
        if (r >= 0 && g->restored)
                r = store_exec(c, "UPDATE states SET judged = 0, asked_full = 1", STORE_NO_ARGS, err);
        if (r >= 0)
                r = raise_floor(c, g, err);
        return r < 0 ? r : renew(c, g, err);
}

int verifier_db_generation(struct verifier_db *db, const char *path, bool *ret_restored, struct err *err)
{
        struct generation g = {.path = path, .now_s = clock_now_ms() / 1000};
        int r = store_call(db->store, STORE_DURABLE, at_start, &g, err);

        if (r >= 0)
                r = write_file(&g, g.fresh, err); /* it is committed: nothing before it counts any more */
        if (r >= 0)
                *ret_restored = g.restored;
        db->seq_floor = g.seq_floor;
        db->adopting = r >= 0 && g.adopting;
        return r;
}

static int body_renew(struct vreq *q, struct store_conn *c, struct err *err)
{
        struct generation g = {.path = q->words};
        int r = load_id(c, &g, err);

        return r < 0 ? r : renew(c, &g, err);
}

int verifier_db_generation_renew(struct verifier_db *db, const char *path, verifier_done_fn done, void *ctx,
                                 struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;

        if (vreq_new(db, STORE_DURABLE, NULL, NULL, body_renew, vreq_tell_done, ctx, &q, err) < 0 ||
            COPY_TEXTS(err, {path, &q->words}) < 0)
                return -ERR_NOMEM;
        q->fn.done = done;
        return vreq_submit(&q);
}

bool verifier_db_adopting(const struct verifier_db *db)
{
        return db->adopting;
}

static int body_adopted(struct vreq *q, struct store_conn *c, struct err *err)
{
        int r = store_exec(c, "DELETE FROM meta WHERE name = 'adopt'", STORE_NO_ARGS, err);

        (void)q;
        return r < 0 ? r : 0;
}

int verifier_db_adopted(struct verifier_db *db, verifier_done_fn done, void *ctx, struct err *err)
{
        AUTO(vreq_free_p)
        struct vreq *q = NULL;

        if (vreq_new(db, STORE_DURABLE, NULL, NULL, body_adopted, vreq_tell_done, ctx, &q, err) < 0)
                return -ERR_NOMEM;
        q->fn.done = done;
        return vreq_submit(&q);
}
