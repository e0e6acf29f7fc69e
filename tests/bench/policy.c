/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy's digests cost: building the frozen set, its memory, and look-ups in random order, for 10,000
 * to a million digests of SHA-256, by digest alone and under paths. Beside them, in the same run, what one
 * read from anywhere in as much memory costs by itself: the look-ups are to be a small number of those. Then
 * path patterns: compiling 10 to 1,000, and matching paths of which one pattern's literal beginning fits, and
 * of which the beginning of half of all patterns does.
 *
 * Usage: tests/bench/policy [DIGESTS...]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "crypto/digest_short.h"
#include "policy/allow.h"
#include "policy/pattern.h"

#define LOOKUPS 2000000u

static double cpu_s(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *why)
{
        (void)fprintf(stderr, "policy: %s\n", why);
        exit(1);
}

static uint64_t shuffled(uint64_t *x)
{
        *x ^= *x << 13;
        *x ^= *x >> 7;
        *x ^= *x << 17;
        return *x;
}

/* 32 bytes that look like any digest; the second half of the numbers are those of nobody. */
static void digest_of(uint64_t i, uint8_t d[DIGEST_BYTES_MAX])
{
        digest_short(DIGEST_SHA256, VIEW(&i, sizeof(i)), VIEW_NONE, d);
}

static size_t path_of(uint64_t i, char path[96])
{
        return (size_t)snprintf(path, 96, "/usr/lib/x86_64-linux-gnu/package-%llu/module-%llu.so",
                                (unsigned long long)(i / 40), (unsigned long long)i);
}

static struct allow *build(size_t n, bool paths, double *ret_s)
{
        struct allow_builder *b = NULL;
        struct allow *a = NULL;
        struct err err = ERR_INIT;
        uint8_t d[DIGEST_BYTES_MAX];
        uint32_t label = 0;
        char path[96] = "", text[64];
        double t = cpu_s();

        if (allow_builder_new(&b, &err) < 0)
                die(err.text);
        for (size_t i = 0; i < n; i++) {
                size_t len = paths ? path_of(i, path) : 0;

                digest_of(i, d);
                (void)snprintf(text, sizeof(text), "package-%zu 1.0-1", i / 40);
                if ((i % 40 == 0 && allow_label(b, text, ALLOW_NEVER, &label, &err) < 0) ||
                    allow_add(b, DIGEST_SHA256, VIEW(d, 32), VIEW(path, len), label, (uint32_t)i, &err) < 0)
                        die(err.text);
        }
        if (allow_freeze(b, &a, &err) < 0)
                die(err.text);
        allow_builder_free(b);
        *ret_s = cpu_s() - t;
        return a;
}

/* Keys made beforehand, so that only the look-up is counted. */
struct key {
        uint8_t digest[32];
        char path[96];
        size_t path_len;
};
#define KEYS 65536u

static double lookup_ns(const struct allow *a, size_t n, bool paths, bool known)
{
        struct key *keys = mem_zalloc(KEYS, sizeof(*keys));
        uint64_t x = 88172645463325252u;
        size_t good = 0;
        double t, best = 1e9;

        if (!keys)
                die("out of memory");
        for (int round = 0; round < 8; round++) {
                for (size_t i = 0; i < KEYS; i++) {
                        uint64_t number = shuffled(&x) % n;
                        uint8_t d[DIGEST_BYTES_MAX];

                        digest_of(known ? number : number + n, d);
                        memcpy(keys[i].digest, d, 32);
                        keys[i].path_len = paths ? path_of(number, keys[i].path) : 0;
                }
                t = cpu_s();
                for (size_t i = 0; i < KEYS; i++)
                        good += allow_find(a, DIGEST_SHA256, VIEW(keys[i].digest, 32),
                                           VIEW(keys[i].path, keys[i].path_len), 0, NULL) == ALLOW_ALLOWED;
                t = cpu_s() - t;
                best = t < best ? t : best;
        }
        free(keys);
        if (good != (known ? 8u * KEYS : 0))
                die("a look-up gave a wrong answer");
        return best / KEYS * 1e9;
}

