/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_REGISTRAR_NETWORKS_H
#define AVOW_REGISTRAR_NETWORKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"

/* Networks, and which addresses a webhook may lead to. Pure. */
struct sockaddr;

struct network {
        uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
        unsigned bits;       /* of the 128 */
};

/* "10.1.0.0/16", "fd00::/8", "127.0.0.1". Bits behind the prefix must be zero. */
bool network_parse(const char *text, struct network *ret) MUST_USE;
bool network_holds(const struct network *net, const struct sockaddr *address);
/* An address that is no host's on the public Internet: loopback, link-local (where clouds keep their
 * metadata), private, shared, multicast, reserved, and IPv6 forms that hide one of these.
 * Spec: RFC 6890, RFC 4193, RFC 6598. */
bool address_is_private(const struct sockaddr *address);
/* An address that a site gives its hosts: RFC 1918, RFC 4193, RFC 6598. Not loopback, not link-local. */
bool address_is_site(const struct sockaddr *address);

#endif
