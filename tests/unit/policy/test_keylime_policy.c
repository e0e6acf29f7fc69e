/* SPDX-License-Identifier: Apache-2.0 */
/* Keylime's runtime policy, in and out. */
#include "policy/keylime_policy.h"

#include <stdlib.h>

#include "base/json.h"
#include "support/support.h"

#define SHA1   "0123456789abcdef0123456789abcdef01234567"
#define SHA256 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define SHA224 "00112233445566778899aabbccddeeff00112233445566778899aabb"
#define META   "\"meta\": {\"version\": 1, \"generator\": 3, \"timestamp\": \"2026-11-01 10:00:00\"}"
#define KEYS                                                                                                 \
        "{\\\"meta\\\": {\\\"version\\\": 1}, \\\"keyids\\\": [4294967295], \\\"pubkeys\\\": "               \
        "[\\\"AAAA\\\"]}"
#define IMA "\"ima\": {\"ignored_keyrings\": [\"*\"], \"log_hash_alg\": \"sha256\", \"dm_policy\": null}"
#define REST                                                                                                 \
        "\"release\": 7, \"keyrings\": {\".ima\": [\"" SHA256 "\"]}, \"ima-buf\": {\"dm\": []}, "            \
        "\"verification-keys\": \"" KEYS "\""
#define EXCLUDES "\"excludes\": [\"/tmp/.*\", \"/x(?!y)\", \"/a|/b$\"]"
#define DIGESTS                                                                                              \
        "\"digests\": {\"boot_aggregate\": [\"" SHA1 "\"], \"/bin/s\xc3\xa4h\": [\"" SHA256 "\", \"" SHA224  \
        "\"], \"/none\": []}"
static const char full[] = "{" META ", " IMA ", " REST ", " EXCLUDES ", " DIGESTS "}";

static struct keylime_policy *parse(const char *text)
{
        struct keylime_policy *p = NULL;
        struct err err = ERR_INIT;

        assert_ok(keylime_policy_parse(view_str(text), &p, &err), &err);
        return p;
}

static void without_loss(void **state)
{
        struct keylime_policy *p = parse(full);
        struct err err = ERR_INIT;
        json_t *in = NULL, *out = NULL;
        char *text = NULL;

        (void)state;
        assert_int_equal(p->version, 1);
        assert_int_equal(p->generator, KEYLIME_GENERATOR_TOOL);
        assert_int_equal(p->release, 7);
        assert_int_equal(p->digests.n, 3);
        assert_string_equal(p->digests.p[0].name, "boot_aggregate");
        assert_string_equal(p->digests.p[1].items.items[1], SHA224);
        assert_string_equal(p->ignored_keyrings.items[0], "*");
        assert_ok(keylime_policy_text(p, &text, &err), &err);
        assert_ok(json_parse(view_str(full), 65536, &in, &err), &err);
        assert_ok(json_parse(view_str(text), 65536, &out, &err), &err);
        assert_true(json_equal(in, out));
        json_decref(in);
        json_decref(out);
        free(text);
        text = NULL;
        p->digests.p[1].name[0] = '\xff';
        assert_err(keylime_policy_text(p, &text, &err), ERR_FORMAT, &err, "UTF-8");
        assert_null(text);
        keylime_policy_free(p);
        keylime_policy_free(NULL);
}

/* Keylime's own servers refuse it, its tools know it. */
static void device_mapper(void **state)
{
        static const char text[] =
                "{" META ", \"ima\": {\"ignored_keyrings\": [], \"log_hash_alg\": \"sha1\", "
                "\"dm_policy\": {\"version\": 1, \"rules\": {}}}, " REST ", " EXCLUDES ", " DIGESTS "}";
        struct keylime_policy *p = parse(text);
        struct err err = ERR_INIT;
        json_t *in = NULL, *out = NULL;
        char *again = NULL;

        (void)state;
        assert_string_equal(p->dm_policy, "{\"rules\":{},\"version\":1}");
        assert_ok(keylime_policy_text(p, &again, &err), &err);
        assert_ok(json_parse(view_str(text), 65536, &in, &err), &err);
        assert_ok(json_parse(view_str(again), 65536, &out, &err), &err);
        assert_true(json_equal(in, out));
        json_decref(in);
        json_decref(out);
        free(again);
        keylime_policy_free(p);
}

