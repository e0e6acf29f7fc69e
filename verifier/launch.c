/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /avow/v1/agents/:id/launches: a host asks whether a module may run, shows fresh evidence, and gets a
 * permit.
 *
 * The evidence goes the way of all evidence (and of releases: verifier/release.c). Only a host that passed,
 * is trusted, and whose policy is enforced is answered by the module policies. A permit is in the database
 * and in the audit log before it leaves, for the host's launch log is compared with what the database holds;
 * and the host's trust is looked at once more in that last moment. Every way out that is not a permit is a
 * refusal.
 *
 * Spec: SR-1, SR-2, SR-14, SR-21 to SR-23; docs/protocol.md, "Launches".
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "evidence/wasm_claims.h"
#include "store/verifier_permits.h"
#include "verifier/attest.h"
#include "verifier/modules.h"
#include "verifier/permits.h"
#include "verifier/reply.h"
#include "wire/permit.h"

/* Rows of permits that are closed are kept so long. */
#define FORGET_MS (90LL * 86400 * 1000)

/* A permit, or a refusal, on its way out. */
struct leave {
        struct decision d;
        struct launch_ask *ask;
        struct permit permit;
        char *jws; /* NULL: refused, and why: */
        char *type, *detail, *where, *next;
};

static void leave_free(struct leave *l)
{
        if (!l)
                return;
        launch_ask_unref(l->ask);
        free(l->jws);
        free(l->type);
        free(l->detail);
        free(l->where);
        free(l->next);
        free(l);
}
DEFINE_AUTO(struct leave, leave_free)

static int dup_text(const char *from, char **ret, struct err *err)
{
        free(*ret);
        *ret = from ? str_dup(from) : NULL;
        return *ret || !from ? 0 : err_nomem(err);
}

static int refuse(struct leave *l, const char *type, const char *where, const char *detail, const char *next,
                  struct err *err)
{
        free(TAKE(l->jws));
        if (dup_text(type, &l->type, err) < 0 || dup_text(where, &l->where, err) < 0 ||
            dup_text(detail, &l->detail, err) < 0)
                return -ERR_NOMEM;
        return dup_text(next, &l->next, err);
}

/* ---- asking ---- */

/* A refusal before there is a challenge. */
static void refuse_now(struct http_request *req, const char *type, const char *detail)
{
        const struct wire_launch_answer m = {.type = (char *)(uintptr_t)type,
                                             .detail = (char *)(uintptr_t)detail};
        struct err err = ERR_INIT;
        struct buf body = {0};

        reply_encoded(req, wire_launch_answer_encode(&m, &body, &err), 403, WIRE_TYPE_PROBLEM, &body);
}

/* What is wrong with the request, whatever the evidence says; NULL: nothing. */
static const char *objection(const struct host *host, const struct wire_launch_request *m)
{
        if (!str_equal(m->launch.host, host->e.name))
                return "The descriptor names another host.";
        if (m->launch.tenant[0] && !str_equal(m->launch.tenant, host->e.tenant))
                return "The descriptor names another tenant than the host's.";
        return NULL;
}

static void ask(struct verifier *v, struct http_request *req, struct host *host)
{
        AUTO(launch_ask_unref_p) struct launch_ask *a = mem_zalloc(1, sizeof(*a));
        struct err err = ERR_INIT;
        const char *why;

        if (a)
                a->refs = 1;
        if (!a || wire_launch_request_decode(http_request_body(req), &a->m, &err) < 0) {
                http_answer_problem(req, !a || err.kind == ERR_NOMEM ? 503 : 400, NULL, "%s", err.text);
                return;
        }
        why = objection(host, &a->m);
        if (host->e.keylime)
                refuse_now(req, "not-native", "Launches are for avow agents only.");
        else if (!v->keys.release)
                refuse_now(req, "no-permit-key", "This verifier has no release.key: it permits nothing.");
        else if (why)
                refuse_now(req, "launch-malformed", why);
        else if (release_may_ask(req, host))
                release_ask(req, host, NULL, a, "launches");
}

static void on_ask(struct http_request *req, void *ctx)
{
        struct session *session = NULL;
        struct host *host = reply_agent(ctx, req, &session);

        if (host && reply_wants_type(req, WIRE_TYPE_JSON))
                ask(ctx, req, host);
}

