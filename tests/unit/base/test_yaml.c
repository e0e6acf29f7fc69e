/* SPDX-License-Identifier: Apache-2.0 */
/* YAML: a tree that knows its lines, and a refusal for what a configuration never needs. */
#include "base/yaml.h"

#include "base/str.h"
#include "support/support.h"

static struct yaml_doc *parse(const char *text)
{
        struct err err = ERR_INIT;
        struct yaml_doc *doc = NULL;

        assert_ok(yaml_parse(view_str(text), "x.yaml", 100000, &doc, &err), &err);
        return doc;
}

static const struct yaml_node *at(const struct yaml_doc *doc, const char *key)
{
        const struct yaml_node *node = yaml_get(yaml_root(doc), key);

        assert_non_null(node);
        return node;
}

/* --- vectors --- */

static void tree(void **state)
{
        AUTO(yaml_doc_free_p)
        struct yaml_doc *doc =
                parse("a: 1\nb:\n  - x\n  - {c: 'y'}\nd: |\n  two\n  lines\ne:\nf: ~\ng: \"~\"\n");
        struct err err = ERR_INIT;
        const struct yaml_node *b;
        const char *s;

        (void)state;
        assert_int_equal(yaml_root(doc)->kind, YAML_MAP);
        b = at(doc, "b");
        assert_int_equal(b->kind, YAML_LIST);
        assert_int_equal(b->n, 2);
        assert_int_equal(b->items[1]->line, 4);
        assert_int_equal(b->items[1]->column, 5);
        assert_true(yaml_get(b->items[1], "c")->quoted);
        assert_ok(yaml_str(at(doc, "d"), &s, &err), &err);
        assert_string_equal(s, "two\nlines\n");
        assert_int_equal(at(doc, "e")->kind, YAML_NULL);
        assert_int_equal(at(doc, "f")->kind, YAML_NULL);
        assert_int_equal(at(doc, "g")->kind, YAML_TEXT);
        assert_null(yaml_get(yaml_root(doc), "missing"));
        assert_null(yaml_get(b, "list has no keys"));
        assert_int_equal(yaml_key(yaml_root(doc), "d")->line, 5);
}

static void scalars(void **state)
{
        AUTO(yaml_doc_free_p)
        struct yaml_doc *doc =
                parse("i: -5\nb: true\nd: 1m30s\ns: 4KiB\nt: 2026-11-21T19:30:48Z\nc: two\nv: 1.10\n");
        static const char *const choices[] = {"one", "two"};
        struct err err = ERR_INIT;
        const char *text;
        uint64_t size;
        size_t choice;
        int64_t i;
        bool flag;

        (void)state;
        assert_ok(yaml_int(at(doc, "i"), -5, 5, &i, &err), &err);
        assert_int_equal(i, -5);
        assert_ok(yaml_bool(at(doc, "b"), &flag, &err), &err);
        assert_true(flag);
        assert_ok(yaml_duration(at(doc, "d"), &i, &err), &err);
        assert_int_equal(i, 90000);
        assert_ok(yaml_size(at(doc, "s"), &size, &err), &err);
        assert_int_equal(size, 4096);
        assert_ok(yaml_time(at(doc, "t"), &i, &err), &err);
        assert_int_equal(i, 1795289448000);
        assert_ok(yaml_choice(at(doc, "c"), choices, 2, &choice, &err), &err);
        assert_int_equal(choice, 1);
        assert_ok(yaml_str(at(doc, "v"), &text, &err), &err);
        assert_string_equal(text, "1.10");
}

