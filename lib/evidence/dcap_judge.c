/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collateral: who signed it, does it hold now, is it for this platform and this kind of quote; then the TCB
 * status, and whether the policy takes it. Collateral that fails one of the first questions is not asked for
 * a status.
 *
 * Spec: Intel SGX/TDX DCAP Quote Verification Library; reference values from Intel API v4.
 */
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"
#include "evidence/dcap_work.h"

/* One of the two documents: its parts, and the names of what is checked in it. */
struct source {
        const char *chain, *dates, *revocation, *signature, *format, *window, *kind; /* names of checks */
        const char *other_kind; /* reason when it is for the other kind of evidence */
        const char *member;
        enum dcap_piece_kind piece;
        struct view json, pem;
};

/* Signed by SIGNER, and well formed. Return: 0; *ret NULL, with the failure recorded, if it is not. */
static int read_document(struct dcap_work *w, const struct source *s, const struct cert *signer,
                         struct dcap_piece **ret, struct err *err)
{
        AUTO(dcap_piece_free_p) struct dcap_piece *piece = mem_zalloc(1, sizeof(*piece));
        struct tee_result *tee = &w->res->tee;
        struct signed_json j;
        bool good = false;
        int r = piece ? signed_json_cut(s->json, s->member, &j, err) : err_nomem(err);

        if (r >= 0) {
                if (cert_pubkey(signer))
                        r = signed_json_check(&j, cert_pubkey(signer), &good, err);
                if (r >= 0 && !good)
                        tee_fail(tee, s->signature, "collateral-signature-invalid",
                                 "'%s' did not sign these bytes", cert_cn(signer));
                if (r < 0 || !good)
                        return r;
                tee_pass(tee, s->signature);
                r = s->piece == DCAP_PIECE_INFO ? tcb_info_parse(j.body, &piece->info, err)
                                                : qe_identity_parse(j.body, &piece->qe, err);
        }
        if (dcap_is_answer(r)) {
                tee_fail(tee, s->format, "collateral-malformed", "%s", err->text);
                err_clear(err);
                return 0;
        }
        if (r >= 0)
                *ret = TAKE(piece);
        return r;
}

/* Chain, revocation, signature and form. Return: 0; *ret NULL if something is not in order. */
static int authentic(struct dcap_work *w, const struct source *s, const struct dcap_piece **ret,
                     struct err *err)
{
        const struct dcap_chain chain = {.name = s->chain,
                                         .dates = s->dates,
                                         .pem = s->pem,
                                         .n = 2,
                                         .later_issue = true,
                                         .leaf_cn = "Intel SGX TCB Signing"};
        AUTO(dcap_piece_free_p) struct dcap_piece *fresh = NULL;
        struct dcap_piece_id id = {.kind = s->piece, .text = s->json};
        const struct cert_list *list = NULL;
        struct dcap_piece *piece = NULL;
        int r = dcap_check_chain(w, &chain, &list, err);

        if (r < 0 || !list)
                return r;
        dcap_check_root_crl(w, s->revocation, list->v[0]);
        id.by = cert_der(list->v[0]);
        r = dcap_warm_get(w->warm, &id, &piece, err);
        if (r < 0)
                return r;
        if (piece) {
                tee_pass(&w->res->tee, s->signature);
        } else {
                r = read_document(w, s, list->v[0], &fresh, err);
                if (r < 0 || !fresh)
                        return r;
                piece = fresh;
                r = dcap_warm_put(w->warm, &id, &fresh, err);
                if (r < 0)
                        return r;
        }
        tee_pass(&w->res->tee, s->format);
        *ret = piece;
        return 0;
}

static bool window_and_kind(struct dcap_work *w, const struct source *s, const struct tcb_window *window,
                            enum dcap_tee tee)
{
        struct tee_result *t = &w->res->tee;
        bool good = dcap_check_window(w, s->window, window->issue_ms, window->next_update_ms,
                                      "collateral-not-yet-valid", "collateral-expired");

        if (window->next_update_ms < w->res->next_update_ms)
                w->res->next_update_ms = window->next_update_ms;
        if (window->evaluation_number < w->policy->min_evaluation_number) {
                tee_fail(t, s->kind, "collateral-rolled-back",
                         "its evaluation data number is %lld, at least %lld was seen or is wanted",
                         (long long)window->evaluation_number, (long long)w->policy->min_evaluation_number);
                return false;
        }
        if (tee != w->res->quote.tee) {
                tee_fail(t, s->kind, s->other_kind, "it is for %s, and the quote is from %s",
                         tee == DCAP_TDX ? "TDX" : "SGX", w->res->quote.tee == DCAP_TDX ? "TDX" : "SGX");
                return false;
        }
        tee_pass(t, s->kind);
        return good;
}

