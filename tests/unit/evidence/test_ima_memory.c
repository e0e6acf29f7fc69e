/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered of a measurement list: limits, and its JSON form read as strictly as it is written. */
#include "support/support.h"

#include <string.h>

#include "base/json.h"
#include "base/json_out.h"
#include "evidence/continuation.h"
#include "evidence/ima_memory.h"

static void put(struct json_out *o, const char *name, const void *what)
{
        ima_memory_put(o, name, what);
}

/* One of everything. */
static struct ima_memory *full(void)
{
        struct ima_memory *m = ima_memory_new();
        struct err err = ERR_INIT;
        struct ima_kept kept = {.kind = IMA_KEPT_FILE,
                                .entry = 7,
                                .seen_at_ms = 1700000000000,
                                .name = (char *)(uintptr_t) "/opt/\xff\n\"odd\"",
                                .signer = IMA_SIGNED_BADLY,
                                .newest = true,
                                .refused = true};

        assert_non_null(m);
        m->pcr = 10;
        digest_zero(DIGEST_SHA384, &m->value);
        m->value.b[0] = 0x5a;
        m->entries = 1234;
        m->bytes = 98765;
        m->extended_known = true;
        m->extended = IMA_PADDED_SHA1;
        m->violations = 2;
        m->first_violation = 9;
        m->facts = 0x80000001u;
        m->whole = true;
        digest_zero(DIGEST_SHA1, &kept.digest);
        assert_ok(ima_memory_keep(m, &kept, &err), &err);
        kept = (struct ima_kept){
                .kind = IMA_KEPT_KEY, .entry = 8, .name = (char *)(uintptr_t) "", .runtime = true};
        assert_ok(ima_memory_keep(m, &kept, &err), &err);
        assert_ok(ima_memory_refuse(m, 7, &err), &err);
        assert_ok(ima_memory_refuse(m, 4000000000u, &err), &err);
        assert_ok(ima_memory_learn(m, ".ima", VIEW("\x30\x01\x00", 3), &err), &err);
        assert_ok(ima_memory_see(m, 0, &err), &err);
        assert_ok(ima_memory_see(m, 17, &err), &err);
        return m;
}

static void json_both_ways(void **state)
{
        AUTO(ima_memory_free_p)
        struct ima_memory *m = full();
        AUTO(ima_memory_free_p)
        struct ima_memory *back = NULL;
        AUTO(ima_memory_free_p)
        struct ima_memory *copy = ima_memory_dup(m);
        AUTO(mem_free_p) char *text = json_out_text(put, m);
        AUTO(mem_free_p) char *again = NULL;
        AUTO(mem_free_p) char *copied = json_out_text(put, copy);
        AUTO(json_free_p)
        json_t *j = json_out_tree(put, m);
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(ima_memory_from_json(j, &back, &err), &err);
        again = json_out_text(put, back);
        assert_string_equal(text, again);
        assert_string_equal(text, copied);
        assert_string_equal(back->kept[0].name, "/opt/\xff\n\"odd\"");
        assert_int_equal(back->kept[0].signer, IMA_SIGNED_BADLY);
        assert_int_equal(back->kept[1].digest.len, 0);
        assert_int_equal(back->extended, IMA_PADDED_SHA1);
        assert_true(back->extended_known);
        assert_int_equal(back->facts, 0x80000001u);
        assert_true(ima_memory_seen(back, 0));
        assert_true(ima_memory_seen(back, 17));
        assert_false(ima_memory_seen(back, 16));
        assert_false(ima_memory_seen(back, 4000));
}

static void refused_entries_are_found_by_number(void **state)
{
        AUTO(ima_memory_free_p)
        struct ima_memory *m = full();
        struct err err = ERR_INIT;

        (void)state;
        assert_true(ima_memory_refused(m, 7));
        assert_true(ima_memory_refused(m, 4000000000u));
        assert_false(ima_memory_refused(m, 8));
        assert_false(ima_memory_refused(m, 7 + (1ull << 32)));
        assert_int_equal(ima_memory_refuse(m, 4000000000u, &err), -ERR_BUG);
        assert_int_equal(ima_memory_refuse(m, 1ull << 32, &err), -ERR_LIMIT);
}

static void every_list_has_its_limit(void **state)
{
        AUTO(ima_memory_free_p)
        struct ima_memory *m = ima_memory_new();
        uint8_t key[IMA_KEY_BYTES_MAX + 1] = {0};
        struct ima_kept kept = {.name = (char *)(uintptr_t) "/bin/true"};
        struct err err = ERR_INIT;

        (void)state;
        for (size_t i = 0; i < IMA_KEPT_MAX; i++)
                assert_ok(ima_memory_keep(m, &kept, &err), &err);
        assert_int_equal(ima_memory_keep(m, &kept, &err), -ERR_LIMIT);
        for (uint64_t i = 0; i < IMA_REFUSED_MAX; i++)
                assert_ok(ima_memory_refuse(m, i, &err), &err);
        assert_int_equal(ima_memory_refuse(m, IMA_REFUSED_MAX, &err), -ERR_LIMIT);
        assert_int_equal(ima_memory_learn(m, ".ima", VIEW_ARRAY(key), &err), -ERR_LIMIT);
        for (size_t i = 0; i < IMA_KEYS_KEPT_MAX; i++)
                assert_ok(ima_memory_learn(m, ".ima", VIEW(key, IMA_KEY_BYTES_MAX), &err), &err);
        assert_int_equal(ima_memory_learn(m, ".ima", VIEW(key, 1), &err), -ERR_LIMIT);
        assert_int_equal(ima_memory_see(m, IMA_REQUIRED_MAX, &err), -ERR_LIMIT);
        assert_ok(ima_memory_see(m, IMA_REQUIRED_MAX - 1, &err), &err);
}

