/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of a verification: what the report is, who could have signed it, whether they did, and only then
 * what it says. The certificate is compared with the report's *reported* TCB: that one the key is derived
 * from, and it alone is proven; current and committed TCB are the firmware's word.
 *
 * Spec: AMD 56860 §7.3; AMD 57230 §§2-4.
 */
#include "evidence/snp_verify.h"

#include "evidence/snp_work.h"

#define ALGORITHM_P384_SHA384 1
#define TURIN_HWID_BYTES      8

const struct snp_policy snp_policy_reference = {
        .crl = SNP_CRL_IF_GIVEN,
        .allow_vlek = true,
        .allow_provisional = true,
        .vmpls = 0xf,
};

/* Form, version, algorithm, kind of key. Return: may it go on? */
static bool check_form(struct snp_work *w, struct err *err)
{
        struct tee_result *t = &w->r->tee;
        const struct snp_report *r = &w->r->report;

        if (snp_report_parse(w->in->report, &w->r->report, err) < 0) {
                tee_fail(t, "report-format", "report-malformed", "%s", err->text);
                return false;
        }
        if (!r->known) {
                tee_skip(t, "report-format", "the version is unknown");
                tee_fail(t, "report-version", "report-version-unknown",
                         "version %u; 2, 3 and 5 are known here", r->version);
                return false;
        }
        w->r->has_report = true;
        if (r->fault) {
                tee_fail(t, "report-format", "report-malformed", "%s: not zero", r->fault);
                return false;
        }
        tee_pass(t, "report-format");
        tee_pass(t, "report-version");
        if (r->signature_algo != ALGORITHM_P384_SHA384) {
                tee_fail(t, "signature-algorithm", "signature-algorithm-unknown",
                         "algorithm %u; 1, ECDSA P-384 with SHA-384, is known here", r->signature_algo);
                return false;
        }
        tee_pass(t, "signature-algorithm");
        return true;
}

static bool check_signing_key(struct snp_work *w)
{
        struct tee_result *t = &w->r->tee;

        if (w->r->report.signing_key != SNP_KEY_VCEK && w->r->report.signing_key != SNP_KEY_VLEK) {
                tee_fail(t, "signing-key", "signing-key-unknown",
                         "signing key %u is neither a VCEK nor a VLEK", w->r->report.signing_key);
                return false;
        }
        w->kind = (enum snp_signing_key)w->r->report.signing_key;
        if (w->kind == SNP_KEY_VLEK && !w->in->policy->allow_vlek)
                tee_fail(t, "signing-key", "vlek-not-allowed", "the policy wants a chip's own key");
        else
                tee_pass(t, "signing-key");
        return true;
}

static void check_signature(struct snp_work *w)
{
        if (!w->r->leaf)
                tee_skip(&w->r->tee, "report-signature", "there is no certificate");
        else if (w->signature_good)
                tee_pass(&w->r->tee, "report-signature");
        else
                tee_fail(&w->r->tee, "report-signature", "report-signature-invalid",
                         "it is not the signature of the certificate's key");
        w->r->authentic = w->signature_good && w->chain_good && !w->revoked;
}

static void check_certificate_tcb(struct snp_work *w)
{
        char said[SNP_TCB_TEXT_BYTES], proven[SNP_TCB_TEXT_BYTES];
        struct snp_tcb tcb;

        if (!snp_tcb_decode(w->r->line, w->r->report.reported_tcb, &tcb))
                tee_fail(&w->r->tee, "certificate-tcb", "tcb-malformed",
                         "the reported TCB is not in the layout of a %s", snp_line_name(w->r->line));
        else if (!snp_tcb_equal(&tcb, &w->r->claims.tcb))
                tee_fail(&w->r->tee, "certificate-tcb", "tcb-mismatch",
                         "the report says %s, the certificate %s", snp_tcb_text(w->r->line, &tcb, said),
                         snp_tcb_text(w->r->line, &w->r->claims.tcb, proven));
        else
                tee_pass(&w->r->tee, "certificate-tcb");
}

