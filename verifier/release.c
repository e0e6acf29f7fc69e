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

/* Two requests of one host are at least so far apart. */
#define ASK_GAP_MS 250
/* The same refusal of one host is recorded once in so long: whoever holds a token must not fill the disk. */
#define REFUSAL_TOLD_MS 60000
#define LEASE_MAX_MS    (WIRE_RELEASE_LEASE_MAX_S * 1000LL)

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

static bool may_ask(const struct verifier *v, struct http_request *req, const struct host *host)
{
        int64_t gap_ms = host->release ? loop_now_ms() - host->release->asked_ms : ASK_GAP_MS;

        if (host->e.keylime) {
                refuse_now(req, "not-native", "Secrets are released to avow agents only.");
        } else if (!v->keys.release) {
                refuse_now(req, "no-release-key", "This verifier has no release.key: it releases nothing.");
        } else if (host->busy || host->e.paused || !host->challenge.index) {
                http_answer_retry_after(req, 1000);
                http_answer_problem(req, 409, NULL,
                                    host->challenge.index
                                            ? "Evidence of this host is being judged, or it is paused."
                                            : "The host has not attested since this verifier started.");
        } else if (gap_ms < ASK_GAP_MS) {
                http_answer_retry_after(req, ASK_GAP_MS - gap_ms);
                http_answer_problem(req, 429, NULL, "Too early.");
        } else {
                return true;
        }
        return false;
}

static int remember(struct host *host, struct http_request *req, const struct wire_release_request *m,
                    struct err *err)
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
        r->m = *m;
        r->asked_ms = loop_now_ms();
        return 0;
}

static void ask(struct http_request *req, struct host *host, const struct wire_release_request *m)
{
        struct challenge_wish wish = {
                .immediate = true, .for_release = true, .boot_time_ms = host->challenge.boot_time_ms};
        struct wire_release_challenge answer;
        struct err err = ERR_INIT;
        struct buf body = {0};
        int r = remember(host, req, m, &err);

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
        http_answer_header(req, "Location", "/avow/v1/agents/%s/releases/%s", host->e.name, answer.id);
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
                ask(req, host, &m);
}

/* ---- the evidence ---- */

