/* SPDX-License-Identifier: Apache-2.0 */
/* Server contexts: who counts as verified, and what wrong files are told. Handshakes run over memory. */
#include "support/support.h"

#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/file.h"
#include "crypto/tls.h"
#include "test_pki.h"

struct fixture {
        char dir[TMPDIR_BYTES];
        char cert[64], key[64], ca[64], other[64];
        struct pki_cert root, server, client, self, expired;
        int64_t now_ms;
};

static void set_up(struct fixture *f)
{
        static const char *const uris[] = {"urn:avow:role:admin", NULL};
        int64_t now = clock_now_ms(), day = 86400000;

        f->now_ms = now;
        tmpdir_make(f->dir);
        (void)snprintf(f->cert, sizeof(f->cert), "%s/cert.pem", f->dir);
        (void)snprintf(f->key, sizeof(f->key), "%s/key.pem", f->dir);
        (void)snprintf(f->ca, sizeof(f->ca), "%s/ca.pem", f->dir);
        (void)snprintf(f->other, sizeof(f->other), "%s/other.pem", f->dir);
        pki_issue_dated(&f->root, CERT_KIND_CA, "root", NULL, NULL, now - day, now + day);
        pki_issue_dated(&f->server, CERT_KIND_SERVER, "server", &f->root, NULL, now - day, now + day);
        pki_issue_dated(&f->client, CERT_KIND_CLIENT, "client", &f->root, uris, now - day, now + day);
        pki_issue_dated(&f->self, CERT_KIND_SELF, "self", NULL, uris, now - day, now + day);
        pki_issue_dated(&f->expired, CERT_KIND_CLIENT, "expired", &f->root, uris, now - day, now - 3600000);
        pki_write(&f->server, f->cert, f->key);
        pki_write(&f->root, f->ca, NULL);
        pki_write(&f->self, f->other, f->other);
}

static void tear_down(struct fixture *f)
{
        tmpdir_remove(f->dir);
        pki_done(&f->root);
        pki_done(&f->server);
        pki_done(&f->client);
        pki_done(&f->self);
        pki_done(&f->expired);
}

static struct tls_server *server_of(const struct fixture *f)
{
        struct tls_files files = {f->cert, f->key, f->ca, NULL};
        struct err err = ERR_INIT;
        struct tls_server *tls = NULL;

        assert_ok(tls_server_new(&files, &tls, &err), &err);
        return tls;
}

/* A handshake with CLIENT's certificate (NULL: none), at most TLS VERSION (0: the best). */
static bool handshake(struct tls_server *tls, const struct pki_cert *client, int version, int64_t now_ms,
                      struct tls_peer *ret)
{
        SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
        SSL *c, *s = SSL_new(tls_server_ctx(tls));
        struct err err = ERR_INIT;
        BIO *a, *b;
        bool ok = false;

        SSL_CTX_set_security_level(ctx, 0);
        if (version)
                SSL_CTX_set_max_proto_version(ctx, version);
        if (client) {
                SSL_CTX_use_certificate(ctx, cert_x509(client->cert));
                SSL_CTX_use_PrivateKey(ctx, key_evp(client->key));
        }
        c = SSL_new(ctx);
        BIO_new_bio_pair(&a, 0, &b, 0);
        SSL_set_bio(c, a, a);
        SSL_set_bio(s, b, b);
        SSL_set_connect_state(c);
        SSL_set_accept_state(s);
        for (int i = 0; i < 20 && !ok; i++) {
                int r1 = SSL_do_handshake(c), r2 = SSL_do_handshake(s);

                ok = r1 == 1 && r2 == 1;
        }
        if (ok)
                assert_ok(tls_peer_get(s, now_ms, ret, &err), &err);
        SSL_free(c);
        SSL_free(s);
        SSL_CTX_free(ctx);
        return ok;
}

