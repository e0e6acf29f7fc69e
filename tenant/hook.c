/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow hook …`: who is told when a host's trust changes. Keys and certificates are read here and sent to the
 * registrar, which never gives them back; a secret that the registrar made is shown once, by `add` and
 * `rotate`.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "tenant/api.h"
#include "tenant/output.h"

#define PEM_BYTES_MAX 65536

/* The path of a hook, or of something below it ("/test"). NULL: no memory. */
static char *hook_path(const char *name, const char *below)
{
        AUTO(mem_free_p) char *escaped = api_escape(name);

        return escaped ? str_fmt("/avow/v1/hooks/%s%s", escaped, below) : NULL;
}

static int call(const struct session *s, const char *method, const char *name, const char *below,
                const json_t *body, json_t **ret, struct err *err)
{
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(mem_free_p) char *path = name ? hook_path(name, below) : str_dup("/avow/v1/hooks");
        int r;

        if (!path)
                return err_nomem(err);
        r = api_open(s, API_REGISTRAR, &api, err);
        return r < 0 ? r : api_json(api, method, path, body, ret, err);
}

/* ---- add ---- */

struct add_values {
        const char *kind, *url, *ca, *cert, *key, *signature, *secret_file, *tenant, *timeout;
        struct option_list host, label, policy, severity, reaction;
        bool paused;
};

#define AT(member) offsetof(struct add_values, member)
static const struct option_row add_options[] = {
        {"kind", "KIND", "webhook (default), or agent: the host itself, on its own listener", OPTION_TEXT,
         AT(kind)},
        {"url", "URL", "where events are POSTed", OPTION_TEXT, AT(url)},
        {"host", "HOST", "only of this host (may be repeated)", OPTION_LIST, AT(host)},
        {"label", "NAME=VALUE", "only of hosts with this label (may be repeated)", OPTION_LIST, AT(label)},
        {"policy", "POLICY", "only of this policy (may be repeated)", OPTION_LIST, AT(policy)},
        {"severity", "SEVERITY", "only of this severity (may be repeated)", OPTION_LIST, AT(severity)},
        {"reaction", "REACTION", "only suspend, destroy or reinstate (may be repeated)", OPTION_LIST,
         AT(reaction)},
        {"signature", "SCHEME", "hmac (default) or ed25519", OPTION_TEXT, AT(signature)},
        {"secret-file", "FILE", "a secret of yours (whsec_… or whsk_…), instead of a new one", OPTION_TEXT,
         AT(secret_file)},
        {"ca", "FILE", "trust this CA at the consumer, and no other", OPTION_TEXT, AT(ca)},
        {"cert", "FILE", "client certificate to show there", OPTION_TEXT, AT(cert)},
        {"key", "FILE", "its private key", OPTION_TEXT, AT(key)},
        {"tenant", "TENANT", "whose hosts", OPTION_TEXT, AT(tenant)},
        {"timeout", "DURATION", "how long the consumer may take", OPTION_TEXT, AT(timeout)},
        {"paused", NULL, "collect, and deliver when it is resumed", OPTION_FLAG, AT(paused)},
        {0},
};

static int set_file(json_t *body, const char *name, const char *path, struct err *err)
{
        struct buf text = {0};
        AUTO(mem_free_p) char *string = NULL;
        int r;

        if (!path)
                return 0;
        r = file_read(path, PEM_BYTES_MAX, &text, err);
        while (r >= 0 && text.len > 0 && strchr("\r\n", text.p[text.len - 1]))
                text.len--;
        string = r >= 0 ? buf_take_str(&text) : NULL;
        buf_free(&text);
        if (r < 0)
                return r;
        r = !string || json_set_str(body, name, string) < 0 ? err_nomem(err) : 0;
        if (string)
                mem_wipe(string, strlen(string));
        return r;
}

static int set_list(json_t *filter, const char *name, const struct option_list *list, struct err *err)
{
        json_t *j;

        if (list->n == 0)
                return 0;
        j = json_array();
        for (size_t i = 0; i < list->n; i++)
                if (json_array_append_new(j, json_string(list->v[i])) < 0) {
                        json_decref(j);
                        return err_set(err, ERR_CONFIG, 0, "--%s: %s is no text", name, SHOW(list->v[i]));
                }
        return json_object_set_new(filter, name, j) < 0 ? err_nomem(err) : 0;
}

static int set_labels(json_t *filter, const struct option_list *list, struct err *err)
{
        json_t *labels = json_object();

        if (json_object_set_new(filter, "labels", labels) < 0)
                return err_nomem(err);
        for (size_t i = 0; i < list->n; i++) {
                const char *equals = strchr(list->v[i], '=');
                AUTO(mem_free_p)
                char *name = equals ? str_ndup(list->v[i], (size_t)(equals - list->v[i])) : NULL;

                if (!equals || equals == list->v[i])
                        return err_set(err, ERR_CONFIG, 0, "--label %s: expected NAME=VALUE",
                                       SHOW(list->v[i]));
                if (!name || json_set_str(labels, name, equals + 1) < 0)
                        return err_nomem(err);
        }
        return list->n == 0 && json_object_del(filter, "labels") < 0 ? err_nomem(err) : 0;
}

static int make_body(const struct add_values *v, const char *name, json_t *body, struct err *err)
{
        json_t *filter = json_object();
        int64_t timeout_ms = 0;

        if (json_object_set_new(body, "filter", filter) < 0 || json_set_str(body, "name", name) < 0 ||
            (v->url && json_set_str(body, "url", v->url) < 0) ||
            (v->kind && json_set_str(body, "kind", v->kind) < 0) ||
            (v->paused && json_set_bool(body, "paused", true) < 0) ||
            (v->tenant && json_set_str(body, "tenant", v->tenant) < 0) ||
            (v->signature && json_set_str(body, "signature", v->signature) < 0))
                return err_nomem(err);
        if (v->timeout) {
                if (clock_parse_duration(view_str(v->timeout), &timeout_ms, err) < 0)
                        return err_wrap(err, "--timeout");
                if (json_set_int(body, "timeout_ms", timeout_ms) < 0)
                        return err_nomem(err);
        }
        if (set_file(body, "secret", v->secret_file, err) < 0 || set_file(body, "ca", v->ca, err) < 0 ||
            set_file(body, "certificate", v->cert, err) < 0 || set_file(body, "key", v->key, err) < 0 ||
            set_list(filter, "hosts", &v->host, err) < 0 || set_labels(filter, &v->label, err) < 0 ||
            set_list(filter, "policies", &v->policy, err) < 0 ||
            set_list(filter, "severities", &v->severity, err) < 0 ||
            set_list(filter, "reactions", &v->reaction, err) < 0)
                return -(int)err->kind;
        return 0;
}

static const struct column hook_lines[] = {
        {"Hook", "name"},
        {"Kind", "kind"},
        {"URL", "url"},
        {"Program", "program"},
        {"Tenant", "tenant"},
        {"Paused", "paused"},
        {"Filter", "filter"},
        {"Signature", "signature"},
        {"Active secrets", "secrets"},
        {"Public key", "public_key"},
        {"Secret (shown once)", "secret"},
        {"Own CA", "ca"},
        {"Client certificate", "client_certificate"},
        {"Pending", "pending"},
        {"Parked", "parked"},
        {"Skipped", "skipped"},
        {"Delivered", "delivered"},
        {"Last delivered", "last_delivered_at"},
        {"Added", "created_at"},
        {"Added by", "created_by"},
};

static int print_hook(const struct session *s, const json_t *doc, struct err *err)
{
        struct column lines[ARRAY_LEN(hook_lines)];
        size_t n = 0;

        for (size_t i = 0; i < ARRAY_LEN(hook_lines); i++) { /* what does not apply is left out */
                const json_t *value = json_object_get(doc, hook_lines[i].path);

                if (value && !json_is_null(value))
                        lines[n++] = hook_lines[i];
        }
        return output_record(s, doc, lines, n, err);
}

static int run_add(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct add_values *v = values;
        AUTO(json_free_p) json_t *body = json_object(), *doc = NULL;
        int r;

        (void)n_args;
        if (!v->url && !str_equal(v->kind, "agent"))
                return err_set(err, ERR_CONFIG, 0, "say where to with --url https://…");
        if (!body)
                return err_nomem(err);
        r = make_body(v, args[0], body, err);
        if (r >= 0)
                r = call(s, "POST", NULL, "", body, &doc, err);
        return r < 0 ? r : print_hook(s, doc, err);
}

/* ---- list, show ---- */

static const struct column list_columns[] = {
        {"HOOK", "name"},
        {"KIND", "kind"},
        {"TO", "url"},
        {"PAUSED", "paused"},
        {"PENDING", "pending"},
        {"PARKED", "parked"},
        {"DELIVERED", "delivered"},
        {"LAST", "last_delivered_at"},
};

static int run_list(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        int r = call(s, "GET", NULL, "", NULL, &doc, err);

        (void)values, (void)n_args, (void)args;
        return r < 0 ? r : output_list(s, doc, "hooks", list_columns, ARRAY_LEN(list_columns), err);
}

static const struct column parked_columns[] = {
        {"PARKED", "id"}, {"ATTEMPTS", "attempts"}, {"RECEIVED", "received_at"}, {"WHY", "error"}};

static int run_show(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL, *parked = NULL;
        json_t *rows;
        int r = call(s, "GET", args[0], "", NULL, &doc, err);

        (void)values, (void)n_args;
        if (r >= 0)
                r = call(s, "GET", args[0], "/deliveries?state=parked", NULL, &parked, err);
        if (r < 0)
                return r;
        rows = json_object_get(parked, "deliveries");
        if (json_object_set(doc, "parked_deliveries", rows) < 0)
                return err_nomem(err);
        r = print_hook(s, doc, err);
        if (r < 0 || s->output != OUTPUT_TABLE || json_array_size(rows) == 0)
                return r;
        (void)putchar('\n');
        return output_list(s, doc, "parked_deliveries", parked_columns, ARRAY_LEN(parked_columns), err);
}

/* ---- test, pause, resume, rotate, remove ---- */

static const struct column test_lines[] = {
        {"Hook", "name"}, {"Delivered", "delivered"}, {"Took (ms)", "took_ms"}, {"Why not", "error"}};

static int run_test(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        bool delivered = false;
        int r = call(s, "POST", args[0], "/test", NULL, &doc, err);

        (void)values, (void)n_args;
        if (r >= 0)
                r = json_get_bool(doc, "delivered", &delivered, err);
        if (r >= 0)
                r = output_record(s, doc, test_lines, ARRAY_LEN(test_lines) - delivered, err);
        return r < 0 ? r : delivered ? ANSWER_DONE : ANSWER_NO;
}

static int set_paused(const struct session *s, char **args, bool paused, struct err *err)
{
        AUTO(json_free_p) json_t *body = json_pack("{s:b}", "paused", paused), *doc = NULL;
        int r = body ? call(s, "PATCH", args[0], "", body, &doc, err) : err_nomem(err);

        return r < 0 ? r : print_hook(s, doc, err);
}

static int run_pause(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        (void)values, (void)n_args;
        return set_paused(s, args, true, err);
}

static int run_resume(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        (void)values, (void)n_args;
        return set_paused(s, args, false, err);
}

struct rotate_values {
        const char *signature, *secret_file;
        bool finish;
};

static const struct option_row rotate_options[] = {
        {"finish", NULL, "forget the old secret: all consumers have the new one", OPTION_FLAG,
         offsetof(struct rotate_values, finish)},
        {"signature", "SCHEME", "hmac (default) or ed25519", OPTION_TEXT,
         offsetof(struct rotate_values, signature)},
        {"secret-file", "FILE", "a secret of yours, instead of a new one", OPTION_TEXT,
         offsetof(struct rotate_values, secret_file)},
        {0},
};

static int run_rotate(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct rotate_values *v = values;
        AUTO(json_free_p) json_t *body = json_object(), *doc = NULL;
        int r;

        (void)n_args;
        if ((v->finish && json_set_bool(body, "finish", true) < 0) ||
            (v->signature && json_set_str(body, "signature", v->signature) < 0))
                return err_nomem(err);
        r = set_file(body, "secret", v->secret_file, err);
        if (r >= 0)
                r = call(s, "POST", args[0], "/rotate", body, &doc, err);
        return r < 0 ? r : print_hook(s, doc, err);
}

struct remove_values {
        bool yes;
};

static const struct option_row remove_options[] = {
        {"yes", NULL, "do not ask", OPTION_FLAG, offsetof(struct remove_values, yes)}, {0}};

static int run_remove(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        static const struct column lines[] = {{"Removed", "name"}};
        const struct remove_values *v = values;
        AUTO(json_free_p) json_t *doc = NULL;
        AUTO(mem_free_p)
        char *question = str_fmt("Remove hook %s, with what it was not delivered yet?", SHOW(args[0]));
        int r = question ? command_confirm(v->yes, question, err) : err_nomem(err);

        (void)n_args;
        if (r <= 0)
                return r < 0 ? r : ANSWER_NO;
        r = call(s, "DELETE", args[0], "", NULL, &doc, err);
        return r < 0 ? r : output_record(s, doc, lines, ARRAY_LEN(lines), err);
}

/* ---- replay ---- */

struct replay_values {
        const char *since, *id;
        bool parked;
};

static const struct option_row replay_options[] = {
        {"since", "TIME", "all that came since then (RFC 3339), or so long ago (2h)", OPTION_TEXT,
         offsetof(struct replay_values, since)},
        {"id", "HOST/N", "this revocation", OPTION_TEXT, offsetof(struct replay_values, id)},
        {"parked", NULL, "all that is parked", OPTION_FLAG, offsetof(struct replay_values, parked)},
        {0},
};

/* A time, or how long ago. */
static int since_time(const char *text, int64_t *ret_ms, struct err *err)
{
        struct err why = ERR_INIT;
        int64_t ago_ms;

        if (clock_parse_duration(view_str(text), &ago_ms, &why) == 0) {
                *ret_ms = clock_now_ms() - ago_ms;
                return 0;
        }
        if (clock_parse(view_str(text), ret_ms, &why) == 0)
                return 0;
        return err_set(err, ERR_CONFIG, 0, "--since %s: expected 2026-11-21T19:30:48Z or 2h", SHOW(text));
}

static int run_replay(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        static const struct column lines[] = {{"Hook", "name"}, {"Replayed", "replayed"}};
        const struct replay_values *v = values;
        AUTO(json_free_p) json_t *body = json_object(), *doc = NULL;
        int64_t since_ms = 0;
        int r = 0;

        (void)n_args;
        if (!!v->since + !!v->id + v->parked != 1)
                return err_set(err, ERR_CONFIG, 0, "say which: one of --since, --id and --parked");
        if (v->since)
                r = since_time(v->since, &since_ms, err);
        if (r < 0)
                return r;
        if ((v->since && json_set_time(body, "since", since_ms) < 0) ||
            (v->id && json_set_str(body, "id", v->id) < 0) ||
            (v->parked && json_set_bool(body, "parked", true) < 0))
                return err_nomem(err);
        r = call(s, "POST", args[0], "/replay", body, &doc, err);
        return r < 0 ? r : output_record(s, doc, lines, ARRAY_LEN(lines), err);
}

const struct command hook_commands[] = {
        {"hook", "add", "NAME", "Tell a consumer of revocations", add_options, sizeof(struct add_values), 1,
         1, run_add},
        {"hook", "list", "", "List hooks, and what waits for them", NULL, 0, 0, 0, run_list},
        {"hook", "show", "NAME", "Show a hook, and what is parked for it", NULL, 0, 1, 1, run_show},
        {"hook", "test", "NAME", "Send a test event now", NULL, 0, 1, 1, run_test},
        {"hook", "pause", "NAME", "Collect events for it without delivering them", NULL, 0, 1, 1, run_pause},
        {"hook", "resume", "NAME", "Deliver again, and what was collected", NULL, 0, 1, 1, run_resume},
        {"hook", "rotate", "NAME", "Make a new secret beside the old one, or the end of the old one",
         rotate_options, sizeof(struct rotate_values), 1, 1, run_rotate},
        {"hook", "replay", "NAME", "Deliver again", replay_options, sizeof(struct replay_values), 1, 1,
         run_replay},
        {"hook", "remove", "NAME", "Tell it no more", remove_options, sizeof(struct remove_values), 1, 1,
         run_remove},
        {0},
};
