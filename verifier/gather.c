/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gathering the parts of a long list. What a host says of numbers and totals decides only what it is asked
 * for next; a host that lies there gets a list that leads nowhere.
 */
#include "verifier/gather.h"

#include <stdlib.h>

#include "base/mem.h"

/* Boot times that differ by less are the same boot: they are computed from two clocks. */
#define SAME_BOOT_MS 10000

struct gather {
        uint64_t first, end, total; /* entries */
        uint64_t first_at;          /* FIRST begins at this byte of the list; 0: not known, or the first */
        bool binary, full;
        struct tpm_clock clock;
        int64_t boot_time_ms;
        struct buf bytes;
        size_t len; /* of bytes, while they are taken */
        unsigned n_empty;
        int64_t at_ms; /* monotonic: of the last part */
        size_t *all;   /* the bytes of all hosts */
};

void gather_free(struct gather *g)
{
        if (!g)
                return;
        *g->all -= g->len;
        buf_free(&g->bytes);
        free(g);
}

/* A TPM that was reset or restarted has begun another list; so has a kernel behind a restart, by kexec. */
static bool goes_on(const struct gather *g, const struct gather_part *part)
{
        return part->first == g->end && part->binary == g->binary && !part->full &&
               part->clock.reset_count == g->clock.reset_count &&
               part->clock.restart_count == g->clock.restart_count;
}

static int begin(struct gather **g, const struct gather_part *part, size_t *all, struct err *err)
{
        gather_free(*g);
        *g = mem_zalloc(1, sizeof(**g));
        if (!*g)
                return err_nomem(err);
        **g = (struct gather){.first = part->first,
                              .end = part->first,
                              .first_at = part->at,
                              .binary = part->binary,
                              .full = part->full,
                              .clock = part->clock,
                              .boot_time_ms = part->boot_time_ms,
                              .all = all};
        return 0;
}

static bool fits(size_t had, size_t more, size_t limit)
{
        return more <= limit && had <= limit - more;
}

int gather_add(struct gather **g, const struct gather_part *part, const struct gather_limits *limits,
               size_t *all, int64_t mono_ms, struct err *err)
{
        struct gather *to;

        if ((!*g || !goes_on(*g, part)) && begin(g, part, all, err) < 0)
                return -ERR_NOMEM;
        to = *g;
        to->n_empty = part->n ? 0 : to->n_empty + 1;
        if (!fits(to->len, part->bytes.len, limits->host_bytes) || to->n_empty > GATHER_EMPTY_MAX)
                return 0;
        if (!fits(*all, part->bytes.len, limits->all_bytes))
                return err_set(err, ERR_LIMIT, 0, "lists of other hosts fill limits.gathering");
        buf_put_view(&to->bytes, part->bytes);
        if (!buf_ok(&to->bytes)) {
                gather_free(to);
                *g = NULL;
                return err_nomem(err);
        }
        to->len += part->bytes.len;
        *all += part->bytes.len;
        to->end += part->n;
        to->total = part->total;
        to->at_ms = mono_ms;
        return 1;
}

bool gather_next(const struct gather *g, uint64_t first, uint64_t *ret_entry, uint64_t *ret_at,
                 uint64_t *ret_left)
{
        if (!g || g->first != first)
                return false;
        *ret_entry = g->end;
        *ret_at = g->first && !g->first_at ? 0 : g->first_at + g->len;
        *ret_left = g->total > g->end ? g->total - g->end : 0;
        return true;
}

void gather_progress(const struct gather *g, uint64_t *ret_end, uint64_t *ret_total)
{
        *ret_end = g->end;
        *ret_total = g->total;
}

size_t gather_bytes(const struct gather *g)
{
        return g ? g->len : 0;
}

bool gather_is_of_boot(const struct gather *g, int64_t boot_time_ms)
{
        int64_t moved_ms = boot_time_ms - g->boot_time_ms;

        return moved_ms < SAME_BOOT_MS && moved_ms > -SAME_BOOT_MS;
}

bool gather_is_full(const struct gather *g)
{
        return g && g->full;
}

int gather_take(struct gather *g, uint64_t next, struct view last, struct buf *ret, uint64_t *ret_first,
                struct err *err)
{
        if (!g || g->end != next)
                return 0;
        buf_put_view(&g->bytes, last);
        if (!buf_ok(&g->bytes))
                return err_nomem(err);
        *ret = g->bytes;
        g->bytes = (struct buf){0};
        *ret_first = g->first;
        return 1;
}

void gather_give_back(struct gather *g, struct buf *bytes)
{
        bytes->len = g->len;
        g->bytes = *bytes;
        *bytes = (struct buf){0};
}

bool gather_is_stale(const struct gather *g, int64_t mono_ms)
{
        return mono_ms - g->at_ms > GATHER_IDLE_MS;
}
