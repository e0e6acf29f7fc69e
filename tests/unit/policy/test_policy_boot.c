/* SPDX-License-Identifier: Apache-2.0 */
/* The section boot: of a policy: what is read, what is found, what is refused and in which words. The
 * certificate is that of tests/vectors/boot; its fingerprint is what OpenSSL says. */
#include "policy/policy_boot.h"

#include "base/hex.h"
#include "support/support.h"
#include "unit/policy/texts.h"

#define A     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B     "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C     "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define D     "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
#define E     "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
#define FIRST 1767225600000 /* 2026-01-01 */
#define LATER 1798761600000 /* 2027-01-01 */
#define GUID  "77fa9abd-0359-4d32-bd60-28f4e78f784b"
#define PRINT "a95c2db8addb24a8d5b628b51fc4c0e470d55d446b57bdc89b603311c1ee4740"
#define HEAD  "format: avow-policy/2\nname: edge\nboot:\n"
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

static const char full[] =
        HEAD "  log: if-there\n"
             "  secure_boot: any\n"
             "  pk: [{sha256: " A ", comment: ours}]\n"
             "  db:\n"
             "    - owner: " GUID "\n"
             "      certificate: |\n" PEM "  dbx_floor: [{digest: " B ", owner: " GUID "}]\n"
             "  authorities: []\n"
             "  firmware: " A "\n"
             "  loaders:\n"
             "    - {digest: " A ", until: 2026-07-01T00:00:00Z, comment: shim 15.7}\n"
             "    - " B "\n"
             "  initrds: []\n"
             "  command_lines: ['/vmlinuz-* ro quiet', '/vmlinuz single']\n"
             "  kernels:\n"
             "    - name: one\n"
             "      authenticode: [" A ", " B "]\n"
             "      file: " C "\n"
             "      until: 2026-07-01T00:00:00Z\n"
             "    - name: two\n"
             "      file: " D "\n"
             "      initrds: [" E "]\n"
             "      loaders: " B "\n"
             "      command_lines: debug\n"
             "      sections: {.linux: " A ", .initrd: " B "}\n"
             "      comment: tried\n";

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

static struct policy_effective *at(struct policy *p, int64_t now_ms)
{
        struct policy_version v = {.policy = p, .version = 1, .until_ms = POLICY_NEVER};
        struct policy_effective *e = NULL;
        struct err err = ERR_INIT;

        assert_ok(policy_effective_new(&v, 1, now_ms, &e, &err), &err);
        return e;
}

/* --- vectors --- */

static void settings_and_lists(void **state)
{
        AUTO(policy_unref_p) struct policy *p = parse(full);
        AUTO(policy_effective_free_p) struct policy_effective *e = at(p, FIRST);
        AUTO(policy_effective_free_p) struct policy_effective *later = at(p, LATER);
        const struct policy_value *value = NULL;
        struct policy_source source = {0};

        (void)state;
        assert_true(p->judges_boot && policy_effective_judges_boot(e));
        assert_int_equal(policy_effective_pcr_mask(e), 0x5bff);
        assert_int_equal(policy_effective_boot_log(e), POLICY_LOG_IF_THERE);
        assert_int_equal(policy_effective_secure_boot(e), POLICY_SECURE_BOOT_ANY);
        assert_true(policy_effective_judges_boot_list(e, POLICY_BOOT_LOADERS));
        assert_true(policy_effective_judges_boot_list(e, POLICY_BOOT_INITRDS));
        assert_false(policy_effective_judges_boot_list(e, POLICY_BOOT_DRIVERS));
        assert_true(policy_effective_judges_boot_keys(e, POLICY_KEYS_AUTHORITIES));
        assert_false(policy_effective_judges_boot_keys(e, POLICY_KEYS_KEK));
        assert_true(policy_effective_judges_kernels(e) && policy_effective_judges_command_lines(e));
        assert_int_equal(policy_effective_boot_find(e, POLICY_BOOT_LOADERS, bytes('a'), &value, &source),
                         POLICY_ALLOWED);
        assert_string_equal(value->comment, "shim 15.7");
        assert_ptr_equal(source.part, &p->parts[0]);
        assert_int_equal(policy_effective_boot_find(later, POLICY_BOOT_LOADERS, bytes('a'), &value, &source),
                         POLICY_EXPIRED);
        assert_int_equal(policy_effective_boot_find(e, POLICY_BOOT_LOADERS, bytes('c'), &value, &source),
                         POLICY_UNKNOWN);
        assert_int_equal(policy_effective_boot_find(e, POLICY_BOOT_FIRMWARE, bytes('a'), &value, NULL),
                         POLICY_ALLOWED);
        assert_string_equal(
                policy_effective_command_line(e, view_str("/vmlinuz-6.1.0-28-amd64 ro quiet"), NULL),
                "/vmlinuz-* ro quiet");
        assert_null(policy_effective_command_line(e, view_str("/vmlinuz-6 ro quiet init=/bin/sh"), NULL));
        assert_string_equal(policy_boot_list_name(POLICY_BOOT_MOK_LIST_X), "mok_list_x");
        assert_string_equal(policy_boot_keys_name(POLICY_KEYS_AUTHORITIES), "authorities");
}

