/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_CRYPTO_PUBKEY_H
#define AVOW_CRYPTO_PUBKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"

/*
 * A public key: RSA (1024 to 4096 bits to read, policy decides what is enough) or an elliptic curve key on
 * P-256, P-384 or P-521. The numbers are the TPM's. Every constructor checks that the key is one: a point on
 * its curve, an odd modulus and exponent.
 */
enum pubkey_type {
        PUBKEY_RSA = 0x0001,
        PUBKEY_ECC = 0x0023,
};

enum pubkey_curve {
        CURVE_NONE = 0,
        CURVE_P256 = 0x0003,
        CURVE_P384 = 0x0004,
        CURVE_P521 = 0x0005,
};

enum sig_scheme {
        SIG_RSASSA = 0x0014,
        SIG_RSAPSS = 0x0016,
        SIG_ECDSA = 0x0018,
};

struct pubkey;
struct evp_pkey_st;

/* From the numbers of a TPMT_PUBLIC, big-endian. E 0 means 65537, as in a TPM. Return: 0; -ERR_FORMAT if they
 * are no key; -ERR_CRYPTO, -ERR_NOMEM. */
int pubkey_from_rsa(struct view n, uint32_t e, struct pubkey **ret, struct err *err) MUST_USE;
int pubkey_from_ec(enum pubkey_curve curve, struct view x, struct view y, struct pubkey **ret,
                   struct err *err) MUST_USE;

/* From a DER SubjectPublicKeyInfo with nothing after it; from the first "PUBLIC KEY" of a PEM text. */
int pubkey_from_spki(struct view der, struct pubkey **ret, struct err *err) MUST_USE;
int pubkey_from_pem(struct view pem, struct pubkey **ret, struct err *err) MUST_USE;

/* Takes PKEY over, also on failure. For lib/crypto itself. */
int pubkey_from_evp(struct evp_pkey_st *pkey, struct pubkey **ret, struct err *err) MUST_USE;
/* Borrowed. For lib/crypto itself. */
struct evp_pkey_st *pubkey_evp(const struct pubkey *key);

void pubkey_free(struct pubkey *key);
DEFINE_AUTO(struct pubkey, pubkey_free)

enum pubkey_type pubkey_type(const struct pubkey *key);
enum pubkey_curve pubkey_curve(const struct pubkey *key); /* CURVE_NONE for RSA */
unsigned pubkey_bits(const struct pubkey *key);
/* "RSA-2048", "ECC P-256": for people. SIZE 16 is enough. */
void pubkey_describe(const struct pubkey *key, char *text, size_t size);

/* Appends the DER SubjectPublicKeyInfo; its SHA-256; the PEM text (free()). */
int pubkey_spki(const struct pubkey *key, struct buf *ret, struct err *err) MUST_USE;
int pubkey_spki_sha256(const struct pubkey *key, struct digest *ret, struct err *err) MUST_USE;
int pubkey_pem(const struct pubkey *key, char **ret, struct err *err) MUST_USE;

/* Appends the coordinates, padded to the size of the field. Return: -ERR_BUG for an RSA key. */
int pubkey_ec_point(const struct pubkey *key, struct buf *ret_x, struct buf *ret_y, struct err *err) MUST_USE;
/* Bytes of a coordinate: 32, 48, 66; 0 for CURVE_NONE. */
size_t pubkey_curve_bytes(enum pubkey_curve curve);
/* Appends the modulus, big-endian without leading zeros, and gives the exponent. -ERR_BUG for an EC key,
 * -ERR_LIMIT for an exponent over 32 bits. */
int pubkey_rsa_numbers(const struct pubkey *key, struct buf *ret_n, uint32_t *ret_e,
                       struct err *err) MUST_USE;

/* Appends what stands in SubjectPublicKeyInfo's BIT STRING: RSAPublicKey (PKCS#1) or the uncompressed point.
 * Some identifiers of keys are made of it. */
int pubkey_bare(const struct pubkey *key, struct buf *ret, struct err *err) MUST_USE;

bool pubkey_equal(const struct pubkey *a, const struct pubkey *b) MUST_USE;

/* A signature as a TPM gives it; the views are borrowed. */
struct signature {
        enum sig_scheme scheme;
        enum digest_alg hash;
        struct view rsa;  /* RSASSA, RSAPSS */
        struct view r, s; /* ECDSA: big-endian, any number of leading zeros */
};

/*
 * Checks SIG over MESSAGE (which is hashed here). RSAPSS: any salt length, the mask's hash is the message's.
 * Return: 0 with the answer in *ret_good (a scheme that does not fit the key, and numbers out of range, are
 * false); -ERR_CRYPTO or -ERR_NOMEM if nothing could be decided.
 */
int pubkey_verify(const struct pubkey *key, const struct signature *sig, struct view message, bool *ret_good,
                  struct err *err) MUST_USE;

/* Appends an ECDSA signature's numbers as DER. Return: 0; -ERR_FORMAT if they are too long for KEY's curve;
 * -ERR_CRYPTO, -ERR_NOMEM. */
int signature_der(const struct pubkey *key, const struct signature *sig, struct buf *ret,
                  struct err *err) MUST_USE;

/*
 * The same where the message's digest is all there is. SIGNATURE as OpenSSL and the kernel have it: RSA's
 * bytes, or ECDSA's DER.
 */
int pubkey_verify_digest(const struct pubkey *key, enum sig_scheme scheme, const struct digest *digest,
                         struct view signature, bool *ret_good, struct err *err) MUST_USE;

#endif
