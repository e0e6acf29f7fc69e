/* SPDX-License-Identifier: Apache-2.0 */
/* The section ima: of a policy: what is read, what is found, what is refused and in which words; and what the
 * kernel's measuring rules cover. The certificate is that of tests/vectors/boot. */
#include "policy/policy_ima.h"

#include "base/file.h"
#include "base/hex.h"
#include "policy/ima_rules.h"
#include "policy/policy_boot.h"
#include "support/support.h"
#include "unit/policy/texts.h"

#define A    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C    "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define D    "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
#define E    "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
#define SHA1 "9999999999999999999999999999999999999999"
#define HEAD "format: avow-policy/2\nname: edge\nima:\n"
#define PEM                                                                                                  \
        "        -----BEGIN CERTIFICATE-----\n"                                                              \
        "        MIIBqTCCAU+gAwIBAgIUfLCCqbBtGH2jNMOsyvkdWn76bFAwCgYIKoZIzj0EAwIw\n"                         \
        "        JTEjMCEGA1UEAwwaSU1BIHRlc3QgRUNEU0Egc2lnbmluZyBrZXkwHhcNMjYxMTIx\n"                         \
        "        MTcyOTMzWhcNMzYxMTE4MTcyOTMzWjAlMSMwIQYDVQQDDBpJTUEgdGVzdCBFQ0RT\n"                         \
        "        QSBzaWduaW5nIGtleTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNJ7XQh+U69h\n"                         \
        "        HlHXIuChovYDoalhDJmlFga2U2BmgTxb9JF8lCwGlzO6RWUQmy22YM9eVG3ubtuO\n"                         \
        "        c9fI61CItk6jXTBbMB0GA1UdDgQWBBQItVrK0nucS+D+zM8/Og1pFNMu1jAfBgNV\n"                         \
        "        HSMEGDAWgBQItVrK0nucS+D+zM8/Og1pFNMu1jALBgNVHQ8EBAMCB4AwDAYDVR0T\n"                         \
        "        AQH/BAIwADAKBggqhkjOPQQDAgNIADBFAiBbGsqDctnM5/A/KEU5gAsvEud7DZhF\n"                         \
        "        L4Z4/AEn4CV2fwIhAJRbTzTNeTtRkQteKxGTc89+JzJq1XXBYt6sm0DK/2AP\n"                             \
        "        -----END CERTIFICATE-----\n"

#define FIRST  1767225600000 /* 2026-01-01 */
#define SECOND 1798761600000 /* 2027-01-01 */

static const char full[] = HEAD "  violations: warn\n"
                                "  sha1: allow\n"
                                "  waive: [kexec, boot-log]\n"
                                "  measuring:\n"
                                "    rules:\n"
                                "      - digest: " D "\n"
                                "        covers: [exec, tmpfs]\n"
                                "        comment: of 2026\n"
                                "      - text: |\n"
                                "          measure func=BPRM_CHECK\n"
                                "          measure func=MMAP_CHECK mask=MAY_EXEC\n"
                                "    command_lines: '** ima_policy=*'\n"
                                "  required:\n"
                                "    - /usr/sbin/avow agent\n"
                                "    - {digests: [" A ", " B "], comment: either}\n"
                                "  packages:\n"
                                "    - name: openssl\n"
                                "      version: 3.0.15-1\n"
                                "      arch: amd64\n"
                                "      until: 2026-07-01T00:00:00Z\n"
                                "      files: |\n"
                                "        # sha256sum\n"
                                "        " A "  /usr/lib/libssl.so.3\n"
                                "\n"
                                "        \\" B " */usr/lib/new\\nline\n"
                                "    - name: openssl\n"
                                "      version: 3.0.17-1\n"
                                "      comment: the update\n"
                                "      files: |\n"
                                "        " C "  /usr/lib/libssl.so.3\n"
                                "        " SHA1 "  /usr/lib/with blank\n"
                                "  allow:\n"
                                "    - " D "\n"
                                "    - {digests: [" B ", " C "], path: /opt/x, comment: by hand}\n"
                                "    - files: |\n"
                                "        " A "\n"
                                "      until: 2026-02-01T00:00:00Z\n"
                                "  deny:\n"
                                "    - {digest: " E ", comment: CVE-2026-1}\n"
                                "  exclude: [/var/log/**, '/tmp/[!a]*']\n"
                                "  verity:\n"
                                "    - {digest: " A ", path: root}\n"
                                "  keys:\n"
                                "    - name: builds\n"
                                "      until: 2026-07-01T00:00:00Z\n"
                                "      pem: |\n" PEM "  signed:\n"
                                "    - {by: builds, paths: /srv/**}\n"
                                "    - {keyring: .ima}\n"
                                "  keyrings:\n"
                                "    - {name: .ima, keys: [" A "]}\n"
                                "    - {name: '*', keys: any}\n"
                                "  buffers:\n"
                                "    - {name: kexec-cmdline, texts: 'root=* quiet', digests: [" B "]}\n";