static void test_peers(void **state)
{
        struct fixture f;
        struct tls_server *tls;
        struct tls_peer peer;

        (void)state;
        set_up(&f);
        tls = server_of(&f);
        assert_string_equal(cert_cn(tls_server_cert(tls)), "server");
        assert_true(handshake(tls, NULL, 0, f.now_ms, &peer));
        assert_null(peer.cert);
        assert_false(peer.verified);
        tls_peer_done(&peer);
        assert_true(handshake(tls, &f.client, 0, f.now_ms, &peer));
        assert_true(peer.verified);
        assert_true(cert_has_uri(peer.cert, "urn:avow:role:admin"));
        tls_peer_done(&peer);
        assert_true(handshake(tls, &f.client, TLS1_2_VERSION, f.now_ms, &peer));
        assert_true(peer.verified);
        tls_peer_done(&peer);
        /* Strangers get in as nobody, with their certificate. */
        assert_true(handshake(tls, &f.self, 0, f.now_ms, &peer));
        assert_non_null(peer.cert);
        assert_int_equal(peer.spki_sha256.len, 32);
        assert_false(peer.verified);
        tls_peer_done(&peer);
        assert_true(handshake(tls, &f.expired, 0, f.now_ms, &peer));
        assert_false(peer.verified);
        tls_peer_done(&peer);
        /* A server's certificate is no client's. */
        assert_true(handshake(tls, &f.server, 0, f.now_ms, &peer));
        assert_false(peer.verified);
        tls_peer_done(&peer);
        /* The dates count at each look, not only at the handshake. */
        assert_true(handshake(tls, &f.client, 0, f.now_ms + 2 * 86400000, &peer));
        assert_false(peer.verified);
        tls_peer_done(&peer);
        assert_false(handshake(tls, &f.client, TLS1_1_VERSION, f.now_ms, &peer));
        tls_server_free(tls);
        tear_down(&f);
}

static void test_no_client_ca(void **state)
{
        struct fixture f;
        struct tls_files files;
        struct err err = ERR_INIT;
        struct tls_server *tls = NULL;
        struct tls_peer peer;

        (void)state;
        set_up(&f);
        files = (struct tls_files){f.cert, f.key, NULL, NULL};
        assert_ok(tls_server_new(&files, &tls, &err), &err);
        assert_true(handshake(tls, &f.client, 0, f.now_ms, &peer));
        assert_false(peer.verified);
        tls_peer_done(&peer);
        tls_server_free(tls);
        tear_down(&f);
}

static void expect(const struct tls_files *files, const char *part, const char *path)
{
        struct err err = ERR_INIT;
        struct tls_server *tls = NULL;

        assert_err(tls_server_new(files, &tls, &err), ERR_CONFIG, &err, part);
        assert_non_null(strstr(err.text, path));
        assert_null(tls);
}

static void test_wrong_files(void **state)
{
        struct err err = ERR_INIT;
        struct fixture f;
        char junk[64];

        (void)state;
        set_up(&f);
        (void)snprintf(junk, sizeof(junk), "%s/junk", f.dir);
        assert_ok(file_write(junk, view_str("junk"), 0644, &err), &err);
        expect(&(struct tls_files){"/nonexistent", f.key, NULL, NULL}, "tls.cert", "/nonexistent");
        expect(&(struct tls_files){f.cert, "/nonexistent", NULL, NULL}, "tls.key", "/nonexistent");
        expect(&(struct tls_files){f.cert, f.key, "/nonexistent", NULL}, "tls.client_ca", "/nonexistent");
        expect(&(struct tls_files){f.cert, f.key, f.ca, "/nonexistent"}, "tls.crl", "/nonexistent");
        expect(&(struct tls_files){junk, f.key, NULL, NULL}, "tls.cert", "junk");
        expect(&(struct tls_files){f.cert, junk, NULL, NULL}, "tls.key", "junk");
        expect(&(struct tls_files){f.cert, f.key, junk, NULL}, "tls.client_ca", "junk");
        expect(&(struct tls_files){f.cert, f.key, f.ca, junk}, "tls.crl", "junk");
        expect(&(struct tls_files){f.cert, f.key, NULL, f.ca}, "tls.crl", "client_ca");
        expect(&(struct tls_files){f.cert, f.other, NULL, NULL}, "is not the key", "other.pem");
        expect(&(struct tls_files){f.cert, f.key, f.dir, NULL}, "tls.client_ca", f.dir);
        tear_down(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_peers),
                cmocka_unit_test(test_no_client_ca),
                cmocka_unit_test(test_wrong_files),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
