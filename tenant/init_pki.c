/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys and certificates of `avow init`: one CA for the servers and for the people who administer them, a
 * CA of its own for AK certificates (whoever believes those need not believe the other), a certificate for
 * each role, the keys that sign the audit logs, and those that the verifier signs revocations, releases and
 * results with. All keys are P-256.
 *
 * Who may do what stands in the certificates as URIs, and each role has a certificate of its own, so that a
 * person or a script gets the one that it needs and no other.
 *
 * Spec: SR-12 (roles), contracts (Roles).
 */
#include <arpa/inet.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "crypto/cert.h"
#include "crypto/jws.h"
#include "crypto/key.h"
#include "tenant/init.h"

#define DAY_MS    86400000LL
#define CA_DAYS   3650
#define NAMES_MAX (OPTION_LIST_MAX + 8)

struct holder {
        const char *name; /* of its files, and in the common name */
        enum cert_kind kind;
        const char *uris[3];
        const char *owner;
        const char *cert_what, *key_what;
};

#define ROLE "urn:avow:role:"

static const struct holder holders[] = {
        {"registrar",
         CERT_KIND_BOTH,
         {ROLE "registrar"},
         "avow-registrar",
         "the registrar's certificate",
         "its private key"},
        {"verifier",
         CERT_KIND_BOTH,
         {ROLE "verifier"},
         "avow-verifier",
         "the verifier's certificate, as a server and at the registrar",
         "its private key"},
        {"admin",
         CERT_KIND_CLIENT,
         {ROLE "admin"},
         NULL,
         "certificate: may do everything",
         "its private key"},
        {"policy-admin",
         CERT_KIND_CLIENT,
         {ROLE "policy-admin"},
         NULL,
         "certificate: may change policies",
         "its private key"},
        {"hook-admin",
         CERT_KIND_CLIENT,
         {ROLE "hook-admin"},
         NULL,
         "certificate: may change hooks",
         "its private key"},
        {"tenant",
         CERT_KIND_CLIENT,
         {ROLE "tenant", "urn:avow:tenant:default"},
         NULL,
         "certificate: tenant 'default'",
         "its private key"},
        {"auditor",
         CERT_KIND_CLIENT,
         {ROLE "auditor"},
         NULL,
         "certificate: may read everything",
         "its private key"},
        {"recovery",
         CERT_KIND_CLIENT,
         {ROLE "recovery"},
         NULL,
         "certificate: may reinstate hosts",
         "its private key"},
};

static int add_key(struct init_items *items, const char *name, const char *owner, const char *what,
                   const struct key *key, struct err *err)
{
        AUTO(mem_free_p) char *path = str_fmt("pki/%s.key", name);
        struct secret pem = {0};
        int r;

        if (!path)
                return err_nomem(err);
        r = key_pem(key, &pem, err);
        return r < 0 ? r : init_add_secret(items, path, owner, what, &pem, err);
}

static int add_cert(struct init_items *items, const char *name, const char *what, const struct cert *cert,
                    struct err *err)
{
        AUTO(mem_free_p) char *path = str_fmt("pki/%s.pem", name);
        char *pem = NULL;
        int r;

        if (!path)
                return err_nomem(err);
        r = cert_pem(cert, &pem, err);
        return r < 0 ? r : init_add_text(items, path, 0644, what, pem, err);
}

/* A key, and the certificate that SPEC describes, signed by ISSUER or, if that is NULL, by itself. */
static int make_pair(const struct cert_spec *spec, const struct cert *issuer, const struct key *issuer_key,
                     struct cert **ret_cert, struct key **ret_key, struct err *err)
{
        AUTO(key_free_p) struct key *key = NULL;
        AUTO(pubkey_free_p) struct pubkey *public = NULL;
        int r;

        r = key_generate_ec(CURVE_P256, &key, err);
        if (r == 0)
                r = key_public(key, &public, err);
        if (r == 0)
                r = cert_issue(spec, public, issuer, issuer ? issuer_key : key, ret_cert, err);
        if (r < 0)
                return err_wrap(err, "certificate of '%s'", spec->cn);
        *ret_key = TAKE(key);
        return 0;
}

static int add_ca(const struct init_plan *p, struct init_items *items, const char *name, const char *cn,
                  const char *owner, const char *cert_what, const char *key_what, struct cert **ret_cert,
                  struct key **ret_key, struct err *err)
{
        struct cert_spec spec = {
                .kind = CERT_KIND_CA,
                .cn = cn,
                .not_before_ms = p->now_ms - 60000,
                .not_after_ms = p->now_ms + CA_DAYS * DAY_MS,
        };
        int r = make_pair(&spec, NULL, NULL, ret_cert, ret_key, err);

        if (r == 0)
                r = add_cert(items, name, cert_what, *ret_cert, err);
        if (r == 0)
                r = add_key(items, name, owner, key_what, *ret_key, err);
        return r;
}

struct server_names {
        const char *dns[NAMES_MAX + 1], *ips[NAMES_MAX + 1];
        size_t n_dns, n_ips;
};

static void add_name(struct server_names *names, const char *name)
{
        uint8_t address[16];
        bool ip = inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
        const char **list = ip ? names->ips : names->dns;
        size_t *n = ip ? &names->n_ips : &names->n_dns;

        for (size_t i = 0; i < *n; i++) {
                if (str_equal(list[i], name))
                        return;
        }
        if (*n < NAMES_MAX)
                list[(*n)++] = name;
}

