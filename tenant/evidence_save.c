/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow evidence save`: the evidence that the verifier judged, as a file that proves itself: anybody can
 * judge it again offline with `avow evidence verify`.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "tenant/hosts.h"
#include "tenant/output.h"

struct save_values {
        const char *number, *out;
        bool force;
};

static const struct option_row save_options[] = {
        {"number", "N", "which one, as 'host history' counts them (the latest)", OPTION_TEXT,
         offsetof(struct save_values, number)},
        {"out", "FILE", "where to (HOST.avow-evidence)", OPTION_TEXT, offsetof(struct save_values, out)},
        {"force", NULL, "replace the file if it is there", OPTION_FLAG, offsetof(struct save_values, force)},
        {0},
};

static int fetch(const struct session *s, const char *host, const char *number, struct http_fetched **ret,
                 struct err *err)
{
        AUTO(api_close_p) struct api *verifier = NULL;
        AUTO(mem_free_p) char *suffix = str_fmt("/evidence/%s", number ? number : "latest");
        AUTO(mem_free_p) char *path = NULL;
        struct api_request req = {.method = "GET"};
        int r = suffix ? host_path(host, suffix, &path, err) : err_nomem(err);

        if (r == 0)
                r = api_open(s, API_VERIFIER, &verifier, err);
        req.path = path;
        return r < 0 ? r : api_send(verifier, &req, ret, err);
}

static int run_save(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct save_values *v = values;
        AUTO(http_fetched_free_p) struct http_fetched *answer = NULL;
        AUTO(mem_free_p) char *own = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        const char *out = v->out;
        struct view bundle;
        int64_t n;
        int r;

        (void)n_args;
        if (v->number && str_parse_int(view_str(v->number), 0, INT64_MAX, &n, err) < 0)
                return err_wrap(err, "--number");
        if (!out)
                out = own = str_fmt("%s.avow-evidence", args[0]);
        if (!out)
                return err_nomem(err);
        r = fetch(s, args[0], v->number, &answer, err);
        if (r < 0 && err->code == 404) {
                (void)fprintf(stderr, "avow: %s\n", err->text);
                return ANSWER_NO;
        }
        if (r < 0)
                return r;
        bundle = http_fetched_response(answer)->body;
        r = v->force ? file_write(out, bundle, 0644, err) : file_create(out, bundle, 0644, err);
        if (r < 0)
                return r;
        doc = json_pack("{s:s, s:s, s:s, s:I}", "schema", "avow.saved/1", "host", args[0], "file", out,
                        "bytes", (json_int_t)bundle.len);
        r = doc ? output_document_if_asked(s, doc, err) : err_nomem(err);
        if (r < 0)
                return r;
        if (r == 0)
                (void)printf("Saved %s (%zu bytes). Judge it: avow evidence verify --policy FILE %s\n", out,
                             bundle.len, out);
        return ANSWER_DONE;
}

const struct command evidence_save_commands[] = {
        {"evidence", "save", "HOST", "Save the evidence that the verifier judged, as a file", save_options,
         sizeof(struct save_values), 1, 1, run_save},
        {0},
};
