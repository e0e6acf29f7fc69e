/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow host list|show|explain|remove`: what the servers know about hosts, for people and for scripts. The
 * exit code of show and explain says how the host stands; a list answers 0 whatever it shows.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "tenant/hosts.h"
#include "tenant/output.h"

#define LIST_LIMIT 1000

static int both_open(const struct session *s, struct api **ret_verifier, struct api **ret_registrar,
                     struct err *err)
{
        int r = api_open(s, API_VERIFIER, ret_verifier, err);

        return r < 0 ? r : api_open(s, API_REGISTRAR, ret_registrar, err);
}

static void warn(const struct err *err)
{
        (void)fprintf(stderr, "avow: %s\n", err->text);
}

/* ---- list ---- */

struct list_values {
        const char *after, *limit, *state;
};

static const struct option_row list_options[] = {
        {"after", "NAME", "start behind this name", OPTION_TEXT, offsetof(struct list_values, after)},
        {"limit", "N", "at most so many (100; at most 1000)", OPTION_TEXT,
         offsetof(struct list_values, limit)},
        {"state", "STATE", "only hosts in this state", OPTION_TEXT, offsetof(struct list_values, state)},
        {0},
};

static const struct column list_columns[] = {
        {"HOST", "name"},
        {"STATE", "state"},
        {"TRUST", "trust"},
        {"POLICY", "policy.name"},
        {"VERSION", "policy.version"},
        {"LAST PASS", "last_pass"},
        {"BOUND BY", "ek.bound_by"},
        {"WHY", "summary"},
};

/* A page of one server. A server that cannot be asked is an empty page, said on stderr. */
static int fetch_page(struct api *api, const char *after, int64_t limit, json_t **ret_doc,
                      struct hosts_page *ret, bool *ret_missing, struct err *err)
{
        AUTO(mem_free_p) char *from = after ? api_escape(after) : NULL;
        AUTO(mem_free_p)
        char *path = str_fmt("/avow/v1/hosts?limit=%lld%s%s", (long long)limit, from ? "&after=" : "",
                             from ? from : "");
        int r;

        *ret = (struct hosts_page){0};
        if (!path || (after && !from))
                return err_nomem(err);
        r = api_json(api, "GET", path, NULL, ret_doc, err);
        if (r == -ERR_PEER) {
                warn(err);
                err_clear(err);
                *ret_missing = true;
                return 0;
        }
        if (r < 0)
                return r;
        ret->hosts = json_object_get(*ret_doc, "hosts");
        ret->more = json_is_string(json_object_get(*ret_doc, "next"));
        return 0;
}

/* Leaves the hosts in STATE. */
static int keep_state(json_t *hosts, const char *state, struct err *err)
{
        for (size_t i = json_array_size(hosts); state && i-- > 0;) {
                const char *is = host_text(json_array_get(hosts, i), "state");

                if ((!is || strcmp(is, state) != 0) && json_array_remove(hosts, i) < 0)
                        return err_nomem(err);
        }
        return 0;
}

static int run_list(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct list_values *v = values;
        AUTO(api_close_p) struct api *verifier = NULL, *registrar = NULL;
        AUTO(json_free_p) json_t *doc = NULL, *from_verifier = NULL, *from_registrar = NULL, *hosts = NULL;
        struct hosts_page a, b;
        const char *next = NULL;
        bool missing = false;
        int64_t limit = 100;
        int r;

        (void)n_args, (void)args;
        if (v->limit && str_parse_int(view_str(v->limit), 1, LIST_LIMIT, &limit, err) < 0)
                return err_wrap(err, "--limit");
        r = both_open(s, &verifier, &registrar, err);
        if (r == 0)
                r = fetch_page(verifier, v->after, limit, &from_verifier, &a, &missing, err);
        if (r == 0)
                r = fetch_page(registrar, v->after, limit, &from_registrar, &b, &missing, err);
        if (r < 0)
                return r;
        hosts = hosts_merge_pages(a, b, (size_t)limit, &next);
        doc = output_document("hosts");
        if (!hosts || !doc)
                return err_nomem(err);
        r = keep_state(hosts, v->state, err);
        if (r < 0)
                return r;
        if (json_object_set(doc, "hosts", hosts) < 0 ||
            json_object_set_new(doc, "next", next ? json_string(next) : json_null()) < 0)
                return err_nomem(err);
        r = output_list(s, doc, "hosts", list_columns, ARRAY_LEN(list_columns), err);
        if (r < 0)
                return r;
        if (next && s->output == OUTPUT_TABLE)
                (void)fprintf(stderr, "There are more: --after %s\n", next);
        return missing ? ANSWER_UNDECIDED : ANSWER_DONE;
}

/* ---- show ---- */

static const struct column show_lines[] = {
        {"Host", "name"},
        {"State", "state"},
        {"Trust", "trust"},
        {"Since", "since"},
        {"Why", "summary"},
        {"Revocation", "trust_detail.revocation"},
        {"Wipe", "trust_detail.wipe"},
        {"Destroy at", "trust_detail.destroy_at"},
        {"Held", "trust_detail.held"},
        {"Policy", "policy.name"},
        {"Policy version", "policy.version"},
        {"Enforced", "enforced"},
        {"Last evidence", "last_evidence"},
        {"Last pass", "last_pass"},
        {"Interval", "interval"},
        {"Peer", "peer"},
        {"Registered", "registered"},
        {"EK", "ek.sha256"},
        {"EK class", "ek.class"},
        {"Bound by", "ek.bound_by"},
        {"AK name", "ak_name"},
        {"Kernel list", "logs.ima.entries"},
        {"Gathered", "logs.ima.gathered"},
        {"Of", "logs.ima.to_gather"},
        {"Labels", "labels"},
        {"Tenant", "tenant"},
};

static int not_known(const char *name)
{
        (void)fprintf(stderr,
                      "avow: neither the registrar nor the verifier knows a host %s; 'avow host list' "
                      "shows those they know\n",
                      SHOW(name));
        return ANSWER_NO;
}

static int run_show(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        AUTO(api_close_p) struct api *verifier = NULL, *registrar = NULL;
        AUTO(json_free_p) json_t *a = NULL, *b = NULL, *host = NULL;
        int r = both_open(s, &verifier, &registrar, err);

        (void)values, (void)n_args;
        if (r == 0)
                r = host_get(verifier, args[0], &a, err);
        if (r == 0)
                r = host_get(registrar, args[0], &b, err);
        if (r < 0)
                return r;
        if (!a && !b)
                return not_known(args[0]);
        host = hosts_merge(a, b);
        if (!host || json_object_set_new(host, "schema", json_string("avow.host/1")) < 0)
                return err_nomem(err);
        r = output_record(s, host, show_lines, ARRAY_LEN(show_lines), err);
        return r < 0 ? r : (int)hosts_answer(host_text(host, "state"), host_text(host, "trust"));
}

/* ---- explain ---- */

/* "web-1 is fail since …": what the findings below it are about. */
static int print_headline(const json_t *doc, struct err *err)
{
        AUTO(mem_free_p) char *since = output_member_text(doc, "since");
        AUTO(mem_free_p) char *last = output_member_text(doc, "last_evidence");
        AUTO(mem_free_p) char *policy = output_member_text(doc, "policy.name");
        AUTO(mem_free_p) char *version = output_member_text(doc, "policy.version");
        AUTO(mem_free_p) char *state = output_member_text(doc, "state");
        AUTO(mem_free_p) char *host = output_member_text(doc, "host");
        const json_t *enforced = json_object_get(json_object_get(doc, "verdict"), "enforced");

        if (!since || !last || !policy || !version || !state || !host)
                return err_nomem(err);
        (void)printf("%s is %s since %s\n", host, state, since);
        if (json_is_object(json_object_get(doc, "policy")))
                (void)printf("judged by policy '%s', version %s%s; last evidence %s\n", policy, version,
                             json_is_false(enforced) ? " (observed, not enforced)" : "", last);
        (void)printf("\n");
        return 0;
}

/* The server's text: lines stay lines, everything else that is no plain character is escaped. */
static void print_text(const char *text)
{
        while (text && *text) {
                size_t n = strcspn(text, "\n");
                AUTO(buf_free) struct buf line = {0};

                buf_printable(&line, VIEW(text, n));
                (void)printf("%.*s\n", (int)line.len, line.p ? (const char *)line.p : "");
                text += n + (text[n] == '\n');
        }
}

static int explain_new(const struct session *s, const char *name, struct err *err)
{
        AUTO(api_close_p) struct api *registrar = NULL;
        AUTO(json_free_p) json_t *b = NULL;
        int r = api_open(s, API_REGISTRAR, &registrar, err);

        if (r == 0)
                r = host_get(registrar, name, &b, err);
        if (r < 0)
                return r;
        if (!b)
                return not_known(name);
        (void)printf("Host %s is new: %s\nNext: avow host add %s --policy POLICY\n", name,
                     json_is_true(json_object_get(b, "registered"))
                             ? "its TPM has proven itself to the registrar, but it is not enrolled at the "
                               "verifier."
                             : "its name is bound to a TPM, but no agent has registered under it yet.",
                     name);
        return ANSWER_DONE;
}

static int run_explain(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        AUTO(api_close_p) struct api *verifier = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        AUTO(mem_free_p) char *path = NULL;
        int r = host_path(args[0], "/explain", &path, err);

        (void)values, (void)n_args;
        if (r == 0)
                r = api_open(s, API_VERIFIER, &verifier, err);
        if (r < 0)
                return r;
        r = api_json(verifier, "GET", path, NULL, &doc, err);
        if (r < 0 && err->code == 404) {
                err_clear(err);
                return explain_new(s, args[0], err);
        }
        if (r < 0)
                return r;
        r = output_document_if_asked(s, doc, err);
        if (r < 0)
                return r;
        if (r == 0) {
                const char *text = host_text(doc, "text");

                if (print_headline(doc, err) < 0)
                        return -(int)err->kind;
                print_text(text && *text ? text : "Nothing was found: its evidence meets its policy.");
        }
        return (int)hosts_answer(host_text(doc, "state"), host_text(doc, "trust"));
}

/* ---- remove ---- */

struct remove_values {
        bool dry_run, yes, keep_binding;
};

static const struct option_row remove_options[] = {
        {"dry-run", NULL, "say what would be removed", OPTION_FLAG, offsetof(struct remove_values, dry_run)},
        {"yes", NULL, "do not ask", OPTION_FLAG, offsetof(struct remove_values, yes)},
        {"keep-binding", NULL, "remove the enrolment only; the name stays its TPM's", OPTION_FLAG,
         offsetof(struct remove_values, keep_binding)},
        {0},
};

/* Return: 1 removed, 0 there was none, < 0. */
static int remove_at(const struct session *s, enum api_server server, const char *path, struct err *err)
{
        AUTO(api_close_p) struct api *api = NULL;
        int r = api_open(s, server, &api, err);

        if (r == 0)
                r = api_json(api, "DELETE", path, NULL, NULL, err);
        if (r < 0 && err->code == 404) {
                err_clear(err);
                return 0;
        }
        return r < 0 ? r : 1;
}

static int run_remove(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct remove_values *v = values;
        AUTO(mem_free_p) char *path = NULL, *question = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        int r, enrolment, binding = 0;

        (void)n_args;
        r = host_path(args[0], v->dry_run ? "?dry_run=true" : "", &path, err);
        if (r < 0)
                return r;
        question = str_fmt("Remove host '%s'? Its history stays in the audit log only.", args[0]);
        if (!question)
                return err_nomem(err);
        r = v->dry_run ? 1 : command_confirm(v->yes, question, err);
        if (r <= 0)
                return r < 0 ? r : ANSWER_NO;
        /* The verifier first: what has no binding must not stay enrolled. */
        enrolment = remove_at(s, API_VERIFIER, path, err);
        if (enrolment >= 0 && !v->keep_binding)
                binding = remove_at(s, API_REGISTRAR, path, err);
        if (enrolment < 0 || binding < 0)
                return -(int)err->kind;
        if (!enrolment && !binding)
                return not_known(args[0]);
        doc = json_pack("{s:s, s:s, s:b, s:b, s:b}", "schema", "avow.removed/1", "name", args[0], "enrolment",
                        enrolment, "binding", binding, "dry_run", v->dry_run);
        if (!doc)
                return err_nomem(err);
        r = output_document_if_asked(s, doc, err);
        if (r < 0)
                return r;
        if (r == 0)
                (void)printf("%s %s: %s%s%s\n", v->dry_run ? "Would remove" : "Removed", args[0],
                             enrolment ? "enrolment" : "", enrolment && binding ? ", " : "",
                             binding ? "registration and binding" : "");
        return ANSWER_DONE;
}

const struct command host_commands[] = {
        {"host", "list", "", "List hosts, from registrar and verifier", list_options,
         sizeof(struct list_values), 0, 0, run_list},
        {"host", "show", "HOST", "Show one host; the exit code is how it stands", NULL, 0, 1, 1, run_show},
        {"host", "explain", "HOST", "Say why a host is what it is, and what to do", NULL, 0, 1, 1,
         run_explain},
        {"host", "remove", "HOST", "Remove a host's enrolment, registration and binding", remove_options,
         sizeof(struct remove_values), 1, 1, run_remove},
        {0},
};
