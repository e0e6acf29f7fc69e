/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer is counted by: its address, and of IPv6 the /64 that one customer has whole. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "http/server_impl.h"
#include "support/support.h"

static void look(const char *text, struct http_peer *ret, uint8_t key[static 16])
{
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(7)};
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(7)};
        bool four = strchr(text, ':') == NULL;

        memset(ret, 0xaa, sizeof(*ret));
        assert_int_equal(inet_pton(four ? AF_INET : AF_INET6, text,
                                   four ? (void *)&in.sin_addr : (void *)&in6.sin6_addr),
                         1);
        peer_address(four ? (const struct sockaddr *)(const void *)&in
                          : (const struct sockaddr *)(const void *)&in6,
                     ret, key);
}

static void addresses(void **state)
{
        static const struct {
                const char *from, *address, *source;
        } rows[] = {
                {"192.0.2.1", "192.0.2.1", "192.0.2.1"},
                {"::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1"},
                {"::1", "::1", "::/64"},
                {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
                {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                 "ffff:ffff:ffff:ffff::/64"},
        };
        struct http_peer peer;
        uint8_t key[16];

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                look(rows[i].from, &peer, key);
                assert_string_equal(peer.address, rows[i].address);
                assert_string_equal(peer.source, rows[i].source);
                assert_int_equal(peer.port, 7);
        }
}

/* One customer with 2^64 addresses is one source; two customers are two. */
static void neighbours(void **state)
{
        struct http_peer a, b, c;
        uint8_t key_a[16], key_b[16], key_c[16];

        (void)state;
        look("2001:db8::1", &a, key_a);
        look("2001:db8::ffff:2", &b, key_b);
        look("2001:db8:0:1::1", &c, key_c);
        assert_string_equal(a.source, b.source);
        assert_memory_equal(key_a, key_b, sizeof(key_a));
        assert_string_not_equal(a.source, c.source);
        assert_memory_not_equal(key_a, key_c, sizeof(key_a));
}

static void other_families(void **state)
{
        const struct sockaddr_un un = {.sun_family = AF_UNIX};
        struct http_peer peer = {.port = 0};
        uint8_t key[16];

        (void)state;
        peer_address((const struct sockaddr *)(const void *)&un, &peer, key);
        assert_string_equal(peer.address, "local");
        assert_string_equal(peer.source, "local");
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(addresses), cmocka_unit_test(neighbours),
                                           cmocka_unit_test(other_families)};

        return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}
