/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keylime's runtime policies. In production whoever may hand in a policy for import controls these bytes.
 * What was read is written and read again without loss, and a policy that fits goes into a set.
 */
#include "policy/keylime_policy.h"

#include "base/mem.h"
#include "fuzz/fuzz.h"

static void take_over(const struct keylime_policy *p)
{
        AUTO(allow_builder_free_p)
        struct allow_builder *b = NULL;
        AUTO(allow_unref_p)
        struct allow *a = NULL;
        AUTO(strv_done)
        struct strv patterns = {0};
        AUTO(strv_done)
        struct strv lost = {0};
        struct err err = ERR_INIT;
        uint32_t label;

        FUZZ_CHECK(allow_builder_new(&b, &err) == 0);
        FUZZ_CHECK(allow_label(b, "", ALLOW_NEVER, &label, &err) == 0);
        FUZZ_CHECK(keylime_policy_excludes(p, &patterns, &lost, &err) == 0);
        if (keylime_policy_digests(p, b, label, &lost, &err) == 0)
                FUZZ_CHECK(allow_freeze(b, &a, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        AUTO(keylime_policy_free_p)
        struct keylime_policy *p = NULL;
        AUTO(keylime_policy_free_p)
        struct keylime_policy *again = NULL;
        AUTO(mem_free_p)
        char *text = NULL;
        AUTO(mem_free_p)
        char *text_again = NULL;
        struct err err = ERR_INIT;

        if (size > 65536 || keylime_policy_parse(VIEW(data, size), &p, &err) < 0)
                return 0;
        FUZZ_CHECK(keylime_policy_text(p, &text, &err) == 0);
        FUZZ_CHECK(keylime_policy_parse(view_str(text), &again, &err) == 0);
        FUZZ_CHECK(keylime_policy_text(again, &text_again, &err) == 0);
        FUZZ_CHECK(str_equal(text, text_again));
        take_over(p);
        return 0;
}
