/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets and approvals in the verifier's database: newer versions alone, floors that only rise, and what
 * outlives a host that is removed. */
#include "store/verifier_secrets.h"

#include <stdlib.h>

#include "verifier_store.h"

struct fixture {
        struct verifier_store s;
        char seen[512]; /* of a set: "db=1 key=2 | a:5- b:5+ | 6", withdrawn: "-" */
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

        assert_true((outcome == STORE_FAILED) == (err != NULL));
        f->s.outcome = outcome;
        f->s.told++;
}

static void on_set(void *ctx, enum store_outcome outcome, const struct verifier_set *set,
                   const struct err *err)
{
        struct fixture *f = ctx;
        struct buf b = {0};

        for (size_t i = 0; i < set->n_secrets; i++)
                buf_fmt(&b, "%s=%s ", set->secrets[i].name, set->secrets[i].text);
        buf_str(&b, "|");
        for (size_t i = 0; i < set->n_approvals; i++)
                buf_fmt(&b, " %s:%lld%s", set->approvals[i].id, (long long)set->approvals[i].version,
                        set->approvals[i].withdrawn_at_ms ? "-" : "+");
        buf_fmt(&b, " | %lld", (long long)set->floor);
        (void)snprintf(f->seen, sizeof(f->seen), "%.*s", (int)b.len, (const char *)b.p);
        buf_free(&b);
        on_done(ctx, outcome, err);
}

