/* SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_SUPPRESS_DEPRECATED /* what EVP replaced is what is wanted here */
#include "crypto/digest_short.h"

#include <openssl/sha.h>

/* None of these can fail. */
void digest_short(enum digest_alg alg, struct view head, struct view tail, uint8_t *ret)
{
        union {
                SHA_CTX sha1;
                SHA256_CTX sha256;
                SHA512_CTX sha512;
        } c;

        switch (alg) {
        case DIGEST_SHA1:
                (void)SHA1_Init(&c.sha1);
                (void)SHA1_Update(&c.sha1, head.p, head.len);
                (void)SHA1_Update(&c.sha1, tail.p, tail.len);
                (void)SHA1_Final(ret, &c.sha1);
                return;
        case DIGEST_SHA256:
                (void)SHA256_Init(&c.sha256);
                (void)SHA256_Update(&c.sha256, head.p, head.len);
                (void)SHA256_Update(&c.sha256, tail.p, tail.len);
                (void)SHA256_Final(ret, &c.sha256);
                return;
        case DIGEST_SHA384:
                (void)SHA384_Init(&c.sha512);
                (void)SHA384_Update(&c.sha512, head.p, head.len);
                (void)SHA384_Update(&c.sha512, tail.p, tail.len);
                (void)SHA384_Final(ret, &c.sha512);
                return;
        case DIGEST_SHA512:
                (void)SHA512_Init(&c.sha512);
                (void)SHA512_Update(&c.sha512, head.p, head.len);
                (void)SHA512_Update(&c.sha512, tail.p, tail.len);
                (void)SHA512_Final(ret, &c.sha512);
                return;
        }
}
