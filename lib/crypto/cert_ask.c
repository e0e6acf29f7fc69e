/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions about a certificate that a chain check does not answer: by which rules it was signed. OpenSSL
 * accepts any parameters of RSASSA-PSS in a chain (a salt of no bytes, a mask with SHA-1); a vendor who
 * promises particular ones is held to them.
 *
 * Spec: RFC 5280 §4.2; RFC 4055 §3.1.
 */
#include "crypto/cert_ask.h"

#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "crypto/ossl.h"
#include "crypto/ossl_pss.h"

#define PSS_SALT_BYTES 48

bool cert_issuer_cn(const struct cert *cert, char *ret, size_t size)
{
        const X509_NAME *name = X509_get_issuer_name(cert_x509(cert));
        int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
        const ASN1_STRING *value;
        struct view text;

        if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
                return false;
        value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
        text = VIEW(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
        if (text.len >= size)
                return false;
        for (size_t i = 0; i < text.len; i++)
                if (text.p[i] < 0x20 || text.p[i] > 0x7e)
                        return false;
        for (size_t i = 0; i < text.len; i++)
                ret[i] = (char)text.p[i];
        ret[text.len] = '\0';
        return true;
}

static bool alg_is(const X509_ALGOR *alg, int nid)
{
        const ASN1_OBJECT *obj = NULL;

        if (!alg)
                return false;
        X509_ALGOR_get0(&obj, NULL, NULL, alg);
        return OBJ_obj2nid(obj) == nid;
}

/* The parameters of ALG, if they are a SEQUENCE: what X509_ALGOR and RSA_PSS_PARAMS are. */
static void *sequence_of(const X509_ALGOR *alg, const ASN1_ITEM *item)
{
        const ASN1_TYPE *param = alg->parameter;

        return param ? ASN1_TYPE_unpack_sequence(item, param) : NULL;
}

bool ossl_is_pss384(const X509_ALGOR *alg)
{
        RSA_PSS_PARAMS *pss;
        X509_ALGOR *mask = NULL;
        struct err unused = ERR_INIT;
        bool good = false;

        if (!alg_is(alg, NID_rsassaPss))
                return false;
        pss = sequence_of(alg, ASN1_ITEM_rptr(RSA_PSS_PARAMS));
        if (pss && pss->maskGenAlgorithm)
                mask = sequence_of(pss->maskGenAlgorithm, ASN1_ITEM_rptr(X509_ALGOR));
        if (pss)
                good = alg_is(pss->hashAlgorithm, NID_sha384) && alg_is(pss->maskGenAlgorithm, NID_mgf1) &&
                       alg_is(mask, NID_sha384) && pss->saltLength &&
                       ASN1_INTEGER_get(pss->saltLength) == PSS_SALT_BYTES &&
                       (!pss->trailerField || ASN1_INTEGER_get(pss->trailerField) == 1);
        X509_ALGOR_free(mask);
        RSA_PSS_PARAMS_free(pss);
        if (!good)
                (void)ossl_err(&unused, ERR_CRYPTO, "empties the queue: another algorithm is an answer");
        return good;
}

bool cert_signed_pss384(const struct cert *cert)
{
        const X509_ALGOR *alg = NULL;

        X509_get0_signature(NULL, &alg, cert_x509(cert));
        return ossl_is_pss384(alg);
}

bool cert_self_signed(const struct cert *cert)
{
        struct err unused = ERR_INIT;
        bool good = X509_self_signed(cert_x509(cert), 1) == 1;

        if (!good)
                (void)ossl_err(&unused, ERR_CRYPTO, "empties the queue: a bad signature is an answer");
        return good;
}

bool cert_has_use(const struct cert *cert, const char *oid)
{
        EXTENDED_KEY_USAGE *uses = X509_get_ext_d2i(cert_x509(cert), NID_ext_key_usage, NULL, NULL);
        struct err unused = ERR_INIT;
        bool named = false;
        char text[64];

        for (int i = 0; i < sk_ASN1_OBJECT_num(uses); i++)
                if (OBJ_obj2txt(text, sizeof(text), sk_ASN1_OBJECT_value(uses, i), 1) > 0 &&
                    strcmp(text, oid) == 0)
                        named = true;
        EXTENDED_KEY_USAGE_free(uses);
        (void)ossl_err(&unused, ERR_CRYPTO, "empties the queue: what cannot be read names nothing");
        return named;
}

bool cert_may_sign(const struct cert *cert)
{
        uint32_t usage = X509_get_key_usage(cert_x509(cert));

        return usage == UINT32_MAX || (usage & KU_DIGITAL_SIGNATURE) != 0;
}
