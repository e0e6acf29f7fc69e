/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of results: one is in use, those before it keep their dates, and none is forgotten. */
#include "store/verifier_keys.h"

#include <stdlib.h>

#include "verifier_store.h"

struct fixture {
        struct verifier_store s;
        char seen[256]; /* "b 20- a 10-20": kid, since, until */
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

        assert_int_equal(outcome, STORE_OK);
        assert_null(err);
        f->s.told++;
}

static void on_keys(void *ctx, enum store_outcome outcome, const struct result_key *keys, size_t n,
                    const struct err *err)
{
        struct fixture *f = ctx;
        struct buf b = {0};

        for (size_t i = 0; i < n; i++) {
                assert_string_equal(keys[i].jwk, "{}");
                buf_fmt(&b, "%s%s %lld-", i ? " " : "", keys[i].kid, (long long)keys[i].since_ms);
                if (keys[i].until_ms)
                        buf_fmt(&b, "%lld", (long long)keys[i].until_ms);
        }
        (void)snprintf(f->seen, sizeof(f->seen), "%.*s", (int)b.len, b.p ? (const char *)b.p : "");
        buf_free(&b);
        on_done(ctx, outcome, err);
}

static void use(struct fixture *f, const char *kid, int64_t at_ms)
{
        ASK(&f->s, verifier_db_use_result_key(f->s.db, kid, kid ? "{}" : NULL, at_ms, on_done, f, err));
}

static const char *keys(struct fixture *f, size_t limit)
{
        ASK(&f->s, verifier_db_result_keys(f->s.db, limit, on_keys, f, err));
        return f->seen;
}

static void replaced_keys_stay(void **state)
{
        struct fixture *f = *state;

        assert_string_equal(keys(f, 9), "");
        use(f, "a", 10);
        assert_string_equal(keys(f, 9), "a 10-");
        use(f, "a", 15); /* a restart with the same key */
        assert_string_equal(keys(f, 9), "a 10-");
        use(f, "b", 20);
        assert_string_equal(keys(f, 9), "b 20- a 10-20");
        use(f, NULL, 30); /* ear.key was taken out */
        assert_string_equal(keys(f, 9), "b 20-30 a 10-20");
        use(f, "a", 40); /* and the first one is back: in use since it first was */
        assert_string_equal(keys(f, 9), "a 10- b 20-30");
        verifier_db_close(f->s.db);
        verifier_store_open(&f->s);
        assert_string_equal(keys(f, 9), "a 10- b 20-30");
        assert_string_equal(keys(f, 1), "a 10-"); /* the one in use before all others */
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(replaced_keys_stay, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
