/* SPDX-License-Identifier: Apache-2.0 */
/* /avow/v1/hosts: list, show, add, change, remove. docs/verifier-api.md has the shapes. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "verifier/enrol.h"
#include "verifier/permits.h"
#include "verifier/reply.h"
#include "verifier/view.h"

#define PAGE_DEFAULT   100
#define PAGE_MAX       1000
#define LABELS_MAX     32
#define BODY_BYTES_MAX (64 * 1024)
#define INTERVAL_MIN   500
#define INTERVAL_MAX   (86400 * 1000LL)

/* ---- reading ---- */

struct filter {
        const struct verifier *v;
        const char *state;
};

static bool wanted(const struct host *host, void *ctx)
{
        const struct filter *f = ctx;

        return !f->state || str_equal(host_shown_name(verifier_shown(f->v, host)), f->state);
}

static json_t *view_list(const struct verifier *v, struct host **list, size_t n, bool more)
{
        AUTO(json_free_p) json_t *j = json_object();
        json_t *hosts = json_array();
        int r = 0;

        r |= json_set_str(j, "schema", "avow.hosts/1");
        r |= json_object_set_new(j, "hosts", hosts);
        for (size_t i = 0; i < n && r == 0; i++)
                r |= json_array_append_new(hosts, view_host(v, list[i], NULL));
        r |= json_set_str(j, "next", more ? list[n - 1]->e.name : NULL);
        return r ? NULL : TAKE(j);
}

static void on_list(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct filter filter = {.v = v, .state = http_request_query(req, "state")};
        AUTO(mem_free_p) struct host **list = NULL;
        struct err err = ERR_INIT;
        int64_t limit;
        int n;

        if (!reply_query_int(req, "limit", 1, PAGE_MAX, PAGE_DEFAULT, &limit))
                return;
        if (v->loading) {
                http_answer_retry_after(req, 1000);
                http_answer_problem(req, 503, NULL, "Hosts are still being read from the database.");
                return;
        }
        n = hosts_sorted(v->hosts, http_request_query(req, "after"), (size_t)limit + 1, wanted, &filter,
                         &list, &err);
        if (n < 0) {
                reply_failure(req, &err, "listing hosts");
                return;
        }
        reply_json(req, 200, view_list(v, list, n > limit ? (size_t)limit : (size_t)n, n > limit));
}

static void on_show(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct host *host = reply_host(v, req);

        if (host)
                reply_json(req, 200, view_host_whole(v, host));
}

static void on_explain(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct host *host = reply_host(v, req);

        if (host)
                reply_json(req, 200, view_explain(v, host));
}

/* ---- what an administrator may say of a host ---- */

static int read_interval(const json_t *j, int64_t *ret, struct err *err)
{
        const char *text = NULL;
        int r = json_opt_str(j, "interval", &text, err);

        if (r <= 0)
                return r;
        r = clock_parse_duration(view_str(text), ret, err);
        if (r >= 0 && (*ret < INTERVAL_MIN || *ret > INTERVAL_MAX))
                r = err_set(err, ERR_LIMIT, 0, "expected 500ms to 1d");
        return r < 0 ? err_wrap(err, "member 'interval'") : 0;
}

static int read_labels(const json_t *j, char **ret, struct err *err)
{
        const json_t *labels = NULL, *value;
        const char *key;
        int r = json_opt_object(j, "labels", &labels, err);

        if (r <= 0)
                return r;
        if (json_object_size(labels) > LABELS_MAX)
                return err_set(err, ERR_LIMIT, 0, "more than %d labels", LABELS_MAX);
        json_object_foreach ((json_t *)labels, key, value) {
                if (!str_valid_name(key) || !json_is_string(value) || json_string_length(value) > 255)
                        return err_set(err, ERR_FORMAT, 0, "member 'labels': expected short names and texts");
        }
        free(*ret);
        *ret = json_print(labels);
        return *ret ? 0 : err_nomem(err);
}

static int read_policy(const json_t *j, char **ret, struct err *err)
{
        const char *name = NULL;
        int r = json_opt_str(j, "policy", &name, err);

        if (r <= 0)
                return r;
        if (!str_valid_name(name))
                return err_set(err, ERR_FORMAT, 0, "member 'policy': expected a policy's name");
        free(*ret);
        *ret = str_dup(name);
        return *ret ? 0 : err_nomem(err);
}

static int set_actor(const struct http_request *req, struct enrolment *e, struct err *err)
{
        struct buf actor = {0};

        reply_actor(req, &actor);
        free(e->actor);
        e->actor = buf_take_str(&actor);
        return e->actor ? 0 : err_nomem(err);
}

