/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_VERIFIER_H
#define AVOW_VERIFIER_VERIFIER_H

#include "crypto/tls.h"
#include "http/client.h"
#include "http/loop.h"
#include "http/ops.h"
#include "http/server.h"
#include "http/workers.h"
#include "store/audit.h"
#include "verifier/events.h"
#include "verifier/fuse.h"
#include "verifier/hosts.h"
#include "verifier/keys.h"
#include "verifier/rules.h"
#include "verifier/sessions.h"
#include "verifier/settings.h"
#include "verifier/signers.h"
#include "wire/event.h"

/* The program's state, one struct, and what its files offer each other. Everything runs on one loop. */

struct counters {
        struct metric_series *passed, *failed, *inconclusive, *asked_again, *refused;
        struct metric_series *parts, *gathered, *ima_entries;
        struct metric_series *released, *withheld, *permitted, *forbidden;
        struct metric_series *sessions_opened, *sessions_refused;
        struct metric_series *hosts[HOST_N_SHOWN], *sessions, *cert_end_s;
        struct metric_series *workloads_trusted, *workloads_refused, *workloads_limited;
        struct metric_series *reactions[REACTION_N], *trust[TRUST_N], *held;
};

struct verifier;
/* Behind the routes of policies of one kind: policy_desk.h. */
struct policy_desk {
        struct verifier *v;
        enum stored_kind kind;
};

struct verifier {
        struct settings settings;
        struct loop *loop;
        struct tls_server *tls;
        struct http_server *server;
        struct ops *ops;
        struct audit_key *audit_key;
        struct keys keys;
        struct signers signers; /* of policies */
        struct verifier_db *db;
        struct workers *workers;   /* for what takes long */
        struct endorsed *endorsed; /* what vouches for processors */
        bool endorsed_read;        /* the folder is being read again */
        struct hosts *hosts;
        struct rules *rules;
        struct policy_desk desks[2];
        struct modules *modules; /* module policies in force */
        struct permits *permits; /* that were given and are open */
        struct sessions *sessions;
        struct events *events;
        struct waits *waits;
        struct fuse *fuse;
        struct adopt *adopt; /* NULL: nothing is to be adopted */
        struct proofs *proofs;
        struct workloads *workloads;   /* NULL: the service is off */
        struct outbox *outbox;         /* NULL without a registrar */
        struct http_client *registrar; /* NULL: none configured */
        struct loop_timer *sweep, *watchdog;
        struct counters counters;
        size_t gathered; /* bytes of lists that wait for their other parts, of all hosts */
        int64_t started_at_ms, watchdog_ms;
        char *generation;         /* the file, see store/verifier_generation.h */
        int64_t generation_ms;    /* when it was renewed, monotonic */
        int64_t up_ms;            /* when it started, monotonic */
        int64_t swept_ms;         /* sessions were swept, monotonic */
        int64_t wall_ms, mono_ms; /* both clocks at the last sweep: a jump shows */
        bool loading;             /* hosts are still being read */
        bool rules_loaded;
        bool adopting;      /* what was revoked since the backup is not known: nobody is trusted */
        bool holds_unknown; /* what the fuse held before the start is not read yet */
};

/* Reads the configuration, the certificates and the keys, and forgets them. */
int verifier_check(const char *config_file, struct err *err) MUST_USE;
/* Makes everything but listeners. Return: 0, -kind. */
int verifier_new(struct verifier *v, const char *config_file, struct err *err) MUST_USE;
int verifier_listen(struct verifier *v, struct err *err) MUST_USE;
/* SIGHUP: reads the configuration again; what cannot be taken leaves all as it was. */
int verifier_reload(struct verifier *v, const char *config_file, struct err *err) MUST_USE;
void verifier_done(struct verifier *v);

struct host_times verifier_times(const struct verifier *v);
enum host_shown verifier_shown(const struct verifier *v, const struct host *host);

/* The file of the database's generation: looked at and renewed at start, renewed from time to time. */
int generation_start(struct verifier *v, struct err *err) MUST_USE;
void generation_turn(struct verifier *v);

/* Starts reading policies and hosts in the background. */
int load_start(struct verifier *v, struct err *err) MUST_USE;
/* Calls DONE(ctx, host) with the host, reading it from the database if the table does not have it yet; NULL:
 * not enrolled; or with ERR. */
typedef void (*load_host_fn)(void *ctx, struct host *host, const struct err *err);
void load_host(struct verifier *v, const char *name, load_host_fn done, void *ctx);

/* Emits an event, logs it, if what is shown of the host changed. */
void watch_host(struct verifier *v, struct host *host);
/* Starts the timer that finds silent hosts. */
int watch_start(struct verifier *v, struct err *err) MUST_USE;

/* From now on results are signed with v->keys.ear: says so in the database, where retired keys stay. */
int results_use_key(struct verifier *v, struct err *err) MUST_USE;

/* Routes, file by file. */
int routes_sessions(struct verifier *v, struct err *err) MUST_USE;
int routes_attestations(struct verifier *v, struct err *err) MUST_USE;
int routes_hosts(struct verifier *v, struct err *err) MUST_USE;
int routes_records(struct verifier *v, struct err *err) MUST_USE;
int routes_policies(struct verifier *v, struct err *err) MUST_USE;
int routes_modules(struct verifier *v, struct err *err) MUST_USE;
int routes_v2(struct verifier *v, struct err *err) MUST_USE;
int routes_results(struct verifier *v, struct err *err) MUST_USE;
int routes_receipts(struct verifier *v, struct err *err) MUST_USE;
int routes_releases(struct verifier *v, struct err *err) MUST_USE;
int routes_launches(struct verifier *v, struct err *err) MUST_USE;
int routes_status(struct verifier *v, struct err *err) MUST_USE;
int routes_secrets(struct verifier *v, struct err *err) MUST_USE;
int routes_approvals(struct verifier *v, struct err *err) MUST_USE;

/* docs/openapi-verifier.yaml, as it was when this was built. */
extern const char verifier_openapi[];

#endif