/* What the servers' certificates are good for: this machine by every name that the configurations use. */
static void collect_names(const struct init_plan *p, struct server_names *ret)
{
        add_name(ret, "localhost");
        add_name(ret, "127.0.0.1");
        add_name(ret, "::1");
        add_name(ret, p->host);
        for (size_t i = 0; i < p->o->names.n; i++)
                add_name(ret, p->o->names.v[i]);
}

static int add_holder(const struct init_plan *p, struct init_items *items, const struct holder *h,
                      const struct server_names *names, const struct cert *ca, const struct key *ca_key,
                      struct err *err)
{
        AUTO(cert_free_p) struct cert *cert = NULL;
        AUTO(key_free_p) struct key *key = NULL;
        AUTO(mem_free_p) char *cn = str_fmt("avow %s", h->name);
        bool server = h->kind == CERT_KIND_BOTH;
        struct cert_spec spec = {
                .kind = h->kind,
                .cn = cn,
                .not_before_ms = p->now_ms - 60000,
                .not_after_ms = p->now_ms + p->days * DAY_MS,
                .dns = server ? names->dns : NULL,
                .ips = server ? names->ips : NULL,
                .uris = h->uris,
        };
        int r;

        if (!cn)
                return err_nomem(err);
        r = make_pair(&spec, ca, ca_key, &cert, &key, err);
        if (r == 0)
                r = add_cert(items, h->name, h->cert_what, cert, err);
        if (r == 0)
                r = add_key(items, h->name, h->owner, h->key_what, key, err);
        return r;
}

/* RET_PUBLIC may be NULL. */
static int add_signing_key(struct init_items *items, const char *name, const char *owner, const char *what,
                           struct pubkey **ret_public, struct err *err)
{
        AUTO(key_free_p) struct key *key = NULL;
        int r = key_generate_ec(CURVE_P256, &key, err);

        if (r == 0)
                r = add_key(items, name, owner, what, key, err);
        if (r == 0 && ret_public)
                r = key_public(key, ret_public, err);
        return r;
}

/* One member of the key set for hosts: USE says what it may sign there. */
static int add_jwk(json_t *list, const struct pubkey *key, const char *use, struct err *err)
{
        json_t *jwk = NULL;
        int r = jwk_make(key, &jwk, err);

        if (r < 0)
                return r;
        r = json_set_str(jwk, "use", use);
        return json_array_append_new(list, jwk) | r ? err_nomem(err) : 0;
}

/* pki/verifier-keys.json: what a host has to know of its verifier before it talks to it. */
static int add_key_set(struct init_items *items, const struct pubkey *revocation,
                       const struct pubkey *release, struct err *err)
{
        AUTO(json_free_p) json_t *set = json_object();
        json_t *list = json_array();
        int r = json_object_set_new(set, "keys", list) < 0 ? err_nomem(err) : 0;

        if (r == 0)
                r = add_jwk(list, revocation, "revocation", err);
        if (r == 0)
                r = add_jwk(list, release, "release", err);
        if (r < 0)
                return r;
        return init_add_text(items, "pki/verifier-keys.json", 0644,
                             "the verifier's public keys, for agents (verifier.keys)", json_print(set), err);
}

/* What the verifier signs with, and the public halves for those who check it. */
static int add_verifier_keys(struct init_items *items, struct err *err)
{
        AUTO(pubkey_free_p) struct pubkey *revocation = NULL;
        AUTO(pubkey_free_p) struct pubkey *release = NULL;
        char *pem = NULL;
        int r = add_signing_key(items, "revocation", "avow-verifier", "signs revocations", &revocation, err);

        if (r == 0)
                r = pubkey_pem(revocation, &pem, err);
        if (r == 0)
                r = init_add_text(items, "pki/revocation.pub", 0644,
                                  "its public half, for the registrar and whoever receives revocations", pem,
                                  err);
        if (r == 0)
                r = add_signing_key(items, "release", "avow-verifier", "signs releases of secrets", &release,
                                    err);
        if (r == 0)
                r = add_signing_key(items, "ear", "avow-verifier", "signs attestation results", NULL, err);
        return r < 0 ? r : add_key_set(items, revocation, release, err);
}

int init_add_pki(const struct init_plan *p, struct init_items *items, struct err *err)
{
        AUTO(cert_free_p) struct cert *ca = NULL;
        AUTO(key_free_p) struct key *ca_key = NULL;
        AUTO(cert_free_p) struct cert *ak_ca = NULL;
        AUTO(key_free_p) struct key *ak_ca_key = NULL;
        struct server_names names = {0};
        int r;

        collect_names(p, &names);
        r = init_add_folder(items, "pki", 0755, NULL, "keys and certificates", err);
        if (r == 0)
                r = add_ca(p, items, "ca", "avow CA", NULL, "the CA of servers and administrators",
                           "its private key: signs all others; keep it offline", &ca, &ca_key, err);
        if (r == 0)
                r = add_ca(p, items, "ak-ca", "avow AK CA", "avow-registrar",
                           "the CA of attestation keys (AKs), for whoever checks evidence",
                           "its private key, for the registrar", &ak_ca, &ak_ca_key, err);
        for (size_t i = 0; r == 0 && i < ARRAY_LEN(holders); i++)
                r = add_holder(p, items, &holders[i], &names, ca, ca_key, err);
        if (r == 0)
                r = add_signing_key(items, "registrar-audit", "avow-registrar",
                                    "signs the registrar's audit log", NULL, err);
        if (r == 0)
                r = add_signing_key(items, "verifier-audit", "avow-verifier",
                                    "signs the verifier's audit log", NULL, err);
        if (r == 0)
                r = add_verifier_keys(items, err);
        return r;
}
