/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks over the API: webhooks, and the hosts' own agents. Programs are named in the configuration's file and
 * nowhere else (SR-8), so a stolen hook-admin's key makes nothing run here. What makes a webhook able to act
 * as us (its secrets, the key of its client certificate) goes in and never comes out again, but for a secret
 * that was made here, which its maker is told once.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "crypto/cert.h"
#include "crypto/key.h"
#include "registrar.h"
#include "wire/event.h"
#include "wire/wire.h"

#define URL_MAX          2048
#define FILTER_ITEMS_MAX 256
#define PAGE_DEFAULT     100
#define PAGE_MAX         1000
#define TIMEOUT_MIN_MS   100
#define TIMEOUT_MAX_MS   120000

struct call {
        struct registrar *r;
        struct http_request *req;
        const char *doing;
        int64_t limit;
        char *secret; /* made here, told once */
        bool changes, added, removed;
};

static void call_free(struct call *c)
{
        if (!c)
                return;
        if (c->secret)
                mem_wipe(c->secret, strlen(c->secret));
        free(c->secret);
        free(c);
}
DEFINE_AUTO(struct call, call_free)

static struct call *call_new(struct registrar *r, struct http_request *req, const char *doing)
{
        struct call *c = mem_zalloc(1, sizeof(*c));

        if (!c)
                http_answer_problem(req, 500, NULL, "out of memory");
        else
                *c = (struct call){.r = r, .req = req, .doing = doing};
        return c;
}

/* An error before the store was asked. */
static void answer_error(const struct call *c, const struct err *err)
{
        if (err->kind == ERR_FORMAT || err->kind == ERR_LIMIT) {
                http_answer_problem(c->req, 400, "body", "%s", err->text);
                return;
        }
        log_err(err, "%s (request %s)", c->doing, http_request_id(c->req));
        http_answer_problem(c->req, 500, NULL, "%s failed: %s", c->doing, err_kind_name(err->kind));
}

/* ---- a hook as JSON ---- */

static int set_json(json_t *j, const char *name, const char *text)
{
        struct err err = ERR_INIT;
        json_t *value = NULL;

        if (!text)
                return 0;
        if (json_parse(view_str(text), WIRE_SMALL_BODY_MAX, &value, &err) < 0)
                return -1;
        return json_object_set_new(j, name, value);
}

static int set_secret(json_t *j, const struct hook *h)
{
        AUTO(mem_free_p) char *public = NULL;
        struct err err = ERR_INIT;

        if (!h->secret)
                return 0;
        if (webhook_secret_public(h->secret, &public, &err) < 0)
                return -1;
        return json_set_str(j, "signature", public ? "ed25519" : "hmac") |
               json_set_str(j, "public_key", public) | json_set_int(j, "secrets", h->old_secret ? 2 : 1);
}

/* NULL: out of memory. */
static json_t *hook_json(const struct hook *h)
{
        AUTO(json_free_p) json_t *j = json_object();
        json_t *filter = json_object();
        int r = json_object_set_new(j, "filter", filter);

        r |= json_set_str(j, "name", h->name) | json_set_str(j, "tenant", h->tenant) |
             json_set_str(j, "kind", hook_kind_name(h->kind)) |
             json_set_bool(j, "configured", h->configured) | json_set_bool(j, "paused", h->paused) |
             json_set_str(j, "url", h->url) | json_set_str(j, "program", h->program) |
             json_set_bool(j, "ca", h->ca_pem != NULL) |
             json_set_bool(j, "client_certificate", h->cert_pem != NULL) |
             json_set_int(j, "timeout_ms", h->timeout_ms) | json_set_str(j, "created_by", h->actor) |
             json_set_int(j, "pending", h->n_pending) | json_set_int(j, "parked", h->n_parked) |
             json_set_int(j, "delivered", h->n_delivered) | json_set_int(j, "skipped", h->n_skipped) |
             set_secret(j, h);
        r |= h->created_at_ms ? json_set_time(j, "created_at", h->created_at_ms)
                              : json_set_str(j, "created_at", NULL);
        r |= h->delivered_at_ms ? json_set_time(j, "last_delivered_at", h->delivered_at_ms)
                                : json_set_str(j, "last_delivered_at", NULL);
        if (r != 0 || set_json(filter, "hosts", h->filter.hosts) |
                              set_json(filter, "labels", h->filter.labels) |
                              set_json(filter, "policies", h->filter.policies) |
                              set_json(filter, "severities", h->filter.severities) |
                              set_json(filter, "reactions", h->filter.reactions))
                return NULL;
        return TAKE(j);
}

