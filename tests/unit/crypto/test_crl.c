/* SPDX-License-Identifier: Apache-2.0 */
/* Revocation lists, extensions by OID, single links. */
#include "support/support.h"

#include "crypto/cert_ext.h"
#include "crypto/crl.h"
#include "support/make_crl.h"
#include "test_pki.h"

struct kit {
        struct pki_cert root, other, good, bad;
};

static int setup(void **state)
{
        struct kit *k = calloc(1, sizeof(*k));

        assert_non_null(k);
        pki_issue(&k->root, CERT_KIND_CA, "root", NULL, NULL);
        pki_issue(&k->other, CERT_KIND_CA, "root", NULL, NULL); /* the same name, another key */
        pki_issue(&k->good, CERT_KIND_CLIENT, "good", &k->root, NULL);
        pki_issue(&k->bad, CERT_KIND_CLIENT, "bad", &k->root, NULL);
        *state = k;
        return 0;
}

static int teardown(void **state)
{
        struct kit *k = *state;

        pki_done(&k->root);
        pki_done(&k->other);
        pki_done(&k->good);
        pki_done(&k->bad);
        free(k);
        return 0;
}

static struct make_crl spec_of(struct kit *k, const struct cert **revoked)
{
        *revoked = k->bad.cert;
        return (struct make_crl){.issuer = k->root.cert,
                                 .key = k->root.key,
                                 .this_update_ms = PKI_FROM_MS,
                                 .next_update_ms = PKI_TO_MS,
                                 .revoked = revoked,
                                 .n_revoked = 1};
}

static struct crl *made(const struct make_crl *spec)
{
        AUTO(buf_free)
        struct buf der = {0};
        struct crl *crl = NULL;
        struct err err = ERR_INIT;

        make_crl(spec, &der);
        assert_ok(crl_parse(VIEW_BUF(&der), &crl, &err), &err);
        return crl;
}

static bool checked(const struct crl *crl, const struct cert *issuer)
{
        struct err err = ERR_INIT;
        bool good = false;

        assert_ok(crl_check(crl, issuer, &good, &err), &err);
        return good;
}

static void says_who_and_when(void **state)
{
        struct kit *k = *state;
        const struct cert *revoked;
        struct make_crl spec = spec_of(k, &revoked);
        AUTO(crl_free_p)
        struct crl *crl = made(&spec);

        assert_int_equal(crl_this_update_ms(crl), PKI_FROM_MS);
        assert_int_equal(crl_next_update_ms(crl), PKI_TO_MS);
        assert_string_equal(crl_issuer(crl), "CN=root");
        assert_true(checked(crl, k->root.cert));
        assert_true(crl_lists(crl, k->bad.cert));
        assert_false(crl_lists(crl, k->good.cert));
}

static void refuses_another_issuer(void **state)
{
        struct kit *k = *state;
        const struct cert *revoked;
        struct make_crl spec = spec_of(k, &revoked);
        AUTO(crl_free_p)
        struct crl *crl = made(&spec);

        assert_false(checked(crl, k->other.cert)); /* name fits, key does not */
        assert_false(checked(crl, k->good.cert));
}

static void without_an_end(void **state)
{
        struct kit *k = *state;
        const struct cert *revoked;
        struct make_crl spec = spec_of(k, &revoked);
        AUTO(crl_free_p)
        struct crl *crl = NULL;

        spec.next_update_ms = 0;
        crl = made(&spec);
        assert_true(crl_next_update_ms(crl) == CRL_NO_TIME);
}

static void partial_lists_are_no_lists(void **state)
{
        struct kit *k = *state;
        const struct cert *revoked;
        struct make_crl spec = spec_of(k, &revoked);
        AUTO(crl_free_p)
        struct crl *crl = NULL;

        spec.critical = true;
        crl = made(&spec);
        assert_false(checked(crl, k->root.cert));
}

static void try_cut(struct view v, const char *what, void *ctx)
{
        struct crl *crl = NULL;
        struct err err = ERR_INIT;

        (void)ctx;
        if (crl_parse(v, &crl, &err) >= 0)
                fail_msg("accepted: %s", what);
}

/* What still parses is refused by its issuer, or means the same. */
static void try_flip(struct view v, const char *what, void *ctx)
{
        struct kit *k = ctx;
        AUTO(crl_free_p)
        struct crl *crl = NULL;
        struct err err = ERR_INIT;

        if (crl_parse(v, &crl, &err) >= 0 && checked(crl, k->root.cert) && !crl_lists(crl, k->bad.cert))
                fail_msg("accepted: %s", what);
}

static void malformed(void **state)
{
        struct kit *k = *state;
        const struct cert *revoked;
        struct make_crl spec = spec_of(k, &revoked);
        AUTO(buf_free)
        struct buf der = {0};
        struct crl *crl = NULL;
        struct err err = ERR_INIT;

        make_crl(&spec, &der);
        each_truncation(VIEW_BUF(&der), try_cut, NULL);
        each_bit_flip(VIEW_BUF(&der), try_flip, k);
        buf_u8(&der, 0);
        assert_err(crl_parse(VIEW_BUF(&der), &crl, &err), ERR_FORMAT, &err, "no revocation list");
        assert_null(crl);
}

static void links_and_extensions(void **state)
{
        struct kit *k = *state;
        struct err err = ERR_INIT;
        struct view v;
        bool good = false;

        assert_ok(cert_signed_by(k->good.cert, k->root.cert, &good, &err), &err);
        assert_true(good);
        assert_ok(cert_signed_by(k->good.cert, k->other.cert, &good, &err), &err);
        assert_false(good);
        assert_int_equal(cert_extension(k->good.cert, "2.5.29.19", &v), 1);
        assert_true(view_equal(v, VIEW("\x30\x00", 2))); /* basic constraints: an empty SEQUENCE */
        assert_int_equal(cert_extension(k->good.cert, "1.2.3", &v), 0);
        assert_int_equal(v.len, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(says_who_and_when), cmocka_unit_test(refuses_another_issuer),
                cmocka_unit_test(without_an_end),    cmocka_unit_test(partial_lists_are_no_lists),
                cmocka_unit_test(malformed),         cmocka_unit_test(links_and_extensions),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
