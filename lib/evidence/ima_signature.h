/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_IMA_SIGNATURE_H
#define AVOW_EVIDENCE_IMA_SIGNATURE_H

#include "crypto/pubkey.h"
#include "evidence/ima.h"

/*
 * Signatures of files, as the templates with "sig" carry them: the security.ima xattr that was read when the
 * file was measured. Spec: Linux, security/integrity/integrity.h (signature_v2_hdr, ima_file_id).
 */
#define IMA_KEYS_MAX 1024

struct ima_signature {
        uint8_t type;    /* 3: of a file; 5: portable EVM, over metadata that is not in the entry; 6: of
                            fs-verity */
        uint8_t version; /* 2: over the digest; 3: over type, algorithm and digest */
        bool hash_known; /* its digest algorithm is one of ours */
        enum digest_alg hash;
        uint32_t key_id;
        struct view bytes; /* RSASSA, or ECDSA as DER */
};
/* Return: 0; -ERR_FORMAT. RET's view is borrowed. */
int ima_signature_parse(struct view xattr, struct ima_signature *ret, struct err *err) MUST_USE;

/* Keys by the identifier that a signature names them by. */
struct ima_keys;
int ima_keys_new(struct ima_keys **ret, struct err *err) MUST_USE;
void ima_keys_free(struct ima_keys *keys);
DEFINE_AUTO(struct ima_keys, ima_keys_free)
/*
 * Adds a certificate or a SubjectPublicKeyInfo, DER or PEM. One that is there already stays one. Its
 * identifier: the last four bytes of the certificate's subject key identifier; without one, of the SHA-1 over
 * the key as the kernel has it. Return: 0; -ERR_FORMAT; -ERR_LIMIT beyond IMA_KEYS_MAX; -ERR_NOMEM.
 */
int ima_keys_add(struct ima_keys *keys, struct view der_or_pem, uint32_t *ret_id, struct err *err) MUST_USE;
/* The same under an identifier of its own: where only the key is left of a certificate. */
int ima_keys_add_as(struct ima_keys *keys, struct view der_or_pem, uint32_t id, struct err *err) MUST_USE;
size_t ima_keys_count(const struct ima_keys *keys);

enum ima_signed {
        IMA_UNSIGNED,
        IMA_SIGNED,            /* by one of the keys, over this digest */
        IMA_SIGNED_BADLY,      /* names one of the keys, and is not its signature over this digest */
        IMA_SIGNED_BY_UNKNOWN, /* names no key that is here */
        IMA_SIGNED_SOMEHOW,    /* of a kind, version or digest that this program cannot check */
};
const char *ima_signed_name(enum ima_signed s);
/* Return: 0 with the answer; -ERR_FORMAT for a signature that is none; -ERR_CRYPTO, -ERR_NOMEM. */
int ima_signature_check(const struct ima_keys *keys, const struct ima_event *event, enum ima_signed *ret,
                        struct err *err) MUST_USE;

#endif
