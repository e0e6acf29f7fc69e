/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avow policy, the part that talks to the verifier: what is in force there, and putting something new in
 * force. A push is tried first on the hosts' recorded evidence: a policy that would fail hosts which pass now
 * is pushed only with --force (SR-3). Routes: docs/verifier-api.md.
 */
#include "tenant/policy_remote.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/appraise.h"
#include "policy/signed.h"
#include "tenant/api.h"
#include "tenant/commands.h"
#include "tenant/load.h"
#include "tenant/output.h"

#define YAML_TYPE "application/yaml"

/* "/avow/v1/policies/NAME" and SUFFIX. NULL: no memory. */
static char *policy_path(const char *name, const char *suffix)
{
        AUTO(mem_free_p) char *escaped = api_escape(name);

        return escaped ? str_fmt("/avow/v1/policies/%s%s", escaped, suffix) : NULL;
}

/* Appends "KEY=VALUE" to a path's query. */
static void add_query(struct buf *path, const char *key, const char *value)
{
        AUTO(mem_free_p) char *escaped = api_escape(value);

        buf_str(path, path->len && memchr(path->p, '?', path->len) ? "&" : "?");
        buf_fmt(path, "%s=%s", key, escaped ? escaped : "");
        path->failed |= !escaped;
}

/* Sends a policy's TEXT to PATH, which is used up; the answer, of at most MAX bytes. */
static int send_text(struct api *api, const char *method, struct buf *path, struct view text, size_t max,
                     json_t **ret, struct err *err)
{
        AUTO(http_fetched_free_p) struct http_fetched *answer = NULL;
        AUTO(mem_free_p) char *path_text = buf_take_str(path);
        struct api_request req = {
                .method = method, .path = path_text, .content_type = YAML_TYPE, .body = text};
        int r = path_text ? api_send(api, &req, &answer, err) : err_nomem(err);

        return r < 0 ? r : json_parse(http_fetched_response(answer)->body, max, ret, err);
}

/* A version of a policy at the verifier, as {…, "text"}. VERSION "latest" or a number. */
static int get_version(struct api *api, const char *name, const char *version, json_t **ret, struct err *err)
{
        AUTO(mem_free_p) char *number = api_escape(version);
        AUTO(mem_free_p) char *suffix = number ? str_fmt("/versions/%s", number) : NULL;
        AUTO(mem_free_p) char *path = suffix ? policy_path(name, suffix) : NULL;

        return path ? api_json(api, "GET", path, NULL, ret, err) : err_nomem(err);
}

static int read_text(const json_t *version, const char **ret, struct err *err)
{
        int r = json_get_str(version, "text", ret, err);

        if (r < 0) {
                err->kind = ERR_PEER;
                return err_wrap(err, "verifier");
        }
        return 0;
}

/* The version NAME or NAME@VERSION, as {…, "text"}. */
static int get_named(const struct session *s, const char *name, json_t **ret, struct err *err)
{
        AUTO(api_close_p) struct api *api = NULL;
        const char *at = strrchr(name, '@');
        AUTO(mem_free_p) char *base = at ? str_ndup(name, (size_t)(at - name)) : str_dup(name);
        int r;

        if (!base)
                return err_nomem(err);
        if (!str_valid_name(base))
                return err_set(err, ERR_CONFIG, 0, "%s is neither a file nor the name of a policy",
                               SHOW(name));
        r = api_open(s, API_VERIFIER, &api, err);
        return r < 0 ? r : get_version(api, base, at ? at + 1 : "latest", ret, err);
}

bool policy_names_file(const char *name)
{
        return str_equal(name, "-") || strchr(name, '/') || file_exists(name);
}

int policy_file_or_remote(const struct session *s, const char *name, struct policy **ret, struct err *err)
{
        AUTO(json_free_p) json_t *version = NULL;
        const char *text = NULL;
        int r;

        if (policy_names_file(name))
                return load_policy(name, ret, NULL, err);
        if ((r = get_named(s, name, &version, err)) < 0 || (r = read_text(version, &text, err)) < 0)
                return r;
        return policy_parse(view_str(text), name, ret, err);
}

