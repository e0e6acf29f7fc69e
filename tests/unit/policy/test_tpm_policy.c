/* SPDX-License-Identifier: Apache-2.0 */
/* Keylime's tpm_policy, as its tenant sends it. */
#include "support/support.h"

#include "policy/policy.h"

#define A32 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A48 A32 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A20 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static int import(const char *text, struct policy **ret, struct err *err)
{
        return policy_from_tpm_policy(view_str(text), "web-1", ret, err);
}

/* --- vectors --- */

static void takes_values(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = NULL;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(import("{\"22\": [\"" A20 "\", \"" A32 "\"], \"15\": \"" A32 "\", \"mask\": \"0x418000\"}",
                         &p, &err),
                  &err);
        assert_string_equal(p->name, "web-1");
        assert_int_equal(p->bank, DIGEST_SHA256);
        assert_int_equal(p->pcrs[22].n, 1);
        assert_int_equal(p->pcrs[15].n, 1);
        assert_int_equal(p->pcr_mask, 1u << 22 | 1u << 15);
        assert_false(p->judges_log);
        assert_true(p->enforced);
}

static void falls_to_sha384(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = NULL;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(import("{\"0\": [\"" A32 "\", \"" A48 "\"], \"1\": \"" A48 "\"}", &p, &err), &err);
        assert_int_equal(p->bank, DIGEST_SHA384);
        assert_int_equal(p->pcrs[0].n, 1);
        assert_int_equal(p->pcrs[1].values[0].len, 48);
}

static void may_be_empty(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = NULL;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(import("{}", &p, &err), &err);
        assert_int_equal(p->pcr_mask, 0);
}

/* --- malformed --- */

static void refuses(void **state)
{
        static const struct {
                const char *text, *says;
        } rows[] = {
                {"", NULL},
                {"[]", "object"},
                {"{\"10\": \"" A32 "\"}", "PCR 10"},
                {"{\"16\": \"" A32 "\"}", "PCR 16"},
                {"{\"24\": \"" A32 "\"}", "24"},
                {"{\"x\": \"" A32 "\"}", "expected a PCR number"},
                {"{\"0\": \"" A20 "\"}", "sha1 values are not accepted"},
                {"{\"0\": [\"" A32 "\"], \"1\": [\"" A48 "\"]}", "no one bank"},
                {"{\"0\": []}", "no one bank"},
                {"{\"0\": 5}", "expected a string"},
                {"{\"0\": \"zz\"}", "PCR 0"},
                {"{\"mask\": 5}", "'mask'"},
                {"{\"mask\": \"5\"}", "'mask'"},
                {"{\"mask\": \"0x1000000\"}", "'mask'"},
                {"{\"0\": \"" A32 "\", \"0\": \"" A32 "\"}", NULL},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct err err = ERR_INIT;
                struct policy *p = (void *)0x5a;

                if (import(rows[i].text, &p, &err) >= 0)
                        fail_msg("%s is taken", rows[i].text);
                if (rows[i].says && !strstr(err.text, rows[i].says))
                        fail_msg("%s: '%s' lacks '%s'", rows[i].text, err.text, rows[i].says);
                assert_ptr_equal(p, (void *)0x5a);
        }
}

static int import_one(void *ctx, struct err *err)
{
        struct policy *p = NULL;
        int r = import("{\"0\": [\"" A32 "\", \"" A48 "\"], \"mask\": \"0x1\"}", &p, err);

        (void)ctx;
        policy_unref(p);
        /* jansson without memory can report broken JSON instead */
        return r == -ERR_FORMAT ? -ERR_NOMEM : r;
}

static void out_of_memory(void **state)
{
        (void)state;
        oom_each(import_one, NULL);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(takes_values),  cmocka_unit_test(falls_to_sha384),
                cmocka_unit_test(may_be_empty),  cmocka_unit_test(refuses),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
