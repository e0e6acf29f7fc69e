/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_MEM_H
#define AVOW_BASE_MEM_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/macro.h"

/*
 * Every allocation of avow goes through here, so that a test can fail the n-th one (link it with
 * --wrap=malloc,--wrap=calloc,--wrap=realloc). What is returned is freed with free(). NULL means out of
 * memory; the caller says so with err_nomem().
 */

/* SIZE bytes, uninitialised. SIZE 0 gives one byte, so NULL always means failure. */
void *mem_alloc(size_t size) MUST_USE;

/* N zeroed elements of SIZE bytes; NULL also when N * SIZE overflows. */
void *mem_zalloc(size_t n, size_t size) MUST_USE;

/* Resizes to N elements of SIZE bytes; on failure NULL, and OLD is still the caller's. */
void *mem_resize(void *old, size_t n, size_t size) MUST_USE;

/* A copy of SIZE bytes. */
void *mem_dup(const void *from, size_t size) MUST_USE;

/* A copy of a string; of at most N characters of it; a formatted string. */
char *str_dup(const char *s) MUST_USE;
char *str_ndup(const char *s, size_t n) MUST_USE;
char *str_fmt(const char *fmt, ...) PRINTF(1, 2) MUST_USE;
char *str_vfmt(const char *fmt, va_list ap) PRINTF(1, 0) MUST_USE;

/* Overwrites SIZE bytes in a way the compiler keeps. */
void mem_wipe(void *p, size_t size);

/*
 * Compares in a time that depends on the lengths alone. Different lengths are unequal. For digests, MACs,
 * nonces and tokens; memcmp() is banned for them.
 */
bool equal_ct(const void *a, size_t a_len, const void *b, size_t b_len) MUST_USE;

/* free() for AUTO: AUTO(mem_free_p) char *s = NULL; */
static inline void mem_free_p(void *p)
{
        free(*(void **)p);
}

/*
 * A secret: its bytes are locked into memory, left out of core dumps, wiped when freed, never printed.
 * Spec: SR-5 (copies), style: secrets live in struct secret, never in char[].
 */
struct secret {
        uint8_t *p;
        size_t len;
};

/* LEN zeroed bytes, 1 to 65536. Locking is tried, not demanded (RLIMIT_MEMLOCK may be small). Return: 0, or
 * -1 when out of memory. */
int secret_alloc(struct secret *s, size_t len) MUST_USE;

/* Wipes and frees; fine on a zeroed value and twice. */
void secret_free(struct secret *s);

#endif
