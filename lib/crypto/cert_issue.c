/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Issuing certificates: the CA of `avow init`, server and client certificates, an agent's own, and the AK
 * certificate, which is the registrar's statement that a key lives in the TPM with this EK (SR-10). Names are
 * put in as structures, never pasted into OpenSSL's configuration syntax, where a comma would begin another.
 *
 * Spec: RFC 5280 §4; TCG EK Credential Profile and "TPM 2.0 Keys for Device Identity"
 * (tcg-kp-AIKCertificate).
 */
#include <openssl/x509v3.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/cert.h"
#include "crypto/ossl.h"
#include "crypto/random.h"

#define CN_BYTES_MAX 64 /* RFC 5280, ub-common-name */

DEFINE_AUTO(GENERAL_NAMES, GENERAL_NAMES_free)

/* What a kind says about itself, in the syntax of x509v3_config(5); constants only. */
static const struct {
        const char *constraints, *usage, *eku;
} kinds[] = {
        [CERT_KIND_CA] = {"critical,CA:TRUE,pathlen:0", "critical,keyCertSign,cRLSign", NULL},
        [CERT_KIND_SERVER] = {"critical,CA:FALSE", "critical,digitalSignature", "serverAuth"},
        [CERT_KIND_CLIENT] = {"critical,CA:FALSE", "critical,digitalSignature", "clientAuth"},
        [CERT_KIND_BOTH] = {"critical,CA:FALSE", "critical,digitalSignature", "serverAuth,clientAuth"},
        [CERT_KIND_SELF] = {"critical,CA:FALSE", "critical,digitalSignature", NULL},
        [CERT_KIND_AK] = {"critical,CA:FALSE", "critical,digitalSignature", "2.23.133.8.3"},
};

static bool ascii_ok(const char *s)
{
        for (; *s; s++)
                if (*s <= ' ' || *s >= 0x7f)
                        return false;
        return true;
}

static int add_names(GENERAL_NAMES *names, int type, const char *const *list, struct err *err)
{
        for (; list && *list; list++) {
                GENERAL_NAME *name = GENERAL_NAME_new();
                ASN1_STRING *s = type == GEN_IPADD ? a2i_IPADDRESS(*list) : ASN1_IA5STRING_new();

                if (!name || !s ||
                    (type != GEN_IPADD && (!ascii_ok(*list) || ASN1_STRING_set(s, *list, -1) != 1)) ||
                    sk_GENERAL_NAME_push(names, name) <= 0) {
                        GENERAL_NAME_free(name);
                        ASN1_STRING_free(s);
                        return ossl_err(err, ERR_FORMAT, "the name '%.80s' cannot stand in a certificate",
                                        *list);
                }
                GENERAL_NAME_set0_value(name, type, s);
        }
        return 0;
}

static int add_san(X509 *x509, const struct cert_spec *spec, struct err *err)
{
        AUTO(GENERAL_NAMES_free_p)
        GENERAL_NAMES *names = GENERAL_NAMES_new();
        int r;

        if (!names)
                return err_nomem(err);
        r = add_names(names, GEN_DNS, spec->dns, err);
        if (r >= 0)
                r = add_names(names, GEN_IPADD, spec->ips, err);
        if (r >= 0)
                r = add_names(names, GEN_URI, spec->uris, err);
        if (r < 0)
                return r;
        if (sk_GENERAL_NAME_num(names) > 0 &&
            X509_add1_ext_i2d(x509, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) != 1)
                return ossl_err(err, ERR_CRYPTO, "subject alternative names");
        return 0;
}

static int add_ext(X509 *x509, X509V3_CTX *ctx, int nid, const char *value, struct err *err)
{
        X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
        int ok = ext ? X509_add_ext(x509, ext, -1) : 0;

        X509_EXTENSION_free(ext);
        return ok == 1 ? 0 : ossl_err(err, ERR_CRYPTO, "certificate extension");
}