static void on_evidence(struct http_request *req, void *ctx)
{
        release_take(ctx, req, "launch", true);
}

/* ---- the answer ---- */

/* The last step. Takes L. */
static void send_answer(struct leave *owned, struct host *host, bool now, bool full)
{
        AUTO(leave_free_p) struct leave *l = owned;
        struct wire_launch_answer m = {
                .permit = l->jws, .type = l->type, .detail = l->detail, .where = l->where, .next = l->next};
        struct err err = ERR_INIT;
        struct buf body = {0};
        int r;

        attest_next(l->d.v, host, l->d.boot_time_ms, now, full, &m.outcome);
        r = wire_launch_answer_encode(&m, &body, &err);
        reply_encoded(l->d.req, r, l->jws ? 200 : 403, l->jws ? WIRE_TYPE_JSON : WIRE_TYPE_PROBLEM, &body);
}

static char *audit_detail(const struct leave *l)
{
        AUTO(json_free_p) json_t *j = json_object();
        const struct launch *launch = &l->ask->m.launch;
        int r = 0;

        r |= json_set_int(j, "evidence", l->d.evidence);
        r |= json_set_str(j, "launch", launch->id);
        r |= json_set_hex(j, "module", digest_view(&launch->sha256));
        r |= json_set_str(j, "runtime", launch->runtime);
        if (l->jws) {
                r |= json_set_str(j, "permit", l->permit.id);
                r |= json_set_str(j, "policy", l->permit.policy.name);
                r |= json_set_int(j, "policy_version", l->permit.policy.version);
                r |= json_set_int(j, "line", l->permit.line);
        } else {
                r |= json_set_str(j, "reason", l->type);
                r |= json_set_str(j, "where", l->where);
        }
        return r ? NULL : json_print(j);
}

static struct ledger_permit row_of(const struct permit *p)
{
        struct ledger_permit row = {.launch = p->launch_digest,
                                    .module = p->launch.sha256,
                                    .closure = p->launch.closure,
                                    .issued_at_ms = p->issued_at_s * 1000,
                                    .expires_at_ms = p->expires_at_s * 1000,
                                    .cache_until_ms = p->cache_s ? (p->issued_at_s + p->cache_s) * 1000 : 0};

        memcpy(row.id, p->id, sizeof(row.id));
        memcpy(row.runtime, p->launch.runtime, sizeof(row.runtime));
        return row;
}

static void record(struct leave *owned, struct host *host);

static void on_recorded(void *ctx, enum store_outcome outcome, const struct err *failure)
{
        AUTO(leave_free_p) struct leave *l = ctx;
        struct host *host = decision_host(&l->d);
        const struct ledger_permit row = row_of(&l->permit);
        struct err err = ERR_INIT;
        int r = 0;

        if (outcome == STORE_FAILED) {
                reply_failure(l->d.req, failure, "recording a permit");
                return;
        }
        if (!host || outcome == STORE_NOT_FOUND) {
                reply_v3_error(l->d.req, 404, "not_found", "This host is not enrolled any more.");
                return;
        }
        if (!l->jws) {
                send_answer(TAKE(l), host, false, false);
                return;
        }
        if (decision_trusted(&l->d, host))
                r = permits_add(l->d.v->permits, host->e.name, &row, &err);
        else /* since it was decided; the row stays, and is found to have had no launch */
                r = refuse(l, "not-trusted", NULL, "The host is not trusted any more.", NULL, &err);
        if (r < 0)
                reply_failure(l->d.req, &err, "answering");
        else if (l->jws)
                send_answer(TAKE(l), host, false, false);
        else
                record(TAKE(l), host);
}

