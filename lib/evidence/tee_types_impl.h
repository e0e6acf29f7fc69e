/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_TEE_TYPES_IMPL_H
#define AVOW_EVIDENCE_TEE_TYPES_IMPL_H

#include "evidence/tee_types.h"

/* What the files that hold the types share; nobody else includes this. */

/* Records the failure of CHECK with ERR's text, and clears ERR: the bytes are no evidence of the type. */
void tee_malformed(struct tee_work *w, const char *check, struct err *err);

int tee_run_snp(struct tee_work *w, struct err *err) MUST_USE;
int tee_run_sgx(struct tee_work *w, struct err *err) MUST_USE;
/* tee_csr.c: the request of an Enarx keep. */
int tee_run_snp_csr(struct tee_work *w, struct err *err) MUST_USE;
int tee_run_sgx_csr(struct tee_work *w, struct err *err) MUST_USE;
/* tee_tpm.c */
int tee_run_tpm(struct tee_work *w, struct err *err) MUST_USE;

#endif
