/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_BUNDLE_H
#define AVOW_EVIDENCE_BUNDLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"
#include "evidence/authenticate.h"
#include "evidence/continuation.h"
#include "evidence/counters.h"
#include "evidence/pcr.h"
#include "evidence/tee.h"
#include "evidence/tpm_public.h"
#include "evidence/verdict.h"

/*
 * One piece of evidence with all that is needed to appraise it again, offline, years later:
 * `*.avow-evidence`. The logs in it are whole from boot. Format: docs/protocol.md. All members are owned by
 * the bundle.
 */

#define BUNDLE_SCHEMA    "avow.evidence/1"
#define BUNDLE_BYTES_MAX (256u << 20)

enum bundle_peer {
        BUNDLE_PEER_AVOW = 0,
        BUNDLE_PEER_KEYLIME, /* the challenge itself is the qualifying data */
};

/* A counter as the TPM certified it. */
struct bundle_counter {
        uint32_t index;
        struct buf message, signature;
};

struct bundle {
        char *host;
        enum bundle_peer peer;
        char *verifier_id;    /* NULL for Keylime peers */
        struct buf ak;        /* TPM2B_PUBLIC */
        char *ak_certificate; /* PEM, or NULL */
        struct buf challenge;
        bool immediate;             /* it was a challenge of seconds */
        struct buf release_request; /* SHA-256 of the request that releases waited for; empty: a heartbeat */
        bool for_permit;            /* it was a launch that waited ("permit_request") */
        struct pcr_selection asked;
        int64_t issued_at_ms, received_at_ms;
        struct clock_tolerance tolerance;
        struct buf message, signature;
        struct pcr_values pcrs;
        struct buf time_message, time_signature; /* empty: none */
        struct buf counter_key;                  /* empty: the evidence had no counters */
        struct bundle_counter epoch, floor;
        struct counters_record counters_before; /* as they were remembered; .known */
        bool has_previous;
        struct previous previous;
        struct pcr_values previous_pcrs;
        bool has_cel, has_ima, has_uefi;
        struct buf cel, ima, uefi; /* as the host sent them */
        bool has_tee;              /* it was asked for evidence of its processor: */
        enum tee_kind tee_kind;
        struct buf tee, tee_table, tee_manifest; /* as struct tee_shown */
        struct verdict *verdict;                 /* as it was recorded */
        char *policy_name;
        uint32_t policy_version;
        struct digest policy_sha256;
};

struct bundle *bundle_new(void) MUST_USE;
void bundle_free(struct bundle *b);
DEFINE_AUTO(struct bundle, bundle_free)

/*
 * Strict: no duplicate, missing or unknown members, lower-case hex, canonical base64. Return: 0;
 * -ERR_FORMAT naming the member; -ERR_LIMIT; -ERR_NOMEM.
 */
int bundle_decode(struct view text, struct bundle **ret, struct err *err) MUST_USE;

/* Appends the JSON, indented, with a line feed at its end; equal bundles give equal bytes. Return: 0;
 * -ERR_NOMEM; -ERR_BUG for a bundle that the decoder would not take back. */
int bundle_encode(const struct bundle *b, struct buf *out, struct err *err) MUST_USE;

/*
 * Does the bundle's AK certificate speak of its AK? The key, the host's name and the attributes in it must be
 * the bundle's; that the registrar signed it is for the caller to check, who knows the registrar's CA.
 * Return: 0 with the answer (true also for a bundle without one), and if it is no, why (static text);
 * -ERR_CRYPTO, -ERR_NOMEM.
 */
int bundle_certificate_fits(const struct bundle *b, const struct tpm_public *ak, bool *ret_fits,
                            const char **ret_why, struct err *err) MUST_USE;

/* The processor's evidence, borrowed from B. Return: false if there is none. */
bool bundle_tee(const struct bundle *b, struct tee_shown *ret) MUST_USE;

/*
 * What the bundle's evidence has to be measured against, for evidence_authenticate(). *ret_ak, *ret_e and
 * *ret_x borrow from B and from the caller's *ret_qualifying. Return: 0; -ERR_FORMAT for an AK or ids that
 * are none; -ERR_CRYPTO.
 */
int bundle_evidence(const struct bundle *b, struct tpm_public *ret_ak, struct digest *ret_qualifying,
                    struct evidence *ret_e, struct expectation *ret_x, struct err *err) MUST_USE;

#endif
