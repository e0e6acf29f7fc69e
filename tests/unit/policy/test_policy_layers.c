/* SPDX-License-Identifier: Apache-2.0 */
/* Policies in layers: what they are based on, what some hosts have beside it, and several versions of all
 * that in force at once. */
#include <unistd.h>

#include "policy/policy_boot.h"
#include "policy/policy_ima.h"
#include "support/support.h"
#include "unit/policy/texts.h"

#define A     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B     "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C     "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define D     "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
#define E     "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
#define FIRST 1767225600000 /* 2026-01-01 */
#define HEAD  "format: avow-policy/2\nname: edge\n"

static const char full[] = HEAD "based_on: debian\n"
                                "freshness: {interval: 10s, reappraise_within: 3m}\n"
                                "runtimes: [{name: node, digests: " A "}]\n"
                                "deny: [" C "]\n"
                                "pcr: {values: {1: " A "}}\n"
                                "ima:\n"
                                "  allow: [{digest: " A ", path: /a, comment: mine}]\n"
                                "  required: [/a]\n"
                                "  waive: kernel\n"
                                "boot: {secure_boot: any, loaders: [" A "]}\n"
                                "overlays:\n"
                                "  - hosts: [web-1, 'db-*']\n"
                                "    comment: trial\n"
                                "    ima: {allow: [" E "], violations: allow}\n"
                                "  - hosts: web-*\n"
                                "    boot: {kernels: [{file: " E "}]}\n"
                                "---\n"
                                "format: avow-policy/2\n"
                                "name: debian\n"
                                "mode: observe\n"
                                "on_fail: destroy\n"
                                "freshness: {interval: 30s, lease: 1m}\n"
                                "runtimes: [{name: node, digests: " B "}, {name: base, digests: " C "}]\n"
                                "pcr: {values: {1: " B ", 2: " B "}}\n"
                                "ima:\n"
                                "  violations: warn\n"
                                "  allow: [{digest: " B ", path: /b, comment: theirs}, {digest: " D "}]\n"
                                "  required: [/b, /a]\n"
                                "boot: {loaders: [" B "], kernels: [{file: " C "}]}\n";

static struct policy *parse(const char *text)
{
        struct err err = ERR_INIT;
        struct policy *p = NULL;
        struct guarded g;

        assert_ok(policy_parse(guard_bytes(&g, view_str(text)), "edge.yaml", &p, &err), &err);
        guard_free(&g);
        return p;
}

/* 32 bytes. */
static struct view bytes(char digit)
{
        static uint8_t v[32];
        uint8_t nibble = (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);

        memset(v, nibble << 4 | nibble, sizeof(v));
        return VIEW(v, 32);
}

static struct policy_effective *for_host(struct policy *p, const char *host)
{
        struct policy_version v = {.policy = p, .version = 1, .until_ms = POLICY_NEVER};
        struct policy_effective *e = NULL;
        struct err err = ERR_INIT;

        assert_ok(policy_effective_new_for(&v, 1, host, FIRST, &e, &err), &err);
        return e;
}

static struct policy_effective *both(struct policy *newest, struct policy *older)
{
        struct policy_version v[] = {{newest, 2, POLICY_NEVER}, {older, 1, FIRST + 1000}};
        struct policy_effective *e = NULL;
        struct err err = ERR_INIT;

        assert_ok(policy_effective_new(v, 2, FIRST, &e, &err), &err);
        return e;
}

static enum allow_answer ask(const struct policy_effective *e, char digit, const char *path,
                             struct policy_file_match *m)
{
        return policy_effective_file(e, DIGEST_SHA256, bytes(digit), view_str(path), m);
}

/* --- vectors --- */

static void the_nearest_says(void **state)
{
        AUTO(policy_unref_p) struct policy *p = parse(full);

        (void)state;
        assert_string_equal(p->name, "edge");
        assert_false(p->enforced);
        assert_true(p->on_fail.destroy);
        assert_int_equal(p->interval_ms, 10000);
        assert_int_equal(p->lease_ms, 60000);
        assert_int_equal(p->reappraise_ms, 180000);
        assert_int_equal(p->n_runtimes, 2);
        assert_string_equal(p->runtimes[0].name, "node");
        assert_non_null(policy_find(p, bytes('a').p, NULL));
        assert_null(policy_find(p, bytes('b').p, NULL)); /* the base's node is not this policy's */
        assert_int_equal(p->pcrs[1].n, 1);
        assert_true(view_equal(digest_view(&p->pcrs[1].values[0]), bytes('a')));
        assert_int_equal(p->pcrs[2].n, 1);
        assert_non_null(policy_find_denied(p, bytes('c').p)); /* what the base allows can be denied */
        assert_int_equal(p->n_parts, 4);
        assert_string_equal(p->parts[0].name, "edge, overlay 2");
        assert_string_equal(p->parts[1].name, "edge, overlay 1: trial");
        assert_string_equal(p->parts[1].host_texts[1], "db-*");
        assert_string_equal(p->parts[2].name, "edge");
        assert_string_equal(p->parts[3].name, "debian");
}