/* Into the database and the audit log, then out. Takes L. */
static void record(struct leave *owned, struct host *host)
{
        AUTO(leave_free_p) struct leave *l = owned;
        AUTO(mem_free_p) char *detail = audit_detail(l);
        const struct ledger_permit row = row_of(&l->permit);
        struct audit_entry entry = {.time_ms = clock_now_ms(),
                                    .tenant = host->e.tenant,
                                    .actor = "verifier",
                                    .action = l->jws ? "launch.permit" : "launch.refuse",
                                    .object = host->e.name,
                                    .detail = detail};
        struct err err = ERR_INIT;
        int r = detail ? 0 : err_nomem(&err);

        metric_inc(l->jws ? l->d.v->counters.permitted : l->d.v->counters.forbidden);
        if (!l->jws)
                log_with(LOG_LEVEL_INFO, LOG_FIELDS({"AVOW_HOST", host->e.name}),
                         "host %s gets no permit for module %s: %s", SHOW(host->e.name),
                         SHOW(l->ask->m.launch.id), l->detail);
        if (!l->jws && decision_told_already(host, l->type, l->where)) {
                send_answer(TAKE(l), host, false, false);
                return;
        }
        if (r >= 0 && l->jws)
                r = verifier_db_permit_add(l->d.v->db, host->e.tenant, host->e.name, &row,
                                           l->permit.policy.name, l->permit.policy.version,
                                           entry.time_ms - FORGET_MS, &entry, on_recorded, l, &err);
        else if (r >= 0)
                r = verifier_db_audit(l->d.v->db, &entry, on_recorded, l, &err);
        if (r < 0)
                reply_failure(l->d.req, &err, "recording a permit");
        else
                (void)TAKE(l);
}

/* ---- the decision ---- */

/* What its own claims say, for receipts: they were checked. */
static int take_claims(struct leave *l, struct err *err)
{
        const struct wasm_trust nobody = {.now_ms = clock_now_ms()};
        const struct wire_launch_request *m = &l->ask->m;
        AUTO(wasm_claims_done) struct wasm_claims c = {.doc = NULL};
        struct permit_claims *to = &l->permit.claims;
        struct tee_result checks;
        enum wasm_signed got;
        int r = wasm_claims_check_token(view_str(m->claims), &m->launch.claims_hash, &nobody, &c, &checks,
                                        &got, err);

        if (r < 0 || !c.doc)
                return r;
        l->permit.has_claims = true;
        to->revision = c.revision;
        (void)snprintf(to->issuer, sizeof(to->issuer), "%s", c.issuer); /* 56 characters: keys */
        (void)snprintf(to->subject, sizeof(to->subject), "%s", c.subject);
        if (c.name && strlen(c.name) < sizeof(to->name))
                memcpy(to->name, c.name, strlen(c.name) + 1);
        if (c.version && strlen(c.version) < sizeof(to->version))
                memcpy(to->version, c.version, strlen(c.version) + 1);
        return 0;
}

static int make_permit(struct leave *l, const struct round *r, const struct host *host,
                       const struct module_answer *a, struct err *err)
{
        struct permit *p = &l->permit;
        int n = uuid_random(p->id, err);

        p->launch = l->ask->m.launch;
        p->issued_at_s = clock_now_ms() / 1000;
        p->expires_at_s = p->issued_at_s + a->lifetime_s;
        p->cache_s = a->cache_s;
        p->on_revocation = a->finish ? PERMIT_FINISH : PERMIT_KILL;
        p->line = a->line;
        p->policy = (struct permit_policy){.version = a->by->version,
                                           .sha256 = *module_policy_digest(a->by->policy)};
        (void)snprintf(p->policy.name, sizeof(p->policy.name), "%s", module_policy_name(a->by->policy));
        p->has_host_policy = r->policy_name != NULL;
        if (p->has_host_policy) {
                p->host_policy = (struct permit_policy){.version = r->policy.version,
                                                        .sha256 = r->policy.policy->sha256};
                (void)snprintf(p->host_policy.name, sizeof(p->host_policy.name), "%s", r->policy_name);
        }
        (void)snprintf(p->verifier, sizeof(p->verifier), "%s", verifier_db_id(r->v->db));
        (void)snprintf(p->tenant, sizeof(p->tenant), "%s", host->e.tenant);
        if (n >= 0)
                n = launch_digest(&p->launch, &p->launch_digest, err);
        if (n >= 0 && l->ask->m.claims)
                n = take_claims(l, err);
        return n < 0 ? n : permit_sign(p, r->v->keys.release, &l->jws, err);
}

