/* SPDX-License-Identifier: Apache-2.0 */
/* The closure against what the dynamic loader itself says (ld.so --list), and ELF files that are none. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/closure.h"
#include "base/elf_file.h"
#include "base/file.h"
#include "base/ld_cache.h"

static char dir[TMPDIR_BYTES];

static int setup(void **state)
{
        (void)state;
        tmpdir_make(dir);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        tmpdir_remove(dir);
        return 0;
}

static struct agent_runtime runtime_at(const char *path, enum agent_libs libs)
{
        return (struct agent_runtime){.name = (char *)"rt", .path = (char *)path, .libs = libs};
}

/* What the loader says, resolved, in RET. */
static void ask_loader(const char *program, struct strv *ret)
{
        char line[600], command[300];
        FILE *p;

        (void)snprintf(command, sizeof(command),
                       "ldd %s | sed -n 's/.*=> \\(\\/[^ ]*\\).*/\\1/p; s/^\\s*\\(\\/[^ ]*\\) (.*/\\1/p' | "
                       "xargs -r realpath | sort -u",
                       program);
        p = popen(command, "r"); /* NOLINT: a test asks the system's own tool */
        assert_non_null(p);
        while (fgets(line, sizeof(line), p)) {
                line[strcspn(line, "\n")] = '\0';
                assert_int_equal(strv_add(ret, line), 0);
        }
        (void)pclose(p);
        strv_sort(ret);
}

static void agrees_with_the_loader(void **state)
{
        static const char *const programs[] = {"/usr/bin/openssl", "/usr/bin/curl", "/bin/ls",
                                               "/usr/bin/swtpm"};
        size_t compared = 0;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
                struct agent_runtime all = runtime_at(programs[i], AGENT_LIBS_ALL);
                struct strv ours = {0}, theirs = {0};
                struct err err = ERR_INIT;

                if (access(programs[i], R_OK) != 0)
                        continue;
                ask_loader(programs[i], &theirs);
                if (theirs.n == 0)
                        continue;
                assert_ok(closure_of(&all, &ours, &err), &err);
                assert_int_equal(ours.n, theirs.n + 1);
                for (size_t k = 0; k < theirs.n; k++)
                        assert_string_equal(ours.items[k + 1], theirs.items[k]);
                compared++;
                strv_done(&ours);
                strv_done(&theirs);
        }
        assert_true(compared > 0);
}

static void private_leaves_the_c_library_out(void **state)
{
        struct agent_runtime rt = runtime_at("/usr/bin/openssl", AGENT_LIBS_PRIVATE);
        struct strv files = {0};
        struct err err = ERR_INIT;

        (void)state;
        if (access(rt.path, R_OK) != 0)
                skip();
        assert_ok(closure_of(&rt, &files, &err), &err);
        assert_true(files.n >= 2);
        for (size_t i = 0; i < files.n; i++) {
                assert_null(strstr(files.items[i], "libc.so"));
                assert_null(strstr(files.items[i], "ld-linux"));
        }
        strv_done(&files);
        rt.libs = AGENT_LIBS_NONE;
        assert_ok(closure_of(&rt, &files, &err), &err);
        assert_int_equal(files.n, 1);
        strv_done(&files);
}

static void knows_the_run_time_libraries(void **state)
{
        static const char *const yes[] = {"libc.so.6",          "libm.so.6",      "ld-linux-x86-64.so.2",
                                          "/lib/libgcc_s.so.1", "libstdc++.so.6", "libpthread.so",
                                          "ld-musl-x86_64.so.1"};
        static const char *const no[] = {"libcrypto.so.3", "libcap.so.2", "libmagic.so.1", "libc.so6",
                                         "libnode.so.108", "libdlx.so",   "xlibc.so.6",    ""};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(yes); i++)
                assert_true(closure_is_runtime_library(yes[i]));
        for (size_t i = 0; i < ARRAY_LEN(no); i++)
                assert_false(closure_is_runtime_library(no[i]));
}

static void write_file(const char *name, const char *text, char *ret_path, size_t size)
{
        struct err err = ERR_INIT;

        (void)snprintf(ret_path, size, "%s/%s", dir, name);
        assert_ok(file_write(ret_path, view_str(text), 0755, &err), &err);
}

