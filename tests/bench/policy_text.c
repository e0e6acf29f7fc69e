/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a whole policy costs, from its text: packages of 40 files in sha256sum's lines, 10,000 to half a
 * million of them (all that fits into 64 MiB of text). Reading and checking it, what stays in memory, a
 * look-up through the layers; and what a host more costs on the same policy: without an overlay, and with
 * one of its own.
 *
 * Usage: tests/bench/policy_text [FILES...]
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "crypto/digest_short.h"
#include "policy/policy_ima.h"

#define HOSTS    10000u
#define OVERLAYS 1000u
#define LOOKUPS  1000000u

static double cpu_s(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *why)
{
        (void)fprintf(stderr, "policy_text: %s\n", why);
        exit(1);
}

static size_t in_use(void)
{
        struct mallinfo2 m = mallinfo2();

        return m.uordblks + m.hblkhd;
}

static void digest_of(uint64_t i, uint8_t d[DIGEST_BYTES_MAX])
{
        digest_short(DIGEST_SHA256, VIEW(&i, sizeof(i)), VIEW_NONE, d);
}

static size_t path_of(size_t i, char path[96])
{
        return (size_t)snprintf(path, 96, "/usr/lib/x86_64-linux-gnu/package-%zu/module-%zu.so", i / 40, i);
}

static void write_text(struct buf *b, size_t n)
{
        uint8_t d[DIGEST_BYTES_MAX];
        char path[96], hex[65];

        buf_str(b, "format: avow-policy/2\nname: big\nima:\n  packages:\n");
        for (size_t i = 0; i < n; i++) {
                if (i % 40 == 0)
                        buf_fmt(b,
                                "    - name: package-%zu\n      version: 1.0-1\n      arch: amd64\n"
                                "      files: |\n",
                                i / 40);
                digest_of(i, d);
                for (size_t k = 0; k < 32; k++)
                        (void)snprintf(hex + 2 * k, 3, "%02x", d[k]);
                (void)path_of(i, path);
                buf_str(b, "        ");
                buf_str(b, hex);
                buf_str(b, "  ");
                buf_str(b, path);
                buf_str(b, "\n");
        }
        buf_str(b, "overlays:\n");
        for (size_t i = 0; i < OVERLAYS; i++) {
                digest_of(n + i, d);
                for (size_t k = 0; k < 32; k++)
                        (void)snprintf(hex + 2 * k, 3, "%02x", d[k]);
                buf_fmt(b, "  - {hosts: host-%zu, ima: {allow: [%s]}}\n", i, hex);
        }
        if (!buf_ok(b))
                die("out of memory");
}

static double lookup_ns(const struct policy_effective *e, size_t n)
{
        uint64_t x = 88172645463325252u;
        uint8_t d[DIGEST_BYTES_MAX];
        char path[96];
        size_t good = 0;
        double t = 0, from;

        for (size_t i = 0; i < LOOKUPS / 100; i++) {
                size_t number, len;

                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                number = x % n;
                digest_of(number, d);
                len = path_of(number, path);
                from = cpu_s();
                for (int k = 0; k < 100; k++) /* the first of them finds it cold */
                        good += policy_effective_file(e, DIGEST_SHA256, VIEW(d, 32), VIEW(path, len), NULL) ==
                                ALLOW_ALLOWED;
                t += cpu_s() - from;
        }
        if (good != LOOKUPS / 100 * 100)
                die("a look-up gave a wrong answer");
        return t / LOOKUPS * 1e9;
}

/* Bytes of each of N hosts' effective policies, beyond the pointer to it. */
static size_t per_host(const struct policy_effective *e, size_t n, const char *form)
{
        struct policy_effective **all = mem_zalloc(n, sizeof(struct policy_effective *));
        struct err err = ERR_INIT;
        size_t before = in_use();
        char name[32];

        if (!all)
                die("out of memory");
        for (size_t i = 0; i < n; i++) {
                (void)snprintf(name, sizeof(name), "%s-%zu", form, i);
                if (policy_effective_for(e, name, &all[i], &err) < 0)
                        die(err.text);
        }
        before = (in_use() - before) / n;
        for (size_t i = 0; i < n; i++)
                policy_effective_free(all[i]);
        free(all);
        return before;
}

static void row(size_t n)
{
        struct policy_version v = {.version = 1, .until_ms = POLICY_NEVER};
        struct policy_effective *e = NULL;
        struct buf text = {0};
        struct err err = ERR_INIT;
        size_t before, bytes;
        double t;

        write_text(&text, n);
        before = in_use();
        t = cpu_s();
        if (policy_parse(VIEW_BUF(&text), "big.yaml", &v.policy, &err) < 0)
                die(err.text);
        t = cpu_s() - t;
        bytes = in_use() - before;
        if (policy_effective_new(&v, 1, 0, &e, &err) < 0)
                die(err.text);
        (void)printf("%8zu %8.1f MiB %8.0f %9zu KiB %8.1f %10.0f", n, (double)text.len / 1048576, t * 1e3,
                     bytes >> 10, (double)bytes / (double)n, lookup_ns(e, n));
        (void)printf(" %12zu", per_host(e, OVERLAYS, "host"));
        policy_effective_free(e);
        policy_unref(v.policy);
        buf_free(&text);
        (void)printf("\n");
}

/* Hosts under a policy without overlays share one effective policy. */
static void shared_row(void)
{
        static const char text[] = "format: avow-policy/2\nname: p\nima: {}\n";
        struct policy_version v = {.version = 1, .until_ms = POLICY_NEVER};
        struct policy_effective *e = NULL;
        struct err err = ERR_INIT;

        if (policy_parse(view_str(text), "p.yaml", &v.policy, &err) < 0 ||
            policy_effective_new(&v, 1, 0, &e, &err) < 0)
                die(err.text);
        (void)printf("\n%u hosts under one policy: %zu bytes and a pointer for each host more.\n", HOSTS,
                     per_host(e, HOSTS, "host"));
        policy_effective_free(e);
        policy_unref(v.policy);
}

int main(int argc, char **argv)
{
        static const size_t sizes[] = {10000, 100000, 200000, 400000};

        (void)printf("   files         text  read,ms    in memory   B/file  look-up,ns  overlay,B/host\n");
        for (int i = 1; i < argc; i++)
                row(strtoul(argv[i], NULL, 10) + 1);
        for (size_t i = 0; argc == 1 && i < ARRAY_LEN(sizes); i++)
                row(sizes[i]);
        shared_row();
        return 0;
}
