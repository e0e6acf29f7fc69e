/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing the log: the agent's records, and any log as CEL-JSON for people's other tools. What is written is
 * read back before it is given out, so the agent cannot make a log that the verifier will not take.
 */
#include "evidence/cel.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

static json_t *digests_to_json(const struct cel_record *rec)
{
        AUTO(json_free_p)
        json_t *list = json_array();

        for (size_t i = 0; list && i < rec->n_digests; i++) {
                json_t *e = json_object();

                if (json_array_append_new(list, e) < 0 ||
                    json_set_str(e, "hashAlg", digest_name(rec->digests[i].alg)) < 0 ||
                    json_set_hex(e, "digest", digest_view(&rec->digests[i])) < 0)
                        return NULL;
        }
        return TAKE(list);
}

static json_t *before_to_json(const struct cel_record *rec)
{
        AUTO(json_free_p)
        json_t *j = json_object();

        for (size_t i = 0; j && i < rec->n_before; i++)
                if (json_set_hex(j, digest_name(rec->before[i].alg), digest_view(&rec->before[i])) < 0)
                        return NULL;
        return TAKE(j);
}

static int set_measured(json_t *j, const struct cel_record *rec)
{
        return json_set_str(j, "runtime", rec->runtime) | json_set_str(j, "path", rec->path) |
               json_set_int(j, "size", (int64_t)rec->size_bytes);
}

static int set_revoked(json_t *j, const struct cel_record *rec)
{
        return json_set_str(j, "verifier", rec->verifier) | json_set_str(j, "revocation", rec->revocation);
}

static int set_launched(json_t *j, const struct cel_record *rec)
{
        return json_set_hex(j, "launch", digest_view(&rec->launch)) |
               json_set_hex(j, "module", digest_view(&rec->module)) |
               json_set_hex(j, "closure", digest_view(&rec->closure)) |
               json_set_str(j, "runtime", rec->runtime) | json_set_str(j, "permit", rec->permit) |
               json_set_bool(j, "cached", rec->cached);
}

static int set_mapped(json_t *j, const struct cel_record *rec)
{
        json_t *list = json_array();
        int r = json_set_hex(j, "launch", digest_view(&rec->launch)) |
                json_set_hex(j, "mappings", digest_view(&rec->mappings)) |
                json_object_set_new(j, "foreign", list);

        for (size_t i = 0; i < rec->n_foreign && r == 0; i++) {
                json_t *e = json_object();

                r |= json_set_str(e, "path", rec->foreign[i].path) |
                     json_set_hex(e, "sha256", digest_view(&rec->foreign[i].sha256)) |
                     json_array_append_new(list, e);
        }
        return r;
}

/* What each kind of record needs, and how it is written; the last is for all others. */
static const struct kind {
        const char *name;
        size_t texts[2]; /* that must be there, by their place in the record; 0: none */
        int (*set)(json_t *j, const struct cel_record *rec);
} kinds[] = {
        {CEL_KIND_REVOKE,
         {offsetof(struct cel_record, verifier), offsetof(struct cel_record, revocation)},
         set_revoked},
        {CEL_KIND_LAUNCH,
         {offsetof(struct cel_record, runtime), offsetof(struct cel_record, permit)},
         set_launched},
        {CEL_KIND_MAPPED, {0, 0}, set_mapped},
        {NULL, {offsetof(struct cel_record, runtime), offsetof(struct cel_record, path)}, set_measured},
};

static const struct kind *kind_of(const struct cel_record *rec)
{
        const struct kind *k = kinds;

        while (k->name && !str_equal(k->name, rec->kind))
                k++;
        return k;
}

static json_t *content_to_json(const struct cel_record *rec)
{
        AUTO(json_free_p)
        json_t *j = json_object();

        if (!j || json_set_str(j, "kind", rec->kind) < 0 || kind_of(rec)->set(j, rec))
                return NULL;
        if (json_set_int(j, "timestamp", (int64_t)rec->timestamp_us) < 0 ||
            json_set_int(j, "reset", rec->reset_count) < 0 ||
            json_set_int(j, "restart", rec->restart_count) < 0 ||
            json_object_set_new(j, "pcr_before", before_to_json(rec)) < 0)
                return NULL;
        return TAKE(j);
}

static json_t *record_to_json(const struct cel_record *rec)
{
        AUTO(json_free_p)
        json_t *j = json_object();

        if (!j || json_set_int(j, "pcr", rec->pcr) < 0 ||
            json_set_str(j, "content_type", CEL_CONTENT_AVOW) < 0 ||
            json_object_set_new(j, "digests", digests_to_json(rec)) < 0 ||
            json_object_set_new(j, "content", content_to_json(rec)) < 0)
                return NULL;
        return TAKE(j);
}

static int check_text(const char *text, struct err *err)
{
        return text && str_valid_utf8(view_str(text))
                       ? 0
                       : err_set(err, ERR_FORMAT, 0, "log record: kind and names have to be UTF-8 text");
}

static int check(const struct cel_record *rec, struct err *err)
{
        const struct kind *k = kind_of(rec);
        int r = check_text(rec->kind, err);

        for (size_t i = 0; i < ARRAY_LEN(k->texts) && r >= 0; i++)
                if (k->texts[i])
                        r = check_text(*(char *const *)((const char *)rec + k->texts[i]), err);
        for (size_t i = 0; i < rec->n_foreign && r >= 0; i++)
                r = check_text(rec->foreign[i].path, err);
        if (r >= 0 && (rec->size_bytes > INT64_MAX || rec->timestamp_us > INT64_MAX))
                r = err_set(err, ERR_FORMAT, 0, "log record: size or time above 2^63");
        return r;
}

int cel_record_write(const struct cel_record *r, struct buf *out, struct err *err)
{
        AUTO(json_free_p)
        json_t *j = NULL;
        AUTO(mem_free_p)
        char *text = NULL;
        AUTO(buf_free)
        struct buf raw = {0};
        AUTO(cel_log_free_p)
        struct cel_log *log = NULL;
        int rc = check(r, err);

        if (rc < 0)
                return rc;
        j = record_to_json(r);
        text = j ? json_print(j) : NULL;
        if (!text)
                return err_nomem(err);
        buf_u8(&raw, 0x1e);
        buf_str(&raw, text);
        buf_u8(&raw, 0x0a);
        if (!buf_ok(&raw))
                return err_nomem(err);
        rc = cel_parse(VIEW_BUF(&raw), 1, &log, err);
        if (rc < 0)
                return err_wrap(err, "log record");
        buf_put_view(out, VIEW_BUF(&raw));
        return buf_ok(out) ? 0 : err_nomem(err);
}

json_t *cel_to_json(const struct cel_log *log, uint64_t first)
{
        AUTO(json_free_p)
        json_t *list = json_array();

        for (size_t i = 0; list && i < log->n; i++) {
                struct view raw = log->records[i].raw;
                struct err err = ERR_INIT;
                json_t *j = NULL;

                /* It was parsed before: only memory can be wanting. */
                if (json_parse(VIEW(raw.p + 1, raw.len - 2), CEL_RECORD_BYTES_MAX, &j, &err) < 0 ||
                    json_array_append_new(list, j) < 0 || json_set_int(j, "recnum", (int64_t)(first + i)) < 0)
                        return NULL;
        }
        return TAKE(list);
}
