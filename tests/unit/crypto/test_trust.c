/* SPDX-License-Identifier: Apache-2.0 */
/* Chains: dates, CA flags, path lengths, intermediates, EK certificates as swtpm makes them. */
#include "support/support.h"

#include <stdlib.h>

#include "base/file.h"
#include "crypto/trust.h"
#include "support/make_crl.h"
#include "test_pki.h"

#define EK_NOW_MS INT64_C(1795370000000) /* 2026-11-22 */

static void path_of(char path[512], const char *name)
{
        const char *top = getenv("top_srcdir");

        (void)snprintf(path, 512, "%s/tests/vectors/ek/%s", top ? top : ".", name);
}

static struct cert *load(const char *name)
{
        struct err err = ERR_INIT;
        struct cert *cert = NULL;
        struct buf b = {0};
        char path[512];

        path_of(path, name);
        assert_ok(file_read(path, 65536, &b, &err), &err);
        assert_ok(b.p[0] == '-' ? cert_parse_pem(VIEW_BUF(&b), &cert, &err)
                                : cert_parse_der(VIEW_BUF(&b), &cert, &err),
                  &err);
        buf_free(&b);
        return cert;
}

static struct trust *anchors(const struct cert *a)
{
        struct err err = ERR_INIT;
        struct trust *trust = NULL;

        assert_ok(trust_new(&trust, &err), &err);
        if (a)
                assert_ok(trust_add(trust, a, &err), &err);
        return trust;
}

/* PART NULL: the chain must be good. */
static void check(const struct trust *trust, const struct cert *leaf, const struct cert_list *via,
                  int64_t at_ms, bool ek, const char *part)
{
        char reason[TRUST_REASON_BYTES];
        struct err err = ERR_INIT;
        bool good = !part;

        good = !good;
        assert_ok((ek ? trust_check_ek : trust_check)(trust, leaf, via, at_ms, &good, reason, &err), &err);
        if (good != !part || (part && !strstr(reason, part)))
                fail_msg("good %d, reason '%s'", good, reason);
}

/* ---- vectors ---- */

static void test_swtpm(void **state)
{
        static const char *const leaves[] = {"rsa2048.der", "ecc384.der"};
        struct cert *root = load("root.pem"), *issuer = load("issuer.pem");
        struct cert_list via = {0};
        struct err err = ERR_INIT;
        struct trust *by_root = anchors(root), *by_issuer = anchors(issuer), *nobody = anchors(NULL);

        (void)state;
        assert_ok(cert_list_add(&via, load("issuer.pem"), &err), &err);
        for (size_t i = 0; i < ARRAY_LEN(leaves); i++) {
                struct cert *leaf = load(leaves[i]);

                check(by_root, leaf, &via, EK_NOW_MS, true, NULL);
                check(by_issuer, leaf, NULL, EK_NOW_MS, true, NULL); /* the issuing CA alone is an anchor */
                check(by_root, leaf, NULL, EK_NOW_MS, true, "unable to get");
                check(nobody, leaf, &via, EK_NOW_MS, true, "unable to get");
                check(by_root, leaf, &via, PKI_FROM_MS, true, "not yet valid");
                check(by_issuer, leaf, NULL, INT64_C(253402300799000), true,
                      NULL); /* the last second of 9999 */
                cert_free(leaf);
        }
        check(by_root, issuer, NULL, EK_NOW_MS, true, "CA's certificate");
        trust_free(by_root);
        trust_free(by_issuer);
        trust_free(nobody);
        cert_list_done(&via);
        cert_free(root);
        cert_free(issuer);
}

/* ---- what a chain must have ---- */

static void add_copy(struct cert_list *list, const struct cert *cert)
{
        struct err err = ERR_INIT;
        struct cert *copy = NULL;

        assert_ok(cert_parse_der(cert_der(cert), &copy, &err), &err);
        assert_ok(cert_list_add(list, copy, &err), &err);
}

