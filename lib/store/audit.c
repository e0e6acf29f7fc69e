/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log's records: making them (inside the transaction of what they record) and checking them
 * (anywhere).
 *
 * A record is a token that says its number and the digest of the token before it. So a record cannot be
 * changed (signature), nor left out or moved (number and digest), by somebody who has the database but not
 * the key; who has both can write another history from some record on, which is what keeping the head
 * elsewhere shows.
 */
#include "store/audit.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/hex.h"
#include "base/json.h"
#include "crypto/jws.h"
#include "crypto/key.h"
#include "store/copy.h"

#define TOKEN_TYPE       "avow-audit+jwt"
#define RECORD_BYTES_MAX (64 * 1024)
#define NO_PREVIOUS      "0000000000000000000000000000000000000000000000000000000000000000"

struct audit_key {
        struct key *key;
};

/* The triggers are SQLite's; they stop mistakes, the chain shows intent. */
const char audit_migration[] =
        "CREATE TABLE audit (seq BIGINT NOT NULL PRIMARY KEY, hash TEXT NOT NULL, token TEXT NOT NULL);"
        "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit"
        " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;"
        "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit"
        " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END";

int audit_key_new(struct view pem, struct audit_key **ret_key, struct err *err)
{
        AUTO(audit_key_free_p)
        struct audit_key *key = mem_zalloc(1, sizeof(*key));
        AUTO(pubkey_free_p)
        struct pubkey *pub = NULL;
        int r;

        if (!key)
                return err_nomem(err);
        r = key_from_pem(pem, &key->key, err);
        if (r >= 0)
                r = key_public(key->key, &pub, err);
        if (r < 0)
                return r;
        if (pubkey_curve(pub) != CURVE_P256)
                return err_set(err, ERR_FORMAT, 0, "the audit log's key must be an EC key on P-256");
        *ret_key = TAKE(key);
        return 0;
}

void audit_key_free(struct audit_key *key)
{
        if (key)
                key_free(key->key);
        free(key);
}

int audit_key_jwks(const struct audit_key *key, char **ret, struct err *err)
{
        AUTO(pubkey_free_p)
        struct pubkey *pub = NULL;
        int r = key_public(key->key, &pub, err);

        if (r < 0)
                return r;
        return jwks_make((const struct pubkey *const[]){pub}, 1, ret, err);
}

int audit_entry_dup(const struct audit_entry *from, struct audit_entry *ret, struct err *err)
{
        struct audit_entry e = {.time_ms = from->time_ms};

        if (COPY_TEXTS(err, {from->tenant, (char **)&e.tenant}, {from->actor, (char **)&e.actor},
                       {from->action, (char **)&e.action}, {from->object, (char **)&e.object},
                       {from->detail, (char **)&e.detail}) < 0) {
                audit_entry_free(&e);
                return -ERR_NOMEM;
        }
        *ret = e;
        return 0;
}

void audit_entry_free(struct audit_entry *e)
{
        free((char *)e->tenant);
        free((char *)e->actor);
        free((char *)e->action);
        free((char *)e->object);
        free((char *)e->detail);
        *e = (struct audit_entry){.time_ms = 0};
}

/* ---- writing ---- */

static int hash_token(struct view token, char ret[65], struct err *err)
{
        struct digest d;
        int r = digest_bytes(DIGEST_SHA256, token, &d, err);

        if (r >= 0)
                (void)hex_write(ret, digest_view(&d));
        return r;
}

static int make_payload(const struct audit_entry *e, const struct audit_chain *head, char **ret,
                        struct err *err)
{
        AUTO(json_free_p)
        json_t *j = json_object(), *detail = NULL;
        int r = 0;

        if (e->detail && json_parse(view_str(e->detail), RECORD_BYTES_MAX, &detail, err) < 0)
                return err_wrap(err, "audit record '%s': detail", e->action);
        r |= json_set_int(j, "seq", head->seq + 1);
        r |= json_set_str(j, "prev", head->head);
        r |= json_set_time(j, "time", e->time_ms);
        r |= json_set_str(j, "tenant", e->tenant ? e->tenant : "default");
        r |= json_set_str(j, "actor", e->actor);
        r |= json_set_str(j, "action", e->action);
        r |= json_set_str(j, "object", e->object);
        if (detail)
                r |= json_object_set(j, "detail", detail);
        *ret = r ? NULL : json_print(j);
        return *ret ? 0 : err_nomem(err);
}

static int read_head(const struct store_row *row, void *arg, struct err *err)
{
        struct audit_chain *head = arg;
        const char *hash = store_row_text(row, 1);

        if (!hash || strlen(hash) != 64)
                return err_set(err, ERR_FORMAT, 0, "the audit log's last record is damaged");
        head->seq = store_row_int(row, 0);
        memcpy(head->head, hash, sizeof(head->head));
        return 0;
}

int audit_append(struct store_conn *c, const struct audit_key *key, const struct audit_entry *entry,
                 struct err *err)
{
        static const char sql_head[] = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
        static const char sql_add[] = "INSERT INTO audit (seq, hash, token) VALUES ($1, $2, $3)";
        struct audit_chain head = {.seq = 0, .head = NO_PREVIOUS};
        AUTO(mem_free_p)
        char *payload = NULL;
        AUTO(mem_free_p)
        char *token = NULL;
        char hash[65];
        int r;

        if (!key)
                return 0;
        r = store_query(c, sql_head, STORE_NO_ARGS, read_head, &head, err);
        if (r >= 0)
                r = make_payload(entry, &head, &payload, err);
        if (r >= 0)
                r = jws_sign(key->key, TOKEN_TYPE, view_str(payload), &token, err);
        if (r >= 0)
                r = hash_token(view_str(token), hash, err);
        if (r >= 0)
                r = store_exec(c, sql_add, STORE_ARGS(STORE_I(head.seq + 1), STORE_T(hash), STORE_T(token)),
                               err);
        return r < 0 ? err_wrap(err, "audit log") : 0;
}

