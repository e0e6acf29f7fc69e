/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every type of event that the specification has, in words that were written by hand; what digests cover in
 * logs of other firmware than the recorded boots had: systemd's stub, an H-CRTM, headers of older
 * specifications.
 */
#include "support/support.h"

#include <stdlib.h>

#include "base/hex.h"
#include "crypto/digest.h"
#include "evidence/bootlog.h"

#define GUID_BYTES "\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c"
#define GUID_TEXT  "8be4df61-93ca-11d2-aa0d-00e098032b8c"
#define DATA(s)    (s), sizeof(s) - 1

static const struct {
        uint32_t type;
        const char *data;
        size_t len;
        const char *text;
} words[] = {
        {EV_PREBOOT_CERT, DATA("cert"), "'cert'"},
        {EV_POST_CODE, DATA("ACPI DATA"), "'ACPI DATA'"},
        {EV_POST_CODE, DATA("\0\0\x82\0\0\0\0\0\0\0\x0e\0\0\0\0\0"), "917504 bytes at 0x820000"},
        {EV_POST_CODE2, DATA("\4POST\0\0\x82\0\0\0\0\0\0\x10\0\0\0\0\0\0"), "4096 bytes at 0x820000, 'POST'"},
        {EV_SEPARATOR, DATA("\0\0\0\0"), "end of the firmware's part"},
        {EV_SEPARATOR, DATA("\xff\xff\xff\xff"), "end of the firmware's part"},
        {EV_SEPARATOR, DATA("\1\0\0\0"), "the firmware reports an error"},
        {EV_ACTION, DATA("Calling INT 19h"), "'Calling INT 19h'"},
        {EV_EVENT_TAG, DATA("\xec\x22\x3b\x8f\x0d\0\0\0Linux initrd\0"), "tag 0x8f3b22ec, 'Linux initrd'"},
        {EV_EVENT_TAG, DATA("\1\0\0\0\3\0\0\0\1\2\3"), "tag 0x00000001, 3 bytes 010203"},
        {EV_EVENT_TAG, DATA("\1\0"), "malformed"},
        {EV_S_CRTM_CONTENTS, DATA("Boot Guard Measured S-CRTM"), "'Boot Guard Measured S-CRTM'"},
        {EV_S_CRTM_VERSION, DATA("1\0.\0002\0\0\0"), "'1.2'"},
        {EV_S_CRTM_VERSION, DATA(GUID_BYTES), GUID_TEXT},
        {EV_CPU_MICROCODE, DATA("CPU Microcode"), "'CPU Microcode'"},
        {EV_PLATFORM_CONFIG_FLAGS, DATA("\1\2\3\4"), "4 bytes 01020304"},
        {EV_TABLE_OF_DEVICES, DATA("\x80\x00"), "2 bytes 8000"},
        {EV_COMPACT_HASH, DATA("BIOS"), "'BIOS'"},
        {EV_IPL, DATA("grub_cmd: set timeout=0\0"), "'grub_cmd: set timeout=0'"},
        {EV_IPL, DATA(".\0l\0i\0n\0u\0x\0\0\0"), "'.linux'"},
        {EV_IPL_PARTITION_DATA, DATA("\1\2"), "2 bytes 0102"},
        {EV_NONHOST_CODE, DATA("ME"), "'ME'"},
        {EV_NONHOST_CONFIG, DATA("ME"), "'ME'"},
        {EV_NONHOST_INFO, DATA("ME"), "'ME'"},
        {EV_OMIT_BOOT_DEVICE_EVENTS, DATA("BOOT ATTEMPTS OMITTED"), "'BOOT ATTEMPTS OMITTED'"},
        {EV_EFI_VARIABLE_DRIVER_CONFIG,
         DATA(GUID_BYTES "\x0a\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0S\0e\0c\0u\0r\0e\0B\0o\0o\0t\0\1"),
         "'SecureBoot' {" GUID_TEXT "} = 1"},
        {EV_EFI_VARIABLE_DRIVER_CONFIG, DATA(GUID_BYTES "\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0P\0K\0"),
         "'PK' {" GUID_TEXT "}: 0 certificates, 0 digests, 0 others"},
        {EV_EFI_VARIABLE_DRIVER_CONFIG, DATA(GUID_BYTES "\2\0\0\0"),
         "no UEFI variable: its lengths do not fit, at byte 16"},
        {EV_EFI_VARIABLE_BOOT,
         DATA(GUID_BYTES "\x09\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0B\0o\0o\0t\0O\0r\0d\0e\0r\0\1\0\x0a\0"),
         "'BootOrder' {" GUID_TEXT "}: 0001 000A"},
        {EV_EFI_VARIABLE_BOOT2,
         DATA(GUID_BYTES
              "\x08\0\0\0\0\0\0\0\x1e\0\0\0\0\0\0\0B\0o\0o\0t\0000\0000\0000\0001\0\1\0\0\0\x12\0o\0s\0\0\0"
              "\1\1\6\0\3\2\4\4\x08\0\\\0x\0\x7f\xff\4\0"),
         "'Boot0001' {" GUID_TEXT "}: 'os' Pci(2,3) \\x"},
        {EV_EFI_BOOT_SERVICES_APPLICATION,
         DATA("\0\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x1c\0\0\0\0\0\0\0"
              "\2\1\x0c\0\xd0\x41\3\x0a\0\0\0\0\4\4\x0c\0\\\0E\0F\0I\0\x7f\xff\4\0"),
         "image of 128 bytes, 'PciRoot(0) \\EFI'"},
        {EV_EFI_BOOT_SERVICES_DRIVER, DATA("\0"), "no image load event: it is cut off"},
        {EV_EFI_RUNTIME_SERVICES_DRIVER,
         DATA("\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "image of 1 bytes, ''"},
        {EV_EFI_GPT_EVENT, DATA("short"), "malformed"},
        {EV_EFI_ACTION, DATA("Exit Boot Services Invocation"), "'Exit Boot Services Invocation'"},
        {EV_EFI_PLATFORM_FIRMWARE_BLOB, DATA("\0\0\x90\0\0\0\0\0\0\0\xc0\0\0\0\0\0"),
         "12582912 bytes at 0x900000"},
        {EV_EFI_PLATFORM_FIRMWARE_BLOB, DATA("\0"), "malformed"},
        {EV_EFI_PLATFORM_FIRMWARE_BLOB2, DATA("\2FV\0\0\x90\0\0\0\0\0\0\x10\0\0\0\0\0\0"),
         "4096 bytes at 0x900000, 'FV'"},
        {EV_EFI_HANDOFF_TABLES, DATA("\1\0\0\0\0\0\0\0" GUID_BYTES "\0\0\0\0\0\0\0\0"),
         "1 tables " GUID_TEXT},
        {EV_EFI_HANDOFF_TABLES2, DATA("\1T\1\0\0\0\0\0\0\0" GUID_BYTES "\0\0\0\0\0\0\0\0"),
         "1 tables " GUID_TEXT},
        {EV_EFI_HANDOFF_TABLES, DATA("\2\0\0\0\0\0\0\0" GUID_BYTES), "malformed"},
        {EV_EFI_HCRTM_EVENT, DATA("HCRTM"), "'HCRTM'"},
        {EV_EFI_VARIABLE_AUTHORITY,
         DATA(GUID_BYTES "\2\0\0\0\0\0\0\0\x13\0\0\0\0\0\0\0d\0b\0" GUID_BYTES "\x30\x82\1"),
         "'db' {" GUID_TEXT "} of " GUID_TEXT ": certificate of 3 bytes"},
        {EV_EFI_VARIABLE_AUTHORITY,
         DATA(GUID_BYTES "\x09\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0S\0b\0a\0t\0L\0e\0v\0e\0l\0sbat,1\n"),
         "'SbatLevel' {" GUID_TEXT "}: 'sbat,1.'"},
        {EV_EFI_SPDM_FIRMWARE_BLOB, DATA("SPDM Device Sec\0\1\0"), "'SPDM Device Sec', 2 bytes"},
        {EV_EFI_SPDM_FIRMWARE_CONFIG, DATA("SPDM Device Sec2\2\0"), "'SPDM Device Sec2', 2 bytes"},
        {EV_EFI_SPDM_DEVICE_POLICY, DATA(GUID_BYTES "\5\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0d\0e\0v\0d\0b\0\5"),
         "'devdb' {" GUID_TEXT "} = 5"},
        {EV_EFI_SPDM_DEVICE_AUTHORITY,
         DATA(GUID_BYTES "\5\0\0\0\0\0\0\0\x12\0\0\0\0\0\0\0d\0e\0v\0d\0b\0" GUID_BYTES "\x30\x82"),
         "'devdb' {" GUID_TEXT "} of " GUID_TEXT ": certificate of 2 bytes"},
        {EV_NO_ACTION, DATA("StartupLocality\0\3"), "'StartupLocality' 3"},
        {EV_NO_ACTION, DATA("Spec ID Event03\0\0\0\0\0\0\2\2"),
         "'Spec ID Event03' of specification 2.0.2, platform class 0"},
        {EV_NO_ACTION, DATA("SP800-155 Event3\1\0\0\0" GUID_BYTES),
         "'SP800-155 Event3' of vendor 1, reference manifest " GUID_TEXT},
        {EV_NO_ACTION, DATA("H-CRTM CompMeas\0\1\2"), "'H-CRTM CompMeas' 2 bytes 0102"},
        {0x90000000, DATA("new"), "'new'"},
};

static void test_every_type_in_words(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(words); i++) {
                struct bootlog_event e = {.type = words[i].type, .data = VIEW(words[i].data, words[i].len)};
                struct buf out = {0};
                AUTO(mem_free_p) char *got = NULL;

                bootlog_describe(&e, &out);
                got = buf_take_str(&out);
                assert_non_null(got);
                if (strcmp(got, words[i].text) != 0)
                        fail_msg("row %zu: %s, expected %s", i, got, words[i].text);
        }
}

/* Whatever is cut off: nothing is read behind the end, and some words come out. */
static void test_cut_events_in_words(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(words); i++)
                for (size_t len = 0; len < words[i].len; len++) {
                        struct guarded g;
                        struct bootlog_event e = {.type = words[i].type,
                                                  .data = guard_bytes(&g, VIEW(words[i].data, len))};
                        AUTO(buf_free) struct buf out = {0};

                        bootlog_describe(&e, &out);
                        assert_true(buf_ok(&out) && out.len > 0);
                        guard_free(&g);
                }
}

