/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keylime's v2 admin API for hosts, as far as push mode needs it: what keylime_tenant sends to add, show,
 * list and remove one. A host enrolled here is a Keylime peer, judged by its tpm_policy.
 *
 * What would silently weaken a promise is refused: a runtime policy or a boot policy that this verifier does
 * not evaluate is a 400, not an enrolment that ignores it. Spec: Keylime verifier API 2.x.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "verifier/enrol.h"
#include "verifier/permits.h"
#include "verifier/reply.h"
#include "wire/v2host.h"

#define BULK_MAX 100000

enum keylime_state {
        KEYLIME_START = 1,
        KEYLIME_GET_QUOTE = 3,
        KEYLIME_FAILED = 7,
        KEYLIME_TERMINATED = 8,
        KEYLIME_INVALID_QUOTE = 9
};

static struct host *host_of(struct verifier *v, struct http_request *req)
{
        struct host *host = hosts_find(v->hosts, http_request_param(req, "id"));

        if (!host)
                reply_v2(req, v->loading ? 503 : 404,
                         v->loading ? "hosts are still being read" : "agent id not found", NULL);
        return host;
}

/* ---- show ---- */

/* What has to be shown again, parsed; the record borrows from it. */
static json_t *kept(const struct host *host)
{
        struct err err = ERR_INIT;
        json_t *j = NULL;

        if (!host->e.keylime_record ||
            json_parse(view_str(host->e.keylime_record), 1024 * 1024, &j, &err) < 0)
                return json_object();
        return j;
}

static const char *attestation_status(enum host_shown shown)
{
        static const char *const words[HOST_N_SHOWN] = {
                [HOST_ENROLLED] = "PENDING",  [HOST_PASS] = "PASS",    [HOST_FAIL] = "FAIL",
                [HOST_INCONCLUSIVE] = "FAIL", [HOST_LATE] = "PENDING", [HOST_LOST] = "TIMEOUT",
                [HOST_PAUSED] = "PENDING"};

        return words[shown];
}

static int operational_state(enum host_shown shown)
{
        static const int states[HOST_N_SHOWN] = {
                [HOST_ENROLLED] = KEYLIME_START,   [HOST_PASS] = KEYLIME_GET_QUOTE,
                [HOST_FAIL] = KEYLIME_FAILED,      [HOST_INCONCLUSIVE] = KEYLIME_INVALID_QUOTE,
                [HOST_LATE] = KEYLIME_GET_QUOTE,   [HOST_LOST] = KEYLIME_FAILED,
                [HOST_PAUSED] = KEYLIME_TERMINATED};

        return states[shown];
}

static struct wire_v2_record record_of(const struct verifier *v, const struct host *host, const json_t *keep)
{
        enum host_shown shown = verifier_shown(v, host);
        struct host_times times = verifier_times(v);
        bool bad = shown == HOST_FAIL || shown == HOST_INCONCLUSIVE;

        return (struct wire_v2_record){
                .operational_state = operational_state(shown),
                .ip = json_string_value(json_object_get(keep, "ip")),
                .port = -1,
                .tpm_policy = host->e.tpm_policy ? host->e.tpm_policy : "{}",
                .metadata = json_string_value(json_object_get(keep, "metadata")),
                .accept_hash = json_object_get(keep, "accept_hash"),
                .accept_enc = json_object_get(keep, "accept_enc"),
                .accept_sign = json_object_get(keep, "accept_sign"),
                .hash_alg = digest_name((enum digest_alg)host->ak.scheme_hash),
                .enc_alg = host->ak.type == 0x0001 ? "rsa2048" : "ecc256",
                .sign_alg = wire_scheme_name(host->ak.scheme),
                .verifier_id = verifier_db_id(v->db),
                .verifier_ip = "127.0.0.1",
                .verifier_port = http_server_port(v->server, true),
                .has_severity = bad,
                .severity_level = 6,
                .last_event_id = bad ? "pcr_validation.invalid_pcr" : NULL,
                .attestation_count = (uint64_t)host->s.n_evidence,
                .last_quote_at_ms = host->s.evidence_at_ms,
                .last_success_at_ms = host->s.pass_at_ms,
                .attestation_status = attestation_status(shown),
                .interval_ms = host_interval_ms(host, &times),
        };
}

