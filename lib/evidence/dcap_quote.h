/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_DCAP_QUOTE_H
#define AVOW_EVIDENCE_DCAP_QUOTE_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"

/*
 * Intel's quotes: version 3 (SGX), 4 (SGX, TDX), 5 (SGX, TDX 1.0 and 1.5), as they stand; nothing is believed
 * here. All views borrow from the quote's bytes. Numbers are little-endian in the quote.
 * Spec: Intel SGX ECDSA Quote Library API, annex A (v3); Intel TDX DCAP Quoting Library API, annex A (v4,
 * v5).
 */
#define DCAP_QUOTE_BYTES_MAX 65536
#define DCAP_KEY_P256        2 /* the one attestation key type that is read: ECDSA with P-256 and SHA-256 */
#define DCAP_CERT_CHAIN      5 /* certification data: a PEM chain, PCK leaf first */
#define DCAP_CERT_QE         6 /* certification data of v4 and v5: QE report and what certifies it */

enum dcap_tee {
        DCAP_SGX = 0x00,
        DCAP_TDX = 0x81,
};

enum dcap_body {
        DCAP_BODY_SGX = 1,
        DCAP_BODY_TD10 = 2,
        DCAP_BODY_TD15 = 3,
};

#define SGX_FLAG_INIT  (UINT64_C(1) << 0)
#define SGX_FLAG_DEBUG (UINT64_C(1) << 1)

/* REPORT body of an enclave, 384 bytes. Spec: Intel SDM vol. 3D, SGX data structures, REPORT. */
struct sgx_report {
        struct view cpu_svn; /* 16 */
        uint32_t misc_select;
        struct view ext_prod_id; /* 16 */
        struct view attributes;  /* 16: flags and xfrm as they stand */
        uint64_t flags, xfrm;
        struct view mr_enclave, mr_signer, config_id; /* 32, 32, 64 */
        uint16_t prod_id, isv_svn, config_svn;
        struct view family_id, report_data; /* 16, 64 */
};

#define TD_ATTR_DEBUG           (UINT64_C(1) << 0)
#define TD_ATTR_UNTRUSTED       UINT64_C(0xff) /* group TUD: any bit set and the TD is not to be trusted */
#define TD_ATTR_SEPT_VE_DISABLE (UINT64_C(1) << 28)
#define TD_RTMRS                4

/* TD report body, 584 bytes, and 648 with the two fields of TDX 1.5 (VIEW_NONE before). */
struct td_report {
        struct view tee_tcb_svn, mr_seam, mr_signer_seam; /* 16, 48, 48 */
        uint64_t seam_attributes, attributes, xfam;
        struct view mr_td, mr_config_id, mr_owner, mr_owner_config, rtmr[TD_RTMRS]; /* 48 each */
        struct view report_data;                                                    /* 64 */
        struct view tee_tcb_svn2, mr_service_td;                                    /* 16, 48 */
};

struct dcap_quote {
        uint16_t version;
        enum dcap_tee tee;
        enum dcap_body body;
        struct view qe_vendor, user_data; /* 16, 20 */
        struct sgx_report sgx;            /* DCAP_SGX */
        struct td_report td;              /* DCAP_TDX */
        struct view report_data;          /* of either */
        struct view is_signed;            /* what SIGNATURE covers: header and body */
        struct view signature, key;       /* r ‖ s and x ‖ y, big-endian, 64 each */
        struct view qe_bytes;             /* what QE_SIGNATURE covers: the QE's report, 384 */
        struct sgx_report qe;
        struct view qe_signature, auth_data;
        uint16_t cert_type;
        struct view cert_data;
        struct view trailing; /* behind the quote, covered by nothing: real quotes have such bytes */
};

/* Intel's QE vendor identifier, 16 bytes. */
extern const uint8_t dcap_intel_vendor[16];

/*
 * Return: 0; -ERR_FORMAT with the place. *ret_reason is a constant word for what is wrong:
 * "evidence-malformed", "quote-version-unsupported", "quote-key-type-unsupported", "quote-tee-mismatch".
 */
int dcap_quote_parse(struct view bytes, struct dcap_quote *ret, const char **ret_reason,
                     struct err *err) MUST_USE;

/* An enclave's report of exactly 384 bytes. */
int sgx_report_parse(struct view bytes, struct sgx_report *ret, struct err *err) MUST_USE;
/* A TD's of exactly 584 or 648 bytes. */
int td_report_parse(struct view bytes, struct td_report *ret, struct err *err) MUST_USE;

#endif
