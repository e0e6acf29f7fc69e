/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chains to the operator's anchors. The time is an argument: an old bundle is judged by the time it was
 * received, and tests do not depend on the day. Any certificate in the folder is an anchor (vendors publish
 * issuing CAs, not always their roots), so X509_V_FLAG_PARTIAL_CHAIN.
 *
 * An EK certificate has an empty subject and therefore a critical subject alternative name that holds the
 * TPM's maker, model and version, and may have critical subject directory attributes. OpenSSL does not know
 * such a name and would refuse the certificate; the callback lets exactly these two pass, on the leaf only.
 *
 * Spec: RFC 5280 §6; TCG EK Credential Profile 2.x §3.2; CVE-2021-3406 is what happens without all this.
 */
#include "crypto/trust.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/cert_ask.h"
#include "crypto/crl.h"
#include "crypto/ossl.h"
#include "crypto/skew.h"

#define DEPTH_MAX      16
#define FILE_BYTES_MAX (4u * 1024u * 1024u)
#define OID_EK_EKU     "2.23.133.8.1" /* tcg-kp-EKCertificate */

struct trust {
        X509_STORE *store;
        size_t n, n_crls;
};

struct check {
        int64_t at_ms;
        bool ek;
};

DEFINE_AUTO(X509_STORE_CTX, X509_STORE_CTX_free)

int trust_new(struct trust **ret, struct err *err)
{
        AUTO(trust_free_p)
        struct trust *trust = mem_zalloc(1, sizeof(*trust));

        if (!trust)
                return err_nomem(err);
        trust->store = X509_STORE_new();
        if (!trust->store)
                return ossl_err(err, ERR_CRYPTO, "certificate store");
        *ret = TAKE(trust);
        return 0;
}

int trust_add(struct trust *trust, const struct cert *cert, struct err *err)
{
        if (X509_STORE_add_cert(trust->store, cert_x509(cert)) != 1)
                return ossl_err(err, ERR_CRYPTO, "certificate store");
        trust->n++;
        return 0;
}

static bool looks_like_pem(const struct buf *text)
{
        return text->len > 0 && memmem(text->p, text->len, "-----BEGIN ", 11) != NULL;
}

/* Every certificate of a PEM bundle, which may be longer than a chain. */
static int add_pem(struct trust *trust, struct view pem, struct err *err)
{
        static const char end[] = "-----END CERTIFICATE-----";
        size_t before = trust->n;
        int r = 0;

        while (r >= 0) {
                const uint8_t *p = memmem(pem.p, pem.len, end, sizeof(end) - 1);
                AUTO(cert_free_p)
                struct cert *cert = NULL;
                size_t used;

                if (!p)
                        break;
                used = (size_t)(p - pem.p) + sizeof(end) - 1;
                r = cert_parse_pem(VIEW(pem.p, used), &cert, err);
                if (r >= 0)
                        r = trust_add(trust, cert, err);
                pem = VIEW(pem.p + used, pem.len - used);
        }
        if (r >= 0 && trust->n == before)
                r = err_set(err, ERR_FORMAT, 0, "the file holds no certificate in PEM form");
        return r;
}

static int add_file(struct trust *trust, const char *path, struct err *err)
{
        struct buf text = {0};
        struct cert *cert = NULL;
        const char *why;
        int r = file_read(path, FILE_BYTES_MAX, &text, err);

        if (r < 0)
                goto out;
        if (looks_like_pem(&text)) {
                r = add_pem(trust, VIEW_BUF(&text), err);
        } else {
                r = cert_parse_lax(VIEW_BUF(&text), CERT_MALFORMED_IGNORE, &cert, &why, err);
                if (r >= 0)
                        r = trust_add(trust, cert, err);
        }
        if (r < 0)
                r = err_wrap(err, "'%s'", path);
out:
        cert_free(cert);
        buf_free(&text);
        return r;
}

static bool wanted_name(const char *name, const char *const *ends)
{
        for (; *ends; ends++)
                if (str_ends(name, *ends))
                        return true;
        return false;
}

