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

static json_t *content_to_json(const struct cel_record *rec)
{
        AUTO(json_free_p)
        json_t *j = json_object();

        if (!j || json_set_str(j, "kind", rec->kind) < 0)
                return NULL;
        if (rec->revocation ? json_set_str(j, "verifier", rec->verifier) < 0 ||
                                      json_set_str(j, "revocation", rec->revocation) < 0
                            : json_set_str(j, "runtime", rec->runtime) < 0 ||
                                      json_set_str(j, "path", rec->path) < 0 ||
                                      json_set_int(j, "size", (int64_t)rec->size_bytes) < 0)
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

static int check(const struct cel_record *rec, struct err *err)
{
        bool revoke = rec->revocation != NULL;
        const char *const needed[] = {rec->kind, revoke ? rec->verifier : rec->runtime,
                                      revoke ? rec->revocation : rec->path};

        for (size_t i = 0; i < ARRAY_LEN(needed); i++)
                if (!needed[i] || !str_valid_utf8(view_str(needed[i])))
                        return err_set(err, ERR_FORMAT, 0,
                                       "log record: kind and names have to be UTF-8 text");
        if (rec->size_bytes > INT64_MAX || rec->timestamp_us > INT64_MAX)
                return err_set(err, ERR_FORMAT, 0, "log record: size or time above 2^63");
        return 0;
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
