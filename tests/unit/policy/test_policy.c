/* SPDX-License-Identifier: Apache-2.0 */
/* Policies as people write them: what is read, what is refused and in which words, what is found by digest.
 */
#include "policy/policy.h"

#include <stdlib.h>

#include "base/hex.h"
#include "support/support.h"
#include "unit/policy/texts.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define D "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
#define HEAD                                                                                                 \
        "format: avow-policy/1\n"                                                                            \
        "name: edge\n"

static const char full[] =
        HEAD "description: Node on the edge\n"
             "pcr:\n"
             "  bank: sha256\n"
             "  measurements: 14\n"
             "  values:\n"
             "    0: " A "\n"
             "    7: [" A ", " B "]\n"
             "freshness: {interval: 30s, grace: 10s, lease: 1m}\n"
             "runtimes:\n"
             "  - name: node\n"
             "    files:\n"
             "      - path: /usr/bin/node\n"
             "        digests:\n"
             "          - digest: " A "\n"
             "            until: 2026-12-01T00:00:00Z\n"
             "            comment: 20.19.1\n"
             "          - " B "\n"
             "      - path: /usr/lib/libnode.so\n"
             "        digests: " C "\n"
             "  - name: wasmtime\n"
             "    required: false\n"
             "    path: /usr/bin/wasmtime\n"
             "    digests: [" B "]\n"
             "records:\n"
             "  - string: 'machine-id:*'\n"
             "    comment: systemd\n"
             "  - digest: " D "\n"
             "deny:\n"
             "  - digest: 00000000000000000000000000000000000000000000000000000000000000ff\n"
             "    comment: CVE-2026-1\n"
             "mode: observe\n"
             "on_fail: suspend\n";

static struct policy *parse(const char *text)
{
        struct err err = ERR_INIT;
        struct policy *p = NULL;
        struct guarded g;

        assert_ok(policy_parse(guard_bytes(&g, view_str(text)), "edge.yaml", &p, &err), &err);
        guard_free(&g);
        return p;
}

static const uint8_t *bytes_of(char digit)
{
        static uint8_t v[32];
        uint8_t nibble = (uint8_t)(digit - 'a' + 10);

        memset(v, nibble << 4 | nibble, sizeof(v));
        return v;
}

/* --- vectors --- */

static void reads_all(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = parse(full);
        struct err err = ERR_INIT;
        struct digest want;

        (void)state;
        assert_string_equal(p->name, "edge");
        assert_string_equal(p->description, "Node on the edge");
        assert_string_equal(p->source, "edge.yaml");
        assert_ok(digest_bytes(DIGEST_SHA256, view_str(full), &want, &err), &err);
        assert_true(digest_equal(&want, &p->sha256));
        assert_int_equal(p->bank, DIGEST_SHA256);
        assert_int_equal(p->pcr, 14);
        assert_int_equal(p->pcr_mask, 1u << 14 | 1u << 0 | 1u << 7);
        assert_true(p->judges_log);
        assert_false(p->enforced);
        assert_int_equal(p->interval_ms, 30000);
        assert_int_equal(p->grace_ms, 10000);
        assert_int_equal(p->lease_ms, 60000);
        assert_int_equal(p->n_runtimes, 2);
        assert_int_equal(p->n_files, 3);
        assert_int_equal(p->n_digests, 5);
        assert_int_equal(p->n_records, 2);
        assert_int_equal(p->n_denied, 1);
        assert_int_equal(p->pcrs[7].n, 2);
        assert_int_equal(p->pcrs[7].line, 9);
}

