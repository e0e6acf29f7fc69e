/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /avow/v1/approvals: what owners approve, and what they take back. docs/verifier-api.md has the shapes.
 *
 * To withdraw one is to raise the floor of its host above its version. From the commit on no release is
 * signed for it; that it is dead in the TPM, too, is known when the TPM has certified such a floor, and until
 * then it is shown as pending (SR-7). The floor is one number for each host, so every older approval of the
 * host ends with it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "verifier/reply.h"
#include "verifier/secrets.h"
#include "verifier/verifier.h"
#include "wire/approval.h"

#define PAGE_DEFAULT 50
#define PAGE_MAX     200
/* How far a version may be above the floor. Each withdrawal is that many increments of a counter in the TPM,
 * and the agent makes no more than COUNTERS_RAISE_MAX (agent/counters.h) at once. */
#define FLOOR_REACH 1000

/* A request that waits for the store. */
struct approving {
        struct verifier *v;
        struct http_request *req;
        char host[WIRE_HOST_MAX + 1];
        char id[APPROVAL_ID_CHARS + 1];
        char *text, *actor, *detail;
        int64_t version;
        size_t limit;
};

static void approving_free(struct approving *a)
{
        if (!a)
                return;
        free(a->text);
        free(a->actor);
        free(a->detail);
        free(a);
}
DEFINE_AUTO(struct approving, approving_free)

/* Return: NULL, answered. */
static struct approving *approving_new(struct verifier *v, struct http_request *req)
{
        AUTO(approving_free_p) struct approving *a = mem_zalloc(1, sizeof(*a));
        struct buf actor = {0};

        if (a) {
                *a = (struct approving){.v = v, .req = req};
                reply_actor(req, &actor);
                a->actor = buf_take_str(&actor);
        }
        if (a && a->actor)
                return TAKE(a);
        http_answer_problem(req, 503, NULL, "Out of memory.");
        return NULL;
}

/* The id in the path; else answered. */
static bool read_id(struct http_request *req, struct approving *a)
{
        const char *id = http_request_param(req, "id");

        if (strlen(id) == APPROVAL_ID_CHARS && strspn(id, "0123456789abcdef") == APPROVAL_ID_CHARS) {
                memcpy(a->id, id, sizeof(a->id));
                return true;
        }
        http_answer_problem(req, 404, "id", "No such approval: an id has %d hexadecimal digits.",
                            APPROVAL_ID_CHARS);
        return false;
}

static struct audit_entry audit_of(const struct approving *a, const char *action)
{
        return (struct audit_entry){.time_ms = clock_now_ms(),
                                    .actor = a->actor,
                                    .action = action,
                                    .object = a->id,
                                    .detail = a->detail};
}

/* ---- giving ---- */

static bool conflict(struct http_request *req, const char *where, const char *why)
{
        http_answer_problem(req, 409, where, "%s", why);
        return false;
}

/* Could its floor let anything open on that host? Else answered. */
static bool floor_allows(struct http_request *req, const struct approval *a, struct host *host)
{
        const struct counter_record *floor = &host->counters.floor;
        struct err err = ERR_INIT;

        if (host_counters(host, &err) < 0) {
                reply_failure(req, &err, "the counters of a host");
                return false;
        }
        if (!host->counters.known)
                return conflict(req, "floor",
                                "The host has shown no counters yet: its evidence has to come first.");
        if (a->floor_index != floor->index ||
            !equal_ct(a->floor_name.b, a->floor_name.len, floor->name.b, floor->name.len))
                return conflict(req, "floor", "It is for another floor counter than this host's.");
        if (a->version < floor->value)
                return conflict(req, "version", "The host's floor is above its version: it opens nothing.");
        if (a->version - floor->value > FLOOR_REACH)
                return conflict(
                        req, "version",
                        "Its version is too far above the host's floor: to withdraw it, the TPM would "
                        "have to count all the way up.");
        return true;
}