static void what_any_layer_allows(void **state)
{
        AUTO(policy_unref_p) struct policy *p = parse(full);
        AUTO(policy_effective_free_p) struct policy_effective *e = for_host(p, NULL);
        const struct policy_value *value;
        struct policy_file_match m;

        (void)state;
        assert_int_equal(ask(e, 'a', "/a", &m), ALLOW_ALLOWED);
        assert_string_equal(m.source.part->name, "edge");
        assert_int_equal(ask(e, 'b', "/b", &m), ALLOW_ALLOWED);
        assert_string_equal(m.source.part->name, "debian");
        assert_string_equal(m.entry.label, "theirs");
        assert_int_equal(m.entry.line, 29);
        assert_int_equal(ask(e, 'a', "/b", &m), ALLOW_ELSEWHERE);
        assert_int_equal(policy_effective_n_required(e), 2);
        assert_string_equal(policy_effective_required(e, 0, NULL)->path, "/a");
        assert_string_equal(policy_effective_required(e, 1, NULL)->path, "/b");
        assert_int_equal(policy_effective_violations(e), POLICY_VIOLATIONS_WARN);
        assert_int_equal(policy_effective_secure_boot(e), POLICY_SECURE_BOOT_ANY);
        assert_true(policy_effective_waives(e, POLICY_WAIVE_KERNEL));
        assert_int_equal(policy_effective_boot_find(e, POLICY_BOOT_LOADERS, bytes('a'), &value, NULL),
                         POLICY_ALLOWED);
        assert_int_equal(policy_effective_boot_find(e, POLICY_BOOT_LOADERS, bytes('b'), &value, NULL),
                         POLICY_ALLOWED);
        assert_int_equal(policy_effective_reappraise_ms(e, 10000), 180000);
}

static void overlays(void **state)
{
        AUTO(policy_unref_p) struct policy *p = parse(full);
        AUTO(policy_effective_free_p) struct policy_effective *none = for_host(p, "mail-1");
        AUTO(policy_effective_free_p) struct policy_effective *web = for_host(p, "web-1");
        AUTO(policy_effective_free_p) struct policy_effective *web2 = for_host(p, "web-2");
        AUTO(policy_effective_free_p) struct policy_effective *web3 = for_host(p, "web-3");
        AUTO(buf_free) struct buf a = {0}, b = {0}, c = {0};
        struct policy_version v = {.policy = p, .version = 1, .until_ms = POLICY_NEVER};
        struct policy_boot_pos pos = {0};

        (void)state;
        assert_int_equal(ask(none, 'e', "/x", NULL), ALLOW_UNKNOWN);
        assert_int_equal(ask(web, 'e', "/x", NULL), ALLOW_ALLOWED);
        assert_int_equal(ask(web2, 'e', "/x", NULL), ALLOW_UNKNOWN);
        assert_int_equal(policy_effective_violations(web), POLICY_VIOLATIONS_ALLOW);
        assert_true(policy_kernel_is(policy_effective_next_kernel(web2, &pos, NULL), bytes('e'), true));
        assert_true(policy_kernel_is(policy_effective_next_kernel(web2, &pos, NULL), bytes('c'), true));
        assert_null(policy_effective_next_kernel(web2, &pos, NULL));
        assert_false(digest_equal(policy_effective_digest(none), policy_effective_digest(web)));
        assert_false(digest_equal(policy_effective_digest(web), policy_effective_digest(web2)));
        assert_true(digest_equal(policy_effective_digest(web2), policy_effective_digest(web3)));
        assert_true(policy_overlays_of(&v, 1, "web-2", &a) && policy_overlays_of(&v, 1, "web-3", &b) &&
                    policy_overlays_of(&v, 1, "web-1", &c));
        assert_true(view_equal(VIEW_BUF(&a), VIEW_BUF(&b)) && !view_equal(VIEW_BUF(&a), VIEW_BUF(&c)));
}

