/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real SEV-SNP evidence: every case and every byte mutant of $AVOW_VECTORS/tee gives its verdict, its
 * reasons, its flags and its parsed fields. The files are other people's and stay where they are; without
 * them this says SKIP. test_snp.c runs anywhere.
 */
#include <dirent.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "evidence/azure_hcl.h"
#include "evidence/snp_id.h"
#include "evidence/snp_verify.h"
#include "support/support.h"

#define FILE_MAX (1u << 20)

static const char *top;
static const char contradicts_itself[] = "snp/azure-hcl-evidence-v1";

static struct view read_into(struct buf *b, const char *path)
{
        struct err err = ERR_INIT;
        char full[512];

        assert_true((size_t)snprintf(full, sizeof(full), "%s/tee/%s", top, path) < sizeof(full));
        buf_reset(b);
        assert_ok(file_read(full, FILE_MAX, b, &err), &err);
        return VIEW_BUF(b);
}

static bool exists(const char *dir, const char *name)
{
        char full[512];
        FILE *f;

        (void)snprintf(full, sizeof(full), "%s/tee/%s/%s", top, dir, name);
        f = fopen(full, "re");
        if (f)
                (void)fclose(f);
        return f != NULL;
}

static json_t *read_json(const char *path)
{
        struct buf b = {0};
        struct err err = ERR_INIT;
        json_t *j = NULL;

        assert_ok(json_parse(read_into(&b, path), FILE_MAX, &j, &err), &err);
        buf_free(&b);
        return j;
}

static const char *str_of(const json_t *j, const char *name)
{
        return json_string_value(json_object_get(j, name));
}

/* All of AMD's certificates, and the case's own. */
static void fill_bag(struct snp_bag *bag, const char *dir)
{
        static const char *const roots[] = {"milan",      "milan_vlek", "genoa",
                                            "genoa_vlek", "turin_vcek", "turin_vlek"};
        static const char *const own[] = {"vcek.der", "vcek.pem", "vlek.der", "amd-milan.crl"};
        struct buf b = {0};
        struct err err = ERR_INIT;
        char path[256];

        for (size_t i = 0; i < ARRAY_LEN(own); i++)
                if (exists(dir, own[i])) {
                        (void)snprintf(path, sizeof(path), "%s/%s", dir, own[i]);
                        assert_ok(snp_bag_add(bag, read_into(&b, path), &err), &err);
                }
        for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
                (void)snprintf(path, sizeof(path), "roots/amd/ask_ark_%s.pem", roots[i]);
                assert_ok(snp_bag_add(bag, read_into(&b, path), &err), &err);
        }
        buf_free(&b);
}

/* The report, from a container if it lies in one. */
static struct view report_of(struct buf *b, const char *dir)
{
        struct err err = ERR_INIT;
        struct azure_hcl hcl;
        char path[256];
        struct view v;
        bool in_hcl = exists(dir, "hcl-report.bin");

        (void)snprintf(path, sizeof(path), "%s/%s", dir, in_hcl ? "hcl-report.bin" : "report.bin");
        v = read_into(b, path);
        if (!in_hcl)
                return v;
        assert_ok(azure_hcl_parse(v, &hcl, &err), &err);
        return hcl.hardware;
}

static int64_t time_of(const json_t *expected)
{
        struct err err = ERR_INIT;
        int64_t ms = 0;

        assert_ok(json_get_time(expected, "verify_at", &ms, &err), &err);
        return ms;
}

static void verify(struct view report, const struct snp_bag *bag, int64_t at_ms, struct snp_result *ret)
{
        struct snp_input in = {.report = report, .bag = bag, .at_ms = at_ms, .policy = &snp_policy_reference};
        struct err err = ERR_INIT;

        in.roots = snp_amd_roots(&in.n_roots);
        assert_ok(snp_verify(&in, ret, &err), &err);
}

static void print_line(const char *name, const struct snp_result *r)
{
        printf("%-34s %-8s", name, tee_verdict_name(r->tee.verdict));
        for (size_t i = 0; tee_reason(&r->tee, i); i++)
                printf(" %s", tee_reason(&r->tee, i));
        printf("\n");
}

static void same_words(const json_t *want, const struct tee_result *t, bool flags)
{
        size_t n = 0, have = 0;
        json_t *word;
        size_t i;

        while (flags ? have < t->n_flags : tee_reason(t, have) != NULL)
                have++;
        json_array_foreach (want, i, word) {
                bool found = flags && tee_has_flag(t, json_string_value(word));

                for (size_t k = 0; !flags && k < have; k++)
                        found |= strcmp(tee_reason(t, k), json_string_value(word)) == 0;
                if (!found)
                        fail_msg("'%s' is missing", json_string_value(word));
                n++;
        }
        assert_int_equal(n, have);
}