static void test_every_type_has_a_name(void **state)
{
        (void)state;
        for (size_t i = 0; i + 1 < ARRAY_LEN(words); i++)
                assert_non_null(bootlog_type_name(words[i].type));
        assert_string_equal(bootlog_type_name(0x80000010), "EV_EFI_HCRTM_EVENT");
        assert_string_equal(bootlog_type_name(0x800000e4), "EV_EFI_SPDM_DEVICE_AUTHORITY");
        assert_null(bootlog_type_name(0x90000000));
}

/* ---- coverage ---- */

static const struct {
        const char *what;
        uint32_t type;
        const char *data;
        size_t len;
        const char *measured; /* what the digest is over */
        size_t n;
        enum bootlog_cover cover;
        size_t covered; /* bytes of the data */
} covers[] = {
        {"stub: a section's name, in ASCII", EV_IPL, DATA(".\0c\0m\0d\0l\0i\0n\0e\0\0\0"), DATA(".cmdline\0"),
         BOOTLOG_COVERED, 18},
        {"stub: a section's contents", EV_IPL, DATA(".\0c\0m\0d\0l\0i\0n\0e\0\0\0"), DATA("quiet"),
         BOOTLOG_OUTSIDE, 0},
        {"stub: the command line, in UTF-16", EV_IPL, DATA("r\0o\0\0\0"), DATA("r\0o\0\0\0"), BOOTLOG_COVERED,
         6},
        {"stub: another command line", EV_IPL, DATA("r\0w\0\0\0"), DATA("r\0o\0\0\0"), BOOTLOG_OUTSIDE, 0},
        {"no ASCII in it", EV_IPL, DATA("\xe9\1\0\0"), DATA("\xe9\0"), BOOTLOG_OUTSIDE, 0},
        {"GRUB: a label in front, a NUL behind", EV_IPL, DATA("grub_cmd: ls\0"), DATA("ls"), BOOTLOG_COVERED,
         2},
        {"a tag's inside", EV_EVENT_TAG, DATA("\1\0\0\0\2\0\0\0ab"), DATA("ab"), BOOTLOG_COVERED, 2},
        {"a tag, whole", EV_EVENT_TAG, DATA("\1\0\0\0\2\0\0\0ab"), DATA("\1\0\0\0\2\0\0\0ab"),
         BOOTLOG_COVERED, 10},
        {"an action, as it is", EV_EFI_ACTION, DATA("Calling"), DATA("Calling"), BOOTLOG_COVERED, 7},
        {"an action that was not", EV_EFI_ACTION, DATA("Calling"), DATA("Returning"), BOOTLOG_CONTRADICTS, 0},
        {"a separator's error has other data", EV_SEPARATOR, DATA("\0\0\0\0"), DATA("\1\0\0\0"),
         BOOTLOG_CONTRADICTS, 0},
        {"omitted boot devices", EV_OMIT_BOOT_DEVICE_EVENTS, DATA("BOOT ATTEMPTS OMITTED"),
         DATA("BOOT ATTEMPTS OMITTED"), BOOTLOG_COVERED, 21},
        {"a variable, whole, where the value is usual", EV_EFI_VARIABLE_BOOT,
         DATA(GUID_BYTES "\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0x\0y"),
         DATA(GUID_BYTES "\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0x\0y"), BOOTLOG_COVERED, 35},
        {"the value alone", EV_EFI_VARIABLE_BOOT, DATA(GUID_BYTES "\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0x\0y"),
         DATA("y"), BOOTLOG_COVERED, 1},
        {"the value alone, where it is the whole", EV_EFI_VARIABLE_BOOT2,
         DATA(GUID_BYTES "\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0x\0y"), DATA("y"), BOOTLOG_CONTRADICTS, 0},
        {"an image is elsewhere", EV_EFI_BOOT_SERVICES_APPLICATION, DATA("\0\0\0\0"), DATA("MZ"),
         BOOTLOG_OUTSIDE, 0},
};