static void a_name_that_is_no_path_is_cut(void **state)
{
        AUTO(ima_memory_free_p)
        struct ima_memory *m = ima_memory_new();
        char name[IMA_NAME_KEPT_MAX + 100];
        struct ima_kept kept = {.name = name};
        struct err err = ERR_INIT;

        (void)state;
        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = 0;
        assert_ok(ima_memory_keep(m, &kept, &err), &err);
        assert_int_equal(strlen(m->kept[0].name), IMA_NAME_KEPT_MAX);
}

/* Each member missing; each of another type. */
static void what_is_read_is_read_strictly(void **state)
{
        AUTO(ima_memory_free_p)
        struct ima_memory *m = full();
        AUTO(json_free_p)
        json_t *j = json_out_tree(put, m);
        const char *name;
        json_t *value;
        void *next;

        (void)state;
        json_object_foreach_safe(j, next, name, value)
        {
                AUTO(json_free_p)
                json_t *other = json_deep_copy(j);
                struct ima_memory *back = NULL;
                struct err err = ERR_INIT;

                assert_int_equal(json_object_set_new(other, name, json_real(0.5)), 0);
                assert_int_equal(ima_memory_from_json(other, &back, &err), -ERR_FORMAT);
                assert_null(back);
                if (!strcmp(name, "extended_by_sha1"))
                        continue; /* optional */
                assert_int_equal(json_object_del(other, name), 0);
                assert_int_equal(ima_memory_from_json(other, &back, &err), -ERR_FORMAT);
        }
        {
                AUTO(json_free_p)
                json_t *other = json_deep_copy(j);
                struct ima_memory *back = NULL;
                struct err err = ERR_INIT;
                json_t *refused = json_object_get(other, "refused");

                assert_int_equal(json_array_append_new(refused, json_integer(3)), 0);
                assert_int_equal(ima_memory_from_json(other, &back, &err), -ERR_FORMAT);
                assert_int_equal(json_array_remove(refused, 2), 0);
                assert_int_equal(json_object_set_new(json_array_get(json_object_get(other, "kept"), 0),
                                                     "name", json_string("2f00")),
                                 0);
                assert_int_equal(ima_memory_from_json(other, &back, &err), -ERR_FORMAT);
        }
}

static void a_continuation_carries_it(void **state)
{
        AUTO(continuation_free_p)
        struct continuation *c = continuation_new();
        AUTO(continuation_free_p)
        struct continuation *back = NULL;
        AUTO(continuation_free_p)
        struct continuation *copy = NULL;
        AUTO(json_free_p)
        json_t *j = NULL;
        AUTO(mem_free_p) char *text = NULL;
        AUTO(mem_free_p) char *copied = NULL;
        struct pcr_values pcrs = {.bank = DIGEST_SHA256, .mask = 1};
        struct err err = ERR_INIT;

        (void)state;
        digest_zero(DIGEST_SHA256, &c->effective_policy);
        digest_zero(DIGEST_SHA256, &c->pcr_value);
        digest_zero(DIGEST_SHA256, &pcrs.v[0]);
        assert_ok(pcr_values_pack(&pcrs, &c->last_pcrs, &err), &err);
        c->last.ima_entries = 1234;
        c->ima = full();
        j = continuation_to_json(c);
        assert_ok(continuation_from_json(j, &back, &err), &err);
        assert_int_equal(back->last.ima_entries, 1234);
        assert_non_null(back->ima);
        copy = continuation_dup(back);
        text = continuation_text(c);
        copied = continuation_text(copy);
        assert_string_equal(text, copied);
}

static int read_again(void *ctx, struct err *err)
{
        struct ima_memory *back = NULL, *copy = NULL;
        int r = ima_memory_from_json(ctx, &back, err);

        if (r < 0) {
                assert_null(back);
                return r;
        }
        copy = ima_memory_dup(back);
        r = copy ? 0 : err_nomem(err);
        ima_memory_free(copy);
        ima_memory_free(back);
        return r;
}

static void out_of_memory(void **state)
{
        AUTO(ima_memory_free_p)
        struct ima_memory *m = full();
        AUTO(json_free_p)
        json_t *j = json_out_tree(put, m);

        (void)state;
        oom_each(read_again, j);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(json_both_ways),
                cmocka_unit_test(refused_entries_are_found_by_number),
                cmocka_unit_test(every_list_has_its_limit),
                cmocka_unit_test(a_name_that_is_no_path_is_cut),
                cmocka_unit_test(what_is_read_is_read_strictly),
                cmocka_unit_test(a_continuation_carries_it),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
