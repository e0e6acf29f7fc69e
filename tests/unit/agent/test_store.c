/* SPDX-License-Identifier: Apache-2.0 */
/* The host's store of secrets: sets taken whole or not at all, full disks, torn files, and a log of copies
 * that forgets nobody. */
#include "support/support.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/secrets.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "unit/agent/owner_kit.h"
#include "unit/tpm/swtpm.h"

static struct swtpm emulator;
static char dir[TMPDIR_BYTES], state_dir[64];
static struct buf db, key, approval; /* documents for web-1 */

/* ---- a disk that is full: from the n-th write on */
static int writes_left = INT32_MAX;

int __real_file_write(const char *path, struct view v, mode_t mode, struct err *err);
int __wrap_file_write(const char *path, struct view v, mode_t mode, struct err *err);
int __real_file_append(const char *path, struct view v, mode_t mode, struct err *err);
int __wrap_file_append(const char *path, struct view v, mode_t mode, struct err *err);

static bool full(void)
{
        return writes_left-- <= 0;
}

int __wrap_file_write(const char *path, struct view v, mode_t mode, struct err *err)
{
        return full() ? err_errno(err, ENOSPC, "%s", path) : __real_file_write(path, v, mode, err);
}

int __wrap_file_append(const char *path, struct view v, mode_t mode, struct err *err)
{
        return full() ? err_errno(err, ENOSPC, "%s", path) : __real_file_append(path, v, mode, err);
}

/* Documents of a real host, made once. */
static int make_documents(void **state)
{
        struct agent_config *config = NULL;
        struct err err = ERR_INIT;
        struct half *h = NULL;
        char text[256], file[64];
        struct kit kit;

        (void)state;
        swtpm_start(&emulator);
        tmpdir_make(dir);
        (void)snprintf(file, sizeof(file), "%s/agent.yaml", dir);
        (void)snprintf(text, sizeof(text), "host: {id: web-1}\nstate: {dir: %s/half}\ntpm: {tcti: \"%s\"}\n",
                       dir, emulator.tcti);
        assert_ok(file_write(file, view_str(text), 0600, &err), &err);
        assert_ok(agent_config_load(file, &config, &err), &err);
        assert_ok(half_new(config, NULL, &h, &err), &err);
        assert_ok(half_start(h, &err), &err);
        kit_make(&kit, h);
        kit_secret(&kit, "db", view_str("s"), true, &db);
        kit_secret(&kit, "key", view_str("k"), true, &key);
        kit_approval(&kit, 3, true, false, &approval);
        kit_done(&kit);
        half_free(h);
        swtpm_stop(&emulator);
        return 0;
}

static int drop_documents(void **state)
{
        (void)state;
        buf_free(&db);
        buf_free(&key);
        buf_free(&approval);
        tmpdir_remove(dir);
        return 0;
}

static int fresh(void **state)
{
        static unsigned n;

        (void)state;
        writes_left = INT32_MAX;
        (void)snprintf(state_dir, sizeof(state_dir), "%s/state%u", dir, n++);
        return 0;
}

static struct secrets *load(size_t odd_wanted)
{
        AUTO(strv_done) struct strv odd = {0};
        struct secrets *s = NULL;
        struct err err = ERR_INIT;

        assert_ok(secrets_new(state_dir, &s, &odd, &err), &err);
        assert_int_equal(odd.n, odd_wanted);
        return s;
}

static int take(struct secrets *s, const struct buf *list, size_t n, const char *host, struct err *err)
{
        AUTO(buf_free) struct buf set = {0};
        uint64_t floor = 0xaaaa;
        int r;

        kit_set(list, n, &approval, 1, 7, &set);
        r = secrets_take(s, host, VIEW_BUF(&set), &floor, err);
        assert_int_equal(floor, r < 0 ? 0xaaaa : 7);
        return r;
}

static char *path_of(const char *name)
{
        char *path = str_fmt("%s/%s", state_dir, name);

        assert_non_null(path);
        return path;
}

