/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SEV-SNP reports against an AMD of our own: everything that is wrong in one way only is refused for that
 * reason, on every product line; changed bytes; out of memory.
 */
#include "evidence/snp_verify.h"
#include "support/snp_forge.h"
#include "support/support.h"

static struct snp_forge forges[SNP_TURIN + 1];

enum given_crl {
        CRL_NONE,
        CRL_GOOD,
        CRL_REVOKES,
        CRL_REVOKED_ONCE,
        CRL_STALE,
        CRL_EARLY,
        CRL_FALSE,
        CRL_PKCS1
};

/* One verification, good but for what a case does to it. */
struct scene {
        const struct snp_forge *forge;
        bool vlek;
        struct snp_forge_leaf leaf;
        uint8_t report[SNP_REPORT_BYTES];
        struct snp_policy policy;
        struct snp_root root;
        enum given_crl crl;
        bool no_leaf, no_ask, no_ark, false_ark, false_signature;
        int64_t at_ms;
        struct view report_data;
};

static void scene_init(struct scene *s, enum snp_line line, bool vlek)
{
        static const uint32_t versions[] = {[SNP_MILAN] = 2, [SNP_GENOA] = 3, [SNP_TURIN] = 5};

        *s = (struct scene){.forge = &forges[line],
                            .vlek = vlek,
                            .policy = snp_policy_reference,
                            .root = snp_forge_root(&forges[line]),
                            .at_ms = FORGE_NOW_MS};
        snp_forge_leaf_init(s->forge, vlek, &s->leaf);
        snp_forge_report(s->forge, versions[line], vlek, s->report);
}

static void add(struct snp_bag *bag, struct buf *b)
{
        struct err err = ERR_INIT;

        assert_true(buf_ok(b));
        assert_ok(snp_bag_add(bag, VIEW_BUF(b), &err), &err);
        buf_free(b);
        *b = (struct buf){0};
}

static void fill(const struct scene *s, struct snp_bag *bag)
{
        struct buf b = {0};
        int64_t from = FORGE_FROM_MS, to = FORGE_TO_MS;

        if (!s->no_leaf) {
                snp_forge_leaf(s->forge, &s->leaf, &b);
                add(bag, &b);
        }
        if (!s->no_ask) {
                snp_forge_ca(s->forge, FORGE_ASK, &b);
                add(bag, &b);
                snp_forge_ca(s->forge, FORGE_ASVK, &b);
                add(bag, &b);
        }
        if (!s->no_ark) {
                snp_forge_ca(s->forge, s->false_ark ? FORGE_ARK_FALSE : FORGE_ARK, &b);
                add(bag, &b);
        }
        if (s->crl == CRL_NONE)
                return;
        if (s->crl == CRL_STALE || s->crl == CRL_REVOKED_ONCE)
                to = s->at_ms - 1000;
        if (s->crl == CRL_EARLY)
                from = s->at_ms + 1000;
        snp_forge_crl(s->forge, s->crl == CRL_REVOKES || s->crl == CRL_REVOKED_ONCE, s->crl == CRL_FALSE,
                      s->crl == CRL_PKCS1 ? FORGE_PKCS1 : FORGE_PSS, from, to, &b);
        add(bag, &b);
}

static void verify(struct scene *s, struct snp_bag *bag, struct snp_result *ret)
{
        const struct snp_input in = {.report = VIEW_ARRAY(s->report),
                                     .bag = bag,
                                     .roots = &s->root,
                                     .n_roots = 1,
                                     .at_ms = s->at_ms,
                                     .report_data = s->report_data,
                                     .policy = &s->policy};
        struct err err = ERR_INIT;

        assert_ok(snp_verify(&in, ret, &err), &err);
}

/* ---- what a case changes ---- */

