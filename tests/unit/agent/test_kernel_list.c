/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the kernel's list in parts: cut where entries end, gone on with, grown, begun anew. */
#include "support/support.h"

#include <stdio.h>
#include <unistd.h>

#include "agent/kernel_list.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "evidence/ima_size.h"

struct fixture {
        char dir[TMPDIR_BYTES];
        char path[64], count[64];
        struct kernel_list *list;
        struct buf all, out;
        size_t ends[64]; /* of the entries in ALL */
        size_t n;
};

static int setup(void **state)
{
        static struct fixture f;
        struct err err = ERR_INIT;

        f = (struct fixture){.n = 0};
        tmpdir_make(f.dir);
        (void)snprintf(f.path, sizeof(f.path), "%s/list", f.dir);
        (void)snprintf(f.count, sizeof(f.count), "%s/runtime_measurements_count", f.dir);
        assert_ok(kernel_list_new(f.path, &f.list, &err), &err);
        *state = &f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        kernel_list_free(f->list);
        buf_free(&f->all);
        buf_free(&f->out);
        tmpdir_remove(f->dir);
        return 0;
}

static void put_counted(struct buf *b, const char *text, size_t len)
{
        buf_le32(b, (uint32_t)len);
        buf_put(b, text, len);
}

/* One more entry, with LEN bytes of data, or of the template that has no length of its own. */
static void entry(struct fixture *f, bool old, size_t len)
{
        static const char zeros[8192];

        buf_le32(&f->all, 10);
        buf_put(&f->all, zeros, 20);
        put_counted(&f->all, old ? "ima" : "ima-ng", old ? 3 : 6);
        if (old)
                buf_put(&f->all, zeros, 20);
        put_counted(&f->all, zeros, len);
        f->ends[f->n++] = f->all.len;
}

/* The file is what the first BYTES of ALL are, the same inode as before. */
static void write_bytes(const struct fixture *f, size_t bytes)
{
        FILE *file = fopen(f->path, "we");

        assert_non_null(file);
        assert_int_equal(fwrite(f->all.p, 1, bytes, file), bytes);
        assert_int_equal(fclose(file), 0);
}

static void write_all(const struct fixture *f)
{
        write_bytes(f, f->all.len);
}

static int ask(struct fixture *f, uint64_t first, uint64_t at, uint64_t max, size_t bytes,
               struct kernel_list_part *ret, struct err *err)
{
        const struct kernel_list_ask a = {.first = first,
                                          .at = at,
                                          .max_entries = max,
                                          .max_bytes = bytes,
                                          .until_ms = clock_mono_ms() + 60000};

        buf_reset(&f->out);
        return kernel_list_read(f->list, &a, &f->out, ret, err);
}

static size_t begin_of(const struct fixture *f, uint64_t n)
{
        return n ? f->ends[n - 1] : 0;
}

/* Asks, and wants entries FIRST to FIRST + N out of TOTAL. */
static void expect(struct fixture *f, uint64_t first, uint64_t at, uint64_t max, size_t bytes,
                   uint64_t want_first, uint64_t want_n, uint64_t want_total)
{
        struct err err = ERR_INIT;
        struct kernel_list_part part;
        size_t from = begin_of(f, want_first), to = begin_of(f, want_first + want_n);

        assert_ok(ask(f, first, at, max, bytes, &part, &err), &err);
        assert_int_equal(part.first, want_first);
        assert_int_equal(part.n, want_n);
        assert_int_equal(part.total, want_total);
        assert_true(view_equal(VIEW_BUF(&f->out), VIEW(f->all.p + from, to - from)));
}

static void in_parts(void **state)
{
        struct fixture *f = *state;

        for (size_t i = 0; i < 40; i++)
                entry(f, i % 3 == 0, i * 200);
        write_all(f);
        expect(f, 0, 0, 1000, 1 << 20, 0, 40, 40);
        expect(f, 40, 0, 1000, 1 << 20, 40, 0, 40);                       /* nothing new */
        expect(f, 0, 0, 7, 1 << 20, 0, 7, 8);                             /* there is at least one more */
        expect(f, 7, 0, 1000, f->ends[20] - f->ends[6], 7, 14, 22);       /* by bytes, to the byte */
        expect(f, 21, 0, 1000, f->ends[30] - f->ends[20] - 1, 21, 9, 31); /* one byte too few for the last */
        expect(f, 3, 0, 2, 1 << 20, 3, 2, 6);                             /* back, by counting */
        expect(f, 30, f->ends[29], 2, 1 << 20, 30, 2, 33);                /* by the byte that it begins at */
        expect(f, 0, 0, 1000, 1, 0, 0, 1);                                /* no room for one */
        entry(f, false, 0);
        entry(f, true, 9);
        write_all(f); /* it grew */
        expect(f, 40, f->ends[39], 1000, 1 << 20, 40, 2, 42);
}

static void with_the_kernels_count(void **state)
{
        struct fixture *f = *state;
        struct err err = ERR_INIT;
        uint64_t n = 7;

        assert_int_equal(kernel_list_count(f->list, &n), 0); /* no list, no IMA */
        for (size_t i = 0; i < 10; i++)
                entry(f, false, 50);
        write_all(f);
        assert_int_equal(kernel_list_count(f->list, &n), 1);
        assert_true(n == UINT64_MAX); /* not counted */
        assert_ok(file_write(f->count, view_str("10\n"), 0600, &err), &err);
        assert_int_equal(kernel_list_count(f->list, &n), 1);
        assert_int_equal(n, 10);
        expect(f, 0, 0, 4, 1 << 20, 0, 4, 10);
        expect(f, 11, f->all.len + 7, 4, 1 << 20, 0, 4, 10); /* another boot's place */
}