static int read_new(const struct http_request *req, struct enrolment *e, struct err *err)
{
        static const char *const names[] = {"name", "policy", "peer", "interval", "labels"};
        AUTO(json_free_p) json_t *j = NULL;
        const char *name = NULL, *peer = "avow";

        if (json_parse(http_request_body(req), BODY_BYTES_MAX, &j, err) < 0 ||
            json_only(j, names, ARRAY_LEN(names), err) < 0 || json_get_str(j, "name", &name, err) < 0 ||
            json_opt_str(j, "peer", &peer, err) < 0 || read_policy(j, &e->policy, err) < 0 ||
            read_interval(j, &e->interval_ms, err) < 0 || read_labels(j, &e->labels, err) < 0 ||
            set_actor(req, e, err) < 0)
                return -(int)err->kind;
        if (!str_valid_host_id(name))
                return err_set(err, ERR_FORMAT, 0, "member 'name': expected 1 to 80 of A-Z a-z 0-9 _ . -");
        if (!str_equal(peer, "avow") && !str_equal(peer, "keylime"))
                return err_set(err, ERR_FORMAT, 0, "member 'peer': expected avow or keylime");
        if (!e->policy)
                return err_set(err, ERR_FORMAT, 0, "member 'policy': is missing");
        e->keylime = str_equal(peer, "keylime");
        e->name = str_dup(name);
        e->tenant = str_dup("default");
        return e->name && e->tenant ? 0 : err_nomem(err);
}

static void refuse_body(struct http_request *req, const struct err *err)
{
        http_answer_problem(req, err->kind == ERR_NOMEM ? 503 : 400, NULL, "%s", err->text);
}

/* ---- add ---- */

struct adding {
        struct verifier *v;
        struct http_request *req;
};

static void on_enrolled(void *ctx, int status, const char *detail, struct host *host)
{
        AUTO(mem_free_p) struct adding *a = ctx;

        if (status == 201 && host)
                reply_json(a->req, 201, view_host_whole(a->v, host));
        else if (status == 200)
                reply_json(a->req, 200, json_pack("{s:s, s:b}", "schema", "avow.host/1", "dry_run", 1));
        else
                http_answer_problem(a->req, status, NULL, "%s", detail);
}

static void on_add(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct enrolment e = {.keylime = false};
        struct err err = ERR_INIT;
        struct adding *a;

        if (read_new(req, &e, &err) < 0) {
                enrolment_free(&e);
                refuse_body(req, &err);
                return;
        }
        a = mem_zalloc(1, sizeof(*a));
        if (!a) {
                enrolment_free(&e);
                http_answer_problem(req, 503, NULL, "Out of memory.");
                return;
        }
        *a = (struct adding){.v = v, .req = req};
        enrol_from_registrar(v, &e, reply_dry_run(req), on_enrolled, a);
}

/* ---- change and remove ---- */

struct changing {
        struct verifier *v;
        struct http_request *req;
        struct enrolment e; /* of a change: as it will be */
        char *name;
};

static void changing_free(struct changing *c)
{
        if (!c)
                return;
        enrolment_free(&c->e);
        free(c->name);
        free(c);
}
DEFINE_AUTO(struct changing, changing_free)

static struct changing *changing_new(struct verifier *v, struct http_request *req, const struct host *host)
{
        struct changing *c = mem_zalloc(1, sizeof(*c));

        if (c) {
                c->v = v;
                c->req = req;
                c->name = str_dup(host->e.name);
        }
        if (c && c->name)
                return c;
        changing_free(c);
        http_answer_problem(req, 503, NULL, "Out of memory.");
        return NULL;
}

static void on_changed(void *ctx, enum store_outcome outcome, const struct err *store_err)
{
        AUTO(changing_free_p) struct changing *c = ctx;
        struct host *host = hosts_find(c->v->hosts, c->name);
        struct err err = ERR_INIT;

        if (outcome == STORE_FAILED) {
                reply_failure(c->req, store_err, "changing a host");
                return;
        }
        if (outcome != STORE_OK || !host) {
                http_answer_problem(c->req, 404, NULL, "No host of this name, or no policy of that name.");
                return;
        }
        free(host->e.policy);
        free(host->e.labels);
        host->e.policy = TAKE(c->e.policy);
        host->e.labels = TAKE(c->e.labels);
        host->e.interval_ms = c->e.interval_ms;
        host->e.paused = c->e.paused;
        if (host_bind_rules(host, c->v->rules, &err) < 0)
                log_err(&err, "host %s", SHOW(c->name));
        watch_host(c->v, host);
        reply_json(c->req, 200, view_host_whole(c->v, host));
}

static int read_change(const struct http_request *req, const struct host *host, struct enrolment *e,
                       struct err *err)
{
        static const char *const names[] = {"policy", "interval", "labels", "paused"};
        AUTO(json_free_p) json_t *j = NULL;

