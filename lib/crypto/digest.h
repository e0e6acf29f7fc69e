/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_DIGEST_H
#define AVOW_CRYPTO_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"

/*
 * Digests and HMACs. The numbers are the TPM's algorithm identifiers, so that what a TPM structure says needs
 * no translation. Spec: TCG Algorithm Registry, TPM_ALG_ID; FIPS 180-4; RFC 2104.
 */
enum digest_alg {
        DIGEST_SHA1 = 0x0004,
        DIGEST_SHA256 = 0x000b,
        DIGEST_SHA384 = 0x000c,
        DIGEST_SHA512 = 0x000d,
};

#define DIGEST_BYTES_MAX 64

struct digest {
        enum digest_alg alg;
        uint8_t len; /* always digest_size(alg) */
        uint8_t b[DIGEST_BYTES_MAX];
};

/* Bytes of a digest. Return: 0 for what is no algorithm of ours. */
size_t digest_size(enum digest_alg alg);

/* "sha1", "sha256", "sha384", "sha512". Return: NULL for what is no algorithm of ours. */
const char *digest_name(enum digest_alg alg);

/* By that name, exactly; by the TPM's number. Return: false, and nothing written, if unknown. */
bool digest_by_name(const char *name, enum digest_alg *ret) MUST_USE;
bool digest_by_word(struct view name, enum digest_alg *ret) MUST_USE;
bool digest_by_tpm_alg(uint16_t tpm_alg, enum digest_alg *ret) MUST_USE;

/* The value as bytes, borrowed from D. */
struct view digest_view(const struct digest *d);

/* Makes a digest out of bytes that are one. Return: 0; -ERR_FORMAT if the length is not the algorithm's. */
int digest_set(enum digest_alg alg, struct view bytes, struct digest *ret, struct err *err) MUST_USE;

/* All zeros: what a static PCR holds after a reset. ALG must be one of ours. */
void digest_zero(enum digest_alg alg, struct digest *ret);

/* Same algorithm and value; constant-time in the value. */
bool digest_equal(const struct digest *a, const struct digest *b) MUST_USE;

/* The digest of some bytes; of the concatenation of N parts. Return: 0; -ERR_CRYPTO. */
int digest_bytes(enum digest_alg alg, struct view data, struct digest *ret, struct err *err) MUST_USE;
int digest_parts(enum digest_alg alg, const struct view *parts, size_t n, struct digest *ret,
                 struct err *err) MUST_USE;

/*
 * What TPM2_PCR_Extend does: pcr = H(pcr ‖ data_digest). DATA_DIGEST must have the length of the bank.
 * Return: 0; -ERR_FORMAT for another length; -ERR_CRYPTO.
 */
int digest_extend(struct digest *pcr, struct view data_digest, struct err *err) MUST_USE;

/* HMAC of the concatenation of N parts. Return: 0; -ERR_CRYPTO. */
int hmac_bytes(enum digest_alg alg, struct view key, struct view data, struct digest *ret,
               struct err *err) MUST_USE;
int hmac_parts(enum digest_alg alg, struct view key, const struct view *parts, size_t n, struct digest *ret,
               struct err *err) MUST_USE;

/*
 * A digest in steps, for files, and for millions of short inputs: one context is used again by starting
 * it again, which costs a tenth of making one.
 */
struct digest_ctx;

int digest_ctx_new(enum digest_alg alg, struct digest_ctx **ret, struct err *err) MUST_USE;
int digest_ctx_update(struct digest_ctx *ctx, struct view data, struct err *err) MUST_USE;
/* Gives the digest and starts the context again. */
int digest_ctx_final(struct digest_ctx *ctx, struct digest *ret, struct err *err) MUST_USE;
void digest_ctx_free(struct digest_ctx *ctx);
DEFINE_AUTO(struct digest_ctx, digest_ctx_free)

#endif
