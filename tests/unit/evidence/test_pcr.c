/* SPDX-License-Identifier: Apache-2.0 */
/* Selections and values of PCRs, and their JSON forms. */
#include "support/support.h"

#include "base/json.h"
#include "evidence/pcr.h"
#include "evidence/pcr_blob.h"

static json_t *parse(const char *text)
{
        struct err err = ERR_INIT;
        json_t *j = NULL;

        assert_ok(json_parse(view_str(text), 65536, &j, &err), &err);
        return j;
}

static void selection_json(void **state)
{
        static const struct pcr_selection rows[] = {
                {DIGEST_SHA256, 1u << 15}, {DIGEST_SHA384, 0xffffff}, {DIGEST_SHA1, 1}};
        struct err err = ERR_INIT;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                AUTO(json_free_p)
                json_t *j = pcr_selection_to_json(&rows[i]);
                struct pcr_selection back;

                assert_non_null(j);
                assert_ok(pcr_selection_from_json(j, &back, &err), &err);
                assert_true(pcr_selection_equal(&back, &rows[i]));
        }
}

static void selection_json_refused(void **state)
{
        static const char *const rows[] = {
                "{}",
                "{\"sha256\":[]}",
                "{\"sha256\":[24]}",
                "{\"sha256\":[-1]}",
                "{\"sha256\":[1,1]}",
                "{\"sha256\":[2,1]}",
                "{\"sha256\":[\"1\"]}",
                "{\"sha256\":1}",
                "{\"md5\":[1]}",
                "{\"SHA256\":[1]}",
                "{\"sha256\":[1],\"sha1\":[1]}",
                "[15]",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                AUTO(json_free_p)
                json_t *j = parse(rows[i]);
                struct pcr_selection sel;
                struct err err = ERR_INIT;

                POISON(sel);
                assert_err(pcr_selection_from_json(j, &sel, &err), ERR_FORMAT, &err, NULL);
                assert_poisoned(sel);
        }
}

static void answers(void **state)
{
        static const struct pcr_selection asked = {DIGEST_SHA256, 1u << 15 | 1};
        struct pcr_selection s = asked;

        (void)state;
        assert_true(pcr_selection_answers(&s, &asked));
        s.mask |= 1u << 16;
        assert_true(pcr_selection_answers(&s, &asked));
        s.mask |= 1u << 2;
        assert_false(pcr_selection_answers(&s, &asked));
        s.mask = 1u << 15 | 1u << 16;
        assert_false(pcr_selection_answers(&s, &asked));
        s = asked;
        s.bank = DIGEST_SHA1;
        assert_false(pcr_selection_answers(&s, &asked));
}

static void selection_text(void **state)
{
        struct pcr_selection s = {DIGEST_SHA256, 1u << 15 | 3};
        char *text = pcr_selection_text(&s);

        (void)state;
        assert_string_equal(text, "sha256:0,1,15");
        free(text);
        oom_at(1);
        assert_null(pcr_selection_text(&s));
        assert_true(oom_off());
}

static struct pcr_values some_values(enum digest_alg bank, uint32_t mask)
{
        struct pcr_values v = {.bank = bank, .mask = mask};

        for (unsigned i = 0; i < PCR_COUNT; i++) {
                digest_zero(bank, &v.v[i]);
                v.v[i].b[0] = (uint8_t)i;
                v.v[i].b[v.v[i].len - 1] = 0xee;
        }
        return v;
}

static void assert_values(const struct pcr_values *a, const struct pcr_values *b)
{
        assert_true(a->bank == b->bank && a->mask == b->mask);
        for (unsigned i = 0; i < PCR_COUNT; i++)
                if (a->mask & 1u << i)
                        assert_true(digest_equal(&a->v[i], &b->v[i]));
}

/* Both forms of values, for every number of PCRs: 1 to 8 make one list of a blob, 9 to 16 two. */
static void values_round_trip(void **state)
{
        static const enum digest_alg banks[] = {DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512};
        static const size_t sizes[] = {668, 1200, 1732};

        (void)state;
        for (unsigned n = 1; n <= PCR_COUNT; n++) {
                struct pcr_values v = some_values(banks[n % 4], (1u << n) - 1), back;
                AUTO(json_free_p)
                json_t *j = pcr_values_to_json(&v);
                AUTO(buf_free)
                struct buf blob = {0};
                struct err err = ERR_INIT;

                assert_non_null(j);
                assert_ok(pcr_values_from_json(j, &back, &err), &err);
                assert_values(&v, &back);
                pcr_blob_write(&v, &blob);
                assert_int_equal(blob.len, sizes[(n - 1) / 8]);
                assert_ok(pcr_blob_parse(VIEW_BUF(&blob), &back, &err), &err);
                assert_values(&v, &back);
        }
}

