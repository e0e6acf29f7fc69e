/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_RECEIPT_H
#define AVOW_EVIDENCE_RECEIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "crypto/digest.h"
#include "evidence/launch.h"
#include "evidence/pcr.h"
#include "evidence/tpm_attest.h"
#include "evidence/tpm_public.h"

/*
 * A receipt: what a host says that it ran, signed by its TPM. The payload is canonical JSON whose bytes are
 * signed as they are: TPM2_Quote by the attestation key, over the policy's PCRs and the launch PCR, with the
 * payload's digest as qualifying data. The digest of a receipt, everywhere, is
 *
 *     SHA-256("avow-receipt-v1" 00 ‖ payload)
 *
 * so it is what the quote holds, what the next receipt of the chain names, and what the verifier
 * countersigns (receipt_countersign.h). Format avow.receipt/1, `*.avow-receipt`: docs/protocol.md,
 * "Receipts". Pure. Spec: SR-24.
 */
#define RECEIPT_SCHEMA         "avow.receipt/1"
#define RECEIPT_PAYLOAD_SCHEMA "avow.receipt-payload/1"
#define RECEIPT_MEDIA_TYPE     "application/vnd.avow.receipt+json"
#define RECEIPT_PAYLOAD_MAX    (32u << 10)
#define RECEIPT_BYTES_MAX      (128u << 10)
#define RECEIPT_SECRETS_MAX    LAUNCH_SECRETS_MAX
#define RECEIPT_POLICIES_MAX   8
#define RECEIPT_TEXT_MAX       256 /* bytes of a text of somebody else's */
#define RECEIPT_CHAIN_BYTES    16

enum receipt_exit {
        RECEIPT_EXITED,    /* with .code */
        RECEIPT_SIGNALLED, /* by signal .code */
        RECEIPT_LOST,      /* nobody saw its end: .why */
};

/* A secret that was handed to the module. */
struct receipt_secret {
        char *name;
        bool local; /* release: local, so it was not protected against root (SR-1) */
};

/* A version of a policy that the permit rests on. */
struct receipt_policy {
        char *name;
        int64_t version;
        struct digest sha256;
};

/* What the module's own claims say (wasmCloud), if it has any. Texts may be NULL. */
struct receipt_claims {
        char *issuer, *subject, *name, *version;
        int64_t revision; /* -1: none */
};

/* The payload. Everything is owned: receipt_done(). Digests are SHA-256 where nothing else is said. */
struct receipt {
        struct launch launch; /* what was to run, as the permit was given for it */
        struct digest launch_digest;
        char *tenant; /* as the verifier knows the host's */
        struct tpm_name ak;
        unsigned log_pcr;   /* the launch PCR */
        uint32_t log_entry; /* of the launch's record in its log, from 0 */
        bool has_claims;
        struct receipt_claims claims;
        char *permit; /* its id */
        struct receipt_policy policies[RECEIPT_POLICIES_MAX];
        size_t n_policies;
        struct receipt_secret secrets[RECEIPT_SECRETS_MAX];
        size_t n_secrets;
        /* What happened: the launcher's statement, as is the descriptor's input. */
        bool has_output; /* false: it was not digested */
        struct digest output;
        enum receipt_exit exit;
        int code;
        char *why;                          /* RECEIPT_LOST */
        int64_t started_at_ms, ended_at_ms; /* the host's wall clock */
        uint64_t clock_ms;       /* the TPM's, when it was started; the quote has that of the end */
        uint32_t reset, restart; /* of that boot */
        /* Its place. */
        uint8_t chain[RECEIPT_CHAIN_BYTES]; /* random: made when a chain begins */
        uint64_t sequence;                  /* from 1 */
        bool has_previous;                  /* false: the first of its chain */
        struct digest previous;             /* digest of the receipt before */
        char *broken; /* why a chain begins here although there was one before; NULL: nothing is missing */
};
void receipt_done(struct receipt *r);

/* Appends the payload; equal receipts give equal bytes. Return: 0; -ERR_NOMEM; -ERR_BUG for one that the
 * decoder would not take back. */
int receipt_payload_encode(const struct receipt *r, struct buf *out, struct err *err) MUST_USE;
/* Strict: the bytes are exactly those that the encoder writes. RET is set on success only. Return: 0;
 * -ERR_FORMAT naming the member; -ERR_LIMIT; -ERR_NOMEM. */
int receipt_payload_decode(struct view payload, struct receipt *ret, struct err *err) MUST_USE;
/* The receipt's digest: the quote's qualifying data. Return: 0; -ERR_CRYPTO. */
int receipt_digest(struct view payload, struct digest *ret, struct err *err) MUST_USE;

/* The file. All members are owned: receipt_file_done(). */
struct receipt_file {
        struct buf payload;
        struct buf message, signature; /* TPM2_Quote */
        struct pcr_values pcrs;
        struct buf ak;          /* TPM2B_PUBLIC */
        char *ak_certificate;   /* PEM, or NULL: the verifier tells it */
        char *countersignature; /* a JWS, or NULL: none yet */
};
void receipt_file_done(struct receipt_file *f);
int receipt_file_decode(struct view text, struct receipt_file *ret, struct err *err) MUST_USE;
/* Appends the JSON, members sorted, one line. Return: 0; -ERR_NOMEM. */
int receipt_file_encode(const struct receipt_file *f, struct buf *out, struct err *err) MUST_USE;
/* The same inside of another document. */
int receipt_file_from_json(const json_t *j, struct receipt_file *ret, struct err *err) MUST_USE;
void receipt_file_put(struct json_out *o, const char *name, const struct receipt_file *f);

/* What is checked of a receipt by itself, in this order. Who trusts the AK's certificate is the caller's. */
enum receipt_check {
        RECEIPT_CHECK_PAYLOAD, /* it can be read */
        RECEIPT_CHECK_AK,      /* a restricted key of a TPM; the one that the payload names, or enrolled */
        RECEIPT_CHECK_CERTIFICATE, /* speaks of this key and host */
        RECEIPT_CHECK_SIGNATURE,   /* the quote is the AK's */
        RECEIPT_CHECK_QUOTE,       /* over this payload and these values, the launch PCR among them */
        RECEIPT_CHECK_BOOT,        /* in the boot that the module ran in, after it was started */
        RECEIPT_N_CHECKS
};
const char *receipt_check_name(enum receipt_check check); /* "payload", … */

enum receipt_answer {
        RECEIPT_NOT_ASKED = 0, /* an earlier check failed, or there is nothing to check */
        RECEIPT_GOOD,
        RECEIPT_BAD
};
struct receipt_verdict {
        enum receipt_answer answer[RECEIPT_N_CHECKS];
        const char *why;        /* of what is bad: static text; NULL: nothing is */
        struct receipt r;       /* zeroed if the payload is bad */
        struct digest digest;   /* of the payload */
        struct tpm_clock clock; /* of the quote, if it is good */
};
void receipt_verdict_done(struct receipt_verdict *v);

/*
 * Judges a file. ENROLLED is the AK as the caller knows it, or NULL: then the file's is taken. Return: 0 with
 * the answer: a receipt that is bad is an answer; -ERR_CRYPTO, -ERR_NOMEM if nothing could be decided.
 */
int receipt_judge(const struct receipt_file *f, const struct tpm_public *enrolled,
                  struct receipt_verdict *ret, struct err *err) MUST_USE;

#endif
