/* SPDX-License-Identifier: Apache-2.0 */
/* Which versions hold at a time, what they say together, and when that changes by itself. */
#include "policy/effective.h"

#include "base/str.h"
#include "evidence/verdict.h"
#include "support/support.h"

#define A    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C    "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define NOON 1796126400000 /* 2026-12-01T12:00:00Z */
#define HOUR 3600000

static const char old_text[] =
        "format: avow-policy/1\nname: edge\nruntimes:\n- name: a\n  digests: [" A ", " C "]\n";
static const char new_text[] =
        "format: avow-policy/1\nname: edge\nruntimes:\n- name: a\n  digests:\n  - " B "\n"
        "  - {digest: " A ", until: 2026-12-01T12:00:00Z}\ndeny: [" C "]\npcr: {values: {0: " A "}}\n";

static struct policy *parse(const char *text)
{
        struct err err = ERR_INIT;
        struct policy *p = NULL;

        assert_ok(policy_parse(view_str(text), "edge.yaml", &p, &err), &err);
        return p;
}

static struct policy_effective *effective(const struct policy_version *v, size_t n, int64_t now_ms)
{
        struct err err = ERR_INIT;
        struct policy_effective *e = NULL;

        assert_ok(policy_effective_new(v, n, now_ms, &e, &err), &err);
        return e;
}

static enum policy_answer ask(const struct policy_effective *e, char digit, uint32_t *ret_version)
{
        const struct policy_version *version = NULL;
        const struct policy_digest *digest = NULL;
        uint8_t bytes[32], nibble = (uint8_t)(digit - 'a' + 10);
        enum policy_answer answer;

        memset(bytes, nibble << 4 | nibble, sizeof(bytes));
        answer = policy_effective_ask(e, bytes, &version, &digest);
        *ret_version = version ? version->version : 0;
        return answer;
}

/* --- vectors --- */

static void one_version(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = parse(new_text);
        struct policy_version v = {p, 2, POLICY_NEVER};
        AUTO(policy_effective_free_p)
        struct policy_effective *before = effective(&v, 1, NOON - 1);
        AUTO(policy_effective_free_p)
        struct policy_effective *after = effective(&v, 1, NOON);
        uint32_t version;

        (void)state;
        assert_int_equal(ask(before, 'b', &version), POLICY_ALLOWED);
        assert_int_equal(version, 2);
        assert_int_equal(ask(before, 'a', &version), POLICY_ALLOWED);
        assert_int_equal(ask(before, 'c', &version), POLICY_DENIED);
        assert_int_equal(ask(before, 'd', &version), POLICY_UNKNOWN);
        assert_int_equal(ask(after, 'a', &version), POLICY_EXPIRED);
        assert_int_equal(ask(after, 'b', &version), POLICY_ALLOWED);
        assert_int_equal(policy_effective_changes_at_ms(before), NOON);
        assert_true(policy_effective_changes_at_ms(after) == POLICY_NEVER);
        assert_int_equal(policy_effective_at_ms(after), NOON);
        assert_int_equal(policy_effective_pcr_mask(before), 1u << 15 | 1u);
        /* only time passed, and the digest is another one */
        assert_false(digest_equal(policy_effective_digest(before), policy_effective_digest(after)));
}

static void roll_out(void **state)
{
        AUTO(policy_unref_p)
        struct policy *older = parse(old_text);
        AUTO(policy_unref_p)
        struct policy *newer = parse(new_text);
        struct policy_version v[] = {{newer, 2, POLICY_NEVER}, {older, 1, NOON + HOUR}};
        AUTO(policy_effective_free_p)
        struct policy_effective *during = effective(v, 2, NOON);
        AUTO(policy_effective_free_p)
        struct policy_effective *after = effective(v, 2, NOON + HOUR);
        uint32_t version;
        size_t n;

        (void)state;
        (void)policy_effective_versions(during, &n);
        assert_int_equal(n, 2);
        assert_int_equal(ask(during, 'a', &version), POLICY_ALLOWED);
        assert_int_equal(version, 1); /* the newest one's has ended */
        assert_int_equal(ask(during, 'b', &version), POLICY_ALLOWED);
        assert_int_equal(version, 2);
        assert_int_equal(ask(during, 'c', &version), POLICY_DENIED); /* the newest one's word */
        assert_int_equal(policy_effective_changes_at_ms(during), NOON + HOUR);
        (void)policy_effective_versions(after, &n);
        assert_int_equal(n, 1);
        assert_int_equal(ask(after, 'a', &version), POLICY_EXPIRED);
        assert_ptr_equal(policy_effective_policy(after), newer);
        assert_int_equal(policy_effective_newest(after)->version, 2);
        assert_false(digest_equal(policy_effective_digest(during), policy_effective_digest(after)));
}

