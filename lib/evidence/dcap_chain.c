/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chains to Intel's root, and revocation lists. The root is known by its key alone; the certificate of it
 * that a chain brings along is the attester's, and only its key counts. Dates are checked apart from
 * signatures, at the given time, so that "expired" and "forged" are different answers and old evidence can
 * be checked without dates.
 *
 * Spec: Intel SGX PCK Certificate and CRL Profile; RFC 5280 §6.
 */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "crypto/cert_ext.h"
#include "crypto/trust.h"
#include "evidence/dcap_work.h"

/* SHA-256 of the SubjectPublicKeyInfo of "Intel SGX Root CA" (2018-05-21 to 2049-12-31), P-256. */
static const struct digest intel_root = {
        .alg = DIGEST_SHA256,
        .len = 32,
        .b = {0xa0, 0xaf, 0x03, 0x12, 0x89, 0xf5, 0xd5, 0xd4, 0x13, 0x2f, 0x91, 0x86, 0x06, 0x8a, 0x7f, 0xc1,
              0x36, 0x28, 0x63, 0x3b, 0xa2, 0x35, 0x77, 0x74, 0x72, 0xe2, 0x9b, 0x6b, 0x6c, 0x67, 0xa4, 0x9e},
};

bool dcap_check_window(struct dcap_work *w, const char *name, int64_t begin_ms, int64_t end_ms,
                       const char *reason_begin, const char *reason_end)
{
        char at[CLOCK_TEXT_BYTES], limit[CLOCK_TEXT_BYTES];
        int64_t now = w->policy->at_ms;

        if (w->policy->ignore_dates) {
                tee_skip(&w->res->tee, name, "dates are not checked");
                return true;
        }
        if (now < begin_ms) {
                tee_fail(&w->res->tee, name, reason_begin, "at %s it does not hold yet (from %s)",
                         clock_format(now, at), clock_format(begin_ms, limit));
                return false;
        }
        if (now > end_ms) {
                tee_fail(&w->res->tee, name, reason_end, "at %s it holds no more (until %s)",
                         clock_format(now, at), clock_format(end_ms, limit));
                return false;
        }
        tee_pass(&w->res->tee, name);
        return true;
}

static bool root_trusted(const struct dcap_work *w, const struct dcap_piece *piece)
{
        const struct digest *roots = w->policy->n_roots ? w->policy->roots : &intel_root;
        size_t n = w->policy->n_roots ? w->policy->n_roots : 1;
        bool trusted = false;

        for (size_t i = 0; piece->root_key.len && i < n; i++)
                trusted |= digest_equal(&piece->root_key, &roots[i]);
        return trusted;
}

/* Does it hang together by itself? Tells a foreign root from a broken chain. */
static int links_hold(const struct cert_list *list, bool *ret, struct err *err)
{
        int r = 0;

        *ret = true;
        for (size_t i = 0; r >= 0 && *ret && i < list->n; i++)
                r = cert_signed_by(list->v[i], list->v[i + 1 < list->n ? i + 1 : i], ret, err);
        return r;
}

static bool names_fit(const struct dcap_chain *chain, const struct cert_list *list)
{
        if (strcmp(cert_cn(list->v[0]), chain->leaf_cn) != 0 || cert_is_ca(list->v[0]))
                return false;
        for (const char *const *cn = chain->ca_cns; chain->n == 3 && *cn; cn++)
                if (strcmp(cert_cn(list->v[1]), *cn) == 0)
                        return true;
        return chain->n == 2;
}

/* The latest beginning and the earliest end. */
static void dates_of(const struct cert_list *list, int64_t *ret_begin, int64_t *ret_end)
{
        *ret_begin = INT64_MIN;
        *ret_end = INT64_MAX;
        for (size_t i = 0; i < list->n; i++) {
                int64_t begin = cert_not_before_ms(list->v[i]), end = cert_not_after_ms(list->v[i]);

                *ret_begin = begin > *ret_begin ? begin : *ret_begin;
                *ret_end = end < *ret_end ? end : *ret_end;
        }
}

