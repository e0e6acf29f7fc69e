/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates: what they say, what is strict, what is tolerated; DER. */
#include "support/support.h"

#include <stdlib.h>

#include "base/file.h"
#include "crypto/cert.h"
#include "crypto/der.h"
#include "test_pki.h"

static struct buf load(const char *name)
{
        const char *top = getenv("top_srcdir");
        struct err err = ERR_INIT;
        struct buf b = {0};
        char path[512];

        (void)snprintf(path, sizeof(path), "%s/tests/vectors/ek/%s", top ? top : ".", name);
        assert_ok(file_read(path, 65536, &b, &err), &err);
        return b;
}

/* ---- vectors ---- */

static void test_ek_certificate(void **state)
{
        struct buf der = load("rsa2048.der"), again = {0};
        struct err err = ERR_INIT;
        struct cert *cert = NULL, *from_pem = NULL;
        char *pem = NULL;

        (void)state;
        assert_ok(cert_parse_der(VIEW_BUF(&der), &cert, &err), &err);
        assert_true(view_equal(cert_der(cert), VIEW_BUF(&der)));
        assert_string_equal(cert_issuer(cert), "CN=swtpm-localca");
        assert_int_equal(pubkey_type(cert_pubkey(cert)), PUBKEY_RSA);
        assert_int_equal(pubkey_bits(cert_pubkey(cert)), 2048);
        assert_int_equal(cert_not_after_ms(cert), INT64_C(253402300799000)); /* 9999-12-31T23:59:59Z */
        assert_false(cert_is_ca(cert));
        assert_int_equal(cert_n_uris(cert), 0);
        assert_int_equal(strspn(cert_serial_hex(cert), "0123456789abcdef"), strlen(cert_serial_hex(cert)));
        assert_ok(cert_pem(cert, &pem, &err), &err);
        assert_ok(cert_parse_pem(view_str(pem), &from_pem, &err), &err);
        assert_true(view_equal(cert_der(cert), cert_der(from_pem)));
        free(pem);
        cert_free(cert);
        cert_free(from_pem);
        buf_free(&der);
        buf_free(&again);
}

static void test_issue(void **state)
{
        static const char *const uris[] = {"urn:avow:role:admin", "urn:avow:tenant:default", NULL};
        static const char *const bad_uris[] = {"urn:a b", NULL};
        static const char *const bad_ips[] = {"127.0.0.300", NULL};
        struct cert_spec spec = {
                .kind = CERT_KIND_CLIENT, .cn = "x", .not_before_ms = PKI_FROM_MS, .not_after_ms = PKI_TO_MS};
        struct err err = ERR_INIT;
        struct pki_cert ca, leaf;
        struct pubkey *pub = NULL;
        struct cert *none = NULL;
        char cn[90];

        (void)state;
        pki_issue(&ca, CERT_KIND_CA, "test CA", NULL, NULL);
        pki_issue(&leaf, CERT_KIND_CLIENT, "a, b = c", &ca, uris);
        assert_true(cert_is_ca(ca.cert));
        assert_string_equal(cert_cn(leaf.cert), "a, b = c");
        assert_int_equal(cert_n_uris(leaf.cert), 2);
        assert_string_equal(cert_uri(leaf.cert, 1), "urn:avow:tenant:default");
        assert_true(cert_has_uri(leaf.cert, "urn:avow:role:admin"));
        assert_false(cert_has_uri(leaf.cert, "urn:avow:role:adm"));
        assert_int_equal(cert_not_before_ms(leaf.cert), PKI_FROM_MS);
        assert_int_equal(cert_not_after_ms(leaf.cert), PKI_TO_MS);
        assert_int_equal(strlen(cert_serial_hex(leaf.cert)), 32);
        assert_true(cert_key_fits(leaf.cert, leaf.key));
        assert_false(cert_key_fits(leaf.cert, ca.key));
        /* What cannot stand in a certificate. A long name is cut in the CN. */
        assert_ok(key_public(leaf.key, &pub, &err), &err);
        spec.uris = bad_uris;
        assert_err(cert_issue(&spec, pub, ca.cert, ca.key, &none, &err), ERR_FORMAT, &err, "urn:a b");
        spec.uris = NULL;
        spec.ips = bad_ips;
        assert_err(cert_issue(&spec, pub, ca.cert, ca.key, &none, &err), ERR_FORMAT, &err, "127.0.0.300");
        assert_null(none);
        spec.ips = NULL;
        memset(cn, 'n', 80);
        cn[80] = '\0';
        spec.cn = cn;
        assert_ok(cert_issue(&spec, pub, ca.cert, ca.key, &none, &err), &err);
        assert_int_equal(strlen(cert_cn(none)), 64);
        cert_free(none);
        pubkey_free(pub);
        pki_done(&ca);
        pki_done(&leaf);
}

/* ---- tolerated faults ---- */