static void check_chip(struct snp_work *w)
{
        struct tee_result *t = &w->r->tee;
        const struct snp_report *r = &w->r->report;
        struct view hwid = w->r->claims.hwid;
        struct cursor c = cursor_of(r->chip_id);
        struct view id;

        if (r->mask_chip_key && snp_is_zero(r->chip_id)) {
                if (w->in->policy->allow_masked_chip)
                        tee_skip(t, "chip-id", "the report's is masked");
                else
                        tee_fail(t, "chip-id", "chip-id-masked",
                                 "the report does not say which chip it is of");
                return;
        }
        if (cursor_take(&c, hwid.len, &id) && view_equal(id, hwid) && snp_is_zero(cursor_rest(&c)))
                tee_pass(t, "chip-id");
        else
                tee_fail(t, "chip-id", "chip-id-mismatch", "the certificate is of another chip");
}

static void check_provider(struct snp_work *w)
{
        const struct tee_set *set = &w->in->policy->csp_ids;

        if (!set->set) {
                tee_skip(&w->r->tee, "csp-id", "the policy names no providers; it is '%s'",
                         w->r->claims.csp_id);
                return;
        }
        if (tee_set_has(set, view_str(w->r->claims.csp_id)))
                tee_pass(&w->r->tee, "csp-id");
        else
                tee_fail(&w->r->tee, "csp-id", "csp-id-not-allowed", "provider '%s'", w->r->claims.csp_id);
}

/* What a good certificate says against what the report says. */
static void check_claims(struct snp_work *w)
{
        static const char why[] = "the certificate is not proven";
        struct err err = ERR_INIT;

        if (!w->chain_good) {
                tee_skip(&w->r->tee, "endorsement-extensions", "%s", why);
                tee_skip(&w->r->tee, "certificate-tcb", "%s", why);
                tee_skip(&w->r->tee, w->kind == SNP_KEY_VLEK ? "csp-id" : "chip-id", "%s", why);
                return;
        }
        if (snp_leaf_read(w->r->leaf, w->r->line, w->kind, &w->r->claims, &err) < 0) {
                tee_fail(&w->r->tee, "endorsement-extensions", "endorsement-malformed", "%s", err.text);
                return;
        }
        w->r->has_claims = true;
        tee_pass(&w->r->tee, "endorsement-extensions");
        if (!w->r->has_report)
                return;
        check_certificate_tcb(w);
        if (w->kind == SNP_KEY_VLEK)
                check_provider(w);
        else
                check_chip(w);
}

static void decide(struct snp_work *w)
{
        w->r->tee.verdict = tee_failed(&w->r->tee) ? TEE_REJECT
                            : w->incomplete        ? TEE_NO_ENDORSEMENT
                                                   : TEE_ACCEPT;
}

static int run(struct snp_work *w, struct err *err)
{
        struct err why = ERR_INIT;
        int r;

        if (!check_form(w, &why))
                return 0;
        snp_note_flags(w->r);
        if (!check_signing_key(w))
                return 0;
        r = snp_pick_leaf(w, err);
        if (r < 0)
                return r;
        snp_check_product(w);
        r = snp_check_chain(w, err);
        if (r < 0)
                return r;
        check_signature(w);
        check_claims(w);
        snp_check_policy(w);
        return 0;
}

int snp_verify(const struct snp_input *in, struct snp_result *ret, struct err *err)
{
        struct snp_result result = {0};
        struct snp_work w = {.in = in, .r = &result};
        int r = run(&w, err);

        if (r < 0)
                return err_wrap(err, "verifying an SNP report");
        decide(&w);
        *ret = result;
        return 0;
}

int snp_verify_endorsement(const struct snp_input *in, struct snp_result *ret, struct err *err)
{
        struct snp_result result = {0};
        struct snp_work w = {.in = in, .r = &result};
        int r;

        for (size_t i = 0; i < in->bag->certs.n && !result.leaf; i++)
                if (snp_leaf_kind(in->bag->certs.v[i], &w.kind))
                        result.leaf = in->bag->certs.v[i];
        if (result.leaf) {
                tee_pass(&result.tee, "endorsement");
        } else {
                tee_skip(&result.tee, "endorsement", "no VCEK or VLEK certificate was given");
                w.incomplete = true;
        }
        snp_check_product(&w);
        r = snp_check_chain(&w, err);
        if (r < 0)
                return err_wrap(err, "verifying an SNP endorsement");
        check_claims(&w);
        decide(&w);
        *ret = result;
        return 0;
}
