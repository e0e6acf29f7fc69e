/* SPDX-License-Identifier: Apache-2.0 */
/* Frozen sets of digests, by hand and against a plain list as the model. */
#include "policy/allow.h"

#include <stdlib.h>

#include "support/support.h"

static struct allow_builder *builder(void)
{
        struct allow_builder *b = NULL;
        struct err err = ERR_INIT;

        assert_ok(allow_builder_new(&b, &err), &err);
        return b;
}

static uint32_t label(struct allow_builder *b, const char *text, int64_t until_ms)
{
        struct err err = ERR_INIT;
        uint32_t n;

        assert_ok(allow_label(b, text, until_ms, &n, &err), &err);
        return n;
}

/* A digest that begins with N and is zero otherwise. */
static struct view number(uint32_t n, enum digest_alg alg, uint8_t bytes[DIGEST_BYTES_MAX])
{
        memset(bytes, 0, DIGEST_BYTES_MAX);
        memcpy(bytes, &n, sizeof(n));
        return VIEW(bytes, digest_size(alg));
}

static void add(struct allow_builder *b, uint32_t n, const char *path, uint32_t label_, uint32_t line)
{
        uint8_t bytes[DIGEST_BYTES_MAX];
        struct err err = ERR_INIT;

        assert_ok(allow_add(b, DIGEST_SHA256, number(n, DIGEST_SHA256, bytes), view_str(path), label_, line,
                            &err),
                  &err);
}

static struct allow *freeze(struct allow_builder *b)
{
        struct allow *a = NULL;
        struct err err = ERR_INIT;

        assert_ok(allow_freeze(b, &a, &err), &err);
        allow_builder_free(b);
        return a;
}

static enum allow_answer find(const struct allow *a, uint32_t n, const char *path, int64_t now,
                              struct allow_entry *ret)
{
        uint8_t bytes[DIGEST_BYTES_MAX];

        return allow_find(a, DIGEST_SHA256, number(n, DIGEST_SHA256, bytes), view_str(path), now, ret);
}

static void nothing_in_it(void **state)
{
        struct allow *a = freeze(builder());
        struct allow_entry e;
        size_t pos = 0;

        (void)state;
        POISON(e);
        assert_int_equal(find(a, 1, "/bin/sh", 0, &e), ALLOW_UNKNOWN);
        assert_false(allow_next_of(a, view_str("/bin/sh"), &pos, &e));
        assert_poisoned(e);
        assert_int_equal(allow_count(a), 0);
        assert_int_equal(allow_count_digests(a), 0);
        assert_int_equal(allow_count_paths(a), 0);
        allow_unref(a);
        allow_unref(NULL);
        allow_builder_free(NULL);
}

