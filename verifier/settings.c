/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier's configuration: the table of its keys, and the numbers that the rest works with. What can be
 * changed while it runs is everything that is not bound to a socket or a file that stays open.
 */
#include "verifier/settings.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/mem.h"

static const char *const compat_names[] = {"none", "keylime", NULL};
static const char *const monitor_names[] = {"none", "trust-monitor", NULL};

static const struct conf_key grant_keys[] = {
        {.path = "key_sha256",
         .type = CONF_STR,
         .flags = CONF_REQUIRED,
         .help = "SHA-256 of the certificate's key"},
        {.path = "roles", .type = CONF_LIST, .flags = CONF_REQUIRED, .help = "what its holder may do"},
};

static const struct conf_key signer_keys[] = {
        {.path = "name", .type = CONF_STR, .flags = CONF_REQUIRED, .help = "what they are called"},
        {.path = "key", .type = CONF_PATH, .flags = CONF_REQUIRED, .help = "their EC public key, PEM"},
};

static const struct conf_key adapter_keys[] = {
        {.path = "name", .type = CONF_STR, .flags = CONF_REQUIRED, .help = "enarx or spiffe"},
        {.path = "roots",
         .type = CONF_PATHS,
         .flags = CONF_REQUIRED,
         .help = "who vouches for its workloads"},
        {.path = "crls", .type = CONF_PATHS, .help = "what they took back"},
        {.path = "uses",
         .type = CONF_LIST,
         .def = "1.3.6.1.5.5.7.3.2",
         .help = "extended key usages, one of which a certificate must name"},
        {.path = "simulated", .type = CONF_BOOL, .def = "false", .help = "take keys outside of any TEE"},
};

#define DAY (86400 * 1000LL)

