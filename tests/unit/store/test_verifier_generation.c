/* SPDX-License-Identifier: Apache-2.0 */
/* A database that was put back is noticed, a crash between file and database is not mistaken for it (SR-17).
 */
#include "store/verifier_generation.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/uuid.h"
#include "evidence/verdict.h"
#include "pump.h"

struct fixture {
        char dir[TMPDIR_BYTES], url[80], db_file[64], copy[64], file[96];
        struct pump pump;
        struct verifier_db *db;
        int told;
        enum store_outcome outcome;
        bool judged, asked_full;
};

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));

        tmpdir_make(f->dir);
        (void)snprintf(f->db_file, sizeof(f->db_file), "%s/v.db", f->dir);
        (void)snprintf(f->url, sizeof(f->url), "sqlite:%s", f->db_file);
        (void)snprintf(f->copy, sizeof(f->copy), "%s/copy", f->dir);
        (void)snprintf(f->file, sizeof(f->file), "%s/generation", f->dir);
        pump_init(&f->pump);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        verifier_db_close(f->db);
        pump_done(&f->pump);
        tmpdir_remove(f->dir);
        free(f);
        return 0;
}

static void on_done(void *ctx, enum store_outcome outcome, const struct err *err)
{
        struct fixture *f = ctx;

        (void)err;
        f->told++;
        f->outcome = outcome;
}

static void on_hosts(void *ctx, enum store_outcome outcome, struct verifier_host *hosts, size_t n,
                     const struct err *err)
{
        struct fixture *f = ctx;

        on_done(ctx, outcome, err);
        assert_int_equal(n, 1);
        f->judged = hosts[0].state.judged;
        f->asked_full = hosts[0].state.asked_full;
}

/* A start of the verifier. Return: was the database put back? */
static bool start(struct fixture *f)
{
        struct err err = ERR_INIT;
        bool restored;

        memset(&restored, 0xaa, 1);
        assert_ok(verifier_db_open(f->url, pump_post, &f->pump, NULL, &f->db, &err), &err);
        assert_ok(verifier_db_generation(f->db, f->file, &restored, &err), &err);
        return restored;
}

static void stop(struct fixture *f)
{
        verifier_db_close(f->db);
        f->db = NULL;
}

static void renew(struct fixture *f)
{
        struct err err = ERR_INIT;

        f->told = 0;
        assert_ok(verifier_db_generation_renew(f->db, f->file, on_done, f, &err), &err);
        pump_until(&f->pump, &f->told, 1);
        assert_int_equal(f->outcome, STORE_OK);
}

static void copy_file(const char *from, const char *to)
{
        AUTO(buf_free) struct buf bytes = {0};
        struct err err = ERR_INIT;

        assert_ok(file_read(from, 1 << 24, &bytes, &err), &err);
        assert_ok(file_write(to, VIEW_BUF(&bytes), 0600, &err), &err);
}

/* The stopped database becomes the copy that was taken when it was stopped before. */
static void put_back(struct fixture *f)
{
        char extra[80];

        (void)snprintf(extra, sizeof(extra), "%s-wal", f->db_file);
        (void)unlink(extra); /* there is none after a clean end */
        (void)snprintf(extra, sizeof(extra), "%s-shm", f->db_file);
        (void)unlink(extra);
        copy_file(f->copy, f->db_file);
}

static void add_host(struct fixture *f)
{
        struct enrolment e = {.name = (char *)"a", .ak = {(uint8_t *)"AK", 2, 2, false}};
        struct evidence_record r = {.name = "a",
                                    .state = {.n_evidence = 1,
                                              .judged = true,
                                              .verdict = VERDICT_PASS,
                                              .verdict_json = (char *)"{}"},
                                    .durable = true,
                                    .limits = {.n_bundles = 3, .bytes = 1 << 20, .total_bytes = 1 << 30}};
        struct err err = ERR_INIT;

        f->told = 0;
        assert_ok(verifier_db_add(f->db, &e, NULL, on_done, f, &err), &err);
        assert_ok(verifier_db_record(f->db, &r, on_done, f, &err), &err);
        pump_until(&f->pump, &f->told, 2);
        assert_int_equal(f->outcome, STORE_OK);
}