/* One read from anywhere in BYTES, the next after the last: a chain, as memory is slow and not wide. */
static double read_ns(size_t bytes)
{
        size_t n = bytes / 64, at = 0;
        uint64_t x = 2463534242u, *lines = mem_zalloc(n, 64);
        double t;

        if (!lines)
                die("out of memory");
        for (size_t i = 0; i < n; i++)
                lines[i * 8] = i;
        for (size_t i = n - 1; i > 0; i--) { /* one cycle through all of them */
                size_t j = shuffled(&x) % i;
                uint64_t line = lines[i * 8];

                lines[i * 8] = lines[j * 8];
                lines[j * 8] = line;
        }
        t = cpu_s();
        for (size_t i = 0; i < LOOKUPS; i++)
                at = lines[at * 8];
        t = cpu_s() - t;
        free(lines);
        return at < n ? t / LOOKUPS * 1e9 : 0;
}

static void row(size_t n, bool paths)
{
        double built;
        struct allow *a = build(n, paths, &built);
        size_t bytes = allow_bytes(a);

        (void)printf("%8zu  %-5s %8.0f %9zu KiB %8.1f %9.0f %9.0f %9.0f %9zu\n", n, paths ? "paths" : "none",
                     built * 1e3, bytes >> 10, (double)bytes / (double)n, lookup_ns(a, n, paths, true),
                     lookup_ns(a, n, paths, false), read_ns(bytes), allow_longest_probe(a));
        allow_unref(a);
}

/* N patterns, half of them plain folders, the others with stars and sets, and paths of which most fit none.
 */
static void patterns_row(size_t n)
{
        struct view *v = mem_zalloc(n, sizeof(*v));
        char(*texts)[96] = mem_zalloc(n, sizeof(*texts)), path[96];
        struct pattern_set *s = NULL;
        struct err err = ERR_INIT;
        uint64_t x = 88172645463325252u;
        size_t hits = 0;
        double t = cpu_s();

        if (!v || !texts)
                die("out of memory");
        for (size_t i = 0; i < n; i++) {
                if (i % 20 == 0)
                        (void)snprintf(texts[i], sizeof(texts[i]), "/var/cache/%zu/**/tmp?*", i);
                else if (i % 2)
                        (void)snprintf(texts[i], sizeof(texts[i]), "/srv/data-%zu/**", i);
                else
                        (void)snprintf(texts[i], sizeof(texts[i]), "/usr/lib/*/package-%zu/*.so.[0-9]", i);
                v[i] = view_str(texts[i]);
        }
        if (pattern_set_new(v, n, &s, NULL, &err) < 0)
                die(err.text);
        (void)printf("%8zu %8.1f %9zu KiB", n, (cpu_s() - t) * 1e3, pattern_bytes(s) >> 10);
        for (int kind = 0; kind < 2; kind++) {
                t = cpu_s();
                for (size_t i = 0; i < 10000; i++) {
                        size_t len = kind ? path_of(shuffled(&x) % 100000, path)
                                          : (size_t)snprintf(path, sizeof(path), "/srv/data-%zu/a/file", i);

                        hits += pattern_match(s, VIEW(path, len)) != PATTERN_NONE;
                }
                (void)printf(" %16.0f", (cpu_s() - t) / 10000 * 1e9);
        }
        (void)printf(" %7zu\n", hits);
        pattern_set_unref(s);
        free(v);
        free(texts);
}

int main(int argc, char **argv)
{
        static const size_t sizes[] = {10000, 100000, 200000, 1000000};

        (void)printf(
                " digests  paths built,ms        memory B/digest  found,ns other,ns   read,ns  most slots\n");
        for (int paths = 0; paths < 2; paths++) {
                for (int i = 1; i < argc; i++)
                        row(strtoul(argv[i], NULL, 10) + 1, paths);
                for (size_t i = 0; argc == 1 && i < ARRAY_LEN(sizes); i++)
                        row(sizes[i], paths);
        }
        (void)printf("\nA host more on the same set: one pointer, %zu bytes.\n", sizeof(struct allow *));
        (void)printf(
                "\npatterns built,ms        memory   /srv/data-N, ns  /usr/lib/…, ns  matched (of 20000)\n");
        for (size_t n = 10; n <= 1000; n *= 10)
                patterns_row(n);
        return 0;
}
