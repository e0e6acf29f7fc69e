/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How hosts started, as their boot logs show it: real boots under policies written by hand from what was put
 * into the guests, boots made up of other firmware's events, logs that lie, and roots who extend by hand.
 */
#include "unit/policy/story.h"

#include <stdlib.h>

#include "base/hex.h"
#include "evidence/bootlog.h"
#include "unit/evidence/vectors.h"

#define SHIM_SET "secureboot-shim-grub-ima-sig"
#define DIRECT   "uefi-direct-ima-sig"
#define SEABIOS  "seabios-ima-sig"

#define BOOT "format: avow-policy/2\nname: edge\nboot:\n"
/* `sha256sum` of the certificates that OVMF was set up with, pesign's digests of what was started. */
#define SHIM        "80a66d53a945d2286fcadd780fae1c225aa732079cd67b5225dc78aaab4e2ff8"
#define GRUB        "a68f6d71ebddaa19751ff8d729f67d11b0df8e4c49400c3e7e90de16119e1265"
#define KERNEL      "5f21ff2c0d5d899842b28a8b19901ba72cf7a7ab93c02a77fadc6ff72be85b31"
#define VMLINUZ     "51349501a3d1ff83836437d2b365fd2d57f2feb8642d315e5181dec23d4c3275"
#define INITRD      "50e216a671e5bd280896eac46e3fd3d205c1e1ef79340378bdc3f9d80e48997e"
#define DIRECTLY    "bd06e90222bef484a59864616e31bece32ebccbf7cc81ce4ddfb1872b09a0c94" /* OVMF starts it */
#define REDHAT      "5fb05ed84c5170d542ed6a7b7487dd57b8faedb02f7e107b0409e1d22cac4169"
#define MS_KEK      "a1117f516a32cefcba3f2d1ace10a87972fd6bbe8fe0d0b996e09e65d802a503"
#define MS_PCA      "e8e95f0733a55e8bad7be0a1413ee23c51fcea64b3c8fa6a786935fddcc71961"
#define MS_UEFI     "48e99b991f57fc52f76149599bff0a58c47154229b9f8d603ac40d3500248507"
#define DEBIAN      "079646974bce09b1f04da67bd722d1fb0947ae4c4010bccdbba52d5b23cbf1a2"
#define EMPTY       "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define LINE        "/vmlinuz console=ttyS0 ima_policy=tcb ima_template=ima-sig rootfstype=ramfs"
#define DIRECT_LINE "console=ttyS0 ima_policy=tcb ima_template=ima-sig rootfstype=ramfs initrd=initrd"

static void take_values(struct story *s, const struct bootlog *log)
{
        struct pcr_values v;
        struct err err = ERR_INIT;

        assert_ok(bootlog_replay(log, s->host.tpm.pcrs.bank, &v, &err), &err);
        for (unsigned i = 0; i < PCR_COUNT; i++)
                if (v.mask >> i & 1)
                        s->host.tpm.pcrs.v[i] = v.v[i];
}

/* A host under POLICY whose registers are those that its log leads to. */
static void boot(struct story *s, const char *policy, enum digest_alg bank, struct view log)
{
        struct bootlog parsed;
        struct err err = ERR_INIT;

        story_begin(s, policy, bank);
        assert_ok(bootlog_parse(log, &parsed, &err), &err);
        take_values(s, &parsed);
        s->uefi = log;
}

/* ---- real boots ---- */

