/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_ENDORSEMENTS_IMPL_H
#define AVOW_EVIDENCE_ENDORSEMENTS_IMPL_H

#include "evidence/endorsements.h"

/* What endorsements.c and endorsements_pick.c share; nobody else includes this. */
struct endorsed_list {
        struct crl *crl;
        struct buf der; /* or PEM, as it came */
};

struct endorsed_document {
        enum endorsement_kind kind; /* ENDORSEMENT_TCB_INFO or ENDORSEMENT_QE_IDENTITY */
        struct buf text;
        /* what it says of itself, unproven */
        enum dcap_tee tee;
        uint8_t fmspc[6];
        int64_t issue_ms, next_update_ms;
};

struct endorsements {
        size_t bytes; /* of all that was added */
        bool full;    /* one more did not fit */
        size_t n_certs, n_lists, n_documents;
        struct cert **certs;
        struct endorsed_list *lists;
        struct endorsed_document *documents;
};

#endif