static void test_chain_rules(void **state)
{
        struct pki_cert root, sub, sub2, leaf, leaf2, under_leaf, other_root;
        struct cert_list via = {0}, via2 = {0}, via_leaf = {0};
        struct trust *trust, *other;

        (void)state;
        pki_issue(&root, CERT_KIND_CA, "root", NULL, NULL);
        pki_issue(&other_root, CERT_KIND_CA, "root", NULL, NULL); /* same name, other key */
        pki_issue(&sub, CERT_KIND_CA, "sub", &root, NULL);
        pki_issue(&sub2, CERT_KIND_CA, "sub2", &sub, NULL);
        pki_issue(&leaf, CERT_KIND_SELF, "leaf", &sub, NULL);
        pki_issue(&leaf2, CERT_KIND_SELF, "leaf2", &sub2, NULL);
        pki_issue(&under_leaf, CERT_KIND_SELF, "under leaf", &leaf, NULL);
        trust = anchors(root.cert);
        other = anchors(other_root.cert);
        add_copy(&via, sub.cert);
        add_copy(&via2, sub.cert);
        add_copy(&via2, sub2.cert);
        add_copy(&via_leaf, sub.cert);
        add_copy(&via_leaf, leaf.cert);
        check(trust, leaf.cert, &via, PKI_NOW_MS, true, NULL);
        check(trust, leaf.cert, &via, PKI_NOW_MS, false, NULL);
        check(trust, leaf2.cert, &via2, PKI_NOW_MS, true, "path length");      /* sub has pathlen 0 */
        check(trust, under_leaf.cert, &via_leaf, PKI_NOW_MS, true, "CA cert"); /* a leaf signs nothing */
        check(other, leaf.cert, &via, PKI_NOW_MS, true, "");
        check(trust, other_root.cert, NULL, PKI_NOW_MS, false, "self");
        trust_free(trust);
        trust_free(other);
        cert_list_done(&via);
        cert_list_done(&via2);
        cert_list_done(&via_leaf);
        pki_done(&root);
        pki_done(&other_root);
        pki_done(&sub);
        pki_done(&sub2);
        pki_done(&leaf);
        pki_done(&leaf2);
        pki_done(&under_leaf);
}

static void test_dates(void **state)
{
        struct pki_cert root, leaf;
        struct trust *trust;

        (void)state;
        pki_issue_dated(&root, CERT_KIND_CA, "root", NULL, NULL, PKI_FROM_MS - 86400000,
                        PKI_TO_MS + 86400000);
        pki_issue(&leaf, CERT_KIND_SELF, "leaf", &root, NULL);
        trust = anchors(root.cert);
        check(trust, leaf.cert, NULL, PKI_FROM_MS - 29000, true, NULL);
        check(trust, leaf.cert, NULL, PKI_FROM_MS - 32000, true, "not yet valid");
        check(trust, leaf.cert, NULL, PKI_TO_MS + 29000, true, NULL);
        check(trust, leaf.cert, NULL, PKI_TO_MS + 32000, true, "expired");
        trust_free(trust);
        pki_done(&root);
        pki_done(&leaf);
}

/* A certificate that says it is for something else is no EK's. */
static void test_ek_purpose(void **state)
{
        struct pki_cert root, client;
        struct trust *trust;

        (void)state;
        pki_issue(&root, CERT_KIND_CA, "root", NULL, NULL);
        pki_issue(&client, CERT_KIND_CLIENT, "client", &root, NULL);
        trust = anchors(root.cert);
        check(trust, client.cert, NULL, PKI_NOW_MS, false, NULL);
        check(trust, client.cert, NULL, PKI_NOW_MS, true, "extended key usage");
        trust_free(trust);
        pki_done(&root);
        pki_done(&client);
}

/* ---- revocation ---- */

#define HOUR_MS INT64_C(3600000)

static void write_crl(const char *path, const struct pki_cert *issuer, int64_t next_ms,
                      const struct cert *revoked, const char *also)
{
        const struct make_crl spec = {.issuer = issuer->cert,
                                      .key = issuer->key,
                                      .this_update_ms = PKI_NOW_MS - HOUR_MS,
                                      .next_update_ms = next_ms,
                                      .revoked = &revoked,
                                      .n_revoked = revoked ? 1 : 0};
        struct err err = ERR_INIT;
        struct buf der = {0};

        make_crl(&spec, &der);
        buf_str(&der, also);
        (void)remove(path);
        assert_ok(file_create(path, VIEW_BUF(&der), 0600, &err), &err);
        buf_free(&der);
}

