/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates. What is asked of one is read out once, when it is parsed, into plain values; a name that does
 * not survive that (a NUL inside, characters outside ASCII where URIs have none) is left out, so that no role
 * can hide behind a half-read text.
 *
 * TPM vendors' certificates break the rules: explicit defaults (Nuvoton), an OCTET STRING around them, zeros
 * or ones up to the end of the NV index, a key marked id-RSAES-OAEP. All these are read by cert_parse_lax()
 * only, and the bytes that the issuer signed are kept as they came.
 *
 * Spec: RFC 5280; ITU-T X.690 (DER); TCG EK Credential Profile 2.x §3.
 */
#include "crypto/cert.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/der.h"
#include "crypto/ossl.h"

#define CERT_FILE_BYTES_MAX (1024u * 1024u)

struct cert {
        X509 *x509;
        struct buf der;
        struct pubkey *key;
        char *subject, *issuer, *cn, *serial;
        int64_t not_before_ms, not_after_ms;
        struct strv uris;
        bool ca;
};

static const char why_octet_string[] = "it is wrapped in an OCTET STRING";
static const char why_padded[] = "padding follows it";
static const char why_not_strict[] = "it is not strict DER";

bool cert_malformed_by_name(const char *name, enum cert_malformed *ret)
{
        static const struct {
                const char *name;
                enum cert_malformed value;
        } names[] = {{"warn", CERT_MALFORMED_WARN},
                     {"reject", CERT_MALFORMED_REJECT},
                     {"ignore", CERT_MALFORMED_IGNORE}};

        for (size_t i = 0; i < ARRAY_LEN(names); i++)
                if (strcmp(names[i].name, name) == 0) {
                        *ret = names[i].value;
                        return true;
                }
        return false;
}

static int64_t time_ms(const ASN1_TIME *t)
{
        struct tm tm;

        if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
                return 0; /* a date that cannot be read: the certificate has long expired */
        return (int64_t)timegm(&tm) * 1000;
}

static char *name_text(const X509_NAME *name)
{
        AUTO(BIO_free_all_p)
        BIO *bio = BIO_new(BIO_s_mem());
        struct buf text = {0};

        if (!bio || X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) < 0)
                return NULL;
        ossl_bio_take(bio, &text);
        return buf_take_str(&text);
}

/* The last common name, as UTF-8 without control characters; "" if there is none such. */
static char *cn_text(const X509_NAME *name)
{
        int at = -1, last = -1, len;
        uint8_t *utf8 = NULL;
        char *text;

        while ((at = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0)
                last = at;
        if (last < 0)
                return str_dup("");
        len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
        if (len < 0 || memchr(utf8, 0, (size_t)len))
                len = 0;
        text = str_ndup(utf8 ? (const char *)utf8 : "", (size_t)len);
        OPENSSL_free(utf8);
        return text;
}

static char *serial_text(const X509 *x509)
{
        AUTO(BN_free_p)
        BIGNUM *bn = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509), NULL);
        char *hex = bn ? BN_bn2hex(bn) : NULL;
        char *text = hex ? str_dup(hex[0] == '-' ? hex + 1 : hex) : NULL;

        for (char *p = text; p && *p; p++)
                if (*p >= 'A' && *p <= 'F')
                        *p = (char)(*p - 'A' + 'a');
        OPENSSL_free(hex);
        return text;
}

static bool uri_text_ok(const ASN1_STRING *s)
{
        const uint8_t *p = ASN1_STRING_get0_data(s);
        int len = ASN1_STRING_length(s);

        for (int i = 0; i < len; i++)
                if (p[i] <= ' ' || p[i] >= 0x7f)
                        return false;
        return len > 0;
}

static int read_uris(struct cert *cert, struct err *err)
{
        GENERAL_NAMES *names = X509_get_ext_d2i(cert->x509, NID_subject_alt_name, NULL, NULL);
        int r = 0;

        for (int i = 0; r == 0 && i < sk_GENERAL_NAME_num(names); i++) {
                const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
                const ASN1_STRING *s = name->type == GEN_URI ? name->d.uniformResourceIdentifier : NULL;

                if (s && uri_text_ok(s))
                        r = strv_take(&cert->uris, str_ndup((const char *)ASN1_STRING_get0_data(s),
                                                            (size_t)ASN1_STRING_length(s)));
        }
        GENERAL_NAMES_free(names);
        return r == 0 ? 0 : err_nomem(err);
}

