/* SPDX-License-Identifier: Apache-2.0 */
/* /avow/v1/modules: module policies are pushed here; list, show, versions and remove are those of policies.
 * docs/verifier-api.md has the shapes. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "verifier/modules.h"
#include "verifier/policy_desk.h"
#include "verifier/reply.h"

static void on_in_force(void *ctx, enum store_outcome outcome, struct stored_policy *policies, size_t n,
                        const struct err *store_err)
{
        AUTO(pushing_free_p) struct pushing *p = ctx;
        struct err err = ERR_INIT;
        bool unchanged = p->stored.version == p->version;

        if (outcome == STORE_FAILED) {
                reply_failure(p->req, store_err, "reading a module policy back");
                return;
        }
        if (modules_replace(p->v->modules, p->name, policies, n, &err) < 0) {
                reply_failure(p->req, &err, "using a module policy");
                return;
        }
        if (!unchanged) {
                log_info("module policy %s has version %lld", SHOW(p->name), (long long)p->stored.version);
                events_emit(p->v->events, "modules.changed", NULL, NULL, NULL, p->name);
        }
        reply_json(p->req, unchanged ? 200 : 201, pushing_view(p, &p->stored, unchanged, false));
}

static void on_pushed(void *ctx, enum store_outcome outcome, struct stored_policy *policies, size_t n,
                      const struct err *store_err)
{
        AUTO(pushing_free_p) struct pushing *p = ctx;
        struct err err = ERR_INIT;

        if (outcome == STORE_FAILED || n != 1) {
                reply_failure(p->req, store_err ? store_err : &err, "writing a module policy");
                return;
        }
        p->stored = policies[0];
        policies[0] = (struct stored_policy){.version = 0};
        if (verifier_db_policies_in_force(p->v->db, STORED_MODULES, NULL, p->name, clock_now_ms(),
                                          on_in_force, p, &err) < 0)
                reply_failure(p->req, &err, "reading a module policy back");
        else
                (void)TAKE(p);
}

/* Is it one, and of this name? Return: false with the answer given. */
static bool check_modules(struct pushing *p)
{
        struct err err = ERR_INIT;

        if (module_policy_parse(p->text, p->source, &p->modules, &err) < 0) {
                pushing_refuse(p->req, &err, p->source);
                return false;
        }
        if (str_equal(module_policy_name(p->modules), p->name))
                return true;
        http_answer_problem(p->req, 400, p->source, "The text names its policy '%s', the request '%s'.",
                            module_policy_name(p->modules), p->name);
        return false;
}

static void on_push(struct http_request *req, void *ctx)
{
        struct policy_desk *desk = ctx;
        const char *name = http_request_param(req, "name"), *source = http_request_query(req, "source");
        int64_t now_ms = clock_now_ms(), overlap_ms;
        AUTO(pushing_free_p) struct pushing *p = NULL;

        if (!source || !*source)
                source = name;
        if (!str_valid_name(name) || strlen(source) > POLICY_SOURCE_MAX) {
                http_answer_problem(req, 400, NULL,
                                    "A module policy's name is 1 to 64 of A-Z a-z 0-9 _ . -, and its source "
                                    "at most %d characters.",
                                    POLICY_SOURCE_MAX);
                return;
        }
        if (!pushing_read_overlap(req, now_ms, &overlap_ms) || !(p = pushing_new(desk, req)))
                return;
        p->now_ms = now_ms;
        p->overlap_ms = overlap_ms;
        p->source = str_dup(source);
        if (!p->source) {
                http_answer_problem(req, 503, NULL, "Out of memory.");
        } else if (pushing_open(p) && check_modules(p)) {
                struct pushing *owned = TAKE(p);

                pushing_store(owned, module_policy_digest(owned->modules),
                              modules_newest(desk->v->modules, owned->name), on_pushed);
        }
}

static const struct http_route routes[] = {
        {HTTP_GET, "/avow/v1/modules", POLICY_READERS, desk_on_list, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/modules/:name", POLICY_READERS, desk_on_show, 0, HTTP_NATIVE, NULL},
        {HTTP_PUT, "/avow/v1/modules/:name", POLICY_WRITERS, on_push, 2 * MODULE_POLICY_TEXT_MAX, HTTP_NATIVE,
         NULL},
        {HTTP_DELETE, "/avow/v1/modules/:name", POLICY_WRITERS, desk_on_remove, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/modules/:name/versions/:version", POLICY_READERS, desk_on_show_version, 0,
         HTTP_NATIVE, NULL},
};

int routes_modules(struct verifier *v, struct err *err)
{
        struct policy_desk *desk = &v->desks[STORED_MODULES];

        *desk = (struct policy_desk){v, STORED_MODULES};
        return http_server_add_routes(v->server, routes, ARRAY_LEN(routes), desk, err);
}
