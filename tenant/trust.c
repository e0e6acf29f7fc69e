/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people decide about trust: `avow host reinstate`, and what the fuse holds (`avow revocation
 * holds|confirm`). Both are requests: a host comes back when it passes over a challenge of seconds, and what
 * is held is destroyed when a second person says so.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "tenant/commands.h"
#include "tenant/hosts.h"
#include "tenant/output.h"

#define POLL_MS 500

/* ---- reinstate ---- */

struct reinstate_values {
        const char *reason, *wait;
        bool unwiped, dry_run;
};

static const struct option_row reinstate_options[] = {
        {"reason", "TEXT", "why; goes into the audit log and the event", OPTION_TEXT,
         offsetof(struct reinstate_values, reason)},
        {"unwiped", NULL, "although nobody proved that its secrets are gone: rotate them", OPTION_FLAG,
         offsetof(struct reinstate_values, unwiped)},
        {"wait", "DURATION", "wait so long until it is trusted (0s)", OPTION_TEXT,
         offsetof(struct reinstate_values, wait)},
        {"dry-run", NULL, "only say whether it could be asked for", OPTION_FLAG,
         offsetof(struct reinstate_values, dry_run)},
        {0},
};

static bool is_trusted(const json_t *host)
{
        return str_equal(host_text(host, "trust"), "trusted");
}

/* Replaces *HOST with what it is when it is trusted, or when the time is over. */
static int await_trust(struct api *api, const char *path, int64_t wait_ms, json_t **host, struct err *err)
{
        int64_t end_ms = clock_mono_ms() + wait_ms;

        while (!is_trusted(*host) && clock_mono_ms() < end_ms) {
                json_t *now = NULL;
                int r;

                (void)nanosleep(&(struct timespec){.tv_nsec = POLL_MS * 1000000L}, NULL);
                r = api_json(api, "GET", path, NULL, &now, err);
                if (r < 0)
                        return r;
                json_decref(*host);
                *host = now;
        }
        return 0;
}

static int run_reinstate(const struct session *s, const void *values, int n_args, char **args,
                         struct err *err)
{
        static const struct column lines[] = {
                {"Host", "name"},
                {"Trust", "trust"},
                {"State", "state"},
                {"Revocation", "trust_detail.revocation"},
                {"Wipe", "trust_detail.wipe"},
                {"Asked by", "trust_detail.reinstatement.asked_by"},
                {"Reason", "trust_detail.reinstatement.reason"},
        };
        const struct reinstate_values *v = values;
        AUTO(mem_free_p) char *path = NULL, *show = NULL;
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(json_free_p) json_t *body = NULL, *host = NULL;
        int64_t wait_ms = 0;
        int r;

        (void)n_args;
        if (!v->reason)
                return err_set(err, ERR_CONFIG, 0, "--reason is missing: say why the host may come back");
        if (v->wait && clock_parse_duration(view_str(v->wait), &wait_ms, err) < 0)
                return err_wrap(err, "--wait");
        r = host_path(args[0], v->dry_run ? "/reinstate?dry_run=true" : "/reinstate", &path, err);
        if (r >= 0)
                r = host_path(args[0], "", &show, err);
        if (r >= 0 && !(body = json_pack("{s:s, s:b}", "reason", v->reason, "unwiped", v->unwiped)))
                r = err_nomem(err);
        if (r >= 0)
                r = api_open(s, API_VERIFIER, &api, err);
        if (r >= 0)
                r = api_json(api, "POST", path, body, &host, err);
        if (r >= 0 && !v->dry_run)
                r = await_trust(api, show, wait_ms, &host, err);
        if (r >= 0)
                r = output_record(s, host, lines, ARRAY_LEN(lines), err);
        if (r < 0)
                return r;
        if (is_trusted(host) || v->dry_run)
                return ANSWER_DONE;
        if (s->output == OUTPUT_TABLE)
                (void)fprintf(stderr, "Asked for: the host is trusted again when it next passes.\n");
        return wait_ms ? ANSWER_UNDECIDED : ANSWER_DONE;
}

/* ---- holds ---- */

static int run_holds(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        static const struct column columns[] = {
                {"POLICY", "policy"}, {"STATE", "state"},         {"HOSTS", "hosts"},
                {"SINCE", "since"},   {"PUSHED BY", "pushed_by"}, {"WHY", "reason"},
        };
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(json_free_p) json_t *doc = NULL;
        int r = api_open(s, API_VERIFIER, &api, err);

        (void)values, (void)n_args, (void)args;
        if (r >= 0)
                r = api_json(api, "GET", "/avow/v1/holds", NULL, &doc, err);
        if (r >= 0)
                r = output_list(s, doc, "holds", columns, ARRAY_LEN(columns), err);
        return r < 0 ? r : ANSWER_DONE;
}

struct confirm_values {
        bool fleet, yes;
};

static const struct option_row confirm_options[] = {
        {"fleet", NULL, "what is held for the whole fleet, not for one policy", OPTION_FLAG,
         offsetof(struct confirm_values, fleet)},
        {"yes", NULL, "do not ask", OPTION_FLAG, offsetof(struct confirm_values, yes)},
        {0},
};

static int run_confirm(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        static const struct column lines[] = {
                {"Policy", "policy"},           {"State", "state"}, {"Hosts", "hosts"},
                {"Pushed by", "pushed_by"},     {"Why", "reason"},  {"Confirmed by", "confirmed_by"},
                {"No new hold until", "until"},
        };
        const struct confirm_values *v = values;
        AUTO(mem_free_p) char *question = NULL;
        AUTO(api_close_p) struct api *api = NULL;
        AUTO(json_free_p) json_t *body = NULL, *doc = NULL;
        int r;

        if (v->fleet != (n_args == 0))
                return err_set(err, ERR_CONFIG, 0, "say which: the name of a policy, or --fleet");
        question = v->fleet ? str_dup("Destroy the secrets of every host that waits in the whole fleet?")
                            : str_fmt("Destroy the secrets of every host that waits under policy '%s'?",
                                      args[0]);
        body = v->fleet ? json_object() : json_pack("{s:s}", "policy", args[0]);
        if (!question || !body)
                return err_nomem(err);
        r = command_confirm(v->yes, question, err);
        if (r <= 0)
                return r < 0 ? r : ANSWER_NO;
        r = api_open(s, API_VERIFIER, &api, err);
        if (r >= 0)
                r = api_json(api, "POST", "/avow/v1/holds/confirm", body, &doc, err);
        if (r >= 0)
                r = output_record(s, doc, lines, ARRAY_LEN(lines), err);
        return r < 0 ? r : ANSWER_DONE;
}

const struct command host_trust_commands[] = {
        {"host", "reinstate", "HOST", "Ask that a revoked or suspended host be trusted again",
         reinstate_options, sizeof(struct reinstate_values), 1, 1, run_reinstate},
        {0},
};

const struct command holds_commands[] = {
        {"revocation", "holds", "", "List what the fuse holds until a second person agrees", NULL, 0, 0, 0,
         run_holds},
        {"revocation", "confirm", "[POLICY]", "Agree to what the fuse holds: it is destroyed then",
         confirm_options, sizeof(struct confirm_values), 0, 1, run_confirm},
        {0},
};