static void kernels(void **state)
{
        AUTO(policy_unref_p) struct policy *p = parse(full);
        AUTO(policy_effective_free_p) struct policy_effective *e = at(p, FIRST);
        AUTO(policy_effective_free_p) struct policy_effective *later = at(p, LATER);
        struct policy_boot_pos pos = {0};
        const struct policy_kernel *k = policy_effective_next_kernel(e, &pos, NULL);

        (void)state;
        assert_string_equal(k->name, "one");
        assert_true(policy_kernel_is(k, bytes('b'), false) && !policy_kernel_is(k, bytes('b'), true));
        assert_true(policy_kernel_is(k, bytes('c'), true) && !policy_kernel_is(k, bytes('d'), true));
        assert_null(k->command_lines);
        k = policy_effective_next_kernel(e, &pos, NULL);
        assert_string_equal(k->name, "two");
        assert_string_equal(k->comment, "tried");
        assert_int_equal(k->n_initrds + k->n_loaders, 2);
        assert_string_equal(k->command_line_texts[0], "debug");
        assert_int_equal(k->n_sections, 2);
        assert_string_equal(k->sections[1].name, ".initrd");
        assert_true(view_equal(digest_view(&k->sections[1].digest), bytes('b')));
        assert_null(policy_effective_next_kernel(e, &pos, NULL));
        pos = (struct policy_boot_pos){0};
        assert_string_equal(policy_effective_next_kernel(later, &pos, NULL)->name, "two");
}

static void keys(void **state)
{
        static const uint8_t guid[] = {0xbd, 0x9a, 0xfa, 0x77, 0x59, 0x03, 0x32, 0x4d,
                                       0xbd, 0x60, 0x28, 0xf4, 0xe7, 0x8f, 0x78, 0x4b};
        AUTO(policy_unref_p) struct policy *p = parse(full);
        AUTO(policy_effective_free_p) struct policy_effective *e = at(p, FIRST);
        AUTO(mem_free_p) char *print = NULL;
        struct policy_boot_pos pos = {0};
        const struct policy_boot_key *k = policy_effective_next_key(e, POLICY_KEYS_DB, &pos, NULL);
        struct efi_signature sig = {.kind = EFI_SIG_X509, .data = k->der};

        (void)state;
        memcpy(sig.owner, guid, sizeof(guid));
        print = hex_encode(VIEW(k->sha256, 32));
        assert_string_equal(print, PRINT);
        assert_memory_equal(k->owner, guid, sizeof(guid));
        assert_true(policy_boot_key_is(k, &sig));
        sig.owner[3]++;
        assert_false(policy_boot_key_is(k, &sig)); /* somebody else's */
        sig.owner[3]--;
        sig.data.len--;
        assert_false(policy_boot_key_is(k, &sig));
        assert_null(policy_effective_next_key(e, POLICY_KEYS_DB, &pos, NULL));

        pos = (struct policy_boot_pos){0};
        k = policy_effective_next_key(e, POLICY_KEYS_DBX_FLOOR, &pos, NULL);
        sig.kind = EFI_SIG_SHA256;
        sig.data = bytes('b');
        assert_true(policy_boot_key_is(k, &sig));
        sig.data = bytes('a');
        assert_false(policy_boot_key_is(k, &sig));
        sig.kind = EFI_SIG_X509; /* a certificate whose bytes are the digest's is another thing */
        sig.data = bytes('b');
        assert_false(policy_boot_key_is(k, &sig));

        pos = (struct policy_boot_pos){0};
        k = policy_effective_next_key(e, POLICY_KEYS_PK, &pos, NULL);
        assert_true(k->certificate && !k->has_owner && k->der.len == 0);
        assert_string_equal(k->comment, "ours");
}

