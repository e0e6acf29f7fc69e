/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The containers that evidence comes in: an SNP report alone, in the answer of /dev/sev-guest, or in Azure's
 * HCL report; quotes; event logs of TDs; ID blocks.
 */
#include "evidence/tee_types_impl.h"

#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "evidence/azure_hcl.h"
#include "evidence/snp_id.h"
#include "evidence/tee_json.h"

#define GUEST_RESPONSE_BYTES  4000 /* of SNP_GET_REPORT */
#define GUEST_RESPONSE_HEADER 32

static int made(const json_t *j, struct err *err)
{
        return j ? 0 : err_nomem(err);
}

void tee_malformed(struct tee_work *w, const char *check, struct err *err)
{
        tee_fail(&w->result, check, "evidence-malformed", "%s", err->text);
        err_clear(err);
        w->result.verdict = TEE_MALFORMED;
}

/*
 * Evidence that breaks its format is refused like any other that does not hold. Text, though, is no evidence
 * at all: hex, base64, PEM, JSON, that somebody has to decode first.
 */
static bool is_text(struct tee_work *w)
{
        size_t n = w->bytes.len < 64 ? w->bytes.len : 64;

        for (size_t i = 0; i < n; i++)
                if ((w->bytes.p[i] < ' ' && !strchr("\t\r\n", w->bytes.p[i])) || w->bytes.p[i] > '~')
                        return false;
        if (n == 0)
                return false;
        tee_fail(&w->result, "file-format", "evidence-malformed",
                 "the file is text, and evidence of this type is binary");
        w->result.verdict = TEE_MALFORMED;
        return true;
}

/* ---- SEV-SNP ---- */

/* Status, size, 24 bytes reserved, and the report. Spec: AMD 56860 §7.3, MSG_REPORT_RSP. */
static struct view out_of_response(struct view bytes)
{
        struct cursor c = cursor_of(bytes);
        struct view report;
        uint32_t status, size;

        if (bytes.len == GUEST_RESPONSE_BYTES && cursor_le32(&c, &status) && cursor_le32(&c, &size) &&
            status == 0 && size == SNP_REPORT_BYTES && cursor_skip(&c, GUEST_RESPONSE_HEADER - c.at) &&
            cursor_take(&c, SNP_REPORT_BYTES, &report))
                return report;
        return bytes;
}

/* What a report came in, or with; either or none. */
struct snp_around {
        const struct azure_hcl *hcl;
        const struct svsm_manifest *svsm;
};

/* Is the text with the virtual TPM's keys the one that the report was made over? */
static int check_hcl(struct tee_work *w, const struct azure_hcl *hcl, const struct snp_result *res,
                     struct err *err)
{
        bool good = false;
        int r = 0;

        if (!res->authentic) {
                tee_skip(&w->result, "hcl-binding", "the report is not authentic, and binds nothing");
                return 0;
        }
        r = azure_hcl_binds(hcl, res->report.report_data, &good, err);
        if (r < 0)
                return r;
        if (good) {
                tee_pass(&w->result, "hcl-binding");
                return 0;
        }
        tee_fail(&w->result, "hcl-binding", "hcl-binding-invalid",
                 "the report's data is not the digest of the text with the TPM's keys");
        w->result.verdict = TEE_REJECT;
        return 0;
}

/* Does the policy name what was launched? That it is the one named, was checked. */
static bool launch_known(const struct tee_work *w, struct view image)
{
        return (w->binding->images && tee_set_has(w->binding->images, image)) || w->snp->measurements.set ||
               w->snp->id_keys.set || w->snp->author_keys.set;
}

/* Whose is it? What is not authentic is nobody's. */
static int check_binding(struct tee_work *w, bool authentic, const struct snp_around *around,
                         struct view report_data, struct view image, struct err *err)
{
        const struct tee_binding *b = w->binding;
        int r;

        if (!b)
                return 0;
        if (!authentic) {
                tee_skip(&w->result, "binding", "the evidence is not authentic, and binds nothing");
                return 0;
        }
        if (around && around->hcl)
                r = tee_binding_check_hcl(b, around->hcl, launch_known(w, image), &w->result, err);
        else if (around && around->svsm)
                r = tee_binding_check_svsm(b, around->svsm, report_data, launch_known(w, image), &w->result,
                                           err);
        else
                r = tee_binding_check(b, report_data, image, &w->result, err);
        if (r >= 0 && tee_failed(&w->result))
                w->result.verdict = TEE_REJECT;
        return r;
}

