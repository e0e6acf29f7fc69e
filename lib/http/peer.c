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
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "crypto/tls.h"
#include "http/server_impl.h"

#define TENANT_HERE "default"
#define SKEW_MS     (30 * INT64_C(1000)) /* contracts, Numbers: clocks of peers */

void peer_address(const struct sockaddr *sa, struct http_peer *ret, uint8_t ret_key[static 16])
{
        memset(ret_key, 0, 16);
        ret->source[0] = '\0';
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
                        inet_ntop(AF_INET6, ret_key, ret->source, sizeof(ret->source));
                        (void)strncat(ret->source, "/64", sizeof(ret->source) - strlen(ret->source) - 1);
                }
        } else {
                (void)snprintf(ret->address, sizeof(ret->address), "local");
        }
        if (ret->source[0] == '\0')
                memcpy(ret->source, ret->address, sizeof(ret->source));
}

/* MUST (SR-12): what is kept belongs to one tenant, the default one. Who comes for another tenant, for none
 * or for two at once has nothing here, so the role opens nothing for him. */
static void take_names(const struct cert *cert, struct http_peer *peer)
{
        bool here = false, elsewhere = false;

        for (size_t i = 0; i < cert_n_uris(cert); i++) {
                const char *tenant = role_tenant_of_uri(cert_uri(cert, i));

                peer->roles |= role_of_uri(cert_uri(cert, i));
                if (tenant == NULL)
                        continue;
                (void)snprintf(peer->tenant, sizeof(peer->tenant), "%s", tenant);
                if (strcmp(tenant, TENANT_HERE) == 0)
                        here = true;
                else
                        elsewhere = true;
        }
        if (!here || elsewhere)
                peer->roles &= ~ROLE_TENANT;
        (void)snprintf(peer->name, sizeof(peer->name), "%s", cert_cn(cert));
}

void peer_certificate(const struct http_server *s, SSL *ssl, struct http_peer *peer, int64_t *ret_end_ms)
{
        struct tls_peer shown = {0};
        struct err err = ERR_INIT;

        /* A certificate that cannot be read is no certificate: its owner is anonymous. */
        if (tls_peer_get(ssl, clock_now_ms(), &shown, &err) < 0 || shown.cert == NULL)
                return;
        peer->certificate = shown.spki_sha256.len == sizeof(peer->spki_sha256);
        peer->verified = peer->certificate && shown.verified;
        if (peer->certificate)
                memcpy(peer->spki_sha256, shown.spki_sha256.b, sizeof(peer->spki_sha256));
        if (peer->verified) {
                *ret_end_ms = cert_not_after_ms(shown.cert) + SKEW_MS;
                take_names(shown.cert, peer);
                if (s->any_certificate_is_admin && peer->name[0] != '\0')
                        peer->roles |= ROLE_ADMIN;
        }
        for (size_t i = 0; peer->certificate && i < s->n_grants; i++)
                if (equal_ct(s->grants[i].spki_sha256, 32, peer->spki_sha256, 32))
                        peer->roles |= s->grants[i].roles & ROLE_NAMED;
        tls_peer_done(&shown);
}
