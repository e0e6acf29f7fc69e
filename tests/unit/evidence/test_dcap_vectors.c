/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real quotes, and edited ones, against what is known of them. The files are other people's data and stay
 * where they are: AVOW_VECTORS names the folder (or the one above its "tee"); without it this skips.
 */
#include "support/support.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "evidence/ccel.h"
#include "evidence/dcap.h"
#include "unit/evidence/dcap_kit.h"

#define FILE_MAX_BYTES (4u * 1024 * 1024)

static char top[512];

/* All bytes of a file under the vectors; false if it is not there. */
static bool load(struct buf *ret, const char *dir, const char *name)
{
        struct err err = ERR_INIT;
        struct stat st;
        char path[1024];

        (void)snprintf(path, sizeof(path), "%s/%s/%s", top, dir, name);
        if (stat(path, &st) < 0)
                return false;
        assert_ok(file_read(path, FILE_MAX_BYTES, ret, &err), &err);
        return true;
}

static json_t *load_json(const char *dir, const char *name)
{
        AUTO(buf_free)
        struct buf b = {0};
        struct err err = ERR_INIT;
        json_t *j = NULL;

        assert_true(load(&b, dir, name));
        assert_ok(json_parse(VIEW_BUF(&b), FILE_MAX_BYTES, &j, &err), &err);
        return j;
}

/* ---- a case's collateral, in whichever form its folder has it ---- */

struct kit {
        struct buf quote, pck_chain, tcb_info, tcb_chain, qe_identity, qe_chain, pck_crl, root_crl;
        struct dcap_collateral collateral;
};

static void kit_done(struct kit *k)
{
        struct buf *all[] = {&k->quote,       &k->pck_chain, &k->tcb_info, &k->tcb_chain,
                             &k->qe_identity, &k->qe_chain,  &k->pck_crl,  &k->root_crl};

        for (size_t i = 0; i < ARRAY_LEN(all); i++)
                buf_free(all[i]);
}

static void put_member(struct buf *ret, const json_t *j, const char *name)
{
        buf_str(ret, json_string_value(json_object_get(j, name)));
}

static void put_wrapped(struct buf *ret, const json_t *j, const char *member, const char *body,
                        const char *signature)
{
        buf_fmt(ret, "{\"%s\":", member);
        put_member(ret, j, body);
        buf_str(ret, ",\"signature\":\"");
        put_member(ret, j, signature);
        buf_str(ret, "\"}");
}

static void put_hex(struct buf *ret, const json_t *j, const char *name)
{
        struct err err = ERR_INIT;

        assert_ok(hex_decode_any(view_str(json_string_value(json_object_get(j, name))), 1u << 20, ret, &err),
                  &err);
}

static void load_full(struct kit *k, const char *dir)
{
        json_t *j = load_json(dir, "collateral.json");

        put_wrapped(&k->tcb_info, j, "tcbInfo", "tcb_info", "tcb_info_signature");
        put_wrapped(&k->qe_identity, j, "enclaveIdentity", "qe_identity", "qe_identity_signature");
        put_member(&k->tcb_chain, j, "tcb_info_issuer_chain");
        put_member(&k->qe_chain, j, "qe_identity_issuer_chain");
        put_hex(&k->pck_crl, j, "pck_crl");
        put_hex(&k->root_crl, j, "root_ca_crl");
        json_decref(j);
}

static struct view part(const struct buf *b)
{
        return b->len ? VIEW_BUF(b) : VIEW_NONE;
}

