/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registrar's configuration. What would make it weaker than its default (an EK policy other than
 * `required`, plain HTTP, Keylime's rule for admins) has to be written down by name; what contradicts itself
 * is refused at start with the place in the file.
 *
 * Spec: contracts (configuration keys), SR-9, SR-12.
 */
#include "settings.h"

#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "networks.h"

static const char *const policies[] = {"required", "preferred", "off", NULL};
static const char *const malformed[] = {"warn", "reject", "ignore", NULL};
static const char *const compats[] = {"none", "keylime", NULL};

static const struct conf_key role_keys[] = {
        {.path = "key_sha256",
         .type = CONF_STR,
         .flags = CONF_REQUIRED,
         .help = "SHA-256 (hex) of a client certificate's public key (SubjectPublicKeyInfo)"},
        {.path = "roles", .type = CONF_LIST, .flags = CONF_REQUIRED, .help = "the roles that its holder has"},
};

static const struct conf_key exec_keys[] = {
        {.path = "name", .type = CONF_STR, .flags = CONF_REQUIRED, .help = "the hook's name"},
        {.path = "program",
         .type = CONF_STR,
         .flags = CONF_REQUIRED,
         .help = "the program's name in hooks.programs"},
        {.path = "timeout",
         .type = CONF_DURATION,
         .def = "10s",
         .min = 100,
         .max = 600000,
         .help = "how long it may run"},
        {.path = "tenant", .type = CONF_STR, .def = "default", .help = "whose hosts"},
        {.path = "hosts", .type = CONF_LIST, .help = "of these hosts only"},
        {.path = "policies", .type = CONF_LIST, .help = "of these policies only"},
        {.path = "severities", .type = CONF_LIST, .help = "of these severities only"},
        {.path = "reactions", .type = CONF_LIST, .help = "suspend, destroy, reinstate: these only"},
};