static struct policy *parse(const char *text)
{
        struct err err = ERR_INIT;
        struct policy *p = NULL;
        struct guarded g;

        assert_ok(policy_parse(guard_bytes(&g, view_str(text)), "edge.yaml", &p, &err), &err);
        guard_free(&g);
        return p;
}

static struct policy_effective *at(struct policy *p, int64_t now_ms)
{
        struct policy_version v = {.policy = p, .version = 1, .until_ms = POLICY_NEVER};
        struct policy_effective *e = NULL;
        struct err err = ERR_INIT;

        assert_ok(policy_effective_new(&v, 1, now_ms, &e, &err), &err);
        return e;
}

/* 32 bytes, or 20 of '9'. */
static struct view bytes(char digit)
{
        static uint8_t v[32];
        uint8_t nibble = (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);

        memset(v, nibble << 4 | nibble, sizeof(v));
        return VIEW(v, digit == '9' ? 20 : 32);
}

static enum allow_answer ask(const struct policy_effective *e, char digit, const char *path,
                             struct policy_file_match *m)
{
        return policy_effective_file(e, digit == '9' ? DIGEST_SHA1 : DIGEST_SHA256, bytes(digit),
                                     view_str(path), m);
}

/* --- vectors --- */

static void files(void **state)
{
        AUTO(policy_unref_p) struct policy *p = parse(full);
        AUTO(policy_effective_free_p) struct policy_effective *e = at(p, FIRST);
        AUTO(policy_effective_free_p) struct policy_effective *later = at(p, SECOND);
        struct policy_file_match m;

        (void)state;
        assert_true(p->judges_ima && policy_effective_judges_ima(e) && !policy_effective_judges_boot(e));
        assert_int_equal(policy_effective_pcr_mask(e), 0x7ff);
        assert_int_equal(ask(e, 'c', "/usr/lib/libssl.so.3", &m), ALLOW_ALLOWED);
        assert_string_equal(m.entry.label, "openssl 3.0.17-1");
        assert_string_equal(m.package->version, "3.0.17-1");
        assert_string_equal(m.package->comment, "the update");
        assert_int_equal(m.package->n_files, 2);
        assert_int_equal(m.entry.line, 33);
        assert_string_equal(m.source.part->name, "edge");
        assert_int_equal(m.source.version->version, 1);
        assert_int_equal(ask(e, 'a', "/usr/lib/libssl.so.3", &m), ALLOW_ALLOWED);
        assert_string_equal(m.entry.label, "openssl 3.0.15-1 amd64");
        assert_int_equal(m.package->line, 20);
        assert_int_equal(ask(e, 'b', "/usr/lib/new\nline", &m), ALLOW_ALLOWED);
        assert_int_equal(ask(e, '9', "/usr/lib/with_blank", &m), ALLOW_ALLOWED);
        assert_int_equal(ask(e, 'd', "/any/where", &m), ALLOW_ALLOWED);
        assert_null(m.package);
        assert_int_equal(ask(e, 'c', "/opt/x", &m), ALLOW_ALLOWED);
        assert_string_equal(m.entry.label, "by hand");
        assert_null(m.package);
        assert_int_equal(ask(e, 'c', "/opt/y", &m), ALLOW_ELSEWHERE);
        assert_int_equal(ask(e, 'e', "/opt/x", &m), ALLOW_UNKNOWN);
        assert_int_equal(ask(e, 'a', "/opt/y", &m), ALLOW_ALLOWED); /* anywhere until February */
        assert_int_equal(ask(later, 'a', "/opt/y", &m), ALLOW_EXPIRED);
        assert_int_equal(ask(later, 'a', "/usr/lib/libssl.so.3", &m), ALLOW_EXPIRED);
        assert_int_equal(m.entry.until_ms, 1782864000000);
        assert_int_equal(ask(later, 'c', "/usr/lib/libssl.so.3", &m), ALLOW_ALLOWED);
}

