/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_ERR_H
#define AVOW_BASE_ERR_H

#include <stdint.h>

#include "base/macro.h"

/*
 * One error value, on the caller's stack, never allocated. A function that can fail takes `struct err *err`
 * last (never NULL), returns 0 (or a documented value >= 0) on success and -kind on failure. The text grows
 * as it travels up: each caller puts in front what it was doing. Only the edge (a program, a command) prints.
 *
 * A refusal is not an error: "PCR 15 does not match" fills a verdict and returns 0.
 */
enum err_kind {
        ERR_NONE = 0,
        ERR_IO,     /* the system said no; code is an errno */
        ERR_NOMEM,  /* out of memory */
        ERR_FORMAT, /* bytes that break their format */
        ERR_LIMIT,  /* well formed, but larger, deeper or more than a named limit allows */
        ERR_CRYPTO, /* OpenSSL failed, or a signature that had to be good is not */
        ERR_TPM,    /* the TPM or its stack failed; code is a TSS2_RC */
        ERR_PEER,   /* a peer answered with something it must not; code is an HTTP status or 0 */
        ERR_CONFIG, /* the user's configuration or command line; text names file:line:column and the mend */
        ERR_BUG,    /* our own mistake */
};

#define ERR_TEXT_BYTES 768

struct err {
        enum err_kind kind;
        int64_t code;              /* errno, TSS2_RC or HTTP status; 0 if there is none */
        char text[ERR_TEXT_BYTES]; /* always terminated; the end is cut when too long */
};

/* An empty value: `struct err err = ERR_INIT;` */
#define ERR_INIT                                                                                             \
        {                                                                                                    \
                .kind = ERR_NONE                                                                             \
        }

/* Sets the error. Return: -kind. */
int err_set(struct err *err, enum err_kind kind, int64_t code, const char *fmt, ...) PRINTF(4, 5);

/* Sets an ERR_IO from an errno value and appends its text: "open '/x': Permission denied". Return: -ERR_IO.
 */
int err_errno(struct err *err, int errnum, const char *fmt, ...) PRINTF(3, 4);

/* Sets ERR_NOMEM. Return: -ERR_NOMEM. */
int err_nomem(struct err *err);

/* Puts "fmt: " in front of the text. Return: -kind, so that `return err_wrap(err, "…");` works. */
int err_wrap(struct err *err, const char *fmt, ...) PRINTF(2, 3);

/* Makes the value empty again. */
void err_clear(struct err *err);

/* The kind as one lower-case word ("io", "format", …), for logs and problem documents. */
const char *err_kind_name(enum err_kind kind);

#endif
