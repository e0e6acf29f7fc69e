/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_SNP_CERT_H
#define AVOW_EVIDENCE_SNP_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/cert.h"
#include "evidence/snp.h"

/*
 * AMD's certificates: ARK-<line> (root) → SEV-<line> (ASK) → SEV-VCEK, a chip's at one TCB; and ARK-<line> →
 * SEV-VLEK-<line> → SEV-VLEK, a cloud provider's at one TCB. What a leaf says counts once its chain does.
 * Spec: AMD 57230 "VCEK Certificate and KDS Interface", §§2-3; AMD 58369 (VLEK).
 */
#define SNP_CSP_ID_MAX 128

/* A root that is trusted for a line, by its key: names and dates of a root can be had from anybody. */
struct snp_root {
        enum snp_line line;
        uint8_t spki_sha256[32];
};
/* AMD's roots, as its key server gives them out. A constant table of *ret_n. */
const struct snp_root *snp_amd_roots(size_t *ret_n);

/* What the leaf's own subject and its issuer's name claim. Return: false if it is no leaf of AMD's form. */
bool snp_leaf_kind(const struct cert *cert, enum snp_signing_key *ret) MUST_USE;
/* The line by the issuer's name: "SEV-Milan", "SEV-VLEK-Milan". */
enum snp_line snp_leaf_line(const struct cert *cert, enum snp_signing_key kind);

/* The extensions under 1.3.6.1.4.1.3704.1. Spec: AMD 57230 §3, table 8. */
struct snp_leaf {
        struct snp_tcb tcb;
        uint8_t struct_version;
        struct view hwid; /* VCEK: 64 or 8 bytes, borrowed from the certificate */
        char product[33]; /* "Milan-B0"; escaped, for people */
        char csp_id[SNP_CSP_ID_MAX + 1];
};
/*
 * Reads a leaf of LINE. Missing and repeated extensions, numbers over 255, a structure version or an FMC
 * component that are not the line's are errors. Return: 0; -ERR_FORMAT naming the extension.
 */
int snp_leaf_read(const struct cert *cert, enum snp_line line, enum snp_signing_key kind,
                  struct snp_leaf *ret, struct err *err) MUST_USE;

#endif
