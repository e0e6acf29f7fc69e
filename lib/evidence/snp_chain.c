/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a leaf to a pinned root. The path has always three certificates, so it is looked for by names, and
 * OpenSSL checks the one that is found with nothing else in reach. The report says which kind of leaf it has;
 * a certificate never chooses that, or a provider's key would pass for a chip's and skip the chip's check.
 *
 * A root is the one whose key is pinned for the line, and only with its own good signature: a key can be
 * copied into a certificate with other names and dates by anybody.
 *
 * AMD's only revocation list is the root's and lists intermediates; leaves all have the serial number 0.
 *
 * Spec: AMD 57230 §§2-4; RFC 5280 §6.
 */
#include <stdio.h>
#include <string.h>

#include "crypto/cert_ask.h"
#include "crypto/trust.h"
#include "evidence/snp_work.h"

#define P384_BYTES 48

/* How good a path is; the better of several is taken. */
struct path {
        const struct cert *ask;
        bool good, dates, revoked;
        char reason[TRUST_REASON_BYTES];
};

/* Is the report's signature the certificate's key's? */
static int signed_by(const struct snp_report *r, const struct cert *cert, bool *ret_good, struct err *err)
{
        const struct pubkey *key = cert_pubkey(cert);
        uint8_t be_r[P384_BYTES], be_s[P384_BYTES];
        struct signature sig = {.scheme = SIG_ECDSA, .hash = DIGEST_SHA384};
        struct cursor c = cursor_of(r->bytes);
        struct view message;

        *ret_good = false;
        if (!key || pubkey_type(key) != PUBKEY_ECC || pubkey_curve(key) != CURVE_P384 ||
            !cursor_take(&c, SNP_SIGNED_BYTES, &message))
                return 0;
        /* the fields are longer than the numbers: what does not fit is no number below the order */
        if (!snp_is_zero(VIEW(r->r.p + P384_BYTES, r->r.len - P384_BYTES)) ||
            !snp_is_zero(VIEW(r->s.p + P384_BYTES, r->s.len - P384_BYTES)))
                return 0;
        for (size_t i = 0; i < P384_BYTES; i++) {
                be_r[P384_BYTES - 1 - i] = r->r.p[i];
                be_s[P384_BYTES - 1 - i] = r->s.p[i];
        }
        sig.r = VIEW_ARRAY(be_r);
        sig.s = VIEW_ARRAY(be_s);
        return pubkey_verify(key, &sig, message, ret_good, err);
}

static const char *kind_name(enum snp_signing_key kind)
{
        return kind == SNP_KEY_VLEK ? "VLEK" : "VCEK";
}

int snp_pick_leaf(struct snp_work *w, struct err *err)
{
        const struct cert_list *certs = &w->in->bag->certs;
        const struct cert *other = NULL;
        for (size_t i = 0; i < certs->n && !w->signature_good; i++) {
                enum snp_signing_key kind;
                int r;

                if (!snp_leaf_kind(certs->v[i], &kind))
                        continue;
                if (kind != w->kind) {
                        other = certs->v[i];
                        continue;
                }
                r = signed_by(&w->r->report, certs->v[i], &w->signature_good, err);
                if (r < 0)
                        return r;
                if (w->signature_good || !w->r->leaf)
                        w->r->leaf = certs->v[i];
        }
        if (w->r->leaf)
                tee_pass(&w->r->tee, "endorsement");
        else if (other)
                tee_fail(&w->r->tee, "endorsement", "signing-key-mismatch",
                         "the report says that a %s signed it, and the certificate is of another kind",
                         kind_name(w->kind));
        else {
                tee_skip(&w->r->tee, "endorsement", "no %s certificate was given", kind_name(w->kind));
                w->incomplete = true;
        }
        return 0;
}

void snp_check_product(struct snp_work *w)
{
        const struct snp_report *report = &w->r->report;
        enum snp_line by_cpu = w->r->has_report && report->has_cpu
                                       ? snp_line_of_cpu(report->family, report->model)
                                       : SNP_LINE_UNKNOWN;
        enum snp_line by_cert = w->r->leaf ? snp_leaf_line(w->r->leaf, w->kind) : SNP_LINE_UNKNOWN;
        bool has_cpu = w->r->has_report && report->has_cpu;

        w->r->line = has_cpu ? by_cpu : by_cert;
        if (has_cpu && !by_cpu)
                tee_fail(&w->r->tee, "product", "product-unknown",
                         "family 0x%02x model 0x%02x is of no line known here", report->family,
                         report->model);
        else if (w->r->leaf && !by_cert)
                tee_fail(&w->r->tee, "product", "product-unknown",
                         "the leaf's issuer is of no product line known here: '%s'", cert_issuer(w->r->leaf));
        else if (w->r->leaf && by_cert != w->r->line)
                tee_fail(&w->r->tee, "product", "product-mismatch",
                         "the report is of a %s, the certificate of a %s", snp_line_name(w->r->line),
                         snp_line_name(by_cert));
        else if (w->r->leaf)
                tee_pass(&w->r->tee, "product");
        else
                tee_skip(&w->r->tee, "product", "there is no certificate to compare with");
}

