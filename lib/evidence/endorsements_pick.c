/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Picking for one piece of evidence. A heap may hold thousands of leaves, the bag that a report is checked
 * with a few: so the leaves are ranked by what fits the report, and what stands above them is found by names.
 * A wrong pick can only make good evidence fail to verify, never bad evidence pass.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "crypto/cert_ask.h"
#include "crypto/cert_ext.h"
#include "evidence/dcap_warm_impl.h"
#include "evidence/endorsements_impl.h"

#define LEAVES_MAX 4
#define CN_BYTES   80

/* ---- AMD ---- */

/* How well a leaf fits: 0 is no leaf. */
static unsigned rank_leaf(const struct cert *cert, const struct snp_report *report)
{
        struct err unused = ERR_INIT;
        enum snp_signing_key kind;
        struct snp_leaf leaf;
        enum snp_line line;
        struct snp_tcb tcb;
        unsigned rank = 1;
        struct cursor c;
        struct view id;

        if (!snp_leaf_kind(cert, &kind))
                return 0;
        line = snp_leaf_line(cert, kind);
        if (!report || !report->known || snp_leaf_read(cert, line, kind, &leaf, &unused) < 0)
                return rank;
        rank += report->signing_key == (uint8_t)kind ? 8 : 0;
        rank += snp_tcb_decode(line, report->reported_tcb, &tcb) && snp_tcb_equal(&tcb, &leaf.tcb) ? 2 : 0;
        c = cursor_of(report->chip_id);
        rank += kind == SNP_KEY_VCEK && cursor_take(&c, leaf.hwid.len, &id) && view_equal(id, leaf.hwid) ? 4
                                                                                                         : 0;
        return rank;
}

/* The best ones, best first. Return: how many. */
static size_t best_leaves(const struct endorsements *e, const struct snp_report *report,
                          const struct cert *ret[LEAVES_MAX])
{
        unsigned ranks[LEAVES_MAX];
        size_t n = 0;

        for (size_t i = 0; i < e->n_certs; i++) {
                unsigned rank = rank_leaf(e->certs[i], report);
                size_t at = n;

                if (!rank)
                        continue;
                while (at > 0 && ranks[at - 1] < rank)
                        at--;
                if (at == LEAVES_MAX)
                        continue;
                n = n < LEAVES_MAX ? n + 1 : n;
                for (size_t k = n - 1; k > at; k--) {
                        ranks[k] = ranks[k - 1];
                        ret[k] = ret[k - 1];
                }
                ranks[at] = rank;
                ret[at] = e->certs[i];
        }
        return n;
}

/* A full bag keeps what it has: what fits best went in first. */
static int put(struct snp_bag *bag, struct view blob, struct err *err)
{
        int r = snp_bag_add(bag, blob, err);

        if (r == -ERR_LIMIT || r == -ERR_FORMAT) {
                err_clear(err);
                return 0;
        }
        return r;
}

static int put_named(const struct endorsements *e, const char *cn, struct snp_bag *bag, struct err *err)
{
        int r = 0;

        for (size_t i = 0; r >= 0 && i < e->n_certs; i++)
                if (strcmp(cert_cn(e->certs[i]), cn) == 0)
                        r = put(bag, cert_der(e->certs[i]), err);
        return r;
}

/* A leaf, the intermediates by the name of its issuer, the roots by the name of the line. */
static int put_chain(const struct endorsements *e, const struct cert *leaf, struct snp_bag *bag,
                     struct err *err)
{
        enum snp_signing_key kind;
        char ask[CN_BYTES], ark[CN_BYTES];
        int r = put(bag, cert_der(leaf), err);

        if (r < 0 || !snp_leaf_kind(leaf, &kind) || !cert_issuer_cn(leaf, ask, sizeof(ask)))
                return r;
        r = put_named(e, ask, bag, err);
        (void)snprintf(ark, sizeof(ark), "ARK-%s", snp_line_name(snp_leaf_line(leaf, kind))); /* short */
        return r < 0 ? r : put_named(e, ark, bag, err);
}

static bool issued_by_one_in(const struct snp_bag *bag, const struct crl *crl)
{
        for (size_t i = 0; i < bag->certs.n; i++)
                if (strcmp(cert_subject(bag->certs.v[i]), crl_issuer(crl)) == 0)
                        return true;
        return false;
}

int endorsements_for_snp(const struct endorsements *e, const struct snp_report *report, struct snp_bag *bag,
                         struct err *err)
{
        const struct cert *leaves[LEAVES_MAX];
        size_t n = best_leaves(e, report, leaves), n_had = bag->certs.n;
        enum snp_signing_key kind;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n_had; i++) /* leaves that came along need a chain as well */
                if (snp_leaf_kind(bag->certs.v[i], &kind))
                        r = put_chain(e, bag->certs.v[i], bag, err);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = put_chain(e, leaves[i], bag, err);
        for (size_t i = 0; r >= 0 && i < e->n_lists; i++)
                if (issued_by_one_in(bag, e->lists[i].crl))
                        r = put(bag, VIEW_BUF(&e->lists[i].der), err);
        return r < 0 ? r : 0;
}

