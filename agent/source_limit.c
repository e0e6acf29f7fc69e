/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Token buckets, kept as the time at which each is full again (GCRA): one number a source, and nothing that
 * has to run. The table has a fixed size, so strangers fill no memory; the limit over all sources holds when
 * somebody has more addresses than the table has places.
 */
#include "agent/source_limit.h"

#include <stdio.h>
#include <string.h>

#include "base/macro.h"

static bool would_pass(int64_t due_ms, int64_t now_ms, int64_t at_once, int64_t each_ms)
{
        return due_ms - now_ms <= (at_once - 1) * each_ms;
}

static int64_t after(int64_t due_ms, int64_t now_ms, int64_t each_ms)
{
        return (due_ms > now_ms ? due_ms : now_ms) + each_ms;
}

/* The place of SOURCE, or the one that it gets. */
static size_t find(const struct source_limit *l, const char *source)
{
        size_t oldest = 0;

        for (size_t i = 0; i < ARRAY_LEN(l->place); i++) {
                if (strcmp(l->place[i].name, source) == 0)
                        return i;
                if (l->place[i].due_ms < l->place[oldest].due_ms)
                        oldest = i;
        }
        return oldest;
}

bool source_limit_take(struct source_limit *l, const char *source, int64_t now_ms)
{
        size_t i = find(l, source);
        int64_t due_ms = strcmp(l->place[i].name, source) == 0 ? l->place[i].due_ms : 0;

        if (!would_pass(due_ms, now_ms, SOURCE_LIMIT_AT_ONCE, SOURCE_LIMIT_MS) ||
            !would_pass(l->all_due_ms, now_ms, SOURCE_LIMIT_ALL, SOURCE_LIMIT_ALL_MS))
                return false;
        (void)snprintf(l->place[i].name, sizeof(l->place[i].name), "%s", source);
        l->place[i].due_ms = after(due_ms, now_ms, SOURCE_LIMIT_MS);
        l->all_due_ms = after(l->all_due_ms, now_ms, SOURCE_LIMIT_ALL_MS);
        return true;
}
