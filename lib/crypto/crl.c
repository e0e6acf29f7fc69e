/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocation lists. A list comes from the attester or from a cache that others write, so nothing it says
 * counts before crl_check() said yes; the questions are separate because who asks wants a separate answer (a
 * forged list, a stale one, and a revoked key are three different reasons).
 *
 * Spec: RFC 5280 §§5, 6.3.
 */
#include "crypto/crl.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "crypto/der.h"
#include "crypto/ossl.h"
#include "crypto/ossl_pss.h"

DEFINE_AUTO(X509_CRL, X509_CRL_free)

struct crl {
        X509_CRL *crl;
        char *issuer;
        int64_t this_update_ms, next_update_ms;
};

static int64_t time_ms(const ASN1_TIME *t)
{
        struct tm tm;

        if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
                return CRL_NO_TIME;
        return (int64_t)timegm(&tm) * 1000;
}

static X509_CRL *read_pem(struct view v)
{
        AUTO(BIO_free_all_p)
        BIO *bio = ossl_bio(v);

        return bio ? PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL) : NULL;
}

static X509_CRL *read_der(struct view v)
{
        const uint8_t *p = v.p;

        return der_is_strict(v) ? d2i_X509_CRL(NULL, &p, (long)v.len) : NULL;
}

static char *issuer_text(const X509_CRL *crl)
{
        AUTO(BIO_free_all_p)
        BIO *bio = BIO_new(BIO_s_mem());
        struct buf text = {0};

        if (!bio || X509_NAME_print_ex(bio, X509_CRL_get_issuer(crl), 0, XN_FLAG_RFC2253) < 0)
                return NULL;
        ossl_bio_take(bio, &text);
        return buf_take_str(&text);
}

int crl_parse(struct view bytes, struct crl **ret, struct err *err)
{
        AUTO(X509_CRL_free_p)
        X509_CRL *x = NULL;
        AUTO(crl_free_p)
        struct crl *crl = NULL;

        if (bytes.len > CRL_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "revocation list: %zu bytes, at most %u are read",
                               bytes.len, CRL_BYTES_MAX);
        x = bytes.len > 0 && bytes.p[0] == 0x30 ? read_der(bytes) : read_pem(bytes);
        if (!x)
                return ossl_err(err, ERR_FORMAT, "it is no revocation list in DER or PEM");
        crl = mem_zalloc(1, sizeof(*crl));
        if (!crl)
                return err_nomem(err);
        crl->this_update_ms = time_ms(X509_CRL_get0_lastUpdate(x));
        crl->next_update_ms = time_ms(X509_CRL_get0_nextUpdate(x));
        if (crl->this_update_ms == CRL_NO_TIME)
                return err_set(err, ERR_FORMAT, 0, "revocation list: its date cannot be read");
        crl->issuer = issuer_text(x);
        if (!crl->issuer)
                return err_nomem(err);
        crl->crl = TAKE(x);
        *ret = TAKE(crl);
        return 0;
}

void crl_free(struct crl *crl)
{
        if (!crl)
                return;
        X509_CRL_free(crl->crl);
        free(crl->issuer);
        free(crl);
}

X509_CRL *crl_x509(const struct crl *crl)
{
        return crl->crl;
}

const char *crl_issuer(const struct crl *crl)
{
        return crl->issuer;
}

int64_t crl_this_update_ms(const struct crl *crl)
{
        return crl->this_update_ms;
}

int64_t crl_next_update_ms(const struct crl *crl)
{
        return crl->next_update_ms;
}

/* RFC 5280 §5.2: a list with a critical extension that is not processed must not be used. */
static bool extensions_ok(const X509_CRL *crl)
{
        for (int i = 0; i < X509_CRL_get_ext_count(crl); i++)
                if (X509_EXTENSION_get_critical(X509_CRL_get_ext(crl, i)))
                        return false;
        return true;
}

int crl_check(const struct crl *crl, const struct cert *issuer, bool *ret_good, struct err *err)
{
        EVP_PKEY *key = X509_get0_pubkey(cert_x509(issuer));
        struct err unused = ERR_INIT;

        (void)err;
        *ret_good =
                key &&
                X509_NAME_cmp(X509_CRL_get_issuer(crl->crl), X509_get_subject_name(cert_x509(issuer))) == 0 &&
                extensions_ok(crl->crl) && X509_CRL_verify(crl->crl, key) == 1;
        if (!*ret_good)
                (void)ossl_err(&unused, ERR_CRYPTO, "empties the queue: a bad signature is an answer");
        return 0;
}

bool crl_lists(const struct crl *crl, const struct cert *cert)
{
        X509_REVOKED *entry = NULL;

        /* 2 is "removeFromCRL", which has a meaning in delta lists only: count it too */
        return X509_NAME_cmp(X509_CRL_get_issuer(crl->crl), X509_get_issuer_name(cert_x509(cert))) == 0 &&
               X509_CRL_get0_by_cert(crl->crl, &entry, cert_x509(cert)) > 0;
}

bool crl_signed_pss384(const struct crl *crl)
{
        const X509_ALGOR *alg = NULL;

        X509_CRL_get0_signature(crl->crl, NULL, &alg);
        return ossl_is_pss384(alg);
}