static void places(void **state)
{
        AUTO(yaml_doc_free_p) struct yaml_doc *doc = parse("digets: x\nn: [1]\nq: 'true'\n");
        static const char *const names[] = {"digests", "n", "q"};
        struct err err = ERR_INIT;
        const struct yaml_node *node;
        const char *s;
        int64_t i;
        bool flag;

        (void)state;
        assert_err(yaml_only(yaml_root(doc), names, 3, &err), ERR_CONFIG, &err,
                   "x.yaml:1:1: unknown key 'digets'; did you mean 'digests'?");
        assert_err(yaml_only(yaml_root(doc), names + 1, 2, &err), ERR_CONFIG, &err, "unknown key 'digets'");
        assert_err(yaml_str(at(doc, "n"), &s, &err), ERR_CONFIG, &err,
                   "x.yaml:2:4: found a list, expected text");
        assert_err(yaml_int(at(doc, "digets"), 0, 1, &i, &err), ERR_CONFIG, &err,
                   "x.yaml:1:9: 'x' is not a whole");
        assert_err(yaml_bool(at(doc, "q"), &flag, &err), ERR_CONFIG, &err, "expected true or false");
        assert_err(yaml_need(yaml_root(doc), "z", &node, &err), ERR_CONFIG, &err,
                   "x.yaml:1:1: key 'z' is missing");
        assert_err(yaml_want_map(at(doc, "n"), &err), ERR_CONFIG, &err, "expected a map");
        assert_err(yaml_want_list(at(doc, "n"), 0, &err), ERR_CONFIG, &err, "at most 0");
        assert_err(yaml_choice(at(doc, "q"), names, 3, &(size_t){0}, &err), ERR_CONFIG, &err,
                   "found 'true', expected digests, n or q");
}

static void not_from_a_file(void **state)
{
        AUTO(yaml_doc_free_p) struct yaml_doc *doc = NULL;
        struct err err = ERR_INIT;
        int64_t i;

        (void)state;
        assert_ok(yaml_text("x", "AVOW_AGENT_X", &doc, &err), &err);
        assert_err(yaml_int(yaml_root(doc), 0, 1, &i, &err), ERR_CONFIG, &err, "AVOW_AGENT_X: 'x' is not");
}

static void empty(void **state)
{
        static const char *const texts[] = {"", "# only a comment\n", "---\n", "~"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
                AUTO(yaml_doc_free_p) struct yaml_doc *doc = parse(texts[i]);

                assert_int_equal(yaml_root(doc)->kind, YAML_NULL);
        }
}

/* --- limits --- */

static void limits(void **state)
{
        struct err err = ERR_INIT;
        struct yaml_doc *doc;
        char deep[2 * YAML_DEPTH_LIMIT + 8];

        (void)state;
        POISON(doc);
        memset(deep, '[', YAML_DEPTH_LIMIT + 1);
        memset(deep + YAML_DEPTH_LIMIT + 1, ']', YAML_DEPTH_LIMIT + 1);
        deep[2 * YAML_DEPTH_LIMIT + 2] = '\0';
        assert_err(yaml_parse(view_str(deep), "x", 1000, &doc, &err), ERR_LIMIT, &err, "nested too deeply");
        assert_err(yaml_parse(view_str("a: 1"), "x", 3, &doc, &err), ERR_LIMIT, &err, "at most 3");
        assert_poisoned(doc);
}

/* Many keys, and the last of them twice: found, and not by comparing each with each. */
static void many_keys(void **state)
{
        AUTO(buf_free) struct buf b = {0};
        struct err err = ERR_INIT;
        struct yaml_doc *doc;

        (void)state;
        for (int i = 0; i < 20000; i++)
                buf_fmt(&b, "k%d: v\n", i);
        buf_str(&b, "k19999: v\n");
        assert_err(yaml_parse(VIEW_BUF(&b), "x", 1 << 20, &doc, &err), ERR_CONFIG, &err,
                   "x:20001:1: key 'k19999' was already given in line 20000");
}

/* --- malformed --- */

struct refusal {
        const char *text, *part;
};