/* The key; a key marked id-RSAES-OAEP is an RSA key to us. A kind that is unknown here leaves NULL. */
static int read_key(struct cert *cert, struct err *err)
{
        EVP_PKEY *pkey = X509_get_pubkey(cert->x509);
        struct err why = ERR_INIT;
        ASN1_OBJECT *alg = NULL;
        const uint8_t *p = NULL;
        int len = 0, r;

        if (!pkey && X509_PUBKEY_get0_param(&alg, &p, &len, NULL, X509_get_X509_PUBKEY(cert->x509)) == 1 &&
            OBJ_obj2nid(alg) == NID_rsaesOaep)
                pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &p, len);
        (void)ossl_err(&why, ERR_FORMAT, "empties the queue: no key is an answer");
        if (!pkey)
                return 0;
        r = pubkey_from_evp(pkey, &cert->key, &why);
        return r == -ERR_NOMEM ? err_nomem(err) : 0;
}

/* Takes X509 over, also on failure. */
static int cert_new(X509 *x509, struct view der, struct cert **ret, struct err *err)
{
        AUTO(X509_free_p)
        X509 *taken = x509;
        AUTO(cert_free_p)
        struct cert *cert = mem_zalloc(1, sizeof(*cert));
        int r;

        if (!cert)
                return err_nomem(err);
        cert->x509 = TAKE(taken);
        buf_put_view(&cert->der, der);
        cert->subject = name_text(X509_get_subject_name(x509));
        cert->issuer = name_text(X509_get_issuer_name(x509));
        cert->cn = cn_text(X509_get_subject_name(x509));
        cert->serial = serial_text(x509);
        if (!buf_ok(&cert->der) || !cert->subject || !cert->issuer || !cert->cn || !cert->serial)
                return err_nomem(err);
        cert->not_before_ms = time_ms(X509_get0_notBefore(x509));
        cert->not_after_ms = time_ms(X509_get0_notAfter(x509));
        cert->ca = X509_check_ca(x509) == 1;
        r = read_uris(cert, err);
        if (r >= 0)
                r = read_key(cert, err);
        if (r < 0)
                return r;
        *ret = TAKE(cert);
        return 0;
}

/* One certificate at the start of DER; how many bytes it has. */
static int parse(struct view der, X509 **ret, size_t *ret_len, struct err *err)
{
        const uint8_t *p = der.p;
        X509 *x509;

        if (der.len == 0)
                return err_set(err, ERR_FORMAT, 0, "an empty certificate");
        if (der.len > CERT_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "a certificate of %zu bytes; at most %d are read", der.len,
                               CERT_BYTES_MAX);
        x509 = d2i_X509(NULL, &p, (long)der.len);
        if (!x509)
                return ossl_err(err, ERR_FORMAT, "the bytes are no certificate");
        *ret = x509;
        *ret_len = (size_t)(p - der.p);
        return 0;
}

/* Does an extension spell "critical FALSE" out, which DER leaves out as the default? OpenSSL encodes it so
 * again. */
static bool spells_default(X509_EXTENSION *ext)
{
        uint8_t *der = NULL;
        int len = i2d_X509_EXTENSION(ext, &der);
        int oid_len = i2d_ASN1_OBJECT(X509_EXTENSION_get_object(ext), NULL);
        struct cursor c = cursor_of(VIEW(der, len > 0 ? (size_t)len : 0));
        struct view critical;
        uint8_t tag = 0, first = 0;
        bool spelt = oid_len > 0 && cursor_u8(&c, &tag) && cursor_u8(&c, &first) &&
                     cursor_skip(&c, first < 0x80 ? 0 : first & 0x7f) && cursor_skip(&c, (size_t)oid_len) &&
                     cursor_take(&c, 3, &critical) && critical.p[0] == V_ASN1_BOOLEAN && critical.p[2] == 0;

        OPENSSL_free(der);
        return spelt;
}

/* Is what was read DER, and would encoding it anew give the same bytes (so no default is spelt out)? */
static bool is_strict(X509 *x509, struct view der)
{
        AUTO(X509_free_p)
        X509 *copy = X509_dup(x509);
        uint8_t *tbs = NULL, *anew = NULL;
        bool same = false;

        /* i2d_re_X509_tbs() drops the encoding that was read, so that i2d_X509() makes another. */
        if (copy && i2d_re_X509_tbs(copy, &tbs) > 0) {
                int len = i2d_X509(copy, &anew);

                same = len > 0 && view_equal(VIEW(anew, (size_t)len), der);
        }
        for (int i = 0; same && i < X509_get_ext_count(x509); i++)
                same = !spells_default(X509_get_ext(x509, i));
        OPENSSL_free(tbs);
        OPENSSL_free(anew);
        return same && der_is_strict(der);
}

