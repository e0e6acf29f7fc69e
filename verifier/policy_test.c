/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy tried before it is enforced: the last recorded pieces of evidence of every host under its name are
 * appraised by it and compared with what was made of them, and of the hosts now.
 */
#include "verifier/policy_test.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "policy/signed.h"
#include "verifier/reply.h"
#include "verifier/trial.h"

#define LAST_MAX 1000

struct testing {
        struct verifier *v;
        struct http_request *req;
        json_t *results, *untested;
        json_t *result; /* of the host under way: borrowed from the results */
        bool counted;   /* that host would newly fail */
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

/* The newest piece says what the host would be; of older ones, what it would have been. */
static int begin_host(struct testing *t, const struct host *host, const struct trial_result *result)
{
        json_t *j = json_object();
        int r = json_array_append_new(t->results, j);

        t->result = j;
        t->counted = false;
        r |= json_set_str(j, "host", host->e.name);
        r |= json_set_str(j, "now", host_shown_name(verifier_shown(t->v, host)));
        r |= json_set_str(j, "would", verdict_state_name(result->verdict->state));
        r |= json_object_set_new(j, "verdict", verdict_to_json(result->verdict));
        r |= json_object_set_new(j, "evidence", json_array());
        return r;
}

static int on_evidence(void *ctx, const struct host *host, const struct trial_result *result)
{
        struct testing *t = ctx;
        bool passed, newly;
        json_t *j;
        int r = 0;

        if (!result->verdict)
                return json_array_append_new(t->untested, json_string(host->e.name));
        if (result->newest)
                r = begin_host(t, host, result);
        /* of the newest it counts what the host is now, which a newer policy may have said of it */
        passed = result->newest ? host->s.judged && host->s.verdict == VERDICT_PASS
                                : result->was == VERDICT_PASS;
        newly = passed && result->verdict->state != VERDICT_PASS;
        j = json_object();
        r |= json_array_append_new(json_object_get(t->result, "evidence"), j);
        r |= json_set_int(j, "n", result->n);
        r |= json_set_time(j, "received_at", result->received_at_ms);
        r |= json_set_str(j, "was", verdict_state_name(result->was));
        r |= json_set_str(j, "would", verdict_state_name(result->verdict->state));
        if (newly && !t->counted) {
                t->counted = true;
                t->newly_failing++;
                /* why: the newest piece that the candidate breaks */
                r |= json_object_set_new(t->result, "verdict", verdict_to_json(result->verdict));
        }
        if (newly && !result->newest)
                r |= json_object_set_new(j, "verdict", verdict_to_json(result->verdict));
        return r | json_set_bool(t->result, "newly_failing", t->counted);
}

static bool read_last(struct http_request *req, size_t *ret)
{
        const char *text = http_request_query(req, "last");
        struct err err = ERR_INIT;
        int64_t n = 1;

        if (text && str_parse_int(view_str(text), 1, LAST_MAX, &n, &err) < 0) {
                http_answer_problem(req, 400, "last", "%s", err.text);
                return false;
        }
        *ret = (size_t)n;
        return true;
}

void policy_test_on_request(struct http_request *req, void *ctx)
{
        AUTO(testing_free_p) struct testing *t = mem_zalloc(1, sizeof(*t));
        struct policy_version version = {.version = 1, .until_ms = POLICY_NEVER};
        struct trial_options options = {.policy = http_request_param(req, "name"),
                                        .only = http_request_query(req, "host")};
        struct dsse envelope = {0};
        struct view text = VIEW_NONE;
        struct err err = ERR_INIT;
        int r;

        if (!t || !(t->results = json_array()) || !(t->untested = json_array())) {
                http_answer_problem(req, 503, NULL, "Out of memory.");
                return;
        }
        t->v = ctx;
        t->req = req;
        if (!read_last(req, &options.last))
                return;
        r = policy_unwrap(http_request_body(req), &envelope, &text, &err);
        if (r >= 0)
                r = policy_parse(text, options.policy, &version.policy, &err);
        dsse_done(&envelope); /* nobody's signature is asked for: nothing comes into force */
        if (r >= 0)
                r = policy_effective_new(&version, 1, clock_now_ms(), &options.effective, &err);
        policy_unref(version.policy);
        if (r >= 0)
                r = trial_start(t->v, &options, on_evidence, on_done, t, &err);
        if (r < 0)
                http_answer_problem(req, err.kind == ERR_NOMEM ? 503 : 400, NULL, "%s", err.text);
        else
                (void)TAKE(t);
}
