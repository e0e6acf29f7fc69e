/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_LAUNCH_PERMIT_PRIVATE_H
#define AVOW_AGENT_LAUNCH_PERMIT_PRIVATE_H

#include "agent/launch_link.h"
#include "agent/launch_permit.h"
#include "wire/launch.h"
#include "wire/permit.h"

/* The insides: launch_permit.c holds the way to a permit, launch_running.c what comes after it. */
enum launch_phase {
        LAUNCH_WAITING, /* for the verifier's word */
        LAUNCH_GRANTED, /* not recorded yet */
        LAUNCH_RUNNING, /* recorded: it may be executed */
};

struct launch_one {
        struct launch_one *next;
        struct launches *of;
        uint32_t id; /* the launcher's */
        enum launch_phase phase;
        struct launch launch;
        struct buf request; /* WAITING: avow.launch-request/1 */
        int64_t until_ms;   /* WAITING, GRANTED: then it is over */
        struct permit permit;
        bool cached;
        struct digest digest, mapped; /* of the descriptor; of the mappings recorded last */
        bool looked_at;               /* its mappings were, and all were of the closure */
        bool opening;                 /* a secret is being unsealed for it */
};

/* A permit that may be used again while no verifier answers. */
struct launch_kept {
        struct buf jws;
        struct permit permit;
        int64_t until_ms; /* monotonic */
};

struct launches {
        struct launches_options o;
        bool attached;
        struct launch_one *all; /* in the order they came */
        size_t n, n_waiting;
        uint32_t asked, number; /* the launch that the verifier is asked about, 0: none; its number there */
        struct launch_kept kept[LAUNCHES_CACHED_MAX];
        size_t n_kept;
        bool away; /* no verifier answers */
        char away_text[ERR_TEXT_BYTES];
        struct buf out;
        void (*flush)(void *ctx); /* sends OUT at once; NULL: none */
        void *flush_ctx;
};

struct launch_one *launches_find(struct launches *l, uint32_t id);
/* Takes ONE out of the list and frees it. */
void launches_drop(struct launches *l, struct launch_one *one);
/* Appends a frame for the launcher. What was in the way of a longer buffer is wiped: it may hold a secret. */
void launches_send(struct launches *l, enum launch_link_type type, uint32_t id, struct view body);
/* Tells the launcher no. TEXT is for people; WHERE and NEXT may be NULL. */
void launches_say_no(struct launches *l, uint32_t id, enum launch_link_why why, const char *text,
                     const char *where, const char *next);

/* launch_running.c: frames about launches that have a permit. Return: as launches_take(). */
int launch_take_record(struct launches *l, const struct launches_host *host, struct launch_one *one,
                       struct view body, int64_t mono_ms, struct err *err) MUST_USE;
int launch_take_mapped(struct launches *l, const struct launches_host *host, struct launch_one *one,
                       struct view body, int64_t mono_ms, struct err *err) MUST_USE;
int launch_take_secret(struct launches *l, const struct launches_host *host, struct launch_one *one,
                       struct view body, int64_t mono_ms, struct err *err) MUST_USE;
int launch_take_ended(struct launches *l, const struct launches_host *host, struct launch_one *one,
                      struct view body, int64_t mono_ms, struct err *err) MUST_USE;

#endif
