/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where webhooks may not lead (server-side request forgery). Whoever may add a hook names an address that the
 * registrar then connects to from inside; so the address that is about to be connected to is judged, after
 * the name was resolved, and not the name. IPv4 is compared in its mapped form; what reaches an IPv4 host by
 * way of IPv6 (6to4, NAT64) counts as private as a whole, since it can name any.
 */
#include "networks.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "base/str.h"

#define V4_BITS 96

static const char *const private_networks[] = {
        "0.0.0.0/8",       "10.0.0.0/8",     "100.64.0.0/10", "127.0.0.0/8",    "169.254.0.0/16",
        "172.16.0.0/12",   "192.0.0.0/24",   "192.0.2.0/24",  "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",   "::/96",          "64:ff9b::/32",
        "100::/64",        "2001::/23",      "2001:db8::/32", "2002::/16",      "fc00::/7",
        "fe80::/10",       "fec0::/10",      "ff00::/8",
};

static bool bits_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
        for (unsigned i = 0; i < bits; i += 8) {
                unsigned left = bits - i;
                uint8_t mask = (uint8_t)(left >= 8 ? 0xff : 0xff << (8 - left));

                if ((a[i / 8] & mask) != (b[i / 8] & mask))
                        return false;
        }
        return true;
}

static void map_v4(const void *four, uint8_t ret[16])
{
        memset(ret, 0, 10);
        ret[10] = ret[11] = 0xff;
        memcpy(ret + 12, four, 4);
}

static const char *const site_networks[] = {"10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16",
                                            "fc00::/7"};

bool network_parse(const char *text, struct network *ret)
{
        const char *slash = strchr(text, '/');
        size_t len = slash ? (size_t)(slash - text) : strlen(text);
        struct network net = {.bits = 128};
        struct err err = ERR_INIT;
        char address[INET6_ADDRSTRLEN];
        uint8_t four[4];
        int64_t bits = -1;
        bool v4;

        if (len >= sizeof(address))
                return false;
        memcpy(address, text, len);
        address[len] = '\0';
        v4 = inet_pton(AF_INET, address, four) == 1;
        if (v4)
                map_v4(four, net.address);
        else if (inet_pton(AF_INET6, address, net.address) != 1)
                return false;
        if (slash && str_parse_int(view_str(slash + 1), 0, v4 ? 32 : 128, &bits, &err) < 0)
                return false;
        if (bits >= 0)
                net.bits = (unsigned)bits + (v4 ? V4_BITS : 0);
        for (unsigned i = net.bits; i < 128; i++)
                if (net.address[i / 8] & (0x80 >> i % 8))
                        return false;
        *ret = net;
        return true;
}

/* Return: false for what is neither IPv4 nor IPv6. */
static bool address_bytes(const struct sockaddr *address, uint8_t ret[16])
{
        struct sockaddr_in in;
        struct sockaddr_in6 in6;

        if (address->sa_family == AF_INET) {
                memcpy(&in, address, sizeof(in));
                map_v4(&in.sin_addr, ret);
                return true;
        }
        if (address->sa_family != AF_INET6)
                return false;
        memcpy(&in6, address, sizeof(in6));
        memcpy(ret, &in6.sin6_addr, 16);
        return true;
}

bool network_holds(const struct network *net, const struct sockaddr *address)
{
        uint8_t bytes[16];

        return address_bytes(address, bytes) && bits_equal(net->address, bytes, net->bits);
}

bool address_is_private(const struct sockaddr *address)
{
        struct network net;
        uint8_t bytes[16];

        if (!address_bytes(address, bytes))
                return true;
        for (size_t i = 0; i < ARRAY_LEN(private_networks); i++)
                if (!network_parse(private_networks[i], &net) || network_holds(&net, address))
                        return true; /* (a row that is no network lets nothing through) */
        return false;
}

bool address_is_site(const struct sockaddr *address)
{
        struct network net;

        for (size_t i = 0; i < ARRAY_LEN(site_networks); i++)
                if (network_parse(site_networks[i], &net) && network_holds(&net, address))
                        return true;
        return false;
}