static void answer_hook(const struct call *c, const struct hook *h)
{
        json_t *j = hook_json(h);

        if (j &&
            (json_set_str(j, "schema", "avow.hook/1") |
             (c->secret && str_starts(c->secret, "whsec_") ? json_set_str(j, "secret", c->secret) : 0))) {
                json_decref(j);
                j = NULL;
        }
        http_answer_json(c->req, c->added ? 201 : 200, NULL, j);
}

/* After any request for one hook. */
static void on_one(void *ctx, const struct hooks_result *result)
{
        AUTO(call_free_p) struct call *c = ctx;

        if (result->outcome == STORE_FAILED) {
                answer_error(c, result->err);
                return;
        }
        if (result->outcome == STORE_NOT_FOUND) {
                http_answer_problem(c->req, 404, NULL, "no such hook");
                return;
        }
        if (result->outcome == STORE_CONFLICT) {
                http_answer_problem(
                        c->req, 409, NULL, "%s",
                        c->added ? "there is a hook of this name: remove it first, or choose another"
                        : result->n > 0 && !result->hooks[0].configured
                                ? "a hook of this kind has no secret"
                                : "this hook is the registrar's configuration's: change it there");
                return;
        }
        if (c->changes)
                delivery_reload(c->r->delivery);
        if (c->removed)
                http_answer_json(c->req, 200, NULL,
                                 json_pack("{s:s, s:s}", "schema", "avow.removed/1", "name",
                                           http_request_param(c->req, "id")));
        else
                answer_hook(c, result->hooks);
}

/* ---- list, show ---- */

static void on_listed(void *ctx, const struct hooks_result *result)
{
        AUTO(call_free_p) struct call *c = ctx;
        json_t *j, *list;
        int r = 0;

        if (result->outcome == STORE_FAILED) {
                answer_error(c, result->err);
                return;
        }
        j = json_object();
        list = json_array();
        for (size_t i = 0; i < result->n; i++)
                r |= json_array_append_new(list, hook_json(&result->hooks[i]));
        r |= json_set_str(j, "schema", "avow.hooks/1") | json_object_set_new(j, "hooks", list);
        if (r != 0) {
                json_decref(j);
                j = NULL;
        }
        http_answer_json(c->req, 200, NULL, j);
}

static void on_list(struct http_request *req, void *ctx)
{
        AUTO(call_free_p) struct call *c = call_new(ctx, req, "listing hooks");
        struct err err = ERR_INIT;

        if (!c)
                return;
        if (hooks_db_list(c->r->hooks, peer_tenant(req), on_listed, c, &err) < 0)
                answer_error(c, &err);
        else
                c = NULL; /* the store's until on_listed() */
}

static void on_show(struct http_request *req, void *ctx)
{
        AUTO(call_free_p) struct call *c = call_new(ctx, req, "reading a hook");
        struct err err = ERR_INIT;

        if (!c)
                return;
        if (hooks_db_get(c->r->hooks, peer_tenant(req), http_request_param(req, "id"), on_one, c, &err) < 0)
                answer_error(c, &err);
        else
                c = NULL; /* the store's until on_one() */
}

/* ---- add ---- */

static int check_url(const char *url, bool plain_http, struct err *err)
{
        const char *rest = str_starts(url, "https://")  ? url + 8
                           : str_starts(url, "http://") ? url + 7
                                                        : NULL;
        size_t n = strlen(url);

        if (!rest || n > URL_MAX || rest[strcspn(rest, "/?#")] == *rest)
                return err_set(err, ERR_FORMAT, 0, "member 'url': %s is no https:// address", SHOW(url));
        if (str_starts(url, "http://") && !plain_http)
                return err_set(err, ERR_FORMAT, 0,
                               "member 'url': plain http is refused (hooks.plain_http of the registrar)");
        for (size_t i = 0; i < n; i++)
                if (url[i] <= ' ' || url[i] == 0x7f)
                        return err_set(err, ERR_FORMAT, 0, "member 'url': blanks and control characters");
        if (memchr(rest, '@', strcspn(rest, "/?#")))
                return err_set(err, ERR_FORMAT, 0,
                               "member 'url': a name and password do not belong in an address");
        return 0;
}