/* Whoever starts anew knows nothing: it goes where the verifier says. */
static void after_a_restart(void **state)
{
        struct fixture *f = *state;
        struct err err = ERR_INIT;

        for (size_t i = 0; i < 30; i++)
                entry(f, false, i);
        write_all(f);
        expect(f, 0, 0, 20, 1 << 20, 0, 20, 21);
        kernel_list_free(f->list);
        assert_ok(kernel_list_new(f->path, &f->list, &err), &err);
        expect(f, 20, f->ends[19], 1000, 1 << 20, 20, 10, 30);
        expect(f, 25, f->ends[24] + 1, 1000, 1 << 20, 0, 30, 30); /* no entry begins there: all of it */
        expect(f, 25, 0, 1000, 1 << 20, 25, 5, 30);
}

static void another_list(void **state)
{
        struct fixture *f = *state;

        for (size_t i = 0; i < 20; i++)
                entry(f, false, 100);
        write_all(f);
        expect(f, 0, 0, 1000, 1 << 20, 0, 20, 20);
        write_bytes(f, f->ends[4]); /* shorter: of another boot */
        expect(f, 20, f->ends[19], 1000, 1 << 20, 0, 5, 5);
        assert_int_equal(unlink(f->path), 0); /* another file under the name */
        write_all(f);
        expect(f, 5, f->ends[4], 1000, 1 << 20, 5, 15, 20);
        expect(f, 21, 0, 1000, 1 << 20, 0, 20, 20); /* never so long */
}

/* An entry that is being written is none yet; what is no entry ends the list, and is told. */
static void cut_and_broken(void **state)
{
        struct fixture *f = *state;
        struct err err = ERR_INIT;
        struct kernel_list_part part;
        size_t good;

        for (size_t i = 0; i < 3; i++)
                entry(f, false, 100);
        write_bytes(f, f->ends[2] - 1);
        expect(f, 0, 0, 1000, 1 << 20, 0, 2, 2);
        write_all(f);
        expect(f, 2, f->ends[1], 1000, 1 << 20, 2, 1, 3);
        good = f->all.len;
        buf_le32(&f->all, 0x01000000);
        write_all(f);
        assert_err(ask(f, 0, 0, 1000, 1 << 20, &part, &err), ERR_FORMAT, &err, "entry 3 at byte");
        assert_int_equal(part.n, 3);
        assert_int_equal(part.total, 3);
        assert_int_equal(f->out.len, good);
        err_clear(&err);
        assert_err(ask(f, 3, good, 1000, 1 << 20, &part, &err), ERR_FORMAT, &err, "entry 3 at byte");
        assert_int_equal(part.first, 3); /* it did not begin anew: it ends there */
        assert_int_equal(part.total, 3);
        assert_int_equal(unlink(f->path), 0);
        err_clear(&err);
        assert_err(ask(f, 0, 0, 1000, 1 << 20, &part, &err), ERR_IO, &err, f->path);
}

/* The time is over before the first entry that is wanted: the next part goes on from there. */
static void out_of_time(void **state)
{
        struct fixture *f = *state;
        const struct kernel_list_ask late = {
                .first = 5, .max_entries = 9, .max_bytes = 1 << 20, .until_ms = 0};
        struct kernel_list_part part;
        struct err err = ERR_INIT;

        for (size_t i = 0; i < 10; i++)
                entry(f, false, 100);
        write_all(f);
        assert_ok(kernel_list_read(f->list, &late, &f->out, &part, &err), &err);
        assert_int_equal(part.n, 0);
        assert_int_equal(part.total, 6);
        expect(f, 5, 0, 9, 1 << 20, 5, 5, 10);
}

static void sizes(void **state)
{
        struct fixture *f = *state;
        struct err err = ERR_INIT;
        size_t size = 0;

        for (int old = 0; old <= 1; old++) {
                buf_reset(&f->all);
                f->n = 0;
                entry(f, old, 33);
                assert_true(ima_list_is_binary(VIEW_BUF(&f->all)));
                for (size_t cut = 0; cut < f->all.len; cut++)
                        assert_int_equal(ima_entry_size(VIEW(f->all.p, cut), &size, &err), 0);
                buf_u8(&f->all, 0xaa);
                assert_int_equal(ima_entry_size(VIEW_BUF(&f->all), &size, &err), 1);
                assert_int_equal(size, f->all.len - 1);
        }
        memset(f->all.p + 24, 0, 4); /* a template without a name */
        assert_err(ima_entry_size(VIEW_BUF(&f->all), &size, &err), ERR_FORMAT, &err, "length of 0");
        memset(f->all.p + 24, 0xff, 4);
        err_clear(&err);
        assert_err(ima_entry_size(VIEW_BUF(&f->all), &size, &err), ERR_LIMIT, &err, "4294967295");
        assert_false(ima_list_is_binary(view_str("10 00")));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(in_parts, setup, teardown),
                cmocka_unit_test_setup_teardown(with_the_kernels_count, setup, teardown),
                cmocka_unit_test_setup_teardown(after_a_restart, setup, teardown),
                cmocka_unit_test_setup_teardown(another_list, setup, teardown),
                cmocka_unit_test_setup_teardown(cut_and_broken, setup, teardown),
                cmocka_unit_test_setup_teardown(out_of_time, setup, teardown),
                cmocka_unit_test_setup_teardown(sizes, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
