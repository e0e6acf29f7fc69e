/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From evidence to requests. Everything that goes into a path is a number or hex made here, so nothing that
 * a host sends can name another path or another server.
 *
 * AMD's key server gives a VCEK by chip and by the *reported* TCB: that one the key is derived from. A VLEK
 * belongs to a provider and comes from the provider alone.
 */
#include "endorse/want.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "crypto/cert_ask.h"
#include "crypto/digest.h"
#include "evidence/endorsements.h"
#include "evidence/pck.h"

#define TURIN_HWID_BYTES 8

static const char *const lower_lines[] = {
        [SNP_LINE_UNKNOWN] = "unknown", [SNP_MILAN] = "milan", [SNP_GENOA] = "genoa", [SNP_TURIN] = "turin"};

static struct endorse_want *add(struct endorse_wants *w, enum endorse_server server,
                                enum endorsement_kind kind)
{
        struct endorse_want *one = &w->v[w->n++]; /* at most five of them are ever wanted */

        *one = (struct endorse_want){.server = server, .kind = kind};
        return one;
}

/* ---- AMD ---- */

static int want_vcek(struct endorse_wants *w, const struct snp_report *r, enum snp_line line, struct err *err)
{
        struct endorse_want *one;
        char hwid[2 * SNP_CHIP_ID_BYTES + 1], fmc[24] = "";
        struct snp_tcb tcb;
        struct digest id;
        size_t n = line == SNP_TURIN ? TURIN_HWID_BYTES : SNP_CHIP_ID_BYTES;
        int result;

        if (snp_is_zero(r->chip_id)) {
                w->note = "the report does not say which chip it is of: its VCEK cannot be asked for";
                return 0;
        }
        if (!snp_tcb_decode(line, r->reported_tcb, &tcb))
                return err_set(err, ERR_FORMAT, 0, "the reported TCB is not in the layout of a %s",
                               snp_line_name(line));
        one = add(w, ENDORSE_AMD, ENDORSEMENT_CERTIFICATES);
        (void)hex_write(hwid, VIEW(r->chip_id.p, n));
        if (line == SNP_TURIN)
                (void)snprintf(fmc, sizeof(fmc), "fmcSPL=%02u&", tcb.fmc); /* all of these fit */
        (void)snprintf(one->path, sizeof(one->path),
                       "/vcek/v1/%s/%s?%sblSPL=%02u&teeSPL=%02u&snpSPL=%02u&ucodeSPL=%02u",
                       snp_line_name(line), hwid, fmc, tcb.bootloader, tcb.tee, tcb.snp, tcb.microcode);
        result = digest_bytes(DIGEST_SHA256, view_str(one->path), &id, err);
        if (result < 0)
                return result;
        (void)snprintf(one->name, sizeof(one->name), "amd-%s-vcek-%s.der", lower_lines[line],
                       hex_write(hwid, VIEW(id.b, 16)));
        return 0;
}

static void want_chain(struct endorse_wants *w, const char *kind, enum snp_line line)
{
        struct endorse_want *one = add(w, ENDORSE_AMD, ENDORSEMENT_CERTIFICATES);

        (void)snprintf(one->path, sizeof(one->path), "/%s/v1/%s/cert_chain", kind, snp_line_name(line));
        (void)snprintf(one->name, sizeof(one->name), "amd-%s-%s-chain.pem", lower_lines[line], kind);
        one = add(w, ENDORSE_AMD, ENDORSEMENT_CRL);
        (void)snprintf(one->path, sizeof(one->path), "/%s/v1/%s/crl", kind, snp_line_name(line));
        (void)snprintf(one->name, sizeof(one->name), "amd-%s-%s.crl", lower_lines[line], kind);
}

int endorse_want_snp(struct view report, enum snp_line line, struct endorse_wants *ret, struct err *err)
{
        struct endorse_wants w = {0};
        struct snp_report r;
        bool vlek;
        int result = snp_report_parse(report, &r, err);

        if (result < 0)
                return result;
        if (!r.known)
                return err_set(err, ERR_FORMAT, 0, "an SNP report of version %u, which is not known here",
                               r.version);
        if (r.has_cpu)
                line = snp_line_of_cpu(r.family, r.model);
        if (line == SNP_LINE_UNKNOWN)
                return err_set(err, ERR_CONFIG, 0,
                               r.has_cpu ? "the report is of a product line that is not known here"
                                         : "a report of version 2 does not say its product line: name it");
        vlek = r.signing_key == SNP_KEY_VLEK;
        if (vlek)
                w.note = "a VLEK belongs to the provider, and comes with the evidence or from him";
        else
                result = want_vcek(&w, &r, line, err);
        if (result < 0)
                return result;
        want_chain(&w, vlek ? "vlek" : "vcek", line);
        *ret = w;
        return 0;
}

/* ---- Intel ---- */

static void want_documents(struct endorse_wants *w, enum dcap_tee tee, const struct pck *pck)
{
        const char *kind = tee == DCAP_TDX ? "tdx" : "sgx";
        struct endorse_want *one = add(w, ENDORSE_INTEL, ENDORSEMENT_TCB_INFO);
        char fmspc[13];

        (void)hex_write(fmspc, VIEW_ARRAY(pck->fmspc));
        one->chain_header = "TCB-Info-Issuer-Chain";
        (void)snprintf(one->path, sizeof(one->path), "/%s/certification/v4/tcb?fmspc=%s", kind, fmspc);
        (void)snprintf(one->name, sizeof(one->name), "intel-%s-tcb-%s.json", kind, fmspc);
        one = add(w, ENDORSE_INTEL, ENDORSEMENT_QE_IDENTITY);
        one->chain_header = "SGX-Enclave-Identity-Issuer-Chain";
        (void)snprintf(one->path, sizeof(one->path), "/%s/certification/v4/qe/identity", kind);
        (void)snprintf(one->name, sizeof(one->name), "intel-%s-qe-identity.json", kind);
}

