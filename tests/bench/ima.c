/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast a measurement list is replayed on one core: made-up lists of 1,000 to a million entries per
 * template, whole and its last hundred entries, beside what the two short SHA-256 of an entry cost by
 * themselves in the same run (the digest of its data, and the extend). The reader checks the SHA-1 template
 * hash besides.
 *
 * Usage: tests/bench/ima [ENTRIES...]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "crypto/digest_short.h"
#include "evidence/ima.h"

#define PCR  10
#define TAIL 100

static double cpu_s(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void put_field(struct buf *b, struct view v)
{
        buf_le32(b, (uint32_t)v.len);
        buf_put_view(b, v);
}

/* One entry of TEMPLATE with file number I. */
static void put_data(struct buf *b, const char *template, size_t i)
{
        static const uint8_t signature[265] = {3, 2, 4};
        struct buf text = {0};
        uint8_t digest[DIGEST_BYTES_MAX];
        bool typed = strstr(template, "v2") != NULL;

        buf_fmt(&text, "/usr/lib/x86_64-linux-gnu/some/module-%zu.so", i);
        digest_short(DIGEST_SHA256, VIEW_BUF(&text), VIEW_NONE, digest);
        buf_u8(&text, 0);
        buf_le32(b, typed ? 44 : 40);
        buf_str(b, typed ? "ima:sha256:" : "sha256:");
        buf_u8(b, 0);
        buf_put(b, digest, 32);
        put_field(b, VIEW_BUF(&text));
        if (strstr(template, "sig"))
                put_field(b, VIEW_ARRAY(signature));
        buf_free(&text);
}

struct list {
        struct buf bytes;
        size_t tail_at;              /* where the last TAIL entries begin */
        struct digest before, value; /* the register there, and at the end */
        size_t data_bytes;
};

static void make(const char *template, size_t n, struct list *ret)
{
        struct buf data = {0};
        uint8_t hash[DIGEST_BYTES_MAX];

        *ret = (struct list){.tail_at = 0};
        digest_zero(DIGEST_SHA256, &ret->value);
        for (size_t i = 0; i < n; i++) {
                if (i == n - TAIL) {
                        ret->tail_at = ret->bytes.len;
                        ret->before = ret->value;
                }
                buf_reset(&data);
                put_data(&data, template, i);
                digest_short(DIGEST_SHA1, VIEW_BUF(&data), VIEW_NONE, hash);
                buf_le32(&ret->bytes, PCR);
                buf_put(&ret->bytes, hash, 20);
                put_field(&ret->bytes, view_str(template));
                put_field(&ret->bytes, VIEW_BUF(&data));
                digest_short(DIGEST_SHA256, VIEW_BUF(&data), VIEW_NONE, hash);
                digest_short(DIGEST_SHA256, digest_view(&ret->value), VIEW(hash, 32), ret->value.b);
                ret->data_bytes = data.len;
        }
        buf_free(&data);
}

/* Seconds of CPU that N entries' two digests cost alone. */
static double floor_s(size_t data_bytes, size_t n)
{
        uint8_t *data = mem_zalloc(1, data_bytes), value[DIGEST_BYTES_MAX] = {0}, d[DIGEST_BYTES_MAX];
        double t;

        if (!data)
                exit(1);
        t = cpu_s();
        for (size_t i = 0; i < n; i++) {
                data[0] = value[0];
                digest_short(DIGEST_SHA256, VIEW(data, data_bytes), VIEW_NONE, d);
                digest_short(DIGEST_SHA256, VIEW(value, 32), VIEW(d, 32), value);
        }
        t = cpu_s() - t;
        free(data);
        return t;
}

static double replay_s(struct view bytes, uint64_t first, const struct digest *from, const struct digest *to)
{
        struct ima_list list = {.form = IMA_BINARY, .log_hash = DIGEST_SHA1, .bytes = bytes, .first = first};
        struct ima_start start = {.value = *from};
        struct ima_replay r;
        struct err err = ERR_INIT;
        double t = cpu_s();

        if (ima_replay(&list, &start, PCR, to, &r, &err) < 0 || !r.matched) {
                (void)fprintf(stderr, "ima: %s\n", err.text);
                exit(1);
        }
        return cpu_s() - t;
}

static void row(const char *template, size_t n)
{
        struct digest zero;
        struct list l;
        double alone, cold, tail;

        make(template, n, &l);
        digest_zero(DIGEST_SHA256, &zero);
        alone = floor_s(l.data_bytes, n);
        cold = replay_s(VIEW_BUF(&l.bytes), 0, &zero, &l.value);
        tail = replay_s(VIEW(l.bytes.p + l.tail_at, l.bytes.len - l.tail_at), n - TAIL, &l.before, &l.value);
        (void)printf("%-10s %9zu %9.2f %12.2f %8.0f %% %13.1f\n", template, n, (double)n / cold / 1e6,
                     (double)n / alone / 1e6, 100 * alone / cold, tail * 1e6);
        buf_free(&l.bytes);
}

int main(int argc, char **argv)
{
        static const char *const templates[] = {"ima-ng", "ima-ngv2", "ima-sig", "ima-sigv2"};
        static const size_t sizes[] = {1000, 10000, 100000, 1000000};

        (void)printf("template     entries  million/s  two SHA-256   of them  last %d, us\n", TAIL);
        for (size_t t = 0; t < ARRAY_LEN(templates); t++) {
                for (int i = 1; i < argc; i++)
                        row(templates[t], strtoul(argv[i], NULL, 10) + TAIL);
                for (size_t i = 0; argc == 1 && i < ARRAY_LEN(sizes); i++)
                        row(templates[t], sizes[i]);
        }
        return 0;
}
