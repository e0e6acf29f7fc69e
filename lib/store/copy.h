/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_STORE_COPY_H
#define AVOW_STORE_COPY_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"

/* Copies that requests hold; inside lib/store only. RET is written on success alone. Return: 0, -ERR_NOMEM.
 */

/* A string that may be NULL. */
static inline int copy_str(const char *from, char **ret, struct err *err)
{
        char *copy = from ? str_dup(from) : NULL;

        if (from && !copy)
                return err_nomem(err);
        *ret = copy;
        return 0;
}

static inline int copy_view(struct view from, struct buf *ret, struct err *err)
{
        struct buf copy = {0};

        buf_put_view(&copy, from);
        if (!buf_ok(&copy)) {
                buf_free(&copy);
                return err_nomem(err);
        }
        *ret = copy;
        return 0;
}

/* One string of a list of them: `struct copy_text { const char *from; char **to; }`. */
struct copy_text {
        const char *from;
        char **to;
};
#define COPY_TEXTS(err, ...)                                                                                 \
        copy_texts((const struct copy_text[]){__VA_ARGS__},                                                  \
                   sizeof((const struct copy_text[]){__VA_ARGS__}) / sizeof(struct copy_text), err)
static inline int copy_texts(const struct copy_text *texts, size_t n, struct err *err)
{
        for (size_t i = 0; i < n; i++) {
                int r = copy_str(texts[i].from, texts[i].to, err);

                if (r < 0)
                        return r;
        }
        return 0;
}

#endif
