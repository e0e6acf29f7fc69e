/* SPDX-License-Identifier: Apache-2.0 */
/* The workload service's records, and signatures that were used: also after a restart. */
#include "store/verifier_workloads.h"

#include <stdlib.h>

#include "verifier_store.h"

struct fixture {
        struct verifier_store s;
        char seen[256]; /* "entity:e=1 list:a=22": kind, id, bytes */
};

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));

        verifier_store_begin(&f->s);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        verifier_store_end(&f->s);
        free(f);
        return 0;
}

static void on_done(void *ctx, enum store_outcome outcome, const struct err *err)
{
        struct fixture *f = ctx;

        assert_null(err);
        f->s.outcome = outcome;
        f->s.told++;
}

static void on_records(void *ctx, enum store_outcome outcome, struct workload_record *records, size_t n,
                       const struct err *err)
{
        struct fixture *f = ctx;
        struct buf b = {0};

        for (size_t i = 0; i < n; i++)
                buf_fmt(&b, "%s%s:%s=%.*s", i ? " " : "", records[i].kind, records[i].id,
                        (int)records[i].bytes.len,
                        records[i].bytes.p ? (const char *)records[i].bytes.p : "");
        (void)snprintf(f->seen, sizeof(f->seen), "%.*s", (int)b.len, b.p ? (const char *)b.p : "");
        buf_free(&b);
        on_done(ctx, outcome, err);
}

static enum store_outcome put(struct fixture *f, const char *kind, const char *id, const char *bytes,
                              bool new)
{
        struct workload_record r = {.kind = (char *)(uintptr_t)kind,
                                    .id = (char *)(uintptr_t)id,
                                    .bytes = {.p = (uint8_t *)(uintptr_t)bytes, .len = strlen(bytes)},
                                    .updated_at_ms = 5};

        ASK(&f->s, verifier_db_workload_put(f->s.db, NULL, &r, new, NULL, on_done, f, err));
        return f->s.outcome;
}

static enum store_outcome take(struct fixture *f, const char *kind, const char *id)
{
        ASK(&f->s, verifier_db_workload_remove(f->s.db, NULL, kind, id, NULL, on_done, f, err));
        return f->s.outcome;
}

static const char *all(struct fixture *f, const char *tenant)
{
        ASK(&f->s, verifier_db_workloads(f->s.db, tenant, on_records, f, err));
        return f->seen;
}

static void records_are_kept(void **state)
{
        struct fixture *f = *state;

        assert_string_equal(all(f, NULL), "");
        assert_int_equal(put(f, "list", "a", "1", true), STORE_OK);
        assert_int_equal(put(f, "list", "a", "2", true), STORE_CONFLICT);
        assert_int_equal(put(f, "entity", "a", "3", true), STORE_OK);
        assert_string_equal(all(f, NULL), "entity:a=3 list:a=1");
        assert_int_equal(put(f, "list", "a", "22", false), STORE_OK);
        verifier_db_close(f->s.db);
        verifier_store_open(&f->s);
        assert_string_equal(all(f, NULL), "entity:a=3 list:a=22");
        assert_string_equal(all(f, "other"), "");
        assert_int_equal(take(f, "entity", "b"), STORE_NOT_FOUND);
        assert_int_equal(take(f, "entity", "a"), STORE_OK);
        assert_string_equal(all(f, NULL), "list:a=22");
}

static enum store_outcome use(struct fixture *f, const char *what, int64_t until_ms, int64_t now_ms)
{
        ASK(&f->s, verifier_db_workload_use(f->s.db, view_str(what), until_ms, now_ms, on_done, f, err));
        return f->s.outcome;
}

static void a_signature_counts_once(void **state)
{
        struct fixture *f = *state;

        assert_int_equal(use(f, "a", 100, 10), STORE_OK);
        assert_int_equal(use(f, "a", 200, 20), STORE_CONFLICT);
        assert_int_equal(use(f, "b", 100, 20), STORE_OK);
        verifier_db_close(f->s.db);
        verifier_store_open(&f->s);
        assert_int_equal(use(f, "a", 100, 100), STORE_CONFLICT);
        assert_int_equal(use(f, "a", 300, 101),
                         STORE_OK); /* its certificate has ended; nobody takes it any more */
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(records_are_kept, setup, teardown),
                cmocka_unit_test_setup_teardown(a_signature_counts_once, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
