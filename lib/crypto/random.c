/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers. A challenge that repeats is a forged attestation (Keylime's push nonce once was a
 * constant), so nothing here has a fallback: if the generator fails, the caller's request fails.
 */
#include "crypto/random.h"

#include <limits.h>
#include <openssl/rand.h>

#include "crypto/ossl.h"

int random_bytes(void *p, size_t n, struct err *err)
{
        if (n > INT_MAX || RAND_bytes(p, (int)n) != 1)
                return ossl_err(err, ERR_CRYPTO, "the random number generator failed");
        return 0;
}

int random_below(uint32_t bound, uint32_t *ret, struct err *err)
{
        /* Values from the incomplete last stretch of the 32 bits would favour small numbers: draw again. */
        uint32_t skip = bound ? (uint32_t)(-bound) % bound : 0;
        uint32_t x;

        if (bound == 0)
                return err_set(err, ERR_BUG, 0, "a random number below 0 was asked for");
        do {
                int r = random_bytes(&x, sizeof(x), err);

                if (r < 0)
                        return r;
        } while (x < skip);
        *ret = x % bound;
        return 0;
}

int random_alnum(char *text, size_t n, struct err *err)
{
        static const char set[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

        for (size_t i = 0; i < n; i++) {
                uint32_t x;
                int r = random_below(sizeof(set) - 1, &x, err);

                if (r < 0)
                        return r;
                text[i] = set[x];
        }
        text[n] = '\0';
        return 0;
}
