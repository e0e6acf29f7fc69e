/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_TLS_H
#define AVOW_CRYPTO_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macro.h"
#include "crypto/cert.h"

/*
 * TLS for our servers. Peers are asked for a certificate and may do without; one that does not chain to the
 * client CA is let in as nobody: agents bring their own self-signed certificate, which later binds a token,
 * and only a verified one carries a role. TLS 1.2 is the least. New files mean a new context: connections
 * keep theirs, new ones get the new.
 */
struct tls_server;
struct ssl_ctx_st;
struct ssl_st;

struct tls_files {
        const char *cert;      /* PEM chain, leaf first */
        const char *key;       /* PEM */
        const char *client_ca; /* PEM file or folder; NULL: no client is ever verified */
        const char *crl;       /* PEM file; NULL: no revocation lists */
};

/* Reads and checks the files. Return: 0; -ERR_CONFIG, naming the file and what is wrong with it. */
int tls_server_new(const struct tls_files *files, struct tls_server **ret, struct err *err) MUST_USE;
void tls_server_free(struct tls_server *tls);
DEFINE_AUTO(struct tls_server, tls_server_free)

/* Borrowed; take a reference (SSL_CTX_up_ref) to keep it longer. */
struct ssl_ctx_st *tls_server_ctx(const struct tls_server *tls);
/* The server's own certificate, for expiry warnings. */
const struct cert *tls_server_cert(const struct tls_server *tls);

/* Who is at the other end, once the handshake is done. */
struct tls_peer {
        struct cert *cert; /* NULL if none was presented; owned */
        bool verified;     /* it chains to the client CA, and its dates hold at NOW_MS ± 30 s */
        struct digest spki_sha256;
};
int tls_peer_get(struct ssl_st *ssl, int64_t now_ms, struct tls_peer *ret, struct err *err) MUST_USE;
void tls_peer_done(struct tls_peer *peer);

#endif
