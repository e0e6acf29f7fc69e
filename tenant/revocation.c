/* SPDX-License-Identifier: Apache-2.0 */
/* `avow revocation list|show`: what verifiers said about hosts, and who has been told. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "tenant/api.h"
#include "tenant/output.h"
#include "tenant/revocations.h"

#define LIST_LIMIT 1000

struct list_values {
        const char *host, *limit, *before;
};

static const struct option_row list_options[] = {
        {"host", "HOST", "only of this host", OPTION_TEXT, offsetof(struct list_values, host)},
        {"limit", "N", "at most so many (100; at most 1000)", OPTION_TEXT,
         offsetof(struct list_values, limit)},
        {"before", "N", "older ones than number N", OPTION_TEXT, offsetof(struct list_values, before)},
        {0},
};

static const struct column list_columns[] = {
        {"N", "n"},
        {"REVOCATION", "id"},
        {"REACTION", "reaction"},
        {"SEVERITY", "severity"},
        {"POLICY", "policy"},
        {"RECEIVED", "received_at"},
        {"HOOKS", "hooks"},
        {"DELIVERED", "delivered"},
        {"PARKED", "parked"},
};

static int run_list(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct list_values *v = values;
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        AUTO(mem_free_p) char *host = v->host ? api_escape(v->host) : NULL, *path = NULL;
        int64_t limit = 100, before = 0;
        char older[48] = "";
        int r;

        (void)n_args, (void)args;
        if (v->limit && str_parse_int(view_str(v->limit), 1, LIST_LIMIT, &limit, err) < 0)
                return err_wrap(err, "--limit");
        if (v->before && str_parse_int(view_str(v->before), 1, INT64_MAX, &before, err) < 0)
                return err_wrap(err, "--before");
        if (before)
                (void)snprintf(older, sizeof(older), "&before=%lld", (long long)before);
        path = str_fmt("/avow/v1/revocations?limit=%lld%s%s%s", (long long)limit, older, host ? "&host=" : "",
                       host ? host : "");
        if (!path || (v->host && !host))
                return err_nomem(err);
        r = api_open(s, API_REGISTRAR, &api, err);
        if (r >= 0)
                r = api_json(api, "GET", path, NULL, &doc, err);
        if (r >= 0)
                r = output_list(s, doc, "revocations", list_columns, ARRAY_LEN(list_columns), err);
        if (r >= 0 && s->output == OUTPUT_TABLE && json_is_integer(json_object_get(doc, "next")))
                (void)fprintf(stderr, "There may be more: --before %lld\n",
                              (long long)json_integer_value(json_object_get(doc, "next")));
        return r;
}

static const struct column show_lines[] = {
        {"Revocation", "id"},
        {"Host", "host"},
        {"Tenant", "tenant"},
        {"Reaction", "reaction"},
        {"Severity", "severity"},
        {"Policy", "policy"},
        {"Reason", "revocation.reason"},
        {"Verdict", "revocation.verdict"},
        {"NV index", "revocation.nv_index"},
        {"Epoch", "revocation.epoch"},
        {"Nonce", "nonce"},
        {"Issued", "issued_at"},
        {"Received", "received_at"},
        {"Hooks", "hooks"},
        {"Delivered", "delivered"},
        {"Parked", "parked"},
        {"Proven", "proof_at"},
};

int revocation_path(const char *id, const char *suffix, char **ret, struct err *err)
{
        const char *slash = strchr(id, '/');
        AUTO(mem_free_p) char *host = NULL, *escaped = NULL, *seq = NULL;

        if (!slash || slash == id || !slash[1])
                return err_set(err, ERR_CONFIG, 0,
                               "%s: a revocation is HOST/NUMBER, as `avow revocation list` "
                               "prints it",
                               SHOW(id));
        host = str_ndup(id, (size_t)(slash - id));
        escaped = host ? api_escape(host) : NULL;
        seq = api_escape(slash + 1);
        *ret = escaped && seq ? str_fmt("/avow/v1/revocations/%s/%s%s", escaped, seq, suffix) : NULL;
        return *ret ? 0 : err_nomem(err);
}

static int run_show(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        AUTO(mem_free_p) char *path = NULL;
        int r = revocation_path(args[0], "", &path, err);

        (void)values, (void)n_args;
        if (r >= 0)
                r = api_open(s, API_REGISTRAR, &api, err);
        if (r >= 0)
                r = api_json(api, "GET", path, NULL, &doc, err);
        return r < 0 ? r : output_record(s, doc, show_lines, ARRAY_LEN(show_lines), err);
}

const struct command revocation_commands[] = {
        {"revocation", "list", "", "List revocations, the newest first", list_options,
         sizeof(struct list_values), 0, 0, run_list},
        {"revocation", "show", "HOST/N", "Show one, with the verifier's signed words (-o json)", NULL, 0, 1,
         1, run_show},
        {0},
};
