/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /avow/v1/workloads: challenges, evidence, allow-lists. Whoever runs a workload may ask for a challenge and
 * send evidence; how often is limited by source, and a challenge is remembered only once something good was
 * signed over it. docs/verifier-api.md has the shapes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "verifier/reply.h"
#include "verifier/view.h"
#include "verifier/workloads.h"

#define CHALLENGED "workload" /* what a challenge is for, where sessions name a host */

static struct session_peer peer_of(const struct http_request *req)
{
        const struct http_peer *peer = http_request_peer(req);

        return (struct session_peer){.address = peer->address,
                                     .spki_sha256 = peer->certificate ? peer->spki_sha256 : NULL};
}

static void on_challenge(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        const struct session_peer peer = peer_of(req);
        uint8_t nonce[SESSION_CHALLENGE_BYTES];
        char id[UUID_TEXT_BYTES], hex[2 * sizeof(nonce) + 1], end[CLOCK_TEXT_BYTES];
        int64_t now_ms = clock_now_ms();
        struct err err = ERR_INIT;

        if (!workloads_allow(v->workloads, req))
                return;
        if (sessions_challenge(v->workloads->challenges, CHALLENGED, &peer, now_ms, id, nonce, &err) < 0) {
                reply_failure(req, &err, "a challenge");
                return;
        }
        reply_json(req, 201,
                   json_pack("{s:s, s:s, s:s, s:s, s:s}", "schema", "avow.workload-challenge/1", "challenge",
                             id, "nonce", hex_write(hex, VIEW_ARRAY(nonce)), "verifier_id",
                             verifier_db_id(v->db), "expires_at",
                             clock_format(now_ms + SESSION_CHALLENGE_MS, end)));
}

/* ---- evidence ---- */

static json_t *view_verdict(const struct workload_evidence *e, const struct workload_verdict *verdict,
                            int64_t now_ms)
{
        AUTO(json_free_p) json_t *j = json_object();
        int r = 0;

        r |= json_set_str(j, "schema", "avow.workload/1");
        r |= json_set_bool(j, "trusted", verdict->trusted);
        r |= json_set_str(j, "technology", e->technology);
        r |= json_set_str(j, "algorithm", digest_name(e->digest.alg));
        r |= json_set_hex(j, "digest", digest_view(&e->digest));
        if (e->entity[0])
                r |= json_set_str(j, "entity", e->entity);
        if (verdict->set)
                r |= json_set_str(j, "list", verdict->set->list.id);
        if (verdict->reason) {
                r |= json_set_str(j, "reason", verdict->reason);
                r |= json_set_str(j, "detail", verdict->detail);
        }
        r |= view_time(j, "checked_at", now_ms);
        return r ? NULL : TAKE(j);
}

/* Is the challenge one of ours for this peer, in time, and not used? Return: 0, -kind. */
static int check_challenge(struct workloads *w, struct http_request *req, const struct workload_evidence *e,
                           int64_t now_ms, struct workload_verdict *verdict, struct err *err)
{
        const struct session_peer peer = peer_of(req);
        uint8_t nonce[SESSION_CHALLENGE_BYTES];
        enum session_answer known = SESSION_UNKNOWN;
        int64_t created_ms;
        int r = sessions_recall(w->challenges, e->challenge, CHALLENGED, &peer, now_ms, &known, nonce,
                                &created_ms, err);

        if (r < 0)
                return r;
        if (known == SESSION_EXPIRED)
                workloads_refuse(verdict, "challenge-expired",
                                 "The challenge is too old: ask for a new one.");
        else if (known != SESSION_OK || !equal_ct(nonce, sizeof(nonce), e->nonce, sizeof(e->nonce)))
                workloads_refuse(verdict, "challenge-unknown",
                                 "No challenge of this id and nonce is open for this peer: ask for one, and "
                                 "use it once.");
        return 0;
}

static int judge(struct verifier *v, struct http_request *req, const struct workload_evidence *e,
                 int64_t now_ms, struct entity **ret_entity, struct workload_verdict *verdict,
                 struct err *err)
{
        struct workloads *w = v->workloads;
        AUTO(buf_free) struct buf message = {0};
        AUTO(mem_free_p) struct workload_set **sets = NULL;
        struct workload_question q = {.adapters = &w->adapters,
                                      .known = w->known,
                                      .technology = e->technology,
                                      .n_certs = e->n_chain,
                                      .signature = VIEW_BUF(&e->signature),
                                      .now_ms = now_ms,
                                      .max_age_ms = conf_int(v->settings.conf, "workloads.max_age")};
        int r = check_challenge(w, req, e, now_ms, verdict, err);