/* A list of texts as JSON text. */
static int read_list(const json_t *filter, const char *name, bool reactions, char **ret, struct err *err)
{
        const json_t *list = NULL;
        int r = json_opt_array(filter, name, FILTER_ITEMS_MAX, &list, err);

        if (r <= 0)
                return r;
        for (size_t i = 0; i < json_array_size(list); i++) {
                const char *text = json_string_value(json_array_get(list, i));
                enum reaction reaction;

                if (!text || (reactions && !reaction_by_name(text, &reaction)))
                        return err_set(err, ERR_FORMAT, 0, "member '%s': expected %s", name,
                                       reactions ? "suspend, destroy or reinstate" : "texts");
        }
        *ret = json_print(list);
        return *ret ? 0 : err_nomem(err);
}

static int read_filter(const json_t *body, struct hook_filter *ret, struct err *err)
{
        static const char *const names[] = {"hosts", "labels", "policies", "severities", "reactions"};
        const json_t *filter = NULL, *labels = NULL;
        const char *name;
        json_t *value;
        int r = json_opt_object(body, "filter", &filter, err);

        if (r <= 0)
                return r;
        if (json_only(filter, names, ARRAY_LEN(names), err) < 0 ||
            read_list(filter, "hosts", false, &ret->hosts, err) < 0 ||
            read_list(filter, "policies", false, &ret->policies, err) < 0 ||
            read_list(filter, "severities", false, &ret->severities, err) < 0 ||
            read_list(filter, "reactions", true, &ret->reactions, err) < 0 ||
            (r = json_opt_object(filter, "labels", &labels, err)) < 0)
                return err_wrap(err, "filter");
        json_object_foreach ((json_t *)(uintptr_t)labels, name, value) {
                if (!json_is_string(value))
                        return err_set(err, ERR_FORMAT, 0, "filter: member 'labels': expected texts");
        }
        if (labels && !(ret->labels = json_print(labels)))
                return err_nomem(err);
        return 0;
}

static int check_pem(const struct hook *h, struct err *err)
{
        AUTO(key_free_p) struct key *key = NULL;
        AUTO(cert_free_p) struct cert *cert = NULL;
        AUTO(cert_free_p) struct cert *ca = NULL;

        if (!h->cert_pem != !h->key_pem)
                return err_set(err, ERR_FORMAT, 0, "members 'certificate' and 'key' go together");
        if (h->ca_pem && cert_parse_pem(view_str(h->ca_pem), &ca, err) < 0)
                return err_wrap(err, "member 'ca'");
        if (h->cert_pem && cert_parse_pem(view_str(h->cert_pem), &cert, err) < 0)
                return err_wrap(err, "member 'certificate'");
        if (h->key_pem && key_from_pem(view_str(h->key_pem), &key, err) < 0)
                return err_wrap(err, "member 'key'");
        return 0;
}

/* The secret that was given, or a new one, which is C's to tell. */
static int read_secret(struct call *c, const json_t *body, struct hook *h, struct err *err)
{
        const char *given = NULL, *scheme = NULL;

        if (json_opt_str(body, "secret", &given, err) < 0 ||
            json_opt_str(body, "signature", &scheme, err) < 0)
                return -(int)err->kind;
        if (scheme && strcmp(scheme, "hmac") != 0 && strcmp(scheme, "ed25519") != 0)
                return err_set(err, ERR_FORMAT, 0, "member 'signature': expected hmac or ed25519");
        if (given) {
                if (webhook_secret_check(given, err) < 0)
                        return err_wrap(err, "member 'secret'");
                h->secret = str_dup(given);
                return h->secret ? 0 : err_nomem(err);
        }
        if (webhook_secret_new(str_equal(scheme, "ed25519") ? WEBHOOK_ED25519 : WEBHOOK_HMAC, &h->secret,
                               err) < 0)
                return -(int)err->kind;
        c->secret = str_dup(h->secret);
        return c->secret ? 0 : err_nomem(err);
}

