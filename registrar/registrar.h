/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_REGISTRAR_REGISTRAR_H
#define AVOW_REGISTRAR_REGISTRAR_H

#include "base/err.h"
#include "candidates.h"
#include "crypto/jwks.h"
#include "crypto/tls.h"
#include "crypto/trust.h"
#include "delivery.h"
#include "enrol.h"
#include "http/ops.h"
#include "http/server.h"
#include "keep.h"
#include "settings.h"
#include "store/hooks_db.h"
#include "store/registrar_db.h"

/* The registrar's whole state; everything in it belongs to the loop's thread. */

/* What the files that the configuration names hold: replaced as one when it is reloaded. */
struct material {
        struct settings *settings;
        struct trust *roots;
        struct tls_server *tls;
        struct ak_ca ak_ca;
        bool has_ak_ca;
        struct jwks revocation_keys; /* whose revocations are taken */
};

enum registration_outcome { REG_CHALLENGED, REG_MALFORMED, REG_REFUSED, REG_CONFLICT, REG_FAILED, REG_N };
enum activation_outcome { ACT_ACTIVATED, ACT_WRONG, ACT_UNKNOWN, ACT_CONFLICT, ACT_FAILED, ACT_N };

enum receive_outcome { RECV_STORED, RECV_KNOWN, RECV_REFUSED, RECV_FAILED, RECV_N };

struct registrar {
        const char *config_path;
        char *const *env;
        struct loop *loop;
        struct material material;
        struct audit_key *audit_key; /* NULL: no audit log */
        struct registrar_db *db;
        struct hooks_db *hooks;
        struct delivery *delivery;
        struct keep *keep;
        struct candidates *candidates;
        struct http_server *http;
        struct ops *ops;
        struct loop_watch *on_hup, *on_term, *on_int;
        struct loop_timer *tick, *watchdog;
        int64_t watchdog_ms; /* 0: none asked for */
        int64_t started_ms;
        struct metric_series *registrations[REG_N], *activations[ACT_N], *revocations[RECV_N];
        struct metric_series *n_candidates, *n_active, *n_bound, *n_tofu, *cert_end_s;
};

/* Reads the configuration and all files that it names. Return: 0; -kind. */
int material_load(const char *config_path, char *const *env, struct material *ret, struct err *err) MUST_USE;
void material_done(struct material *m);

/* Builds everything up to open ports; frees it. */
int registrar_open(const char *config_path, char *const *env, struct registrar **ret,
                   struct err *err) MUST_USE;
void registrar_free(struct registrar *r);
DEFINE_AUTO(struct registrar, registrar_free)
/* Serves until SIGTERM or SIGINT. */
int registrar_run(struct registrar *r, struct err *err) MUST_USE;

/* The route tables. */
int api_v2_add(struct registrar *r, struct err *err) MUST_USE;
int api_native_add(struct registrar *r, struct err *err) MUST_USE;
int api_status_add(struct registrar *r, struct err *err) MUST_USE;
int api_revocations_add(struct registrar *r, struct err *err) MUST_USE;
int api_proofs_add(struct registrar *r, struct err *err) MUST_USE;
int api_hooks_add(struct registrar *r, struct err *err) MUST_USE;

/* ---- shared by the handlers ---- */

/* 500 to a native request, whose cause is logged and not told: "listing hosts failed: io". */
void answer_native_failure(struct http_request *req, const char *doing, const struct err *err);

/* "ops-1 (admin) at 127.0.0.1", for the audit log; free() it. NULL when out of memory. */
char *peer_actor(const struct http_request *req);

/* A number from the query, RET as it was without one. Return: false, after answering, if it is none. */
bool query_number(struct http_request *req, const char *name, int64_t min, int64_t max, int64_t *ret);
/* The tenant that a peer is kept to by its certificate; NULL: none. */
const char *peer_tenant(const struct http_request *req);

/* The rules that registrations are judged by now. */
struct enrol_rules registrar_rules(const struct registrar *r);

/* docs/openapi-registrar.yaml, as it was when this was built. */
extern const char registrar_openapi[];

#endif