static void defaults(void **state)
{
        struct keylime_policy *p =
                parse("{\"meta\": {\"version\": 0}, \"ima\": {}, \"release\": 0, \"keyrings\": {}, "
                      "\"ima-buf\": {}, \"verification-keys\": \"\", \"excludes\": [], "
                      "\"digests\": {}}");

        (void)state;
        assert_int_equal(p->generator, 0);
        assert_null(p->timestamp);
        assert_string_equal(p->log_hash_alg, "sha1");
        assert_string_equal(p->verification_keys, "");
        keylime_policy_free(p);
}

static void taken_over(void **state)
{
        struct keylime_policy *p = parse(full);
        struct allow_builder *b = NULL;
        struct allow *a = NULL;
        struct allow_entry e;
        struct strv patterns = {0}, lost = {0};
        struct err err = ERR_INIT;
        size_t pos = 0;
        uint32_t label;

        (void)state;
        assert_ok(allow_builder_new(&b, &err), &err);
        assert_ok(allow_label(b, "imported", ALLOW_NEVER, &label, &err), &err);
        assert_ok(keylime_policy_digests(p, b, label, &lost, &err), &err);
        assert_ok(allow_freeze(b, &a, &err), &err);
        assert_int_equal(allow_count(a), 2);
        assert_true(allow_next_of(a, view_str("boot_aggregate"), &pos, &e));
        assert_int_equal(e.alg, DIGEST_SHA1);
        assert_memory_equal(e.digest.p, "\x01\x23\x45\x67\x89", 5);
        assert_string_equal(e.label, "imported");
        assert_int_equal(lost.n, 1);
        assert_non_null(strstr(lost.items[0], SHA224));
        assert_ok(keylime_policy_excludes(p, &patterns, &lost, &err), &err);
        assert_int_equal(patterns.n, 3);
        assert_string_equal(patterns.items[0], "/tmp/**");
        assert_string_equal(patterns.items[1], "/a**");
        assert_string_equal(patterns.items[2], "/b");
        assert_int_equal(lost.n, 2);
        assert_non_null(strstr(lost.items[1], "/x(?!y)"));
        assert_non_null(strstr(lost.items[1], "at byte 2"));
        strv_done(&patterns);
        strv_done(&lost);
        allow_unref(a);
        allow_builder_free(b);
        keylime_policy_free(p);
}

static void refused(void **state)
{
        static const struct {
                const char *text, *why;
        } rows[] = {
                {"[]", "object"},
                {"{" META ", " IMA ", " REST ", " EXCLUDES "}", "digests"},
                {"{" META ", " IMA ", " REST ", " DIGESTS "}", "excludes"},
                {"{" META ", " REST ", " EXCLUDES ", " DIGESTS "}", "ima"},
                {"{" IMA ", " REST ", " EXCLUDES ", " DIGESTS "}", "meta"},
                {"{" META ", " IMA ", " EXCLUDES ", " DIGESTS "}", "release"},
                {"{" META ", " IMA ", " REST ", " EXCLUDES ", " DIGESTS ", \"more\": 1}", "more"},
                {"{" META ", \"ima\": {\"dm_policy\": 1}, " REST ", " EXCLUDES ", " DIGESTS "}", "dm_policy"},
                {"{" META ", \"ima\": {\"log_hash_alg\": \"md5\"}, " REST ", " EXCLUDES ", " DIGESTS "}",
                 "md5"},
                {"{" META ", \"ima\": {\"x\": 1}, " REST ", " EXCLUDES ", " DIGESTS "}", "'ima'"},
                {"{\"meta\": {\"version\": -1}, " IMA ", " REST ", " EXCLUDES ", " DIGESTS "}", "version"},
                {"{\"meta\": {\"version\": 1, \"generator\": 4}, " IMA ", " REST ", " EXCLUDES ", " DIGESTS
                 "}",
                 "generator"},
                {"{" META ", " IMA ", " REST ", " EXCLUDES ", \"digests\": {\"/a\": [\"00\"]}}", "/a"},
                {"{" META ", " IMA ", " REST ", " EXCLUDES ", \"digests\": {\"/a\": [\"" SHA1 "\", 1]}}",
                 "item 1"},
                {"{" META ", " IMA ", " REST ", " EXCLUDES ", \"digests\": {\"/a\": 1}}", "/a"},
                {"{" META ", " IMA ", " REST ", \"excludes\": [1], " DIGESTS "}", "excludes"},
        };
        struct keylime_policy *p = NULL;
        struct err err = ERR_INIT;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                assert_err(keylime_policy_parse(view_str(rows[i].text), &p, &err), ERR_FORMAT, &err,
                           rows[i].why);
        assert_null(p);
}