static void orders_and_resolves(void **state)
{
        char exe[80], a[80], b[80], link[80];
        char *files[4];
        struct agent_runtime rt;
        struct strv got = {0};
        struct err err = ERR_INIT;

        (void)state;
        write_file("zzz-exe", "#!/bin/sh\n", exe, sizeof(exe));
        write_file("b", "b", b, sizeof(b));
        write_file("B", "a", a, sizeof(a));
        (void)snprintf(link, sizeof(link), "%s/a-link", dir);
        assert_int_equal(symlink(b, link), 0);
        files[0] = b;
        files[1] = link;
        files[2] = a;
        files[3] = exe;
        rt = (struct agent_runtime){.name = (char *)"rt", .path = exe, .files = files, .n_files = 4};
        assert_ok(closure_of(&rt, &got, &err), &err);
        assert_int_equal(got.n, 3);
        assert_string_equal(got.items[0], exe);
        assert_string_equal(got.items[1], a);
        assert_string_equal(got.items[2], b);
        strv_done(&got);
}

static void says_what_is_missing(void **state)
{
        char exe[80];
        char *files[1];
        struct agent_runtime rt = runtime_at("/nonexistent/rt", AGENT_LIBS_PRIVATE);
        struct strv got = {0};
        struct err err = ERR_INIT;

        (void)state;
        assert_err(closure_of(&rt, &got, &err), ERR_IO, &err,
                   "runtime 'rt': '/nonexistent/rt': No such file");
        rt.path = dir;
        assert_err(closure_of(&rt, &got, &err), ERR_CONFIG, &err, "regular file");
        write_file("exe", "x", exe, sizeof(exe));
        files[0] = dir;
        rt = (struct agent_runtime){.name = (char *)"rt", .path = exe, .files = files, .n_files = 1};
        assert_err(closure_of(&rt, &got, &err), ERR_CONFIG, &err, "list its files");
        assert_int_equal(got.n, 0);
}

/* A small 64-bit file that needs two libraries and has a RUNPATH. */
static struct view small_elf(uint8_t bytes[512])
{
        static const uint8_t head[] = {0x7f, 'E', 'L', 'F', 2, 1, 1,  0, 0, 0, 0, 0,
                                       0,    0,   0,   0,   3, 0, 62, 0, 1, 0, 0, 0};
        static const char strings[] = "\0liba.so\0libb.so\0$ORIGIN/x";
        struct buf b = {0};

        buf_put(&b, head, sizeof(head));
        for (int i = 0; i < 8; i++)
                buf_u8(&b, 0); /* entry */
        buf_le32(&b, 64);
        buf_le32(&b, 0); /* program headers at 64 */
        for (int i = 0; i < 12; i++)
                buf_u8(&b, 0);
        buf_le16(&b, 64);
        buf_le16(&b, 56);
        buf_le16(&b, 2);
        while (b.len < 64)
                buf_u8(&b, 0);
        for (int i = 0; i < 2; i++) { /* PT_LOAD: all of the file at 0x1000; PT_DYNAMIC: at 176 */
                uint32_t fields[] = {
                        i ? 2 : 1, 4, i ? 176 : 0, 0, i ? 0x10b0 : 0x1000, 0, 0, 0, i ? 96 : 400, 0,
                        400,       0, 8,           0};

                for (size_t k = 0; k < ARRAY_LEN(fields); k++)
                        buf_le32(&b, fields[k]);
        }
        for (int i = 0; i < 5; i++) {
                static const uint32_t tags[] = {1, 1, 29, 5, 0}, values[] = {1, 9, 17, 0x1000 + 272, 0};

                buf_le32(&b, tags[i]);
                buf_le32(&b, 0);
                buf_le32(&b, values[i]);
                buf_le32(&b, 0);
        }
        while (b.len < 272)
                buf_u8(&b, 0);
        buf_put(&b, strings, sizeof(strings));
        assert_true(buf_ok(&b) && b.len <= 512);
        memcpy(bytes, b.p, b.len);
        buf_free(&b);
        return VIEW(bytes, 272 + sizeof(strings));
}

