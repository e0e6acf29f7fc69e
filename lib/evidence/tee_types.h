/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_TEE_TYPES_H
#define AVOW_EVIDENCE_TEE_TYPES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "evidence/dcap.h"
#include "evidence/endorsements.h"
#include "evidence/snp_verify.h"
#include "evidence/tee.h"
#include "evidence/tee_binding.h"

/*
 * What vouches for processors, for many machines and from many threads at once. Roots stand in the place of
 * their vendor's, which are compiled in: for a vendor of one's own. All borrowed.
 */
struct tee_trust {
        const struct endorsements *heap; /* NULL: none */
        const struct snp_root *snp_roots;
        size_t n_snp_roots;
        const struct digest *intel_roots;
        size_t n_intel_roots;
};

/*
 * The kinds of a processor's evidence by name, in whatever container they come, judged in one way whatever
 * the vendor: for files, for the library, for hosts.
 */
struct tee_work {
        /* in; all borrowed */
        bool verify; /* false: shown, and believed or not */
        struct view bytes;
        const struct tee_trust *trust; /* NULL: nothing vouches */
        struct view table;             /* snp: the certificate table that came along; or empty */
        int64_t at_ms;
        struct view report_data;           /* what it has to be, all 64 bytes; empty: not asked */
        const struct tee_binding *binding; /* to a host's attestation key; NULL: not asked */
        bool has_log;                      /* tdx: the event log to replay to the registers */
        struct view log;
        bool has_manifest; /* snp: an SVSM's manifest; REPORT_DATA then is the nonce that it was asked with */
        struct view manifest;
        bool has_id_auth; /* snp-id-block: the ID authentication information */
        struct view id_auth;
        const struct snp_policy *snp;
        struct dcap_warm *warm;  /* tdx, sgx: kept from one quote to the next, or NULL */
        struct dcap_policy dcap; /* its at_ms and report_data are taken from above */
        /* out */
        struct tee_result result;
        const char *verdict;    /* NULL: the result's own word */
        json_t *content;        /* what it says; the caller's */
        enum dcap_status intel; /* the overall TCB status; DCAP_STATUS_NONE for others' evidence */
        json_t *status;         /* Intel's status, or NULL; the caller's */
};
/* What came out: tee_verdict_name() of the result, or a finer word of its kind ("parse-ok"). */
const char *tee_work_verdict(const struct tee_work *w);
void tee_work_done(struct tee_work *w); /* frees what is out */

/* One kind of evidence. Fills what is out. Return: 0, also for garbage; -ERR_CONFIG for a container that
 * holds no such evidence; -ERR_NOMEM, -ERR_CRYPTO if nothing could be decided. */
struct tee_type {
        const char *name;
        const char *title;
        int (*run)(struct tee_work *w, struct err *err);
};
extern const struct tee_type tee_types[]; /* ends with an empty one */
/* By name; NULL: none of them. */
const struct tee_type *tee_type_find(const char *name);

#endif