/* A version's text, in an envelope if it has signatures. */
static int put_version(const json_t *version, struct buf *ret, struct err *err)
{
        AUTO(mem_free_p) char *signatures = NULL;
        AUTO(mem_free_p) char *envelope = NULL;
        AUTO(dsse_done) struct dsse d = {0};
        const json_t *list = json_object_get(version, "signatures");
        const char *text = NULL;
        int r = read_text(version, &text, err);

        if (r >= 0 && json_array_size(list)) {
                signatures = json_print(list);
                r = signatures ? policy_rewrap(view_str(text), view_str(signatures), &d, err)
                               : err_nomem(err);
                if (r >= 0)
                        r = dsse_text(&d, &envelope, err);
        }
        if (r < 0)
                return r;
        buf_str(ret, envelope ? envelope : text);
        buf_str(ret, envelope ? "\n" : "");
        return buf_ok(ret) ? 0 : err_nomem(err);
}

int policy_bytes_file_or_remote(const struct session *s, const char *name, struct buf *ret, struct err *err)
{
        AUTO(json_free_p) json_t *version = NULL;
        int r;

        if (policy_names_file(name))
                return load_bytes(name, DSSE_TEXT_MAX, ret, err);
        r = get_named(s, name, &version, err);
        return r < 0 ? r : put_version(version, ret, err);
}

/* --- test --- */

struct test_options {
        const char *host, *at, *last;
        struct option_list bundles;
};

static const struct option_row test_rows[] = {
        {"host", "HOST", "this host's evidence alone", OPTION_TEXT, offsetof(struct test_options, host)},
        {"last", "N", "the last N pieces of evidence of each host, not its newest alone", OPTION_TEXT,
         offsetof(struct test_options, last)},
        {"evidence", "FILE", "a recorded bundle; then no server is asked", OPTION_LIST,
         offsetof(struct test_options, bundles)},
        {"at", "TIME", "with --evidence: as the policy holds then (default: when the evidence arrived)",
         OPTION_TEXT, offsetof(struct test_options, at)},
        {0},
};

static const struct column test_columns[] = {
        {"HOST", "host"}, {"NOW", "now"}, {"WOULD BE", "would"}, {"BECAUSE", "because"}};

/* Member "because" of a result: its worst finding's sentence; "remedy": what it says to do. */
static int explain_result(json_t *result, struct err *err)
{
        AUTO(verdict_free_p) struct verdict *v = NULL;
        const struct finding *worst = NULL;
        int r = verdict_from_json(json_object_get(result, "verdict"), &v, err);

        if (r < 0)
                return err_wrap(err, "verdict");
        for (size_t i = 0; i < v->n_findings; i++)
                if (!worst || v->findings[i].severity > worst->severity)
                        worst = &v->findings[i];
        if (!worst || v->state == VERDICT_PASS)
                return 0;
        if (json_set_str(result, "because", worst->what) < 0 ||
            (worst->remedy && json_set_str(result, "remedy", worst->remedy) < 0))
                return err_nomem(err);
        return 0;
}

/* Asks the verifier what TEXT would do to hosts under policy NAME. */
static int ask_test(struct api *api, const char *name, struct view text, const char *host, const char *last,
                    json_t **ret, struct err *err)
{
        AUTO(mem_free_p) char *base = policy_path(name, "/test");
        struct buf path = {0};

        if (!base)
                return err_nomem(err);
        buf_str(&path, base);
        if (host)
                add_query(&path, "host", host);
        if (last)
                add_query(&path, "last", last);
        return send_text(api, "POST", &path, text, VERDICT_JSON_BYTES_MAX * 16, ret, err);
}