static int add_extensions(X509 *x509, X509 *issuer, const struct cert_spec *spec, struct err *err)
{
        bool root = issuer == x509;
        const char *constraints =
                spec->kind == CERT_KIND_CA && root ? "critical,CA:TRUE" : kinds[spec->kind].constraints;
        X509V3_CTX ctx;
        int r;

        X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
        r = add_ext(x509, &ctx, NID_basic_constraints, constraints, err);
        if (r >= 0)
                r = add_ext(x509, &ctx, NID_key_usage, kinds[spec->kind].usage, err);
        if (r >= 0 && kinds[spec->kind].eku)
                r = add_ext(x509, &ctx, NID_ext_key_usage, kinds[spec->kind].eku, err);
        if (r >= 0)
                r = add_ext(x509, &ctx, NID_subject_key_identifier, "hash", err);
        if (r >= 0 && !root)
                r = add_ext(x509, &ctx, NID_authority_key_identifier, "keyid", err);
        return r < 0 ? r : add_san(x509, spec, err);
}

static int set_serial(X509 *x509, struct err *err)
{
        AUTO(BN_free_p)
        BIGNUM *bn = NULL;
        uint8_t bytes[16];
        int r = random_bytes(bytes, sizeof(bytes), err);

        if (r < 0)
                return r;
        bytes[0] = (uint8_t)((bytes[0] & 0x7f) | 0x40); /* positive, and always 16 bytes long */
        bn = BN_bin2bn(bytes, sizeof(bytes), NULL);
        if (!bn || !BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x509)))
                return ossl_err(err, ERR_CRYPTO, "serial number");
        return 0;
}

static int set_fields(X509 *x509, const struct cert_spec *spec, const struct pubkey *subject, struct err *err)
{
        X509_NAME *name = X509_get_subject_name(x509);
        size_t cn_len = strnlen(spec->cn, CN_BYTES_MAX);

        if (!ASN1_TIME_set(X509_getm_notBefore(x509), (time_t)(spec->not_before_ms / 1000)) ||
            !ASN1_TIME_set(X509_getm_notAfter(x509), (time_t)(spec->not_after_ms / 1000)))
                return ossl_err(err, ERR_FORMAT, "the dates cannot stand in a certificate");
        if (X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, (const uint8_t *)spec->cn,
                                       (int)cn_len, -1, 0) != 1)
                return ossl_err(err, ERR_FORMAT, "the name '%.64s' cannot stand in a certificate", spec->cn);
        if (X509_set_version(x509, X509_VERSION_3) != 1 || X509_set_pubkey(x509, pubkey_evp(subject)) != 1)
                return ossl_err(err, ERR_CRYPTO, "certificate");
        return 0;
}

static const EVP_MD *signing_md(const struct key *key)
{
        const EVP_PKEY *pkey = key_evp(key);

        return EVP_PKEY_get_base_id(pkey) == EVP_PKEY_EC && EVP_PKEY_get_bits(pkey) > 256 ? EVP_sha384()
                                                                                          : EVP_sha256();
}

int cert_issue(const struct cert_spec *spec, const struct pubkey *subject, const struct cert *issuer,
               const struct key *issuer_key, struct cert **ret, struct err *err)
{
        AUTO(X509_free_p)
        X509 *x509 = X509_new();
        X509 *issuer_x509 = issuer ? cert_x509(issuer) : x509;
        int r;

        if (!x509)
                return ossl_err(err, ERR_CRYPTO, "certificate");
        r = set_serial(x509, err);
        if (r >= 0)
                r = set_fields(x509, spec, subject, err);
        if (r >= 0 && X509_set_issuer_name(x509, X509_get_subject_name(issuer_x509)) != 1)
                r = ossl_err(err, ERR_CRYPTO, "issuer's name");
        if (r >= 0)
                r = add_extensions(x509, issuer_x509, spec, err);
        if (r < 0)
                return err_wrap(err, "issue a certificate for '%.80s'", spec->cn);
        if (X509_sign(x509, key_evp(issuer_key), signing_md(issuer_key)) <= 0)
                return ossl_err(err, ERR_CRYPTO, "sign the certificate of '%.80s'", spec->cn);
        return cert_from_x509(x509, ret, err);
}
