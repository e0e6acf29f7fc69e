/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_DCAP_TCB_H
#define AVOW_EVIDENCE_DCAP_TCB_H

#include "base/macro.h"
#include "evidence/dcap_collateral.h"

/*
 * The TCB status of a platform by Intel's rules. Pure arithmetic over values that were checked before.
 * Spec: Intel SGX/TDX DCAP Quote Verification Library, TCB level selection and status convergence.
 */
struct dcap_tcb {
        const struct tcb_level *sgx_level; /* NULL: none fits */
        const struct tcb_level *level;     /* the one whose status counts; NULL: none fits */
        const struct svn_level *module_level, *qe_level;
        enum dcap_status sgx, platform, module, qe; /* DCAP_STATUS_NONE: none, or not looked at */
        enum dcap_status overall;                   /* module and QE put into the platform's */
        bool module_mismatch;      /* another signer or attributes, or no such module known */
        const char *not_supported; /* NULL; or whose levels are not reached: "platform", … */
        bool relaunched;           /* TDX 1.5: OVERALL is one of the two words that advise a relaunch */
};

/*
 * TD: the TD's report, NULL for SGX; TD15: it has TEE_TCB_SVN_2. QE: NULL if no identity is at hand; the
 * overall status then is that of platform and module. QE_SVN: the quoting enclave's ISVSVN. RET borrows from
 * INFO and QE.
 */
void dcap_tcb_judge(const struct tcb_info *info, const struct pck *pck, const struct td_report *td, bool td15,
                    const struct qe_identity *qe, uint16_t qe_svn, struct dcap_tcb *ret);

/* X put into STATUS: UpToDate changes nothing, OutOfDate and Revoked make it worse. Any other X: none. */
enum dcap_status dcap_converge(enum dcap_status status, enum dcap_status x);

#endif