/* *ret_named: is there one that has the name, at least? */
static int find_root(struct snp_work *w, const struct cert **ret, bool *ret_named, struct err *err)
{
        const struct cert_list *certs = &w->in->bag->certs;
        char want[64];

        (void)snprintf(want, sizeof(want), "ARK-%s", snp_line_name(w->r->line)); /* short names */
        *ret = NULL;
        *ret_named = false;
        for (size_t i = 0; i < certs->n; i++) {
                struct digest spki;
                int r;

                if (strcmp(cert_cn(certs->v[i]), want) != 0 || !cert_pubkey(certs->v[i]))
                        continue;
                *ret_named = true;
                r = pubkey_spki_sha256(cert_pubkey(certs->v[i]), &spki, err);
                if (r < 0)
                        return r;
                for (size_t k = 0; k < w->in->n_roots; k++)
                        if (w->in->roots[k].line == w->r->line &&
                            view_equal(digest_view(&spki), VIEW_ARRAY(w->in->roots[k].spki_sha256)) &&
                            cert_signed_pss384(certs->v[i]) && cert_self_signed(certs->v[i])) {
                                *ret = certs->v[i];
                                return 0;
                        }
        }
        return 0;
}

static int64_t later(int64_t a, int64_t b)
{
        return a > b ? a : b;
}