static const struct {
        const char *set, *policy;
        enum verdict_state state;
        const char *code;
} real[] = {
        {SHIM_SET, BOOT " {}\n", VERDICT_PASS, NULL},
        {DIRECT, BOOT " {}\n", VERDICT_FAIL, "secure-boot-off"},
        {DIRECT, BOOT " secure_boot: off\n", VERDICT_PASS, NULL},
        {SHIM_SET, BOOT " secure_boot: off\n", VERDICT_FAIL, "secure-boot-on"},
        {SEABIOS, BOOT " {}\n", VERDICT_INCONCLUSIVE, "secure-boot-not-shown"},
        {SEABIOS, BOOT " secure_boot: any\n", VERDICT_PASS, NULL},
        /* keys */
        {SHIM_SET,
         BOOT " pk: [{sha256: " REDHAT "}]\n kek: [{sha256: " REDHAT "}, {sha256: " MS_KEK "}]\n"
              " db: [{sha256: " MS_PCA "}, {sha256: " MS_UEFI "}]\n",
         VERDICT_PASS, NULL},
        {SHIM_SET, BOOT " db: [{sha256: " MS_UEFI "}]\n", VERDICT_FAIL, "boot-key-not-allowed"},
        {SHIM_SET, BOOT " pk: [{sha256: " MS_KEK "}]\n", VERDICT_FAIL, "boot-key-not-allowed"},
        {SHIM_SET,
         BOOT " db: [{sha256: " MS_PCA "}, {sha256: " MS_UEFI
              ", owner: 8be4df61-93ca-11d2-aa0d-00e098032b8c}]\n",
         VERDICT_FAIL, "boot-key-not-allowed"},
        {SHIM_SET, BOOT " dbx_floor: [{digest: " EMPTY "}]\n", VERDICT_PASS, NULL},
        {SHIM_SET, BOOT " dbx_floor: [{digest: " EMPTY "}, {digest: " SHIM "}]\n", VERDICT_FAIL,
         "dbx-below-floor"},
        {DIRECT, BOOT " secure_boot: any\n dbx_floor: [{digest: " EMPTY "}]\n", VERDICT_FAIL,
         "dbx-below-floor"},
        {SEABIOS, BOOT " secure_boot: any\n dbx_floor: [{digest: " EMPTY "}]\n", VERDICT_INCONCLUSIVE,
         "boot-keys-not-shown"},
        {SHIM_SET, BOOT " authorities: [{sha256: " MS_UEFI "}, {sha256: " DEBIAN "}]\n", VERDICT_PASS, NULL},
        {SHIM_SET, BOOT " authorities: [{sha256: " MS_UEFI "}]\n", VERDICT_FAIL,
         "boot-authority-not-allowed"},
        /* code */
        {SHIM_SET, BOOT " loaders: [" SHIM ", " GRUB "]\n", VERDICT_PASS, NULL},
        {SHIM_SET, BOOT " loaders: [" SHIM "]\n", VERDICT_FAIL, "loader-not-allowed"},
        {SHIM_SET, BOOT " kernels: [{authenticode: " KERNEL "}]\n", VERDICT_PASS, NULL},
        {SHIM_SET, BOOT " kernels: [{authenticode: " GRUB "}]\n", VERDICT_FAIL, "loader-not-allowed"},
        {SHIM_SET, BOOT " kernels: [{authenticode: " INITRD "}]\n", VERDICT_FAIL, "kernel-not-allowed"},
        {SHIM_SET, BOOT " kernels: [{file: " VMLINUZ "}]\n", VERDICT_PASS, NULL},
        {SHIM_SET, BOOT " loaders: [" SHIM ", " GRUB "]\n kernels: [{authenticode: " KERNEL "}]\n",
         VERDICT_PASS, NULL},
        {SHIM_SET, BOOT " loaders: [" SHIM "]\n kernels: [{authenticode: " KERNEL "}]\n", VERDICT_FAIL,
         "loader-not-allowed"},
        {SHIM_SET,
         BOOT " loaders: [" SHIM "]\n kernels: [{authenticode: " KERNEL ", loaders: [" SHIM ", " GRUB "]}]\n",
         VERDICT_PASS, NULL},
        {SHIM_SET, BOOT " kernels: [{authenticode: " KERNEL ", until: 2026-12-01T00:00:00Z}]\n", VERDICT_FAIL,
         "kernel-not-allowed"},
        {SHIM_SET, BOOT " initrds: [" INITRD "]\n", VERDICT_PASS, NULL},
        {SHIM_SET, BOOT " initrds: [" KERNEL "]\n", VERDICT_FAIL, "initrd-not-allowed"},
        {SHIM_SET, BOOT " initrds: [{digest: " INITRD ", until: 2026-12-01T00:00:00Z}]\n", VERDICT_FAIL,
         "initrd-not-allowed"},
        {SHIM_SET, BOOT " kernels: [{authenticode: " KERNEL ", file: " VMLINUZ ", initrds: [" INITRD "]}]\n",
         VERDICT_PASS, NULL},
        {SHIM_SET, BOOT " kernels: [{authenticode: " KERNEL ", initrds: [" GRUB "]}]\n", VERDICT_FAIL,
         "initrd-not-allowed"},
        {DIRECT, BOOT " secure_boot: any\n initrds: [" INITRD "]\n kernels: [{authenticode: " DIRECTLY "}]\n",
         VERDICT_PASS, NULL},
        {DIRECT, BOOT " secure_boot: any\n initrds: [" GRUB "]\n", VERDICT_FAIL, "initrd-not-allowed"},
        {DIRECT, BOOT " secure_boot: any\n kernels: [{authenticode: " KERNEL "}]\n", VERDICT_FAIL,
         "kernel-not-allowed"},
        {SEABIOS, BOOT " secure_boot: any\n kernels: [{authenticode: " KERNEL "}]\n", VERDICT_INCONCLUSIVE,
         "kernel-not-shown"},
        /* command lines */
        {SHIM_SET, BOOT " command_lines: ['" LINE "']\n", VERDICT_PASS, NULL},
        {SHIM_SET, BOOT " command_lines: ['/vmlinuz console=ttyS? **']\n", VERDICT_PASS, NULL},
        {SHIM_SET, BOOT " command_lines: ['/vmlinuz root=**']\n", VERDICT_FAIL, "command-line-not-allowed"},
        {SHIM_SET, BOOT " kernels: [{authenticode: " KERNEL ", command_lines: ['" LINE "']}]\n", VERDICT_PASS,
         NULL},
        {SHIM_SET, BOOT " kernels: [{authenticode: " KERNEL ", command_lines: ['/vmlinuz']}]\n", VERDICT_FAIL,
         "command-line-not-allowed"},
        {SHIM_SET,
         BOOT " kernels: [{authenticode: " KERNEL ", command_lines: ['/vmlinuz']}, {authenticode: " KERNEL
              ", command_lines: ['" LINE "']}]\n",
         VERDICT_PASS, NULL},
        {DIRECT, BOOT " secure_boot: any\n command_lines: ['" DIRECT_LINE "']\n", VERDICT_PASS, NULL},
        {DIRECT, BOOT " secure_boot: any\n command_lines: ['console=ttyS1']\n", VERDICT_FAIL,
         "command-line-not-allowed"},
        {DIRECT, BOOT " secure_boot: any\n command_lines: ['console=ttyS0 **']\n", VERDICT_INCONCLUSIVE,
         "command-line-not-shown"},
        {SEABIOS, BOOT " secure_boot: any\n command_lines: ['console=ttyS0 **']\n", VERDICT_INCONCLUSIVE,
         "command-line-not-shown"},
        /* firmware */
        {SHIM_SET,
         BOOT " firmware:\n  - 96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7\n"
              "  - 32dee58fd15713bb7af2790344dadcc52dd1bcd30c03d5b9616c8c0a0887fe2f\n"
              "  - a644ed209b188dd428ea3e15c0b1dbbc1ad05d406bb2857cac4a73b98d0b6b4f\n drivers: []\n",
         VERDICT_PASS, NULL},
        {SHIM_SET,
         BOOT " firmware:\n  - 96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7\n"
              "  - 32dee58fd15713bb7af2790344dadcc52dd1bcd30c03d5b9616c8c0a0887fe2f\n",
         VERDICT_FAIL, "firmware-not-allowed"},
        {SEABIOS,
         BOOT " secure_boot: any\n firmware: []\n drivers:\n"
              "  - 56fb69c5123f3f24a84227f315d75101297671f6b1814490f30c7847fbeb392d\n"
              "  - 4e2896d7c3bc3b3283481f191e87f62a1e55a8f0178d164ac95d539de9522ec7\n"
              "  - 240b7eb86763bad3be00c6cd60d0e7131aa59e4a5080244bd5330e0b1ed6037f\n",
         VERDICT_PASS, NULL},
        {SEABIOS, BOOT " secure_boot: any\n drivers: []\n", VERDICT_FAIL, "driver-not-allowed"},
        /* shim's lists */
        {SHIM_SET,
         BOOT " mok_list: [342c88bb9fde2c45eeaa17321262b089181e7e841ef5a4a5e8ed240920026f97]\n"
              " mok_list_x: [45e89b4a5f8283cd8ae7c66bda8346697120c84880537aadb49a665c7d7eec0f]\n",
         VERDICT_PASS, NULL},
        {SHIM_SET, BOOT " mok_list: [" EMPTY "]\n", VERDICT_FAIL, "mok-not-allowed"},
        {SHIM_SET, BOOT " mok_list_x: [" EMPTY "]\n", VERDICT_FAIL, "mok-not-allowed"},
};