static void by_digest_and_by_path(void **state)
{
        struct allow_builder *b = builder();
        uint32_t sh = label(b, "dash 0.5.12-2", ALLOW_NEVER), none = label(b, "", ALLOW_NEVER);
        struct allow_entry e = {0};
        struct allow *a;

        (void)state;
        assert_int_equal(label(b, "dash 0.5.12-2", ALLOW_NEVER), sh); /* the same is one */
        assert_int_not_equal(label(b, "dash 0.5.12-2", 5), sh);
        add(b, 1, "", none, 10);
        add(b, 2, "/bin/sh", sh, 20);
        add(b, 3, "/bin/sh", sh, 30);
        add(b, 4, "/empty/1", none, 40);
        add(b, 4, "/empty/2", none, 41);
        add(b, 4, "/empty/2", none, 42); /* once more: not added */
        add(b, 5, "/both", none, 50);
        add(b, 5, "", sh, 51);
        a = freeze(b);
        assert_int_equal(find(a, 1, "/any/where", 0, &e), ALLOW_ALLOWED);
        assert_int_equal(e.line, 10);
        assert_int_equal(e.path.len, 0);
        assert_string_equal(e.label, "");
        assert_int_equal(find(a, 1, "", 0, &e), ALLOW_ALLOWED);
        assert_int_equal(find(a, 2, "/bin/sh", 0, &e), ALLOW_ALLOWED);
        assert_string_equal(e.label, "dash 0.5.12-2");
        assert_int_equal(e.line, 20);
        assert_view(e.path, "/bin/sh");
        assert_int_equal(find(a, 2, "/bin/s", 0, &e), ALLOW_ELSEWHERE);
        assert_int_equal(find(a, 2, "/bin/sh2", 0, NULL), ALLOW_ELSEWHERE);
        assert_int_equal(find(a, 2, "", 0, &e), ALLOW_ELSEWHERE);
        assert_view(e.path, "/bin/sh"); /* where it is allowed */
        assert_int_equal(find(a, 4, "/empty/2", 0, &e), ALLOW_ALLOWED);
        assert_int_equal(e.line, 41);
        assert_int_equal(find(a, 4, "/empty/1", 0, &e), ALLOW_ALLOWED);
        assert_int_equal(e.line, 40);
        assert_int_equal(find(a, 4, "/bin/sh", 0, &e), ALLOW_ELSEWHERE);
        assert_int_equal(find(a, 4, "/empty/3", 0, &e), ALLOW_ELSEWHERE);
        assert_int_equal(find(a, 5, "/both", 0, &e), ALLOW_ALLOWED);
        assert_int_equal(e.line, 50);
        assert_int_equal(find(a, 5, "/other", 0, &e), ALLOW_ALLOWED);
        assert_int_equal(e.line, 51);
        assert_int_equal(find(a, 6, "/bin/sh", 0, &e), ALLOW_UNKNOWN);
        assert_int_equal(allow_count(a), 7);
        assert_int_equal(allow_count_digests(a), 5);
        assert_int_equal(allow_count_paths(a), 4);
        allow_unref(a);
}

static void what_a_path_may_be(void **state)
{
        static const uint32_t lines[] = {20, 30, 51};
        struct allow_builder *b = builder();
        uint32_t none = label(b, "", ALLOW_NEVER);
        struct allow_entry e;
        struct allow *a;
        size_t pos = 0, n = 0;

        (void)state;
        add(b, 2, "/bin/sh", none, 20);
        add(b, 9, "/bin/a", none, 25);
        add(b, 3, "/bin/sh", none, 30);
        add(b, 4, "/bin/sh", label(b, "old", 7), 50);
        add(b, 4, "/bin/sh", none, 51);
        add(b, 5, "", none, 60);
        a = freeze(b);
        for (; allow_next_of(a, view_str("/bin/sh"), &pos, &e); n++) {
                assert_in_range(n, 0, 2);
                assert_int_equal(e.line, lines[n]);
                assert_view(e.path, "/bin/sh");
        }
        assert_int_equal(n, 3);
        pos = 0;
        assert_true(allow_next_of(a, view_str("/bin/a"), &pos, &e));
        assert_int_equal(e.line, 25);
        assert_false(allow_next_of(a, view_str("/bin/a"), &pos, &e));
        pos = 0;
        assert_false(allow_next_of(a, view_str(""), &pos, &e));
        assert_false(allow_next_of(a, view_str("/bin"), &pos, &e));
        allow_unref(a);
}

