/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SVSM manifests, made here: tables and single parts, and every way in which a guest could write one that
 * says two things. The endorsement keys are real ones; see tests/vectors/ek/README.md.
 */
#include "evidence/svsm.h"

#include "base/mem.h"
#include "evidence/tee_binding.h"
#include "support/support.h"
#include "unit/evidence/vectors.h"

#define TABLE_GUID "\xbb\x9e\x84\x63\x92\x3d\x70\x46\xa1\xff\x58\xf9\xc9\x4b\x87\xbb"
#define VTPM_GUID  "\xeb\xf1\x76\xc4\x23\x01\xa5\x45\x96\x41\xb4\xe7\xdd\xe5\xbf\xe3"
#define OTHER_GUID "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"

struct service {
        const char *guid;
        uint32_t offset, size;
};

/* The table as it is said to be, and DATA behind it. */
static void make_table(struct buf *ret, uint32_t total, const struct service *v, uint32_t n, struct view data)
{
        buf_reset(ret);
        buf_put(ret, TABLE_GUID, 16);
        buf_le32(ret, total);
        buf_le32(ret, n);
        for (uint32_t i = 0; i < n; i++) {
                buf_put(ret, v[i].guid, 16);
                buf_le32(ret, v[i].offset);
                buf_le32(ret, v[i].size);
        }
        buf_put_view(ret, data);
        assert_true(buf_ok(ret));
}

/* Of one other service of five bytes, and the virtual TPM. */
static void good_table(struct buf *ret, struct view ek)
{
        AUTO(buf_free) struct buf data = {0};
        const struct service v[] = {{OTHER_GUID, 72, 5}, {VTPM_GUID, 77, (uint32_t)ek.len}};

        buf_put(&data, "other", 5);
        buf_put_view(&data, ek);
        make_table(ret, 77 + (uint32_t)ek.len, v, 2, VIEW_BUF(&data));
}

/* A TPMT_PUBLIC: the file has its size in front. */
static struct view ek_of(struct buf *file, const char *name)
{
        struct view v = vector_read(file, "../ek", name);

        return VIEW(v.p + 2, v.len - 2);
}

static void good_ones(void **state)
{
        AUTO(buf_free) struct buf file = {0}, table = {0};
        struct view ek = ek_of(&file, "ecc384.pub");
        struct svsm_manifest m;
        struct err err = ERR_INIT;

        (void)state;
        assert_ok(svsm_manifest_parse(ek, &m, &err), &err);
        assert_true(m.has_ek && m.n_services == 0 && view_equal(m.ek.raw, ek));
        good_table(&table, ek);
        assert_ok(svsm_manifest_parse(VIEW_BUF(&table), &m, &err), &err);
        assert_true(m.has_ek && m.n_services == 2 && view_equal(m.ek.raw, ek));
        make_table(&table, 53, &(struct service){OTHER_GUID, 48, 5}, 1, view_str("other"));
        assert_ok(svsm_manifest_parse(VIEW_BUF(&table), &m, &err), &err);
        assert_true(!m.has_ek && m.n_services == 1);
}

static void bad_tables(void **state)
{
        static const struct {
                uint32_t total, n;
                struct service v[2];
        } bad[] = {
                {53, 0, {{OTHER_GUID, 48, 5}}},                      /* no service */
                {54, 1, {{OTHER_GUID, 48, 5}}},                      /* another size */
                {53, 65, {{OTHER_GUID, 48, 5}}},                     /* more than there are */
                {53, 1, {{OTHER_GUID, 47, 5}}},                      /* begins in the table */
                {53, 1, {{OTHER_GUID, 48, 6}}},                      /* ends outside */
                {53, 1, {{OTHER_GUID, 54, 0}}},                      /* lies outside */
                {53, 1, {{OTHER_GUID, 0xfffffff0, 0x20}}},           /* wraps around */
                {77, 2, {{OTHER_GUID, 72, 5}, {OTHER_GUID, 77, 0}}}, /* one identifier twice */
                {77, 2, {{OTHER_GUID, 72, 5}, {VTPM_GUID, 76, 1}}},  /* one in the other */
                {77, 2, {{VTPM_GUID, 72, 5}, {OTHER_GUID, 77, 0}}},  /* five bytes are no key */
        };
        AUTO(buf_free) struct buf table = {0};
        struct svsm_manifest m;
        struct err err = ERR_INIT;

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                make_table(&table, bad[i].total, bad[i].v, bad[i].n > 2 ? 1 : bad[i].n, view_str("other"));
                if (bad[i].n > 2)
                        table.p[20] = (uint8_t)bad[i].n;
                if (svsm_manifest_parse(VIEW_BUF(&table), &m, &err) >= 0)
                        fail_msg("table %zu was taken", i);
                err_clear(&err);
        }
}

static void try_cut(struct view v, const char *what, void *ctx)
{
        struct svsm_manifest m;
        struct err err = ERR_INIT;

        (void)ctx;
        if (svsm_manifest_parse(v, &m, &err) >= 0)
                fail_msg("%s was taken", what);
}

