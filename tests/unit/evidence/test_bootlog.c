/* SPDX-License-Identifier: Apache-2.0 */
/* Boot logs of real firmware against the quotes of those boots; headers, texts that lie, and every bit. */
#include "support/support.h"

#include <stdlib.h>

#include "evidence/bootlog.h"
#include "evidence/efi.h"
#include "evidence/pcr_blob.h"
#include "vectors.h"

#define SHIM_SET "secureboot-shim-grub-ima-sig"
#define DIRECT   "uefi-direct-ima-sig"
#define SEABIOS  "seabios-ima-sig"

static void log_read(struct buf *b, const char *set, struct bootlog *ret)
{
        struct err err = ERR_INIT;

        assert_ok(bootlog_parse(vector_read(b, set, "binary_bios_measurements"), ret, &err), &err);
}

static void quoted(const char *set, const char *quote, struct pcr_values *ret)
{
        AUTO(buf_free) struct buf b = {0};
        struct err err = ERR_INIT;

        assert_ok(pcr_blob_parse(vector_quote(&b, set, 1, quote, "pcrs"), ret, &err), &err);
}

/* ---- known answers ---- */

/* What the firmware and its boot path measured: by hand, from how the machines were set up. */
static const struct {
        const char *set;
        size_t events;
        uint32_t pcrs;
} known[BOOT_SETS] = {
        {"seabios-ima-ng", 15, 0xff},   {"seabios-ima-ng-reboot", 15, 0xff}, {"seabios-ima-sig", 15, 0xff},
        {"seabios-ima-ngv2", 15, 0xff}, {"seabios-ima-legacy", 15, 0xff},    {DIRECT, 25, 0x2ff},
        {SHIM_SET, 48, 0x43ff},
};

static void test_real_logs_replay_to_their_quotes(void **state)
{
        static const char *const quotes[] = {"ecc_sha1", "ecc_sha256", "ecc_sha384"};

        (void)state;
        for (size_t s = 0; s < ARRAY_LEN(known); s++)
                for (size_t q = 0; q < ARRAY_LEN(quotes); q++) {
                        AUTO(buf_free) struct buf b = {0};
                        struct bootlog log;
                        struct pcr_values want, got;
                        struct err err = ERR_INIT;

                        log_read(&b, known[s].set, &log);
                        assert_int_equal(log.n_events, known[s].events);
                        assert_true(log.agile);
                        quoted(known[s].set, quotes[q], &want);
                        assert_ok(bootlog_replay(&log, want.bank, &got, &err), &err);
                        assert_int_equal(got.mask, known[s].pcrs);
                        for (unsigned i = 0; i < PCR_COUNT; i++)
                                if (got.mask >> i & 1)
                                        assert_true(digest_equal(&got.v[i], &want.v[i]));
                }
}

/* The one event of TYPE in register PCR whose description holds WORD. */
static void find(const struct bootlog *log, uint32_t type, uint32_t pcr, const char *word,
                 struct bootlog_event *ret)
{
        struct bootlog_pos pos = {0};

        while (bootlog_next(log, &pos, ret)) {
                struct buf text = {0};
                AUTO(mem_free_p) char *s = NULL;

                if (ret->type != type || ret->pcr != pcr)
                        continue;
                bootlog_describe(ret, &text);
                s = buf_take_str(&text);
                assert_non_null(s);
                if (strstr(s, word))
                        return;
        }
        fail_msg("no %s of PCR %u says '%s'", bootlog_type_name(type), pcr, word);
}

static void test_events_in_words(void **state)
{
        AUTO(buf_free) struct buf b = {0};
        struct bootlog log;
        struct bootlog_event e;

        (void)state;
        log_read(&b, SHIM_SET, &log);
        find(&log, EV_NO_ACTION, 0, "'Spec ID Event03'", &e);
        find(&log, EV_EFI_VARIABLE_DRIVER_CONFIG, 7,
             "'SecureBoot' {8be4df61-93ca-11d2-aa0d-00e098032b8c} = 1", &e);
        find(&log, EV_EFI_VARIABLE_DRIVER_CONFIG, 7, "'KEK' ", &e);
        find(&log, EV_EFI_VARIABLE_DRIVER_CONFIG, 7, "'dbx' {d719b2cb-3d3a-4596-a3bc-dad00e67656f}: ", &e);
        find(&log, EV_EFI_VARIABLE_AUTHORITY, 7, "'db' ", &e);
        find(&log, EV_EFI_BOOT_SERVICES_APPLICATION, 4, "\\EFI\\BOOT\\BOOTX64.EFI", &e);
        find(&log, EV_IPL, 8, "kernel_cmdline: ", &e);
        find(&log, EV_IPL, 14, "MokList", &e);
        log_read(&b, DIRECT, &log);
        find(&log, EV_EFI_VARIABLE_DRIVER_CONFIG, 7,
             "'SecureBoot' {8be4df61-93ca-11d2-aa0d-00e098032b8c} = 0", &e);
}

