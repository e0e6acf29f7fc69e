/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avow-registrar put together: configuration, files, database, server, signals. The order of registrar_open()
 * is that of the errors that a person wants to see: configuration first, then keys and certificates, then the
 * database, then ports. Nothing listens before everything else stands.
 *
 * A reload (SIGHUP) reads everything that the configuration names into a second `material` and swaps it in as
 * one, or keeps the old one and says why. Open connections keep the TLS context that they began with.
 *
 * Spec: contracts (reload, socket activation), SR-12; sd_notify(3), sd_watchdog_enabled(3).
 */
#include "registrar.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"

#define TICK_MS           15000
#define AUDIT_KEY_BYTES   65536
#define KEYS_BYTES        (64 * 1024)
#define SOCKET_NAME_HTTPS "https"
#define SOCKET_NAME_HTTP  "http"

/* ---- files ---- */

static int load_roots(const struct settings *s, struct trust **ret, struct err *err)
{
        AUTO(trust_free_p) struct trust *trust = NULL;
        int r = trust_new(&trust, err);

        for (size_t i = 0; r >= 0 && i < s->ek_roots->n; i++)
                r = trust_add_path(trust, s->ek_roots->items[i], err);
        if (r < 0)
                return err_wrap(err, "ek.roots");
        *ret = TAKE(trust);
        return 0;
}

/* The keys of one file: a key set, or one PEM key. */
static int load_keys(const char *path, struct jwks *ret, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        struct jwks set = {0};
        int r = file_read(path, KEYS_BYTES, &text, err);

        if (r < 0)
                return r;
        if (memchr(text.p, '{', text.len ? 1 : 0))
                r = jwks_parse(VIEW_BUF(&text), &set, err);
        else if ((r = pubkey_from_pem(VIEW_BUF(&text), &set.keys[0], err)) >= 0)
                set.n = 1;
        if (r < 0)
                return err_wrap(err, "'%s'", path);
        for (size_t i = 0; i < set.n && ret->n < JWKS_KEYS_MAX; i++)
                ret->keys[ret->n++] = TAKE(set.keys[i]);
        jwks_done(&set); /* NULLs, or what was too many */
        return 0;
}

static int load_revocation_keys(const struct settings *s, struct jwks *ret, struct err *err)
{
        for (size_t i = 0; i < s->revocation_keys->n; i++)
                if (load_keys(s->revocation_keys->items[i], ret, err) < 0)
                        return err_wrap(err, "revocations.keys");
        return 0;
}

int material_load(const char *config_path, char *const *env, struct material *ret, struct err *err)
{
        struct material m = {0};
        int r = settings_load(config_path, env, &m.settings, err);

        if (r >= 0)
                r = load_roots(m.settings, &m.roots, err);
        if (r >= 0) {
                const struct tls_files files = {m.settings->tls_cert, m.settings->tls_key,
                                                m.settings->tls_client_ca, m.settings->tls_crl};

                r = tls_server_new(&files, &m.tls, err);
        }
        if (r >= 0 && m.settings->ak_ca_cert) {
                r = ak_ca_load(m.settings->ak_ca_cert, m.settings->ak_ca_key, &m.ak_ca, err);
                m.has_ak_ca = r >= 0;
        }
        if (r >= 0)
                r = load_revocation_keys(m.settings, &m.revocation_keys, err);
        if (r < 0) {
                material_done(&m);
                return r;
        }
        *ret = m;
        return 0;
}

void material_done(struct material *m)
{
        tls_server_free(m->tls);
        trust_free(m->roots);
        ak_ca_done(&m->ak_ca);
        jwks_done(&m->revocation_keys);
        settings_free(m->settings);
        *m = (struct material){0};
}

static int load_audit_key(struct registrar *r, struct err *err)
{
        struct buf pem = {0};
        int x;

        if (!r->material.settings->audit_key)
                return 0;
        x = file_read(r->material.settings->audit_key, AUDIT_KEY_BYTES, &pem, err);
        if (x >= 0 && audit_key_new(VIEW_BUF(&pem), &r->audit_key, err) < 0)
                x = err_wrap(err, "'%s'", r->material.settings->audit_key);
        if (pem.p)
                mem_wipe(pem.p, pem.len);
        buf_free(&pem);
        return x < 0 ? err_wrap(err, "audit.key") : 0;
}

