/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow receipt list|get`: what the verifier keeps of a host's receipts, and the countersigned form of one
 * that is in hand. Nothing that comes is believed: `avow receipt verify` judges the file.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "evidence/receipt.h"
#include "tenant/api.h"
#include "tenant/hosts.h"
#include "tenant/load.h"
#include "tenant/output.h"

#define LIST_MAX 1000

/* ---- list ---- */

struct list_values {
        const char *before, *limit;
};

static const struct option_row list_options[] = {
        {"before", "N", "only what is older than this number", OPTION_TEXT,
         offsetof(struct list_values, before)},
        {"limit", "N", "at most so many (50; at most 1000)", OPTION_TEXT,
         offsetof(struct list_values, limit)},
        {0},
};

static const struct column columns[] = {
        {"N", "n"},
        {"STATUS", "status"},
        {"REASON", "reason"},
        {"ENDED", "ended_at"},
        {"RUNTIME", "runtime"},
        {"CHAIN", "chain"},
        {"DIGEST", "digest"},
        {"MODULE", "module"},
};

static int list_path(const char *host, const struct list_values *v, char **ret, struct err *err)
{
        AUTO(mem_free_p) char *suffix = NULL;
        int64_t limit = 50, before = INT64_MAX;

        if (v->limit && str_parse_int(view_str(v->limit), 1, LIST_MAX, &limit, err) < 0)
                return err_wrap(err, "--limit");
        if (v->before && str_parse_int(view_str(v->before), 1, INT64_MAX, &before, err) < 0)
                return err_wrap(err, "--before");
        suffix = str_fmt("/receipts?limit=%" PRId64 "&before=%" PRId64, limit, before);
        return suffix ? host_path(host, suffix, ret, err) : err_nomem(err);
}

static int run_list(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        AUTO(api_close_p) struct api *verifier = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        AUTO(mem_free_p) char *path = NULL;
        int r = list_path(args[0], values, &path, err);

        (void)n_args; /* the table says one */
        if (r >= 0)
                r = api_open(s, API_VERIFIER, &verifier, err);
        if (r >= 0)
                r = api_json(verifier, "GET", path, NULL, &doc, err);
        if (r >= 0)
                r = output_list(s, doc, "receipts", columns, ARRAY_LEN(columns), err);
        return r < 0 ? r : ANSWER_DONE;
}

/* ---- get ---- */

struct get_values {
        const char *out;
};

static const struct option_row get_options[] = {
        {"out", "FILE", "where to (the file itself is replaced)", OPTION_TEXT,
         offsetof(struct get_values, out)},
        {0},
};

/* Where the receipt in FILE is kept. */
static int receipt_path(const char *file, char **ret, struct err *err)
{
        AUTO(receipt_file_done) struct receipt_file f = {.ak_certificate = NULL};
        AUTO(receipt_done) struct receipt receipt = {.sequence = 0};
        AUTO(buf_free) struct buf text = {0};
        char suffix[16 + 2 * DIGEST_BYTES_MAX] = "/receipts/";
        struct digest digest;
        int r = load_bytes(file, RECEIPT_BYTES_MAX, &text, err);

        if (r >= 0)
                r = receipt_file_decode(VIEW_BUF(&text), &f, err);
        if (r >= 0)
                r = receipt_payload_decode(VIEW_BUF(&f.payload), &receipt, err);
        if (r >= 0)
                r = receipt_digest(VIEW_BUF(&f.payload), &digest, err);
        if (r < 0)
                return err_wrap(err, "%s", SHOW(file));
        (void)hex_write(suffix + strlen(suffix), digest_view(&digest));
        return host_path(receipt.launch.host, suffix, ret, err);
}

static int run_get(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct get_values *v = values;
        AUTO(receipt_file_done) struct receipt_file f = {.ak_certificate = NULL};
        AUTO(http_fetched_free_p) struct http_fetched *answer = NULL;
        AUTO(api_close_p) struct api *verifier = NULL;
        AUTO(mem_free_p) char *path = NULL;
        struct api_request req = {.method = "GET"};
        struct view body;
        int r = receipt_path(args[0], &path, err);

        (void)n_args; /* the table says one */
        if (r >= 0)
                r = api_open(s, API_VERIFIER, &verifier, err);
        req.path = path;
        if (r >= 0)
                r = api_send(verifier, &req, &answer, err);
        if (r < 0 && err->kind == ERR_PEER && err->code == 404) {
                (void)fprintf(stderr, "avow: %s: it may be on its way; try again soon.\n", err->text);
                return ANSWER_UNDECIDED;
        }
        if (r < 0)
                return r;
        body = http_fetched_response(answer)->body;
        r = receipt_file_decode(body, &f, err);
        if (r >= 0)
                r = file_write(v->out ? v->out : args[0], body, 0644, err);
        if (r < 0)
                return r;
        if (f.countersignature)
                return ANSWER_DONE;
        (void)fprintf(stderr,
                      "It is not countersigned yet: the host has not been judged since. Try again soon.\n");
        return ANSWER_UNDECIDED;
}

const struct command receipt_get_commands[] = {
        {"receipt", "list", "HOST", "Lists a host's receipts, newest first", list_options,
         sizeof(struct list_values), 1, 1, run_list},
        {"receipt", "get", "FILE", "Gets the countersigned form of a receipt from the verifier", get_options,
         sizeof(struct get_values), 1, 1, run_get},
        {0},
};