static void check_lax(struct view der, const char *why_part, struct view want_der)
{
        struct err err = ERR_INIT;
        struct cert *cert = NULL;
        const char *why = NULL;

        assert_err(cert_parse_der(der, &cert, &err), ERR_FORMAT, &err, why_part);
        assert_null(cert);
        assert_ok(cert_parse_lax(der, CERT_MALFORMED_WARN, &cert, &why, &err), &err);
        assert_non_null(why);
        assert_non_null(strstr(why, why_part));
        assert_true(view_equal(cert_der(cert), want_der));
        cert_free(cert);
}

static void test_lax(void **state)
{
        struct buf der = load("rsa2048.der"), wrapped = {0}, padded = {0}, explicit = {0};
        static const uint8_t ff[7] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
        static const uint8_t eku_oid[] = {0x06, 0x03, 0x55, 0x1d, 0x25};
        struct err err = ERR_INIT;
        struct cert *cert = NULL;
        const char *why = "poison";
        uint8_t *at;
        size_t off;

        (void)state;
        assert_ok(cert_parse_lax(VIEW_BUF(&der), CERT_MALFORMED_WARN, &cert, &why, &err), &err);
        assert_null(why);
        cert_free(cert);
        cert = NULL;
        /* Wrapped in an OCTET STRING (Keylime issue 1891). */
        buf_u8(&wrapped, 0x04);
        buf_u8(&wrapped, 0x82);
        buf_be16(&wrapped, (uint16_t)der.len);
        buf_put_view(&wrapped, VIEW_BUF(&der));
        check_lax(VIEW_BUF(&wrapped), "OCTET STRING", VIEW_BUF(&der));
        /* Padded to the end of the NV index. */
        buf_put_view(&padded, VIEW_BUF(&der));
        buf_put(&padded, ff, sizeof(ff));
        check_lax(VIEW_BUF(&padded), "padding", VIEW_BUF(&der));
        padded.p[padded.len - 1] = 0x30;
        assert_err(cert_parse_lax(VIEW_BUF(&padded), CERT_MALFORMED_IGNORE, &cert, &why, &err), ERR_FORMAT,
                   &err, "7 bytes follow");
        /* An explicit default (Nuvoton): "critical FALSE" spelt out in an extension; lengths around it grow
         * by 3. */
        at = memmem(der.p, der.len, eku_oid, sizeof(eku_oid));
        assert_non_null(at);
        off = (size_t)(at - der.p) + sizeof(eku_oid);
        buf_put(&explicit, der.p, off);
        buf_u8(&explicit, 0x01);
        buf_u8(&explicit, 0x01);
        buf_u8(&explicit, 0x00);
        buf_put(&explicit, der.p + off, der.len - off);
        explicit.p[3] = (uint8_t)(explicit.p[3] + 3);             /* Certificate: low byte of the length */
        explicit.p[7] = (uint8_t)(explicit.p[7] + 3);             /* TBSCertificate */
        explicit.p[off - 6] = (uint8_t)(explicit.p[off - 6] + 3); /* this Extension */
        for (size_t i = off - 7; i > off - 14; i--) /* Extensions and [3], "a3 81 xx 30 81 xx" or with 82 */
                if (explicit.p[i - 2] == 0x30 && explicit.p[i - 1] == 0x81) {
                        explicit.p[i] = (uint8_t)(explicit.p[i] + 3);
                        explicit.p[i - 3] = (uint8_t)(explicit.p[i - 3] + 3);
                        break;
                }
        check_lax(VIEW_BUF(&explicit), "strict DER", VIEW_BUF(&explicit));
        buf_free(&der);
        buf_free(&wrapped);
        buf_free(&padded);
        buf_free(&explicit);
}

static void test_malformed_names(void **state)
{
        enum cert_malformed m;

        (void)state;
        POISON(m);
        assert_false(cert_malformed_by_name("Warn", &m));
        assert_poisoned(m);
        assert_true(cert_malformed_by_name("reject", &m) && m == CERT_MALFORMED_REJECT);
        assert_true(cert_malformed_by_name("ignore", &m) && m == CERT_MALFORMED_IGNORE);
        assert_true(cert_malformed_by_name("warn", &m) && m == CERT_MALFORMED_WARN);
}

/* ---- malformed ---- */

static void must_fail(struct view der, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        struct cert *cert = NULL;

        (void)ctx;
        if (cert_parse_der(der, &cert, &err) == 0)
                fail_msg("parsed after %s", what);
        assert_null(cert);
}

/* Both parsers only have to survive; what still parses strictly must be what was given. */
static void must_survive(struct view der, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        struct cert *cert = NULL;
        const char *why;

        (void)what;
        (void)ctx;
        if (cert_parse_lax(der, CERT_MALFORMED_IGNORE, &cert, &why, &err) == 0 && !why)
                assert_true(view_equal(cert_der(cert), der));
        cert_free(cert);
}