/* Who passes and would not, in which piece of evidence, and what to do about it. */
static void print_newly_failing(const json_t *results)
{
        for (size_t i = 0; i < json_array_size(results); i++) {
                const json_t *result = json_array_get(results, i),
                             *list = json_object_get(result, "evidence");
                AUTO(mem_free_p) char *host = output_member_text(result, "host");
                AUTO(mem_free_p) char *remedy = output_member_text(result, "remedy");
                size_t n = 0;

                if (!json_is_true(json_object_get(result, "newly_failing")))
                        continue;
                for (size_t k = 0; k < json_array_size(list); k++) {
                        const json_t *one = json_array_get(list, k);

                        n += !str_equal(json_string_value(json_object_get(one, "would")), "pass");
                }
                (void)printf("\n%s would newly fail, with %zu of its last %zu pieces of evidence\n",
                             host ? host : "", n, json_array_size(list));
                if (remedy && json_object_get(result, "remedy"))
                        (void)printf("    %s\n", remedy);
        }
}

static int show_test(const struct session *s, json_t *doc, struct err *err)
{
        const json_t *results = json_object_get(doc, "results"), *untested = json_object_get(doc, "untested");
        bool bad = false, unknown = json_array_size(untested) > 0;
        size_t i;
        json_t *result;
        int r = 0;

        json_array_foreach ((json_t *)(uintptr_t)results, i, result) {
                const char *would = json_string_value(json_object_get(result, "would"));

                r = explain_result(result, err);
                if (r < 0)
                        return r;
                bad = bad || str_equal(would, "fail") || str_equal(would, "refused") ||
                      json_is_true(json_object_get(result, "newly_failing"));
                unknown = unknown || str_equal(would, "inconclusive");
        }
        r = output_list(s, doc, "results", test_columns, ARRAY_LEN(test_columns), err);
        if (r < 0)
                return r;
        if (s->output == OUTPUT_TABLE)
                print_newly_failing(results);
        if (s->output == OUTPUT_TABLE && json_array_size(untested))
                (void)printf("%zu hosts have no recorded evidence and were not tried\n",
                             json_array_size(untested));
        return bad ? ANSWER_NO : unknown ? ANSWER_UNDECIDED : ANSWER_DONE;
}

/* One bundle under the policy FILE, as a result. */
static int test_bundle(const char *file, const char *bundle, const char *at, json_t *results, struct err *err)
{
        AUTO(bundle_free_p) struct bundle *b = NULL;
        AUTO(policy_effective_free_p) struct policy_effective *e = NULL;
        AUTO(verdict_free_p) struct verdict *v = NULL;
        AUTO(json_free_p) json_t *j = json_object();
        int64_t at_ms;
        int r = load_bundle(bundle, &b, err);

        if (r < 0)
                return r;
        at_ms = b->received_at_ms;
        if (at && clock_parse(view_str(at), &at_ms, err) < 0)
                return err_wrap(err, "--at");
        r = load_effective(&file, 1, at_ms, &e, err);
        if (r < 0 || (r = appraise_bundle(b, e, NULL, NULL, NULL, &v, err)) < 0)
                return r;
        if (!j || json_set_str(j, "host", b->host) < 0 || json_set_str(j, "evidence", bundle) < 0 ||
            json_set_str(j, "now", verdict_state_name(b->verdict->state)) < 0 ||
            json_set_str(j, "would", verdict_state_name(v->state)) < 0 ||
            json_object_set_new(j, "verdict", verdict_to_json(v)) < 0 || json_array_append(results, j) < 0)
                return err_nomem(err);
        return 0;
}

static int test_bundles(const struct session *s, const struct test_options *o, const char *file,
                        struct err *err)
{
        AUTO(json_free_p) json_t *doc = output_document("policy-test");
        json_t *results = json_array();
        int r = json_object_set_new(doc, "results", results) < 0 ? err_nomem(err) : 0;

        for (size_t i = 0; r == 0 && i < o->bundles.n; i++)
                r = test_bundle(file, o->bundles.v[i], o->at, results, err);
        return r < 0 ? r : show_test(s, doc, err);
}

