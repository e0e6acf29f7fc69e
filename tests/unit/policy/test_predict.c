/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register's predicted values. The expected ones are computed here from single extends, as a shell loop
 * of `sha256sum` would.
 */
#include "policy/predict.h"

#include "support/support.h"

#define A    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C    "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define D    "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
#define HEAD "format: avow-policy/1\nname: edge\n"
#define NOON 1796126400000 /* 2026-12-01T12:00:00Z */

static struct predictions *predict(const char *text, struct policy **ret)
{
        struct predictions *out = NULL;
        struct err err = ERR_INIT;

        assert_ok(policy_parse(view_str(text), "edge.yaml", ret, &err), &err);
        assert_ok(policy_predict(*ret, NOON, &out, &err), &err);
        return out;
}

/* Extends zeros by the digests "abc" stand for; a digest is one byte over and over. */
static struct digest extended(enum digest_alg bank, const char *digits)
{
        struct err err = ERR_INIT;
        struct digest d;

        digest_zero(bank, &d);
        for (; *digits; digits++) {
                uint8_t bytes[48], nibble = (uint8_t)(*digits - 'a' + 10);

                memset(bytes, nibble << 4 | nibble, sizeof(bytes));
                assert_ok(digest_extend(&d, VIEW(bytes, digest_size(bank)), &err), &err);
        }
        return d;
}

static void assert_values(const struct predictions *p, const char *const *want, size_t n)
{
        assert_int_equal(p->n, n);
        for (size_t i = 0; i < n; i++) {
                struct digest d = extended(p->v[i].value.alg, want[i]);

                if (!digest_equal(&d, &p->v[i].value))
                        fail_msg("history %zu is not %s", i, want[i]);
        }
}

/* --- vectors --- */

static void one_of_each(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = NULL;
        AUTO(predictions_free_p)
        struct predictions *out = predict(HEAD "runtimes:\n- name: a\n  files: [{digests: " A
                                               "}, {digests: " B "}]\n- {name: b, digests: " C "}\n",
                                          &p);
        static const char *const want[] = {"abc"};

        (void)state;
        assert_values(out, want, 1);
        assert_false(out->more || out->foreign);
        assert_int_equal(out->v[0].n_updates, 0);
}

/* An update in place leaves ext(ext(0,v1),v2). */
static void update_in_place(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = NULL;
        AUTO(predictions_free_p)
        struct predictions *out = predict(HEAD "runtimes:\n- name: a\n  digests: [" A ", " B "]\n", &p);
        static const char *const want[] = {"b", "a", "ab"};

        (void)state;
        assert_values(out, want, 3);
        assert_int_equal(out->v[2].n_updates, 1);
        assert_ptr_equal(out->v[2].steps[1], &p->digests[1]);
}

static void optional_may_be_absent(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = NULL;
        AUTO(predictions_free_p)
        struct predictions *out =
                predict(HEAD "runtimes:\n- {name: a, digests: " A "}\n"
                             "- {name: b, required: false, files: [{digests: " B "}, {digests: " C "}]}\n"
                             "records: [{string: 'machine-id:*'}]\n",
                        &p);
        static const char *const want[] = {"abc", "a"};

        (void)state;
        assert_values(out, want, 2);
        assert_true(out->foreign);
}

/* A library that two runtimes share is measured once, and updated once. */
static void shared_library(void **state)
{
        AUTO(policy_unref_p) struct policy *p = NULL;
        AUTO(predictions_free_p)
        struct predictions *out = predict(HEAD "runtimes:\n- {name: a, files: [{path: /a, digests: " A
                                               "}, {path: /l, digests: [" C ", " D
                                               "]}]}\n- {name: b, files: [{path: /b, digests: " B
                                               "}, {path: /l, digests: [" C ", " D "]}]}\n",
                                          &p);
        static const char *const want[] = {"adb", "acb", "acbd"};

        (void)state;
        assert_values(out, want, 3);
}

static void ended_are_left_out(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = NULL;
        AUTO(predictions_free_p)
        struct predictions *out = predict(HEAD "runtimes:\n- name: a\n  digests:\n  - {digest: " A
                                               ", until: 2026-12-01T12:00:00Z}\n  - " B "\n",
                                          &p);
        static const char *const want[] = {"b"};

        (void)state;
        assert_values(out, want, 1);
}

static void sha384(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = NULL;
        AUTO(predictions_free_p)
        struct predictions *out = predict(HEAD "pcr: {bank: sha384}\nruntimes:\n- name: a\n  digests: "
                                               "[" A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n",
                                          &p);
        static const char *const want[] = {"a"};

        (void)state;
        assert_values(out, want, 1);
}

/* --- limits --- */

static void no_runtime_at_all(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = NULL;
        AUTO(predictions_free_p)
        struct predictions *out = predict(HEAD "runtimes: []\n", &p);
        static const char *const want[] = {""};

        (void)state;
        assert_values(out, want, 1);
}

static void at_most_64(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = NULL;
        AUTO(buf_free)
        struct buf text = {0};
        AUTO(predictions_free_p)
        struct predictions *out = NULL;
        AUTO(mem_free_p)
        char *s = NULL;

        (void)state;
        buf_str(&text, HEAD "runtimes:\n");
        for (size_t i = 0; i < 30; i++)
                buf_fmt(&text, "- name: r%zu\n  digests: [%s, %s]\n", i, i % 2 ? A : B, i % 2 ? C : D);
        s = buf_take_str(&text);
        out = predict(s, &p);
        assert_int_equal(out->n, PREDICT_MAX);
        assert_true(out->more);
        for (size_t i = 0; i < out->n; i++)
                assert_int_equal(out->v[i].n_steps, 30);
}

/* --- out of memory --- */

static int predict_again(void *ctx, struct err *err)
{
        struct predictions *out = NULL;
        int r = policy_predict(ctx, NOON, &out, err);

        predictions_free(out);
        return r;
}

static void out_of_memory(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = NULL;
        AUTO(predictions_free_p)
        struct predictions *out = predict(HEAD "runtimes:\n- name: a\n  digests: [" A ", " B "]\n", &p);

        (void)state;
        assert_non_null(out);
        oom_each(predict_again, p);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_of_each),
                cmocka_unit_test(update_in_place),
                cmocka_unit_test(optional_may_be_absent),
                cmocka_unit_test(shared_library),
                cmocka_unit_test(ended_are_left_out),
                cmocka_unit_test(sha384),
                cmocka_unit_test(no_runtime_at_all),
                cmocka_unit_test(at_most_64),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