/* ADD for PATH, or for every file in it whose name has one of ENDS. */
static int add_path(struct trust *trust, const char *path, const char *const *ends,
                    int (*add)(struct trust *trust, const char *path, struct err *err), struct err *err)
{
        struct strv names = {0};
        struct stat st;
        int r;

        if (stat(path, &st) < 0)
                return err_errno(err, errno, "'%s'", path);
        if (!S_ISDIR(st.st_mode))
                return add(trust, path, err);
        r = file_list(path, "", &names, err);
        for (size_t i = 0; r >= 0 && i < names.n; i++) {
                AUTO(mem_free_p)
                char *file = NULL;

                if (!wanted_name(names.items[i], ends))
                        continue;
                file = str_fmt("%s/%s", path, names.items[i]);
                r = file ? add(trust, file, err) : err_nomem(err);
        }
        strv_done(&names);
        return r;
}

int trust_add_path(struct trust *trust, const char *path, struct err *err)
{
        static const char *const ends[] = {".pem", ".crt", ".cer", ".der", NULL};

        return add_path(trust, path, ends, add_file, err);
}

static int add_crl(struct trust *trust, struct view bytes, struct err *err)
{
        AUTO(crl_free_p) struct crl *crl = NULL;
        int r = crl_parse(bytes, &crl, err);

        if (r < 0)
                return r;
        if (X509_STORE_add_crl(trust->store, crl_x509(crl)) != 1)
                return ossl_err(err, ERR_CRYPTO, "revocation list");
        trust->n_crls++;
        return 0;
}

static int add_crl_file(struct trust *trust, const char *path, struct err *err)
{
        static const char end[] = "-----END X509 CRL-----";
        AUTO(buf_free) struct buf text = {0};
        struct view left;
        const uint8_t *p;
        int r = file_read(path, FILE_BYTES_MAX, &text, err);

        if (r < 0)
                return r;
        left = VIEW_BUF(&text);
        do {
                p = memmem(left.p, left.len, end, sizeof(end) - 1);
                if (p) {
                        size_t used = (size_t)(p - left.p) + sizeof(end) - 1;

                        r = add_crl(trust, VIEW(left.p, used), err);
                        left = VIEW(left.p + used, left.len - used);
                } else if (left.p == text.p) {
                        r = add_crl(trust, left, err); /* DER, or nothing that can be read */
                }
        } while (p && r >= 0);
        return r < 0 ? err_wrap(err, "'%s'", path) : 0;
}

int trust_add_crl_path(struct trust *trust, const char *path, struct err *err)
{
        static const char *const ends[] = {".pem", ".crl", ".der", NULL};

        return add_path(trust, path, ends, add_crl_file, err);
}

size_t trust_count(const struct trust *trust)
{
        return trust->n;
}

X509_STORE *trust_store(const struct trust *trust)
{
        return trust->store;
}

void trust_free(struct trust *trust)
{
        if (!trust)
                return;
        X509_STORE_free(trust->store);
        free(trust);
}

/* Are all critical extensions that OpenSSL does not handle ones that an EK certificate may have? */
static bool ek_extensions_ok(const X509 *x509)
{
        for (int i = 0; i < X509_get_ext_count(x509); i++) {
                X509_EXTENSION *ext = X509_get_ext(x509, i);
                int nid = OBJ_obj2nid(X509_EXTENSION_get_object(ext));

                if (X509_EXTENSION_get_critical(ext) && !X509_supported_extension(ext) &&
                    nid != NID_subject_alt_name && nid != NID_subject_directory_attributes)
                        return false;
        }
        return true;
}

static int on_verify(int ok, X509_STORE_CTX *ctx)
{
        const struct check *check = X509_STORE_CTX_get_app_data(ctx);
        int code = X509_STORE_CTX_get_error(ctx);

        if (ok)
                return 1;
        if (skew_allows(ctx, check->at_ms) ||
            (code == X509_V_ERR_UNABLE_TO_GET_CRL && X509_STORE_CTX_get_error_depth(ctx) > 0) ||
            (code == X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION && check->ek &&
             X509_STORE_CTX_get_error_depth(ctx) == 0 &&
             ek_extensions_ok(X509_STORE_CTX_get_current_cert(ctx)))) {
                X509_STORE_CTX_set_error(ctx, X509_V_OK);
                return 1;
        }
        return 0;
}

