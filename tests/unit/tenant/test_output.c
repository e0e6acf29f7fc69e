/* SPDX-License-Identifier: Apache-2.0 */
/* One document, shown in a table: members by path, and nothing of a peer's text reaches the terminal as it
 * is. */
#include "tenant/output.h"

#include <stdlib.h>
#include <string.h>

#include "support/support.h"

static void check(const json_t *doc, const char *path, const char *want)
{
        char *text = output_member_text(doc, path);

        assert_non_null(text);
        assert_string_equal(text, want);
        free(text);
}

static void test_member_text(void **state)
{
        json_t *doc = json_pack("{s:s, s:{s:i, s:b, s:n}, s:[s,s], s:[], s:s}", "name", "web-1", "policy",
                                "version", 3, "enforced", 1, "none", "labels", "a", "b", "empty", "evil",
                                "x\x1b[2J\ny");

        (void)state;
        assert_non_null(doc);
        check(doc, "name", "web-1");
        check(doc, "policy.version", "3");
        check(doc, "policy.enforced", "yes");
        check(doc, "policy.none", "-");
        check(doc, "policy.missing.deeper", "-");
        check(doc, "labels", "a, b");
        check(doc, "empty", "-");
        check(doc, "evil", "x\\x1b[2J\\x0ay");
        json_decref(doc);
}

static void test_document(void **state)
{
        json_t *doc = output_document("host");

        (void)state;
        check(doc, "schema", "avow.host/1");
        json_decref(doc);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_member_text),
                cmocka_unit_test(test_document),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
