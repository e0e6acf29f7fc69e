/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The workload service: what it knows, and how that changes. A change is in force when the database has it.
 * Lists are read and indexed on a thread of their own, one after another, so that neither the loop nor the
 * judging of measurement lists waits for half a million digests; until a list's index is there, a look-up
 * that would need it says "come again".
 */
#include "verifier/workloads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "verifier/reply.h"

#define LISTS_AT_ONCE_BYTES (512u << 20) /* of bodies that wait to be read */

static const char *const record_names[WORKLOAD_N_RECORDS] = {"list", "entity", "verifier"};

const char *workload_record_name(enum workload_record_kind kind)
{
        return record_names[kind];
}

static void set_free(void *p)
{
        workload_set_unref(p);
}

static void entity_free(void *p)
{
        struct entity *e = p;

        json_decref(e->doc);
        free(e);
}

static void doc_free(void *p)
{
        json_decref(p);
}

/* ---- long lists: their indexes ---- */

struct indexing {
        struct workloads *w;
        struct workload_set *set; /* a reference */
        struct ecdsa_index *index[WORKLOAD_N_KINDS];
        struct err err;
};

static void run_index(void *ctx)
{
        struct indexing *x = ctx;

        (void)!workload_set_index(x->set, &x->w->stop, x->index, &x->err); /* the error says it */
}

static void index_done(void *ctx, bool ran)
{
        AUTO(mem_free_p) struct indexing *x = ctx;

        if (ran && !x->err.kind) {
                memcpy(x->set->index, x->index, sizeof(x->set->index));
                x->set->ready = true;
                log_info("allow-list %s is ready: %zu digests", SHOW(x->set->list.id),
                         workload_list_count(&x->set->list));
        } else if (!x->w->stop) {
                log_err(&x->err, "allow-list %s cannot be indexed", SHOW(x->set->list.id));
        }
        workload_set_unref(x->set);
}

static void start_indexing(struct workloads *w, struct workload_set *set)
{
        AUTO(mem_free_p) struct indexing *x = mem_zalloc(1, sizeof(*x));
        struct err err = ERR_INIT;

        if (set->ready)
                return;
        if (!x) {
                (void)err_nomem(&err);
        } else {
                *x = (struct indexing){.w = w, .set = set};
                if (workers_do(w->workers, 1, run_index, index_done, x, &err) >= 0) {
                        (void)workload_set_ref(set);
                        (void)TAKE(x);
                        return;
                }
        }
        log_err(&err, "allow-list %s cannot be indexed", SHOW(set->list.id));
}

/* ---- what is in force ---- */

static int apply_list(struct workloads *w, const char *id, struct workload_set *set, struct err *err)
{
        if (map_put(&w->lists, id, workload_set_ref(set)) < 0) {
                workload_set_unref(set);
                return err_nomem(err);
        }
        start_indexing(w, set);
        return 0;
}

static int apply_record(struct workloads *w, enum workload_record_kind kind, const char *id, json_t *doc,
                        struct err *err)
{
        struct entity *e;

        if (kind == WORKLOAD_VERIFIER) {
                if (map_put(&w->verifiers, id, json_incref(doc)) == 0)
                        return 0;
                json_decref(doc);
                return err_nomem(err);
        }
        e = mem_zalloc(1, sizeof(*e));
        if (!e)
                return err_nomem(err);
        e->doc = json_incref(doc);
        if (map_put(&w->entities, id, e) == 0)
                return 0;
        entity_free(e);
        return err_nomem(err);
}

static struct map *map_of(struct workloads *w, enum workload_record_kind kind)
{
        return kind == WORKLOAD_LIST ? &w->lists : kind == WORKLOAD_ENTITY ? &w->entities : &w->verifiers;
}

/* ---- changes ---- */

struct workload_change *workload_change_new(struct workloads *w, struct http_request *req,
                                            enum workload_record_kind kind, const char *id)
{
        AUTO(workload_change_free_p) struct workload_change *c = mem_zalloc(1, sizeof(*c));
        struct buf actor = {0};