static void test_real_boots(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(real); i++) {
                AUTO(buf_free) struct buf b = {0};
                struct story s;

                boot(&s, real[i].policy, DIGEST_SHA256,
                     vector_read(&b, real[i].set, "binary_bios_measurements"));
                (void)story_round(&s);
                if (s.r.verdict->state != real[i].state ||
                    (real[i].code ? !verdict_find(s.r.verdict, real[i].code) : s.r.verdict->n_findings > 0)) {
                        print_error("row %zu: %s\n%s", i, real[i].set, real[i].policy);
                        story_expect(&s, real[i].state, real[i].code, __LINE__);
                        fail_msg("row %zu has a finding that it should not have: %s", i,
                                 s.r.verdict->findings[0].what);
                }
                story_end(&s);
        }
}

/* Every bank of every real boot, without a finding. */
static void test_real_boots_in_every_bank(void **state)
{
        static const enum digest_alg banks[] = {DIGEST_SHA256, DIGEST_SHA384};
        static const char *const policies[] = {BOOT " secure_boot: any\n",
                                               "format: avow-policy/2\nname: edge\npcr: {bank: sha384}\n"
                                               "boot:\n secure_boot: any\n"};

        (void)state;
        for (size_t set = 0; set < BOOT_SETS; set++)
                for (size_t k = 0; k < ARRAY_LEN(banks); k++) {
                        AUTO(buf_free) struct buf b = {0};
                        struct story s;

                        boot(&s, policies[k], banks[k],
                             vector_read(&b, boot_sets[set], "binary_bios_measurements"));
                        s.mask = 0x47ff; /* as those hosts were quoted: without PCRs 11 and 12 */
                        (void)story_round(&s);
                        EXPECT(&s, VERDICT_PASS, NULL);
                        assert_int_equal(s.r.verdict->n_findings, 0);
                        story_end(&s);
                }
}

/* ---- logs that lie ---- */

/* Whoever hands the log over changes WHAT to THAT, of the same length, wherever it stands. */
static void forge(struct buf *b, const char *what, const char *that, size_t n)
{
        size_t changed = 0;

        for (size_t i = 0; i + n <= b->len; i++)
                if (view_equal(VIEW(b->p + i, n), VIEW(what, n))) {
                        memcpy(b->p + i, that, n);
                        changed++;
                }
        assert_true(changed > 0);
}

static void lie(const char *set, const char *policy, const char *what, const char *that, size_t n,
                enum verdict_state state, const char *code)
{
        AUTO(buf_free) struct buf b = {0};
        struct story s;

        boot(&s, policy, DIGEST_SHA256, vector_read(&b, set, "binary_bios_measurements"));
        forge(&b, what, that, n);
        (void)story_round(&s);
        EXPECT(&s, state, code);
        story_end(&s);
}
#define TEXTS(a, b) (a), (b), sizeof(a) - 1

