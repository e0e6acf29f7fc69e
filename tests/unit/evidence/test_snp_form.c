/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forms of SEV-SNP evidence: reports, TCBs, certificate tables; Azure's container.
 */
#include "base/base64.h"
#include "crypto/digest.h"
#include "evidence/azure_hcl.h"
#include "evidence/snp_bag.h"
#include "support/snp_forge.h"
#include "support/support.h"

static void cut_report(struct view bytes, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        struct snp_report r;

        (void)ctx;
        POISON(r);
        if (snp_report_parse(bytes, &r, &err) == 0)
                fail_msg("%s: read", what);
        assert_poisoned(r);
}

static void flipped_report(struct view bytes, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        struct snp_report r;

        (void)ctx;
        if (snp_report_parse(bytes, &r, &err) < 0)
                fail_msg("%s: %s", what, err.text);
        if (bytes.p[0x2a0 + 2 * 72] && !r.fault)
                fail_msg("%s: not seen", what);
}

static void a_report_is_read_whole_or_not_at_all(void **state)
{
        uint8_t report[SNP_REPORT_BYTES];
        struct err err = ERR_INIT;
        struct snp_forge f;
        struct snp_report r;

        (void)state;
        snp_forge_init(&f, SNP_TURIN);
        snp_forge_report(&f, 5, false, report);
        assert_ok(snp_report_parse(VIEW_ARRAY(report), &r, &err), &err);
        assert_true(r.known && r.has_cpu && r.has_mitigations && !r.fault);
        assert_true(r.family == 0x1a && r.model == 2 && r.launch_mit_vector == 0x3f);
        assert_true(r.current.major == 1 && r.current.minor == 55 && r.current.build == 29);
        assert_ptr_equal(r.chip_id.p, report + 0x1a0);
        assert_ptr_equal(r.s.p, report + 0x2e8);
        each_truncation(VIEW_ARRAY(report), cut_report, NULL);
        each_bit_flip(VIEW_ARRAY(report), flipped_report, NULL);
        report[0] = 2; /* has neither processor nor mitigations: reserved bytes there */
        assert_ok(snp_report_parse(VIEW_ARRAY(report), &r, &err), &err);
        assert_non_null(r.fault);
        report[0] = 6;
        assert_ok(snp_report_parse(VIEW_ARRAY(report), &r, &err), &err);
        assert_false(r.known);
        snp_forge_done(&f);
}

/* ---- the certificate table ---- */

static const uint8_t vcek_guid[] = {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64,
                                    0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};

static void put_entry(struct buf *b, const uint8_t guid[16], uint32_t offset, uint32_t length)
{
        buf_put(b, guid, 16);
        buf_le32(b, offset);
        buf_le32(b, length);
}

static void refused(const struct buf *b, const char *why)
{
        struct err err = ERR_INIT;
        struct guarded g;
        struct snp_table t;

        POISON(t);
        assert_err(snp_table_parse(guard_bytes(&g, VIEW_BUF(b)), &t, &err), ERR_FORMAT, &err, why);
        assert_poisoned(t);
        guard_free(&g);
}

static void cut_table(struct view bytes, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        struct snp_table t;

        (void)ctx;
        if (bytes.len && snp_table_parse(bytes, &t, &err) == 0)
                fail_msg("%s: read", what);
}

static void a_table_is_read_within_its_bounds(void **state)
{
        static const uint8_t end[24], other[16] = {1};
        static const struct {
                uint32_t offset, length;
        } outside[] = {{72, 5}, {76, 1}, {71, 1}, {0, 4}, {0xffffffff, 4}, {72, 0xffffffff}, {0xfffffffc, 8}};
        struct err err = ERR_INIT;
        struct buf b = {0};
        struct snp_table t;

        (void)state;
        assert_ok(snp_table_parse(VIEW_NONE, &t, &err), &err);
        assert_int_equal(t.n, 0);
        put_entry(&b, vcek_guid, 72, 4);
        put_entry(&b, other, 76, 0);
        buf_put(&b, end, sizeof(end));
        buf_str(&b, "leaf");
        assert_ok(snp_table_parse(VIEW_BUF(&b), &t, &err), &err);
        assert_int_equal(t.n, 2);
        assert_int_equal(t.v[0].kind, SNP_BLOB_VCEK);
        assert_view(t.v[0].bytes, "leaf");
        assert_int_equal(t.v[1].kind, SNP_BLOB_OTHER);
        each_truncation(VIEW_BUF(&b), cut_table, NULL);
        for (size_t i = 0; i < ARRAY_LEN(outside); i++) {
                buf_reset(&b);
                put_entry(&b, vcek_guid, outside[i].offset, outside[i].length);
                put_entry(&b, other, 72, 1);
                buf_put(&b, end, sizeof(end));
                buf_str(&b, "leaf");
                refused(&b, "entry 0: ");
        }
        buf_reset(&b);
        put_entry(&b, vcek_guid, 72, 4);
        put_entry(&b, vcek_guid, 72, 4);
        buf_put(&b, end, sizeof(end));
        buf_str(&b, "leaf");
        refused(&b, "entries 0 and 1 are of one kind");
        buf_free(&b);
}

