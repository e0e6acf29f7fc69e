/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Trust Monitor's interface: entities, attestation technologies and allow-lists for people with a role,
 * and POST /attest_entity for the workloads of those who know no other way. That message has no nonce and
 * names no digest. So a signature counts once: it is remembered, durably, for as long as its certificate
 * lives; and the digest is found by the signature (crypto/ecdsa_find.h), in the whole of every list.
 *
 * Answers have the shapes that clients of that interface know: {"message"} and {"error"}.
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
#include "verifier/workloads.h"

#define USE_AFTER_MS                                                                                         \
        60000 /* after its certificate's end a signature is remembered so long: clocks differ                \
               */

static void PRINTF(3, 4) answer(struct http_request *req, int status, const char *fmt, ...)
{
        AUTO(mem_free_p) char *text = NULL;
        va_list ap;

        va_start(ap, fmt);
        text = str_vfmt(fmt, ap);
        va_end(ap);
        reply_json(req, status, text ? json_pack("{s:s}", status < 400 ? "message" : "error", text) : NULL);
}

/* Bytes that cannot be read, or no memory. */
static void malformed(struct http_request *req, const struct err *err)
{
        answer(req, err->kind == ERR_NOMEM ? 503 : err->kind == ERR_LIMIT ? 413 : 422, "%s", err->text);
}

/* Are all records there? Else answers. */
static bool is_loaded(struct workloads *w, struct http_request *req)
{
        if (!w->loading)
                return true;
        http_answer_retry_after(req, 1000);
        answer(req, 503, "Allow-lists are still being read from the database.");
        return false;
}

static void on_changed(struct workload_change *c, enum store_outcome outcome, const struct err *err)
{
        static const char *const nouns[WORKLOAD_N_RECORDS] = {"whitelist", "entity", "verifier"};
        const char *noun = nouns[c->kind];
        bool put = c->set || c->doc;

        if (outcome == STORE_FAILED)
                reply_failure(c->req, err, "writing a record of workloads");
        else if (outcome == STORE_CONFLICT)
                answer(c->req, 409, "%s %s: it is there already", noun, c->id);
        else if (outcome == STORE_NOT_FOUND)
                answer(c->req, 404, "%s %s: there is none", noun, c->id);
        else
                answer(c->req, 200, "%s %s successfully %s", noun, c->id,
                       !put     ? "deleted"
                       : c->new ? "registered"
                                : "updated");
        workload_change_free(c);
}

static struct workload_change *change(struct verifier *v, struct http_request *req,
                                      enum workload_record_kind kind, const char *id)
{
        struct workload_change *c = workload_change_new(v->workloads, req, kind, id);

        if (c)
                c->done = on_changed;
        return c;
}

/* The record to be shown or removed: by the query, or by a JSON body. Return: false with the answer given. */
static bool wanted(struct http_request *req, const char *query, const char *member, bool needed,
                   char ret[WORKLOAD_ID_MAX + 1])
{
        AUTO(json_free_p) json_t *j = json_object();
        const char *text = http_request_query(req, query);
        struct err err = ERR_INIT;
        int r = 0;

        ret[0] = '\0';
        if (text)
                r = json_set_str(j, member, text) ? err_nomem(&err) : 0;
        else if (http_request_body(req).len > 0) {
                json_decref(j);
                j = NULL;
                r = json_parse(http_request_body(req), WORKLOAD_RECORD_MAX, &j, &err);
        }
        if (r >= 0)
                r = needed ? workload_id_get(j, member, ret, &err) : workload_id_opt(j, member, ret, &err);
        if (r < 0)
                malformed(req, &err);
        return r >= 0;
}

/* ---- entities ---- */

static json_t *view_entity(const struct entity *e)
{
        AUTO(json_free_p) json_t *j = json_copy(e->doc);
        AUTO(json_free_p) json_t *last = NULL;
        int r = json_set_str(j, "state", e->at_ms && e->trusted ? "attesting" : "registered");

        if (e->at_ms) {
                last = json_object();
                r |= json_set_time(last, "at", e->at_ms);
                r |= json_set_bool(last, "trust", e->trusted);
                r |= e->trusted ? json_set_str(last, "digest", e->digest)
                                : json_set_str(last, "reason", e->reason);
                r |= json_object_set(j, "last", last);
        }
        return r ? NULL : TAKE(j);
}

