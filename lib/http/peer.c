/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is at the other end: an address to count connections by, and what its certificate shows.
 *
 * A certificate that does not verify still proves that the peer holds its key (the handshake signed with it),
 * so the key's digest is told to handlers; its names are claims and are not. Roles come from the SAN URIs of
 * a verified certificate, from a grant to a key, or, where the operator asked for Keylime's rule, from having
 * any certificate of the CA with a CN. A resumed session carries the verdict of its first handshake; its
 * dates are therefore looked at again here.
 *
 * Spec: SR-12; keylime-wire 3.3, 10.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/mem.h"
#include "http/server_impl.h"

void peer_address(const struct sockaddr *sa, struct http_peer *ret, uint8_t ret_key[static 16])
{
        memset(ret_key, 0, 16);
        if (sa->sa_family == AF_INET) {
                const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;

                inet_ntop(AF_INET, &in->sin_addr, ret->address, sizeof(ret->address));
                ret->port = ntohs(in->sin_port);
                memcpy(ret_key + 12, &in->sin_addr, 4);
                ret_key[10] = ret_key[11] = 0xff;
        } else if (sa->sa_family == AF_INET6) {
                const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;

                ret->port = ntohs(in6->sin6_port);
                memcpy(ret_key, &in6->sin6_addr, 16);
                if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
                        inet_ntop(AF_INET, ret_key + 12, ret->address, sizeof(ret->address));
                } else {
                        inet_ntop(AF_INET6, &in6->sin6_addr, ret->address, sizeof(ret->address));
                        /* A customer gets a /64 at least: one peer, not 2^64 of them. */
                        memset(ret_key + 8, 0, 8);
                }
        } else {
                (void)snprintf(ret->address, sizeof(ret->address), "local");
        }
}

static bool spki_digest(X509 *cert, uint8_t ret[static 32])
{
        unsigned char *der = NULL;
        int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
        bool ok;

        if (len <= 0)
                return false;
        ok = EVP_Digest(der, (size_t)len, ret, NULL, EVP_sha256(), NULL) == 1;
        OPENSSL_free(der);
        return ok;
}

static bool in_date(X509 *cert)
{
        const int64_t skew_s = 30; /* contracts, Numbers */
        time_t early = time(NULL) + skew_s, late = time(NULL) - skew_s;

        return X509_cmp_time(X509_get0_notBefore(cert), &early) < 0 &&
               X509_cmp_time(X509_get0_notAfter(cert), &late) > 0;
}

static void take_uri(const ASN1_IA5STRING *s, struct http_peer *peer)
{
        const char *text = (const char *)ASN1_STRING_get0_data(s), *tenant;
        char uri[128];
        size_t len = (size_t)ASN1_STRING_length(s);

        if (len >= sizeof(uri) || memchr(text, '\0', len) != NULL)
                return;
        memcpy(uri, text, len);
        uri[len] = '\0';
        peer->roles |= role_of_uri(uri);
        tenant = role_tenant_of_uri(uri);
        if (tenant != NULL)
                (void)snprintf(peer->tenant, sizeof(peer->tenant), "%s", tenant);
}

static void take_names(X509 *cert, struct http_peer *peer)
{
        GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
        int n = names != NULL ? sk_GENERAL_NAME_num(names) : 0;

        for (int i = 0; i < n; i++) {
                const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

                if (name->type == GEN_URI)
                        take_uri(name->d.uniformResourceIdentifier, peer);
        }
        GENERAL_NAMES_free(names);
        if (X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, peer->name,
                                      sizeof(peer->name)) < 0)
                peer->name[0] = '\0';
}

void peer_certificate(const struct http_server *s, SSL *ssl, struct http_peer *peer)
{
        X509 *cert = SSL_get1_peer_certificate(ssl);

        if (cert == NULL)
                return;
        peer->certificate = spki_digest(cert, peer->spki_sha256);
        peer->verified = peer->certificate && SSL_get_verify_result(ssl) == X509_V_OK && in_date(cert);
        if (peer->verified) {
                take_names(cert, peer);
                if (s->any_certificate_is_admin && peer->name[0] != '\0')
                        peer->roles |= ROLE_ADMIN;
        }
        for (size_t i = 0; peer->certificate && i < s->n_grants; i++)
                if (equal_ct(s->grants[i].spki_sha256, 32, peer->spki_sha256, 32))
                        peer->roles |= s->grants[i].roles & ROLE_NAMED;
        X509_free(cert);
}
