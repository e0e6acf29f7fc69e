/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_REVOCATION_ORDER_H
#define AVOW_EVIDENCE_REVOCATION_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/digest.h"
#include "crypto/pubkey.h"
#include "evidence/tpm_public.h"

/*
 * A revocation as an order to one host: what the verifier signed (JWS, ES256), read by the host that has to
 * carry it out, and by whoever checks that it did. Spec: SR-3, SR-5, SR-8; docs/protocol.md, "Revocations".
 */
#define REVOCATION_BYTES_MAX (64u * 1024)
#define REVOCATION_TYP       "avow-revocation+jwt" /* "typ" of the JWS */
#define REVOCATION_ID_BYTES  101                   /* HOST/SEQ and a NUL */

enum reaction { REACTION_SUSPEND, REACTION_DESTROY, REACTION_REINSTATE, REACTION_N };
/* "suspend", "destroy", "reinstate". */
const char *reaction_name(enum reaction reaction);
bool reaction_by_name(const char *name, enum reaction *ret) MUST_USE;

#define REVOCATION_NO_RESET (-1)

struct revocation_order {
        char id[REVOCATION_ID_BYTES];
        char host[81], verifier[37];
        int64_t seq; /* of the id: a later order of a host has a higher one */
        enum reaction reaction;
        int64_t issued_at_ms;
        /* Where the host has counters; always with REACTION_DESTROY. */
        bool has_epoch;
        uint32_t nv_index;
        uint64_t epoch;             /* that the counter must have for the order to be carried out */
        struct pubkey *counter_key; /* owned: the key that the counter's write policy names */
        struct tpm_name index_name; /* rebuilt from the two: nobody's word */
        int64_t reset_count;        /* of the last authentic evidence, or REVOCATION_NO_RESET */
};

/*
 * Checks JWS with the verifier's KEYS and reads what was signed. Return: 0 with *ret_good: signed by one of
 * them (false: RET is untouched); -ERR_FORMAT, -ERR_LIMIT if the signed text is no order; -ERR_CRYPTO,
 * -ERR_NOMEM.
 */
int revocation_order_open(struct view jws, struct pubkey *const *keys, size_t n_keys,
                          struct revocation_order *ret, bool *ret_good, struct err *err) MUST_USE;
void revocation_order_done(struct revocation_order *order);

/*
 * What a host extends its measurement register with before it wipes, in BANK: the digest of the label, the
 * verifier's id and the revocation's id, each ended by a zero byte. Nothing that runs has this digest, so the
 * record can stand for nothing else.
 */
int revocation_record_digest(enum digest_alg bank, const char *verifier, const char *id, struct digest *ret,
                             struct err *err) MUST_USE;

#endif
