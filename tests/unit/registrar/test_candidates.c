/* SPDX-License-Identifier: Apache-2.0 */
/* The table of candidates: who wins, who is displaced, what expires. */
#include "support/support.h"

#include "candidates.h"

#define NOW      INT64_C(1780000000000)
#define LIFETIME 300000

static struct candidates *table(size_t total, size_t per_source, size_t per_name)
{
        const struct candidates_limits limits = {total, per_source, per_name, LIFETIME};
        struct err err = ERR_INIT;
        struct candidates *t = NULL;

        assert_ok(candidates_new(&limits, &t, &err), &err);
        return t;
}

static struct candidate *candidate(const char *name, const char *source, uint8_t tag)
{
        struct candidate *c = mem_zalloc(1, sizeof(*c));

        assert_non_null(c);
        (void)snprintf(c->name, sizeof(c->name), "%s", name);
        (void)snprintf(c->source, sizeof(c->source), "%s", source);
        memset(c->tag, tag, sizeof(c->tag));
        return c;
}

static void add(struct candidates *t, const char *name, const char *source, uint8_t tag, int64_t now_ms)
{
        struct err err = ERR_INIT;

        assert_ok(candidates_add(t, candidate(name, source, tag), now_ms, &err), &err);
}

static enum candidates_answer take(struct candidates *t, const char *name, uint8_t tag, int64_t now_ms)
{
        uint8_t bytes[WIRE_AUTH_TAG_BYTES];
        struct candidate *c = NULL;
        enum candidates_answer answer;

        memset(bytes, tag, sizeof(bytes));
        answer = candidates_take(t, name, bytes, now_ms, &c);
        assert_int_equal(answer == CANDIDATE_TAKEN, c != NULL);
        candidate_free(c);
        return answer;
}

static void test_several_per_name(void **state)
{
        struct candidates *t = table(10, 10, 10);

        (void)state;
        add(t, "web-1", "a", 1, NOW);
        add(t, "web-1", "b", 2, NOW);
        add(t, "web-2", "b", 3, NOW);
        assert_int_equal(take(t, "web-3", 1, NOW), CANDIDATE_UNKNOWN);
        assert_int_equal(take(t, "web-1", 3, NOW), CANDIDATE_WRONG); /* another name's tag */
        assert_int_equal(take(t, "web-1", 9, NOW), CANDIDATE_WRONG);
        assert_int_equal(candidates_count(t), 3); /* a wrong tag costs nothing */
        assert_int_equal(candidates_count_name(t, "web-1"), 2);
        assert_int_equal(take(t, "web-1", 2, NOW), CANDIDATE_TAKEN);
        assert_int_equal(take(t, "web-1", 2, NOW), CANDIDATE_WRONG); /* once */
        assert_int_equal(take(t, "web-1", 1, NOW), CANDIDATE_TAKEN);
        assert_int_equal(take(t, "web-1", 1, NOW), CANDIDATE_UNKNOWN);
        candidates_drop(t, "web-2");
        assert_int_equal(candidates_count(t), 0);
        candidates_free(t);
}

static void test_expiry(void **state)
{
        struct candidates *t = table(10, 10, 10);

        (void)state;
        add(t, "web-1", "a", 1, NOW);
        add(t, "web-2", "a", 2, NOW + 1000);
        assert_int_equal(take(t, "web-1", 1, NOW + LIFETIME), CANDIDATE_UNKNOWN);
        assert_int_equal(candidates_expire(t, NOW + LIFETIME), 1);
        assert_int_equal(take(t, "web-2", 2, NOW + LIFETIME), CANDIDATE_TAKEN);
        candidates_free(t);
}

/* A failed write gives a good proof back; its time goes on. */
static void test_put_back(void **state)
{
        struct candidates *t = table(10, 10, 10);
        uint8_t tag[WIRE_AUTH_TAG_BYTES];
        struct candidate *c = NULL;
        struct err err = ERR_INIT;

        (void)state;
        memset(tag, 1, sizeof(tag));
        add(t, "web-1", "a", 1, NOW);
        assert_int_equal(candidates_take(t, "web-1", tag, NOW + 1000, &c), CANDIDATE_TAKEN);
        assert_ok(candidates_put_back(t, c, NOW + 2000, &err), &err);
        assert_int_equal(take(t, "web-1", 1, NOW + LIFETIME - 1), CANDIDATE_TAKEN);
        candidates_free(t);
}