static int copy_member(const json_t *body, const char *name, const char *otherwise, char **ret,
                       struct err *err)
{
        const char *text = otherwise;

        if (json_opt_str(body, name, &text, err) < 0)
                return -(int)err->kind;
        *ret = text ? str_dup(text) : NULL;
        return text && !*ret ? err_nomem(err) : 0;
}

/* What a webhook has and an agent has not. Its address is the host's, and the verifier has signed already. */
static int check_agent(const json_t *body, struct err *err)
{
        static const char *const names[] = {"url", "secret", "signature", "certificate", "key", "ca"};

        for (size_t i = 0; i < ARRAY_LEN(names); i++)
                if (json_object_get(body, names[i]))
                        return err_set(err, ERR_FORMAT, 0, "member '%s': a hook of kind agent has none",
                                       names[i]);
        return 0;
}

static int read_kind(const json_t *body, enum hook_kind *ret, struct err *err)
{
        const char *kind = "webhook";

        if (json_opt_str(body, "kind", &kind, err) < 0)
                return -(int)err->kind;
        *ret = str_equal(kind, "agent") ? HOOK_AGENT : HOOK_WEBHOOK;
        if (*ret == HOOK_AGENT)
                return check_agent(body, err);
        if (strcmp(kind, "webhook") != 0)
                return err_set(err, ERR_FORMAT, 0,
                               "member 'kind': webhook or agent; programs are named in the registrar's "
                               "configuration (hooks.exec)");
        return 0;
}

static int read_hook(struct call *c, const json_t *body, struct hook *h, struct err *err)
{
        static const char *const names[] = {"name",   "kind",        "url",    "tenant",
                                            "filter", "timeout_ms",  "secret", "signature",
                                            "paused", "certificate", "key",    "ca"};
        const char *own = peer_tenant(c->req);

        if (json_only(body, names, ARRAY_LEN(names), err) < 0 || read_kind(body, &h->kind, err) < 0 ||
            copy_member(body, "name", "", &h->name, err) < 0 ||
            copy_member(body, "url", h->kind == HOOK_AGENT ? NULL : "", &h->url, err) < 0 ||
            copy_member(body, "tenant", own ? own : "default", &h->tenant, err) < 0 ||
            copy_member(body, "ca", NULL, &h->ca_pem, err) < 0 ||
            copy_member(body, "certificate", NULL, &h->cert_pem, err) < 0 ||
            copy_member(body, "key", NULL, &h->key_pem, err) < 0 ||
            json_opt_bool(body, "paused", &h->paused, err) < 0 ||
            json_opt_int(body, "timeout_ms", TIMEOUT_MIN_MS, TIMEOUT_MAX_MS, &h->timeout_ms, err) < 0)
                return -(int)err->kind;
        if (!str_valid_name(h->name))
                return err_set(err, ERR_FORMAT, 0, "member 'name': expected 1 to 64 of [A-Za-z0-9_.-]");
        if (!str_valid_name(h->tenant) || (own && strcmp(own, h->tenant) != 0))
                return err_set(err, ERR_FORMAT, 0, "member 'tenant': %s is not yours", SHOW(h->tenant));
        if ((h->url && check_url(h->url, c->r->material.settings->hooks.plain_http, err) < 0) ||
            read_filter(body, &h->filter, err) < 0 || check_pem(h, err) < 0)
                return -(int)err->kind;
        if (h->kind == HOOK_AGENT)
                return 0;
        return read_secret(c, body, h, err);
}