static void what_is_allowed_at_a_path(void **state)
{
        AUTO(policy_unref_p) struct policy *p = parse(full);
        AUTO(policy_effective_free_p) struct policy_effective *e = at(p, FIRST);
        struct policy_file_pos pos = {0};
        struct policy_file_match m;

        (void)state;
        assert_true(policy_effective_next_of(e, view_str("/usr/lib/libssl.so.3"), &pos, &m));
        assert_string_equal(m.package->version, "3.0.15-1");
        assert_true(policy_effective_next_of(e, view_str("/usr/lib/libssl.so.3"), &pos, &m));
        assert_string_equal(m.package->version, "3.0.17-1");
        assert_false(policy_effective_next_of(e, view_str("/usr/lib/libssl.so.3"), &pos, &m));
}

static void denied_excluded_and_devices(void **state)
{
        AUTO(policy_unref_p) struct policy *p = parse(full);
        AUTO(policy_effective_free_p) struct policy_effective *e = at(p, FIRST);
        const char *comment;
        uint32_t line;

        (void)state;
        assert_true(policy_effective_file_denied(e, DIGEST_SHA256, bytes('e'), &comment, &line));
        assert_string_equal(comment, "CVE-2026-1");
        assert_int_equal(line, 42);
        assert_false(policy_effective_file_denied(e, DIGEST_SHA256, bytes('a'), &comment, &line));
        assert_string_equal(policy_effective_excluded(e, view_str("/var/log/a/b"), NULL), "/var/log/**");
        assert_string_equal(policy_effective_excluded(e, view_str("/tmp/b"), NULL), "/tmp/[!a]*");
        assert_null(policy_effective_excluded(e, view_str("/tmp/a"), NULL));
        assert_int_equal(policy_effective_verity_root(e, view_str("root"), DIGEST_SHA256, bytes('a'), NULL),
                         ALLOW_ALLOWED);
        assert_int_equal(policy_effective_verity_root(e, view_str("usr"), DIGEST_SHA256, bytes('a'), NULL),
                         ALLOW_ELSEWHERE);
        assert_int_equal(policy_effective_verity_root(e, view_str("root"), DIGEST_SHA256, bytes('b'), NULL),
                         ALLOW_UNKNOWN);
}

