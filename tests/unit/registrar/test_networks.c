/* SPDX-License-Identifier: Apache-2.0 */
/* Where webhooks may not lead: written networks, and addresses that are nobody's on the public Internet. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "networks.h"
#include "support/support.h"

static void make(const char *text, struct sockaddr_storage *ret)
{
        struct sockaddr_in in = {.sin_family = AF_INET};
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

        memset(ret, 0, sizeof(*ret));
        if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
                memcpy(ret, &in, sizeof(in));
                return;
        }
        assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
        memcpy(ret, &in6, sizeof(in6));
}

static void test_private(void **state)
{
        static const char *const inside[] = {"127.0.0.1",
                                             "10.0.0.1",
                                             "172.31.255.255",
                                             "192.168.1.1",
                                             "169.254.169.254",
                                             "100.64.0.1",
                                             "0.0.0.0",
                                             "224.0.0.1",
                                             "::1",
                                             "::",
                                             "fe80::1",
                                             "fd00::1",
                                             "::ffff:10.0.0.1",
                                             "64:ff9b::a00:1",
                                             "2002:a00:1::1",
                                             "ff02::1",
                                             "255.255.255.255",
                                             "::ffff:127.0.0.1"};
        static const char *const outside[] = {"1.1.1.1", "172.32.0.1", "9.255.255.255", "2606:4700::1111",
                                              "::ffff:8.8.8.8"};
        struct sockaddr_storage a;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(inside); i++) {
                make(inside[i], &a);
                assert_true(address_is_private((const struct sockaddr *)&a));
        }
        for (size_t i = 0; i < ARRAY_LEN(outside); i++) {
                make(outside[i], &a);
                assert_false(address_is_private((const struct sockaddr *)&a));
        }
        a.ss_family = AF_UNIX;
        assert_true(address_is_private((const struct sockaddr *)&a));
}

static void test_networks(void **state)
{
        static const char *const wrong[] = {"",          "10",         "10.0.0.0/33", "10.1.2.3/8",
                                            "10.0.0.0/", "fd00::/129", "fd00::1/8",   "10.0.0.0/-1",
                                            "host",      "10.0.0.0/8x"};
        struct sockaddr_storage a;
        struct network net;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
                assert_false(network_parse(wrong[i], &net));
        assert_true(network_parse("10.1.0.0/16", &net));
        make("10.1.255.1", &a);
        assert_true(network_holds(&net, (const struct sockaddr *)&a));
        make("::ffff:10.1.0.9", &a);
        assert_true(network_holds(&net, (const struct sockaddr *)&a));
        make("10.2.0.1", &a);
        assert_false(network_holds(&net, (const struct sockaddr *)&a));
        assert_true(network_parse("fd00::/8", &net));
        make("fdff::1", &a);
        assert_true(network_holds(&net, (const struct sockaddr *)&a));
        assert_true(network_parse("127.0.0.1", &net));
        make("127.0.0.2", &a);
        assert_false(network_holds(&net, (const struct sockaddr *)&a));
}

/* What a site's hosts have, and nothing that is the registrar's own or a cloud's. */
static void test_site(void **state)
{
        static const char *const inside[] = {"10.0.0.1",   "172.16.0.1", "192.168.1.1",
                                             "100.64.0.1", "fd00::1",    "::ffff:10.0.0.1"};
        static const char *const outside[] = {"127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1",
                                              "::1",       "fe80::1",         "8.8.8.8", "172.32.0.1"};
        struct sockaddr_storage a;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(inside); i++) {
                make(inside[i], &a);
                assert_true(address_is_site((const struct sockaddr *)&a));
        }
        for (size_t i = 0; i < ARRAY_LEN(outside); i++) {
                make(outside[i], &a);
                assert_false(address_is_site((const struct sockaddr *)&a));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_private), cmocka_unit_test(test_networks),
                                           cmocka_unit_test(test_site)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