/* If it says what its key is for, it says endorsement key; and it signs no certificates. */
static const char *ek_leaf_fault(const struct cert *leaf)
{
        bool named = X509_get_ext_by_NID(cert_x509(leaf), NID_ext_key_usage, -1) < 0 ||
                     cert_has_use(leaf, OID_EK_EKU);

        if (cert_is_ca(leaf))
                return "it is a CA's certificate, not an endorsement key's";
        return named ? NULL : "its extended key usage names other uses than an endorsement key";
}

static STACK_OF(X509) * stack_of(const struct cert_list *list)
{
        STACK_OF(X509) *stack = sk_X509_new_null();

        for (size_t i = 0; stack && list && i < list->n; i++)
                if (X509_add_cert(stack, cert_x509(list->v[i]),
                                  X509_ADD_FLAG_UP_REF | X509_ADD_FLAG_NO_DUP) != 1) {
                        sk_X509_pop_free(stack, X509_free);
                        return NULL;
                }
        return stack;
}

static void say_why(X509_STORE_CTX *ctx, char reason[TRUST_REASON_BYTES])
{
        X509 *at = X509_STORE_CTX_get_current_cert(ctx);
        char name[128] = "";
        struct str_shown shown;

        if (at)
                (void)X509_NAME_oneline(X509_get_subject_name(at), name, sizeof(name)); /* cut if longer */
        (void)snprintf(reason, TRUST_REASON_BYTES, "%s (at depth %d: %s)",
                       X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)),
                       X509_STORE_CTX_get_error_depth(ctx), str_show(view_str(name), &shown));
}

static int run(const struct trust *trust, const struct cert *leaf, const struct cert_list *intermediates,
               struct check *check, bool *ret_good, char reason[TRUST_REASON_BYTES], struct err *err)
{
        AUTO(X509_STORE_CTX_free_p)
        X509_STORE_CTX *ctx = X509_STORE_CTX_new();
        STACK_OF(X509) *untrusted = stack_of(intermediates);
        struct err unused = ERR_INIT;
        X509_VERIFY_PARAM *param;

        if (!ctx || !untrusted || X509_STORE_CTX_init(ctx, trust->store, cert_x509(leaf), untrusted) != 1) {
                sk_X509_pop_free(untrusted, X509_free);
                return ossl_err(err, ERR_CRYPTO, "checking a certificate chain");
        }
        param = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_time(param, (time_t)(check->at_ms / 1000));
        X509_VERIFY_PARAM_set_depth(param, DEPTH_MAX);
        X509_VERIFY_PARAM_set_auth_level(param, 1); /* 80 bits: no MD5, no SHA-1, RSA from 1024 */
        (void)X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN); /* cannot fail for this flag */
        if (trust->n_crls > 0)
                (void)X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
        X509_STORE_CTX_set_app_data(ctx, check);
        X509_STORE_CTX_set_verify_cb(ctx, on_verify);
        *ret_good = X509_verify_cert(ctx) == 1;
        reason[0] = '\0';
        if (!*ret_good)
                say_why(ctx, reason);
        (void)ossl_err(&unused, ERR_CRYPTO, "empties the queue: a bad chain is an answer");
        X509_STORE_CTX_cleanup(ctx);
        sk_X509_pop_free(untrusted, X509_free);
        return 0;
}

int trust_check(const struct trust *trust, const struct cert *leaf, const struct cert_list *intermediates,
                int64_t at_ms, bool *ret_good, char reason[TRUST_REASON_BYTES], struct err *err)
{
        return run(trust, leaf, intermediates, &(struct check){.at_ms = at_ms}, ret_good, reason, err);
}

int trust_check_ek(const struct trust *trust, const struct cert *leaf, const struct cert_list *intermediates,
                   int64_t at_ms, bool *ret_good, char reason[TRUST_REASON_BYTES], struct err *err)
{
        const char *fault = ek_leaf_fault(leaf);
        int r = run(trust, leaf, intermediates, &(struct check){.at_ms = at_ms, .ek = true}, ret_good, reason,
                    err);

        if (r >= 0 && *ret_good && fault) {
                *ret_good = false;
                (void)snprintf(reason, TRUST_REASON_BYTES, "%s", fault); /* a constant, shorter than that */
        }
        return r;
}
