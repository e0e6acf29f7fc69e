/* SPDX-License-Identifier: Apache-2.0 */
/* The policies that are shipped for people to start from are policies, each under its file's name, and their
 * schema is JSON that knows the format. */
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "policy/effective.h"
#include "policy/predict.h"
#include "support/support.h"

static char *source_path(const char *path)
{
        const char *top = getenv("top_srcdir");

        return str_fmt("%s/%s", top ? top : ".", path);
}

static void load(const char *folder, const char *file)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/%s", folder, file);
        AUTO(mem_free_p) char *name = str_ndup(file, strlen(file) - strlen(".yaml"));
        AUTO(policy_unref_p) struct policy *p = NULL;
        AUTO(predictions_free_p) struct predictions *all = NULL;
        AUTO(buf_free) struct buf text = {0};
        struct err err = ERR_INIT;

        assert_ok(file_read(path, POLICY_TEXT_BYTES_MAX, &text, &err), &err);
        assert_ok(policy_parse(VIEW_BUF(&text), file, &p, &err), &err);
        assert_string_equal(p->name, name);
        assert_true(*p->description);
        assert_ok(policy_predict(p, 0, &all, &err), &err);
        assert_true(all->n > 0);
}

static void every_example(void **state)
{
        AUTO(mem_free_p) char *folder = source_path("policies/examples");
        AUTO(strv_done) struct strv files = {0};
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(file_list(folder, ".yaml", &files, &err), &err);
        assert_true(files.n >= 9);
        for (size_t i = 0; i < files.n; i++)
                load(folder, files.items[i]);
}

static void schema_knows_the_format(void **state)
{
        AUTO(mem_free_p) char *path = source_path("policies/avow-policy.schema.json");
        AUTO(json_free_p) json_t *schema = NULL;
        AUTO(buf_free) struct buf text = {0};
        const json_t *properties = NULL, *format = NULL;
        const char *word = NULL;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(file_read(path, 1u << 20, &text, &err), &err);
        assert_ok(json_parse(VIEW_BUF(&text), 1u << 20, &schema, &err), &err);
        assert_ok(json_get_object(schema, "properties", &properties, &err), &err);
        assert_ok(json_get_object(properties, "format", &format, &err), &err);
        assert_ok(json_get_str(format, "const", &word, &err), &err);
        assert_string_equal(word, "avow-policy/1");
        assert_int_equal(json_object_size(properties), 10); /* as many as the parser has keys */
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_example),
                cmocka_unit_test(schema_knows_the_format),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
