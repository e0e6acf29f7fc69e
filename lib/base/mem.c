/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation in one place, and memory for secrets. A secret gets pages of its own: mlock keeps it out of
 * swap, MADV_DONTDUMP out of core dumps, and the wipe at the end covers the whole mapping.
 */
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *mem_alloc(size_t size)
{
        return malloc(size ? size : 1);
}

void *mem_zalloc(size_t n, size_t size)
{
        size_t total;

        if (__builtin_mul_overflow(n, size, &total))
                return NULL;
        return calloc(1, total ? total : 1);
}

void *mem_resize(void *old, size_t n, size_t size)
{
        size_t total;

        if (__builtin_mul_overflow(n, size, &total))
                return NULL;
        return realloc(old, total ? total : 1);
}

void *mem_dup(const void *from, size_t size)
{
        void *p = mem_alloc(size);

        if (p && size)
                memcpy(p, from, size);
        return p;
}

char *str_dup(const char *s)
{
        return mem_dup(s, strlen(s) + 1);
}

char *str_ndup(const char *s, size_t n)
{
        size_t len = strnlen(s, n);
        char *copy = mem_alloc(len + 1);

        if (copy) {
                memcpy(copy, s, len);
                copy[len] = '\0';
        }
        return copy;
}

char *str_vfmt(const char *fmt, va_list ap)
{
        va_list again;
        char *s = NULL;
        int len;

        va_copy(again, ap);
        len = vsnprintf(NULL, 0, fmt, ap);
        if (len >= 0)
                s = mem_alloc((size_t)len + 1);
        if (s)
                (void)vsnprintf(s, (size_t)len + 1, fmt, again);
        va_end(again);
        return s;
}

char *str_fmt(const char *fmt, ...)
{
        va_list ap;
        char *s;

        va_start(ap, fmt);
        s = str_vfmt(fmt, ap);
        va_end(ap);
        return s;
}

void mem_wipe(void *p, size_t size)
{
        if (size)
                explicit_bzero(p, size);
}

bool equal_ct(const void *a, size_t a_len, const void *b, size_t b_len)
{
        const volatile uint8_t *x = a, *y = b;
        uint8_t diff = 0;

        if (a_len != b_len)
                return false;
        for (size_t i = 0; i < a_len; i++)
                diff |= (uint8_t)(x[i] ^ y[i]);
        return diff == 0;
}

static size_t secret_mapping_size(size_t len)
{
        size_t page = (size_t)sysconf(_SC_PAGESIZE);

        return (len + page - 1) / page * page;
}

int secret_alloc(struct secret *s, size_t len)
{
        size_t size = secret_mapping_size(len);
        void *p;

        if (len == 0 || len > 65536)
                return -1;
        p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED)
                return -1;
        (void)mlock(p, size); /* a small RLIMIT_MEMLOCK must not make the agent useless */
        (void)madvise(p, size, MADV_DONTDUMP);
        *s = (struct secret){.p = p, .len = len};
        return 0;
}

void secret_free(struct secret *s)
{
        if (s->p) {
                size_t size = secret_mapping_size(s->len);

                mem_wipe(s->p, size);
                (void)munmap(s->p, size);
        }
        *s = (struct secret){0};
}