static int add(struct call *c, const json_t *body, struct err *err)
{
        AUTO(hook_done) struct hook h = {.created_at_ms = clock_now_ms()};
        struct audit_entry audit = {.time_ms = h.created_at_ms, .action = "hook.add"};
        AUTO(mem_free_p) char *detail = NULL;
        AUTO(json_free_p) json_t *j = NULL;
        int r = read_hook(c, body, &h, err);

        if (r < 0)
                return r;
        h.actor = peer_actor(c->req);
        j = hook_json(&h);
        detail = j ? json_print(j) : NULL;
        if (!h.actor || !detail)
                return err_nomem(err);
        audit.tenant = h.tenant;
        audit.actor = h.actor;
        audit.object = h.name;
        audit.detail = detail;
        c->added = c->changes = true;
        return hooks_db_add(c->r->hooks, &h, &audit, on_one, c, err);
}

static void on_add(struct http_request *req, void *ctx)
{
        AUTO(call_free_p) struct call *c = call_new(ctx, req, "adding a hook");
        AUTO(json_free_p) json_t *body = NULL;
        struct err err = ERR_INIT;

        if (!c)
                return;
        if (json_parse(http_request_body(req), WIRE_SMALL_BODY_MAX, &body, &err) < 0 ||
            add(c, body, &err) < 0)
                answer_error(c, &err);
        else
                c = NULL; /* the store's until on_one() */
}

/* ---- change, remove ---- */

typedef int (*change_fn)(struct call *c, const json_t *body, const struct audit_entry *audit,
                         struct err *err);

static int change_remove(struct call *c, const json_t *body, const struct audit_entry *audit, struct err *err)
{
        (void)body;
        c->removed = true;
        return hooks_db_remove(c->r->hooks, peer_tenant(c->req), audit->object, audit, on_one, c, err);
}

static int change_pause(struct call *c, const json_t *body, const struct audit_entry *audit, struct err *err)
{
        static const char *const names[] = {"paused"};
        struct audit_entry entry = *audit;
        bool paused;

        if (json_only(body, names, ARRAY_LEN(names), err) < 0 ||
            json_get_bool(body, "paused", &paused, err) < 0)
                return -(int)err->kind;
        entry.action = paused ? "hook.pause" : "hook.resume";
        return hooks_db_pause(c->r->hooks, peer_tenant(c->req), audit->object, paused, &entry, on_one, c,
                              err);
}

static int change_rotate(struct call *c, const json_t *body, const struct audit_entry *audit, struct err *err)
{
        static const char *const names[] = {"secret", "signature", "finish"};
        AUTO(hook_done) struct hook h = {0};
        bool end = false;

        if (json_only(body, names, ARRAY_LEN(names), err) < 0 ||
            json_opt_bool(body, "finish", &end, err) < 0 || (!end && read_secret(c, body, &h, err) < 0))
                return -(int)err->kind;
        return hooks_db_rotate(c->r->hooks, peer_tenant(c->req), audit->object, h.secret, audit, on_one, c,
                               err);
}

static void on_replayed(void *ctx, const struct outbox_result *result)
{
        AUTO(call_free_p) struct call *c = ctx;

        if (result->outcome == STORE_FAILED) {
                answer_error(c, result->err);
                return;
        }
        if (result->outcome != STORE_OK) {
                http_answer_problem(c->req, 404, result->outcome == STORE_CONFLICT ? "id" : NULL,
                                    result->outcome == STORE_CONFLICT ? "no such revocation was received"
                                                                      : "no such hook");
                return;
        }
        delivery_wake(c->r->delivery);
        http_answer_json(c->req, 200, NULL,
                         json_pack("{s:s, s:s, s:I}", "schema", "avow.hook-replay/1", "name",
                                   http_request_param(c->req, "id"), "replayed", (json_int_t)result->n));
}

static int change_replay(struct call *c, const json_t *body, const struct audit_entry *audit, struct err *err)
{
        static const char *const names[] = {"id", "since", "parked"};
        struct replay what = {0};
        bool parked = false;

        if (json_only(body, names, ARRAY_LEN(names), err) < 0 ||
            json_opt_str(body, "id", &what.id, err) < 0 ||
            json_opt_time(body, "since", &what.since_ms, err) < 0 ||
            json_opt_bool(body, "parked", &parked, err) < 0)
                return -(int)err->kind;
        if (!!what.id + (what.since_ms != 0) + parked != 1)
                return err_set(err, ERR_FORMAT, 0, "expected one of id, since and parked: true");
        return hooks_db_replay(c->r->hooks, peer_tenant(c->req), audit->object, &what, audit, on_replayed, c,
                               err);
}