static void signers_keyrings_and_buffers(void **state)
{
        AUTO(policy_unref_p) struct policy *p = parse(full);
        AUTO(policy_effective_free_p) struct policy_effective *e = at(p, FIRST);
        AUTO(policy_effective_free_p) struct policy_effective *later = at(p, SECOND);
        struct policy_source source = {0};
        uint32_t id = p->parts[0].ima->keys[0].id;
        struct view line = view_str("root=UUID=1 quiet");

        (void)state;
        assert_true(policy_effective_uses_signatures(e));
        assert_int_equal(ima_keys_count(policy_effective_keys(e)), 1);
        assert_int_equal(ima_keys_count(policy_effective_keys(later)), 0);
        assert_string_equal(policy_effective_signer(e, id, view_str("/srv/a"), &source)->name, "builds");
        assert_ptr_equal(source.part, &p->parts[0]);
        assert_null(policy_effective_signer(e, id, view_str("/usr/a"), NULL));
        assert_null(policy_effective_signer(e, id + 1, view_str("/srv/a"), NULL));
        assert_null(policy_effective_signer(later, id, view_str("/srv/a"), NULL));
        assert_true(policy_effective_keyring_signs(e, view_str(".ima"), view_str("/usr/a"), NULL));
        assert_false(policy_effective_keyring_signs(e, view_str(".evm"), view_str("/usr/a"), NULL));
        assert_int_equal(policy_effective_keyring_key(e, view_str(".ima"), DIGEST_SHA256, bytes('a'), NULL),
                         ALLOW_ALLOWED);
        assert_int_equal(policy_effective_keyring_key(e, view_str(".ima"), DIGEST_SHA256, bytes('b'), NULL),
                         ALLOW_UNKNOWN); /* '*' is for those without an item of their own */
        assert_int_equal(policy_effective_keyring_key(e, view_str(".evm"), DIGEST_SHA256, bytes('b'), NULL),
                         ALLOW_ALLOWED);
        assert_int_equal(
                policy_effective_buffer(e, view_str("kexec-cmdline"), DIGEST_SHA256, bytes('c'), line, NULL),
                ALLOW_ALLOWED);
        assert_int_equal(policy_effective_buffer(e, view_str("kexec-cmdline"), DIGEST_SHA256, bytes('b'),
                                                 view_str("init=/bin/sh"), NULL),
                         ALLOW_ALLOWED);
        assert_int_equal(policy_effective_buffer(e, view_str("kexec-cmdline"), DIGEST_SHA256, bytes('c'),
                                                 view_str("init=/bin/sh"), NULL),
                         ALLOW_UNKNOWN);
        assert_int_equal(policy_effective_buffer(e, view_str("other"), DIGEST_SHA256, bytes('b'), line, NULL),
                         ALLOW_ELSEWHERE);
}

static void demands(void **state)
{
        AUTO(policy_unref_p) struct policy *p = parse(full);
        AUTO(policy_effective_free_p) struct policy_effective *e = at(p, FIRST);
        const struct policy_rules *rules;
        struct digest text;
        struct err err = ERR_INIT;

        (void)state;
        assert_int_equal(policy_effective_violations(e), POLICY_VIOLATIONS_WARN);
        assert_true(policy_effective_waives(e, POLICY_WAIVE_KEXEC));
        assert_true(policy_effective_waives(e, POLICY_WAIVE_BOOT_LOG));
        assert_false(policy_effective_waives(e, POLICY_WAIVE_RULES));
        assert_string_equal(policy_waiver_name(POLICY_WAIVE_BOOT_LOG), "boot-log");
        assert_int_equal(policy_effective_n_required(e), 2);
        assert_string_equal(policy_effective_required(e, 0, NULL)->path, "/usr/sbin/avow_agent");
        assert_int_equal(policy_effective_required(e, 1, NULL)->n_digests, 2);
        assert_string_equal(policy_effective_required(e, 1, NULL)->comment, "either");
        rules = policy_effective_rules(e, DIGEST_SHA256, bytes('d'), NULL);
        assert_int_equal(rules->covers, POLICY_COVERS_EXEC | POLICY_COVERS_TMPFS);
        assert_string_equal(rules->comment, "of 2026");
        assert_null(policy_effective_rules(e, DIGEST_SHA256, bytes('a'), NULL));
        assert_ok(digest_bytes(DIGEST_SHA512,
                               view_str("measure func=BPRM_CHECK\nmeasure func=MMAP_CHECK mask=MAY_EXEC\n"),
                               &text, &err),
                  &err);
        rules = policy_effective_rules(e, DIGEST_SHA512, digest_view(&text), NULL);
        assert_int_equal(rules->covers, POLICY_COVERS_EXEC | POLICY_COVERS_TMPFS);
        assert_int_equal(policy_effective_command_line_covers(e, view_str("ro ima_policy=mine")),
                         POLICY_COVERS_ALL);
        assert_int_equal(policy_effective_command_line_covers(e, view_str("ro ima_policy=tcb")),
                         POLICY_COVERS_EXEC | POLICY_COVERS_READS);
        assert_int_equal(policy_effective_command_line_covers(e, view_str("ro quiet")), 0);
}