static void kit_load(struct kit *k, const char *dir)
{
        struct buf probe = {0};

        *k = (struct kit){0};
        if (!load(&k->quote, dir, "quote.bin"))
                assert_true(load(&k->quote, dir, "quote.dat"));
        if (load(&k->pck_chain, dir, "pckCert.pem"))
                assert_true(load(&k->pck_chain, dir, "pckSignChain.pem"));
        if (load(&probe, dir, "collateral.json")) {
                load_full(k, dir);
        } else {
                (void)load(&k->tcb_info, dir, "tcb-info.json");
                (void)load(&k->qe_identity, dir, "qe-identity.json");
                (void)load(&k->pck_crl, dir, "pck-platform.crl");
                (void)load(&k->root_crl, dir, "root-ca.crl");
                assert_true(load(&k->tcb_chain, "roots/intel", "tcb-signing-chain.pem"));
                assert_true(load(&k->qe_chain, "roots/intel", "tcb-signing-chain.pem"));
        }
        buf_free(&probe);
        k->collateral = (struct dcap_collateral){.pck_chain = part(&k->pck_chain),
                                                 .tcb_info = part(&k->tcb_info),
                                                 .tcb_info_chain = part(&k->tcb_chain),
                                                 .qe_identity = part(&k->qe_identity),
                                                 .qe_identity_chain = part(&k->qe_chain),
                                                 .pck_crl = part(&k->pck_crl),
                                                 .root_crl = part(&k->root_crl)};
}

/* The manifest's reference policy. */
static struct dcap_policy reference(const json_t *expected)
{
        const char *at = json_string_value(json_object_get(expected, "verify_at"));
        struct dcap_policy p = {.statuses = DCAP_STATUSES_DEFAULT | DCAP_STATUS(DCAP_CONFIGURATION) |
                                            DCAP_STATUS(DCAP_CONFIGURATION_AND_SW)};
        struct err err = ERR_INIT;

        p.ignore_dates = !at;
        if (at)
                assert_ok(clock_parse(view_str(at), &p.at_ms, &err), &err);
        return p;
}

static const char *verdict_word(const struct dcap_result *res)
{
        bool odd = false;

        for (size_t i = 0; i < res->quote.trailing.len; i++)
                odd |= res->quote.trailing.p[i] != 0;
        return res->tee.verdict == TEE_ACCEPT && odd ? "accept-with-trailing"
                                                     : tee_verdict_name(res->tee.verdict);
}

static void show(const char *name, const struct dcap_result *res)
{
        print_message("%-48s %-24s", name, verdict_word(res));
        for (size_t i = 0; tee_reason(&res->tee, i); i++)
                print_message(" %s", tee_reason(&res->tee, i));
        print_message("\n");
}

/* ---- known answers ---- */

static void same_words(const char *what, const json_t *want, size_t n, const char *const *have)
{
        for (size_t i = 0; i < n || i < json_array_size(want); i++)
                if (i >= n || i >= json_array_size(want) ||
                    strcmp(have[i], json_string_value(json_array_get(want, i))) != 0)
                        fail_msg("%s %zu: '%s', expected '%s'", what, i, i < n ? have[i] : "",
                                 i < json_array_size(want) ? json_string_value(json_array_get(want, i)) : "");
}

static void same_hex(const json_t *j, const char *name, struct view v)
{
        char text[256];

        if (!json_object_get(j, name))
                return;
        assert_true(v.len * 2 < sizeof(text));
        assert_string_equal(hex_write(text, v), json_string_value(json_object_get(j, name)));
}

static void same_status(const json_t *j, const char *name, enum dcap_status status)
{
        const char *word = json_string_value(json_object_get(j, name));

        assert_string_equal(dcap_status_name(status), word ? word : "none");
}

static void same_td(const json_t *j, const struct td_report *td)
{
        same_hex(j, "tee_tcb_svn", td->tee_tcb_svn);
        same_hex(j, "mrseam", td->mr_seam);
        same_hex(j, "mrsignerseam", td->mr_signer_seam);
        same_hex(j, "mrtd", td->mr_td);
        same_hex(j, "mrconfigid", td->mr_config_id);
        same_hex(j, "mrowner", td->mr_owner);
        same_hex(j, "mrownerconfig", td->mr_owner_config);
        same_hex(j, "rtmr0", td->rtmr[0]);
        same_hex(j, "rtmr1", td->rtmr[1]);
        same_hex(j, "rtmr2", td->rtmr[2]);
        same_hex(j, "rtmr3", td->rtmr[3]);
        same_hex(j, "reportdata", td->report_data);
        same_hex(j, "tee_tcb_svn2", td->tee_tcb_svn2);
        same_hex(j, "mrservicetd", td->mr_service_td);
}

