/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/policy/texts.h"

#include "policy/policy.h"
#include "support/support.h"

void texts_refused(const struct wrong_text *wrong, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                struct err err = ERR_INIT;
                struct policy *p = (void *)0x5a;
                struct guarded g;
                int r = policy_parse(guard_bytes(&g, view_str(wrong[i].text)), "edge.yaml", &p, &err);

                guard_free(&g);
                if (r != -ERR_CONFIG || !strstr(err.text, wrong[i].says) || !strstr(err.text, "edge.yaml:"))
                        fail_msg("case %zu:\n%s\nsays (%d) '%s', expected '%s'", i, wrong[i].text, r,
                                 err.text, wrong[i].says);
                assert_ptr_equal(p, (void *)0x5a);
        }
}

static void try_parse(struct view in, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        struct policy *p = NULL;

        (void)what, (void)ctx;
        if (policy_parse(in, "edge.yaml", &p, &err) == 0)
                policy_unref(p);
        else
                assert_true(err.text[0] != '\0');
}

void text_cut_and_flipped(const char *text)
{
        each_truncation(view_str(text), try_parse, NULL);
        each_bit_flip(view_str(text), try_parse, NULL);
}