static void nothing(struct scene *s)
{
        (void)s;
}
static void good_crl(struct scene *s)
{
        s->crl = CRL_GOOD;
        s->policy.crl = SNP_CRL_REQUIRED;
}
static void crl_required(struct scene *s)
{
        s->policy.crl = SNP_CRL_REQUIRED;
}
static void crl_revokes(struct scene *s)
{
        s->crl = CRL_REVOKES;
}
static void crl_revoked_once(struct scene *s)
{
        s->crl = CRL_REVOKED_ONCE;
}
static void crl_stale(struct scene *s)
{
        s->crl = CRL_STALE;
}
static void crl_early(struct scene *s)
{
        s->crl = CRL_EARLY;
}
static void crl_false(struct scene *s)
{
        s->crl = CRL_FALSE;
}
static void version_4(struct scene *s)
{
        s->report[0] = 4;
}
static void reserved(struct scene *s)
{
        s->report[0x29f] = 1;
}
static void key_info_reserved(struct scene *s)
{
        s->report[0x48] |= 0x20;
}
static void key_7(struct scene *s)
{
        s->report[0x48] = 7 << 2;
}
static void algorithm(struct scene *s)
{
        s->report[0x34] = 2;
}
static void leaf_expired(struct scene *s)
{
        s->leaf.to_ms = s->at_ms - 1000;
}
static void leaf_early(struct scene *s)
{
        s->leaf.from_ms = s->at_ms + 1000;
}
static void leaf_pkcs1(struct scene *s)
{
        s->leaf.rule = FORGE_PKCS1;
}
static void leaf_short_salt(struct scene *s)
{
        s->leaf.rule = FORGE_SHORT_SALT;
}
static void crl_pkcs1(struct scene *s)
{
        s->crl = CRL_PKCS1;
}
static void leaf_other_kind(struct scene *s)
{
        s->leaf.vlek = !s->leaf.vlek;
}
static void no_leaf(struct scene *s)
{
        s->no_leaf = true;
}
static void no_ask(struct scene *s)
{
        s->no_ask = true;
}
static void no_ark(struct scene *s)
{
        s->no_ark = true;
}
static void false_ark(struct scene *s)
{
        s->false_ark = true;
}
static void other_root(struct scene *s)
{
        s->root.spki_sha256[31] ^= 1;
}
static void root_of_another_line(struct scene *s)
{
        s->root.line = s->root.line == SNP_TURIN ? SNP_MILAN : SNP_TURIN;
}
static void false_signature(struct scene *s)
{
        s->false_signature = true;
}
static void without_microcode(struct scene *s)
{
        s->leaf.without = "3.8";
}
static void bootloader_twice(struct scene *s)
{
        s->leaf.twice = "3.1";
}
static void hwid_in_der(struct scene *s)
{
        s->leaf.hwid_in_der = true;
}
static void hwid_like_der(struct scene *s)
{
        s->leaf.hwid[0] = s->report[0x1a0] = 4;
        s->leaf.hwid[1] = s->report[0x1a1] = s->forge->line == SNP_TURIN ? 8 : 0x40;
}
static void other_tcb(struct scene *s)
{
        s->leaf.tcb.tee++;
}
static void other_chip(struct scene *s)
{
        s->leaf.hwid[7] ^= 1;
}
static void chip_behind(struct scene *s)
{
        s->report[0x1df] ^= 1;
}
static void masked(struct scene *s)
{
        s->report[0x48] |= 2;
        memset(s->report + 0x1a0, 0, 64);
}
static void masked_allowed(struct scene *s)
{
        masked(s);
        s->policy.allow_masked_chip = true;
}
static void unmasked_zero(struct scene *s)
{
        memset(s->report + 0x1a0, 0, 64);
}
static void debug(struct scene *s)
{
        s->report[0x0a] |= 8;
}
static void debug_allowed(struct scene *s)
{
        debug(s);
        s->policy.allow_debug = true;
}
static void migration(struct scene *s)
{
        s->report[0x0a] |= 4;
}
static void bit_17(struct scene *s)
{
        s->report[0x0a] &= (uint8_t)~2;
}
static void policy_reserved(struct scene *s)
{
        s->report[0x0f] = 0x80;
}
static void abi_floor(struct scene *s)
{
        s->report[0x08] = 0xff; /* minor; and major 1 is wanted */
        s->policy.abi_floor = 0x0100;
}
static void smt_refused(struct scene *s)
{
        s->policy.policy_refused = SNP_BIT(SNP_POLICY_SMT);
}
static void socket_required(struct scene *s)
{
        s->policy.policy_required = SNP_BIT(SNP_POLICY_SINGLE_SOCKET);
}
static void platform_refused(struct scene *s)
{
        s->policy.platform_refused = SNP_BIT(SNP_PLATFORM_SMT);
}
static void platform_required(struct scene *s)
{
        s->policy.platform_required = SNP_BIT(SNP_PLATFORM_TIO);
}
static void vmpl_1(struct scene *s)
{
        s->report[0x30] = 1;
        s->policy.vmpls = 1;
}
static void vmpl_host(struct scene *s)
{
        memset(s->report + 0x30, 0xff, 4);
}
static void guest_svn(struct scene *s)
{
        s->policy.guest_svn_floor = 1;
}
static void report_data(struct scene *s)
{
        static const uint8_t want[64];

        s->report_data = VIEW_ARRAY(want);
}
static void report_data_short(struct scene *s)
{
        s->report_data = VIEW(s->report + 0x50, 63);
}
static void report_data_good(struct scene *s)
{
        s->report_data = VIEW(s->report + 0x50, 64);
}
static void reported_above_committed(struct scene *s)
{
        s->report[0x1e0 + 7]--;
}
static void provisional(struct scene *s)
{
        s->report[0x38 + 7]++;
        s->policy.allow_provisional = false;
}
static void firmware_floor(struct scene *s)
{
        s->policy.has_firmware_floor = true;
        s->policy.firmware_floor = (struct snp_version){1, 55, 30};
}
static void mitigation(struct scene *s)
{
        s->policy.mitigations = 0x40;
}
static void vlek_refused(struct scene *s)
{
        s->policy.allow_vlek = false;
}
static void csp_refused(struct scene *s)
{
        s->policy.csp_ids.set = true;
}
static void csp_allowed(struct scene *s)
{
        static const struct view names[] = {{(const uint8_t *)"CN=x", 4},
                                            {(const uint8_t *)"CN=cloud.example", 16}};

        s->policy.csp_ids = (struct tee_set){.set = true, .v = names, .n = 2};
}
static void no_measurement(struct scene *s)
{
        s->policy.measurements.set = true; /* and names none: nothing is allowed */
}
static void no_id_key(struct scene *s)
{
        static const uint8_t zero[48];
        static const struct view keys[] = {{zero, 48}};

        s->policy.id_keys = (struct tee_set){.set = true, .v = keys, .n = 1};
}
static void author_not_enabled(struct scene *s)
{
        static const uint8_t key[48] = {1};
        static const struct view keys[] = {{key, 48}};

        s->report[0x110] = 1; /* the digest fits, and AUTHOR_KEY_EN is not set */
        s->policy.author_keys = (struct tee_set){.set = true, .v = keys, .n = 1};
}
static void measurement_denied(struct scene *s)
{
        static uint8_t m[48];
        static const struct view v[] = {{m, 48}};

        memset(m, 0x4d, sizeof(m));
        s->policy.measurements = s->policy.denied_measurements =
                (struct tee_set){.set = true, .v = v, .n = 1};
}
static void floor_of_another_line(struct scene *s)
{
        static const struct snp_floor floors[] = {{.line = SNP_LINE_UNKNOWN}};

        s->policy.tcb_floors = floors;
        s->policy.n_tcb_floors = 1;
}
static void launch_floor(struct scene *s)
{
        static struct snp_floor floor;

        floor = (struct snp_floor){.line = s->forge->line, .tcb = {.snp = 9}};
        s->policy.launch_floors = &floor;
        s->policy.n_launch_floors = 1;
}
static void tcb_reserved(struct scene *s)
{
        s->report[0x180 + 4] = 1;
}