/* Once there is a list, the leaf's issuer must have one that holds; above that, one that is there counts. */
static void test_revocation(void **state)
{
        struct pki_cert root, sub, leaf, gone, other;
        struct cert_list via = {0};
        struct err err = ERR_INIT;
        struct trust *trust;
        char dir[TMPDIR_BYTES], path[64], above[64];

        (void)state;
        tmpdir_make(dir);
        (void)snprintf(path, sizeof(path), "%s/sub.crl", dir);
        (void)snprintf(above, sizeof(above), "%s/root.crl", dir);
        pki_issue(&root, CERT_KIND_CA, "root", NULL, NULL);
        pki_issue(&other, CERT_KIND_CA, "other", NULL, NULL);
        pki_issue(&sub, CERT_KIND_CA, "sub", &root, NULL);
        pki_issue(&leaf, CERT_KIND_SELF, "leaf", &sub, NULL);
        pki_issue(&gone, CERT_KIND_SELF, "gone", &sub, NULL);
        add_copy(&via, sub.cert);

        write_crl(path, &sub, PKI_NOW_MS + HOUR_MS, gone.cert, "");
        trust = anchors(root.cert);
        check(trust, gone.cert, &via, PKI_NOW_MS, false, NULL); /* no list, no question */
        assert_ok(trust_add_crl_path(trust, path, &err), &err);
        check(trust, leaf.cert, &via, PKI_NOW_MS, false, NULL);
        check(trust, gone.cert, &via, PKI_NOW_MS, false, "revoked");
        check(trust, leaf.cert, &via, PKI_NOW_MS + 2 * HOUR_MS, false, "CRL has expired");
        write_crl(above, &root, PKI_NOW_MS + HOUR_MS, sub.cert, "");
        assert_ok(trust_add_crl_path(trust, dir, &err), &err);
        check(trust, leaf.cert, &via, PKI_NOW_MS, false, "revoked");
        trust_free(trust);

        trust = anchors(root.cert);
        assert_ok(trust_add_crl_path(trust, above, &err), &err);
        check(trust, leaf.cert, &via, PKI_NOW_MS, false, "unable to get certificate CRL");
        trust_free(trust);

        write_crl(path, &other, PKI_NOW_MS + HOUR_MS, gone.cert, "");
        trust = anchors(root.cert);
        assert_ok(trust_add_crl_path(trust, path, &err), &err);
        check(trust, leaf.cert, &via, PKI_NOW_MS, false, "unable to get certificate CRL");
        write_crl(path, &sub, PKI_NOW_MS + HOUR_MS, NULL, "x");
        assert_err(trust_add_crl_path(trust, path, &err), ERR_FORMAT, &err, "sub.crl");
        trust_free(trust);
        cert_list_done(&via);
        pki_done(&root);
        pki_done(&other);
        pki_done(&sub);
        pki_done(&leaf);
        pki_done(&gone);
        tmpdir_remove(dir);
}

/* ---- folders ---- */

static void test_paths(void **state)
{
        struct pki_cert a, b;
        struct err err = ERR_INIT;
        struct trust *trust = anchors(NULL);
        char dir[TMPDIR_BYTES], path[64], both[64];
        struct buf text = {0};

        (void)state;
        tmpdir_make(dir);
        pki_issue(&a, CERT_KIND_CA, "a", NULL, NULL);
        pki_issue(&b, CERT_KIND_CA, "b", NULL, NULL);
        (void)snprintf(path, sizeof(path), "%s/a.pem", dir);
        pki_write(&a, path, NULL);
        assert_ok(file_read(path, 65536, &text, &err), &err);
        (void)snprintf(path, sizeof(path), "%s/b.crt", dir);
        pki_write(&b, path, NULL);
        assert_ok(file_read(path, 65536, &text, &err), &err);
        (void)snprintf(path, sizeof(path), "%s/b.der", dir);
        assert_ok(file_write(path, cert_der(b.cert), 0644, &err), &err);
        (void)snprintf(path, sizeof(path), "%s/README.txt", dir);
        assert_ok(file_write(path, view_str("no certificate"), 0644, &err), &err);
        assert_ok(trust_add_path(trust, dir, &err), &err);
        assert_int_equal(trust_count(trust), 3);
        (void)snprintf(both, sizeof(both), "%s/both", dir);
        assert_ok(file_write(both, VIEW_BUF(&text), 0644, &err), &err);
        assert_ok(trust_add_path(trust, both, &err), &err);
        assert_int_equal(trust_count(trust), 5);
        assert_err(trust_add_path(trust, path, &err), ERR_FORMAT, &err, "README.txt");
        (void)snprintf(path, sizeof(path), "%s/z.pem", dir);
        assert_ok(file_write(path, view_str("-----BEGIN nothing"), 0644, &err), &err);
        assert_err(trust_add_path(trust, dir, &err), ERR_FORMAT, &err, "z.pem");
        assert_err(trust_add_path(trust, "/nonexistent", &err), ERR_IO, &err, "/nonexistent");
        tmpdir_remove(dir);
        trust_free(trust);
        buf_free(&text);
        pki_done(&a);
        pki_done(&b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_swtpm),      cmocka_unit_test(test_chain_rules),
                cmocka_unit_test(test_dates),      cmocka_unit_test(test_ek_purpose),
                cmocka_unit_test(test_revocation), cmocka_unit_test(test_paths),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
