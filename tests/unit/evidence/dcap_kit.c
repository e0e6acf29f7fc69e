/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/evidence/dcap_kit.h"

#include "support/support.h"

/* One for all quotes of a program: what one case leaves behind must not help the next. */
static struct dcap_warm *warm;

static void same_checks(const struct tee_result *a, const struct tee_result *b)
{
        assert_int_equal(a->verdict, b->verdict);
        assert_int_equal(a->n_checks, b->n_checks);
        for (size_t i = 0; i < a->n_checks; i++) {
                assert_string_equal(a->checks[i].name, b->checks[i].name);
                assert_int_equal(a->checks[i].state, b->checks[i].state);
                assert_string_equal(a->checks[i].reason, b->checks[i].reason);
                assert_string_equal(a->checks[i].text, b->checks[i].text);
        }
        assert_int_equal(a->n_flags, b->n_flags);
        for (size_t i = 0; i < a->n_flags; i++)
                assert_string_equal(a->flags[i], b->flags[i]);
}

static void same(const struct dcap_result *a, const struct dcap_result *b)
{
        same_checks(&a->tee, &b->tee);
        assert_int_equal(a->parsed, b->parsed);
        assert_int_equal(a->has_pck, b->has_pck);
        if (a->has_pck) {
                assert_memory_equal(a->pck.fmspc, b->pck.fmspc, sizeof(a->pck.fmspc));
                assert_memory_equal(a->pck.components, b->pck.components, sizeof(a->pck.components));
        }
        assert_int_equal(a->sgx, b->sgx);
        assert_int_equal(a->platform, b->platform);
        assert_int_equal(a->module, b->module);
        assert_int_equal(a->qe, b->qe);
        assert_int_equal(a->overall, b->overall);
        assert_int_equal(a->tcb_date_ms, b->tcb_date_ms);
        assert_int_equal(a->evaluation_number, b->evaluation_number);
        assert_int_equal(a->next_update_ms, b->next_update_ms);
        assert_int_equal(a->n_advisories, b->n_advisories);
        for (size_t i = 0; i < a->n_advisories; i++)
                assert_string_equal(a->advisories[i], b->advisories[i]);
}

void dcap_kit_judge(struct view quote, const struct dcap_collateral *collateral,
                    const struct dcap_policy *policy, struct dcap_result *ret)
{
        struct dcap_collateral kept = *collateral;
        struct err err = ERR_INIT;
        struct dcap_result again;

        assert_ok(dcap_verify(quote, collateral, policy, ret, &err), &err);
        if (!warm)
                assert_ok(dcap_warm_new(&warm, &err), &err);
        kept.warm = warm;
        for (int i = 0; i < 2; i++) { /* what the first leaves behind the second finds */
                assert_ok(dcap_verify(quote, &kept, policy, &again, &err), &err);
                same(ret, &again);
        }
}

void dcap_kit_done(void)
{
        dcap_warm_free(TAKE(warm));
}