        if (r < 0 || verdict->reason)
                return r;
        sets = e->entity[0] ? workloads_sets_of(w, e->entity, &q.n_sets, ret_entity, verdict)
                            : workloads_sets(w, &q.n_sets);
        if (!sets)
                return err_nomem(err);
        if (verdict->reason)
                return 0;
        q.sets = sets;
        for (size_t i = 0; i < e->n_chain; i++)
                q.certs[i] = VIEW_BUF(&e->chain[i]);
        r = workload_signed_bytes(e, verifier_db_id(v->db), &message, err);
        if (r >= 0)
                r = workload_judge(&q, VIEW_BUF(&message), &e->digest, verdict, err);
        /* only who can sign under a good chain gets an id remembered */
        if (r >= 0 && (verdict->trusted || str_equal(verdict->reason, "not-allowed")))
                r = sessions_spend(w->challenges, e->challenge, loop_now_ms(), err);
        return r;
}

static void on_evidence(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct workload_evidence e = {.n_chain = 0};
        struct workload_verdict verdict = {.trusted = false};
        struct entity *entity = NULL;
        int64_t now_ms = clock_now_ms();
        struct err err = ERR_INIT;

        if (!workloads_allow(v->workloads, req) || !reply_wants_type(req, WIRE_TYPE_JSON))
                return;
        if (workload_evidence_decode(http_request_body(req), &e, &err) < 0) {
                http_answer_problem(req, err.kind == ERR_NOMEM ? 503 : 400, NULL, "%s", err.text);
                return;
        }
        if (judge(v, req, &e, now_ms, &entity, &verdict, &err) < 0) {
                reply_failure(req, &err, "judging a workload");
        } else if (!verdict.trusted && v->workloads->loading) {
                http_answer_retry_after(req, 1000);
                http_answer_problem(req, 503, NULL, "Allow-lists are still being read from the database.");
        } else {
                workloads_note(v->workloads, entity, &verdict);
                reply_json(req, verdict.trusted ? 200 : 403, view_verdict(&e, &verdict, now_ms));
        }
        workload_evidence_done(&e);
}

/* ---- lists ---- */

static int set_list(json_t *j, const struct workload_set *set)
{
        int r = 0;

        r |= json_set_str(j, "name", set->list.id);
        r |= json_set_str(j, "technology", set->list.technology);
        r |= json_set_int(j, "count", (int64_t)workload_list_count(&set->list));
        r |= json_set_bool(j, "ready", set->ready);
        r |= view_time(j, "updated_at", set->updated_at_ms);
        return r;
}

static json_t *view_lists(const struct workloads *w)
{
        AUTO(json_free_p) json_t *j = json_object();
        json_t *lists = json_array();
        size_t pos = 0;
        void *set;
        int r = json_object_set_new(j, "lists", lists);

        r |= json_set_str(j, "schema", "avow.workloads/1");
        while (r == 0 && map_next(&w->lists, &pos, NULL, &set)) {
                json_t *one = json_object();

                r |= json_array_append_new(lists, one);
                r |= one ? set_list(one, set) : -1;
        }
        r |= json_set_int(j, "entities", (int64_t)map_count(&w->entities));
        r |= json_set_bool(j, "loading", w->loading);
        return r ? NULL : TAKE(j);
}

static void on_lists(struct http_request *req, void *ctx)
{
        reply_json(req, 200, view_lists(((struct verifier *)ctx)->workloads));
}

/* The list in the path; else answers. */
static struct workload_set *list_of(struct verifier *v, struct http_request *req)
{
        struct workload_set *set = map_get(&v->workloads->lists, http_request_param(req, "name"));

        if (!set && v->workloads->loading) {
                http_answer_retry_after(req, 1000);
                http_answer_problem(req, 503, NULL, "Allow-lists are still being read from the database.");
        } else if (!set) {
                http_answer_problem(req, 404, NULL, "There is no allow-list of this name.");
        }
        return set;
}

static void on_list(struct http_request *req, void *ctx)
{
        const struct workload_set *set = list_of(ctx, req);
        AUTO(json_free_p) json_t *j = NULL;
        int64_t offset, limit;
        int r = 0;

        if (!set || !reply_query_int(req, "offset", 0, WORKLOAD_LIST_MAX, 0, &offset) ||
            !reply_query_int(req, "limit", 1, WORKLOADS_PAGE_MAX, WORKLOADS_PAGE_MAX, &limit))
                return;
        j = json_object();
        r |= json_set_str(j, "schema", "avow.workload-list/1");
        r |= j ? set_list(j, set) : -1;
        r |= json_object_set_new(j, "digests", workloads_digests(set, offset, limit, true));
        reply_json(req, 200, r ? NULL : TAKE(j));
}