static void values_json_refused(void **state)
{
        static const char *const rows[] = {
                "{\"sha1\":{}}",
                "{\"sha1\":{\"0\":\"00\"}}",
                "{\"sha1\":{\"0\":5}}",
                "{\"sha1\":{\"24\":\"0000000000000000000000000000000000000000\"}}",
                "{\"sha1\":{\"00\":\"0000000000000000000000000000000000000000\"}}",
                "{\"sha1\":{\"x\":\"0000000000000000000000000000000000000000\"}}",
                "{\"sha1\":{\"1\":\"000000000000000000000000000000000000000A\"}}",
                "{\"sha1\":[]}",
                "{}",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                AUTO(json_free_p)
                json_t *j = parse(rows[i]);
                struct pcr_values v;
                struct err err = ERR_INIT;
                int r;

                POISON(v);
                r = pcr_values_from_json(j, &v, &err);
                assert_true(r == -ERR_FORMAT || r == -ERR_LIMIT);
                assert_poisoned(v);
        }
}

static void digest_needs_all(void **state)
{
        struct pcr_values v = some_values(DIGEST_SHA256, 3);
        struct digest d;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(pcr_values_digest(&v, 3, DIGEST_SHA256, &d, &err), &err);
        assert_err(pcr_values_digest(&v, 7, DIGEST_SHA256, &d, &err), ERR_FORMAT, &err, "no value");
}

static void selection_lists(void **state)
{
        static const struct {
                uint8_t b[16];
                size_t n;
                enum err_kind kind; /* of reading, or of taking the one bank */
        } rows[] = {
                {{0, 0, 0, 1, 0, 0xb, 3, 1, 0, 0}, 10, ERR_NONE},
                {{0, 0, 0, 1, 0, 0xb, 1, 1}, 8, ERR_NONE},
                {{0, 0, 0, 1, 0, 0xb, 4, 1, 0, 0, 0}, 11, ERR_NONE},
                {{0, 0, 0, 1, 0, 0xb, 4, 1, 0, 0, 1}, 11, ERR_FORMAT},
                {{0, 0, 0, 1, 0, 0xb, 5, 1, 0, 0, 0, 0}, 12, ERR_FORMAT},
                {{0, 0, 0, 1, 0, 0xb, 0}, 7, ERR_FORMAT},
                {{0, 0, 0, 1, 0, 0xb, 3, 0, 0, 0}, 10, ERR_FORMAT},
                {{0, 0, 0, 0}, 4, ERR_FORMAT},
                {{0, 0, 0, 2, 0, 0xb, 1, 1, 0, 4, 1, 0}, 12, ERR_NONE},
                {{0, 0, 0, 2, 0, 0xb, 1, 1, 0, 4, 1, 1}, 12, ERR_FORMAT},
                {{0, 0, 0, 1, 0, 0x12, 1, 1}, 8, ERR_FORMAT},
                {{0, 0, 0, 17}, 4, ERR_LIMIT},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct cursor c = cursor_of(VIEW(rows[i].b, rows[i].n));
                struct pcr_selection_list list;
                struct pcr_selection sel;
                struct err err = ERR_INIT;
                int r = pcr_selection_list_read(&c, &list, &err);

                if (r == 0)
                        r = pcr_selection_of_list(&list, &sel, &err);
                assert_int_equal(r, -(int)rows[i].kind);
        }
}

static void selections_as_people_write_them(void **state)
{
        static const char *const bad[] = {
                "",           "15",        "sha1:15",     "sha256",    "sha256:",
                "sha256:24",  "sha256:-1", "sha256:1,",   "sha256:,1", "sha256:1,1",
                "sha256:1 2", "md5:1",     "sha256:0x0f", "SHA256:1",  "sha256:1:2"};
        struct err err = ERR_INIT;
        struct pcr_selection sel;

        (void)state;
        assert_ok(pcr_selection_parse("sha256:15,0,7", &sel, &err), &err);
        assert_int_equal(sel.bank, DIGEST_SHA256);
        assert_int_equal(sel.mask, 1u << 15 | 1u << 7 | 1u);
        assert_ok(pcr_selection_parse("sha384:23", &sel, &err), &err);
        assert_int_equal(sel.bank, DIGEST_SHA384);
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                POISON(sel);
                assert_err(pcr_selection_parse(bad[i], &sel, &err), ERR_CONFIG, &err, "expected");
                assert_poisoned(sel);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(selection_json),
                cmocka_unit_test(selection_json_refused),
                cmocka_unit_test(answers),
                cmocka_unit_test(selection_text),
                cmocka_unit_test(selection_lists),
                cmocka_unit_test(values_round_trip),
                cmocka_unit_test(values_json_refused),
                cmocka_unit_test(digest_needs_all),
                cmocka_unit_test(selections_as_people_write_them),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
