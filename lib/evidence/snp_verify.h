/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_SNP_VERIFY_H
#define AVOW_EVIDENCE_SNP_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "evidence/snp.h"
#include "evidence/snp_bag.h"
#include "evidence/snp_cert.h"
#include "evidence/tee.h"

/*
 * Is an SEV-SNP report genuine, and is it what a policy wants? First what cryptography says: signature, chain
 * to a pinned root of the product line, revocation, certificate ↔ report. Then the policy; of a report that
 * is not authentic no policy check is made, as it says nothing (SR-4). All checks are in the result by name.
 *
 * A check's name, and the reason words of its failures:
 *
 *   report-format          report-malformed
 *   report-version         report-version-unknown
 *   signature-algorithm    signature-algorithm-unknown
 *   signing-key            signing-key-unknown vlek-not-allowed
 *   endorsement            signing-key-mismatch
 *   product                product-unknown product-mismatch
 *   endorsement-chain      endorsement-chain-invalid root-not-trusted
 *   endorsement-dates      endorsement-expired endorsement-not-yet-valid
 *   revocation             endorsement-revoked crl-missing crl-invalid crl-expired crl-not-yet-valid
 *   report-signature       report-signature-invalid
 *   endorsement-extensions endorsement-malformed
 *   certificate-tcb        tcb-mismatch tcb-malformed
 *   chip-id                chip-id-mismatch chip-id-masked          (VCEK)
 *   csp-id                 csp-id-not-allowed                       (VLEK)
 *   report-data            report-data-mismatch
 *   tcb-order              tcb-order-invalid tcb-malformed
 *   tcb-floor              tcb-below-floor
 *   launch-tcb-floor       launch-tcb-below-floor
 *   provisional-firmware   provisional-firmware
 *   firmware-floor         firmware-below-floor
 *   mitigations            mitigation-missing
 *   guest-policy           guest-policy-invalid
 *   debug                  debug-enabled
 *   migration-agent        migration-agent
 *   policy-bits            policy-bit-missing policy-bit-refused
 *   policy-abi             policy-abi-below-floor
 *   platform-info          platform-bit-missing platform-bit-refused
 *   vmpl                   vmpl-not-allowed
 *   guest-svn              guest-svn-below-floor
 *   measurement host-data family-id image-id    …-not-allowed
 *   id-key author-key      …-not-allowed
 *   denied                 chip-denied measurement-denied id-key-denied
 *   policy                 (skipped, in place of all from report-data on, if the report is not authentic)
 *
 * Flags, notable but no reason by themselves: author-key-present chip-id-masked debug host-data-nonzero
 * id-key-present migration-agent platform-info-bit6-set platform-info-unknown-bits provisional-firmware
 * smt-allowed vlek vmpl-nonzero.
 *
 * Spec: AMD 56860 §7.3; AMD 57230 §§2-4; AMD 58369.
 */

/* Components of a TCB, of one line each: a floor for Milan says nothing about a Turin, which then fails. */
struct snp_floor {
        enum snp_line line;
        struct snp_tcb tcb;
};

enum snp_crl_rule {
        SNP_CRL_REQUIRED = 0, /* a current one of the root, or a failure */
        SNP_CRL_IF_GIVEN,     /* one of this root that was given has to be current; none is a skipped check */
};

/* The zero value allows nothing. */
struct snp_policy {
        enum snp_crl_rule crl;
        bool allow_vlek;
        bool allow_masked_chip;
        bool allow_debug;
        bool allow_migration;
        bool allow_provisional;     /* current firmware newer than the committed one */
        uint8_t vmpls;              /* bit N: VMPL N is allowed */
        uint64_t policy_required;   /* SNP_BIT(SNP_POLICY_…) */
        uint64_t policy_refused;    /* e.g. SNP_BIT(SNP_POLICY_SMT) */
        uint64_t platform_required; /* SNP_BIT(SNP_PLATFORM_…) */
        uint64_t platform_refused;
        uint64_t mitigations; /* bits of launch and current vector; reports before version 5 have none */
        uint16_t abi_floor;   /* major << 8 | minor */
        bool has_firmware_floor;
        struct snp_version firmware_floor; /* for committed firmware */
        uint32_t guest_svn_floor;
        const struct snp_floor *tcb_floors, *launch_floors; /* for reported_tcb, launch_tcb; NULL: none */
        size_t n_tcb_floors, n_launch_floors;
        struct tee_set csp_ids, measurements, host_data, family_ids, image_ids, id_keys, author_keys;
        struct tee_set denied_chips, denied_measurements,
                denied_id_keys; /* SET is not asked: any in them fails */
};
/* Signature, chain, certificate ↔ report must hold; debug and migration refused; all else allowed. */
extern const struct snp_policy snp_policy_reference;

/* All borrowed. */
struct snp_input {
        struct view report;
        const struct snp_bag *bag;
        const struct snp_root *roots;
        size_t n_roots;
        int64_t at_ms;
        struct view
                report_data; /* what it has to be, 64 bytes; VIEW_NONE: not asked, and the check skipped */
        const struct snp_policy *policy;
};

struct snp_result {
        struct tee_result tee;
        bool has_report; /* REPORT is filled, as far as it says itself */
        bool authentic;  /* signed by a key that chains, unrevoked, to a trusted root: REPORT is true */
        struct snp_report report; /* its views are borrowed from the input's */
        enum snp_line line;
        const struct cert *leaf; /* borrowed from the bag; NULL if none was found */
        bool has_claims;
        struct snp_leaf claims; /* LEAF's extensions, its chain being good */
};

/*
 * The verdict is TEE_ACCEPT, TEE_REJECT (also for what is no report: report-malformed), or
 * TEE_NO_ENDORSEMENT: nothing failed, but certificates are missing. Return: 0 with the result; -ERR_NOMEM,
 * -ERR_CRYPTO if nothing could be decided.
 */
int snp_verify(const struct snp_input *in, struct snp_result *ret, struct err *err) MUST_USE;

/*
 * An endorsement without a report: does the bag's one leaf chain to a trusted root at AT_MS (dates are
 * checked; see snp_verify() for the names)? IN's report and report_data are ignored. Return: as snp_verify().
 */
int snp_verify_endorsement(const struct snp_input *in, struct snp_result *ret, struct err *err) MUST_USE;

#endif
