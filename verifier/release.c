/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /avow/v1/agents/:id/releases: a host asks for its secrets, shows fresh evidence, and is answered.
 *
 * The evidence takes the ordinary way through attest_take(): judged, recorded (on the disk, always), and only
 * then does release_answer() look at approvals, which the database has. What is granted is in the audit log
 * before it is sent, and the host's trust is looked at once more in that last moment: a revocation that was
 * decided meanwhile wins. Every way out that is not a grant is a refusal.
 *
 * Spec: SR-1, SR-2, SR-14 (a challenge of seconds before a release); docs/protocol.md, "Releases".
 */
#include "verifier/release.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "store/verifier_secrets.h"
#include "verifier/attest.h"
#include "verifier/challenges.h"
#include "verifier/releases.h"
#include "verifier/reply.h"
#include "verifier/trust.h"

/* No host asks more often in a second. */
#define WINDOW_MS  1000
#define WINDOW_MAX 50
/* The same refusal of one host is recorded once in so long: whoever holds a token must not fill the disk. */
#define REFUSAL_TOLD_MS 60000
#define LEASE_MAX_MS    (WIRE_RELEASE_LEASE_MAX_S * 1000LL)

struct launch_ask *launch_ask_ref(struct launch_ask *a)
{
        a->refs++;
        return a;
}

void launch_ask_unref(struct launch_ask *a)
{
        if (!a || --a->refs > 0)
                return;
        wire_launch_request_done(&a->m);
        free(a);
}

struct release *release_dup(const struct release *r)
{
        struct release *copy = mem_dup(r, sizeof(*r));

        if (copy && copy->launch)
                (void)launch_ask_ref(copy->launch);
        return copy;
}

void release_free(struct release *r)
{
        if (r)
                launch_ask_unref(r->launch);
        free(r);
}

/* ---- asking ---- */

/* A refusal before there is a challenge: as in the answer, without what goes on from evidence. */
static void refuse_now(struct http_request *req, const char *type, const char *detail)
{
        AUTO(wire_release_answer_done) struct wire_release_answer m = {.lease_s = 0};
        struct err err = ERR_INIT;
        struct buf body = {0};
        int r = releases_refuse(&m, type, NULL, detail, &err);

        if (r >= 0)
                r = wire_release_answer_encode(&m, &body, &err);
        reply_encoded(req, r, 403, WIRE_TYPE_PROBLEM, &body);
}

/* One more request in this second? */
static bool too_often(const struct host *host)
{
        const struct release *r = host->release;

        return r && r->n_window >= WINDOW_MAX && loop_now_ms() - r->window_ms < WINDOW_MS;
}

bool release_may_ask(struct http_request *req, const struct host *host)
{
        if (host->busy || host->e.paused || !host->challenge.index) {
                http_answer_retry_after(req, 1000);
                http_answer_problem(req, 409, NULL,
                                    host->challenge.index
                                            ? "Evidence of this host is being judged, or it is paused."
                                            : "The host has not attested since this verifier started.");
        } else if (too_often(host)) {
                http_answer_retry_after(req, WINDOW_MS);
                http_answer_problem(req, 429, NULL, "More than %d requests in a second.", WINDOW_MAX);
        } else {
                return true;
        }
        return false;
}

static bool may_ask(const struct verifier *v, struct http_request *req, const struct host *host)
{
        if (host->e.keylime)
                refuse_now(req, "not-native", "Secrets are released to avow agents only.");
        else if (!v->keys.release)
                refuse_now(req, "no-release-key", "This verifier has no release.key: it releases nothing.");
        else
                return release_may_ask(req, host);
        return false;
}

static void count(struct release *r)
{
        if (loop_now_ms() - r->window_ms >= WINDOW_MS) {
                r->window_ms = loop_now_ms();
                r->n_window = 0;
        }
        r->n_window++;
}

static int remember(struct host *host, struct http_request *req, const struct wire_release_request *m,
                    struct launch_ask *launch, struct err *err)
{
        struct release *r = host->release;
        int n;

        if (!r)
                r = host->release = mem_zalloc(1, sizeof(*r));
        if (!r)
                return err_nomem(err);
        r->open = false;
        n = digest_bytes(DIGEST_SHA256, http_request_body(req), &r->request, err);
        if (n >= 0)
                n = uuid_random(r->id, err);
        if (n < 0)
                return n;
        launch_ask_unref(r->launch);
        r->launch = launch ? launch_ask_ref(launch) : NULL;
        if (m)
                r->m = *m;
        count(r);
        return 0;
}