/* What a person should know at every start and reload. */
static void warn(const struct material *m)
{
        const struct settings *s = m->settings;
        int64_t left_ms = cert_not_after_ms(tls_server_cert(m->tls)) - clock_now_ms();

        if (s->keylime)
                log_warning("compat is keylime: any certificate of tls.client_ca is an admin's%s",
                            s->http ? ", and agents may register over plain HTTP" : "");
        if (s->ek_policy != EK_REQUIRED)
                log_warning("ek.policy is %s: hosts are accepted without a certificate of their TPM's maker",
                            ek_policy_name(s->ek_policy));
        if (s->ek_policy == EK_REQUIRED && trust_count(m->roots) == 0)
                log_warning("ek.roots holds no certificate: put the CAs of your TPMs' makers there and "
                            "reload, no "
                            "host can register before");
        if (!s->tls_client_ca && s->n_grants == 0)
                log_warning("neither tls.client_ca nor roles is set: nobody can administer this registrar");
        if (!m->has_ak_ca)
                log_warning("ak_ca is not set: no AK certificates are issued");
        if (s->revocation_keys->n == 0)
                log_warning("revocations.keys is not set: no verifier's revocations are taken");
        if (!s->audit_key)
                log_warning("audit.key is not set: no audit log is kept");
        if (left_ms <= 0)
                log_warning("tls.cert '%s' has expired: nobody will connect", s->tls_cert);
        else if (left_ms < INT64_C(14) * 86400000)
                log_warning("tls.cert '%s' expires in %lld days", s->tls_cert,
                            (long long)(left_ms / 86400000));
}

/* ---- metrics ---- */

static const char *const registration_names[REG_N] = {"challenged", "malformed", "refused", "conflict",
                                                      "failed"};
static const char *const receive_names[RECV_N] = {"stored", "known", "refused", "failed"};
static const char *const activation_names[ACT_N] = {"activated", "wrong_tag", "unknown", "conflict",
                                                    "failed"};

static int add_family(struct metrics *m, const char *name, const char *help, const char *const *outcomes,
                      size_t n, struct metric_series **ret, struct err *err)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n; i++) {
                const struct metric_label label = {"outcome", outcomes[i]};

                r = metrics_add(m, METRIC_COUNTER, name, help, &label, 1, &ret[i], err);
        }
        return r;
}

static void on_metrics_read(void *ctx)
{
        struct registrar *r = ctx;

        metric_set(r->n_candidates, (int64_t)candidates_expire(r->candidates, clock_now_ms()));
        metric_set(r->cert_end_s, cert_not_after_ms(tls_server_cert(r->material.tls)) / 1000);
}

static int add_metrics(struct registrar *r, struct err *err)
{
        struct metrics *m = ops_metrics(r->ops);
        const struct {
                const char *name, *help;
                struct metric_series **ret;
        } gauges[] = {
                {"avow_registrar_candidates", "Registrations that have proven nothing yet.",
                 &r->n_candidates},
                {"avow_registrar_hosts_active", "Hosts whose TPM has proven itself.", &r->n_active},
                {"avow_registrar_hosts_bound", "Names bound to an EK.", &r->n_bound},
                {"avow_registrar_hosts_tofu", "Names bound by trust on first use.", &r->n_tofu},
                {"avow_registrar_tls_certificate_end_seconds",
                 "When the server's certificate ends, Unix time.", &r->cert_end_s},
        };
        int x = add_family(m, "avow_registrar_registrations", "Registrations by outcome.", registration_names,
                           REG_N, r->registrations, err);

        if (x >= 0)
                x = add_family(m, "avow_registrar_activations", "Activations by outcome.", activation_names,
                               ACT_N, r->activations, err);
        if (x >= 0)
                x = add_family(m, "avow_registrar_revocations", "Revocations from verifiers by outcome.",
                               receive_names, RECV_N, r->revocations, err);
        for (size_t i = 0; x >= 0 && i < ARRAY_LEN(gauges); i++)
                x = metrics_add(m, METRIC_GAUGE, gauges[i].name, gauges[i].help, NULL, 0, gauges[i].ret, err);
        return x < 0 ? x : metrics_on_read(m, on_metrics_read, r, err);
}

static void on_counts(void *ctx, const struct registrar_counts *counts, const struct err *err)
{
        struct registrar *r = ctx;

        if (err)
                return; /* the store's health says it at /readyz */
        metric_set(r->n_active, counts->active);
        metric_set(r->n_bound, counts->bound);
        metric_set(r->n_tofu, counts->tofu);
}

static void on_tick(void *ctx)
{
        struct registrar *r = ctx;
        struct err err = ERR_INIT;

        (void)candidates_expire(r->candidates, clock_now_ms()); /* the number that is left is a metric */
        if (registrar_db_counts(r->db, on_counts, r, &err) < 0)
                log_err(&err, "counting hosts");
        loop_timer_start(r->tick, TICK_MS);
}

