/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_SKEW_H
#define AVOW_CRYPTO_SKEW_H

#include <openssl/x509_vfy.h>
#include <stdbool.h>
#include <stdint.h>

/* Clocks of two machines differ: dates of certificates hold 30 s longer on both sides. */
#define SKEW_MS 30000

/*
 * In a verify callback: is the error a date's, and within the skew at AT_MS? For lib/crypto itself.
 */
static inline bool skew_allows(X509_STORE_CTX *ctx, int64_t at_ms)
{
        const X509 *at = X509_STORE_CTX_get_current_cert(ctx);
        time_t early = (time_t)((at_ms - SKEW_MS) / 1000), late = (time_t)((at_ms + SKEW_MS) / 1000);

        switch (X509_STORE_CTX_get_error(ctx)) {
        case X509_V_ERR_CERT_HAS_EXPIRED: /* at the earlier time it has not */
                return at && X509_cmp_time(X509_get0_notAfter(at), &early) > 0;
        case X509_V_ERR_CERT_NOT_YET_VALID:
                return at && X509_cmp_time(X509_get0_notBefore(at), &late) < 0;
        default:
                return false;
        }
}

#endif
