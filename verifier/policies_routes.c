/* SPDX-License-Identifier: Apache-2.0 */
/* /avow/v1/policies: push, list, show, versions, remove; the last four for /avow/v1/modules, too.
 * docs/verifier-api.md has the shapes. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "verifier/modules.h"
#include "verifier/policy_desk.h"
#include "verifier/policy_test.h"
#include "verifier/reply.h"
#include "verifier/trial.h"
#include "verifier/trust.h"
#include "verifier/view.h"

/* A push waits so long for its trial, and needs no more hosts than these to be refused. */
#define TRIAL_MS     10000
#define TRIAL_ENOUGH 20

void pushing_free(struct pushing *p)
{
        if (!p)
                return;
        free(p->name);
        free(p->source);
        policy_unref(p->policy);
        module_policy_unref(p->modules);
        dsse_done(&p->envelope);
        free(p->signatures);
        free(p->signed_by);
        stored_policy_free(&p->stored);
        free(p);
}

struct pushing *pushing_new(struct policy_desk *desk, struct http_request *req)
{
        struct pushing *p = mem_zalloc(1, sizeof(*p));

        if (p) {
                p->v = desk->v;
                p->kind = desk->kind;
                p->req = req;
                p->name = str_dup(http_request_param(req, "name") ? http_request_param(req, "name") : "");
        }
        if (p && p->name)
                return p;
        pushing_free(p);
        http_answer_problem(req, 503, NULL, "Out of memory.");
        return NULL;
}

static size_t hosts_under(struct verifier *v, const char *name)
{
        struct ruleset *s = rules_find(v->rules, name);

        return s ? ruleset_hosts(s) : 0;
}

/* A stored JSON text; NULL: an empty array. */
static int set_stored(json_t *j, const char *name, const char *text)
{
        struct err err = ERR_INIT;
        json_t *list = NULL;

        if (text && json_parse(view_str(text), DSSE_TEXT_MAX, &list, &err) < 0)
                return -1;
        return json_object_set_new(j, name, list ? list : json_array());
}

static int set_policy(json_t *j, const struct stored_policy *p)
{
        int r = 0;

        r |= json_set_int(j, "version", p->version);
        r |= json_set_str(j, "sha256", p->sha256);
        r |= json_set_str(j, "source", p->source);
        r |= view_time(j, "created_at", p->created_at_ms);
        r |= json_set_str(j, "created_by", p->actor);
        r |= set_stored(j, "signed_by", p->signed_by);
        return r;
}

/* How the kinds are called on the wire and in the audit log. */
static const struct {
        const char *one, *list, *member, *version, *push, *remove, *changed;
} words[] = {
        [STORED_POLICY] = {"avow.policy/1", "avow.policies/1", "policies", "avow.policy-version/1",
                           "policy.push", "policy.remove", "policy.changed"},
        [STORED_MODULES] = {"avow.module-policy/1", "avow.module-policies/1", "modules",
                            "avow.module-policy-version/1", "modules.push", "modules.remove",
                            "modules.changed"},
};

/* How many hosts a policy has: none has a module policy of its own. */
static int set_hosts(const struct pushing *p, json_t *j, const char *name)
{
        return p->kind == STORED_POLICY ? json_set_int(j, "hosts", (int64_t)hosts_under(p->v, name)) : 0;
}

/* ---- push ---- */

json_t *pushing_view(const struct pushing *p, const struct stored_policy *stored, bool unchanged, bool dry)
{
        AUTO(json_free_p) json_t *j = json_object();
        int r = 0;

        r |= json_set_str(j, "schema", words[p->kind].one);
        r |= json_set_str(j, "name", stored->name);
        r |= set_policy(j, stored);
        r |= json_set_bool(j, "unchanged", unchanged);
        r |= set_hosts(p, j, stored->name);
        if (dry)
                r |= json_set_bool(j, "dry_run", true);
        return r ? NULL : TAKE(j);
}