static int show_snp(struct tee_work *w, const struct snp_result *res, struct err *err)
{
        if (!res->has_report)
                return 0;
        w->content = snp_report_to_json(&res->report, res->line);
        if (w->content && res->has_claims &&
            json_object_set_new(w->content, "certificate",
                                snp_leaf_to_json(&res->claims, res->line,
                                                 (enum snp_signing_key)res->report.signing_key)) < 0)
                return err_nomem(err);
        return made(w->content, err);
}

/*
 * All that could vouch for the report: what came along with it, which is the host's word and only counts if
 * it chains to a root; and what is kept. A table that is none is as good as no table.
 */
static int fill_bag(const struct tee_work *w, struct view report, struct snp_bag *bag, struct err *err)
{
        struct err unused = ERR_INIT;
        struct snp_report parsed;

        if (w->table.len && snp_bag_add_table(bag, w->table, &unused) == -ERR_NOMEM)
                return err_nomem(err);
        if (!w->trust || !w->trust->heap || snp_report_parse(report, &parsed, &unused) < 0)
                return 0;
        return endorsements_for_snp(w->trust->heap, &parsed, bag, err);
}

static void set_snp_roots(const struct tee_work *w, struct snp_input *in)
{
        if (w->trust && w->trust->n_snp_roots) {
                in->roots = w->trust->snp_roots;
                in->n_roots = w->trust->n_snp_roots;
        } else {
                in->roots = snp_amd_roots(&in->n_roots);
        }
}

static int show_svsm(struct tee_work *w, const struct svsm_manifest *m, struct err *err)
{
        AUTO(json_free_p) json_t *j = json_object();
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        struct err unused = ERR_INIT;
        struct digest spki;

        if (!j || json_set_int(j, "services", (int64_t)m->n_services) < 0 ||
            (m->has_ek && json_set_str(j, "endorsement_key", tpm_public_describe(&m->ek)) < 0))
                return err_nomem(err);
        if (m->has_ek && tpm_public_key(&m->ek, &key, &unused) == 0 &&
            pubkey_spki_sha256(key, &spki, &unused) == 0 &&
            json_set_hex(j, "endorsement_key_sha256", digest_view(&spki)) < 0)
                return err_nomem(err);
        return json_object_set(w->content, "svsm", j) < 0 ? err_nomem(err) : 0;
}

/* The nonce that the SVSM was asked with, and what its report then has to say. Without one nothing is asked.
 */
static int expect_svsm(struct tee_work *w, const struct svsm_manifest *svsm, struct digest *ret,
                       struct view *ret_want, struct err *err)
{
        uint8_t own[TEE_BINDING_BYTES];
        struct view nonce = w->report_data;
        int r = 0;

        if (!nonce.len && w->binding) {
                r = tee_binding_data(w->binding->challenge, w->binding->ak, own, err);
                nonce = VIEW_ARRAY(own);
        }
        if (r < 0 || !nonce.len)
                return r;
        r = svsm_report_data(nonce, svsm, ret, err);
        if (r >= 0)
                *ret_want = digest_view(ret);
        return r;
}

/* The SVSM alone asks at VMPL 0; whoever asks from above it can write any manifest. */
static void check_svsm(struct tee_work *w, const struct snp_result *res)
{
        if (!res->authentic)
                tee_skip(&w->result, "svsm-vmpl", "the report is not authentic, and says nothing");
        else if (res->report.vmpl == 0)
                tee_pass(&w->result, "svsm-vmpl");
        else
                tee_fail(&w->result, "svsm-vmpl", "svsm-vmpl-nonzero",
                         "VMPL %u asked for the report, and an SVSM runs at 0", res->report.vmpl);
        if (tee_failed(&w->result))
                w->result.verdict = TEE_REJECT;
}

static int verify_snp(struct tee_work *w, struct view report, const struct snp_around *around,
                      struct err *err)
{
        const struct azure_hcl *hcl = around->hcl;
        struct snp_bag bag = {0};
        struct snp_input in = {.report = report,
                               .bag = &bag,
                               .at_ms = w->at_ms,
                               .policy = w->snp,
                               .report_data = w->report_data};
        struct snp_result res = {0};
        struct digest want;
        int r = around->svsm ? expect_svsm(w, around->svsm, &want, &in.report_data, err) : 0;