/* In the middle of a roll-out: what one version allows is allowed, what all demand is demanded. */
static void versions_overlap(void **state)
{
        AUTO(policy_unref_p)
        struct policy *one = parse(HEAD "ima:\n  allow: [" A "]\n  required: [/a, /b]\n"
                                        "boot: {loaders: [" A "], kernels: []}\n");
        AUTO(policy_unref_p)
        struct policy *two = parse(HEAD "ima:\n  allow: [" B "]\n  required: [/c, /b]\n"
                                        "  violations: allow\n  waive: rules\n  deny: [" C "]\n"
                                        "boot: {loaders: [" B "], secure_boot: off}\n");
        AUTO(policy_unref_p) struct policy *neither = parse(HEAD "runtimes: []\n");
        AUTO(policy_effective_free_p) struct policy_effective *e = both(two, one);
        AUTO(policy_effective_free_p) struct policy_effective *half = both(two, neither);
        const struct policy_value *value;
        const char *comment;
        uint32_t line;

        (void)state;
        assert_int_equal(ask(e, 'a', "/x", NULL), ALLOW_ALLOWED);
        assert_int_equal(ask(e, 'b', "/x", NULL), ALLOW_ALLOWED);
        assert_int_equal(policy_effective_n_required(e), 1);
        assert_string_equal(policy_effective_required(e, 0, NULL)->path, "/b");
        assert_int_equal(policy_effective_violations(e), POLICY_VIOLATIONS_ALLOW);
        assert_true(policy_effective_waives(e, POLICY_WAIVE_RULES));
        assert_true(policy_effective_file_denied(e, DIGEST_SHA256, bytes('c'), &comment, &line));
        assert_int_equal(policy_effective_secure_boot(e), POLICY_SECURE_BOOT_ANY);
        assert_int_equal(policy_effective_boot_find(e, POLICY_BOOT_LOADERS, bytes('a'), &value, NULL),
                         POLICY_ALLOWED);
        assert_true(policy_effective_judges_boot_list(e, POLICY_BOOT_LOADERS));
        assert_false(policy_effective_judges_kernels(e));
        assert_false(policy_effective_judges_ima(half) || policy_effective_judges_boot(half));
        assert_int_equal(policy_effective_changes_at_ms(e), FIRST + 1000);
}

/* A policy without layers has the digest that it had before there were any. */
static void old_digests_stay(void **state)
{
        AUTO(policy_unref_p) struct policy *p = parse("format: avow-policy/1\nname: edge\nruntimes: []\n");
        AUTO(policy_effective_free_p) struct policy_effective *e = for_host(p, "web-1");
        AUTO(buf_free) struct buf text = {0};
        struct digest want;
        struct err err = ERR_INIT;

        (void)state;
        buf_str(&text, "avow/effective-policy/v1");
        buf_be32(&text, 1);
        buf_be64(&text, (uint64_t)POLICY_NEVER);
        buf_put_view(&text, digest_view(&p->sha256));
        assert_ok(digest_bytes(DIGEST_SHA256, VIEW_BUF(&text), &want, &err), &err);
        assert_true(digest_equal(&want, policy_effective_digest(e)));
}

/* --- limits --- */

/* What is large in every way at once is read and put in force in time that grows no faster than the text. */
static void hostile_sizes(void **state)
{
        AUTO(buf_free) struct buf text = {0};
        AUTO(policy_unref_p) struct policy *p = NULL;
        AUTO(policy_effective_free_p) struct policy_effective *e = NULL;
        struct err err = ERR_INIT;

        (void)state;
        buf_str(&text, HEAD "based_on: debian\ndeny: [" A "]\nima:\n  required:\n");
        for (int i = 0; i < 50000; i++)
                buf_fmt(&text, "  - /usr/bin/program-%d\n", i);
        buf_str(&text, "overlays:\n");
        for (int i = 0; i < 2000; i++)
                buf_fmt(&text, "- {hosts: 'web-*', ima: {required: [/usr/bin/program-%d, /opt/%d]}}\n", i, i);
        buf_str(&text, "---\nformat: avow-policy/2\nname: debian\nruntimes:\n");
        for (int i = 0; i < 1000; i++)
                buf_fmt(&text, "- {name: r%d, files: [{digests: " A "}, {digests: " A "}]}\n", i);
        assert_true(buf_ok(&text));
        alarm(60); /* what is quadratic takes longer */
        assert_ok(policy_parse(VIEW_BUF(&text), "edge.yaml", &p, &err), &err);
        e = for_host(p, "web-1");
        assert_int_equal(policy_effective_n_required(e), 52000);
        alarm(0);
}