static void parse_only(struct view v, const char *what, void *ctx)
{
        struct elf_file e;
        struct err err = ERR_INIT;

        (void)what;
        (void)ctx;
        if (elf_file_parse(v, &e, &err) == 0)
                elf_file_done(&e);
}

static void reads_elf(void **state)
{
        uint8_t bytes[512];
        struct view v = small_elf(bytes);
        struct elf_file e;
        struct err err = ERR_INIT;

        (void)state;
        POISON(e);
        assert_ok(elf_file_parse(v, &e, &err), &err);
        assert_true(e.is_elf);
        assert_int_equal(e.machine, 62);
        assert_int_equal(e.needed.n, 2);
        assert_string_equal(e.needed.items[1], "libb.so");
        assert_string_equal(e.runpath, "$ORIGIN/x");
        elf_file_done(&e);
        each_truncation(v, parse_only, NULL);
        each_bit_flip(v, parse_only, NULL);
        assert_ok(elf_file_parse(view_str("#!/bin/sh"), &e, &err), &err);
        assert_false(e.is_elf);
        assert_err(elf_file_parse(VIEW(bytes, 100), &e, &err), ERR_FORMAT, &err, "broken ELF file");
}

static int parse_once(void *ctx, struct err *err)
{
        struct elf_file e;
        int r = elf_file_parse(*(struct view *)ctx, &e, err);

        if (r == 0)
                elf_file_done(&e);
        return r;
}

static int close_once(void *ctx, struct err *err)
{
        struct strv got = {0};
        int r = closure_of(ctx, &got, err);

        strv_done(&got);
        return r;
}

static void memory_runs_out(void **state)
{
        uint8_t bytes[512];
        struct view v = small_elf(bytes);
        struct agent_runtime rt = runtime_at("/bin/ls", AGENT_LIBS_ALL);

        (void)state;
        oom_each(parse_once, &v);
        if (access(rt.path, R_OK) == 0)
                oom_each(close_once, &rt);
}

static void find_only(struct view v, const char *what, void *ctx)
{
        struct strv a = {0}, b = {0};
        struct err err = ERR_INIT;

        (void)what;
        (void)ctx;
        assert_true(ld_cache_find(v, "libx.so.1", &a, &b, &err) <= 0);
        strv_done(&a);
        strv_done(&b);
}

static void reads_the_cache(void **state)
{
        AUTO(buf_free)
        struct buf c = {0};
        struct strv plain = {0}, special = {0};
        struct err err = ERR_INIT;

        (void)state;
        buf_str(&c, "glibc-ld.so.cache1.1");
        buf_le32(&c, 2);
        while (c.len < 48)
                buf_u8(&c, 0);
        for (uint32_t i = 0; i < 2; i++) {
                buf_le32(&c, 0x303);
                buf_le32(&c, 96);
                buf_le32(&c, 106 + i);
                buf_le32(&c, 0);
                buf_le32(&c, 0);
                buf_le32(&c, i ? 0x40000000 : 0);
        }
        buf_put(&c, "libx.so.1\0/p/libx.so.1", 23);
        assert_ok(ld_cache_find(VIEW_BUF(&c), "libx.so.1", &plain, &special, &err), &err);
        assert_int_equal(plain.n, 1);
        assert_string_equal(plain.items[0], "/p/libx.so.1");
        assert_int_equal(special.n, 1);
        strv_done(&plain);
        strv_done(&special);
        assert_ok(ld_cache_find(VIEW_BUF(&c), "liby.so", &plain, &special, &err), &err);
        assert_int_equal(plain.n, 0);
        assert_ok(ld_cache_find(view_str("another form"), "liby.so", &plain, &special, &err), &err);
        each_truncation(VIEW_BUF(&c), find_only, NULL);
        each_bit_flip(VIEW_BUF(&c), find_only, NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(agrees_with_the_loader),
                cmocka_unit_test(private_leaves_the_c_library_out),
                cmocka_unit_test(knows_the_run_time_libraries),
                cmocka_unit_test(orders_and_resolves),
                cmocka_unit_test(says_what_is_missing),
                cmocka_unit_test(reads_elf),
                cmocka_unit_test(reads_the_cache),
                cmocka_unit_test(memory_runs_out),
        };

        return cmocka_run_group_tests_name("agent/closure", tests, setup, teardown);
}
