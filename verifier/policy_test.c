/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy tried before it is enforced: the last recorded evidence of every host under its name is appraised
 * by it and compared with what the hosts show now.
 */
#include "verifier/policy_test.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "policy/signed.h"
#include "verifier/reply.h"
#include "verifier/trial.h"

struct testing {
        struct verifier *v;
        struct http_request *req;
        json_t *results, *untested;
        int64_t newly_failing;
};

static void testing_free(struct testing *t)
{
        if (!t)
                return;
        json_decref(t->results);
        json_decref(t->untested);
        free(t);
}
DEFINE_AUTO(struct testing, testing_free)

static void on_done(void *ctx, const struct trial_sum *sum, const struct err *err)
{
        AUTO(testing_free_p) struct testing *t = ctx;
        AUTO(json_free_p) json_t *j = json_object();
        int r = 0;

        (void)sum; /* who would pass no longer counts here, whatever the mode */
        if (err) {
                reply_failure(t->req, err, "trying a policy");
                return;
        }
        r |= json_set_str(j, "schema", "avow.policy-test/1");
        r |= json_object_set(j, "results", t->results);
        r |= json_set_int(j, "newly_failing", t->newly_failing);
        r |= json_object_set(j, "untested", t->untested);
        reply_json(t->req, 200, r ? NULL : TAKE(j));
}

static int on_host(void *ctx, const struct host *host, const struct verdict *verdict)
{
        struct testing *t = ctx;
        AUTO(json_free_p) json_t *j = NULL;
        int r = 0;

        if (!verdict)
                return json_array_append_new(t->untested, json_string(host->e.name));
        j = json_object();
        r |= json_set_str(j, "host", host->e.name);
        r |= json_set_str(j, "now", host_shown_name(verifier_shown(t->v, host)));
        r |= json_set_str(j, "would", verdict_state_name(verdict->state));
        r |= json_object_set_new(j, "verdict", verdict_to_json(verdict));
        r |= json_array_append(t->results, j);
        if (host->s.judged && host->s.verdict == VERDICT_PASS && verdict->state != VERDICT_PASS)
                t->newly_failing++;
        return r;
}

void policy_test_on_request(struct http_request *req, void *ctx)
{
        AUTO(testing_free_p) struct testing *t = mem_zalloc(1, sizeof(*t));
        struct policy_version version = {.version = 1, .until_ms = POLICY_NEVER};
        struct trial_options options = {.policy = http_request_param(req, "name"),
                                        .only = http_request_query(req, "host")};
        struct dsse envelope = {0};
        struct view text;
        struct err err = ERR_INIT;
        int r;

        if (!t || !(t->results = json_array()) || !(t->untested = json_array())) {
                http_answer_problem(req, 503, NULL, "Out of memory.");
                return;
        }
        t->v = ctx;
        t->req = req;
        r = policy_unwrap(http_request_body(req), &envelope, &text, &err);
        if (r >= 0)
                r = policy_parse(text, options.policy, &version.policy, &err);
        dsse_done(&envelope); /* nobody's signature is asked for: nothing comes into force */
        if (r >= 0)
                r = policy_effective_new(&version, 1, clock_now_ms(), &options.effective, &err);
        policy_unref(version.policy);
        if (r >= 0)
                r = trial_start(t->v, &options, on_host, on_done, t, &err);
        if (r < 0)
                http_answer_problem(req, err.kind == ERR_NOMEM ? 503 : 400, NULL, "%s", err.text);
        else
                (void)TAKE(t);
}