static void on_show(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct host *host = host_of(v, req);
        AUTO(json_free_p) json_t *keep = NULL;
        struct wire_v2_record record;
        struct err err = ERR_INIT;
        struct buf body = {0};
        int r;

        if (!host)
                return;
        keep = kept(host);
        record = record_of(v, host, keep);
        r = wire_v2_record_encode(&record, &body, &err);
        reply_encoded(req, r, 200, WIRE_TYPE_JSON, &body);
}

/* ---- list ---- */

struct listing {
        const char **names;
        struct wire_v2_record *records;
        json_t **keeps;
        size_t n;
};

static void listing_done(struct listing *l)
{
        for (size_t i = 0; l->keeps && i < l->n; i++)
                json_decref(l->keeps[i]);
        free(l->names);
        free(l->records);
        free(l->keeps);
}

static int make_listing(const struct verifier *v, struct host **hosts, size_t n, struct listing *l,
                        struct err *err)
{
        l->n = n;
        l->names = mem_zalloc(n, sizeof(*l->names));
        l->records = mem_zalloc(n, sizeof(*l->records));
        l->keeps = mem_zalloc(n, sizeof(json_t *));
        if (!l->names || !l->records || !l->keeps)
                return err_nomem(err);
        for (size_t i = 0; i < n; i++) {
                l->names[i] = hosts[i]->e.name;
                l->keeps[i] = kept(hosts[i]);
                l->records[i] = record_of(v, hosts[i], l->keeps[i]);
        }
        return 0;
}

static void on_list(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        AUTO(mem_free_p) struct host **hosts = NULL;
        AUTO(listing_done) struct listing l = {.n = 0};
        struct err err = ERR_INIT;
        struct buf body = {0};
        int n = hosts_sorted(v->hosts, NULL, BULK_MAX, NULL, NULL, &hosts, &err);

        if (n < 0 || make_listing(v, hosts, (size_t)n, &l, &err) < 0) {
                reply_failure(req, &err, "listing hosts");
                return;
        }
        if (str_equal(http_request_query(req, "bulk"), "True") ||
            str_equal(http_request_query(req, "bulk"), "true"))
                n = wire_v2_bulk_encode(l.names, l.records, l.n, &body, &err);
        else
                n = wire_v2_uuids_encode(l.names, l.n, &body, &err);
        reply_encoded(req, n, 200, WIRE_TYPE_JSON, &body);
}

/* ---- add ---- */

static const char boot_policy_accepts_all[] = "{}";

/* Keylime's runtime policy with nothing in it: what the tenant sends when it is given none. */
static bool demands_nothing(const struct buf *runtime_policy)
{
        AUTO(json_free_p) json_t *j = NULL;
        struct err err = ERR_INIT;

        if (runtime_policy->len == 0)
                return true;
        if (json_parse(VIEW_BUF(runtime_policy), 1024 * 1024, &j, &err) < 0)
                return false;
        return json_is_object(j) && json_object_size(json_object_get(j, "digests")) == 0 &&
               json_array_size(json_object_get(j, "excludes")) == 0 &&
               json_object_size(json_object_get(j, "keyrings")) == 0;
}

/* What this verifier cannot keep. Return: NULL, or a sentence. */
static const char *cannot_keep(const struct wire_v2_add *m)
{
        if (m->ak.len == 0)
                return "ak_tpm is missing: use a tenant of API 2.1 or newer";
        if (m->ip && !str_equal(m->supported_version, "3.0"))
                return "this verifier takes hosts in push mode only: add the host with --push-model";
        if (m->runtime_policy_name || !demands_nothing(&m->runtime_policy))
                return "runtime policies (IMA) are not evaluated by this verifier: add the host without one, "
                       "or under a "
                       "policy of avow's";
        if (m->mb_policy_name || (m->mb_policy && !str_equal(m->mb_policy, boot_policy_accepts_all)))
                return "measured boot policies are not evaluated by this verifier: add the host without one";
        if (m->has_v)
                return "payloads (V keys) do not exist in push mode";
        return NULL;
}

