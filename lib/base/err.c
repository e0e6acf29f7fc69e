/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The error value. No allocation, so that being out of memory can be reported like anything else. The text is
 * built at the failure and wrapped on the way up, so it reads from the outside in:
 * "IMA log of host 'web-1': entry 812: length 9000 runs past the end".
 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

PRINTF(4, 0)
static void set_text(struct err *err, enum err_kind kind, int64_t code, const char *fmt, va_list ap)
{
        err->kind = kind;
        err->code = code;
        if (vsnprintf(err->text, sizeof(err->text), fmt, ap) < 0)
                err->text[0] = '\0';
}

int err_set(struct err *err, enum err_kind kind, int64_t code, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        set_text(err, kind, code, fmt, ap);
        va_end(ap);
        return -(int)kind;
}

int err_errno(struct err *err, int errnum, const char *fmt, ...)
{
        va_list ap;
        size_t len;

        va_start(ap, fmt);
        set_text(err, ERR_IO, errnum, fmt, ap);
        va_end(ap);
        len = strlen(err->text);
        (void)snprintf(err->text + len, sizeof(err->text) - len, ": %s", strerror(errnum));
        return -ERR_IO;
}

int err_nomem(struct err *err)
{
        return err_set(err, ERR_NOMEM, 0, "out of memory");
}

int err_wrap(struct err *err, const char *fmt, ...)
{
        char inner[ERR_TEXT_BYTES];
        va_list ap;
        size_t len;

        memcpy(inner, err->text, sizeof(inner));
        va_start(ap, fmt);
        set_text(err, err->kind, err->code, fmt, ap);
        va_end(ap);
        len = strlen(err->text);
        (void)snprintf(err->text + len, sizeof(err->text) - len, ": %s", inner);
        return -(int)err->kind;
}

void err_clear(struct err *err)
{
        *err = (struct err)ERR_INIT;
}

const char *err_kind_name(enum err_kind kind)
{
        static const char *const names[] = {
                [ERR_NONE] = "none",     [ERR_IO] = "io",       [ERR_NOMEM] = "nomem",
                [ERR_FORMAT] = "format", [ERR_LIMIT] = "limit", [ERR_CRYPTO] = "crypto",
                [ERR_TPM] = "tpm",       [ERR_PEER] = "peer",   [ERR_CONFIG] = "config",
                [ERR_BUG] = "bug",
        };

        return (size_t)kind < ARRAY_LEN(names) ? names[kind] : "unknown";
}