static const char *store_ready(void *ctx)
{
        const struct registrar *r = ctx;
        struct err err = ERR_INIT;

        return store_health(registrar_db_store(r->db), &err) < 0 ? "the last write to the database failed"
                                                                 : NULL;
}

static const char *certificate_ready(void *ctx)
{
        const struct registrar *r = ctx;

        return cert_not_after_ms(tls_server_cert(r->material.tls)) <= clock_now_ms() ? "tls.cert has expired"
                                                                                     : NULL;
}

/* ---- signals, watchdog ---- */

static void on_stop(void *ctx, unsigned events)
{
        struct registrar *r = ctx;

        (void)events;
        log_info("stopping");
        (void)sd_notify(0, "STOPPING=1"); /* nobody listens outside systemd */
        loop_stop(r->loop);
}

static int reload(struct registrar *r, struct err *err)
{
        struct material fresh;
        int x = material_load(r->config_path, r->env, &fresh, err);

        if (x < 0)
                return x;
        x = conf_check_reload(r->material.settings->conf, fresh.settings->conf, err);
        if (x >= 0)
                x = http_server_set_tls(r->http, tls_server_ctx(fresh.tls), err);
        if (x < 0) {
                material_done(&fresh);
                return x;
        }
        material_done(&r->material);
        r->material = fresh;
        log_set_level(fresh.settings->log_level);
        return 0;
}

static void on_hup(void *ctx, unsigned events)
{
        struct registrar *r = ctx;
        struct err err = ERR_INIT;

        (void)events;
        (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_mono_ms() * 1000);
        if (reload(r, &err) < 0) {
                log_err(&err, "reload refused, the old configuration stays");
        } else {
                log_info("reloaded");
                warn(&r->material);
        }
        (void)sd_notify(0, "READY=1");
}

static void on_watchdog(void *ctx)
{
        struct registrar *r = ctx;

        (void)sd_notify(0, "WATCHDOG=1");
        loop_timer_start(r->watchdog, r->watchdog_ms);
}

static int add_watches(struct registrar *r, struct err *err)
{
        uint64_t usec = 0;
        int x = loop_signal_new(r->loop, SIGHUP, on_hup, r, &r->on_hup, err);

        if (x >= 0)
                x = loop_signal_new(r->loop, SIGTERM, on_stop, r, &r->on_term, err);
        if (x >= 0)
                x = loop_signal_new(r->loop, SIGINT, on_stop, r, &r->on_int, err);
        if (x >= 0)
                x = loop_timer_new(r->loop, on_tick, r, &r->tick, err);
        if (x >= 0)
                x = loop_timer_new(r->loop, on_watchdog, r, &r->watchdog, err);
        if (x >= 0 && sd_watchdog_enabled(0, &usec) > 0)
                r->watchdog_ms = (int64_t)(usec / 3000);
        return x;
}

/* ---- ports ---- */

static int listen_on(struct registrar *r, const char *name, const char *address, bool tls, struct err *err)
{
        int n = http_server_listen_activated(r->http, name, tls, err);

        if (n != 0 || !address)
                return n < 0 ? n : 0;
        n = http_server_listen(r->http, address, tls, err);
        if (n < 0)
                return err_wrap(err, "listen.%s", name);
        log_info("listening on %s (%s), port %u", address, name, http_server_port(r->http, tls));
        return 0;
}

static int open_server(struct registrar *r, struct err *err)
{
        static const char *const versions[] = {"2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", NULL};
        static const struct ops_options options = {"avow-registrar", versions, "2.6", registrar_openapi};
        const struct settings *s = r->material.settings;
        const struct http_server_options opts = {.limits = {.connections_per_peer = s->connections_per_peer},
                                                 .grants = s->grants,
                                                 .n_grants = s->n_grants,
                                                 .any_certificate_is_admin = s->keylime};
        int x = http_server_new(r->loop, &opts, &r->http, err);

        if (x >= 0)
                x = http_server_set_tls(r->http, tls_server_ctx(r->material.tls), err);
        if (x >= 0)
                x = ops_new(r->http, &options, &r->ops, err);
        if (x >= 0)
                x = ops_add_ready(r->ops, "store", store_ready, r, err);
        if (x >= 0)
                x = ops_add_ready(r->ops, "certificate", certificate_ready, r, err);
        if (x >= 0)
                x = add_metrics(r, err);
        if (x >= 0)
                x = api_v2_add(r, err);
        if (x >= 0)
                x = api_native_add(r, err);
        if (x >= 0)
                x = api_status_add(r, err);
        if (x >= 0)
                x = api_revocations_add(r, err);
        if (x >= 0)
                x = api_proofs_add(r, err);
        if (x >= 0)
                x = api_hooks_add(r, err);
        if (x >= 0)
                x = delivery_new(r->loop, r->hooks, r->db, s, ops_metrics(r->ops), &r->delivery, err);
        if (x >= 0)
                x = keep_new(r->loop, r->hooks, s, ops_metrics(r->ops), &r->keep, err);
        if (x >= 0)
                x = listen_on(r, SOCKET_NAME_HTTPS, s->https, true, err);
        if (x >= 0 && s->http)
                x = listen_on(r, SOCKET_NAME_HTTP, s->http, false, err);
        return x;
}

