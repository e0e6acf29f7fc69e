/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam to OpenSSL. Its errors live in a queue per thread; whatever fails takes its reason from there into
 * our one error value and leaves the queue empty, so that no later failure reports an older one's reason.
 */
#include "crypto/ossl.h"

#include <limits.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "crypto/digest.h"

int ossl_err(struct err *err, enum err_kind kind, const char *fmt, ...)
{
        unsigned long code = ERR_peek_last_error();
        const char *reason = code ? ERR_reason_error_string(code) : NULL;
        char text[256];
        va_list ap;

        va_start(ap, fmt);
        if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
                text[0] = '\0';
        va_end(ap);
        ERR_clear_error();
        if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
                return err_nomem(err);
        return reason ? err_set(err, kind, 0, "%s: %s", text, reason) : err_set(err, kind, 0, "%s", text);
}

BIO *ossl_bio(struct view v)
{
        return v.len > INT_MAX ? NULL : BIO_new_mem_buf(v.p ? (const void *)v.p : "", (int)v.len);
}

void ossl_bio_take(BIO *bio, struct buf *ret)
{
        char *data = NULL;
        long len = BIO_get_mem_data(bio, &data);

        if (len > 0)
                buf_put(ret, data, (size_t)len);
}

const EVP_MD *ossl_md(int digest_alg)
{
        static const struct {
                int alg;
                const EVP_MD *(*md)(void);
        } table[] = {
                {DIGEST_SHA1, EVP_sha1},
                {DIGEST_SHA256, EVP_sha256},
                {DIGEST_SHA384, EVP_sha384},
                {DIGEST_SHA512, EVP_sha512},
        };

        for (size_t i = 0; i < ARRAY_LEN(table); i++)
                if (table[i].alg == digest_alg)
                        return table[i].md();
        return NULL;
}
