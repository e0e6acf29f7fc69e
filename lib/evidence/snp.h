/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_SNP_H
#define AVOW_EVIDENCE_SNP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"

/*
 * AMD SEV-SNP attestation reports: reading one. Reading proves nothing; evidence/snp_verify.h does.
 * Spec: AMD 56860 "SEV Secure Nested Paging Firmware ABI", §§2.2 (TCB_VERSION), 4.3 (guest policy),
 * 7.3 (ATTESTATION_REPORT, MSG_REPORT_REQ).
 */
#define SNP_REPORT_BYTES  1184
#define SNP_SIGNED_BYTES  672 /* the first ones: what the signature covers */
#define SNP_CHIP_ID_BYTES 64
#define SNP_DIGEST_BYTES  48 /* SHA-384: measurement and key digests */
#define SNP_DATA_BYTES    64 /* report_data */
#define SNP_VMPL_MAX      3

/* Product lines: those that share an ARK. Siena and Bergamo are of the Genoa line. */
enum snp_line {
        SNP_LINE_UNKNOWN = 0,
        SNP_MILAN,
        SNP_GENOA,
        SNP_TURIN,
};
/* "Milan", as in the names of its certificates and in AMD's URLs; "unknown". */
const char *snp_line_name(enum snp_line line);
/* By the family and model that a report of version 3 and later holds. Spec: AMD 56860 §7.3; AMD 57230. */
enum snp_line snp_line_of_cpu(uint8_t family, uint8_t model);

/*
 * The security version of a platform, taken apart. TCBs are only partly ordered: one is at least another if
 * every component is. As numbers or hex strings they mean nothing.
 */
struct snp_tcb {
        uint8_t fmc; /* Turin and later; else 0 */
        uint8_t bootloader, tee, snp, microcode;
};
/*
 * Of the two layouts, the line's. Return: false for an unknown line, and if a byte that the layout reserves
 * is not zero (also the sign of the other layout). Spec: AMD 56860 §2.2, tables 3 and 4.
 */
bool snp_tcb_decode(enum snp_line line, const uint8_t raw[8], struct snp_tcb *ret) MUST_USE;
bool snp_tcb_at_least(const struct snp_tcb *tcb, const struct snp_tcb *floor) MUST_USE;
bool snp_tcb_equal(const struct snp_tcb *a, const struct snp_tcb *b) MUST_USE;
#define SNP_TCB_TEXT_BYTES 80
/* "fmc 1 bootloader 1 tee 1 snp 4 microcode 81"; without fmc where the line has none. Return: RET. */
char *snp_tcb_text(enum snp_line line, const struct snp_tcb *tcb, char ret[SNP_TCB_TEXT_BYTES]);

/* What a guest's owner permits. Spec: AMD 56860 §4.3. */
enum snp_policy_bit {
        SNP_POLICY_SMT = 16,
        SNP_POLICY_ONE = 17, /* has to be 1 */
        SNP_POLICY_MIGRATE_MA = 18,
        SNP_POLICY_DEBUG = 19,
        SNP_POLICY_SINGLE_SOCKET = 20,
        SNP_POLICY_CXL = 21,
        SNP_POLICY_AES_256_XTS = 22,
        SNP_POLICY_RAPL_DIS = 23,
        SNP_POLICY_CIPHERTEXT_HIDING = 24,
        SNP_POLICY_PAGE_SWAP_DISABLE = 25,
        SNP_POLICY_RESERVED = 26, /* from here on: zero */
};
/* What the platform is. Bit 6 is reserved, and set on Turin. Spec: AMD 56860 §7.3, PLATFORM_INFO. */
enum snp_platform_bit {
        SNP_PLATFORM_SMT = 0,
        SNP_PLATFORM_TSME = 1,
        SNP_PLATFORM_ECC = 2,
        SNP_PLATFORM_RAPL_DIS = 3,
        SNP_PLATFORM_CIPHERTEXT_HIDING = 4,
        SNP_PLATFORM_ALIAS_CHECK = 5,
        SNP_PLATFORM_BIT6 = 6,
        SNP_PLATFORM_TIO = 7,
};
#define SNP_BIT(n) (UINT64_C(1) << (n))

enum snp_signing_key {
        SNP_KEY_VCEK = 0, /* the chip's */
        SNP_KEY_VLEK = 1, /* a cloud provider's */
        SNP_KEY_NONE = 7,
};

struct snp_version {
        uint8_t major, minor, build;
};

/* All views are borrowed from the report. */
struct snp_report {
        struct view bytes;
        uint32_t version;
        bool known; /* the version is one of 2, 3, 5; if not, nothing below is filled */
        uint32_t guest_svn;
        uint64_t policy;
        struct view family_id, image_id; /* 16 each; the guest owner's, through the ID block */
        uint32_t vmpl, signature_algo;
        uint8_t current_tcb[8], reported_tcb[8], committed_tcb[8], launch_tcb[8];
        uint64_t platform_info;
        bool author_key_en, mask_chip_key;
        uint8_t signing_key; /* enum snp_signing_key, or a number unknown */
        uint32_t key_info;
        struct view report_data, measurement; /* 64, 48 */
        struct view host_data;                /* 32; the host's choice at launch */
        struct view id_key_digest, author_key_digest;
        struct view report_id, report_id_ma; /* 32 each */
        bool has_cpu;                        /* version 3 and later */
        uint8_t family, model, stepping;
        struct view chip_id; /* 64 */
        struct snp_version current, committed;
        bool has_mitigations; /* version 5 and later */
        uint64_t launch_mit_vector, current_mit_vector;
        struct view r, s;  /* 72 each, little-endian */
        const char *fault; /* NULL, or which bytes that have to be zero are not: a constant text */
};

/*
 * Reads a report. One of an unknown version is read as far as its version: another layout may be behind it.
 * Return: 0; -ERR_FORMAT for another length than 1184.
 */
int snp_report_parse(struct view in, struct snp_report *ret, struct err *err) MUST_USE;

/* ABI version that the guest policy asks for. */
static inline uint8_t snp_abi_major(const struct snp_report *r)
{
        return (uint8_t)(r->policy >> 8);
}
static inline uint8_t snp_abi_minor(const struct snp_report *r)
{
        return (uint8_t)r->policy;
}
/* Are all bytes zero? */
bool snp_is_zero(struct view v) MUST_USE;

#endif
