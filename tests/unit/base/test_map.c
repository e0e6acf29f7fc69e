/* SPDX-License-Identifier: Apache-2.0 */
/* The hash map, against a plain array as the model. */
#include "base/map.h"

#include <stdlib.h>

#include "base/sip.h"
#include "support/support.h"

static void put_get_remove(void **state)
{
        struct map m;

        (void)state;
        map_init(&m, free);
        assert_null(map_get(&m, "a"));
        assert_int_equal(map_put(&m, "a", str_dup("1")), 0);
        assert_int_equal(map_put(&m, "a", str_dup("2")), 0); /* the old value is freed */
        assert_string_equal(map_get(&m, "a"), "2");
        assert_int_equal(map_put(&m, "a", map_get(&m, "a")), 0); /* the same value stays */
        assert_int_equal(map_count(&m), 1);
        assert_int_equal(map_put_bytes(&m, VIEW("a\0b", 3), str_dup("3")), 0);
        assert_int_equal(map_put_bytes(&m, VIEW_NONE, str_dup("4")), 0);
        assert_string_equal(map_get_bytes(&m, VIEW("a\0b", 3)), "3");
        assert_string_equal(map_get(&m, ""), "4");
        assert_true(map_remove(&m, "a"));
        assert_false(map_remove(&m, "a"));
        assert_int_equal(map_count(&m), 2);
        map_done(&m);
        map_init(&m, NULL); /* an empty one has nothing to free */
        map_done(&m);
}

#define N 3000

/* Random puts and removals, with the same keys again and again: tombstones and growth. */
static void like_an_array(void **state)
{
        static bool there[N];
        size_t count = 0, seen = 0, pos = 0;
        struct map m;
        struct view key;
        void *value;
        char name[16];

        (void)state;
        map_init(&m, NULL);
        srandom(7);
        for (int step = 0; step < 60000; step++) {
                size_t i = (size_t)random() % N;

                (void)snprintf(name, sizeof(name), "key-%zu", i);
                assert_true((map_get(&m, name) != NULL) == there[i]);
                if (random() % 2) {
                        assert_int_equal(map_put(&m, name, &there[i]), 0);
                        count += !there[i];
                        there[i] = true;
                } else {
                        assert_true(map_take(&m, name) == (there[i] ? &there[i] : NULL));
                        count -= there[i];
                        there[i] = false;
                }
                assert_int_equal(map_count(&m), count);
        }
        while (map_next(&m, &pos, &key, &value)) {
                seen++;
                assert_true(*(bool *)value);
                assert_int_equal(key.p[key.len], '\0');
                assert_true(map_take_bytes(&m, key) == value); /* the one just returned may go */
        }
        assert_int_equal(seen, count);
        assert_int_equal(map_count(&m), 0);
        map_done(&m);
}

/* Key 00 01 … 0f and no bytes, as other implementations of SipHash-1-3 have it. */
static void known_hash(void **state)
{
        static const uint64_t seed[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

        (void)state;
        assert_true(sip_hash(seed, VIEW_NONE) == 0xabac0158050fc4dc);
}

static void seeds_differ(void **state)
{
        struct map a, b;

        (void)state;
        map_init(&a, NULL);
        map_init(&b, NULL);
        assert_true(a.seed[0] != b.seed[0] || a.seed[1] != b.seed[1]);
        map_done(&a);
        map_done(&b);
}

static void out_of_memory(void **state)
{
        struct map m;
        int value;

        (void)state;
        map_init(&m, NULL);
        for (size_t n = 1; n <= 2; n++) {
                oom_at(n);
                assert_int_equal(map_put(&m, "a", &value), -1);
                assert_true(oom_off());
                assert_int_equal(map_count(&m), 0);
                assert_null(map_get(&m, "a"));
        }
        assert_int_equal(map_put(&m, "a", &value), 0);
        map_done(&m);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(put_get_remove), cmocka_unit_test(like_an_array),
                cmocka_unit_test(known_hash),     cmocka_unit_test(seeds_differ),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