static int run_test(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        const struct test_options *o = values;
        AUTO(policy_unref_p) struct policy *p = NULL;
        AUTO(buf_free) struct buf text = {0};
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        int r;

        (void)n_args;
        if (o->bundles.n)
                return test_bundles(s, o, args[0], err);
        r = load_policy(args[0], &p, &text, err);
        if (r < 0 || (r = api_open(s, API_VERIFIER, &api, err)) < 0 ||
            (r = ask_test(api, p->name, VIEW_BUF(&text), o->host, o->last, &doc, err)) < 0)
                return r;
        return show_test(s, doc, err);
}

/* --- push --- */

struct push_options {
        const char *overlap;
        bool force, dry_run;
};

static const struct option_row push_rows[] = {
        {"overlap", "DURATION", "how long the version before still holds, beside this one (default: 0s)",
         OPTION_TEXT, offsetof(struct push_options, overlap)},
        {"force", NULL, "also if hosts that pass now would fail", OPTION_FLAG,
         offsetof(struct push_options, force)},
        {"dry-run", NULL, "only say what would happen", OPTION_FLAG, offsetof(struct push_options, dry_run)},
        {0},
};

/* Would hosts that pass now fail? Return: 0 go on; ANSWER_NO with the reason printed; < 0. */
static int try_before_push(const struct session *s, struct api *api, const struct policy *p, struct view text,
                           struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        int64_t newly_failing = 0;
        int r = ask_test(api, p->name, text, NULL, NULL, &doc, err);

        if (r < 0 && err->code == 404) { /* a new policy: nobody is under it */
                err_clear(err);
                return 0;
        }
        if (r < 0 || (r = json_opt_int(doc, "newly_failing", 0, INT64_MAX, &newly_failing, err)) < 0)
                return r;
        if (newly_failing == 0)
                return 0;
        r = show_test(s, doc, err);
        if (r < 0)
                return r;
        (void)fflush(stdout);
        (void)fprintf(stderr,
                      "avow: %lld hosts that pass now would fail; nothing was pushed. Give them time with "
                      "--overlap, or push with --force\n",
                      (long long)newly_failing);
        return ANSWER_NO;
}

static int send_push(struct api *api, const struct policy *p, struct view text, const struct push_options *o,
                     json_t **ret, struct err *err)
{
        AUTO(mem_free_p) char *base = policy_path(p->name, "");
        struct buf path = {0};

        if (!base)
                return err_nomem(err);
        buf_str(&path, base);
        add_query(&path, "overlap", o->overlap ? o->overlap : "0s");
        add_query(&path, "source", p->source);
        if (o->dry_run)
                add_query(&path, "dry_run", "true");
        if (o->force)
                add_query(&path, "force", "true");
        return send_text(api, "PUT", &path, text, 1u << 20, ret, err);
}

static int run_push(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        static const struct column lines[] = {
                {"Policy", "name"},         {"Version", "version"}, {"SHA-256", "sha256"},
                {"Unchanged", "unchanged"}, {"Hosts", "hosts"},
        };
        const struct push_options *o = values;
        AUTO(policy_unref_p) struct policy *p = NULL;
        AUTO(buf_free) struct buf text = {0};
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        int64_t overlap_ms;
        int r;

        (void)n_args;
        if (o->overlap && clock_parse_duration(view_str(o->overlap), &overlap_ms, err) < 0)
                return err_wrap(err, "--overlap");
        r = load_policy(args[0], &p, &text, err);
        if (r < 0 || (r = api_open(s, API_VERIFIER, &api, err)) < 0)
                return r;
        /* with an overlap the version before goes on holding, so nobody newly fails at once */
        if (!o->force && !o->overlap) {
                r = try_before_push(s, api, p, VIEW_BUF(&text), err);
                if (r != 0)
                        return r;
        }
        r = send_push(api, p, VIEW_BUF(&text), o, &doc, err);
        if (r == 0)
                r = output_record(s, doc, lines, ARRAY_LEN(lines), err);
        return r < 0 ? r : ANSWER_DONE;
}