static void cut_short(void **state)
{
        AUTO(buf_free) struct buf file = {0}, table = {0};

        (void)state;
        good_table(&table, ek_of(&file, "rsa2048.pub"));
        each_truncation(VIEW_BUF(&table), try_cut, NULL);
        buf_u8(&table, 0);
        try_cut(VIEW_BUF(&table), "one byte more", NULL);
}

/* ---- whose it is ---- */

struct lab {
        struct buf file, other_file, ak_file, table;
        struct tpm_public ak;
        struct svsm_manifest manifest;
        struct digest ek, other;
        struct tee_binding binding;
        uint8_t report_data[TEE_BINDING_BYTES]; /* as the SVSM puts it together */
};

static void spki_of(const struct tpm_public *pub, struct digest *ret)
{
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        struct err err = ERR_INIT;

        assert_ok(tpm_public_key(pub, &key, &err), &err);
        assert_ok(pubkey_spki_sha256(key, ret, &err), &err);
}

static void lab_init(struct lab *lab)
{
        uint8_t nonce[TEE_BINDING_BYTES];
        struct tpm_public other;
        struct err err = ERR_INIT;
        struct digest d;

        *lab = (struct lab){0};
        good_table(&lab->table, ek_of(&lab->file, "rsa2048.pub"));
        assert_ok(svsm_manifest_parse(VIEW_BUF(&lab->table), &lab->manifest, &err), &err);
        spki_of(&lab->manifest.ek, &lab->ek);
        assert_ok(tpmt_public_parse(ek_of(&lab->other_file, "rsa3072.pub"), &other, &err), &err);
        spki_of(&other, &lab->other);
        assert_ok(tpmt_public_parse(ek_of(&lab->ak_file, "ecc384.pub"), &lab->ak, &err), &err);
        lab->binding = (struct tee_binding){
                .challenge = view_str("a challenge"), .ak = &lab->ak, .rooted = true, .ek = &lab->ek};
        assert_ok(tee_binding_data(lab->binding.challenge, &lab->ak, nonce, &err), &err);
        assert_ok(svsm_report_data(VIEW_ARRAY(nonce), &lab->manifest, &d, &err), &err);
        memcpy(lab->report_data, d.b, sizeof(lab->report_data));
}

static void lab_done(struct lab *lab)
{
        buf_free(&lab->file);
        buf_free(&lab->other_file);
        buf_free(&lab->ak_file);
        buf_free(&lab->table);
}

static void judged(const struct lab *lab, bool launch_known, const char *reason, const char *flag)
{
        struct tee_result res = {0};
        struct err err = ERR_INIT;

        assert_ok(tee_binding_check_svsm(&lab->binding, &lab->manifest, VIEW_ARRAY(lab->report_data),
                                         launch_known, &res, &err),
                  &err);
        assert_int_equal(res.n_checks, 1);
        assert_string_equal(res.checks[0].reason, reason ? reason : "");
        assert_int_equal(res.n_flags, flag ? 1 : 0);
        if (flag)
                assert_string_equal(res.flags[0], flag);
}

static void rooted_in_the_virtual_tpm(void **state)
{
        struct lab lab;

        (void)state;
        lab_init(&lab);
        judged(&lab, true, NULL, "binding-rooted");
        judged(&lab, false, "binding-not-rooted", NULL); /* any guest can write a manifest */
        lab.binding.ek = &lab.other;
        judged(&lab, true, "binding-mismatch", NULL);
        lab.binding.rooted = false;
        judged(&lab, true, "binding-mismatch", NULL);
        lab.binding.ek = NULL; /* whose key it is nobody knows: the nonce names it, no more */
        judged(&lab, true, NULL, "binding-named");
        lab.binding.rooted = true;
        judged(&lab, true, "binding-not-rooted", NULL);
        lab.binding.ek = &lab.ek;
        lab.binding.challenge = view_str("the challenge of an older round");
        judged(&lab, true, "binding-mismatch", NULL);
        lab_done(&lab);
}

/* A manifest that the report data does not cover, to the byte. */
static void another_manifest(void **state)
{
        struct lab lab;

        (void)state;
        lab_init(&lab);
        lab.table.p[72] ^= 1; /* in the other service's part */
        judged(&lab, true, "binding-mismatch", NULL);
        lab.table.p[72] ^= 1;
        judged(&lab, true, NULL, "binding-rooted");
        lab.report_data[63] ^= 1;
        judged(&lab, true, "binding-mismatch", NULL);
        lab_done(&lab);
}

/* A table without a virtual TPM roots nothing. */
static void no_virtual_tpm(void **state)
{
        struct lab lab;

        (void)state;
        lab_init(&lab);
        lab.manifest.has_ek = false;
        judged(&lab, true, "binding-mismatch", NULL);
        lab_done(&lab);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(good_ones),        cmocka_unit_test(bad_tables),
                cmocka_unit_test(cut_short),        cmocka_unit_test(rooted_in_the_virtual_tpm),
                cmocka_unit_test(another_manifest), cmocka_unit_test(no_virtual_tpm),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