static void answer_list(struct workload_change *c, enum store_outcome outcome, const struct err *err)
{
        AUTO(json_free_p) json_t *j = NULL;
        int r = 0;

        if (outcome == STORE_FAILED) {
                reply_failure(c->req, err, "writing an allow-list");
        } else {
                j = json_object();
                r |= json_set_str(j, "schema", "avow.workload-list/1");
                r |= j ? set_list(j, c->set) : -1;
                reply_json(c->req, c->status, r ? NULL : TAKE(j));
        }
        workload_change_free(c);
}

static void on_list_read(struct workload_change *c, const struct err *err)
{
        json_t *j;

        if (err) {
                http_answer_problem(c->req,
                                    err->kind == ERR_FORMAT  ? 400
                                    : err->kind == ERR_LIMIT ? 413
                                                             : 503,
                                    NULL, "%s", err->text);
                workload_change_free(c);
        } else if (reply_dry_run(c->req)) {
                j = json_object();
                if (json_set_bool(j, "dry_run", true) || set_list(j, c->set)) {
                        json_decref(j);
                        j = NULL;
                }
                reply_json(c->req, 200, j);
                workload_change_free(c);
        } else {
                c->status = map_get(&c->w->lists, c->id) ? 200 : 201;
                workload_change_put(c);
        }
}

static void on_put_list(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        const char *name = http_request_param(req, "name");
        struct workload_change *c;

        if (!reply_wants_type(req, WIRE_TYPE_JSON))
                return;
        if (!str_valid_name(name)) {
                http_answer_problem(req, 400, "name", "A list's name is 1 to 64 of A-Z a-z 0-9 _ . -");
                return;
        }
        if (v->workloads->loading) {
                (void)list_of(v, req);
                return;
        }
        c = workload_change_new(v->workloads, req, WORKLOAD_LIST, name);
        if (!c)
                return;
        c->done = answer_list;
        workload_change_read_list(c, workload_list_decode, on_list_read);
}

static void answer_removed(struct workload_change *c, enum store_outcome outcome, const struct err *err)
{
        if (outcome == STORE_FAILED)
                reply_failure(c->req, err, "removing an allow-list");
        else if (outcome == STORE_NOT_FOUND)
                http_answer_problem(c->req, 404, NULL, "There is no allow-list of this name.");
        else
                reply_json(c->req, 200, json_pack("{s:s, s:s}", "schema", "avow.removed/1", "name", c->id));
        workload_change_free(c);
}

static void on_remove_list(struct http_request *req, void *ctx)
{
        struct workload_change *c;

        if (!list_of(ctx, req) || !reply_no_dry_run(req))
                return;
        c = workload_change_new(((struct verifier *)ctx)->workloads, req, WORKLOAD_LIST,
                                http_request_param(req, "name"));
        if (!c)
                return;
        c->done = answer_removed;
        workload_change_remove(c);
}

#define OWNERS     (ROLE_ADMIN | ROLE_POLICY_ADMIN)
#define READERS    (OWNERS | ROLE_TENANT | ROLE_AUDITOR)
#define LIST_BYTES (64u << 20)

static const struct http_route routes[] = {
        {HTTP_POST, "/avow/v1/workloads/challenges", ROLE_PUBLIC, on_challenge, 1024, HTTP_NATIVE, NULL},
        {HTTP_POST, "/avow/v1/workloads", ROLE_PUBLIC, on_evidence, WORKLOAD_EVIDENCE_MAX, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/workloads", READERS, on_lists, 0, HTTP_NATIVE, NULL},
        {HTTP_GET, "/avow/v1/workloads/lists/:name", READERS, on_list, 0, HTTP_NATIVE, NULL},
        {HTTP_PUT, "/avow/v1/workloads/lists/:name", OWNERS, on_put_list, LIST_BYTES, HTTP_NATIVE, NULL},
        {HTTP_DELETE, "/avow/v1/workloads/lists/:name", OWNERS, on_remove_list, 0, HTTP_NATIVE, NULL},
};

int routes_workloads(struct verifier *v, struct err *err)
{
        return v->workloads ? http_server_add_routes(v->server, routes, ARRAY_LEN(routes), v, err) : 0;
}