struct export
{
        struct buf *lines;
        int64_t *seq;
};

static int read_token(const struct store_row *row, void *arg, struct err *err)
{
        struct export *x = arg;

        *x->seq = store_row_int(row, 0);
        buf_put_view(x->lines, store_row_blob(row, 1));
        buf_str(x->lines, "\n");
        return buf_ok(x->lines) ? 0 : err_nomem(err);
}

int audit_export(struct store_conn *c, int64_t after_seq, size_t limit, struct buf *ret_lines,
                 int64_t *ret_seq, struct err *err)
{
        static const char sql[] = "SELECT seq, token FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2";
        struct export x = {.lines = ret_lines, .seq = ret_seq};
        int r;

        *ret_seq = after_seq;
        r = store_query(c, sql, STORE_ARGS(STORE_I(after_seq), STORE_I((int64_t)limit)), read_token, &x, err);
        return r < 0 ? r : 0;
}

/* ---- checking ---- */

void audit_record_free(struct audit_record *r)
{
        free(r->prev);
        free(r->tenant);
        free(r->actor);
        free(r->action);
        free(r->object);
        free(r->detail);
        *r = (struct audit_record){.seq = 0};
}

static int opt_text(const json_t *j, const char *name, char **ret, struct err *err)
{
        const char *s = NULL;
        int r = json_opt_str(j, name, &s, err);

        return r < 0 ? r : copy_str(s, ret, err);
}

static int fill_record(const json_t *j, struct audit_record *rec, struct err *err)
{
        const json_t *detail = NULL;
        const char *prev = NULL;

        if (json_get_int(j, "seq", 1, INT64_MAX, &rec->seq, err) < 0 ||
            json_get_str(j, "prev", &prev, err) < 0 || json_get_time(j, "time", &rec->time_ms, err) < 0 ||
            opt_text(j, "tenant", &rec->tenant, err) < 0 || opt_text(j, "actor", &rec->actor, err) < 0 ||
            opt_text(j, "action", &rec->action, err) < 0 || opt_text(j, "object", &rec->object, err) < 0 ||
            copy_str(prev, &rec->prev, err) < 0 || json_opt_object(j, "detail", &detail, err) < 0)
                return -(int)err->kind;
        if (detail) {
                rec->detail = json_print(detail);
                if (!rec->detail)
                        return err_nomem(err);
        }
        return 0;
}

static int parse_payload(struct view payload, struct audit_record *ret_record, struct err *err)
{
        AUTO(json_free_p)
        json_t *j = NULL;
        struct audit_record rec = {.seq = 0};
        int r = json_parse(payload, RECORD_BYTES_MAX, &j, err);

        if (r >= 0)
                r = fill_record(j, &rec, err);
        if (r < 0) {
                audit_record_free(&rec);
                return err_wrap(err, "audit record");
        }
        *ret_record = rec;
        return 0;
}

int audit_record_parse(struct view token, struct audit_record *ret_record, struct err *err)
{
        const uint8_t *first = token.len ? memchr(token.p, '.', token.len) : NULL;
        const uint8_t *second = NULL;
        struct buf payload = {0};
        size_t at;
        int r;

        if (first) {
                at = (size_t)(first - token.p) + 1;
                second = memchr(token.p + at, '.', token.len - at);
        }
        if (!second)
                return err_set(err, ERR_FORMAT, 0, "audit record: not header.payload.signature");
        r = base64url_decode(VIEW(token.p + at, (size_t)(second - token.p) - at), RECORD_BYTES_MAX, &payload,
                             err);
        if (r >= 0)
                r = parse_payload(VIEW_BUF(&payload), ret_record, err);
        buf_free(&payload);
        return r;
}

/* The parts of the check that need no key. */
static int check_link(const struct audit_chain *chain, const struct audit_record *rec, struct err *err)
{
        const char *want = chain->head[0] ? chain->head : NO_PREVIOUS;

        if (rec->seq != chain->seq + 1)
                return err_set(err, ERR_FORMAT, 0,
                               "record %lld follows record %lld: records are missing or moved",
                               (long long)rec->seq, (long long)chain->seq);
        if (!equal_ct(rec->prev, strlen(rec->prev), want, strlen(want)))
                return err_set(err, ERR_FORMAT, 0, "record %lld does not follow the record before it: %s",
                               (long long)rec->seq, "another record stood there when it was written");
        return 0;
}

int audit_chain_check(struct audit_chain *chain, const struct pubkey *key, struct view token,
                      struct audit_record *ret_record, struct err *err)
{
        struct audit_record rec = {.seq = 0};
        struct audit_chain next = *chain;
        struct buf payload = {0};
        bool good = false;
        int r;

        r = jws_verify(key, TOKEN_TYPE, token, &payload, &good, err);
        if (r >= 0 && !good)
                r = err_set(err, ERR_CRYPTO, 0, "the record after %lld is not signed by this key",
                            (long long)chain->seq);
        if (r >= 0)
                r = parse_payload(VIEW_BUF(&payload), &rec, err);
        if (r >= 0)
                r = check_link(chain, &rec, err);
        if (r >= 0)
                r = hash_token(token, next.head, err);
        if (r >= 0) {
                next.seq = rec.seq;
                *chain = next;
                if (ret_record) {
                        *ret_record = rec;
                        rec = (struct audit_record){.seq = 0};
                }
        }
        audit_record_free(&rec);
        buf_free(&payload);
        return r < 0 ? r : 0;
}