static int64_t sooner(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

/* When all three hold. */
static void window(const struct snp_work *w, const struct cert *ask, int64_t *ret_from, int64_t *ret_to)
{
        *ret_from = later(cert_not_before_ms(w->r->leaf),
                          later(cert_not_before_ms(ask), cert_not_before_ms(w->ark)));
        *ret_to = sooner(cert_not_after_ms(w->r->leaf),
                         sooner(cert_not_after_ms(ask), cert_not_after_ms(w->ark)));
}

/* Also by lists that are out of date: what was revoked once stays so. */
static int is_revoked(const struct snp_work *w, const struct cert *ask, bool *ret, struct err *err)
{
        *ret = false;
        for (size_t i = 0; i < w->in->bag->n_crls; i++) {
                bool good = false;
                int r;

                if (!crl_lists(w->in->bag->crls[i], ask))
                        continue;
                r = crl_check(w->in->bag->crls[i], w->ark, &good, err);
                if (r < 0)
                        return r;
                *ret |= good && crl_signed_pss384(w->in->bag->crls[i]);
        }
        return 0;
}

/*
 * The path through ASK. Signatures and CA flags are checked at a time when all dates hold, if there is one,
 * so that a chain which has expired is not called a forged one; the dates are a check of their own.
 */
static int try_path(struct snp_work *w, const struct cert *ask, struct path *p, struct err *err)
{
        AUTO(trust_free_p) struct trust *trust = NULL;
        struct cert *v[] = {(struct cert *)(uintptr_t)ask};
        const struct cert_list middle = {.v = v, .n = 1};
        int64_t from, to, at = w->in->at_ms;
        int r;

        *p = (struct path){.ask = ask};
        window(w, ask, &from, &to);
        p->dates = at >= from && at <= to;
        r = trust_new(&trust, err);
        if (r == 0)
                r = trust_add(trust, w->ark, err);
        if (r == 0)
                r = trust_check(trust, w->r->leaf, &middle, p->dates ? at : from, &p->good, p->reason, err);
        if (r < 0)
                return r;
        if (p->good && (!cert_signed_pss384(w->r->leaf) || !cert_signed_pss384(ask))) {
                p->good = false;
                (void)snprintf(p->reason, sizeof(p->reason), "%s",
                               "signed otherwise than with RSASSA-PSS, SHA-384 and 48 bytes of salt");
        }
        return is_revoked(w, ask, &p->revoked, err);
}

static unsigned worth(const struct path *p)
{
        return p->good ? 1u + (p->revoked ? 0u : 2u) + (p->dates ? 1u : 0u) : 0;
}

/* BEST->ask stays NULL if no intermediate has the name that the leaf gives its issuer. */
static int best_path(struct snp_work *w, struct path *best, struct err *err)
{
        const struct cert_list *certs = &w->in->bag->certs;
        char want[64];

        (void)snprintf(want, sizeof(want), "SEV-%s%s", w->kind == SNP_KEY_VLEK ? "VLEK-" : "",
                       snp_line_name(w->r->line)); /* short names */
        for (size_t i = 0; i < certs->n; i++) {
                struct path p;
                int r;

                if (strcmp(cert_cn(certs->v[i]), want) != 0 || !cert_is_ca(certs->v[i]))
                        continue;
                r = try_path(w, certs->v[i], &p, err);
                if (r < 0)
                        return r;
                if (!best->ask || worth(&p) > worth(best))
                        *best = p;
        }
        return 0;
}

static void check_dates(struct snp_work *w, const struct path *p)
{
        int64_t from, to;

        window(w, p->ask, &from, &to);
        if (p->dates)
                tee_pass(&w->r->tee, "endorsement-dates");
        else if (w->in->at_ms < from)
                tee_fail(&w->r->tee, "endorsement-dates", "endorsement-not-yet-valid",
                         "a certificate of the chain holds only later");
        else
                tee_fail(&w->r->tee, "endorsement-dates", "endorsement-expired",
                         "a certificate of the chain has expired");
}

/* Which fault of a root's list to report; the list counts only if there is none. */
static const char *crl_fault(const struct crl *crl, int64_t at_ms)
{
        int64_t next = crl_next_update_ms(crl);

        if (at_ms < crl_this_update_ms(crl))
                return "crl-not-yet-valid";
        return next == CRL_NO_TIME || at_ms > next ? "crl-expired" : NULL;
}

static int check_revocation(struct snp_work *w, const struct path *p, struct err *err)
{
        const char *fault = NULL;
        bool current = false;

        for (size_t i = 0; i < w->in->bag->n_crls && !current; i++) {
                const struct crl *crl = w->in->bag->crls[i];
                const char *why;
                bool good = false;
                int r;

                if (strcmp(crl_issuer(crl), cert_subject(w->ark)) != 0)
                        continue; /* another line's */
                r = crl_check(crl, w->ark, &good, err);
                if (r < 0)
                        return r;
                why = good && crl_signed_pss384(crl) ? crl_fault(crl, w->in->at_ms) : "crl-invalid";
                current = !why;
                fault = why ? why : fault;
        }
        if (p->revoked)
                tee_fail(&w->r->tee, "revocation", "endorsement-revoked",
                         "AMD has revoked '%s', serial number %s", cert_cn(p->ask), cert_serial_hex(p->ask));
        else if (current)
                tee_pass(&w->r->tee, "revocation");
        else if (fault)
                tee_fail(&w->r->tee, "revocation", fault,
                         "no revocation list of the root counts at this time");
        else if (w->in->policy->crl == SNP_CRL_REQUIRED)
                tee_fail(&w->r->tee, "revocation", "crl-missing", "no revocation list of the root was given");
        else
                tee_skip(&w->r->tee, "revocation", "no revocation list of the root was given");
        return 0;
}

static void no_chain(struct snp_work *w, const char *why)
{
        tee_skip(&w->r->tee, "endorsement-chain", "%s", why);
        w->incomplete = true;
}

int snp_check_chain(struct snp_work *w, struct err *err)
{
        struct path best = {0};
        bool named;
        int r;

        if (!w->r->leaf || !w->r->line) {
                tee_skip(&w->r->tee, "endorsement-chain", "there is no certificate of a known product line");
                return 0;
        }
        r = find_root(w, &w->ark, &named, err);
        if (r < 0)
                return r;
        if (!w->ark && !named) {
                no_chain(w, "the root's certificate was not given");
                return 0;
        }
        if (!w->ark) {
                tee_fail(&w->r->tee, "endorsement-chain", "root-not-trusted",
                         "the key of the root that was given is not the one of ARK-%s",
                         snp_line_name(w->r->line));
                return 0;
        }
        r = best_path(w, &best, err);
        if (r < 0)
                return r;
        if (!best.ask) {
                no_chain(w, "the intermediate's certificate was not given");
                return 0;
        }
        w->ask = best.ask;
        w->chain_good = best.good;
        w->revoked = best.revoked;
        if (!best.good) {
                tee_fail(&w->r->tee, "endorsement-chain", "endorsement-chain-invalid", "%s", best.reason);
                return 0;
        }
        tee_pass(&w->r->tee, "endorsement-chain");
        check_dates(w, &best);
        return check_revocation(w, &best, err);
}
