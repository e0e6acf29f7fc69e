/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_SNP_WORK_H
#define AVOW_EVIDENCE_SNP_WORK_H

#include "evidence/snp_verify.h"

/* What the files of one verification share; nobody else includes this. */
struct snp_work {
        const struct snp_input *in;
        struct snp_result *r;
        enum snp_signing_key kind;
        const struct cert *ask, *ark; /* of the path that was taken; NULL without one */
        bool signature_good, chain_good, revoked;
        bool incomplete; /* certificates are missing */
};

/* The leaf that fits the report's signing key, and best its signature, which is checked here. */
int snp_pick_leaf(struct snp_work *w, struct err *err) MUST_USE;
/* The product line, by the report and by the leaf. */
void snp_check_product(struct snp_work *w);
/* The chain with its dates, and revocation. */
int snp_check_chain(struct snp_work *w, struct err *err) MUST_USE;
/* What is notable; and the policy, of an authentic report. */
void snp_note_flags(struct snp_result *r);
void snp_check_policy(struct snp_work *w);

#endif