enum on { VCEK = 1, VLEK = 2, BOTH = 3 };

static const struct scene_case {
        const char *name;
        void (*change)(struct scene *);
        enum on on;
        enum tee_verdict verdict;
        const char *reason;
} cases[] = {
        {"good", nothing, BOTH, TEE_ACCEPT, NULL},
        {"good, CRL required", good_crl, BOTH, TEE_ACCEPT, NULL},
        {"CRL missing", crl_required, BOTH, TEE_REJECT, "crl-missing"},
        {"ASK revoked", crl_revokes, VCEK, TEE_REJECT, "endorsement-revoked"},
        {"another intermediate revoked", crl_revokes, VLEK, TEE_ACCEPT, NULL},
        {"ASK revoked by an old list", crl_revoked_once, VCEK, TEE_REJECT, "endorsement-revoked"},
        {"CRL stale", crl_stale, BOTH, TEE_REJECT, "crl-expired"},
        {"CRL of later", crl_early, BOTH, TEE_REJECT, "crl-not-yet-valid"},
        {"CRL of another key", crl_false, BOTH, TEE_REJECT, "crl-invalid"},
        {"version 4", version_4, BOTH, TEE_REJECT, "report-version-unknown"},
        {"reserved byte", reserved, BOTH, TEE_REJECT, "report-malformed"},
        {"reserved bit of key_info", key_info_reserved, BOTH, TEE_REJECT, "report-malformed"},
        {"signing key 7", key_7, BOTH, TEE_REJECT, "signing-key-unknown"},
        {"algorithm 2", algorithm, BOTH, TEE_REJECT, "signature-algorithm-unknown"},
        {"leaf expired", leaf_expired, BOTH, TEE_REJECT, "endorsement-expired"},
        {"leaf of later", leaf_early, BOTH, TEE_REJECT, "endorsement-not-yet-valid"},
        {"leaf signed with PKCS#1", leaf_pkcs1, BOTH, TEE_REJECT, "endorsement-chain-invalid"},
        {"leaf signed with a short salt", leaf_short_salt, BOTH, TEE_REJECT, "endorsement-chain-invalid"},
        {"CRL signed with PKCS#1", crl_pkcs1, BOTH, TEE_REJECT, "crl-invalid"},
        {"leaf of the other kind", leaf_other_kind, BOTH, TEE_REJECT, "signing-key-mismatch"},
        {"no leaf", no_leaf, BOTH, TEE_NO_ENDORSEMENT, NULL},
        {"no intermediate", no_ask, BOTH, TEE_NO_ENDORSEMENT, NULL},
        {"no root", no_ark, BOTH, TEE_NO_ENDORSEMENT, NULL},
        {"root's key in another's certificate", false_ark, BOTH, TEE_REJECT, "root-not-trusted"},
        {"root of another key", other_root, BOTH, TEE_REJECT, "root-not-trusted"},
        {"root of another line", root_of_another_line, BOTH, TEE_REJECT, "root-not-trusted"},
        {"signature of another message", false_signature, BOTH, TEE_REJECT, "report-signature-invalid"},
        {"no microcode version", without_microcode, BOTH, TEE_REJECT, "endorsement-malformed"},
        {"boot loader version twice", bootloader_twice, BOTH, TEE_REJECT, "endorsement-malformed"},
        {"HWID in DER", hwid_in_der, VCEK, TEE_ACCEPT, NULL},
        {"HWID that looks like DER", hwid_like_der, VCEK, TEE_ACCEPT, NULL},
        {"certificate of another TCB", other_tcb, BOTH, TEE_REJECT, "tcb-mismatch"},
        {"certificate of another chip", other_chip, VCEK, TEE_REJECT, "chip-id-mismatch"},
        {"chip id with another end", chip_behind, VCEK, TEE_REJECT, "chip-id-mismatch"},
        {"chip masked", masked, VCEK, TEE_REJECT, "chip-id-masked"},
        {"chip masked, allowed", masked_allowed, VCEK, TEE_ACCEPT, NULL},
        {"chip zero and not masked", unmasked_zero, VCEK, TEE_REJECT, "chip-id-mismatch"},
        {"VLEK refused", vlek_refused, VLEK, TEE_REJECT, "vlek-not-allowed"},
        {"provider refused", csp_refused, VLEK, TEE_REJECT, "csp-id-not-allowed"},
        {"provider allowed", csp_allowed, VLEK, TEE_ACCEPT, NULL},
        {"debug", debug, BOTH, TEE_REJECT, "debug-enabled"},
        {"debug, allowed", debug_allowed, BOTH, TEE_ACCEPT, NULL},
        {"migration agent", migration, BOTH, TEE_REJECT, "migration-agent"},
        {"bit 17 of the policy", bit_17, BOTH, TEE_REJECT, "guest-policy-invalid"},
        {"reserved bit of the policy", policy_reserved, BOTH, TEE_REJECT, "guest-policy-invalid"},
        {"ABI floor", abi_floor, BOTH, TEE_REJECT, "policy-abi-below-floor"},
        {"SMT refused", smt_refused, BOTH, TEE_REJECT, "policy-bit-refused"},
        {"single socket required", socket_required, BOTH, TEE_REJECT, "policy-bit-missing"},
        {"SMT on", platform_refused, BOTH, TEE_REJECT, "platform-bit-refused"},
        {"TIO off", platform_required, BOTH, TEE_REJECT, "platform-bit-missing"},
        {"VMPL 1", vmpl_1, BOTH, TEE_REJECT, "vmpl-not-allowed"},
        {"VMPL of the host", vmpl_host, BOTH, TEE_REJECT, "vmpl-not-allowed"},
        {"guest SVN", guest_svn, BOTH, TEE_REJECT, "guest-svn-below-floor"},
        {"report data", report_data, BOTH, TEE_REJECT, "report-data-mismatch"},
        {"report data cut off", report_data_short, BOTH, TEE_REJECT, "report-data-mismatch"},
        {"report data, good", report_data_good, BOTH, TEE_ACCEPT, NULL},
        {"reported above committed", reported_above_committed, BOTH, TEE_REJECT, "tcb-order-invalid"},
        {"provisional", provisional, BOTH, TEE_REJECT, "provisional-firmware"},
        {"firmware floor", firmware_floor, BOTH, TEE_REJECT, "firmware-below-floor"},
        {"mitigation", mitigation, BOTH, TEE_REJECT, "mitigation-missing"},
        {"empty list of measurements", no_measurement, BOTH, TEE_REJECT, "measurement-not-allowed"},
        {"no ID key", no_id_key, BOTH, TEE_REJECT, "id-key-not-allowed"},
        {"author key not enabled", author_not_enabled, BOTH, TEE_REJECT, "author-key-not-allowed"},
        {"denied and allowed", measurement_denied, BOTH, TEE_REJECT, "measurement-denied"},
        {"floor of another line", floor_of_another_line, BOTH, TEE_REJECT, "tcb-below-floor"},
        {"launch floor", launch_floor, BOTH, TEE_REJECT, "launch-tcb-below-floor"},
        {"reserved byte of a TCB", tcb_reserved, BOTH, TEE_REJECT, "tcb-malformed"},
};