void release_ask(struct http_request *req, struct host *host, const struct wire_release_request *m,
                 struct launch_ask *launch, const char *what)
{
        struct challenge_wish wish = {
                .immediate = true, .for_release = true, .boot_time_ms = host->challenge.boot_time_ms};
        struct wire_release_challenge answer;
        struct err err = ERR_INIT;
        struct buf body = {0};
        int r = remember(host, req, m, launch, &err);

        if (r >= 0)
                r = challenge_new(host, &wish, clock_now_ms(), loop_now_ms(), &err);
        if (r < 0) {
                reply_failure(req, &err, "making a challenge");
                return;
        }
        host->release->open = true;
        host->release->index = host->challenge.index;
        memcpy(answer.id, host->release->id, sizeof(answer.id));
        answer.next = (struct wire_next){.index = (uint64_t)host->challenge.index,
                                         .expires_at_ms = host->challenge.expires_at_ms,
                                         .deadline_ms = HOST_DEADLINE_MS};
        challenge_asks(&host->challenge, &answer.next.asks);
        r = wire_release_challenge_encode(&answer, &body, &err);
        http_answer_header(req, "Location", "/avow/v1/agents/%s/%s/%s", host->e.name, what, answer.id);
        reply_encoded(req, r, 201, WIRE_TYPE_JSON, &body);
}

static void on_ask(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct session *session = NULL;
        struct wire_release_request m;
        struct err err = ERR_INIT;
        struct host *host = reply_agent(v, req, &session);

        if (!host || !reply_wants_type(req, WIRE_TYPE_JSON) || !may_ask(v, req, host))
                return;
        if (wire_release_request_decode(http_request_body(req), &m, &err) < 0)
                http_answer_problem(req, err.kind == ERR_NOMEM ? 503 : 400, NULL, "%s", err.text);
        else
                release_ask(req, host, &m, NULL, "releases");
}

/* ---- the evidence ---- */

void release_take(struct verifier *v, struct http_request *req, const char *param, bool launch)
{
        struct session *session = NULL;
        struct host *host = reply_agent(v, req, &session);
        const struct challenge *c;

        if (!host || !reply_wants_type(req, WIRE_TYPE_JSON_API))
                return;
        c = &host->challenge;
        if (!host->release || !host->release->open || (host->release->launch != NULL) != launch ||
            !str_equal(host->release->id, http_request_param(req, param))) {
                http_answer_problem(req, 404, NULL, "No such %s waits for evidence.",
                                    launch ? "launch" : "release");
        } else if (host->busy || host->e.paused) {
                http_answer_retry_after(req, 1000);
                http_answer_problem(req, 409, NULL,
                                    "Evidence of this host is being judged, or it is paused.");
        } else if (!c->out || !c->for_release || c->index != host->release->index ||
                   loop_now_ms() > c->expires_ms) {
                reply_v3_error(req, 403, "challenges_expired",
                               "The challenge's time is over, or a newer one was given out.");
        } else {
                attest_take(v, req, host, session, host->release);
        }
}

static void on_evidence(struct http_request *req, void *ctx)
{
        release_take(ctx, req, "release", false);
}

/* ---- decisions, of launches too ---- */

void decision_begin(const struct round *r, struct host *host, struct decision *ret)
{
        *ret = (struct decision){.v = r->v,
                                 .req = r->req,
                                 .serial = host->serial,
                                 .boot_time_ms = r->challenge.boot_time_ms,
                                 .evidence = host->s.n_evidence};
        (void)snprintf(ret->name, sizeof(ret->name), "%s", host->e.name);
        if (host->release)
                host->release->open = false; /* it is answered, one way or the other */
}

struct host *decision_host(const struct decision *d)
{
        struct host *host = hosts_find(d->v->hosts, d->name);

        return host && host->serial == d->serial ? host : NULL;
}

bool decision_trusted(const struct decision *d, const struct host *host)
{
        return trust_of(d->v, host) == TRUST_TRUSTED;
}

const char *decision_obstacle(const struct round *r, const struct host *host, enum wire_evaluation evaluation,
                              const char **ret_detail)
{
        *ret_detail = "This evidence did not pass: 'avow host explain' says why.";
        if (evaluation != WIRE_PASS)
                return "not-pass";
        *ret_detail = "The policy only observes: this needs one that is enforced.";
        if (!r->result.verdict->enforced)
                return "not-enforced";
        *ret_detail = "The host is suspended or revoked.";
        return trust_of(r->v, host) == TRUST_TRUSTED ? NULL : "not-trusted";
}