static void same_facts(const json_t *j, const struct dcap_result *res)
{
        const struct dcap_quote *q = &res->quote;
        const json_t *pck = json_object_get(j, "pck"), *tcb = json_object_get(j, "tcb");
        const json_t *enclave = json_object_get(j, "enclave"), *td = json_object_get(j, "td");

        if (!pck)
                return;
        assert_int_equal(q->version, json_integer_value(json_object_get(j, "version")));
        assert_int_equal(q->trailing.len, json_integer_value(json_object_get(j, "trailing_bytes")));
        same_hex(pck, "fmspc", VIEW_ARRAY(res->pck.fmspc));
        same_hex(pck, "pceid", VIEW_ARRAY(res->pck.pceid));
        assert_int_equal(res->pck.pcesvn, json_integer_value(json_object_get(pck, "pcesvn")));
        for (size_t i = 0; i < PCK_COMPONENTS; i++)
                assert_int_equal(res->pck.components[i], json_integer_value(json_array_get(
                                                                 json_object_get(pck, "tcb_components"), i)));
        same_hex(json_object_get(j, "qe"), "mrsigner", q->qe.mr_signer);
        same_status(tcb, "sgx_level", res->sgx);
        same_status(tcb, "platform_status", res->platform);
        same_status(tcb, "module_status", res->module);
        if (json_object_get(j, "qe_identity") || !res->platform)
                same_status(tcb, "overall", res->overall);
        if (json_is_array(json_object_get(tcb, "advisories")))
                for (size_t i = 0; i < json_array_size(json_object_get(tcb, "advisories")); i++)
                        assert_string_equal(
                                res->advisories[i],
                                json_string_value(json_array_get(json_object_get(tcb, "advisories"), i)));
        if (enclave) {
                same_hex(enclave, "cpusvn", q->sgx.cpu_svn);
                same_hex(enclave, "attr", q->sgx.attributes);
                same_hex(enclave, "mrenclave", q->sgx.mr_enclave);
                same_hex(enclave, "mrsigner", q->sgx.mr_signer);
                same_hex(enclave, "rd", q->report_data);
        }
        if (td)
                same_td(td, &q->td);
}

static void run_case(const char *dir)
{
        json_t *expected = load_json(dir, "expected.json");
        struct dcap_policy policy = reference(expected);
        const char *reasons[TEE_CHECKS_MAX] = {NULL};
        struct dcap_result res;
        struct kit kit;
        size_t n = 0;

        kit_load(&kit, dir);
        dcap_kit_judge(VIEW_BUF(&kit.quote), &kit.collateral, &policy, &res);
        show(dir, &res);
        for (; tee_reason(&res.tee, n); n++)
                reasons[n] = tee_reason(&res.tee, n);
        assert_string_equal(tee_verdict_name(res.tee.verdict),
                            json_string_value(json_object_get(expected, "expect")));
        same_words("reason", json_object_get(expected, "reasons"), n, reasons);
        if (json_object_get(expected, "flags"))
                same_words("flag", json_object_get(expected, "flags"), res.tee.n_flags, res.tee.flags);
        same_facts(expected, &res);
        kit_done(&kit);
        json_decref(expected);
}

static const char *const cases[] = {
        "tdx/v4-gce-ccel",      "tdx/v4-spr-tcb-unsupported",          "tdx/v4-uptodate-full-collateral",
        "tdx/v5-td15-uptodate", "sgx/v3-processor-ca-full-collateral", "sgx/v3-synthetic-root",
        "enarx/sgx-xeon-csr",
};

static void real_quotes(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++)
                run_case(cases[i]);
}

/* With dates, files of different years cannot all hold: the quote of v5 has collateral that ended before it.
 */