/* Hosts that were enrolled under a name whose policy was not there find it now. */
static void bind_waiting(struct verifier *v, const char *name)
{
        struct err err = ERR_INIT;
        struct host *host;
        size_t pos = 0;

        while ((host = hosts_next(v->hosts, &pos)) != NULL)
                if (!host->rules && str_equal(host->e.policy, name) &&
                    host_bind_rules(host, v->rules, &err) < 0)
                        log_err(&err, "host %s", SHOW(host->e.name));
}

/* The versions in force, as the database has them now. */
static void on_in_force(void *ctx, enum store_outcome outcome, struct stored_policy *policies, size_t n,
                        const struct err *store_err)
{
        AUTO(pushing_free_p) struct pushing *p = ctx;
        struct err err = ERR_INIT;
        bool unchanged = p->stored.version == p->version;

        if (outcome == STORE_FAILED) {
                reply_failure(p->req, store_err, "reading a policy back");
                return;
        }
        if (rules_replace(p->v->rules, p->name, policies, n, &err) < 0) {
                reply_failure(p->req, &err, "using a policy");
                return;
        }
        bind_waiting(p->v, p->name);
        if (!unchanged && p->newly_failing)
                trust_forced(p->v, p->name, p->newly_failing, p->stored.actor);
        if (!unchanged) {
                log_info("policy %s has version %lld, for %zu hosts", SHOW(p->name),
                         (long long)p->stored.version, hosts_under(p->v, p->name));
                events_emit(p->v->events, "policy.changed", NULL, NULL, NULL, p->name);
        }
        reply_json(p->req, unchanged ? 200 : 201, pushing_view(p, &p->stored, unchanged, false));
}

static void on_pushed(void *ctx, enum store_outcome outcome, struct stored_policy *policies, size_t n,
                      const struct err *store_err)
{
        AUTO(pushing_free_p) struct pushing *p = ctx;
        struct err err = ERR_INIT;

        if (outcome == STORE_FAILED || n != 1) {
                reply_failure(p->req, store_err ? store_err : &err, "writing a policy");
                return;
        }
        p->stored = policies[0];
        policies[0] = (struct stored_policy){.version = 0};
        if (verifier_db_policies_in_force(p->v->db, STORED_POLICY, NULL, p->name, clock_now_ms(), on_in_force,
                                          p, &err) < 0)
                reply_failure(p->req, &err, "reading a policy back");
        else
                (void)TAKE(p);
}

bool pushing_read_overlap(struct http_request *req, int64_t now_ms, int64_t *ret_until_ms)
{
        const char *text = http_request_query(req, "overlap");
        struct err err = ERR_INIT;
        int64_t ms = 0;

        if (text && clock_parse_duration(view_str(text), &ms, &err) < 0) {
                http_answer_problem(req, 400, "overlap", "%s", err.text);
                return false;
        }
        *ret_until_ms = now_ms + ms;
        return true;
}

/* The text's place in a message "SOURCE:LINE:COLUMN: …", for `where`. */
void pushing_refuse(struct http_request *req, const struct err *err, const char *source)
{
        size_t len = strlen(source);
        char where[POLICY_SOURCE_MAX + 32] = "";

        if (err->kind == ERR_NOMEM) {
                http_answer_problem(req, 503, NULL, "Out of memory.");
                return;
        }
        if (strncmp(err->text, source, len) == 0 && err->text[len] == ':') {
                size_t n = len + 1 + strspn(err->text + len + 1, "0123456789:");

                if (n > 0 && err->text[n - 1] == ':')
                        n--;
                (void)snprintf(where, sizeof(where), "%.*s", (int)n, err->text);
        }
        http_answer_problem(req, 400, where[0] ? where : NULL, "%s", err->text);
}

/* "release, security" */
static void put_names(struct buf *b, const struct signers *s)
{
        for (size_t i = 0; i < s->n; i++)
                buf_fmt(b, "%s%s", i ? ", " : "", s->v[i].name);
}