static void test_what_other_firmware_covers(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(covers); i++)
                for (enum digest_alg alg = DIGEST_SHA1; alg <= DIGEST_SHA512; alg++) {
                        struct bootlog_event e = {.type = covers[i].type,
                                                  .data = VIEW(covers[i].data, covers[i].len),
                                                  .n_digests = 1};
                        struct digest d;
                        struct view got;
                        struct err err = ERR_INIT;
                        int r;

                        if (!digest_name(alg))
                                continue;
                        assert_ok(digest_bytes(alg, VIEW(covers[i].measured, covers[i].n), &d, &err), &err);
                        e.digests[0] = (struct bootlog_digest){(uint16_t)alg, digest_view(&d)};
                        r = bootlog_covered(&e, alg, &got, &err);
                        if (r != (int)covers[i].cover || got.len != covers[i].covered)
                                fail_msg("%s: %d over %zu bytes", covers[i].what, r, got.len);
                }
}

/* ---- how a log begins ---- */

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

/* PCR 0 after one digest of 0x55s, from a register that ended with START: `printf … | sha1sum`. */
static const struct {
        uint8_t start;
        const char *value;
} pcr0[] = {
        {0, "120e87e29881dbecb70c171a18143b850c63c734"},
        {3, "9bf0ea26ee1cda8025dd756159dac236999f6160"},
        {4, "ea6497a3c3d976ac3a7007b2321f004c60c97f18"},
};