static void dates_matter(void **state)
{
        struct dcap_policy policy = {.statuses = DCAP_STATUSES_DEFAULT};
        struct err err = ERR_INIT;
        struct dcap_result res;
        struct kit kit;

        (void)state;
        kit_load(&kit, "tdx/v5-td15-uptodate");
        assert_ok(clock_parse(view_str("2026-02-10T00:00:00Z"), &policy.at_ms, &err), &err);
        dcap_kit_judge(VIEW_BUF(&kit.quote), &kit.collateral, &policy, &res);
        assert_int_equal(res.tee.verdict, TEE_REJECT);
        assert_string_equal(tee_reason(&res.tee, 0), "collateral-expired");
        assert_null(tee_reason(&res.tee, 1));
        kit_done(&kit);
}

/* Without collateral everything else is still checked, and the answer says what is missing. */
static void no_collateral(void **state)
{
        const struct dcap_collateral none = {0};
        struct dcap_policy policy = {.statuses = DCAP_STATUSES_DEFAULT, .ignore_dates = true};
        struct dcap_result res;
        struct kit kit;

        (void)state;
        kit_load(&kit, "tdx/v4-gce-ccel");
        dcap_kit_judge(VIEW_BUF(&kit.quote), &none, &policy, &res);
        assert_string_equal(tee_verdict_name(res.tee.verdict), "quote-valid-no-collateral");
        assert_int_equal(tee_find(&res.tee, "tcb-status")->state, TEE_SKIPPED);
        kit_done(&kit);
}

/* ---- logs ---- */

static void real_logs(void **state)
{
        static const char *const dirs[] = {"ccel/ovmf", "ccel/grub", "tdx/v4-gce-ccel"};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
                json_t *expected = load_json(dirs[i], "expected.json");
                const json_t *cc =
                        json_object_get(expected, "ccel") ? json_object_get(expected, "ccel") : expected;
                struct digest rtmr[TD_RTMRS];
                struct err err = ERR_INIT;
                struct buf area = {0};
                struct bootlog log;

                assert_true(load(&area, dirs[i], "ccel-data.bin"));
                assert_ok(bootlog_parse_cc(VIEW_BUF(&area), &log, &err), &err);
                assert_ok(ccel_replay(&log, rtmr, &err), &err);
                print_message("%-48s %zu events\n", dirs[i], log.n_events);
                if (json_object_get(cc, "consumed"))
                        assert_int_equal(log.bytes.len, json_integer_value(json_object_get(cc, "consumed")));
                same_hex(json_object_get(cc, "replayed"), "rtmr0", digest_view(&rtmr[0]));
                same_hex(json_object_get(cc, "replayed"), "rtmr1", digest_view(&rtmr[1]));
                same_hex(json_object_get(cc, "replayed"), "rtmr2", digest_view(&rtmr[2]));
                same_hex(json_object_get(cc, "replayed"), "rtmr3", digest_view(&rtmr[3]));
                buf_free(&area);
                json_decref(expected);
        }
}

/* The log of the TD whose quote it is. */
static void log_of_the_quote(void **state)
{
        struct tee_result res = {0};
        const char *reason = NULL;
        struct err err = ERR_INIT;
        struct buf area = {0};
        struct dcap_quote q;
        struct kit kit;

        (void)state;
        kit_load(&kit, "tdx/v4-gce-ccel");
        assert_true(load(&area, "tdx/v4-gce-ccel", "ccel-data.bin"));
        assert_ok(dcap_quote_parse(VIEW_BUF(&kit.quote), &q, &reason, &err), &err);
        assert_ok(ccel_check(VIEW_BUF(&area), &q.td, &res, &err), &err);
        assert_int_equal(tee_find(&res, "rtmr-log")->state, TEE_PASS);
        buf_free(&area);
        kit_done(&kit);
}

/* ---- edited quotes ---- */