        e->interval_ms = host->e.interval_ms;
        e->paused = host->e.paused;
        e->name = str_dup(host->e.name);
        e->tenant = str_dup(host->e.tenant);
        e->policy = host->e.policy ? str_dup(host->e.policy) : NULL;
        e->labels = host->e.labels ? str_dup(host->e.labels) : NULL;
        e->tpm_policy = host->e.tpm_policy ? str_dup(host->e.tpm_policy) : NULL;
        if (!e->name || !e->tenant || (host->e.policy && !e->policy) || (host->e.labels && !e->labels) ||
            (host->e.tpm_policy && !e->tpm_policy))
                return err_nomem(err);
        if (json_parse(http_request_body(req), BODY_BYTES_MAX, &j, err) < 0 ||
            json_only(j, names, ARRAY_LEN(names), err) < 0 || read_policy(j, &e->policy, err) < 0 ||
            read_interval(j, &e->interval_ms, err) < 0 || read_labels(j, &e->labels, err) < 0 ||
            json_opt_bool(j, "paused", &e->paused, err) < 0 || set_actor(req, e, err) < 0)
                return -(int)err->kind;
        return 0;
}

static void on_change(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct host *host = reply_host(v, req);
        AUTO(changing_free_p) struct changing *c = host ? changing_new(v, req, host) : NULL;
        struct audit_entry entry = {.time_ms = clock_now_ms(), .action = "host.change"};
        struct err err = ERR_INIT;

        if (!c)
                return;
        if (!reply_no_dry_run(req))
                return;
        if (read_change(req, host, &c->e, &err) < 0) {
                refuse_body(req, &err);
                return;
        }
        if (c->e.policy && !rules_find(v->rules, c->e.policy)) {
                http_answer_problem(req, 404, "policy", "There is no policy of this name.");
                return;
        }
        entry.actor = c->e.actor;
        entry.object = c->name;
        if (verifier_db_change(v->db, &c->e, &entry, on_changed, c, &err) < 0)
                reply_failure(req, &err, "changing a host");
        else
                (void)TAKE(c);
}

static void on_removed(void *ctx, enum store_outcome outcome, const struct err *err)
{
        AUTO(changing_free_p) struct changing *c = ctx;

        if (outcome == STORE_FAILED) {
                reply_failure(c->req, err, "removing a host");
                return;
        }
        sessions_drop_host(c->v->sessions, c->name);
        hosts_remove(c->v->hosts, c->name);
        permits_drop(c->v->permits, c->name);
        log_info("host %s was removed", SHOW(c->name));
        events_emit(c->v->events, "host.removed", c->name, NULL, NULL, NULL);
        reply_json(c->req, 200, json_pack("{s:s, s:s}", "schema", "avow.removed/1", "name", c->name));
}

static void on_remove(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct host *host = reply_host(v, req);
        AUTO(changing_free_p) struct changing *c = host ? changing_new(v, req, host) : NULL;
        struct audit_entry entry = {.time_ms = clock_now_ms(), .action = "host.remove"};
        struct err err = ERR_INIT;

        if (!c)
                return;
        if (reply_dry_run(req)) {
                reply_json(req, 200,
                           json_pack("{s:s, s:s, s:b}", "schema", "avow.removed/1", "name", c->name,
                                     "dry_run", 1));
                return;
        }
        entry.object = c->name;
        if (set_actor(req, &c->e, &err) < 0 ||
            (entry.actor = c->e.actor,
             verifier_db_remove(v->db, NULL, c->name, &entry, on_removed, c, &err)) < 0)
                reply_failure(req, &err, "removing a host");
        else
                (void)TAKE(c);
}

#define READERS (ROLE_ADMIN | ROLE_AUDITOR | ROLE_TENANT | ROLE_POLICY_ADMIN)
#define WRITERS (ROLE_ADMIN | ROLE_TENANT)

static const struct http_route routes[] = {
        {HTTP_GET, "/avow/v1/hosts", READERS, on_list, 0, HTTP_NATIVE, NULL},
        {HTTP_POST, "/avow/v1/hosts", WRITERS, on_add, BODY_BYTES_MAX, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/hosts/:id", READERS, on_show, 0, HTTP_NATIVE, NULL},
        {HTTP_PATCH, "/avow/v1/hosts/:id", WRITERS, on_change, BODY_BYTES_MAX, HTTP_NATIVE, NULL},
        {HTTP_DELETE, "/avow/v1/hosts/:id", WRITERS, on_remove, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/hosts/:id/explain", READERS, on_explain, 0, HTTP_NATIVE, NULL},
};

int routes_hosts(struct verifier *v, struct err *err)
{
        return http_server_add_routes(v->server, routes, ARRAY_LEN(routes), v, err);
}