static json_t *view_all(const struct map *map, const char *member, json_t *(*view)(const void *one))
{
        AUTO(json_free_p) json_t *list = json_array();
        size_t pos = 0;
        void *one;

        while (list && map_next(map, &pos, NULL, &one))
                if (json_array_append_new(list, view(one)) < 0)
                        return NULL;
        return list ? json_pack("{s:O}", member, list) : NULL;
}

static json_t *view_any_entity(const void *one)
{
        return view_entity(one);
}

static void on_get_entity(struct http_request *req, void *ctx)
{
        struct workloads *w = ((struct verifier *)ctx)->workloads;
        char id[WORKLOAD_ID_MAX + 1];
        const struct entity *e;

        if (!is_loaded(w, req) || !wanted(req, "entity_uuid", "entity_uuid", false, id))
                return;
        e = map_get(&w->entities, id);
        if (e)
                reply_json(req, 200, view_entity(e));
        else if (id[0])
                answer(req, 404, "entity %s: there is none", id);
        else
                reply_json(req, 200, view_all(&w->entities, "entities", view_any_entity));
}

/* What an entity names must be there: what cannot be attested is not registered. */
static int check_entity(const struct workloads *w, const json_t *doc, struct err *err)
{
        const json_t *list = json_object_get(doc, "att_tech"), *item;
        char id[WORKLOAD_ID_MAX + 1];
        size_t i;
        int r = workload_id_opt(doc, "whitelist_uuid", id, err);

        if (r > 0 && !map_get(&w->lists, id))
                return err_set(err, ERR_FORMAT, 0, "whitelist_uuid: there is no whitelist %s", id);
        json_array_foreach (list, i, item) {
                if (r >= 0 && !adapters_find(&w->adapters, json_string_value(item)))
                        r = err_set(err, ERR_FORMAT, 0,
                                    "att_tech: no adapter is set up for %s (workloads.adapters)",
                                    SHOW(json_string_value(item)));
        }
        return r < 0 ? r : 0;
}

/* Takes DOC. */
static void put_entity(struct verifier *v, struct http_request *req, json_t *taken, const char *id, bool new)
{
        AUTO(json_free_p) json_t *doc = taken;
        struct workload_change *c;
        struct err err = ERR_INIT;

        if (check_entity(v->workloads, doc, &err) < 0) {
                malformed(req, &err);
                return;
        }
        c = change(v, req, WORKLOAD_ENTITY, id);
        if (!c)
                return;
        c->new = new;
        c->doc = TAKE(doc);
        workload_change_put(c);
}

static void on_add_entity(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        json_t *doc = NULL;
        char id[WORKLOAD_ID_MAX + 1];
        struct err err = ERR_INIT;

        if (!is_loaded(v->workloads, req))
                return;
        if (workload_entity_decode(http_request_body(req), true, &doc, &err) < 0 ||
            workload_id_get(doc, "entity_uuid", id, &err) < 0) {
                json_decref(doc);
                malformed(req, &err);
                return;
        }
        put_entity(v, req, doc, id, true);
}

static void on_change_entity(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        AUTO(json_free_p) json_t *doc = NULL;
        AUTO(json_free_p) json_t *merged = NULL;
        const struct entity *e;
        char id[WORKLOAD_ID_MAX + 1];
        struct err err = ERR_INIT;

        if (!is_loaded(v->workloads, req))
                return;
        if (workload_entity_decode(http_request_body(req), false, &doc, &err) < 0 ||
            workload_id_get(doc, "entity_uuid", id, &err) < 0) {
                malformed(req, &err);
                return;
        }
        e = map_get(&v->workloads->entities, id);
        if (!e) {
                answer(req, 404, "entity %s: there is none", id);
                return;
        }
        merged = json_copy(e->doc);
        if (!merged || json_object_update(merged, doc) < 0) {
                answer(req, 503, "out of memory");
                return;
        }
        put_entity(v, req, TAKE(merged), id, false);
}

static void remove_record(struct verifier *v, struct http_request *req, enum workload_record_kind kind,
                          const char *id)
{
        struct workload_change *c = is_loaded(v->workloads, req) ? change(v, req, kind, id) : NULL;

        if (c)
                workload_change_remove(c);
}

static void on_remove_entity(struct http_request *req, void *ctx)
{
        char id[WORKLOAD_ID_MAX + 1];

        if (wanted(req, "entity_uuid", "entity_uuid", true, id))
                remove_record(ctx, req, WORKLOAD_ENTITY, id);
}

