/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow audit show|verify`: what was done, by whom, and whether the log still says what it said. Each record
 * is signed and holds the digest of the one before; what a check alone cannot see is that the newest records
 * were cut off, so verify prints the head and accepts one that was noted earlier.
 * Spec: SR-12.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/jwks.h"
#include "store/audit.h"
#include "tenant/api.h"
#include "tenant/output.h"

#define PAGE            500
#define FILE_BYTES_MAX  (1u << 30)
#define LINES_BYTES_MAX (64u << 20)

struct audit_values {
        const char *of, *after, *limit, *file, *keys, *head, *save;
};

#define AT(member) offsetof(struct audit_values, member)
#define OF_ROW                                                                                               \
        {                                                                                                    \
                "of", "SERVER", "whose log: verifier (default) or registrar", OPTION_TEXT, AT(of)            \
        }

static const struct option_row show_options[] = {
        OF_ROW,
        {"after", "N", "records after this number", OPTION_TEXT, AT(after)},
        {"limit", "N", "at most so many (100)", OPTION_TEXT, AT(limit)},
        {0},
};

static const struct option_row verify_options[] = {
        OF_ROW,
        {"file", "FILE", "check this exported log instead of asking", OPTION_TEXT, AT(file)},
        {"keys", "FILE", "the key set to check with (JWKS), instead of the server's word for it", OPTION_TEXT,
         AT(keys)},
        {"head", "N:HEX", "the log must hold record N with this digest (a head noted earlier)", OPTION_TEXT,
         AT(head)},
        {"save", "FILE", "write the log that was checked", OPTION_TEXT, AT(save)},
        {0},
};

static int open_log(const struct session *s, const struct audit_values *v, struct api **ret, struct err *err)
{
        if (v->of && strcmp(v->of, "verifier") != 0 && strcmp(v->of, "registrar") != 0)
                return err_set(err, ERR_CONFIG, 0, "--of %s: choose verifier or registrar", SHOW(v->of));
        return api_open(s, v->of && strcmp(v->of, "registrar") == 0 ? API_REGISTRAR : API_VERIFIER, ret, err);
}

/* Records after *AFTER, appended to OUT; *AFTER moves on. Return: how many bytes, or < 0. */
static int64_t fetch_lines(struct api *api, int64_t *after, int64_t limit, struct buf *out, struct err *err)
{
        AUTO(http_fetched_free_p) struct http_fetched *answer = NULL;
        AUTO(mem_free_p)
        char *path = str_fmt("/avow/v1/audit?after=%" PRId64 "&limit=%" PRId64, *after, limit);
        const struct api_request req = {.method = "GET", .path = path};
        const struct http_response *res;
        const char *last;
        int r = path ? api_send(api, &req, &answer, err) : err_nomem(err);

        if (r < 0)
                return r;
        res = http_fetched_response(answer);
        if (res->body.len == 0)
                return 0;
        last = http_response_header(res, "Avow-Audit-Last");
        if (!last || str_parse_int(view_str(last), *after + 1, INT64_MAX, after, err) < 0)
                return err_set(err, ERR_PEER, 0, "the server does not say where its audit records end");
        buf_put_view(out, res->body);
        return buf_ok(out) ? (int64_t)res->body.len : err_nomem(err);
}

/* Cuts the next line off. Return: false at the end. */
static bool next_line(struct view *text, struct view *ret)
{
        const uint8_t *end;

        if (text->len == 0)
                return false;
        end = memchr(text->p, '\n', text->len);
        ret->p = text->p;
        ret->len = end ? (size_t)(end - text->p) : text->len;
        text->p += ret->len + (end != NULL);
        text->len -= ret->len + (end != NULL);
        return true;
}

/* ---- show ---- */

static const struct column show_columns[] = {
        {"N", "seq"},      {"TIME", "time"}, {"WHO", "actor"},
        {"DID", "action"}, {"TO", "object"}, {"DETAIL", "detail"},
};

static int add_record(json_t *records, struct view line, struct err *err)
{
        struct audit_record rec = {0};
        char time[CLOCK_TEXT_BYTES];
        json_t *detail = NULL, *row;
        int r = audit_record_parse(line, &rec, err);

        if (r < 0)
                return r;
        (void)clock_format(rec.time_ms, time);
        if (rec.detail)
                detail = json_loads(rec.detail, JSON_REJECT_DUPLICATES, NULL);
        row = json_pack("{s:I, s:s, s:s?, s:s?, s:s?, s:s?, s:o?}", "seq", (json_int_t)rec.seq, "time", time,
                        "tenant", rec.tenant, "actor", rec.actor, "action", rec.action, "object", rec.object,
                        "detail", detail);
        audit_record_free(&rec);
        return !row || json_array_append_new(records, row) < 0 ? err_nomem(err) : 0;
}

static int run_show(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct audit_values *v = values;
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        AUTO(buf_free) struct buf lines = {0};
        int64_t after = 0, limit = 100;
        json_t *records = json_array();
        struct view text, line;
        int r;

        (void)n_args, (void)args;
        doc = output_document("audit");
        if (!doc || json_object_set_new(doc, "records", records) < 0)
                return err_nomem(err);
        if (v->after && str_parse_int(view_str(v->after), 0, INT64_MAX, &after, err) < 0)
                return err_wrap(err, "--after");
        if (v->limit && str_parse_int(view_str(v->limit), 1, PAGE, &limit, err) < 0)
                return err_wrap(err, "--limit");
        r = open_log(s, v, &api, err);
        if (r == 0 && fetch_lines(api, &after, limit, &lines, err) < 0)
                r = -(int)err->kind;
        if (r < 0)
                return r;
        text = VIEW_BUF(&lines);
        while (r == 0 && next_line(&text, &line))
                r = add_record(records, line, err);
        if (r == 0)
                r = json_object_set_new(doc, "next", json_integer(after)) < 0 ? err_nomem(err) : 0;
        return r < 0 ? r : output_list(s, doc, "records", show_columns, ARRAY_LEN(show_columns), err);
}

/* ---- verify ---- */

struct check {
        struct jwks keys;
        struct audit_chain chain;
        int64_t head_seq; /* the one noted earlier; 0: none */
        const char *head;
        bool head_seen;
};

/* A head as verify prints it: "812:HEX". */
static int parse_head(struct check *c, const char *text, struct err *err)
{
        const char *colon = strchr(text, ':');

        if (!colon ||
            str_parse_int(VIEW(text, (size_t)(colon - text)), 1, INT64_MAX, &c->head_seq, err) < 0 ||
            strlen(colon + 1) != 64)
                return err_set(err, ERR_CONFIG, 0,
                               "--head %s: expected N:HEX as 'avow audit verify' prints it", SHOW(text));
        c->head = colon + 1;
        return 0;
}

/* Return: 0 good; -kind: the text says what is wrong with which record. */
static int check_line(struct check *c, struct view line, struct err *err)
{
        int r = -ERR_CRYPTO;

        /* Keys were exchanged in the log's life: the one that fits signed it. */
        for (size_t i = 0; i < c->keys.n && r == -ERR_CRYPTO; i++) {
                err_clear(err);
                r = audit_chain_check(&c->chain, c->keys.keys[i], line, NULL, err);
        }
        if (r < 0)
                return r;
        if (c->head_seq == c->chain.seq) {
                if (strcmp(c->head, c->chain.head) != 0)
                        return err_set(err, ERR_FORMAT, 0,
                                       "record %" PRId64
                                       " is not the one that was noted: the log was replaced",
                                       c->head_seq);
                c->head_seen = true;
        }
        return 0;
}

static int load_keys(struct api *api, const struct audit_values *v, struct check *c, struct err *err)
{
        AUTO(http_fetched_free_p) struct http_fetched *answer = NULL;
        const struct api_request req = {.method = "GET", .path = "/avow/v1/audit/keys"};
        AUTO(buf_free) struct buf text = {0};
        int r;

        if (v->keys) {
                r = file_read(v->keys, 64 * 1024, &text, err);
                r = r < 0 ? r : jwks_parse(VIEW_BUF(&text), &c->keys, err);
                return r < 0 ? err_wrap(err, "%s", v->keys) : 0;
        }
        r = api_send(api, &req, &answer, err);
        return r < 0 ? r : jwks_parse(http_fetched_response(answer)->body, &c->keys, err);
}

static int check_text(struct check *c, struct view text, struct err *err)
{
        struct view line;
        int r = 0;

        while (r == 0 && next_line(&text, &line))
                r = check_line(c, line, err);
        return r;
}

/* The whole log, page by page, checked as it comes, kept if KEEP. */
static int check_server(struct api *api, struct check *c, struct buf *keep, bool keep_it, struct err *err)
{
        int64_t after = 0;

        for (;;) {
                AUTO(buf_free) struct buf lines = {0};
                int64_t n = fetch_lines(api, &after, PAGE, &lines, err);
                int r = n <= 0 ? (int)n : check_text(c, VIEW_BUF(&lines), err);

                if (keep_it)
                        buf_put_view(keep, VIEW_BUF(&lines));
                if (r < 0 || n == 0)
                        return r;
        }
}

static int report(const struct session *s, const struct check *c, const struct err *wrong, struct err *err)
{
        bool good = wrong->kind == ERR_NONE;
        AUTO(json_free_p)
        json_t *doc = json_pack("{s:s, s:b, s:I, s:s?, s:s?}", "schema", "avow.audit-check/1", "good", good,
                                "records", (json_int_t)c->chain.seq, "head",
                                c->chain.head[0] ? c->chain.head : NULL, "wrong", good ? NULL : wrong->text);
        int r = doc ? output_document_if_asked(s, doc, err) : err_nomem(err);

        if (r < 0)
                return r;
        if (r == 0 && good)
                (void)printf("The audit log is whole: %" PRId64 " records, head %" PRId64 ":%s\n"
                             "Note the head elsewhere; --head shows later that nothing was cut off.\n",
                             c->chain.seq, c->chain.seq, c->chain.head);
        else if (r == 0)
                (void)printf("The audit log is NOT good: %s\nGood up to record %" PRId64 ".\n", wrong->text,
                             c->chain.seq);
        return good ? ANSWER_DONE : ANSWER_NO;
}

static int verify(const struct audit_values *v, struct api *api, struct check *c, struct err *wrong,
                  struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        int r;

        if (v->head && parse_head(c, v->head, err) < 0)
                return -(int)err->kind;
        r = load_keys(api, v, c, err);
        if (r == 0 && v->file)
                r = file_read(v->file, FILE_BYTES_MAX, &text, err);
        if (r < 0)
                return r;
        r = v->file ? check_text(c, VIEW_BUF(&text), wrong)
                    : check_server(api, c, &text, v->save != NULL, wrong);
        if (r < 0 && wrong->kind != ERR_FORMAT && wrong->kind != ERR_CRYPTO) {
                *err = *wrong; /* could not be read, which says nothing about it */
                return r;
        }
        if (r == 0 && c->head_seq > 0 && !c->head_seen)
                (void)err_set(wrong, ERR_FORMAT, 0, "it ends before the record that was noted, %" PRId64,
                              c->head_seq);
        if (v->save && !v->file)
                return file_write(v->save, VIEW_BUF(&text), 0600, err);
        return 0;
}

static int run_verify(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct audit_values *v = values;
        AUTO(api_close_p) struct api *api = NULL;
        struct check c = {0};
        struct err wrong = ERR_INIT;
        int r = 0;

        (void)n_args, (void)args;
        if (!v->file || !v->keys)
                r = open_log(s, v, &api, err);
        if (r == 0)
                r = verify(v, api, &c, &wrong, err);
        if (r == 0)
                r = report(s, &c, &wrong, err);
        jwks_done(&c.keys);
        return r;
}

const struct command audit_commands[] = {
        {"audit", "show", "", "Show what was done, and by whom", show_options, sizeof(struct audit_values), 0,
         0, run_show},
        {"audit", "verify", "", "Check the audit log's signatures and order", verify_options,
         sizeof(struct audit_values), 0, 0, run_verify},
        {0},
};