static void look(struct fixture *f)
{
        struct err err = ERR_INIT;

        f->told = 0;
        assert_ok(verifier_db_get(f->db, NULL, "a", on_hosts, f, &err), &err);
        pump_until(&f->pump, &f->told, 1);
}

static void restarts_are_no_restore(void **state)
{
        struct fixture *f = *state;

        assert_false(start(f));
        add_host(f);
        stop(f);
        assert_false(start(f));
        for (int i = 0; i < 3; i++)
                renew(f);
        stop(f);
        assert_false(start(f));
        look(f);
        assert_true(f->judged && !f->asked_full);
}

static void put_back_from_before(void **state)
{
        struct fixture *f = *state;
        int64_t floor;

        assert_false(start(f));
        add_host(f);
        assert_int_equal(verifier_db_seq_floor(f->db), 0);
        stop(f);
        copy_file(f->db_file, f->copy);
        assert_false(start(f));
        stop(f);
        put_back(f);
        assert_true(start(f));
        floor = verifier_db_seq_floor(f->db);
        assert_true(floor > 1700000000); /* above all numbers of revocations that were given out since */
        look(f);
        assert_true(!f->judged && f->asked_full);
        stop(f);
        assert_false(start(f)); /* said once; what it asked for is in the database */
        assert_int_equal(verifier_db_seq_floor(f->db), floor);
        look(f);
        assert_true(!f->judged && f->asked_full);
}

/* Two renewals while it runs are enough. */
static void put_back_within_a_run(void **state)
{
        struct fixture *f = *state;

        assert_false(start(f));
        add_host(f);
        stop(f);
        copy_file(f->db_file, f->copy);
        assert_false(start(f));
        renew(f);
        renew(f);
        stop(f);
        put_back(f);
        assert_true(start(f));
}

/* As if the power went after the file was written and before the commit: the file names the id before, too.
 */
static void a_crash_between_the_two(void **state)
{
        struct fixture *f = *state;
        struct err err = ERR_INIT;

        assert_false(start(f));
        add_host(f);
        stop(f);
        copy_file(f->db_file, f->copy);
        assert_ok(verifier_db_open(f->url, pump_post, &f->pump, NULL, &f->db, &err), &err);
        renew(f);
        stop(f);
        put_back(f); /* of the renewal only the file is left */
        assert_false(start(f));
        look(f);
        assert_true(f->judged);
}

static void a_file_that_is_lost_or_none(void **state)
{
        struct fixture *f = *state;
        struct err err = ERR_INIT;
        bool restored;

        assert_false(start(f));
        add_host(f);
        stop(f);
        assert_int_equal(unlink(f->file), 0);
        assert_true(start(f));
        stop(f);
        assert_ok(file_write(f->file, view_str("rubbish\n"), 0600, &err), &err);
        assert_ok(verifier_db_open(f->url, pump_post, &f->pump, NULL, &f->db, &err), &err);
        POISON(restored);
        assert_err(verifier_db_generation(f->db, f->file, &restored, &err), ERR_FORMAT, &err, "not what");
        assert_poisoned(restored);
        err_clear(&err);
        assert_int_equal(unlink(f->file), 0);
        (void)snprintf(f->file, sizeof(f->file), "%s/no/such/folder/generation", f->dir);
        assert_err(verifier_db_generation(f->db, f->file, &restored, &err), ERR_IO, &err, "generation");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(restarts_are_no_restore, setup, teardown),
                cmocka_unit_test_setup_teardown(put_back_from_before, setup, teardown),
                cmocka_unit_test_setup_teardown(put_back_within_a_run, setup, teardown),
                cmocka_unit_test_setup_teardown(a_crash_between_the_two, setup, teardown),
                cmocka_unit_test_setup_teardown(a_file_that_is_lost_or_none, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