static void put(const char *name, const char *text)
{
        AUTO(mem_free_p) char *path = path_of(name);
        struct err err = ERR_INIT;

        assert_ok(file_write(path, view_str(text), 0600, &err), &err);
}

static bool there(const char *name)
{
        AUTO(mem_free_p) char *path = path_of(name);

        return file_exists(path);
}

static void a_set_replaces_what_was_there(void **state)
{
        const struct buf both[] = {db, key};
        AUTO(secret_file_done) struct secret_file f = {0};
        struct secrets *s = load(0);
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(take(s, both, 2, "web-1", &err), &err);
        assert_non_null(secrets_find(s, "db"));
        assert_true(secrets_find(s, "key")->revocable);
        assert_null(secrets_find(s, "other"));
        assert_ok(secrets_load(s, "db", &f, &err), &err);
        assert_ok(take(s, both, 1, "web-1", &err), &err);
        assert_null(secrets_find(s, "key"));
        assert_false(there("secrets/key.json"));
        put("secrets/stranger.json", "{}"); /* what is in no set is no secret of ours */
        put("secrets/db.json.0123abcd.tmp", "left by a crash");
        assert_ok(take(s, both, 1, "web-1", &err), &err);
        assert_false(there("secrets/stranger.json"));
        assert_false(there("secrets/db.json.0123abcd.tmp"));
        secrets_free(s);
        s = load(0);
        assert_non_null(secrets_find(s, "db"));
        secrets_free(s);
}

static void what_is_no_set_changes_nothing(void **state)
{
        const struct buf both[] = {db, key}, twice[] = {db, db};
        struct buf broken = {0};
        struct secrets *s = load(0);
        struct err err = ERR_INIT;
        uint64_t floor;
        static const char *const texts[] = {
                "",
                "{}",
                "[]",
                "{\"secrets\":[],\"approvals\":[]}",
                "{\"secrets\":[],\"approvals\":[],\"floor\":-1}",
                "{\"secrets\":{},\"approvals\":[],\"floor\":0}",
                "{\"secrets\":[1],\"approvals\":[],\"floor\":0}",
                "{\"secrets\":[{\"host\":\"web-1\"}],\"approvals\":[],\"floor\":0}",
                "{\"secrets\":[],\"approvals\":[null],\"floor\":0}",
        };

        (void)state;
        assert_ok(take(s, both, 2, "web-1", &err), &err);
        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
                if (secrets_take(s, "web-1", view_str(texts[i]), &floor, &err) >= 0)
                        fail_msg("taken: %s", texts[i]);
        assert_err(take(s, twice, 2, "web-1", &err), ERR_FORMAT, &err, "twice");
        assert_err(take(s, both, 2, "web-2", &err), ERR_FORMAT, &err, "another host");
        buf_put(&broken, db.p, db.len / 2);
        assert_err(take(s, (const struct buf[]){broken, key}, 2, "web-1", &err), ERR_FORMAT, &err, NULL);
        buf_free(&broken);
        assert_non_null(secrets_find(s, "db"));
        assert_non_null(secrets_find(s, "key"));
        assert_true(there("secrets/db.json") && there("secrets/key.json"));
        secrets_free(s);
}

/* Every write may be the one that fails: what was there stays, every file is whole, and the same set works
 * later. */
static void a_full_disk_loses_nothing(void **state)
{
        const struct buf first[] = {db}, second[] = {key};

        (void)state;
        for (int n = 0; n < 3; n++) {
                struct secrets *s;
                struct err err = ERR_INIT;
                int r;

                (void)fresh(NULL);
                s = load(0);
                assert_ok(take(s, first, 1, "web-1", &err), &err);
                writes_left = n;
                r = take(s, second, 1, "web-1", &err);
                if (r < 0) {
                        assert_int_equal(r, -ERR_IO);
                        assert_non_null(secrets_find(s, "db"));
                        assert_true(there("secrets/db.json"));
                } else {
                        assert_true(n >= 1); /* the approval is as it was: one write */
                }
                writes_left = INT32_MAX;
                secrets_free(s);
                s = load(0);
                assert_ok(take(s, second, 1, "web-1", &err), &err);
                assert_non_null(secrets_find(s, "key"));
                assert_null(secrets_find(s, "db"));
                secrets_free(s);
        }
}