static void overlap(void **state)
{
        struct allow_builder *b = builder();
        uint32_t old = label(b, "openssl 3.0.15", 1000), new = label(b, "openssl 3.0.17", ALLOW_NEVER),
                 longer = label(b, "openssl 3.0.16", 2000);
        struct allow_entry e = {0};
        struct allow *a;

        (void)state;
        add(b, 1, "/lib", old, 1);
        add(b, 2, "/lib", old, 2);
        add(b, 2, "/lib", new, 3);
        add(b, 3, "/lib", old, 4);
        add(b, 3, "", longer, 5);
        add(b, 4, "/lib", old, 6);
        add(b, 4, "/usr/lib", new, 7);
        a = freeze(b);
        assert_int_equal(find(a, 1, "/lib", 999, &e), ALLOW_ALLOWED);
        assert_int_equal(find(a, 1, "/lib", 1000, &e), ALLOW_EXPIRED); /* before its time, not at it */
        assert_int_equal(e.until_ms, 1000);
        assert_string_equal(e.label, "openssl 3.0.15");
        assert_int_equal(find(a, 1, "/x", 2000, &e), ALLOW_ELSEWHERE);
        assert_int_equal(find(a, 2, "/lib", 5000, &e), ALLOW_ALLOWED);
        assert_int_equal(e.line, 3); /* the one that holds longest */
        assert_int_equal(find(a, 3, "/lib", 1500, &e), ALLOW_ALLOWED);
        assert_int_equal(e.line, 5);
        assert_int_equal(find(a, 3, "/lib", 2000, &e), ALLOW_EXPIRED);
        assert_int_equal(find(a, 4, "/lib", 2000, &e), ALLOW_EXPIRED);
        assert_int_equal(e.line, 6);
        assert_int_equal(find(a, 4, "/usr/lib", 2000, &e), ALLOW_ALLOWED);
        assert_int_equal(e.line, 7);
        assert_int_equal(find(a, 4, "/x", 2000, &e), ALLOW_ELSEWHERE);
        assert_int_equal(e.line, 7); /* the best of all */
        uint8_t bytes[DIGEST_BYTES_MAX];
        assert_int_equal(allow_find_digest(a, DIGEST_SHA256, number(4, DIGEST_SHA256, bytes), 9000, &e),
                         ALLOW_ALLOWED);
        assert_int_equal(e.line, 7);
        assert_int_equal(allow_find_digest(a, DIGEST_SHA256, number(1, DIGEST_SHA256, bytes), 9000, NULL),
                         ALLOW_EXPIRED);
        assert_int_equal(allow_find_digest(a, DIGEST_SHA256, number(7, DIGEST_SHA256, bytes), 9000, NULL),
                         ALLOW_UNKNOWN);
        allow_unref(a);
}

/* The same first bytes in every algorithm: none answers for another. */
static void algorithms_are_apart(void **state)
{
        static const enum digest_alg algs[] = {DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512};
        struct allow_builder *b = builder();
        struct err err = ERR_INIT;
        struct allow_entry e;
        struct allow *a;
        uint8_t bytes[DIGEST_BYTES_MAX];
        size_t pos = 0, n = 0;

        (void)state;
        (void)label(b, "", ALLOW_NEVER);
        for (uint32_t i = 0; i < ARRAY_LEN(algs); i++)
                assert_ok(allow_add(b, algs[i], number(1, algs[i], bytes), view_str("/x"), 0, i, &err), &err);
        a = freeze(b);
        for (uint32_t i = 0; i < ARRAY_LEN(algs); i++) {
                assert_int_equal(allow_find(a, algs[i], number(1, algs[i], bytes), view_str("/x"), 0, &e),
                                 ALLOW_ALLOWED);
                assert_int_equal(e.line, i);
                assert_int_equal(e.alg, algs[i]);
                assert_int_equal(e.digest.len, digest_size(algs[i]));
        }
        assert_int_equal(allow_find(a, DIGEST_SHA256, number(1, DIGEST_SHA1, bytes), view_str("/x"), 0, &e),
                         ALLOW_UNKNOWN);
        assert_int_equal(allow_find(a, (enum digest_alg)1, number(1, DIGEST_SHA1, bytes), VIEW_NONE, 0, &e),
                         ALLOW_UNKNOWN);
        for (; allow_next_of(a, view_str("/x"), &pos, &e); n++)
                ;
        assert_int_equal(n, 4);
        allow_unref(a);
}