/* --- malformed --- */

#define NEXT "---\nformat: avow-policy/2\n"
static const struct wrong_text wrong[] = {
        {HEAD "based_on: debian\nima: {}\n", "edge.yaml:3:11: the text of 'debian' does not follow"},
        {HEAD "ima: {}\n" NEXT "name: debian\nima: {}\n", "nothing is based on it: write 'based_on: debian'"},
        {HEAD "based_on: debian\nima: {}\n" NEXT "name: fedora\nima: {}\n",
         "based on 'debian', but the document that follows is 'fedora'"},
        {HEAD "based_on: debian\nima: {}\n" NEXT "name: debian\nima: {alow: []}\n",
         "edge.yaml:8:7: unknown key 'alow'"},
        {HEAD "based_on: 'a b'\nima: {}\n", "is no name"},
        {HEAD "based_on: debian\npcr: {bank: sha256}\nima: {}\n" NEXT
              "name: debian\npcr: {bank: sha384}\nima: {}\n",
         "bank sha384 in a policy whose other document has sha256"},
        {HEAD "based_on: debian\nruntimes: [{name: a, digests: " A "}, {name: a, digests: " B "}]\n" NEXT
              "name: debian\nima: {}\n",
         "runtime 'a' stands already in line 4"},
        {HEAD "based_on: debian\nfreshness: {interval: 2m}\nima: {}\n" NEXT
              "name: debian\nfreshness: {lease: 1m}\nima: {}\n",
         "'lease' is shorter than 'interval'"},
        {HEAD "overlays: [{hosts: a}]\n", "an overlay that adds nothing"},
        {HEAD "overlays: [{ima: {}}]\n", "key 'hosts' is missing"},
        {HEAD "overlays: [{hosts: a, host: b, ima: {}}]\n", "did you mean 'hosts'"},
        {HEAD "overlays: [{hosts: '**', ima: {}}]\n", "would match every host"},
        {HEAD "overlays: [{hosts: a, ima: {}}]\n", "demands nothing"}, /* of the others */
        {HEAD "ima: []\n", "found a list, expected a map"},
        {"format: avow-policy/1\nname: edge\nbased_on: x\nruntimes: []\n",
         "edge.yaml:3:1: 'based_on' needs 'format: avow-policy/2'"},
};

static void refuses(void **state)
{
        (void)state;
        texts_refused(wrong, ARRAY_LEN(wrong));
}

static void every_truncation_and_flip(void **state)
{
        (void)state;
        text_cut_and_flipped(full);
}

/* --- out of memory --- */

static int parse_full(void *ctx, struct err *err)
{
        struct policy_version v = {.version = 1, .until_ms = POLICY_NEVER};
        struct policy_effective *e = NULL;
        int r = policy_parse(view_str(full), "edge.yaml", &v.policy, err);

        (void)ctx;
        if (r == 0)
                r = policy_effective_new_for(&v, 1, "web-1", FIRST, &e, err);
        policy_effective_free(e);
        policy_unref(v.policy);
        return r;
}

static void out_of_memory(void **state)
{
        (void)state;
        oom_each(parse_full, NULL);
}

static void too_many_documents(void **state)
{
        AUTO(buf_free) struct buf text = {0};
        struct err err = ERR_INIT;
        struct policy *p = NULL;

        (void)state;
        for (int i = 0; i < 9; i++)
                buf_fmt(&text, "---\nformat: avow-policy/2\nname: p%d\nbased_on: p%d\nima: {}\n", i, i + 1);
        assert_err(policy_parse(VIEW_BUF(&text), "edge.yaml", &p, &err), ERR_LIMIT, &err,
                   "more than 8 documents");
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_nearest_says),
                cmocka_unit_test(what_any_layer_allows),
                cmocka_unit_test(overlays),
                cmocka_unit_test(versions_overlap),
                cmocka_unit_test(old_digests_stay),
                cmocka_unit_test(hostile_sizes),
                cmocka_unit_test(refuses),
                cmocka_unit_test(too_many_documents),
                cmocka_unit_test(every_truncation_and_flip),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