/* SecureBoot and its value, as the variable has them. */
#define VARIABLE(value) "S\0e\0c\0u\0r\0e\0B\0o\0o\0t\0" value

static void test_forged_texts_decide_nothing(void **state)
{
        (void)state;
        /* on where it is off; a command line; names of images and files; commands that were not run */
        lie(DIRECT, BOOT " {}\n", TEXTS(VARIABLE("\0"), VARIABLE("\1")), VERDICT_FAIL, "secure-boot-off");
        lie(DIRECT, BOOT " {}\n", TEXTS("S\0e\0c\0u\0r\0e\0B\0", "S\0e\0c\0u\0r\0e\0X\0"), VERDICT_FAIL,
            "secure-boot-off");
        lie(SHIM_SET, BOOT " {}\n", TEXTS(VARIABLE("\1"), VARIABLE("\0")), VERDICT_INCONCLUSIVE,
            "secure-boot-not-shown");
        lie(SHIM_SET, BOOT " {}\n", TEXTS("set timeout=0", "set timeout=9"), VERDICT_PASS, NULL);
        lie(SHIM_SET, BOOT " loaders: [" SHIM "]\n", TEXTS("g\0r\0u\0b\0x\0", "v\0m\0l\0i\0n\0"),
            VERDICT_FAIL, "loader-not-allowed");
        lie(SHIM_SET, BOOT " initrds: [" GRUB "]\n", TEXTS("/initrd.img", "/grub.conf1"), VERDICT_FAIL,
            "initrd-not-allowed");
        lie(SHIM_SET, BOOT " command_lines: ['/vmlinuz console=ttyS1 **']\n", TEXTS("=ttyS0 ", "=ttyS1 "),
            VERDICT_INCONCLUSIVE, "boot-event-not-covered");
        lie(SHIM_SET, BOOT " mok_list: [" EMPTY "]\n mok_list_x: [" EMPTY "]\n",
            TEXTS("MokList\0\x0e", "MokLisX\0\x0e"), VERDICT_FAIL, "mok-not-allowed");
        lie(SHIM_SET, BOOT " authorities: [{sha256: " MS_UEFI "}]\n",
            TEXTS("M\0o\0k\0L\0i\0s\0t\0R\0T\0", "S\0b\0a\0t\0L\0e\0v\0e\0l\0"), VERDICT_INCONCLUSIVE,
            "boot-event-not-covered");
}

/* Types are claims as well: no type makes an event harmless. */
static void relabel(const char *policy, uint32_t from, uint32_t to, enum verdict_state state,
                    const char *code)
{
        AUTO(buf_free) struct buf b = {0};
        struct bootlog log;
        struct bootlog_pos pos = {0};
        struct bootlog_event e;
        struct story s;
        struct err err = ERR_INIT;

        boot(&s, policy, DIGEST_SHA256, vector_read(&b, SHIM_SET, "binary_bios_measurements"));
        assert_ok(bootlog_parse(VIEW_BUF(&b), &log, &err), &err);
        while (bootlog_next(&log, &pos, &e))
                if (e.type == from && e.number > 0)
                        for (unsigned i = 0; i < 4; i++)
                                b.p[e.at + 4 + i] = (uint8_t)(to >> 8 * i);
        (void)story_round(&s);
        EXPECT(&s, state, code);
        story_end(&s);
}

static void test_types_allow_nothing(void **state)
{
        static const uint32_t types[] = {EV_ACTION,    EV_EFI_ACTION, EV_SEPARATOR, EV_IPL,
                                         EV_EVENT_TAG, EV_POST_CODE,  0x12345};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(types); i++) {
                relabel(BOOT " loaders: [" SHIM "]\n", EV_EFI_BOOT_SERVICES_APPLICATION, types[i],
                        VERDICT_FAIL, "loader-not-allowed");
                relabel(BOOT " kernels: [{authenticode: " INITRD "}]\n", EV_EFI_BOOT_SERVICES_APPLICATION,
                        types[i], VERDICT_FAIL, "kernel-not-allowed");
                relabel(BOOT " firmware: []\n", EV_EFI_PLATFORM_FIRMWARE_BLOB, types[i], VERDICT_FAIL,
                        "firmware-not-allowed");
                relabel(BOOT " firmware: []\n", EV_S_CRTM_VERSION, types[i], VERDICT_FAIL,
                        "firmware-not-allowed");
                relabel(BOOT " authorities: [{sha256: " MS_UEFI "}]\n", EV_EFI_VARIABLE_AUTHORITY, types[i],
                        VERDICT_FAIL, "boot-authority-not-allowed");
                relabel(BOOT " secure_boot: off\n", EV_EFI_VARIABLE_DRIVER_CONFIG, types[i], VERDICT_FAIL,
                        "secure-boot-on");
        }
}

/* ---- logs that do not lead to the registers ---- */