/* Every end in it makes another effective policy, and is known beforehand. */
static void ends(void **state)
{
        static const int64_t times[] = {1769904000000, 1782864000000}; /* February, July */
        AUTO(policy_unref_p) struct policy *p = parse(full);

        (void)state;
        assert_int_equal(p->n_ends, 2);
        for (size_t i = 0; i < ARRAY_LEN(times); i++) {
                AUTO(policy_effective_free_p) struct policy_effective *before = at(p, times[i] - 1);
                AUTO(policy_effective_free_p) struct policy_effective *after = at(p, times[i]);

                assert_int_equal(policy_effective_changes_at_ms(before), times[i]);
                assert_false(digest_equal(policy_effective_digest(before), policy_effective_digest(after)));
        }
}

static void walks_every_entry(void **state)
{
        AUTO(policy_unref_p) struct policy *p = parse(full);
        const struct policy_ima *ima = p->parts[0].ima;
        struct allow_entry entry;
        uint32_t lines = 0;
        size_t n = 0;

        (void)state;
        for (struct allow_pos pos = {0}; allow_next(ima->files, &pos, &entry); n++)
                lines += entry.line;
        assert_int_equal(n, allow_count(ima->files));
        assert_int_equal(n, 8);
        assert_int_equal(lines, 26 + 28 + 33 + 34 + 36 + 37 + 37 + 39);
}

/* --- what rules cover --- */

static void covers(void **state)
{
        enum {
                X = POLICY_COVERS_EXEC,
                T = POLICY_COVERS_TMPFS,
                K = POLICY_COVERS_KEXEC,
                R = POLICY_COVERS_READS
        };
        static const char run[] = "measure func=BPRM_CHECK\nmeasure func=MMAP_CHECK mask=MAY_EXEC\n";
        static const struct {
                const char *before, *after;
                unsigned covers;
        } rows[] = {
                {"", "", X | T},
                {"# dont_measure fsmagic=0x01021994\n\n", "", X | T},
                {"dont_measure fsmagic=0x01021994\n", "", X},
                {"dont_measure fsmagic=0x1021994\n", "", X},
                {"", "dont_measure fsmagic=0x01021994\n", X | T},
                {"dont_measure fsmagic=0x9fa0\ndont_measure fsmagic=0x62656572\n", "", X | T},
                {"dont_measure fsmagic=0xEF53\n", "", 0},
                {"dont_measure func=MMAP_CHECK fsmagic=0x01021994\n", "", X},
                {"dont_measure func=FILE_CHECK\n", "", X | T},
                {"dont_measure obj_type=var_log_t\n", "", 0},
                {"dont_measure fowner=1000\n", "", 0},
                {"dont_measure\n", "", 0},
                {"dont_appraise\n", "appraise func=BPRM_CHECK\n", X | T},
                {"measure func=FILE_CHECK mask=MAY_READ uid=0\n", "", X | T | R},
                {"", "measure func=KEXEC_KERNEL_CHECK\nmeasure func=KEXEC_INITRAMFS_CHECK\n", X | T},
                {"",
                 "measure func=KEXEC_KERNEL_CHECK\nmeasure func=KEXEC_INITRAMFS_CHECK\nmeasure "
                 "func=KEXEC_CMDLINE\n",
                 X | T | K},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                AUTO(mem_free_p) char *text = str_fmt("%s%s%s", rows[i].before, run, rows[i].after);

                if (ima_rules_cover(view_str(text)) != rows[i].covers)
                        fail_msg("%s\ncovers %u, not %u", text, ima_rules_cover(view_str(text)),
                                 rows[i].covers);
        }
        assert_int_equal(
                ima_rules_cover(view_str("measure func=BPRM_CHECK uid=0\nmeasure func=MMAP_CHECK\n")), 0);
        assert_int_equal(
                ima_rules_cover(view_str("measure func=BPRM_CHECK pcr=11\nmeasure func=MMAP_CHECK\n")), 0);
        assert_int_equal(ima_rules_cover(view_str("measure func=BPRM_CHECK\n")), 0);
        assert_int_equal(ima_rules_cover(view_str("measure mask=MAY_EXEC pcr=10\n")), X | T);
        assert_int_equal(ima_rules_cover(view_str("measure\n")), X | T | K | R);
        assert_int_equal(ima_rules_cover(view_str("appraise func=BPRM_CHECK\n")), 0);
}