/* ---- technologies ---- */

/* att_tech "/" inf_id, by which one is known. */
static int verifier_key(const json_t *doc, char ret[2 * WORKLOAD_ID_MAX + 2], struct err *err)
{
        char technology[WORKLOAD_ID_MAX + 1], infrastructure[WORKLOAD_ID_MAX + 1];
        int r = workload_id_get(doc, "att_tech", technology, err);

        if (r >= 0)
                r = workload_id_get(doc, "inf_id", infrastructure, err);
        if (r >= 0)
                (void)snprintf(ret, 2 * WORKLOAD_ID_MAX + 2, "%s/%s", technology, infrastructure);
        return r;
}

static void on_add_verifier(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        AUTO(json_free_p) json_t *doc = NULL;
        char key[2 * WORKLOAD_ID_MAX + 2];
        struct workload_change *c;
        struct err err = ERR_INIT;

        if (!is_loaded(v->workloads, req))
                return;
        if (workload_verifier_decode(http_request_body(req), &doc, &err) < 0 ||
            verifier_key(doc, key, &err) < 0) {
                malformed(req, &err);
                return;
        }
        c = change(v, req, WORKLOAD_VERIFIER, key);
        if (!c)
                return;
        c->new = true;
        c->doc = TAKE(doc);
        workload_change_put(c);
}

/* The key of the one that is asked for: by query or body. Return: false with the answer given. */
static bool wanted_verifier(struct http_request *req, bool needed, char ret[2 * WORKLOAD_ID_MAX + 2])
{
        AUTO(json_free_p) json_t *j = NULL;
        const char *technology = http_request_query(req, "att_tech"),
                   *inf = http_request_query(req, "inf_id");
        struct err err = ERR_INIT;
        int r = 0;

        ret[0] = '\0';
        if (technology || inf) {
                j = json_object();
                if (json_set_str(j, "att_tech", technology) || json_set_str(j, "inf_id", inf))
                        r = err_nomem(&err);
        } else if (http_request_body(req).len > 0 || needed) {
                r = json_parse(http_request_body(req), WORKLOAD_RECORD_MAX, &j, &err);
        }
        if (r >= 0 && j)
                r = verifier_key(j, ret, &err);
        if (r < 0)
                malformed(req, &err);
        return r >= 0;
}

static json_t *view_verifier(const void *one)
{
        return json_deep_copy(one);
}

static void on_get_verifier(struct http_request *req, void *ctx)
{
        struct workloads *w = ((struct verifier *)ctx)->workloads;
        char key[2 * WORKLOAD_ID_MAX + 2];
        const json_t *doc;

        if (!is_loaded(w, req) || !wanted_verifier(req, false, key))
                return;
        doc = map_get(&w->verifiers, key);
        if (doc)
                reply_json(req, 200, json_deep_copy(doc));
        else if (key[0])
                answer(req, 404, "verifier %s: there is none", key);
        else
                reply_json(req, 200, view_all(&w->verifiers, "verifiers", view_verifier));
}

static void on_remove_verifier(struct http_request *req, void *ctx)
{
        char key[2 * WORKLOAD_ID_MAX + 2];

        if (wanted_verifier(req, true, key))
                remove_record(ctx, req, WORKLOAD_VERIFIER, key);
}

/* ---- allow-lists ---- */

static json_t *view_whitelist(const struct workload_set *set, int64_t offset, int64_t limit)
{
        const struct workload_list *l = &set->list;

        return json_pack("{s:s, s:{s:s, s:s}, s:{s:o}, s:I, s:b}", "_id", l->id, "metadata", "att_tech",
                         l->technology, "hash_algo", l->digests[WORKLOAD_SHA384].len ? "sha384" : "sha256",
                         "whitelist", "wasm_hashes_list", workloads_digests(set, offset, limit, false),
                         "count", (json_int_t)workload_list_count(l), "ready", set->ready);
}

static json_t *view_list_id(const void *one)
{
        return json_string(((const struct workload_set *)one)->list.id);
}