static void refused(void **state)
{
        static const struct refusal refusals[] = {
                {"a: &x 1\n", "x.yaml:1:4: tags and anchors"},
                {"a: &x [1]\n", "tags and anchors"},
                {"a: &x {b: 1}\n", "tags and anchors"},
                {"a: !!str 1\n", "tags and anchors"},
                {"a: !mine [1]\n", "tags and anchors"},
                {"<<: {b: 1}\n", "merge keys"},
                {"a: 1\nb: 2\na: 3\n", "x.yaml:3:1: key 'a' was already given in line 1"},
                {"a: {b: 1, b: 2}\n", "x.yaml:1:11: key 'b'"},
                {"? [a]\n: 1\n", "a key must be text"},
                {"~: 1\n", "a key must be text"},
                {"a: \"\\0\"\n", "NUL"},
                {"%YAML 1.1\n---\na: 1\n", "directives"},
                {"a: 1\n---\nb: 2\n", "second document"},
                {"a: [1\n", "x.yaml:"},
                {"a: 1\n b: 2\n", "x.yaml:"},
                {"\tx: 1\n", "x.yaml:"},
                {"a: \xff\n", "x.yaml:"},
                {"a: 'x\n", "x.yaml:"},
                {"a: *x\n", "x.yaml:"},
        };
        struct err err = ERR_INIT;
        struct yaml_doc *doc;

        (void)state;
        POISON(doc);
        for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
                assert_err(yaml_parse(view_str(refusals[i].text), "x.yaml", 1000, &doc, &err), ERR_CONFIG,
                           &err, refusals[i].part);
        assert_poisoned(doc);
}

static void any_answer(struct view bytes, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        struct yaml_doc *doc = NULL;

        (void)what;
        (void)ctx;
        if (yaml_parse(bytes, "x", 1000, &doc, &err) < 0)
                assert_null(doc);
        yaml_doc_free(doc);
}

static void changed(void **state)
{
        struct view good = view_str("a: [1, 'x', \"\\n\"]\nb:\n  c: |\n    t\n  d: ~ # e\n");

        (void)state;
        each_truncation(good, any_answer, NULL);
        each_bit_flip(good, any_answer, NULL);
}

/* --- several documents --- */

static void documents(void **state)
{
        AUTO(yaml_doc_free_p) struct yaml_doc *doc = NULL;
        struct yaml_doc *more = NULL;
        struct view text = view_str("a: |\n  one\n---\nb: 'two'\n...\n---\nc: 3\n");
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(yaml_parse_many(text, "x", 100, 3, &doc, &err), &err);
        assert_int_equal(yaml_n_documents(doc), 3);
        assert_ptr_equal(yaml_root(doc), yaml_root_of(doc, 0));
        assert_true(yaml_get(yaml_root(doc), "a")->literal);
        assert_int_equal(yaml_root_of(doc, 1)->line, 4);
        assert_false(yaml_get(yaml_root_of(doc, 1), "b")->literal);
        assert_string_equal(yaml_get(yaml_root_of(doc, 2), "c")->text, "3");
        assert_err(yaml_parse_many(text, "x", 100, 2, &more, &err), ERR_LIMIT, &err,
                   "x:6:1: more than 2 documents");
}

/* --- out of memory (ours; libyaml's own is not reached) --- */

static int parse_once(void *ctx, struct err *err)
{
        static const char *const choices[] = {"1", "2"};
        AUTO(yaml_doc_free_p) struct yaml_doc *doc = NULL;
        AUTO(yaml_doc_free_p) struct yaml_doc *text = NULL;
        size_t choice;
        int r = yaml_parse(view_str("a: [1, 2, {b: c}]\n"), "x", 100, &doc, err);

        (void)ctx;
        if (r == 0)
                r = yaml_text("2", "y", &text, err);
        return r < 0 ? r : yaml_choice(yaml_root(text), choices, 2, &choice, err);
}

static void out_of_memory(void **state)
{
        (void)state;
        oom_each(parse_once, NULL);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(tree),          cmocka_unit_test(scalars),
                cmocka_unit_test(places),        cmocka_unit_test(not_from_a_file),
                cmocka_unit_test(empty),         cmocka_unit_test(limits),
                cmocka_unit_test(many_keys),     cmocka_unit_test(refused),
                cmocka_unit_test(documents),     cmocka_unit_test(changed),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
