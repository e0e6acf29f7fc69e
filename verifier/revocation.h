/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_REVOCATION_H
#define AVOW_VERIFIER_REVOCATION_H

#include "crypto/key.h"
#include "evidence/verdict.h"
#include "store/verifier_db.h"
#include "wire/event.h"

/* What a revocation says, and the verifier's signature over it. Spec: SR-8; docs/protocol.md, "Revocations".
 */
#define REVOCATION_REASON_MAX 512

struct revocation_facts {
        const char *verifier; /* its id */
        const char *host, *tenant;
        int64_t seq;
        enum reaction reaction;
        int64_t issued_at_ms;
        const char *verdict;  /* of the last evidence: "pass", "fail", …; NULL: there was none */
        const char *severity; /* "info" … "critical" */
        const char *policy;   /* NULL: a tpm_policy */
        const char *reason;   /* longer than REVOCATION_REASON_MAX: cut */
        const char *labels;   /* JSON text of an object, or NULL */
        /* Where the host has counters. */
        const struct host_counters *counters; /* NULL or not known: none */
        int64_t reset_count;                  /* of its TPM in the last authentic evidence; < 0: not known */
};

/* KEY NULL: the payload alone. free() both texts. Return: 0; -ERR_CRYPTO, -ERR_NOMEM, -ERR_FORMAT (labels).
 */
int revocation_make(const struct revocation_facts *facts, const struct key *key, char **ret_payload,
                    char **ret_jws, struct err *err) MUST_USE;

#endif
