/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target without a fuzzer: over the files it is given (folders: all files in them), and over what
 * lies around each: every truncation and every flipped byte of the small ones. So make check replays whatever
 * a fuzzing campaign has found, and a little more.
 *
 * Usage: fuzz_NAME FILE-OR-FOLDER…
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "fuzz/fuzz.h"

#define SMALL 4096

static void run(const uint8_t *p, size_t len)
{
        uint8_t *copy = malloc(len ? len : 1); /* exactly as long as it is, for ASan */

        if (!copy)
                abort();
        if (len)
                memcpy(copy, p, len);
        (void)LLVMFuzzerTestOneInput(copy, len); /* always 0 */
        free(copy);
}

static void run_around(struct buf *b)
{
        size_t step = 1 + b->len / 64; /* a sample: every-bit tests and the fuzzer walk more */

        run(b->p, b->len);
        if (b->len > SMALL)
                return;
        for (size_t len = 0; len < b->len; len += step)
                run(b->p, len);
        for (size_t i = 0; i < b->len; i += step) {
                for (unsigned bit = 0; bit < 8; bit += 3) {
                        b->p[i] ^= (uint8_t)(1U << bit);
                        run(b->p, b->len);
                        b->p[i] ^= (uint8_t)(1U << bit);
                }
        }
}

static int run_path(const char *path)
{
        AUTO(strv_done)
        struct strv names = {0};
        AUTO(buf_free)
        struct buf b = {0};
        struct err err = ERR_INIT;
        int n = 0;

        if (file_list(path, "", &names, &err) == 0) {
                for (size_t i = 0; i < names.n; i++) {
                        AUTO(mem_free_p)
                        char *file = str_fmt("%s/%s", path, names.items[i]);

                        n += file ? run_path(file) : 0;
                }
                return n;
        }
        if (file_read(path, 64U << 20, &b, &err) < 0) {
                (void)fprintf(stderr, "%s\n", err.text);
                exit(1);
        }
        run_around(&b);
        return 1;
}

int main(int argc, char **argv)
{
        int n = 0;

        run(NULL, 0);
        for (int i = 1; i < argc; i++)
                n += run_path(argv[i]);
        (void)printf("%s: %d inputs\n", argv[0], n);
        return 0;
}