static const struct conf_key keys[] = {
        {.path = "listen.https",
         .type = CONF_STR,
         .def = "127.0.0.1:8891",
         .flags = CONF_RESTART,
         .help = "address and port for HTTPS"},
        {.path = "listen.http",
         .type = CONF_STR,
         .flags = CONF_RESTART,
         .help = "address and port for plain HTTP; off unless compat is keylime (then 127.0.0.1:8890)"},
        {.path = "tls.cert",
         .type = CONF_PATH,
         .flags = CONF_REQUIRED,
         .help = "certificate chain, PEM, leaf first"},
        {.path = "tls.key", .type = CONF_PATH, .flags = CONF_REQUIRED, .help = "its private key, PEM"},
        {.path = "tls.client_ca", .type = CONF_PATH, .help = "whose client certificates may carry roles"},
        {.path = "tls.crl", .type = CONF_PATH, .help = "revoked client certificates, PEM"},
        {.path = "store.url",
         .type = CONF_STR,
         .def = "sqlite:" AVOW_STATEDIR "/registrar/registrar.db",
         .flags = CONF_RESTART,
         .help = "the database"},
        {.path = "ek.policy",
         .type = CONF_STR,
         .def = "required",
         .choices = policies,
         .help = "does a host need an EK certificate from ek.roots? required, preferred or off"},
        {.path = "ek.roots", .type = CONF_PATHS, .help = "files or folders with CAs of TPM makers"},
        {.path = "ek.malformed",
         .type = CONF_STR,
         .def = "warn",
         .choices = malformed,
         .help = "EK certificates that are not strict DER: warn, reject or ignore"},
        {.path = "ak_ca.cert", .type = CONF_PATH, .help = "CA that issues AK certificates, PEM"},
        {.path = "ak_ca.key", .type = CONF_PATH, .help = "its private key, PEM"},
        {.path = "audit.key",
         .type = CONF_PATH,
         .flags = CONF_RESTART,
         .help = "P-256 key that signs the audit log, PEM"},
        {.path = "limits.candidates",
         .type = CONF_INT,
         .def = "4096",
         .min = 16,
         .max = 65536,
         .flags = CONF_RESTART,
         .help = "unproven registrations in all"},
        {.path = "limits.candidates_per_source",
         .type = CONF_INT,
         .def = "256",
         .min = 1,
         .max = 65536,
         .flags = CONF_RESTART,
         .help = "unproven registrations from one address"},
        {.path = "limits.candidates_per_name",
         .type = CONF_INT,
         .def = "16",
         .min = 1,
         .max = 1000,
         .flags = CONF_RESTART,
         .help = "unproven registrations for one name"},
        {.path = "limits.candidate_lifetime",
         .type = CONF_DURATION,
         .def = "5m",
         .min = 1000,
         .max = 3600000,
         .flags = CONF_RESTART,
         .help = "how long a registration may wait for its activation"},
        {.path = "limits.connections_per_peer",
         .type = CONF_INT,
         .def = "64",
         .min = 1,
         .max = 1000000,
         .flags = CONF_RESTART,
         .help = "open connections from one address"},
        {.path = "roles",
         .type = CONF_MAPS,
         .item = role_keys,
         .n_item = ARRAY_LEN(role_keys),
         .flags = CONF_RESTART,
         .help = "roles by key, beside those in certificates"},
        {.path = "compat",
         .type = CONF_STR,
         .def = "none",
         .choices = compats,
         .flags = CONF_RESTART,
         .help = "keylime: plain HTTP, and any certificate of tls.client_ca is an admin's"},
        {.path = "revocations.keys",
         .type = CONF_PATHS,
         .help = "public keys (PEM) or key sets (JWKS) of the verifiers whose revocations are taken"},
        {.path = "revocations.keep",
         .type = CONF_DURATION,
         .def = "90d",
         .min = 1000,
         .max = 36500 * 86400000LL,
         .flags = CONF_RESTART,
         .help = "how long a revocation is kept that every hook has got"},
        {.path = "revocations.keep_number",
         .type = CONF_INT,
         .def = "100000",
         .min = 0,
         .max = 1000000000,
         .flags = CONF_RESTART,
         .help = "how many of them at most"},
        {.path = "hooks.timeout",
         .type = CONF_DURATION,
         .def = "10s",
         .min = 100,
         .max = 120000,
         .flags = CONF_RESTART,
         .help = "how long a consumer may take to answer"},
        {.path = "hooks.attempts",
         .type = CONF_INT,
         .def = "24",
         .min = 1,
         .max = 10000,
         .flags = CONF_RESTART,
         .help = "attempts before a delivery is parked"},
        {.path = "hooks.backoff_first",
         .type = CONF_DURATION,
         .def = "1s",
         .min = 10,
         .max = 3600000,
         .flags = CONF_RESTART,
         .help = "the wait after the first failure; it doubles with each"},
        {.path = "hooks.backoff_max",
         .type = CONF_DURATION,
         .def = "30m",
         .min = 10,
         .max = 86400000,
         .flags = CONF_RESTART,
         .help = "the longest wait between attempts"},
        {.path = "hooks.concurrency",
         .type = CONF_INT,
         .def = "8",
         .min = 1,
         .max = 256,
         .flags = CONF_RESTART,
         .help = "deliveries to one hook at a time, each of another host"},
        {.path = "hooks.private_addresses",
         .type = CONF_BOOL,
         .def = "false",
         .flags = CONF_RESTART,
         .help = "may webhooks lead to loopback, link-local and private addresses?"},
        {.path = "hooks.networks",
         .type = CONF_LIST,
         .flags = CONF_RESTART,
         .help = "networks that webhooks may lead to though they are private: 10.1.0.0/16, fd00::/8"},
        {.path = "hooks.plain_http",
         .type = CONF_BOOL,
         .def = "false",
         .flags = CONF_RESTART,
         .help = "may webhooks be http:// addresses?"},
        {.path = "hooks.ca",
         .type = CONF_PATH,
         .def = "/etc/ssl/certs/ca-certificates.crt",
         .flags = CONF_RESTART,
         .help = "the CAs that webhooks without one of their own trust, PEM"},
        {.path = "hooks.journal",
         .type = CONF_BOOL,
         .def = "true",
         .flags = CONF_RESTART,
         .help = "write each revocation to the journal, as the hook \"journal\""},
        {.path = "hooks.programs",
         .type = CONF_PATH,
         .def = AVOW_SYSCONFDIR "/hooks.d",
         .flags = CONF_RESTART,
         .help = "the folder with the programs of hooks.exec, root's"},
        {.path = "hooks.exec",
         .type = CONF_MAPS,
         .item = exec_keys,
         .n_item = ARRAY_LEN(exec_keys),
         .flags = CONF_RESTART,
         .help = "programs that get each event on their standard input"},
        {.path = "log.level",
         .type = CONF_STR,
         .def = "info",
         .choices = log_level_names,
         .help = "error, warning, info or debug"},
};