static void same_hex(const json_t *want, const char *name, struct view have)
{
        char text[2 * SNP_REPORT_BYTES + 1];

        assert_string_equal(hex_write(text, have), str_of(want, name));
}

static void same_number(const json_t *want, const char *name, uint64_t have)
{
        const json_t *j = json_object_get(want, name);

        assert_int_equal(json_is_string(j) ? strtoull(json_string_value(j), NULL, 0)
                                           : (uint64_t)json_integer_value(j),
                         have);
}

static void same_version(const json_t *want, const char *name, const struct snp_version *have)
{
        char text[32];

        (void)snprintf(text, sizeof(text), "%u.%u.%u", have->major, have->minor, have->build);
        assert_string_equal(text, str_of(want, name));
}

static void same_report(const json_t *want, const struct snp_report *r)
{
        const json_t *tcb = json_object_get(want, "tcb_bytes");
        const uint8_t fms[] = {r->family, r->model, r->stepping};

        same_number(want, "version", r->version);
        same_number(want, "guest_svn", r->guest_svn);
        same_number(want, "policy", r->policy);
        same_number(want, "vmpl", r->vmpl);
        same_number(want, "sig_algo", r->signature_algo);
        same_number(want, "platform_info", r->platform_info);
        same_number(want, "key_info", r->key_info);
        same_hex(want, "report_data", r->report_data);
        same_hex(want, "measurement", r->measurement);
        same_hex(want, "host_data", r->host_data);
        same_hex(want, "id_key_digest", r->id_key_digest);
        same_hex(want, "author_key_digest", r->author_key_digest);
        same_hex(want, "family_id", r->family_id);
        same_hex(want, "image_id", r->image_id);
        same_hex(want, "chip_id", r->chip_id);
        assert_int_equal(r->has_cpu, str_of(want, "cpuid_fms") != NULL);
        if (r->has_cpu)
                same_hex(want, "cpuid_fms", VIEW_ARRAY(fms));
        same_hex(tcb, "current", VIEW_ARRAY(r->current_tcb));
        same_hex(tcb, "reported", VIEW_ARRAY(r->reported_tcb));
        same_hex(tcb, "committed", VIEW_ARRAY(r->committed_tcb));
        same_hex(tcb, "launch", VIEW_ARRAY(r->launch_tcb));
        same_version(want, "current_version", &r->current);
        same_version(want, "committed_version", &r->committed);
        if (r->has_mitigations) {
                same_number(want, "launch_mit_vector", r->launch_mit_vector);
                same_number(want, "current_mit_vector", r->current_mit_vector);
        }
}

static void same_endorsement(const json_t *want, const struct snp_result *r)
{
        const json_t *tcb = json_object_get(want, "tcb");

        if (!r->has_claims)
                return;
        same_number(tcb, "3.1", r->claims.tcb.bootloader);
        same_number(tcb, "3.2", r->claims.tcb.tee);
        same_number(tcb, "3.3", r->claims.tcb.snp);
        same_number(tcb, "3.8", r->claims.tcb.microcode);
        same_number(tcb, "3.9", r->claims.tcb.fmc);
        if (str_of(want, "hwid"))
                same_hex(want, "hwid", r->claims.hwid);
        if (str_of(want, "csp_id"))
                assert_string_equal(str_of(want, "csp_id"), r->claims.csp_id);
        if (str_of(want, "product_name"))
                assert_string_equal(str_of(want, "product_name"), r->claims.product);
}

static void cut(struct view bytes, const char *what, void *ctx)
{
        struct snp_result r;

        verify(bytes, ctx, 0, &r);
        if (r.tee.verdict != TEE_REJECT || strcmp(tee_reason(&r.tee, 0), "report-malformed") != 0)
                fail_msg("%s: not refused", what);
}