static void test_logs_that_do_not_fit(void **state)
{
        AUTO(buf_free) struct buf b = {0};
        struct story s;

        (void)state;
        boot(&s, BOOT " {}\n", DIGEST_SHA256, vector_read(&b, SHIM_SET, "binary_bios_measurements"));
        play_tpm_extend(&s.host.tpm, 4, view_str("by hand"));
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "boot-log-not-replayed");
        assert_int_equal(s.r.ask, APPRAISAL_ASK_FULL_LOG);
        assert_null(s.r.next);
        story_says(verdict_find(s.r.verdict, "boot-log-not-replayed")->what, "sha256:4");
        s.asked_again = true;
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "boot-log-not-replayed");
        assert_int_equal(s.r.ask, APPRAISAL_ASK_NOTHING);
        s.uefi = VIEW(b.p, b.len - 1);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "boot-log-malformed");
        story_says(verdict_find(s.r.verdict, "boot-log-malformed")->found, "event 47");
        story_end(&s);
}

/* Registers that nobody extended, and a log that says so: explained by nothing. */
static void test_an_empty_log_explains_nothing(void **state)
{
        AUTO(buf_free) struct buf b = {0};
        struct story s;

        (void)state;
        (void)vector_read(&b, SEABIOS, "binary_bios_measurements");
        story_begin(&s, BOOT " secure_boot: any\n", DIGEST_SHA256);
        s.uefi = VIEW(b.p, 32 + (size_t)b.p[28]); /* the header alone */
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "boot-log-not-replayed");
        story_end(&s);
}

/* ---- no log ---- */

static void test_a_machine_without_a_log(void **state)
{
        struct story s;

        (void)state;
        story_begin(&s, BOOT " {}\n", DIGEST_SHA256);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "no-boot-log");
        assert_int_equal(s.r.ask, APPRAISAL_ASK_FULL_LOG);
        story_end(&s);
        story_begin(&s, BOOT " log: if-there\n", DIGEST_SHA256);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, "no-boot-log");
        story_end(&s);
        story_begin(&s, BOOT " log: none\npcr: {values: {22: [" ZEROS "]}}\n", DIGEST_SHA256);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_int_equal(s.r.verdict->n_findings, 0);
        story_end(&s);
}

static void put_old_event(struct buf *b, uint32_t pcr, uint32_t type, const char *data)
{
        struct digest d;
        struct err err = ERR_INIT;

        assert_ok(digest_bytes(DIGEST_SHA1, view_str(data), &d, &err), &err);
        buf_le32(b, pcr);
        buf_le32(b, type);
        buf_put_view(b, digest_view(&d));
        buf_le32(b, (uint32_t)strlen(data));
        buf_str(b, data);
}

/* A log of SHA-1 alone shows nothing of the bank that the policy judges. */
static void test_a_log_of_another_bank(void **state)
{
        AUTO(buf_free) struct buf b = {0};
        struct story s;

        (void)state;
        put_old_event(&b, 0, EV_S_CRTM_VERSION, "1.0");
        story_begin(&s, BOOT " {}\n", DIGEST_SHA256);
        s.uefi = VIEW_BUF(&b);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "no-boot-log");
        story_says(verdict_find(s.r.verdict, "no-boot-log")->found, "bank sha256");
        story_end(&s);
        story_begin(&s, BOOT " log: if-there\n", DIGEST_SHA256);
        s.uefi = VIEW_BUF(&b);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, "no-boot-log");
        story_end(&s);
}

/* ---- boots that were made up ---- */

/* A log of one bank. */
struct made {
        struct buf log;
        enum digest_alg bank;
};

static void made_begin(struct made *m, enum digest_alg bank)
{
        static const uint8_t zeros[20];

        *m = (struct made){.bank = bank};
        buf_le32(&m->log, 0);
        buf_le32(&m->log, EV_NO_ACTION);
        buf_put(&m->log, zeros, sizeof(zeros));
        buf_le32(&m->log, 16 + 12 + 4 + 1);
        buf_put(&m->log, "Spec ID Event03", 16);
        buf_put(&m->log, "\0\0\0\0\0\2\0\2\1\0\0\0", 12);
        buf_le16(&m->log, (uint16_t)bank);
        buf_le16(&m->log, (uint16_t)digest_size(bank));
        buf_u8(&m->log, 0);
}

/* An event whose text is DATA and whose digest is over MEASURED; NULL: all zeros. */
static void made_event(struct made *m, uint32_t pcr, uint32_t type, const char *data, size_t n,
                       const char *measured, size_t n_measured)
{
        struct digest d;
        struct err err = ERR_INIT;

        digest_zero(m->bank, &d);
        if (measured)
                assert_ok(digest_bytes(m->bank, VIEW(measured, n_measured), &d, &err), &err);
        buf_le32(&m->log, pcr);
        buf_le32(&m->log, type);
        buf_le32(&m->log, 1);
        buf_le16(&m->log, (uint16_t)m->bank);
        buf_put_view(&m->log, digest_view(&d));
        buf_le32(&m->log, (uint32_t)n);
        buf_put(&m->log, data, n);
}
#define COVERED(m, pcr, type, s)       made_event(m, pcr, type, s, sizeof(s) - 1, s, sizeof(s) - 1)
#define CLAIMED(m, pcr, type, s, what) made_event(m, pcr, type, s, sizeof(s) - 1, what, sizeof(what) - 1)

#define GLOBAL             "\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c"
#define SECURE_BOOT(value) GLOBAL "\x0a\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0S\0e\0c\0u\0r\0e\0B\0o\0o\0t\0" value

static void made_separators(struct made *m)
{
        for (uint32_t pcr = 0; pcr < 8; pcr++)
                COVERED(m, pcr, EV_SEPARATOR, "\0\0\0\0");
}

