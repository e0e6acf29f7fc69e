/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KDFa and KDFe. Both count blocks from 1 and put the label's terminating NUL into the hash; KDFa also names
 * the number of bits wanted. With a number of bits that is no multiple of 8 the TPM clears the excess bits of
 * the first byte; callers here want whole bytes only.
 *
 * Spec: TPM 2.0 Part 1 rev 1.59, §11.4.10.2 and §11.4.10.3.
 */
#include "crypto/kdf.h"

#include <string.h>

#include "base/mem.h"

#define KDF_BYTES_MAX 1024

static void put_be32(uint8_t p[4], uint32_t x)
{
        for (int i = 3; i >= 0; i--, x >>= 8)
                p[i] = (uint8_t)x;
}

/* A label with the NUL that ends it, which both derivations hash. */
static struct view label_of(const char *label)
{
        return VIEW(label, strlen(label) + 1);
}

/* Copies a block to the output at DONE; gives how much. */
static size_t emit(const struct digest *block, uint8_t *ret, size_t done, size_t bytes)
{
        size_t n = bytes - done < block->len ? bytes - done : block->len;

        memcpy(ret + done, block->b, n);
        return n;
}

int kdf_a(enum digest_alg alg, struct view key, const char *label, struct view context_u,
          struct view context_v, uint8_t *ret, size_t bytes, struct err *err)
{
        uint8_t counter[4], bits[4];
        struct digest block;
        int r = 0;

        if (bytes > KDF_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "KDFa of %zu bytes: at most %d", bytes, KDF_BYTES_MAX);
        put_be32(bits, (uint32_t)bytes * 8);
        for (size_t done = 0, i = 1; done < bytes; i++) {
                const struct view parts[] = {VIEW_ARRAY(counter), label_of(label), context_u, context_v,
                                             VIEW_ARRAY(bits)};

                put_be32(counter, (uint32_t)i);
                r = hmac_parts(alg, key, parts, ARRAY_LEN(parts), &block, err);
                if (r < 0)
                        break;
                done += emit(&block, ret, done, bytes);
        }
        mem_wipe(&block, sizeof(block));
        return r < 0 ? err_wrap(err, "KDFa") : 0;
}

int kdf_e(enum digest_alg alg, struct view z, const char *label, struct view party_u, struct view party_v,
          uint8_t *ret, size_t bytes, struct err *err)
{
        uint8_t counter[4];
        struct digest block;
        int r = 0;

        if (bytes > KDF_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "KDFe of %zu bytes: at most %d", bytes, KDF_BYTES_MAX);
        for (size_t done = 0, i = 1; done < bytes; i++) {
                const struct view parts[] = {VIEW_ARRAY(counter), z, label_of(label), party_u, party_v};

                put_be32(counter, (uint32_t)i);
                r = digest_parts(alg, parts, ARRAY_LEN(parts), &block, err);
                if (r < 0)
                        break;
                done += emit(&block, ret, done, bytes);
        }
        mem_wipe(&block, sizeof(block));
        return r < 0 ? err_wrap(err, "KDFe") : 0;
}