/* Could it open anything on that host? Else answered. */
static bool could_open(struct http_request *req, const struct approval *a, struct verifier *v,
                       struct host *host)
{
        if (!str_equal(a->scope.tenant, host->e.tenant))
                return conflict(req, "tenant", "The host belongs to another tenant than the approval.");
        if (a->version >= INT64_MAX)
                return conflict(req, "version", "A version that no floor can end.");
        if (a->release_key && !str_equal(a->verifier, verifier_db_id(v->db)))
                return conflict(req, "verifier", "It is for the releases of another verifier.");
        if (a->release_key &&
            (!v->keys.release_public || !pubkey_equal(a->release_key, v->keys.release_public)))
                return conflict(req, "release_key",
                                "It names another release key than this verifier's (GET /avow/v1/keys).");
        return floor_allows(req, a, host);
}

static void on_approved(void *ctx, enum store_outcome outcome, const struct err *err)
{
        AUTO(approving_free_p) struct approving *a = ctx;

        if (outcome == STORE_FAILED) {
                reply_failure(a->req, err, "keeping an approval");
        } else if (outcome == STORE_NOT_FOUND) {
                http_answer_problem(a->req, 404, "host", "No such host.");
        } else if (outcome == STORE_CONFLICT) {
                (void)conflict(a->req, "version",
                               "It was withdrawn, or one of its version or a newer one was: approve with a "
                               "version that is not below the host's floor target.");
        } else {
                log_info("approval %s for host %s is kept", a->id, SHOW(a->host));
                secrets_changed(a->v, a->host);
                reply_json(a->req, 200,
                           json_pack("{s:s, s:s, s:s, s:s}", "schema", "avow.approval-kept/1", "id", a->id,
                                     "host", a->host, "state", "active"));
        }
}

/* Is there room for one more of LEN bytes? */
static bool has_room(const struct verifier_set *set, const char *id, size_t len)
{
        AUTO(buf_free) struct buf text = {0};
        size_t n = 0;

        for (size_t i = 0; i < set->n_approvals; i++)
                n += !set->approvals[i].withdrawn_at_ms && !str_equal(set->approvals[i].id, id);
        secrets_compose(set, &text);
        return n < SECRETS_PER_HOST && buf_ok(&text) && text.len + len + 1 <= SECRETS_BYTES_TOTAL;
}

static void on_room(void *ctx, enum store_outcome outcome, const struct verifier_set *set,
                    const struct err *e)
{
        AUTO(approving_free_p) struct approving *a = ctx;
        struct err err = ERR_INIT;
        struct audit_entry entry = audit_of(a, "approval.add");
        struct verifier_approval approval = {
                .id = a->id, .host = a->host, .version = a->version, .text = a->text};

        if (outcome == STORE_FAILED)
                reply_failure(a->req, e, "keeping an approval");
        else if (!has_room(set, a->id, strlen(a->text)))
                (void)conflict(a->req, NULL,
                               "The host has as many approvals as it can: withdraw some first.");
        else if (verifier_db_approve(a->v->db, NULL, &approval, entry.time_ms, &entry, on_approved, a, &err) <
                 0)
                reply_failure(a->req, &err, "keeping an approval");
        else
                (void)TAKE(a);
}

static json_t *detail_of(const struct approval *doc)
{
        return json_pack("{s:s, s:s, s:I, s:b, s:s?}", "host", doc->scope.host, "class", doc->scope.class,
                         "version", (json_int_t)doc->version, "release_local", doc->release_key == NULL,
                         "policy", doc->policy);
}