static void made_done(struct made *m)
{
        buf_free(&m->log);
}

/* SHA-384 and SHA-512 alone, started at another locality. */
static void test_a_log_of_sha384_alone(void **state)
{
        struct made m;
        struct story s;

        (void)state;
        made_begin(&m, DIGEST_SHA384);
        made_event(&m, 0, EV_NO_ACTION, "StartupLocality\0\3", 17, NULL, 0);
        COVERED(&m, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, SECURE_BOOT("\1"));
        made_separators(&m);
        boot(&s, "format: avow-policy/2\nname: edge\npcr: {bank: sha384}\nboot: {}\n", DIGEST_SHA384,
             VIEW_BUF(&m.log));
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_int_equal(s.r.verdict->n_findings, 0);
        story_end(&s);
        made_done(&m);
}

/* Root extends by hand what a good boot would have, and writes it into the log: behind the separator. */
static void test_root_extends_secure_boot_by_hand(void **state)
{
        struct made m;
        struct story s;

        (void)state;
        made_begin(&m, DIGEST_SHA256);
        made_separators(&m);
        COVERED(&m, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, SECURE_BOOT("\1"));
        COVERED(&m, 7, EV_SEPARATOR, "\0\0\0\0");
        boot(&s, BOOT " {}\n", DIGEST_SHA256, VIEW_BUF(&m.log));
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "secure-boot-not-shown");
        story_end(&s);
        made_done(&m);
        /* and where it is off, with the firmware's own event called something else */
        made_begin(&m, DIGEST_SHA256);
        CLAIMED(&m, 7, EV_IPL, "nothing", SECURE_BOOT("\0"));
        made_separators(&m);
        COVERED(&m, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, SECURE_BOOT("\1"));
        boot(&s, BOOT " {}\n", DIGEST_SHA256, VIEW_BUF(&m.log));
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "secure-boot-off");
        story_end(&s);
        made_done(&m);
}

static void made_secure(struct made *m)
{
        made_begin(m, DIGEST_SHA256);
        COVERED(m, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, SECURE_BOOT("\1"));
        made_separators(m);
}

static void judged(struct made *m, const char *policy, enum verdict_state state, const char *code, int line)
{
        struct story s;

        boot(&s, policy, DIGEST_SHA256, VIEW_BUF(&m->log));
        (void)story_round(&s);
        story_expect(&s, state, code, line);
        if (state == VERDICT_PASS && s.r.verdict->n_findings)
                fail_msg("line %d: %s", line, s.r.verdict->findings[0].what);
        story_end(&s);
        made_done(m);
}
#define JUDGED(m, policy, state, code) judged(m, policy, state, code, __LINE__)

static void test_modes_of_the_firmware(void **state)
{
        struct made m;

        (void)state;
        made_secure(&m);
        COVERED(&m, 7, EV_EFI_ACTION, "UEFI Debug Mode");
        JUDGED(&m, BOOT " {}\n", VERDICT_FAIL, "firmware-debug-mode");
        made_secure(&m);
        CLAIMED(&m, 7, EV_EFI_ACTION, "UEFI Happy Mode", "UEFI Debug Mode");
        JUDGED(&m, BOOT " {}\n", VERDICT_FAIL, "firmware-debug-mode");
        made_begin(&m, DIGEST_SHA256);
        COVERED(&m, 7, EV_EFI_VARIABLE_DRIVER_CONFIG, SECURE_BOOT("\1"));
        COVERED(&m, 4, EV_SEPARATOR, "\1\0\0\0");
        made_separators(&m);
        JUDGED(&m, BOOT " {}\n", VERDICT_INCONCLUSIVE, "firmware-error");
        /* shim that was told to verify nothing; the same under another name */
        made_secure(&m);
        CLAIMED(&m, 14, EV_IPL, "MokList\0", "list");
        CLAIMED(&m, 14, EV_IPL, "MokSBState\0", "\1");
        JUDGED(&m, BOOT " {}\n", VERDICT_FAIL, "shim-validation-off");
        made_secure(&m);
        CLAIMED(&m, 14, EV_IPL, "MokList\0", "list");
        CLAIMED(&m, 14, EV_IPL, "MokThings\0", "\1");
        CLAIMED(&m, 14, EV_IPL, "MokListTrusted\0", "\1");
        JUDGED(&m, BOOT " {}\n", VERDICT_FAIL, "shim-validation-off");
        made_secure(&m);
        CLAIMED(&m, 14, EV_IPL, "MokList\0", "list");
        CLAIMED(&m, 14, EV_IPL, "MokSBState\0", "\0");
        CLAIMED(&m, 14, EV_IPL, "MokListTrusted\0", "\1");
        JUDGED(&m, BOOT " {}\n", VERDICT_PASS, NULL);
}

/* ---- systemd-boot and a unified kernel image ---- */

/* Names of sections are measured in ASCII and logged in UTF-16; contents are not in the log. */
static void made_section(struct made *m, const char *name, const char *content)
{
        struct buf utf16 = {0};

        for (const char *c = name; *c; c++)
                buf_le16(&utf16, (uint16_t)*c);
        buf_le16(&utf16, 0);
        made_event(m, 11, EV_IPL, (const char *)utf16.p, utf16.len, name, strlen(name) + 1);
        made_event(m, 11, EV_IPL, (const char *)utf16.p, utf16.len, content, strlen(content));
        buf_free(&utf16);
}