        set_snp_roots(w, &in);
        if (r >= 0)
                r = fill_bag(w, report, &bag, err);
        if (r >= 0)
                r = snp_verify(&in, &res, err);
        w->result = res.tee;
        if (r >= 0 && hcl)
                r = check_hcl(w, hcl, &res, err);
        if (r >= 0 && around->svsm)
                check_svsm(w, &res);
        if (r >= 0)
                r = check_binding(w, res.authentic && ((!hcl && !around->svsm) || !tee_failed(&w->result)),
                                  around, res.report.report_data, res.report.measurement, err);
        if (r >= 0)
                r = show_snp(w, &res, err);
        if (r >= 0 && around->svsm && w->content)
                r = show_svsm(w, around->svsm, err);
        snp_bag_done(&bag);
        return r;
}

int tee_run_snp(struct tee_work *w, struct err *err)
{
        struct svsm_manifest svsm;
        struct azure_hcl hcl;
        int r;

        if (is_text(w))
                return 0;
        if (w->has_manifest) {
                r = svsm_manifest_parse(w->manifest, &svsm, err);
                if (r != -ERR_FORMAT && r != -ERR_LIMIT)
                        return r < 0 ? r
                                     : verify_snp(w, out_of_response(w->bytes),
                                                  &(struct snp_around){.svsm = &svsm}, err);
                tee_malformed(w, "svsm-manifest", err);
                return 0;
        }
        if (w->bytes.len < 4 || !view_equal(VIEW(w->bytes.p, 4), view_str("HCLA")))
                return verify_snp(w, out_of_response(w->bytes), &(struct snp_around){0}, err);
        r = azure_hcl_parse(w->bytes, &hcl, err);
        if (r == -ERR_FORMAT) {
                tee_malformed(w, "hcl-format", err);
                return 0;
        }
        if (r < 0)
                return r;
        if (hcl.type != AZURE_HCL_SNP)
                return err_set(err, ERR_CONFIG, 0,
                               "an HCL report of a TDX guest holds no quote: verify the quote itself");
        return verify_snp(w, hcl.hardware, &(struct snp_around){.hcl = &hcl}, err);
}

/* A leaf certificate alone; it shows nothing of a machine. */
static int run_certificate(struct tee_work *w, struct err *err)
{
        struct snp_bag bag = {0};
        struct snp_input in = {.bag = &bag, .at_ms = w->at_ms, .policy = w->snp};
        struct snp_result res = {0};
        enum snp_signing_key kind = SNP_KEY_NONE;
        int r = snp_bag_add(&bag, w->bytes, err);

        set_snp_roots(w, &in);
        if (r == -ERR_FORMAT || (r >= 0 && (!bag.certs.n || !snp_leaf_kind(bag.certs.v[0], &kind)))) {
                if (r >= 0)
                        r = err_set(err, ERR_FORMAT, 0, "no VCEK or VLEK certificate");
                tee_malformed(w, "certificate-format", err);
                snp_bag_done(&bag);
                return 0;
        }
        if (r >= 0 && w->trust && w->trust->heap)
                r = endorsements_for_snp(w->trust->heap, NULL, &bag, err);
        if (r >= 0)
                r = snp_verify_endorsement(&in, &res, err);
        w->result = res.tee;
        w->verdict = "chain-valid";
        if (r >= 0 && res.leaf && !res.has_claims) { /* what it says, its chain being good or not */
                struct err unused = ERR_INIT;

                res.has_claims = snp_leaf_read(res.leaf, res.line, kind, &res.claims, &unused) == 0;
        }
        if (r >= 0 && res.has_claims) {
                w->content = snp_leaf_to_json(&res.claims, res.line, kind);
                r = made(w->content, err);
        }
        snp_bag_done(&bag);
        return r;
}