static void run_case(const struct scene_case *c, enum snp_line line, bool vlek)
{
        struct snp_bag bag = {0};
        struct snp_result r;
        struct scene s;

        scene_init(&s, line, vlek);
        c->change(&s);
        snp_forge_sign(s.forge, s.report);
        if (s.false_signature)
                s.report[0x50] ^= 1;
        fill(&s, &bag);
        POISON(r);
        verify(&s, &bag, &r);
        if (r.tee.verdict != c->verdict)
                fail_msg("%s, %s, %s: %s (%s)", snp_line_name(line), vlek ? "VLEK" : "VCEK", c->name,
                         tee_verdict_name(r.tee.verdict), tee_reason(&r.tee, 0));
        if (c->reason && (!tee_reason(&r.tee, 0) || strcmp(tee_reason(&r.tee, 0), c->reason) != 0 ||
                          (tee_reason(&r.tee, 1) && strcmp(c->reason, "tcb-malformed") != 0)))
                fail_msg("%s, %s, %s: %s %s", snp_line_name(line), vlek ? "VLEK" : "VCEK", c->name,
                         tee_reason(&r.tee, 0), tee_reason(&r.tee, 1));
        snp_bag_done(&bag);
}

static void each_fault_is_refused_for_its_reason(void **state)
{
        (void)state;
        for (enum snp_line line = SNP_MILAN; line <= SNP_TURIN; line++)
                for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                        if (cases[i].on & VCEK)
                                run_case(&cases[i], line, false);
                        if (cases[i].on & VLEK)
                                run_case(&cases[i], line, true);
                }
}