/* Who of those we know has signed. Return: false with the answer given. */
static bool check_signatures(struct pushing *p)
{
        const struct signers *s = &p->v->signers;
        AUTO(strv_done) struct strv names = {0};
        AUTO(json_free_p) json_t *list = json_array();
        AUTO(buf_free) struct buf known = {0};
        struct err err = ERR_INIT;
        int r = signers_of(s, &p->envelope, &names, &err);

        for (size_t i = 0; r >= 0 && i < names.n; i++)
                if (json_array_append_new(list, json_string(names.items[i])) < 0)
                        r = err_nomem(&err);
        if (r >= 0 && p->envelope.n_signatures) {
                r = policy_signatures_text(&p->envelope, &p->signatures, &err);
                p->signed_by = json_print(list);
                if (!p->signed_by && r >= 0)
                        r = err_nomem(&err);
        }
        if (r < 0) {
                reply_failure(p->req, &err, "checking signatures");
                return false;
        }
        if (names.n >= s->needed && (names.n || !p->envelope.n_signatures || s->n == 0))
                return true;
        put_names(&known, s);
        http_answer_problem(p->req, 403, "signatures",
                            "Of the signers known here (%.*s) %zu have signed this text, and %zu are needed: "
                            "'avow policy sign --key KEY'.",
                            (int)known.len, known.len ? (const char *)known.p : "", names.n,
                            s->needed ? s->needed : 1);
        return false;
}

/* Takes the text out of its envelope. Return: false with the answer given. */
bool pushing_open(struct pushing *p)
{
        struct err err = ERR_INIT;

        if (policy_unwrap(http_request_body(p->req), &p->envelope, &p->text, &err) < 0) {
                pushing_refuse(p->req, &err, p->source);
                return false;
        }
        return check_signatures(p);
}

/* Parses and tries beside what is in force. Return: false with the answer given. */
static bool check_policy(struct pushing *p, struct policy_effective **ret_effective)
{
        struct http_request *req = p->req;
        struct err err = ERR_INIT;

        if (policy_parse(p->text, p->source, &p->policy, &err) < 0) {
                pushing_refuse(req, &err, p->source);
                return false;
        }
        if (!str_equal(p->policy->name, p->name)) {
                http_answer_problem(req, 400, p->source, "The text names its policy '%s', the request '%s'.",
                                    p->policy->name, p->name);
                return false;
        }
        if (rules_check_next(p->v->rules, p->name, p->policy, p->overlap_ms, p->now_ms, ret_effective, &err) <
            0) {
                http_answer_problem(req, err.kind == ERR_NOMEM ? 503 : 409, NULL, "%s", err.text);
                return false;
        }
        return true;
}

void pushing_store(struct pushing *p, const struct digest *sha256, int64_t newest,
                   verifier_policies_fn on_stored)
{
        char hex[2 * DIGEST_BYTES_MAX + 1];
        struct buf actor = {0};
        AUTO(mem_free_p) char *who = NULL;
        AUTO(mem_free_p) char *detail = NULL;
        struct stored_policy stored = {.name = p->name,
                                       .sha256 = hex_write(hex, digest_view(sha256)),
                                       .source = p->source,
                                       .signatures = p->signatures,
                                       .signed_by = p->signed_by,
                                       .created_at_ms = p->now_ms};
        struct audit_entry entry = {.time_ms = p->now_ms, .action = words[p->kind].push, .object = p->name};
        struct err err = ERR_INIT;

        p->version = newest;
        reply_actor(p->req, &actor);
        entry.actor = stored.actor = who = buf_take_str(&actor);
        entry.detail = detail = str_fmt(
                "{\"sha256\":\"%s\",\"overlap_ms\":%lld,\"newly_failing\":%zu,\"signed_by\":%s}", hex,
                (long long)(p->overlap_ms - p->now_ms), p->newly_failing, p->signed_by ? p->signed_by : "[]");
        if (!who || !detail) {
                http_answer_problem(p->req, 503, NULL, "Out of memory.");
                pushing_free(p);
                return;
        }
        if (reply_dry_run(p->req)) {
                stored.version = p->version + 1;
                reply_json(p->req, 200, pushing_view(p, &stored, false, true));
                pushing_free(p);
                return;
        }
        stored.text = (struct buf){
                .p = (uint8_t *)(uintptr_t)p->text.p, .len = p->text.len, .cap = p->text.len}; /* lent */
        if (verifier_db_policy_push(p->v->db, p->kind, &stored, p->overlap_ms, &entry, on_stored, p, &err) <
            0) {
                reply_failure(p->req, &err, "writing a policy");
                pushing_free(p);
        }
}

