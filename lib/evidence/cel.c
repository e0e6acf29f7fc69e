/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the log of a measurement register.
 *
 * Framing is RFC 7464: 0x1e, a JSON text, 0x0a. Neither byte can stand inside a JSON string, so a record that
 * a crash cut short cannot swallow the next one: `incomplete` (the file just ends) and `invalid` are
 * different things here, and only the reader of its own file may forgive the first.
 *
 * Records of ours are read strictly, unknown members refused. Records of others are somebody else's format:
 * what replay and policy need is read where it is there (register, digests, systemd's text), the rest stays
 * in `raw`. One of another kind (newer systemds also log into NV indexes) does not make the log unreadable;
 * it does not replay either.
 *
 * Spec: RFC 7464 §2; TCG Canonical Event Log 1.0 §5.1 (field names); systemd's tpm2-measure.log.
 */
#include "evidence/cel.h"

#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "evidence/pcr.h"
#include "evidence/revocation_order.h"

#define RS 0x1e
#define LF 0x0a

#define FOREIGN_DIGESTS_MAX 16

/* hex as a digest of BANK, appended to LIST unless the bank is there already. */
static int add_digest(struct digest *list, size_t *n, enum digest_alg bank, const char *hex, struct err *err)
{
        uint8_t bytes[DIGEST_BYTES_MAX];
        size_t size = digest_size(bank);
        int r;

        for (size_t i = 0; i < *n; i++)
                if (list[i].alg == bank)
                        return err_set(err, ERR_FORMAT, 0, "two digests of bank %s", digest_name(bank));
        r = hex_decode_exact(view_str(hex), bytes, size, err);
        if (r < 0)
                return err_wrap(err, "%s digest", digest_name(bank));
        return digest_set(bank, VIEW(bytes, size), &list[(*n)++], err); /* four banks, four places */
}

static int read_digests(const json_t *j, struct cel_record *rec, struct err *err)
{
        static const char *const names[] = {"hashAlg", "digest"};
        const json_t *list = NULL;
        int r = rec->ours ? json_get_array(j, "digests", FOREIGN_DIGESTS_MAX, &list, err)
                          : json_opt_array(j, "digests", FOREIGN_DIGESTS_MAX, &list, err);

        for (size_t i = 0; r >= 0 && i < json_array_size(list); i++) {
                const json_t *e = json_array_get(list, i);
                const char *alg = NULL, *hex = NULL;
                enum digest_alg bank;

                r = json_only(e, names, ARRAY_LEN(names), err);
                if (r >= 0)
                        r = json_get_str(e, "hashAlg", &alg, err);
                if (r >= 0)
                        r = json_get_str(e, "digest", &hex, err);
                if (r < 0)
                        return err_wrap(err, "digests");
                if (digest_by_name(alg, &bank))
                        r = add_digest(rec->digests, &rec->n_digests, bank, hex, err);
                else if (rec->ours)
                        r = err_set(err, ERR_FORMAT, 0, "bank %s is not known", SHOW(alg));
        }
        if (r >= 0 && rec->ours && !rec->n_digests)
                return err_set(err, ERR_FORMAT, 0, "no digest of a bank that is known");
        return r;
}

/* A copy of member NAME; *ret stays NULL if it may be missing and is. */
static int read_text(const json_t *j, const char *name, bool needed, char **ret, struct err *err)
{
        const char *s = NULL;
        int r = needed ? json_get_str(j, name, &s, err) : json_opt_str(j, name, &s, err);

        if (r < 0 || !s)
                return r;
        if (strlen(s) > CEL_TEXT_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "member '%s': %zu bytes (at most %d)", name, strlen(s),
                               CEL_TEXT_BYTES_MAX);
        *ret = str_dup(s);
        return *ret ? 0 : err_nomem(err);
}

static int read_before(const json_t *content, struct cel_record *rec, struct err *err)
{
        const json_t *before = NULL;
        const char *name;
        json_t *value;
        int r = json_get_object(content, "pcr_before", &before, err);

        if (r < 0)
                return r;
        json_object_foreach ((json_t *)before, name, value) {
                enum digest_alg bank;

                if (!digest_by_name(name, &bank) || !json_is_string(value))
                        return err_set(err, ERR_FORMAT, 0,
                                       "pcr_before: %s is no digest of a bank that is "
                                       "known",
                                       SHOW(name));
                r = add_digest(rec->before, &rec->n_before, bank, json_string_value(value), err);
                if (r < 0)
                        return err_wrap(err, "pcr_before");
        }
        return 0;
}

static int read_measured(const json_t *content, struct cel_record *rec, struct err *err)
{
        static const char *const names[] = {"kind",      "runtime",    "path",  "size",
                                            "timestamp", "pcr_before", "reset", "restart"};
        int64_t size = 0;
        int r = json_only(content, names, ARRAY_LEN(names), err);

        if (r >= 0)
                r = read_text(content, "runtime", true, &rec->runtime, err);
        if (r >= 0)
                r = read_text(content, "path", true, &rec->path, err);
        if (r >= 0)
                r = json_get_int(content, "size", 0, INT64_MAX, &size, err);
        rec->size_bytes = (uint64_t)size;
        return r;
}

static int read_revoked(const json_t *content, struct cel_record *rec, struct err *err)
{
        static const char *const names[] = {"kind",       "verifier", "revocation", "timestamp",
                                            "pcr_before", "reset",    "restart"};
        int r = json_only(content, names, ARRAY_LEN(names), err);

        if (r >= 0)
                r = read_text(content, "verifier", true, &rec->verifier, err);
        return r < 0 ? r : read_text(content, "revocation", true, &rec->revocation, err);
}

/* A SHA-256. */
static int read_sha256(const json_t *j, const char *name, struct digest *ret, struct err *err)
{
        uint8_t bytes[32];
        const char *hex = NULL;
        int r = json_get_str(j, name, &hex, err);

        if (r >= 0 && (r = hex_decode_exact(view_str(hex), bytes, sizeof(bytes), err)) < 0)
                return err_wrap(err, "member '%s'", name);
        return r < 0 ? r : digest_set(DIGEST_SHA256, VIEW_ARRAY(bytes), ret, err);
}

static int read_launched(const json_t *content, struct cel_record *rec, struct err *err)
{
        static const char *const names[] = {"kind",       "launch", "module", "runtime",
                                            "closure",    "permit", "cached", "timestamp",
                                            "pcr_before", "reset",  "restart"};
        int r = json_only(content, names, ARRAY_LEN(names), err);

        if (r >= 0)
                r = read_sha256(content, "launch", &rec->launch, err);
        if (r >= 0)
                r = read_sha256(content, "module", &rec->module, err);
        if (r >= 0)
                r = read_sha256(content, "closure", &rec->closure, err);
        if (r >= 0)
                r = read_text(content, "runtime", true, &rec->runtime, err);
        if (r >= 0)
                r = read_text(content, "permit", true, &rec->permit, err);
        return r < 0 ? r : json_get_bool(content, "cached", &rec->cached, err);
}

static int read_foreign(const json_t *content, struct cel_record *rec, struct err *err)
{
        static const char *const names[] = {"path", "sha256"};
        const json_t *list = NULL;
        int r = json_get_array(content, "foreign", CEL_FOREIGN_MAX, &list, err);

        if (r < 0)
                return r;
        rec->foreign = mem_zalloc(json_array_size(list), sizeof(*rec->foreign));
        if (!rec->foreign)
                return err_nomem(err);
        for (size_t i = 0; i < json_array_size(list) && r >= 0; i++) {
                struct cel_foreign *f = &rec->foreign[rec->n_foreign++];
                const json_t *e = json_array_get(list, i);

                r = json_only(e, names, ARRAY_LEN(names), err);
                if (r >= 0)
                        r = read_sha256(e, "sha256", &f->sha256, err);
                if (r >= 0)
                        r = read_text(e, "path", true, &f->path, err);
        }
        return r < 0 ? err_wrap(err, "member 'foreign'") : 0;
}

static int read_mapped(const json_t *content, struct cel_record *rec, struct err *err)
{
        static const char *const names[] = {"kind",      "launch",     "mappings", "foreign",
                                            "timestamp", "pcr_before", "reset",    "restart"};
        int r = json_only(content, names, ARRAY_LEN(names), err);

        if (r >= 0)
                r = read_sha256(content, "launch", &rec->launch, err);
        if (r >= 0)
                r = read_sha256(content, "mappings", &rec->mappings, err);
        return r < 0 ? r : read_foreign(content, rec, err);
}

/* Records of any other kind are measurements of files. */
static int read_kind(const json_t *content, struct cel_record *rec, struct err *err)
{
        static const struct {
                const char *kind;
                int (*read)(const json_t *content, struct cel_record *rec, struct err *err);
        } kinds[] = {{CEL_KIND_REVOKE, read_revoked},
                     {CEL_KIND_LAUNCH, read_launched},
                     {CEL_KIND_MAPPED, read_mapped}};

        for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
                if (str_equal(rec->kind, kinds[i].kind))
                        return kinds[i].read(content, rec, err);
        return read_measured(content, rec, err);
}

static int read_ours(const json_t *content, struct cel_record *rec, struct err *err)
{
        int64_t timestamp = 0, reset = 0, restart = 0;
        int r = read_text(content, "kind", true, &rec->kind, err);

        if (r >= 0)
                r = read_kind(content, rec, err);
        if (r >= 0)
                r = json_get_int(content, "timestamp", 0, INT64_MAX, &timestamp, err);
        if (r >= 0)
                r = json_get_int(content, "reset", 0, UINT32_MAX, &reset, err);
        if (r >= 0)
                r = json_get_int(content, "restart", 0, UINT32_MAX, &restart, err);
        if (r >= 0)
                r = read_before(content, rec, err);
        if (r < 0)
                return r;
        rec->has_timestamp = true;
        rec->timestamp_us = (uint64_t)timestamp;
        rec->reset_count = (uint32_t)reset;
        rec->restart_count = (uint32_t)restart;
        return 0;
}

static int read_systemd(const json_t *content, struct cel_record *rec, struct err *err)
{
        int64_t timestamp = -1;
        int r = read_text(content, "string", false, &rec->string, err);

        if (r >= 0)
                r = read_text(content, "eventType", false, &rec->event_type, err);
        if (r >= 0)
                r = read_text(content, "bootId", false, &rec->boot_id, err);
        if (r >= 0)
                r = json_opt_int(content, "timestamp", 0, INT64_MAX, &timestamp, err);
        if (r < 0)
                return r;
        rec->has_timestamp = timestamp >= 0;
        rec->timestamp_us = rec->has_timestamp ? (uint64_t)timestamp : 0;
        return 0;
}

static int read_content(const json_t *j, struct cel_record *rec, struct err *err)
{
        const json_t *content = json_object_get(j, "content");

        if (rec->ours)
                return read_ours(content, rec, err);
        if (str_equal(rec->content_type, CEL_CONTENT_SYSTEMD) && json_is_object(content))
                return read_systemd(content, rec, err);
        return 0;
}

static int read_record(const json_t *j, struct cel_record *rec, struct err *err)
{
        static const char *const names[] = {"pcr", "digests", "content_type", "content"};
        int64_t pcr = -1;
        int r = read_text(j, "content_type", true, &rec->content_type, err);

        if (r < 0)
                return r;
        rec->ours = str_equal(rec->content_type, CEL_CONTENT_AVOW);
        if (rec->ours)
                r = json_only(j, names, ARRAY_LEN(names), err);
        if (r >= 0)
                r = rec->ours ? json_get_int(j, "pcr", 0, PCR_COUNT - 1, &pcr, err)
                              : json_opt_int(j, "pcr", 0, PCR_COUNT - 1, &pcr, err);
        rec->pcr = pcr < 0 ? CEL_NO_PCR : (unsigned)pcr;
        if (r >= 0)
                r = read_digests(j, rec, err);
        if (r >= 0)
                r = read_content(j, rec, err);
        return r < 0 ? r : 0;
}

static void record_done(struct cel_record *rec)
{
        free(rec->content_type);
        free(rec->kind);
        free(rec->runtime);
        free(rec->path);
        free(rec->verifier);
        free(rec->revocation);
        free(rec->permit);
        for (size_t i = 0; i < rec->n_foreign; i++)
                free(rec->foreign[i].path);
        free(rec->foreign);
        free(rec->string);
        free(rec->event_type);
        free(rec->boot_id);
}

void cel_log_free(struct cel_log *log)
{
        if (!log)
                return;
        for (size_t i = 0; i < log->n; i++)
                record_done(&log->records[i]);
        free(log->records);
        free(log);
}

/* The next record as bytes. Return: 1; 0 if what is left has no end; < 0. */
static int next_raw(struct cursor *c, struct view *ret, struct err *err)
{
        const uint8_t *end;
        size_t len;

        if (c->p[0] != RS)
                return err_set(err, ERR_FORMAT, 0, "byte %zu: expected the start of a record (0x1e)", c->at);
        end = memchr(c->p + 1, RS, c->left - 1);
        len = end ? (size_t)(end - c->p) : c->left;
        if (c->p[len - 1] != LF) {
                if (!end)
                        return 0;
                return err_set(err, ERR_FORMAT, 0, "the record at byte %zu does not end with a line feed",
                               c->at);
        }
        if (len > CEL_RECORD_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "the record at byte %zu has %zu bytes (at most %d)", c->at,
                               len, CEL_RECORD_BYTES_MAX);
        return cursor_take(c, len, ret) ? 1 : err_set(err, ERR_BUG, 0, "record framing");
}

static int parse_record(struct view raw, struct cel_record *rec, struct err *err)
{
        AUTO(json_free_p)
        json_t *j = NULL;
        int r = json_parse(VIEW(raw.p + 1, raw.len - 2), CEL_RECORD_BYTES_MAX, &j, err);

        rec->raw = raw;
        if (r == 0)
                r = read_record(j, rec, err);
        if (r < 0)
                record_done(rec);
        return r;
}

static int grow(struct cel_log *log, size_t *cap, struct err *err)
{
        struct cel_record *grown;
        size_t want = *cap ? *cap * 2 : 8;

        if (log->n < *cap)
                return 0;
        grown = mem_resize(log->records, want, sizeof(*grown));
        if (!grown)
                return err_nomem(err);
        log->records = grown;
        *cap = want;
        return 0;
}

int cel_parse_file(struct view text, size_t max_records, struct cel_log **ret, size_t *ret_used,
                   struct err *err)
{
        AUTO(cel_log_free_p)
        struct cel_log *log = mem_zalloc(1, sizeof(*log));
        struct cursor c = cursor_of(text);
        size_t cap = 0;

        if (!log)
                return err_nomem(err);
        while (c.left) {
                struct cel_record rec = {0};
                int r = next_raw(&c, &rec.raw, err);

                if (r == 0)
                        break;
                if (r > 0 && log->n == max_records)
                        r = err_set(err, ERR_LIMIT, 0, "more than %zu records", max_records);
                if (r > 0)
                        r = grow(log, &cap, err);
                if (r == 0)
                        r = parse_record(rec.raw, &rec, err);
                if (r < 0)
                        return err_wrap(err, "record %zu", log->n);
                log->records[log->n++] = rec;
        }
        *ret_used = c.at;
        *ret = TAKE(log);
        return 0;
}

int cel_parse(struct view text, size_t max_records, struct cel_log **ret, struct err *err)
{
        AUTO(cel_log_free_p)
        struct cel_log *log = NULL;
        size_t used = 0;
        int r;

        if (text.len > CEL_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "log of %zu bytes (at most %u)", text.len, CEL_BYTES_MAX);
        r = cel_parse_file(text, max_records, &log, &used, err);
        if (r < 0)
                return r;
        if (used != text.len)
                return err_set(err, ERR_FORMAT, 0, "record %zu has no end", log->n);
        *ret = TAKE(log);
        return 0;
}

const struct digest *cel_record_digest(const struct cel_record *r, enum digest_alg bank)
{
        for (size_t i = 0; i < r->n_digests; i++)
                if (r->digests[i].alg == bank)
                        return &r->digests[i];
        return NULL;
}

int cel_record_covers_string(const struct cel_record *r, enum digest_alg bank, bool *ret, struct err *err)
{
        const struct digest *have = cel_record_digest(r, bank);
        struct digest want;
        int rc;

        *ret = false;
        if (!have || !r->string)
                return 0;
        rc = digest_bytes(bank, view_str(r->string), &want, err);
        if (rc == 0)
                *ret = digest_equal(&want, have);
        return rc;
}

int cel_record_is_revocation(const struct cel_record *r, enum digest_alg bank, bool *ret, struct err *err)
{
        const struct digest *have = cel_record_digest(r, bank);
        struct digest want;
        int rc;

        *ret = false;
        if (!have || !r->ours || !r->verifier || !r->revocation)
                return 0;
        rc = revocation_record_digest(bank, r->verifier, r->revocation, &want, err);
        if (rc == 0)
                *ret = digest_equal(&want, have);
        return rc;
}