static const struct conf_key keys[] = {
        {.path = "listen.https",
         .type = CONF_STR,
         .def = "127.0.0.1:8881",
         .flags = CONF_RESTART,
         .help = "address and port; also from systemd's socket activation (https)"},
        {.path = "store.generation",
         .type = CONF_PATH,
         .flags = CONF_RESTART,
         .help = "file that tells a database that was put back; default: `generation` beside it"},
        {.path = "tls.cert",
         .type = CONF_PATH,
         .flags = CONF_REQUIRED,
         .help = "server certificate chain, PEM"},
        {.path = "tls.key", .type = CONF_PATH, .flags = CONF_REQUIRED, .help = "its key, PEM"},
        {.path = "tls.client_ca", .type = CONF_PATH, .help = "who signs administrators' certificates"},
        {.path = "tls.crl", .type = CONF_PATH, .help = "certificates that were taken back"},
        {.path = "store.url",
         .type = CONF_STR,
         .def = "sqlite:" AVOW_STATEDIR "/verifier/verifier.db",
         .flags = CONF_RESTART,
         .help = "sqlite:PATH"},
        {.path = "registrar.url",
         .type = CONF_STR,
         .flags = CONF_RESTART,
         .help = "https://HOST:8891, for the keys of hosts to enrol"},
        {.path = "registrar.ca", .type = CONF_PATH, .help = "who signs the registrar's certificate"},
        {.path = "registrar.cert", .type = CONF_PATH, .help = "our certificate there, role verifier"},
        {.path = "registrar.key", .type = CONF_PATH, .help = "its key"},
        {.path = "audit.key",
         .type = CONF_PATH,
         .flags = CONF_RESTART,
         .help = "P-256 key that signs the audit log"},
        {.path = "revocation.key", .type = CONF_PATH, .help = "P-256 key that signs revocations"},
        {.path = "release.key",
         .type = CONF_PATH,
         .help = "P-256 key that signs releases of secrets; approvals name its public half"},
        {.path = "ear.key", .type = CONF_PATH, .help = "P-256 key that signs attestation results"},
        {.path = "ear.issuer",
         .type = CONF_STR,
         .help = "their issuer; urn:avow:verifier:ID where nothing is said"},
        {.path = "ear.lifetime",
         .type = CONF_DURATION,
         .def = "5m",
         .min = 1000,
         .max = DAY,
         .help = "how long a result is good for at most; never beyond the deadline of the next evidence"},
        {.path = "challenge.lifetime",
         .type = CONF_DURATION,
         .def = "60s",
         .min = 5000,
         .max = 3600 * 1000,
         .help = "of challenges to avow agents (never less than a host's interval and grace)"},
        {.path = "challenge.surprise",
         .type = CONF_INT,
         .def = "8",
         .min = 0,
         .max = 1000,
         .help = "one answer in so many is followed by a challenge of five seconds; 0: none"},
        {.path = "interval.default",
         .type = CONF_DURATION,
         .def = "30s",
         .min = 500,
         .max = DAY,
         .help = "between two attestations, where neither host nor policy say"},
        {.path = "lease",
         .type = CONF_DURATION,
         .def = "0s",
         .max = 30 * DAY,
         .help = "how long a pass is good for, where the policy does not say; 0s: two intervals"},
        {.path = "late_after",
         .type = CONF_DURATION,
         .def = "0s",
         .max = 30 * DAY,
         .help = "silence that makes a host late; 0s: interval and grace"},
        {.path = "lost_after",
         .type = CONF_DURATION,
         .def = "0s",
         .max = 30 * DAY,
         .help = "silence that makes a host lost; 0s: five intervals"},
        {.path = "history.bundles",
         .type = CONF_INT,
         .def = "3",
         .min = 1,
         .max = 10000,
         .help = "pieces of evidence kept per host beside every change of its verdict"},
        {.path = "history.bytes",
         .type = CONF_SIZE,
         .def = "64MiB",
         .min = 65536,
         .max = INT64_MAX,
         .help = "of evidence per host"},
        {.path = "history.total",
         .type = CONF_SIZE,
         .def = "10GiB",
         .min = 65536,
         .max = INT64_MAX,
         .help = "of evidence in all"},
        {.path = "limits.sessions_per_minute",
         .type = CONF_INT,
         .def = "600",
         .min = 1,
         .max = 1000000,
         .help = "session requests from one address"},
        {.path = "limits.connections_per_peer",
         .type = CONF_INT,
         .def = "64",
         .flags = CONF_RESTART,
         .min = 1,
         .max = 1000000,
         .help = "from one address"},
        {.path = "limits.connections",
         .type = CONF_INT,
         .def = "10000",
         .flags = CONF_RESTART,
         .min = 8,
         .max = 1000000,
         .help = "in all"},
        {.path = "limits.body",
         .type = CONF_SIZE,
         .def = "8MiB",
         .flags = CONF_RESTART,
         .min = 65536,
         .max = INT64_MAX,
         .help = "of a request"},
        {.path = "limits.ima",
         .type = CONF_SIZE,
         .def = "128MiB",
         .min = 1048576,
         .max = 1073741824,
         .help = "of a host's measurement list, in all its parts"},
        {.path = "limits.gathering",
         .type = CONF_SIZE,
         .def = "512MiB",
         .min = 1048576,
         .max = INT64_MAX,
         .help = "of lists of all hosts that wait for their other parts"},
        {.path = "revocation.deadline",
         .type = CONF_DURATION,
         .def = "60s",
         .min = 1000,
         .max = 30 * DAY,
         .help = "until the wipe that a revocation asks for has to be proven"},
        {.path = "fuse.hosts",
         .type = CONF_INT,
         .def = "5",
         .min = 0,
         .max = 1000000,
         .help = "more hosts than these to be destroyed, and nothing is before a second person agrees"},
        {.path = "fuse.percent",
         .type = CONF_INT,
         .def = "2",
         .min = 0,
         .max = 100,
         .help = "and more than so many percent of them"},
        {.path = "fuse.within",
         .type = CONF_DURATION,
         .def = "10m",
         .min = 1000,
         .max = 30 * DAY,
         .help = "counted over so long"},
        {.path = "clock.tolerance",
         .type = CONF_DURATION,
         .def = "5s",
         .min = 0,
         .max = 3600 * 1000,
         .help = "between a TPM's clock and ours, beside 35 %"},
        {.path = "compat",
         .type = CONF_STR,
         .def = "none",
         .choices = compat_names,
         .flags = CONF_RESTART,
         .help = "keylime: any certificate of tls.client_ca is an administrator"},
        {.path = "roles",
         .type = CONF_MAPS,
         .item = grant_keys,
         .n_item = ARRAY_LEN(grant_keys),
         .flags = CONF_RESTART,
         .help = "roles given to keys"},
        {.path = "endorsements.dir",
         .type = CONF_PATH,
         .def = AVOW_CACHEDIR "/endorsements",
         .help = "what vouches for processors (SEV-SNP, TDX, SGX), as `avow endorsements` fills it"},
        {.path = "endorsements.roots",
         .type = CONF_PATHS,
         .help = "roots of processors' vendors, PEM, in place of those that are compiled in"},
        {.path = "policy.signers",
         .type = CONF_MAPS,
         .item = signer_keys,
         .n_item = ARRAY_LEN(signer_keys),
         .help = "whose signatures on policies count"},
        {.path = "policy.signatures",
         .type = CONF_INT,
         .def = "0",
         .min = 0,
         .max = 16,
         .help = "how many of them a policy needs to be pushed; 0: unsigned ones are taken, too"},
        {.path = "workloads.enabled",
         .type = CONF_BOOL,
         .def = "false",
         .flags = CONF_RESTART,
         .help = "verify workloads: /avow/v1/workloads"},
        {.path = "workloads.compat",
         .type = CONF_STR,
         .def = "none",
         .choices = monitor_names,
         .flags = CONF_RESTART,
         .help = "trust-monitor: its interface, too (/entity, /whitelist, /attest_entity, …)"},
        {.path = "workloads.adapters",
         .type = CONF_MAPS,
         .item = adapter_keys,
         .n_item = ARRAY_LEN(adapter_keys),
         .help = "kinds of attesters, and who vouches for each"},
        {.path = "workloads.max_age",
         .type = CONF_DURATION,
         .def = "0s",
         .min = 0,
         .max = 3650 * DAY,
         .help = "of a workload's certificate; 0s: as long as it lives"},
        {.path = "workloads.per_minute",
         .type = CONF_INT,
         .def = "600",
         .min = 1,
         .max = 100000000,
         .help = "requests of one address"},
        {.path = "log.level",
         .type = CONF_STR,
         .def = "info",
         .choices = log_level_names,
         .help = "what is logged"},
};
static const struct conf_schema schema = {"verifier", keys, ARRAY_LEN(keys)};

