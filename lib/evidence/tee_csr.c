/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of Enarx keeps, judged as the evidence in them is, with what they bring along beside what the
 * caller has; and then: is the request's key the one that the evidence names, and has it signed the request?
 */
#include "evidence/enarx_csr.h"
#include "evidence/tee_types_impl.h"

/* Whatever else came with the evidence, the key in its report data has to be the request's. */
static int check_key(struct tee_work *w, const struct enarx_csr *csr, struct err *err)
{
        struct err unused = ERR_INIT;
        struct snp_report report;
        struct dcap_quote quote;
        struct view said = VIEW_NONE;
        const char *reason;
        bool good = false;
        int r = 0;

        if (csr->kind == ENARX_SNP && snp_report_parse(csr->evidence, &report, &unused) == 0 && report.known)
                said = report.report_data;
        if (csr->kind == ENARX_SGX && dcap_quote_parse(csr->evidence, &quote, &reason, &unused) == 0)
                said = quote.report_data;
        if (said.p)
                r = enarx_csr_binds(csr, said, &good, err);
        if (r < 0)
                return r;
        if (good)
                tee_pass(&w->result, "csr-key");
        else
                tee_fail(&w->result, "csr-key", "csr-key-mismatch",
                         "the report data is not the digest of the request's key");
        return 0;
}

static int check_signature(struct tee_work *w, const struct enarx_csr *csr, struct err *err)
{
        bool good = false;
        int r = enarx_csr_signed(csr, &good, err);

        if (r < 0)
                return r;
        if (good)
                tee_pass(&w->result, "csr-signature");
        else
                tee_fail(&w->result, "csr-signature", "csr-signature-invalid",
                         "the request is not signed with its own key");
        return 0;
}

/* What the request brings, and what W has. Pieces of no known kind vouch for nothing. */
static int gather(const struct tee_work *w, const struct enarx_csr *csr, struct endorsements *heap,
                  struct err *err)
{
        enum endorsement_kind kind;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < csr->n_pieces; i++)
                r = endorsements_add(heap, csr->pieces[i], &kind, err);
        if (r >= 0 && w->trust && w->trust->heap)
                r = endorsements_add_all(heap, w->trust->heap, err);
        return r;
}

static int judge(struct tee_work *w, const struct enarx_csr *csr, struct err *err)
{
        AUTO(endorsements_free_p) struct endorsements *heap = NULL;
        struct tee_trust trust = w->trust ? *w->trust : (struct tee_trust){0};
        struct tee_work inner = *w;
        int r = endorsements_new(&heap, err);

        if (r >= 0 && w->verify)
                r = gather(w, csr, heap, err);
        if (r < 0)
                return r;
        inner.bytes = csr->evidence;
        trust.heap = heap;
        inner.trust = &trust;
        r = csr->kind == ENARX_SNP ? tee_run_snp(&inner, err) : tee_run_sgx(&inner, err);
        w->result = inner.result;
        w->verdict = inner.verdict;
        w->content = inner.content;
        w->intel = inner.intel;
        w->status = inner.status;
        if (r < 0 || w->result.verdict == TEE_MALFORMED)
                return r;
        r = check_key(w, csr, err);
        if (r >= 0)
                r = check_signature(w, csr, err);
        if (r >= 0 && tee_failed(&w->result))
                w->result.verdict = TEE_REJECT;
        return r;
}

static int run(struct tee_work *w, enum enarx_kind kind, struct err *err)
{
        struct enarx_csr csr;
        int r = enarx_csr_parse(w->bytes, &csr, err);

        if (r == -ERR_FORMAT || r == -ERR_LIMIT) {
                tee_malformed(w, "csr-format", err);
                return 0;
        }
        if (r < 0)
                return r;
        if (csr.kind == kind)
                return judge(w, &csr, err);
        tee_fail(&w->result, "csr-kind", "evidence-type-mismatch",
                 "the request is of a keep of another kind (%s)",
                 csr.kind == ENARX_KVM   ? "KVM, which has no evidence"
                 : csr.kind == ENARX_SGX ? "SGX"
                                         : "SNP");
        w->result.verdict = TEE_REJECT;
        return 0;
}

int tee_run_snp_csr(struct tee_work *w, struct err *err)
{
        return run(w, ENARX_SNP, err);
}

int tee_run_sgx_csr(struct tee_work *w, struct err *err)
{
        return run(w, ENARX_SGX, err);
}