/* --- malformed --- */

static const struct wrong_text wrong[] = {
        {HEAD "  secureboot: on\n", "edge.yaml:4:3: unknown key 'secureboot'; did you mean 'secure_boot'?"},
        {HEAD "  secure_boot: yes\n", "edge.yaml:4:16"},
        {HEAD "  log: never\n", "edge.yaml:4:8"},
        {HEAD "  log: none\n", "demands nothing"},
        {HEAD "  log: none\n  kernels: []\n",
         "'log: none' judges nothing of the boot, and 'kernels' stands beside it"},
        {HEAD "  loaders: [xyz]\n", "edge.yaml:4:13: 'xyz' is no digest"},
        {HEAD "  loaders: [{digest: " A ", til: x}]\n", "unknown key 'til'"},
        {HEAD "  loaders: [" A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\n",
         "a sha384 digest in a policy for bank sha256"},
        {HEAD "  pk: [" A "]\n", "found text, expected a map"},
        {HEAD "  pk: [{comment: x}]\n", "expected one of 'certificate' (PEM), 'sha256'"},
        {HEAD "  pk: [{sha256: " A ", digest: " B "}]\n", "expected one of"},
        {HEAD "  pk: [{certificate: x}]\n", "edge.yaml:4:22: no certificate in PEM"},
        {HEAD "  pk: [{sha256: " A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}]\n",
         "Secure Boot's variables have SHA-256"},
        {HEAD "  pk: [{sha256: " A ", owner: microsoft}]\n", "'microsoft' is no GUID"},
        {HEAD "  pk: [{sha256: " A ", owner: 77fa9abd-0359-4d32-bd60-28f4e78f784g}]\n", "is no GUID"},
        {HEAD "  pk: [{sha256: " A ", owner: 77fa9abd00359-4d32-bd60-28f4e78f784b}]\n", "is no GUID"},
        {HEAD "  kernels: [{name: x}]\n",
         "expected 'authenticode' (as firmware and shim measure it) or 'file'"},
        {HEAD "  kernels: [{file: " A ", initrds: []}]\n", "an empty list: leave 'initrds' out"},
        {HEAD "  kernels: [{file: " A ", initrd: []}]\n", "did you mean 'initrds'"},
        {HEAD "  kernels: [{file: " A ", sections: {linux: " A "}}]\n", "'linux' is no section"},
        {HEAD "  kernels: [{file: " A ", command_lines: '**'}]\n", "would match every command line"},
        {HEAD "  command_lines: ['a[']\n", "edge.yaml:4:19: 'a['"},
        {HEAD "  mok_list: {}\n", "digest"},
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

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(settings_and_lists),
                cmocka_unit_test(kernels),
                cmocka_unit_test(keys),
                cmocka_unit_test(refuses),
                cmocka_unit_test(every_truncation_and_flip),
                cmocka_unit_test(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