static void edit(struct buf *b, const json_t *e)
{
        const char *set = json_string_value(json_object_get(e, "set"));
        const char *append = json_string_value(json_object_get(e, "append"));
        size_t offset = (size_t)json_integer_value(json_object_get(e, "offset"));
        struct buf raw = {0};
        struct err err = ERR_INIT;

        if (json_object_get(e, "truncate")) {
                b->len = (size_t)json_integer_value(json_object_get(e, "truncate"));
        } else if (set) {
                assert_ok(hex_decode_any(view_str(set), b->len - offset, &raw, &err), &err);
                memcpy(b->p + offset, raw.p, raw.len);
        } else if (append) {
                assert_ok(hex_decode_any(view_str(append), 4096, &raw, &err), &err);
                buf_put_view(b, VIEW_BUF(&raw));
        } else {
                assert_true(offset < b->len);
                b->p[offset] ^= (uint8_t)json_integer_value(json_object_get(e, "xor"));
        }
        buf_free(&raw);
}

static void run_mutant(const json_t *m, const char *dir)
{
        json_t *expected = load_json(dir, "expected.json");
        struct dcap_policy policy = reference(expected);
        struct dcap_result res;
        struct kit kit;
        const json_t *e;
        char name[160];
        size_t i;

        kit_load(&kit, dir);
        json_array_foreach (json_object_get(m, "edits"), i, e)
                edit(&kit.quote, e);
        dcap_kit_judge(VIEW_BUF(&kit.quote), &kit.collateral, &policy, &res);
        (void)snprintf(name, sizeof(name), "%.3s %s", dir, json_string_value(json_object_get(m, "id")));
        show(name, &res);
        if (strcmp(verdict_word(&res), json_string_value(json_object_get(m, "expect"))) != 0)
                fail_msg("%s: expected %s", name, json_string_value(json_object_get(m, "expect")));
        assert_true((res.tee.verdict == TEE_REJECT) == (tee_reason(&res.tee, 0) != NULL));
        kit_done(&kit);
        json_decref(expected);
}

static void edited_quotes(void **state)
{
        json_t *all = load_json(".", "mutants.json");
        const json_t *m;
        size_t i, n = 0;

        (void)state;
        json_array_foreach (all, i, m) {
                const char *base = json_string_value(json_object_get(m, "base"));
                char dir[256];

                if (strncmp(base, "dev/tdx/", 8) != 0 && strncmp(base, "dev/sgx/", 8) != 0)
                        continue;
                (void)snprintf(dir, sizeof(dir), "%s", base + 4);
                *strrchr(dir, '/') = '\0';
                run_mutant(m, dir);
                n++;
        }
        assert_true(n > 50);
        json_decref(all);
}

/* ---- every truncation of every quote ---- */

static void try_cut(struct view v, const char *what, void *ctx)
{
        struct dcap_quote q;
        const char *reason = NULL;
        struct err err = ERR_INIT;

        (void)ctx;
        if (dcap_quote_parse(v, &q, &reason, &err) >= 0)
                fail_msg("parsed: %s", what);
        assert_non_null(reason);
}

static void truncated(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                struct dcap_quote q;
                const char *reason = NULL;
                struct err err = ERR_INIT;
                struct kit kit;

                kit_load(&kit, cases[i]);
                assert_ok(dcap_quote_parse(VIEW_BUF(&kit.quote), &q, &reason, &err), &err);
                each_truncation(VIEW(kit.quote.p, kit.quote.len - q.trailing.len), try_cut, NULL);
                kit_done(&kit);
        }
}

static int end(void **state)
{
        (void)state;
        dcap_kit_done();
        return 0;
}

int main(void)
{
        const char *dir = getenv("AVOW_VECTORS");
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(real_quotes),      cmocka_unit_test(dates_matter),
                cmocka_unit_test(no_collateral),    cmocka_unit_test(real_logs),
                cmocka_unit_test(log_of_the_quote), cmocka_unit_test(edited_quotes),
                cmocka_unit_test(truncated),
        };
        struct stat st;

        if (!dir || !*dir) {
                printf("SKIP: AVOW_VECTORS is not set: no real quotes are checked\n");
                return 77;
        }
        (void)snprintf(top, sizeof(top), "%s/tee", dir);
        if (stat(top, &st) < 0)
                (void)snprintf(top, sizeof(top), "%s", dir);
        return cmocka_run_group_tests(tests, NULL, end);
}
