/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server contexts. The verification of a client's certificate is done and its result kept (SSL_get_verify_
 * result), but the handshake goes on whatever it is: SSL_CTX_set_cert_verify_callback() rather than a
 * permissive verify callback, because the latter lets a later step overwrite the first error. No list of
 * acceptable CAs is sent: with one, some clients would keep their self-signed certificate back.
 *
 * Resumed sessions carry the peer's certificate and the old result, so they live for five minutes only, and
 * tls_peer_get() looks at the dates each time. Session resumption across a rotation fails by itself: a new
 * context has new ticket keys.
 *
 * Spec: RFC 8446, RFC 5246; CVE-2023-38200 and CVE-2026-1709 of Keylime for what a server must not assume.
 */
#include "crypto/tls.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/mem.h"
#include "crypto/key.h"
#include "crypto/ossl.h"
#include "crypto/skew.h"
#include "crypto/trust.h"

#define SESSION_LIFETIME_S 300
#define CRL_BYTES_MAX      (16u * 1024u * 1024u)

struct tls_server {
        SSL_CTX *ctx;
        struct cert *cert;
};

static int on_verify(int ok, X509_STORE_CTX *store_ctx)
{
        if (!ok && skew_allows(store_ctx, (int64_t)time(NULL) * 1000)) {
                X509_STORE_CTX_set_error(store_ctx, X509_V_OK);
                return 1;
        }
        return ok;
}

/* Verifies and keeps the result, and goes on in any case. */
static int verify_and_go_on(X509_STORE_CTX *store_ctx, void *unused)
{
        (void)unused;
        X509_STORE_CTX_set_verify_cb(store_ctx, on_verify);
        if (X509_verify_cert(store_ctx) != 1 && X509_STORE_CTX_get_error(store_ctx) == X509_V_OK)
                X509_STORE_CTX_set_error(store_ctx, X509_V_ERR_UNSPECIFIED);
        return 1;
}

static int use_chain(struct tls_server *tls, const struct tls_files *files, struct err *err)
{
        struct cert_list chain = {0};
        struct key *key = NULL;
        int r = cert_load(files->cert, &chain, err);

        if (r < 0)
                r = err_wrap(err, "tls.cert");
        if (r >= 0 && key_load(files->key, &key, err) < 0)
                r = err_wrap(err, "tls.key");
        if (r >= 0 && !cert_key_fits(chain.v[0], key))
                r = err_set(err, ERR_CONFIG, 0,
                            "tls.key '%s' is not the key of the certificate in tls.cert '%s'", files->key,
                            files->cert);
        if (r >= 0 && (SSL_CTX_use_certificate(tls->ctx, cert_x509(chain.v[0])) != 1 ||
                       SSL_CTX_use_PrivateKey(tls->ctx, key_evp(key)) != 1))
                r = ossl_err(err, ERR_CONFIG, "tls.cert '%s'", files->cert);
        for (size_t i = 1; r >= 0 && i < chain.n; i++)
                if (SSL_CTX_add1_chain_cert(tls->ctx, cert_x509(chain.v[i])) != 1)
                        r = ossl_err(err, ERR_CONFIG, "tls.cert '%s'", files->cert);
        if (r >= 0) {
                tls->cert = chain.v[0];
                chain.v[0] = NULL;
        }
        key_free(key);
        cert_list_done(&chain);
        return r;
}

static int use_client_ca(struct tls_server *tls, const char *path, struct err *err)
{
        AUTO(trust_free_p)
        struct trust *trust = NULL;
        int r = trust_new(&trust, err);

        if (r >= 0)
                r = trust_add_path(trust, path, err);
        if (r < 0)
                return err_wrap(err, "tls.client_ca");
        if (trust_count(trust) == 0)
                return err_set(err, ERR_CONFIG, 0, "tls.client_ca '%s' holds no certificate", path);
        if (SSL_CTX_set1_verify_cert_store(tls->ctx, trust_store(trust)) != 1)
                return ossl_err(err, ERR_CRYPTO, "tls.client_ca '%s'", path);
        return 0;
}