static void starts_at(struct buf *b, size_t row)
{
        struct bootlog log;
        struct pcr_values v;
        AUTO(mem_free_p) char *hex = NULL;
        struct err err = ERR_INIT;

        assert_ok(bootlog_parse(VIEW_BUF(b), &log, &err), &err);
        assert_int_equal(log.locality, pcr0[row].start);
        assert_ok(bootlog_replay(&log, DIGEST_SHA1, &v, &err), &err);
        hex = hex_encode(digest_view(&v.v[0]));
        assert_string_equal(hex, pcr0[row].value);
        buf_reset(b);
}

static void test_where_register_zero_begins(void **state)
{
        AUTO(buf_free) struct buf b = {0};

        (void)state;
        put_event(&b, 0, EV_S_CRTM_CONTENTS, 0x55, "x", 1);
        starts_at(&b, 0);
        put_event(&b, 0, EV_NO_ACTION, 0, "StartupLocality\0\0", 17);
        put_event(&b, 0, EV_S_CRTM_CONTENTS, 0x55, "x", 1);
        starts_at(&b, 0);
        put_event(&b, 0, EV_NO_ACTION, 0, "StartupLocality\0\3", 17);
        put_event(&b, 0, EV_S_CRTM_CONTENTS, 0x55, "x", 1);
        starts_at(&b, 1);
        put_event(&b, 0, EV_NO_ACTION, 0, "StartupLocality\0\4", 17);
        put_event(&b, 0, EV_EFI_HCRTM_EVENT, 0x55, "HCRTM", 5);
        starts_at(&b, 2);
        put_event(&b, 0, EV_EFI_HCRTM_EVENT, 0x55, "HCRTM", 5); /* without a locality */
        starts_at(&b, 2);
        put_event(&b, 0, EV_NO_ACTION, 0, "StartupLocality\0\0", 17); /* what started it, not what measured */
        put_event(&b, 0, EV_EFI_HCRTM_EVENT, 0x55, "HCRTM", 5);
        starts_at(&b, 2);
        put_event(&b, 4, EV_EFI_HCRTM_EVENT, 0x77, "HCRTM", 5); /* not of PCR 0 */
        put_event(&b, 0, EV_S_CRTM_CONTENTS, 0x55, "x", 1);
        starts_at(&b, 0);
}