static enum bootlog_cover cover_of(const struct bootlog_event *e, struct view *ret)
{
        struct err err = ERR_INIT;
        int r = bootlog_covered(e, DIGEST_SHA256, ret, &err);

        assert_ok(r < 0 ? r : 0, &err);
        return (enum bootlog_cover)r;
}

static void test_what_a_digest_covers(void **state)
{
        AUTO(buf_free) struct buf b = {0};
        struct bootlog log;
        struct bootlog_event e;
        struct view covered;
        struct err err = ERR_INIT;

        (void)state;
        log_read(&b, SHIM_SET, &log);
        find(&log, EV_EFI_VARIABLE_DRIVER_CONFIG, 7, "SecureBoot", &e);
        assert_int_equal(cover_of(&e, &covered), BOOTLOG_COVERED);
        assert_int_equal(covered.len, e.data.len);
        find(&log, EV_IPL, 8, "kernel_cmdline: ", &e);
        assert_int_equal(cover_of(&e, &covered), BOOTLOG_COVERED); /* but for its label and its NUL */
        assert_int_equal(covered.len, e.data.len - strlen("kernel_cmdline: ") - 1);
        find(&log, EV_EFI_BOOT_SERVICES_APPLICATION, 4, "BOOTX64.EFI", &e);
        assert_int_equal(cover_of(&e, &covered), BOOTLOG_OUTSIDE);
        find(&log, EV_EFI_VARIABLE_BOOT, 1, "BootOrder", &e);
        assert_int_equal(cover_of(&e, &covered), BOOTLOG_COVERED); /* the value alone */
        assert_true(covered.len < e.data.len);
        assert_err(bootlog_covered(&e, DIGEST_SHA512, &covered, &err), ERR_FORMAT, &err, "sha512");
}

/* A genuine digest with another text: SecureBoot from 0 to 1, a command line that is not the kernel's. */
static void test_forged_texts_are_seen(void **state)
{
        AUTO(buf_free) struct buf b = {0};
        struct bootlog log;
        struct bootlog_event e;
        struct view covered;

        (void)state;
        log_read(&b, DIRECT, &log);
        find(&log, EV_EFI_VARIABLE_DRIVER_CONFIG, 7, "SecureBoot", &e);
        b.p[e.data.p - b.p + (ptrdiff_t)e.data.len - 1] ^= 1;
        assert_int_equal(cover_of(&e, &covered), BOOTLOG_CONTRADICTS);
        log_read(&b, SHIM_SET, &log);
        find(&log, EV_IPL, 8, "kernel_cmdline: ", &e);
        b.p[e.data.p - b.p + 30] ^= 1;
        assert_int_equal(cover_of(&e, &covered), BOOTLOG_OUTSIDE); /* nothing stands for this text */
        assert_int_equal(covered.len, 0);
}

/* ---- signatures and variables ---- */

static void test_signature_databases(void **state)
{
        AUTO(buf_free) struct buf b = {0};
        struct bootlog log;
        struct bootlog_event e;
        struct efi_variable v;
        struct efi_signature sig;
        struct efi_signature_pos pos = {0};
        struct err err = ERR_INIT;
        size_t n = 0, certificates = 0;

        (void)state;
        log_read(&b, SHIM_SET, &log);
        find(&log, EV_EFI_VARIABLE_DRIVER_CONFIG, 7, "'db' ", &e);
        assert_ok(efi_variable_parse(e.data, &v, &err), &err);
        while (efi_signature_next(v.data, &pos, &sig, &err) == 1) {
                n++;
                certificates += sig.kind == EFI_SIG_X509 && sig.data.p[0] == 0x30;
        }
        assert_int_equal(n, certificates);
        assert_true(n >= 2);                            /* Microsoft's two */
        for (size_t len = 1; len < v.data.len; len++) { /* every truncation is refused, or ends on a list */
                struct efi_signature_pos p = {0};
                int r;

                while ((r = efi_signature_next(VIEW(v.data.p, len), &p, &sig, &err)) > 0)
                        continue;
                assert_true(r < 0 || p.list == len);
        }
}