static void a_table_brings_its_certificates(void **state)
{
        static const uint8_t end[24];
        struct buf b = {0}, leaf = {0};
        struct snp_bag bag = {0};
        struct err err = ERR_INIT;
        struct snp_forge f;
        struct snp_forge_leaf l;

        (void)state;
        snp_forge_init(&f, SNP_MILAN);
        snp_forge_leaf_init(&f, false, &l);
        snp_forge_leaf(&f, &l, &leaf);
        put_entry(&b, vcek_guid, 48, (uint32_t)leaf.len);
        buf_put(&b, end, sizeof(end));
        buf_put_view(&b, VIEW_BUF(&leaf));
        assert_ok(snp_bag_add_table(&bag, VIEW_BUF(&b), &err), &err);
        assert_ok(snp_bag_add_table(&bag, VIEW_BUF(&b), &err), &err);
        assert_int_equal(bag.certs.n, 1);
        b.p[48] = 0x31;
        assert_err(snp_bag_add_table(&bag, VIEW_BUF(&b), &err), ERR_FORMAT, &err, "entry 0");
        snp_bag_done(&bag);
        buf_free(&b);
        buf_free(&leaf);
        snp_forge_done(&f);
}

static void components_are_compared_one_by_one(void **state)
{
        const struct snp_tcb low = {.bootloader = 1, .microcode = 9},
                             high = {.bootloader = 2, .microcode = 8};
        const uint8_t old[8] = {4, 0, 0, 0, 0, 0, 24, 219}, turin[8] = {1, 2, 3, 4, 0, 0, 0, 81};
        char text[SNP_TCB_TEXT_BYTES];
        struct snp_tcb t;

        (void)state;
        assert_false(snp_tcb_at_least(&low, &high));
        assert_false(snp_tcb_at_least(&high, &low));
        assert_true(snp_tcb_decode(SNP_MILAN, old, &t));
        assert_string_equal(snp_tcb_text(SNP_MILAN, &t, text), "bootloader 4 tee 0 snp 24 microcode 219");
        assert_true(snp_tcb_decode(SNP_TURIN, turin, &t));
        assert_string_equal(snp_tcb_text(SNP_TURIN, &t, text), "fmc 1 bootloader 2 tee 3 snp 4 microcode 81");
        assert_false(snp_tcb_decode(SNP_GENOA, turin, &t));
        assert_false(snp_tcb_decode(SNP_TURIN, old, &t));
        assert_false(snp_tcb_decode(SNP_LINE_UNKNOWN, old, &t));
        assert_int_equal(snp_line_of_cpu(0x19, 0xaf), SNP_GENOA);
        assert_int_equal(snp_line_of_cpu(0x19, 0x20), SNP_LINE_UNKNOWN);
        assert_int_equal(snp_line_of_cpu(0x1a, 0x50),
                         SNP_LINE_UNKNOWN); /* Venice: no root is pinned for it */
}

/* ---- Azure's container ---- */

static void put_hcl(struct buf *b, const char *text)
{
        static const uint8_t zeros[SNP_REPORT_BYTES];

        buf_reset(b);
        buf_str(b, "HCLA");
        buf_le32(b, 2);
        buf_le32(b, 0);
        buf_le32(b, 2);
        buf_put(b, zeros, 16);
        buf_put(b, zeros, sizeof(zeros));
        buf_le32(b, 20 + (uint32_t)strlen(text));
        buf_le32(b, 1);
        buf_le32(b, AZURE_HCL_SNP);
        buf_le32(b, 1);
        buf_le32(b, (uint32_t)strlen(text));
        buf_str(b, text);
        assert_true(buf_ok(b));
}

static void cut_hcl(struct view bytes, const char *what, void *ctx)
{
        struct err err = ERR_INIT;
        struct azure_hcl h;

        (void)ctx;
        if (azure_hcl_parse(bytes, &h, &err) == 0)
                fail_msg("%s: read", what);
}