static void push(struct pushing *p)
{
        const struct ruleset *had = rules_find(p->v->rules, p->name);

        pushing_store(p, &p->policy->sha256, had && ruleset_newest(had) ? ruleset_newest(had)->version : 0,
                      on_pushed);
}

/* SR-3: a policy under which hosts that pass would fail has to be forced. */
static void on_tried(void *ctx, const struct trial_sum *sum, const struct err *err)
{
        struct pushing *p = ctx;

        if (err) {
                reply_failure(p->req, err, "trying a policy");
                pushing_free(p);
                return;
        }
        if (sum->n_tried < sum->n_hosts && sum->n_newly_failing == 0)
                log_warning("policy %s was tried on %zu of %zu hosts, and then time was up", SHOW(p->name),
                            sum->n_tried, sum->n_hosts);
        p->newly_failing = sum->n_newly_failing;
        if (sum->n_newly_failing && !p->force) {
                http_answer_problem(
                        p->req, 409, "force",
                        "%s%zu of the hosts that pass now would fail, %s%s%s first. Give them time "
                        "with an overlap, or force it.",
                        sum->n_tried < sum->n_hosts ? "At least " : "", sum->n_newly_failing, sum->first[0],
                        sum->n_newly_failing > 1 ? ", " : "", sum->first[1]);
                pushing_free(p);
                return;
        }
        push(p);
}

/* Unforced, the first few are enough to refuse; forced, they are counted, for the fuse. */
static void try_first(struct pushing *p, struct policy_effective *effective)
{
        struct trial_options options = {.policy = p->name,
                                        .passing = true,
                                        .budget_ms = TRIAL_MS,
                                        .enough = p->force ? 0 : TRIAL_ENOUGH,
                                        .effective = effective};
        struct err err = ERR_INIT;

        if (trial_start(p->v, &options, NULL, on_tried, p, &err) < 0) {
                reply_failure(p->req, &err, "trying a policy");
                pushing_free(p);
        }
}

static void on_push(struct http_request *req, void *ctx)
{
        struct policy_desk *desk = ctx;
        struct verifier *v = desk->v;
        struct policy_effective *effective = NULL;
        const char *name = http_request_param(req, "name"), *source = http_request_query(req, "source");
        const char *force = http_request_query(req, "force");
        int64_t now_ms = clock_now_ms(), overlap_ms;
        AUTO(pushing_free_p) struct pushing *p = NULL;

        if (!str_valid_name(name)) {
                http_answer_problem(req, 400, NULL, "A policy's name is 1 to 64 of A-Z a-z 0-9 _ . -");
                return;
        }
        if (!source || source[0] == '\0')
                source = name;
        if (strlen(source) > POLICY_SOURCE_MAX) {
                http_answer_problem(req, 400, "source", "Longer than %d characters.", POLICY_SOURCE_MAX);
                return;
        }
        if (!v->rules_loaded || v->loading) {
                http_answer_retry_after(req, 1000);
                http_answer_problem(req, 503, NULL,
                                    "Policies and hosts are still being read from the database.");
                return;
        }
        if (!pushing_read_overlap(req, now_ms, &overlap_ms) || !(p = pushing_new(desk, req)))
                return;
        p->now_ms = now_ms;
        p->overlap_ms = overlap_ms;
        p->force = str_equal(force, "true");
        p->source = str_dup(source);
        if (!p->source)
                http_answer_problem(req, 503, NULL, "Out of memory.");
        else if (pushing_open(p) && check_policy(p, &effective))
                try_first(TAKE(p), effective);
}

/* ---- list, show ---- */

