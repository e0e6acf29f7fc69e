/* SPDX-License-Identifier: Apache-2.0 */
/* What askers write, and the kernel's lines of mappings: there and back, cut, flipped, too much of it. */
#include "support/support.h"

#include <signal.h>
#include <sys/mman.h>

#include "agent/launch_maps.h"
#include "agent/launch_wire.h"
#include "base/str.h"

static struct launch_ask example(void)
{
        struct launch_ask m = {.explain = true, .receipt = true, .runtime = view_str("wasmtime")};

        m.nonce = view_str("12345678");
        m.signature = view_str("sig");
        m.n_secrets = 1;
        m.secrets[0] = view_str("key");
        m.n_args = 2;
        m.args[0] = view_str("-x");
        m.args[1] = view_str("");
        m.n_limits = 1;
        m.limits[0] = (struct launch_limit){7, 1024, UINT64_MAX};
        return m;
}

static void an_ask_there_and_back(void **state)
{
        AUTO(buf_free) struct buf out = {0}, again = {0};
        struct launch_ask m = example(), got;
        struct err err = ERR_INIT;

        (void)state;
        launch_ask_put(&out, &m);
        assert_ok(launch_ask_get(VIEW_BUF(&out), &got, &err), &err);
        assert_true(got.explain && got.receipt && !got.input);
        assert_view(got.runtime, "wasmtime");
        assert_view(got.secrets[0], "key");
        assert_int_equal(got.n_args, 2);
        assert_int_equal(got.limits[0].soft, 1024);
        launch_ask_put(&again, &got);
        assert_true(view_equal(VIEW_BUF(&out), VIEW_BUF(&again)));
}

static void must_fail(struct view bytes, const char *what, void *ctx)
{
        struct launch_ask m;
        struct err err = ERR_INIT;

        (void)ctx;
        POISON(m);
        if (launch_ask_get(bytes, &m, &err) >= 0)
                fail_msg("%s: taken", what);
        assert_poisoned(m);
}

static void may_fail(struct view bytes, const char *what, void *ctx)
{
        AUTO(buf_free) struct buf out = {0};
        struct launch_ask m;
        struct err err = ERR_INIT;

        (void)ctx;
        if (launch_ask_get(bytes, &m, &err) < 0)
                return;
        launch_ask_put(&out, &m);
        if (!view_equal(VIEW_BUF(&out), bytes))
                fail_msg("%s: another spelling", what);
}

static void an_ask_that_is_broken(void **state)
{
        AUTO(buf_free) struct buf out = {0}, longer = {0};
        struct launch_ask m = example();

        (void)state;
        launch_ask_put(&out, &m);
        each_truncation(VIEW_BUF(&out), must_fail, NULL);
        each_bit_flip(VIEW_BUF(&out), may_fail, NULL);
        launch_ask_put(&longer, &m);
        buf_u8(&longer, 0);
        must_fail(VIEW_BUF(&longer), "a byte more", NULL);
}

static void an_ask_that_is_too_much(void **state)
{
        static const uint8_t zeros[LAUNCH_WIRE_ARGS_BYTES];
        static char letters[LAUNCH_WIRE_ARGS_BYTES];
        struct {
                struct launch_ask m;
                const char *part;
        } cases[] = {{example(), "nonce of 65"},  {example(), "zero byte"},
                     {example(), "arguments of"}, {example(), "there twice"},
                     {example(), "is none"},      {example(), "secret's name of 65"}};

        (void)state;
        memset(letters, 'a', sizeof(letters));
        cases[0].m.nonce = VIEW(zeros, LAUNCH_WIRE_NONCE_MAX + 1);
        cases[1].m.args[0] = VIEW(zeros, 3);
        cases[2].m.args[0] = VIEW(letters, sizeof(letters));
        cases[2].m.args[1] = view_str("b");
        cases[3].m.limits[1] = cases[3].m.limits[0];
        cases[3].m.n_limits = 2;
        cases[4].m.limits[0].resource = 16;
        cases[5].m.secrets[0] = VIEW(letters, 65);
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                AUTO(buf_free) struct buf out = {0};
                struct launch_ask got;
                struct err err = ERR_INIT;

                launch_ask_put(&out, &cases[i].m);
                assert_true(launch_ask_get(VIEW_BUF(&out), &got, &err) < 0);
                if (!strstr(err.text, cases[i].part))
                        fail_msg("'%s' is not in '%s'", cases[i].part, err.text);
        }
        assert_true(launch_wire_signal(SIGTERM));
        assert_false(launch_wire_signal(SIGKILL) || launch_wire_signal(0) || launch_wire_signal(255));
}

static void lines_of_mappings(void **state)
{
        static const char text[] =
                "55d1c0a00000-55d1c0a02000 r-xp 00001000 fe:01 1050                       /usr/bin/a b\n"
                "7ff0-7ff1 rw-p 00000000 00:00 0 \n"
                "7ff2-7ff3 r-xp 00000000 00:00 0                          [vdso]\n";
        static const char *const broken[] = {"x\n", "1-2 r-xp 0 fe:01 \n", "1-2 r-xp 0 fe01 3 /x\n",
                                             "1-2 r-xp 0 fe:01 3", "-2 r-xp 0 fe:01 3 /x\n"};
        struct view rest = view_str(text);
        struct map_row row;
        struct err err = ERR_INIT;

        (void)state;
        assert_int_equal(map_row_take(&rest, &row, &err), 1);
        assert_true(row.executable);
        assert_int_equal(row.start, 0x55d1c0a00000);
        assert_true(map_id_equal(&row.id, &(struct map_id){0xfe, 1, 1050}));
        assert_view(row.path, "/usr/bin/a b");
        assert_int_equal(map_row_take(&rest, &row, &err), 1);
        assert_false(row.executable);
        assert_int_equal(row.id.ino, 0);
        assert_int_equal(map_row_take(&rest, &row, &err), 1);
        assert_view(row.path, "[vdso]");
        assert_int_equal(map_row_take(&rest, &row, &err), 0);
        for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
                rest = view_str(broken[i]);
                assert_true(map_row_take(&rest, &row, &err) < 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_ask_there_and_back),
                cmocka_unit_test(an_ask_that_is_broken),
                cmocka_unit_test(an_ask_that_is_too_much),
                cmocka_unit_test(lines_of_mappings),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