/* Signatures, CA flags, key usage, path lengths, at a time when all of it holds, if there ever is one. */
static int path_good(const struct cert_list *list, bool *ret, char reason[TRUST_REASON_BYTES],
                     struct err *err)
{
        struct cert_list middle = {.v = list->v + 1, .n = list->n - 2};
        AUTO(trust_free_p)
        struct trust *trust = NULL;
        int64_t begin, end;
        int r = trust_new(&trust, err);

        dates_of(list, &begin, &end);
        if (r >= 0)
                r = trust_add(trust, list->v[list->n - 1], err);
        return r < 0 ? r : trust_check(trust, list->v[0], &middle, begin, ret, reason, err);
}

/* Return: 1 if it is good, 0 with the failure recorded, < 0. KNOWN: its signatures were good before. */
static int judge_chain(struct dcap_work *w, const struct dcap_chain *chain, const struct dcap_piece *piece,
                       bool known, struct err *err)
{
        struct tee_result *tee = &w->res->tee;
        const struct cert_list *list = &piece->chain;
        char reason[TRUST_REASON_BYTES] = "";
        bool good = known;
        int r = 0;

        if (list->n != chain->n) {
                tee_fail(tee, chain->name, "endorsement-chain-invalid", "%zu certificates, expected %zu",
                         list->n, chain->n);
                return 0;
        }
        if (!root_trusted(w, piece)) {
                r = links_hold(list, &good, err);
                if (r < 0)
                        return r;
                tee_fail(tee, chain->name, good ? "root-not-trusted" : "endorsement-chain-invalid",
                         "it ends in '%s', whose key is not a trusted root's%s",
                         cert_subject(list->v[list->n - 1]), good ? "" : ", and its signatures do not hold");
                return 0;
        }
        if (!names_fit(chain, list)) {
                tee_fail(tee, chain->name, "endorsement-chain-invalid", "'%s' by '%s' is none for this use",
                         cert_cn(list->v[0]), cert_cn(list->v[1]));
                return 0;
        }
        if (!known)
                r = path_good(list, &good, reason, err);
        if (r < 0)
                return r;
        if (!good)
                tee_fail(tee, chain->name, "endorsement-chain-invalid", "%s", reason);
        else
                tee_pass(tee, chain->name);
        return good;
}

static int read_chain(struct view pem, struct dcap_piece **ret, struct err *err)
{
        AUTO(dcap_piece_free_p) struct dcap_piece *piece = mem_zalloc(1, sizeof(*piece));
        const struct cert *root;
        int r = piece ? 0 : err_nomem(err);

        if (r >= 0)
                r = cert_list_parse_pem(pem, CERT_MALFORMED_REJECT, &piece->chain, NULL, err);
        if (r < 0)
                return r;
        root = piece->chain.v[piece->chain.n - 1];
        if (cert_pubkey(root))
                r = pubkey_spki_sha256(cert_pubkey(root), &piece->root_key, err);
        if (r >= 0)
                *ret = TAKE(piece);
        return r;
}

int dcap_check_chain(struct dcap_work *w, const struct dcap_chain *chain, const struct cert_list **ret,
                     struct err *err)
{
        const struct dcap_piece_id id = {.kind = DCAP_PIECE_CHAIN, .text = dcap_without_nuls(chain->pem)};
        AUTO(dcap_piece_free_p) struct dcap_piece *fresh = NULL;
        struct dcap_piece *piece = NULL;
        int64_t begin, end;
        int r = dcap_warm_get(w->warm, &id, &piece, err);

        *ret = NULL;
        if (r >= 0 && !piece)
                r = read_chain(id.text, &fresh, err);
        if (dcap_is_answer(r)) {
                tee_fail(&w->res->tee, chain->name, "endorsement-malformed", "%s", err->text);
                err_clear(err);
                return 0;
        }
        if (fresh)
                piece = fresh;
        if (r >= 0)
                r = judge_chain(w, chain, piece, !fresh, err);
        if (r <= 0)
                return r;
        if (fresh && (r = dcap_warm_put(w->warm, &id, &fresh, err)) < 0)
                return r;
        dates_of(&piece->chain, &begin, &end);
        if (dcap_check_window(w, chain->dates, chain->later_issue ? INT64_MIN : begin, end,
                              "endorsement-not-yet-valid", "endorsement-expired"))
                *ret = &piece->chain;
        return 0;
}