static void reads_runtimes(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = parse(full);

        (void)state;
        assert_string_equal(p->runtimes[0].name, "node");
        assert_true(p->runtimes[0].required);
        assert_int_equal(p->runtimes[0].n, 2);
        assert_string_equal(p->files[0].path, "/usr/bin/node");
        assert_int_equal(p->files[0].n, 2);
        assert_int_equal(p->files[1].first, 2);
        assert_int_equal(p->files[1].n, 1);
        assert_false(p->runtimes[1].required);
        assert_int_equal(p->runtimes[1].first, 2);
        assert_int_equal(p->files[2].runtime, 1);
        assert_string_equal(p->digests[0].comment, "20.19.1");
        assert_int_equal(p->digests[0].until_ms, 1796083200000);
        assert_int_equal(p->digests[0].line, 16);
        assert_int_equal(p->digests[1].line, 19);
        assert_null(p->digests[1].comment);
        assert_true(p->digests[1].until_ms == POLICY_NEVER);
        assert_string_equal(p->records[0].string, "machine-id:*");
        assert_int_equal(p->records[1].digest, 4);
        assert_string_equal(p->denied[0].comment, "CVE-2026-1");
}

static void finds_by_digest(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = parse(full);
        const struct policy_digest *d;
        uint8_t denied[32] = {[31] = 0xff};

        (void)state;
        d = policy_find(p, bytes_of('a'), NULL);
        assert_ptr_equal(d, &p->digests[0]);
        assert_null(policy_find(p, bytes_of('a'), d));
        d = policy_find(p, bytes_of('b'), NULL); /* two runtimes allow it */
        assert_ptr_equal(d, &p->digests[1]);
        assert_string_equal(policy_runtime_of(p, d)->name, "node");
        d = policy_find(p, bytes_of('b'), d);
        assert_ptr_equal(d, &p->digests[3]);
        assert_string_equal(policy_runtime_of(p, d)->name, "wasmtime");
        assert_null(policy_find(p, bytes_of('b'), d));
        assert_null(policy_runtime_of(p, policy_find(p, bytes_of('d'), NULL)));
        assert_null(policy_find(p, bytes_of('e'), NULL));
        assert_null(policy_find_denied(p, bytes_of('a')));
        assert_ptr_equal(policy_find_denied(p, denied), &p->denied[0]);
        assert_null(policy_find(p, denied, NULL));
}

static void defaults(void **state)
{
        AUTO(policy_unref_p)
        struct policy *p = parse(HEAD "runtimes: []\n");
        AUTO(policy_unref_p)
        struct policy *only_pcrs =
                parse(HEAD "pcr: {bank: sha384, values: {4: " A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}}\n");

        (void)state;
        assert_true(p->enforced && p->judges_log);
        assert_int_equal(p->pcr_mask, 1u << 15);
        assert_int_equal(p->interval_ms, 0);
        assert_string_equal(p->description, "");
        assert_false(only_pcrs->judges_log);
        assert_int_equal(only_pcrs->pcr_mask, 1u << 4);
        assert_int_equal(only_pcrs->digest_size, 48);
}

static void shared(void **state)
{
        struct policy *p = parse(full);

        (void)state;
        assert_ptr_equal(policy_ref(p), p);
        policy_unref(p);
        assert_string_equal(p->name, "edge");
        policy_unref(p);
        policy_unref(NULL);
}