static void add_host(struct fixture *f, const char *name)
{
        struct enrolment e = {.tenant = (char *)"default",
                              .name = (char *)name,
                              .keylime = true,
                              .tpm_policy = (char *)"{}",
                              .ak = {(uint8_t *)"key", 3, 3, false}};

        ASK(&f->s, verifier_db_add(f->s.db, &e, NULL, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_OK);
}

static enum store_outcome put(struct fixture *f, const char *host, const char *name, int64_t version,
                              const char *text)
{
        ASK(&f->s, verifier_db_secret_put(f->s.db, NULL, host, name, version, text, NULL, on_done, f, err));
        return f->s.outcome;
}

static enum store_outcome approve(struct fixture *f, const char *host, const char *id, int64_t version)
{
        const struct verifier_approval a = {
                .id = (char *)id, .host = (char *)host, .version = version, .text = (char *)"{}"};

        ASK(&f->s, verifier_db_approve(f->s.db, NULL, &a, 1000, NULL, on_done, f, err));
        return f->s.outcome;
}

static enum store_outcome withdraw(struct fixture *f, const char *id)
{
        ASK(&f->s, verifier_db_withdraw(f->s.db, NULL, id, 2000, NULL, on_set, f, err));
        return f->s.outcome;
}

static const char *set_of(struct fixture *f, const char *host)
{
        ASK(&f->s, verifier_db_secrets_of(f->s.db, NULL, host, on_set, f, err));
        assert_int_equal(f->s.outcome, STORE_OK);
        return f->seen;
}

static void secrets_go_forward(void **state)
{
        struct fixture *f = *state;

        assert_int_equal(put(f, "web-1", "db", 1, "one"), STORE_NOT_FOUND);
        add_host(f, "web-1");
        add_host(f, "web-2");
        assert_int_equal(put(f, "web-1", "db", 1, "one"), STORE_OK);
        assert_int_equal(put(f, "web-1", "db", 1, "other"),
                         STORE_CONFLICT); /* the same version, another text */
        assert_int_equal(put(f, "web-1", "db", 3, "three"), STORE_OK);
        assert_int_equal(put(f, "web-1", "db", 2, "two"), STORE_CONFLICT);
        assert_int_equal(put(f, "web-1", "api", 1, "a"), STORE_OK);
        assert_int_equal(put(f, "web-2", "db", 1, "theirs"), STORE_OK);
        assert_string_equal(set_of(f, "web-1"), "api=a db=three | | 0");
        assert_string_equal(set_of(f, "web-2"), "db=theirs | | 0");
        ASK(&f->s, verifier_db_secret_remove(f->s.db, NULL, "web-1", "db", NULL, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_OK);
        ASK(&f->s, verifier_db_secret_remove(f->s.db, NULL, "web-1", "db", NULL, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_NOT_FOUND);
        assert_string_equal(set_of(f, "web-1"), "api=a | | 0");
        ASK(&f->s, verifier_db_secrets_of(f->s.db, "acme", "web-1", on_set, f, err)); /* another tenant */
        assert_string_equal(f->seen, "| | 0");
}

static void floors_only_rise(void **state)
{
        struct fixture *f = *state;

        add_host(f, "web-1");
        add_host(f, "web-2");
        assert_int_equal(approve(f, "nobody", "x", 5), STORE_NOT_FOUND);
        assert_int_equal(approve(f, "web-1", "a", 5), STORE_OK);
        assert_int_equal(approve(f, "web-1", "a", 5), STORE_OK); /* the same again */
        assert_int_equal(approve(f, "web-1", "b", 4), STORE_OK);
        assert_int_equal(approve(f, "web-1", "c", 9), STORE_OK);
        assert_int_equal(approve(f, "web-2", "d", 5), STORE_OK);
        assert_int_equal(withdraw(f, "nothing"), STORE_NOT_FOUND);
        assert_int_equal(withdraw(f, "a"), STORE_OK);
        assert_string_equal(f->seen, "| a:5- | 6");
        assert_string_equal(set_of(f, "web-1"), "| a:5- b:4- c:9+ | 6"); /* what is older ends with it */
        assert_string_equal(set_of(f, "web-2"), "| d:5+ | 0");
        assert_int_equal(withdraw(f, "a"), STORE_OK);
        assert_string_equal(f->seen, "| a:5- | 6");
        assert_int_equal(withdraw(f, "b"), STORE_OK); /* the floor stays where it is */
        assert_string_equal(f->seen, "| b:4- | 6");
        assert_int_equal(approve(f, "web-1", "a", 5), STORE_CONFLICT);
        assert_int_equal(approve(f, "web-1", "e", 5), STORE_CONFLICT); /* the floor will be above it */
        assert_int_equal(approve(f, "web-1", "e", 6), STORE_OK);
        assert_int_equal(withdraw(f, "c"), STORE_OK);
        assert_string_equal(set_of(f, "web-1"), "| a:5- b:4- c:9- e:6- | 10");
}

static void approvals_are_listed(void **state)
{
        struct fixture *f = *state;

        add_host(f, "web-1");
        add_host(f, "web-2");
        assert_int_equal(approve(f, "web-1", "a", 5), STORE_OK);
        assert_int_equal(approve(f, "web-2", "b", 5), STORE_OK);
        assert_int_equal(approve(f, "web-1", "c", 5), STORE_OK);
        ASK(&f->s, verifier_db_approvals(f->s.db, NULL, NULL, NULL, NULL, 2, on_set, f, err));
        assert_string_equal(f->seen, "| a:5+ b:5+ | 0");
        ASK(&f->s, verifier_db_approvals(f->s.db, NULL, NULL, NULL, "b", 2, on_set, f, err));
        assert_string_equal(f->seen, "| c:5+ | 0");
        ASK(&f->s, verifier_db_approvals(f->s.db, NULL, "web-1", NULL, NULL, 9, on_set, f, err));
        assert_string_equal(f->seen, "| a:5+ c:5+ | 0");
        ASK(&f->s, verifier_db_approvals(f->s.db, NULL, NULL, "b", NULL, 9, on_set, f, err));
        assert_string_equal(f->seen, "| b:5+ | 0");
        ASK(&f->s, verifier_db_approvals(f->s.db, NULL, NULL, "z", NULL, 9, on_set, f, err));
        assert_int_equal(f->s.outcome, STORE_NOT_FOUND);
}

/* Secrets were sealed to the TPM that went; what was withdrawn stays withdrawn, also over a restart. */
static void a_removed_host(void **state)
{
        struct fixture *f = *state;

        add_host(f, "web-1");
        assert_int_equal(put(f, "web-1", "db", 7, "seven"), STORE_OK);
        assert_int_equal(approve(f, "web-1", "a", 5), STORE_OK);
        assert_int_equal(withdraw(f, "a"), STORE_OK);
        ASK(&f->s, verifier_db_remove(f->s.db, NULL, "web-1", NULL, on_done, f, err));
        assert_int_equal(f->s.outcome, STORE_OK);
        verifier_db_close(f->s.db);
        verifier_store_open(&f->s);
        add_host(f, "web-1");
        assert_string_equal(set_of(f, "web-1"), "| a:5- | 6");
        assert_int_equal(put(f, "web-1", "db", 1, "one"), STORE_OK);
        assert_int_equal(approve(f, "web-1", "a", 5), STORE_CONFLICT);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(secrets_go_forward, setup, teardown),
                cmocka_unit_test_setup_teardown(floors_only_rise, setup, teardown),
                cmocka_unit_test_setup_teardown(approvals_are_listed, setup, teardown),
                cmocka_unit_test_setup_teardown(a_removed_host, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
