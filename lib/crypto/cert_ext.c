/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Extensions by OID, and one link of a chain. Spec: RFC 5280 §4.2, §6.1.3.
 */
#include "crypto/cert_ext.h"

#include <string.h>

#include "crypto/ossl.h"

#define OID_TEXT_BYTES 128

size_t cert_extension(const struct cert *cert, const char *oid, struct view *ret)
{
        const X509 *x509 = cert_x509(cert);
        char text[OID_TEXT_BYTES];
        size_t n = 0;

        *ret = VIEW_NONE;
        for (int i = 0; i < X509_get_ext_count(x509); i++) {
                X509_EXTENSION *ext = X509_get_ext(x509, i);
                int len = OBJ_obj2txt(text, sizeof(text), X509_EXTENSION_get_object(ext), 1);
                const ASN1_OCTET_STRING *data = X509_EXTENSION_get_data(ext);

                if (len <= 0 || (size_t)len >= sizeof(text) || strcmp(text, oid) != 0)
                        continue;
                if (n++ == 0)
                        *ret = VIEW(ASN1_STRING_get0_data(data), (size_t)ASN1_STRING_length(data));
        }
        return n;
}

int cert_signed_by(const struct cert *cert, const struct cert *issuer, bool *ret_good, struct err *err)
{
        EVP_PKEY *key = X509_get0_pubkey(cert_x509(issuer));
        struct err unused = ERR_INIT;

        (void)err;
        *ret_good = key &&
                    X509_NAME_cmp(X509_get_issuer_name(cert_x509(cert)),
                                  X509_get_subject_name(cert_x509(issuer))) == 0 &&
                    X509_verify(cert_x509(cert), key) == 1;
        if (!*ret_good)
                (void)ossl_err(&unused, ERR_CRYPTO, "empties the queue: a bad signature is an answer");
        return 0;
}
