/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Helpers of the unit tests. Inputs end against a page that cannot be touched, so that one byte read too far
 * is a crash even without a sanitizer.
 */
#include "support/support.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void support_assert_ok(int r, const struct err *err, const char *file, int line)
{
        if (r >= 0)
                return;
        print_error("failed with %d (%s): %s\n", r, err_kind_name(err->kind), err->text);
        _fail(file, line);
}

void support_assert_err(int r, enum err_kind kind, const struct err *err, const char *part, const char *file,
                        int line)
{
        if (r == -(int)kind && err->kind == kind && (!part || strstr(err->text, part)))
                return;
        print_error("returned %d (%s): '%s', expected kind %s%s%s\n", r, err_kind_name(err->kind), err->text,
                    err_kind_name(kind), part ? " with " : "", part ? part : "");
        _fail(file, line);
}

bool support_is_poison(const void *p, size_t n)
{
        const uint8_t *byte = p;

        for (size_t i = 0; i < n; i++) {
                if (byte[i] != 0xaa)
                        return false;
        }
        return true;
}

struct view guard_bytes(struct guarded *g, struct view v)
{
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        size_t room = (v.len + page - 1) / page * page;
        uint8_t *start;

        g->map_len = room + page;
        g->map = mmap(NULL, g->map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(g->map, MAP_FAILED);
        assert_int_equal(mprotect((uint8_t *)g->map + room, page, PROT_NONE), 0);
        start = (uint8_t *)g->map + (room - v.len);
        if (v.len)
                memcpy(start, v.p, v.len);
        g->v = VIEW(start, v.len);
        return g->v;
}

void guard_free(struct guarded *g)
{
        (void)munmap(g->map, g->map_len); /* a mapping of ours */
        *g = (struct guarded){0};
}

static void try_guarded(struct view v, const char *what, try_fn *try, void *ctx)
{
        struct guarded g;

        try(guard_bytes(&g, v), what, ctx);
        guard_free(&g);
}

void each_truncation(struct view v, try_fn *try, void *ctx)
{
        char what[64];

        for (size_t len = 0; len < v.len; len++) {
                (void)snprintf(what, sizeof(what), "first %zu of %zu bytes", len, v.len);
                try_guarded(VIEW(v.p, len), what, try, ctx);
        }
}

void each_bit_flip(struct view v, try_fn *try, void *ctx)
{
        uint8_t *copy = malloc(v.len + 1);
        char what[64];

        assert_non_null(copy);
        memcpy(copy, v.p, v.len);
        for (size_t bit = 0; bit < v.len * 8; bit++) {
                copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
                (void)snprintf(what, sizeof(what), "bit %zu of byte %zu flipped", bit % 8, bit / 8);
                try_guarded(VIEW(copy, v.len), what, try, ctx);
                copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
        free(copy);
}

void tmpdir_make(char ret[TMPDIR_BYTES])
{
        (void)snprintf(ret, TMPDIR_BYTES, "/tmp/avow.XXXXXX");
        assert_non_null(mkdtemp(ret));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
        (void)st;
        (void)type;
        (void)ftw;
        return remove(path);
}

void tmpdir_remove(const char *dir)
{
        (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS); /* best effort */
}