/* Reads a list and asks who issued it. Return: 0; *ret NULL, with the failure recorded, if not ISSUER. */
static int issued_crl(struct dcap_work *w, const char *name, struct view bytes, const struct cert *issuer,
                      const struct crl **ret, struct err *err)
{
        const struct dcap_piece_id id = {.kind = DCAP_PIECE_CRL, .text = bytes, .by = cert_der(issuer)};
        AUTO(dcap_piece_free_p) struct dcap_piece *fresh = NULL;
        struct dcap_piece *piece = NULL;
        bool good = true;
        int r = dcap_warm_get(w->warm, &id, &piece, err);

        if (r >= 0 && !piece) {
                piece = fresh = mem_zalloc(1, sizeof(*fresh));
                r = fresh ? crl_parse(bytes, &fresh->crl, err) : err_nomem(err);
                if (dcap_is_answer(r)) {
                        tee_fail(&w->res->tee, name, "crl-invalid", "%s", err->text);
                        err_clear(err);
                        return 0;
                }
                if (r >= 0)
                        r = crl_check(fresh->crl, issuer, &good, err);
        }
        if (r < 0)
                return r;
        if (!good) {
                tee_fail(&w->res->tee, name, "crl-invalid", "the list of '%s' is not from '%s'",
                         crl_issuer(piece->crl), cert_subject(issuer));
                return 0;
        }
        if (fresh && (r = dcap_warm_put(w->warm, &id, &fresh, err)) < 0)
                return r;
        *ret = piece->crl;
        return 0;
}

/* Holds a list against its issuer and the time. Return: 0; *ret NULL if there is no good one. */
static int good_crl(struct dcap_work *w, const char *name, const char *dates, struct view bytes,
                    const struct cert *issuer, const struct crl **ret, struct err *err)
{
        struct tee_result *tee = &w->res->tee;
        const struct crl *crl = NULL;
        int64_t end;
        int r;

        if (!bytes.p) {
                if (w->policy->require_crls)
                        tee_fail(tee, name, "crl-missing", "no revocation list is at hand");
                else
                        tee_skip(tee, name, "no revocation list is at hand");
                return 0;
        }
        r = issued_crl(w, name, bytes, issuer, &crl, err);
        if (r < 0 || !crl)
                return r;
        end = crl_next_update_ms(crl); /* CRL_NO_TIME, which is past, if it names none */
        tee_pass(tee, name);
        if (end != CRL_NO_TIME && end < w->res->next_update_ms)
                w->res->next_update_ms = end;
        if (dcap_check_window(w, dates, crl_this_update_ms(crl), end, "collateral-not-yet-valid",
                              "collateral-expired"))
                *ret = crl;
        return 0;
}

static void look_up(struct dcap_work *w, const char *name, const struct crl *crl, const struct cert *cert)
{
        if (crl_lists(crl, cert))
                tee_fail(&w->res->tee, name, "endorsement-revoked", "'%s' (serial %s) is revoked",
                         cert_cn(cert), cert_serial_hex(cert));
        else
                tee_pass(&w->res->tee, name);
}

void dcap_check_root_crl(struct dcap_work *w, const char *name, const struct cert *cert)
{
        if (w->root_crl)
                look_up(w, name, w->root_crl, cert);
        else
                tee_skip(&w->res->tee, name, "there is no good revocation list of the root");
}

int dcap_check_crls(struct dcap_work *w, struct err *err)
{
        const struct cert *leaf = w->pck_chain->v[0], *ca = w->pck_chain->v[1], *root = w->pck_chain->v[2];
        const struct crl *pck = NULL;
        int r = good_crl(w, "root-crl", "root-crl-dates", w->collateral->root_crl, root, &w->root_crl, err);

        if (r >= 0)
                r = good_crl(w, "pck-crl", "pck-crl-dates", w->collateral->pck_crl, ca, &pck, err);
        if (r < 0)
                return r;
        dcap_check_root_crl(w, "pck-ca-revocation", ca);
        if (pck)
                look_up(w, "pck-revocation", pck, leaf);
        else
                tee_skip(&w->res->tee, "pck-revocation", "there is no good revocation list of the CA");
        return 0;
}