static void refused(void **state)
{
        static char path[ALLOW_PATH_BYTES_MAX + 1];
        struct allow_builder *b = builder();
        struct err err = ERR_INIT;
        struct allow *a;
        uint8_t bytes[DIGEST_BYTES_MAX];
        struct view d = number(1, DIGEST_SHA256, bytes);

        (void)state;
        memset(path, 'a', sizeof(path));
        assert_err(allow_add(b, DIGEST_SHA256, d, VIEW_NONE, 0, 1, &err), ERR_BUG, &err, "label");
        (void)label(b, "", ALLOW_NEVER);
        assert_err(allow_add(b, DIGEST_SHA1, d, VIEW_NONE, 0, 1, &err), ERR_FORMAT, &err, "32 bytes");
        assert_err(allow_add(b, (enum digest_alg)7, d, VIEW_NONE, 0, 1, &err), ERR_FORMAT, &err, NULL);
        assert_err(allow_add(b, DIGEST_SHA256, d, VIEW(path, sizeof(path)), 0, 1, &err), ERR_LIMIT, &err,
                   "4096");
        assert_ok(allow_add(b, DIGEST_SHA256, d, VIEW(path, sizeof(path) - 1), 0, 1, &err), &err);
        a = freeze(b);
        assert_int_equal(allow_find(a, DIGEST_SHA256, d, VIEW(path, sizeof(path) - 1), 0, NULL),
                         ALLOW_ALLOWED);
        assert_int_equal(allow_find(a, DIGEST_SHA256, d, VIEW(path, sizeof(path)), 0, NULL), ALLOW_ELSEWHERE);
        allow_unref(a);
}

static void shared(void **state)
{
        struct allow_builder *b = builder();
        struct allow *a, *other;

        (void)state;
        add(b, 1, "", label(b, "", ALLOW_NEVER), 1);
        a = freeze(b);
        other = allow_ref(a);
        assert_ptr_equal(a, other);
        allow_unref(a);
        assert_int_equal(find(other, 1, "", 0, NULL), ALLOW_ALLOWED);
        allow_unref(other);
}

/* ---- against a list ---- */

#define ROWS 4000

struct row {
        uint32_t digest, path, label;
        int64_t until_ms;
};

static enum allow_answer model(const struct row *rows, uint32_t digest, uint32_t path, int64_t now)
{
        enum allow_answer best = ALLOW_UNKNOWN;

        for (size_t i = 0; i < ROWS; i++) {
                enum allow_answer one;

                if (rows[i].digest != digest)
                        continue;
                one = rows[i].path != 0 && rows[i].path != path ? ALLOW_ELSEWHERE
                      : now >= rows[i].until_ms                 ? ALLOW_EXPIRED
                                                                : ALLOW_ALLOWED;
                best = one > best ? one : best;
        }
        return best;
}

/* Few digests, few paths: every kind of record, and all of their neighbours. */
static struct allow *make_rows(struct row rows[ROWS])
{
        struct allow_builder *b = builder();
        char path[16];

        srandom(11);
        for (size_t i = 0; i < ROWS; i++) {
                rows[i] = (struct row){.digest = (uint32_t)random() % 3000,
                                       .path = (uint32_t)random() % 60,
                                       .until_ms = random() % 4 * 100 + 100};
                if (rows[i].digest < 100)
                        rows[i].digest = 7; /* one with many */
                (void)snprintf(path, sizeof(path), "/p/%u", rows[i].path);
                rows[i].label = label(b, "", rows[i].until_ms);
                add(b, rows[i].digest, rows[i].path ? path : "", rows[i].label, (uint32_t)i);
        }
        return freeze(b);
}

static void like_a_list(void **state)
{
        static struct row rows[ROWS];
        struct allow *a = make_rows(rows);
        char path[16];

        (void)state;
        for (size_t i = 0; i < 60000; i++) {
                uint32_t digest = (uint32_t)random() % 3000, p = (uint32_t)random() % 70 + 1;
                int64_t now = random() % 600;
                struct allow_entry e = {0};
                enum allow_answer got;

                digest = i % 4 == 0 ? 7 : digest;
                (void)snprintf(path, sizeof(path), "/p/%u", p);
                got = find(a, digest, path, now, &e);
                assert_int_equal(got, model(rows, digest, p, now));
                if (got == ALLOW_UNKNOWN)
                        continue;
                assert_int_equal(rows[e.line].digest, digest);
                assert_int_equal(rows[e.line].until_ms, e.until_ms);
        }
        allow_unref(a);
}

#define MANY (3 * ALLOW_MANY)

