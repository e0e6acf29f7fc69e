/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_MEASURE_H
#define AVOW_AGENT_MEASURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "crypto/digest.h"
#include "tpm/pcrs.h"

/* A file's digest in every bank, and what tells cheaply that it may have changed since. */
struct file_mark {
        dev_t dev;
        ino_t ino;
        off_t size;
        struct timespec modified, changed;
};

struct measurement {
        struct file_mark mark; /* from before the first byte was read: a later change shows */
        size_t n;
        struct digest digests[TPM_MAX_BANKS];
        uint64_t size_bytes;
};

/* Reads PATH once. Return: 0; -ERR_IO, -ERR_CONFIG if it is no regular file, -ERR_CRYPTO, -ERR_NOMEM. */
int measure_file(const char *path, const struct tpm_bank_set *banks, struct measurement *ret,
                 struct err *err) MUST_USE;

/* Return: 0; -ERR_IO. */
int measure_mark(const char *path, struct file_mark *ret, struct err *err) MUST_USE;
bool file_mark_equal(const struct file_mark *a, const struct file_mark *b) MUST_USE;

/* Has somebody opened PATH for writing right now? False also where the kernel will not tell us. */
bool measure_has_writer(const char *path) MUST_USE;

#endif
