/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intel's quotes, from the bytes to the verdict. What is signed by what:
 *
 *   root ─▶ PCK CA ─▶ PCK ─▶ QE report (holds the hash of) ─▶ attestation key ─▶ quote
 *   root ─▶ TCB signing ─▶ TCB info (levels of this kind of platform), QE identity
 *
 * A quote whose signatures do not hold is judged no further: nothing it says means anything. Everything the
 * attester or the collateral's carrier sends may be forged; the root's key and the time are ours.
 *
 * Spec: Intel SGX ECDSA Quote Library API, Intel TDX DCAP Quoting Library API, DCAP Quote Verification.
 */
#include "evidence/dcap.h"

#include <string.h>

#include "base/mem.h"
#include "evidence/dcap_work.h"

static bool all_zero(struct view v)
{
        uint8_t any = 0;

        for (size_t i = 0; i < v.len; i++)
                any |= v.p[i];
        return any == 0;
}

static struct signature ecdsa(struct view raw)
{
        return (struct signature){.scheme = SIG_ECDSA,
                                  .hash = DIGEST_SHA256,
                                  .r = VIEW(raw.p, raw.len / 2),
                                  .s = VIEW(raw.p + raw.len / 2, raw.len / 2)};
}

/* The attestation key: as it was read before, or anew. Return: 0; *ret NULL if it is none. */
static int read_key(struct dcap_work *w, struct dcap_piece **ret, struct err *err)
{
        const struct dcap_quote *q = &w->res->quote;
        int r = dcap_warm_get(w->warm, &(struct dcap_piece_id){DCAP_PIECE_KEY, q->key, VIEW_NONE}, ret, err);

        if (r < 0 || *ret)
                return r;
        w->key = mem_zalloc(1, sizeof(*w->key));
        r = w->key ? pubkey_from_ec(CURVE_P256, VIEW(q->key.p, 32), VIEW(q->key.p + 32, 32), &w->key->key,
                                    err)
                   : err_nomem(err);
        if (dcap_is_answer(r)) {
                err_clear(err);
                return 0;
        }
        *ret = w->key;
        return r;
}

static int check_signature(struct dcap_work *w, struct err *err)
{
        const struct dcap_quote *q = &w->res->quote;
        const struct signature sig = ecdsa(q->signature);
        struct dcap_piece *piece = NULL;
        bool good = false;
        int r = read_key(w, &piece, err);

        if (r < 0)
                return r;
        if (!piece) {
                tee_fail(&w->res->tee, "quote-signature", "quote-signature-invalid",
                         "the attestation key is no point of the curve");
                return 0;
        }
        r = pubkey_verify(piece->key, &sig, q->is_signed, &good, err);
        if (r < 0)
                return r;
        if (good)
                tee_pass(&w->res->tee, "quote-signature");
        else
                tee_fail(&w->res->tee, "quote-signature", "quote-signature-invalid",
                         "the attestation key did not sign header and body");
        return 0;
}

/* The QE's report data: SHA-256 over key and authentication data, then 32 zeros. Both halves count. */
static int check_binding(struct dcap_work *w, struct err *err)
{
        const struct dcap_quote *q = &w->res->quote;
        const struct view parts[] = {q->key, q->auth_data};
        struct digest d;
        int r = digest_parts(DIGEST_SHA256, parts, ARRAY_LEN(parts), &d, err);

        if (r < 0)
                return r;
        if (equal_ct(q->qe.report_data.p, 32, d.b, d.len) && all_zero(VIEW(q->qe.report_data.p + 32, 32)))
                tee_pass(&w->res->tee, "qe-binding");
        else
                tee_fail(&w->res->tee, "qe-binding", "qe-binding-invalid",
                         "the quoting enclave's report does not name this attestation key");
        return 0;
}

static int check_qe_signature(struct dcap_work *w, const struct cert *leaf, struct err *err)
{
        const struct signature sig = ecdsa(w->res->quote.qe_signature);
        bool good = false;
        int r = 0;

        if (cert_pubkey(leaf) && pubkey_curve(cert_pubkey(leaf)) == CURVE_P256)
                r = pubkey_verify(cert_pubkey(leaf), &sig, w->res->quote.qe_bytes, &good, err);
        if (r < 0)
                return r;
        if (good)
                tee_pass(&w->res->tee, "qe-report-signature");
        else
                tee_fail(&w->res->tee, "qe-report-signature", "qe-report-signature-invalid",
                         "the PCK did not sign the quoting enclave's report");
        return 0;
}