static void made_uki(struct made *m, const char *content)
{
        made_secure(m);
        CLAIMED(m, 4, EV_EFI_BOOT_SERVICES_APPLICATION, "\0", "boot");
        CLAIMED(m, 4, EV_EFI_BOOT_SERVICES_APPLICATION, "\0", "uki");
        made_section(m, ".linux", content);
        made_section(m, ".osrel", "os");
        CLAIMED(m, 4, EV_EFI_BOOT_SERVICES_APPLICATION, "\0", "linux");
        COVERED(m, 12, EV_IPL, "r\0o\0 \0q\0u\0i\0e\0t\0\0\0");
        CLAIMED(m, 9, EV_EVENT_TAG, "\xed\x22\x3b\x8f\x1a\0\0\0LOADED_IMAGE::LoadOptions\0",
                "r\0o\0 \0q\0u\0i\0e\0t\0\0\0");
        CLAIMED(m, 9, EV_EVENT_TAG, "\xec\x22\x3b\x8f\x0d\0\0\0Linux initrd\0", "initrd");
}

static char *uki_policy(const char *linux_digest, const char *more)
{
        struct digest boot_, uki, inner, os, initrd, content;
        AUTO(mem_free_p) char *b = NULL, *u = NULL, *l = NULL, *o = NULL, *i = NULL, *c = NULL;
        struct err err = ERR_INIT;

        assert_ok(digest_bytes(DIGEST_SHA256, view_str("boot"), &boot_, &err), &err);
        assert_ok(digest_bytes(DIGEST_SHA256, view_str("uki"), &uki, &err), &err);
        assert_ok(digest_bytes(DIGEST_SHA256, view_str("linux"), &inner, &err), &err);
        assert_ok(digest_bytes(DIGEST_SHA256, view_str("os"), &os, &err), &err);
        assert_ok(digest_bytes(DIGEST_SHA256, view_str("initrd"), &initrd, &err), &err);
        assert_ok(digest_bytes(DIGEST_SHA256, view_str(linux_digest), &content, &err), &err);
        b = hex_encode(digest_view(&boot_));
        u = hex_encode(digest_view(&uki));
        l = hex_encode(digest_view(&inner));
        o = hex_encode(digest_view(&os));
        i = hex_encode(digest_view(&initrd));
        c = hex_encode(digest_view(&content));
        return str_fmt(
                BOOT
                " loaders: [%s]\n initrds: [%s]\n%s kernels:\n  - authenticode: [%s, %s]\n    sections:\n"
                "      .linux: %s\n      .osrel: %s\n",
                b, i, more, u, l, c, o);
}

static void test_a_unified_kernel_image(void **state)
{
        static const char lines[] = " command_lines: ['ro quiet']\n";
        AUTO(mem_free_p) char *good = uki_policy("linux", lines), *other = uki_policy("other", lines);
        AUTO(mem_free_p) char *single = uki_policy("linux", " command_lines: ['ro single']\n");
        struct made m;
        struct story s;

        (void)state;
        made_uki(&m, "linux");
        JUDGED(&m, good, VERDICT_PASS, NULL);
        made_uki(&m, "linux");
        JUDGED(&m, other, VERDICT_FAIL, "uki-section-not-allowed");
        made_uki(&m, "linux");
        JUDGED(&m, single, VERDICT_FAIL, "command-line-not-allowed");
        made_uki(&m, "linux");
        made_section(&m, ".cmdline", "init=/bin/sh"); /* one that the policy does not know */
        JUDGED(&m, good, VERDICT_FAIL, "uki-section-not-allowed");
        made_uki(&m, "linux");
        CLAIMED(&m, 4, EV_EFI_BOOT_SERVICES_APPLICATION, "\0",
                "evil"); /* root extends, or it starts something */
        JUDGED(&m, good, VERDICT_FAIL, "loader-not-allowed");
        made_uki(&m, "linux");
        CLAIMED(&m, 9, EV_EVENT_TAG, "\xec\x22\x3b\x8f\x0d\0\0\0Linux initrd\0", "evil");
        JUDGED(&m, good, VERDICT_FAIL, "initrd-not-allowed");
        /* systemd's phases, which no firmware's log has */
        made_uki(&m, "linux");
        boot(&s, good, DIGEST_SHA256, VIEW_BUF(&m.log));
        play_tpm_extend(&s.host.tpm, 11, view_str("enter-initrd"));
        play_tpm_extend(&s.host.tpm, 11, view_str("leave-initrd"));
        play_tpm_extend(&s.host.tpm, 11, view_str("sysinit"));
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        play_tpm_extend(&s.host.tpm, 11, view_str("evil"));
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "uki-section-not-shown");
        story_end(&s);
        made_done(&m);
}