/* ---- Intel ---- */

/* One quote, and what is picked from. */
struct pick {
        const struct endorsements *heap;
        const struct dcap_quote *quote;
        int64_t at_ms;
        struct dcap_warm *warm;
};

void endorsements_quote_done(struct endorsements_quote *q)
{
        buf_free(&q->pck_chain);
        buf_free(&q->signer_chain);
        *q = (struct endorsements_quote){0};
}

/* FMSPC may be NULL. */
static struct view best_document(const struct pick *p, enum endorsement_kind kind, const uint8_t *fmspc)
{
        const struct endorsed_document *best = NULL;
        unsigned best_rank = 0;

        for (size_t i = 0; i < p->heap->n_documents; i++) {
                const struct endorsed_document *d = &p->heap->documents[i];
                unsigned rank = 1;

                if (d->kind != kind)
                        continue;
                rank += d->tee == p->quote->tee ? 8 : 0;
                rank += fmspc && view_equal(VIEW_ARRAY(d->fmspc), VIEW(fmspc, 6)) ? 4 : 0;
                rank += p->at_ms >= d->issue_ms && p->at_ms <= d->next_update_ms ? 2 : 0;
                if (rank > best_rank || (rank == best_rank && d->issue_ms > best->issue_ms)) {
                        best = d;
                        best_rank = rank;
                }
        }
        return best ? VIEW_BUF(&best->text) : VIEW_NONE;
}

static int put_cert_pem(struct buf *b, const struct cert *cert, struct err *err)
{
        char *pem = NULL;
        int r = cert_pem(cert, &pem, err);

        if (r == 0)
                buf_str(b, pem);
        free(pem);
        return r < 0 ? r : buf_ok(b) ? 0 : err_nomem(err);
}

/* The certificate CERT, or if NULL the list CRL, which is DER: did BY sign it? Asked once, with WARM. */
static int signed_by(struct dcap_warm *warm, const struct cert *cert, const struct crl *crl, struct view der,
                     const struct cert *by, bool *ret, struct err *err)
{
        const struct dcap_piece_id id = {DCAP_PIECE_LINK, der, cert_der(by)};
        AUTO(dcap_piece_free_p) struct dcap_piece *fresh = NULL;
        struct dcap_piece *known = NULL;
        int r = warm ? dcap_warm_get(warm, &id, &known, err) : 0;

        if (r < 0)
                return r;
        if (known) {
                *ret = known->linked;
                return 0;
        }
        r = cert ? cert_signed_by(cert, by, ret, err) : crl_check(crl, by, ret, err);
        if (r < 0 || !warm)
                return r;
        fresh = mem_zalloc(1, sizeof(*fresh));
        if (!fresh)
                return err_nomem(err);
        fresh->linked = *ret;
        return dcap_warm_put(warm, &id, &fresh, err);
}

/* A certificate that issued CERT, one of the key of PREFER if there is such; NULL. */
static int issuer_of(const struct pick *p, const struct cert *cert, const struct cert *prefer,
                     const struct cert **ret, struct err *err)
{
        *ret = NULL;
        for (size_t i = 0; i < p->heap->n_certs; i++) {
                const struct cert *c = p->heap->certs[i];
                bool good = false;
                int r = 0;

                if (strcmp(cert_subject(c), cert_issuer(cert)) == 0)
                        r = signed_by(p->warm, cert, NULL, cert_der(cert), c, &good, err);
                if (r < 0)
                        return r;
                if (good && (!*ret || (prefer && view_equal(cert_der(prefer), cert_der(c)))))
                        *ret = c;
        }
        return 0;
}

/*
 * The chain of the certificate named CN, leaf first. Of several leaves one under the ROOT of the quote's own
 * chain is taken, and the one that holds longest.
 */
static int put_chain_of(const struct pick *p, const char *cn, const struct cert *root, struct buf *ret,
                        struct err *err)
{
        const struct cert *leaf = NULL, *up, *best_up = NULL;
        bool best_fits = false, top = false;
        int r = 0;

        for (size_t i = 0; i < p->heap->n_certs; i++) {
                const struct cert *c = p->heap->certs[i];
                bool fits;

                if (strcmp(cert_cn(c), cn) != 0)
                        continue;
                r = issuer_of(p, c, root, &up, err);
                if (r < 0)
                        return r;
                fits = up && root && view_equal(cert_der(up), cert_der(root));
                if (leaf && fits <= best_fits &&
                    (fits < best_fits || cert_not_after_ms(c) <= cert_not_after_ms(leaf)))
                        continue;
                leaf = c;
                best_up = up;
                best_fits = fits;
        }
        if (!leaf)
                return 0;
        r = put_cert_pem(ret, leaf, err);
        for (int depth = 0; r >= 0 && best_up && depth < 3; depth++) {
                r = put_cert_pem(ret, best_up, err);
                if (r >= 0)
                        r = signed_by(p->warm, best_up, NULL, cert_der(best_up), best_up, &top, err);
                if (r < 0 || top)
                        break;
                r = issuer_of(p, best_up, root, &up, err);
                best_up = up;
        }
        return r < 0 ? r : 0;
}

