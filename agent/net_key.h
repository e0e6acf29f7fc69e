/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_NET_KEY_H
#define AVOW_AGENT_NET_KEY_H

#include "base/err.h"
#include "base/mem.h"
#include "crypto/digest.h"

/* In the half's folder. */
#define NET_KEY_FILE "tls.key"
#define NET_KEY_CERT "tls.crt"

/*
 * The network half's own TLS key: P-256, with a certificate signed by itself (CN = host id). It says nothing
 * by itself; the session's proof, signed by the AK, is over its digest, and that binds the token to it. The
 * agent's own listener shows it too (net_listen.h). Spec: SR-13.
 */
struct net_key {
        struct secret key_pem;
        char *cert_pem;
        struct digest spki_sha256;
};

/*
 * Reads DIR/tls.key and DIR/tls.crt, or makes them when they are not there, do not fit each other, are of
 * another host, or end within a month of NOW_MS. *RET_MADE says which. Return: 0; -ERR_IO, -ERR_CRYPTO.
 */
int net_key_load(const char *dir, const char *host_id, int64_t now_ms, struct net_key *ret, bool *ret_made,
                 struct err *err) MUST_USE;
void net_key_done(struct net_key *key);

#endif