static int use_crl(struct tls_server *tls, const char *path, struct err *err)
{
        X509_STORE *store = NULL;
        struct buf text = {0};
        BIO *bio = NULL;
        X509_CRL *crl;
        size_t n = 0;
        int r = file_read(path, CRL_BYTES_MAX, &text, err);

        if (r < 0)
                goto out;
        bio = ossl_bio(VIEW_BUF(&text));
        if (!bio || SSL_CTX_get0_verify_cert_store(tls->ctx, &store) != 1 || !store) {
                r = err_set(err, ERR_CONFIG, 0, "tls.crl needs tls.client_ca");
                goto out;
        }
        for (; r >= 0 && (crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)); n++) {
                if (X509_STORE_add_crl(store, crl) != 1)
                        r = ossl_err(err, ERR_CRYPTO, "'%s'", path);
                X509_CRL_free(crl);
        }
        if (r >= 0 && n == 0)
                r = ossl_err(err, ERR_CONFIG, "'%s' holds no revocation list in PEM form", path);
        if (r >= 0)
                (void)X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(tls->ctx), X509_V_FLAG_CRL_CHECK);
out:
        BIO_free_all(bio);
        buf_free(&text);
        return r < 0 ? err_wrap(err, "tls.crl") : 0;
}

static int set_up(struct tls_server *tls, struct err *err)
{
        static const uint8_t context[] = "avow";
        SSL_CTX *ctx = tls->ctx;

        if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
            SSL_CTX_set_session_id_context(ctx, context, sizeof(context)) != 1)
                return ossl_err(err, ERR_CRYPTO, "TLS context");
        (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                               SSL_OP_CIPHER_SERVER_PREFERENCE); /* gives the new set */
        (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);                   /* gives the new set */
        (void)SSL_CTX_set_timeout(ctx, SESSION_LIFETIME_S);                      /* gives the old one */
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_cert_verify_callback(ctx, verify_and_go_on, NULL);
        return 0;
}

int tls_server_new(const struct tls_files *files, struct tls_server **ret, struct err *err)
{
        AUTO(tls_server_free_p)
        struct tls_server *tls = mem_zalloc(1, sizeof(*tls));
        int r;

        if (!tls)
                return err_nomem(err);
        tls->ctx = SSL_CTX_new(TLS_server_method());
        if (!tls->ctx)
                return ossl_err(err, ERR_CRYPTO, "TLS context");
        r = set_up(tls, err);
        if (r >= 0)
                r = use_chain(tls, files, err);
        if (r >= 0 && files->client_ca)
                r = use_client_ca(tls, files->client_ca, err);
        if (r >= 0 && files->crl)
                r = use_crl(tls, files->crl, err);
        if (r < 0) {
                if (err->kind == ERR_IO || err->kind == ERR_FORMAT || err->kind == ERR_LIMIT)
                        err->kind = ERR_CONFIG;
                return -(int)err->kind;
        }
        *ret = TAKE(tls);
        return 0;
}

void tls_server_free(struct tls_server *tls)
{
        if (!tls)
                return;
        SSL_CTX_free(tls->ctx);
        cert_free(tls->cert);
        free(tls);
}

SSL_CTX *tls_server_ctx(const struct tls_server *tls)
{
        return tls->ctx;
}

const struct cert *tls_server_cert(const struct tls_server *tls)
{
        return tls->cert;
}

int tls_peer_get(SSL *ssl, int64_t now_ms, struct tls_peer *ret, struct err *err)
{
        AUTO(X509_free_p)
        X509 *x509 = SSL_get1_peer_certificate(ssl);
        struct tls_peer peer = {0};
        int r;

        if (!x509) {
                *ret = peer;
                return 0;
        }
        r = cert_from_x509(x509, &peer.cert, err);
        if (r >= 0 && cert_pubkey(peer.cert))
                r = pubkey_spki_sha256(cert_pubkey(peer.cert), &peer.spki_sha256, err);
        if (r < 0) {
                tls_peer_done(&peer);
                return err_wrap(err, "the peer's certificate");
        }
        peer.verified = cert_pubkey(peer.cert) && SSL_get_verify_result(ssl) == X509_V_OK &&
                        now_ms >= cert_not_before_ms(peer.cert) - SKEW_MS &&
                        now_ms <= cert_not_after_ms(peer.cert) + SKEW_MS;
        *ret = peer;
        return 0;
}

void tls_peer_done(struct tls_peer *peer)
{
        cert_free(peer->cert);
        *peer = (struct tls_peer){0};
}