static void test_malformed(void **state)
{
        struct pki_cert c;
        struct err err = ERR_INIT;
        struct cert *cert = NULL;
        struct cert_list list = {0};

        (void)state;
        pki_issue(&c, CERT_KIND_CLIENT, "x", NULL, NULL);
        each_truncation(cert_der(c.cert), must_fail, NULL);
        each_bit_flip(cert_der(c.cert), must_survive, NULL);
        assert_err(cert_parse_der(VIEW_NONE, &cert, &err), ERR_FORMAT, &err, "empty");
        assert_err(cert_parse_pem(view_str("no PEM"), &cert, &err), ERR_FORMAT, &err, "no certificate");
        assert_err(cert_list_parse_pem(view_str(""), CERT_MALFORMED_WARN, &list, NULL, &err), ERR_FORMAT,
                   &err, NULL);
        assert_err(cert_load("/nonexistent", &list, &err), ERR_IO, &err, "/nonexistent");
        assert_null(cert);
        pki_done(&c);
        cert_list_done(&list);
}

static void test_list_limit(void **state)
{
        struct pki_cert c;
        struct err err = ERR_INIT;
        struct cert_list list = {0};
        struct buf text = {0};
        char *pem = NULL;

        (void)state;
        pki_issue(&c, CERT_KIND_CLIENT, "x", NULL, NULL);
        assert_ok(cert_pem(c.cert, &pem, &err), &err);
        for (int i = 0; i < CERT_CHAIN_MAX; i++)
                buf_str(&text, pem);
        assert_ok(cert_list_parse_pem(VIEW_BUF(&text), CERT_MALFORMED_WARN, &list, NULL, &err), &err);
        assert_int_equal(list.n, CERT_CHAIN_MAX);
        cert_list_done(&list);
        buf_str(&text, pem);
        assert_err(cert_list_parse_pem(VIEW_BUF(&text), CERT_MALFORMED_WARN, &list, NULL, &err), ERR_LIMIT,
                   &err, NULL);
        cert_list_done(&list);
        free(pem);
        buf_free(&text);
        pki_done(&c);
}

static void test_der(void **state)
{
        static const struct {
                const char *bytes;
                size_t n;
                bool strict;
        } rows[] = {
                {"\x02\x01\x00", 3, true},
                {"\x02\x02\x00\x01", 4, false},
                {"\x02\x02\x00\x80", 4, true},
                {"\x02\x02\xff\x80", 4, false},
                {"\x02\x00", 2, false},
                {"\x01\x01\xff", 3, true},
                {"\x01\x01\x01", 3, false},
                {"\x05\x00", 2, true},
                {"\x05\x01\x00", 3, false},
                {"\x03\x02\x01\x02", 4, true},
                {"\x03\x02\x01\x01", 4, false},
                {"\x03\x01\x00", 3, true},
                {"\x03\x01\x01", 3, false},
                {"\x03\x00", 2, false},
                {"\x04\x81\x01\x00", 4, false},
                {"\x30\x80\x00\x00", 4, false},
                {"\x24\x03\x04\x01\x00", 5, false},
                {"\x10\x00", 2, false},
                {"\x30\x03\x02\x01\x01", 5, true},
                {"\x30\x03\x02\x01", 4, false},
                {"\x30\x03\x02\x01\x01\x00", 6, false},
                {"\xa0\x03\x02\x01\x01", 5, true},
                {"\x1f\x80\x01\x00", 4, false},
                {"\x9f\x81\x01\x00", 4, true},
                {"\x1f", 1, false},
                {"", 0, false},
                {"\x04\x85\x01\x01\x01\x01\x01", 7, false},
        };
        uint8_t deep[2 * 40];

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                if (der_is_strict(VIEW(rows[i].bytes, rows[i].n)) != rows[i].strict)
                        fail_msg("row %zu", i);
        for (size_t i = 0; i < 40; i++) {
                deep[2 * i] = 0x30;
                deep[2 * i + 1] = (uint8_t)(78 - 2 * i);
        }
        assert_false(der_is_strict(VIEW_ARRAY(deep)));
        assert_true(der_is_strict(VIEW(deep + 20, 60)));
}

/* ---- out of memory ---- */

static int run_parse(void *ctx, struct err *err)
{
        const struct pki_cert *c = ctx;
        AUTO(cert_free_p)
        struct cert *cert = NULL;
        AUTO(mem_free_p)
        char *pem = NULL;
        struct cert_list list = {0};
        int r = cert_parse_der(cert_der(c->cert), &cert, err);

        if (r >= 0)
                r = cert_pem(cert, &pem, err);
        if (r >= 0)
                r = cert_list_parse_pem(view_str(pem), CERT_MALFORMED_WARN, &list, NULL, err);
        cert_list_done(&list);
        return r;
}

static void test_oom(void **state)
{
        static const char *const uris[] = {"urn:avow:role:admin", NULL};
        struct pki_cert c;

        (void)state;
        pki_issue(&c, CERT_KIND_CLIENT, "x", NULL, uris);
        oom_each(run_parse, &c);
        pki_done(&c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ek_certificate),
                cmocka_unit_test(test_issue),
                cmocka_unit_test(test_lax),
                cmocka_unit_test(test_malformed_names),
                cmocka_unit_test(test_malformed),
                cmocka_unit_test(test_list_limit),
                cmocka_unit_test(test_der),
                cmocka_unit_test(test_oom),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