const struct conf_schema registrar_conf_schema = {"registrar", keys, ARRAY_LEN(keys)};

const char *ek_policy_name(enum ek_policy policy)
{
        return policies[policy];
}

static int read_grant(const struct conf *item, struct http_grant *ret, struct err *err)
{
        const struct strv *roles = conf_list(item, "roles");
        struct err why = ERR_INIT;

        if (hex_decode_exact(view_str(conf_str(item, "key_sha256")), ret->spki_sha256, 32, &why) < 0)
                return conf_err(item, "key_sha256", err, "expected 64 lower-case hex digits");
        for (size_t i = 0; i < roles->n; i++) {
                uint32_t role = role_by_name(roles->items[i]);

                if (!role)
                        return conf_err(item, "roles", err, "%s is no role", SHOW(roles->items[i]));
                ret->roles |= role;
        }
        return 0;
}

static int read_grants(struct settings *s, struct err *err)
{
        size_t n = conf_n_items(s->conf, "roles");

        if (n == 0)
                return 0;
        s->grants = mem_zalloc(n, sizeof(*s->grants));
        if (!s->grants)
                return err_nomem(err);
        for (size_t i = 0; i < n; i++) {
                int r = read_grant(conf_item(s->conf, "roles", i), &s->grants[i], err);

                if (r < 0)
                        return r;
        }
        s->n_grants = n;
        return 0;
}

static int check_hooks(const struct settings *s, struct err *err)
{
        struct network network;

        for (size_t i = 0; i < s->hooks.networks->n; i++)
                if (!network_parse(s->hooks.networks->items[i], &network))
                        return conf_err(s->conf, "hooks.networks", err,
                                        "%s is no network: expected 10.1.0.0/16",
                                        SHOW(s->hooks.networks->items[i]));
        for (size_t i = 0; i < conf_n_items(s->conf, "hooks.exec"); i++) {
                const struct conf *item = conf_item(s->conf, "hooks.exec", i);

                if (!str_valid_name(conf_str(item, "name")) || str_equal(conf_str(item, "name"), "journal"))
                        return conf_err(item, "name", err,
                                        "a hook's name is 1 to 64 of [A-Za-z0-9_.-], and "
                                        "not \"journal\"");
                if (!str_valid_host_id(conf_str(item, "program")))
                        return conf_err(item, "program", err,
                                        "a file's name in hooks.programs, without a folder");
        }
        return 0;
}

/* What contradicts itself. */
static int check(const struct settings *s, struct err *err)
{
        if (s->ek_policy == EK_REQUIRED && s->ek_roots->n == 0)
                return conf_err(
                        s->conf, "ek.roots", err,
                        "needed while ek.policy is required: name the folder with the TPM makers' CAs");
        if (!s->ak_ca_cert != !s->ak_ca_key)
                return conf_err(s->conf, s->ak_ca_cert ? "ak_ca.cert" : "ak_ca.key", err,
                                "ak_ca.cert and ak_ca.key go together");
        if (s->tls_crl && !s->tls_client_ca)
                return conf_err(s->conf, "tls.crl", err, "needs tls.client_ca");
        if (s->http && !s->keylime)
                return conf_err(
                        s->conf, "listen.http", err,
                        "plain HTTP is for Keylime's agents only: say compat: keylime, or leave it out");
        return check_hooks(s, err);
}

