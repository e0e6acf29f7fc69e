/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The n-th allocation fails. The linker's --wrap sends every malloc, calloc and realloc of our objects here;
 * jansson allocates through lib/base/json.c and so through us as well.
 */
#include <stdlib.h>

#include "support/support.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

/* Mutable and file-wide, as the wrapped functions have no other way to know. */
static size_t countdown;
static bool happened;

static bool fails_now(void)
{
        if (countdown == 0 || --countdown > 0)
                return false;
        happened = true;
        return true;
}

void *__wrap_malloc(size_t size)
{
        return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
        return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
        return fails_now() ? NULL : __real_realloc(p, size);
}

void oom_at(size_t n)
{
        happened = false;
        countdown = n;
}

bool oom_off(void)
{
        countdown = 0;
        return happened;
}

static void each(oom_fn *run, void *ctx, bool any)
{
        for (size_t n = 1; n < 100000; n++) {
                struct err err = ERR_INIT;
                bool met;
                int r;

                oom_at(n);
                r = run(ctx, &err);
                met = oom_off();
                if (!met) {
                        assert_ok(r, &err);
                        return;
                }
                if (any)
                        continue;
                if (r != -ERR_NOMEM)
                        print_error("allocation %zu failed, and the call returned %d: %s\n", n, r, err.text);
                assert_int_equal(r, -ERR_NOMEM);
        }
        fail_msg("more than 100000 allocations");
}

void oom_each(oom_fn *run, void *ctx)
{
        each(run, ctx, false);
}

void oom_any(oom_fn *run, void *ctx)
{
        each(run, ctx, true);
}
