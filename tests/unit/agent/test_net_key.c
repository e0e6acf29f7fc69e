/* SPDX-License-Identifier: Apache-2.0 */
/* The network half's TLS key: made once, kept, and made anew when it is of no use any more. */
#include <sys/stat.h>

#include "agent/net_key.h"
#include "base/file.h"
#include "crypto/cert.h"
#include "support/support.h"

#define NOW INT64_C(1795282871000)
#define DAY INT64_C(86400000)

static int setup(void **state)
{
        static char dir[TMPDIR_BYTES];
        tmpdir_make(dir);
        *state = dir;
        return 0;
}

static int teardown(void **state)
{
        tmpdir_remove(*state);
        return 0;
}

/* Loads; says whether it was made, and gives the key's digest. */
static bool made(const char *dir, const char *host, int64_t now_ms, struct digest *ret)
{
        struct err err = ERR_INIT;
        struct net_key key;
        bool is_new = false;
        assert_ok(net_key_load(dir, host, now_ms, &key, &is_new, &err), &err);
        *ret = key.spki_sha256;
        net_key_done(&key);
        net_key_done(&key);
        return is_new;
}

static void made_once(void **state)
{
        struct digest a, b;
        assert_true(made(*state, "web-1", NOW, &a));
        assert_false(made(*state, "web-1", NOW + DAY, &b));
        assert_true(digest_equal(&a, &b));
}

static void what_it_is(void **state)
{
        struct err err = ERR_INIT;
        struct net_key key;
        struct cert *cert = NULL;
        struct stat st;
        bool is_new = false;
        AUTO(mem_free_p) char *path = str_fmt("%s/tls.key", (char *)*state);
        assert_ok(net_key_load(*state, "web-1", NOW, &key, &is_new, &err), &err);
        assert_ok(cert_parse_pem(view_str(key.cert_pem), &cert, &err), &err);
        assert_string_equal(cert_cn(cert), "web-1");
        assert_int_equal(pubkey_curve(cert_pubkey(cert)), CURVE_P256);
        assert_false(cert_is_ca(cert));
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        cert_free(cert);
        net_key_done(&key);
}

static void made_anew(void **state)
{
        struct err err = ERR_INIT;
        struct digest a, b;
        AUTO(mem_free_p) char *key = str_fmt("%s/tls.key", (char *)*state);
        AUTO(mem_free_p) char *cert = str_fmt("%s/tls.crt", (char *)*state);
        assert_true(made(*state, "web-1", NOW, &a));
        assert_true(made(*state, "web-2", NOW, &b)); /* another host's */
        assert_false(digest_equal(&a, &b));
        assert_true(made(*state, "web-2", NOW + 3640 * DAY, &b)); /* ends within a month */
        assert_ok(file_write(key, view_str("no key"), 0600, &err), &err);
        assert_true(made(*state, "web-2", NOW, &b));
        assert_ok(file_write(cert, view_str("no certificate"), 0600, &err), &err);
        assert_true(made(*state, "web-2", NOW, &b));
        assert_ok(file_remove(cert, &err), &err);
        assert_true(made(*state, "web-2", NOW, &b));
        assert_false(made(*state, "web-2", NOW, &a));
        assert_true(digest_equal(&a, &b));
}

static void no_folder(void **state)
{
        struct err err = ERR_INIT;
        struct net_key key;
        bool is_new = false;
        AUTO(mem_free_p) char *dir = str_fmt("%s/missing", (char *)*state);
        POISON(key);
        assert_err(net_key_load(dir, "web-1", NOW, &key, &is_new, &err), ERR_IO, &err,
                   "TLS key of the agent");
        assert_poisoned(key);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(made_once, setup, teardown),
                cmocka_unit_test_setup_teardown(what_it_is, setup, teardown),
                cmocka_unit_test_setup_teardown(made_anew, setup, teardown),
                cmocka_unit_test_setup_teardown(no_folder, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