bool decision_told_already(struct host *host, const char *type, const char *where)
{
        struct release *r = host->release;
        char text[sizeof(r->told)];

        if (!r)
                return false;
        (void)snprintf(text, sizeof(text), "%s %s", type, where ? where : "");
        if (str_equal(text, r->told) && loop_now_ms() - r->told_ms < REFUSAL_TOLD_MS)
                return true;
        memcpy(r->told, text, sizeof(r->told));
        r->told_ms = loop_now_ms();
        return false;
}

/* ---- the answer ---- */

/* A release on its way out. */
struct grant {
        struct decision d;
        struct wire_release_request m;
        struct wire_release_answer answer;
};

static void grant_free(struct grant *g)
{
        if (!g)
                return;
        wire_release_answer_done(&g->answer);
        free(g);
}
DEFINE_AUTO(struct grant, grant_free)

/* The last step. Takes G. */
static void send_answer(struct grant *owned, struct host *host, bool now, bool full)
{
        AUTO(grant_free_p) struct grant *g = owned;
        bool granted = g->answer.lease_s > 0;
        struct err err = ERR_INIT;
        struct buf body = {0};
        int r;

        attest_next(g->d.v, host, g->d.boot_time_ms, now, full, &g->answer.outcome);
        r = wire_release_answer_encode(&g->answer, &body, &err);
        g->answer.outcome = (struct wire_outcome){.has_next = false}; /* it was borrowed */
        reply_encoded(g->d.req, r, granted ? 200 : 403, granted ? WIRE_TYPE_JSON : WIRE_TYPE_PROBLEM, &body);
}

static int set_names(json_t *j, const struct wire_release_request *m)
{
        json_t *secrets = json_array();
        int r = json_object_set_new(j, "secrets", secrets);

        if (r < 0)
                return r; /* SECRETS is gone */
        for (size_t i = 0; i < m->n; i++) {
                json_t *item = json_object();

                r |= json_set_str(item, "name", m->item[i].name);
                r |= json_set_hex(item, "approval", VIEW_ARRAY(m->item[i].approval));
                r |= json_array_append_new(secrets, item);
        }
        return r;
}

static char *audit_detail(const struct grant *g)
{
        AUTO(json_free_p) json_t *j = json_object();
        int r = set_names(j, &g->m);

        r |= json_set_int(j, "evidence", g->d.evidence);
        if (g->answer.lease_s) {
                r |= json_set_int(j, "lease_s", g->answer.lease_s);
        } else {
                r |= json_set_str(j, "reason", g->answer.type);
                r |= json_set_str(j, "where", g->answer.where);
        }
        return r ? NULL : json_print(j);
}

static void record(struct grant *owned, struct host *host);

static void on_recorded(void *ctx, enum store_outcome outcome, const struct err *failure)
{
        AUTO(grant_free_p) struct grant *g = ctx;
        struct host *host = decision_host(&g->d);
        struct err err = ERR_INIT;

        if (outcome == STORE_FAILED) {
                reply_failure(g->d.req, failure, "recording a release");
        } else if (!host) {
                reply_v3_error(g->d.req, 404, "not_found", "This host is not enrolled any more.");
        } else if (g->answer.lease_s && !decision_trusted(&g->d, host)) { /* since it was decided */
                if (releases_refuse(&g->answer, "not-trusted", NULL, "The host is not trusted any more.",
                                    &err) < 0)
                        reply_failure(g->d.req, &err, "answering");
                else
                        record(TAKE(g), host);
        } else {
                send_answer(TAKE(g), host, false, false);
        }
}

/* Into the audit log, then out. Takes G. */
static void record(struct grant *owned, struct host *host)
{
        AUTO(grant_free_p) struct grant *g = owned;
        AUTO(mem_free_p) char *detail = audit_detail(g);
        struct audit_entry entry = {.time_ms = clock_now_ms(),
                                    .tenant = host->e.tenant,
                                    .actor = "verifier",
                                    .action = g->answer.lease_s ? "secret.release" : "secret.refuse",
                                    .object = host->e.name,
                                    .detail = detail};
        struct err err = ERR_INIT;

        if (g->answer.lease_s)
                metric_inc(g->d.v->counters.released);
        else
                metric_inc(g->d.v->counters.withheld);
        if (!g->answer.lease_s)
                log_with(LOG_LEVEL_INFO, LOG_FIELDS({"AVOW_HOST", host->e.name}),
                         "host %s gets no release: %s", SHOW(host->e.name), g->answer.detail);
        if (!g->answer.lease_s && decision_told_already(host, g->answer.type, g->answer.where)) {
                send_answer(TAKE(g), host, false, false);
                return;
        }
        if (!detail)
                (void)err_nomem(&err); /* told below */
        if (!detail || verifier_db_audit(g->d.v->db, &entry, on_recorded, g, &err) < 0) {
                reply_failure(g->d.req, &err, "recording a release");
                return;
        }
        (void)TAKE(g);
}

