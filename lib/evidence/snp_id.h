/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_SNP_ID_H
#define AVOW_EVIDENCE_SNP_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"
#include "evidence/snp.h"

/*
 * The ID block, by which a guest's owner says at launch what the guest is, and the ID authentication
 * information that signs it. The firmware checked them; the report has what came of it: digests of the keys,
 * family, image, svn and policy. Spec: AMD 56860 §§8.17 (SNP_LAUNCH_FINISH), 10 (keys, tables 75 and 76).
 */
#define SNP_ID_BLOCK_BYTES 96
#define SNP_ID_AUTH_BYTES  4096

/* Views borrowed from the block. */
struct snp_id_block {
        struct view launch_digest, family_id, image_id;
        uint32_t version, guest_svn;
        uint64_t policy;
};
int snp_id_block_parse(struct view in, struct snp_id_block *ret, struct err *err) MUST_USE;

struct snp_id {
        struct snp_id_block block;
        struct digest id_key;     /* SHA-384 over the key structure, as the report has it */
        struct digest author_key; /* zero without an author key */
        bool has_author;
        bool block_signed;  /* the ID key signed the block */
        bool id_key_signed; /* the author key signed the ID key */
};
/*
 * Reads both and checks the signatures. Return: 0 and the answers; -ERR_FORMAT (lengths, an algorithm other
 * than ECDSA P-384 with SHA-384, reserved bytes, a point off the curve); -ERR_CRYPTO; -ERR_NOMEM.
 */
int snp_id_check(struct view block, struct view auth, struct snp_id *ret, struct err *err) MUST_USE;

/* Does the report say what this ID block would have made it say? */
bool snp_id_fits(const struct snp_id *id, const struct snp_report *report) MUST_USE;

#endif
