/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow host history`: the judgements that the verifier keeps of a host, newest first. A line's number is
 * what `avow evidence save --number` takes; not every line still has its evidence.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "tenant/hosts.h"
#include "tenant/output.h"

#define HISTORY_LIMIT 1000

struct history_values {
        const char *before, *limit;
};

static const struct option_row history_options[] = {
        {"before", "N", "only what is older than this number", OPTION_TEXT,
         offsetof(struct history_values, before)},
        {"limit", "N", "at most so many (50; at most 1000)", OPTION_TEXT,
         offsetof(struct history_values, limit)},
        {0},
};

static const struct column columns[] = {
        {"N", "n"},
        {"AT", "at"},
        {"VERDICT", "verdict"},
        {"ENFORCED", "enforced"},
        {"CHANGED", "changed"},
        {"POLICY", "policy.name"},
        {"VERSION", "policy.version"},
        {"EVIDENCE", "evidence"},
        {"FINDINGS", "codes"},
};

static int query(const struct history_values *v, char **ret, struct err *err)
{
        int64_t limit = 50, before = 0;
        char *text;

        if (v->limit && str_parse_int(view_str(v->limit), 1, HISTORY_LIMIT, &limit, err) < 0)
                return err_wrap(err, "--limit");
        if (v->before && str_parse_int(view_str(v->before), 1, INT64_MAX, &before, err) < 0)
                return err_wrap(err, "--before");
        text = before ? str_fmt("/history?limit=%" PRId64 "&before=%" PRId64, limit, before)
                      : str_fmt("/history?limit=%" PRId64, limit);
        if (!text)
                return err_nomem(err);
        *ret = text;
        return 0;
}

static int run_history(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        AUTO(api_close_p) struct api *verifier = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        AUTO(mem_free_p) char *suffix = NULL, *path = NULL;
        const json_t *next;
        int r = query(values, &suffix, err);

        (void)n_args;
        if (r == 0)
                r = host_path(args[0], suffix, &path, err);
        if (r == 0)
                r = api_open(s, API_VERIFIER, &verifier, err);
        if (r == 0)
                r = api_json(verifier, "GET", path, NULL, &doc, err);
        if (r == 0)
                r = output_list(s, doc, "entries", columns, ARRAY_LEN(columns), err);
        if (r < 0)
                return r;
        next = json_object_get(doc, "next");
        if (json_is_integer(next) && s->output == OUTPUT_TABLE)
                (void)fprintf(stderr, "There are more: --before %" JSON_INTEGER_FORMAT "\n",
                              json_integer_value(next));
        return ANSWER_DONE;
}

const struct command host_history_commands[] = {
        {"host", "history", "HOST", "List a host's judgements, newest first", history_options,
         sizeof(struct history_values), 1, 1, run_history},
        {0},
};