static void on_evidence(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct session *session = NULL;
        struct host *host = reply_agent(v, req, &session);
        const struct challenge *c;

        if (!host || !reply_wants_type(req, WIRE_TYPE_JSON_API))
                return;
        c = &host->challenge;
        if (!host->release || !host->release->open ||
            !str_equal(host->release->id, http_request_param(req, "release"))) {
                http_answer_problem(req, 404, NULL, "No such release waits for evidence.");
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

/* ---- the answer ---- */

/* A release on its way out. */
struct grant {
        struct verifier *v;
        struct http_request *req;
        char name[WIRE_HOST_MAX + 1];
        uint64_t serial;
        int64_t boot_time_ms, evidence;
        struct release release;
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

static struct host *host_of(const struct grant *g)
{
        struct host *host = hosts_find(g->v->hosts, g->name);

        return host && host->serial == g->serial ? host : NULL;
}

static bool is_trusted(const struct verifier *v, const struct host *host)
{
        return trust_of(v, host) == TRUST_TRUSTED;
}

/* The last step. Takes G. */
static void send_answer(struct grant *owned, struct host *host, bool now, bool full)
{
        AUTO(grant_free_p) struct grant *g = owned;
        bool granted = g->answer.lease_s > 0;
        struct err err = ERR_INIT;
        struct buf body = {0};
        int r;

        attest_next(g->v, host, g->boot_time_ms, now, full, &g->answer.outcome);
        r = wire_release_answer_encode(&g->answer, &body, &err);
        g->answer.outcome = (struct wire_outcome){.has_next = false}; /* it was borrowed */
        reply_encoded(g->req, r, granted ? 200 : 403, granted ? WIRE_TYPE_JSON : WIRE_TYPE_PROBLEM, &body);
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
        int r = set_names(j, &g->release.m);

        r |= json_set_int(j, "evidence", g->evidence);
        if (g->answer.lease_s) {
                r |= json_set_int(j, "lease_s", g->answer.lease_s);
        } else {
                r |= json_set_str(j, "reason", g->answer.type);
                r |= json_set_str(j, "where", g->answer.where);
        }
        return r ? NULL : json_print(j);
}

/* Was this very refusal recorded a moment ago? Else it is remembered. */
static bool told_already(const struct grant *g, struct host *host)
{
        char text[sizeof(host->release->told)];
        struct release *r = host->release;

        if (g->answer.lease_s || !r)
                return false;
        (void)snprintf(text, sizeof(text), "%s %s", g->answer.type, g->answer.where ? g->answer.where : "");
        if (str_equal(text, r->told) && loop_now_ms() - r->told_ms < REFUSAL_TOLD_MS)
                return true;
        memcpy(r->told, text, sizeof(r->told));
        r->told_ms = loop_now_ms();
        return false;
}

static void record(struct grant *owned, struct host *host);

static void on_recorded(void *ctx, enum store_outcome outcome, const struct err *failure)
{
        AUTO(grant_free_p) struct grant *g = ctx;
        struct host *host = host_of(g);
        struct err err = ERR_INIT;

        if (outcome == STORE_FAILED) {
                reply_failure(g->req, failure, "recording a release");
        } else if (!host) {
                reply_v3_error(g->req, 404, "not_found", "This host is not enrolled any more.");
        } else if (g->answer.lease_s && !is_trusted(g->v, host)) { /* since it was decided */
                if (releases_refuse(&g->answer, "not-trusted", NULL, "The host is not trusted any more.",
                                    &err) < 0)
                        reply_failure(g->req, &err, "answering");
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
                metric_inc(g->v->counters.released);
        else
                metric_inc(g->v->counters.withheld);
        if (!g->answer.lease_s)
                log_with(LOG_LEVEL_INFO, LOG_FIELDS({"AVOW_HOST", host->e.name}),
                         "host %s gets no release: %s", SHOW(host->e.name), g->answer.detail);
        if (told_already(g, host)) {
                send_answer(TAKE(g), host, false, false);
                return;
        }
        if (!detail)
                (void)err_nomem(&err); /* told below */
        if (!detail || verifier_db_audit(g->v->db, &entry, on_recorded, g, &err) < 0) {
                reply_failure(g->req, &err, "recording a release");
                return;
        }
        (void)TAKE(g);
}

static void on_approvals(void *ctx, enum store_outcome outcome, const struct verifier_set *set,
                         const struct err *failure)
{
        AUTO(grant_free_p) struct grant *g = ctx;
        AUTO(mem_free_p) struct release_approval *approvals = NULL;
        struct host *host = host_of(g);
        struct release_facts facts;
        struct host_times times;
        struct err err = ERR_INIT;
        int64_t lease_ms;

        if (outcome == STORE_FAILED) {
                reply_failure(g->req, failure, "reading approvals");
                return;
        }
        if (!host) {
                reply_v3_error(g->req, 404, "not_found", "This host is not enrolled any more.");
                return;
        }
        times = verifier_times(g->v);
        lease_ms = host_lease_ms(host, &times);
        if (lease_ms > LEASE_MAX_MS)
                lease_ms = LEASE_MAX_MS;
        facts = (struct release_facts){.verifier_id = verifier_db_id(g->v->db),
                                       .tenant = host->e.tenant,
                                       .host = host->e.name,
                                       .key = g->v->keys.release,
                                       .public = g->v->keys.release_public,
                                       .counters = &host->counters,
                                       .lease_s = lease_ms < 1000 ? 1 : (uint32_t)(lease_ms / 1000)};
        approvals = mem_zalloc(set->n_approvals, sizeof(*approvals));
        for (size_t i = 0; approvals && i < set->n_approvals; i++)
                approvals[i] = (struct release_approval){set->approvals[i].text,
                                                         set->approvals[i].withdrawn_at_ms != 0};
        if (!approvals)
                (void)err_nomem(&err); /* told below */
        if (!approvals || host_counters(host, &err) < 0 ||
            releases_decide(&g->release.m, &facts, approvals, set->n_approvals, &g->answer, &err) < 0)
                reply_failure(g->req, &err, "signing releases");
        else
                record(TAKE(g), host);
}

/* Why the verdict and the host's trust allow no release, or NULL. */
static const char *stands_in_the_way(const struct round *r, const struct host *host,
                                     enum wire_evaluation evaluation, const char **ret_detail)
{
        *ret_detail = "This evidence did not pass: 'avow host explain' says why.";
        if (evaluation != WIRE_PASS)
                return "not-pass";
        *ret_detail = "The policy only observes: secrets need one that is enforced.";
        if (!r->result.verdict->enforced)
                return "not-enforced";
        *ret_detail = "The host is suspended or revoked.";
        return is_trusted(r->v, host) ? NULL : "not-trusted";
}

static struct grant *grant_new(const struct round *r, const struct host *host)
{
        struct grant *g = mem_zalloc(1, sizeof(*g));

        if (!g)
                return NULL;
        g->v = r->v;
        g->req = r->req;
        (void)snprintf(g->name, sizeof(g->name), "%s", host->e.name);
        g->serial = host->serial;
        g->boot_time_ms = r->challenge.boot_time_ms;
        g->evidence = host->s.n_evidence;
        g->release = *r->release;
        return g;
}

void release_answer(struct round *r, struct host *host, enum wire_evaluation evaluation, bool full)
{
        AUTO(grant_free_p) struct grant *g = grant_new(r, host);
        const char *why, *detail = NULL;
        struct err err = ERR_INIT;
        int n = g ? 0 : err_nomem(&err);

        if (host->release)
                host->release->open = false; /* it is answered, one way or the other */
        if (n >= 0 && evaluation == WIRE_PENDING) {
                n = releases_refuse(&g->answer, "asked-again", NULL,
                                    "No verdict yet: answer the new challenge, then ask again.", &err);
                if (n >= 0) {
                        send_answer(TAKE(g), host, true, full);
                        return;
                }
        }
        why = n >= 0 ? stands_in_the_way(r, host, evaluation, &detail) : NULL;
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