/* --- list, show --- */

static int run_list(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        static const struct column columns[] = {{"NAME", "name"},         {"VERSION", "version"},
                                                {"HOSTS", "hosts"},       {"SOURCE", "source"},
                                                {"PUSHED", "created_at"}, {"BY", "created_by"}};
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        int r = api_open(s, API_VERIFIER, &api, err);

        (void)values;
        (void)n_args;
        (void)args;
        if (r == 0)
                r = api_json(api, "GET", "/avow/v1/policies", NULL, &doc, err);
        if (r == 0)
                r = output_list(s, doc, "policies", columns, ARRAY_LEN(columns), err);
        return r < 0 ? r : ANSWER_DONE;
}

struct show_options {
        bool text, signed_text;
};

static const struct option_row show_rows[] = {
        {"text", NULL, "the policy itself, as it was pushed", OPTION_FLAG,
         offsetof(struct show_options, text)},
        {"signed", NULL, "the same in the envelope that it was pushed in, for 'policy verify'", OPTION_FLAG,
         offsetof(struct show_options, signed_text)},
        {0},
};

/* The text as it was pushed: what goes into a file again. */
static int print_text(const struct session *s, struct api *api, const char *name, const char *version,
                      bool in_envelope, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        AUTO(buf_free) struct buf envelope = {0};
        const char *text = NULL;
        int r = get_version(api, name, version, &doc, err);

        if (r == 0)
                r = output_document_if_asked(s, doc, err);
        if (r != 0)
                return r < 0 ? r : ANSWER_DONE;
        r = in_envelope ? put_version(doc, &envelope, err) : read_text(doc, &text, err);
        if (r < 0)
                return r;
        if (in_envelope)
                (void)fwrite(envelope.p, 1, envelope.len, stdout);
        else
                (void)fputs(text, stdout);
        return fflush(stdout) ? err_set(err, ERR_IO, 0, "standard output cannot be written") : ANSWER_DONE;
}

static int run_show(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        static const struct column columns[] = {{"VERSION", "version"}, {"IN FORCE", "in_force"},
                                                {"UNTIL", "until"},     {"PUSHED", "created_at"},
                                                {"BY", "created_by"},   {"SIGNED BY", "signed_by"},
                                                {"SOURCE", "source"}};
        const struct show_options *o = values;
        const char *at = strrchr(args[0], '@');
        AUTO(mem_free_p) char *name = at ? str_ndup(args[0], (size_t)(at - args[0])) : str_dup(args[0]);
        AUTO(mem_free_p) char *path = name ? policy_path(name, "") : NULL;
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        int r;

        (void)n_args;
        if (!path)
                return err_nomem(err);
        r = api_open(s, API_VERIFIER, &api, err);
        if (r < 0)
                return r;
        if (o->text || o->signed_text || at)
                return print_text(s, api, name, at ? at + 1 : "latest", o->signed_text, err);
        r = api_json(api, "GET", path, NULL, &doc, err);
        if (r == 0 && s->output == OUTPUT_TABLE)
                (void)printf("Policy '%s', under which there are %lld hosts\n\n", name,
                             (long long)json_integer_value(json_object_get(doc, "hosts")));
        if (r == 0)
                r = output_list(s, doc, "versions", columns, ARRAY_LEN(columns), err);
        return r < 0 ? r : ANSWER_DONE;
}

const struct command policy_remote_commands[] = {
        {"policy", "list", "", "List the policies at the verifier", NULL, 0, 0, 0, run_list},
        {"policy", "show", "NAME[@VERSION]", "Show the versions of a policy, or one version's text",
         show_rows, sizeof(struct show_options), 1, 1, run_show},
        {"policy", "push", "FILE", "Make a policy the newest version under its name", push_rows,
         sizeof(struct push_options), 1, 1, run_push},
        {"policy", "test", "FILE", "Try a policy on recorded evidence", test_rows,
         sizeof(struct test_options), 1, 1, run_test},
        {0},
};