static void on_get_whitelist(struct http_request *req, void *ctx)
{
        struct workloads *w = ((struct verifier *)ctx)->workloads;
        char id[WORKLOAD_ID_MAX + 1];
        const struct workload_set *set;
        int64_t offset, limit;

        if (!is_loaded(w, req) || !wanted(req, "whitelist_uuid", "_id", false, id) ||
            !reply_query_int(req, "offset", 0, WORKLOAD_LIST_MAX, 0, &offset) ||
            !reply_query_int(req, "limit", 1, WORKLOADS_PAGE_MAX, WORKLOADS_PAGE_MAX, &limit))
                return;
        set = map_get(&w->lists, id);
        if (set)
                reply_json(req, 200, view_whitelist(set, offset, limit));
        else if (id[0])
                answer(req, 404, "whitelist %s: there is none", id);
        else
                reply_json(req, 200, view_all(&w->lists, "whitelists", view_list_id));
}

static void on_whitelist_read(struct workload_change *c, const struct err *err)
{
        char *id = err ? NULL : str_dup(c->set->list.id);

        if (err || !id) {
                if (err)
                        malformed(c->req, err);
                else
                        answer(c->req, 503, "out of memory");
                workload_change_free(c);
                return;
        }
        free(c->id);
        c->id = id;
        workload_change_put(c);
}

static void on_add_whitelist(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct workload_change *c = is_loaded(v->workloads, req) ? change(v, req, WORKLOAD_LIST, "") : NULL;

        if (!c)
                return;
        c->new = true;
        workload_change_read_list(c, workload_whitelist_decode, on_whitelist_read);
}

static void on_remove_whitelist(struct http_request *req, void *ctx)
{
        char id[WORKLOAD_ID_MAX + 1];

        if (wanted(req, "whitelist_uuid", "_id", true, id))
                remove_record(ctx, req, WORKLOAD_LIST, id);
}

/* ---- attesting ---- */

/* A trusted workload whose signature is being remembered. */
struct attesting {
        struct verifier *v;
        struct http_request *req;
        char entity[WORKLOAD_ID_MAX + 1];
        struct workload_verdict verdict;
};

static void on_used(void *ctx, enum store_outcome outcome, const struct err *err)
{
        AUTO(mem_free_p) struct attesting *a = ctx;
        struct workloads *w = a->v->workloads;
        char hex[2 * DIGEST_BYTES_MAX + 1];

        if (outcome == STORE_FAILED) {
                reply_failure(a->req, err, "remembering a signature");
                return;
        }
        if (outcome != STORE_OK)
                workloads_refuse(&a->verdict, "replayed", "This signature was used before: sign again.");
        workloads_note(w, map_get(&w->entities, a->entity), &a->verdict);
        if (a->verdict.trusted)
                answer(a->req, 200, "trusted: %s", hex_write(hex, digest_view(&a->verdict.digest)));
        else
                answer(a->req, 400, "%s", a->verdict.detail);
}

static void remember(struct attesting *taken, struct view signature, int64_t now_ms)
{
        AUTO(mem_free_p) struct attesting *a = taken;
        struct digest use;
        struct err err = ERR_INIT;
        int r = workload_use(&a->verdict, signature, &use, &err);

        if (r >= 0)
                r = verifier_db_workload_use(a->v->db, digest_view(&use), a->verdict.until_ms + USE_AFTER_MS,
                                             now_ms, on_used, a, &err);
        if (r < 0)
                reply_failure(a->req, &err, "remembering a signature");
        else
                (void)TAKE(a);
}

static int judge(struct attesting *a, const char *entity_uuid, const struct workload_body *body,
                 int64_t now_ms, struct err *err)
{
        struct workloads *w = a->v->workloads;
        AUTO(mem_free_p) struct workload_set **sets = NULL;
        struct workload_question q = {.adapters = &w->adapters,
                                      .known = w->known,
                                      .certs = {body->certificate},
                                      .n_certs = 1,
                                      .signature = body->signature,
                                      .now_ms = now_ms,
                                      .max_age_ms = conf_int(a->v->settings.conf, "workloads.max_age")};
        struct entity *entity = NULL;

        sets = entity_uuid ? workloads_sets_of(w, entity_uuid, &q.n_sets, &entity, &a->verdict)
                           : workloads_sets(w, &q.n_sets);
        if (!sets)
                return err_nomem(err);
        if (entity)
                (void)snprintf(a->entity, sizeof(a->entity), "%s", entity_uuid);
        q.sets = sets;
        return a->verdict.reason ? 0 : workload_judge_monitor(&q, &a->verdict, err);
}