/* Any number of asks, also such as have an answer, which only a better one replaces, or no algorithm. */
static void many_at_once(void **state)
{
        static struct row rows[ROWS];
        struct allow *a = make_rows(rows);
        struct allow_ask asks[MANY];
        enum allow_answer expected[MANY];
        uint8_t digests[MANY][DIGEST_BYTES_MAX];
        char paths[MANY][16];

        (void)state;
        for (size_t round = 0; round < 1000; round++) {
                size_t n = (size_t)random() % (MANY + 1);
                int64_t now = random() % 600;

                for (size_t i = 0; i < n; i++) {
                        uint32_t digest = i % 4 == 0 ? 7 : (uint32_t)random() % 3000,
                                 p = (uint32_t)random() % 70 + 1;
                        enum allow_answer had = random() % 3
                                                        ? ALLOW_UNKNOWN
                                                        : (enum allow_answer)(random() % (ALLOW_ALLOWED + 1));

                        (void)snprintf(paths[i], sizeof(paths[i]), "/p/%u", p);
                        asks[i] = (struct allow_ask){.alg = DIGEST_SHA256,
                                                     .digest = number(digest, DIGEST_SHA256, digests[i]),
                                                     .path = view_str(paths[i]),
                                                     .answer = had};
                        expected[i] = model(rows, digest, p, now);
                        if (random() % 8 == 0) {
                                asks[i].alg = random() % 2 ? (enum digest_alg)1 : DIGEST_SHA1;
                                expected[i] = ALLOW_UNKNOWN;
                        }
                        expected[i] = had > expected[i] ? had : expected[i];
                }
                allow_find_many(a, asks, n, now);
                for (size_t i = 0; i < n; i++)
                        assert_int_equal(asks[i].answer, expected[i]);
        }
        allow_unref(a);
}

/* Digests and names that differ in their last bytes only, as somebody makes them who knows how tables work.
 */
static void chosen_keys(void **state)
{
        struct allow_builder *b = builder();
        struct err err = ERR_INIT;
        struct allow *a;
        uint8_t bytes[DIGEST_BYTES_MAX] = {0};
        char path[32];

        (void)state;
        (void)label(b, "", ALLOW_NEVER);
        for (uint32_t i = 0; i < 50000; i++) {
                memcpy(bytes + 28, &i, sizeof(i));
                (void)snprintf(path, sizeof(path), "/aaaaaaaaaaaaaaaa/%u", i % 9000);
                assert_ok(allow_add(b, DIGEST_SHA256, VIEW(bytes, 32), view_str(path), 0, i, &err), &err);
        }
        a = freeze(b);
        assert_in_range(allow_longest_probe(a), 1,
                        400); /* by chance about 90; collisions would make thousands */
        assert_in_range(allow_bytes(a) / allow_count(a), 32, 90);
        allow_unref(a);
}

static int small_set(void *ctx, struct err *err)
{
        AUTO(allow_builder_free_p)
        struct allow_builder *b = NULL;
        AUTO(allow_unref_p)
        struct allow *a = NULL;
        uint8_t bytes[DIGEST_BYTES_MAX];
        uint32_t n = 0;
        int r = allow_builder_new(&b, err);

        (void)ctx;
        if (r >= 0)
                r = allow_label(b, "label", ALLOW_NEVER, &n, err);
        for (uint32_t i = 0; i < 40 && r >= 0; i++) {
                char path[] = {'/', (char)('A' + i), '\0'};

                r = allow_add(b, DIGEST_SHA256, number(i % 30, DIGEST_SHA256, bytes), view_str(path), n, i,
                              err);
        }
        return r < 0 ? r : allow_freeze(b, &a, err);
}

static void out_of_memory(void **state)
{
        (void)state;
        oom_each(small_set, NULL);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(nothing_in_it),
                cmocka_unit_test(by_digest_and_by_path),
                cmocka_unit_test(what_a_path_may_be),
                cmocka_unit_test(overlap),
                cmocka_unit_test(algorithms_are_apart),
                cmocka_unit_test(refused),
                cmocka_unit_test(shared),
                cmocka_unit_test(like_a_list),
                cmocka_unit_test(many_at_once),
                cmocka_unit_test(chosen_keys),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
