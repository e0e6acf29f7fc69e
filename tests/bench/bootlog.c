/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a boot log costs on one core: read, held against the quoted registers, and every event's text against
 * its digest; the recorded boots and made-up logs of more events, beside what hashing that costs by itself in
 * the same run (one extend and the digest of the data for each event). A verifier does this once a boot.
 *
 * Usage: top_srcdir=DIR tests/bench/bootlog [EVENTS...]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/file.h"
#include "base/mem.h"
#include "evidence/boot_record.h"

#define MIN_S 0.2

static double cpu_s(void)
{
        struct timespec t;

        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
        (void)fprintf(stderr, "bootlog: %s\n", what);
        exit(1);
}

/* Seconds for one log. */
static double record_s(struct view bytes, const struct pcr_values *quoted)
{
        struct err err = ERR_INIT;
        double t = cpu_s(), took;
        size_t n = 0;

        do {
                struct boot_record record;
                struct bootlog log;

                if (bootlog_parse(bytes, &log, &err) < 0 || boot_record_make(&log, quoted, &record, &err) < 0)
                        die(err.text);
                boot_record_done(&record);
                n++;
        } while ((took = cpu_s() - t) < MIN_S);
        return took / (double)n;
}

static double floor_s(const struct bootlog *log)
{
        struct err err = ERR_INIT;
        struct digest value, d;
        double t = cpu_s(), took;
        size_t n = 0;

        digest_zero(DIGEST_SHA256, &value);
        do {
                struct bootlog_pos pos = {0};
                struct bootlog_event e;

                while (bootlog_next(log, &pos, &e))
                        if (digest_bytes(DIGEST_SHA256, e.data, &d, &err) < 0 ||
                            digest_extend(&value, digest_view(&d), &err) < 0)
                                die(err.text);
                n++;
        } while ((took = cpu_s() - t) < MIN_S);
        return took / (double)n;
}

static void row(const char *name, struct view bytes)
{
        struct pcr_values quoted;
        struct bootlog log;
        struct err err = ERR_INIT;
        double took, alone;

        if (bootlog_parse(bytes, &log, &err) < 0 || bootlog_replay(&log, DIGEST_SHA256, &quoted, &err) < 0)
                die(err.text);
        took = record_s(bytes, &quoted);
        alone = floor_s(&log);
        (void)printf("%-30s %7zu %9zu %10.1f %12.1f %6.0f %%\n", name, log.n_events, bytes.len, took * 1e6,
                     alone * 1e6, 100 * alone / took);
}

static void recorded(const char *set)
{
        const char *top = getenv("top_srcdir");
        AUTO(mem_free_p)
        char *path = str_fmt("%s/tests/vectors/boot/%s/binary_bios_measurements", top ? top : ".", set);
        AUTO(buf_free) struct buf b = {0};
        struct err err = ERR_INIT;

        if (!path || file_read(path, BOOTLOG_BYTES_MAX, &b, &err) < 0)
                die(err.text);
        row(set, VIEW_BUF(&b));
}

/* N actions of PCRs 0 to 7 in one bank. */
static void made(size_t n)
{
        static const uint8_t zeros[20];
        AUTO(buf_free) struct buf b = {0};
        struct err err = ERR_INIT;

        buf_le32(&b, 0);
        buf_le32(&b, EV_NO_ACTION);
        buf_put(&b, zeros, sizeof(zeros));
        buf_le32(&b, 33);
        buf_put(&b, "Spec ID Event03\0\0\0\0\0\0\2\0\2\1\0\0\0\x0b\0\x20\0\0", 33);
        for (size_t i = 0; i < n; i++) {
                struct buf text = {0};
                struct digest d;

                buf_fmt(&text, "what the firmware does at its step %zu", i);
                if (digest_bytes(DIGEST_SHA256, VIEW_BUF(&text), &d, &err) < 0)
                        die(err.text);
                buf_le32(&b, (uint32_t)(i % 8));
                buf_le32(&b, EV_IPL);
                buf_le32(&b, 1);
                buf_le16(&b, DIGEST_SHA256);
                buf_put_view(&b, digest_view(&d));
                buf_le32(&b, (uint32_t)text.len);
                buf_put(&b, text.p, text.len);
                buf_free(&text);
        }
        row("made up", VIEW_BUF(&b));
}

int main(int argc, char **argv)
{
        (void)printf("log                             events     bytes         us  hashing, us  of them\n");
        recorded("seabios-ima-ng");
        recorded("uefi-direct-ima-sig");
        recorded("secureboot-shim-grub-ima-sig");
        for (int i = 1; i < argc; i++)
                made(strtoul(argv[i], NULL, 10));
        if (argc == 1) {
                made(100);
                made(1000);
                made(10000);
        }
        return 0;
}