        if (c) {
                *c = (struct workload_change){.w = w, .req = req, .kind = kind, .id = str_dup(id)};
                reply_actor(req, &actor);
                c->actor = buf_take_str(&actor);
        }
        if (c && c->id && c->actor)
                return TAKE(c);
        http_answer_problem(req, 503, NULL, "Out of memory.");
        return NULL;
}

void workload_change_free(struct workload_change *c)
{
        if (!c)
                return;
        free(c->id);
        free(c->actor);
        free(c->detail);
        workload_set_unref(c->set);
        json_decref(c->doc);
        buf_free(&c->bytes);
        free(c);
}

static void on_put(void *ctx, enum store_outcome outcome, const struct err *store_err)
{
        struct workload_change *c = ctx;
        struct err err = ERR_INIT;
        int r = 0;

        if (outcome == STORE_OK)
                r = c->set ? apply_list(c->w, c->id, c->set, &err)
                           : apply_record(c->w, c->kind, c->id, c->doc, &err);
        if (r < 0) {
                c->done(c, STORE_FAILED, &err);
                return;
        }
        if (outcome == STORE_OK)
                log_info("workloads: %s %s was written", record_names[c->kind], SHOW(c->id));
        c->done(c, outcome, store_err);
}

static void on_removed(void *ctx, enum store_outcome outcome, const struct err *err)
{
        struct workload_change *c = ctx;

        if (outcome == STORE_OK) {
                (void)map_remove(map_of(c->w, c->kind), c->id);
                log_info("workloads: %s %s was removed", record_names[c->kind], SHOW(c->id));
        }
        c->done(c, outcome, err);
}

static struct audit_entry entry_of(const struct workload_change *c, char action[static 32], const char *verb)
{
        (void)snprintf(action, 32, "workload.%s.%s", record_names[c->kind], verb);
        return (struct audit_entry){.time_ms = clock_now_ms(),
                                    .actor = c->actor,
                                    .action = action,
                                    .object = c->id,
                                    .detail = c->detail};
}

static int pack(struct workload_change *c, struct err *err)
{
        AUTO(mem_free_p) char *text = NULL;
        struct digest d;
        char hex[2 * DIGEST_BYTES_MAX + 1];
        int r;

        if (c->set) {
                r = workload_list_pack(&c->set->list, &c->bytes, err);
        } else {
                text = json_print(c->doc);
                if (text)
                        buf_str(&c->bytes, text);
                r = text && buf_ok(&c->bytes) ? 0 : err_nomem(err);
        }
        if (r >= 0)
                r = digest_bytes(DIGEST_SHA256, VIEW_BUF(&c->bytes), &d, err);
        if (r < 0)
                return r;
        c->detail = str_fmt("{\"sha256\":\"%s\",\"digests\":%zu}", hex_write(hex, digest_view(&d)),
                            c->set ? workload_list_count(&c->set->list) : 0);
        return c->detail ? 0 : err_nomem(err);
}

void workload_change_put(struct workload_change *taken)
{
        AUTO(workload_change_free_p) struct workload_change *c = taken;
        struct workload_record record;
        struct audit_entry entry;
        struct err err = ERR_INIT;
        char action[32];
        int r = pack(c, &err);

        entry = entry_of(c, action, "put");
        record = (struct workload_record){.kind = (char *)(uintptr_t)record_names[c->kind],
                                          .id = c->id,
                                          .bytes = c->bytes,
                                          .updated_at_ms = entry.time_ms};
        if (c->set)
                c->set->updated_at_ms = entry.time_ms;
        if (r >= 0)
                r = verifier_db_workload_put(c->w->v->db, NULL, &record, c->new, &entry, on_put, c, &err);
        if (r < 0)
                reply_failure(c->req, &err, "writing a record of workloads");
        else
                (void)TAKE(c);
}

