/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_DCAP_H
#define AVOW_EVIDENCE_DCAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"
#include "evidence/dcap_quote.h"
#include "evidence/dcap_tcb.h"
#include "evidence/dcap_warm.h"
#include "evidence/tee.h"

/*
 * Checking Intel's quotes, SGX and TDX, with collateral that somebody else fetched: bytes and a time in,
 * named checks and a verdict out.
 *
 * Reason words: evidence-malformed, quote-version-unsupported, quote-key-type-unsupported,
 * quote-tee-mismatch, qe-vendor-unknown, certification-data-unsupported, quote-signature-invalid,
 * qe-binding-invalid, qe-report-signature-invalid, endorsement-malformed, endorsement-chain-invalid,
 * root-not-trusted, endorsement-expired, endorsement-not-yet-valid, endorsement-revoked, crl-invalid,
 * crl-missing, collateral-malformed, collateral-signature-invalid, collateral-expired,
 * collateral-not-yet-valid, collateral-rolled-back, collateral-tee-mismatch, fmspc-mismatch, pceid-mismatch,
 * qe-identity-mismatch, tdx-module-mismatch, tcb-level-not-supported, tcb-STATUS (Intel's word, as in
 * tcb-OutOfDate), advisory-not-allowed, debug-enabled, enclave-not-initialised, td-attributes-untrusted,
 * seam-attributes-nonzero, sept-ve-disable-off, report-data-mismatch, service-td-not-allowed,
 * mrtd-not-allowed and so on for mrseam, rtmr0 to rtmr3, mrconfigid, mrowner, mrownerconfig, mrenclave;
 * enclave-signer-not-allowed, isvsvn-below-floor.
 *
 * Flags: sept-ve-disable-off, service-td (MRSERVICETD is not zero), and debug.
 */

/* What vouches for the quote. Absent parts are VIEW_NONE; borrowed for the call. */
struct dcap_collateral {
        struct view pck_chain;         /* PEM, PCK leaf first: only read if the quote brings no chain */
        struct view tcb_info;          /* {"tcbInfo": {…}, "signature": "…"}, as Intel sent it */
        struct view tcb_info_chain;    /* PEM: TCB signing certificate, root */
        struct view qe_identity;       /* {"enclaveIdentity": {…}, "signature": "…"} */
        struct view qe_identity_chain; /* PEM; usually the same one */
        struct view pck_crl, root_crl; /* DER or PEM */
        struct dcap_warm *warm; /* what was read before; NULL: all of it is read for this quote alone */
};

/* The statuses as a set: DCAP_STATUS(DCAP_UP_TO_DATE) | … */
#define DCAP_STATUS(s) (1u << (unsigned)(s))
/* The default: what runs is current. */
#define DCAP_STATUSES_DEFAULT (DCAP_STATUS(DCAP_UP_TO_DATE) | DCAP_STATUS(DCAP_SW_HARDENING))

/* Whose enclave it may be: signer and product exact, the version at least this. */
struct dcap_signer {
        uint8_t mr_signer[32];
        uint16_t prod_id, svn_floor;
};

/* What a TD or an enclave may be. Each rule that is stated has to hold; the zero value states none. */
struct dcap_rules {
        bool refuse_service_td; /* MRSERVICETD has to be zero */
        struct tee_set mr_td, mr_seam, rtmr[TD_RTMRS], mr_config_id, mr_owner, mr_owner_config; /* 48 bytes */
        struct tee_set mr_enclave;                                                              /* 32 */
        bool has_signers;
        const struct dcap_signer *signers;
        size_t n_signers;
};

struct dcap_policy {
        int64_t at_ms;     /* "now" */
        bool ignore_dates; /* no check of any date: for old evidence; every such check says skipped */
        /* SHA-256 of the SubjectPublicKeyInfo of trusted roots; none: Intel's, which is compiled in */
        const struct digest *roots;
        size_t n_roots;
        unsigned statuses; /* those that are acceptable; Revoked never is */
        /* When set, each advisory of the levels that were reached must be one of these. */
        bool restrict_advisories;
        const char *const *advisories;
        size_t n_advisories;
        int64_t min_evaluation_number; /* the highest seen: an older collateral is a replay */
        bool require_crls;             /* otherwise absent lists are skipped, visibly */
        bool require_sept_ve_disable;
        bool allow_debug;
        struct view report_data; /* all 64 bytes; VIEW_NONE: not compared */
        struct dcap_rules rules;
};

#define DCAP_ADVISORIES_MAX 64
#define DCAP_ADVISORY_BYTES 32

struct dcap_result {
        struct tee_result tee;
        bool parsed;             /* QUOTE is filled; its views borrow from the quote's bytes */
        struct dcap_quote quote; /* believe it when the verdict accepts */
        bool has_pck;
        struct pck pck;
        /* DCAP_STATUS_NONE where it was not found; module: TDX with versions only */
        enum dcap_status sgx, platform, module, qe, overall;
        int64_t tcb_date_ms;       /* of the platform's level; 0 */
        int64_t evaluation_number; /* of the TCB info; -1 */
        int64_t next_update_ms;    /* the earliest end of all collateral; INT64_MAX */
        size_t n_advisories;       /* of platform's, module's and QE's level, each once */
        char advisories[DCAP_ADVISORIES_MAX][DCAP_ADVISORY_BYTES];
};

/*
 * Checks QUOTE. Verdict: TEE_ACCEPT; TEE_REJECT with reasons; TEE_NO_COLLATERAL when TCB info or QE identity
 * is absent and nothing speaks against it so far. Later checks are skipped where an earlier one left nothing
 * to stand on.
 * Return: 0 with an answer, also for garbage; -ERR_NOMEM, -ERR_CRYPTO, and RET is undecided.
 */
int dcap_verify(struct view quote, const struct dcap_collateral *collateral, const struct dcap_policy *policy,
                struct dcap_result *ret, struct err *err) MUST_USE;

#endif