/* ---- the whole ---- */

static int post(void *ctx, void (*fn)(void *arg), void *arg)
{
        return loop_post(ctx, fn, arg);
}

int registrar_open(const char *config_path, char *const *env, struct registrar **ret, struct err *err)
{
        AUTO(registrar_free_p) struct registrar *r = mem_zalloc(1, sizeof(*r));
        const struct settings *s;
        int x;

        if (!r)
                return err_nomem(err);
        r->config_path = config_path;
        r->env = env;
        x = material_load(config_path, env, &r->material, err);
        if (x < 0)
                return x;
        s = r->material.settings;
        log_set_level(s->log_level);
        x = load_audit_key(r, err);
        if (x >= 0)
                x = loop_new(&r->loop, err);
        if (x >= 0)
                x = registrar_db_open(s->store_url, post, r->loop, r->audit_key, &r->db, err);
        if (x >= 0)
                x = hooks_db_new(registrar_db_store(r->db), r->audit_key, &r->hooks, err);
        if (x >= 0) {
                const struct candidates_limits limits = {s->candidates, s->candidates_per_source,
                                                         s->candidates_per_name, s->candidate_lifetime_ms};

                x = candidates_new(&limits, &r->candidates, err);
        }
        if (x >= 0)
                x = open_server(r, err);
        if (x >= 0)
                x = add_watches(r, err);
        if (x < 0)
                return x;
        warn(&r->material);
        *ret = TAKE(r);
        return 0;
}

int registrar_run(struct registrar *r, struct err *err)
{
        on_tick(r);
        delivery_start(r->delivery);
        keep_start(r->keep);
        if (r->watchdog_ms > 0)
                on_watchdog(r);
        (void)sd_notify(0, "READY=1"); /* nobody listens outside systemd */
        return loop_run(r->loop, err);
}

void registrar_free(struct registrar *r)
{
        if (!r)
                return;
        loop_timer_free(r->tick);
        loop_timer_free(r->watchdog);
        loop_watch_free(r->on_hup);
        loop_watch_free(r->on_term);
        loop_watch_free(r->on_int);
        /* The server closes first; then the database finishes, which answers the requests that wait for it.
         */
        delivery_stop(r->delivery);
        keep_stop(r->keep);
        http_server_free(r->http);
        registrar_db_close(r->db);
        delivery_free(r->delivery);
        keep_free(r->keep);
        hooks_db_free(r->hooks);
        ops_free(r->ops);
        candidates_free(r->candidates);
        audit_key_free(r->audit_key);
        material_done(&r->material);
        loop_free(r->loop);
        free(r);
}

/* ---- for the handlers ---- */

const char *peer_tenant(const struct http_request *req)
{
        const struct http_peer *peer = http_request_peer(req);

        return peer->tenant[0] ? peer->tenant : NULL;
}

void answer_native_failure(struct http_request *req, const char *doing, const struct err *err)
{
        log_err(err, "%s (request %s)", doing, http_request_id(req));
        http_answer_problem(req, 500, NULL, "%s failed: %s", doing, err_kind_name(err->kind));
}

char *peer_actor(const struct http_request *req)
{
        const struct http_peer *peer = http_request_peer(req);
        struct buf text = {0};

        buf_escaped(&text, view_str(peer->name[0] ? peer->name : "?"));
        buf_str(&text, " (");
        role_text(peer->roles, &text);
        buf_fmt(&text, ") at %s", peer->address);
        return buf_take_str(&text);
}

struct enrol_rules registrar_rules(const struct registrar *r)
{
        const struct settings *s = r->material.settings;

        return (struct enrol_rules){s->ek_policy, s->ek_malformed, r->material.roots};
}
