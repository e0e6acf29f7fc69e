/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people decide about trust: that a host which was revoked may come back, and that what the fuse holds
 * is to be destroyed. Both are asked for here and neither takes effect here: a reinstatement waits for a pass
 * over a challenge of seconds, and a confirmation comes from a second person. docs/verifier-api.md has the
 * shapes. Spec: SR-3, SR-8, SR-14.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "verifier/holds.h"
#include "verifier/reply.h"
#include "verifier/trust.h"
#include "verifier/view.h"

#define BODY_BYTES_MAX   (16 * 1024)
#define REASON_MAX       500
#define REINSTATE_FOR_MS (24 * 3600 * 1000LL)

/* A request that waits for the store. */
struct deciding {
        struct verifier *v;
        struct http_request *req;
        char *name; /* the host's, or the policy's */
        char *actor;
};

static void deciding_free(struct deciding *d)
{
        if (!d)
                return;
        free(d->name);
        free(d->actor);
        free(d);
}
DEFINE_AUTO(struct deciding, deciding_free)

static struct deciding *deciding_new(struct verifier *v, struct http_request *req, const char *name)
{
        struct deciding *d = mem_zalloc(1, sizeof(*d));
        struct buf actor = {0};

        reply_actor(req, &actor);
        if (d) {
                d->v = v;
                d->req = req;
                d->name = str_dup(name);
                d->actor = buf_take_str(&actor);
        }
        buf_free(&actor);
        if (d && d->name && d->actor)
                return d;
        deciding_free(d);
        http_answer_problem(req, 503, NULL, "Out of memory.");
        return NULL;
}

/* Not empty, one line. */
static int read_reason(const json_t *j, const char **ret, struct err *err)
{
        int r = json_get_str(j, "reason", ret, err);

        if (r < 0)
                return r;
        if ((*ret)[0] == '\0' || strlen(*ret) > REASON_MAX || !str_plain(view_str(*ret)))
                return err_set(err, ERR_FORMAT, 0,
                               "member 'reason': expected 1 to %d characters that can be printed, without "
                               "quotes and backslashes",
                               REASON_MAX);
        return 0;
}

static void refuse_body(struct http_request *req, const struct err *err)
{
        http_answer_problem(req, err->kind == ERR_NOMEM ? 503 : 400, NULL, "%s", err->text);
}

/* ---- reinstatement ---- */

static void on_asked(void *ctx, enum store_outcome outcome, const struct err *err)
{
        AUTO(deciding_free_p) struct deciding *d = ctx;
        const struct host *host = hosts_find(d->v->hosts, d->name);

        if (outcome == STORE_FAILED)
                reply_failure(d->req, err, "asking for a reinstatement");
        else if (outcome != STORE_OK || !host)
                http_answer_problem(d->req, 409, NULL, "The host was changed meanwhile: look again.");
        else
                reply_json(d->req, 202, view_host_whole(d->v, host));
}

static bool may_be_asked(struct http_request *req, const struct host *host, bool unwiped)
{
        const struct host_trust *t = &host->s.trust;
        struct host_trust would = *t;

        would.reinstate_unwiped = unwiped;
        if (host->busy) {
                http_answer_retry_after(req, 1000);
                http_answer_problem(req, 503, NULL, "The host is being judged: ask again.");
                return false;
        }
        if (t->trust == TRUST_TRUSTED) {
                http_answer_problem(req, 409, NULL, "The host is trusted: there is nothing to reinstate.");
                return false;
        }
        if (react_wiped_enough(&would, host->s.counters.known, host->s.counters.epoch))
                return true;
        http_answer_problem(
                req, 409, "unwiped",
                "The wipe of this host has not been proven: its secrets of epoch %llu may still be "
                "there. Rotate them, and say \"unwiped\": true to reinstate it all the same.",
                (unsigned long long)t->epoch);
        return false;
}

static void on_reinstate(struct http_request *req, void *ctx)
{
        static const char *const names[] = {"reason", "unwiped"};
        struct verifier *v = ctx;
        struct host *host = reply_host(v, req);
        AUTO(deciding_free_p) struct deciding *d = NULL;
        AUTO(json_free_p) json_t *j = NULL;
        const char *reason = NULL;
        struct err err = ERR_INIT;
        bool unwiped = false;

        if (!host)
                return;
        if (json_parse(http_request_body(req), BODY_BYTES_MAX, &j, &err) < 0 ||
            json_only(j, names, ARRAY_LEN(names), &err) < 0 || read_reason(j, &reason, &err) < 0 ||
            json_opt_bool(j, "unwiped", &unwiped, &err) < 0) {
                refuse_body(req, &err);
                return;
        }
        if (!may_be_asked(req, host, unwiped))
                return;
        if (reply_dry_run(req)) {
                reply_json(req, 200, view_host_whole(v, host));
                return;
        }
        d = deciding_new(v, req, host->e.name);
        if (!d)
                return;
        if (trust_ask_reinstatement(v, host, d->actor, reason, unwiped, REINSTATE_FOR_MS, on_asked, d, &err) <
            0)
                reply_failure(req, &err, "asking for a reinstatement");
        else
                (void)TAKE(d);
}