static int read_grant(const struct conf *item, struct http_grant *ret, struct err *err)
{
        const struct strv *names = conf_list(item, "roles");

        if (hex_decode_exact(view_str(conf_str(item, "key_sha256")), ret->spki_sha256, 32, err) < 0) {
                err_clear(err);
                return conf_err(item, "key_sha256", err, "expected 64 lower-case hex digits");
        }
        ret->roles = 0;
        for (size_t i = 0; i < names->n; i++) {
                uint32_t role = role_by_name(names->items[i]);

                if (!role)
                        return conf_err(item, "roles", err, "'%s' is no role", names->items[i]);
                ret->roles |= role;
        }
        return 0;
}

static int read_grants(struct settings *s, struct err *err)
{
        s->n_grants = conf_n_items(s->conf, "roles");
        s->grants = mem_zalloc(s->n_grants, sizeof(*s->grants));
        if (!s->grants)
                return err_nomem(err);
        for (size_t i = 0; i < s->n_grants; i++) {
                int r = read_grant(conf_item(s->conf, "roles", i), &s->grants[i], err);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_settings(struct settings *s, struct err *err)
{
        const struct conf *c = s->conf;
        enum log_level level;

        s->interval_ms = conf_int(c, "interval.default");
        s->lease_ms = conf_int(c, "lease");
        s->late_after_ms = conf_int(c, "late_after");
        s->lost_after_ms = conf_int(c, "lost_after");
        s->challenge_ms = conf_int(c, "challenge.lifetime");
        s->surprise = conf_int(c, "challenge.surprise");
        s->ear_lifetime_ms = conf_int(c, "ear.lifetime");
        s->tolerance_ms = conf_int(c, "clock.tolerance");
        s->wipe_ms = conf_int(c, "revocation.deadline");
        s->fuse = (struct fuse_limits){.hosts = conf_int(c, "fuse.hosts"),
                                       .percent = conf_int(c, "fuse.percent"),
                                       .within_ms = conf_int(c, "fuse.within")};
        s->sessions_per_minute = conf_int(c, "limits.sessions_per_minute");
        s->keylime_admins = str_equal(conf_str(c, "compat"), "keylime");
        s->history = (struct history_limits){.n_bundles = conf_int(c, "history.bundles"),
                                             .bytes = conf_int(c, "history.bytes"),
                                             .total_bytes = conf_int(c, "history.total")};
        s->limits = (struct http_limits){
                .connections_per_peer = (size_t)conf_int(c, "limits.connections_per_peer"),
                .connections = (size_t)conf_int(c, "limits.connections"),
                .anonymous_body_bytes = (size_t)conf_int(c, "limits.body"),
        };
        s->gather = (struct gather_limits){.host_bytes = (size_t)conf_int(c, "limits.ima"),
                                           .all_bytes = (size_t)conf_int(c, "limits.gathering")};
        if (log_level_by_name(conf_str(c, "log.level"), &level, err) < 0)
                return -(int)err->kind;
        s->log_level = (int)level;
        if (conf_str(c, "registrar.url") &&
            (!conf_str(c, "registrar.ca") || !conf_str(c, "registrar.cert") || !conf_str(c, "registrar.key")))
                return conf_err(c, "registrar.url", err,
                                "needs registrar.ca, registrar.cert and registrar.key as well");
        if (conf_bool(c, "workloads.enabled") && conf_n_items(c, "workloads.adapters") == 0)
                return conf_err(c, "workloads.enabled", err,
                                "needs workloads.adapters: who vouches for workloads");
        return read_grants(s, err);
}

static int finish(struct settings *s, int r, struct settings *ret, struct err *err)
{
        if (r >= 0)
                r = read_settings(s, err);
        if (r < 0) {
                settings_done(s);
                return r;
        }
        *ret = *s;
        return 0;
}

int settings_load(const char *file, struct settings *ret, struct err *err)
{
        struct settings s = {.conf = NULL};

        return finish(&s, conf_load(&schema, file, false, environ, &s.conf, err), ret, err);
}

int settings_parse(struct view text, const char *name, struct settings *ret, struct err *err)
{
        struct settings s = {.conf = NULL};

        return finish(&s, conf_parse(&schema, text, name, &s.conf, err), ret, err);
}

void settings_done(struct settings *s)
{
        conf_free(s->conf);
        free(s->grants);
        *s = (struct settings){.conf = NULL};
}