static void change(struct http_request *req, struct registrar *r, const char *doing, const char *action,
                   change_fn fn)
{
        AUTO(call_free_p) struct call *c = call_new(r, req, doing);
        AUTO(json_free_p) json_t *body = NULL;
        AUTO(mem_free_p) char *actor = peer_actor(req), *detail = NULL;
        struct audit_entry audit = {.time_ms = clock_now_ms(),
                                    .tenant = peer_tenant(req),
                                    .actor = actor,
                                    .action = action,
                                    .object = http_request_param(req, "id")};
        struct view text = http_request_body(req);
        struct err err = ERR_INIT;
        int x = actor ? 0 : err_nomem(&err);

        if (!c)
                return;
        if (x >= 0)
                x = json_parse(text.len ? text : view_str("{}"), WIRE_SMALL_BODY_MAX, &body, &err);
        if (x >= 0 && fn == change_replay) {
                detail = json_print(body);
                audit.detail = detail;
        }
        c->changes = true;
        if (x >= 0)
                x = fn(c, body, &audit, &err);
        if (x < 0)
                answer_error(c, &err);
        else
                c = NULL; /* the store's until its answer */
}

static void on_remove(struct http_request *req, void *ctx)
{
        change(req, ctx, "removing a hook", "hook.remove", change_remove);
}

static void on_patch(struct http_request *req, void *ctx)
{
        change(req, ctx, "pausing a hook", "hook.pause", change_pause);
}

static void on_rotate(struct http_request *req, void *ctx)
{
        change(req, ctx, "rotating a hook's secret", "hook.rotate", change_rotate);
}

static void on_replay(struct http_request *req, void *ctx)
{
        change(req, ctx, "replaying to a hook", "hook.replay", change_replay);
}

/* ---- test ---- */

static void on_tested(void *ctx, int64_t took_ms, const struct err *err)
{
        AUTO(call_free_p) struct call *c = ctx;

        http_answer_json(c->req, 200, NULL,
                         json_pack("{s:s, s:s, s:b, s:I, s:s?}", "schema", "avow.hook-test-result/1", "name",
                                   http_request_param(c->req, "id"), "delivered", !err, "took_ms",
                                   (json_int_t)took_ms, "error", err ? err->text : NULL));
}

static void on_test_found(void *ctx, const struct hooks_result *result)
{
        AUTO(call_free_p) struct call *c = ctx;
        struct err err = ERR_INIT;

        if (result->outcome == STORE_FAILED)
                answer_error(c, result->err);
        else if (result->outcome != STORE_OK)
                http_answer_problem(c->req, 404, NULL, "no such hook");
        else if (delivery_test(c->r->delivery, result->hooks[0].name, on_tested, c, &err) < 0)
                on_tested(TAKE(c), 0, &err);
        else
                c = NULL; /* the delivery's until on_tested() */
}

static void on_test(struct http_request *req, void *ctx)
{
        AUTO(call_free_p) struct call *c = call_new(ctx, req, "testing a hook");
        struct err err = ERR_INIT;

        if (!c)
                return;
        if (hooks_db_get(c->r->hooks, peer_tenant(req), http_request_param(req, "id"), on_test_found, c,
                         &err) < 0)
                answer_error(c, &err);
        else
                c = NULL; /* the store's until on_test_found() */
}

/* ---- deliveries ---- */

static json_t *row_json(const struct outbox_row *row)
{
        AUTO(json_free_p) json_t *j = json_object();
        int r = json_set_str(j, "id", row->id) | json_set_str(j, "host", row->host) |
                json_set_int(j, "n", row->n) | json_set_str(j, "state", outbox_state_name(row->state)) |
                json_set_int(j, "attempts", row->attempts) | json_set_str(j, "error", row->error) |
                json_set_time(j, "received_at", row->received_at_ms);

        r |= row->state == OUTBOX_READY && row->next_at_ms ? json_set_time(j, "next_at", row->next_at_ms)
                                                           : json_set_str(j, "next_at", NULL);
        r |= row->delivered_at_ms ? json_set_time(j, "delivered_at", row->delivered_at_ms)
                                  : json_set_str(j, "delivered_at", NULL);
        return r ? NULL : TAKE(j);
}

