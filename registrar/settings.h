/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_REGISTRAR_SETTINGS_H
#define AVOW_REGISTRAR_SETTINGS_H

#include <stdbool.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/log.h"
#include "crypto/cert.h"
#include "http/server.h"

/* avow-registrar's configuration: the table of its keys, and their values in the types that the code uses. */
extern const struct conf_schema registrar_conf_schema;

/* How much an EK certificate counts. Anything but required is a finding of the host (SR-9). */
enum ek_policy {
        EK_REQUIRED,  /* no host without a certificate that chains to ek.roots */
        EK_PREFERRED, /* judged, and accepted with a finding if it fails or is missing */
        EK_OFF,       /* only compared with the EK */
};
const char *ek_policy_name(enum ek_policy policy);

/* How revocations are delivered. */
struct hook_settings {
        int64_t timeout_ms, backoff_first_ms, backoff_max_ms;
        size_t attempts, concurrency;
        bool private_addresses, plain_http, journal;
        const struct strv *networks; /* allowed beside public addresses: "10.1.0.0/16" */
        const char *ca;              /* whom webhooks without a CA of their own trust */
        const char *programs;        /* the folder of exec hooks */
};

struct settings {
        struct conf *conf; /* owns every text below */
        const char *https, *http;
        const char *tls_cert, *tls_key, *tls_client_ca, *tls_crl;
        const char *store_url;
        const char *ak_ca_cert, *ak_ca_key; /* both NULL: no AK certificates are issued */
        const char *audit_key;              /* NULL: no audit log */
        enum ek_policy ek_policy;
        enum cert_malformed ek_malformed;
        const struct strv *ek_roots;
        size_t candidates, candidates_per_source, candidates_per_name;
        int64_t candidate_lifetime_ms;
        size_t connections_per_peer;
        bool keylime; /* compat: keylime */
        struct http_grant *grants;
        size_t n_grants;
        enum log_level log_level;
        struct hook_settings hooks;
        const struct strv *revocation_keys; /* files: whose revocations are taken */
        int64_t keep_ms, keep_n;            /* how long, and how many of them, when they are delivered */
};

/* Reads FILE, FILE.d and the environment. Return: 0; -ERR_CONFIG, -ERR_IO, -ERR_LIMIT, -ERR_NOMEM. */
int settings_load(const char *file, char *const *env, struct settings **ret, struct err *err) MUST_USE;
/* From a conf that was read already, which it takes over, also on failure. */
int settings_of(struct conf *conf, struct settings **ret, struct err *err) MUST_USE;
void settings_free(struct settings *s);
DEFINE_AUTO(struct settings, settings_free)

#endif