void workload_change_remove(struct workload_change *taken)
{
        AUTO(workload_change_free_p) struct workload_change *c = taken;
        char action[32];
        struct audit_entry entry = entry_of(c, action, "remove");
        struct err err = ERR_INIT;

        if (verifier_db_workload_remove(c->w->v->db, NULL, record_names[c->kind], c->id, &entry, on_removed,
                                        c, &err) < 0)
                reply_failure(c->req, &err, "removing a record of workloads");
        else
                (void)TAKE(c);
}

/* ---- reading lists ---- */

struct reading {
        struct workload_change *c;
        workload_read_fn read;
        void (*done)(struct workload_change *c, const struct err *err);
        struct view body;
        struct workload_set *set;
        struct err err;
};

static void run_read(void *ctx)
{
        struct reading *x = ctx;
        struct workload_list list = {.id = ""};

        if (x->read(x->body, &list, &x->err) < 0)
                return;
        if (x->c->id[0]) /* the request's, not the body's */
                (void)snprintf(list.id, sizeof(list.id), "%s", x->c->id);
        (void)!workload_set_new(&list, &x->c->w->stop, &x->set, &x->err); /* the error says it */
}

static void read_done(void *ctx, bool ran)
{
        AUTO(mem_free_p) struct reading *x = ctx;

        if (!ran && !x->err.kind)
                (void)err_set(&x->err, ERR_LIMIT, 0, "the verifier is ending");
        x->c->set = x->set;
        x->done(x->c, x->err.kind ? &x->err : NULL);
}

void workload_change_read_list(struct workload_change *c, workload_read_fn read,
                               void (*done)(struct workload_change *c, const struct err *err))
{
        AUTO(mem_free_p) struct reading *x = mem_zalloc(1, sizeof(*x));
        struct err err = ERR_INIT;
        int r;

        if (!x) {
                r = err_nomem(&err);
        } else {
                *x = (struct reading){.c = c, .read = read, .done = done, .body = http_request_body(c->req)};
                r = workers_do(c->w->workers, x->body.len, run_read, read_done, x, &err);
        }
        if (r >= 0) {
                (void)TAKE(x);
                return;
        }
        http_answer_retry_after(c->req, 1000);
        http_answer_problem(c->req, 503, NULL, "%s",
                            r == -ERR_LIMIT ? "Other lists are being read." : "Out of memory.");
        workload_change_free(c);
}

/* ---- start ---- */

/* A list from the database on its way into force. */
struct loading {
        struct workloads *w;
        struct workload_record record;
        struct workload_set *set;
        struct err err;
};

static void next_list(struct workloads *w);

static void run_load(void *ctx)
{
        struct loading *x = ctx;
        struct workload_list list = {.id = ""};

        if (workload_list_unpack(VIEW_BUF(&x->record.bytes), &list, &x->err) < 0)
                return;
        (void)snprintf(list.id, sizeof(list.id), "%s", x->record.id);
        (void)!workload_set_new(&list, &x->w->stop, &x->set, &x->err); /* the error says it */
}

static void loading_free(void *p)
{
        struct loading *x = p;

        free(x->record.kind);
        free(x->record.id);
        buf_free(&x->record.bytes);
        workload_set_unref(x->set);
        free(x);
}

static void load_done(void *ctx, bool ran)
{
        struct loading *x = ctx;
        struct workloads *w = x->w;

        if (ran && !x->err.kind) {
                x->set->updated_at_ms = x->record.updated_at_ms;
                (void)!apply_list(w, x->record.id, x->set, &x->err); /* the error says it */
        }
        if (x->err.kind)
                log_err(&x->err, "allow-list %s cannot be used", SHOW(x->record.id));
        loading_free(x);
        if (ran && !w->stop)
                next_list(w);
}

static void next_list(struct workloads *w)
{
        struct err err = ERR_INIT;
        struct loading *x;
        struct view key;
        size_t pos = 0;
        void *found;

        while (map_next(&w->waiting, &pos, &key, &found)) {
                x = map_take_bytes(&w->waiting, key);
                if (workers_do(w->workers, x->record.bytes.len, run_load, load_done, x, &err) >= 0)
                        return;
                log_err(&err, "allow-list %s cannot be used", SHOW(x->record.id));
                loading_free(x);
                pos = 0;
        }
        w->loading = false;
        log_info("workloads: %zu allow-lists, %zu entities", map_count(&w->lists), map_count(&w->entities));
}