static void fill(struct settings *s, const struct conf *c)
{
        s->https = conf_str(c, "listen.https");
        s->keylime = strcmp(conf_str(c, "compat"), "keylime") == 0;
        s->http = conf_str(c, "listen.http");
        if (!s->http && s->keylime)
                s->http = "127.0.0.1:8890";
        s->tls_cert = conf_str(c, "tls.cert");
        s->tls_key = conf_str(c, "tls.key");
        s->tls_client_ca = conf_str(c, "tls.client_ca");
        s->tls_crl = conf_str(c, "tls.crl");
        s->store_url = conf_str(c, "store.url");
        s->ak_ca_cert = conf_str(c, "ak_ca.cert");
        s->ak_ca_key = conf_str(c, "ak_ca.key");
        s->audit_key = conf_str(c, "audit.key");
        s->ek_roots = conf_list(c, "ek.roots");
        for (size_t i = 0; policies[i]; i++)
                if (strcmp(policies[i], conf_str(c, "ek.policy")) == 0)
                        s->ek_policy = (enum ek_policy)i;
        (void)!cert_malformed_by_name(conf_str(c, "ek.malformed"), &s->ek_malformed); /* one of the choices */
        s->candidates = (size_t)conf_int(c, "limits.candidates");
        s->candidates_per_source = (size_t)conf_int(c, "limits.candidates_per_source");
        s->candidates_per_name = (size_t)conf_int(c, "limits.candidates_per_name");
        s->candidate_lifetime_ms = conf_int(c, "limits.candidate_lifetime");
        s->revocation_keys = conf_list(c, "revocations.keys");
        s->keep_ms = conf_int(c, "revocations.keep");
        s->keep_n = conf_int(c, "revocations.keep_number");
        s->hooks = (struct hook_settings){
                .timeout_ms = conf_int(c, "hooks.timeout"),
                .backoff_first_ms = conf_int(c, "hooks.backoff_first"),
                .backoff_max_ms = conf_int(c, "hooks.backoff_max"),
                .attempts = (size_t)conf_int(c, "hooks.attempts"),
                .concurrency = (size_t)conf_int(c, "hooks.concurrency"),
                .private_addresses = conf_bool(c, "hooks.private_addresses"),
                .plain_http = conf_bool(c, "hooks.plain_http"),
                .journal = conf_bool(c, "hooks.journal"),
                .networks = conf_list(c, "hooks.networks"),
                .ca = conf_str(c, "hooks.ca"),
                .programs = conf_str(c, "hooks.programs"),
        };
        s->connections_per_peer = (size_t)conf_int(c, "limits.connections_per_peer");
}

int settings_of(struct conf *conf, struct settings **ret, struct err *err)
{
        AUTO(settings_free_p)
        struct settings *s = mem_zalloc(1, sizeof(*s));
        int r;

        if (!s) {
                conf_free(conf);
                return err_nomem(err);
        }
        s->conf = conf;
        fill(s, conf);
        r = log_level_by_name(conf_str(conf, "log.level"), &s->log_level, err);
        if (r >= 0)
                r = read_grants(s, err);
        if (r >= 0)
                r = check(s, err);
        if (r >= 0)
                *ret = TAKE(s);
        return r;
}

int settings_load(const char *file, char *const *env, struct settings **ret, struct err *err)
{
        struct conf *conf = NULL;
        int r = conf_load(&registrar_conf_schema, file, false, env, &conf, err);

        return r < 0 ? r : settings_of(conf, ret, err);
}

void settings_free(struct settings *s)
{
        if (!s)
                return;
        conf_free(s->conf);
        free(s->grants);
        free(s);
}
