/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy tried before it is enforced: the last recorded evidence of every host under its name is appraised
 * by it, with the versions that would still hold beside it, and compared with what the hosts show now. One
 * host at a time, so that a fleet's test holds up nobody.
 */
#include "verifier/policy_test.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "policy/appraise.h"
#include "verifier/reply.h"

struct testing {
        struct verifier *v;
        struct http_request *req;
        struct policy_effective *policy;
        struct strv names;
        size_t at;
        json_t *results, *untested;
        int64_t newly_failing;
};

static void testing_free(struct testing *t)
{
        if (!t)
                return;
        policy_effective_free(t->policy);
        strv_done(&t->names);
        json_decref(t->results);
        json_decref(t->untested);
        free(t);
}
DEFINE_AUTO(struct testing, testing_free)

static void next_host(struct testing *t);

static void finish(struct testing *t)
{
        AUTO(json_free_p) json_t *j = json_object();
        int r = 0;

        r |= json_set_str(j, "schema", "avow.policy-test/1");
        r |= json_object_set(j, "results", t->results);
        r |= json_set_int(j, "newly_failing", t->newly_failing);
        r |= json_object_set(j, "untested", t->untested);
        reply_json(t->req, 200, r ? NULL : TAKE(j));
        testing_free(t);
}

static int add_result(struct testing *t, const struct host *host, const struct verdict *verdict)
{
        AUTO(json_free_p) json_t *j = json_object();
        enum host_shown now = verifier_shown(t->v, host);
        int r = 0;

        r |= json_set_str(j, "host", host->e.name);
        r |= json_set_str(j, "now", host_shown_name(now));
        r |= json_set_str(j, "would", verdict_state_name(verdict->state));
        r |= json_object_set_new(j, "verdict", verdict_to_json(verdict));
        r |= json_array_append(t->results, j);
        if (host->s.judged && host->s.verdict == VERDICT_PASS && verdict->state != VERDICT_PASS)
                t->newly_failing++;
        return r;
}

static void on_evidence(void *ctx, enum store_outcome outcome, struct view text, struct view cel, int64_t n,
                        const struct err *store_err)
{
        struct testing *t = ctx;
        const char *name = t->names.items[t->at];
        const struct host *host = hosts_find(t->v->hosts, name);
        AUTO(verdict_free_p) struct verdict *verdict = NULL;
        AUTO(bundle_free_p) struct bundle *b = NULL;
        struct err err = ERR_INIT;
        int r = 0;

        (void)n;
        if (outcome == STORE_FAILED) {
                reply_failure(t->req, store_err, "reading evidence");
                testing_free(t);
                return;
        }
        if (outcome == STORE_OK && host &&
            (bundle_with_log(text, cel, &b, &err) < 0 ||
             appraise_bundle(b, t->policy, host->cont, &verdict, &err) < 0)) {
                reply_failure(t->req, &err, "trying a policy");
                testing_free(t);
                return;
        }
        if (verdict)
                r = add_result(t, host, verdict);
        else if (host)
                r = json_array_append_new(t->untested, json_string(name));
        if (r) {
                http_answer_problem(t->req, 503, NULL, "Out of memory.");
                testing_free(t);
                return;
        }
        t->at++;
        next_host(t);
}

static void next_host(struct testing *t)
{
        struct err err = ERR_INIT;

        if (t->at == t->names.n) {
                finish(t);
                return;
        }
        if (verifier_db_evidence(t->v->db, NULL, t->names.items[t->at], 0, on_evidence, t, &err) < 0) {
                reply_failure(t->req, &err, "reading evidence");
                testing_free(t);
        }
}

static int find_names(struct testing *t, const char *policy, const char *only, struct err *err)
{
        struct host *host;
        size_t pos = 0;

        while ((host = hosts_next(t->v->hosts, &pos)) != NULL) {
                if (only ? !str_equal(host->e.name, only) : !str_equal(host->e.policy, policy))
                        continue;
                if (strv_add(&t->names, host->e.name) < 0)
                        return err_nomem(err);
        }
        strv_sort(&t->names);
        return 0;
}

void policy_test_on_request(struct http_request *req, void *ctx)
{
        AUTO(testing_free_p) struct testing *t = mem_zalloc(1, sizeof(*t));
        const char *name = http_request_param(req, "name"), *only = http_request_query(req, "host");
        struct policy_version version = {.version = 1, .until_ms = POLICY_NEVER};
        struct err err = ERR_INIT;
        int r;

        if (!t) {
                http_answer_problem(req, 503, NULL, "Out of memory.");
                return;
        }
        t->v = ctx;
        t->req = req;
        t->results = json_array();
        t->untested = json_array();
        r = policy_parse(http_request_body(req), name, &version.policy, &err);
        if (r >= 0)
                r = policy_effective_new(&version, 1, clock_now_ms(), &t->policy, &err);
        policy_unref(version.policy);
        if (r >= 0)
                r = find_names(t, name, only, &err);
        if (r < 0) {
                http_answer_problem(req, err.kind == ERR_NOMEM ? 503 : 400, NULL, "%s", err.text);
                return;
        }
        next_host(TAKE(t));
}