/* Where the chain is: in the quote, or beside it for the kinds of certification data that have none. */
static bool find_chain(struct dcap_work *w, struct view *ret)
{
        const struct dcap_quote *q = &w->res->quote;

        if (q->cert_type == DCAP_CERT_CHAIN) {
                *ret = q->cert_data;
                tee_pass(&w->res->tee, "certification-data");
                return true;
        }
        if (q->cert_type >= 1 && q->cert_type <= 4 && w->collateral->pck_chain.p) {
                *ret = w->collateral->pck_chain;
                tee_pass(&w->res->tee, "certification-data");
                return true;
        }
        tee_fail(&w->res->tee, "certification-data", "certification-data-unsupported",
                 "type %u brings no chain, and none is at hand", q->cert_type);
        return false;
}

static int check_pck(struct dcap_work *w, struct err *err)
{
        static const char *const cas[] = {"Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA", NULL};
        struct dcap_chain chain = {.name = "pck-chain",
                                   .dates = "pck-chain-dates",
                                   .n = 3,
                                   .leaf_cn = "Intel SGX PCK Certificate",
                                   .ca_cns = cas};
        struct tee_result *tee = &w->res->tee;
        int r;

        if (!find_chain(w, &chain.pem))
                return 0;
        r = dcap_check_chain(w, &chain, &w->pck_chain, err);
        if (r < 0 || !w->pck_chain)
                return r;
        r = check_qe_signature(w, w->pck_chain->v[0], err);
        if (r >= 0)
                r = dcap_check_crls(w, err);
        if (r < 0)
                return r;
        r = pck_of_cert(w->pck_chain->v[0], &w->res->pck, err);
        if (dcap_is_answer(r)) {
                tee_fail(tee, "pck-extension", "endorsement-malformed", "%s", err->text);
                err_clear(err);
                return 0;
        }
        w->res->has_pck = r >= 0;
        if (r >= 0)
                tee_pass(tee, "pck-extension");
        return r;
}

static void check_debug(struct dcap_work *w, bool debug)
{
        struct tee_result *tee = &w->res->tee;

        if (debug)
                tee_flag(tee, "debug");
        if (debug && !w->policy->allow_debug)
                tee_fail(tee, "debug", "debug-enabled", "its memory can be read from outside");
        else
                tee_pass(tee, "debug");
}

static void check_measurements(struct dcap_work *w)
{
        const struct dcap_rules *rules = &w->policy->rules;
        const struct td_report *td = &w->res->quote.td;
        const struct {
                const char *name, *reason;
                const struct tee_set *set;
                struct view have;
        } all[] = {
                {"mrtd", "mrtd-not-allowed", &rules->mr_td, td->mr_td},
                {"rtmr0", "rtmr0-not-allowed", &rules->rtmr[0], td->rtmr[0]},
                {"rtmr1", "rtmr1-not-allowed", &rules->rtmr[1], td->rtmr[1]},
                {"rtmr2", "rtmr2-not-allowed", &rules->rtmr[2], td->rtmr[2]},
                {"rtmr3", "rtmr3-not-allowed", &rules->rtmr[3], td->rtmr[3]},
                {"mrconfigid", "mrconfigid-not-allowed", &rules->mr_config_id, td->mr_config_id},
                {"mrowner", "mrowner-not-allowed", &rules->mr_owner, td->mr_owner},
                {"mrownerconfig", "mrownerconfig-not-allowed", &rules->mr_owner_config, td->mr_owner_config},
                {"mrseam", "mrseam-not-allowed", &rules->mr_seam, td->mr_seam},
        };

        for (size_t i = 0; i < ARRAY_LEN(all); i++)
                tee_ask(&w->res->tee, all[i].name, all[i].reason, all[i].set, all[i].have);
}

static void check_td(struct dcap_work *w)
{
        const struct td_report *td = &w->res->quote.td;
        struct tee_result *tee = &w->res->tee;

        check_debug(w, td->attributes & TD_ATTR_DEBUG);
        if (td->attributes & TD_ATTR_UNTRUSTED & ~TD_ATTR_DEBUG)
                tee_fail(tee, "td-attributes", "td-attributes-untrusted",
                         "reserved bits of group TUD are set");
        else
                tee_pass(tee, "td-attributes");
        if (td->seam_attributes)
                tee_fail(tee, "seam-attributes", "seam-attributes-nonzero",
                         "the TDX module is not production");
        else
                tee_pass(tee, "seam-attributes");
        if (!(td->attributes & TD_ATTR_SEPT_VE_DISABLE)) {
                tee_flag(tee, "sept-ve-disable-off");
                if (w->policy->require_sept_ve_disable)
                        tee_fail(tee, "sept-ve-disable", "sept-ve-disable-off",
                                 "the host can inject exceptions by taking pages away");
        }
        if (!all_zero(td->mr_service_td)) {
                tee_flag(tee, "service-td");
                if (w->policy->rules.refuse_service_td)
                        tee_fail(tee, "service-td", "service-td-not-allowed",
                                 "another TD may act on this one");
        }
        check_measurements(w);
}