static void keep(struct http_request *req, struct verifier *v, const struct approval *doc)
{
        AUTO(approving_free_p) struct approving *a = approving_new(v, req);
        AUTO(json_free_p) json_t *detail = detail_of(doc);
        struct view body = http_request_body(req);
        struct err err = ERR_INIT;

        if (!a)
                return;
        (void)snprintf(a->host, sizeof(a->host), "%s", doc->scope.host); /* the same limit */
        memcpy(a->id, doc->id, sizeof(a->id));
        a->version = (int64_t)doc->version;
        a->detail = detail ? json_print(detail) : NULL;
        a->text = str_ndup((const char *)body.p, body.len);
        if (!a->detail || !a->text || verifier_db_secrets_of(v->db, NULL, a->host, on_room, a, &err) < 0) {
                (void)err_nomem(&err);
                reply_failure(req, &err, "keeping an approval");
                return;
        }
        (void)TAKE(a);
}

static void on_approve(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct approval doc = {.version = 0};
        struct err err = ERR_INIT;
        struct host *host;
        bool good = false;
        int r;

        if (!reply_wants_type(req, WIRE_TYPE_JSON) || !reply_no_dry_run(req))
                return;
        r = approval_decode(http_request_body(req), &doc, &err);
        if (r >= 0)
                r = approval_check(&doc, &good, &err);
        host = r >= 0 ? hosts_find(v->hosts, doc.scope.host) : NULL;
        if (r < 0 && (err.kind == ERR_NOMEM || err.kind == ERR_CRYPTO))
                reply_failure(req, &err, "reading an approval");
        else if (r < 0)
                http_answer_problem(req, err.kind == ERR_LIMIT ? 413 : 400, NULL, "%s", err.text);
        else if (!good)
                http_answer_problem(req, 400, "signature",
                                    "The signatures are not those of the keys that the document names.");
        else if (!host)
                http_answer_problem(req, v->loading ? 503 : 404, "host", "No such host%s.",
                                    v->loading ? " yet: hosts are still being read" : "");
        else if (could_open(req, &doc, v, host))
                keep(req, v, &doc);
        approval_done(&doc);
}

/* ---- reading ---- */

static json_t *view_approval(const struct verifier *v, const struct verifier_approval *a)
{
        AUTO(json_free_p) json_t *j = json_object();
        json_t *document = NULL;
        struct err err = ERR_INIT;
        int r = json_parse(view_str(a->text), APPROVAL_BYTES_MAX, &document, &err);

        r |= json_set_str(j, "id", a->id);
        r |= json_set_str(j, "host", a->host);
        r |= json_set_str(j, "state", secrets_approval_state(a, hosts_find(v->hosts, a->host)));
        r |= json_set_time(j, "created_at", a->created_at_ms);
        if (a->withdrawn_at_ms)
                r |= json_set_time(j, "withdrawn_at", a->withdrawn_at_ms);
        r |= json_object_set_new(j, "document", document);
        return r ? NULL : TAKE(j);
}

static void on_list_done(void *ctx, enum store_outcome outcome, const struct verifier_set *set,
                         const struct err *err)
{
        AUTO(approving_free_p) struct approving *a = ctx;
        AUTO(json_free_p) json_t *j = json_object();
        bool more = outcome == STORE_OK && set->n_approvals > a->limit;
        size_t n = more ? a->limit : set->n_approvals;
        json_t *list;
        int r;

        if (outcome == STORE_FAILED) {
                reply_failure(a->req, err, "reading approvals");
                return;
        }
        list = json_array();
        r = json_set_str(j, "schema", "avow.approvals/1");
        r |= json_object_set_new(j, "approvals", list);
        for (size_t i = 0; i < n && r == 0; i++)
                r |= json_array_append_new(list, view_approval(a->v, &set->approvals[i]));
        r |= json_set_str(j, "next", more ? set->approvals[n - 1].id : NULL);
        reply_json(a->req, 200, r ? NULL : TAKE(j));
}

static void on_list(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        AUTO(approving_free_p) struct approving *a = NULL;
        struct err err = ERR_INIT;
        int64_t limit;

        if (!reply_query_int(req, "limit", 1, PAGE_MAX, PAGE_DEFAULT, &limit))
                return;
        a = approving_new(v, req);
        if (!a)
                return;
        a->limit = (size_t)limit;
        if (verifier_db_approvals(v->db, NULL, http_request_query(req, "host"), NULL,
                                  http_request_query(req, "after"), a->limit + 1, on_list_done, a, &err) < 0)
                reply_failure(req, &err, "reading approvals");
        else
                (void)TAKE(a);
}