static void verification_keys(void **state)
{
        static const char *const bad[] = {
                "x",
                "[]",
                "{}",
                "{\\\"meta\\\":{\\\"version\\\":2},\\\"keyids\\\":[],\\\"pubkeys\\\":[]}",
                "{\\\"meta\\\":{\\\"version\\\":1},\\\"keyids\\\":[1],\\\"pubkeys\\\":[]}",
                "{\\\"meta\\\":{\\\"version\\\":1},\\\"keyids\\\":[4294967296],\\\"pubkeys\\\":[\\\"\\\"]}",
                "{\\\"meta\\\":{\\\"version\\\":1},\\\"keyids\\\":[1],\\\"pubkeys\\\":[1]}",
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                struct keylime_policy *p = NULL;
                struct err err = ERR_INIT;
                char *text = str_fmt("{" META ", " IMA ", \"release\": 0, \"keyrings\": {}, \"ima-buf\": {}, "
                                     "\"verification-keys\": \"%s\", \"excludes\": [], \"digests\": {}}",
                                     bad[i]);

                assert_err(keylime_policy_parse(view_str(text), &p, &err), ERR_FORMAT, &err,
                           "verification-keys");
                free(text);
        }
}

static void cut_off(struct view bytes, const char *what, void *ctx)
{
        struct keylime_policy *p = NULL;
        struct err err = ERR_INIT;

        (void)ctx;
        if (keylime_policy_parse(bytes, &p, &err) == 0)
                fail_msg("%s", what);
}

static void flipped(struct view bytes, const char *what, void *ctx)
{
        struct keylime_policy *p = NULL;
        struct err err = ERR_INIT;
        char *text = NULL;

        (void)ctx;
        if (keylime_policy_parse(bytes, &p, &err) < 0)
                return;
        if (keylime_policy_text(p, &text, &err) < 0)
                fail_msg("%s", what);
        free(text);
        keylime_policy_free(p);
}

static void mutations(void **state)
{
        (void)state;
        each_truncation(view_str(full), cut_off, NULL);
        each_bit_flip(view_str(full), flipped, NULL);
}

static int there_and_back(void *ctx, struct err *err)
{
        AUTO(keylime_policy_free_p)
        struct keylime_policy *p = NULL;
        AUTO(mem_free_p)
        char *text = NULL;
        AUTO(strv_done)
        struct strv patterns = {0};
        AUTO(strv_done)
        struct strv lost = {0};
        int r = keylime_policy_parse(view_str(full), &p, err);

        (void)ctx;
        if (r >= 0)
                r = keylime_policy_text(p, &text, err);
        if (r >= 0)
                r = keylime_policy_excludes(p, &patterns, &lost, err);
        return r;
}

static void out_of_memory(void **state)
{
        (void)state;
        oom_any(there_and_back, NULL);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(without_loss),  cmocka_unit_test(defaults),
                cmocka_unit_test(device_mapper), cmocka_unit_test(taken_over),
                cmocka_unit_test(refused),       cmocka_unit_test(verification_keys),
                cmocka_unit_test(mutations),     cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