int cert_parse_der(struct view der, struct cert **ret, struct err *err)
{
        const char *why;

        return cert_parse_lax(der, CERT_MALFORMED_REJECT, ret, &why, err);
}

static bool is_padding(struct view v)
{
        for (size_t i = 0; i < v.len; i++)
                if (v.p[i] != v.p[0] || (v.p[0] != 0x00 && v.p[0] != 0xff))
                        return false;
        return true;
}

int cert_parse_lax(struct view der, enum cert_malformed action, struct cert **ret, const char **ret_why,
                   struct err *err)
{
        AUTO(X509_free_p)
        X509 *x509 = NULL;
        const char *why = NULL;
        struct view inner;
        size_t len = 0;
        int r;

        if (der_octet_string(der, &inner)) {
                why = why_octet_string;
                der = inner;
        }
        r = parse(der, &x509, &len, err);
        if (r < 0)
                return r;
        if (len < der.len) {
                if (!is_padding(VIEW(der.p + len, der.len - len)))
                        return err_set(err, ERR_FORMAT, 0, "%zu bytes follow the certificate", der.len - len);
                why = why ? why : why_padded;
                der.len = len;
        }
        if (!why && !is_strict(x509, der))
                why = why_not_strict;
        if (why && action == CERT_MALFORMED_REJECT)
                return err_set(err, ERR_FORMAT, 0, "the certificate is malformed: %s", why);
        r = cert_new(TAKE(x509), der, ret, err);
        if (r >= 0)
                *ret_why = why;
        return r;
}

int cert_from_x509(X509 *x509, struct cert **ret, struct err *err)
{
        uint8_t *der = NULL;
        int len = i2d_X509(x509, &der);
        int r;

        if (len <= 0 || X509_up_ref(x509) != 1) {
                OPENSSL_free(der);
                return ossl_err(err, ERR_CRYPTO, "encoding a certificate");
        }
        r = cert_new(x509, VIEW(der, (size_t)len), ret, err);
        OPENSSL_free(der);
        return r;
}

/* The next certificate of a PEM text as DER. Return: 1; 0 at the end; <0. */
static int next_pem(BIO *bio, struct buf *ret, struct err *err)
{
        char *name = NULL, *header = NULL;
        uint8_t *der = NULL;
        long len = 0;
        int found = 0;

        while (!found && PEM_read_bio(bio, &name, &header, &der, &len) == 1) {
                if (strcmp(name, PEM_STRING_X509) == 0 || strcmp(name, PEM_STRING_X509_OLD) == 0) {
                        found = 1;
                        buf_reset(ret);
                        buf_put(ret, der, (size_t)len);
                }
                OPENSSL_free(name);
                OPENSSL_free(header);
                OPENSSL_clear_free(der, (size_t)len); /* may have been a key */
        }
        if (!found)
                (void)ossl_err(err, ERR_FORMAT, "empties the queue: the text ended");
        return found && !buf_ok(ret) ? err_nomem(err) : found;
}

int cert_parse_pem(struct view pem, struct cert **ret, struct err *err)
{
        AUTO(BIO_free_all_p)
        BIO *bio = ossl_bio(pem);
        struct buf der = {0};
        int r = bio ? next_pem(bio, &der, err) : err_nomem(err);

        if (r == 0)
                r = err_set(err, ERR_FORMAT, 0, "the text holds no certificate in PEM form");
        else if (r > 0)
                r = cert_parse_der(VIEW_BUF(&der), ret, err);
        buf_free(&der);
        return r;
}

int cert_list_parse_pem(struct view pem, enum cert_malformed action, struct cert_list *list,
                        const char **ret_why, struct err *err)
{
        AUTO(BIO_free_all_p)
        BIO *bio = ossl_bio(pem);
        struct buf der = {0};
        const char *why, *first_why = NULL;
        size_t before = list->n;
        int r = bio ? 1 : err_nomem(err);

        while (r > 0 && (r = next_pem(bio, &der, err)) > 0) {
                struct cert *cert = NULL;
                int p = cert_parse_lax(VIEW_BUF(&der), action, &cert, &why, err);

                r = p < 0 ? err_wrap(err, "certificate %zu", list->n - before + 1) : 1;
                if (r > 0 && why && !first_why)
                        first_why = why;
                if (r > 0 && cert_list_add(list, cert, err) < 0)
                        r = -(int)err->kind;
        }
        buf_free(&der);
        if (r == 0 && list->n == before)
                r = err_set(err, ERR_FORMAT, 0, "the text holds no certificate in PEM form");
        if (r == 0 && ret_why)
                *ret_why = first_why;
        return r;
}