/* ---- holds ---- */

static json_t *view_hold(struct verifier *v, const struct hold *hold)
{
        AUTO(json_free_p) json_t *j = json_object();
        int r = 0;

        r |= json_set_str(j, "policy", hold->policy[0] ? hold->policy : NULL);
        r |= json_set_str(j, "state", hold->confirmed_by ? "confirmed" : "held");
        r |= json_set_time(j, "since", hold->since_ms);
        r |= json_set_str(j, "reason", hold->reason);
        r |= json_set_int(j, "hosts", (int64_t)holds_waiting(v, hold->policy));
        r |= json_set_str(j, "pushed_by", hold->pushed_by);
        r |= json_set_str(j, "confirmed_by", hold->confirmed_by);
        r |= view_time(j, "until", hold->until_ms);
        return r ? NULL : TAKE(j);
}

static void on_list(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        AUTO(json_free_p) json_t *j = json_object();
        json_t *list = json_array();
        const struct hold *hold;
        size_t pos = 0;
        int r = 0;

        r |= json_set_str(j, "schema", "avow.holds/1");
        r |= json_object_set_new(j, "holds", list);
        while (r == 0 && (hold = fuse_next_hold(v->fuse, &pos)) != NULL)
                r |= json_array_append_new(list, view_hold(v, hold));
        reply_json(req, 200, r ? NULL : TAKE(j));
}

static void on_confirmed(void *ctx, enum store_outcome outcome, const struct err *err)
{
        AUTO(deciding_free_p) struct deciding *d = ctx;
        const struct hold *hold = fuse_hold(d->v->fuse, d->name);
        AUTO(json_free_p) json_t *j = NULL;

        if (outcome == STORE_FAILED) {
                reply_failure(d->req, err, "confirming");
                return;
        }
        if (!hold) {
                http_answer_problem(d->req, 409, NULL, "The hold ended meanwhile.");
                return;
        }
        log_warning("%s confirms what the fuse of %s%s holds: it is destroyed now", d->actor,
                    d->name[0] ? "policy " : "the fleet", d->name);
        j = view_hold(d->v, hold);
        reply_json(d->req, 200, j && json_set_str(j, "schema", "avow.hold/1") == 0 ? TAKE(j) : NULL);
}

static void on_confirm(struct http_request *req, void *ctx)
{
        static const char *const names[] = {"policy"};
        struct verifier *v = ctx;
        AUTO(deciding_free_p) struct deciding *d = NULL;
        AUTO(json_free_p) json_t *j = NULL;
        const char *policy = "";
        const struct hold *hold;
        struct err err = ERR_INIT;

        if (!reply_no_dry_run(req))
                return;
        if (json_parse(http_request_body(req), BODY_BYTES_MAX, &j, &err) < 0 ||
            json_only(j, names, ARRAY_LEN(names), &err) < 0 || json_opt_str(j, "policy", &policy, &err) < 0) {
                refuse_body(req, &err);
                return;
        }
        hold = fuse_hold(v->fuse, policy);
        if (!hold || hold->confirmed_by) {
                http_answer_problem(req, 404, "policy",
                                    "Nothing is held here that waits for a confirmation.");
                return;
        }
        d = deciding_new(v, req, policy);
        if (!d)
                return;
        if (!holds_second_person(v, policy, d->actor)) {
                http_answer_problem(req, 403, NULL,
                                    "Whoever pushed the policy cannot confirm what it destroys: a second "
                                    "person has to.");
                return;
        }
        if (trust_confirm(v, policy, d->actor, on_confirmed, d, &err) < 0)
                reply_failure(req, &err, "confirming");
        else
                (void)TAKE(d);
}

#define DECIDERS (ROLE_ADMIN | ROLE_RECOVERY)
#define READERS  (ROLE_ADMIN | ROLE_AUDITOR | ROLE_TENANT | ROLE_POLICY_ADMIN | ROLE_RECOVERY)

static const struct http_route routes[] = {
        {HTTP_POST, "/avow/v1/hosts/:id/reinstate", DECIDERS, on_reinstate, BODY_BYTES_MAX, HTTP_NATIVE,
         NULL},
        {HTTP_GET, "/avow/v1/holds", READERS, on_list, 0, HTTP_NATIVE, NULL},
        {HTTP_POST, "/avow/v1/holds/confirm", DECIDERS, on_confirm, BODY_BYTES_MAX, HTTP_NATIVE, NULL},
};

int routes_trust(struct verifier *v, struct err *err)
{
        return http_server_add_routes(v->server, routes, ARRAY_LEN(routes), v, err);
}
