/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_TPM_PUBLIC_H
#define AVOW_EVIDENCE_TPM_PUBLIC_H

#include "base/bytes.h"
#include "base/err.h"
#include "crypto/digest.h"
#include "crypto/pubkey.h"
#include "evidence/tpm_types.h"

/*
 * The public area of a TPM key, its name, and whether it is a key that may be trusted for what it is used
 * for. Only asymmetric keys are read (RSA, ECC). Spec: TPM 2.0 Library Part 2 rev 1.59 §12.2.
 */

#define TPM_PUBLIC_BYTES_MAX 1024
#define TPM_NAME_BYTES_MAX   (2 + DIGEST_BYTES_MAX)

struct tpm_public {
        uint16_t type;     /* ALG_RSA or ALG_ECC */
        uint16_t name_alg; /* a digest of ours: enum digest_alg */
        uint32_t attributes;
        struct view auth_policy;
        uint16_t sym_alg, sym_bits, sym_mode; /* bits and mode are 0 with ALG_NULL */
        uint16_t scheme, scheme_hash;         /* ALG_NULL with 0, or a signature scheme and its hash */
        uint16_t rsa_bits;
        uint32_t rsa_exponent; /* as written: 0 means 65537 */
        uint16_t curve;        /* enum pubkey_curve */
        struct view n;         /* RSA modulus */
        struct view x, y;      /* ECC point */
        struct view raw;       /* the TPMT_PUBLIC, without the size in front */
};

/* A TPM name: the name algorithm and the digest of the public area. */
struct tpm_name {
        uint8_t len;
        uint8_t b[TPM_NAME_BYTES_MAX];
};

/*
 * A TPM2B_PUBLIC (a 16-bit size and that many bytes, nothing after it); a bare TPMT_PUBLIC. All views in RET
 * borrow from IN. Return: 0; -ERR_FORMAT for malformed bytes and key types that are not ours; -ERR_LIMIT.
 */
int tpm2b_public_parse(struct view in, struct tpm_public *ret, struct err *err) MUST_USE;
int tpmt_public_parse(struct view in, struct tpm_public *ret, struct err *err) MUST_USE;

/* The name, computed here and never taken from a peer. Spec: Part 1 §16. Return: 0; -ERR_CRYPTO. */
int tpm_public_name(const struct tpm_public *pub, struct tpm_name *ret, struct err *err) MUST_USE;
struct view tpm_name_view(const struct tpm_name *name);

/* The key for OpenSSL; the caller's. Return: 0; -ERR_FORMAT if the numbers are no key; -ERR_CRYPTO. */
int tpm_public_key(const struct tpm_public *pub, struct pubkey **ret, struct err *err) MUST_USE;

/*
 * Why a key must not be believed as an attestation key, or NULL if it may be: fixedTPM, fixedParent,
 * sensitiveDataOrigin, restricted, sign, not decrypt, a fixed signature scheme with SHA-256 or better, a key
 * of at least 2048 (RSA) or 256 bits, no symmetric algorithm. Spec: SR-10.
 */
const char *tpm_public_ak_refusal(const struct tpm_public *pub);

/*
 * Why a key is no endorsement key, or NULL: fixedTPM, fixedParent, sensitiveDataOrigin, restricted, decrypt,
 * not sign, AES-CFB below it, at least RSA 2048 or a 256-bit curve. That it is a genuine TPM's is for its
 * certificate to say. Spec: SR-10.
 */
const char *tpm_public_ek_refusal(const struct tpm_public *pub);

/* "L-1", "L-2", "H-1" …: the template of the TCG EK Credential Profile (2.5, §B.3, §B.4), or NULL. */
const char *tpm_public_ek_template(const struct tpm_public *pub);

/* "RSA-2048", "ECC P-256" …, for people. */
const char *tpm_public_describe(const struct tpm_public *pub);

#endif