static void a_floor_holds_for_every_component(void **state)
{
        static const size_t at[] = {offsetof(struct snp_tcb, fmc), offsetof(struct snp_tcb, bootloader),
                                    offsetof(struct snp_tcb, tee), offsetof(struct snp_tcb, snp),
                                    offsetof(struct snp_tcb, microcode)};
        struct snp_bag bag = {0};
        struct scene s;

        (void)state;
        scene_init(&s, SNP_TURIN, false);
        fill(&s, &bag);
        for (size_t i = 0; i <= ARRAY_LEN(at); i++) {
                struct snp_floor floor = {.line = SNP_TURIN, .tcb = s.leaf.tcb};
                struct snp_result r;

                if (i < ARRAY_LEN(at))
                        ((uint8_t *)&floor.tcb)[at[i]]++;
                s.policy.tcb_floors = &floor;
                s.policy.n_tcb_floors = 1;
                verify(&s, &bag, &r);
                assert_int_equal(r.tee.verdict, i < ARRAY_LEN(at) ? TEE_REJECT : TEE_ACCEPT);
                assert_true(i == ARRAY_LEN(at) || strcmp(tee_reason(&r.tee, 0), "tcb-below-floor") == 0);
        }
        snp_bag_done(&bag);
}

static const char *first_reason(struct scene *s, struct snp_result *r)
{
        struct snp_bag bag = {0};

        snp_forge_sign(s->forge, s->report);
        fill(s, &bag);
        verify(s, &bag, r);
        snp_bag_done(&bag);
        return tee_reason(&r->tee, 0);
}