static void run_case(const char *dir)
{
        struct snp_bag bag = {0};
        struct snp_result r;
        struct buf b = {0};
        struct view report;
        char path[256];
        json_t *want;

        (void)snprintf(path, sizeof(path), "%s/expected.json", dir);
        want = read_json(path);
        if (strcmp(str_of(want, "kind"), "snp-report") == 0) {
                fill_bag(&bag, dir);
                report = report_of(&b, dir);
                verify(report, &bag, time_of(want), &r);
                print_line(dir, &r);
                assert_string_equal(tee_verdict_name(r.tee.verdict), str_of(want, "expect"));
                same_words(json_object_get(want, "reasons"), &r.tee, false);
                if (strcmp(dir, contradicts_itself) != 0)
                        same_words(json_object_get(want, "flags"), &r.tee, true);
                else
                        printf("  (its flags are not compared: provisional-firmware, but all its TCBs and "
                               "versions are equal)\n");
                same_report(json_object_get(want, "report"), &r.report);
                same_endorsement(json_object_get(want, "endorsement"), &r);
                each_truncation(report, cut, &bag);
        }
        json_decref(want);
        snp_bag_done(&bag);
        buf_free(&b);
}

static void real_reports_have_their_verdicts(void **state)
{
        struct dirent *e;
        char path[512];
        size_t n = 0;
        DIR *d;

        (void)state;
        (void)snprintf(path, sizeof(path), "%s/tee/snp", top);
        d = opendir(path);
        assert_non_null(d);
        while ((e = readdir(d))) {
                if (e->d_name[0] == '.')
                        continue;
                (void)snprintf(path, sizeof(path), "snp/%s", e->d_name);
                run_case(path);
                n++;
        }
        (void)closedir(d);
        run_case("enarx/snp-milan-csr");
        assert_true(n >= 13);
}

static void edit(struct buf *b, const json_t *edits)
{
        const json_t *e;
        size_t i;

        json_array_foreach (edits, i, e) {
                const json_t *at = json_object_get(e, "offset"), *x = json_object_get(e, "xor"),
                             *cut_to = json_object_get(e, "truncate");
                const char *set = str_of(e, "set"), *append = str_of(e, "append");
                struct buf bytes = {0};
                struct err err = ERR_INIT;
                size_t offset = at ? (size_t)json_integer_value(at) : 0;

                if (x)
                        b->p[offset] ^= (uint8_t)json_integer_value(x);
                if (cut_to)
                        b->len = (size_t)json_integer_value(cut_to);
                if (set || append)
                        assert_ok(hex_decode(view_str(set ? set : append), FILE_MAX, &bytes, &err), &err);
                if (append)
                        buf_put_view(b, VIEW_BUF(&bytes));
                assert_true(!set || offset + bytes.len <= b->len);
                for (size_t k = 0; set && k < bytes.len; k++)
                        b->p[offset + k] = bytes.p[k];
                buf_free(&bytes);
        }
}

/* One of mutants.json. Return: is it a report's? */
static bool run_mutant(const json_t *m)
{
        const char *base = str_of(m, "base");
        struct snp_bag bag = {0};
        struct snp_result r;
        struct buf b = {0};
        char dir[128], path[256], name[128];
        const char *slash;
        json_t *want;

        if (strncmp(base, "dev/snp/", 8) != 0)
                return false;
        slash = strrchr(base, '/');
        (void)snprintf(dir, sizeof(dir), "%.*s", (int)(slash - base - 4), base + 4);
        (void)snprintf(path, sizeof(path), "%s/expected.json", dir);
        (void)snprintf(name, sizeof(name), "%s %s", dir + 4, str_of(m, "id"));
        want = read_json(path);
        fill_bag(&bag, dir);
        (void)read_into(&b, base + 4);
        edit(&b, json_object_get(m, "edits"));
        verify(VIEW_BUF(&b), &bag, time_of(want), &r);
        print_line(name, &r);
        assert_string_equal(tee_verdict_name(r.tee.verdict), str_of(m, "expect"));
        json_decref(want);
        snp_bag_done(&bag);
        buf_free(&b);
        return true;
}

static void mutants_have_their_verdicts(void **state)
{
        json_t *all = read_json("mutants.json"), *m;
        size_t i, n = 0;

        (void)state;
        json_array_foreach (all, i, m)
                n += run_mutant(m);
        json_decref(all);
        printf("%zu mutants\n", n);
        assert_int_equal(n, 42);
}

static void an_endorsement_alone_is_checked(void **state)
{
        struct snp_bag bag = {0};
        struct snp_result r;
        struct snp_input in = {.bag = &bag, .at_ms = INT64_C(1735689600000), .policy = &snp_policy_reference};
        struct err err = ERR_INIT;
        json_t *want = read_json("snp/turin-vcek-chain-only/expected.json");

        (void)state;
        fill_bag(&bag, "snp/turin-vcek-chain-only");
        in.roots = snp_amd_roots(&in.n_roots);
        assert_ok(snp_verify_endorsement(&in, &r, &err), &err);
        print_line("turin-vcek-chain-only", &r);
        assert_int_equal(r.tee.verdict, TEE_ACCEPT);
        assert_true(r.has_claims && r.line == SNP_TURIN);
        same_endorsement(json_object_get(want, "endorsement"), &r);
        json_decref(want);
        snp_bag_done(&bag);
}