static void a_container_is_read_whole(void **state)
{
        static const size_t edits[] = {0, 4, 0x20 + SNP_REPORT_BYTES, 0x20 + SNP_REPORT_BYTES + 12};
        struct err err = ERR_INIT;
        struct buf b = {0};
        struct azure_hcl h;

        (void)state;
        put_hcl(&b, "{}");
        assert_ok(azure_hcl_parse(VIEW_BUF(&b), &h, &err), &err);
        assert_view(h.data, "{}");
        each_truncation(VIEW_BUF(&b), cut_hcl, NULL);
        for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
                b.p[edits[i]] ^= 0x40;
                assert_err(azure_hcl_parse(VIEW_BUF(&b), &h, &err), ERR_FORMAT, &err, "HCL report");
                b.p[edits[i]] ^= 0x40;
        }
        buf_u8(&b, 0);
        assert_ok(azure_hcl_parse(VIEW_BUF(&b), &h, &err), &err);
        buf_u8(&b, 1);
        assert_err(azure_hcl_parse(VIEW_BUF(&b), &h, &err), ERR_FORMAT, &err, "follows");
        buf_free(&b);
}

static void the_text_is_bound_by_its_digest(void **state)
{
        uint8_t data[SNP_DATA_BYTES] = {0};
        struct err err = ERR_INIT;
        struct buf b = {0};
        struct azure_hcl h;
        struct digest d;
        bool good = false;

        (void)state;
        put_hcl(&b, "{\"keys\":[]}");
        assert_ok(azure_hcl_parse(VIEW_BUF(&b), &h, &err), &err);
        assert_ok(digest_bytes(DIGEST_SHA256, h.data, &d, &err), &err);
        memcpy(data, d.b, d.len);
        assert_ok(azure_hcl_binds(&h, VIEW_ARRAY(data), &good, &err), &err);
        assert_true(good);
        assert_ok(azure_hcl_binds(&h, VIEW(data, 32), &good, &err), &err);
        assert_false(good);
        data[63] = 1;
        assert_ok(azure_hcl_binds(&h, VIEW_ARRAY(data), &good, &err), &err);
        assert_false(good);
        data[63] = 0;
        data[0] ^= 1;
        assert_ok(azure_hcl_binds(&h, VIEW_ARRAY(data), &good, &err), &err);
        assert_false(good);
        buf_free(&b);
}

static void the_text_has_one_ak(void **state)
{
        static const char *const bad[] = {
                "{\"keys\":[]}", "[]", "{\"keys\":[{\"kid\":\"HCLAkPub\",\"kty\":\"EC\"}]}",
                "{\"keys\":[{\"kid\":\"HCLAkPub\",\"kty\":\"RSA\",\"n\":\"!\",\"e\":\"AQAB\"}]}"};
        AUTO(pubkey_free_p) struct pubkey *ak = NULL;
        AUTO(mem_free_p) char *n64 = NULL, *one = NULL, *two = NULL;
        struct err err = ERR_INIT;
        struct buf b = {0};
        struct azure_hcl h;
        uint8_t n[256];

        (void)state;
        memset(n, 0xff, sizeof(n));
        n64 = base64url_encode(VIEW_ARRAY(n));
        one = str_fmt("{\"kid\":\"HCLAkPub\",\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%s\"}", n64);
        two = str_fmt("{\"keys\":[%s,%s]}", one, one);
        put_hcl(&b, two);
        assert_ok(azure_hcl_parse(VIEW_BUF(&b), &h, &err), &err);
        assert_err(azure_hcl_ak(&h, &ak, &err), ERR_FORMAT, &err, "two keys");
        free(two);
        two = str_fmt("{\"keys\":[%s]}", one);
        put_hcl(&b, two);
        assert_ok(azure_hcl_parse(VIEW_BUF(&b), &h, &err), &err);
        assert_ok(azure_hcl_ak(&h, &ak, &err), &err);
        assert_int_equal(pubkey_bits(ak), 2048);
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                struct pubkey *none = NULL;

                put_hcl(&b, bad[i]);
                assert_ok(azure_hcl_parse(VIEW_BUF(&b), &h, &err), &err);
                assert_err(azure_hcl_ak(&h, &none, &err), ERR_FORMAT, &err, "HCL data");
                assert_null(none);
        }
        buf_free(&b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_report_is_read_whole_or_not_at_all),
                cmocka_unit_test(components_are_compared_one_by_one),
                cmocka_unit_test(a_table_is_read_within_its_bounds),
                cmocka_unit_test(a_table_brings_its_certificates),
                cmocka_unit_test(a_container_is_read_whole),
                cmocka_unit_test(the_text_is_bound_by_its_digest),
                cmocka_unit_test(the_text_has_one_ak),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