static void lines_and_layouts_are_not_mixed_up(void **state)
{
        struct snp_result r;
        struct scene s;

        (void)state;
        scene_init(&s, SNP_GENOA, false);
        s.report[0x188] = 0x1b;
        assert_string_equal(first_reason(&s, &r), "product-unknown");
        scene_init(&s, SNP_GENOA, false);
        s.report[0x189] = 0x01; /* a Milan */
        assert_string_equal(first_reason(&s, &r), "product-mismatch");
        scene_init(&s, SNP_GENOA, false);
        s.report[0x189] = 0xa0; /* Siena */
        assert_null(first_reason(&s, &r));
        scene_init(&s, SNP_TURIN, false);
        snp_forge_tcb(SNP_MILAN, &s.leaf.tcb, s.report + 0x180);
        assert_string_equal(first_reason(&s, &r), "tcb-malformed");
        scene_init(&s, SNP_MILAN, false);
        snp_forge_tcb(SNP_TURIN, &s.leaf.tcb, s.report + 0x180);
        assert_string_equal(first_reason(&s, &r), "tcb-malformed");
}

static void what_is_not_authentic_is_not_judged(void **state)
{
        struct snp_bag bag = {0};
        struct snp_result r;
        struct scene s;

        (void)state;
        scene_init(&s, SNP_MILAN, false);
        debug(&s); /* and not signed again */
        fill(&s, &bag);
        verify(&s, &bag, &r);
        assert_string_equal(tee_reason(&r.tee, 0), "report-signature-invalid");
        assert_null(tee_reason(&r.tee, 1));
        assert_false(r.authentic);
        assert_int_equal(tee_find(&r.tee, "policy")->state, TEE_SKIPPED);
        assert_true(tee_has_flag(&r.tee, "debug"));
        snp_bag_done(&bag);
}