static int take_record(struct workloads *w, struct workload_record *r, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        struct loading *x;

        if (!str_equal(r->kind, record_names[WORKLOAD_LIST])) {
                int n = json_parse(VIEW_BUF(&r->bytes), WORKLOAD_RECORD_MAX, &doc, err);

                return n < 0 ? n
                             : apply_record(w,
                                            str_equal(r->kind, record_names[WORKLOAD_ENTITY])
                                                    ? WORKLOAD_ENTITY
                                                    : WORKLOAD_VERIFIER,
                                            r->id, doc, err);
        }
        x = mem_zalloc(1, sizeof(*x));
        if (!x || map_put(&w->waiting, r->id, x) < 0) {
                free(x);
                return err_nomem(err);
        }
        x->w = w;
        x->record = *r;
        *r = (struct workload_record){.kind = NULL};
        return 0;
}

static void on_records(void *ctx, enum store_outcome outcome, struct workload_record *records, size_t n,
                       const struct err *e)
{
        struct workloads *w = ctx;

        if (outcome == STORE_FAILED) { /* stays loading: nothing is trusted, nothing refused for good */
                log_err(e, "reading the records of workloads");
                return;
        }
        for (size_t i = 0; i < n; i++) {
                struct err err = ERR_INIT;

                if (take_record(w, &records[i], &err) < 0)
                        log_err(&err, "a record of workloads cannot be used");
        }
        if (!w->stop)
                next_list(w);
}

int workloads_start(struct verifier *v, struct workloads **ret, struct err *err)
{
        struct workloads *w;
        int r;

        if (!conf_bool(v->settings.conf, "workloads.enabled"))
                return 0;
        w = mem_zalloc(1, sizeof(*w));
        if (!w)
                return err_nomem(err);
        *ret = w; /* freed with the rest */
        w->v = v;
        w->loading = true;
        map_init(&w->lists, set_free);
        map_init(&w->entities, entity_free);
        map_init(&w->verifiers, doc_free);
        map_init(&w->waiting, loading_free);
        r = adapters_load(v->settings.conf, &w->adapters, err);
        if (r >= 0)
                r = workload_certs_new(&w->known, err);
        if (r >= 0)
                r = sessions_new(&w->challenges, err);
        if (r >= 0)
                r = workers_new(v->loop, 1, LISTS_AT_ONCE_BYTES, &w->workers, err);
        if (r >= 0)
                r = verifier_db_workloads(v->db, NULL, on_records, w, err);
        return r;
}

void workloads_use(struct workloads *w, struct adapters *adapters)
{
        if (w) {
                struct adapters old = w->adapters;

                workload_certs_forget(w->known);
                w->adapters = *adapters;
                *adapters = old;
        }
        adapters_done(adapters);
}

void workloads_stop(struct workloads *w)
{
        if (!w)
                return;
        __atomic_store_n(&w->stop, true, __ATOMIC_RELAXED);
        workers_free(w->workers);
        w->workers = NULL;
}

void workloads_free(struct workloads *w)
{
        if (!w)
                return;
        map_done(&w->waiting);
        map_done(&w->lists);
        map_done(&w->entities);
        map_done(&w->verifiers);
        sessions_free(w->challenges);
        workload_certs_free(w->known);
        adapters_done(&w->adapters);
        free(w);
}

void workloads_sweep(struct workloads *w, int64_t now_ms)
{
        if (w)
                sessions_sweep(w->challenges, now_ms);
}

/* ---- for the routes ---- */

bool workloads_allow(struct workloads *w, struct http_request *req)
{
        int64_t wait_ms = 0;

        if (sessions_allow(w->challenges, http_request_peer(req)->source,
                           conf_int(w->v->settings.conf, "workloads.per_minute"), loop_now_ms(), &wait_ms))
                return true;
        metric_inc(w->v->counters.workloads_limited);
        http_answer_retry_after(req, wait_ms);
        http_answer_problem(req, 429, NULL, "Too many requests from this address (workloads.per_minute).");
        return false;
}