static void test_utf16(void **state)
{
        static const uint8_t text[] = {'a',  0,   0xe9, 0, 0x3d, 0xd8, 0x00, 0xde, 0x3d,
                                       0xd8, 'b', 0,    0, 0xdc, 0,    0,    'x',  0};
        AUTO(mem_free_p) char *s = NULL;
        struct buf out = {0};

        (void)state;
        efi_put_utf16(&out, VIEW_ARRAY(text));
        s = buf_take_str(&out);
        assert_string_equal(s, "a\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbd"
                               "b\xef\xbf\xbd");
}

/* ---- refusals ---- */

/* A log of LEN bytes at most: the header of a real one, changed at AT. */
static void refused(const char *set, size_t at, uint8_t value, size_t len, const char *why)
{
        AUTO(buf_free) struct buf b = {0};
        struct bootlog log;
        struct err err = ERR_INIT;

        (void)vector_read(&b, set, "binary_bios_measurements");
        if (at < b.len)
                b.p[at] = value;
        assert_err(bootlog_parse(VIEW(b.p, len < b.len ? len : b.len), &log, &err), ERR_FORMAT, &err, why);
}

static void test_headers_that_do_not_fit(void **state)
{
        (void)state;
        refused(SEABIOS, SIZE_MAX, 0, 0, "cut off, or no boot log");
        refused(SEABIOS, SIZE_MAX, 0, 31, "cut off, or no boot log");
        refused(SEABIOS, 0, 1, SIZE_MAX, "a header is of PCR 0");
        refused(SEABIOS, 10, 1, SIZE_MAX, "has no digest");
        refused(SEABIOS, 32 + 23, 8, SIZE_MAX, "size of numbers");
        refused(SEABIOS, 32 + 24, 0, SIZE_MAX, "names no banks");
        refused(SEABIOS, 32 + 24, 9, SIZE_MAX, "names no banks, or more");
        refused(SEABIOS, 32 + 30, 31, SIZE_MAX, "of a size");
        refused(SEABIOS, SIZE_MAX, 0, 200, "event 1 of the boot log");
}

static void put_event(struct buf *b, uint32_t pcr, uint32_t type, uint8_t fill, const void *data, size_t n)
{
        uint8_t digest[20];

        memset(digest, fill, sizeof(digest));
        buf_le32(b, pcr);
        buf_le32(b, type);
        buf_put(b, digest, sizeof(digest));
        buf_le32(b, (uint32_t)n);
        buf_put(b, data, n);
}

static void test_a_log_of_sha1_alone(void **state)
{
        AUTO(buf_free) struct buf b = {0};
        struct bootlog log;
        struct pcr_values v;
        struct digest want;
        struct err err = ERR_INIT;

        (void)state;
        put_event(&b, 0, EV_NO_ACTION, 0, "StartupLocality\0\3", 17);
        put_event(&b, 0, EV_POST_CODE, 7, "x", 1);
        put_event(&b, 4, EV_SEPARATOR, 9, "\0\0\0\0", 4);
        assert_ok(bootlog_parse(VIEW_BUF(&b), &log, &err), &err);
        assert_false(log.agile);
        assert_int_equal(log.locality, 3);
        assert_ok(bootlog_replay(&log, DIGEST_SHA1, &v, &err), &err);
        assert_int_equal(v.mask, 0x11);
        digest_zero(DIGEST_SHA1, &want);
        want.b[19] = 3;
        assert_ok(digest_extend(&want, VIEW("\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7\7", 20), &err), &err);
        assert_true(digest_equal(&want, &v.v[0]));
        assert_err(bootlog_replay(&log, DIGEST_SHA256, &v, &err), ERR_FORMAT, &err, "sha256");
}

static void log_is_refused(struct buf *b, const char *why)
{
        struct bootlog log;
        struct err err = ERR_INIT;

        assert_err(bootlog_parse(VIEW_BUF(b), &log, &err), ERR_FORMAT, &err, why);
        buf_reset(b);
}