static void torn_and_renamed_files_are_left_aside(void **state)
{
        AUTO(mem_free_p) char *from = NULL, *to = NULL, *torn = NULL;
        const struct buf both[] = {db, key};
        struct secrets *s = load(0);
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(take(s, both, 2, "web-1", &err), &err);
        secrets_free(s);
        torn = path_of("secrets/db.json");
        assert_int_equal(truncate(torn, 100), 0);
        from = path_of("secrets/key.json");
        to = path_of("secrets/other.json");
        assert_int_equal(rename(from, to), 0);
        put("secrets/rubbish.json", "\x01\x02");
        s = load(3);
        assert_null(secrets_find(s, "db"));
        assert_null(secrets_find(s, "other"));
        assert_ok(take(s, both, 2, "web-1", &err), &err); /* the verifier sends it again */
        secrets_free(s);
        s = load(0);
        assert_non_null(secrets_find(s, "db"));
        assert_non_null(secrets_find(s, "key"));
        secrets_free(s);
}

static void refused(void *ctx)
{
        ++*(unsigned *)ctx;
}

static void forgetting_goes_on_and_can_be_repeated(void **state)
{
        const struct buf both[] = {db, key};
        struct secrets *s = load(0);
        struct err err = ERR_INIT;
        unsigned calls = 0;

        (void)state;
        secrets_on_refuse(s, refused, &calls);
        assert_ok(take(s, both, 2, "web-1", &err), &err);
        assert_null(secrets_refused(s));
        secrets_refuse(s, "revoked");
        assert_int_equal(calls, 1);
        assert_string_equal(secrets_refused(s), "revoked");
        assert_err(take(s, both, 2, "web-1", &err), ERR_CONFIG, &err, "revoked");
        {
                AUTO(mem_free_p) char *folder = path_of("secrets/aaa"), *inside = path_of("secrets/aaa/x");

                assert_int_equal(mkdir(folder, 0700), 0); /* cannot be removed as a file is */
                assert_int_equal(mkdir(inside, 0700), 0);
                assert_err(secrets_forget(s, &err), ERR_IO, &err, "aaa");
                assert_false(there("secrets/db.json"));
                assert_false(there("secrets/key.json"));
                assert_int_equal(rmdir(inside), 0);
                assert_int_equal(rmdir(folder), 0);
        }
        assert_ok(secrets_forget(s, &err), &err);
        assert_int_equal(calls, 3);
        assert_null(secrets_find(s, "db"));
        secrets_admit(s);
        assert_null(secrets_refused(s));
        assert_ok(take(s, both, 2, "web-1", &err), &err);
        secrets_free(s);
}

/* ---- the log of copies */

static struct secrets_copy copy(const char *unit, const char *secret, uint32_t uid)
{
        struct secrets_copy c = {.uid = uid, .at_ms = 1795300871123, .lease_s = 60, .revocable = true};

        (void)snprintf(c.unit, sizeof(c.unit), "%s", unit);
        (void)snprintf(c.secret, sizeof(c.secret), "%s", secret);
        return c;
}

static size_t n_copies(struct secrets *s)
{
        const struct secrets_copy *list;

        return secrets_copies(s, &list);
}

