/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-1-3: one round per eight bytes, three at the end. Enough against somebody who chooses keys and sees
 * no hash; not a MAC. When the kernel gives no random bytes (very early boot) an address and the time stand
 * in.
 *
 * Spec: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF" (2012), with 1 and 3 rounds.
 */
#include "base/sip.h"

#include <endian.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

void sip_seed(uint64_t seed[2])
{
        if (getrandom(seed, 2 * sizeof(*seed), GRND_NONBLOCK) != 2 * (ssize_t)sizeof(*seed)) {
                seed[0] = (uint64_t)(uintptr_t)seed;
                seed[1] = clock_boot_us();
        }
}

static inline uint64_t rotl(uint64_t x, unsigned n)
{
        return x << n | x >> (64 - n);
}

static inline void sip_round(uint64_t v[4])
{
        v[0] += v[1];
        v[1] = rotl(v[1], 13) ^ v[0];
        v[0] = rotl(v[0], 32);
        v[2] += v[3];
        v[3] = rotl(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotl(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotl(v[1], 17) ^ v[2];
        v[2] = rotl(v[2], 32);
}

/* Eight bytes, little-endian. */
static inline uint64_t word_at(const uint8_t *p)
{
        uint64_t word;

        memcpy(&word, p, sizeof(word));
        return le64toh(word);
}

uint64_t sip_hash(const uint64_t seed[2], struct view key)
{
        uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575, seed[1] ^ 0x646f72616e646f6d,
                         seed[0] ^ 0x6c7967656e657261, seed[1] ^ 0x7465646279746573};
        size_t whole = key.len / 8 * 8;
        uint64_t last = (uint64_t)key.len << 56;

        for (size_t i = 0; i < whole; i += 8) {
                uint64_t word = word_at(key.p + i);

                v[3] ^= word;
                sip_round(v);
                v[0] ^= word;
        }
        for (size_t i = whole; i < key.len; i++)
                last |= (uint64_t)key.p[i] << 8 * (i - whole);
        v[3] ^= last;
        sip_round(v);
        v[0] ^= last;
        v[2] ^= 0xff;
        for (int i = 0; i < 3; i++)
                sip_round(v);
        return v[0] ^ v[1] ^ v[2] ^ v[3];
}
