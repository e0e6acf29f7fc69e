/* SPDX-License-Identifier: Apache-2.0 */
/* The policies that are shipped for people to start from are policies, each under its file's name, and their
 * schema is JSON that knows the format. */
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "policy/ima_rules.h"
#include "policy/policy_ima.h"
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

static json_t *schema(void)
{
        AUTO(mem_free_p) char *path = source_path("policies/avow-policy.schema.json");
        AUTO(buf_free) struct buf text = {0};
        json_t *ret = NULL;
        struct err err = ERR_INIT;

        assert_ok(file_read(path, 1u << 20, &text, &err), &err);
        assert_ok(json_parse(VIEW_BUF(&text), 1u << 20, &ret, &err), &err);
        return ret;
}

/* Every key of the schema is one of the parser's: whatever is wrong with its value, it is not unknown. */
static void keys_are_known(const json_t *properties, const char *before, const char *after)
{
        const char *key;
        json_t *value;

        json_object_foreach ((json_t *)(uintptr_t)properties, key, value) {
                AUTO(mem_free_p)
                char *text = str_fmt("format: avow-policy/2\nname: x\n%s%s: 17%s\n", before, key, after);
                struct policy *p = NULL;
                struct err err = ERR_INIT;

                if (str_equal(key, "format") || str_equal(key, "name"))
                        continue;
                if (policy_parse(view_str(text), "schema", &p, &err) == 0)
                        policy_unref(p);
                else if (strstr(err.text, "unknown key"))
                        fail_msg("%s%s", text, err.text);
        }
}

static void schema_knows_the_format(void **state)
{
        AUTO(json_free_p) json_t *all = schema();
        const json_t *properties = json_object_get(all, "properties");
        const json_t *defs = json_object_get(all, "$defs");
        const json_t *ima = json_object_get(json_object_get(defs, "ima"), "properties");
        const json_t *boot = json_object_get(json_object_get(defs, "boot"), "properties");
        static const char *const kinds[] = {"snp", "tdx", "sgx"};
        static const size_t n_keys[] = {23, 15, 6};

        (void)state;
        keys_are_known(properties, "", "");
        keys_are_known(ima, "ima: {", "}");
        keys_are_known(boot, "boot: {", "}");
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
                AUTO(mem_free_p) char *def = str_fmt("tee_%s", kinds[i]);
                AUTO(mem_free_p) char *before = str_fmt("tee: {kinds: %s, %s: {", kinds[i], kinds[i]);
                const json_t *tee = json_object_get(json_object_get(defs, def), "properties");

                keys_are_known(tee, before, "}}");
                assert_int_equal(json_object_size(tee), n_keys[i]);
        }
        /* as many as the parser has keys */
        assert_int_equal(json_object_size(properties), 15);
        assert_int_equal(json_object_size(ima), 14);
        assert_int_equal(json_object_size(boot), 16);
}

/* The rules that are shipped are those that the examples name, and cover what they say. */
static void rules_that_are_shipped(void **state)
{
        AUTO(mem_free_p) char *rules = source_path("contrib/ima/ima-policy");
        AUTO(mem_free_p) char *example = source_path("policies/examples/ima-host.yaml");
        AUTO(policy_unref_p) struct policy *p = NULL;
        AUTO(buf_free) struct buf text = {0}, policy = {0};
        struct digest digest;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(file_read(rules, 1u << 20, &text, &err), &err);
        assert_ok(file_read(example, 1u << 20, &policy, &err), &err);
        assert_ok(policy_parse(VIEW_BUF(&policy), "ima-host.yaml", &p, &err), &err);
        assert_ok(digest_bytes(DIGEST_SHA256, VIEW_BUF(&text), &digest, &err), &err);
        assert_int_equal(ima_rules_cover(VIEW_BUF(&text)), POLICY_COVERS_ALL);
        assert_int_equal(p->parts[0].ima->n_rules, 1);
        assert_true(digest_equal(&p->parts[0].ima->rules[0].digest, &digest));
        assert_int_equal(p->parts[0].ima->rules[0].covers, POLICY_COVERS_ALL);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_example),
                cmocka_unit_test(schema_knows_the_format),
                cmocka_unit_test(rules_that_are_shipped),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
