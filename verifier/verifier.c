/* SPDX-License-Identifier: Apache-2.0 */
/* The verifier put together: configuration, TLS, store, server, in the order in which they need each other.
 */
#include "verifier/verifier.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "crypto/cert.h"
#include "verifier/adopt.h"
#include "verifier/endorsed.h"
#include "verifier/modules.h"
#include "verifier/outbox.h"
#include "verifier/permits.h"
#include "verifier/proofs.h"
#include "verifier/trust.h"
#include "verifier/wait.h"
#include "verifier/workloads.h"

#define KEY_FILE_MAX      65536
#define WORKERS_MAX       4
#define DAY_MS            (86400 * 1000LL)
#define EXPIRY_WARNING_MS (14 * DAY_MS)

static const char *const keylime_versions[] = {"2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "3.0", NULL};
static const struct ops_options ops_options = {.program = "avow-verifier",
                                               .keylime_versions = keylime_versions,
                                               .keylime_current = "2.6",
                                               .openapi = verifier_openapi};

static int make_tls(const struct settings *s, struct tls_server **ret, struct err *err)
{
        const struct tls_files files = {.cert = conf_str(s->conf, "tls.cert"),
                                        .key = conf_str(s->conf, "tls.key"),
                                        .client_ca = conf_str(s->conf, "tls.client_ca"),
                                        .crl = conf_str(s->conf, "tls.crl")};

        return tls_server_new(&files, ret, err);
}

/* Said at start and after a reload; readiness says it when it is too late. */
static void warn_of_expiry(const struct verifier *v)
{
        int64_t left_ms = cert_not_after_ms(tls_server_cert(v->tls)) - clock_now_ms();
        const char *path = conf_str(v->settings.conf, "tls.cert");

        if (left_ms <= 0)
                log_warning("tls.cert '%s' has expired: nobody will connect", path);
        else if (left_ms < EXPIRY_WARNING_MS)
                log_warning("tls.cert '%s' expires in %lld days", path, (long long)(left_ms / DAY_MS));
}

static struct http_client_options registrar_options(const struct settings *s)
{
        return (struct http_client_options){.ca_file = conf_str(s->conf, "registrar.ca"),
                                            .cert_file = conf_str(s->conf, "registrar.cert"),
                                            .key_file = conf_str(s->conf, "registrar.key"),
                                            .connections_per_host = 4};
}

static int load_audit_key(struct verifier *v, struct err *err)
{
        const char *path = conf_str(v->settings.conf, "audit.key");
        struct buf pem = {0};
        int r;

        if (!path) {
                log_warning("audit.key is not set: no audit log is kept");
                return 0;
        }
        r = file_read(path, KEY_FILE_MAX, &pem, err);
        if (r >= 0)
                r = audit_key_new(VIEW_BUF(&pem), &v->audit_key, err);
        if (pem.p)
                mem_wipe(pem.p, pem.len);
        buf_free(&pem);
        return r < 0 ? err_wrap(err, "audit.key '%s'", path) : 0;
}

/* ---- metrics and readiness ---- */

static int add_counter(struct verifier *v, const char *name, const char *help, const char *label,
                       const char *value, enum metric_type type, struct metric_series **ret, struct err *err)
{
        const struct metric_label labels[] = {{label, value}};

        return metrics_add(ops_metrics(v->ops), type, name, help, labels, label ? 1 : 0, ret, err);
}

static int add_metrics(struct verifier *v, struct err *err)
{
        static const char evidence[] = "Evidence received, by what it came to.";
        static const char releases[] = "Requests for releases of secrets that evidence came for, by outcome.";
        static const char workloads[] = "Evidence of workloads, by what it came to.";
        static const char launches[] = "Requests for launches that evidence came for, by outcome.";
        static const char sessions[] = "Proofs of possession, by outcome.";
        struct counters *c = &v->counters;
        const struct {
                const char *name, *help, *label, *value;
                struct metric_series **ret;
        } rows[] = {
                {"avow_evidence", evidence, "outcome", "pass", &c->passed},
                {"avow_evidence", evidence, "outcome", "fail", &c->failed},
                {"avow_evidence", evidence, "outcome", "inconclusive", &c->inconclusive},
                {"avow_evidence", evidence, "outcome", "asked_again", &c->asked_again},
                {"avow_evidence", evidence, "outcome", "refused", &c->refused},
                {"avow_list_parts", "Parts of long measurement lists received.", NULL, NULL, &c->parts},
                {"avow_ima_entries", "Entries of kernels' measurement lists judged.", NULL, NULL,
                 &c->ima_entries},
                {"avow_releases", releases, "outcome", "granted", &c->released},
                {"avow_releases", releases, "outcome", "refused", &c->withheld},
                {"avow_launches", launches, "outcome", "permitted", &c->permitted},
                {"avow_launches", launches, "outcome", "refused", &c->forbidden},
                {"avow_session_proofs", sessions, "outcome", "good", &c->sessions_opened},
                {"avow_session_proofs", sessions, "outcome", "refused", &c->sessions_refused},
                {"avow_workloads", workloads, "outcome", "trusted", &c->workloads_trusted},
                {"avow_workloads", workloads, "outcome", "refused", &c->workloads_refused},
                {"avow_workloads", workloads, "outcome", "limited", &c->workloads_limited},
        };

        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                if (add_counter(v, rows[i].name, rows[i].help, rows[i].label, rows[i].value, METRIC_COUNTER,
                                rows[i].ret, err) < 0)
                        return -(int)err->kind;
        for (size_t i = 0; i < HOST_N_SHOWN; i++)
                if (add_counter(v, "avow_hosts", "Enrolled hosts, by state.", "state",
                                host_shown_name((enum host_shown)i), METRIC_GAUGE, &c->hosts[i], err) < 0)
                        return -(int)err->kind;
        for (size_t i = 0; i < REACTION_N; i++)
                if (add_counter(v, "avow_trust_changes", "Changes of hosts' trust, by reaction.", "reaction",
                                reaction_name((enum reaction)i), METRIC_COUNTER, &c->reactions[i], err) < 0)
                        return -(int)err->kind;
        for (size_t i = 0; i < TRUST_N; i++)
                if (add_counter(v, "avow_hosts_trust", "Enrolled hosts, by trust.", "trust",
                                trust_name((enum trust)i), METRIC_GAUGE, &c->trust[i], err) < 0)
                        return -(int)err->kind;
        if (add_counter(v, "avow_destroys_held", "Hosts whose destroy waits for a second person.", NULL, NULL,
                        METRIC_GAUGE, &c->held, err) < 0)
                return -(int)err->kind;
        if (add_counter(v, "avow_gathered_bytes", "Parts of long measurement lists that wait for the others.",
                        NULL, NULL, METRIC_GAUGE, &c->gathered, err) < 0)
                return -(int)err->kind;
        if (add_counter(v, "avow_sessions", "Open sessions of hosts.", NULL, NULL, METRIC_GAUGE, &c->sessions,
                        err) < 0)
                return -(int)err->kind;
        return add_counter(v, "avow_verifier_tls_certificate_end_seconds",
                           "When the server's certificate ends, Unix time.", NULL, NULL, METRIC_GAUGE,
                           &c->cert_end_s, err);
}

static const char *ready_store(void *ctx)
{
        struct verifier *v = ctx;
        struct err err = ERR_INIT;

        return store_health(verifier_db_store(v->db), &err) < 0 ? "the last write failed; the log says why"
                                                                : NULL;
}

static const char *ready_cert(void *ctx)
{
        const struct verifier *v = ctx;

        return cert_not_after_ms(tls_server_cert(v->tls)) <= clock_now_ms() ? "tls.cert has expired" : NULL;
}

static const char *ready_rules(void *ctx)
{
        return ((struct verifier *)ctx)->rules_loaded ? NULL : "policies are being read";
}

static int make_server(struct verifier *v, struct err *err)
{
        const struct http_server_options opts = {.limits = v->settings.limits,
                                                 .grants = v->settings.grants,
                                                 .n_grants = v->settings.n_grants,
                                                 .any_certificate_is_admin = v->settings.keylime_admins};
        int r;

        if (v->settings.keylime_admins)
                log_warning(
                        "compat: keylime: every certificate that tls.client_ca signed is an administrator");
        if (make_tls(&v->settings, &v->tls, err) < 0)
                return -(int)err->kind;
        warn_of_expiry(v);
        r = http_server_new(v->loop, &opts, &v->server, err);
        if (r >= 0)
                r = http_server_set_tls(v->server, tls_server_ctx(v->tls), err);
        if (r >= 0)
                r = ops_new(v->server, &ops_options, &v->ops, err);
        if (r >= 0)
                r = add_metrics(v, err);
        if (r >= 0)
                r = ops_add_ready(v->ops, "store", ready_store, v, err);
        if (r >= 0)
                r = ops_add_ready(v->ops, "policies", ready_rules, v, err);
        if (r >= 0)
                r = ops_add_ready(v->ops, "certificate", ready_cert, v, err);
        return r;
}

static int add_routes(struct verifier *v, struct err *err)
{
        static int (*const adders[])(struct verifier * v, struct err * err) = {
                routes_sessions, routes_attestations, routes_hosts,    routes_records,  routes_policies,
                routes_releases, routes_results,      routes_trust,    routes_wait,     routes_proofs,
                routes_secrets,  routes_approvals,    routes_v2,       routes_status,   routes_workloads,
                routes_monitor,  routes_modules,      routes_launches, routes_receipts,
        };
        int r = 0;

        for (size_t i = 0; i < ARRAY_LEN(adders) && r >= 0; i++)
                r = adders[i](v, err);
        return r;
}

int verifier_check(const char *config_file, struct err *err)
{
        struct verifier v = {.started_at_ms = 0};
        struct adapters adapters = {.n = 0};
        int r = settings_load(config_file, &v.settings, err);

        if (r >= 0)
                r = make_tls(&v.settings, &v.tls, err);
        if (r >= 0) {
                warn_of_expiry(&v);
                r = load_audit_key(&v, err);
        }
        if (r >= 0)
                r = keys_load(v.settings.conf, &v.keys, err);
        if (r >= 0)
                keys_warn(&v.keys);
        if (r >= 0)
                r = signers_load(v.settings.conf, &v.signers, err);
        if (r >= 0)
                r = adapters_load(v.settings.conf, &adapters, err);
        if (r >= 0)
                r = endorsed_load(v.settings.conf, &v.endorsed, err);
        adapters_done(&adapters);
        endorsed_free(v.endorsed);
        signers_done(&v.signers);
        keys_done(&v.keys);
        tls_server_free(v.tls);
        audit_key_free(v.audit_key);
        settings_done(&v.settings);
        return r;
}

static int post(void *loop, void (*fn)(void *arg), void *arg)
{
        return loop_post(loop, fn, arg);
}

/* One core is the loop's. */
static int make_workers(struct verifier *v, struct err *err)
{
        long n = sysconf(_SC_NPROCESSORS_ONLN) - 1;

        return workers_new(v->loop,
                           n < 1             ? 1
                           : n > WORKERS_MAX ? WORKERS_MAX
                                             : (size_t)n,
                           v->settings.gather.all_bytes, &v->workers, err);
}

int verifier_new(struct verifier *v, const char *config_file, struct err *err)
{
        struct http_client_options registrar;
        int r;

        *v = (struct verifier){.started_at_ms = clock_now_ms()};
        if (settings_load(config_file, &v->settings, err) < 0)
                return -(int)err->kind;
        log_set_level((enum log_level)v->settings.log_level);
        registrar = registrar_options(&v->settings);
        r = load_audit_key(v, err);
        if (r >= 0)
                r = keys_load(v->settings.conf, &v->keys, err);
        if (r >= 0)
                keys_warn(&v->keys);
        if (r >= 0)
                r = signers_load(v->settings.conf, &v->signers, err);
        if (r >= 0)
                r = endorsed_load(v->settings.conf, &v->endorsed, err);
        if (r >= 0)
                r = loop_new(&v->loop, err);
        if (r >= 0)
                r = make_server(v, err);
        if (r >= 0)
                r = make_workers(v, err);
        if (r >= 0)
                r = verifier_db_open(conf_str(v->settings.conf, "store.url"), post, v->loop, v->audit_key,
                                     &v->db, err);
        if (r >= 0)
                r = generation_start(v, err);
        if (r >= 0)
                r = results_use_key(v, err);
        if (r >= 0)
                r = hosts_new(&v->hosts, err);
        if (r >= 0)
                r = rules_new(&v->rules, err);
        if (r >= 0)
                r = modules_new(&v->modules, err);
        if (r >= 0)
                r = permits_new(&v->permits, err);
        if (r >= 0)
                r = sessions_new(&v->sessions, err);
        if (r >= 0)
                r = events_new(&v->events, err);
        if (r >= 0)
                r = fuse_new(&v->fuse, err);
        if (r >= 0 && conf_str(v->settings.conf, "registrar.url"))
                r = http_client_new(v->loop, &registrar, &v->registrar, err);
        if (r >= 0)
                r = workloads_start(v, &v->workloads, err);
        if (r >= 0)
                r = add_routes(v, err);
        if (r >= 0)
                r = watch_start(v, err);
        v->up_ms = clock_mono_ms();
        if (r >= 0)
                r = trust_start(v, err);
        if (r >= 0)
                r = adopt_start(v, err);
        if (r >= 0)
                r = outbox_start(v, err);
        return r >= 0 ? load_start(v, err) : r;
}

int verifier_listen(struct verifier *v, struct err *err)
{
        int n = http_server_listen_activated(v->server, "https", true, err);

        if (n != 0)
                return n < 0 ? n : 0;
        return http_server_listen(v->server, conf_str(v->settings.conf, "listen.https"), true, err);
}

int verifier_reload(struct verifier *v, const char *config_file, struct err *err)
{
        struct settings fresh = {.conf = NULL};
        struct http_client_options registrar;
        struct tls_server *tls = NULL;
        struct keys keys = {.ear = NULL};
        struct signers signers = {.n = 0};
        struct adapters adapters = {.n = 0};
        struct endorsed *endorsed = NULL;
        int r = settings_load(config_file, &fresh, err);

        if (r >= 0)
                r = conf_check_reload(v->settings.conf, fresh.conf, err);
        if (r >= 0)
                r = make_tls(&fresh, &tls, err);
        if (r >= 0)
                r = keys_load(fresh.conf, &keys, err);
        if (r >= 0)
                r = signers_load(fresh.conf, &signers, err);
        if (r >= 0)
                r = adapters_load(fresh.conf, &adapters, err);
        if (r >= 0)
                r = endorsed_load(fresh.conf, &endorsed, err);
        if (r >= 0 && v->registrar) {
                registrar = registrar_options(&fresh);
                r = http_client_reload(v->registrar, &registrar, err);
        }
        if (r >= 0)
                r = http_server_set_tls(v->server, tls_server_ctx(tls), err);
        if (r < 0) {
                tls_server_free(tls);
                keys_done(&keys);
                signers_done(&signers);
                adapters_done(&adapters);
                endorsed_free(endorsed);
                settings_done(&fresh);
                return r;
        }
        tls_server_free(v->tls);
        v->tls = tls;
        keys_done(&v->keys);
        v->keys = keys;
        signers_done(&v->signers);
        v->signers = signers;
        workloads_use(v->workloads, &adapters);
        endorsed_free(v->endorsed);
        v->endorsed = endorsed;
        keys_warn(&v->keys);
        if (results_use_key(v, err) < 0)
                log_err(err, "the key of results is not on record"); /* all else is taken over */
        err_clear(err);
        settings_done(&v->settings);
        v->settings = fresh;
        log_set_level((enum log_level)v->settings.log_level);
        warn_of_expiry(v);
        return 0;
}

void verifier_done(struct verifier *v)
{
        events_free(v->events);
        v->events = NULL;
        waits_free(v->waits);
        v->waits = NULL;
        proofs_stop(v->proofs);
        outbox_stop(v->outbox);
        adopt_stop(v->adopt);
        workloads_stop(v->workloads);
        workers_free(v->workers); /* what is being judged is answered, while there is a database */
        v->workers = NULL;
        http_client_free(v->registrar);
        http_server_free(v->server);
        verifier_db_close(v->db); /* finishes what was submitted: its answers go nowhere, which is fine */
        ops_free(v->ops);
        adopt_free(v->adopt);
        loop_timer_free(v->sweep);
        loop_timer_free(v->watchdog);
        loop_free(v->loop);
        outbox_free(v->outbox);
        proofs_free(v->proofs);
        workloads_free(v->workloads);
        hosts_free(v->hosts);
        rules_free(v->rules);
        modules_free(v->modules);
        permits_free(v->permits);
        fuse_free(v->fuse);
        sessions_free(v->sessions);
        tls_server_free(v->tls);
        audit_key_free(v->audit_key);
        endorsed_free(v->endorsed);
        free(v->generation);
        keys_done(&v->keys);
        signers_done(&v->signers);
        settings_done(&v->settings);
}