static bool is_platforms(struct dcap_work *w, const struct tcb_info *info)
{
        const struct pck *pck = &w->res->pck;
        char ours[13], theirs[13];
        bool fmspc = view_equal(VIEW_ARRAY(info->fmspc), VIEW_ARRAY(pck->fmspc));
        bool pceid = view_equal(VIEW_ARRAY(info->pceid), VIEW_ARRAY(pck->pceid));

        if (fmspc)
                tee_pass(&w->res->tee, "tcb-info-fmspc");
        else
                tee_fail(&w->res->tee, "tcb-info-fmspc", "fmspc-mismatch",
                         "it is for FMSPC %s, the platform's is %s",
                         hex_write(theirs, VIEW_ARRAY(info->fmspc)), hex_write(ours, VIEW_ARRAY(pck->fmspc)));
        if (pceid)
                tee_pass(&w->res->tee, "tcb-info-pceid");
        else
                tee_fail(&w->res->tee, "tcb-info-pceid", "pceid-mismatch",
                         "it is for PCEID %s, the platform's is %s",
                         hex_write(theirs, VIEW_ARRAY(info->pceid)), hex_write(ours, VIEW_ARRAY(pck->pceid)));
        return fmspc && pceid;
}

/* Both: *RET NULL unless everything about the document is in order. */
static int load_tcb_info(struct dcap_work *w, const struct tcb_info **ret, struct err *err)
{
        const struct source s = {.chain = "tcb-info-chain",
                                 .dates = "tcb-info-chain-dates",
                                 .revocation = "tcb-info-revocation",
                                 .signature = "tcb-info-signature",
                                 .format = "tcb-info-format",
                                 .window = "tcb-info-dates",
                                 .kind = "tcb-info-kind",
                                 .other_kind = "collateral-tee-mismatch",
                                 .member = "tcbInfo",
                                 .piece = DCAP_PIECE_INFO,
                                 .json = w->collateral->tcb_info,
                                 .pem = w->collateral->tcb_info_chain};
        const struct dcap_piece *piece = NULL;
        bool good;
        int r = authentic(w, &s, &piece, err);

        if (r < 0 || !piece)
                return r;
        w->res->evaluation_number = piece->info.window.evaluation_number;
        good = window_and_kind(w, &s, &piece->info.window, piece->info.tee);
        if (is_platforms(w, &piece->info) && good)
                *ret = &piece->info;
        return 0;
}

static int load_qe_identity(struct dcap_work *w, const struct qe_identity **ret, struct err *err)
{
        const struct source s = {.chain = "qe-identity-chain",
                                 .dates = "qe-identity-chain-dates",
                                 .revocation = "qe-identity-revocation",
                                 .signature = "qe-identity-signature",
                                 .format = "qe-identity-format",
                                 .window = "qe-identity-dates",
                                 .kind = "qe-identity-kind",
                                 .other_kind = "qe-identity-mismatch",
                                 .member = "enclaveIdentity",
                                 .piece = DCAP_PIECE_QE,
                                 .json = w->collateral->qe_identity,
                                 .pem = w->collateral->qe_identity_chain};
        const struct dcap_piece *piece = NULL;
        int r = authentic(w, &s, &piece, err);

        if (r >= 0 && piece && window_and_kind(w, &s, &piece->qe.window, piece->qe.tee))
                *ret = &piece->qe;
        return r;
}

static bool masked_equal(struct view have, const uint8_t *want, const uint8_t *mask)
{
        for (size_t i = 0; i < have.len; i++)
                if ((have.p[i] & mask[i]) != want[i])
                        return false;
        return true;
}

/* Is the QE the one that Intel describes? */
static bool is_qe(struct dcap_work *w, const struct qe_identity *id)
{
        const struct sgx_report *qe = &w->res->quote.qe;
        const char *what = NULL;

        if ((qe->misc_select & id->misc_select_mask) != id->misc_select)
                what = "MISCSELECT";
        else if (!masked_equal(qe->attributes, id->attributes, id->attributes_mask))
                what = "ATTRIBUTES";
        else if (!view_equal(qe->mr_signer, VIEW_ARRAY(id->mr_signer)))
                what = "MRSIGNER";
        else if (qe->prod_id != id->prod_id)
                what = "ISVPRODID";
        if (what)
                tee_fail(&w->res->tee, "qe-identity", "qe-identity-mismatch",
                         "the quoting enclave's %s is not the one described", what);
        else
                tee_pass(&w->res->tee, "qe-identity");
        return !what;
}

static bool in_list(const char *const *list, size_t n, const char *word)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(list[i], word) == 0)
                        return true;
        return false;
}