/* Root appends the good command line and calls the real one a credential: the EFI stub's digest tells. */
static void test_a_command_line_by_hand(void **state)
{
        static const char policy[] = BOOT " command_lines: ['ro quiet']\n";
        struct made m;

        (void)state;
        made_secure(&m);
        CLAIMED(&m, 12, EV_IPL, "credentials", "s\0h\0\0\0");
        CLAIMED(&m, 9, EV_EVENT_TAG, "\xed\x22\x3b\x8f\x1a\0\0\0LOADED_IMAGE::LoadOptions\0", "s\0h\0\0\0");
        COVERED(&m, 12, EV_IPL, "r\0o\0 \0q\0u\0i\0e\0t\0\0\0");
        JUDGED(&m, policy, VERDICT_FAIL, "command-line-not-allowed");
        made_secure(&m); /* without that digest */
        CLAIMED(&m, 12, EV_IPL, "credentials", "s\0h\0\0\0");
        COVERED(&m, 12, EV_IPL, "r\0o\0 \0q\0u\0i\0e\0t\0\0\0");
        JUDGED(&m, policy, VERDICT_INCONCLUSIVE, "boot-event-not-covered");
        made_secure(&m); /* called an initrd, with one of his own behind it */
        CLAIMED(&m, 12, EV_IPL, "credentials", "s\0h\0\0\0");
        CLAIMED(&m, 9, EV_EVENT_TAG, "\xec\x22\x3b\x8f\x0d\0\0\0Linux initrd\0", "s\0h\0\0\0");
        CLAIMED(&m, 9, EV_EVENT_TAG, "\xed\x22\x3b\x8f\x1a\0\0\0LOADED_IMAGE::LoadOptions\0",
                "r\0o\0 \0q\0u\0i\0e\0t\0\0\0");
        COVERED(&m, 12, EV_IPL, "r\0o\0 \0q\0u\0i\0e\0t\0\0\0");
        JUDGED(&m, policy, VERDICT_INCONCLUSIVE, "boot-event-not-covered");
        /* GRUB: the label is a claim, the command is not */
        made_secure(&m);
        CLAIMED(&m, 8, EV_IPL, "grub_cmd: linux /vmlinuz sh\0", "linux /vmlinuz sh");
        CLAIMED(&m, 8, EV_IPL, "grub_cmd: /vmlinuz sh\0", "/vmlinuz sh");
        CLAIMED(&m, 8, EV_IPL, "kernel_cmdline: ro quiet\0", "ro quiet");
        JUDGED(&m, policy, VERDICT_FAIL, "command-line-not-allowed");
}

/* ---- rounds ---- */

static void test_the_log_is_sent_once(void **state)
{
        AUTO(buf_free) struct buf b = {0};
        struct appraisal_needs needs;
        struct story s;
        struct view log = vector_read(&b, SHIM_SET, "binary_bios_measurements");

        (void)state;
        boot(&s, BOOT " command_lines: ['" LINE "']\n", DIGEST_SHA256, log);
        appraisal_needs(s.before, s.policy, &needs);
        assert_true(needs.uefi);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        appraisal_needs(s.before, s.policy, &needs);
        assert_false(needs.uefi);
        s.uefi = VIEW_NONE;
        story_pass_time(&s, 30000);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        assert_int_equal(s.r.verdict->n_findings, 0);
        story_pass_time(&s, 30000);
        play_tpm_extend(&s.host.tpm, 9, view_str("kexec")); /* what was explained is so no more */
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "no-boot-log");
        assert_int_equal(s.r.ask, APPRAISAL_ASK_FULL_LOG);
        s.uefi = log;
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "boot-log-not-replayed");
        story_end(&s);
}

/* A failure is told every time, so its log is sent every time; so is that of another boot. */
static void test_the_log_of_a_bad_boot_is_sent_again(void **state)
{
        AUTO(buf_free) struct buf b = {0};
        struct appraisal_needs needs;
        struct story s;
        struct view log = vector_read(&b, SHIM_SET, "binary_bios_measurements");

        (void)state;
        boot(&s, BOOT " loaders: [" SHIM "]\n", DIGEST_SHA256, log);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_FAIL, "loader-not-allowed");
        appraisal_needs(s.before, s.policy, &needs);
        assert_true(needs.uefi);
        story_end(&s);
        boot(&s, BOOT " {}\n", DIGEST_SHA256, log);
        (void)story_round(&s);
        EXPECT(&s, VERDICT_PASS, NULL);
        story_pass_time(&s, 60000);
        soft_host_reboot(&s.host);
        s.uefi = VIEW_NONE;
        s.log_first = 0;
        (void)story_round(&s);
        EXPECT(&s, VERDICT_INCONCLUSIVE, "no-boot-log");
        story_end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_real_boots),
                cmocka_unit_test(test_real_boots_in_every_bank),
                cmocka_unit_test(test_forged_texts_decide_nothing),
                cmocka_unit_test(test_types_allow_nothing),
                cmocka_unit_test(test_logs_that_do_not_fit),
                cmocka_unit_test(test_an_empty_log_explains_nothing),
                cmocka_unit_test(test_a_machine_without_a_log),
                cmocka_unit_test(test_a_log_of_another_bank),
                cmocka_unit_test(test_a_log_of_sha384_alone),
                cmocka_unit_test(test_root_extends_secure_boot_by_hand),
                cmocka_unit_test(test_modes_of_the_firmware),
                cmocka_unit_test(test_a_unified_kernel_image),
                cmocka_unit_test(test_a_command_line_by_hand),
                cmocka_unit_test(test_the_log_is_sent_once),
                cmocka_unit_test(test_the_log_of_a_bad_boot_is_sent_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