static void on_listed(void *ctx, enum store_outcome outcome, struct stored_policy *policies, size_t n,
                      const struct err *err)
{
        AUTO(pushing_free_p) struct pushing *p = ctx;
        AUTO(json_free_p) json_t *j = json_object();
        json_t *list = json_array();
        int r = 0;

        if (outcome == STORE_FAILED) {
                json_decref(list);
                reply_failure(p->req, err, "listing policies");
                return;
        }
        r |= json_set_str(j, "schema", words[p->kind].list);
        r |= json_object_set_new(j, words[p->kind].member, list);
        for (size_t i = 0; i < n && r == 0; i++) {
                json_t *one = json_object();

                r |= json_array_append_new(list, one);
                r |= json_set_str(one, "name", policies[i].name);
                r |= set_policy(one, &policies[i]);
                r |= set_hosts(p, one, policies[i].name);
        }
        reply_json(p->req, 200, r ? NULL : TAKE(j));
}

static void on_versions(void *ctx, enum store_outcome outcome, struct stored_policy *policies, size_t n,
                        const struct err *err)
{
        AUTO(pushing_free_p) struct pushing *p = ctx;
        AUTO(json_free_p) json_t *j = json_object();
        json_t *list = json_array();
        int64_t now_ms = clock_now_ms();
        int r = 0;

        if (outcome != STORE_OK) {
                json_decref(list);
                if (outcome == STORE_FAILED)
                        reply_failure(p->req, err, "reading a policy");
                else
                        http_answer_problem(p->req, 404, NULL, "There is no policy of this name.");
                return;
        }
        r |= json_set_str(j, "schema", words[p->kind].one);
        r |= json_set_str(j, "name", p->name);
        r |= set_hosts(p, j, p->name);
        r |= json_object_set_new(j, "versions", list);
        for (size_t i = 0; i < n && r == 0; i++) {
                json_t *one = json_object();

                r |= json_array_append_new(list, one);
                r |= set_policy(one, &policies[i]);
                r |= view_time(one, "until", policies[i].until_ms == INT64_MAX ? 0 : policies[i].until_ms);
                r |= json_set_bool(one, "in_force", policies[i].until_ms > now_ms);
        }
        reply_json(p->req, 200, r ? NULL : TAKE(j));
}

static void on_version(void *ctx, enum store_outcome outcome, struct stored_policy *policies, size_t n,
                       const struct err *err)
{
        AUTO(pushing_free_p) struct pushing *p = ctx;
        AUTO(json_free_p) json_t *j = json_object();
        int r = 0;

        if (outcome == STORE_FAILED) {
                reply_failure(p->req, err, "reading a policy");
                return;
        }
        if (n != 1) {
                http_answer_problem(p->req, 404, NULL, "There is no such version.");
                return;
        }
        r |= json_set_str(j, "schema", words[p->kind].version);
        r |= json_set_str(j, "name", p->name);
        r |= set_policy(j, &policies[0]);
        r |= set_stored(j, "signatures", policies[0].signatures);
        r |= json_object_set_new(j, "text",
                                 json_stringn((const char *)policies[0].text.p, policies[0].text.len));
        reply_json(p->req, 200, r ? NULL : TAKE(j));
}

void desk_on_list(struct http_request *req, void *ctx)
{
        AUTO(pushing_free_p) struct pushing *p = pushing_new(ctx, req);
        struct err err = ERR_INIT;

        if (!p)
                return;
        if (verifier_db_policy_versions(p->v->db, p->kind, NULL, NULL, on_listed, p, &err) < 0)
                reply_failure(req, &err, "listing policies");
        else
                (void)TAKE(p);
}

void desk_on_show(struct http_request *req, void *ctx)
{
        AUTO(pushing_free_p) struct pushing *p = pushing_new(ctx, req);
        struct err err = ERR_INIT;

        if (!p)
                return;
        if (verifier_db_policy_versions(p->v->db, p->kind, NULL, p->name, on_versions, p, &err) < 0)
                reply_failure(req, &err, "reading a policy");
        else
                (void)TAKE(p);
}