static void add_advisory(struct dcap_result *res, const char *word)
{
        for (size_t i = 0; i < res->n_advisories; i++)
                if (strcmp(res->advisories[i], word) == 0)
                        return;
        if (res->n_advisories < DCAP_ADVISORIES_MAX)
                (void)snprintf(res->advisories[res->n_advisories++], DCAP_ADVISORY_BYTES, "%s", word);
}

/* Takes over a level's advisories. Return: the first that the policy does not allow, or NULL. */
static const char *advisories(struct dcap_work *w, const struct tcb_verdict *of)
{
        const struct dcap_policy *p = w->policy;
        const char *bad = NULL;
        const json_t *item;
        size_t i;

        json_array_foreach (of->advisories, i, item) {
                const char *word = json_string_value(item);

                add_advisory(w->res, word);
                if (p->restrict_advisories && !bad && !in_list(p->advisories, p->n_advisories, word))
                        bad = word;
        }
        return bad;
}

static void judge_advisories(struct dcap_work *w, const struct dcap_tcb *t)
{
        const struct tcb_verdict *levels[] = {t->level ? &t->level->is : NULL,
                                              t->module_level ? &t->module_level->is : NULL,
                                              t->qe_level ? &t->qe_level->is : NULL};
        const char *bad = NULL;

        for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
                const char *found = levels[i] ? advisories(w, levels[i]) : NULL;

                bad = bad ? bad : found;
        }
        if (bad)
                tee_fail(&w->res->tee, "advisories", "advisory-not-allowed", "%.32s applies", bad);
        else if (w->policy->restrict_advisories)
                tee_pass(&w->res->tee, "advisories");
        else
                tee_skip(&w->res->tee, "advisories", "the policy does not restrict them");
}

static void judge_status(struct dcap_work *w, const struct dcap_tcb *t)
{
        struct tee_result *tee = &w->res->tee;
        const char *word = dcap_status_name(t->overall);
        char reason[TEE_WORD_BYTES];

        if (t->module_mismatch)
                tee_fail(tee, "tdx-module", "tdx-module-mismatch",
                         "the TDX module's signer, attributes or version are not described");
        else if (w->res->quote.tee == DCAP_TDX)
                tee_pass(tee, "tdx-module");
        if (t->not_supported) {
                tee_fail(tee, "tcb-level", "tcb-level-not-supported", "no TCB level of the %s is reached",
                         t->not_supported);
                return;
        }
        tee_pass(tee, "tcb-level");
        if (t->module_mismatch)
                return;
        if (t->overall != DCAP_STATUS_NONE && t->overall != DCAP_REVOKED &&
            (w->policy->statuses & DCAP_STATUS(t->overall))) {
                tee_pass(tee, "tcb-status");
                return;
        }
        (void)snprintf(reason, sizeof(reason), "tcb-%s", t->overall ? word : "status-unknown");
        tee_fail(tee, "tcb-status", reason, "platform %s, module %s, quoting enclave %s",
                 dcap_status_name(t->platform), dcap_status_name(t->module), dcap_status_name(t->qe));
}

static void judge(struct dcap_work *w, const struct tcb_info *info, const struct qe_identity *qe)
{
        struct dcap_result *res = w->res;
        const struct td_report *td = res->quote.tee == DCAP_TDX ? &res->quote.td : NULL;
        struct dcap_tcb t;

        dcap_tcb_judge(info, &res->pck, td, res->quote.body == DCAP_BODY_TD15, qe, res->quote.qe.isv_svn, &t);
        res->sgx = t.sgx;
        res->platform = t.platform;
        res->module = t.module;
        res->qe = t.qe;
        res->overall = t.overall;
        res->tcb_date_ms = t.level ? t.level->is.date_ms : 0;
        judge_status(w, &t);
        if (t.level)
                judge_advisories(w, &t);
}

int dcap_check_collateral(struct dcap_work *w, bool *ret_complete, struct err *err)
{
        struct tee_result *tee = &w->res->tee;
        const struct tcb_info *info = NULL;
        const struct qe_identity *qe = NULL;
        int r = 0;

        *ret_complete = w->collateral->tcb_info.p && w->collateral->qe_identity.p;
        if (w->collateral->tcb_info.p)
                r = load_tcb_info(w, &info, err);
        else
                tee_skip(tee, "tcb-info-chain", "no TCB info is at hand");
        if (r >= 0 && w->collateral->qe_identity.p)
                r = load_qe_identity(w, &qe, err);
        else if (r >= 0)
                tee_skip(tee, "qe-identity-chain", "no QE identity is at hand");
        if (r < 0)
                return r;
        if (qe && !is_qe(w, qe))
                qe = NULL;
        if (info)
                judge(w, info, qe);
        else
                tee_skip(tee, "tcb-status", "without good TCB info there is no status");
        return 0;
}
