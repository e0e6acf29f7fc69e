/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_WORKLOADS_H
#define AVOW_VERIFIER_WORKLOADS_H

#include <jansson.h>

#include "base/map.h"
#include "store/verifier_workloads.h"
#include "verifier/sessions.h"
#include "verifier/verifier.h"
#include "verifier/workload_judge.h"

/*
 * The workload service's state: allow-lists, entities and technologies as the database has them, challenges,
 * and a thread for what takes long (reading and indexing lists). Everything else is on the loop.
 */
enum workload_record_kind { WORKLOAD_LIST, WORKLOAD_ENTITY, WORKLOAD_VERIFIER, WORKLOAD_N_RECORDS };
const char *workload_record_name(enum workload_record_kind kind);

/* An entity of the Trust Monitor's interface, and what it showed last (in memory alone). */
struct entity {
        json_t *doc;
        int64_t at_ms; /* 0: nothing yet */
        bool trusted;
        char reason[32]; /* "" if trusted */
        char digest[2 * DIGEST_BYTES_MAX + 1];
};

struct workloads {
        struct verifier *v;
        struct adapters adapters;
        struct workload_certs *known;
        struct sessions *challenges; /* and how often each source came */
        struct workers *workers;
        struct map lists;     /* by id: struct workload_set */
        struct map entities;  /* by entity_uuid: struct entity */
        struct map verifiers; /* by att_tech "/" inf_id: json_t */
        struct map waiting;   /* records that were read and are not in use yet, while starting */
        bool loading, stop;
};

/* Makes it (and starts reading the database) if the configuration asks for it; else *RET stays NULL. */
int workloads_start(struct verifier *v, struct workloads **ret, struct err *err) MUST_USE;
/* Takes over what a reload has read. W may be NULL. */
void workloads_use(struct workloads *w, struct adapters *adapters);
/* Waits for the thread. Before the database is closed. */
void workloads_stop(struct workloads *w);
void workloads_free(struct workloads *w);
/* Forgets what has ended: with each sweep. NULL is fine. */
void workloads_sweep(struct workloads *w, int64_t now_ms);

/* One change of a record on its way to the database. Zero but for what is said. */
struct workload_change {
        struct workloads *w;
        struct http_request *req;
        enum workload_record_kind kind;
        char *id;
        bool new;                 /* it must not be there yet */
        struct workload_set *set; /* of a list: what it becomes */
        json_t *doc;              /* of the others */
        int status;               /* of the answer */
        void (*done)(struct workload_change *c, enum store_outcome outcome, const struct err *err);
        /* its own */
        char *actor, *detail;
        struct buf bytes; /* packed */
};
/* Return: NULL: no memory, answered. */
struct workload_change *workload_change_new(struct workloads *w, struct http_request *req,
                                            enum workload_record_kind kind, const char *id);
void workload_change_free(struct workload_change *c);
DEFINE_AUTO(struct workload_change, workload_change_free)
/* Writes it and puts it in force, then calls c->done, which owns it. Takes C. A failure to begin is answered.
 */
void workload_change_put(struct workload_change *c);
void workload_change_remove(struct workload_change *c);

/*
 * Reads a list out of the request's body away from the loop, then calls DONE(c, err) with c->set or an error,
 * which is one of the body's or of ours. Takes C.
 */
typedef int (*workload_read_fn)(struct view body, struct workload_list *ret, struct err *err);
void workload_change_read_list(struct workload_change *c, workload_read_fn read,
                               void (*done)(struct workload_change *c, const struct err *err));

/* May this request go on, by its source's rate? Else answers 429. */
bool workloads_allow(struct workloads *w, struct http_request *req);
/* All lists, borrowed; free() the array. Return: NULL: no memory. */
struct workload_set **workloads_sets(const struct workloads *w, size_t *ret_n);
/*
 * The list of the entity of that id; free() the array. Without one, or with one that is not for the entity's
 * technologies, VERDICT is filled and the array empty. Return: NULL: no memory.
 */
struct workload_set **workloads_sets_of(const struct workloads *w, const char *entity_uuid, size_t *ret_n,
                                        struct entity **ret_entity, struct workload_verdict *verdict);
void workloads_refuse(struct workload_verdict *verdict, const char *reason, const char *detail);
/* At most LIMIT digests from the OFFSETth on, those of one kind and then those of the other; NAMED: with
 * their algorithm in front. NULL: no memory. */
#define WORKLOADS_PAGE_MAX 65536
json_t *workloads_digests(const struct workload_set *set, int64_t offset, int64_t limit, bool named);
/* Notes what an entity showed, counts it. ENTITY may be NULL. */
void workloads_note(struct workloads *w, struct entity *entity, const struct workload_verdict *v);

int routes_workloads(struct verifier *v, struct err *err) MUST_USE;
int routes_monitor(struct verifier *v, struct err *err) MUST_USE;

#endif