static void id_block_of(const char *name, struct buf *ret)
{
        struct buf text = {0};
        struct err err = ERR_INIT;

        (void)read_into(&text, name);
        while (text.len && text.p[text.len - 1] <= ' ')
                text.len--;
        assert_ok(base64_decode(VIEW_BUF(&text), FILE_MAX, ret, &err), &err);
        buf_free(&text);
}

static void an_id_block_is_checked(void **state)
{
        struct buf block = {0}, auth = {0};
        struct err err = ERR_INIT;
        json_t *want = read_json("snp/id-block/expected.json");
        struct snp_id id;

        (void)state;
        id_block_of("snp/id-block/id_block.b64", &block);
        id_block_of("snp/id-block/auth_info.b64", &auth);
        assert_ok(snp_id_check(VIEW_BUF(&block), VIEW_BUF(&auth), &id, &err), &err);
        assert_true(id.block_signed && id.id_key_signed && id.has_author);
        same_hex(want, "id_key_digest", digest_view(&id.id_key));
        same_hex(want, "author_key_digest", digest_view(&id.author_key));
        block.p[0] ^= 1;
        assert_ok(snp_id_check(VIEW_BUF(&block), VIEW_BUF(&auth), &id, &err), &err);
        assert_true(!id.block_signed && id.id_key_signed);
        auth.p[0x680] ^= 1;
        assert_ok(snp_id_check(VIEW_BUF(&block), VIEW_BUF(&auth), &id, &err), &err);
        assert_false(id.id_key_signed);
        auth.p[0x244] ^= 1;
        assert_err(snp_id_check(VIEW_BUF(&block), VIEW_BUF(&auth), &id, &err), ERR_FORMAT, &err, "ID key");
        json_decref(want);
        buf_free(&block);
        buf_free(&auth);
}

/* Quote ← AK ← text ← report, of one machine. */
static void an_hcl_report_binds_the_tpm(void **state)
{
        AUTO(pubkey_free_p) struct pubkey *ak = NULL;
        static const char *const dirs[] = {"snp/azure-hcl-evidence-v1", "snp/azure-hcl-raw"};
        struct buf b = {0}, msg = {0}, sig = {0};
        struct signature s = {.scheme = SIG_RSASSA, .hash = DIGEST_SHA256};
        struct err err = ERR_INIT;
        struct snp_report report;
        struct azure_hcl hcl;
        bool good = false;
        char path[256];

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
                (void)snprintf(path, sizeof(path), "%s/hcl-report.bin", dirs[i]);
                assert_ok(azure_hcl_parse(read_into(&b, path), &hcl, &err), &err);
                assert_true(hcl.type == AZURE_HCL_SNP && hcl.data.len == 1110);
                assert_ok(snp_report_parse(hcl.hardware, &report, &err), &err);
                assert_ok(azure_hcl_binds(&hcl, report.report_data, &good, &err), &err);
                assert_true(good);
        }
        assert_ok(azure_hcl_parse(read_into(&b, "snp/azure-hcl-evidence-v1/hcl-report.bin"), &hcl, &err),
                  &err);
        assert_ok(azure_hcl_ak(&hcl, &ak, &err), &err);
        s.rsa = read_into(&sig, "snp/azure-hcl-evidence-v1/tpm-quote.sig");
        assert_ok(pubkey_verify(ak, &s, read_into(&msg, "snp/azure-hcl-evidence-v1/tpm-quote.msg"), &good,
                                &err),
                  &err);
        assert_true(good);
        buf_free(&b);
        buf_free(&msg);
        buf_free(&sig);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(real_reports_have_their_verdicts),
                cmocka_unit_test(mutants_have_their_verdicts),
                cmocka_unit_test(an_endorsement_alone_is_checked),
                cmocka_unit_test(an_id_block_is_checked),
                cmocka_unit_test(an_hcl_report_binds_the_tpm),
        };

        top = getenv("AVOW_VECTORS");
        if (!top || !*top) {
                printf("SKIP: AVOW_VECTORS is not set: no recorded evidence\n");
                return 77;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