int cert_list_add(struct cert_list *list, struct cert *cert, struct err *err)
{
        struct cert **v;

        if (list->n >= CERT_CHAIN_MAX) {
                cert_free(cert);
                return err_set(err, ERR_LIMIT, 0, "more than %d certificates in one chain", CERT_CHAIN_MAX);
        }
        v = mem_resize(list->v, list->n + 1, sizeof(struct cert *));
        if (!v) {
                cert_free(cert);
                return err_nomem(err);
        }
        list->v = v;
        list->v[list->n++] = cert;
        return 0;
}

void cert_list_done(struct cert_list *list)
{
        for (size_t i = 0; i < list->n; i++)
                cert_free(list->v[i]);
        free(list->v);
        *list = (struct cert_list){0};
}

int cert_load(const char *path, struct cert_list *list, struct err *err)
{
        struct buf text = {0};
        int r = file_read(path, CERT_FILE_BYTES_MAX, &text, err);

        if (r >= 0 && cert_list_parse_pem(VIEW_BUF(&text), CERT_MALFORMED_REJECT, list, NULL, err) < 0)
                r = err_wrap(err, "'%s'", path);
        buf_free(&text);
        return r;
}

void cert_free(struct cert *cert)
{
        if (!cert)
                return;
        X509_free(cert->x509);
        buf_free(&cert->der);
        pubkey_free(cert->key);
        free(cert->subject);
        free(cert->issuer);
        free(cert->cn);
        free(cert->serial);
        strv_done(&cert->uris);
        free(cert);
}

struct view cert_der(const struct cert *cert)
{
        return VIEW_BUF(&cert->der);
}

const struct pubkey *cert_pubkey(const struct cert *cert)
{
        return cert->key;
}

const char *cert_subject(const struct cert *cert)
{
        return cert->subject;
}

const char *cert_issuer(const struct cert *cert)
{
        return cert->issuer;
}

const char *cert_cn(const struct cert *cert)
{
        return cert->cn;
}

const char *cert_serial_hex(const struct cert *cert)
{
        return cert->serial;
}

int64_t cert_not_before_ms(const struct cert *cert)
{
        return cert->not_before_ms;
}

int64_t cert_not_after_ms(const struct cert *cert)
{
        return cert->not_after_ms;
}

bool cert_is_ca(const struct cert *cert)
{
        return cert->ca;
}

size_t cert_n_uris(const struct cert *cert)
{
        return cert->uris.n;
}

const char *cert_uri(const struct cert *cert, size_t i)
{
        return cert->uris.items[i];
}

bool cert_has_uri(const struct cert *cert, const char *uri)
{
        return strv_has(&cert->uris, uri);
}

X509 *cert_x509(const struct cert *cert)
{
        return cert->x509;
}

struct view cert_skid(const struct cert *cert)
{
        const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(cert->x509);

        return id ? VIEW(ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id)) : VIEW_NONE;
}

int cert_sha256(const struct cert *cert, struct digest *ret, struct err *err)
{
        return digest_bytes(DIGEST_SHA256, VIEW_BUF(&cert->der), ret, err);
}

int cert_pem(const struct cert *cert, char **ret, struct err *err)
{
        AUTO(BIO_free_all_p)
        BIO *bio = BIO_new(BIO_s_mem());
        struct buf text = {0};
        char *s;

        /* From the bytes as they came, not encoded anew. */
        if (!bio || PEM_write_bio(bio, PEM_STRING_X509, "", cert->der.p, (long)cert->der.len) <= 0)
                return ossl_err(err, ERR_CRYPTO, "encoding a certificate");
        ossl_bio_take(bio, &text);
        s = buf_take_str(&text);
        if (!s)
                return err_nomem(err);
        *ret = s;
        return 0;
}

bool cert_key_fits(const struct cert *cert, const struct key *key)
{
        return X509_check_private_key(cert->x509, key_evp(key)) == 1;
}