static void on_rows(void *ctx, const struct outbox_result *result)
{
        AUTO(call_free_p) struct call *c = ctx;
        bool more = (int64_t)result->n == c->limit;
        json_t *j, *list;
        int r;

        if (result->outcome != STORE_OK) {
                if (result->outcome == STORE_FAILED)
                        answer_error(c, result->err);
                else
                        http_answer_problem(c->req, 404, NULL, "no such hook");
                return;
        }
        j = json_object();
        list = json_array();
        r = json_set_str(j, "schema", "avow.deliveries/1") | json_object_set(j, "deliveries", list) |
            json_object_set_new(j, "next", more ? json_integer(result->rows[result->n - 1].n) : json_null());
        for (size_t i = 0; i < result->n; i++)
                r |= json_array_append_new(list, row_json(&result->rows[i]));
        json_decref(list);
        if (r != 0) {
                json_decref(j);
                j = NULL;
        }
        http_answer_json(c->req, 200, NULL, j);
}

static void on_deliveries(struct http_request *req, void *ctx)
{
        AUTO(call_free_p) struct call *c = NULL;
        const char *state = http_request_query(req, "state");
        int64_t after = 0, limit = PAGE_DEFAULT;
        struct registrar *r = ctx;
        struct err err = ERR_INIT;

        if (state && strcmp(state, "parked") != 0) {
                http_answer_problem(req, 400, "state", "expected parked, or nothing");
                return;
        }
        if (!query_number(req, "after", 0, INT64_MAX, &after) ||
            !query_number(req, "limit", 1, PAGE_MAX, &limit) || !(c = call_new(r, req, "reading deliveries")))
                return;
        c->limit = limit;
        if (hooks_db_deliveries(r->hooks, peer_tenant(req), http_request_param(req, "id"), state != NULL,
                                after, (size_t)limit, on_rows, c, &err) < 0)
                answer_error(c, &err);
        else
                c = NULL; /* the store's until on_rows() */
}

/* ---- the table ---- */

#define READERS (ROLE_ADMIN | ROLE_HOOK_ADMIN | ROLE_AUDITOR)
#define WRITERS (ROLE_ADMIN | ROLE_HOOK_ADMIN)

static const struct http_route routes[] = {
        {HTTP_GET, "/avow/v1/hooks", READERS, on_list, 0, HTTP_NATIVE, "list_hooks"},
        {HTTP_POST, "/avow/v1/hooks", WRITERS, on_add, WIRE_SMALL_BODY_MAX, HTTP_NATIVE, "add_hook"},
        {HTTP_GET, "/avow/v1/hooks/:id", READERS, on_show, 0, HTTP_NATIVE, "read_hook"},
        {HTTP_PATCH, "/avow/v1/hooks/:id", WRITERS, on_patch, WIRE_SMALL_BODY_MAX, HTTP_NATIVE, "pause_hook"},
        {HTTP_DELETE, "/avow/v1/hooks/:id", WRITERS, on_remove, 0, HTTP_NATIVE, "remove_hook"},
        {HTTP_GET, "/avow/v1/hooks/:id/deliveries", READERS, on_deliveries, 0, HTTP_NATIVE, "read_hook"},
        {HTTP_POST, "/avow/v1/hooks/:id/test", WRITERS, on_test, WIRE_SMALL_BODY_MAX, HTTP_NATIVE,
         "test_hook"},
        {HTTP_POST, "/avow/v1/hooks/:id/replay", WRITERS, on_replay, WIRE_SMALL_BODY_MAX, HTTP_NATIVE,
         "replay_hook"},
        {HTTP_POST, "/avow/v1/hooks/:id/rotate", WRITERS, on_rotate, WIRE_SMALL_BODY_MAX, HTTP_NATIVE,
         "rotate_hook"},
};

int api_hooks_add(struct registrar *r, struct err *err)
{
        return http_server_add_routes(r->http, routes, ARRAY_LEN(routes), r, err);
}