static char *record_to_keep(const struct wire_v2_add *m)
{
        AUTO(json_free_p) json_t *j = json_object();
        int r = 0;

        r |= json_set_str(j, "ip", m->ip);
        r |= json_set_str(j, "metadata", m->metadata);
        if (m->accept_hash)
                r |= json_object_set(j, "accept_hash", m->accept_hash);
        if (m->accept_enc)
                r |= json_object_set(j, "accept_enc", m->accept_enc);
        if (m->accept_sign)
                r |= json_object_set(j, "accept_sign", m->accept_sign);
        r |= json_set_str(j, "supported_version", m->supported_version);
        r |= json_set_str(j, "revocation_key", m->revocation_key ? "set" : NULL);
        return r ? NULL : json_print(j);
}

static int fill_enrolment(const struct http_request *req, struct wire_v2_add *m, struct enrolment *e,
                          struct err *err)
{
        struct buf actor = {0};

        reply_actor(req, &actor);
        *e = (struct enrolment){.keylime = true,
                                .tenant = str_dup("default"),
                                .name = str_dup(http_request_param(req, "id")),
                                .tpm_policy = TAKE(m->tpm_policy),
                                .keylime_record = record_to_keep(m),
                                .bound_by = str_dup("keylime-tenant"),
                                .actor = buf_take_str(&actor),
                                .ak = m->ak};
        m->ak = (struct buf){0};
        return e->tenant && e->name && e->keylime_record && e->bound_by && e->actor ? 0 : err_nomem(err);
}

static void on_enrolled(void *ctx, int status, const char *detail, struct host *host)
{
        struct http_request *req = ctx;

        (void)host;
        if (status == 201)
                reply_v2(req, 200, "Success", NULL);
        else
                reply_v2(req, status, detail, NULL);
}

static void add(struct verifier *v, struct http_request *req, struct wire_v2_add *m)
{
        AUTO(ruleset_unref_p) struct ruleset *rules = NULL;
        const char *why = cannot_keep(m);
        struct enrolment e = {.keylime = true};
        struct err err = ERR_INIT;

        if (!str_valid_host_id(http_request_param(req, "id")))
                why = "agent_id is not valid";
        if (why) {
                reply_v2(req, 400, why, NULL);
        } else if (rules_of_tpm_policy(v->rules, m->tpm_policy, &rules, &err) < 0) {
                reply_v2(req, err.kind == ERR_NOMEM ? 503 : 400, err.text, NULL);
        } else if (fill_enrolment(req, m, &e, &err) < 0) {
                enrolment_free(&e);
                reply_v2(req, 503, "out of memory", NULL);
        } else {
                enrol_with_key(v, &e, on_enrolled, req);
        }
}

static void on_add(struct http_request *req, void *ctx)
{
        struct wire_v2_add m = {.port = -1};
        struct err err = ERR_INIT;

        if (wire_v2_add_decode(http_request_body(req), &m, &err) < 0)
                reply_v2(req, err.kind == ERR_NOMEM ? 503 : 400, err.text, NULL);
        else
                add(ctx, req, &m);
        wire_v2_add_done(&m);
}

/* ---- remove, stop, reactivate ---- */

struct doing {
        struct verifier *v;
        struct http_request *req;
        char *name;
        bool paused;
};

static void doing_free(struct doing *d)
{
        if (!d)
                return;
        free(d->name);
        free(d);
}
DEFINE_AUTO(struct doing, doing_free)

static struct doing *doing_new(struct verifier *v, struct http_request *req)
{
        struct doing *d = mem_zalloc(1, sizeof(*d));

        if (d) {
                d->v = v;
                d->req = req;
                d->name = str_dup(http_request_param(req, "id"));
        }
        if (d && d->name)
                return d;
        doing_free(d);
        reply_v2(req, 503, "out of memory", NULL);
        return NULL;
}

static void on_removed(void *ctx, enum store_outcome outcome, const struct err *err)
{
        AUTO(doing_free_p) struct doing *d = ctx;

        if (outcome == STORE_FAILED) {
                reply_failure(d->req, err, "removing a host");
                return;
        }
        sessions_drop_host(d->v->sessions, d->name);
        hosts_remove(d->v->hosts, d->name);
        permits_drop(d->v->permits, d->name);
        events_emit(d->v->events, "host.removed", d->name, NULL, NULL, NULL);
        reply_v2(d->req, 200, "Success", NULL);
}