static void test_events_out_of_place(void **state)
{
        AUTO(buf_free) struct buf b = {0};

        (void)state;
        put_event(&b, 0, EV_POST_CODE, 7, "x", 1);
        put_event(&b, 0, EV_NO_ACTION, 0, "StartupLocality\0\3", 17);
        log_is_refused(&b, "event 1 of the boot log, at byte 33: a StartupLocality belongs");
        put_event(&b, 0, EV_NO_ACTION, 0, "StartupLocality\0\3", 17);
        put_event(&b, 0, EV_NO_ACTION, 0, "StartupLocality\0\3", 17);
        log_is_refused(&b, "a StartupLocality belongs once");
        put_event(&b, 0, EV_NO_ACTION, 0, "StartupLocality\0\2", 17);
        log_is_refused(&b, "cannot be started from");
        put_event(&b, 0, EV_POST_CODE, 7, "x", 1);
        put_event(&b, 0, EV_NO_ACTION, 1, "x", 1);
        log_is_refused(&b, "extends nothing, and has a digest");
        put_event(&b, 24, EV_POST_CODE, 7, "x", 1);
        log_is_refused(&b, "no such register");
        put_event(&b, 0, EV_POST_CODE, 7, "x", 1);
        put_event(&b, 0, EV_NO_ACTION, 0, "Spec ID Event03", 16);
        log_is_refused(&b, "a second header");
}

/* ---- every bit ---- */

/* May this bit be anything? Only where no digest looks: in the data of events that it does not cover, or in
 * the header's words about the platform. */
static bool is_free(const struct bootlog *log, size_t at)
{
        struct bootlog_pos pos = {0};
        struct bootlog_event e;

        while (bootlog_next(log, &pos, &e)) {
                size_t from = (size_t)(e.data.p - log->bytes.p);

                if (at >= pos.at)
                        continue;
                if (e.number == 0)
                        return at >= from + 16 && at < from + 24;
                if (at < from)
                        return at >= e.at + 4 && at < e.at + 8; /* its type: a claim too */
                return true;
        }
        return false;
}

static void test_every_bit_of_a_log_counts(void **state)
{
        AUTO(buf_free) struct buf b = {0}, copy = {0};
        struct bootlog log, mutant;
        struct pcr_values want, got;
        struct err err = ERR_INIT;

        (void)state;
        log_read(&b, DIRECT, &log);
        assert_ok(bootlog_replay(&log, DIGEST_SHA256, &want, &err), &err);
        buf_put(&copy, b.p, b.len);
        for (size_t bit = 0; bit < b.len * 8; bit++) {
                bool shown;

                if (is_free(&log, bit / 8))
                        continue;
                copy.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
                shown = bootlog_parse(VIEW_BUF(&copy), &mutant, &err) < 0 || mutant.n_banks != log.n_banks ||
                        bootlog_replay(&mutant, DIGEST_SHA256, &got, &err) < 0 || got.mask != want.mask;
                for (unsigned i = 0; i < PCR_COUNT && !shown; i++)
                        shown = (got.mask >> i & 1) && !digest_equal(&got.v[i], &want.v[i]);
                for (enum digest_alg a = DIGEST_SHA1; !shown && a <= DIGEST_SHA384;
                     a++) { /* the other banks' digests */
                        struct pcr_values was, is;

                        if (!digest_name(a) || a == DIGEST_SHA256)
                                continue;
                        assert_ok(bootlog_replay(&log, a, &was, &err), &err);
                        shown = bootlog_replay(&mutant, a, &is, &err) < 0;
                        for (unsigned i = 0; i < PCR_COUNT && !shown; i++)
                                shown = (was.mask >> i & 1) && !digest_equal(&was.v[i], &is.v[i]);
                }
                if (!shown)
                        fail_msg("bit %zu of byte %zu may be anything", bit % 8, bit / 8);
                copy.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t len = 0; len < b.len; len++) { /* a log that ends between two events leads elsewhere */
                bool shown = bootlog_parse(VIEW(b.p, len), &mutant, &err) < 0 ||
                             bootlog_replay(&mutant, DIGEST_SHA256, &got, &err) < 0 || got.mask != want.mask;

                for (unsigned i = 0; i < PCR_COUNT && !shown; i++)
                        shown = (got.mask >> i & 1) && !digest_equal(&got.v[i], &want.v[i]);
                assert_true(shown);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_real_logs_replay_to_their_quotes),
                cmocka_unit_test(test_events_in_words),
                cmocka_unit_test(test_what_a_digest_covers),
                cmocka_unit_test(test_forged_texts_are_seen),
                cmocka_unit_test(test_signature_databases),
                cmocka_unit_test(test_utf16),
                cmocka_unit_test(test_headers_that_do_not_fit),
                cmocka_unit_test(test_a_log_of_sha1_alone),
                cmocka_unit_test(test_events_out_of_place),
                cmocka_unit_test(test_every_bit_of_a_log_counts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