/* A measurement that came later is no H-CRTM's: the register began as it began. */
static void test_a_late_hcrtm_event_is_one_like_others(void **state)
{
        AUTO(buf_free) struct buf b = {0};
        struct bootlog log;
        struct err err = ERR_INIT;

        (void)state;
        put_event(&b, 0, EV_S_CRTM_CONTENTS, 0x55, "x", 1);
        put_event(&b, 0, EV_EFI_HCRTM_EVENT, 0x55, "HCRTM", 5);
        assert_ok(bootlog_parse(VIEW_BUF(&b), &log, &err), &err);
        assert_int_equal(log.locality, 0);
}

static void old_header(struct buf *b, const char *data, size_t n, const char *why)
{
        struct bootlog log;
        struct err err = ERR_INIT;

        buf_reset(b);
        put_event(b, 0, EV_NO_ACTION, 0, data, n);
        put_event(b, 0, EV_S_CRTM_CONTENTS, 0x55, "x", 1);
        if (why) {
                assert_err(bootlog_parse(VIEW_BUF(b), &log, &err), ERR_FORMAT, &err, why);
                return;
        }
        assert_ok(bootlog_parse(VIEW_BUF(b), &log, &err), &err);
        assert_false(log.agile);
        assert_int_equal(log.major, 1);
        assert_int_equal(log.platform_class, 1);
        assert_int_equal(log.n_events, 2);
}

static void test_headers_of_older_specifications(void **state)
{
        AUTO(buf_free) struct buf b = {0};

        (void)state;
        old_header(&b, DATA("Spec ID Event00\0\1\0\0\0\x15\1\0\0\0"), NULL);
        old_header(&b, DATA("Spec ID Event02\0\1\0\0\0\x02\1\2\1\2ab"), NULL);
        assert_int_equal(b.p[32 + 20], 2); /* its minor number stands there */
        old_header(&b, DATA("Spec ID Event02\0\1\0\0\0\x02\1\2\1\2a"), "vendor part");
        old_header(&b, DATA("Spec ID Event02\0\1\0\0\0\x02\1"), "cut off");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_type_in_words),
                cmocka_unit_test(test_cut_events_in_words),
                cmocka_unit_test(test_every_type_has_a_name),
                cmocka_unit_test(test_what_other_firmware_covers),
                cmocka_unit_test(test_where_register_zero_begins),
                cmocka_unit_test(test_a_late_hcrtm_event_is_one_like_others),
                cmocka_unit_test(test_headers_of_older_specifications),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