static void covers_by_command_line(void **state)
{
        static const unsigned tcb = POLICY_COVERS_EXEC | POLICY_COVERS_READS;

        (void)state;
        assert_int_equal(ima_command_line_covers(view_str("ima_policy=tcb")), tcb);
        assert_int_equal(ima_command_line_covers(view_str("a \"ima-policy=appraise_tcb|tcb\" b")), tcb);
        assert_int_equal(ima_command_line_covers(view_str("quiet ima_tcb")), tcb);
        assert_int_equal(ima_command_line_covers(view_str("ima_policy=appraise_tcb")), POLICY_COVERS_ALL);
        assert_int_equal(ima_command_line_covers(view_str("ima=off ima_policy=tcb")) & POLICY_COVERS_ALL, 0);
}

/* --- malformed --- */

#define KEY "  keys: [{name: k, pem: x}]\n"
static const struct wrong_text wrong[] = {
        {HEAD "  alow: []\n", "edge.yaml:4:3: unknown key 'alow'; did you mean 'allow'?"},
        {HEAD "  allow: {}\n", "found a map, expected a list"},
        {HEAD "  allow: [xyz]\n", "edge.yaml:4:11: 'xyz' is no digest: expected 64 hexadecimal digits"},
        {HEAD "  allow: [" SHA1 "]\n",
         "edge.yaml:4:11: a digest of 40 digits; that is SHA-1, which anybody can forge"},
        {HEAD "  allow: [aabb]\n", "a digest of 4 digits; SHA-256 has 64"},
        {HEAD "  allow: [{path: /x}]\n", "expected one of 'digest', 'digests' or 'files'"},
        {HEAD "  allow: [{digest: " A ", digests: " B "}]\n", "expected one of"},
        {HEAD "  allow: [{digest: " A ", path: usr/bin/x}]\n", "'usr/bin/x' is no path: expected '/…'"},
        {HEAD "  allow: [{digest: " A ", files: x}]\n", "expected one of"},
        {HEAD "  allow: [{files: x}]\n", "expected a literal block"},
        {HEAD "  allow:\n  - path: /x\n    files: |\n      " A "\n", "leave out 'path'"},
        {HEAD "  allow:\n  - files: |\n      # none\n", "an empty block"},
        {HEAD "  allow:\n  - files: |\n      " A "  /x\n      " A "  usr/x\n",
         "edge.yaml:7:73: no path: expected '/…' (run sha256sum with full paths)"},
        {HEAD "  allow:\n  - files: |\n      " A "  /x\n      hello /x\n",
         "edge.yaml:7:7: no line of sha256sum: expected a digest, two blanks and a path"},
        {HEAD "  allow:\n  - files: |\n      " SHA1 "  /x\n",
         "edge.yaml:6:7: a digest of the wrong length; that is SHA-1"},
        {HEAD "  allow:\n  - files: |\n      \\" A "  /x\\y\n", "a wrong escape"},
        {HEAD "  allow:\n  - files: |\n      " A "x  /x\n", "edge.yaml:6:71: no line of sha256sum"},
        {HEAD "  packages: [{version: 1, files: x}]\n", "key 'name' is missing"},
        {HEAD "  packages: [{name: '', files: x}]\n", "is no name of a package"},
        {HEAD "  packages: [{name: a, versio: 1, files: x}]\n", "did you mean 'version'"},
        {HEAD "  packages:\n  - name: a\n    files: |\n      " A "  /x\n  - name: a\n    files: |\n      " B
              "  /x\n",
         "edge.yaml:8:11: package 'a' stands already in line 5: put its files there"},
        {HEAD "  packages: [{name: a, until: soon, files: x}]\n", "edge.yaml:4:31"},
        {HEAD "  required: [bin/x]\n", "'bin/x' is no path: expected '/…' or 'digest: HEX'"},
        {HEAD "  required: [{path: /x, digest: " A "}]\n", "expected one of 'path', 'digest' or 'digests'"},
        {HEAD "  exclude: '/**'\n", "'/**' would match every path: say which"},
        {HEAD "  exclude: ['/a/[']\n", "edge.yaml:4:13: '/a/['"},
        {HEAD "  exclude: []\n", "0 patterns of path"},
        {HEAD "  waive: [rules, kexek]\n", "edge.yaml:4:18"},
        {HEAD "  waive: [rules, rules]\n", "'rules' stands here twice"},
        {HEAD "  violations: ignore\n", "edge.yaml:4:15"},
        {HEAD "  sha1: true\n", "edge.yaml:4:9"},
        {HEAD "  measuring: {rules: [{digest: " A "}]}\n", "'covers' is missing"},
        {HEAD "  measuring: {rules: [{digest: " A ", covers: [all]}]}\n", "edge.yaml:4:107"},
        {HEAD "  measuring: {rules: [{comment: x}]}\n", "expected 'text' (the rules themselves) or 'digest'"},
        {HEAD "  measuring: {rules: [{text: 'measure func=BPRM_CHECK'}]}\n",
         "leave out some of what is executed"},
        {HEAD "  measuring: {rules: [{text: measure, covers: exec}]}\n", "leave this out"},
        {HEAD "  measuring:\n    rules:\n    - text: |\n        dont_measure fsmagic=0x01021994\n        "
              "measure\n",
         "edge.yaml:6:13: these rules leave out what is executed from tmpfs and memfd"},
        {HEAD "  measuring: {command_lines: '**'}\n", "would match every command line"},
        {HEAD KEY, "no certificate or public key in PEM"},
        {HEAD "  keys: [{name: k}]\n", "key 'pem' is missing"},
        {HEAD "  signed: [{by: k}]\n", "edge.yaml:4:17: no key is called 'k'"},
        {HEAD "  signed: [{paths: /x}]\n", "expected 'by'"},
        {HEAD "  signed: [{by: k, keyring: .ima}]\n", "expected 'by'"},
        {HEAD "  keyrings: [{name: .ima}]\n", "key 'keys' is missing"},
        {HEAD "  keyrings: [{name: .ima, keys: all}]\n", "expected 'any' or a list of digests"},
        {HEAD "  keyrings: [{name: .ima, keys: any}, {name: .ima, keys: any}]\n",
         "'.ima' stands already in line 4"},
        {HEAD "  buffers: [{name: x}]\n", "expected 'digests' or 'texts'"},
        {HEAD "  verity: [{digest: " A ", files: x}]\n", "unknown key 'files'"},
        {HEAD "  allow: [" A "]\n  deny: [" A "]\n", "edge.yaml:5:1: denies the digest that line 4 allows"},
        {HEAD "  deny: [{digest: " A ", until: 2026-12-01T00:00:00Z}]\n", "unknown key 'until'"},
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
                r = policy_effective_new(&v, 1, FIRST, &e, err);
        policy_effective_free(e);
        policy_unref(v.policy);
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
                cmocka_unit_test(files),
                cmocka_unit_test(what_is_allowed_at_a_path),
                cmocka_unit_test(denied_excluded_and_devices),
                cmocka_unit_test(signers_keyrings_and_buffers),
                cmocka_unit_test(demands),
                cmocka_unit_test(ends),
                cmocka_unit_test(walks_every_entry),
                cmocka_unit_test(covers),
                cmocka_unit_test(covers_by_command_line),
                cmocka_unit_test(refuses),
                cmocka_unit_test(every_truncation_and_flip),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
