/* SPDX-License-Identifier: Apache-2.0 */
/* The small PKI of the certificate tests. */
#include "test_pki.h"

#include "base/file.h"
#include "support/support.h"

void pki_issue_dated(struct pki_cert *ret, enum cert_kind kind, const char *cn, const struct pki_cert *issuer,
                     const char *const *uris, int64_t from_ms, int64_t to_ms)
{
        static const char *const dns[] = {"localhost", NULL};
        static const char *const ips[] = {"127.0.0.1", "::1", NULL};
        bool server = kind == CERT_KIND_SERVER || kind == CERT_KIND_BOTH;
        struct cert_spec spec = {kind, cn, from_ms, to_ms, server ? dns : NULL, server ? ips : NULL, uris};
        struct err err = ERR_INIT;
        struct pubkey *pub = NULL;

        memset(ret, 0, sizeof(*ret));
        assert_ok(key_generate_ec(CURVE_P256, &ret->key, &err), &err);
        assert_ok(key_public(ret->key, &pub, &err), &err);
        assert_ok(cert_issue(&spec, pub, issuer ? issuer->cert : NULL, issuer ? issuer->key : ret->key,
                             &ret->cert, &err),
                  &err);
        pubkey_free(pub);
}

void pki_issue(struct pki_cert *ret, enum cert_kind kind, const char *cn, const struct pki_cert *issuer,
               const char *const *uris)
{
        pki_issue_dated(ret, kind, cn, issuer, uris, PKI_FROM_MS, PKI_TO_MS);
}

void pki_done(struct pki_cert *c)
{
        key_free(c->key);
        cert_free(c->cert);
        memset(c, 0, sizeof(*c));
}

void pki_write(const struct pki_cert *c, const char *cert_path, const char *key_path)
{
        struct err err = ERR_INIT;
        struct secret key = {0};
        char *pem = NULL;

        assert_ok(cert_pem(c->cert, &pem, &err), &err);
        assert_ok(file_write(cert_path, view_str(pem), 0644, &err), &err);
        free(pem);
        if (!key_path)
                return;
        assert_ok(key_pem(c->key, &key, &err), &err);
        assert_ok(file_write(key_path, VIEW(key.p, key.len), 0600, &err), &err);
        secret_free(&key);
}