/* Bytes as they are, or in base64 if they have another length than they should. */
static int unwrap(struct view bytes, size_t want, struct buf *ret, struct err *err)
{
        if (bytes.len != want)
                return base64_decode_lax(bytes, 2 * want, ret, err);
        buf_put_view(ret, bytes);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

static json_t *id_json(const struct snp_id *id)
{
        AUTO(json_free_p) json_t *j = json_object();

        if (!j || json_set_int(j, "version", id->block.version) < 0 ||
            json_set_hex(j, "launch_digest", id->block.launch_digest) < 0 ||
            json_set_hex(j, "family_id", id->block.family_id) < 0 ||
            json_set_hex(j, "image_id", id->block.image_id) < 0 ||
            json_set_int(j, "guest_svn", id->block.guest_svn) < 0 ||
            json_set_hex(j, "id_key_digest", digest_view(&id->id_key)) < 0 ||
            json_set_hex(j, "author_key_digest", digest_view(&id->author_key)) < 0)
                return NULL;
        return TAKE(j);
}

static void judge_id(struct tee_result *t, const struct snp_id *id)
{
        static const char not_signed[] = "it is not the signature of this key";

        if (id->block_signed)
                tee_pass(t, "id-block-signature");
        else
                tee_fail(t, "id-block-signature", "id-block-signature-invalid", "%s", not_signed);
        if (!id->has_author)
                tee_skip(t, "id-key-signature", "there is no author key");
        else if (id->id_key_signed)
                tee_pass(t, "id-key-signature");
        else
                tee_fail(t, "id-key-signature", "id-key-signature-invalid", "%s", not_signed);
        t->verdict = tee_failed(t) ? TEE_REJECT : TEE_ACCEPT;
}

static int run_id_block(struct tee_work *w, struct err *err)
{
        AUTO(buf_free) struct buf block = {0};
        AUTO(buf_free) struct buf auth = {0};
        struct snp_id id = {0};
        int r = unwrap(w->bytes, SNP_ID_BLOCK_BYTES, &block, err);

        if (w->has_id_auth) {
                if (r >= 0)
                        r = unwrap(w->id_auth, SNP_ID_AUTH_BYTES, &auth, err);
                if (r >= 0)
                        r = snp_id_check(VIEW_BUF(&block), VIEW_BUF(&auth), &id, err);
        } else if (r >= 0) {
                r = snp_id_block_parse(VIEW_BUF(&block), &id.block, err);
                tee_skip(&w->result, "id-block-signature",
                         "no ID authentication information was given (--id-auth)");
        }
        if (r == -ERR_FORMAT || r == -ERR_LIMIT) {
                w->result = (struct tee_result){0};
                tee_malformed(w, "id-block-format", err);
                return 0;
        }
        if (r < 0)
                return r;
        if (w->has_id_auth)
                judge_id(&w->result, &id);
        w->content = id_json(&id);
        return made(w->content, err);
}

/* ---- Intel ---- */

static bool all_zero(struct view v)
{
        for (size_t i = 0; i < v.len; i++)
                if (v.p[i])
                        return false;
        return true;
}

/* The TD's log against the registers of its quote. */
static int check_log(struct tee_work *w, const struct dcap_result *res, struct err *err)
{
        int r;

        if (!w->has_log) {
                if (w->verify && res->quote.tee == DCAP_TDX)
                        tee_skip(&w->result, "rtmr-log", "no event log was given (--log)");
                return 0;
        }
        if (res->quote.tee != DCAP_TDX)
                return err_set(err, ERR_CONFIG, 0, "--log is for the quotes of TDs");
        if (tee_find(&w->result, "quote-signature") &&
            tee_find(&w->result, "quote-signature")->state != TEE_PASS) {
                tee_skip(&w->result, "rtmr-log", "the registers are not authentic");
                return 0;
        }
        r = ccel_check(w->log, &res->quote.td, &w->result, err);
        if (r >= 0 && tee_failed(&w->result))
                w->result.verdict = TEE_REJECT;
        return r;
}

static int verify_quote(struct tee_work *w, struct dcap_result *res, struct err *err)
{
        const struct dcap_collateral none = {0};
        struct endorsements_quote found = {0};
        struct dcap_policy policy = w->dcap;
        struct err unused = ERR_INIT;
        struct dcap_quote parsed;
        const struct endorsements *heap = w->trust ? w->trust->heap : NULL;
        const char *reason;
        int r = 0;

        policy.at_ms = w->at_ms;
        policy.report_data = w->report_data;
        if (w->trust && w->trust->n_intel_roots) {
                policy.roots = w->trust->intel_roots;
                policy.n_roots = w->trust->n_intel_roots;
        }
        if (heap && dcap_quote_parse(w->bytes, &parsed, &reason, &unused) == 0)
                r = endorsements_for_quote(heap, &parsed, w->at_ms, w->warm, &found, err);
        if (r >= 0)
                r = dcap_verify(w->bytes, heap ? &found.collateral : &none, &policy, res, err);
        endorsements_quote_done(&found);
        return r;
}

static int run_quote(struct tee_work *w, enum dcap_tee tee, struct err *err)
{
        AUTO(mem_free_p) struct dcap_result *res = mem_zalloc(1, sizeof(*res));
        int r;

        if (is_text(w))
                return 0;
        r = res ? verify_quote(w, res, err) : err_nomem(err);
        if (r < 0)
                return r;
        w->result = res->tee;
        w->intel = res->overall;
        if (!res->parsed)
                return 0;
        if (res->quote.tee != tee) {
                tee_fail(&w->result, "quote-kind", "quote-tee-mismatch", "the quote is from %s",
                         res->quote.tee == DCAP_TDX ? "TDX" : "SGX");
                w->result.verdict = TEE_REJECT;
        } else {
                bool authentic = !tee_failed(&w->result);

                r = check_log(w, res, err);
                if (r >= 0)
                        r = check_binding(w, authentic, NULL, res->quote.report_data,
                                          tee == DCAP_TDX ? res->quote.td.mr_td : VIEW_NONE, err);
        }
        if (!all_zero(res->quote.trailing))
                w->verdict = "accept-with-trailing";
        w->content = dcap_quote_to_json(&res->quote);
        if (w->verify)
                w->status = dcap_status_to_json(res);
        if (r >= 0)
                r = made(w->content, err);
        return r < 0 || !w->verify ? r : made(w->status, err);
}

static int run_tdx(struct tee_work *w, struct err *err)
{
        return run_quote(w, DCAP_TDX, err);
}

int tee_run_sgx(struct tee_work *w, struct err *err)
{
        return run_quote(w, DCAP_SGX, err);
}

/* A log alone leads somewhere; only a quote says whether the TD is there. */
static int run_ccel(struct tee_work *w, struct err *err)
{
        struct digest rtmr[TD_RTMRS];
        struct bootlog log;
        int r = bootlog_parse_cc(w->bytes, &log, err);

        if (r >= 0)
                r = ccel_replay(&log, rtmr, err);
        if (r == -ERR_FORMAT || r == -ERR_LIMIT) {
                tee_malformed(w, "log-format", err);
                return 0;
        }
        if (r < 0)
                return r;
        tee_pass(&w->result, "log-format");
        tee_skip(&w->result, "rtmr-log", "there is no quote to compare with: --type tdx --log LOG QUOTE");
        w->result.verdict = TEE_ACCEPT;
        w->verdict = "parse-ok";
        w->content = ccel_to_json(&log, rtmr);
        return made(w->content, err);
}

const struct tee_type tee_types[] = {
        {"snp", "SEV-SNP attestation report", tee_run_snp},
        {"snp-certificate", "SEV-SNP leaf certificate", run_certificate},
        {"snp-id-block", "SEV-SNP ID block", run_id_block},
        {"tdx", "TDX quote", run_tdx},
        {"sgx", "SGX quote", tee_run_sgx},
        {"snp-csr", "Enarx request with an SEV-SNP report", tee_run_snp_csr},
        {"sgx-csr", "Enarx request with an SGX quote", tee_run_sgx_csr},
        {"ccel", "event log of a TD", run_ccel},
        {"tpm", "TPM quote with its key and values", tee_run_tpm},
        {0},
};

const struct tee_type *tee_type_find(const char *name)
{
        for (const struct tee_type *t = tee_types; t->name; t++)
                if (strcmp(t->name, name) == 0)
                        return t;
        return NULL;
}

const char *tee_work_verdict(const struct tee_work *w)
{
        if (w->verdict && w->result.verdict == TEE_ACCEPT)
                return w->verdict;
        return tee_verdict_name(w->result.verdict);
}

void tee_work_done(struct tee_work *w)
{
        json_decref(w->content);
        json_decref(w->status);
        w->content = w->status = NULL;
}
