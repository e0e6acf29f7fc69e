/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_SOFT_QUOTE_H
#define AVOW_TESTS_SOFT_QUOTE_H

#include "base/bytes.h"
#include "crypto/cert.h"
#include "crypto/digest.h"
#include "crypto/key.h"
#include "evidence/dcap.h"

/*
 * An Intel of our own: root, PCK CA, a platform with its PCK, TCB signing, a quoting enclave; quotes of any
 * version, collateral and revocation lists. What a test wants otherwise it changes in the spec before
 * soft_quote_make(). Every failure fails the test.
 */
#define SOFT_FROM_MS INT64_C(1767225600000) /* 2026-01-01 */
#define SOFT_TO_MS   INT64_C(1798761600000) /* 2027-01-01 */
#define SOFT_NOW_MS  INT64_C(1780000000000)

struct soft_pair {
        struct key *key;
        struct cert *cert;
};

struct soft_spec {
        uint16_t version;
        enum dcap_body body;
        uint8_t report[648]; /* the body's bytes, as many as its kind has */
        uint8_t qe[384];     /* the quoting enclave's report; its report data is made */
        uint16_t cert_type;  /* DCAP_CERT_CHAIN */
        const char *ca_cn;   /* of the PCK CA */
        struct pck pck;      /* what the PCK certificate says */
        bool without_tcb;    /* … or has no TCB part */
        const char *info;    /* TCB info's id, version and module part, levels: JSON texts */
        const char *modules, *levels;
        const char *fmspc, *pceid, *next_update;
        const char *qe_id, *qe_levels; /* QE identity */
        const char *qe_signer;         /* 64 hex digits */
        bool revoke_pck, revoke_ca, revoke_signer;
        int64_t crl_until_ms;
};

struct soft_quote {
        struct soft_pair root, ca, pck, signer;
        struct key *attestation;
        struct digest root_key; /* for the policy */
        struct buf quote, chain, info, info_chain, qe_identity, pck_crl, root_crl;
        struct dcap_collateral collateral; /* views of these */
};

/* A good platform: everything UpToDate. */
void soft_spec_init(struct soft_spec *spec, uint16_t version, enum dcap_body body);
void soft_quote_make(struct soft_quote *q, const struct soft_spec *spec);
/* Another quote of the same platform, with the body as SPEC now has it. */
void soft_quote_again(struct soft_quote *q, const struct soft_spec *spec);
void soft_quote_done(struct soft_quote *q);
/* Good TCB levels of one level with this status; the caller's (free()). */
char *soft_levels(const char *status, bool tdx);

#endif
