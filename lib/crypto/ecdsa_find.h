/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_ECDSA_FIND_H
#define AVOW_CRYPTO_ECDSA_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"
#include "crypto/pubkey.h"

/*
 * Over which of many digests is this ECDSA signature? Some messages bring a signature and do not say what was
 * signed; trying one digest after another costs a verification each, for every request. Here a look-up costs
 * the same for one digest as for half a million: the index keeps, for each digest e, a part of the point e·G;
 * a signature (r, s) by the key Q leads to two points, one of which is e·G if there is such an e.
 *
 * The index only proposes. Whether the signature is good for the digest it proposes is decided by
 * pubkey_verify_digest() and nothing else.
 *
 * Digests as long as the curve's field alone: SHA-256 for P-256, SHA-384 for P-384.
 */
#define ECDSA_INDEX_MAX (1u << 22)

/* The curve whose keys sign digests of this kind; CURVE_NONE for others. */
enum pubkey_curve ecdsa_curve_of(enum digest_alg alg);

struct ecdsa_index;
/*
 * Makes the index of N digests of ALG, one after another in DIGESTS, which must outlive it. Takes time:
 * about 20 µs a digest for P-256, 150 µs for P-384; touches nothing else, so it may run on any thread. STOP
 * (may be NULL) is looked at now and then. Return: 0; -ERR_LIMIT (too many, or stopped); -ERR_FORMAT for a
 * digest that is no number a signature can be over (zero), naming it; -ERR_CRYPTO, -ERR_NOMEM.
 */
int ecdsa_index_new(enum digest_alg alg, struct view digests, const bool *stop, struct ecdsa_index **ret,
                    struct err *err) MUST_USE;
void ecdsa_index_free(struct ecdsa_index *index);
DEFINE_AUTO(struct ecdsa_index, ecdsa_index_free)
size_t ecdsa_index_count(const struct ecdsa_index *index);

/* A key made ready for looking its signatures up. KEY is borrowed. One thread at a time. Return: 0;
 * -ERR_FORMAT for a key on neither P-256 nor P-384; -ERR_CRYPTO, -ERR_NOMEM. */
struct ecdsa_key;
int ecdsa_key_new(const struct pubkey *key, struct ecdsa_key **ret, struct err *err) MUST_USE;
void ecdsa_key_free(struct ecdsa_key *key);
DEFINE_AUTO(struct ecdsa_key, ecdsa_key_free)
/* SHA-256 of its point, uncompressed: what it is known by. */
const struct digest *ecdsa_key_id(const struct ecdsa_key *key);

/* A signature made ready to be looked up, in any number of indexes. */
struct ecdsa_hint {
        uint64_t at[2];
};
/* SIGNATURE in DER, exactly. Return: 1; 0 if it can be no signature by KEY; -ERR_CRYPTO, -ERR_NOMEM. */
int ecdsa_hint(struct ecdsa_key *key, struct view signature, struct ecdsa_hint *ret,
               struct err *err) MUST_USE;

/*
 * The digest in INDEX that the signature is over. Return: 1 with the digest; 0 if it is over none of them;
 * -ERR_CRYPTO, -ERR_NOMEM.
 */
int ecdsa_index_find(const struct ecdsa_index *index, const struct ecdsa_key *key, struct view signature,
                     const struct ecdsa_hint *hint, struct digest *ret, struct err *err) MUST_USE;

/* The numbers of a signature in strict DER, without leading zeros, borrowed. Return: false if it is none. */
bool ecdsa_numbers(struct view signature, struct view *ret_r, struct view *ret_s) MUST_USE;

#endif
