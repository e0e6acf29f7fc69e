/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_H
#define AVOW_EVIDENCE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Verification of processors' evidence for programs that are not avow: AMD SEV-SNP reports, Intel TDX and SGX
 * quotes, and the certificates, ID blocks and event logs that belong to them. Link with -lavow-evidence and
 * OpenSSL's -lcrypto (pkg-config avow-evidence); nothing else is needed. avow-evidence(3) has an example.
 *
 * No network, no files, no clock: evidence, endorsements, a time and what is expected go
 * in, a verdict with the checks behind it comes out. Nothing is taken from the evidence that its signature
 * does not cover. A verifier object belongs to one thread at a time; different objects are independent.
 *
 * This interface only grows: what is here keeps its meaning, and AVOW_EVIDENCE_API counts up.
 */
#define AVOW_EVIDENCE_API 1

#ifdef __cplusplus
extern "C" {
#endif

struct avow_evidence;

/* An empty verifier; NULL without memory. Free takes NULL. */
struct avow_evidence *avow_evidence_new(void);
void avow_evidence_free(struct avow_evidence *e);

/* What went wrong in the last call that answered AVOW_EVIDENCE_ERROR; never NULL; good until the next call.
 */
const char *avow_evidence_error(const struct avow_evidence *e);

#define AVOW_EVIDENCE_ERROR (-1)

/*
 * Adds something that vouches for evidence: certificates (DER, PEM), revocation lists (DER, PEM), TCB info
 * and QE identity as Intel's service sends them, all of Intel's collateral in one JSON document, AMD's
 * certificate table. Any number, in any order, for any machines: what fits is picked out by content, and
 * only what chains to the vendor's keys (compiled in) counts. SIZE is in bytes; the bytes are copied.
 * Return: 1 it was taken; 0 it is nothing of the sort; AVOW_EVIDENCE_ERROR (too much, no memory).
 */
int avow_evidence_add_endorsement(struct avow_evidence *e, const void *bytes, size_t size);

/* What the 64 bytes of report data have to be: who binds evidence to a challenge has to ask for it. Return:
 * 0; AVOW_EVIDENCE_ERROR for another SIZE. */
int avow_evidence_expect_report_data(struct avow_evidence *e, const void *bytes, size_t size);

/* The event log of a TD, replayed to the registers of its quote; the authentication information of an SNP ID
 * block. Copied. Return: 0; AVOW_EVIDENCE_ERROR. */
int avow_evidence_set_event_log(struct avow_evidence *e, const void *bytes, size_t size);
int avow_evidence_set_id_auth(struct avow_evidence *e, const void *bytes, size_t size);

/*
 * Intel's TCB statuses that are acceptable, each with its own word ("UpToDate", "SWHardeningNeeded",
 * "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded", "OutOfDate", "OutOfDateConfigurationNeeded",
 * "TDRelaunchAdvised", "TDRelaunchAdvisedConfigurationNeeded"), separated by blanks; without this UpToDate
 * and SWHardeningNeeded. "Revoked" never is. Return: 0; AVOW_EVIDENCE_ERROR for an unknown word.
 */
int avow_evidence_accept_statuses(struct avow_evidence *e, const char *words);

enum avow_evidence_verdict {
        AVOW_EVIDENCE_ACCEPT = 0,    /* authentic, and as it was asked for */
        AVOW_EVIDENCE_REJECT = 1,    /* not to be trusted */
        AVOW_EVIDENCE_MALFORMED = 2, /* it breaks its format */
        AVOW_EVIDENCE_UNDECIDED = 3, /* endorsements or collateral are missing */
};

/*
 * Judges evidence of TYPE: "snp" (a report, alone or in the answer of /dev/sev-guest or in Azure's HCL
 * report), "tdx", "sgx" (quotes), "snp-certificate", "snp-id-block", "ccel" (a log alone), "snp-csr",
 * "sgx-csr" (requests of Enarx keeps), "tpm" (a quote in JSON). What a former call
 * answered is gone. Debug and migration agents are refused; anything else than authenticity and the TCB is
 * for the caller to judge, from the content. AT is the time of judging, in seconds since 1970 (UTC):
 * time(NULL), or when old evidence was received. Return: an enum avow_evidence_verdict, or
 * AVOW_EVIDENCE_ERROR if nothing could be decided (unknown type, no memory).
 */
int avow_evidence_verify(struct avow_evidence *e, const char *type, const void *bytes, size_t size,
                         int64_t at);

/* The verdict in one word, finer than the number: "accept", "reject", "malformed", "no-endorsement",
 * "quote-valid-no-collateral", "chain-valid", "parse-ok", …; "undecided" before verify. */
const char *avow_evidence_verdict_word(const struct avow_evidence *e);

enum avow_evidence_state { AVOW_EVIDENCE_SKIPPED = 0, AVOW_EVIDENCE_PASSED = 1, AVOW_EVIDENCE_FAILED = 2 };

/* One check that was made, or skipped: all of them, in their order. Strings are never NULL, and good until
 * the next verify. */
struct avow_evidence_check {
        const char *name;
        enum avow_evidence_state state;
        const char *reason; /* of a failure: a stable word ("tcb-OutOfDate"); else "" */
        const char *text;   /* for people; may be "" */
};
size_t avow_evidence_n_checks(const struct avow_evidence *e);
/* Return: 0; AVOW_EVIDENCE_ERROR if there is no check of this number. */
int avow_evidence_get_check(const struct avow_evidence *e, size_t n, struct avow_evidence_check *ret);

/*
 * All that came out, as one JSON document: verdict, reasons, flags, checks, and what the evidence says
 * ("content"; true only under "accept"), members as `avow evidence verify -o json` has them. NULL before
 * verify, or without memory; good until the next verify.
 */
const char *avow_evidence_json(struct avow_evidence *e);

#ifdef __cplusplus
}
#endif

#endif