void desk_on_show_version(struct http_request *req, void *ctx)
{
        AUTO(pushing_free_p) struct pushing *p = pushing_new(ctx, req);
        const char *text = http_request_param(req, "version");
        struct err err = ERR_INIT;
        int64_t version = 0;

        if (!p)
                return;
        if (!str_equal(text, "latest") && str_parse_int(view_str(text), 1, UINT32_MAX, &version, &err) < 0)
                http_answer_problem(req, 404, NULL, "Expected a version's number, or latest.");
        else if (verifier_db_policy_get(p->v->db, p->kind, NULL, p->name, version, on_version, p, &err) < 0)
                reply_failure(req, &err, "reading a policy");
        else
                (void)TAKE(p);
}

/* ---- remove ---- */

static void on_removed(void *ctx, enum store_outcome outcome, const struct err *err)
{
        AUTO(pushing_free_p) struct pushing *p = ctx;

        if (outcome == STORE_FAILED) {
                reply_failure(p->req, err, "removing a policy");
        } else if (outcome == STORE_CONFLICT) {
                http_answer_problem(p->req, 409, NULL, "Hosts are enrolled under this policy.");
        } else if (outcome == STORE_NOT_FOUND) {
                http_answer_problem(p->req, 404, NULL, "There is no policy of this name.");
        } else {
                if (p->kind == STORED_POLICY)
                        rules_remove(p->v->rules, p->name);
                else
                        modules_remove(p->v->modules, p->name);
                events_emit(p->v->events, words[p->kind].changed, NULL, NULL, NULL, p->name);
                reply_json(p->req, 200, json_pack("{s:s, s:s}", "schema", "avow.removed/1", "name", p->name));
        }
}

void desk_on_remove(struct http_request *req, void *ctx)
{
        AUTO(pushing_free_p) struct pushing *p = pushing_new(ctx, req);
        struct audit_entry entry = {.time_ms = clock_now_ms()};
        AUTO(mem_free_p) char *who = NULL;
        struct buf actor = {0};
        struct err err = ERR_INIT;

        if (!p || !reply_no_dry_run(req))
                return;
        reply_actor(req, &actor);
        entry.actor = who = buf_take_str(&actor);
        entry.action = words[p->kind].remove;
        entry.object = p->name;
        if (verifier_db_policy_remove(p->v->db, p->kind, NULL, p->name, &entry, on_removed, p, &err) < 0)
                reply_failure(req, &err, "removing a policy");
        else
                (void)TAKE(p);
}

#define TESTERS  (ROLE_ADMIN | ROLE_POLICY_ADMIN | ROLE_AUDITOR)
#define TEXT_MAX DSSE_TEXT_MAX /* an envelope around the longest text */

static const struct http_route routes[] = {
        {HTTP_GET, "/avow/v1/policies", POLICY_READERS, desk_on_list, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/policies/:name", POLICY_READERS, desk_on_show, 0, HTTP_NATIVE, NULL},
        {HTTP_PUT, "/avow/v1/policies/:name", POLICY_WRITERS, on_push, TEXT_MAX, HTTP_NATIVE, NULL},
        {HTTP_DELETE, "/avow/v1/policies/:name", POLICY_WRITERS, desk_on_remove, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/policies/:name/versions/:version", POLICY_READERS, desk_on_show_version, 0,
         HTTP_NATIVE, NULL},
};
static const struct http_route tests[] = {
        {HTTP_POST, "/avow/v1/policies/:name/test", TESTERS, policy_test_on_request, TEXT_MAX, HTTP_NATIVE,
         NULL},
};

int routes_policies(struct verifier *v, struct err *err)
{
        struct policy_desk *desk = &v->desks[STORED_POLICY];
        int r;

        *desk = (struct policy_desk){v, STORED_POLICY};
        r = http_server_add_routes(v->server, routes, ARRAY_LEN(routes), desk, err);
        return r < 0 ? r : http_server_add_routes(v->server, tests, ARRAY_LEN(tests), v, err);
}