static void copies_are_remembered(void **state)
{
        const struct secrets_copy rows[] = {copy("web.service", "db", 0), copy("web.service", "db", 7),
                                            copy("", "db", 7), copy("", "db", 8),
                                            copy("web.service", "key", 0)};
        const struct secrets_copy *list;
        struct secrets *s = load(0);
        struct err err = ERR_INIT;

        (void)state;
        for (int round = 0; round < 300; round++) /* the log is written anew now and then */
                for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                        assert_ok(secrets_note_copy(s, &rows[i], &err), &err);
        assert_int_equal(n_copies(s), 4); /* one for each unit and secret, or user where there is no unit */
        secrets_free(s);
        s = load(0);
        assert_int_equal(secrets_copies(s, &list), 4);
        assert_string_equal(list[0].unit, "web.service");
        assert_int_equal(list[0].uid, 7);
        assert_int_equal(list[0].lease_s, 60);
        assert_true(list[0].revocable);
        assert_int_equal(list[0].at_ms, 1795300871123);
        {
                AUTO(mem_free_p) char *path = path_of("copies.log");
                struct stat st;

                assert_int_equal(stat(path, &st), 0);
                assert_true(st.st_size < 200000);
        }
        assert_ok(secrets_forget_copies(s, &err), &err);
        assert_ok(secrets_forget_copies(s, &err), &err);
        assert_int_equal(n_copies(s), 0);
        secrets_free(s);
        s = load(0);
        assert_int_equal(n_copies(s), 0);
        secrets_free(s);
}

/* A line that is torn belongs to a hand-out that did not happen; a line that is rubbish is somebody's copy.
 */
static void a_log_that_cannot_be_read_is_not_empty(void **state)
{
        const struct secrets_copy row = copy("web.service", "db", 0);
        AUTO(strv_done) struct strv odd = {0};
        AUTO(buf_free) struct buf text = {0}, torn = {0};
        AUTO(mem_free_p) char *path = NULL;
        struct secrets *s = load(0);
        struct err err = ERR_INIT;

        (void)state;
        path = path_of("copies.log");
        assert_ok(secrets_note_copy(s, &row, &err), &err);
        secrets_free(s);
        assert_ok(file_read(path, 65536, &text, &err), &err);
        for (size_t n = 1; n < text.len; n++) {
                buf_reset(&torn);
                buf_put_view(&torn, VIEW_BUF(&text)); /* once whole, then torn after n bytes */
                buf_put(&torn, text.p, n);
                assert_ok(file_write(path, VIEW_BUF(&torn), 0600, &err), &err);
                s = load(0);
                assert_int_equal(n_copies(s), 1);
                assert_ok(secrets_note_copy(s, &row, &err), &err); /* does not go on in the torn line */
                secrets_free(s);
                s = load(0);
                assert_int_equal(n_copies(s), 1);
                secrets_free(s);
        }
        put("copies.log", "rubbish\n");
        s = NULL;
        assert_err(secrets_new(state_dir, &s, &odd, &err), ERR_FORMAT, &err, "copies.log: line 1");
}

static void no_copy_leaves_without_a_line(void **state)
{
        const struct secrets_copy row = copy("web.service", "db", 0);
        struct secrets *s = load(0);
        struct err err = ERR_INIT;

        (void)state;
        writes_left = 0;
        assert_err(secrets_note_copy(s, &row, &err), ERR_IO, &err, "noting who gets a copy");
        assert_int_equal(n_copies(s), 0);
        writes_left = INT32_MAX;
        assert_ok(secrets_note_copy(s, &row, &err), &err);
        secrets_free(s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(a_set_replaces_what_was_there, fresh),
                cmocka_unit_test_setup(what_is_no_set_changes_nothing, fresh),
                cmocka_unit_test_setup(a_full_disk_loses_nothing, fresh),
                cmocka_unit_test_setup(torn_and_renamed_files_are_left_aside, fresh),
                cmocka_unit_test_setup(forgetting_goes_on_and_can_be_repeated, fresh),
                cmocka_unit_test_setup(copies_are_remembered, fresh),
                cmocka_unit_test_setup(a_log_that_cannot_be_read_is_not_empty, fresh),
                cmocka_unit_test_setup(no_copy_leaves_without_a_line, fresh),
        };

        return cmocka_run_group_tests_name("agent store of secrets", tests, make_documents, drop_documents);
}