static void on_approvals(void *ctx, enum store_outcome outcome, const struct verifier_set *set,
                         const struct err *failure)
{
        AUTO(grant_free_p) struct grant *g = ctx;
        AUTO(mem_free_p) struct release_approval *approvals = NULL;
        struct host *host = decision_host(&g->d);
        struct release_facts facts;
        struct host_times times;
        struct err err = ERR_INIT;
        int64_t lease_ms;

        if (outcome == STORE_FAILED) {
                reply_failure(g->d.req, failure, "reading approvals");
                return;
        }
        if (!host) {
                reply_v3_error(g->d.req, 404, "not_found", "This host is not enrolled any more.");
                return;
        }
        times = verifier_times(g->d.v);
        lease_ms = host_lease_ms(host, &times);
        if (lease_ms > LEASE_MAX_MS)
                lease_ms = LEASE_MAX_MS;
        facts = (struct release_facts){.verifier_id = verifier_db_id(g->d.v->db),
                                       .tenant = host->e.tenant,
                                       .host = host->e.name,
                                       .key = g->d.v->keys.release,
                                       .public = g->d.v->keys.release_public,
                                       .counters = &host->counters,
                                       .lease_s = lease_ms < 1000 ? 1 : (uint32_t)(lease_ms / 1000)};
        approvals = mem_zalloc(set->n_approvals, sizeof(*approvals));
        for (size_t i = 0; approvals && i < set->n_approvals; i++)
                approvals[i] = (struct release_approval){set->approvals[i].text,
                                                         set->approvals[i].withdrawn_at_ms != 0};
        if (!approvals)
                (void)err_nomem(&err); /* told below */
        if (!approvals || host_counters(host, &err) < 0 ||
            releases_decide(&g->m, &facts, approvals, set->n_approvals, &g->answer, &err) < 0)
                reply_failure(g->d.req, &err, "signing releases");
        else
                record(TAKE(g), host);
}

void release_answer(struct round *r, struct host *host, enum wire_evaluation evaluation, bool full)
{
        AUTO(grant_free_p) struct grant *g = mem_zalloc(1, sizeof(*g));
        const char *why, *detail = NULL;
        struct err err = ERR_INIT;
        int n = g ? 0 : err_nomem(&err);

        if (g) {
                decision_begin(r, host, &g->d);
                g->m = r->release->m;
        }
        if (n >= 0 && evaluation == WIRE_PENDING) {
                n = releases_refuse(&g->answer, "asked-again", NULL,
                                    "No verdict yet: answer the new challenge, then ask again.", &err);
                if (n >= 0) {
                        send_answer(TAKE(g), host, true, full);
                        return;
                }
        }
        why = n >= 0 ? decision_obstacle(r, host, evaluation, &detail) : NULL;
        if (n >= 0 && why) {
                n = releases_refuse(&g->answer, why, NULL, detail, &err);
                if (n >= 0) {
                        record(TAKE(g), host);
                        return;
                }
        }
        if (n >= 0)
                n = verifier_db_secrets_of(r->v->db, host->e.tenant, host->e.name, on_approvals, g, &err);
        if (n < 0)
                reply_failure(r->req, &err, "deciding about a release");
        else
                (void)TAKE(g);
}

static const struct http_route routes[] = {
        {HTTP_POST, "/avow/v1/agents/:id/releases", ROLE_BEARER, on_ask, WIRE_RELEASE_BODY_MAX, HTTP_NATIVE,
         NULL},
        {HTTP_PATCH, "/avow/v1/agents/:id/releases/:release", ROLE_BEARER, on_evidence, 0, HTTP_NATIVE, NULL},
};

int routes_releases(struct verifier *v, struct err *err)
{
        return http_server_add_routes(v->server, routes, ARRAY_LEN(routes), v, err);
}