struct workload_set **workloads_sets(const struct workloads *w, size_t *ret_n)
{
        struct workload_set **sets = mem_zalloc(map_count(&w->lists) + 1, sizeof(struct workload_set *));
        size_t pos = 0, n = 0;
        void *set;

        while (sets && map_next(&w->lists, &pos, NULL, &set))
                sets[n++] = set;
        *ret_n = n;
        return sets;
}

void workloads_refuse(struct workload_verdict *verdict, const char *reason, const char *detail)
{
        *verdict = (struct workload_verdict){.reason = reason};
        (void)snprintf(verdict->detail, sizeof(verdict->detail), "%s", detail);
}

/* Does the entity declare a technology of the adapter that SET is for? */
static bool declares(const struct workloads *w, const struct entity *e, const struct workload_set *set)
{
        const struct adapter *a = adapters_find(&w->adapters, set->list.technology);
        const json_t *list = json_object_get(e->doc, "att_tech"), *item;
        size_t i;

        json_array_foreach (list, i, item) {
                if (a && adapters_find(&w->adapters, json_string_value(item)) == a)
                        return true;
        }
        return false;
}

struct workload_set **workloads_sets_of(const struct workloads *w, const char *entity_uuid, size_t *ret_n,
                                        struct entity **ret_entity, struct workload_verdict *verdict)
{
        struct workload_set **sets = mem_zalloc(1, sizeof(struct workload_set *));
        struct entity *e = map_get(&w->entities, entity_uuid);
        char id[WORKLOAD_ID_MAX + 1] = "";
        struct err ignored = ERR_INIT;
        struct workload_set *set;

        *ret_n = 0;
        *ret_entity = e;
        if (!sets)
                return NULL;
        if (e)
                (void)!workload_id_opt(e->doc, "whitelist_uuid", id, &ignored); /* was checked when it came */
        set = map_get(&w->lists, id);
        if (!e)
                workloads_refuse(verdict, "entity-unknown", "No entity of this entity_uuid is registered.");
        else if (!set)
                workloads_refuse(verdict, "no-list",
                                 "The entity names no allow-list that is there (whitelist_uuid).");
        else if (!declares(w, e, set))
                workloads_refuse(verdict, "technology-not-declared",
                                 "The entity's att_tech names no technology of its allow-list's kind.");
        else
                sets[(*ret_n)++] = set;
        return sets;
}

json_t *workloads_digests(const struct workload_set *set, int64_t offset, int64_t limit, bool named)
{
        AUTO(json_free_p) json_t *list = json_array();

        for (size_t k = 0; list && k < WORKLOAD_N_KINDS; k++) {
                enum digest_alg alg = workload_kind_alg((enum workload_kind)k);
                size_t size = digest_size(alg);

                for (size_t at = 0; at < set->list.digests[k].len && limit > 0; at += size) {
                        char text[8 + 2 * DIGEST_BYTES_MAX];
                        int n;

                        if (offset-- > 0)
                                continue;
                        limit--;
                        n = named ? snprintf(text, sizeof(text), "%s:", digest_name(alg)) : 0;
                        (void)hex_write(text + n, VIEW(set->list.digests[k].p + at, size));
                        if (json_array_append_new(list, json_string(text)) < 0)
                                return NULL;
                }
        }
        return list ? TAKE(list) : NULL;
}

void workloads_note(struct workloads *w, struct entity *entity, const struct workload_verdict *v)
{
        metric_inc(v->trusted ? w->v->counters.workloads_trusted : w->v->counters.workloads_refused);
        if (!entity)
                return;
        entity->at_ms = clock_now_ms();
        entity->trusted = v->trusted;
        (void)snprintf(entity->reason, sizeof(entity->reason), "%s", v->trusted ? "" : v->reason);
        (void)hex_write(entity->digest, v->trusted ? digest_view(&v->digest) : VIEW_NONE);
}