static struct policy_on_fail on_fail(const char *first, const char *second)
{
        static const char head[] = "format: avow-policy/1\nname: edge\nruntimes: []\non_fail: ";
        AUTO(mem_free_p) char *a = str_fmt("%s%s\n", head, first);
        AUTO(mem_free_p) char *b = str_fmt("%s%s\n", head, second);
        AUTO(policy_unref_p)
        struct policy *pa = parse(a);
        AUTO(policy_unref_p)
        struct policy *pb = parse(b);
        struct policy_version v[] = {{pb, 2, POLICY_NEVER}, {pa, 1, NOON + HOUR}};
        AUTO(policy_effective_free_p)
        struct policy_effective *e = effective(v, 2, NOON);

        return policy_effective_on_fail(e, 10000);
}

/* SR-3: while versions overlap, none takes back what the other destroys. */
static void strictest_reaction(void **state)
{
        struct policy_on_fail f;

        (void)state;
        f = on_fail("suspend", "suspend");
        assert_false(f.destroy);
        assert_int_equal(f.destroy_now, 0);
        f = on_fail("destroy", "suspend");
        assert_true(f.destroy);
        assert_int_equal(f.destroy_after_ms, 5000); /* half the interval */
        f = on_fail("suspend", "{reaction: destroy, destroy_after: 1m}");
        assert_true(f.destroy);
        assert_int_equal(f.destroy_after_ms, 60000);
        f = on_fail("{reaction: destroy, destroy_after: 1s}", "destroy");
        assert_int_equal(f.destroy_after_ms, 1000);
        f = on_fail("{reaction: destroy, destroy_after: 0s}", "destroy");
        assert_int_equal(f.destroy_after_ms, 0);
        f = on_fail("{destroy_now: critical}", "{destroy_now: [error]}");
        assert_false(f.destroy);
        assert_int_equal(f.destroy_now, 1u << SEVERITY_CRITICAL | 1u << SEVERITY_ERROR);
}

static void digest_names_versions(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = parse(old_text);
        struct policy_version one = {p, 1, POLICY_NEVER}, two = {p, 2, POLICY_NEVER};
        AUTO(policy_effective_free_p)
        struct policy_effective *a = effective(&one, 1, NOON);
        AUTO(policy_effective_free_p)
        struct policy_effective *b = effective(&one, 1, NOON + 1);
        AUTO(policy_effective_free_p)
        struct policy_effective *c = effective(&two, 1, NOON);

        (void)state;
        assert_true(digest_equal(policy_effective_digest(a), policy_effective_digest(b)));
        assert_false(digest_equal(policy_effective_digest(a), policy_effective_digest(c)));
}

/* --- limits --- */

static void cannot_overlap(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = parse(old_text);
        AUTO(policy_unref_p)
        struct policy *other_bank =
                parse("format: avow-policy/1\nname: edge\npcr: {bank: sha384}\nruntimes: []\n");
        AUTO(policy_unref_p)
        struct policy *other_pcr =
                parse("format: avow-policy/1\nname: edge\npcr: {measurements: 14}\nruntimes: []\n");
        struct policy_version v[] = {{p, 3, POLICY_NEVER}, {other_bank, 2, NOON}};
        struct policy_version many[EFFECTIVE_VERSIONS_MAX + 1];
        struct policy_effective *e = (void *)0x5a;
        struct err err = ERR_INIT;

        (void)state;
        assert_err(policy_effective_new(v, 2, NOON - 1, &e, &err), ERR_CONFIG, &err, "they cannot overlap");
        v[1].policy = other_pcr;
        assert_err(policy_effective_new(v, 2, NOON - 1, &e, &err), ERR_CONFIG, &err, "PCR 14");
        for (size_t i = 0; i < ARRAY_LEN(many); i++)
                many[i] = (struct policy_version){p, (uint32_t)(20 - i), POLICY_NEVER};
        assert_err(policy_effective_new(many, ARRAY_LEN(many), NOON, &e, &err), ERR_LIMIT, &err, "overlap");
        assert_ptr_equal(e, (void *)0x5a);
        assert_ok(policy_effective_new(v, 2, NOON, &e, &err), &err); /* the other one has ended */
        policy_effective_free(e);
}

/* --- out of memory --- */

static int make(void *ctx, struct err *err)
{
        struct policy_version v = {ctx, 1, POLICY_NEVER};
        struct policy_effective *e = NULL;
        int r = policy_effective_new(&v, 1, NOON, &e, err);

        policy_effective_free(e);
        return r;
}

static void out_of_memory(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = parse(new_text);

        (void)state;
        oom_each(make, p);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(one_version),        cmocka_unit_test(roll_out),
                cmocka_unit_test(strictest_reaction), cmocka_unit_test(digest_names_versions),
                cmocka_unit_test(cannot_overlap),     cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
