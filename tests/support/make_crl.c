/* SPDX-License-Identifier: Apache-2.0 */
#include "support/make_crl.h"

#include <openssl/x509v3.h>

#include "support/support.h"

static void set_time(X509_CRL *crl, int64_t ms, int (*set)(X509_CRL *, const ASN1_TIME *))
{
        ASN1_TIME *t = ASN1_TIME_set(NULL, (time_t)(ms / 1000));

        assert_non_null(t);
        assert_int_equal(set(crl, t), 1);
        ASN1_TIME_free(t);
}

static void revoke(X509_CRL *crl, const struct cert *cert, int64_t at_ms)
{
        X509_REVOKED *entry = X509_REVOKED_new();
        ASN1_TIME *t = ASN1_TIME_set(NULL, (time_t)(at_ms / 1000));

        assert_true(entry && t);
        assert_int_equal(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(cert_x509(cert))), 1);
        assert_int_equal(X509_REVOKED_set_revocationDate(entry, t), 1);
        assert_int_equal(X509_CRL_add0_revoked(crl, entry), 1);
        ASN1_TIME_free(t);
}

void make_crl(const struct make_crl *spec, struct buf *ret)
{
        X509_CRL *crl = X509_CRL_new();
        uint8_t *der = NULL;
        int len;

        assert_non_null(crl);
        assert_int_equal(X509_CRL_set_version(crl, X509_CRL_VERSION_2), 1);
        assert_int_equal(X509_CRL_set_issuer_name(crl, X509_get_subject_name(cert_x509(spec->issuer))), 1);
        set_time(crl, spec->this_update_ms, X509_CRL_set1_lastUpdate);
        if (spec->next_update_ms)
                set_time(crl, spec->next_update_ms, X509_CRL_set1_nextUpdate);
        for (size_t i = 0; i < spec->n_revoked; i++)
                revoke(crl, spec->revoked[i], spec->this_update_ms);
        if (spec->critical) {
                X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_issuing_distribution_point,
                                                          "critical,onlyuser:TRUE");

                assert_non_null(ext);
                assert_int_equal(X509_CRL_add_ext(crl, ext, -1), 1);
                X509_EXTENSION_free(ext);
        }
        assert_true(X509_CRL_sign(crl, key_evp(spec->key), EVP_sha256()) > 0);
        len = i2d_X509_CRL(crl, &der);
        assert_true(len > 0);
        buf_put(ret, der, (size_t)len);
        assert_true(buf_ok(ret));
        OPENSSL_free(der);
        X509_CRL_free(crl);
}