static void on_remove(struct http_request *req, void *ctx)
{
        struct verifier *v = ctx;
        struct host *host = host_of(v, req);
        AUTO(doing_free_p) struct doing *d = host ? doing_new(v, req) : NULL;
        struct audit_entry entry = {.time_ms = clock_now_ms(), .action = "host.remove"};
        AUTO(mem_free_p) char *who = NULL;
        struct buf actor = {0};
        struct err err = ERR_INIT;

        if (!d)
                return;
        reply_actor(req, &actor);
        entry.actor = who = buf_take_str(&actor);
        entry.object = d->name;
        if (verifier_db_remove(v->db, NULL, d->name, &entry, on_removed, d, &err) < 0)
                reply_failure(req, &err, "removing a host");
        else
                (void)TAKE(d);
}

static void on_paused(void *ctx, enum store_outcome outcome, const struct err *err)
{
        AUTO(doing_free_p) struct doing *d = ctx;
        struct host *host = hosts_find(d->v->hosts, d->name);

        if (outcome == STORE_FAILED) {
                reply_failure(d->req, err, "changing a host");
        } else if (outcome != STORE_OK || !host) {
                reply_v2(d->req, 404, "agent id not found", NULL);
        } else {
                host->e.paused = d->paused;
                watch_host(d->v, host);
                reply_v2(d->req, 200, "Success", NULL);
        }
}

static void set_paused(struct verifier *v, struct http_request *req, bool paused)
{
        struct host *host = host_of(v, req);
        AUTO(doing_free_p) struct doing *d = host ? doing_new(v, req) : NULL;
        struct audit_entry entry = {.time_ms = clock_now_ms(),
                                    .action = paused ? "host.pause" : "host.resume"};
        AUTO(mem_free_p) char *who = NULL;
        struct buf actor = {0};
        struct err err = ERR_INIT;
        struct enrolment e;

        if (!d)
                return;
        reply_actor(req, &actor);
        entry.actor = who = buf_take_str(&actor);
        entry.object = d->name;
        d->paused = paused;
        e = host->e; /* lent: it is copied */
        e.paused = paused;
        if (verifier_db_change(v->db, &e, &entry, on_paused, d, &err) < 0)
                reply_failure(req, &err, "changing a host");
        else
                (void)TAKE(d);
}

static void on_stop(struct http_request *req, void *ctx)
{
        set_paused(ctx, req, true);
}

static void on_reactivate(struct http_request *req, void *ctx)
{
        set_paused(ctx, req, false);
}

#define READERS (ROLE_ADMIN | ROLE_AUDITOR | ROLE_TENANT)
#define WRITERS (ROLE_ADMIN | ROLE_TENANT)
#define ADD_MAX (8 * 1024 * 1024)

static const struct http_route routes[] = {
        {HTTP_GET, "/v2.0-6/agents", READERS, on_list, 0, HTTP_KEYLIME, "list_agents"},
        {HTTP_GET, "/v2.0-6/agents/:id", READERS, on_show, 0, HTTP_KEYLIME, "read_agent"},
        {HTTP_POST, "/v2.0-6/agents/:id", WRITERS, on_add, ADD_MAX, HTTP_KEYLIME, "create_agent"},
        {HTTP_DELETE, "/v2.0-6/agents/:id", WRITERS, on_remove, 0, HTTP_KEYLIME, "delete_agent"},
        {HTTP_PUT, "/v2.0-6/agents/:id/stop", WRITERS, on_stop, 0, HTTP_KEYLIME, "stop_agent"},
        {HTTP_PUT, "/v2.0-6/agents/:id/reactivate", WRITERS, on_reactivate, 0, HTTP_KEYLIME,
         "reactivate_agent"},
};

int routes_v2(struct verifier *v, struct err *err)
{
        return http_server_add_routes(v->server, routes, ARRAY_LEN(routes), v, err);
}