static void no_changed_byte_is_accepted(void **state)
{
        struct snp_bag bag = {0};
        struct scene s;

        (void)state;
        scene_init(&s, SNP_TURIN, false);
        fill(&s, &bag);
        for (size_t i = 0; i < SNP_REPORT_BYTES; i++) {
                struct snp_result r;

                s.report[i] ^= (uint8_t)(1u << i % 8);
                verify(&s, &bag, &r);
                if (r.tee.verdict != TEE_REJECT || !tee_reason(&r.tee, 0))
                        fail_msg("byte %zu: %s", i, tee_verdict_name(r.tee.verdict));
                s.report[i] ^= (uint8_t)(1u << i % 8);
        }
        snp_bag_done(&bag);
}

static int verify_once(void *ctx, struct err *err)
{
        struct scene *s = ctx;
        struct snp_bag bag = {0};
        struct snp_result result;
        struct snp_input in = {.report = VIEW_ARRAY(s->report),
                               .bag = &bag,
                               .roots = &s->root,
                               .n_roots = 1,
                               .at_ms = s->at_ms,
                               .policy = &s->policy};
        int r = 0;

        for (size_t i = 0; r == 0 && i < 3; i++)
                r = snp_bag_add(&bag, s->policy.csp_ids.v[i], err);
        if (r == 0)
                r = snp_verify(&in, &result, err);
        if (r == 0)
                assert_int_equal(result.tee.verdict, TEE_ACCEPT);
        snp_bag_done(&bag);
        return r;
}

static void it_gets_by_without_memory(void **state)
{
        struct buf b[3] = {0};
        struct view der[3];
        struct scene s;

        (void)state;
        scene_init(&s, SNP_MILAN, false);
        snp_forge_leaf(s.forge, &s.leaf, &b[0]);
        snp_forge_ca(s.forge, FORGE_ASK, &b[1]);
        snp_forge_ca(s.forge, FORGE_ARK, &b[2]);
        for (size_t i = 0; i < 3; i++)
                der[i] = VIEW_BUF(&b[i]);
        s.policy.csp_ids.v = der; /* not asked of a VCEK: a place to carry them */
        oom_each(verify_once, &s);
        for (size_t i = 0; i < 3; i++)
                buf_free(&b[i]);
}

static int make(void **state)
{
        (void)state;
        for (enum snp_line line = SNP_MILAN; line <= SNP_TURIN; line++)
                snp_forge_init(&forges[line], line);
        return 0;
}

static int unmake(void **state)
{
        (void)state;
        for (enum snp_line line = SNP_MILAN; line <= SNP_TURIN; line++)
                snp_forge_done(&forges[line]);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(each_fault_is_refused_for_its_reason),
                cmocka_unit_test(a_floor_holds_for_every_component),
                cmocka_unit_test(lines_and_layouts_are_not_mixed_up),
                cmocka_unit_test(what_is_not_authentic_is_not_judged),
                cmocka_unit_test(no_changed_byte_is_accepted),
                cmocka_unit_test(it_gets_by_without_memory),
        };

        return cmocka_run_group_tests(tests, make, unmake);
}