static void on_attest(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct workload_body body;
        int64_t now_ms = clock_now_ms();
        AUTO(mem_free_p) struct attesting *a = NULL;
        struct err err = ERR_INIT;

        if (!workloads_allow(v->workloads, req))
                return;
        if (workload_body_decode(http_request_body(req), &body, &err) < 0) {
                answer(req, 400, "%s", err.text);
                return;
        }
        a = mem_zalloc(1, sizeof(*a));
        if (!a) {
                answer(req, 503, "out of memory");
                return;
        }
        a->v = v;
        a->req = req;
        if (judge(a, http_request_query(req, "entity_uuid"), &body, now_ms, &err) < 0) {
                reply_failure(req, &err, "judging a workload");
        } else if (a->verdict.trusted) {
                remember(TAKE(a), body.signature, now_ms);
        } else if (a->verdict.undecided || v->workloads->loading) {
                http_answer_retry_after(req, 1000);
                answer(req, 503, "an allow-list is being made ready: come again");
        } else {
                workloads_note(v->workloads, map_get(&v->workloads->entities, a->entity), &a->verdict);
                answer(req, 400, "%s", a->verdict.detail);
        }
}

/* ---- status ---- */

static void on_status(struct http_request *req, void *ctx)
{
        struct workloads *w = ((struct verifier *)ctx)->workloads;
        AUTO(json_free_p) json_t *adapters = json_array();
        AUTO(json_free_p) json_t *processes = json_array();
        struct view id;
        size_t pos = 0;
        void *e;
        int r = 0;

        for (size_t i = 0; i < w->adapters.n; i++)
                r |= json_array_append_new(adapters, json_string(w->adapters.v[i].ops->name));
        /* which entities there are is nobody's business who has no role */
        while (http_request_peer(req)->roles && r == 0 && map_next(&w->entities, &pos, &id, &e))
                if (((const struct entity *)e)->trusted)
                        r |= json_array_append_new(processes,
                                                   json_pack("{s:s}", "entity_uuid", (const char *)id.p));
        reply_json(req, 200,
                   r ? NULL
                     : json_pack("{s:O, s:O}", "adapters_loaded", adapters, "att_processes", processes));
}

#define OWNERS     (ROLE_ADMIN | ROLE_POLICY_ADMIN)
#define READERS    (OWNERS | ROLE_TENANT | ROLE_AUDITOR)
#define LIST_BYTES (64u << 20)
#define SMALL      WORKLOAD_RECORD_MAX

static const struct http_route routes[] = {
        {HTTP_GET, "/entity", READERS, on_get_entity, SMALL, HTTP_NATIVE, NULL},
        {HTTP_POST, "/entity", OWNERS, on_add_entity, SMALL, HTTP_NATIVE, NULL},
        {HTTP_PUT, "/entity", OWNERS, on_change_entity, SMALL, HTTP_NATIVE, NULL},
        {HTTP_DELETE, "/entity", OWNERS, on_remove_entity, SMALL, HTTP_NATIVE, NULL},
        {HTTP_GET, "/verifier", READERS, on_get_verifier, SMALL, HTTP_NATIVE, NULL},
        {HTTP_POST, "/verifier", OWNERS, on_add_verifier, SMALL, HTTP_NATIVE, NULL},
        {HTTP_DELETE, "/verifier", OWNERS, on_remove_verifier, SMALL, HTTP_NATIVE, NULL},
        {HTTP_GET, "/whitelist", READERS, on_get_whitelist, SMALL, HTTP_NATIVE, NULL},
        {HTTP_POST, "/whitelist", OWNERS, on_add_whitelist, LIST_BYTES, HTTP_NATIVE, NULL},
        {HTTP_DELETE, "/whitelist", OWNERS, on_remove_whitelist, SMALL, HTTP_NATIVE, NULL},
        {HTTP_POST, "/attest_entity", ROLE_PUBLIC, on_attest, WORKLOAD_BODY_MAX, HTTP_NATIVE, NULL},
        {HTTP_GET, "/status", ROLE_PUBLIC, on_status, 0, HTTP_NATIVE, NULL},
};

int routes_monitor(struct verifier *v, struct err *err)
{
        return v->workloads && str_equal(conf_str(v->settings.conf, "workloads.compat"), "trust-monitor")
                       ? http_server_add_routes(v->server, routes, ARRAY_LEN(routes), v, err)
                       : 0;
}