static int want_lists(struct endorse_wants *w, const struct cert *leaf, struct err *err)
{
        struct endorse_want *one;
        const char *ca = NULL;
        char cn[80];

        if (cert_issuer_cn(leaf, cn, sizeof(cn)))
                ca = strcmp(cn, "Intel SGX PCK Platform CA") == 0    ? "platform"
                     : strcmp(cn, "Intel SGX PCK Processor CA") == 0 ? "processor"
                                                                     : NULL;
        if (!ca)
                return err_set(err, ERR_FORMAT, 0, "the quote's PCK certificate is of no CA known here");
        one = add(w, ENDORSE_INTEL, ENDORSEMENT_CRL);
        (void)snprintf(one->path, sizeof(one->path), "/sgx/certification/v4/pckcrl?ca=%s&encoding=der", ca);
        (void)snprintf(one->name, sizeof(one->name), "intel-pck-%s.crl", ca);
        one = add(w, ENDORSE_INTEL_ROOT, ENDORSEMENT_CRL);
        (void)snprintf(one->path, sizeof(one->path), "/IntelSGXRootCA.der"); /* the name of a list */
        (void)snprintf(one->name, sizeof(one->name), "intel-root.crl");
        return 0;
}

int endorse_want_quote(struct view quote, struct endorse_wants *ret, struct err *err)
{
        struct endorse_wants w = {0};
        struct cert_list chain = {0};
        const char *reason, *why;
        struct dcap_quote q;
        struct view pem;
        struct pck pck;
        int r = dcap_quote_parse(quote, &q, &reason, err);

        if (r < 0)
                return r;
        if (q.cert_type != DCAP_CERT_CHAIN)
                return err_set(err, ERR_FORMAT, 0,
                               "the quote brings no PCK chain (certification data of type %u)", q.cert_type);
        pem = q.cert_data;
        while (pem.len && pem.p[pem.len - 1] == 0)
                pem.len--;
        r = cert_list_parse_pem(pem, CERT_MALFORMED_REJECT, &chain, &why, err);
        if (r >= 0)
                r = pck_of_cert(chain.v[0], &pck, err);
        if (r >= 0) {
                want_documents(&w, q.tee, &pck);
                r = want_lists(&w, chain.v[0], err);
        }
        cert_list_done(&chain);
        if (r >= 0)
                *ret = w;
        return r < 0 ? r : 0;
}

/* ---- until when ---- */

static int end_of_certs(struct view piece, int64_t *ret_ms, struct err *err)
{
        struct cert_list list = {0};
        const char *why;
        int r;

        if (piece.len && piece.p[0] == 0x30) {
                struct cert *cert = NULL;

                r = cert_parse_der(piece, &cert, err);
                if (r >= 0)
                        r = cert_list_add(&list, cert, err);
        } else {
                r = cert_list_parse_pem(piece, CERT_MALFORMED_REJECT, &list, &why, err);
        }
        *ret_ms = INT64_MAX;
        for (size_t i = 0; r >= 0 && i < list.n; i++)
                if (cert_not_after_ms(list.v[i]) < *ret_ms)
                        *ret_ms = cert_not_after_ms(list.v[i]);
        cert_list_done(&list);
        return r < 0 ? r : 0;
}

static int end_of_list(struct view piece, int64_t *ret_ms, struct err *err)
{
        AUTO(crl_free_p) struct crl *crl = NULL;
        int r = crl_parse(piece, &crl, err);

        if (r >= 0)
                *ret_ms = crl_next_update_ms(crl);
        return r;
}

static int end_of_document(struct view piece, const char *member, int64_t *ret_ms, struct err *err)
{
        AUTO(json_free_p) json_t *doc = NULL;
        const json_t *body;
        int r = json_parse(piece, SIGNED_JSON_BYTES_MAX, &doc, err);

        if (r >= 0)
                r = json_get_object(doc, member, &body, err);
        return r < 0 ? r : json_get_time(body, "nextUpdate", ret_ms, err);
}

int endorse_good_until(struct view piece, enum endorsement_kind *ret_kind, int64_t *ret_ms, struct err *err)
{
        AUTO(endorsements_free_p) struct endorsements *e = NULL;
        int r = endorsements_new(&e, err);

        if (r >= 0)
                r = endorsements_add(e, piece, ret_kind, err);
        if (r < 0)
                return r;
        switch (*ret_kind) {
        case ENDORSEMENT_CERTIFICATES:
                return end_of_certs(piece, ret_ms, err);
        case ENDORSEMENT_CRL:
                return end_of_list(piece, ret_ms, err);
        case ENDORSEMENT_TCB_INFO:
                return end_of_document(piece, "tcbInfo", ret_ms, err);
        case ENDORSEMENT_QE_IDENTITY:
                return end_of_document(piece, "enclaveIdentity", ret_ms, err);
        case ENDORSEMENT_UNKNOWN:
        case ENDORSEMENT_COLLATERAL:
        case ENDORSEMENT_TABLE:
                break;
        }
        return err_set(err, ERR_FORMAT, 0,
                       "it is neither certificates, nor a revocation list, nor collateral");
}