/* What the finding says, as sentences of an answer. */
static int refuse_by(struct leave *l, const struct module_answer *a, struct err *err)
{
        const struct finding *f = verdict_worst(a->verdict);
        AUTO(mem_free_p) char *detail = NULL;
        struct buf text = {0};

        buf_str(&text, f->what);
        if (f->found)
                buf_fmt(&text, " (%s)", f->found);
        if (f->remedy)
                buf_fmt(&text, "; %s", f->remedy);
        detail = buf_take_str(&text);
        return detail ? refuse(l, a->type, f->policy_ref, detail, a->next, err) : err_nomem(err);
}

static int judge(struct leave *l, const struct round *r, const struct host *host, struct err *err)
{
        const struct wire_launch_request *m = &l->ask->m;
        const struct module_request q = {.launch = &m->launch,
                                         .claims = view_str(m->claims ? m->claims : ""),
                                         .signature = VIEW_BUF(&m->signature),
                                         .envelope = view_str(m->envelope ? m->envelope : ""),
                                         .now_ms = clock_now_ms()};
        AUTO(module_answer_done) struct module_answer a = {.allowed = false};
        const struct module_version *versions;
        size_t n_versions;
        int n;

        versions = modules_all(r->v->modules, &n_versions);
        n = module_policy_judge(versions, n_versions, &q, &a, err);
        if (n < 0)
                return n;
        return a.allowed ? make_permit(l, r, host, &a, err) : refuse_by(l, &a, err);
}

static int decide(struct leave *l, const struct round *r, const struct host *host,
                  enum wire_evaluation evaluation, struct err *err)
{
        const char *detail = NULL, *why;
        size_t n_open;

        if (evaluation == WIRE_PENDING)
                return refuse(l, "asked-again", NULL,
                              "No verdict yet: answer the new challenge, then ask again.", NULL, err);
        why = decision_obstacle(r, host, evaluation, &detail);
        if (why)
                return refuse(l, why, host->e.name, detail, "avow host explain", err);
        (void)permits_of(r->v->permits, host->e.name, &n_open);
        if (n_open >= LEDGER_OPEN_MAX)
                return refuse(l, "too-many-permits", host->e.name,
                              "Too many permits of this host wait for their launch in its log.",
                              "avow host explain", err);
        return judge(l, r, host, err);
}

void launch_answer(struct round *r, struct host *host, enum wire_evaluation evaluation, bool full)
{
        AUTO(leave_free_p) struct leave *l = mem_zalloc(1, sizeof(*l));
        struct err err = ERR_INIT;
        int n = l ? 0 : err_nomem(&err);

        if (l) {
                decision_begin(r, host, &l->d);
                l->ask = launch_ask_ref(r->release->launch);
                n = decide(l, r, host, evaluation, &err);
        }
        if (n < 0)
                reply_failure(r->req, &err, "deciding about a launch");
        else if (evaluation == WIRE_PENDING)
                send_answer(TAKE(l), host, true, full);
        else
                record(TAKE(l), host);
}

/* ---- what evidence shows of them ---- */

int launch_evidence(struct round *r, const struct host *host, struct appraisal *in, struct err *err)
{
        const struct wire_evidence_item *log = wire_evidence_find(&r->evidence, WIRE_LAUNCH_LOG);
        const struct ledger_permit *permits;

        in->has_launch_log = log != NULL;
        if (!log)
                return 0;
        in->launch_log = VIEW_BUF(&log->entries);
        in->launch_first = r->challenge.launch_offset;
        in->launch_pcr = r->challenge.launch_pcr;
        permits = permits_of(r->v->permits, host->e.name, &r->n_permits);
        if (r->n_permits && !(r->permits = mem_dup(permits, r->n_permits * sizeof(*permits))))
                return err_nomem(err);
        in->permits = r->permits;
        in->n_permits = r->n_permits;
        return 0;
}

static const struct http_route routes[] = {
        {HTTP_POST, "/avow/v1/agents/:id/launches", ROLE_BEARER, on_ask, WIRE_LAUNCH_BODY_MAX, HTTP_NATIVE,
         NULL},
        {HTTP_PATCH, "/avow/v1/agents/:id/launches/:launch", ROLE_BEARER, on_evidence, 0, HTTP_NATIVE, NULL},
};

int routes_launches(struct verifier *v, struct err *err)
{
        return http_server_add_routes(v->server, routes, ARRAY_LEN(routes), v, err);
}
