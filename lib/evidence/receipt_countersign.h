/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_RECEIPT_COUNTERSIGN_H
#define AVOW_EVIDENCE_RECEIPT_COUNTERSIGN_H

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/digest.h"
#include "crypto/key.h"
#include "crypto/pubkey.h"

/*
 * The verifier's countersignature of a receipt: a JWS (ES256, by the key of results, `typ` avow-receipt+jwt)
 * over the receipt's digest, and what the host's evidence came to afterwards. A receipt without one is
 * provisional. Spec: SR-24; docs/protocol.md, "Receipts".
 */
#define RECEIPT_COUNTERSIGN_TYP    "avow-receipt+jwt"
#define RECEIPT_COUNTERSIGN_SCHEMA "avow.receipt-countersignature/1"

enum receipt_status {
        RECEIPT_PROVISIONAL = 0, /* no verdict; countersigned: there will be none (the host was rebooted) */
        RECEIPT_FINAL,           /* the host passed when it was asked after the end */
        RECEIPT_TAINTED,         /* it failed */
        RECEIPT_N_STATUS
};
const char *receipt_status_name(enum receipt_status status);

/* How the receipt stands to the one before it, as the verifier received them. */
enum receipt_link {
        RECEIPT_BEGINS = 0, /* the host's first */
        RECEIPT_CONTINUES,
        RECEIPT_BREAKS, /* one is missing, came twice in other words, or the chain began anew */
        RECEIPT_N_LINKS
};
const char *receipt_link_name(enum receipt_link link);

struct receipt_countersign {
        char *host, *verifier; /* the verifier's UUID */
        struct digest receipt;
        enum receipt_status status;
        char *reason; /* a code of a finding, or of docs/protocol.md; NULL with final */
        enum receipt_link link;
        /* The evidence that decided. */
        int64_t evidence; /* its number in the host's history; 0: none */
        char *verdict;    /* "pass", … */
        bool enforced;    /* by a policy that does more than observe */
        char *policy;     /* NULL: none of a name */
        int64_t policy_version;
        struct digest policy_sha256;
        int64_t received_at_ms;  /* when the receipt came */
        int64_t challenge_at_ms; /* when the evidence's challenge was given out: later than that */
        int64_t evidence_at_ms;  /* when the evidence came */
        int64_t issued_at_ms;
        char *ek_sha256, *ek_class, *ek_bound_by; /* of the host's EK; may be NULL */
};
void receipt_countersign_done(struct receipt_countersign *c);

/* The JWS; free() it. Return: 0; -ERR_CRYPTO, -ERR_NOMEM. */
int receipt_countersign_sign(const struct receipt_countersign *c, const struct key *key, char **ret,
                             struct err *err) MUST_USE;
/*
 * Is JWS signed by KEY, and a countersignature? RET is set if it is (receipt_countersign_done()). Whether it
 * is of the receipt in hand is for the caller to compare. Return: 0 with the answer; a malformed one is none;
 * -ERR_FORMAT for one that is signed and yet malformed; -ERR_CRYPTO, -ERR_NOMEM.
 */
int receipt_countersign_open(struct view jws, const struct pubkey *key, struct receipt_countersign *ret,
                             bool *ret_good, struct err *err) MUST_USE;

#endif