/* ISSUER's list: one that it signed, rather than one in its name; one that holds; the newest. */
static int best_list(const struct pick *p, const struct cert *issuer, struct view *ret, struct err *err)
{
        const struct crl *best = NULL;
        unsigned best_rank = 0;
        int64_t at = p->at_ms;

        for (size_t i = 0; i < p->heap->n_lists; i++) {
                const struct endorsed_list *list = &p->heap->lists[i];
                const struct crl *crl = list->crl;
                bool good = false;
                unsigned rank;
                int r;

                if (strcmp(crl_issuer(crl), cert_subject(issuer)) != 0)
                        continue;
                r = signed_by(p->warm, NULL, crl, VIEW_BUF(&list->der), issuer, &good, err);
                if (r < 0)
                        return r;
                rank = 1u + (good ? 4u : 0u) +
                       (at >= crl_this_update_ms(crl) && at <= crl_next_update_ms(crl) ? 2u : 0u);
                if (rank < best_rank ||
                    (rank == best_rank && crl_this_update_ms(crl) <= crl_this_update_ms(best)))
                        continue;
                best = crl;
                best_rank = rank;
                *ret = VIEW_BUF(&list->der);
        }
        return 0;
}

static struct view or_none(const struct buf *b)
{
        return b->len ? VIEW_BUF(b) : VIEW_NONE;
}

/* What fits the platform whose chain this is. */
static int pick_for(const struct pick *p, const struct cert_list *chain, struct endorsements_quote *q,
                    struct err *err)
{
        const struct cert *root = chain->n ? chain->v[chain->n - 1] : NULL;
        struct dcap_collateral *c = &q->collateral;
        struct err unused = ERR_INIT;
        struct pck pck = {0};
        bool has_pck = chain->n && pck_of_cert(chain->v[0], &pck, &unused) == 0;
        int r = put_chain_of(p, "Intel SGX TCB Signing", root, &q->signer_chain, err);

        c->pck_chain = or_none(&q->pck_chain);
        c->tcb_info = best_document(p, ENDORSEMENT_TCB_INFO, has_pck ? pck.fmspc : NULL);
        c->qe_identity = best_document(p, ENDORSEMENT_QE_IDENTITY, NULL);
        c->tcb_info_chain = c->qe_identity_chain = or_none(&q->signer_chain);
        if (!q->signer_chain.len) /* who signed them is not known: as if they were not there */
                c->tcb_info = c->qe_identity = VIEW_NONE;
        if (r >= 0 && chain->n > 1)
                r = best_list(p, chain->v[1], &c->pck_crl, err);
        if (r >= 0 && root)
                r = best_list(p, root, &c->root_crl, err);
        return r < 0 ? r : 0;
}

/* The chain that vouches for the quote's platform: its own, or the one put together. */
static int pick_all(const struct pick *p, struct endorsements_quote *q, struct err *err)
{
        const struct dcap_quote *quote = p->quote;
        struct cert_list chain = {0};
        struct dcap_piece *known = NULL;
        struct dcap_piece_id id = {.kind = DCAP_PIECE_CHAIN, .text = quote->cert_data};
        int r = 0;

        if (quote->cert_type != DCAP_CERT_CHAIN) {
                r = put_chain_of(p, "Intel SGX PCK Certificate", NULL, &q->pck_chain, err);
                id.text = VIEW_BUF(&q->pck_chain);
        }
        id.text = dcap_without_nuls(id.text);
        if (r >= 0 && p->warm)
                r = dcap_warm_get(p->warm, &id, &known, err);
        if (r >= 0 && !known)
                r = cert_list_parse_pem(id.text, CERT_MALFORMED_REJECT, &chain, NULL, err);
        if (r == -ERR_FORMAT || r == -ERR_LIMIT) { /* dcap_verify() says so by name */
                err_clear(err);
                cert_list_done(&chain);
                chain = (struct cert_list){0};
                r = 0;
        }
        if (r >= 0)
                r = pick_for(p, known ? &known->chain : &chain, q, err);
        cert_list_done(&chain);
        return r;
}

int endorsements_for_quote(const struct endorsements *e, const struct dcap_quote *quote, int64_t at_ms,
                           struct dcap_warm *warm, struct endorsements_quote *ret, struct err *err)
{
        const struct pick p = {e, quote, at_ms, warm};
        struct endorsements_quote q = {0};
        int r;

        if (warm)
                dcap_warm_tidy(warm);
        r = pick_all(&p, &q, err);
        if (r < 0) {
                endorsements_quote_done(&q);
                return err_wrap(err, "finding collateral for a quote");
        }
        *ret = q; /* the views in it are of memory that moves along */
        ret->collateral.warm = warm;
        return 0;
}