/* Whoever floods displaces himself: the owner's one candidate survives any number from one address. */
static void test_flood_of_a_name(void **state)
{
        struct candidates *t = table(100, 100, 4);

        (void)state;
        add(t, "web-1", "owner", 7, NOW);
        for (int i = 0; i < 1000; i++)
                add(t, "web-1", i % 2 ? "flood-1" : "flood-2", 1, NOW);
        assert_int_equal(candidates_count_name(t, "web-1"), 4);
        assert_int_equal(take(t, "web-1", 7, NOW), CANDIDATE_TAKEN);
        candidates_free(t);
}

static void test_flood_of_the_table(void **state)
{
        struct candidates *t = table(50, 1000, 10);
        char name[16];

        (void)state;
        add(t, "web-1", "owner", 7, NOW);
        for (int i = 0; i < 1000; i++) {
                (void)snprintf(name, sizeof(name), "x-%d", i);
                add(t, name, "flood", 1, NOW);
        }
        assert_int_equal(candidates_count(t), 50);
        assert_int_equal(take(t, "x-999", 1, NOW), CANDIDATE_TAKEN); /* the newest are in */
        assert_int_equal(take(t, "web-1", 7, NOW), CANDIDATE_TAKEN);
        candidates_free(t);
}

static void test_source_limit(void **state)
{
        struct candidates *t = table(50, 3, 10);
        char name[16];

        (void)state;
        add(t, "web-1", "owner", 7, NOW);
        for (int i = 0; i < 10; i++) {
                (void)snprintf(name, sizeof(name), "x-%d", i);
                add(t, name, "one", 1, NOW);
        }
        assert_int_equal(candidates_count(t), 4);
        assert_int_equal(take(t, "x-6", 1, NOW), CANDIDATE_UNKNOWN);
        assert_int_equal(take(t, "x-7", 1, NOW), CANDIDATE_TAKEN);
        candidates_free(t);
}

/* Large ones (an mtls_cert may have 64 KiB) are bounded by their bytes. */
static void test_bytes(void **state)
{
        struct candidates *t = table(4096, 4096, 10);
        struct err err = ERR_INIT;
        char name[16];

        (void)state;
        add(t, "web-1", "owner", 7, NOW);
        for (int i = 0; i < 1500; i++) {
                struct candidate *c;

                (void)snprintf(name, sizeof(name), "x-%d", i);
                c = candidate(name, "flood", 1);
                c->identity.mtls_cert = mem_alloc(65536);
                assert_non_null(c->identity.mtls_cert);
                memset(c->identity.mtls_cert, 'x', 65535);
                c->identity.mtls_cert[65535] = '\0';
                assert_ok(candidates_add(t, c, NOW, &err), &err);
        }
        assert_in_range(candidates_count(t), 400, 512);
        assert_int_equal(take(t, "web-1", 7, NOW), CANDIDATE_TAKEN);
        candidates_free(t);
}

static int run_oom(void *ctx, struct err *err)
{
        const struct candidates_limits limits = {8, 8, 8, LIFETIME};
        AUTO(candidates_free_p) struct candidates *t = NULL;
        struct candidate *c;
        int r = candidates_new(&limits, &t, err);

        (void)ctx;
        if (r < 0)
                return r;
        c = mem_zalloc(1, sizeof(*c));
        if (!c)
                return err_nomem(err);
        return candidates_add(t, c, NOW, err);
}

static void test_oom(void **state)
{
        (void)state;
        oom_each(run_oom, NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_several_per_name),
                cmocka_unit_test(test_expiry),
                cmocka_unit_test(test_put_back),
                cmocka_unit_test(test_flood_of_a_name),
                cmocka_unit_test(test_flood_of_the_table),
                cmocka_unit_test(test_source_limit),
                cmocka_unit_test(test_bytes),
                cmocka_unit_test(test_oom),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