static void on_show_done(void *ctx, enum store_outcome outcome, const struct verifier_set *set,
                         const struct err *err)
{
        AUTO(approving_free_p) struct approving *a = ctx;
        AUTO(json_free_p) json_t *j = NULL;

        if (outcome == STORE_FAILED) {
                reply_failure(a->req, err, "reading an approval");
                return;
        }
        if (outcome != STORE_OK || !set->n_approvals) {
                http_answer_problem(a->req, 404, "id", "No such approval.");
                return;
        }
        j = view_approval(a->v, &set->approvals[0]);
        reply_json(a->req, 200,
                   j && json_set_str(j, "schema", "avow.approval-state/1") == 0 ? TAKE(j) : NULL);
}

static void on_show(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        AUTO(approving_free_p) struct approving *a = approving_new(v, req);
        struct err err = ERR_INIT;

        if (!a || !read_id(req, a))
                return;
        if (verifier_db_approvals(v->db, NULL, NULL, a->id, NULL, 1, on_show_done, a, &err) < 0)
                reply_failure(req, &err, "reading an approval");
        else
                (void)TAKE(a);
}

/* ---- taking back ---- */

static void on_withdrawn(void *ctx, enum store_outcome outcome, const struct verifier_set *set,
                         const struct err *err)
{
        AUTO(approving_free_p) struct approving *a = ctx;
        const struct verifier_approval *was = outcome == STORE_OK && set->n_approvals ? set->approvals : NULL;

        if (outcome == STORE_FAILED) {
                reply_failure(a->req, err, "withdrawing an approval");
                return;
        }
        if (!was) {
                http_answer_problem(a->req, 404, "id", "No such approval.");
                return;
        }
        log_info("approval %s for host %s is withdrawn: its floor goes to %lld", a->id, SHOW(was->host),
                 (long long)set->floor);
        secrets_changed(a->v, was->host);
        reply_json(a->req, 200,
                   json_pack("{s:s, s:s, s:s, s:s, s:I}", "schema", "avow.approval-withdrawn/1", "id", a->id,
                             "host", was->host, "state",
                             secrets_approval_state(was, hosts_find(a->v->hosts, was->host)), "floor_target",
                             (json_int_t)set->floor));
}

static void on_withdraw(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        AUTO(approving_free_p) struct approving *a = NULL;
        struct audit_entry entry;
        struct err err = ERR_INIT;

        if (!reply_no_dry_run(req))
                return;
        a = approving_new(v, req);
        if (!a || !read_id(req, a))
                return;
        entry = audit_of(a, "approval.withdraw");
        if (verifier_db_withdraw(v->db, NULL, a->id, entry.time_ms, &entry, on_withdrawn, a, &err) < 0)
                reply_failure(req, &err, "withdrawing an approval");
        else
                (void)TAKE(a);
}

#define OWNERS  (ROLE_ADMIN | ROLE_TENANT)
#define READERS (OWNERS | ROLE_AUDITOR)

static const struct http_route routes[] = {
        {HTTP_GET, "/avow/v1/approvals", READERS, on_list, 0, HTTP_NATIVE, NULL},
        {HTTP_POST, "/avow/v1/approvals", OWNERS, on_approve, APPROVAL_BYTES_MAX, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/approvals/:id", READERS, on_show, 0, HTTP_NATIVE, NULL},
        {HTTP_DELETE, "/avow/v1/approvals/:id", OWNERS, on_withdraw, 0, HTTP_NATIVE, NULL},
};

int routes_approvals(struct verifier *v, struct err *err)
{
        return http_server_add_routes(v->server, routes, ARRAY_LEN(routes), v, err);
}