static void check_enclave(struct dcap_work *w)
{
        const struct dcap_rules *rules = &w->policy->rules;
        const struct sgx_report *e = &w->res->quote.sgx;
        struct tee_result *tee = &w->res->tee;
        bool known = false;

        tee_ask(tee, "mrenclave", "mrenclave-not-allowed", &rules->mr_enclave, e->mr_enclave);
        if (!rules->has_signers) {
                tee_skip(tee, "enclave-signer", "the policy names none");
                return;
        }
        for (size_t i = 0; i < rules->n_signers; i++) {
                if (!view_equal(e->mr_signer, VIEW_ARRAY(rules->signers[i].mr_signer)) ||
                    e->prod_id != rules->signers[i].prod_id)
                        continue;
                known = true;
                if (e->isv_svn < rules->signers[i].svn_floor)
                        continue;
                tee_pass(tee, "enclave-signer");
                return;
        }
        if (known)
                tee_fail(tee, "enclave-signer", "isvsvn-below-floor",
                         "version %u is older than the policy wants", e->isv_svn);
        else
                tee_fail(tee, "enclave-signer", "enclave-signer-not-allowed",
                         "signer and product are not among those that the policy names");
}

static void check_policy(struct dcap_work *w)
{
        const struct dcap_quote *q = &w->res->quote;
        struct tee_result *tee = &w->res->tee;
        struct view want = w->policy->report_data;

        if (q->tee == DCAP_TDX) {
                check_td(w);
        } else {
                check_debug(w, q->sgx.flags & SGX_FLAG_DEBUG);
                if (q->sgx.flags & SGX_FLAG_INIT)
                        tee_pass(tee, "enclave-initialised");
                else
                        tee_fail(tee, "enclave-initialised", "enclave-not-initialised", "INIT is not set");
                check_enclave(w);
        }
        if (!want.p)
                tee_skip(tee, "report-data", "nothing to compare it with was given");
        else if (equal_ct(want.p, want.len, q->report_data.p, q->report_data.len))
                tee_pass(tee, "report-data");
        else
                tee_fail(tee, "report-data", "report-data-mismatch", "it is not what was asked for");
}

static int check_quote(struct dcap_work *w, struct err *err)
{
        struct tee_result *tee = &w->res->tee;
        int r;

        if (view_equal(w->res->quote.qe_vendor, VIEW_ARRAY(dcap_intel_vendor)))
                tee_pass(tee, "qe-vendor");
        else
                tee_fail(tee, "qe-vendor", "qe-vendor-unknown", "the quoting enclave is not Intel's");
        r = check_signature(w, err);
        if (r >= 0)
                r = check_binding(w, err);
        if (r >= 0)
                r = check_pck(w, err);
        if (r >= 0 && w->key && !tee_failed(tee)) /* only what a genuine enclave named is worth its place */
                r = dcap_warm_put(w->warm,
                                  &(struct dcap_piece_id){DCAP_PIECE_KEY, w->res->quote.key, VIEW_NONE},
                                  &w->key, err);
        return r;
}

static int run(struct dcap_work *w, struct err *err)
{
        struct tee_result *tee = &w->res->tee;
        bool complete = false;
        int r = check_quote(w, err);

        if (r < 0)
                return r;
        if (tee_failed(tee)) {
                tee_skip(tee, "tcb-status", "the quote is not authentic, or what certifies it is not good");
                tee->verdict = TEE_REJECT;
                return 0;
        }
        r = dcap_check_collateral(w, &complete, err);
        if (r < 0)
                return r;
        check_policy(w);
        if (tee_failed(tee))
                tee->verdict = TEE_REJECT;
        else
                tee->verdict = complete ? TEE_ACCEPT : TEE_NO_COLLATERAL;
        return 0;
}

int dcap_verify(struct view quote, const struct dcap_collateral *collateral, const struct dcap_policy *policy,
                struct dcap_result *ret, struct err *err)
{
        struct dcap_warm own = {.bytes = 0};
        struct dcap_work w = {.collateral = collateral,
                              .policy = policy,
                              .res = ret,
                              .warm = collateral->warm ? collateral->warm : &own};
        const char *reason = NULL;
        int r;

        *ret = (struct dcap_result){.evaluation_number = -1, .next_update_ms = INT64_MAX};
        r = dcap_quote_parse(quote, &ret->quote, &reason, err);
        if (dcap_is_answer(r)) {
                tee_fail(&ret->tee, "quote-format", reason, "%s", err->text);
                err_clear(err);
                ret->tee.verdict = TEE_REJECT;
                return 0;
        }
        if (r >= 0) {
                ret->parsed = true;
                tee_pass(&ret->tee, "quote-format");
                dcap_warm_init(&own);
                dcap_warm_tidy(w.warm);
                r = run(&w, err);
                dcap_piece_free(w.key);
                dcap_warm_done(&own);
        }
        if (r < 0) {
                ret->tee.verdict = TEE_UNDECIDED;
                return err_wrap(err, "checking a quote");
        }
        return 0;
}
