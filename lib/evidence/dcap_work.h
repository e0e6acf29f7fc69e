/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_DCAP_WORK_H
#define AVOW_EVIDENCE_DCAP_WORK_H

#include "crypto/cert.h"
#include "crypto/crl.h"
#include "evidence/dcap.h"
#include "evidence/dcap_warm_impl.h"

/* What the files that make up dcap_verify() share; nobody else includes this. */
struct dcap_work {
        const struct dcap_collateral *collateral;
        const struct dcap_policy *policy;
        struct dcap_result *res;
        struct dcap_warm *warm;            /* the caller's, or one for this quote alone */
        struct dcap_piece *key;            /* the attestation key, while it is not the warm object's */
        const struct cert_list *pck_chain; /* leaf, CA, root; once it was found good */
        const struct crl *root_crl;        /* once it was found good */
};

/* Bytes that break their format are an answer; being out of memory is none. */
static inline bool dcap_is_answer(int r)
{
        return r == -ERR_FORMAT || r == -ERR_LIMIT;
}

/* One chain that ends in a trusted root. The names of its checks and what it has to look like. */
struct dcap_chain {
        const char *name, *dates; /* of the checks */
        struct view pem;
        size_t n;            /* certificates, leaf first, root last */
        const char *leaf_cn; /* common names; CA_CNS NULL-terminated, for the one in the middle */
        /*
         * A later issue of the certificate will do: Intel certifies the same TCB signing key again and again,
         * and who checks old evidence holds the newest. What was signed has an issue date of its own.
         */
        bool later_issue;
        const char *const *ca_cns;
};
/* Return: 0 and the list, NULL if it is not good; < 0 when nothing could be decided. */
int dcap_check_chain(struct dcap_work *w, const struct dcap_chain *chain, const struct cert_list **ret,
                     struct err *err) MUST_USE;

/* Do BEGIN and END hold at the policy's time? Records the check. REASON_END, REASON_BEGIN: the words. */
bool dcap_check_window(struct dcap_work *w, const char *name, int64_t begin_ms, int64_t end_ms,
                       const char *reason_begin, const char *reason_end);

/* Both lists, against the good PCK chain. */
int dcap_check_crls(struct dcap_work *w, struct err *err) MUST_USE;
/* CERT against the root's list, if there is a good one. */
void dcap_check_root_crl(struct dcap_work *w, const char *name, const struct cert *cert);

/* TCB info, QE identity and what follows from both. *ret_complete: both were there. */
int dcap_check_collateral(struct dcap_work *w, bool *ret_complete, struct err *err) MUST_USE;

#endif