static void globs(void **state)
{
        static const struct {
                const char *pattern, *text;
                bool match;
        } rows[] = {
                {"machine-id:*", "machine-id:0123", true},
                {"machine-id:*", "machine-id:", true},
                {"machine-id:*", "machine-i", false},
                {"machine-id:????", "machine-id:0123", true},
                {"machine-id:????", "machine-id:01234", false},
                {"a*b*c", "axxbyyc", true},
                {"a*b*c", "abcbc", true},
                {"a*b*c", "axxbyyd", false},
                {"plain", "plain", true},
                {"plain", "plainer", false},
                {"", "", true},
                {"", "x", false},
                {"*", "", true},
                {"a**", "a", true},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                if (policy_glob(rows[i].pattern, view_str(rows[i].text)) != rows[i].match)
                        fail_msg("'%s' against '%s'", rows[i].pattern, rows[i].text);
}

/* --- limits --- */

/* 200,000 digests in one file: read, indexed and found in reasonable time. */
static void a_fleet_of_digests(void **state)
{
        AUTO(buf_free)
        struct buf text = {0};
        AUTO(policy_unref_p)
        struct policy *p = NULL;
        struct err err = ERR_INIT;
        uint8_t key[32] = {0};
        const uint32_t n = 200000;

        (void)state;
        buf_str(&text, HEAD "runtimes:\n- name: all\n  digests:\n");
        for (uint32_t i = 0; i < n; i++)
                buf_fmt(&text, "  - %08x%056x\n", i * 2654435761u, i); /* no order in the text */
        assert_true(buf_ok(&text));
        assert_ok(policy_parse(VIEW_BUF(&text), "fleet.yaml", &p, &err), &err);
        assert_int_equal(p->n_digests, n);
        for (uint32_t i = 0; i < n; i++) {
                uint32_t high = i * 2654435761u;
                const struct policy_digest *d;

                for (size_t k = 0; k < 4; k++) {
                        key[k] = (uint8_t)(high >> (24 - 8 * k));
                        key[28 + k] = (uint8_t)(i >> (24 - 8 * k));
                }
                d = policy_find(p, key, NULL);
                if (!d || d->line != 6 + i)
                        fail_msg("digest %u is lost", i);
        }
        key[5] = 1;
        assert_null(policy_find(p, key, NULL));
}

/* --- malformed --- */

static const struct wrong_text wrong[] = {
        {"", "expected"},
        {"[]", "edge.yaml:1:1"},
        {"name: edge\nruntimes: []\n", "format"},
        {"format: avow-policy/3\nname: edge\nruntimes: []\n", "edge.yaml:1:9"},
        {"format: avow-policy/1\nruntimes: []\n", "name"},
        {HEAD "ima: {}\n", "edge.yaml:3:1: 'ima' needs 'format: avow-policy/2'"},
        {HEAD "runtimes: []\nfreshness: {reappraise_within: 1m}\n", "unknown key 'reappraise_within'"},
        {"format: avow-policy/1\nname: 'a b'\nruntimes: []\n", "is no name"},
        {HEAD, "demands nothing"},
        {HEAD "runtime: []\n", "did you mean 'runtimes'"},
        {HEAD "runtimes: []\nruntimes: []\n", "edge.yaml:4:1"},
        {HEAD "runtimes: {}\n", "list"},
        {HEAD "runtimes:\n- name: a\n", "no 'digests' and no 'files'"},
        {HEAD "runtimes:\n- name: a\n  digests: []\n", "at least one"},
        {HEAD "runtimes:\n- name: a\n  files: []\n", "at least one"},
        {HEAD "runtimes:\n- name: a\n  digets: [" A "]\n", "edge.yaml:5:3: unknown key 'digets'"},
        {HEAD "runtimes:\n- digests: [" A "]\n", "name"},
        {HEAD "runtimes:\n- name: a\n  digests: [" A ", " A "]\n", "the same digest"},
        {HEAD "runtimes:\n- name: a\n  digests: [" A "]\n- name: a\n  digests: [" B "]\n",
         "stands already in line 4"},
        {HEAD "runtimes:\n- name: a\n  path: /x\n  files: [{digests: " A "}]\n", "a single file"},
        {HEAD "runtimes:\n- name: a\n  files: [{path: /x}]\n", "digests"},
        {HEAD "runtimes:\n- name: a\n  files: [{path: /x, digest: " A "}]\n", "did you mean 'digests'"},
        {HEAD "runtimes:\n- name: a\n  required: maybe\n  digests: " A "\n", "edge.yaml:5:13"},
        {HEAD "runtimes:\n- name: a\n  digests: [xyz]\n", "is no digest: expected 64 hexadecimal digits"},
        {HEAD "runtimes:\n- name: a\n  digests: [abcd]\n", "a digest of 4 digits; sha256 has 64"},
        {HEAD "runtimes:\n- name: a\n  digests: [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n",
         "sha1 is never enough"},
        {HEAD "runtimes:\n- name: a\n  digests: [" A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n",
         "write 'pcr: {bank: sha384}'"},
        {HEAD "runtimes:\n- name: a\n  digests: [{digest: " A ", til: x}]\n", "unknown key 'til'"},
        {HEAD "runtimes:\n- name: a\n  digests: [{digest: " A ", until: soon}]\n", "edge.yaml:5:95"},
        {HEAD "runtimes:\n- name: a\n  digests: [{comment: x}]\n", "digest"},
        {HEAD "pcr: {bank: sha1}\nruntimes: []\n", "edge.yaml:3:13"},
        {HEAD "pcr: {banks: sha256}\nruntimes: []\n", "did you mean 'bank'"},
        {HEAD "pcr: {measurements: 10}\nruntimes: []\n", "file measurements"},
        {HEAD "pcr: {measurements: 16}\nruntimes: []\n", "edge.yaml:3:21"},
        {HEAD "pcr: {values: {15: " A "}}\n", "it holds the measurements"},
        {HEAD "pcr: {values: {10: " A "}}\n", "PCR 10"},
        {HEAD "pcr: {values: {16: " A "}}\n", "anybody on the host can reset it"},
        {HEAD "pcr: {values: {24: " A "}}\n", "edge.yaml:3:16"},
        {HEAD "pcr: {values: {0: []}}\n", "no value for PCR 0"},
        {HEAD "pcr: {values: {0: abcd}}\n", "a digest of 4 digits"},
        {HEAD "runtimes: []\nfreshness: {interval: 0}\n", "between 100ms and 1d"},
        {HEAD "runtimes: []\nfreshness: {interval: 30}\n", "edge.yaml:4:23"},
        {HEAD "runtimes: []\nfreshness: {interval: 30s, lease: 10s}\n", "'lease' is shorter than 'interval'"},
        {HEAD "runtimes: []\nfreshness: {graze: 30s}\n", "did you mean 'grace'"},
        {HEAD "runtimes: []\nmode: watch\n", "edge.yaml:4:7"},
        {HEAD "runtimes: []\non_fail: destroyed\n", "edge.yaml:4:10"},
        {HEAD "runtimes: []\non_fail: {reaction: wipe}\n", "edge.yaml:4:21"},
        {HEAD "runtimes: []\non_fail: {destroy_after: 1m}\n", "delays nothing"},
        {HEAD "runtimes: []\non_fail: {reaction: destroy, destroy_after: 31d}\n", "30d or less"},
        {HEAD "runtimes: []\non_fail: {reaction: destroy, destroy_after: 5}\n", "edge.yaml:4:45"},
        {HEAD "runtimes: []\non_fail: {destroy_now: [critical, grave]}\n", "edge.yaml:4:35"},
        {HEAD "runtimes: []\non_fail: {destroy_now: [error, error]}\n", "twice"},
        {HEAD "runtimes: []\non_fail: {destroy: now}\n", "unknown key 'destroy'"},
        {HEAD "runtimes: []\non_fail: [destroy]\n", "edge.yaml:4"},
        {HEAD "records: [{string: '*'}]\n", "would allow any record"},
        {HEAD "records: [{string: 'a*', digest: " A "}]\n", "not by both"},
        {HEAD "records: [{string: 'a*', until: x}]\n", "unknown key 'until'"},
        {HEAD "records: [{strin: 'a*'}]\n", "did you mean 'string'"},
        {HEAD "runtimes: [{name: a, digests: " A "}]\ndeny: [" A "]\n",
         "edge.yaml:4:1: denies the digest that line 3 allows"},
        {HEAD "runtimes: []\ndeny: [{digest: " A ", until: 2026-12-01T00:00:00Z}]\n", "unknown key 'until'"},
        {HEAD "runtimes: *x\n", "edge.yaml:3"},
        {HEAD "runtimes: [", "edge.yaml"},
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
        struct policy *p = NULL;
        int r = policy_parse(view_str(full), "edge.yaml", &p, err);

        (void)ctx;
        policy_unref(p);
        return r;
}

static void out_of_memory(void **state)
{
        (void)state;
        oom_each(parse_full, NULL);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(reads_all),
                cmocka_unit_test(reads_runtimes),
                cmocka_unit_test(finds_by_digest),
                cmocka_unit_test(defaults),
                cmocka_unit_test(shared),
                cmocka_unit_test(globs),
                cmocka_unit_test(a_fleet_of_digests),
                cmocka_unit_test(refuses),
                cmocka_unit_test(every_truncation_and_flip),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
