/* SPDX-License-Identifier: Apache-2.0 */
/* Policies with and without envelopes. */
#include "policy/signed.h"

#include <stdlib.h>

#include "support/support.h"

#define TEXT      "format: avow-policy/1\nname: p\n"
#define TEXT_B64  "Zm9ybWF0OiBhdm93LXBvbGljeS8xCm5hbWU6IHAK"
#define TYPE      "application/vnd.avow.policy+yaml"
#define COMMENTED "# \"payloadType\"\n" TEXT
#define SIGNED(t)                                                                                            \
        "{\"payload\":\"" TEXT_B64 "\",\"payloadType\":\"" t                                                 \
        "\",\"signatures\":[{\"keyid\":\"k\",\"sig\":\"AQID\"}]}"

static void plain(void **state)
{
        static const char *const files[] = {TEXT, "", "{format: avow-policy/1, name: p}", COMMENTED,
                                            " {\"payload\": 1}"};
        struct err err = ERR_INIT;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(files); i++) {
                struct dsse d = {0};
                struct view text = {0};

                assert_ok(policy_unwrap(view_str(files[i]), &d, &text, &err), &err);
                assert_int_equal(d.n_signatures, 0);
                assert_view(text, files[i]);
        }
}

static void enveloped(void **state)
{
        static const char *const files[] = {SIGNED(TYPE), " \n\t\r" SIGNED(TYPE)};
        struct err err = ERR_INIT;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(files); i++) {
                struct dsse d = {0}, back = {0};
                struct view text = {0};
                char *signatures = NULL, *again = NULL;

                assert_ok(policy_unwrap(view_str(files[i]), &d, &text, &err), &err);
                assert_view(text, TEXT);
                assert_int_equal(d.n_signatures, 1);
                assert_ok(policy_signatures_text(&d, &signatures, &err), &err);
                assert_string_equal(signatures, "[{\"keyid\":\"k\",\"sig\":\"AQID\"}]");
                assert_ok(policy_rewrap(text, view_str(signatures), &back, &err), &err);
                assert_ok(dsse_text(&back, &again, &err), &err);
                assert_string_equal(again, SIGNED(TYPE));
                free(signatures);
                free(again);
                dsse_done(&back);
                dsse_done(&d);
        }
}

static void refused(void **state)
{
        static const struct {
                const char *file, *why;
        } rows[] = {
                {SIGNED("application/vnd.keylime+json"), "vnd.keylime"},
                {"{\"payloadType\": \"" TYPE "\"}", "payload"},
                {"{\"payloadType\"", "DSSE"},
                {"{format: \"payloadType\"}", "DSSE"},
        };
        struct err err = ERR_INIT;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct dsse d = {0};
                struct view text;

                POISON(text);
                assert_err(policy_unwrap(view_str(rows[i].file), &d, &text, &err), ERR_FORMAT, &err,
                           rows[i].why);
                assert_int_equal(d.n_signatures, 0);
                assert_poisoned(text);
        }
}

static int round_trip(void *ctx, struct err *err)
{
        struct dsse d = {0}, back = {0};
        struct view text;
        char *signatures = NULL;
        int r = policy_unwrap(view_str(SIGNED(TYPE)), &d, &text, err);

        (void)ctx;
        if (r >= 0)
                r = policy_signatures_text(&d, &signatures, err);
        if (r >= 0)
                r = policy_rewrap(text, view_str(signatures), &back, err);
        free(signatures);
        dsse_done(&back);
        dsse_done(&d);
        return r;
}

static void out_of_memory(void **state)
{
        (void)state;
        oom_any(round_trip, NULL);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(plain),
                cmocka_unit_test(enveloped),
                cmocka_unit_test(refused),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
